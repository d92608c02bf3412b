"""The three scorers: golden lines through the public function, and what must hold for every task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

import promptlab
from conftest import SHARED
from promptlab.nouns.errors import UsageProblem
from promptlab.nouns.item import Item
from promptlab.nouns.words import SCORERS
from promptlab.scoring.answers.text import fold, key
from promptlab.scoring.metrics import bigbench, compliant, declines, echoed
from promptlab.scoring.metrics.strict.notations import spelled_number
from promptlab.scoring.rules import task_metric
from promptlab.sources.tasks import entries, load_task, task_names

SCORER_OF = {
    "instruction-induction": "reference",
    "automatic_prompt_engineer": "reference",
    "big-bench": "reference",
    "negativeprompt": "negativeprompt",
}
CUT_BY_REFERENCE = {"tense", "gender_inclusive_sentences_german", "word_sorting"}
"""BIG-bench's own rule cuts at the first full stop, which these answers hold (docs/reference/tasks.md)."""


@cache
def lines() -> tuple[dict[str, Any], ...]:
    path = SHARED / "data" / "golden_scores.jsonl"
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def scored(line: dict[str, Any], scorer: Any, answers: str = "answers") -> float:
    return promptlab.score(
        line["task"],
        line["prediction"],
        targets=line.get(answers) or line["answers"],
        target_scores=line.get("target_scores"),
        input=line["input"],
        scorer=scorer,
        model=line.get("model"),
    )


@pytest.mark.shared
def test_every_golden_line() -> None:
    chosen = [line for line in lines() if line["implementation"] in SCORER_OF]
    assert len(chosen) == 379
    wrong = [line["id"] for line in chosen if scored(line, SCORER_OF[line["implementation"]]) != pytest.approx(line["score"])]
    assert wrong == []


@pytest.mark.shared
def test_strict_reads_as_a_person_does() -> None:
    """On every line that a person judged."""
    judged = [line for line in lines() if line["human_ok"] is not None]
    assert len(judged) == 364
    assert [line for line in judged if (scored(line, "strict", "raw_answers") > 0.5) != line["human_ok"]] == []


def items_of(suite: Any, name: str) -> Iterator[tuple[Any, Item]]:
    task = load_task(name, suite)
    for item in task.items[:250]:
        yield task, item


def check_task(suite: Any, name: str) -> None:
    for task, item in items_of(suite, name):
        right = {key(target) or fold(target) for target in item.targets}
        for scorer in SCORERS:
            metric = task_metric(task, scorer, "chatgpt")
            if not (scorer == "reference" and name in CUT_BY_REFERENCE):
                assert metric(item.targets[0], item).score == pytest.approx(1), (scorer, item)
            if not (scorer == "negativeprompt" and name == "dyck_languages"):
                assert metric("", item).score == 0, (scorer, item)
        strict = task_metric(task, "strict")
        for target in item.targets:
            assert strict(target, item).score == pytest.approx(1), (target, item)
        assert strict(f"The answer is {item.targets[0]}.", item).score == pytest.approx(1), item
        assert strict(f"{item.targets[0]} (confidence: 0.9)", item).score == pytest.approx(1), item
        if (key(item.input) or fold(item.input)) not in right:
            assert strict(item.input, item).score == 0, item
        options = item.choices or (tuple(item.input.split(", ")) if name == "larger_animal" else ())
        if len(options) > 1:
            for separator in (", ", "\n", " or "):
                assert strict(separator.join(options), item).score == 0, (separator, item)


@pytest.mark.long(but=12)
@pytest.mark.parametrize("name", task_names("twin"))
def test_twin_answers(name: str) -> None:
    check_task("twin", name)


@pytest.mark.long
@pytest.mark.shared
def test_official_answers(shared: Any) -> None:
    from promptlab.sources.official import files as official

    official.import_from(shared / "data")
    for name in task_names("official"):
        check_task("official", name)


