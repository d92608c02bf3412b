"""The frame around every page: the bar of pages, which run, how far it is, and one menu of downloads.

The bar is made of links of our own, because those of `st.navigation` drop the run and the model from the address.

Also what a page shows, as tables for the terminal and for files: `promptlab report RUN --page NAME`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from promptlab.explorer import load, plain, take
from promptlab.explorer.filters import GOTO, NAMES, OF_A_RUN, Filters, moved
from promptlab.explorer.load import kept_fresh, unreadable
from promptlab.nouns import Manifest, PromptlabError, RunProblem, UsageProblem, counted, did_you_mean, readable
from promptlab.record.store import Run
from promptlab.reporting import written
from promptlab.reporting.build import failed_words
from promptlab.reporting.formats import neutral, section
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table

LIVE_S = 3.0
LOADING_PX = 380
"""The height of the placeholder that a page shows while its run is read."""
ICON = str(Path(__file__).with_name("icon.svg"))
STATES = {
    "running": "running",
    "complete": "complete",
    "incomplete": "incomplete: some calls failed; the same sweep command sends them again",
    "budget": "stopped at its budget",
    "interrupted": "interrupted; the same sweep command continues from here",
    "failed": "failed; the same sweep command continues from here",
}


class PageOf(NamedTuple):
    """A page: its label in the bar, its icon, and its module here."""

    label: str
    icon: str
    module: str


PAGES: Mapping[str, PageOf] = {
    "results": PageOf("Results", ":material/leaderboard:", "results"),
    "tasks": PageOf("Tasks", ":material/grid_on:", "tasks"),
    "answers": PageOf("Answers", ":material/rule:", "answers"),
    "cost": PageOf("Cost", ":material/payments:", "cost"),
    "design": PageOf("Design", ":material/lock:", "design"),
    "plan": PageOf("Plan", ":material/calculate:", "plan"),
    "runs": PageOf("Runs", ":material/folder:", "runs"),
}
"""By the page's name in the address."""
EARLIER: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "overview": ("results", {}),
    "replication": ("results", {"more": "replication"}),
    "matrix": ("tasks", {}),
    "loops": ("tasks", {"view": "rounds"}),
    "compare": ("answers", {"view": "pairs"}),
    "samples": ("answers", {"view": "all"}),
    "library": ("plan", {"view": "texts"}),
    **{name: (name, {}) for name in ("results", "tasks", "answers", "cost", "design", "plan", "runs")},
}
"""Where pages of earlier addresses (`?page=matrix`) are now."""
TABLES: Mapping[str, str] = {
    **{name: page.module for name, page in PAGES.items()}, "overview": "results", "matrix": "tasks", "replication": "replication",
    "loops": "loops", "library": "library", "compare": "pairs", "samples": "singles", "pairs": "pairs", "grid": "grid",
    "singles": "singles",
}  # fmt: skip
"""What `--page` takes: pages and their sections, by their module."""
OF_ALL_RUNS = "runs"
WHOLLY_LIVE = ("cost", "design")
"""Pages that are drawn again as a whole while a sweep continues; others renew parts of themselves."""
STYLE = (
    "<style>:root {{{colours}}}\n"
    + Path(__file__).with_name("frame.css").read_text(encoding="utf-8").rstrip().replace("{", "{{").replace("}", "}}")
    + " {diff}</style>"
)


def page_module(page: str) -> Any:  # noqa: ANN401 (a module)
    """The module of a page or section, imported when it is first shown: it has `render` and, where it shows frames, `tables`."""
    return importlib.import_module(f"{__package__}.{TABLES[page]}")


def dress() -> None:
    """Give the page its style."""
    from promptlab.reporting.diff import DIFF_CSS

    plain.html(STYLE, colours=plain.palette().css(), diff=DIFF_CSS)


