"""One run as tables and pages read it: its plan, its verdicts, and queries over its trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, UNREADABLE, Comparison, Manifest, Plan, PlannedArm, RunProblem, Setting, first_line
from promptlab.reporting.prepared import Prepared

RIGHT = 0.5
"""An answer counts as right from this score on; graded metrics give scores in between."""
WHOLE = "SELECT t.*, i.input, i.targets FROM trials t LEFT JOIN items i USING (suite, task, item)"


class Store(Prepared):
    """One run, ready for a page: its verdicts, and queries over its trials. Nothing here grows with the run."""

    @property
    def n_trials(self) -> int:
        return self.report.n_trials

    @property
    def plan(self) -> Plan:
        return self.report.plan

    @property
    def manifest(self) -> Manifest:
        return self.report.manifest

    @property
    def simulated(self) -> bool:
        return self.manifest.simulated

    @property
    def models(self) -> list[str]:
        return list(self.plan.model_of)

    @property
    def tasks(self) -> list[str]:
        return list(self.plan.task_of)

    @property
    def arms(self) -> dict[str, PlannedArm]:
        """The arms of the plan by name."""
        return {arm.name: arm for arm in self.plan.arms}

    @property
    def stimuli(self) -> list[str]:
        return [name for name, arm in self.arms.items() if arm.role in ("stimulus", "loop")]

    @property
    def controls(self) -> list[str]:
        """The controls that were planned, neutral sentences and neutral feedback first."""
        return self.report.controls or ["none"]

    @property
    def settings(self) -> dict[str, Setting]:
        """Settings by the words that name them."""
        return {setting.words: setting for setting in self.plan.settings}

    def arm_words(self) -> dict[str, str]:
        """How each arm is shown in a list: its name and the beginning of its text."""
        words = {}
        for name, arm in self.arms.items():
            if name == NONE_ARM:
                words[name] = f"{name}: the prompt without any added text"
            elif name == AA_ARM:
                words[name] = f"{name}: the same again, to see how much answers vary by themselves"
            else:
                kind = " (neutral)" if arm.role == "placebo" else ""
                words[name] = f"{name}{kind}: {arm.text}"
        return words

    def comparisons(self, model: str, setting: Setting, control: str | None, scopes: Sequence[str]) -> list[Comparison]:
        """The planned comparisons of one model and setting, in the plan's order."""
        return [c for c in self.report.of(None, model, control, setting) if c.scope in scopes]

    def whole(self, model: str, setting: Setting, task: str, arms: Sequence[str], items: Sequence[str]) -> pd.DataFrame:
        """Trials with everything recorded, and `input` and `targets` of the item: for as many items as a page shows."""
        asked = "t.model = ? AND t.setting = ? AND t.task = ? AND list_contains(?, t.arm) AND list_contains(?, t.item)"
        return self.query(f"{WHOLE} WHERE {asked} ORDER BY t.order", [model, setting.id, task, list(arms), list(items)])

    def trial(self, trial: str) -> dict[str, Any] | None:
        """Everything recorded of one trial, with `input` and `targets` of its item; None where there is no such trial."""
        found = self.query(f"{WHOLE} WHERE t.trial = ?", [trial])
        return None if found.empty else records(found)[0]

    def calls(self, trial: str) -> pd.DataFrame:
        """The calls of one trial; damage in the folder is a RunProblem."""
        try:
            return super().calls(trial)
        except UNREADABLE as error:
            raise RunProblem(f"{self.folder / 'calls'}: the calls of trial {trial} cannot be read ({first_line(error)})") from None


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
