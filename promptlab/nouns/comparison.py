"""What is judged: planned comparisons by name, the arms that each of them means, and what came out: treatment minus control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from promptlab.nouns.setting import InSetting, Setting, flat
from promptlab.nouns.typed import number, typed, values_of
from promptlab.nouns.words import CONTROLS, ControlWording, Generalise, Scope, Status, Verdict

Decision = Literal["continue", "efficacy", "futility", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRef:
    """One arm of a contrast; without `prompt` the mean over the base prompts of an item, each paired with itself."""

    model: str
    setting: str
    """Its id."""
    arm: str
    prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What is compared: item by item the sum of weights times the mean scores of arms.

    Weights above 0 are the treatment's, below 0 the control's. Each side sums to 1 in a difference, to 2 in an interaction (the
    difference of two differences).
    """

    name: str
    """As people read it, such as `prompt expert - current`, with what holds on both sides."""
    weights: tuple[tuple[ArmRef, float], ...]
    kind: Literal["difference", "interaction"] = "difference"
    random: str | None = None
    """The factor whose levels stand for others like them; "prompt" for base prompts."""
    where: str = ""
    """What holds on both sides, such as `prompt expert`."""

    @property
    def scale(self) -> float:
        """What the weights of each side sum to."""
        return 2.0 if self.kind == "interaction" else 1.0

    def side(self, sign: int) -> tuple[ArmRef, ...]:
        """The arms of the treatment (1) or of the control (-1)."""
        return tuple(ref for ref, weight in self.weights if weight * sign > 0)

    def each(self, sign: int) -> tuple[float, ...]:
        """The weights of the treatment's arms (1) or of the control's (-1), without sign, in sum 1."""
        return tuple(abs(weight) / self.scale for _, weight in self.weights if weight * sign > 0)

    def plain(self) -> dict[str, Any]:
        """As a row of the plan."""
        rows = [{"weight": w, "model": r.model, "setting": r.setting, "arm": r.arm, "prompt": r.prompt} for r, w in self.weights]
        return {"name": self.name, "kind": self.kind, "random": self.random, "where": self.where, "weights": rows}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Contrast:
        """A contrast from a row of the plan."""
        weights = tuple((ArmRef(**values_of(ArmRef, row)), number(row["weight"])) for row in plain["weights"])
        return cls(**values_of(cls, plain, "weights"), weights=weights)


class Judged(InSetting):
    """What is judged: a treatment against a control, of an added text or of a contrast."""

    __slots__ = ()
    scope: Any
    treatment: str
    control: str
    contrast: Contrast | None

    @property
    def against(self) -> ControlWording:
        """What the treatment is compared with, as people read it."""
        if self.contrast is None or self.scope == "by_prompt":
            return CONTROLS[self.control]
        return ControlWording(self.control, f"{NOUNS.get(self.scope, '')} {self.control}".strip())

    @property
    def subject(self) -> str:
        """The treatment as a sentence names it, with what holds on both sides."""
        where = f" [{self.contrast.where}]" if self.contrast and self.contrast.where else ""
        return f"{NOUNS.get(self.scope, '')} {self.treatment}{where}".strip()


NOUNS = {"prompt": "the prompt", "wording": "the prompt", "model": "the model"}
"""The text before the name of a control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis(Judged):
    """One planned comparison. `treatment` is a stimulus, a library for the mean over its stimuli, or what a contrast calls its side."""

    family: str
    scope: Scope
    model: str
    task: str | None
    treatment: str
    library: str
    control: str
    """A `Control`, or what a contrast calls its other side."""
    setting: Setting
    contrast: Contrast | None = None
    """The arms of both sides; None for an added text, whose arms follow from the plan."""

    def plain(self) -> dict[str, Any]:
        """As a row of the plan: the setting by its id and by its factors."""
        row = flat(self)
        contrast = row.pop("contrast")
        return row | ({"contrast": contrast.plain()} if contrast else {})

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Hypothesis:
        """A hypothesis from a row of the plan."""
        contrast = Contrast.of(row["contrast"]) if row.get("contrast") else None
        return cls(**values_of(cls, row, "setting", "contrast"), setting=Setting.of(row), contrast=contrast)


@dataclass(frozen=True, slots=True)
class LookRow(InSetting):
    """What one look decided about one treatment in one setting of one model. Figures are None where nothing could be judged."""

    look: int
    model: str
    setting: Setting
    treatment: str
    control: str
    n_pairs: int
    diff: float | None
    p: float | None
    level: float
    conditional_power: float | None
    decision: Decision

    @property
    def stops(self) -> bool:
        return self.decision in ("efficacy", "futility")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenRow(InSetting):
    """One arm on the screening part, treatment minus control as fractions: why it continues to the confirming part, or does not.

    `to_best` is the difference to the best arm of its question, with the upper end of its interval in `to_best_high`.
    """

    question: str
    """Arms of one question are chosen among each other."""
    model: str
    setting: Setting
    treatment: str
    control: str
    name: str
    n_pairs: int
    score: float | None
    diff: float | None
    ci_low: float | None
    ci_high: float | None
    to_best: float | None = None
    to_best_high: float | None = None
    chosen: bool
    why: str


def screen_rows(data: Mapping[str, Any]) -> list[ScreenRow]:
    """The rows of a run's choice, as looks.json holds them; KeyError or TypeError where one is not as it was written."""
    names = [name for name in ScreenRow.__dataclass_fields__ if name != "setting"]
    return [typed(ScreenRow, {**{name: row[name] for name in names}, "setting": row}) for row in data.get("screening", ())]


