"""The plan page: power and prices are those of promptlab itself, the file is valid, and it works with and without a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps import elements, opened, texts
from made_up import HOSTILE, write_run
from promptlab.cli.plan import _telling
from promptlab.explorer import load
from promptlab.explorer import plan as page
from promptlab.explorer.filters import Filters
from promptlab.nouns.errors import FileProblems
from promptlab.nouns.inert import HIDDEN
from promptlab.nouns.words import AA_ARM, NONE_ARM
from promptlab.planning.draft import drafted, experiment_text, priced_models
from promptlab.planning.plan import make_plan
from promptlab.planning.price import estimate, minutes
from promptlab.planning.resolve import resolve
from promptlab.planning.size import Size
from promptlab.record.store import Run
from promptlab.reporting import charts, planned
from promptlab.reporting.table import Table
from promptlab.sources.spec.experiment import load_experiment
from promptlab.stats import power_mcnemar, power_paired_t, sample_size_miller, smallest_effect_macro, smallest_effect_mcnemar

assert opened  # a fixture, found here by its name


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("planned")
    write_run(runs, whole=True, replicates=2)
    return runs


def given(**values: object) -> Filters:
    return Filters({name: str(value) for name, value in values.items()})


def table(found: list[Table], title: str) -> pd.DataFrame:
    return next(shown.frame for shown in found if shown.title == title)


def facts(found: list[Table], title: str) -> dict[str, str]:
    return dict(table(found, title).to_numpy().tolist())


def file_of(found: list[Table]) -> str:
    return "\n".join(table(found, "The experiment file")["line"]) + "\n"


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_one_task_asked_once_has_mcnemars_power() -> None:
    short = facts(page.tables(None, given(over="cell", per_task=400, effect=4, flips=12, comparisons=5, per_stimulus=1)), "In short")
    assert short["runs that find 4 points"] == f"{100 * power_mcnemar(400, 0.08, 0.04, 0.01).midp:.1f} %"
    smallest = smallest_effect_mcnemar(400, 0.12, 0.01)
    assert smallest is not None
    assert float(short["smallest effect seen"].removesuffix(" points")) == pytest.approx(100 * smallest, rel=0.05)  # it flips more
    assert short["strictest significance level"] == "0.01, of 5 comparisons"


def test_several_tasks_have_the_power_of_their_mean() -> None:
    found = page.tables(None, given(per_task=50, n_tasks=6, effect=5, flips=10, again=10, comparisons=2, per_stimulus=1))
    short = facts(found, "In short")
    share = float(short["runs that find 5 points"].removesuffix(" %")) / 100
    flips = 0.1 + 0.05 * (1 - 0.1 / 0.3)  # what flips when sent again stays, and the effect comes in addition
    assert share == pytest.approx(power_paired_t(300, 0.05, (flips - 0.0025) ** 0.5, 0.025).power, abs=0.005)
    smallest = smallest_effect_macro([50] * 6, 0.1, 0.0, 0.025)
    assert 100 * smallest < float(short["smallest effect seen"].removesuffix(" points")) < 125 * smallest  # it flips more
    assert Size((50,) * 6, 0.1, 0.025).power(smallest) == pytest.approx(0.8, abs=1e-6)  # each is the inverse of the other
    shares = [facts(page.tables(None, given(n_tasks=6, effect=3, per_stimulus=n)), "In short") for n in (1, 5)]
    assert shares[0]["runs that find 3 points"] < shares[1]["runs that find 3 points"]


def test_the_noise_of_a_repeat_stays_beside_the_effect() -> None:
    chosen = page._choices(None, given(n_tasks=1, per_task=30, effect=3, flips=3.3, again=3.3, accuracy=43.3), planned.Measured())
    assert chosen.size.flips(0.03) == pytest.approx(0.033 + 0.03 * (1 - 0.033 / 0.567))
    assert "--discordance 0.033" in chosen.commands(), "calibrate is asked about the same noise"
    assert any("6.1 % in all" in remark for remark in chosen.remarks())
    other = page._choices(None, given(effect=3, flips=10, again=4, accuracy=70), planned.Measured())
    alike = float(other.commands().split("--discordance ")[1].split()[0])
    assert alike + 0.03 * (1 - alike / 0.3) == pytest.approx(other.size.flips(0.03), abs=1e-4), "and about as many flips in all"
    low = page._choices(None, given(flips=2, effect=3), planned.Measured(flips=2.0, again=3.3, accuracy=43.3))
    assert low.size.chance == pytest.approx(0.033), "a repeat that flips more than a sentence is noise all the same"


@pytest.mark.parametrize("n", [10, 30, 100, 280])
@pytest.mark.parametrize(("controls", "repeats"), [(1, 1), (3, 1), (2, 3)])
def test_with_one_task_the_mean_is_the_cell(n: int, controls: int, repeats: int) -> None:
    mean = Size((n,), 0.033, 0.05, chance=0.033, controls=controls, repeats=repeats, accuracy=0.433)
    cell = replace(mean, over="cell")
    for effect in (0.0, 0.03, -0.1):
        assert mean.power(effect) == cell.power(effect)
    assert mean.smallest_effect() == cell.smallest_effect()
    assert mean.items_needed(0.05) == cell.items_needed(0.05)
    law = mean.changes(0.03)
    assert law.mean == pytest.approx(0.03)
    assert law.square - law.mean**2 == pytest.approx(mean.variance(0.03)), "two ways to one variance"


def test_repeats_divide_only_what_is_chance() -> None:
    assert Size((9,), 0.10, 0.05, repeats=5, chance=0.10).variance(0) == pytest.approx(0.02)
    assert Size((9,), 0.10, 0.05, repeats=5).variance(0) == pytest.approx(0.10)
    assert Size((9,), 0.10, 0.05, repeats=2, chance=0.30).variance(0) == pytest.approx(0.05)  # no more than all of it
    ways = table(page.tables(None, given(effect=3, flips=10, again=4, n_tasks=4, comparisons=1, per_stimulus=1)), "Items and repeats")
    asked = dict(zip(ways["repeats"], ways["items a task"], strict=True))
    for repeats in (1, 2, 5):
        miller = sample_size_miller(0.06 - 0.0009, 0.02, 0.02, repeats, repeats, 0.03).n / 4
        assert int(asked[repeats].replace(",", "")) == pytest.approx(miller, rel=0.15)  # which knows no effect that moves hard items more
    nothing = table(page.tables(None, given(effect=3, flips=10, again=0, per_stimulus=1)), "Items and repeats")
    assert nothing["items a task"].nunique() == 1


def test_the_items_it_takes_are_the_fewest_that_do() -> None:
    found = page.tables(None, given(over="cell", effect=6, flips=10, comparisons=1, per_stimulus=1))
    n = int(facts(found, "In short")["items a task needed"].replace(",", ""))
    assert power_mcnemar(n, 0.08, 0.02, 0.05).midp >= 0.8 > power_mcnemar(n - 3, 0.08, 0.02, 0.05).midp
    never = facts(page.tables(None, given(over="cell", effect=0.1, flips=50)), "In short")
    assert never["items a task needed"] == "more than 100,000"


def test_the_curve_is_the_power_at_every_number_of_items() -> None:
    curve = table(
        page.tables(None, given(over="cell", per_task=120, effect=4, flips=10, comparisons=1, per_stimulus=1)), "Power against items"
    )
    assert sorted(set(curve["effect"])) == [1, 2, 3, 4, 5, 10]
    row = curve[(curve["effect"] == 4) & (curve["items"] == 120)].iloc[0]
    assert row["power"] == pytest.approx(100 * power_mcnemar(120, 0.07, 0.03, 0.05).midp)
    for _, line in curve.groupby("effect"):
        assert line["power"].iloc[-1] > line["power"].iloc[0]
    drawn = charts.power([{"effect": 4.0, "items": n, "power": n / 200, "asked": True} for n in (10, 120)], 120, "Power", True)
    assert "SIMULATED: Power" in charts.svg(drawn)
    assert charts.png(drawn).startswith(b"\x89PNG")


@pytest.mark.parametrize("extreme", [
    {"per_task": 100_000, "n_tasks": 45, "effect": 50, "flips": 100}, {"per_task": 2, "n_tasks": 1, "flips": 0.1, "effect": 0.1},
    {"over": "cell", "flips": 100, "effect": 50, "again": 100, "repeats": 100}, {"per_stimulus": 0, "accuracy": 100},
    {"over": "cell", "per_task": 2, "effect": 50, "flips": 0.1, "comparisons": 10_000},
])  # fmt: skip
def test_extremes_give_numbers(extreme: dict[str, object]) -> None:
    found = page.tables(None, given(**extreme))
    power = table(found, "Power against items")["power"]
    assert power.between(0, 100.0001).all()
    assert "nan" not in table(found, "In short").to_string().lower()


# --- the file ---------------------------------------------------------------------------------------------------------

DESIGNS = [
    {},
    {"n_tasks": 3, "n_stimuli": 2, "per_task": 12, "repeats": 2, "asked": "openai/gpt-4o-mini"},
    {"n_tasks": 2, "n_stimuli": 1, "per_stimulus": 0, "per_task": 500, "asked": "sim/null"},
]


@pytest.mark.parametrize("choices", DESIGNS)
def test_the_file_is_valid_and_priced_as_promptlab_plan_prices_it(choices: dict[str, object], tmp_path: Path) -> None:
    found = page.tables(None, given(**choices))
    path = tmp_path / "planned.yaml"
    path.write_text(file_of(found), encoding="utf-8")
    experiment, _ = load_experiment(path)
    assert experiment.items == choices.get("per_task", 100)
    assert experiment.replicates == choices.get("repeats", 1)
    study = resolve(path)
    own = drafted(file_of(found)).study
    assert own is not None
    assert (own.design, own.hashes, own.available, own.notes) == (study.design, study.hashes, study.available, study.notes)
    model = study.design.models[0].name
    made, plan = estimate(study, model), make_plan(study)
    assert drafted(file_of(found)).estimates == (made,)
    cost = facts(found, "What the file asks")
    assert cost["calls"].startswith(f"{made.calls:,}")
    assert cost["input tokens"] == f"{made.input_tokens[0]:,} to {made.input_tokens[1]:,}"
    assert cost["price"].startswith(f"${made.usd[0]:,.2f} to ${made.usd[1]:,.2f}")
    assert ("nothing paid" in cost["price"]) == study.design.models[0].simulated
    assert found[-2].title == planned.power_table(plan.power).title
    seen = found[-2].frame
    assert list(seen["mean over these tasks"]) == [f"{100 * row.mean:.1f}" for row in plan.power]
    if not experiment.items > min(study.available.values()):
        low, high = minutes(plan.estimates, 16)
        short = facts(found, "In short")
        assert short["minutes"] == f"{low:,.1f} to {high:,.1f}"
        assert short["calls"] == f"{made.calls:,}"
        assert short["price"] == f"${made.usd[0]:,.2f} to ${made.usd[1]:,.2f}"


def test_more_items_cost_what_outlook_says() -> None:
    found = page.tables(None, given(n_tasks=3, per_task=30, flips=10))
    study = drafted(file_of(found)).study
    assert study is not None
    from promptlab.planning.plan import outlook

    more = table(found, "What more items buy, if 10 % of answers change; points")
    for shown, row in zip(more.to_dict("records"), outlook(study, 0.1), strict=True):
        assert shown["calls"] == row.calls
        assert shown["USD"] == f"{row.usd[0]:.2f} to {row.usd[1]:.2f}"
        assert shown["seen: the mean"] == f"{100 * row.mean:.1f}"


@pytest.mark.parametrize("over", ["mean", "cell"])
@pytest.mark.parametrize("n_tasks", [1, 3])
def test_the_page_and_the_plan_give_one_number_for_one_design(over: str, n_tasks: int) -> None:
    """Of a design that a plan sees just so, the page says that as many items are needed."""
    found = page.tables(None, given(n_tasks=n_tasks, n_stimuli=2, per_task=100, per_stimulus=1, accuracy=70))
    study = drafted(file_of(found)).study
    assert study is not None
    row = make_plan(study).power[0]
    effect = row.mean if over == "mean" else row.cell_alone
    size = Size((100,) * n_tasks, 0.1, 0.025 if over == "mean" else 0.05, over, chance=0.1, controls=row.n_controls)
    assert row.control == "placebo"
    assert size.smallest_effect() == pytest.approx(effect, rel=0.04)  # some items come in clusters, which the page does not know
    assert size.power(effect) == pytest.approx(0.8, abs=0.03)
    many = 2 if over == "mean" else 1
    asked = given(
        over=over, n_tasks=n_tasks, n_stimuli=2, per_task=100, per_stimulus=row.n_controls, accuracy=70, effect=100 * effect,
        flips=100 * size.flips(effect), again=10, comparisons=many,
    )  # fmt: skip
    shown = facts(page.tables(None, asked), "In short")["smallest effect seen"]
    assert float(shown.removesuffix(" points")) == pytest.approx(100 * effect, rel=0.04)


ELSE = [("prompts", 2, "prompt"), ("models", 1, "model"), ("shots", 2, "level"), ("temperature", 3, "level")]


@pytest.mark.parametrize(("compared", "n", "scope"), ELSE)
def test_whole_prompts_models_and_settings_are_planned_too(compared: str, n: int, scope: str) -> None:
    found = page.tables(None, given(compared=compared, n_stimuli=n, n_tasks=2, per_task=30))
    study = drafted(file_of(found)).study
    assert study is not None
    plan = make_plan(study)
    over = [h for h in plan.hypotheses if h.scope == scope and h.task is None]
    assert len(over) == len(plan.hypotheses) / 3 == n, "each is compared with the first, over the tasks and in each of both"
    assert len({h.control for h in over}) == 1
    short = facts(found, "In short")
    assert short["strictest significance level"].endswith(f"of {n} comparison{'s' * (n > 1)}")
    assert short["calls"] == f"{sum(one.calls for one in plan.estimates):,}"
    assert short["price"] == planned.price_words([sum(one.usd[i] or 0.0 for one in plan.estimates) for i in (0, 1)])
    note = next(shown.note for shown in found if shown.title == "In short")
    assert "against the first" in note or "against no examples" in note
    assert "neutral" not in note + "".join(file_of(found))
    assert len(table(found, "What the file asks").columns) == 1 + len(plan.models)


@pytest.mark.parametrize(("compared", "n", "scope"), ELSE)
def test_what_is_no_sentence_has_the_power_that_the_plan_shows(compared: str, n: int, scope: str) -> None:
    study = drafted(file_of(page.tables(None, given(compared=compared, n_stimuli=n, n_tasks=2, per_task=100)))).study
    assert study is not None
    row = make_plan(study).power[0]
    assert row.n_controls == 1, scope
    flips = 100 * Size((100, 100), 0.1, 0.05 / n, chance=0.1).flips(row.mean)
    asked = given(compared=compared, n_stimuli=n, n_tasks=2, per_task=100, effect=100 * row.mean, flips=flips, again=10, accuracy=70)
    shown = facts(page.tables(None, asked), "In short")["smallest effect seen"]
    assert float(shown.removesuffix(" points")) == pytest.approx(100 * row.mean, rel=0.05)


def test_the_page_says_in_one_sentence_what_the_file_alone_can(opened: Any, tmp_path: Path) -> None:
    app = opened("--runs", tmp_path, page="plan")
    for kind in page.COMPARED:
        app.segmented_control(key="switch_compared").set_value(kind).run()
        assert not app.exception
        assert texts(app).count("type promptlab plan planned.yaml") == (kind != "sentences"), kind
    app.segmented_control(key="switch_compared").set_value("models").run()
    app.selectbox(key="pick_asked").set_value("openai/gpt-4o-mini").run()
    app.segmented_control(key="switch_view").set_value("file").run()
    assert not app.exception
    assert "models: true" in "\n".join(element.value for element in app.code)
    assert "sim/" not in "\n".join(element.value for element in app.code), "a real model is compared with a real one"


def test_every_listed_model_has_a_price_and_can_be_named(tmp_path: Path) -> None:
    names = priced_models()
    assert names[0] == "sim/planted"
    assert {"openai/gpt-4o-mini", "sim/null"} <= set(names)
    assert all("/" in name for name in names)
    path = tmp_path / "x.yaml"
    for name in (names[1], names[len(names) // 2], names[-1]):
        path.write_text(experiment_text(page._choices(None, Filters({"asked": name}), planned.Measured()), "twin",
                                                 ["sum"], ["emotionprompt/EP02"], {"temperature": 0.5}, 1))  # fmt: skip
        assert load_experiment(path)[0].models[0].model == name


def test_a_choice_that_makes_no_experiment_says_why(tmp_path: Path) -> None:
    draft = drafted("name: planned\nquestion: x\ntasks: []\n")
    assert draft.study is None
    assert any("tasks" in problem for problem in draft.problems)
    assert "/tmp" not in " ".join(draft.problems)
    (tmp_path / "x.yaml").write_text(draft.text)
    with pytest.raises(FileProblems):
        load_experiment(tmp_path / "x.yaml")


# --- a run behind it ----------------------------------------------------------------------------------------------------


def test_a_run_gives_its_own_flips_and_accuracy(demo: Path) -> None:
    store = load.open_store(demo / "demo")
    found = planned.measured(store, "sim/planted")
    trials = Run(demo / "demo").trials()
    own = trials[trials["model"] == "sim/planted"]
    assert found.accuracy == pytest.approx(100 * own.loc[own["arm"] == NONE_ARM, "score"].mean())
    wide = own.pivot_table(index=["task", "item", "replicate"], columns="arm", values="score")
    assert found.again == pytest.approx(100 * (wide[AA_ARM] - wide[NONE_ARM]).pow(2).mean())
    flips = pd.concat([(wide[arm] - wide[NONE_ARM]).pow(2).dropna() for arm in ("emotionprompt/EP02", "negativeprompt/NP10")])
    assert found.flips == pytest.approx(100 * flips.mean())
    assert found.n_pairs == len(flips)
    shown = page.tables(store, Filters({}))
    text = file_of(shown)
    assert '- "sum"\n  - "sentiment"\nmodels:' in text  # the run's tasks, in its order
    assert '"emotionprompt/EP02"\n  - "negativeprompt/NP10"\ncontrols:' in text
    assert "items: 24\nreplicates: 2" in text
    assert f"if {round(flips.mean() * 100, 1):g} % of items flip" in next(s.note for s in shown if s.title == "Items and repeats")


def test_without_a_trial_it_starts_from_usual_values(tmp_path: Path, opened: Any) -> None:
    folder, _ = write_run(tmp_path, share=0.0, state="interrupted")
    assert planned.measured(load.open_store(folder), "sim/planted") == planned.Measured()
    app = opened("--runs", tmp_path, page="plan")
    assert not app.exception
    assert "no scores yet" in texts(app)
    assert app.number_input(key="number_flips").value == 10


def test_a_run_in_progress(tmp_path: Path, opened: Any) -> None:
    _, writer = write_run(tmp_path, share=0.5, state="running", close=False)
    try:
        app = opened("--runs", tmp_path, page="plan")
        assert not app.exception
        assert "As measured in this run with sim/planted (SIMULATED)" in texts(app)
    finally:
        writer.close()


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_without_a_run(opened: Any, tmp_path: Path) -> None:
    app = opened("--runs", tmp_path, page="plan")
    app.segmented_control(key="switch_view").set_value("file").run()
    assert not app.exception
    shown = texts(app)
    assert "No run is open" in shown
    assert "promptlab sweep planned.yaml" in shown
    assert 'suite: "twin"' in shown
    assert not list(tmp_path.iterdir())  # nothing is written


def test_every_choice_is_in_the_address_and_gives_the_view_again(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="plan", model="sim/planted")
    app.number_input(key="number_per_task").set_value(150).run()
    app.number_input(key="number_effect").set_value(4.5).run()
    assert (app.query_params["per_task"], app.query_params["effect"]) == ("150", "4.5")
    app.number_input(key="number_n_stimuli").set_value(5).run()
    assert app.number_input(key="number_comparisons").value == 5  # the family follows
    app.selectbox(key="pick_asked").set_value("openai/gpt-4o-mini").run()
    assert not app.exception
    app.segmented_control(key="switch_view").set_value("file").run()
    assert "nothing paid" not in texts(app).split("What the file asks")[0].split("As measured")[1]
    query = {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}
    assert texts(opened("--runs", demo, page="plan", **query)) == texts(app)
    printed = page.tables(load.open_store(demo / "demo"), Filters({k: v for k, v in query.items() if k not in ("run", "page")}))
    assert file_of(printed).strip() in texts(app)


@pytest.mark.parametrize("value", ["-5", "nan", "inf", "1e400", "x", "3.5", "9" * 250])
def test_numbers_that_cannot_be_are_ignored_with_a_note(value: str, opened: Any, tmp_path: Path) -> None:
    app = opened("--runs", tmp_path, page="plan", per_task=value)
    assert not app.exception
    assert app.number_input(key="number_per_task").value == 100
    assert f"per_task={value[:60]}" in texts(app)


def test_what_cannot_be_is_said(opened: Any, tmp_path: Path) -> None:
    app = opened("--runs", tmp_path, page="plan", view="file", effect="20", flips="5", accuracy="90", per_stimulus="0")
    shown = texts(app)
    assert "an effect of 20 points flips items besides those that flip when sent again" in shown
    assert "no sentence can add 20 points" in shown
    assert "without neutral sentences" in shown
    assert "promptlab calibrate" not in shown  # its own limits do not allow these


def test_hostile_names_stay_text(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    plan = json.loads((folder / "plan.json").read_text())
    plan["sampling"] = {"temperature": 0.5, HOSTILE["markdown"]: 1}
    plan["tasks"][0]["task"] = HOSTILE["script"] + HOSTILE["bidi"]
    (folder / "plan.json").write_text(json.dumps(plan))
    for view in page.VIEWS:
        app = opened("--runs", tmp_path, page="plan", view=view)
        assert not app.exception
        for element in elements(app._tree):
            if element.type not in {"text", "code", "arrow_data_frame", "selectbox"}:
                assert "attacker.test" not in str(getattr(element, "proto", ""))
        assert "attacker.test" not in "\n".join(element.value for element in app.code)
        assert not any(HIDDEN.search(element.value) for element in [*app.text, *app.code])


def test_a_column_that_repeats_another_is_left_out_of_the_plan_on_a_screen() -> None:
    lines = [["none (2)", "10 %", "11.7", "11.7", "needs 3 tasks"], ["none (2)", "20 %", "13.2", "13.2", "needs 3 tasks"]]
    assert _telling(lines) == [0, 1, 2]
    assert _telling([["80", "1,040", "8.4", "-"], ["90", "1,040", "9.4", "7.0"]]) == [0, 1, 2, 3]
