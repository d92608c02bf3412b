"""What a feedback loop costs the harness: CPU for each round-trip, beside a single pass, and memory with many conversations open.

    python benchmarks/heart.py [--trials 2000] [--rounds 5] [--repeats 5] [--open 10000]

Answers come from memory at once, so what is timed is promptlab alone: render, strategy, key, bookkeeping, scoring and rows of the record;
no wire, no cache, no disk. Kinds of loop take turns, and medians over the repeats are printed. `dspy` is the same conversation led by
promptlab's DSPy module over an engine in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import cast

from promptlab.design.cross import trials
from promptlab.nouns.arm import Arm, Trial
from promptlab.nouns.call import Call, Completion
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.running.budget import Budget
from promptlab.running.engine import Engine
from promptlab.running.gateway import Gateway
from promptlab.running.progress import Progress
from promptlab.scoring.rules import task_scoring

EXPERIMENT = """\
name: heart-benchmark
question: What does a loop cost the harness?
tasks: [sum, antonyms, sentiment]
models: [sim/null]
items: 100
sampling: {{temperature: 0, max_tokens: 64}}
loops:
  - {{name: oracle, rounds: {rounds}, policies: [alternate]}}
  - {{name: free, rounds: {rounds}, mode: verifier_free, settle: synthesis}}
  - {{name: judge, rounds: {rounds}, mode: self_judge}}
"""
ANSWER = "this is never the right answer"


class Memory:
    """A gateway that answers at once, or holds every conversation open at a given round."""

    n_sent = 0

    def __init__(self, hold_at: int | None = None) -> None:
        self.hold_at = hold_at
        self.held = 0
        self.all_held = asyncio.Event()
        self.n_expected = 0
        self.release = asyncio.Event()

    async def complete(self, call: Call) -> Completion:
        """The same wrong answer to everything."""
        self.n_sent += 1
        if self.hold_at is not None and call.round == self.hold_at:
            self.held += 1
            if self.held == self.n_expected:
                self.all_held.set()
            await self.release.wait()
        return Completion(ANSWER, "ok", "stop", "memory", 50, 8, 0.0, 0.0)


def engine(study: Study, gateway: Memory) -> Engine:
    """A sweep's engine without cache over `gateway`."""
    scorings = {(task.id, model.name): task_scoring(task, "strict") for task in study.design.tasks for model in study.design.models}
    progress = Progress(n_planned=0)
    sampling = study.experiment.sampling.asked()
    return Engine(study.design, scorings, sampling, study.prices, cast("Gateway", gateway), None, Budget(None), progress)


