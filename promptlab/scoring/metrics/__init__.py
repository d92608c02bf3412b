"""Metrics: an answer and its item to a score in [0, 1]. Pure functions of text.

A scorer is a rule for every task: `reference` is the benchmark authors' own, `negativeprompt` the published lenient code,
`strict` promptlab's. `scorer_metric` gives the metric of one task under one scorer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial

from promptlab.nouns import Item, Metric, Scored, Scorer, ScoringFailed, UsageProblem, did_you_mean
from promptlab.scoring.answers.text import fold, key
from promptlab.scoring.answers.thoughts import spoken
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics import bigbench, negativeprompt
from promptlab.scoring.metrics import instruction_induction as ii
from promptlab.scoring.metrics.strict import STRICT
from promptlab.scoring.patterns import searched


def metric(name: str) -> Metric:
    """A metric by name, or by `regex:PATTERN` (its first match or group is a target)."""
    if name in METRICS:
        return METRICS[name]
    if name.startswith("regex:"):
        pattern = name.removeprefix("regex:")
        try:
            searched(pattern, "")
        except (UsageProblem, ScoringFailed) as error:
            raise UsageProblem(f"the metric {name!r} is no pattern: {error}") from None
        return bigbench.matched(partial(searched, pattern))
    raise UsageProblem(
        f"the metric {name!r} is not known; {did_you_mean(name, METRICS)}; or write package.module:function, or regex:PATTERN"
    )


def scorer_metric(scorer: Scorer, task: str, metric_name: str, strict_kind: str, model: str = "", published: bool = True) -> Metric:
    """The metric of one task under a scorer. A task of the user's own has no published rule: all scorers use its metric.

    Every metric gets the reply without thoughts and end tokens, which were no part of a reply when the published rules were written.
    """
    if scorer == "strict" and strict_kind in STRICT:
        return STRICT[strict_kind]
    if scorer == "negativeprompt" and published:
        return partial(_aloud, rule=partial(negativeprompt.score, task=task, model=model))
    rule = metric(metric_name)
    return rule if rule in STRICT.values() else _of_aloud(rule)


@lru_cache(maxsize=256)
def _of_aloud(rule: Metric) -> Metric:
    """One metric for each rule: scorers that share it score an answer once."""
    return partial(_aloud, rule=rule)


def _aloud(answer: str, item: Item, *, rule: Metric) -> Scored:
    aloud = spoken(answer)
    return rule(aloud, item) if aloud.strip() or not answer.strip() else Scored(0.0, None, "thought only")


REFUSALS = regex(
    r"^(?:i'?m |i am |we'?re )?(?:sorry|unable|afraid|not able)\b|\bas an ai\b|^i (?:can'?t|cannot|can not|won'?t|do not feel) "
    r"(?:help|assist|answer|provide|do|comply|comfortable)",
    re.IGNORECASE,
)


def declines(answer: str) -> bool:
    """Whether a reply refuses to answer, in words."""
    return REFUSALS.search(fold(spoken(answer))[:300]) is not None


def echoed(answer: str, item: Item) -> bool:
    """Whether a reply is the item's input again."""
    answer = spoken(answer)
    return bool(answer.strip()) and key(answer) == key(item.input) and bool(key(answer))


def compliant(answer: str, item: Item) -> bool:
    """Whether a reply has the form that was requested: one line no longer than twice the longest answer, or one of the options."""
    answer = spoken(answer)
    lines = [line for line in fold(answer).split("\n") if line]
    if item.choices:
        return key(answer) in {key(choice) for choice in item.choices} or len(key(answer)) <= 1 < len(answer.strip()) + 1
    if not item.targets:  # no form was asked for
        return bool(answer.strip())
    longest = max(len(target) for target in item.targets)
    return len(lines) == 1 and len(lines[0]) <= max(2 * longest, longest + 3)


@lru_cache(maxsize=64)  # the arms of an item often get the same reply, one after the other
def form_of(answer: str, item: Item) -> tuple[bool, bool, bool]:
    """Whether a reply is `compliant`, is `echoed`, and `declines`."""
    return compliant(answer, item), echoed(answer, item), declines(answer)


METRICS: Mapping[str, Metric] = {
    "ii_em": ii.em,
    "ii_f1": ii.f1,
    "ii_exact_set": ii.exact_set,
    "ii_contains": ii.contains,
    "bigbench_exact": bigbench.exact_str_match(),
    "bigbench_operators": bigbench.exact_str_match(bigbench.OPERATORS_PATTERN, stop="\n"),
    "choice": bigbench.choice,
    **{f"strict_{kind}": function for kind, function in STRICT.items()},
}
