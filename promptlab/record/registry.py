"""Every plan that ever got an answer on this machine, in one file that is only appended to; and what is known of earlier plans.

It keeps an honest author honest, and says what a result is one of. A line that was edited or taken out is noticed by its hash; a file
that was deleted, cut at its end or replaced is not.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.nouns import UNREADABLE, ArmRef, Hypothesis, Plan, contrast_of, digest, grouped, home
from promptlab.nouns.typed import typed
from promptlab.record.lines import UNCHAINED, chained, rows_in
from promptlab.record.store.files import now
from promptlab.sources.foreign import json_value, opened_to_write, read_bytes

log = logging.getLogger("promptlab.registry")
LIMIT = 2**28
CHARS = 16
MOST_RESULTS = 12
OF_ITEM = ("item", "input", "targets", "choices")
Entry = Mapping[str, Any]


def path() -> Path:
    """The file: the variable PROMPTLAB_REGISTRY, else in the user's promptlab folder."""
    chosen = os.environ.get("PROMPTLAB_REGISTRY")
    return Path(chosen).expanduser() if chosen else home() / "registry.jsonl"


@dataclass(frozen=True)
class _Planned:
    """What of an entry a later plan reads."""

    models: tuple[str, ...]
    tasks: Mapping[str, tuple[Any, ...]]
    comparisons: Mapping[str, int]
    margins: tuple[float, ...]
    alpha: tuple[float, ...]
    metrics: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    in_any_order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Registered:
    """What of a registration a report reads."""

    plan: str
    at: str
    sha256: str
    stamps: tuple[str, ...] = ()


def entries_in(found: Mapping[str, Any]) -> dict[str, Entry]:
    """Those of entries by run, wherever they come from, that have the form of one."""
    return {run: entry for run, entry in found.items() if _is_entry(entry)}


def _is_entry(row: Any) -> bool:  # noqa: ANN401 (whatever a file holds)
    with contextlib.suppress(*UNREADABLE):
        entry = typed(_Planned, row)
        tasks = [(type(name), type(n), *map(type, items)) for name, n, items in entry.tasks.values()]
        return len(entry.alpha) == 2 and all(n is int and {name, *items} == {str} for name, n, *items in tasks)
    return False


def registration_in(row: Any) -> Entry:  # noqa: ANN401 (whatever a file holds)
    """The registration that a row is; empty where it has not the form of one."""
    with contextlib.suppress(*UNREADABLE):
        typed(_Registered, row)
        return dict(row)
    return {}


class Registry(NamedTuple):
    """What the file says: plans by run in the order of their first answers, their last results, registrations by plan, and when a plan
    was begun again in a folder without answers; and which lines are not what was written there.
    """

    plans: Mapping[str, Entry]
    results: Mapping[str, Sequence[Any]]
    registered: Mapping[str, Entry]
    begun: Mapping[str, Sequence[str]]
    edited: Sequence[str]


def read() -> Registry:
    """The registry; lines that cannot be read are left out."""
    plans: dict[str, Entry] = {}
    begun: dict[str, list[str]] = {}
    results: dict[str, Sequence[Any]] = {}
    registered: dict[str, Entry] = {}
    edited: list[str] = []
    with contextlib.suppress(OSError):
        for row, wrong in rows_in(read_bytes(path(), LIMIT)):
            if wrong and not wrong.endswith(UNCHAINED):  # an earlier version may share the registry
                edited.append(wrong.format(path().name))
            with contextlib.suppress(*UNREADABLE):
                if row is None:
                    continue
                if row["kind"] == "plan" and _is_entry(row):
                    plans.setdefault(str(row["run"]), row)
                elif row["kind"] == "results":
                    results[str(row["run"])] = [(str(name), str(diff), verdict and str(verdict)) for name, diff, verdict in row["found"]]
                elif row["kind"] == "begun":
                    begun.setdefault(str(row["run"]), []).append(str(row["at"]))
                elif row["kind"] == "registered" and registration_in(row):
                    registered.setdefault(row["plan"], row)
    return Registry(plans, results, registered, begun, edited)


def append(kind: str, row: Mapping[str, Any]) -> None:
    """One more line, durable; a folder that cannot be written is no reason to stop."""
    try:
        path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(opened_to_write(path(), os.O_APPEND), "ab") as file:
            with contextlib.suppress(OSError):  # where a file system has no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            file.write(chained(read_bytes(path(), LIMIT), {"kind": kind, **row}))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        log.warning("%s: cannot be written (%s): what this run does is in no registry", path(), error.strerror or error)


def note_plan(run: str, plan: Plan, plan_digest: str, items: Iterable[Mapping[str, Any]], anew: bool = False) -> None:
    """Keep a plan that got its first answer; of one that is there, that it was begun `anew`: in a folder without any answer."""
    if run not in read().plans:
        append("plan", {"run": run, "plan": plan_digest, "at": now(), **entry_of(plan, items)})
    elif anew:
        append("begun", {"run": run, "at": now()})


def entry_of(plan: Plan, items: Iterable[Mapping[str, Any]]) -> Entry:
    """What a later plan must know of this one: its questions, comparisons with the size of their families, and items in their order."""
    both = grouped((str(row["task"]), _digests(row)) for row in items)
    drawn = {name: [one for one, _ in found] for name, found in both.items()}
    sizes = Counter(h.family for h in plan.hypotheses)
    return {
        "name": plan.name,
        "simulated": any(model.simulated for model in plan.models),
        "seed": plan.seed,
        "alpha": [plan.alpha, plan.fdr],
        "margins": [plan.margins.cell, plan.margins.mean],
        "models": sorted({digest(model.litellm_name)[:CHARS] for model in plan.models}),
        "scorer": plan.scorer,
        "metrics": {task.name: digest([task.metric, task.scoring])[:CHARS] for task in plan.tasks},
        "rules": rules_of(plan),
        "tasks": {task.name: [f"{task.suite}/{task.name}", len(drawn.get(task.name, ())), drawn.get(task.name, [])] for task in plan.tasks},
        "in_any_order": {name: [one for _, one in found] for name, found in both.items() if any(one != other for one, other in found)},
        "comparisons": {key_of(h, plan): sizes[h.family] for h in plan.hypotheses},
    }


