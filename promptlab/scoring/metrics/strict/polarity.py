"""Options in other words: those of other languages, and denied ones, rewritten as the options themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from promptlab.scoring.answers.denials import CUES, DENIED_AFTER, DENIED_EAST, DENIES, may_deny
from promptlab.scoring.answers.held import may_hold
from promptlab.scoring.answers.text import CJK, key, western, words
from promptlab.scoring.compiled import regex
from promptlab.scoring.metrics.strict.affirmed import yes_or_no
from promptlab.scoring.metrics.strict.inference import in_labels
from promptlab.scoring.metrics.strict.vocabulary import OTHER_WORDS

_NO_NOUN = regex(
    r"(?<!by )\bno (?=(?:\w+ )?(?:way|idea|answers?|information|mistakes?|comment|one|doubts?|question|worries|problem|need|matter|reason"
    r"|ifs|wonder|more|longer"
    r"|evidence|indication|contradiction|difference|clue|opinion|context|telling|point|sense|explicit|direct|definite|means)\b)",
    re.I,
)
_TRUTHS = regex(r"\s*[:=]\s*(?:(?P<yes>true|yes)|false|no)\b(?! (?!\w+[\"']?\s?[:=])\w)", re.I)
CLUES = words(
    "implies follows impliziert folgt ergibt implikation implica implique widerspricht widersprechen contradice contradicen contredit "
    "contredisent stimmt wrong right yep yeah yup yea affirmative absolutely definitely certainly of nope nah untrue "
    "odd entail entails entailed "
    "contradict contradicts contradictory contradicted nonentailment ja oui si nein positiv positif positivo positiva negativ "
    "negativo negativa pos neg falso falsch wahr vrai richtig korrekt t f y n true false yes no if than less among between "
    "from out negative does doesn sim nao vero verdadeiro certo valido invalido plausibile valide "
    "overall whole balance mostly largely predominantly mainly insgesamt alles globalement ensemble majoritairement general conjunto "
    "mayormente mayoritariamente second runner backup too stretch overstatement exaggeration widerspruch neutrale neutraler "
    "neutrales neutre neutres neutro neutra neutros neutras folgerung implication "
    "korrekt korrekte "
    "inkorrekt "
    "inkorrekte unrichtig richtige falsche zutreffend unzutreffend correcte correctes correcto correcta correctos correctas incorrecte "
    "incorrecto incorrecta exacte exactes exacto juste fausse acertado acertada inexacte erronea positive positives positifs positivos "
    "positivas negatif negatifs negatives negativos negativas positive positiver positives positiven negative negativer negatives "
    "stichhaltig unschlüssig schlüssig valides invalides valable plausible plausibler plausibles plausibel glaubwürdig unglaubwürdig "
    "vraisemblable improbable valida validos validas contradictoire contradictoires contradictorio "
    "contradictoria contradictorios contradictorias verdad exact bonne trifft ambigu ambiguo ambigua mehrdeutig zweideutig "
    "invalide plausibel unplausibel implausibel invraisemblable verdadero cierto non"
)


_SIGNS = {
    "++": r"\s?plus\s?plus",
    "-": r"\s?minus",
    "+": r"\s?plus",
    "#": r"\s?sharp",
    "<=": r"\s?≤\s?|\s?(?:is )?(?:less|smaller) than or equal(?: to)?\s?|\s(?:is )?at most\s",
    ">=": r"\s?≥\s?|\s?(?:is )?(?:greater|larger|bigger) than or equal(?: to)?\s?|\s(?:is )?at least\s",
    "==": r"\s(?:is equal to|equals)\s?",
    "<": r"\s(?:is )?(?:less|smaller|lower) than\s",
    ">": r"\s(?:is )?(?:greater|larger|bigger|higher|more) than\s",
    "=": r"\s(?:is equal to|equals)\s",
}
_SIGN = regex(r"\+\+|[<>=]=|[#<>=]|(?<=\w)[-+]$")


def _in_words(option: str) -> re.Pattern[str] | None:
    """The pattern of an option whose signs are put in words: "C plus plus", "x is less than y", or turned: "y > x"."""
    if _SIGN.search(option) is None:
        return None
    parts = _SIGN.split(option)
    signs = _SIGN.findall(option)
    said = re.escape(parts[0].strip()) + "".join(
        rf"(?:{_SIGNS[sign]})" + re.escape(part.strip()) for sign, part in zip(signs, parts[1:], strict=True)
    )
    turned = {"<": ">", ">": "<"}.get(signs[0]) if len(signs) == 1 and all(part.strip() for part in parts) else None
    mirror = rf"|{re.escape(parts[1].strip())}\s?{turned}\s?{re.escape(parts[0].strip())}" if turned else ""
    return re.compile(rf"(?<!\w)(?:{said}{mirror})(?!\w)", re.I)


_OTHER_CLUE = regex("[\\d<>≤≥]|plus|minus|sharp|equal|least|most")


_ARTICLE_A = regex(
    r"(?<![\w(])[aA] (?=[a-z]{2,})(?!(?:is|are|was|and|or|but|not|because|since|as|fits?|seems?|looks?|would|should|could|can"
    r"|cannot|must|may"
    r"|might|does|doesn't|isn't|with|for|to|over|rather|than|instead|makes|has|matches|in|it|from|by|the|which|if|so|at|minus|plus|means"
    r"|says|describes|states)\b)"
)
"""The article "a" in an English text whose options are letters."""


_ONLY_IF = (
    r"(?:\b(?:would|could|might)|'d) (?:only )?be (?=[\"'(]?[\w-]+[\"')]? (?:only )?(?:if|when|were)\b)"
    r"|\b(?:wäre|würde|serait|sería|sarebbe|seria)\b(?: (?:nur|erst|dann|solo|sólo|so|só|soltanto))?(?=\s+[\"'(]?[\w-]+[\"')]?,?"
    r" (?:(?:nur|dann|solo|sólo|só|soltanto|seulement|uniquement)[ ,]+)?(?:que si|wenn|falls|si|se)\b)"
)
"""What an option would need: "it would be valid only if", "wäre nur gültig, wenn"."""


_IN_A_WAY = rf"[{CJK}]{{1,8}}(?:[にく上地的]|으?로|히|게) ?"
"""An adverb of East Asia between a denial and an option."""


_UNLIKELY = r"\b(?:implausible|unlikely|improbable|unplausible)\b"
_TO_THINK = r"(?:(?!(?:so|hence|thus|therefore|but|and|because|since)\b)[\w']+ ){1,6}?[\"'(]*(?:an? )?"


_CALLED = r"[\"')]* (?:label|category|class|option|queue|team|tag|department|bucket|choice)[\"')]*"
"""What an option is, after its name: "the billing queue"."""
_UNFIT = (
    r"(?: (?:simply|just|clearly|really|probably))? (?:(?:does|do|did)(?:n't| not) (?:really |quite )?(?:apply|fit|match|belong|work)\b"
    r"|(?:is|was)(?:n't| not) (?:really |quite )?(?:the )?(?:right|correct|appropriate|suitable|best|responsible|applicable|relevant)\b"
    r"|(?:is|was|would be) (?:a )?(?:poor|bad|wrong|incorrect|inappropriate|irrelevant|unsuitable)\b)|: ?(?:no|wrong|incorrect)\b"
)


class _Words:
    """The patterns of one set of options."""

    def __init__(self, options: tuple[str, ...]) -> None:
        self.options = options
        self.keys = keys = [key(option).replace(" ", "") for option in options]
        named = [(option, OTHER_WORDS[name]) for option, name in zip(options, keys, strict=True) if name in OTHER_WORDS]
        self.eastern = _eastern(named, keys)
        synonyms = [(option, _pattern(clear, keys)) for option, (clear, _) in named]
        synonyms += [(option, _in_words(option)) for option in options]
        self.in_signs = any(_SIGN.search(option) for option in options)
        self.synonyms = [(option, pattern, may_hold(pattern)) for option, pattern in synonyms if pattern is not None]
        for option, (_, loose) in named:
            if (pattern := _loose(loose, keys)) is not None:
                self.synonyms.append((option, pattern, _may_stand_alone(loose)))
        self.article = "a" in keys
        self.yes_no = "no" in keys or "false" in keys
        self.inferred = {name: option for name, option in zip(keys, options, strict=True) if name in ("entailment", "contradiction")}
        names = "|".join(re.escape(option) for option in sorted(options, key=len, reverse=True) if option) or "(?!)"
        one = rf"(?<!\w)(?<!\w-)(?:{names})(?!\w)(?!-\w)"
        judges = {"true", "false", "correct", "incorrect"} & set(keys)
        after = rf"(?:\s*(?:is|was) (?:wrong|incorrect|impossible)\b|{DENIED_EAST})" if judges else DENIED_AFTER
        likely = "(?:likely|probable)" if "implausible" in keys else "(?:likely|probable|plausible)"
        much = "(?: (?:rather|very|highly|quite|far|much|so|a lot|even))?"
        rated = (
            rf"{one}[\"')]*(?: is| was| seems| sounds| looks)?{much} less {likely}(?: than)?"
            rf"|\bless {likely}(?: to (?:be|mean)| that it (?:is|means))? (?:an? )?[\"'(]*{one}[\"')]*(?: than)?"
            rf"|{one}[\"')]* (?:is|was|seems)(?:n't| not) (?:nearly |quite )?as {likely} as"
        )
        if "implausible" not in keys:
            rated += (
                rf"|{_UNLIKELY} (?:that|to) {_TO_THINK}{one}(?=[^\w\n]*(?:$|[.;,!?]))"
                rf"|{one}[\"')]*(?:\s?[:=]| is| was| seems| sounds| looks){much} (?:{_UNLIKELY}|less {likely})"
                rf"|{one}[\"')]* (?:is|was) (?:also |still |just )?(?:possible|conceivable|plausible|likely)"
                r"(?=,? (?:but|yet|though|although)\b[^.;\n]{1,60}\b(?:more|most|likelier)\b)"
            )
        granted = (
            rf"\b(?:considered|thought (?:about|of)|toyed with) [\"'(]*{one}(?=[\"'?!.)]*,? (?:but|yet)\b)"
            rf"|\b(?:could|might|may|would) be {one} (?:on the (?:face of it|surface)|at first (?:sight|glance)"
            rf"|(?:if )?(?:taken )?literally)\b"
            rf"|{one}[\"')]* (?:does|do|did)(?:n't| not) (?:apply|fit|hold)\b"
            rf"|\b(?:can|could|may|might) (?:sound|seem|look|appear|come across as|read as) (?:quite |rather )?[\"']?{one}"
            r"(?=[\"']? (?:elsewhere|otherwise|in (?:other|another|isolation)|out of|on its own|alone|by itself))"
            rf"|{one}{_CALLED}(?:{_UNFIT})"
            rf"|{one}[\"')]* (?:is|would be) a (?:poor|bad) (?:fit|match|choice)\b"
            rf"|\b(?:nothing (?:at all )?to do with|unrelated to) (?:the )?[\"'(]*{one}"
            rf"|{one}[\"')]*\? i (?:do not|don't) (?:think so|know)\b"
        ) + (rf"|\bliteral(?:ly| meaning| reading)?\s?:\s*{one}" if self.yes_no else "")
        self.denied = regex(
            rf"(?:{DENIES}|\bthan|\bover|\bless|{_ONLY_IF}"
            rf"|\b(?:there(?: is|'s)|it's|is|have|has"
            rf"|an?) no "
            rf"|, (?:no|non|nicht|pas) {'' if self.yes_no else '|(?<=[a-z] )(?:no|non|nicht|pas) '}"
            rf"|^no (?=entail|contrad)|^\W*(?:{'' if self.yes_no else 'no|'}non|nicht|pas|não) (?:del todo "
            rf"|tout à fait |ganz )?|\band so (?:is|are|was) "
            rf"|(?:没有|不存在|并无|不属于|不构成|而非)(?:任何)?)"
            rf"\s*(?:{_IN_A_WAY}|d')?[\"'(*]*{one}[\"')*]*(?:(?:, (?:an? |the )?[\"'(*]*{one}[\"')*]*){{0,5}}"
            rf",? n?or (?:an? |the )?[\"'(*]*{one}[\"')*]*)?"
            rf"|\b(?:an?|any) [\"']?{one}[\"']?(?: \w+)? would\b(?! be (?:my|the|correct|right|appropriate|best|fitting))"
            rf"|{rated}|{granted}"
            rf"|\b(?:chance|probability|likelihood) (?:of|that it (?:is|means)) (?:an? )?[\"'(]*{one}[\"')]*(?: is|\s?:) (?:\w+ )?"
            rf"(?:small|low|slim|tiny|negligible|zero)\b"
            rf"|{one}(?:{after}|[\"')]* would (?:only )?(?:hold|follow|apply|require|need)\b"
            rf"|[\"')]* (?:would be|is|comes|comes in) (?:my |a |the )?(?:close |distant )?(?:second|next best|runner-up|backup)\b"
            rf"|[\"')]* would be (?:too \w+|a stretch|an overstatement|an exaggeration|going too far|wrong"
            rf"|odd|strange|unusual|incorrect|unlikely)\b)",
            re.I,
        )
        self.truths = None if self.yes_no or "true" in keys else regex(rf"[\"']?(?P<one>{one})[\"']?{_TRUTHS.pattern}", re.I)
        share = r"(?P<{}>\d+(?:\.\d+)?)"
        self.shared = regex(
            rf"(?P<option>{one})[\"')]*\s?[:=(]\s?{share.format('share')}|{share.format('percent')}\s?% (?P<other>{one})", re.I
        )
        self.among = regex(rf"^\W*(?:among|of|out of|between|from)\b[^.\n]*,\s+(?=(?:the |an? )?{one}[^,.\n]*\W*$)", re.I)
        self.mostly = regex(
            rf"(?:\b(?:overall|on (?:the whole|balance)|mostly|largely|predominantly|mainly|all in all|überwiegend"
            rf"|insgesamt|größtenteils|im großen und ganzen"
            rf"|alles in allem|globalement|dans l'ensemble|majoritairement|en general|en conjunto|mayormente"
            rf"|mayoritariamente|en líneas generales)\b"
            rf"|总体(?:上|而言|来说|来看)?|整体(?:上|而言|来说|来看)?|大体上|全体(?:的に|として)(?:は|見ると"
            rf"|みると)?|概ね|おおむね|전반적으로|대체로|전체적으로)[:,、]?"
            rf" ?(?:(?:it's|it is|this is|is|i'd say|the \w+ is|ist (?:es|sie|die \w+|das)|an?|eine?|c'est"
            rf"|est|es|la \w+ (?:est|es)|die \w+ ist|是|为|偏向?|은|는) ?){{0,3}}"
            rf" ?[\"'(]*({one})(?! (?:and|und|et|y) )",
            re.I,
        )
        self.named = regex(one, re.I)
        self.twice = regex(rf"(?P<one>{one})[\"']?\s*(?:\(\s*[\"']?(?P=one)[\"']?\s*\)|,\s*(?P=one)(?![\w-]))", re.I)
        self.low = tuple(option.lower() for option in options)


_AHEAD = regex(r"\(\?[^()]*\)")


def _known(words: str, keys: list[str]) -> list[str]:
    return [word for word in _OR.split(words) if word and word not in keys]


def _pattern(words: str, keys: list[str]) -> re.Pattern[str] | None:
    """The pattern of the synonyms in letters of Europe."""
    latin = "|".join(word for word in _known(words, keys) if word[0] < "\u3000")
    return re.compile(rf"(?<![\w-])(?:{latin})(?![a-zß-ÿ-])", re.I) if latin else None


def _eastern(named: list[tuple[str, tuple[str, str]]], keys: list[str]) -> tuple[re.Pattern[str], tuple[str, ...]] | None:
    """The pattern of all synonyms in letters of East Asia, the longest first, for one may hold another; and the option of each group."""
    found = sorted(
        ((word, option) for option, (clear, _) in named for word in _known(clear, keys) if word[0] >= "\u3000"),
        key=lambda one: -len(_AHEAD.sub("", one[0])),
    )
    words = "|".join(f"({word})" for word, _ in found)
    return (re.compile(rf"[非비]?(?:{words})"), tuple(option for _, option in found)) if found else None


def _eastern_option(match: re.Match[str], options: tuple[str, ...]) -> str:
    """The option of a word in letters of East Asia; denied where a syllable before it does: "非含意"."""
    n = match.lastindex or 1
    return f" not {options[n - 1]} " if match.start() < match.start(n) else f" {options[n - 1]} "


_OR = regex(r"\|(?![^()]*\))")
_MEANS = "|".join(
    rf"(?<={verb}{space}[\"'])"
    for verb in ("[是はが은는이가]", *str.split("means mean bedeutet heißt signifie significa dire decir dizer"))
    for space in ("", " ")
)
"""A word that means a yes or no in quotes: what denies it stays."""


def _may_stand_alone(loose: str) -> Callable[[str], bool]:
    """Whether it is worth to search for loose synonyms: a text of ASCII has one as a word, or as one with the verb before it."""
    verbs = str.split("is ist est es means bedeutet meint signifie significa dire decir que")
    names = frozenset(before + word for word in loose.split("|") for before in ("", *verbs))
    return lambda text: not text.isascii() or not names.isdisjoint(words(text))


def _loose(words: str, keys: list[str]) -> re.Pattern[str] | None:
    words = "|".join(word for word in words.split("|") if word not in keys)
    return (
        re.compile(
            rf"\A[\W_]*(?:{words})[\"')\]]*(?=\s*(?:[,.!;:。！，、❌✅-]|です|입니다|を?という|を意味|이?라는|의 (?:의미|뜻|대답|답)"
            rf"|\Z))|(?:(?<=[:：是は은는])|\b(?:is|ist|est|es|è|é"
            rf"|means|bedeutet|meint|signifie|significa|veut dire|quiere decir|:)(?: que)?) *[\"']?(?:{words})[\"']?(?=\s*[.!。です입니다]*"
            r"\s*(?:\Z|,\s?(?:because|weil|car|porque|因为|因為)))"
            rf"|(?<=, but ) *[\"']?(?:{words})[\"']?(?=です|입니다|[。.]|\Z)"
            rf"|[\"'](?:{words})[\"'] ?(?=(?:(?:という|이?라는 )(?:意味|こと|答え|뜻|의미|대답))?(?:です|だ[。.]?$|である|입니다|이다"
            rf"|이에요|예요))|[\"'](?:{_MEANS})(?:{words})"
            r"[\"'](?=\s*(?:[,.;。、]|이|を意味|という|$))",
            re.I,
        )
        if words
        else None
    )


@lru_cache(maxsize=1024)
def _patterns(options: tuple[str, ...]) -> _Words:
    return _Words(options)


def in_options(text: str, options: tuple[str, ...]) -> str:
    """The text with options in place of their synonyms and, where one is denied, of what is left of them."""
    if (" a " in text or text[:2] == "A ") and _patterns(options).article:
        text = _ARTICLE_A.sub("", text)
    worded = len(text) <= 4000 and (may_deny(text) or not CLUES.isdisjoint(words(text)))
    if len(text) > 4000 or not (worded or _OTHER_CLUE.search(text)):
        return text
    known = _patterns(options)
    if not worded and not known.in_signs and not _SHARES.search(text) and _turns(known.low).isdisjoint(words(text)):
        return text.replace("  ", " ").strip() if known.synonyms else text
    if known.yes_no:
        text = _NO_NOUN.sub("without ", text)
        text = text if "✅" in text else text.rstrip(" ❌✗✘")
        text = yes_or_no(text, known.options, known.keys)
    if known.inferred:
        text = in_labels(text, known.inferred)
    if "correct" in known.keys and _CORRECT_THING.search(text):
        text = _CORRECT_THING.sub("the ", text)
    if _AMONG.match(text):
        text = known.among.sub("", text, count=1)
    if known.truths is not None and (":" in text or "=" in text) and _TRUTHS.search(text):
        text = known.truths.sub(lambda match: match["one"] if match["yes"] else f"not {match['one']}", text)
    end = "" if western(text) else " "  # letters of East Asia may touch it
    if end and known.eastern is not None:
        pattern, options_of = known.eastern
        text = pattern.sub(lambda match: _eastern_option(match, options_of), text).replace("  ", " ").strip()
    for option, pattern, may_name in known.synonyms:
        text = (pattern.sub(f" {option}{end}", text) if may_name(text) else text).replace("  ", " ").strip()
    if "(" in text or end:
        text = known.twice.sub(r"\g<one>", text)
    if (
        (not text.isascii() or not _MOSTLY.isdisjoint(words(text)))
        and (mostly := known.mostly.findall(text))
        and len({one.casefold() for one in mostly}) == 1
    ):
        return str(mostly[0])
    if _SHARE.search(text) and (most := _largest(text, known)) is not None:
        return most
    if not _may_turn_down(text, known.low):
        return text
    denied: set[str] = set()

    def out(match: re.Match[str]) -> str:
        denied.update(name.casefold() for name in known.named.findall(match[0]))
        return " "

    without = known.denied.sub(out, text)
    if denied and known.named.search(without) is None:
        left = [option for option in options if option.casefold() not in denied]
        return left[0] if len(left) == 1 else ""
    return without


_CORRECT_THING = regex(
    r"\bthe (?:in)?correct (?=(?:object|referent|antecedent|person|word|pronoun|interpretation|noun"
    r"|subject|meaning|reference|sentence)\b)",
    re.I,
)
"""What a reply calls correct that is not the reasoning."""
_MOSTLY = words(
    "overall whole balance mostly largely predominantly mainly all insgesamt alles im globalement ensemble majoritairement general "
    "conjunto "
    "mayormente mayoritariamente"
)
_AMONG = regex(r"\W*(?:among|of|out of|between|from)\b", re.I)
_SHARES = regex("[:=(%]")
_SHARE = regex(r"[:=(]\s?\d|\d\s?% ")
_TURNS_DOWN = CUES | words(
    "too stretch overstatement exaggeration second next runner backup than over less would could might no so serait sarebbe seria "
    "elsewhere otherwise alone isolation itself literal literally chance probability likelihood"
)
_RATES = words("implausible improbable unplausible likely probable possible conceivable plausible")
"""Words that may turn an option down, unless they are options themselves."""


@lru_cache(maxsize=1024)
def _turns(options: tuple[str, ...]) -> frozenset[str]:
    """The words that may turn one of these options down."""
    return _TURNS_DOWN | (_RATES - words(" ".join(options)))


def _may_turn_down(text: str, options: tuple[str, ...]) -> bool:
    """Whether it is worth looking for an option that is denied: the text names one, and has a cue next to its name."""
    if not text.isascii():
        return True
    turns = _turns(options)
    if turns.isdisjoint(words(text)):
        return False
    low = text.lower()
    for option in options:
        if not option.isascii():
            return True
        start = low.find(option)
        while start >= 0:
            if not turns.isdisjoint(words(f"{low[:start]} {low[start + len(option) :]}")):
                return True
            start = low.find(option, start + 1)
    return False


def _largest(text: str, known: _Words) -> str | None:
    """The option with the largest share, where a text gives each of them one: "positive: 5 %, negative: 95 %"."""
    shares = {
        (match["option"] or match["other"]).casefold(): float(match["share"] or match["percent"]) for match in known.shared.finditer(text)
    }
    return max(shares, key=lambda option: shares[option]) if len(shares) == len(known.options) and len(set(shares.values())) > 1 else None
