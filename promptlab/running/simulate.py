"""Simulated models with a known truth: what they answer follows from a few numbers in YAML and a seed.

An item has a probability of a right answer, drawn from a beta distribution whose spread is set so that two draws of the same
request disagree on `flip_rate` of the items. A planted effect of e points moves that probability towards 1 (or 0) in
proportion to the room that is left, so that the task's expected score moves by exactly e. Every draw depends on the seed, the
messages and the request's own seed alone: no clock, no order of arrival.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import Any

from promptlab.design.cross import Design
from promptlab.design.render import render_input, renderer, stimulus_text
from promptlab.nouns import LETTERS, Arm, Item, Loop, Program, Reply, Task, digest_of_text, plain_json, unfenced
from promptlab.running.free_text import judged, written
from promptlab.running.gateway.wire import SimulatedError
from promptlab.sources.spec.libraries import Rate, Shift, SimModel
from promptlab.sources.tokens import n_tokens
from promptlab.strategies.loop import DRAWS_A_ROUND, SURE

REFUSAL = "I am sorry, but I cannot help with that."
DRIFTS = ("The answer is {}.", "Sure! Here is the answer: {}", "I would say {}, and I am fairly confident.")
LONGEST_TOKEN_CHARS = 4
SURE_IF_RIGHT, SURE_IF_WRONG = 0.8, 0.4
"""How often a simulated model says that it is sure of an answer."""
FREE = ("rubric", "pairwise", "assertions")
"""Metrics whose answers a simulated model writes as free texts."""
FAVOURED = 0.7
"""The probability of the option that a simulated reply names, where probabilities are requested."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a prompt turned out to ask: the simulator's reading of it."""

    task: Task
    item: Item
    arm: Arm
    emotion: str | None = None
    """The emotion of the last remark of a loop; "neutral" for an affect-free one; None before any remark."""
    n_wordings: int = 0
    """How many different remarks the conversation holds."""
    spent: float = 1.0
    """Input tokens of all requests of this conversation, in multiples of those of its first."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """What the request was sent with."""
    pool: Sequence[str] = ()
    """The first right answers of all items of the task, each once, in order: a wrong answer is one of them."""


class World:
    """All prompts of a design, so that a simulated model can tell which question it has from the text alone."""

    def __init__(self, design: Design, models: Mapping[str, SimModel]) -> None:
        self._models = models
        self._seed = design.seed
        self._attempts: dict[str, int] = {}
        self._shown: dict[str, Shown] = {}
        self._programs = [arm for arm in design.arms if isinstance(arm.strategy.parameters, Program)]
        self._inputs: dict[str, tuple[Task, Item]] = {}
        self._pools = {task.id: sorted({item.targets[0] for item in task.items if item.targets}) for task in design.tasks}
        for task in design.tasks:
            renderers = [(arm, renderer(task, arm)) for arm in design.arms_of(task) if "prompts" not in arm.strategy.needs]
            for item in task.items:
                for arm in self._programs:
                    self._inputs.setdefault(render_input(item.input, item.choices, task, arm.placement).strip(), (task, item))
                for arm, rendered in renderers:
                    self._shown.setdefault(_digest(rendered(item)), Shown(task, item, arm, pool=self._pools[task.id]))
        self._varied = sorted({name for arm in design.arms for name, _ in arm.setting.sampling})
        loops = [loop for arm in design.arms if isinstance(loop := arm.strategy.parameters, Loop)]
        self._emotions = {cue.text: cue.emotion for loop in loops for step in loop.cues for cue in step}

    async def __call__(self, model: str, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any]) -> Reply:
        """Answer one request the way the model's YAML says."""
        sim = self._models[model]
        key = _digest(messages)
        draw = f"{self._seed}/{sim.seed}/{model}/{key}/{sampling.get('seed', 0)}"
        draw += "".join(f"/{plain_json(sampling.get(name))}" for name in self._varied)
        shown = None if sim.judges else self.shown(messages)
        if shown is None and not sim.judges:
            raise SimulatedError(404, "this prompt belongs to no trial of the experiment")
        await self._latency(sim, draw)
        self._fail(sim, draw)
        if shown is None:
            return judgement(sim, model, draw, messages, bool(sampling.get("logprobs")))
        shown = replace(shown, sampling=sampling)
        answer = reply(sim, model, shown, draw, messages, None if sampling.get("logprobs") else sampling.get("max_tokens"))
        return with_logprobs(answer, shown) if sampling.get("logprobs") else answer

    def shown(self, messages: Sequence[Mapping[str, str]]) -> Shown | None:
        """The trial that a conversation began with, and the emotion of its last remark."""
        for n_first in (len(messages), 1, 2):
            shown = self._shown.get(_digest(messages[:n_first]))
            if shown is None:
                continue
            if n_first == len(messages):
                return shown
            sizes = list(accumulate(tokens(message["content"]) for message in messages))
            remarks = [message["content"] for message in messages[n_first:] if message["role"] == "user"]
            emotion = next((emotion for text, emotion in self._emotions.items() if text in remarks[-1]), "neutral")
            spent = sum(sizes[n_first - 1 :: 2]) / sizes[n_first - 1]
            return replace(shown, emotion=emotion, n_wordings=len(set(remarks)), spent=spent)
        return self._shown_to_program(messages)

    def _shown_to_program(self, messages: Sequence[Mapping[str, str]]) -> Shown | None:
        """A program writes its own prompts: the item is the longest input that one holds, the arm the longest stimulus."""
        said = "\n".join(message["content"] for message in messages)
        flat = " ".join(said.split())  # DSPy indents the lines of instructions
        found = max((text for text in self._inputs if text in said), key=len, default=None)
        if found is None:
            return None
        task, item = self._inputs[found]
        arms = [(c, t) for c in self._programs if (t := stimulus_text(c.stimulus, task, item)) and " ".join(t.split()) in flat]
        plain = next(c for c in self._programs if c.stimulus is None)
        return Shown(task, item, max(arms, key=lambda arm: len(arm[1]), default=(plain, ""))[0], pool=self._pools[task.id])

    async def _latency(self, sim: SimModel, draw: str) -> None:
        if sim.latency_ms:
            await asyncio.sleep(sim.latency_ms / 1000 * random.Random(f"{draw}/latency").lognormvariate(0, 0.3))

    def _fail(self, sim: SimModel, draw: str) -> None:
        rng = random.Random(f"{draw}/error")
        if rng.random() >= sim.error_rate:
            return
        attempt = self._attempts[draw] = self._attempts.get(draw, 0) + 1
        if attempt == 1:
            if rng.random() < 0.5:
                raise SimulatedError(429, "simulated: too many requests", {"retry-after-ms": "20"})
            raise SimulatedError(500, "simulated: server error")


