"""What a user chooses of an import: direction of a score, arms, models, sheets; and what is ambiguous is refused."""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exports import TOOLS, Writer, counts
from promptlab.importers import Options, explain
from promptlab.nouns.errors import FileProblems, UsageProblem


def wide(folder: Path, scores: Mapping[str, Sequence[object]]) -> Path:
    return Writer(folder, {}, 1).csv(
        [{"id": i, **dict(zip(scores, row, strict=True))} for i, row in enumerate(zip(*scores.values(), strict=True))]
    )


LOSSES = (
    "brier_score", "val_loss", "word_perplexity", "wer", "rmse", "toxicity", "error_rate", "BrierScore", "valLoss", "logloss", "is_wrong",
    "failed", "mistakes", "time", "pct_stereotype", "Answer Hallucination",
)  # fmt: skip
GAINS = (
    "accuracy", "exact_match", "certainty", "Answer Relevancy", "terse", "closeness", "answer_correctness", "glossary", "sometimes",
    "unbiased", "timeliness", "faithfulness",
)  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_the_direction_of_a_loss_is_asked(name: str, tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, name: value} for i in range(6) for arm, value in (("none", 0.2), ("career", 0.4))]
    path = Writer(tmp_path, {}, 1).csv(rows)
    columns = {"score": name}
    with pytest.raises(UsageProblem, match=f"of the score '{name}' less may be better.*--lower-is-better or --higher-is-better"):
        counts([path], Options(columns=columns))
    assert counts([path], Options(columns=columns, higher_is_better=False)) == {"career": (0, 6, 6)}
    assert counts([path], Options(columns=columns, higher_is_better=True)) == {"career": (6, 0, 6)}
    scaled = Options(columns=columns, higher_is_better=False, scale=(0, 2))
    assert counts([path], scaled) == {"career": (0, 6, 6)}


@pytest.mark.parametrize("name", GAINS)
def test_other_scores_are_better_when_more(name: str, tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, name: value} for i in range(6) for arm, value in (("none", 0.2), ("career", 0.4))]
    assert counts([Writer(tmp_path, {}, 1).csv(rows)], Options(columns={"score": name})) == {"career": (6, 0, 6)}


def test_arms_are_chosen_and_dropped(tmp_path: Path) -> None:
    path = wide(tmp_path, {"none": [0, 0, 1], "career": [1, 1, 1], "other": [0, 1, 0]})
    options = Options(wide=("none,career,other",))
    assert counts([path], options) == {"career": (2, 0, 3), "other": (1, 1, 3)}
    assert (
        counts([path], replace(options, drop=("other",)))
        == counts([path], replace(options, arms=("none", "career")))
        == {"career": (2, 0, 3)}
    )
    with pytest.raises(UsageProblem, match="--drop othr: there is no such arm; did you mean 'other'"):
        counts([path], replace(options, drop=("othr",)))


def test_a_row_of_a_wide_table_needs_no_id(tmp_path: Path) -> None:
    rows = [{"Prompt A": int(i > 2), "Prompt B": int(i > 1)} for i in range(5)]
    for order in (rows, rows[::-1]):
        path = Writer(tmp_path, {}, len(list(tmp_path.iterdir()))).csv(order)
        assert counts([path], Options(wide=("none=Prompt A,b=Prompt B",))) == {"b": (1, 0, 5)}


def test_items_without_an_id_are_told_by_what_they_ask(tmp_path: Path) -> None:
    rows = [{"input": f"q{i}", "arm": arm, "score": int(i % 2 or arm == "b")} for i in range(6) for arm in ("none", "b")]
    path = Writer(tmp_path, {}, 1).csv(random.Random(3).sample(rows, 12))
    assert counts([path]) == {"b": (3, 0, 6)}


def test_percentages_and_numbers_are_not_mixed(tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, "score": ("50%", 1)[i % 2]} for i in range(4) for arm in ("none", "b")]
    with pytest.raises(FileProblems, match="written another way than those above"):
        counts([Writer(tmp_path, {}, 1).csv(rows)])


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.importers import bring

    monkeypatch.setattr("promptlab.importers.record.TOGETHER", 3000)

    rows = [{"id": i, "arm": arm, "score": i % 2} for i in range(3000) for arm in ("none", "b")]
    told: list[tuple[str, float]] = []
    path = Writer(tmp_path, {}, 1).csv(rows)
    bring([path], tmp_path / "runs", watch=lambda what, share: told.append((what, share)))
    assert told[0][0] == f"reading {path.name}"
    assert ("writing the run", 0.5) in told
    assert all(0 <= share <= 1 for _, share in told)


