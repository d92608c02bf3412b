"""Every page of the explorer on no run, a whole one, one in progress and broken ones; and text from outside stays text."""

from __future__ import annotations

import ast
import html
import io
import json
import random
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pytest

from apps import AppTest
from conftest import ROOT
from promptlab.design.cross import trials
from promptlab.design.render import render
from promptlab.explorer import load, plain, singles, tasks
from promptlab.nouns.identity import digest
from promptlab.nouns.inert import HIDDEN, inert
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run, RunWriter
from promptlab.reporting import flips, words
from promptlab.reporting.palette import streamlit_options
from promptlab.reporting.prepared import records
from runs import run

PAGES = ["overview", "matrix", "compare", "loops", "replication", "cost", "plan", "design", "library", "samples"]
"""By their earlier names, each of which leads to its page and section of today."""
EXPERIMENT = """name: {name}
question: {question}
suite: twin
tasks: [sum, sentiment]
models: [{models}]
stimuli: [{stimuli}]
controls: {controls}
items: {items}
replicates: {replicates}
seed: 3
sampling: {{temperature: 0.7, max_tokens: 64}}
"""
MATCHED = "{placebos: matched, per_stimulus: 1}"
BARE = "{placebos: [], no_placebo_reason: none were recorded}"
SMALL = {"controls": BARE, "models": "sim/planted", "stimuli": "emotionprompt/EP02", "items": "8"}
LARGE = {"controls": MATCHED, "models": "sim/planted, sim/null", "stimuli": "emotionprompt/EP02, negativeprompt/NP10", "items": "24"}
HOSTILE = {
    "script": "<script>document.title='taken'</script><style>*{display:none}</style><iframe src=http://attacker.test/f></iframe>",
    "markdown": "![x](http://attacker.test/leak.png) [click](http://attacker.test) :red[colour] $\\pi$ `code` # head",
    "ansi": "\x1b[31mred\x1b[0m \x9b2J \x07",
    "bidi": "right \u202eorder\u202c \u2066left\u2069 \u200ezero\u200bwidth",
    "nul": "before\x00after",
    "surrogate": "half \ud800 a pair",
    "huge": "word " * 200_000,
    "formula": "=HYPERLINK(\"http://attacker.test\")",
}  # fmt: skip