def show(run: Path | None, runs: Path) -> None:
    """The whole screen, for one run folder or for all below `runs`."""
    st.set_page_config(page_title="promptlab", page_icon=ICON, layout="wide")  # first: the icons of pages are asked of the internet
    moved()  # the whole page is drawn now
    dress()
    found = {run.resolve().name: run} if run else load.folders(runs)
    filters = Filters()
    take.begin()
    bar, strip = st.container(horizontal=True, key="pages"), st.container(horizontal=True, vertical_alignment="center", key="strip")
    name = next(iter(found), None)
    if len(found) > 1:
        name = filters.pick("Run", "run", found, name or "", drops=OF_A_RUN, place=strip, width=320, label_visibility="collapsed")
    first = "results" if name else "runs"
    pages = {
        key: st.Page(
            partial(_page, key, name, found, filters, strip), title=page.label, icon=page.icon, url_path="" if key == first else key,
            default=key == first,
        )
        for key, page in PAGES.items()
    }  # fmt: skip
    chosen = st.navigation(list(pages.values()), position="hidden")
    _elsewhere(pages)
    carried = filters.carried(name if len(found) > 1 else None)
    opened_run = _opened(found.get(name or ""))
    holds = _worth(opened_run, run is not None)
    with bar:
        for key, page in pages.items():
            if name and (key in holds or page is chosen):
                st.page_link(page, query_params=carried)
    st.set_page_config(page_title=f"{chosen.title} · {plain.cell(name or 'promptlab', 80)}", page_icon=ICON, layout="wide")
    notes = st.container()
    try:
        chosen.run()
    except RunProblem as error:
        unreadable(error)
    with strip:
        if "answers" in holds and chosen is not pages[OF_ALL_RUNS] and opened_run.manifest.counts.errors:
            st.page_link(pages["answers"], label="Read what failed", query_params={**carried, "view": "all", "outcome": "error"})
        take.menu(found.get(name or ""))
    filters.settle()
    with notes:
        _say_notes(filters.notes)


def _elsewhere(pages: Mapping[str, Any]) -> None:
    """Follow a callback to its run, and an address of an earlier version to where its page is now."""
    if (run := st.session_state.pop(GOTO, None)) is not None:
        st.switch_page(pages["results"], query_params={"run": run})
    if (earlier := st.query_params.get("page") or "") in EARLIER:
        page, more = EARLIER[earlier]
        kept = {name: value for name, value in st.query_params.to_dict().items() if name != "page"}
        st.switch_page(pages[page], query_params={**kept, **more})


def _opened(folder: Path | None) -> Any:  # noqa: ANN401 (a Run, or None)
    try:
        return load.opened(folder) if folder else None
    except PromptlabError:
        return None


def _worth(run: Any, alone: bool) -> set[str]:  # noqa: ANN401
    """The pages that have something to show."""
    holds = {"results", "design", "plan"} | (set() if alone else {"runs"})
    try:
        if run is not None and run.manifest.counts.done:
            plan = (run.folder / "plan.json").stat()
            holds |= {"answers", "cost"} | ({"tasks"} if _has_tasks(run.folder, (plan.st_mtime_ns, plan.st_size, plan.st_ino)) else set())
    except (PromptlabError, AttributeError, TypeError, OSError):
        return holds  # the page says what is wrong with the run
    return holds


@lru_cache(maxsize=64)
def _has_tasks(folder: Path, at: tuple[int, ...]) -> bool:
    """Whether a run has tasks to compare, or loops: asked by every page, and a long plan takes a tenth of a second to read."""
    del at  # when the plan was written: only a part of the key
    plan = Run(folder).plan
    return len(plan.tasks) > 1 or bool(plan.looped)


