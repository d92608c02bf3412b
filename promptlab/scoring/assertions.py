"""Assertions: checks of an answer without a right answer. A kind is a function of its parameters that gives a check.

A check takes an answer without thoughts, its item and its case, and returns a score from 0 to 1. Several make one scoring: their
weighted mean, with each as a named part. A kind with `not_` before its name is 1 where the kind is 0. What may take long runs as work.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

from promptlab.nouns import Case, Item, Scored, Scoring, ScoringFailed, Steps, UsageProblem, Work, checked, did_you_mean
from promptlab.scoring.answers.thoughts import spoken
from promptlab.scoring.metrics import METRICS, declines
from promptlab.scoring.patterns import matches

Check = Callable[[str, Item, Case], float]
Counter = Callable[[str], int]
Texts = str | list[str]
_WORD = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿]|[^\W぀-ヿ㐀-䶿一-鿿豈-﫿]+(?:['’\-][^\W぀-ヿ㐀-䶿一-鿿豈-﫿]+)*")
"""A word: letters and digits, hyphens and apostrophes inside included; a Chinese or Japanese character counts as one."""
_FENCE = re.compile(r"\A\s*```[\w-]*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)|[。！？]+")
LONGEST_DIGITS = 4000


@dataclass(frozen=True, slots=True)
class Part:
    """One assertion of a task: its name, its weight in the score (0: a named outcome alone), and how it is scored."""

    name: str
    weight: float
    scoring: Scoring


def combined(parts: Sequence[Part]) -> Scoring:
    """The scoring by several assertions: their weighted mean. Where one has no score, the answer has none."""
    total = sum(part.weight for part in parts)

    def run(answer: str, item: Item, case: Case) -> Steps[Scored]:
        found: list[tuple[str, float]] = []
        score = 0.0
        for part in parts:
            metric = part.scoring.metric
            scored = metric(answer, item) if metric is not None else (yield from part.scoring.steps(answer, item, case))
            score += part.weight * scored.score
            found += [(part.name, scored.score), *((f"{part.name}: {name}", value) for name, value in scored.parts)]
        return Scored(min(1.0, score / total), spoken(answer).strip(), parts=tuple(found))

    each = [part.scoring for part in parts]
    return Scoring(
        "assertions", None, run,
        max_calls=sum(scoring.max_calls for scoring in each),
        models=tuple({model.name: model for scoring in each for model in scoring.models}.values()),
        identity=[[part.name, part.weight, part.scoring.name, part.scoring.identity] for part in parts],
        refused=next((scoring.refused for scoring in each if scoring.refused), ""),
        control_calls=sum(scoring.control_calls for scoring in each),
        needs_opponent=any(scoring.needs_opponent for scoring in each),
    )  # fmt: skip


def assertion(kind: str, given: object, count_tokens: Counter) -> Scoring:
    """The scoring by one assertion; UsageProblem where it is wrong. A value that is no mapping is its first parameter."""
    name = kind.removeprefix("not_")
    if name not in KINDS or (kind != name and name in NOT_NEGATED):
        raise UsageProblem(f"the assertion {kind!r} is not known; {did_you_mean(kind, KINDS)}".rstrip("; "))
    factory = KINDS[name]
    first = next(iter(factory.__annotations__))
    parameters = dict(given) if isinstance(given, Mapping) else {} if given is None else {first: given}
    parameters = {str(key): value for key, value in parameters.items()}
    check = factory(**checked(f"the assertion {kind!r}", factory, parameters))
    if name == "length" and parameters.get("unit") == "tokens":
        check = partial(check, count=count_tokens)
    negated = kind != name

    def run(answer: str, item: Item, case: Case) -> Steps[Scored]:
        text = spoken(answer)
        score = (yield Work(check, (text, item, case))) if name in SLOW else check(text, item, case)
        if isinstance(score, ScoringFailed):
            raise ScoringFailed(f"the assertion {kind!r} on item {item.id!r}: {score}")
        if isinstance(score, BaseException):
            raise score
        return Scored(1.0 - score if negated else float(score), text)

    return Scoring(kind, None, run, identity=parameters)


def _texts(value: object, what: str) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else (None,)
    if not all(isinstance(text, str) and text.strip() for text in found):
        raise UsageProblem(f"{what} must be a text or a list of texts, found {value!r}")
    return found


def _plain(text: str, match_case: bool) -> str:
    """A text as assertions compare it: one Unicode form, white space made one; case counts only on request."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return text if match_case else unicodedata.normalize("NFC", text.casefold())


def _of_targets(texts: Sequence[str], item: Item, what: str) -> Sequence[str]:
    """Given texts, else the item's right answers."""
    if not texts and not item.targets:
        raise ScoringFailed(f"{what} names no text, and the item has no right answer")
    return texts or item.targets


