"""A poisoned environment is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptlab import guard
from promptlab.cli.main import main


@pytest.mark.parametrize("found", guard.POISONED)
def test_a_release_that_steals_keys_is_refused(found: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(guard, "version", lambda _: found)
    monkeypatch.setattr("sys.argv", ["promptlab", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert f"litellm {found}" in shown.err
    assert "revoke" in shown.err
    assert shown.out == ""


def test_what_it_left_behind_is_refused_after_an_upgrade(tmp_path: Path) -> None:
    guard.refuse_poisoned([tmp_path])
    (tmp_path / guard.HOOK).write_text("import os\n")
    with pytest.raises(guard.Poisoned, match=r"litellm_init\.pth"):
        guard.refuse_poisoned([tmp_path])


def test_the_environment_of_the_tests_is_clean() -> None:
    guard.refuse_poisoned()
