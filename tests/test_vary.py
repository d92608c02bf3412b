"""Factors of sampling: each level is a setting of its own, sent as it is, recorded, and judged within itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptlab.nouns.errors import FileProblems
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import build
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment
from servers import Server

LEVELS = "vary: {temperature: [0.0, 0.7], reasoning_effort: [low, high]}"


def only(url: str) -> str:
    return f"  - {{model: openai/ok, name: m, api_base: '{url}'}}"


@pytest.mark.long
def test_each_level_is_sent_recorded_and_judged_within_itself(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, tasks="sum", models=only(server.url), items=20, more=LEVELS)
    done = run_sweep(resolve(path), tmp_path / "runs", None, Execution(8), lambda progress: None)
    run = Run(done.folder)
    trials = run.trials()
    ids = [f"paper/0/single/reasoning_effort={effort}/temperature={t}" for t in ("0.0", "0.7") for effort in ('"low"', '"high"')]
    assert set(trials["setting"]) == set(ids)
    assert trials.groupby("setting").size().nunique() == 1
    sent = run.calls().merge(trials[["trial", "setting"]], on="trial")
    for requested, setting in zip(sent["requested"].map(json.loads), sent["setting"], strict=True):
        assert setting == f'paper/0/single/reasoning_effort="{requested["reasoning_effort"]}"/temperature={requested["temperature"]}'
    bodies = server.requests
    assert {(body["temperature"], body["reasoning_effort"]) for body in bodies} == {(t, e) for t in (0.0, 0.7) for e in ("low", "high")}
    report = build(run)
    assert {c.setting.id for c in report.comparisons} == set(ids)
    assert run.plan.counts.trials == len(trials) == 4 * 20 * len(run.plan.arms)


def test_levels_are_planned_and_cost_what_they_send(tmp_path: Path) -> None:
    one = make_plan(resolve(experiment(tmp_path, models="  - sim/planted", items=20)))
    (tmp_path / "more").mkdir()
    two = make_plan(resolve(experiment(tmp_path / "more", models="  - sim/planted", items=20, more="vary: {temperature: [0.0, 1.0]}")))
    assert two.counts.calls == 2 * one.counts.calls
    assert len([h for h in two.hypotheses if h.contrast is None]) == 2 * len(one.hypotheses)
    assert {h.scope for h in two.hypotheses if h.contrast} == {"level", "arm"}


def test_without_levels_nothing_is_another_run(tmp_path: Path) -> None:
    plain = resolve(experiment(tmp_path, models="  - sim/planted", items=20))
    empty = resolve(experiment(tmp_path, models="  - sim/planted", items=20, more="vary: {temperature: []}"))
    levels = resolve(experiment(tmp_path, models="  - sim/planted", items=20, more="vary: {temperature: [0.5]}"))
    assert plain.run_id == empty.run_id != levels.run_id


def test_an_unknown_factor_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match=r"unknown key 'warmth'; known: .*'reasoning_effort'.*'temperature'"):
        resolve(experiment(tmp_path, models="  - sim/planted", items=20, more="vary: {warmth: [1]}"))
