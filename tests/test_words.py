"""Numbers with their nouns and verbs: none, one and several."""

from __future__ import annotations

import pytest

from promptlab.nouns.words import counted, tallied
from promptlab.reporting.summary_words import axis_words


@pytest.mark.parametrize(
    ("thing", "one", "many"),
    [("item", "1 item", "2 items"), ("batch", "1 batch", "2 batches"), ("family", "1 family", "2 families"), ("day", "1 day", "2 days"),
     ("class", "1 class", "2 classes")],
)  # fmt: skip
def test_a_number_and_its_noun_agree(thing: str, one: str, many: str) -> None:
    assert [counted(n, thing) for n in (0, 1, 2)] == [many.replace("2", "0"), one, many]
    assert counted(1_200, thing) == many.replace("2", "1,200")


def test_a_number_and_its_verb_agree() -> None:
    assert [counted(n, "trial", "waits") for n in (0, 1, 2)] == ["0 trials wait", "1 trial waits", "2 trials wait"]
    assert [counted(2, "batch", verb) for verb in ("is", "has", "does")] == ["2 batches are", "2 batches have", "2 batches do"]


def test_a_number_and_its_verdict_agree() -> None:
    assert tallied({"helps": 1, "hurts": 2, "same": 0, "unclear": 1_200}) == ["1 helps", "2 hurt", "1,200 unclear"]


@pytest.mark.parametrize(
    ("axis", "words"),
    [((-0.25, 0.22), ("-25", "+22")), ((-0.09, 0.65), ("", "+65")), ((-0.65, 0.09), ("-65", ""))],
)
def test_the_words_of_an_axis_do_not_run_into_its_zero(axis: tuple[float, float], words: tuple[str, str]) -> None:
    assert axis_words(axis) == words
