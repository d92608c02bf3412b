"""One trial and its money: which draw is asked for, what is set aside and settled, what is stored, and what its row counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest

import designs
from promptlab.design.cross import trials
from promptlab.nouns.arm import Cue, Loop, Scoring, Stimulus, Trial
from promptlab.nouns.call import Answer, Call, Completion, Model, Price, Reply, Scored
from promptlab.nouns.errors import BudgetReached
from promptlab.nouns.identity import digest
from promptlab.nouns.item import Item
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.nouns.redact import MARK, known_secrets, redact, redact_known
from promptlab.nouns.words import AA_ARM, NONE_ARM, LoopMode
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache, NotCached
from promptlab.running.engine import Engine
from promptlab.running.gateway import Gateway
from promptlab.running.paying import UNKNOWN_OUTPUT_TOKENS
from promptlab.running.progress import Progress
from promptlab.running.trial_rows import Finished
from promptlab.strategies import begun
from promptlab.strategies.loop import chosen_cue

PAID = Completion("right", "ok", input_tokens=10, output_tokens=2, cost_usd=0.25, latency_s=1.5, attempts=2)
PRICE = Price(1_000_000, 10_000_000)
"""USD 1 and 10 a token."""


class Answers:
    """A gateway that gives these completions in turn, the last one for ever."""

    def __init__(self, *completions: Completion | BaseException) -> None:
        self.completions = list(completions)
        self.asked: list[Call] = []
        self.n_sent = 0
        self.doubts: dict[str, str] = {}
        self.repeats = 0
        """How often a request times out and is sent again."""

    async def complete(self, call: Call, again: Callable[[], Awaitable[None]], failed: Callable[[Reply], None]) -> Completion:
        self.asked.append(call)
        self.n_sent += 1
        await asyncio.sleep(0)
        for _ in range(self.repeats):
            await again()
        found = self.completions.pop(0) if len(self.completions) > 1 else self.completions[0]
        if isinstance(found, BaseException):
            raise found
        return found


def judged(text: str, item: Item) -> Scored:
    return Scored(float(text == "right"), text if text in ("right", "wrong") else None)


def engine(answers: Answers, cache: Cache | None = None, budget: Budget | None = None, **changes: Any) -> Engine:
    given: dict[str, Any] = {"sampling": {"max_tokens": 5}, "price": PRICE, "models": [Model("m", "openai/m")], "replicates": 2} | changes
    made = designs.design(
        [designs.task(designs.items(4))], designs.arms([Stimulus("lib/A", "Go.")]), seed=100, replicates=given["replicates"]
    )
    made = replace(made, models=tuple(given["models"]))
    scorings = {(task.id, model.name): Scoring("judged", judged) for task in made.tasks for model in made.models}
    prices = {model.name: given["price"] for model in made.models}
    return Engine(made, scorings, given["sampling"], prices, cast(Gateway, answers), cache, budget or Budget(None), Progress(1))


def trial(of: Engine, arm: str = NONE_ARM, replicate: int = 0) -> Trial:
    return next(t for t in trials(of.design) if (t.arm.name, t.replicate) == (arm, replicate))


# --- which draw --------------------------------------------------------------------------------------------------------


def test_baseline_and_aa_arm_send_the_same_and_share_no_key() -> None:
    made = engine(Answers(PAID))
    calls = [made.call(trial(made, arm, n)) for arm in (NONE_ARM, AA_ARM) for n in (0, 1)]
    assert [call.draw for call in calls] == [0, 1, 2, 3]
    assert len({digest([dict(m) for m in call.messages]) for call in calls[::2]}) == 1
    assert len({call.key for call in calls}) == 4


def test_a_seed_that_is_sent_moves_with_the_draw() -> None:
    asked = engine(Answers(PAID), sampling={"seed": 7})
    assert [asked.call(trial(asked, arm, 1)).sampling["seed"] for arm in (NONE_ARM, AA_ARM)] == [8, 10]
    own = engine(Answers(PAID), sampling={"seed": 7}, models=[Model("m", "openai/m", sampling={"seed": 50, "top_p": 0.5})])
    assert own.call(trial(own)).sampling == {"seed": 50, "top_p": 0.5}, "what a model is given holds against the experiment's"
    simulated = engine(Answers(PAID), models=[Model("m", "sim/null")])
    assert simulated.call(trial(simulated, replicate=1)).sampling == {"seed": 101, "max_tokens": 5}
    plain = engine(Answers(PAID))
    assert plain.call(trial(plain)).sampling == {"max_tokens": 5}, "nobody else is sent one"


def test_the_key_has_the_name_that_decides_what_is_paid() -> None:
    short, long = (engine(Answers(PAID), models=[Model(name, "openai/m", "http://a/v1")]) for name in ("m", "another"))
    keys = {made.key(made.call(trial(made))) for made in (short, long)}
    assert len(keys) == 1
    assert keys == {short.asked(short.call(trial(short))).key}
    elsewhere = engine(Answers(PAID), models=[Model("m", "openai/m", "http://b/v1")])
    assert elsewhere.key(elsewhere.call(trial(elsewhere))) not in keys


# --- what is asked, and stored --------------------------------------------------------------------------------------------


def test_two_equal_requests_at_once_are_paid_once() -> None:
    made = engine(Answers(PAID))
    call = made.call(trial(made))

    async def both() -> list[Completion]:
        return await asyncio.gather(*(made.complete(call, "k") for _ in range(2)))

    first, second = asyncio.run(both())
    assert (first.cached, second.cached) == (False, True)
    assert len(cast(Answers, made.gateway).asked) == 1
    assert made.progress.paid_usd == 0.25
    failing = engine(Answers(BudgetReached("enough")))

    async def all_fail() -> list[Completion | BaseException]:
        return await asyncio.gather(*(failing.complete(call, "k") for _ in range(2)), return_exceptions=True)

    assert [type(found) for found in asyncio.run(all_fail())] == [BudgetReached] * 2
    assert not failing._under_way


def test_an_error_is_not_stored_and_an_answer_is(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    made = engine(Answers(Completion("", "error", error="HTTP 500"), PAID), cache)
    one = trial(made)

    async def asked() -> list[Any]:
        found = [await made.run(one) for _ in range(3)]
        made.behind.flush()
        assert made.behind.failed is None
        return found

    rows = [row for row, _ in asyncio.run(asked())]
    assert [(row.outcome, row.score, row.cached) for row in rows] == [
        ("error", None, False),
        ("ok", 1.0, False),
        ("ok", 1.0, True),
    ]
    assert len(cache) == made.progress.n_cached == 1
    assert made.progress.n_unpriced == 0, "an error has no price to be unknown"


def test_a_replay_sends_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", "replay")
    made = engine(Answers(PAID), cache)
    with pytest.raises(NotCached, match="draw 0"):
        asyncio.run(made.run(trial(made)))
    assert cast(Answers, made.gateway).asked == []


# --- money -----------------------------------------------------------------------------------------------------------------


def test_what_a_request_can_take_at_most() -> None:
    made = engine(Answers(PAID))
    call = Call("m", ({"role": "system", "content": "a" * 10}, {"role": "user", "content": "b" * 90}), {"max_tokens": 5})
    assert made.payer.upper_cost(call) == (50 + 16 + 10 * 5, 50 + 16 + 5)
    unlimited = replace(call, sampling={})
    assert made.payer.upper_cost(unlimited) == (66 + 10 * UNKNOWN_OUTPUT_TOKENS, 66 + UNKNOWN_OUTPUT_TOKENS)
    assert UNKNOWN_OUTPUT_TOKENS >= 4096
    assert engine(Answers(PAID), price=None).payer.upper_cost(call) == (0.0, 71)


SETTLED: dict[str, tuple[Completion | BaseException, int, float | None, int | None]] = {
    "known": (PAID, 0, 0.25, 12),
    "no price": (replace(PAID, cost_usd=None), 0, None, 12),
    "no tokens in": (replace(PAID, input_tokens=None), 0, 0.25, None),
    "no tokens out": (replace(PAID, output_tokens=None), 0, 0.25, None),
    "free": (replace(PAID, cost_usd=0.0, input_tokens=0, output_tokens=0), 0, 0.0, 0),
    "never sent": (OSError("no route"), 0, 0.0, 0),
    "timed out twice": (PAID, 2, 0.25, 12),
}


@pytest.mark.parametrize("case", SETTLED)
def test_what_is_set_aside_is_settled_by_what_it_took_and_what_is_unknown_counts_in_full(case: str) -> None:
    completion, repeats, usd, tokens = SETTLED[case]
    made = engine(Answers(completion), budget=Budget(10_000.0, 10_000))
    cast(Answers, made.gateway).repeats = repeats
    call = made.call(trial(made))
    most_usd, most_tokens = made.payer.upper_cost(call)
    if isinstance(completion, BaseException):
        with pytest.raises(type(completion)):
            asyncio.run(made.complete(call, "k"))
    else:
        asyncio.run(made.complete(call, "k"))
    assert made.budget.spent_usd == pytest.approx(repeats * most_usd + (most_usd if usd is None else usd))
    assert made.budget.spent_tokens == repeats * most_tokens + (most_tokens if tokens is None else tokens)
    assert not made.budget.busy
    assert made.progress.n_unpriced == (case == "no price")


def test_a_limit_may_be_reached_and_not_passed() -> None:
    budget = Budget(1.0, 100)
    assert budget.fits(1.0, 100)
    assert not budget.fits(1.01, 100)
    assert not budget.fits(1.0, 101)
    budget.take(0.5, 40)
    assert budget.fits(0.5, 60)
    assert not budget.fits(0.51, 60)
    assert not budget.fits(0.5, 61)
    budget.settle(0.5, 40, 0.25, 40)
    assert budget.fits(0.75, 60)
    assert not budget.fits(0.76, 60)
    assert Budget(None).fits(1e9, 10**9)


def test_what_is_settled_leaves_nothing_set_aside_however_floats_add_up() -> None:
    budget = Budget(1.0)
    for usd in (0.1, 0.2):
        budget.take(usd, 0)
    for usd in (0.1, 0.2):
        budget.settle(usd, 0, 0.0, 0)
    assert not budget.busy, "a rest of 3e-17 would be waited for, for ever"


@pytest.mark.parametrize(("usd", "tokens"), [(0.6, 0), (0.0, 60)])
def test_a_request_waits_for_what_others_may_give_back_and_is_refused_where_nothing_can(usd: float, tokens: int) -> None:
    async def main() -> list[str]:
        budget, done = Budget(1.0, 100), []
        budget.take(usd, tokens)

        async def second() -> None:
            await budget.reserve(usd, tokens)
            done.append("second")

        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.01)
        assert done == []
        budget.settle(usd, tokens, usd / 6, tokens // 6)
        await waiting
        budget.settle(usd, tokens, None, None)
        assert not budget.busy
        with pytest.raises(BudgetReached, match="budget of" if usd else "limit of 100 tokens"):
            await budget.reserve(usd, tokens)
        assert (budget.reserved_usd, budget.reserved_tokens) == (0.0, 0), "a refused request sets nothing aside"
        return done

    assert asyncio.run(main()) == ["second"]


def test_what_is_given_back_is_neither_spent_nor_set_aside() -> None:
    budget = Budget(10.0, 1000, spent_usd=2.0, spent_tokens=300)
    budget.take(3.0, 100)
    assert budget.give_back() == [5.0, 600]
    assert (budget.limit_usd, budget.limit_tokens) == (5.0, 400)
    assert budget.give_back() == [0.0, 0]
    assert not budget.fits(0.01, 0)
    over = Budget(1.0, 10, spent_usd=2.0, spent_tokens=20)
    assert over.give_back() == [0.0, 0], "a limit that was passed is not raised"
    assert (over.limit_usd, over.limit_tokens) == (1.0, 10)


# --- the row --------------------------------------------------------------------------------------------------------------


def test_a_row_sums_its_calls_and_an_unknown_stays_unknown() -> None:
    made = engine(Answers(PAID))
    one = trial(made)
    call = made.call(one)
    stored = replace(PAID, cached=True, latency_s=0.5, attempts=1)

    def row(*completions: Completion) -> dict[str, Any]:
        done = Finished("right", "ok", None, Scored(1.0, "right"), [None] * len(completions))
        return asdict(made._rows(one, done, [(call, "k", completion) for completion in completions])[0])

    both = row(stored, PAID)
    assert (both["n_calls"], both["input_tokens"], both["output_tokens"], both["attempts"]) == (2, 20, 4, 3)
    assert (both["cost_usd"], both["paid_usd"], both["latency_s"], both["cached"]) == (0.5, 0.25, 2.0, False)
    assert row(PAID, stored)["cached"] is False
    assert row(stored, stored)["cached"] is True
    unknown = row(replace(PAID, cost_usd=None, input_tokens=None), PAID)
    assert (unknown["cost_usd"], unknown["paid_usd"], unknown["input_tokens"], unknown["output_tokens"]) == (None, None, None, 4)
    assert row(replace(stored, cost_usd=None))["paid_usd"] == 0.0, "what was stored was not paid here, whatever it cost"


@pytest.mark.parametrize(
    ("text", "outcome", "expected"),
    [
        ("right", "ok", ("ok", 1.0)), ("wrong", "ok", ("ok", 0.0)), ("?", "ok", ("parse_failed", 0.0)),
        ("?", "truncated", ("truncated", 0.0)),
        ("?", "refused", ("refused", 0.0)), ("", "empty", ("empty", 0.0)), ("right", "truncated", ("truncated", 1.0)),
        ("right", "error", ("error", None)),
    ],
)  # fmt: skip
def test_only_an_error_has_no_score(text: str, outcome: Any, expected: tuple[str, float | None]) -> None:
    made = engine(Answers(replace(PAID, text=text, outcome=outcome)))
    made_row, calls = asyncio.run(made.run(trial(made)))
    assert vars(made_row).keys() == TRIAL_COLUMNS.keys(), "rows are made without their initialiser"
    assert all(vars(call).keys() == CALL_COLUMNS.keys() for call in calls)
    row = asdict(made_row)
    assert (row["outcome"], row["score"]) == expected
    assert [row[name] is None for name in ("compliant", "echoed", "declined")] == [outcome == "error"] * 3


# --- who hears what is right -----------------------------------------------------------------------------------------------


def conversation(mode: LoopMode, judge: Callable[[str], float], replies: Sequence[str], **changes: Any) -> list[Call]:
    """The calls of a loop whose answers are `replies` in turn."""
    spec = Loop("resample", 3, mode, **changes)
    strategy = begun(Call("m", (), {}), designs.trial(Item("i", "x", ("y",)), designs.loop_arm(spec)), designs.verifier(judge))
    calls = [next(strategy)]
    for reply in replies:
        try:
            calls.append(strategy.send(Completion(reply, "ok", output_tokens=1)))
        except StopIteration:
            return calls
    raise AssertionError("the loop goes on")


@pytest.mark.parametrize(("mode", "n_calls"), [("verifier_free", 3), ("self_judge", 5)])
def test_an_oracle_is_handed_to_oracle_loops_only(mode: LoopMode, n_calls: int) -> None:
    heard: list[str] = []

    def judge(text: str) -> float:
        heard.append(text)
        return 1.0

    assert len(conversation(mode, judge, ["no"] * 5)) == n_calls, "nothing ends it but its own rounds"
    assert heard == []
    assert len(conversation("oracle", judge, ["no"])) == 1
    assert heard == ["no"]


def test_an_oracle_loop_ends_where_the_score_reaches_its_mark() -> None:
    scores = {"a": 0.25, "b": 0.5, "c": 1.0}
    assert len(conversation("oracle", scores.__getitem__, ["a", "b", "c"], solved_at=0.5)) == 2
    assert len(conversation("oracle", scores.__getitem__, ["a", "b", "c"])) == 3


@pytest.mark.parametrize(("mode", "budget", "n_calls"), [("verifier_free", 2, 2), ("verifier_free", 3, 3), ("self_judge", 3, 3)])
def test_a_token_budget_ends_a_loop_when_it_is_reached(mode: LoopMode, budget: int, n_calls: int) -> None:
    """One token an answer; what the model says as its own judge counts as well."""
    assert len(conversation(mode, lambda text: 0.0, ["no"] * 5, token_budget=budget)) == n_calls


def test_remarks_take_their_cues_in_turn_from_the_first() -> None:
    cues = tuple((Cue(key, "neutral", "neutral", key),) for key in "ab")
    spec = Loop("feedback", 5, "verifier_free", cues=cues)
    asked = designs.trial(Item("i", "x", ("y",)), designs.loop_arm(spec))
    assert [chosen_cue(spec, asked, number).key for number in (1, 2, 3, 4)] == ["a", "b", "a", "b"]


def test_what_was_wrong_with_the_last_call_of_a_loop_is_told() -> None:
    spec = Loop("resample", 2, "verifier_free", "synthesis")
    strategy = begun(Call("m", (), {}), designs.trial(Item("i", "x", ("y",)), designs.loop_arm(spec)), designs.verifier(lambda text: 0.0))
    next(strategy)
    strategy.send(Completion(" ", "empty"))
    asked = strategy.send(Completion("one", "ok"))
    assert asked.messages[-2]["content"] == "1. (no answer)\n2. one"
    with pytest.raises(StopIteration) as end:
        strategy.send(Completion("", "error", error="HTTP 500"))
    assert end.value.value == Answer("", "error", "HTTP 500")


# --- secrets ----------------------------------------------------------------------------------------------------------------


def test_what_is_named_like_a_secret_is_known_and_the_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"A_KEY": "abcdefgh", "B_TOKEN": "abcdefgh-longer", "C_SECRET": "seven77", "PLAIN": "visible-value",
              "DB_PASSWORD": "pass-word-8", "MY_PASSWD": "other-pass", "X_CREDENTIALS": "credential-1"}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    found = known_secrets()
    assert {"abcdefgh", "abcdefgh-longer", "pass-word-8", "other-pass", "credential-1"} <= set(found)
    assert "seven77" not in found, "too short to be one: it would stand in any text"
    assert "visible-value" not in found
    assert "visible-value" in known_secrets(("PLAIN",))
    assert redact_known("abcdefgh-longer, abcdefgh", found) == f"{MARK}, {MARK}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key sk-abcdefghijkl0 failed", f"key {MARK} failed"), ("gsk_abcdefghijklmn", MARK), ("AIzaSyA-abcdefghijk", MARK),
        ("Authorization: Bearer abc.def-12345", f"Authorization: {MARK}"), ("bearer abcdefgh", MARK),
        ("api_key='abcdefgh'", f"api_key='{MARK}'"), ("X-API-Key: abcdefgh", f"X-API-Key: {MARK}"),
        ("http://user:hunter2@host/v1", f"http://user:{MARK}@host/v1"),
        ("a task about keys and tokens", "a task about keys and tokens"), ("http://host:80/v1", "http://host:80/v1"),
        ("ask-about-it", "ask-about-it"),
    ],
)  # fmt: skip
def test_what_looks_like_a_key_goes_from_messages(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact_known(text, ()) == text, "an answer stays as it is"
