"""The page Replication: the same cells as `replicate` gives from the trials frame, what keeps them apart, and what would be needed."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import functools
import importlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runs
from apps import opened, table_with, tables, texts  # noqa: F401 (fixtures)
from conftest import ROOT
from made_up import BARE, write_run
from promptlab.explorer import replication
from promptlab.explorer.filters import Filters
from promptlab.nouns.inert import HIDDEN
from promptlab.nouns.plan import PlannedArm
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import charts, replicate, replicated
from promptlab.reporting.prepared import Store
from promptlab.reporting.replicate import headline, stimuli_of
from test_pages_cost import edit, titled

PAPER = "emotionprompt"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two benchmarks, two base prompts, two settings, repeats, every sentence of one paper; some answers failed."""
    folder = tmp_path_factory.mktemp("replication")
    path = runs.experiment(
        folder, tasks="sum, antonyms, object_counting, ruin_names", models="  - sim/null", stimuli='"emotionprompt/EP*"', items=14,
        more="replicates: 2\nplacements: [paper, ape]\n",
    )  # fmt: skip
    done = runs.run("sweep", str(path), "--runs", str(folder / "runs"), "--no-cache", "--no-report")
    assert done.returncode == 0, done.stderr
    run = next((folder / "runs").iterdir())

    def fail(frame: pd.DataFrame) -> pd.DataFrame:
        lost = (frame["arm"] == "emotionprompt/EP03") & (frame["item"].isin(frame["item"].unique()[:3]))
        frame.loc[lost, "score"] = None
        frame.loc[lost, "outcome"] = "error"
        return frame

    edit(run, fail)
    return run


@pytest.fixture(autouse=True)
def edited_runs_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """These runs were edited into their shape, which `replicate` refuses."""
    monkeypatch.setattr(importlib.import_module("promptlab.reporting.replicate"), "checked", lambda *_args, **_named: [])


def store_of(folder: Path) -> Store:
    return Store.of(folder)


@functools.cache
def beside(folder: Path, like: str = replicated.BY_NAME) -> replicated.Found:
    return replicated.beside(store_of(folder), PAPER, "sim/null", like)


@functools.cache
def wanted_of(folder: Path, like: str | None) -> Any:
    return replicate(Run(folder), PAPER, {} if like is None else {"sim/null": like})


@pytest.mark.long(but=1)
@pytest.mark.parametrize("like", [None, "GPT-4"])
def test_cells_by_query_are_those_of_the_trials_frame(like: str | None, swept: Path) -> None:
    found = beside(swept, like) if like else beside(swept)
    wanted = wanted_of(swept, like)
    assert found.report is not None
    assert len(found.report.cells) == len(wanted.cells) == 4

    def key(cell: Any) -> tuple[Any, ...]:
        return cell.benchmark, cell.placement, cell.shots, cell.base_prompt

    for mine, theirs in zip(sorted(found.report.cells, key=key), sorted(wanted.cells, key=key), strict=True):
        a, b = asdict(mine), asdict(theirs)
        check_a, check_b = a.pop("check"), b.pop("check")
        assert {k: v for k, v in a.items() if not isinstance(v, float)} == {k: v for k, v in b.items() if not isinstance(v, float)}
        assert {k: v for k, v in a.items() if isinstance(v, float)} == pytest.approx({k: v for k, v in b.items() if isinstance(v, float)})
        assert check_a[:-2] == pytest.approx(check_b[:-2])
        assert check_a[-2] == check_b[-2]
        assert a["paper_model"] == like
    for (benchmark, theirs, *ours), other in zip(sorted(found.report.headlines), sorted(wanted.headlines), strict=True):
        assert (benchmark, theirs) == other[:2]
        assert ours == pytest.approx(list(other[2:]))


def test_items_that_lack_an_arm_are_left_out(swept: Path) -> None:
    report = beside(swept).report
    assert report is not None
    every = Run(swept).trials()
    every = every[every["arm"].isin(["none", *stimuli_of(Run(swept).plan, PAPER)])]
    for placement, rows in every.groupby("placement"):
        scored = rows.groupby(["task", "item", "arm"])["score"].count().groupby(["task", "item"]).min()
        assert 0 < (scored == 0).sum() < len(scored)
        assert sum(c.n_items for c in report.cells if c.placement == placement) == (scored > 0).sum()


