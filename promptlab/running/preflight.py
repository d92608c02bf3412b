"""What will go wrong with an experiment's models, as far as this machine can know: nothing is sent, nothing is downloaded.

LiteLLM is imported only where a model needs it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from promptlab.nouns import Model, Problem, UsageProblem, as_sent, did_you_mean
from promptlab.planning.study import Study
from promptlab.running.budget import Budget
from promptlab.running.engine import engine_of
from promptlab.running.gateway import Gateway, network
from promptlab.running.gateway.providers import DIRECT, LOCAL, SEVERAL, asked_at, asked_where, install, key_variable
from promptlab.running.keys import refused_keys
from promptlab.running.progress import Execution, Progress
from promptlab.sources.prices import ADD_PRICE, TEXT_MODES, PriceTable
from promptlab.sources.spec.strict_yaml import parsed

NAMED_BY_USERS = LOCAL | {"azure", "azure_ai", "sagemaker", "sagemaker_chat", "litellm_proxy", "huggingface", "custom_openai"}
"""Providers at which a model has whatever name its owner gave it."""
PACKAGES: Mapping[str, tuple[str, str]] = {
    "vertex_ai": ("google.auth", "google-auth"),
    "bedrock": ("boto3", "boto3"),
    "bedrock_converse": ("boto3", "boto3"),
    "sagemaker": ("boto3", "boto3"),
}
"""By provider: the module that LiteLLM needs, and its package."""
THINKING = re.compile(
    r"(?:^|[/:.-])o[134](?:$|-)|gpt-5|gpt-oss|reason|think|(?:^|[/-])r1\b|qwq|grok-[34]|magistral|deep-research", re.IGNORECASE
)
"""Names of models that think before they answer, where the table says nothing."""
RENAMED = re.compile(r"max_tokens (?:is sent as \w+|\d+ is sent)")
"""The same under the provider's own name; or the model's own limit, where the interface does not do without one."""
LEAST_OUTPUT = 2_000
"""Tokens below which a model that thinks may have none left for its answer."""
LEAST_TIMEOUT_S = 120.0
SHORT_THOUGHTS = ("none", "minimal", "low")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that will or may go wrong with a model: where it is named, what was found, and what to do."""

    where: Path
    line: int | None
    model: str
    found: str
    advice: str
    is_error: bool

    @property
    def problem(self) -> Problem:
        """The same as the problem of a file."""
        return Problem(self.where, self.line, f"{self.model}: {'; '.join(filter(None, (self.found, self.advice)))}")

    def __str__(self) -> str:
        return f"{'error' if self.is_error else 'warning'}: {self.problem}"


def preflight(study: Study, execution: Execution | None = None) -> list[Finding]:
    """Everything that can be known of a study's real models before a call is sent, errors first."""
    real = [model for model in study.models if not model.simulated]
    if not real:
        return []
    seen = _Looker(study, execution or Execution())
    found = [finding for n, model in enumerate(study.models) if not model.simulated for finding in seen.findings(n, model)]
    return sorted(dict.fromkeys(found), key=lambda finding: not finding.is_error)


def requests_of(study: Study) -> list[dict[str, Any]]:
    """Parameters requested of and sent to each real model, with every set of parameters: `changed` says how they differ, or why not."""
    engine = engine_of(study, None, Budget(None), Progress(0), Execution())
    found: list[dict[str, Any]] = []
    for model, sampling in engine.samplings():
        if model.simulated:
            continue
        one: dict[str, Any] = {"model": model.name, "asked": asked_where(model), "requested": as_sent(sampling)}
        try:
            one |= {"sent": engine.gateway.effective(model, sampling), "changed": engine.gateway.changed(model, sampling)}
        except UsageProblem as problem:
            one |= {"sent": None, "changed": str(problem)}
        found += [] if one in found else [one]
    return found


