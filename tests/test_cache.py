"""The cache: what was put comes back, also after a kill and while it is written, and a row says its request and no secret."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from made_up import ANSWER, CALL, database
from promptlab.nouns.call import Call, Completion
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.identity import digest
from promptlab.running.cache import Cache, WriteBehind, request_of
from promptlab.running.cache.rows import packed


def test_an_answer_comes_back_as_cached(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert cache.get("k") is None
    cache.put("k", ANSWER)
    found = cache.get("k")
    assert found is not None
    assert found.cached
    assert (found.text, found.outcome, found.cost_usd, found.effective) == ("42", "ok", 0.001, {"temperature": 0})
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_errors_are_never_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", Completion("", "error", error="server: HTTP 500"))
    assert len(cache) == 0


@pytest.mark.parametrize("text", ["a" * 200_000, "\ud800 lone", "\x00", "😀" * 30_000, ""])
def test_any_text_survives(tmp_path: Path, text: str) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", Completion(text, "ok"))
    found = cache.get("k")
    assert found is not None
    assert found.text == text


def test_rows_of_the_first_format_are_read(tmp_path: Path) -> None:
    body = json.loads(packed("k", ANSWER, None).split("\n")[1])
    cache = Cache(tmp_path / "cache")
    cache.put("k", Completion("", "ok"))
    with database(tmp_path / "cache") as db:
        db.execute("UPDATE Cache SET value = ?", (json.dumps({"key": "k", "digest": digest(["k", body]), "completion": body}),))
    found = cache.get("k")
    assert found is not None
    assert (found.text, found.effective) == ("42", {"temperature": 0})
    assert next(cache.stored()).request is None


def test_many_keys_are_read_and_written_at_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put_many([(f"k{i}", Completion(str(i), "error" if i % 10 == 0 else "ok"), None) for i in range(2_000)])
    found = cache.get_many(f"k{i}" for i in range(3_000))
    assert len(found) == len(cache) == 1_800
    assert all(found[f"k{i}"].text == str(i) for i in range(2_000) if i % 10)
    assert cache.get_many([]) == {}


def test_a_failed_block_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    with pytest.raises(AttributeError):
        cache.put_many([("a", ANSWER, None), ("b", Completion("x", "ok", effective=5), None)])  # type: ignore[arg-type]
    assert len(cache) == 0
    cache.put("a", ANSWER)
    assert len(cache) == 1


def test_rows_that_are_there_and_long_ones_are_written_as_well(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", "refresh")
    long = Completion("long " * 20_000, "ok")
    cache.put_many([("a", ANSWER, None), ("b", long, None)])
    cache.put_many([("a", long, None), ("b", ANSWER, None), ("c", ANSWER, None)])
    found = cache.get_many("abc")
    assert {key: completion.text for key, completion in found.items()} == {"a": long.text, "b": "42", "c": "42"}
    assert len(cache) == 3
    assert len(list((tmp_path / "cache").rglob("*.val"))) == 1  # that of the row which is long now
    with database(tmp_path / "cache") as db:
        assert dict(db.execute("SELECT key, value FROM Settings WHERE key IN ('count', 'size')"))["count"] == 3


class SlowCache:
    """A cache whose writes end when they are told to, or fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go, self.error = threading.Semaphore(0), error
        self.written: list[list[str]] = []

    def put_packed(self, rows: Any) -> None:
        assert self.go.acquire(timeout=10)
        if self.error:
            raise self.error
        self.written.append(sorted(rows))


