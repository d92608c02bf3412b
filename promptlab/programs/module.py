"""An arm of promptlab as a DSPy program: the same strategy, the same bytes, on whatever model DSPy is configured with.

One predictor, `answer`, holds the instruction (the task's base prompt) and the demonstrations, so that DSPy's optimisers can
work on them; the recipe holds the rest: all that makes the messages of one arm on one task, as plain data. Nothing of DSPy's own goes
into the messages. An arm of a run is saved from its frozen plan alone: no code of a run is executed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import dspy
from dspy.utils.saving import get_dependency_versions

from promptlab.design.render import join, render
from promptlab.nouns import Call, Completion, Demo, Frame, Item, Plan, Setting, Task, UsageProblem, digest, filled
from promptlab.nouns.arm import Arm, Loop, Placement, Steps, Stimulus, Trial
from promptlab.sources.spec.strict_yaml import checked
from promptlab.strategies import SINGLE, begun
from promptlab.strategies.loop import looped


@dataclass(frozen=True, slots=True)
class Recipe:
    """One arm on one task: its prompt, its stimulus or loop, and which run found what about it."""

    suite: Literal["twin", "official", "own"]
    task: str
    arm: str
    role: Literal["baseline", "aa", "placebo", "stimulus", "loop", "loop_control"]
    instruction: str
    placement: Placement
    frame: Frame = field(default_factory=Frame)
    options: Literal["shown", "hidden"] = "shown"
    demos: tuple[Demo, ...] = ()
    stimulus: Stimulus | None = None
    loop: Loop | None = None
    source: str = ""
    """The run that the recipe comes from, the model it was measured on, and the verdict, in words."""
    format: Literal[1] = 1

    def trial(self, instruction: str, demos: tuple[Demo, ...], item: Item, replicate: int) -> tuple[Task, Trial]:
        """The trial that a sweep would make of an item, with the instruction and demonstrations that the program has by now."""
        prompts = {"": instruction}
        task = filled(Task, self, name=self.task, benchmark="own", metric="", base_prompts=prompts, items=(item,), demos=demos)
        strategy = SINGLE if self.loop is None else looped("loop", self.loop)
        setting = Setting(self.placement.name, len(demos), strategy.name, prompt="")
        return task, Trial(0, task.id, item, Arm(self.arm, self.role, self.stimulus, setting, self.placement, strategy), "", replicate)

    @property
    def joined(self) -> str:
        """The instruction with the stimulus, after it where the placement puts it elsewhere; of several wordings the first."""
        added, where = self.stimulus, self.placement
        if where.position not in ("prefix", "suffix"):
            where = replace(where, position="suffix", separator=" ")
        return join(self.instruction, added.text if added else None, where, added.joined_by if added else None)

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def recipe_from(plain: object) -> Recipe:
    """A recipe that was saved; UsageProblem when it is not one."""
    return checked(plain, Recipe, "recipe of a promptlab program")


def recipe_of(plan: Plan, task: str, arm: str, setting: Setting, base_prompt: str, source: str) -> Recipe:
    """One arm of a run, from its frozen plan; UsageProblem where the plan does not hold it, or its prompts are whole ones."""
    _of_base_prompts(plan)
    row, asked = next((row for row in plan.arms_of(setting) if row.name == arm), None), plan.task_of.get(task)
    if row is None or asked is None:
        raise UsageProblem(f"the run has no arm {arm!r} on the task {task!r} in this setting")
    if not plan.placements:
        raise UsageProblem("the run was planned by an earlier version, which did not keep its prompts; run the same experiment again")
    return recipe_from(
        {
            "suite": asked.suite,
            "task": task,
            "arm": arm,
            "role": row.role,
            "instruction": asked.base_prompts[base_prompt],
            "placement": plan.placements[setting.placement],
            "frame": asked.frame,
            "options": asked.options,
            "demos": asked.demos[: setting.shots],
            "stimulus": row.stimulus,
            "loop": row.spec,
            "source": source,
        }
    )


def _of_base_prompts(plan: Plan) -> None:
    if plan.prompts:
        raise UsageProblem(
            "the run compares whole prompts, and a DSPy program holds one instruction, no chat and no columns, so no program can be made "
            f"of it; `promptlab report {plan.run} --page library` shows the messages to copy, and --format long writes the trials"
        )


Verifier = Callable[[str, Item], float]
"""The score of an answer, in [0, 1]: what an oracle loop stops by."""


class _Exactly(dspy.Adapter):  # type: ignore[misc]  # dspy has no types
    """Sends given messages as they are, and takes the reply as it is."""

    def __init__(self, messages: Sequence[Mapping[str, str]]) -> None:
        super().__init__()
        self._messages = messages

    def format(self, signature: Any, demos: Any, inputs: Any) -> list[dict[str, str]]:  # noqa: ANN401 (dspy's signature)
        return [dict(message) for message in self._messages]

    def parse(self, signature: Any, completion: str) -> dict[str, str]:  # noqa: ANN401
        return {"answer": completion}

    def _call_postprocess(self, processed: Any, original: Any, outputs: Any, lm: Any, lm_kwargs: Any) -> list[dict[str, str]]:  # noqa: ANN401
        """Without what DSPy does for empty replies: it raises, where an empty answer is an answer here."""
        return [{"answer": (output.get("text") if isinstance(output, dict) else output) or ""} for output in outputs]


class PromptProgram(dspy.Module):  # type: ignore[misc]
    """One arm of an experiment on one task, as a program: `program(input=...)` gives `answer`, and `rounds` of a loop.

    `verifier` is needed by oracle loops alone. `program.save("x.json")` keeps everything but it; `load_program` reads it back.
    """

    def __init__(self, recipe: Recipe, verifier: Verifier | None = None) -> None:
        super().__init__()
        self.verifier = verifier
        self._take(recipe)

    def _take(self, recipe: Recipe) -> None:
        self.recipe = recipe
        fields = "input: str, choices: list[str] -> answer: str"
        self.answer = dspy.Predict(dspy.Signature(fields).with_instructions(recipe.instruction))
        self.answer.demos = [{"input": d.input, "choices": list(d.choices), "answer": d.output} for d in recipe.demos]

    def forward(
        self,
        input: str,  # noqa: A002 (the field's name)
        choices: Sequence[str] = (),
        item_id: str | None = None,
        targets: Sequence[str] = (),
        replicate: int = 0,
    ) -> dspy.Prediction:
        """Ask about one input. `item_id` decides which wording or cue is drawn (default: the input itself does).

        `targets` go to the verifier alone. Errors of DSPy's model are raised as they are.
        """
        item = Item(item_id or digest(input)[:12], input, tuple(targets), tuple(choices))
        demos = tuple(Demo(d["input"], d["answer"], tuple(d.get("choices") or ())) for d in self.answer.demos)
        task, trial = self.recipe.trial(self.answer.signature.instructions, demos, item, replicate)
        verifier = self.verifier
        if trial.arm.strategy.oracle and verifier is None:
            raise UsageProblem("this loop is stopped by an oracle; give the program a verifier: (answer, item) -> score")
        lm = self.answer.lm or dspy.settings.lm
        seed = getattr(lm, "kwargs", {}).get("seed")
        first = Call("", render(task, item, trial.arm), {} if seed is None else {"seed": seed})

        def verified(text: str) -> Steps[float]:
            return verifier(text, item) if verifier else 0.0
            yield  # a generator that asks nothing

        strategy = begun(first, trial, verified)
        rounds: list[dict[str, Any]] = []
        call = next(strategy)
        while True:
            if not isinstance(call, Call):
                raise UsageProblem(f"the arm {self.recipe.arm!r} sends several calls at once, which a DSPy program cannot")
            completion = self._ask(call, item)
            rounds.append({"round": call.round, "purpose": call.purpose, "emotion": call.emotion, "cue": call.cue, "text": completion.text})
            try:
                call = strategy.send(completion)
            except StopIteration as stop:
                return dspy.Prediction(answer=stop.value.text, outcome=stop.value.outcome, rounds=rounds)

    def _ask(self, call: Call, item: Item) -> Completion:
        with dspy.track_usage() as tracker, dspy.context(adapter=_Exactly(call.messages)):
            found = self.answer(input=item.input, choices=list(item.choices), config=dict(call.sampling))
        used = [usage.get("completion_tokens") for usages in tracker.usage_data.values() for usage in usages]
        return Completion(found.answer, "ok" if found.answer.strip() else "empty", output_tokens=sum(n or 0 for n in used))

    def dump_state(self, json_mode: bool = True) -> dict[str, Any]:
        """DSPy's own state, and the recipe. A model is never saved: a key or an address could be in it."""
        state = super().dump_state(json_mode=json_mode)
        state["answer"]["lm"] = None
        own = replace(self.recipe, instruction=state["answer"]["signature"]["instructions"])
        state["answer"]["signature"]["instructions"] = own.joined  # so that a plain DSPy program that loads it says the sentence too
        return {**state, "recipe": own.plain()}

    def load_state(self, state: Mapping[str, Any], *, allow_unsafe_lm_state: bool = False) -> None:
        """Take over what `dump_state` gave; UsageProblem when it is something else."""
        if not isinstance(state, Mapping) or not isinstance(state.get("answer"), Mapping):
            raise UsageProblem("this is no program of promptlab: it has no 'answer'")
        self._take(recipe_from(state.get("recipe")))
        self.answer.load_state({**state["answer"], "lm": None})
        if self.answer.signature.instructions == self.recipe.joined:  # else DSPy has worked on it since
            self.answer.signature = self.answer.signature.with_instructions(self.recipe.instruction)
        self.recipe = replace(self.recipe, instruction=self.answer.signature.instructions)


