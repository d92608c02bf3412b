"""promptlab: does a sentence added to a prompt help your model on your task?

The straight line: spec -> tasks -> design -> plan -> run -> store -> stats -> report. docs/design.md tells it whole.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# Without it, importing litellm fetches a price list over the network, and prices are part of a result.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

__version__ = "0.1.0"
__all__ = ["Item", "Scored", "__version__", "open_run", "score", "verdicts"]

if TYPE_CHECKING:
    from promptlab.nouns.call import Scored
    from promptlab.nouns.item import Item
    from promptlab.record.open import open_run
    from promptlab.reporting import verdicts
    from promptlab.sources.score import score


def __getattr__(name: str) -> object:
    if name == "open_run":
        from promptlab.record.open import open_run

        return open_run
    if name == "score":
        from promptlab.sources.score import score

        return score
    if name == "verdicts":
        from promptlab.reporting import verdicts

        return verdicts
    if name in ("Item", "Scored"):
        from promptlab.nouns import call, item

        return item.Item if name == "Item" else call.Scored
    raise AttributeError(f"module 'promptlab' has no attribute {name!r}")
