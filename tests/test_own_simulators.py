"""Simulated models with a truth of the reader's own: the truth that is written now answers, not one that was written before."""

from __future__ import annotations

from pathlib import Path

import promptlab


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
