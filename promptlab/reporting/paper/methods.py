"""The Methods text of a run, filled from its record: what a paper must say, in sentences; works are cited by `cite`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from promptlab import __version__
from promptlab.nouns import ADJUSTMENTS, CONTROLS, OUTCOMES, grouped
from promptlab.record.ratings import Rating
from promptlab.reporting.build import Report
from promptlab.reporting.frozen import parameters
from promptlab.reporting.judged import ANCHORED, controls
from promptlab.reporting.paper.cited import cite, keys_of, sources_of
from promptlab.reporting.paper.flow import Flow
from promptlab.reporting.people import judgings
from promptlab.stats import adjustment_of

Part = tuple[str, list[str]]
"""A heading and its paragraphs."""
MOST_NAMED = 12
PLURALS = {"hypothesis": "hypotheses", "interim analysis": "interim analyses", "person": "people", "family": "families"}


def simulated_words(report: Report) -> str:
    """The label on everything of a simulated run; empty elsewhere."""
    if not report.simulated:
        return ""
    names = ", ".join(report.manifest.simulated_models)
    return f"SIMULATED: promptlab made up the answers of {names or 'this run'}. Nothing here is a finding about a real model."


def methods(report: Report, flow: Flow) -> list[Part]:
    """The whole text, part by part."""
    parts: list[Part] = [
        ("Design", list(_design(report))),
        ("Models and parameters", list(_models(report))),
        ("Scoring", list(_scoring(report))),
        ("Exclusions and missing answers", list(_missing(report, flow))),
        ("Statistical analysis", list(_analysis(report))),
        ("Sample size and power", list(_power(report))),
        ("Software, data and cost", list(_software(report))),
    ]
    return [(title, texts) for title, texts in parts if texts]


def listed(names: list[str]) -> str:
    """Names as `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def few(names: list[str]) -> str:
    """Names in a sentence; of many the first, and how many there are."""
    return listed(names) if len(names) <= MOST_NAMED else f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED:,} more"


def moment(stamp: str) -> str:
    """A time as people read it."""
    return stamp.replace("T", " ").replace("+00:00", " UTC") or "an unknown time"


def several(n: int, word: str) -> str:
    """A number and its noun."""
    return f"{n:,} {word if n == 1 else PLURALS.get(word) or f'{word}s'}"


def _design(report: Report) -> Iterator[str]:
    plan, n = report.plan, report.plan.counts
    if plan.imported:
        files = (report.manifest.provenance or {}).get("files", ())
        tool = ", ".join(dict.fromkeys(str(file.get("tool")) for file in files)) or "another tool"
        yield (
            f"The answers were not collected by promptlab: they were imported from {tool}. Nothing was frozen before the answers; families "
            f"and margins were fixed at import. How trials were ordered, and whether prompts met the same conditions, is not recorded."
        )
    tested = [arm.name for arm in plan.arms if arm.role in ("stimulus", "loop")]
    size = f"{several(n.models, 'model')}, {several(n.tasks, 'task')}, {several(n.items, 'item')}"
    question = (
        f"The question was: {plan.question.rstrip('. ')}{'' if plan.question.rstrip().endswith('?') else '.'} " if plan.question else ""
    )
    yield f"{question}The experiment had {size} and {several(len(plan.arms), 'arm')}, in all {n.trials:,} planned trials."
    if plan.prompts:
        incumbent = f" The incumbent, {plan.incumbent}, is the control of every other one." if plan.incumbent else ""
        yield f"Whole prompts were compared: {few([p.name for p in plan.prompts])}.{incumbent}"
    if tested:
        sources = dict.fromkeys(
            key for arm in plan.arms if arm.source for key in sources_of(plan).get(arm.source, ()) if arm.role != "placebo"
        )
        cites = " ".join(cite(key) for key in sources if not key.startswith("source-"))
        yield f"Under test were {few(tested)}{' ' + cites if cites else ''}; their exact words are in the appendix."
    placebos = [arm.name for arm in plan.arms if arm.role == "placebo"]
    if placebos:
        yield f"{several(len(placebos), 'neutral text')} served as {'control' if len(placebos) == 1 else 'controls'}."
    elif plan.no_placebo_reason:
        yield f"There are no neutral sentences: {plan.no_placebo_reason}."
    if report.controls:
        against = listed([CONTROLS[control].phrase for control in report.controls]).replace("of its length", "of their length")
        yield f"Treatments were measured against {against}."
    for loop in plan.loops:
        oracle = "an oracle told it when it was right" if loop.oracle else "no oracle was used"
        how = f"{several(loop.rounds, 'round')} ({loop.mode.replace('_', ' ')}, settled by {loop.settle})"
        yield f"The feedback loop {loop.strategy} had {how}; {oracle} {cite('pinto2025heart')}."
    for factor in plan.factors:
        kind = "a sample of levels" if factor.random else f"reference {factor.reference}"
        yield f"The factor {factor.name} had the levels {few(list(factor.levels))} ({kind})."
    if len(plan.settings) > 1:
        yield f"Settings were crossed: {'; '.join(s.words for s in plan.settings)}."
    if not plan.imported:
        yield (
            f"All arms saw the same items, demonstrations and option orders. Trials were interleaved in random order "
            f"(seed {plan.seed}), and each item had {several(max(map(plan.answers_an_item, plan.tasks)), 'answer')} in an arm and setting."
        )
    if any(arm.role == "aa" for arm in plan.arms):
        failed = [c for c in report.of("aa") if c.status == "aa_failed"]
        result = f"it failed for {few(sorted({c.model for c in failed}))}, of which nothing was judged" if failed else "it did not fail"
        yield f"The baseline was run twice as an A/A check; {result}."


def _models(report: Report) -> Iterator[str]:
    m = report.manifest
    for model in report.plan.models:
        versions = m.served.get(model.name, ())
        served = f"served as {few(list(versions))}" if versions else "its provider named no version"
        address = f", at {model.api_base}" if model.api_base else ""
        simulated = " This model is SIMULATED." + (f" It was made so that {model.truth}." if model.truth else "") if model.simulated else ""
        name = f"{model.name} (requested as {model.litellm_name}{address})" if model.litellm_name else model.name
        several_versions = " More than one version answered." if len(versions) > 1 else ""
        yield f"{name}: {served}.{several_versions}{simulated}"
    if m.created_at:
        yield f"Answers were recorded from {moment(m.created_at)} to {moment(m.updated_at)} in {several(max(m.sessions, 1), 'session')}."
    for name, sent in m.effective.items():
        words = ", ".join(f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in sent.items()) or "no parameter"
        yield f"{name} was sent {words}."
    changed = sorted({str(row[1]) for row in parameters(report).rows if row[4] == "changed"})
    if changed:
        yield f"Sent, but not as requested: {few(changed)}; see the table of parameters."
    if not m.effective:
        yield "Sampling parameters are not recorded."


def _scoring(report: Report) -> Iterator[str]:
    plan, judged = report.plan, judgings(report.plan)
    by_metric = grouped((task.metric or "the tool's own score", task.name) for task in plan.tasks)
    yield "Scores lie from 0 to 1. " + " ".join(f"{metric} scored {few(names)}." for metric, names in by_metric.items())
    if plan.scorer and not plan.imported:
        again = f" The run itself used the scorer {plan.ran_by}." if plan.ran_by and plan.ran_by != plan.scorer else ""
        yield f"The scorer in force was {plan.scorer}.{again}"
    for name, how in judged.items():
        kind = "pairwise, in both orders" if how.kind == "pairwise" else f"by rubric on a scale from {how.low} to {how.high}"
        judges = few(_judges(plan.task_of[name].scoring)) or "a language model"
        yield f"In {name}, {judges} judged the answers {kind}. Judged text was fenced as data; an unreadable judgement is missing."
    for control in controls(report.trials, plan) if judged else ():
        needed = "" if control.least != control.least else f" ({100 * control.least:.0f} % needed{', FAILED' if control.failed else ''})"
        share = f"{control.name}, {100 * control.share:.0f} % of {control.n}{needed}"
        yield f"Control of the judge in {control.task}, answers of {control.model}: {share}."
    if judged:
        yield _raters(report.ratings)


def _judges(scoring: Mapping[str, Any]) -> list[str]:
    """The judges of a task with what they were sent, as the plan froze them."""
    given = scoring.get("judges") or scoring.get("model") or ()
    found = []
    for one in given if isinstance(given, list | tuple) else [given]:
        of = one if isinstance(one, Mapping) else {"name": one}
        sampling = f" (sent {json.dumps(of['sampling'], ensure_ascii=False)})" if of.get("sampling") else ""
        found.append(f"{of.get('litellm_name') or of.get('model') or of.get('name')}{sampling}")
    return found


def _raters(ratings: tuple[Rating, ...]) -> str:
    rated = [one for one in ratings if one.kind == "rate"]
    if not rated:
        return "No person rated answers, so verdicts are according to a judge that was not validated."
    given = f"{several(len({one.rater for one in rated}), 'person')} gave {several(len(rated), 'blind rating')} of a random sample of items"
    return f"{given}; they were combined with the judge's by prediction-powered inference {cite('angelopoulos2023ppi')}."


def _missing(report: Report, flow: Flow) -> Iterator[str]:
    yield (
        "No trial was excluded after its answer was seen. A failed call has no score: it is missing, never zero, and its pair is lost. "
        "Answers that were cut off, empty, refused or unreadable are kept, with the score that the task's rule gives them."
    )
    counts = f"{flow.recorded:,} are recorded, {flow.answered:,} were answered and {flow.scored:,} have a score"
    yield f"Of {flow.planned:,} planned trials {counts}."
    lost = [f"{n:,} {words}" for words, n in flow.lost]
    if lost:
        yield f"Missing: {'; '.join(lost)}."
    if flow.ends:
        yield f"Kept although not whole: {'; '.join(f'{n:,} {OUTCOMES.get(name, name)}' for name, n in flow.ends.items())}."
    odd = [f"{task.name}: {'; '.join(task.defects)}" for task in report.plan.tasks if task.defects]
    if odd and report.plan.defects:
        yield f"Known defects of items were handled by the rule {report.plan.defects} ({'. '.join(odd[:MOST_NAMED])})."


def _analysis(report: Report) -> Iterator[str]:
    plan = report.plan
    if not report.comparisons:
        yield "No comparison was planned, so there is no test and no verdict; arms are described by their scores."
        return
    yield (
        f"The unit is the item: its answers in an arm are averaged, differences are paired by item {cite('miller2024errorbars')}, and "
        "items of one cluster count as one unit. Means over tasks give each task the same weight."
    )
    names = Counter(c.method.partition(",")[0] for c in report.comparisons if c.method and c.scope != "aa")
    ends = Counter(c.ci_method.partition(",")[0] for c in report.comparisons if c.ci_method and c.scope != "aa" and c.ci_method != c.method)
    tests = "; ".join(f"{name}{_cites(name)} ({several(n, 'comparison')})" for name, n in names.items())
    intervals = "; ".join(f"{name}{_cites(name)}" for name in ends)
    if tests:
        yield f"Tests: {tests}. 95 % intervals: {intervals or ANCHORED}. All tests are two-sided."
    sizes = Counter(h.family for h in plan.hypotheses)
    rules = grouped((adjustment_of(next(h for h in plan.hypotheses if h.family == family)), n) for family, n in sizes.items())
    for rule, members in rules.items():
        words = ADJUSTMENTS[rule].controls[0].upper() + ADJUSTMENTS[rule].controls[1:] if rule in ADJUSTMENTS else rule
        families = f"{several(len(members), 'family')} with {several(sum(members), 'hypothesis')}"
        yield f"{words} was controlled{_cites(rule)} in {families}, judged or not."
    yield (
        f"The level is {plan.alpha:g} over tasks and {plan.fdr:g} in single tasks. Differences below {100 * plan.margins.cell:g} points in "
        f"a task and {100 * plan.margins.mean:g} points over the tasks count as none; equivalence was shown by two one-sided tests "
        f"{cite('schuirmann1987')}. Verdicts over tasks are about "
        f"{'these tasks' if plan.generalise == 'these' else 'tasks like these'}."
    )
    if plan.looks:
        yield (
            f"{several(len(plan.looks) - 1, 'interim analysis')} and a last one were planned, "
            f"with boundaries by alpha spending {cite('lan1983')}."
        )


def _cites(name: str) -> str:
    return _marks(key for key in keys_of(name) if key != "promptlab")


def _marks(keys: Iterable[str]) -> str:
    """Citations of works that promptlab knows."""
    known = ",".join(key for key in keys if not key.startswith("source-"))
    return f" {cite(known)}" if known else ""


def _power(report: Report) -> Iterator[str]:
    rows = report.plan.power
    if not rows:
        return
    yield f"Power was computed when the plan was made, for 80 % power at the level after correction {cite('duffy1984')}."
    for row in rows:
        seen = [
            f"{100 * value:.1f} points {where}"
            for value, where in ((row.mean, f"over {several(row.n_tasks, 'task')}"), (row.cell_in_family, "in one task of its family"))
            if value is not None
        ]
        found = f"the smallest detectable difference is {listed(seen)}" if seen else "no difference could be detected"
        against = report.plan.called(row.control) if row.control in report.controls else "the control"
        yield f"Against {against}, if {100 * row.discordance:g} % of answers change, {found}."


def _software(report: Report) -> Iterator[str]:
    m = report.manifest
    versions = ", ".join(f"{name} {number}" for name, number in m.versions.items() if name != "promptlab")
    code = f" (commit {m.commit})" if m.commit else ""
    made_with = f"promptlab {m.versions.get('promptlab', 'of an unknown version')}{code} {cite('promptlab')}"
    yield f"The run was made with {made_with}{'; ' if versions else ''}{versions}."
    yield f"This text was written by promptlab {__version__}."
    if plan_hash := m.hashes.get("plan"):
        frozen = "fixed at import" if report.plan.imported else "frozen before the first call"
        yield f"The plan, {frozen}, has the SHA-256 {plan_hash}; the run is {report.run}."
    tokens = [int(report.trials[name].fillna(0).sum()) for name in ("input_tokens", "output_tokens")]
    yield f"Recorded usage: {tokens[0]:,} input and {tokens[1]:,} output tokens. Cost: {report.paid}."
