"""The page Cost and reliability: every number against the trials frame, and unknown, simulated and missing said as such."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps import opened, table_with, tables, texts  # noqa: F401 (fixtures)
from made_up import hostile, write_run  # noqa: F401 (fixtures)
from promptlab.explorer import cost, load, take
from promptlab.explorer.filters import Filters
from promptlab.explorer.plain import CELL
from promptlab.nouns.inert import HIDDEN
from promptlab.record.store import Run
from promptlab.reporting import arm_names, charts, reliability
from promptlab.reporting.prepared import Store
from promptlab.reporting.table import Table
from promptlab.stats.intervals import wilson

PLANTED, EP02 = "sim/planted", "emotionprompt/EP02"


def edit(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Rewrite the recorded trials."""
    for path in sorted((folder / "trials").glob("part-*.parquet")):
        table = pq.read_table(path)
        changed = change(table.to_pandas())
        pq.write_table(pa.Table.from_pandas(changed, schema=table.schema, preserve_index=False), path, write_page_checksum=True)


def varied(frame: pd.DataFrame) -> pd.DataFrame:
    """Every kind of end, of price and of request somewhere in the run."""
    n = len(frame)
    dice = np.random.default_rng(4)
    fine = (frame["outcome"] != "error").to_numpy()
    ends = np.where(dice.random(n) < 0.2, dice.choice(["truncated", "refused", "empty", "parse_failed"], n), "ok")
    lost = fine & (frame["arm"] == EP02).to_numpy() & (dice.random(n) < 0.4)
    frame["outcome"] = np.where(lost | ~fine, "error", ends)
    error = frame["outcome"] == "error"
    frame["input_tokens"] = pd.array(dice.integers(20, 80, n), dtype="Int64")
    frame["output_tokens"] = pd.array(dice.integers(1, 30, n), dtype="Int64")
    frame["latency_s"] = dice.exponential(1.0, n)
    frame["cost_usd"] = frame["input_tokens"].astype(float) * 1e-6
    frame["cached"] = dice.random(n) < 0.2
    frame["paid_usd"] = np.where(frame["cached"], 0.0, frame["cost_usd"])
    frame["attempts"] = np.where(dice.random(n) < 0.1, 3, 1)
    for flag, chance in (("compliant", 0.9), ("echoed", 0.05), ("declined", 0.1)):
        frame[flag] = pd.array(dice.random(n) < chance, dtype="boolean")
        frame.loc[error, flag] = pd.NA
    frame.loc[error, ["score", "cost_usd", "paid_usd"]] = np.nan
    frame.loc[error, ["input_tokens", "output_tokens"]] = pd.NA
    frame.loc[(frame["model"] == "sim/null") & (frame["arm"] == "none") & (frame["item"] == frame["item"].iloc[0]), "cost_usd"] = np.nan
    return frame


PLAIN = "no added text"


def store_of(folder: Path) -> Store:
    return Store.of(folder)


def titled(shown: list[Table], title: str) -> Table:
    return next(table for table in shown if table.title == title)


def row_of(frame: pd.DataFrame, **values: str) -> dict[str, Any]:
    for name, value in values.items():
        frame = frame[frame[name] == value]
    [row] = frame.to_dict("records")
    return {str(name): value for name, value in row.items()}


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("rich")
    folder, _ = write_run(runs, whole=True, replicates=2)
    edit(folder, varied)
    return runs


@pytest.fixture(scope="module")
def trials(rich: Path) -> pd.DataFrame:
    return Run(rich / "demo").trials()


@pytest.fixture(scope="module")
def shown(rich: Path) -> list[Table]:
    return cost.tables(store_of(rich / "demo"), Filters({"model": PLANTED, "arm": EP02}))


def of(trials: pd.DataFrame, arm: str | None = None, model: str = PLANTED) -> pd.DataFrame:
    return trials[(trials["model"] == model) & ((trials["arm"] == arm) | (arm is None))]


# --- the numbers ----------------------------------------------------------------------------------------------------


