"""The wire for every provider, over LiteLLM.

LiteLLM's own retries are off (they multiply with the provider's, and one is tried even on a 400) and its `timeout` is no
deadline (a server that drips one byte a second held a call for minutes), so both are done here and in the gateway.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.nouns import Call, Model, Reply, UsageProblem, redact
from promptlab.running.gateway.providers import own_key
from promptlab.running.gateway.wire import READ_LIMIT, SimulatedError, Simulator, Wire, WireError, given, late, read_answer


class LiteLLMWire(Wire):
    """Sends one call at a time; imported litellm is kept here so that nothing else loads it."""

    def __init__(self, models: Sequence[Model], secrets: tuple[str, ...], simulator: Simulator | None = None) -> None:
        super().__init__(models, secrets)
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm
        from litellm.utils import get_optional_params

        litellm.suppress_debug_info = True  # else an error banner goes to stdout, into the middle of --json
        litellm.drop_params = False  # dropping a parameter in silence changes the experiment
        litellm.cache = None
        self._litellm = litellm
        self._optional_params = get_optional_params
        if simulator is not None:
            litellm.custom_provider_map = [{"provider": "sim", "custom_handler": _handler(litellm, simulator)}]

    def effective(self, model: Model, sampling: Mapping[str, Any]) -> dict[str, Any]:
        name, provider, *_ = self._litellm.get_llm_provider(model.litellm_name, api_base=model.api_base)
        try:
            sent = self._optional_params(model=name, custom_llm_provider=provider, drop_params=False, **sampling)
        except Exception as error:
            if getattr(error, "status_code", None) is None and "Unsupported" not in type(error).__name__:
                raise
            text = redact(str(error), self._secrets).splitlines()[0]
            raise UsageProblem(
                f"the model {model.name!r} does not take these sampling parameters: {text}; "
                f"change 'sampling' in the experiment, or under this model alone"
            ) from None
        return given({**sent, "stream": None})

    async def send(self, call: Call) -> Reply:
        model = self._models[call.model]
        messages = [dict(message) for message in call.messages]
        response = await self._asked(
            model, "acompletion", model.timeout_s, model=model.litellm_name, messages=messages, num_retries=0, **call.sampling
        )
        choice = response.choices[0] if response.choices else None
        text = str(getattr(choice.message, "content", None) or "") if choice else ""
        return read_answer(response, text, getattr(choice, "finish_reason", None), getattr(response, "model", None), self._secrets)

    async def _asked(self, model: Model, function: str, timeout_s: float, /, **arguments: Any) -> Any:  # noqa: ANN401 (a litellm type)
        """What a function of LiteLLM's returns, asked once with the model's address and key; WireError for whatever it raises."""
        try:
            to = {"api_base": model.api_base, "api_key": own_key(model), "timeout": timeout_s, "max_retries": 0}
            async with asyncio.timeout(timeout_s):
                return await getattr(self._litellm, function)(**arguments, **to)
        except TimeoutError:
            raise late(timeout_s) from None
        except Exception as error:  # litellm raises the classes of many libraries
            raise self._classified(error) from None

    def _classified(self, error: Exception) -> WireError:
        if isinstance(error, WireError):
            return error
        status = getattr(error, "status_code", None)
        said = f"{str(error)[:READ_LIMIT]} {getattr(error, 'code', '')} {str(getattr(error, 'body', ''))[:READ_LIMIT]}"
        headers = getattr(error, "litellm_response_headers", None) or getattr(getattr(error, "response", None), "headers", None) or {}
        return self._error(status, said, str(error), headers, type(error).__name__)


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
