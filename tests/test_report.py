"""Reports say the same in every format, keep text from outside inert, and are honest about what is not there."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from conftest import ROOT
from promptlab import reporting as reports
from promptlab.nouns.comparison import Comparison
from promptlab.nouns.errors import RunProblem
from promptlab.nouns.words import SCORERS, Status
from promptlab.planning.resolve import resolve
from promptlab.planning.size import Size
from promptlab.record.store import Run
from promptlab.reporting import fragments, sensitivity
from promptlab.reporting.build import Report, build, headline
from promptlab.reporting.decide import _size, about, lines, needed, reason
from promptlab.reporting.formats import to_csv, to_json, to_markdown
from promptlab.reporting.frozen import steps
from promptlab.reporting.html import to_html
from promptlab.reporting.sensitivity import bounds
from promptlab.reporting.summary import summaries
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.stats import analyse, smallest_margin
from runs import experiment, run, served
from servers import Server

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
    assert "The baseline and its own repeat agree on average" in text


@pytest.mark.parametrize("name", FORMATS)
def test_simulated_is_said_in_every_format(planted: Path, name: str) -> None:
    text = FORMATS[name](of(planted))
    assert re.search(r"SIMULATED|\bsimulated\b", text)
    if name == "html":
        assert "<title>SIMULATED" in text
        assert 'class="banner">SIMULATED' in text
        assert text.count("<caption>SIMULATED: ") == 2


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
    assert not {"script", "img"} & set(tags.names)
    assert {value for key, value in tags.attributes if key == "href"} <= {f"#{value}" for key, value in tags.attributes if key == "id"}
    assert "".join(tags.words).count("<script>alert(1)</script>") >= 8


def test_the_name_of_an_arm_neither_hides_nor_reorders_text(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        dataclasses.replace(one, rows=tuple(dataclasses.replace(row, arm="a/\x1b[31m\u202e<b>") for row in one.rows))
        for one in summaries(of(planted))
    ]
    monkeypatch.setattr(fragments, "summaries", lambda _: found)
    page = fragments.verdict_html(of(planted))
    assert not re.search(r"[\x1b\u202e]", page)
    assert "a/<wbr>\\x1b[31m\\u202e&lt;b&gt;" in page


def test_formulas_and_emojis_stay_text_in_markdown() -> None:
    assert reports.formats.escaped(":smile: $x$ for $0.05: a") == r"\:smile: \$x\$ for $0.05: a"


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
    bad = [replace(report.comparisons[0], treatment=text) for text in ("=1+1", "+1+1", "-A1", "@x", "\t=1", " =1", "\ufeff=1")]
    rows = list(csv.DictReader(io.StringIO(to_csv(replace(report, comparisons=tuple(bad))))))
    assert [row["treatment"][0] for row in rows] == ["'"] * 7
    assert float(next(csv.DictReader(io.StringIO(to_csv(report))))["diff"]) == report.comparisons[0].diff


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
    changed = dataclasses.replace(report, manifest=dataclasses.replace(report.manifest, served={name: ("a-1", "a-2")}))
    assert any("served by 2 versions (a-1, a-2)" in sentence for sentence in headline(changed))
    assert not any("versions" in sentence for sentence in headline(report))


def said(html: str) -> str:
    """The words of a page, with single spaces."""
    return " ".join("".join(parsed(html).words).split())


def first_screen(html: str) -> str:
    return said(html.partition('<nav id="contents"')[0].partition("<body>")[2])


def test_the_first_screen_says_what_was_found_and_what_to_do(planted: Path) -> None:
    report = of(planted)
    shown = first_screen(to_html(report))
    assert shown.index("SIMULATED") < shown.index(report.manifest.question) < shown.index("emotionprompt/EP02")
    assert f"complete: {report.n_trials:,} of {report.n_trials:,} trials" in shown
    assert report.paid in shown
    over = {c.treatment: c for c in report.of("stimulus", control="none")}
    assert len(over) == 3
    for name, c in over.items():
        assert c.diff is not None
        assert c.ci_low is not None
        assert c.ci_high is not None
        figures = f"{100 * c.diff:+.1f}{100 * c.ci_low:+.1f} to {100 * c.ci_high:+.1f}"
        assert figures.replace("-0.0", "+0.0") in shown, name
    by_name = {line.name: line for line in lines(report)}
    assert [line.comparison.verdict for line in lines(report)][:2] == ["helps", "hurts"], "what is decided comes first"
    assert (by_name["emotionprompt/EP02"].kind, by_name["emotionprompt/EP02"].do) == ("go", "Ship it")
    assert (by_name["negativeprompt/NP10"].kind, by_name["negativeprompt/NP10"].do) == ("no", "Do not ship it")
    assert not re.search(r"p [=<]|Holm|null|hypothes|significan|confidence", shown), "no statistics on the first screen"


def changed(report: Report, control: str, **values: Any) -> Report:
    """The report with other values in the comparisons of EP02 over the tasks against one control."""
    return dataclasses.replace(
        report,
        comparisons=tuple(
            dataclasses.replace(c, **values) if (c.scope, c.treatment, c.control) == ("stimulus", "emotionprompt/EP02", control) else c
            for c in report.comparisons
        ),
    )


@pytest.mark.parametrize(
    ("placebo", "plain", "kind", "words"),
    [
        ("helps", "helps", "go", "It beats the plain prompt as well"),
        ("helps", "hurts", "no", "loses against the plain prompt"),
        ("helps", "unclear", "wait", "a gain over the plain prompt is not shown"),
        ("helps", "same", "no", "a gain over the plain prompt is not shown"),
        ("hurts", "helps", "no", "It costs right answers"),
        ("same", "helps", "no", "is what neutral text gives as well"),
        ("negligible", "same", "no", "too small to count"),
        ("unclear", "helps", "wait", "items"),
    ],
)
def test_what_to_do_follows_both_controls(planted: Path, placebo: str, plain: str, kind: str, words: str) -> None:
    report = changed(changed(of(planted), "placebo", verdict=placebo), "none", verdict=plain)
    [line] = [line for line in lines(report) if line.comparison.treatment == "emotionprompt/EP02"]
    assert line.kind == kind
    assert words in f"{line.do}. {line.because}"
    assert (line.do == "Ship it") == (kind == "go")


def test_nothing_is_to_be_shipped_on_an_oracle_or_before_the_end(planted: Path) -> None:
    report = of(planted)
    with_oracle = changed(report, "placebo", oracle=True)
    [line] = [line for line in lines(with_oracle) if line.comparison.treatment == "emotionprompt/EP02"]
    assert (line.kind, line.do) == ("no", "Do not ship it")
    for young in (dataclasses.replace(report, state="interrupted"), dataclasses.replace(report, n_trials=report.n_trials - 1)):
        assert {(line.kind, line.do) for line in lines(young)} == {("wait", "Wait")}
        assert "not finished" in first_screen(to_html(young))
    broken = changed(report, "placebo", status="aa_failed", verdict="refused")
    [line] = [line for line in lines(broken) if line.comparison.treatment == "emotionprompt/EP02"]
    assert line.do == "Decide nothing"


def test_one_task_needs_the_items_with_which_its_own_test_sees_the_margin(planted: Path) -> None:
    """A spread below the margin is no spread of a run with such an effect: at least the margin changes, beside the repeat's flips."""
    report = of(planted)
    c = next(c for c in report.of("stimulus") if c.control == "none")
    for square in (0.01, 0.033, 0.05):
        made = _size(report, c, [30], square)
        assert made.flips(0.05) >= 0.05
        assert made.variance(0.0) >= square - 1e-12
        n = made.items_needed(0.05)
        assert n is not None
        assert made.with_items(n).power(0.05) >= 0.8
        assert n >= 5 / 0.05, "five answers at least must change, all one way"