def _digest(messages: Sequence[Mapping[str, str]]) -> str:
    return digest_of_text(plain_json(messages))


def reply(sim: SimModel, model: str, shown: Shown, draw: str, messages: Sequence[Mapping[str, str]], max_tokens: int | None) -> Reply:
    """The reply to one request: pure, decided by `draw`."""
    rng = random.Random(draw)
    n_input, version = sum(tokens(message["content"]) for message in messages), f"sim/{model}"
    if messages[-1]["content"] == SURE:
        right = messages[-2]["content"].strip() in shown.item.targets
        said = "Yes" if rng.random() < (SURE_IF_RIGHT if right else SURE_IF_WRONG) else "No"
        return Reply(said, "ok", "stop", version, n_input, 1)
    p = probability(sim, model, shown, draw.split("/", 1)[0])
    fate = random.Random(f"{model}/{shown.task.id}/{shown.item.id}/{draw.split('/', 1)[0]}") if sim.token_points else rng
    right = fate.random() < p
    if not shown.item.targets or shown.task.metric in FREE:
        text = written(model, p, _sentences(sim, shown, draw), rng)
    else:
        text = shown.item.targets[0] if right else wrong_answer(shown, rng)
    if rng.random() < rate(sim.format_drift, shown):
        text = rng.choice(DRIFTS).format(text)
    if isinstance(shown.arm.strategy.parameters, Program):
        text = in_fields(text, messages[-1]["content"])
    if rng.random() < rate(sim.refusal, shown):
        return Reply(REFUSAL, "refused", "stop", version, n_input, tokens(REFUSAL))
    is_cut = rng.random() < rate(sim.truncation, shown)
    if max_tokens is not None and tokens(text) > max_tokens:
        is_cut, text = True, text[: max_tokens * LONGEST_TOKEN_CHARS]
    elif is_cut:
        text = text[: len(text) // 2]
    return Reply(text, "truncated" if is_cut else "ok", "length" if is_cut else "stop", version, n_input, tokens(text))


def judgement(sim: SimModel, model: str, draw: str, messages: Sequence[Mapping[str, str]], is_weighed: bool = False) -> Reply:
    """A judge's verdict on the fenced `answer`: the highest number that the prompt allows where it is one of the fenced references."""
    rng = random.Random(draw)
    said = "\n".join(message["content"] for message in messages)
    if sim.taste is not None:
        text, top = judged(sim.taste, said, rng)
        return Reply(text, "ok", "stop", f"sim/{model}", tokens(said), tokens(text), top_logprobs=top if is_weighed else ())
    parts = unfenced(said)
    scale = int(max(re.findall(r"0 to (\d+)", said), key=int, default="1"))
    answer = next((text for name, text in parts if name == "answer"), "").strip().rstrip(".").casefold()
    right = answer in {text.strip().rstrip(".").casefold() for name, text in parts if name == "reference"}
    verdict = scale if right else 0
    if rng.random() >= (sim.agreement or 0):
        verdict = rng.choice([number for number in range(scale + 1) if number != verdict])
    return Reply(str(verdict), "ok", "stop", f"sim/{model}", tokens(said), 1)


def _sentences(sim: SimModel, shown: Shown, draw: str) -> int:
    """How long a free text is: two thirds to four thirds of the model's usual length, and what is planted."""
    more = planted(sim.longer, shown)
    return max(1, round(sim.sentences * (1 + more / 100) * random.Random(f"{draw}/length").uniform(2 / 3, 4 / 3)))


def in_fields(text: str, request: str) -> str:
    """The reply in the form that DSPy's adapters ask for, the answer in the last field."""
    asked = request.rpartition("Respond with")[2]
    marked = [name for name in re.findall(r"\[\[ ## (\w+) ## \]\]", asked) if name != "completed"]
    if marked:
        said = {**dict.fromkeys(marked, "as asked"), marked[-1]: text}
        return "\n\n".join([*(f"[[ ## {name} ## ]]\n{value}" for name, value in said.items()), "[[ ## completed ## ]]"])
    named = re.findall(r"`(\w+)`", asked)
    return json.dumps({**dict.fromkeys(named, "as asked"), named[-1]: text}) if named and "JSON" in asked else text


def with_logprobs(answer: Reply, shown: Shown) -> Reply:
    """The reply as its first token, with probabilities that favour the option that it names."""
    choices = shown.item.choices
    lettered = "{letter}" in shown.arm.placement.choice and shown.arm.placement.options != "none"
    tokens = [LETTERS[i % len(LETTERS)] if lettered else choice for i, choice in enumerate(choices)]
    named = max((i for i, choice in enumerate(choices) if choice in answer.text), key=lambda i: len(choices[i]), default=None)
    if named is None:
        return answer
    rest = (1 - FAVOURED) / max(1, len(tokens) - 1)
    top = sorted(((token, math.log(FAVOURED if i == named else rest)) for i, token in enumerate(tokens)), key=lambda pair: -pair[1])
    return replace(answer, text=tokens[named], finish_reason="length", outcome="truncated", output_tokens=1, top_logprobs=tuple(top))


def probability(sim: SimModel, model: str, shown: Shown, seed: str) -> float:
    """How likely this item is answered rightly in this arm."""
    mean = sim.accuracy
    spread = min(max(sim.flip_rate / (2 * mean * (1 - mean)), 1e-6), 1 - 1e-6)  # the share of the variance that is within items
    concentration = spread / (1 - spread)
    rng = random.Random(f"{seed}/{sim.seed}/{model}/{shown.task.id}/{shown.item.id}")
    p = rng.betavariate(mean * concentration, (1 - mean) * concentration) if sim.flip_rate else float(rng.random() < mean)
    if shown.emotion is not None:  # an attempt after a remark stands on the attempt itself: it may turn out otherwise
        p = (p + mean) / 2 if sim.retry_points or sim.emotion_points else p
    shift = effect(sim, shown, seed)
    return p + (1 - p) * shift / (1 - mean) if shift >= 0 else p + p * shift / mean


def effect(sim: SimModel, shown: Shown, seed: str) -> float:
    """The planted change of the task's expected score, as a fraction, kept inside what the mean leaves room for."""
    points = 0.0
    if shown.emotion is not None:
        points = sim.retry_points + {str(emotion): points for emotion, points in sim.emotion_points.items()}.get(shown.emotion, 0.0)
        points += sim.variety_points * (shown.n_wordings > 1)
    again = max(0, int(shown.sampling.get("seed", seed)) - int(seed)) // DRAWS_A_ROUND  # independent attempts before this one
    points += sim.token_points * (shown.spent - 1 + again)
    stimulus, setting = shown.arm.stimulus, shown.arm.setting
    levels = {"prompt": setting.prompt, "shots": setting.shots, "placement": setting.placement, "strategy": setting.strategy}
    points += planted(sim.effects, shown)
    points += sum(random.Random(f"{seed}/{sim.seed}/{name}/{levels[name]}").gauss(0, sd) for name, sd in sim.spread.items())
    if stimulus:
        points += sim.points_per_added_token * min(n_tokens(stimulus.text), sim.tokens_until_flat)
    return min(max(points / 100, -sim.accuracy), 1 - sim.accuracy)


def planted(shifts: Sequence[Shift], shown: Shown) -> float:
    """The sum of the shifts that match a trial, in points."""
    setting, stimulus = shown.arm.setting, shown.arm.stimulus
    levels = {"prompt": setting.prompt, "shots": setting.shots, "placement": setting.placement, "strategy": setting.strategy}
    found = 0.0
    for shift in shifts:
        added = shift.stimulus is None or (stimulus is not None and fnmatchcase(stimulus.id, shift.stimulus))
        if added and fnmatchcase(shown.task.name, shift.task) and fits(shift.when, {**shown.sampling, **levels}):
            found += shift.points
    return found


def fits(when: Mapping[str, Any], levels: Mapping[str, Any]) -> bool:
    """Whether every level that an effect names is the one here: the value, one of a list, or a text that a glob matches."""

    def meant(value: object, wanted: object) -> bool:
        if isinstance(wanted, list):
            return any(meant(value, one) for one in wanted)
        return fnmatchcase(value, wanted) if isinstance(value, str) and isinstance(wanted, str) else value == wanted

    return all(meant(levels.get(name), wanted) for name, wanted in when.items())


def rate(rates: Sequence[Rate], shown: Shown) -> float:
    """The rate of the first entry that matches; 0 when none does."""
    name = shown.arm.name
    return next((r.rate for r in rates if fnmatchcase(name, r.stimulus) and fnmatchcase(shown.task.name, r.task)), 0.0)


def wrong_answer(shown: Shown, rng: random.Random) -> str:
    """Another option, or the answer to another item of the task."""
    right = set(shown.item.targets)
    if shown.item.choices:
        return rng.choice([choice for choice in shown.item.choices if choice not in right] or ["none of them"])
    own = [place for text in sorted(right) if (place := bisect_left(shown.pool, text)) < len(shown.pool) and shown.pool[place] == text]
    if len(own) == len(shown.pool):
        return "no idea"
    chosen = rng.choice(range(len(shown.pool) - len(own)))
    for place in own:  # in order: those that are left out move what comes after them
        chosen += place <= chosen
    return shown.pool[chosen]


def tokens(text: str) -> int:
    """A token count of the right size, at least 1."""
    return max(1, round(len(text) / LONGEST_TOKEN_CHARS))
