"""Which models can be called without LiteLLM, where they are and with which key, and what the direct wire leaves to LiteLLM."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from promptlab.nouns import PUBLIC, Model, located, redact
from promptlab.running.gateway.failures import WireError
from promptlab.running.gateway.network import is_loopback
from promptlab.running.gateway.wire import NO_KEY

PLAIN_PARAMETERS = frozenset(
    {"temperature", "top_p", "max_tokens", "seed", "stop", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs"}
)
"""What every provider below takes as it is. `reasoning_effort` is spelled differently by each, so LiteLLM translates it."""
PUT_BESIDE = frozenset({"params", "headers", "chat_template"})
"""What no provider is sent as a parameter of this name."""
TRANSLATED_NAMES = re.compile(
    r"(?:^|[/:])o\d|gpt-(?![34]|oss)|instruct-|turbo-instruct|davinci|babbage|codex|computer-use|deep-research|search|audio|responses/",
    re.IGNORECASE,
)
"""Names for which LiteLLM renames or refuses parameters (o1, o3, gpt-5 and later) or asks another endpoint."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenAI-compatible provider as LiteLLM knows it: the variables that may give its key, and what is special about its answers."""

    key_env: tuple[str, ...]
    needs_key: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What LiteLLM adds to the request's body."""
    served_prefix: str = ""
    """What LiteLLM puts before the name of the model that answered."""


DIRECT: Mapping[str, Provider] = {
    "openai": Provider(("OPENAI_API_KEY",)),
    "openrouter": Provider(("OPENROUTER_API_KEY", "OR_API_KEY"), extra={"usage": {"include": True}}),
    "groq": Provider(("GROQ_API_KEY",)),
    "together_ai": Provider(("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN")),
    "hosted_vllm": Provider(("HOSTED_VLLM_API_KEY",), needs_key=False),
    "lm_studio": Provider(("LM_STUDIO_API_KEY",), needs_key=False, served_prefix="lm_studio/"),
    "llamafile": Provider(("LLAMAFILE_API_KEY",), needs_key=False, served_prefix="llamafile/"),
}

