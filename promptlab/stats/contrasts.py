"""Contrasts: prompts against the incumbent, levels against their reference, models against the first, and how effects differ.

Everything here follows from the plan before there is any data. A contrast is data (weights over arms), so that one inference serves
all of them; differences of differences are made by taking one step inside another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import NamedTuple

from promptlab.nouns import NONE_ARM, ArmRef, Comparison, Contrast, Hypothesis, Plan, PlannedFactor, Scope

Weights = Mapping[ArmRef, float]
DEFAULT_INTERACTIONS = (("prompt", "model"), ("stimulus", "prompt"))
PROMPT, MODEL, STIMULUS = "prompt", "model", "stimulus"


class Step(NamedTuple):
    """From one level of a factor to another: where it leads from any arm, on both sides."""

    treatment: str
    control: str
    name: str
    """As people read it, such as `prompt expert - current`."""
    ends: tuple[str, str]
    """Both levels as another step's difference names where it was taken."""
    to: Callable[[ArmRef], Weights]
    since: Callable[[ArmRef], Weights]

    def over(self, weights: Weights) -> dict[ArmRef, float]:
        """The difference that the step makes to a weighted sum of arms."""
        found: dict[ArmRef, float] = {}
        for ref, weight in weights.items():
            for sign, side in ((1, self.to(ref)), (-1, self.since(ref))):
                for arm, share in side.items():
                    found[arm] = found.get(arm, 0.0) + sign * weight * share
        return {arm: weight for arm, weight in found.items() if weight}