@pytest.mark.parametrize(
    ("task", "prediction", "targets", "text", "expected"),
    [
        ("sum", "The sum of 65 and 12 is 77.", ["77"], "65 12", 1),
        ("sum", "65 + 12 = 77", ["77"], "65 12", 1),
        ("sum", "seventy-seven", ["77"], "65 12", 1),
        ("sum", "177", ["77"], "65 12", 0),
        ("sum", "76, 77 or 78", ["77"], "65 12", 0),
        ("sum", "７７", ["77"], "65 12", 1),
        ("operators", "17 is the result", ["17"], "op 17", 1),
        ("operators", "-17", ["17"], "op 9", 0),
        ("num_to_verbal", "It is spelled one thousand and five.", ["one thousand and five"], "1005", 1),
        ("num_to_verbal", "1005", ["one thousand and five"], "1005", 0),
        ("antonyms", "**Wide**", ["wide"], "narrow", 1),
        ("antonyms", "wide, narrow", ["wide"], "narrow", 0),
        ("antonyms", "The opposite of narrow is not wide.", ["wide"], "narrow", 0),
        ("rhymes", "cat", ["cat", "hat"], "cat", 0),
        ("rhymes", "No word rhymes with cat", ["cat", "hat"], "cat", 0),
        ("word_in_context", "They do not have the same meaning.", ["not the same"], "Sentence 1", 1),
        ("word_in_context", "same, not the same", ["same"], "Sentence 1", 0),
        ("larger_animal", "The mouse is smaller than the ox.", ["ox"], "mouse, ox", 1),
        ("cause_and_effect", "Sentence 2", ["It rained."], "Sentence 1: The street was wet. Sentence 2: It rained.", 1),
        ("sentence_similarity", "3", ["3 - probably"], "Sentence 1: a Sentence 2: b", 1),
        ("sentence_similarity", "2 or 3", ["3 - probably"], "Sentence 1: a Sentence 2: b", 0),
        ("dyck_languages", "[ ( ) ]", [") ]"], "[ (", 1),
        ("word_sorting", "ant\nbee\ncow", ["ant bee cow"], "cow bee ant", 1),
        ("taxonomy_animal", "Animals:\n1. cow\n2. dog", ["dog, cow"], "dog, car, cow", 1),
        ("letters_list", "1. c\n2. a\n3. t", ["c a t"], "cat", 1),
        ("tense", "SIMPLE PAST: He went.", ["He went."], "He goes. Change tense to SIMPLE PAST: ", 1),
        ("negation", "He doesn’t smoke.", ["He does not smoke."], "He smokes.", 1),
    ],
)
def test_strict(task: str, prediction: str, targets: list[str], text: str, expected: float) -> None:
    assert promptlab.score(task, prediction, targets=targets, input=text) == expected


def test_graded_options_give_their_grade() -> None:
    grades = {"yes": 0.25, "no": 0.75}
    assert promptlab.score("implicatures", "yes", target_scores=grades) == 0.25
    assert promptlab.score("implicatures", "No.", target_scores=grades) == 0.75


def test_wrong_use_is_told() -> None:
    with pytest.raises(UsageProblem, match="did you mean 'sum'"):
        promptlab.score("summ", "1", targets=["1"])
    with pytest.raises(UsageProblem, match="needs 'targets'"):
        promptlab.score("sum", "1")
    with pytest.raises(UsageProblem, match="'lenient' is not known"):
        promptlab.score("sum", "1", targets=["1"], scorer="lenient")  # type: ignore[arg-type]


def test_what_stands_beside_the_score() -> None:
    item = Item("1", "What now?", ("wait",))
    assert echoed("what now", item)
    assert not echoed("wait", item)
    assert declines("I'm sorry, but I can't help with that.")
    assert not declines("A sorry sight")
    assert compliant("Wait.", item)
    assert not compliant("You should wait.\nThat is all.", item)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("one hundred and twenty-two", [122]), ("one, two", [1, 2]), ("ten thousand and one", [10001]), ("zero", [0]), ("none", [])],
)
def test_spelled_numbers(text: str, numbers: list[int]) -> None:
    assert spelled_number(text) == numbers


def test_all_tasks_are_described() -> None:
    assert len(entries()) == 45
    assert task_names("twin") == task_names("official") == sorted(entries())


@pytest.mark.parametrize(
    "reply", ["Sorted:apple banana cherry", "'apple banana cherry'", "_apple banana cherry_", "1. apple\n2. banana\n3. cherry"]
)
def test_sorted_words_behind_marks(reply: str) -> None:
    assert promptlab.score("word_sorting", reply, targets=["apple banana cherry"], input="cherry apple banana") == 1
    assert (
        promptlab.score("word_sorting", reply.replace("cherry", "berry"), targets=["apple banana cherry"], input="cherry apple banana") == 0
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("It's a non-entailment.", 0),
        ("That is entailment's best case", 1),
        ("entailment-like", 0),
        ("I can't say entailment", 1),
        ("ENTAILMENT: entailment", 1),
        ("entailments", 0),
        ("(entailment)", 1),
        ("'entailment'", 1),
        ("entailment'll do", 0),
    ],
)
def test_an_option_counts_as_words_of_its_own(reply: str, expected: float) -> None:
    item = Item("1", "x", ("entailment",), ("entailment", "contradiction"))
    assert bigbench.choice(reply, item).score == expected
