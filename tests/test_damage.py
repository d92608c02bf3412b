"""Damaged run folders: whatever is flipped, cut, deleted, swapped or linked, reading ends in one clear sentence or in the right frame,
and repair with a sweep gives back what was there.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import servers
from conftest import ROOT
from damage import MUTATIONS
from promptlab.cli.main import app
from promptlab.cli.remedies import remedy
from promptlab.nouns import CIRCUMSTANCE_COLUMNS, EVIDENCE_COLUMNS, PromptlabError
from promptlab.planning.audit import DIFFERS, MATCHES
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.ratings import Rating, add, ratings_of
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter
from promptlab.record.store.files import line_of, whole_lines
from promptlab.reporting import audited
from promptlab.reporting.build import build
from promptlab.running.batch import submission
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.sources.footer import chunks_in, footer_length
from runs import experiment, served

N_MUTATIONS = int(os.environ.get("PROMPTLAB_MUTATIONS", "24"))


def swept(study: Study, runs: Path) -> Path:
    return run_sweep(study, runs, None, Execution(), lambda _: None).folder


def frames(folder: Path) -> tuple[pd.DataFrame, ...]:
    run = Run(folder)
    trials = run.trials().drop(columns=list(CIRCUMSTANCE_COLUMNS))
    calls = (
        run.calls().drop(columns=["latency_s", "cached", "attempts", *EVIDENCE_COLUMNS]).sort_values(["trial", "turn"], ignore_index=True)
    )
    return trials, calls, run.items()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """A tiny run of three parts and a journal, as a killed process leaves it."""
    folder = tmp_path_factory.mktemp("whole")
    study = resolve(experiment(folder, items=3))
    run = swept(study, folder)
    lines = [line_of(*both) for both in Run(run).records()]
    for kind in ("trials", "calls"):
        shutil.rmtree(run / kind)
    third = len(lines) // 4
    for start in range(0, 3 * third, third):
        writer = RunWriter(run)
        writer.append_lines(lines[start : start + third])
        writer.close()
    (run / "journal.jsonl").write_bytes(b"".join(lines[3 * third :]))
    return study, run


def attempted(read: Callable[[], object]) -> str:
    """What a reader says of damage; anything but an error raised on purpose fails the test."""
    try:
        read()
    except PromptlabError as error:
        return str(error)
    return ""


@pytest.mark.long(but=6)
@pytest.mark.parametrize("seed", range(N_MUTATIONS))
def test_whatever_is_damaged_is_told_and_mended(whole: tuple[Study, Path], tmp_path: Path, seed: int) -> None:
    study, untouched = whole
    rng = random.Random(seed)
    run = tmp_path / untouched.name
    shutil.copytree(untouched, run)
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.name not in ("report.html", "lock"))
    for path in rng.sample(files, rng.choice([1, 1, 1, 2])):
        if path.is_file():
            rng.choice(MUTATIONS)(rng, path)
    for read in (lambda: build(Run(run)), lambda: frames(run), lambda: list(Run(run).records()), lambda: swept(study, tmp_path)):
        attempted(read)
    repair(run)
    swept(study, tmp_path)
    for mended, before in zip(frames(run), frames(untouched_and_complete(study, untouched)), strict=True):
        pd.testing.assert_frame_equal(mended, before)
    build(Run(run))
    assert not repair(run).aside


@pytest.mark.parametrize("how", ["garbage", "cut", "missing"])
@pytest.mark.parametrize(
    "name",
    [
        "manifest.json", "plan.json", "items.parquet", "experiment.yaml", "chain.jsonl", "trials/part-00000.parquet",
        "calls/part-00000.parquet",
    ],
)  # fmt: skip
def test_a_run_that_lost_a_file_passes_its_audit_after_repair_and_sweep(
    whole: tuple[Study, Path], tmp_path: Path, name: str, how: str
) -> None:
    study, untouched = whole
    complete = untouched_and_complete(study, untouched)
    run = tmp_path / complete.name
    shutil.copytree(complete, run)
    before, data = Run(run).manifest, (run / name).read_bytes()
    (run / name).unlink() if how == "missing" else (run / name).write_bytes(b"garbage" if how == "garbage" else data[: len(data) // 2])
    repair(run)
    swept(study, tmp_path)
    assert [row for row in audited.of_run(Run(run)) if row.says != MATCHES] == []
    after = Run(run).manifest
    for what in ("state", "served", "effective", "models", "prices", "hashes", "simulated_models"):
        assert getattr(after, what) == getattr(before, what), what
    assert (after.counts.done, after.counts.errors, after.counts.unpriced) == (before.counts.done, before.counts.errors, 0)
    calls = Run(run).calls()
    assert after.counts.sent >= (~calls["cached"]).sum()
    assert after.sessions >= 2
    assert after.created_at <= calls["answered_at"].min()
    assert after.spent.tokens >= calls[["input_tokens", "output_tokens"]].sum().sum()
    assert not repair(run).needed


@pytest.mark.parametrize(
    ("name", "how", "what"),
    [
        ("trials/part-00000.parquet", "flip", "trials and calls"),
        ("calls/part-00000.parquet", "flip", "trials and calls"),
        ("calls/part-00000.parquet", "missing", "trials and calls"),
        ("chain.jsonl", "cut", "trials and calls"),
        ("items.parquet", "cut", "data"),
        ("items.parquet", "missing", "data"),
        ("experiment.yaml", "cut", "experiment"),
    ],
)
def test_verify_ends_with_1_on_damage(whole: tuple[Study, Path], tmp_path: Path, name: str, how: str, what: str) -> None:
    run = tmp_path / whole[1].name
    shutil.copytree(untouched_and_complete(*whole), run)
    said = CliRunner().invoke(app, ["runs", "verify", str(run), "--json"])
    assert (said.exit_code, json.loads(said.output)["result"]) == (0, "Everything that was hashed then is the same now.")
    data = bytearray((run / name).read_bytes())
    data[len(data) // 3] ^= 1
    (run / name).unlink() if how == "missing" else (run / name).write_bytes(data if how == "flip" else data[: len(data) // 2])
    said = CliRunner().invoke(app, ["runs", "verify", str(run), "--json"])
    found = json.loads(said.output)
    assert (said.exit_code, found["result"]) == (1, f"Not what was frozen any more: {what}.")
    source = next(check["source"] for check in found["checks"] if check["what"] == what)
    assert source.count("(") == source.count(")"), "no half sentence"
    assert "promptlab" not in source


@pytest.mark.parametrize("how", ["cut", "garbage", "missing"])
def test_repair_says_that_it_rebuilt_the_chain_and_so_does_audit(whole: tuple[Study, Path], tmp_path: Path, how: str) -> None:
    run = tmp_path / whole[1].name
    shutil.copytree(untouched_and_complete(*whole), run)
    chain = run / "chain.jsonl"
    chain.unlink() if how == "missing" else chain.write_bytes(b"garbage\n" if how == "garbage" else chain.read_bytes()[:400])
    told = CliRunner().invoke(app, ["runs", "repair", str(run)]).output
    assert re.search(r"^chain: +rebuilt: \S", told, re.MULTILINE), told
    row = audited.of_run(Run(run))[0]
    assert (row.says, "`promptlab runs repair` rebuilt the chain: " in row.found) == (MATCHES, True)
    assert "nothing to repair" in CliRunner().invoke(app, ["runs", "repair", str(run)]).output


def test_repair_says_what_is_missing_and_moves_nothing(whole: tuple[Study, Path], tmp_path: Path) -> None:
    run = tmp_path / whole[1].name
    shutil.copytree(untouched_and_complete(*whole), run)
    (run / "items.parquet").unlink()
    told = CliRunner().invoke(app, ["runs", "repair", str(run)]).output
    assert "missing:       items.parquet; the same sweep command writes it again\n" in told
    assert "moved aside" not in told
    (run / "items.parquet").write_bytes(b"garbage")
    told = CliRunner().invoke(app, ["runs", "repair", str(run)]).output
    assert "damaged/items.parquet: a part cannot be read (it does not end as a Parquet file does)\n" in told


@pytest.mark.parametrize("name", ["manifest.json", "plan.json", "items.parquet"])
def test_what_only_a_sweep_writes_again_is_not_sent_to_repair(whole: tuple[Study, Path], tmp_path: Path, name: str) -> None:
    run = tmp_path / whole[1].name
    shutil.copytree(untouched_and_complete(*whole), run)
    (run / name).unlink()
    with pytest.raises(PromptlabError, match=f"{name}: missing from this run; the same sweep command writes it again") as told:
        build(Run(run))
    assert remedy(told.value, ["report", str(run)]) is None


_complete: dict[Path, Path] = {}


def untouched_and_complete(study: Study, run: Path) -> Path:
    if run not in _complete:
        _complete[run] = run.parent / "complete" / run.name
        shutil.copytree(run, _complete[run])
        swept(study, _complete[run].parent)
    return _complete[run]


@pytest.mark.long(but=8)
@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "plan.json",
        "items.parquet",
        "journal.jsonl",
        "lock",
        "trials",
        "calls",
        "chain.jsonl",
        "experiment.yaml",
        "trials/*",
        "calls/*",
    ],
)
@pytest.mark.parametrize("how", ["link", "pipe"])
def test_links_and_pipes_in_a_run_folder_are_not_followed(whole: tuple[Study, Path], tmp_path: Path, name: str, how: str) -> None:
    study, untouched = whole
    run = tmp_path / untouched.name
    shutil.copytree(untouched, run)
    path = min(run.glob(name), default=run / name)
    outside = tmp_path / "outside"
    if path.exists():
        path.rename(outside)
    else:
        outside.write_text("somebody else's")
    before = outside.stat().st_mtime_ns if outside.is_dir() else outside.read_bytes()
    path.symlink_to(outside) if how == "link" else os.mkfifo(path)
    for read in (partial(swept, study, tmp_path), partial(frames, run)):
        said = attempted(read)
        assert not said or run.name in said
    repair(run)
    swept(study, tmp_path)
    for mended, whole_frame in zip(frames(run), frames(untouched_and_complete(study, untouched)), strict=True):
        pd.testing.assert_frame_equal(mended, whole_frame)
    assert before == (outside.stat().st_mtime_ns if outside.is_dir() else outside.read_bytes())


@pytest.mark.long(but=3)
@pytest.mark.parametrize(
    "name",
    ["damaged", "damaged/journal.jsonl", "damaged/trials", "ratings", "ratings/r1.jsonl", "batches", "any", ".manifest.json.{pid}.tmp"],
)
def test_nothing_is_written_through_a_link(whole: tuple[Study, Path], tmp_path: Path, name: str) -> None:
    """Damaged lines, ratings and temporary files are somebody else's text: a link would append them to any file of the user."""
    study, untouched = whole
    run, outside = tmp_path / untouched.name, tmp_path / "outside"
    shutil.copytree(untouched, run)
    with (run / "journal.jsonl").open("ab") as file:
        file.write(b"touch /tmp/ran\n")
    (run / "trials" / "part-00000.parquet").write_bytes(b"no part")
    path = run / name.format(pid=os.getpid())
    path.parent.mkdir(exist_ok=True)
    outside.mkdir() if "." not in path.name else outside.write_text("mine")
    path.symlink_to(outside)
    rating = Rating("r1", "u1", "rate", {"": 4})
    for write in (lambda: swept(study, tmp_path), lambda: add(run, rating), lambda: repair(run), lambda: add(run, rating)):
        attempted(write)
        assert list(outside.iterdir()) == [] if outside.is_dir() else outside.read_text() == "mine"
    swept(study, tmp_path)
    assert [dict(one.values) for one in ratings_of(run)][-1:] == [{"": 4}]
    for mended, whole_frame in zip(frames(run), frames(untouched_and_complete(study, untouched)), strict=True):
        pd.testing.assert_frame_equal(mended, whole_frame)
    assert not repair(run).aside


