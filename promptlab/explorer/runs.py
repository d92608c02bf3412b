"""Runs: what ran, and can it be trusted? One row for each run.

Rows come from manifests, and from each frozen plan once for what it asks of the models; trials are never read, so that hundreds of runs
are quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.explorer import plain, take
from promptlab.explorer.filters import Filters, open_run
from promptlab.explorer.load import again_every, opened
from promptlab.nouns import UNREADABLE, VERDICTS, Manifest, PromptlabError, as_sent, merged, readable
from promptlab.nouns.words import counted
from promptlab.record.store import frozen_plan
from promptlab.reporting.prepared import Stamp, Store, is_kept, place, stamp
from promptlab.reporting.table import Table
from promptlab.stats import points

LIVE_S = 3.0
OPENED = "runs_opened"
COLUMNS = ("run", "state", "SIMULATED", "question", "best arm", "trials", "errors", "cost", "when", "warnings", "models", "updated", "name")
DRAWN = ("run", "best arm", "state", "warnings", "SIMULATED", "question", "errors", "cost", "when", "trials", "models", "updated", "name")
"""The same, in the order of the page: what a narrow screen shows comes first."""
ABOUT = (
    "Newest first. A warning is something that may spoil a comparison or that is still open; "
    "no warning means only that nothing of the kind is recorded. The best arm is known once a run was opened. Click a row to open its run."
)
UNREADABLE_NOTE = "The same sweep command completes a run; promptlab runs repair repairs what is damaged."
Row = dict[str, Any]


def render(found: Mapping[str, Path], filters: Filters) -> None:
    """Show the page; while a sweep runs its row is drawn again every 3 seconds."""
    if not found:
        _nothing()
        return
    read = [tables(found, filters)]
    live = "running" in set(read[0][0].frame["state"])

    def draw() -> None:
        runs, warned, broken = read.pop() if read else tables(found, filters)
        if live and "running" not in set(runs.frame["state"]):
            st.rerun()  # nothing is left to wait for
        _draw(runs, warned, broken)

    again_every(LIVE_S if live else None, draw)


def _nothing() -> None:
    plain.html('<h1 class="pl-h1">No runs yet</h1>')
    st.caption("This makes one in about a minute, without a key and at no cost:")
    st.code("promptlab sweep quickstart", language=None)
    st.caption("If your runs are elsewhere:")
    st.code("promptlab view --runs FOLDER", language=None)


def tables(found: Mapping[str, Path], filters: Filters) -> list[Table]:
    """The runs, their warnings one by one, and those that cannot be read with the reason. `found` holds run folders by name."""
    del filters  # every run is shown
    rows, broken = _read(found)
    frame = pd.DataFrame([{**row, "warnings": "; ".join(row["warnings"])} for row in rows], columns=list(COLUMNS))
    each = [{"run": row["run"], "warning": warning} for row in rows for warning in row["warnings"]]
    return [
        Table("Runs", ABOUT, frame),
        Table("Warnings one by one", "", pd.DataFrame(each, columns=["run", "warning"])),
        Table("Runs that cannot be read", UNREADABLE_NOTE, pd.DataFrame(broken, columns=["run", "reason"])),
    ]


def _draw(runs: Table, warned: Table, broken: Table) -> None:
    plain.html('<h1 class="pl-h1">Runs</h1>')
    if runs.frame.empty:
        st.caption("None of the runs here can be read.")
    else:
        plain.line(runs.note)
        _choosable(_drawn(runs.frame), "runs")
        take.frame(runs.frame, "runs")
    if not warned.frame.empty:
        take.folded("Warnings one by one", warned, "warnings")
    if not broken.frame.empty:
        st.header("Runs that cannot be read")
        plain.line(broken.note)
        _choosable(broken.frame, "unreadable")


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as the page has room for: prices without what another column says, and warnings by number, for they are below it."""
    n_warnings = [len(said.split("; ")) if said else 0 for said in frame["warnings"]]
    shown = frame.loc[:, [name for name in DRAWN if name != "SIMULATED" or frame[name].any()]]
    return shown.assign(
        question=[plain.cell(said, 40) for said in frame["question"]],
        cost=[str(said).partition(" in simulated prices")[0] for said in frame["cost"]],
        warnings=[str(n or "") for n in n_warnings],
    )


def _choosable(frame: pd.DataFrame, name: str) -> None:
    names = frame["run"].tolist()
    n_opened = int(st.session_state.get(OPENED, 0))

    def choose(row: int, _: str) -> None:
        st.session_state[OPENED] = n_opened + 1
        open_run(names[row])

    plain.choosable(
        frame, f"runs/{name}/{n_opened}", choose, widths=_widths(frame), alt=f"{name}: a click opens a run"
    )  # a new table each time, so that the same row can be clicked again


def _widths(frame: pd.DataFrame) -> dict[str, int]:
    """Pixels that hold every name, up to a limit."""
    lengths = {name: max(map(len, frame[name].astype(str)), default=0) for name in ("run", "best arm") if name in frame}
    return {name: min(240, 28 + 7 * max(n, len(name))) for name, n in lengths.items()}


