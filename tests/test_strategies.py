"""Strategies as an experiment names them: by name, with parameters, with what they need of the scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runs
from promptlab.nouns.arm import Reader, Steps, Strategy, Trial
from promptlab.nouns.call import Answer, Call, Completion
from promptlab.nouns.errors import FileProblems
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
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
    assert three.counts.calls == 3 * one.counts.calls == 3 * one.counts.trials
    for name in ("calls", "output_tokens", "usd", "seconds_one_by_one"):
        low, high = ((value,) * 2 if name == "calls" else value for value in (getattr(row.estimates[0], name) for row in (one, three)))
        assert [b / a for a, b in zip(low, high, strict=True)] == pytest.approx([3, 3], rel=0.01), name
    found = study(tmp_path, "[{doubled: {times: 3}}]")
    assert any("at temperature 0" in note for note in found.notes)
    done = run_sweep(found, tmp_path / "runs", None, Execution(), lambda _: None)
    run = Run(done.folder)
    assert len(SEEN) == len(run.calls()) == 3 * len(run.trials())
    read = dict(SEEN)
    assert all(read[row["answer"]] == row["extracted"] for row in run.trials().to_dict("records"))


def voted(*replies: tuple[str, str | None]) -> Answer:
    """What a vote makes of replies and of what is read in them; None is a reply that failed."""
    strategy = STRATEGIES["vote"](samples=len(replies))
    read = dict(replies)

    def reader(text: str) -> Steps[str | None]:
        yield from ()
        return read[text]

    steps = strategy.run(Call("m", (), {"seed": 3}), None, reader)  # type: ignore[arg-type]  # it does not look at the trial
    calls = next(steps)
    assert len({call.draw for call in calls}) == len({call.sampling["seed"] for call in calls}) == len(replies)
    assert calls[0].key == Call("m", (), {"seed": 3}).key, "the first sample is the single answer"
    with pytest.raises(StopIteration) as stop:
        steps.send(
            [Completion(text, "error" if text == "failed" else "ok", error="HTTP 500" if text == "failed" else None) for text, _ in replies]
        )
    answer: Answer = stop.value.value
    return answer


def test_a_vote_is_about_what_is_read_and_ties_go_to_the_earliest() -> None:
    assert voted(("It is 3.", "3"), ("4", "4"), ("four: 4", "4")).text == "4"
    assert voted(("It is 3.", "3"), ("4", "4"), ("I say 3", "3"), ("4!", "4")).text == "It is 3."
    assert voted(("what?", None), ("no idea", None), ("4", "4")).text == "4"
    assert voted(("what?", None), ("no idea", None)).outcome == "ok"
    failed = voted(("4", "4"), ("failed", None))
    assert (failed.outcome, failed.error) == ("error", "HTTP 500")


def test_a_vote_from_plan_to_record(tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=20, models="  - sim/retry", more="strategies: [single, {vote: {samples: 3}}]\n")
    path.write_text(path.read_text().replace("temperature: 0", "temperature: 1"))
    found = resolve(path)
    plan = make_plan(found).plain()
    assert {setting["strategy"] for setting in plan["settings"]} == {"single", "vote-3"}
    assert plan["counts"]["calls"] == 2 * plan["counts"]["trials"], "one call, and three"
    done = run_sweep(found, tmp_path / "runs", tmp_path / "cache", Execution(), lambda _: None)
    run = Run(done.folder)
    assert done.state == "complete"
    trials, calls = run.trials(), run.calls()
    mine = trials[trials["strategy"] == "vote-3"]
    assert mine["n_calls"].eq(3).all()
    assert (calls.merge(mine[["trial"]])["key"].nunique()) == 3 * len(mine), "independent draws, also of the A/A arm"
    for _, group in calls.merge(mine[["trial", "answer", "score"]], on="trial", suffixes=("", "_of_trial")).groupby("trial"):
        texts = list(group.sort_values("turn")["text"])
        most = max(texts.count(text) for text in texts)
        assert group["answer"].iloc[0] == next(text for text in texts if texts.count(text) == most)
        assert group.loc[group["text"] == group["answer"], "score"].eq(group["score_of_trial"].iloc[0]).all()
    workers = run_sweep(found, tmp_path / "workers", None, Execution(workers=2), lambda _: None)
    pd.testing.assert_series_equal(Run(workers.folder).trials()["answer"], trials["answer"])
    with pytest.raises(FileProblems, match="samples of the strategy 'vote' must be from 2 to 100, found 1"):
        study(tmp_path, "[{vote: {samples: 1}}]")
