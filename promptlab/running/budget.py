"""What a run may cost, reserved before each request and settled after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from promptlab.nouns import BudgetReached


@dataclass(slots=True)
class Budget:
    """Money and tokens are reserved before each request and settled after it, so that concurrent requests cannot overshoot together."""

    limit_usd: float | None
    limit_tokens: int | None = None
    spent_usd: float = 0.0
    spent_tokens: int = 0
    reserved_usd: float = 0.0
    reserved_tokens: int = 0
    borrow: Callable[[float, int], Awaitable[str | None]] | None = None
    """Raises the limits by what is missing, or says why that is not to be had."""
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def reserve(self, usd: float, tokens: int) -> None:
        """Reserve. Waits while requests in flight hold more than they will cost; BudgetReached when that is not enough."""
        while not self.fits(usd, tokens):
            if short := await self.borrow(usd, tokens) if self.borrow else self.reason(usd, tokens):
                if not self.busy:
                    raise BudgetReached(short)
                await self.settled()
        self.take(usd, tokens)

    def fits(self, usd: float, tokens: int) -> bool:
        """Whether so much more stays within both limits."""
        return (self.limit_usd is None or self.spent_usd + self.reserved_usd + usd <= self.limit_usd) and (
            self.limit_tokens is None or self.spent_tokens + self.reserved_tokens + tokens <= self.limit_tokens
        )

    @property
    def busy(self) -> bool:
        """Whether anything is reserved, some of which may become free."""
        return bool(self.reserved_usd or self.reserved_tokens)

    def take(self, usd: float, tokens: int) -> None:
        """Reserve what fits."""
        self.reserved_usd += usd
        self.reserved_tokens += tokens

    async def settled(self) -> None:
        """Wait until a request ends."""
        self._settled.clear()
        await self._settled.wait()

    def reason(self, usd: float, tokens: int, by_batch: bool = False) -> str:
        """Why a request that could cost so much is not sent."""
        if self.limit_usd is not None and self.spent_usd + self.reserved_usd + usd > self.limit_usd:
            aside = f", ${self.reserved_usd:.4f} reserved for batches" if by_batch else ""
            return usd_reached(self.limit_usd, f"${self.spent_usd:.4f} is spent{aside}", usd)
        aside = f", {self.reserved_tokens:,} reserved for batches" if by_batch else ""
        return tokens_reached(self.limit_tokens or 0, f"{self.spent_tokens:,} are used{aside}", tokens)

    def settle(self, usd: float, tokens: int, cost_usd: float | None, n_tokens: int | None) -> None:
        """Replace what was reserved by what it took; what is not known counts as what was reserved."""
        self.reserved_usd = max(0.0, self.reserved_usd - usd)
        if self.reserved_usd < 1e-12:
            self.reserved_usd = 0.0  # sums of floats do not come back to 0 by themselves
        self.reserved_tokens -= tokens
        self.spent_usd += usd if cost_usd is None else cost_usd
        self.spent_tokens += tokens if n_tokens is None else n_tokens
        self.news()

    def news(self) -> None:
        """Wake whoever waits for a request to end."""
        self._settled.set()

    def give_back(self) -> list[float]:
        """Lower the limits to what is spent or reserved, and say by how much."""
        usd = tokens = 0.0
        if self.limit_usd is not None:
            usd = max(0.0, self.limit_usd - self.spent_usd - self.reserved_usd)
            self.limit_usd -= usd
        if self.limit_tokens is not None:
            tokens = max(0, self.limit_tokens - self.spent_tokens - self.reserved_tokens)
            self.limit_tokens -= int(tokens)
        return [usd, tokens]


def usd_reached(limit: float, state: str, usd: float) -> str:
    """Why a request that could cost so many USD is not sent."""
    hint = " (set max_tokens to set less aside for each)" if usd > limit / 2 else ""
    return f"the budget of ${limit:g} is reached: {state}, and the next request could cost ${usd:.4f}{hint}"


def tokens_reached(limit: float, state: str, tokens: int) -> str:
    """Why a request that could take so many tokens is not sent."""
    return f"the limit of {limit:,.0f} tokens is reached: {state}, and the next request could take {tokens:,}"
