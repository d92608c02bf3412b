"""Every reader pairs by content: shuffled rows, renamed and reordered files and arms change no count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exports import Scores, Writer, Written, counts, expected
from promptlab.importers import Options, explain
from promptlab.importers.importing import READERS, kind_of_all, read_files
from promptlab.importers.shapes import SHAPES, shaped
from promptlab.importers.tabular import read_rows
from promptlab.nouns.errors import PromptlabError
from promptlab.sources import tables

WRITERS = [
    name
    for name, made in vars(Writer).items()
    if callable(made) and getattr(made, "__annotations__", {}).get("return") == "Written" and name != "by_arm"
]
WRITERS += [f"table {suffix}" for suffix in tables.READERS]  # each format, so that a new one must be written here as well
ALWAYS_SCORED = ("dspy", "openai_evals", "changes")
"""Tools that write no missing score in this shape."""
scores_of_arms = st.lists(
    st.tuples(*[st.sampled_from([0.0, 1.0, 1.0, None]) for _ in range(3)]).filter(lambda row: row[0] is not None), min_size=4, max_size=12
).filter(lambda rows: all(any(row[k] is not None for row in rows) for k in range(3)) and any(0.0 in row for row in rows))


def write(tool: str, folder: Path, scores: Scores, seed: int) -> Written:
    name, _, suffix = tool.partition(" ")
    return getattr(Writer(folder, scores, seed), name)(*filter(None, [suffix]))  # type: ignore[no-any-return]


def test_every_reader_is_shuffled(tmp_path: Path) -> None:
    """A kind of file, a shape of rows or a format of tables that no writer makes is one whose order nobody tests."""
    kinds: set[str] = set()
    known: list[object] = []
    for n, tool in enumerate(WRITERS):
        folder = tmp_path / str(n)
        folder.mkdir()
        written = write(tool, folder, {"none": {0: 1.0, 1: 0.0}, "career": {0: 0.0, 1: 1.0}}, n)
        for file in read_files(written.paths, {}):
            kinds.add(kind := kind_of_all([file], Options()))
            known += [shaped(read_rows(file)).shape] if kind == "table" else []
    assert kinds == set(READERS)
    assert [shape.tool for shape in SHAPES if shape not in known] == []


@pytest.mark.long(but=9)
@pytest.mark.parametrize("tool", WRITERS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=scores_of_arms, seed=st.integers(0, 10**6))
def test_order_and_names_change_no_count(
    tool: str, rows: list[tuple[float | None, ...]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if tool in ALWAYS_SCORED:
        rows = [tuple(score or 0.0 for score in row) for row in rows]
    scores = {arm: {i: row[k] for i, row in enumerate(rows)} for k, arm in enumerate(("none", "career", "other"))}
    for step in range(2):
        written = write(tool, tmp_path_factory.mktemp("w"), scores, seed + step)
        found = counts(written.paths, written.options, written.arm_names)
        assert sorted(found.values()) == sorted(expected(scores).values()), tool
        if not any(name.startswith("prompt-") for name in found):
            assert found == expected(scores), tool


@pytest.mark.parametrize("tool", WRITERS)
def test_only_items_that_both_arms_were_asked_are_paired(tool: str, tmp_path: Path) -> None:
    scores: Scores = {
        "none": {i: float(i % 2) for i in range(12)},
        "career": dict.fromkeys(range(6), 1.0),
        "other": dict.fromkeys(range(6, 12), 0.0),
    }
    written = write(tool, tmp_path, scores, 3)
    found = counts(written.paths, written.options, written.arm_names)
    assert sorted(found.values()) == [(0, 3, 6), (3, 0, 6)]


@pytest.mark.parametrize("tool", WRITERS)
def test_advice_names_only_flags_that_the_reader_takes(tool: str, tmp_path: Path) -> None:
    scores = {"none": {i: float(i % 2) for i in range(8)}, "career": dict.fromkeys(range(8), 1.0)}
    written = write(tool, tmp_path, scores, 3)
    told = explain(written.paths, written.options, written.arm_names)
    known = {*told.flags, "--placebo", "--higher-is-better", "--explain"}
    plain = replace(written.options, wide=(), metric=None, baseline=None)
    texts = []
    for options in (
        plain, replace(plain, baseline="nowhere"), replace(written.options, scale=(0.2, 0.3)), replace(written.options, arms=("none",)),
        replace(written.options, placebos=("nowhere",)), replace(written.options, drop=("career",)), replace(plain, metric="nowhere"),
    ):  # fmt: skip
        for names in (None, written.arm_names):
            try:
                counts(written.paths, options, names)
            except PromptlabError as error:
                texts.append(str(error).split("--metric means nothing")[-1])
    assert texts
    for text in texts:
        flags = {"--" + part.split()[0].split("=")[0].strip(".,;:()'\"") for part in text.split("--")[1:] if part[:1].isalpha()}
        assert flags <= known, text
