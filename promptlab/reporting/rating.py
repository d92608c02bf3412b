"""What people rate: a seeded random sample of a run's answers, in an order and on sides that tell nothing of the arms.

A unit is one answer with its rubrics, or two answers to one question. Every rater sees the same units, so that they can be compared;
one in ten again, and two that ask for attention. Nothing that a rater is shown names an arm, a model or a judge.
"""

from __future__ import annotations

import html
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice, product, zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, FileProblems, Plan, Problem, UsageProblem, digest_of_text, full_name, inert, plain_json
from promptlab.record.ratings import DIGITS, Rating, ratings_of
from promptlab.record.store import Run
from promptlab.reporting.people import ATTENTION, WINDOW, attentive, careless, drawn, incumbents, judgings, repeats_of
from promptlab.reporting.rescore import item_of
from promptlab.scoring.echo import masked
from promptlab.scoring.judged import Judging, degraded
from promptlab.sources.foreign import json_value

REPEAT_EVERY = 10
REPEATED_AFTER = 8
MOST_SHOWN = 10
SECONDS = 20.0
"""What a rating takes until a rater has shown how long it takes."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What is rated at once. `answers` and `trials` are in the order in which they are shown."""

    id: str
    kind: str
    task: str
    question: str
    references: tuple[str, ...]
    answers: tuple[str, ...]
    trials: tuple[str, ...]
    judging: Judging

    @property
    def digest(self) -> str:
        """Of what is shown."""
        return digest_of_text(plain_json([self.question, *self.references, *self.answers]))[:12]

    @property
    def is_pair(self) -> bool:
        return len(self.answers) == 2

    def token(self, rater: str) -> str:
        """What pages and sheets call it: the same unit again, or a control, has another one, so that nobody can tell."""
        return _token(self.id, self.kind, rater)

    def rating(self, rater: str, values: Mapping[str, Any], **more: Any) -> Rating:  # noqa: ANN401 (fields of a rating)
        """What a rater says of it; ValueError for a value that is not one."""
        for rubric, value in values.items():
            if rubric not in self.judging.rubrics or not self.judging.allows(value, self.is_pair):
                raise ValueError(f"{value!r} is no rating of {rubric or 'the answer'}")
        a, b = (*self.trials, "")[:2]
        return Rating(rater, self.id, self.kind, dict(values), a, b, digest=self.digest, **more)


def _token(unit: str, kind: str, rater: str) -> str:
    return digest_of_text(f"shown/{rater}/{kind}/{unit}")[:16]


def units(run: Run, n_items: int, arms: Sequence[str] | None = (), model: str | None = None, mask: bool = False) -> list[Unit]:
    """A random sample of `n_items` items of each judged task, by the run's own seed: the same call gives the same, a larger n more.

    Of each item the answers of the baseline and of `arms` (when left out all stimuli, else all prompts and settings; None:
    every arm), the first draw of `model` (the first when left out). With `mask` an answer is shown without the words that it
    repeats of its arm's sentence, which tell
    a rater the arm. UsageProblem where no task is judged, or an arm is not known.
    """
    plan, trials = run.plan, run.trials()
    judging = judgings(plan)
    if not judging:
        raise UsageProblem(f"{run.id}: no task of it is scored by a judge alone; ratings are of tasks with the metric rubric or pairwise")
    name = model or next(iter(plan.model_of))
    mine = trials[(trials["model"] == name) & (trials["replicate"] == 0) & (trials["arm"] != AA_ARM)]
    if mine.empty:
        raise UsageProblem(f"the run has no answers of a model {name!r}; it has {', '.join(plan.model_of)}")
    mine, base, known, usual = _cells(plan, mine, incumbents(trials))
    arms = known if arms is None else [full_name(arm, known) for arm in arms]
    if wrong := [arm for arm in arms if arm not in known]:
        raise UsageProblem(f"the run has no arm {wrong[0]!r}; it has {', '.join(known)}")
    chosen = list(arms) or usual
    mine = mine[mine["outcome"] != "error"].drop_duplicates(["task", "item", "cell"])
    if mask:
        said = {arm.name: tuple(filter(None, (arm.text, *arm.wordings))) for arm in plan.arms}
        mine = mine.assign(answer=[_masked(text, said[arm]) for text, arm in zip(mine["answer"], mine["arm"], strict=True)])
    items = {(str(row["task"]), str(row["item"])): row for row in run.each_item()}
    answers = {(str(t.task), str(t.item), str(t.cell)): t for t in mine[["task", "item", "cell", "trial", "answer"]].itertuples()}
    of_task, have = [], {(task, item) for task, item, _ in answers}
    for task, how in judging.items():
        order = [item for item in drawn(plan, task, map(str, trials.loc[trials["task"] == task, "item"])) if (task, item) in have]
        each = [(item, [answers.get((task, item, arm)) for arm in (base, *chosen)]) for item in order]
        of_task.append([_of_item(items[task, item], found, how) for item, found in each])
    return [unit for ranked in islice(zip_longest(*of_task, fillvalue=()), n_items) for each in ranked for unit in each]


