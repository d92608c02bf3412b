"""Multiple choice by log-probabilities: what is asked, how it is read, and what happens where a server gives none."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

import runs
from promptlab.design.render import PRESETS
from promptlab.nouns.arm import Arm, Trial
from promptlab.nouns.call import Call, Completion
from promptlab.nouns.item import Item
from promptlab.nouns.setting import Setting
from promptlab.record.store import Run
from promptlab.strategies import begun
from promptlab.strategies.logprobs import LOGPROBS, option_probabilities
from servers import Server

LETTERS, PAPER = PRESETS["letters"], PRESETS["paper"]
ITEM = Item("1", "x", ("entailment",), ("entailment", "non-entailment"))


def test_tokens_of_one_option_add_up() -> None:
    top = ((" B", math.log(0.4)), ("A", math.log(0.3)), ("(B", math.log(0.2)), ("the", math.log(0.1)), ("C", math.log(0.05)))
    assert option_probabilities(top, ITEM.choices, LETTERS) == pytest.approx([0.3, 0.6])


def test_without_letters_a_token_counts_for_the_only_option_it_begins() -> None:
    top = (("non", math.log(0.5)), (" Entail", math.log(0.3)), ("n", math.log(0.1)), ("", math.log(0.1)))
    assert option_probabilities(top, ITEM.choices, PAPER) == pytest.approx([0.3, 0.6])
    assert option_probabilities((("same", -0.1),), ("same one", "same two"), PAPER) == [0.0, 0.0], "a token that begins two says nothing"


def answer(completion: Completion) -> tuple[Call, str, str]:
    trial = Trial(
        0, "own/t", ITEM, Arm("none", "baseline", None, Setting(LETTERS.name, 0, "logprobs", prompt="human"), LETTERS, LOGPROBS), "m", 0
    )
    strategy = begun(Call("m", ({"role": "user", "content": "x"},), {"temperature": 0, "max_tokens": 64}, 3), trial)
    call = next(strategy)
    with pytest.raises(StopIteration) as stop:
        strategy.send(completion)
    return call, stop.value.value.text, stop.value.value.outcome


def test_what_is_asked_and_what_is_answered() -> None:
    ok = Completion("B", "truncated", "length", top_logprobs=(("B", -0.1), ("A", -3.0)))
    call, text, outcome = answer(ok)
    assert dict(call.sampling) == {"temperature": 0, "max_tokens": 1, "logprobs": True, "top_logprobs": 20}
    assert (call.draw, text, outcome) == (3, "non-entailment", "ok")
    assert answer(replace(ok, top_logprobs=(("?", -0.1),)))[1:] == ("B", "parse_failed")
    assert answer(replace(ok, top_logprobs=(("B", -0.5), ("A", -0.5))))[2] == "parse_failed", "a tie settles nothing"
    assert answer(replace(ok, top_logprobs=()))[2] == "error"
    assert answer(replace(ok, outcome="refused"))[2] == "refused"


def swept(folder: Path, models: str, tasks: str = "snarks", more: str = "") -> tuple[int, str, Path]:
    extra = "placements: [letters]\nstrategies: [logprobs]\n" + more
    path = runs.experiment(folder, models=models, tasks=tasks, items=6, more=extra)
    done = runs.run("sweep", str(path), "--runs", str(folder / "runs"), env={"PROMPTLAB_HOME": str(folder / "home")})
    return done.returncode, done.stdout + done.stderr, folder / "runs"


def test_a_server_that_gives_them(tmp_path: Path, server: Server) -> None:
    code, text, folder = swept(tmp_path, runs.served(server.url, "logprobs"))
    assert code == 0, text
    run = Run(next(folder.iterdir()))
    assert {request["max_tokens"] for request in server.requests} == {1}
    trials, items = run.trials(), run.items().set_index("item")
    assert set(trials["outcome"]) == {"ok"}
    assert all(row.answer == items.loc[row.item].choices[1] for row in trials.itertuples()), "B is the second option as shown"
    assert json.loads(run.calls()["top_logprobs"].iloc[0])[0] == [" B", -0.3]
    n = len(server.requests)
    code, text, _ = swept(
        tmp_path, runs.served(server.url, "logprobs"), more="question: The same again, from the cache?\n".replace("question", "# question")
    )
    assert code == 0, text
    assert len(server.requests) == n


def test_a_server_that_gives_none_leaves_nothing_scored(tmp_path: Path, server: Server) -> None:
    code, text, folder = swept(tmp_path, runs.served(server.url, "ok"))
    assert code == 3, text
    assert "the server sent no log-probabilities; use the strategy single" in text
    trials = Run(next(folder.iterdir())).trials()
    assert set(trials["outcome"]) == {"error"}
    assert trials["score"].isna().all()


def test_tasks_without_options_are_refused(tmp_path: Path) -> None:
    code, text, _ = swept(tmp_path, "  - sim/null", tasks="sum, snarks")
    assert code == 2
    assert "the strategy 'logprobs' needs options, and the task 'twin/sum' has items without" in text


def test_the_simulated_model_gives_the_same_answers_either_way(tmp_path: Path) -> None:
    path = runs.experiment(
        tmp_path, tasks="snarks", items=20, more="placements: [letters]\nstrategies: [single, logprobs]\n", models="  - sim/planted"
    )
    done = runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    assert "[logprobs]" in done.stdout
    trials = Run(next((tmp_path / "runs").iterdir())).trials()
    scores = trials[trials["arm"] == "none"].pivot(index="item", columns="strategy", values="score")
    assert (scores["single"] == scores["logprobs"]).mean() >= 0.9
