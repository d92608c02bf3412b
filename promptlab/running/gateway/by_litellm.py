"""The wire for every provider, over LiteLLM.

LiteLLM's own retries are off (they multiply with the provider's, and one is tried even on a 400) and its `timeout` is no
deadline (a server that drips one byte a second held a call for minutes), so both are done here and in the gateway.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from promptlab.nouns import CONNECTION, Call, Model, Reply, UsageProblem, as_sent, did_you_mean, ignored, in_body, inert, redact
from promptlab.running.gateway.answers import UNREADABLE, Said, body_of, native_finish, native_refusal
from promptlab.running.gateway.failures import WireError, read_message
from promptlab.running.gateway.network import bundle, check, is_checked, spare_loopback
from promptlab.running.gateway.parameters import arguments_of, given, messages_of
from promptlab.running.gateway.providers import DIRECT, asked_at, install, key_of, key_variable, no_key, own_key
from promptlab.running.gateway.redirects import SENDING, Sending, refuse_redirects
from promptlab.running.gateway.wire import READ_LIMIT, SimulatedError, Simulator, Wire, late, read_answer, safe

UNLOGGED = {"cohere": "cohere_chat", "cohere_chat": "cohere_chat", "ollama": "ollama"}
"""Providers whose responses LiteLLM does not hand to `logger_fn`, and its own names for them."""
PACKAGES = {"google.auth": "google-auth", "google": "google-auth", "google.oauth2": "google-auth", "botocore": "boto3"}
"""What to install for a module of another name."""
NO_CREDENTIALS = {
    "google": "sign in with `gcloud auth application-default login`, or name a file of credentials in GOOGLE_APPLICATION_CREDENTIALS",
    "botoco": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in AWS_PROFILE",
}
"""By the library that signs requests (botocore, by its beginning): what to do where it finds nothing to sign them with."""
OWN_ARGUMENTS = frozenset({"base_url", "deployment_id", "extra_body", "extra_headers", "extra_query", "model_list", "timeout"})
PROVIDERS = "llm_provider-"
"""What LiteLLM puts before the name of a provider's header."""
PREFIXED = re.compile(r"(?:aws|azure|vertex|litellm)_")
"""Arguments of LiteLLM's that say where and how a request is sent, besides those that it lists itself."""
PREFIXES = re.compile(r"^(?:litellm\.\w+: )+(?:\w+: )*(?:[\w-]+(?:Exception|Error) (?:\w+ )?- )?")
DEEPEST = 12
BODIES = frozenset({"openai", "azure", "openrouter", "gemini", "vertex_ai", "text-completion-openai", "custom_openai"})
"""Providers besides the OpenAI-compatible ones to which LiteLLM passes a body of the caller's own."""
INTERNAL = frozenset({"json_mode", "fake_stream", "extra_body"})
"""What LiteLLM tells itself among the parameters."""
LONGEST_HEADER = 300
"""Characters of a header that an error shows."""
RECEIVED = re.compile(r"Received: (['\"].*['\"])\. Check the reverse proxy", re.DOTALL)
"""How LiteLLM quotes a body that is no JSON, such as a stream that nobody asked for."""


