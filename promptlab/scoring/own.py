"""Metrics of the user's own, `package.module:function`: run as work, and believed only where what they return is a score."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from promptlab.nouns import Case, Item, Metric, Scored, Scoring, ScoringFailed, Steps, UsageProblem, Work
from promptlab.scoring.answers.thoughts import spoken
from promptlab.scoring.code import Code, function_of

T = TypeVar("T")
SHOWN = 200
"""Characters of a value that a message quotes."""


def is_own(name: str) -> bool:
    """Whether a metric's name says where a function of the user's own is."""
    return ":" in name and not name.startswith("regex:")


def own_scoring(code: Code) -> Scoring:
    """The scoring by a function that a task file names; UsageProblem where it is not one. Without consent nothing runs.

    The function takes the answer without thoughts, and its item,
    may be `async`, and returns a `Scored`, a number from 0 to 1, or a truth value.
    """
    files = {code.file} if code.file else set()
    if code.refused:
        return Scoring(code.name, None, partial(_not_run, why=code.refused), identity=_identity(files), refused=code.refused)
    function = function_of(code)
    if not callable(function):
        raise UsageProblem(f"{code.what} is not a function, found {type(function).__name__}")
    if (compiled := getattr(inspect.unwrap(function), "__code__", None)) and Path(compiled.co_filename).is_file():
        files |= {Path(compiled.co_filename).resolve()}  # where a package only passes it on
    return Scoring(code.name, None, partial(_scored, name=code.name, function=function), identity=_identity(files))


def timed_scoring(name: str, metric: Metric) -> Scoring:
    """The scoring by a metric that may take long: run as work, never in the event loop."""
    return Scoring(name, None, partial(_timed, name=name, metric=metric))


def settled(steps: Steps[T]) -> T:
    """The result of a generator of work, outside of any engine; TypeError where it asks a model."""
    sent = None
    while True:
        try:
            request = steps.send(sent)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if not isinstance(request, Work):
            raise TypeError("only an engine makes calls")
        sent = worked(request)


def worked(work: Work) -> Any:  # noqa: ANN401 (what the user's code returns)
    """The result of work, or the exception that it raised, outside of any engine."""
    try:
        result = work.function(*work.arguments)
        if inspect.isawaitable(result):
            with ThreadPoolExecutor(1) as beside:  # the caller may be inside an event loop
                return beside.submit(asyncio.run, _awaited(result)).result()
        return result
    except (Exception, SystemExit) as error:  # whatever code of the user's raises
        return error


async def _awaited(result: Awaitable[Any]) -> Any:  # noqa: ANN401
    return await result


def _not_run(answer: str, item: Item, case: Case, *, why: str) -> Steps[Scored]:
    raise ScoringFailed(why)
    yield  # a generator that asks nothing


def _timed(answer: str, item: Item, case: Case, *, name: str, metric: Metric) -> Steps[Scored]:
    result = yield Work(metric, (answer, item))
    if isinstance(result, ScoringFailed):
        raise ScoringFailed(f"item {item.id!r}: {result}")
    return result if isinstance(result, Scored) else _believed(result, answer, f"the metric {name!r} on item {item.id!r}")


def _identity(files: Iterable[Path]) -> str:
    each = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return hashlib.sha256("".join(each).encode()).hexdigest()


def _scored(answer: str, item: Item, case: Case, *, name: str, function: Callable[..., Any]) -> Steps[Scored]:
    answer = spoken(answer)
    return _believed((yield Work(function, (answer, item))), answer, f"the metric {name!r} on item {item.id!r}")


def _believed(result: object, answer: str, which: str) -> Scored:
    """What a metric returned, as a score; ScoringFailed names function, item and value."""
    if isinstance(result, BaseException):
        raise ScoringFailed(f"{which}: {type(result).__name__}: {_shown(str(result))}")
    score: Any
    score, read = (result.score, result.extracted) if isinstance(result, Scored) else (result, answer)
    if getattr(score, "shape", None) == ():  # a scalar of numpy's
        score = score.item()
    if not isinstance(score, Real):
        kind = f"a score that is {type(score).__name__}" if isinstance(result, Scored) else type(score).__name__
        raise ScoringFailed(f"{which} returned {kind}: {_shown(repr(score))}; expected Scored, or a number from 0 to 1")
    value = float(score)
    if not 0 <= value <= 1:  # NaN is in no range
        raise ScoringFailed(f"{which} returned the score {value!r}; expected a number from 0 to 1")
    if read is not None and not isinstance(read, str):
        raise ScoringFailed(f"{which} returned as extracted {type(read).__name__}: {_shown(repr(read))}; expected text or None")
    return Scored(value, read)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
