"""Files and batches handed over to providers and collected from them: no batch starts twice, and a note says what went wrong.

`batches.json` holds every batch of a run and what is known of it, written before and after each request that could cost money. The
keys of a batch's requests are in `batches/0001.json`, because they never change. A batch goes through these states:

prepared    its file is not known to be there; nothing can have been paid: it is forgotten, and its requests are sent again
uploaded    its file is there, and it may exist: it is looked for by tag and file before it is begun
begun       `batch` is its id; `status` is the provider's word for how far it is
closed      its answers are stored, and its state is never read again
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

from promptlab.nouns import BatchPart, Call, Model, RunProblem, digest
from promptlab.nouns.words import counted
from promptlab.record.store import now, write_whole
from promptlab.record.store.reading import BATCH_FOLDER, BATCHES, batch_keys_in, batch_keys_path, batches_in
from promptlab.running.batch.service import ENDED, ENDPOINT, OVER_LITELLM, LiteLLMBatches, OpenAIBatches, Remote, Results, read_results
from promptlab.running.gateway import RetryPolicy, WireError
from promptlab.running.gateway.failures import RETRIED, STOPPING, Boundary
from promptlab.running.gateway.stopping import stop_reason
from promptlab.running.progress import Progress

FORMAT = 1
ID_LENGTH = 40
"""Characters of a key that name its request in a file: few enough for every provider, many enough to tell files apart."""


class Ledger:
    """The batches of one run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / BATCHES
        self._folder = folder / BATCH_FOLDER
        self._run_id = folder.name
        mark, self.parts = batches_in(folder)
        self._mark = mark or secrets.token_hex(4)
        for part in [part for part in self.parts if part.input_file is None and not part.closed]:
            self.drop(part)

    @property
    def open(self) -> list[BatchPart]:
        return [part for part in self.parts if not part.closed]

    def add(self, model: str, until: int, keys: list[str], usd: float, tokens: int) -> BatchPart:
        """A new part, durable before this returns. Its tag says the run, this folder, the wave and the requests."""
        wave = 1 + max((part.wave for part in self.parts if part.model == model and part.closed), default=0)
        number = 1 + max((part.number for part in self.parts), default=0)
        tag = f"{self._run_id}/{self._mark}/{wave}/{digest([number, *keys])[:16]}"
        part = BatchPart(
            number=number, wave=wave, model=model, tag=tag, until=until, n_requests=len(keys), reserved_usd=usd, reserved_tokens=tokens
        )
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._keys_path(part), json.dumps({"tag": tag, "keys": {key[:ID_LENGTH]: key for key in keys}}, indent=0).encode())
        self.parts.append(part)
        self.save()
        return part

    def drop(self, part: BatchPart) -> None:
        """Forget a part that no provider has started."""
        self.parts.remove(part)
        self.save()
        self._keys_path(part).unlink(missing_ok=True)

    def keys(self, part: BatchPart) -> Mapping[str, str]:
        """The keys of a part's requests by their names in its file."""
        return batch_keys_in(self._path.parent, part)

    def save(self) -> None:
        """Write all that is known."""
        state = {"format": FORMAT, "run": self._run_id, "mark": self._mark, "batches": [asdict(part) for part in self.parts]}
        write_whole(self._path, (json.dumps(state, indent=2) + "\n").encode())

    def _keys_path(self, part: BatchPart) -> Path:
        return batch_keys_path(self._path.parent, part)


def refuse_open(folder: Path) -> None:
    """RunProblem where batches of this run are not collected: an ordinary sweep would pay their requests again."""
    waiting = [part for part in batches_in(folder)[1] if not part.closed and part.input_file]
    if waiting:
        n = sum(part.n_requests for part in waiting)
        raise RunProblem(
            f"{folder}: {counted(n, 'request')} of this run wait in {counted(len(waiting), 'batch')}, and would be paid twice; run "
            f"the same command with --batch to collect them (to give them up, cancel them at the provider first)"
        )


SETTLE_S = 10.0
"""After so long a batch that was begun is in its provider's list."""
CERTAIN: frozenset[Boundary] = frozenset(
    {"auth", "quota", "rate", "policy", "request", "model", "length", "setup", "unreachable", "certificate", "proxy"}
)
"""Where a failure says that nothing was begun; after the others it may have been."""
POLICY = RetryPolicy(attempts=4, rate_attempts=4)
T = TypeVar("T")