def contains(all: Texts = "", any: Texts = "", match_case: bool = False) -> Check:  # noqa: A002 (keys of a file)
    """All of some texts, and one of others, are in the answer; without either, one of the item's right answers."""
    every, some = (_texts(texts, f"'{name}' of contains") if texts else () for name, texts in (("all", all), ("any", any)))

    def check(answer: str, item: Item, case: Case) -> float:
        said = _plain(answer, match_case)
        one = some if every or some else _of_targets((), item, "contains")
        found = [_plain(text, match_case) in said for text in every]
        return float(False not in found and (not one or True in [_plain(text, match_case) in said for text in one]))

    return check


def regex(pattern: str) -> Check:
    """The pattern is found in the answer; in a process of its own, with half a second of CPU time."""
    matches(pattern, "")
    return lambda answer, item, case: float(matches(pattern, answer))


def equals(text: Texts = "", match_case: bool = True) -> Check:
    """The answer is one of the texts, white space at its ends and repeated left out; without one, a right answer of the item."""
    wanted = _texts(text, "'text' of equals") if text else ()
    return lambda answer, item, case: float(
        _plain(answer, match_case) in [_plain(one, match_case) for one in _of_targets(wanted, item, "equals")]
    )


def starts_with(text: Texts = "", match_case: bool = False) -> Check:
    """The answer begins with one of the texts."""
    wanted = _texts(text, "'text' of starts_with") if text else ()
    return lambda answer, item, case: float(
        _plain(answer, match_case).startswith(tuple(_plain(one, match_case) for one in _of_targets(wanted, item, "starts_with")))
    )


class _Nothing:
    """No JSON, or no such field: JSON's null is a value."""


NOTHING = _Nothing()


def _not_finite(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < LONGEST_DIGITS else float("inf")


_read = partial(json.loads, parse_constant=_not_finite, parse_int=_whole)


@lru_cache(maxsize=256)
def _json(answer: str, anywhere: bool) -> Any:  # noqa: ANN401 (what JSON holds)
    """The JSON of an answer: all of it, or of its code fence; or the first object or list anywhere in it. NOTHING where there is none."""
    fenced = _FENCE.match(answer)
    for text in (answer, fenced[1] if fenced else ""):
        try:
            return _read(text)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder(parse_constant=_not_finite, parse_int=_whole)
    for start in [m.start() for m in re.finditer(r"[{\[]", answer)][:1000] if anywhere else ():
        try:
            return decoder.raw_decode(answer, start)[0]
        except (ValueError, RecursionError):
            continue
    return NOTHING


def valid_json(anywhere: bool = False) -> Check:
    """The answer is JSON, alone or in a code fence; with `anywhere`, it holds an object or list."""
    return lambda answer, item, case: float(_json(answer, anywhere) is not NOTHING)


def json_schema(schema: dict[str, Any], anywhere: bool = False) -> Check:
    """The answer is JSON that the schema allows (draft 2020-12 unless `$schema` says another). Nothing is fetched for a reference."""
    from jsonschema import exceptions, validators
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if not isinstance(schema, Mapping):
        raise UsageProblem(f"schema must be a JSON schema, found {schema!r}")
    kind = validators.validator_for(schema, default=validators.validator_for({}))
    try:
        kind.check_schema(schema)
    except exceptions.SchemaError as error:
        raise UsageProblem(f"schema is no JSON schema: {error.message}") from None

    def pattern(_: Any, wanted: str, instance: object, __: Any) -> Any:  # noqa: ANN401 (as jsonschema calls it)
        if isinstance(instance, str) and not matches(wanted, instance):
            yield exceptions.ValidationError(f"does not match {wanted!r}")

    def properties(own: Any, wanted: Mapping[str, Any], instance: object, _: Any) -> Any:  # noqa: ANN401
        for name in instance if isinstance(instance, Mapping) else ():
            for key in [key for key in wanted if matches(key, name)]:
                yield from own.descend(instance[name], wanted[key], path=name, schema_path=key)  # type: ignore[index]

    validator = validators.extend(kind, {"pattern": pattern, "patternProperties": properties})(schema, registry=Registry())

    def check(answer: str, item: Item, case: Case) -> float:
        found = _json(answer, anywhere)
        try:
            return float(found is not NOTHING and validator.is_valid(found))
        except (Unresolvable, RecursionError) as error:
            raise ScoringFailed(f"the schema cannot be applied: {error}") from None

    return check


def _at(found: Any, path: str) -> Any:  # noqa: ANN401 (what JSON holds)
    """The value at a path such as `order.items.0.id`; NOTHING where there is none."""
    for step in path.split("."):
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return NOTHING
    return found


def field(path: str, value: Any = NOTHING, anywhere: bool = True) -> Check:  # noqa: ANN401 (what JSON holds)
    """The field at `path` of the answer's JSON has the value; without one, a right answer of the item, as text."""

    def check(answer: str, item: Item, case: Case) -> float:
        found = _at(_json(answer, anywhere), path)
        if found is NOTHING:
            return 0.0
        if value is NOTHING:
            return float((found if isinstance(found, str) else json.dumps(found)) in _of_targets((), item, "field"))
        return float(found == value and isinstance(found, bool) == isinstance(value, bool))

    return check


def _limits(what: str, least: float | None, most: float | None) -> None:
    for name, limit in (("least", least), ("most", most)):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or math.isnan(limit)):
            raise UsageProblem(f"{name} of {what} must be a number, found {limit!r}")
    if least is None and most is None:
        raise UsageProblem(f"{what} needs least, most, or both")
    if least is not None and most is not None and least > most:
        raise UsageProblem(f"{what} has least {least} above most {most}")