def test_spend_is_the_sum_of_the_trials(shown: list[Table], trials: pd.DataFrame) -> None:
    frame = titled(shown, "What it cost").frame
    own = of(trials)
    row = row_of(frame, model=PLANTED)
    n_right = int((own["score"] >= 0.5).sum())
    assert row["trials"] == f"{len(own):,}"
    assert row["input tokens"] == f"{own['input_tokens'].sum():,.0f}"
    assert row["output tokens"] == f"{own['output_tokens'].sum():,.0f}"
    assert row["right answers"] == f"{n_right:,}"
    assert row["price of the answers"] == f"${own['cost_usd'].sum():.4f} simulated"
    assert row["price of 1,000 right answers"] == f"{reliability.small(1000 * own['cost_usd'].sum() / n_right)} simulated"
    assert row["paid by this run"] == "nothing (simulated)"


def test_one_unknown_price_makes_the_price_of_a_right_answer_unknown(rich: Path, shown: list[Table], trials: pd.DataFrame) -> None:
    own = of(trials, model="sim/null")
    n_unknown = int((own["cost_usd"].isna() & (own["outcome"] != "error")).sum())
    assert n_unknown > 0
    row = row_of(titled(shown, "What it cost").frame, model="sim/null")
    assert row["price unknown"] == str(n_unknown)
    assert row["price of 1,000 right answers"] == "unknown"
    assert row["price of the answers"] == f"at least ${own['cost_usd'].sum():.4f} simulated"
    store = store_of(rich / "demo")
    [sentence] = reliability.unpriced(store, reliability.sums_of(store))
    assert sentence.startswith(f"sim/null: the price of {n_unknown} answers is unknown")
    other = cost.tables(store, Filters({"model": "sim/null"}))
    assert row_of(titled(other, "What a right answer costs").frame, arm=PLAIN)["price of 1,000 right answers"] == "unknown"
    assert row_of(titled(other, "What a right answer costs").frame, arm=EP02)["price of 1,000 right answers"].startswith("$")


def test_amounts_that_are_unknown_are_never_0() -> None:
    assert reliability.usd(0.0, 3, 3) == "unknown"
    assert reliability.usd(0.5, 1, 3) == "at least $0.5000"
    assert reliability.usd(0.5, 0, 3) == "$0.5000"
    nothing = {"n_unpriced": 0, "n_fine": 0, "n_right": 0, "cost_usd": 0.0}
    assert reliability.each(nothing, False) == "unknown"
    assert reliability.each(nothing | {"n_fine": 2}, False) == "no right answer"
    assert reliability.share(0, 0) == "unknown"