def write_run(
    runs: Path,
    name: str = "demo",
    *,
    share: float = 1.0,
    state: str = "complete",
    answers: dict[str, str] | None = None,
    whole: bool = False,
    replicates: int = 1,
    close: bool = True,
) -> tuple[Path, RunWriter]:
    """A run as a sweep would leave it, with made-up answers: EP02 is right more often, NP10 less, one call failed.

    `answers` replaces the answers to the baseline's first items of the first model and task.
    """
    runs.mkdir(parents=True, exist_ok=True)
    source = runs / f"{name}.yaml"
    source.write_text(EXPERIMENT.format(name="demo", question="Does it help?", replicates=replicates, **(LARGE if whole else SMALL)))
    study = resolve(source)
    source.unlink()
    folder = runs / name
    writer = RunWriter(folder)
    plan = make_plan(study)
    writer.write_items(study.design.tasks)
    writer.write_plan(plan)
    writer.write_text("experiment.yaml", study.text)
    tasks = {task.id: task for task in study.design.tasks}
    planned = list(trials(study.design))
    n_failed = 0
    left = list((answers or {}).values())
    lift = {"emotionprompt/EP02": 0.35, "negativeprompt/NP10": -0.3}
    for trial in planned[: int(len(planned) * share)]:
        arm, setting, task = trial.arm, trial.arm.setting, tasks[trial.task]
        right = random.Random(f"{trial.item.id}/{trial.model}/{trial.replicate}").random() < 0.5 + lift.get(arm.name, 0.0)
        answer = trial.item.targets[0] if right else "something else"
        if left and arm.name == "none" and trial.model == "sim/planted" and task.name == "sum":
            answer, right = left.pop(0), False
        failed = arm.name == "none_aa" and not n_failed
        n_failed += failed
        messages = [dict(message) for message in render(task, trial.item, arm)]
        about: dict[str, Any] = {
            "outcome": "error" if failed else "ok", "model_version": None if failed else "v1", "input_tokens": None if failed else 40,
            "output_tokens": None if failed else 3, "cost_usd": None if failed else 0.00001, "latency_s": 0.2, "cached": False,
            "attempts": 1, "error": "timed out after 60 s" if failed else None,
        }  # fmt: skip
        row = {
            "trial": trial.id, "order": trial.order, "model": trial.model, "simulated": True, "suite": task.suite, "task": task.name,
            "item": trial.item.id, "cluster": None, "arm": arm.name, "role": arm.role,
            "stimulus": arm.stimulus.id if arm.stimulus else None,
            "library": arm.library, "base_prompt": setting.prompt, "setting": setting.id, "placement": setting.placement,
            "shots": setting.shots, "strategy": setting.strategy, "replicate": trial.replicate,
            "score": None if failed else float(right),
            "extracted": None if failed or not right else answer, "answer": "" if failed else answer, "n_calls": 1,
            "paid_usd": about["cost_usd"], **about,
        }  # fmt: skip
        call = {
            "trial": trial.id, "turn": 0, "key": digest(messages), "messages": json.dumps(messages), "text": row["answer"],
            "requested": '{"temperature": 0.7}', "effective": '{"max_tokens": 64, "temperature": 0.7}', "finish_reason": "stop", **about,
        }  # fmt: skip
        writer.append(row, [call])
    done = int(len(planned) * share)
    writer.write_json(
        "manifest.json",
        {
            "format": 1, "id": plan.run, "name": "demo", "question": plan.question, "state": state, "simulated": True,
            "simulated_models": [model.name for model in plan.models], "created_at": "2026-01-02T03:04:05+00:00",
            "updated_at": "2026-01-02T03:04:15+00:00", "sessions": 1, "paid_usd": 0.01, "last_error": None, "stopped": {},
            "counts": {"planned": len(planned), "done": done, "errors": 1, "cached": 0, "sent": done, "unpriced": 2},
            "budget_usd": None, "budget_reached": None, "hashes": {**study.hashes, "plan": digest(plan.plain())}, "prices": {},
            "models": {model.name: {"litellm_name": model.litellm_name} for model in plan.models}, "effective": {},
            "served": {model.name: ["v1"] for model in plan.models}, "versions": {"promptlab": "0"}, "commit": None,
            "experiment_path": "demo.yaml",
        },
    )  # fmt: skip
    if close:
        writer.close()
    return folder, writer


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    write_run(runs, whole=True)
    return runs


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("hostile")
    folder, _ = write_run(runs, "**bold** ![x](y)", answers={k: v for k, v in HOSTILE.items() if k != "surrogate"})
    plan = json.loads((folder / "plan.json").read_text())
    for arm in plan["arms"]:
        if arm["text"]:
            arm["text"] += HOSTILE["markdown"]
    (folder / "plan.json").write_text(json.dumps(plan))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["question"] = HOSTILE["script"] + HOSTILE["bidi"] + HOSTILE["markdown"]
    manifest["last_error"] = HOSTILE["ansi"] + HOSTILE["markdown"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return runs


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    def open_app(*arguments: object, **query: str) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["app.py", *(str(argument) for argument in arguments)])
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return open_app


