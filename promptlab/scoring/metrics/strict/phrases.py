"""Answers that are words: one, a phrase or a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import DENIED_AFTER, denied_before, denying
from promptlab.scoring.answers.places import Reply, located
from promptlab.scoring.answers.text import fold, key, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict import replies
from promptlab.scoring.metrics.strict.dictionary import COPULA, MOST_AROUND, forms_of, may_say_grammar
from promptlab.scoring.metrics.strict.lacking import keys, longer, longest, unlisted, unsaying
from promptlab.scoring.metrics.strict.named import called, joined, refused
from promptlab.scoring.metrics.strict.notations import spelled_number


def text(reply: Reply, item: Item) -> Scored:
    """A sentence or phrase: equal to a target in case-blind words."""
    return replies.found(reply, item, partial(_sentences, item=item))


_DIGIT = regex(r"\d")
_SMALL = ("the", "a", "an", "of", "in", "our", "your")
_WHEN = regex(r"(?:^|\s)(?:at|on|in|am|um|le|à|el|a las)\s+(?P<when>[^,;]{0,30}\d[^,;]{0,30})$", re.I)
"""A date or a time of day with its preposition: "it ended on 4 March 2019"."""


def _sentences(reply: Reply, item: Item) -> Iterator[tuple[str, str]]:
    dated = _dated(item.targets)
    for reading, rule in replies.readings(reply):
        yield reading, rule
        if dated and (when := _WHEN.search(reading)) is not None and not denying(reading):
            yield when["when"], rule
    if len(reply.text) < 300 and _may_name_form(reply.unremarked) and (form := _IS_FORM.fullmatch(reply.unremarked)) is not None:
        yield form["said"].strip(replies.OUTSIDE), "statement"
    if len(reply.text) < 300 and not denying(reply.unremarked):
        for said in filter(None, (reply.unremarked, reply.states)):
            yield from ((part, "statement") for part in _of_question(said, item.input))
    if '"' in reply.text and len(reply.text) < 2000 and reply.concluded is None:
        for quoted in _QUOTES.finditer(reply.unremarked):
            if not denied_before(reply.unremarked[: quoted.start()]):
                yield quoted["said"], "quoted"


@lru_cache(maxsize=4096)
def _dated(targets: tuple[str, ...]) -> bool:
    return any(_DIGIT.search(target) for target in targets)


@lru_cache(maxsize=4096)
def _known(asked: str) -> frozenset[str]:
    """The words of an input, and small ones."""
    return frozenset({*key(asked).split(), *key(asked.replace("'s", "")).split(), *_SMALL})


def _of_question(said: str, asked: str) -> Iterator[str]:
    """What a sentence says of the thing that its input asks for: "The capital of France is Paris", "Paris is the capital"."""
    if not said.isascii() and (eastern := _IS_EASTERN.fullmatch(said)) is not None and eastern["head"] in fold(asked):
        yield eastern["tail"].strip(replies.OUTSIDE)
    known = _known(asked)
    for told in filter(None, map(replies.SAYS.match, dict.fromkeys((said, said.replace("'s ", " "))))):
        for about, rest in ((told["head"], told["tail"]), (told["tail"], told["head"])):
            if len(subject := key(about).split()) > 1 and known.issuperset(subject):
                yield rest.strip(replies.OUTSIDE)
                yield replies.explains(rest).strip(replies.OUTSIDE)


_IS_FORM = regex(
    r"(?P<said>[^\n]{3,200}?)[.!]?[\"']? ?(?:(?:is|would be) (?:the|its|a) (?:negat|passive|past|formal|future)\w*"
    r"|(?:ist|wäre) (?:die|eine) (?:verneinung|negation|passiv\w*)|(?:est|serait) (?:la|une) (?:négation|forme|phrase|voix)"
    r"|(?:es|sería) (?:la|una) (?:negación|forma|oración|voz)|是[^。]{0,12}(?:否定|被动|被動)|[がは][^。]{0,12}(?:否定|受動|受け身)"
    r"|[이가은는] [^.]{0,12}(?:부정|수동))[^.\n]{0,60}[.。]?",
    re.I,
)
"""A sentence, and the form of the input that it is: "X is the negation of the sentence"."""
_FORMS = ("negat", "passiv", "past", "form", "future", "verneinung", "phrase", "voix", "voz")


def _may_name_form(text: str) -> bool:
    return not text.isascii() or any(map(text.lower().__contains__, _FORMS))


_IS_EASTERN = regex(r"(?P<head>[^。\n]{2,60}?)(?:是|は|[은는])[、,]? ?(?P<tail>[^。\n]{1,60}?)(?:です|である|입니다|이다)?[。.]?")
_QUOTES = regex(r"(?:\b(?:is|are|would be|as|becomes|to|but)[\s:]+|[=:>]\s*|^)\"(?P<said>[^\"\n]+)\"(?=[.!]?$|[.!]?\s)")
_LANGUAGE = regex(r"(?:en|auf|in) \w+", re.I)
_MEANS = regex(r"\s(?:means|bedeutet|significa|signifie|veut dire|translates (?:to|as))\s", re.I)
_MEAN = words("means bedeutet significa signifie veut translates")
_MEANS_OF = regex(r"^(?:the|an?|to) | in english$")
_SAID_OF = regex(r"^(?:the|a|an|one|its|das|die|der|ein|eine|le|la|el|un|une|una|opposite (?:to|of))\s", re.I)


def word(reply: Reply, item: Item) -> Scored:
    """A word or short phrase, in a sentence that says so or in a list of right answers only; articles do not count."""
    targets = keys(item.targets)
    asked = key(item.input)
    unsaid = unsaying(item.targets)
    most = longest(item.targets) + MOST_AROUND
    seen: set[str] = set()
    done: set[str] = set()

    def readings(reply: Reply) -> Iterator[tuple[str, str]]:
        for reading, rule in replies.readings(reply):
            if reading in seen or unsaid(reading):
                yield reading, rule
                continue
            seen.add(reading)
            said: list[str] = []
            for text in _with(reading, asked, said):
                if text is not reading and unsaid(text):
                    continue
                if text in done:
                    yield text, rule
                else:
                    done.add(text)
                    for form in [text] if longer(text, most) and not may_say_grammar(text) else forms_of(text):
                        yield form, rule
            if len(reading) > 300 or unlisted(reading, item.targets):
                continue
            if not (_LIST_MARKS.search(reading) or not _JOINS.isdisjoint(words(reading))):
                continue
            if _LISTS.search(reading) is None or _of_another(reading, asked):
                continue
            for text in dict.fromkeys((reading, *(said if not denying(reading) else ()))):
                listed = [
                    part for part in replies.LISTED.split(replies.bulleted(COPULA.sub("", replies.unnumbered(text, "\n")).strip())) if part
                ]
                if (
                    1 < len(listed) <= 8
                    and not any(map(unsaid, reversed(listed)))
                    and all(any(key(b) in targets and key(b) != asked for b in forms_of(part)) for part in listed)
                ):
                    yield listed[0], rule
        if " " in reply.text and reply.concluded is None and reply.corrected is None and not _of_another(reply.unremarked, asked):
            yield from ((text, "statement") for text in called(reply.unremarked, item))

    if (text := joined(reply.text)) is not reply.text and not any(joined(target) != target for target in item.targets):
        reply = located(text)
    if " " in reply.text and refused(reply.unremarked) and reply.concluded is None and reply.corrected is None:
        return Scored(0.0, None, "denied")
    return replies.found(reply, item, readings)


def _with(reading: str, asked: str, said: list[str]) -> Iterator[str]:
    """A reading, and then what it says, with which `said` is filled."""
    yield reading
    said += _says(reading, asked)
    yield from said


def _says(reading: str, asked: str) -> list[str]:
    """What a reading says of the input: the parts of its sentence that may be the answer."""
    if reading.isalnum() or len(reading) > 300 or _of_another(reading, asked):
        return []
    said = list(_told(reading, asked)) if len(reading) < 200 and not denying(reading) and not _of_both(reading) else []
    if replies.may_say(reading) and (says := replies.SAYS.match(reading)) is not None:
        tail = says["tail"].strip(" \"'.!")
        head = says["head"].strip(" \"'")
        if not denying(head):
            said.append(tail)
            if cut := replies.explains(tail):
                said.append(cut)
        if _LANGUAGE.fullmatch(tail):
            said.append(head)
        if asked and not _MEAN.isdisjoint(words(reading)) and _MEANS.search(reading) and _MEANS_OF.sub("", key(tail)) == asked:
            said.append(head)
        if (
            (_SAID_OF.match(tail) or (asked and (key(tail).startswith(f"{asked} ") or key(tail).endswith(f" for {asked}"))))
            and key(head) != asked
            and not key(tail).startswith("not ")
            and key(tail) != "a synonym"
            and not _of_both(reading)
        ):
            said.append(head)
    said += _related(reading)
    if (" no" in reading or "n't" in reading) and (does := _DOES.fullmatch(reading)) is not None:
        said.append(does["said"])
    if (only := _only_other(reading, asked)) is not None:
        said.append(only)
    return said


_DOES = regex(r"[^.;]+(?: not?|n't)\b[^.;]*[,;] (?:but )?(?P<said>[^,;]{1,60}?) (?:does|do|is|are|would)\W*", re.I)
"""What is left where the first does not: "A does not rhyme, but B does"."""
_OTHER_WORD = regex(
    r"\bsynonym\b.*\b(?:antonym|opposite)\b|(?:[同類]義語|[同近]义词|동의어|유의어).*(?:対義語|反[対意義]語|反义词|반의어|반대말)"
    r"|(?:対義語|反[対意義]語|反义词|반의어|반대말).*(?:[同類]義語|[同近]义词|동의어|유의어)"
)


def _of_both(reading: str) -> bool:
    """Whether a text speaks of a synonym and of its opposite."""
    return ("synonym" in reading or not reading.isascii()) and _OTHER_WORD.search(reading) is not None


_LIST_MARKS = regex(r"[,/;|\n*•·、)-]")
_JOINS = words(replies.JOINS)
_LISTS = regex(rf"[,/;|\n、]|\s(?:{replies.JOINS})\s|[-*•·)]\s")


_LINE = regex(r"^[-*• ]*[^:\n]{1,40}:\s+(?P<value>[^\n]+)$", re.M)


_RELATION_OF = regex(
    r"\b(?:the|an?) (?:\w+ )?(?:synonym|antonym|opposite|plural|translation|word|term|name)"
    r" (?:of|for|to) ([^.;,\n]+?)(?= (?:is|are|would be)\b|[.;,\n]|$)",
    re.I,
)
_ITSELF = frozenset({"it", "that", "this", "word", "this word", "that word", "given word", "input", "input word"})


def _of_another(reading: str, asked: str) -> bool:
    """Whether a text gives the relation of another word than the input's, and not that of the input."""
    of = _RELATION_OF.search(reading) if " of " in reading or " for " in reading or " to " in reading else None
    if of is None or not asked or asked in key(reading):
        return False
    other = key(replies.ARTICLE.sub("", of[1]))
    return other not in _ITSELF and len(other.split()) < 3


