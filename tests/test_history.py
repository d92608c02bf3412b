"""The runs of one question over time, and drift of a provider told from chance by the same arm asked again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runs
from promptlab.nouns.errors import UsageProblem
from promptlab.planning.resolve import resolve
from promptlab.reporting.history import Entry, history
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from scripted import Scripted, chat

TEXT = """
name: watched
question: Which prompt?
tasks: [sentiment]
models: [{{model: openai/m, name: m, api_base: "{url}", price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}]
prompts: {{current: "Say the label. {{input}}", {name}: "Say one label. {{input}}"}}
items: 60
"""


class Provider:
    """Answers every item right but every so many-th, by the item's number in the order in which texts came."""

    def __init__(self) -> None:
        self.wrong_below = 0
        self.known: dict[str, int] = {}

    def __call__(self, body: dict[str, Any], _: int) -> Any:
        text = body["messages"][-1]["content"].partition(". ")[2]
        number = self.known.setdefault(text, len(self.known))
        return 200, chat("positive" if number >= self.wrong_below else "purple")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Entry]]:
    folder, provider = tmp_path_factory.mktemp("history"), Provider()
    with Scripted(provider) as server:
        for name, use, wrong in (("one", "use", 0), ("two", "use", 0), ("three", "off", 0), ("four", "off", 40)):
            provider.wrong_below = wrong
            path = folder / "x.yaml"
            path.write_text(TEXT.format(url=server.url, name=name), encoding="utf-8")
            done = run_sweep(resolve(path), folder / "runs", folder / "cache", Execution(cache=use), lambda _: None)  # type: ignore[arg-type]
            assert done.state == "complete", done.reason
    return folder / "runs", history("watched", folder / "runs")


@pytest.mark.long
def test_runs_are_listed_in_their_order_and_only_an_interval_beside_0_is_drift(past: tuple[Path, list[Entry]]) -> None:
    where, found = past
    assert [entry.best for entry in found] == ["one", "two", "three", "four"]
    assert {entry.incumbent for entry in found} == {"current"}
    assert found[0].score is not None
    assert found[0].low is not None
    assert found[0].low < found[0].score
    assert "openai/m at http" in found[0].version
    first, cached, same, worse = (entry.drift for entry in found)
    assert first is None
    assert cached is not None
    assert cached.says.startswith("not sent again")
    assert same is not None
    assert (same.since, same.n_items, same.diff, same.says) == (found[0].run, 60, 0.0, "no drift seen")
    assert worse is not None
    assert worse.diff is not None
    assert worse.high is not None
    assert (worse.says, worse.since) == ("drift", found[2].run)
    assert worse.high < 0
    by_task, by_run = history("sentiment", where), history(found[1].run, where)
    assert [e.run for e in by_task] == [e.run for e in by_run] == [e.run for e in found]
    with pytest.raises(UsageProblem, match="known: 'watched'"):
        history("nothing", where)


@pytest.mark.long
def test_the_command_prints_draws_and_writes(past: tuple[Path, list[Entry]]) -> None:
    where, found = past
    chart = where.parent / "scores.svg"
    done = runs.run("history", "watched", "--runs", str(where), "--format", "json", "--chart", str(chart))
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["run"] for row in rows] == [entry.run for entry in found]
    assert rows[-1]["drift"]["says"] == "drift"
    assert chart.read_text(encoding="utf-8").startswith("<svg")
    shown = runs.run("history", "watched", "--runs", str(where), "--format", "markdown").stdout
    assert "| begun | run | model |" in shown
    assert "no drift seen" in shown
