"""What the environment says about requests: where they go, which is recorded, and what is in them, which is ignored.

LiteLLM and the clients below it read dozens of variables. Here are those that move a request, or change it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from promptlab.nouns.call import Model
from promptlab.nouns.errors import UsageProblem
from promptlab.nouns.places import shipped_table

_KNOWN = shipped_table("variables")
ADDRESSES: Mapping[str, tuple[str, ...]] = {provider: tuple(names) for provider, names in _KNOWN["addresses"].items()}
"""Variables that hold a provider's address, the one that counts first; of other providers it is `PROVIDER_API_BASE`."""
PUBLIC: Mapping[str, str] = _KNOWN["public"]
"""Where a request goes when nobody says anything else: a variable that holds this changes nothing."""
SETTINGS: Mapping[str, tuple[str, ...]] = {provider: tuple(names) for provider, names in _KNOWN["settings"].items()}
"""Variables besides the address without which a provider cannot be called, and which decide who answers."""
IGNORED = re.compile(
    r"(?:LITELLM_(?!LOCAL_|MODE\Z|LOG\Z|PROXY_)\w+|USE_LITELLM_PROXY|DEFAULT_(?:ANTHROPIC_CHAT_MAX_TOKENS|MAX_TOKENS\w*|MAX_RETRIES|TRIM_RATIO)"
    r"|DEFAULT_REASONING_EFFORT_\w+|(?:BEDROCK_MIN_THINKING_BUDGET|SYSTEM_MESSAGE|FUNCTION_DEFINITION)_\w+|MIN_NON_ZERO_TEMPERATURE"
    r"|REQUEST_TIMEOUT|EXPERIMENTAL_OPENAI_\w+|CHATGPT_DEFAULT_INSTRUCTIONS|AZURE_DEFAULT_RESPONSES_API_VERSION)\Z"
)
"""Variables with which LiteLLM changes a request in ways that no plan, key or record would show."""


_RECORDED: ContextVar[Mapping[str, Any]] = ContextVar("recorded", default=MappingProxyType({}))


@contextmanager
def recorded(by_model: Mapping[str, Any]) -> Iterator[None]:
    """Within it, models that a record names get its variables in place of this machine's: its requests are those to be made again."""
    token = _RECORDED.set(by_model)
    try:
        yield
    finally:
        _RECORDED.reset(token)


def _variable(model: Model, name: str) -> str | None:
    known = _RECORDED.get().get(model.name)
    if not isinstance(known, Mapping):
        return os.environ.get(name)
    return str(known[name]) if name in known else None


def address_variables(provider: str) -> tuple[str, ...]:
    """The variables that may hold a provider's address; the first one that is set counts."""
    return ADDRESSES.get(provider, (f"{provider.upper().replace('-', '_')}_API_BASE",))


def located(model: Model) -> Model:
    """The model with the address that its requests go to, where the environment gives one; UsageProblem for one with a secret in it."""
    if found := {name: _checked(model, name, value) for name, value in variables_of(model).items()}:
        model = replace(model, sampling={"environment": found, **model.sampling})
    if model.api_base is not None or model.simulated:
        return model
    found_at = ((name, (_variable(model, name) or "").rstrip("/")) for name in address_variables(model.provider))
    name, address = next((pair for pair in found_at if pair[1]), ("", ""))
    if address in ("", PUBLIC.get(model.provider)):
        return model
    return replace(model, api_base=_checked(model, name, address, is_address=True), base_env=name)


def _checked(model: Model, name: str, value: str, *, is_address: bool = False) -> str:
    """The value of a variable, for the record; UsageProblem for an address that may hold a secret, or is not one."""
    parts = urlsplit(value)
    if (is_address or "://" in value) and (parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query):
        raise UsageProblem(
            f"the variable {name}, where {model.name!r} is called, must be an address (http or https) without user, password or query: "
            "it is written into the record"
        )
    return value


def variables_of(model: Model) -> dict[str, str]:
    """What the environment says about a model besides its address, by variable: part of what a run is."""
    return {name: value for name in SETTINGS.get(model.provider, ()) if (value := _variable(model, name))}


def ignored() -> list[str]:
    """Variables that are set and that would change requests unseen: they are ignored."""
    return sorted(name for name, value in os.environ.items() if value and IGNORED.match(name))
