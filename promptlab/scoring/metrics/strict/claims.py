"""What each sentence of a reply says of the item's statement: a label, both labels in turn, or a label of another statement."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from promptlab.scoring.answers.places import Reply
from promptlab.scoring.answers.remarks import may_end, sentences
from promptlab.scoring.answers.text import key, western, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.polarity import CLUES, in_options

LONGEST = 1_500
"""Characters of the longest reply whose sentences are looked at one by one."""
_LABELS = frozenset(
    str.split(
        "plausible implausible valid invalid correct incorrect positive negative neutral entailment contradiction nonentailment "
        "yes no true false"
    )
)
_RELATES = regex(r"\b(?:entail|contradict|impl(?:y|ies)|follows?\b)", re.I)
_TRUTHS = frozenset({"yes", "no", "true", "false"})
_QUOTED = regex(r'"[^"\n]{2,200}"')
_CONCLUDES = regex(
    r"[\W_]*(?:so|therefore|thus|hence|consequently|overall|in (?:conclusion|summary|short|the end|fact)|however|but|yet|actually"
    r"|ultimately|finally|all in all|still|nevertheless|daher|deshalb|somit|folglich|insgesamt|letztlich|jedoch|allerdings|aber"
    r"|dennoch|trotzdem|donc|ainsi|cependant|toutefois|pourtant|mais|finalement|en (?:somme|conclusion|fin de compte)"
    r"|por (?:lo )?tanto|así que|sin embargo|no obstante|pero|en (?:definitiva|resumen|conclusión))\b"
    r"|[\W_]*(?:因此|所以|但|然而|不过|可是|总之|总的来说|综上|しかし|ただし|でも|したがって|よって|つまり|結論として|따라서|그러므로|하지만|그러나|결론적으로|결국)"
    r"|.*\b(?:is|are) (?:therefore|thus|hence|ultimately|actually)\b",
    re.I,
)
"""What a sentence has that settles what others before it leave open."""
_SUPPOSES = regex(
    r"\b(?:if|unless|would|could|may|might|some|many|people|others|at first|seems?|although|though|while|whether|wenn|falls|würde"
    r"|könnte|manche|viele|obwohl|si|serait|pourrait|certains|sería|podría|algunos|muchos|aunque)\b"
    r"|如果|若|可能|有人|虽然|もし|かも|場合|만약|수도|경우|려면|다면|라면|もし|ためには|要想|若要",
    re.I,
)
"""What a sentence has that only supposes, grants, or reports what others say."""
_STATEMENT = words(
    "statement sentence claim assertion proposition phrase idea aussage satz behauptung affirmation énoncé afirmación frase oración"
)
_STATED = regex(
    r"[\W\d]*(?:\w+[ ,']+){0,4}?(?:statement|sentence|claim|assertion|proposition|phrase|idea|aussage|satz|behauptung|affirmation|énoncé"
    r"|afirmación|frase|oración)(?:,? (?:that|dass|selon laquelle|selon lequel|de que|que)| ?:)? "
    r"(?P<stated>(?!(?:is|was|are|seems|ist|est|es|about)\b)[^\n]+)",
    re.I,
)
_NAME = regex(r"(?<![\w'])[A-ZÀ-Þ][\w'-]+ [A-ZÀ-Þ][\w'-]+")
_SUBJECT = regex(r"[\W\d]*(?P<stated>(?-i:[A-ZÀ-Þ][\w'-]+ [A-ZÀ-Þ][\w'-]+) [^,;.:!?\n]{5,100}?) (?:is|was|ist|est|es) ", re.I)
"""A statement that is the subject of a sentence, without quotes."""
_TURN = regex(r", (?=but (?:this|it|the|that)\b)", re.I)
_NEGATES = words("not never no nicht nie kein pas jamais nunca t")
_IS = (
    r"\b(?:is|are|was|were|means?|says?|answers?|seems|appears|sounds|looks|isn't|ist|sind|wirkt|klingt|est|sont|paraît|es|son|parece|resulta)\b"
    r"(?: (?!if\b|not\b)[\w']+){0,3}? [\"'(]*"
)


_CONDITION = (
    r"[\"')]*,? (?:only )?(?:if|provided|as long as|unless|wenn|falls|sofern|si|à condition"
    r"|siempre que)\b(?! (?:you ask|you know|you consider|you think|you take|consider|think|take|we|one|anything|any|not)\b)[^.!?;\n]*"
)
"""What a label depends on: "plausible if she bowls"."""
_CONDITIONS = words("if provided long unless wenn falls sofern si condition siempre")


class Claim(NamedTuple):
    """A label that a sentence gives, whether the sentence concludes, and to what it is given.

    `other`: to another statement than the item's. `this`: to what the item asks about, named as such or not at all.
    """

    option: str
    concludes: bool
    other: bool
    this: bool


_THIS = regex(
    r"[\W\d]*(?:[\w ]{2,20}, ?|(?:so|but|yet|however|therefore|overall|aber|also|donc|mais|pero) )?(?:not\b"
    r"|(?:it|this|that|these|es|das|dies\w*|sie|ce|cela|c'est"
    r"|ça|il|elle|esto|este|esta|eso)\b|(?:the|this|that|d(?:er|ie|as|iese\w?)|l[ea]|cette|cet|ce|el|l')\b ?(?:[\w']+ ){0,2}?(?:statement"
    r"|sentences?|claim|assertion|proposition|argument|reasoning|scenario|event|review|relation\w*|answer|conclusion|explanation|logic"
    r"|inference|aussage|satz|argumentation|schluss|behauptung|énoncé|phrase|affirmation|raisonnement|frase|oración|afirmación|argumento"
    r"|razonamiento)\b)",
    re.I,
)


@lru_cache(maxsize=1024)
def _judged(options: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], frozenset[str]] | None:
    """The patterns of an option, of one that a sentence says, and of one on a condition, and the words that may mean one.

    None for options of other kinds.
    """
    if not options or not all(key(option).replace(" ", "") in _LABELS for option in options):
        return None
    one = rf"(?<![\w-])(?:{'|'.join(map(re.escape, options))})(?![\w-])"
    keys = {key(option).replace(" ", "") for option in options}
    means = rf"{_IS}(?:an? )?[\"']?{one}(?! that\b)" if keys <= _TRUTHS else _IS + one
    east = "(?!)" if keys <= _TRUTHS else rf"[是はが은는이가] ?{one}|{one} ?(?:的|です|だ|입니다|합니다|하)"
    said = re.compile(f"{means}|{east}", re.I)
    return re.compile(one, re.I), said, re.compile(rf"{_IS}{one}{_CONDITION}", re.I), CLUES.union(*map(words, options))


def left(reply: Reply, options: tuple[str, ...], asked: str) -> str | None:
    """What is left of a reply that labels another statement, or one statement in two ways; '' for nothing, None for any other reply."""
    text, concluded = reply.head, reply.concluded
    known = _judged(options) if len(text) <= LONGEST and reply.corrected is None else None
    if known is None:
        return None
    one, says, depends, clues = known
    speaks_of = not _STATEMENT.isdisjoint(spoken := words(text)) or not _CONDITIONS.isdisjoint(spoken) or _SUBJECT.match(text) is not None
    if '"' not in text and not may_end(text) and not speaks_of:
        return None
    quotes = _QUOTED.findall(text) if '"' in text else []
    parts = sentences(_QUOTED.sub(_masked(), text) if quotes else text)
    parts = [each for part in parts for each in _TURN.split(part)] if ", but " in text else parts
    telling = [part for part in parts if not part.isascii() or not clues.isdisjoint(words(part))]
    if len(telling) < 2 and not quotes and not speaks_of:
        return None
    if concluded is not None and (not concluded.text or one.search(in_options(concluded.text, options)) is not None):
        return None
    found: dict[str, Claim] = {}
    for masked in telling:
        part = _unmasked(masked, quotes)
        if (claim := _claim(masked, part, options, one, says, asked)) is not None:
            found[masked] = claim
    own = [claim for claim in found.values() if not claim.other]
    dropped = len(own) < len(found)
    if not found:
        naming = [said for part in telling if one.search(said := in_options(part, options))]
        return "" if naming and all(map(depends.search, naming)) else None
    if dropped and not own:
        rest = " ".join(_unmasked(part, quotes) for part in parts if part not in found)
        return rest if one.search(in_options(rest, options)) else ""
    if len({claim.option for claim in own}) < 2:
        return own[-1].option if dropped or (own and own[-1].concludes) else None
    own = [claim for claim in own if claim.this] or own
    if len({claim.option for claim in own}) < 2:
        return own[0].option
    last = next((claim for claim in reversed(own) if claim.concludes), None)
    return last.option if last is not None and own[-1].option == last.option else ""


def _masked() -> Callable[[re.Match[str]], str]:
    """What puts a private character in place of each text in quotes."""
    count = iter(range(0xE100, 0xF000))
    return lambda match: chr(next(count))


def _unmasked(part: str, quotes: list[str]) -> str:
    for n, quoted in enumerate(quotes):
        part = part.replace(chr(0xE100 + n), quoted)
    return part


def _claim(masked: str, part: str, options: tuple[str, ...], one: re.Pattern[str], says: re.Pattern[str], asked: str) -> Claim | None:
    """The label that a sentence gives to a statement; None where it gives none or several, or only supposes one."""
    if _SUPPOSES.search(masked) is not None:
        return None
    said = in_options(masked, options).strip(" .!*\"'")
    told = says.search(said)
    named = {match[0].casefold() for match in one.finditer(told[0] if told is not None and _TRUTHS & set(map(key, options)) else said)}
    if len(named) != 1 or not (one.fullmatch(said) or told or (_RELATES.search(masked) is not None and one.search(masked) is None)):
        return None
    option = next(option for option in options if option.casefold() in named)
    concludes = _CONCLUDES.match(masked) is not None
    this = concludes or not western(masked) or _THIS.match(masked) is not None or one.match(masked.lstrip(" \"'*(")) is not None
    return Claim(option, concludes, _of_another(part, asked), this)


def _of_another(part: str, asked: str) -> bool:
    """Whether a sentence speaks of a statement about others than the item's, or of the item's statement denied."""
    quoted = _QUOTED.search(part)
    found = None if quoted is not None else _STATED.match(part) or _SUBJECT.match(part)
    stated = quoted[0] if quoted is not None else found["stated"] if found is not None else ""
    if not stated or key(asked) in key(stated):
        return False
    own, told = words(asked), words(stated)
    names = _NAME.findall(stated)
    if names and _NAME.search(asked) is not None and all(own.isdisjoint(words(name)) for name in names):
        return True
    return quoted is not None and bool(_NEGATES & told) and not _NEGATES & own and len(own & told) > 1


def heads_each(text: str, options: tuple[str, ...]) -> bool:
    """Whether a text has every option as the heading of something: "Positive: the cast. Negative: the plot." """
    if text.count(":") < max(2, len(options)):
        return False
    heads = [key(head) for head in _HEAD.findall(text)]
    return all(heads.count(key(option)) == 1 for option in options)


_HEAD = regex(r"(?:^|\n|[.!?;]\s)[\W_]*(\w[\w -]{0,30}):\s+(?![\d.]+\s?%?|yes\b|no\b|true\b|false\b)(?=\S+ \S+ )", re.I)


_BECAUSE = ("because", "since", "as ", "weil", "car ", "parce", "porque")


def says_of_several(text: str, options: tuple[str, ...]) -> bool:
    """Whether sentences that open with different options continue alike: "Heat is similar. Jaws is similar." """
    if len(text) > LONGEST:
        return False
    said: dict[str, set[str]] = {}
    for part in sentences(text):
        bare = part.lstrip(" \"'*-").casefold()
        for option in options:
            if bare.startswith(option.casefold()) and not bare[len(option) : len(option) + 1].isalnum():
                rest = " ".join(bare[len(option) :].split()[:2]).rstrip(".!")
                said.setdefault("" if rest.startswith(_BECAUSE) else rest, set()).add(option)
    return any(len(named) > 1 for named in said.values())
