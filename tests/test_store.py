"""Run folders: parts and journal give the rows in order, nothing that was acknowledged is lost, and what is broken says so."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from made_up import row, write
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.item import Item, Task
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.record.mirror import open_run
from promptlab.record.store import Run, RunWriter, files, is_locked, reading, runs_in, writing
from promptlab.record.store.writing import PART_ROWS


def write_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 1, "state": "running", "counts": {}}', encoding="utf-8")


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