_RELATION = regex(r"\b(?:antonym|opposite|plural|pl(?=\.\))|translation|rhyme)\b", re.I)
_RELATED = regex(
    rf"(?:the|its|an?) [^.;\n]{{0,30}}?{_RELATION.pattern}[^.;\n]{{0,40}}? (?:is|would be):? (?P<last>[^.;\n]+)"
    rf"|(?P<named>[\w' -]+) \((?:the )?{_RELATION.pattern}(?: form)?\.?\)"
    rf"|(?P<first>[^.;\n]+?) (?:is|would be) (?:the|its|an?) (?:\w+ )?{_RELATION.pattern}.*",
    re.I,
)


def _related(reading: str) -> Iterator[str]:
    """What the clauses of a text give the requested relation: "warm is a synonym; the antonym is cold"."""
    low = reading.lower()
    if not ("antonym" in low or "opposite" in low or "plural" in low or "pl." in low or "translation" in low or "rhyme" in low):
        return
    for clause in re.split(r"[;.,]\s+", reading) if _RELATION.search(reading) else ():
        if (match := _RELATED.fullmatch(clause.strip(" .!"))) is not None and not denying(clause):
            yield (match["last"] or match["named"] or match["first"]).strip(replies.OUTSIDE)


def _only_other(reading: str, asked: str) -> str | None:
    """The value of the only line "name: value" that is not the input's, where one line is."""
    if "\n" not in reading:
        return None
    values = [match["value"].strip(replies.OUTSIDE) for match in _LINE.finditer(reading)]
    others = [value for value in values if key(value) != asked]
    return others[0] if len(others) == 1 and len(others) < len(values) else None