def test_the_items_needed_are_those_of_the_power_functions(planted: Path) -> None:
    report = of(planted)
    for c in report.of("stimulus"):
        found = needed(report, c)
        each = [cell for cell in report.of("cell", c.model, c.control) if cell.treatment == c.treatment]
        frame = report.trials
        squares = []
        for cell in each:  # from the answers themselves
            wide = frame[frame["task"] == cell.task].pivot_table(index="item", columns="arm", values="score")
            d = wide[c.treatment] - wide[list(c.control_arms)].mean(axis=1)
            squares.append(d.var(ddof=1) + d.mean() ** 2)
        assert len(each) == 2
        spread, again = sum(squares) / len(squares), []
        for cell in each:
            wide = frame[frame["task"] == cell.task].pivot_table(index="item", columns="role", values="score")
            again.append(float((wide["aa"] != wide["baseline"]).mean()))
        noise, n_controls = sum(again) / len(again), len(c.control_arms)
        alpha = report.plan.alpha / c.n_family
        alone = Size((1, 1), noise, alpha, chance=noise, controls=n_controls, accuracy=c.mean_control or 0.0)
        rest = max(spread - alone.variance(0), 0.0) if noise else spread
        size = dataclasses.replace(alone, discordance=noise + rest)

        def enough(more: int, size: Size = size, c: Comparison = c, each: list[Comparison] = each) -> bool:
            n = tuple(cell.n_pairs + more for cell in each)
            shown = smallest_margin(n, size.variance(0.0), 0.0, size.alpha) <= c.margin
            return shown and dataclasses.replace(size, n_items=n).power(c.margin) >= 0.8

        assert found is not None
        assert found.more is not None
        assert enough(found.more)
        assert found.more == 0 or not enough(found.more - 1)
        report_unclear = changed(report, c.control, verdict="unclear") if c.treatment == "emotionprompt/EP02" else None
        if report_unclear and c.control == "placebo":
            assert f"emotionprompt/EP02, {about(found.more)}" in first_screen(to_html(report_unclear))


