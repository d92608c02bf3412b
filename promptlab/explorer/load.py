"""Run folders as the pages see them: read once per state of the folder, never more often than needed while a sweep writes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from promptlab.errors import PromptlabError, RunProblem
from promptlab.report import Report, build
from promptlab.schema import AA_ARM, NONE_ARM, Comparison
from promptlab.stats.sentences import setting_words
from promptlab.store import Run, runs_in

RIGHT = 0.5
"""An answer counts as right from this score on; graded metrics give scores in between."""
REREAD_S = 15.0
UNREADABLE = (PromptlabError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What a damaged run folder can raise on its way through the reader and the analysis."""
Stamp = tuple[tuple[str, int, int], ...]
Setting = tuple[str, int, str]


@dataclass(frozen=True)
class View:
    """One run, ready for a page. `trials` has `input` and `targets` of the item beside the columns of the trials frame."""

    folder: Path
    report: Report
    trials: pd.DataFrame
    read_at: str

    @property
    def plan(self) -> Mapping[str, Any]:
        plan: Mapping[str, Any] = self.report.plan
        return plan

    @property
    def manifest(self) -> Mapping[str, Any]:
        manifest: Mapping[str, Any] = self.report.manifest
        return manifest

    @property
    def simulated(self) -> bool:
        return bool(self.manifest.get("simulated", False))

    @property
    def models(self) -> list[str]:
        return [str(model["name"]) for model in self.plan["models"]]

    @property
    def tasks(self) -> list[str]:
        return [str(task["task"]) for task in self.plan["tasks"]]

    @property
    def arms(self) -> dict[str, Mapping[str, Any]]:
        """The arms of the plan by name: role, text, words."""
        return {str(arm["arm"]): arm for arm in self.plan["arms"]}

    @property
    def stimuli(self) -> list[str]:
        return [name for name, arm in self.arms.items() if arm["role"] in ("stimulus", "loop")]

    @property
    def controls(self) -> list[str]:
        """The controls that were planned, neutral sentences and neutral feedback first."""
        return self.report.controls or ["none"]

    @property
    def settings(self) -> dict[str, Setting]:
        """Placement, shots and strategy by the words that name them."""
        found = [(str(s["placement"]), int(s["shots"]), str(s["strategy"])) for s in self.plan["settings"]]
        return {setting_words(*setting): setting for setting in found}

    def arm_words(self) -> dict[str, str]:
        """How each arm is shown in a list: its name and the beginning of its text."""
        words = {}
        for name, arm in self.arms.items():
            if name == NONE_ARM:
                words[name] = f"{name}: the prompt without any added text"
            elif name == AA_ARM:
                words[name] = f"{name}: the same again, to see how much answers vary by themselves"
            else:
                kind = " (neutral)" if arm["role"] == "placebo" else ""
                words[name] = f"{name}{kind}: {arm['text']}"
        return words

    def comparisons(self, model: str, setting: Setting, control: str | None, scopes: Sequence[str]) -> list[Comparison]:
        """The planned comparisons of one model and setting, in the plan's order."""
        return [
            c
            for c in self.report.comparisons
            if c.model == model
            and (c.placement, c.shots, c.strategy) == setting
            and (control is None or c.control == control)
            and c.scope in scopes
        ]

    def of(self, model: str, setting: Setting, task: str | None = None) -> pd.DataFrame:
        """The trials of one model and setting, and of one task where it is given."""
        t = self.trials
        rows = (t["model"] == model) & (t["placement"] == setting[0]) & (t["shots"] == setting[1]) & (t["strategy"] == setting[2])
        return t[rows if task is None else rows & (t["task"] == task)]

    def calls(self, trial: str) -> pd.DataFrame:
        """The calls of one trial; damage in the folder is a RunProblem."""
        try:
            return Run(self.folder).calls_of(trial)
        except UNREADABLE as error:
            raise RunProblem(f"{self.folder / 'calls'}: the calls of trial {trial} cannot be read ({first_line(error)})") from None


def folders(runs: Path) -> dict[str, Path]:
    """Run folders by name, newest first; then those that look like one and have no manifest."""
    found = {path.name: path for path in runs_in(runs)}
    if runs.is_dir():
        for path in sorted(runs.iterdir()):
            if path.name not in found and any((path / name).exists() for name in ("plan.json", "trials", "journal.jsonl")):
                found[path.name] = path
    return found


def opened(folder: Path) -> Run:
    """The run's folder with its manifest read; any damage is a RunProblem."""
    try:
        run = Run(folder)
        str(run.state)
    except PromptlabError:
        raise
    except UNREADABLE as error:
        raise RunProblem(f"{folder / 'manifest.json'}: not a run's manifest ({type(error).__name__}: {first_line(error)})") from None
    return run


def stamp(folder: Path) -> Stamp:
    """What the folder holds now: names, times and sizes of everything that a page reads."""
    names = ["manifest.json", "plan.json", "items.parquet", "journal.jsonl"]
    paths = [*(folder / name for name in names), *sorted(folder.glob("trials/part-*")), *sorted(folder.glob("calls/part-*"))]
    found = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            continue  # between two reads a journal becomes a part
        found.append((str(path.relative_to(folder)), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def open_view(folder: Path) -> View:
    """The run as it is now; of a run in progress the last reading, unless that is older than 15 seconds."""
    now = stamp(folder)
    kept: tuple[str, float, Stamp] | None = st.session_state.get("reading")
    if kept and kept[0] == str(folder) and now != kept[2] and time.monotonic() - kept[1] < REREAD_S and opened(folder).state == "running":
        now = kept[2]
    else:
        st.session_state["reading"] = (str(folder), time.monotonic(), now)
    try:
        return _read(str(folder), now)
    except PromptlabError:
        raise
    except UNREADABLE as error:
        raise RunProblem(f"{folder}: not a complete run ({type(error).__name__}: {first_line(error)})") from None


def read_again() -> None:
    """Forget the last reading, so that the next one is fresh."""
    st.session_state.pop("reading", None)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 200 characters."""
    return (str(error).splitlines() or [""])[0][:200]


@st.cache_data(max_entries=4, show_spinner="Reading the run")
def _read(folder: str, at: Stamp) -> View:
    del at  # only part of the key
    run = Run(Path(folder))
    items = run.items()
    items = items.assign(targets=items["targets"].map(lambda targets: json.dumps(targets, ensure_ascii=False)))
    report = build(run)
    trials = report.trials.merge(items[["suite", "task", "item", "input", "targets"]], on=["suite", "task", "item"], how="left")
    return View(Path(folder), report, trials, time.strftime("%H:%M:%S UTC", time.gmtime()))
