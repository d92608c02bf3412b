"""Factors of an experiment file on simulated models with a known truth: what was planted is found, and attributed to its factor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from promptlab.design.formats import GRAMMAR, in_format, sampled
from promptlab.design.render import PRESETS, render
from promptlab.nouns import AA_ARM, Comparison, Plan, PlannedFactor, PlannedModel, PlannedTask, Setting
from promptlab.nouns.errors import FileProblems
from promptlab.planning.audit import DIFFERS, audit
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.reporting import build, to_html, to_markdown
from promptlab.reporting.build import arm_table, headline
from promptlab.reporting.contrasts import contrast_tables
from promptlab.reporting.deviations import planned_cells
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.sources.spec.strict_yaml import written
from promptlab.stats import level_spreads

SIMS = {
    "a": {
        "accuracy": 0.5, "flip_rate": 0.06,
        "effects": [
            {"points": 18, "when": {"shots": 2}},
            {"points": -18, "when": {"temperature": 1}},
            {"points": 16, "when": {"reasoning_effort": "high"}},
            {"points": 22, "when": {"prompt": "better"}},
            {"points": -14, "stimulus": "emotionprompt/EP02"},
            {"points": 39, "stimulus": "emotionprompt/EP02", "when": {"prompt": "better"}},
        ],
    },
    "b": {"accuracy": 0.8, "effects": [{"points": -22, "when": {"prompt": "better"}}]},
    "nothing": {"accuracy": 0.6, "flip_rate": 0.1},
    "uneven": {"accuracy": 0.5, "spread": {"placement": 15}},
}  # fmt: skip
PROMPTS = {
    "current": "{instruction}\n{input}",
    "better": [{"role": "system", "content": "Be right."}, {"role": "user", "content": "{input}"}],
}


def swept(folder: Path, **keys: Any) -> Run:
    value = {"name": "f", "question": "What matters?", "tasks": ["sentiment", "antonyms"], "items": 60, "models": ["sim/a"], **keys}
    used = {str(m["model"] if isinstance(m, dict) else m).removeprefix("sim/") for m in value["models"]}
    value["simulators"] = {name: sim for name, sim in SIMS.items() if name in used}
    (folder / "f.yaml").write_text(written(value), encoding="utf-8")
    return Run(run_sweep(resolve(folder / "f.yaml"), folder / "runs", None, Execution(16), lambda progress: None).folder)


def over_tasks(run: Run, scope: str) -> dict[str, Comparison]:
    """The comparisons of a scope over the tasks, by what they compare."""
    return {f"{c.model}: {c.contrast.name}": c for c in build(run).comparisons if c.scope == scope and c.task is None and c.contrast}


def verdicts(found: dict[str, Comparison]) -> dict[str, str]:
    return {name: c.verdict for name, c in found.items()}


def test_each_factor_is_found_and_nothing_is_attributed_to_another(tmp_path: Path) -> None:
    vary = {"shots": [0, 2], "temperature": [0.0, 1.0]}
    run = swept(tmp_path, vary=vary)
    found = over_tasks(run, "level")
    assert verdicts(found) == {"sim/a: shots 2 - 0": "helps", "sim/a: temperature 1 - 0": "hurts"}
    assert [round(c.diff or 0, 1) for c in found.values()] == [0.2, -0.2]
    trials = run.trials()
    assert trials.groupby(["setting", "arm"]).size().to_dict() == {
        **{(s.id, "none"): 120 for s in run.plan.settings}, (run.plan.settings[0].id, AA_ARM): 120,
    }  # fmt: skip


def test_effort_alone_and_levels_that_are_listed(tmp_path: Path) -> None:
    found = over_tasks(swept(tmp_path, vary={"reasoning_effort": ["low", "high"]}), "level")
    assert verdicts(found) == {"sim/a: reasoning_effort high - low": "helps"}
    (tmp_path / "listed").mkdir()
    run = swept(tmp_path / "listed", vary=[{"shots": 0, "temperature": 0.0}, {"shots": 2, "temperature": 1.0}, {"shots": 2}])
    [factor] = run.plan.factors
    assert factor.name == "setting"
    assert len(run.plan.settings) == len(factor.levels) == 3
    assert [c.verdict for c in over_tasks(run, "level").values()] != ["helps", "helps"], "both changes cancel in the second"
    assert list(over_tasks(run, "level").values())[-1].verdict == "helps"


def test_models_are_arms_and_a_prompt_that_helps_one_and_hurts_the_other_is_not_averaged(tmp_path: Path) -> None:
    run = swept(tmp_path, prompts=PROMPTS, models=["sim/a", "sim/b"], compare={"models": True})
    assert verdicts(over_tasks(run, "prompt")) == {"sim/a: prompt better - current": "helps", "sim/b: prompt better - current": "hurts"}
    assert [c.verdict for c in over_tasks(run, "model").values()] == ["helps"]
    [depends] = over_tasks(run, "interaction").values()
    assert depends.verdict in ("helps", "hurts")
    assert abs(depends.diff or 0) == pytest.approx(0.44, abs=0.12)
    _says_nothing_of_sentences(run)


def _says_nothing_of_sentences(run: Run) -> None:
    """A report about whole prompts has its tasks, other scorers and arms by prompt, and no part about texts that it does not have."""
    report, trials = build(run), run.trials()
    page, short = to_html(report), to_markdown(report)
    assert "2 models, 2 tasks, 120 items, 2 prompts" in page
    assert not [word for word in ("Nothing is recorded yet", "None was planned", "protocol, and the honest") if word in page]
    assert "(none)" not in short
    for task in ("sentiment", "antonyms"):
        assert f'<tr><th scope="row">{task}</th>' in page
    means = trials.groupby(["model", "base_prompt", "arm"])["score"].agg(["size", "mean"]).to_dict("index")
    shown = {(row["model"], row["prompt"], row["arm"]): (row["n"], row["mean_score"]) for _, row in arm_table(report).iterrows()}
    assert shown == {place: (row["size"], pytest.approx(row["mean"])) for place, row in means.items()}
    assert {(one.prompt, one.arm) for one in report.shares} == {(prompt, arm) for _, prompt, arm in means}
    counted = trials[trials["arm"] == "none"].groupby(["model", "base_prompt", "task"]).size().to_dict()
    assert report.baselines.groupby(["model", "prompt", "task"])["n"].sum().to_dict() == counted


def test_a_sentence_that_depends_on_the_prompt(tmp_path: Path) -> None:
    more = {"tasks": ["sentiment", "antonyms", "sum"], "items": 100, "controls": {"placebos": "matched", "per_stimulus": 1}}
    run = swept(tmp_path, prompts=PROMPTS, stimuli=["emotionprompt/EP02"], **more)
    found = {name: c for name, c in over_tasks(run, "by_prompt").items() if c.control == "none"}
    assert sorted(verdicts(found).values()) == ["helps", "hurts"]
    assert {c.verdict for c in over_tasks(run, "interaction").values()} <= {"helps", "hurts"}


def test_where_nothing_matters_nothing_is_found(tmp_path: Path) -> None:
    more = {"vary": {"shots": [0, 2], "temperature": [0.0, 1.0]}, "stimuli": ["emotionprompt/EP02"]}
    run = swept(tmp_path, prompts=PROMPTS, models=["sim/nothing"], controls={"placebos": "matched", "per_stimulus": 1}, **more)
    report = build(run)
    assert {c.verdict for c in report.comparisons if c.scope != "aa"} & {"helps", "hurts"} == set()
    cells = planned_cells(run.plan)
    trials = run.trials()
    counted = trials.groupby(["model", "setting", "arm", "task"]).size()
    assert cells.set_index(["model", "setting", "arm", "task"])["planned"].to_dict() == counted.to_dict()
    assert [check.what for check in audit(run) if check.says == DIFFERS] == []


def test_formats_are_drawn_from_the_grammar_and_are_a_random_factor(tmp_path: Path) -> None:
    run = swept(tmp_path, models=["sim/uneven"], vary={"format": {"sample": 5, "seed": 3}}, items=40)
    [factor] = run.plan.factors
    assert (factor.name, factor.random, factor.levels) == ("format", True, ("paper", "f1", "f2", "f3", "f4", "f5"))
    drawn = sampled(PRESETS["paper"], 5, 3)
    assert [p.name for p in drawn] == list(factor.levels)
    assert len({(p.casing, p.colon, p.between, p.choice) for p in drawn}) == 6
    assert all(p.casing in GRAMMAR["casing"] and p.colon in GRAMMAR["colon"] and p.between in GRAMMAR["between"] for p in drawn[1:])
    assert sampled(PRESETS["paper"], 5, 4)[1:] != drawn[1:]
    assert {name: dict(p) for name, p in run.plan.placements.items()} == {p.name: p.plain() for p in drawn}
    means = run.trials().groupby("setting")["score"].mean()
    assert means.max() - means.min() > 0.1
    report = build(run)
    [spread] = report.beside.levels
    assert (spread.factor, spread.n_levels, spread.n_items) == ("format", 6, 80)
    assert (spread.low, spread.high) == pytest.approx((means.min(), means.max()))
    assert spread.sd_low < 0.15 < spread.sd_high
    assert spread.p_value < 0.001
    assert [table.title for table in contrast_tables(report)] == ["Spread over sampled levels"]
    assert any(spread.sentence in line for line in headline(report))
    assert f"{100 * spread.low:.1f} ({spread.lowest})" in to_html(report), "a table of whole numbers is drawn too"


FIXED = {"model": "m", "arm": "none", "base_prompt": "p"}


@pytest.mark.long
def test_formats_of_a_model_that_does_not_care_spread_by_chance_alone() -> None:
    rng = np.random.default_rng(2)
    items, levels = 60, ("paper", "f1", "f2", "f3", "f4")
    settings = tuple(Setting(name) for name in levels)
    factor = PlannedFactor(name="format", levels=levels, reference="paper", random=True, of={s.id: s.placement for s in settings})
    plan = Plan(
        models=(PlannedModel(name="m"),), tasks=(PlannedTask(name="a"), PlannedTask(name="b")), settings=settings, factors=(factor,)
    )
    p_values, covered = [], 0
    for _ in range(200):
        rows = [
            {
                "model": "m",
                "task": task,
                "item": str(i),
                "arm": "none",
                "setting": s.id,
                "base_prompt": "",
                "score": float(rng.random() < p),
            }
            for task in ("a", "b")
            for i, p in enumerate(rng.beta(1, 1, items))
            for s in settings
        ]
        [found] = level_spreads(pd.DataFrame(rows), plan)
        p_values.append(found.p_value)
        covered += found.sd_low == 0
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09
    assert covered / 200 >= 0.94


def test_a_format_changes_labels_separators_and_options_alone() -> None:
    [_, placement] = sampled(PRESETS["end"], 1, 0)
    for text in ("Say {x}: no.", '{"a": {b}}', "Note: this\nstays: as {it} is", "a\r\nb\\n"):
        assert in_format(text, placement) == text
    text = "Classify this.\nTicket: {text}\nOne of: {labels}\nAnswer: "
    labels = ("Ticket", "One of", "Answer")
    for placement in sampled(PRESETS["end"], 40, 1)[1:]:
        made = in_format(text, placement)
        cased = {
            "as written": labels,
            "lower": [x.lower() for x in labels],
            "upper": [x.upper() for x in labels],
            "title": [x.title() for x in labels],
        }
        one, two, three = cased[placement.casing]
        between, colon = placement.between, placement.colon
        assert made == f"Classify this.{between}{one}{colon}{{text}}{between}{two}{colon}{{labels}}{between}{three}{colon}"


def test_whole_prompts_are_formatted_too(tmp_path: Path) -> None:
    value = {
        "name": "f", "question": "Q?", "tasks": ["sentiment"], "models": ["sim/null"], "items": 5, "vary": {"format": {"sample": 3}},
        "prompts": {"a": "Judge it.\nReview: {input}\nVerdict: ", "b": "{input}"},
    }  # fmt: skip
    (tmp_path / "f.yaml").write_text(written(value), encoding="utf-8")
    study = resolve(tmp_path / "f.yaml")
    [task] = study.design.tasks
    said = {render(task, task.items[0], arm)[0]["content"] for arm in study.design.arms if arm.setting.prompt == "a"}
    assert len(said) == 4
    assert all(task.items[0].input in text for text in said)
    assert make_plan(study).factors[0].levels == ("end", "f1", "f2", "f3")


def test_a_combination_that_is_listed_twice_is_sent_once(tmp_path: Path) -> None:
    study = of(tmp_path, vary=[{"shots": 0}, {"shots": 0}, {"shots": 2}])
    assert [(arm.name, arm.setting.shots) for arm in study.design.arms] == [("none", 0), (AA_ARM, 0), ("none", 2)]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"prompts": {"a": "X {input}", "ab": "X {input}!"}}, None),
        ({"prompts": {"a": "X {input}", "b": [{"role": "user", "content": "X {input}"}]}}, "(a, end/0/single) and (b, end/0/single) send"),
        ({"vary": [{"shots": 0}, {"shots": 0, "temperature": 0.5}], "sampling": {"temperature": 0.5}}, "temperature=0.5) send the same"),
        ({"vary": {"temperature": [0, 0.5]}, "sampling": {"temperature": 0.5}}, None),
    ],
)
def test_arms_that_send_the_same_are_noted(keys: dict[str, Any], said: str | None, tmp_path: Path) -> None:
    notes = [note for note in of(tmp_path, **keys).notes if "send the same requests" in note]
    assert len(notes) == (said is not None)
    assert all(str(said) in note for note in notes)


@pytest.mark.parametrize(("treated", "control"), [(0, 1), (1, 0)])
def test_the_first_level_is_the_reference_in_whatever_order(treated: int, control: int, tmp_path: Path) -> None:
    study = of(tmp_path, vary={"temperature": [control, treated]})
    assert [h.contrast.name for h in make_plan(study).hypotheses if h.contrast] == [f"temperature {treated} - {control}"]


def of(folder: Path, **keys: Any) -> Study:
    """A study of one small task on a simulated model."""
    value = {"name": "f", "question": "Q?", "tasks": ["sum"], "models": ["sim/null"], "items": 20, **keys}
    (folder / "f.yaml").write_text(written(value), encoding="utf-8")
    return resolve(folder / "f.yaml")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"stimuli": []}, "there is nothing to compare: write two 'prompts'"),
        ({"vary": {"temperature": [0.5]}}, "there is nothing to compare"),
        ({"vary": [{"shots": 0, "temperature": 0}, {"shots": 0, "temperature": 0.0}]}, "there is nothing to compare"),
        ({"vary": {"shots": [0, 2]}, "interactions": [["shots", "format"]]}, "'format' is no factor here"),
        ({"simulators": {"null": {"accuracy": 0.5}}, "vary": {"shots": [0, 2]}}, "a simulated model of promptlab is called 'null'"),
        (
            {"simulators": {"x": {"effects": [{"points": 1, "when": {"prompts": "a"}}]}}, "vary": {"shots": [0, 2]}},
            "'prompts' is no factor",
        ),
        ({"vary": {"format": {"sample": 2}}, "placements": ["paper", "letters"]}, "formats are drawn around one placement"),
    ],
)
def test_what_is_wrong_is_said(keys: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match=said):
        of(tmp_path, **keys)
