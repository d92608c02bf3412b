"""Every page of the explorer on a whole run: numbers, choices, downloads and the address."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import io
import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pytest

from apps import PAGES, opened, table_with, tables, texts  # noqa: F401 (fixtures)
from conftest import ROOT
from made_up import demo, write_run  # noqa: F401 (fixtures)
from promptlab.explorer import load, singles, tasks
from promptlab.record.store import Run
from promptlab.reporting import flips, words
from promptlab.reporting.palette import streamlit_options


@pytest.mark.long(but=3)
@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_simulated_and_how_far_the_run_is(page: str, opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page=page)
    assert not app.exception
    assert "SIMULATED: made-up answers" in texts(app)
    assert "answers" in texts(app)
    assert "the price of 2 calls is unknown" in texts(app)
    assert "page" not in app.query_params, "the page is in the path"


def test_results_name_the_largest_gain_and_show_every_arm(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, model="sim/planted")
    table = table_with(app, "effect")
    assert list(table["verdict"]) == ["▲ helps", "· incumbent", "▼ hurts"]
    assert table["arm"].iloc[0] == "emotionprompt/EP02"
    assert table["points"].dtype.kind == "f", "numbers sort as numbers"
    assert table["effect"].str.startswith("data:image/svg+xml;base64,").all()
    shown = texts(app)
    assert "▲ emotionprompt/EP02" in shown
    assert "has the largest gain" in shown
    assert "1 helps, 1 hurts" in shown
    assert "Does it help?" in shown
    [phone] = [found.proto.body for found in app.get("html") if 'class="phone"' in found.proto.body]
    assert [found.split()[1] for found in re.findall("<li>(.*?)</li>", phone)] == ["helps", "hurts"], "one line for each interval"
    assert all(f"{row.arm} {points:+.1f}".replace("-", "−") in phone and row["95 %"] in phone for points, (_, row) in
               zip(table["points"].dropna(), table.dropna(subset="points").iterrows(), strict=True))  # fmt: skip
    app.segmented_control(key="switch_control").set_value("placebo").run()
    assert app.query_params["control"] == "placebo"
    assert "Against neutral sentences" in texts(app)
    assert "baseline" not in " ".join(table_with(app, "effect")["verdict"])


def test_results_show_what_stands_beside_the_verdicts(opened: Any) -> None:
    app = opened("--runs", ROOT / "notebooks", run="demo_run", more="beside")
    heads = {str(column) for table in tables(app) for column in table.columns}
    assert {"best in each task", "that, if nothing worked", "best in resamples", "any effect"} <= heads
    assert "Nothing here is a verdict." in texts(app)


def test_results_say_that_there_is_no_placebo(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path)
    app = opened("--runs", tmp_path)
    assert "no neutral sentences" in texts(app)
    assert "none were recorded" in texts(app)
    assert "2 cautions" in texts(app)


def test_tasks_are_sorted_and_a_cell_opens_its_answers(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="matrix", model="sim/planted")
    table = table_with(app, "emotionprompt/EP02")
    assert list(table.columns) == ["task", "emotionprompt/EP02", "negativeprompt/NP10"], "the best arm first"
    assert list(table["task"]) == ["sum", "sentiment"]
    store = load.open_store(demo / "demo")
    cells = store.comparisons("sim/planted", next(iter(store.settings.values())), "none", ["cell"])
    means = {task: sum(c.diff or 0 for c in cells if c.task == task) for task in store.tasks}
    assert tasks.ordered(cells, "mean", "all")[0] == sorted(means, key=lambda task: -means[task])
    assert tasks.ordered([c for c in cells if c.verdict == "unclear"], "task", "changed")[0] == []
    cell = opened("--runs", demo, page="matrix", model="sim/planted", arm="emotionprompt/EP02", of="sentiment")
    assert "emotionprompt/EP02 against no added text" in re.sub(" +", " ", texts(cell))
    assert cell.query_params["of"] == "sentiment"


def test_what_was_shown_by_itself_is_not_kept_as_a_choice(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="compare", model="sim/planted", task="sum")
    assert "which" not in app.query_params
    app.segmented_control(key="switch_which").set_value("both").run()
    assert app.query_params["which"] == "both"
    app.selectbox(key="pick_a").set_value("negativeprompt/NP10").run()
    assert app.query_params["a"] == "negativeprompt/NP10"
    assert flips.most_telling({"a": 3, "b": 4, "both": 9, "neither": 1}) == "b"
    assert flips.most_telling({"a": 2, "b": 2, "both": 9, "neither": 1}) == "a"
    assert flips.most_telling({"a": 0, "b": 0, "both": 0, "neither": 1}) == "neither"


def test_what_is_taken_along_says_simulated(opened: Any, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.download_button", lambda label, data, name, *rest, **more: taken.update({name: data}))
    opened("--runs", demo, model="sim/planted")
    assert {"SIMULATED-verdicts.csv", "SIMULATED-verdicts.parquet", "SIMULATED-verdicts.svg"} <= set(taken)
    assert all(name.startswith("SIMULATED-") for name in taken)
    frame = pd.read_csv(io.BytesIO(taken["SIMULATED-verdicts.csv"]()))
    assert frame["simulated"].all()
    assert frame["points"].dtype.kind == "f", "numbers are numbers in a spreadsheet"
    assert len(frame) == len(pd.read_parquet(io.BytesIO(taken["SIMULATED-verdicts.parquet"]())))


def test_a_real_model_beside_a_simulated_one_is_not_called_simulated(opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = write_run(tmp_path, share=0.1)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["models"]["openai/real"] = {}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    taken: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.download_button", lambda label, data, name, *rest, **more: taken.update({name: data}))
    opened("--runs", tmp_path, page="samples")
    answers = pd.read_csv(io.BytesIO(taken["SIMULATED-answers.csv"]()))
    assert (answers["simulated"] == (answers["model"] == "sim/planted")).all()
    opened("--runs", tmp_path, model="sim/planted")
    assert set(pd.read_csv(io.BytesIO(taken["SIMULATED-verdicts.csv"]()))["simulated"]) == {"some models"}
    taken.clear()
    opened("--runs", tmp_path, page="library")
    assert not [name for name in taken if name.startswith("SIMULATED")], "sentences and tasks are nobody's answers"


def test_a_simulated_answer_was_paid_by_nobody(opened: Any, demo: Path) -> None:
    trial = Run(demo / "demo").trials()["trial"].iloc[0]
    facts = table_with(opened("--runs", demo, page="samples", trial=trial), "value").set_index("what")["value"]
    assert facts["paid by this run"] == "nothing (simulated)"
    assert facts["price of the answer"] == "$0.000010 simulated"


def test_one_click_shows_the_difference_of_the_prompts_and_both_answers(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, model="sim/planted", arm="emotionprompt/EP02")
    shown = texts(app)
    drawn = "".join(element.proto.body for element in app.get("html"))
    assert "<mark> This is very important to my career.</mark>" in drawn
    assert "✓ right" in shown
    assert "✕ wrong" in shown
    first = app.query_params["item"]
    store = load.open_store(demo / "demo")
    a, b = (flips.Side(store, "sim/planted", store.plan.settings[0], arm) for arm in ("emotionprompt/EP02", "none"))
    pairs = flips.paired(a, b, None)
    gained = pairs.loc[pairs["kind"] == "a", "item"].tolist()
    assert first == [gained[0]] or first == gained[0]
    assert app.query_params["items"] in ("a", ["a"])
    again = opened("--runs", demo, model="sim/planted", arm="emotionprompt/EP02", items="a", item=gained[1])
    assert f"{gained[1]} · 2 of {len(gained)}" in texts(again), "the address brings the item back"


def test_compare_agrees_with_the_counts_of_the_analysis(opened: Any, demo: Path) -> None:
    store = load.open_store(demo / "demo")
    [c] = [c for c in store.comparisons("sim/planted", next(iter(store.settings.values())), "none", ["cell"])
           if c.task == "sentiment" and c.treatment == "emotionprompt/EP02"]  # fmt: skip
    app = opened("--runs", demo, page="compare", model="sim/planted", task="sentiment", a="emotionprompt/EP02", b="none")
    labels = app.segmented_control(key="switch_which").options
    assert {f"Gained {c.gained}", f"Lost {c.lost}"} <= set(labels)
    assert c.sentence in texts(app)


def test_compare_of_an_unplanned_pair_gives_no_verdict(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="compare", a="emotionprompt/EP02", b="negativeprompt/NP10")
    assert "not planned before the run" in texts(app)
    same = opened("--runs", demo, page="compare", a="none", b="none")
    assert "the same arm" in texts(same)


def test_repeats_are_shown_one_at_a_time(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path, replicates=2)
    app = opened("--runs", tmp_path, arm="emotionprompt/EP02")
    assert not app.exception
    box = app.selectbox(key="drawer_repeat")
    assert [option.rpartition(", ")[2] for option in box.options] == ["repeat 1", "repeat 2"]


def test_samples_shows_all_that_is_recorded(opened: Any, demo: Path) -> None:
    every = Run(demo / "demo").trials()
    row = every[(every["arm"] == "emotionprompt/EP02") & (every["score"] == 1)].iloc[0]
    app = opened("--runs", demo, page="samples", trial=row["trial"])
    shown = texts(app)
    assert "▶This is very important to my career.◀" in shown
    assert row["answer"] in shown
    facts = dict(table_with(app, "what").to_numpy().tolist())
    assert facts["score"] == "1"
    assert facts["price of the answer"] == "$0.000010 simulated"
    assert facts["parameters requested"] == '{"temperature": 0.7}'
    assert facts["parameters sent"] == '{"max_tokens": 64, "temperature": 0.7}'
    assert len(facts["cache key"]) == 64
    assert (facts["tokens"], facts["attempts"], facts["from the cache"]) == ("40 in, 3 out", "1", "no")


def test_a_failed_call_is_unknown_and_not_zero(opened: Any, demo: Path) -> None:
    every = Run(demo / "demo").trials()
    app = opened("--runs", demo, page="samples", outcome="error", trial=every.loc[every["outcome"] == "error", "trial"].iloc[0])
    facts = dict(table_with(app, "what").to_numpy().tolist())
    assert (facts["score"], facts["price of the answer"], facts["tokens"]) == ("no score", "unknown", "unknown in, unknown out")
    assert "timed out after 60 s" in texts(app)


def test_samples_pages_on_the_server_and_filters(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="samples")
    total = load.open_store(demo / "demo").n_trials
    assert len(table_with(app, "answer")) == singles.PAGE_ROWS
    first = table_with(app, "answer")["item"].tolist()
    next(button for button in app.button if button.label == "Next page").click().run()
    assert app.query_params["n"] == "2"
    assert table_with(app, "answer")["item"].tolist() != first
    app.selectbox(key="pick_arm").set_value("none").run()
    assert "n" not in app.query_params or app.query_params["n"] == "1"
    assert set(table_with(app, "answer")["arm"]) == {"none"}
    app.text_input(key="search_find").set_value("no such words (").run()
    assert f"0 of {total:,} answers" in texts(app)
    assert "No answer." in texts(app)
    assert [button.label for button in app.button] == ["Clear filters"]


def test_select_finds_what_the_frame_holds(opened: Any, demo: Path) -> None:
    store, every = load.open_store(demo / "demo"), Run(demo / "demo").trials()

    def chosen(result: str, text: str = "") -> list[str]:
        sieve = singles.where("all", "all", "all", "all", result, text)
        found = singles.select(store, sieve, 0, len(every))["trial"].tolist()
        assert len(found) == singles.count(store, sieve)
        return found

    assert chosen("all") == every["trial"].tolist()
    assert chosen("right") == every.loc[every["score"] >= 0.5, "trial"].tolist() != []
    assert chosen("wrong") == every.loc[every["score"] < 0.5, "trial"].tolist() != []
    assert chosen("none") == every.loc[every["score"].isna(), "trial"].tolist() != []
    word = every["answer"].iloc[0].upper()
    assert set(chosen("all", word)) >= set(every.loc[every["answer"].str.upper().str.contains(word, regex=False), "trial"]) != set()
    assert chosen("all", "%") == []
    assert chosen("all", "no such words (") == []


def test_a_score_in_words() -> None:
    assert words.score_word(float("nan")) == "no score"
    assert words.score_word(0.25) == "wrong (0.25)"


def test_unknown_values_in_the_address_are_ignored_with_a_note(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="compare", model="<b>gpt</b>", task="nope", item="x" * 5000, n="-1")
    assert not app.exception
    shown = texts(app)
    assert "not known here" in shown
    assert "task=nope" in shown
    assert "task" not in app.query_params
    assert "model" not in app.query_params


def test_an_address_gives_the_same_view_again(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="compare", model="sim/planted", task="sentiment")
    app.selectbox(key="pick_a").set_value("negativeprompt/NP10").run()
    query = {name: str(value if isinstance(value, str) else value[0]) for name, value in app.query_params.items()}
    again = opened("--runs", demo, page="compare", **query)
    assert texts(again) == texts(app)
    assert len(urlencode(query)) < 1000


def test_config_keeps_to_loopback() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config == {
        "server": {"address": "127.0.0.1", "allowedHosts": ["localhost", "127.0.0.1"], "maxUploadSize": 1},
        "browser": {"gatherUsageStats": False},
        "client": {"showErrorDetails": "none", "toolbarMode": "viewer"},
        "theme": config["theme"],
    }
    found = {f"theme.{name}": str(value).lower() for name, value in config["theme"].items() if not isinstance(value, dict)}
    found |= {f"theme.{theme}.{name}": value for theme in ("light", "dark") for name, value in config["theme"][theme].items()}
    assert found == streamlit_options(), "one palette for both ways to open the pages"
    from streamlit import config as streamlit_config

    known = streamlit_config.get_config_options()
    del config["theme"]
    given = [f"{section}.{name}" for section, values in config.items() for name in values]
    assert {*given, *streamlit_options()} <= set(known)