def test_answers_on_their_way_are_there_and_kept_in_the_order_in_which_they_come() -> None:
    async def run() -> None:
        cache = SlowCache()
        behind, told = WriteBehind(cache), []  # type: ignore[arg-type]
        behind.on_kept = lambda: told.append(behind.n_kept)
        behind.put("a", ANSWER, None)
        first = asyncio.create_task(behind.kept(1))
        await asyncio.sleep(0.01)
        behind.put("b", ANSWER, None)
        behind.put("c", ANSWER, None)
        waits = asyncio.create_task(behind.kept(3))
        await asyncio.sleep(0.01)
        found = behind.get("a"), behind.get("c")
        assert [completion is not None and completion.cached for completion in found] == [True, True]
        assert (behind.n_come, behind.n_kept, behind.is_kept(1), told, cache.written) == (3, 0, False, [], [])
        cache.go.release()
        await asyncio.wait_for(first, 10)
        assert (told, cache.written, behind.is_kept(1), behind.is_kept(2), waits.done()) == ([1], [["a"]], True, False, False)
        assert behind.get("a") is None  # the cache has it
        cache.go.release(2)
        await asyncio.wait_for(waits, 10)
        assert (told, cache.written) == ([1, 3], [["a"], ["b", "c"]])
        behind.put("d", ANSWER, None)
        behind.flush()
        assert (behind.n_kept, cache.written[2:]) == (4, [["d"]])
        await behind.kept(4)

    asyncio.run(run())


def test_where_answers_cannot_be_kept_nobody_waits_for_them() -> None:
    async def run() -> None:
        cache = SlowCache(RunProblem("no space"))
        behind = WriteBehind(cache)  # type: ignore[arg-type]
        behind.put("a", ANSWER, None)
        waits = asyncio.create_task(behind.kept(1))
        await asyncio.sleep(0.01)
        cache.go.release()
        await asyncio.wait_for(waits, 10)
        assert str(behind.failed) == "no space"
        behind.put("b", ANSWER, None)
        await behind.kept(2)
        behind.flush()
        assert (behind.n_kept, cache.written) == (0, [])

    asyncio.run(run())


def test_what_was_put_survives_a_kill(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom promptlab.running.cache import Cache\nfrom promptlab.nouns.call import Completion\n"
        "cache = Cache(pathlib.Path(sys.argv[1]))\n"
        "for i in range(100_000):\n    cache.put(str(i), Completion(str(i), 'ok'))\n    print(i, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.communicate()[0].splitlines()]
    found = Cache(tmp_path / "cache").get_many(map(str, told))
    assert len(found) == len(told) >= 200


def test_a_refreshing_cache_reads_only_what_it_asked_itself(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    cache.close()
    fresh = Cache(tmp_path / "cache", "refresh")
    assert fresh.get("k") is None
    fresh.put("k", Completion("43", "ok"))
    assert fresh.get("k") is not None
    assert fresh.get_many(["k"])["k"].text == "43"
    fresh.close()
    assert Cache(tmp_path / "cache").get_many(["k"])["k"].text == "43"


def test_a_row_says_its_request_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hush-hush-hush-1234")
    cache = Cache(tmp_path / "cache")
    cache.put(CALL.key, ANSWER, request_of(CALL))
    [row] = cache.stored()
    assert row.request is not None
    assert digest(row.request) == row.key == CALL.key
    for base in ("https://me:geheim12345@host.example/v1", "https://host.example/hush-hush-hush-1234/v1?api-key=geheim12345"):
        call = Call("openai/m", CALL.messages, {}, 0, base)
        cache.put(call.key, ANSWER, request_of(call))
        assert cache.get(call.key) is not None
    cache.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert b"geheim12345" not in stored
    assert b"hush-hush" not in stored
    assert b"host.example" in stored


def test_the_key_holds_what_decides_an_answer() -> None:
    call = Call("openai/m", ({"role": "user", "content": "q"},), {"temperature": 0}, 0, None)
    others = [
        Call("openai/n", call.messages, call.sampling),
        Call("openai/m", ({"role": "user", "content": "r"},), call.sampling),
        Call("openai/m", call.messages, {"temperature": 1}),
        Call("openai/m", call.messages, call.sampling, 1),
        Call("openai/m", call.messages, call.sampling, 0, "http://127.0.0.1:1/v1"),
    ]
    assert len({c.key for c in [call, *others]}) == 6
    assert Call("openai/m", ({"content": "q", "role": "user"},), {"temperature": 0}).key == call.key
