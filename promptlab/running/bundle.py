"""Requests and answers as plain files that another person can check, import and replay without a key.

bundle/
  manifest.json       format, promptlab's version, counts, and of every other file its bytes and SHA-256
  experiment.yaml     the experiment as it was given
  answers-*.jsonl     one request and its answer a line, sorted by key; split by the first digits of the key where there are many
  own-answers.jsonl   failures, and further answers to a request that is there already, by trial
  ...                 the files that the experiment reads, where they were next to it

Reading trusts nothing: only files that the manifest lists, of the names above, no links, bounded sizes, every checksum and every
line's own digest; and nothing is imported before all of it is checked. A checksum tells damage, not who wrote the answers.

Stored answers can be scored again too: the experiment as it is now, over what a run recorded. Nothing is sent then.

Above 400 lines: reader and writer of one format belong together.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import promptlab
from promptlab.nouns import MARK, Call, CallRow, Completion, ModelAsked, UsageProblem, digest, home, row_of, shipped
from promptlab.nouns.errors import FileProblems, Problem, RunProblem, first_line
from promptlab.nouns.places import PACKAGE
from promptlab.nouns.words import FINISH_OUTCOMES, Scorer, finish_word
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run, write_whole
from promptlab.running import own_answers
from promptlab.running.cache import IMPORTED, Cache, Request, request_of
from promptlab.running.cache.rows import MISREAD, body_of, completion_of, request_from, write_json
from promptlab.running.progress import Execution, Progress
from promptlab.running.replay import Replayed
from promptlab.running.sweep import Sweep, run_sweep
from promptlab.running.trial_rows import completion_in
from promptlab.scoring.code import Consent
from promptlab.sources.foreign import json_value, lines_of, read_bytes, sha256_of
from promptlab.strategies.loop import DRAWS_A_ROUND

FORMAT = 1
SHARD_ROWS = 5_000
"""Answers in one file, about: each is sorted in memory."""
ANSWERS = re.compile(r"answers(-[0-9a-f]{1,2})?\.jsonl\Z")
EXPERIMENT = "experiment.yaml"
MANIFEST = "manifest.json"
MANIFEST_LIMIT = 2**20
EXPERIMENT_LIMIT = 4 * 2**20
FILE_LIMIT = 2 * 2**30
KEY = re.compile(r"[0-9a-f]{64}\Z")
OWN = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._ -]{0,99}/){0,8}[A-Za-z0-9_][A-Za-z0-9._ -]{0,99}")
"""Places of files of the user's own that a bundle may hold."""
ABOUT = ("counts", "hashes", "chain", "cells", "earlier", "registered", "environment", "ratings")
"""What a bundle's manifest says by name."""
RECORD = ("plan.json", "manifest.json", "items.parquet", "looks.json")
"""Files of a run folder that resolving its experiment reads."""
NO_FILES: Mapping[str, bytes] = MappingProxyType({})
MOST_DRAWS = 64
BLOCK, BLOCK_BYTES = 500, 32 * 2**20
"""What is put into the cache at once, whichever comes first."""
MOST_TOLD = 20


class Exchange(NamedTuple):
    """A request and its answer; the request is None where nothing says what it was."""

    key: str
    completion: Completion
    request: Request | None


class Exported(NamedTuple):
    """What went into a bundle."""

    folder: Path
    n_answers: int
    n_without_request: int
    n_otherwise: int
    """Further answers to a request that is in the bundle already, and that differ: the first one is kept."""
    simulated: bool


class Imported(NamedTuple):
    """What came out of one."""

    n_new: int
    n_same: int
    n_differ: int
    n_unusable: int
    """Lines without a request, or with a redacted address: nothing says what they are answers to, so they answer nothing."""
    simulated: bool


def of_run(run: Run) -> Iterator[Exchange]:
    """The requests and answers of a run, as its folder records them; failed calls are left out."""
    plan = run.plan
    if plan.imported:
        raise UsageProblem(f"{run.folder}: an imported run has no requests of its own, so there is nothing to replay")
    models = run.manifest.models
    for trial, calls in run.records():
        model = models.get(trial["model"], ModelAsked())
        first = trial["replicate"] + (plan.replicates if trial["role"] == "aa" else 0)
        for call in (row_of(CallRow, found) for found in calls):
            if call.outcome != "error":
                asked = models.values() if call.purpose == "score" else (model,)  # a row does not say which judge it asked
                requests = (_request(call, one, 0 if call.purpose == "score" else first) for one in asked)
                yield Exchange(call.key, completion_in(call), next(filter(None, requests), None))