class _Design:
    """What a plan compares, as steps."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.models = list(plan.model_of)
        self.prompts = prompt_names(plan)
        self.incumbent = (plan.incumbent or self.prompts[0]) if plan.prompts else None
        self.factors = [factor for factor in plan.factors if factor.name != PROMPT]
        self.random = next((factor for factor in self.factors if factor.random), None)
        plain = [setting for setting in plan.settings if setting.strategy not in plan.looped]
        self.settings = {setting.id: setting for setting in plain}
        self.at_reference = [
            own for own in self.settings if all(factor.of.get(own, factor.reference) == factor.reference for factor in self.factors)
        ] or list(self.settings)[:1]
        self.stimuli = [arm for arm in plan.arms if arm.role == "stimulus"]

    def partner(self, setting: str, factor: PlannedFactor, level: str) -> str | None:
        """The setting that differs from this one in the level of one factor."""
        others = [other for other in self.factors if other is not factor]
        own = self.settings[setting]
        found = [
            name
            for name in self.settings
            if factor.of.get(name) == level and all(other.of.get(name) == other.of.get(setting) for other in others)
        ]

        def alike(name: str) -> int:
            return sum(a == b for a, b in zip(self.settings[name].factors, own.factors, strict=True))

        return max(found, key=alike, default=None)

    def steps(self, name: str, every: bool = False) -> list[Step]:
        """The steps of a factor: each level against its reference, or (`every`) all pairs of levels."""
        if name == STIMULUS:
            return [step for arm in self.stimuli for step in self._of_stimulus(arm.name)]
        if name in (PROMPT, MODEL):
            levels = self.models if name == MODEL else self.prompts
            reference = (self.models if name == MODEL else [self.incumbent or self.prompts[0]])[0]

            def move(field: str, level: str) -> Callable[[ArmRef], Weights]:
                return lambda ref: {replace(ref, **{field: level}): 1.0}

            return [
                Step(b, a, f"{name} {b} - {a}", (f"{name} {b}", f"{name} {a}"), move(name, b), move(name, a))
                for a, b in _pairs(levels, reference, every)
            ]
        factor = next((factor for factor in self.factors if factor.name == name), None)
        if factor is None or factor.random:
            return []

        def shift(level: str) -> Callable[[ArmRef], Weights]:
            return lambda ref: {replace(ref, setting=self.partner(ref.setting, factor, level) or ref.setting): 1.0}

        ends = [((f"{name} {b}", f"{name} {a}"), a, b) for a, b in _pairs(factor.levels, factor.reference, every)]
        return [Step(*both, f"{name} {b} - {a}", both, shift(b), shift(a)) for both, a, b in ends]

    def _of_stimulus(self, name: str) -> Iterator[Step]:
        """A stimulus against each of its controls."""
        placebos = self.plan.placebos_of.get(name, ())
        for control, arms in (("placebo", placebos), ("none", self.plan.baseline)):
            if arms:
                yield Step(name, control, f"{name} - {control}", (name, control), _arms([name]), _arms(arms))

    def base(self, model: str, settings: Sequence[str], prompt: str | None = None) -> dict[ArmRef, float]:
        """The arm without added text, on average over some settings; where a factor is random, over its levels too."""
        every = list(dict.fromkeys(other for own in settings for other in self._like(own)))
        return {ArmRef(model=model, setting=own, arm=NONE_ARM, prompt=prompt): 1 / len(every) for own in every}

    def _like(self, setting: str) -> list[str]:
        """The settings that the levels of a random factor make of this one."""
        if self.random is None:
            return [setting]
        found = [self.partner(setting, self.random, level) for level in self.random.levels]
        return [own for own in found if own is not None] or [setting]

    def planned(self, family: str, scope: Scope, steps: Sequence[Step], weights: Weights, where: str = "") -> list[Hypothesis]:
        """The hypothesis of a step, or of a step within another, over the tasks; and of each task where a scope has cells."""
        for step in steps:
            weights = step.over(weights)
        first, *rest = steps
        both = len(rest) > 0
        refs = list(weights)
        name = f"({first.name}) x ({rest[0].name})" if both else first.name
        contrast = Contrast(
            name=f"{name} [{where}]" if where else name, weights=tuple(weights.items()), kind="interaction" if both else "difference",
            random=self._random(refs), where=where,
        )  # fmt: skip
        models = list(dict.fromkeys(ref.model for ref, weight in weights.items() if weight > 0))
        sides = [f"{first.name} in {end}" for end in rest[0].ends] if both else [first.treatment, first.control]
        hypothesis = Hypothesis(
            family=family, scope=scope, model=models[0], task=None, library="", contrast=contrast, treatment=sides[0], control=sides[1],
            setting=self.settings[refs[0].setting],
        )  # fmt: skip
        tasks = list(self.plan.task_of) if scope in WITH_CELLS and len(self.plan.tasks) > 1 else []
        return [hypothesis, *(replace(hypothesis, family=f"cell/{family}", task=task) for task in tasks)]

    def _random(self, refs: Sequence[ArmRef]) -> str | None:
        """The random factor that a contrast is averaged over."""
        if self.random:
            return self.random.name
        return self.plan.random_prompts if all(ref.prompt is None for ref in refs) else None

    def simple(self, factor: PlannedFactor, model: str) -> Iterator[Hypothesis]:
        """Each level against its reference: on average over everything else, and within each of the other settings and prompts."""
        for step, level in zip(self.steps(factor.name), [x for x in factor.levels if x != factor.reference], strict=True):
            places = [own for own in self._bases(factor) if self.partner(own, factor, level)]
            if not places:
                continue
            yield from self.planned(f"level/{factor.name}/{model}", "level", [step], self.base(model, places))
            within = list(product(places, self.prompts if self.plan.prompts else [None]))
            for own, prompt in within if len(within) > 1 else ():
                labels = [f"{other.name} {other.of[own]}" for other in self.factors if other is not factor and own in other.of]
                where = ", ".join([*labels, *([f"prompt {prompt}"] if prompt else [])])
                yield from self.planned(f"simple/{factor.name}/{model}", "simple", [step], self.base(model, [own], prompt), where)

    def _bases(self, factor: PlannedFactor) -> list[str]:
        """Settings at the reference of a factor; of a random factor's levels one, which stands for all."""
        same = [own for own in self.settings if factor.of.get(own) == factor.reference]
        return [own for own in same if self.random is None or self.random.of.get(own) == self.random.reference]

    def where(self, settings: Sequence[str], own: str) -> str:
        """What tells a setting from the others that the same question is run in."""
        return ", ".join(self.settings[own].apart([self.settings[other] for other in settings])) if len(settings) > 1 else ""

    def interaction(self, one: str, other: str) -> Iterator[Hypothesis]:
        """How much what one factor does depends on another."""
        fixed = MODEL in (one, other)
        for model in self.models[:1] if fixed else self.models:
            family = f"interaction/{one} x {other}" + ("" if fixed else f"/{model}")
            for a, b, group in product(self.steps(one), self.steps(other), self._apart(one, other)):
                own = [setting for setting in group if _is_full(b.over(a.over(self.base(model, [setting]))))]
                of = family + (f"/{a.control}" if one == STIMULUS else f"/{b.control}" if other == STIMULUS else "")
                if own:
                    yield from self.planned(of, "interaction", [a, b], self.base(model, own), self.where(self.at_reference, own[0]))

    def _apart(self, one: str, other: str) -> list[list[str]]:
        """The settings over which an interaction is averaged; each setting alone where no factor is requested."""
        factors = [factor for factor in self.factors if factor.name in (one, other)]
        if not factors:
            return [[own] for own in self.at_reference]
        return [[own for own in self.settings if all(factor.of.get(own) == factor.reference for factor in factors)]]


