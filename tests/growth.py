"""How the time of a function grows with its input, measured side by side, so that a busy machine changes nothing."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

TOO_SHORT_S = 0.02


def growth(function: Callable[[int], object], n: int, times: int = 4) -> float:
    """CPU time at ``times`` times ``n`` divided by that at ``n``: the least of three each. What ends at once grows by 1.

    Each of the three has a size of its own (up to 200 more), so that no memory of an earlier call answers for it.
    """

    def least(size: int) -> float:
        spent = []
        for more in (0, 100, 200):
            begun = time.process_time()
            function(size + more)
            spent.append(time.process_time() - begun)
            if spent[-1] < TOO_SHORT_S:
                break
        return min(spent)

    gc.disable()
    try:
        long = least(n * times)
        return 1.0 if long < TOO_SHORT_S else long / max(least(n), 1e-6)
    finally:
        gc.enable()
