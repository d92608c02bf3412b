"""The scorer of the published NegativePrompt code (Wang et al. 2024, wangxu0820/NegativePrompt), for replication only.

Every leniency and every slip of it is kept: an answer may be found inside another word, an echoed input may be right, and a
few rules look at the model's name. It is wrong on purpose; docs/reference/tasks.md lists what it lets pass. BIG-Bench tasks have no
rule of their own there and fall to exact match, which deletes all punctuation: an empty reply is then right where the
answer is brackets only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

from promptlab.nouns import Item, Scored
from promptlab.scoring.metrics.instruction_induction import PUNCTUATION, token_f1

CONTRACTIONS = (("don't", "do not"), ("can't", "cannot"), ("doesn't", "does not"), ("wasn't", "was not"), ("weren't", "were not"))
Rule = Callable[[str, str, str], float]
"""(reply, one answer, the model's name) to a score in [0, 1]."""


def normalize(text: str) -> str:
    """Like the reference, with five contractions written out before the case is lowered."""
    text = text.replace(" and ", " ").replace("Sentence 1:", " ").replace("Sentence 2:", " ")
    for short, full in CONTRACTIONS:
        text = text.replace(short, full)
    return text.strip().split("\n")[0].split(".")[0].lower().replace("-", " ").translate(PUNCTUATION)


def score(answer: str, item: Item, task: str, model: str = "") -> Scored:
    """The published score of one reply; `model` matters to larger_animal alone, where "t5" and "bloom" have a rule of their own."""
    rule = RULES.get(task, _equal)
    reply = answer
    if task in ("first_word_letter", "second_word_letter"):
        rule, reply = _letter(answer)
    best = max((rule(reply, target, model) for target in published_answers(task, item)), default=0.0)
    return Scored(float(best), reply or None)


def published_answers(task: str, item: Item) -> tuple[str, ...]:
    """The answers as the published loader rewrites them: the label of the sentence or animal in front, in two tasks."""
    if task == "cause_and_effect":
        first = item.input.partition(" Sentence 2:")[0]
        return tuple(t if re.match(r"Sentence [12]:", t) else f"Sentence {1 if first.endswith(t) else 2}: {t}" for t in item.targets)
    if task == "larger_animal":
        pair = item.input.split(", ")
        return tuple(t if re.match(r"Animal [01]:", t) else f"Animal {0 if pair[0] == t else 1}: {t}" for t in item.targets)
    return item.targets


def _equal(reply: str, target: str, _: str) -> float:
    return float(normalize(reply) == normalize(target))


def _inside(reply: str, target: str, _: str) -> float:
    return float(normalize(target) in normalize(reply))


def _letter(answer: str) -> tuple[Rule, str]:
    """The text after the first "is" (inside a word, too), or after "would be"; else the whole reply must be the letter."""
    for mark in ("is", "would be"):
        if mark in answer:
            rest = answer[answer.find(mark) + len(mark) :]
            return (_inside, rest) if rest else (lambda *_: 0.0, answer)
    return _equal, answer


def _f1(reply: str, target: str, _: str) -> float:
    ours, theirs = normalize(reply).split(), normalize(target).split()
    return token_f1(ours, theirs) if Counter(ours) & Counter(theirs) else 0.0


def _same_words(reply: str, target: str, _: str) -> float:
    return float(set(normalize(reply).split()) == set(normalize(target).split()))


def _word(reply: str, target: str, _: str) -> float:
    return float(bool(re.search(rf"\b({re.escape(normalize(target))})\b", normalize(reply))))


def _any_word(reply: str, target: str, _: str) -> float:
    return float(normalize(target) in normalize(reply).split())


def _cause(reply: str, target: str, _: str) -> float:
    return float(any(part.strip().lower().replace(".", "") in reply.lower() for part in target.split(":")))


def _bare_words(reply: str, *dropped: str) -> list[str]:
    text = reply.lower()
    for phrase in dropped:
        text = text.replace(phrase, "")
    return re.sub(r"\d+", "", re.sub("[,.-]", " ", text).translate(PUNCTUATION)).split()


def _starts_with(reply: str, target: str, _: str) -> float:
    return float(set(_bare_words(reply, "confidence score:", "score:")) == set(target.split()))


def _letters(reply: str, target: str, _: str) -> float:
    return float(_bare_words(reply, "confidence score:") == target.split())


def _similarity(reply: str, target: str, _: str) -> float:
    words = reply.replace("-", " ").translate(PUNCTUATION).lower().split()
    return float(any(word.isdigit() and word[0] == target.split(maxsplit=1)[0] for word in words))


def _sentiment(reply: str, target: str, _: str) -> float:
    read = reply.replace("-", " ").translate(PUNCTUATION).strip().lower()
    if "positive" in read and "negative" in read:
        return 0.0
    words = read.split()
    if "positive" in read or "negative" in read:
        read = "positive" if "positive" in read else "negative"
    elif words and (first := _polarity(words[0])):
        read = first
    elif len(words) > 1 and ("positiv" in read or "negativ" in read):
        read = "positive" if "positiv" in read else "negative"
    return float(target in read)


def _polarity(word: str) -> str | None:
    if word in ("pos", "neg"):
        return {"pos": "positive", "neg": "negative"}[word]
    # The published code reads "²" as a digit and then fails to make a number of it; here it is no number.
    return ("positive" if int(word) > 0 else "negative") if word.isdecimal() else None


def _sense(reply: str, target: str, _: str) -> float:
    text = reply.strip().lower()
    first = text.split()[0].replace("-", " ").translate(PUNCTUATION).strip() if text else ""
    if first in ("true", "yes", "1", "10", "match", "similar") or "same" in first:
        text = "same"
    elif first in ("false", "no", "0", "00", "not", "opposite") or "different" in first:
        text = "not the same"
    elif "different" in text:
        text = "same" if "not" in text else "not the same"
    elif "same" in text:
        text = "not the same" if "not" in text else "same"
    return float(text == target)


def _larger(reply: str, target: str, model: str) -> float:
    read, label = reply.lower(), target.strip().lower()
    if "larger" in read and "than" in read:
        read = read[: read.find("larger")]
    if "confidence" in read:
        read = read[: read.find("confidence")].strip()
    if model.lower() in ("t5", "bloom") and read.split() and "," in read.split()[0]:
        return 0.0
    if label in read or (len(label.split()) > 1 and label.split()[-1] in read):
        return 1.0
    return float(("1" in label and ("1" in read or "2" in read)) or ("1" not in label and "0" in label and "0" in read))


RULES: Mapping[str, Rule] = {
    "cause_and_effect": _cause,
    "common_concept": _f1,
    "informal_to_formal": _f1,
    "larger_animal": _larger,
    "letters_list": _letters,
    "orthography_starts_with": _starts_with,
    "rhymes": _any_word,
    "sentence_similarity": _similarity,
    "sentiment": _sentiment,
    "synonyms": _word,
    "taxonomy_animal": _same_words,
    "word_in_context": _sense,
    **dict.fromkeys(
        ("antonyms", "diff", "singular_to_plural", "sum", "translation_en-de", "translation_en-es", "translation_en-fr"), _inside
    ),
}
