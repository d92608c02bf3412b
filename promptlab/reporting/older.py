"""Plans after the data: answers that an earlier plan used first, and the other runs that a result is one of.

Answers that were known when a plan was made may have chosen it. A verdict uses them only where an earlier plan held the very
same comparison, on the same items, in a family that was no larger. An older control alone chooses nothing among outcomes, as long
as no task or item of the earlier plan was left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from promptlab.nouns import FINDINGS, ArmRef, Comparison, Hypothesis, Plan, contrast_of
from promptlab.planning.earlier import earlier_run
from promptlab.record import registry
from promptlab.record.registry import Entry, Registry
from promptlab.record.store import Run
from promptlab.reporting.earlier import own_rows
from promptlab.stats import interval, points

SCREENS = "screening parts"
MOST_RUNS = 5
"""Other runs whose results are listed."""
LONGEST_WORDS = 230
"""Characters about variations of a question: two lines of a terminal."""
Sides = Mapping[tuple[str, ...], frozenset[str]]
"""Earlier runs by model, setting, arm, base prompt and task of the trials that use their answers."""
SEND_AGAIN = "--fresh with new --runs sends again."


class Aged(NamedTuple):
    """Comparisons without the verdicts that the data may have chosen, and what the first lines say of it."""

    comparisons: tuple[Comparison, ...]
    sentences: tuple[str, ...]


def aged(run: Run, plan: Plan, trials: pd.DataFrame, comparisons: Sequence[Comparison]) -> Aged:
    """The comparisons of a run in the light of what was known before its plan."""
    if plan.imported:
        return Aged(tuple(comparisons), ())
    known = registry.read()
    old = trials[trials["older"].notna()] if "older" in trials else trials.iloc[:0]
    sentences = [*registered_words(run), *_edited_words(known.edited), *_begun_words(known.begun.get(run.id, ()))]
    if old.empty and not set(known.plans) - {run.id}:
        return Aged(tuple(comparisons), tuple(sentences))
    own = registry.entry_of(run.plan, run.each_item())
    sentences += _variation_words(run.id, own, known)
    if old.empty:
        return Aged(tuple(comparisons), tuple(sentences))
    entries = {**registry.entries_in(run.manifest.earlier), **known.plans}
    if other := earlier_run(plan, run.folder):
        entries = {**registry.entries_in(other.manifest.earlier), **entries, other.id: registry.entry_of(other.plan, other.each_item())}
        plan = _as_named_there(plan, other)
    entries = {run: registry.as_named_in(own, entry) for run in old["older"].unique() if (entry := entries.get(run))}
    sentences += _older_words(own_rows(trials, plan), own, entries)
    place = ["model", "setting", "arm", "base_prompt", "task"]
    sides = {tuple(map(str, key)): frozenset(map(str, group["older"].unique())) for key, group in old.groupby(place, observed=True)}
    planned = {_place(h): h for h in plan.hypotheses}
    judged = [_judged(c, planned.get(_place(c)), plan, own=own, entries=entries, sides=sides) for c in comparisons]
    return Aged(tuple(judged), tuple(sentences))


def _as_named_there(plan: Plan, other: Run) -> Plan:
    """The plan with the prompts of its earlier run under their names in this one, so that a comparison is known by its texts."""
    prompts = tuple(replace(prompt, name=f"{prompt.name}@{other.id}") for prompt in other.plan.prompts)
    return replace(plan, prompts=(*plan.prompts, *prompts))


def _older_words(trials: pd.DataFrame, own: Entry, entries: Mapping[str, Entry]) -> list[str]:
    """How many answers are older than the plan, which runs used them first, and whether those scored them otherwise."""
    counts = Counter(trials["older"].dropna().astype(str))
    if not counts:
        return []
    by = ", ".join(f"{name} ({n:,})" for name, n in counts.most_common(MOST_RUNS))
    said = [f"{counts.total():,} of {len(trials):,} answers are older than this plan; first used by {by}."]
    before = [entries[run] for run in counts if run in entries]
    scorers = {str(entry.get("scorer")) for entry in before} - {str(own["scorer"]), "None"}
    if scorers:
        said.append(f"They were scored by {' and '.join(sorted(scorers))} then, and by {own['scorer']} here: report both.")
    changed = {task for entry in before for task, metric in entry.get("metrics", {}).items() if own["metrics"].get(task, metric) != metric}
    if changed:
        said.append(f"The metric of {', '.join(sorted(changed))} was another one then: report both.")
    return said


def _edited_words(edited: Sequence[str]) -> list[str]:
    return [f"The registry here was edited: {'; '.join(edited[:MOST_RUNS])}."] if edited else []


def _begun_words(begun: Sequence[str]) -> list[str]:
    if not begun:
        return []
    times = f"This plan was begun {len(begun) + 1:,} times, each in a folder without answers, the last at {begun[-1]}"
    return [f"{times}: this is one of its runs. A folder is without answers when it is new, or when repair moved all of them aside."]


def _judged(c: Comparison, h: Hypothesis | None, plan: Plan, *, own: Entry, entries: Mapping[str, Entry], sides: Sides) -> Comparison:
    if h is None or c.verdict == "refused":
        return c
    tasks = [c.task] if c.task else [task.name for task in plan.tasks]
    contrast = contrast_of(h, plan)
    treated, control = (_runs_of(contrast.side(sign), tasks, sides) for sign in (1, -1))
    earlier = {arm.name for arm in plan.earlier.arms} if plan.earlier else set()
    planned = any({ref.arm, ref.prompt} & earlier for ref in contrast.side(1))
    if planned and (not control or registry.asks_the_same(h, plan)):
        return c  # an arm of the earlier run, as planned: against new answers, or against itself
    if planned:  # which never screens, and whose items are drawn by the same seed
        own = {**own, "rules": {name: rule for name, rule in own["rules"].items() if name != SCREENS}}
    why = next(filter(None, (_contained(entries.get(r), own, h, plan, c) for r in sorted(treated | control))), "")
    if not treated:
        why = next(filter(None, (_left_out(entries.get(run), own) for run in sorted(control))), "") if why else ""
    if not why:
        return c
    names = ", ".join(sorted(treated | control)[:MOST_RUNS])
    found = "" if c.diff is None else f" The difference is {points(c.diff)} points, {interval(c.ci_low, c.ci_high)}."
    said = f"Exploratory, so no verdict: answers are older than this plan (first used by {names}), and {why}.{found} {SEND_AGAIN}"
    return replace(c, verdict="refused", status="after_the_data", sentence=said)


def _place(one: Hypothesis | Comparison) -> tuple[Any, ...]:
    """What tells a planned comparison from every other one."""
    return one.scope, one.model, one.task, one.treatment, one.control, one.setting, one.family, one.contrast and one.contrast.name


def _runs_of(side: Sequence[ArmRef], tasks: Sequence[str], sides: Sides) -> frozenset[str]:
    return frozenset(
        run
        for ref in side
        for (model, setting, arm, prompt, task), runs in sides.items()
        if (model, setting, arm) == (ref.model, ref.setting, ref.arm) and task in tasks and ref.prompt in (None, prompt)
        for run in runs
    )


def _contained(earlier: Entry | None, own: Entry, h: Hypothesis, plan: Plan, c: Comparison) -> str:
    """Why an earlier plan does not hold the very same comparison; empty where it does."""
    if earlier is None:
        return "nothing is known here of that plan"
    key, key_there = registry.key_of(h, plan), registry.key_of(h, plan, earlier["named"])
    if key_there not in earlier["comparisons"]:
        return "that plan did not hold this comparison"
    for task in [c.task] if c.task else [task.name for task in plan.tasks]:
        mine, theirs = own["tasks"][task], earlier["tasks"].get(task, ["", 0, []])
        here, there = set(mine[2]), set(theirs[2])
        if here != there:
            if there and there < here:
                grown = f"that plan asked {theirs[1]:,} of these {mine[1]:,} items"
                return (
                    f"{grown}: they grew after results were known, which is peeking that no p-value here corrects (analysis.looks plans it)"
                )
            return "that plan asked other items, or had other right answers"
    n_family = own["comparisons"].get(key, c.n_family) if own["rules"].get(SCREENS) else c.n_family
    if earlier["comparisons"][key_there] > n_family:
        return f"that plan judged it among {earlier['comparisons'][key_there]:,}, and this one among {n_family:,}"
    rules = earlier.get("rules", own["rules"])
    for name, rule in own["rules"].items():
        if rule != rules.get(name):
            return f"that plan had other {name}"
    if earlier["margins"] != own["margins"] or any(one < other for one, other in zip(earlier["alpha"], own["alpha"], strict=True)):
        return "that plan had other margins or a stricter level"
    return ""


def _left_out(earlier: Entry | None, own: Entry) -> str:
    """Why an older control may have chosen this plan: tasks or items whose answers were known are not in it."""
    for task, (_, _, items) in (earlier or {"tasks": {}})["tasks"].items():
        mine = own["tasks"].get(task)
        if mine is None:
            return f"the task {task}, whose answers were known, is left out"
        if not set(items) <= set(mine[2]):
            return f"items of {task}, whose answers were known, are left out"
    if earlier and own["rules"].get(SCREENS) and earlier.get("seed") != own["seed"]:
        return "another seed split the items after those answers were known"
    return ""


def registered_words(run: Run) -> list[str]:
    """When the plan was registered and when its first answer came, with the hash of the registration."""
    found = registry.registration_in(run.manifest.registered)
    if not found:
        return []
    before = str(found["at"]) < run.manifest.created_at
    stamps = "".join(f", {stamp}" for stamp in found.get("stamps", ()))
    when = "before" if before else "NOT BEFORE"
    return [
        f"Registered {found['at']}, {when} the run began ({run.manifest.created_at}): SHA-256 {found['sha256']}{stamps}."
    ]  # fmt: skip


def _variation_words(run: str, own: Entry, known: Registry) -> list[str]:
    alike = registry.variations(run, own, known)
    if len(alike) < 2:
        return []
    others = [one for one in alike if one != run]
    same = sum(bool(set(known.plans[one]["comparisons"]) & set(own["comparisons"])) for one in others)
    text = (
        f"Run {alike.index(run) + 1:,} of {len(alike):,} variations of this question (same model and items); "
        f"{same or 'none'} of the others {'hold' if same > 1 else 'holds'} a comparison of this one. The others: "
    )
    said: list[str] = []
    for one in others:
        results = f"{one} ({_results(known.results.get(one))})"
        if len(text) + sum(map(len, said)) + len(results) > LONGEST_WORDS:
            break
        said.append(results)
    said = said or [others[0]]
    more = f"; and {len(others) - len(said):,} more" if len(others) > len(said) else ""
    return [f"{text}{'; '.join(said)}{more}."]


def _results(found: Sequence[Any] | None) -> str:
    if found is None:
        return "not reported"
    named = [f"{name}: {diff}, {verdict}" for name, diff, verdict in found if len(found) <= MOST_RUNS or verdict in FINDINGS]
    rest, cut = len(found) - len(named), len(named) - MOST_RUNS
    also = [f"{cut} more findings"] if cut > 1 else named[MOST_RUNS:]
    return (
        "; ".join(
            [*named[:MOST_RUNS], *also, *([f"{rest} {'other ' if named else ''}without a difference that was shown"] if rest else [])]
        )
        or "none"
    )


def keep_results(run: str, comparisons: Sequence[Comparison]) -> None:
    """Note what a registered run found over its tasks, for the reports of its variations."""
    known = registry.read()
    over = [c for c in comparisons if c.task is None and c.scope not in ("aa", "primary") and c.diff is not None]
    last = {c.name: [c.name, points(c.diff), c.verdict] for c in over}  # against no added text, where there are several controls
    found = list(last.values())[: registry.MOST_RESULTS]
    if run in known.plans and [list(one) for one in known.results.get(run, ())] != found:
        registry.append("results", {"run": run, "found": found})
