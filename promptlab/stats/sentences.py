"""The sentences that promptlab may print about a comparison. The words significant, proves and works are not among them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from promptlab.nouns import ADJUSTMENTS, UNWHOLE, Comparison, Verdict, counted


@dataclass(frozen=True, slots=True)
class Figures:
    """What a sentence says: a comparison, its adjusted p, and what else it takes. Fractions inside, points in the text."""

    c: Comparison
    treatment: str
    diff: float
    low: float | None
    high: float | None
    """The interval that lies inside the margin where a difference is shown to be small."""
    conf: float = 0.90
    """Its level."""
    sd: float | None = None
    """Of the item differences of one task."""
    task: str | None = None
    """The task, where there is only one."""
    p_adjusted: float | None = None
    n_family: int = 0
    """Known once the whole family is."""


def p_text(p: float | None) -> str:
    """`p = .013`, `p < .0001`; never `p = 0`."""
    if p is None:
        return "p not available"
    if p < 1e-4:
        return "p < .0001"
    return f"p = {p:.2g}".replace("0.", ".", 1) if p < 0.1 else f"p = {min(p, 1.0):.2f}".replace("0.", ".", 1)


def p_figure(p: float | None) -> str:
    """The same as a cell of a table: `.013`, `< .0001`."""
    return p_text(p).removeprefix("p ").removeprefix("= ")


def chance(p: float | None) -> str:
    """A chance as a whole percentage."""
    return "-" if p is None else "> 99 %" if p > 0.99 else "< 1 %" if p < 0.01 else f"{100 * p:.0f} %"


def points(value: float | None) -> str:
    """A fraction as signed points with one decimal; with as many as its sign needs where it is nearly 0."""
    if value is None:
        return "n/a"
    near = 0 < abs(100 * value) < 0.05
    return f"{100 * value:+.1g}" if near and abs(100 * value) > 1e-7 else f"{100 * value:+.1f}".replace("-0.0", "+0.0")


def interval(low: float | None, high: float | None) -> str:
    """Two fractions as `low to high` points."""
    return "no interval" if low is None or high is None else f"{points(low)} to {points(high)}"


def above_incumbent(c: Comparison) -> str:
    """By how much an arm that helps is better; where every item gained as much there is no interval."""
    figure = f"{points(c.diff or 0.0)} points on every item" if c.ci_low is None else f"{interval(c.ci_low, c.ci_high)} points"
    return f"It scores {figure} above the incumbent."


def flipped(c: Comparison) -> str:
    """How many items went each way."""
    return f"{c.gained} {'item' if c.gained == 1 else 'items'} gained, {c.lost} lost of {c.n_pairs}"


OF_REMARKS = {
    "neutral_paraphrase": " Rounds, stop rule, verifier and variety of wording are the same in both, so this is the effect of the emotion "
    "in the remarks.",
    "neutral_feedback": " The control repeats one sentence, so variety of wording may do the same: nothing here is attributed to emotion.",
}
"""What a change against an affect-free loop means."""


def change(f: Figures) -> str:
    """Something moved: up, down, or too little to matter."""
    return _change(f) + (OF_REMARKS.get(f.c.control, "") if f.c.contrast is None else "")


def _change(f: Figures) -> str:
    what = "raised" if f.diff > 0 else "lowered"
    differs = f"difference{' of differences' if is_interaction(f.c) else ''} {interval(f.c.ci_low, f.c.ci_high)}, 95 % CI"
    differs = "the same on every item, so without an interval" if f.c.ci_low is None else differs
    by = f"{100 * abs(f.diff):.1f} points ({differs})"
    against = f"against {_control(f.c)}"
    tail = f"adjusted {p_text(f.p_adjusted)}; {f.c.method}, {ADJUSTMENTS[f.c.adjustment].name} over {f.n_family}"
    if is_interaction(f.c):
        where = f"Over {_tasks(f.c)}" if f.task is None else f"In {f.task}"
        return f"{where} {f.treatment} is {by} {'above' if f.diff > 0 else 'below'} {f.c.control} ({tail}){_other(f.c)}."
    if f.task is None:
        return f"Over {_tasks(f.c)} {f.treatment} {what} the mean score by {by} {against} ({tail}){_other(f.c)}{_others(f.c)}."
    flips = f"{flipped(f.c)}; " if f.c.gained is not None else f"{counted(f.c.n_pairs)}; "
    return f"{f.treatment} {what} {f.task} by {by} {against} ({flips}{tail}){_others(f.c)}."


def is_interaction(c: Comparison) -> bool:
    """Whether a comparison is of two differences."""
    return c.contrast is not None and c.contrast.kind == "interaction"


def _tasks(c: Comparison) -> str:
    """What a mean over tasks is about."""
    if c.generalises == "like_these":
        return f"tasks like these {c.n_tasks}"
    return f"these {c.n_tasks} tasks" if c.n_tasks > 1 else "the only task with answers"


def _other(c: Comparison) -> str:
    """The interval for the tasks that the verdict is not about."""
    if c.generalises == "these":
        return "" if c.ci_like_low is None else f"; for tasks like these {interval(c.ci_like_low, c.ci_like_high)}"
    return "" if c.ci_fixed_low is None else f"; for these tasks alone {interval(c.ci_fixed_low, c.ci_fixed_high)}"


def _control(c: Comparison) -> str:
    """What a verdict is against."""
    return c.against.phrase if c.neutral == "these" else f"neutral sentences like these {len(c.control_arms)}"


def _others(c: Comparison) -> str:
    """The interval against the neutral sentences that the verdict is not about."""
    if c.neutral != "these":
        return f"; against these alone {interval(c.ci_fixed_low, c.ci_fixed_high)}"
    like = "wordings" if c.scope == "wording" else "neutral sentences"
    return "" if c.ci_neutral_low is None else f"; against {like} like these {interval(c.ci_neutral_low, c.ci_neutral_high)}"


def negligible(f: Figures) -> str:
    """Detectable, but inside the margin."""
    return f"{change(f)} That is detectable, but smaller than the margin of {100 * f.c.margin:g} points."


def equivalent(f: Figures) -> str:
    """Whatever it does is smaller than the margin."""
    where = f"on average over {_tasks(f.c)}" if f.task is None else f"{'in' if is_interaction(f.c) else 'to'} {f.task}"
    none = f" No answer changed on {counted(f.c.n_pairs)}." if f.c.gained == f.c.lost == 0 else ""
    if is_interaction(f.c):
        return (
            f"{f.treatment} and {f.c.control} differ by less than {100 * f.c.margin:g} points {where} "
            f"({100 * f.conf:g} % CI {interval(f.low, f.high)})."
        )
    return (
        f"Whatever {f.treatment} does {where} against {_control(f.c)}, it is smaller than {100 * f.c.margin:g} points "
        f"({100 * f.conf:g} % CI {interval(f.low, f.high)}).{none}"
    )


def unsettled(f: Figures, why: str = "") -> str:
    """Neither a change nor its absence is shown; what is against it (`why`), and what it would take."""
    text = f"Not settled: {points(f.diff)} points ({interval(f.c.ci_low, f.c.ci_high)}, 95 % CI) against {_control(f.c)}"
    if f.task is None:
        text += f" over {_tasks(f.c)}{_other(f.c)}"
    text += _others(f.c)
    if f.c.gained is not None:
        text += f"; {flipped(f.c)}"
    text += f"; adjusted {p_text(f.p_adjusted)}."
    if why:
        return f"{text} {why}"
    if f.c.mde is not None:
        text += f" This design could see {100 * f.c.mde:.1f} points or more (power 80 %, before any correction)"
        if f.sd and f.task is not None:
            text += f"; about {items_for(f.sd, f.c.margin):,} items would be needed for {100 * f.c.margin:g}"
        text += "."
    return text


def items_for(sd: float, effect: float) -> int:
    """Items for 80 % power at 5 % two-sided, by the normal formula, from the standard deviation of item differences."""
    return math.ceil(((1.959964 + 0.841621) * sd / effect) ** 2)


def no_change(n: int, n_exact: int, margin: float, alpha: float) -> str:
    """All ties, and too few of them to show that changes are rare."""
    enough = math.ceil(math.log(alpha) / math.log(1 - margin))
    most = 100 * (1 - alpha ** (1 / n_exact))
    text = f"No answer changed on {counted(n)}; with {100 * (1 - alpha):g} % confidence at most {most:.1f} % of items change."
    if n_exact >= enough:
        return text
    return f"{text} {counted(enough)} without a change would show that less than {100 * margin:g} % do."


def all_equal(n: int, unseen: float, alpha: float) -> str:
    """All items differ by the same amount, and the run has too few to exclude that others turn the mean round."""
    return (
        f"All {counted(n)} differ by the same amount, so there is no error to judge it by. With {100 * (1 - alpha):g} % confidence at most "
        f"{100 * unseen:.1f} % of items differ otherwise, and these could turn the mean round. Ask for more items."
    )


def too_few_items(n: int, least: int) -> str:
    """Not enough pairs for a finding."""
    return f"Only {counted(n)} paired; a finding needs at least {least}. Ask for more items."


def too_few_changes(n_changed: int, n: int, least: int) -> str:
    """Not enough changed answers for any test to reach its level."""
    return (
        f"Only {n_changed} of {counted(n, 'answer')} changed; if all went one way, no test could tell; before any correction it takes "
        f"{least}. Ask for more items."
    )


def too_few_clusters(n: int) -> str:
    """Not enough groups of items for a test."""
    return f"The items form {counted(n, 'cluster')} of uneven weight, or too few: a finding needs at least 10. Ask items of more clusters."


SMALL_TASKS = "The smallest tasks have too few items to tell how far their mean is off; ask more items of them."
HOLDS_ZERO = "The test finds a difference, but the interval holds 0: a few items decide; ask more of them."
ONE_TASK = "One task says nothing about tasks like it; ask more tasks."
FEW_LEVELS = "Fewer than 3 base prompts or formats say nothing about others like them; ask more of them."
FEW_SENTENCES = "These neutral sentences do not tell how others like them differ; it takes at least 5 that were not all scored alike."
ALL_ALIKE = "Every task moved by exactly the same amount, so there is no error to judge it by."
AGAIN = " Run the sweep again: it asks only for what is missing."
"""What to do about missing answers, where there is a sweep to run again."""


def unfinished(n: int, n_planned: int, again: str = AGAIN) -> str:
    """Trials that were never recorded."""
    recorded = f"{n} of {n_planned} planned pairs are recorded"
    return f"The run is not at its end: {recorded}, and a verdict now would be an interim analysis that nobody planned.{again}"


def lost(c: Comparison, against: Comparison, favour: Comparison) -> str:
    """One side lost more answers than the other, and what they were would decide."""
    of_treatment, of_control = _percent(c.missing_treatment or 0.0), _percent(c.missing_control or 0.0)
    return (
        f"{of_treatment} of the treatment's answers and {of_control} of the control's are missing. With those that only one side lacks "
        f"counted against the treatment, the difference would be {points(against.diff)} points ({against.verdict}); for it, "
        f"{points(favour.diff)} ({favour.verdict}). As recorded it is {points(c.diff)} ({c.verdict}); all missing answers together leave "
        f"{interval(c.worst_low, c.worst_high)}. What is missing may be the effect."
    )


def not_run(treatment: str, again: str = AGAIN, n_recorded: int = 0) -> str:
    """No pair at all."""
    if not again:
        return f"No pair of {treatment} and its control is in the imported file."
    if n_recorded:
        return f"No item has a score under both {treatment} and its control: {counted(n_recorded, 'trial', 'is')} recorded.{again}"
    return f"No pair of {treatment} and its control is recorded yet. Run the sweep to its end."


CELL_OF_LOOKS = (
    "Interim analyses were planned for means over the tasks, not for single tasks, so this task gets an estimate and no verdict; "
    "a sweep without interim analyses judges single tasks."
)


def after_look(look: int, looks: int, why: str) -> str:
    """What is added to a verdict that a planned interim analysis gave: what ended it, and what early stopping does to an estimate."""
    if not why:
        return f" Judged at the last of {looks} planned interim analyses."
    if why == "member":
        return f" Judged at interim analysis {look} of {looks}, where the first of these sentences stopped."
    cause = {"efficacy": "the planned boundary was passed", "futility": "the planned effect was out of sight"}[why]
    biased = "away from 0" if why == "efficacy" else "towards 0"
    return f" Stopped at interim analysis {look} of {looks}, because {cause}; an estimate after such a stop is biased {biased}."


def aa_failed(model: str) -> str:
    """The baseline disagrees with its own repeat."""
    return (
        f"The baseline of {model} differs from its own repeat more than chance allows, so no difference of this model can be read. "
        "Likely causes: a model version that changed during the run, a shared seed, a cache that mixes draws."
    )


def ended(shares: Mapping[str, float]) -> str:
    """Shares of answers that are not whole: "40 % truncated, 2 % refused"."""
    some = [f"{_percent(shares[end])} {words}" for end, words in UNWHOLE.items() if shares.get(end)]
    return ", ".join(some) or "all whole"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %".replace(".0 ", " ")


REMEDIES = {
    "truncated": "Raise max_tokens, if that cut them, and run again",
    "thought_only": "Raise max_tokens or lower the reasoning effort and run again",
    "empty": "Look at an empty answer, raise max_tokens if a limit ended it, and run again",
    "refused": "Read what was refused",
    "error": "Run again: failed calls are sent again",
}
"""What to do about answers that are not whole, by the end that is most frequent."""


def remedy(shares: Mapping[str, float]) -> str:
    """What to do about the most frequent of the ends; '' where all answers are whole."""
    some = {end: shares[end] for end in REMEDIES if shares.get(end)}
    return REMEDIES[max(some, key=lambda end: some[end])] + "." if some else ""


def uneven_answers(treatment: Mapping[str, float], control: Mapping[str, float], without: Verdict) -> str:
    """Why arms whose answers ended differently get no verdict."""
    both = {end: max(treatment.get(end, 0.0), control.get(end, 0.0)) for end in UNWHOLE}
    return (
        f"The answers ended differently (treatment {ended(treatment)}; control {ended(control)}), and without those that are not whole "
        f"the verdict would be {without!r}: the ends of the answers make this one, and not the text. {remedy(both)}"
    )


def uneven_versions(treatment: float, control: float, without: Verdict) -> str:
    """Why arms that other versions of a model answered get no verdict; the shares are of one version."""
    return (
        f"Other versions of the model answered the two sides: one gave {_percent(treatment)} of the treatment's answers and "
        f"{_percent(control)} of the control's. On the answers of one version alone the verdict would be {without!r}, so the versions may "
        "make this one, and not the text. Name one version in full, and run all arms again (sweep --fresh takes no answer from the cache)."
    )


def nothing_answered(treatment: Mapping[str, float], control: Mapping[str, float]) -> str:
    """Why arms of which no answer answers get no verdict."""
    how = f"treatment {ended(treatment)}; control {ended(control)}".replace("all whole", "refused in words")
    return (
        f"All answers of both arms are refusals, empty or cut ({how}), so equal scores say nothing. Read some, then change prompt or model."
    )


RESTS = " It rests mainly ("


def said_to_rest(sentence: str) -> str:
    """What a verdict's sentence says that it rests on: `rests_on` and `rests_on_unread` put it at the end; '' where nothing."""
    _, begins, rest = sentence.partition(RESTS)
    return (begins + rest).strip()


def rests_on(share: float, treatment: Mapping[str, float], control: Mapping[str, float]) -> str:
    """That a verdict rests mainly on answers that are not whole."""
    return f"{RESTS}{_percent(share)}) on answers that are not whole: treatment {ended(treatment)}; control {ended(control)}."


def rests_on_unread(share: float, treatment: float, control: float) -> str:
    """That a verdict rests mainly on answers that the scorer did not understand."""
    return (
        f"{RESTS}{_percent(share)}) on texts in which the scorer found no answer: {_percent(treatment)} of the treatment's, "
        f"{_percent(control)} of the control's. Read some: if they do answer, the difference is one of form."
    )


def agreement_of_nothing(odd: float, shares: Mapping[str, float]) -> str:
    """An A/A check whose answers say nothing."""
    how = f"are not whole ({ended(shares)})" if any(shares.get(end) for end in UNWHOLE) else "refuse in words"
    what = f"{_percent(odd)} of the baseline's answers {how}"
    return f"{what}: that its repeat scores alike says nothing. {remedy(shares)}"
