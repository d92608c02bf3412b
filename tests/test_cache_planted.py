"""A cache that somebody changed: nothing is unpickled, no file outside is read or removed, and changed rows are misses."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from made_up import ANSWER, CALL, database
from promptlab.nouns.call import Completion
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.identity import digest
from promptlab.running.cache import Cache, request_of
from promptlab.running.cache.rows import packed


class Planted:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch PWNED",))


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


def test_a_row_nested_without_end_is_a_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    with database(tmp_path / "cache") as db:
        db.execute("UPDATE Cache SET value = ?", ('{"a":' * 100_000,))
    assert cache.get("k") is None


def test_a_destroyed_database_says_what_to_do(tmp_path: Path) -> None:
    Cache(tmp_path / "cache").close()
    (tmp_path / "cache" / "cache.db").write_bytes(b"not a database" * 500)
    with pytest.raises(RunProblem, match="move the folder away"):
        Cache(tmp_path / "cache").get("k")
