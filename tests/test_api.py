"""The public names of promptlab: pinned, light to import, and the same in a script, in an event loop and in a notebook."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

import promptlab
import runs
from conftest import ROOT
from promptlab.planning.resolve import resolve
from promptlab.record.store import is_locked, runs_in
from promptlab.running.progress import Progress
from servers import Server

NAMES = """BudgetReached DataMissing Experiment FileProblems Item Plan PromptlabError Report Run RunProblem Scored UsageProblem __version__
arun compare open_run plan report run score verdicts"""
RUN = (
    "experiment, runs=None, cache='use', max_cost=None, max_tokens=None, concurrency=16, workers=1, progress=True, allow_code=False, "
    "allow_keys=()"
)
SIGNATURES = {
    "run": RUN,
    "arun": RUN,
    "plan": "experiment, allow_code=False",
    "open_run": "folder",
    "report": "run, scorer=None, force=False",
    "compare": "run, a='none', b=None, other=None, model=None, other_model=None, "
    "prompt=None, other_prompt=None, setting=None, other_setting=None, strategy=None, force=False",
    "score": "task, prediction, targets=None, target_scores=None, input=None, scorer='strict', model=None",
    "verdicts": "run",
    "Experiment": "name, question, tasks, models, stimuli=(), folder='.'",
}
TICKETS = [{"input": f"Ticket {n}: refund please?", "target": "billing" if n % 3 else "other"} for n in range(24)]
OWN = {"name": "tickets", "items": TICKETS, "metric": "text", "base_prompts": "Name the queue.", "labels": ["billing", "other"]}


def experiment(name: str = "small", **more: Any) -> promptlab.Experiment:
    fields: dict[str, Any] = {
        "question": "A question for a test?", "tasks": ["sum"], "models": ["sim/null"], "stimuli": ["emotionprompt/EP02"], "items": 10,
        "controls": {"placebos": "matched", "per_stimulus": 1},
    }  # fmt: skip
    return promptlab.Experiment(name=name, **{**fields, **more})


def served(server: Server, model: str = "slow-20") -> dict[str, str]:
    return {"model": f"openai/{model}", "name": "served", "api_base": server.url}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_public_names_are_these() -> None:
    assert promptlab.__all__ == NAMES.split() == dir(promptlab)
    for name in promptlab.__all__:
        assert getattr(promptlab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'sweep'"):
        _ = promptlab.sweep


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_stay(name: str) -> None:
    parameters = inspect.signature(getattr(promptlab, name)).parameters.values()
    shown = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)
    assert shown == SIGNATURES[name] or (name == "Experiment" and shown.startswith(f"{SIGNATURES[name]}, suite='twin', "))
    keywords = [p for p in parameters if p.default is not p.empty and p.kind is not p.KEYWORD_ONLY]
    assert len(keywords) <= 2


def test_importing_promptlab_loads_nothing() -> None:
    code = "import sys, promptlab; print(sorted({'asyncio', 'pydantic', 'pandas', 'yaml', 'promptlab.api'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_in_a_script(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=10)
    planned = promptlab.plan(path)
    assert planned.counts.trials == 40
    assert not (tmp_path / "runs").exists()
    found = promptlab.run(path)
    assert isinstance(found, promptlab.Run)
    assert (found.state, len(found.trials())) == ("complete", 40)
    assert found.folder == Path("runs") / resolve(path).run_id
    assert capfd.readouterr() == ("", "")
    seen: list[int] = []
    promptlab.run(str(path), runs="elsewhere", progress=lambda p: seen.append(p.n_done))
    assert seen[-1] == 40


def test_arun_in_a_loop_and_two_at_once() -> None:
    async def both() -> list[promptlab.Run]:
        return await asyncio.gather(promptlab.arun(experiment("one")), promptlab.arun(experiment("two", seed=5)))

    interval = sys.getswitchinterval()
    one, two = asyncio.run(both())
    assert sys.getswitchinterval() == interval
    assert (one.state, two.state) == ("complete", "complete")
    alone = promptlab.run(experiment("one"), runs="alone", cache="off")
    columns = ["trial", "answer", "score", "outcome"]
    pd.testing.assert_frame_equal(one.trials()[columns], alone.trials()[columns])


def test_run_inside_a_running_loop() -> None:
    async def cell() -> promptlab.Run:
        return promptlab.run(experiment())

    assert asyncio.run(cell()).state == "complete"

    async def wrong() -> None:
        promptlab.run(experiment(tasks=["summ"]))

    with pytest.raises(promptlab.FileProblems, match="did you mean 'sum'"):
        asyncio.run(wrong())


def test_two_of_one_run_never_meet_and_a_failure_leaves_no_lock(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = experiment(models=[served(server)])

    async def twice() -> list[Any]:
        return await asyncio.gather(promptlab.arun(slow), promptlab.arun(slow), return_exceptions=True)

    first, second = asyncio.run(twice())
    assert first.state == "complete"
    assert isinstance(second, promptlab.RunProblem)

    def broken(_: Progress) -> None:
        raise ValueError("a progress function with a mistake")

    with pytest.raises(ValueError, match="with a mistake"):
        promptlab.run(slow, runs="other", cache="off", progress=broken)
    [folder] = runs_in(Path("other"))
    assert not is_locked(folder)
    assert promptlab.open_run(folder).state == "failed"
    assert promptlab.run(slow, runs="other").state == "complete"


async def asked(server: Server, n: int) -> None:
    """Until the server has been asked so often."""
    for _ in range(1000):
        if len(server.requests) >= n:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"only {len(server.requests)} requests")


@pytest.mark.long(but=1)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_cancelled_arun_loses_no_paid_answer_and_goes_on(server: Server, workers: int) -> None:
    slow = experiment(models=[served(server, "slow-50")], items=20)

    async def cancelled() -> None:
        task = asyncio.create_task(promptlab.arun(slow, concurrency=4, cache="off", workers=workers))
        await asked(server, 12)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    [folder] = runs_in(Path("runs"))
    left = promptlab.open_run(folder)
    assert (left.state, is_locked(folder)) == ("interrupted", False)
    n = len(server.requests)
    assert 12 <= n < 80
    assert len(left.trials()) == n
    assert promptlab.run(slow, cache="off").state == "complete"
    assert len(server.requests) == 80


def test_a_second_cancellation_ends_at_once(server: Server) -> None:
    slow = experiment(models=[served(server, "slow-2000")])

    async def cancelled() -> float:
        task = asyncio.create_task(promptlab.arun(slow, concurrency=2))
        await asked(server, 2)
        started = time.monotonic()
        task.cancel()
        await asyncio.sleep(0.1)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - started

    assert asyncio.run(cancelled()) < 1.5
    [folder] = runs_in(Path("runs"))
    assert (promptlab.open_run(folder).state, is_locked(folder)) == ("interrupted", False)


def test_an_interrupted_script_says_so_and_goes_on(tmp_path: Path, server: Server) -> None:
    path = runs.experiment(tmp_path, tasks="sum", models=runs.served(server.url, "slow-150"))
    script = (
        "import os, signal, sys, promptlab\n"
        "sent = []\n"
        "def observe(p):\n    if p.n_done >= 10 and not sent: sent.append(os.kill(os.getpid(), signal.SIGINT))\n"
        "inside = sys.argv[2] == 'inside'\n"
        "async def cell(): promptlab.run(sys.argv[1], cache='off', concurrency=2, progress=observe)\n"
        "try:\n    __import__('asyncio').run(cell()) if inside else cell().send(None)\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n"
    )
    for place in ("script", "inside"):
        folder = tmp_path / place
        folder.mkdir()
        done = runs.run("-c", script, str(path), place, cwd=folder)
        assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
        [left] = runs_in(folder / "runs")
        assert promptlab.open_run(left).state == "interrupted"
        assert 10 <= len(promptlab.open_run(left).trials()) < 80


def test_a_run_that_is_not_complete_warns(server: Server) -> None:
    price = {"input_usd_per_mtok": 1000.0, "output_usd_per_mtok": 1000.0}
    with pytest.warns(UserWarning, match=r"small-\w+ is budget: "):
        found = promptlab.run(experiment(models=[{**served(server, "ok"), "price": price}], sampling={"max_tokens": 5}), max_cost=0.1)
    assert found.state == "budget"
    with pytest.raises(promptlab.UsageProblem, match="local folder"):
        promptlab.run(experiment(), runs="s3://bucket/runs")


def test_objects_are_the_same_run_as_their_files(tmp_path: Path) -> None:
    more = {"stimuli": {"calm": "Take your time: there is no hurry."}, "items": 20}
    given = experiment(tasks=["sum", OWN], **more)
    framed = experiment(tasks=["sum", {**OWN, "items": pd.DataFrame(TICKETS)}], **more)
    assert resolve(given).run_id == resolve(framed).run_id
    found = promptlab.run(given)
    assert found.folder.name == resolve(given).run_id == resolve(found.folder / "experiment.yaml").run_id
    assert set(found.trials()["task"]) == {"sum", "tickets"}
    assert "own/calm" in set(found.trials()["arm"])
    again = runs.run("sweep", "runs/" + found.id + "/experiment.yaml", "--no-report", cwd=tmp_path)
    assert again.returncode == 0
    assert "160 of 160 trials recorded (160 of them before), 0 calls sent" in again.stdout
    parallel = promptlab.run(given, runs="parallel", workers=2)
    assert (parallel.state, parallel.id) == ("complete", found.id)
    assert resolve(given.model_copy(update={"items": 12})).design.n_trials == 96


def test_a_metric_may_be_a_function_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab_metrics.py").write_text("def half(answer, item):\n    return 0.5\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    half = importlib.import_module("lab_metrics").half
    found = promptlab.run(experiment(tasks=[{**OWN, "metric": half}], items=20))
    assert (found.state, set(found.trials()["score"])) == ("complete", {0.5})
    assert 'metric: "lab_metrics:half"' in (found.folder / "given" / "tickets.yaml").read_text(encoding="utf-8")


def test_plain_objects_are_the_same_run_as_yaml(tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, more="placements: [paper, {preset: negativeprompt-code, name: code, separator: ' # '}]\n")
    fields: dict[str, Any] = {
        "question": "A question for a test?", "suite": "twin", "tasks": ["sum", "sentiment"], "models": ["sim/null"], "seed": 1,
        "stimuli": ["emotionprompt/EP02"], "controls": {"placebos": "matched", "per_stimulus": 1}, "items": 20, "scorer": "reference",
        "sampling": {"temperature": 0.0, "max_tokens": 64},
        "placements": ["paper", {"preset": "negativeprompt-code", "name": "code", "separator": " # "}],
    }  # fmt: skip
    assert resolve(promptlab.Experiment(name="small", **fields)).hashes == resolve(path).hashes


def test_paths_start_from_the_folder(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "own.yaml").write_text("library: mine\nsource: ours\nstimuli:\n- {key: a, text: Look twice.}\n", encoding="utf-8")
    given = experiment(stimulus_files=["own.yaml"], stimuli=["mine/a"], folder=place)
    path = runs.experiment(place, tasks="sum", stimuli="mine/a", more="stimulus_files: [own.yaml]\n")
    assert resolve(given).hashes["stimuli"] == resolve(path).hashes["stimuli"]
    assert promptlab.run(given, workers=2).state == "complete"
    with pytest.raises(promptlab.FileProblems, match="there is no such file"):
        resolve(experiment(stimulus_files=["own.yaml"], stimuli=["mine/a"]))


@pytest.mark.parametrize(
    ("more", "problems"),
    [
        ({"tasks": ["sum", "summ"]}, ["tasks[1]: the task 'summ' is not known; did you mean 'sum'?"]),
        ({"items": "x"}, ["items: items: expected a whole number, found 'x'"]),
        ({"modles": 1}, ["modles: unknown key 'modles'; did you mean 'models'?"]),
        ({"tasks": [{**OWN, "items": [{"input": "", "target": "other"}, {"input": "x"}]}]},
         ["tasks[0].items: row 1: 'input' is empty", "tasks[0].items: row 2: 'target' is missing"]),
        ({"tasks": ["sum", {**OWN, "metric": "txt"}]}, ["tasks[1].metric: the metric 'txt' is not known"]),
        ({"tasks": ["sum", {**OWN, "columns": {"input": "asked", "target": "target"}}]},
         ["tasks[1].columns.input: given/tickets.items.jsonl has no column 'asked'"]),
        ({"tasks": [{**OWN, "items": "tickets.csv"}]}, ["tasks[0].items: must be a list of dicts, a pandas DataFrame, or hf:owner/name"]),
        ({"tasks": [{**OWN, "items": [{"input": object()}]}]}, ["tasks[0].items: row 1 holds what no file can hold"]),
        ({"tasks": [{**OWN, "name": "a b"}]}, ["tasks[0]: 'name' must be"]),
        ({"tasks": [OWN, OWN]}, ["tasks[1]: two tasks are called 'tickets'"]),
        ({"tasks": [{**OWN, "metric": lambda answer, item: 1.0}]}, ["tasks[0].metric: a metric given as a function must be defined"]),
        ({"stimuli": {"calm": " slowly "}}, ["stimuli[0].text: the text begins or ends in white space"]),
        ({"stimuli": [{"a": "x"}, {"b": "y"}]}, ["stimuli[1]: a second dict of texts"]),
        ({"models": ["sim/nul"]}, ["models[0]: the simulated model 'sim/nul' is not known"]),
    ],
)  # fmt: skip
def test_problems_name_the_object(more: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(promptlab.FileProblems) as caught:
        resolve(experiment(**more))
    lines = str(caught.value).split("\n")
    for problem in problems:
        assert any(line.startswith(problem) for line in lines), lines
    assert "/tmp" not in str(caught.value)
    assert "promptlab-" not in str(caught.value)


def test_a_report_and_a_comparison_are_usable() -> None:
    found = promptlab.run(experiment(models=["sim/planted"], items=40))
    built = promptlab.report(found)
    assert built.headline[0].startswith("SIMULATED")
    pd.testing.assert_frame_equal(built.frame, promptlab.verdicts(found.folder))
    assert set(built.arms["arm"]) == set(found.trials()["arm"])
    assert built.to_html().startswith("<!doctype html>")
    assert built.to_markdown().startswith("# small (SIMULATED)")
    assert built.to_csv().startswith("scope,") or "," in built.to_csv().split("\n")[0]
    assert "Ship emotionprompt/EP02." in repr(built)
    shown = built._repr_html_()
    assert "emotionprompt/EP02" in shown
    assert "SIMULATED" in shown
    assert "<script" not in shown
    pair = promptlab.compare(str(found.folder), "none", "emotionprompt/EP02")
    assert pair.frame.loc[0, "diff"] == pytest.approx(built.of("cell", control="none")[0].diff)
    with pytest.raises(promptlab.UsageProblem, match="with itself"):
        promptlab.compare(found)


@pytest.mark.long
def test_in_a_notebook_both_work_and_progress_is_updated_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    new = nbformat.v4
    common = "question='Q?', tasks=['sum'], models=['sim/null'], stimuli=['emotionprompt/EP02'], items=10"
    notebook = new.new_notebook(
        cells=[
            new.new_code_cell(f"import promptlab\na = promptlab.run(promptlab.Experiment(name='a', {common}))"),
            new.new_code_cell(f"b = await promptlab.arun(promptlab.Experiment(name='b', {common}))\nprint(a.state, b.state)"),
            new.new_code_cell("promptlab.run('missing.yaml', progress=False)"),
        ]
    )
    NotebookClient(notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    first, second, third = (cell.outputs for cell in notebook.cells)
    assert [output["data"]["text/plain"] for output in first] == ["60 of 60 trials recorded, 0 errors"]
    assert [output.get("text", "") for output in second][-1] == "complete complete\n"
    assert [output["ename"] for output in third] == ["FileProblems"]


def test_nothing_warns_when_all_is_recorded() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        promptlab.run(experiment())


@pytest.mark.long(but=1)
@pytest.mark.parametrize("page", ["README.md", "docs/reference/python.md"])
def test_every_snippet_runs(page: str, tmp_path: Path) -> None:
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    text = (ROOT / page).read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) >= 1
    names: dict[str, Any] = {"__name__": "snippet"}
    for snippet in snippets:
        exec(snippet, names)
    assert names["run"].state == "complete"
    assert isinstance(names["report"], promptlab.Report)


def test_a_run_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.nouns import run_named

    (tmp_path / "kept" / "quick-1234").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert run_named(Path("quick-1234")) == Path("quick-1234")
    monkeypatch.setenv("PROMPTLAB_RUNS", str(tmp_path / "kept"))
    assert run_named(Path("quick-1234")) == tmp_path / "kept" / "quick-1234"
    assert run_named(Path("other/quick-1234")) == Path("other/quick-1234")
    (tmp_path / "kept" / "quick-1234" / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(promptlab.RunProblem, match="quick-1234"):
        promptlab.open_run("quick-1235")