def _page(key: str, name: str | None, found: Mapping[str, Path], filters: Filters, strip: Any) -> None:  # noqa: ANN401 (a container)
    if key == OF_ALL_RUNS or (name is None and key != "plan"):
        with strip:
            plain.html("<div></div>")  # takes the room of the badges
        page_module(OF_ALL_RUNS).render(found, filters)
        return
    if name is None:
        page_module(key).render(None, filters)
        return
    folder = found[name]
    run = load.opened(folder)
    if key != "plan" or filters.get("view") != "texts":
        take.answers_of(run.manifest)
    live = run.state == "running"
    status(run.state, run.manifest)  # raises on a manifest that lacks something
    with strip:
        _strip(folder, live)
    with st.skeleton(height=LOADING_PX):
        store = load.open_store(folder)
    for said in failed_words(store.report):
        plain.line(said)
    if not store.n_trials:
        st.info("No trial is recorded yet. This page fills as the sweep continues.")
    render: Callable[..., None] = page_module(key).render
    if key in WHOLLY_LIVE:
        kept_fresh(store, lambda newest: render(newest, filters))
    else:
        render(store, filters)


def _strip(folder: Path, live: bool) -> None:
    """Badges; of a run in progress drawn again every 3 seconds."""

    @st.fragment(run_every=LIVE_S if live else None)
    def strip() -> None:
        try:
            run = load.opened(folder)
            found = badges(run.state, run.manifest)
        except PromptlabError:
            st.warning("The run's manifest cannot be read at this moment.")
            return
        drawn = [plain.piece('<span class="{look}">{text}</span>', look=look, text=text) for look, text in found]
        plain.html('<div class="badges" role="status">{all}</div>', all=plain.joined(drawn))
        if live and run.state != "running":
            load.read_again()
            st.rerun()

    strip()


def badges(state: str, manifest: Manifest) -> list[tuple[str, str]]:
    """What there is to know of a run at once: for each badge its look and its words."""
    counts = manifest.counts
    done = f"{int(counts.done):,} of {int(counts.planned):,} answers" if state != "complete" else counted(int(counts.done), "answer")
    share = f" {100 * counts.done / max(1, counts.planned):.0f} %" if state == "running" else ""
    return [
        *([("simulated", "SIMULATED: made-up answers")] if manifest.simulated else ()),
        ("good" if state == "complete" else "warning", f"✓ {state}" if state == "complete" else f"{STATES.get(state, state)}{share}"),
        ("", done),
        *([("warning", f"! {int(counts.errors):,} failed")] if counts.errors else ()),
        *([("", f"{int(counts.cached):,} from the cache")] if counts.cached else ()),
        ("", manifest.paid),
        ("warning", "imported: not planned before the data") if manifest.imported else ("good", "planned before the data"),
    ]


@readable("manifest.json: not complete")
def status(state: str, manifest: Manifest) -> str:
    """How far the run is, in one line; costs that nobody knows are shown as unknown."""
    return "  ·  ".join(text for _, text in badges(state, manifest))


def _say_notes(notes: Sequence[str]) -> None:
    if any(note.startswith("run=") for note in notes):
        st.warning("The address names a run that is not here. Another one is shown.")
    if notes:
        st.caption("The address holds values that are not known here; they are ignored:")
        plain.line(", ".join(plain.cell(note, 80) for note in notes))


def filters_of(given: Sequence[str]) -> dict[str, str]:
    """`name=value` pairs as in the explorer's address; UsageProblem for any other."""
    found = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign:
            raise UsageProblem(f"--where takes name=value, found {pair!r}; the names are those in the explorer's address, such as task=sum")
        if name not in NAMES or name == "run":
            raise UsageProblem(f"the filter {name!r} is not known; {did_you_mean(name, NAMES)}".rstrip("; "))
        found[name] = value
    return found


def page_tables(folder: Path, page: str, given: Mapping[str, str]) -> list[Table]:
    """The tables of a page of one run. UsageProblem for a page that is not there, or a value that the run does not know."""
    if page not in TABLES:
        hint = did_you_mean(page, TABLES) or f"known: {', '.join(map(repr, TABLES))}"
        raise UsageProblem(f"the page {page!r} is not known; {hint}")
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
            parts.append(f'"{neutral(title.replace(chr(34), chr(39)))}"\n' + written(shown.frame, ".csv").decode("utf-8"))
    return "\n".join(parts)
