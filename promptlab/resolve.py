"""From an experiment file to a design: every name in it becomes an object, and every name that cannot is a problem with its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from promptlab.defects import SMALL
from promptlab.design import Design, cross, draw, matched_placebos
from promptlab.errors import DataMissing, FileProblems, Problem, did_you_mean
from promptlab.gateway.prices import PriceTable, price_digest
from promptlab.own import check_task, load_own
from promptlab.schema import Model, Price, Stimulus, Task, digest
from promptlab.shipped import PACKAGE, shipped
from promptlab.simulate import sim_prices
from promptlab.spec import Document, Experiment, load_experiment, load_library, load_sim_models
from promptlab.spec.libraries import SimModel
from promptlab.strategies import NEEDS_CHOICES
from promptlab.tasks import entries, load_task, task_names


@dataclass(frozen=True, slots=True)
class Study:
    """One experiment, resolved: nothing in it needs another file."""

    experiment: Experiment
    path: Path
    text: str
    design: Design
    sims: Mapping[str, SimModel]
    prices: Mapping[str, Price | None]
    price_source: str
    notes: tuple[str, ...]

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of everything that decides a result; what is frozen before the first call."""
        design = self.design
        items = [
            [t.id, t.metric, t.strict, dict(t.base_prompts), [[i.id, i.input, i.targets, i.choices, i.scores] for i in t.items]]
            for t in design.tasks
        ]
        demos = [[t.id, [[d.input, d.output, d.choices] for d in t.demos]] for t in design.tasks]
        used = {m.litellm_name.removeprefix("sim/") for m in design.models if m.simulated}
        return {
            "experiment": digest(self.experiment.canonical()),
            "data": digest([items, demos]),
            "stimuli": digest(sorted({(c.stimulus.id, c.stimulus.text) for c in design.conditions if c.stimulus})),
            "prices": price_digest(dict(self.prices)),
            "simulators": digest({name: self.sims[name].model_dump(mode="json") for name in sorted(used)}),
        }

    @property
    def run_id(self) -> str:
        """`name-xxxxxxxx`: the same experiment on the same data, stimuli and prices is the same run."""
        return f"{self.experiment.name}-{digest(self.hashes)[:8]}"


def library_paths() -> list[Path]:
    """The stimulus libraries that come with promptlab."""
    return sorted(shipped("stimuli").glob("*.yaml"))


def all_stimuli(extra: Sequence[Path] = ()) -> dict[str, Stimulus]:
    """Every stimulus by id; two libraries with one name are a problem of the second."""
    found: dict[str, Stimulus] = {}
    for path in [*library_paths(), *extra]:
        for stimulus in load_library(path):
            if stimulus.id in found:
                raise FileProblems([Problem(path, 1, f"the stimulus {stimulus.id!r} exists already; give this library another name")])
            found[stimulus.id] = stimulus
    return found


def sim_models() -> Mapping[str, SimModel]:
    """The simulated models that come with promptlab, by the name after `sim/`."""
    return load_sim_models(PACKAGE / "data" / "sim.yaml")


def match(pattern: str, known: Iterable[str]) -> list[str]:
    """The names that a name or glob means, in the order in which they are known."""
    return [name for name in known if name == pattern or fnmatchcase(name, pattern)]