WITH_CELLS: tuple[Scope, ...] = ("prompt", "level", "model")
"""Scopes that are judged task by task as well."""


def _is_full(weights: Weights) -> bool:
    """Whether an interaction has all four corners: where a setting has no partner, two of them are one."""
    return sum(abs(weight) for weight in weights.values()) > 3.999


def _arms(names: Sequence[str]) -> Callable[[ArmRef], Weights]:
    """To these arms in the place of any, each with equal weight."""
    return lambda ref: {replace(ref, arm=name): 1 / len(names) for name in names}


def prompt_names(plan: Plan) -> list[str]:
    """The base prompts of a run, those that are compared first."""
    return [prompt.name for prompt in plan.prompts] or list(plan.base_prompts)


def _pairs(levels: Sequence[str], reference: str, every: bool) -> list[tuple[str, str]]:
    return list(combinations(levels, 2)) if every else [(reference, level) for level in levels if level != reference]


def planned(plan: Plan) -> list[Hypothesis]:
    """Every hypothesis of a plan that is about more than an added text over all base prompts: the plan's own facts decide which.

    Families, each of one question (Holm within; Benjamini and Hochberg over single tasks): prompts of one model against the
    incumbent, and against all wordings of it; levels of one factor against its reference, on average and within each of the others;
    models against the first; an interaction; stimuli in each base prompt. Interactions are tested by default of prompt and model, and
    of stimulus and prompt. In `plan.interactions` a name with itself asks for all pairs of its levels (step-down maxT).
    """
    design = _Design(plan)
    found: list[Hypothesis] = []
    incumbent = design.incumbent
    for model in design.models if len(plan.prompts) > 1 else ():
        for step, own in product(design.steps(PROMPT), design.at_reference):
            where = design.where(design.at_reference, own)
            found += design.planned(f"prompt/{model}", "prompt", [step], design.base(model, [own]), where)
    found += _against_wordings(design)
    for factor, model in product(design.factors, design.models):
        if not factor.random:
            found += design.simple(factor, model)
    if plan.compare_models:
        for step, own in product(design.steps(MODEL), design.at_reference):
            base, where = design.base(design.models[0], [own], incumbent), design.where(design.at_reference, own)
            found += design.planned("model", "model", [step], base, where)
    for name in dict.fromkeys(one for one, *other in plan.interactions if other == [one]):
        for model in design.models[:1] if name == MODEL else design.models:
            for step, own in product(design.steps(name, every=True), design.at_reference):
                family = f"pair/{name}" + ("" if name == MODEL else f"/{model}")
                base = design.base(model, [own], None if name == PROMPT else incumbent)
                found += design.planned(family, "pair", [step], base, design.where(design.at_reference, own))
    found += _other_arms(design, found)
    asked = [tuple(pair) for pair in plan.interactions if len(set(pair)) == 2]
    defaults = [pair for pair in DEFAULT_INTERACTIONS if set(pair) not in map(set, asked)]
    if len(design.prompts) > 1:
        found += _by_prompt(design)
    for one, other in (*defaults, *asked):
        needed = {PROMPT: len(design.prompts) > 1, MODEL: len(design.models) > 1, STIMULUS: bool(design.stimuli)}
        default_is_idle = (one, other) in defaults and {one, other} == {PROMPT, MODEL} and not plan.prompts
        if all(needed.get(name, True) for name in (one, other)) and not default_is_idle:
            found += design.interaction(one, other)
    return found


def of_arms(plan: Plan) -> bool:
    """Whether prompts, settings or models are what a run compares: then each model has one incumbent for all of its arms."""
    return bool(len(plan.prompts) > 1 or plan.compare_models or any(factor.name != PROMPT for factor in plan.factors))


def incumbent_of(plan: Plan, model: str) -> frozenset[ArmRef]:
    """What runs today in a model: the incumbent prompt at the reference of every factor, over the levels of a random one."""
    design = _Design(plan)
    return frozenset(design.base(model, design.at_reference[:1], design.incumbent))


