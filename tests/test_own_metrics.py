"""Metrics of the user's own: beside the event loop, believed only where they return a score, and part of what a run is."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runs
import servers
from promptlab.nouns.call import Scored
from promptlab.nouns.errors import ScoringFailed
from promptlab.nouns.item import Item
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.reporting import build
from promptlab.running.engine import Execution
from promptlab.running.sweep import Sweep, run_sweep
from promptlab.scoring.code import Consent, found
from promptlab.scoring.own import own_scoring, settled

TASK = "items: t.csv\ncolumns: {input: q, target: a}\nmetric: mine:score\nbase_prompts: Add.\n"
ALL = Consent(everything=True)
RIGHT = "def score(answer, item):\n    return answer.strip() in item.targets\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a task of 20 items, an experiment over it, and the metric that only comes with `metric`."""
    import sys

    rows = "".join(f"{n} + {n},{2 * n}\n" for n in range(20))
    (tmp_path / "t.csv").write_text(f"q,a\n{rows}", encoding="utf-8")
    (tmp_path / "t.yaml").write_text(TASK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("mine", None)


def metric(here: Path, source: str) -> None:
    (here / "mine.py").write_text(source, encoding="utf-8")


def study(here: Path, **values: Any) -> Study:
    return resolve(runs.experiment(here, **{"tasks": "t", "items": 20, "more": "task_files: [t.yaml]\n", **values}), consent=ALL)


def sweep(here: Path, found: Study, where: str = "runs", **how: Any) -> tuple[Sweep, Run]:
    done = run_sweep(found, here / where, here / "cache", Execution(**{"concurrency": 8, **how}), lambda _: None)
    return done, Run(done.folder)


def scored(source: str, here: Path, answer: str = "x") -> Scored:
    metric(here, source)
    code = found("mine:score", "the metric 'mine:score'", here / "t.yaml", [here], ALL)
    return settled(own_scoring(code).steps(answer, Item("7", "q", ("x",))))


def test_what_counts_as_a_score(here: Path) -> None:
    assert scored("def score(a, i):\n    return True\n", here) == Scored(1.0, "x")
    assert scored("def score(a, i):\n    return 0.25\n", here) == Scored(0.25, "x")
    assert scored("async def score(a, i):\n    return 0.5\n", here) == Scored(0.5, "x")
    assert scored("import numpy\ndef score(a, i):\n    return numpy.bool_(True)\n", here) == Scored(1.0, "x")
    assert scored("from promptlab.schema import Scored\ndef score(a, i):\n    return Scored(0, None)\n", here) == Scored(0.0, None)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("1.5", r"returned the score 1\.5"),
        ("-0.1", r"returned the score -0\.1"),
        ("float('nan')", "returned the score nan"),
        ("None", "returned NoneType: None"),
        ("'good'", "returned str: 'good'"),
        ("Scored('1', None)", "returned a score that is str: '1'"),
        ("Scored(1, 3)", "returned as extracted int: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("exit(3)", "SystemExit: 3"),
    ],
)
def test_what_does_not_names_function_item_and_value(result: str, told: str, here: Path) -> None:
    with pytest.raises(ScoringFailed, match=rf"the metric 'mine:score' on item '7'.*{told}"):
        scored(f"from promptlab.schema import Scored\ndef score(a, i):\n    return {result}\n", here)


def test_a_trial_without_a_score_is_missing_and_the_sweep_goes_on(here: Path) -> None:
    metric(
        here,
        "def score(answer, item):\n    if item.id == '3':\n        raise KeyError('no such word')\n    return 1 if item.id != '4' else 7\n",
    )
    done, run = sweep(here, study(here))
    trials = run.trials()
    missing = trials[trials["item"].isin(["3", "4"])]
    assert done.state == "incomplete"
    assert set(missing["outcome"]) == {"error"}
    assert missing["score"].isna().all()
    assert set(missing["error"]) == {
        "the metric 'mine:score' on item '3': KeyError: 'no such word'",
        "the metric 'mine:score' on item '4' returned the score 7.0; expected a number from 0 to 1",
    }
    rest = trials[~trials["item"].isin(["3", "4"])]
    assert len(rest) == len(trials) * 18 // 20
    assert rest["score"].eq(1).all()
    assert done.progress.last_error in set(missing["error"])
    assert done.progress.n_errors == len(missing)


def test_the_command_tells_the_same_problems_without_stopping_at_the_first(here: Path) -> None:
    metric(here, "def score(answer, item):\n    return 1 if item.id < '18' else {'18': 2, '19': None}.get(item.id, 0.5)\n")
    env = {"PROMPTLAB_HOME": str(here / "home")}
    found = runs.run("task", "check", "t.yaml", "--allow-code", env=env, cwd=here)
    assert found.returncode == 2
    assert "on item '18' returned the score 2.0" in found.stdout
    assert "on item '19' returned NoneType: None" in found.stdout
    assert "item 2: the right answer '2' scores 0.5" in found.stdout
    value = json.loads(runs.run("task", "check", "t.yaml", "--allow-code", "--json", env=env, cwd=here).stdout)
    assert [row["item"] for row in value["gold_failed"]] == ["18", "19"]
    path = runs.experiment(here, tasks="t", items=20, more="task_files: [t.yaml]\n")
    notes = runs.run("check", str(path), "--allow-code", env=env, cwd=here)
    assert notes.returncode == 0
    assert "2 right answers of items in use get no score" in notes.stdout
    swept = runs.run("sweep", str(path), "--runs", "runs", "--allow-code", env=env, cwd=here)
    assert swept.returncode == 3
    assert "last error: the metric 'mine:score' on item '1" in swept.stdout


