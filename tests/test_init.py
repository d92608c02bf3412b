"""`promptlab init`: tables of many shapes, configurations of promptfoo and shipped examples become files that plan and sweep take."""

from __future__ import annotations

import codecs
import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptlab
from conftest import ROOT
from promptlab.nouns import FileProblems, PromptlabError, UsageProblem
from promptlab.planning.resolve import resolve
from promptlab.sources import starting
from promptlab.sources.own import check_task, load_own
from promptlab.sources.starting import Given, Wishes, looking
from runs import run

N = 60
TEAMS = ("billing", "bug", "how-to")
TEXTS = [
    f"Message {n}: the {word} does not {verb}." for n in range(20) for word, verb in (("app", "open"), ("bill", "add up"), ("menu", "show"))
]


def rows(**columns: Callable[[int], Any]) -> list[dict[str, Any]]:
    return [{name: made(n) for name, made in columns.items()} for n in range(N)]


TICKETS = rows(id=lambda n: f"t{n}", message=lambda n: TEXTS[n], team=lambda n: TEAMS[n % 3])


def csv_of(table: list[dict[str, Any]], mark: str = ",", head: bool = True) -> str:
    lines = [list(table[0])] * head + [list(row.values()) for row in table]
    return "\n".join(mark.join('"' + str(cell).replace('"', '""') + '"' for cell in line) for line in lines) + "\n"


def lines_of(table: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table)


def chats(last: bool) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "How can I help?"},
                {"role": "user", "content": TEXTS[n]}, *([{"role": "assistant", "content": TEAMS[n % 3]}] if last else []),
            ],
            **({} if last else {"label": TEAMS[n % 3]}),
        }
        for n in range(N)
    ]  # fmt: skip