OWN_HOSTS: Mapping[str, tuple[str, ...]] = {
    "openai": (".api.openai.com",),
    "together_ai": ("api.together.xyz",),
    "azure": (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"),
    "anthropic": ("api.anthropic.com",),
    "gemini": ("generativelanguage.googleapis.com",),
    "mistral": ("api.mistral.ai",),
    "deepseek": ("api.deepseek.com",),
    "xai": ("api.x.ai",),
    "cohere": ("api.cohere.com", "api.cohere.ai"),
    "fireworks_ai": ("api.fireworks.ai",),
    "moonshot": ("api.moonshot.ai", "api.moonshot.cn"),
    "perplexity": ("api.perplexity.ai",),
    "vertex_ai": ("aiplatform.googleapis.com", "-aiplatform.googleapis.com"),
}
"""Public hosts besides those of DIRECT to which a provider's usual key may go; with a mark in front: all that end so."""
AMBIENT: Mapping[str, str] = {
    "vertex_ai": "GOOGLE_APPLICATION_CREDENTIALS",
    "sagemaker": "AWS_ACCESS_KEY_ID",
    "sagemaker_chat": "AWS_ACCESS_KEY_ID",
    "watsonx": "WATSONX_API_KEY",
    "watsonx_text": "WATSONX_API_KEY",
    "databricks": "DATABRICKS_API_KEY",
    "snowflake": "SNOWFLAKE_JWT",
    "github_copilot": "GITHUB_TOKEN",
    "gigachat": "GIGACHAT_CREDENTIALS",
    "oci": "OCI_KEY",
}
"""Providers for which LiteLLM finds credentials by itself, and sends them whatever key it is given; and the variable they go by."""
SEVERAL = frozenset({"AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS"})
"""Variables that are one of several ways to give the same credentials."""
USUAL_KEYS: Mapping[str, tuple[str, ...]] = {
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "azure": ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
    "bedrock": ("AWS_ACCESS_KEY_ID",),
    "sagemaker": ("AWS_ACCESS_KEY_ID",),
    "vertex_ai": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "huggingface": ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    "perplexity": ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
}
"""Variables that LiteLLM reads for providers whose variable is not their name and _API_KEY."""

LOCAL = frozenset({"ollama", "ollama_chat", "hosted_vllm", "vllm", "lm_studio", "llamafile", "xinference", "docker_model_runner"})
"""Servers of the user's own: they need no key, and their models have whatever names were loaded."""
EXTRAS: Mapping[str, str] = {"mcp": "responses", "google-auth": "vertex", "boto3": "bedrock"}
"""The extra of promptlab that brings a package which LiteLLM needs for some models."""


def install(package: str) -> str:
    """The command that installs a package which a model needs."""
    return f"pip install 'promptlab-bench[{EXTRAS[package]}]'" if package in EXTRAS else f"pip install {package}"


def not_direct(model: Model, sampling: Mapping[str, Any]) -> str | None:
    """Why a model is called over LiteLLM and not directly; None where both send the same."""
    if model.provider not in DIRECT:
        return f"the provider {model.provider!r} has an interface of its own"
    if TRANSLATED_NAMES.search(model.litellm_name.partition("/")[2]):
        return "LiteLLM translates parameters for models of this name"
    if odd := sorted(sampling.keys() - PLAIN_PARAMETERS - PUT_BESIDE - ({"organisation"} if model.provider == "openai" else set())):
        return f"LiteLLM translates {', '.join(odd)}"
    base = base_of(model)
    if base is None:
        return "it has no address; add api_base"
    if "@" in base.partition("://")[2].partition("/")[0]:
        return "its address holds a password"
    return None


def base_of(model: Model) -> str | None:
    """The address of a model's server: the experiment's, else the environment's, else the provider's public one."""
    return located(model).api_base or PUBLIC.get(model.provider)


def address_of(model: Model) -> str:
    """Where a model's requests go, in words."""
    return redact((base_of(model) if model.provider in DIRECT else located(model).api_base) or f"the provider {model.provider!r}")


def asked_at(model: Model) -> str:
    """The address of a model's server; of a public provider that LiteLLM knows, only how it is reached."""
    base = base_of(model) if model.provider in DIRECT else model.api_base
    return base or ("http://localhost" if model.provider in LOCAL else "https:")


def key_variable(model: Model) -> str | None:
    """The variable whose key a model is sent; None where it is sent none, as a server of the user's own is."""
    if model.api_key_env:
        return model.api_key_env
    if model.simulated or (model.api_base and not is_own_host(model)):
        return None
    known = DIRECT.get(model.provider)
    if model.provider in LOCAL and not (known and any(map(os.environ.get, known.key_env))):
        return None
    usual = known.key_env if known else USUAL_KEYS.get(model.provider, (f"{model.provider.upper()}_API_KEY",))
    return next(filter(os.environ.get, usual), usual[0])


def asked_where(model: Model) -> str:
    """Where a model's requests will go, and with which key, in words."""
    variable = key_variable(model)
    key = f"the key in {variable}" if variable else "no key ('api_key_env' names the variable of one)"
    is_missing = variable is not None and not os.environ.get(variable) and variable not in SEVERAL
    return f"asked at {address_of(model)}, with {key}{', which is not set' if is_missing else ''}"


def key_sent(model: Model) -> str:
    """The key that a model was sent, in words; what to set where it was sent none."""
    variable = key_variable(model)
    if variable is None:
        return "the call without a key: none is sent to an 'api_base' of your own, until 'api_key_env' names its variable"
    if not os.environ.get(variable) and variable not in SEVERAL:
        return f"the call without a key: {variable} is not set"
    return f"the key in {variable}"


def is_own_host(model: Model) -> bool:
    """Whether a model's address is one of its provider's public ones, or the environment's: those that its usual key is for."""
    if model.base_env and os.environ.get(model.base_env, "").rstrip("/") == model.api_base:  # of this machine, not of a bundle's author
        return True
    address = urlsplit(model.api_base or "")
    hosts = (urlsplit(PUBLIC.get(model.provider, "")).hostname,)
    host = address.hostname or ""
    own = (*hosts, *OWN_HOSTS.get(model.provider, ()))
    return address.scheme == "https" and any(name and (host.endswith(name) if name[0] in ".-" else host == name) for name in own)


def sent_abroad(model: Model) -> tuple[str, list[str]]:
    """The host, and the variables whose values a file sends there, where that is neither the model's provider nor this machine."""
    host = urlsplit(model.api_base or "").hostname or ""
    if model.simulated or not host or is_own_host(model) or is_loopback(host):
        return host, []
    named = (model.api_key_env, *model.header_envs.values(), AMBIENT.get(model.provider.removesuffix("_beta")))
    return host, list(dict.fromkeys(filter(None, named)))


def own_key(model: Model) -> str | None:
    """The key that the experiment names for a model, or NO_KEY for a server of the user's own; None: the provider's usual key."""
    if model.api_key_env:
        key = os.environ.get(model.api_key_env)
        if not key:
            raise no_key(model, model.api_key_env)
        return key
    return NO_KEY if model.simulated or (model.api_base and not is_own_host(model)) else None


def key_of(model: Model) -> str:
    """The key that the direct wire sends; WireError where the provider needs one and none is set."""
    own = own_key(model)
    if own is not None:
        return own
    provider = DIRECT[model.provider]
    key = next(filter(None, map(os.environ.get, provider.key_env)), None)
    if key is None and provider.needs_key:
        raise no_key(model, provider.key_env[0])
    return key or NO_KEY


def no_key(model: Model, variable: str) -> WireError:
    """The error for a model whose key is not there, so that nothing is sent."""
    return WireError("auth", f"the variable {variable} is not set; export it with the key of {model.name!r}")
