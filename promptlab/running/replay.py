"""An experiment answered by the cache alone: which of its calls are there, and what the nearest stored one has that is different."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from promptlab.design.cross import trials
from promptlab.nouns import Call, Completion, Trial
from promptlab.planning.study import Study
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache, Request, request_of
from promptlab.running.engine import Engine, Pending, engine_of
from promptlab.running.progress import Progress
from promptlab.scoring.own import worked

BLOCK = 500
ABSENT = object()


class Replayed(NamedTuple):
    """One trial as far as the cache goes; the calls carry the name that LiteLLM knows their model by, as the keys do."""

    trial: Trial
    made: list[tuple[Call, Completion]]
    missing: Call | None


class Miss(NamedTuple):
    """A call that is not stored, the stored request nearest to it, and the fields that differ, as `name: stored -> asked`."""

    trial: Trial
    call: Call
    nearest: str | None
    stored_at: float | None
    differs: tuple[str, ...]


def replayed(study: Study, cache: Cache, wanted: Callable[[Trial], bool] = lambda _: True) -> Iterator[Replayed]:
    """Every wanted trial, driven by stored answers up to the first that is missing. Sends nothing and needs no key."""
    if any(arm.strategy.needs & {"verifier", "reader"} for arm in study.design.arms):
        study.need_consent()  # the next prompt depends on scores
    engine = engine_of(study, cache, Budget(None), Progress(n_planned=study.design.n_trials), None)
    for trial in trials(study.design):
        if wanted(trial):
            yield _replayed(engine, cache, trial)


def _replayed(engine: Engine, cache: Cache, trial: Trial) -> Replayed:
    after = engine.first(trial)
    followed: list[tuple[Call, Completion]] = []
    while isinstance(after, Pending):
        if after.work is not None:
            after = engine.step(after, worked(after.work))
            continue
        found: list[Completion] = []
        for call, key in zip(after.calls, after.keys, strict=True):
            if (stored := cache.get(key)) is None:
                after.steps.close()
                return Replayed(trial, followed, engine.asked(call))
            found.append(stored)
            followed.append((engine.asked(call), stored))
        after = engine.step(after, after.answered(found))
    return Replayed(trial, followed, None)


def explained(cache: Cache, missing: Sequence[Replayed]) -> tuple[list[Miss], int]:
    """What each first missing call differs in from the stored request nearest to it, and how many rows do not say their request.

    Nearest is the one whose messages differ least, and among those the one with the fewest other differences.
    """
    asked = [(found.trial, found.missing, request_of(found.missing)) for found in missing if found.missing is not None]
    best: list[tuple[tuple[int, int, int], str, float, Request] | None] = [None] * len(asked)
    n_silent = 0
    for row in cache.stored():
        if row.request is None:
            n_silent += row.completion is not None
            continue
        for i, (_, _, request) in enumerate(asked):
            so_far = best[i]
            rank = _distance(request, row.request, so_far[0] if so_far else None)
            if rank is not None:
                best[i] = (rank, row.key, row.stored_at, row.request)
    return [
        Miss(trial, call, found[1], found[2], tuple(differences(found[3], request))) if found else Miss(trial, call, None, None, ())
        for (trial, call, request), found in zip(asked, best, strict=True)
    ], n_silent


def _distance(asked: Request, stored: Request, best: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
    """How far two requests are apart; None when that is no nearer than `best`."""
    texts = [_text(asked), _text(stored)]
    apart = 0 if texts[0] == texts[1] else _apart(*texts)
    if best is not None and apart > best[0]:
        return None
    fields = sum(old != new for name, old, new in _fields(stored, asked) if name != "messages")
    rank = (apart, fields, abs(asked["draw"] - stored["draw"]))
    return rank if best is None or rank < best else None


def _text(request: Request) -> str:
    return "\0".join(part for message in request["messages"] for part in message.values())


def _apart(a: str, b: str) -> int:
    """Characters from the first difference to the last, in the longer of the two."""
    start = _shared(a, b)
    end = min(_shared(a[::-1], b[::-1]), min(len(a), len(b)) - start)
    return max(len(a), len(b)) - start - end


def _shared(a: str, b: str) -> int:
    """The length of the beginning that both share, by halving: far faster than one by one."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a.startswith(b[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def _fields(stored: Request, asked: Request) -> Iterator[tuple[str, Any, Any]]:
    for name in ("version", "model", "api_base", "draw", "messages"):
        yield name, stored[name], asked[name]
    both: tuple[Mapping[str, Any], Mapping[str, Any]] = (stored["sampling"], asked["sampling"])
    for key in sorted(both[0].keys() | both[1].keys()):
        yield f"sampling.{key}", both[0].get(key, ABSENT), both[1].get(key, ABSENT)


def differences(stored: Request, asked: Request) -> Iterator[str]:
    """Every field that differs, as `name: stored -> asked`; of messages, where they begin to."""
    for name, old, new in _fields(stored, asked):
        if old == new:
            continue
        if name != "messages":
            yield f"{name}: {_shown(old)} -> {_shown(new)}"
        elif [message.get("role") for message in old] != [message.get("role") for message in new]:
            yield f"messages: {_roles(old)} -> {_roles(new)}"
        else:
            for number, (one, other) in enumerate(zip(old, new, strict=True)):
                if one != other:
                    yield f"messages[{number}] differs at {_first_difference(str(one.get('content')), str(other.get('content')))}"


def _shown(value: object) -> str:
    return "not set" if value is ABSENT else repr(value)


def _roles(messages: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(str(message.get("role")) for message in messages) or "none"


def _first_difference(old: str, new: str) -> str:
    at = _shared(old, new)
    start = max(0, at - 12)
    return f"character {at}: {_cut(old, start)} -> {_cut(new, start)}"


def _cut(text: str, start: int, length: int = 40) -> str:
    return f"{'...' if start else ''}{text[start : start + length]!r}{'...' if len(text) > start + length else ''}"
