"""Files of other tools on a disk: read with bounds, unpacked and decoded, never executed."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlab.importers.values import refusal
from promptlab.nouns import counted
from promptlab.sources.encodings import WINDOW, as_utf8
from promptlab.sources.foreign import SMALL, json_value, unique
from promptlab.sources.tables import SIZE_LIMIT, content_of

UNPACKED_LIMIT = 2**30
"""Bytes of all entries of an archive together."""
ENTRY_LIMIT = 64 * 2**20
MOST_DENSE = 100
"""Bytes that a byte of an archive unpacks to at most, beyond the limit of one entry."""
MOST_ENTRIES = 200_000
ZSTD = 93
"""The compression method of a zip entry that Python 3.11 does not know and newer inspect_ai logs use."""
BINARY = (b"PK\x03\x04", b"PK\x05\x06", b"PAR1", b"\xd0\xcf\x11\xe0")


def unwatched(share: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was read, once. `content` is unpacked, and UTF-8 where it is text; the digest is of the bytes on the disk."""

    path: Path
    content: bytes
    sha256: str
    arm: str | None = None
    """The arm that the user gave it."""
    notes: tuple[str, ...] = ()
    """What was done to read it."""
    n_packed: int | None = None
    """Bytes before it was unpacked."""
    watch: Callable[[float], None] = unwatched
    """Called with how much of a long file has been read, from 0 to 1."""

    @property
    def suffix(self) -> str:
        """What the file is by its name: .csv for table.csv and for table.csv.gz; .json for a JSON list that is called .jsonl."""
        path = self.path.with_suffix("") if self.n_packed is not None and self.path.suffix.lower() == ".gz" else self.path
        suffix = path.suffix.lower()
        return ".json" if suffix in (".jsonl", ".ndjson") and self.content[:100].lstrip()[:1] == b"[" else suffix


def read_file(path: Path, arm: str | None = None, watch: Callable[[float], None] | None = None) -> File:
    """A file's bytes and their digest; FileProblems when it is absent, no regular file, too large, or text that nobody can decode."""
    raw = content = content_of(path)
    if not raw.strip():
        raise refusal(path, "the file is empty")
    n_packed = None
    if raw[:2] == b"\x1f\x8b":
        content, n_packed = _gunzipped(path, raw), len(raw)
    notes = []
    if not content.startswith(BINARY):
        content, encoding = as_utf8(path, content)
        if encoding:
            notes.append(f"{path.name} was read as {encoding}")
    return File(path, content, hashlib.sha256(raw).hexdigest(), arm, notes=tuple(notes), n_packed=n_packed, watch=watch or unwatched)


def _gunzipped(path: Path, raw: bytes) -> bytes:
    limit = min(SIZE_LIMIT, max(ENTRY_LIMIT, MOST_DENSE * len(raw)))
    try:
        unpacker = zlib.decompressobj(wbits=31)
        content = unpacker.decompress(raw, limit + 1)
    except zlib.error as error:
        raise refusal(path, f"damaged: {error}") from None
    if len(content) > limit:
        raise refusal(path, f"unpacks to more than {limit // 2**20} MB, which is too much to be read")
    if not unpacker.eof or unpacker.unused_data:
        raise refusal(path, "the packed file is not whole, or more follows it; unpack it first")
    if (n := sum(map(content.count, (b",", b";", b"\t", b"\n", b"[", b"{")))) > max(SMALL, len(raw)):
        raise refusal(path, f"holds {n:,} values, packed into {len(raw):,} bytes; unpack it first")
    return content


def parsed(path: Path, content: bytes, place: str = "", line: int | None = None, n_packed: int | None = None) -> Any:  # noqa: ANN401
    """The value of JSON text that came as `n_packed` bytes; FileProblems says why it is not one."""
    inside = f"{place}: " if place else ""
    try:
        return json_value(content.decode("utf-8-sig"), n_packed, once=True)
    except UnicodeDecodeError:
        raise refusal(path, f"{inside}not UTF-8 text", line) from None
    except json.JSONDecodeError as error:
        raise refusal(path, f"{inside}not JSON: {error.msg}; is the file whole?", line or error.lineno) from None
    except ValueError as error:  # nested too deeply, or a number of thousands of digits
        raise refusal(path, f"{inside}not JSON that can be read: {error}", line) from None


