"""A reply taken apart once: what it says in the answer, what it wraps, and the places where its answer may be, clearest first."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from promptlab.scoring.answers import conclusions as said
from promptlab.scoring.answers import remarks, statements
from promptlab.scoring.answers.denials import CUES, denies, offered
from promptlab.scoring.answers.text import LONGEST_KEPT, fold, words
from promptlab.scoring.answers.thoughts import spoken
from promptlab.scoring.answers.ticks import may_tick, ticked
from promptlab.scoring.answers.wrappers import latex, unwrapped
from promptlab.scoring.compiled import regex

CONFIDENCE = regex(
    r"[\s(\[,;.|-]{0,6}\b(?:my |overall )?(?:confidence|certainty)(?: (?:score|level|rating))?\s*(?:is|of|[:=])?\s*"
    r"(?:\d+(?:\.\d+)?(?:\s*(?:%|/\s*\d+|out of \d+))?|very high|high|low|medium)[)\]]*\.?"
    r"|,? with (?:a )?probability (?:of )?[\d.]+%?|\bmy confidence in (?:this|it|that)[\w ]* is \d+(?:\s?%|/\d+)?:?"
    r"|[\s(\[,;-]{0,6}\b(?:(?:i am|i'm) )?\(?\d{1,3}\s?% (?:sure|certain|confident)\b(?: (?:of|about|in) [^.\n]{0,40})?[)\]]*\.?",
    re.I,
)
_MARKED_UP = regex("[^ \n!\"'(),./0-9:;?A-Za-zÀ-ÖØ-öø-ÿ-]")
"""A text without these and without a line of hyphens has no markup, and only its white space is to be folded."""
_HTML = regex(r"</?(?:b|i|em|strong|u|p|span|div|mark|h[1-6]|ul|ol|li|code|pre|sup|sub|center)\b[^<>]{0,60}>|<br\s*/?>", re.I)
_HEADING = regex(r"(?m)^#{1,6}\s+|^>\s+|^[-*_]{3,}\s*$")
_NEXT_TURN = regex(r"\n\s*(?:#+ *)?(?:input|question|user|human|instruction|example \d+|problem|exercise|q)\s*:", re.I)
_ANSWERED = r"(?:Output|OUTPUT|Answer|ANSWER|Response|Assistant|ASSISTANT|AI|A)\s?:"
_NEXT_IN_LINE = regex(
    r"(?<=\S)(?<![Tt]he)(?<![Tt]his)(?<!iven)(?<!our)\s+(?:Input|INPUT|Question|User|USER|Human|Instruction|Q)\s?:\s[^\n]{1,400}?\s"
    + _ANSWERED
)
_TURNS = ("Input", "INPUT", "Question", "User", "USER", "Human", "Instruction", "Q:", "Q :")
ANSWERED = regex(rf"(?<!\w){_ANSWERED}")
INSTRUCTS = regex(
    r"[\W_]*(?:(?:instructions?|task|prompt|input|question|problem|q|user|human|system|example)\b|(?:sum|subtract|add|write|determine|decide"
    r"|find|extract|translate|convert|change|break|sort|order|put|list|identify|classify|choose|select|pick|answer|respond|rate|give|tell"
    r"|unscramble|rearrange|use|make|negate|read|given|consider|count|for (?:each|the)|how|which|what|who|whose|does|do|is|are|compare"
    r"|complete|you (?:will (?:be|get|see|receive)|are (?:given|an?|to)|get|must|should))\b(?! ?[:=]))",
    re.I,
)
"""How a prompt begins that a reply says again."""
_FENCES = regex(r"(?m)^\s*```[\w+-]*\s*$|```")
_STRUCK = regex(r"~~[^~\n]{1,200}~~")
_EMPHASIS = regex(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,300}?)(?<=[^\s*])\*(?![\w*])")
_POWER = regex(r"(?<=10)[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_WORKED = regex(r"<<[^<>]*>>(?=\d)|<<([^<>]*)>>")
"""A calculator's notes in worked solutions: "2+3=<<2+3=5>>5"."""
_SHOWN = regex(r"(?m)^\s*(?:>>> .*\n|print\(.*\)\s*#\s*)")
"""Code whose output follows it or is below."""
_CITED = regex(r"(?<=[^\s=:>])\s?(?:\[\d{1,2}\](?=$|[\s.,;])|\[(?i:sources?|src|refs?|references?|citations?|cited)\b[^\[\]\n]{0,80}\])")
_BOLD_LABEL = regex(r"(?<=[\w.!?\"')])(?<!\d[.)])[ \t]+(?=\*\*[^\W\d_][\w -]{2,30}(?:\*\*:|:\*\*))")
"""The space before a label in bold within a line: a new line begins there."""
_EXTRA = words(
    "way btw note if need want would anything can may could shall comparison check let otherwise had runner"
    " runnerup honorable honourable second alternative alternatives rejected chosen selected"
    " probe kontrolle verify verification vérification verificación"
    " comprobación comprobar verificar vérifier prueba preuve gegenprobe 验算 验证 検算 검산"
)
_TALKS = _EXTRA | said.CONCLUDING | said.TAKES_BACK | CUES
"""A reply of ASCII without these words concludes, corrects and denies nothing, and no part of it is about something else."""
_RULE = regex(r"\n\s*[-_=─—]{3,}\s*\n\s*(?=\S+\s*(?:\n|$))")
"""The line under a sum that is written in columns."""
_COLUMN = regex(r"\s*\n\s*([+×*÷-])\s*(?=\d)")
_STACKED = regex(r"(?m)^(\s*\d[\d.,]*)\s*\n\s*(?=\d[\d.,]* = )")
_ASKS = regex(r"^[^.!?\n]{0,100}\b(?:or|oder|ou|vs)\b[^.!?;\n]{1,100}[?;]\s+(?=\S)", re.I)
"""A question that lists the alternatives before the reply answers it."""
_SUPPOSES = regex(
    r"^(?:if|had|were) [^.!?\n]{1,100}(?: would|'d) [^.!?\n]{1,80}[.!]\s+(?=\S)",
    re.I,
)
"""A case that the reply only supposes, before it answers."""
_SUPPOSE = ("if", "ha", "we")
_IN_BRACKETS = regex(r"(?<=[.!?\n\"'])\s*\([^()\n]{12,300}[.!]\)\s*\Z")
"""A whole sentence in parentheses at the end: it explains, and does not answer."""
LONGEST = 20_000
"""Characters of a reply that are read, half from its beginning and half from its end: an endless reply is never searched for minutes."""