def _cells(plan: Plan, mine: pd.DataFrame, incumbent: frozenset[str]) -> tuple[pd.DataFrame, str, list[str], list[str]]:
    """Trials with a name of what is rated in each, the name of the baseline, all other names, and those that are rated by default.

    Added texts are rated in the first setting and the incumbent's prompt, next to the baseline there. Without any, the baselines of
    prompts and settings are rated next to the incumbent's.
    """
    texts = [arm.name for arm in plan.arms if arm.role not in ("baseline", "aa")]
    if texts:
        prompts = [*filter(None, [plan.incumbent]), *plan.base_prompts]
        place = mine["base_prompt"].map({prompt: i for i, prompt in reversed(list(enumerate(prompts)))}).fillna(0)
        first = place == place.groupby(mine["task"], observed=True).transform("min")
        mine = mine[first & (mine["setting"] == plan.settings[0].id)]
        return mine.assign(cell=mine["arm"]), NONE_ARM, texts, [arm.name for arm in plan.arms if arm.role == "stimulus"]
    several = mine["setting"].nunique() > 1
    cell = mine["base_prompt"].astype(str) + (" " + mine["setting"].astype(str) if several else "")
    mine = mine.assign(cell=cell.mask(mine["trial"].isin(incumbent), NONE_ARM))
    names = [name for name in dict.fromkeys(sorted(mine["cell"])) if name != NONE_ARM]
    return mine, NONE_ARM, names, names


def _masked(answer: str, sentences: Sequence[str]) -> str:
    for sentence in sentences:
        answer = masked(answer, sentence)
    return answer


def _of_item(row: Mapping[str, Any], found: Sequence[Any], how: Judging) -> list[Unit]:
    """The units of one item: each answer, or each arm's next to the baseline's; without what was not answered."""
    references = item_of(row).targets if how.reference else ()
    base, *others = found
    shown = [(other, base) for other in others] if how.kind == "pairwise" else [(one,) for one in found]
    return [
        Unit(
            digest_of_text("unit/" + "/".join(one.trial for one in each))[:16], "rate", str(row["task"]), str(row["input"]), references,
            answers=tuple(one.answer for one in each), trials=tuple(one.trial for one in each), judging=how,
        )
        for each in shown
        if None not in each
    ]  # fmt: skip


def schedule(sample: Sequence[Unit], rater: str) -> list[Unit]:
    """What one rater is shown, in order: the sample with sides by seed, repeats, and units that ask for attention."""
    rng = random.Random(f"schedule/{rater}/{sample[0].id if sample else ''}")
    order: list[Unit] = []
    for start in range(0, len(sample), WINDOW):
        window = list(sample[start : start + WINDOW])
        rng.shuffle(window)
        order += [_turned(unit) if unit.is_pair and rng.random() < 0.5 else unit for unit in window]
    shown: list[Unit] = []
    places = {round(len(order) * (i + 1) / (ATTENTION + 1)) for i in range(ATTENTION)} if len(order) > WINDOW else set()
    for n, unit in enumerate(order, 1):
        shown.append(unit)
        if n in places:
            shown.append(_attention(unit))
        if n % REPEAT_EVERY == 0 and n > REPEATED_AFTER:
            again = order[n - 1 - REPEATED_AFTER]
            shown.append(replace(_turned(again) if again.is_pair else again, kind="repeat"))
    return shown