def _read(found: Mapping[str, Path]) -> tuple[list[Row], list[Row]]:
    """A row for each run, and name and reason of those that cannot be read."""
    rows, broken = list[Row](), list[Row]()
    for name, folder in found.items():
        try:
            with readable(f"{folder / 'manifest.json'}: not complete"):
                run = opened(folder)
                row = row_of(name, run.state, run.manifest, _asked(folder))
            rows.append({**row, "best arm": _best(folder)})
        except PromptlabError as error:
            broken.append({"run": name, "reason": str(error)})
    return sorted(rows, key=lambda row: str(row["updated"]), reverse=True), broken


def row_of(name: str, state: str, manifest: Manifest, asked: Mapping[str, Mapping[str, Any]]) -> Row:
    """One row, its warnings as a list; `asked` holds the sampling parameters that the plan asks of each model.

    Raises KeyError where the manifest lacks something.
    """
    counts = manifest.counts
    models, simulated = list(manifest.models), list(manifest.simulated_models)
    mark = "" if not simulated else "SIMULATED" if len(simulated) >= len(models) else f"SIMULATED: {', '.join(simulated)}"
    return {
        "run": name, "state": state, "SIMULATED": mark, "warnings": warnings(manifest, asked),
        "question": manifest.question or "none stated", "name": manifest.name or "none", "models": ", ".join(models) or "unknown",
        "trials": f"{int(counts.done):,} of {int(counts.planned):,}", "errors": int(counts.errors),
        "cost": manifest.paid,
        "when": ago(str(manifest.updated_at), datetime.now(UTC)),
        "updated": str(manifest.updated_at).replace("T", " ").replace("+00:00", " UTC"),
    }  # fmt: skip


def ago(at: str, now: datetime) -> str:
    """How long ago, in the largest unit that fits; the text itself where it is not a time."""
    try:
        then = datetime.fromisoformat(at)
        seconds = (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds()
    except ValueError:
        return at
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:,.0f} {unit} ago"
    return "now"


def warnings(manifest: Manifest, asked: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What may spoil a comparison or is still open, in words."""
    waiting, unpriced = manifest.batches.get("waiting_trials"), manifest.counts.unpriced
    effective = {} if manifest.imported else manifest.effective  # what an imported run asked for is not known
    differ = {model: differences(asked.get(model), sent) for model, sent in effective.items()}
    return [
        *manifest.several_versions,
        *(f"{model}: {', '.join(differs)}" for model, differs in differ.items() if differs),
        *([f"{counted(waiting, 'trial', 'waits')} in {counted(manifest.batches['open'], 'batch')}"] if waiting else ()),
        *(f"the provider of {model} stopped: {why}" for model, why in manifest.stopped.items()),
        *([f"the price of {counted(unpriced, 'call')} is unknown"] if unpriced else ()),
        *([str(manifest.budget_reached)] if manifest.budget_reached else ()),
        *(["imported: nothing was fixed before the results were there"] if manifest.imported else ()),
    ]


def differences(asked: Mapping[str, Any] | None, sent: Mapping[str, Any]) -> list[str]:
    """Where what was sent is not what the plan asked for; a parameter that only has another name at the provider is no difference."""
    if asked is None:
        return []
    asked = {key: value for key, value in asked.items() if value not in ({}, None)}
    extra = {key: value for key, value in sent.items() if key not in asked}
    found = []
    for key, value in asked.items():
        renamed = next((other for other in extra if key not in sent and extra[other] == value), None)
        if renamed is not None:
            del extra[renamed]
        elif key not in sent:
            found.append(f"{key} {value} was requested and not sent")
        elif sent[key] != value:
            found.append(f"{key} {value} was requested and {sent[key]} sent")
    return found + [f"{key} {value} was sent and not requested" for key, value in extra.items()]


def _asked(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """The sampling parameters that the plan asks of each model; empty where the plan cannot be read."""
    try:
        stat = (folder / "plan.json").stat()
        return _planned(str(folder), stat.st_mtime_ns, stat.st_size)
    except UNREADABLE:
        return {}


def _best(folder: Path) -> str:
    """The arm with the largest gain over what is in use, by the first model; empty where the run is not prepared as it is now."""
    try:
        kept_at = (place(folder) / "judged.json").stat().st_mtime_ns
        return _leading(str(folder), kept_at, stamp(folder))
    except (OSError, PromptlabError):
        return ""


@st.cache_data(max_entries=500, show_spinner=False)
def _leading(folder: str, kept_at: int, at: Stamp) -> str:
    """Read once for each state of the run."""
    from promptlab.explorer.results import TODAY, arm_rows, leading
    from promptlab.reporting.prepared import ACROSS

    del kept_at, at  # only parts of the key
    if not is_kept(Path(folder)):
        return ""
    store = Store.of(Path(folder))
    best, _ = leading(arm_rows(store, ACROSS if ACROSS in store.summaries else store.models[0], TODAY))
    return "" if best is None or best.verdict is None else f"{VERDICTS[best.verdict].sign} {best.arm} {points(best.diff)}"


@st.cache_data(max_entries=5_000, show_spinner=False)
def _planned(folder: str, changed_at: int, size: int) -> dict[str, dict[str, Any]]:
    """What is frozen in the plan is read once."""
    del changed_at, size  # only parts of the key
    plan, _ = frozen_plan(Path(folder))
    return {
        model.name: as_sent(merged({"seed": plan.seed} if model.simulated else {}, plan.sampling, model.sampling)) for model in plan.models
    }
