"""The first task file and experiment over a table that nobody described: a look at it, a proposal, and the files that say it."""

from promptlab.sources.starting.looking import Looked, dataset, look
from promptlab.sources.starting.proposing import Proposal, Wishes, propose
from promptlab.sources.starting.writing import (
    MODELS,
    Given,
    Started,
    example_files,
    experiment_text,
    judge_of,
    plain_name,
    prompt,
    start,
    task_text,
)

__all__ = [
    "MODELS", "Given", "Looked", "Proposal", "Started", "Wishes", "dataset", "example_files", "experiment_text", "judge_of", "look",
    "plain_name", "prompt", "propose", "start", "task_text",
]  # fmt: skip
