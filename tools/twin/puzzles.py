"""The generated twin of BIG-Bench's linguistics_puzzles: sentences of an invented language and one more to translate.

Each item has a language of its own. A solver that knows only the sentences shown tries every analysis that it can think of;
an item is kept when at least one analysis fits and all of those that fit give the same translation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

from twin.rows import N_ITEMS, Row, numbered, row, seeded
from twin.words import listed

NOUNS = dict(
    entry.split(":")
    for entry in listed("""
baker:bakers badger:badgers barber:barbers camel:camels clerk:clerks clown:clowns dancer:dancers donkey:donkeys farmer:farmers fox:foxes
giant:giants goose:geese guard:guards hen:hens hunter:hunters judge:judges king:kings lawyer:lawyers miller:millers monk:monks
nurse:nurses otter:otters painter:painters pirate:pirates poet:poets queen:queens robot:robots sailor:sailors shepherd:shepherds
spider:spiders tailor:tailors teacher:teachers thief:thieves tiger:tigers turtle:turtles waiter:waiters widow:widows witch:witches
wizard:wizards wolf:wolves
""")
)
ADJECTIVES = listed("""
bald blind brave busy calm clever cruel deaf dirty gentle greedy happy honest hungry kind lazy lonely lucky merry noisy old polite poor
proud quiet rich rude sad shy sleepy strong thin tired wise young
""")
VERBS = dict(
    entry.split(":")
    for entry in listed("""
admire:admired amuse:amused annoy:annoyed carry:carried catch:caught chase:chased comfort:comforted draw:drew feed:fed follow:followed
forgive:forgave frighten:frightened greet:greeted help:helped hire:hired ignore:ignored invite:invited lead:led meet:met obey:obeyed
paint:painted pull:pulled push:pushed rescue:rescued thank:thanked tease:teased trust:trusted visit:visited wake:woke warn:warned
""")
)
TENSES = ("past", "present", "future")
N_SENTENCES = 6


@dataclass(frozen=True, slots=True)
class Phrase:
    """A subject or an object."""

    article: str
    adjective: str | None
    noun: str
    number: str

    def english(self) -> str:
        """The phrase in English."""
        noun = self.noun if self.number == "one" else NOUNS[self.noun]
        return " ".join(word for word in (self.article, self.adjective, noun) if word)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Somebody does something to somebody."""

    subject: Phrase
    verb: str
    tense: str
    object: Phrase

    def english(self) -> str:
        """The sentence in English."""
        third = self.verb[:-1] + "ies" if self.verb.endswith("ry") else self.verb + ("es" if self.verb.endswith("ch") else "s")
        present = third if self.subject.number == "one" else self.verb
        verb = {"past": VERBS[self.verb], "present": present, "future": f"will {self.verb}"}[self.tense]
        return f"{self.subject.english()} {verb} {self.object.english()}"


KINDS = ("article", "verb", "adjective", "noun")
"""Kinds of words, those with the fewest possible analyses first."""
Part = Callable[[tuple[str, ...]], tuple[str, ...]]
"""Picks some of the values."""
Slot = tuple[str, str, tuple[str, ...]]
"""One word of the invented language: its kind, what it means, and the values that its ending (or beginning) shows."""


@dataclass(frozen=True, slots=True)
class Order:
    """Where the words stand."""

    clause: tuple[str, ...]
    adjective_first: bool
    article: str
    """first, last or none in its phrase."""

    def slots(self, sentence: Sentence) -> list[Slot]:
        """The words of a sentence from left to right."""
        parts = {
            "S": self._phrase(sentence.subject, "subject"),
            "V": [("verb", sentence.verb, (sentence.tense,))],
            "O": self._phrase(sentence.object, "object"),
        }
        return [slot for part in self.clause for slot in parts[part]]

    def _phrase(self, phrase: Phrase, role: str) -> list[Slot]:
        slots: list[Slot] = [("noun", phrase.noun, (phrase.number, role))]
        if phrase.adjective:
            slots.insert(0 if self.adjective_first else 1, ("adjective", phrase.adjective, (phrase.number,)))
        if self.article != "none":
            slots.insert(0 if self.article == "first" else len(slots), ("article", phrase.article, ()))
        return slots


