"""The report's other shapes: items that changed, the grid, one page as PDF and PNG, a notebook; and docs/report.md as it is written."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import ROOT
from promptlab import reporting
from promptlab.nouns import UsageProblem
from promptlab.record.store import Run
from promptlab.reporting import one_page
from promptlab.reporting.changed import MOST_SHOWN, changed
from promptlab.reporting.grid import to_grid
from promptlab.reporting.one_page import to_pdf, to_png
from promptlab.reporting.summary import summaries
from promptlab.reporting.summary_words import decision_words
from promptlab.reporting.whole import whole
from reported import parsed, said
from runs import experiment, run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run."""
    folder = tmp_path_factory.mktemp("pages")
    path = experiment(folder, models="  - sim/planted", stimuli="emotionprompt/EP02, negativeprompt/NP10", items=30)
    assert run("sweep", path.name, "--no-report", cwd=folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def report(place: Path) -> reporting.Report:
    [folder] = (place / "runs").iterdir()
    return whole(Run(folder))


def test_items_that_changed_are_those_of_the_record(report: reporting.Report) -> None:
    [summary] = summaries(report)
    trials = report.trials.astype({"task": str, "item": str, "arm": str})
    scores = trials.pivot_table(index=["task", "item"], columns="arm", values="score", aggfunc="mean")
    found = changed(report, summary)
    assert {summary.rows[place].text_of for place in found} == {"emotionprompt/EP02", "negativeprompt/NP10"}
    for place, one in found.items():
        row = summary.rows[place]
        change = scores[row.text_of] - scores["none"]
        assert (one.gained, one.lost) == (int((change > 0).sum()), int((change < 0).sum()))
        assert 0 < len(one.pairs) <= MOST_SHOWN
        for pair in one.pairs:
            assert change[(pair.task, pair.item)] != 0
            assert {pair.before.score, pair.after.score} == {"right", "wrong"}
            text = next(arm.text for arm in report.plan.arms if arm.name == row.text_of)
            assert text in pair.after.sent
            assert text not in pair.before.sent
    page = reporting.to_html(report)
    assert len(re.findall(r'<div class="pair">', page)) == sum(len(one.pairs) for one in found.values())
    assert len(re.findall(r'<a href="#changed-', page)) == len(found)
    assert page.count("Ship it") == 2, "one arm alone, in its cell and in the line for small screens"


def test_an_arm_that_also_helps_says_how_much_less(report: reporting.Report) -> None:
    [summary] = summaries(report)
    ship = next(row for row in summary.rows if row.decision == "ship")
    other = replace(ship, decision="runner-up", diff=(ship.diff or 0) - 0.063)
    assert decision_words(other, [ship, other]) == "Also helps; 6.3 points less"
    assert decision_words(replace(other, diff=ship.diff), [ship, other]) == "Also helps, as much"


def test_the_grid_holds_every_score(report: reporting.Report) -> None:
    page = to_grid(report)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)<td class="t">', page, re.S)
    trials = report.trials.astype({"item": str, "arm": str})
    [summary] = summaries(report)
    scores = trials.pivot_table(index="item", columns="arm", values="score", aggfunc="mean")[[row.text_of for row in summary.rows]]
    found = {name: re.findall(r"<td[^>]*>([\d.]+)", cells) for name, cells in rows if name in scores.index}
    assert found == {str(item): [f"{value:g}" for value in values] for item, values in zip(scores.index, scores.to_numpy(), strict=True)}
    assert not {"script", "img", "link"} & set(parsed(page).names)


def test_one_page_as_pdf_and_png(report: reporting.Report) -> None:
    pdf, png = to_pdf(report), to_png(report)
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type */Page\b", pdf)) == 1
    assert b"/MediaBox [0 0 842 595]" in pdf
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 2 * 1123


def test_a_picture_holds_every_arm_and_a_page_counts_the_rest(report: reporting.Report, monkeypatch: pytest.MonkeyPatch) -> None:
    [summary] = summaries(report)
    many = replace(summary, rows=tuple(replace(summary.rows[0], arm=f"arm {n}") for n in range(90)))
    monkeypatch.setattr(one_page, "first_summaries", lambda _: [many])
    monkeypatch.setattr(one_page, "picture", lambda svg, _: svg)
    shown, counted = to_png(report), to_pdf(report)
    assert all(f">arm {n}<" in shown for n in range(90))
    assert "more arms" in counted


def test_what_is_folded_is_not_printed(report: reporting.Report) -> None:
    for page in (reporting.to_html(report), to_grid(report)):
        printed = page[page.rindex("@media print") :].split("</style>")[0]
        assert "details:not([open]) { display: none; }" in printed


def test_a_notebook_shows_the_verdicts_and_one_item(report: reporting.Report) -> None:
    shown = report._repr_html_()
    assert shown == reporting.show(report)._repr_html_()
    assert "prefers-color-scheme: dark" in shown
    assert "SIMULATED" in shown
    for row in summaries(report)[0].rows:
        assert f"<b>{row.arm.replace('/', '/<wbr>')}</b>" in shown
    row = report.trials.iloc[0]
    seen = reporting.item(report, f"{row['task']}/{row['item']}", "none", "emotionprompt/EP02")
    assert "<mark>" in seen._repr_html_()
    assert "This is very important to my career." in said(seen._repr_html_())
    assert repr(seen).count("answer: ") == 2
    for wrong in (("nope", "none", "emotionprompt/EP02"), (str(row["item"]), "none", "EP2")):
        with pytest.raises(UsageProblem, match=r"no (item|arm)"):
            reporting.item(report, *wrong)


@pytest.mark.long
def test_the_page_about_reports_is_right(place: Path) -> None:
    [folder] = (place / "runs").iterdir()
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    assert len(text.split()) < 600
    commands = [line for block in re.findall(r"```console\n(.*?)```", text, re.S) for line in block.splitlines()]
    assert len(commands) >= 10
    for command in commands:
        done = run(*shlex.split(command.replace("RUN", folder.name))[1:], cwd=place)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert {"report.html", "grid.html"} <= {path.name for path in folder.iterdir()}
    assert (place / "verdict.pdf").read_bytes().startswith(b"%PDF-")