class _Looker:
    """Looks at one study; `_engine` knows what each model would be sent."""

    def __init__(self, study: Study, execution: Execution) -> None:
        self._study = study
        self._table = PriceTable.load()
        self._named = self._table.named()
        self._engine = engine_of(study, None, Budget(None), Progress(0), execution)

    def findings(self, index: int, model: Model) -> Iterator[Finding]:
        study = self._study
        is_judge = index >= len(study.design.models)
        line = None if is_judge or study.files is not None else parsed(study.path, study.text).line(("models", index))
        for is_error, text, advice in self._said(model):
            yield Finding(study.path, line, model.name, text, advice, is_error)

    def _said(self, model: Model) -> Iterator[tuple[bool, str, str]]:
        """Whether it is an error, what was found, and what to do."""
        entry = self._table.entry(model.litellm_name)
        try:
            network.check(asked_at(model))
        except UsageProblem as problem:
            yield True, str(problem), ""
        if not network.is_checked():
            yield False, network.UNCHECKED, ""
        if (unknown := self._unknown(model, entry)) is not None:
            yield unknown
            if unknown[0]:
                return
        mode = entry.get("mode")
        if mode is not None and mode not in TEXT_MODES:
            yield True, f"it is a model of the kind {mode!r} and writes no answers", self._table.meant(model) or "name a chat model"
            return
        yield from ((False, why, "") for refused, why in refused_keys(self._study) if refused is model)
        yield from _key(model)
        yield from _package(model, mode)
        if (retired := entry.get("deprecation_date")) and model.api_base is None and _is_past(str(retired)):
            yield False, f"its provider has retired it on {retired}, as LiteLLM's table says", "name its successor"
        if self._study.prices[model.name] is None:
            yield (
                False,
                "its price is not known, so no cap in USD can hold"
                + ("" if model.api_base else f" ({self._table.source} has no such name)"),
                f"{ADD_PRICE}, or cap tokens with --max-tokens",
            )
        for asked, sampling in self._engine.samplings():
            if asked == model:
                yield from self._parameters(model, entry, sampling)

    def _unknown(self, model: Model, entry: Mapping[str, Any]) -> tuple[bool, str, str] | None:
        """What is odd about the name of a provider or model."""
        provider, _, name = model.litellm_name.partition("/")
        if provider not in DIRECT and not any(whole.startswith(f"{provider}/") for whole in self._named):
            from promptlab.running.gateway.by_litellm import provider_names

            known = provider_names()
            if provider not in known:
                hint = self._table.meant(model) or did_you_mean(provider, known)
                return True, f"the provider {provider!r} is not known to LiteLLM", hint or "`promptlab ls models WORD` searches its table"
        if entry or model.api_base or provider in NAMED_BY_USERS:
            return None
        return (
            False,
            f"LiteLLM's table has no model {name!r} of {provider}",
            self._table.meant(model) or f"look with `promptlab ls models {provider}`",
        )

    def _parameters(self, model: Model, entry: Mapping[str, Any], sampling: Mapping[str, Any]) -> Iterator[tuple[bool, str, str]]:
        """What a model does not take, and what leaves no room for its answer."""
        gateway = self._engine.gateway
        try:
            changed = (gateway.changed(model, sampling) or "").removeprefix(f"{model.name}: ").split("; ")
            if told := "; ".join(part for part in changed if not RENAMED.fullmatch(part)):
                yield False, told, ""
        except UsageProblem as problem:
            refused = [key for key, value in sampling.items() if not _takes(gateway, model, {key: value})]
            yield True, *_instead(gateway, model, sampling, refused, str(problem))
        limit = next((sampling[key] for key in ("max_completion_tokens", "max_tokens") if sampling.get(key)), None)
        most = self._table.most_output(model.litellm_name)
        if limit is not None and limit < LEAST_OUTPUT and thinks(model, entry, sampling):
            yield (
                False,
                f"it thinks before it answers, and {limit:,} tokens may all go into thoughts: such answers are empty",
                f"set max_tokens to {2 * LEAST_OUTPUT:,} or more, or leave it out",
            )
        if limit is not None and most is not None and limit > most and model.api_base is None:
            yield False, f"max_tokens is {limit:,}, and one answer has at most {most:,}", f"set max_tokens to {most:,} or less"
        if model.timeout_s < LEAST_TIMEOUT_S and thinks(model, entry, sampling) and sampling.get("reasoning_effort") not in SHORT_THOUGHTS:
            yield (
                False,
                f"it thinks before it answers, and a call ends after {model.timeout_s:g} s, which may be billed all the same",
                "add 'timeout_s: 300' to the model",
            )


def thinks(model: Model, entry: Mapping[str, Any], sampling: Mapping[str, Any]) -> bool:
    """Whether a model will think before it answers, as far as its table entry, its name and its parameters say."""
    effort = sampling.get("reasoning_effort") or entry.get("default_reasoning_effort")
    if effort is not None or sampling.get("thinking"):
        return effort != "none"
    if "claude" in model.litellm_name or "flash-lite" in model.litellm_name:  # these think when they are told to
        return False
    return bool(entry.get("supports_reasoning", THINKING.search(model.litellm_name) is not None))


def _key(model: Model) -> Iterator[tuple[bool, str, str]]:
    variable = key_variable(model)
    if variable is not None and variable not in SEVERAL and not os.environ.get(variable):
        yield False, f"the variable {variable}, which holds its key, is not set", f"export {variable}=..."


def _package(model: Model, mode: str | None) -> Iterator[tuple[bool, str, str]]:
    """A package that LiteLLM imports for this model alone; `mcp_types` came with the version of `mcp` that it needs."""
    needed = ("mcp_types", "mcp") if mode == "responses" and model.provider in ("openai", "azure") else PACKAGES.get(model.provider)
    if needed is not None and not _is_installed(needed[0]):
        yield True, f"LiteLLM needs the package {needed[1]!r} for it, which is not installed or too old", install(needed[1])


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


def _is_past(day: str) -> bool:
    try:
        return date.fromisoformat(day) < datetime.now(UTC).date()
    except ValueError:
        return False


def _takes(gateway: Gateway, model: Model, sampling: Mapping[str, Any]) -> bool:
    try:
        gateway.effective(model, sampling)
    except UsageProblem:
        return False
    return True


def _instead(gateway: Gateway, model: Model, sampling: Mapping[str, Any], refused: Sequence[str], said: str) -> tuple[str, str]:
    """What a model does not take, and what to write in its place."""
    if not refused or not _takes(gateway, model, {}):
        return said, ""
    names = " and ".join(f"{key} {sampling[key]!r}" for key in refused)
    left = {key: value for key, value in sampling.items() if key not in refused}
    advice = f"leave {' and '.join(refused)} out of 'sampling'"
    if refused == ["temperature"] and _takes(gateway, model, {**left, "temperature": 1}):
        advice += f", or write {{model: {model.litellm_name}, sampling: {{temperature: 1}}}} for this model alone"
    return f"it does not take {names}", advice
