"""What small runs gave before, they give now: reports, frames and every request, beside golden files (`tests/characterise/`).

`tests/characterise/intended.yaml` lists the differences that are meant. Each has a `reason`, may name its `cases`, and is one of

    {where: report, path: manifest.counts.sent, reason: ...}            # a value differs; `*` is any one step of a path
    {where: report, added: comparisons.*.power, reason: ...}            # or a list of paths; likewise `removed`
    {where: report, renamed: {headline: sentences}, reason: ...}
    {where: trials, renamed: {arm: condition}, reason: ...}             # of frames (trials, calls, bodies): a column, or a path below it
    {where: trials, path: role, values: {aa: repeat}, reason: ...}      # values that have other names now
    {run_ids: true, reason: ...}                                        # the runs have other ids, wherever an id stands in a text

They are applied in the order of the list, and one that changes nothing fails. `tests/characterise/record.py` makes golden files anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from characterise import golden
from characterise.cases import CASES, Case, machine_words, observe

ENTRIES = golden.intended(golden.INTENDED.read_text(encoding="utf-8"))
COMPARED: set[str] = set()


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name, marks=[pytest.mark.shared] if c.recorded else []) for c in CASES.values()])
def test_a_run_gives_what_it_gave(case: Case, tmp_path: Path) -> None:
    now = observe(case, tmp_path / "case")
    ids = golden.read(case, "report")["run"], now.run
    told = []
    for part, value in now.parts():
        kept = golden.as_kept(case, part, value)
        if lines := golden.differences(case, part, golden.read(case, part), kept, ids, ENTRIES):
            told.append(golden.shown(case, part, lines))
        assert machine_words(tmp_path).search(str(value)) is None, "a run says where it was made"
    assert not told, "\n\n".join(told)
    COMPARED.add(case.name)


def test_every_intended_difference_is_one() -> None:
    idle = [str(entry) for entry in ENTRIES if not entry.used_by and set(entry.cases) <= COMPARED]
    assert not idle, f"nothing differs as these say; remove them: {'; '.join(idle)}"


OLD = {"run": "x-00000001", "says": "made x-00000001", "rows": [{"arm": "none", "n": 1}, {"arm": "aa", "n": 2}], "gone": {"a": 1, "b": []}}
NEW = {"run": "x-00000002", "says": "made x-00000002", "rows": [{"name": "none", "n": 1}, {"name": "repeat", "n": 3}], "come": [{"a": 1}]}
MEANT = """
- {run_ids: true, reason: r}
- {where: report, renamed: {rows.*.arm: rows.*.name}, reason: r}
- {where: report, path: rows.*.name, values: {aa: repeat}, reason: r}
- {where: report, path: rows.1.n, reason: r}
- {where: report, removed: gone, reason: r}
- {where: report, added: [come], reason: r}
"""
CASE = CASES["quickstart"]


def test_intended_differences_are_taken_out_and_nothing_else() -> None:
    ids = OLD["run"], NEW["run"]
    assert len(golden.differences(CASE, "report", OLD, NEW, ids, [])) == 10
    entries = golden.intended(MEANT)
    assert golden.differences(CASE, "report", OLD, NEW, ids, entries) == []
    assert all(entry.used_by == {"quickstart"} for entry in entries)
    for left_out in range(len(entries)):
        some = [entry for n, entry in enumerate(golden.intended(MEANT)) if n != left_out]
        assert golden.differences(CASE, "report", OLD, NEW, ids, some), f"without entry {left_out + 1} something differs"
    idle = golden.intended(MEANT)
    assert golden.differences(CASE, "report", OLD, OLD, (ids[0], ids[0]), [e for e in idle if e.kind != "values"]) == []
    assert not any(entry.used_by for entry in idle)


def test_columns_of_frames_and_numbers_up_to_the_last_digit() -> None:
    old, new = [{"arm": "none", "x": 0.1}, {"arm": "a", "x": 1.0}], [{"name": "none", "x": 0.1 + 1e-17}, {"name": "a", "x": 1}]
    entries = golden.intended("- {where: trials, renamed: {arm: name}, reason: r}")
    assert golden.differences(CASE, "trials", old, new, ("", ""), entries) == []
    assert golden.differences(CASE, "trials", old, [new[0], {"name": "a", "x": 1.0001}], ("", ""), entries) == ["! 1.x: 1.0 -> 1.0001"]
    assert golden.differences(CASE, "calls", old, new, ("", ""), entries) != [], "another frame's entry"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{where: report, path: x}", "no reason"),
        ("{where: report, path: x, reason: ' '}", "no reason"),
        ("{where: page, path: x, reason: r}", "'where' must be one of"),
        ("{where: report, reason: r}", "no path"),
        ("{where: report, added: x, removed: y, reason: r}", "several kinds"),
        ("{where: report, path: x, case: quickstart, reason: r}", "unknown keys"),
        ("{where: report, path: x, cases: [quick], reason: r}", "unknown cases"),
    ],
)
def test_an_entry_that_is_wrong_is_told(entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        golden.intended(f"- {entry}")