_DENIED_AFTER = regex(
    rf"{DENIED_AFTER}|[\"']?,? (?:makes? (?:no|without|little) sense|means? something (?:else|different)"
    r"|(?:does|do|did)(?:n't| not) (?:fit|work|apply|make sense)|(?:bedeutet|heißt) etwas anderes|veut dire autre chose"
    r"|significa otra cosa)\b",
    re.I,
)
_FITS = regex(
    r"(?P<said>[^.;,:\n]{1,40}?)[\"']? ?(?:(?:fits|works|suits|sounds)(?: (?:it|better|best|well|here|perfectly|most)){0,3}"
    r"|(?:is|would be) (?:the |a )?(?:better|best)(?: (?:fit|choice|option))?|(?:passt|wäre|ist) (?:hier )?(?:besser|am besten)"
    r"|(?:convient|va|colle) (?:mieux|le mieux)|(?:encaja|queda) mejor|更?(?:合适|贴切|恰当)|の(?:方|ほう)が(?:適切|合って)\w*"
    r"|[이가] (?:더|가장) (?:적절|알맞|잘 맞|어울)\w*)\W*",
    re.I,
)
"""What a reply says of a word that it prefers."""


def _may_fit(text: str) -> bool:
    low = text.lower()
    fits = "fits" in low or "works" in low or "suits" in low or "sounds" in low or "best" in low or "better" in low or "besser" in low
    return fits or "mieux" in low or "mejor" in low or not text.isascii()


