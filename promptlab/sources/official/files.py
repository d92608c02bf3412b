"""The official data files: which there are, whether they are right, and putting them in place."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from promptlab.nouns import PACKAGE, DataMissing, UsageProblem, did_you_mean, first_line, home
from promptlab.sources.foreign import read_bytes

State = Literal["present", "absent", "damaged"]
Progress = Callable[[str, int, int], None]
"""Called with a file's path, how many files are done, and how many there are."""

SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes: the largest published file is far below it, so anything above it is refused unread."""

GITHUB_RAW = "https://raw.githubusercontent.com"
HOW_TO_GET = "run `promptlab data import DIR` or `promptlab data pull`"


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """One pinned file: `path` below the data folder, `origin` below the root of `repo` at `commit`; `bytes` is its size."""

    path: str
    sha256: str
    bytes: int
    repo: str
    commit: str
    origin: str
    licence: str

    @property
    def source(self) -> str:
        """The address where a person can read the file."""
        return f"https://github.com/{self.repo}/blob/{self.commit}/{self.origin}"

    @property
    def task(self) -> str:
        """The task that the file belongs to; Instruction Induction has two files for each."""
        parts = Path(self.path)
        return parts.parent.name if parts.name == "task.json" else parts.stem


@dataclass(frozen=True, slots=True)
class FileState:
    """One official file as it is in the data folder. `bytes` is the published size, `source` an address to read it at."""

    path: str
    state: State
    bytes: int
    licence: str
    source: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import or a pull did, as paths below the data folder.

    `copied` were put in place, `kept` were there already and verified, `missing` are in neither place.
    """

    folder: Path
    copied: tuple[str, ...]
    kept: tuple[str, ...]
    missing: tuple[str, ...]


def data_dir() -> Path:
    """Where official files lie; it need not exist."""
    return home() / "data"


@cache
def manifest() -> tuple[OfficialFile, ...]:
    """The pinned files, in the order of their paths: 48 of Instruction Induction and 21 of BIG-bench."""
    pinned = json.loads((PACKAGE / "data" / "official.json").read_text(encoding="utf-8"))
    files = []
    for row in pinned["files"]:
        source = pinned["sources"][row.pop("source")]
        files.append(OfficialFile(**row, **source))
    return tuple(sorted(files, key=lambda f: f.path))


def listing() -> list[FileState]:
    """Every official file and whether it is there; "damaged" here means a wrong size, since nothing is read."""
    return [_state(file, read=False) for file in manifest()]


def verify() -> list[FileState]:
    """Every official file with its SHA-256 recomputed."""
    return [_state(file, read=True) for file in manifest()]


def import_from(directory: str | os.PathLike[str]) -> ImportReport:
    """Copies the official files found in a folder into the data folder, each one verified first.

    The folder is laid out as the data folder is (or holds such a folder named `data`), or is a checkout of
    orhonovich/instruction-induction or wangxu0820/NegativePrompt. Whatever is right is imported even when something else is
    wrong; then DataMissing lists all that is wrong. A folder with none of the files raises DataMissing too; files that are
    merely missing are reported.
    """
    source = Path(directory).expanduser()
    copied, kept, missing, problems = [], [], [], []
    n_found = 0
    for file in manifest():
        places = dict.fromkeys((file.path, file.origin, f"data/{file.path}"))
        found = [source / place for place in places if os.path.exists(source / place)]
        n_found += bool(found)
        if not found:
            if not _intact(file):
                missing.append(file.path)
            continue
        content, wrong = _first_right(file, found)
        if content is None:
            problems += wrong
        elif _intact(file):
            kept.append(file.path)
        else:
            try:
                _put(file, content)
            except OSError as error:
                problems.append(f"{file.path}: could not be written: {error}")
            else:
                copied.append(file.path)
    if not n_found:
        first = manifest()[0]
        raise DataMissing(
            f"no official data file found in {str(source)!r}: expected a folder with, for example, {first.path!r}, "
            f"or a checkout with {first.origin!r}" + ("" if source.is_dir() else " (there is no such folder)")
        )
    if problems:
        raise DataMissing(_told(problems, f"could not be imported from {str(source)!r}", len(copied), len(kept)))
    return ImportReport(data_dir(), tuple(copied), tuple(kept), tuple(missing))


