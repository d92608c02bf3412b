"""`batches.json`: every batch of a run and what is known of it, written before and after each request that could cost money.

The keys of a batch's requests stand beside it, in `batches/0001.json`, because they never change. A batch goes through these states:

prepared    its file is not known to be there; nothing can have been paid: it is forgotten, and its requests are sent anew
uploaded    its file is there, and it may exist: it is looked for by tag and file before it is begun
begun       `batch` is its id; `status` is the provider's word for how far it is
closed      its answers are stored, and it is never asked after again
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from promptlab.nouns import RunProblem, digest
from promptlab.record.store import write_whole

FORMAT = 1
NAME = "batches.json"
FOLDER = "batches"
ID_LENGTH = 40
"""Characters of a key that name its request in a file: few enough for every provider, many enough to tell files apart."""


@dataclass(slots=True)
class Part:
    """One file of requests to one model, and the batch that answers it."""

    number: int
    wave: int
    """Which wave of its model; the calls of a loop come one wave after the other."""
    model: str
    tag: str
    until: int
    """The order at which the segment of the run ends that its trials belong to."""
    n_requests: int
    reserved_usd: float
    reserved_tokens: int
    input_file: str | None = None
    batch: str | None = None
    status: str = "prepared"
    asked_at: float | None = None
    """When the provider was last asked to begin it, in seconds since 1970: it may exist from then on."""
    submitted_at: str | None = None
    closed: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    """The provider's own."""
    n_answers: int = 0
    n_errors: int = 0
    n_unfinished: int = 0
    paid_usd: float = 0.0
    said: str = ""
    """What the provider said is wrong with it."""


class Ledger:
    """The batches of one run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._folder = folder / FOLDER
        self._run_id = folder.name
        found = _read(self._path)
        self._mark: str = found.get("mark") or secrets.token_hex(4)
        self.parts = [_part(self._path, entry) for entry in found.get("batches", ())]
        for part in [part for part in self.parts if part.input_file is None and not part.closed]:
            self.drop(part)

    @property
    def open(self) -> list[Part]:
        return [part for part in self.parts if not part.closed]

    def add(self, model: str, until: int, keys: list[str], usd: float, tokens: int) -> Part:
        """A new part, durable before this returns. Its tag says the run, this folder, the wave and the requests."""
        wave = 1 + max((part.wave for part in self.parts if part.model == model and part.closed), default=0)
        number = 1 + max((part.number for part in self.parts), default=0)
        tag = f"{self._run_id}/{self._mark}/{wave}/{digest([number, *keys])[:16]}"
        part = Part(
            number=number, wave=wave, model=model, tag=tag, until=until, n_requests=len(keys), reserved_usd=usd, reserved_tokens=tokens
        )
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._keys_path(part), json.dumps({"tag": tag, "keys": {key[:ID_LENGTH]: key for key in keys}}, indent=0).encode())
        self.parts.append(part)
        self.save()
        return part

    def drop(self, part: Part) -> None:
        """Forget a part that nobody was asked to begin."""
        self.parts.remove(part)
        self.save()
        self._keys_path(part).unlink(missing_ok=True)

    def keys(self, part: Part) -> Mapping[str, str]:
        """The keys of a part's requests by their names in its file."""
        path = self._keys_path(part)
        found = _read(path).get("keys")
        if not isinstance(found, dict) or len(found) != part.n_requests:
            raise RunProblem(f"{path}: does not hold the {part.n_requests:,} keys of its batch; restore it from a copy")
        return found

    def save(self) -> None:
        """Write all that is known."""
        state = {"format": FORMAT, "run": self._run_id, "mark": self._mark, "batches": [asdict(part) for part in self.parts]}
        write_whole(self._path, (json.dumps(state, indent=2) + "\n").encode())

    def _keys_path(self, part: Part) -> Path:
        return self._folder / f"{part.number:04d}.json"


def refuse_open(folder: Path) -> None:
    """RunProblem where batches of this run are not collected: an ordinary sweep would pay their requests again."""
    waiting = [entry for entry in _read(folder / NAME).get("batches", ()) if not entry.get("closed") and entry.get("input_file")]
    if waiting:
        n = sum(int(entry.get("n_requests", 0)) for entry in waiting)
        raise RunProblem(
            f"{folder}: {n:,} requests of this run wait in {len(waiting):,} batch(es), and would be paid twice; run the same command with "
            f"--batch to collect them (to give them up, cancel them at the provider first)"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        with contextlib.suppress(FileNotFoundError):
            found = json.loads(path.read_bytes())
            if not isinstance(found, dict):
                raise ValueError("it holds no object")
            return found
    except ValueError as error:
        raise RunProblem(
            f"{path}: not readable ({error}); it says which batches are paid for: restore it from a copy, or move it away and pay again"
        ) from None
    return {}


def _part(path: Path, entry: Mapping[str, Any]) -> Part:
    try:
        return Part(**entry)
    except TypeError as error:
        raise RunProblem(f"{path}: a batch in it is not as this promptlab writes it ({error})") from None
