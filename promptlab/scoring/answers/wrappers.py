"""What an answer is wrapped in: code fences, JSON, tags, boxes, and "####"."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any

from promptlab.scoring.answers.conclusions import conclusions
from promptlab.scoring.answers.remarks import without_remarks
from promptlab.scoring.compiled import regex

_FENCE = regex(r"```[ \t]*(?P<language>[\w+-]*)[ \t]*\n?(?P<body>.*?)(?:```|\Z)", re.S)
_ANSWER_KEYS = (
    *(
        "final_answer",
        "finalanswer",
        "final answer",
        "final",
        "answer",
        "correct_answer",
        "answers",
        "prediction",
        "verdict",
        "label",
        "choice",
    ),
    *("solution", "result", "output", "response", "value", "conclusion", "text", "content", "total", "sum"),
    *("antonym", "opposite", "synonym", "plural", "translation", "rhyme", "rhymes", "passive", "negation", "letter", "letters"),
    *("antwort", "réponse", "reponse", "respuesta", "risposta", "resposta", "答案", "答え", "回答", "정답", "답"),
)
_NOTHING: tuple[object, ...] = (None, "", [], {})
_ASIDE_KEYS = regex(
    r"reason|explan|rational|thought|think|analysis|steps?$|confiden|note|comment|question|input|working"
    r"|justif|begründ|why|chain|prob|scratch|draft|score$",
    re.I,
)
_TAGS = (
    "answer|final_answer|final-answer|finalanswer|final|result|output|response|solution|antwort|réponse|reponse|respuesta|résultat"
    "|risposta|最终答案|答案|回答|答え?|정답|답변?|输出|出力|출력"
)
_TAGGED = regex(rf"<(?P<name>{_TAGS})\b[^<>]{{0,60}}>(?P<body>.*?)(?:</(?P=name)\s*>|\n【|\Z)", re.S | re.I)
_ODD_TAG = regex(rf"[‹《〈＜【\[](?P<inner>/?(?:{_TAGS}))[›》〉＞】\]](?![(:])", re.I)
"""A tag in other brackets."""
_ONE_TAG = regex(r"<(?P<name>[A-Za-z][\w-]{2,30})>(?P<body>.*)</(?P=name)\s*>", re.S)
_CLOSED = regex(r"(?:\A|\n)(?P<body>[^\n<>]+)</(?:answer|final_answer|final|result|output)>\s*\Z", re.I)
_BOXED = regex(r"\\(?:boxed|fbox|framebox)\s*\{")
_HASHED = regex(r"^[ \t]*#{4}[ \t]*(?!#)(?P<body>\S[^\n]*)$", re.M)
_KEYED = regex(
    r"""["'](?:final_?answer|final answer|answer)["']\s*:\s*(?:"(?P<text>(?:[^"\\]|\\.)*)"?|(?P<number>-?\d[\d.,]*|true|false))""", re.I
)
_LONGEST_JSON = 200_000
_WRAPS = ("`", "{", "[", "<", "\\", "#", "|-", "| -", "‹", "《", "〈", "＜", "【")
_TABLE = regex(r"^\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*\n(?P<rows>(?:[^\n]*\|[^\n]*(?:\n|\Z))+)\s*\Z", re.M)


def unwrapped(reply: str, depth: int = 3) -> tuple[str, str] | None:
    """The answer that a reply wraps, and the rule that opened it; None where nothing is wrapped.

    The reply's own structure is explicit: of several wrappers the innermost answer counts, of one kind the last.
    """
    if not any(mark in reply for mark in _WRAPS):
        return None
    reply = _ODD_TAG.sub(r"<\g<inner>>", reply)
    for rule, opened in (("table", _tabled), ("tag", _tagged), ("box", _boxed), ("json", _json), ("fence", _fenced), ("hash", _hashed)):
        inner = opened(reply)
        if inner is not None:
            again = unwrapped(inner, depth - 1) if inner != reply and depth else None
            return again or (inner, rule)
    return None


def _tabled(reply: str) -> str | None:
    """A Markdown table that ends the reply: one row as "heading: cell" on lines, several as "first cell: the others"."""
    if "|" not in reply or "--" not in reply:
        return None
    reply = without_remarks(reply)
    found = _TABLE.search(reply)
    if found is None:
        return None
    rows = [[cell.strip() for cell in row.strip(" |").split("|")] for row in found["rows"].strip().split("\n")]
    heads = [cell.strip() for cell in reply[: found.start()].strip().rpartition("\n")[2].strip(" |").split("|")]
    if len(rows) == 1:
        return "\n".join(f"{head}: {cell}" for head, cell in zip(heads, rows[0], strict=False) if cell) if len(rows[0]) > 1 else rows[0][0]
    return "\n".join(": ".join(filter(None, (row[0], ", ".join(row[1:])))) for row in rows)


def _tagged(reply: str) -> str | None:
    found = [match for match in _TAGGED.finditer(reply) if match["body"].strip()] if "<" in reply else []
    if not found and (whole := _ONE_TAG.fullmatch(reply.strip())) is not None:
        return whole["body"].strip() or None
    if not found and "</" in reply and (closed := _CLOSED.search(reply)) is not None:
        return closed["body"].strip() or None
    return found[-1]["body"].strip() if found else None


def _boxed(reply: str) -> str | None:
    """What the last box holds, as plain text; braces inside are balanced."""
    boxes = list(_BOXED.finditer(reply)) if "\\" in reply else []
    if not boxes:
        return None
    depth, start = 1, boxes[-1].end()
    end = len(reply)
    for at in range(start, len(reply)):
        if reply[at] in "{}" and reply[at - 1] != "\\":
            depth += 1 if reply[at] == "{" else -1
            if not depth:
                end = at
                break
    return latex(reply[start:end]).strip()