def pull(names: Sequence[str] | None = None, progress: Progress | None = None, *, base: str = GITHUB_RAW) -> ImportReport:
    """Downloads official files at their pinned commits, one after the other; verified files that are there are skipped.

    `names` are tasks or paths of the manifest (all files when None). Every finished file is kept, so a second call continues
    where the first one stopped. DataMissing when the host cannot be reached (at once) or sends something else (at the end,
    after the other files).
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    download = pooch.HTTPDownloader(timeout=30)

    def bounded(url: str, output_file: str, pooch_: object) -> None:
        with _Bounded(output_file, "wb") as out:
            download(url, out, pooch_)

    wanted = manifest() if names is None else _chosen(names)
    copied: list[str] = []
    kept: list[str] = []
    problems: list[str] = []
    host = urlsplit(base).netloc or base
    for n_done, file in enumerate(wanted, 1):
        if _intact(file):
            kept.append(file.path)
        else:
            url = f"{base.rstrip('/')}/{file.repo}/{file.commit}/{quote(file.origin)}"
            try:
                with tempfile.TemporaryDirectory(prefix="promptlab-") as folder:
                    at = pooch.retrieve(url, known_hash=f"sha256:{file.sha256}", fname="download", path=folder, downloader=bounded)
                    _put(file, read_file(Path(at)))
            except requests.HTTPError as error:
                answered = error.response.status_code if error.response is not None else short(error)
                problems.append(f"{file.path}: {host} answered {answered} for {url}")
            except requests.RequestException as error:
                raise DataMissing(
                    f"{file.path}: could not be downloaded from {host} ({short(error)}). {len(copied) + len(kept)} of {len(wanted)} "
                    "files are in place, and a second `promptlab data pull` continues from there. Without a connection: fetch the "
                    "repositories on another machine and run `promptlab data import DIR`"
                ) from error
            except ValueError as error:
                found = re.search(r"got ([0-9a-f]{64})", str(error))
                what = f"found {found[1]}" if found else short(error)
                problems.append(f"{file.path}: {host} sent something else: expected SHA-256 {file.sha256}, {what}")
            except OSError as error:
                raise DataMissing(f"{file.path}: could not be written: {error}") from error
            else:
                copied.append(file.path)
        if progress:
            progress(file.path, n_done, len(wanted))
    if problems:
        told = _told(problems, f"could not be pulled from {host}", len(copied), len(kept))
        raise DataMissing(f"{told}\nTry again later, or import from a checkout: `promptlab data import DIR`")
    return ImportReport(data_dir(), tuple(copied), tuple(kept), ())


class _Bounded(io.FileIO):
    """A file for writing that refuses to grow beyond the size limit, whatever a host sends."""

    def write(self, data: Any) -> int:  # noqa: ANN401 (any buffer)
        if self.tell() + memoryview(data).nbytes > SIZE_LIMIT:
            raise ValueError(f"more than {SIZE_LIMIT // 2**20} MB")
        return super().write(data)


def _chosen(names: Sequence[str]) -> tuple[OfficialFile, ...]:
    known = {file.path for file in manifest()} | {file.task for file in manifest()}
    for name in names:
        if name not in known:
            raise UsageProblem(f"no official task or file is named {name!r}; {did_you_mean(name, known)}".rstrip("; "))
    return tuple(file for file in manifest() if file.path in names or file.task in names)


def file_of(task: str, folder: str) -> OfficialFile:
    """The file of one task below a folder of the data folder; UsageProblem where there is no such task."""
    tasks = {file.task: file for file in manifest() if file.path.startswith(folder)}
    if task not in tasks:
        raise UsageProblem(f"no official task is named {task!r}; {did_you_mean(task, tasks)}".rstrip("; "))
    return tasks[task]


def read_file(path: Path) -> bytes:
    """The bytes of a file that is not larger than any published one."""
    return read_bytes(path, SIZE_LIMIT)


def sha256_of(content: bytes) -> str:
    """The SHA-256 of these bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def _first_right(file: OfficialFile, places: Sequence[Path]) -> tuple[bytes | None, list[str]]:
    """The verified content of the first place that has it, else None and what is wrong with every place."""
    problems = []
    for place in places:
        try:
            content = read_file(place)
        except OSError as error:
            problems.append(f"{place}: could not be read: {error}")
            continue
        found = sha256_of(content)
        if found == file.sha256:
            return content, []
        problems.append(f"{place}: expected SHA-256 {file.sha256}, found {found} ({len(content)} bytes, published {file.bytes})")
    return None, problems


def _intact(file: OfficialFile) -> bool:
    return _state(file, read=True).state == "present"


def _state(file: OfficialFile, read: bool) -> FileState:
    path = data_dir() / file.path
    state: State
    try:
        if read:
            state = "present" if sha256_of(read_file(path)) == file.sha256 else "damaged"
        else:
            status = path.stat()
            state = "present" if stat.S_ISREG(status.st_mode) and status.st_size == file.bytes else "damaged"
    except (FileNotFoundError, NotADirectoryError):
        state = "absent"
    except OSError:
        state = "damaged"
    return FileState(file.path, state, file.bytes, file.licence, file.source)


def _put(file: OfficialFile, content: bytes) -> None:
    """Writes verified content in one step: after an interruption the old file or the new one is there, never half of one."""
    folder = data_dir()
    folder.mkdir(parents=True, exist_ok=True)
    *parents, name = file.path.split("/")
    for parent in parents:  # one at a time: a link among them must not make us write elsewhere
        folder /= parent
        if folder.is_symlink():
            raise OSError(f"{folder} is a symbolic link; promptlab writes only inside its data folder")
        folder.mkdir(exist_ok=True)
    temporary = folder / f".{name}.{secrets.token_hex(6)}.part"
    try:
        with temporary.open("xb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, folder / name)
    finally:
        temporary.unlink(missing_ok=True)


def _told(problems: Sequence[str], what: str, n_copied: int, n_kept: int) -> str:
    n = len(problems)
    head = f"{n} file{'s' if n != 1 else ''} {what} ({n_copied} new and {n_kept} present files are right):"
    return "\n".join([head, *(f"  {problem}" for problem in problems)])


def short(error: BaseException) -> str:
    """The kind of an error and its first line, cut: network errors quote whole object trees."""
    return f"{type(error).__name__}: {first_line(error)}"
