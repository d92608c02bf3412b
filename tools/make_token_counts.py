"""Counts the tokens of the shipped sentences into promptlab/data/tokens.json, by every encoding that the installation holds.

python tools/make_token_counts.py
"""

from __future__ import annotations

import json

from promptlab.nouns import PACKAGE
from promptlab.sources.spec.libraries import all_stimuli
from promptlab.sources.tokens import key_of, tokenizer_of

ENCODINGS = ("cl100k_base", "o200k_base")


def counts() -> dict[str, dict[str, int]]:
    """By encoding and key of the sentence: how many tokens it has."""
    texts = sorted({stimulus.text for stimulus in all_stimuli().values()}, key=key_of)
    return {name: {key_of(text): len(tokenizer_of(name).encode(text, disallowed_special=())) for text in texts} for name in ENCODINGS}


if __name__ == "__main__":
    (PACKAGE / "data" / "tokens.json").write_text(json.dumps(counts(), indent=0) + "\n", encoding="utf-8")
