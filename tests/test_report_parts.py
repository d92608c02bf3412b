"""The parts of a report's page: every comparison, other scorers, missing answers, the published protocol, and commands that do it again."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from promptlab import reporting as reports
from promptlab.nouns.words import SCORERS
from promptlab.record.store import Run
from promptlab.reporting import sensitivity
from promptlab.reporting.frozen import steps
from promptlab.reporting.html import to_html
from promptlab.reporting.sensitivity import bounds
from promptlab.stats import analyse
from reported import changed, first_screen, of, parsed, planted, said  # noqa: F401 (fixtures)
from runs import run


def test_the_page_can_be_walked_through(planted: Path) -> None:
    html = to_html(of(planted))
    tags = parsed(html)
    ids = [value for key, value in tags.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    links = [value for key, value in tags.attributes if key == "href"]
    assert {link.removeprefix("#") for link in links if link} <= set(ids)
    titles = re.findall(r'(?:<h2 |</h2></summary><div )id="(\w+)">', html)
    assert list(re.findall(r'<li><a href="#(\w+)">', html)) == titles
    assert {"design", "comparisons", "scorers", "missing", "protocol", "arms", "provenance", "again"} <= set(titles)
    assert html.index('class="skip" href="#contents"') < html.index("<h1>")
    folded = re.findall(r'<details class="part"><summary><h2>', html)
    assert len(folded) == len(titles) - 2, "what follows the tasks is folded"
    boxes = re.findall(r'<div class="wide[^>]*>', html)
    assert len(boxes) > 20
    assert all('tabindex="0"' in box and re.search(r'aria-label="[^"]+"', box) for box in boxes)
    drawings = re.findall(r"<svg[^>]*>", html)
    assert len(drawings) == 4, "one for each arm; its figures stand beside it"
    assert all('aria-hidden="true"' in drawing for drawing in drawings)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert ":focus-visible" in html


def test_every_comparison_stands_there_with_its_sentence_and_family(planted: Path) -> None:
    report = of(planted)
    html = to_html(report)
    part = html[html.index('<div id="comparisons">') : html.index('<div id="scorers">')]
    rows = re.findall(r'<tr><td class="name">(.*?)</tr>\s*<tr class="stays">(.*?)</tr>', part, re.S)
    shown = [(said(row), said(sentence)) for row, sentence in rows]
    planned = [c for scope in ("primary", "stimulus", "cell") for c in report.of(scope)]
    assert len(shown) == len(planned)
    for c, (row, sentence) in zip(planned, shown, strict=True):
        assert sentence.startswith(" ".join(c.sentence.split()))
        assert c.treatment in row
        assert str(c.n_family) in row
    design = html[html.index('<div id="design">') : html.index('<div id="comparisons">')]
    sizes = pd.Series([h.family for h in report.plan.hypotheses]).value_counts()
    for family, n in sizes.items():
        assert re.search(rf"<tr><td[^>]*>{re.escape(str(family))}<td class=\"n\">{n}\s*<", design)
    for arm in report.plan.arms:
        assert arm.text is None or arm.text in said(design)
    for task in report.plan.tasks:
        assert all(" ".join(text.split()) in said(design) for text in task.base_prompts.values())


@pytest.mark.long
def test_verdicts_by_every_scorer_are_those_of_its_own_report(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = of(planted)
    found = sensitivity.rescoring(report)
    assert tuple(found.by) == SCORERS
    assert (found.own, found.tasks_too, found.why_not) == ("reference", True, None)
    for scorer in SCORERS:
        alone = reports.build(Run(planted), scorer)
        expected = {sensitivity.key_of(c): c for c in alone.comparisons if c.scope != "aa"}
        assert {key: (c.verdict, c.diff) for key, c in found.by[scorer].items()} == {
            key: (c.verdict, c.diff) for key, c in expected.items()
        }
    n_changed = sum(found.changes(c) for c in report.of("primary") + report.of("stimulus"))
    assert f"{n_changed} of {len(report.of('primary') + report.of('stimulus'))} verdicts over the tasks change" in said(to_html(report))
    monkeypatch.setattr(sensitivity, "MOST_TRIALS_BY_TASK", 10)
    short = sensitivity.rescoring(report)
    assert not short.tasks_too
    for scorer in SCORERS:
        over = {key: c.verdict for key, c in found.by[scorer].items() if c.scope != "cell"}
        assert {key: c.verdict for key, c in short.by[scorer].items()} == over
    assert f"promptlab report runs/{report.run} --scorer strict --format csv" in to_html(report)
    monkeypatch.setattr(sensitivity, "MOST_TRIALS", 10)
    assert "more than 10 trials" in said(to_html(report))


def test_a_verdict_that_hangs_on_the_scorer_is_told(planted: Path) -> None:
    report = of(planted)
    turned = changed(report, "placebo", verdict="hurts")
    page = to_html(turned)
    assert "Another scorer would give another verdict on 1 of these 3 lines" in first_screen(page)
    assert page.count(">changes</td>") == 1


def test_missing_answers_are_bounded_at_both_extremes(planted: Path) -> None:
    whole = of(planted)
    assert bounds(whole) == []
    assert "No planned score is missing" in said(to_html(whole))
    trials, plan = whole.trials, whole.plan
    ours = trials["task"].eq("sum") & trials["arm"].eq("emotionprompt/EP02")
    arms = next(c.control_arms for c in whole.of("stimulus", control="placebo") if c.treatment == "emotionprompt/EP02")
    theirs = trials["task"].eq("sentiment") & trials["arm"].isin(arms)
    failed = trials.index[ours][:3].union(trials.index[theirs][:2])
    broken = trials.assign(score=trials["score"].where(~trials.index.isin(failed)))
    broken = broken.drop(broken.index[broken["task"].eq("sum") & broken["arm"].eq("none")][:4])  # never recorded
    report = dataclasses.replace(whole, trials=broken, n_trials=len(broken), comparisons=tuple(analyse(broken, plan)))
    found = {(b.comparison.scope, b.comparison.treatment, b.comparison.control): b for b in bounds(report)}
    assert len(found) == len(report.of("primary") + report.of("stimulus"))
    for control, against in (("placebo", list(arms)), ("none", list(plan.baseline))):
        bound = found["stimulus", "emotionprompt/EP02", control]
        for fill, extreme in ((0.0, bound.comparison.worst_low), (1.0, bound.comparison.worst_high)):
            means = []
            for task in ("sum", "sentiment"):
                wide = broken[broken["task"] == task].pivot_table(index="item", columns="arm", values="score")
                s, b = wide["emotionprompt/EP02"].fillna(fill), wide[against].fillna(1 - fill).mean(axis=1)
                means.append((s - b).mean())
            assert extreme == pytest.approx(sum(means) / 2)
        assert bound.comparison.diff is not None
        assert bound.against.diff is not None
        assert bound.favour.diff is not None
        assert bound.against.diff <= bound.comparison.diff <= bound.favour.diff
        assert bound.against.diff < bound.favour.diff or control == "none"  # whose missing answers are those of the same items
        assert bound.comparison.worst_low <= bound.against.diff
        assert bound.favour.diff <= bound.comparison.worst_high
    page = to_html(report)
    held = sum(b.holds for b in found.values())
    assert f"{held} of {len(found)} verdicts over the tasks are the same at both extremes" in said(page)


def test_a_task_without_any_answer_is_bounded_too(planted: Path) -> None:
    whole = of(planted)
    half = whole.trials[whole.trials["task"] == "sum"]
    report = dataclasses.replace(whole, trials=half, n_trials=len(half), comparisons=tuple(analyse(half, whole.plan)))
    for bound in bounds(report):
        low, high = bound.comparison.worst_low, bound.comparison.worst_high
        assert None not in (low, high)
        assert high - low == pytest.approx(1.0), "one task of two goes from -100 to 100 points"


def test_the_published_protocol_stands_beside_the_verdicts(planted: Path) -> None:
    report = of(planted)
    page = to_html(report)
    part = said(page[page.index('<div id="protocol">') : page.index('<div id="arms">')])
    [row] = report.beside.protocols
    p = row.protocol
    assert f"{100 * p.best_per_task:+.1f} ({p.relative_best_per_task:+.1f} %)" in part
    assert f"{100 * p.null_best_per_task[1]:+.1f} ({100 * p.null_best_per_task[0]:+.1f} to {100 * p.null_best_per_task[2]:+.1f})" in part
    cells = report.of("cell", control="placebo")
    helps = sum(c.verdict == "helps" for c in cells)
    assert f"{helps} {'helps' if helps == 1 else 'help'}" in part
    assert f"of {len(cells)} sentences in tasks" in part


@pytest.mark.long
def test_the_commands_of_a_report_do_it_again(planted: Path, tmp_path: Path) -> None:
    report = of(planted)
    again, export, replay, *judge = steps(report)
    assert again.commands == [f"promptlab sweep {report.manifest.experiment_path}"]
    page = to_html(report)
    assert all(command in page for command in (*again.commands, *export.commands, *replay.commands))
    (tmp_path / "here" / "runs").mkdir(parents=True)
    shutil.copytree(planted, tmp_path / "here" / "runs" / report.run)
    there = {"PROMPTLAB_HOME": str(tmp_path / "there")}
    for command in (*export.commands, *judge[0].commands, *judge[1].commands):
        done = run(*shlex.split(command)[1:], cwd=tmp_path / "here")
        assert done.returncode == 0, (command, done.stderr)
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "here" / f"{report.run}-answers", tmp_path / "elsewhere")
    for command in replay.commands:
        done = run(*shlex.split(command)[1:], cwd=tmp_path / "elsewhere", env=there)
        assert done.returncode == 0, (command, done.stderr)
    replayed = Run(tmp_path / "elsewhere" / "runs" / report.run)
    assert replayed.trials()["score"].tolist() == report.trials["score"].tolist()
    assert replayed.manifest.counts.sent == 0


def test_many_tasks_are_a_table_and_long_tables_are_folded(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.reporting import html as module

    report = of(planted)
    monkeypatch.setattr(module, "MOST_OPEN", 5)
    page = to_html(report)
    matrix = re.findall(r'<table class="matrix">.*?</table>', page, re.S)
    assert len(matrix) == 2
    assert all("<caption><span>SIMULATED: sim/planted" in table for table in matrix)
    for table, control in zip(matrix, ("placebo", "none"), strict=True):
        over = sorted(report.of("stimulus", control=control), key=lambda c: -(c.diff or 0.0))
        assert [said(name) for name in re.findall(r'<th scope="col">(.*?)</th>', table)][1:] == [c.treatment for c in over]
        cells = re.findall(r"<td class=(\w+)>([-+]\d+\.\d)", table)
        by = {(c.task, c.treatment): c for c in report.of("cell", control=control)}
        expected = [by[(task, c.treatment)] for task in ("sum", "sentiment") for c in over]
        assert cells == [(c.verdict, f"{100 * (c.diff or 0):+.1f}".replace("-0.0", "+0.0")) for c in expected]
    folded = re.findall(r"<summary>(.*?)</summary>", page)
    assert sum("against neutral sentences: " in label or "against no added text: " in label for label in folded) == 12