def json_lines(file: File) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of every line that is not blank; of a JSON list, the number and object of every entry."""
    if file.suffix == ".json":
        for number, value in enumerate(Stream(file).elements(), 1):
            if not isinstance(value, dict):
                raise refusal(file.path, f"entry {number}: expected a JSON object, found {type(value).__name__}")
            yield number, value
        return
    done = 0
    for line, row in enumerate(io.BytesIO(file.content), 1):
        done += len(row)
        if not row.strip():
            continue
        if line % 1000 == 0:
            file.watch(done / len(file.content))
        value = parsed(file.path, row, line=line)
        if not isinstance(value, dict):
            raise refusal(file.path, f"expected a JSON object, found {type(value).__name__}", line)
        yield line, value


class Stream:
    """A JSON document that is read part by part, so that of a long one only what is kept takes memory."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._content = memoryview(file.content)
        self._next_byte = 0
        self._text = ""
        self._at = 0
        self._lines = 1
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._read = json.JSONDecoder(object_pairs_hook=unique).raw_decode

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            found = re.compile(r"[ \t\r\n]*").match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def value(self) -> Any:  # noqa: ANN401
        """The value that begins here."""
        self.peek()
        while True:
            try:
                found, end = self._read(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._more():
                    continue
                raise refusal(self._file.path, f"not JSON: {error.msg}; is the file whole?", self._lines + error.lineno - 1) from None
            except RecursionError:
                raise refusal(self._file.path, "not JSON that can be read: nested too deeply") from None
            except ValueError as error:  # a number of thousands of digits
                raise refusal(self._file.path, f"not JSON that can be read: {error}") from None
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._at = end
            return found

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; who asks for the next one has read the value before."""
        return (key for key in self._parts("{", "}", self._key))

    def elements(self) -> Iterator[Any]:
        """The elements of the list that begins here."""
        return self._parts("[", "]", self.value)

    def _parts(self, opening: str, closing: str, read: Callable[[], Any]) -> Iterator[Any]:
        self._take(opening)
        while self.peek() != closing:
            yield read()
            if self.peek() != closing:
                self._take(",")
        self._at += 1

    def _key(self) -> str:
        key = self.value()
        self._take(":")
        return str(key)

    def _take(self, character: str) -> None:
        if self.peek() != character:
            line = self._lines + self._text.count("\n", 0, self._at)
            raise refusal(self._file.path, f"not JSON: expected {character!r}; is the file whole?", line)
        self._at += 1

    def _more(self) -> bool:
        if self._next_byte >= len(self._content):
            return False
        self._lines += self._text.count("\n", 0, self._at)
        kept = self._text[self._at :]
        end = min(len(self._content), self._next_byte + max(WINDOW, 2 * len(kept)))
        self._text = kept + self._decoder.decode(self._content[self._next_byte : end], final=end == len(self._content))
        self._at, self._next_byte = 0, end
        self._file.watch(end / len(self._content))
        return True


class Archive:
    """A zip file that is read entry by entry, never unpacked to a disk."""

    def __init__(self, file: File) -> None:
        self._file = file
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(file.content))
            self.entries = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
            raise refusal(file.path, f"not a readable zip archive: {error}") from None
        if len(self.entries) < (n := sum(not info.is_dir() for info in self._zip.infolist())):
            raise refusal(
                file.path, f"the archive holds {counted(n - len(self.entries), 'file')} of a name that another one has; pack it again"
            )
        if len(self.entries) > MOST_ENTRIES:
            raise refusal(file.path, f"the archive holds {len(self.entries):,} files; at most {MOST_ENTRIES:,} are read")
        unpacked = sum(info.file_size for info in self._zip.infolist())
        if unpacked > (limit := min(UNPACKED_LIMIT, max(ENTRY_LIMIT, MOST_DENSE * len(file.content)))):
            raise refusal(file.path, f"the archive holds {unpacked:,} bytes unpacked; of its size at most {limit // 2**20} MB are read")

    def json(self, name: str) -> Any:  # noqa: ANN401
        """The value of one entry."""
        return parsed(self._file.path, self.entry(name), name, n_packed=self.entries[name].compress_size)

    def entry(self, name: str) -> bytes:
        """One entry, unpacked."""
        info = self.entries[name]
        path = self._file.path
        if info.file_size > ENTRY_LIMIT:
            raise refusal(path, f"{name}: {info.file_size:,} bytes unpacked; at most {ENTRY_LIMIT // 2**20} MB are read")
        if info.flag_bits & 0x1:
            raise refusal(path, f"{name}: encrypted; write it without a password")
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