_LATEX = (
    (regex(r"\\(?:text\w*|math\w+|operatorname\*?|emph|underline|mbox)\s*\{([^{}]*)\}"), r"\1"),
    (regex(r"\{,\}"), ","),
    (regex(r"\\[,;!: ]|(?<!~)~(?!~)|\\(?:left|right|displaystyle|quad|qquad)\b"), " "),
    (regex(r"\\times\b|\\cdot\b"), "×"),
    (regex(r"\\div\b"), "÷"),
    (regex(r"\\geq?(?:slant)?\b"), "≥"),
    (regex(r"\\leq?(?:slant)?\b"), "≤"),
    (regex(r"\\neq?\b"), "≠"),
    (regex(r"\\(?:rightarrow|to|Rightarrow|implies)\b"), "→"),
    (regex(r"\\[dt]?frac\s*(\d)\s*(\d)"), r" \1/\2"),
    (regex(r"\\(?:begin|end)\{array\}(?:\{\w*\})?|\\\\"), "\n"),
    (regex(r"\\hline"), "\n---\n"),
    (regex(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r" \1/\2"),
    (regex(r"\\([$%#&_{}])"), r"\1"),
    (regex(r"\\[()\[\]]"), " "),
)


def latex(text: str) -> str:
    """The text without the commands of LaTeX that only set it."""
    if "\\" not in text and "{,}" not in text and "~" not in text:
        return text
    text = re.sub(r"(\d)(?:\\[,;:! ]|~)(?=\d)", r"\1,", text)
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    return text


def _fenced(reply: str) -> str | None:
    """What the last fence holds, where it opens or closes the reply: code that a reply talks about is no answer."""
    fences = [match for match in _FENCE.finditer(reply) if match["body"].strip()] if "```" in reply else []
    if not fences:
        return None
    last = fences[-1]
    alone = not reply[last.end() :].strip() or (
        len(fences) == 1 and not reply[: last.start()].strip() and not conclusions(reply[last.end() :])
    )
    return last["body"].strip() if alone else None


def _hashed(reply: str) -> str | None:
    """What follows "####" on the last line that begins with it, unless that line is a heading over more text."""
    found = list(_HASHED.finditer(reply)) if "####" in reply else []
    if not found:
        return None
    last = found[-1]
    body = last["body"].strip()
    heads_text = reply[last.end() :].strip() and not re.fullmatch(r"\W*[\d.,]+\W*", body)
    return None if heads_text or body.endswith(":") else body


def _json(reply: str) -> str | None:
    """The answer of the last JSON object or list: the reply as a whole, in a fence, or in its text."""
    if ("{" not in reply and "[" not in reply) or len(reply) > _LONGEST_JSON:
        return None
    text = reply.strip()
    bodies = [text, *(match["body"].strip() for match in _FENCE.finditer(text))] if "```" in text else [text]
    for body in bodies:
        if body[:1] in ("{", "[") and (value := _parsed(body)) is not None:
            return _value(value)
    end = text.rfind("}")
    starts = [match.start() for match in re.finditer(r"\{", text[:end])][-20:] if end > 0 else []
    for start in starts:
        value = _parsed(text[start : end + 1])
        if isinstance(value, dict) and (said := _value(value)) is not None:
            return said
    keyed = list(_KEYED.finditer(text))
    if keyed:
        return (keyed[-1]["text"] or keyed[-1]["number"] or "").strip() or None
    return None


def _parsed(text: str) -> Any:  # noqa: ANN401 (JSON)
    """A JSON object or list that is not empty; Python's notation of one is read as well. None where it is neither."""
    try:
        value = json.loads(text, parse_float=str, parse_int=str, strict=False)
    except (ValueError, RecursionError):
        if len(text) > 5000 or text.count("[") + text.count("{") > 50:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a text that is nearly Python's
                value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None
    return value if isinstance(value, dict | list) and value else None


_LABEL = regex(r"\(?[a-e]\)?|yes|no|true|false")
"""A key that is an option: the one that is true is the answer."""


def _value(value: Any, depth: int = 0) -> str | None:  # noqa: ANN401 (JSON)
    """The answer in a parsed value: by its key, or the only one that is no aside; else "key: value" on lines; a list with commas."""
    if depth > 5 or value is None:
        return None
    if isinstance(value, dict):
        by_key = {str(name).strip().casefold(): inner for name, inner in value.items()}
        for name in _ANSWER_KEYS:
            if by_key.get(name) not in _NOTHING:
                return _value(by_key[name], depth + 1)
        if not by_key.keys().isdisjoint(_ANSWER_KEYS):
            return ""  # another key holds no answer where the answer is empty
        rest = {name: inner for name, inner in by_key.items() if not _ASIDE_KEYS.search(name)}
        if len(rest) == 1 and not isinstance(inner := next(iter(rest.values())), bool):
            return _value(inner, depth + 1)
        told = [name for name, inner in rest.items() if inner is True]
        if len(told) == 1 and len(rest) > 1 and all(isinstance(inner, bool) and _LABEL.fullmatch(name) for name, inner in rest.items()):
            return told[0]
        said = {name: _value(inner, depth + 1) for name, inner in rest.items()}
        return "\n".join(f"{name.replace('_', ' ')}: {part}" for name, part in said.items() if part is not None) or None
    if isinstance(value, list | tuple | set):
        parts = [_value(part, depth + 1) for part in value]
        return None if None in parts or not parts else ", ".join(str(part) for part in parts)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() or None
