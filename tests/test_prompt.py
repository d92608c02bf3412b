"""The noun that a model is sent: variables are replaced once, and what replaces them is data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.nouns.item import Prompt, fill, variables

CHAT = Prompt("expert", ({"role": "system", "content": "You sort {kind}."}, {"role": "user", "content": "{text}\nOne of: {labels}"}))


def test_a_chat_names_its_variables_and_fills_them_once() -> None:
    assert CHAT.variables == ["kind", "text", "labels"]
    filled = CHAT.filler("text", {"kind": "tickets", "labels": "a, b"})("{labels} {{kind}}")
    assert [message["role"] for message in filled] == ["system", "user"]
    assert [message["content"] for message in filled] == ["You sort tickets.", "{labels} {{kind}}\nOne of: a, b"]
    assert CHAT.canonical()[1] == {"role": "user", "content": "{text}\nOne of: {labels}"}
    with pytest.raises(KeyError, match="labels"):
        CHAT.filler("text", {"kind": "x"})


@given(st.text(), st.text())
def test_values_are_sent_byte_for_byte(text: str, label: str) -> None:
    assert fill("<{text}|{labels}>", {"text": text, "labels": label}) == f"<{text}|{label}>"
    assert variables("{a}{b} {a} {{c}} { d} {E}") == ["a", "b", "a", "c"]
