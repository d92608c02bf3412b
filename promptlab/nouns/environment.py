"""What the environment says about requests: where they go, which is recorded, and what is in them, which is ignored.

LiteLLM and the clients below it read dozens of variables. Here are those that move a request, or change it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
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
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "azure": ("AZURE_API_VERSION", "AZURE_API_TYPE"),
    "azure_ai": ("AZURE_AI_API_VERSION",),
    "bedrock": ("AWS_REGION_NAME", "AWS_REGION"),
    "vertex_ai": ("VERTEXAI_LOCATION", "VERTEX_LOCATION", "VERTEXAI_PROJECT", "VERTEX_PROJECT"),
}
"""Variables besides the address without which a provider cannot be called, and which decide who answers."""
IGNORED = re.compile(
    r"(?:LITELLM_(?!LOCAL_|MODE\Z|LOG\Z|PROXY_)\w+|USE_LITELLM_PROXY|DEFAULT_(?:ANTHROPIC_CHAT_MAX_TOKENS|MAX_TOKENS\w*|MAX_RETRIES|TRIM_RATIO)"
    r"|DEFAULT_REASONING_EFFORT_\w+|(?:BEDROCK_MIN_THINKING_BUDGET|SYSTEM_MESSAGE|FUNCTION_DEFINITION)_\w+|MIN_NON_ZERO_TEMPERATURE"
    r"|REQUEST_TIMEOUT|EXPERIMENTAL_OPENAI_\w+|CHATGPT_DEFAULT_INSTRUCTIONS|AZURE_DEFAULT_RESPONSES_API_VERSION)\Z"
)
"""Variables with which LiteLLM changes a request in ways that no plan, key or record would show."""


def address_variables(provider: str) -> tuple[str, ...]:
    """The variables that may hold a provider's address; the first one that is set counts."""
    return ADDRESSES.get(provider, (f"{provider.upper().replace('-', '_')}_API_BASE",))


def located(model: Model) -> Model:
    """The model with the address that its requests go to, where the environment gives one; UsageProblem for one with a secret in it."""
    if model.api_base is not None or model.simulated:
        return model
    name = next(filter(os.environ.get, address_variables(model.provider)), None)
    address = os.environ[name].rstrip("/") if name else None
    if name is None or address in (None, PUBLIC.get(model.provider)):
        return model
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query:
        raise UsageProblem(
            f"the variable {name}, where {model.name!r} is called, must be an address (http or https) without user, password or query: "
            "it is written into the record"
        )
    return replace(model, api_base=address, base_env=name)


def variables_of(model: Model) -> dict[str, str]:
    """What the environment says about a model besides its address, by variable: part of what a run is."""
    return {name: value for name in SETTINGS.get(model.provider, ()) if (value := os.environ.get(name))}


def ignored() -> list[str]:
    """Variables that are set and that would change requests unseen: they are ignored."""
    return sorted(name for name, value in os.environ.items() if value and IGNORED.match(name))
