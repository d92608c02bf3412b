"""A DSPy program as the system under test: each of its requests becomes a call of promptlab's.

The program runs in a greenlet, which stops at every request until the completion is there. So its code stays as it is (no
threads, no async version needed), and its requests go through cache, budget, retries and the record like all others.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dspy
from dspy import lm15
from dspy.utils.exceptions import AdapterParseError
from greenlet import GreenletExit, getcurrent, greenlet

from promptlab.design.render import join, render_input, stimulus_text
from promptlab.nouns import Program, Steps, Strategy, Task, Trial, UsageProblem, Verifier, did_you_mean, filled, known_secrets, redact
from promptlab.nouns.call import Answer, Call, Completion
from promptlab.scoring.code import Code, function_of
from promptlab.sources.spec.experiment import ProgramEntry
from promptlab.strategies.loop import again

ASKED = ("temperature", "max_tokens", "top_p", "stop", "response_format", "seed", "frequency_penalty", "presence_penalty")
"""What a program may ask of the provider besides the experiment's sampling; it then holds for that call."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A program, and what says which one it is."""

    program: Program
    module: dspy.Module


def load(entry: ProgramEntry, folder: Path, code: Code) -> Loaded:
    """Make the program that an experiment names; UsageProblem says what is wrong with it. Runs the code of its factory."""
    logging.getLogger("dspy").setLevel(logging.ERROR)  # its adapters warn of every reply that they ask for again
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    made, this = _made(code), f"the program of {entry.factory!r}"
    if entry.state is not None:
        path = folder / entry.state
        if path.suffix != ".json":
            how = "save it with program.save('name.json'): pickles are never read"
            raise UsageProblem(f"the state {entry.state!r} is no .json file; {how}")
        try:
            made.load(path)
        except Exception as error:  # whatever a file can do to DSPy's reader
            raise UsageProblem(f"the state {path} does not fit {this}: {_said(error)}") from None
    predictors = made.predictors()
    if not predictors:
        raise UsageProblem(f"{this} has no predictor whose instructions a stimulus could be joined to")
    if entry.instructions == "base_prompt" and len(predictors) > 1:
        n = len(predictors)
        raise UsageProblem(f"{this} has {n} predictors, and a base prompt asks for the whole task; leave 'instructions' at 'own'")
    inputs, outputs = list(predictors[0].signature.input_fields), list(predictors[-1].signature.output_fields)
    if entry.input is None and len(inputs) != 1:
        raise UsageProblem(f"{this} takes {', '.join(inputs)}; say which field takes the item, as in input: {inputs[0]}")
    if entry.output is not None and entry.output not in outputs and len(predictors) == 1:
        raise UsageProblem(f"{this} has no output {entry.output!r}; {did_you_mean(entry.output, outputs)}")
    names = {"input": entry.input or inputs[0], "output": entry.output or outputs[-1]}
    return Loaded(filled(Program, entry, **names, state=_state(made), source=code.sha256), made)


def _made(code: Code) -> dspy.Module:
    factory = function_of(code)
    try:
        made = factory()
    except Exception as error:
        raise UsageProblem(f"{code.what} cannot be made: {_said(error)}") from None
    if not isinstance(made, dspy.Module):
        raise UsageProblem(f"{code.name!r} returned {type(made).__name__}, not a dspy.Module")
    return made


def _state(module: dspy.Module) -> str:
    """What DSPy saves, with no model in it: an address or a key could be part of that."""
    copy = module.deepcopy()
    for predictor in copy.predictors():
        predictor.lm = None
    return json.dumps(copy.dump_state(), sort_keys=True, ensure_ascii=False, default=str)


