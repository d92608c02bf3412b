"""What a provider says a request took, in every form that is known, and its price in USD.

Sources: the API references of OpenAI, Anthropic, Google, DeepSeek, xAI, OpenRouter and Perplexity, and LiteLLM's readings of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from promptlab.nouns import Call, Price, Reply

COST_HEADER = "x-litellm-response-cost"
"""What a LiteLLM proxy says a request cost, in USD."""
MOST_TOKENS = 10**7
"""No request takes as many; a usage beyond is not one."""
MOST_USD = 10**6
"""No request costs as much."""
CHARS_OF_ONE_TOKEN, CHARS_A_TOKEN = 64, 256
"""No text of one token is longer, and no text has more characters for each further token; a usage that says so is not one."""
LEAST_SHARE = 0.05
"""A provider's own price below this share of the known one is not believed: caches and batches save less."""


class Booked(NamedTuple):
    """A reply with the usage that can be believed, its price in USD (None: unknown), the fee in it, and what is wrong with the usage."""

    reply: Reply
    cost_usd: float | None
    fee_usd: float | None
    doubt: str | None


PLAIN = {"prompt_tokens", "completion_tokens", "total_tokens"}
"""The fields of a usage without details."""
FIELDS = (
    *PLAIN, "input_tokens", "promptTokenCount", "output_tokens", "candidatesTokenCount", "prompt_tokens_details", "input_tokens_details",
    "prompt_cache_hit_tokens", "cache_read_input_tokens", "cachedContentTokenCount", "cache_creation_input_tokens",
    "completion_tokens_details", "output_tokens_details", "reasoning_tokens", "thoughtsTokenCount", "totalTokenCount", "cost", "is_byok",
    "cost_details",
)  # fmt: skip
"""All that is read of a usage."""


def field_of(value: Any, name: str, *more: str) -> Any:  # noqa: ANN401 (a library's type, or a provider's dictionary)
    """A field of a field, by name; None where there is none."""
    found = value.get(name) if isinstance(value, dict) else None if value is None else getattr(value, name, None)
    return field_of(found, *more) if more else found


