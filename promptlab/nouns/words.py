"""The closed vocabularies: every word that a column, a key or a verdict may hold."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["ok", "truncated", "refused", "empty", "parse_failed", "error"]
Verdict = Literal["helps", "hurts", "negligible", "same", "unclear", "refused"]
Role = Literal["baseline", "aa", "placebo", "stimulus", "loop", "loop_control"]
Position = Literal["prefix", "suffix", "system", "after_input"]
Suite = Literal["twin", "official", "own"]
Benchmark = Literal["instruction_induction", "bigbench", "own"]
Control = Literal["none", "placebo", "neutral_feedback", "neutral_paraphrase", "resample", "self_reflection", "chain_of_thought", "single"]
Emotion = Literal["happiness", "sadness", "fear", "anger", "surprise", "disgust", "neutral"]
Valence = Literal["positive", "negative", "neutral"]
Demand = Literal["confidence", "check_again", "explain", "persist", "reason"]
LoopMode = Literal["oracle", "verifier_free", "self_judge"]
Settle = Literal["last", "majority", "synthesis"]
Purpose = Literal["answer", "judge", "synthesis", "score"]
Scorer = Literal["strict", "reference", "negativeprompt"]
Status = Literal[
    "ok",
    "n_too_small",
    "no_discordant_pairs",
    "zero_variance",
    "missing_pairs",
    "duplicate_keys",
    "unbalanced_repeats",
    "too_few_clusters",
    "separation",
    "not_planned",
    "cannot_be_significant",
    "aa_failed",
]
NONE_ARM = "none"
AA_ARM = "none_aa"
OWN_PROMPT = "program"
"""The base prompt of a program that keeps its own instructions."""
