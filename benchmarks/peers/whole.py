"""The job with a whole tool that is driven from Python. Run in the environment that has the tool.

python benchmarks/peers/whole.py dspy|inspect_ai|inspect_ai_quiet job.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def by_dspy(job: dict[str, Any], items: list[dict[str, str]]) -> float:
    """dspy.Evaluate over dspy.Predict, with DSPy's own cache (on by default)."""
    import dspy

    lm = dspy.LM("openai/mock", api_base=job["base"], api_key="none", num_retries=0, temperature=0, max_tokens=16)
    dspy.configure(lm=lm)
    examples = [dspy.Example(question=item["prompt"], answer=item["target"]).with_inputs("question") for item in items]

    def exact(example: dspy.Example, prediction: dspy.Prediction, _: object = None) -> bool:
        return prediction.answer.strip() == example.answer

    evaluate = dspy.Evaluate(devset=examples, metric=exact, num_threads=job["concurrency"], display_progress=False, display_table=False)
    return float(evaluate(dspy.Predict("question -> answer")).score)


def by_inspect_ai(job: dict[str, Any], items: list[dict[str, str]], realtime: bool) -> float:
    """One task, generate and exact; `realtime` is its live log, on by default."""
    from inspect_ai import Task, eval  # noqa: A004
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.scorer import exact
    from inspect_ai.solver import generate

    samples = [Sample(input=item["prompt"], target=item["target"], id=item["id"]) for item in items]
    task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=exact(), name="sums")
    n = job["concurrency"]
    (log,) = eval(
        task, model="openai/mock", model_base_url=job["base"], model_args={"responses_api": False}, display="none",
        log_dir=str(Path(job["folder"]) / "logs"), log_realtime=realtime, max_connections=n, max_samples=n, max_retries=0,
        temperature=0, max_tokens=16,
    )  # fmt: skip
    if log.status != "success" or not log.results:
        raise SystemExit(f"{log.status}: {log.error.message if log.error else ''}")
    return next(iter(log.results.scores[0].metrics.values())).value


TOOLS = {
    "dspy": by_dspy,
    "inspect_ai": lambda job, items: by_inspect_ai(job, items, realtime=True),
    "inspect_ai_quiet": lambda job, items: by_inspect_ai(job, items, realtime=False),
}

if __name__ == "__main__":
    job = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    items = [json.loads(line) for line in Path(job["items"]).read_text(encoding="utf-8").splitlines()]
    print("score", TOOLS[sys.argv[1]](job, items))
