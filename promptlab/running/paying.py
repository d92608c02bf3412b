"""One request paid for: reserved before it is sent, settled by what it took, and reported in the progress."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from promptlab.nouns import Call, Completion, Model, Price, Reply, most_output
from promptlab.nouns.identity import Once
from promptlab.running.budget import Budget
from promptlab.running.gateway import Gateway
from promptlab.running.gateway.usage import booked
from promptlab.running.ledger import Ledger, Sums
from promptlab.running.progress import Progress
from promptlab.running.trial_rows import total

UNKNOWN_OUTPUT_TOKENS = 4096
"""The longest answer, where neither the request nor the price table sets a limit."""
LONGEST_OUTPUT_TOKENS = 32_768
"""The longest answer of a provider that keeps to no limit, where the price table has none."""

AT_FIRST = 4
"""Calls to a model that are in flight after its first answer or failure, where a cap holds."""
LETTERS = bytes(sorted({*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1), ord(" ")}))


class Taken(NamedTuple):
    """USD and tokens of one request; 0 where they are not known."""

    usd: float = 0.0
    tokens: int = 0


NOTHING_TAKEN = Taken()


@dataclass(slots=True, eq=False)
class _Held:
    """What is reserved for a call that may be in flight, and what it can take beyond that, in USD and tokens."""

    call: Call
    usd: float = 0.0
    tokens: int = 0
    beyond_usd: float = 0.0
    beyond_tokens: int = 0
    is_reserved: bool = True
    unsure_usd: float = 0.0
    """What earlier attempts of the call may have cost."""
    said: Taken = NOTHING_TAKEN
    """What the failed answer to the last attempt says that it took."""


@dataclass(slots=True)
class Payer:
    """Sends calls through the gateway within the budget.

    Under a cap one call to a model is in flight at first, then a few, and one more with each answer that is no longer than its
    reservation; a longer one restarts that. So a provider that ignores limits bills few answers before its longest is reserved for each.
    """

    models: Mapping[str, Model]
    prices: Mapping[str, Price | None]
    limits: Mapping[str, int]
    """By model name: the most tokens that one answer can have, where that is known."""
    gateway: Gateway
    budget: Budget
    progress: Progress
    at_first: int = AT_FIRST
    stop: asyncio.Event | None = None
    """Set where nothing more is to be sent."""
    ledger: Ledger = field(default_factory=lambda: Ledger(None))
    longest: dict[str, int] = field(init=False, default_factory=dict)
    """By model name: the most tokens that one of its answers took so far."""
    _limit_in: Once[int | None] = field(init=False, default_factory=lambda: Once(most_output))
    _room: dict[str, int] = field(init=False, default_factory=dict)
    _is_due: bool = field(init=False, default=False)
    """Whether calls have ended that the ledger still holds as reserved."""
    _under_way: Counter[str] = field(init=False, default_factory=Counter)
    _open: dict[_Held, None] = field(init=False, default_factory=dict)
    """Calls that may be in flight, in the order in which they began."""
    _beyond: dict[_Held, None] = field(init=False, default_factory=dict)
    """Those that can take more than what is reserved for them."""

    async def paid(self, call: Call) -> Completion:
        """The answer to a call. Each attempt that fails after it may have been billed counts as the most that it can have cost."""
        while self._is_capped(call) and self._under_way[call.model] >= self._room.get(call.model, 1):
            if self.stop is not None and self.stop.is_set():
                raise asyncio.CancelledError  # it was not sent, and nothing more is
            await self.budget.settled()
        self._under_way[call.model] += 1
        try:
            return await self._paid(call)
        finally:
            self._under_way[call.model] -= 1
            self.budget.news()
            if not self._is_due:  # one write for all that end in this turn of the loop; until then they count as reserved
                self._is_due = True
                asyncio.get_running_loop().call_soon(self.settled)

    async def _paid(self, call: Call) -> Completion:
        held = _Held(call)
        if not self._take(held):
            await self._wait(held)
        self._opened(held)
        used: tuple[float | None, int | None] = 0.0, 0
        try:
            completion = await self.gateway.complete(call, partial(self._reserve_anew, held), partial(self._failed, held))
            used = completion.cost_usd, total((completion.input_tokens, completion.output_tokens))
            if completion.cost_usd is None and held.is_reserved:
                most = self._most(call, length_of(completion), least=held.usd)
                used = max(held.said.usd, most), max(held.said.tokens, held.tokens) if used[1] is None else used[1]
                held.unsure_usd += used[0] or 0.0
        except asyncio.CancelledError:
            used = None, None  # it may have been sent
            held.unsure_usd += held.beyond_usd
            raise
        finally:
            del self._open[held]
            self._beyond.pop(held, None)
            if held.is_reserved:
                self.budget.settle(held.usd, held.tokens, *used)
                held.unsure_usd += held.usd if used[0] is None else 0.0
            self.progress.n_sent = self.gateway.n_sent
            unsure_usd = 0.0 if self.models[call.model].simulated else held.unsure_usd
            self.progress.unsure_usd += unsure_usd
        self.progress.paid_usd += completion.cost_usd or 0.0
        if completion.cost_usd is None and completion.outcome != "error":
            self.progress.n_unpriced += 1
        if unsure_usd:
            completion.at_most_usd = (completion.cost_usd or 0.0) + unsure_usd
        self.seen(call, completion)
        return completion

    def _take(self, held: _Held) -> bool:
        """Reserve the most that a call can take, for all that is known now, where that fits; it is written down when the call is sent."""
        held.usd, held.tokens, _ = self._upper(held.call)
        if not self.budget.fits(held.usd, held.tokens):
            return False
        self.budget.take(held.usd, held.tokens)
        return True

    async def _wait(self, held: _Held) -> None:
        """Reserve it once there is room; BudgetReached where there will be none."""
        while not self._take(held):
            held.usd, held.tokens, n_output = self._upper(held.call)
            await self.budget.reserve(held.usd, held.tokens)
            if self._most_output(held.call) <= n_output:
                return
            self.budget.settle(held.usd, held.tokens, 0.0, 0)  # answers got longer while it waited

    async def _reserve_anew(self, held: _Held) -> None:
        """Count what an attempt may have cost, and reserve as much for the next."""
        usd, tokens = max(held.usd, held.said.usd), max(held.tokens, held.said.tokens)
        self.budget.settle(held.usd, held.tokens, usd, tokens)
        held.is_reserved, held.unsure_usd, held.said = False, held.unsure_usd + usd, NOTHING_TAKEN
        self._make_room(held.call.model, 0)
        if not self._take(held):
            await self._wait(held)
        held.is_reserved = True
        self._opened(held)

    def _failed(self, held: _Held, said: Reply) -> None:
        held.said = self.taken(held.call, said)

    def taken(self, call: Call, said: Reply) -> Taken:
        """What a failed answer says that it took, and learn from it: its provider may bill it like any other."""
        found = booked(said, call, self.prices.get(call.model))
        n_input, n_output = found.reply.input_tokens or 0, found.reply.output_tokens or 0
        if n_output > self._most_output(call):
            self._room[call.model] = 1
        self.learn(call.model, n_output)
        return Taken(found.cost_usd or 0.0, n_input + n_output)

    def _is_capped(self, call: Call) -> bool:
        capped = self.budget.limit_usd is not None or self.budget.limit_tokens is not None
        return capped and not self.models[call.model].simulated

    def settled(self) -> None:
        """Write down what was paid, where nothing has since."""
        if self._is_due:
            self.keep()

    def keep(self) -> None:
        """Write down what was sent and paid."""
        self._is_due = False
        progress, budget = self.progress, self.budget
        held_usd, held_tokens = budget.reserved_usd, budget.reserved_tokens
        for held in self._beyond:
            held_usd, held_tokens = held_usd + held.beyond_usd, held_tokens + held.beyond_tokens
        spent = budget.spent_usd, budget.spent_tokens, held_usd, held_tokens
        self.ledger.keep(Sums(self.gateway.n_sent, progress.paid_usd, progress.unsure_usd, *spent))

    def _opened(self, held: _Held) -> None:
        """Note what a call can take that a kill cuts off. A model's answers show whether its provider keeps to limits; until one
        does, and once one did not, an answer can be as long as the model's own limit or its longest answer, whichever is longer."""
        self._open[held] = None
        call = held.call
        longest = self.longest.get(call.model, 0)
        if 0 < longest <= self._limit(call) or self.models[call.model].simulated:
            self._beyond.pop(held, None)
            held.beyond_usd, held.beyond_tokens = 0.0, 0
            return
        most = max(self.limits.get(call.model, LONGEST_OUTPUT_TOKENS), longest)
        held.beyond_usd = max(0.0, self._most(call, most) - held.usd)
        held.beyond_tokens = max(0, most_input(call) + most - held.tokens)
        self._beyond[held] = None

    def seen(self, call: Call, completion: Completion) -> None:
        """Learn from an answer how long they get, and note a usage that cannot be believed."""
        model, length = call.model, length_of(completion)
        if length > self._most_output(call):
            self._room[model] = 1
        else:
            self._make_room(model, completion.outcome != "error")
        self.learn(model, length)
        if (doubt := self.gateway.doubts.get(model)) and doubt not in self.progress.notes:
            self.progress.notes.append(doubt)

    def _make_room(self, model: str, more: int) -> None:
        self._room[model] = max(self.at_first, self._room.get(model, 1) + more)
        self.budget.news()

    def learn(self, model: str, length: int) -> None:
        """Some answer of a model took so many tokens."""
        if length > self.longest.get(model, 0):
            self.longest[model] = length
            for held in list(self._open):
                if held.call.model == model:
                    self._opened(held)

    def _most_output(self, call: Call) -> int:
        """The most tokens of an answer, for all that is known: its limit, or the longest."""
        return max(self._limit(call), self.longest.get(call.model, 0))

    def _limit(self, call: Call) -> int:
        """The most tokens of an answer that keeps to limits: the limit that the request sets, else the model's own."""
        return self._limit_in(call.sampling) or self.limits.get(call.model, UNKNOWN_OUTPUT_TOKENS)

    def _most(self, call: Call, n_output: int, least: float = 0.0) -> float:
        """The most that a request with such an answer can cost, in USD."""
        price = self.prices.get(call.model)
        return max(least, price.most(most_input(call), n_output)) if price is not None else least

    def upper_cost(self, call: Call) -> tuple[float, int]:
        """The most that a request can take, in USD and tokens."""
        return self._upper(call)[:2]

    def _upper(self, call: Call) -> tuple[float, int, int]:
        """The same, and the most tokens of the answer."""
        n_output = self._most_output(call)
        return self._most(call, n_output), most_input(call) + n_output, n_output


def length_of(completion: Completion) -> int:
    """The tokens of an answer; where they are not known, the most that its text can have."""
    if completion.output_tokens is not None:
        return completion.output_tokens
    return most_tokens(completion.text) + most_tokens(completion.reasoning or "")


def most_input(call: Call) -> int:
    """The most input tokens that a call can take."""
    return 16 + sum([most_tokens(message["content"]) for message in call.messages])


def most_tokens(text: str) -> int:
    """The most tokens of a text: one for every two letters of ASCII or blanks, and one for each byte of anything else in UTF-8."""
    data = text.encode("utf-8", "surrogatepass")
    n_others = len(data.translate(None, LETTERS))
    return n_others + (len(data) - n_others) // 2
