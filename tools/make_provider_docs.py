"""Write docs/reference/providers.md: the forms of usage that are read, as the cases of tests/test_ledger.py hold them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
HEAD = """# Providers: what they report, and how it is read

`tools/make_provider_docs.py` writes this page from the cases of `tests/test_ledger.py`, which hold for both wires and for batches.
Input includes cached and written tokens, output includes reasoning, whatever the provider includes.
USD: at 10 for input, 1 for cached, 12.50 for written and 30 for output, each per million tokens.

| form | usage as sent | input | output | reasoning | cached | written | USD |
|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    from test_ledger import FORMS

    rows = []
    for name, (usage, tokens, usd) in FORMS.items():
        counts = " | ".join("-" if n is None else f"{n:,}" for n in tokens)
        rows.append(f"| {name} | `{json.dumps(usage)}` | {counts} | {usd:.5f} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "reference" / "providers.md").write_text(page(), encoding="utf-8")
