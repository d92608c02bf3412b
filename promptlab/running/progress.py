"""How a sweep is run, how far it is, and its manifest, kept true while the run continues.

Progress shows where a person sees it: a bar on a terminal, a line in a notebook that is updated in place, plain lines, or nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import promptlab
from promptlab.nouns import Completion, Manifest, ModelAsked, RunProblem, Spent, Tally, counted, filled, inert
from promptlab.planning.hashes import commit
from promptlab.planning.study import Study
from promptlab.record.registry import registration_of
from promptlab.record.store import Run, RunWriter, now
from promptlab.record.store.reading import Recorded, batches_in
from promptlab.running.cache import Use
from promptlab.running.gateway import WireChoice
from promptlab.running.ledger import Sums


@dataclass(slots=True)
class Progress:
    """Counts of a sweep, read by whoever shows them."""

    n_planned: int
    n_recorded_before: int = 0
    n_done: int = 0
    n_errors: int = 0
    n_cached: int = 0
    n_skipped: int = 0
    """Trials of arms that a planned interim analysis had stopped."""
    n_unpriced: int = 0
    n_not_cached: int = 0
    """Trials that a replay could not answer."""
    first_not_cached: str | None = None
    paid_usd: float = 0.0
    unsure_usd: float = 0.0
    """What failed requests may have cost besides, and answers whose usage is not known."""
    n_sent: int = 0
    last_error: str | None = None
    errors: Counter[str] = field(default_factory=Counter)
    """How often trials failed in each way, by what errors alike begin with."""
    stopped: dict[str, str] = field(default_factory=dict)
    budget_reached: str | None = None
    stalled: str | None = None
    """Why the sweep was given up: no provider answered any more."""
    n_waiting: int = 0
    """Trials whose next answer a batch is to bring."""
    n_batches: int = 0
    """Batches that are not collected."""
    notes: list[str] = field(default_factory=list)
    """What became of batches that did not end well."""
    noted: Mapping[str, str] = field(default_factory=dict)
    """By model: what a reader of its answers must know."""

    def failed(self, error: str | None) -> None:
        """Count a trial that has no score."""
        self.n_errors += 1
        self.last_error = error
        self.errors[kind_of(error)] += 1

    @property
    def n_errors_in_words(self) -> str:
        """How many trials failed, and how most of them did."""
        most = f", mostly {self.errors.most_common(1)[0][0]}" if self.errors else ""
        return f"{counted(self.n_errors, 'error')}{most}"


def kind_of(error: str | None) -> str:
    """What errors alike have in common: where a call failed, its status, and the first words that the provider says."""
    return inert(re.sub(r"\d{4,}|0x[0-9a-f]+", "#", " ".join((error or "unknown").split()))[:KIND_LENGTH])


KIND_LENGTH = 60
COUNTS = ("n_sent", "n_cached", "n_skipped", "n_unpriced", "n_not_cached", "paid_usd", "unsure_usd")
"""What is summed over the workers of a sweep."""
REASONS = ("first_not_cached", "budget_reached", "stalled")
"""What holds for a sweep as soon as one worker says so."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a sweep is run. Nothing in it changes an answer or a score, so none of it is hashed."""

    concurrency: int = 16
    """Calls in flight at once, over all workers."""
    cache: Use = "use"
    wire: WireChoice = "auto"
    max_cost_usd: float | None = None
    """Spent by this run at most, earlier sessions included; the experiment's own budget holds in addition."""
    max_tokens: int | None = None
    """Input and output tokens sent and received at most, earlier sessions included."""
    workers: int = 1
    ray: bool = False
    """Whether the workers are tasks of a Ray cluster instead of processes of this machine."""
    ray_address: str | None = None
    probe: bool = True
    """Whether the first trial of each real model goes alone, before any other."""
    batch: bool = False
    """Whether calls go through the providers' batch APIs."""
    batch_wait_s: float = 0.0
    """For how long batches are waited for."""
    own: Mapping[tuple[str, str], Completion] = field(default_factory=dict)
    """Of a replay: by trial and key what one trial alone had."""
    force: bool = False
    """Whether a run continues that fails its audit."""
    allow_keys: tuple[str, ...] = ()
    """Variables whose values the experiment may send to an address of its own."""


State = Literal["running", "complete", "incomplete", "budget", "interrupted", "failed"]
MANIFEST_EVERY_S = 2.0
EXPERIMENT = "experiment.yaml"
PACKAGES = ("litellm", "openai", "numpy", "scipy", "statsmodels", "pandas", "pyarrow", "diskcache")


