"""The page on which one person rates answers: nothing on it names an arm, a model or what a judge thinks."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from promptlab import __version__
from promptlab.explorer import frame, plain
from promptlab.nouns import RunProblem
from promptlab.record.ratings import Rating, add, ratings_of
from promptlab.record.store import Run
from promptlab.reporting.rating import Unit, left, minutes_left, schedule, units
from promptlab.scoring.judged import CHOICES

KEYS: Mapping[Any, str] = {"A": "a", "tie": "t", "B": "b"}
"""Which key says it; the page shows the key next to the words."""
UNSAVED = "unsaved"
"""The key of a session's state that holds why the last rating was not saved."""
WHOLE = sys.maxsize
"""Whoever rates an answer reads all of it."""
WORDS: Mapping[Any, str] = {"A": "A is better", "tie": "Tie", "B": "B is better"}


def show(run: Path, *, rater: str, items: int, arms: Sequence[str] = (), model: str | None = None, mask: bool = False) -> None:
    """The whole screen: the next unit of this rater, until none is left."""
    frame.dress()
    try:
        _page(run, rater, _order(str(run), rater, items, tuple(arms), model, mask))
    except RunProblem as error:
        st.error("The ratings of this run cannot be read.")
        plain.line(error)
    if told := st.session_state.pop(UNSAVED, None):
        st.error("The last rating was not saved.")
        plain.line(told)


def _page(run: Path, rater: str, order: Sequence[Unit]) -> None:
    done = ratings_of(run, rater)
    todo = left(order, done)
    st.progress((len(order) - len(todo)) / max(1, len(order)))
    plain.line(f"{len(order) - len(todo)} of {len(order)}, about {math.ceil(minutes_left(len(todo), done))} min left")
    if not todo:
        st.success("Done. Thank you: every rating is saved, and this page can be closed.")
    else:
        _unit(todo[0], run, rater)
    begun = st.session_state[todo[0].token(rater)]["values"] if todo else {}
    if done or begun:
        st.button("Undo", shortcut="u", on_click=_undo, args=(run, done[-1:], begun), key="undo")
    st.caption("Ratings are saved under a token. Please write no names or other personal data anywhere.")


@st.cache_resource(show_spinner=False)
def _order(run: str, rater: str, items: int, arms: tuple[str, ...], model: str | None, mask: bool) -> list[Unit]:
    return schedule(units(Run(Path(run)), items, arms, model, mask), rater)


def _unit(unit: Unit, run: Path, rater: str) -> None:
    place = unit.token(rater)
    state = st.session_state.setdefault(place, {"since": time.monotonic(), "values": {}})
    st.header("Question", anchor=False)
    plain.box(unit.question, "The question", WHOLE)
    for reference in unit.references:
        st.header("Reference", anchor=False)
        plain.box(reference, "A reference", WHOLE)
    names = ("Answer A", "Answer B") if unit.is_pair else ("Answer",)
    for column, label, answer in zip(st.columns(len(unit.answers)), names, unit.answers, strict=True):
        with column:
            st.header(label, anchor=False)
            plain.box(answer or "(empty)", label, WHOLE)
    choices: Sequence[Any] = CHOICES if unit.is_pair else range(unit.judging.low, unit.judging.high + 1)
    open_ = next((name for name in unit.judging.rubrics if name not in state["values"]), None)
    for name, words in unit.judging.rubrics.items():
        if name:
            plain.line(f"{name}{': ' + str(state['values'][name]) if name in state['values'] else ''}")
        plain.line(words)
        if not unit.is_pair:
            plain.line(f"{unit.judging.low}: worst, {unit.judging.high}: best")
        with st.container(horizontal=True):
            for choice in choices:
                key = KEYS.get(choice, str(choice)) if name == open_ else None
                shortcut = key if key is not None and len(key) == 1 else None
                label = WORDS.get(choice, str(choice))  # numbers and words of our own: no text from outside is ever a label
                button = f"{place}/{name}/{choice}"
                st.button(label, key=button, shortcut=shortcut, on_click=_said, args=(unit, run, rater, name, choice))
    st.button("Cannot judge", shortcut="x", on_click=_keep, args=(unit, run, rater, {}), key=f"{place}/none")


def _said(unit: Unit, run: Path, rater: str, name: str, choice: Any) -> None:  # noqa: ANN401 (a number, or a side)
    if (state := st.session_state.get(unit.token(rater))) is not None:  # else a key that was pressed twice
        state["values"][name] = choice
        if len(state["values"]) == len(unit.judging.rubrics):
            _keep(unit, run, rater, state["values"])


def _keep(unit: Unit, run: Path, rater: str, values: Mapping[str, Any]) -> None:
    if (state := st.session_state.pop(unit.token(rater), None)) is None:
        return
    ms = round(1000 * (time.monotonic() - state["since"]))
    _add(run, unit.rating(rater, values, ms=ms, at=datetime.now(UTC).isoformat(timespec="seconds"), version=__version__))


def _add(run: Path, rating: Rating) -> None:
    """Save a rating; the page tells where that cannot be done, such as in a folder that is gone, and shows the answer again."""
    try:
        add(run, rating)
    except RunProblem as error:
        st.session_state[UNSAVED] = error


def _undo(run: Path, last: Sequence[Rating], begun: dict[str, Any]) -> None:
    """Take back the last rubric of a rating that has begun, else the last rating."""
    if begun:
        begun.popitem()
    else:
        for one in last:
            _add(run, Rating(one.rater, one.unit, one.kind, {}, undone=True))
