"""What the requests of an experiment have in common: a beginning that a provider may keep, their number of messages, or everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from promptlab.design.cross import Design
from promptlab.design.render import render
from promptlab.nouns import NONE_ARM, Arm, Model, Task, merged, plain_json

LEAST_CACHED_TOKENS, CACHE_STEP_TOKENS = 1024, 128
"""The shortest beginning of a prompt that OpenAI keeps, and the steps in which it grows."""
CHARS_A_TOKEN = 4.0
SAMPLE_ITEMS = 20
ALIKE = 5
"""Items whose requests are compared to find arms that do not differ."""


def cached_tokens(design: Design) -> int:
    """Input tokens of one model that its provider may read from its cache: long beginnings that a request shares with another one.

    Prompts of up to 20 items a task are compared; the rest is their mean. The first request of each beginning is not counted.
    """
    found = 0.0
    for task in design.tasks:
        sample = task.items[:SAMPLE_ITEMS]
        arms = [arm for arm in design.arms_of(task) if "prompts" not in arm.strategy.needs]
        asked = sorted(
            ("\0".join(message["content"] for message in render(task, item, arm)), arm.strategy.n_first) for item in sample for arm in arms
        )
        shared = [_tokens_shared(a, b) for (a, _), (b, _) in pairwise(asked)]  # neighbours in order share the most
        tokens = sum(n * n_first for n, (_, n_first) in zip(shared, asked[1:], strict=True))
        found += tokens / max(len(sample), 1) * len(task.items) * design.replicates
    return int(found)


def _tokens_shared(a: str, b: str) -> int:
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    n = int(same / CHARS_A_TOKEN)
    return n // CACHE_STEP_TOKENS * CACHE_STEP_TOKENS if n >= LEAST_CACHED_TOKENS else 0


def are_chats(arms: Sequence[Arm], tasks: Sequence[Task]) -> bool:
    """Whether a request of these arms has more than one message, or can have."""
    more = any(arm.loop or arm.program for arm in arms)
    return more or any(len(render(task, task.items[0], arm)) > 1 for task in tasks for arm in arms if "prompts" not in arm.strategy.needs)


def sent_alike(arms: Sequence[Arm], task: Task, asked: Mapping[str, Any]) -> list[str]:
    """A sentence for each arm whose requests about the first items of a task are those of another one; `asked` is sent by all."""
    firsts: dict[str, str] = {}
    found = []
    for arm in arms:
        if arm.role == "aa" or arm.loop or arm.program:
            continue
        own = merged(asked, dict(arm.setting.sampling))
        sent = plain_json([arm.strategy.name, own, [list(map(dict, render(task, item, arm))) for item in task.items[:ALIKE]]])
        name = ", ".join(filter(None, [arm.setting.prompt, arm.name if arm.name != NONE_ARM else "", arm.setting.id]))
        if (first := firsts.setdefault(sent, name)) != name:
            found.append(f"({first}) and ({name}) send the same requests; one answer serves both, so they always score alike")
    return found


def caches_by_itself(model: Model) -> bool:
    """Whether a provider keeps prompts without a request for it; Claude needs one."""
    return "claude" not in model.litellm_name and model.provider != "anthropic"
