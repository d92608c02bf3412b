"""What can be paired, and why the rest cannot. Nothing is compared here; a refusal comes before any figure is seen."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from promptlab.importers.files import File
from promptlab.importers.identity import asked_again, by_content
from promptlab.importers.results import Options, Reading, Result
from promptlab.importers.values import common_start, less_may_be_better, refusal
from promptlab.nouns import AA_ARM, NONE_ARM, Item, PlannedArm, Role, UsageProblem, as_read, did_you_mean, listed, together

BASELINES = ("none", "baseline", "original", "control", "default")
PER_DRAW = ("seed",)
"""Parameters that may differ between two answers which are compared."""
PROMPTS_COMPARED = 5
SPELLED_OUT = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
"""Characters that names hold as `inert` writes them."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Results that can be compared: scores in [0, 1] of which more is better, the baseline under the name that the analysis knows."""

    results: tuple[Result, ...]
    arms: tuple[PlannedArm, ...]
    """The baseline first, then placebos, then stimuli; `text` as far as the file says it."""
    items: Mapping[str, tuple[Item, ...]]
    """By task."""
    models: tuple[str, ...]
    notes: tuple[str, ...]

    def names(self, role: Role) -> list[str]:
        """The arms of one role."""
        return [arm.name for arm in self.arms if arm.role == role]


def pair(reading: Reading, options: Options, files: Sequence[File], flags: frozenset[str] = frozenset()) -> Paired:
    """Pair what was read; FileProblems or UsageProblem says what is wrong and what to do, in flags that the files' kind takes."""
    path = files[0].path
    results = list(reading.results)
    if not results:
        raise refusal(path, "there are no results in it")
    notes: list[str] = list(reading.notes)
    notes += asked_again(results, reading, files)
    results = _chosen(results, options)
    notes += by_content(results, path)
    baseline, arms = _arms(results, reading, options, path, "arm" in flags)
    notes += _scale(results, reading, options, path)
    _unique(results, path, flags)
    _same_items(results, path)
    notes += _same_settings(results, options.force, path)
    _alike(results, baseline, path)
    left_out, more = _overlap(results, baseline, path, flags, options.all_asked)
    notes += more
    if left_out:
        results = [r for r in results if r.arm not in left_out]
        arms = [arm for arm in arms if arm.name not in left_out]
    notes += _missing(results, path)
    written: dict[str, list[str]] = defaultdict(list)
    for arm in arms:
        name = str(arm.imported_as)
        written["".join(as_read(SPELLED_OUT.sub("", name)).split())].append(name)
    notes += [f"{listed(names)} are several arms; write them alike if they are one" for names in written.values() if len(names) > 1]
    for r in results:
        r.arm = NONE_ARM if r.arm == baseline else r.arm
    added = _added_texts(results)
    items = _items(results)
    clusters = {(task, item.id): item.cluster for task, of_task in items.items() for item in of_task}
    if n := len({clusters[r.task, r.item] for r in results if r.cluster != clusters[r.task, r.item]}):
        notes.append(f"{n:,} inputs occur in several items, which count as one cluster")
    for r in results:
        r.cluster = clusters[r.task, r.item]
    return Paired(
        results=tuple(results),
        arms=tuple(replace(arm, text=added.get(arm.name, arm.text)) for arm in arms),
        items=items,
        models=tuple(dict.fromkeys(r.model for r in results)),
        notes=tuple(notes),
    )


def _chosen(results: list[Result], options: Options) -> list[Result]:
    """The results of the arms that the user wants."""
    names = list(dict.fromkeys(r.arm for r in results))
    for flag, wanted in (("arms", options.arms), ("drop", options.drop)):
        for name in wanted:
            if name not in names:
                raise UsageProblem(f"--{flag} {name}: there is no such arm; {did_you_mean(name, names) or 'the arms are ' + listed(names)}")
    kept = set(options.arms or names) - set(options.drop)
    return results if kept == set(names) else [r for r in results if r.arm in kept]


