"""The word difference of two texts: it loses no letter, folds what is equal, and lets no text act as markup."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growth import growth
from promptlab.reporting.diff import LONGEST_EQUAL, MOST_WORDS, Segment, difference_html, differences, folded
from promptlab.reporting.palette import DARK, LIGHT, Palette

TEXTS = st.text(alphabet="ab .\n\r\t<&é中文\u200b", max_size=60)


def sides(segments: list[Segment]) -> tuple[str, str]:
    return tuple("".join(s.text for s in segments if s.kind != other) for other in ("added", "removed"))  # type: ignore[return-value]


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS)
def test_joined_segments_are_the_two_texts(before: str, after: str) -> None:
    found = differences(before, after)
    assert sides(found) == (before, after)
    assert all(one.kind != two.kind for one, two in itertools.pairwise(found))
    assert all(s.kind == "equal" for s in found) == (before == after)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("the cat sat", "the dog sat", [("equal", "the"), ("removed", " cat"), ("added", " dog"), ("equal", " sat")]),
        (
            "Write it.\n\nInput: x",
            "Write it. Please.\n\nInput: x",
            [("equal", "Write it."), ("added", " Please."), ("equal", "\n\nInput: x")],
        ),
        ("", "a", [("added", "a")]),
        ("a b", "a\nb", [("equal", "a"), ("removed", " "), ("added", "\n"), ("equal", "b")]),
        ("今天好", "今天很好", [("equal", "今天"), ("added", "很"), ("equal", "好")]),
    ],
)
def test_the_smallest_difference_is_found(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    assert [(s.kind, s.text) for s in differences(before, after)] == expected


def test_equal_runs_are_folded_from_320_characters_on() -> None:
    text = " word" * 64
    assert len(text) == LONGEST_EQUAL
    assert folded(differences(text, text + " new")) == [Segment("equal", text), Segment("added", " new")]
    first, _ = folded(differences(text * 10, text * 10 + " new"))
    assert (len(first.text), first.n_hidden, len(first.tail)) == (160, 2_880, 160)
    assert "2,880 characters the same in both" in difference_html(text * 10, text * 10 + " new")


def test_markup_and_hidden_characters_are_inert() -> None:
    shown = difference_html("<script>alert(1)</script> x", "<img src=y onerror=z>\u202e \n")
    assert "<script" not in shown
    assert "<img" not in shown
    assert "\u202e" not in shown
    assert "\\u202e" in shown
    assert "⏎" in shown


def test_two_large_texts_take_no_time() -> None:
    def unlike(n: int) -> None:
        one, two = (" ".join(f"{side}{i % 977}" for i in range(n)) for side in "ab")
        assert sides(differences(one, two)) == (one, two)

    assert growth(unlike, 3 * MOST_WORDS) < 9
    lines = "\n".join(" ".join(f"{i * 7919 % 10_007}" for i in range(k, k + 12)) for k in range(4_000))
    changed = differences(lines, f"new {lines} end")
    assert sides(changed) == (lines, f"new {lines} end")
    assert sum(len(s.text) for s in changed if s.kind != "equal") < 20


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_every_text_can_be_read_on_its_ground(palette: Palette) -> None:
    tints = [palette.simulated, palette.warning, palette.good, *palette.verdicts.values()]
    for ink, ground in [
        (ink, ground) for ink in (palette.ink, palette.soft, palette.accent) for ground in (palette.page, palette.panel)
    ] + [(t.ink, palette.page if t.ground == "transparent" else t.ground) for t in tints]:
        assert contrast(ink, ground) >= 4.5, (ink, ground)
