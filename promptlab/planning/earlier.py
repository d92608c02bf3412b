"""A comparison with an earlier run that is planned: its arms become further arms of the families, paired by item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from promptlab.design.cross import Design
from promptlab.nouns import NONE_ARM, ArmRef, Contrast, Hypothesis, Plan, PlannedArm, PromptlabError, RunProblem, run_named
from promptlab.nouns.plan import EarlierArm, PlannedEarlier
from promptlab.nouns.words import counted
from promptlab.record.store import Run, frozen_plan
from promptlab.sources.spec.experiment import Experiment
from promptlab.stats.contrasts import incumbent_of, of_arms

ROLES = ("baseline", "stimulus")
"""Arms of an earlier run that are compared: controls stay where they are."""


def earlier(experiment: Experiment, design: Design, base: Path, problem: Callable[[str], None]) -> PlannedEarlier | None:
    """The run that `compare_to` names, with its arms; whatever keeps it from being paired with this design goes to `problem`."""
    if experiment.compare_to is None:
        return None
    named = Path(experiment.compare_to).expanduser()
    try:
        run = Run(base / named if (base / named / "plan.json").exists() else run_named(named))
        plan, digest = frozen_plan(run.folder)
        items = run.items().to_dict("records")
    except PromptlabError as error:
        problem(f"compare_to: {error}")
        return None
    for found in _unlike(experiment, design, run, plan):
        problem(f"compare_to: {run.id} {found}")
    asked = {(row["task"], row["item"]): (row["input"], tuple(row["choices"]), tuple(row["targets"])) for row in items}
    for task in design.tasks:
        n = sum(asked.get((task.name, i.id)) != (i.input, tuple(i.choices), tuple(i.targets)) for i in task.items)
        if n:
            what = "asked other items" if n == len(task.items) else f"did not ask {n} of these items, or in other words"
            problem(f"compare_to: {run.id} {what}: {task.id} has {len(task.items)}; take the same data, seed and number of items")
    settings = {arm.setting.id for arm in design.arms}
    models = {model.name for model in design.models}
    if not models & plan.model_of.keys():
        problem(f"compare_to: {run.id} asked {', '.join(plan.model_of)}, and none of these models")
    if not settings & plan.setting_of.keys():
        problem(f"compare_to: {run.id} has other settings ({', '.join(plan.setting_of)}), so no arms of it can be paired")
    arms = [
        EarlierArm(
            name=f"{prompt if plan.prompts else arm.name}@{run.id}", arm=arm.name, prompt=prompt if plan.prompts else None,
            setting=setting.id, library=arm.library, text=arm.text,
        )
        for setting in plan.settings if setting.id in settings
        for arm in plan.arms_of(setting) if arm.role in ROLES
        for prompt in (plan.base_prompts if plan.prompts else (None,))
    ]  # fmt: skip
    return PlannedEarlier(run=run.id, folder=str(run.folder.resolve()), plan=digest, created_at=run.manifest.created_at, arms=tuple(arms))


def _unlike(experiment: Experiment, design: Design, run: Run, plan: Plan) -> list[str]:
    """Why a run cannot be compared with, in words that follow its name."""
    by_prompt, seen = ("compares whole prompts", "compares added texts, levels or models")[:: 1 if plan.prompts else -1]
    say = {
        f"is {run.state}; finish it first": run.state != "complete",
        "is imported, so its requests are not known": plan.imported,
        "screened its arms, so they have not all answered the same items": plan.confirm is not None,
        "stopped arms early, so they have not all answered the same items": bool(plan.looks),
        f"was scored by {plan.scorer}, and this file says {experiment.scorer}; take the same scorer": plan.scorer != experiment.scorer,
        f"asked each item {counted(plan.replicates, 'time')}, and this file says {design.replicates}": plan.replicates != design.replicates,
        f"{by_prompt}, and this file {seen}": bool(plan.prompts) != bool(experiment.prompts),
    }
    if experiment.analysis.looks > 1:
        say["cannot be compared with by looks; leave 'compare_to' out, or the looks (--sequential)"] = True
    return [words for words, holds in say.items() if holds]


def with_earlier(plan: Plan, found: PlannedEarlier) -> Plan:
    """The plan with the arms of an earlier run in its families, each against what runs today."""
    made: list[Hypothesis] = []
    libraries = list(plan.stimuli_of)
    for model in plan.model_of:
        base = sorted(incumbent_of(plan, model), key=str) if of_arms(plan) else []
        for arm in found.arms:
            library = arm.library if arm.library in libraries else libraries[0] if libraries and not base else ""
            own = partial(Hypothesis, model=model, task=None, setting=plan.setting_of[arm.setting], library=library or "")
            if base:
                ref = ArmRef(model=model, setting=arm.setting, arm=arm.arm if arm.prompt else arm.name, prompt=arm.prompt and arm.name)
                more = f" + {arm.arm}" if arm.prompt and arm.arm != NONE_ARM else ""
                name = f"{arm.name}{more}" + (f" [{plan.setting_of[arm.setting].words}]" if len(plan.settings) > 1 else "")
                weights = ((ref, 1.0), *((other, -1 / len(base)) for other in base))
                family = f"prompt/{model}" if len(plan.prompts) > 1 else f"arm/{model}"
                contrast = Contrast(name=f"{name} - incumbent", weights=weights)
                made.append(own(family=family, scope="arm", treatment=name, control="incumbent", contrast=contrast))
            elif libraries:
                family = f"stimulus/{model}/{library}/none"
                made.append(own(family=family, scope="stimulus", treatment=arm.name, control="none"))
    return replace(plan, earlier=found, hypotheses=(*plan.hypotheses, *made))


def extended(plan: Plan) -> Plan:
    """The plan with the arms of its earlier run among its own, as a report lists them."""
    if plan.earlier is None:
        return plan
    known = {arm.name for arm in plan.arms}
    names = {arm.arm if arm.prompt else arm.name: arm for arm in plan.earlier.arms}
    more = [PlannedArm(name=name, role="baseline", text=arm.text, library=arm.library) for name, arm in names.items() if name not in known]
    return replace(plan, arms=(*plan.arms, *more))


def earlier_run(plan: Plan, folder: Path) -> Run | None:
    """The earlier run of a plan, next to the run's own folder or where it was; None where it is gone or another one."""
    if plan.earlier is None:
        return None
    for place in (folder.parent / plan.earlier.run, Path(plan.earlier.folder)):
        try:
            run = Run(place)
            if frozen_plan(place)[1] == plan.earlier.plan:
                return run
        except RunProblem:
            continue
    return None
