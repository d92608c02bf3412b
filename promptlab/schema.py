"""Where metrics of earlier versions import `Item` and `Scored` from."""

from promptlab.nouns import Item, Scored

__all__ = ["Item", "Scored"]
