"""Caps at a provider that bills what it likes: calls under way, what is kept of them when a process is killed, and bounds of tokens."""

from __future__ import annotations

import asyncio
import importlib.util
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from billing import PRICE, Said, Scripted, chat
from conftest import ROOT
from promptlab.nouns import Call, Completion, Model, Price, Reply, most_output
from promptlab.planning.resolve import resolve
from promptlab.running.budget import Budget
from promptlab.running.fleet.hub import Hub, Limit
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice
from promptlab.running.ledger import Ledger, Sums, taken_over
from promptlab.running.paying import LONGEST_OUTPUT_TOKENS, Payer, most_input, most_tokens
from promptlab.running.preflight import requests_of
from promptlab.running.progress import Progress
from runs import experiment, start

CALL = Call("m", ({"role": "user", "content": "?"},), {"max_tokens": 10})


@pytest.fixture(scope="module")
def money() -> ModuleType:
    spec = importlib.util.spec_from_file_location("money", ROOT / "benchmarks" / "money.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["money"] = module
    spec.loader.exec_module(module)
    module.start = lambda command, home: start(*command, env={"PROMPTLAB_HOME": str(home)})
    module.KILLS = 1
    return module


@pytest.fixture(scope="module")
def provider(money: ModuleType) -> Iterator[str]:
    with money.provider() as url:
        yield url


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("mode", "way"), [("too long", "plain"), ("usage missing", "workers"), ("truthful", "kills"), ("reasoning in the sum", "loops, killed")]
)
def test_a_cap_holds_and_the_report_is_true(money: ModuleType, provider: str, mode: str, way: str) -> None:
    """With one kill; `make money` kills three times, in every mode and way."""
    row = money.measured(provider, mode, way, 0.2, 64)
    assert row.holds, row
    assert row.true > 0


def test_judges_votes_and_parts_of_a_way_are_in_its_experiment(money: ModuleType, tmp_path: Path) -> None:
    studies = {
        way: resolve(money.experiment(tmp_path, "http://127.0.0.1:9", "truthful", way))
        for way in ("panel", "pairwise, killed", "vote", "confirm")
    }
    assert [len(study.judges) for study in studies.values()] == [3, 1, 0, 0]
    assert {arm.strategy.max_calls for arm in studies["vote"].design.arms} == {5}
    assert studies["confirm"].design.screened


class Heard:
    """A gateway whose answers have the lengths of `lengths`, and that counts how many are under way."""

    def __init__(self, lengths: Callable[[int], int | None]) -> None:
        self.lengths, self.doubts = lengths, dict[str, str]()
        self.n_sent = self.under_way = 0
        self.seen: list[int] = []

    async def complete(self, call: Call, before_resending: Callable[[], Awaitable[None]], failed: Callable[[Reply], None]) -> Completion:
        number = self.n_sent
        self.n_sent += 1
        self.under_way += 1
        self.seen.append(self.under_way)
        await asyncio.sleep(0.001)
        self.under_way -= 1
        length = self.lengths(number)
        cost = None if length is None else length / 1e6
        return Completion("x" * 8, "ok", input_tokens=None if length is None else 0, output_tokens=length, cost_usd=cost)


def sent(lengths: Callable[[int], int | None], cap: float | None = 1.0, n: int = 200) -> tuple[Heard, Payer]:
    gateway = Heard(lengths)
    prices = {"m": Price(0.0, 1.0)}
    budget = Budget(cap)
    payer = Payer({"m": Model("m", "openai/m")}, prices, {}, cast("Gateway", gateway), budget, Progress(n))

    async def run() -> None:
        await asyncio.gather(*(payer.paid(CALL) for _ in range(n)), return_exceptions=True)

    asyncio.run(run())
    return gateway, payer


def test_calls_under_way_grow_as_answers_become_known() -> None:
    gateway, _ = sent(lambda _: 10)
    assert gateway.n_sent == 200
    assert max(gateway.seen[:5]) <= 4
    assert max(gateway.seen) > 32
    assert max(sent(lambda _: 10, cap=None)[0].seen) == 200


def test_what_waits_is_not_sent_after_an_interrupt() -> None:
    gateway = Heard(lambda _: 10)
    payer = Payer({"m": Model("m", "openai/m")}, {"m": Price(0.0, 1.0)}, {}, cast("Gateway", gateway), Budget(1.0), Progress(9))

    async def run() -> list[Any]:
        payer.stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(payer.stop.set)
        return await asyncio.gather(*(payer.paid(CALL) for _ in range(9)), return_exceptions=True)

    found = asyncio.run(run())
    assert gateway.n_sent == sum(isinstance(one, Completion) for one in found) == 1
    assert sum(isinstance(one, asyncio.CancelledError) for one in found) == 8


