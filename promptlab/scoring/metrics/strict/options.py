"""Answers that choose among options, given or found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from promptlab.nouns.call import Scored
from promptlab.nouns.item import Item
from promptlab.scoring.answers.denials import denied_before
from promptlab.scoring.answers.places import Reply, located
from promptlab.scoring.answers.text import fold, key, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics import bigbench
from promptlab.scoring.metrics.strict import claims, replies
from promptlab.scoring.metrics.strict.cores import by_core
from promptlab.scoring.metrics.strict.implied import agrees, fallacious, left_over, names_place, placed
from promptlab.scoring.metrics.strict.judged import judgment
from promptlab.scoring.metrics.strict.numerals import valued
from promptlab.scoring.metrics.strict.polarity import in_options
from promptlab.scoring.metrics.strict.rated import names_of, rated
from promptlab.scoring.metrics.strict.roles import NEVER, Roles, by_role, compared
from promptlab.scoring.metrics.strict.undecided import remaining, undecided
from promptlab.scoring.metrics.strict.unmeant import as_sarcastic
from promptlab.scoring.metrics.strict.vocabulary import with_labels
from promptlab.scoring.metrics.strict.walks import ends_where_it_began
from promptlab.scoring.metrics.strict.weights import heavier, lighter


def _settled(reply: Reply, item: Item) -> Scored:
    """The option that the clearest place of a reply settles on."""
    rule = ""
    for text, rule in _places(reply, item.choices or item.targets):
        if (option := bigbench.chosen(text, item)) is not None:
            return bigbench.graded(option, item, rule)
    return Scored(0.0, None, rule)


def _places(reply: Reply, options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if reply.corrected is not None:
        yield reply.corrected, "correction"
    if reply.wrapper:
        yield reply.text, reply.wrapper
    if reply.concluded is not None:
        yield _BEFORE_ASIDE.sub(r"\1", reply.concluded.text), "conclusion"
    if reply.decides is not None:
        yield reply.decides, "decision"
    if reply.unremarked != reply.text:
        remarks = f" {key(reply.text.replace(reply.unremarked, ' '))} "
        if reply.unremarked and not any(remarks.startswith(f" {key(option)} ") for option in options):
            yield reply.unremarked, "without remarks"
    yield reply.whole, "whole"


_BEFORE_ASIDE = regex(r"^(\(?[a-e]\)) \((?!or\b)[^\n]*$", re.I)


def label(reply: Reply, item: Item) -> Scored:
    """One of the item's options."""
    item = item if item.choices else with_labels(item)
    if reply.text in item.choices:
        return bigbench.choice(reply.text, item)
    if (likeliest := rated(reply.whole, item.choices)) is not None:
        return replace(bigbench.choice(likeliest, item), rule="likeliest")
    if (rest := remaining(reply.whole, item.choices)) is not None:
        return replace(bigbench.choice(rest, item), rule="remaining")
    if claims.heads_each(reply.text, item.choices):
        return Scored(0.0, None, "each option")
    if reply.concluded is None and (left := left_over(reply.head, item.choices)) is not None:
        reply = located(left)
    scored = _settled(_in_options(reply, item.choices), item)
    return scored if scored.extracted is not None else _implied(reply, item, item.choices)


def _implied(reply: Reply, item: Item, options: tuple[str, ...]) -> Scored:
    """The option that a reply names by its place, or by saying what a yes-or-no question asks."""
    if (place := placed(reply, len(options))) is not None and place < len(options):
        lettered = bigbench.choice("abcde"[place], item)
        return replace(lettered if lettered.extracted is not None else bigbench.choice(str(place + 1), item), rule="place")
    if names_place(reply.said) and (pair := _OF_BOTH.fullmatch(reply.said)) is not None:
        names = [names_of(options).get(key(pair[which])) for which in ("former", "latter")]
        if all(names) and names[0] != names[1]:
            return replace(bigbench.choice(names[pair["nth"].casefold() == "latter"] or "", item), rule="place")
    if len(options) == 2 and (fallacy := fallacious(reply.unremarked, options)) is not None:
        return replace(bigbench.choice(fallacy, item), rule="what it says")
    if len(options) != 2 or (keys := frozenset(map(key, options))) not in _YES_NO:
        return Scored(0.0, None)
    walked = ends_where_it_began(reply.unremarked, item.input)
    if (said := agrees(reply, item.input) if walked is None else walked) is not None:
        word = keys & (_YES if said else _NO)
        return replace(bigbench.choice(next(iter(word)), item), rule="what it says")
    return Scored(0.0, None)


