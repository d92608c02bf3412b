"""Every tool of the comparison: how its files for the job are written, and the command that runs it.

The job is one for all: sums, one prompt, exact match, temperature 0, 16 tokens, so many calls at once. Each tool keeps its defaults
(cache, logs) otherwise. Nothing may leave the machine: telemetry, update checks and hubs are off.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".bench"
INSTRUCTION = "Add the two numbers. Answer with the number only."
ARMS = 3
"""promptlab asks every item three times: without a sentence, once more (A/A), and with one."""
OFFLINE = {
    "DO_NOT_TRACK": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONUNBUFFERED": "1",
    "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False",
    "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_DISABLE_SHARING": "1",
    "PROMPTFOO_FAILED_TEST_EXIT_CODE": "0",
}  # fmt: skip
Group = Literal["bare", "wire", "whole", "promptlab"]


@dataclass(frozen=True, slots=True)
class Job:
    """So many calls, in an empty folder of its own."""

    folder: Path
    n: int
    server: str
    """The endpoint's address, without /v1."""
    concurrency: int

    @property
    def base(self) -> str:
        return f"{self.server}/v1"

    def write_json(self, name: str, value: object) -> Path:
        """A file of the folder; JSON is YAML too."""
        return self.write(name, json.dumps(value, indent=1))

    def write(self, name: str, text: str) -> Path:
        """A file of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def items(self) -> list[dict[str, str]]:
        """Every second item is answered rightly; no two prompts are the same."""
        sums = [(f"{n} + {42 - n if n % 2 else n}", "42" if n % 2 else str(2 * n)) for n in range(1, self.n + 1)]
        return [
            {"id": f"i{n:07d}", "prompt": f"{INSTRUCTION}\n\n{question}", "target": target} for n, (question, target) in enumerate(sums)
        ]

    def items_file(self) -> Path:
        """The items as JSON lines."""
        return self.write("items.jsonl", "".join(json.dumps(item) + "\n" for item in self.items()))

    def job_file(self) -> Path:
        """What `bare.py` and `whole.py` read."""
        about = {"items": str(self.items_file()), "base": self.base, "concurrency": self.concurrency, "folder": str(self.folder)}
        return self.write_json("job.json", about)


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, with which variables on top of a clean environment."""

    argv: list[str]
    variables: dict[str, str]

    def environment(self, folder: Path) -> dict[str, str]:
        """No key of the user's, no setting, and a home of its own."""
        home = folder / "home"
        home.mkdir(exist_ok=True)
        path = os.environ.get("PATH", "/usr/bin:/bin")
        return (
            {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "HF_HOME": str(home / "hf"), "OPENAI_API_KEY": "none"}
            | OFFLINE
            | self.variables
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, or one of promptlab's variants."""

    name: str
    group: Group
    environment: str
    command: Callable[[Job], Command]
    missing: Callable[[], str | None] = lambda: None
    """Why it cannot be run here."""
    prepare: Callable[[Job], Command] | None = None
    """What runs before it in the same folder, without being measured."""
    asks: bool = True
    """Whether it sends its calls; else its answers come from a cache."""


def python(environment: str) -> str:
    """The interpreter of an environment; promptlab's own is the one that runs this."""
    return str(ENVIRONMENTS / environment / "bin" / "python") if environment else sys.executable


def by_script(environment: str, script: str, name: str) -> Callable[[Job], Command]:
    """A client of `bare.py` or a tool of `whole.py`."""

    def command(job: Job) -> Command:
        return Command([python(environment), str(HERE / script), name, str(job.job_file())], {})

    return command


def dspy(job: Job) -> Command:
    """DSPy's endpoint answers in DSPy's format."""
    asked = replace(job, server=f"{job.server}/dspy")
    return replace(by_script("dspy", "whole.py", "dspy")(asked), variables={"DSPY_CACHEDIR": str(job.folder / "cache")})


def lm_eval(job: Job) -> Command:
    """The command line over a local JSON data set, with samples in its log."""
    task = {
        "task": "sums", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(job.items_file())}}, "test_split": "test",
        "output_type": "generate_until", "doc_to_text": "{{prompt}}", "doc_to_target": "{{target}}", "num_fewshot": 0,
        "generation_kwargs": {"until": ["\n\n"], "do_sample": False, "temperature": 0, "max_gen_toks": 16},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip
    job.write_json("tasks/sums.yaml", task)
    model = f"model=mock,base_url={job.base}/chat/completions,num_concurrent={job.concurrency},max_retries=1,tokenized_requests=False"
    argv = [
        str(ENVIRONMENTS / "lm_eval/bin/lm_eval"), "run", "--model", "local-chat-completions", "--model_args", model, "--tasks", "sums",
        "--include_path", str(job.folder / "tasks"), "--apply_chat_template", "--output_path", str(job.folder / "out"), "--log_samples",
    ]  # fmt: skip
    return Command(argv, {})


