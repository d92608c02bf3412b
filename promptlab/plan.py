"""What an experiment will ask, cost and be able to see, and the families it commits to. Sends nothing, imports no litellm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptlab.design import Design, nearest_placebos
from promptlab.gateway.prices import cost_usd
from promptlab.render import render
from promptlab.resolve import Study
from promptlab.schema import Condition, Control, Item, Stimulus, Task
from promptlab.stats.families import frozen, hypotheses

FORMAT = 1
SECONDS_A_CALL = (0.4, 3.0)
"""A short answer from a hosted model, low and high: for the minutes only."""
CHARS_A_TOKEN = (5.0, 3.0)
OUTPUT_TOKENS_UNSET = (5, 300)
DISCORDANCE = (0.10, 0.20)
TAU = 0.02
SAMPLE_ITEMS = 20


def make_plan(study: Study) -> dict[str, Any]:
    """The frozen plan: written before the first call, hashed, and all that the analysis knows beside the trials."""
    design, experiment = study.design, study.experiment
    stimuli = _stimuli(design)
    placebos = [s for s in _arms(design) if s is not None and s.role == "placebo"]
    controls: list[Control] = ["placebo", "none"] if placebos else ["none"]
    settings = list(dict.fromkeys((c.placement.name, c.shots, c.strategy) for c in design.conditions))
    tasks = [task.name for task in design.tasks]
    planned = hypotheses([m.name for m in design.models], tasks, [(s.id, s.library) for s in stimuli], settings, controls)
    libraries = dict.fromkeys(s.library for s in stimuli)
    return {
        "format": FORMAT,
        "run": study.run_id,
        "name": experiment.name,
        "question": experiment.question,
        "suite": " + ".join(dict.fromkeys(t.suite for t in design.tasks)),
        "scorer": experiment.scorer,
        "defects": experiment.defects,
        "hashes": study.hashes,
        "alpha": experiment.analysis.alpha,
        "fdr": experiment.analysis.fdr,
        "margins": {
            "cell": experiment.analysis.margin_cell_points / 100,
            "mean": experiment.analysis.margin_mean_points / 100,
        },
        "replicates": experiment.replicates,
        "seed": experiment.seed,
        "sampling": experiment.sampling.asked(),
        "models": [
            {
                "name": m.name,
                "litellm_name": m.litellm_name,
                "api_base": m.api_base,
                "simulated": m.simulated,
                "truth": study.sims[m.litellm_name.removeprefix("sim/")].truth if m.simulated else None,
            }
            for m in design.models
        ],
        "tasks": [
            {
                "task": t.name,
                "suite": t.suite,
                "n_items": len(t.items),
                "metric": t.metric,
                "strict": t.strict,
                "low": t.low if t.benchmark == "bigbench" or (t.suite == "own" and t.chance is not None) else None,
                "chance": t.chance,
                "base_prompts": {k: v for k, v in t.base_prompts.items() if k in experiment.base_prompts},
                "source": t.source,
                "licence": t.licence,
                "defects": list(t.defects),
            }
            for t in design.tasks
        ],
        "arms": [_arm(c) for c in {c.arm: c for c in design.conditions}.values()],
        "settings": [dict(zip(("placement", "shots", "strategy"), s, strict=True)) for s in settings],
        "base_prompts": list(experiment.base_prompts),
        "stimuli_of": {library: [s.id for s in stimuli if s.library == library] for library in libraries},
        "placebos_of": {s.id: [p.id for p in nearest_placebos(s, placebos)] for s in stimuli},
        "no_placebo_reason": experiment.controls.no_placebo_reason if not placebos else None,
        "counts": counts(design),
        "estimates": [estimate(study, name) for name in (m.name for m in design.models)],
        "power": power(study, len(planned)),
        "price_source": study.price_source,
        "notes": list(study.notes),
        "hypotheses": frozen(planned),
    }


def counts(design: Design) -> dict[str, int]:
    """How much there is of everything; every strategy of today makes one call a trial."""
    return {
        "models": len(design.models),
        "tasks": len(design.tasks),
        "items": sum(len(task.items) for task in design.tasks),
        "arms": len({c.arm for c in design.conditions}),
        "conditions": len(design.conditions),
        "trials": design.n_trials,
        "calls": design.n_trials,
    }


def estimate(study: Study, model_name: str) -> dict[str, Any]:
    """Tokens, USD and minutes of one model, low and high; USD is None where the price is unknown.

    Prompts of up to 20 items a task are rendered under every condition; the rest is their mean.
    """
    design = study.design
    model = next(m for m in design.models if m.name == model_name)
    chars = 0.0
    for task in design.tasks:
        sample = task.items[:SAMPLE_ITEMS]
        each = [_chars(task, item, condition) for item in sample for condition in design.conditions]
        chars += sum(each) / max(len(sample), 1) * len(task.items) * design.replicates
    n_trials = design.n_trials // len(design.models)
    most = {**study.experiment.sampling.asked(), **model.sampling}.get("max_tokens", OUTPUT_TOKENS_UNSET[1])
    tokens = [
        (int(chars / CHARS_A_TOKEN[0]), n_trials * min(OUTPUT_TOKENS_UNSET[0], most)),
        (int(chars / CHARS_A_TOKEN[1]), n_trials * most),
    ]
    price = study.prices[model_name]
    usd = [cost_usd(price, n_input, n_output) for n_input, n_output in tokens]
    seconds = SECONDS_A_CALL
    if model.simulated:
        latency = study.sims[model.litellm_name.removeprefix("sim/")].latency_ms / 1000
        seconds = (latency + 0.05, latency + 0.2)  # what the client itself needs for a call, at 16 under way on two cores
    return {
        "model": model_name,
        "simulated": model.simulated,
        "calls": n_trials,
        "input_tokens": [tokens[0][0], tokens[1][0]],
        "output_tokens": [tokens[0][1], tokens[1][1]],
        "usd": usd,
        "price": None if price is None else [price.input_usd_per_mtok, price.output_usd_per_mtok, price.source],
        "seconds_one_by_one": [n_trials * seconds[0], n_trials * seconds[1]],
    }


def power(study: Study, n_hypotheses: int) -> list[dict[str, Any]]:
    """The smallest effects that the design sees with 80 % power: in one cell, alone and as one of its family, and over the tasks."""
    from promptlab.stats import min_discordant, smallest_effect_macro, smallest_effect_mcnemar

    design, analysis = study.design, study.experiment.analysis
    n_stimuli = len(_stimuli(design))
    n_cells = max(1, n_stimuli * len(design.tasks))
    n_items = [len(task.items) for task in design.tasks]
    smallest = min(n_items)
    rows = []
    for discordance in DISCORDANCE:
        rows.append(
            {
                "discordance": discordance,
                "n_items_cell": smallest,
                "cell_alone": smallest_effect_mcnemar(smallest, discordance, analysis.fdr),
                "cell_in_family": smallest_effect_mcnemar(smallest, discordance, analysis.fdr / n_cells),
                "n_cells": n_cells,
                "least_changed": int(min_discordant(alpha=analysis.fdr).midp),
                "n_tasks": len(n_items),
                "mean": smallest_effect_macro(n_items, discordance, 0.0, analysis.alpha / max(1, n_stimuli)),
                "mean_like_these": (
                    smallest_effect_macro(n_items, discordance, TAU, analysis.alpha / max(1, n_stimuli)) if len(n_items) > 2 else None
                ),
                "n_hypotheses": n_hypotheses,
            }
        )
    return rows


def minutes(plan: Mapping[str, Any], concurrency: int) -> tuple[float, float]:
    """Minutes for the whole run at `concurrency` calls under way, low and high."""
    low, high = (sum(row["seconds_one_by_one"][i] for row in plan["estimates"]) / concurrency / 60 for i in (0, 1))
    return low, high


def _arms(design: Design) -> list[Stimulus | None]:
    return [c.stimulus for c in {c.arm: c for c in design.conditions}.values()]


def _stimuli(design: Design) -> list[Stimulus]:
    return [s for s in _arms(design) if s is not None and s.role == "stimulus"]


def _arm(condition: Condition) -> dict[str, Any]:
    s: Stimulus | None = condition.stimulus
    return {
        "arm": condition.arm,
        "role": condition.role,
        "text": s.text if s else None,
        "n_words": s.n_words if s else 0,
        "library": s.library if s else None,
        "theory": s.theory if s else None,
        "source": s.source if s else None,
        "code_number": s.code_number if s else None,
    }


def _chars(task: Task, item: Item, condition: Condition) -> int:
    return sum(len(message["content"]) for message in render(task, item, condition))
