"""Files that somebody else may have written: regular ones only, with bounds on bytes, rows, nesting and what they unpack to.

What is not such a file is an OSError, what cannot be read a ValueError, each with one sentence; the bounds hold before anything is
unpacked, so that a small file never takes much memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlab.nouns import FileProblems, RunProblem, no_file
from promptlab.sources.footer import chunks_in, footer_length

if TYPE_CHECKING:
    import pyarrow as pa

SMALL = 2_000_000
"""Values that any file may hold; a larger number needs as many bytes."""
SMALL_BYTES = 256 * 2**20
"""What any file may unpack to; more needs a file of an eighth of it."""
LARGEST_PART = 2**30
CHARS = 64
LARGEST_YAML, DEEPEST_YAML, LONGEST_NUMBER = 32 * 2**20, 200, 1_000
"""Characters, levels, and characters of a number. libyaml ends the process where levels are some ten thousand."""
ENCODINGS = frozenset({"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"})
"""Ways in which Parquet writes values that unpack to a size that is known, or of which each different value is written out once."""


_NOTED: ContextVar[dict[Path, None] | None] = ContextVar("noted", default=None)


@contextlib.contextmanager
def files_read() -> Iterator[dict[Path, None]]:
    """The files that are read inside the block, in their order."""
    found: dict[Path, None] = {}
    token = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(token)


def check_regular(path: Path, limit: int, within: Path | None = None) -> int:
    """The size of a regular file, not larger than `limit` bytes and, with `within`, not by a link outside that folder; else OSError."""
    status = path.stat()  # asked before opening: opening a device may do something
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    if status.st_size > limit:
        raise OSError(f"{status.st_size:,} bytes is more than the limit of {limit // 2**20} MB")
    if within is not None and not os.path.realpath(path).startswith(os.path.join(os.path.realpath(within), "")):
        raise OSError("a link to a file outside the folder, which is not followed")
    return status.st_size


@contextlib.contextmanager
def _opened(path: Path, how: int = 0) -> Iterator[io.BufferedReader]:
    """A regular file opened to be read, with `how` perhaps no link; OSError for anything else."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | how)  # a pipe that came since would be waited for for ever
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("not a regular file")
        yield file


def read_bytes(path: Path, limit: int, within: Path | None = None) -> bytes:
    """The bytes of such a file; OSError for anything else, and for files of more than `limit` bytes, which are not read."""
    check_regular(path, limit, within)
    if (noted := _NOTED.get()) is not None:
        noted[path.absolute()] = None
    with _opened(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"more than the limit of {limit // 2**20} MB")
    return content


def content_of(path: Path, limit: int, *ends: str) -> bytes:
    """`read_bytes`; FileProblems where a file is absent, with near names that end so, or cannot be read."""
    try:
        return read_bytes(path, limit)
    except FileNotFoundError:
        raise FileProblems.one(path, no_file(path, *ends)) from None
    except OSError as error:
        raise FileProblems.one(path, f"cannot be read: {error.strerror or error}") from None


def decoded(path: Path, content: bytes) -> str:
    """The text that the bytes of a file are; FileProblems with the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FileProblems.one(path, "not UTF-8 text; save the file as UTF-8", line) from None


def lines_of(path: Path, longest: int) -> Iterator[bytes]:
    """The lines of a regular file, one in memory at a time; OSError for anything else, ValueError for a line of more bytes."""
    with _opened(path) as file:
        while line := file.readline(longest + 1):
            if len(line) > longest:
                raise ValueError(f"more than {longest:,} bytes")
            yield line


def opened_to_write(path: Path, how: int, mode: int = 0o666) -> int:
    """A regular file opened to be written (`os.O_APPEND`, `os.O_TRUNC`), made where it is missing; OSError for a link, a pipe, a folder."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | how, mode)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("not a regular file")
    return handle


