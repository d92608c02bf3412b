"""Run folders and caches with made-up answers, as a sweep would leave them, and some whose texts mean harm."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from promptlab.design.cross import trials
from promptlab.design.render import render
from promptlab.nouns.call import Call, Completion
from promptlab.nouns.identity import digest
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import RunWriter

DEFAULT: dict[str, Any] = {"str": "x", "int": 1, "float": 0.5, "bool": False}
CALL = Call("openai/m", ({"role": "user", "content": "What is 6 * 7? \ud800 é"},), {"temperature": 0, "seed": 3}, 1)
ANSWER = Completion("42", "ok", "stop", "m-1", 5, 2, 0.001, 0.2, effective={"temperature": 0})


def row(columns: Any, **values: Any) -> dict[str, Any]:
    """A row of these columns (`TRIAL_COLUMNS` or `CALL_COLUMNS`): what may be missing is, and the rest has a default."""
    return {name: None if kind.endswith("?") else DEFAULT[kind] for name, kind in columns.items()} | values


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of a cache, for somebody who changes it by hand."""
    with closing(sqlite3.connect(folder / "cache.db")) as db, db:
        yield db


def write(folder: Path, n: int, start: int = 0, **values: Any) -> None:
    """A part of `n` trials with one call each, numbered from `start`, by a writer that ends; `values` stand in every trial."""
    writer = RunWriter(folder)
    for i in range(start, start + n):
        writer.append(
            row(TRIAL_COLUMNS, trial=f"t{i}", order=i, outcome="ok", **values),
            [row(CALL_COLUMNS, trial=f"t{i}", turn=0, text=f"answer {i}")],
        )
    writer.write_json("manifest.json", {"format": 1, "state": "running", "counts": {}})
    writer.close()


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
    """A folder of runs with one whole run, `demo`."""
    runs = tmp_path_factory.mktemp("runs")
    write_run(runs, whole=True)
    return runs


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one whose answers, sentences, question and error mean harm."""
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


def cut(path: Path) -> None:
    """Half of the file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
