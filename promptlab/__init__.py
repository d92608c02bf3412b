"""promptlab: does a sentence added to a prompt help your model on your task?

The straight line: spec -> tasks -> design -> plan -> run -> store -> stats -> report. docs/reference/design.md tells it whole.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

if sys.platform == "win32":
    raise ImportError(
        "promptlab runs on Linux and macOS, not on Windows itself: use it inside WSL (https://learn.microsoft.com/windows/wsl)"
    )

# Without it, importing litellm fetches a price list over the network, and prices are part of a result.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
# Without it, importing litellm reads keys and addresses from a file .env of whatever folder this is.
os.environ.setdefault("LITELLM_MODE", "PRODUCTION")

__version__ = "0.1.0"
__all__ = [
    "BudgetReached",
    "DataMissing",
    "Experiment",
    "FileProblems",
    "Item",
    "Plan",
    "PromptlabError",
    "Report",
    "Run",
    "RunProblem",
    "Scored",
    "UsageProblem",
    "__version__",
    "arun",
    "compare",
    "open_run",
    "plan",
    "report",
    "run",
    "score",
    "verdicts",
]

if TYPE_CHECKING:
    from promptlab.api import arun, compare, plan, report, run
    from promptlab.nouns import BudgetReached, DataMissing, FileProblems, Item, Plan, PromptlabError, RunProblem, Scored, UsageProblem
    from promptlab.record.mirror import open_run
    from promptlab.record.store import Run
    from promptlab.reporting import verdicts
    from promptlab.reporting.whole import Report
    from promptlab.sources.objects import Experiment
    from promptlab.sources.score import score

_HOMES = {
    "api": "arun compare plan report run",
    "nouns": "BudgetReached DataMissing FileProblems Item Plan PromptlabError RunProblem Scored UsageProblem",
    "record.mirror": "open_run",
    "record.store": "Run",
    "reporting": "verdicts",
    "reporting.whole": "Report",
    "sources.objects": "Experiment",
    "sources.score": "score",
}
"""Where the public names are; each is imported when it is first used."""


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names.split():
            return getattr(importlib.import_module(f"promptlab.{module}"), name)
    raise AttributeError(f"module 'promptlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
