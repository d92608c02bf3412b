"""Stored answers over the command line: listed, explained, carried to another machine, replayed without key or network, pruned."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from promptlab.cli.main import app
from promptlab.nouns.errors import EXIT_INCOMPLETE, FileProblems, UsageProblem
from promptlab.nouns.identity import digest
from promptlab.nouns.record import CIRCUMSTANCE_COLUMNS
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run, RunWriter, runs_in
from promptlab.running.bundle import import_bundle
from promptlab.running.cache import Cache
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, run_sweep
from runs import experiment, served
from servers import Server

LOOPS = """
loops:
  - {rounds: 2, mode: verifier_free, settle: last}
"""


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(*arguments: object, code: int = 0) -> str:
    done = cli(*arguments)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def sweep(path: Path, runs: Path, home: Path, use: Any = "use") -> tuple[Sweep, Run]:
    done = run_sweep(resolve(path), runs, home / "cache", Execution(8, cache=use), lambda _: None)
    return done, Run(done.folder)


def settled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=list(CIRCUMSTANCE_COLUMNS))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a replay opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment whose answers are stored beside it."""
    folder = tmp_path_factory.mktemp("swept")
    path = experiment(folder, items=3, tasks="sum")
    sweep(path, folder / "runs", folder)
    return path


KEYED = ", api_key_env: SOME_KEY, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}"


def test_answers_travel_and_are_replayed_without_key_or_network(
    tmp_path: Path, home: Path, server: Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-hush-hush-hush-1234")
    path = experiment(tmp_path, models=served(server.url, "retry-1-0", KEYED), items=4, more=LOOPS)
    first, recorded = sweep(path, tmp_path / "runs", home)
    assert first.state == "complete"
    n_asked = len(server.requests)
    from_run = said("cache", "export", recorded.folder, "--to", tmp_path / "from-run")
    said("cache", "export", path, "--to", tmp_path / "from-cache")
    for name in ("answers.jsonl", "experiment.yaml"):
        assert (tmp_path / "from-run" / name).read_bytes() == (tmp_path / "from-cache" / name).read_bytes()
    of_run, of_cache = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("from-run", "from-cache"))
    assert all(of_run[name] == value for name, value in of_cache.items() if name != "hashes")
    assert of_run["cells"]
    assert b"hush" not in b"".join(p.read_bytes() for p in (tmp_path / "from-run").iterdir())
    assert "--cache replay" in from_run
    server.shutdown()
    monkeypatch.delenv("SOME_KEY")
    elsewhere = tmp_path / "another-home"
    monkeypatch.setenv("PROMPTLAB_HOME", str(elsewhere))
    request.getfixturevalue("no_network")
    assert f"{recorded.calls()['key'].nunique()} new answers, 0 were there already" in said("cache", "import", tmp_path / "from-run")
    again, replayed = sweep(tmp_path / "from-run" / "experiment.yaml", tmp_path / "again", elsewhere, "replay")
    assert (again.state, again.progress.n_sent) == ("complete", 0)
    assert again.folder.name == first.folder.name
    pd.testing.assert_frame_equal(settled(replayed.trials()), settled(recorded.trials()))
    assert replayed.trials()["paid_usd"].eq(0).all()
    assert "0 new answers, " in said("cache", "import", tmp_path / "from-run")
    assert len(server.requests) == n_asked


def test_a_replay_says_what_is_missing_and_asks_nobody(tmp_path: Path, home: Path, server: Server) -> None:
    model = served(server.url, "ok", ", api_key_env: NO_SUCH_KEY")
    small = experiment(tmp_path, models=served(server.url), items=3, tasks="sum", stimuli="emotionprompt/EP02")
    sweep(small, tmp_path / "runs", home)
    n_asked = len(server.requests)
    more = experiment(tmp_path, name="more", models=model, items=4, tasks="sum", stimuli="emotionprompt/EP02")
    shown = said("sweep", more, "--runs", tmp_path / "more", "--cache", "replay", "--no-report", code=EXIT_INCOMPLETE)
    assert "12 of 16 trials recorded" in shown
    assert "0 calls sent, 12 answers from the cache, 0 errors" in shown
    assert "not in the cache: 4 trials need an answer that is not there; first the call " in shown
    assert f"cache why {more}" in shown
    assert len(server.requests) == n_asked
    assert len(Run(runs_in(tmp_path / "more")[0]).trials()) == 12


