"""The frozen plan of a run: written before the first call, hashed, and all that the analysis knows besides the trials.

Above 400 lines: the dataclasses are the file format, one field for each key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

from promptlab.nouns.comparison import ArmRef, Comparison, Contrast, Hypothesis
from promptlab.nouns.setting import Setting
from promptlab.nouns.typed import Typed, fields_of, key, typed
from promptlab.nouns.words import AA_ARM, NONE_ARM, Control, Generalise, Role, Scorer, Suite, control_name

FORMAT = 2
"""Of plan.json and manifest.json. Format 1 had no ids of settings, and left out what a run had none of."""
READABLE = (1, FORMAT)


class PlannedModel(Typed):
    """A model, and what is sent to it."""

    name: str
    litellm_name: str = ""
    api_base: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False
    truth: str | None = None
    """What a simulated model was made to do."""


class PlannedTask(Typed):
    """A task with all of its prompts but the items."""

    name: str = key("task")
    suite: Suite = "own"
    n_items: int = 0
    metric: str = ""
    strict: str = ""
    scoring: Mapping[str, Any] = field(default_factory=dict)
    """The parameters of its scoring, where that is no metric."""
    low: float | None = None
    """The score of guessing, where scores are normalised by it."""
    chance: float | None = None
    base_prompts: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    licence: str = ""
    defects: tuple[str, ...] = ()
    frame: Mapping[str, Any] = field(default_factory=dict)
    options: Literal["shown", "hidden"] = "shown"
    demos: tuple[Mapping[str, Any], ...] = ()


class PlannedArm(Typed):
    """An arm, whatever its setting: its exact text and where that comes from."""

    name: str = key("arm")
    role: Role = "stimulus"
    text: str | None = None
    imported_as: str | None = None
    n_words: int = 0
    n_tokens: int | None = None
    wordings: tuple[str, ...] = ()
    demands: tuple[str, ...] = ()
    library: str | None = None
    loop: str | None = None
    """The strategy of its feedback loop."""
    stimulus: Mapping[str, Any] | None = None
    spec: Mapping[str, Any] | None = None
    oracle: bool = False
    theory: str | None = None
    source: str | None = None
    code_number: int | None = None


class PlannedLoop(Typed):
    """What all arms of a feedback loop share."""

    strategy: str
    oracle: bool = False
    mode: str = ""
    settle: str = ""
    rounds: int = 0
    solved_at: float = 1.0
    token_budget: int | None = None
    candidates: int = 1
    verdict: str | None = None
    request: str = ""


class PlannedPrompt(Typed):
    """A whole prompt: the messages as they were written, with its variables in them.

    A message with the role `messages` stands for those that a column holds. `n_tokens` counts the text without its values.
    """

    name: str = key("prompt")
    messages: tuple[Mapping[str, str], ...] = ()
    source: str = ""
    n_tokens: int | None = None
    sha256: str = ""
    """Of the messages' canonical JSON."""
    variables: tuple[str, ...] = ()
    paraphrase_of: str | None = None
    """The prompt that it says in other words."""


class PlannedFactor(Typed):
    """What is varied besides prompt, model and stimulus, level by level."""

    name: str
    levels: tuple[str, ...] = ()
    """Labels in the order of the file."""
    reference: str = ""
    """The level that every other one is compared with: the first."""
    random: bool = False
    """Whether its levels are a sample: then their spread is the result, and no level of its own."""
    of: Mapping[str, str] = field(default_factory=dict)
    """The level of each setting, by the setting's id; empty for the factor `prompt`, which ids do not hold."""


class PlannedLook(Typed):
    """An interim analysis: items of each task by then, information (a fraction), first order after it, |z| that stops."""

    items: tuple[int, ...]
    fraction: float
    order: int
    z: float | None = None


class EarlierArm(Typed):
    """An arm of an earlier run: its name there, and its name in this run's report."""

    name: str
    arm: str
    prompt: str | None = None
    """Where prompts are arms."""
    setting: str
    library: str | None = None
    text: str | None = None


class PlannedEarlier(Typed):
    """The earlier run that a comparison is planned with."""

    run: str
    folder: str
    plan: str
    """The digest of its plan."""
    created_at: str = ""
    arms: tuple[EarlierArm, ...] = ()


