"""The columns of every recorded frame."""

from __future__ import annotations

from collections.abc import Mapping

TRIAL_COLUMNS: Mapping[str, str] = {
    "trial": "str",
    "order": "int",
    "model": "str",
    "simulated": "bool",
    "suite": "str",
    "task": "str",
    "item": "str",
    "cluster": "str?",
    "arm": "str",
    "role": "str",
    "stimulus": "str?",
    "library": "str?",
    "base_prompt": "str",
    "setting": "str",
    "placement": "str",
    "shots": "int",
    "strategy": "str",
    "replicate": "int",
    "outcome": "str",
    "score": "float?",
    "extracted": "str?",
    "compliant": "bool?",
    "echoed": "bool?",
    "declined": "bool?",
    "answer": "str",
    "oracle": "bool?",
    "n_rounds": "int?",
    "solved_round": "int?",
    "n_calls": "int",
    "input_tokens": "int?",
    "output_tokens": "int?",
    "cost_usd": "float?",
    "paid_usd": "float?",
    "latency_s": "float",
    "cached": "bool",
    "attempts": "int",
    "model_version": "str?",
    "error": "str?",
}
"""The trials frame: one row per trial. `task` is the bare name, `suite` beside it.

`setting` is the id of the arm's setting in the plan; placement, shots and strategy name its factors.
`compliant` (the reply has the form that was asked for), `echoed` (it is the input again) and `declined` (it refuses in words)
stand beside the score and never change it. `cost_usd` is the price of the answer, `paid_usd` what this run paid for it (0 when
every call came from the cache).
"""
CIRCUMSTANCE_COLUMNS = ("latency_s", "cached", "attempts", "paid_usd")
"""Columns that may differ between two runs of the same experiment that gave the same answers."""
CALL_COLUMNS: Mapping[str, str] = {
    "trial": "str",
    "turn": "int",
    "key": "str",
    "messages": "str",
    "requested": "str",
    "effective": "str",
    "text": "str",
    "outcome": "str",
    "finish_reason": "str?",
    "model_version": "str?",
    "input_tokens": "int?",
    "output_tokens": "int?",
    "cost_usd": "float?",
    "latency_s": "float",
    "cached": "bool",
    "attempts": "int",
    "error": "str?",
    "top_logprobs": "str?",
    "round": "int?",
    "purpose": "str?",
    "cue": "str?",
    "emotion": "str?",
    "score": "float?",
    "fingerprint": "str?",
}
"""The calls frame: one row per call of a trial; `messages`, `requested`, `effective` and `top_logprobs` (the likeliest first
tokens with their log-probabilities, where a strategy asks for them) are JSON text."""
ITEM_COLUMNS: Mapping[str, str] = {
    "suite": "str",
    "task": "str",
    "item": "str",
    "input": "str",
    "targets": "str",
    "choices": "str",
    "cluster": "str?",
    "scores": "str?",
}
"""The items that a run used; `targets`, `choices` and `scores` (the grade of each choice) are JSON lists."""
