"""The runs at an address: fetched into local folders, and shared with whoever else reads them while a sweep runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from promptlab.nouns import NoRun, RunProblem, UsageProblem
from promptlab.record.mirror.copies import INDEX, JOURNAL, LOOKS, MANIFEST, ONCE, age_of, content, entry_of, keep_ours, merge_journal
from promptlab.record.mirror.lease import FRESH_S, Pusher, Remote, Tell, holder_of, named
from promptlab.record.store.chain import CHAIN
from promptlab.record.store.files import ID, held, is_locked, write_whole
from promptlab.sources.foreign import json_value


def is_address(place: object) -> bool:
    """Whether a place is one for fsspec, and not a local path."""
    return isinstance(place, str) and "://" in place


def fetched(address: str) -> Path:
    """The local folder of one run at an address, brought up to date; as it is while a sweep of this machine writes it."""
    scheme, _, rest = address.rstrip("/").partition("://")
    root, _, name = rest.rpartition("/")
    place = Place(f"{scheme}://{root}")
    _check_name(name, address)
    folder = place.folder / name
    if not is_locked(folder):
        place.fetch(name)
    return folder


class Place(Remote):
    """An address of runs, and what brings the local folder up to date from it."""

    def fetch_manifests(self) -> Path:
        """The local folder, with the manifest of every run."""
        for name in self.names():
            folder = self.folder / name
            if not is_locked(folder) and (found := self.got(name, MANIFEST)) is not None:
                folder.mkdir(parents=True, exist_ok=True)
                if age_of(found) >= age_of(content(folder / MANIFEST)):
                    write_whole(folder / MANIFEST, found)
        return self.folder

    def fetch_all(self) -> Path:
        """The local folder, with every run in full."""
        for name in self.names():
            if not is_locked(self.folder / name):
                self.fetch(name, needed=False)
        return self.folder

    def fetch(self, run: str, needed: bool = True) -> dict[str, Any]:
        """Bring the local folder of a run up to date without losing anything of it; what parts.json says.

        RunProblem where the address has no such run and it is needed.
        """
        folder = self.folder / _check_name(run, self.address)
        manifest, looks, chain, journal, index = (self.got(run, name) for name in (MANIFEST, LOOKS, CHAIN, JOURNAL, INDEX))
        if manifest is None and index is None:
            if needed and not (folder / MANIFEST).exists():
                raise NoRun(f"{self.address}/{run}: there is no such run")
            return {}
        entries = self._entries(run, index)
        for sub in (folder, folder / "trials", folder / "calls"):
            sub.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "address", f"{self.address}\n".encode())
        with held(folder):
            self._fetch_parts(run, folder, entries)
            merge_journal(folder, journal or b"", entries)
            if manifest is not None and age_of(manifest) >= age_of(content(folder / MANIFEST)):
                for name, data in ((LOOKS, looks), (CHAIN, chain), (MANIFEST, manifest)):
                    if data is not None:
                        write_whole(folder / name, data)
        return entries

    @contextlib.contextmanager
    def sharing(self, run: str, tell: Tell, stop: Callable[[], None] = lambda: None) -> Iterator[Pusher]:
        """Hold the run at the address, fetch what it has, and push what changes until the end; `Pusher.failed` says what did not go.

        `stop` is called where another writer takes the run over: what is sent from then on would be paid twice.
        """
        own = self.folder / f".{_check_name(run, self.address)}"
        own.mkdir(parents=True, exist_ok=True)
        with held(own):
            pusher = Pusher(self, run, own / "token", tell, stop)
            pusher.claim()
            try:
                pusher.pushed = self.fetch(run, needed=False)
            except BaseException:
                pusher.release()
                raise
            pusher.start()
            try:
                yield pusher
            finally:
                pusher.end()

    def writer(self, run: str) -> str | None:
        """Who is writing a run now."""
        holder, age = holder_of(self, run)
        return named(holder) if holder and age < FRESH_S else None

    def _entries(self, run: str, index: bytes | None) -> dict[str, Any]:
        try:
            found = json_value(index or b"{}", once=True)
            entries = {str(name): {"size": int(e["size"]), "sha256": str(e["sha256"])} for name, e in found.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise RunProblem(
                f"{self.address}/{run}/{INDEX}: not readable; remove it, and the sweep's own machine pushes everything again"
            ) from None
        odd = next((name for name in entries if not ONCE.match(name)), None)
        if odd is not None:
            raise RunProblem(f"{self.address}/{run}/{INDEX} names {odd[:80]!r}, which is no file of a run; nothing was fetched")
        return entries

    def _fetch_parts(self, run: str, folder: Path, entries: Mapping[str, Any]) -> None:
        """Files written once. A readable part of the same name and another content is another machine's: both are kept."""
        keep_ours(folder, entries)
        for name in sorted(entries, key=lambda n: n.startswith("trials/")):  # calls first: a trial always has its calls
            path, entry = folder / name, entries[name]
            if path.exists() and entry_of(path.read_bytes()) == entry:
                continue
            data = self.got(run, name)
            if data is None or entry_of(data) != entry:
                raise RunProblem(
                    f"{self.address}/{run}/{name}: {'missing' if data is None else 'damaged'} at the address; restore it there"
                )
            write_whole(path, data)


def _check_name(run: str, address: str) -> str:
    if not ID.match(run):
        raise UsageProblem(f"{address}: {run[:80]!r} is not the name of a run; an address is like s3://bucket/runs/quickstart-1a2b3c4d")
    return run