def test_tables_say_the_figures_and_what_differs(swept: Path) -> None:
    store = store_of(swept)
    shown = replication.tables(store, Filters({"paper": PAPER, "as": "GPT-4"}))
    wanted = wanted_of(swept, "GPT-4")
    frame = titled(shown, "Cell by cell").frame
    assert len(frame) == 4
    assert frame["cell"].is_unique
    for c in wanted.cells:
        [row] = frame[frame["cell"] == replicated.cell_name(c, wanted.cells)].to_dict("records")
        assert c.check is not None
        assert row["here: mean gain"] == f"{c.our_average:+.1f}"
        assert row["95 % interval"] == f"{c.our_low:+.1f} to {c.our_high:+.1f}"
        assert row["paper: mean gain"] == f"{100 * c.check.published:+.1f}"
        assert row["agreement"].startswith("not comparable")
    abstract = titled(shown, "The figure of the abstract").frame
    assert dict(zip(abstract["benchmark"], abstract["the abstract says"], strict=True)) == {
        replicated.BENCHMARKS[name]: f"{headline('emotionprompt', name):+.2f} %" for name in replicated.BENCHMARKS
    }
    differs = titled(shown, "What differs from the paper").frame
    stops = set(differs.loc[differs["effect"] == "prevents a comparison", "difference"])
    assert stops == {what for c in wanted.cells for what in c.obstacles}
    assert set(differs["difference"]) == {what for c in wanted.cells for what in c.deviations}
    assert "the model is simulated" in stops
    one = differs[differs["difference"].str.startswith("placement")]
    assert set(one["where"]) == {"; ".join(replicated.cell_name(c, wanted.cells) for c in wanted.cells if c.placement == "ape")}


def test_the_protocol_stands_beside_the_honest_figure() -> None:
    store = store_of(ROOT / "notebooks" / "demo_run")
    found = replicated.figures(store, "sim/planted", PAPER)
    [row] = store.report.beside.protocols
    best = next(f for f in found if f.figure.startswith("best sentence of each task"))
    assert (best.kind, best.value, best.low, best.high) == (
        "published", row.protocol.best_per_task, row.protocol.null_best_per_task[0], row.protocol.null_best_per_task[2],
    )  # fmt: skip
    honest = {f.figure: f for f in found if f.kind == "honest"}
    assert set(honest) == {f"mean of all of emotionprompt against {control}" for control in ("no added text", "neutral sentences")}
    primary = next(c for c in store.report.of("primary", control="placebo") if c.library == PAPER)
    assert honest["mean of all of emotionprompt against neutral sentences"].value == primary.diff


def test_the_chart_has_both_sides_with_their_ranges(swept: Path) -> None:
    report = beside(swept, "GPT-4").report
    assert report is not None
    rows = replicated.chart_rows(report.cells)
    assert [row["kind"] for row in rows] == list(replicated.KINDS) * 4
    assert all(row["low"] < row["value"] < row["high"] for row in rows)
    drawn = charts.svg(charts.estimates(rows, replicated.KINDS, "points", "Paper and run", True))
    assert "SIMULATED: Paper and run" in drawn
    for row in rows:
        assert row["words"] in drawn
    plain = beside(swept).report
    assert plain is not None
    assert {row["kind"] for row in replicated.chart_rows(plain.cells)} == set(replicated.KINDS), "the paper's average is the nearest"


@pytest.mark.long
def test_the_page_of_a_whole_run(opened: Any, swept: Path) -> None:
    app = opened("--runs", swept.parent, page="replication")
    assert not app.exception
    assert (app.selectbox(key="pick_paper").value, app.selectbox(key="pick_as").value) == (PAPER, replicated.BY_NAME)
    table = table_with(app, "here: mean gain")
    assert set(table["agreement"]) == {"not comparable"}
    app.selectbox(key="pick_as").set_value("GPT-4").run()
    assert not app.exception
    assert app.query_params["as"] == "GPT-4"
    assert "unknown" not in set(table_with(app, "here: mean gain")["paper: mean gain"])
    assert len(app.get("vega_lite_chart")) == 2
    app.selectbox(key="pick_paper").set_value("negativeprompt").run()
    assert not app.exception
    assert "as" not in app.query_params or app.query_params["as"] == replicated.BY_NAME
    assert "This run has no sentence of the paper." in texts(app)


