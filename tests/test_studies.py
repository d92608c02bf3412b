"""The papers' judged studies end to end: over simulated models and over a loopback server, next to the published figures."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import yaml

import servers
from conftest import ROOT, SHARED
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting.studies import study_tables
from promptlab.running.engine import Execution
from promptlab.running.sweep import run_sweep

EXPERIMENTS = ROOT / "experiments"


def swept(folder: Path, name: str, served: str = "", judge: str = "", **values: object) -> Run:
    """A shipped experiment as it is, but for its size, its models and its judge."""
    shutil.copytree(EXPERIMENTS / "own", folder / "own")
    experiment = yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text("utf-8"))
    if served:
        model = {"api_base": served, "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}, "name": "m"}
        experiment["models"] = [{**model, "model": f"openai/{'logprobs' if 'strategies' in experiment else 'essay-0'}"}]
        for task in experiment["task_files"]:
            text = (folder / task).read_text("utf-8")
            one = f"{{model: openai/{judge}, name: j, api_base: '{served}', price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}"
            (folder / task).write_text(text.replace("judges: sim/reader", f"judges: {one}"), "utf-8")
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**experiment, **values}), "utf-8")
    return Run(run_sweep(resolve(path), folder / "runs", folder / "cache", Execution(concurrency=8), lambda _: None).folder)


SMALL = {"stimuli": ["emotionprompt/EP02", "negativeprompt/NP01"], "controls": {"placebos": [], "no_placebo_reason": "a test"}}


def rows_of(run: Run, paper: str = "emotionprompt") -> dict[tuple[str, str], dict[str, str]]:
    [table] = study_tables(run, paper)  # type: ignore[arg-type]
    rows = table.frame.to_dict("records")
    return {(str(row.get("measure", row.get("rubric", ""))), str(row["row"])): row for row in rows}


@pytest.mark.parametrize("is_served", [False, True])
def test_truthfulqa_as_generation(is_served: bool, tmp_path: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    run = swept(tmp_path, "truthfulqa", server.url if is_served else "", "judge-1", items=6, **SMALL)
    found, other = rows_of(run), rows_of(run, "negativeprompt")
    assert (found["true", "no added text"]["paper: ChatGPT"], other["true", "no added text"]["paper: ChatGPT"]) == ("75", "72")
    assert (found["info", "EP02"]["paper: Vicuna-13b"], other["info", "NP01"]["paper: T5"]) == ("0", "62")
    assert found["true and info", "EP02"]["paper: T5"] == "-"
    assert ("true", "NP01") not in found
    assert run.manifest.simulated is not is_served
    if is_served:
        assert {row["here"] for row in found.values()} == {"100.0"}, "the judge says 1 to all"


@pytest.mark.parametrize("is_served", [False, True])
def test_truthfulqa_as_a_choice_in_both_orders(
    is_served: bool, tmp_path: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    run = swept(tmp_path, "truthfulqa_binary", server.url if is_served else "", items=6, **SMALL)
    items, trials = run.items(), run.trials()
    choices = {str(row.item): list(row.choices) for row in items.itertuples()}
    assert len(choices) == 12
    assert all(choices[f"{name} swapped"] == of[::-1] for name, of in choices.items() if not name.endswith("swapped"))
    assert items["cluster"].nunique() == 6
    assert set(trials["outcome"]) == {"ok"}, "no answer is lost to its form"
    found = rows_of(run)["", "no added text"]
    assert found["paper"] == "-"
    if is_served:
        assert (found["here"], found["same"], found["first"]) == ("50.0", "0 %", "0 %"), "a model that always says B gains nothing"


@pytest.mark.parametrize("is_served", [False, True])
def test_the_human_study(is_served: bool, tmp_path: Path, server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    run = swept(tmp_path, "emotionprompt_human_study", server.url if is_served else "", "judge-4", items=8, replicates=1, **SMALL)
    found = rows_of(run)
    average = found["performance", "average over the sentences"]
    assert (average["paper"], average["paper's gain"]) == ("4.12", "+15.1 %")
    assert found["truthfulness", "no added text"]["paper"] == "3.61"
    assert not study_tables(run, "negativeprompt"), "that paper has no human study"
    if is_served:
        assert {row["judge here"] for row in found.values()} == {"4.00"}


@pytest.mark.shared
def test_the_pairs_follow_from_the_published_file(tmp_path: Path) -> None:
    from runpy import run_path

    made = tmp_path / "made.csv"
    run_path(str(ROOT / "tools" / "make_truthfulqa.py"))["main"](SHARED / "data" / "truthfulqa" / "TruthfulQA.csv", made)
    with made.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 817
    assert all(len(set(row["options"].split(" | "))) == 2 and row["best"] in row["options"] for row in rows)
