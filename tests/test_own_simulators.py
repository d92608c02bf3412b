"""Simulated models with a truth of the reader's own: the truth that is written now answers, not one that was written before."""

from __future__ import annotations

from pathlib import Path

import promptlab
from promptlab.planning.resolve import resolve


def found(folder: Path, points: float) -> float:
    """The difference in points that a run finds, where the file plants so many."""
    path = folder / "own.yaml"
    path.write_text(
        f"""
name: own
question: Does the new prompt help?
tasks: [sentiment]
models: [sim/mine]
prompts: {{today: "Is it positive or negative? {{input}}", new: "Say positive or negative. {{input}}"}}
items: 60
simulators: {{mine: {{accuracy: 0.5, flip_rate: 0, effects: [{{points: {points}, when: {{prompt: new}}}}]}}}}
""",
        encoding="utf-8",
    )
    [c] = promptlab.report(promptlab.run(path, runs=folder / "runs")).of("prompt")
    assert c.diff is not None
    return 100 * c.diff


def test_a_planted_effect_that_is_changed_is_what_the_next_run_finds(tmp_path: Path) -> None:
    assert found(tmp_path, 0) == 0
    assert found(tmp_path, 40) > 25
    assert found(tmp_path, 0) == 0, "the first run, resumed"


def test_an_effect_that_names_nothing_of_the_experiment_is_told(tmp_path: Path) -> None:
    found(tmp_path, 5)
    text = (tmp_path / "own.yaml").read_text(encoding="utf-8")
    assert notes(tmp_path, text) == []
    assert notes(tmp_path, text.replace("when: {prompt: new}", "when: {prompt: [old, 'n*']}")) == [], "one of them is there"
    [note] = notes(tmp_path, text.replace("when: {prompt: new}", "when: {prompt: neww}"))
    assert note == "own.yaml:8: an effect of sim/mine is on the prompt 'neww', which is not in this experiment; did you mean 'new'?"
    [note] = notes(tmp_path, text.replace("when: {prompt: new}", "task: sentimnt"))
    assert "is on the task 'sentimnt', which is not in this experiment; did you mean 'sentiment'?" in note


def notes(folder: Path, text: str) -> list[str]:
    """What the file says of planted effects."""
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return [note for note in resolve(path).notes if "an effect of" in note]
