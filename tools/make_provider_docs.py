"""Write docs/reference/providers.md from the cases of test_interfaces.py, test_ledger.py and test_outcomes.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
HEAD = """# Providers: what they are sent and report, and how it is read

Look here for the path, the parameters, the end of an answer, an error or a usage of your provider. `tools/make_provider_docs.py` writes
this page from the cases of the tests.

## Where a request goes

The last column holds what `temperature: 0.2` and `max_tokens: 100` become in the body; a model that reasons is given `max_tokens` alone.
A provider that is not listed here has OpenAI's interface.

"""
ENDS = """
## How an answer ends

Upper and lower case, `_` and prefixes such as `FinishReason.` do not count. Any other reason makes a text `truncated`, with a note once
per model, and an `error` where there is no text. An `error` is missing, sent again, and never cached.

"""
FAILED = """
## What a failed request means

Each provider words the same failure in its own way. These are examples; the status counts as well as the words.

"""
USAGE = """
## What a usage says

Input includes cached and written tokens, output includes reasoning, whatever the provider includes. It is read alike on both wires and in
batches. USD: at 10 for input, 1 for cached, 12.50 for written and 30 for output, each per million tokens.

"""


def table(heads: str, rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    names = heads.split(", ")
    lines = [names, ["---"] * len(names), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    """A text as code, whatever it holds."""
    return f"`` {text} ``" if "`" in text else f"`{text}`" if text else ""


def then(boundary: str) -> str:
    """What promptlab does after such a failure."""
    from promptlab.running.gateway.failures import REPEATED, RETRIED, STOPS_AFTER

    if boundary == "policy":
        return "the trial is `refused`"
    n = STOPS_AFTER.get(boundary)  # type: ignore[call-overload]  # a key of the tests
    stops = f"the model stops after {n}" if n else ""
    again = "sent again" if boundary in RETRIED | REPEATED else "" if n == 1 else "not sent again"
    return "; ".join(filter(None, (again, stops)))


def page() -> str:
    """The page as Markdown."""
    from promptlab.nouns.words import _ENDS
    from test_interfaces import INTERFACES
    from test_ledger import FORMS
    from test_outcomes import FAILURES

    sent = [(name, f"`{one.model}`", f"`{one.path}`", f"`{json.dumps(one.sent)}`") for name, one in INTERFACES.items()]
    ends = [(f"`{outcome}`", " ".join(f"`{word}`" for word in words.split())) for outcome, words in _ENDS.items()]
    failed = [(status or "none", code(text), boundary, then(boundary)) for status, text, boundary in FAILURES]
    usages = [
        (name, f"`{json.dumps(usage)}`", *("-" if n is None else f"{n:,}" for n in tokens), f"{usd:.5f}")
        for name, (usage, tokens, usd) in FORMS.items()
    ]
    return (
        HEAD
        + table("provider, model, path, parameters as sent", sent)
        + ENDS
        + table("outcome, finish reasons", ends)
        + FAILED
        + table("status, the provider says, read as, then", failed)
        + USAGE
        + table("form, usage as sent, input, output, reasoning, cached, written, USD", usages)
    )


if __name__ == "__main__":
    (ROOT / "docs" / "reference" / "providers.md").write_text(page(), encoding="utf-8")