def look_rows(data: Mapping[str, Any]) -> list[LookRow]:
    """The rows of a run's looks.json; KeyError or TypeError where one is not as it was written."""
    names = [name for name in LookRow.__dataclass_fields__ if name != "setting"]  # of which rows of format 1 have only the factors
    return [typed(LookRow, {**{name: row[name] for name in names}, "setting": row}) for row in data.get("looks", ())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Judged):
    """Treatment minus control, and what it means. Scores and effects are fractions; None is "not available", never NaN.

    scope: cell (one task), stimulus (one stimulus over the tasks), primary (all stimuli of a library over the tasks),
    aa (the baseline against its own repeat), or that of a contrast. `task` is None for a mean over the tasks.
    """

    scope: Scope | Literal["aa"]
    family: str
    n_family: int = 0
    model: str
    simulated: bool
    suite: str
    task: str | None
    setting: Setting
    control: str
    control_arms: tuple[str, ...]
    treatment: str
    library: str | None
    n_planned: int
    n_pairs: int
    n_missing: int
    n_tasks: int
    mean_control: float | None
    mean_treatment: float | None
    diff: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    gained: int | None = None
    lost: int | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    p_tost: float | None = None
    p_tost_adjusted: float | None = None
    margin: float
    mde: float | None = None
    method: str = ""
    ci_method: str = ""
    adjustment: str
    status: Status = "ok"
    verdict: Verdict = "unclear"
    sentence: str = ""
    notes: tuple[str, ...] = ()
    ci_fixed_low: float | None = None
    ci_fixed_high: float | None = None
    """Of a mean over tasks: the interval for these tasks."""
    ci_like_low: float | None = None
    ci_like_high: float | None = None
    """The interval for tasks like these; None with one task, or where all tasks moved alike."""
    generalises: Generalise = "these"
    """Which tasks the verdict and `ci_low`, `ci_high` are about."""
    neutral: Generalise = "these"
    """Which neutral sentences they are about."""
    ci_neutral_low: float | None = None
    ci_neutral_high: float | None = None
    """The interval against neutral sentences like these; None against another control, or with fewer than 5."""
    se: float | None = None
    """Standard error of one task's difference, robust where items come in clusters."""
    missing_control: float | None = None
    missing_treatment: float | None = None
    """Shares of the planned answers that have no score."""
    worst_low: float | None = None
    worst_high: float | None = None
    """Where the difference would lie if every missing answer were at its worst for the treatment, and at its best."""
    unwhole_control: float | None = None
    unwhole_treatment: float | None = None
    """Shares of answers that were cut, empty, refused, or nothing but a thought."""
    oracle: bool = False
    """Whether an oracle stopped the loops that are compared: such a score is not that of a single answer."""
    contrast: Contrast | None = None
    """The arms of both sides, where the comparison is not of an added text."""

    @property
    def name(self) -> str:
        """What is compared, as a person reads it."""
        return self.contrast.name if self.contrast else self.treated

    @property
    def treated(self) -> str:
        """The treatment as a person reads it: an oracle is never left out."""
        return f"{self.subject} (with oracle)" if self.oracle else self.subject


COMPARISON_COLUMNS = tuple(
    column
    for name in Comparison.__dataclass_fields__
    if name != "contrast"
    for column in (("setting", "placement", "shots", "strategy") if name == "setting" else (name,))
)
