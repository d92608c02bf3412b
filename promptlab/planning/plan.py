"""What an experiment will ask, cost and be able to see, and the families it commits to. Sends nothing, imports no litellm.

Above 400 lines: a plan is frozen in one pass, in the order of its fields.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any, cast

from promptlab.design.cross import Design, placebos_of, trials_an_item
from promptlab.design.loops import described
from promptlab.nouns import Arm, Estimate, Hypothesis, Model, Plan, Prompt, Setting, Stimulus, digest, filled, grouped
from promptlab.nouns.plan import (
    LookShare,
    Margins,
    OutlookRow,
    PlannedArm,
    PlannedConfirm,
    PlannedFactor,
    PlannedLoop,
    PlannedModel,
    PlannedPrompt,
    PlannedTask,
    PowerRow,
)
from promptlab.nouns.setting import level_words
from promptlab.nouns.words import CONTROLS, Control, Role
from promptlab.planning.earlier import with_earlier
from promptlab.planning.price import counts, estimates, parts
from promptlab.planning.size import Size
from promptlab.planning.study import Study
from promptlab.sources.spec.experiment import Experiment
from promptlab.sources.tokens import n_tokens
from promptlab.stats import LEVEL, MOST, Screening, expected_share, hypotheses, likely, min_discordant, planned_drift, repeated_bound
from promptlab.stats.contrasts import completed
from promptlab.stats.looks import FUTILITY, look_plan

DISCORDANCE = (0.10, 0.20)
TAU = 0.02
EFFECTS = (0.0, 0.5, 1.0)
"""True effects for which a plan says what looks save, in units of the effect that the design finds four times of five."""


def make_plan(study: Study, priced: bool = True) -> Plan:
    """The frozen plan: written before the first call, hashed, and all that the analysis knows besides the trials.

    Not `priced`: without what it costs and finds, which takes time and decides nothing.
    """
    design, experiment = study.design, study.experiment
    stimuli, placebos = _stimuli(design), _stimuli(design, "placebo")
    settings = list(dict.fromkeys(arm.setting.pooled for arm in design.arms))
    arms = tuple(_arm(a, study.n_tokens) for a in {(a.name, bool(a.loop) and a.strategy.name): a for a in design.arms}.values())
    looped = {setting: [arm for arm in design.arms if arm.loop and arm.setting.pooled == setting] for setting in settings}
    plain = [setting for setting in settings if not looped[setting]]
    planned = planned_hypotheses([m.name for m in design.models], [task.name for task in design.tasks], arms, settings)
    each = estimates(study) if priced else ()
    made = filled(
        Plan,
        experiment,
        study,
        run=study.run_id,
        suite=" + ".join(dict.fromkeys(t.suite for t in design.tasks)),
        alpha=experiment.analysis.alpha,
        fdr=experiment.analysis.fdr,
        generalise=experiment.analysis.generalise,
        neutral=experiment.analysis.neutral,
        pooling=_repeated(design),
        margins=Margins(cell=experiment.analysis.margin_cell_points / 100, mean=experiment.analysis.margin_mean_points / 100),
        sampling=experiment.sampling.asked(),
        models=tuple(
            filled(
                PlannedModel, m, sampling=dict(m.sampling), truth=study.sims[m.litellm_name[len("sim/") :]].truth if m.simulated else None
            )
            for m in design.models
        ),
        tasks=tuple(
            filled(
                PlannedTask,
                t,
                n_items=len(t.items),
                scoring=plain_of(t.parameters),
                low=t.low if t.benchmark == "bigbench" or (t.suite == "own" and t.chance is not None) else None,
                base_prompts={k: v for k, v in t.base_prompts.items() if study.prompts or k in experiment.prompts_of(t.benchmark)},
                frame=asdict(t.frame),
                demos=tuple({k: v for k, v in asdict(demo).items() if v or k != "columns"} for demo in t.demos),
            )
            for t in design.tasks
        ),
        arms=arms,
        settings=tuple(settings),
        placements={placement.name: placement.plain() for placement in experiment.resolved_placements()},
        programs=tuple(
            {**asdict(program), "state": json.loads(program.state)}
            for program in {arm.strategy.name: arm.program for arm in design.arms}.values()
            if program
        ),
        base_prompts=tuple(experiment.prompt_names),
        prompts=tuple(_prompt(study, prompt) for prompt in study.prompts.values()),
        incumbent=experiment.reference_prompt,
        factors=factors(experiment, plain),
        compare_models=experiment.compare.models,
        interactions=tuple(experiment.interacting),
        stimuli_of=stimuli_of(arms),
        placebos_of={s.id: tuple(p.id for p in placebos_of(s, placebos, study.n_tokens)) for s in stimuli},
        loops=tuple(_loop(setting.strategy, arms) for setting, arms in looped.items() if arms),
        no_placebo_reason=experiment.controls.no_placebo_reason if stimuli and not placebos else None,
        **_looks(study, planned),
        counts=counts(study),
        estimates=each,
        power=power(study, len(planned)),
        outlook=outlook(study, each=each) if priced else None,
        best_in_task=len(stimuli) > 1,
        hypotheses=tuple(planned),
    )
    made = completed(made)
    if study.earlier is not None:
        made = with_earlier(made, study.earlier)
    return made if not design.screened else _confirmed(made, study)


def _confirmed(made: Plan, study: Study) -> Plan:
    """The plan of a run that screens first: both parts of the items, the rule of the choice, and what is likely to be sent."""
    design, share = study.design, study.experiment.confirm or 0.0
    n_arms = max(map(len, Screening(replace(made, confirm=PlannedConfirm(share=share))).questions.values()))
    n = likely(n_arms)
    costs = {number: estimates(study, number) for number in {1, min(MOST, n_arms)}}
    trials = {number: counts(study, number).trials for number in costs}
    few, many = min(costs), max(costs)
    part = (n - few) / max(many - few, 1)

    def between(low: float | None, high: float | None) -> float | None:
        return None if low is None or high is None else low + part * (high - low)

    confirm = PlannedConfirm(
        share=share,
        screening={t.name: tuple(item.id for item in t.items[:k]) for t, k in zip(design.tasks, design.screened, strict=True)},
        items=tuple(len(t.items) - k for t, k in zip(design.tasks, design.screened, strict=True)),
        order=sum(k * trials_an_item(design, t) for t, k in zip(design.tasks, design.screened, strict=True)),
        most=MOST,
        level=LEVEL,
        likely=n,
        trials_likely=round(between(trials[few], trials[many]) or 0),
        usd_likely={a.model: tuple(map(between, a.usd, b.usd)) for a, b in zip(costs[few], costs[many], strict=True)},
    )
    return replace(made, confirm=confirm)


def planned_hypotheses(
    models: Sequence[str], tasks: Sequence[str], arms: Sequence[PlannedArm], settings: Sequence[Setting], *, earlier: bool = False
) -> list[Hypothesis]:
    """What is compared because of its arms, contrasts apart: texts in every plain setting, then each loop in its own.

    `earlier`: as versions before the second HEART protocol did it, whose primary control of a loop was one neutral remark.
    """
    texts = [(arm.name, arm.library or "") for arm in arms if arm.role == "stimulus"]
    controls: list[Control] = ["placebo", "none"] if any(arm.role == "placebo" for arm in arms) else ["none"]
    of_loop = {arm.loop: [other for other in arms if other.loop == arm.loop] for arm in arms if arm.loop}
    plain = [setting for setting in settings if setting.strategy not in of_loop]
    planned = hypotheses(models, tasks, texts, plain, controls)
    for setting in settings:
        own = of_loop.get(setting.strategy, [])
        names = [arm.name for arm in own if arm.role == "loop_control" and arm.name in CONTROLS]
        against = cast("list[Control]", sorted(names, key=list(CONTROLS).index))
        treated = [(arm.name, arm.library or "") for arm in own if arm.role == "loop"]
        primary: Sequence[Control] = ("neutral_feedback",) if earlier else against[:1]
        planned += hypotheses(models, tasks, treated, [setting], [*against, "single"], primary=primary) if own else []
    return planned


def stimuli_of(arms: Sequence[PlannedArm]) -> dict[str, tuple[str, ...]]:
    """The arms under test of each library, those of added texts first."""
    found = grouped(
        (arm.library or "", arm.name)
        for arm in sorted((arm for arm in arms if arm.role in ("stimulus", "loop")), key=lambda arm: arm.role == "loop")
    )
    return {library: tuple(dict.fromkeys(names)) for library, names in found.items()}


def replanned(plan: Plan, *, earlier: bool = False) -> Plan:
    """The plan with the hypotheses that follow from its own arms, tasks, models and settings."""
    planned = planned_hypotheses(list(plan.model_of), [task.name for task in plan.tasks], plan.arms, plan.settings, earlier=earlier)
    return completed(replace(plan, hypotheses=tuple(planned), stimuli_of=stimuli_of(plan.arms), earlier=None))


def plain_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a scoring as plain data; of a model what decides its answers."""
    return {name: _plain(value) for name, value in parameters.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 (a parameter)
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    return value.canonical() if isinstance(value, Model) else [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def repriced(made: Plan, study: Study) -> Plan:
    """A plan as shown where the study's prices are those of a batch: what it costs, and the most calls that wait for one another."""
    each = estimates(study)
    waves = max(arm.strategy.max_calls - arm.strategy.n_first + 1 for arm in study.design.arms)
    waves += max(scoring.max_calls for scoring in study.scorings.values())
    return replace(made, estimates=each, outlook=outlook(study, each=each), waves=waves)


def _looks(study: Study, planned: Sequence[Hypothesis]) -> dict[str, Any]:
    """Where the interim analyses are and what they save on average, as fields of the plan; nothing in a sweep without interim analyses."""
    design, analysis = study.design, study.experiment.analysis
    if analysis.looks == 1:
        return {}
    looks = look_plan([len(task.items) for task in design.tasks], trials_an_item(design), analysis.looks)
    size = max(Counter(h.family for h in planned if h.scope == "stimulus").values(), default=1)
    level, fractions = analysis.alpha / size, [look.fraction for look in looks]
    shares = [(times, *expected_share(fractions, level, times * planned_drift(level), FUTILITY)) for times in EFFECTS]
    return {
        "looks": tuple(replace(look, z=repeated_bound(level, fractions, k)) for k, look in enumerate(looks)),
        "look_level": level,
        "futility": FUTILITY,
        "look_shares": tuple(LookShare(effect=times, asked=asked, power=power) for times, asked, power in shares),
    }


def controls_of(study: Study) -> dict[Control, int]:
    """What stimuli are compared with, and of how many arms each control is the mean: of placebos the fewest that a stimulus has."""
    stimuli, placebos = _stimuli(study.design), _stimuli(study.design, "placebo")
    found: dict[Control, int] = {}
    if placebos:
        found["placebo"] = min((len(placebos_of(s, placebos, study.n_tokens)) for s in stimuli), default=1)
    if stimuli:
        found["none"] = 2
    return found or {"neutral_paraphrase": 1}


def power(study: Study, n_hypotheses: int) -> tuple[PowerRow, ...]:
    """The smallest effects that the design sees with 80 % power: in one cell, alone and as one of its family, and over the tasks."""
    *_, study = parts(study)
    design = study.design
    n_stimuli = _n_stimuli(design)
    n_cells = max(1, n_stimuli * len(design.tasks))
    n_items = [len(task.items) for task in design.tasks]
    rows = []
    for (control, n_controls), discordance in product(controls_of(study).items(), DISCORDANCE):
        cell, mean = _sizes(study, n_items, discordance, n_controls)
        rows.append(
            PowerRow(
                control=control,
                n_controls=n_controls,
                discordance=discordance,
                n_items_cell=min(n_items),
                cell_alone=cell.smallest_effect(),
                cell_in_family=replace(cell, alpha=cell.alpha / n_cells).smallest_effect(),
                n_cells=n_cells,
                least_changed=int(min_discordant(alpha=cell.alpha).midp),
                n_tasks=len(n_items),
                mean=mean.smallest_effect(),
                mean_like_these=mean.smallest_effect(TAU) if len(n_items) > 2 else None,
                n_hypotheses=n_hypotheses,
            )
        )
    return tuple(rows)


def outlook(study: Study, discordance: float | None = None, each: Sequence[Estimate] | None = None) -> tuple[OutlookRow, ...]:
    """What more of the same money buys: the design with 1, 2 and 4 times its items, as far as the tasks have them.

    For each: items, calls, USD of all models low and high (None where a price is unknown), the smallest effects that are seen with 80 %
    power, and the smallest margins within which an effect of 0 can be shown to lie. `discordance` as measured, else the middle one;
    `each` is the models' estimates, where they are known already.
    """
    psi = discordance if discordance is not None else DISCORDANCE[0]
    whole = {task.id: len(task.items) for task in study.design.tasks}
    costs = [made.usd for made in each or estimates(study)]
    calls = counts(study).calls
    *_, study = parts(study)
    design = study.design
    now = [len(task.items) for task in design.tasks]
    most = [study.available.get(task.id, whole[task.id]) * n // whole[task.id] for n, task in zip(now, design.tasks, strict=True)]
    n_controls = next(iter(controls_of(study).values()))
    rows: list[OutlookRow] = []
    for factor in (1, 2, 4):
        n_items = tuple(min(n * factor, available) for n, available in zip(now, most, strict=True))
        if rows and n_items == rows[-1].n_items:
            break
        share = sum(n_items) / sum(now)
        cell, mean = _sizes(study, n_items, psi, n_controls)
        rows.append(
            OutlookRow(
                factor=factor,
                n_items=n_items,
                discordance=psi,
                calls=round(calls * share),
                usd=tuple(_sum([c[i] for c in costs], share) for i in (0, 1)),
                cell=cell.smallest_effect(),
                mean=mean.smallest_effect(),
                mean_like_these=mean.smallest_effect(TAU) if len(n_items) > 2 else None,
                margin_cell=cell.smallest_margin(),
                margin_mean=mean.smallest_margin(0.05 / max(1, _n_stimuli(design))),
                n_hopeless_cells=sum(n * psi < min_discordant(alpha=cell.alpha).midp for n in n_items),
            )
        )
    return tuple(rows)


def _sum(costs: Sequence[float | None], share: float) -> float | None:
    """A share of all costs; None where one of them is unknown."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) * share if len(known) == len(costs) else None


def _sizes(study: Study, n_items: Sequence[int], discordance: float, n_controls: int) -> tuple[Size, Size]:
    """One task by itself, and the mean over the tasks at the strictest level of its family. All flips are chance, as in `calibrate`."""
    analysis, design = study.experiment.analysis, study.design
    clustered = any(item.cluster for task in design.tasks for item in task.items)
    shares = [n / len(task.items) for n, task in zip(n_items, design.tasks, strict=True)]
    units = [round(share * len({i.cluster or i.id for i in task.items})) for share, task in zip(shares, design.tasks, strict=True)]
    cell = Size(
        tuple(n_items), discordance, analysis.fdr, "cell", repeats=design.replicates, chance=discordance, controls=n_controls,
        units=tuple(units) if clustered else (),
    )  # fmt: skip
    looks = look_plan([len(task.items) for task in design.tasks], trials_an_item(design), analysis.looks) if analysis.looks > 1 else ()
    alpha = analysis.alpha / max(1, _n_stimuli(design))
    return cell, replace(cell, over="mean", alpha=alpha, looks=tuple(look.fraction for look in looks))


def _n_stimuli(design: Design) -> int:
    """Texts and loops that are judged; without any, how many prompts, settings or models are judged against the first."""
    texts = len(_stimuli(design)) + len({arm.name for arm in design.arms if arm.role == "loop"})
    others = ({arm.setting.prompt for arm in design.arms}, {arm.setting.id for arm in design.arms}, design.models)
    return texts or max(len(levels) for levels in others) - 1


def _repeated(design: Design) -> bool:
    """Whether the baseline has its own repeat in every setting, so that both together are the control."""
    baselines, repeats = ({arm.setting for arm in design.arms if arm.role == role} for role in ("baseline", "aa"))
    return bool(baselines) and baselines == repeats


def _stimuli(design: Design, role: Role = "stimulus") -> list[Stimulus]:
    return [a.stimulus for a in {a.name: a for a in design.arms}.values() if a.stimulus is not None and a.role == role]


def factors(experiment: Experiment, settings: Sequence[Setting]) -> tuple[PlannedFactor, ...]:
    """The factors whose levels are compared, with the level of each setting (those of loops apart)."""
    found = []
    for name in experiment.factors:
        labels = {setting.id: _level_of(setting, name) for setting in settings}
        levels = tuple(dict.fromkeys(labels.values()))
        if len(levels) > 1:
            found.append(PlannedFactor(name=name, levels=levels, reference=levels[0], random=name == "format", of=labels))
    if experiment.analysis.generalise_prompts and len(names := experiment.prompt_names) > 1:
        first = experiment.reference_prompt or names[0]
        found.append(PlannedFactor(name="prompt", levels=tuple(names), reference=first, random=True))
    return tuple(found)


def _level_of(setting: Setting, factor: str) -> str:
    """The level of one setting, as people read it."""
    own = {"shots": setting.shots, "placement": setting.placement, "format": setting.placement, "strategy": setting.strategy}
    if factor == "setting":
        return ", ".join([f"{setting.shots} examples", *(f"{name} {level_words(value)}" for name, value in setting.sampling)])
    return level_words(own[factor] if factor in own else dict(setting.sampling).get(factor))


def _prompt(study: Study, prompt: Prompt) -> PlannedPrompt:
    """A whole prompt as the plan holds it."""
    text = "\n".join(message["content"] for message in prompt.messages)
    return filled(
        PlannedPrompt,
        prompt,
        paraphrase_of=study.experiment.prompts[prompt.name].paraphrase_of,
        n_tokens=n_tokens(text, study.encoding),
        sha256=digest(prompt.canonical()),
        variables=prompt.names,
    )


def _loop(strategy: str, arms: Sequence[Arm]) -> PlannedLoop:
    """What all arms of a loop share."""
    specs = {arm.name: arm.loop for arm in arms if arm.loop and arm.role in ("loop", "loop_control")}
    shared = next(iter(specs.values()))
    return filled(PlannedLoop, shared, strategy=strategy, verdict=shared.verdict if shared.oracle else None)


def _arm(arm: Arm, n_tokens: Mapping[str, int]) -> PlannedArm:
    s, loop = arm.stimulus, arm.loop
    return filled(
        PlannedArm,
        arm,
        s,
        text=described(loop) if loop and loop.kind != "single" else s.text if s else None,
        n_tokens=n_tokens.get(s.id) if s else 0,
        loop=arm.strategy.name if loop else None,
        stimulus=asdict(s) if s else None,
        spec=asdict(loop) if loop else None,
        oracle=bool(loop and loop.oracle),
    )