def test_a_longer_answer_starts_anew_and_is_set_aside_for_the_next() -> None:
    gateway, payer = sent(lambda number: 10 if number < 100 else 1000, cap=0.01)
    longest = 1000 / 1e6
    assert payer.budget.spent_usd <= 0.01 + max(gateway.seen) * longest
    always, payer = sent(lambda _: 1000, cap=0.01)
    assert always.seen[0] == 1
    assert payer.budget.spent_usd <= 0.01 + longest
    assert payer.budget.spent_usd == pytest.approx(always.n_sent * longest)


def test_an_answer_of_unknown_usage_counts_as_much_as_its_text_can() -> None:
    gateway, payer = sent(lambda _: None, cap=1.0, n=3)
    assert payer.progress.unsure_usd == pytest.approx(payer.budget.spent_usd) == pytest.approx(gateway.n_sent * 10 / 1e6)


@pytest.mark.parametrize(
    ("lengths", "limits", "most"),
    [
        ([], {}, LONGEST_OUTPUT_TOKENS),  # no answer has shown yet that the provider keeps to limits
        ([], {"m": 5000}, 5000),
        ([8], {"m": 5000}, 10),
        ([8, 1000], {"m": 5000}, 5000),
        ([1000], {"m": 500}, 1000),
    ],
)
def test_a_kill_counts_what_a_call_in_flight_can_have_cost(tmp_path: Path, lengths: list[int], limits: dict[str, int], most: int) -> None:
    """The kill is that nobody settles the last call."""
    gateway, budget = Heard(lambda number: [*lengths, 0][number]), Budget(100.0)
    payer = Payer({"m": Model("m", "openai/m")}, {"m": Price(0.0, 1.0)}, limits, cast("Gateway", gateway), budget, Progress(9))
    payer.ledger = Ledger(tmp_path)

    async def run() -> tuple[Sums, Sums]:
        for _ in lengths:
            await payer.paid(CALL)
        last = asyncio.ensure_future(payer.paid(CALL))
        await asyncio.sleep(0)
        payer.keep()  # the gateway sends it
        kept = taken_over(tmp_path)
        payer.learn("m", 40_000)  # while it is in flight, another answer turns out to be longer
        payer.keep()
        last.cancel()
        return kept, taken_over(tmp_path)

    kept, later = asyncio.run(run())
    assert later.spent_usd == pytest.approx((sum(lengths) + 40_000) / 1e6)
    assert kept.paid_usd + kept.unsure_usd == kept.spent_usd == pytest.approx((sum(lengths) + most) / 1e6)
    assert kept.spent_tokens == sum(lengths) + most_input(CALL) + most
    assert payer.progress.unsure_usd == pytest.approx(0.04)  # an interrupted call is one that nobody settles, too


@pytest.mark.parametrize(
    ("text", "most"), [("a" * 100, 50), ("1 2 3 4", 5), ("漢" * 100, 300), ("🙂" * 10, 40), ("x = [1]\n", 6), ("", 0), ("\ud800", 3)]
)
def test_bounds_of_tokens_count_bytes(text: str, most: int) -> None:
    assert most_tokens(text) == most


@pytest.mark.parametrize(
    ("sampling", "most"),
    [
        ({"max_tokens": 100, "thinking": {"budget_tokens": 50}}, 100),
        ({"max_tokens": 100, "thinking": {"budget_tokens": 500}}, 600),
        ({"max_tokens": 100, "params": {"thinking_budget": 500}}, 600),
        ({"max_tokens": 100, "params": {"reasoning": {"max_tokens": 500}}}, 600),
        ({"max_tokens": 100, "params": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 500}}}}, 600),
        ({"max_tokens": 100, "params": {"top_k": 500}}, 100),
        ({"params": {"thinking_budget": 500}}, None),
    ],
)
def test_reasoning_budgets_count(sampling: dict[str, Any], most: int | None) -> None:
    assert most_output(sampling) == most


def test_what_a_process_kept_is_taken_over(tmp_path: Path) -> None:
    assert taken_over(tmp_path) == Sums()
    for number in (0, 1):
        Ledger(tmp_path, number).keep(Sums(2, 0.5, 0.25, 0.75, 100, 0.125, 10))
    whole = Sums(4, 1.0, 0.75, 1.75, 220)
    assert taken_over(tmp_path) == whole
    assert taken_over(tmp_path) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["ledger-0"]


