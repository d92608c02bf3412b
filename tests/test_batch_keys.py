"""Keys of batches: they reach their own provider alone, and no file, log or screen."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from batches import CANARY, Lab, hurried, lab, main_code, one_server, server  # noqa: F401 (fixtures)
from promptlab.record.store import Run
from runs import experiment, served
from servers import Server


def no_canary(*folders: Path) -> None:
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    assert len(files) > 5
    for file in files:
        assert b"CANARY" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("model", "refused", "expected"),
    [
        ("echo-401", None, "refused the key in MY_PROVIDER"),
        ("quota", None, "is used up"),
        ("ok", "POST /v1/files", "refused the key in MY_PROVIDER"),
        ("ok", "POST /v1/batches", "refused the key in MY_PROVIDER"),
        ("ok", "GET /v1/batches/batch_1", "refused the key in MY_PROVIDER"),
        ("ok", "GET /v1/files/file-2/content", "refused the key in MY_PROVIDER"),
    ],
)
def test_a_wrong_key_and_a_used_up_quota_stop_the_model(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, model: str, refused: str | None, expected: str
) -> None:
    monkeypatch.setenv("MY_PROVIDER", CANARY)
    if refused:
        server.batches.refuse[refused] = (401, {"error": {"message": f"Incorrect API key provided: Bearer {CANARY}"}})
    lab = Lab(tmp_path, items=4, models=served(server.url, model, ", api_key_env: MY_PROVIDER"))
    done = lab.sweep(batch_wait_s=10)
    assert done.exit_code == 3
    assert expected in done.progress.stopped["served"]
    assert len(lab.run().trials()) == 0
    assert server.batches.keys == {f"Bearer {CANARY}"}
    assert "CANARY" not in repr(done)
    no_canary(tmp_path)


def test_a_key_appears_nowhere(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    for name, value in (("PROMPTLAB_HOME", str(home)), ("MY_PROVIDER", CANARY), ("OPENAI_API_KEY", CANARY + "2")):
        monkeypatch.setenv(name, value)
    path = experiment(tmp_path, tasks="sum", items=4, models=served(server.url, "echo-ok", ", api_key_env: MY_PROVIDER"))
    arguments = ["promptlab", "sweep", str(path), "--batch", "--batch-wait", "10", "--runs", str(tmp_path / "runs")]
    monkeypatch.setattr(sys, "argv", arguments)
    code = main_code()
    out, err = capsys.readouterr()
    assert code == 0, out + err
    assert "CANARY" not in out + err
    assert server.batches.keys == {f"Bearer {CANARY}"}
    assert Run(next((tmp_path / "runs").iterdir())).trials()["answer"].eq("you sent Bearer [redacted]").all()
    no_canary(tmp_path)


def test_a_server_of_ones_own_never_gets_the_key_of_a_public_provider(lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    lab.finish()
    assert server.batches.keys == {"Bearer none"}
