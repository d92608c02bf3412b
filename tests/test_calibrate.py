"""`promptlab calibrate`: a design judged on made-up answers keeps what it promises, and finds what is large."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import runs
from promptlab.cli import app
from promptlab.cli.calibrate import _shares
from promptlab.nouns import UsageProblem
from promptlab.planning.calibrate import calibrate, gates
from promptlab.planning.judge_rates import judged_by
from promptlab.planning.made_up import Answers, made_up, rows_of
from promptlab.planning.pilot import pilot_shows
from promptlab.planning.resolve import resolve


@pytest.mark.long
def test_a_design_keeps_its_promises_and_finds_what_is_large(tmp_path: Path) -> None:
    study = resolve(runs.experiment(tmp_path, items=60, stimuli="emotionprompt/EP02, emotionprompt/EP08"))
    seen: list[int] = []
    found = calibrate(study, 60, 0.2, 0.6, 0.1, lambda done, _: seen.append(done))
    assert seen == list(range(1, 61))
    assert found.treatment == "emotionprompt/EP02"
    assert found.n_cells == 8
    assert [f.n_comparisons for f in found.families] == [2, 2, 2]
    assert all(f.false.low <= 0.05 and f.false.of == 60 for f in found.families)
    assert found.aa_failed.share <= 0.05
    assert found.found.share > 0.95
    assert found.found_cells > 0.5
    assert found.estimates_mean == pytest.approx(0.2, abs=0.03)


@pytest.mark.long
def test_a_small_effect_is_mostly_missed_and_overstated_where_it_is_found(tmp_path: Path) -> None:
    study = resolve(runs.experiment(tmp_path, items=40))
    found = calibrate(study, 60, 0.03, 0.7, 0.1, lambda *_: None)
    assert found.found.share < 0.4
    assert found.estimates_mean is not None
    assert found.estimates_mean > 0.035


def test_a_loop_is_calibrated_too(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "name: x\nquestion: q?\ntasks: [sum, antonyms]\nmodels: [sim/null]\nitems: 40\nloops: [{rounds: 2, policies: [anger]}]\n",
        encoding="utf-8",
    )
    found = calibrate(resolve(path), 15, 0.25, 0.5, 0.1, lambda *_: None)
    assert found.treatment == "heart/anger"
    assert found.found.share > 0.9


PROMPTS = """
name: p
question: q?
tasks: [sentiment]
models: [sim/null]
prompts: {now: "A {input}", new: "B {input}", third: "C {input}", fourth: "D {input}"}
items: 60
"""


@pytest.mark.long(but=1)
@pytest.mark.parametrize("more", ["", "vary: {temperature: [0, 1]}\n", "confirm: 0.5\n"])
def test_prompts_and_factors_keep_their_promises_too(tmp_path: Path, more: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PROMPTS + more, encoding="utf-8")
    found = calibrate(resolve(path), 12, 0.25, 0.6, 0.1, lambda *_: None)
    assert found.treatment == "new"
    assert found.models[0].false_ship.low <= 0.05
    assert found.models[0].best_shipped.share > 0.6
    assert found.models[0].other_shipped.share < 0.1
    assert (found.asked < 1) == ("confirm" in more)
    assert all(f.false.low <= 0.05 for f in found.families)


@pytest.mark.long
def test_the_gate_of_a_file_keeps_its_promises_at_the_items_that_it_says(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"id": f"i{n}", "text": f"ticket {n}", "label": "ab"[n % 2]}) + "\n" for n in range(274))
    (tmp_path / "tickets.jsonl").write_text(rows, encoding="utf-8")
    task = "items: tickets.jsonl\ncolumns: {id: id, input: text, target: label}\nname: tickets\nmetric: label\nlabels: [a, b]\n"
    (tmp_path / "task.yaml").write_text(task + "base_prompts: Sort it.\n", encoding="utf-8")
    path = tmp_path / "p.yaml"
    path.write_text(PROMPTS.replace("[sentiment]", "[tickets]\ntask_files: [task.yaml]").replace("60", "274"), encoding="utf-8")
    found = gates(resolve(path), 60, None, 0.7, 0.1)
    assert (found.margin, found.loss, found.n_items, found.items_needed) == (0.05, 0.125, 274, 274)
    assert found.pass_if_same.high >= 0.8
    assert found.pass_at_margin.low <= 0.05
    assert found.fail_at_loss.share >= 0.8
    assert found.pass_at_loss.share <= 0.05


@pytest.mark.long
def test_the_command(tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=20)
    done = runs.run("calibrate", str(path), "--sweeps", "20", "--effect", "10")
    assert done.returncode == 0, done.stderr
    assert "This design reports a false gain in " in done.stdout
    assert "and finds +10 points in " in done.stdout
    assert "promised: at most alpha" in done.stdout
    parsed, again = (json.loads(runs.run("calibrate", str(path), "--sweeps", "20", "--json").stdout) for _ in range(2))
    assert parsed["false_gain"]["of"] == 20
    assert again == parsed, "seeded"
    refused = runs.run("calibrate", str(path), "--discordance", "0.45", "--baseline", "0.9")
    assert refused.returncode != 0
    assert "at most 0.180: lower --discordance" in refused.stderr


def test_a_provider_that_drifts_moves_all_arms_alike(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PROMPTS, encoding="utf-8")
    study = resolve(path)
    frame, shape = rows_of(study)
    made = made_up(frame, shape, Answers(0.6, 0.1, 0.3), np.random.default_rng(1))
    late = made["order"] > made["order"].median()
    assert made[late]["score"].mean() - made[~late]["score"].mean() == pytest.approx(0.15, abs=0.08)
    assert np.ptp(made.groupby("base_prompt")["score"].mean()) < 0.15
    found = calibrate(study, 20, 0.3, 0.6, 0.1, lambda *_: None, drift=-0.3)
    assert found.drift == -0.3
    assert found.models[0].false_ship.low <= 0.05
    assert found.aa_failed.low <= 0.001


def test_a_judge_that_prefers_the_treatment_is_corrected_by_labels_of_people(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PROMPTS, encoding="utf-8")
    study = resolve(path)
    found = judged_by(study, 75, 0.3, Answers(0.6, 0.1), n_labels=30, errors=0.1, bias=0.4)
    assert (found.n_labels, found.n_items) == (30, 60)
    assert found.judge_alone.low > 0.1
    assert found.with_labels.low <= 0.05
    assert found.found.share > 0.5
    with pytest.raises(UsageProblem, match="not all of the 60 items"):
        judged_by(study, 1, 0.3, Answers(0.6, 0.1), n_labels=60, errors=0.1, bias=0.4)


@pytest.mark.long
def test_calibrate_shows_the_judge_and_refuses_what_is_no_share(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PROMPTS, encoding="utf-8")
    shown = CliRunner().invoke(app, ["calibrate", str(path), "--sweeps", "20", "--labels", "30", "--judge", "20,10", "--drift", "5"])
    assert shown.exit_code == 0, shown.output
    assert "A judge that errs in 20 % and prefers the treatment in 10 %; people rate 30 of 60 items" in " ".join(shown.output.split())
    assert "all drift by +5 points" in " ".join(shown.output.split())
    for wrong in ("20", "60,5", "a,b"):
        with pytest.raises(UsageProblem, match="two percentages"):
            _shares(wrong)


def test_a_pilot_plans_for_the_model_whose_answers_change_most() -> None:
    rows = [
        {"model": model, "task": "t", "item": i, "arm": arm, "score": float(arm == "none" or i >= changed), "output_tokens": 1}
        for model, changed in (("calm", 1), ("wild", 9)) for i in range(20) for arm in ("none", "none_aa")
    ]  # fmt: skip
    shown = pilot_shows(pd.DataFrame(rows))
    assert (shown["model"], shown["changed"], shown["of"]) == ("wild", 9, 20)
    assert {model: own["changed"] for model, own in shown["models"].items()} == {"calm": 1, "wild": 9}


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("more", "when", "found_in", "blameless"),
    [
        ("vary: {shots: [0, 2], temperature: [0, 1]}", {"shots": "2"}, "level/shots/sim/null", "level/temperature/sim/null"),
        ("vary: {reasoning_effort: [low, high]}", {}, "level/reasoning_effort/sim/null", None),
        ("vary: {format: {sample: 4, seed: 1}}", {"format": "f2"}, "spread/format/sim/null", None),
        ("compare: {models: true}", {"prompt": "new", "model": "sim/planted"}, "interaction/prompt x model", "model"),
        (
            "stimuli: [emotionprompt/EP02]",
            {"stimulus": "emotionprompt/EP02", "prompt": "new"},
            "by_prompt/sim/null/none",
            "prompt/sim/null",
        ),
    ],
)
def test_an_effect_is_found_where_it_is_planted_and_nowhere_else(
    more: str, when: dict[str, str], found_in: str, blameless: str | None, tmp_path: Path
) -> None:
    models = "[sim/null, sim/planted]" if "models" in more else "[sim/null]"
    prompts = 'prompts: {now: "A {input}", new: "B {input}"}\n' if "prompt" in when else ""
    path = tmp_path / "p.yaml"
    path.write_text(f"name: p\nquestion: q?\ntasks: [sentiment]\nmodels: {models}\nitems: 60\n{prompts}{more}\n", encoding="utf-8")
    found = {f.family: f for f in calibrate(resolve(path), 12, 0.35, 0.6, 0.1, lambda *_: None, when=when).families}
    assert [name for name, f in found.items() if f.false.low > 0.05] == []
    assert [name for name, f in found.items() if f.blamed and f.blamed.low > 0.05] == []
    planted = found[found_in].found
    assert planted is not None
    assert planted.share > 0.6
    assert blameless is None or found[blameless].found is None


def test_what_cannot_be_planted_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(PROMPTS, encoding="utf-8")
    study = resolve(path)
    for when, said in (
        ({"shots": "2"}, "'shots' is no factor here; factors: stimulus, prompt, model"),
        ({"prompt": "x"}, "levels: fourth, new"),
    ):
        with pytest.raises(UsageProblem, match=said):
            calibrate(study, 1, 0.1, 0.6, 0.1, lambda *_: None, when=when)