def _request(call: CallRow, model: ModelAsked, first: int) -> Request | None:
    """The request of a recorded call. The record does not say which draw it was, but its key does."""
    messages, sampling = tuple(json.loads(call.messages)), json.loads(call.requested)
    for draw in (first + n * DRAWS_A_ROUND for n in range(MOST_DRAWS)):
        asked = Call(model.litellm_name, messages, sampling, draw, model.api_base)
        if asked.key == call.key:
            return request_of(asked)
    return None


def of_replay(found: Iterable[Replayed]) -> Iterator[Exchange]:
    """The requests and answers of an experiment's trials, as far as the cache holds them."""
    for trial in found:
        for call, completion in trial.made:
            yield Exchange(call.key, completion, request_of(call))


def own_files(study: Study, read_: Iterable[Path]) -> tuple[dict[str, bytes], list[str]]:
    """The files of the user's own that an experiment reads, by their places next to it; and those that lie elsewhere, with their hashes."""
    bases = [study.base.absolute(), study.path.parent.absolute()]
    inside: dict[str, bytes] = {}
    outside = []
    for path in dict.fromkeys([*read_, *(code.file.absolute() for code in study.code if code.file is not None)]):
        of_record = path.parent == study.path.parent.absolute() and path.name in RECORD
        if of_record or path == study.path.absolute() or any(path.is_relative_to(place) for place in (PACKAGE, shipped("stimuli"), home())):
            continue
        base = next((base for base in bases if path.is_relative_to(base)), None)
        name = path.relative_to(base).as_posix() if base else path.name
        data = path.read_bytes()
        if base is None or not OWN.fullmatch(name) or name in (EXPERIMENT, MANIFEST, own_answers.FILE) or ANSWERS.match(name):
            outside.append(f"{name}, SHA-256 {hashlib.sha256(data).hexdigest()}")
        else:
            inside[name] = data
    return inside, outside


def write(
    exchanges: Iterable[Exchange],
    n_expected: int,
    experiment: str,
    about: Mapping[str, Any],
    folder: Path,
    *,
    own: Iterable[own_answers.Own] = (),
    files: Mapping[str, bytes] = NO_FILES,
) -> Exported:
    """Write a bundle, whole or not at all; the same answers give the same bytes."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageProblem(f"{folder}: is there already; give a folder that is new or empty with --to")
    making = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        making.mkdir(parents=True)
        beside = dict(files)
        if rows := sorted(write_json(own_answers.row_of_own(one)) for one in own):
            beside[own_answers.FILE] = "".join(f"{row}\n" for row in rows).encode()
        done = _write(exchanges, n_expected, experiment, about, making, beside)
        making.replace(folder)
    except OSError as error:
        raise RunProblem(f"{folder}: cannot be written: {error.strerror}; make room, or choose another place with --to") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return done._replace(folder=folder)


def _write(
    exchanges: Iterable[Exchange], n_expected: int, experiment: str, about: Mapping[str, Any], folder: Path, beside: Mapping[str, bytes]
) -> Exported:
    n_digits = 0 if n_expected <= SHARD_ROWS else 1 if n_expected <= 16 * SHARD_ROWS else 2
    seen: dict[bytes, bytes] = {}
    n_without = n_otherwise = 0
    simulated = False
    with ExitStack() as stack:
        shards: dict[str, Any] = {}
        for key, completion, request in exchanges:
            body = body_of(completion)
            checksum, known = hashlib.sha256(write_json(body).encode()).digest()[:8], bytes.fromhex(key)
            if known in seen:
                n_otherwise += seen[known] != checksum
                continue
            seen[known] = checksum
            n_without += request is None
            simulated = simulated or (request is not None and request["model"].startswith("sim/"))
            row = {"key": key, "digest": digest([key, body, request]), "completion": body, "request": request}
            name = f"answers-{key[:n_digits]}.jsonl" if n_digits else "answers.jsonl"
            if name not in shards:
                shards[name] = stack.enter_context((folder / name).open("wb"))
            shards[name].write(write_json(row).encode() + b"\n")
    for name in shards:
        path = folder / name
        path.write_bytes(b"".join(sorted(path.read_bytes().splitlines(keepends=True))))  # a line begins with its key
    (folder / EXPERIMENT).write_bytes(experiment.encode("utf-8"))
    for name, data in beside.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    names = sorted([EXPERIMENT, *shards, *beside])
    files: dict[str, dict[str, Any]] = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names
    }
    for name in set(beside) - {own_answers.FILE}:
        files[name]["own"] = True
    counts = {"answers": len(seen), "without_request": n_without, "answered_otherwise": n_otherwise}
    manifest = {
        "format": FORMAT,
        "holds": "promptlab answers",
        "promptlab": promptlab.__version__,
        "simulated": simulated,
        **about,
        "counts": counts,
        "files": files,
    }
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    return Exported(folder, len(seen), n_without, n_otherwise, simulated)


def read(folder: Path) -> dict[str, Any]:
    """A bundle's manifest, after everything in the folder is checked against it; FileProblems says what is wrong."""
    manifest = _manifest(folder)
    problems = list(_strangers(folder, manifest["files"]))[:MOST_TOLD]
    if not problems:  # else nothing of it is opened
        problems = [p for name, listed in sorted(manifest["files"].items()) for p in _problems_of(folder / name, listed)][:MOST_TOLD]
    if problems:
        raise FileProblems(problems)
    return manifest


