"""What is judged: planned comparisons by name, the arms that each of them means, and what came out: treatment minus control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from promptlab.nouns.setting import InSetting, Setting, flat
from promptlab.nouns.typed import typed
from promptlab.nouns.words import Control, Generalise, Scope, Status, Verdict

Decision = Literal["continue", "efficacy", "futility", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis(InSetting):
    """One planned comparison. `treatment` is a stimulus, or a library for the mean over its stimuli."""

    family: str
    scope: Scope
    model: str
    task: str | None
    treatment: str
    library: str
    control: Control
    setting: Setting

    def plain(self) -> dict[str, Any]:
        """As a row of the plan: the setting by its id and by its factors."""
        return flat(self)


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


def look_rows(data: Mapping[str, Any]) -> list[LookRow]:
    """The rows of a run's looks.json; KeyError or TypeError where one is not as it was written."""
    names = [name for name in LookRow.__dataclass_fields__ if name != "setting"]  # of which rows of format 1 have only the factors
    return [typed(LookRow, {**{name: row[name] for name in names}, "setting": row}) for row in data.get("looks", ())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Treatment minus control, as arms of one setting and model.

    `controls` holds for each treatment arm the arms that it is compared with. A side is the mean over the treatment arms, or over
    the means of their controls; one group of controls stands for all treatment arms.
    """

    treatments: tuple[str, ...]
    controls: tuple[tuple[str, ...], ...]
    scope: Scope
    family: str
    margin: float
    """A fraction: the smallest difference that counts."""
    kind: Literal["difference"] = "difference"

    @property
    def control_arms(self) -> tuple[str, ...]:
        """Every control arm once."""
        return tuple(dict.fromkeys(arm for group in self.controls for arm in group))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(InSetting):
    """Treatment minus control, and what it means. Scores and effects are fractions; None is "not available", never NaN.

    scope: cell (one task), stimulus (one stimulus over the tasks), primary (all stimuli of a library over the tasks),
    aa (the baseline against its own repeat). `task` is None beyond cells.
    """

    scope: Literal["cell", "stimulus", "primary", "aa"]
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

    @property
    def treated(self) -> str:
        """The treatment as a person reads it: an oracle is never left out."""
        return f"{self.treatment} (with oracle)" if self.oracle else self.treatment


COMPARISON_COLUMNS = tuple(
    column
    for name in Comparison.__dataclass_fields__
    for column in (("setting", "placement", "shots", "strategy") if name == "setting" else (name,))
)
