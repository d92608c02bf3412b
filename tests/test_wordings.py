"""What a reply says around its answer, in seven languages, never changes the reading: conclusions, alternatives, denials and relations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import promptlab

SAYS = json.loads(Path(__file__).with_name("wordings.json").read_text(encoding="utf-8"))
"""Wordings by what they say and their language: `x` is the answer, `y` another one; `a` and `b` are animals, `c` and `d` are none."""
LANGUAGES = tuple(SAYS["settles"])
PAIRS = {
    "sentiment": ("positive", "negative"),
    "logical_fallacy_detection": ("Valid", "Invalid"),
    "sports_understanding": ("plausible", "implausible"),
    "snarks": ("(a)", "(b)"),
}
"""Tasks with two options."""
ABROAD = {"sentiment": "sent", "logical_fallacy_detection": "val", "sports_understanding": "plaus"}
"""The name of a task's options among the words of a language."""
ICE = ("The ice melted.", "The sun came out.")


def right(task: str, reply: str, target: str, options: tuple[str, ...] = (), asked: str = "What is it?") -> bool:
    grades = {option: float(option == target) for option in options} or None
    return promptlab.score(task, reply, input=asked, targets=[target], target_scores=grades) >= 0.5


def chosen(task: str, reply: str, options: tuple[str, ...]) -> list[str]:
    return [option for option in options if right(task, reply, option, options)]