_SAYS_LAST = regex(r"^.{1,200}\s(?:is|are|means|becomes|would be)[\s:]+(?P<tail>.+)$", re.S)
_IS = words("is are means becomes would")
_MANY = regex(r"(?:one|an?) .+[,;] (?:two|many|several|three) (.+?)[.!]?", re.I)
_AFTER_ASKED = regex(r"^(?:par|como|por|as|to|into|mit|als|in \w+)[\s:]+", re.I)
_IS_OF = regex(r" is (?:the |an? )?(?:opposite|antonym|synonym|singular|contrary) (?:of|to|for) (.+)", re.I)
_PARENTHESIS = regex(r"\s*\([^()\n]*\)\s*")
_RELATES = regex("[-=>→↔⟷⇄<≠:/|]")
_ALIKE = regex(r"\s*(?:↔|⟷|⇄|<->|≠|\b(?:vs\.?|rhymes with|is the (?:opposite|reverse) of)\s)\s*")
"""What holds in both directions, so that the answer may come before the input."""


def _may_be_alike(text: str) -> bool:
    return "vs" in text or "rhymes with" in text or "is the " in text or "<->" in text or not text.isascii()


_BESIDE = regex(r"(?=[\s=>→↔⟷⇄<≠:/|vr-])\s*(?:->|=>|>>|→|↔|⟷|⇄|<->|≠|-|:|/|\||=|\bvs\.?|rhymes with)\s*")