_OF_BOTH = regex(
    r"\W*(?:between|of|out of|from) (?P<former>[^\n]{1,80}?) and (?P<latter>[^\n]{1,80}?)[,:;]? "
    r"(?:(?:it's|it is|the answer is|i(?:'d| would)? (?:choose|pick|say|go with)) )?the (?P<nth>former|latter)(?: fits(?: better)?)?\W*",
    re.I,
)
"""Two options, and which of them: "Between billing and bug, the latter." """
_YES, _NO = frozenset({"yes", "true"}), frozenset({"no", "false"})
_YES_NO = (frozenset({"yes", "no"}), frozenset({"true", "false"}))


def _in_options(reply: Reply, options: tuple[str, ...]) -> Reply:
    """The reply with synonyms and denials as options."""
    text = in_options(reply.head, options)
    return reply if text == reply.text else located(text)


_RULED_OUT = regex(
    r"\b(?:rul(?:es?|ed|ing) out|exclud(?:es?|ed|ing)|eliminat(?:es?|ed|ing)|no longer|can't be|cannot be"
    r"|instead of|rather than)\s+(?:the )?[\w-]+(?:\s+(?:and|or)\s+(?:the )?[\w-]+)?",
    re.I,
)
_RULING = words(
    "rule rules ruled ruling exclude excludes excluded excluding eliminate eliminates eliminated eliminating no be instead rather"
)
_PLACED = regex(
    r"\W*(?:the )?(?:(?P<first>first|former|1st|1)|(?P<second>second|latter|2nd|2))(?: one| statement| option| sentence)?\W*"
    r"|\W*(?:statement|option|sentence|choice) \(?(?:(?P<a>a|1)|b|2)\)?\W*",
    re.I,
)
_SARCASM = Roles(
    regex(
        r"sar[ck][aá]s\w*|\bir[oó]n(?:ic|y|i[aeq]\w*|isch\w*|ico)\b|\bsnark\w*|✅|\byes\W*$"
        r"|讽刺|反讽|諷刺|皮肉|嫌味|비꼬|비꼼|풍자|반어|빈정",
        re.I,
    ),
    regex(
        r"\b(?:sincere\w*|genuine\w*|literal\w*|serious\w*|premier degré|earnest\w*|straightforward|factual|plain|non-sarcastic|honest\w*"
        r"|means? it(?=\s*(?:[.;,!]|$))|true statement"
        r"|(?:without|no) (?:any )?(?:sarcas|iron)\w*|ernst\w*|aufrichtig\w*|ehrlich\w*|wörtlich|sincères?|sérieu\w+"
        r"|littérale?|sincer[oa]s?|seri[oa]s?|literale?)\b|❌|\bno\W*$"
        r"|[认認]真|真[诚誠心]|[严嚴][肃肅]|字面|誠実|本気|真面目|文字通り|진심|진지|문자 그대로",
        re.I,
    ),
    regex(
        r"\bmore (?:sarcastic|ironic)\b|\b(?:sarkast|iron)ischer(?: \w+)? als\b|\b(?:plus|más|più|mais) (?:sarc"
        r"|ir[oó]n)\w+ (?:que?|di|do)\b",
        re.I,
    ),
    regex(
        r"\bless (?:(?:sarcastic|ironic)\b|(?:so )?than\b)|\b(?:moins|menos|meno|weniger) (?:sarc|sark|ir[oó]n)\w+ (?:que?|di|do|als)\b",
        re.I,
    ),
)
_LETTERED = regex(
    r"(?:\b(?:statement|option|sentence|choice) )?(?:\((?:(?P<o0>a)|(?P<o1>b))\)|(?<!\w)(?:(?P<p0>a)|(?P<p1>b))\)|\b(?:(?P<q0>a)"
    r"|(?P<q1>b))(?= ?[:=]|$))"
    r"|(?:选项|選項|選択肢|선택지|보기|陈述|语句|\b(?:aussage|äußerung|satz|énoncé|phrase|affirmation|opción|frase|oración)) ?"
    r"(?:(?P<u0>a)|(?P<u1>b))(?![a-z])"
    r"|\b(?:statement|option|sentence|choice) (?:(?P<s0>a)|(?P<s1>b))\b|(?<!\w)(?:(?P<t1>b)(?= is))"
    r"|(?<![a-z])(?:(?P<v0>a)|(?P<v1>b)) ?(?=[은는이가はが是]|选项|句)|(?<=是 )(?:(?P<w0>a)|(?P<w1>b))(?![a-z])"
    r"|\bthe (?:(?P<r0>first|former)|(?P<r1>second|latter))(?: one| statement| option| sentence)?\b",
    re.I | re.M,
)
_AB = regex(r"\(a\)\s*(?P<o0>.+?)\s*\(b\)\s*(?P<o1>.+)", re.S)


