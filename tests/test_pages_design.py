"""The design page: hashes are recomputed and compared, and every deviation from the plan is found and none is made up."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from apps import elements, opened, texts
from conftest import ROOT
from made_up import HOSTILE, write_run
from promptlab.cli.main import app
from promptlab.explorer import design, load
from promptlab.explorer.filters import Filters
from promptlab.nouns.identity import digest
from promptlab.nouns.inert import HIDDEN, inert
from promptlab.planning import audit
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import deviations
from promptlab.reporting.table import Table
from runs import run

assert opened  # a fixture, found here by its name

FROZEN = "Does what is here match what was frozen?"
DEMO = ROOT / "notebooks" / "demo_run"


def table(found: list[Table], title: str) -> pd.DataFrame:
    return next(shown.frame for shown in found if shown.title == title)


def of(folder: Path, **values: str) -> list[Table]:
    return design.tables(load.open_store(folder), Filters(values))


def says(found: list[Table], title: str = "Deviations from the plan") -> dict[str, str]:
    frame = table(found, title)
    return dict(zip(frame["what"], frame["result"], strict=True))


def hashes(folder: Path) -> dict[str, str]:
    return says(of(folder), FROZEN)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "demo_run"))


def changed(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))


# --- hashes -----------------------------------------------------------------------------------------------------------


@pytest.mark.long(but=1)
@pytest.mark.parametrize("name", ["demo_run", "demo_loops", "demo_replication"])
def test_a_recorded_run_matches_what_was_frozen(name: str) -> None:
    folder = ROOT / "notebooks" / name
    if not folder.exists():
        pytest.skip("not recorded here")
    shown = of(folder)
    found = says(shown, FROZEN)
    assert set(found.values()) == {audit.MATCHES}
    assert set(found) >= {"plan", "experiment", "data", "stimuli", "prices", "simulators"}
    assert deviations.DEVIATES not in says(shown).values()


def edit_items(folder: Path) -> None:
    rows = pq.read_table(folder / "items.parquet").to_pandas()
    rows.loc[3, "targets"] = '["another answer"]'
    rows.to_parquet(folder / "items.parquet")


def both_hashes(folder: Path) -> None:
    for name in ("manifest.json", "plan.json"):
        changed(folder, name, lambda value: value["hashes"].update(data="0" * 64))


def edit_experiment(folder: Path) -> None:
    path = folder / "experiment.yaml"
    path.write_text(path.read_text().replace("items: 60", "items: 61"))


EDITS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "a margin": (lambda f: changed(f, "plan.json", lambda p: p["margins"].update(cell=0.5)), {"plan"}),
    "a hypothesis": (lambda f: changed(f, "plan.json", lambda p: p["hypotheses"].pop()), {"plan"}),
    "a sentence": (lambda f: changed(f, "plan.json", lambda p: p["arms"][-1]["stimulus"].update(text="x")), {"plan", "stimuli"}),
    "a base prompt": (lambda f: changed(f, "plan.json", lambda p: p["tasks"][0]["base_prompts"].update(human="x")), {"plan", "data"}),
    "an item": (edit_items, {"data"}),
    "a price": (lambda f: changed(f, "manifest.json", lambda m: m["prices"]["sim/planted"].update(input_usd_per_mtok=9.0)), {"prices"}),
    "the experiment": (edit_experiment, {"experiment"}),
    "a hash": (
        lambda f: changed(f, "manifest.json", lambda m: m["hashes"].update(simulators="0" * 64)), {"simulators", "hashes in plan.json"}
    ),
    "both hashes": (both_hashes, {"data", "plan", "name of the run"}),
}  # fmt: skip


@pytest.mark.long(but=3)
@pytest.mark.parametrize("edit", EDITS)
def test_whatever_is_edited_afterwards_differs(edit: str, copied: Path) -> None:
    change, wanted = EDITS[edit]
    change(copied)
    shown = of(copied)
    found = says(shown, FROZEN)
    assert {what for what, word in found.items() if word == audit.DIFFERS} == wanted
    assert audit.UNKNOWN not in found.values()
    assert "Not what was frozen any more" in deviations.headline(load.open_store(copied), audit.audit(Run(copied)), shown[1])


def test_the_command_prints_what_the_page_shows(copied: Path) -> None:
    runner = CliRunner()
    fine = runner.invoke(app, ["runs", "verify", str(copied)])
    assert fine.exit_code == 0
    assert "Everything that was hashed then is the same now." in fine.output
    edit_items(copied)
    (copied / "experiment.yaml").unlink()
    told = runner.invoke(app, ["runs", "verify", str(copied), "--json"])
    assert told.exit_code == 1
    value = json.loads(told.output)
    assert value["result"] == "Not what was frozen any more: data. Cannot be recomputed from this folder: experiment."
    page = table(of(copied), "Does what is here match what was frozen?")
    assert [check["says"] for check in value["checks"]] == page["result"].tolist()
    assert all(len(check["frozen"]) == 64 for check in value["checks"][:-1])
    part = min((copied / "calls").iterdir())
    part.write_bytes(part.read_bytes()[:-9])
    assert "trials and calls" in runner.invoke(app, ["runs", "verify", str(copied)]).output


def test_a_comment_in_the_experiment_is_no_change(copied: Path) -> None:
    path = copied / "experiment.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert hashes(copied)["experiment"] == audit.MATCHES


def test_what_cannot_be_recomputed_is_not_said_to_match(copied: Path) -> None:
    (copied / "experiment.yaml").unlink()
    changed(copied, "manifest.json", lambda m: m["prices"].clear())
    shown = of(copied)
    found = says(shown, FROZEN)
    assert (found["experiment"], found["prices"]) == (audit.UNKNOWN, audit.UNKNOWN)
    head = deviations.headline(load.open_store(copied), audit.audit(Run(copied)), shown[1])
    assert "Whatever can be recomputed is the same now." in head
    assert "Cannot be recomputed from this folder: experiment, prices." in head
    assert table(shown, "The experiment file").empty


HEAD = "name: x\nquestion: q\n"
ONE = f"{HEAD}tasks: [sum]\nmodels: [sim/null]\nitems: 5\n"
LARGE = {
    "looks": f"{HEAD}tasks: [sum, antonyms]\nmodels: [sim/null]\nstimuli: [emotionprompt/EP02]\nitems: 90\nanalysis: {{looks: 2}}\n",
    "loops": f"{ONE}loops: [{{rounds: 2, policies: [random, [anger, fear]]}}]\n",
    "wordings": f"{ONE}stimuli: [emotionprompt/EP02]\nwordings: paraphrased\n",
    "a task of one's own": (
        f"{HEAD}tasks: [tickets]\ntask_files: [{json.dumps(str(ROOT / 'experiments' / 'own' / 'tickets.yaml'))}]\nmodels: [sim/null]\n"
        "stimuli: [emotionprompt/EP02]\nitems: 5\n"
    ),
    "stacks and kinds": (
        f"{HEAD}tasks: [sum, ruin_names]\nmodels: [sim/null, {{model: openai/gpt-4o-mini}}]\nreplicates: 2\nshots: [0, 2]\nitems: 5\n"
        "stimuli: [[emotionprompt/EP02, emotionprompt/EP03]]\ncontrols: {kinds: [neutral, shuffled, whitespace]}\n"
        "base_prompts: [human]\nplacements: [paper, letters]\n"
    ),
}


@pytest.mark.long(but=2)
@pytest.mark.parametrize("kind", LARGE)
def test_hashes_and_planned_trials_are_those_of_the_study(kind: str, tmp_path: Path) -> None:
    """Through a folder frozen by a sweep's own code, without a call."""
    from promptlab.record.store import RunWriter
    from promptlab.running.sweep import freeze

    source = tmp_path / "x.yaml"
    source.write_text(LARGE[kind])
    study = resolve(source)
    folder, _ = write_run(tmp_path)
    for name in ("plan.json", "items.parquet", "experiment.yaml"):
        (folder / name).unlink()
    writer = RunWriter(folder)
    plan, plan_digest = freeze(study, writer)
    writer.close()
    shutil.rmtree(folder / "trials")
    prices = {n: p and {"input_usd_per_mtok": p.input_usd_per_mtok, "output_usd_per_mtok": p.output_usd_per_mtok, "source": p.source}
              for n, p in study.prices.items()}  # fmt: skip
    models = {m.name: {"litellm_name": m.litellm_name, "api_base": m.api_base} for m in study.models}
    frozen = {"hashes": {**study.hashes, "plan": plan_digest}, "prices": prices, "models": models, "effective": {}}
    changed(folder, "manifest.json", lambda m: m.update(frozen))
    assert set(hashes(folder).values()) == {audit.MATCHES}
    planned = deviations.planned_cells(plan)
    assert planned["planned"].sum() == study.design.n_trials == make_plan(study).counts.trials
    assert len(planned) == len(study.design.arms) // len(study.experiment.base_prompts) * len(study.design.tasks) * len(study.design.models)


