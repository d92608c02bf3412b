"""One request over LiteLLM, and what its reply or error means.

LiteLLM's own retries are off (they multiply with the provider's, and one is tried even on a 400) and its `timeout` is no
deadline (a server that drips one byte a second held a call for minutes), so both are done here. Errors are told apart by
status code: LiteLLM's classes differ between versions and providers.
"""

from __future__ import annotations

import asyncio
import email.utils
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from promptlab.errors import UsageProblem
from promptlab.gateway.redact import known_secrets, redact, redact_known
from promptlab.schema import Call, Model, Outcome

Boundary = Literal["auth", "quota", "rate", "server", "timeout", "connection", "policy", "request"]
RETRIED: frozenset[Boundary] = frozenset({"rate", "server", "timeout", "connection"})
STOPPING: frozenset[Boundary] = frozenset({"auth", "quota"})
MESSAGE_LIMIT = 500


class WireError(Exception):
    """A request that brought no answer: at which boundary, with what status, and when to come back."""

    def __init__(self, boundary: Boundary, message: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.boundary = boundary
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request, before it is priced."""

    text: str
    outcome: Outcome
    finish_reason: str | None
    model_version: str | None
    input_tokens: int | None
    output_tokens: int | None
    top_logprobs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SimulatedError(Exception):
    """What a simulator raises to be answered with an HTTP status."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Simulator(Protocol):
    """A simulated model: sees what a provider would see."""

    async def __call__(self, model: str, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any]) -> Reply: ...