def sha256_of(path: Path) -> str:
    """The SHA-256 of a regular file, read piece by piece; OSError for a link, a pipe or a folder, and for a file that is missing."""
    with _opened(path, os.O_NOFOLLOW) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_private(folder: Path, what: str, so: str) -> None:
    """Make a folder for its owner alone; RunProblem for one that others can write to (`so` says what follows), or that lies elsewhere."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise RunProblem(f"{folder}: {what} cannot be made there: {error.strerror}; set PROMPTLAB_HOME to another folder") from None
    if stat.S_ISLNK(found.st_mode):
        raise RunProblem(
            f"{folder}: {what} is a symbolic link to {os.path.realpath(folder)!r}, and is used only where it really lies; "
            f"set PROMPTLAB_HOME to a folder that holds it, or remove the link"
        )
    if os.geteuid() not in (0, found.st_uid):
        raise RunProblem(f"{folder}: {what} belongs to another user (uid {found.st_uid}); set PROMPTLAB_HOME to a folder of your own")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o022:
        raise RunProblem(
            f"{folder}: others can write into {what} (mode {mode:04o}), so {so}; "
            f"if nobody did, run `chmod 700 {folder}` and the same command again, else move the folder away"
        )
    if mode != 0o700:
        folder.chmod(0o700)


def json_value(text: bytes | str, n_packed: int | None = None, *, once: bool = False) -> Any:  # noqa: ANN401
    """The value of JSON text; ValueError where it is not one, or nested too deeply, or much larger than the `n_packed` bytes it came as.

    With `once` also where an object holds a key twice: programs differ in which of the two they read, and people see the first.
    """
    if n_packed is not None and isinstance(text, str) and len(text) > SMALL:
        n_values = sum(map(text.count, ",[{"))
        if n_values > max(SMALL, n_packed):
            raise ValueError(f"it holds {n_values:,} values, packed into {n_packed:,} bytes")
    try:
        return json.loads(text, object_pairs_hook=unique) if once else json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class KeyTwice(ValueError):
    """An object holds a key twice."""


def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; ValueError where a key occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise KeyTwice(f"the key {twice!r} occurs twice in one object; leave one of them out")
    return found


def parquet_table(source: Path | bytes, columns: Collection[str] | None = None, within: Path | None = None) -> pa.Table:
    """A Parquet file, or those of some columns that it has; OSError, ValueError or ArrowException where it is not one.

    Nor where it would unpack to more than a file of its size may. Text that is repeated often stays a dictionary where it is long.
    """
    import pyarrow.parquet as pq

    n_bytes = len(source) if isinstance(source, bytes) else check_regular(source, LARGEST_PART, within)
    if isinstance(source, Path) and (noted := _NOTED.get()) is not None:
        noted[source.absolute()] = None

    def opened(**options: Any) -> pq.ParquetFile:  # noqa: ANN401
        return pq.ParquetFile(io.BytesIO(source) if isinstance(source, bytes) else source, page_checksum_verification=True, **options)

    chunks = chunks_in(_footer(source, n_bytes))
    with opened() as file:
        wanted = [name for name in file.schema_arrow.names if columns is None or name in columns]
        n_rows = file.metadata.num_rows
        chunks = tuple(chunk for chunk in chunks if chunk.path.split(".", 1)[0] in wanted)
        limit, most = max(SMALL_BYTES, 8 * n_bytes), max(SMALL, 2 * n_bytes)
        size = sum(chunk.n_bytes for chunk in chunks)
        n_values = max(sum(chunk.n_values for chunk in chunks), n_rows * len(wanted))
        if size > limit or n_values > most:
            raise ValueError(
                f"it has {n_bytes:,} bytes and unpacks to {n_values:,} values and {size:,} bytes, which is too much to be read"
            )
        if strange := {name for chunk in chunks for name in chunk.encodings} - ENCODINGS:
            raise ValueError(f"it is written in the encoding {min(strange)}, which is not read")
        shared = {chunk.path for chunk in chunks if chunk.is_text and chunk.has_dictionary}
        longest = [max(chunk.n_bytes for chunk in chunks if chunk.path == path) for path in shared]
        if n_rows * sum(longest) <= limit:  # however often each of its values is repeated
            return file.read(columns=wanted, use_threads=False)
    with opened(read_dictionary=sorted(shared)) as file:
        table = file.read(columns=wanted, use_threads=False)
    if (size := sum(_unpacked(chunk) for column in table.columns for chunk in column.chunks)) > limit:
        raise ValueError(f"it has {n_bytes:,} bytes and unpacks to {size:,}, which is too much to be read")
    return table


def _footer(source: Path | bytes, n_bytes: int) -> bytes:
    """The footer of a Parquet file; ValueError where it has none."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        file.seek(max(0, n_bytes - 8))
        length = footer_length(file.read(8))
        if length + 12 > n_bytes:
            raise ValueError("its footer is longer than the file")
        file.seek(n_bytes - 8 - length)
        return file.read(length)


def _unpacked(array: pa.Array) -> int:
    """Bytes of an array without its dictionaries."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_struct(array.type):
        return sum(map(_unpacked, array.flatten()))
    if pa.types.is_nested(array.type) and hasattr(array, "flatten"):
        return _unpacked(array.flatten())
    if not pa.types.is_dictionary(array.type):
        return int(array.nbytes)
    return int(pc.sum(pc.take(pc.binary_length(array.dictionary), array.indices)).as_py() or 0)


def yaml_value(text: str) -> Any:  # noqa: ANN401
    """The value of YAML that a program wrote, aliases included; ValueError where it is not one, or means much more than its bytes hold."""
    import yaml

    if len(text) > LARGEST_YAML:
        raise ValueError(f"{len(text):,} characters; at most {LARGEST_YAML:,} are read, and JSON is read in a tenth of the time")

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def flatten_mapping(self, node: object) -> None:
            """Keys `<<` are not merged: a chain of them copies without bound."""

        def construct_scalar(self, node: Any) -> Any:  # noqa: ANN401
            """The text of a scalar; one that is read as a number is not long: `1:59:59` is one, and takes the square of its length."""
            if len(node.value) > LONGEST_NUMBER and node.tag.endswith((":int", ":float")):
                raise ValueError(f"a number of {len(node.value):,} characters")
            return super().construct_scalar(node)

    depth = 0
    try:
        for event in yaml.parse(text, Loader=Loader):  # which keeps its levels in a list
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST_YAML:
                raise ValueError("nested too deeply")
        value = yaml.load(text, Loader=Loader)  # noqa: S506 (a safe loader: plain data only)
        n_values = _expanded(value, {})
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    except RecursionError:  # by a chain of aliases
        raise ValueError("nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # of a value that is not what its tag says
        raise ValueError(f"a value is not of its type: {error}") from None
    if n_values > max(SMALL, len(text)):
        raise ValueError(f"its aliases stand for {n_values:,} values")
    return value


def _expanded(value: object, known: dict[int, int]) -> int:
    """How many values there are, each alias counted as what it stands for; a text counts once for each `CHARS` of it."""
    if not isinstance(value, dict | list):
        return 1 + (len(value) // CHARS if isinstance(value, str) else 0)
    if id(value) not in known:
        known[id(value)] = SMALL * SMALL  # what an alias inside itself would stand for
        known[id(value)] = 1 + sum(_expanded(part, known) for part in (value.values() if isinstance(value, dict) else value))
    return known[id(value)]
