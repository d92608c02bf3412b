"""What a cheating author may do to a run or a bundle; each cheat takes the folder, and goes as far as it can without asking a model."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from promptlab.nouns import CALL_COLUMNS, ITEM_COLUMNS, TRIAL_COLUMNS, Call, digest
from promptlab.planning.audit import audit
from promptlab.planning.hashes import hash_of_experiment, name_of_run
from promptlab.planning.resolve import resolve
from promptlab.record.ratings import Rating, add
from promptlab.record.store import Run
from promptlab.record.store.chain import CHAIN, Chain
from promptlab.record.store.writing import table_of, write_table
from promptlab.reporting import audited
from promptlab.reporting.remade import study_of
from promptlab.running import bundle
from promptlab.running.budget import usd_reached
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
    rows_changed(folder, "calls", lambda row: {**row, "first_run": name})
    rechained(folder)


def answers_replaced(folder: Path) -> None:
    """Right answers put into the treatment's mouth, and the whole run made of them by promptlab itself."""
    run = Run(folder)
    right = {(row["task"], row["item"]): row["targets"][0] for row in run.each_item()}
    better = {
        t.trial: right[t.task, t.item] for t in run.trials().itertuples() if t.role == "stimulus" and t.task == "sum" and t.score == 0.0
    }
    assert better
    rows_changed(folder, "calls", lambda row: {**row, "text": better[row["trial"]]} if row["trial"] in better else row)
    made_again(folder, run)


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