def import_bundle(folder: Path, cache: Cache, replace: bool = False) -> Imported:
    """Put a bundle's answers into the cache, marked as imported; where one is there and differs, that is used on, unless `replace`."""
    manifest = read(folder)
    counts, n_unusable = [0, 0, 0], 0
    simulated = False
    for name in sorted(name for name, listed in manifest["files"].items() if listed.get("own") is not True and name != own_answers.FILE):
        block: dict[str, Exchange] = {}
        n_bytes = 0
        for exchange, size in _exchanges(folder / name) if name != EXPERIMENT else ():
            if exchange.request is None or MARK in (exchange.request["api_base"] or ""):
                n_unusable += 1
                continue
            block[exchange.key] = exchange
            n_bytes += size
            simulated = simulated or exchange.request["model"].startswith("sim/")
            if len(block) >= BLOCK or n_bytes >= BLOCK_BYTES:
                _import_block(block, cache, replace, counts)
                block, n_bytes = {}, 0
        _import_block(block, cache, replace, counts)
    n_new, n_same, n_differ = counts
    return Imported(n_new, n_same, n_differ, n_unusable, simulated)


def _import_block(block: Mapping[str, Exchange], cache: Cache, replace: bool, counts: list[int]) -> None:
    found = cache.get_many([*block, *(IMPORTED + key for key in block)])
    here = {key: answer for key in block if (answer := found.get(IMPORTED + key) or found.get(key))}
    new = [e for e in block.values() if e.key not in here]
    other = [e for e in block.values() if e.key in here and body_of(here[e.key]) != body_of(e.completion)]
    cache.put_many([e._replace(key=IMPORTED + e.key) for e in ([*new, *other] if replace else new)])
    for i, n in enumerate((len(new), len(block) - len(new) - len(other), len(other))):
        counts[i] += n


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    again = "export it again"
    if folder.is_dir() and not os.path.lexists(path):
        raise FileProblems([Problem(path, None, "missing, so this folder is no bundle; `promptlab cache export` makes one")])
    try:
        found = json_value(read_bytes(path, MANIFEST_LIMIT, folder), once=True)
    except OSError as error:
        raise FileProblems([Problem(path, None, f"cannot be read: {error.strerror or error}; {again}")]) from None
    except MISREAD as error:
        raise FileProblems([Problem(path, None, f"not readable as JSON ({first_line(error)}); {again}")]) from None
    if not isinstance(found, dict) or found.get("holds") != "promptlab answers":
        raise FileProblems([Problem(path, None, "not the manifest of a bundle; `promptlab cache export` makes one")])
    if found.get("format") != FORMAT:
        raise FileProblems([Problem(path, None, f"written in bundle format {found.get('format')!r}, and this promptlab reads {FORMAT}")])
    if odd := [name for name in ABOUT if not isinstance(found.get(name, {}), dict)]:
        raise FileProblems([Problem(path, None, f"{', '.join(odd)}: not as promptlab writes them; {again}")])
    files = found.get("files")
    if not isinstance(files, dict) or not all(isinstance(listed, dict) for listed in files.values()) or EXPERIMENT not in files:
        raise FileProblems([Problem(path, None, f"'files' must name {EXPERIMENT} and every other file; {again}")])
    return found


def _strangers(folder: Path, files: Mapping[str, Any]) -> Iterator[Problem]:
    alike = Counter(name.casefold() for name in (*files, MANIFEST))
    for name in sorted(files):
        if alike[name.casefold()] > 1:
            yield Problem(folder / MANIFEST, None, f"lists {name!r}, which is another file's name in other letters; do not import it")
        own = files[name].get("own") is True and OWN.fullmatch(name) and name != MANIFEST
        if name not in (EXPERIMENT, own_answers.FILE) and not ANSWERS.match(name) and not own:
            yield Problem(
                folder / MANIFEST, None, f"lists {name!r}, and a bundle holds {EXPERIMENT} and answers-*.jsonl only; do not import it"
            )
        elif not os.path.lexists(folder / name):
            yield Problem(folder / name, None, "missing, and the manifest lists it; export the bundle again")
        elif not stat.S_ISREG((folder / name).lstat().st_mode) or any((folder / part).is_symlink() for part in Path(name).parents):
            yield Problem(folder / name, None, "not a regular file; do not import this bundle")
    parents = {str(part) for name in files for part in Path(name).parents}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    for name in sorted(there - set(files) - parents - {MANIFEST}):
        yield Problem(folder / MANIFEST, None, f"does not list {name!r}, which is in the folder; take it out, or do not import this bundle")


