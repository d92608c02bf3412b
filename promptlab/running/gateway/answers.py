"""What a response with an answer says, in every form that providers send: its text, its reasoning, its end. The same for every wire.

All of it comes from outside: whatever has another form raises one of UNREADABLE.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from promptlab.nouns.words import FINISH_OUTCOMES, finish_word

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
"""What reading something that is no chat completion ends in."""
THOUGHT = re.compile(r"<(?:think|thinking|budget:thinking)>(.*?)</(?:think|thinking|budget:thinking)>", re.DOTALL)
STREAMED = (b"data:", b"event:", b": ", b"id:")
"""How a body of server-sent events begins."""
GROWING = ("content", "reasoning_content", "reasoning", "refusal")
"""What the parts of a stream add to."""


class Said(NamedTuple):
    """An answer as its provider words it, before it is judged."""

    text: str
    finish_reason: str | None
    reasoning: str | None = None
    refusal: object = None


def body_of(data: bytes) -> Any:  # noqa: ANN401 (whatever a server sends)
    """The JSON of a response; the chat completion that a stream amounts to, where a server streams without a request for it."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        if data.lstrip().startswith(STREAMED):
            return _joined(data)
        return json.loads(data)  # half a surrogate pair, a number that is none: what LiteLLM reads as well


def in_utf8(data: bytes, kind: str) -> bytes:
    """A body in UTF-8, which JSON is in, whatever charset its Content-Type declares; as it came where that cannot be read.

    Latin-1 and similar charsets are declared by default, and fit any bytes: a body that is UTF-8 all the same stays so.
    """
    for name in _charsets(kind):
        with contextlib.suppress(ValueError, LookupError):
            return data.decode(name).encode()
    return data


@lru_cache(maxsize=64)
def _charsets(kind: str) -> tuple[str, ...]:
    """The charsets of a body by its Content-Type, likeliest first; none where it declares none."""
    declared = _CHARSET.search(kind[:1000])
    if declared is None or not _OF_TEXT.match(declared[1]):
        return ()
    by_default = declared[1].lower().startswith(("iso-8859", "iso8859", "latin", "windows-125", "cp125", "us-ascii"))
    return ("utf-8", declared[1]) if by_default else (declared[1], "utf-8")