def test_every_flipped_bit_of_a_journal_line_is_seen(whole: tuple[Study, Path]) -> None:
    _, run = whole
    line = (run / "journal.jsonl").read_bytes().split(b"\n")[0]
    assert len(list(whole_lines(line))) == 1
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(line)
        damaged[rng.randrange(len(line))] ^= 1 << rng.randrange(8)
        assert list(whole_lines(bytes(damaged))) == [], damaged


def test_a_name_is_no_pattern(whole: tuple[Study, Path], tmp_path: Path) -> None:
    from promptlab.reporting.prepared import Store

    _, untouched = whole
    other = tmp_path / "aXb1c" / untouched.name
    run = tmp_path / "a*b[1]?" / untouched.name
    for folder in (other, run):
        shutil.copytree(untouched, folder)
    shutil.rmtree(other / "trials")
    (other / "items.parquet").write_bytes(b"the neighbour's")
    store = Store.of(run)
    assert len(store.query("SELECT * FROM items")) == len(Run(run).items())
    assert len(store.query("SELECT * FROM trials")) == len(Run(run).trials())


@pytest.mark.parametrize("how", ["changed", "others can write", "a link"])
def test_what_is_kept_of_a_run_is_only_used_as_it_was_made(
    whole: tuple[Study, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    from promptlab.reporting import prepared

    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / "home"))
    _, run = whole
    kept = prepared.Store.of(run) and prepared.place(run)
    assert (kept.parent.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o700, 0o700)
    if how == "changed":
        judged = kept / "judged.json"
        judged.write_bytes(judged.read_bytes().replace(b"unclear", b"helps", 1).replace(b"refused", b"helps", 1))
        before = judged.read_bytes()
        prepared.Store.of(run)
        assert judged.read_bytes() != before, "made anew"
        return
    if how == "others can write":
        kept.parent.chmod(0o777)
    else:
        kept.parent.rename(tmp_path / "elsewhere")
        kept.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PromptlabError, match=r"others can write|symbolic link"):
        prepared.Store.of(run)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Study, Path, tuple[pd.DataFrame, ...], servers.Server]]:
    """A run whose requests wait in a batch, and its frames as they will be."""
    folder, server = tmp_path_factory.mktemp("sent"), servers.start()
    study = resolve(experiment(folder, items=3, tasks="sum", models=served(server.url)))
    run_sweep(study, folder / "runs", None, Execution(batch=True), lambda _: None)
    finished = run_sweep(study, folder / "whole", None, Execution(), lambda _: None).folder
    assert not repair(folder / "runs" / study.run_id).aside
    yield study, folder / "runs" / study.run_id, frames(finished), server
    server.shutdown()
    server.server_close()