def _problems_of(path: Path, listed: Mapping[str, Any]) -> list[Problem]:
    limit = EXPERIMENT_LIMIT if path.name == EXPERIMENT else FILE_LIMIT
    size = path.stat().st_size
    if size > limit:
        return [Problem(path, None, f"{size:,} bytes, and no more than {limit:,} are read; do not import this bundle")]
    if size != listed.get("bytes") or sha256_of(path) != listed.get("sha256"):
        return [Problem(path, None, "not what the manifest says (bytes or SHA-256 differ): changed since the export; get it again")]
    if path.name == EXPERIMENT or (listed.get("own") is True and path.name != own_answers.FILE):
        return []
    try:
        if path.name == own_answers.FILE:
            for _ in own_answers.own_from_file(path):
                pass
            return []
        for _ in _exchanges(path):
            pass
    except FileProblems as error:
        return list(error.problems)
    except MISREAD as error:
        return [Problem(path, None, f"{error}; do not import this bundle")]
    return []


def _exchanges(path: Path) -> Iterator[tuple[Exchange, int]]:
    """The lines of one file with their lengths; FileProblems at the first that is not what an export writes."""
    number = 1
    try:
        for line in lines_of(path, own_answers.LINE_LIMIT):
            yield _exchange(json_value(line)), len(line)
            number += 1
    except MISREAD as error:
        why = str(error) if type(error) is ValueError else f"no answer as promptlab writes it ({type(error).__name__})"
        raise FileProblems([Problem(path, number, f"{why}; do not import this bundle")]) from None


def _exchange(row: Any) -> Exchange:  # noqa: ANN401 (whatever the file holds)
    if not isinstance(row, dict) or row.keys() != {"key", "digest", "completion", "request"}:
        raise ValueError("a line has other fields")
    key, request = row["key"], row["request"]
    if not isinstance(key, str) or not KEY.match(key):
        raise ValueError("the key is no SHA-256")
    if row["digest"] != digest([key, row["completion"], request]):
        raise ValueError("the line does not match its digest")
    if request is not None and MARK not in (request_from(request)["api_base"] or "") and digest(request) != key:
        raise ValueError("the key is not that of the request")
    completion = completion_of(row["completion"])
    known = FINISH_OUTCOMES.get(finish_word(completion.finish_reason or ""), "truncated" if completion.finish_reason else "ok")
    if known == "error" or (known != "ok" and completion.outcome in ("ok", "empty")):
        raise ValueError(f"the outcome is not what the finish reason {completion.finish_reason!r} says")
    return Exchange(key, completion, request)


def study_again(run: Run, experiment: Path | None = None, scorer: Scorer | None = None, consent: Consent | None = None) -> Study:
    """The experiment of a run as its files are now, perhaps under another scorer; UsageProblem where that would be the same run.

    `experiment` is the file where it is no longer at the path that the run knows.
    """
    plan = run.plan
    if plan.imported:
        raise UsageProblem(f"{run.folder}: an imported run holds no requests, so its answers cannot be scored again")
    path = experiment or run.experiment_file
    if path is None or not path.is_file():
        raise UsageProblem(
            f"the run comes from {path or run.manifest.experiment_path}, which is not there; name the file with --experiment"
        )
    study = resolve(path, len(plan.looks) or None, scorer=scorer, consent=consent)
    if study.run_id == run.id:
        raise UsageProblem(f"{run.id}: nothing has changed since, neither the metric nor the scorer, so there is nothing to score again")
    return study


def rescore(run: Run, study: Study, runs: Path, observe: Callable[[Progress], None]) -> Sweep:
    """A sweep of `study` whose answers all come from the record of `run`; trials that need another answer are left out and counted."""
    with tempfile.TemporaryDirectory(prefix="promptlab-") as folder:
        own = put_into(Path(folder), run)
        return run_sweep(study, runs, Path(folder), Execution(cache="replay", own=own), observe)


def put_into(cache: Path, run: Run) -> dict[tuple[str, str], Completion]:
    """Put the answers of a run into a cache; those that only one trial has, by its id and their key."""
    answers = Cache(cache)
    found = of_run(run)
    while block := list(islice(found, BLOCK)):
        answers.put_many(block)
    answers.close()
    return {(one.trial, one.key): one.completion for one in own_answers.own_of(run)}
