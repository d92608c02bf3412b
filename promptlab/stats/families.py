"""Which hypotheses are tested, in which families, before there is any data. What is not in here gets no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product

from promptlab.nouns import NONE_ARM, Contrast, Control, Hypothesis, Plan, Scope, Setting

ADJUSTMENT: Mapping[Scope, str] = {"cell": "fdr_bh", "stimulus": "holm", "primary": "holm"}


def hypotheses(
    models: Sequence[str],
    tasks: Sequence[str],
    stimuli: Sequence[tuple[str, str]],
    settings: Sequence[Setting],
    controls: Sequence[Control],
    primary: Sequence[Control] | None = None,
) -> list[Hypothesis]:
    """Every hypothesis of an experiment: cells, stimuli over tasks, and libraries over tasks and stimuli.

    `stimuli` holds (id, library), `primary` the controls of primary hypotheses (all when None). One family holds: all primary
    hypotheses of the experiment; the stimuli of one library under one model and control; the cells of one model and control.
    """
    found: list[Hypothesis] = []
    libraries = list(dict.fromkeys(library for _, library in stimuli))
    for model, control, setting in product(models, controls, settings):
        planned = partial(Hypothesis, model=model, control=control, setting=setting)
        if primary is None or control in primary:
            found += [planned(family="primary", scope="primary", task=None, treatment=lib, library=lib) for lib in libraries]
        for name, library in stimuli:
            of_stimulus = f"stimulus/{model}/{library}/{control}"
            found.append(planned(family=of_stimulus, scope="stimulus", task=None, treatment=name, library=library))
            of_cell = f"cell/{model}/{control}"
            found += [planned(family=of_cell, scope="cell", task=task, treatment=name, library=library) for task in tasks]
    return found


def contrast_of(h: Hypothesis, plan: Plan) -> Contrast:
    """The arms that a hypothesis compares, and by which margin it is judged."""
    members = plan.stimuli_of[h.treatment] if h.scope == "primary" else (h.treatment,)
    if h.control in ("none", "single"):
        controls: tuple[tuple[str, ...], ...] = ((NONE_ARM,),)
    elif h.control == "placebo":  # each stimulus against its own placebos; the mean over stimuli against the mean of those means
        controls = tuple(tuple(plan.placebos_of[name]) for name in members)
    else:  # a control of a loop is an arm of its own
        controls = ((h.control,),)
    margin = plan.margins.cell if h.scope == "cell" else plan.margins.mean
    return Contrast(treatments=tuple(members), controls=controls, scope=h.scope, family=h.family, margin=margin)
