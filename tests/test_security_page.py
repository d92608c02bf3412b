"""SECURITY.md is a table of promise, attack and test: every row has all three, and every test that it names exists."""

from __future__ import annotations

import re

from conftest import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE[PAGE.index("| promise |") :].splitlines()[2:]
    if line.startswith("|")
]
TESTS = {
    path.name: set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.M)) for path in (ROOT / "tests").glob("test_*.py")
}


def test_every_promise_has_an_attack_and_a_test_that_exists() -> None:
    assert len(ROWS) > 30
    every = set().union(*TESTS.values())
    for row in ROWS:
        assert len(row) == 3, row
        assert all(row), row
        named = re.findall(r"`(?:tests/)?(test_\w+(?:\.py)?(?:::test_\w+)?)", row[2])
        assert named, row
        for name in named:
            file, _, function = name.partition("::")
            assert function in TESTS[file] if function else name in TESTS or name in every, name


def test_promises_are_made_in_the_table_alone() -> None:
    assert PAGE.count("| promise | attack | test |") == 1
    assert [line for line in PAGE.splitlines() if line.startswith("## ")] == [
        "## What promptlab trusts", "## Promises, attacks and tests", "## Not promised", "## Report a vulnerability",
    ]  # fmt: skip