def _attention(unit: Unit) -> Unit:
    """Two equal answers, or one made worse."""
    return replace(unit, kind="attention", answers=(unit.answers[0],) * 2 if unit.is_pair else (degraded(unit.answers[0]),))


def _turned(unit: Unit) -> Unit:
    return replace(unit, answers=unit.answers[::-1], trials=unit.trials[::-1])


def left(order: Sequence[Unit], done: Sequence[Rating]) -> list[Unit]:
    """What a rater has still to rate, in order."""
    have = {(one.unit, one.kind) for one in done}
    return [unit for unit in order if (unit.id, unit.kind) not in have]


def minutes_left(n: int, done: Sequence[Rating]) -> float:
    """About how long the rest takes, by the rater's own median."""
    times = sorted(one.ms / 1000 for one in done if one.ms)
    return n * (times[len(times) // 2] if times else SECONDS) / 60


def sheet(order: Sequence[Unit], rater: str, title: str) -> str:
    """A page that a rater opens without a server, and whose answers are saved as a JSON file; it loads nothing from anywhere."""
    shown = [
        {
            "unit": unit.token(rater), "question": inert(unit.question), "references": [inert(text) for text in unit.references],
            "answers": [inert(text) for text in unit.answers],
            "rubrics": {name: inert(words) for name, words in unit.judging.rubrics.items()}, "low": unit.judging.low,
            "high": unit.judging.high, "digest": unit.digest,
        }
        for unit in order
    ]  # fmt: skip
    data = json.dumps({"rater": rater, "units": shown}, ensure_ascii=True).replace("<", "\\u003c")
    template = Path(__file__).with_name("sheet.html").read_text("utf-8")
    return template.replace("{title}", html.escape(title)).replace("{data}", data)


def from_sheet(path: Path, text: str, run: Run) -> list[Rating]:
    """The ratings that a sheet saved, whatever sample it showed; FileProblems where it is not one, or of other answers than this run's."""
    try:
        data = json_value(text, once=True)
        rater = data["rater"]
        rows = [(row["unit"] if "kind" not in row else _token(row["unit"], row["kind"], rater), row) for row in data["ratings"]]
        shown = _shown(run, {(token, row["digest"]) for token, row in rows}, lambda unit: unit.token(rater))
        each = [(shown[token, row["digest"]], row) for token, row in rows]
        if len({token for token, _ in rows}) < len(rows):
            raise ValueError("it says two things of one answer")
        if odd := next((row for _, row in rows if not _is_time(row.get("ms")) or not isinstance(row.get("at", ""), str)), None):
            raise ValueError(f"ms and at are no time: {odd.get('ms')!r}, {odd.get('at')!r}")
        return [unit.rating(rater, row["values"], ms=row.get("ms"), at=row.get("at", "")) for unit, row in each]
    except (ValueError, TypeError, AttributeError) as error:
        raise FileProblems.one(path, f"is no file that a rating sheet saved: {error}") from None
    except KeyError as error:
        raise FileProblems.one(path, f"is no file that a rating sheet of this run saved: it shows no such answers ({error})") from None


def _is_time(ms: object) -> bool:
    """Whether a sheet's milliseconds are a number of them, or left out."""
    return ms is None or (type(ms) is int and 0 <= ms < 10**DIGITS)


def strange(run: Run, ratings: Sequence[Rating]) -> list[Rating]:
    """Ratings of what was shown elsewhere: the same trials of another run have other answers."""
    if not judgings(run.plan):
        return []
    places = [(_place(one.kind, one.trial_a, one.trial_b), one.digest) for one in ratings]
    shown = _shown(run, {place for place in places if place[1]}, lambda unit: _place(unit.kind, *unit.trials))
    return [one for one, place in zip(ratings, places, strict=True) if one.digest and place not in shown]


def _place(kind: str, *trials: str) -> str:
    return "/".join([kind, *sorted(filter(None, trials))])


def _shown(run: Run, wanted: Set[tuple[str, str]], name: Callable[[Unit], str]) -> dict[tuple[str, str], Unit]:
    """Units as they were shown, by their name and the digest of what was shown, which tells sides and whether it was masked."""
    found: dict[tuple[str, str], Unit] = {}
    names = {one for one, _ in wanted}
    for mask, model in product((False, True), run.trials(compact=True)["model"].unique()):
        for unit in units(run, sys.maxsize, None, str(model), mask) if len(found) < len(wanted) else ():
            for one in (replace(unit, kind="repeat"), _attention(unit), unit):
                if name(one) in names:
                    sides = (one, _turned(one) if one.kind != "attention" else _attention(_turned(unit)))
                    found.update(((name(one), side.digest), side) for side in sides if (name(one), side.digest) in wanted)
    return found


def of_this_run(path: Path, found: Sequence[Rating], sample: Sequence[Unit], run: Run) -> list[Rating]:
    """Ratings of a table as this run has them, with the trials of units that name none; FileProblems for what cannot count."""
    judging, by_unit = judgings(run.plan), {unit.id: unit for unit in sample}
    trials = run.trials(compact=True)
    task_of = dict(zip(trials["trial"], trials["task"], strict=True))
    kept, wrong = [], []
    for one in found:
        unit = by_unit.get(one.unit)
        a, b = (one.trial_a, one.trial_b) if one.trial_a or unit is None else (*unit.trials, "")[:2]
        how = judging.get(str(task_of.get(a or one.unit)))
        if how is None or (how.kind == "pairwise") != bool(b) or (b and b not in task_of):
            wrong.append(f"{one.unit}: names no answer of this run; give trial_a (and of pairs trial_b) as `--export` does")
        elif bad := [value for rubric, value in one.values.items() if rubric not in how.rubrics or not how.allows(value, bool(b))]:
            wrong.append(f"{one.unit}: {bad[0]!r} is no rating on the scale of its task, or its rubric is none of {', '.join(how.rubrics)}")
        else:
            kept.append(replace(one, trial_a=a or one.unit, trial_b=b))
    wrong += [f"{one.unit}: is of other answers than those of this run" for one in strange(run, kept)]
    if wrong:
        raise FileProblems([Problem(path, 1, said) for said in wrong[:MOST_SHOWN]])
    return kept


def repeatability(run: Run) -> pd.DataFrame:
    """For each rater: ratings, repeats that say the same, attention units that were noticed, median seconds, and whether they count."""
    rows = []
    every, judging = ratings_of(run.folder), judgings(run.plan)
    trials = run.trials(compact=True)
    task_of = {trial: task for trial, task in zip(trials["trial"], trials["task"], strict=True) if task in judging}
    every, lowest = [one for one in every if one.trial_a in task_of], {name: how.low for name, how in judging.items()}
    left_out = careless(every, lowest, task_of)
    for rater in dict.fromkeys(one.rater for one in every):
        mine = [one for one in every if one.rater == rater]
        first = {one.unit: one for one in mine if one.kind == "rate"}
        same = repeats_of(rater, every)
        seen = attentive(mine, lowest, task_of)
        times = sorted(one.ms / 1000 for one in mine if one.ms)
        judged = sum(bool(one.values) for one in first.values())
        rows.append({
            "rater": rater, "ratings": judged, "cannot judge": len(first) - judged,
            "repeats": len(same), "the same again": sum(same), "attention": len(seen), "seen": sum(seen),
            "median s": round(times[len(times) // 2], 1) if times else None, "counts": left_out.get(rater, "yes"),
        })  # fmt: skip
    return pd.DataFrame(rows)
