"""Reports say the same in every format, keep text from outside inert, and are honest about what is not there."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from promptlab import report as reports
from promptlab.errors import RunProblem
from promptlab.report.build import Report, build, headline
from promptlab.report.formats import to_csv, to_json, to_markdown
from promptlab.report.html import to_html
from promptlab.resolve import resolve
from promptlab.run import Execution
from promptlab.store import Run
from promptlab.sweep import run_sweep
from runs import experiment, run, served
from servers import Server

pytestmark = pytest.mark.xdist_group("report")  # what its fixtures make is made once

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> [a](javascript:alert(3)) | `x` \x1b[31mred"
FORMATS = {"markdown": to_markdown, "html": to_html, "json": to_json, "csv": to_csv}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the simulated model that gains with EP02 and loses with NP10."""
    folder = tmp_path_factory.mktemp("planted")
    path = experiment(folder, models="  - sim/planted", stimuli="emotionprompt/EP02, emotionprompt/EP08, negativeprompt/NP10", items=60)
    return run_sweep(resolve(path), folder / "runs", None, Execution(16), lambda progress: None).folder


@pytest.fixture
def hostile(planted: Path, tmp_path: Path) -> Path:
    """The same run after someone put markup into every text that comes from outside."""
    folder = tmp_path / planted.name
    shutil.copytree(planted, folder)
    plan, manifest = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("plan.json", "manifest.json"))
    for arm in plan["arms"]:
        arm["text"] = HOSTILE
    for task in plan["tasks"]:
        task["source"], task["defects"] = HOSTILE, [HOSTILE]
    manifest |= {"question": HOSTILE, "name": "=1+1", "last_error": HOSTILE, "commit": HOSTILE, "served": {"sim/planted": [HOSTILE]}}
    manifest["simulated_models"] = [HOSTILE, *manifest["simulated_models"]]
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


class Tags(HTMLParser):
    """The elements and attributes of a page; void and self-closing ones too."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def of(folder: Path) -> Report:
    return reports.build(Run(folder))


def test_the_headline_finds_what_was_planted(planted: Path) -> None:
    text = "\n".join(headline(of(planted)))
    assert text.startswith("SIMULATED")
    against = next(line for line in text.splitlines() if "Against neutral sentences, over 2 tasks" in line)
    assert re.search(r"helps: emotionprompt/EP02 \(\+\d", against)
    assert re.search(r"hurts: negativeprompt/NP10 \(-\d", against)
    assert "The baseline agrees with its own repeat" in text


@pytest.mark.parametrize("name", FORMATS)
def test_simulated_is_said_in_every_format(planted: Path, name: str) -> None:
    text = FORMATS[name](of(planted))
    assert re.search(r"SIMULATED|\bsimulated\b", text)
    if name == "html":
        assert "<title>SIMULATED" in text
        assert all("SIMULATED" in drawing for drawing in re.findall(r"<svg.*?</svg>", text, re.S))
        assert len(re.findall(r"<svg.*?</svg>", text, re.S)) == 4


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


def test_the_page_loads_and_runs_nothing(planted: Path) -> None:
    tags = parsed(to_html(of(planted)))
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & set(tags.names)
    policy = next(value for key, value in tags.attributes if key == "content" and value and "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert not [key for key, _ in tags.attributes if key.startswith("on") or key in ("src", "action")]
    assert not [value for key, value in tags.attributes if key in ("href", "xlink:href") and not (value or "").startswith("#")]


def test_text_from_outside_stays_text_in_html(hostile: Path) -> None:
    tags = parsed(to_html(of(hostile)))
    assert not {"script", "img", "a"} & set(tags.names)
    assert "".join(tags.words).count("<script>alert(1)</script>") >= 8


def test_text_from_outside_stays_text_in_markdown(hostile: Path) -> None:
    text = to_markdown(of(hostile))
    assert "<script" not in re.sub(r"\\<", "", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "\x1b" not in text
    tables = [[line.count(" | ") for line in part.splitlines() if line.startswith("| ")] for part in text.split("\n## ")]
    assert sum(map(bool, tables)) >= 4
    assert all(len(set(widths)) <= 1 for widths in tables), "no cell breaks out of its row"


def test_a_spreadsheet_does_not_run_cells(planted: Path) -> None:
    from dataclasses import replace

    report = of(planted)
    bad = [replace(report.comparisons[0], treatment=text) for text in ("=1+1", "+1", "-1", "@x", "\t=1", " =1", "\ufeff=1")]
    rows = list(csv.DictReader(io.StringIO(to_csv(replace(report, comparisons=tuple(bad))))))
    assert [row["treatment"][0] for row in rows] == ["'"] * 7
    assert float(next(csv.DictReader(io.StringIO(to_csv(report))))["diff"]) == report.comparisons[0].diff


def test_refusals_give_their_reason(planted: Path) -> None:
    report = of(planted)
    refused = [c for c in report.comparisons if c.verdict == "refused" and c.scope != "aa"]
    assert refused, "the unplanted sentence changes too few answers to be judged somewhere"
    text = to_markdown(report)
    assert all(c.sentence and reports.formats.escaped(c.sentence) in text for c in refused)
    page = "".join(parsed(to_html(report)).words)
    assert all(c.sentence in page for c in refused)


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
    assert any(f"0 of {report.plan['counts']['trials']:,} trials" in sentence for sentence in headline(report))
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
    assert report.paid.endswith("the price of 40 calls is unknown")
    assert not report.simulated
    page = to_html(report)
    assert "SIMULATED" not in page
    assert page.count('<td class="n">unknown</td>') == 4


def test_simulated_money_is_not_called_paid(planted: Path) -> None:
    report = of(planted)
    assert report.paid.endswith("in simulated prices, nothing paid")
    assert report.paid in to_html(report)


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
    assert strict.plan["scorer"] == "strict"
    assert strict.trials["score"].mean() >= recorded["score"].mean()
    again = reports.build(found, "reference").trials
    assert again["score"].tolist() == recorded["score"].tolist()
    table = reports.scorer_table(recorded, found.items(), found.plan)
    assert list(table["task"]) == ["sum", "sentiment"]
    assert table[["strict", "reference", "negativeprompt"]].notna().all().all()
    assert table["reference"].between(0.5, 0.9).all()


def test_opening_a_run_loads_no_code_that_its_folder_names(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run folder may come from anybody: a metric named in its plan is neither imported nor run as a pattern."""
    folder = shutil.copytree(planted, tmp_path / "small-00000000")
    (tmp_path / "evil.py").write_text("open('PWNED', 'w').close()\n\ndef f(answer, item): ...\n", encoding="utf-8")
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    plan["tasks"][0] |= {"metric": "evil:f", "strict": ""}
    plan["tasks"][1] |= {"metric": "regex:(a+)+$", "strict": ""}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    recorded = Run(folder).trials()
    for scorer in (None, "reference", "negativeprompt"):
        report = reports.build(Run(folder), scorer)
        for task in plan["tasks"][:2]:
            mine, was = (frame.loc[frame["task"] == task["task"], "score"] for frame in (report.trials, recorded))
            assert mine.equals(was), "such scores stay as recorded"
    assert not (tmp_path / "PWNED").exists()


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
    changed = dataclasses.replace(report, manifest={**report.manifest, "served": {name: ["a-1", "a-2"]}})
    assert any("served by 2 versions (a-1, a-2)" in sentence for sentence in headline(changed))
    assert not any("versions" in sentence for sentence in headline(report))