def arm_of(plan: Plan, model: str, setting: str, prompt: str | None, arm: str) -> frozenset[ArmRef]:
    """One arm as contrasts name it: over the levels of a random factor."""
    base = _Design(plan).base(model, [setting], prompt)
    return frozenset(base) if arm == NONE_ARM else frozenset(replace(ref, arm=arm) for ref in base)


def exact(hypotheses: Sequence[Hypothesis | Comparison]) -> dict[tuple[frozenset[ArmRef], frozenset[ArmRef]], int]:
    """Differences between two arms over the tasks, by both of them: their places in the list."""
    found: dict[tuple[frozenset[ArmRef], frozenset[ArmRef]], int] = {}
    for place, h in enumerate(hypotheses):
        if h.contrast is not None and h.contrast.kind == "difference" and h.task is None and h.scope != "pair":
            found.setdefault((frozenset(h.contrast.side(1)), frozenset(h.contrast.side(-1))), place)
    return found


def _other_arms(design: _Design, found: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Every arm that no other question compares with its model's incumbent, in one family for each model."""
    plan, there = design.plan, exact(found)
    if not of_arms(plan):
        return []
    made: list[Hypothesis] = []
    prompts: list[str | None] = [*design.prompts] if plan.prompts else [None]
    arms = [NONE_ARM, *(arm.name for arm in design.stimuli)]
    firsts = [own for own in design.settings if design.random is None or design.random.of.get(own) == design.random.reference]
    for model, own, prompt, arm in product(design.models, firsts, prompts, arms):
        base = design.base(model, design.at_reference[:1], design.incumbent)
        target = design.base(model, [own], prompt)
        target = target if arm == NONE_ARM else _arms_in_place(arm, target)
        if target.keys() == base.keys() or (frozenset(target), frozenset(base)) in there:
            continue
        labels = [f"{factor.name} {factor.of[own]}" for factor in design.factors if not factor.random and own in factor.of]
        name = " + ".join([*([prompt] if prompt else []), *([arm] if arm != NONE_ARM else []), *labels])
        weights = {**target, **{ref: -weight for ref, weight in base.items()}}
        made.append(
            Hypothesis(
                family=f"arm/{model}", scope="arm", model=model, task=None, treatment=name, library="", control="incumbent",
                setting=design.settings[own],
                contrast=Contrast(name=f"{name} - incumbent", weights=tuple(weights.items()), random=design._random(list(weights))),
            )
        )  # fmt: skip
    return made


def _arms_in_place(arm: str, base: Weights) -> dict[ArmRef, float]:
    """The weights of a baseline as those of another arm in the same places."""
    found: dict[ArmRef, float] = {}
    for ref, weight in base.items():
        there = replace(ref, arm=arm)
        found[there] = found.get(there, 0.0) + weight
    return found


def _against_wordings(design: _Design) -> Iterator[Hypothesis]:
    """Each other prompt against the mean of the incumbent and its paraphrases, where it has some: how much is wording alone?"""
    own = design.plan.wordings
    said = f"{design.incumbent} in {len(own)} wordings"
    for model, setting, name in product(design.models, design.at_reference, design.prompts if len(own) > 1 else ()):
        if name not in own:
            ends = (f"prompt {name}", f"prompt {said}")
            step = Step(name, said, f"{ends[0]} - {said}", ends, _prompts([name]), _prompts(own))
            where = design.where(design.at_reference, setting)
            yield from design.planned(f"wording/{model}", "wording", [step], design.base(model, [setting]), where)


def _prompts(names: Sequence[str]) -> Callable[[ArmRef], Weights]:
    """To these prompts in the place of any, each with equal weight."""
    return lambda ref: {replace(ref, prompt=name): 1 / len(names) for name in names}


def _by_prompt(design: _Design) -> Iterator[Hypothesis]:
    """Each stimulus in each base prompt."""
    for model, own, prompt in product(design.models, design.at_reference, design.prompts):
        for step in design.steps(STIMULUS):
            where = ", ".join(filter(None, [f"prompt {prompt}", design.where(design.at_reference, own)]))
            family = f"by_prompt/{model}/{step.control}"
            yield from design.planned(family, "by_prompt", [step], design.base(model, [own], prompt), where)


def completed(plan: Plan) -> Plan:
    """The plan with the contrasts that follow from its own facts, where an earlier version froze none."""
    if any(h.contrast for h in plan.hypotheses):
        return plan
    return replace(plan, hypotheses=(*plan.hypotheses, *planned(plan)))
