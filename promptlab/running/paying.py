"""One request paid for: set aside before it is sent, settled by what it took, and told in the progress."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptlab.nouns import Call, Completion, Model, Price, most_output
from promptlab.running.budget import Budget
from promptlab.running.gateway import Gateway
from promptlab.running.progress import Progress
from promptlab.running.trial_rows import total

UNKNOWN_OUTPUT_TOKENS = 4096
"""The longest answer, where neither the request nor the price table sets a limit."""


@dataclass(slots=True)
class Payer:
    """Sends calls through the gateway within the budget."""

    models: Mapping[str, Model]
    prices: Mapping[str, Price | None]
    limits: Mapping[str, int]
    """By model name: the most tokens that one answer can have, where that is known."""
    gateway: Gateway
    budget: Budget
    progress: Progress
    _longest: dict[str, int] = field(init=False, default_factory=dict)
    """By model name: the most tokens that one of its answers took so far."""

    async def paid(self, call: Call) -> Completion:
        """The answer to a call. Each attempt that fails after it may have been billed counts as the most that it can have cost."""
        usd, tokens = self.upper_cost(call)
        await self.budget.reserve(usd, tokens)
        reserved, unsure_usd = True, 0.0

        async def reserve_anew() -> None:
            nonlocal reserved, unsure_usd
            self.budget.settle(usd, tokens, None, None)
            reserved, unsure_usd = False, unsure_usd + usd
            await self.budget.reserve(usd, tokens)
            reserved = True

        used: tuple[float | None, int | None] = 0.0, 0
        try:
            completion = await self.gateway.complete(call, reserve_anew)
            used = completion.cost_usd, total([completion.input_tokens, completion.output_tokens])
        except asyncio.CancelledError:
            used = None, None  # it may have been sent
            raise
        finally:
            if reserved:
                self.budget.settle(usd, tokens, *used)
                unsure_usd += usd if used[0] is None else 0.0
            self.progress.n_sent = self.gateway.n_sent
            unsure_usd = 0.0 if self.models[call.model].simulated else unsure_usd
            self.progress.unsure_usd += unsure_usd
        self.progress.paid_usd += completion.cost_usd or 0.0
        if completion.cost_usd is None and completion.outcome != "error":
            self.progress.n_unpriced += 1
        if unsure_usd:
            completion.at_most_usd = (completion.cost_usd or 0.0) + unsure_usd
        self.seen(call.model, completion)
        return completion

    def seen(self, model: str, completion: Completion) -> None:
        """Learn from an answer how long they get, and note a usage that cannot be believed."""
        self._longest[model] = max(self._longest.get(model, 0), completion.output_tokens or 0)
        if (doubt := self.gateway.doubts.get(model)) and doubt not in self.progress.notes:
            self.progress.notes.append(doubt)

    def upper_cost(self, call: Call) -> tuple[float, int]:
        """The most that a request can take, in USD and tokens, for all that is known: the limit that it sets, else the model's own."""
        n_input = most_input(call)
        limit = most_output(call.sampling) or self.limits.get(call.model, UNKNOWN_OUTPUT_TOKENS)
        n_output = max(limit, self._longest.get(call.model, 0))
        price = self.prices.get(call.model)
        return price.most(n_input, n_output) if price is not None else 0.0, n_input + n_output


def most_input(call: Call) -> int:
    """The most input tokens that a call can take: one for every two characters of ASCII, and one for each byte of others in UTF-8."""
    n = 16
    for message in call.messages:
        text = message["content"]
        if text.isascii():
            n += len(text) // 2
        else:
            n_ascii = sum(map(str.isascii, text))
            n += len(text.encode("utf-8", "surrogatepass")) - n_ascii + n_ascii // 2
    return n
