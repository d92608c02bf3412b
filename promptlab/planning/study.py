"""An experiment with every name in it resolved: what plan, sweep and audit start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from promptlab.design.cross import Design
from promptlab.nouns import Arm, Model, Price, Prompt, Scoring, digest
from promptlab.nouns.errors import UsageProblem
from promptlab.nouns.plan import PlannedEarlier
from promptlab.planning import hashes
from promptlab.scoring.code import Code
from promptlab.scoring.rules import task_scoring
from promptlab.sources.prices import price_digest
from promptlab.sources.spec.experiment import Experiment
from promptlab.sources.spec.libraries import SimModel


@dataclass(frozen=True)
class Study:
    """One experiment, resolved: nothing in it needs another file."""

    experiment: Experiment
    path: Path
    text: str
    design: Design
    sims: Mapping[str, SimModel]
    prices: Mapping[str, Price | None]
    price_source: str
    n_tokens: Mapping[str, int]
    """Tokens of every stimulus and placebo by id, as `encoding` counts them: what placebos are matched by."""
    encoding: str
    notes: tuple[str, ...]
    available: Mapping[str, int] = field(default_factory=dict)
    """How many items each task has in all, by task id."""
    format: int = hashes.HASH_FORMAT
    """How its hashes are taken: as a run was begun."""
    unshared: tuple[Arm, ...] = ()
    """The arms as earlier versions chose them, where stimuli share placebos and then did not."""
    base: Path = Path()
    """The folder that the experiment's paths are relative to."""
    files: Mapping[str, str] | None = None
    """Of an experiment built in Python: what was given as objects, as the text of files by path from `path`; None for one in a file."""
    judges: tuple[Model, ...] = ()
    """Models that only scorings ask."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """By model name: the most tokens of one answer, where the price table says it."""
    code: tuple[Code, ...] = ()
    """Functions that its files name, with consent or without."""
    prompts: Mapping[str, Prompt] = field(default_factory=dict)
    """Whole prompts by name."""
    earlier: PlannedEarlier | None = None
    """The run that a comparison is planned with."""
    from_environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What the environment decides about where requests go: variables and their values by model name."""

    def need_consent(self) -> None:
        """UsageProblem where it names code that nobody has consented to run."""
        if refused := [code.refused for code in self.code if code.refused]:
            raise UsageProblem("; ".join(refused))

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model that is called."""
        return (*self.design.models, *self.judges)

    @cached_property
    def scorings(self) -> dict[tuple[str, str], Scoring]:
        """How answers are scored, by task id and model name."""
        scorer, design = self.experiment.scorer, self.design
        return {(task.id, model.name): task_scoring(task, scorer, model.name) for task in design.tasks for model in design.models}

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of everything that decides a result; what is frozen before the first call."""
        arms = self.design.arms
        own = {task: scoring.identity for (task, _), scoring in self.scorings.items() if scoring.identity is not None}
        return {
            "experiment": hashes.hash_of_experiment(self.experiment),
            "data": hashes.hash_of_data(self.design.tasks, self.format),
            "stimuli": hashes.hash_of_stimuli(
                (arm.stimulus for arm in arms if arm.stimulus),
                ((arm.strategy.name, arm.name, arm.loop) for arm in arms if arm.loop),
                ((arm.strategy.name, arm.program) for arm in arms if arm.program),
                self.format,
            ),
            **({"prompts": digest({name: prompt.canonical() for name, prompt in self.prompts.items()})} if self.prompts else {}),
            **({"earlier": self.earlier.plan} if self.earlier else {}),
            "prices": price_digest(dict(self.prices)),
            "simulators": hashes.hash_of_simulators(self.models, self.sims),
            **({"metrics": digest(own)} if own and self.format > 1 else {}),
            **({"addresses": digest(self.from_environment)} if self.from_environment else {}),
        }

    @property
    def run_id(self) -> str:
        """`name-xxxxxxxx`: the same experiment on the same data, stimuli and prices is the same run."""
        return hashes.name_of_run(self.experiment.name, self.hashes)


def as_recorded(study: Study, runs: Path) -> Study:
    """The study under the name of its run in `runs`: where an earlier version began that run, its hashes are taken as then."""
    if (runs / study.run_id).exists():
        return study
    own = replace(study, design=replace(study.design, arms=study.unshared)) if study.unshared else study
    earlier = (replace(study, format=1), own, replace(own, format=1))
    return next((before for before in earlier if (runs / before.run_id / "plan.json").exists()), study)