class LiteLLMWire(Wire):
    """Sends one call at a time; imported litellm is kept here so that nothing else loads it."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...], simulator: Simulator | None = None) -> None:
        super().__init__(models, secrets)
        litellm = _loaded()
        from litellm.types.utils import all_litellm_params
        from litellm.utils import get_optional_params

        litellm.suppress_debug_info = True  # else an error banner goes to stdout, into the middle of --json
        litellm.drop_params = False  # dropping a parameter in silence changes the experiment
        litellm.cache = None
        logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)  # it prints what a note or an error tells in one sentence
        warnings.filterwarnings("ignore", "Pydantic serializer warnings")  # of an answer in another form, which is read all the same
        refuse_redirects()
        spare_loopback()
        if not is_checked():
            os.environ["SSL_VERIFY"] = "false"  # the only spelling that it knows
        litellm.ssl_verify = bundle() or True
        self._litellm = litellm
        self._optional_params = get_optional_params
        self._internal = OWN_ARGUMENTS.union(all_litellm_params)
        if simulator is not None:
            litellm.custom_provider_map = [{"provider": "sim", "custom_handler": _handler(litellm, simulator)}]

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        arguments_of(model)
        try:
            sent = self.translated(model, sampling)
        except Exception as error:
            if getattr(error, "status_code", None) is None and "Unsupported" not in type(error).__name__:
                raise
            text = _message(redact(str(error), self._secrets).splitlines()[0])
            raise UsageProblem(
                f"the model {model.name!r} does not take these sampling parameters: {text}; "
                f"change 'sampling' in the experiment, or under this model alone"
            ) from None
        thinking = sent.get("thinking")
        budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
        if budget and model.provider == "anthropic" and budget >= (limit := sent.get("max_tokens") or budget + 1):
            raise UsageProblem(
                f"the model {model.name!r} would think for up to {budget:,} tokens, and max_tokens is {limit:,}; set it higher"
            )
        beside = {name: value for name, value in as_sent(sampling).items() if name in CONNECTION}
        return given({**sent, "stream": None, **beside})

    def translated(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as LiteLLM sends them to this provider."""
        try:
            name, provider, *_ = self._litellm.get_llm_provider(model.litellm_name, api_base=model.api_base)
        except self._litellm.BadRequestError:
            hint = did_you_mean(model.provider, provider_names())
            raise UsageProblem(f"LiteLLM knows no provider {model.provider!r}, as {model.name!r} names it; {hint}".rstrip("; ")) from None
        asked = self._parameters(model, sampling)
        sent = self._optional_params(model=name, custom_llm_provider=provider, drop_params=False, **asked)
        if provider == "anthropic" and "max_tokens" not in sent:  # which it does not do without
            sent["max_tokens"] = self._litellm.AnthropicConfig.get_max_tokens_for_model(name)
        if "response_format" in sent and self._is_completion(model):
            raise UsageProblem(f"the model {model.name!r} completes one text and takes no response_format; leave it out")
        if self._is_responses(name, provider):
            sent = self._as_responses(name, sent)
        return {key: value for key, value in {**sent, **(sent.get("extra_body") or {})}.items() if key not in INTERNAL}

    def _is_responses(self, name: str, provider: str) -> bool:
        """Whether LiteLLM asks a model over the Responses API."""
        return provider in ("openai", "azure") and bool(self._litellm.model_cost.get(name, {}).get("mode") == "responses")

    def _as_responses(self, name: str, sent: dict[str, Any]) -> dict[str, Any]:
        """The same for a model of the Responses API, which lacks some of them."""
        from litellm.completion_extras.litellm_responses_transformation.transformation import LiteLLMResponsesTransformationHandler

        body = LiteLLMResponsesTransformationHandler().transform_request(
            model=name, messages=[{"role": "user", "content": ""}], optional_params=dict(sent), litellm_params={}, headers={},
            litellm_logging_obj=SimpleNamespace(),
        )  # fmt: skip
        return {key: value for key, value in body.items() if key not in ("model", "input", "client", "litellm_logging_obj")}

    def _parameters(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """Sampling parameters as arguments of LiteLLM's functions: `params` as a body of its own, where the provider takes one."""
        params = sampling.get("params")
        if not params:
            return in_body(sampling)
        takes_body = model.provider in BODIES or model.provider in self._litellm.openai_compatible_providers
        if not takes_body and (odd := sorted(name for name in params if name in self._internal or PREFIXED.match(name))):
            raise UsageProblem(f"params of {model.name!r} cannot hold {', '.join(odd)}: LiteLLM would take it for its own, and not send it")
        return {**in_body(sampling), **({"extra_body": params} if takes_body else {**params, "allowed_openai_params": sorted(params)})}

    async def send(self, call: Call) -> Reply:
        model = self._models[call.model]
        messages = messages_of(call)
        if len(messages) > 1 and self._is_completion(model):
            raise WireError("request", f"the model {model.name!r} completes one text and takes no chat; add chat_template to the model")
        _TAP.set(tap := _Tap())
        is_responses = self._is_responses(model.litellm_name.partition("/")[2], model.provider)
        if unlogged := model.provider if is_responses else UNLOGGED.get(model.provider):
            self._listen(unlogged)
        response, failure = None, None
        try:
            response = await self._asked(
                model, "acompletion", model.timeout_s, model=model.litellm_name, messages=messages, logger_fn=tap,
                **self._parameters(model, call.sampling),
            )  # fmt: skip
        except WireError as error:
            failure = error
        raw = tap.body()
        served = getattr(response, "model", None)
        is_fault = failure is None or failure.status in (None, 500)  # which LiteLLM says of its own faults, too
        if isinstance(raw, dict) and ("choices" in raw or (is_fault and raw.get("error"))):
            try:
                facts = None if isinstance(raw.get("usage"), dict) else response  # LiteLLM reads names that it does not know as 0
                return self._completion(raw, served or raw.get("model"), facts, _headers(response))
            except UNREADABLE:
                failure = failure or WireError("server", "the answer is no chat completion", 200)
        if failure is not None or response is None or not response.choices:
            raise failure or WireError("server", "the answer is no chat completion", 200)
        choice = response.choices[0]
        fields = getattr(choice, "provider_specific_fields", None) or {}
        ended = native_finish(raw)
        message = choice.message
        said = Said(
            str(getattr(message, "content", None) or ""),
            (fields.get("native_finish_reason") or choice.finish_reason) if ended is None else ended,
            getattr(message, "reasoning_content", None),
            native_refusal(raw),
        )
        if isinstance(raw, dict) and raw.get("object") == "response":  # LiteLLM repeats the name that was asked
            served = raw.get("model") or served
        own_id = raw.get("id") if isinstance(raw, dict) else None  # a library may make up another one
        is_message = isinstance(raw, dict) and raw.get("type") == "message" and "usage" in raw
        facts = {"usage": raw["usage"]} if is_message else response  # where LiteLLM adds a guess at the tokens of thoughts
        return read_answer(facts, said, served, self._secrets, _headers(response), own_id)

    def _is_completion(self, model: Model) -> bool:
        """Whether a model completes one text: LiteLLM would send it each message as a prompt of its own."""
        name, provider, *_ = self._litellm.get_llm_provider(model.litellm_name, api_base=model.api_base)
        return str(provider).startswith("text-completion") or bool(self._litellm.model_cost.get(name, {}).get("mode") == "completion")

    def _listen(self, provider: str) -> None:
        """Let the tap receive what LiteLLM does not hand to `logger_fn`: its client, which it keeps for each event loop, gets a hook."""
        from litellm.llms.custom_httpx.http_handler import get_async_httpx_client

        client = get_async_httpx_client(self._litellm.LlmProviders(provider), params={"ssl_verify": None}).client
        hooks = client.event_hooks
        if _hook not in hooks["response"]:
            client.event_hooks = {**hooks, "response": [*hooks["response"], _hook]}

    async def _asked(self, model: Model, function: str, timeout_s: float, /, **arguments: Any) -> Any:  # noqa: ANN401 (a litellm type)
        """What a function of LiteLLM's returns, called once with the model's address and key; WireError for whatever it raises."""
        SENDING.set(sending := Sending())
        check(asked_at(model))
        if model.provider in DIRECT:
            key_of(model)  # without one LiteLLM sends a request that can only be refused
        try:
            once = {} if model.provider == "huggingface" else {"max_retries": 0}  # which LiteLLM would put into the body there
            to = {"api_base": model.api_base, "api_key": own_key(model), "timeout": timeout_s, **once, **arguments_of(model)}
            async with asyncio.timeout(timeout_s):
                return await getattr(self._litellm, function)(**arguments, **to)
        except TimeoutError:
            raise late(timeout_s) from None
        except Exception as error:  # litellm raises the classes of many libraries
            if isinstance(tap := arguments.get("logger_fn"), _Tap):
                tap.failed(error)
            failure = self._classified(error)
            if failure.boundary == "auth" and failure.status is not None and not sending.n_requests and not model.simulated:
                variable = key_variable(model)  # LiteLLM, which gives its own refusals a status, has asked nobody
                if variable and not os.environ.get(variable):
                    failure = no_key(model, variable)
                else:
                    failure = WireError("auth", f"LiteLLM lacks credentials for {model.name!r} and sent nothing ({failure.message})")
            raise failure from None

    def _classified(self, error: Exception) -> WireError:
        if isinstance(error, WireError):
            return error
        for cause in _causes(error):
            if isinstance(cause, WireError):  # wrapped by LiteLLM
                return WireError(cause.boundary, safe(cause.message, self._secrets), cause.status)
            if isinstance(cause, UnicodeEncodeError) and cause.encoding == "ascii" and (sending := SENDING.get()) and sending.n_requests:
                header = inert(safe(str(cause.object), self._secrets))[:LONGEST_HEADER]
                return WireError("protocol", f"a header of the answer is not ASCII: {header!r}")
            if isinstance(cause, ImportError):
                top = (cause.name or "").partition(".")[0]
                package = PACKAGES.get(cause.name or "") or PACKAGES.get(top, top)
                found = "it is not installed" if isinstance(cause, ModuleNotFoundError) else "the installed version does not fit"
                return WireError("setup", f"LiteLLM needs the package {package!r} for this model, and {found}: {install(package)}")
            kind = type(cause)
            if ("Credentials" in kind.__name__ or "ProfileNot" in kind.__name__) and (to_do := NO_CREDENTIALS.get(kind.__module__[:6])):
                said = safe(str(cause), self._secrets).partition(". ")[0].rstrip(".")
                return WireError("auth", f"no credentials were found ({said}); {to_do}")
            is_of_client = type(cause).__module__.partition(".")[0] in ("aiohttp", "httpx") and "Status" not in type(cause).__name__
            if is_of_client or (isinstance(cause, OSError) and not isinstance(cause, TimeoutError)):
                return self._unheard(cause)
        status = getattr(error, "status_code", None)
        status = status if isinstance(status, int) else None
        chain = [str(error)[:READ_LIMIT]]
        headers: Mapping[str, str] = {}
        for cause in _causes(error):  # what a provider says may stand in the inner error alone
            chain.append(f"{getattr(cause, 'code', '')} {str(getattr(cause, 'body', ''))[:READ_LIMIT]}")
            headers = (
                headers
                or getattr(cause, "litellm_response_headers", None)
                or getattr(getattr(cause, "response", None), "headers", None)
                or {}
            )
            if type(cause).__name__ == "HTTPStatusError":  # LiteLLM says 500 for an overload, and 503 for a failure
                status = getattr(getattr(cause, "response", None), "status_code", status)
        said = " ".join(chain)
        return self._error(status, said, _message(str(error)), headers, type(error).__name__)


def _headers(response: Any) -> dict[str, Any]:  # noqa: ANN401 (a litellm type)
    """The provider's headers, as LiteLLM keeps them."""
    headers = (getattr(response, "_hidden_params", None) or {}).get("additional_headers") or {}
    return {str(name).removeprefix(PROVIDERS).lower(): value for name, value in headers.items() if str(name).startswith(PROVIDERS)}


def provider_names() -> list[str]:
    """Every provider that LiteLLM knows."""
    return [str(getattr(name, "value", name)) for name in _loaded().provider_list]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it: LiteLLM wraps the errors of many libraries, and says less than they do."""
    cause: BaseException | None = error
    for _ in range(DEEPEST):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _message(text: str) -> str:
    """What the provider itself says in LiteLLM's wording of an error."""
    start, end = text.find("{"), text.rfind("}") + 1
    with contextlib.suppress(ValueError, RecursionError):
        if message := read_message(json.JSONDecoder().raw_decode(text, start)[0]):
            return message
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):  # as Python writes it
        if message := read_message(ast.literal_eval(text[start : min(end, READ_LIMIT)])):
            return message
    return PREFIXES.sub("", text).partition(" To drop ")[0]