def _arms(results: Sequence[Result], reading: Reading, options: Options, path: Path, by_arm: bool) -> tuple[str, list[PlannedArm]]:
    names = list(dict.fromkeys(r.arm for r in results))
    if len(names) < 2:
        why = f"; {reading.one_arm}" if reading.one_arm else ""
        or_name = ", or name what distinguishes them with --arm" if by_arm and not reading.one_arm else ""
        raise refusal(
            path,
            f"there is only one arm ({listed(names)}){why.rstrip('.')}. A comparison needs answers to the same items "
            "with and without the added "
            f"text: import results that hold both{or_name}",
        )
    baseline = _baseline(names, reading.texts, options.baseline)
    if NONE_ARM in names and baseline != NONE_ARM:
        raise UsageProblem(
            f"the file has an arm {NONE_ARM!r} besides the baseline {baseline!r}, and promptlab calls every baseline {NONE_ARM!r}; "
            f"use --baseline {NONE_ARM}, or leave that arm out with --drop {NONE_ARM}"
        )
    for name in options.placebos:
        if name not in names:
            raise UsageProblem(f"--placebo {name}: there is no such arm; {did_you_mean(name, names)}".rstrip("; "))
        if name == baseline:
            raise UsageProblem(f"--placebo {name}: this arm is the baseline; a placebo is an arm with a neutral text")
    roles: dict[str, Role] = {
        name: "baseline" if name == baseline else "placebo" if name in options.placebos else "aa" if name == AA_ARM else "stimulus"
        for name in names
    }
    if options.placebos and "stimulus" not in roles.values():
        raise UsageProblem("all arms are baseline or placebos, so no added text is left to judge; leave one out of --placebo")
    order = ("baseline", "aa", "placebo", "stimulus")
    arms = [
        PlannedArm(name=NONE_ARM if name == baseline else name, imported_as=name, role=roles[name], text=reading.texts.get(name))
        for name in sorted(names)  # not as they come: the order of rows and files says nothing
    ]
    return baseline, sorted(arms, key=lambda arm: order.index(arm.role))


def _baseline(names: Sequence[str], texts: Mapping[str, str], given: str | None) -> str:
    if given is not None:
        alike = [name for name in names if " ".join(texts.get(name, "").split()) == " ".join(given.split())]
        if given in names or len(alike) == 1:
            return given if given in names else alike[0]
        raise UsageProblem(f"--baseline {given}: there is no such arm; {did_you_mean(given, names) or 'the arms are ' + listed(names)}")
    obvious = [name for name in names if name.strip().lower() in BASELINES]
    if len(obvious) == 1:
        return obvious[0]
    if obvious:
        raise UsageProblem(f"several arms could be the baseline ({listed(obvious)}); choose one with --baseline ARM")
    shown = "\n".join(f"  {name}{': ' + ' '.join(texts[name].split())[:100] if name in texts else ''}" for name in names[:20])
    raise UsageProblem(
        f"no arm is called {', '.join(BASELINES[:-1])} or {BASELINES[-1]}, so say which one is the baseline: the prompt "
        f"in use, or the one without the added text; for example --baseline '{names[0]}'. The arms are:\n{shown}"
    )


def _scale(results: Sequence[Result], reading: Reading, options: Options, path: Path) -> list[str]:
    """Put scores into [0, 1] with more being better; a result without a score is missing, whatever its tool called it."""
    low, high = options.scale or (0.0, 1.0)
    less_is_better, notes = _direction(reading, options)
    found = [r for r in results if r.score is not None]
    worst = next((r for r in found if not low <= (r.score or 0.0) <= high), None)
    if worst is not None:
        known = [r.score or 0.0 for r in found]
        rated = min(known) >= 1 and max(known) <= 10 and all(score.is_integer() for score in known)
        low_end = 1.0 if rated else min(0.0, *known)
        remedy = (
            f"--scale LOW,HIGH maps another scale, such as --scale {_written(low_end)},{_written(max(known))} if those are its ends"
            if options.scale is None
            else "give the ends of the scale itself, not of what was observed"
        )
        raise refusal(
            path,
            f"scores lie between {_written(min(known))} and {_written(max(known))} ({worst.where}: {_written(worst.score or 0)}), outside "
            f"{low:g} to {high:g}; {remedy}",
        )
    for r in results:
        if r.score is None:
            r.outcome, r.error = "error", r.error or "no score in the file"
        elif options.scale or less_is_better:
            share = (r.score - low) / (high - low)
            r.score = 1 - share if less_is_better else share
    return notes


def _written(score: float) -> str:
    """A score in as many digits as tell it from others."""
    return f"{score:g}" if float(f"{score:g}") == score else repr(score)


def _direction(reading: Reading, options: Options) -> tuple[bool, list[str]]:
    """Whether less is better of this score: as the user says, else the files; asked where the name is that of a loss."""
    chosen = options.higher_is_better
    if chosen is None and reading.higher_is_better is None and less_may_be_better(reading.metric):
        raise UsageProblem(
            f"of the score {reading.metric!r} less may be better, and the files do not say so; say it with --lower-is-better or "
            "--higher-is-better"
        )
    less = not (chosen if chosen is not None else reading.higher_is_better is not False)
    if not less:
        return False, []
    who = "as --lower-is-better says" if chosen is not None else "as the files say"
    return True, [f"less is better of {reading.metric!r}, {who}: stored is 1 minus the score, so that a positive effect is a better one"]


