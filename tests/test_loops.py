"""Feedback loops: what is sent in every arm and mode, what is recorded, what is refused, and what simulated models are judged as."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import designs
import runs
from conftest import ROOT
from promptlab.design.loops import candidates, loop_arms, policy_name
from promptlab.design.render import PRESETS, render
from promptlab.explorer.loops import turns
from promptlab.nouns.arm import Arm, Loop, Trial
from promptlab.nouns.call import Answer, Call, Completion
from promptlab.nouns.errors import FileProblems
from promptlab.nouns.plan import Plan, PlannedArm, PlannedLoop
from promptlab.nouns.setting import Setting
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import Report, arm_table, build, to_html, to_markdown
from promptlab.reporting.loops import emotion_transitions, loop_rounds, progress
from promptlab.sources.spec.libraries import all_stimuli, load_cues
from promptlab.sources.tasks import load_task
from promptlab.strategies import begun
from promptlab.strategies.loop import DRAWS_A_ROUND, NO_ANSWER, SETTLE, SURE, majority
from servers import Server

LIBRARY = load_cues(ROOT / "stimuli" / "heart.yaml")
COT = all_stimuli()["chain_of_thought/CT01"]
CONTROLS = ["neutral_feedback", "neutral_paraphrase", "resample", "self_reflection", "chain_of_thought"]
TASK = load_task("sum", "twin")
ITEM = TASK.items[0]


def conditions(policies: Sequence[Any] = ("alternate",), **changes: Any) -> dict[str, Arm]:
    spec = replace(Loop("feedback", 3, "oracle", verdict=LIBRARY.verdict, request=LIBRARY.request, seed=5), **changes)
    settings = [(Setting("paper", 0, "heart-oracle", prompt="human"), PRESETS["paper"])]
    found = loop_arms("heart", "heart-oracle", spec, policies, CONTROLS, LIBRARY.cues, LIBRARY.reflection, COT, settings)
    return {a.name: a for a in found}


def converse(
    arm: Arm, replies: Callable[[int], str], judge: Callable[[str], float] = lambda text: float(text == "right")
) -> tuple[list[Call], Answer]:
    """All calls of a trial whose n-th call is answered with `replies(n)`."""
    trial = Trial(0, TASK.id, ITEM, arm, "m", 0)
    first = Call("m", render(TASK, ITEM, arm), {"temperature": 1, "seed": 7}, draw=2)
    strategy = begun(first, trial, designs.verifier(judge))
    calls = [next(strategy)]
    while True:
        try:
            calls.append(strategy.send(Completion(replies(len(calls) - 1), "ok", output_tokens=10)))
        except StopIteration as stop:
            return calls, stop.value


def wrong(n: int) -> str:
    return f"wrong {n}"


def test_a_loop_says_verdict_cue_and_request_until_the_answer_is_right() -> None:
    arm = conditions(["anger"])["heart/anger"]
    calls, answer = converse(arm, lambda n: "right" if n == 1 else "wrong")
    assert len(calls) == 2
    assert answer.text == "right"
    first, second = (list(call.messages) for call in calls)
    assert second[: len(first)] == first
    assert second[len(first)] == {"role": "assistant", "content": "wrong"}
    said = second[-1]["content"]
    assert said.startswith(f"{LIBRARY.verdict} ")
    assert said.endswith(f" {LIBRARY.request}")
    assert said[len(LIBRARY.verdict) + 1 : -len(LIBRARY.request) - 1] in {cue.text for cue in LIBRARY.of("anger")}
    assert (calls[1].round, calls[1].emotion, calls[0].emotion) == (1, "anger", None)
    assert len(converse(arm, wrong)[0]) == 3, "R rounds and no more"
    assert len(converse(arm, lambda n: "right")[0]) == 1, "a right first answer is not talked about"


def test_arms_share_their_first_request_and_their_places_in_the_list_of_cues() -> None:
    arms = conditions(["random", "alternate"])
    asked = {arm: converse(c, wrong)[0] for arm, c in arms.items()}
    same = [arm for arm in arms if arm != "chain_of_thought"]
    assert {asked[arm][0].key for arm in same} == {asked["none"][0].key}
    emotional = [c for c in LIBRARY.cues if c.emotion != "neutral"]
    neutral = [c for c in LIBRARY.cues if c.emotion == "neutral"]
    for one, other in zip(asked["heart/random"][1:], asked["neutral_paraphrase"][1:], strict=True):
        place = [c.key for c in emotional].index(str(one.cue))
        assert other.cue == neutral[place].key, "counterparts meet"
        text = one.messages[-1]["content"].replace(emotional[place].text, neutral[place].text)
        assert text == other.messages[-1]["content"], "nothing but the cue differs"


def test_two_hundred_random_pairs_of_arms_differ_in_the_remark_alone() -> None:
    rng = random.Random(3)
    texts = {cue.key: cue.text for cue in LIBRARY.cues}
    for _ in range(200):
        mode = rng.choice(["oracle", "self_judge", "verifier_free"])
        policy = rng.choice(["random", "alternate", "fear", "escalate-anger", ["sadness", "happiness"]])
        arms = conditions([policy], rounds=rng.randrange(2, 6), mode=mode, seed=rng.randrange(1000))
        one, other = arms[f"heart/{policy_name(policy)}"], arms[rng.choice(["neutral_feedback", "neutral_paraphrase"])]
        pairs = list(zip(converse(one, wrong)[0], converse(other, wrong)[0], strict=True))
        for a, b in pairs:
            assert (a.round, a.purpose, a.sampling, a.draw, len(a.messages)) == (b.round, b.purpose, b.sampling, b.draw, len(b.messages))
            if a.cue is None or b.cue is None:
                assert (a.cue, b.cue) == (None, None)
                continue
            said_a, said_b = a.messages[-1]["content"].encode(), b.messages[-1]["content"].encode()
            assert said_a.replace(texts[a.cue].encode(), b"*", 1) == said_b.replace(texts[b.cue].encode(), b"*", 1)


def test_independent_attempts_ask_the_same_from_other_draws() -> None:
    calls, _ = converse(conditions()["resample"], wrong)
    assert all(call.messages == calls[0].messages for call in calls)
    assert [call.draw for call in calls] == [2, 2 + DRAWS_A_ROUND, 2 + 2 * DRAWS_A_ROUND]
    assert [call.sampling["seed"] for call in calls] == [7, 7 + DRAWS_A_ROUND, 7 + 2 * DRAWS_A_ROUND]
    thinking, _ = converse(conditions()["chain_of_thought"], wrong)
    assert "Let's think step by step." in thinking[0].messages[0]["content"]


def test_without_a_verifier_nobody_says_that_an_answer_is_wrong() -> None:
    for settle, expected in (("last", "wrong 2"), ("majority", "wrong 0"), ("synthesis", "wrong 3")):
        calls, answer = converse(conditions(mode="verifier_free", settle=settle)["heart/alternate"], wrong)
        assert answer.text == expected
        assert not any(LIBRARY.verdict in message["content"] for call in calls for message in call.messages)
    assert calls[-1].purpose == "synthesis"
    assert calls[-1].messages[-1]["content"] == SETTLE
    assert calls[-1].messages[-2]["content"] == "1. wrong 0\n2. wrong 1\n3. wrong 2"
    said = iter(["A", "B", "b.", "?"])
    _, answer = converse(conditions(mode="verifier_free", settle="majority")["resample"], lambda n: next(said))
    assert answer.text == "B"


def test_the_model_judges_itself() -> None:
    calls, answer = converse(conditions(mode="self_judge")["neutral_feedback"], lambda n: ["one", "No.", "two", " yes, I am"][n])
    assert [call.purpose for call in calls] == ["answer", "judge", "answer", "judge"]
    assert calls[1].messages[-1]["content"] == SURE
    assert answer.text == "two"
    assert SURE not in json.dumps([list(call.messages) for call in calls if call.purpose == "answer"]), (
        "the judgement is no part of the talk"
    )


def test_a_token_budget_ends_a_loop_and_no_answer_is_said_to_be_none() -> None:
    assert len(converse(conditions(rounds=5, token_budget=20)["heart/alternate"], wrong)[0]) == 2
    calls, _ = converse(conditions()["heart/alternate"], lambda n: "")
    assert calls[1].messages[-2]["content"] == NO_ANSWER


def test_a_failed_round_leaves_the_trial_without_an_answer() -> None:
    trial = Trial(0, TASK.id, ITEM, conditions()["heart/alternate"], "m", 0)
    strategy = begun(Call("m", ({"role": "user", "content": "x"},), {}), trial, designs.verifier(lambda text: 0.0))
    next(strategy)
    strategy.send(Completion("wrong", "ok"))
    with pytest.raises(StopIteration) as stop:
        strategy.send(Completion("", "error", error="server: HTTP 500"))
    assert stop.value.value == Answer("", "error", "server: HTTP 500")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("alternate", [{"negative"}, {"positive"}, {"negative"}]),
        ("anger", [{"anger"}] * 3),
        ("escalate-fear", ["fear-1", "fear-2", "fear-3"]),
        (["sadness", "happiness"], [{"sadness"}, {"happiness"}, {"sadness"}]),
    ],
)
def test_policies(policy: Any, expected: list[Any]) -> None:
    for step, want in zip(candidates(policy, LIBRARY.cues, 3), expected, strict=True):
        found = [cue.key for cue in step] if isinstance(want, str) else {cue.valence for cue in step} | {cue.emotion for cue in step}
        assert (found == [want]) if isinstance(want, str) else want <= set(found)
    assert len(candidates("escalate-fear", LIBRARY.cues, 9)[-1]) == 1
    assert {cue.emotion for cue in candidates("random", LIBRARY.cues, 1)[0]} == {
        "happiness",
        "sadness",
        "fear",
        "anger",
        "surprise",
        "disgust",
    }


def test_majority_of_nothing_is_the_last() -> None:
    assert majority([Completion("", "empty"), Completion(" ", "empty")], ["", None]).text == " "


LOOPS = "loops:\n  - {{name: heart, rounds: {rounds}, mode: {mode}, policies: {policies}{more}}}\n"


def experiment(folder: Path, model: str = "sim/retry", seed: int = 1, items: int = 20, tasks: str = "sum", **loop: Any) -> Path:
    values = {"rounds": 3, "mode": "oracle", "policies": "[alternate]", "more": "", **loop}
    path = runs.experiment(
        folder, name=f"l{seed}", models=f"  - {model}" if "/" in model[:12] else model, items=items, seed=seed, tasks=tasks
    )
    text = path.read_text(encoding="utf-8").replace("stimuli: [emotionprompt/EP02]\n", "").replace("temperature: 0", "temperature: 1")
    path.write_text(text + LOOPS.format(**values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        ({"rounds": 0}, "rounds"),
        ({"rounds": 1}, "rounds"),
        ({"policies": "[rage]"}, "the policy 'rage' is not known"),
        ({"policies": "[[anger, joy]]"}, "policies"),
        ({"mode": "psychic"}, "mode"),
        ({"more": ", settle: majority"}, "settle: majority belongs to mode: verifier_free"),
        ({"more": ", controls: [resample]"}, "controls must hold neutral_paraphrase"),
        ({"more": ", cues: none.yaml"}, "none.yaml: there is no such file"),
        ({"more": ", name: heart"}, "name"),
    ],
)
def test_a_loop_that_cannot_be_right_is_refused_with_its_line(loop: dict[str, Any], expected: str, tmp_path: Path) -> None:
    path = experiment(tmp_path, **loop)
    done = runs.run("check", str(path))
    assert done.returncode == 2, done.stdout
    assert expected in done.stderr
    assert ".yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_cues_without_the_emotion_that_is_asked_for(tmp_path: Path) -> None:
    text = (ROOT / "stimuli" / "heart.yaml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in text if "anger" not in line and not any(f"neutral-{n}," in line for n in (13, 14, 15, 16))]
    (tmp_path / "cues.yaml").write_text("\n".join(kept), encoding="utf-8")
    with pytest.raises(FileProblems, match=r"cues\.yaml has no cues for 'anger'"):
        resolve(experiment(tmp_path, policies="[anger]", more=", cues: cues.yaml"))
    assert resolve(experiment(tmp_path, policies="[fear]", more=", cues: cues.yaml"))


def test_an_experiment_needs_something_to_compare(tmp_path: Path) -> None:
    path = runs.experiment(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("stimuli: [emotionprompt/EP02]\n", ""), encoding="utf-8")
    assert "there is nothing to compare" in runs.run("check", str(path)).stderr


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loops")
    text = experiment(folder, model="sim/anger", tasks="sum, snarks", items=30, policies="[alternate, anger]").read_text(encoding="utf-8")
    more = "  - {name: free, rounds: 3, mode: verifier_free, settle: synthesis}\n  - {name: self, rounds: 3, mode: self_judge}\n"
    (folder / "all.yaml").write_text(text + more, encoding="utf-8")
    done = runs.run("sweep", str(folder / "all.yaml"), "--runs", str(folder / "runs"), env={"PROMPTLAB_HOME": str(folder / "home")})
    assert done.returncode == 0, done.stderr
    return next((folder / "runs").iterdir())


@pytest.fixture(scope="module")
def report(looped: Path) -> Report:
    return build(Run(looped))


def test_everything_is_recorded(looped: Path) -> None:
    run = Run(looped)
    trials, calls = run.trials(), run.calls()
    assert set(trials["strategy"]) == {"heart-oracle", "free", "self"}
    assert set(trials.loc[trials["strategy"] == "heart-oracle", "oracle"]) == {True, False}
    assert (trials["n_calls"] == calls.groupby("trial").size().loc[trials["trial"]].to_numpy()).all()
    oracle = trials[trials["oracle"]]
    stopped = oracle["solved_round"].notna()
    assert (oracle.loc[stopped, "solved_round"] == oracle.loc[stopped, "n_rounds"]).all(), "an oracle stops at the first right answer"
    assert (oracle.loc[~stopped, "n_rounds"] == 3).all()
    assert (oracle["score"] == stopped.astype(float)).all()
    remarks = calls[calls["emotion"].notna()]
    assert set(remarks.loc[remarks["trial"].isin(trials.loc[trials["arm"] == "heart/anger", "trial"]), "emotion"]) == {"anger"}
    assert set(calls["purpose"]) == {"answer", "judge", "synthesis"}
    assert calls.loc[calls["purpose"] != "answer", "score"].isna().all()


def test_the_first_round_is_the_same_in_all_arms(report: Report) -> None:
    for loop in {row["loop"] for row in report.rounds}:
        first = {
            row["pass_at_k"] for row in report.rounds if row["loop"] == loop and row["round"] == 1 and row["arm"] != "chain_of_thought"
        }
        assert len(first) == 1


def test_rounds_and_flips_by_hand() -> None:
    plan = Plan(arms=(PlannedArm(name="none"), PlannedArm(name="heart/x")), loops=(PlannedLoop(strategy="free", rounds=3, solved_at=1.0),))
    answers = {"a": [0, 1, 0], "b": [1, 1, 1], "c": [0, 0, 0], "d": [1]}
    trials = pd.DataFrame(
        [
            {"trial": t, "model": "m", "strategy": "free", "setting": "s", "arm": "heart/x", "task": "t", "item": t, "score": float(v[-1])}
            for t, v in answers.items()
        ]
    )
    calls = pd.DataFrame(
        [
            {"trial": t, "turn": n, "round": n, "purpose": "answer", "score": float(v), "emotion": "fear" if n else None, "text": ""}
            for t, values in answers.items()
            for n, v in enumerate(values)
        ]
    )
    steps = progress(trials, calls, plan)
    one, two, three = loop_rounds(steps)
    assert [row["pass_at_k"] for row in (one, two, three)] == [0.5, 0.75, 0.75]
    assert [row["accuracy"] for row in (one, two, three)] == [0.5, 0.75, 0.5], "d keeps its first answer"
    assert [(row["gained"], row["lost"], row["n_asked"]) for row in (one, two, three)] == [(0, 0, 4), (1, 0, 3), (0, 1, 3)]
    assert [row["solved"] for row in (one, two, three)] == [0.5, 0.75, 0.5], "without an oracle only the final answer counts"
    (row,) = emotion_transitions(steps, calls)
    assert {k: row[k] for k in ("emotion", "n", "wrong_right", "wrong_wrong", "right_right", "right_wrong")} == {
        "emotion": "fear", "n": 6, "wrong_right": 1, "wrong_wrong": 2, "right_right": 2, "right_wrong": 1,
    }  # fmt: skip


def test_reports_label_the_oracle_and_have_the_tables(report: Report) -> None:
    for text in (to_markdown(report), to_html(report)):
        for part in ("with oracle", "pass@k", "What followed each emotion", "one answer", "never published"):
            assert part in text
    oracle = [c for c in report.comparisons if c.strategy == "heart-oracle" and c.scope != "aa" and c.status == "ok"]
    assert oracle
    assert all("with oracle" in c.sentence or c.sentence.startswith("Not settled") for c in oracle)
    emotional = [c for c in oracle if "effect of the emotion" in c.sentence]
    assert emotional
    assert {c.control for c in emotional} == {"neutral_paraphrase"}, "only that contrast is put down to emotion"


def test_a_conversation_reads_from_top_to_bottom(looped: Path) -> None:
    run = Run(looped)
    trials = run.trials()
    row = trials[(trials["arm"] == "heart/anger") & (trials["n_rounds"] == 3)].iloc[0]
    shown = turns(run.calls_of(row["trial"]).to_dict("records"))
    heads = [turn["head"] for turn in shown]
    assert heads[0] == "user"
    assert heads[1::2] == ["round 1: answer, wrong", "round 2: answer, wrong", f"round 3: answer, {'right' if row['score'] else 'wrong'}"]
    assert heads[2] == "user, anger"


@pytest.mark.long
def test_over_http_resumed_in_the_middle_without_paying_a_round_twice(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, model=runs.served(server.url, "slow-40"), items=6, policies="[alternate, random]")
    env = {"PROMPTLAB_HOME": str(tmp_path / "home")}
    process = runs.start("sweep", str(path), "--runs", str(tmp_path / "runs"), "--concurrency", "2", env=env)
    runs.wait_until(lambda: len(server.requests) >= 40, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n_before = len(server.requests)
    assert n_before >= 40
    time.sleep(0.1)
    done = runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--concurrency", "2", env=env)
    assert done.returncode == 0, done.stderr
    run = Run(next((tmp_path / "runs").iterdir()))
    calls = run.calls()
    assert len(run.trials()) == 6 * 10, "each policy has a control with as many wordings"
    n_distinct = calls["key"].nunique()
    # Only what was under way when the process was killed is asked again.
    assert n_distinct <= len(server.requests) <= n_distinct + 2
    assert len(calls) > n_distinct, "the shared first round is paid once"
    asked = [r["messages"] for r in server.requests if len(r["messages"]) > 1]
    assert all(m[1]["role"] == "assistant" and m[2]["role"] == "user" for m in asked)


def test_dry_run_prices_the_longest_loop(tmp_path: Path) -> None:
    done = runs.run("plan", str(experiment(tmp_path)), "--json")
    plan = json.loads(done.stdout)
    # single and A/A once, five controls and one treatment of three rounds
    assert plan["counts"]["calls"] == 20 * (2 + 6 * 3)
    assert plan["estimates"][0]["calls"] == plan["counts"]["calls"]
    low, high = plan["estimates"][0]["output_tokens"]
    assert low < high


def test_settings_are_never_pooled(report: Report) -> None:
    arms = arm_table(report)
    assert len(arms[arms["arm"] == "neutral_feedback"]) == 3
    assert len(report.baselines) == 3 * 2, "three settings, two tasks"
    trials = report.trials
    for row in arms.to_dict("records"):
        strategy = row["setting"].rpartition(", ")[2]
        mine = trials[(trials["arm"] == row["arm"]) & (trials["strategy"] == strategy)]
        assert (row["n"], row["mean_score"]) == (len(mine), pytest.approx(mine["score"].mean()))
    loops = {arm.loop for arm in report.plan.arms if arm.name == "neutral_feedback"}
    assert loops == {"heart-oracle", "free", "self"}


@pytest.mark.long
def test_another_scorer_judges_the_last_answers_and_says_who_was_the_oracle(looped: Path, report: Report) -> None:
    as_run, anew = report, build(Run(looped), "negativeprompt")
    assert anew.rounds == as_run.rounds
    assert "The loops were run by the scorer reference" in to_markdown(anew)
    assert "The loops were run by" not in to_markdown(as_run)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("{name: heart, mode: verifier_free}", "two loops have one name"),
        ("{name: heart-oracle, mode: verifier_free}", "the settings of two loops have one name"),
        ("{name: single, mode: verifier_free}", "named like a strategy"),
        ("{name: stakes, mode: verifier_free}", "a stimulus library is called 'stakes'"),
    ],
)
def test_names_that_would_be_confused_are_refused(second: str, expected: str, tmp_path: Path) -> None:
    path = experiment(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + f"  - {second}\n", encoding="utf-8")
    with pytest.raises(FileProblems, match=expected):
        resolve(path)
