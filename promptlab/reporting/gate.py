"""The gate for continuous integration: may this arm take the place of the incumbent? As text, Markdown, JUnit XML and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree

from promptlab.nouns import ArmRef, UsageProblem, counted, did_you_mean, inert
from promptlab.record.store import Run
from promptlab.reporting.build import Report, build
from promptlab.reporting.checked import LISTS, checked
from promptlab.reporting.decide import nothing_right
from promptlab.reporting.formats import escaped
from promptlab.reporting.summary import SummaryRow, summaries
from promptlab.stats import interval, points
from promptlab.stats.contrasts import arm_of, incumbent_of, of_arms
from promptlab.stats.noninferior import NonInferiority, non_inferiority

PASS, FAIL, OPEN = "pass", "fail", "not enough data"
NO_PRICE = "the cost is unknown"
EXACT = "few answers changed, or all one way, so an end of this interval is an exact bound, and wider than in the report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """One arm of one model at the gate."""

    run: str
    model: str
    simulated: bool
    arm: str
    incumbent: str
    outcome: str
    quality: NonInferiority
    cost_increase: float | None
    """A fraction of the incumbent's cost of an answer; None where a price is unknown."""
    max_cost_increase: float | None
    why: str
    age: str = ""
    """Which answers earlier runs had first, and what that means; empty where there are none."""

    @property
    def words(self) -> str:
        """The outcome in one sentence."""
        q = self.quality
        against = f" against {self.incumbent}" if self.incumbent else ""
        text = f"{self.outcome.upper()}: {f'{self.arm}{against} on ' if self.arm else ''}{self.model}"
        if q.diff is not None:
            text += f": {points(q.diff)} points ({100 * (1 - 2 * q.alpha):.0f} % {interval(q.low, q.high)}), margin {100 * q.margin:g}"
        if self.cost_increase is not None:
            text += f", cost {100 * self.cost_increase:+.1f} %"
        exact = EXACT if q.exact and q.diff is not None else ""
        return f"{text}, {counted(q.n_items)}." + "".join(f" {_sentence(said)}" for said in (self.why, exact, self.age) if said)

    @property
    def next(self) -> str:
        """What to do where there is not enough data; empty where nothing is known to help."""
        q = self.quality
        if self.outcome != OPEN:
            return ""
        if self.why == NO_PRICE:
            return "give the model a 'price' in the experiment, or leave --max-cost-increase out"
        if self.why.startswith("the run is "):
            return f"finish the run (promptlab sweep FILE), then promptlab gate runs/{self.run}"
        if q.n_needed is None:
            return ""
        n, margin = q.n_items / max(1, q.n_tasks), f"{100 * q.margin:g} points"
        of = counted(q.n_needed) + (" a task" if q.n_tasks > 1 else "")
        if q.n_needed <= n:
            return f"{of} suffice where nothing changes, so this arm may be worse; only many more items, or a larger --margin, can tell"
        return (
            f"ask more items: with {of} in place of {n:,.0f}, 80 % of gates with a margin of {margin} pass if the arms are equally good; "
            "or name a larger --margin"
        )

    def plain(self) -> dict[str, Any]:
        """As one line of JSON; fractions."""
        own = {name: value for name, value in asdict(self).items() if name != "quality"}
        return own | {name: getattr(self.quality, name) for name in ("diff", "low", "high", "margin", "alpha", "n_items", "n_tasks")}


def gate(run: Run, arm: str | None, *, margin: float | None = None, max_cost_increase: float | None = None) -> list[Gated]:
    """One arm of every model against what runs today; `margin` in points (None: the plan's), `max_cost_increase` in percent.

    Without a name the run must have one arm besides the incumbent. UsageProblem where the name is not there or is not one arm.
    RunProblem where the run fails its audit.
    """
    report = build(run)
    checked(run, trials=report.trials, remedy=LISTS)
    return [_gated(report, model, arm, margin, max_cost_increase) for model in report.models]