def _told(reading: str, asked: str) -> Iterator[str]:
    """What a sentence says last, its only quoted words that are not the input's, a numbered line, and what accompanies the input."""
    if not _IS.isdisjoint(words(reading)) and (last := _SAYS_LAST.match(reading)) is not None:
        yield last["tail"].strip(" \"'.!")
    if '"' in reading or "'" in reading:
        quoted = {
            one[1] for one in replies.QUOTED.finditer(reading) if key(one[1]) != asked and _DENIED_AFTER.match(reading, one.end()) is None
        }
        if len(quoted) == 1:
            yield quoted.pop()
    if not reading.isascii() and replies.NOT_EASTERN.search(reading) is None:
        known = key(asked).split()
        named = [text for text in replies.EASTERN.sub(" ", reading).split() if key(text) and key(text) not in known]
        if len(named) == 1:
            yield named[0].strip(f"{replies.OUTSIDE}。.,;:、")
    if (bare := replies.unnumbered(reading, most=1)) != reading:
        yield bare.strip()
    if reading[:1] in "oOaA" and (many := _MANY.fullmatch(reading)) is not None:
        yield many[1]
    if _may_fit(reading) and (fits := _FITS.fullmatch(reading)) is not None:
        yield fits["said"].strip(replies.OUTSIDE)
    if asked and reading[: len(asked)].casefold() == asked and (of := _IS_OF.match(reading, len(asked))):
        yield of[1].strip(" \"'.!")
    if asked and (at := reading.casefold().rfind(asked)) > 0:
        yield _AFTER_ASKED.sub("", reading[at + len(asked) :].strip(replies.OUTSIDE))
    if not (_RELATES.search(reading) or "vs" in reading or "rhymes with" in reading or "is the " in reading):
        return
    beside = _BESIDE.split(_PARENTHESIS.sub(" ", reading) if "(" in reading else reading, maxsplit=1)
    if (
        _may_be_alike(reading)
        and len(both := _ALIKE.split(reading)) == 2
        and asked == key(replies.ARTICLE.sub("", both[1].strip(replies.OUTSIDE)))
    ):
        yield both[0].strip(replies.OUTSIDE)
    if len(beside) == 2 and asked in (key(beside[0]), key(replies.ARTICLE.sub("", beside[0]))):
        yield beside[1]


def rhyme(reply: Reply, item: Item) -> Scored:
    """A word that rhymes; the input itself never does."""
    return word(reply, _without_itself(item)) if key(reply.text) != key(item.input) else Scored(0.0, None)


@lru_cache(maxsize=4096)
def _without_itself(item: Item) -> Item:
    return replace(item, targets=tuple(target for target in item.targets if key(target) != key(item.input)))


@lru_cache(maxsize=4096)
def _numbers(targets: tuple[str, ...]) -> frozenset[int]:
    return frozenset(n for target in targets for n in spelled_number(fold(target)))


def spelled(reply: Reply, item: Item) -> Scored:
    """A number in English words; with or without "and", hyphens and commas; digits do not count."""
    wanted = _numbers(item.targets)
    if reply.denied:
        return Scored(0.0, None, "denied")
    concluded = reply.concluded is not None and bool(reply.concluded.text)
    for reading, rule in replies.readings(reply):
        if concluded and rule != "conclusion":
            continue
        says = replies.SAYS.match(reading) if replies.may_say(reading) else None
        quoted = re.findall(r"\"([^\"]+)(?:\"|$)", reading) if '"' in reading else []
        for part in (*quoted[-1:], *([says["tail"]] if says else []), replies.unnumbered(reading)):
            if any(c.isdigit() for c in part):
                continue
            found = set(spelled_number(part))
            if len(found) == 1:
                return Scored(float(found.pop() in wanted), part, rule)
    return Scored(0.0, None)
