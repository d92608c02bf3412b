"""The first screen of a report: what was found, what to do, and how many items more would settle the rest."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from promptlab.nouns.comparison import Comparison
from promptlab.planning.size import Size
from promptlab.reporting.decide import _size, about, lines, needed
from promptlab.reporting.html import to_html
from promptlab.stats import smallest_margin
from reported import changed, first_screen, of, planted  # noqa: F401 (fixtures)


def test_the_first_screen_says_what_was_found_and_what_to_do(planted: Path) -> None:
    report = of(planted)
    shown = first_screen(to_html(report))
    assert shown.index("SIMULATED") < shown.index(report.manifest.question) < shown.index("emotionprompt/EP02")
    assert f"complete: {report.n_trials:,} of {report.n_trials:,} trials" in shown
    assert report.paid in shown
    over = {c.treatment: c for c in report.of("stimulus", control="none")}
    assert len(over) == 3
    for name, c in over.items():
        assert c.diff is not None
        assert c.ci_low is not None
        assert c.ci_high is not None
        figures = f"{100 * c.diff:+.1f}{100 * c.ci_low:+.1f} to {100 * c.ci_high:+.1f}"
        assert figures.replace("-0.0", "+0.0") in shown, name
    by_name = {line.name: line for line in lines(report)}
    assert [line.comparison.verdict for line in lines(report)][:2] == ["helps", "hurts"], "what is decided comes first"
    assert (by_name["emotionprompt/EP02"].kind, by_name["emotionprompt/EP02"].do) == ("go", "Ship it")
    assert (by_name["negativeprompt/NP10"].kind, by_name["negativeprompt/NP10"].do) == ("no", "Do not ship it")
    assert not re.search(r"p [=<]|Holm|null|hypothes|significan|confidence", shown), "no statistics on the first screen"


@pytest.mark.parametrize(
    ("placebo", "plain", "kind", "words"),
    [
        ("helps", "helps", "go", "It beats the plain prompt as well"),
        ("helps", "hurts", "no", "loses against the plain prompt"),
        ("helps", "unclear", "wait", "a gain over the plain prompt is not shown"),
        ("helps", "same", "no", "a gain over the plain prompt is not shown"),
        ("hurts", "helps", "no", "It costs right answers"),
        ("same", "helps", "no", "is what neutral text gives as well"),
        ("negligible", "same", "no", "too small to count"),
        ("unclear", "helps", "wait", "items"),
    ],
)
def test_what_to_do_follows_both_controls(planted: Path, placebo: str, plain: str, kind: str, words: str) -> None:
    report = changed(changed(of(planted), "placebo", verdict=placebo), "none", verdict=plain)
    [line] = [line for line in lines(report) if line.comparison.treatment == "emotionprompt/EP02"]
    assert line.kind == kind
    assert words in f"{line.do}. {line.because}"
    assert (line.do == "Ship it") == (kind == "go")


def test_nothing_is_to_be_shipped_on_an_oracle_or_before_the_end(planted: Path) -> None:
    report = of(planted)
    with_oracle = changed(report, "placebo", oracle=True)
    [line] = [line for line in lines(with_oracle) if line.comparison.treatment == "emotionprompt/EP02"]
    assert (line.kind, line.do) == ("no", "Do not ship it")
    for young in (dataclasses.replace(report, state="interrupted"), dataclasses.replace(report, n_trials=report.n_trials - 1)):
        assert {(line.kind, line.do) for line in lines(young)} == {("wait", "Wait")}
        assert "not finished" in first_screen(to_html(young))
    broken = changed(report, "placebo", status="aa_failed", verdict="refused")
    [line] = [line for line in lines(broken) if line.comparison.treatment == "emotionprompt/EP02"]
    assert line.do == "Decide nothing"


def test_one_task_needs_the_items_with_which_its_own_test_sees_the_margin(planted: Path) -> None:
    """A spread below the margin is no spread of a run with such an effect: at least the margin changes, beside the repeat's flips."""
    report = of(planted)
    c = next(c for c in report.of("stimulus") if c.control == "none")
    for square in (0.01, 0.033, 0.05):
        made = _size(report, c, [30], square)
        assert made.flips(0.05) >= 0.05
        assert made.variance(0.0) >= square - 1e-12
        n = made.items_needed(0.05)
        assert n is not None
        assert made.with_items(n).power(0.05) >= 0.8
        assert n >= 5 / 0.05, "five answers at least must change, all one way"


def test_the_items_needed_are_those_of_the_power_functions(planted: Path) -> None:
    report = of(planted)
    for c in report.of("stimulus"):
        found = needed(report, c)
        each = [cell for cell in report.of("cell", c.model, c.control) if cell.treatment == c.treatment]
        frame = report.trials
        squares = []
        for cell in each:  # from the answers themselves
            wide = frame[frame["task"] == cell.task].pivot_table(index="item", columns="arm", values="score")
            d = wide[c.treatment] - wide[list(c.control_arms)].mean(axis=1)
            squares.append(d.var(ddof=1) + d.mean() ** 2)
        assert len(each) == 2
        spread, again = sum(squares) / len(squares), []
        for cell in each:
            wide = frame[frame["task"] == cell.task].pivot_table(index="item", columns="role", values="score")
            again.append(float((wide["aa"] != wide["baseline"]).mean()))
        noise, n_controls = sum(again) / len(again), len(c.control_arms)
        alpha = report.plan.alpha / c.n_family
        alone = Size((1, 1), noise, alpha, chance=noise, controls=n_controls, accuracy=c.mean_control or 0.0)
        rest = max(spread - alone.variance(0), 0.0) if noise else spread
        size = dataclasses.replace(alone, discordance=noise + rest)

        def enough(more: int, size: Size = size, c: Comparison = c, each: list[Comparison] = each) -> bool:
            n = tuple(cell.n_pairs + more for cell in each)
            shown = smallest_margin(n, size.variance(0.0), 0.0, size.alpha) <= c.margin
            return shown and dataclasses.replace(size, n_items=n).power(c.margin) >= 0.8

        assert found is not None
        assert found.more is not None
        assert enough(found.more)
        assert found.more == 0 or not enough(found.more - 1)
        report_unclear = changed(report, c.control, verdict="unclear") if c.treatment == "emotionprompt/EP02" else None
        if report_unclear and c.control == "placebo":
            assert f"emotionprompt/EP02, {about(found.more)}" in first_screen(to_html(report_unclear))


@pytest.mark.parametrize(("n", "words"), [(1, "1"), (11, "11"), (101, "110"), (1234, "1,300"), (99_999, "100,000")])
def test_numbers_of_items_are_rounded_up(n: int, words: str) -> None:
    assert about(n) == words
