"""Small experiments for the tests, and the command line as a user runs it."""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from conftest import ROOT
from warm import Warm

LONGEST_S = 180

BASE = """name: {name}
question: A question for a test?
suite: twin
tasks: [{tasks}]
models:
{models}
stimuli: [{stimuli}]
controls: {{placebos: matched, per_stimulus: 1}}
items: {items}
scorer: reference
seed: {seed}
sampling: {{temperature: 0, max_tokens: 64}}
"""


def experiment(
    folder: Path,
    *,
    name: str = "small",
    tasks: str = "sum, sentiment",
    models: str = "  - sim/null",
    stimuli: str = "emotionprompt/EP02",
    items: int = 20,
    seed: int = 1,
    more: str = "",
) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(BASE.format(name=name, tasks=tasks, models=models, stimuli=stimuli, items=items, seed=seed) + more, encoding="utf-8")
    return path


def served(url: str, model: str = "ok", more: str = "") -> str:
    return f"  - {{model: openai/{model}, name: served, api_base: '{url}'{more}}}"


def start(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *(() if arguments[:1] == ("-c",) else ("-m", "promptlab")), *arguments],
        cwd=cwd or ROOT,
        env=_environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Wait for something that a process brings about; fail where it ends before, or takes too long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One command (or `-c`, code and its arguments) from its start to its end; see warm.py for where it runs."""
    whole = _environment(env)
    late = ("PROMPTLAB_HOME", "PROMPTLAB_CONFIG")  # read when used, as keys are
    if sys.platform == "linux" and all(name in late or name.endswith("_API_KEY") for name in env or {}):
        return _warm().run(arguments, whole, cwd or ROOT, LONGEST_S)
    process = start(*arguments, env=env, cwd=cwd)
    out, err = process.communicate(timeout=LONGEST_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **(more or {})}


@functools.cache
def _warm() -> Warm:
    warm = Warm(_environment(None))
    atexit.register(warm.close)
    return warm
