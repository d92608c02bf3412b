"""Item means of a treatment and of its control, in pairs, and what every inference reads of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from promptlab.stats.paired import DECIMALS


@dataclass(frozen=True)
class Pairs:
    """One treatment and one control on the same items: item means, and what is missing. Figures of the items are computed once."""

    task: str
    s: np.ndarray
    b: np.ndarray
    clusters: np.ndarray | None
    n_planned: int
    notes: tuple[str, ...] = ()
    controls: tuple[float, ...] = ()
    """The mean score under each control arm on these items."""

    @property
    def d(self) -> np.ndarray:
        """Item differences, rounded so that equal ones are equal in floats too."""
        d: np.ndarray = (self.s - self.b).round(DECIMALS)
        return d

    @cached_property
    def means(self) -> tuple[float, float, float]:
        """The mean of the treatment, of the control, and of the item differences; NaN without an item."""
        return float(self.s.mean()), float(self.b.mean()), self._moments[0]

    @cached_property
    def _moments(self) -> tuple[float, float, int]:
        """Of the item differences: the mean, the sum of squared distances from it, and how many are not 0."""
        d = self.d
        mean = d.mean()
        return float(mean), float(np.square(d - mean).sum()), int(np.count_nonzero(d))

    @property
    def squares(self) -> float:
        """The sum of the squared distances of the item differences from their mean."""
        return self._moments[1]

    @property
    def n_changed(self) -> int:
        """How many item differences are not 0."""
        return self._moments[2]

    @cached_property
    def single(self) -> bool:
        """Whether both sides hold one right or wrong answer an item."""
        return all(bool(((side == 0.0) | (side == 1.0)).all()) for side in (self.s, self.b))

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Of single answers: how many items both sides have right, only the treatment, only the control, neither."""
        s, b = self.s > 0.5, self.b > 0.5
        both, treated, control = (int(np.count_nonzero(side)) for side in (s & b, s, b))
        return both, treated - both, control - both, len(s) - treated - control + both

    @property
    def n_missing(self) -> int:
        return self.n_planned - len(self.s)

    @property
    def codes(self) -> np.ndarray:
        """The independent unit of each item, from 0: its cluster, or itself."""
        codes: np.ndarray = np.arange(len(self.s)) if self.clusters is None else np.unique(self.clusters, return_inverse=True)[1]
        return codes
