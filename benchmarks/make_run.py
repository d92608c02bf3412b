"""A made-up run of any length, as a sweep would leave it: to see how the explorer and the report bear a long one.

    python benchmarks/make_run.py FOLDER --rows 1000000

The design is real (all twin tasks, all shipped stimuli with their placebos, as many repeats as are needed), the prompts are the real
ones, the answers are dice: one sentence helps, one hurts, calls fail here and there. About a minute and 150 MB for a million rows.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from promptlab.design.cross import trials
from promptlab.design.render import render
from promptlab.nouns.arm import Trial
from promptlab.nouns.identity import digest
from promptlab.nouns.manifest import Manifest, ModelAsked, Spent, Tally
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import RunWriter
from promptlab.reporting.prepared import prepare
from promptlab.running.sweep import freeze
from promptlab.scoring.metrics import form_of

EXPERIMENT = """name: made-up
question: Which of twenty-one sentences changes the score of a made-up model on 45 tasks?
suite: twin
tasks: ["*"]
models: [sim/planted]
stimuli: ["emotionprompt/EP*", "negativeprompt/NP*"]
controls: {{placebos: matched, per_stimulus: 1}}
items: {items}
replicates: {replicates}
seed: 5
sampling: {{temperature: 0.7, max_tokens: 64}}
"""
LIFT = {"emotionprompt/EP02": 0.08, "negativeprompt/NP10": -0.08}
ERROR_SHARE = 0.002
LONGEST_ANSWER = 12


def made(study: Study, trial: Trial, dice: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """One trial and its call, with a made-up answer."""
    arm, setting, item = trial.arm, trial.arm.setting, trial.item
    task = next(task for task in study.design.tasks if task.id == trial.task)
    failed = dice.random() < ERROR_SHARE
    right = dice.random() < 0.55 + LIFT.get(arm.name, 0.0)
    answer = "" if failed else item.targets[0] if right else f"something else {dice.randrange(LONGEST_ANSWER)}"
    metric = study.scorings[trial.task, trial.model].metric
    assert metric is not None  # no task of the suite is scored by a model
    scored = metric(answer, item)
    outcome = "error" if failed else "ok" if scored.extracted is not None else "parse_failed"
    is_compliant, is_echoed, is_declined = form_of(answer, item)
    n_in, n_out = 30 + len(item.input) // 4, 1 + len(answer) // 4
    messages = json.dumps([dict(message) for message in render(task, item, arm)], ensure_ascii=False)
    about: dict[str, Any] = {
        "outcome": outcome, "model_version": None if failed else "made-up-1",
        "input_tokens": None if failed else n_in, "output_tokens": None if failed else n_out,
        "cost_usd": None if failed else 1e-6 * n_in + 4e-6 * n_out, "latency_s": 0.2 + dice.expovariate(3.0), "cached": False,
        "attempts": 1 + (dice.random() < 0.02), "error": "timeout: no answer within 60 s" if failed else None,
    }  # fmt: skip
    row = {
        "trial": trial.id, "order": trial.order, "model": trial.model, "simulated": True, "suite": task.suite, "task": task.name,
        "item": item.id, "cluster": item.cluster, "arm": arm.name, "role": arm.role,
            "stimulus": arm.stimulus.id if arm.stimulus else None,
        "library": arm.library, "base_prompt": setting.prompt, "setting": setting.id, "placement": setting.placement,
        "shots": setting.shots, "strategy": setting.strategy, "replicate": trial.replicate,
            "score": None if failed else scored.score,
        "extracted": None if failed else scored.extracted, "rule": None if failed else scored.rule or None,
        "compliant": None if failed else is_compliant, "echoed": None if failed else is_echoed,
        "declined": None if failed else is_declined, "answer": answer, "oracle": False, "n_rounds": 1,
        "solved_round": 1 if not failed and scored.score >= 1 else None,
        "n_calls": 1, "paid_usd": about["cost_usd"], **about,
    }  # fmt: skip
    call = {
        "trial": trial.id, "turn": 0, "key": digest([trial.id]), "messages": messages, "text": answer, "purpose": "answer", "round": 0,
        "requested": '{"max_tokens":64,"temperature":0.7}', "effective": '{"max_tokens":64,"temperature":0.7}', "finish_reason": "stop",
        "score": row["score"], **about,
    }  # fmt: skip
    return row, call


def main() -> None:
    """Write the run and make it ready for the explorer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of runs; the run goes below it")
    parser.add_argument("--rows", type=int, default=1_000_000, help="at least so many: whole repeats of the design")
    parser.add_argument("--items", type=int, default=40, help="items a task")
    parser.add_argument("--unprepared", action="store_true", help="leave it to the explorer to make the run ready")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    source = asked.folder / "made-up.yaml"

    def study_of(replicates: int) -> Study:
        source.write_text(EXPERIMENT.format(items=asked.items, replicates=replicates), encoding="utf-8")
        return resolve(source)

    once = study_of(1).design.n_trials
    study = study_of(max(1, -(-asked.rows // once)))
    started = time.monotonic()
    folder = asked.folder / study.run_id
    writer = RunWriter(folder)
    plan, plan_digest = freeze(study, writer)
    dice, n, n_errors, paid = random.Random(5), 0, 0, 0.0
    for trial in trials(study.design, 0, study.design.n_trials):
        row, call = made(study, trial, dice)
        writer.append(row, [call])
        n, n_errors, paid = n + 1, n_errors + (row["outcome"] == "error"), paid + (row["paid_usd"] or 0.0)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    writer.write_manifest(
        Manifest(
            id=folder.name, name="made-up", question=plan.question, state="complete", simulated=True, simulated_models=("sim/planted",),
            created_at=stamp, updated_at=stamp, sessions=1, paid_usd=paid, spent=Spent(usd=paid), experiment_path=str(source),
            counts=Tally(planned=study.design.n_trials, done=n, errors=n_errors, sent=n), served={"sim/planted": ("made-up-1",)},
            models={m.name: ModelAsked(litellm_name=m.litellm_name, api_base=m.api_base) for m in study.design.models},
            hashes={**study.hashes, "plan": plan_digest},
        )
    )  # fmt: skip
    writer.close()
    print(f"{folder}: {n:,} trials in {time.monotonic() - started:.0f} s")
    if not asked.unprepared:
        started = time.monotonic()
        prepare(folder)
        print(f"made ready for the explorer in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