def test_refresh_asks_again_and_off_leaves_no_trace(tmp_path: Path, home: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url), items=3, tasks="sum")
    sweep(path, tmp_path / "a", home, "off")
    assert not (home / "cache").exists()
    n = len(server.requests)
    sweep(path, tmp_path / "b", home)
    assert len(server.requests) == 2 * n
    with closing(sqlite3.connect(home / "cache" / "cache.db")) as db:
        before = dict(db.execute("SELECT key, value FROM Cache"))
    done, _ = sweep(path, tmp_path / "c", home, "refresh")
    assert (done.progress.n_sent, len(server.requests)) == (n, 3 * n)
    with closing(sqlite3.connect(home / "cache" / "cache.db")) as db:
        after = dict(db.execute("SELECT key, value FROM Cache"))
    assert before.keys() == after.keys()
    assert all(before[key] != after[key] for key in before), "other latencies, so other rows"


def test_one_way_to_say_off(tmp_path: Path) -> None:
    path = experiment(tmp_path, items=3, tasks="sum")
    done = cli("sweep", path, "--runs", tmp_path / "r", "--cache", "replay", "--no-cache")
    assert isinstance(done.exception, UsageProblem)
    assert "--no-cache means --cache off" in str(done.exception)
    assert "--no-cache" not in said("sweep", "--help")
    assert cli("sweep", path, "--cache", "sometimes").exit_code == 2
    said("sweep", path, "--runs", tmp_path / "r", "--no-cache", "--no-report")
    assert "nothing paid" in said("sweep", path, "--runs", tmp_path / "r2", "--cache", "off", "--no-report")
    assert isinstance(cli("cache", "ls").exception, UsageProblem)


def edited(path: Path, old: str, new: str) -> Path:
    other = path.with_name("edited.yaml")
    text = path.read_text(encoding="utf-8")
    assert old in text
    other.write_text(text.replace(old, new), encoding="utf-8")
    return other


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("temperature: 0", "temperature: 0.7", "    sampling.temperature: 0.0 -> 0.7\n"),
        ("max_tokens: 64", "top_p: 0.5", "    sampling.max_tokens: 64 -> not set\n    sampling.top_p: not set -> 0.5\n"),
        ("sim/null", "sim/planted", "    model: 'sim/null' -> 'sim/planted'\n"),
        ("EP02", "EP03", "    messages[0] differs at character"),
    ],
)
def test_why_a_call_is_not_stored(swept: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, told: str) -> None:
    monkeypatch.setenv("PROMPTLAB_HOME", str(swept.parent))
    other = edited(swept, old, new)
    shown = said("cache", "why", other, "--arm", "emotionprompt/EP03" if new == "EP03" else "none_aa", "--limit", "1")
    assert "3 trials: 0 are answered by the cache, 3 need a call that is not stored" in shown
    assert told in shown
    assert "and 2 more" in shown


