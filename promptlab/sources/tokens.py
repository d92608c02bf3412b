"""Tokens of a text, by a tokenizer that is installed: nothing is downloaded."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from promptlab.nouns import PACKAGE
from promptlab.nouns.identity import digest_of_text

DEFAULT = "cl100k_base"
"""The encoding for models whose own tokenizer is not at hand."""
CHARS_A_TOKEN = 4.5


def encoding_name(litellm_names: list[str]) -> str:
    """The encoding that all models share; the default where they differ, or where one is not known."""
    import tiktoken

    found = set()
    for name in litellm_names:
        try:
            found.add(tiktoken.encoding_name_for_model(name.rpartition("/")[2]))
        except KeyError:
            found.add(DEFAULT)
    return found.pop() if len(found) == 1 else DEFAULT


def n_tokens(text: str, encoding: str = DEFAULT) -> int:
    """The length of a text in tokens; an estimate from its characters where the installation holds no tokenizer, or its tokenizer
    does not take the text, such as half a million blanks. Shipped sentences are counted already: loading a tokenizer takes longer than
    all else about a small experiment.
    """
    known = counted().get(encoding, {}).get(key_of(text))
    if known is not None:
        return known
    with contextlib.suppress(ValueError):
        if tokenizer := tokenizer_of(encoding):
            return len(tokenizer.encode(text, disallowed_special=()))
    return max(1, round(len(text) / CHARS_A_TOKEN))


@cache
def counted() -> Mapping[str, Mapping[str, int]]:
    """Tokens of the shipped sentences, by encoding and `key_of` the sentence (`tools/make_token_counts.py`)."""
    found: dict[str, dict[str, int]] = json.loads((PACKAGE / "data" / "tokens.json").read_text(encoding="utf-8"))
    return found


def key_of(text: str) -> str:
    """What names a text in the counts: the first half of its SHA-256."""
    return digest_of_text(text)[:32]


def litellm_folder() -> Path:
    """Where LiteLLM is installed, which is not imported for it; a folder that does not exist where it is not."""
    spec = importlib.util.find_spec("litellm")
    return Path(spec.origin).parent if spec and spec.origin else Path("no litellm")


@cache
def tokenizer_of(encoding: str) -> Any:  # noqa: ANN401 (a tiktoken type)
    """The tokenizer from the files inside the installed LiteLLM, which is not imported for it."""
    import hashlib

    import tiktoken

    folder = litellm_folder() / "litellm_core_utils" / "tokenizers"
    address = f"https://openaipublic.blob.core.windows.net/encodings/{encoding}.tiktoken"
    if not (folder / hashlib.sha1(address.encode()).hexdigest()).exists():  # noqa: S324 (the name that tiktoken gives its files)
        return None  # tiktoken would download it
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    try:
        return tiktoken.get_encoding(encoding)
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before
