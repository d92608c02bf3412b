"""Stimuli and tasks: what is shown is what is sent, with a run and without one, and a run's own things come first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps import elements, opened, table_with, texts
from conftest import ROOT
from made_up import HOSTILE, write_run
from promptlab.design.cross import matched_placebos
from promptlab.design.render import PRESETS, render
from promptlab.explorer import library, load
from promptlab.explorer.filters import Filters
from promptlab.nouns.inert import HIDDEN, inert
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run, RunWriter
from promptlab.reporting.library import library as listed
from promptlab.reporting.table import Table
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.sources import official, tasks
from promptlab.sources.spec.libraries import all_stimuli
from promptlab.sources.tasks import load_task, task_names
from promptlab.sources.tokens import n_tokens
from promptlab.strategies import plain_arm
from tickets import tickets, written

assert opened  # a fixture, found here by its name


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("library")
    write_run(runs, whole=True)
    return runs


@pytest.fixture
def no_official(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / "home"))
    tasks._loaded.cache_clear()


def table(found: list[Table], title: str) -> pd.DataFrame:
    return next(shown.frame for shown in found if shown.title == title)


def with_own(runs: Path, text: str, name: str = "own") -> Path:
    """A run folder frozen from an experiment, without a trial."""
    from promptlab.running.sweep import freeze

    source = runs / "source.yaml"
    source.write_text(text)
    study = resolve(source)
    folder, _ = write_run(runs, name, share=0.0, state="interrupted")
    for file in ("plan.json", "items.parquet", "experiment.yaml"):
        (folder / file).unlink()
    writer = RunWriter(folder)
    plan, plan_digest = freeze(study, writer)
    writer.close()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "hashes": {**study.hashes, "plan": plan_digest}}))
    assert make_plan(study).run == plan.run
    return folder


# --- without a run ----------------------------------------------------------------------------------------------------


def test_every_text_that_comes_with_promptlab_is_listed() -> None:
    known = all_stimuli()
    shown = table(library.tables(None, Filters({})), "Sentences").set_index("id")
    assert set(shown.index) == set(known)
    assert "in this run" not in shown.columns
    neutral = [s for s in known.values() if s.role == "placebo"]
    for name in ("emotionprompt/EP02", "negativeprompt/NP10"):
        s = known[name]
        lengths = {p.id: n_tokens(p.text) for p in (s, *neutral)}
        row = shown.loc[name]
        assert row[["text", "words", "theory", "source"]].tolist() == [s.text, s.n_words, s.theory, s.source]
        assert row["tokens"] == str(n_tokens(s.text))
        assert row["compared with"] == ", ".join(p.id for p in matched_placebos([s], neutral, lengths, 3, ["neutral"], 0))
    for role in ("stimulus", "placebo", "paraphrase"):
        some = table(library.tables(None, Filters({"role": role})), "Sentences")
        assert set(some["role"]) == {role}
        assert len(some) == sum(s.role == role for s in known.values())


def test_every_task_is_listed_with_its_items() -> None:
    shown = table(library.tables(None, Filters({})), "Tasks").set_index("task")
    assert list(shown.index) == [f"twin/{name}" for name in task_names("twin")]
    for name in ("sum", "winowhy"):
        task = load_task(name, "twin")
        assert shown.loc[task.id, "items"] == len(task.items)
        assert shown.loc[task.id, "scored by"] == task.metric
        assert shown.loc[task.id, "asked by"] == ", ".join(task.base_prompts)


@pytest.mark.parametrize("layout", list(PRESETS))
@pytest.mark.parametrize("name", ["sum", "ruin_names"])
def test_a_prompt_is_what_render_makes(layout: str, name: str) -> None:
    task, stimulus = load_task(name, "twin"), all_stimuli()["emotionprompt/EP02"]
    found = library.tables(None, Filters({"sentence": stimulus.id, "exercise": task.id, "layout": layout, "three": "2"}))
    prompts = table(found, "Prompts")
    items = task.items[3:6]
    assert prompts["item"].unique().tolist() == [item.id for item in items]
    arm = plain_arm(next(iter(task.base_prompts)), PRESETS[layout], stimulus)
    wanted = [m["content"].replace(stimulus.text, f"▶{stimulus.text}◀") for item in items for m in render(task, item, arm)]
    assert prompts["message"].tolist() == wanted
    marked = [text for text in wanted if "▶" in text]
    assert len(marked) == len(items)  # a system message holds the text alone
    of_item = prompts.groupby("item", sort=False)["right answers"].first().tolist()
    assert of_item == ["  or  ".join(item.targets) for item in items]


def test_the_page_without_a_run(opened: Any, tmp_path: Path) -> None:
    app = opened("--runs", tmp_path, page="library", sentence="emotionprompt/EP02", exercise="twin/sum", prompt="ape")
    assert not app.exception
    prompts = [element.value for element in app.code if "▶This is very important to my career.◀" in element.value]
    assert len(prompts) == 3
    assert all(load_task("sum", "twin").base_prompts["ape"] in prompt for prompt in prompts)
    task = load_task("sum", "twin")
    assert all(f"Right: {'  or  '.join(item.targets)}" in texts(app) for item in task.items[:3])
    next(button for button in app.button if button.label == "Next page").click().run()
    assert app.query_params["three"] == "2"
    assert f"item {task.items[3].id}" in texts(app)
    app.selectbox(key="pick_sentence").set_value("none").run()
    assert "▶" not in "\n".join(element.value for element in app.code)
    app.selectbox(key="pick_exercise").set_value("twin/antonyms").run()
    assert "three" not in app.query_params, "another task begins at its first items"
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_official")
def test_without_official_files_the_twins_are_shown(opened: Any, demo: Path) -> None:
    assert listed("official") == ()
    app = opened("--runs", demo, page="library", suite="official")
    assert not app.exception
    assert "The official benchmark files are not here" in texts(app)
    assert "promptlab data pull" in texts(app)
    assert len(table_with(app, "scored by")) == len(task_names("twin"))
    assert len(table(library.tables(None, Filters({"suite": "official"})), "Tasks")) == len(task_names("twin"))


def test_official_tasks_are_shown_where_they_are_here() -> None:
    if not any(state.state == "present" for state in official.files.listing()):
        pytest.skip("the official files are not here")
    found = library.tables(None, Filters({"suite": "official"}))
    assert {name.split("/")[0] for name in table(found, "Tasks")["task"]} == {"official"}
    assert len(table(found, "Prompts")) == 3


# --- with a run -------------------------------------------------------------------------------------------------------


def test_the_runs_own_come_first_and_its_prompts_are_those_that_were_sent(demo: Path) -> None:
    store = load.open_store(demo / "demo")
    found = library.tables(store, Filters({"sentence": "negativeprompt/NP10", "exercise": "twin/sentiment"}))
    shown = table(found, "Sentences")
    n_own = sum(arm.role not in ("baseline", "aa") for arm in store.plan.arms)
    assert shown["in this run"].tolist() == ["yes"] * n_own + [""] * (len(shown) - n_own)
    assert shown["id"].tolist()[:2] == ["emotionprompt/EP02", "negativeprompt/NP10"]
    assert shown["id"].is_unique
    assert dict(zip(shown["id"], shown["compared with"], strict=True))["emotionprompt/EP02"] == ", ".join(
        store.plan.placebos_of["emotionprompt/EP02"]
    )
    assert table(found, "Tasks")["task"].tolist() == ["twin/sum", "twin/sentiment"]
    trials = Run(demo / "demo").trials()
    for row in table(found, "Prompts").to_dict("records"):
        sent = trials[(trials["task"] == "sentiment") & (trials["item"] == row["item"]) & (trials["arm"] == "negativeprompt/NP10")].iloc[0]
        [message] = json.loads(store.calls(sent["trial"])["messages"].iloc[0])
        assert row["message"].replace("▶", "").replace("◀", "") == message["content"]


def test_the_page_with_a_run(opened: Any, demo: Path) -> None:
    app = opened("--runs", demo, page="library")
    assert not app.exception
    assert app.selectbox(key="pick_sentence").value == "emotionprompt/EP02"
    assert set(table_with(app, "scored by")["in this run"]) == {"yes"}
    query = {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}
    assert texts(opened("--runs", demo, page="plan", **query)) == texts(app)
    twin = opened("--runs", demo, page="library", suite="twin")
    marks = table_with(twin, "scored by").set_index("task")["in this run"]
    assert marks[marks == "yes"].index.tolist() == ["twin/sentiment", "twin/sum"]


def test_tasks_sentences_and_layouts_of_ones_own(opened: Any, tmp_path: Path) -> None:
    library_file = tmp_path / "mine.yaml"
    library_file.write_text(
        "library: mine\nsource: me\nstimuli:\n  - {key: A1, text: 'Do it for the cat.', theory: cats, valence: positive}\n"
    )
    folder = with_own(
        tmp_path,
        f"name: x\nquestion: q\ntasks: [tickets]\ntask_files: [{json.dumps(str(ROOT / 'experiments' / 'own' / 'tickets.yaml'))}]\n"
        f"stimulus_files: [{json.dumps(str(library_file))}]\nstimuli: [mine/A1]\nmodels: [sim/null]\nitems: 10\nshots: [2]\n"
        "placements: [{name: mine, template: '[{instruction}] {demos}{input} =>', position: prefix, separator: ' // '}]\n",
    )
    store = load.open_store(folder)
    found = library.tables(store, Filters({}))
    assert table(found, "Sentences")["id"].iloc[0] == "mine/A1"
    assert table(found, "Tasks")["task"].tolist() == ["own/tickets"]
    prompts = table(found, "Prompts")
    assert prompts["message"].str.startswith("[▶Do it for the cat.◀ // Say which team").all()
    study_items = json.loads(store.query("SELECT to_json(list(item)) AS i FROM items")["i"].iloc[0])
    assert prompts["item"].tolist() == study_items[:3]
    demos = store.plan.tasks[0].demos
    assert len(demos) == 2
    assert all(demo["input"] in text for demo in demos for text in prompts["message"])
    none = table(library.tables(store, Filters({"shots": "0"})), "Prompts")["message"]
    assert not any(demo["input"] in text for demo in demos for text in none)
    app = opened("--runs", tmp_path, page="library", run="own")
    assert not app.exception
    assert "▶Do it for the cat.◀" in texts(app)
    assert app.number_input(key="number_shots").value == 2


def test_whole_prompts_of_a_run_are_shown_as_they_were_sent(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("items: t.csv\ncolumns: {input: question, target: answer}\nmetric: number\n")
    rows = "".join(f"what is {n} and 1?,{n + 1},hint {n}\n" for n in range(30))
    (tmp_path / "t.csv").write_text("question,answer,note\n" + rows)
    (tmp_path / "e.yaml").write_text(
        "name: e\nquestion: q\ntasks: [t]\ntask_files: [t.yaml]\nmodels: [sim/factors]\nitems: 12\nshots: [2]\n"
        "prompts:\n  today: 'Look at {note}. {question}'\n"
        "  expert:\n    - {role: system, content: 'You know {note}.'}\n    - {role: user, content: '{question}'}\n"
        "incumbent: today\nstimuli: [emotionprompt/EP02]\ncontrols: {placebos: [], no_placebo_reason: a test}\n"
    )
    run = run_sweep(resolve(tmp_path / "e.yaml"), tmp_path / "runs", None, Execution(1), lambda progress: None)
    store = load.open_store(run.folder)
    trials = Run(run.folder).trials()
    for prompt in ("today", "expert"):
        for sentence in ("none", "emotionprompt/EP02"):
            found = library.tables(store, Filters({"sentence": sentence, "prompt": prompt, "three": "2"}))
            shown = table(found, "Prompts")
            assert shown["item"].nunique() == 3
            for item, rows_of in shown.groupby("item"):
                of = (trials["item"] == item) & (trials["arm"] == sentence) & (trials["base_prompt"] == prompt)
                sent = json.loads(store.calls(trials[of].iloc[0]["trial"])["messages"].iloc[0])
                texts_of = [text.replace("▶", "").replace("◀", "") for text in rows_of["message"]]
                assert list(zip(rows_of["role"], texts_of, strict=True)) == [(message["role"], message["content"]) for message in sent]
    assert table(found, "Tasks")["asked by"].tolist() == ["today, expert"]
    assert table(found, "Whole prompts")["prompt"].tolist() == ["today", "expert", "expert"]
    app = opened("--runs", tmp_path / "runs", page="library", prompt="expert")
    assert not app.exception
    assert app.selectbox(key="pick_prompt").options == ["today", "expert"]
    assert "You know hint" in texts(app)


def test_labels_of_a_whole_prompt_are_said_to_be_in_another_order(tmp_path: Path) -> None:
    written(tmp_path, tickets())
    folder = with_own(
        tmp_path,
        "name: x\nquestion: q\ntasks: [tickets]\ntask_files: [tickets.yaml]\nmodels: [sim/null]\nitems: 5\n"
        "prompts: {a: 'One of {labels}: {text}', b: '{text}'}\nincumbent: a\n",
    )
    notes = {
        name: next(shown.note for shown in library.tables(load.open_store(folder), Filters({"prompt": name})) if shown.title == "Prompts")
        for name in ("a", "b")
    }
    assert "nothing added to own/tickets, prompt a" in notes["a"], "a run without sentences begins without one"
    assert "as they were sent" in notes["a"]
    assert "as they were sent" not in notes["b"]


def test_wordings_are_drawn_for_each_item(tmp_path: Path) -> None:
    folder = with_own(
        tmp_path,
        "name: x\nquestion: q\ntasks: [sum]\nmodels: [sim/null]\nstimuli: [emotionprompt/EP02]\nwordings: paraphrased\nitems: 20\n",
    )
    store = load.open_store(folder)
    wordings = store.plan.arms[-1].wordings
    assert len(wordings) > 1
    seen = set()
    for page in range(1, 8):
        for text in table(library.tables(store, Filters({"three": str(page)})), "Prompts")["message"]:
            marked = text.split("▶")[1].split("◀")[0]
            assert marked in wordings
            seen.add(marked)
    assert len(seen) > 1


def test_arms_of_loops_are_listed_but_not_put_into_a_prompt(opened: Any, tmp_path: Path) -> None:
    with_own(tmp_path, "name: x\nquestion: q\ntasks: [sum]\nmodels: [sim/null]\nloops: [{rounds: 2}]\nitems: 5\n")
    store = load.open_store(tmp_path / "own")
    loops = table(library.tables(store, Filters({"role": "loop"})), "Sentences")
    assert "heart/alternate" in loops["id"].tolist()
    assert loops["id"].is_unique
    app = opened("--runs", tmp_path, page="library", run="own")
    assert not app.exception
    assert "heart/alternate" not in app.selectbox(key="pick_sentence").options
    assert app.selectbox(key="pick_sentence").options


def test_a_run_in_progress_and_one_without_a_trial(opened: Any, tmp_path: Path) -> None:
    write_run(tmp_path, "empty", share=0.0, state="interrupted")
    _, writer = write_run(tmp_path, "going", share=0.5, state="running", close=False)
    try:
        for run in ("empty", "going"):
            app = opened("--runs", tmp_path, page="library", run=run)
            assert not app.exception
            assert "▶This is very important to my career.◀" in texts(app)
    finally:
        writer.close()


def test_unknown_names_in_the_address_are_ignored(opened: Any, demo: Path) -> None:
    app = opened(
        "--runs", demo, page="library", sentence="x/<b>", exercise="../../etc", prompt="p", layout="l", three="99", role="r", suite="s"
    )
    assert not app.exception
    for note in ("sentence=x/<b>", "exercise=../../etc", "prompt=p", "layout=l", "three=99", "role=r", "suite=s"):
        assert note in texts(app)


def test_hostile_text_is_inert(opened: Any, tmp_path: Path) -> None:
    folder, _ = write_run(tmp_path)
    bad = HOSTILE["script"] + HOSTILE["bidi"] + HOSTILE["markdown"] + HOSTILE["ansi"] + HOSTILE["nul"] + "{input} {demos}"
    plan = json.loads((folder / "plan.json").read_text())
    for arm in plan["arms"]:
        if arm["stimulus"]:
            arm["text"] = arm["stimulus"]["text"] = bad
            arm["theory"] = arm["source"] = bad
    plan["tasks"][0]["base_prompts"]["human"] = plan["tasks"][0]["source"] = bad
    plan["tasks"][0]["defects"] = [bad]
    (folder / "plan.json").write_text(json.dumps(plan))
    app = opened("--runs", tmp_path, page="library")
    assert not app.exception
    shown = "\n".join(element.value for element in app.code)
    assert inert(f"▶{bad}◀") in shown
    for element in elements(app._tree):
        if element.type not in {"text", "code", "arrow_data_frame", "dataframe", "selectbox"}:
            assert "attacker.test" not in str(getattr(element, "proto", "")), element.type
    assert not any(HIDDEN.search(element.value) for element in [*app.text, *app.code])
