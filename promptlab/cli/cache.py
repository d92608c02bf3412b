"""`promptlab cache`: what answers are stored, why a call is not among them, and answers for and from other people."""

from __future__ import annotations

import datetime
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer import Argument, Option

from promptlab.cli.common import AllowCode, AsJson, ExperimentFile, exit_json, load, print_rows, say
from promptlab.nouns import EXIT_INCOMPLETE, FileProblems, PromptlabError, UsageProblem, counted, first_line, inert

if TYPE_CHECKING:
    from promptlab.nouns import Trial
    from promptlab.running.bundle import Exported
    from promptlab.running.cache import Cache, Stored, Use
    from promptlab.running.replay import Miss, Replayed

cache = typer.Typer(name="cache", help="Stored answers: list, explain a miss, export, import, prune.", no_args_is_help=True)
AGE = re.compile(r"(\d{1,6})([hdw])\Z")
UNIT_S = {"h": 3600, "d": 86400, "w": 604800}
UNKNOWN_MODEL = "(not recorded)"


@contextmanager
def _opened(use: Use = "use", make: bool = False) -> Iterator[Cache]:
    from promptlab.nouns import home
    from promptlab.running.cache import Cache

    folder = home() / "cache"
    if not make and not (folder / "cache.db").exists():
        raise UsageProblem(f"{folder}: no answers are stored yet; a sweep stores them, and so does `promptlab cache import FOLDER`")
    found = Cache(folder, use)
    try:
        yield found
    finally:
        found.close()


@cache.command("ls")
def ls(as_json: AsJson = False) -> None:
    """How many answers are stored, of which models, with which outcomes, and since when."""
    from promptlab.running.cache import IMPORTED

    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    stored_at: list[float] = []
    n_silent = n_damaged = n_imported = 0
    with _opened() as found:
        for row in found.stored():
            if row.completion is None:
                n_damaged += 1
                continue
            stored_at = [min([*stored_at, row.stored_at]), max([*stored_at, row.stored_at])]
            n_silent += row.request is None
            n_imported += row.key.startswith(IMPORTED)
            model = (row.request["model"], row.request["api_base"] or "") if row.request else (UNKNOWN_MODEL, "")
            counts[model][row.completion.outcome] += 1
        folder, n_bytes = found.folder, found.n_bytes()
    outcomes = sorted(set().union(*counts.values()))
    rows: list[dict[str, Any]] = [
        {"model": model, "api_base": api_base or None, "answers": n.total(), "outcomes": {outcome: n[outcome] for outcome in outcomes}}
        for (model, api_base), n in sorted(counts.items())
    ]
    oldest, newest = map(_at, stored_at or (None, None))
    n_answers = sum(row["answers"] for row in rows)
    if as_json:
        exit_json({
            "folder": str(folder), "answers": n_answers, "bytes": n_bytes, "oldest": oldest, "newest": newest,
            "without_request": n_silent, "imported": n_imported, "damaged": n_damaged, "models": rows,
        })  # fmt: skip
    say(f"{counted(n_answers, 'answer')} in {folder}, {n_bytes / 1e6:,.1f} MB, stored from {oldest or '-'} to {newest or '-'}")
    if rows:
        print_rows("", [row | row["outcomes"] for row in rows], ["model", "api_base", "answers", *outcomes])
    if n_imported:
        say(f"{n_imported:,} were imported from bundles; sweeps use them with --cache imported or replay only")
    if n_silent:
        say(f"{n_silent:,} were stored by an earlier promptlab, which did not keep the request; they are used as they are")
    if n_damaged:
        say(f"{counted(n_damaged, 'row', 'is')} damaged and sent again when needed; `promptlab cache prune --damaged` shows them")


@cache.command("why")
def why(
    experiment: ExperimentFile,
    trial: Annotated[str | None, Option(help="Only this trial: its id, or how it begins.")] = None,
    arm: Annotated[str | None, Option(help="Only this arm.")] = None,
    task: Annotated[str | None, Option(help="Only this task.")] = None,
    item: Annotated[str | None, Option(help="Only this item.")] = None,
    limit: Annotated[int, Option(min=1, max=200, help="Missing calls to explain.")] = 5,
    allow_code: AllowCode = False,
    as_json: AsJson = False,
) -> None:
    """Which calls of an experiment are not stored, and how the nearest stored request differs. Sends nothing."""
    from promptlab.running.replay import explained, replayed

    def wanted(t: Trial) -> bool:
        return (
            (trial is None or t.id.startswith(trial))
            and (arm is None or t.arm.name == arm)
            and (task is None or task in (t.task, t.task.split("/", 1)[1]))
            and (item is None or t.item.id == item)
        )

    study = load(experiment, allow_code)
    n_trials = n_missing = n_stored = 0
    told: list[Replayed] = []
    with _opened("replay", make=True) as found:
        for one in replayed(study, found, wanted):
            n_trials += 1
            n_stored += len(one.made)
            if one.missing is not None:
                n_missing += 1
                if len(told) < limit:
                    told.append(one)
        misses, n_silent = explained(found, told) if told else ([], 0)
    if not n_trials:
        raise UsageProblem(f"{experiment}: these options select no trial; `promptlab plan {experiment}` lists tasks and arms")
    if as_json:
        rows = [_miss_row(miss) for miss in misses]
        totals = {"trials": n_trials, "missing": n_missing, "stored_calls": n_stored, "without_request": n_silent}
        exit_json({**totals, "explained": rows})
    say(f"{counted(n_trials, 'trial')}: {n_trials - n_missing:,} are answered by the cache, {n_missing:,} need a call that is not stored")
    for miss in misses:
        _say_miss(miss)
    if n_missing > len(misses):
        say(f"and {n_missing - len(misses):,} more; --limit, --trial, --arm, --task and --item choose")
    if n_silent and misses:
        say(f"{counted(n_silent, 'answer', 'was')} stored by an earlier promptlab without the request, and cannot be compared")


