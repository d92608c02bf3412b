"""What a cheating author may do to a run or a bundle; each cheat takes the folder, and goes as far as it can without asking a model."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from promptlab.nouns import CALL_COLUMNS, ITEM_COLUMNS, TRIAL_COLUMNS, digest
from promptlab.planning.hashes import hash_of_experiment, name_of_run
from promptlab.record.store import Run
from promptlab.record.store.chain import CHAIN, Chain
from promptlab.record.store.writing import table_of, write_table
from promptlab.reporting import audited
from promptlab.reporting.remade import study_of
from promptlab.running import bundle
from promptlab.running.cache import Cache
from promptlab.sources.spec.experiment import load_experiment

Edit = Callable[[dict[str, Any]], object]


def changed(folder: Path, name: str, edit: Edit) -> None:
    """One of the JSON files, edited."""
    value = json.loads((folder / name).read_text())
    edit(value)
    (folder / name).write_text(json.dumps(value, indent=2))


def rows_changed(folder: Path, kind: str, edit: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Every row of the parts, edited; None leaves it out."""
    for path in sorted((folder / kind).glob("part-*.parquet")):
        rows = [row for found in pq.read_table(path).to_pylist() if (row := edit(dict(found))) is not None]
        write_table(path, table_of(rows, TRIAL_COLUMNS if kind == "trials" else CALL_COLUMNS))


def rechained(folder: Path) -> None:
    """Chain and manifest made to fit whatever the parts are."""
    (folder / CHAIN).unlink()
    chain = Chain(folder)
    changed(folder, "manifest.json", lambda m: m.update(chain=chain.plain()))


def replanned(folder: Path, edit: Edit) -> None:
    """The plan edited, and its hash in the manifest made to fit."""
    changed(folder, "plan.json", edit)
    plan = digest(json.loads((folder / "plan.json").read_text()))
    changed(folder, "manifest.json", lambda m: m["hashes"].update(plan=plan))


def flipped(row: dict[str, Any]) -> dict[str, Any]:
    """A treatment's wrong answer counts as right."""
    return {**row, "score": 1.0} if row["role"] == "stimulus" and row["score"] == 0.0 else row


def reworded(folder: Path) -> None:
    """Items with other right answers, which the treatment gave."""
    rows = pq.read_table(folder / "items.parquet").to_pylist()
    rows[0]["targets"] = json.dumps(["something else"])
    write_table(folder / "items.parquet", table_of(rows, ITEM_COLUMNS))


def renamed(folder: Path) -> None:
    """Margins edited everywhere, every hash recomputed, and the run named after them: another run, from another file."""
    path = folder / "experiment.yaml"
    path.write_text(path.read_text() + "analysis: {margin_mean_points: 20}\n")
    now = hash_of_experiment(load_experiment(path)[0])

    def plan(p: dict[str, Any]) -> None:
        p["margins"]["mean"] = 0.2
        p["hashes"]["experiment"] = now
        p["run"] = name_of_run(p["name"], p["hashes"])

    replanned(folder, plan)
    name = json.loads((folder / "plan.json").read_text())["run"]
    changed(folder, "manifest.json", lambda m: (m.update(id=name), m["hashes"].update(experiment=now)))


def answers_replaced(folder: Path) -> None:
    """Right answers put into the treatment's mouth, and the whole run made of them by promptlab itself."""
    run = Run(folder)
    right = {(row["task"], row["item"]): row["targets"][0] for row in run.each_item()}
    better = {
        t.trial: right[t.task, t.item] for t in run.trials().itertuples() if t.role == "stimulus" and t.task == "sum" and t.score == 0.0
    }
    assert better
    rows_changed(folder, "calls", lambda row: {**row, "text": better[row["trial"]]} if row["trial"] in better else row)
    with tempfile.TemporaryDirectory() as place:
        answers = Cache(Path(place) / "cache")
        answers.put_many(list(bundle.of_run(run)))
        answers.close()
        made = audited.replayed(study_of(run), Path(place)).folder
        shutil.rmtree(folder)
        shutil.copytree(made, folder)


def arm_dropped(folder: Path) -> None:
    gone = {t for t, role in zip(*Run(folder).trials()[["trial", "role"]].T.to_numpy(), strict=True) if role == "placebo"}
    for kind in ("trials", "calls"):
        rows_changed(folder, kind, lambda row: None if row["trial"] in gone else row)
    rechained(folder)


def copied_repeat(folder: Path) -> None:
    """The repeat of the baseline overwritten by the baseline, so that A/A agrees."""
    frame = Run(folder).trials()
    first = {(r.task, r.item): r for r in frame[frame["role"] == "baseline"].itertuples()}

    def trial(row: dict[str, Any]) -> dict[str, Any]:
        if row["role"] == "aa":
            own = first[row["task"], row["item"]]
            row.update(answer=own.answer, score=own.score, extracted=own.extracted)
        return row

    rows_changed(folder, "trials", trial)
    rechained(folder)