def test_another_metric_is_another_run(here: Path) -> None:
    metric(here, RIGHT)
    before, same = study(here), study(here)
    assert before.run_id == same.run_id
    metric(here, RIGHT.replace("return", "return not"))  # read anew, also within one process and one second
    after = study(here)
    assert after.run_id != before.run_id
    assert {k for k in before.hashes if before.hashes[k] != after.hashes[k]} == {"metrics"}
    (here / "t.yaml").write_text(TASK.replace("mine:score", "number"), encoding="utf-8")
    assert "metrics" not in study(here).hashes
    scores = [sweep(here, one)[1].trials()["score"] for one in (before, after)]
    pairs = set(zip(*scores, strict=True))
    assert pairs == {(0.0, 1.0), (1.0, 0.0)}


SLOW = """import time
RAN = []
def score(answer, item):
    if answer.startswith("answer") and int(item.id) % 2:
        started = time.monotonic()
        time.sleep(0.2)
        RAN.append((started, time.monotonic()))
    return 1
"""


def test_a_slow_metric_never_blocks_the_event_loop(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metric(here, SLOW)
    server = servers.start()
    beats: list[tuple[float, int]] = []

    async def heartbeat() -> None:
        while True:
            beats.append((time.monotonic(), len(server.requests)))
            await asyncio.sleep(0.01)

    run = asyncio.run

    async def beside(main: Any) -> Any:
        beating = asyncio.ensure_future(heartbeat())
        try:
            return await main
        finally:
            beating.cancel()

    try:
        found = study(here, models=runs.served(server.url, "slow-50"), items=20)
        monkeypatch.setattr("promptlab.running.sweep.asyncio.run", lambda main: run(beside(main)))
        done, _ = sweep(here, found, concurrency=32)
    finally:
        server.shutdown()
        server.server_close()
    import mine  # type: ignore[import-not-found]  # made above

    assert done.state == "complete"
    assert len(mine.RAN) == done.progress.n_planned / 2
    beaten = [sum(start < beat < end for beat, _ in beats) for start, end in mine.RAN]
    assert sum(n > 0 for n in beaten) > 0.8 * len(beaten), "the loop goes on while metrics run; it would not even once if they blocked it"
    assert any(a[1] < b[1] for start, end in mine.RAN for a, b in pairwise([x for x in beats if start < x[0] < end])), "and requests too"
    taken = max(end for _, end in mine.RAN) - min(start for start, _ in mine.RAN)
    assert taken < 0.2 * len(mine.RAN) / 2, "metrics run beside each other"


def test_work_runs_in_threads_of_its_own_unless_it_is_async(here: Path) -> None:
    where = "import threading\nSEEN = set()\n{} score(answer, item):\n    SEEN.add(threading.current_thread().name)\n    return 1\n"
    metric(here, where.format("def"))
    found = study(here, items=5)
    sweep(here, found)
    import mine

    assert any(name.startswith("promptlab-metrics") for name in mine.SEEN)
    mine.SEEN.clear()
    sweep(here, found, "again")
    assert all(name.startswith("promptlab-metrics") for name in mine.SEEN)
    assert threading.main_thread().name not in mine.SEEN


def settled_rows(run: Run) -> pd.DataFrame:
    return run.trials().drop(columns=[*CIRCUMSTANCE_COLUMNS])


@pytest.mark.long
def test_stored_answers_are_scored_again_by_the_metric_as_it_is_now(here: Path) -> None:
    metric(here, RIGHT)
    path = runs.experiment(here, tasks="t", items=20, more="task_files: [t.yaml]\n")
    env = {"PROMPTLAB_HOME": str(here / "home")}
    _, old = sweep(here, study(here))
    before = (old.folder / "manifest.json").read_bytes(), old.trials()
    same = runs.run("rescore", str(old.folder), "--allow-code", env=env, cwd=here)
    assert (same.returncode, "nothing has changed" in same.stderr) == (2, True)
    metric(here, "def score(answer, item):\n    return 'Add. 1' not in item.input and len(answer) % 2 == 0\n")
    done = runs.run("rescore", str(old.folder), "--allow-code", env=env, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "0 calls sent" in done.stdout
    new = Run(here / "runs" / resolve(path, consent=ALL).run_id)
    assert new.id != old.id
    assert new.manifest.counts.sent == 0
    assert (old.folder / "manifest.json").read_bytes() == before[0]
    pd.testing.assert_frame_equal(old.trials(), before[1])
    assert not new.trials()["score"].equals(before[1]["score"])
    _, fresh = sweep(here, study(here), "fresh")
    assert fresh.id == new.id
    pd.testing.assert_frame_equal(settled_rows(new), settled_rows(fresh))
    assert build(new).comparisons == build(fresh).comparisons


def test_another_scorer_and_trials_without_an_answer(here: Path) -> None:
    path = runs.experiment(here, tasks="sum", items=5)
    env = {"PROMPTLAB_HOME": str(here / "home")}
    _, old = sweep(here, resolve(path))
    done = runs.run("rescore", str(old.folder), "--scorer", "strict", env=env, cwd=here)
    assert done.returncode == 0, done.stderr
    [new] = [Run(folder) for folder in (here / "runs").iterdir() if folder.name != old.id]
    path.write_text(path.read_text().replace("scorer: reference", "scorer: strict"))
    assert (new.id, new.plan.scorer) == (resolve(path).run_id, "strict")
    path.write_text(path.read_text().replace("items: 5", "items: 6"))
    more = runs.run("rescore", str(old.folder), "--allow-code", env=env, cwd=here)
    assert more.returncode == 3
    assert "not in the cache" in more.stdout
    assert "completes this run" in more.stdout
    path.unlink()
    gone = runs.run("rescore", str(old.folder), "--allow-code", env=env, cwd=here)
    assert (gone.returncode, "name the file with --experiment" in gone.stderr) == (2, True)
