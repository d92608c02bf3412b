"""The frame around every page: which run, how far it is, SIMULATED, and where to go.

Also what a page shows, as tables for the terminal and for files: `promptlab report RUN --page NAME`.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from promptlab.explorer import load, plain, take
from promptlab.explorer.filters import NAMES, OF_A_RUN, Filters, moved
from promptlab.explorer.load import kept_fresh, unreadable
from promptlab.nouns import Manifest, PromptlabError, RunProblem, UsageProblem, did_you_mean, readable
from promptlab.reporting import written
from promptlab.reporting.build import failed_words
from promptlab.reporting.formats import section
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table

LIVE_S = 3.0
FIRST = "overview"
STATES = {
    "running": "running",
    "complete": "complete",
    "incomplete": "incomplete: some calls failed; the same sweep command asks for them again",
    "budget": "stopped at its budget",
    "interrupted": "interrupted; the same sweep command goes on from here",
    "failed": "failed; the same sweep command goes on from here",
}
PAGES: Mapping[str, tuple[str, str]] = {
    "runs": ("Runs", "runs"),
    "overview": ("Overview", "overview"),
    "matrix": ("Matrix", "matrix"),
    "compare": ("Compare", "compare"),
    "samples": ("Samples", "samples"),
    "loops": ("HEART", "loops"),
    "replication": ("Replication", "replication"),
    "cost": ("Cost and reliability", "cost"),
    "plan": ("Plan", "planning"),
    "design": ("Design", "design"),
    "library": ("Stimuli and tasks", "library"),
}
"""By the page's name in the address: its label, and its file here."""
OF_ALL_RUNS = "runs"
"""The page that is given all run folders instead of one run."""
WITHOUT_A_RUN = ("plan", "library")
"""Pages that show something where there is no run: they are given None."""
WHOLLY_LIVE = ("matrix", "cost", "design")
"""Pages that are drawn again as a whole while a sweep goes on; others renew parts of themselves."""


def page_module(page: str) -> Any:  # noqa: ANN401 (a module)
    """The module of a page, imported when it is first shown: it has `render` and, where the page shows frames, `tables`."""
    return importlib.import_module(f"{__package__}.{PAGES[page][1]}")


def show(run: Path | None, runs: Path) -> None:
    """The whole screen, for one run folder or for all below `runs`."""
    moved()  # the whole page is drawn now
    # A chart that is wider than the screen is scrolled in its own frame, not with the whole page.
    st.html(
        "<style>[data-testid='stFullScreenFrame'] > div:has(> [data-testid='stVegaLiteChart']) {overflow-x: auto}"
        "[data-testid='stFullScreenFrame'] > div::-webkit-scrollbar {height: 10px}"
        "[data-testid='stFullScreenFrame'] > div::-webkit-scrollbar-thumb {background: #888888; border-radius: 5px}</style>"
    )
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    with left:
        st.header("promptlab", anchor=False)
    found = {run.resolve().name: run} if run else load.folders(runs)
    filters = Filters()
    take.answers_of()
    notes = st.container()
    name = filters.pick("Run", "run", found, next(iter(found)), drops=OF_A_RUN, place=right) if found else None
    page = filters.switch("Page", "page", {key: label for key, (label, _) in PAGES.items()}, FIRST, drops=("part",))
    try:
        if name is None and page in WITHOUT_A_RUN:
            page_module(page).render(None, filters)
        elif name is None:
            _nothing(runs)
        elif page == OF_ALL_RUNS:
            page_module(page).render(found, filters)
        else:
            _page(found[name], page, filters)
    except RunProblem as error:
        unreadable(error)
    filters.settle()
    _from_the_top()(data=page, key="top")
    if filters.notes:
        with notes:
            if any(note.startswith("run=") for note in filters.notes):
                st.warning("The address names a run that is not here. Another one is shown.")
            st.caption("The address holds values that are not known here; they are ignored:")
            plain.line(", ".join(plain.cell(note, 80) for note in filters.notes))


@functools.cache
def _from_the_top() -> Callable[..., object]:
    """Another page begins at its top, as a page of any site does; the same page stays where it was scrolled to."""
    return st.components.v2.component(
        "promptlab_top",
        js="""
        let shown;
        export default function (component) {
            if (shown !== undefined && shown !== component.data) {
                document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0);
            }
            shown = component.data;
        }
        """,
    )


