"""What a reply says in the answer: the text without thoughts, channels and the tokens that end a turn."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from promptlab.scoring.compiled import regex

_NAMES = (
    r"[\w:.-]{0,20}(?:think|thought|reason|rationale|scratch_?pad|reflection|monologue)[\w:.-]{0,20}"
    r"|analysis|plan|planning|working|workings|internal|cot|details"
)
_TAG = regex(
    rf"<\s*\|?\s*(?P<close>/)?\s*(?P<name>{_NAMES})\b[^<>]{{0,80}}>"
    r"|(?P<open1>◁think▷|\[THINK\]|<unused94>(?:thought)?|<\|channel>thought)"
    r"|(?P<close1>◁/think▷|\[/THINK\]|<unused95>|<channel\|>)",
    re.I,
)
_ENDS_THOUGHT = regex(r"^end_|_end$", re.I)
"""Names of marks that close: "<|end_of_thought|>", "<|thought_end|>"."""
_ESCAPED = regex(rf"&lt;/?(?:{_NAMES})", re.I)
_TOLD = regex(
    r"\A\s*(?:Thinking\b[^\n]*\n.*?^\.{3} ?done thinking\.?$|```(?:think\w*|thoughts?|reasoning|scratchpad)[ \t]*\n.*?(?:```|\Z))",
    re.S | re.I | re.M,
)
"""The thought of a command-line client, which marks it by words alone, or a fence that says what it holds."""
_HARMONY = regex(r"<\|channel\|>\s*(?P<name>[a-z]+)[^<]{0,80}<\|message\|>", re.I)
_STRIPPED_HARMONY = regex(r"\Aanalysis(?=[A-Z\W]).*?assistant\s?final(?=\S)", re.S)
"""The channels of a server that has dropped their marks: "analysisWe add ...assistantfinal42"."""
_SOLUTION = regex(r"<\|(?:begin|end)_of_solution\|>|<\|(?:START|END)_RESPONSE\|>")
_ENDS = regex(
    r"</s>|<\|(?:eot_id|eom_id|eot|im_end|endoftext|end_of_text|end|return|eos|call|end_of_turn|end_of_role|EOT|END_OF_TURN_TOKEN)\|>"
    r"|<\|(?:user|im_start|start_header_id)\|>(?:user\b)?|<(?:eos|end_of_turn|end_of_utterance|\|assistant_end\||｜end▁of▁sentence｜|turn\|)>|\[/?INST\]|\[EOS\]"
)
_STARTS = regex(
    r"(?:\s*(?:<s>|<bos>|<pad>|<\|(?:im_start|start|start_of_role|begin_of_text|startoftext)\|>(?:assistant\b)?"
    r"|<\|start_header_id\|>assistant<\|end_header_id\|>|<start_of_turn>(?:model\b)?|<\|(?:assistant|answer)\|>|<｜Assistant｜>|\[BOS\]))+"
)
_MARKS = "<◁["


@lru_cache(maxsize=64)  # an answer is read several times, one after the other
def spoken(reply: str) -> str:
    """The reply without thoughts, whatever their form and length, and up to the token that ends the turn.

    A thought that was never closed is no answer: what follows its mark is gone. A closing mark alone ends a thought
    that began with the reply.
    """
    if "&lt;" in reply and _ESCAPED.search(reply):
        reply = html.unescape(reply)
    if "hinking" in reply[:20] or reply.lstrip().startswith("```"):
        reply = _TOLD.sub("", reply, count=1)
    if not any(mark in reply for mark in _MARKS) and not reply.startswith("analysis"):
        return reply
    text = _channels(reply)
    kept: list[str] = []
    start, inside = 0, False
    for tag in _TAG.finditer(text):
        closes = bool(tag["close"] or tag["close1"] or (tag["name"] and _ENDS_THOUGHT.search(tag["name"])))
        if not inside and not closes:
            kept.append(text[start : tag.start()])
        elif not inside:
            kept.clear()
        inside, start = not closes, tag.end()
    text = "".join([*kept, "" if inside else text[start:]])
    if "<" in text or "[" in text:
        text = _SOLUTION.sub("", _STARTS.sub("", text, count=1) if _STARTS.match(text) else text)
        for part in _ENDS.split(text):
            if part.strip():
                return part
        return "" if _ENDS.search(text) else text
    return text


def _channels(reply: str) -> str:
    """The last final channel of a reply in harmony's form; nothing where it has channels, and none is final."""
    if (stripped := _STRIPPED_HARMONY.match(reply)) is not None:
        return reply[stripped.end() :]
    heads = list(_HARMONY.finditer(reply)) if "<|channel|>" in reply else []
    if not heads:
        return reply
    final = [n for n, head in enumerate(heads) if head["name"].lower() == "final"]
    if not final:
        return reply[: heads[0].start()].removesuffix("<|start|>assistant")
    n = final[-1]
    return reply[heads[n].end() : heads[n + 1].start() if n + 1 < len(heads) else None]