def read_usage(usage: Any, header: object = None) -> dict[str, Any]:  # noqa: ANN401
    """The fields of a Reply that a usage says, by name. `header` is the value of COST_HEADER.

    Input tokens include cached and written ones, and output tokens the reasoning, whatever the provider includes.
    """
    if header is None and type(usage) is dict and usage.keys() == PLAIN:  # what most servers of the user's own say
        n_input, n_output = usage["prompt_tokens"], usage["completion_tokens"]
        if type(n_input) is type(n_output) is int and n_input + n_output == usage["total_tokens"]:
            return {"input_tokens": count(n_input), "output_tokens": count(n_output)}
    is_own = isinstance(usage, dict)  # and not a library's reading of it
    if not is_own:
        usage = {name: value for name in FIELDS if (value := getattr(usage, name, None)) is not None}
    n_input = count(_first(usage, "prompt_tokens", "input_tokens", "promptTokenCount"))
    n_output = _first(usage, "completion_tokens", "output_tokens", "candidatesTokenCount")
    cached = written = reasoning = None
    if not usage.keys() <= PLAIN:
        details = [usage[name] for name in ("prompt_tokens_details", "input_tokens_details") if name in usage]
        cached = _most(
            *(field_of(one, "cached_tokens") for one in details),  # OpenAI, and LiteLLM for Gemini
            *(usage.get(name) for name in ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cachedContentTokenCount")),
        )
        written = _most(  # Anthropic, OpenRouter
            usage.get("cache_creation_input_tokens"),
            *(field_of(one, name) for one in details for name in ("cache_creation_tokens", "cache_write_tokens")),
        )
        reasoning = _most(
            *(field_of(usage, name, "reasoning_tokens") for name in ("completion_tokens_details", "output_tokens_details")),
            *(usage.get(name) for name in ("reasoning_tokens", "thoughtsTokenCount")),
        )
    total = count(_first(usage, "total_tokens", "totalTokenCount"))
    if n_output is None and total is not None and total >= (n_input or total):
        n_output = total - (n_input or total)
    n_output = count(n_output)
    if n_input is not None and n_output is not None:
        aside = (cached or 0) + (written or 0)
        if aside and (aside > n_input or total == n_input + aside + n_output or (is_own and _is_anthropic(usage))):
            n_input += aside
        if total is not None and total > n_input + n_output:
            n_output = total - n_input  # xAI and Gemini count reasoning in the sum alone
        elif reasoning is not None and reasoning > n_output:
            n_output += reasoning
    return {
        "input_tokens": n_input,
        "output_tokens": n_output,
        "reasoning_tokens": reasoning,
        "cached_input_tokens": cached,
        "written_input_tokens": written,
        "reported_cost_usd": _reported(usage, header),
    }


def counted(said: Reply) -> Reply:
    """The reply itself, with None for what is no count of tokens and no amount, and for a usage that is filled with zeros."""
    n_input, n_output = count(said.input_tokens), count(said.output_tokens)
    known = n_input is not None and n_output is not None and (n_output > 0 or (n_input > 0 and not said.text))
    said.input_tokens, said.output_tokens = (n_input, n_output) if known else (None, None)
    for name in ("reasoning_tokens", "cached_input_tokens", "written_input_tokens"):
        if (value := getattr(said, name)) is not None:
            setattr(said, name, count(value))
    if said.reported_cost_usd is not None:
        said.reported_cost_usd = amount(said.reported_cost_usd)
    return said


def booked(reply: Reply, call: Call, price: Price | None) -> Booked:
    """What a reply cost: as the provider reports it, else by its tokens. An impossible usage is unknown, and counts as the most."""
    n_input, n_output = reply.input_tokens, reply.output_tokens
    doubt = None if n_input is not None or not reply.text else "it reports no usage, or none that can be"
    if n_input is not None and n_output is not None:
        n_sent, n_answered = sum([len(message["content"]) for message in call.messages]), len(reply.text) + len(reply.reasoning or "")
        if n_sent > _most_chars(n_input):
            doubt = f"it reports {n_input:,} tokens for {n_sent:,} characters sent"
        if n_answered > _most_chars(n_output):
            doubt = f"it reports {n_output:,} tokens for {n_answered:,} characters answered"
        if doubt:
            return Booked(replace(reply, input_tokens=None, output_tokens=None), None, None, doubt)
    cost = None
    if price is not None and n_input is not None and n_output is not None:
        n_cached, n_written = reply.cached_input_tokens or 0, reply.written_input_tokens or 0
        cost = price.cost(n_input, n_output, n_cached, n_written, reply.reasoning_tokens or 0)
    fee = price.request_usd if price is not None and cost is not None and price.request_usd else None
    reported = reply.reported_cost_usd
    if reported is None:
        return Booked(reply, cost, fee, doubt)
    if cost is not None and reported < LEAST_SHARE * cost:
        return Booked(reply, cost, fee, f"it reports a price of ${reported:.6g} for an answer of ${cost:.6g}")
    return Booked(reply, reported, None, None)


def _most_chars(n_tokens: int) -> int:
    """The most characters of a text of so many tokens."""
    return max(0, CHARS_OF_ONE_TOKEN + (n_tokens - 1) * CHARS_A_TOKEN)


def count(value: object) -> int | None:
    """A number of tokens, which some servers write with a decimal point; None for whatever is not one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < MOST_TOKENS else None


def amount(value: object) -> float | None:
    """An amount in USD; None for whatever is not one."""
    return float(value) if type(value) in (int, float) and 0 <= value < MOST_USD else None  # type: ignore[operator, arg-type]  # NaN is in no range


def _first(usage: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401
    for name in names:
        if (value := usage.get(name)) is not None:
            return value
    return None


def _most(*values: object) -> int | None:
    return max((n for value in values if (n := count(value)) is not None), default=None)


def _is_anthropic(usage: Mapping[str, Any]) -> bool:
    """Whether the input leaves cached tokens out, as in Anthropic's own usage."""
    own = usage.get("input_tokens") is not None and usage.get("prompt_tokens") is None
    return own and any(usage.get(name) is not None for name in ("cache_read_input_tokens", "cache_creation_input_tokens"))


def _reported(usage: Mapping[str, Any], header: object) -> float | None:
    """What the provider says the request cost: in the usage (OpenRouter, Perplexity), or in a proxy's header."""
    cost = usage.get("cost")
    said = amount(field_of(cost, "total_cost") if isinstance(cost, Mapping) else cost)
    if said is not None and usage.get("is_byok"):
        said += amount(field_of(usage, "cost_details", "upstream_inference_cost")) or 0.0  # paid with a key of the user's own
    if said is None and isinstance(header, str):
        try:
            said = amount(float(header))
        except ValueError:
            said = None
    return said