def test_looks_asked_for_by_the_command_are_no_change(tmp_path: Path) -> None:
    source = tmp_path / "x.yaml"
    source.write_text(LARGE["looks"].replace("analysis: {looks: 2}\n", ""))
    study = resolve(source, 4)
    folder, _ = write_run(tmp_path, share=0.0)
    (folder / "experiment.yaml").write_text(study.text)
    plan = make_plan(study).plain()
    (folder / "plan.json").write_text(json.dumps(plan))
    changed(folder, "manifest.json", lambda m: m.update(hashes={**study.hashes, "plan": digest(plan)}))
    assert hashes(folder)["experiment"] == audit.MATCHES
    commands = dict(table(of(folder), "How to rerun it").to_numpy().tolist())
    assert "--sequential" in commands["Ask all of it again, into another folder:"]
    assert says(of(folder))["interim analyses before the end"] == deviations.DEVIATES


# --- deviations -------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_the_trials(tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, whole=True, share=0.6, state="interrupted")
    plan, trials = json.loads((folder / "plan.json").read_text()), Run(folder).trials()
    found = of(folder)
    rows = table(found, "Deviations from the plan").set_index("what")
    assert rows.loc["trials recorded", ["result", "planned", "found"]].tolist() == [
        deviations.DEVIATES, f"{plan['counts']['trials']:,}", f"{len(trials):,}",
    ]  # fmt: skip
    n_errors = int((trials["outcome"] == "error").sum())
    assert n_errors == 1
    assert rows.loc["calls that failed and were not sent again", "found"] == "1"
    gaps = table(found, "Arms and tasks with fewer trials than planned")
    there = trials.groupby(["arm", "task", "model"]).size()
    n_items = {task["task"]: task["n_items"] for task in plan["tasks"]}
    assert len(gaps) == int((there.reindex(pd.MultiIndex.from_product(
        [[arm["arm"] for arm in plan["arms"]], n_items, [m["name"] for m in plan["models"]]])).fillna(0) < 24).sum())  # fmt: skip
    for row in gaps.to_dict("records"):
        assert row["recorded"] == there.get((row["arm"], row["task"], row["model"]), 0)
        assert row["planned"] == n_items[row["task"]]
    versions = table(found, "Versions that served the answers").groupby("version")["trials"].sum()
    assert versions.to_dict() == {"v1": len(trials) - 1, "unknown": 1}