@pytest.mark.parametrize(("n", "words"), [(1, "1"), (11, "11"), (101, "110"), (1234, "1,300"), (99_999, "100,000")])
def test_numbers_of_items_are_rounded_up(n: int, words: str) -> None:
    assert about(n) == words


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


def test_commands_are_quoted_for_a_shell(planted: Path) -> None:
    report = of(planted)
    odd = "my files/a; rm -rf $HOME.yaml"
    moved = dataclasses.replace(report, manifest=dataclasses.replace(report.manifest, experiment_path=odd), run="a b")
    assert [shlex.split(step.commands[0]) for step in steps(moved)][:2] == [
        ["promptlab", "sweep", odd], ["promptlab", "cache", "export", "runs/a b", "--to", "a b-answers"],
    ]  # fmt: skip


def everywhere(value: Any, keep: frozenset[str]) -> Any:
    """The same with markup in the place of every text that nothing is looked up by."""
    if isinstance(value, dict):
        return {key: part if key in keep else everywhere(part, keep) for key, part in value.items()}
    if isinstance(value, list):
        return [everywhere(part, keep) for part in value]
    return HOSTILE if isinstance(value, str) else value


def test_no_text_of_plan_or_manifest_becomes_markup(planted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(planted, tmp_path / planted.name)
    names = frozenset({
        "task", "arm", "role", "name", "family", "scope", "model", "treatment", "library", "control", "placement", "strategy", "metric",
        "strict", "suite", "stimuli_of", "placebos_of", "scorer", "position", "low", "settings", "hypotheses", "state", "models",
        "generalise", "neutral", "options",
    })  # fmt: skip
    plan, manifest = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("plan.json", "manifest.json"))
    models = [everywhere(model, frozenset({"name"})) for model in plan["models"]]
    (folder / "plan.json").write_text(json.dumps({**everywhere(plan, names), "models": models}), encoding="utf-8")
    kept = {key: manifest[key] for key in ("state", "simulated_models")}
    manifest["models"] = {name: everywhere(model, frozenset()) for name, model in manifest["models"].items()}
    (folder / "manifest.json").write_text(json.dumps({**everywhere(manifest, frozenset({"models"})), **kept}), encoding="utf-8")
    plain, page = parsed(to_html(of(planted))), parsed(to_html(of(folder)))
    assert set(page.names) <= set(plain.names)
    assert page.names.count("svg") == plain.names.count("svg")
    assert "".join(page.words).count("<script>alert(1)</script>") > 40
    assert "\x1b" not in "".join(page.words)


def test_many_tasks_are_a_table_and_long_tables_are_folded(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.reporting import html as module

    report = of(planted)
    monkeypatch.setattr(module, "MOST_OPEN", 5)
    page = to_html(report)
    matrix = re.findall(r'<table class="matrix">.*?</table>', page, re.S)
    assert len(matrix) == 2
    assert all("<caption>SIMULATED: sim/planted" in table for table in matrix)
    for table, control in zip(matrix, ("placebo", "none"), strict=True):
        over = sorted(report.of("stimulus", control=control), key=lambda c: -(c.diff or 0.0))
        assert [said(name) for name in re.findall(r'<th scope="col">(.*?)</th>', table)][1:] == [c.treatment for c in over]
        cells = re.findall(r"<td class=(\w+)>([-+]\d+\.\d)", table)
        by = {(c.task, c.treatment): c for c in report.of("cell", control=control)}
        expected = [by[(task, c.treatment)] for task in ("sum", "sentiment") for c in over]
        assert cells == [(c.verdict, f"{100 * (c.diff or 0):+.1f}".replace("-0.0", "+0.0")) for c in expected]
    folded = re.findall(r"<summary>(.*?)</summary>", page)
    assert sum("against neutral sentences: " in label or "against no added text: " in label for label in folded) == 12
