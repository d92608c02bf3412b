"""Every choice lives in the URL: a widget shows what the address says, and changing it changes the address.

A value that the run does not know is ignored and noted. The address holds every choice that is not what the page begins with, so
that copying it copies the view. Model, layout and control stay chosen on the way to another page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from promptlab.explorer import plain
from promptlab.nouns import CONTROLS, Setting
from promptlab.reporting.prepared import Store

NAMES = (
    "run", "view", "show", "more", "which", "of", "model", "setting", "control", "task", "a", "b", "items", "item",
    "arm", "outcome", "result", "find", "n", "trial", "loop", "paper", "as", "other", "model_b", "sort", "by",
    "over", "per_task", "repeats", "effect", "flips", "again", "accuracy", "n_tasks", "n_stimuli", "comparisons",
    "asked", "per_stimulus", "under_way", "family", "part", "role", "suite", "sentence", "exercise", "prompt",
    "layout", "shots", "three", "prompt_a", "prompt_b", "setting_b",
)  # fmt: skip
OF_A_RUN = tuple(name for name in NAMES if name != "run")
LONGEST = 300
MOVED = "moved"
KEPT = ("model", "setting", "control")
"""Choices that hold on every page of a run."""
GOTO = "goto"
"""The run that a callback asks to open."""
AHEAD = "ahead"
"""What callbacks have changed and the address does not say yet; None for what they took out."""
Number = TypeVar("Number", int, float)
Default = TypeVar("Default", bound="str | None")
WIDGETS = {"pick": "selectbox", "switch": "segmented_control", "search": "text_input", "number": "number_input"}
Place = DeltaGenerator | None
"""Where a widget is drawn: a column, or the page itself."""


class Filters:
    """The query string of one rerun, with a widget for every choice; or the values `given`, and then nothing is drawn."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = given
        self.drawn = given is None
        self.notes: list[str] = []
        self._shown: dict[str, str] = {}

    def columns(self, n: int) -> Sequence[Place]:
        """`n` places next to each other to draw widgets in."""
        return st.columns(n) if self.drawn else [None] * n

    def folded(self, label: str) -> Place:
        """A place that a click opens."""
        return st.popover(label) if self.drawn else None

    def get(self, name: str) -> str | None:
        """The raw value, cut to a sane length."""
        if self._given is not None:
            value = self._given.get(name)
        else:
            ahead: Mapping[str, str | None] = st.session_state.get(AHEAD, {})
            value = ahead[name] if name in ahead else st.query_params.get(name)
        return value[:LONGEST] if value else None

    def choice(self, name: str, options: Collection[str], default: Default) -> str | Default:
        """The value if it is among the options, else the default and a note; no widget."""
        value = self.get(name)
        if value is not None and value not in options:
            self.notes.append(f"{name}={value}")
            value = None
        found = default if value is None else value
        if found is not None and found != default:
            self._shown[name] = found
        return found

    def pick(
        self, label: str, name: str, options: Collection[str], default: str, words: Mapping[str, str] | None = None,
        drops: Sequence[str] = (), place: Place = None, **widget: object,
    ) -> str:  # fmt: skip
        """A select box over options that come from a run; `words` says how each is shown, `drops` what a change forgets."""
        value = self.choice(name, options, default)
        shown = {option: plain.cell((words or {}).get(option, option), 120) for option in options}
        how = {"label": label, "options": list(options), "format_func": lambda option: shown[option], **widget}
        self._draw(place, "pick", name, value, drops, **how)
        return value

    def switch(
        self, label: str, name: str, words: Mapping[str, str], default: str, drops: Sequence[str] = (), *, seen: bool = False
    ) -> str:
        """A row of buttons over options that this package names itself; `seen`: with its label above it."""
        value = self.choice(name, words, default)
        self._draw(
            None, "switch", name, value, drops, label=label, options=list(words), required=True,
            format_func=lambda option: plain.label(words[option]), label_visibility="visible" if seen else "collapsed",
        )  # fmt: skip
        return value

    def search(self, label: str, name: str, placeholder: str, drops: Sequence[str] = (), place: Place = None) -> str:
        """A line of text to look for."""
        value = self.get(name) or ""
        if value:
            self._shown[name] = value
        self._draw(place, "search", name, value, drops, label=label, placeholder=placeholder, max_chars=LONGEST)
        return value

    def number(
        self, label: str, name: str, low: Number, high: Number, default: Number, drops: Sequence[str] = (), place: Place = None
    ) -> Number:
        """A box for a number from `low` to `high`; whole numbers where the default is one, else steps of a half."""
        given, value = self.get(name), default
        if given is not None:
            try:
                asked = type(default)(given)
            except (ValueError, OverflowError):
                asked = None
            if asked is not None and low <= asked <= high:
                value = asked
            else:
                self.notes.append(f"{name}={given}")
        if value != default:
            self._shown[name] = f"{value:.10g}"
        steps = {"step": 1} if isinstance(value, int) else {"step": 0.5, "format": "%g"}
        self._draw(place, "number", name, value, drops, label=label, min_value=low, max_value=high, **steps)
        return value

    def page_number(self, name: str, n_pages: int, drops: Sequence[str] = ()) -> int:
        """Which page of `n_pages`, counted from 1."""
        value = int(self.choice(name, [str(i) for i in range(1, n_pages + 1)], "1"))
        if n_pages > 1 and self.drawn:
            drop = dict.fromkeys(drops)
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Previous page", disabled=value == 1, on_click=go, kwargs={**drop, name: str(value - 1)})
                st.button("Next page", disabled=value == n_pages, on_click=go, kwargs={**drop, name: str(value + 1)})
                st.text(f"Page {value:,} of {n_pages:,}", width="content")
        return value

    def _draw(self, place: Place, kind: str, name: str, value: object, drops: Sequence[str], **widget: object) -> None:
        if self.drawn:
            key = f"{kind}_{name}"
            st.session_state[key] = value
            getattr(place or st, WIDGETS[kind])(key=key, on_change=_write, args=(key, name, tuple(drops)), **widget)

    def carried(self, run: str | None) -> dict[str, str]:
        """What an address of another page carries: the run, and the choices that hold on every page."""
        found = {name: value for name in KEPT if (value := self.get(name)) is not None}
        if run is not None:
            self._shown["run"] = found["run"] = run
        return found

    def settle(self) -> None:
        """Put what was chosen into the address, all at once: one action is one step of the browser's Back; ignored values leave it."""
        now = st.query_params.to_dict()
        ahead: Mapping[str, str | None] = st.session_state.pop(AHEAD, {})
        there = {name: value for name, value in {**now, **ahead}.items() if value is not None}
        kept = {name: value for name, value in there.items() if name in NAMES and f"{name}={value[:LONGEST]}" not in self.notes}
        wanted = {**kept, **self._shown}
        if wanted != now:
            st.query_params.from_dict(wanted)


