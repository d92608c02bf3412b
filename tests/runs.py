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
from warm import KERNEL, WORKER, Started, Warm

LONGEST_S = 180
Process = subprocess.Popen[str] | Started
LATE = ("PROMPTLAB_HOME", "PROMPTLAB_CONFIG", "DISPLAY", "BROWSER", "_PROMPTLAB_COMPLETE", "COMP_WORDS", "COMP_CWORD", "MY_PROVIDER")
"""Variables that are read when they are used, as keys are; others may have been read in the process that a command is forked of."""

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


def start(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Process:
    """One command (or `-c`, code and its arguments) under way; see warm.py for where it runs."""
    if sys.platform == "linux" and all(name in LATE or name.endswith("_API_KEY") for name in env or {}):
        return _warm().start(arguments, _environment(env), cwd or ROOT)
    return fresh(*arguments, env=env, cwd=cwd)


def fresh(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> subprocess.Popen[str]:
    """The same in an interpreter of its own, which has loaded nothing."""
    return subprocess.Popen(
        [sys.executable, *(() if arguments[:1] == ("-c",) else ("-m", "promptlab")), *arguments],
        cwd=cwd or ROOT,
        env=_environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool], process: Process, seconds: float = 60) -> None:
    """Wait for something that a process brings about; fail where it ends before, or takes too long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One command from its start to its end."""
    process = start(*arguments, env=env, cwd=cwd)
    out, err = process.communicate(timeout=LONGEST_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def on_terminal(terminal: int, *arguments: str, env: Mapping[str, str]) -> Started:
    """One command whose output goes to a terminal."""
    return _warm().start(arguments, env, ROOT, (terminal, terminal))


class Workers:
    """In the place of the module subprocess in promptlab.running.fleet.local: the workers of a sweep in this process are forks."""

    DEVNULL = subprocess.DEVNULL

    @staticmethod
    def Popen(command: list[str], pass_fds: tuple[int], stdin: int) -> Started:
        return _warm().start(WORKER, os.environ, Path.cwd(), (1, 2), pass_fds[0])


def kernel(command: list[str], *, cwd: str, env: Mapping[str, str], **_: object) -> Started:
    """In the place of jupyter_client's `launch_kernel`: a kernel that need not load promptlab anew."""
    return _warm().start([*KERNEL, *command[command.index("-f") :]], env, Path(cwd))


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **(more or {})}


@functools.cache
def _warm() -> Warm:
    warm = Warm(_environment(None))
    atexit.register(warm.close)
    return warm