def load_program(path: Path, verifier: Verifier | None = None) -> PromptProgram:
    """A program that `promptlab export --format dspy` or `save` wrote. Reads JSON only; runs no code from it."""
    blank = recipe_from(
        {"suite": "own", "task": "", "arm": "", "role": "baseline", "instruction": "", "placement": {"name": "", "template": ""}}
    )
    program = PromptProgram(blank, verifier)
    try:
        program.load(path)
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageProblem(f"{path}: this is no program of promptlab: {type(error).__name__}: {error}") from None
    return program


def saved_arm(plan: Plan, task: str, arm: str, setting: Setting, base_prompt: str, source: str) -> str:
    """One arm on one task as JSON: a program of promptlab, or the tested program itself with the stimulus in its instructions."""
    _of_base_prompts(plan)
    tested = next((p for p in plan.programs if p["name"] == setting.strategy), None)
    if tested is None:
        state = PromptProgram(recipe_of(plan, task, arm, setting, base_prompt, source)).dump_state()
    else:
        state = _with_stimulus(plan, tested, task, arm, setting.placement, base_prompt)
    state["metadata"] = {"dependency_versions": get_dependency_versions()}
    return json.dumps(state, indent=2, ensure_ascii=False) + "\n"


def _with_stimulus(plan: Plan, tested: Mapping[str, Any], task: str, arm: str, placement: str, base_prompt: str) -> dict[str, Any]:
    """The tested program's state; a stimulus with several wordings comes in its first."""
    row = next(row for row in plan.arms if row.name == arm and not row.loop)
    stimulus = checked(row.stimulus, Stimulus, "stimulus of a plan") if row.stimulus else None
    where = checked(plan.placements[placement], Placement, "placement of a plan")
    state: dict[str, Any] = copy.deepcopy(tested["state"])
    for predictor in [state] if "signature" in state else [part for part in state.values() if "signature" in part]:
        own = predictor["signature"]["instructions"]
        if tested["instructions"] == "base_prompt":
            own = plan.task_of[task].base_prompts[base_prompt]
        predictor["signature"]["instructions"] = join(
            own, stimulus.text if stimulus else None, where, stimulus.joined_by if stimulus else None
        )
    return state