def _miss_row(miss: Miss) -> dict[str, Any]:
    t = miss.trial
    return {
        "trial": t.id, "task": t.task, "item": t.item.id, "arm": t.arm.name, "model": t.model, "replicate": t.replicate,
        "round": miss.call.round, "purpose": miss.call.purpose, "key": miss.call.key,
        "nearest": miss.nearest, "stored_at": _at(miss.stored_at), "differs": list(miss.differs),
    }  # fmt: skip


def _say_miss(miss: Miss) -> None:
    from promptlab.running.cache import IMPORTED

    t = miss.trial
    turn = f", round {miss.call.round}, {miss.call.purpose}" if miss.call.round or miss.call.purpose != "answer" else ""
    say(f"\ntrial {t.id} ({t.task}, item {t.item.id}, arm {t.arm.name}, {t.model}, replicate {t.replicate}{turn})")
    say(f"  call {miss.call.key[:12]} is not stored")
    if miss.nearest is None:
        say("  and nothing is stored that it could be compared with")
        return
    say(f"  nearest {miss.nearest.removeprefix(IMPORTED)[:12]}, stored {_at(miss.stored_at)}, differs in (stored -> requested):")
    for line in miss.differs or ("nothing that is stored: the address was kept without its credentials",):
        say(f"    {line}")


@cache.command("export")
def export(
    source: Annotated[Path, Argument(help="A run folder, or an experiment's YAML file.")],
    to: Annotated[Path, Option("--to", help="The folder to make.")],
    allow_code: AllowCode = False,
) -> None:
    """Write the requests and answers of a run, or of an experiment from the cache, as plain files that others can import and replay."""
    done, files, others, n_missing = (_of_run if source.is_dir() else _of_experiment)(source, to, allow_code)
    say(f"exported:      {counted(done.n_answers, 'answer')} to {to}{' (SIMULATED: promptlab made them up)' if done.simulated else ''}")
    if n_missing:
        say(f"missing:       {counted(n_missing, 'trial', 'needs')} an answer not stored; sweep first, or `promptlab cache why {source}`")
    if done.n_otherwise:
        say(f"more than one: {done.n_otherwise:,} further answers to requests that were sent more than once, by trial")
    if done.n_without_request:
        say(f"note:          {counted(done.n_without_request, 'answer', 'has')} no recorded request: of no use to anybody after an import")
    for name in files:
        say(f"with it:       {name}")
    for name in others:
        say(f"not in it:     {name}; send it too")
    say(f"replay it:     promptlab cache import {to} && promptlab sweep {to / 'experiment.yaml'} --cache replay")
    if n_missing:
        raise typer.Exit(EXIT_INCOMPLETE)


class _Exported(NamedTuple):
    """What a bundle holds, the files with it, those that are not, and the trials whose answer is not stored."""

    done: Exported
    files: Mapping[str, bytes]
    others: Sequence[str]
    n_missing: int = 0


def _of_run(source: Path, to: Path, allow_code: bool) -> _Exported:
    from promptlab.record import ratings
    from promptlab.record.store import Run
    from promptlab.record.store.files import read_file
    from promptlab.reporting import audited
    from promptlab.reporting.remade import study_of
    from promptlab.running import bundle
    from promptlab.running.own_answers import own_of
    from promptlab.sources.foreign import files_read
    from promptlab.sources.spec.user import consent

    run = Run(source)
    path = source / "experiment.yaml"
    try:
        text = read_file(path).decode(errors="replace")
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read: {error.strerror}; export the experiment file instead of the run") from None
    files: Mapping[str, bytes] = {}
    try:
        with files_read() as found_files:
            files, others = bundle.own_files(study_of(run, consent(allow_code)), found_files)
    except (PromptlabError, OSError) as problem:
        others = [f"the experiment's own files, which cannot be read here ({first_line(problem)})"]
    about = {"experiment": run.manifest.name, "run": run.id, **audited.about(run), "elsewhere": others}
    files = {**files, **ratings.files_in(source)}
    done = bundle.write(bundle.of_run(run), run.manifest.counts.done, text, about, to, own=own_of(run), files=files)
    return _Exported(done, files, others)


