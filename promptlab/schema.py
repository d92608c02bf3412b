"""Where metrics of earlier versions import `Item` and `Scored` from."""

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item

__all__ = ["Item", "Scored"]