@dataclass(frozen=True, slots=True)
class Affixes:
    """What is put before and after the roots of one kind of word, by the values shown."""

    before: Mapping[tuple[str, ...], str]
    after: Mapping[tuple[str, ...], str]

    def around(self, root: str, values: tuple[str, ...]) -> str | None:
        """The root with what belongs to the values; None when that is unknown."""
        if values not in self.before or values not in self.after:
            return None
        return self.before[values] + root + self.after[values]

    def root(self, word: str, values: tuple[str, ...]) -> str | None:
        """The word without what belongs to the values; None when it does not have that or nothing would be left."""
        before, after = self.before[values], self.after[values]
        inside = word[len(before) : len(word) - len(after)]
        return inside if word == before + inside + after and len(inside) > 1 else None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What may be known of a language: the order of its words, their roots and their affixes."""

    order: Order
    roots: Mapping[tuple[str, str], str]
    affixes: Mapping[str, Affixes]

    def say(self, sentence: Sentence) -> str | None:
        """The sentence in the language; None when a part of it is unknown."""
        words = [self.word(slot) for slot in self.order.slots(sentence)]
        return None if None in words else " ".join(word for word in words if word)

    def word(self, slot: Slot) -> str | None:
        """One word; None when its root or what belongs to its values is unknown."""
        kind, meaning, values = slot
        root = self.roots.get((kind, meaning))
        return None if root is None else self.affixes[kind].around(root, values)


def linguistics_puzzles() -> list[Row]:
    """Six sentences with translations and one to translate, in turn into English and out of it."""
    rng = seeded("linguistics_puzzles")
    rows = []
    while len(rows) < N_ITEMS:
        into_english = len(rows) % 2 == 0
        language, vocabulary = _language(rng)
        *shown, asked = _sentences(vocabulary, N_SENTENCES + 1, rng)
        text, answer = _puzzle(language, shown, asked, into_english)
        if _attested(language.order, shown, asked) and _solutions(shown, language, asked, vocabulary, into_english) == {answer}:
            rows.append(row(text, [answer]))
    rng.shuffle(rows)
    return numbered("linguistics", rows)


def _puzzle(language: Analysis, shown: Sequence[Sentence], asked: Sentence, into_english: bool) -> tuple[str, str]:
    """The text of an item and its answer."""
    pairs = [(language.say(sentence) or "", sentence.english()) for sentence in (*shown, asked)]
    if into_english:
        lines = [f"Other: {other} English: {english}" for other, english in pairs[:-1]]
        return "\n".join([*lines, f"Other: {pairs[-1][0]} English: "]), pairs[-1][1]
    lines = [f"English: {english} Other: {other}" for other, english in pairs[:-1]]
    return "\n".join([*lines, f"English: {pairs[-1][1]} Other: "]), pairs[-1][0]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that one item uses."""

    articles: tuple[str, ...]
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    verbs: tuple[str, ...]
    tenses: tuple[str, ...]


def _language(rng: random.Random) -> tuple[Analysis, Vocabulary]:
    """A random language: word order, agreement of adjectives, cases, articles, prefixes or suffixes, roots."""
    articles = ("the", "a") if rng.random() < 0.5 else ("the",)
    order = Order(
        rng.choice(list(permutations("SVO"))),
        rng.random() < 0.5,
        rng.choice(("first", "last")) if len(articles) > 1 else "none",
    )
    vocabulary = Vocabulary(
        articles,
        tuple(rng.sample(sorted(NOUNS), 4)),
        tuple(rng.sample(ADJECTIVES, 3)),
        tuple(rng.sample(sorted(VERBS), 3)),
        tuple(rng.sample(TENSES, 2)),
    )
    syllables = [a + b for a in "bdfghjklmnprstvwyz" for b in "aeiou"]
    rng.shuffle(syllables)
    meanings = [(kind, word) for kind, words in (("noun", vocabulary.nouns), ("adjective", vocabulary.adjectives)) for word in words]
    meanings += [("verb", word) for word in vocabulary.verbs]
    roots = {meaning: syllables.pop() + syllables.pop() for meaning in meanings}
    roots |= {("article", word): syllables.pop() for word in articles}
    return Analysis(order, roots, _random_affixes(syllables, vocabulary, rng)), vocabulary


