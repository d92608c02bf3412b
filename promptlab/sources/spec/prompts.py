"""Whole prompts as the experiment file writes them, and files that hold one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from promptlab.nouns import FileProblems, Prompt
from promptlab.nouns.item import INSERTED
from promptlab.sources.foreign import content_of, decoded
from promptlab.sources.spec.models import Part, is_unset
from promptlab.sources.spec.strict_yaml import MAX_BYTES, parsed_value

SUFFIXES = (".txt", ".md", ".yaml", ".yml", ".json")
MOST_MESSAGES = 10_000


class Message(Part):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(description="text with {variables}")]


class PromptEntry(Part):
    """A whole prompt: what is sent, with `{variables}` for what changes from item to item."""

    text: Annotated[str | None, Field(min_length=1, description="one user message", exclude_if=is_unset)] = None
    messages: Annotated[
        list[Message | Annotated[str, Field(pattern=r"^\{[^{}]+\}$")]] | None,
        Field(min_length=1, description="messages; '{column}' alone stands for those that a column holds", exclude_if=is_unset),
    ] = None
    file: Annotated[str | None, Field(min_length=1, description=".txt, .md, .yaml or .json, path from this file", exclude_if=is_unset)] = (
        None
    )
    literal: Annotated[list[str], Field(description="words that are text in braces", exclude_if=is_unset)] = []
    paraphrase_of: Annotated[str | None, Field(description="the prompt that it says in other words", exclude_if=is_unset)] = None

    @model_validator(mode="after")
    def _one(self) -> PromptEntry:
        given = [name for name in ("text", "messages", "file") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a prompt is one of text, messages, file; found {' and '.join(given) or 'none'}")
        return self


def entry_of(value: object) -> object:
    """A prompt as its block: text and lists of messages need no key."""
    return {"text": value} if isinstance(value, str) else {"messages": value} if isinstance(value, list) else value


def load_prompt(name: str, entry: PromptEntry, path: Path | None) -> Prompt:
    """The prompt of an entry; FileProblems where its file is not one."""
    if path is not None:
        messages, source = _of_file(path), str(entry.file)
    else:
        messages, source = _messages([entry.text] if entry.text is not None else entry.messages or [], entry.text is not None), ""
    return Prompt(name, messages, source)


def _messages(parts: Sequence[str | Message], is_text: bool) -> tuple[Mapping[str, str], ...]:
    """Messages as plain data; a variable in place of a message has the role `INSERTED`."""
    return tuple(
        {"role": "user" if is_text else INSERTED, "content": part} if isinstance(part, str) else part.model_dump() for part in parts
    )


def _of_file(path: Path) -> tuple[Mapping[str, str], ...]:
    """The messages of a file, byte for byte: of text one user message, of YAML or JSON a list of them, as promptfoo writes it."""
    if path.suffix.lower() not in SUFFIXES:
        raise FileProblems.one(path, f"a prompt is a file that ends in {', '.join(SUFFIXES)}")
    text = decoded(path, content_of(path, MAX_BYTES))
    if not text.strip():
        raise FileProblems.one(path, "the file is empty")
    if path.suffix.lower() in (".txt", ".md"):
        return ({"role": "user", "content": text},)
    if path.suffix.lower() == ".json":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FileProblems.one(path, f"not JSON: {error}") from None
    else:
        value = parsed_value(path, text.replace("\r\n", "\n").replace("\r", "\n")).value
    if isinstance(value, dict) and set(value) == {"messages"}:
        value = value["messages"]
    if isinstance(value, list) and len(value) > MOST_MESSAGES:
        raise FileProblems.one(path, f"{len(value):,} messages; a prompt has at most {MOST_MESSAGES:,}")
    value = [_joined(part) for part in value] if isinstance(value, list) else value
    try:
        entry = PromptEntry.model_validate(entry_of(value))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"] if isinstance(step, int) or step in ("role", "content", "messages"))
        wanted = "a list of messages, each with role (system, user, assistant) and content"
        raise FileProblems.one(path, f"expected {wanted}; {where or 'the file'}: {first['msg'].removeprefix('Value error, ')}") from None
    if entry.file is not None or (entry.text is not None and not isinstance(value, str)):
        raise FileProblems.one(path, "expected a list of messages, each with role (system, user, assistant) and content")
    return _messages([entry.text] if entry.text is not None else entry.messages or [], entry.text is not None)


def _joined(message: Any) -> Any:  # noqa: ANN401
    """A message whose content is a list of texts, as some providers write it, with one text."""
    parts = message.get("content") if isinstance(message, dict) else None
    if isinstance(parts, list) and all(isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in parts):
        return {**message, "content": "".join(part["text"] for part in parts)}
    return message
