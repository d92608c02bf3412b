"""What contrasts say in sentences: each question of a run, and added texts whose effect depends on the base prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from promptlab.nouns import AA_ARM, CONTROLS, NONE_ARM, VERDICTS, Comparison, Scope
from promptlab.stats import interval, is_interaction, p_text, points

CONTRASTED: tuple[Scope, ...] = ("prompt", "wording", "model", "level", "simple", "pair", "interaction")
"""Scopes of contrasts in the order in which they are shown."""
FIRST: tuple[Scope, ...] = ("prompt", "wording", "model", "level", "interaction")
"""Those that a headline names."""
OF_TWO = {"helps": "larger", "hurts": "smaller"}
"""What the verdict on a difference of differences means."""


class Parts(NamedTuple):
    """What a contrast of an added text compares: the text, its control, and the base prompt (or both, in an interaction)."""

    text: str
    control: str
    prompts: tuple[str, ...]


def parts_of(c: Comparison) -> Parts | None:
    """The parts of a contrast of an added text in one base prompt, or between two; None for any other comparison."""
    if c.contrast is None:
        return None
    first = c.contrast.side(1)[0]
    arms, prompts = ({getattr(ref, name) for ref, _ in c.contrast.weights} for name in ("arm", "prompt"))
    if arms <= {NONE_ARM, AA_ARM} or (c.scope != "by_prompt" and (len(prompts) < 2 or not is_interaction(c))):
        return None
    lower = [ref.prompt for ref in c.contrast.side(-1) if ref.arm == first.arm]
    return Parts(first.arm, "none" if NONE_ARM in arms else "placebo", tuple(prompt or "" for prompt in (first.prompt, *lower)))


def verdict_words(c: Comparison) -> str:
    """The verdict; of a difference of differences as larger or smaller."""
    return OF_TWO.get(c.verdict, c.verdict) if is_interaction(c) else c.verdict


def questions(comparisons: Sequence[Comparison]) -> list[str]:
    """One sentence for each question about prompts, models, levels and interactions of one model."""
    found = []
    for scope in FIRST:
        of_scope = [c for c in comparisons if c.scope == scope and c.task is None and parts_of(c) is None]
        for family in dict.fromkeys(c.family for c in of_scope):
            found.append(_by_verdict([c for c in of_scope if c.family == family]))
    return found


def _by_verdict(family: Sequence[Comparison]) -> str:
    groups = [(verdict, [c for c in family if c.verdict == verdict]) for verdict in VERDICTS]
    said = [(OF_TWO.get(verdict) if is_interaction(family[0]) else None, verdict, group) for verdict, group in groups if group]
    parts = [f"{word or VERDICTS[verdict].headline}: {', '.join(map(_named, group))}" for word, verdict, group in said]
    return f"{'; '.join(parts)}."


def _named(c: Comparison) -> str:
    return c.name if c.diff is None else f"{c.name} ({points(c.diff)} points)"


def _scores(c: Comparison) -> str:
    """The scores of control and treatment."""
    return "" if c.mean_control is None or c.mean_treatment is None else f"{100 * c.mean_control:.1f} to {100 * c.mean_treatment:.1f}; "


class Dependence(NamedTuple):
    """An added text whose effect is not the same in all base prompts."""

    sentence: str
    effects: str
    helps_in_all: bool


Key = tuple[str, str, str, str]
"""Model, id of the setting, added text, control."""


def dependences(comparisons: Sequence[Comparison]) -> Mapping[Key, Dependence]:
    """Every added text for which the planned test of the interaction with the base prompt found a difference."""
    effects: dict[Key, list[Comparison]] = {}
    differences: dict[Key, list[Comparison]] = {}
    for c in comparisons:
        if parts := parts_of(c):
            of_scope = effects if c.scope == "by_prompt" else differences
            of_scope.setdefault((c.model, c.setting.id, parts.text, parts.control), []).append(c)
    found = {}
    for key, group in differences.items():
        different = [c for c in group if c.verdict in OF_TWO and c.diff is not None]
        if not different:
            continue
        largest = max(different, key=lambda c: abs(c.diff or 0.0))
        listed = [(parts_of(c), c) for c in effects.get(key, ()) if c.diff is not None]
        words = ", ".join(
            f"{points(c.diff)} points with {parts.prompts[0]} ({_scores(c)}{interval(c.ci_low, c.ci_high)})" for parts, c in listed if parts
        )
        words += f"; difference {points(largest.diff)} points ({interval(largest.ci_low, largest.ci_high)}"
        sentence = (
            f"The effect of {key[2]} against {CONTROLS[key[3]].name} depends on the base prompt: {words}; adjusted "
            f"{p_text(largest.p_adjusted)}). No mean over the base prompts describes it."
        )
        found[key] = Dependence(sentence, f"{words})", all(c.verdict == "helps" for _, c in listed))
    return found
