"""Is a frozen plan the one that its experiment file makes? Hashes cannot say so: whoever edits a plan computes them again."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import promptlab
from promptlab.nouns import UNREADABLE, Plan, PromptlabError, RunProblem, first_line
from promptlab.planning.audit import DIFFERS, audit
from promptlab.planning.earlier import with_earlier
from promptlab.planning.hashes import commit
from promptlab.planning.plan import make_plan, replanned
from promptlab.planning.study import Study
from promptlab.record.store import Run, frozen_plan
from promptlab.record.store.chain import verified
from promptlab.record.store.files import read_file
from promptlab.sources.foreign import json_value
from promptlab.sources.spec.experiment import Experiment, load_experiment

OF_THIS_MACHINE = "simulators"
"""A check that differs with another version of promptlab: `promptlab audit` shows it, and no report is refused for it."""
DECIDES = (
    "alpha", "fdr", "margins", "generalise", "neutral", "pooling", "scorer", "replicates", "seed", "sampling", "models", "tasks", "arms",
    "settings", "placements", "base_prompts", "prompts", "incumbent", "factors", "compare_models", "interactions", "stimuli_of",
    "placebos_of", "loops", "confirm", "looks", "look_level", "futility", "hypotheses", "best_in_task",
    "no_placebo_reason", "defects", "trials", "power",
)  # fmt: skip
"""Keys of a plan that decide a verdict, or that a report shows as fixed beforehand."""
MOST_TOLD = 3


def problems(run: Run, frozen: tuple[Plan, str] | None = None) -> list[str]:
    """What is not as it was frozen in a run folder, as far as the folder itself shows: chain, hashes, plan. Cheap.

    `frozen` is what `frozen_plan` gives, where that is known.
    """
    with_chain = [f"the hash chain is broken: {said}" for said in verified(run.folder, run.manifest.chain).problems]
    frozen = frozen or frozen_plan(run.folder)
    plan, _ = frozen
    excused = {OF_THIS_MACHINE, *(("experiment",) if by_another_version(run) else ())}
    told = [
        f"{check.what}: {check.source} is not what was frozen"
        for check in audit(run, frozen)
        if check.says == DIFFERS and check.what not in excused
    ]
    return [*with_chain, *told, *_plan_problems(run, plan), *_manifest_problems(run, plan)]


def by_another_version(run: Run) -> bool:
    """Whether another promptlab wrote the run, whose defaults of an experiment may be others. Whoever forges that could as well
    recompute every hash, under another name of the run.
    """
    return (run.manifest.versions.get("promptlab"), run.manifest.commit) != (promptlab.__version__, commit())


def _plan_problems(run: Run, plan: Plan) -> Iterator[str]:
    if plan.imported:
        return
    path = run.folder / "experiment.yaml"
    try:
        experiment = load_experiment(path)[0].as_asked(len(plan.looks) or None, plan.scorer)
    except (PromptlabError, *UNREADABLE) as error:
        yield f"experiment.yaml cannot be read, so the plan cannot be made again ({first_line(error)})"
        return
    yield from (
        f"{name} of the plan is {was!r}, and experiment.yaml says {now!r}" for name, was, now in _values(plan, experiment) if was != now
    )
    made = [with_earlier(one, plan.earlier) if plan.earlier else one for one in (replanned(plan, earlier=old) for old in (False, True))]
    again = next((one for one in made if set(one.hypotheses) == set(plan.hypotheses)), made[0])
    lost, added = (len(set(a.hypotheses) - set(b.hypotheses)) for a, b in ((again, plan), (plan, again)))
    if lost or added:
        yield f"the plan lacks {lost:,} hypotheses that follow from its arms and tasks, and holds {added:,} that do not"
    if {k: tuple(v) for k, v in plan.stimuli_of.items()} != again.stimuli_of:
        yield "the plan's libraries are not those of its arms"


def _values(plan: Plan, experiment: Experiment) -> Iterator[tuple[str, Any, Any]]:
    """Single values of the plan, as frozen and as the experiment says them."""
    analysis = experiment.analysis
    yield "margins.cell", plan.margins.cell, analysis.margin_cell_points / 100
    yield "margins.mean", plan.margins.mean, analysis.margin_mean_points / 100
    for name in ("alpha", "fdr", "generalise", "neutral"):
        yield name, getattr(plan, name), getattr(analysis, name)
    for name in ("name", "question", "replicates", "seed"):
        yield name, getattr(plan, name), getattr(experiment, name)
    yield "models", [m.name for m in plan.models], [m.resolved().name for m in experiment.models]
    if experiment.prompts:
        yield "prompts", sorted(p.name for p in plan.prompts), sorted(experiment.prompts)


def _manifest_problems(run: Run, plan: Plan) -> Iterator[str]:
    manifest = run.manifest
    registered = manifest.registered
    if registered and registered.get("plan") != manifest.hashes.get("plan"):
        yield "the registration that the manifest names is of another plan"
    if plan.imported and (run.folder / "experiment.yaml").exists():
        yield "the plan says that another tool made the run, and the folder holds an experiment"
    files = (manifest.provenance or {}).get("files", ())
    if plan.imported and (not files or sorted(plan.hashes.values()) != sorted(str(source.get("sha256")) for source in files)):
        yield "the plan says that another tool made the run, and the manifest names other files of that tool, or none"
    if not plan.imported:
        both = {"id": plan.run, "name": plan.name, "question": plan.question, "imported": plan.imported}
        if odd := [name for name, value in both.items() if getattr(manifest, name) != value]:
            yield f"the manifest says otherwise than the plan what the run is ({', '.join(odd)})"
        if plan.reconstructed:
            yield "the plan says that items are made up from counts, and it is no import"
        if plan.scorer is None:
            yield "the plan names no scorer"
        simulated = {model.name for model in plan.models if model.litellm_name.startswith("sim/")}
        if not simulated <= set(manifest.simulated_models) or (simulated and not manifest.simulated):
            yield "the manifest hides that models are simulated"
        asked = {name: asked.litellm_name for name, asked in manifest.models.items()}
        if odd := [m.name for m in plan.models if (asked.get(m.name) or m.litellm_name) != m.litellm_name]:
            yield f"the manifest names another model than the plan for {', '.join(odd)}"


def plan_differences(run: Run, study: Study, excused: Collection[str] = (), among: Collection[str] = ()) -> list[str]:
    """Where the frozen plan is not the one that a resolved study makes; nothing where its own format or arms are an earlier version's.

    Fields that are `excused` may differ: an author may state the licence of a task after the run. `among`: only these keys.
    """
    was = json_value(read_file(run.folder / "plan.json"), once=True)
    if study.format == 1 or was.get("format") == 1 or study.unshared or was.get("imported"):
        return []
    now = make_plan(study, priced=False).plain()
    was["trials"], now["trials"] = (one.get("counts", {}).get("trials") for one in (was, now))
    paths = [path for key in among or DECIDES if key in was for path in _paths(was[key], now.get(key), key)
             if path.rpartition(".")[2] not in excused]  # fmt: skip
    more = [f"and {len(paths) - MOST_TOLD:,} more"] if len(paths) > MOST_TOLD else []
    return [f"the plan is not the one that the experiment makes: {'; '.join([*paths[:MOST_TOLD], *more])}"] if paths else []


def _paths(was: Any, now: Any, path: str) -> Iterator[str]:  # noqa: ANN401 (plain data)
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in {**was, **now}:
            yield from _paths(was.get(key), now.get(key), f"{path}.{key}")
    elif isinstance(was, list | tuple) and isinstance(now, list | tuple) and len(was) == len(now):
        for number, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from _paths(one, other, f"{path}.{number}")
    elif was != now and not (isinstance(was, float) and isinstance(now, float) and math.isclose(was, now)):
        yield path


def refuse(folder: Path, found: list[str], remedy: str) -> None:
    """RunProblem where something was found, which says all of it; `remedy` has a place for the run's folder."""
    if found:
        todo = remedy.format(shlex.quote(str(folder)))
        raise RunProblem(f"{folder.name}: this run fails its audit: {'; '.join(found)}. {todo}")
