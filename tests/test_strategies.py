"""Strategies as an experiment names them: by name, with parameters, with what they need of the scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import runs
from promptlab.nouns.arm import Strategy, Trial
from promptlab.nouns.call import Answer, Call
from promptlab.nouns.errors import FileProblems
from promptlab.nouns.steps import Reader, Steps
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import Study, resolve
from promptlab.record.store import Run
from promptlab.running.engine import Execution
from promptlab.running.sweep import run_sweep
from promptlab.strategies import STRATEGIES
from promptlab.strategies.loop import again

SEEN: list[Any] = []


def doubled(times: int = 2, word: str = "x") -> Strategy:
    """Asks `times` times at once and keeps the last answer; what the scoring reads in each is put aside."""

    def run(call: Call, trial: Trial, reader: Reader) -> Steps[Answer]:
        del trial
        completions = yield [again(call, n) for n in range(times)]
        for completion in completions:
            SEEN.append((completion.text, (yield from reader(completion.text))))
        return Answer(completions[-1].text, completions[-1].outcome)

    return Strategy("doubled", run, (times, word), max_calls=times, n_first=times, needs=frozenset({"reader"}))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "doubled", doubled)  # type: ignore[arg-type]  # a dict


def study(folder: Path, strategies: str, items: int = 3) -> Study:
    return resolve(runs.experiment(folder, tasks="sum", items=items, more=f"strategies: {strategies}\n"))


def test_parameters_name_the_setting_and_defaults_do_not(tmp_path: Path) -> None:
    names = {
        arm.strategy.name for arm in study(tmp_path, "[single, doubled, {doubled: {times: 3}}, {doubled: {word: y, times: 4}}]").design.arms
    }
    assert names == {"single", "doubled", "doubled-3", "doubled-4-y"}
    plain = study(tmp_path, "[doubled]")
    assert study(tmp_path, "[{doubled: {times: 2}}]").run_id == study(tmp_path, "[{doubled: {}}]").run_id == plain.run_id
    assert study(tmp_path, "[{doubled: {times: 3}}]").run_id != plain.run_id
    assert plain.experiment.canonical()["strategies"] == ["doubled"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{doubled: {time: 3}}", "the strategy 'doubled' has no parameter 'time'; did you mean 'times'?"),
        ("{doubled: {times: three}}", "times of the strategy 'doubled' must be a whole number, found 'three'"),
        ("{doubled: {times: true}}", "must be a whole number, found True"),
        ("{single: {times: 3}}", "the strategy 'single' has no parameter 'times'; it has none"),
        ("{twice: {times: 3}}", "the strategy 'twice' is not known"),
        ("{doubled: {}, single: {}}", "write one strategy with its parameters"),
        ("{}", "write one strategy"),
    ],
)
def test_what_is_wrong_with_parameters_is_told_with_its_line(entry: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblems) as error:
        study(tmp_path, f"\n  - single\n  - {entry}")
    assert told in str(error.value)
    lines = (tmp_path / "small.yaml").read_text().splitlines()
    assert f":{lines.index(f'  - {entry}') + 1}: " in str(error.value)


def test_calls_at_once_are_priced_and_what_is_read_in_each_is_known(tmp_path: Path) -> None:
    SEEN.clear()
    one, three = (make_plan(study(tmp_path, entry)) for entry in ("[single]", "[{doubled: {times: 3}}]"))
    assert three["counts"]["calls"] == 3 * one["counts"]["calls"] == 3 * one["counts"]["trials"]
    for name in ("calls", "output_tokens", "usd", "seconds_one_by_one"):
        low, high = ((row["estimates"][0][name],) * 2 if name == "calls" else row["estimates"][0][name] for row in (one, three))
        assert [b / a for a, b in zip(low, high, strict=True)] == pytest.approx([3, 3], rel=0.01), name
    found = study(tmp_path, "[{doubled: {times: 3}}]")
    assert any("at temperature 0" in note for note in found.notes)
    done = run_sweep(found, tmp_path / "runs", None, Execution(), lambda _: None)
    run = Run(done.folder)
    assert len(SEEN) == len(run.calls()) == 3 * len(run.trials())
    read = dict(SEEN)
    assert all(read[row["answer"]] == row["extracted"] for row in run.trials().to_dict("records"))
