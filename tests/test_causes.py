"""What helped in a feedback loop: planted causes are named, intervals are by item, and arms are compared where they have cost the same.

`PROMPTLAB_SEEDS=20 pytest tests/test_causes.py` plays every simulated model 20 times; the suite plays each twice.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import designs
import runs
from promptlab.design.cross import draw_number, trials
from promptlab.design.render import render
from promptlab.nouns.arm import Strategy, Trial
from promptlab.nouns.call import Call, Completion
from promptlab.nouns.identity import digest
from promptlab.nouns.plan import Plan, PlannedArm, PlannedLoop
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting.build import build
from promptlab.reporting.causes import ATTEMPTS, EMOTION, TOKENS, VARIETY, causes, cut, loop_contrasts
from promptlab.reporting.loops import held, loop_arms, loop_rounds, progress
from promptlab.reporting.summary import summaries
from promptlab.running.simulate import World, reply
from promptlab.scoring.rules import task_metric
from promptlab.strategies import begun
from promptlab.strategies.loop import NO_ANSWER
from test_loops import CONTROLS, LIBRARY, conditions, converse, experiment, wrong

SEEDS = int(os.environ.get("PROMPTLAB_SEEDS", "2"))
PLANTED = {"anger": EMOTION, "attempts": ATTEMPTS, "tokens": TOKENS, "variety": VARIETY}


def played(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, Plan]:
    """Trials and calls of a run of loops, and its plan: strategies, simulated replies and metric as in a sweep, without the engine."""
    study = resolve(path)
    (model,) = study.design.models
    sim = study.sims[model.litellm_name.removeprefix("sim/")]
    world = World(study.design, study.sims)
    tasks = {task.id: task for task in study.design.tasks}
    metrics = {task.id: task_metric(task, "reference") for task in study.design.tasks}
    rows: list[dict[str, Any]] = []
    made: list[dict[str, Any]] = []
    for number, trial in enumerate(trials(study.design)):
        task, arm, metric = tasks[trial.task], trial.arm, metrics[trial.task]
        first = Call(model.name, render(task, trial.item, arm), {"temperature": 1, "seed": study.design.seed}, draw_number(trial, 1))
        strategy = begun(first, trial, designs.verifier(lambda text, metric=metric, item=trial.item: metric(text, item).score))
        call = next(strategy)
        n_calls = 0
        while True:
            answers = []
            for one in [call] if isinstance(call, Call) else call:
                shown = world.shown(one.messages)
                assert shown is not None
                draw = f"{study.design.seed}/{sim.seed}/{model.name}/{digest([dict(m) for m in one.messages])}/{one.draw}"
                said = reply(sim, model.name, designs.with_sampling(shown, one.sampling), draw, one.messages, None)
                answers.append(Completion(said.text, said.outcome, output_tokens=said.output_tokens))
                usd = 1e-6 * ((said.input_tokens or 0) + 4 * (said.output_tokens or 0))
                score = metric(said.text, trial.item).score if one.purpose == "answer" else None
                made.append(
                    {
                        "trial": str(number), "turn": n_calls, "round": one.round, "purpose": one.purpose, "score": score,
                        "text": said.text,
                        "input_tokens": said.input_tokens, "output_tokens": said.output_tokens, "cost_usd": usd, "emotion": one.emotion,
                    }
                )  # fmt: skip
                n_calls += 1
            try:
                call = strategy.send(answers[0] if isinstance(call, Call) else answers)
            except StopIteration as stop:
                score = metric(stop.value.text, trial.item).score
                break
        own = made[-n_calls:]
        rows.append(
            {
                "trial": str(number), "model": model.name, "task": task.name, "item": trial.item.id, "cluster": trial.item.cluster,
                "arm": arm.name, "setting": arm.setting.id, "placement": arm.setting.placement, "shots": arm.setting.shots,
                "strategy": arm.setting.strategy, "base_prompt": arm.setting.prompt, "outcome": "ok", "score": score, "n_calls": n_calls,
                "n_rounds": len({call["round"] for call in own if call["purpose"] == "answer"}),
                **{name: sum(call[name] for call in own) for name in ("input_tokens", "output_tokens", "cost_usd")},
            }
        )  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(made), make_plan(study)


def named(path: Path) -> dict[str, Any]:
    """The only cause that a run of `path` names."""
    rows, calls, plan = played(path)
    (found,) = causes(loop_contrasts(rows, progress(rows, calls, plan), plan), plan)
    return found


@pytest.mark.long(but=2)
@pytest.mark.parametrize("model", PLANTED)
def test_the_planted_cause_is_named(model: str, tmp_path: Path) -> None:
    controls = ", controls: [neutral_paraphrase, neutral_feedback, resample]"
    found = [
        named(experiment(tmp_path, f"sim/{model}", seed, 60, "sum, antonyms, sentiment", rounds=4, policies="[anger]", more=controls))
        for seed in range(SEEDS)
    ]
    counts = Counter(row["cause"] for row in found)
    others = [row["sentence"] for row in found if row["cause"] != PLANTED[model]]
    assert counts[PLANTED[model]] >= SEEDS - SEEDS // 20, (counts, others)
    assert found[0]["sentence"].startswith(f"What helped sim/{model}, heart-oracle (with oracle): {PLANTED[model]}.")


def test_neutral_wordings_vary_as_much_as_those_of_the_treatment() -> None:
    arms = conditions(["anger", "alternate", "fear", "escalate-anger"])
    shape = {name: tuple(map(len, arm.loop.cues)) for name, arm in arms.items() if arm.loop and arm.loop.cues}
    assert shape["heart/anger"] == shape["heart/fear"] == shape["neutral_paraphrase"] == (4, 4)
    assert shape["heart/alternate"] == shape["neutral_paraphrase/alternate"]
    assert shape["heart/escalate-anger"] == shape["neutral_paraphrase/escalate-anger"] == (1, 1)
    assert shape["neutral_feedback"] == (1,)
    assert set(CONTROLS) <= arms.keys()
    planned = [
        PlannedArm(name=n, loop="heart-oracle", spec={"cues": [[0] * k for k in shape.get(n, ())]}, role=a.role) for n, a in arms.items()
    ]
    plan = Plan(arms=tuple(planned), loops=(PlannedLoop(strategy="heart-oracle", rounds=3),))
    assert plan.matched("neutral_paraphrase", "heart/fear", "heart-oracle") == "neutral_paraphrase"
    assert plan.matched("neutral_paraphrase", "heart/alternate", "heart-oracle") == "neutral_paraphrase/alternate"
    assert plan.matched("resample", "heart/fear", "heart-oracle") == "resample"


def test_several_candidates_a_round_go_on_from_the_best_or_the_most_frequent() -> None:
    arms = conditions(["anger"], candidates=3)
    strategy: Strategy = arms["heart/anger"].strategy
    assert (strategy.max_calls, strategy.n_first) == (9, 3)
    assert arms["none"].strategy.max_calls == 1
    calls, said = [], [["a", "b", "b"], ["c", "near", "c"], ["right", "d", "d"]]
    trial = Trial(0, "t", designs.items(1)[0], arms["heart/anger"], "m", 0)
    judge = {"right": 1.0, "near": 0.5}
    steps = begun(Call("m", ({"role": "user", "content": "q"},), {"seed": 7}), trial, designs.verifier(lambda text: judge.get(text, 0.0)))
    asked = next(steps)
    for texts in said:
        calls.append(asked)
        assert [one.sampling["seed"] for one in asked] == [7, 10_007, 20_007]
        try:
            asked = steps.send([Completion(text, "ok") for text in texts])
        except StopIteration as stop:
            answer = stop.value
    assert answer.text == "right"
    assert [one[0].messages[-2]["content"] for one in calls[1:]] == ["a", "near"], "the best, the earliest of several"
    free = conditions(["anger"], candidates=3, mode="verifier_free", settle="majority")["heart/anger"]
    steps = begun(Call("m", ({"role": "user", "content": "q"},), {}), trial := designs.trial(designs.items(1)[0], free), None)
    next(steps)
    second = steps.send([Completion(text, "ok") for text in ("a", "b", "b")])
    assert second[0].messages[-2]["content"] == "b"
    assert trial.arm is free
    resampled = conditions(candidates=2)["resample"].loop
    assert resampled is not None
    assert resampled.max_calls == 6


def _made(answers: dict[str, list[float]], final: dict[str, float], arm: str, oracle: bool, draws: int = 1) -> tuple[Any, ...]:
    """Trials of one arm, `draws` for each item, each answer 10 tokens, and its plan."""
    loop = PlannedLoop(strategy="l", rounds=3, oracle=oracle, mode="oracle" if oracle else "verifier_free", settle="last")
    names = [(item, f"{item}/{draw}") for item in answers for draw in range(draws)]
    rows = [
        {"trial": t, "model": "m", "strategy": "l", "setting": "s", "arm": arm, "task": "t", "item": item, "score": final[item],
         "n_rounds": len(answers[item]), "n_calls": len(answers[item]), "input_tokens": 8, "output_tokens": 2, "cost_usd": 0.01}
        for item, t in names
    ]  # fmt: skip
    calls = [
        {"trial": t, "turn": n, "round": n, "purpose": "answer", "score": v, "text": str(v), "input_tokens": 8, "output_tokens": 2}
        for item, t in names
        for n, v in enumerate(answers[item])
    ]
    frame = pd.DataFrame(calls).assign(cost_usd=0.01, emotion=None)
    return pd.DataFrame(rows), frame, Plan(arms=(PlannedArm(name=arm),), loops=(loop,))


def test_intervals_are_by_item_and_never_by_draw() -> None:
    half = {f"i{n:02}": [float(n < 10)] for n in range(20)}
    rows, calls, plan = _made(half, {item: values[-1] for item, values in half.items()}, "l/x", oracle=True, draws=20)
    (row,) = loop_rounds(progress(rows, calls, plan))
    assert (row["n"], row["n_asked"], row["solved"]) == (20, 400, 0.5)
    assert (round(row["ci_low"], 3), round(row["ci_high"], 3)) == (0.299, 0.701), "Wilson at 20 items, not at 400 draws"
    (arm,) = loop_arms(rows, progress(rows, calls, plan), plan)
    assert (arm["n"], arm["answers"], arm["rounds_to_solve"]) == (20, 400, 2.5)
    assert arm["rounds_high"] - arm["rounds_low"] > 1


def test_without_an_oracle_only_the_final_answer_solves_an_item() -> None:
    answers = {"a": [1.0, 0.0, 0.0], "b": [0.0, 1.0, 1.0]}
    final = {item: values[-1] for item, values in answers.items()}
    for oracle, solved, rounds in ((False, 1, 3.5), (True, 2, 1.5)):
        rows, calls, plan = _made(answers, final, "l/x", oracle=oracle)
        steps = progress(rows, calls, plan)
        (arm,) = loop_arms(rows, steps, plan)
        assert (arm["n_solved"], arm["rounds_to_solve"]) == (solved, rounds)
        assert loop_rounds(steps)[-1]["solved"] == solved / 2
        assert loop_rounds(steps)[-1]["pass_at_k"] == 1.0
        assert [row["tokens"] for row in loop_rounds(steps)] == [10, 20, 30]


def test_an_arm_is_cut_where_it_has_cost_as_much_as_the_other() -> None:
    answers = {"a": [0.0, 1.0], "b": [0.0, 0.0, 1.0], "c": [0.0, 0.0, 0.0]}
    rows, calls, plan = _made(answers, {"a": 1.0, "b": 1.0, "c": 0.0}, "l/x", oracle=True)
    arm = held(progress(rows, calls, plan))
    for budget, expected in ((5, 0), (10, 0), (15, 1 / 6), (20, 1 / 3), (20 + 10 / 3, 1 / 2), (20 + 20 / 3, 2 / 3), (99, 2 / 3)):
        assert cut(arm, "tokens", budget).mean() == pytest.approx(expected), budget
    assert cut(arm, "usd", 0.015).mean() == pytest.approx(1 / 6)
    assert cut(arm, "rounds", 0).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.long
def test_the_report_answers_in_one_sentence_and_gives_each_arm_its_colour(tmp_path: Path) -> None:
    from promptlab.reporting.charts import GREY, series_colours

    path = experiment(tmp_path, "sim/variety", items=12, tasks="sum, antonyms", policies="[alternate, anger]", more=", candidates: 2")
    done = runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report", env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert done.returncode == 0, done.stderr
    assert "sim/variety, heart-oracle (with oracle)" in " ".join(done.stdout.split())
    folder = next((tmp_path / "runs").iterdir())
    report = runs.run("report", str(folder), "--format", "json")
    assert '"loop_causes"' in report.stdout, report.stderr
    (summary,) = summaries(build(Run(folder)))
    none = next(row.score for row in summary.rows if row.incumbent)
    anger = next(row for row in summary.rows if row.arm.startswith("heart/anger"))
    assert anger.diff == pytest.approx(anger.score - (none if summary.with_its_repeat is None else summary.with_its_repeat))
    shown = runs.run("report", str(folder), "--format", "markdown").stdout
    assert "equal tokens" in shown
    assert NO_ANSWER not in shown
    arms = [f"arm {n}" for n in range(12)] + ["neutral_paraphrase", "none"]
    colours = series_colours(arms)
    assert len(set(colours)) == len(arms)
    assert colours[arms.index("neutral_paraphrase")] == GREY
    assert converse(conditions()["heart/alternate"], wrong)[0][0].cue is None
    assert LIBRARY.cues