def _unique(results: Iterable[Result], path: Path, flags: frozenset[str]) -> None:
    seen: dict[tuple[str, str, str, int, str], dict[str, str]] = defaultdict(dict)
    n, first = 0, None
    for r in results:
        before = seen[r.model, r.task, r.arm, r.repeat, r.base_prompt].setdefault(r.item, r.where)
        if before is not r.where:
            n, first = n + 1, first or (before, r)
    if first is not None:
        where, r = first
        repeats = "If they are repeats, name the column that numbers them with --repeat; " if "repeat" in flags else ""
        others = [f"--{flag}" for flag in ("model", "task") if flag in flags]
        apart = f"{'if' if repeats else 'If'} they are of several models or tasks, name those with {' or '.join(others)}" if others else ""
        raise refusal(
            path,
            f"{n:,} results occur twice for one model, task, arm, item and repeat, first {where} and {r.where} "
            f"(model {r.model!r}, task {r.task!r}, arm {r.arm!r}, item {r.item!r}). "
            + (f"{repeats}{apart}" or "Name the arm of each file with --arm-name FILE=NAME, or give one of the files only"),
        )


def _same_items(results: Iterable[Result], path: Path) -> None:
    """One item id must be one item, in one cluster, in every arm."""
    seen: dict[tuple[str, str], Result] = {}
    clusters: dict[tuple[str, str], Result] = {}
    for r in results:
        if r.cluster:
            of = clusters.setdefault((r.task, r.item), r)
            if of.cluster != r.cluster:
                raise refusal(
                    path,
                    f"the item {r.item!r} is in the cluster {of.cluster!r} ({of.where}) and in {r.cluster!r} ({r.where}); an item is "
                    "in one cluster, the same in every arm",
                )
        if r.targets:
            first = seen.setdefault((r.task, r.item), r)
            if first.targets != r.targets:
                raise refusal(
                    path,
                    f"the item {r.item!r} has the right answer {listed(first.targets, 3)} in the arm {first.arm!r} and "
                    f"{listed(r.targets, 3)} in the arm {r.arm!r}, so one id means two items and nothing can be paired by it; "
                    "give items ids of their own",
                )


def _alike(results: Iterable[Result], baseline: str, path: Path) -> None:
    """Refuse ids that look alike and are two, one in the baseline and the other in an arm: answers to such an item would be left out."""
    of: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for r in results:
        of[r.model, r.task][r.arm].add(r.item)
    for (model, task), arms in of.items():
        base = arms.get(baseline, set())
        for arm, items in arms.items():
            alone = {as_read(item): item for item in base - items}
            for item in sorted(items - base):
                if (other := alone.get(as_read(item))) is not None:
                    raise refusal(
                        path,
                        f"model {model!r}, task {task!r}: the item {other!a} of the arm {baseline!r} and {item!a} of {arm!r} look alike "
                        "and are written in two ways, so they would not be paired; write the ids of items alike in every arm",
                    )


def _same_settings(results: Iterable[Result], force: bool, path: Path) -> list[str]:
    """Model versions and sampling parameters must be the same in all arms of a model; what differs otherwise is part of the effect."""
    found: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for r in results:
        if r.model_version:
            found["model versions", r.model][r.arm].add(r.model_version)
        if r.params:
            kept = {k: v for k, v in r.params.items() if k not in PER_DRAW}
            found["sampling parameters", r.model][r.arm].add(json.dumps(kept, sort_keys=True))
    notes = []
    for (what, model), by_arm in sorted(found.items(), key=lambda pair: pair[0][0]):
        if len({frozenset(values) for values in by_arm.values()}) < 2:
            continue
        shown = "; ".join(f"{arm}: {', '.join(sorted(values))[:120]}" for arm, values in list(by_arm.items())[:4])
        said = f"the arms of the model {model!r} were run with different {what} ({shown})"
        if not force:
            raise refusal(
                path,
                f"{said}, so a difference between them need not come from the added text; run the arms with the same settings, or "
                "import anyway with --force",
            )
        notes.append(f"{said}; imported with --force, so a difference between arms need not come from the added text")
    return notes


