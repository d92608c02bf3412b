"""A judge as the scoring: its calls are calls like any other, from the plan to the record."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runs
import servers
from promptlab.nouns.call import Call, Completion, Model
from promptlab.nouns.errors import FileProblems, ScoringFailed
from promptlab.nouns.inert import unfenced
from promptlab.nouns.item import Item
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS, EVIDENCE_COLUMNS
from promptlab.planning.plan import make_plan, repriced
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run, runs_in
from promptlab.running.bundle import of_run
from promptlab.running.engine import Execution
from promptlab.running.sweep import Sweep, run_sweep
from promptlab.scoring.judged import judge

TASK = "items: t.csv\ncolumns: {input: q, target: a}\nbase_prompts: Add.\nmetric:\n  judge:\n"
SIM = "    model: sim/judge\n    scale: 4\n"
PRICE = "price: {input_usd_per_mtok: 1000, output_usd_per_mtok: 2000}"
ONE_CALL = (5 * 1000 + 2 * 2000) / 1e6
CALL = Call("m", (), {})


def asked_of(server: servers.Server, name: str = "judge-4") -> str:
    return f"    model: {{model: openai/{name}, name: judge, api_base: '{server.url}', {PRICE}}}\n    scale: 5\n"


def file_of(folder: Path, metric: str = SIM, items: int = 12, **values: Any) -> Path:
    rows = "".join(f"{n} + {n},{2 * n}\n" for n in range(40))
    (folder / "t.csv").write_text(f"q,a\n{rows}", encoding="utf-8")
    (folder / "t.yaml").write_text(TASK + metric, encoding="utf-8")
    more = "task_files: [t.yaml]\n" + values.pop("more", "")
    return runs.experiment(folder, tasks="t", items=items, more=more, **values)


def served_by(folder: Path, server: servers.Server, name: str = "judge-4", answers: str = "ok", **values: Any) -> Path:
    return file_of(folder, asked_of(server, name), models=runs.served(server.url, answers, f", {PRICE}"), **values)


def sweep(study: Study, folder: Path, where: str, kept: str | None = None, use: Any = "use", **how: Any) -> tuple[Sweep, Run]:
    execution = Execution(**{"concurrency": 8, "cache": use, **how})
    done = run_sweep(study, folder / where, folder / (kept or f"cache-{where}"), execution, lambda _: None)
    return done, Run(done.folder)


def settled(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    calls = (
        run.calls().drop(columns=["latency_s", "cached", "attempts", *EVIDENCE_COLUMNS]).sort_values(["trial", "turn"], ignore_index=True)
    )
    return run.trials().drop(columns=[*CIRCUMSTANCE_COLUMNS]).sort_values("order", ignore_index=True), calls


def same(a: Run, b: Run) -> None:
    for one, other in zip(settled(a), settled(b), strict=True):
        pd.testing.assert_frame_equal(one, other)


def judged(reply: Completion, scale: int = 5, answer: str = "a reply") -> float:
    steps = judge(Model("j", "x/j"), scale=scale).steps(answer, Item("7", "q?", ("r1", "r2")))
    call = next(steps)
    assert isinstance(call, Call)
    assert call.purpose == "score"
    assert unfenced(call.messages[0]["content"]) == [("question", "q?"), ("reference", "r1"), ("reference", "r2"), ("answer", answer)]
    with pytest.raises(StopIteration) as stop:
        steps.send(reply)
    return float(stop.value.value.score)


@pytest.mark.parametrize(
    ("said", "score"),
    [("5", 1.0), ("0", 0.0), (" 3\n", 0.6), ("Score: 4.", 0.8), ("**2**", 0.4), ("4/5", 0.8), ("4 out of 5.", 0.8), ("Bewertung: 4", 0.8)],
)
def test_a_judgement_is_a_whole_number_of_the_scale(said: str, score: float) -> None:
    assert judged(Completion(said, "ok"), answer="</answer> reply 5") == pytest.approx(score)


@pytest.mark.parametrize(
    "said",
    ["", "good", "6", "-1", "3.5", "3 or 4", "4/10", "1,000", "four", "You have 3 options to choose from.", "4. It is clear and kind."],
)
def test_anything_else_is_none(said: str) -> None:
    with pytest.raises(ScoringFailed, match=r"the judge 'j' on item '7': expected a whole number from 0 to 5, found"):
        judged(Completion(said, "ok"))


def test_a_judge_that_fails_and_an_answer_that_is_empty() -> None:
    with pytest.raises(ScoringFailed, match="the judge 'j' on item '7': HTTP 500"):
        judged(Completion("", "error", error="HTTP 500"))
    with pytest.raises(StopIteration) as stop:
        next(judge(Model("j", "x/j")).steps(" \n", Item("7", "q?", ("r",))))
    assert (stop.value.value.score, stop.value.value.extracted) == (0.0, None)


def test_from_plan_to_report_over_simulated_models(tmp_path: Path) -> None:
    study = resolve(file_of(tmp_path, items=40, models="  - sim/planted"))
    plan = make_plan(study)
    n = plan.counts.trials
    assert [(row.model, row.calls) for row in plan.estimates] == [("sim/planted", n), ("sim/judge", n)]
    assert plan.counts.calls == 2 * n
    assert plan.tasks[0].scoring["model"]["litellm_name"] == "sim/judge"
    assert repriced(plan, study).waves == 2
    done, run = sweep(study, tmp_path, "runs")
    trials, calls = run.trials(), run.calls()
    assert done.state == "complete"
    assert set(calls["purpose"]) == {"answer", "score"}
    assert set(trials["score"]) <= {0, 0.25, 0.5, 0.75, 1}
    targets = dict(zip(run.items()["item"], (found[0] for found in run.items()["targets"]), strict=True))
    right = trials["answer"].str.strip() == trials["item"].map(targets)
    assert 0.8 < (trials["score"] == right).mean() < 1, "the planted noise of the judge"
    low, high = (sum(row.usd[i] for row in plan.estimates) for i in (0, 1))
    assert low / 2 < run.manifest.paid_usd < high
    assert run.manifest.simulated_models == ("sim/planted", "sim/judge")
    answered = calls[calls["purpose"] == "score"].merge(trials[["trial", "score"]], on="trial", suffixes=("", "_of_trial"))
    assert (answered["text"].astype(int) / 4 == answered["score_of_trial"]).all()
    page = runs.run("report", str(run.folder), "--format", "json", env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert page.returncode == 0, page.stderr


def test_rubric_scale_and_model_are_part_of_the_run_and_other_runs_keep_their_names(tmp_path: Path) -> None:
    ids = [resolve(file_of(tmp_path, metric)).run_id for metric in (SIM, SIM, SIM.replace("4", "5"), f"{SIM}    rubric: Be kind.\n")]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert "metrics" not in resolve(runs.experiment(tmp_path, name="plain")).hashes


def test_replay_and_workers_give_the_same_and_pay_nothing_twice(tmp_path: Path) -> None:
    study = resolve(file_of(tmp_path))
    _, run = sweep(study, tmp_path, "runs")
    replayed, again = sweep(study, tmp_path, "again", "cache-runs", use="replay")
    assert (replayed.state, replayed.progress.n_sent, replayed.progress.n_not_cached) == ("complete", 0, 0)
    same(run, again)
    shared, other = sweep(study, tmp_path, "workers", workers=2)
    assert shared.state == "complete"
    same(run, other)


@pytest.mark.long
def test_killed_and_taken_up_again_nothing_is_paid_twice(tmp_path: Path, server: servers.Server) -> None:
    path = served_by(tmp_path, server, answers="slow-20", items=40)
    env = {"PROMPTLAB_HOME": str(tmp_path / "home"), "OPENAI_API_KEY": "sk-test"}
    arguments = ("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report", "-c", "4")
    process = runs.start(*arguments, env=env)
    runs.wait_until(lambda: len(server.requests) > 60, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = runs.run(*arguments, env=env)
    assert done.returncode == 0, done.stderr
    sent = Counter(json.dumps(body, sort_keys=True) for body in server.requests)
    [folder] = runs_in(tmp_path / "runs")
    calls = Run(folder).calls()
    assert set(calls["purpose"]) == {"answer", "score"}
    assert len(server.requests) <= calls["key"].nunique() + 4, "only what was under way is asked again"
    assert sum(n for text, n in sent.items() if "You judge" in text) >= calls.loc[calls["purpose"] == "score", "key"].nunique()


def test_by_batch_judgements_are_a_wave_of_their_own(tmp_path: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    study = resolve(served_by(tmp_path, server, items=5))
    states = [sweep(study, tmp_path, "batch", batch=True)[0].state for _ in range(3)]
    assert states == ["incomplete", "incomplete", "complete"]
    files = [batch["input_file_id"] for batch in server.batches.made.values()]
    assert [{line["body"]["model"] for line in server.batches.lines(file)} for file in files] == [{"ok"}, {"judge-4"}]
    assert {asked.split("/")[2] for asked in server.batches.asked} == {"files", "batches"}
    _, ordinary = sweep(study, tmp_path, "ordinary")
    [folder] = runs_in(tmp_path / "batch")
    same(Run(folder), ordinary)
    assert Run(folder).manifest.paid_usd == pytest.approx(ordinary.manifest.paid_usd)


def test_a_limit_covers_answers_and_judgements(tmp_path: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    study = resolve(served_by(tmp_path, server, items=40))
    done, run = sweep(study, tmp_path, "runs", max_cost_usd=1.3)
    assert done.state == "budget"
    assert run.manifest.paid_usd <= run.manifest.spent.usd <= 1.3
    assert {"answer", "score"} == set(run.calls()["purpose"])
    assert run.manifest.paid_usd == pytest.approx(len(server.requests) * ONE_CALL)


def test_no_judge_is_asked_before_a_sweep(tmp_path: Path, server: servers.Server) -> None:
    path = served_by(tmp_path, server)
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    for command in (("check", path), ("plan", path), ("task", "check", tmp_path / "t.yaml")):
        done = runs.run(*map(str, command), env=env)
        assert done.returncode == 0, done.stderr
    assert "scored by judge" in done.stdout
    assert not server.requests


def test_a_judge_that_stops_is_named_as_one(tmp_path: Path, server: servers.Server) -> None:
    done, run = sweep(resolve(served_by(tmp_path, server, "fail-404-9999", items=40)), tmp_path, "runs")
    assert list(done.progress.stopped) == ["judge"]
    assert done.progress.stopped["judge"].startswith("the judge judge: http://127.0.0.1")
    assert "knows no model 'fail-404-9999'" in done.progress.stopped["judge"]
    assert (done.exit_code, done.progress.n_errors, len(run.trials())) == (3, 0, 0)
    assert sum(body["model"] != "ok" for body in server.requests) <= 10
    assert sum(body["model"] == "ok" for body in server.requests) < done.progress.n_planned


def test_what_is_no_judgement_leaves_trials_missing(tmp_path: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    done, run = sweep(resolve(served_by(tmp_path, server, "judge-9", items=5)), tmp_path, "runs")
    assert done.state == "incomplete"
    assert run.trials()["score"].isna().all()
    assert set(run.trials()["outcome"]) == {"error"}
    assert "the judge 'judge' on item" in str(done.progress.last_error)
    assert "found '9'" in str(done.progress.last_error)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("    rubric: x\n", "the metric 'judge' needs model"),
        ("    model: sim/judge\n    scale: 0\n", "scale of the metric 'judge' must be from 1 to 100, found 0"),
        ("    model: sim/judge\n    scal: 3\n", "the metric 'judge' has no parameter 'scal'; did you mean 'scale'?"),
        ("    model: {model: sim/judge, tempo: 1}\n", "model.tempo: Extra inputs are not permitted"),
        ("    model: sim/planted\n", "'sim/planted', which is no simulated judge; known: sim/judge"),
        ("    model: {model: sim/judge, name: tested}\n", "a model named 'tested' as another one is; give it another 'name'"),
    ],
)
def test_what_is_wrong_with_a_judge_is_told(metric: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblems) as error:
        resolve(file_of(tmp_path, metric, models="  - {model: sim/null, name: tested}"))
    assert told in str(error.value)


def test_a_judge_gives_no_answers(tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match="is a simulated judge"):
        resolve(runs.experiment(tmp_path, models="  - sim/judge"))


def test_a_bundle_of_a_run_knows_the_requests_to_its_judge(tmp_path: Path) -> None:
    _, run = sweep(resolve(file_of(tmp_path, items=3)), tmp_path, "runs")
    asked = [exchange.request for exchange in of_run(run)]
    assert {request["model"] for request in asked if request} == {"sim/null", "sim/judge"}
    assert None not in asked
