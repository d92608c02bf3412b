"""A run's trials in the columns that other tools read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from promptlab.nouns import TrialRow, facts_of, inert
from promptlab.record.store import Run
from promptlab.reporting.formats import neutral

LONG = (
    "model", "simulated", "suite", "task", "item", "cluster", "arm", "role", "stimulus", "library", "base_prompt",
    "setting", "placement", "shots", "strategy",
    "replicate", "score", "outcome", "extracted", "rule", "answer", "oracle",
    "input_tokens", "output_tokens", "cost_usd", "latency_s", "model_version", "error", *facts_of(TrialRow),
)  # fmt: skip


def long_frame(run: Run) -> pd.DataFrame:
    """One row a trial: factors, score, outcome, answer, tokens, cost."""
    return run.trials()[list(LONG)]


def evalstats_frame(run: Run) -> pd.DataFrame:
    """The columns model, prompt, item, run, score of evalstats; items are named by task as well, trials without a score left out."""
    trials = run.trials()
    scored = trials[trials["score"].notna()]
    return pd.DataFrame(
        {
            "model": scored["model"],
            "prompt": _prompt_names(run, scored),
            "item": scored["task"] + "/" + scored["item"],
            "run": scored["replicate"] + 1,
            "score": scored["score"],
            "simulated": scored["simulated"],
        }
    ).reset_index(drop=True)


def inspect_frame(run: Run) -> pd.DataFrame:
    """Columns as in inspect_ai's samples_df: a row a trial, one evaluation for each model, task and prompt, epochs from 1."""
    trials = run.trials()
    items = run.items().set_index(["task", "item"])
    prompts = _prompt_names(run, trials)
    place = [(task, item) for task, item in zip(trials["task"], trials["item"], strict=True)]
    return pd.DataFrame(
        {
            "sample_id": trials["trial"],
            "eval_id": run.id + "/" + trials["model"] + "/" + trials["task"] + "/" + prompts,
            "log": run.id,
            "task_name": trials["task"],
            "model": trials["model"],
            "id": trials["item"],
            "epoch": trials["replicate"] + 1,
            "input": [items["input"].get(key) for key in place],
            "choices": [json.dumps(list(items["choices"].get(key, ())), ensure_ascii=False) for key in place],
            "target": [", ".join(items["targets"].get(key, ())) for key in place],
            "metadata_arm": trials["arm"],
            "metadata_role": trials["role"],
            "metadata_base_prompt": trials["base_prompt"],
            "metadata_simulated": trials["simulated"],
            f"score_{run.plan.scorer or 'imported'}": trials["score"],
            "total_tokens": trials["input_tokens"] + trials["output_tokens"],
            "total_time": trials["latency_s"],
            "error": trials["error"].fillna("").where(trials["outcome"] == "error", ""),
            "retries": (trials["attempts"] - 1).clip(lower=0),
        }
    )


FRAMES: Mapping[str, Callable[[Run], pd.DataFrame]] = {"long": long_frame, "evalstats": evalstats_frame, "inspect-frame": inspect_frame}


def written(frame: pd.DataFrame, ending: str) -> bytes:
    """The frame as `.csv`, `.jsonl` or `.parquet`. In CSV a text that a spreadsheet could run gets a leading apostrophe."""
    if ending == ".parquet":
        out = io.BytesIO()
        frame.to_parquet(out, index=False)
        return out.getvalue()
    if ending == ".jsonl":
        return str(frame.to_json(orient="records", lines=True, force_ascii=False)).encode("utf-8", "replace")
    safe = frame.map(_for_csv)
    return str(safe.to_csv(index=False, lineterminator="\n")).encode("utf-8", "replace")


def _for_csv(value: Any) -> Any:  # noqa: ANN401
    """Several lines stay several lines; what hides or reorders text is spelled out."""
    if not isinstance(value, str):
        return value
    return neutral("\n".join(inert(line) for line in value.split("\n")))


def _prompt_names(run: Run, trials: pd.DataFrame) -> pd.Series:
    """The arm, with what tells its setting and base prompt from others where a run has several."""
    names = trials["arm"].astype(str)
    if trials["base_prompt"].nunique() > 1:
        names = names + " | base_prompt=" + trials["base_prompt"].astype(str)
    factors = {own: run.plan.setting_of[own].canonical() for own in trials["setting"].unique()}
    for name in dict.fromkeys(name for values in factors.values() for name in values):
        values = trials["setting"].map({own: str(found.get(name)) for own, found in factors.items()})
        if values.nunique() > 1:
            names = names + f" | {name}=" + values
    return names