def test_every_kind_of_deviation_is_found(copied: Path) -> None:
    def strange(m: dict[str, Any]) -> None:
        m["sessions"], m["state"] = 3, "budget"
        m["budget_usd"], m["budget_reached"] = 0.01, "the next call could cost more"
        m["served"]["sim/planted"] = ["a", "b"]
        m["effective"]["sim/planted"] = {"temperature": 1.0, "seed": 1}
        m["stopped"] = {"sim/planted": "no quota"}

    changed(copied, "manifest.json", strange)
    found = of(copied)
    odd = {what for what, word in says(found).items() if word == deviations.DEVIATES}
    assert odd == {
        "versions that served one model", "parameters sent", "sessions", "budget", "models that refused for good", "how it ended",
    }  # fmt: skip
    rows = table(found, "Parameters requested and sent").set_index("parameter")
    assert rows.loc["temperature", ["result", "requested", "sent"]].tolist() == [deviations.DEVIATES, "0.7", "1.0"]
    assert rows.loc["max_tokens", "sent"] == "not sent"
    assert rows.loc["seed", "result"] == "● added"
    store = load.open_store(copied)
    assert "6 deviations from the plan are listed below." in deviations.headline(store, audit.audit(Run(copied)), found[1])


def test_an_arm_and_a_task_without_trials_are_named(copied: Path) -> None:
    for path in (copied / "trials").glob("*.parquet"):
        rows = pq.read_table(path)
        keep = [a != "emotionprompt/EP08" and t != "sum" for a, t in zip(rows["arm"].to_pylist(), rows["task"].to_pylist(), strict=True)]
        pq.write_table(rows.filter(keep), path)
    rows = table(of(copied), "Deviations from the plan").set_index("what")
    assert rows.loc["arms with any trial", "found"] == "9; none yet of emotionprompt/EP08"
    assert rows.loc["tasks with any trial", "found"] == "5; none yet of sum"
    gaps = table(of(copied), "Arms and tasks with fewer trials than planned")
    assert len(gaps) == 10 + 6 - 1
    assert set(gaps["recorded"]) == {0}


