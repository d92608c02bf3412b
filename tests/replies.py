"""Which of many replies are scored as nobody who reads them would score them: each function gives those, with what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import promptlab

PAIR = "Sentence 1: A man is speaking. Sentence 2: A man is spitting."


def mislabelled(task: str, asked: str, options: Sequence[str], by_label: Mapping[str, Sequence[str]]) -> list[tuple[str, list[str], str]]:
    """(reply, the options that it settles on, its label) of replies that settle on another label; "" is the label of none."""
    wrong = []
    for label, replies in by_label.items():
        for reply in replies:
            settled = [
                one for one in options
                if promptlab.score(task, reply, input=asked, targets=[one], target_scores={each: float(each == one) for each in options})
            ]  # fmt: skip
            if settled != [label] * bool(label):
                wrong.append((reply, settled, label))
    return wrong


def misread(task: str, asked: str, replies: Sequence[tuple[str, str | None, str | Sequence[str] | None]]) -> list[tuple[str, str, str]]:
    """(reply, "says" or "does not say", answer) of replies with an answer that is right, or none, and one or several that are not."""
    wrong = []
    for reply, right, others in replies:
        if right is not None and not promptlab.score(task, reply, input=asked, targets=[right]):
            wrong.append((reply, "does not say", right))
        for other in [others] if isinstance(others, str) else others or []:
            if promptlab.score(task, reply, input=asked, targets=[other]):
                wrong.append((reply, "says", other))
    return wrong


def misrated(levels: Sequence[str], replies: Sequence[tuple[str, int | None]]) -> list[tuple[str, list[int]]]:
    """(reply, the levels that it says) of replies about the similarity of `PAIR` that say another level than theirs, or none."""
    wrong = []
    for reply, wanted in replies:
        said = [n for n, level in enumerate(levels) if promptlab.score("sentence_similarity", reply, input=PAIR, targets=[level])]
        if said != [n for n in range(len(levels)) if n == wanted]:
            wrong.append((reply, said))
    return wrong
