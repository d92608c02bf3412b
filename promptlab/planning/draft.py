"""An experiment made of a few numbers: how many tasks, sentences and items, on which model. Nothing is sent and nothing is kept."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from promptlab.design.cross import trials_an_item
from promptlab.nouns import Estimate, FileProblems, Model, OutlookRow, Plan, PowerRow, Suite
from promptlab.planning.plan import outlook, power
from promptlab.planning.price import estimate, minutes
from promptlab.planning.resolve import resolve
from promptlab.planning.size import Over, Size
from promptlab.planning.study import Study
from promptlab.sources.prices import PriceTable
from promptlab.sources.spec.experiment import Experiment
from promptlab.sources.spec.libraries import all_stimuli, sim_models
from promptlab.sources.spec.models import Sampling
from promptlab.sources.tasks import task_here, task_names

FILE = "planned.yaml"
KEPT = 8
"""Experiments kept in memory with their items."""
FIRST = ("emotionprompt", "negativeprompt")
"""Libraries that come first where no run says which."""
SAMPLING: Mapping[str, Any] = {"temperature": 0.7, "max_tokens": 64}
Compared = Literal["sentences", "prompts", "models", "shots", "temperature"]
"""What differs between the arms of a drafted experiment."""
SHOTS = (0, 4, 2, 8, 1)
"""Numbers of examples, the reference first, in the order in which they are added."""
TEMPERATURES = (0.7, 0.0, 1.0, 0.3, 0.5)
"""The same of temperatures; that of the run comes first."""
MOST_OTHERS: Mapping[Compared, int] = {"prompts": 20, "models": 1, "shots": len(SHOTS) - 1, "temperature": len(TEMPERATURES) - 1}
"""What can be compared with the first of its kind, at most; of sentences as many as there are."""
AGAINST: Mapping[Compared, str] = {
    "prompts": "the first prompt", "models": "the first model", "shots": "no examples", "temperature": "the first temperature",
}  # fmt: skip
"""The control of what is no sentence."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The requirements of a design. `effect` in points; `flips`, `again` and `accuracy` in percent."""

    over: Over
    per_task: int
    repeats: int
    effect: float
    flips: float
    again: float
    accuracy: float
    n_tasks: int
    n_stimuli: int
    comparisons: int
    model: str
    per_stimulus: int
    under_way: int
    compared: Compared = "sentences"
    other: str = ""
    """The model that `model` is compared with, where models are."""

    @property
    def of_sentences(self) -> bool:
        """Whether added sentences are compared; everything else has one control and no neutral texts."""
        return self.compared == "sentences"

    @property
    def psi(self) -> float:
        """The share of items that flips in one asking, without more effect than was measured: no less than when sent again."""
        return max(self.flips, self.again) / 100

    @property
    def level(self) -> float:
        """The strictest level of the family: that of its smallest p-value."""
        analysis = Experiment.model_fields["analysis"].default
        return float(analysis.alpha if self.over == "mean" else analysis.fdr) / self.comparisons

    @property
    def size(self) -> Size:
        """The design as the power calculator takes it."""
        return Size(
            (self.per_task,) * self.n_tasks, self.psi, self.level, self.over, self.repeats, self.again / 100,
            controls=(self.per_stimulus or 2) if self.of_sentences else 1, accuracy=self.accuracy / 100,
        )  # fmt: skip

    def remarks(self) -> list[str]:
        """What cannot be, and what is done about it."""
        found = []
        flips = 100 * self.size.flips(self.effect / 100)
        if flips > 100 * self.psi + 0.05:
            found.append(
                f"an effect of {self.effect:g} points flips items besides those that flip when sent again; {flips:.1f} % in all are taken "
                "here."
            )
        if self.effect > 100 - self.accuracy:
            found.append(
                f"where the baseline scores {self.accuracy:g} %, no {'sentence' if self.of_sentences else 'change'} can add "
                f"{self.effect:g} points; it can still lose them."
            )
        if self.again > self.flips:
            found.append(f"at least the {self.again:g} % that flip when sent again flip when a prompt changes; so many are taken here.")
        if not self.per_stimulus and self.of_sentences:
            found.append("without neutral sentences no effect can be attributed to what a sentence says.")
        return found

    @property
    def _alike(self) -> float:
        """How often two runs of one prompt disagree where no item has flips of its own, so that the effect makes the flips of `size`."""
        effect, flips = self.effect / 100, self.size.flips(self.effect / 100)
        room = max(1 - self.accuracy / 100, 0.01)
        return (flips - effect) / (1 - effect / room) if effect < room else self.again / 100

    def commands(self) -> str:
        """The commands for the experiment, once it is saved; without calibration where its own limits do not allow these numbers."""
        lines = [f"promptlab plan {FILE}", f"promptlab sweep {FILE}"]
        baseline, psi = self.accuracy / 100, round(self._alike, 4)
        if 0.02 <= baseline <= 0.98 and self.effect < 100 - self.accuracy and 0.001 <= psi <= 0.5 and psi < 2 * baseline * (1 - baseline):
            lines.insert(1, f"promptlab calibrate {FILE} --effect {self.effect:g} --baseline {baseline:g} --discordance {psi:g}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Draft:
    """The experiment of the choices, resolved; or why it is not one."""

    text: str
    study: Study | None
    problems: tuple[str, ...] = ()

    @cached_property
    def estimates(self) -> tuple[Estimate, ...]:
        """Calls, tokens, USD and seconds of each model, as `promptlab plan` estimates them."""
        return () if self.study is None else tuple(estimate(self.study, model.name) for model in self.study.design.models)

    @cached_property
    def power(self) -> tuple[PowerRow, ...]:
        """The smallest effects, as `promptlab plan` shows them."""
        return () if self.study is None else power(self.study, 0)

    def money(self, n_items: int, repeats: int, under_way: int) -> dict[str, Any] | None:
        """Calls, USD and minutes (low, high) of so many items a task, at the file's price of a call; None where that is unknown."""
        made = self.estimates
        if self.study is None or not sum(one.calls for one in made):
            return None
        design = self.study.design
        n_calls = n_items * len(design.tasks) * trials_an_item(replace(design, replicates=repeats))
        share = n_calls / sum(one.calls for one in made)
        low, high = minutes(made, under_way)
        usd = [None if None in values else share * sum(filter(None, values)) for values in zip(*(one.usd for one in made), strict=True)]
        return {"calls": n_calls, "usd": usd, "minutes": [low * share, high * share]}


def experiment_text(
    chosen: Choices, suite: str, tasks: Sequence[str], stimuli: Sequence[str], sampling: Mapping[str, Any], seed: int
) -> str:
    """The choices as an experiment file. JSON is YAML, so every name is written as JSON text."""
    question, compared = _compared(chosen, stimuli, sampling)
    keys: dict[str, Any] = {
        "name": "planned",
        "question": question,
        "suite": suite,
        "tasks": list(tasks),
        "models": [chosen.model, *([chosen.other] if chosen.compared == "models" else [])],
        **compared,
        "items": chosen.per_task,
        "replicates": chosen.repeats,
        "sampling": {key: value for key, value in sampling.items() if key in Sampling.model_fields} or dict(SAMPLING),
        "seed": seed,
    }
    lines = ["# Made on the plan page of promptlab's explorer; nothing in it has been sent yet."]
    for key, value in keys.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {json.dumps(part)}" for part in value)]
        elif isinstance(value, dict):
            lines += [f"{key}:", *(f"  {name}: {json.dumps(part)}" for name, part in value.items())]
        else:
            lines.append(f"{key}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _compared(chosen: Choices, stimuli: Sequence[str], sampling: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The question of the choices, and the keys of a file that say what is compared."""
    n = chosen.n_stimuli
    match chosen.compared:
        case "prompts":
            texts = {f"prompt_{i}": f"{{instruction}}\nWrite prompt {i} here.\n{{input}}" for i in range(2, n + 2)}
            prompts = {"prompt_1": "{instruction}\n{input}", **texts}
            return f"Which of {n + 1} prompts scores best?", {"prompts": prompts, "incumbent": "prompt_1"}
        case "models":
            return "Which of two models scores best?", {"compare": {"models": True}}
        case "shots":
            return "Do examples change the score?", {"vary": {"shots": list(SHOTS[: n + 1])}}
        case "temperature":
            levels = dict.fromkeys([sampling.get("temperature", TEMPERATURES[0]), *TEMPERATURES])
            return "Does the temperature change the score?", {"vary": {"temperature": list(levels)[: n + 1]}}
        case _:
            controls: dict[str, Any] = {"placebos": "matched", "per_stimulus": chosen.per_stimulus}
            if not chosen.per_stimulus:
                controls = {"placebos": [], "no_placebo_reason": "none were chosen when this was planned"}
            which = "the added sentence" if len(stimuli) == 1 else f"one of {len(stimuli)} added sentences"
            return f"Does {which} change the score?", {"stimuli": list(stimuli), "controls": controls}


@lru_cache(maxsize=KEPT)
def drafted(text: str) -> Draft:
    """The experiment of a text, resolved as a file is."""
    try:
        with tempfile.TemporaryDirectory() as folder:  # what reads an experiment reads a file
            path = Path(folder) / FILE
            path.write_text(text, encoding="utf-8")
            return Draft(text, replace(resolve(path), path=Path(FILE)))
    except FileProblems as error:
        return Draft(text, None, tuple(f"line {p.line}: {p.message}" if p.line else p.message for p in error.problems))


@lru_cache(maxsize=256)
def more_items(text: str, discordance: float) -> tuple[OutlookRow, ...]:
    """What more items of a drafted experiment's tasks buy, as `promptlab plan` works it out."""
    draft = drafted(text)
    return () if draft.study is None else outlook(draft.study, discordance, draft.estimates)


@lru_cache(maxsize=1)
def priced_models() -> tuple[str, ...]:
    """The simulated models, then every chat model of the price table with its provider in front."""
    found = dict.fromkeys(f"sim/{name}" for name, sim in sim_models().items() if not sim.judges)
    planted = "sim/planted"
    found = {planted: None, **found} if planted in found else found
    table = PriceTable.load()
    return (*found, *(name for name in sorted(table.named()) if table.price(Model(name, name)) is not None))


def suite_of(plan: Plan) -> Suite:
    """The official files where the plan is of them and they are here; else promptlab's own items."""
    there = {task.suite for task in plan.tasks} == {"official"} and all(task_here(task.name, "official") for task in plan.tasks)
    return "official" if there else "twin"


def tasks_for(plan: Plan) -> list[str]:
    """The plan's tasks that come with promptlab, then the others."""
    suite = suite_of(plan)
    known = [name for name in task_names(suite) if suite == "twin" or task_here(name, suite)]
    return _first(list(plan.task_of), known)


def stimuli_for(names: Sequence[str]) -> list[str]:
    """These stimuli as far as they come with promptlab, then the others."""
    known = [name for name, stimulus in all_stimuli().items() if stimulus.role == "stimulus"]
    known.sort(key=lambda name: FIRST.index(name.split("/")[0]) if name.split("/")[0] in FIRST else len(FIRST))
    return _first(names, known)


def _first(names: Sequence[str], known: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*(name for name in names if name in known), *known]))