def exchanged(folder: Path) -> None:
    """Where one of baseline and sentence is right, each has the other's answer."""
    frame = Run(folder).trials()
    of_role = {role: frame[frame["role"] == role].set_index(["task", "item"]) for role in ("baseline", "stimulus")}
    both = of_role["baseline"].add_suffix("_a").join(of_role["stimulus"].add_suffix("_b"))
    other = {}
    for row in both[both["score_a"] != both["score_b"]].to_dict("records"):
        for here, there in ("ab", "ba"):
            other[row[f"trial_{here}"]] = {name: row[f"{name}_{there}"] for name in ("answer", "score", "extracted", "outcome")}
    assert other
    rows_changed(folder, "trials", lambda row: {**row, **other.get(row["trial"], {})})
    rechained(folder)


class Cheat(NamedTuple):
    """What is done, and which of report and audit notice it."""

    name: str
    do: Callable[[Path], object]
    report: bool = True
    audit: bool = True
    otherwise: str = ""
    """What else notices it, or why nothing can."""


CHEATS = (
    Cheat("scores of wrong answers flipped", lambda f: rows_changed(f, "trials", flipped)),
    Cheat("the same, and the chain recomputed", lambda f: (rows_changed(f, "trials", flipped), rechained(f))),
    Cheat("a margin edited in the plan", lambda f: changed(f, "plan.json", lambda p: p["margins"].update(mean=0.001))),
    Cheat("the same, and the plan's hash recomputed", lambda f: replanned(f, lambda p: p["margins"].update(mean=0.001))),
    Cheat("hypotheses deleted, hash recomputed", lambda f: replanned(f, lambda p: p.update(hypotheses=p["hypotheses"][:4]))),
    Cheat("a hypothesis moved into a smaller family", lambda f: replanned(f, lambda p: p["hypotheses"][-1].update(family="own"))),
    Cheat("alpha raised in the plan", lambda f: replanned(f, lambda p: p.update(alpha=0.2))),
    Cheat("the margin edited in plan and experiment", lambda f: (
        (f / "experiment.yaml").write_text((f / "experiment.yaml").read_text() + "analysis: {margin_mean_points: 20}\n"),
        replanned(f, lambda p: p["margins"].update(mean=0.2)),
    )),
    Cheat("another sentence in the plan than was sent", lambda f: replanned(
        f, lambda p: next(a for a in p["arms"] if a["role"] == "stimulus")["stimulus"].update(text="Take care."))),
    Cheat("right answers of items edited", reworded),
    Cheat("the neutral arm dropped from the record", arm_dropped),
    Cheat("a part replaced by an edited one, answers unlike scores", lambda f: (
        rows_changed(f, "trials", lambda row: {**row, "answer": "7"} if row["role"] == "aa" else row), rechained(f))),
    Cheat("a sentence and its neutral texts exchanged", lambda f: (rows_changed(f, "trials", lambda row: {
        **row, "role": {"stimulus": "placebo", "placebo": "stimulus"}.get(row["role"], row["role"])}), rechained(f))),
    Cheat("clusters of items split", lambda f: (
        rows_changed(f, "trials", lambda row: {**row, "cluster": f"own {row['item']}"}), rechained(f))),
    Cheat("the run called imported, and scores flipped", lambda f: (
        replanned(f, lambda p: p.update(imported=True)), rows_changed(f, "trials", flipped), rechained(f))),
    Cheat("no scorer in the plan, and scores flipped", lambda f: (
        replanned(f, lambda p: p.update(scorer=None)), rows_changed(f, "trials", flipped), rechained(f))),
    Cheat("the registration of another plan", lambda f: changed(
        f, "manifest.json", lambda m: m.update(registered={"at": "2020-01-01T00:00:00+00:00", "sha256": "0" * 64, "plan": "1" * 64}))),
    Cheat("right and wrong answers exchanged between two arms", exchanged, report=False),
    Cheat("the repeat overwritten by the baseline", copied_repeat, report=False),
    Cheat("prompts edited in the calls", lambda f: (
        rows_changed(f, "calls", lambda row: {**row, "messages": row["messages"].replace("Input", "Question")}), rechained(f)),
        report=False),
    Cheat("a model called by another name", lambda f: (
        changed(f, "manifest.json", lambda m: m["models"]["sim/planted"].update(litellm_name="openai/gpt-4o")))),
    Cheat("SIMULATED taken out of the manifest", lambda f: changed(
        f, "manifest.json", lambda m: m.update(simulated=False, simulated_models=[]))),
    Cheat("a part deleted", lambda f: [(f / kind / "part-00000.parquet").unlink() for kind in ("trials", "calls")]),
    Cheat("the plan of an earlier format, with a margin edited", lambda f: (
        replanned(f, lambda p: (p.update(format=1), p["margins"].update(mean=0.001))))),
    Cheat("another file and plan from the start, all hashes and names recomputed", renamed, report=False, audit=False,
          otherwise="it is a consistent run of another plan; the registration and the author's registry name the first"),
    Cheat("answers replaced, with scores and chain to match", answers_replaced, report=False, audit=False,
          otherwise="`--ask`, as far as its sample reaches: the model answers otherwise"),
)  # fmt: skip


def copy(run: Path, to: Path) -> Path:
    """The run in a folder of the same name."""
    folder = to / run.name
    shutil.copytree(run, folder)
    return folder