class LiteLLMWire:
    """Sends one call at a time; imported litellm is kept here so that nothing else loads it."""

    def __init__(self, models: Sequence[Model], simulator: Simulator | None = None) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm
        from litellm.utils import get_optional_params

        litellm.suppress_debug_info = True  # else an error banner goes to stdout, into the middle of --json
        litellm.drop_params = False  # dropping a parameter in silence changes the experiment
        litellm.cache = None
        self._litellm = litellm
        self._optional_params = get_optional_params
        self._models = {model.name: model for model in models}
        self.secrets = known_secrets(tuple(m.api_key_env for m in models if m.api_key_env))
        if simulator is not None:
            litellm.custom_provider_map = [{"provider": "sim", "custom_handler": _handler(litellm, simulator)}]

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that the provider will really be sent for `sampling`; UsageProblem when it does not take one."""
        name, provider, *_ = self._litellm.get_llm_provider(model.litellm_name, api_base=model.api_base)
        try:
            sent = self._optional_params(model=name, custom_llm_provider=provider, drop_params=False, **sampling)
        except Exception as error:
            if getattr(error, "status_code", None) is None and "Unsupported" not in type(error).__name__:
                raise
            text = redact(str(error), self.secrets).splitlines()[0]
            raise UsageProblem(
                f"the model {model.name!r} does not take these sampling parameters: {text}; "
                f"change 'sampling' in the experiment, or under this model alone"
            ) from None
        return {key: value for key, value in sent.items() if value not in ({}, None) and key != "stream"}

    async def send(self, call: Call) -> Reply:
        """One request with a wall-clock deadline; WireError when it brings no answer."""
        model = self._models[call.model]
        try:
            async with asyncio.timeout(model.timeout_s):
                response = await self._litellm.acompletion(
                    model=model.litellm_name,
                    messages=[dict(message) for message in call.messages],
                    api_base=model.api_base,
                    api_key=self._key(model),
                    timeout=model.timeout_s,
                    num_retries=0,
                    max_retries=0,
                    **call.sampling,
                )
        except TimeoutError:
            raise WireError("timeout", f"no complete answer within {model.timeout_s:g} s") from None
        except asyncio.CancelledError:
            raise
        except Exception as error:  # litellm raises the classes of many libraries
            raise self._classified(error) from None
        return self._reply(response)

    def _key(self, model: Model) -> str | None:
        if model.api_key_env:
            key = os.environ.get(model.api_key_env)
            if not key:
                raise WireError("auth", f"the variable {model.api_key_env} is not set; export it with the key of {model.name!r}")
            return key
        # A server of the user's own is never sent the key of a public provider that happens to be in the environment.
        return "none" if model.api_base or model.simulated else None

    def _reply(self, response: Any) -> Reply:  # noqa: ANN401 (a litellm type)
        choice = response.choices[0] if response.choices else None
        message = choice.message if choice else None
        text = redact_known(str(getattr(message, "content", None) or ""), self.secrets)
        finish = getattr(choice, "finish_reason", None)
        refusal = getattr(message, "refusal", None) or (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
        outcome: Outcome = "ok"
        if refusal or finish == "content_filter":
            outcome, text = "refused", text or redact_known(str(refusal or ""), self.secrets)
        elif finish == "length":
            outcome = "truncated"
        elif not text.strip():
            outcome = "empty"
        usage = getattr(response, "usage", None)
        tokens = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
        known = all(isinstance(n, int) for n in tokens) and any(tokens)  # litellm fills a missing usage with zeros
        return Reply(
            text=text,
            outcome=outcome,
            finish_reason=finish,
            model_version=getattr(response, "model", None),
            input_tokens=tokens[0] if known else None,
            output_tokens=tokens[1] if known else None,
            top_logprobs=_top_logprobs(getattr(choice, "logprobs", None)),
        )

    def _classified(self, error: Exception) -> WireError:
        if isinstance(error, WireError):
            return error
        status = getattr(error, "status_code", None)
        text = redact(str(error), self.secrets)[:MESSAGE_LIMIT]
        said = f"{text} {getattr(error, 'code', '')} {getattr(error, 'body', '')}"
        return WireError(_boundary(status, said, type(error).__name__), text, status, _retry_after(error))


def _top_logprobs(logprobs: Any) -> tuple[tuple[str, float], ...]:  # noqa: ANN401 (a litellm type, or a provider's dictionary)
    """The alternatives to the first token; empty where there are none or they have another form."""
    content = _field(logprobs, "content")
    first = content[0] if isinstance(content, list) and content else None
    top = _field(first, "top_logprobs")
    pairs = [(_field(t, "token"), _field(t, "logprob")) for t in top] if isinstance(top, list) else []
    return tuple((token, float(value)) for token, value in pairs if isinstance(token, str) and isinstance(value, int | float))


def _field(value: Any, name: str) -> Any:  # noqa: ANN401
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _boundary(status: int | None, text: str, kind: str) -> Boundary:
    lowered = text.lower()
    if status in (401, 403) or (status == 400 and "api key" in lowered and "invalid" in lowered):
        return "auth"
    if status in (402, 429) and ("insufficient_quota" in lowered or "exceeded your current quota" in lowered or status == 402):
        return "quota"
    if status == 429:
        return "rate"
    if status in (408, 504) or "timeout" in kind.lower():
        return "timeout"
    if "contentpolicy" in kind.lower() or "content_policy" in lowered or "content_filter" in lowered:
        return "policy"
    if status is None or "connection error" in lowered or "connect" in kind.lower():
        return "connection"
    return "server" if status >= 500 or status == 409 else "request"


def _retry_after(error: Exception) -> float | None:
    headers = getattr(error, "litellm_response_headers", None) or getattr(getattr(error, "response", None), "headers", None) or {}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            try:
                return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
            except ValueError:
                return None
    return None


def _handler(litellm: Any, simulator: Simulator) -> Any:  # noqa: ANN401 (litellm types)
    from litellm.llms.custom_llm import CustomLLMError

    class SimulatedProvider(litellm.CustomLLM):  # type: ignore[misc]  # litellm has no types
        """LiteLLM's custom provider `sim`: the whole path of a real call, without the network."""

        async def acompletion(self, *_: object, **request: Any) -> Any:  # noqa: ANN401
            try:
                reply = await simulator(request["model"], request["messages"], request["optional_params"])
            except SimulatedError as error:
                failure = CustomLLMError(status_code=error.status, message=error.message)
                failure.headers = dict(error.headers)
                raise failure from None
            message: dict[str, Any] = {"role": "assistant", "content": reply.text}
            if reply.outcome == "refused":
                message["provider_specific_fields"] = {"refusal": reply.text}
            total = (reply.input_tokens or 0) + (reply.output_tokens or 0)
            choice: dict[str, Any] = {"index": 0, "finish_reason": reply.finish_reason, "message": message}
            if reply.top_logprobs:
                top = [{"token": token, "logprob": value, "bytes": None} for token, value in reply.top_logprobs]
                choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
            return litellm.ModelResponse(
                id="simulated",
                model=f"sim/{request['model']}",
                choices=[choice],
                usage={"prompt_tokens": reply.input_tokens, "completion_tokens": reply.output_tokens, "total_tokens": total},
            )

    return SimulatedProvider()


Send = Callable[[Call], Awaitable[Reply]]
