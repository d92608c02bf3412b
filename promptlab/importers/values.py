"""Values of other tools' files as text, numbers and names, whatever they hold."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from promptlab.nouns import MARK, SHORTEST, FileProblems, digest_of_text, inert, plain_json

refusal = FileProblems.one
"""One reason why a file is not imported."""

PARAMETERS = (
    "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "max_gen_toks", "frequency_penalty",
    "presence_penalty", "reasoning_effort", "reasoning_tokens", "stop", "stop_seqs", "until", "do_sample", "seed",
)  # fmt: skip
"""Sampling parameters that are kept; of a provider's configuration nothing else is, because the rest may hold keys."""
LOSSES = re.compile(
    r"(?:^|[^a-z])(?:brier|(?:log_?)?loss(?:es)?|nll|perplexity|ppl|(?:cross_?)?entropy|divergence|bits_per_(?:byte|char)|err(?:ors?)?|mistakes?|"
    r"wrong|bad|incorrect|invalid|misclassified|fail(?:ed|ures?|ing)?|miss(?:es|_rate)|false_(?:positives?|negatives?)|fpr|fnr|wer|cer|ter|s?mape|"
    r"m[as]e|rmse|ece|dist(?:ance)?|diff(?:erence)?|deviation|levenshtein|toxic(?:ity)?|bias|hallucinat[a-z]+|stereotypes?|noise_sensitivity|"
    r"latency|costs?|price|seconds|time|duration|tokens?|penalty|regret|risks?|harm(?:ful)?|unsafe|leak(?:s|ed|age)?|violations?|defects?|"
    r"attack_success|jailbr[a-z]+|reject(?:ed|ions?)|refus[a-z]+|unanswered|off_topic|(?<!reciprocal_)rank|fehler[a-z]*|verlust|erreurs?|errores)"
    r"(?:[^a-z]|$)"
)
"""Names of scores of which less is better, as far as a name can tell."""
LONGEST_NAME = 60
SECRET_FIELD = re.compile(r"(?i)(api[-_]?key|authorization|password|passwd|secret|credential|access[-_]?token|auth[-_]?token|^token)")
KEY_SHAPED = re.compile(r"\b(?:(?:sk|pk|rk|gsk|xai|hf|ghp|gho)[-_]|AIza|AKIA)(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,}")
ADDRESS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*)://(?:[^/@\s]*@)?([^?#\s]*)(?:[?#]\S*)?")


def number(value: object) -> float | None:
    """A finite number, or None; truth values are 1 and 0."""
    if isinstance(value, bool | int | float):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return None


def less_may_be_better(name: str) -> bool:
    """Whether a score is called like a loss."""
    return LOSSES.search(re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()) is not None


def whole(value: object) -> int | None:
    """A count, or None."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() and 0 <= found < 2**53 else None


def text(value: object) -> str:
    """A value as text: strings as they are, nothing as nothing, everything else as JSON. Half surrogate pairs become '?'."""
    if value is None:
        return ""
    if isinstance(value, str) and value.isascii():
        return value
    found = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return found.encode("utf-8", "replace").decode("utf-8")


def mapping(value: object) -> Mapping[str, Any]:
    """An object, or an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def common_start(names: Sequence[str]) -> str:
    """The characters that all names begin with."""
    low, high = min(names), max(names)
    return next((low[:i] for i, c in enumerate(low) if c != high[i : i + 1]), low)


def entries(value: object) -> list[Any]:
    """A list, or an empty one where there is none."""
    return value if isinstance(value, list) else []


def sampling(*configs: object) -> dict[str, Any]:
    """The known sampling parameters of configurations, later ones over earlier ones."""
    found = {k: v for config in configs for k, v in mapping(config).items() if k in PARAMETERS and v is not None}
    return {k: v for k, v in found.items() if isinstance(v, bool | int | float | str | list) and len(text(v)) <= 200}


def secrets_in(value: object) -> set[str]:
    """Every text that a configuration keeps under a name such as apiKey or Authorization."""
    found: set[str] = set()
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, list):
            todo += here
        elif isinstance(here, dict):
            for name, inside in here.items():
                if isinstance(inside, dict | list):
                    todo.append(inside)
                elif isinstance(inside, str) and len(inside) >= SHORTEST and SECRET_FIELD.search(str(name)):
                    found |= {inside, inside.removeprefix("Bearer ")}
    return {secret for secret in found if len(secret) >= SHORTEST}


def without_keys(value: str) -> str:
    """Text without what is unmistakably a key; other text stays as it was."""
    return KEY_SHAPED.sub(MARK, value)


def name_of(value: object) -> str:
    """A name that is safe to store and draw: one line, no key, no folder of somebody's disk, no query of an address.

    Control characters are spelled out here and not where they are shown: the library that draws charts ends the process at one.
    """
    return _name(text(value))


@lru_cache(maxsize=4096)
def _name(value: str) -> str:
    name = without_keys(" ".join(value.split()))
    name = re.sub(r"(?i)\bfile://\S*/", "", name)
    name = ADDRESS.sub(lambda m: f"{m[1]}://{m[2]}", name)
    name = re.sub(r"(?:(?<=\s)|^)(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\:]+[/\\])+", "", name)
    return inert(re.sub("[\ufffe\uffff]", "?", name).strip())


@lru_cache(maxsize=4096)
def task_name(value: object) -> str:
    """A task's name as one that a file could have: others become it with dashes for what a file name must not hold."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name_of(value)).strip("-._")
    return short(name).replace("\N{HORIZONTAL ELLIPSIS} ", "-") or "task"


def short(value: str) -> str:
    """A name that fits a table; a longer one is cut and keeps a digest, so that two long ones stay two."""
    if len(value) <= LONGEST_NAME:
        return value
    return f"{value[: LONGEST_NAME - 10].rstrip()}… {hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:8]}"


def known_by(prefix: str, *asked: object) -> str:
    """A name for what is known by its content alone: the same in every file, wherever it is."""
    return f"{prefix}-{digest_of_text(plain_json(list(asked)))[:12]}"
