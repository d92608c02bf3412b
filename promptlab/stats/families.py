"""Which hypotheses are tested, in which families, before there is any data. What is not in here gets no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from promptlab.nouns.setting import Setting
from promptlab.nouns.words import Control

Scope = Literal["cell", "stimulus", "primary"]
ADJUSTMENT: Mapping[Scope, str] = {"cell": "fdr_bh", "stimulus": "holm", "primary": "holm"}


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One planned comparison. `treatment` is a stimulus, or a library for the mean over its stimuli."""

    family: str
    scope: Scope
    model: str
    task: str | None
    treatment: str
    library: str
    control: Control
    placement: str
    shots: int
    strategy: str


def hypotheses(
    models: Sequence[str],
    tasks: Sequence[str],
    stimuli: Sequence[tuple[str, str]],
    settings: Sequence[Setting],
    controls: Sequence[Control],
    primary: Sequence[Control] | None = None,
) -> list[Hypothesis]:
    """Every hypothesis of an experiment: cells, stimuli over tasks, and libraries over tasks and stimuli.

    `stimuli` holds (id, library), `primary` the controls of primary hypotheses (all when
    None). One family holds: all primary hypotheses of the
    experiment; the stimuli of one library under one model and control; the cells of one model and control.
    """
    found: list[Hypothesis] = []
    libraries = list(dict.fromkeys(library for _, library in stimuli))
    for model in models:
        for control in controls:
            for setting in settings:
                where = (setting.placement, setting.shots, setting.strategy)
                if primary is None or control in primary:
                    found += [Hypothesis("primary", "primary", model, None, lib, lib, control, *where) for lib in libraries]
                for name, library in stimuli:
                    family = f"stimulus/{model}/{library}/{control}"
                    found.append(Hypothesis(family, "stimulus", model, None, name, library, control, *where))
                    family = f"cell/{model}/{control}"
                    found += [Hypothesis(family, "cell", model, task, name, library, control, *where) for task in tasks]
    return found


def frozen(planned: Sequence[Hypothesis]) -> list[dict[str, Any]]:
    """Hypotheses as plain data for the plan file."""
    return [asdict(hypothesis) for hypothesis in planned]


def thawed(rows: Sequence[Mapping[str, Any]]) -> list[Hypothesis]:
    """Hypotheses from the plan file."""
    return [Hypothesis(**row) for row in rows]
