"""The metrics of BIG-bench (Srivastava et al. 2022): exact match by its published rules, and choices read from text.

BIG-bench grades multiple choice by the probability of each option and reads no text, so `choice` is promptlab's own: it
gives the same grade once it is clear which option a reply settles on, and no grade to a reply that settles on none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from promptlab.nouns import Item, Scored
from promptlab.scoring.compiled import regex

DEFAULT_PATTERN = r"[^\.\?\!\;\n]+"
"""The text before the first of `. ? ! ;` and the end of the line."""
OPERATORS_PATTERN = r"([-+]?\d+)[.]{0,1}$"
"""For the task operators, with the stop "\\n": the integer that ends the first line."""


def exact_str_match(pattern: str = DEFAULT_PATTERN, stop: str | None = None) -> Callable[[str, Item], Scored]:
    """A metric that is 1 when the extracted text is exactly one of the targets.

    Extracted is the first match of `pattern` (its first group, if it has one) in the text before `stop`. Case and white
    space count.
    """
    compiled = re.compile(pattern)
    group = min(compiled.groups, 1)

    def searched(text: str) -> str:
        found = compiled.search(text)
        return (found[group] or "") if found else ""

    return matched(searched, stop)


def matched(search: Callable[[str], str], stop: str | None = None) -> Callable[[str, Item], Scored]:
    """A metric that is 1 when what `search` finds in an answer, before `stop`, is one of the targets."""

    def score(answer: str, item: Item) -> Scored:
        extracted = search(answer.partition(stop)[0] if stop else answer)
        return Scored(float(extracted in item.targets), extracted or None)

    return score


def choice(answer: str, item: Item) -> Scored:
    """1 when the option that the reply settles on is a target; 0 with nothing extracted when it settles on none.

    From the clearest sign to the weakest: the reply is one option or its label; an explicit conclusion ("Answer: X"); a
    first or last line led by one option; a sentence that says so ("The funny edit is X", "X is the best choice"); one option
    in quotes; one option named at all; one label such as "(b)". Signs of one kind that disagree settle nothing, and neither
    does a reply that lists several options or repeats only the input. Options are compared without regard to case, white
    space, kinds of quotes and outer punctuation. Labels count letters or numbers in the order of `item.choices`.
    """
    return graded(chosen(answer, item), item)


def chosen(answer: str, item: Item) -> str | None:
    """The option that a reply settles on."""
    options = item.choices or item.targets
    exact = answer.strip()
    if exact in options:
        return exact
    index = _Choices.of(options, item.input).settle(answer) if exact else None
    return None if index is None else options[index]


def graded(option: str | None, item: Item, rule: str = "") -> Scored:
    """The grade of an option; 0 of none."""
    if option is not None and item.scores:
        return Scored(item.scores[(item.choices or item.targets).index(option)], option, rule)
    return Scored(float(option in item.targets), option, rule)


# Inside a reply every mention of an option becomes one private character, so that sentences can be taken apart without
# stumbling over punctuation in options, and no option is found inside another.
_FIRST = 0xE000
_UNCHANGED = "\uf8fe"  # a mention of the input where it is an option as well
_NAME = "\uf8ff"  # a mention of the input where it is none, or of an option that the reply turns down
_OPTION = "[\ue000-\uf8fd]"
_LISTED = "[\ue000-\uf8fe]"
_PRIVATE = regex("[\ue000-\uf8ff]")
# Repeats are bounded throughout: a reply of one endless pattern must not take a pattern of ours quadratic time.
_GAP = "[^\\w\ue000-\uf8ff]{0,20}"
_NEAR = r"""[ "'*_`(\[]{0,8}"""
_CLOSE = r"""[ "'*_`)\]]{0,8}"""
_FILLER = rf"(?:(?:the|an?|that|this|option|choice|letter|number|edit|clearly|probably|definitely|likely|simply)\b{_GAP}){{0,4}}"
_LABEL = r"\(?(?:[a-z]|\d{1,2})[).:\]]"

_PUNCTUATION = str.maketrans(
    {**dict.fromkeys("‘’‛′`´", "'"), **dict.fromkeys("“”„‟″«»‹›", '"'), **dict.fromkeys("‐‑−", "-"), **dict.fromkeys("–—―", " - ")}
)

_NEXT_ITEM = regex(r"\n *(?:input|question) *:")
_LIST_GOES_ON = regex(
    rf"{_CLOSE}\??{_CLOSE}(?:,|/|&|\bor\b|\band\b)(?:{_GAP}\b(?:or|and|maybe|perhaps|possibly|also|either|even)\b){{0,3}}{_GAP}{_LISTED}"
)
_LIST_REACH = 200
"""More characters than there are between two options of a list; a mention is no ASCII."""
_LIST = regex(_LISTED + _LIST_GOES_ON.pattern)
_LIST_CAME_BEFORE = regex(rf"{_LISTED}{_CLOSE}(?:/|&|\bor\b|\band\b){_GAP}$")
_TURNED_DOWN = (
    regex(
        rf"(?:\b(?:not|never|neither|nor|unlike|except|instead of|rather than)\b|n't\b){_NEAR}"
        rf"(?:(?:the|an?|option|choice|really|actually|quite|exactly|necessarily|entirely|completely|fully|purely"
        rf"|very|particularly)\b{_NEAR}){{0,4}}{_OPTION}(?:{_CLOSE}n?or\b{_NEAR}{_OPTION})*"
    ),
    regex(
        r"\b(?:don't|do not|doesn't|didn't|cannot|can't) (?:think|believe)\b(?: that)?(?: (?:it(?:'s| is| was)|this is|the answer is))?"
        rf"{_NEAR}{_OPTION}"
    ),
    regex(rf"{_OPTION}{_CLOSE}\s?[❌✗✘]|[❌✗✘]\s?{_NEAR}{_OPTION}"),
    regex(
        rf"{_OPTION}{_CLOSE}(?:is|are|was|would|does|do|seems?)(?:n't| not)\b(?! (?:only|just|merely))"
        r"(?=(?: \w+){0,3}? (?:humorous|funny|funniest|funnier|correct|right|best|answer|choice|it)\b)"
    ),
)
_REACH = 500  # characters that are read behind the word that announces a conclusion
_CONCLUSION = regex(
    r"(?<!/)\b(?P<final>final )?(?:answer|conclusion|verdict|final choice|final decision"
    r"|(?:correct|right|best) (?:option|choice|letter))\b(?! (?:choice|option)s?\b)"
    r"[^\n:=\ue000-\uf8fd]{0,60}?(?::|=|>|\b(?:is|would be|should be|must be)\b)|\\boxed\{(?:\\text\{)?"
)
_ALONE = regex(f"{_GAP}({_OPTION}){_GAP}")
_DENYING = ("no", "n't", "neither", "never", "unlike", "except", "instead", "rather", "❌", "✗", "✘")
_CONCLUDING = ("answer", "conclusion", "verdict", "final ", "correct ", "right ", "best ", "boxed")
_LED_LINE = regex(
    rf"(?:[-*+•#> ]|{_LABEL} ){{0,8}}{_NEAR}(?P<option>{_OPTION}){_CLOSE}(?=$|[.,:;!/&=<>-]|(?:or|and)\b)",
)
_LEAD = regex(rf"{_GAP}(?:{_FILLER}{_LABEL}{_GAP})?{_FILLER}(?P<option>{_OPTION})")
_SAYS_FORWARD = regex(
    r"(?:(?:is|be|was|answer|choose|pick|select|suggest|say|prefer|go with|going with|opt for|vote for)\b"
    rf"|(?:it|that|here|answer|edit|one)'s\b|[:=>]){_GAP}{_FILLER}(?P<option>{_OPTION})"
)
"""Where a word begins, and not after "not"."""
_SAYS_REACH = 160  # the most characters of such a match
_ONE_OPTION = regex(_OPTION)
_SAYS_BACKWARD = regex(
    rf"(?P<option>{_OPTION}){_CLOSE}(?:is|was|would be|seems|sounds|appears)\b(?P<between>[^,;\ue000-\uf8ff]{{0,60}}?)"
    r"\b(?:answer|choice|option|edit|the one|pick|humorous|funny|funnier|funniest|correct|right|best|pun|joke|parody|play on words)\b"
)
_NEGATIVE = regex(r"\b(?:not|never|wrong|incorrect|less|least|worst|hardly)\b|n't\b")
_QUOTED = regex(rf"[\"'*_`](?P<option>{_OPTION})[.,!?]?[\"'*_`]")
_SENTENCE_END = regex(r"(?<=[.!?;]) +|\n+")

# Labels: the whole reply; behind a conclusion; at the head of the reply; anywhere else, where only clear forms count. A
# bare number counts only in the first two: in text it is more often a number than a label.
_LABEL_ALONE = regex(rf"{_GAP}(?:(?:the|option|choice|letter|number)\b *)*{_GAP}(?P<label>[a-z]|\d{{1,2}}){_GAP}")
_LABEL_FIRST = regex(
    rf"{_GAP}{_FILLER}[\"'*_`(\[]*(?P<label>[a-z]|\d{{1,2}})(?:[\"'*_`]*[).:,;!<\]}}]|[\"'*_`]*(?: -|$))"
    r"(?![\"'*_`]* *(?:/|&|,|or\b|and\b) *\(?(?:[a-z]|\d{1,2})\b)"
)
_LABEL_LEADS = regex(r"[\"'*_` ]*(?:\((?P<bracketed>[a-z]|\d{1,2})\)|(?P<letter>[a-z])[).:])(?![^ \n*\"'])")
_MORE_LABELS = regex(r"(?<!\w)([a-z]|\d{1,2})(?:\)|[.:](?= ))")
_LABEL_IN_TEXT = regex(
    r"(?<!\w)\((?P<bracketed>[a-z]|\d{1,2})\)(?!\w)"
    r"|(?:\b(?:option|choice|letter)|\b(?:choose|pick|select|go with)) [\"'*_`(]*(?P<named>[b-z]|a(?= *(?:[^\w ]|$|\n))|\d{1,2})(?!\w)"
    r"|^ *[\"'*_`(]*(?P<alone>[a-z])[\"'*_`).:]* *$",
    re.MULTILINE,
)


_BREAK = regex("[\n\r\x0b\x0c\x1c-\x1e]")


def _fold(text: str) -> str:
    """Case, compatibility forms, kinds of quotes, dashes and spaces made one; lines stay lines."""
    if text.isascii():
        text = text.replace("`", "'").lower()
        if text.count(".") < 2 and (text.isprintable() or _BREAK.search(text) is None):
            return " ".join(text.split())
    else:
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.translate(_PUNCTUATION)).casefold())
        text = _PRIVATE.sub(" ", text.translate(_PUNCTUATION))
    if text.count(".") > 1:
        text = _INITIALS.sub(lambda match: match[0].replace(".", ""), text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


_INITIALS = regex(r"(?<![\w.])(?:[^\W\d_]\.){2,}")
"""Letters that each have a full stop: "L.A." is "LA"."""


def _bare(folded: str) -> str:
    """Without punctuation at both ends."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", folded)


# No word goes on at either end of a mention. Hyphens and apostrophes join words: no "entailment" in "non-entailment", no "can" in
# "can't"; a possessive s does not.
_STARTS = regex(r"(?<!\w)(?<!\w-)")
_ENDS = regex(r"(?!\w)(?!-\w)(?!'(?!s(?!\w))\w)")


_LABELLING = ("(", "option", "choice", "letter", "choose", "pick", "select", "go with", "\n")


def _may_be_labelled(text: str) -> bool:
    """Whether it is worth looking for a label inside a text: what follows a word, is in parentheses or alone on a line."""
    return " " not in text.strip(" ") or any(map(text.__contains__, _LABELLING))


def _said_of(text: str, start: int, end: int) -> re.Match[str] | None:
    """What `_SAYS_FORWARD` finds between two places: its checks of what is before it come last, for they are slow at every character."""
    while (match := _SAYS_FORWARD.search(text, start, end)) is not None:
        at = match.start()
        begins = not at or text[at] in ":=>" or not (text[at - 1].isalnum() or text[at - 1] == "_")
        if begins and not text.endswith(("not ", "n't "), 0, at):
            break
        start = at + 1
    return match


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no word continues at either end of a part of a text."""
    begins = not start or text[start - 1] == " " or _STARTS.match(text, start) is not None
    return begins and (end == len(text) or text[end] in " .," or _ENDS.match(text, end) is not None)


def _only(found: Iterable[int]) -> int | None:
    """The one value of all, None when there are several or none."""
    values = set(found)
    return values.pop() if len(values) == 1 else None


def _lettered(folded: list[str], name: str) -> dict[str, int]:
    """The options by the labels that the input itself gives them; empty where it does not give one to each."""
    text = " ".join(_fold(name).split())
    if not all(option in text for option in folded):
        return {}
    found = [re.findall(rf"(?<![\w(])\(?([a-z]|\d{{1,2}})[).:]\s?[\"']?{re.escape(option)}(?!\w)", text) for option in folded]
    labels = {each[0]: i for i, each in enumerate(found) if len(each) == 1}
    return labels if len(labels) == len(folded) else {}


@dataclass(frozen=True, slots=True)
class _Choices:
    """The options of one item as they are looked for: folded texts, labels, and all forms, longest first."""

    index: dict[str, int]
    labels: dict[str, int]
    unchanged: int | None
    forms: tuple[str, ...]

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, options: tuple[str, ...], name: str) -> _Choices:
        folded = [" ".join(_fold(option).split()) for option in options]
        bare = [_bare(text) for text in folded]
        index: dict[str, int] = {}
        for i, (full, core) in enumerate(zip(folded, bare, strict=True)):
            # "(a)" must not be found in every "a", nor brackets in nothing.
            usable = core and bare.count(core) == 1 and (len(core) > 1 or core == full)
            if full and folded.count(full) == 1:
                index |= {full: i, core: i} if usable else {full: i}
        if set(bare) == {"true", "false"}:  # a yes/no question whose labels the prompt never names
            index |= {"yes": index["true"], "no": index["false"]}
        # Where all options are labels themselves, as "(a)" and "(b)" are, their order says nothing.
        labels = {core: i for i, core in enumerate(bare) if len(core) == 1}
        if len(labels) < len(options):
            by_order = {chr(ord("a") + i): i for i in range(min(len(options), 26))} | {str(i + 1): i for i in range(len(options))}
            labels = (_lettered(folded, name) or by_order) | labels
        input_form = _bare(" ".join(_fold(name).split()))
        forms = sorted({*index, input_form} - {""}, key=len, reverse=True)
        return cls(index, labels, index.get(input_form), tuple(forms))

    def settle(self, answer: str) -> int | None:
        """The index of the option that a reply settles on."""
        folded = _fold(answer).strip()
        folded = folded.rpartition("</think>")[2].strip() or folded
        # Models go on with a next item of their own: what stands before it counts first.
        head = _NEXT_ITEM.split(folded, maxsplit=1)[0] if "\n" in folded else folded
        found = self._settle(head)
        return self._settle(folded) if found is None and head != folded else found

    def _settle(self, folded: str) -> int | None:
        text = self._marked(folded)
        named = not text.isascii()  # an option, by its own words
        if named and (alone := _ALONE.fullmatch(text)) is not None:
            return self._at(alone[1])
        if (label := _LABEL_ALONE.fullmatch(text)) is not None:
            return self.labels.get(label["label"])
        ends = _CONCLUSION.finditer(text) if any(map(text.__contains__, _CONCLUDING)) else ()
        concluded = [(match["final"] is not None, self._concluded(text[match.end() : match.end() + _REACH])) for match in ends]
        settled = [(final, index) for final, index in concluded if index is not None]
        if settled:
            return _only(index for final, index in settled if final or not any(final for final, _ in settled))
        if not named:
            return self._labelled(text) if (leading := self._leading_label(text)) is None else leading
        # An unchanged name is talked about more often than chosen: it counts when nothing else is.
        less = text if self.unchanged is None else text.replace(chr(_FIRST + self.unchanged), _UNCHANGED)
        for sign in (self._led_lines, self._sentences, self._leading_label, self._quoted, self._mentioned, self._labelled):
            if (found := sign(less)) is not None:
                return found
        return None if less == text else self._led_lines(text) if (says := self._sentences(text)) is None else says

    def _marked(self, folded: str) -> str:
        """The reply with mentions as private characters, and those that it turns down as mere mentions."""
        text = self._mentions(folded)
        if text.isascii() or not any(map(text.__contains__, _DENYING)):
            return text
        for pattern in _TURNED_DOWN:
            text = pattern.sub(lambda match: re.sub(_OPTION, _NAME, match[0]), text)
        return text

    def _mentions(self, folded: str) -> str:
        """The text with every form that occurs there as separate words replaced: the leftmost first, of several the longest.

        Searched form by form, because a pattern of all forms would have to be compiled for every item.
        """
        found = []
        for form in self.forms:
            start = folded.find(form)
            while start >= 0:
                if _stands_alone(folded, start, start + len(form)):
                    found.append((start, -len(form), form))
                start = folded.find(form, start + 1)
        if not found:
            return folded
        parts, end = [], 0
        for start, _, form in sorted(found):
            if start >= end:
                parts += [folded[end:start], chr(_FIRST + self.index[form]) if form in self.index else _NAME]
                end = start + len(form)
        return "".join([*parts, folded[end:]])

    @staticmethod
    def _at(token: str) -> int:
        return ord(token) - _FIRST

    def _tokens(self, text: str, kind: str = _OPTION) -> list[int]:
        return [self._at(token) for token in re.findall(kind, text)]

    def _concluded(self, rest: str) -> int | None:
        """The text after "answer:", or on the next line when nothing does."""
        lines = [line for line in rest.split("\n") if re.search("[\\w\ue000-\uf8ff]", line)]
        segment = lines[0] if lines else ""
        lead = _LEAD.match(segment)
        if lead is not None:
            return None if _LIST_GOES_ON.match(segment, lead.end()) else self._at(lead["option"])
        for sentence in _SENTENCE_END.split(segment):
            if found := self._tokens(sentence):
                return _only(found)
        label = _LABEL_FIRST.match(segment)
        return self.labels.get(label["label"]) if label is not None else None

    def _led_lines(self, text: str) -> int | None:
        """The option that leads a line, when that is the first or the last line and no other line is led by another."""
        lines = [line for line in text.split("\n") if line.strip()]
        led = [self._taken(line, match) if (match := _LED_LINE.match(line)) else [] for line in lines]
        if not lines or not (led[0] or led[-1]):
            return None
        return _only(index for taken in led for index in taken)

    def _sentences(self, text: str) -> int | None:
        """The option that statements, not questions, name as the one."""
        found: list[int] = []
        ends = ". " in text or "? " in text or "! " in text or "; " in text or "\n" in text
        for sentence in _SENTENCE_END.split(text) if ends else [text]:
            if sentence.isascii() or sentence.rstrip().endswith("?"):  # no option is ASCII
                continue
            last = 0
            for option in _ONE_OPTION.finditer(sentence):  # no other one is inside of what says it
                match = _said_of(sentence, max(last, option.start() - _SAYS_REACH), option.end())
                found += self._taken(sentence, match) if match is not None else []
                last = option.end()
            for match in _SAYS_BACKWARD.finditer(sentence):
                if not _NEGATIVE.search(match["between"]) and not _LIST_CAME_BEFORE.search(sentence, 0, match.start()):
                    found.append(self._at(match["option"]))
        return _only(found)

    def _taken(self, text: str, match: re.Match[str]) -> list[int]:
        """The option of a match, or all that the text names when the match only opens a list."""
        end = match.end("option")
        listed = not text[end : end + _LIST_REACH].isascii() and _LIST_GOES_ON.match(text, end) is not None
        return self._tokens(text, _LISTED) if listed else [self._at(match["option"])]

    def _leading_label(self, text: str) -> int | None:
        """A label that opens the reply, unless it is the first of several."""
        first = _LABEL_LEADS.match(text)
        if first is None or any(self.labels.get(label) is not None for label in _MORE_LABELS.findall(text, first.end())):
            return None
        return self.labels.get(first["bracketed"] or first["letter"])

    def _quoted(self, text: str) -> int | None:
        return None if _LIST.search(text) else _only(self._at(match["option"]) for match in _QUOTED.finditer(text))

    def _mentioned(self, text: str) -> int | None:
        return None if _LIST.search(text) else _only(self._tokens(text))

    def _labelled(self, text: str) -> int | None:
        """A label inside the text; only where no option is named at all."""
        if self._tokens(text) or not _may_be_labelled(text):
            return None
        names = [match["bracketed"] or match["named"] or match["alone"] for match in _LABEL_IN_TEXT.finditer(text)]
        return _only(self.labels[name] for name in names if name in self.labels)