def choice(reply: Reply, item: Item) -> Scored:
    """The option that a reply settles on; its own grade where options are graded in fractions."""
    item = item if item.choices else with_labels(item)
    options, whole = item.choices or item.targets, reply.whole
    if reply.text in options:
        return bigbench.choice(reply.text, item)
    if (likeliest := rated(reply.whole, options)) is not None:
        return replace(bigbench.choice(likeliest, item), rule="likeliest")
    if reply.concluded is None and _are_a_and_b(options) and (chosen := _of_statements(reply, item)) is not None:
        return replace(bigbench.choice("(a)" if chosen == 0 else "(b)", item), rule="role")
    if (rest := remaining(reply.whole, options)) is not None:
        return replace(bigbench.choice(rest, item), rule="remaining")
    if (by_number := valued(reply, options)) is not None:
        return replace(bigbench.choice(by_number, item), rule="number")
    if (
        reply.concluded is None
        and not _OTHERS.isdisjoint(words(reply.head))
        and (granted := _granted(reply.head)) is not None
        and granted["others"]
        and granted["turn"]
    ):
        reply = located(reply.head[granted.end() :])
    if reply.concluded is None and (left := left_over(reply.head, options)) is not None:
        reply = located(left)
    if (own := claims.left(reply, options, item.input)) is not None:
        if not own:
            return Scored(0.0, None, "unsettled")
        reply = located(own)
    if (word := judgment(reply, item.input, options)) is not None:
        return replace(bigbench.choice(word, item), rule="judgment")
    told, reply = reply, _in_options(reply, options)
    scored = _settled(reply, item)
    if not reply.text and (core := by_core(told.said, options)) is not None:  # its own words are all that is not denied
        return replace(bigbench.choice(core, item), rule="core")
    if scored.extracted is None and reply.text:
        keys = names_of(options)
        if len(keys) == len(options):
            for place in (reply.text, *(text for text, _ in _places(reply, options))):
                if (same := keys.get(key(replies.ARTICLE.sub("", place)))) is not None:
                    return bigbench.choice(same, item)
        if (undecidable := undecided(whole, options)) is not None and not by_core(undecidable.after, options):
            return replace(bigbench.choice(undecidable.option, item), rule="undecided")
        if (core := by_core(reply.decides or reply.said, options)) is not None:
            return replace(bigbench.choice(core, item), rule="core")
        for head, rule in _opening(reply.text, options):
            if (opened := bigbench.choice(head, item)).extracted is not None:
                return replace(opened, rule=rule)
        return _implied(reply, item, options)
    return scored