class _Once:
    """A property that is computed once; without the lock of functools.cached_property, for it is read for every answer."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute = compute

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, one: Any, owner: type) -> Any:  # noqa: ANN401 (what the property is)
        value = self.compute(one)
        setattr(one, self.name, value)
        return value

    if TYPE_CHECKING:

        def __set__(self, one: object, value: object) -> None:
            """What is known from the start is set as any other attribute."""


class Place(NamedTuple):
    """A text that may be the answer, the rule that found it, and whether the reply says outright that the answer is there."""

    text: str
    rule: str
    explicit: bool = False


class Reply:
    """One reply, folded, without thoughts and markup. `text` is read; `whole` is the same before wrappers were opened."""

    readings: tuple[tuple[str, str], ...] | None = None
    """The texts that its places hold, where all were made."""
    number: tuple[Decimal | None, str, str] | None = None
    """The number that it says, where it was looked for: the value, the rule that found it, and the text with its numbers in digits."""

    def __init__(self, answer: str) -> None:
        text = answer.strip(" ")
        if _MARKED_UP.search(text) is None and len(text) <= LONGEST and not text.startswith("analysis") and "( )" not in text:
            lined = "\n" in text
            if not (lined and ("---" in text or "hinking" in text)):
                self.aloud, self.wrapper, self.thought_only = answer, "", False
                self.whole = self.text = text = _unsure(fold(text) if lined or "  " in text else text).strip()
                if not lined and text.isascii() and _TALKS.isdisjoint(words(text)):
                    self._read_plain(text)
                return
        aloud = spoken(answer)
        if "&lt;" in aloud:
            aloud = html.unescape(aloud)
        self.thought_only = not aloud.strip() and bool(answer.strip())
        if len(aloud) > LONGEST:
            aloud = f"{aloud[: LONGEST // 2]}\n{aloud[-LONGEST // 2 :]}"
        self.aloud = aloud
        aloud = ticked(aloud) if may_tick(aloud) else aloud
        wrapped = unwrapped(aloud)
        self.whole = _plain(aloud)
        self.wrapper = wrapped[1] if wrapped else ""
        self.text = _plain(wrapped[0]) if wrapped else self.whole

    def _read_plain(self, text: str) -> None:
        """Sets what the properties below find in a line of ASCII without words of `_TALKS`, where no mark sets a part of it apart."""
        if "?" in text or text[-1:] == ")" or text.count(":") > 1 or text[:2].lower() in _SUPPOSE:
            return
        self.head, self.conclusions, self.concluded, self.corrected = text, (), None, None
        if not (". " in text or "! " in text or '" ' in text or "' " in text or ") " in text):  # it is one sentence
            self.unremarked, self.said, self.denied = text, text, False

    @_Once
    def conclusions(self) -> Sequence[said.Conclusion]:
        """The explicit conclusions, in order; below an explanation only those that open a line, where something else came before."""
        found = said.conclusions(self.head)
        cut = remarks.EXPLANATION.search(self.head, 1) if found and "\n" in self.head else None
        if cut is None or remarks.is_remark(self.head[: cut.start()]):
            return found
        return [one for one in found if one.at < cut.start() or self.head[one.at - 1] == "\n"]

    @_Once
    def concluded(self) -> said.Conclusion | None:
        """The last of the strongest explicit conclusions."""
        return said.strongest(self.conclusions)

    @_Once
    def head(self) -> str:
        """The text before a next item of the model's own."""
        turn = _NEXT_TURN.search(self.text) if "\n" in self.text else None
        if (
            turn is None
            and self.text.count(":") > 1
            and any(map(self.text.__contains__, _TURNS))
            and (turn := _NEXT_IN_LINE.search(self.text)) is not None
        ):
            turn = None if INSTRUCTS.match(self.text) and ANSWERED.search(self.text, 0, turn.start()) is None else turn
        head = self.text[: turn.start()].strip() if turn else ""
        head = self.text if not head or head.endswith(":") else head
        head = _ASKS.sub("", head, count=1) if "?" in head else head
        head = _SUPPOSES.sub("", head, count=1) if head[:2].lower() in _SUPPOSE else head
        aside = _IN_BRACKETS.search(head, 1) if head.endswith(")") else None
        if aside is not None and head[: aside.start()].strip() and not any(one.strength > 1 for one in said.conclusions(aside[0])):
            head = head[: aside.start()].strip()
        extra = remarks.EXTRA.search(head, 1) if not _EXTRA.isdisjoint(words(head)) else None
        if (
            extra is None
            or not head[: extra.start()].strip()
            or (extra["inline"] and ":" not in head[: extra.start()])
            or (not extra["other"] and any(one.strength > 1 for one in said.conclusions(head[extra.start() :])))
            or (extra["check"] and _turns(head[extra.end() :]))
        ):
            return head
        return head[: extra.start()].strip()

    @_Once
    def corrected(self) -> str | None:
        """What follows the last word that takes something back ("wait", "correction"), where no conclusion follows it."""
        since = self.concluded.at if self.concluded is not None and self.concluded.text else 0
        last = None
        for match in said.CORRECTS.finditer(self.head, since) if said.breaks_off(self.head) else ():
            if match.start() and self.head[match.end() :].strip():
                last = match.end()
        return remarks.without_remarks(self.head[last:]).strip(" ()") if last else offered(self.head) or None

    @_Once
    def denied(self) -> bool:
        """Whether it says only what its answer is not."""
        if self.concluded is not None or self.corrected is not None:
            return self.concluded is not None and not self.concluded.text and self.corrected is None
        return denies(self.unremarked)

    @_Once
    def said(self) -> str:
        """The part to look through: what it corrects itself to, else what it concludes, else all without remarks."""
        answers = self.concluded is not None and self.concluded.strength > 1
        return self.corrected or (self.concluded.text if self.concluded is not None and answers else "") or self.unremarked

    @_Once
    def unremarked(self) -> str:
        """The text without remarks around it and without an explanation below it; the same object where it has none."""
        text = remarks.without_remarks(self.head)
        text = self.head if text is not self.head and remarks.NOTE.match(text) else text
        cut = remarks.EXPLANATION.search(text, 1) if "\n" in text else None
        return text[: cut.start()].strip() or text if cut else text

    @_Once
    def states(self) -> str | None:
        """What its last statement without a word for "answer" says."""
        return statements.statement(self.unremarked)

    @_Once
    def decides(self) -> str | None:
        """What its last statement that decides says."""
        return statements.decision(self.unremarked)

    @property
    def places(self) -> Iterator[Place]:
        """Where the answer may be: the whole reply; what it concludes, and nothing else then; or its parts, clearest first."""
        yield Place(self.head, self.wrapper or "whole", bool(self.wrapper))
        if self.corrected is not None:
            yield Place(self.corrected, "correction")
        if self.concluded is not None:
            # An answer may hold a word that concludes: "Output: The result is good."
            last = self.concluded.at
            before = [one for one in self.conclusions if one.at < last][-3:]
            around = [one for one in before if not remarks.SENTENCE_ENDS.search(self.head, one.at, last)]
            for text in dict.fromkeys(text for one in (self.concluded, *around) for text in (one.text, *one.raw)):
                if text:
                    yield Place(text, "conclusion", True)
            if self.concluded.text:
                return
        if self.unremarked != self.head:
            yield Place(self.unremarked, "without remarks")
        if self.states is not None:
            yield Place(self.states, "statement")


