"""What a reader without statistics takes away: one line for each sentence, and what to do about it.

Nothing here is a test of its own. Verdicts are those of the frozen plan, and what it would take to settle one comes from the same
power functions that planned the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from promptlab.nouns import CONTROLS, NONE_ARM, VERDICTS, Comparison, InSetting, Setting, Verdict, contrast_of
from promptlab.nouns.words import counted
from promptlab.planning.size import SEEN, Size, fewest
from promptlab.reporting.build import Report, failed_words
from promptlab.reporting.judged import unvalidated
from promptlab.reporting.judged_tables import longer
from promptlab.reporting.names import PLAIN
from promptlab.reporting.questions import dependences
from promptlab.stats import LEAST_ITEMS, error_of, interval, points, smallest_margin

DECISIVE = ("placebo", "neutral_paraphrase", "neutral_feedback", "none")
"""The contrasts that decide, the first planned one for each setting: against neutral text where there is any."""
MOST_MORE = 1_000_000
"""Items per task beyond which more of them are not an answer."""
Kind = Literal["go", "no", "wait"]
Open = tuple[str, str, Verdict, int | None]
"""An arm without a finding: its name, why, its verdict, and the items that it lacks."""
NO_CHANGE = 1e-9
"""The share of changed answers that stands for none."""
MOST_NAMED = 4
"""Arms without a finding that are named with the items they need."""
NO_NEUTRAL = "No placebo arm"
NOT_ASKED = "Whether another text would do the same was not tested."


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence (or loop) on one model, in its setting, against the control that decides."""

    comparison: Comparison
    name: str
    text: str | None
    """The added text itself."""
    says: str
    """The verdict in plain words, without what it is against."""
    against: str
    kind: Kind
    do: str
    """What to do."""
    because: str


@dataclass(frozen=True, slots=True)
class Needed:
    """Further items per task with which a comparison would be settled; None: no number of them would do. `least`: at least so many."""

    more: int | None
    least: bool = False


def lines(report: Report) -> list[Line]:
    """One line for each sentence over the tasks, the decided ones first, for each model in the order of the plan."""
    texts, depends = {arm.name: arm.text for arm in report.plan.arms}, dependences(report.comparisons)
    found = []
    for model in report.models:
        own = [_line(report, c) for c in report.of("prompt", model) if c.task is None]
        for setting in report.plan.settings:
            over = report.of("stimulus", model, setting=setting)
            controls = [name for name in (*DECISIVE, *CONTROLS) if any(c.control == name for c in over)]
            plain = {c.treatment: c for c in over if c.control in PLAIN}
            first = {c.treatment for c in over if c.control == controls[0]}
            for c in (c for c in over if c.control == controls[0] or c.treatment not in first):
                today = plain.get(c.treatment)
                line = _line(report, c, today if today is not c else None, texts.get(c.treatment))
                split = depends.get((model, setting.id, c.treatment, c.control))
                if split and line.kind != "no" and not split.helps_in_all and c.verdict != "refused":
                    line = replace(line, kind="no", do="Decide for each base prompt", because=f"By base prompt: {split.effects}.")
                own.append(line)
        found += sorted(own, key=lambda line: list(VERDICTS).index(line.comparison.verdict))
    return found


def _line(report: Report, c: Comparison, today: Comparison | None = None, text: str | None = None) -> Line:
    kind, do, because = _advice(report, c, today)
    return Line(
        comparison=c, name=report.name(c), text=text, says=_says(c), kind=kind, do=do, because=because,
        against=report.against(c) if c.control == NONE_ARM else c.against.phrase,
    )  # fmt: skip


def needed(report: Report, c: Comparison) -> Needed | None:
    """How many more items per task it takes to see a difference of the margin over the tasks, and to show that there is none.

    80 % power, at the share of alpha that the family leaves (as in the plan), with the spread of item differences measured in this
    very comparison, which an effect of the margin makes larger, and no less noise than the baseline's own repeat shows. For a claim about
    tasks like these with the measured spread between tasks. Where no answer changed, the effect of the margin alone moves items, which
    gives the least number. None where nothing was measured.
    """
    measured = _measured(report, c)
    if not measured or not c.margin:
        return None
    silent = sum(square for _, square in measured) <= 0
    now = [n for n, _ in measured]
    own = (c.model, c.setting, c.control, c.treatment)
    spreads = (r.tau for r in report.beside.spreads if (r.model, r.setting, r.control, r.treatment) == own)
    tau = next(spreads, 0.0) if c.generalises == "like_these" and len(now) > 1 else 0.0
    alpha = report.plan.alpha / max(1, c.n_family)
    size = _size(report, c, now, max(sum(square for _, square in measured) / len(measured), NO_CHANGE))

    def enough(more: int) -> bool:
        then = tuple(n + more for n in now)
        margin = smallest_margin(then, size.variance(0.0), tau, alpha)
        return margin <= c.margin and replace(size, n_items=then, alpha=alpha).power(c.margin, tau) >= SEEN

    return Needed(fewest(enough, MOST_MORE), least=silent)