def _digests(row: Mapping[str, Any]) -> tuple[str, str]:
    """An item by its digest, as it is and with its options in alphabetical order: the name of its task decides theirs."""
    as_it_is = digest([row[name] for name in OF_ITEM])[:8]
    if not row["choices"]:
        return as_it_is, as_it_is
    return as_it_is, digest([*(row[name] for name in OF_ITEM if name != "choices"), sorted(row["choices"])])[:8]


def rules_of(plan: Plan) -> dict[str, Any]:
    """What decides which answers a comparison uses, next to its items and sides."""
    return {
        "answers to an item": plan.replicates,
        "screening parts": plan.confirm and plan.confirm.share,
        "interim analyses": [look.fraction for look in plan.looks],
        "base prompts": None if plan.prompts else list(plan.base_prompts),
    }


def as_named_in(own: Entry, earlier: Entry) -> Entry:
    """An earlier entry with its tasks under the names that the same items have in a later one; `named` holds its own names by those.

    A task keeps its name where the later plan has one of that name. Each other one takes the name of one task that asks its items.
    """
    free = {
        name: dict(zip(_items(own, name), task[2], strict=False)) for name, task in own["tasks"].items() if name not in earlier["tasks"]
    }
    tasks, named = dict[str, Any](), dict[str, str]()
    for name, (question, n, items) in earlier["tasks"].items():
        there = _items(earlier, name)
        shared = {mine: len(set(there) & set(found)) for mine, found in free.items()}
        if name in own["tasks"] or not any(shared.values()):
            tasks[name] = [question, n, items]
            continue
        mine = max(shared, key=lambda mine: shared[mine])
        named[mine] = name
        here = free.pop(mine)
        tasks[mine] = [question, n, [here.get(item, item) for item in there]]
    of_name = {theirs: mine for mine, theirs in named.items()}
    metrics = {of_name.get(name, name): metric for name, metric in earlier.get("metrics", {}).items()}
    return {**earlier, "tasks": tasks, "metrics": metrics, "named": named}


def _items(entry: Entry, task: str) -> Sequence[str]:
    """Digests of a task's items whatever the order of their options; of an entry that has none, those that it has."""
    found: Sequence[str] = entry.get("in_any_order", {}).get(task) or entry["tasks"][task][2]
    return found


def key_of(h: Hypothesis, plan: Plan, named: Mapping[str, str] | None = None) -> str:
    """A comparison by what is compared, whatever its names: tasks (as they are `named` elsewhere), models, settings, texts and weights."""
    tasks = [(named or {}).get(name, name) for name in ([h.task] if h.task else [task.name for task in plan.tasks])]
    sides = sorted(digest([*_asked(ref, plan), round(weight, 9)]) for ref, weight in contrast_of(h, plan).weights)
    return digest([sorted(tasks), sides])[:CHARS]


def asks_the_same(h: Hypothesis, plan: Plan) -> bool:
    """Whether both sides of a comparison send the same requests, under two names."""
    treated, control = ({digest(_asked(ref, plan)) for ref in contrast_of(h, plan).side(sign)} for sign in (1, -1))
    return treated == control


def _asked(ref: ArmRef, plan: Plan) -> list[Any]:
    """What decides the requests of an arm: model, setting and texts, whatever their names."""
    model, arm = plan.model_of.get(ref.model), next((arm for arm in plan.arms if arm.name == ref.arm), None)
    prompt = next((prompt.sha256 for prompt in plan.prompts if prompt.name == ref.prompt), ref.prompt)
    asked = model and [model.litellm_name, model.api_base, dict(model.sampling)]
    return [asked, ref.setting, arm and (arm.text if arm.spec is None else digest(arm.spec)), prompt]


def variations(mine: str, own: Entry, known: Registry) -> list[str]:
    """Runs of the same model on some of the same items, in the order of their first answers, this one among them."""

    def shares(entry: Entry) -> bool:
        asked = any(task in entry["tasks"] and set(_items(own, task)) & set(_items(entry, task)) for task in own["tasks"])
        return asked and bool(set(entry["models"]) & set(own["models"]))

    alike = [run for run, entry in known.plans.items() if run == mine or shares(entry)]
    return alike if mine in alike else [*alike, mine]


def known_of(runs: Iterable[str], folder: Path) -> dict[str, Entry]:
    """What is known of earlier runs: by this machine's registry, or by the bundle that an experiment lies in."""
    wanted = list(runs)
    known = {**entries_in(bundled(folder, "earlier")), **read().plans} if wanted else {}
    return {run: known[run] for run in wanted if run in known}


def registration_of(plan: str, folder: Path) -> Entry:
    """The first registration of a plan, by its digest, from the registry or the bundle; empty where there is none."""
    theirs = registration_in(bundled(folder, "registered"))
    return read().registered.get(plan) or (theirs if theirs.get("plan") == plan else {})


def bundled(folder: Path, key: str) -> Entry:
    """What the manifest of the bundle that a folder is says under a key; empty where it is not one."""
    with contextlib.suppress(OSError, *UNREADABLE):
        found = json_value(read_bytes(folder / "manifest.json", LIMIT, folder), once=True)
        if found.get("holds") == "promptlab answers" and isinstance(found.get(key), dict):
            return dict(found[key])
    return {}
