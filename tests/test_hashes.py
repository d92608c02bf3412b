"""What names a state: whatever decides a result is another run, whatever a view shows is another stamp, and nothing else is."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import runs
from conftest import ROOT
from promptlab.nouns.arm import Arm, Cue
from promptlab.nouns.call import Price
from promptlab.nouns.item import Demo, Task
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.reporting.prepared import stamp
from promptlab.strategies.loop import looped


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hashes")


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    """A sweep with stimuli and a loop, few-shot, of a simulated and a real model."""
    models = "  - sim/null\n  - {model: openai/x, name: x, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}"
    more = "shots: [2]\nloops:\n  - {name: heart, rounds: 2, mode: oracle, policies: [anger]}\n"
    return resolve(runs.experiment(folder, models=models, tasks="sum, larger_animal", more=more))


def other(study: Study, **changes: Any) -> Study:
    """The study with another design."""
    return replace(study, design=replace(study.design, **changes))


def of_task(change: Callable[[Task], Task]) -> Callable[[Study], Study]:
    return lambda study: other(study, tasks=(*study.design.tasks[:-1], change(study.design.tasks[-1])))


def of_item(**changes: Any) -> Callable[[Study], Study]:
    return of_task(lambda task: replace(task, items=(*task.items[:-1], replace(task.items[-1], **changes))))


def of_demo(**changes: Any) -> Callable[[Study], Study]:
    return of_task(lambda task: replace(task, demos=(replace(task.demos[0], **changes), *task.demos[1:])))


def of_arms(change: Callable[[Arm], Arm]) -> Callable[[Study], Study]:
    return lambda study: other(study, arms=tuple(change(arm) for arm in study.design.arms))


def of_stimulus(**changes: Any) -> Callable[[Study], Study]:
    def change(arm: Arm) -> Arm:
        asked = arm.stimulus if arm.role == "stimulus" else None
        return replace(arm, stimulus=replace(asked, **changes)) if asked else arm

    return of_arms(change)


def of_placebo(arm: Arm) -> Arm:
    asked = arm.stimulus if arm.role == "placebo" else None
    return replace(arm, stimulus=replace(asked, text="other")) if asked else arm


def of_cues(arm: Arm) -> Arm:
    if arm.role != "loop" or arm.loop is None:
        return arm
    return replace(arm, strategy=looped(arm.strategy.name, replace(arm.loop, cues=((Cue("c", "anger", "negative", "other"),),))))


def of_rounds(arm: Arm) -> Arm:
    return replace(arm, strategy=looped(arm.strategy.name, replace(arm.loop, solved_at=0.5))) if arm.loop else arm


def of_prices(**changes: Any) -> Callable[[Study], Study]:
    return lambda study: replace(study, prices={**study.prices, "x": replace(study.prices["x"], **changes)})  # type: ignore[type-var]


def of_experiment(**changes: Any) -> Callable[[Study], Study]:
    return lambda study: replace(study, experiment=study.experiment.model_copy(update=changes))


def of_simulator(study: Study) -> Study:
    sim = study.sims["null"]
    price = sim.price.model_copy(update={"output_usd_per_mtok": 9.0})
    return replace(study, sims={**study.sims, "null": sim.model_copy(update={"price": price})})


HASHED: dict[str, tuple[str, Callable[[Study], Study]]] = {
    "an input": ("data", of_item(input="other")),
    "a right answer": ("data", of_item(targets=("other",))),
    "options": ("data", of_item(choices=("p", "q"))),
    "grades": ("data", of_item(scores=(0.25, 0.75))),
    "an item's name": ("data", of_item(id="other")),
    "an item more": ("data", of_task(lambda task: replace(task, items=(*task.items, task.items[0])))),
    "the order of items": ("data", of_task(lambda task: replace(task, items=task.items[::-1]))),
    "a base prompt": ("data", of_task(lambda task: replace(task, base_prompts={**task.base_prompts, "human": "other"}))),
    "whether options are shown": ("data", of_task(lambda task: replace(task, options="hidden"))),
    "a frame": ("data", of_task(lambda task: replace(task, frame=replace(task.frame, input_prefix="Question: ")))),
    "a cluster": ("data", of_item(cluster="other")),
    "what joins a stimulus": ("stimuli", of_stimulus(joined_by="; ")),
    "a metric": ("data", of_task(lambda task: replace(task, metric="ii_f1"))),
    "a strict scorer": ("data", of_task(lambda task: replace(task, strict="f1"))),
    "a task's name": ("data", of_task(lambda task: replace(task, name="other"))),
    "a demonstration's input": ("data", of_demo(input="other")),
    "a demonstration's output": ("data", of_demo(output="other")),
    "a demonstration's options": ("data", of_demo(choices=("p", "q"))),
    "a demonstration more": ("data", of_task(lambda task: replace(task, demos=(*task.demos, Demo("p", "q"))))),
    "a stimulus": ("stimuli", of_stimulus(text="other")),
    "a stimulus's name": ("stimuli", of_stimulus(id="lib/other")),
    "wordings": ("stimuli", of_stimulus(wordings=("one", "two"))),
    "a placebo": ("stimuli", of_arms(of_placebo)),
    "a cue": ("stimuli", of_arms(of_cues)),
    "a stop rule": ("stimuli", of_arms(of_rounds)),
    "the price of input": ("prices", of_prices(input_usd_per_mtok=1.5)),
    "the price of output": ("prices", of_prices(output_usd_per_mtok=2.5)),
    "a price that is unknown": ("prices", lambda study: replace(study, prices={**study.prices, "x": None})),
    "a price that is 0": ("prices", lambda study: replace(study, prices={**study.prices, "x": Price(0, 0)})),
    "a simulated model": ("simulators", of_simulator),
    "a seed": ("experiment", of_experiment(seed=2)),
    "items": ("experiment", of_experiment(items=21)),
    "a budget": ("experiment", of_experiment(budget_usd=3.0)),
}  # fmt: skip


@pytest.mark.parametrize("what", HASHED)
def test_whatever_decides_a_result_is_another_run_and_says_in_which_hash(study: Study, what: str) -> None:
    name, change = HASHED[what]
    changed = change(study)
    assert {key for key, value in changed.hashes.items() if value != study.hashes[key]} == {name}
    assert changed.run_id != study.run_id
    assert changed.run_id.rpartition("-")[0] == study.run_id.rpartition("-")[0]


def test_every_hash_counts_in_the_name_of_the_run(study: Study) -> None:
    assert set(study.hashes) == {"experiment", "data", "stimuli", "prices", "simulators"} == {name for name, _ in HASHED.values()}


def test_demonstrations_count_where_answers_are_graded_too(study: Study) -> None:
    graded = of_item(scores=(0.25, 0.75))(study)
    assert of_demo(output="other")(graded).hashes["data"] != graded.hashes["data"]


def test_an_unknown_price_is_not_0(study: Study) -> None:
    unknown, free = (HASHED[name][1](study) for name in ("a price that is unknown", "a price that is 0"))
    assert unknown.hashes["prices"] != free.hashes["prices"]


UNHASHED: dict[str, Callable[[Study], Study]] = {
    "where a price is from": of_prices(source="elsewhere"),
    "another simulated model": lambda study: replace(study, sims={name: study.sims[name] for name in ("null",)}),
    "notes": lambda study: replace(study, notes=("a note",)),
    "a licence": of_task(lambda task: replace(task, licence="other")),
    "the source of a stimulus": of_stimulus(source="other"),
    "the order of models": lambda study: replace(study, prices=dict(reversed(study.prices.items()))),
}


@pytest.mark.parametrize("what", UNHASHED)
def test_what_decides_no_result_is_the_same_run(study: Study, what: str) -> None:
    assert UNHASHED[what](study).run_id == study.run_id


def test_comments_and_the_order_of_keys_are_the_same_run(study: Study, folder: Path) -> None:
    lines = study.text.splitlines()
    path = folder / "reordered.yaml"
    path.write_text("\n".join(["# a comment", *lines[1:2], lines[0], *lines[2:]]) + "\n", encoding="utf-8")
    assert resolve(path).run_id == study.run_id


def test_a_changed_price_in_the_file_is_another_run(study: Study, folder: Path) -> None:
    path = folder / "dearer.yaml"
    path.write_text(study.text.replace("input_usd_per_mtok: 1,", "input_usd_per_mtok: 1.5,"), encoding="utf-8")
    dearer = resolve(path)
    assert {key for key, value in dearer.hashes.items() if value != study.hashes[key]} == {"experiment", "prices"}
    assert dearer.run_id != study.run_id


# --- the state that a view is of --------------------------------------------------------------------------------------

SHOWN = ("plan.json", "looks.json", "items.parquet", "journal.jsonl", "trials/part-00000.parquet")


@pytest.mark.parametrize("name", SHOWN)
def test_whatever_a_view_shows_is_another_stamp(tmp_path: Path, name: str) -> None:
    (tmp_path / "trials").mkdir()
    for one in SHOWN:
        (tmp_path / one).write_text("{}", encoding="utf-8")
    path = tmp_path / name
    before = stamp(tmp_path)
    assert stamp(tmp_path) == before
    then = path.stat().st_mtime_ns
    path.write_text('{"more": 1}', encoding="utf-8")
    os.utime(path, ns=(then, then))
    longer = stamp(tmp_path)
    assert longer != before, "another length at the same time"
    os.utime(path, ns=(then, then + 1))
    assert stamp(tmp_path) != longer, "the same length at another time"
    path.unlink()
    assert stamp(tmp_path) != before
    assert len(stamp(tmp_path)) == len(SHOWN) - 1


def test_a_part_more_is_another_stamp_and_the_lock_and_the_manifest_are_none(tmp_path: Path) -> None:
    """The manifest is rewritten all the time, and read anew by every page."""
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "part-00000.parquet").touch()
    before = stamp(tmp_path)
    for name in ("lock", "manifest.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert stamp(tmp_path) == before
    (tmp_path / "trials" / "part-00001.parquet").touch()
    assert len(stamp(tmp_path)) == 2


WITH_EVERYTHING = """
name: identity
question: Does an unused field rename a run?
tasks: [sum, sentiment, implicatures]
models: [sim/planted]
stimuli: [emotionprompt/EP02, emotionprompt-literal/EP01, [emotionprompt/EP02, emotionprompt/EP03]]
loops: [{name: heart, rounds: 2, policies: [anger]}]
placements: [paper, letters]
strategies: [single, {vote: {samples: 3}}]
items: 5
vary: {temperature: [0.5]}
"""


@pytest.mark.long
def test_an_unused_field_in_every_noun_renames_no_run(tmp_path: Path) -> None:
    """In a copy of the package every dataclass of `nouns` gets one more field."""
    (tmp_path / "identity.yaml").write_text(WITH_EVERYTHING, encoding="utf-8")
    for name in ("stimuli", "experiments"):
        shutil.copytree(ROOT / name, tmp_path / name)
    copy = tmp_path / "promptlab"
    shutil.copytree(ROOT / "promptlab", copy)  # with what Python has compiled, which the files changed below outdate
    changed = sum(_with_a_field(path) for path in (copy / "nouns").glob("*.py"))
    assert changed >= 25
    code = (
        "import sys; from pathlib import Path; from promptlab.planning.resolve import resolve; from promptlab.nouns.item import Item; "
        "study = resolve(Path(sys.argv[1])); print(study.run_id, *sorted(study.hashes.items()), hasattr(Item, 'unused_'), "
        "sorted({arm.setting.id for arm in study.design.arms}))"
    )
    said = []
    for place in (ROOT, tmp_path):
        env = {**os.environ, "PYTHONPATH": str(place)}
        command = [sys.executable, "-c", code, str(tmp_path / "identity.yaml")]
        done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "True" in said[1]
    assert said[0].replace("False", "") == said[1].replace("True", "")


def _with_a_field(path: Path) -> int:
    """Add a field with a default at the end of every dataclass of a module; returns how many there are."""
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]
    for node in sorted(found, key=lambda node: -(node.end_lineno or 0)):
        lines.insert(node.end_lineno or 0, '    unused_: str = "unused"')
    path.write_text("\n".join(lines), encoding="utf-8")
    return len(found)