def texts(app: AppTest) -> str:
    found = [
        element.value
        for kind in ("text", "caption", "warning", "error", "info", "markdown", "header", "subheader")
        for element in app.get(kind)
    ]
    drawn = [html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", element.proto.body, flags=re.DOTALL)) for element in app.get("html")]
    return "\n".join(str(value) for value in found + drawn + [element.value for element in app.code])


def tables(app: AppTest) -> list[pd.DataFrame]:
    return [element.value for element in app.dataframe]


def table_with(app: AppTest, column: str) -> pd.DataFrame:
    return next(table for table in tables(app) if column in table.columns)


# --- no run, and runs that cannot be read ---------------------------------------------------------------------------


def test_no_runs_says_which_command_makes_one(opened: Any, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        app = opened("--runs", folder)
        assert not app.exception
        assert "No runs yet" in texts(app)
        assert "promptlab sweep quickstart" in texts(app)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BREAKS = {
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "torn manifest": lambda folder: cut(folder / "manifest.json"),
    "manifest is a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "manifest lacks counts": lambda folder: (folder / "manifest.json").write_text('{"format": 1, "state": "complete"}'),
    "later format": lambda folder: (folder / "manifest.json").write_text('{"format": 99, "state": "complete"}'),
    "no plan": lambda folder: (folder / "plan.json").unlink(),
    "plan lacks families": lambda folder: (folder / "plan.json").write_text('{"models": []}'),
    "torn trials": lambda folder: cut(folder / "trials" / "part-00000.parquet"),
    "torn items": lambda folder: cut(folder / "items.parquet"),
    "no items": lambda folder: (folder / "items.parquet").unlink(),
}


@pytest.mark.long(but=3)
@pytest.mark.parametrize("damage", BREAKS)
def test_a_broken_run_is_told_and_the_others_still_open(damage: str, opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, "broken", share=0.3)
    BREAKS[damage](folder)
    for arguments, page in [(("--runs", tmp_path), "overview"), (("--run", folder), PAGES[list(BREAKS).index(damage)])]:
        app = opened(*arguments, run="broken", page=page)
        assert not app.exception
        assert [element.value for element in app.error] == ["This run cannot be read."]
        assert "promptlab sweep" in texts(app)
        assert "Traceback" not in texts(app)
        assert all(f"`{code.value.strip()}`" in texts(app) for code in app.code), "a command of the message can be copied"


@pytest.mark.long
def test_calls_that_cannot_be_read_leave_the_rest(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    cut(folder / "calls" / "part-00000.parquet")
    for page in PAGES:
        app = opened("--runs", tmp_path, page=page)
        assert not app.exception
        assert not app.error
    for more in ({"page": "overview", "arm": "emotionprompt/EP02"}, {"page": "samples", "trial": Run(folder).trials()["trial"].iloc[0]}):
        assert "The messages of this trial cannot be read." in texts(opened("--runs", tmp_path, **more))


def test_a_run_without_any_trial(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path, share=0.0, state="interrupted")
    for page in PAGES:
        app = opened("--runs", tmp_path, page=page)
        assert not app.exception
        assert not app.error
        assert "No trial is recorded yet" in texts(app)


# --- a whole run ----------------------------------------------------------------------------------------------------


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


def test_a_run_that_is_not_here_is_said(opened: Any, demo: Path) -> None:
    write_run(demo, "other", share=0.1)
    app = opened("--runs", demo, run="my_other_run")
    shutil.rmtree(demo / "other")
    assert "a run that is not here" in app.warning[0].value
    assert "run=my_other_run" in texts(app)
    assert "a run that is not here" not in texts(opened("--runs", demo))


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


# --- the address ----------------------------------------------------------------------------------------------------


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


def test_another_run_forgets_what_was_chosen_in_the_first(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path, "one", share=0.2)
    write_run(tmp_path, "two", share=0.2)
    app = opened("--runs", tmp_path, run="one", page="samples", find="x")
    app.selectbox(key="pick_run").set_value("two").run()
    assert app.query_params["run"] == "two"
    assert "Every answer" in str(app.segmented_control(key="switch_view").options)
    assert "find" not in app.query_params


# --- a run in progress ----------------------------------------------------------------------------------------------


@pytest.mark.long(but=2)
@pytest.mark.parametrize("page", PAGES)
def test_a_run_in_progress(page: str, opened: Any, tmp_path: Path) -> None:
    _, writer = write_run(tmp_path, share=0.5, state="running", close=False)
    try:
        app = opened("--runs", tmp_path, page=page, model="sim/planted")
        assert not app.exception
        assert "running" in texts(app)
        before = dict(app.query_params)
        app.run()
        assert dict(app.query_params) == before
    finally:
        writer.close()
    after = opened("--runs", tmp_path, page=page)
    assert "interrupted; the same sweep command continues from here" in texts(after)
    shutil.rmtree(tmp_path / "demo")
    assert not after.run().exception
    assert "No runs yet" in texts(after) or page in ("plan", "library")


def test_new_trials_are_read_when_the_folder_changes(tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, share=0.2)
    before = len(load.open_store(folder).query("SELECT trial FROM trials"))
    write_run(tmp_path, share=0.6)
    assert len(load.open_store(folder).query("SELECT trial FROM trials")) > before


# --- text from outside ----------------------------------------------------------------------------------------------

OUR_TAGS = {"h1", "h2", "h3", "div", "span", "b", "i", "ul", "li", "details", "summary", "style", "mark", "del"}
PLAIN_KINDS = {"text", "code", "arrow_data_frame", "dataframe", "selectbox", "text_input"}


def elements(block: Any) -> Iterator[Any]:
    for child in getattr(block, "children", {}).values():
        yield child
        yield from elements(child)


@pytest.mark.long(but=3)
@pytest.mark.parametrize("page", PAGES)
def test_hostile_text_is_inert_on_every_page(page: str, opened: Any, hostile: Path) -> None:
    app = opened("--runs", hostile, page=page, model="sim/planted", task="sum")
    assert not app.exception
    for element in elements(app._tree):
        if element.type in PLAIN_KINDS:
            continue
        proto = str(getattr(element, "proto", ""))
        if element.type == "html":
            tags = re.findall(r"<\W?(\w+)([^>]*)>", element.proto.body)
            assert {name for name, _ in tags} <= OUR_TAGS, proto[:300]
            assert not [more for _, more in tags if "attacker" in more or "on" in re.findall(r"\b(on)\w+=", more)]
            assert not HIDDEN.search(element.proto.body)
            continue
        for sign in ("attacker.test", "<script", "**bold**"):
            assert sign not in proto, (element.type, proto[:300])
    for element in [*app.text, *app.code]:
        assert not HIDDEN.search(element.value)
    for table in tables(app):
        for column in table.columns:
            for value in table[column]:
                assert not HIDDEN.search(str(value))
                assert len(str(value)) < 2 * plain.CELL + 300


@pytest.mark.long(but=2)
@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind != "surrogate"])
def test_hostile_answers_are_shown_as_text(kind: str, opened: Any, hostile: Path) -> None:
    store = load.open_store(next(hostile.iterdir()))
    row = records(store.query("SELECT trial, item FROM trials WHERE answer = ?", [HOSTILE[kind]]))[0]
    app = opened("--runs", hostile, page="samples", trial=row["trial"])
    assert not app.exception
    shown = [element.value for element in app.code]
    wanted = inert(plain.clip(HOSTILE[kind]))
    assert wanted in shown or wanted.rstrip() in [value.rstrip() for value in shown]
    assert max(len(value) for value in shown) < plain.LONGEST + 200
    both = opened("--runs", hostile, page="compare", model="sim/planted", task="sum", a="emotionprompt/EP02", b="none", item=row["item"])
    assert not both.exception


def test_inert_spells_out_what_hides() -> None:
    assert inert("a\x1b[31m\x00\u202e\ud800\U000e0041b\n\tc") == "a\\x1b[31m\\x00\\u202e\\ud800\\U000e0041b\n\tc"
    assert inert("déjà 漢字 🙂") == "déjà 漢字 🙂"
    assert plain.cell("one\ntwo") == "one ⏎ two"
    assert plain.cell(None) == ""
    assert plain.cell(float("nan")) == ""
    assert words.mark("do it. Please. Now", "Please.") == ("do it. ▶Please.◀ Now", 1)
    assert words.mark("do it", None) == ("do it", 0)


MARKDOWN = {
    "markdown", "write", "write_stream", "html", "latex", "title", "header", "subheader", "caption", "error", "warning", "info", "success",
    "exception", "toast", "expander", "tabs", "metric", "badge", "button", "link_button", "download_button", "page_link", "popover",
    "status", "spinner", "checkbox", "toggle", "radio", "selectbox", "multiselect", "text_input", "segmented_control", "pills", "progress",
    "chat_message", "help", "json", "table", "image", "dialog", "echo",
}  # fmt: skip
FORBIDDEN = {
    "markdown",
    "write",
    "write_stream",
    "html",
    "latex",
    "exception",
    "help",
    "json",
    "table",
    "image",
    "echo",
    "iframe",
    "components",
}
OURS = {"pick", "switch", "search", "number", "section", "folded", "html", "piece", "drawing"}
"""Our own widgets and headings hand their label on, so that it is checked where they are called."""
FILES = [ROOT / "app.py", *sorted((ROOT / "promptlab" / "explorer").glob("*.py"))]


def literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_literals_reach_whatever_renders_markdown(path: Path) -> None:
    handing_on = {"filters.py": {"label"}, "take.py": {"label"}, "rating.py": {"label"}, "drawer.py": {"label"}, "frame.py": {"STYLE"}}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword):
            assert node.arg not in {"unsafe_allow_html", "unsafe_allow_javascript"}, f"{path.name}:{node.value.lineno}"
            if node.arg in {"help", "icon", "page_icon"}:
                known = ast.unparse(node.value) in ("ICON", "frame.ICON", "page.icon")  # a file beside the pages, and names in PAGES
                assert literal(node.value) or known, f"{path.name}:{node.value.lineno}"
            if node.arg == "persist":
                raise AssertionError(f"{path.name}:{node.value.lineno}: caches stay in memory")
        if isinstance(node, ast.Attribute) and node.attr == "components":
            raise AssertionError(f"{path.name}:{node.lineno}: a component runs code in the browser")
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if called == "Markup":
            assert path.name == "plain.py", f"{path.name}:{node.lineno}: only plain.py makes HTML"  # type: ignore[attr-defined]
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, where = node.func.attr, f"{path.name}:{node.lineno}"
        on_streamlit = isinstance(node.func.value, ast.Name) and node.func.value.id == "st"
        if on_streamlit and not (name == "html" and path.name == "plain.py"):
            assert name not in FORBIDDEN, f"{where}: st.{name}"
        if name == "code" and on_streamlit:
            assert any(k.arg == "language" and isinstance(k.value, ast.Constant) and k.value.value is None for k in node.keywords), where
        ours = name in OURS and isinstance(node.func.value, ast.Name) and not on_streamlit
        if (on_streamlit and name in MARKDOWN - {"progress", "html", "page_link"}) or ours:
            first = node.args[0] if node.args else None
            handed_on = isinstance(first, ast.Name) and first.id in handing_on.get(path.name, set())
            constant = isinstance(first, ast.Name) and first.id.isupper()  # a text of the module itself
            fine = first is not None and (literal(first) or constant or handed_on)
            assert fine or name == "drawing", f"{where}: {name} with text that is not a literal"