class Ended(NamedTuple):
    """A batch that has ended, and what it brought."""

    part: BatchPart
    remote: Remote
    results: Results


class Submitter:
    """The providers of one run, as its ledger knows them. One instance belongs to one event loop; `aclose` ends it."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...], ledger: Ledger, progress: Progress) -> None:
        self._models = {model.name: model for model in models}
        self._secrets, self._ledger, self._progress = secrets, ledger, progress
        self._direct = OpenAIBatches(models, secrets, lambda model, call: self._over_litellm.body(model, call))  # noqa: PLW0108 (loads litellm)
        self._rng = random.Random()
        self._doubtful: set[int] = set()
        """Numbers of parts that may have been begun, for all that is known."""

    def line(self, key: str, call: Call) -> bytes | None:
        """One request as a line of a file; None, with a message, where the model has no key."""
        model = self._models[call.model]
        try:
            body = self._service(model).body(model, call)
        except WireError as error:
            self.unsent(model.name, error)
            return None
        return json.dumps({"custom_id": key[:ID_LENGTH], "method": "POST", "url": ENDPOINT, "body": body}).encode() + b"\n"

    async def send(self, part: BatchPart, lines: bytes) -> bool:
        """Upload a file and begin its batch; False where it certainly was not begun, and is forgotten."""
        model = self._models[part.model]
        try:
            part.input_file = await self._retried(self._service(model).upload, model, lines)
            part.status = "uploaded"
            self._ledger.save()
            await self._begin(model, part)
        except WireError as error:
            if part.number in self._doubtful:
                self._tell(f"nobody knows whether a batch of {model.name!r} was begun ({_words(error)}); the same command finds out")
                return True
            self._ledger.drop(part)
            self.unsent(model.name, error)
            return False
        return True

    async def settle_doubts(self, parts: Sequence[BatchPart], stop: asyncio.Event) -> list[BatchPart]:
        """Find out about parts whose files are uploaded, and of which nobody knows whether their batches were begun.

        Returns those that were not, and that the provider does not begin.
        """
        refused: list[BatchPart] = []
        for part in parts:
            model = self._models[part.model]
            if part.batch is not None or model.name in self._progress.stopped or stop.is_set():
                continue
            self._doubtful.add(part.number)
            try:
                remote = await self._found(model, part)
                age_s = max(0.0, time.time() - (part.asked_at or 0.0))
                if remote is None and age_s < SETTLE_S:
                    await asyncio.sleep(SETTLE_S - age_s)
                    remote = await self._found(model, part)
                if remote is None:
                    self._doubtful.discard(part.number)
                    await self._begin(model, part)
                else:
                    self._note(part, remote)
            except WireError as error:
                if part.number not in self._doubtful and error.boundary in ("request", "policy", "model", "length"):
                    self.unsent(model.name, error)
                    refused.append(part)
                else:
                    self._unheard(model, f"a batch of {model.name!r} may have been begun, and its state could not be read", error)
        return refused

    async def ended(self, parts: Sequence[BatchPart]) -> list[Ended]:
        """Those of these parts whose batches have ended, with their results."""
        found: list[Ended] = []
        for part in parts:
            model = self._models[part.model]
            if part.batch is None or model.name in self._progress.stopped:
                continue
            try:
                remote = await self._retried(self._service(model).status, model, part.batch)
                news = (remote.status, dict(remote.counts), remote.why)
                if (part.status, part.counts, part.said) != news:
                    part.status, part.counts, part.said = news
                    self._ledger.save()
                if remote.status in ENDED and _without_files(remote):
                    self._tell(f"batch {part.batch} of {model.name!r} is {remote.status} without results; the same command sends it again")
                elif remote.status in ENDED:
                    found.append(Ended(part, remote, await self._results(model, part, remote)))
            except WireError as error:
                self._unheard(model, f"batch {part.batch} of {model.name!r} could not be collected", error)
        return found

    def unsent(self, model: str, error: WireError) -> None:
        """Tell why no batch of a model can be begun."""
        if error.boundary in STOPPING:
            why = stop_reason(self._models[model], error)
        elif error.boundary in RETRIED:
            why = f"no batch could be begun ({_words(error)}); run the same command again"
        elif error.status in (404, 405, 501):
            why = f"the server does not take files and batches ({_words(error)}); leave --batch out"
        else:
            why = f"the provider took no batch ({_words(error)})"
        self._progress.stopped.setdefault(model, f"{model}: {why}")

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()

    async def _begin(self, model: Model, part: BatchPart) -> None:
        """Begin the batch of an uploaded file. Where an attempt may have begun it, it is looked for before the next."""
        remote: Remote | None = None
        attempt = 0
        while remote is None:
            attempt += 1
            part.asked_at = time.time()
            self._ledger.save()
            try:
                remote = await self._service(model).create(model, part.input_file or "", part.tag)
            except WireError as error:
                is_certain = error.boundary in CERTAIN
                if not is_certain:
                    self._doubtful.add(part.number)
                wait_s = self._wait_s(error, attempt)
                await asyncio.sleep(wait_s if is_certain else max(wait_s, SETTLE_S))
                if not is_certain:
                    remote = await self._found(model, part)
                    self._doubtful.discard(part.number)
        self._note(part, remote)

    def _note(self, part: BatchPart, remote: Remote) -> None:
        self._doubtful.discard(part.number)
        part.batch, part.status, part.submitted_at = remote.id, remote.status, now()
        self._ledger.save()
        self._progress.n_sent += part.n_requests

    async def _found(self, model: Model, part: BatchPart) -> Remote | None:
        since = min(part.asked_at or time.time(), time.time())  # a clock may have been set back
        return await self._retried(self._service(model).find, model, part.input_file or "", part.tag, since)

    async def _results(self, model: Model, part: BatchPart, remote: Remote) -> Results:
        files = []
        for name in filter(None, (remote.output_file, remote.error_file)):
            try:
                files.append(await self._retried(self._service(model).content, model, name))
            except WireError as error:
                if error.status not in (404, 410):
                    raise
                self._tell(f"batch {part.batch} of {model.name!r}: its results are no longer there ({_words(error)})")
        return read_results(files, self._ledger.keys(part), lambda status, data: self._direct.read(model, status, data), self._secrets)

    async def _retried(self, ask: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """The answer to a request that costs nothing, and may be sent again and again."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await ask(*arguments)
            except WireError as error:
                await asyncio.sleep(self._wait_s(error, attempt))

    def _wait_s(self, error: WireError, attempt: int) -> float:
        """Seconds after which the same request may go well; raises the error where it may not."""
        soon = error.retry_after_s is None or error.retry_after_s <= POLICY.longest_retry_after_s
        if error.boundary not in RETRIED or attempt >= POLICY.attempts or not soon:
            raise error
        return POLICY.wait_s(attempt, error, self._rng)

    def _unheard(self, model: Model, what: str, error: WireError) -> None:
        """Tell of a batch that stays open because nothing is known of it."""
        if error.boundary in STOPPING:
            self._progress.stopped.setdefault(model.name, f"{model.name}: {stop_reason(model, error)}")
        elif error.status in (404, 405, 501):
            self._tell(
                f"{what} ({_words(error)}). If it was begun under another key or project, set that key; "
                f"if it is gone, take its entry out of batches.json, and its requests are paid again"
            )
        else:
            self._tell(f"{what} ({_words(error)}); the same command tries again")

    def _tell(self, what: str) -> None:
        if what not in self._progress.notes:
            self._progress.notes.append(what)

    def _service(self, model: Model) -> OpenAIBatches | LiteLLMBatches:
        return self._over_litellm if model.provider in OVER_LITELLM else self._direct

    @cached_property
    def _over_litellm(self) -> LiteLLMBatches:
        return LiteLLMBatches(list(self._models.values()), self._secrets)


def _without_files(remote: Remote) -> bool:
    """Whether a batch says that requests are answered, and does not say yet where."""
    return remote.counts.get("completed", 0) > 0 and remote.output_file is None and remote.error_file is None


def _words(error: WireError) -> str:
    return f"HTTP {error.status}: {error.message}" if error.status else error.message
