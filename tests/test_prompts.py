"""Whole prompts: what is sent of them, byte for byte; what is wrong with one; and that the better one is found."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import runs
from promptlab import api
from promptlab.design.cross import draw
from promptlab.design.render import render
from promptlab.explorer import cost, pairs
from promptlab.explorer.filters import Filters
from promptlab.nouns import AA_ARM
from promptlab.nouns.errors import FileProblems, UsageProblem
from promptlab.planning.audit import MATCHES, audit
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.reporting import build, reliability
from promptlab.reporting.arm_names import baseline_named
from promptlab.reporting.planned import measured
from promptlab.reporting.prepared import Store
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.sources.spec.strict_yaml import written as as_yaml
from servers import Server
from tickets import answering, tickets, written

EXPERIMENT = """name: tickets
question: Which prompt should we ship?
task_files: [tickets.yaml]
tasks: [tickets]
models:
  - {model: openai/ok, name: m, api_base: '%s'}
items: 120
sampling: {temperature: 0, max_tokens: 20}
prompts:
  current: {file: current.md}
  expert:
    - {role: system, content: "You are a senior support agent."}
    - {role: user, content: "Classify the ticket of {customer}.\\nTicket: {text}\\nOne of: {labels}"}
incumbent: current
"""
CURRENT = "Which queue gets this?\n{text}\nAnswer with one of {labels}.\n"


def here(folder: Path, text: str = EXPERIMENT % "http://127.0.0.1:9", rows: list[dict[str, str]] | None = None, more: str = "") -> Path:
    """An experiment about tickets in a folder."""
    written(folder, rows or tickets())
    (folder / "current.md").write_text(CURRENT, encoding="utf-8")
    path = folder / "e.yaml"
    path.write_text(text + more, encoding="utf-8")
    return path


def swept(path: Path) -> Run:
    return Run(run_sweep(resolve(path), path.parent / "runs", None, Execution(8), lambda progress: None).folder)


def sent(study: Study, prompt: str, arm: str = "none", place: int = 0) -> list[dict[str, str]]:
    """The messages of one arm about one item."""
    [task] = study.design.tasks
    chosen = next(a for a in study.design.arms if a.name == arm and a.setting.prompt == prompt)
    return [dict(message) for message in render(task, task.items[place], chosen)]


def test_the_better_prompt_is_found_on_a_server_with_known_accuracies(tmp_path: Path, server: Server) -> None:
    rows = tickets()
    server.says = answering(rows, lambda said: 0.8 if "senior" in said else 0.725)
    run = swept(here(tmp_path, EXPERIMENT % server.url, rows))
    trials = run.trials()
    assert trials.groupby(["base_prompt", "arm"]).size().to_dict() == {
        ("current", "none"): 120, ("current", AA_ARM): 120, ("expert", "none"): 120,
    }  # fmt: skip
    scores = trials.groupby("base_prompt")["score"].mean()
    assert dict(scores) == pytest.approx({"current": 0.725, "expert": 0.8})
    assert {check.what: check.says for check in audit(run) if check.says != MATCHES} == {}
    [found] = [c for c in build(run).comparisons if c.scope == "prompt" and c.task is None]
    assert (found.treatment, found.control, found.verdict) == ("expert", "current", "helps")
    assert found.diff == pytest.approx(0.075)
    costs_by_prompt(Store.of(run.folder))


def costs_by_prompt(store: Store) -> None:
    """The pages Cost and Plan keep the prompts apart, and start from the incumbent."""
    shown = {table.title: table.frame for table in cost.tables(store, Filters({}))}
    rows = shown["What a right answer costs"].set_index("arm")
    assert {arm: (rows["trials"][arm], rows["right answers"][arm]) for arm in rows.index} == {
        "current": ("120", "87"), "current, again": ("120", "87"), "expert": ("120", "96"),
    }  # fmt: skip
    for title in ("Tokens and time", "Missing answers", "Form of the answers"):
        assert list(shown[title]["arm"]) == list(rows.index), title
    [sentence] = reliability.uneven(
        reliability.by_arm(store, reliability.sums_of(store), "m", next(iter(store.settings.values()))), baseline_named(store)
    )
    assert "No arm differs from current " in sentence
    assert measured(store, "m").accuracy == pytest.approx(72.5), "the incumbent alone, not the mean of both prompts"


def test_what_a_sentence_does_with_each_prompt_is_not_averaged(tmp_path: Path, server: Server) -> None:
    rows = tickets()

    def accuracy(said: str) -> float:
        added = "Believe" in said
        return (0.85 if added else 0.6) if "senior" in said else (0.56 if added else 0.7)

    server.says = answering(rows, accuracy)
    run = swept(here(tmp_path, EXPERIMENT % server.url, rows, "stimuli: [emotionprompt/EP07]\n"))
    report = build(run)
    by = {c.contrast.name if c.contrast else "": c for c in report.comparisons if c.scope == "by_prompt"}
    points = {name: round(100 * (c.diff or 0)) for name, c in by.items() if c.control == "none"}
    assert sorted(points.values()) == [-14, 25], points
    [depends] = [c for c in report.comparisons if c.scope == "interaction" and "none" in c.family]
    assert abs(100 * (depends.diff or 0)) == pytest.approx(39, abs=1)
    assert depends.verdict in ("helps", "hurts")


PIECES = (
    "{", "}", "{{", "}}", "{}", "{ }", "{0}", '{"a": {"b": [1]}}', "{% if x %}", "{{ user.name }}", "{# no #}", "$text", "${text}",
    "\\", "\\n", "\\{text\\}", "%s", "\r\n", "\n", "\t", " ",
    "שלום", "مرحبا", "\u202eabc\u202c", "é", "e\u0301", "🙂", "<|im_start|>", "'", '"',
    "{text}}", "Ünï", "\u00a0", "{labels", "a" * 500,
)  # fmt: skip


def noise(rng: random.Random, n: int = 12) -> str:
    """Text of which nothing is a variable of these prompts."""
    return (
        "x"
        + "".join(rng.choice(PIECES) for _ in range(n))
        .replace("{text}}", "{te xt}}")
        .replace("${text}", "${te xt}")
        .replace("{labels}", "{labe ls}")
        + "y"
    )


@pytest.mark.parametrize("seed", range(8))
def test_text_is_sent_byte_for_byte(seed: int, tmp_path: Path, server: Server) -> None:
    rng = random.Random(seed)
    bodies = {name: [noise(rng, 4), noise(rng), noise(rng)] for name in ("a", "b", "c")}
    rows = [{"text": f"{n}{noise(rng)}{{text}}{{other}}{{labels}}", "other": noise(rng), "queue": "billing"} for n in range(3)]
    if seed == 0:
        bodies["a"][1], rows[0]["text"] = "p\r\n{}" * 40_000, "{text}\\$" * 25_000
    prompts: dict[str, Any] = {}
    for name, (before, between, after) in bodies.items():
        text = f"{before}{{text}}{between}{{{{ other }}}}{after}{{text}}"
        unknown = {"literal": ["user.name", "te xt"]}
        if name == "a":
            prompts[name] = {"text": text, **unknown}
        elif name == "b":
            prompts[name] = {"messages": [{"role": "system", "content": after}, {"role": "user", "content": text}], **unknown}
        else:
            (tmp_path / "c.txt").write_bytes(text.encode())
            prompts[name] = {"file": "c.txt", **unknown}
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    task = "items: t.jsonl\ncolumns: {input: text, target: queue}\nlabels: [billing, bug]\nmetric: choice\n"
    (tmp_path / "t.yaml").write_text(task, encoding="utf-8")
    value = {
        "name": "bytes", "question": "Is it sent as it is?", "task_files": ["t.yaml"], "tasks": ["t"], "items": 3, "prompts": prompts,
        "models": [{"model": "openai/ok", "name": "m", "api_base": server.url}],
    }  # fmt: skip
    (tmp_path / "e.yaml").write_text(as_yaml(value), encoding="utf-8")
    server.says = lambda messages: "billing"
    run = swept(tmp_path / "e.yaml")
    asked = {json.dumps(body["messages"]) for body in server.requests}
    expected = set()
    for row in rows:
        for name, (before, between, after) in bodies.items():
            messages = [{"role": "user", "content": before + row["text"] + between + row["other"] + after + row["text"]}]
            expected.add(json.dumps([{"role": "system", "content": after}, *messages] if name == "b" else messages))
    assert asked == expected
    assert {json.dumps(json.loads(messages)) for messages in run.calls()["messages"]} == expected, "and recorded as it was sent"


def test_demonstrations_are_turns_or_stand_where_the_prompt_says(tmp_path: Path) -> None:
    more = "vary: {shots: [0, 2]}\n"
    study = resolve(here(tmp_path, more=more))
    [task] = study.design.tasks
    arm = next(a for a in study.design.arms if a.setting.prompt == "expert" and a.setting.shots == 2)
    messages = render(task, task.items[0], arm)
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[2]["content"] == task.demos[0].output
    for message, row in zip(messages[1::2], (*task.demos, task.items[0]), strict=True):
        customer = row.columns["customer"]
        assert message["content"] == f"Classify the ticket of {customer}.\nTicket: {row.input}\nOne of: billing, bug, account, other"
    text = (EXPERIMENT % "http://127.0.0.1:9").replace("incumbent", '  third: "{demos}Ticket: {text}"\nincumbent')
    study = resolve(here(tmp_path, text, more=more))
    [task] = study.design.tasks
    arm = next(a for a in study.design.arms if a.setting.prompt == "third" and a.setting.shots == 2)
    shown = "".join(f"Input: {demo.input}\nOutput: {demo.output}\n\n" for demo in task.demos)
    assert [m["content"] for m in render(task, task.items[0], arm)] == [f"{shown}Ticket: {task.items[0].input}"]


def test_where_an_added_text_goes(tmp_path: Path) -> None:
    more = "stimuli: [emotionprompt/EP02]\nplacements: [end, start, system]\ncontrols: {placebos: matched, per_stimulus: 1}\n"
    study = resolve(here(tmp_path, more=more))
    [task] = study.design.tasks
    text = "This is very important to my career."
    for arm in study.design.arms:
        if arm.name != "emotionprompt/EP02":
            continue
        plain = next(a for a in study.design.arms if a.name == "none" and a.setting == arm.setting)
        without, said = render(task, task.items[0], plain), render(task, task.items[0], arm)
        last = without[-1]["content"]
        if arm.setting.placement == "system":
            assert said[1:] == without[-len(said) + 1 :]
            assert said[0]["content"] == (f"{without[0]['content']} {text}" if arm.setting.prompt == "expert" else text)
        else:
            assert said[-1]["content"] == (f"{last} {text}" if arm.setting.placement == "end" else f"{text} {last}")
            assert said[:-1] == without[:-1]
    placebos = {arm.name for arm in study.design.arms if arm.role == "placebo"}
    assert placebos, "sentences have placebos"
    assert [a.setting.prompt for a in study.design.arms if a.role == "aa"] == ["current"], "the incumbent alone is asked again"


def test_a_column_may_hold_a_conversation(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "It is {text}."}, {"role": "assistant", "content": "What is?"}, {"role": "user", "content": "{x}"}]
    rows = [{"talk": chat, "queue": "billing"}, {"talk": chat[2:], "queue": "bug"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "t.yaml").write_text("items: t.jsonl\ncolumns: {input: talk, target: queue}\nmetric: text\n", encoding="utf-8")
    head = "name: talk\nquestion: Q?\ntask_files: [t.yaml]\ntasks: [t]\nmodels: [sim/null]\nprompts:\n"
    prompts = "  a: ['{talk}']\n  b: [{role: system, content: Be kind.}, '{talk}', {role: assistant, content: 'Queue:'}]\n"
    (tmp_path / "e.yaml").write_text(head + prompts, encoding="utf-8")
    study = resolve(tmp_path / "e.yaml")
    for place, item in enumerate(study.design.tasks[0].items):
        own = chat if item.targets == ("billing",) else chat[2:]
        assert sent(study, "a", place=place) == own
        assert sent(study, "b", place=place) == [
            {"role": "system", "content": "Be kind."},
            *own,
            {"role": "assistant", "content": "Queue:"},
        ]
    (tmp_path / "e.yaml").write_text(head + "  a: ['{talk}']\n  b: 'About {talk}'\n", encoding="utf-8")
    with pytest.raises(FileProblems, match=r"the column 'talk' holds messages; write '\{talk\}' alone"):
        resolve(tmp_path / "e.yaml")
    (tmp_path / "t.jsonl").write_text(json.dumps({"talk": "no list", "queue": "bug"}) + "\n", encoding="utf-8")
    (tmp_path / "e.yaml").write_text(head + "  a: ['{talk}']\n  b: ['{talk}']\n", encoding="utf-8")
    with pytest.raises(FileProblems, match="item 1: the column 'talk' must hold a list of messages"):
        resolve(tmp_path / "e.yaml")


@pytest.mark.parametrize(
    ("prompt", "line", "said"),
    [
        ("{txet} {labels}", 10, r"\{txet\} is no variable of the task 'own/tickets': .*'text'"),
        ("{text} {Label}", 10, r"\{Label\} is no variable.*'labels'"),
        ("{{ txt }} {text}", 10, r"\{txt\} is no variable"),
        ("{text} of {queue}", 10, r"\{queue\} is the right answer of each item"),
        ("Name a queue: {labels}", 10, r"it never shows the input of the task 'own/tickets'; write \{text\} or \{input\}"),
        ("{instruction} {text}", 10, r"\{instruction\} is the base prompt of a task, and 'own/tickets' has none"),
    ],
)
def test_a_wrong_variable_has_its_line_and_a_near_name(prompt: str, line: int, said: str, tmp_path: Path) -> None:
    text = (EXPERIMENT % "http://127.0.0.1:9").replace("{file: current.md}", json.dumps(prompt))
    path = here(tmp_path, text)
    with pytest.raises(FileProblems, match=said) as error:
        resolve(path)
    assert [(p.file, p.line) for p in error.value.problems] == [(path, line)]


def test_a_wrong_variable_in_a_file_or_block_has_its_line_there(tmp_path: Path) -> None:
    path = here(tmp_path)
    (tmp_path / "current.md").write_text("One.\nTwo {text}.\nThree {lables}.\n", encoding="utf-8")
    with pytest.raises(FileProblems) as error:
        resolve(path)
    assert [(p.file, p.line) for p in error.value.problems] == [(tmp_path / "current.md", 3)]
    block = "|\n    First {text}\n    then {custmer}\n"
    path = here(tmp_path, (EXPERIMENT % "http://127.0.0.1:9").replace("{file: current.md}\n", block))
    with pytest.raises(FileProblems) as error:
        resolve(path)
    assert [(p.file, p.line) for p in error.value.problems] == [(path, 12)]


def test_words_that_are_text_and_double_braces(tmp_path: Path) -> None:
    prompt = '{text: "Fill {name} in {{text}}: {text} {\\"k\\": 1}", literal: [name]}'
    study = resolve(here(tmp_path, (EXPERIMENT % "http://127.0.0.1:9").replace("{file: current.md}", prompt)))
    item = study.design.tasks[0].items[0]
    assert sent(study, "current") == [{"role": "user", "content": f'Fill {{name}} in {item.input}: {item.input} {{"k": 1}}'}]
    assert any("double braces" in note for note in study.notes)


CHATS = {
    "p.json": json.dumps([{"role": "system", "content": "Be {{text}}"}, {"role": "user", "content": "Now {{ text }}"}]),
    "p.yaml": "- {role: system, content: 'Be {text}'}\n- role: user\n  content: Now {text}\n",
    "messages.yaml": "messages:\n  - {role: system, content: 'Be {text}'}\n  - {role: user, content: 'Now {text}'}\n",
    "parts.json": json.dumps(
        [
            {"role": "system", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "{text}"}]},
            {"role": "user", "content": "Now {text}"},
        ]
    ),
}


@pytest.mark.parametrize("name", CHATS)
def test_chats_are_read_from_files(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(CHATS[name], encoding="utf-8")
    study = resolve(here(tmp_path, (EXPERIMENT % "http://127.0.0.1:9").replace("current.md", name)))
    said = study.design.tasks[0].items[0].input
    assert sent(study, "current") == [{"role": "system", "content": f"Be {said}"}, {"role": "user", "content": f"Now {said}"}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.json", "[1]", "expected a list of messages"),
        ("p.json", "{", "not JSON"),
        ("p.json", '[{"role": "robot", "content": "{text}"}]', "expected a list of messages"),
        ("p.yaml", "a: b\n", "expected a list of messages"),
        ("p.txt", "  \n", "the file is empty"),
        ("p.docx", "{text}", "a prompt is a file that ends in .txt, .md"),
        ("p.md", None, "there is no such file"),
    ],
)
def test_files_that_are_no_prompt(name: str, content: str | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(FileProblems, match=said) as error:
        resolve(here(tmp_path, (EXPERIMENT % "http://127.0.0.1:9").replace("current.md", name)))
    assert error.value.problems[0].file == tmp_path / (name if content is not None else "e.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("incumbent: current", "incumbent: curent"), "the prompt 'curent' is not known; did you mean 'current'"),
        (("incumbent: current", "incumbent: current\nbase_prompts: [human]"), "leave one of the two out"),
        (("incumbent: current", "incumbent: current\ninteractions: [[prompt, shots]]"), "'shots' is no factor here"),
        (("{file: current.md}", "{file: current.md, text: x}"), "a prompt is one of"),
        (("{file: current.md}", "{file: current.md, paraphrase_of: exper}"), "the prompt 'exper' is not known"),
        (("incumbent: current", "vary: {shots: [0, 2]}\nshots: 2"), "shots are written twice"),
        (("incumbent: current", "placements: [{name: x, template: '{instruction}{demos}{input}'}]"), "leave 'template' out"),
    ],
)
def test_what_does_not_fit_together(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match=said):
        resolve(here(tmp_path, (EXPERIMENT % "http://127.0.0.1:9").replace(*change)))


def test_another_text_is_another_run_and_unused_columns_are_not(tmp_path: Path) -> None:
    first = resolve(here(tmp_path)).run_id
    (tmp_path / "current.md").write_text(CURRENT + " ", encoding="utf-8")
    assert resolve(tmp_path / "e.yaml").run_id != first
    rows = [{**row, "note": "new"} for row in tickets()]
    assert resolve(here(tmp_path, rows=rows)).run_id == first, "a column that no prompt uses"
    rows = [{**row, "customer": "another"} for row in tickets()]
    assert resolve(here(tmp_path, rows=rows)).run_id != first


def test_the_plan_holds_the_prompts_and_what_is_compared(tmp_path: Path) -> None:
    plan = make_plan(resolve(here(tmp_path, more="vary: {shots: [0, 2], temperature: [0.0, 0.7]}\n")))
    assert [p.name for p in plan.prompts] == ["current", "expert"] == list(plan.base_prompts)
    assert (plan.prompts[0].messages, plan.incumbent) == (({"role": "user", "content": CURRENT},), "current")
    shots, temperature = plan.factors
    assert (shots.name, shots.levels, shots.reference) == ("shots", ("0", "2"), "0")
    assert (temperature.name, temperature.levels) == ("temperature", ("0", "0.7"))
    assert shots.of == {setting.id: str(setting.shots) for setting in plan.settings}


def test_drawing_keeps_the_columns_of_demonstrations(tmp_path: Path) -> None:
    from promptlab.sources.own import load_own

    written(tmp_path, tickets())
    task = draw(load_own(tmp_path / "tickets.yaml", whole=True).task, 20, 3, 1)
    assert all(demo.columns["text"] == demo.input for demo in task.demos)


def test_two_prompts_are_compared_item_by_item_with_all_messages(tmp_path: Path, server: Server) -> None:
    rows = tickets()
    server.says = answering(rows, lambda said: 0.8 if "senior" in said else 0.725)
    folder = swept(here(tmp_path, EXPERIMENT % server.url, rows)).folder
    done = runs.run("compare", str(folder), "--arm", "current", "--against", "expert", "--examples", "1")
    assert done.returncode == 0, done.stderr
    for words in ("9 items changed", "system: You are a senior support agent.", "Which queue gets this?", "+7.5"):
        assert words in done.stdout, words
    assert f"first:         {folder.name} m current\n" in done.stdout, "named as reports name it"
    assert f"second:        {folder.name} m expert\n" in done.stdout
    scores = runs.run("scores", str(folder))
    rows_of = [[cell.strip() for cell in line.split("│")[1:3]] for line in scores.stdout.splitlines() if line.startswith("│")]
    assert sorted(rows_of) == [["m", "current"], ["m", "expert"]]
    found = api.compare(folder, "current", "expert")
    assert (found.n_changed, {(c.score_a, c.score_b) for c in found.changed}) == (9, {(0.0, 1.0)})
    with pytest.raises(UsageProblem, match="did you mean 'expert'"):
        api.compare(folder, "current", "experts")
    tables = {table.title: table for table in pairs.tables(Store.of(folder), Filters({}))}
    assert list(tables["Verdict in all tasks"].frame["verdict"]) == ["▲ helps"]
    assert "You are a senior support agent." in set(tables["A: What was sent"].frame["text"])
    assert all("senior" not in text for text in tables["B: What was sent"].frame["text"])
