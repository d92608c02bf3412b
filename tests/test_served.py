"""Versions of a model that answered one side of a comparison: a verdict that they may make is refused, and no other is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import promptlab
from promptlab.nouns import Comparison, Plan, Setting
from promptlab.stats import analyse
from test_contrasts import frame, plan

N = 120
EXPERT = "expert"


@pytest.fixture
def aging() -> Iterator[tuple[str, list[str]]]:
    """A server whose answers come from the last of its versions; the first is wrong on every third item."""
    versions = ["m-1"]

    class Aging(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
            n = int(asked.split()[-1].rstrip("?"))
            said = {"role": "assistant", "content": str(n + (len(versions) == 1 and n % 3 == 0))}
            body = {"model": versions[-1], "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
            data = json.dumps(body | {"usage": {"prompt_tokens": 9, "completion_tokens": 1}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    found = ThreadingHTTPServer(("127.0.0.1", 0), Aging)
    threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}/v1", versions
    found.shutdown()
    found.server_close()


def right(_: str, setting: Setting, prompt: str, arm: str, items: np.ndarray) -> np.ndarray:
    """The expert prompt, and more shots, are right on 24 items more."""
    return (items % 10 < 5 + 2 * (prompt == EXPERT) + 2 * (setting.shots > 0)).astype(float)


def level(_: str, setting: Setting, prompt: str, arm: str, items: np.ndarray) -> np.ndarray:
    return (items % 2).astype(float)


def judged(of: Plan, score: Callable[..., np.ndarray], version: Callable[[pd.DataFrame], object], scope: str = "prompt") -> Comparison:
    trials = frame(of, score)
    trials["model_version"] = version(trials)
    [one, *_] = [c for c in analyse(trials, of) if c.scope == scope]
    return one


def by_arm(trials: pd.DataFrame) -> np.ndarray:
    return np.where(trials["base_prompt"] == EXPERT, "new", "old")


def fallback(trials: pd.DataFrame) -> np.ndarray:
    """The newer version gave what the expert prompt alone has right."""
    return np.where((trials["base_prompt"] == EXPERT) & trials["item"].str[-1].isin(["5", "6"]), "new", "old")


def now_and_then(trials: pd.DataFrame) -> np.ndarray:
    """A fallback that gave a twelfth of the current prompt's answers, all of them wrong."""
    return np.where((trials["base_prompt"] != EXPERT) & trials["item"].str.split("-").str[1].isin(FALLEN), "fallback", "main")


FALLEN = [str(n) for n in range(0, N, 12)]


def fallen(_: str, setting: Setting, prompt: str, arm: str, items: np.ndarray) -> np.ndarray:
    return ((items % 2 == 0) & ~((items % 12 == 0) & (prompt != EXPERT))).astype(float)


def by_task(trials: pd.DataFrame) -> np.ndarray:
    return np.where((trials["base_prompt"] == EXPERT) & (trials["task"] == "t"), "new", "old")


def midway(trials: pd.DataFrame) -> np.ndarray:
    return np.where(trials["item"].str.split("-").str[1].astype(int) < N / 2, "old", "new")


def at_random(trials: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(5).choice(["old", "new"], len(trials))


def unnamed(trials: pd.DataFrame) -> np.ndarray:
    return np.where(trials["base_prompt"] == EXPERT, None, "old")


def few(trials: pd.DataFrame) -> np.ndarray:
    """A version that gave some of the expert prompt's answers, none of which decides."""
    return np.where((trials["base_prompt"] == EXPERT) & trials["item"].str[-1].isin(["0", "9"]), "new", "old")


@pytest.mark.parametrize("version", [by_arm, fallback], ids=lambda each: each.__name__)
def test_versions_that_may_make_a_verdict_leave_none(version: Callable[[pd.DataFrame], object]) -> None:
    one = judged(plan(N), right, version)
    assert (one.verdict, one.status) == ("refused", "uneven_versions")
    assert "of the treatment's answers" in one.sentence
    assert one.diff == pytest.approx(0.2), "the figures stay"
    assert judged(plan(N), right, lambda _: "old").verdict == "helps"


def test_a_fallback_that_answered_few_items_of_one_arm_leaves_no_verdict() -> None:
    assert judged(plan(N), fallen, now_and_then).status == "uneven_versions"
    assert judged(plan(N), fallen, lambda _: "main").verdict == "helps"


def test_equality_between_versions_is_none_of_prompts() -> None:
    many = plan(400)
    assert judged(many, level, lambda _: "old").verdict == "same"
    assert judged(many, level, by_arm).status == "uneven_versions"


@pytest.mark.parametrize("version", [midway, at_random, unnamed, few], ids=lambda each: each.__name__)
def test_versions_that_both_sides_share_leave_the_verdict(version: Callable[[pd.DataFrame], object]) -> None:
    assert judged(plan(N), right, version).verdict == "helps"


def test_settings_may_be_answered_by_other_versions() -> None:
    of = plan(N, prompts=["current"], factors=["shots"])
    one = judged(of, right, lambda trials: np.where(trials["setting"] == of.settings[0].id, "chat", "thinking"), "level")
    assert one.verdict == "helps"


def test_each_task_is_judged_by_its_own_answers() -> None:
    of = plan({"t": N, "u": N})
    trials = frame(of, right)
    trials["model_version"] = by_task(trials)
    cells = {c.task: (c.verdict, c.status) for c in analyse(trials, of) if c.scope == "prompt" and c.task}
    assert cells == {"t": ("refused", "uneven_versions"), "u": ("helps", "ok")}


def test_answers_that_an_older_version_left_in_the_cache_make_no_verdict(tmp_path: Path, aging: tuple[str, list[str]]) -> None:
    url, versions = aging
    items = [{"input": f"{n}?", "target": f"{n}"} for n in range(60)]

    def sweep(name: str, *prompts: str) -> promptlab.Report:
        experiment = promptlab.Experiment(
            name=name, question="Which prompt?", items=60, prompts={prompt: f"{prompt}: {{input}}" for prompt in prompts},
            tasks=[{"name": "ask", "items": items, "metric": "number"}], models=[{"model": "openai/m", "name": "m", "api_base": url}],
        )  # fmt: skip
        return promptlab.report(promptlab.run(experiment, runs=tmp_path / "runs", progress=False))

    sweep("first", "current", "old")
    versions.append("m-2")
    sweep("second", "current", "new")
    (folder,) = (tmp_path / "runs").glob("second-*")
    [one] = [c for c in promptlab.report(folder).comparisons if c.scope == "prompt"]
    assert (one.verdict, one.status) == ("refused", "uneven_versions")
    said = " ".join(promptlab.compare(folder, "current", "new").notes)
    assert "m-1 100 % and 0 %, m-2 0 % and 100 % of the answers" in said
    (folder,) = (tmp_path / "runs").glob("first-*")
    assert "versions that answered" not in " ".join(promptlab.compare(folder, "current", "old").notes)
