"""Keys and trial ids are written quickly, and are the same digests as ever: an answer that was paid for is found again."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptlab.nouns.call import Call
from promptlab.nouns.identity import KEY_VERSION, digest, digest_of_text, plain_json

TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # half a surrogate pair among them
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
SAMPLING = st.dictionaries(TEXT, st.none() | st.integers() | st.floats(allow_nan=False) | TEXT, max_size=4)
MESSAGE = st.fixed_dictionaries({"role": TEXT, "content": TEXT})


@given(PLAIN)
def test_plain_json_is_the_canonical_json(value: Any) -> None:
    assert plain_json(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest_of_text(plain_json(value)) == digest(value)


@given(TEXT, st.lists(MESSAGE, max_size=3), SAMPLING, st.integers(0, 10**6), st.none() | TEXT, TEXT)
def test_a_key_is_the_digest_of_the_request(
    model: str, messages: list[dict[str, str]], sampling: dict[str, Any], draw: int, api_base: str | None, other: str
) -> None:
    call = Call(model, tuple(messages), sampling, draw, api_base)
    request = {"version": KEY_VERSION, "api_base": api_base, "messages": messages, "sampling": sampling, "draw": draw}
    assert call.key == digest({**request, "model": model})
    assert call.key_as(other) == digest({**request, "model": other})


def test_a_key_of_the_first_version_stays() -> None:
    call = Call("openai/gpt-4o-mini", ({"role": "user", "content": 'Say "né"\n'},), {"temperature": 0.0, "max_tokens": 64, "seed": 7}, 1)
    assert call.key == "2a064cd581ae6e276036531114e02265e0fb2d59bfb3352230a047d1567659f4"
