"""What a bundle holds next to one answer for each request: answers and failures that one trial alone had, and the author's hashes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from promptlab.nouns import UNREADABLE, CallRow, Completion, digest, row_of
from promptlab.planning.study import Study
from promptlab.record.registry import bundled
from promptlab.record.store import Run
from promptlab.running.cache.rows import body_of, completion_of
from promptlab.running.trial_rows import completion_in
from promptlab.sources.foreign import check_regular, json_value, lines_of

FILE = "own-answers.jsonl"
LIMIT = 2**30
LINE_LIMIT = 16 * 2**20


class Own(NamedTuple):
    """An answer, or a failure, that one trial had and the first answer to the same request is not."""

    trial: str
    key: str
    completion: Completion


def own_of(run: Run) -> Iterator[Own]:
    """Those of a run: failed calls, and further answers to requests that were sent more than once."""
    first: dict[str, str] = {}
    for trial, calls in run.records():
        for call in (row_of(CallRow, found) for found in calls):
            completion = completion_in(call)
            if call.outcome == "error":
                yield Own(trial["trial"], call.key, completion)
                continue
            checksum = digest(body_of(completion))[:16]
            if first.setdefault(call.key, checksum) != checksum:
                yield Own(trial["trial"], call.key, completion)


def row_of_own(own: Own) -> dict[str, Any]:
    """As a line of the bundle."""
    body = body_of(own.completion)
    return {"trial": own.trial, "key": own.key, "digest": digest([own.trial, own.key, body]), "completion": body}


def own_from(row: Any) -> Own:  # noqa: ANN401 (whatever the file holds)
    """A line of the bundle; ValueError where it is not one."""
    if not isinstance(row, dict) or row.keys() != {"trial", "key", "digest", "completion"}:
        raise ValueError("a line has other fields")
    body = row["completion"]
    if row["digest"] != digest([row["trial"], row["key"], body]):
        raise ValueError("the line does not match its digest")
    failed = isinstance(body, dict) and body.get("outcome") == "error"
    completion = completion_of({**body, "outcome": "empty"} if failed else body)
    completion.outcome = "error" if failed else completion.outcome
    return Own(str(row["trial"]), str(row["key"]), completion)


def own_from_file(path: Path) -> Iterator[Own]:
    """The lines of the bundle's file; OSError or ValueError where it is not one."""
    return (own_from(json_value(line)) for line in lines_of(path, LINE_LIMIT))


def own_in(folder: Path) -> Mapping[tuple[str, str], Completion]:
    """Those in the bundle that an experiment lies in; nothing where it is not one."""
    found: dict[tuple[str, str], Completion] = {}
    with contextlib.suppress(OSError, *UNREADABLE):
        check_regular(folder / FILE, LIMIT, folder)
        for own in own_from_file(folder / FILE):
            found[own.trial, own.key] = own.completion
    return found


def unlike_bundle(study: Study) -> list[str]:
    """That experiment, data or stimuli here are not those of the bundle's author."""
    theirs = bundled(study.path.parent, "hashes")
    names = [name for name, value in study.hashes.items() if theirs and theirs.get(name) != value]
    what = f"not what the author of the bundle had: {', '.join(names)}; trials that need other answers are left out"
    return [what] if names else []