def _of_experiment(source: Path, to: Path, allow_code: bool) -> _Exported:
    from promptlab.running import bundle
    from promptlab.running.replay import replayed
    from promptlab.sources.foreign import files_read

    n_missing = 0

    def counting(cache: Cache) -> Iterator[Replayed]:
        nonlocal n_missing
        for one in replayed(study, cache):
            n_missing += one.missing is not None
            yield one

    with files_read() as found_files:
        study = load(source, allow_code)
    files, others = bundle.own_files(study, found_files)
    about = {"experiment": study.experiment.name, "run": study.run_id, "hashes": study.hashes, "elsewhere": others}
    with _opened("replay") as found:
        done = bundle.write(bundle.of_replay(counting(found)), study.design.n_trials, study.text, about, to, files=files)
    return _Exported(done, files, others, n_missing)


@cache.command("import")
def import_(
    folder: Annotated[Path, Argument(help="A folder that `promptlab cache export` made.")],
    replace: Annotated[bool, Option("--replace", help="Where a stored answer differs, take the bundle's.")] = False,
) -> None:
    """Check every file of a bundle and put its answers into the cache, marked: `--cache replay` and `imported` use them, others do not.

    Where a stored answer differs, that one is used, unless --replace.
    """
    from promptlab.running import bundle
    from promptlab.sources.spec.experiment import load_experiment

    if not folder.is_dir():
        raise UsageProblem(f"{folder}: there is no such folder; give the one that `promptlab cache export RUN --to FOLDER` made")
    with _opened(make=True) as found:
        manifest, done = bundle.read(folder), bundle.import_bundle(folder, found, replace)
    simulated = " (SIMULATED: promptlab made them up)" if done.simulated else ""
    say(f"imported:      {done.n_new:,} new answers{simulated}, {done.n_same:,} were there already")
    if done.n_differ:
        what = "replaced" if replace else "kept as they were; --replace takes the bundle's"
        say(f"differ:        {done.n_differ:,} stored answers are others than the bundle's: {what}")
    if done.n_unusable:
        say(f"left out:      {done.n_unusable:,} lines that do not say what they are answers to (no request, or a redacted address)")
    path = folder / "experiment.yaml"
    for name in manifest.get("elsewhere", ()):
        say(f"needed too:    {inert(name)}, which the experiment reads; put it where the author had it")
    try:
        load_experiment(path)
    except FileProblems as error:
        say(f"note:          this promptlab does not read the experiment: {error}")
    say(f"check it:      promptlab audit {folder}")
    say(f"replay it:     promptlab sweep {path} --cache replay")


@cache.command("prune")
def prune(
    older_than: Annotated[str | None, Option(help="Stored longer ago than this: 12h, 30d, 8w.")] = None,
    model: Annotated[str | None, Option(help="Answers of this model, as LiteLLM names it.")] = None,
    damaged: Annotated[bool, Option("--damaged", help="Rows that cannot be read or do not match their digest.")] = False,
    yes: Annotated[bool, Option("--yes", help="Remove them; without it they are only shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what would be removed, and with --yes remove it. Several options together select rows that match all of them."""
    if older_than is None and model is None and not damaged:
        raise UsageProblem("say what to remove: --older-than 30d, --model NAME or --damaged")
    before = None if older_than is None else time.time() - _age_s(older_than)

    def meant(row: Stored) -> bool:
        return (
            (before is None or row.stored_at < before)
            and (model is None or (row.request is not None and row.request["model"] == model))
            and (not damaged or row.problem is not None)
        )

    with _opened() as found:
        n_all = len(found)
        rows = [row._replace(completion=None, request={"model": row.request["model"]} if row.request else None)
                for row in found.stored() if meant(row)]  # fmt: skip
        n_gone = 0
        if yes and rows:
            n_gone = found.remove(rows)
            found.shrink()
        n_bytes = found.n_bytes()
    models = Counter(row.request["model"] if row.request else UNKNOWN_MODEL for row in rows)
    problems = Counter(row.problem for row in rows if row.problem)
    if as_json:
        exit_json({"answers": n_all, "meant": len(rows), "removed": n_gone, "models": models, "problems": problems, "bytes": n_bytes})
    verb = f"{n_gone:,} of {n_all:,} answers removed" if yes else f"{len(rows):,} of {n_all:,} answers would be removed"
    say(f"{verb}: " + (", ".join(f"{n:,} of {name}" for name, n in models.most_common()) or "none fits"))
    for problem, n in problems.most_common():
        say(f"  {n:,}: {problem}")
    if yes:
        say(f"the cache takes {n_bytes / 1e6:,.1f} MB now")
    elif rows:
        say("nothing is removed yet; the same command with --yes does it")


def _age_s(text: str) -> float:
    found = AGE.match(text)
    if not found:
        raise UsageProblem(f"--older-than {text}: expected a number and h, d or w, such as --older-than 30d")
    return int(found[1]) * UNIT_S[found[2]]


def _at(stored_at: float | None) -> str | None:
    if stored_at is None:
        return None
    try:
        return datetime.datetime.fromtimestamp(stored_at, datetime.UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # whatever the row says
        return "an impossible time"
