"""The choices that several pages share: model, control, setting, task."""

from __future__ import annotations

from promptlab.explorer.filters import Filters, Place
from promptlab.nouns.setting import Setting
from promptlab.nouns.wording import CONTROLS
from promptlab.reporting.store import Store

OF_A_PAIR = ("items", "item", "pair", "trial", "n")


def model_of(store: Store, filters: Filters, place: Place = None) -> str:
    """Which model."""
    words = {m.name: f"{m.name} (SIMULATED)" if m.simulated else m.name for m in store.plan.models}
    return filters.pick("Model", "model", store.models, store.models[0], words, drops=OF_A_PAIR, place=place)


def control_of(store: Store, filters: Filters, place: Place = None) -> str:
    """What the stimuli are measured against."""
    words = {name: wording.phrase for name, wording in CONTROLS.items()}
    return filters.pick("Measured against", "control", store.controls, store.controls[0], words, place=place)


def setting_of(store: Store, filters: Filters, place: Place = None) -> Setting:
    """Placement, shots and strategy; no choice where the run has one setting only."""
    names = list(store.settings)
    if len(names) == 1 and filters.drawn:
        return store.settings[names[0]]
    return store.settings[filters.pick("Prompt layout", "setting", names, names[0], drops=OF_A_PAIR, place=place)]


def task_of(store: Store, filters: Filters, place: Place = None) -> str:
    """Which task."""
    return filters.pick("Task", "task", store.tasks, store.tasks[0], drops=OF_A_PAIR, place=place)


def choose(store: Store, filters: Filters) -> tuple[str, str, Setting]:
    """Model, control and setting, side by side."""
    left, middle, right = filters.columns(3)
    return model_of(store, filters, left), control_of(store, filters, middle), setting_of(store, filters, right)
