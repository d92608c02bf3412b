"""Keys in what a server sends back are redacted, in whatever form it writes them and in whatever field."""

from __future__ import annotations

import base64
import json
import textwrap
from urllib.parse import quote

import pytest

from promptlab.nouns.redact import redact_known
from promptlab.running.gateway.answers import Said
from promptlab.running.gateway.wire import read_answer
from promptlab.sources.spec.models import ModelEntry

SECRET = "sk-Abc9_def/ghi+JKL012mnopQRS345"


def written(secret: str) -> dict[str, str]:
    """A key in the forms in which a server could send it back."""
    data = secret.encode()
    forms = {
        "plain": secret,
        "reversed": secret[::-1],
        "hex": data.hex(),
        "HEX": data.hex().upper(),
        "hex bytes": " ".join(f"{byte:02x}" for byte in data),
        "hex with colons": data.hex(":"),
        "hex with 0x": ", ".join(f"0x{byte:02x}" for byte in data),
        "HTML": "".join(f"&#{byte};" for byte in data),
        "codes": " ".join(map(str, data)),
        "capitals": secret.upper(),
        "base32": base64.b32encode(data).decode(),
        "base64 of base64": base64.b64encode(base64.b64encode(data)).decode(),
        "base64 of UTF-16": base64.b64encode(secret.encode("utf-16-le")).decode(),
        "base64 in lines": "\n".join(textwrap.wrap(base64.b64encode(data).decode(), 10)),
        "accents": "".join(f"{letter}\u0301" for letter in secret),
        "url": quote(secret, safe=""),
        "percent": "".join(f"%{byte:02X}" for byte in data),
        "spaces": " ".join(secret),
        "lines": "\n".join(secret),
        "halves": f"{secret[:10]} {secret[10:]}",
        "zero width": "\u200b".join(secret),
        "dashes": "-".join(secret),
        "json list": json.dumps(list(secret)),
    }
    for before in ("", "a", "ab", "abc"):
        forms[f"base64 behind {before!r}"] = base64.b64encode(before.encode() + data).decode()
        forms[f"url-safe base64 behind {before!r}"] = base64.urlsafe_b64encode(before.encode() + data).decode()
    return forms


@pytest.mark.parametrize("form", written(SECRET))
def test_a_key_is_redacted_in_every_form(form: str) -> None:
    shown = redact_known(f"model {written(SECRET)[form]} end", (SECRET,))
    assert "[redacted]" in shown, shown
    kept = "".join(c for c in shown.replace("[redacted]", "") if c.isalnum())
    assert "Abc9def" not in kept
    assert SECRET.encode().hex()[8:24] not in kept.lower()
    assert base64.b64encode(SECRET.encode()).decode()[8:20] not in shown
    assert shown.startswith("model ")
    assert shown.endswith(" end")


def test_text_without_a_key_stays_as_it_is() -> None:
    text = "An answer with sk- and Abc9, 73 6b, %73 and base64 QWJjZGVm. " * 20
    assert redact_known(text, (SECRET,)) == text


def test_every_field_that_a_server_controls_is_redacted() -> None:
    coded = base64.b64encode(SECRET.encode()).decode()
    response = {
        "choices": [
            {
                "message": {"content": SECRET},
                "logprobs": {"content": [{"top_logprobs": [{"token": SECRET, "logprob": -0.1}, {"token": coded, "logprob": -2.0}]}]},
            }
        ],
        "system_fingerprint": f"fp-{SECRET}",
        "usage": {"prompt_tokens": 40, "completion_tokens": 30, "total_tokens": 70},
    }
    reply = read_answer(response, Said(f"yes {coded}", f"odd {SECRET}", f"thought {SECRET}"), f"model-{coded}", (SECRET,))
    assert SECRET not in repr(reply)
    assert coded[4:-4] not in repr(reply)
    assert reply.text == "yes [redacted]" or reply.text.startswith("yes [redacted]")


@pytest.mark.parametrize(
    "address",
    [
        "https://x.example/v1?api_key=sk-abcdefghijkl",
        "https://x.example/v1?api-version=1",
        "https://x.example/v1#key",
        "https://user@x.example/v1",
        "https://user:pass@x.example/v1",
        "https://x.example/sk-abcdefghijklmnop/v1",
    ],
)
def test_an_address_holds_no_secret(address: str) -> None:
    with pytest.raises(ValueError, match="must not hold"):
        ModelEntry.model_validate({"model": "openai/m", "api_base": address})
    assert ModelEntry.model_validate({"model": "openai/m", "api_base": "https://x.example/v1/"}).api_base == "https://x.example/v1"
