"""Files of other tools, read with bounds and never executed."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptlab.importers.results import File, refusal
from promptlab.nouns import read_bytes
from promptlab.sources.tables import SIZE_LIMIT

UNPACKED_LIMIT = 2**30
"""Bytes of all entries of an archive together."""
ENTRY_LIMIT = 64 * 2**20
MOST_ENTRIES = 200_000
ZSTD = 93
"""The compression method of a zip entry that Python 3.11 does not know and newer inspect_ai logs use."""


def read_file(path: Path, arm: str | None = None) -> File:
    """A file's bytes and their digest; FileProblems when it is absent, no regular file, or too large."""
    try:
        content = read_bytes(path, SIZE_LIMIT)
    except FileNotFoundError:
        raise refusal(path, "there is no such file") from None
    except OSError as error:
        raise refusal(path, f"cannot be read: {error.strerror or error}") from None
    if not content.strip():
        raise refusal(path, "the file is empty")
    return File(path, content, hashlib.sha256(content).hexdigest(), arm)


def parsed(path: Path, content: bytes, place: str = "", line: int | None = None) -> Any:  # noqa: ANN401
    """The value of JSON text; FileProblems says why it is none."""
    inside = f"{place}: " if place else ""
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise refusal(path, f"{inside}not UTF-8 text", line) from None
    except json.JSONDecodeError as error:
        raise refusal(path, f"{inside}not JSON: {error.msg}; is the file whole?", line or error.lineno) from None
    except RecursionError:
        raise too_deep(path, place) from None
    except ValueError:  # a number of thousands of digits
        raise refusal(path, f"{inside}not JSON that can be read: a number is too long", line) from None


def too_deep(path: Path, place: str = "") -> Exception:
    """What is said of JSON that is nested deeper than any tool writes it."""
    return refusal(path, f"{place}: nested too deeply" if place else "nested too deeply, which no evaluation tool writes")


def json_lines(file: File) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line that is not blank."""
    for line, text in enumerate(file.content.split(b"\n"), 1):
        if not text.strip():
            continue
        value = parsed(file.path, text, line=line)
        if not isinstance(value, dict):
            raise refusal(file.path, f"expected a JSON object, found {type(value).__name__}", line)
        yield line, value


class Archive:
    """A zip file that is read entry by entry, never unpacked to a disk."""

    def __init__(self, file: File) -> None:
        self._file = file
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(file.content))
            self.entries = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
            raise refusal(file.path, f"not a readable zip archive: {error}") from None
        if len(self.entries) > MOST_ENTRIES:
            raise refusal(file.path, f"the archive holds {len(self.entries):,} files; at most {MOST_ENTRIES:,} are read")
        unpacked = sum(info.file_size for info in self._zip.infolist())
        if unpacked > UNPACKED_LIMIT:
            raise refusal(file.path, f"the archive holds {unpacked:,} bytes unpacked; at most {UNPACKED_LIMIT // 2**20} MB are read")

    def json(self, name: str) -> Any:  # noqa: ANN401
        """The value of one entry."""
        return parsed(self._file.path, self._bytes(name), name)

    def _bytes(self, name: str) -> bytes:
        info = self.entries[name]
        path = self._file.path
        if info.file_size > ENTRY_LIMIT:
            raise refusal(path, f"{name}: {info.file_size:,} bytes unpacked; at most {ENTRY_LIMIT // 2**20} MB are read")
        if info.flag_bits & 0x1:
            raise refusal(path, f"{name}: encrypted; write the log without a password")
        try:
            if info.compress_type == ZSTD:
                return self._zstd(info)
            with self._zip.open(info) as entry:
                return entry.read(info.file_size + 1)
        except NotImplementedError:
            raise refusal(path, f"{name}: packed by method {info.compress_type}, which is not read; pack it with deflate") from None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, struct.error) as error:
            raise refusal(path, f"{name}: damaged ({str(error)[:200]})") from None

    def _zstd(self, info: zipfile.ZipInfo) -> bytes:
        import pyarrow as pa

        start = info.header_offset
        name_length, extra_length = struct.unpack("<HH", self._file.content[start + 26 : start + 30])
        start += 30 + name_length + extra_length
        packed = self._file.content[start : start + info.compress_size]
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            unpacked = bytes(stream.read(info.file_size + 1))
        if len(unpacked) != info.file_size or zlib.crc32(unpacked) != info.CRC:
            raise ValueError("the content does not match its checksum")
        return unpacked
