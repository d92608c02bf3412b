"""Every file in tests/bad is wrong in a way of its own, and is told so: exit 2, the line, and what to do next.

A file's leading comments say what must be told: `# expect LINE: text`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from promptlab.cli import main

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["promptlab", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def test_there_are_enough() -> None:
    assert len(BAD) >= 30


@pytest.mark.long(but=20)
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
@pytest.mark.parametrize("command", ["check", "sweep"])
def test_bad_file(path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setenv("PROMPTLAB_RUNS", str(tmp_path))
    assert run(monkeypatch, command, str(path)) == 2
    told = capsys.readouterr().err
    expected = [line.removeprefix("# expect ") for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# expect ")]
    assert expected
    for text in expected:
        assert text in told, told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []
    assert not Path("PWNED").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name: caf\xe9\n", ":1: not UTF-8 text"),
        (b"name: x\n" + b"#" * 6_000_000, "more than the limit of 5 MB"),
        (b"a: " + b"[" * 40 + b"]" * 40, "nested deeper than"),
    ],
)
def test_bad_bytes(
    content: bytes, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    assert run(monkeypatch, "check", str(path)) == 2
    assert expected in capsys.readouterr().err


def test_missing_file_offers_a_near_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quickstart.yaml").write_text("name: x", encoding="utf-8")
    assert run(monkeypatch, "check", str(tmp_path / "quickstrat.yaml")) == 2
    assert "did you mean 'quickstart.yaml'?" in capsys.readouterr().err


def test_words_that_yaml_reads_as_values_stay_words(tmp_path: Path) -> None:
    from promptlab.sources.spec.strict_yaml import read

    path = tmp_path / "words.yaml"
    path.write_text("a: no\nb: on\nc: 12:30\nd: 0o7\ne: 2026-11-23\nf: 012\ng: true\nh: ~\ni: 1e3\n", encoding="utf-8")
    assert read(path).value == {
        "a": "no",
        "b": "on",
        "c": "12:30",
        "d": "0o7",
        "e": "2026-11-23",
        "f": 12,
        "g": True,
        "h": None,
        "i": 1000.0,
    }
