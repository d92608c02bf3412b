"""The lock of a run folder: who is kept out and why, where locks do not work, for two users, and with a clock that was set back."""

from __future__ import annotations

import errno
import fcntl
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from promptlab.nouns import RunProblem
from promptlab.record import registry
from promptlab.record.mirror import lease
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter, is_locked
from promptlab.record.store.files import unwritable
from promptlab.running.cache import Cache

NOBODY = 65534
AS_NOBODY = """
import os, sys
from pathlib import Path
from promptlab.nouns import PromptlabError
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter
os.setgid({nobody}); os.setuid({nobody})
for act in (lambda: RunWriter(Path(sys.argv[1])), lambda: repair(Path(sys.argv[1])), lambda: print(Run(Path(sys.argv[1])).state)):
    try:
        act()
    except PromptlabError as error:
        print(error)
"""


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_where_there_are_no_locks_that_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(RunProblem, match=r"the file system there has no locks .* --runs file:///") as told:
        RunWriter(tmp_path / "runs" / "r")
    assert "another process" not in str(told.value)
    assert (tmp_path / "runs").as_uri() in str(told.value)
    assert not is_locked(tmp_path / "runs" / "r")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_is_told_whose_the_run_is() -> None:
    with tempfile.TemporaryDirectory() as shared:  # tests' own folders are closed to others
        _as_another_user(Path(shared))


def _as_another_user(shared: Path) -> None:
    shared.chmod(0o777)
    run = shared / "r"
    writer = RunWriter(run)
    (run / "manifest.json").write_text('{"format": 2, "state": "running", "counts": {}}')
    run.chmod(0o777)
    code = AS_NOBODY.format(nobody=NOBODY)
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, cwd="/", env={"PYTHONPATH": str(ROOT)})
    writer.close()
    told = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(told) == 3
    assert all("another user (uid 0) writes here" in line and "damaged" not in line for line in told[:2]), told
    assert told[2] == "running", "who cannot look believes the manifest"
    assert Run(run).state == "interrupted"
    assert repair(run).n_trials == 0


def test_a_cache_where_there_are_no_locks_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", refused)
    with pytest.raises(RunProblem, match=r"has no locks .* --no-cache"):
        Cache(tmp_path / "cache")
    monkeypatch.setattr(fcntl, "flock", refused)
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path))
    with pytest.raises(RunProblem, match="set PROMPTLAB_HOME to a local folder"):
        RunWriter(tmp_path / "mirrors" / "r")


DENIED = PermissionError(errno.EACCES, "Permission denied", "there/manifest.json")


def test_what_may_not_be_written_says_whose_it_is_and_not_to_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    assert "allow writing there" in str(unwritable(path, DENIED))
    assert "make room" in str(unwritable(tmp_path / "journal.jsonl", OSError(errno.ENOSPC, "No space left")))
    assert "allow writing" in str(Cache(tmp_path / "cache")._damaged(DENIED))
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert f"another user (uid {tmp_path.stat().st_uid}) writes here" in str(unwritable(path, DENIED))
    assert "another user" not in str(unwritable(path, OSError(errno.EROFS, "Read-only file system")))


def test_a_folder_of_another_user_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(**_: object) -> None:
        raise DENIED

    cli = importlib.import_module("promptlab.cli.main")
    monkeypatch.setattr(cli, "_needed", lambda words: refused)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    expected = "promptlab: there/manifest.json: Permission denied; its owner must allow it, or choose another file or folder\n"
    assert capsys.readouterr().err == expected


def test_a_registry_that_cannot_be_written_is_told_and_no_pipe_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "registry.jsonl")
    monkeypatch.setenv("PROMPTLAB_REGISTRY", str(tmp_path / "registry.jsonl"))
    registry.append("plan", {"run": "r"})
    assert "what this run does is in no registry" in caplog.text


def test_a_lock_outlives_no_process_whatever_the_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = "import sys, time; from pathlib import Path; from promptlab.record.store import RunWriter\n"
    hold += "w = RunWriter(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path / "r")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert is_locked(tmp_path / "r")
    process.kill()
    process.wait()
    RunWriter(tmp_path / "r").close()


class Signed:
    """An address with one sign of life."""

    address = "memory://far"

    def __init__(self, at: str) -> None:
        self.sign = f'{{"token": "another", "host": "h", "pid": 1, "time": "{at}"}}'.encode()

    def got(self, *_: Any) -> bytes:
        return self.sign


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (-50, True), (-3600, False), (50, True), (3600, False), (10**7, False)])
def test_a_sign_of_life_from_the_future_does_not_hold_a_run_for_good(seconds: int, alive: bool) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + seconds))
    _, age = lease.holder_of(Signed(at), "r")  # type: ignore[arg-type]
    assert (age < lease.FRESH_S) is alive


def test_of_two_manifests_the_one_of_the_later_session_counts_whatever_the_clock_said() -> None:
    from promptlab.record.mirror.copies import age_of

    early = b'{"sessions": 1, "updated_at": "2031-01-01T00:00:00+00:00"}'
    late = b'{"sessions": 2, "updated_at": "2026-01-01T00:00:00+00:00"}'
    assert age_of(early) < age_of(late)
    assert age_of(None) < age_of(b'{"sessions": "x"}') < age_of(early)
