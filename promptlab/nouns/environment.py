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

ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "text-completion-openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "anthropic": ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    "anthropic_text": ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    "azure_text": ("AZURE_API_BASE",),
    "vertex_ai": ("VERTEXAI_API_BASE", "VERTEX_API_BASE"),
    "huggingface": ("HF_API_BASE", "HUGGINGFACE_API_BASE"),
    "watsonx": ("WATSONX_API_BASE", "WATSONX_URL", "WX_URL", "WML_URL"),
    "watsonx_text": ("WATSONX_API_BASE", "WATSONX_URL", "WX_URL", "WML_URL"),
    "bedrock": ("AWS_BEDROCK_RUNTIME_ENDPOINT",),
    "cohere_chat": ("COHERE_API_BASE",),
    "ollama_chat": ("OLLAMA_API_BASE",),
    "ai21_chat": ("AI21_API_BASE",),
    "meta_llama": ("LLAMA_API_BASE",),
    "lambda_ai": ("LAMBDA_API_BASE",),
    "friendliai": ("FRIENDLI_API_BASE",),
    "fireworks_ai": ("FIREWORKS_API_BASE", "FIREWORKS_AI_API_BASE"),
    "featherless_ai": ("FEATHERLESS_AI_API_BASE", "FEATHERLESS_API_BASE"),
    "mistral": ("MISTRAL_AZURE_API_BASE", "MISTRAL_API_BASE"),
    "volcengine": ("VOLCENGINE_API_BASE", "ARK_API_BASE"),
    "datarobot": ("DATAROBOT_ENDPOINT",),
    "gradient_ai": ("GRADIENT_AI_AGENT_ENDPOINT",),
    "chatgpt": ("CHATGPT_API_BASE", "OPENAI_CHATGPT_API_BASE"),
    "tensormesh": ("TENSORMESH_SERVERLESS_BASE_URL",),
    "scx-ai": ("SCX_API_BASE",),
}
"""Variables that hold a provider's address, the one that counts first; of other providers it is `PROVIDER_API_BASE`."""
PUBLIC: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "openrouter": "https://openrouter.ai/api/v1",
    "groq": "https://api.groq.com/openai/v1",
    "together_ai": "https://api.together.ai/v1",
    "llamafile": "http://127.0.0.1:8080/v1",
}
"""Where a request goes when nobody says anything else: a variable that holds this changes nothing."""
WATSONX = (
    "WATSONX_REGION", "WX_REGION", "WATSONX_PROJECT_ID", "WX_PROJECT_ID", "WATSONX_DEPLOYMENT_SPACE_ID", "WATSONX_SPACE_ID", "WX_SPACE_ID",
    "WATSONX_IAM_URL",
)  # fmt: skip
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "azure": ("AZURE_API_VERSION", "AZURE_API_TYPE", "AZURE_AUTHORITY_HOST", "AZURE_SCOPE"),
    "azure_ai": ("AZURE_AI_API_VERSION",),
    "bedrock": (
        "AWS_REGION_NAME",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "ANTHROPIC_AWS_BASE_URL",
        "ANTHROPIC_AWS_API_BASE",
        "AWS_STS_ENDPOINT",
    ),
    "bedrock_mantle": ("BEDROCK_MANTLE_REGION", "AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
    "sagemaker": ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_ENDPOINT"),
    "vertex_ai": ("VERTEXAI_LOCATION", "VERTEX_LOCATION", "VERTEXAI_PROJECT", "VERTEX_PROJECT"),
    "watsonx": WATSONX,
    "watsonx_text": WATSONX,
    "snowflake": ("SNOWFLAKE_ACCOUNT_ID",),
    "cloudflare": ("CLOUDFLARE_ACCOUNT_ID",),
    "gigachat": ("GIGACHAT_AUTH_URL", "GIGACHAT_SCOPE"),
    "github_copilot": ("GITHUB_COPILOT_API_KEY_URL", "GITHUB_COPILOT_ACCESS_TOKEN_URL"),
    "predibase": ("PREDIBASE_TENANT_ID",),
    "sap": ("AI_API_URL",),
    "xai": ("XAI_OAUTH_API_BASE",),
}
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