class PlannedConfirm(Typed):
    """Screen and confirm: the items that choose arms, those that judge the chosen ones, and the rule of the choice."""

    share: float
    """Of the items, for confirming."""
    screening: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By task: its items of the screening part. All others confirm."""
    items: tuple[int, ...] = ()
    """Items of each task that confirm."""
    order: int = 0
    """Of the first trial that confirms."""
    most: int = 1
    """The most arms of one question that continue."""
    level: float = 0.8
    """An arm continues where the interval of its difference to the best one, at this level, is not wholly below 0."""
    likely: float = 1.0
    """Arms that continue, on average, where nothing works."""
    trials_likely: int = 0
    usd_likely: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """By model: USD, low and high, where so many continue; `estimates` of the plan are those of the most."""


class LookShare(Typed):
    """Share of items sent, and power, where the true effect is `effect` times the one that the design finds."""

    effect: float
    asked: float
    power: float


class Margins(Typed):
    """The smallest differences that count, in one task and over the tasks, as fractions."""

    cell: float = 0.0
    mean: float = 0.0


class Counts(Typed):
    """How much there is of everything; `calls` is the most that can be made, as loops may stop before."""

    models: int = 0
    tasks: int = 0
    items: int = 0
    arms: int = 0
    conditions: int = 0
    trials: int = 0
    calls: int = 0


class Estimate(Typed):
    """Tokens, USD and seconds of one model, each low and high; USD is None where the price is unknown."""

    model: str
    simulated: bool
    calls: int
    input_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    usd: tuple[float | None, ...]
    price: tuple[Any, ...] | None
    """USD per million input and output tokens, and who says so."""
    usd_cached: tuple[float, ...] | None = None
    """The same as `usd`, where the provider reads the beginnings that prompts share from its cache; None where none are long enough."""
    seconds_one_by_one: tuple[float, ...]


class PowerRow(Typed):
    """The smallest effects (fractions; None: none) that are seen with 80 % power against a control, by the share of answers that change."""

    control: Control = "none"
    n_controls: int = 1
    """Arms that the control is the mean of."""
    discordance: float
    n_items_cell: int
    cell_alone: float | None
    cell_in_family: float | None
    n_cells: int
    least_changed: int
    n_tasks: int
    mean: float | None
    mean_like_these: float | None
    n_hypotheses: int


class OutlookRow(Typed):
    """The design with `factor` times its items: what it costs, what it sees, and the margins that no effect can be shown to keep."""

    factor: int
    n_items: tuple[int, ...]
    discordance: float
    calls: int
    usd: tuple[float | None, ...]
    cell: float | None
    mean: float | None
    mean_like_these: float | None
    margin_cell: float | None
    margin_mean: float | None
    n_hopeless_cells: int


class Plan(Typed):
    """Everything that was fixed before the first call; scores and effects are fractions."""

    NEEDED: ClassVar = ("models", "tasks", "arms", "hypotheses")
    """Keys without which a file is no plan."""
    run: str = ""
    name: str = ""
    question: str = ""
    imported: bool = False
    absent_is_missing: bool = False
    """Of imported results: an item that only one arm holds is a missing answer of the other, and not one that it was never asked."""
    reconstructed: bool = False
    """Items were rebuilt from counts of changed answers."""
    suite: str = ""
    scorer: Scorer | None = None
    ran_by: Scorer | None = None
    """The scorer of the run, where a report rescores its answers."""
    defects: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    alpha: float = 0.05
    fdr: float = 0.05
    margins: Margins = field(default_factory=Margins)
    generalise: Generalise = "these"
    """Which tasks a verdict over the tasks is about."""
    neutral: Generalise = "these"
    """Which neutral sentences a verdict against them is about."""
    pooling: bool = False
    """Whether the baseline and its repeat are one control; plans of earlier versions took the baseline alone."""
    replicates: int = 1
    seed: int = 0
    sampling: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[PlannedModel, ...] = ()
    tasks: tuple[PlannedTask, ...] = ()
    arms: tuple[PlannedArm, ...] = ()
    settings: tuple[Setting, ...] = ()
    placements: Mapping[str, Any] = field(default_factory=dict)
    programs: tuple[Mapping[str, Any], ...] = ()
    base_prompts: tuple[str, ...] = ()
    stimuli_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    placebos_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    encoding: str | None = None
    loops: tuple[PlannedLoop, ...] = ()
    no_placebo_reason: str | None = None
    looks: tuple[PlannedLook, ...] = ()
    look_level: float | None = None
    futility: float | None = None
    look_shares: tuple[LookShare, ...] = ()
    counts: Counts = field(default_factory=Counts)
    estimates: tuple[Estimate, ...] = ()
    power: tuple[PowerRow, ...] = ()
    outlook: tuple[OutlookRow, ...] = ()
    waves: int | None = None
    """The most calls that wait for one another, where the plan is shown with the prices of a batch."""
    price_source: str = ""
    notes: tuple[str, ...] = ()
    best_in_task: bool = False
    prompts: tuple[PlannedPrompt, ...] = ()
    """Whole prompts, which are arms: `base_prompt` of a trial is the name of one, and `base_prompts` lists them too."""
    incumbent: str | None = None
    """The prompt that runs today: the control of every other one."""
    factors: tuple[PlannedFactor, ...] = ()
    compare_models: bool = False
    interactions: tuple[tuple[str, ...], ...] = ()
    """Pairs of factors; `prompt`, `model` and `stimulus` are names of factors too."""
    confirm: PlannedConfirm | None = None
    """Of a run that screens first; None: every item judges every arm."""
    earlier: PlannedEarlier | None = None
    """The run whose arms belong to the families too."""
    hypotheses: tuple[Hypothesis, ...] = ()

    WHERE_SET: ClassVar = ("prompts", "incumbent", "factors", "compare_models", "interactions", "confirm", "earlier")
    """Keys that a plan without them leaves out, as earlier versions wrote it."""

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Plan:
        """A plan of any readable format."""
        settings = {setting.id: setting for setting in map(Setting.of, data.get("settings", ()))}
        hypotheses = []
        for row in data.get("hypotheses", ()):
            made = Hypothesis.of(row)
            hypotheses.append(replace(made, setting=settings.setdefault(made.setting.id, made.setting)))
        known = {name: value for name, value in data.items() if name != "format"}
        tasks = [{"suite": data.get("suite"), **task} for task in data.get("tasks", ())]
        return typed(cls, {**known, "tasks": tasks, "settings": tuple(settings.values()), "hypotheses": tuple(hypotheses)})

    def plain(self) -> dict[str, Any]:
        """As plan.json holds it."""
        return {"format": FORMAT, **{name: value for name, value in fields_of(self).items() if value or name not in self.WHERE_SET}}

    @cached_property
    def looped(self) -> Mapping[str, PlannedLoop]:
        """Feedback loops by the strategy that names them in a setting."""
        return {loop.strategy: loop for loop in self.loops}

    @cached_property
    def task_of(self) -> Mapping[str, PlannedTask]:
        """Tasks by name."""
        return {task.name: task for task in self.tasks}

    @cached_property
    def model_of(self) -> Mapping[str, PlannedModel]:
        """Models by name."""
        return {model.name: model for model in self.models}

    @cached_property
    def setting_of(self) -> Mapping[str, Setting]:
        """Settings by id, as the column `setting` holds it."""
        return {setting.id: setting for setting in self.settings}

    def arms_of(self, setting: Setting) -> list[PlannedArm]:
        """The arms of a setting; those of a loop belong to its own settings."""
        loop = setting.strategy if setting.strategy in self.looped else None
        return [arm for arm in self.arms if arm.loop == loop]

    def matched(self, control: str, treatment: str, loop: str) -> str:
        """The arm of a loop that is a treatment's control of this kind: the one with as many wordings at each remark, if there are several.

        Plans of earlier versions have one, which draws from all affect-free wordings at every remark.
        """
        here = {arm.name: [len(step) for step in (arm.spec or {}).get("cues", ())] for arm in self.arms if arm.loop == loop}
        alike = (name for name, n in here.items() if name.partition("/")[0] == control and n == here.get(treatment))
        return next(alike, control)

    def settings_with(self, name: str) -> list[Setting]:
        """The settings that have an arm of this name."""
        return [setting for setting in self.settings if any(arm.name == name for arm in self.arms_of(setting))]

    def called(self, control: str) -> str:
        """What people read for a control; the baseline of imported results has the name that its file gives it."""
        own = next((arm.imported_as for arm in self.arms if arm.name == control == NONE_ARM), None)
        return control_name(control) if own in (None, NONE_ARM) else str(own)

    @property
    def wordings(self) -> list[str]:
        """The incumbent and the prompts that say it in other words."""
        return [prompt.name for prompt in self.prompts if self.incumbent in (prompt.name, prompt.paraphrase_of)]

    @property
    def margin(self) -> float:
        """The smallest difference that counts over the tasks, a fraction; with one task that of a task, since its mean is the cell."""
        return self.margins.cell if len(self.tasks) == 1 else self.margins.mean

    @property
    def baseline(self) -> tuple[str, ...]:
        """The arms that are the prompt as it is."""
        return (NONE_ARM, AA_ARM) if self.pooling else (NONE_ARM,)

    @property
    def random_prompts(self) -> str | None:
        """ "prompt" where base prompts stand for others like them, as a contrast names its random factor."""
        return next((factor.name for factor in self.factors if factor.random and factor.name == "prompt"), None)

    def prompts_of(self, task: PlannedTask) -> tuple[str, ...]:
        """The base prompts that ask for a task: all, unless tasks differ in them."""
        return tuple(name for name in self.base_prompts if not self._differ or not task.base_prompts or name in task.base_prompts)

    @cached_property
    def _differ(self) -> bool:
        """Whether tasks differ in their base prompts."""
        return not self.prompts and len({frozenset(own.base_prompts) for own in self.tasks}) > 1

    def tasks_with(self, prompts: Iterable[str | None]) -> list[str]:
        """The tasks for which all of these base prompts ask (None: any)."""
        named = {name for name in prompts if name in self.base_prompts}
        return [task.name for task in self.tasks if not self._differ or named <= {*self.prompts_of(task)}]

    def n_prompts_of(self, setting: Setting, arm: PlannedArm, task: PlannedTask) -> int:
        """With how many base prompts an arm is run in a setting on a task; of whole prompts, or where nothing is added, the baseline is
        repeated with one, at the first level of every factor.
        """
        everywhere = setting.strategy in self.looped or (not self.prompts and any(arm.role == "stimulus" for arm in self.arms))
        if arm.role == "aa" and not self.imported and not everywhere:
            return int(setting == self.settings[0])
        own = any(program["name"] == setting.strategy and program["instructions"] == "own" for program in self.programs)
        return 1 if own else len(self.prompts_of(task))

    def answers_an_item(self, task: PlannedTask) -> int:
        """Answers for each item of a task in one arm of one setting and model, over base prompts and replicates."""
        return self.replicates * max(1, len(self.prompts_of(task)))


def contrast_of(h: Hypothesis | Comparison, plan: Plan) -> Contrast:
    """The arms that a hypothesis compares, with their weights."""
    if h.contrast is not None:
        return h.contrast
    members = plan.stimuli_of[h.treatment] if h.scope == "primary" else (h.treatment,)
    if h.control in ("none", "single"):
        groups: tuple[tuple[str, ...], ...] = (plan.baseline,)
    elif h.control == "placebo":  # each stimulus against its own placebos; the mean over stimuli against the mean of those means
        groups = tuple(tuple(plan.placebos_of[name]) for name in members)
    else:  # a control of a loop is an arm of its own; neutral wordings are as many as the treatment has
        groups = tuple((plan.matched(h.control, name, h.strategy),) for name in members)
    weights = dict.fromkeys(members, 1 / len(members))
    for arm, share in ((arm, 1 / len(group)) for group in groups for arm in group):
        weights[arm] = weights.get(arm, 0.0) - share / len(groups)
    setting = h.setting.id
    refs = tuple((ArmRef(model=h.model, setting=setting, arm=arm), weight) for arm, weight in weights.items())
    return Contrast(name=f"{h.treatment} - {h.control}", weights=refs, random=plan.random_prompts)
