"""Progress where a person sees it: a bar on a terminal, a line in a notebook that is updated in place, plain lines, or nothing."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

from promptlab.running.progress import Progress

Place = Literal["terminal", "notebook", "lines", "nowhere"]
Observe = Callable[[Progress], None]
Show = Callable[[Progress, float], None]
"""Shows counts, with the seconds since the start."""
REDRAWN_S = 0.1
LINE_EVERY_S = 5.0
NOTEBOOK_EVERY_S = 0.5


def place_of_python() -> Place:
    """Where Python runs: in a notebook's kernel, on a terminal, or where nobody looks."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and hasattr(ipython.get_ipython(), "kernel"):
        return "notebook"
    return "terminal" if sys.stderr.isatty() else "nowhere"


@contextlib.contextmanager
def watched(place: Place, say: Callable[[str], None] = print) -> Iterator[Observe]:
    """What to call with the counts of a sweep, as often as one likes; `say` prints the plain lines."""
    with contextlib.ExitStack() as until_the_end:
        if place == "terminal":
            show, every_s = until_the_end.enter_context(_bar()), REDRAWN_S
        elif place == "notebook":
            show, every_s = _updated(), NOTEBOOK_EVERY_S
        else:
            show, every_s = (lambda p, seconds: say(_line(p, seconds))) if place == "lines" else (lambda p, seconds: None), LINE_EVERY_S
        started = time.monotonic()
        next_at = started + (every_s if place == "lines" else 0)

        def observe(p: Progress) -> None:
            nonlocal next_at
            now = time.monotonic()
            if now >= next_at or (place != "lines" and _n_recorded(p) >= p.n_planned):
                next_at = now + every_s
                show(p, now - started)

        yield observe


def _n_recorded(p: Progress) -> int:
    return p.n_recorded_before + p.n_done


def _detail(p: Progress, seconds: float) -> str:
    return f"{p.n_done / max(seconds, 1e-6):.0f}/s  ${p.paid_usd:.4f}  {p.n_errors} errors"


def _line(p: Progress, seconds: float) -> str:
    left = (p.n_planned - _n_recorded(p)) / p.n_done * seconds if p.n_done else float("nan")
    return f"{_n_recorded(p):,}/{p.n_planned:,} trials  {_detail(p, seconds)}  about {left:.0f} s left"


@contextlib.contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[detail]}"), TimeRemainingColumn()
    with Bar(*columns, console=Console(stderr=True), refresh_per_second=4) as bar:
        task = bar.add_task("trials", total=None, detail="")
        yield lambda p, seconds: bar.update(task, total=p.n_planned, completed=_n_recorded(p), detail=_detail(p, seconds))


def _updated() -> Show:
    """One output of the cell, as plain text, replaced by the next; the last one holds no time, so that it is the same each time."""
    display: Any = importlib.import_module("IPython.display").display
    handle: Any = None

    def show(p: Progress, seconds: float) -> None:
        nonlocal handle
        whole = _n_recorded(p) >= p.n_planned
        text = f"{p.n_planned:,} of {p.n_planned:,} trials recorded, {p.n_errors:,} errors" if whole else _line(p, seconds)
        shown = {"text/plain": text}
        if handle is None:
            handle = display(shown, raw=True, display_id=True)
        else:
            handle.update(shown, raw=True)

    return show