def test_the_rule_has_teeth() -> None:
    assert not literal(ast.parse("f'{x}'", mode="eval").body)
    assert literal(ast.parse("'x'", mode="eval").body)
    shown = plain.piece("<b>{a}</b>{b}", a="<i onclick=x>\u202e", b=plain.piece("<u>{n:,}</u>", n=1234))
    assert shown == "<b>&lt;i onclick=x&gt;\\u202e</b><u>1,234</u>"


# --- around it ------------------------------------------------------------------------------------------------------


def test_the_explorer_never_loads_a_model_client_and_opens_no_cache(demo: Path, tmp_path: Path) -> None:
    code = f"""
import json, sys
sys.argv = ["app.py", "--runs", {str(demo)!r}]
sys.path.append("tests")
from apps import AppTest
for page in {PAGES!r}:
    app = AppTest.from_file("app.py", default_timeout=60)
    app.query_params["page"] = page
    assert not app.run().exception
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in ("litellm", "openai", "dspy"))))
"""
    done = run("-c", code, env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert (tmp_path / "home").is_dir()
    assert not (tmp_path / "home" / "cache").exists()


def test_the_explorer_writes_nothing_into_a_run(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path, share=0.2)
    before = {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
    for page in PAGES:
        opened("--run", folder, page=page)
    assert {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))} == before
    assert Run(folder).state == "complete"


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
