"""Keys in what a server sends back are redacted, in whatever form it writes them and in whatever field."""

from __future__ import annotations

import base64
import binascii
import codecs
import gzip
import json
import random
import sys
import textwrap
import time
import zlib
from urllib.parse import quote

import pytest

from conftest import ROOT
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


def disguised(secret: str) -> dict[str, str]:
    """A key as a server could write it that does not want it to be seen: codes, codes of codes, ciphers, spellings, pieces."""
    data, number = secret.encode(), int.from_bytes(secret.encode())
    shifted = "".join(chr(33 + (ord(c) + 14) % 94) for c in secret)
    return {
        "base85": base64.b85encode(data).decode(),
        "ascii85": base64.a85encode(b"key" + data).decode(),
        "uuencode": binascii.b2a_uu(data).decode(),
        "binary": "".join(f"{byte:08b}" for byte in data),
        "binary words": " ".join(f"{byte:08b}" for byte in data),
        "octal": "".join(f"\\{byte:03o}" for byte in data),
        "decimal": "".join(f"{byte:03d}" for byte in data),
        "decimal lines": "\n".join(map(str, data)),
        "one number": str(number),
        "code points": " ".join(f"U+{byte:04X}" for byte in data),
        "braces": "".join(f"\\u{{{byte:x}}}" for byte in data),
        "calls": "+".join(f"chr({byte})" for byte in data),
        "rot13": codecs.encode(secret, "rot13"),
        "rot47": shifted,
        "reversed base64": base64.b64encode(data)[::-1].decode(),
        "base64 of reversed": base64.b64encode(data[::-1]).decode(),
        "reversed words": " ".join(reversed(secret)),
        "gzip": base64.b64encode(gzip.compress(data)).decode(),
        "zlib": zlib.compress(data).hex(),
        "UTF-16": secret.encode("utf-16-be").hex(),
        "UTF-32": base64.b64encode(secret.encode("utf-32")).decode(),
        "percent thrice": quote(quote("".join(f"%{byte:02X}" for byte in data), safe=""), safe=""),
        "hex of base64": base64.b64encode(data).hex(),
        "base64 thrice": base64.b64encode(base64.b64encode(base64.b64encode(data))).decode(),
        "full width": "".join(chr(ord(c) + 0xFEE0) for c in secret),
        "look-alikes": secret.translate(str.maketrans("AceoSJ", "\u0410\u0441\u0435\u043e\u0405\u0408")),
        "tag characters": "".join(chr(0xE0000 + ord(c)) for c in secret),
        "tags": "".join(f"<b>{c}</b>" for c in secret),
        "spelled": " ".join(f"{c} is next;" for c in secret),
        "numbered": json.dumps(dict(enumerate(secret))),
        "doubled": "".join(c + c for c in secret),
        "a half": secret[:18],
        "halves": f"{secret[16:]} comes after {secret[:16]}",
        "base32 of base64": base64.b32encode(b"ab" + base64.b64encode(data)).decode(),
        "base32 of base32": base64.b32hexencode(base64.b32encode(data)).decode().lower(),
        "base32 of hex": base64.b32encode(data.hex().encode()).decode().rstrip("="),
        "variation selectors between": ("\ufe0f" * 20).join(secret),
        "other variation selectors between": ("\U000e0131" * 20).join(secret),
        "variation selectors that are bytes": "x" + "".join(chr(0xE0100 + byte - 16) for byte in base64.b64encode(data)),
    }


@pytest.mark.parametrize("form", disguised(SECRET))
def test_a_disguised_key_is_redacted(form: str) -> None:
    shown = redact_known(f"model {disguised(SECRET)[form]} end", (SECRET,))
    assert "[redacted]" in shown
    assert len(shown) < 60


@pytest.mark.long
def test_what_is_no_key_stays_as_it_is() -> None:
    rng = random.Random(1)
    secrets = (SECRET, "0123456789abcdef" * 2, "hunter2hunter2")
    texts = [
        (ROOT / "README.md").read_text(encoding="utf-8"),
        (ROOT / "promptlab" / "nouns" / "redact.py").read_text(encoding="utf-8"),
        base64.b64encode(rng.randbytes(20_000)).decode(),
        rng.randbytes(20_000).hex(),
        " ".join(str(rng.randrange(10**6)) for _ in range(3000)),
    ]
    start = time.process_time()
    assert [redact_known(text, secrets) == text for text in texts] == [True] * len(texts)
    redact_known("QWxhZGRpbjpvcGVu" * 60_000, secrets)
    assert time.process_time() - start < 5


def test_what_every_answer_repeats_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    monkeypatch.setattr(sys.modules["promptlab.nouns.redact"], "hidden", lambda text, _: searched.append(text) or False)
    for _ in range(9):
        assert redact_known("a-model-2026-01-01", (SECRET,)) == "a-model-2026-01-01"
        redact_known("a longer text " * 20, (SECRET,))
    redact_known("a-model-2026-01-01", (SECRET[::-1],))
    assert [searched.count(text) for text in ("a-model-2026-01-01", "a longer text " * 20)] == [2, 9]


def test_a_key_in_pieces_over_several_fields_is_redacted() -> None:
    response = {
        "id": SECRET[10:20], "choices": [{"message": {"content": "4"}}], "system_fingerprint": SECRET[20:30],
        "usage": {"prompt_tokens": 40, "completion_tokens": 30},
    }  # fmt: skip
    reply = read_answer(response, Said("4", "stop"), f"m-{SECRET[:10]}", (SECRET,), own_id=SECRET[10:20])
    assert not [piece for piece in (SECRET[:10], SECRET[10:20], SECRET[20:30]) if piece in repr(reply)]
    tokens = [{"token": SECRET[n : n + 4], "logprob": -1.0} for n in range(0, len(SECRET), 4)]
    response["choices"] = [{"message": {"content": "x"}, "logprobs": {"content": [{"top_logprobs": tokens}]}}]
    reply = read_answer(response, Said("x", "stop"), "m", (SECRET,))
    assert {token for token, _ in reply.top_logprobs} == {"[redacted]"}
    assert reply.finish_reason == "stop"
