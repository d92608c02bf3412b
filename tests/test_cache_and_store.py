"""Nothing is unpickled, nothing acknowledged is lost, and what is damaged says so."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from promptlab.cache import Cache
from promptlab.errors import RunProblem
from promptlab.schema import CALL_COLUMNS, TRIAL_COLUMNS, Call, Completion
from promptlab.store import Run, RunWriter, is_locked, open_run, runs_in

DEFAULT: dict[str, Any] = {"str": "x", "int": 1, "float": 0.5, "bool": False}
ANSWER = Completion("42", "ok", "stop", "m-1", 5, 2, 0.001, 0.2, effective={"temperature": 0})


def row(columns: Any, **values: Any) -> dict[str, Any]:
    return {name: None if kind.endswith("?") else DEFAULT[kind] for name, kind in columns.items()} | values


def write(folder: Path, n: int, start: int = 0, **values: Any) -> None:
    writer = RunWriter(folder)
    for i in range(start, start + n):
        writer.append(
            row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok", **values),
            [row(CALL_COLUMNS, trial=f"t{i}", turn=0, text=f"answer {i}")],
        )
    writer.write_json("manifest.json", {"format": 1, "state": "running"})
    writer.close()


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


@pytest.mark.parametrize("column", ["value", "key"])
def test_a_planted_pickle_is_not_executed(tmp_path: Path, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    cache.close()
    with sqlite3.connect(tmp_path / "cache" / "cache.db") as db:
        if column == "value":
            db.execute("UPDATE Cache SET value = ?, mode = 4", (sqlite3.Binary(pickle.dumps(Planted())),))
        else:
            db.execute("UPDATE Cache SET key = ?, raw = 0", (sqlite3.Binary(pickle.dumps(Planted())),))
    again = Cache(tmp_path / "cache")
    assert again.get("k") is None
    again.put("other", ANSWER)
    assert again.get("other") is not None
    assert not (tmp_path / "PWNED").exists()


def test_a_changed_row_is_a_miss_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(tmp_path / "cache")
    cache.put("k", ANSWER)
    with sqlite3.connect(tmp_path / "cache" / "cache.db") as db:
        db.execute("UPDATE Cache SET value = replace(value, '\"42\"', '\"43\"')")
    assert cache.get("k") is None
    assert "does not match its digest" in caplog.text


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


def test_two_writers_never_meet(tmp_path: Path) -> None:
    first = RunWriter(tmp_path / "r")
    with pytest.raises(RunProblem, match=f"another process \\(pid {os.getpid()}\\)"):
        RunWriter(tmp_path / "r")
    first.close()
    RunWriter(tmp_path / "r").close()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "missing, so this folder is not a run"),
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