def items_more(report: Report, c: Comparison) -> int | None:
    """How many more items per task settle a comparison that is unclear because it has too few; None where only a least number is known."""
    if c.verdict != "unclear" or not (c.status == "ok" or c.status in TOO_FEW) or _not_by_items(report, c):
        return None
    found = needed(report, c)
    return found.more if found is not None and not found.least else None


def _size(report: Report, c: Comparison, n_items: Sequence[int], spread: float) -> Size:
    """The comparison as the power calculator takes it: the noise of the baseline's repeat, and of the `spread` (the mean square of item
    differences) what that noise does not explain.
    """
    repeats, controls = report.plan.replicates, max(1, len(c.control_arms))
    accuracy = min(max(0.0 if c.mean_control is None else c.mean_control, 0.0), 1.0)
    again = [square for aa in report.of("aa", c.model, setting=c.setting) if aa.n_tasks == 1 for square in _repeated(aa)]
    noise = min(repeats * sum(again) / len(again), 1.0) if again else 0.0  # the repeat's item means differ by their answers' noise alone
    made = Size(tuple(n_items), noise, report.plan.alpha, repeats=repeats, chance=noise, controls=controls, accuracy=accuracy)
    return replace(made, discordance=noise + max(spread - made.variance(0.0), 0.0) if noise else spread)


def _repeated(aa: Comparison) -> list[float]:
    """The mean square of the differences of one task's baseline and its repeat: of single answers the share that changed."""
    error = error_of(aa)
    if aa.method.startswith("McNemar") and aa.gained is not None and aa.lost is not None:
        return [(aa.gained + aa.lost) / aa.n_pairs]
    return [] if error is None or aa.diff is None else [error**2 * aa.n_pairs + aa.diff**2]