def evals(job: Job) -> Command:
    """oaieval with a registry of its own: the Match eval. Of models it takes those alone whose names it knows."""
    rows = [{"input": [{"role": "user", "content": item["prompt"]}], "ideal": item["target"]} for item in job.items()]
    samples = job.write("samples.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    job.write_json("registry/evals/sums.yaml", {
        "sums": {"id": "sums.test.v0", "metrics": ["accuracy"]},
        "sums.test.v0": {"class": "evals.elsuite.basic.match:Match", "args": {"samples_jsonl": str(samples)}},
    })  # fmt: skip
    argv = [
        str(ENVIRONMENTS / "evals/bin/oaieval"), "gpt-4-mock", "sums", "--registry_path", str(job.folder / "registry"),
        "--record_path", str(job.folder / "record.jsonl"),
    ]  # fmt: skip
    return Command(argv, {"EVALS_THREADS": str(job.concurrency), "OPENAI_BASE_URL": job.base})


def promptfoo(job: Job) -> Command:
    """The command line, with its own Node.js where one was installed beside it."""
    options = {"apiBaseUrl": job.base, "apiKey": "none", "temperature": 0, "max_tokens": 16}
    tests = [{"vars": {"prompt": item["prompt"]}, "assert": [{"type": "equals", "value": item["target"]}]} for item in job.items()]
    config = job.write_json("promptfooconfig.json", {
        "prompts": ["{{prompt}}"], "providers": [{"id": "openai:chat:mock", "config": options}],
        "tests": f"file://{job.write_json('tests.json', tests)}",
    })  # fmt: skip
    program = ENVIRONMENTS / "promptfoo/node_modules/promptfoo/dist/src/entrypoint.js"
    argv = [
        node() or "node", str(program), "eval", "--config", str(config), "--max-concurrency", str(job.concurrency),
        "--no-table", "--no-progress-bar", "--no-share", "--output", str(job.folder / "out.json"),
    ]  # fmt: skip
    return Command(argv, {"PROMPTFOO_CONFIG_DIR": str(job.folder / "home"), "PROMPTFOO_CACHE_PATH": str(job.folder / "cache")})


def node() -> str | None:
    """The Node.js that npm installed beside promptfoo, else the machine's."""
    own = ENVIRONMENTS / "promptfoo/node_modules/node/bin/node"
    return str(own) if own.exists() else shutil.which("node")