def test_models_are_compared(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {"none": {0: 1.0, 1: 0.0, 2: 0.0}}, 1)
    rows = [
        {**writer.foo_row("none", i, score), "provider": {"id": model}}
        for model, of in (("a", (1, 0, 0)), ("b", (0, 1, 1)))
        for i, score in enumerate(of)
    ]
    path = writer.lines(rows)
    with pytest.raises(FileProblems, match="--arm model"):
        counts([path])
    assert counts([path], Options(columns={"arm": "model"}, baseline="a")) == {"b": (2, 1, 3)}


def test_two_identical_files_are_an_aa_check(tmp_path: Path) -> None:
    for tool in ("promptfoo_alone", "inspect", "lm_eval", "table_by_arm", "braintrust"):
        folder = tmp_path / tool
        folder.mkdir()
        first = getattr(Writer(folder, {"none": {i: float(i % 2) for i in range(8)}}, 1), tool)().paths[0]
        second = first.parent.parent / first.name
        second.write_bytes(first.read_bytes())
        assert counts([first, second]) == {"none_aa": (0, 0, 8)}, tool
        assert counts([first, second], Options(baseline="x"), {str(first): "x", str(second): "y"}) == {"y": (0, 0, 8)}, tool


def test_sheets_of_a_workbook(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for name, arm in (("one", "kind"), ("two", "rude")):
        sheet = book.create_sheet(name)
        sheet.append([])
        sheet.append(["id", "none", arm])
        for i in range(4):
            sheet.append([i, i % 2, 1])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(FileProblems, match=r"several sheets hold rows \(one, two\); choose one with --sheet"):
        counts([tmp_path / "a.xlsx"])
    assert counts([tmp_path / "a.xlsx"], Options(sheet="two", wide=("none,rude",))) == {"rude": (2, 0, 4)}
    with pytest.raises(FileProblems, match="has no sheet 'three'"):
        counts([tmp_path / "a.xlsx"], Options(sheet="three"))


def test_hidden_rows_and_columns_are_read_and_counted(tmp_path: Path) -> None:
    from openpyxl import Workbook

    from promptlab.sources.starting import looking

    book = Workbook()
    sheet = book.active
    for row in (("item", "arm", "score", "remark"), *((i, arm, i % 2, "r") for i in range(9) for arm in ("none", "b"))):
        sheet.append(row)
    assert not looking.look(_saved(book, tmp_path)).notes
    for line in (4, 5, 40):  # the last holds nothing
        sheet.row_dimensions[line].hidden = True
    sheet.column_dimensions["D"].hidden = True
    book.create_sheet("old").append(("item", "arm"))
    book["old"].sheet_state = "hidden"
    path = _saved(book, tmp_path)
    said = explain([path], Options()).notes
    assert counts([path]) == {"b": (0, 0, 9)}
    assert any("2 of its rows are hidden" in note for note in said)
    assert any("hidden columns are read, too (D)" in note for note in said)
    assert any("hidden sheets are not read (old)" in note for note in said)
    assert looking.look(path).notes == [note for note in said if "hidden" in note]


def _saved(book: Any, folder: Path) -> Path:
    book.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def test_what_is_ambiguous_is_refused(tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, "score": "1,000"} for i in range(3) for arm in ("none", "b")]
    with pytest.raises(FileProblems, match="could be a thousand or a fraction"):
        counts([Writer(tmp_path, {}, 1).csv(rows)])
    for name, content, said in (
        ("a.csv", "item,arm,score\né,none,1\n".encode() + b"\xe9,b,1\n", "not UTF-8 text, nor UTF-16 or cp1252"),
        ("b.xls", b"\xd0\xcf\x11\xe0 old", "save it as .xlsx or .csv"),
        ("c.html", b"<html>", "export that"),
        ("d.csv.gz", gzip.compress(b"item,arm,score\n")[:-9], "not whole"),
        ("e.xlsx", b"PK\x03\x04 nothing", "not a readable Excel file"),
        ("f.yaml", b"a: &a [1]\nb: !!python/object/apply:os.system [ls]\n", "not YAML that can be read"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileProblems, match=said):
            counts([tmp_path / name])


def test_explain_says_what_is_there_and_what_is_open(tmp_path: Path) -> None:
    told = explain([wide(tmp_path, {"none": [0, 1], "cot": [1, 1]})], Options())
    assert (told.kind, told.arms) == ("table", ())
    assert "--wide none=none,cot=cot" in told.open
    told = explain([TOOLS / "promptfoo_0.123.1.json.gz"], Options())
    assert [(arm, n, scored) for arm, n, scored, _ in told.arms] == [("career", 24, 24), ("none", 24, 23)]
    assert (told.tools, told.open) == (("promptfoo 0.123.1",), "")
    assert "--lower-is-better" in told.flags