def _gated(report: Report, model: str, arm: str | None, margin: float | None, most: float | None) -> Gated:
    plan = report.plan
    rows = next((summary.rows for summary in summaries(report) if summary.model == model), ())
    why = ""
    if arm in {r.treatment for r in report.screening if r.model == model} - {r.treatment for r in report.screening if r.chosen}:
        why = "it did not continue after the screening part, so nothing confirms it"
    elif not report.complete and all(row.incumbent for row in rows):
        why = f"the run is {report.state}, and no other arm has an answer"
    if why:
        none = NonInferiority(
            outcome="not enough data", diff=None, low=None, high=None, margin=plan.margin if margin is None else margin / 100,
            alpha=plan.alpha, n_items=0, n_tasks=0, why=why,
        )  # fmt: skip
        return Gated(
            run=report.run, model=model, simulated=model in report.manifest.simulated_models, arm=arm or "", incumbent=_incumbent(rows),
            outcome=OPEN, quality=none, cost_increase=None, max_cost_increase=None if most is None else most / 100, why=why,
        )  # fmt: skip
    row = _chosen(report, rows, arm)
    incumbent, refs, base = _sides(report, rows, row)
    quality = non_inferiority(
        report.trials, plan, refs, base, margin=plan.margin if margin is None else margin / 100, alpha=plan.alpha,
    )  # fmt: skip
    outcome, why = str(quality.outcome), quality.why
    if not report.complete:
        outcome, why = OPEN, f"the run is {report.state}"
    elif any(c.status == "aa_failed" for c in report.of("aa", model)):
        outcome, why = OPEN, "the baseline differs from its own repeat"
    elif any(c.status == "judge_failed" for c in report.comparisons if c.model == model):
        outcome, why = OPEN, "the judge failed a control, so its scores say nothing"
    elif floor := nothing_right(report, model):
        outcome, why = OPEN, floor.removesuffix(".")
    now, then = row.usd_per_1000, incumbent.usd_per_1000
    increase = None if now is None or not then else now / then - 1
    if most is not None and outcome == PASS:
        if increase is None:
            outcome, why = OPEN, NO_PRICE
        elif increase > most / 100 + 1e-12:
            outcome, why = FAIL, f"the cost of an answer rises by more than {most:g} %"
    return Gated(
        run=report.run, model=model, simulated=row.simulated, arm=row.arm, incumbent=incumbent.arm, outcome=outcome, quality=quality,
        cost_increase=increase, max_cost_increase=None if most is None else most / 100, why=why, age=_age(report, refs, base),
    )  # fmt: skip


def _age(report: Report, refs: Sequence[ArmRef], base: Sequence[ArmRef]) -> str:
    """How many answers of both sides earlier runs had first, and what that means; empty where there are none."""
    trials = report.trials
    if "older" not in trials:
        return ""
    sides = []
    for of in (refs, base):
        rows = trials["score"].notna() & False
        for ref in of:
            here = (trials["model"] == ref.model) & (trials["setting"] == ref.setting) & (trials["arm"] == ref.arm)
            rows |= here if ref.prompt is None else here & (trials["base_prompt"] == ref.prompt)
        sides.append((int(trials.loc[rows, "older"].notna().sum()), int(rows.sum())))
    (arm, of_arm), (incumbent, of_incumbent) = sides
    if not arm + incumbent:
        return ""
    text = f"{arm:,} of {of_arm:,} answers of the arm and {incumbent:,} of {of_incumbent:,} of the incumbent are from earlier runs"
    if arm * of_incumbent == incumbent * of_arm:
        return text
    return f"{text}: a change of the model since then counts as one of the prompt (promptlab sweep FILE --fresh --runs NEW sends all again)"


def _sentence(said: str) -> str:
    """A clause as a sentence."""
    return f"{said[:1].upper()}{said[1:]}."


