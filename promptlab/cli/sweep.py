"""`promptlab check`, `plan` and `sweep`."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Option

from promptlab.cli.common import AllowCode, Batch, Concurrency, ExperimentFile, Force, RunFolder, RunsAnywhere, Sequential, load, path, say
from promptlab.cli.plan import plan
from promptlab.cli.report import after_sweep
from promptlab.nouns import EXIT_INCOMPLETE, EXIT_INTERRUPTED, FileProblems, Scorer, UsageProblem
from promptlab.nouns.words import CacheUse, counted

if TYPE_CHECKING:
    from promptlab.planning.study import Study
    from promptlab.record.mirror import Pusher
    from promptlab.running.sweep import Sweep


Where = Literal["local", "ray"]
"""Where the workers run."""
Wire = Literal["auto", "litellm", "direct"]
"""How requests are sent; no choice changes an answer or a record."""


def check(experiment: ExperimentFile, allow_code: AllowCode = False) -> None:
    """Report every problem of an experiment file and its models. Sends nothing; code that it names needs --allow-code."""
    from promptlab.running.preflight import preflight

    study = load(experiment, allow_code)
    for note in study.notes:
        say(f"note: {note}")
    found = preflight(study)
    for finding in found:
        if not finding.is_error:
            say(str(finding))
    if errors := [finding.problem for finding in found if finding.is_error]:
        raise FileProblems(errors)
    say(f"{experiment}: ok ({counted(study.design.n_trials, 'trial')}, run {study.run_id})")


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """An interrupt that ends the command anywhere in the block ends it with what to type to continue."""
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a third one would cut the line off
        say(f"interrupted; nothing that was recorded is lost. Resume with:    {me()} {' '.join(sys.argv[1:])}")
        raise typer.Exit(EXIT_INTERRUPTED) from None


@_resumable()
def sweep(
    experiment: ExperimentFile,
    runs: RunsAnywhere = "runs",
    concurrency: Concurrency = 16,
    sequential: Sequential = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Show the plan and send nothing.")] = False,
    cache: Annotated[
        CacheUse,
        Option(help="Paid answers: use and keep them; refresh: send again; off; imported: those of bundles too; replay: no calls."),
    ] = "use",
    fresh: Annotated[bool, Option("--fresh", help="Send all that this run has not recorded; no answer is older.")] = False,
    no_cache: Annotated[bool, Option("--no-cache", hidden=True)] = False,
    wire: Annotated[
        Wire, Option(help="How requests are sent: auto sends directly what LiteLLM would pass on unchanged; litellm; direct.")
    ] = "auto",
    max_cost: Annotated[
        float | None, Option(min=0, help="Spending limit for this run in USD, over all its sessions; reserved before each call.")
    ] = None,
    max_tokens: Annotated[int | None, Option(min=1, help="Token limit for this run, sent and received.")] = None,
    workers: Annotated[int, Option("--workers", "-w", min=1, max=256, help="Processes of this machine that share the work.")] = 1,
    engine: Annotated[
        Where, Option(help="Where workers run: local, or ray: on an existing Ray cluster (extra 'ray'), --workers tasks of it.")
    ] = "local",
    ray_address: Annotated[
        str | None, Option(envvar="RAY_ADDRESS", help="The cluster's address; without one, that of this machine.")
    ] = None,
    serve_vllm: Annotated[
        bool, Option("--serve-vllm", help="With --engine ray: start vLLM there for models hosted_vllm/NAME without api_base.")
    ] = False,
    gpus: Annotated[int, Option(min=1, help="GPUs of each model that --serve-vllm serves.")] = 1,
    probe: Annotated[
        bool, Option("--probe/--no-probe", help="Send each model's first trial alone, to find a wrong key or name at once.")
    ] = True,
    allow_code: AllowCode = False,
    allow_key: Annotated[
        list[str] | None, Option(help="A variable whose value the file may send to its own address; may be given several times.")
    ] = None,
    batch: Batch = False,
    batch_wait: Annotated[
        float | None, Option(min=0, help="Seconds to wait for batches; without it the command ends when they are sent.")
    ] = None,
    force: Force = False,
    report: Annotated[bool, Option("--report/--no-report", help="Write report.html into the run folder at the end.")] = True,
    view: Annotated[bool, Option("--view", help="Open the explorer on the run in progress; on a terminal it runs until Ctrl-C.")] = False,
) -> None:
    """Run an experiment. The same command resumes where it ended; recorded and cached answers cost nothing again."""
    if batch_wait is not None and not batch:
        raise UsageProblem("--batch-wait says how long to wait for batches, and --batch is not given; add it, or leave --batch-wait out")
    if dry_run and view:
        raise UsageProblem("--view shows a run, and --dry-run makes none; leave one of them out")
    if dry_run:
        plan(experiment, concurrency, sequential=sequential, batch=batch, allow_code=allow_code)
        return
    if no_cache and cache != "use":
        raise UsageProblem(f"--no-cache means --cache off, and --cache {cache} is given as well; leave one of them out")
    if fresh and (cache != "use" or no_cache):
        raise UsageProblem("--fresh means --cache refresh, and another way to use the cache is given as well; leave one of them out")
    use: CacheUse = "off" if no_cache else "refresh" if fresh else cache
    from promptlab.cli.view import beside
    from promptlab.nouns import home
    from promptlab.running.preflight import preflight
    from promptlab.running.progress import Execution, watched
    from promptlab.running.sweep import run_sweep

    execution = Execution(
        concurrency=concurrency, cache=use, wire=wire, max_cost_usd=max_cost, max_tokens=max_tokens, workers=workers,
        ray=engine == "ray", ray_address=ray_address, probe=probe, batch=batch, batch_wait_s=batch_wait or 0,
        allow_keys=tuple(allow_key or ()), force=force,
    )  # fmt: skip
    study = load(experiment, allow_code, sequential=sequential)
    _say_first(study)
    found = preflight(study, execution) if use != "replay" else []
    for finding in found:
        if not finding.is_error:
            say(str(finding))
    if errors := [finding.problem for finding in found if finding.is_error]:
        raise FileProblems(errors)  # before there is a run folder
    simulated = [model.name for model in study.models if model.simulated]
    if simulated:
        say(f"SIMULATED. {', '.join(simulated)}: promptlab makes up the answers; they say nothing about any real model.")
    n_models = len(study.models)
    over = ((study.design.n_trials, "trial"), (n_models, "model"), (len(study.design.tasks), "task"))
    say(f"run {study.run_id}: {', '.join(counted(*one) for one in over)}")
    started = time.monotonic()
    with contextlib.ExitStack() as until_the_end:
        with _followed(runs, study.run_id, batch) as (folder, pusher):
            keep_serving = until_the_end.enter_context(beside(folder / study.run_id)) if view else None
            with watched("terminal" if sys.stdout.isatty() else "lines", say) as observe:
                done = run_sweep(study, folder, home() / "cache", execution, observe, gpus if serve_vllm else 0)
            del study  # judging reads the record: of a large design there is nothing left to hold
            _end(done, time.monotonic() - started, len(simulated), n_models)
            if use in ("refresh", "off") and done.progress.n_recorded_before:
                say(_kept(done, runs))
            if done.progress.n_recorded_before + done.progress.n_done:
                after_sweep(done, write_html=report)
        code = _last_words(done, pusher, experiment)
        if keep_serving is not None and done.state != "interrupted":
            keep_serving()
    raise typer.Exit(code)


def _say_first(study: Study) -> None:
    for note in study.notes:
        say(f"note: {note}")
    for code in study.code:
        if not code.refused:
            say(code.shown())


def rescore(
    run: RunFolder,
    scorer: Annotated[Scorer | None, Option(help="Score by this scorer in place of the experiment's own.")] = None,
    experiment: Annotated[Path | None, Option(help="The run's experiment file, where it was moved.")] = None,
    runs: Annotated[Path | None, Option(help="Where the new run goes; default: next to the old one.", parser=path)] = None,
    allow_code: AllowCode = False,
) -> None:
    """Score the answers of a run again, by the metric as it is now, into a new run. Sends nothing; the old run stays as it is."""
    from promptlab.record.store import Run
    from promptlab.running.bundle import rescore as again
    from promptlab.running.bundle import study_again
    from promptlab.running.progress import watched
    from promptlab.sources.spec.user import consent

    old = Run(run)
    study = study_again(old, experiment, scorer, consent(allow_code))
    _say_first(study)
    say(f"run {study.run_id}: {counted(study.design.n_trials, 'trial')}, from the answers of {old.id}")
    started = time.monotonic()
    with watched("terminal" if sys.stdout.isatty() else "lines", say) as observe:
        done = again(old, study, runs or run.parent, observe)
    _end(done, time.monotonic() - started, sum(model.simulated for model in study.models), len(study.models))
    if done.progress.n_recorded_before + done.progress.n_done:
        after_sweep(done, write_html=True)
    if done.progress.n_not_cached:
        say(f"the run lacks these answers; `{me()} sweep {study.path}` sends them and completes this run")
    raise typer.Exit(done.exit_code)


def _last_words(done: Sweep, pusher: Pusher | None, experiment: Path) -> int:
    """Say how to continue, and with which code the command ends."""
    again = f"{me()} {' '.join(sys.argv[1:])}"
    if pusher and pusher.failed and done.state == "complete":
        say(f"incomplete at the address; the same command pushes what is missing and sends nothing again:    {again}")
        return EXIT_INCOMPLETE
    if done.state == "complete":
        say(f"look at it:    {me()} view {f'{pusher.place.address}/{pusher.run}' if pusher else done.folder}")
    elif done.state == "interrupted":
        say(f"interrupted; nothing is lost. Resume with:    {again}")
    elif done.state == "budget":
        say(f"{done.progress.budget_reached}. Raise the limit (--max-cost, --max-tokens, or budget_usd in a copy), or keep what there is.")
    elif done.progress.n_waiting:
        n, batches = done.progress.n_waiting, done.progress.n_batches
        say(f"incomplete; {counted(n, 'trial', 'waits')} in {counted(batches, 'batch')}; the same command collects them:    {again}")
    elif done.progress.n_not_cached:
        say(f"incomplete; see what differs with:    {me()} cache why {experiment}")
    else:
        say(f"incomplete; the same command sends only what is missing:    {again}")
    return done.exit_code


@contextlib.contextmanager
def _followed(runs: str, run_id: str, batch: bool) -> Iterator[tuple[Path, Pusher | None]]:
    """The folder that a sweep works in, and what keeps an address up to date with it, where `runs` is one."""
    from promptlab.record.mirror import Place, is_address

    if not is_address(runs):
        yield Path(runs), None
        return
    if batch:
        raise UsageProblem("--batch keeps what it has open in the run folder alone, so --runs must be a local folder there")
    place = Place(runs)
    with place.sharing(run_id, say, lambda: os.kill(os.getpid(), signal.SIGINT)) as pusher:
        yield place.folder, pusher


def me() -> str:
    """This command as the user can type it again: by name where the shell finds it, else by its path."""
    if Path(sys.argv[0]).name != "promptlab":
        return "python -m promptlab"
    return "promptlab" if shutil.which("promptlab") else os.path.relpath(sys.argv[0])


def _kept(done: Sweep, runs: str) -> str:
    """What --fresh and --no-cache leave alone, and the line that requests it all again."""
    p = done.progress
    n = "all" if p.n_recorded_before >= p.n_planned else f"{p.n_recorded_before:,} of {p.n_planned:,}"
    elsewhere = next(name for i in itertools.count(1) if "://" in (name := f"{runs}-fresh{f'-{i}' * (i > 1)}") or not Path(name).exists())
    words = sys.argv[1:]
    at = next((i for i, word in enumerate(words) if word == "--runs" or word.startswith("--runs=")), len(words))
    words[at : at + (2 if words[at : at + 1] == ["--runs"] else 1)] = ["--runs", elsewhere]
    return (
        f"note: {'nothing was sent, since ' if n == 'all' else ''}this run has recorded {n} trials and keeps them; for new answers to all, "
        f"run it into another folder:    {me()} {shlex.join(words)}"
    )


def _why_so_many(done: Sweep) -> str:
    """What makes the calls of a session fit its trials, in brackets; empty where they are as many."""
    from promptlab.nouns import beside_trials
    from promptlab.record.store.reading import manifest_in

    p = done.progress
    n_trials = p.n_done - p.n_cached  # whose answers no cache had
    n_in_all = manifest_in(done.folder).counts.sent
    in_all = f"{n_in_all:,} in all sessions" if n_in_all != p.n_sent else ""
    found = "; ".join(filter(None, (in_all, beside_trials(p.n_sent, n_trials, p.n_errors) if p.n_sent or n_trials > 0 else "")))
    return f" ({found})" if found else ""


def _end(done: Any, seconds: float, n_simulated: int, n_models: int) -> None:  # noqa: ANN401
    from promptlab.nouns import paid_words

    p = done.progress
    paid = paid_words(p.paid_usd, p.unsure_usd, p.n_unpriced, n_simulated, n_models)
    n_recorded = p.n_recorded_before + p.n_done
    say(
        f"{n_recorded:,} of {p.n_planned:,} trials recorded ({p.n_recorded_before:,} of them before), "
        f"{counted(p.n_sent, 'call')} sent{_why_so_many(done)}, "
        + (f"{p.n_skipped:,} not needed, " if p.n_skipped else "")
        + f"{counted(p.n_cached, 'answer')} from the cache, {p.n_errors_in_words}, {paid}, {seconds:.1f} s"
    )
    for message in p.stopped.values():
        say(f"stopped: {message}")
    for message in (*p.notes, *p.noted.values()):
        say(f"note: {message}")
    if p.stalled:
        say(f"given up: {p.stalled}")
    if p.n_not_cached:
        say(f"not in the cache: {counted(p.n_not_cached, 'trial', 'needs')} an answer that is not there; first the {p.first_not_cached}")
    if p.n_errors:
        say(f"last error: {p.last_error}")
