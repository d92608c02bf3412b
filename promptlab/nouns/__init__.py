"""Frozen data and the words for it; nothing here imports another part of promptlab.

Other parts import every noun from here. Inside, modules import from each other's modules.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from promptlab.nouns.errors import *
from promptlab.nouns.grouping import *
from promptlab.nouns.identity import *
from promptlab.nouns.inert import *
from promptlab.nouns.redact import *
from promptlab.nouns.setting import *
from promptlab.nouns.words import *

if TYPE_CHECKING:
    from promptlab.nouns.arm import *
    from promptlab.nouns.batch import *
    from promptlab.nouns.bounds import *
    from promptlab.nouns.call import *
    from promptlab.nouns.comparison import *
    from promptlab.nouns.environment import *
    from promptlab.nouns.item import *
    from promptlab.nouns.manifest import *
    from promptlab.nouns.places import *
    from promptlab.nouns.plan import *
    from promptlab.nouns.record import *
    from promptlab.nouns.typed import *
else:
    LATER = "places item call environment arm batch comparison record typed plan manifest bounds".split()
    """Modules that are loaded when one of their names is first used: `promptlab --help` needs none of them."""

    def __getattr__(name: str) -> object:
        for module in (import_module(f"promptlab.nouns.{module}") for module in LATER):
            if hasattr(module, name):
                return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module 'promptlab.nouns' has no attribute {name!r}")
