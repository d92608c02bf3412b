"""What a request holds besides its messages: what goes into the body, what goes with it, and its differences from the file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.nouns import CONNECTION, Call, Model, UsageProblem, in_body

REGION = {
    "bedrock": "aws_region_name",
    "bedrock_converse": "aws_region_name",
    "sagemaker": "aws_region_name",
    "vertex_ai": "vertex_location",
}
"""By provider: LiteLLM's argument for its region."""


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those parameters that have a value."""
    return {name: value for name, value in parameters.items() if value is not None and value != {}}


def request_body(sampling: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into the body of a request to a server that takes every parameter as it is."""
    return {**given(in_body(sampling)), **sampling.get("params", {})}


def headers_of(model: Model) -> dict[str, str]:
    """The model's own headers, with the values that the environment gives; UsageProblem where one is not set."""
    if missing := [env for env in model.header_envs.values() if not os.environ.get(env)]:
        raise UsageProblem(f"the variable {missing[0]} is not set; export it: it holds a header of {model.name!r}")
    own = {name: os.environ[env] for name, env in model.header_envs.items()}
    organisation = model.sampling.get("organisation")
    return own | ({"OpenAI-Organization": organisation} if organisation and model.provider == "openai" else {})


def arguments_of(model: Model) -> dict[str, Any]:
    """The same as arguments of LiteLLM's functions; UsageProblem where the provider has no such thing."""
    sampling, found = model.sampling, {}
    for name, argument in (("api_version", "api_version"), ("region", REGION.get(model.provider)), ("organisation", "organization")):
        if name in sampling:
            if argument is None or (name == "organisation" and model.provider != "openai"):
                raise UsageProblem(f"the provider {model.provider!r} of {model.name!r} has no {name}; leave it out")
            found[argument] = sampling[name]
    if headers := headers_of(model):
        found["extra_headers"] = headers
    return found


def messages_of(call: Call) -> list[dict[str, str]]:
    """The messages of a call; one that its chat template makes of all, where it has one."""
    template = call.sampling.get("chat_template")
    messages = [dict(message) for message in call.messages]
    if template is None:
        return messages
    texts = [template.replace("{role}", message["role"]).replace("{content}", message["content"]) for message in messages]
    return [{"role": "user", "content": "".join(texts) + template.partition("{content}")[0].replace("{role}", "assistant").rstrip(" ")}]


def differences(requested: Mapping[str, Any], sent: Mapping[str, Any]) -> Sequence[str]:
    """How a request differs from the experiment file, in words."""
    asked = {**in_body(requested), **requested.get("params", {})}
    more = {name: value for name, value in sent.items() if name not in asked and name not in CONNECTION}
    said = []
    for name, value in asked.items():
        if name in sent:
            if sent[name] != value:
                said.append(f"{name} is sent as {_json(sent[name])}")
        elif (other := next((key for key in more if more[key] == value), None)) is not None:
            said.append(f"{name} is sent as {other}")
            del more[other]
        else:
            said.append(f"{name} is not sent")
    return [*said, *(f"{name} {_json(value)} is sent" for name, value in more.items())]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
