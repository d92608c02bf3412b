"""The frame around every page: which run, how far it is, SIMULATED, and where to go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from promptlab.errors import PromptlabError, RunProblem
from promptlab.explorer import compare, load, loops, matrix, overview, plain, samples
from promptlab.explorer.filters import OF_A_RUN, Filters
from promptlab.explorer.load import Store
from promptlab.gateway.prices import paid_words

LIVE_S = 3.0
PAGES: Mapping[str, tuple[str, Callable[[Store, Filters], None]]] = {
    "overview": ("Overview", overview.render),
    "matrix": ("By task", matrix.render),
    "compare": ("Compare", compare.render),
    "loops": ("Feedback loops", loops.render),
    "samples": ("Answers", samples.render),
}
STATES = {
    "running": "running",
    "complete": "complete",
    "incomplete": "incomplete: some calls failed; the same sweep command asks for them again",
    "budget": "stopped at its budget",
    "interrupted": "interrupted; the same sweep command goes on from here",
    "failed": "failed; the same sweep command goes on from here",
}


def show(run: Path | None, runs: Path) -> None:
    """The whole screen, for one run folder or for all below `runs`."""
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    with left:
        st.header("promptlab", anchor=False)
    found = {run.resolve().name: run} if run else load.folders(runs)
    if not found:
        _nothing(runs)
        return
    filters = Filters()
    notes = st.container()
    names = list(found)
    with right:
        name = filters.pick("Run", "run", names, names[0], drops=OF_A_RUN)
    page = filters.switch("Page", "page", {key: label for key, (label, _) in PAGES.items()}, "overview")
    try:
        _page(found[name], page, filters)
    except RunProblem as error:
        st.error("This run cannot be read.")
        plain.line(error)
        st.caption("Choose another run above, or make this one again: promptlab sweep with the same experiment file completes it.")
    filters.settle()
    if filters.notes:
        with notes:
            st.caption("The address holds values that are not known here; they are ignored:")
            plain.line(", ".join(plain.cell(note, 80) for note in filters.notes))


def _page(folder: Path, page: str, filters: Filters) -> None:
    opened = load.opened(folder)
    manifest = opened.manifest
    if manifest.get("simulated"):
        st.warning("SIMULATED: these answers come from a simulated model with planted effects. They say nothing about a real model.")
    live = opened.state == "running"
    status(opened.state, manifest)  # raises on a manifest that lacks something
    _strip(folder, live)
    store = load.open_store(folder)
    if not store.n_trials:
        st.info("No trial is recorded yet. This page fills as the sweep goes on.")
    PAGES[page][1](store, filters)


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
            counts = run.manifest["counts"]
            st.progress(min(1.0, counts["done"] / max(1, counts["planned"])))
            if run.state != "running":
                load.read_again()
                st.rerun()

    strip()


def status(state: str, manifest: Mapping[str, Any]) -> str:
    """How far the run is, in one line; costs that nobody knows are said to be unknown."""
    try:
        return _status(state, manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise RunProblem(f"manifest.json: not complete ({type(error).__name__}: {load.first_line(error)})") from None


def _status(state: str, manifest: Mapping[str, Any]) -> str:
    counts = manifest["counts"]
    words = [STATES.get(state, "in a state that this version does not know")]
    words.append(f"{int(counts['done']):,} of {int(counts['planned']):,} trials")
    if counts["errors"]:
        words.append(f"{int(counts['errors']):,} failed")
    if counts.get("cached"):
        words.append(f"{int(counts['cached']):,} answers from the cache")
    n_models, n_simulated = len(manifest["models"]), len(manifest["simulated_models"])
    words.append(paid_words(float(manifest["paid_usd"]), int(counts["unpriced"]), n_simulated, n_models))
    text = "  ·  ".join(words)
    if manifest.get("last_error"):
        text += f"\nLast error: {plain.clip(str(manifest['last_error']), 300)}"
    return text


def _nothing(runs: Path) -> None:
    st.subheader("No runs yet", anchor=False)
    plain.line(f"There is no run in {runs}.")
    st.caption("This makes one in about a minute, without a key and at no cost:")
    st.code("promptlab sweep experiments/quickstart.yaml", language=None)
    st.caption("If your runs are elsewhere:")
    st.code("promptlab view --runs FOLDER", language=None)