def test_a_run_in_progress_has_not_deviated_yet(tmp_path: Path, opened: Any) -> None:
    _, writer = write_run(tmp_path, share=0.4, state="running", close=False)
    try:
        found = says(of(tmp_path / "demo"))
        assert found["trials recorded"] == found["how it ended"] == deviations.NOT_YET
        app = opened("--runs", tmp_path, page="design")
        assert not app.exception
        assert "The sweep is still running" in texts(app)
    finally:
        writer.close()


def test_a_run_without_any_trial(tmp_path: Path, opened: Any) -> None:
    folder, _ = write_run(tmp_path, share=0.0, state="interrupted")
    app = opened("--runs", tmp_path, page="design")
    assert not app.exception
    assert "Nothing is recorded for this yet." in texts(app)
    rows = table(of(folder), "Deviations from the plan").set_index("what")
    assert rows.loc["trials recorded", "found"] == "0"
    assert rows.loc["arms with any trial", "found"].startswith("0; none yet of ")


# --- the plan and where it comes from ---------------------------------------------------------------------------------


def test_families_and_hypotheses_are_those_of_the_plan() -> None:
    plan = json.loads((DEMO / "plan.json").read_text())
    families = table(of(DEMO), "Families of hypotheses").set_index("family")
    every = pd.DataFrame(plan["hypotheses"])
    assert families["hypotheses"].to_dict() == every["family"].value_counts().to_dict()
    assert families.loc["cell/sim/planted/none", ["level", "margin"]].tolist() == ["0.05", "5 points"]
    assert families.loc["primary", "margin"] == "2 points"
    family = "cell/sim/planted/placebo"
    shown = table(of(DEMO, family=family), "Hypotheses of one family")
    planned = every[every["family"] == family]
    assert shown["added text"].tolist() == planned["treatment"].tolist()
    assert shown["task"].tolist() == planned["task"].tolist()
    verdicts = {(c.treatment, c.task): c.verdict for c in load.open_store(DEMO).report.comparisons if c.family == family}
    for row in shown.to_dict("records"):
        assert row["verdict"].split()[1] == verdicts[(row["added text"], row["task"])]


def test_a_family_over_one_task_has_the_margin_of_a_task() -> None:
    store = load.open_store(DEMO)
    one = SimpleNamespace(plan=replace(store.plan, tasks=store.plan.tasks[:1]), report=store.report)
    found = deviations.family_table(one)  # type: ignore[arg-type]
    margins = found.frame.set_index("family")["margin"]
    assert margins["primary"] == f"{100 * one.plan.margin:g} points" == "5 points"