@pytest.mark.long(but=3)
@pytest.mark.parametrize("seed", range(N_MUTATIONS // 3))
def test_damaged_batches_are_told_and_set_aside(
    sent: tuple[Study, Path, tuple[pd.DataFrame, ...], servers.Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    study, waiting, undisturbed, _ = sent
    monkeypatch.setattr(submission, "SETTLE_S", 0.05)
    rng = random.Random(seed)
    run = tmp_path / waiting.name
    shutil.copytree(waiting, run)
    files = [run / "batches.json", *sorted((run / "batches").glob("*.json"))]
    rng.choice(MUTATIONS)(rng, rng.choice(files))
    how = Execution(batch=True, batch_wait_s=20)
    told = attempted(lambda: run_sweep(study, tmp_path, None, Execution(batch=True), lambda _: None))
    attempted(lambda: run_sweep(study, tmp_path, None, Execution(), lambda _: None))
    done = repair(run)
    assert not told or done.aside or "batch" in told
    for _ in range(3):  # what a batch could not answer is asked by the next session
        run_sweep(study, tmp_path, None, how, lambda _: None)
    for mine, whole_frame in zip(frames(run), undisturbed, strict=True):
        pd.testing.assert_frame_equal(mine, whole_frame)


def test_a_lost_manifest_knows_its_batches_again(
    sent: tuple[Study, Path, tuple[pd.DataFrame, ...], servers.Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, waiting, _, _ = sent
    monkeypatch.setattr(submission, "SETTLE_S", 0.05)
    run = tmp_path / waiting.name
    shutil.copytree(waiting, run)
    run_sweep(study, tmp_path, None, Execution(batch=True, batch_wait_s=20), lambda _: None)
    before = Run(run).manifest
    assert before.state == "complete"
    (run / "manifest.json").unlink()
    swept(study, tmp_path)
    after = Run(run).manifest
    assert [row for row in audited.of_run(Run(run)) if row.says == DIFFERS] == []
    for what in ("batches", "served", "effective", "paid_usd"):
        assert getattr(after, what) == getattr(before, what), what
    assert after.counts == before.counts


FOOTERS = """
import random, sys
from pathlib import Path
import pyarrow as pa
from promptlab.sources.foreign import parquet_table
data, n_read = Path(sys.argv[1]).read_bytes(), 0
footer = int.from_bytes(data[-8:-4], "little") + 8
rng = random.Random(int(sys.argv[2]))
for _ in range(1500):
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        damaged[-rng.randrange(1, footer + 1)] ^= 1 << rng.randrange(8)
    if rng.random() < 0.1:
        at = len(data) - rng.randrange(1, footer)
        damaged[at : at + rng.choice([1, 8, 64])] = rng.randbytes(rng.choice([1, 8, 64]))
    try:
        parquet_table(bytes(damaged))
        n_read += 1
    except (OSError, ValueError, KeyError, pa.ArrowException):
        pass
print(n_read)
"""


@pytest.mark.long(but=1)
@pytest.mark.parametrize("kind", ["trials", "calls", "items"])
def test_no_damaged_footer_of_a_part_ends_the_process(whole: tuple[Study, Path], kind: str) -> None:
    """PyArrow calls `terminate` over some of them where it is asked for what they say of a column."""
    _, run = whole
    path = run / "items.parquet" if kind == "items" else run / kind / "part-00000.parquet"
    done = subprocess.run([sys.executable, "-c", FOOTERS, str(path), "1"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-1000:]
    assert 0 < int(done.stdout) < 1500


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
def test_a_footer_says_what_pyarrow_says(tmp_path: Path, compression: str) -> None:
    table = pa.table(
        {
            "a": ["x", "yy", None] * 50,
            "b": list(range(150)),
            "c": [[1.0, 2.0]] * 150,
            "d": [{"e": "f", "g": [b"h"]}] * 150,
            "i": [True] * 150,
        }
    )
    for name, options in {
        "plain": {},
        "few": {"row_group_size": 7, "use_dictionary": ["a"]},
        "v1": {"version": "1.0", "data_page_version": "2.0"},
    }.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table, path, compression=compression, **options)
        data, meta = path.read_bytes(), pq.ParquetFile(path).metadata
        length = footer_length(data[-8:])
        columns = [meta.row_group(i).column(j) for i in range(meta.num_row_groups) for j in range(meta.num_columns)]
        said = [
            (c.path_in_schema, c.num_values, c.total_uncompressed_size, frozenset(c.encodings), c.physical_type == "BYTE_ARRAY",
             c.has_dictionary_page) for c in columns
        ]  # fmt: skip
        assert [tuple(chunk) for chunk in chunks_in(data[-8 - length : -8])] == said
