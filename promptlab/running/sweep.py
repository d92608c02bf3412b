"""One sweep from a resolved study to a recorded run: plan frozen, trials run and appended, manifest kept true all the while.

Above 400 lines: start, resume and end of a run share what must be recorded on any exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.design.cross import trials, trials_an_item
from promptlab.nouns import EXIT_BUDGET, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK, UNREADABLE, PromptlabError, RunProblem, UsageProblem
from promptlab.nouns.plan import Plan
from promptlab.nouns.words import counted
from promptlab.planning.hashes import hash_of_experiment
from promptlab.planning.plan import make_plan
from promptlab.planning.rebuilt import plan_differences, problems, refuse
from promptlab.planning.study import Study, as_recorded
from promptlab.record import ratings
from promptlab.record.registry import bundled, known_of, note_plan
from promptlab.record.repair import move_aside
from promptlab.record.store import Run, RunWriter, frozen_plan
from promptlab.record.store.files import DAMAGED, line_of
from promptlab.record.store.reading import batches_in, items_in, older_in
from promptlab.running.batch import Waves, answers_of, at_batch_prices, batch_summary, check_models, refuse_open
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache
from promptlab.running.engine import Engine, engine_of
from promptlab.running.keys import need_key_consent
from promptlab.running.ledger import Ledger, taken_over
from promptlab.running.open_files import with_room
from promptlab.running.own_answers import own_in, unlike_bundle
from promptlab.running.progress import COUNTS, EXPERIMENT, REASONS, Execution, KeptManifest, Progress, State
from promptlab.running.rows import rows, tuned, unrecorded
from promptlab.sources.prices import ADD_PRICE
from promptlab.sources.spec.experiment import load_experiment
from promptlab.stats import ArmKey, Looks, Screening

if TYPE_CHECKING:
    from promptlab.running.fleet.cluster import Cluster
    from promptlab.running.fleet.hub import Hub
    from promptlab.running.fleet.local import Processes

LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Sweep:
    """How a sweep ended."""

    folder: Path
    state: State
    progress: Progress
    is_own: bool = False
    """Whether this process wrote all of the record, from answers that it got here."""

    @property
    def reason(self) -> str:
        """Why it ended before all was recorded, in words."""
        p = self.progress
        waits = f"{counted(p.n_waiting, 'trial', 'waits')} in {counted(p.n_batches, 'batch')}" if p.n_waiting else ""
        missing = f"{counted(p.n_not_cached, 'trial', 'needs')} an answer that is not in the cache" if p.n_not_cached else ""
        errors = f"{p.n_errors_in_words}, the last: {p.last_error}" if p.n_errors else ""
        return "; ".join(filter(None, (p.budget_reached, p.stalled, *p.stopped.values(), waits, missing, errors))) or "it was stopped"

    @property
    def exit_code(self) -> int:
        return {"complete": EXIT_OK, "budget": EXIT_BUDGET, "interrupted": EXIT_INTERRUPTED}.get(self.state, EXIT_INCOMPLETE)


def run_sweep(
    study: Study, runs: Path, cache_folder: Path | None, execution: Execution, observe: Callable[[Progress], None], serve_gpus: int = 0
) -> Sweep:
    """`arun_sweep` for the command line: in the main thread Ctrl-C and SIGTERM end it as `interrupted`, a second one at once."""

    async def until_a_signal() -> Sweep:
        task = asyncio.current_task()
        stop = asyncio.Event()
        with _signals(lambda: task.cancel() if stop.is_set() and task else stop.set()):
            return await arun_sweep(study, runs, cache_folder, execution, observe, serve_gpus=serve_gpus, stop=stop)

    try:
        return asyncio.run(until_a_signal())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def arun_sweep(
    study: Study,
    runs: Path,
    cache_folder: Path | None,
    execution: Execution,
    observe: Callable[[Progress], None],
    *,
    serve_gpus: int = 0,
    stop: asyncio.Event | None = None,
) -> Sweep:
    """Run what is not recorded yet, in the running event loop. The same study always goes to the same folder, so it resumes.

    Setting `stop` sends nothing more, records what is in flight and returns. Cancelling does the same before CancelledError is raised;
    cancelling once more gives up what is in flight. With `serve_gpus` the models `hosted_vllm/NAME` without an address are served on
    the Ray cluster, each by so many GPUs.
    """
    if serve_gpus and not execution.ray:
        raise UsageProblem("--serve-vllm starts servers on a Ray cluster; add --engine ray, or start vLLM yourself and give api_base")
    study.need_consent()
    if execution.cache == "use" and study.experiment.simulators and all(model.simulated for model in study.models):
        execution = replace(execution, cache="refresh")  # their truth is no part of a cache key: an earlier one may have answered
    if execution.cache != "replay":
        need_key_consent(study, execution.allow_keys)
    study = as_recorded(study, runs)
    folder = runs / study.run_id
    _limits(study, execution)
    if execution.batch:
        _check_batch(study, execution)
    try:
        writer = RunWriter(folder)
    except OSError as error:
        raise RunProblem(f"{folder}: cannot be written: {error.strerror}; choose another place with --runs") from None
    stop = stop or asyncio.Event()
    try:
        with tuned():
            work = asyncio.create_task(_Session(study, writer, cache_folder, execution, observe, stop).run(serve_gpus))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                if stop.is_set():  # what is under way is given up
                    work.cancel()
                stop.set()
                await work
                raise
    finally:
        writer.close()


def _limits(study: Study, execution: Execution) -> tuple[float | None, int | None]:
    """What may be spent in all, in USD and tokens: the stricter of the experiment's budget and the command's."""
    asked = [limit for limit in (study.experiment.budget_usd, execution.max_cost_usd) if limit is not None]
    unknown = [name for name, price in study.prices.items() if price is None]
    if execution.max_cost_usd is not None and unknown:
        raise UsageProblem(
            f"the price of {', '.join(unknown)} is unknown, so --max-cost cannot hold; {ADD_PRICE}, or cap tokens with --max-tokens"
        )
    return min(asked, default=None), execution.max_tokens


def _check_batch(study: Study, execution: Execution) -> None:
    if execution.workers > 1 or execution.ray:
        raise UsageProblem("--batch sends all calls in files, so there is nothing for workers to do; leave --workers and --engine out")
    if execution.cache == "replay":
        raise UsageProblem("--cache replay sends nothing, and --batch is given as well; leave one of them out")
    check_models(study)


@dataclass
class _Session:
    """One command's part of a sweep: it may be the first, or continue where another ended."""

    _study: Study
    _writer: RunWriter
    _cache_folder: Path | None
    _how: Execution
    _observe: Callable[[Progress], None]
    _stop: asyncio.Event

    def __post_init__(self) -> None:
        study, writer = self._study, self._writer
        restored = restore(study, writer)
        self._is_new = not (writer.folder / "manifest.json").exists()
        failed = [] if self._is_new else failures(study, writer)
        if not self._how.force:
            refuse(writer.folder, failed, REMEDY)
        self._recorded = writer.recorded()
        self._how, fewer = with_room(self._how)
        self._plan, plan_digest = freeze(study, writer)
        other = unlike_bundle(study) if self._how.cache == "replay" else []
        notes = [*(f"this run fails its audit: {said}" for said in failed), *restored, *other, *([fewer] if fewer else [])]
        self._progress = Progress(n_planned=study.design.n_trials, n_recorded_before=len(self._recorded.trials), notes=notes)
        self._noted = False
        kept = taken_over(writer.folder)
        self._manifest = KeptManifest(study, writer, self._progress, plan_digest, self._recorded, kept)
        if (parts := batches_in(writer.folder)[1]) and not self._manifest.batches():  # an earlier manifest is lost
            batches = batch_summary(parts, 0, study.models)
            self._manifest.batches = lambda: batches
        if self._how.cache == "replay" and bundled(study.path.parent, "hashes").get("plan") == plan_digest:
            ratings.copied(study.path.parent, writer.folder)
            self._manifest.ratings = self._manifest.ratings or bundled(study.path.parent, "ratings")

    async def run(self, serve_gpus: int) -> Sweep:
        """Until all is recorded, or something ends it."""
        progress, manifest = self._progress, self._manifest
        if not self._how.batch:
            refuse_open(self._writer.folder)
        manifest.write("running")
        state: State = "failed"
        try:
            interrupted = False
            if len(self._recorded.trials) < self._study.design.n_trials:
                interrupted = await (self._together(serve_gpus) if self._how.workers > 1 or self._how.ray else self._alone())
            elif not manifest.effective:  # an earlier manifest is lost
                manifest.effective = await self._effective()
            state = _state(progress, interrupted)
            before_usd = manifest.kept_before.unsure_usd
            if (before_usd or progress.budget_reached) and (unsure_usd := before_usd + progress.unsure_usd) >= CENT_OF_A_CENT:
                progress.notes.append(UNSURE.format(unsure_usd))
            is_own = self._is_new and not progress.n_recorded_before and self._how.cache != "replay"  # whose answers are somebody's
            return Sweep(self._writer.folder, state, progress, is_own)
        except asyncio.CancelledError:
            state = "interrupted"
            raise
        finally:
            try:
                self._writer.compact()  # so that the manifest holds the chain's end
                manifest.earlier = known_of(older_in(self._writer.folder), self._study.path.parent)
            finally:
                manifest.write(state)
            self._observe(progress)

    async def _effective(self) -> Mapping[str, Any]:
        """What each provider would be sent besides the messages; nothing where nothing can be sent from here."""
        engine = engine_of(self._study, None, Budget(None, None), self._progress, self._how)
        try:
            return engine.effective()
        except PromptlabError:
            return {}
        finally:
            await engine.gateway.aclose()

    def _segments(self) -> Iterator[tuple[int, int, frozenset[ArmKey]]]:
        """First and last order to send before the next interim analysis, and the arms that none needs; the analysis is done in between."""
        n_trials = self._study.design.n_trials
        if self._plan.confirm is not None:
            screening, first = Screening.thawed(self._plan, self._writer.looks()), self._plan.confirm.order
            yield 0, first, screening.unscreened()
            if len((made := screening.decided(Run(self._writer.folder).trials())).rows) > len(screening.rows):
                self._writer.write_json("looks.json", made.frozen())
            self._progress.notes += made.waiting
            yield first, n_trials, made.unneeded()
            return
        looks = Looks.thawed(self._plan, self._writer.looks()) if self._plan.looks else None
        start = 0
        for number, end in enumerate(looks.ends if looks else [n_trials]):
            yield start, end, looks.unneeded() if looks else frozenset()
            start = end
            if looks and end < n_trials and looks.decide(Run(self._writer.folder).trials(), number):
                self._writer.write_json("looks.json", looks.frozen())

    def _record(self, lines: Sequence[bytes]) -> None:
        """Append trials; with the first of them the plan is one that got an answer."""
        if not self._noted and self._how.cache != "replay":
            self._noted = True
            anew = not self._recorded.trials
            note_plan(self._study.run_id, *frozen_plan(self._writer.folder, bounded=False), items_in(self._writer.folder), anew)
        self._writer.append_lines(lines)

    def _spent(self) -> tuple[float, int]:
        """What earlier sessions took; where a price or a usage was unknown, what they reserve for it."""
        before = self._manifest.spent_before
        return max(self._recorded.paid_usd, before[0]), max(self._recorded.paid_tokens, before[1])

    async def _alone(self) -> bool:
        """In this process; True where it was interrupted."""
        progress, manifest = self._progress, self._manifest
        budget = Budget(*_limits(self._study, self._how), *self._spent())
        cache = Cache(self._cache_folder, self._how.cache) if self._cache_folder and self._how.cache != "off" else None
        kept = answers_of(self._writer.folder, cache) if self._how.batch else cache
        study = at_batch_prices(self._study) if self._how.batch else self._study
        engine = engine_of(study, kept, budget, progress, self._how)
        engine.run_id = self._study.run_id  # at the prices of batches a study has another
        engine.own = self._how.own or (own_in(study.path.parent) if self._how.cache == "replay" else {})
        manifest.effective = engine.effective()
        manifest.in_flight(0 if self._how.batch else self._how.concurrency)
        manifest.spent = lambda: (budget.spent_usd, budget.spent_tokens)
        engine.payer.longest.update(self._recorded.longest)
        if not all(model.simulated for model in study.models) and not self._how.batch:
            engine.payer.ledger = Ledger(self._writer.folder, before=manifest.kept_before._replace(spent_usd=0.0, spent_tokens=0.0))
        waves = self._waves(study, engine, cache if kept is not cache else None) if self._how.batch else None
        stop = self._stop
        try:
            for start, end, unneeded in self._segments():
                todo = unrecorded(engine, trials(self._study.design, start, end), self._recorded.trials, unneeded)
                source = waves.rows(todo, end, stop) if waves else rows(engine, todo, self._how.concurrency, stop)
                async with aclosing(source) as finished:
                    async for some in finished:
                        self._record([line_of(*both) for both in some])
                        for model, version in {(row.model, row.model_version) for row, _ in some}:
                            manifest.seen(model, version)
                        self._observe(progress)
                if stop.is_set() or progress.budget_reached or progress.stalled or (waves and waves.held):
                    break
        finally:
            await engine.gateway.aclose()
            engine.payer.settled()
            engine.payer.ledger.close()
            if waves:
                await waves.aclose()
            for opened in {id(c): c for c in (cache, kept) if c}.values():
                opened.close()
        return stop.is_set()

    def _waves(self, study: Study, engine: Engine, also: Cache | None) -> Waves:
        """The run's batches; what they cost so far is passed to budget and manifest."""
        waves = Waves(study, engine, self._writer.folder, self._how.batch_wait_s, also)
        manifest, budget = self._manifest, engine.budget
        manifest.batches = waves.summary
        manifest.paid_before_usd += waves.unrecorded_usd
        budget.spent_usd = max(budget.spent_usd, manifest.paid_before_usd)
        return waves

    async def _together(self, serve_gpus: int) -> bool:
        """By several processes; True where it was interrupted."""
        if not serve_gpus:
            return await self._shared({})
        from promptlab.running.fleet.cluster import serving

        with serving(self._study, self._how.ray_address, serve_gpus) as served_at:
            self._manifest.served_at = served_at
            return await self._shared(served_at)

    async def _shared(self, served_at: Mapping[str, str]) -> bool:
        from promptlab.running.fleet.hub import Hub, Limit

        study, how, manifest = self._study, self._how, self._manifest
        manifest.in_flight(0)
        most_usd, most_tokens = _limits(study, how)
        usd, tokens = Limit(most_usd, self._spent()[0]), Limit(most_tokens, self._spent()[1])
        hub = Hub(trials_an_item(study.design), how.workers, usd, tokens, lambda line: self._record([line]))
        hub.longest.update(self._recorded.longest)
        if how.ray:  # whose workers keep nothing here
            manifest.spent = lambda: (usd.lent, int(tokens.lent))
        else:
            before = self._spent()
            if not all(model.simulated for model in study.models):
                Ledger(self._writer.folder, before=manifest.kept_before).close()
            manifest.spent = lambda: (before[0] + hub.total("spent_usd"), before[1] + int(hub.total("spent_tokens")))
        theirs = replace(how, own={}, max_cost_usd=most_usd, concurrency=max(1, -(-how.concurrency // how.workers)))
        workers = self._workers(hub, theirs, served_at)
        try:
            for start, end, unneeded in self._segments():
                hub.open_segment(start, end, unneeded)
                while not hub.segment_done and not hub.all_gone:
                    await asyncio.sleep(LOOK_EVERY_S)
                    hub.halt = self._stop.is_set()
                    self._mirror(hub)
                if hub.over or hub.all_gone:
                    break
            hub.ended = True
            await asyncio.to_thread(workers.join)
        finally:
            workers.kill()
            self._mirror(hub)
        if hub.failed or (hub.all_gone and not hub.nothing_open and not hub.over):
            raise RunProblem(hub.failed or f"all {how.workers} workers ended before the sweep did; run the same command again")
        return hub.halt

    def _workers(self, hub: Hub, theirs: Execution, served_at: Mapping[str, str]) -> Processes | Cluster:
        """Started workers: processes of this machine, or tasks of a Ray cluster."""
        study, how = self._study, self._how
        if how.ray:
            from promptlab.running.fleet.cluster import Cluster

            shared = study, frozenset(self._recorded.trials), theirs, self._cache_folder is not None, dict(served_at)
            return Cluster(hub, how.workers, how.ray_address, shared)
        from promptlab.running.fleet.local import Processes

        setup = {
            "experiment": str((self._writer.folder / EXPERIMENT if study.files is not None else study.path).resolve()),
            "base": str(study.base.resolve()),
            "looks": study.experiment.analysis.looks,
            "run": study.run_id,
            "folder": str(self._writer.folder.resolve()),
            "cache_folder": str(self._cache_folder) if self._cache_folder else None,
            "execution": asdict(theirs),
            "code": {code.name: code.folder for code in study.code},
        }
        return Processes(hub, setup, how.workers)

    def _mirror(self, hub: Hub) -> None:
        """Take over what the workers say of themselves."""
        p = self._progress
        for name in COUNTS:
            setattr(p, name, hub.total(name))
        for name in ("n_done", "n_errors", "last_error", "errors", "noted", *REASONS):
            setattr(p, name, getattr(hub, name))
        p.stopped.update(hub.stopped)
        p.notes += [note for note in list(hub.notes) if note not in p.notes]
        self._manifest.effective = hub.effective
        for model, versions in list(hub.served.items()):
            for version_ in sorted(versions):
                self._manifest.seen(model, version_)
        self._observe(p)


CENT_OF_A_CENT = 0.0001
UNSURE = (
    "${:.4f} counts as spent for calls that ended without an answer (a kill, a timeout, an error): the most that the provider can have "
    "billed for them. Where its bill shows less, raise --max-cost by the difference"
)
REMEDY = "`promptlab audit {0}` lists every check; `promptlab runs repair {0}` repairs damage; --force continues all the same"


def restore(study: Study, writer: RunWriter) -> list[str]:
    """The experiment file written again where it is damaged, and a note of it. A study of this folder is the one that was frozen: the
    folder's name holds the hash of its experiment.
    """
    path, ours = writer.folder / EXPERIMENT, study.experiment
    if not path.is_file() or study.format == 1 or writer.folder.name != study.run_id:
        return []
    with contextlib.suppress(PromptlabError, *UNREADABLE):
        looks = ours.analysis.looks
        if hash_of_experiment(load_experiment(path)[0].as_asked(looks if looks > 1 else None, ours.scorer)) == study.hashes["experiment"]:
            return []
    move_aside(writer.folder, path)
    writer.write_text(EXPERIMENT, study.text)
    return [f"{EXPERIMENT} was damaged: it is restored from the file of this sweep, and the damaged one is in {DAMAGED}/"]


def failures(study: Study, writer: RunWriter) -> list[str]:
    """What is not as it was frozen in a run that a sweep would continue with; nothing of what repair moved aside."""
    if not all((writer.folder / name).exists() for name in (EXPERIMENT, "items.parquet", "plan.json")):
        return []
    run = Run(writer.folder)
    return [*problems(run), *plan_differences(run, study)]


def freeze(study: Study, writer: RunWriter) -> tuple[Plan, str]:
    """The plan of a run and its digest; plan, items and experiment are written once, and a run that has them keeps them."""
    missing = [name for name in (EXPERIMENT, "items.parquet", "plan.json") if not (writer.folder / name).exists()]
    if missing:  # all of it at the start of a run, or what repair moved aside
        writer.write_text(EXPERIMENT, study.text)
        for name, text in (study.files or {}).items():
            (writer.folder / name).parent.mkdir(exist_ok=True)
            writer.write_text(name, text)
        writer.write_items(study.design.tasks)
    if "plan.json" in missing:
        writer.write_plan(make_plan(study))
    return frozen_plan(writer.folder, bounded=False)


def _state(progress: Progress, interrupted: bool) -> State:
    if interrupted:
        return "interrupted"
    if progress.budget_reached:
        return "budget"
    if progress.stalled:
        return "incomplete"
    n_good = progress.n_recorded_before + progress.n_done - progress.n_errors
    return "complete" if n_good + progress.n_skipped >= progress.n_planned else "incomplete"


@contextlib.contextmanager
def _signals(handle: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `handle` in the running loop, where that is the main thread's; elsewhere whoever embeds this has them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number, old in zip(numbers, before, strict=True):
            loop.remove_signal_handler(number)
            signal.signal(number, old)