def test_a_model_that_is_paid_for_is_said_to_be(tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    for name in ("plan.json", "manifest.json"):
        found = json.loads((folder / name).read_text())
        if name == "plan.json":
            found["models"][0]["simulated"] = False
        else:
            found.update(simulated=False, simulated_models=[])
        (folder / name).write_text(json.dumps(found))
    store = store_of(folder)
    every = Run(folder).trials()
    row = row_of(titled(cost.tables(store, Filters({})), "What it cost").frame, model=PLANTED)
    assert row["paid by this run"] == f"${every['paid_usd'].sum():.4f}"
    assert "simulated" not in " ".join(str(value) for name, value in row.items() if name != "model")


@pytest.mark.parametrize("arm", ["none", EP02])
def test_tokens_and_times_of_an_arm(arm: str, shown: list[Table], trials: pd.DataFrame) -> None:
    own = of(trials, arm)
    fine = own[own["outcome"] != "error"]
    row = row_of(titled(shown, "Tokens and time").frame, arm=PLAIN if arm == "none" else arm)
    assert row["answers"] == str(len(fine))
    for name, column, digits in (("input tokens", "input_tokens", 1), ("output tokens", "output_tokens", 1), ("seconds", "latency_s", 3)):
        values = fine[column].astype(float)
        assert row[f"{name}: mean"] == f"{values.mean():.{digits}f}"
        for word, q in (("median", 0.5), ("p95", 0.95)):
            exact = float(np.quantile(values, q, method="inverted_cdf"))
            assert row[f"{name}: {word}"] == f"{exact:.{digits if column == 'latency_s' else 0}f}"


def test_missing_answers_by_arm_and_end(shown: list[Table], trials: pd.DataFrame) -> None:
    frame = titled(shown, "Missing answers").frame
    own = of(trials, EP02)
    row = row_of(frame, arm=EP02)
    for end, column in (("error", "the call failed"), ("empty", "empty answer"), ("parse_failed", "no answer found in the text")):
        k = int((own["outcome"] == end).sum())
        low, high = wilson(k, len(own), 0.95)
        assert row[column] == f"{k} ({100 * k / len(own):.1f} %, {100 * low:.1f} to {100 * high:.1f})"
    assert own["outcome"].isin(["truncated", "refused", "empty", "parse_failed"]).any()
    assert row["no score"].split(" ")[0] == str(own["score"].isna().sum())
    assert list(frame["arm"])[:2] == [PLAIN, f"{PLAIN}, again"], "in the plan's order"


def test_a_sentence_says_where_missing_answers_differ(rich: Path, trials: pd.DataFrame, tmp_path: Path) -> None:
    store = store_of(rich / "demo")
    setting = next(iter(store.settings.values()))
    arms = reliability.by_arm(store, reliability.sums_of(store), PLANTED, setting)
    [sentence] = reliability.uneven(arms, arm_names.baseline_named(store))
    lost = of(trials, EP02)["score"].isna().mean()
    assert sentence.startswith("Arms differ in how many trials have no score: no added text 0.0 %, emotionprompt/EP02 ")
    assert f"{100 * lost:.1f} % (" in sentence
    assert "could turn a verdict" in sentence
    folder, _ = write_run(tmp_path)
    even = store_of(folder)
    [sentence] = reliability.uneven(reliability.by_arm(even, reliability.sums_of(even), PLANTED, setting), arm_names.baseline_named(even))
    assert sentence.startswith("No arm differs from no added text by more than chance allows")
    assert reliability.uneven([], PLAIN) == []


def agreement(own: pd.DataFrame, column: str) -> tuple[int, int]:
    groups = [group[column].dropna() for _, group in own.groupby(["item", "base_prompt"])]
    several = [values for values in groups if len(values) > 1]
    return sum(values.nunique() == 1 for values in several), len(several)


@pytest.mark.parametrize("task", ["sum", "sentiment"])
def test_agreement_of_repeats_and_of_the_baseline_with_its_own(task: str, shown: list[Table], trials: pd.DataFrame) -> None:
    texts_only = trials.assign(answer=trials["answer"].where(trials["outcome"] != "error"))
    own = texts_only[(texts_only["model"] == PLANTED) & (texts_only["task"] == task)]
    again, twice = own[own["arm"] == EP02], own[own["arm"].isin(["none", "none_aa"]) & (own["replicate"] == 0)]
    for title, rows in (("Do repeats agree?", again), ("The baseline against its own repeat", twice)):
        row = row_of(titled(shown, title).frame, task=task)
        assert row["the same score"] == reliability.share(*agreement(rows, "score"))
        assert row["the same text"] == reliability.share(*agreement(rows, "answer"))
        assert row["answers each, at most"] == "2"
    whole = row_of(titled(shown, "Do repeats agree?").frame, task="all tasks")
    both = [agreement(texts_only[(texts_only["model"] == PLANTED) & (texts_only["arm"] == EP02) & (texts_only["task"] == t)], "score")
            for t in ("sum", "sentiment")]  # fmt: skip
    assert whole["the same score"] == reliability.share(sum(k for k, _ in both), sum(n for _, n in both))


def test_requests_and_form_of_the_answers(shown: list[Table], trials: pd.DataFrame) -> None:
    own = of(trials)
    row = row_of(titled(shown, "Requests").frame, model=PLANTED)
    assert row["from the cache"] == reliability.share(int(own["cached"].sum()), len(own))
    assert row["sent again"] == reliability.share(int((own["attempts"] > 1).sum()), len(own))
    assert row["failed for good"] == reliability.share(int((own["outcome"] == "error").sum()), len(own))
    assert (row["calls"], row["requests of one trial, at most"]) == (f"{own['n_calls'].sum():,.0f}", "3")
    arm = of(trials, "none")
    form = row_of(titled(shown, "Form of the answers").frame, arm=PLAIN)
    for column, flag in (("in the requested form", "compliant"), ("echoes", "echoed"), ("declined", "declined")):
        known = arm[flag].dropna().astype(bool)
        assert form[column] == reliability.share(int(known.sum()), len(known))


def test_charts_hold_the_same_numbers_and_say_simulated(rich: Path, trials: pd.DataFrame) -> None:
    store = store_of(rich / "demo")
    setting = next(iter(store.settings.values()))
    arms = reliability.by_arm(store, reliability.sums_of(store), PLANTED, setting)
    rows = reliability.missing_rows(arms)
    own = of(trials, EP02)
    point = next(row for row in rows if (row["row"], row["kind"]) == (EP02, reliability.LOST))
    assert point["value"] == pytest.approx(100 * own["score"].isna().mean())
    assert (point["low"], point["high"]) == pytest.approx([100 * end for end in wilson(int(own["score"].isna().sum()), len(own), 0.95)])
    drawn = charts.svg(charts.estimates(rows, [reliability.LOST, reliability.BAD], "%", "Missing", store.simulated))
    assert "SIMULATED: Missing" in drawn
    assert point["words"] in drawn
    times = reliability.time_rows(arms, reliability.spreads_of(store, PLANTED, setting))
    assert all(row["low"] <= row["value"] <= row["high"] for row in times)
    assert len(times) == len(arms)


# --- the screen -----------------------------------------------------------------------------------------------------


def test_the_page_of_a_whole_run(opened: Any, rich: Path, shown: list[Table]) -> None:
    app = opened("--runs", rich, page="cost", model=PLANTED, arm=EP02)
    found, n_charts = "", 0
    on_screen: list[pd.DataFrame] = []
    for part in cost.PARTS:
        app.segmented_control(key="switch_part").set_value(part).run()
        assert not app.exception
        assert part == "money" or app.query_params["part"] == part
        found += texts(app)
        on_screen += [table.reset_index(drop=True).astype(str) for table in tables(app)]
        n_charts += len(app.get("vega_lite_chart"))
    for words in ("in simulated prices, nothing paid", "the price of", "Arms differ in how many trials have no score"):
        assert words in found
    for table in shown:  # a model and setting that all rows share are named above
        whole = table.frame.astype(str)
        less = whole.drop(columns=[name for name in take.ALIKE if name in whole and whole[name].nunique() == 1])
        assert any(f.equals(whole) or f.equals(less) for f in on_screen), table.title
    assert n_charts == 4
    app.segmented_control(key="switch_part").set_value("repeats").run()
    app.selectbox(key="pick_arm").set_value("none").run()
    assert app.selectbox(key="pick_arm").value == "none"


def test_the_page_of_a_run_without_repeats_says_so(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path)
    app = opened("--runs", tmp_path, page="cost", part="repeats")
    assert not app.exception
    assert reliability.ONCE_NOTE in texts(app)
    assert "arm" not in app.query_params
    assert list(table_with(app, "the same text")["task"]) == ["all tasks", "sum", "sentiment"]


def test_the_page_of_a_run_without_any_trial(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, share=0.0, state="interrupted", replicates=2)
    for part in cost.PARTS:
        app = opened("--runs", tmp_path, page="cost", part=part)
        assert not app.exception
        assert not app.error
        assert "Nothing is recorded for this yet." in texts(app)
        assert not app.get("vega_lite_chart")
    assert all(table.frame.empty for table in cost.tables(store_of(folder), Filters({})))


def test_the_page_of_a_run_in_progress(opened: Any, tmp_path: Path) -> None:
    folder, writer = write_run(tmp_path, share=0.4, state="running", close=False)
    try:
        app = opened("--runs", tmp_path, page="cost")
        assert not app.exception
        assert not app.error
        done = load.open_store(folder).n_trials
        assert 0 < done < 200
        assert row_of(table_with(app, "paid by this run"), model=PLANTED)["trials"] == f"{done:,}"
    finally:
        writer.close()


def test_hostile_text_stays_text(opened: Any, hostile: Path) -> None:
    folder = next(hostile.iterdir())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["served"] = {"sim/planted": ["\x1b[31mred ![x](http://attacker.test/leak.png)", "v2"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    app = opened("--runs", hostile, page="cost", part="requests", model=PLANTED, arm="![x](http://attacker.test)")
    assert not app.exception
    assert "served by 2 versions (\\x1b[31mred" in texts(app)
    for element in [*app.markdown, *app.caption, *app.subheader]:
        assert "attacker.test" not in str(element.value)
    for table in tables(app):
        for column in table.columns:
            assert not [value for value in table[column] if HIDDEN.search(str(value)) or len(str(value)) > 2 * CELL]
