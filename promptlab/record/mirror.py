"""Run folders at any address that fsspec knows (`s3://`, `gs://`, `file://`, ...): a local folder is worked in, the address follows it.

ADDRESS/<run id>/ holds the files of a run folder, and two more:

  parts.json    size and SHA-256 of every file that is written once; a part that it does not name is not there
  writer.json   who writes: host, process, time of the last sign of life

A push goes parts, parts.json, journal, looks, manifest, from a local state read the other way round, and a fetch reads the other way
round too. So nobody sees a manifest that promises what is not there, however a push ends. The journal's first line names the last
part before it: what parts.json has of later ones is newer than the journal. Only names that this module spells are ever fetched.

fsspec knows no lock. Two writers that start in the same moment may both go on until their next sign of life; then one ends.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from promptlab.nouns.columns import TRIAL_COLUMNS
from promptlab.nouns.errors import RunProblem, UsageProblem
from promptlab.nouns.identity import digest
from promptlab.nouns.places import home
from promptlab.record.store import ID, held, is_locked, journal_rows, now, part_rows, write_whole

PUSH_EVERY_S = 3.0
FRESH_S = 60.0
"""A writer that gave no sign of life for so long has ended."""
SIGN_EVERY_S = 10.0
ATTEMPTS = 5
FIRST_WAIT_S = 0.5
LONGEST_END_S = 900.0
INDEX, WRITER, JOURNAL, MANIFEST, LOOKS = "parts.json", "writer.json", "journal.jsonl", "manifest.json", "looks.json"
ONCE = ("experiment.yaml", "plan.json", "items.parquet")
PART = re.compile(r"(?:calls|trials)/part-\d{5,9}\.parquet\Z")
WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"}
"""Stores in which an object appears whole or not at all, and which have no folders to make."""
Tell = Callable[[str], None]


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


class Place:
    """An address below which run folders are kept, and the local folder that mirrors it."""

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        if "::" in address or "?" in rest or "#" in rest or "@" in rest:
            raise UsageProblem(
                "an address of runs is like s3://bucket/folder: without '::', '?', '#' and '@'; "
                "keys and passwords come from the environment or from fsspec's own settings"
            )
        self.address = f"{scheme}://{rest.rstrip('/')}"
        self.folder = home() / "mirrors" / digest(self.address)[:16]
        import fsspec

        try:
            self._fs, path = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise UsageProblem(f"{self.address}: {_safe(error)}") from None
        except Exception as error:
            raise RunProblem(f"{self.address}: cannot be reached: {_safe(error)}") from None
        self._path = str(path).rstrip("/")
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else set(self._fs.protocol)
        self._whole = bool(protocols & WHOLE)

    def names(self) -> list[str]:
        """The runs at the address."""

        def listed() -> list[str]:
            self._fs.invalidate_cache()
            try:
                return [str(path).rstrip("/").rpartition("/")[2] for path in self._fs.ls(self._path, detail=False)]
            except FileNotFoundError:
                return []

        return sorted(name for name in self.tried(listed) if ID.match(name))

    def fetch_manifests(self) -> Path:
        """The local folder, with the manifest of every run."""
        for name in self.names():
            folder = self.folder / name
            if not is_locked(folder) and (found := self.got(name, MANIFEST)) is not None:
                folder.mkdir(parents=True, exist_ok=True)
                if _time_of(found) >= _time_of(_local(folder / MANIFEST)):
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
        manifest, looks, journal, index = (self.got(run, name) for name in (MANIFEST, LOOKS, JOURNAL, INDEX))
        if manifest is None and index is None:
            if needed and not (folder / MANIFEST).exists():
                raise RunProblem(f"{self.address}/{run}: there is no such run")
            return {}
        entries = self._entries(run, index)
        for sub in (folder, folder / "trials", folder / "calls"):
            sub.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "address", f"{self.address}\n".encode())
        with held(folder):
            self._fetch_parts(run, folder, entries)
            _merge_journal(folder, journal or b"", entries)
            if manifest is not None and _time_of(manifest) >= _time_of(_local(folder / MANIFEST)):
                for name, data in ((LOOKS, looks), (MANIFEST, manifest)):
                    if data is not None:
                        write_whole(folder / name, data)
        return entries

    @contextlib.contextmanager
    def sharing(self, run: str, tell: Tell, stop: Callable[[], None] = lambda: None) -> Iterator[Pusher]:
        """Hold the run at the address, fetch what it has, and push what changes until the end; `Pusher.failed` says what did not go.

        `stop` is called where another writer takes the run over: what is asked from then on would be paid twice.
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
        holder = _holder(self.got(run, WRITER))
        return _named(holder) if holder and time.time() - _seconds(holder.get("time")) < FRESH_S else None

    def got(self, run: str, name: str) -> bytes | None:
        """The same as `get`, tried several times; RunProblem where that does not help."""
        found: bytes | None = self.tried(partial(self.get, run, name))
        return found

    def get(self, run: str, name: str) -> bytes | None:
        """The bytes of one object; None where there is none."""
        try:
            data: bytes = self._fs.cat_file(f"{self._path}/{run}/{name}")
        except FileNotFoundError:
            return None
        return data

    def put(self, run: str, name: str, data: bytes) -> None:
        """Write one object whole."""
        path = f"{self._path}/{run}/{name}"
        if self._whole:
            self._fs.pipe_file(path, data)
            return
        folder, _, last = path.rpartition("/")
        self._fs.makedirs(folder, exist_ok=True)
        self._fs.pipe_file(f"{folder}/.{last}.tmp", data)
        self._fs.mv(f"{folder}/.{last}.tmp", path)

    def remove(self, run: str, name: str) -> None:
        """Remove one object."""
        self._fs.rm_file(f"{self._path}/{run}/{name}")

    def _entries(self, run: str, index: bytes | None) -> dict[str, Any]:
        try:
            found = json.loads(index or b"{}")
            entries = {str(name): {"size": int(e["size"]), "sha256": str(e["sha256"])} for name, e in found.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise RunProblem(
                f"{self.address}/{run}/{INDEX}: not readable; remove it, and the sweep's own machine pushes all anew"
            ) from None
        odd = next((name for name in entries if name not in ONCE and not PART.match(name)), None)
        if odd is not None:
            raise RunProblem(f"{self.address}/{run}/{INDEX} names {odd[:80]!r}, which is no file of a run; nothing was fetched")
        return entries

    def _fetch_parts(self, run: str, folder: Path, entries: Mapping[str, Any]) -> None:
        """Files written once. A readable part of the same name and another content is another machine's: both are kept."""
        for name, entry in entries.items():
            path = folder / name
            ours = name.startswith("trials/") and path.exists() and _entry(path.read_bytes()) != entry
            if ours and all(_readable(folder / kind / path.name) for kind in ("calls", "trials")):
                _move_pair(folder, path.name, entries)
        for name in sorted(entries, key=lambda n: n.startswith("trials/")):  # calls first: a trial always has its calls
            path, entry = folder / name, entries[name]
            if path.exists() and _entry(path.read_bytes()) == entry:
                continue
            data = self.got(run, name)
            if data is None or _entry(data) != entry:
                raise RunProblem(
                    f"{self.address}/{run}/{name}: {'missing' if data is None else 'damaged'} at the address; restore it there"
                )
            write_whole(path, data)

    def tried(self, act: Callable[[], Any]) -> Any:  # noqa: ANN401
        """What `act` returns, tried several times; RunProblem where that does not help."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return act()
            except RunProblem:
                raise
            except Exception as error:
                if attempt == ATTEMPTS or isinstance(error, PermissionError | ImportError):
                    raise RunProblem(f"{self.address}: cannot be reached: {_safe(error)}") from None
            time.sleep(FIRST_WAIT_S * 2 ** (attempt - 1))
        raise AssertionError


class Pusher:
    """What keeps the address up to date while a sweep runs."""

    def __init__(self, place: Place, run: str, token: Path, tell: Tell, stop: Callable[[], None]) -> None:
        self.place, self.run = place, run
        self.folder = place.folder / run
        self.pushed: dict[str, Any] = {}
        """Files written once that the address has, as parts.json names them."""
        self.failed: str | None = None
        """Why the address has not got everything, at the end."""
        self._tell, self._stop = tell, stop
        self._token = secrets.token_hex(8)
        self._last: dict[str, str] = {}
        self._signed_at = 0.0
        self._mine = token
        self._over = threading.Event()
        self._lost: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="promptlab-mirror")

    def claim(self) -> None:
        """Become the writer; RunProblem where another one gave a sign of life just now."""
        holder = _holder(self.place.got(self.run, WRITER))
        mine = (_local(self._mine) or b"").decode(errors="replace")
        if holder and holder.get("token") != mine:  # a process of this machine that was killed has let go of its lock
            age = time.time() - _seconds(holder.get("time"))
            if age < FRESH_S:
                raise RunProblem(
                    f"{self.place.address}/{self.run}: {_named(holder)} is writing this run, last heard of {max(0.0, age):.0f} s ago; "
                    f"wait for it or stop it (it is taken for ended after {FRESH_S:.0f} s of silence)"
                )
        write_whole(self._mine, self._token.encode())
        self.place.tried(self._sign)
        self.place.tried(self._check)

    def release(self) -> None:
        """Nobody writes any more."""
        with contextlib.suppress(Exception):  # it goes stale by itself
            if self._lost is None and _holder(self.place.get(self.run, WRITER)).get("token") == self._token:
                self.place.remove(self.run, WRITER)

    def start(self) -> None:
        """Push every few seconds, in a thread."""
        self._thread.start()

    def end(self) -> None:
        """Push the rest, several times if need be, and let go of the address."""
        self._over.set()
        self._thread.join(LONGEST_END_S)
        if self._thread.is_alive():
            self.failed = f"{self.place.address} has not answered for {LONGEST_END_S:.0f} s"
        if self.failed:
            self._tell(f"not pushed: {self.failed}; all is kept in {self.folder}")

    def push(self) -> None:
        """Bring the address to the present local state, read from the manifest to the parts and sent from the parts to the manifest."""
        self._check()
        self._sign()
        changing = {name: data for name in (MANIFEST, LOOKS) if (data := _local(self.folder / name)) is not None}
        journal = _journal(self.folder)
        report = _local(self.folder / "report.html")
        new = [n for n in (*ONCE, *_parts(self.folder)) if n not in self.pushed and (self.folder / n).exists()]
        index = dict(self.pushed)
        for name in new:
            data = (self.folder / name).read_bytes()
            self._put(name, data)
            index[name] = _entry(data)
        if new:
            self._check()
            self._put(INDEX, (json.dumps(index, indent=1) + "\n").encode())
            self.pushed = index
        for name, data in ((JOURNAL, journal), (LOOKS, changing.get(LOOKS)), ("report.html", report), (MANIFEST, changing.get(MANIFEST))):
            if data is not None and self._last.get(name) != (sha := hashlib.sha256(data).hexdigest()):
                self._put(name, data)
                self._last[name] = sha

    def _run(self) -> None:
        troubled = False
        while not self._over.wait(PUSH_EVERY_S):
            try:
                self.push()
            except _TakenOver as error:
                self._lost = str(error)
                self._tell(f"note: {self._lost}; this sweep ends here")
                self._stop()
                break
            except Exception as error:
                if not troubled:
                    self._tell(f"note: {self.place.address} cannot be written ({_safe(error)}); it is tried again, and all is kept here")
                troubled = True
            else:
                if troubled:
                    self._tell(f"note: {self.place.address} is up to date again")
                troubled = False
        self._over.wait()
        self.failed = self._lost or self._last_push()
        self.release()

    def _last_push(self) -> str | None:
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_WAIT_S * 2 ** (attempt - 1))
            try:
                self.push()
            except _TakenOver as error:
                self._lost = str(error)
                return self._lost
            except Exception as error:
                problem = _safe(error)
            else:
                return None
        return f"{self.place.address} could not be written {ATTEMPTS} times ({problem})"

    def _put(self, name: str, data: bytes) -> None:
        if time.monotonic() - self._signed_at > SIGN_EVERY_S:
            self._check()
            self._sign()
        self.place.put(self.run, name, data)

    def _sign(self) -> None:
        said = {"host": socket.gethostname(), "pid": os.getpid(), "time": now(), "token": self._token}
        self.place.put(self.run, WRITER, (json.dumps(said) + "\n").encode())
        self._signed_at = time.monotonic()

    def _check(self) -> None:
        holder = _holder(self.place.get(self.run, WRITER))
        if holder and holder.get("token") != self._token:
            raise _TakenOver(f"{_named(holder)} has taken over {self.place.address}/{self.run}")


class _TakenOver(RunProblem):
    """Another writer holds the address."""


def _check_name(run: str, address: str) -> str:
    if not ID.match(run):
        raise UsageProblem(f"{address}: {run[:80]!r} is not the name of a run; an address is like s3://bucket/runs/quickstart-1a2b3c4d")
    return run


def _safe(error: Exception) -> str:
    from promptlab.nouns.redact import known_secrets, redact

    return redact(f"{type(error).__name__}: {error}"[:400], known_secrets())


def _local(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _entry(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _parts(folder: Path) -> list[str]:
    """The parts of a run folder whose both halves are there, calls before trials."""
    names = sorted(path.name for path in (folder / "trials").glob("part-*.parquet") if (folder / "calls" / path.name).exists())
    return [name for kind in ("calls", "trials") for part in names if PART.match(name := f"{kind}/{part}")]


def _newest(names: list[str]) -> str:
    return max((name.removeprefix("trials/") for name in names if name.startswith("trials/")), default="")


def _journal(folder: Path) -> bytes:
    """The whole lines of the journal below a line that names the part before it; what changes while it is read is read again."""
    while True:
        before = _newest(_parts(folder))
        data = _local(folder / JOURNAL) or b""
        if _newest(_parts(folder)) == before:
            return json.dumps({"after": before}).encode() + b"\n" + data[: data.rfind(b"\n") + 1]


def _merge_journal(folder: Path, theirs: bytes, entries: Mapping[str, Any]) -> None:
    """Bring the local journal to what parts do not have: the address's lines, and those that only this folder has.

    What was an error in a journal and is answered in a part must not come after it: readers take the last.
    """
    newest = _newest(list(entries))
    after, theirs = _headed(theirs)
    later = [name for name in entries if name.startswith("trials/") and after is not None and _newest([name]) > after]
    in_parts = _outcomes(folder, later) if theirs else {}
    fetched_after, ours = _headed(_local(folder / JOURNAL) or b"")
    if fetched_after is not None:
        ours = b""  # an earlier fetch's: the address has these
    shared = _outcomes(folder, [name for name in _parts(folder) if name in entries]) if ours else {}
    own = [line for line, trial, outcome in _trials(ours) if not (outcome == "error" and trial in shared)]
    known = _outcomes(folder, [name for name in _parts(folder) if name not in entries])
    known |= {trial: outcome for _, trial, outcome in _trials(ours)}
    new = [
        line
        for line, trial, outcome in _trials(theirs)
        if trial not in in_parts and known.get(trial, "error") == "error" and (trial not in known or outcome != "error")
    ]
    head = [] if own else [json.dumps({"after": after or newest}).encode()]
    if own or new:
        write_whole(folder / JOURNAL, b"\n".join([*head, *own, *new]) + b"\n")
    else:
        (folder / JOURNAL).unlink(missing_ok=True)


def _headed(journal: bytes) -> tuple[str | None, bytes]:
    """The part that a pushed journal comes after, and its lines; None for a journal that a sweep of this machine writes."""
    head, _, body = journal.partition(b"\n")
    found = _holder(head)
    return (str(found["after"]), body) if "after" in found else (None, journal)


def _trials(journal: bytes) -> Iterator[tuple[bytes, str, str]]:
    """Line, trial and outcome of every whole line."""
    for line in journal.split(b"\n"):
        for row in journal_rows(line):
            yield line, row["trial"]["trial"], row["trial"]["outcome"]


def _outcomes(folder: Path, names: list[str]) -> dict[str, str]:
    columns = {name: TRIAL_COLUMNS[name] for name in ("trial", "outcome")}
    return {row["trial"]: row["outcome"] for name in names if name.startswith("trials/") for row in part_rows(folder / name, columns)}


def _readable(path: Path) -> bool:
    try:
        part_rows(path, {"trial": TRIAL_COLUMNS["trial"]})
    except RunProblem:
        return False
    return True


def _move_pair(folder: Path, name: str, entries: Mapping[str, Any]) -> None:
    """Give a part of this folder a number that nobody has."""
    taken = [*(Path(n).name for n in entries), *(path.name for path in folder.rglob("part-*.parquet"))]
    number = max(int(part[5:-8]) for part in taken if part.startswith("part-")) + 1
    for kind in ("calls", "trials"):
        if (folder / kind / name).exists():
            (folder / kind / name).rename(folder / kind / f"part-{number:05d}.parquet")


def _holder(data: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _named(holder: Mapping[str, Any]) -> str:
    return f"a sweep on {str(holder.get('host'))[:80]} (pid {str(holder.get('pid'))[:20]})"


def _seconds(iso: object) -> float:
    try:
        return datetime.datetime.fromisoformat(str(iso)).timestamp()
    except ValueError:
        return 0.0


def _time_of(manifest: bytes | None) -> float:
    return _seconds(_holder(manifest).get("updated_at")) if manifest else -1.0
