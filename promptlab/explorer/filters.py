"""The choices that several pages share: model, control, setting, task."""

from __future__ import annotations

from promptlab.explorer.address import Address
from promptlab.explorer.load import Setting, View
from promptlab.explorer.words import CONTROLS

OF_A_PAIR = ("item", "pair", "trial", "n")


def model_of(view: View, address: Address) -> str:
    """Which model."""
    words = {str(m["name"]): f"{m['name']} (SIMULATED)" if m["simulated"] else str(m["name"]) for m in view.plan["models"]}
    return address.pick("Model", "model", view.models, view.models[0], words, drops=OF_A_PAIR)


def control_of(view: View, address: Address) -> str:
    """What the stimuli are measured against."""
    return address.pick("Measured against", "control", view.controls, view.controls[0], CONTROLS)


def setting_of(view: View, address: Address) -> Setting:
    """Placement, shots and strategy; nothing is shown where the run has one setting only."""
    names = list(view.settings)
    if len(names) == 1:
        return view.settings[names[0]]
    return view.settings[address.pick("Prompt layout", "setting", names, names[0], drops=OF_A_PAIR)]


def task_of(view: View, address: Address) -> str:
    """Which task."""
    return address.pick("Task", "task", view.tasks, view.tasks[0], drops=OF_A_PAIR)