def test_why_one_trial_is_not_answered(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_HOME", str(swept.parent))
    assert "12 trials: 12 are answered by the cache, 0 need" in said("cache", "why", swept)
    other = edited(swept, "temperature: 0", "temperature: 1")
    found = json.loads(said("cache", "why", other, "--limit", "2", "--json"))
    trial = found["explained"][0]["trial"]
    assert len(found["explained"]) == 2
    alone = json.loads(said("cache", "why", other, "--trial", trial, "--json"))
    assert [(row["trial"], row["nearest"] is not None) for row in alone["explained"]] == [(trial, True)]


def test_why_tells_draws_and_an_empty_cache(tmp_path: Path, home: Path) -> None:
    path = experiment(tmp_path, items=3, tasks="sum", models="  - {model: sim/null, sampling: {seed: 5}}")
    assert "nothing is stored that it could be compared with" in said("cache", "why", path)
    sweep(path, tmp_path / "runs", home)
    other = edited(path, "seed: 1\n", "seed: 1\nreplicates: 2\n")
    assert "    draw: 0 -> 1\n    sampling.seed: 5 -> 6\n" in said("cache", "why", other, "--arm", "emotionprompt/EP02")
    assert isinstance(cli("cache", "why", path, "--arm", "nobody").exception, UsageProblem)


def test_answers_are_listed_and_pruned(tmp_path: Path, home: Path) -> None:
    for model in ("sim/null", "sim/planted"):
        sweep(experiment(tmp_path, items=3, tasks="sum", models=f"  - {model}"), tmp_path / "runs", home)
    cache = Cache(home / "cache")
    rows = list(cache.stored())
    with closing(sqlite3.connect(home / "cache" / "cache.db")) as db, db:
        db.execute("UPDATE Cache SET value = 'cut' WHERE rowid = ?", (rows[0].row,))
        db.execute("UPDATE Cache SET store_time = store_time - 86400 * 40 WHERE rowid = ?", (rows[1].row,))
    listed = json.loads(said("cache", "ls", "--json"))
    assert (listed["answers"], listed["damaged"], listed["without_request"]) == (23, 1, 0)
    assert [(row["model"], row["answers"], row["outcomes"]) for row in listed["models"]] == [
        ("sim/null", 11, {"ok": 11}),
        ("sim/planted", 12, {"ok": 12}),
    ]
    assert listed["oldest"] < listed["newest"]
    assert "1 row is damaged" in said("cache", "ls")
    assert isinstance(cli("cache", "prune").exception, UsageProblem)
    assert "expected a number and h, d or w" in str(cli("cache", "prune", "--older-than", "soon").exception)
    assert "1 of 24 answers would be removed" in said("cache", "prune", "--older-than", "30d")
    assert "1: does not match its digest" in said("cache", "prune", "--damaged")
    assert len(cache) == 24
    assert "1 of 24 answers removed" in said("cache", "prune", "--damaged", "--yes")
    assert "1 of 23 answers removed: 1 of sim/null" in said("cache", "prune", "--older-than", "4w", "--model", "sim/null", "--yes")
    assert "12 of 22 answers removed: 12 of sim/planted" in said("cache", "prune", "--model", "sim/planted", "--yes")
    assert json.loads(said("cache", "ls", "--json"))["answers"] == len(cache) == 10
    assert all(row.completion for row in cache.stored())


@pytest.fixture(scope="module")
def bundle(swept: Path) -> Path:
    folder = swept.parent
    said("cache", "export", runs_in(folder / "runs")[0], "--to", folder / "made")
    return folder / "made"


def resealed(folder: Path, name: str = "answers.jsonl") -> None:
    """Make the manifest agree with a changed file, as someone who means harm would."""
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_bytes())
    data = (folder / name).read_bytes()
    manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object], redo_digest: bool = True) -> None:
    lines = (folder / "answers.jsonl").read_text(encoding="ascii").splitlines()
    row = json.loads(lines[0])
    change(row)
    if redo_digest:
        row["digest"] = digest([row["key"], row["completion"], row["request"]])
    (folder / "answers.jsonl").write_text("\n".join([json.dumps(row), *lines[1:]]) + "\n", encoding="ascii")
    resealed(folder)


