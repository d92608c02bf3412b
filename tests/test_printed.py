"""`promptlab report RUN --page NAME` prints what the page of the explorer shows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from made_up import write_run
from promptlab.cli.main import app
from promptlab.explorer import frame
from promptlab.explorer.frame import filters_of, page_tables, text_of
from promptlab.nouns.errors import UsageProblem
from promptlab.record.store import Run
from promptlab.reporting.table import Table


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("printed"), whole=True)[0]


@pytest.mark.long(but=4)
@pytest.mark.parametrize("page", [page for page in frame.TABLES if page != "loops"])
def test_every_page_gives_its_tables(page: str, run: Path) -> None:
    found = page_tables(run, page, {})
    assert found
    assert all(isinstance(table.frame, pd.DataFrame) and table.title for table in found)
    assert any(len(table.frame) for table in found)


def test_the_flips_printed_are_those_of_the_record(run: Path) -> None:
    flips = page_tables(run, "compare", {"task": "sum", "a": "emotionprompt/EP02", "b": "none", "model": "sim/planted"})[1].frame
    trials = Run(run).trials()
    mine = trials[(trials["task"] == "sum") & (trials["model"] == "sim/planted")]
    means = mine.groupby(["item", "arm"])["score"].mean().unstack()[["emotionprompt/EP02", "none"]].dropna() >= 0.5
    a, b = means["emotionprompt/EP02"], means["none"]
    assert flips[["B right", "B wrong"]].to_numpy().tolist() == [
        [int((a & b).sum()), int((a & ~b).sum())],
        [int((~a & b).sum()), int((~a & ~b).sum())],
    ]


def test_the_item_that_a_page_shows_is_printed_with_both_prompts(run: Path) -> None:
    given = {"task": "sum", "a": "emotionprompt/EP02", "b": "none", "model": "sim/planted", "items": "a"}
    found = {shown.title: shown for shown in page_tables(run, "compare", given)}
    items = found["Gained"].frame["item"].tolist()
    assert items
    sent = {name: found[f"{name}: What was sent"] for name in "AB"}
    assert f"item {items[0]}, emotionprompt/EP02: right" in sent["A"].note
    assert f"item {items[0]}, none: wrong" in sent["B"].note
    career = ["This is very important to my career." in shown.frame["text"].iloc[0] for shown in sent.values()]
    assert career == [True, False]
    assert found["Verdict in sum"].frame["in words"].iloc[0]
    other = page_tables(run, "compare", {**given, "item": items[-1]})
    assert any(f"item {items[-1]}, " in shown.note for shown in other)
    with pytest.raises(UsageProblem, match="does not know item=nope"):
        page_tables(run, "compare", {**given, "item": "nope"})
    [answers, one_sent, one_came, facts] = page_tables(run, "samples", {"trial": Run(run).trials()["trial"].iloc[0]})
    assert (answers.title, one_sent.title, one_came.title) == ("Answers", "What was sent", "What came back")
    assert facts.frame.set_index("what")["value"]["paid by this run"] == "nothing (simulated)"
    with pytest.raises(UsageProblem, match="does not know trial=nope"):
        page_tables(run, "samples", {"trial": "nope"})


def test_the_command_writes_csv_json_and_markdown(run: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["report", str(run), "--page", "samples", "--where", "task=sum", "--where", "result=wrong"])
    assert shown.exit_code == 0, shown.output
    assert "SIMULATED: Answers" in shown.output
    as_json = runner.invoke(app, ["report", str(run), "--page", "samples", "--where", "task=sum", "--where", "result=wrong", "-f", "json"])
    [table] = json.loads(as_json.output)
    assert {row["task"] for row in table["rows"]} == {"sum"}
    assert {row["score"] for row in table["rows"]} == {0.0}
    out = tmp_path / "matrix.csv"
    assert runner.invoke(app, ["report", str(run), "--page", "matrix", "-f", "csv", "-o", str(out)]).exit_code == 0
    title, _, rest = out.read_text().partition("\n")
    assert title.startswith('"SIMULATED: ')
    assert len(pd.read_csv(io.StringIO(rest))) == 4  # two tasks, two sentences
    marked = runner.invoke(app, ["report", str(run), "--page", "compare", "-f", "markdown"]).output
    assert marked.startswith("## SIMULATED: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--page", "nope"], "the page 'nope' is not known"),
        (["--page", "compare", "--where", "task=nope"], "the run does not know task=nope"),
        (["--page", "compare", "--where", "colour=red"], "the filter 'colour' is not known"),
        (["--page", "compare", "--where", "task"], "--where takes name=value"),
        (["--where", "task=sum"], "--where needs --page"),
        (["--page", "compare", "--format", "html"], "leave --scorer and --format html out"),
        (["--page", "compare", "--format", "pdf"], "leave --scorer and --format pdf out"),
    ],
)
def test_what_cannot_be_shown_is_said(arguments: list[str], said: str, run: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(run), *arguments])
    assert isinstance(result.exception, UsageProblem)
    assert said in str(result.exception)


def test_text_of_others_stays_text() -> None:
    table = Table("a | b", "", pd.DataFrame({"=x": ["=1+1", "<script>\x1b[31m", "two\nlines"]}))
    assert "'=1+1" in text_of([table], "csv", False)
    numbers = Table("n", "", pd.DataFrame({"x": ["+9.2", "-12.6 to +20.8", "+3.1 %", "-1+cmd|' /C calc'!A0", "+SUM(A1)", "-2+3"]}))
    lines = text_of([numbers], "csv", False).splitlines()[2:]
    assert lines == ["+9.2", "-12.6 to +20.8", "+3.1 %", "'-1+cmd|' /C calc'!A0", "'+SUM(A1)", "'-2+3"]
    marked = text_of([table], "markdown", True)
    assert "\x1b" not in marked
    assert "<script>" not in marked
    assert filters_of(["task=a=b"]) == {"task": "a=b"}