class _Bridge:
    """DSPy's engine: hands a request to the greenlet that started the program, and gets the response from it."""

    def complete(self, request: lm15.Request) -> lm15.Response:
        parent = getcurrent().parent
        if parent is None:
            raise RuntimeError("the program asks a model from a thread of its own, where promptlab cannot follow it")
        response: lm15.Response = parent.switch(request)
        return response

    def stream(self, request: lm15.Request) -> Any:  # noqa: ANN401 (never reached: nobody asks for a stream)
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is held."""


def under_test(loaded: Loaded, tasks: Mapping[str, Task]) -> Strategy:
    """The strategy that runs the program on a trial's item, with the trial's stimulus joined to its instructions.

    All trials share one program for each text of a stimulus, so a program must not keep anything between calls.
    """
    program = loaded.program
    variants: dict[tuple[str | None, ...], dspy.Module] = {}
    lm = dspy.LM("promptlab/under-test", engine=_Bridge(), cache=False, num_retries=0)

    def run(call: Call, trial: Trial, verifier: Verifier | None) -> Steps[Answer]:
        del verifier
        task, arm = tasks[trial.task], trial.arm
        words = stimulus_text(arm.stimulus, task, trial.item)
        joined_by = arm.stimulus.joined_by if arm.stimulus else None
        base = task.base_prompts[arm.setting.prompt or ""] if program.instructions == "base_prompt" else None
        key = (words, joined_by, base, arm.placement.name)
        if key not in variants:
            variants[key] = with_instructions(
                loaded.module, lambda own: join(own if base is None else base, words, arm.placement, joined_by)
            )
        module = variants[key]
        shown = render_input(trial.item.input, trial.item.choices, task, arm.placement)

        def answer() -> Any:  # noqa: ANN401 (what the program's field holds)
            with dspy.context(lm=lm, disable_history=True, trace=None, track_usage=False):
                return getattr(module(**{program.input: shown}), program.output)

        return _driven(answer, call, program)

    return Strategy(program.name, run, program, max_calls=program.max_calls, needs=frozenset({"prompts"}))


def with_instructions(module: dspy.Module, change: Callable[[str], str]) -> dspy.Module:
    """A copy of a program with the instructions of every predictor changed."""
    copy = module.deepcopy()
    for _, predictor in copy.named_predictors():
        predictor.signature = predictor.signature.with_instructions(change(predictor.signature.instructions))
        predictor.lm = None  # a saved program may name a model; here the experiment does
    return copy


def _driven(answer: Callable[[], Any], call: Call, program: Program) -> Steps[Answer]:
    """Run a program from request to request."""
    running = greenlet(answer)
    asked: Counter[str] = Counter()
    try:
        request = running.switch()
        while not running.dead:
            if asked.total() == program.max_calls:
                return Answer("", "error", f"the program {program.name!r} asked more than max_calls: {program.max_calls} times")
            sent = _call(request, call)
            number = asked[sent.key]  # the same request once more wants another answer
            asked[sent.key] += 1
            completion = yield again(sent, number)
            if completion.outcome == "error":
                return Answer("", "error", completion.error)
            request = running.switch(_response(completion, call.model))
        found = request
    except AdapterParseError as error:
        return Answer("", "parse_failed", _said(error))
    except Exception as error:  # the user's code
        return Answer("", "error", f"the program {program.name!r} failed: {_said(error)}")
    finally:
        if not running.dead:
            running.throw(GreenletExit)
    text = "" if found is None else str(found)
    return Answer(text, "ok" if text.strip() else "empty")


def _call(request: lm15.Request, first: Call) -> Call:
    """A request of the program as a call; RuntimeError when it holds what cannot be sent as text."""
    messages = [{"role": "system", "content": _text(request.system)}] if request.system else []
    messages += [{"role": message.role, "content": _text(message.parts)} for message in request.messages]
    if request.tools:
        raise RuntimeError("the program offers tools to the model, which promptlab does not send")
    config = {name: getattr(request.config, name) for name in ASKED}
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in config.items() if value not in (None, ())}
    return Call(first.model, tuple(messages), {**first.sampling, **wanted}, first.draw, first.api_base)


def _text(parts: Any) -> str:  # noqa: ANN401 (a string, or parts of lm15)
    if isinstance(parts, str):
        return parts
    if not all(isinstance(part, lm15.TextPart) for part in parts):
        raise RuntimeError("the program sends something else than text, which promptlab does not")
    return "".join(part.text for part in parts)


def _response(completion: Completion, model: str) -> lm15.Response:
    return lm15.Response(
        id=None,
        model=completion.model_version or model,
        message=lm15.Message.assistant(completion.text),
        finish_reason="length" if completion.outcome == "truncated" else "stop",
        usage=lm15.Usage(input_tokens=completion.input_tokens, output_tokens=completion.output_tokens),
    )


def _said(error: BaseException) -> str:
    text = redact(str(error), known_secrets()).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"[:300]
