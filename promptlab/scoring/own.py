"""Metrics of the user's own, `package.module:function`: run as work, and believed only where what they return is a score."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from numbers import Real
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from promptlab.nouns import Call, Item, Scored, Scoring, ScoringFailed, Steps, UsageProblem, Work
from promptlab.scoring.answers.thoughts import spoken

T = TypeVar("T")
SHOWN = 200
"""Characters of a value that a message quotes."""
_loaded: dict[str, str] = {}
"""SHA-256 of the source that each module in this process was made from."""


def is_own(name: str) -> bool:
    """Whether a metric's name says where a function of the user's own is."""
    return ":" in name and not name.startswith("regex:")


def own_scoring(name: str) -> Scoring:
    """The scoring of `package.module:function`, found from the folder that the user works in; UsageProblem where there is none.

    The function takes the answer without thoughts, and its item,
    may be `async`, and returns a `Scored`, a number from 0 to 1, or a truth value.
    """
    module_name, _, function_name = name.partition(":")
    try:
        module, files = _module(module_name)
        function = getattr(module, function_name)
    except (ImportError, AttributeError, ValueError) as error:  # ValueError: no module name before the colon
        raise UsageProblem(f"the metric {name!r} cannot be loaded: {error}") from None
    if not callable(function):
        raise UsageProblem(f"the metric {name!r} is not a function, found {type(function).__name__}")
    if (code := getattr(inspect.unwrap(function), "__code__", None)) and Path(code.co_filename).is_file():
        files |= {Path(code.co_filename).resolve()}  # where a package only passes it on
    source = hashlib.sha256("".join(sorted(map(_digest, files))).encode()).hexdigest()
    return Scoring(name, None, partial(_scored, name=name, function=function), identity=source)


def settled(steps: Steps[T]) -> T:
    """What a generator of work comes to, outside of any engine; TypeError where it asks a model."""
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


def _scored(answer: str, item: Item, call: Call, *, name: str, function: Callable[..., Any]) -> Steps[Scored]:
    del call
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


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _module(name: str) -> tuple[ModuleType, set[Path]]:
    """A module as its file is now, and that file: a file that changed while this process runs is another metric."""
    if "" not in sys.path:  # as `python -m` does: modules of the folder that the user works in
        sys.path.append("")
    importlib.invalidate_caches()
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return importlib.import_module(name), set()
    path = Path(spec.origin).resolve()
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    module = sys.modules.get(name)
    if module is None or _loaded.setdefault(name, digest) != digest:
        # from the very bytes that are hashed: Python's own cache knows a file by its size and the second of its last change
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            exec(compile(data, str(path), "exec"), module.__dict__)  # noqa: S102 (code that the user named)
        except BaseException as error:
            del sys.modules[name]
            if isinstance(error, ImportError) or not isinstance(error, Exception):
                raise
            raise ImportError(f"{type(error).__name__}: {error}") from error
    _loaded[name] = digest
    return module, {path}
