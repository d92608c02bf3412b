"""The first calls of trials. What the trials of one task, arm and model share is worked out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from promptlab.design.cross import Design, draw_number
from promptlab.design.render import renderer, stimulus_text
from promptlab.nouns import Answer, Arm, Call, Item, Model, Steps, Trial, merged
from promptlab.running.trial_rows import constants
from promptlab.strategies import begun

Sampling = Mapping[str, Any]


class Shared(NamedTuple):
    """What trials of one task, arm and model share."""

    arm: Arm
    """Kept, so that its `id` stays its own."""
    model: Model
    render: Callable[[Item], tuple[Mapping[str, str], ...]]
    sampling: dict[int, Sampling]
    """One mapping for each draw."""
    row: Mapping[str, Any]
    """The constants of their rows."""


class FirstCalls:
    """Makes the first call of each trial of a design. `sampling` is what the experiment asks all models for."""

    def __init__(self, design: Design, sampling: Sampling) -> None:
        self._design = design
        self._tasks = {task.id: task for task in design.tasks}
        self._models = {model.name: model for model in design.models}
        self.sampling = {
            model.name: merged({"seed": design.seed} if model.simulated else {}, sampling, model.sampling) for model in design.models
        }
        """By model name: what arms without parameters of their own send."""
        self._shared: dict[tuple[str, int, str], Shared] = {}
        self._baselines = {arm.setting: arm for arm in design.arms if arm.role == "baseline"}
        repeated = [self._baselines[arm.setting] for arm in design.arms if arm.role == "aa" and arm.setting in self._baselines]
        only_prompts = all(arm.role in ("baseline", "aa") for arm in design.arms)
        self._reference = repeated[0] if only_prompts and len(repeated) == 1 else None
        """Where prompts or settings are compared: the baseline of all of them, the incumbent's."""

    def shared(self, trial: Trial) -> Shared:
        """What this trial has in common with others."""
        place = trial.task, id(trial.arm), trial.model
        found = self._shared.get(place)
        if found is None:
            task, model, arm = self._tasks[trial.task], self._models[trial.model], trial.arm
            render = (lambda _: ()) if "prompts" in arm.strategy.needs else renderer(task, arm)
            found = self._shared[place] = Shared(arm, model, render, {}, constants(arm, task, model))
        return found

    def call(self, trial: Trial) -> Call:
        """The first call of a trial."""
        shared, draw = self.shared(trial), draw_number(trial, self._design.replicates)
        sampling = shared.sampling.get(draw)
        if sampling is None:
            sampling = shared.sampling[draw] = self._drawn(merged(self.sampling[trial.model], dict(trial.arm.setting.sampling)), draw)
        return Call(trial.model, shared.render(trial.item), sampling, draw, shared.model.api_base)

    def added(self, trial: Trial) -> str:
        """The text that its prompt has and the baseline's lacks."""
        return stimulus_text(trial.arm.stimulus, self._tasks[trial.task], trial.item) or ""

    def opponent(self, trial: Trial) -> Callable[[], Steps[Answer]] | None:
        """The baseline's answer to the same item, by the calls of its own trial; None for that trial itself.

        The baseline is that of the same setting; where prompts or settings are compared, that of the incumbent.
        """
        own = trial.arm.setting
        arm = self._reference or self._baselines.get(own)
        arm = arm or next((arm for setting, arm in self._baselines.items() if setting.prompt == own.prompt), None)
        if arm is None or arm is trial.arm:
            return None
        other = replace(trial, arm=arm)
        return lambda: _for_scoring(begun(self.call(other), other))

    def _drawn(self, sampling: Sampling, draw: int) -> Sampling:
        """One seed for all draws would make every repeat the same answer."""
        return {**sampling, "seed": sampling["seed"] + draw} if "seed" in sampling else sampling


def _for_scoring(steps: Steps[Answer]) -> Steps[Answer]:
    """The same calls, with the purpose `score`: they are no attempts of the trial that is scored."""
    sent = None
    while True:
        try:
            request = steps.send(sent)
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer
        if isinstance(request, Call):
            request = replace(request, purpose="score")
        elif isinstance(request, list):
            request = [replace(call, purpose="score") for call in request]
        sent = yield request