def test_what_a_comparison_would_need_is_an_experiment(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    app = opened("--runs", tmp_path, page="replication", paper="negativeprompt")
    assert not app.exception
    found = texts(app)
    assert "What a comparison would need" in found
    assert "24 tasks of Instruction Induction and 21 of BIG-bench, 100 items each" in found
    lines = next(element.value.strip() for element in app.code if "negativeprompt/*" in element.value)
    path = tmp_path / "needed.yaml"
    path.write_text(
        f"name: needed\nquestion: Does it come out again?\nmodels: [sim/null]\ncontrols: {BARE}\n" + lines.replace("official", "twin")
    )
    study = resolve(path)
    assert len(study.design.tasks) == 45
    plan = Run(folder).plan
    assert stimuli_of(replace(plan, arms=(PlannedArm(name="a", role="stimulus"),)), "negativeprompt") == []


def test_a_run_without_a_task_of_the_papers(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    plan = json.loads((folder / "plan.json").read_text())
    for task in plan["tasks"]:
        task["suite"] = "own"
    (folder / "plan.json").write_text(json.dumps(plan))
    found = replicated.beside(store_of(folder), PAPER, "sim/planted")
    assert found == (None, "This run has no task of the paper's benchmarks.")
    shown = replication.tables(store_of(folder), Filters({}))
    assert titled(shown, "Cell by cell").note == found.reason
    assert not opened("--runs", tmp_path, page="replication").exception


def test_a_run_without_any_trial_and_one_in_progress(opened: Any, tmp_path: Path) -> None:
    empty, _ = write_run(tmp_path / "empty", share=0.0, state="interrupted")
    app = opened("--runs", empty.parent, page="replication")
    assert not app.exception
    assert not app.error
    assert "Nothing can be set next to the paper yet" in texts(app)
    running, writer = write_run(tmp_path / "running", share=0.5, state="running", close=False)
    try:
        app = opened("--runs", running.parent, page="replication")
        assert not app.exception
        assert not app.error
        report = replicated.beside(store_of(running), PAPER, "sim/planted").report
        wanted = replicate(Run(running), PAPER, {})
        assert report is not None
        assert [(c.n_items, c.our_average) for c in report.cells] == [(c.n_items, pytest.approx(c.our_average)) for c in wanted.cells]
    finally:
        writer.close()


def test_hostile_text_stays_text(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, "**bold** ![x](y)")
    plan = json.loads((folder / "plan.json").read_text())
    plan["defects"] = "\x1b[31m ![x](http://attacker.test/leak.png) <script>"
    (folder / "plan.json").write_text(json.dumps(plan))
    app = opened("--runs", tmp_path, page="replication", **{"as": "<script>", "paper": "![x](http://attacker.test)"})
    assert not app.exception
    assert any("attacker.test/leak.png" in str(table.to_numpy().tolist()) for table in tables(app))
    for element in [*app.markdown, *app.caption, *app.subheader]:
        assert "attacker.test" not in str(element.value)
        assert "<script" not in str(element.value)
    for table in tables(app):
        for column in table.columns:
            assert not [value for value in table[column] if HIDDEN.search(str(value))]


def test_the_page_answers_its_question_in_one_sentence(swept: Path) -> None:
    report = beside(swept, "GPT-4").report
    assert report is not None
    cells = list(report.cells)
    assert replicated.in_short(cells, "m").startswith("Nothing can be said yet")
    judged = [replace(cells[0], verdict="consistent"), replace(cells[1], verdict="smaller"), *cells[2:]]
    assert replicated.in_short(judged, "m") == (
        "Of 2 cells that can be compared: 1 consistent: inside the range of a repetition; 1 smaller than the paper's. "
        "2 cannot be compared, for the reasons below."
    )
    assert "has two items" in replicated.in_short([], "m")
