"""Reports say the same in every format, and are honest about what is not there."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from conftest import ROOT
from promptlab import reporting as reports
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.words import Status
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting.build import build, headline
from promptlab.reporting.decide import reason
from promptlab.reporting.formats import to_csv, to_json, to_markdown
from promptlab.reporting.html import to_html
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from reported import of, parsed, planted  # noqa: F401 (fixtures)
from runs import experiment, run, served
from servers import Server

FORMATS = {"markdown": to_markdown, "html": to_html, "json": to_json, "csv": to_csv}


def test_the_headline_finds_what_was_planted(planted: Path) -> None:
    text = "\n".join(headline(of(planted)))
    assert text.startswith("SIMULATED")
    against = next(line for line in text.splitlines() if "Against neutral sentences, over 2 tasks" in line)
    assert re.search(r"helps: emotionprompt/EP02 \(\+\d", against)
    assert re.search(r"hurts: negativeprompt/NP10 \(-\d", against)
    assert "The baseline and its own repeat agree on average" in text


@pytest.mark.parametrize("name", FORMATS)
def test_simulated_is_said_in_every_format(planted: Path, name: str) -> None:
    text = FORMATS[name](of(planted))
    assert re.search(r"SIMULATED|\bsimulated\b", text)
    if name == "html":
        assert "<title>SIMULATED" in text
        assert 'class="banner">SIMULATED' in text
        assert text.count("<caption><span>SIMULATED: ") == 2


def test_every_table_row_of_a_simulated_model_says_so(planted: Path) -> None:
    report = of(planted)
    rows = re.findall(r'<tr><td class="name">sim/planted(<br>SIMULATED)?', to_html(report))
    assert len(rows) == sum(c.scope != "aa" for c in report.comparisons)
    assert all(rows)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_shows_a_number_that_is_none(planted: Path, name: str) -> None:
    assert not re.search(r"\b(nan|NaN|None|inf|Infinity)\b", FORMATS[name](of(planted)))


def test_all_formats_carry_the_same_verdicts(planted: Path) -> None:
    report = of(planted)
    expected = [c.verdict for c in report.comparisons]
    assert [row["verdict"] for row in csv.DictReader(io.StringIO(to_csv(report)))] == expected
    assert [c["verdict"] for c in json.loads(to_json(report))["comparisons"]] == expected
    shown = [
        line.rsplit("|", 2)[1].strip()
        for line in to_markdown(report).partition("## The baseline against")[0].splitlines()
        if line.startswith("| sim/planted")
    ]
    assert sorted(shown) == sorted(c.verdict for c in report.comparisons if c.scope != "aa")


def test_json_says_null_for_what_is_not_there(planted: Path) -> None:
    value = json.loads(to_json(of(planted)))
    assert all(c["task"] is None for c in value["comparisons"] if c["scope"] != "cell" and c["scope"] != "aa")
    assert value["simulated"] is True
    assert {"comparisons", "arms", "plan", "manifest", "headline"} <= set(value)


def test_a_row_without_a_verdict_has_a_status_that_says_why(planted: Path) -> None:
    rows = pd.read_csv(io.StringIO(to_csv(of(planted))))
    assert set(rows.loc[rows["scope"] == "aa", "status"]) <= {"ok", "no_discordant_pairs"}
    assert not len(rows[(rows["scope"] != "aa") & (rows["verdict"] == "refused") & (rows["status"] == "ok")])
    page = (ROOT / "docs" / "reference" / "statistics.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page.partition("## Refusals and statuses")[2].partition("\n## ")[0], re.MULTILINE))
    assert documented == set(get_args(Status))


def test_refusals_give_their_reason(planted: Path) -> None:
    report = of(planted)
    refused = [c for c in report.comparisons if c.verdict == "refused" and c.scope != "aa"]
    unsettled = [c for c in report.comparisons if c.verdict == "unclear" and c.status != "ok"]
    refused += unsettled
    assert refused, "the unplanted sentence changes too few answers to be judged somewhere"
    text = to_markdown(report)
    assert all(c.sentence and reports.formats.escaped(c.sentence) in text for c in refused)
    page = "".join(parsed(to_html(report)).words)
    assert all(c.sentence in page for c in refused)


def test_the_terminal_says_why_a_row_finds_nothing(planted: Path) -> None:
    report = of(planted)
    said = " ".join(re.sub(r"[^\x20-\x7e\n]", " ", run("report", str(planted), "--tasks").stdout).split())
    nothing = [c for c in report.comparisons if c.verdict in ("unclear", "refused") and c.scope != "aa"]
    over = [c for c in nothing if c.scope != "cell"]
    assert over, "the sentence without an effect is not shown to have none"
    for c in over:
        assert re.search(rf"{c.verdict}: [^:]*{re.escape(report.name(c))}[^:]*: {re.escape(reason(report, c))}", said)
    single = sum(map(int, re.findall(r"(?:unclear|refused): (\d+) in single tasks: \w", said)))
    assert single == len([c for c in nothing if c.scope == "cell"]) > 0


def test_a_run_with_hardly_anything_recorded_gets_a_report(planted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "young"
    shutil.copytree(planted, folder)
    for part in folder.rglob("*.parquet"):
        if not part.name.startswith("items"):
            part.unlink()
    for journal in folder.rglob("*.jsonl"):
        journal.write_bytes(b"")
    report = of(folder)
    assert len(report.trials) == 0
    assert all(c.verdict == "refused" for c in report.comparisons if c.scope != "aa")
    assert any(f"0 of {report.plan.counts.trials:,} trials" in sentence for sentence in headline(report))
    for render in FORMATS.values():
        assert not re.search(r"\b(nan|NaN|None)\b", render(report))


def test_without_placebos_the_report_says_what_that_means(tmp_path: Path) -> None:
    path = experiment(tmp_path, tasks="sum", models="  - sim/planted", items=30)
    text = path.read_text(encoding="utf-8").replace(
        "controls: {placebos: matched, per_stimulus: 1}", "controls: {placebos: [], no_placebo_reason: too dear}"
    )
    path.write_text(text, encoding="utf-8")
    report = of(run_sweep(resolve(path), tmp_path / "runs", None, Execution(16), lambda progress: None).folder)
    assert report.controls == ["none"]
    assert "There is no placebo arm (too dear)" in headline(report)[-1]
    assert "too dear" in to_html(report)
    assert "in its task" in "\n".join(headline(report))


def test_an_unknown_price_is_unknown(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, tasks="sum", models=served(server.url), items=10)
    report = of(run_sweep(resolve(path), tmp_path / "runs", None, Execution(16), lambda progress: None).folder)
    assert report.paid == "price unknown (40 calls)"
    assert not report.simulated
    page = to_html(report)
    assert "SIMULATED" not in page
    assert len(re.findall(r'<td class="n">unknown\s*<', page)) == 5, "four of prices, one of the decision's cost"


def test_simulated_money_is_not_called_paid(planted: Path) -> None:
    report = of(planted)
    assert report.paid.endswith("in simulated prices, nothing paid")
    assert report.paid in to_html(report)


@pytest.mark.long
def test_the_report_command(planted: Path, tmp_path: Path) -> None:
    shown = run("report", str(planted))
    assert shown.returncode == 0
    assert "SIMULATED" in shown.stdout
    assert re.search(r"emotionprompt/EP02 .* helps", shown.stdout)
    for name, first in (("json", "{"), ("csv", "scope"), ("markdown", "#")):
        done = run("report", str(planted), "--format", name)
        assert (done.returncode, done.stdout[: len(first)]) == (0, first), done.stderr
        written = run("report", str(planted), "--format", name, "--out", str(tmp_path / f"r.{name}"))
        assert written.returncode == 0
        assert (tmp_path / f"r.{name}").read_text(encoding="utf-8") == done.stdout
    wrong = run("report", str(planted), "--out", "x.html")
    assert wrong.returncode == 2
    assert "--format" in wrong.stderr
    missing = run("report", str(tmp_path / "nothing"))
    assert missing.returncode in (1, 2)
    assert "nothing" in missing.stderr
    assert "Traceback" not in missing.stderr


def shape(report: Any) -> set[str]:
    return {c.scope for c in report.comparisons}


def test_every_scope_is_reported(planted: Path) -> None:
    assert shape(of(planted)) == {"primary", "stimulus", "cell", "aa"}


def test_raw_and_normalised_scores_stand_in_every_format(tmp_path: Path) -> None:
    path = experiment(tmp_path, tasks="snarks, sum", items=20)
    assert run("sweep", str(path), "--runs", str(tmp_path / "runs")).returncode == 0
    report = of(next((tmp_path / "runs").iterdir()))
    snarks, total = report.baselines.to_dict("records")
    assert snarks["normalised"] == pytest.approx(100 * (snarks["reference"] - 0.5) / 0.5)
    assert total["normalised"] is None or total["normalised"] != total["normalised"], "Instruction Induction has no normalised score"
    for text in (to_markdown(report), to_html(report)):
        assert f"{snarks['normalised']:.1f}" in text.partition("without any stimulus, by every scorer")[2]
    assert json.loads(to_json(report))["baselines"][1]["normalised"] is None


def test_stored_answers_under_another_scorer(planted: Path) -> None:
    found = Run(planted)
    recorded = found.trials()
    strict = reports.build(found, "strict")
    assert strict.plan.scorer == "strict"
    assert strict.trials["score"].mean() >= recorded["score"].mean()
    again = reports.build(found, "reference").trials
    assert again["score"].tolist() == recorded["score"].tolist()
    table = reports.scorer_table(recorded, found.items(), found.plan)
    assert list(table["task"]) == ["sum", "sentiment"]
    assert table[["strict", "reference", "negativeprompt"]].notna().all().all()
    assert table["reference"].between(0.5, 0.9).all()


def test_a_plan_of_another_run_is_told(planted: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(planted, copy)
    plan = json.loads((copy / "plan.json").read_text(encoding="utf-8"))
    plan["tasks"][0]["task"] = "another"
    (copy / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(RunProblem, match=r"the trials hold the task '\w+', which plan\.json does not name"):
        build(Run(copy))


def test_a_model_that_changed_under_the_run_is_told_first(planted: Path) -> None:
    report = of(planted)
    name = report.models[0]
    changed = dataclasses.replace(report, manifest=dataclasses.replace(report.manifest, served={name: ("a-1", "a-2")}))
    assert any("served by 2 versions (a-1, a-2)" in sentence for sentence in headline(changed))
    assert not any("versions" in sentence for sentence in headline(report))