class _Tap:
    """Keeps what a provider really sent. LiteLLM reads unknown finish reasons as `stop`, and forms that it does not know as errors."""

    def __init__(self) -> None:
        self._text: str | None = None

    def __call__(self, details: Mapping[str, Any]) -> None:
        """LiteLLM's `logger_fn`: called before a request, with the response, and with what LiteLLM says where it cannot read that."""
        if details.get("log_event_type") == "post_api_call" and isinstance(text := details.get("original_response"), str):
            self._text = self._text or text

    def failed(self, error: Exception) -> None:
        """Take the response from an error that quotes it."""
        for cause in _causes(error) if self._text is None else ():
            if found := RECEIVED.search(str(cause)):
                with contextlib.suppress(ValueError, SyntaxError):
                    self._text = str(ast.literal_eval(found[1]))

    async def hook(self, response: Any) -> None:  # noqa: ANN401 (httpx)
        """Keep a response of httpx."""
        await response.aread()
        self._text = response.text

    def body(self) -> Any:  # noqa: ANN401 (whatever a provider sends)
        """The JSON of the response; None where it is not known, or is not one."""
        try:
            return body_of(self._text.encode("utf-8", "surrogatepass")) if self._text else None
        except UNREADABLE:
            return None


_TAP: ContextVar[_Tap | None] = ContextVar("tap", default=None)


async def _hook(response: Any) -> None:  # noqa: ANN401 (httpx)
    if (tap := _TAP.get()) is not None:
        await tap.hook(response)


def _loaded() -> Any:  # noqa: ANN401 (a module)
    """LiteLLM, imported so that it reads no `.env`, fetches nothing, and reads no variable that would change a request unseen."""
    if (names := ignored()) and "litellm" in sys.modules and os.environ.get("LITELLM_MODE") != "PRODUCTION":
        raise UsageProblem(f"litellm was imported with {', '.join(names)} set, which changes requests; unset it and start again")
    for name in names:
        del os.environ[name]
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    import litellm

    return litellm


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