def _random_affixes(syllables: list[str], vocabulary: Vocabulary, rng: random.Random) -> dict[str, Affixes]:
    """Affixes of nouns (number; case on the other side in half of the languages), adjectives (number or none) and verbs (tense)."""
    number = {"one": syllables.pop() if rng.random() < 0.5 else "", "many": syllables.pop()}
    case = {"subject": "", "object": syllables.pop() if rng.random() < 0.5 else ""}
    agrees, before = rng.random() < 0.5, rng.random() < 0.3
    of_noun = {(n, c): number[n] for n in number for c in case}
    of_case = {(n, c): case[c] for n in number for c in case}
    of_adjective = {(n,): number[n] if agrees else "" for n in number}
    tense = {(name,): syllables.pop() for name in vocabulary.tenses}
    nothing = {(n,): "" for n in number}
    tense_before = rng.random() < 0.3
    no_tense = dict.fromkeys(tense, "")
    return {
        "noun": Affixes(of_noun, of_case) if before else Affixes(of_case, of_noun),
        "adjective": Affixes(of_adjective, nothing) if before else Affixes(nothing, of_adjective),
        "verb": Affixes(tense, no_tense) if tense_before else Affixes(no_tense, tense),
        "article": Affixes({(): ""}, {(): ""}),
    }


def _sentences(vocabulary: Vocabulary, count: int, rng: random.Random) -> list[Sentence]:
    """Different sentences; "a" goes with one person or animal only."""
    sentences: dict[Sentence, None] = {}
    while len(sentences) < count:
        nouns = rng.sample(vocabulary.nouns, 2)
        phrases = []
        for noun in nouns:
            number = rng.choice(("one", "many"))
            article = rng.choice(vocabulary.articles) if number == "one" else "the"
            adjective = rng.choice(vocabulary.adjectives) if rng.random() < 0.6 else None
            phrases.append(Phrase(article, adjective, noun, number))
        sentences.setdefault(Sentence(phrases[0], rng.choice(vocabulary.verbs), rng.choice(vocabulary.tenses), phrases[1]))
    return list(sentences)


def _attested(order: Order, shown: Sequence[Sentence], asked: Sentence) -> bool:
    """Whether every word and every form asked for (such as: a noun, many, object) is met before. Most drafts fail this quick check."""
    slots = [slot for sentence in shown for slot in order.slots(sentence)]
    words = {(kind, meaning) for kind, meaning, _ in slots}
    forms = {(kind, values) for kind, _, values in slots}
    return all((kind, meaning) in words and (kind, values) in forms for kind, meaning, values in order.slots(asked))


def _solutions(
    shown: Sequence[Sentence], language: Analysis, asked: Sentence, vocabulary: Vocabulary, into_english: bool
) -> set[str | None]:
    """All translations of the last sentence by analyses that fit the others; None among them stands for "cannot be known"."""
    pairs = [(sentence, (language.say(sentence) or "").split()) for sentence in shown]
    answers: set[str | None] = set()
    question = language.say(asked) or ""
    for analysis in _analyses(pairs):
        if into_english:
            answers |= _readings(analysis, question, vocabulary) or {None}
        else:
            answers.add(analysis.say(asked))
        if len(answers) > 1 or None in answers:
            break
    return answers


def _analyses(pairs: Sequence[tuple[Sentence, list[str]]]) -> Iterator[Analysis]:
    """Every analysis that explains all words of all sentences."""
    for clause, adjective_first, article in product(permutations("SVO"), (True, False), ("first", "last", "none")):
        order = Order(clause, adjective_first, article)
        if any(len(order.slots(sentence)) != len(other) for sentence, other in pairs):
            continue
        words = [(slot, word) for sentence, other in pairs for slot, word in zip(order.slots(sentence), other, strict=True)]
        per_kind: dict[str, list[tuple[Affixes, dict[str, str]]]] = {}
        for kind in sorted({kind for (kind, _, _), _ in words}, key=KINDS.index):
            per_kind[kind] = list(_morphologies([(slot, word) for slot, word in words if slot[0] == kind], kind))
            if not per_kind[kind]:
                break
        for chosen in product(*per_kind.values()):
            found = dict(zip(per_kind, chosen, strict=True))
            roots = {(kind, meaning): root for kind, (_, of_kind) in found.items() for meaning, root in of_kind.items()}
            yield Analysis(order, roots, {kind: affixes for kind, (affixes, _) in found.items()})


