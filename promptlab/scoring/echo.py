"""Whether an answer repeats the sentence that its prompt had added: a judge or rater who reads it knows the arm."""

from __future__ import annotations

from promptlab.scoring.compiled import regex

LEAST_WORDS = 4
"""Words of the sentence in a row that count as repeating it; of a shorter sentence all."""
MASK = "[...]"
_WORD = regex(r"\w+(?:['’]\w+)*")


def _spans(answer: str, sentence: str) -> list[tuple[int, int]]:
    """Where runs of the sentence's words occur in the answer."""
    wanted = [word.casefold() for word in _WORD.findall(sentence)]
    n = min(LEAST_WORDS, len(wanted))
    if not n:
        return []
    runs = {tuple(wanted[i : i + n]) for i in range(len(wanted) - n + 1)}
    words = list(_WORD.finditer(answer))
    said = [word.group().casefold() for word in words]
    spans: list[tuple[int, int]] = []
    for i in range(len(said) - n + 1):
        if tuple(said[i : i + n]) in runs:
            start, end = words[i].start(), words[i + n - 1].end()
            if spans and start <= spans[-1][1]:
                spans[-1] = spans[-1][0], end
            else:
                spans.append((start, end))
    return spans


def repeats(answer: str, sentence: str) -> bool:
    """Whether the answer holds a run of the sentence's words: four in a row, or the whole of a shorter one; case does not count."""
    return bool(_spans(answer, sentence))


def masked(answer: str, sentence: str) -> str:
    """The answer with what repeats the sentence taken out."""
    for start, end in reversed(_spans(answer, sentence)):
        answer = f"{answer[:start]}{MASK}{answer[end:]}"
    return answer
