"""Answers that are not whole: their shares are said, and a verdict that they make is refused."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from promptlab import api
from promptlab.stats.outcomes import ends, shares_of, uneven
from promptlab.stats.sentences import ended, remedy
from runs import run

SENTENCE = "This is very important to my career."


def test_ends_of_answers() -> None:
    trials = pd.DataFrame(
        [
            {"outcome": "ok", "rule": "whole", "reasoning_tokens": 5},
            {"outcome": "parse_failed", "rule": "thought only", "reasoning_tokens": None},
            {"outcome": "empty", "rule": None, "reasoning_tokens": 900},
            {"outcome": "empty", "rule": None, "reasoning_tokens": None},
            {"outcome": "truncated", "rule": "thought only", "reasoning_tokens": 9},
            {"outcome": "error", "rule": None, "reasoning_tokens": None},
        ]
    )
    assert list(ends(trials)) == ["ok", "thought_only", "thought_only", "empty", "truncated", "error"]
    assert list(ends(trials[["outcome"]])) == ["ok", "parse_failed", "empty", "empty", "truncated", "error"]


def test_shares_are_those_of_each_arm() -> None:
    rng = np.random.default_rng(1)
    trials = pd.DataFrame(
        {
            "model": "m",
            "setting": "s",
            "arm": rng.choice(["a", "b"], 500),
            "outcome": rng.choice(["ok", "truncated", "refused", "error"], 500),
        }
    )
    for one in shares_of(trials):
        mine = trials[trials["arm"] == one.arm]
        assert one.n == len(mine)
        assert one.shares == {end: pytest.approx((mine["outcome"] == end).mean()) for end in ("truncated", "refused", "error")}
        assert one.unwhole == pytest.approx((mine["outcome"] != "ok").mean())


def test_shares_in_words() -> None:
    assert ended({"truncated": 0.4, "refused": 0.021, "error": 0.0}) == "40 % truncated, 2.1 % refused"
    assert ended({}) == "all whole"
    assert remedy({"truncated": 0.1, "thought_only": 0.3}).startswith("Raise max_tokens or lower")
    assert remedy({}) == ""


@pytest.mark.parametrize(
    ("treated", "control", "differ"),
    [
        ({"truncated": 0.2}, {"refused": 0.2}, True),
        ({"truncated": 0.015, "empty": 0.015}, {}, True),
        ({"truncated": 0.2, "error": 0.4}, {"truncated": 0.19}, False),
        ({}, {}, False),
    ],
)
def test_arms_whose_answers_ended_in_other_ways_differ(treated: dict[str, float], control: dict[str, float], differ: bool) -> None:
    assert uneven(treated, control) is uneven(control, treated) is differ


class Always(BaseHTTPRequestHandler):
    """A server that is always right, but for what a test spoils in answers to prompts with the sentence."""

    protocol_version = "HTTP/1.1"
    spoil: Callable[[str], dict[str, Any]] = staticmethod(lambda answer: {})
    everywhere = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        a, b = (int(word) for word in prompt.rsplit("Input:", 1)[1].split("\n")[0].split()[:2])
        answer = str(a + b)
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}
        spoiled = (a * 31 + b) % 10 < (10 if type(self).everywhere else 4) and (SENTENCE in prompt or type(self).everywhere)
        if spoiled:
            changes = type(self).spoil(answer)
            choice["message"] |= {key: value for key, value in changes.items() if key in ("content", "reasoning_content")}
            choice["finish_reason"] = changes.get("finish_reason", "stop")
        data = json.dumps(
            {
                "id": "x", "object": "chat.completion", "created": 1, "model": "right", "choices": [choice],
                "usage": {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35},
            }
        ).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Always]]]:
    class Mine(Always):
        pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1", Mine
    httpd.shutdown()
    httpd.server_close()


FILE = """name: right
question: What do spoiled answers do to a verdict?
suite: twin
tasks: [sum]
models:
  - {{model: openai/right, name: right, api_base: "{url}", price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}
stimuli: [emotionprompt/EP02]
controls: {{placebos: [], no_placebo_reason: "only endings matter"}}
placements: [paper]
items: 100
sampling: {{temperature: 0, max_tokens: 64}}
seed: 1
"""


def judged(tmp_path: Path, url: str) -> tuple[dict[str, Any], str]:
    """The comparison over tasks, and what the terminal printed."""
    (tmp_path / "right.yaml").write_text(FILE.format(url=url), encoding="utf-8")
    done = run("sweep", "right.yaml", "--runs", "runs", "--cache", "off", cwd=tmp_path)
    report = api.report(next((tmp_path / "runs").glob("right-*")))
    found, text = json.loads(report.to_json()), report.to_markdown()
    (one,) = [c for c in found["comparisons"] if c["scope"] == "cell" and c["control"] == "none"]
    return one | {"headline": found["headline"]}, done.stdout + done.stderr + text


@pytest.mark.long(but=1)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda answer: {"content": "Well,", "finish_reason": "length"}, "truncated"),
        (lambda answer: {"content": "", "finish_reason": "stop"}, "empty"),
        (lambda answer: {"content": "", "finish_reason": "content_filter"}, "refused"),
        (lambda answer: {"content": "<think>" + "hm " * 3000}, "nothing but a thought"),
    ],
    ids=["cut", "empty", "refused", "thought"],
)
def test_spoiled_answers_of_one_arm_make_no_verdict(
    spoil: Callable[[str], dict[str, Any]], words: str, tmp_path: Path, server: tuple[str, type[Always]]
) -> None:
    url, handler = server
    handler.spoil = staticmethod(spoil)
    one, printed = judged(tmp_path, url)
    assert one["verdict"] == "refused"
    assert one["status"] == "uneven_answers"
    assert words in one["sentence"]
    assert any(words in sentence for sentence in one["headline"])
    assert printed.count("that are not whole") >= 2, "terminal and Markdown"


@pytest.mark.long
@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: {"content": f"<think>{'Let me think about it. ' * 1200}</think>{answer}"},
        lambda answer: {"content": f"Answer: {int(answer) - 1} + 1 = {answer}"},
    ],
    ids=["long thought", "equation"],
)
def test_right_answers_in_another_form_change_nothing(
    spoil: Callable[[str], dict[str, Any]], tmp_path: Path, server: tuple[str, type[Always]]
) -> None:
    url, handler = server
    handler.spoil = staticmethod(spoil)
    one, printed = judged(tmp_path, url)
    assert one["verdict"] not in ("helps", "hurts")
    assert one["diff"] == 0
    assert "that are not whole" not in printed


@pytest.mark.parametrize(
    ("text_of", "words"), [("", "100 % empty"), ("I'm sorry, but I cannot help with that.", "refused in words")], ids=["empty", "in words"]
)
def test_a_run_without_any_answer_gets_no_verdict(text_of: str, words: str, tmp_path: Path, server: tuple[str, type[Always]]) -> None:
    url, handler = server
    handler.spoil = staticmethod(lambda answer: {"content": text_of})
    handler.everywhere = True
    text = FILE.format(url=url).replace("items: 100", "items: 40")
    (tmp_path / "right.yaml").write_text(text, encoding="utf-8")
    run("sweep", "right.yaml", "--runs", "runs", "--no-report", "--cache", "off", cwd=tmp_path)
    found = json.loads(api.report(next((tmp_path / "runs").glob("right-*"))).to_json())
    (check,) = [c for c in found["comparisons"] if c["scope"] == "aa" and c["task"] is None]
    if not text_of:
        assert "says nothing" in check["sentence"]
        assert "own repeat agree" not in json.dumps(found)
    judged = [c for c in found["comparisons"] if c["scope"] != "aa"]
    assert {(c["verdict"], c["status"]) for c in judged} == {("refused", "nothing_answered")}
    assert all(words in c["sentence"] for c in judged)


COMPARES = {
    "shots": "shots: [0, 2]\n",
    "prompts": "prompts: {today: 'Add.\\nInput: {input}', new: 'Sum.\\nInput: {input}'}\nincumbent: today\n",
    "sentences": "stimuli: [emotionprompt/EP02]\n",
}


@pytest.mark.parametrize("compares", COMPARES)
def test_arms_have_the_names_of_the_table(compares: str, tmp_path: Path, server: tuple[str, type[Always]]) -> None:
    """The sentence about answers that are not whole names no arm that the reader has not seen above it."""
    url, handler = server
    handler.everywhere, handler.spoil = True, staticmethod(lambda answer: {"content": "Well,", "finish_reason": "length"})
    text = FILE.format(url=url).replace("items: 100", "items: 6").replace("stimuli: [emotionprompt/EP02]\n", COMPARES[compares])
    (tmp_path / "right.yaml").write_text(text, encoding="utf-8")
    done = run("sweep", "right.yaml", "--runs", "runs", "--cache", "off", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(api.report(next((tmp_path / "runs").glob("right-*"))).to_json())
    [said] = [sentence for sentence in report["headline"] if "that are not whole" in sentence]
    named = re.findall(r"(?:: |; )([^;]+?) 100 % truncated", said)
    known = {row["arm"] for row in report["summary"]}
    assert {name.removesuffix(", again") for name in named} == known
    assert len(named) > len(known), "the incumbent's repeat"


def test_refusals_in_words_of_one_arm_are_on_every_first_screen(tmp_path: Path, server: tuple[str, type[Always]]) -> None:
    """They count as wrong, since a model may refuse one prompt alone, and the reader learns at once what the verdict rests on."""
    url, handler = server
    handler.spoil = staticmethod(lambda answer: {"content": "I'm sorry, but I cannot help with that."})
    one, printed = judged(tmp_path, url)
    assert one["verdict"] == "hurts"
    assert any("rests mainly (100 %) on texts in which the scorer found no answer" in sentence for sentence in one["headline"])
    assert " ".join(printed.split()).count("rests mainly (100 %) on texts in which the scorer found no answer") >= 2


@pytest.mark.parametrize(("odd", "says"), [([0.0], True), ([], False), ([0.0] * 14, False)], ids=["one item", "none", "no verdict"])
def test_a_verdict_that_few_items_make_says_so_on_every_first_screen(odd: list[float], says: bool, tmp_path: Path) -> None:
    """Differences that are far from normal make more false verdicts than their level allows."""
    new = [*odd, *np.linspace(0.98, 1.0, 40 - len(odd))]
    rows = [f"i{n},{arm},{score:.6f}" for n, better in enumerate(new) for arm, score in (("base", 0.9), ("new", better))]
    (tmp_path / "table.csv").write_text("\n".join(["item,arm,score", *rows]), encoding="utf-8")
    assert run("import", "table.csv", "--baseline", "base", "--runs", "runs", cwd=tmp_path).returncode == 0
    (folder,) = (tmp_path / "runs").glob("table-*")
    shown = [run("report", str(folder), *form, cwd=tmp_path).stdout for form in ([], ["--format", "markdown"])]
    assert [("A few items make most of the difference" in " ".join(text.split())) for text in shown] == [says, says]