@lru_cache(maxsize=4096)
def _are_a_and_b(options: tuple[str, ...]) -> bool:
    return sorted(map(key, options)) == ["a", "b"]


@lru_cache(maxsize=4096)
def _words(options: tuple[str, ...]) -> frozenset[str]:
    """The words of all options, and those that join or label them."""
    return frozenset({word for option in options for word in key(option).split()} | {"and", "or", "a", "b", "c", "d", "the"})


def _of_statements(reply: Reply, item: Item) -> int | None:
    """Which of the statements (a) and (b) of the input a reply means, by its place, its words or its role."""
    if (placed := _PLACED.fullmatch(reply.unremarked)) is not None:
        return 0 if placed["first"] or placed["a"] else 1
    if not reply.head.isascii() and (told := compared(reply.head, _LETTERED, _SARCASM.asked, NEVER)) is not None:
        return told
    if (both := _AB.search(fold(item.input))) is not None:
        said = key(reply.text)
        quotes = [i for i in (0, 1) if key(both[f"o{i}"]) and key(both[f"o{i}"]) in said]
        head = reply.head
        for i in quotes:
            head = re.sub(rf"[\"'(]*{re.escape(both[f'o{i}'].strip(' .!?'))}[.!?]*[\"')]*", f" ({'ab'[i]}) ", head, flags=re.I)
        told = by_role(as_sarcastic(head), _LETTERED, _SARCASM)
        return quotes[0] if told is None and len(quotes) == 1 and not said.startswith(("a ", "b ")) else told
    return by_role(as_sarcastic(reply.head), _LETTERED, _SARCASM)


_OTHERS_SAY = regex(
    r"^[^.!?\n]{0,80}\b(?:(?P<others>many|most(?! likely| probably)|some|people|one|you)\b(?: \w+){0,3}? (?:say|think|thinks"
    r"|believe|consider"
    r"|assume|expect|guess|call|answer|argue|see|read|hear|choose|pick)\b|might (?:seem|think|look)|may seem|seems?|sounds?|looks"
    r"|at first|often|commonly|common\w*|although|though|while|even though)\b[^.!?\n]{0,80}?"
    r"(?:,|;| -)\s*(?P<turn>but |yet |however,? |actually,? |in fact,? )?(?=\S)"
    r"|^(?!it\b|this\b|that\b|i\b|my\b|the answer\b)[^.!?\n,]{1,60}? (?:is|are|was|has|have) (?![^.!?\n,]*\b(?:right|correct|answer"
    r"|best|fits?)\b)[^.!?\n,]{1,80}, (?:but|yet) "
    r"(?=[^.!?\n]{1,60} (?:is|are|was)\b)",
    re.I,
)
"""What a reply grants before it says its own: "Many think that it is X, but ...", "X is the largest, but ..."."""
_OTHERS = words("many most some people one you")
_SO = regex(r"[,;.:\n]\s+(?:and )?(?:so|thus|therefore|hence|consequently|which leaves|that (?:only )?leaves|leaving)\b[\s,]+", re.I)
_REMAINS = regex(r" (?:remains|is left|is the only)\b", re.I)
_CLAUSE_ENDS = regex(
    r";\s|,\s(?:while|whereas|and not|not|but|because|since|as|weighing|being|although|though)\b|\swhile\b|\swhereas\b"
    r"|\s\((?![a-d]\))|\s-\s"
    r"|[.!]\s|\n|。(?=.)"
)


def _granted(text: str) -> re.Match[str] | None:
    return _OTHERS_SAY.match(text) if "," in text or ";" in text or " -" in text else None


