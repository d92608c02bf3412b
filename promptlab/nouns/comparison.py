"""Treatment minus control, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from promptlab.nouns.setting import InSetting, Setting
from promptlab.nouns.words import Status, Verdict


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
    se: float | None = None
    """Standard error of a cell's difference, robust where items come in clusters."""
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
