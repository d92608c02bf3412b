"""Is a run still what was frozen before its first call? Every hash of it, computed again by the functions that made it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from promptlab.nouns import UNREADABLE, Cue, Demo, Frame, Item, Loop, Model, Plan, Stimulus, Task, digest
from promptlab.planning.hashes import HASH_FORMAT, hash_of_data, hash_of_experiment, hash_of_simulators, hash_of_stimuli, name_of_run
from promptlab.record.store import Run, frozen_plan
from promptlab.record.store.chain import CHAIN, verified
from promptlab.record.store.files import reason_of
from promptlab.sources.prices import price_digest
from promptlab.sources.spec.experiment import load_experiment
from promptlab.sources.spec.libraries import sim_models
from promptlab.sources.tasks import entries

MATCHES, DIFFERS, UNKNOWN = "■ matches", "▼ differs", "● unknown"
HASH_CHARS = 12
DAMAGED = "damaged"
"""What stands for the hash of a file that cannot be read."""


class Check(NamedTuple):
    """One hash: as frozen, as it is now (None: not recomputed), and where it is computed from."""

    what: str
    frozen: str | None
    now: str | None
    source: str

    @property
    def says(self) -> str:
        """`MATCHES`, `DIFFERS` or `UNKNOWN`."""
        if self.frozen is None or self.now is None:
            return UNKNOWN
        return MATCHES if self.frozen == self.now else DIFFERS

    def row(self) -> dict[str, str]:
        """The check as people read it: hashes by their first characters."""
        return {
            "what": self.what,
            "result": self.says,
            "frozen": _short(self.frozen),
            "now": _short(self.now),
            "computed from": self.source,
        }


def audit(run: Run, frozen: tuple[Plan, str] | None = None) -> list[Check]:
    """Every frozen hash of a run, computed again from its folder where that holds all that was hashed.

    Of an imported run only the plan can be checked: the files of the other tool are not kept.
    """
    plan, plan_digest = frozen or frozen_plan(run.folder)
    hashes, of_plan = run.manifest.hashes, plan.hashes
    found = [Check("plan", hashes.get("plan"), plan_digest, "plan.json")]
    if plan.imported:
        source = "the file of the other tool, which is not kept"
        return [*found, *(Check(f"file {name}", str(value), None, source) for name, value in of_plan.items())]
    for what, source, compute in (
        ("experiment", "experiment.yaml", _experiment),
        ("data", "items.parquet, and tasks and demonstrations in plan.json", _data),
        ("stimuli", "arms, loops and programs in plan.json", _stimuli),
        *([("prompts", "plan.json", _prompts)] if plan.prompts else []),
        ("prices", "manifest.json", _prices),
        ("simulators", "the simulators of the installed promptlab", _simulators),
    ):
        try:
            found.append(Check(what, hashes.get(what), compute(run, plan), source))
        except UNREADABLE as error:
            name = "items.parquet" if what == "data" else source
            now = DAMAGED if what == "data" or (what == "experiment" and (run.folder / source).exists()) else None
            found.append(Check(what, hashes.get(what), now, f"{name}: {reason_of(error)}"))
    found.append(Check("hashes in plan.json", digest({k: v for k, v in hashes.items() if k != "plan"}), digest(of_plan), "both files"))
    name = name_of_run(plan.name, of_plan)
    found.append(Check("name of the run", plan.run, name, "the name of the experiment and the hashes"))
    return found


def of_record(run: Run) -> list[Check]:
    """Trials and calls of a run against the hash chain over them; without one, as an earlier version or another tool leaves a run,
    a check where they cannot be read.
    """
    chain = verified(run.folder, run.manifest.chain)
    if chain.n_lines is None:
        try:
            run.trials()
            run.calls()
        except UNREADABLE as error:
            return [Check("trials and calls", "readable", DAMAGED, reason_of(error))]
        return []
    head = str(run.manifest.chain.get("head", ""))
    return [Check("trials and calls", head, DAMAGED if chain.problems else head, "; ".join(chain.problems) or f"{CHAIN}, and the parts")]


def result(checks: Sequence[Check]) -> str:
    """What the checks say together, in one or two sentences."""
    differ = [check.what for check in checks if check.says == DIFFERS]
    unknown = [check.what for check in checks if check.says == UNKNOWN]
    if differ:
        parts = [f"Not what was frozen any more: {', '.join(differ)}."]
    elif not unknown:
        parts = ["Everything that was hashed then is the same now."]
    else:
        parts = ["Whatever can be recomputed is the same now."]
    if unknown:
        parts.append(f"Cannot be recomputed from this folder: {', '.join(unknown)}.")
    return " ".join(parts)


def _short(value: str | None) -> str:
    """The beginning of a hash; a name stays whole."""
    if value is None:
        return "unknown"
    return value[:HASH_CHARS] if len(value) == 64 else value


def _experiment(run: Run, plan: Plan) -> str:
    """As it ran: with the interim analyses and the scorer that the command set."""
    experiment, _ = load_experiment(run.folder / "experiment.yaml")
    return hash_of_experiment(experiment.as_asked(len(plan.looks) or None, plan.scorer))


def _data(run: Run, plan: Plan) -> str | None:
    """A task may have base prompts that the run did not use: those are taken from promptlab's own list.

    A task of the user may have such prompts too, and the run folder does not hold its file.
    """
    items: dict[str, list[Item]] = {}
    for row in run.each_item():
        scores = json.loads(row["scores"]) if row.get("scores") else ()
        items.setdefault(f"{row['suite']}/{row['task']}", []).append(
            Item(
                row["item"],
                row["input"],
                row["targets"],
                row["choices"],
                row["cluster"],
                scores=scores,
                columns=json.loads(row["columns"]) if row.get("columns") else {},
            )
        )
    now = None
    for whole, number in itertools.product((True, False), (1, HASH_FORMAT)):
        now = hash_of_data(list(_tasks(plan, items, whole)), number)
        if now == run.manifest.hashes.get("data"):
            return now
    return None if any(task.suite == "own" for task in plan.tasks) else now


def _tasks(plan: Plan, items: dict[str, list[Item]], whole: bool) -> Iterator[Task]:
    """The tasks of the plan, as far as they are hashed; `whole`: with the base prompts that the run did not use."""
    shipped = entries()
    for task in plan.tasks:
        name, suite = task.name, task.suite
        prompts = dict(shipped[name].base_prompts) if whole and suite != "own" and name in shipped else {}
        yield Task(
            name=name, suite=suite, benchmark="own", metric=task.metric, strict=task.strict,
            base_prompts={**prompts, **task.base_prompts}, items=tuple(items.get(f"{suite}/{name}", ())),
            demos=tuple(Demo(**demo) for demo in task.demos), options=task.options, frame=Frame(**task.frame),
            columns=tuple({column: None for item in items.get(f"{suite}/{name}", ()) for column in item.columns}),
        )  # fmt: skip


def _stimuli(run: Run, plan: Plan) -> str | None:
    if plan.programs:
        return None  # a program's own state is hashed as DSPy wrote it
    stimuli = [Stimulus(**{**arm.stimulus, "wordings": tuple(arm.stimulus["wordings"])}) for arm in plan.arms if arm.stimulus]
    loops = []
    for arm in plan.arms:
        if spec := arm.spec:
            cues = tuple(tuple(Cue(**cue) for cue in step) for step in spec["cues"])
            loops.append((str(arm.loop), arm.name, Loop(**{**spec, "cues": cues})))
    now, as_1 = (hash_of_stimuli(stimuli, loops, format=number) for number in (HASH_FORMAT, 1))
    return as_1 if as_1 == run.manifest.hashes.get("stimuli") else now


def _prompts(run: Run, plan: Plan) -> str:
    del run
    return digest({prompt.name: [dict(message) for message in prompt.messages] for prompt in plan.prompts})


def _prices(run: Run, plan: Plan) -> str | None:
    prices = run.manifest.prices
    return price_digest(prices) if set(prices) >= set(plan.model_of) else None


def _simulators(run: Run, plan: Plan) -> str:
    models = [Model(name, model.litellm_name) for name, model in run.manifest.models.items()]
    known = dict(sim_models())
    if any(model.simulated and model.litellm_name.removeprefix("sim/") not in known for model in plan.models):
        known |= load_experiment(run.folder / "experiment.yaml")[0].simulators
    return hash_of_simulators(models, known)