def _opening(text: str, options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The text without what it rules out, and its first clause where more than options follows it: the rest explains."""
    without = text if _RULING.isdisjoint(words(text)) else _RULED_OUT.sub(" ", text)
    if without != text:
        yield without, "not ruled out"
    if (granted := _granted(text)) is not None and granted.end() < len(text):
        yield text[granted.end() :], "without what it grants"
    if (last := names_of(options).get(key(replies.ARTICLE.sub("", text.rpartition(": ")[2])))) is not None and not denied_before(
        text.rpartition(": ")[0]
    ):
        yield last, "last"
    if _REMAINS.search(text) is not None:
        left = [option for option in options if re.search(rf"(?<!\w){re.escape(option)}{_REMAINS.pattern}", text, re.I)]
        if len(left) == 1:
            yield left[0], "what remains"
    if (so := list(_SO.finditer(text))) and text[so[-1].end() :].strip():
        yield text[so[-1].end() :], "statement"
    text = replies.unnumbered(text) if len(replies.NUMBERED.findall(text)) > 1 else text
    end = _CLAUSE_ENDS.search(text)
    if (
        end is not None
        and len(set(key(text[end.start() :]).split()) - _words(options)) > text.isascii()
        and not re.search(r"\b(?:not|n't|never|either|whether|or|if)\b", text[: end.start()], re.I)
        and not claims.says_of_several(text, options)
    ):
        yield text[: end.start()], "first clause"


_SIZES = Roles(
    regex(
        r"\b(?:larger|bigger|greater|taller|heavier|longer|largest|biggest|more massive|large|big|huge|enormous"
        r"|giant|gigantic|massive|colossal|wins|l'emporte|gewinnt|gana|outweighs"
        r"|yes|größ(?:er|te)\w*|riesig|gewaltig|mayor|maior|énorme|immense|gigantesque|enorme|gigantesco|inmenso)\b"
        r"|plus gr(?:and|os)|más grande|più grand|大き|[较較更最]大|(?:^|体型|體型)大的|大得多|很大"
        r"|远大|[더훨씬쪽] ?[크큽큰]|큰 (?:쪽|것|동물)|더 [크큽큰]|크지|✅",
        re.I,
    ),
    regex(
        r"\b(?:smaller|shorter|lighter|tinier|smallest|small|tiny|minuscule|microscopic|little|dwarfed|no(?! (?:contest|doubt|question"
        r"|comparison"
        r"|competition))|klein(?:er|ste)?\w*|winzig\w*|zierlich|weniger groß|plus petite?|minuscule"
        r"|petite?|moins (?:grand|gros)\w*|diminut[oa]|minúscul[oa]|pequeñ[oa]|menos grande|más pequeñ[oa]"
        r"|più piccol[oa]|menor)\b"
        r"|小さ|[较較更最]小|(?:^|体型|體型)小的|小得多|很小|[더훨] ?작|작[지습다]|❌",
        re.I,
    ),
    regex(
        r"\b(?:larger|bigger|greater|taller|heavier|longer|more massive)\b[^.]* than\b|>"
        r"|\b(?:outweighs?|(?:weighs?|has) (?:\w+ ){0,3}more (?:mass )?than"
        r"|weigh as much as|comes? close to"
        r"|(?:times|near) (?:the (?:size|weight|mass) of|as (?:large|big|tall|heavy|long) as)"
        r"|dwarfs?|exceeds?|beats?|over"
        r"|outsizes?)\b"
        r"|\bas (?:large|big|tall|heavy|long) as\b|\b(?:towers? over|taller than)\b|größer als"
        r"|plus (?:grande?|gros|grosse|lourde?) qu|más (?:grande|pesad[oa]) que|ma[yi]or (?:do )?que"
        r"|so (?:groß|schwer) wie|überragt|übertrifft|wiegt mehr als|schwerer als|massiger als|aussi (?:grande?"
        r"|gros|grosse|lourde?|imposante?) qu"
        r"|tan (?:grande|pesad[oa]) como|dépasse|surpasse|plus (?:imposante?|massi(?:f|ve)|volumineu(?:x"
        r"|se)) qu|plus grande taille qu|pèse plus"
        r"|supera|sobrepasa|pesa más que|mayor tamaño que|不如|不及|比不上|大于|超过|高于|重于|远?胜过|più (?:grande|pesante) d",
        re.I,
    ),
    regex(
        r"\b(?:smaller|shorter|lighter|tinier)\b[^.]* than\b|<|\b(?:tiny|small|little|dwarfed|outweighed)\b[^.]*\b(?:to|by|with"
        r"|beside|vs|versus|next to)\b|\bweighs? (?:\w+ ){0,3}less than|wiegt weniger als|pèse moins|pesa menos"
        r"|\b(?:fraction|tenth|third|quarter|half) of\b|\bfits? (?:inside|in|into)\b"
        r"|less (?:big|large|tall|heavy|massive) than|weniger (?:groß|schwer) als|moins (?:grande?"
        r"|gros|grosse|lourde?) qu|menos (?:grande|pesad[oa]) que|小于|没有|kleiner als|plus petite? qu"
        r"|más pequeñ[oa] que|menor (?:do )?que|più piccol[oa] d",
        re.I,
    ),
)


def larger(reply: Reply, item: Item) -> Scored:
    """One of the two animals of the input."""
    asked, mentions = _pair(item)
    places = [reply.corrected] if reply.corrected is not None else [reply.concluded.text] if reply.concluded is not None else []
    opens = _EXPLAINS.match(reply.head) if reply.concluded is None else None
    if opens is not None and key(replies.ARTICLE.sub("", opens["said"])) in map(key, asked.choices):
        reply, places = located(opens["said"]), []
    arrow = re.split(r"\s(?:→|[-=]+>)\s", reply.head)
    for place in dict.fromkeys((*places, *(arrow[-1:] if len(arrow) > 1 else []), reply.unremarked, reply.text)):
        told = compared(place, mentions) if mentions is not None and not place.isascii() else None
        if mentions is not None and (chosen := by_role(place, mentions, _SIZES) if told is None else told) is not None:
            return replace(bigbench.choice(asked.choices[chosen], asked), rule="role")
        text = _OR_A.sub(r" \1 ", in_options(place, asked.choices).casefold())
        scored = bigbench.choice(text, asked)
        measured = heavier(place, mentions) if mentions is not None and place not in places else None
        if measured is not None:
            return replace(bigbench.choice(asked.choices[measured], asked), rule="sizes")
        if scored.extracted is None:
            for head, _ in _opening(text, asked.choices):
                if (scored := bigbench.choice(head, asked)).extracted is not None:
                    break
        if scored.extracted is not None:
            if mentions is not None and (least := lighter(place, mentions)) is not None and scored.extracted == asked.choices[least]:
                return Scored(0.0, None, "sizes")
            return Scored(scored.score, scored.extracted, "conclusion" if places and place is places[0] else "whole")
    return _implied(reply, asked, asked.choices)


_EXPLAINS = regex(
    r"\W*(?P<said>(?:the |an? )?[\w' -]{2,40}?)(?:,? (?:because|since|as|weil|da|denn|car|parce que|puisque|porque|ya que) "
    r"(?:even |the |an? |selbst |même |incluso )|[.:] (?:even )?an? (?:\w+ )?(?:large|big|huge|small|tiny)\b)",
    re.I,
)
"""What opens with an animal before it explains: "Walrus, because even a big pike is only a fish"."""
_OR_A = regex(r" (or|and|oder|ou|und|et|o|y|e) (?:(?:maybe|perhaps|possibly|even|also) )?(?:an?|the|une?|eine?|die|der|das|l[ae]|el) ")
"""What hides that a text lists: "a warthog or a wasp"."""


@lru_cache(maxsize=4096)
def _pair(item: Item) -> tuple[Item, re.Pattern[str] | None]:
    """The item with its two names as options, and the pattern of their mentions."""
    pair = tuple(name.strip() for name in item.input.split(","))
    asked = replace(item, input="", choices=pair)
    if len(pair) != 2 or not all(pair):
        return asked, None
    names = sorted(enumerate(pair), key=lambda one: -len(one[1]))
    return asked, regex("|".join(rf"(?P<o{i}>(?<!\w){re.escape(fold(name))}(?:e?s)?(?!\w))" for i, name in names), re.I)
