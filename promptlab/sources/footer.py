"""What the footer of a Parquet file says of its columns, read here: PyArrow ends the whole process over some that are damaged.

The footer is a struct in Thrift's compact protocol; field numbers and enums are those of parquet-format's parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

MAGIC = b"PAR1"
LONGEST_FOOTER = 16 * 2**20
KEPT = 2**17
"""Bytes of a footer that is remembered."""
ENCODINGS = {
    0: "PLAIN", 2: "PLAIN_DICTIONARY", 3: "RLE", 4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED", 6: "DELTA_LENGTH_BYTE_ARRAY",
    7: "DELTA_BYTE_ARRAY", 8: "RLE_DICTIONARY", 9: "BYTE_STREAM_SPLIT",
}  # fmt: skip
BYTE_ARRAY = 6


class Chunk(NamedTuple):
    """A column of one row group."""

    path: str
    """Its names from the outermost to the innermost, with dots between."""
    n_values: int
    n_bytes: int
    """Unpacked."""
    encodings: frozenset[str]
    is_text: bool
    has_dictionary: bool


def footer_length(tail: bytes) -> int:
    """The length of a footer from a file's last 8 bytes; ValueError where they are no end of a Parquet file."""
    if tail[4:] != MAGIC:
        raise ValueError("it does not end as a Parquet file does")
    length = int.from_bytes(tail[:4], "little")
    if not 0 < length <= LONGEST_FOOTER:
        raise ValueError(f"its footer is {length:,} bytes long")
    return length


def chunks_in(footer: bytes) -> tuple[Chunk, ...]:
    """Every column of every row group; ValueError where the footer is not one."""
    return _known(footer) if len(footer) <= KEPT else _chunks(footer)


def _chunks(footer: bytes) -> tuple[Chunk, ...]:
    try:
        return tuple(_chunk(column[3]) for group in _Reader(footer).struct()[4] for column in group[1])
    except (IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its footer cannot be read ({type(error).__name__})") from None


_known = lru_cache(maxsize=64)(_chunks)
"""A process reads the same parts several times."""


def _chunk(meta: dict[int, Any]) -> Chunk:
    path = ".".join(name.decode() for name in meta[3])
    encodings = frozenset(ENCODINGS.get(number, str(number)) for number in meta[2])
    if meta[5] < 0 or meta[6] < 0:
        raise ValueError(f"the column {path} has less than nothing in it")
    return Chunk(path, meta[5], meta[6], encodings, meta[1] == BYTE_ARRAY, 11 in meta)


class _Reader:
    """Values of Thrift's compact protocol, one after the other: structs as dicts by the number of the field."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._by_kind: dict[int, Callable[[], Any]] = {
            3: self._byte, 4: self._whole, 5: self._whole, 6: self._whole, 7: lambda: self._bytes(8), 8: lambda: self._bytes(self._size()),
            9: self._list, 10: self._list, 11: self._map, 12: self.struct,
        }  # fmt: skip

    def struct(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._whole()
            kind = head & 15
            found[number] = kind == 1 if kind < 3 else self._by_kind[kind]()
        return found

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _size(self) -> int:
        """A number of several bytes, the lowest seven bits first."""
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("its footer has a number of more than 64 bits")
        return value | byte << shift

    def _whole(self) -> int:
        value = self._size()
        return (value >> 1) ^ -(value & 1)

    def _bytes(self, n: int) -> bytes:
        if self._at + n > len(self._data):
            raise ValueError("its footer ends too soon")
        self._at += n
        return self._data[self._at - n : self._at]

    def _list(self) -> list[Any]:
        head = self._byte()
        n = head >> 4 if head >> 4 < 15 else self._size()
        read = self._byte if head & 15 < 3 else self._by_kind[head & 15]
        return [read() for _ in range(n)]

    def _map(self) -> list[tuple[Any, Any]]:
        n = self._size()
        kinds = self._byte() if n else 0
        return [(self._by_kind[kinds >> 4](), self._by_kind[kinds & 15]()) for _ in range(n)]
