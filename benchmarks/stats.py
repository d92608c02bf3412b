"""How long judging takes, and what it needs: a full report's statistics, sign flips for thousands of cells, and scipy beside both.

    python benchmarks/stats.py [--tasks 45] [--stimuli 21] [--models 5] [--items 100] [--repeats 3] [--cells 2835] [--sample 12]

Everything is measured in one process and one run; `scipy.stats.permutation_test` and `scipy.stats.bootstrap` get a sample of the same
cells, and the ratio is what counts. Answers are drawn from item propensities without any effect.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as st

from promptlab.nouns.plan import Plan
from promptlab.nouns.setting import Setting
from promptlab.stats import analyse, signflip_many, signflip_test, supplement
from promptlab.stats.multiplicity import hypotheses

SETTING = Setting("paper")


def plan_of(tasks: int, stimuli: int, models: int, items: int, repeats: int) -> Plan:
    """The plan of a sweep without placebos: every stimulus in every task of every model, against no added text."""
    names = [f"set/S{i:02d}" for i in range(stimuli)]
    task_names, model_names = [f"task{i:02d}" for i in range(tasks)], [f"model{i}" for i in range(models)]
    planned = hypotheses(model_names, task_names, [(name, "set") for name in names], [SETTING], ["none"])
    return Plan.read({
        "suite": "twin", "scorer": "strict", "alpha": 0.05, "fdr": 0.05, "seed": 0, "replicates": repeats,
        "best_in_task": True, "loops": [],
        "margins": {"cell": 0.05, "mean": 0.02}, "models": [{"name": name, "simulated": True} for name in model_names],
        "tasks": [{"task": name, "suite": "twin", "n_items": items} for name in task_names],
        "arms": [{"arm": "none", "role": "baseline"}, *({"arm": name, "role": "stimulus"} for name in names)],
        "placebos_of": {name: [] for name in names}, "stimuli_of": {"set": names}, "hypotheses": [h.plain() for h in planned],
    })  # fmt: skip


def trials_of(plan: Plan, rng: np.random.Generator) -> pd.DataFrame:
    """A trials frame with the columns that the analysis reads, as a run folder gives them."""
    arms = [arm.name for arm in plan.arms]
    models, tasks = list(plan.model_of), list(plan.task_of)
    n_items, repeats = plan.tasks[0].n_items, plan.replicates
    shape = (len(models), len(tasks), n_items, len(arms), repeats)
    propensity = rng.beta(0.8, 0.8, (len(models), len(tasks), n_items))[..., None, None]
    score = (rng.random(shape) < propensity).astype(np.float64).ravel()
    at = np.indices(shape).reshape(len(shape), -1)
    text: Any = pd.api.types.pandas_dtype("str")
    columns = {
        "model": np.array(models)[at[0]], "task": np.array(tasks)[at[1]], "item": np.array([f"i{n:04d}" for n in range(n_items)])[at[2]],
        "arm": np.array(arms)[at[3]],
    }  # fmt: skip
    frame = pd.DataFrame({name: pd.Series(values, dtype=text) for name, values in columns.items()})
    return frame.assign(
        setting=pd.Series([SETTING.id], dtype=text).repeat(len(frame)).to_numpy(), replicate=at[4], score=score, cluster=None,
        base_prompt=pd.Series(["human"], dtype=text).repeat(len(frame)).to_numpy(), outcome="ok", cost_usd=rng.random(len(frame)),
        input_tokens=rng.integers(50, 90, len(frame)), output_tokens=rng.integers(1, 40, len(frame)), latency_s=rng.random(len(frame)),
    )  # fmt: skip


def write_trials(plan: Plan, path: str) -> None:
    """The frame of a plan as a Parquet file."""
    trials_of(plan, np.random.default_rng(0)).to_parquet(path)


def peak_mb() -> float:
    """The most memory that the process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """Print the report's time and memory, then times for each cell and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("tasks", 45), ("stimuli", 21), ("models", 5), ("items", 100), ("repeats", 3), ("cells", 2835), ("sample", 12)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    plan = plan_of(asked.tasks, asked.stimuli, asked.models, asked.items, asked.repeats)
    with tempfile.TemporaryDirectory() as folder:  # made in another process, so that the making does not count as memory of judging
        path = Path(folder) / "trials.parquet"
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            process.submit(write_trials, plan, str(path)).result()
        trials = pd.read_parquet(path)
    before = peak_mb()
    begun = time.perf_counter()
    comparisons = analyse(trials, plan)
    judged = time.perf_counter()
    beside = supplement(trials, plan, comparisons)
    done = time.perf_counter()
    print(f"{len(trials):,} trials, {len(comparisons):,} comparisons, {len(beside.bests)} best in task, {len(beside.protocols)} protocols")
    print(f"verdicts {judged - begun:.2f} s, beside them {done - judged:.2f} s, together {done - begun:.2f} s")
    print(f"memory at most {peak_mb():.0f} MB, of which {before:.0f} MB before judging (interpreter, libraries, the frame)")

    n = asked.items
    scores = rng.integers(0, asked.repeats + 1, (asked.cells, 2, n)) / asked.repeats
    noise = rng.random((asked.cells, 2, n))
    results = []
    for name, cells in (("lattice scores, exact", scores), ("continuous scores, 9,999 sign vectors", noise)):
        start = time.perf_counter()
        for s, b in cells:
            signflip_test(s, b)
        ours = (time.perf_counter() - start) / asked.cells
        start = time.perf_counter()
        for s, b in cells[: asked.sample]:
            st.permutation_test((s - b,), np.mean, permutation_type="samples", n_resamples=9_999, vectorized=True, rng=rng)
        peer = (time.perf_counter() - start) / asked.sample
        results.append((f"sign flips, {name}", ours, "scipy.stats.permutation_test", peer))
    start = time.perf_counter()
    signflip_many(noise[:, 0] - noise[:, 1])
    together = time.perf_counter() - start
    start = time.perf_counter()
    for s, b in scores[: asked.sample]:
        st.bootstrap((s - b,), np.mean, n_resamples=9_999, rng=rng)
    boot = (time.perf_counter() - start) / asked.sample
    for name, ours, peer_name, peer in results:
        print(f"{name}: {asked.cells:,} cells in {ours * asked.cells:.2f} s, {1e3 * ours:.3f} ms each")
        print(f"    {peer_name}: {1e3 * peer:.1f} ms each, {peer / ours:.0f} times as long ({asked.sample} cells)")
    print(f"sign flips of all cells at once, continuous scores: {together:.2f} s")
    print(f"    one by one {results[1][1] * asked.cells / together:.0f} times as long")
    each = (judged - begun) / len(comparisons)
    print(f"a whole comparison, from the frame to its verdict: {1e3 * each:.2f} ms")
    print(f"    scipy.stats.bootstrap (BCa) alone: {1e3 * boot:.1f} ms each, {boot / each:.0f} times as long ({asked.sample} cells)")


if __name__ == "__main__":
    main()
