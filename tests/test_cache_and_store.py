"""Nothing is unpickled, nothing acknowledged is lost, and what is damaged says so."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from promptlab.nouns.call import Call, Completion
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.identity import digest
from promptlab.nouns.item import Item, Task
from promptlab.nouns.manifest import Tally
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.record.mirror import open_run
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter, files, is_locked, reading, runs_in, writing
from promptlab.record.store.writing import PART_ROWS
from promptlab.running.cache import Cache, WriteBehind, request_of
from promptlab.running.cache.rows import packed

DEFAULT: dict[str, Any] = {"str": "x", "int": 1, "float": 0.5, "bool": False}
CALL = Call("openai/m", ({"role": "user", "content": "What is 6 * 7? \ud800 é"},), {"temperature": 0, "seed": 3}, 1)
ANSWER = Completion("42", "ok", "stop", "m-1", 5, 2, 0.001, 0.2, effective={"temperature": 0})


def row(columns: Any, **values: Any) -> dict[str, Any]:
    return {name: None if kind.endswith("?") else DEFAULT[kind] for name, kind in columns.items()} | values


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "cache.db")) as db, db:
        yield db


def write(folder: Path, n: int, start: int = 0, **values: Any) -> None:
    writer = RunWriter(folder)
    for i in range(start, start + n):
        writer.append(
            row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok", **values),
            [row(CALL_COLUMNS, trial=f"t{i}", turn=0, text=f"answer {i}")],
        )
    writer.write_json("manifest.json", {"format": 1, "state": "running", "counts": {}})
    writer.close()


def write_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 1, "state": "running", "counts": {}}', encoding="utf-8")


class Planted:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch PWNED",))


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


PICKLED = pickle.dumps(Planted())
PLANTS = {
    "a pickle": ("value = ?, mode = 4", PICKLED),
    "a pickle called raw": ("value = ?, mode = 1", PICKLED),
    "a pickle in a file": ("value = NULL, mode = 4, filename = ?", "ab/cd/" + "0" * 28 + ".val"),
    "a binary file": ("value = NULL, mode = 2, filename = ?", "ab/cd/" + "0" * 28 + ".val"),
    "a pickled key": ("key = ?, raw = 0", PICKLED),
    "a text key called pickled": ("value = value, raw = ?", 0),
    "a path out of the folder": ("value = NULL, mode = 3, filename = ?", "../../outside"),
    "a path out of the folder that looks right": ("value = NULL, mode = 3, filename = ?", "ab/ef/" + "0" * 28 + ".val"),
    "an absolute path": ("value = NULL, mode = 3, filename = ?", "/etc/hostname"),
    "a path and a value": ("mode = 1, filename = ?", "../../outside"),
    "no UTF-8": ("value = CAST(? AS TEXT)", b"2 \xff\xfe"),
    "a number": ("value = ?, mode = 1", 5),
    "another mode": ("mode = ?", 99),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_row_is_absent_and_does_nothing(
    tmp_path: Path, plant: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "home" / "cache"
    outside = tmp_path / "outside"
    outside.write_text(packed("k", ANSWER, None), encoding="ascii")
    cache = Cache(folder)
    cache.put("k", ANSWER)
    cache.close()
    (folder / "ab" / "cd").mkdir(parents=True)
    (folder / "ab" / "cd" / ("0" * 28 + ".val")).write_bytes(PICKLED)
    (folder / "ab" / "ef").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ("0" * 28 + ".val")).write_text(packed("k", ANSWER, None), encoding="ascii")
    change, value = PLANTS[plant]
    with database(folder) as db:
        db.execute(f"UPDATE Cache SET {change}", (value,))
    cache = Cache(folder)
    assert cache.get("k") is None
    assert cache.get_many(["k", "other"]) == {}
    assert [row.completion for row in cache.stored()] == [None]
    assert all(row.problem for row in cache.stored())
    cache.put("k", ANSWER)  # diskcache deletes the file that the row named before
    assert cache.get("k") is not None
    cache.remove([row for row in cache.stored() if row.problem])
    cache.close()
    assert not (tmp_path / "PWNED").exists()
    assert outside.exists()
    assert (tmp_path / "elsewhere" / ("0" * 28 + ".val")).exists()


def test_a_planted_row_goes_without_the_file_that_it_names(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine", encoding="ascii")
    cache = Cache(tmp_path / "home" / "cache")
    cache.put("k", ANSWER)
    with database(tmp_path / "home" / "cache") as db:
        db.execute("UPDATE Cache SET mode = 3, value = NULL, filename = '../../outside'")
    assert cache.remove(list(cache.stored())) == 1
    assert (len(cache), outside.read_text()) == (0, "mine")


def test_a_pipe_for_a_value_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", Completion("x" * 100_000, "ok"))
    [value] = (tmp_path / "cache").glob("*/*/*.val")
    value.unlink()
    os.mkfifo(value)
    assert cache.get("k") is None
    assert "not a regular file" in caplog.text


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("INSERT INTO Settings VALUES ('disk_evil', 1)", "'disk_evil', which diskcache does not write"),
        ("INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)", "sqlite_writable_schema"),
        ("INSERT INTO Settings VALUES (CAST(x'ff' AS TEXT), 1)", "which diskcache does not write"),
        ("CREATE TRIGGER t AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END", "the trigger 't', which diskcache does not make"),
        ("CREATE VIEW v AS SELECT * FROM Cache", "the view 'v'"),
        ("CREATE TABLE other (x)", "the table 'other'"),
        ("ALTER TABLE Cache ADD COLUMN big GENERATED ALWAYS AS (zeroblob(1000000000))", "the table 'Cache'"),
        ("ALTER TABLE Cache ADD COLUMN big DEFAULT 'a text for every row'", "the table 'Cache'"),
        ("CREATE INDEX Cache_big ON Cache (zeroblob(1000000000))", "the index 'Cache_big'"),
        ("CREATE INDEX Cache_some ON Cache (key) WHERE value > zeroblob(1000000000)", "the index 'Cache_some'"),
        (
            "DROP TRIGGER Settings_count_insert; CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache "
            "BEGIN UPDATE Cache SET value = 'x'; END",
            "the trigger 'Settings_count_insert'",
        ),
    ],
)
def test_a_database_that_obeys_somebody_else_is_refused(tmp_path: Path, sql: str, told: str) -> None:
    Cache(tmp_path / "cache").close()
    with database(tmp_path / "cache") as db:
        db.executescript(sql)
    with pytest.raises(RunProblem, match=told) as caught:
        Cache(tmp_path / "cache")
    assert "move the folder" in str(caught.value)


def test_settings_that_would_drop_answers_are_put_right(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Cache(tmp_path / "cache").close()
    with database(tmp_path / "cache") as db:
        db.execute("UPDATE Settings SET value = 'least-recently-stored' WHERE key = 'eviction_policy'")
        db.execute("UPDATE Settings SET value = 10 WHERE key = 'cull_limit'")
        db.execute("UPDATE Settings SET value = 1 WHERE key = 'size_limit'")
        db.execute("UPDATE Settings SET value = 'off' WHERE key = 'sqlite_journal_mode'")
    cache = Cache(tmp_path / "cache")
    assert "cull_limit and eviction_policy would have dropped answers; corrected" in caplog.text
    for i in range(50):
        cache.put(str(i), ANSWER)
    assert len(cache) == 50
    with database(tmp_path / "cache") as db:
        assert dict(db.execute("SELECT key, value FROM Settings"))["sqlite_journal_mode"] == "wal"


def test_a_cache_of_plain_diskcache_is_used(tmp_path: Path) -> None:
    import diskcache

    diskcache.Cache(str(tmp_path / "cache")).close()
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    assert cache.get("k") is not None


def test_a_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    Cache(folder).close()
    folder.chmod(0o770)
    with pytest.raises(RunProblem, match=r"others can write into the cache \(mode 0770\).*chmod 700"):
        Cache(folder)
    folder.chmod(0o750)
    Cache(folder).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(RunProblem, match="is a symbolic link to"):
        Cache(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunProblem, match="PROMPTLAB_HOME"):
        Cache(tmp_path / "dangling")
    (folder / "cache.db").rename(tmp_path / "moved.db")
    (folder / "cache.db").symlink_to(tmp_path / "moved.db")
    with pytest.raises(RunProblem, match="not a regular file"):
        Cache(folder)
    with pytest.raises(RunProblem, match="variable in its name"):
        Cache(tmp_path / "$HOME")
    assert not (tmp_path / "$HOME").exists()
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(RunProblem, match="cannot be made there"):
        Cache(tmp_path / "file" / "cache")


def test_a_changed_row_is_a_miss_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    with database(tmp_path / "cache") as db:
        db.execute("UPDATE Cache SET value = replace(value, '\"42\"', '\"43\"')")
    assert cache.get("k") is None
    assert "does not match its digest" in caplog.text


def test_no_flipped_byte_gives_another_answer(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    text = packed("k", ANSWER, request_of(CALL))
    cache.put("k", ANSWER, request_of(CALL))
    before = cache.get("k")
    with closing(sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)) as db:
        for at in range(0, len(text), 3):
            flipped = bytearray(text.encode())
            flipped[at] ^= 1 << (at % 8)
            db.execute("UPDATE Cache SET value = CAST(? AS TEXT)", (bytes(flipped),))
            assert cache.get("k") is None, at
        db.execute("UPDATE Cache SET value = ?", (text,))
    assert cache.get("k") == before


def test_swapped_rows_are_misses(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("a", ANSWER)
    cache.put("b", Completion("other", "ok"))
    with database(tmp_path / "cache") as db:
        db.execute("UPDATE Cache SET key = CASE key WHEN 'a' THEN 'B' ELSE 'A' END")
        db.execute("UPDATE Cache SET key = lower(key)")
    assert cache.get_many(["a", "b"]) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "error"}, {"outcome": ["ok"]}, {"text": 5}, {"latency_s": None}, {"latency_s": float("nan")}, {"cost_usd": -1.0},
        {"cost_usd": float("inf")}, {"cost_usd": 10**400}, {"input_tokens": True}, {"output_tokens": -1}, {"effective": []},
        {"attempts": True}, {"top_logprobs": [["a"]]}, {"top_logprobs": [["a", 10**400]]}, {"attempts": 0}, {"finish_reason": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_right_digest_does_not_make_a_completion(tmp_path: Path, change: dict[str, Any]) -> None:
    body = {**json.loads(packed("k", ANSWER, None).split("\n")[1]), **change}
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    with database(tmp_path / "cache") as db:
        db.execute("UPDATE Cache SET value = ?", (json.dumps({"key": "k", "digest": digest(["k", body]), "completion": body}),))
    assert cache.get("k") is None


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


def test_a_row_nested_without_end_is_a_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    with database(tmp_path / "cache") as db:
        db.execute("UPDATE Cache SET value = ?", ('{"a":' * 100_000,))
    assert cache.get("k") is None


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


def test_a_destroyed_database_says_what_to_do(tmp_path: Path) -> None:
    Cache(tmp_path / "cache").close()
    (tmp_path / "cache" / "cache.db").write_bytes(b"not a database" * 500)
    with pytest.raises(RunProblem, match="move the folder away"):
        Cache(tmp_path / "cache").get("k")


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


def test_rows_come_back_in_order_from_parts_and_journal(tmp_path: Path) -> None:
    write(tmp_path / "r", 2_500)
    writer = RunWriter(tmp_path / "r")
    writer.append(row(TRIAL_COLUMNS, trial="t9999", order=9_999, outcome="ok", score=1.0), [row(CALL_COLUMNS, trial="t9999", turn=0)])
    run = open_run(tmp_path / "r")
    frame = run.trials()
    assert list(frame["order"]) == [*range(2_500), 9_999]
    assert len(run.calls()) == 2_501
    assert run.calls_of("t7").iloc[0]["text"] == "answer 7"
    assert run.state == "running"
    writer.close()
    assert Run(tmp_path / "r").state == "interrupted"
    assert not is_locked(tmp_path / "r")


def test_a_torn_tail_is_read_past_and_repaired(tmp_path: Path) -> None:
    write(tmp_path / "r", 3)
    line = json.dumps({"trial": row(TRIAL_COLUMNS, trial="t3", order=3, outcome="ok"), "calls": [row(CALL_COLUMNS, trial="t3", turn=0)]})
    (tmp_path / "r" / "journal.jsonl").write_text(line + "\n" + line[: len(line) // 2], encoding="utf-8")
    assert len(Run(tmp_path / "r").trials()) == 4
    write(tmp_path / "r", 1, start=4)
    assert list(Run(tmp_path / "r").trials()["trial"]) == ["t0", "t1", "t2", "t3", "t4"]


def test_a_crash_between_part_and_journal_leaves_one_of_each(tmp_path: Path) -> None:
    write(tmp_path / "r", 3)
    lines = [
        json.dumps({"trial": row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok"), "calls": [row(CALL_COLUMNS, trial=f"t{i}", turn=0)]})
        for i in range(3)
    ]
    (tmp_path / "r" / "journal.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run = Run(tmp_path / "r")
    assert len(run.trials()) == len(run.calls()) == 3


def test_a_crash_between_part_and_journal_counts_what_was_paid_once(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "r")
    for i in range(3):
        writer.append(row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok", paid_usd=0.25), [])
    journal = (tmp_path / "r" / "journal.jsonl").read_bytes()
    writer.close()
    another = files.line_of(row(TRIAL_COLUMNS, trial="t9", order=0, outcome="ok", paid_usd=0.25), [])
    (tmp_path / "r" / "journal.jsonl").write_bytes(journal + another)
    writer = RunWriter(tmp_path / "r")
    found = writer.recorded()
    writer.close()
    assert (found.trials, found.paid_usd) == ({"t0", "t1", "t2", "t9"}, 1.0)
    assert not (tmp_path / "r" / "journal.jsonl").exists()
    assert len(list((tmp_path / "r" / "trials").glob("part-*"))) == 2


def test_answers_after_a_part_of_errors_are_no_copy_of_it(tmp_path: Path) -> None:
    write(tmp_path / "r", 0)
    for outcome in ("error", "ok"):
        writer = RunWriter(tmp_path / "r")
        for i in range(3):
            writer.append(row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome=outcome), [])
        journal = (tmp_path / "r" / "journal.jsonl").read_bytes()
        if outcome == "error":
            writer.close()
    writer.close()
    (tmp_path / "r" / "trials" / "part-00001.parquet").unlink()  # as a kill before the second part leaves it
    (tmp_path / "r" / "journal.jsonl").write_bytes(journal)
    RunWriter(tmp_path / "r").close()
    assert list(Run(tmp_path / "r").trials()["outcome"]) == ["ok", "ok", "ok"]


def test_items_come_one_by_one_as_they_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ITEMS_AT_ONCE", 2)
    items = tuple(Item(f"i{n}", f"input {n}", ("a", f"b{n}"), ("a", "c"), scores=(0.5, 1.0) if n else ()) for n in range(5))
    writer = RunWriter(tmp_path / "r")
    writer.write_items([Task("sum", "own", "own", "ii_em", {}, items)])
    writer.close()
    write_manifest(tmp_path / "r")
    run = Run(tmp_path / "r")
    together = run.items().astype(object)
    assert list(run.each_item()) == together.where(together.notna(), None).to_dict("records")
    assert [row["targets"] for row in run.each_item()] == [["a", f"b{n}"] for n in range(5)]


def test_trials_go_on_coming_while_a_part_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, real = threading.Event(), writing.write_part

    def write_part(*what: Any) -> None:
        assert slow.wait(10)
        real(*what)

    monkeypatch.setattr(writing, "PART_ROWS", 4)
    monkeypatch.setattr(writing, "write_part", write_part)
    writer = RunWriter(tmp_path / "r")
    for i in range(7):  # a part of four is being made
        writer.append(row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok"), [row(CALL_COLUMNS, trial=f"t{i}", turn=0)])
        write_manifest(tmp_path / "r")
        assert list(Run(tmp_path / "r").trials()["trial"]) == [f"t{n}" for n in range(i + 1)]
    assert not list((tmp_path / "r" / "trials").glob("part-*"))
    slow.set()
    writer.append(row(TRIAL_COLUMNS, trial="t7", order=7, outcome="ok"), [row(CALL_COLUMNS, trial="t7", turn=0)])
    deadline = time.monotonic() + 10
    n = 8
    while len((tmp_path / "r" / "journal.jsonl").read_bytes().splitlines()) >= 8 and time.monotonic() < deadline:
        time.sleep(0.01)
        writer.append(row(TRIAL_COLUMNS, trial=f"t{n}", order=n, outcome="ok"), [row(CALL_COLUMNS, trial=f"t{n}", turn=0)])
        n += 1
    assert (tmp_path / "r" / "trials" / "part-00000.parquet").exists()
    assert list(Run(tmp_path / "r").trials()["trial"]) == [f"t{i}" for i in range(n)]
    writer.close()
    assert list(Run(tmp_path / "r").trials()["trial"]) == [f"t{i}" for i in range(n)]
    assert len(Run(tmp_path / "r").calls()) == n


def test_a_part_that_cannot_be_made_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = writing.write_part

    def write_part(*_: Any) -> None:
        raise RunProblem("no space")

    monkeypatch.setattr(writing, "PART_ROWS", 2)
    monkeypatch.setattr(writing, "write_part", write_part)
    writer = RunWriter(tmp_path / "r")

    def go_on() -> None:
        for i in range(1_000):
            writer.append(row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok"), [])

    with pytest.raises(RunProblem, match="no space"):
        go_on()
    with pytest.raises(RunProblem, match="no space"):
        writer.close()
    n = len((tmp_path / "r" / "journal.jsonl").read_bytes().splitlines())
    assert n >= 2
    monkeypatch.setattr(writing, "write_part", real)
    RunWriter(tmp_path / "r").close()
    write_manifest(tmp_path / "r")
    assert list(Run(tmp_path / "r").trials()["trial"]) == [f"t{i}" for i in range(n)]


@pytest.mark.parametrize("text", ["", "é 漢 🙂", "\x00\x01\x1f\x7f\u2028", 'a "quoted" \\ back\tslash\r\n', "x" * 200_000])
def test_a_part_holds_every_text_as_it_came(tmp_path: Path, text: str) -> None:
    call = row(CALL_COLUMNS, trial="t0", turn=0, text=text, latency_s=0.1 + 0.2, cost_usd=1e-9, input_tokens=10**11, score=1)
    writer = RunWriter(tmp_path / "r")
    writer.append(row(TRIAL_COLUMNS, trial="t0", order=0, outcome="ok", answer=text, score=1 / 3), [call])
    write_manifest(tmp_path / "r")
    journal = Run(tmp_path / "r")
    before = journal.trials(), journal.calls()
    writer.close()
    after = Run(tmp_path / "r").trials(), Run(tmp_path / "r").calls()
    for one, other in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert after[1].loc[0, ["latency_s", "cost_usd", "input_tokens", "score"]].tolist() == [0.1 + 0.2, 1e-9, 10**11, 1.0]
    assert (after[0].loc[0, "answer"], after[1].loc[0, "text"]) == (text, text)


def test_recorded_trials_leave_errors_open_and_count_what_was_paid(tmp_path: Path) -> None:
    write(tmp_path / "r", 2, paid_usd=0.25)
    writer = RunWriter(tmp_path / "r")
    writer.append(row(TRIAL_COLUMNS, trial="bad", order=5, outcome="error"), [])
    found = writer.recorded()
    assert found.trials == {"t0", "t1"}
    assert found.paid_usd == 0.5
    writer.append(row(TRIAL_COLUMNS, trial="bad", order=5, outcome="ok"), [])
    assert writer.recorded().trials == {"t0", "t1", "bad"}
    writer.close()
    assert Run(tmp_path / "r").trials()["outcome"].tolist() == ["ok", "ok", "ok"]


def test_what_came_from_the_cache_took_no_tokens_here(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(folder, 3, cached=True, input_tokens=10, output_tokens=5, paid_usd=0.0)
    write(folder, 2, 3, cached=False, input_tokens=10, output_tokens=None, paid_usd=0.5)
    found = reading.recorded_in(folder)
    assert (len(found.trials), found.paid_tokens, found.paid_usd) == (5, 20, 1.0)


def test_only_its_owner_can_take_a_lock(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        writer = RunWriter(tmp_path / "run")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run" / "lock").stat().st_mode) == 0o600, "whoever holds it keeps every sweep out"
    writer.close()


def test_a_file_is_durable_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "x.json", []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced = Path(f"/proc/self/fd/{handle}")
        seen.append((b"its folder" if synced.is_dir() else synced.read_bytes(), path.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    files.write_whole(path, b"whole")
    assert seen == [(b"whole", False), (b"its folder", True)], "all of it, under another name, and then the name"
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("line", [b"5", b"null", b"[]", b'"trial"', b"{}", b'{"calls": []}', b'{"trial'])
def test_a_line_that_is_no_trial_is_read_past(tmp_path: Path, line: bytes) -> None:
    writer = RunWriter(tmp_path / "run")
    writer.append(row(TRIAL_COLUMNS, trial="t0", order=0, outcome="ok"), [])
    write_manifest(tmp_path / "run")
    with (tmp_path / "run" / "journal.jsonl").open("ab") as file:
        file.write(line + b"\n")
    writer.append(row(TRIAL_COLUMNS, trial="t1", order=1, outcome="ok"), [])
    assert Run(tmp_path / "run").trials()["trial"].tolist() == ["t0", "t1"]
    writer.close()


def test_long_trials_become_a_part_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PART_BYTES", 5_000)
    writer = RunWriter(tmp_path / "run")
    for i in range(9):
        writer.append(row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok", answer="x" * 2_000), [])
    write_manifest(tmp_path / "run")
    assert len(Run(tmp_path / "run").trials()) == 9
    writer.close()
    assert len(list((tmp_path / "run" / "trials").glob("part-*"))) == 5, "two trials each, and the rest"


@pytest.mark.parametrize("kind", ["trials", "calls"])
def test_a_new_part_takes_no_number_of_one_that_repair_put_aside(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "run", 2)
    aside = tmp_path / "run" / files.DAMAGED / kind
    aside.mkdir(parents=True)
    (aside / "part-00007.parquet").touch()
    write(tmp_path / "run", 2, 2)
    assert sorted(path.name for path in (tmp_path / "run" / "trials").iterdir()) == ["part-00000.parquet", "part-00008.parquet"]


def test_two_writers_never_meet(tmp_path: Path) -> None:
    first = RunWriter(tmp_path / "r")
    with pytest.raises(RunProblem, match=f"another process \\(pid {os.getpid()}\\)"):
        RunWriter(tmp_path / "r")
    first.close()
    RunWriter(tmp_path / "r").close()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "missing from this run; the same sweep command writes it again"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "not readable as JSON"),
        (lambda folder: (folder / "manifest.json").write_text('{"format": 99}'), "written in run format 99"),
        (lambda folder: (folder / "trials" / "part-00000.parquet").write_bytes(b"PAR1 cut"), "a part cannot be read"),
    ],
)
def test_a_broken_run_says_what_to_do(tmp_path: Path, damage: Any, told: str) -> None:
    write(tmp_path / "r", 3)
    damage(tmp_path / "r")
    with pytest.raises(RunProblem, match=told):
        Run(tmp_path / "r").trials()


def test_an_unknown_run_offers_a_near_name(tmp_path: Path) -> None:
    write(tmp_path / "quickstart-12345678", 1)
    assert [p.name for p in runs_in(tmp_path)] == ["quickstart-12345678"]
    with pytest.raises(RunProblem, match="did you mean 'quickstart-12345678'"):
        open_run(tmp_path / "quickstart-12345679")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def two_parts(folder: Path) -> None:
    write(folder, 30, paid_usd=0.5)
    write(folder, 10, start=30, paid_usd=0.5)
    text = json.dumps({"format": 1, "state": "complete", "counts": {"done": 40, "errors": 0, "planned": 40, "sent": 40}, "paid_usd": 20.0})
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def test_a_whole_run_needs_no_repair(tmp_path: Path) -> None:
    two_parts(tmp_path / "r")
    before = tree(tmp_path / "r")
    done = repair(tmp_path / "r")
    assert (done.needed, done.n_trials, done.paid_usd) == (False, 40, 20.0)
    assert tree(tmp_path / "r") == before


@pytest.mark.parametrize("kind", ["trials", "calls"])
@pytest.mark.parametrize("how", ["cut", "flipped", "emptied"])
def test_a_part_that_cannot_be_read_goes_aside_with_its_other_half(tmp_path: Path, kind: str, how: str) -> None:
    folder = tmp_path / "r"
    two_parts(folder)
    path = folder / kind / "part-00000.parquet"
    data = path.read_bytes()
    at = data.index(b"t1") if how == "flipped" and b"t1" in data else 60
    path.write_bytes({"cut": data[: len(data) // 2], "flipped": data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :], "emptied": b""}[how])
    with pytest.raises(RunProblem, match="promptlab runs repair"):
        Run(folder).trials() if kind == "trials" else Run(folder).calls()
    if kind == "trials":
        with closing(RunWriter(folder)) as writer, pytest.raises(RunProblem, match="promptlab runs repair"):
            writer.recorded()
    before = tree(folder)
    assert repair(folder, dry_run=True).n_lost == 30
    assert tree(folder) == before
    done = repair(folder)
    assert (done.n_lost, done.n_trials, done.paid_usd, done.paid_before_usd) == (30, 10, 5.0, 20.0)
    assert {name for name, _ in done.aside} == {"trials/part-00000.parquet", "calls/part-00000.parquet"}
    run = Run(folder)
    assert (len(run.trials()), len(run.calls())) == (10, 10)
    assert (run.manifest.state, run.manifest.counts) == ("incomplete", Tally(done=10, planned=40, sent=40))
    write(folder, 30)  # what the sweep asks again goes into a part of its own
    assert len(Run(folder).trials()) == len(Run(folder).calls()) == 40
    assert (folder / "damaged" / kind / "part-00000.parquet").exists()
    assert len(list(Run(folder).records())) == 40
    assert not repair(folder).aside


def test_a_new_part_never_takes_the_place_of_one_that_is_there(tmp_path: Path) -> None:
    two_parts(tmp_path / "r")
    for kind in ("trials", "calls"):
        (tmp_path / "r" / kind / "part-00000.parquet").unlink()  # by hand, as an earlier message advised
    write(tmp_path / "r", 5)
    assert len(Run(tmp_path / "r").trials()) == 15


def test_repair_clears_what_a_killed_process_left(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    two_parts(folder)
    line = json.dumps({"trial": row(TRIAL_COLUMNS, trial="t40", order=40, outcome="ok"), "calls": [row(CALL_COLUMNS, trial="t40", turn=0)]})
    (folder / "journal.jsonl").write_text(f'{line}\n{{"trial": 5}}\n{line[:50]}', encoding="utf-8")
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True).stdout.strip()
    (folder / "trials" / f".part-00002.parquet.{dead}.tmp").write_bytes(b"half")
    (folder / f".report.html.{os.getpid()}.tmp").write_bytes(b"being written")
    done = repair(folder)
    assert done.leftovers == (f"trials/.part-00002.parquet.{dead}.tmp",)
    assert (done.n_torn, done.n_trials, done.aside, done.n_lost) == (2, 41, (), 0)
    assert (folder / "journal.jsonl").read_text(encoding="utf-8") == line + "\n"
    assert (folder / f".report.html.{os.getpid()}.tmp").exists()
    assert not repair(folder).needed


def test_repair_puts_an_unreadable_manifest_aside(tmp_path: Path) -> None:
    two_parts(tmp_path / "r")
    (tmp_path / "r" / "manifest.json").write_text("{", encoding="utf-8")
    done = repair(tmp_path / "r")
    assert [name for name, _ in done.aside] == ["manifest.json"]
    assert (done.n_trials, done.n_lost) == (40, 0)


def test_repair_is_refused_while_a_process_writes_and_elsewhere(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "r")
    with pytest.raises(RunProblem, match="a process is writing this run"):
        repair(tmp_path / "r")
    writer.close()
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunProblem, match="not a run"):
        repair(tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_records_come_part_by_part(tmp_path: Path) -> None:
    write(tmp_path / "r", PART_ROWS + 5)
    found = list(Run(tmp_path / "r").records())
    assert [trial["trial"] for trial, _ in found] == [f"t{i}" for i in range(PART_ROWS + 5)]
    assert all(calls[0]["text"] == f"answer {i}" for i, (_, calls) in enumerate(found))


def test_of_lines_that_a_full_disk_takes_in_part_the_whole_ones_are_kept(tmp_path: Path) -> None:
    class Full:
        def write(self, data: bytes) -> int:
            return len(data) - 5

        def close(self) -> None: ...

    writer = RunWriter(tmp_path)
    writer._journal = Full()  # type: ignore[assignment]
    with pytest.raises(RunProblem, match="No space left"):
        writer.append_lines(
            [files.line_of(row(TRIAL_COLUMNS, trial=f"t{n}", order=n), [row(CALL_COLUMNS, trial=f"t{n}")]) for n in range(3)]
        )
    writer.close()
    [part] = (tmp_path / "trials").glob("*.parquet")
    assert [found["trial"] for found in files.part_rows(part, TRIAL_COLUMNS)] == ["t0", "t1"]