def experiment(job: Job, model: dict[str, str] | str) -> Path:
    """A task of promptlab's own form and its experiment: as many items as make `n` trials over three arms."""
    few = replace(job, n=-(-job.n // ARMS))
    rows = [{"id": item["id"], "input": item["prompt"].rpartition("\n")[2], "target": item["target"]} for item in few.items()]
    few.write("items.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    few.write_json("sums.yaml", {
        "items": "items.jsonl", "columns": {"id": "id", "input": "input", "target": "target"}, "metric": "ii_em", "name": "sums",
        "base_prompts": INSTRUCTION,
    })  # fmt: skip
    return few.write_json("experiment.yaml", {
        "name": "engine-benchmark", "question": "How fast is a sweep?", "task_files": ["sums.yaml"], "tasks": ["sums"], "models": [model],
        "stimuli": ["emotionprompt/EP02"], "controls": {"placebos": [], "no_placebo_reason": "nothing is judged here"},
        "items": few.n, "sampling": {"temperature": 0, "max_tokens": 16}, "seed": 1,
    })  # fmt: skip


def sweep(*flags: str, home: str = "home", runs: str = "runs", model: str = "openai/mock") -> Callable[[Job], Command]:
    """The whole command: cache, record, scoring and the printed report; no report.html, which no other tool writes."""

    def command(job: Job) -> Command:
        entry: dict[str, str] | str = model if model.startswith("sim/") else {"model": model, "api_base": job.base}
        argv = [
            sys.executable, "-m", "promptlab", "sweep", str(experiment(job, entry)), "--runs", str(job.folder / runs),
            "--concurrency", str(job.concurrency), "--no-report", *flags,
        ]  # fmt: skip
        return Command(argv, {"PROMPTLAB_HOME": str(job.folder / home)})

    return command


@functools.cache
def sweep_help() -> str:
    """Which flags this promptlab knows."""
    argv = [sys.executable, "-m", "promptlab", "sweep", "--help"]
    return subprocess.run(argv, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=True).stdout


def no_flag(*flags: str) -> Callable[[], str | None]:
    """Why a variant of promptlab cannot be run: a flag that this promptlab does not have."""

    def missing() -> str | None:
        lacking = [flag for flag in flags if flag.startswith("--") and flag not in sweep_help()]
        return f"`promptlab sweep` has no {lacking[0]}" if lacking else None

    return missing


def ours(name: str, *flags: str) -> Tool:
    """`promptlab sweep` with flags."""
    return Tool(name, "promptlab", "", sweep(*flags), no_flag(*flags))


def no_environment(name: str) -> Callable[[], str | None]:
    """Why a peer's environment cannot be used, as `install.py` left word."""

    def missing() -> str | None:
        if (ENVIRONMENTS / name / "ready").exists():
            return None
        reason = ENVIRONMENTS / f"{name}.failed"
        return reason.read_text(encoding="utf-8").strip() if reason.exists() else "not installed; run `make bench-peers`"

    return missing


def peer(name: str, group: Group, environment: str, command: Callable[[Job], Command]) -> Tool:
    """A tool with an environment of its own."""
    return Tool(name, group, environment, command, no_environment(environment))


PEERS = (
    peer("aiohttp", "bare", "aiohttp", by_script("aiohttp", "bare.py", "aiohttp")),
    peer("openai", "bare", "openai", by_script("openai", "bare.py", "openai")),
    peer("litellm", "bare", "litellm", by_script("litellm", "bare.py", "litellm")),
    peer("dspy", "whole", "dspy", dspy),
    peer("evals", "whole", "evals", evals),
    peer("lm_eval", "whole", "lm_eval", lm_eval),
    peer("promptfoo", "whole", "promptfoo", promptfoo),
    peer("inspect_ai", "whole", "inspect_ai", by_script("inspect_ai", "whole.py", "inspect_ai")),
    peer("inspect_ai_quiet", "whole", "inspect_ai", by_script("inspect_ai", "whole.py", "inspect_ai_quiet")),
)
DIRECT, LITELLM = ("--wire", "direct"), ("--wire", "litellm")
OURS = (
    ours("promptlab_direct", *DIRECT),
    ours("promptlab_litellm", *LITELLM),
    ours("promptlab_direct_2", *DIRECT, "--workers", "2"),
    ours("promptlab_litellm_2", *LITELLM, "--workers", "2"),
    Tool("promptlab_cached", "promptlab", "", sweep(*DIRECT, runs="again"), no_flag(*DIRECT), sweep(*DIRECT), asks=False),
    Tool("direct_wire", "wire", "", by_script("", "bare.py", "direct_wire")),
    Tool("litellm_wire", "wire", "", by_script("", "bare.py", "litellm_wire")),
)
TOOLS = {tool.name: tool for tool in (*PEERS, *OURS)}