_first = Reply.__new__(Reply)
for _name in (
    "aloud",
    "wrapper",
    "thought_only",
    "whole",
    "text",
    "readings",
    "number",
    *(name for name, one in vars(Reply).items() if isinstance(one, _Once)),
):
    setattr(_first, _name, None)  # Python keeps attributes in the object itself only where an early object of its class has them


def _turns(checks: str) -> bool:
    """Whether what checks an answer comes to another one: "so it is 42", "that is wrong"."""
    states = statements.statement(checks)
    return (states is not None and _HOLDS.match(states) is None) or (
        said.may_correct(checks) and said.CORRECTS.search(_HOLDS_SO.sub(" ", checks)) is not None
    )


_HOLDS = regex(
    r"(?:(?:it|this|that|the \w+|our \w+) (?:is|was) |is |the \w+ (?:is|holds))?(?:all )?(?:correct|right|true|ok(?:ay)?|fine|good|verified"
    r"|confirmed|consistent|checks|works|holds|matches|stimmt|richtig|exact|correct[oe]|正确|对|正しい|맞)",
    re.I,
)
_HOLDS_SO = regex(r"\b(?:actually|indeed) (?:correct|right)\b", re.I)


def _plain(text: str) -> str:
    """Folded text without confidence and markup."""
    if "<" in text:
        text = _HTML.sub(" ", text)
    if "```" in text:
        text = _FENCES.sub("", text)
    if "<<" in text:
        text = _WORKED.sub(r"\1", text)
    if ">>> " in text or "print(" in text:
        text = _SHOWN.sub("= ", text)
    if "\\" in text or "{,}" in text or "~" in text:
        text = latex(text)
    if "&" in text and ";" in text:
        text = html.unescape(text)
    if "10" in text and not text.isascii():
        text = _POWER.sub(lambda match: "^" + unicodedata.normalize("NFKC", match[0]), text)
    if "~~" in text:
        text = _STRUCK.sub(" ", text)
    if "\n" in text:
        summed = _RULE.sub(" = ", text)
        text = _STACKED.sub(r"\1 + ", _COLUMN.sub(r" \1 ", summed)) if summed != text else text
    if "**" in text and ":" in text:
        text = _BOLD_LABEL.sub("\n", text)
    if "#" in text or ">" in text or "\n" in text:
        text = _HEADING.sub("", text)
    text = fold(text)
    if "[" in text:
        text = _CITED.sub("", text)
    text = _unsure(text)
    if "**" in text or "__" in text:
        text = text.replace("**", "").replace("__", "")
    if "*" in text:
        text = _EMPHASIS.sub(r"\1", text)
    if "$" in text and (math := re.fullmatch(r"\$+\s*([^$]+?)\s*\$+[.]?", text.strip())) is not None:
        text = math[1]
    return text.strip()


def _unsure(text: str) -> str:
    """The text without how confident it is."""
    return CONFIDENCE.sub("", text) if "onfidence" in text or "robability" in text or "ertain" in text or "%" in text else text


class _Located(dict[str, Reply]):
    """The last short replies, taken apart; all are dropped where there are too many."""

    def __missing__(self, answer: str) -> Reply:
        reply = Reply(answer)
        if len(answer) <= LONGEST_KEPT:
            if len(self) >= REPLIES_KEPT:
                self.clear()
            self[answer] = reply
        return reply


REPLIES_KEPT = 4096
located: Callable[[str], Reply] = _Located().__getitem__
"""The reply, taken apart; the last short ones are kept."""
