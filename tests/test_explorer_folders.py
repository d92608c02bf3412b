"""The explorer on no run, broken runs, one in progress and several: the others still open, and nothing is written or loaded."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from apps import PAGES, opened, texts  # noqa: F401 (fixtures)
from made_up import cut, demo, write_run  # noqa: F401 (fixtures)
from promptlab.explorer import load
from promptlab.record.store import Run
from runs import run


def test_no_runs_says_which_command_makes_one(opened: Any, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        app = opened("--runs", folder)
        assert not app.exception
        assert "No runs yet" in texts(app)
        assert "promptlab sweep quickstart" in texts(app)


BREAKS = {
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "torn manifest": lambda folder: cut(folder / "manifest.json"),
    "manifest is a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "manifest lacks counts": lambda folder: (folder / "manifest.json").write_text('{"format": 1, "state": "complete"}'),
    "later format": lambda folder: (folder / "manifest.json").write_text('{"format": 99, "state": "complete"}'),
    "no plan": lambda folder: (folder / "plan.json").unlink(),
    "plan lacks families": lambda folder: (folder / "plan.json").write_text('{"models": []}'),
    "torn trials": lambda folder: cut(folder / "trials" / "part-00000.parquet"),
    "torn items": lambda folder: cut(folder / "items.parquet"),
    "no items": lambda folder: (folder / "items.parquet").unlink(),
}


@pytest.mark.long(but=3)
@pytest.mark.parametrize("damage", BREAKS)
def test_a_broken_run_is_told_and_the_others_still_open(damage: str, opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, "broken", share=0.3)
    BREAKS[damage](folder)
    for arguments, page in [(("--runs", tmp_path), "overview"), (("--run", folder), PAGES[list(BREAKS).index(damage)])]:
        app = opened(*arguments, run="broken", page=page)
        assert not app.exception
        assert [element.value for element in app.error] == ["This run cannot be read."]
        assert "promptlab sweep" in texts(app)
        assert "Traceback" not in texts(app)
        assert all(f"`{code.value.strip()}`" in texts(app) for code in app.code), "a command of the message can be copied"


@pytest.mark.long
def test_calls_that_cannot_be_read_leave_the_rest(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    cut(folder / "calls" / "part-00000.parquet")
    for page in PAGES:
        app = opened("--runs", tmp_path, page=page)
        assert not app.exception
        assert not app.error
    for more in ({"page": "overview", "arm": "emotionprompt/EP02"}, {"page": "samples", "trial": Run(folder).trials()["trial"].iloc[0]}):
        assert "The messages of this trial cannot be read." in texts(opened("--runs", tmp_path, **more))


def test_a_run_without_any_trial(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path, share=0.0, state="interrupted")
    for page in PAGES:
        app = opened("--runs", tmp_path, page=page)
        assert not app.exception
        assert not app.error
        assert "No trial is recorded yet" in texts(app)


def test_a_run_that_is_not_here_is_said(opened: Any, demo: Path) -> None:
    write_run(demo, "other", share=0.1)
    app = opened("--runs", demo, run="my_other_run")
    shutil.rmtree(demo / "other")
    assert "a run that is not here" in app.warning[0].value
    assert "run=my_other_run" in texts(app)
    assert "a run that is not here" not in texts(opened("--runs", demo))


def test_another_run_forgets_what_was_chosen_in_the_first(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path, "one", share=0.2)
    write_run(tmp_path, "two", share=0.2)
    app = opened("--runs", tmp_path, run="one", page="samples", find="x")
    app.selectbox(key="pick_run").set_value("two").run()
    assert app.query_params["run"] == "two"
    assert "Every answer" in str(app.segmented_control(key="switch_view").options)
    assert "find" not in app.query_params


@pytest.mark.long(but=2)
@pytest.mark.parametrize("page", PAGES)
def test_a_run_in_progress(page: str, opened: Any, tmp_path: Path) -> None:
    _, writer = write_run(tmp_path, share=0.5, state="running", close=False)
    try:
        app = opened("--runs", tmp_path, page=page, model="sim/planted")
        assert not app.exception
        assert "running" in texts(app)
        before = dict(app.query_params)
        app.run()
        assert dict(app.query_params) == before
    finally:
        writer.close()
    after = opened("--runs", tmp_path, page=page)
    assert "interrupted; the same sweep command continues from here" in texts(after)
    shutil.rmtree(tmp_path / "demo")
    assert not after.run().exception
    assert "No runs yet" in texts(after) or page in ("plan", "library")


def test_new_trials_are_read_when_the_folder_changes(tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, share=0.2)
    before = len(load.open_store(folder).query("SELECT trial FROM trials"))
    write_run(tmp_path, share=0.6)
    assert len(load.open_store(folder).query("SELECT trial FROM trials")) > before


def test_the_explorer_never_loads_a_model_client_and_opens_no_cache(demo: Path, tmp_path: Path) -> None:
    code = f"""
import json, sys
sys.argv = ["app.py", "--runs", {str(demo)!r}]
sys.path.append("tests")
from apps import AppTest
for page in {PAGES!r}:
    app = AppTest.from_file("app.py", default_timeout=60)
    app.query_params["page"] = page
    assert not app.run().exception
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in ("litellm", "openai", "dspy"))))
"""
    done = run("-c", code, env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert (tmp_path / "home").is_dir()
    assert not (tmp_path / "home" / "cache").exists()


def test_the_explorer_writes_nothing_into_a_run(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, share=0.2)
    before = {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
    for page in PAGES:
        opened("--run", folder, page=page)
    assert {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))} == before
    assert Run(folder).state == "complete"