LONG = "The reply must say that the account was closed, why it was closed, and what the customer can do about it until {}."
SHAPES: dict[str, tuple[str, str | bytes, dict[str, Any]]] = {
    "plain": ("t.csv", csv_of(TICKETS), {"input": "message", "target": "team", "metric": "label", "id": "id", "copied": False}),
    "bom": ("t.csv", codecs.BOM_UTF8 + csv_of(TICKETS).encode(), {"input": "message", "target": "team", "copied": False}),
    "sep": ("t.csv", "sep=;\n" + csv_of(TICKETS, ";"), {"input": "message", "target": "team", "copied": False}),
    "semicolons": ("t.csv", csv_of(TICKETS, ";"), {"input": "message", "target": "team", "metric": "label", "copied": False}),
    "pipes": ("t.csv", csv_of(TICKETS, "|"), {"input": "message", "target": "team", "copied": True}),
    "tabs": ("t.tsv", csv_of(TICKETS, "\t"), {"input": "message", "target": "team", "copied": False}),
    "cp1252": (
        "t.csv",
        csv_of(TICKETS).replace("app", "Gerät für").encode("cp1252"),
        {"input": "message", "target": "team", "copied": True},
    ),
    "utf-16": ("t.csv", csv_of(TICKETS).encode("utf-16"), {"input": "message", "target": "team", "metric": "label", "copied": True}),
    "no header": ("t.csv", csv_of(TICKETS, head=False), {"input": "column 2", "target": "column 3", "metric": "label", "copied": True}),
    "nested": (
        "t.jsonl",
        lines_of([{"ticket": {"text": t["message"], "meta": {"lang": "en"}}, "gold": {"team": t["team"]}} for t in TICKETS]),
        {"input": "ticket.text", "target": "gold.team", "metric": "label", "copied": True},
    ),
    "wrapped": ("t.json", json.dumps({"version": 1, "data": TICKETS}), {"input": "message", "target": "team", "copied": True}),
    "many labels": (
        "t.csv",
        csv_of([{"text": f"{TEXTS[n % N]} {n}", "intent": f"intent_{n % 77}"} for n in range(77 * 4)]),
        {"input": "text", "target": "intent", "metric": "label", "n_labels": 77},
    ),
    "messages": ("t.jsonl", lines_of(chats(False)), {"input": "messages", "target": "label", "metric": "label", "copied": False}),
    "messages with the last turn": ("t.jsonl", lines_of(chats(True)), {"input": "messages", "target": "last_turn", "metric": "label"}),
    "yes or no": (
        "t.csv",
        csv_of(rows(question=lambda n: f"Is {n} more than 30?", answer=lambda n: "yes" if n > 30 else "no")),
        {"input": "question", "target": "answer", "metric": "label", "kind": "yes or no"},
    ),
    "truth values": (
        "t.jsonl",
        lines_of(rows(text=lambda n: TEXTS[n], is_spam=lambda n: n % 2 == 0)),
        {"input": "text", "target": "is_spam", "metric": "label"},
    ),
    "numbers": (
        "t.csv",
        csv_of(rows(problem=lambda n: f"{n} apples and {n + 7} more: how many?", solution=lambda n: str(2 * n + 7))),
        {"input": "problem", "target": "solution", "metric": "number"},
    ),
    "several labels": (
        "t.csv",
        csv_of(rows(review=lambda n: TEXTS[n], topics=lambda n: ("price;speed", "speed", "price", "support;price;speed")[n % 4])),
        {"input": "review", "target": "topics", "metric": "listed", "n_labels": 3, "copied": True},
    ),
    "several right answers": (
        "t.jsonl",
        lines_of(rows(question=lambda n: f"Who is number {n}?", answers=lambda n: [f"Person{n}", f"Dr Person{n}"])),
        {"input": "question", "target": "answers", "metric": "word"},
    ),
    "free text": ("t.csv", csv_of(rows(mail=lambda n: TEXTS[n])), {"input": "mail", "target": None, "rubric": True}),
    "one column of names": ("t.csv", csv_of(rows(city=lambda n: f"City{n}")), {"input": "city", "target": None, "rubric": True}),
    "long references": (
        "t.csv",
        csv_of(rows(question=lambda n: TEXTS[n], reference=LONG.format)),
        {"input": "question", "target": "reference", "rubric": True},
    ),
    "long text": (
        "t.jsonl",
        lines_of(rows(article=lambda n: f"Report {n}. " + "The committee met and spoke. " * 400, category=lambda n: TEAMS[n % 3])),
        {"input": "article", "target": "category", "metric": "label"},
    ),
    "options": (
        "t.jsonl",
        lines_of(rows(question=lambda n: f"Which is {n}?", options=lambda n: [str(n), str(n + 1), str(n + 2)], answer=lambda n: n % 3)),
        {"input": "question", "target": "answer", "metric": "choice", "choices": "options", "target_is": "index"},
    ),
    "choices as a data set has them": (
        "t.jsonl",
        lines_of(
            rows(
                question=lambda n: f"Which, {n}?",
                choices=lambda n: {"text": ["a cat", "a dog"], "label": ["A", "B"]},
                answerKey=lambda n: "AB"[n % 2],
            )
        ),
        {"input": "question", "target": "answerKey", "metric": "choice", "target_is": "letter"},
    ),
    "lettered columns": (
        "t.csv",
        csv_of(
            rows(
                question=lambda n: f"Which, {n}?",
                A=lambda n: f"red {n}",
                B=lambda n: f"green {n}",
                C=lambda n: f"blue {n}",
                answer=lambda n: "ABC"[n % 3],
            )
        ),
        {"input": "question", "target": "answer", "metric": "choice", "choices": "listed options", "copied": True},
    ),
    "missing targets": (
        "t.csv",
        csv_of([{**t, "team": "" if n % 5 == 0 else t["team"]} for n, t in enumerate(TICKETS)]),
        {"target": "team", "n": 48, "copied": True},
    ),
    "duplicated rows": (
        "t.csv",
        csv_of([{"text": TEXTS[n % 20], "label": TEAMS[n % 20 % 3]} for n in range(N)]),
        {"target": "label", "note": "40 rows ask what another row asks"},
    ),
    "dates": (
        "t.csv",
        csv_of(rows(sentence=lambda n: f"It was day {n} of March.", answer=lambda n: f"2024-03-{n % 28 + 1:02}")),
        {"input": "sentence", "target": "answer", "kind": "a date"},
    ),
    "context": (
        "t.csv",
        csv_of(
            rows(
                context=lambda n: f"{TEXTS[n]} It cost {n} euros.",
                question=lambda n: f"What did it cost on day {n}?",
                answer=lambda n: f"{n} euros",
            )
        ),
        {"input": "question", "target": "answer", "shown": ["context"]},
    ),
    "grades": (
        "t.jsonl",
        lines_of(rows(input=lambda n: f"Which is it, {n}?", target_scores=lambda n: {"left": n % 2, "right": 1 - n % 2})),
        {"input": "input", "graded": "target_scores", "metric": "choice"},
    ),
    "hostile headers": (
        "t.csv",
        csv_of([{"{text}\n": t["message"], "=cmd|' /C calc'!A0": t["team"]} for t in TICKETS]),
        {"input": "text", "metric": "label", "copied": True},
    ),
    "two columns of one name": (
        "t.csv",
        "text,label,label\n" + csv_of([{"a": t["message"], "b": t["team"], "c": n} for n, t in enumerate(TICKETS)], head=False),
        {"target": "label"},
    ),
    "odd rows": ("t.csv", csv_of(TICKETS) + "x,y\n", {"target": "team", "n": 60, "copied": True}),
    "names of variables": (
        "t.csv",
        csv_of(rows(input=lambda n: TEXTS[n], labels=lambda n: TEAMS[n % 3])),
        {"input": "input", "target": "labels column", "metric": "label", "copied": True},
    ),
    "an instruction with an input": (
        "t.json",
        json.dumps(rows(instruction=lambda n: f"Shorten {n}", input=lambda n: TEXTS[n] * (n % 2), output=lambda n: f"Short {n}")),
        {"input": "instruction", "shown": ["input"], "target": "output", "n": 60},
    ),
    "objects as answers": (
        "t.jsonl",
        lines_of(rows(mail=lambda n: TEXTS[n], expected=lambda n: {"name": f"N{n}", "age": n})),
        {"input": "mail", "target": "expected", "kind": "JSON"},
    ),
    "numbers alone": ("t.csv", csv_of(rows(a=lambda n: n, b=lambda n: 2 * n)), {"input": "a", "target": "b", "metric": "number"}),
    "conversations by from and value": (
        "t.json",
        json.dumps([{"conversations": [{"from": "human", "value": TEXTS[n]}, {"from": "gpt", "value": TEAMS[n % 3]}]} for n in range(N)]),
        {"input": "conversations", "target": "last_turn", "metric": "label"},
    ),
    "turns by from and value with a label": (
        "t.json",
        json.dumps([{"conversations": [{"from": "human", "value": TEXTS[n]}], "label": TEAMS[n % 3]} for n in range(N)]),
        {"input": "conversations", "target": "label", "metric": "label", "copied": True},
    ),
    "titles above": (
        "t.csv",
        "Export of tickets;;\nMade by: Ann;;\n;;\n" + csv_of(TICKETS, ";"),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "a title without cells": (
        "t.csv",
        "Export of tickets, third quarter\n" + csv_of(TICKETS, ";"),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "an index without a name": (
        "t.csv",
        csv_of([{"": n, "message": TEXTS[n], "reply": f"Reply {n}"} for n in range(N)]),
        {"input": "message", "target": "reply", "n": N, "copied": True},
    ),
    "labels in several spellings": (
        "t.csv",
        csv_of(rows(text=lambda n: TEXTS[n], label=lambda n: ("Spam", "spam ", "HAM", "ham", "Spam", "ham")[n % 6])),
        {"target": "label", "metric": "label", "n_labels": 2, "copied": True},
    ),
    "numbers with a unit": (
        "t.csv",
        csv_of(rows(question=lambda n: f"How far is village {n}?", answer=lambda n: f"{1234 * n + 1001:,} km")),
        {"target": "answer", "metric": "number", "copied": False},
    ),
    "lists as Python prints them": (
        "t.csv",
        csv_of(rows(text=lambda n: TEXTS[n], tags=lambda n: str((["a", "b"], ["b"], ["c's"])[n % 3]))),
        {"target": "tags", "metric": "listed", "n_labels": 3, "copied": True},
    ),
    "conversations as Python prints them": (
        "t.csv",
        csv_of(rows(messages=lambda n: str([{"role": "user", "content": TEXTS[n]}]), label=lambda n: TEAMS[n % 3])),
        {"input": "messages", "target": "label", "copied": True},
    ),
    "lists of one answer": (
        "t.jsonl",
        lines_of(rows(question=lambda n: TEXTS[n], answers=lambda n: [TEAMS[n % 3]])),
        {"target": "answers", "metric": "label", "n_labels": 3, "copied": True},
    ),
    "sentences as answers": (
        "t.tsv",
        csv_of(rows(en=lambda n: TEXTS[n], de=lambda n: f"Das alte Haus {n} ist rot."), "\t"),
        {"input": "en", "target": "de", "rubric": True},
    ),
    "rows deep inside": (
        "t.json",
        json.dumps({"status": "ok", "result": {"page": 1, "tickets": TICKETS}}),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "lines in a file called json": ("t.json", lines_of(TICKETS), {"input": "message", "target": "team", "n": 60, "copied": True}),
    "lists of cells": (
        "t.json",
        json.dumps([["message", "team"], *([t["message"], t["team"]] for t in TICKETS)]),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "columns of a data frame": (
        "t.json",
        json.dumps({name: {str(n): t[name] for n, t in enumerate(TICKETS)} for name in TICKETS[0]}),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "a data frame split": (
        "t.json",
        json.dumps({"columns": [*TICKETS[0]], "index": [*range(N)], "data": [[*t.values()] for t in TICKETS]}),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "objects by name": (
        "t.json",
        json.dumps({f"q{n}": {"question": t["message"], "answers": [{"text": t["team"]}]} for n, t in enumerate(TICKETS)}),
        {"input": "question", "target": None, "rubric": True, "note": "'answers' holds lists of objects"},
    ),
    "braces in cells": (
        "t.csv",
        csv_of(rows(text=lambda n: f"{{team}} {{{{x}}}} {n} {{instruction}}", label=lambda n: ("{a}", "{b}")[n % 2])),
        {"target": "label"},
    ),
}


def started(folder: Path, name: str, content: str | bytes, wishes: Wishes = Wishes(), model: str = "sim/planted") -> Any:  # noqa: B008
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    made = starting.propose(starting.look(path), wishes)
    found = starting.start(made, model, folder)
    for file, text in found.files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return made, found


@pytest.mark.long(but=14)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_tables(shape: str, tmp_path: Path) -> None:
    name, content, wanted = SHAPES[shape]
    made, found = started(tmp_path, name, content)
    got = {
        "n": len(made.rows), "n_labels": len(made.labels), "copied": bool(made.copied), "rubric": bool(made.rubric),
        "note": next((note for note in found.notes if wanted.get("note", "\0") in note), "") and wanted.get("note"),
    }  # fmt: skip
    assert {key: got[key] if key in got else getattr(made, key) for key in wanted} == wanted, (made.copied, made.notes)
    study = resolve(tmp_path / found.experiment)
    own = load_own(tmp_path / "t_task.yaml", whole=True)
    assert [*check_task(own).gold] == [(), ()]
    assert len(own.task.items) == len(made.rows)
    assert (study.experiment.budget_usd, study.experiment.incumbent) == (2, "current")
    assert study.experiment.models[0].model == "sim/planted"
    small = (tmp_path / found.experiment).read_text(encoding="utf-8").replace("items: 60", "items: 8").replace("items: 300", "items: 8")
    (tmp_path / found.experiment).write_text(small, encoding="utf-8")
    done = promptlab.run(tmp_path / found.experiment, runs=tmp_path / "runs", cache="off", progress=False)
    assert done.state == "complete"
    assert set(done.trials().outcome) <= {"ok", "empty"}


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


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_excel_and_parquet(kind: str, tmp_path: Path) -> None:
    table = [{"Message Text": TEXTS[n], "Date": datetime.date(2024, 1, n % 28 + 1), "Team": TEAMS[n % 3]} for n in range(N)]
    path = tmp_path / f"t.{kind}"
    if kind == "xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for line in [list(table[0]), *(list(row.values()) for row in table)]:
            book.active.append(line)
        book.save(path)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(table), path)
    made, found = started(tmp_path, path.name, path.read_bytes())
    assert (made.input, made.target, made.metric) == ("Message Text", "Team", "label")
    assert "dates, which become text" in " ".join(made.copied)
    assert "{Message Text}" in found.files[found.experiment]
    assert len(resolve(tmp_path / found.experiment).design.tasks[0].items) == N


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_large_file_is_sampled(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [{"text": f"{TEXTS[n % N]} {n}", "label": TEAMS[n % 3]} for n in range(9000)]
    monkeypatch.setattr(looking, "READ_WHOLE", 100_000)
    content = csv_of(table) if kind == "csv" else lines_of(table)
    made, found = started(tmp_path, f"t.{kind}", content)
    assert made.looked.n_rows == 9000
    assert len(made.rows) == looking.SAMPLE
    assert len(found.files["t_items.jsonl"]) < len(content) / 3
    numbers = [int(row["text"].rsplit(" ", 1)[1]) for row in made.rows]
    assert numbers == sorted(numbers)
    assert 4000 < sum(numbers) / len(numbers) < 5000, "from the whole file, not from its beginning"
    monkeypatch.setattr(looking, "LARGEST", 1000)
    with pytest.raises(FileProblems, match="make a part of it a file of its own"):
        looking.look(tmp_path / f"t.{kind}")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", ",".join(f"c{n}" for n in range(10_000)) + "\n1\n", "10,000 cells"),
        ("t.jsonl", json.dumps({f"c{n}": n for n in range(10_000)}), "10,000 columns"),
        ("t.csv", "", "the file is empty"),
        ("t.csv", "text,label\n", "holds no rows"),
        ("t.csv", 'text,label\n"open,1\n', "a quote that is opened must be closed"),
        ("t.csv", "a,b\n" + "1;2;3,4,5\n" * 5, "most rows do not have the 2 cells"),
        ("t.json", "[1, 2]", "expected a list of objects"),
        ("t.json", "[" * 5000, "nested too deeply"),
        ("t.jsonl", "no\nno\n", "not JSON lines"),
        ("t.xls", "x", "save it as .xlsx"),
        ("t.pdf", "x", "are not read; known: .csv"),
        ("t.csv", "text,label\nx,\n,b\n", "no row has both"),
        ("t.csv", b"\x00\x81\x8d\xff" * 100, "."),
    ],
)
def test_what_cannot_be_is_told_in_words(name: str, content: str | bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(PromptlabError, match=told):
        started(tmp_path, name, content)


def test_wishes_are_heard_and_checked(tmp_path: Path) -> None:
    table = csv_of([{**t, "urgency": ["high", "low"][n % 2]} for n, t in enumerate(TICKETS)])
    made, _ = started(tmp_path, "t.csv", table)
    assert (made.target, any("'urgency' (--target)" in note for note in made.notes)) == ("team", True)
    assert started(tmp_path, "t.csv", table, Wishes(target="urgency"))[0].target == "urgency"
    assert started(tmp_path, "t.csv", table, Wishes(input="id", metric="word"))[0].metric == "word"
    with pytest.raises(UsageProblem, match="no column 'urgent'; did you mean 'urgency'"):
        started(tmp_path, "t.csv", table, Wishes(target="urgent"))


@pytest.mark.parametrize("model", ["openai/nobody-knows", "openai/gpt-4o-mini"])
def test_a_budget_only_where_the_price_is_known(model: str, tmp_path: Path) -> None:
    _, found = started(tmp_path, "t.csv", csv_of(TICKETS), model=model)
    assert resolve(tmp_path / found.experiment).experiment.budget_usd == (2 if "4o" in model else None)


def test_free_text_is_planned_where_the_judge_is_the_model_under_test(tmp_path: Path) -> None:
    _, found = started(tmp_path, "t.csv", csv_of(rows(mail=lambda n: TEXTS[n])), model="openai/gpt-4o-mini")
    study = resolve(tmp_path / found.experiment)
    assert ([m.name for m in study.design.models], [m.name for m in study.judges]) == (["openai/gpt-4o-mini"], ["judge"])


@pytest.mark.parametrize(
    ("keys", "model", "wanted", "judge", "said"),
    [
        (("OPENAI_API_KEY",), "openai/gpt-4o-mini", None, "openai/gpt-4o-mini", "of the tested model's family"),
        (("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "openai/gpt-4.1", None, "anthropic/claude-haiku-4-5", "the judge is anthropic/"),
        (("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "anthropic/claude-sonnet-4-5", None, "openai/gpt-4o-mini", "the judge is openai/"),
        ((), "openai/gpt-4.1", "openai/o3-mini", "openai/o3-mini", "of the tested model's family"),
        (("OPENAI_API_KEY",), "openai/gpt-4o-mini", "mistral/mistral-large", "mistral/mistral-large", "the judge is mistral/"),
    ],
)
def test_a_judge_is_of_another_family_where_one_is_known(
    keys: tuple[str, ...], model: str, wanted: str | None, judge: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in starting.MODELS:
        monkeypatch.delenv(key, raising=False)
    for key in keys:
        monkeypatch.setenv(key, "sk-test")
    made, [note] = starting.judge_of(model, wanted)
    assert made == {"model": judge, "name": "judge"}
    assert said in note
    assert starting.judge_of("sim/essays") == ("sim/reader", [])


@pytest.mark.long
def test_a_judge_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "mails.csv").write_text(csv_of(rows(mail=lambda n: TEXTS[n])))
    wish = ("init", "mails.csv", "--yes", "--rubric", "It is kind.", "--model", "sim/essays", "--judge", "sim/reader_of_length")
    done = run(*wish, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sim/reader_of_length" in (tmp_path / "mails_task.yaml").read_text()
    (tmp_path / "teams.csv").write_text(csv_of(TICKETS))
    done = run("init", "teams.csv", "--yes", "--judge", "sim/reader", cwd=tmp_path)
    assert (done.returncode, "--judge is for answers" in done.stderr) == (2, True), done.stderr


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "my tickets; rm -rf.csv").write_text(csv_of(TICKETS), encoding="utf-8")
    done = run("init", "my tickets; rm -rf.csv", "--model", "sim/factors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "right answer:  team: one of 3 labels" in done.stdout
    assert done.stdout.count("--- item ") == 3
    assert "Cost" in done.stdout
    assert "next: read and change my_tickets_rm_-rf.yaml" in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["my tickets; rm -rf.csv", "my_tickets_rm_-rf.yaml", "my_tickets_rm_-rf_task.yaml"]
    (tmp_path / "my_tickets_rm_-rf.yaml").write_text("mine", encoding="utf-8")
    again = run("init", "my tickets; rm -rf.csv", "--yes", cwd=tmp_path)
    assert (again.returncode, (tmp_path / "my_tickets_rm_-rf.yaml").read_text(encoding="utf-8")) == (2, "mine")
    assert "nothing was written" in again.stderr
    forced = run("init", "my tickets; rm -rf.csv", "--force", "--model", "sim/factors", cwd=tmp_path)
    assert forced.returncode == 0, forced.stderr
    assert run("check", "my_tickets_rm_-rf.yaml", cwd=tmp_path).returncode == 0
    both = run("init", "my tickets; rm -rf.csv", "--example", "quickstart", cwd=tmp_path)
    assert (both.returncode, "name one thing" in both.stderr) == (2, True)


@pytest.mark.parametrize("example", [path.stem for path in sorted((ROOT / "experiments").glob("*.yaml"))])
def test_examples_bring_the_files_that_they_name(example: str, tmp_path: Path) -> None:
    for name, text in starting.example_files(ROOT / "experiments" / f"{example}.yaml").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    if example not in ("replay", "dspy_program", "all_tasks_official"):
        assert resolve(tmp_path / f"{example}.yaml").experiment.name
    assert (tmp_path / "sum_program.py").exists() == (example == "dspy_program")


def test_an_example_by_the_command(tmp_path: Path) -> None:
    assert run("init", "--example", "own_task", cwd=tmp_path).returncode == 0
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")) == ["own/tickets.csv", "own/tickets.yaml", "own_task.yaml"]
    wrong = run("init", "--example", "quikstart", cwd=tmp_path)
    assert (wrong.returncode, "did you mean 'quickstart'" in wrong.stderr) == (2, True)


def test_a_configuration_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    from promptlab.importers.promptfoo_config import converted

    (tmp_path / "secret.txt").write_text("secret {{q}}", encoding="utf-8")
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "promptfooconfig.yaml"
    for text in ("prompts: ['file://../secret.txt']", "prompts: ['{{q}}']\ntests: [{vars: {q: 'file://../secret.txt'}}]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(FileProblems, match="outside of its folder"):
            converted(path, None, "sim/factors")


def test_prompts_and_sentences_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text(csv_of(TICKETS), encoding="utf-8")
    (tmp_path / "today.txt").write_text("Team of {message}? One of {labels}", encoding="utf-8")
    (tmp_path / "expert v2.md").write_text("You know. {message}: {labels}", encoding="utf-8")
    (tmp_path / "lines.txt").write_text("Take care.\n\nIt matters to me.\nTake care.\nThink: {message}\n", encoding="utf-8")
    given = ["--prompt", "today.txt", "--prompt", "expert v2.md", "--sentences", "lines.txt", "--model", "sim/factors", "--into", "new"]
    done = run("init", "tickets.csv", *given, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    study = resolve(tmp_path / "new" / "tickets.yaml")
    assert (list(study.prompts), study.experiment.incumbent) == (["today", "expert_v2"], "today")
    texts = {arm.stimulus.text for arm in study.design.arms if arm.stimulus and arm.stimulus.role == "stimulus"}
    assert texts == {"Take care.", "It matters to me.", "Think: {message}"}


@pytest.mark.parametrize(("sentences", "prompts"), [(True, ["plain"]), (False, ["plain", "plain-2"])])
def test_one_prompt_is_the_one_in_use(sentences: bool, prompts: list[str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(csv_of(TICKETS), encoding="utf-8")
    (tmp_path / "plain.txt").write_text("Team of {message}? One of {labels}", encoding="utf-8")
    (tmp_path / "lines.txt").write_text("Take care.\n", encoding="utf-8")
    given = Given(prompts=[tmp_path / "plain.txt"], sentences=tmp_path / "lines.txt" if sentences else None)
    found = starting.start(starting.propose(starting.look(tmp_path / "t.csv")), "sim/factors", tmp_path, given)
    for file, text in found.files.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    study = resolve(tmp_path / found.experiment)
    assert (list(study.prompts), study.experiment.incumbent) == (prompts, "plain")


def test_the_page_is_short_and_its_files_work(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    assert len(page.split()) <= 600
    commands = page.split("```console\n")[1].split("```")[0].strip().splitlines()
    assert len(commands) <= 5
    library = page.split("# sentences.yaml\n")[1].split("```")[0]
    (tmp_path / "sentences.yaml").write_text(library, encoding="utf-8")
    (tmp_path / "tickets.csv").write_text(csv_of(TICKETS), encoding="utf-8")
    done = run("init", "tickets.csv", "--sentences", "sentences.yaml", "--model", "sim/factors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stimuli = {arm.stimulus.id for arm in resolve(tmp_path / "tickets.yaml").design.arms if arm.stimulus}
    assert {"ours/care", "ours/stakes"} <= stimuli


def test_a_dataset_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "0.parquet"
    pq.write_table(pa.Table.from_pylist(TICKETS), path)
    monkeypatch.setattr(looking, "dataset_splits", lambda *_: [("de", "test"), ("default", "train"), ("default", "validation")])
    monkeypatch.setattr(looking, "dataset_files", lambda *_, **__: ([path], "a" * 40))
    looked = starting.dataset("team/tickets", None, None)
    assert (looked.where, len(looked.rows)) == ({"config": "default", "split": "validation"}, N)
    found = starting.start(starting.propose(looked), "sim/factors", tmp_path)
    assert (found.name, "items: hf:team/tickets" in found.files["tickets_task.yaml"].replace('"', "")) == ("tickets", True)
    assert "split: validation" in found.files["tickets_task.yaml"]
    assert starting.dataset("team/tickets", "de", None).where == {"config": "de", "split": "test"}


@pytest.mark.long
def test_questions_only_on_a_terminal(tmp_path: Path) -> None:
    import pty
    import subprocess
    import sys

    (tmp_path / "t.csv").write_text(csv_of([{**t, "urgency": ["high", "low"][n % 2]} for n, t in enumerate(TICKETS)]), encoding="utf-8")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "promptlab", "init", "t.csv", "--model", "sim/factors"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, b"\nurgency\nHow urgent is this? One of: {labels}\n")
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the terminal's other end is closed
        pass
    assert process.wait(60) == 0, shown.decode()
    assert b"Which column holds the input? [message]" in shown
    assert "target: urgency" in (tmp_path / "t_task.yaml").read_text(encoding="utf-8")
    assert "How urgent is this? One of: {labels}" in (tmp_path / "t.yaml").read_text(encoding="utf-8")
