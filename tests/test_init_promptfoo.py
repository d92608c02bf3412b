"""`promptlab init` on configurations of promptfoo: what they ask is planned, and what is left out is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import promptlab
from promptlab.nouns import FileProblems
from promptlab.planning.resolve import resolve
from sheets import TEAMS, lines_of

CONFIGS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "answers": (
        """
description: Capitals of the world
prompts:
  - "Name the capital of {{country}}. Answer with its name alone."
  - "You know geography. What is the capital of {{ country }}?"
providers: [openai:gpt-4o-mini, anthropic:messages:claude-haiku-4-5]
tests:
"""
        + "".join(f"  - vars: {{country: Land{n}}}\n    assert: [{{type: equals, value: Town{n}}}]\n" for n in range(12)),
        {},
        {"tasks": 1, "prompts": 2, "targets": True, "models": ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"]},
    ),
    "assertions for all": (
        """
prompts: [file://polite.txt, file://chat.json]
providers:
  - id: openai:chat:gpt-4o-mini
    config: {temperature: 0.2, max_tokens: 200, apiKey: sk-1234567890abcdefghij}
defaultTest:
  vars: {tone: kind}
  assert:
    - {type: icontains, value: regards}
    - {type: not-contains, value: "as an AI"}
    - {type: llm-rubric, value: The reply says what happens next., metric: next, weight: 2}
    - {type: javascript, value: output.length < 500}
    - {type: latency, threshold: 5000}
tests:
"""
        + "".join(f'  - vars: {{mail: "Where is parcel {n}?"}}\n' for n in range(8)),
        {
            "polite.txt": 'Answer in a {{tone}} way, as {"reply": ...} for {name}:\n{{mail}}\n',
            "chat.json": '[{"role": "system", "content": "Be {{tone}}."}, {"role": "user", "content": "{{mail}}"}]',
        },
        {
            "tasks": 1,
            "prompts": 2,
            "lost": ["javascript"],
            "sampling": {"temperature": 0.2, "max_tokens": 200},
            "lost models": ["'config.apiKey' of provider 'openai:chat:gpt-4o-mini'"],
        },
    ),
    "a table of tests": (
        "prompts: ['Sort this: {{text}}']\nproviders: openai:gpt-4o-mini\ntests: file://tests.csv\n",
        {"tests.csv": "text,__expected\n" + "".join(f"Message {n},contains: {TEAMS[n % 3]}\n" for n in range(9))},
        {"tasks": 1, "prompts": 2, "targets": True},
    ),
    "different assertions": (
        """
prompts:
  - {id: file://one.txt, label: one}
  - {raw: "Return JSON for {{q}}", label: two}
  - file://made.py
providers: [python:provider.py]
tests:
  - {vars: {q: a}, assert: [{type: is-json}]}
  - {vars: {q: b}, assert: [{type: is-json}]}
  - {vars: {q: c}, assert: [{type: is-json, value: {type: object, required: [name]}}]}
  - {vars: {q: [d, e, f]}, assert: [{type: regex, value: "[0-9]+"}, {type: similar, value: x, threshold: 0.8}]}
  - {vars: {q: g}, assert: [{type: contains-all, value: [a, b]}, {type: cost, threshold: 0.01}]}
  - {vars: {q: h}}
""",
        {"one.txt": "Answer as JSON: {{q}}"},
        {"tasks": 4, "prompts": 2, "lost": ["made.py", "'similar'", "asserts nothing"], "lost models": ["provider 'python:provider.py'"]},
    ),
    "templates and facts": (
        """
prompts: ["Q{{unset}}: {{question}}\\nA:", "{% if formal %}Formally: {% endif %}{{question}}"]
providers: [{"openai:gpt-4o-mini": {config: {temperature: 0}}}]
assertionTemplates:
  short: {type: word-count, value: {max: 30}}
tests:
"""
        + "".join(
            f"  - {{vars: {{question: Who made machine {n}?}}, assert: [{{$ref: '#/assertionTemplates/short'}},"
            f" {{type: factuality, value: Person {n} made it.}}]}}\n"
            for n in range(10)
        ),
        {},
        {"tasks": 1, "prompts": 2, "targets": True, "lost": ["Jinja", "the variable 'unset' has no value"]},
    ),
    "a judge, a price and providers of one model": (
        """
description: Support
env: {OPENAI_BASE_URL: "https://elsewhere.example"}
x-common: &common {tone: kind}
prompts:
  file://v1.txt: first
  file://chat.json: chat
providers:
  - {id: openai:chat:gpt-4o-mini, config: {temperature: 0, max_tokens: 99, tools: file://tools.json}}
  - {id: openai:chat:gpt-4o-mini, label: warm, config: {temperature: 1, max_tokens: 99}, prompts: [chat]}
defaultTest: file://default.yaml
scenarios:
  - config: [{vars: {language: French}}, {vars: {language: Dutch}}]
    tests: [{vars: {question: "Which is {{language | upper}}?"}, assert: [{type: llm-rubric, value: polite, threshold: 0.5}]}]
tests: file://t.jsonl
""",
        {
            "v1.txt": "In {{ language }}: {{ question | trim }}{# a comment #}",
            "chat.json": '[{% for m in history %}{"role": "user", "content": "{{m}}"},{% endfor %}'
            '{"role": "user", "content": "{{language}}: {{question}}"}]',
            "default.yaml": "assert: [{type: cost, threshold: 0.01}]\n",
            "t.jsonl": lines_of(
                [
                    {"vars": {"language": "French", "question": f"Q{n}?"}, "assert": [{"type": "llm-rubric", "value": "polite"}], "x": 1}
                    for n in range(3)
                ]
            ),
        },
        {
            "tasks": 1,
            "prompts": 2,
            "targets": True,
            "models": ["openai_gpt-4o-mini-1", "warm"],
            "sampling": {"max_tokens": 99},
            "lost": [
                "env",
                "'first': filters",
                "'chat': its blocks",
                "'x' of a test",
                "'threshold' of an assertion",
                "'question': filters",
            ],
            "lost models": ["'config.tools' of provider 'openai:chat:gpt-4o-mini'", "'prompts' of provider 'openai:chat:gpt-4o-mini'"],
        },
    ),
}


@pytest.mark.parametrize("config", CONFIGS)
def test_configurations_of_promptfoo(config: str, tmp_path: Path) -> None:
    from promptlab.importers.promptfoo_config import converted

    text, beside, wanted = CONFIGS[config]
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(text, encoding="utf-8")
    for name, content in beside.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    named = converted(path, None, "sim/factors")
    assert "sk-1234567890" not in "".join(named.files.values())
    found = converted(path, "sim/factors", "sim/factors")
    into = tmp_path / "out"
    for name, content in found.files.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_text(content, encoding="utf-8")
    study = resolve(into / found.experiment)
    assert len(study.design.tasks) == wanted["tasks"]
    assert len(study.prompts) == wanted["prompts"]
    assert all(item.targets for task in study.design.tasks for item in task.items) == wanted.get("targets", False)
    for word in wanted.get("lost", ()):
        assert any(word in told for told in found.left_out), found.left_out
    assert [what for what in named.left_out if what not in found.left_out] == wanted.get("lost models", [])
    assert len(found.left_out) == len(wanted.get("lost", ())), found.left_out
    if "models" in wanted:
        (into / "named.yaml").write_text(named.files[named.experiment], encoding="utf-8")
        assert [m.name for m in resolve(into / "named.yaml").design.models] == wanted["models"]
    for name, value in wanted.get("sampling", {}).items():
        assert getattr(study.experiment.sampling, name) == value
    done = promptlab.run(into / found.experiment, runs=tmp_path / "runs", cache="off", progress=False)
    assert done.state == "complete"
    assert done.trials().score.notna().all()


def test_a_configuration_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    from promptlab.importers.promptfoo_config import converted

    (tmp_path / "secret.txt").write_text("secret {{q}}", encoding="utf-8")
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "promptfooconfig.yaml"
    for text in ("prompts: ['file://../secret.txt']", "prompts: ['{{q}}']\ntests: [{vars: {q: 'file://../secret.txt'}}]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(FileProblems, match="outside of its folder"):
            converted(path, None, "sim/factors")
