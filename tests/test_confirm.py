"""Screen and confirm: some items choose arms, the others alone judge them; whatever happens to the sweep in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runs
from promptlab.design.cross import screened, trials
from promptlab.nouns import Item, Task
from promptlab.nouns.errors import FileProblems
from promptlab.planning.plan import make_plan
from promptlab.planning.rebuilt import problems
from promptlab.planning.resolve import resolve
from promptlab.planning.study import as_recorded
from promptlab.record.store import Run
from promptlab.reporting import build, to_html, to_json, to_markdown
from promptlab.reporting.gate import gate
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, arun_sweep, run_sweep
from promptlab.stats import Screening

TEXTS = """
name: texts
question: Does any of these sentences help?
tasks: [sum, antonyms, larger_animal]
models: [sim/planted]
stimuli: [emotionprompt/EP02, emotionprompt/EP03, emotionprompt/EP04, emotionprompt/EP05]
controls: {per_stimulus: 1}
items: 50
confirm: 0.5
seed: 3
"""
PROMPTS = """
name: prompts
question: Which prompt?
tasks: [sentiment]
models: [sim/null]
prompts: {current: "{instruction}\\n{input}", second: "Now: {instruction}\\n{input}", third: "So: {instruction}\\n{input}",
  fourth: "Do: {instruction}\\n{input}"}
