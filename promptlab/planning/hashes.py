"""SHA-256 of each part of an experiment that decides a result: computed before the first call, and again by an audit."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptlab.nouns.arm import Program
from promptlab.nouns.identity import digest, digest_of_text, plain_json
from promptlab.nouns.item import Task
from promptlab.nouns.model import Model
from promptlab.nouns.stimulus import Loop, Stimulus
from promptlab.sources.spec import Experiment
from promptlab.sources.spec.libraries import SimModel


def hash_of_experiment(experiment: Experiment) -> str:
    """Of the experiment's keys and values: comments, and values that are the defaults, change nothing."""
    return digest(experiment.canonical())


def hash_of_data(tasks: Sequence[Task]) -> str:
    """Of items, demonstrations, base prompts and scorers of all tasks."""
    with nothing_to_collect():
        items = [
            [t.id, t.metric, t.strict, dict(t.base_prompts), [(i.id, i.input, i.targets, i.choices, i.scores) for i in t.items]]
            for t in tasks
        ]
        demos = [[t.id, [[d.input, d.output, d.choices] for d in t.demos]] for t in tasks]
        graded = any(item.scores for task in tasks for item in task.items)  # fractions, which not every writer writes alike
        return digest([items, demos]) if graded else digest_of_text(plain_json([items, demos]))


def hash_of_stimuli(
    stimuli: Iterable[Stimulus], loops: Iterable[tuple[str, str, Loop]], programs: Iterable[tuple[str, Program]] = ()
) -> str:
    """Of all texts that are added; loops come with their strategy and arm, programs with their strategy."""
    return digest(
        [
            sorted({(s.id, s.text, s.wordings) for s in stimuli}),
            sorted({(strategy, arm, repr(loop)) for strategy, arm, loop in loops}),
            sorted({(strategy, repr(program)) for strategy, program in programs}),
        ]
    )


def hash_of_simulators(models: Iterable[Model], sims: Mapping[str, SimModel]) -> str:
    """Of the simulated models among these, as `sims` defines them by the name after `sim/`."""
    used = {model.litellm_name.removeprefix("sim/") for model in models if model.simulated}
    return digest({name: sims[name].model_dump(mode="json") for name in sorted(used)})


def name_of_run(experiment: str, hashes: Mapping[str, str]) -> str:
    """`name-xxxxxxxx`: the same experiment on the same data, stimuli and prices is the same run."""
    return f"{experiment}-{digest(hashes)[:8]}"


@contextlib.contextmanager
def nothing_to_collect() -> Iterator[None]:
    """Hundreds of thousands of items are made that all stay: looking for garbage among them takes longer than making them."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.unfreeze()  # to the oldest: else the very next allocation has all of them looked through
            gc.enable()