def many(study: Study, keep: Callable[[Arm], bool], n: int) -> list[Trial]:
    """`n` trials of the arms that are kept; repeats are replicates, so that no two requests are the same."""
    found = [trial for trial in trials(study.design) if keep(trial.arm)]
    return [replace(found[i % len(found)], replicate=i // len(found)) for i in range(n)]


async def cpu_us(study: Study, chosen: list[Trial]) -> tuple[float, int]:
    """CPU seconds of the trials one after the other, and the round-trips that they took."""
    gateway = Memory()
    running = engine(study, gateway)
    gc.collect()
    start = time.process_time()
    for trial in chosen:
        await running.run(trial)
    return time.process_time() - start, gateway.n_sent


def by_dspy(study: Study, chosen: list[Trial]) -> tuple[float, int]:
    """The same conversations, led by the DSPy module."""
    import dspy
    from dspy import lm15

    from promptlab.planning.plan import make_plan
    from promptlab.programs import PromptProgram, recipe_of

    class Instant:
        n = 0

        def complete(self, request: lm15.Request) -> lm15.Response:
            self.n += 1
            return lm15.Response(None, "memory", lm15.Message.assistant(ANSWER), "stop", lm15.Usage(input_tokens=50, output_tokens=8))

    made = Instant()
    plan = make_plan(study)
    programs = {}
    for trial in chosen:
        c = trial.arm
        key = (trial.task, c.name, c.setting)
        if key not in programs:
            recipe = recipe_of(
                plan, trial.task.partition("/")[2], c.name, c.setting.placement, 0, c.setting.strategy, c.setting.prompt or "", ""
            )
            programs[key] = PromptProgram(recipe, lambda answer, item: 0.0)
    lm = dspy.LM("memory/answers", engine=made, cache=False, num_retries=0, temperature=0, max_tokens=64)
    with dspy.context(lm=lm, disable_history=True, trace=None):
        start = time.process_time()
        for trial in chosen:
            item = trial.item
            programs[(trial.task, trial.arm.name, trial.arm.setting)](input=item.input, choices=item.choices, item_id=item.id)
        return time.process_time() - start, made.n


def resident_mb() -> float:
    """Resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


async def memory_mb(study: Study, chosen: list[Trial], hold_at: int) -> float:
    """What resident memory grows by while all trials wait for the answer of round `hold_at`, each with its conversation."""
    gateway = Memory(hold_at)
    gateway.n_expected = len(chosen)
    running = engine(study, gateway)
    gc.collect()
    before = resident_mb()
    tasks = [asyncio.create_task(running.run(trial)) for trial in chosen]
    await gateway.all_held.wait()
    gc.collect()
    grown = resident_mb() - before
    gateway.release.set()
    await asyncio.gather(*tasks)
    return grown


def study_of(rounds: int) -> Study:
    """The benchmark's experiment, resolved."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heart.yaml"
        path.write_text(EXPERIMENT.format(rounds=rounds), encoding="utf-8")
        return resolve(path)


def kinds_of(study: Study, n: int) -> dict[str, list[Trial]]:
    """`n` trials of every kind of loop."""
    oracle = "oracle-oracle"
    return {
        "single pass": many(study, lambda c: c.strategy == oracle and c.role == "baseline", n),
        "heart, oracle": many(study, lambda c: c.arm == "oracle/alternate", n),
        "neutral feedback, oracle": many(study, lambda c: c.strategy == oracle and c.arm == "neutral_feedback", n),
        "independent attempts": many(study, lambda c: c.strategy == oracle and c.arm == "resample", n),
        "heart, synthesis": many(study, lambda c: c.arm == "free/alternate", n),
        "heart, self-judge": many(study, lambda c: c.arm == "judge/alternate", n),
    }


def opened(name: str, rounds: int, n: int) -> float:
    """In a process of its own, so that nothing that was freed before hides what grows: `memory_mb` of `n` open conversations."""
    study = study_of(rounds)
    return asyncio.run(memory_mb(study, kinds_of(study, n)[name], 0 if name == "single pass" else rounds - 1))


def main() -> None:
    """Print one line a kind of loop, then memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--open", type=int, default=10_000)
    asked = parser.parse_args()
    study = study_of(asked.rounds)
    kinds = kinds_of(study, asked.trials)
    measured: dict[str, list[tuple[float, int]]] = {name: [] for name in [*kinds, "heart, oracle, by dspy"]}
    grown = {}
    for name in ("single pass", "heart, oracle"):
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            grown[name] = process.submit(opened, name, asked.rounds, asked.open).result()
    for _ in range(asked.repeats):
        for name, chosen in kinds.items():
            measured[name].append(asyncio.run(cpu_us(study, chosen)))
        measured["heart, oracle, by dspy"].append(by_dspy(study, kinds["heart, oracle"][: asked.trials // 4]))
    single = statistics.median(s / n for s, n in measured["single pass"])
    print(f"{'':28}{'calls a trial':>14}{'us a call':>11}{'spread':>16}{'of a single pass':>18}")
    for name, results in measured.items():
        each = [1e6 * s / n for s, n in results]
        n_trials = asked.trials // 4 if "dspy" in name else asked.trials
        middle = statistics.median(each)
        spread = f"{min(each):.0f} to {max(each):.0f}"
        print(f"{name:28}{results[0][1] / n_trials:14.2f}{middle:11.0f}{spread:>16}{middle / (1e6 * single):18.2f}")
    for name, mb in grown.items():
        print(f"{asked.open:,} open conversations, {name}: {mb:.0f} MB more, {1000 * mb / asked.open:.1f} kB each")


if __name__ == "__main__":
    main()
