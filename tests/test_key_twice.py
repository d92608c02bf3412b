"""A key that stands twice in JSON of a run folder: people see the first value and readers take the last, so it is refused or reported."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from promptlab.cli.main import app
from promptlab.nouns.errors import FileProblems, RunProblem
from promptlab.planning.audit import audit
from promptlab.planning.rebuilt import problems
from promptlab.planning.resolve import resolve
from promptlab.record.lines import chained, rows_in
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter
from promptlab.record.store.chain import links_in
from promptlab.record.store.files import CHECKSUM, line_of, lines_with_a_key_twice, whole_lines
from promptlab.record.store.reading import batches_in, looks_in
from promptlab.running import bundle
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment


def twice(text: str, key: str, value: object) -> str:
    """JSON text whose first object begins with a key that it has again later."""
    assert f'"{key}"' in text
    return text.replace("{", f"{{{json.dumps(key)}: {json.dumps(value)}, ", 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twice")
    return run_sweep(resolve(experiment(folder, items=8)), folder / "runs", None, Execution(cache="off"), lambda _: None).folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


@pytest.mark.parametrize(("name", "key", "value"), [("plan.json", "name", "another"), ("manifest.json", "paid_usd", 0)])
def test_a_plan_and_a_manifest_are_refused(folder: Path, name: str, key: str, value: object) -> None:
    path = folder / name
    path.write_text(twice(path.read_text(encoding="utf-8"), key, value), encoding="utf-8")
    with pytest.raises(RunProblem, match=f"{name}: not readable as JSON .the key '{key}' occurs twice"):
        audit(Run(folder))
    for command in (["runs", "verify"], ["audit"], ["report"]):
        done = CliRunner().invoke(app, [*command, str(folder)])
        assert "occurs twice" in str(done.exception), command
        assert isinstance(done.exception, RunProblem)
        assert done.exception.exit_code == 1


def test_an_inner_object_counts_as_well(folder: Path) -> None:
    path = folder / "manifest.json"
    text = path.read_text(encoding="utf-8")
    at = text.index('"counts": {')
    path.write_text(text[:at] + twice(text[at:], "sent", 5), encoding="utf-8")
    with pytest.raises(RunProblem, match="the key 'sent' occurs twice"):
        Run(folder)


@pytest.mark.parametrize(
    ("name", "read", "text"),
    [
        ("looks.json", looks_in, '{"rows": [], "rows": []}'),
        ("batches.json", batches_in, '{"mark": "a", "mark": "b", "batches": []}'),
    ],
)
def test_other_files_are_refused(folder: Path, name: str, read: Callable[[Path], object], text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(RunProblem, match="occurs twice"):
        read(folder)


def test_a_link_of_the_chain_does_not_follow(folder: Path) -> None:
    path = folder / "chain.jsonl"
    assert links_in(folder)[1] == ""
    path.write_text(twice(path.read_text(encoding="utf-8"), "lines", 1), encoding="utf-8")
    assert "line 1 of chain.jsonl does not follow" in links_in(folder)[1]
    assert any("chain.jsonl" in said for said in problems(Run(folder)))


def test_ratings_and_the_registry_name_the_line() -> None:
    data = chained(b"", {"rating": 1}, {"rating": 2})
    first, second = data.splitlines(keepends=True)
    assert [wrong for _, wrong in rows_in(data)] == ["", ""]
    forged = first + twice(second.decode(), "rating", 5).encode()
    assert [bool(wrong) for _, wrong in rows_in(forged)] == [False, True]


def test_a_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"holds": "another", "holds": "promptlab answers", "format": 1}', encoding="utf-8")
    with pytest.raises(FileProblems, match="the key 'holds' occurs twice"):
        bundle.read(tmp_path)


def test_a_line_of_the_journal_is_reported_and_set_aside(folder: Path) -> None:
    """Its checksum is right, and the chain may be: whoever edits a line computes both again."""
    first, second = (pq.read_table(next((folder / kind).iterdir())).to_pylist() for kind in ("trials", "calls"))
    good, other = (line_of(trial, [call for call in second if call["trial"] == trial["trial"]]) for trial in first[:2])
    before = good.rpartition(CHECKSUM)[0].replace(b'{"trial":{', b'{"trial":{"answer":"what people see",', 1)
    forged = b"%b%b%d}\n" % (before, CHECKSUM, zlib.crc32(before + b"}"))
    assert len(list(whole_lines(good + forged + other))) == 3, "its checksum is right"
    assert lines_with_a_key_twice(good + other) == []
    assert lines_with_a_key_twice(good + forged + other) == [forged.rstrip(b"\n")]
    (folder / "journal.jsonl").write_bytes(good + forged + other)
    assert any("1 line of the journal gives a key twice" in said for said in problems(Run(folder)))
    done = repair(folder, dry_run=True)
    assert (done.n_torn, done.n_damaged) == (0, 1)
    RunWriter(folder).close()
    assert (folder / "damaged" / "journal.jsonl").read_bytes() == forged


def test_texts_that_look_like_keys_are_none() -> None:
    answer = 'say "a": 1, \\"a\\": 2 and "a":"b" \\'
    row = {"trial": {"answer": answer, "b\\": 1, "c": 2}, "calls": [{"text": '{"k":1,"k":2}'}]}
    for text in (json.dumps(row), json.dumps(row, separators=(",", ":")), json.dumps({**row, "more": {"x": {"y": 1}}})):
        assert lines_with_a_key_twice(text.encode() + b"\n") == []