_OF_TEXT = re.compile(r"utf|iso|latin|windows-|cp\d|us-ascii|gb|big5|shift|sjis|euc|koi8", re.IGNORECASE)
"""Charsets of bodies. Python knows other codecs, some of which take the square of a body's length: a server does not choose one."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


def first_of(choices: Any) -> Any:  # noqa: ANN401
    """Of several choices the one that counts itself as the first, as in a stream, whatever its place; else the first in the list."""
    return next((each for each in choices if isinstance(each, dict) and each.get("index") == 0), choices[0])


def fault_in(answer: Any) -> Any:  # noqa: ANN401
    """The error in an answer, or in its first choice, in place of a text."""
    if not isinstance(answer, dict):
        return None
    choices = answer.get("choices")
    first = first_of(choices) if isinstance(choices, list) and choices else None
    return answer.get("error") or (first.get("error") if isinstance(first, dict) else None)


def said_in(answer: Any) -> Said:  # noqa: ANN401
    """What a chat completion, or a text completion of former times, says."""
    choices = answer.get("choices")
    if not choices:
        if blocked := _blocked(answer):
            return Said("", blocked)
        raise ValueError("no choices")
    choice = first_of(choices)
    ended = choice.get("finish_reason") or choice.get("finish_details")
    ended = ended.get("type") if isinstance(ended, dict) else ended
    ended = (choice.get("provider_specific_fields") or {}).get("native_finish_reason") or ended  # where LiteLLM wrote this
    native = choice.get("native_finish_reason")  # OpenRouter's, of the provider behind it
    if isinstance(native, str) and FINISH_OUTCOMES.get(finish_word(native), "ok") != "ok":
        ended = native
    reason = str(ended) if ended else None
    message = choice.get("message")
    if message is None:
        if not isinstance(choice["text"], str):
            raise TypeError
        return Said(choice["text"], reason)
    text, thoughts, refusal = _parts(message.get("content"))
    reasoning = message.get("reasoning_content") or message.get("reasoning") or thoughts
    if "reasoning_content" not in message and "reasoning" not in message and (thought := THOUGHT.match(text)):
        text, reasoning = text[thought.end() :], thought[1]  # as LiteLLM reads it
    return Said(text, reason, reasoning, message.get("refusal") or refusal)


def native_finish(body: Any) -> str | None:  # noqa: ANN401
    """Why an answer ended, in the words of a provider with an interface of its own; None where its body has no known form."""
    if not isinstance(body, dict):
        return None
    if blocked := _blocked(body):
        return blocked
    details = body.get("incomplete_details")
    if isinstance(details, dict) and details.get("reason"):
        return str(details["reason"])
    for holder in ("choices", "candidates", "results", "generations"):
        first = body.get(holder)
        if isinstance(first, list) and first and isinstance(first[0], dict):
            body = first[0]
            break
    names = ("stop_reason", "stopReason", "finishReason", "finish_reason", "done_reason")
    if not body.keys() & set(names):
        return str(body["status"]) if body.get("object") == "response" else None
    return next((str(body[name]) for name in names if body.get(name)), "")


def native_refusal(body: Any) -> object:  # noqa: ANN401
    """The refusal in an answer of the Responses API, which ends like any other."""
    items = body.get("output") if isinstance(body, dict) else None
    contents = [item["content"] for item in items if isinstance(item, dict) and item.get("content")] if isinstance(items, list) else []
    return next(filter(None, (_parts(content)[2] for content in contents)), None)


def _blocked(body: Mapping[str, Any]) -> str | None:
    """Why a prompt was given no answer at all."""
    feedback = body.get("promptFeedback") or body.get("prompt_feedback")
    reason = feedback and (feedback.get("blockReason") or feedback.get("block_reason"))
    return "content_filter" if reason and not body.get("candidates") else None


def _parts(content: Any) -> tuple[str, str | None, object]:  # noqa: ANN401
    """The text, the thoughts and the refusal in a message's content."""
    if content is None or isinstance(content, str):
        return content or "", None, None
    texts: list[str] = []
    thoughts: list[str] = []
    refusal: object = None
    for part in content if isinstance(content, list) else [content]:
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if kind in ("text", "output_text"):
            text = part["text"] if isinstance(part, dict) else part
            texts.append(text["value"] if isinstance(text, dict) else text)
        elif kind in ("thinking", "reasoning", "reasoning_content"):
            thoughts.append(_parts(part.get("thinking") or part.get("text") or part.get("summary") or part.get("content"))[0])
        elif kind == "refusal":
            refusal = part.get("refusal", kind) or refusal
    return "".join(texts), "".join(thoughts) or None, refusal


def _joined(data: bytes) -> dict[str, Any]:
    """One chat completion from the server-sent events of a stream."""
    message: dict[str, Any] = {}
    choice: dict[str, Any] = {"message": message, "finish_reason": None}
    answer: dict[str, Any] = {}
    for line in data.splitlines():
        said = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if not said or said == b"[DONE]":
            continue
        event = json.loads(said)
        answer |= {name: value for name, value in event.items() if value is not None and name != "choices"}
        for part in event.get("choices") or ():
            if part.get("index", 0) != 0:
                continue
            answer["choices"] = [choice]
            choice |= {name: value for name, value in part.items() if value is not None and name not in ("delta", "message")}
            for name, value in (part.get("delta") or part.get("message") or {"content": part.get("text")}).items():
                grows = name in GROWING and value is not None
                message[name] = _grown(message.get(name), value) if grows else value if value is not None else message.get(name)
    return answer


def _grown(before: Any, more: Any) -> Any:  # noqa: ANN401 (text, or a list of parts)
    return more if before is None else before + more
