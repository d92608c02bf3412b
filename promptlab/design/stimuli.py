"""What is added to a prompt, and what it is compared with: stacks, wordings, and placebos made to measure. Pure and seeded."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from promptlab.nouns import Stimulus

PlaceboKind = Literal["neutral", "shuffled", "whitespace"]


def stack(parts: Sequence[Stimulus]) -> Stimulus:
    """Several stimuli as one arm, in order, one space between them (as the papers print their combinations)."""
    libraries = {part.library for part in parts}
    library = libraries.pop() if len(libraries) == 1 else "stack"
    keys = "+".join(part.id.partition("/")[2] for part in parts)
    return Stimulus(
        id=f"{library}/{keys}",
        text=" ".join(part.text for part in parts),
        theory="; ".join(dict.fromkeys(part.theory for part in parts if part.theory)),
        valence="; ".join(dict.fromkeys(part.valence for part in parts if part.valence)),
        source="; ".join(dict.fromkeys(part.source for part in parts)),
        demands=tuple(dict.fromkeys(demand for part in parts for demand in part.demands)),
        parts=tuple(part.id for part in parts),
    )


def with_wordings(stimulus: Stimulus, known: Sequence[Stimulus], seed: int) -> Stimulus:
    """The stimulus with its own wording and all its paraphrases, in an order by seed: items draw a place in it."""
    wordings = [stimulus.text, *(s.text for s in known if s.of == stimulus.id)]
    random.Random(f"{seed}/{stimulus.id}/wordings").shuffle(wordings)
    return replace(stimulus, wordings=tuple(wordings)) if len(wordings) > 1 else stimulus


def shuffled(stimulus: Stimulus, seed: int) -> Stimulus:
    """The words of a stimulus in another order: its length and vocabulary without what it says."""
    words = stimulus.text.split()
    order = list(words)
    rng = random.Random(f"{seed}/{stimulus.id}/shuffled")
    for _ in range(20):  # a short text may come out as it went in
        rng.shuffle(order)
        if order != words:
            break
    return _made("shuffled", stimulus, " ".join(order))


def whitespace(stimulus: Stimulus) -> Stimulus:
    """As many spaces as the stimulus has characters."""
    return _made("whitespace", stimulus, " " * len(stimulus.text))


def _made(kind: str, stimulus: Stimulus, text: str) -> Stimulus:
    key = stimulus.id.replace("/", ".")
    return Stimulus(
        f"{kind}/{key}", text, role="placebo", theory="none", valence="neutral", source=f"made from {stimulus.id}", of=stimulus.id
    )


def matched_placebos(
    stimuli: Sequence[Stimulus],
    neutral: Sequence[Stimulus],
    n_tokens: Mapping[str, int],
    per_stimulus: int,
    kinds: Sequence[PlaceboKind],
    seed: int,
) -> tuple[Stimulus, ...]:
    """For every stimulus the neutral sentences nearest in tokens, and what is made of its own text; each once. A stack is matched
    part by part.

    `n_tokens` holds the length of every stimulus, part and neutral sentence by id.
    """
    chosen: dict[str, Stimulus] = {}
    for stimulus in stimuli:
        if "neutral" in kinds and stimulus.parts:
            each = [nearest(n_tokens[part], None, neutral, n_tokens) for part in stimulus.parts]
            made = [_stacked([near[(place + n) % len(near)] for n, near in enumerate(each)]) for place in range(per_stimulus)]
            chosen |= {placebo.id: placebo for placebo in made}
        elif "neutral" in kinds:
            near = nearest(n_tokens[stimulus.id], stimulus.n_words, neutral, n_tokens)
            chosen |= {placebo.id: placebo for placebo in near[:per_stimulus]}
        if "shuffled" in kinds and len(set(stimulus.text.split())) > 1:
            words = shuffled(stimulus, seed)
            chosen[words.id] = words
        if "whitespace" in kinds:
            spaces = whitespace(stimulus)
            chosen[spaces.id] = spaces
    return tuple(chosen.values())


def nearest(length: int, n_words: int | None, neutral: Sequence[Stimulus], n_tokens: Mapping[str, int]) -> list[Stimulus]:
    """Neutral sentences by their distance from a length in tokens, then in words where given; ties in the library's order."""
    return sorted(neutral, key=lambda p: (abs(n_tokens[p.id] - length), 0 if n_words is None else abs(p.n_words - n_words)))


def _stacked(parts: Sequence[Stimulus]) -> Stimulus:
    """A placebo for stacks: a neutral sentence for each sentence."""
    return replace(stack(parts), role="placebo", theory="none", valence="neutral")


def placebos_of(stimulus: Stimulus, placebos: Sequence[Stimulus], n_tokens: Mapping[str, int]) -> tuple[Stimulus, ...]:
    """Of the placebos that a run has, those against which a stimulus is judged: what was made of it, and the neutral sentences
    nearest to it in tokens, then in words; all of them where several are equally near.
    """
    neutral = [p for p in placebos if p.of is None]
    gaps = {p.id: (abs(n_tokens[p.id] - n_tokens[stimulus.id]), abs(p.n_words - stimulus.n_words)) for p in neutral}
    least = min(gaps.values(), default=(0, 0))
    return tuple(p for p in placebos if p.of == stimulus.id or (p.of is None and gaps[p.id] == least))
