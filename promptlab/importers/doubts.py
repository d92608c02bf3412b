"""What a table leaves open: rows below it that sum it up, cells that are empty for wrong, errors that count as wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from promptlab.importers.cells import cell_text, read_score
from promptlab.importers.results import Result
from promptlab.importers.values import number, refusal
from promptlab.nouns import grouped
from promptlab.sources.tables import Row, Table

WORDS = re.compile(
    r"(?i)(?:grand |sub)?(?:total|sum|average|avg|mean|accuracy|overall|score|pass rate|summe|gesamt|mittelwert|durchschnitt|moyenne|"
    r"promedio|media|totale|somme|suma|gemiddelde|totaal)s?\W*"
)
MOST = 5
NEAR = 0.0051
"""How far a mean of two decimals may be from the mean."""


def without_totals(table: Table) -> tuple[Table, tuple[str, ...]]:
    """The table without totals and means at its end, and what was done about rows that are called so.

    Such a row is left out where each of its numbers is the sum or the mean of those above; another is an item.
    """
    named = [(row, word) for row in table.rows[-MOST:] if (word := _word(row))]
    named = [pair for n, pair in enumerate(named) if pair[0] is table.rows[n - len(named)]]
    if not named or len(named) == len(table.rows):
        return table, ()
    above = table.rows[: -len(named)]
    left_out = [row for row, _ in named if _sums_up(row, above, table.columns)]
    notes = tuple(
        f"{table.path.name} row {row.number}, {word!r}, "
        + ("is the sum or the mean of the rows above and is left out" if row in left_out else "is read as an item; delete it if it sums up")
        for row, word in named
    )
    return replace(table, rows=[*above, *(row for row, _ in named if row not in left_out)]), notes


def _word(row: Row) -> str:
    """The word for a sum in a row; empty where there is none, or the row cannot be read."""
    if row.problem:
        return ""
    return next((value.strip() for value in row.values.values() if isinstance(value, str) and WORDS.fullmatch(value.strip())), "")


def _sums_up(row: Row, above: Sequence[Row], columns: Sequence[str]) -> bool:
    """Whether every number of a row is the sum or the mean of its column, as a fraction or in percent."""
    found = []
    for name in columns:
        value = _plain(row.values.get(name))
        known = [part for other in above if (part := _plain(other.values.get(name))) is not None]
        if value is not None and known:
            total, mean = sum(known), sum(known) / len(known)
            found.append(abs(value - total) < NEAR or abs(value - mean) < NEAR or abs(value - 100 * mean) < 100 * NEAR)
    return bool(found) and all(found)


def _plain(value: object) -> float | None:
    found = read_score(value) if cell_text(value) else None
    return number(found)


def doubtful(results: list[Result], path: Path, *, marked: bool) -> list[str]:
    """Leave out items that hold the means of the others, with notes on these and on errors that count as wrong.

    Raises FileProblems where only right answers are marked, because empty may mean wrong.
    """
    empty = sum(r.score is None and r.outcome == "ok" and not r.error for r in results)
    if marked and empty and {r.score for r in results} == {1.0, None}:
        raise refusal(
            path,
            f"every score in it means right, and {empty:,} are empty. If empty means wrong, write 0 there; if it means that "
            "nothing was scored, there is nothing to compare",
        )
    notes = []
    for item in sorted(item for item in {r.item for r in results} if WORDS.fullmatch(item)):
        known = grouped(((r.arm, r.model), r.score) for r in results if r.score is not None and r.item != item)
        own = [(r.score, known.get((r.arm, r.model))) for r in results if r.item == item and r.score is not None]
        means = [(score, sum(of) / len(of)) for score, of in own if of]
        if len(means) > 1 and all(abs(score - mean) < NEAR for score, mean in means):
            results[:] = [r for r in results if r.item != item]
            notes.append(f"the item {item!r} holds the means of the others and is left out")
    n = sum(r.score == 0 and bool(r.error) for r in results)
    if n:
        notes.append(f"{n:,} results have an error text and the score 0, and count as wrong; empty the score where a call failed")
    return notes
