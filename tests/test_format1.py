"""Runs, stored answers and a bundle of format 1 open, say what they said, and go on where they ended.

`tests/format1/` was made once and is never made anew. interrupted/ is a run whose process was killed: its trials are in the journal alone.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from promptlab import open_run
from runs import run

HERE = Path(__file__).parent / "format1"
RUNS = {"complete": "looped", "looked": "looked", "imported": "promptfoo", "interrupted": "looped"}
CIRCUMSTANCES = ["rule", "latency_s", "cached", "attempts", "paid_usd"]
N_BEFORE = 45
"""Trials in the journal of the run that was killed."""
KEPT = ("scope", "model", "task", "strategy", "control", "treatment", "n_pairs")
VERDICT = ("diff", "p_value", "gained", "lost", "status", "verdict")
TOO_LITTLE = ("n_too_small", "no_discordant_pairs", "cannot_be_significant", "zero_variance", "too_few_clusters")
"""Statuses of verdicts that the earlier version refused for want of items, clusters or changed answers."""
AUDIT = "Does what is here match what was frozen?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All of it where it may be written, with the empty folders that git does not keep."""
    made = shutil.copytree(HERE, tmp_path / "format1")
    for sub in ("trials", "calls"):
        (only(made / "interrupted") / sub).mkdir(exist_ok=True)
    return made


def only(runs: Path) -> Path:
    [found] = [path.parent for path in runs.glob("*/manifest.json")]
    return found


