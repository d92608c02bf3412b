"""The columns of every recorded frame, as the rows of `promptlab.nouns.record` have them."""

from __future__ import annotations

from promptlab.nouns.record import CallRow, ItemRow, TrialRow, columns_of

TRIAL_COLUMNS = columns_of(TrialRow)
CALL_COLUMNS = columns_of(CallRow)
ITEM_COLUMNS = columns_of(ItemRow)
CIRCUMSTANCE_COLUMNS = ("latency_s", "cached", "attempts", "paid_usd")
"""Columns that may differ between two runs of the same experiment that gave the same answers."""
