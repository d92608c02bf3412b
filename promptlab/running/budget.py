"""What a run may cost, set aside before each request and settled after it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from promptlab.nouns.errors import BudgetReached


@dataclass(slots=True)
class Budget:
    """Money and tokens are set aside before each request and settled after it, so that concurrent requests cannot overshoot together."""

    limit_usd: float | None
    limit_tokens: int | None = None
    spent_usd: float = 0.0
    spent_tokens: int = 0
    reserved_usd: float = 0.0
    reserved_tokens: int = 0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def reserve(self, usd: float, tokens: int) -> None:
        """Set aside. Waits while requests under way hold more than they will cost; BudgetReached when that is not enough."""
        while not self.fits(usd, tokens):
            if not self.busy:
                raise BudgetReached(self.reason(usd, tokens))
            await self.settled()
        self.take(usd, tokens)

    def fits(self, usd: float, tokens: int) -> bool:
        """Whether so much more stays within both limits."""
        return (self.limit_usd is None or self.spent_usd + self.reserved_usd + usd <= self.limit_usd) and (
            self.limit_tokens is None or self.spent_tokens + self.reserved_tokens + tokens <= self.limit_tokens
        )

    @property
    def busy(self) -> bool:
        """Whether anything is set aside, some of which may come back."""
        return bool(self.reserved_usd or self.reserved_tokens)

    def take(self, usd: float, tokens: int) -> None:
        """Set aside what fits."""
        self.reserved_usd += usd
        self.reserved_tokens += tokens

    async def settled(self) -> None:
        """Wait until a request ends."""
        self._settled.clear()
        await self._settled.wait()

    def reason(self, usd: float, tokens: int) -> str:
        """Why a request that could cost so much is not sent."""
        if self.limit_usd is not None and self.spent_usd + usd > self.limit_usd:
            return (
                f"the budget of ${self.limit_usd:g} is reached: ${self.spent_usd:.4f} is spent, and the next request could cost ${usd:.4f}"
            )
        return (
            f"the limit of {self.limit_tokens:,} tokens is reached: {self.spent_tokens:,} are used, "
            f"and the next request could take {tokens:,}"
        )

    def settle(self, usd: float, tokens: int, cost_usd: float | None, n_tokens: int | None) -> None:
        """Replace what was set aside by what it took; what is not known counts as what was set aside."""
        self.reserved_usd = max(0.0, self.reserved_usd - usd)
        if self.reserved_usd < 1e-12:
            self.reserved_usd = 0.0  # sums of floats do not come back to 0 by themselves
        self.reserved_tokens -= tokens
        self.spent_usd += usd if cost_usd is None else cost_usd
        self.spent_tokens += tokens if n_tokens is None else n_tokens
        self._settled.set()

    def give_back(self) -> list[float]:
        """Lower the limits to what is spent or set aside, and say by how much."""
        usd = tokens = 0.0
        if self.limit_usd is not None:
            usd = max(0.0, self.limit_usd - self.spent_usd - self.reserved_usd)
            self.limit_usd -= usd
        if self.limit_tokens is not None:
            tokens = max(0, self.limit_tokens - self.spent_tokens - self.reserved_tokens)
            self.limit_tokens -= int(tokens)
        return [usd, tokens]