def said(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command prints on one line; it ends with this code."""
    done = run(*arguments, cwd=folder, env={"PROMPTLAB_HOME": str(folder / "home"), "OPENAI_API_KEY": "sk-none"})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def frame(run: Path) -> pd.DataFrame:
    return open_run(run).trials().sort_values("order").reset_index(drop=True)


def judged(folder: Path, runs: str) -> dict[str, Any]:
    """What a report says of a run, in the form of verdicts.json."""
    report = json.loads(said(folder, "report", str(only(folder / runs)), "--format", "json"))
    rows = [{name: c[name] for name in (*KEPT, *VERDICT)} for c in report["comparisons"]]
    assert report["headline"]
    return {"run": report["run"], "state": report["state"], "comparisons": rows}


def agrees(found: dict[str, Any], runs: str) -> None:
    """What is found is what verdicts.json has for the run; numbers up to the last digits."""
    wanted = json.loads((HERE / "verdicts.json").read_text(encoding="utf-8"))[runs]
    assert [found[name] for name in ("run", "state")] == [wanted[name] for name in ("run", "state")]
    assert len(found["comparisons"]) == len(wanted["comparisons"])
    for now, before in zip(found["comparisons"], wanted["comparisons"], strict=True):
        assert {name: now[name] for name in KEPT} == {name: before[name] for name in KEPT}
        assert now["diff"] == (None if before["diff"] is None else pytest.approx(before["diff"], rel=1e-9, abs=1e-12)), before
        if before["task"] is not None and before["gained"] is not None:
            assert (now["gained"], now["lost"]) == (before["gained"], before["lost"])
        if before["task"] is not None and before["p_value"] is not None and now["p_value"] is not None:
            assert now["p_value"] == pytest.approx(before["p_value"], rel=1e-9, abs=1e-12), "the test of one task is the same"
        if before["verdict"] not in ("refused", "unclear"):
            few = before["task"] is None and now["p_value"] > before["p_value"]  # few changes over few tasks met a normal law
            assert now["verdict"] == before["verdict"] or (few and now["verdict"] == "unclear")
        elif now["verdict"] != before["verdict"]:  # too little to tell is unclear now, and no change at all may be shown to be the same
            assert now["verdict"] in ("unclear", "same"), before
            assert before["status"] in ("ok", "missing_pairs", *TOO_LITTLE)  # one answer of 24 is missing, and could not turn it


@pytest.mark.parametrize("runs", RUNS)
def test_a_run_opens_and_says_what_it_said(runs: str, folder: Path) -> None:
    found = judged(folder, runs)
    assert found["run"].startswith(f"{RUNS[runs]}-")
    agrees(found, runs)


@pytest.mark.parametrize("runs", RUNS)
def test_no_hash_of_it_is_accused(runs: str, folder: Path) -> None:
    page = json.loads(said(folder, "report", str(only(folder / runs)), "--page", "design", "--format", "json"))
    [audit] = [shown for shown in page if shown["title"].removeprefix("SIMULATED: ") == AUDIT]
    says = {row["what"]: row["says"].lstrip("■▼● ") for row in audit["rows"]}
    assert says.pop("plan") == "matches"
    if runs == "imported":
        assert says == {"file promptfoo.json": "cannot be told"}
    else:
        assert says == dict.fromkeys(
            ("experiment", "data", "stimuli", "prices", "simulators", "hashes in plan.json", "name of the run"), "matches"
        )


def test_the_interrupted_one_goes_on_in_its_folder_and_ends_like_the_whole_one(folder: Path) -> None:
    before = only(folder / "interrupted")
    journal = [json.loads(line)["trial"]["trial"] for line in (before / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    recorded = frame(before)
    assert (len(journal), len(recorded)) == (N_BEFORE, N_BEFORE)
    assert not list(before.rglob("part-*"))
    told = said(folder, "sweep", "looped.yaml", "--runs", "interrupted", "--no-report")
    whole = frame(only(folder / "complete"))
    assert re.search(
        rf"{len(whole)} of {len(whole)} trials recorded \({N_BEFORE} of them before\), [1-9]\d* calls sent", " ".join(told.split())
    )
    assert only(folder / "interrupted") == before, "the folder of before, and no other one"
    after = frame(before)
    pd.testing.assert_frame_equal(after.drop(columns=CIRCUMSTANCES), whole.drop(columns=CIRCUMSTANCES))
    kept = after[after["trial"].isin(journal)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, recorded)
    agrees(judged(folder, "interrupted"), "complete")


@pytest.mark.parametrize("runs", ["complete", "looked"])
def test_a_whole_one_is_recognised_and_nothing_is_asked(runs: str, folder: Path) -> None:
    before = only(folder / runs)
    then = frame(before)
    told = said(folder, "sweep", f"{RUNS[runs]}.yaml", "--runs", runs, "--no-report")
    assert re.search(rf"\({len(then)} of them before\), 0 calls sent", " ".join(told.split()))
    assert only(folder / runs) == before
    pd.testing.assert_frame_equal(frame(before), then)


def test_the_looks_decide_what_they_decided(folder: Path) -> None:
    before = json.loads((only(folder / "looked") / "looks.json").read_text(encoding="utf-8"))
    said(folder, "sweep", "looked.yaml", "--runs", "again", "--no-report")
    again = json.loads((only(folder / "again") / "looks.json").read_text(encoding="utf-8"))["looks"]
    assert {row.pop("setting") for row in again} == {"paper/0/single"}
    unlike = ("p", "conditional_power")  # the law of the mean over two tasks is t now, or sign flips
    for row, then in zip(again, before["looks"], strict=True):
        assert {name: row[name] for name in row if name not in unlike} == {name: then[name] for name in then if name not in unlike}
    then, now = frame(only(folder / "looked")), frame(only(folder / "again"))
    pd.testing.assert_frame_equal(now.drop(columns=CIRCUMSTANCES), then.drop(columns=CIRCUMSTANCES))


def answered(told: str) -> bool:
    return bool(
        re.search(r"32 of 32 trials recorded \(0 of them before\), 0 calls sent, 32 answers from the cache", " ".join(told.split()))
    )


def test_the_cache_answers_all_calls(folder: Path) -> None:
    assert answered(said(folder, "sweep", "cached.yaml", "--runs", "new", "--no-report", "--cache", "replay"))
    listed = json.loads(said(folder, "cache", "ls", "--json"))
    assert (listed["answers"], listed["damaged"], listed["without_request"]) == (32, 0, 0)


def test_the_bundle_is_imported_and_replayed(folder: Path) -> None:
    shutil.rmtree(folder / "home")
    assert "32 new answers" in " ".join(said(folder, "cache", "import", "bundle").split())
    assert answered(said(folder, "sweep", "bundle/experiment.yaml", "--runs", "new", "--cache", "replay", "--no-report"))
