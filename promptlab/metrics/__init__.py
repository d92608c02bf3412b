"""Metrics: an answer and its item to a score in [0, 1]. Pure functions of text."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from promptlab.errors import UsageProblem, did_you_mean
from promptlab.metrics import bigbench
from promptlab.metrics import instruction_induction as ii
from promptlab.schema import Item, Scored

Metric = Callable[[str, Item], Scored]


def metric(name: str) -> Metric:
    """A metric by name, or by `package.module:function` for one of the user's own."""
    if name in METRICS:
        return METRICS[name]
    if ":" not in name:
        raise UsageProblem(f"the metric {name!r} is not known; {did_you_mean(name, METRICS)}; or name your own as package.module:function")
    module, _, function = name.partition(":")
    try:
        found: Metric = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:  # ValueError: no module name before the colon
        raise UsageProblem(f"the metric {name!r} cannot be loaded: {error}") from None
    if not callable(found):
        raise UsageProblem(f"the metric {name!r} is not a function, found {type(found).__name__}")
    return found


METRICS: Mapping[str, Metric] = {
    "ii_em": ii.em,
    "ii_f1": ii.f1,
    "ii_exact_set": ii.exact_set,
    "ii_contains": ii.contains,
    "bigbench_exact": bigbench.exact_str_match(),
    "bigbench_operators": bigbench.exact_str_match(bigbench.OPERATORS_PATTERN, stop="\n"),
    "choice": bigbench.choice,
}
