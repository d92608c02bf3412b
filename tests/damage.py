"""What can become of a file: each mutation takes a random generator and a path, and leaves something else there."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from conftest import ROOT

ELSEWHERE = ROOT / "README.md"
Mutation = Callable[[random.Random, Path], None]


def flipped(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes() or b"\0")
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(rng: random.Random, path: Path) -> None:
    data = path.read_bytes() or b"\0"
    path.write_bytes(data[: rng.randrange(len(data))])


def overwritten(rng: random.Random, path: Path) -> None:
    """A stretch of zeros or of noise, as a disk leaves it."""
    data = bytearray(path.read_bytes() or b"\0")
    start, length = rng.randrange(len(data)), rng.choice([1, 16, 512, 4096])
    filling = bytes(length) if rng.random() < 0.5 else rng.randbytes(length)
    data[start : start + length] = filling[: max(0, len(data) - start)]
    path.write_bytes(data)


def repeated(rng: random.Random, path: Path) -> None:
    """A stretch of the file stands there twice."""
    data = path.read_bytes() or b"\0"
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    path.write_bytes(data[:b] + data[a:])


def value_changed(rng: random.Random, path: Path) -> None:
    """A field of a JSON file, or of a journal's line, is deleted or of another type; of other files a bit is flipped."""
    if path.suffix not in (".json", ".jsonl") or not path.stat().st_size:
        return flipped(rng, path)
    text = path.read_text(encoding="utf-8")
    lines = [text] if path.suffix == ".json" else text.splitlines()
    at = rng.randrange(len(lines))
    document = json.loads(lines[at])
    place = document
    while True:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not (isinstance(place[key], dict | list) and place[key]) or rng.random() < 0.2:
            break
        place = place[key]
    if rng.random() < 0.4:
        del place[key]
    else:
        place[key] = rng.choice([None, 5, -1, 1e308, 10**30, "x", "", [], {}, [[]], True, "\ud800", {"a": {"b": []}}])
    lines[at] = json.dumps(document)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return None


def huge_line(_: random.Random, path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"trial": "' + b"x" * 3_000_000 + b'"}\n')


def nested(rng: random.Random, path: Path) -> None:
    line = rng.choice([b"[" * 200_000, b'{"a":' * 200_000, b"[" * 200_000 + b"]" * 200_000])
    path.write_bytes(line if rng.random() < 0.5 else path.read_bytes() + line + b"\n")


def linked(_: random.Random, path: Path) -> None:
    path.unlink()
    path.symlink_to(ELSEWHERE)


def linked_to_itself(_: random.Random, path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def piped(_: random.Random, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def emptied(_: random.Random, path: Path) -> None:
    path.write_bytes(b"")


def removed(_: random.Random, path: Path) -> None:
    path.unlink()


def made_a_folder(_: random.Random, path: Path) -> None:
    path.unlink()
    path.mkdir()


def swapped(rng: random.Random, path: Path) -> None:
    """Another file of the same folder stands in its place."""
    others = sorted(p for p in path.parent.parent.rglob("*") if p.is_file() and p != path and p.suffix == path.suffix)
    if others:
        shutil.copyfile(rng.choice(others), path)


def unreadable(_: random.Random, path: Path) -> None:
    path.chmod(0)


MUTATIONS: tuple[Mutation, ...] = (
    flipped, flipped, flipped, cut, value_changed, value_changed, linked, piped, emptied, removed, made_a_folder, swapped, overwritten,
    repeated, huge_line, nested, linked_to_itself, unreadable,
)  # fmt: skip