def _page(folder: Path, page: str, filters: Filters) -> None:
    opened = load.opened(folder)
    manifest = opened.manifest
    take.answers_of(*([] if page == "library" else [manifest]))
    if manifest.simulated:
        st.warning("SIMULATED: these answers come from a simulated model with planted effects. They say nothing about a real model.")
    live = opened.state == "running"
    status(opened.state, manifest)  # raises on a manifest that lacks something
    _strip(folder, live)
    store = load.open_store(folder)
    for said in failed_words(store.report):
        plain.line(said)
    if not store.n_trials:
        st.info("No trial is recorded yet. This page fills as the sweep goes on.")
    render = page_module(page).render
    if page in WHOLLY_LIVE:
        kept_fresh(store, lambda newest: render(newest, filters))
    else:
        render(store, filters)


def _strip(folder: Path, live: bool) -> None:
    @st.fragment(run_every=LIVE_S if live else None)
    def strip() -> None:
        try:
            run = load.opened(folder)
            plain.line(status(run.state, run.manifest))
        except PromptlabError:
            st.warning("The run's manifest cannot be read at this moment.")
            return
        if live:
            counts = run.manifest.counts
            st.progress(min(1.0, counts.done / max(1, counts.planned)))
            if run.state != "running":
                load.read_again()
                st.rerun()

    strip()


@readable("manifest.json: not complete")
def status(state: str, manifest: Manifest) -> str:
    """How far the run is, in one line; costs that nobody knows are said to be unknown."""
    counts = manifest.counts
    words = [
        STATES.get(state, "in a state that this version does not know"), f"{int(counts.done):,} of {int(counts.planned):,} trials",
        *([f"{int(counts.errors):,} failed"] if counts.errors else ()),
        *([f"{int(counts.cached):,} answers from the cache"] if counts.cached else ()),
        manifest.paid,
    ]  # fmt: skip
    error = f"\nLast error: {plain.clip(str(manifest.last_error), 300)}" if manifest.last_error else ""
    return "  ·  ".join(words) + error


def _nothing(runs: Path) -> None:
    st.subheader("No runs yet", anchor=False)
    plain.line(f"There is no run in {runs}.")
    st.caption("This makes one in about a minute, without a key and at no cost:")
    st.code("promptlab sweep experiments/quickstart.yaml", language=None)
    st.caption("If your runs are elsewhere:")
    st.code("promptlab view --runs FOLDER", language=None)


def filters_of(given: Sequence[str]) -> dict[str, str]:
    """`name=value` pairs as in the explorer's address; UsageProblem for any other."""
    found = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageProblem(f"--where takes name=value, found {pair!r}; the names are those in the explorer's address, such as task=sum")
        if name not in NAMES or name in ("run", "page"):
            raise UsageProblem(f"the filter {name!r} is not known; {did_you_mean(name, NAMES)}".rstrip("; "))
        found[name] = value
    return found


def page_tables(folder: Path, page: str, given: Mapping[str, str]) -> list[Table]:
    """The tables of a page of one run. UsageProblem for a page that is not there, or a value that the run does not know."""
    if page not in PAGES:
        raise UsageProblem(f"the page {page!r} is not known; {did_you_mean(page, PAGES)}".rstrip("; "))
    filters = Filters(given)
    module = page_module(page)
    if page == OF_ALL_RUNS:
        found: list[Table] = module.tables(load.folders(folder.resolve().parent), filters)
    else:
        found = module.tables(Store.of(folder), filters)
    if filters.notes:
        raise UsageProblem(f"the run does not know {', '.join(filters.notes)}; open `promptlab view` to see which values there are")
    return found


def text_of(found: Sequence[Table], format: str, simulated: bool) -> str:  # noqa: A002 (the option's word)
    """The tables as `csv` (one below the other), `json` or `markdown`; text of others is spelled out and runs nowhere."""
    titles = [f"SIMULATED: {shown.title}" if simulated else shown.title for shown in found]
    if format == "json":
        value = [
            {"title": title, "note": shown.note, "rows": json.loads(shown.frame.to_json(orient="records", double_precision=15))}
            for title, shown in zip(titles, found, strict=True)
        ]
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    parts = []
    for title, shown in zip(titles, found, strict=True):
        rows = [[plain.cell(value, 2_000) for value in row] for row in shown.frame.astype(object).values.tolist()]
        if format == "markdown":
            parts.append("\n".join(section(title, shown.note, shown.head, rows)) + "\n")
        else:
            parts.append(f'"{title.replace(chr(34), chr(39))}"\n' + written(shown.frame, ".csv").decode("utf-8"))
    return "\n".join(parts)