def listed(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def own_listed(folder: Path, data: bytes) -> None:
    (folder / "own-answers.jsonl").write_bytes(data)
    resealed(folder, "own-answers.jsonl")


def linked(folder: Path) -> None:
    (folder / "answers.jsonl").rename(folder.parent / "kept.jsonl")
    (folder / "answers.jsonl").symlink_to(folder.parent / "kept.jsonl")


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (
        lambda f: (f / "answers.jsonl").write_bytes((f / "answers.jsonl").read_bytes().replace(b'"ok"', b'"OK"', 1)),
        "not what the manifest says",
    ),
    "an answer changed": (
        lambda f: rewritten(f, lambda r: r["completion"].update(text="x"), redo_digest=False),
        "does not match its digest",
    ),
    "a key of another request": (lambda f: rewritten(f, lambda r: r.update(key="0" * 64)), "the key is not that of the request"),
    "a request changed": (lambda f: rewritten(f, lambda r: r["request"].update(draw=9)), "the key is not that of the request"),
    "an error as an answer": (lambda f: rewritten(f, lambda r: r["completion"].update(outcome="error")), "of another kind"),
    "no number": (lambda f: rewritten(f, lambda r: r["completion"].update(latency_s="1")), "of another kind"),
    "another field": (lambda f: rewritten(f, lambda r: r.update(more=1)), "a line has other fields"),
    "a key that is no key": (lambda f: rewritten(f, lambda r: r.update(key="../../x")), "the key is no SHA-256"),
    "nested without end": (
        lambda f: ((f / "answers.jsonl").write_bytes(b"[" * 200_000 + b"\n"), resealed(f)),
        "nested too deeply",
    ),
    "no JSON": (lambda f: ((f / "answers.jsonl").write_bytes(b"\x80\x04pickle.\n"), resealed(f)), "answers.jsonl:1: no answer"),
    "a file more": (lambda f: (f / "setup.py").write_text("boo", encoding="ascii"), "does not list 'setup.py'"),
    "a file less": (lambda f: (f / "answers.jsonl").unlink(), "missing, and the manifest lists it"),
    "a file listed outside": (lambda f: listed(f, "../outside.jsonl"), "lists '../outside.jsonl'"),
    "a file listed absolute": (lambda f: listed(f, "/etc/passwd"), "lists '/etc/passwd'"),
    "a name with a break": (lambda f: listed(f, "answers.jsonl\n"), r"lists 'answers.jsonl\n'"),
    "a link": (linked, "not a regular file"),
    "a pipe": (lambda f: ((f / "answers.jsonl").unlink(), os.mkfifo(f / "answers.jsonl")), "not a regular file"),
    "names that differ in capitals": (lambda f: listed(f, "Experiment.yaml"), "another file's name in other letters"),
    "failures that are none": (
        lambda f: own_listed(f, json.dumps({"trial": "t", "key": "k", "digest": digest(["t", "k", ["x"]]), "completion": ["x"]}).encode()),
        "own-answers.jsonl: a completion lacks fields",
    ),
    "failures without end": (lambda f: own_listed(f, b"x" * (2**24 + 1)), "own-answers.jsonl: more than 16,777,216 bytes"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "so this folder is no bundle"),
    "another manifest": (lambda f: (f / "manifest.json").write_text("[]", encoding="ascii"), "not the manifest of a bundle"),
    "a manifest too large": (lambda f: (f / "manifest.json").write_bytes(b" " * 2_000_000), "more than the limit"),
    "another format": (
        lambda f: (f / "manifest.json").write_text('{"holds": "promptlab answers", "format": 9}', encoding="ascii"),
        "written in bundle format 9",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_bundle_that_was_changed_brings_nothing(bundle: Path, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bundle, folder)
    change, told = TAMPERED[how]
    change(folder)
    cache = Cache(tmp_path / "cache")
    with pytest.raises(FileProblems) as caught:
        import_bundle(folder, cache)
    assert told in str(caught.value)
    assert len(cache) == 0


def test_a_line_without_end_is_not_read_whole(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import promptlab.running.bundle as module

    shutil.copytree(bundle, tmp_path / "copy")
    monkeypatch.setattr(module.own_answers, "LINE_LIMIT", 100)
    with pytest.raises(FileProblems, match=r"answers.jsonl:1: more than 100 bytes"):
        import_bundle(tmp_path / "copy", Cache(tmp_path / "cache"))
    monkeypatch.setattr(module, "FILE_LIMIT", 100)
    with pytest.raises(FileProblems, match="no more than 100 are read"):
        import_bundle(tmp_path / "copy", Cache(tmp_path / "cache"))


def test_an_answer_of_ones_own_stays_unless_told(bundle: Path, tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bundle, folder)
    key = json.loads((folder / "answers.jsonl").read_text(encoding="ascii").splitlines()[0])["key"]
    assert "12 new answers (SIMULATED" in said("cache", "import", folder)
    rewritten(folder, lambda row: row["completion"].update(text="another"))
    shown = said("cache", "import", folder)
    assert "1 stored answers are others than the bundle's: kept as they were" in shown
    cache = Cache(home / "cache", "imported")
    assert cache.get_many([key])[key].text != "another"
    assert "replaced" in said("cache", "import", folder, "--replace")
    assert cache.get_many([key])[key].text == "another"
    assert len(cache) == 12


def test_a_planted_answer_is_used_only_where_imported_ones_are_asked_for(bundle: Path, tmp_path: Path, home: Path, server: Server) -> None:
    model = served(server.url, more=", price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}")
    path = experiment(tmp_path, items=3, tasks="sum", models=model)
    _, found = sweep(path, tmp_path / "runs", tmp_path / "sender")
    said("cache", "export", found.folder, "--to", tmp_path / "planted")
    rewritten(tmp_path / "planted", lambda row: row["completion"].update(text="PLANTED"))
    said("cache", "import", tmp_path / "planted")
    for use, n_planted in (("use", 0), ("imported", 1), ("replay", 1)):
        _, again = sweep(path, tmp_path / use, home, use)
        assert (again.trials()["answer"] == "PLANTED").sum() == n_planted, use
    assert "were imported from bundles" in said("cache", "ls")


@pytest.mark.parametrize("how", ["no request", "a redacted address"])
def test_a_line_that_does_not_say_what_it_answers_answers_nothing(bundle: Path, tmp_path: Path, home: Path, how: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bundle, folder)

    def change(row: dict[str, Any]) -> None:
        if how == "no request":
            row["request"] = None
        else:
            row["request"]["api_base"] = "https://[redacted]@host/v1"

    rewritten(folder, change)
    key = json.loads((folder / "answers.jsonl").read_text(encoding="ascii").splitlines()[0])["key"]
    shown = said("cache", "import", folder)
    assert "11 new answers" in shown
    assert "1 lines that do not say what they are answers to" in shown
    assert Cache(home / "cache", "replay").get(key) is None


def test_a_large_export_is_split_and_the_same_every_time(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import promptlab.running.bundle as module

    monkeypatch.setattr(module, "SHARD_ROWS", 2)
    _, found = sweep(experiment(tmp_path, items=3, tasks="sum"), tmp_path / "runs", home)
    said("cache", "export", found.folder, "--to", tmp_path / "a")
    said("cache", "export", found.folder, "--to", tmp_path / "b")
    shards = sorted(path.name for path in (tmp_path / "a").glob("answers-?.jsonl"))
    assert len(shards) > 2
    for name in [*shards, "manifest.json"]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for name in shards:
        keys = [json.loads(line)["key"] for line in (tmp_path / "a" / name).read_text(encoding="ascii").splitlines()]
        assert keys == sorted(keys)
        assert {key[0] for key in keys} == {name[8]}
    assert import_bundle(tmp_path / "a", Cache(tmp_path / "other")).n_new == 12
    with pytest.raises(UsageProblem, match="is there already"):
        raise cli("cache", "export", found.folder, "--to", tmp_path / "a").exception or AssertionError
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_an_export_of_what_is_not_stored_says_so(tmp_path: Path, home: Path) -> None:
    path = experiment(tmp_path, items=3, tasks="sum")
    sweep(path, tmp_path / "runs", home)
    other = edited(path, "items: 3", "items: 4")
    assert "missing:       4 trials need an answer" in said("cache", "export", other, "--to", tmp_path / "out", code=EXIT_INCOMPLETE)


def test_runs_are_listed_and_repaired(tmp_path: Path, home: Path) -> None:
    path = experiment(tmp_path, items=3, tasks="sum")
    done, found = sweep(path, tmp_path / "runs", home)
    before = settled(found.trials())
    [listing] = json.loads(said("runs", "ls", "--runs", tmp_path / "runs", "--json"))
    assert (listing["state"], listing["done"], listing["errors"]) == ("complete", 12, 0)
    assert "nothing to repair (12 trials, 0 errors)" in said("runs", "repair", done.folder)
    (done.folder / "trials" / "part-00000.parquet").write_bytes(b"PAR1 cut")
    shown = said("runs", "repair", done.folder, "--dry-run")
    assert "would be moved to damaged/trials/part-00000.parquet" in shown
    assert (done.folder / "trials" / "part-00000.parquet").exists()
    shown = said("runs", "repair", done.folder)
    assert "lost:          12 trials; the same sweep command sends them again, or takes them from the cache" in shown
    assert found.state == "complete", "read before"
    assert Run(done.folder).state == "incomplete"
    again, mended = sweep(path, tmp_path / "runs", home)
    assert (again.state, again.progress.n_sent, again.progress.n_cached) == ("complete", 0, 12)
    pd.testing.assert_frame_equal(settled(mended.trials()), before)
    writer = RunWriter(done.folder)
    assert "a process is writing this run" in str(cli("runs", "repair", done.folder).exception)
    writer.close()