def _morphologies(words: Sequence[tuple[Slot, str]], kind: str) -> Iterator[tuple[Affixes, dict[str, str]]]:
    """Every way to take the words of one kind apart: affixes by value, and roots that are the same wherever they stand."""
    seen_values = sorted({values for (_, _, values), _ in words})
    for before_by, after_by in _divisions(kind):
        before_keys = sorted({before_by(values) for values in seen_values})
        after_keys = sorted({after_by(values) for values in seen_values})
        before_options = [_shared([w for (_, _, v), w in words if before_by(v) == key], True) if key else [""] for key in before_keys]
        after_options = [_shared([w for (_, _, v), w in words if after_by(v) == key], False) if key else [""] for key in after_keys]
        for before, after in product(product(*before_options), product(*after_options)):
            starts, ends = dict(zip(before_keys, before, strict=True)), dict(zip(after_keys, after, strict=True))
            all_values = _combined(kind, seen_values)
            affixes = Affixes(
                {v: starts[before_by(v)] for v in all_values if before_by(v) in starts},
                {v: ends[after_by(v)] for v in all_values if after_by(v) in ends},
            )
            roots = _roots(words, affixes)
            if roots is not None:
                yield affixes, roots


def _divisions(kind: str) -> list[tuple[Part, Part]]:
    """Which of the values stand before and which after the root: functions from all values to those that count there."""
    return {"noun": NOUN_DIVISIONS, "article": [(_none, _none)]}.get(kind, ONE_PART)


def _all(values: tuple[str, ...]) -> tuple[str, ...]:
    return values


def _none(_: tuple[str, ...]) -> tuple[str, ...]:
    return ()


ONE_PART: list[tuple[Part, Part]] = [(_all, _none), (_none, _all), (_all, _all)]
NOUN_DIVISIONS: list[tuple[Part, Part]] = [(lambda v: v[:1], lambda v: v[1:]), (lambda v: v[1:], lambda v: v[:1]), *ONE_PART]


def _combined(kind: str, seen: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """All combinations of the values seen."""
    return list(product(*(sorted(set(column)) for column in zip(*seen, strict=True)))) if kind != "article" else [()]


def _shared(words: Sequence[str], start: bool) -> list[str]:
    """What all of the words may have in common at the start or at the end: nothing, or up to three letters."""
    first = words[0]
    options = [first[:n] if start else first[len(first) - n :] for n in range(4)]
    return [option for option in options if all(word.startswith(option) if start else word.endswith(option) for word in words)]


def _roots(words: Sequence[tuple[Slot, str]], affixes: Affixes) -> dict[str, str] | None:
    """The root of every meaning; None when one would have two, or two would share one."""
    roots: dict[str, str] = {}
    for (_, meaning, values), word in words:
        root = affixes.root(word, values)
        if root is None or roots.setdefault(meaning, root) != root:
            return None
    return roots if len(set(roots.values())) == len(roots) else None


def _readings(analysis: Analysis, question: str, vocabulary: Vocabulary) -> set[str | None]:
    """Every English sentence of the item's vocabulary that the analysis turns into the question."""
    found: set[str | None] = set()
    words = set(question.split())
    phrases = {role: list(_possible_phrases(analysis, vocabulary, role, words)) for role in ("subject", "object")}
    for subject, verb, tense, target in product(phrases["subject"], vocabulary.verbs, vocabulary.tenses, phrases["object"]):
        if analysis.word(("verb", verb, (tense,))) in words:
            sentence = Sentence(subject, verb, tense, target)
            if analysis.say(sentence) == question:
                found.add(sentence.english())
    return found


def _possible_phrases(analysis: Analysis, vocabulary: Vocabulary, role: str, words: set[str]) -> Iterator[Phrase]:
    """The phrases all of whose words stand in the question."""
    for article, adjective, noun, number in product(vocabulary.articles, (None, *vocabulary.adjectives), vocabulary.nouns, ("one", "many")):
        phrase = Phrase(article, adjective, noun, number)
        slots = [("noun", noun, (number, role)), *([("adjective", adjective, (number,))] if adjective else [])]
        if (article, number) != ("a", "many") and all(analysis.word(slot) in words for slot in slots):
            yield phrase