def _incumbent(rows: Sequence[SummaryRow]) -> str:
    return next((row.arm for row in rows if row.incumbent), "")


def _chosen(report: Report, rows: Sequence[SummaryRow], arm: str | None) -> SummaryRow:
    others = [row for row in rows if not row.incumbent]
    names = [row.arm for row in others]
    if arm is None:
        if len(others) == 1:
            return others[0]
        raise UsageProblem(f"{report.run} has {counted(len(others), 'arm')} besides the incumbent; name one with --arm: {', '.join(names)}")
    found = [row for row in others if row.arm == arm] or [
        row for row in others if arm in (row.text_of, row.text_of.rsplit("/", 1)[-1], row.prompt)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageProblem(f"{report.run}: several arms are called {arm!r}; name one of {', '.join(row.arm for row in found)}")
    raise UsageProblem(f"{report.run} has no arm {arm!r} besides the incumbent; {did_you_mean(arm, names)}")


def _sides(report: Report, rows: Sequence[SummaryRow], row: SummaryRow) -> tuple[SummaryRow, list[ArmRef], list[ArmRef]]:
    """The incumbent's row, and both sides as arms of a contrast."""
    plan = report.plan
    if of_arms(plan):
        base = next(one for one in rows if one.incumbent)
        refs = arm_of(plan, row.model, row.setting, row.prompt, row.text_of)
        return base, sorted(refs, key=str), sorted(incumbent_of(plan, row.model), key=str)
    base = next(one for one in rows if one.incumbent and one.setting == row.setting)
    return base, *([ArmRef(model=row.model, setting=row.setting, arm=one.text_of)] for one in (row, base))  # type: ignore[return-value]


def worst(found: Sequence[Gated]) -> str:
    """What the gate says of all models: fail before not enough data before pass."""
    outcomes = {one.outcome for one in found}
    return FAIL if FAIL in outcomes else OPEN if OPEN in outcomes else PASS


SIGNS = {PASS: "✅", FAIL: "❌", OPEN: "❓"}


def to_markdown(found: Sequence[Gated]) -> str:
    """A summary for a pull request."""
    simulated = "SIMULATED: made-up answers. " if any(one.simulated for one in found) else ""
    lines = [f"### Prompt gate: {SIGNS[worst(found)]} {worst(found)}", ""]
    lines += [f"{simulated}At most {100 * found[0].quality.margin:g} points worse than the incumbent, one-sided.", ""]
    lines += ["| model | arm | against | points | interval | items | cost | outcome |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for one in found:
        q = one.quality
        cost = "unknown" if one.cost_increase is None else f"{100 * one.cost_increase:+.1f} %"
        cells = [one.model, one.arm, one.incumbent, points(q.diff), interval(q.low, q.high), f"{q.n_items:,}", cost,
                 f"{one.outcome}{f': {one.why}' if one.why else ''}"]  # fmt: skip
        lines.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    ages = [f"{one.model}: {one.age}." for one in found if one.age]
    ages += [f"{one.model}: next: {one.next}." for one in found if one.next]
    return "\n".join([*lines, "", *(escaped(age) for age in ages), f"Run `{inert(found[0].run)}`", ""])


def to_junit(found: Sequence[Gated]) -> str:
    """JUnit XML: one test for each model; not enough data is an error, not a failure."""
    counts = {outcome: sum(one.outcome == outcome for one in found) for outcome in (FAIL, OPEN)}
    suite = ElementTree.Element(
        "testsuite", name="promptlab gate", tests=str(len(found)), failures=str(counts[FAIL]), errors=str(counts[OPEN])
    )
    for one in found:
        case = ElementTree.SubElement(suite, "testcase", classname=inert(one.run), name=inert(f"{one.model}: {one.arm}"))
        if one.outcome != PASS:
            ElementTree.SubElement(case, "failure" if one.outcome == FAIL else "error", message=inert(one.words))
        ElementTree.SubElement(case, "system-out").text = inert(one.words)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
