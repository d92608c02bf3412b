"""`promptlab init` as a command: wishes, judges, prompts, sentences, examples, and questions on a terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conftest import ROOT
from promptlab.nouns import UsageProblem
from promptlab.planning.resolve import resolve
from promptlab.sources import starting
from promptlab.sources.starting import Given, Wishes
from runs import run
from sheets import TEXTS, TICKETS, csv_of, rows, started


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


def test_a_metric_that_is_not_there_writes_nothing(tmp_path: Path) -> None:
    rows = "".join(f"a text {n},{'up' if n % 2 else 'down'}\n" for n in range(30))
    (tmp_path / "t.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    done = run("init", "t.csv", "--metric", "lable", "--yes", "--force", cwd=tmp_path)
    assert done.returncode == 2
    assert "the metric 'lable' is not known; did you mean 'label'?" in done.stderr
    assert "init t.csv --metric label --yes --force" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    done = run("sweep", "t.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "init t.csv" in done.stderr