def swapped(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Where one of baseline and sentence is right: what each trial has after both have exchanged their answers."""
    of_role = {role: frame[frame["role"] == role].set_index(["task", "item"]) for role in ("baseline", "stimulus")}
    both = of_role["baseline"].add_suffix("_a").join(of_role["stimulus"].add_suffix("_b"))
    other = {}
    for row in both[both["score_a"] != both["score_b"]].to_dict("records"):
        for here, there in ("ab", "ba"):
            other[row[f"trial_{here}"]] = {name: row[f"{name}_{there}"] for name in ("answer", "score", "extracted", "outcome")}
    assert other
    return other


def exchanged(folder: Path) -> None:
    """Where one of baseline and sentence is right, each has the other's answer."""
    other = swapped(Run(folder).trials())
    rows_changed(folder, "trials", lambda row: {**row, **other.get(row["trial"], {})})
    rechained(folder)


def failed_instead(row: dict[str, Any], treated: dict[str, float]) -> dict[str, Any]:
    """A treatment's wrong trial, or its call, as a failure."""
    return {**row, "outcome": "error", "score": None, "error": "timeout: no answer"} if treated.get(row["trial"]) == 0.0 else row


def of_treatment(folder: Path) -> dict[str, float]:
    """Scores of the treatment, by trial."""
    frame = Run(folder).trials()
    return dict(frame.loc[frame["role"] == "stimulus", ["trial", "score"]].itertuples(index=False))


def failures_made(folder: Path, traces: bool = True, calls: bool = True) -> None:
    """Wrong answers called failed calls: with traces of the answers in the calls, or with none anywhere."""
    wrong = of_treatment(folder)
    blank = {} if traces else {"text": "", "finish_reason": None, **dict.fromkeys(("input_tokens", "output_tokens", "model_version"))}
    gone = {} if traces else {"answer": "", "cost_usd": 0.0, "paid_usd": 0.0, "extracted": None, "rule": None, **dict.fromkeys(
        ("input_tokens", "output_tokens", "compliant", "echoed", "declined", "solved_round", "model_version"))}  # fmt: skip

    def edited(row: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        found = failed_instead(row, wrong)
        return found if found is row else {**found, **{name: value for name, value in more.items() if name in row}}

    rows_changed(folder, "trials", lambda row: edited(row, gone))
    if calls:
        rows_changed(folder, "calls", lambda row: edited(row, {**blank, **gone}))
    if not traces:
        recounted(folder)
    rechained(folder)


def recounted(folder: Path) -> None:
    """The manifest's counts and sums made to fit the trials."""
    frame = Run(folder).trials()
    errors, usd = int((frame["outcome"] == "error").sum()), float(frame["paid_usd"].sum())
    state = {} if len(frame) == Run(folder).plan.counts.trials and not errors else {"state": "incomplete"}
    changed(folder, "manifest.json", lambda m: (
        m.update(paid_usd=usd, **state), m["spent"].update(usd=usd), m["counts"].update(done=len(frame), errors=errors)))  # fmt: skip


def dropped(folder: Path, left_out: Callable[[Any], bool]) -> None:
    """Trials dropped with their calls, and the end of the budget as the reason."""
    frame = Run(folder).trials()
    gone = set(frame.loc[[bool(left_out(row)) for row in frame.itertuples()], "trial"])
    assert gone
    for kind in ("trials", "calls"):
        rows_changed(folder, kind, lambda row: None if row["trial"] in gone else row)
    recounted(folder)
    spent = Run(folder).manifest.spent.usd
    changed(folder, "manifest.json", lambda m: m.update(
        state="budget", budget_reached=usd_reached(spent * 1.001, f"${spent:.4f} is spent", 0.1)))  # fmt: skip
    rechained(folder)


def killed(folder: Path, left_out: Callable[[Any], bool]) -> None:
    """The run called one that was killed, with trials dropped here and there, and no count of them."""
    dropped(folder, left_out)
    n = len(Run(folder).trials())
    changed(folder, "manifest.json", lambda m: (m.update(state="running", budget_reached=None), m["counts"].update(done=n)))


def rows_twice(folder: Path) -> None:
    """Each trial of the treatment again, as right."""
    for path in sorted((folder / "trials").glob("part-*.parquet")):
        rows = pq.read_table(path).to_pylist()
        write_table(path, table_of([*rows, *(flipped(dict(row)) for row in rows if row["role"] == "stimulus")], TRIAL_COLUMNS))
    rechained(folder)


def prices_halved(folder: Path) -> None:
    """Half of each price in the manifest, and of each cost."""

    def halved(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, **{name: value / 2 for name, value in row.items() if "usd" in name and isinstance(value, float)}}

    changed(folder, "manifest.json", lambda m: m.update(prices={name: halved(price) for name, price in m["prices"].items()}))
    for kind in ("trials", "calls"):
        rows_changed(folder, kind, halved)
    recounted(folder)
    rechained(folder)


def costs_halved(folder: Path, calls: bool = False, tokens: bool = False) -> None:
    """What the treatment cost, halved: in the trials, in their calls, and in tokens and sums as well."""
    own, names = of_treatment(folder), ("cost_usd", "paid_usd", *(("input_tokens", "output_tokens") if tokens else ()))

    def halved(row: dict[str, Any]) -> dict[str, Any]:
        if row["trial"] not in own:
            return row
        found = {**row, **{name: row[name] // 2 if "tokens" in name else row[name] / 2 for name in names if row.get(name) is not None}}
        price = Run(folder).manifest.prices["sim/planted"] if tokens else None
        if price is not None:
            usd = price.cost(found["input_tokens"], found["output_tokens"])
            found.update({name: usd for name in ("cost_usd", "paid_usd") if row.get(name)})
        return found

    for kind in ("trials", "calls") if calls else ("trials",):
        rows_changed(folder, kind, halved)
    if tokens:
        recounted(folder)
    rechained(folder)


def rekeyed(folder: Path) -> None:
    """Other prompts in the calls, under the keys that they would have had."""

    def edited(row: dict[str, Any]) -> dict[str, Any]:
        messages = row["messages"].replace("Input", "Question")
        call = Call("sim/planted", tuple(json.loads(messages)), json.loads(row["requested"]))
        return {**row, "messages": messages, "key": call.key}

    rows_changed(folder, "calls", edited)
    rechained(folder)


def of_another_version(cheat: Callable[[Path], object]) -> Callable[[Path], None]:
    """A cheat, and the run called one of another version, whose prompts nobody can make again."""

    def do(folder: Path) -> None:
        cheat(folder)
        changed(folder, "manifest.json", lambda m: m["versions"].update(promptlab="0.0.1"))

    return do


def margin_everywhere(folder: Path) -> None:
    """The margin in plan and experiment."""
    (folder / "experiment.yaml").write_text((folder / "experiment.yaml").read_text() + "analysis: {margin_mean_points: 20}\n")
    replanned(folder, lambda p: p["margins"].update(mean=0.2))


def judgements_edited(folder: Path) -> None:
    rows_changed(folder, "calls", lambda row: {**row, "text": "4"} if row["purpose"] == "score" else row)
    rechained(folder)


def of_some(folder: Path, kinds: tuple[str, ...] = ("trials",), **values: Any) -> None:
    """Columns of the treatment's rows set to other values, in trials, calls or both."""
    own = of_treatment(folder)
    for kind in kinds:
        rows_changed(folder, kind, lambda row: {**row, **{k: v for k, v in values.items() if k in row}} if row["trial"] in own else row)
    rechained(folder)


def item_twice(folder: Path) -> None:
    rows = pq.read_table(folder / "items.parquet").to_pylist()
    write_table(folder / "items.parquet", table_of([*rows, {**rows[0], "item": "again"}], ITEM_COLUMNS))


def import_invented(folder: Path, files: bool) -> None:
    """Scores flipped in a run that is called another tool's: of a file that somebody made up, or of none."""
    hashes = {"a.json": "1" * 64} if files else {}
    named = [{"file": name, "tool": "a tool", "sha256": sha} for name, sha in hashes.items()]
    replanned(folder, lambda plan: plan.update(imported=True, hashes=hashes))
    changed(folder, "manifest.json", lambda m: m.update(
        imported=True, provenance={"tool": "a tool", "files": named}, hashes={**hashes, "plan": m["hashes"]["plan"]}))  # fmt: skip
    called_imported_only(folder)


def spliced_in_two_sessions(folder: Path) -> None:
    """The treatment's answers of another day, in a run that is said to have gone on that day."""
    times_moved(folder, whole=False)
    changed(folder, "manifest.json", lambda m: m.update(sessions=2))


def version_renamed(folder: Path, calls: bool = False) -> None:
    """Answers called those of another version of their model, in trials and manifest, or in the calls as well."""
    for kind in ("trials", "calls") if calls else ("trials",):
        rows_changed(folder, kind, lambda row: {**row, "model_version": "gpt-9"} if row["model_version"] else row)
    changed(folder, "manifest.json", lambda m: m.update(served={"sim/planted": ["gpt-9"]}))
    rechained(folder)


def replies_exchanged(folder: Path) -> None:
    """Where one of baseline and sentence is right, the request of each is given the other's reply; promptlab itself makes the run of it."""
    other = {trial: row["answer"] for trial, row in swapped(Run(folder).trials()).items()}
    rows_changed(folder, "calls", lambda row: {**row, "text": other.get(row["trial"], row["text"])})
    made_again(folder, Run(folder))


def made_again(folder: Path, run: Run, experiment: Path | None = None) -> None:
    """The whole run made of the calls in it by promptlab itself, of its experiment or another one."""
    with tempfile.TemporaryDirectory() as place:
        answers = Cache(Path(place) / "cache")
        answers.put_many(list(bundle.of_run(run)))
        answers.close()
        made = audited.replayed(study_of(run) if experiment is None else resolve(experiment), Path(place)).folder
        shutil.rmtree(folder)
        shutil.copytree(made, folder)


def arm_removed(folder: Path) -> None:
    """The experiment without the neutral texts, and the run made of it: consistent, and another plan."""
    path = folder.parent / "fewer.yaml"
    text = (folder / "experiment.yaml").read_text()
    path.write_text(text.replace("placebos: matched, per_stimulus: 1", "placebos: [], no_placebo_reason: dear"))
    made_again(folder, Run(folder), path)


def evidenced(folder: Path, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Calls with the evidence of a provider, forged as `edit` says."""
    rows_changed(folder, "calls", lambda row: edit(
        {**row, "response_id": row["trial"], "request_id": row["trial"], "dated": row["answered_at"]}))  # fmt: skip
    rechained(folder)


def moved(text: str, days: int = 1) -> str:
    """A time, so many days later."""
    return (datetime.fromisoformat(text) + timedelta(days=days)).isoformat()


def times_moved(folder: Path, whole: bool = True) -> None:
    """The answers of the treatment from another day, as those of another run are; or the whole run, with its manifest."""
    own = Run(folder).trials()["trial"] if whole else of_treatment(folder)
    chosen = set(own)
    rows_changed(folder, "calls", lambda row: {**row, "answered_at": moved(row["answered_at"])} if row["trial"] in chosen else row)
    changed(
        folder, "manifest.json", lambda m: m.update({name: moved(m[name]) for name in (("created_at",) if whole else ()) + ("updated_at",)})
    )
    rechained(folder)


def names_exchanged(folder: Path) -> None:
    """All rows of a sentence under the name of its neutral text, ids and all, and the reverse."""
    names = ("trial", "order", "arm", "role", "stimulus", "library")
    rows = [row for path in (folder / "trials").glob("part-*.parquet") for row in pq.read_table(path).to_pylist()]
    of_role = {role: {(row["task"], row["item"]): row for row in rows if row["role"] == role} for role in ("stimulus", "placebo")}
    other = {}
    for one, two in (("stimulus", "placebo"), ("placebo", "stimulus")):
        other |= {row["trial"]: {name: of_role[two][place][name] for name in names} for place, row in of_role[one].items()}
    rows_changed(folder, "calls", lambda row: {**row, "trial": other.get(row["trial"], row)["trial"]})
    rows_changed(folder, "trials", lambda row: {**row, **other.get(row["trial"], {})})
    rechained(folder)


def where_it_hurt(folder: Path) -> set[tuple[str, str]]:
    """Task and item where the treatment was worse than the prompt alone or the neutral text, or the first one."""
    score = Run(folder).trials().pivot_table(index=["task", "item"], columns="role", values="score")
    worse = (score["stimulus"] < score["baseline"]) | (score["stimulus"] < score["placebo"])
    return set(score.index[worse]) or {score.index[0]}


def items_left_out(folder: Path) -> None:
    """Items where the treatment hurt left out of items, trials, calls and plan, under hashes and a name that fit."""
    gone = where_it_hurt(folder)
    trials = {row.trial for row in Run(folder).trials().itertuples() if (row.task, row.item) in gone}
    rows = [row for row in pq.read_table(folder / "items.parquet").to_pylist() if (row["task"], row["item"]) not in gone]
    write_table(folder / "items.parquet", table_of(rows, ITEM_COLUMNS))

    def smaller(plan: dict[str, Any]) -> None:
        for task in plan["tasks"]:
            task["n_items"] -= sum(name == task["task"] for name, _ in gone)
        plan["counts"].update(items=plan["counts"]["items"] - len(gone), trials=plan["counts"]["trials"] - len(trials))

    changed(folder, "plan.json", smaller)
    data = next(check.now for check in audit(Run(folder)) if check.what == "data")
    replanned(folder, lambda p: (p["hashes"].update(data=data), p.update(run=name_of_run(p["name"], p["hashes"]))))
    name = json.loads((folder / "plan.json").read_text())["run"]
    rows_changed(folder, "trials", lambda row: None if row["trial"] in trials else row)
    rows_changed(folder, "calls", lambda row: None if row["trial"] in trials else {**row, "first_run": name})
    n = len(Run(folder).trials())
    changed(folder, "manifest.json", lambda m: (m.update(id=name), m["hashes"].update(data=data), m["counts"].update(planned=n, sent=n)))
    recounted(folder)
    rechained(folder)


def judges_paid(folder: Path, price: bool = False) -> None:
    """Half of what the judge's calls cost, with sums, and its frozen price as well."""

    def halved(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, **{name: value / 2 for name, value in row.items() if "usd" in name and isinstance(value, float)}}

    rows_changed(folder, "calls", lambda row: halved(row) if row["purpose"] == "score" else row)
    calls = Run(folder).calls()
    paid = calls["cost_usd"].where(~calls["cached"].astype(bool), 0.0).groupby(calls["trial"]).sum()
    rows_changed(folder, "trials", lambda row: {**row, "paid_usd": float(paid[row["trial"]])})
    recounted(folder)
    if price:
        changed(folder, "manifest.json", lambda m: m["prices"].update({"sim/judge": halved(m["prices"]["sim/judge"])}))
    rechained(folder)


def files_gone(folder: Path) -> None:
    """Answers exchanged in a run on a task of the author's own, whose file is gone, so that no prompt can be made again."""
    exchanged(folder)
    changed(folder, "manifest.json", lambda m: m.update(experiment_path="gone/x.yaml"))


def called_imported(folder: Path) -> None:
    """Scores flipped in a run that is called another tool's, without its experiment and its calls."""
    replanned(folder, lambda plan: plan.update(imported=True))
    changed(folder, "manifest.json", lambda m: m.update(imported=True, provenance={"tool": "a tool", "files": []}))
    called_imported_only(folder)


def called_imported_only(folder: Path) -> None:
    """What an import does not hold taken away, and scores flipped."""
    (folder / "experiment.yaml").unlink()
    rows_changed(folder, "trials", flipped)
    rows_changed(folder, "calls", lambda row: None)
    rechained(folder)


def repair_invented(folder: Path) -> None:
    """Trials dropped, and a link of the chain that says that a repair did not find them."""
    dropped(folder, lambda row: row.order < 30 and row.order % 3)
    chain = Chain(folder)
    chain.gone(["part-00009.parquet"])
    changed(folder, "manifest.json", lambda m: m.update(chain=chain.plain()))


def damage_invented(folder: Path) -> None:
    """A manifest that a repair would have put aside: the one after it begins later than the first answers."""
    (folder / "damaged").mkdir()
    (folder / "damaged" / "manifest.json").write_text("{")


def rating_edited(folder: Path) -> None:
    """The first of two ratings, edited in its file."""
    for unit in ("a", "b"):
        add(folder, Rating("r1", unit, "rate", {"good": 1}))
    path = folder / "ratings" / "r1.jsonl"
    path.write_text(path.read_text().replace('{"good": 1}', '{"good": 5}', 1))


class Cheat(NamedTuple):
    """What is done, and which of report and audit notice it."""

    name: str
    do: Callable[[Path], object]
    report: bool = True
    audit: bool = True
    otherwise: str = ""
    """What else notices it, or why nothing can."""
    of: str = "plain"
    """The run that it is done to: `plain`, or `judged`."""


CHEATS = (
    Cheat("scores of wrong answers flipped", lambda f: rows_changed(f, "trials", flipped)),
    Cheat("the same, and the chain recomputed", lambda f: (rows_changed(f, "trials", flipped), rechained(f))),
    Cheat("a margin edited in the plan", lambda f: changed(f, "plan.json", lambda p: p["margins"].update(mean=0.001))),
    Cheat("the same, and the plan's hash recomputed", lambda f: replanned(f, lambda p: p["margins"].update(mean=0.001))),
    Cheat("hypotheses deleted, hash recomputed", lambda f: replanned(f, lambda p: p.update(hypotheses=p["hypotheses"][:4]))),
    Cheat("a hypothesis moved into a smaller family", lambda f: replanned(f, lambda p: p["hypotheses"][-1].update(family="own"))),
    Cheat("alpha raised in the plan", lambda f: replanned(f, lambda p: p.update(alpha=0.2))),
    Cheat("the margin edited in plan and experiment", margin_everywhere),
    Cheat("how answers are scored edited in the plan, hash recomputed", lambda f: replanned(
        f, lambda p: p["tasks"][0].update(metric="contains"))),
    Cheat("the temperature edited in the plan, hash recomputed", lambda f: replanned(f, lambda p: p["sampling"].update(temperature=1.0))),
    Cheat("items called made up from counts, hash recomputed", lambda f: replanned(f, lambda p: p.update(reconstructed=True))),
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
    Cheat("right and wrong answers exchanged between two arms", exchanged),
    Cheat("the repeat overwritten by the baseline", copied_repeat),
    Cheat("prompts edited in the calls", lambda f: (
        rows_changed(f, "calls", lambda row: {**row, "messages": row["messages"].replace("Input", "Question")}), rechained(f))),
    Cheat("the same, under the keys that they would have", rekeyed),
    Cheat("answers exchanged, and the run called one of another version", of_another_version(exchanged)),
    Cheat("prompts edited in the calls, and the same", of_another_version(lambda f: (
        rows_changed(f, "calls", lambda row: {**row, "messages": row["messages"].replace("Input", "Question")}), rechained(f)))),
    Cheat("how answers are scored edited in the plan, hash recomputed, and the same", of_another_version(
        lambda f: replanned(f, lambda p: p["tasks"][0].update(metric="contains")))),
    Cheat("names of a sentence and its neutral text exchanged in every row, and the same", of_another_version(names_exchanged)),
    Cheat("parameters sent edited in the manifest, and the same", of_another_version(lambda f: changed(
        f, "manifest.json", lambda m: m["effective"]["sim/planted"].update(temperature=1.0)))),
    Cheat("prices halved, and all costs with them, and the same", of_another_version(prices_halved)),
    Cheat("judgements edited in the calls, and the same", of_another_version(judgements_edited), of="judged"),
    Cheat("wrong answers called failed trials", lambda f: failures_made(f, calls=False)),
    Cheat("the same in the calls, which keep tokens", failures_made),
    Cheat("answers dropped here and there, and counts, sums and a reached budget made to fit",
          lambda f: dropped(f, lambda row: row.order < 30 and row.order % 3)),
    Cheat("the same in a run that is called killed, with its counts edited",
          lambda f: killed(f, lambda row: row.order < 30 and row.order % 3)),
    Cheat("the same, and its only model called stopped", lambda f: (
        dropped(f, lambda row: row.order < 62),
        changed(f, "manifest.json", lambda m: m.update(state="incomplete", budget_reached=None, stopped={"sim/planted": "HTTP 500"})))),
    Cheat("fewer planned trials in the plan, hash recomputed", lambda f: replanned(f, lambda p: p["counts"].update(trials=32))),
    Cheat("rows given twice, the later one better", rows_twice),
    Cheat("another question in the manifest", lambda f: changed(f, "manifest.json", lambda m: m.update(question="Another one?"))),
    Cheat("a version that answered left out of the manifest", lambda f: changed(f, "manifest.json", lambda m: m.update(served={}))),
    Cheat("prices halved, and all costs with them", prices_halved),
    Cheat("a run called killed, trials dropped and still counted", lambda f: (
        dropped(f, lambda row: row.order == 5),
        changed(f, "manifest.json", lambda m: (m.update(state="running"), m["counts"].update(done=64))))),
    Cheat("costs changed in the trials", costs_halved),
    Cheat("the same in the calls", lambda f: costs_halved(f, calls=True)),
    Cheat("trials left out of the manifest's counts", lambda f: changed(f, "manifest.json", lambda m: m["counts"].update(sent=3))),
    Cheat("the clock set back, so that the plan looks older", lambda f: evidenced(
        f, lambda row: {**row, "dated": "2999-01-01T00:00:00+00:00"})),
    Cheat("one answer given to several requests, with its ids", lambda f: evidenced(
        f, lambda row: {**row, "response_id": "a", "request_id": "b"})),
    Cheat("a rating edited", rating_edited),
    Cheat("a model called by another name", lambda f: (
        changed(f, "manifest.json", lambda m: m["models"]["sim/planted"].update(litellm_name="openai/gpt-4o")))),
    Cheat("SIMULATED taken out of the manifest", lambda f: changed(
        f, "manifest.json", lambda m: m.update(simulated=False, simulated_models=[]))),
    Cheat("a part deleted", lambda f: [(f / kind / "part-00000.parquet").unlink() for kind in ("trials", "calls")]),
    Cheat("the plan of an earlier format, with a margin edited", lambda f: (
        replanned(f, lambda p: (p.update(format=1), p["margins"].update(mean=0.001))))),
    Cheat("a registration of this plan invented", lambda f: changed(
        f, "manifest.json", lambda m: m.update(
            registered={"at": "2020-01-01T00:00:00+00:00", "sha256": "0" * 64, "plan": m["hashes"]["plan"]})),
          report=False, audit=False, otherwise="its document, and a stamp of that by somebody else"),
    Cheat("another file and plan from the start, all hashes and names recomputed", renamed, report=False, audit=False,
          otherwise="it is a consistent run of another plan; the registration and the author's registry name the first"),
    Cheat("an arm removed from the start, and the run made of the rest", arm_removed, report=False, audit=False,
          otherwise="the same"),
    Cheat("wrong answers called failed calls, and nothing left of them", lambda f: failures_made(f, traces=False),
          report=False, audit=False, otherwise="the report: missing answers count against the sentence in its bounds"),
    Cheat("as many trials dropped anywhere as may have been in flight, and everything made to fit",
          lambda f: dropped(f, lambda row: row.order in (5, 9)), report=False, audit=False,
          otherwise="the report: the run is not whole, and missing answers count against the sentence"),
    Cheat("prompts edited under their keys, and the run called one of another version", of_another_version(rekeyed),
          report=False, otherwise="the report: it counts requests that this version makes otherwise"),
    Cheat("the margin edited in plan and experiment, and the same", of_another_version(margin_everywhere),
          report=False, otherwise="the report: it names the experiment's other SHA-256"),
    Cheat("times of answers edited", lambda f: (rows_changed(
        f, "calls", lambda row: {**row, "latency_s": 0.1, "answered_at": "2020-01-01T00:00:00+00:00"}), rechained(f))),
    Cheat("two runs spliced: the treatment's answers are of another day", lambda f: times_moved(f, whole=False)),
    Cheat("times of the run and of its answers moved together, where providers date answers", lambda f: (
        evidenced(f, lambda row: {**row, "dated": moved(row["dated"], -1)}), times_moved(f))),
    Cheat("the same, where no provider dates answers", times_moved, report=False, audit=False,
          otherwise="the report: times are the author's word; a registration with a stamp by somebody else"),
    Cheat("older answers called this run's own in its trials", lambda f: (
        rows_changed(f, "calls", lambda row: {**row, "first_run": "small-00000000"}), rechained(f))),
    Cheat("parameters sent, edited in the manifest", lambda f: changed(
        f, "manifest.json", lambda m: m["effective"]["sim/planted"].update(temperature=1.0))),
    Cheat("the same in the calls", lambda f: (
        changed(f, "manifest.json", lambda m: m["effective"]["sim/planted"].update(temperature=1.0)),
        rows_changed(f, "calls", lambda row: {**row, "effective": json.dumps({**json.loads(row["effective"]), "temperature": 1.0})}),
        rechained(f))),
    Cheat("the version that answered renamed in trials and manifest", version_renamed),
    Cheat("the same in the calls", lambda f: version_renamed(f, calls=True), report=False, audit=False, otherwise="`--ask`"),
    Cheat("names of a sentence and its neutral text exchanged in every row", names_exchanged),
    Cheat("items where it hurt left out of everything, all hashes and the name recomputed", items_left_out),
    Cheat("called another tool's run, without experiment and calls, and scores flipped", called_imported),
    Cheat("the same, of no file at all", lambda f: import_invented(f, files=False)),
    Cheat("the same, of a file and a hash that are made up", lambda f: import_invented(f, files=True), report=False, audit=False,
          otherwise="the report calls it an import; the other tool's file has that hash or has it not"),
    Cheat("seconds or attempts edited in the trials", lambda f: of_some(f, latency_s=0.001)),
    Cheat("seconds, finish reasons or tokens of thought edited in trials and calls", lambda f: of_some(
        f, ("trials", "calls"), latency_s=0.001, finish_reason="length", reasoning_tokens=0), report=False, audit=False,
          otherwise="nothing: they are the author's word"),
    Cheat("the run said to have begun long before its first answer", lambda f: changed(
        f, "manifest.json", lambda m: m.update(created_at=moved(m["created_at"], -30)))),
    Cheat("the same, and a damaged manifest invented", lambda f: (
        damage_invented(f), changed(f, "manifest.json", lambda m: m.update(created_at=moved(m["created_at"], -30))))),
    Cheat("times of answers set before the run, and a damaged manifest invented", lambda f: (damage_invented(f), rows_changed(
        f, "calls", lambda row: {**row, "answered_at": "2020-01-01T00:00:00+00:00"}), rechained(f)), report=False, audit=False,
          otherwise="the report: times are the author's word, and this makes the answers older than the plan"),
    Cheat("two runs spliced, and the run said to have had two sessions", spliced_in_two_sessions),
    Cheat("the smallest detectable differences edited in the plan, hash recomputed", lambda f: replanned(
        f, lambda p: p["power"][0].update(mean=0.001))),
    Cheat("prompts of a judge edited in the calls", lambda f: (rows_changed(
        f, "calls", lambda row: {**row, "messages": row["messages"].replace("answer", "reply")}), rechained(f)), of="judged"),
    Cheat("judgements left out, with their count", lambda f: (
        rows_changed(f, "calls", lambda row: None if row["purpose"] == "score" else row),
        rows_changed(f, "trials", lambda row: {**row, "n_calls": 1}), rechained(f)), of="judged"),
    Cheat("an item given again under another id", item_twice),
    Cheat("answers to one arm called truncated", lambda f: of_some(f, outcome="truncated")),
    Cheat("orders of trials edited", lambda f: (rows_changed(f, "trials", lambda row: {**row, "order": 63 - row["order"]}), rechained(f))),
    Cheat("answers called paid by an earlier run", lambda f: (
        of_some(f, ("trials", "calls"), cached=True, paid_usd=0.0), recounted(f), rechained(f)), report=False, audit=False,
          otherwise="the provider's bill"),
    Cheat("costs halved, and called those that the provider reports", lambda f: (
        [rows_changed(f, kind, lambda row: {**row, "reported_cost_usd": row["cost_usd"] / 2, "cost_usd": row["cost_usd"] / 2, **(
            {"paid_usd": row["paid_usd"] / 2} if "paid_usd" in row else {})}) for kind in ("trials", "calls")],
        recounted(f), rechained(f)), report=False, audit=False, otherwise="the provider's bill"),
    Cheat("costs of the judge's calls halved, with all sums", judges_paid, of="judged"),
    Cheat("the same, and the judge's price", lambda f: judges_paid(f, price=True), of="judged"),
    Cheat("judgements edited in the calls", judgements_edited, of="judged"),
    Cheat("how answers are judged edited in the plan, hash recomputed", lambda f: replanned(
        f, lambda p: p["tasks"][0]["scoring"].update(scale=5)), of="judged"),
    Cheat("an own task's file taken away, and answers exchanged between two arms", files_gone, of="judged"),
    Cheat("the ratings of one rater deleted, after another had rated", lambda f: (
        rating_edited(f), add(f, Rating("r2", "a", "rate", {"good": 2})), (f / "ratings" / "r1.jsonl").unlink())),
    Cheat("all ratings deleted", lambda f: (rating_edited(f), shutil.rmtree(f / "ratings"))),
    Cheat("ratings edited or deleted, with their chain and the manifest's hashes of them", lambda f: (
        rating_edited(f), shutil.rmtree(f / "ratings"), changed(f, "manifest.json", lambda m: m.pop("ratings"))),
          report=False, audit=False, otherwise="the rater's own sheet"),
    Cheat("items where it hurt dropped from all arms, no more than were in flight", lambda f: dropped(
        f, lambda row, gone=where_it_hurt: (row.task, row.item) == min(gone(f))), report=False, audit=False,
          otherwise="the report: the run is not whole, so it has no verdict"),
    Cheat("more calls in flight in the manifest, and as many trials dropped", lambda f: (
        dropped(f, lambda row: row.role == "stimulus" and not row.score), changed(f, "manifest.json", lambda m: m.update(concurrency=500))),
          report=False, audit=False, otherwise="the same; what one arm lacks counts against the sentence in its bounds"),
    Cheat("a repair invented that lost trials", repair_invented, report=False, audit=False, otherwise="the same"),
    Cheat("the end of a run dropped, and everything made to fit", lambda f: dropped(f, lambda row: row.order > 30),
          report=False, audit=False, otherwise="the report: the run is not whole"),
    Cheat("costs, tokens and sums changed to match", lambda f: costs_halved(f, calls=True, tokens=True), report=False, audit=False,
          otherwise="the provider's bill"),
    Cheat("whole replies exchanged between two requests", replies_exchanged, report=False, audit=False, otherwise="`--ask`"),
    Cheat("answers or judgements replaced, with scores and chain to match", answers_replaced, report=False, audit=False,
          otherwise="`--ask`, as far as its sample reaches: the model answers otherwise"),
)  # fmt: skip


def copy(run: Path, to: Path) -> Path:
    """The run in a folder of the same name."""
    folder = to / run.name
    shutil.copytree(run, folder)
    return folder
