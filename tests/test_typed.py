"""Dataclasses filled from other objects by the names of their fields."""

from __future__ import annotations

from types import SimpleNamespace

from promptlab.nouns.arm import Stimulus
from promptlab.nouns.call import Price
from promptlab.nouns.typed import filled


def test_a_field_is_what_is_given_else_that_of_the_first_source_else_the_default() -> None:
    first, second = Price(1.0, 2.0, "first"), SimpleNamespace(source="second", valence="positive", parts=None, more="no field")
    made = filled(Stimulus, first, None, second, id="own/a", text="Be calm.", parts=("own/b",))
    assert made == Stimulus("own/a", "Be calm.", source="first", valence="positive", parts=("own/b",))