def _overlap(results: Sequence[Result], baseline: str, path: Path, flags: frozenset[str], all_asked: bool) -> tuple[set[str], list[str]]:
    """The arms that share no item with the baseline, and notes on those that share not all, for each model and task."""
    of: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for r in results:
        of[(r.model, r.task)][r.arm].add(r.item)
    n_shared: Counter[str] = Counter()
    notes = []
    for (model, task), arms in of.items():
        base = arms.get(baseline, set())
        for arm, items in arms.items():
            if arm == baseline:
                continue
            n_shared[arm] += len(base & items)
            alone = len(base ^ items)
            if base & items and alone:
                so = (
                    "they count as missing answers of the other (--all-asked)"
                    if all_asked
                    else "only items that both arms ran are compared. If both ran all of them (some tools leave out what failed), "
                    "import again with --all-asked: then they are missing answers"
                )
                notes.append(
                    f"model {model!r}, task {task!r}: {alone:,} of {len(base | items):,} items are in only one of the arms {arm!r} and "
                    f"{baseline!r}; {so}"
                )
    left_out = {arm for arm, n in n_shared.items() if not n}
    if len(left_out) == len(n_shared):
        first: dict[str, Result] = {}
        for r in results:
            first.setdefault(r.arm, r)
        models_too = "arm" in flags and "score" not in flags and len({r.model for r in first.values()}) > 1
        apart = "; to compare the models themselves: --arm model" if models_too else ""
        by_item = "; name what tells the items apart, the same in both, with --item" if "item" in flags else ""
        shown = "; ".join(f"{r.arm}: {r.model}, {r.task}, item {r.item}" for r in list(first.values())[:3])
        raise refusal(
            path,
            f"no item was answered by one model both under {baseline!r} and under another arm, so nothing can be paired ({shown}); the "
            f"same item needs the same id, task and model name in both{apart}{by_item}",
        )
    if left_out:
        others = ",".join(sorted(left_out))
        notes.append(
            f"the arms {listed(sorted(left_out))} share no item with {baseline!r} and are left out; to compare them with each other import "
            f"again with --arms {others} and the --baseline among them"
        )
    return left_out, notes


def _missing(results: Sequence[Result], path: Path) -> list[str]:
    n = sum(1 for r in results if r.score is None)
    if n == len(results):
        hint = "; formulas have values only once a spreadsheet program has saved them" if path.suffix.lower() == ".xlsx" else ""
        raise refusal(path, f"no result has a score, so there is nothing to judge; score the answers first{hint}")
    sizes = Counter((r.model, r.task, r.arm, r.item, r.base_prompt) for r in results) if any(r.repeat for r in results) else {}
    notes = [f"{n:,} of {len(results):,} results have no score (a failed call is missing, never 0)"] if n else []
    if len(set(sizes.values())) > 1:
        low, high = min(sizes.values()), max(sizes.values())
        notes.append(f"items were run from {low} to {high} times; repeats of an item are averaged before anything is compared")
    return notes


def _items(results: Iterable[Result]) -> dict[str, tuple[Item, ...]]:
    """The items of each task; the baseline's prompt names an item. Those that ask the same are a cluster, unless all do: then ids tell."""
    found: dict[str, dict[str, Item]] = defaultdict(dict)
    for r in sorted(results, key=lambda r: r.arm != NONE_ARM):
        item = found[r.task].setdefault(r.item, Item(r.item, r.input, r.targets, r.choices, r.cluster))
        if r.cluster and not item.cluster:
            found[r.task][r.item] = replace(item, cluster=r.cluster)
    alone = {task for task, items in found.items() if len({item.input for item in items.values()}) == 1}
    return {task: tuple(items.values()) if task in alone else together(items.values()) for task, items in found.items()}


def _added_texts(results: Sequence[Result]) -> dict[str, str]:
    """What each arm's prompts hold beyond the baseline's, where it is the same text for the first items that both were sent."""
    asked: dict[str, dict[tuple[str, str], Result]] = defaultdict(dict)
    for r in results:
        if r.messages and len(asked[r.arm]) < 1000:
            asked[r.arm].setdefault((r.task, r.item), r)
    found = {}
    for arm, prompts in asked.items():
        shared = [key for key in asked[NONE_ARM] if key in prompts][:PROMPTS_COMPARED]
        added = {inserted(asked[NONE_ARM][key], prompts[key]) for key in shared}
        if arm != NONE_ARM and len(added) == 1 and (text := added.pop()):
            found[arm] = text
    return found


def inserted(base: Result, other: Result) -> str | None:
    """The one text in the other's messages and not in the base's; None where that is not the difference."""
    if [m["role"] for m in base.messages] != [m["role"] for m in other.messages]:
        return None
    changed = [(b["content"], o["content"]) for b, o in zip(base.messages, other.messages, strict=True) if b["content"] != o["content"]]
    if len(changed) != 1:
        return None
    short, long = changed[0]
    start = len(common_start([short, long]))
    end = len(short) - start
    if len(long) <= len(short) or (end and not long.endswith(short[start:])):
        return None
    return long[start : len(long) - end].strip() or None