def _measured(report: Report, c: Comparison) -> list[tuple[int, float]]:
    """Items of each task, and the mean square of their differences; where no task is judged by itself, as the interval has it."""
    of_tasks = [(o.n_pairs, o.se**2 * o.n_pairs + o.diff**2) for o in _in_tasks(report, c) if o.se is not None and o.diff is not None]
    error = error_of(c)
    if of_tasks or error is None or not c.n_tasks or c.diff is None:
        return of_tasks
    return [(c.n_pairs // c.n_tasks, error**2 * c.n_pairs + c.diff**2)] * c.n_tasks


def _in_tasks(report: Report, c: Comparison) -> list[Comparison]:
    """The same comparison in each of the tasks."""
    like = [one for one in report.of(None, c.model, c.control, c.setting) if (one.treatment, one.contrast) == (c.treatment, c.contrast)]
    return [one for one in like if one.task is not None] or ([c] if len(report.plan.tasks) == 1 else [])


def bounds(verdict: Verdict | None, low: float | None, high: float | None) -> str:
    """Between what a refused difference lies, whatever the missing answers were; '' where nothing is missing."""
    return f" ({interval(low, high)} whatever is missing)" if verdict == "refused" and low is not None and low != high else ""


def about(n: int) -> str:
    """A number of items as a plan needs it: rounded up to two digits."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return f"{math.ceil(n / unit) * unit:,}"


def cautions(report: Report) -> list[str]:
    """What is against reading the lines as they are, in short."""
    over = report.of("stimulus")
    lost = sum(c.status == "missing_pairs" for c in over)
    against = {
        "The run is not finished, so every figure may still move.": not report.complete,
        "A model's baseline differs from its own repeat; nothing about that model can be read.":
            any(c.status == "aa_failed" for c in report.of("aa")),
        "A model was served by more than one version during the run; a difference may be one between versions.":
            bool(report.manifest.several_versions),
        f"{NO_NEUTRAL} ({report.plan.no_placebo_reason or 'none was requested'}): any added text may do the same.":
            "none" in report.controls and "placebo" not in report.controls,
        "An oracle told these loops when an answer was right; in production nobody knows that.": bool(report.oracles),
        f"{lost} of {len(over)} comparisons over the tasks lack too many answers to be judged.": bool(lost) and report.complete,
    }  # fmt: skip
    items = {(s.model, s.setting.id, s.arm): s.items for s in report.standings} if report.plan.imported else {}
    of_arms = [max(items.get((c.model, c.setting.id, arm), 0) for arm in (c.treatment, *c.control_arms)) for c in over]
    n, of = max(((n - c.n_planned, n) for n, c in zip(of_arms, over, strict=True)), default=(0, 0))
    against[
        f"{n:,} of {counted(of)} ran in one of two arms only and are left out. If failed calls are not in the file, they may be these, "
        "and make the difference."
    ] = n > 0
    alone = unvalidated(report.comparisons, report.plan)
    floor = [f"{model}: {words}" for model in report.models if (words := nothing_right(report, model))]
    return [*failed_words(report), *floor, *(caution for caution, stands in against.items() if stands), *alone, *longer(report.by_judge)]


def nothing_right(report: Report, model: str) -> str:
    """Why the scores of a model show nothing: no answer of it earned a point, so none could get worse. Empty where one did.

    Source: ICH E10 (assay sensitivity).
    """
    scored = [s for s in report.standings if s.model == model and s.score is not None]
    if not scored or any(s.score for s in scored):
        return ""
    base = report.baselines
    declined = base.loc[base["model"] == model, "declined"].mean() if "declined" in base else 0.0
    refusing = f", and {100 * declined:.0f} % of the baseline's refuse in words" if declined > 0 else ""
    n = sum(round(s.answers * (1 - s.failed)) for s in scored)
    return f"all {n:,} answers score 0{refusing}. That shows no equality; read some, then change prompt, scorer or model."


def _says(c: Comparison) -> str:
    if c.diff is None or c.verdict == "refused":
        return "Cannot be judged."
    by = f"{100 * abs(c.diff):.1f} points"
    if c.verdict == "helps":
        return f"Raises the score by {by}."
    if c.verdict == "hurts":
        return f"Lowers the score by {by}."
    if c.verdict == "negligible":
        return f"{'Raises' if c.diff > 0 else 'Lowers'} the score by {by}: less than the {100 * c.margin:g} points that count."
    if c.verdict == "same":
        return f"Makes no difference of {100 * c.margin:g} points or more."
    return "Neither a change nor its absence is shown."


REASONS = {
    "missing_pairs": "What is missing could turn the result: ask for the missing answers.",
    "too_few_clusters": "Too few groups of items for an interval; ask more of them.",
    "uneven_answers": "The answers of the two arms ended differently (cut, empty, refused): fix that first.",
    "uneven_versions": "Other versions of the model answered one arm: name one version in full, and run all arms again.",
    "nothing_answered": "All answers of both arms are refusals, empty or cut, so equal scores say nothing: read some.",
    "aa_failed": "The baseline differs from its own repeat: find out why before reading anything.",
    "judge_failed": "The judge failed a control, so its verdicts say nothing; take another judge, or rate answers by hand.",
    "after_the_data": "Its answers are older than this plan, so the data may have chosen it: send again with --fresh and new --runs.",
    "not_planned": "Interim analyses were planned for means over the tasks, so a single task gets no verdict.",
}
"""What prevents a verdict, by its status."""
TOO_FEW = {
    "n_too_small": "Too few items for a verdict.",
    "no_discordant_pairs": "Not one answer changed.",
    "cannot_be_significant": "Too few answers changed.",
    "zero_variance": "Every task or item moved alike, so there is no error to judge it by.",
}
"""Why more items are needed, by its status; how many follows."""


def reason(report: Report, c: Comparison) -> str:
    """Why a comparison is without a finding, in one short clause; '' where it has one."""
    if c.verdict == "refused":
        return REASONS.get(c.status, c.sentence)
    if c.verdict != "unclear":
        return ""
    return REASONS.get(c.status) or " ".join(filter(None, (TOO_FEW.get(c.status), _more_words(report, c))))


def _advice(report: Report, c: Comparison, plain: Comparison | None) -> tuple[Kind, str, str]:
    """What to do, and why. A sentence that beats neutral text must also beat the prompt that is in use today."""
    if c.status == "aa_failed":
        return "wait", "Decide nothing", REASONS["aa_failed"]
    if not report.complete:
        return "wait", "Wait", "Finish the run first."
    if c.verdict == "refused":
        return "wait", "Not settled", REASONS.get(c.status, "See the sentence of this comparison.")
    if c.verdict == "unclear":
        return "wait", "Not settled", reason(report, c)
    if c.oracle and c.verdict == "helps":
        return "no", "Do not ship it", "An oracle told it when an answer was right; in production nobody knows that."
    if c.verdict == "helps":
        return _of_gain(report, c, plain)
    if c.verdict == "hurts":
        return "no", "Do not ship it", "It costs right answers."
    if plain is not None and plain.verdict == "helps":
        return "no", "Do not ship it", f"The gain over the plain prompt ({points(plain.diff)}) is what neutral text gives as well."
    return "no", "Do not ship it", "Whatever it does is too small to count."


def _of_gain(report: Report, c: Comparison, plain: Comparison | None) -> tuple[Kind, str, str]:
    today = "one answer" if plain is not None and plain.control == "single" else "the plain prompt"
    if plain is None:
        if c.control in PLAIN:
            return "go", "Ship it, if any gain will do", NOT_ASKED
        return "go", "Ship it", "It beats its control."
    figures = f"{points(plain.diff)}; {interval(plain.ci_low, plain.ci_high)}"
    if plain.verdict == "helps":
        return "go", "Ship it", f"It beats {today} as well ({figures})."
    if plain.verdict == "hurts":
        return "no", "Do not ship it", f"It beats its control, but loses against {today} ({figures})."
    if plain.verdict == "unclear":
        return "wait", "Not settled", f"It beats its control; a gain over {today} is not shown ({figures}). {_more_words(report, plain)}"
    return "no", "Do not ship it", f"It beats its control, but a gain over {today} is not shown ({figures})."


def _more_words(report: Report, c: Comparison) -> str:
    others = _not_by_items(report, c)
    if others:
        return f"No number of items settles it; it takes more {others}."
    found = needed(report, c)
    if found is None and c.n_pairs < LEAST_ITEMS:
        return f"It takes {LEAST_ITEMS} at least, and {counted(c.n_pairs)} do not tell how many would settle it."
    if found is None:
        return "More items are needed; no spread between them is recorded, so these do not tell how many."
    if found.more is None and c.generalises == "like_these":
        return "More items alone will not do, because tasks differ too much; it takes more tasks."
    if found.more is None:
        return f"Not even {MOST_MORE:,} more items per task would settle it."
    if found.more == 0:
        return "The run was large enough to settle it four times in five, and did not; more items narrow it."
    many = f"{'at least' if found.least else 'about'} {about(found.more)} more items per task would be needed."
    return f"By these {counted(c.n_pairs)}, {many}" if c.n_pairs < LEAST_ITEMS else many[0].upper() + many[1:]


def _not_by_items(report: Report, c: Comparison) -> str:
    """What there is too little of where the spread between it decides, and one has none; '' where items decide."""
    if c.status != "zero_variance":
        return ""
    drawn = contrast_of(c, report.plan).random
    if drawn is not None:
        return "base prompts" if drawn == "prompt" else f"levels of {drawn}"
    if c.neutral != "these":
        return "neutral sentences"
    return "tasks" if len(report.plan.tasks) > 1 and c.task is None else ""


def open_reasons(rows: Sequence[Open], told: str = "") -> list[str]:
    """Why arms are without a finding, in few lines: those that lack items together, others by their reason. `told` is the arm of which
    the advice has said it, and which has no line of its own.
    """
    more: list[tuple[str, int]] = []
    other: dict[tuple[Verdict, str], list[str]] = {}
    for name, why, verdict, n in rows:
        if n:
            more.append((name, n))
        else:
            other.setdefault((verdict, why), []).append(name)
    text = []
    if [name for name, _ in more] == [told]:
        more = []
    other = {why: names for why, names in other.items() if names != [told]}
    if 0 < len(more) <= MOST_NAMED:
        text.append("unclear: more items a task needed: " + "; ".join(f"{name}, {about(n)}" for name, n in more) + ".")
    elif more:
        counts = sorted(n for _, n in more)
        text.append(f"unclear: {counted(len(more), 'arm')}; {about(counts[0])} to {about(counts[-1])} more items a task would settle them.")
    for (verdict, why), names in other.items():
        who = ", ".join(names) if len(names) <= MOST_NAMED else counted(len(names), "arm")
        text.append(f"{VERDICTS[verdict].sign} {verdict}: {who}: {why}")
    return text


@dataclass(frozen=True, slots=True)
class Winner(InSetting):
    """An arm in its setting, and why it is that one."""

    arm: str
    setting: Setting
    why: str


def winner(report: Report, model: str) -> Winner:
    """The arm with the largest gain among those with the verdict `helps` over the tasks; the plain prompt when there is none.

    An oracle's loop is left out: in use nobody knows the right answer.
    """
    decided = []
    for setting in report.plan.settings:
        own = report.of("stimulus", model, setting=setting)
        control = next((name for name in DECISIVE if any(c.control == name for c in own)), None)
        decided += [c for c in own if c.control == control and c.verdict == "helps" and not c.oracle]
    if decided:
        best = max(decided, key=lambda c: c.diff or 0.0)
        return Winner(best.treatment, best.setting, f"against {report.plan.called(best.control)}: {best.sentence}")
    settings = report.plan.settings
    plain = next((setting for setting in settings if setting.strategy not in report.plan.looped), settings[0])
    return Winner(NONE_ARM, plain, f"no arm was found to help {model}, so this is the prompt without any added text")
