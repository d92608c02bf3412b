"""A model as experiments and task files name it, and what is sent to it besides the messages."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from promptlab.nouns import CONNECTION, Model, Price, filled, merged, redact, variables

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names that become file names; the pattern is Rust's, whose `$` does not accept a trailing newline."""


class Part(BaseModel):
    """A block of a file: unknown keys are errors, values are not converted between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)  # many commands read few kinds of files


def is_unset(value: object) -> bool:
    """Whether a key was left out: then it is no part of the experiment's hash."""
    return value is None or value in ({}, [])


class Thinking(Part):
    """How much a model may think before it answers."""

    type: Literal["enabled"] = "enabled"
    budget_tokens: Annotated[int, Field(ge=1, le=1_000_000)]


class HeaderEntry(Part):
    """The value of a header: never written into a file."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="name of the variable that holds it")]


RESERVED = frozenset({"model", "messages", "prompt", "stream", "n"})
"""Keys of a request's body that promptlab sets."""
OWN_HEADERS = frozenset({"authorization", "content-type", "content-length", "host", "accept", "accept-encoding", "transfer-encoding"})
SECRET_KEY = re.compile(r"api[-_]?key|authorization|secret|passw|credential|bearer|(?:access|auth|session)[-_]?token", re.IGNORECASE)


def _no_secrets(value: dict[str, Any]) -> dict[str, Any]:
    """Parameters that go into a request's body as they are; ValueError where one is promptlab's, or looks like a key."""
    if taken := RESERVED & value.keys():
        raise ValueError(f"{', '.join(sorted(taken))} cannot be set: promptlab writes it")

    def look(part: object, where: str) -> None:
        if isinstance(part, dict):
            for name, inner in part.items():
                if SECRET_KEY.search(str(name)):
                    raise ValueError(f"{where}{name} looks like a secret, and what is here is recorded; use api_key_env or headers")
                look(inner, f"{where}{name}.")
        elif isinstance(part, list):
            for inner in part:
                look(inner, where)
        elif isinstance(part, str) and redact(part) != part:
            raise ValueError(f"the value of {where.rstrip('.')} looks like a key, and what is here is recorded; use api_key_env or headers")

    look(value, "")
    return value


def _schema_form(value: dict[str, Any]) -> dict[str, Any]:
    """A response format; ValueError where it is not one that is known."""
    kind, named = value.get("type"), value.get("json_schema")
    has_schema = isinstance(named, dict) and isinstance(named.get("schema"), dict)
    if kind not in ("text", "json_object") and not (kind == "json_schema" and has_schema):
        raise ValueError("write {type: json_schema, json_schema: {name: ..., schema: {...}}}, or {type: json_object}")
    return value


Params = Annotated[dict[str, Any], AfterValidator(_no_secrets)]
ResponseFormat = Annotated[dict[str, Any], AfterValidator(_schema_form)]


class Sent(Part):
    """What goes into the body of a request besides the classic sampling parameters; next to a model or under `sampling`."""

    max_completion_tokens: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="limit of thoughts and answer, in place of max_tokens", exclude_if=is_unset)
    ] = None
    thinking: Annotated[Thinking | None, Field(description="{budget_tokens: N}", exclude_if=is_unset)] = None
    response_format: Annotated[
        ResponseFormat | None, Field(description="{type: json_schema, json_schema: {name: ..., schema: {...}}}", exclude_if=is_unset)
    ] = None
    params: Annotated[Params, Field(description="put into the body as it is: top_k, min_p, service_tier", exclude_if=is_unset)] = {}

    def sent(self) -> dict[str, Any]:
        """Only what the file says of these."""
        return {name: value for name, value in self.model_dump(include=set(Sent.model_fields), mode="json").items() if not is_unset(value)}


class Sampling(Sent):
    """Parameters of a request besides its messages. The provider decides where a key is left out."""

    temperature: Annotated[float, Field(ge=0, le=2, description="0 is greedy; repeats then mostly agree")] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000, description="upper limit of an answer's length")] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    stop: list[str] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    reasoning_effort: str | None = None

    def asked(self) -> dict[str, Any]:
        """Only what the file says."""
        return self.model_dump(exclude_none=True, mode="json")