class _Resolver:
    """Collects problems while it resolves, so that all of them are told at once."""

    def __init__(self, experiment: Experiment, document: Document) -> None:
        self.experiment = experiment
        self.document = document
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def problem(self, loc: tuple[str | int, ...], message: str) -> None:
        self.problems.append(self.document.problem(loc, message.rstrip("; ")))

    def names(self, key: tuple[str, ...], patterns: Sequence[str], known: Sequence[str], what: str) -> list[str]:
        found: dict[str, None] = {}
        for index, pattern in enumerate(patterns):
            hits = match(pattern, known)
            if not hits:
                self.problem((*key, index), f"the {what} {pattern!r} is not known; {did_you_mean(pattern, known)}")
            found.update(dict.fromkeys(hits))
        return list(found)

    def stimuli(self) -> dict[str, Stimulus]:
        folder = self.document.path.parent
        files = [(folder / name) for name in self.experiment.stimulus_files]
        try:
            return all_stimuli(files)
        except FileProblems as error:
            self.problems.extend(error.problems)
            return all_stimuli()

    def own_tasks(self) -> dict[str, Task]:
        found: dict[str, Task] = {}
        for index, name in enumerate(self.experiment.task_files):
            try:
                own = load_own(self.document.path.parent / name)
            except FileProblems as error:
                self.problems.extend(error.problems)
                continue
            if own.task.name in found or own.task.name in entries():
                self.problem(("task_files", index), f"the task {own.task.name!r} exists already; give this one another 'name'")
            checked = check_task(own)
            if checked.gold_below_1:
                n = len(checked.gold_below_1)
                self.notes.append(f"{own.task.id}: {n} right answers do not score 1; see `promptlab task check {name}`")
            self.notes += [f"{own.task.id}: {note}" for note in own.notes]
            found[own.task.name] = own.task
        return found

    def tasks(self) -> list[Task]:
        e = self.experiment
        tasks = []
        own = self.own_tasks()
        for name in self.names(("tasks",), e.tasks, [*own, *task_names(e.suite)], "task"):
            try:
                task = own[name] if name in own else load_task(name, e.suite, e.defects)
            except DataMissing as error:
                self.problem(("tasks",), str(error))
                continue
            for index, prompt in enumerate(e.base_prompts):
                if prompt not in task.base_prompts:
                    self.problem(
                        ("base_prompts", index), f"the task {name!r} has no base prompt {prompt!r}; it has {', '.join(task.base_prompts)}"
                    )
            drawn = draw(task, e.items, max(e.shots), e.seed)
            if max(e.shots) > len(drawn.demos):
                self.problem(
                    ("shots",), f"the task {task.id!r} has {len(drawn.demos)} demonstrations to draw from; shots can be at most that"
                )
            if e.items > len(drawn.items):
                self.notes.append(f"{task.id} has {len(drawn.items)} items to ask; {e.items} were asked for, so all of them are used")
            for index, strategy in enumerate(e.strategies):
                if strategy in NEEDS_CHOICES and not all(item.choices for item in drawn.items):
                    self.problem(
                        ("strategies", index), f"the strategy {strategy!r} needs options, and the task {task.id!r} has items without"
                    )
            if len(task.items) < SMALL:
                self.notes.append(f"{task.id} has {len(task.items)} items in all: too few for a verdict of its own")
            tasks.append(drawn)
        return tasks

    def models(self, sims: Mapping[str, SimModel]) -> list[Model]:
        found: dict[str, Model] = {}
        for index, entry in enumerate(self.experiment.models):
            model = entry.resolved()
            if model.simulated and model.litellm_name.removeprefix("sim/") not in sims:
                hint = did_you_mean(model.litellm_name, [f"sim/{name}" for name in sims])
                self.problem(("models", index), f"the simulated model {model.litellm_name!r} is not known; {hint}")
            if "/" not in model.litellm_name:
                self.problem(
                    ("models", index), f"the model {model.litellm_name!r} names no provider; write provider/model, as in openai/gpt-4o-mini"
                )
            if model.name in found:
                self.problem(("models", index), f"two models are named {model.name!r}; give one of them another 'name'")
            found[model.name] = model
        return list(found.values())

    def placebos(self, known: Mapping[str, Stimulus], stimuli: Sequence[Stimulus]) -> tuple[Stimulus, ...]:
        controls = self.experiment.controls
        neutral = {name: s for name, s in known.items() if s.role == "placebo"}
        if controls.placebos == "matched":
            found = matched_placebos(stimuli, list(neutral.values()), controls.per_stimulus)
        else:
            found = tuple(neutral[n] for n in self.names(("controls", "placebos"), controls.placebos, list(neutral), "placebo"))
        return found


def resolve(path: Path) -> Study:
    """Read and resolve an experiment file; FileProblems tells everything that is wrong with it at once."""
    experiment, document = load_experiment(path)
    resolver = _Resolver(experiment, document)
    known = resolver.stimuli()
    sims = sim_models()
    chosen = resolver.names(("stimuli",), experiment.stimuli, list(known), "stimulus")
    stimuli = [known[name] for name in chosen if known[name].role == "stimulus"]
    for name in chosen:
        if known[name].role == "placebo":
            resolver.problem(("stimuli",), f"{name!r} is a placebo; name it under controls.placebos")
    placebos = resolver.placebos(known, stimuli)
    tasks = resolver.tasks()
    models = resolver.models(sims)
    table = PriceTable.load()
    simulated = sim_prices(sims)
    prices = {model.name: simulated.get(model.litellm_name) if model.simulated else table.price(model) for model in models}
    if experiment.budget_usd is not None:
        for index, model in enumerate(models):
            if prices[model.name] is None:
                resolver.problem(
                    ("models", index), f"the price of {model.name!r} is unknown, so budget_usd cannot hold; add 'price' to this model"
                )
    if resolver.problems:
        raise FileProblems(resolver.problems)
    conditions = cross(
        stimuli, placebos, experiment.base_prompts, experiment.resolved_placements(), experiment.shots, experiment.strategies
    )
    return Study(
        experiment=experiment,
        path=path,
        text=document.text,
        design=Design(tuple(tasks), conditions, tuple(models), experiment.replicates, experiment.seed),
        sims=sims,
        prices=prices,
        price_source=table.source,
        notes=tuple(resolver.notes),
    )