def go(**values: str | None) -> None:
    """Change the address from a button, as the next drawing will: None takes a value out."""
    st.session_state[MOVED] = True
    st.session_state[AHEAD] = {**st.session_state.get(AHEAD, {}), **values}


def open_run(name: str) -> None:
    """Look at a run from its first page; for callbacks."""
    go()
    st.session_state[GOTO] = name


def moved() -> bool:
    """Whether a widget has changed the address since the last call of this; a part of a page that is drawn alone must know."""
    return bool(st.session_state.pop(MOVED, False))


def _write(key: str, name: str, drops: tuple[str, ...]) -> None:
    value = st.session_state[key]
    go(**dict.fromkeys(drops), **{name: str(value) if value not in (None, "") else None})


# The choices that several pages share.

OF_A_DRAWER = ("items", "item", "trial", "arm", "of")
OF_A_PAIR = ("items", "item", "of", "trial", "n")


def model_of(store: Store, filters: Filters, place: Place = None) -> str:
    """Which model."""
    if len(store.models) == 1 and filters.drawn:
        return store.models[0]
    words = {m.name: f"{m.name} (SIMULATED)" if m.simulated else m.name for m in store.plan.models}
    return filters.pick("Model", "model", store.models, store.models[0], words, drops=(*OF_A_PAIR, "model_b"), place=place)


def control_of(store: Store, filters: Filters, place: Place = None) -> str:
    """What the stimuli are measured against."""
    words = {name: wording.phrase for name, wording in CONTROLS.items()}
    today = "none" if "none" in store.controls else store.controls[0]
    return filters.pick("Measured against", "control", store.controls, today, words, place=place)


def setting_of(store: Store, filters: Filters, place: Place = None) -> Setting:
    """Placement, shots and strategy; no choice where the run has one setting only."""
    names = list(store.settings)
    if len(names) == 1 and filters.drawn:
        return store.settings[names[0]]
    return store.settings[filters.pick("Prompt layout", "setting", names, names[0], drops=(*OF_A_PAIR, "setting_b"), place=place)]


def task_of(store: Store, filters: Filters, place: Place = None) -> str:
    """Which task."""
    return filters.pick("Task", "task", store.tasks, store.tasks[0], drops=OF_A_PAIR, place=place)


def choose(store: Store, filters: Filters) -> tuple[str, str, Setting]:
    """Model, control and setting, side by side; each is drawn only where there is a choice."""
    several = [not filters.drawn or n > 1 for n in (len(store.models), len(store.controls), len(store.settings))]
    places = iter(filters.columns(3))
    model = model_of(store, filters, next(places)) if several[0] else store.models[0]
    control = control_of(store, filters, next(places)) if several[1] else store.controls[0]
    return model, control, setting_of(store, filters, next(places) if several[2] else None)