class KeptManifest:
    """Keeps the manifest true while the run continues."""

    def __init__(self, study: Study, writer: RunWriter, progress: Progress, plan_digest: str, recorded: Recorded, kept: Sums) -> None:
        self._study = study
        self._writer = writer
        self._progress = progress
        self._hashes = {**study.hashes, "plan": plan_digest}
        self._versions, self._commit = _versions(), commit()
        self._written_at = 0.0
        before = Manifest(created_at=recorded.first_at or now(), sessions=int(bool(recorded.trials)))  # where none is left, or there
        with suppress(RunProblem):
            before = Run(writer.folder).manifest
        self._before = before
        self._served = {name: set(versions) for name, versions in before.served.items()}
        for name, versions in recorded.served.items():
            self._served.setdefault(name, set()).update(versions)
        self.effective: Mapping[str, Any] = before.effective
        self.concurrency = before.concurrency
        self.earlier: Mapping[str, Any] = before.earlier
        self.ratings: Mapping[str, Any] = before.ratings
        self._environment = study.from_environment
        self.registered: Mapping[str, Any] = before.registered or registration_of(plan_digest, study.path.parent)
        in_batches = sum(part.n_requests for part in batches_in(writer.folder)[1] if part.batch)
        self.kept_before = Sums(  # a kill leaves the manifest behind, and simulated runs and batches have no ledger
            max(before.counts.sent, kept.n_sent, recorded.n_sent, in_batches), max(recorded.paid_usd, kept.paid_usd),
            max(before.unsure_usd, kept.unsure_usd), max(before.spent.usd, kept.spent_usd, recorded.paid_usd),
            max(before.spent.tokens, kept.spent_tokens, recorded.paid_tokens),
        )  # fmt: skip
        self._n_unpriced = max(before.counts.unpriced, recorded.n_unpriced)
        self.spent_before = self.kept_before.spent_usd, int(self.kept_before.spent_tokens)
        self.spent: Callable[[], tuple[float, int]] = lambda: self.spent_before
        self.paid_before_usd = self.kept_before.paid_usd
        self.served_at: Mapping[str, str] = before.served_at
        self.batches: Callable[[], Mapping[str, Any]] = lambda: before.batches

    def in_flight(self, most: int) -> None:
        """Note how many calls may be in flight, 0 where that is not known of one session."""
        self.concurrency = max(most, self._before.concurrency) if most and (self._before.concurrency or not self._before.sessions) else 0

    def seen(self, model: str, version_: str | None) -> None:
        """Note the version that a model answered as; write the manifest where the last one is old."""
        if version_:
            self._served.setdefault(model, set()).add(version_)
        if time.monotonic() - self._written_at > MANIFEST_EVERY_S:
            self.write("running")

    def write(self, state: State) -> None:
        """Write the manifest in this state."""
        study, progress, before = self._study, self._progress, self._before
        self._written_at = time.monotonic()
        models = study.models
        simulated = tuple(model.name for model in models if model.simulated)
        usd, tokens = self.spent()
        self._writer.write_manifest(
            filled(
                Manifest,
                self,
                progress,
                study.experiment,
                study,
                id=self._writer.folder.name,
                state=state,
                simulated=bool(simulated),
                simulated_models=simulated,
                created_at=before.created_at or now(),
                updated_at=now(),
                sessions=before.sessions + 1,
                counts=Tally(
                    planned=progress.n_planned,
                    done=progress.n_recorded_before + progress.n_done,
                    errors=progress.n_errors,
                    cached=progress.n_cached,
                    skipped=progress.n_skipped,
                    sent=int(self.kept_before.n_sent) + progress.n_sent,
                    unpriced=self._n_unpriced + progress.n_unpriced,
                ),
                paid_usd=self.paid_before_usd + progress.paid_usd,
                unsure_usd=self.kept_before.unsure_usd + progress.unsure_usd,
                spent=Spent(usd=usd, tokens=tokens),
                hashes=self._hashes,
                chain=self._writer.chain.plain(),
                models={model.name: ModelAsked(litellm_name=model.litellm_name, api_base=model.api_base) for model in models},
                environment=self._environment,
                batches=self.batches(),
                served={name: tuple(sorted(versions)) for name, versions in sorted(self._served.items())},
                versions=self._versions,
                commit=self._commit,
                experiment_path=os.path.relpath(self._writer.folder / EXPERIMENT if study.files is not None else study.path),
                more=before.more,
            )
        )


def _versions() -> dict[str, str]:
    found = {"promptlab": promptlab.__version__}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


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
    return f"{p.n_done / max(seconds, 1e-6):.0f}/s  ${p.paid_usd:.4f}  {p.n_errors_in_words}"


def _line(p: Progress, seconds: float) -> str:
    left = f"  about {(p.n_planned - _n_recorded(p)) / p.n_done * seconds:.0f} s left" if p.n_done else ""
    return f"{_n_recorded(p):,}/{counted(p.n_planned, 'trial')}  {_detail(p, seconds)}{left}"


@contextlib.contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("trials"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeRemainingColumn(),
    )
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
        text = f"{p.n_planned:,} of {p.n_planned:,} trials recorded, {counted(p.n_errors, 'error')}" if whole else _line(p, seconds)
        shown = {"text/plain": text}
        if handle is None:
            handle = display(shown, raw=True, display_id=True)
        else:
            handle.update(shown, raw=True)

    return show