@pytest.mark.parametrize("damage", ["flipped", "short", "long", "nan", "link", "folder"])
def test_a_ledger_that_is_none_is_not_believed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ledger-0"
    ledger = Ledger(tmp_path)
    ledger.keep(Sums(2, float("nan") if damage == "nan" else 0.5))
    ledger.close()
    data = path.read_bytes()
    if damage == "flipped":
        path.write_bytes(bytes([data[0], data[1] ^ 1]) + data[2:])
    elif damage in ("short", "long"):
        path.write_bytes(data[:-1] if damage == "short" else data + struct.pack("<d", 1.0))
    elif damage in ("link", "folder"):
        path.unlink()
        path.mkdir() if damage == "folder" else path.symlink_to("/dev/zero")
    assert taken_over(tmp_path) == Sums()


def test_workers_tell_each_other_lengths_and_the_hub_notes() -> None:
    hub = Hub(1, 2, Limit(None), Limit(None), lambda _: None)
    hub.exchange(0, {"notes": ["m: top_k is not sent"], "longest": {"m": 500}})
    assert hub.exchange(1, {"notes": ["m: top_k is not sent"], "longest": {"m": 5}})["longest"] == {"m": 500}
    assert hub.notes == ["m: top_k is not sent"]


def test_a_plan_says_what_is_asked_and_what_is_sent(tmp_path: Path) -> None:
    model = "  - {model: anthropic/claude-sonnet-4-5, name: m, sampling: {temperature: 1, max_tokens: 4000, reasoning_effort: low}}"
    [request] = requests_of(resolve(experiment(tmp_path, models=f"  - sim/null\n{model}")))
    assert request["model"] == "m"
    assert request["requested"]["reasoning_effort"] == "low"
    assert request["sent"]["thinking"]["budget_tokens"] > 0
    assert "reasoning_effort is not sent" in request["changed"]


FAILED: dict[str, Callable[[dict[str, Any]], None]] = {
    "a finish reason nobody knows": lambda body: body["choices"][0].update(finish_reason="weird", message={"content": ""}),
    "an error in the choice": lambda body: body["choices"][0].update(error={"code": 502, "message": "disconnected"}),
    "a finish with an error": lambda body: body["choices"][0].update(finish_reason="error"),
    "a fault of the request": lambda body: body["choices"][0].update(error={"code": 400, "message": "no"}),
}


@pytest.mark.parametrize("wire", ["direct", "litellm"])
@pytest.mark.parametrize("how", FAILED)
def test_a_failed_answer_that_reports_a_usage_counts_as_what_it_says(how: str, wire: WireChoice) -> None:
    """It is no answer, and its provider may bill it: 7,000 tokens where 64 were allowed."""
    usage = {"prompt_tokens": 20, "completion_tokens": 7000, "total_tokens": 7020}

    def answer(_: dict[str, Any]) -> Said:
        body = chat("hal", usage)
        FAILED[how](body)
        return Said(body, billed=(20, 7000))

    model = Model("m", "openai/m", sampling={"max_tokens": 64}, timeout_s=5)
    with Scripted(answer) as server:
        at = replace(model, api_base=server.url)
        call = Call("m", ({"role": "user", "content": "?"},), {"max_tokens": 64}, api_base=server.url)
        prices: dict[str, Price | None] = {"m": Price(*PRICE)}

        async def run(cap: float | None, tokens: int | None = None) -> Payer:
            policy = RetryPolicy(attempts=3, first_wait_s=0.01, longest_wait_s=0.02)
            async with aclosing(Gateway([at], prices, policy=policy, wire=wire)) as gateway:
                payer = Payer({"m": at}, prices, {}, gateway, Budget(cap, tokens), Progress(9))
                await asyncio.gather(*(payer.paid(call) for _ in range(6)), return_exceptions=True)
                return payer

        payer = asyncio.run(run(None))
        assert payer.progress.unsure_usd == pytest.approx(server.billed_usd, rel=0.01)
        assert payer.longest["m"] == 7000
        server.billed_usd = 0.0
        each = (20 * PRICE[0] + 7000 * PRICE[1]) / 1e6
        asyncio.run(run(2.5 * each))
        assert server.billed_usd <= 2.5 * each + 1e-9
        asyncio.run(run(None, 20_000))
        assert server.billed_usd <= 2.5 * each + 3 * each, "20,000 tokens are less than three such answers"