class PriceEntry(Part):
    """USD per million tokens, where the price table does not know the model or your contract differs."""

    input_usd_per_mtok: Annotated[float, Field(ge=0)]
    output_usd_per_mtok: Annotated[float, Field(ge=0)]
    cached_input_usd_per_mtok: Annotated[
        float | None, Field(ge=0, description="of input that the provider reads from its cache", exclude_if=is_unset)
    ] = None
    written_input_usd_per_mtok: Annotated[float | None, Field(ge=0, description="of input written to it", exclude_if=is_unset)] = None
    request_usd: Annotated[float, Field(ge=0, description="fee of each request, as for a search", exclude_if=lambda fee: fee == 0)] = 0.0


class ModelEntry(Sent):
    """One model: `sim/planted`, `openai/gpt-4o-mini`, `anthropic/...`, or any OpenAI-compatible server with `api_base`."""

    model: Annotated[str, Field(min_length=1, description="a LiteLLM name such as openai/gpt-4o-mini, or sim/planted")]
    name: Annotated[str, Field(pattern=NAME, description="the short name in frames and reports")] | None = None
    api_base: Annotated[str, Field(pattern=r"^https?://[^\s\\]+$", description="address of an OpenAI-compatible server")] | None = None
    api_key_env: (
        Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="name of the variable that holds the key")] | None
    ) = None
    sampling: Sampling = Sampling()
    price: PriceEntry | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    retries: Annotated[
        int | None, Field(ge=0, le=100, description="how often a failed request is sent again; 0: never", exclude_if=is_unset)
    ] = None
    headers: Annotated[
        dict[str, HeaderEntry], Field(description="headers of each request: {X-Org: {env: MY_ORG}}", exclude_if=is_unset)
    ] = {}
    api_version: Annotated[str | None, Field(min_length=1, description="of the interface, as Azure has", exclude_if=is_unset)] = None
    region: Annotated[str | None, Field(min_length=1, description="of Bedrock or Vertex", exclude_if=is_unset)] = None
    organisation: Annotated[str | None, Field(min_length=1, description="which OpenAI bills", exclude_if=is_unset)] = None
    chat_template: Annotated[
        str | None, Field(description="of text-completion models: {role} and {content}, for each message", exclude_if=is_unset)
    ] = None

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, HeaderEntry]) -> dict[str, HeaderEntry]:
        for name in value:
            if name.lower() in OWN_HEADERS or not re.match(r"^[A-Za-z0-9-]+\Z", name):
                raise ValueError(f"the header {name!r} cannot be set{'; use api_key_env' if name.lower() == 'authorization' else ''}")
        return value

    @field_validator("chat_template")
    @classmethod
    def _template(cls, value: str | None) -> str | None:
        if value is not None and sorted(variables(value)) != ["content", "role"]:
            raise ValueError(f"chat_template must hold {{role}} and {{content}} once each, found {variables(value)}")
        return value

    @field_validator("model")
    @classmethod
    def _litellm_name(cls, value: str) -> str:
        if not re.match(r"^[A-Za-z0-9][A-Za-z0-9._:@/-]*\Z", value):
            raise ValueError(f"{value!r} is not a model name; write provider/model, for example openai/gpt-4o-mini")
        return value

    @field_validator("api_base")
    @classmethod
    def _no_secret(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if "@" in parts.netloc or parts.query or parts.fragment or redact(value) != value:
            raise ValueError(
                "an address must not hold a user or password, a key, or anything after '?' or '#': it is written into the record; name a "
                "variable in api_key_env, and an API version in api_version"
            )
        return value.rstrip("/")

    def resolved(self) -> Model:
        """The entry as the noun that the rest of promptlab uses."""
        price = filled(Price, self.price, source="experiment file") if self.price else None
        own = {name: value for name in CONNECTION if not is_unset(value := getattr(self, name, None))}
        own |= {"headers": {name: entry.model_dump() for name, entry in self.headers.items()}} if self.headers else {}
        sampling = merged(self.sampling.asked(), self.sent(), own)
        return filled(Model, self, name=self.name or self.model, litellm_name=self.model, sampling=sampling, price=price)