def test_the_page_shows_it(opened: Any) -> None:
    app = opened("--runs", DEMO.parent, run="demo_run", page="design")
    assert not app.exception
    shown = texts(app)
    assert "Everything that was hashed then is the same now. Nothing deviates." in shown
    app.segmented_control(key="switch_part").set_value("again").run()
    shown = texts(app)
    assert (DEMO / "experiment.yaml").read_text().strip() in shown
    assert f"promptlab cache export {DEMO} --to bundle" in shown
    app.segmented_control(key="switch_part").set_value("plan").run()
    app.selectbox(key="pick_family").set_value("cell/sim/planted/none").run()
    assert app.query_params["family"] == "cell/sim/planted/none"
    assert "Those of cell/sim/planted/none." in texts(app)


def test_provenance_has_versions_commit_dates_and_cost() -> None:
    rows = dict(table(of(DEMO), "Where it comes from").to_numpy().tolist())
    manifest = json.loads((DEMO / "manifest.json").read_text())
    assert rows["started"] == manifest["created_at"]
    assert rows["version of litellm"] == manifest["versions"]["litellm"]
    assert manifest["commit"] in rows["code"]
    assert (rows["seed"], rows["sampling"]) == ("1", "temperature 0.7, max_tokens 64")
    assert "nothing paid" in rows["cost"]


@pytest.mark.long
def test_the_commands_do_what_they_say(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / "home"))
    commands = dict(table(of(copied), "How to rerun it").to_numpy().tolist())
    export, replay = (next(c for what, c in commands.items() if word in what) for word in ("handed on", "Replay"))
    for command in (*export.split(" && "), *replay.replace("--runs again", "--runs again --no-report").split(" && ")):
        program, *arguments = shlex.split(command)
        assert program == "promptlab"
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    [again] = (tmp_path / "again").iterdir()
    began = json.loads((copied / "plan.json").read_text())
    assert began["format"] == 1, "another folder names it as this version does"
    assert again.name.rpartition("-")[0] == began["name"]
    before, after = Run(copied).trials(), Run(again).trials()
    assert after["answer"].tolist() == before["answer"].tolist()


def test_an_imported_run_was_not_frozen_before(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)

    def imported(value: dict[str, Any]) -> None:
        value["imported"] = True
        value["hashes"] = {"results.csv": "a" * 64}

    changed(folder, "plan.json", imported)
    changed(folder, "manifest.json", lambda m: m.update(imported=True, experiment_path=None, hashes={"results.csv": "a" * 64, "plan": "b"}))
    assert hashes(folder) == {"plan": audit.DIFFERS, "file results.csv": audit.UNKNOWN}
    app = opened("--runs", tmp_path, page="design", part="again")
    assert not app.exception
    assert "nothing of this was frozen before the answers" in texts(app)
    assert "promptlab cannot run it again" in texts(app)


def test_hostile_text_is_inert(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    bad = HOSTILE["script"] + HOSTILE["bidi"] + HOSTILE["markdown"] + HOSTILE["ansi"]

    def strange(m: dict[str, Any]) -> None:
        m["commit"] = m["experiment_path"] = m["budget_reached"] = bad
        m["versions"], m["served"], m["stopped"] = {bad: bad}, {"sim/planted": [bad, "x"]}, {bad: bad}
        m["effective"] = {"sim/planted": {bad: bad}}
        m["hashes"]["plan"] = bad

    changed(folder, "manifest.json", strange)
    (folder / "experiment.yaml").write_text(bad, errors="replace")
    changed(folder, "plan.json", lambda p: [h.update(family=bad) for h in p["hypotheses"][:2]])
    for part in design.PARTS:
        app = opened("--runs", tmp_path, page="design", part=part)
        assert not app.exception
        if part == "again":
            assert inert(HOSTILE["script"] + HOSTILE["bidi"]) in "\n".join(element.value for element in app.code)
        for element in elements(app._tree):
            if element.type not in {"text", "code", "arrow_data_frame", "dataframe", "selectbox"}:
                assert "attacker.test" not in str(getattr(element, "proto", "")), element.type
        assert not any(HIDDEN.search(element.value) for element in [*app.text, *app.code])


def test_nothing_is_written(tmp_path: Path, opened: Any) -> None:
    folder, _ = write_run(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
    for part in design.PARTS:
        opened("--run", folder, page="design", part=part)
    opened("--run", folder, page="plan")
    opened("--run", folder, page="library")
    assert {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))} == before