items: 60
confirm: 0.5
seed: 3
"""


def swept(folder: Path, text: str, name: str = "runs", **how: Any) -> Sweep:
    path = folder / "confirm.yaml"
    path.write_text(text, encoding="utf-8")
    return run_sweep(resolve(path), folder / name, folder / "cache", Execution(**how), lambda _: None)


def of_items(name: str, items: tuple[Item, ...], source: str = "") -> Task:
    return Task(name=name, suite="own", benchmark="own", metric="exact", strict="", base_prompts={}, items=items, source=source)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_parts_keep_clusters_whole_and_every_item_once(clusters: list[int | None], share: float) -> None:
    items = tuple(Item(f"i{n}", str(n), ("a",), (), None if c is None else f"c{c}") for n, c in enumerate(clusters))
    [(task, n)] = screened([of_items("t", items)], share)
    first, rest = task.items[:n], task.items[n:]
    assert sorted(item.id for item in (*first, *rest)) == sorted(item.id for item in items)
    assert not {item.cluster for item in first if item.cluster} & {item.cluster for item in rest if item.cluster}
    largest = max([1, *(clusters.count(c) for c in set(clusters) if c is not None)])
    assert abs(len(rest) - share * len(items)) <= largest


def test_items_that_ask_the_same_are_not_on_both_sides(tmp_path: Path) -> None:
    """Also where they differ in case and space, and where somebody put them into different clusters."""
    texts = [text for n in range(30) for text in (f"Ticket {n}", f"ticket  {n} ", f"Ticket {n}")]
    for clusters in ([None] * 90, [f"user {n % 7}" if n > 60 else None for n in range(90)]):
        items = tuple(Item(f"i{n}", text, ("a",), (), cluster) for n, (text, cluster) in enumerate(zip(texts, clusters, strict=True)))
        [(task, n)] = screened([of_items("t", items)], 0.5)
        first, rest = ({" ".join(item.input.casefold().split()) for item in part} for part in (task.items[:n], task.items[n:]))
        assert first
        assert rest
        assert not first & rest


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.floats(0.2, 0.8), st.randoms(use_true_random=False))
def test_a_text_of_two_tasks_is_on_one_side_in_both(both: int, one: int, other: int, share: float, random: Random) -> None:
    """What helped to choose an arm in one task does not confirm it in another; each task, and what both share, is split alike."""
    texts = [[*range(both), *range(100, 100 + one)], [*range(both), *range(200, 200 + other)]]
    parts = []
    for name, numbers in zip("ab", texts, strict=True):
        random.shuffle(numbers)
        parts.append(of_items(name, tuple(Item(f"{name}{n}", f"Ticket  {n}" if name == "a" else f"ticket {n}", ("x",)) for n in numbers)))
    found = screened(parts, share)
    first, rest = ([{item.id[1:] for item in task.items[at(n)]} for task, n in found] for at in (slice, lambda n: slice(n, None)))
    assert not set.union(*first) & set.union(*rest)
    for (task, n), numbers in zip(found, texts, strict=True):
        assert len(task.items) == len(numbers)
        assert abs(len(numbers) - n - share * len(numbers)) <= 1
    assert abs(len(rest[0] & rest[1]) - share * both) <= 1


def test_rows_of_one_source_are_on_one_side_whatever_column_a_task_reads() -> None:
    title, body = (of_items(name, tuple(Item(f"{n}", f"{name} {n}", ("x",)) for n in range(40)), "tickets of May") for name in "tb")
    (one, n), (other, m) = screened([title, body], 0.5)
    assert (n, m) == (20, 20)
    assert {item.id for item in one.items[:n]} == {item.id for item in other.items[:m]}


@pytest.mark.long
def test_dropped_arms_are_not_sent_to_confirm_and_figures_come_from_the_confirming_items_alone(tmp_path: Path) -> None:
    done = swept(tmp_path, TEXTS)
    assert done.state == "complete"
    run = Run(done.folder)
    confirm = run.plan.confirm
    assert confirm is not None
    every = run.trials()
    first, rest = every[every["order"] < confirm.order], every[every["order"] >= confirm.order]
    for task in run.plan.tasks:
        screening = set(confirm.screening[task.name])
        assert set(first.loc[first["task"] == task.name, "item"]) == screening
        assert not set(rest.loc[rest["task"] == task.name, "item"]) & screening
    assert set(rest["arm"][rest["role"] == "stimulus"]) == {"emotionprompt/EP02"}
    assert {"none", "none_aa"} <= set(rest["arm"])
    assert "placebo" in set(rest["role"])
    assert "placebo" not in set(first["role"])
    report = build(run)
    assert report.complete
    assert [row.treatment for row in report.screening if row.chosen] == ["emotionprompt/EP02"]
    assert {c.treatment for c in report.of("stimulus")} == {"emotionprompt/EP02"}
    for c in report.of("stimulus"):
        assert (c.verdict, c.n_family, c.n_missing, c.missing_treatment) == ("helps", 1, 0, 0.0)
        treated, control = (rest[rest["arm"].isin(arms)] for arms in ((c.treatment,), c.control_arms))
        by_task = [group.groupby("task", observed=True)["score"].mean() for group in (treated, control)]
        assert c.diff == pytest.approx(float((by_task[0] - by_task[1]).mean()))
    written = json.loads(to_json(report))
    assert [row["arm"] for row in written["summary"]] == ["emotionprompt/EP02", "no added text"]
    assert {row["items"] for row in written["summary"]} == {sum(confirm.items)}
    assert len(written["screening"]) == 4
    for text in (to_html(report), to_markdown(report)):
        assert "SCREENING" in text
        assert "no result" in text
    [passed] = gate(run, "emotionprompt/EP02")
    assert (passed.outcome, passed.quality.n_items) == ("pass", sum(confirm.items))
    [dropped] = gate(run, "emotionprompt/EP03")
    assert dropped.outcome == "not enough data"
    assert "screening" in dropped.why


@pytest.mark.parametrize("how", [{"workers": 2}, {"cache": "replay"}], ids=str)
def test_every_way_to_run_it_gives_the_same_trials(tmp_path: Path, how: dict[str, Any]) -> None:
    done = swept(tmp_path, PROMPTS)
    other = swept(tmp_path, PROMPTS, "others", **how)
    assert other.state == done.state == "complete"
    ours, theirs = (Run(folder).trials().sort_values("order") for folder in (done.folder, other.folder))
    assert list(ours["trial"]) == list(theirs["trial"])
    assert list(ours["answer"]) == list(theirs["answer"])
    assert Run(done.folder).looks == Run(other.folder).looks
    chosen = {row["treatment"] for row in Run(done.folder).looks["screening"] if row["chosen"]}
    assert set(ours.loc[ours["order"] >= 30 * 5, "base_prompt"]) == {"current", *chosen}
    assert len(chosen) <= 2


def test_a_budget_and_a_kill_stop_it_anywhere_and_the_choice_stays(tmp_path: Path) -> None:
    whole = swept(tmp_path, PROMPTS)
    short = swept(tmp_path, PROMPTS, "others", max_tokens=1_500, cache="off")
    assert short.state == "budget"
    assert not Run(short.folder).looks
    assert "nothing is chosen yet" in to_markdown(build(Run(short.folder)))
    again = swept(tmp_path, PROMPTS, "others")
    assert again.state == "complete"
    assert Run(again.folder).looks == Run(whole.folder).looks
    frozen = json.loads((again.folder / "looks.json").read_text(encoding="utf-8"))
    for row in frozen["screening"]:  # a choice is never made twice, whatever the answers would say
        row["chosen"] = row["treatment"] == "fourth"
    (whole.folder / "looks.json").write_text(json.dumps(frozen), encoding="utf-8")
    swept(tmp_path, PROMPTS)
    assert Run(whole.folder).looks == frozen
    assert {row.treatment for row in build(Run(whole.folder)).screening if row.chosen} == {"fourth"}


@pytest.mark.long
def test_a_sweep_that_ends_between_the_parts_confirms_the_same_items_and_sends_nothing_twice(tmp_path: Path) -> None:
    few = PROMPTS.replace("items: 60", "items: 40")
    whole = swept(tmp_path, few, cache="off")
    study, ours = resolve(tmp_path / "confirm.yaml"), Run(whole.folder).trials().sort_values("order")
    confirm = Run(whole.folder).plan.confirm
    assert confirm is not None

    async def stopped(name: str, at: int) -> Sweep:
        stop, how = asyncio.Event(), Execution(cache="off", concurrency=1)
        return await arun_sweep(study, tmp_path / name, None, how, lambda p: stop.set() if p.n_done >= at else None, stop=stop)

    for name, at in (("before the choice", confirm.order), ("after it", confirm.order + 3)):
        first = asyncio.run(stopped(name, at))
        assert first.state == "interrupted"
        assert bool(Run(first.folder).looks) is (at > confirm.order)
        done = swept(tmp_path, few, name, cache="off")
        assert (done.folder, done.state) == (first.folder, "complete")
        theirs = Run(done.folder).trials().sort_values("order")
        assert list(ours["trial"]) == list(theirs["trial"])
        assert first.progress.n_sent + done.progress.n_sent == whole.progress.n_sent == theirs["attempts"].sum()  # some fail once
        assert Run(done.folder).looks == Run(whole.folder).looks


def test_another_seed_between_the_parts_is_another_run(tmp_path: Path) -> None:
    """So no item that has screened can confirm: the split of a run is in its plan, and its folder's name holds the seed's hash."""
    short = swept(tmp_path, PROMPTS, max_tokens=1_500)
    (tmp_path / "confirm.yaml").write_text(PROMPTS.replace("seed: 3", "seed: 4"), encoding="utf-8")
    other = resolve(tmp_path / "confirm.yaml")
    ours, theirs = Run(short.folder).plan.confirm, make_plan(other).confirm
    assert ours is not None
    assert theirs is not None
    assert set(ours.screening["sentiment"]) != set(theirs.screening["sentiment"])
    assert as_recorded(other, tmp_path / "runs").run_id != short.folder.name
    (short.folder / "experiment.yaml").write_text(other.text, encoding="utf-8")  # the same by hand, in the folder
    assert any("experiment" in said for said in problems(Run(short.folder)))


@pytest.mark.long
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, items=50, stimuli="emotionprompt/EP02, emotionprompt/EP03", more="confirm: 0.5\n")
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    process = runs.start("sweep", str(path), "--runs", str(tmp_path / "runs"), "--concurrency", "1", env=env)
    runs.wait_until(lambda: bool(list(tmp_path.glob("runs/*/looks.json"))), process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    [folder] = (tmp_path / "runs").iterdir()
    before = (folder / "looks.json").read_bytes()
    done = runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), env=env)
    assert done.returncode == 0, done.stderr
    assert (folder / "looks.json").read_bytes() == before
    assert build(Run(folder)).complete


def test_the_plan_says_both_parts_and_what_they_cost(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TEXTS, encoding="utf-8")
    study = resolve(path)
    made = make_plan(study)
    confirm = made.confirm
    assert confirm is not None
    assert [len(items) for items in confirm.screening.values()] == [25, 25, 25] == list(confirm.items)
    order = [trial.item.id in confirm.screening[trial.task.split("/")[1]] for trial in trials(study.design)]
    assert order == sorted(order, reverse=True)
    assert order.count(True) == confirm.order
    assert 1 <= confirm.likely <= confirm.most == 2
    assert confirm.trials_likely <= made.counts.trials < study.design.n_trials
    low, high = confirm.usd_likely["sim/planted"]
    assert 0 < (low or 0) <= (made.estimates[0].usd[0] or 0)
    assert 0 < (high or 0) <= (made.estimates[0].usd[1] or 0)
    assert type(made).read(json.loads(json.dumps(made.plain()))).confirm == confirm
    assert make_plan(resolve(path)) == made


def test_an_arm_that_lost_answers_is_dropped_and_without_the_incumbents_nothing_is_chosen(tmp_path: Path) -> None:
    run = Run(swept(tmp_path, PROMPTS).folder)
    every = run.trials()
    lost = every.assign(score=every["score"].where((every["base_prompt"] != "second") | (every["order"] % 3 > 0)))
    rows = {row.treatment: row for row in Screening(run.plan).decided(lost).rows}
    assert (rows["second"].chosen, rows["second"].why) == (False, "lacks too many of its answers")
    assert any(row.chosen for row in rows.values())
    waits = Screening(run.plan).decided(every.assign(score=every["score"].where(every["base_prompt"] != "current")))
    assert not waits.rows
    assert "nothing is confirmed" in waits.waiting[0]
    assert waits.unneeded() >= {("sim/null", "end/0/single", "none", name) for name in ("current", "second", "third", "fourth")}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("confirm: 0.5", "confirm: 1.0"), "less than 1"),
        (("confirm: 0.5", "confirm: 0"), "greater than 0"),
        (("confirm: 0.5", "confirm: 0.9"), "5 of 50 items are left for the screening part, which needs 20"),
        (("items: 50", "items: 30"), "15 of 30 items are left for the confirming part, which needs 20"),
        (("seed: 3", "analysis: {looks: 2}"), "a run stops early by looks or screens and confirms"),
    ],
)
def test_what_cannot_be_split_is_a_problem_with_its_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TEXTS.replace(*change), encoding="utf-8")
    with pytest.raises(FileProblems) as problems:
        resolve(path)
    assert said in str(problems.value)
    assert "x.yaml:" in str(problems.value)


@pytest.mark.parametrize("diffs", [(0.3, 0.1 + 0.2), (0.1 + 0.2, 0.3)])
def test_arms_that_differ_by_rounding_alone_continue_in_the_order_of_the_plan(
    diffs: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert diffs[0] != diffs[1]
    arms = [SimpleNamespace(model="m", setting="s", treatment=name, control="none") for name in ("first", "second")]
    facts = {"name": "", "n_pairs": 9, "mean_treatment": 0.5, "ci_low": None, "ci_high": None, "missing_control": 0, "missing_treatment": 0}
    said = {h.treatment: SimpleNamespace(comparison=SimpleNamespace(diff=diff, **facts)) for h, diff in zip(arms, diffs, strict=True)}
    monkeypatch.setattr("promptlab.stats.screening._behind", lambda *_: (0.0, 0.1))
    screening: Any = SimpleNamespace(questions={"q": arms}, confirm=SimpleNamespace(most=1, level=0.1))
    analysis: Any = SimpleNamespace(compare=lambda h: said[h.treatment])
    rows = Screening._chosen(screening, analysis, "q")
    assert [(row.treatment, row.chosen) for row in rows] == [("first", True), ("second", False)]
