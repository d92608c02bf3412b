"""The official data files: imported or pulled once, checked against pinned SHA-256 sums, read from the user's data folder.

promptlab ships none of these files, only `data/official.json`, which says of each one where it is published and what its
bytes must be. A file that does not match is never put in place and never scored.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit

from promptlab.nouns.errors import DataMissing, UsageProblem, did_you_mean
from promptlab.nouns.files import read_bytes
from promptlab.nouns.item import Demo, Item
from promptlab.nouns.places import home
from promptlab.nouns.shipped import PACKAGE

if TYPE_CHECKING:
    from typing_extensions import Buffer

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


class BigBenchTask(NamedTuple):
    """A BIG-bench file as read: `extras` holds its other fields, and under "item_fields" what single items add."""

    items: tuple[Item, ...]
    demos: tuple[Demo, ...]
    extras: Mapping[str, Any]


def data_dir() -> Path:
    """Where official files lie; it need not exist."""
    return home() / "data"


@cache
def manifest() -> tuple[OfficialFile, ...]:
    """The pinned files, in the order of their paths: 48 of Instruction Induction and 21 of BIG-bench."""
    pinned = json.loads((PACKAGE / "data" / "official.json").read_text(encoding="utf-8"))
    files = []
    for row in pinned["files"]:
        source = pinned["sources"][row["source"]]
        files.append(
            OfficialFile(
                path=row["path"],
                sha256=row["sha256"],
                bytes=row["bytes"],
                repo=source["repo"],
                commit=source["commit"],
                origin=row["origin"],
                licence=source["licence"],
            )
        )
    return tuple(sorted(files, key=lambda f: f.path))


def listing() -> list[FileState]:
    """Every official file and whether it is there; "damaged" here means a wrong size, since nothing is read."""
    return [_state(file, read=False) for file in manifest()]


def verify() -> list[FileState]:
    """Every official file with its SHA-256 computed anew."""
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

    `names` are tasks or paths of the manifest (all files when None). Every finished file is kept, so a second call goes on
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
                    _put(file, _read(Path(at)))
            except requests.HTTPError as error:
                answered = error.response.status_code if error.response is not None else _short(error)
                problems.append(f"{file.path}: {host} answered {answered} for {url}")
            except requests.RequestException as error:
                raise DataMissing(
                    f"{file.path}: could not be downloaded from {host} ({_short(error)}). {len(copied) + len(kept)} of {len(wanted)} "
                    "files are in place, and a second `promptlab data pull` goes on from there. Without a connection: fetch the "
                    "repositories on another machine and run `promptlab data import DIR`"
                ) from error
            except ValueError as error:
                found = re.search(r"got ([0-9a-f]{64})", str(error))
                what = f"found {found[1]}" if found else _short(error)
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


def load_instruction_induction(task: str) -> tuple[tuple[Item, ...], tuple[Demo, ...]]:
    """Items (the `execute` file) and demonstrations (the `induce` file) of one Instruction Induction task.

    Ids are the published keys; cause_and_effect gives each pair in both orders, as its authors do, the second one with the
    id "N-swapped" and both in cluster N. Demonstrations whose input is a test item's are left out. DataMissing names the
    file, and the item if one is wrong.
    """
    execute = _file_of(task, "instruction_induction/raw/execute/")
    induce = _file_of(task, "instruction_induction/raw/induce/")
    items: list[Item] = []
    with _Reading(execute) as reading:
        for key, row in reading.keyed_examples():
            targets = _answers(task, row)
            for text, suffix in _inputs(task, row):
                items.append(Item(key + suffix, text, targets, cluster=key if task == "cause_and_effect" else None))
    taken = {item.input for item in items}
    demos: list[Demo] = []
    with _Reading(induce) as reading:
        for _, row in reading.keyed_examples():
            # These two tasks have no "output"; elsewhere the first accepted answer need not be the one the authors show.
            output = _text(row, "output") if "output" in row else _answers(task, row)[0]
            demos += [Demo(text, output) for text, _ in _inputs(task, row) if text not in taken and output.strip()]
    return tuple(items), tuple(demos)


def load_bigbench(task: str) -> BigBenchTask:
    """Items of one BIG-bench task; there is no published split, so there are no demonstrations.

    Ids are 0-based indices. Choices keep the order of the published keys, which gives answers away in question_selection:
    the caller shuffles. DataMissing names the file, and the item if one is wrong.
    """
    items: list[Item] = []
    item_fields: dict[str, Mapping[str, Any]] = {}
    with _Reading(_file_of(task, "bigbench/")) as reading:
        for index, row in reading.listed_examples():
            text = _text(row, "input")
            targets, choices = _scored_options(row)
            items.append(Item(index, text, targets, choices))
            if more := {k: v for k, v in row.items() if k not in ("input", "target", "target_scores")}:
                item_fields[index] = more
        extras = {k: v for k, v in reading.document.items() if k != "examples"} | {"item_fields": item_fields}
    return BigBenchTask(tuple(items), (), extras)


class _Bounded(io.FileIO):
    """A file for writing that refuses to grow beyond the size limit, whatever a host sends."""

    def write(self, data: Buffer) -> int:
        if self.tell() + memoryview(data).nbytes > SIZE_LIMIT:
            raise ValueError(f"more than {SIZE_LIMIT // 2**20} MB")
        return super().write(data)


def _chosen(names: Sequence[str]) -> tuple[OfficialFile, ...]:
    known = {file.path for file in manifest()} | {file.task for file in manifest()}
    for name in names:
        if name not in known:
            raise UsageProblem(f"no official task or file is named {name!r}; {did_you_mean(name, known)}".rstrip("; "))
    return tuple(file for file in manifest() if file.path in names or file.task in names)


def _file_of(task: str, folder: str) -> OfficialFile:
    tasks = {file.task: file for file in manifest() if file.path.startswith(folder)}
    if task not in tasks:
        raise UsageProblem(f"no official task is named {task!r}; {did_you_mean(task, tasks)}".rstrip("; "))
    return tasks[task]


def _read(path: Path) -> bytes:
    return read_bytes(path, SIZE_LIMIT)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _first_right(file: OfficialFile, places: Sequence[Path]) -> tuple[bytes | None, list[str]]:
    """The verified content of the first place that has it, else None and what is wrong with every place."""
    problems = []
    for place in places:
        try:
            content = _read(place)
        except OSError as error:
            problems.append(f"{place}: could not be read: {error}")
            continue
        found = _sha256(content)
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
            state = "present" if _sha256(_read(path)) == file.sha256 else "damaged"
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


def _short(error: BaseException) -> str:
    """The kind of an error and its first line, cut: network errors quote whole object trees."""
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:200]}"


class _Malformed(Exception):
    """What is wrong with one item, before the file and the item are known."""


class _Reading:
    """One data file while it is read: names the file and the item in every error, and checks the SHA-256 last.

    Last, because what is wrong with an item says more to a person than a checksum; but a file that only looks right is
    refused all the same.
    """

    def __init__(self, file: OfficialFile) -> None:
        self.file = file
        self.path = data_dir() / file.path
        self.item: str | None = None
        self.document: Mapping[str, Any] = {}
        self.found = ""

    def __enter__(self) -> _Reading:
        try:
            content = _read(self.path)
        except (FileNotFoundError, NotADirectoryError):
            raise DataMissing(f"{self.path} is not imported yet: {HOW_TO_GET}") from None
        except OSError as error:
            raise self.damaged(f"could not be read: {error}") from error
        self.found = _sha256(content)
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"not JSON: {_short(error)}") from error
        if not isinstance(document, dict):
            raise self.damaged("not a JSON object")
        self.document = document
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, _Malformed):
            where = f"item {self.item!r}: " if self.item is not None else ""
            raise self.damaged(f"{where}{error}") from None
        if error is None and self.found != self.file.sha256:
            raise self.damaged(f"expected SHA-256 {self.file.sha256}, found {self.found}")

    def damaged(self, what: str) -> DataMissing:
        return DataMissing(f"{self.path} is damaged: {what}; to replace it {HOW_TO_GET}")

    def keyed_examples(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        examples = self.document.get("examples")
        if not isinstance(examples, dict) or not examples:
            raise _Malformed("'examples' is not an object with items")
        return self._rows(examples.items())

    def listed_examples(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        examples = self.document.get("examples")
        if not isinstance(examples, list) or not examples:
            raise _Malformed("'examples' is not a list with items")
        return self._rows((str(index), row) for index, row in enumerate(examples))

    def _rows(self, rows: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for key, row in rows:
            self.item = key
            if not isinstance(row, dict):
                raise _Malformed(f"not an object: {row!r}")
            yield key, row
        self.item = None


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str):
        raise _Malformed(f"{field!r} must be text, found {value!r}" if field in row else f"{field!r} is missing")
    return value


def _texts(row: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """One text or a list of texts, without blank ones; at least one must be left."""
    value = row.get(field)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _Malformed(f"{field!r} must be text or a list of texts, found {value!r}" if field in row else f"{field!r} is missing")
    # The dictionaries behind the translations left empty answers, which would accept an empty reply.
    if not (answers := tuple(text for text in texts if text.strip())):
        raise _Malformed(f"{field!r} holds no answer")
    return answers


def _inputs(task: str, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The input text, with the suffix of its id: one for every row, two for a cause and its effect."""
    if task == "cause_and_effect":
        cause, effect = _text(row, "cause"), _text(row, "effect")
        return [(f"Sentence 1: {cause} Sentence 2: {effect}", ""), (f"Sentence 1: {effect} Sentence 2: {cause}", "-swapped")]
    if task == "common_concept":
        return [(", ".join(_texts(row, "items")), "")]
    return [(_text(row, "input"), "")]


ANSWER_FIELDS = {
    "cause_and_effect": "cause",
    "common_concept": "all_common_concepts",
    "rhymes": "other_rhymes",
    "translation_en-de": "possible_translations",
    "translation_en-es": "possible_translations",
    "translation_en-fr": "possible_translations",
    "word_in_context": "possible_outputs",
}
"""Where the accepted answers stand; "output" for all other Instruction Induction tasks."""


def _answers(task: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    return _texts(row, ANSWER_FIELDS.get(task, "output"))


def _scored_options(row: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Targets and choices. dyck_languages has both fields and is scored by its `target`."""
    if "target" in row:
        return _texts(row, "target"), ()
    scores = row.get("target_scores")
    if not isinstance(scores, dict) or not scores:
        raise _Malformed("'target' and 'target_scores' are missing" if scores is None else f"'target_scores' holds no options: {scores!r}")
    targets = tuple(option for option, score in scores.items() if score == 1)
    if not targets:
        raise _Malformed("'target_scores' gives no option the score 1")
    return targets, tuple(scores)
