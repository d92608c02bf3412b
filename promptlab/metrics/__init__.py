"""Metrics: functions of a model's reply and an item that give a score in [0, 1] and what they read in the reply.

A metric touches nothing but its arguments. Metrics from outside the package are named `package.module:function`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from promptlab.errors import UsageProblem, did_you_mean
from promptlab.metrics import bigbench, instruction_induction
from promptlab.schema import Item, Scored

Metric = Callable[[str, Item], Scored]


def metric(name: str) -> Metric:
    """The metric of a name in METRICS, or of a dotted path `package.module:function`.

    A function from outside may return a plain number in place of a Scored. UsageProblem when there is no such metric.
    """
    if ":" not in name:
        if name not in METRICS:
            hint = did_you_mean(name, METRICS)
            raise UsageProblem(f"no metric is named {name!r}; {hint or 'name your own as package.module:function'}")
        return METRICS[name]
    module_name, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UsageProblem(f"the metric {name!r} could not be loaded: {error}") from error
    if not callable(function):
        raise UsageProblem(f"the metric {name!r} is not a function, found {type(function).__name__}")
    return _checked(name, function)


def _checked(name: str, function: Callable[[str, Item], object]) -> Metric:
    """The function with its results made Scored, and refused when they are no scores."""

    def scored(answer: str, item: Item) -> Scored:
        result = function(answer, item)
        if isinstance(result, bool | int | float):
            result = Scored(float(result), answer.strip() or None)
        if not isinstance(result, Scored) or not 0 <= result.score <= 1:  # NaN fails the comparison too
            raise UsageProblem(f"the metric {name!r} must return a number in [0, 1] or a Scored, found {result!r} for item {item.id!r}")
        return result

    return scored


METRICS: Mapping[str, Metric] = {
    "ii_em": instruction_induction.em,
    "ii_f1": instruction_induction.f1,
    "ii_exact_set": instruction_induction.exact_set,
    "ii_contains": instruction_induction.contains,
    "bigbench_exact": bigbench.exact_str_match,
    "bigbench_operators": bigbench.operators,
    "choice": bigbench.choice,
}
