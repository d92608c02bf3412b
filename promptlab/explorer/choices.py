"""The choices that several pages share: model, control, setting, task."""

from __future__ import annotations

import streamlit as st

from promptlab.explorer.filters import Filters
from promptlab.nouns.setting import Setting
from promptlab.nouns.wording import CONTROLS
from promptlab.reporting.store import Store

OF_A_PAIR = ("items", "item", "pair", "trial", "n")


def model_of(store: Store, filters: Filters) -> str:
    """Which model."""
    words = {m.name: f"{m.name} (SIMULATED)" if m.simulated else m.name for m in store.plan.models}
    return filters.pick("Model", "model", store.models, store.models[0], words, drops=OF_A_PAIR)


def control_of(store: Store, filters: Filters) -> str:
    """What the stimuli are measured against."""
    return filters.pick(
        "Measured against", "control", store.controls, store.controls[0], {name: wording.phrase for name, wording in CONTROLS.items()}
    )


def setting_of(store: Store, filters: Filters) -> Setting:
    """Placement, shots and strategy; nothing is shown where the run has one setting only."""
    names = list(store.settings)
    if len(names) == 1:
        return store.settings[names[0]]
    return store.settings[filters.pick("Prompt layout", "setting", names, names[0], drops=OF_A_PAIR)]


def task_of(store: Store, filters: Filters) -> str:
    """Which task."""
    return filters.pick("Task", "task", store.tasks, store.tasks[0], drops=OF_A_PAIR)


def choose(store: Store, filters: Filters) -> tuple[str, str, Setting]:
    """Model, control and setting, side by side."""
    left, middle, right = st.columns(3)
    with left:
        model = model_of(store, filters)
    with middle:
        control = control_of(store, filters)
    with right:
        return model, control, setting_of(store, filters)


def chosen(store: Store, filters: Filters) -> tuple[str, str, Setting]:
    """Model, control and setting as the address has them, without drawing anything."""
    names = list(store.settings)
    return (
        filters.choice("model", store.models, store.models[0]) or store.models[0],
        filters.choice("control", store.controls, store.controls[0]) or store.controls[0],
        store.settings[filters.choice("setting", names, names[0]) or names[0]],
    )