def _within(value: float, least: float | None, most: float | None) -> float:
    return float((least is None or value >= least) and (most is None or value <= most))


def number(least: float | None = None, most: float | None = None, path: str = "") -> Check:
    """The number that the answer concludes with, or that is in the field `path` of its JSON, lies within the limits."""
    _limits("number", least, most)

    def check(answer: str, item: Item, case: Case) -> float:
        if path:
            found = _at(_json(answer, True), path)
            return _within(found, least, most) if isinstance(found, int | float) and not isinstance(found, bool) else 0.0
        read = METRICS["strict_number"](answer, item).extracted
        return 0.0 if read is None else _within(float(read), least, most)

    return check


def words_of(text: str) -> int:
    """How many words a text has."""
    return len(_WORD.findall(text))


UNITS: Mapping[str, Counter] = {
    "words": words_of,
    "characters": lambda text: len(text.strip()),
    "lines": lambda text: sum(bool(line.strip()) for line in text.splitlines()),
    "sentences": lambda text: len(_SENTENCE_END.findall(text)) or int(bool(text.strip())),
}


def length(least: int | None = None, most: int | None = None, unit: str = "words") -> Callable[..., float]:
    """The answer has so many words, tokens (by cl100k), characters, sentences or lines that are not blank."""
    _limits("length", least, most)
    if unit not in (*UNITS, "tokens"):
        raise UsageProblem(f"unit of length must be one of {', '.join([*UNITS, 'tokens'])}, found {unit!r}")
    own = UNITS.get(unit)
    return lambda answer, item, case, count=None: _within((own or count)(answer), least, most)


@cache
def _identifier(among: tuple[str, ...]) -> Any:  # noqa: ANN401 (py3langid has no types)
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE)
    known = set(found.nb_classes)
    if wrong := [code for code in among if code not in known]:
        raise UsageProblem(f"the language {wrong[0]!r} is not known; {did_you_mean(wrong[0], known)} Codes are those of ISO 639-1")
    if among:
        found.set_languages(list(among))
    return found


def language(code: str, among: Texts = "") -> Check:
    """The answer is in this language (ISO 639-1: en, de, zh), the likeliest of all that are known or of those in `among`."""
    _identifier((code,))
    chosen = tuple(sorted({code, *_texts(among, "'among' of language")})) if among else ()
    identify = _identifier(chosen).classify

    def check(answer: str, item: Item, case: Case) -> float:
        return float(any(character.isalpha() for character in answer) and identify(answer)[0] == code)

    return check


def refusal(wanted: bool = True) -> Check:
    """The answer declines in words; with `wanted: false` it does not."""
    return lambda answer, item, case: float(declines(answer) == wanted)


def similar(text: Texts = "", least: float = 0.0) -> Check:
    """How alike the answer is to the nearest of the texts, or right answers: the share of equal characters in order, as rapidfuzz counts.

    With `least` 1 from that share on, and 0 below it.
    """
    from rapidfuzz import fuzz

    wanted = _texts(text, "'text' of similar") if text else ()
    if not 0 <= least <= 1:
        raise UsageProblem(f"least of similar must be from 0 to 1, found {least}")

    def check(answer: str, item: Item, case: Case) -> float:
        said = _plain(answer, False)
        share = max(fuzz.ratio(said, _plain(one, False)) for one in _of_targets(wanted, item, "similar")) / 100
        return float(share >= least) if least else share

    return check


def cost(most_usd: float) -> Check:
    """The answer cost at most so much; without a known price it has no score."""
    _limits("cost", None, most_usd)

    def check(answer: str, item: Item, case: Case) -> float:
        usd, _ = case.spent()
        if usd is None:
            raise ScoringFailed("the price of the answer is unknown")
        return float(usd <= most_usd)

    return check


def latency(most_s: float) -> Check:
    """The answer took at most so many seconds, as its calls measured it; a stored answer keeps its time."""
    _limits("latency", None, most_s)
    return lambda answer, item, case: float(case.spent()[1] <= most_s)


KINDS: Mapping[str, Callable[..., Callable[..., float]]] = {
    "contains": contains, "regex": regex, "equals": equals, "starts_with": starts_with, "json": valid_json, "json_schema": json_schema,
    "field": field, "number": number, "length": length, "language": language, "refusal": refusal, "similar": similar, "cost": cost,
    "latency": latency,
}  # fmt: skip
"""What an entry of `assertions` may name, besides `metric`, `python` and the scorings that ask a model."""
SLOW = ("regex", "json_schema")
NOT_NEGATED = ("similar", "cost", "latency")
