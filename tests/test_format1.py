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
NUMBERS = ("diff", "p_value", "p_adjusted", "ci_low", "ci_high")
RENAMED = ("refused", "unclear")
"""Too little to tell was refused and is unclear; statuses say as before what is too little."""
NO_CHANGE_INTERVAL = "no answer changed: the exact bound in the place of a score interval"
OVER_TASKS = "a mean over tasks met a normal law; now sign flips within tasks, and Newcombe's interval or t"
CHANGED = {
    ("looked", "primary", "placebo", "emotionprompt"): "9 answers gained and none lost at a first look: p .0395, which Holm doubles",
    (
        "looked",
        "primary",
        "none",
        "emotionprompt",
    ): "8 answers gained and none lost at a first look: mid-p .0039, and the boundary asks .003",
    ("looked", "stimulus", "none", "emotionprompt/EP02"): "the same 8 answers",
}
"""Findings of the earlier version that the data do not carry: its normal law took 8 gained of 40 for p .0014 before the look."""
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
    names = (*KEPT, *NUMBERS, "gained", "lost", "status", "verdict")
    rows = [{name: c[name] for name in names} for c in report["comparisons"]]
    return {"run": report["run"], "state": report["state"], "headline": report["headline"], "comparisons": rows}


def agrees(found: dict[str, Any], runs: str) -> None:
    """What is found is what verdicts.json has for the run, numbers up to the last digits; what differs is named above."""
    wanted = json.loads((HERE / "verdicts.json").read_text(encoding="utf-8"))[runs]
    assert [found[name] for name in ("run", "state")] == [wanted[name] for name in ("run", "state")]
    assert len(found["headline"]) >= len({line.split(", ")[0] for line in wanted["headline"]}), "a line for each control at least"
    for now, before in zip(found["comparisons"], wanted["comparisons"], strict=True):
        unlike = {name for name in before if not same(now[name], before[name])}
        assert not unlike - allowed(now, before, runs), (unlike, now, before)


def same(now: object, before: object) -> bool:
    return now == (pytest.approx(before, rel=1e-9, abs=1e-12) if isinstance(before, float) else before)


def allowed(now: dict[str, Any], before: dict[str, Any], runs: str) -> set[str]:
    """Columns of one comparison that may differ from what the earlier version said, each for its reason."""
    found: set[str] = set()
    if (runs, *(before[name] for name in ("scope", "control", "treatment"))) in CHANGED:
        assert (before["verdict"], now["verdict"]) == ("helps", "unclear")
        found |= {"verdict"}
    if before["task"] is None:  # OVER_TASKS
        found |= {"ci_low", "ci_high", "p_value", "p_adjusted"}
        if runs == "imported":  # one task: its mean is the task, counts and all
            found |= {"gained", "lost"}
        if before["p_value"] is not None and runs != "imported":
            assert now["p_value"] >= before["p_value"], OVER_TASKS
    elif before["gained"] == before["lost"] == 0:
        assert now["ci_high"] == -now["ci_low"] > before["ci_high"], NO_CHANGE_INTERVAL
        found |= {"ci_low", "ci_high"}
    if (before["verdict"], now["verdict"]) == RENAMED and before["status"] in ("n_too_small", "missing_pairs"):
        found |= {"verdict", "p_adjusted"}
        if before["status"] == "missing_pairs":
            assert runs == "imported", "one answer of 24 is missing, and neither extreme turns the verdict"
            found |= {"status"}
    return found


@pytest.mark.long(but=2)
@pytest.mark.parametrize("runs", RUNS)
def test_a_run_opens_and_says_what_it_said(runs: str, folder: Path) -> None:
    found = judged(folder, runs)
    assert found["run"].startswith(f"{RUNS[runs]}-")
    agrees(found, runs)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("runs", RUNS)
def test_no_hash_of_it_is_accused(runs: str, folder: Path) -> None:
    page = json.loads(said(folder, "report", str(only(folder / runs)), "--page", "design", "--format", "json"))
    [audit] = [shown for shown in page if shown["title"].removeprefix("SIMULATED: ") == AUDIT]
    says = {row["what"]: row["result"].lstrip("■▼● ") for row in audit["rows"]}
    assert says.pop("plan") == "matches"
    if runs == "imported":
        assert says == {"file promptfoo.json": "unknown"}
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


@pytest.mark.long(but=1)
@pytest.mark.parametrize("runs", ["complete", "looked"])
def test_a_whole_one_is_recognised_and_nothing_is_asked(runs: str, folder: Path) -> None:
    before = only(folder / runs)
    then = frame(before)
    told = said(folder, "sweep", f"{RUNS[runs]}.yaml", "--runs", runs, "--no-report")
    assert re.search(rf"\({len(then)} of them before\), 0 calls sent", " ".join(told.split()))
    assert only(folder / runs) == before
    pd.testing.assert_frame_equal(frame(before), then)


def test_a_replay_of_another_version_is_not_called_different(folder: Path) -> None:
    assert "nothing differs in" in said(folder, "audit", str(only(folder / "looked")))


def test_the_looks_decide_what_they_decided(folder: Path) -> None:
    before = json.loads((only(folder / "looked") / "looks.json").read_text(encoding="utf-8"))
    said(folder, "sweep", "looked.yaml", "--runs", "again", "--no-report")
    again = json.loads((only(folder / "again") / "looks.json").read_text(encoding="utf-8"))["looks"]
    assert {row.pop("setting") for row in again} == {"paper/0/single"}
    [row], [then] = again, before["looks"]
    assert row | {"p": 0, "conditional_power": 0} == then | {"p": 0, "conditional_power": 0}
    assert (round(then["p"], 4), round(row["p"], 4)) == (0.0192, 0.0395), OVER_TASKS
    assert row["conditional_power"] > 0.95
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
