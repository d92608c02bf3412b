"""What a new user reads: how many items suffice, which model is best, words for what is compared, and a next step for each fault."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from apps import opened, table_with, tables, texts  # noqa: F401 (`opened` is a fixture)
from exports import cell, judged, rows, table
from promptlab.explorer import pairs
from promptlab.explorer import runs as runs_page
from promptlab.explorer.filters import Filters
from promptlab.importers import bring
from promptlab.nouns import Model
from promptlab.planning.resolve import resolve
from promptlab.record.registry import Registry, variations
from promptlab.record.store import Run
from promptlab.reporting import build, summaries, to_html, to_json, to_markdown, to_text
from promptlab.reporting.build import Report
from promptlab.reporting.decide import TOO_FEW, about, items_more, needed, open_reasons, reason
from promptlab.reporting.formats import evalstats_frame
from promptlab.reporting.prepared import Store
from promptlab.reporting.summary import across_models, first_summaries
from promptlab.running.gateway.failures import WireError
from promptlab.running.gateway.stopping import stop_reason
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment, run

PROMPTS = """\
prompts:
  base_prompt: "Is this positive or negative?\\n{input}"
  new_system: "You are an expert. Is this positive or negative?\\n{input}"
incumbent: base_prompt
"""
MODELS = "compare: {models: true}\n"


def written(folder: Path, name: str, more: str, models: str = "sim/planted", items: int = 20) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(
        f"name: {name}\nquestion: which is best?\nsuite: twin\ntasks: [sentiment]\nmodels: [{models}]\nitems: {items}\nseed: 1\n{more}"
    )
    return path


def swept(folder: Path, name: str, more: str, models: str = "sim/planted", items: int = 20) -> Path:
    path = written(folder, name, more, models, items)
    return run_sweep(resolve(path), folder / "runs", None, Execution(16), lambda _: None).folder


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("prompts"), "systems", PROMPTS)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("models"), "models", MODELS, "sim/planted, sim/null", items=60)


def screen(report: Report) -> str:
    text = io.StringIO()
    to_text(report, Console(file=text, width=200))
    return text.getvalue()


@pytest.fixture
def few(tmp_path: Path) -> Report:
    """Three of 60 answers changed: no test of so few can reach its level."""
    return judged(bring([table(tmp_path, rows(gained=3, lost=0, ties=57))], tmp_path / "runs"))


def test_too_few_changed_answers_say_once_how_many_items_suffice(few: Report) -> None:
    c = cell(few, "kind")
    over = next(one for one in few.of("stimulus") if one.task is None)
    assert (c.status, over.status, over.verdict) == ("cannot_be_significant", "cannot_be_significant", "unclear")
    n = items_more(few, over)
    assert n
    assert reason(few, over) == f"Too few answers changed. About {about(n)} more items per task would be needed."
    [summary] = summaries(few)
    assert [row.more_items for row in summary.rows if not row.incumbent] == [n]
    for said in (screen(few), to_markdown(few).partition("\n- ")[0]):
        assert said.count(f"about {about(n)} more items") == 1
        assert "ask more items" not in said
    assert summary.reasons == ()


def test_more_items_than_that_settle_it_four_times_in_five(few: Report) -> None:
    over = next(one for one in few.of("stimulus") if one.task is None)
    found = needed(few, over)
    assert found is not None
    assert not found.least
    again = replace(over, margin=over.margin / 2)
    smaller = needed(few, again)
    assert smaller is not None
    assert smaller.more is not None
    assert found.more is not None
    assert smaller.more > 2 * found.more, "half the margin takes about four times the items"


def test_without_one_change_the_least_number_is_told_and_with_too_few_items_why_none_is(tmp_path: Path) -> None:
    same = judged(bring([table(tmp_path, rows(gained=0, lost=0, ties=40))], tmp_path / "runs"))
    c = next(one for one in same.of("stimulus") if one.task is None)
    found = needed(same, c)
    assert c.status == "no_discordant_pairs"
    assert found is not None
    assert found.least
    assert found.more
    assert reason(same, c) == f"Not one answer changed. At least {about(found.more)} more items per task would be needed."
    assert items_more(same, c) is None, "a least number is no plan"
    small = judged(bring([table(tmp_path, rows(gained=2, lost=1, ties=5), "small.csv")], tmp_path / "runs"))
    c = next(one for one in small.of("stimulus") if one.task is None)
    assert (
        reason(small, c)
        == f"Too few items for a verdict. By these 8 items, about {about(items_more(small, c) or 0)} more items per task would be needed."
    )
    assert set(TOO_FEW) >= {"n_too_small", "cannot_be_significant", "no_discordant_pairs", "zero_variance"}


def test_what_the_advice_says_of_one_arm_has_no_second_line() -> None:
    rows_ = [("a", "why a", "unclear", 120), ("b", "why b", "unclear", 80)]
    assert open_reasons(rows_[:1], "a") == []  # type: ignore[arg-type]
    assert open_reasons(rows_, "a") == ["unclear: more items a task needed: a, 120; b, 80."]  # type: ignore[arg-type]
    assert open_reasons([("a", "why", "unclear", None)], "a") == []
    assert open_reasons([("a", "why", "unclear", None)], "") == ["○ unclear: a: why"]


def test_plan_ends_as_check_does(tmp_path: Path) -> None:
    wrong, right = written(tmp_path, "wrong", PROMPTS, "nobody/x"), written(tmp_path, "right", PROMPTS)
    for path, code in ((wrong, 2), (right, 0)):
        assert [run(command, str(path)).returncode for command in ("check", "plan")] == [code, code]
    done = run("plan", str(wrong), "--json")
    assert (done.returncode, json.loads(done.stdout)["name"]) == (2, "wrong")
    assert "the provider 'nobody' is not known" in done.stderr


def test_models_are_the_arms_of_a_run_that_compares_them(models: Path) -> None:
    report = build(Run(models))
    found = across_models(report)
    assert found is not None
    assert first_summaries(report) == [found]
    [other] = [row for row in found.rows if not row.incumbent]
    [c] = [c for c in report.of("model") if c.task is None]
    assert (other.arm, other.diff, other.ci_low, other.ci_high, other.verdict) == ("sim/null", c.diff, c.ci_low, c.ci_high, c.verdict)
    assert [row.arm for row in found.rows if row.incumbent] == ["sim/planted"]
    assert found.against == "sim/planted"
    assert all(row.usd_per_1000 for row in found.rows)
    assert found.advice
    assert "sim/" in found.advice
    said = screen(report)
    for text in (said, to_markdown(report), to_html(report)):
        assert "2 models" in text
        assert found.advice in text.replace("\\", "").replace("&#39;", "'")
    assert said.count("incumbent") == 1, "no table holds an incumbent alone"
    assert [row["arm"] for row in json.loads(to_json(report))["models"]] == [row.arm for row in found.rows]


def test_runs_that_compare_no_models_have_no_such_table(prompts: Path) -> None:
    report = build(Run(prompts))
    assert across_models(report) is None
    assert first_summaries(report) == summaries(report)
    assert "models" not in json.loads(to_json(report))


def test_models_with_prompts_keep_the_tables_of_their_prompts(tmp_path: Path) -> None:
    report = build(Run(swept(tmp_path, "both", PROMPTS + MODELS, "sim/planted, sim/null")))
    first, *each = first_summaries(report)
    assert [one.model for one in each] == ["sim/planted", "sim/null"]
    assert {row.arm for row in first.rows} == {"sim/planted", "sim/null"}
    assert not any("model sim/null - sim/planted:" in said for one in each for said in one.beside)


def test_variations_ask_the_same_model_some_of_the_same_items() -> None:
    def entry(items: list[str], *comparisons: str, model: str = "m") -> dict[str, Any]:
        return {"models": [model], "tasks": {"t": ["twin/t", len(items), items]}, "comparisons": dict.fromkeys(comparisons, 1)}

    own = entry(["1", "2"], "a", "b")
    plans = {
        "same": entry(["2", "3"], "b"), "other items": entry(["8", "9"], "b"), "another wording": entry(["1", "2"], "c"), "mine": own,
        "another model": entry(["1", "2"], "a", model="n"),
    }  # fmt: skip
    known = Registry(plans, {}, {}, {}, ())
    assert variations("mine", own, known) == ["same", "another wording", "mine"], "nine wordings of a prompt are nine variations"


def test_words_are_those_of_whole_prompts(prompts: Path, models: Path) -> None:
    assert set(evalstats_frame(Run(prompts))["prompt"]) == {"base_prompt", "base_prompt, again", "new_system"}
    done = run("report", str(prompts), "--tasks")
    assert re.search(r"^arm +drawn together", done.stdout, re.MULTILINE)
    assert "sentence" not in done.stdout
    assert "without any stimulus" not in run("scores", str(prompts)).stdout
    path = next(prompts.parent.parent.glob("*.yaml"))
    assert re.search(r"^base_prompt \(1\) ", run("plan", str(path)).stdout, re.MULTILINE)
    assert re.search(r"^sim/planted \(1\) ", run("plan", str(next(models.parent.parent.glob("*.yaml")))).stdout, re.MULTILINE)


def test_pages_name_arms_as_reports_do(opened: Any, prompts: Path, models: Path) -> None:  # noqa: F811
    page = opened("--runs", models.parent, run=models.name)
    assert not page.exception
    assert set(table_with(page, "effect")["arm"]) == {"sim/planted", "sim/null"}
    assert not {"its words", "added text"} & set(table_with(page, "against").columns)
    page = opened("--runs", models.parent, run=models.name, page="compare")
    assert {box.label for box in page.selectbox} >= {"Model", "Model of B"}
    assert not {box.label for box in page.selectbox} & {"Arm A", "Arm B"}
    assert re.search("unclear|helps|hurts|same|negligible|refused", texts(page)), "the pair that comes first was planned"
    page = opened("--runs", prompts.parent, run=prompts.name, page="cost")
    assert not any("setting" in shown.columns for shown in tables(page))


def test_answers_of_whole_prompts_have_no_selector_of_added_texts(opened: Any, prompts: Path) -> None:  # noqa: F811
    page = opened("--runs", prompts.parent, run=prompts.name, page="compare")
    assert {box.label for box in page.selectbox} >= {"Prompt A", "Prompt B"}
    assert not {box.label for box in page.selectbox} & {"Arm A", "Arm B"}
    _, a, b = pairs._sides(Store.of(prompts), Filters({"prompt_a": "base_prompt, again"}))
    assert b is not None
    assert (a.arm, a.prompt, b.arm, b.prompt) == ("none_aa", "base_prompt", "none", "base_prompt")


def test_the_verdict_of_an_added_text_names_its_controls(opened: Any, tmp_path: Path) -> None:  # noqa: F811
    path = experiment(tmp_path, models="  - sim/planted")
    folder = run_sweep(resolve(path), tmp_path / "runs", None, Execution(16), lambda _: None).folder
    page = opened("--runs", folder.parent, run=folder.name, page="compare")
    assert "against the mean of no added text and no added text, again;" in texts(page)
    assert "its words" not in table_with(opened("--runs", folder.parent, run=folder.name), "against").columns


def test_a_failed_audit_is_said_once_and_cautions_are_counted(opened: Any, prompts: Path, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "runs" / prompts.name
    shutil.copytree(prompts, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["counts"]["sent"] -= 5
    (folder / "manifest.json").write_text(json.dumps(manifest))
    page = opened("--runs", folder.parent, run=folder.name)
    said = texts(page)
    assert said.count("THIS RUN FAILS ITS AUDIT") == 1
    [believed] = [element.proto.body for element in page.get("html") if "May this be believed?" in element.proto.body]
    n = int(re.search(r"(\d+) caution", believed).group(1))  # type: ignore[union-attr]
    assert believed.count("<li>") == n


def test_the_runs_page_cuts_neither_arm_nor_warning() -> None:
    row = dict.fromkeys(runs_page.COLUMNS, "x") | {
        "best arm": "▲ emotionprompt/EP02 +16.5", "warnings": "one; two", "SIMULATED": "", "cost": "$0.1 in simulated prices, nothing paid",
        "question": "q" * 90,
    }  # fmt: skip
    shown = runs_page._drawn(pd.DataFrame([row]))
    assert (shown["warnings"][0], shown["cost"][0], "SIMULATED" in shown) == ("2", "$0.1", False)
    assert len(shown["question"][0]) < 50
    assert runs_page._widths(shown)["best arm"] >= 7 * len(row["best arm"])


def test_every_fault_has_one_line_and_a_next_step(tmp_path: Path, prompts: Path) -> None:
    bad = written(tmp_path, "bad", PROMPTS.replace('"You are', '"You')).read_text().replace("name: bad", "name: Bad name!")
    bad = bad.replace(
        '  base_prompt: "Is this positive or negative?\\n{input}"', "  base_prompt: {messages: [{role: sistem, content: '{input}'}]}"
    )
    (tmp_path / "bad.yaml").write_text(bad + "simulators: {slow: {latency: 5}}\n")
    said = run("check", str(tmp_path / "bad.yaml")).stderr
    assert "'Bad name!' is not a name: at most 64 letters" in said
    assert "^[A-Z" not in said
    assert said.count("sistem") == 1
    assert "expected text" not in said
    assert "did you mean 'latency_ms'?" in said
    shown = run("show", "model", "openai/gpt-4o-min")
    assert shown.returncode == 2
    assert "did you mean 'openai/gpt-4o-mini'" in shown.stderr
    assert "in the run folder" in " ".join(run("export", "--help").stdout.replace("│", " ").split())


def test_compare_of_runs_without_a_common_prompt_gives_the_command(tmp_path: Path, prompts: Path) -> None:
    other = swept(tmp_path, "other", PROMPTS.replace("base_prompt", "old").replace("new_system", "newer"))
    done = run("compare", str(prompts), str(other))
    assert done.returncode == 2
    assert "no base prompt in common" in done.stderr
    command = done.stderr.partition("try: promptlab ")[2].split("\n")[0]
    assert "--prompt base_prompt --prompt-b" in command
    assert run(*shlex.split(command)).returncode == 0


@pytest.mark.parametrize(
    ("model", "to_do"),
    [
        (Model("openai/gpt-4o-mini", "openai/gpt-4o-mini"), "check the network of this machine"),
        (Model("x", "openai/x", api_base="http://127.0.0.1:9/v1"), "start the server or correct 'api_base'"),
    ],
)
def test_without_a_network_nobody_is_told_to_start_a_provider(model: Model, to_do: str) -> None:
    assert to_do in stop_reason(model, WireError("unreachable", "Name or service not known"))
