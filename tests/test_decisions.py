"""What a reply decides on after it has looked at another answer, worked something out or checked it, in seven languages.

`decisions.json` holds the replies as patterns: of `labels` {0} is the one decided on and {1} another, of `numbers` {0} is the
result and {1} another number.
Each is filled with the right answer and with a wrong one. `both`: {0} is the sum and {1} the difference; `replaced`: {0}
replaces {1}. `nothing`: JSON whose key for the answer is empty.
"""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

import promptlab
from replies import mislabelled, misread

DECISIONS = json.loads(Path(__file__).with_name("decisions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", DECISIONS["labels"], ids=lambda kind: kind["task"])
def test_a_reply_says_the_label_that_it_decides_on(kind: dict[str, Any]) -> None:
    replies = {chosen: [each.format(chosen, other) for each in kind["replies"]] for chosen, other in permutations(kind["options"], 2)}
    assert mislabelled(kind["task"], kind["input"], kind["options"], replies) == []


@pytest.mark.parametrize("kind", DECISIONS["numbers"], ids=lambda kind: f"{kind['task']} {kind['answer']}")
def test_a_reply_says_the_result_that_it_arrives_at(kind: dict[str, Any]) -> None:
    right, wrong = kind["answer"], str(int(kind["answer"]) + 1)
    replies = [(each.format(said, other), said, other) for each in kind["replies"] for said, other in ((right, wrong), (wrong, right))]
    assert misread(kind["task"], kind["input"], replies) == []


@pytest.mark.parametrize(("task", "right"), [("sum", "92"), ("diff", "24")])
def test_of_both_results_the_one_asked_for_counts(task: str, right: str) -> None:
    replies = [(each.format("92", "24"), right, None) for each in DECISIONS["both"]]
    replies += [(each.format("24", "92"), None, right) for each in DECISIONS["both"]]
    assert misread(task, "58 34", replies) == []


def test_a_number_that_another_one_replaces_is_not_said() -> None:
    assert misread("sum", "58 34", [(each.format("92", "90"), "92", "90") for each in DECISIONS["replaced"]]) == []
    assert misread("sum", "58 34", [(each.format("90", "92"), None, "92") for each in DECISIONS["replaced"]]) == []


@pytest.mark.parametrize("sense", ["same", "not the same"])
def test_what_is_said_of_other_things_is_not_said_of_the_meaning(sense: str) -> None:
    asked = "Sentence 1: Inject heroin. Sentence 2: He injected new life into the play. Word: inject"
    other = "not the same" if sense == "same" else "same"
    assert misread("word_in_context", asked, [(each, sense, other) for each in DECISIONS["senses"][sense]]) == []


def test_an_option_is_said_by_its_own_words_after_another_one_is_granted() -> None:
    options = ["It will be Bailey's office", "It will be the director's office", "Ambiguous"]
    asked = "Bailey will plan to meet the director at his office"
    assert mislabelled("disambiguation_qa", asked, options, {options[1]: DECISIONS["core"]}) == []


@pytest.mark.parametrize(("larger", "other"), list(permutations(("walrus", "northern pike"))))
def test_the_animal_that_opens_a_reply_is_the_larger_one(larger: str, other: str) -> None:
    replies = [each.format(a=larger, b=other, A=larger.capitalize(), B=other.capitalize()) for each in DECISIONS["larger"]]
    assert misread("larger_animal", "northern pike, walrus", [(reply, larger, other) for reply in replies]) == []


def test_a_word_is_said_to_be_the_translation() -> None:
    assert misread("translation_en-de", "bird", [(each.format("Vogel"), "Vogel", "Hund") for each in DECISIONS["words"]]) == []


@pytest.mark.parametrize("reply", ["92 it ain't.", "It ain't 92.", "92 is out of the question.", "92 ist es nicht.", "92 no es."])
def test_a_number_that_a_reply_only_denies_is_not_said(reply: str) -> None:
    assert promptlab.score("sum", reply, input="58 34", targets=["92"]) == 0


@pytest.mark.parametrize("bound", ["no more than", "no fewer than", "at least", "at most", "more than", "not more than", "weniger als"])
def test_one_bound_is_no_number(bound: str) -> None:
    assert promptlab.score("object_counting", f"{bound} 8", input="I have eight drums.", targets=["8"]) == 0


@pytest.mark.parametrize("reply", DECISIONS["nothing"])
def test_what_stands_beside_an_empty_answer_is_no_answer(reply: str) -> None:
    assert promptlab.score("sum", reply, input="5 43", targets=["48"]) == 0


@pytest.mark.parametrize(
    "reply", ['{"content": "48", "reasoning_content": null}', '{"answer": null, "result": 48}', '{"message": {"content": "48"}}']
)
def test_an_answer_beside_an_empty_key_is_read(reply: str) -> None:
    assert promptlab.score("sum", reply, input="5 43", targets=["48"]) == 1