def forms(language: str) -> Iterator[tuple[str, tuple[str, str], tuple[str, str]]]:
    """(task, its two options, the words of a reply for them): the options themselves, and the language's own words."""
    for task, options in PAIRS.items():
        yield task, options, options
        if (words := SAYS["words"][language].get(ABROAD.get(task))) is not None:
            yield task, options, tuple(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reply_settles_on_what_it_concludes(language: str) -> None:
    wrong = []
    for task, options, words in forms(language):
        for wording in SAYS["settles"][language]:
            for i in (0, 1):
                reply = wording.format(x=words[i], y=words[1 - i])
                if chosen(task, reply, options) != [options[i]]:
                    wrong.append((task, reply))
    for wording in SAYS["settles"][language]:
        for x, y in (("37", "73"), ("73", "37")):
            if not right("sum", reply := wording.format(x=x, y=y), x, asked="20 17") or right("sum", reply, y, asked="20 17"):
                wrong.append(("sum", reply))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_alternatives_settle_nothing(language: str) -> None:
    wrong = []
    for wording in SAYS["alternatives"][language]:
        for task, options, words in forms(language):
            for i in (0, 1):
                if settled := chosen(task, reply := wording.format(x=words[i], y=words[1 - i]), options):
                    wrong.append((reply, settled))
        if any(right("sum", reply := wording.format(x="37", y="73"), value, asked="20 17") for value in ("37", "73")):
            wrong.append((reply, ["a number"]))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_denied_option_leaves_the_other_one(language: str) -> None:
    wrong = []
    for wording in SAYS["denials"][language]:
        for task, options, words in forms(language):
            for i in (0, 1):
                if chosen(task, reply := wording.format(x=words[i]), options) != [options[1 - i]]:
                    wrong.append((task, reply))
        if right("sum", reply := wording.format(x="37"), "37", asked="20 17"):
            wrong.append(("sum", reply))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_comparisons_name_the_larger_animal(language: str) -> None:
    wrong = []
    for wording in SAYS["larger"][language]:
        for x, y in (("stork", "vole"), ("vole", "stork")):
            for asked in ("stork, vole", "vole, stork"):
                reply = wording.format(x=x, y=y)
                if not right("larger_animal", reply, x, asked=asked) or right("larger_animal", reply, y, asked=asked):
                    wrong.append((asked, reply))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_relations_name_the_cause(language: str) -> None:
    names = {
        "en": ("Sentence 1", "Sentence 2"),
        "de": ("Satz 1", "Satz 2"),
        "fr": ("La phrase 1", "La phrase 2"),
        "es": ("La oración 1", "La oración 2"),
        "zh": ("句子1", "句子2"),
        "ja": ("文1", "文2"),
        "ko": ("문장 1", "문장 2"),
    }[language]
    low = names if language == "de" else tuple(name[0].lower() + name[1:] for name in names)
    asked = f"Sentence 1: {ICE[0]} Sentence 2: {ICE[1]}"
    wrong = []
    for wording in SAYS["causes"][language]:
        for i in (0, 1):
            reply = wording.format(X=names[i], Y=names[1 - i], x=low[i], y=low[1 - i])
            if [right("cause_and_effect", reply, sentence, asked=asked) for sentence in ICE] != [i == 0, i == 1]:
                wrong.append(reply)
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_keeps_what_it_does_not_exclude(language: str) -> None:
    def lists(**names: str) -> bool:
        return right("taxonomy_animal", wording.format(**names), "lynx, gecko", asked="spoon, lynx, cloud, gecko")

    wrong = []
    for wording in SAYS["listed"][language]:
        if not lists(a="lynx", b="gecko", c="spoon", d="cloud") or lists(a="lynx", b="spoon", c="gecko", d="cloud"):
            wrong.append(wording)
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_senses_are_the_same_or_not(language: str) -> None:
    asked = "Sentence 1: He sat on the bank. Sentence 2: The bank is shut. Word: bank"
    wrong = []
    for says, wanted in (("same", [True, False]), ("different", [False, True])):
        for reply in SAYS[says][language]:
            if [right("word_in_context", reply, target, asked=asked) for target in ("same", "not the same")] != wanted:
                wrong.append(reply)
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_comparisons_name_the_sarcastic_statement(language: str) -> None:
    wrong = []
    for wording in SAYS["sarcastic"][language]:
        for x, y in (("(a)", "(b)"), ("(b)", "(a)")):
            if chosen("snarks", reply := wording.format(x=x, y=y), ("(a)", "(b)")) != [x]:
                wrong.append(reply)
    assert wrong == []


@pytest.mark.parametrize(
    ("task", "asked", "target", "reply"),
    [
        ("causal_judgment", "Did Ann cause the fire?", "No", "アンが火事を引き起こしたとは言えません。"),
        ("causal_judgment", "Did Ann cause the fire?", "No", "앤이 화재를 일으켰다고 볼 수 없습니다."),
        ("causal_judgment", "Did Ann cause the fire?", "No", "Ann hat den Brand nicht verursacht."),
        ("causal_judgment", "Did Ann cause the fire?", "Yes", "Ann hat den Brand verursacht."),
        ("causal_judgment", "Did Ann cause the fire?", "No", "Ann n'est pas à l'origine de l'incendie."),
        ("causal_judgment", "Did Ann cause the fire?", "Yes", "安引起了火灾。"),
        ("causal_judgment", "Did Dr. Ono cause the fire?", "No", "In this story, Dr. Ono did not cause the fire."),
    ],
)
def test_a_question_is_answered_in_its_own_words(task: str, asked: str, target: str, reply: str) -> None:
    assert [answer for answer in ("Yes", "No") if right(task, reply, answer, ("Yes", "No"), asked)] == [target]


@pytest.mark.parametrize(
    "reply",
    [
        "Ich weiß nicht, ob Ann den Brand verursacht hat.",
        "アンが火事を引き起こしたかどうか、判断できません。",
        "Ann pourrait avoir causé l'incendie ?",
        "I'm not sure whether Ann caused the fire.",
        "Did Ann cause the fire?",
    ],
)
def test_doubts_and_questions_answer_nothing(reply: str) -> None:
    assert not any(right("causal_judgment", reply, answer, ("Yes", "No"), "Did Ann cause the fire?") for answer in ("Yes", "No"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_reply_grants_is_not_its_answer(language: str) -> None:
    wrong = []
    for task in ("sentiment", "logical_fallacy_detection"):
        options, words = PAIRS[task], SAYS["words"][language].get(ABROAD[task], PAIRS[task])
        for wording in SAYS["turns"][language]:
            for i in (0, 1):
                if chosen(task, reply := wording.format(x=words[i], y=words[1 - i]), options) != [options[i]]:
                    wrong.append((task, reply))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_yes_that_is_called_wrong_is_a_no(language: str) -> None:
    words = SAYS["words"][language].get("yn", ("yes", "no"))
    wrong = []
    for wording in SAYS["called wrong"][language]:
        for i in (0, 1):
            if chosen("implicatures", reply := wording.format(x=words[i]), ("yes", "no")) != [("no", "yes")[i]]:
                wrong.append(reply)
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_keep_to_the_word_that_they_prefer(language: str) -> None:
    wrong = []
    for wording in SAYS["words beside"][language]:
        for x, y in (("cold", "tepid"), ("tepid", "cold")):
            if [right("antonyms", reply := wording.format(x=x, y=y), word, asked="hot") for word in (x, y)] != [True, False]:
                wrong.append(reply)
    assert wrong == []
