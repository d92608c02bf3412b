"""The first screen: every name, verdict and number is whole at any width, and its figures are those of the trials."""

from __future__ import annotations

import fcntl
import functools
import io
import json
import math
import os
import pty
import re
import struct
import termios
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from rich.cells import cell_len
from rich.console import Console

import promptlab
import runs
from promptlab.nouns import VERDICTS
from promptlab.record.store import Run
from promptlab.reporting import Report, build, summaries, to_json, to_text
from promptlab.reporting.screen import fitted, table_lines
from promptlab.reporting.summary import _advice, _best, rows_of
from promptlab.reporting.summary_words import head_words, summary_table
from promptlab.stats import mean_score, points

WIDTHS = (80, 100, 140)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

ELEVEN = """\
name: eleven
question: Does any sentence help?
tasks: ["*"]
models: [sim/planted]
stimuli: [emotionprompt/*]
controls: {placebos: [], no_placebo_reason: a test of widths}
items: 2
"""


LONG = "a-prompt-with-a-long-name-that-says-what-was-changed"
TWELVE = "\n".join([
    "name: twelve", "question: Which prompt?", "tasks: [sum]", "models: [sim/null, sim/factors, sim/planted]", "items: 24",
    "incumbent: current",
    "prompts:", '  current: "{instruction}\\n{input}"',
    *(f'  {LONG}-{n:02}: "Version {n}. {{instruction}}\\nInput: {{input}}"' for n in range(11)),
])  # fmt: skip


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep(tmp_path_factory.mktemp("twelve"), TWELVE)


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep(tmp_path_factory.mktemp("quick"), Path("experiments/quickstart.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def eleven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep(tmp_path_factory.mktemp("eleven"), ELEVEN)


def sweep(place: Path, text: str) -> Path:
    path = place / "experiment.yaml"
    path.write_text(text, encoding="utf-8")
    return Path(promptlab.run(path, runs=place / "runs", progress=False).folder)


@functools.cache
def built(folder: Path) -> Report:
    return build(Run(folder))


def on_terminal(width: int, *arguments: str) -> str:
    """What a command prints on a terminal of this many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | {"TERM": "xterm-256color"}
    process = runs.on_terminal(theirs, *arguments, env=env)
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    assert process.wait(60) == 0, b"".join(parts).decode()
    return ANSI.sub("", b"".join(parts).decode()).replace("\r\n", "\n")


def printed(folder: Path, width: int) -> str:
    out = io.StringIO()
    to_text(built(folder), Console(file=out, width=width, force_terminal=True, color_system=None))
    return out.getvalue()


def whole(folder: Path, shown: str, width: int) -> None:
    """Each arm's line holds its name, verdict, difference and interval, and no line is longer than the screen."""
    lines = shown.split("\n")
    for summary in summaries(built(folder)):
        for row in summary.rows:
            [line] = [line for line in lines if f" {row.arm} " in f"{line} " and re.match(r"\W \w", line)]
            if row.incumbent:
                assert "incumbent" in line
                continue
            assert f" {row.verdict} " in line, line
            assert f" {points(row.diff)} " in line, line
            assert f"[{points(row.ci_low)}, {points(row.ci_high)}]" in line, line
    assert max(map(cell_len, lines)) <= width


def n_words(shown: str) -> int:
    """Words between blanks; numbers and signs are none."""
    return sum(bool(re.search(r"[^\W\d_]{2}", word)) for word in shown.split())


@pytest.mark.long(but=1)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_terminal_shows_names_verdicts_and_numbers_whole(quickstart: Path, width: int) -> None:
    shown = on_terminal(width, "report", str(quickstart))
    whole(quickstart, shown, width)
    assert len(shown.strip().split("\n")) <= 25
    assert n_words(shown) <= 120


@pytest.mark.long(but=1)
@pytest.mark.parametrize("width", WIDTHS)
def test_eleven_sentences_on_all_tasks_are_whole(eleven: Path, width: int) -> None:
    shown = printed(eleven, width)
    whole(eleven, shown, width)
    assert len(shown.strip().split("\n")) <= 25
    assert n_words(shown) <= 120


@pytest.mark.long(but=1)
@pytest.mark.parametrize("width", WIDTHS)
def test_twelve_long_prompts_on_three_models_are_whole(twelve: Path, width: int) -> None:
    shown = printed(twelve, width)
    assert max(map(cell_len, shown.split("\n"))) <= width
    found = summaries(built(twelve))
    assert len(found) == 3
    for part, summary in zip(shown.split("SIMULATED ")[1:], found, strict=True):
        assert len(summary.rows) == 12
        for row in summary.rows:
            assert f"{row.arm} " in part.replace("\n", " \n")
            if not row.incumbent:
                assert re.search(rf"{row.verdict} .*{re.escape(points(row.diff))} ", part)
                assert f"[{points(row.ci_low)}, {points(row.ci_high)}]" in part


def test_all_tables_fit_where_details_are_wanted(quickstart: Path) -> None:
    for width in WIDTHS:
        out = io.StringIO()
        to_text(built(quickstart), Console(file=out, width=width, force_terminal=True, color_system=None), tasks=True)
        lines = out.getvalue().split("\n")
        assert max(map(cell_len, lines)) <= width
        for c in built(quickstart).of("stimulus"):
            assert any(c.treatment in line and f" {points(c.diff)} " in line and c.verdict in line for line in lines)


def test_figures_are_those_of_the_trials(quickstart: Path) -> None:
    report = built(quickstart)
    trials = report.trials.assign(score=report.trials["score"].astype(float))
    [summary] = summaries(report)
    assert summary.simulated
    assert [row.diff or 0.0 for row in summary.rows] == sorted((row.diff or 0.0 for row in summary.rows), reverse=True)
    assert sum(row.incumbent for row in summary.rows) == 1
    assert sum(row.p_best or 0 for row in summary.rows) == pytest.approx(1, abs=1e-9)
    for row in summary.rows:
        mine = trials[trials["arm"] == row.text_of]
        by_task = mine.groupby("task", observed=True)["score"].mean()
        assert row.score == pytest.approx(by_task.mean())
        assert row.answers == len(mine)
        error = math.sqrt((by_task * (1 - by_task) / (mine.groupby("task", observed=True)["score"].count())).sum()) / len(by_task)
        assert row.score_low is not None
        assert row.score_high is not None
        assert row.score_high - row.score_low == pytest.approx(2 * 1.96 * error, rel=0.05)
        assert row.usd_per_1000 == pytest.approx(1000 * mine["cost_usd"].astype(float).mean())
        assert row.tokens == pytest.approx((mine["input_tokens"] + mine["output_tokens"]).astype(float).mean())
        if not row.incumbent:
            [c] = [c for c in report.of("stimulus", control="none") if c.treatment == row.text_of]
            assert (row.diff, row.ci_low, row.ci_high, row.verdict) == (c.diff, c.ci_low, c.ci_high, c.verdict)


def test_what_points_are_against_is_said_where_it_is_not_the_score_of_the_incumbents_row(quickstart: Path) -> None:
    report = built(quickstart)
    [summary] = summaries(report)
    [score] = [row.score for row in summary.rows if row.incumbent]
    mean = report.of("stimulus", control="none")[0].mean_control
    assert mean is not None
    assert score is not None
    twice = f"points against no added text (mean with its repeat: {100 * mean:.1f})"
    assert head_words(summary).endswith(twice if f"{100 * mean:.1f}" != f"{100 * score:.1f}" else "points against no added text")


def test_a_sentence_in_several_prompts_changes_nothing_about_what_points_are_against(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "name: two\nquestion: q?\nsuite: twin\ntasks: [sentiment]\nmodels: [sim/factors]\nitems: 40\nstimuli: [emotionprompt/EP02]\n"
        "controls: {placebos: [], no_placebo_reason: a test}\nprompts: {now: 'Sentiment? {input}', expert: 'Sort it. {input}'}\n",
        encoding="utf-8",
    )
    report = build(promptlab.run(path, runs=tmp_path / "runs", cache="off", progress=False))
    [summary] = summaries(report)
    assert {c.mean_control for c in report.of("stimulus", control="none")} != {row.score for row in summary.rows if row.incumbent}
    assert head_words(summary).endswith("points against now")


def test_where_nothing_is_shown_the_advice_names_the_arm_that_has_the_largest_gain(quickstart: Path) -> None:
    report = built(quickstart)
    [summary] = summaries(report)
    others = [row for row in summary.rows if not row.incumbent]
    open_ = [
        replace(row, decision="collect more", verdict="unclear", more_items=80, p_best=0.9 - 0.2 * i, corrected=0.001 * i)
        for i, row in enumerate(others)
    ]
    assert _best(open_, silent=False).startswith(f"{open_[-1].arm} has the largest gain")
    assert _advice(report, open_, silent=False).endswith(f"about 80 more items a task to settle {open_[-1].arm}.")
    worse = [replace(row, corrected=-0.001) for row in open_]
    assert _best(worse, silent=False) == f"Corrected for choosing among {len(worse)}, no arm has a better estimate than the incumbent."
    assert _best([replace(row, diff=-0.01) for row in worse], silent=False) == "No arm has a better estimate than the incumbent."


def test_no_advice_names_a_loop_that_an_oracle_tells(quickstart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its gain is the largest, and nobody could ship it: more items are asked for the next one."""
    report = built(quickstart)
    others = [row for row in summaries(report)[0].rows if not row.incumbent][:2]
    told, other = (
        replace(row, decision="collect more", verdict="unclear", more_items=80, corrected=0.2 - 0.1 * n) for n, row in enumerate(others)
    )
    monkeypatch.setattr("promptlab.reporting.summary.is_told", lambda _plan, _strategy, arm: arm == told.text_of)
    assert _advice(report, [told, other], silent=False).endswith(f"more items a task to settle {other.arm}.")
    assert _advice(report, [told], silent=False).endswith(f"more items a task to settle {told.arm}."), "there is no other"


def test_one_arm_is_to_be_shipped_and_it_is_the_planted_one(quickstart: Path) -> None:
    [summary] = summaries(built(quickstart))
    assert [row.text_of for row in summary.rows if row.decision == "ship"] == ["emotionprompt/EP02"]
    assert summary.advice.startswith("Ship emotionprompt/EP02.")
    assert summary.best.startswith("emotionprompt/EP02 has the largest gain: +")
    assert "Corrected for choosing among 4: +" in summary.best


def test_the_short_decision_speaks_of_the_arm_of_its_row(quickstart: Path) -> None:
    [summary] = summaries(built(quickstart))
    row = next(row for row in summary.rows if not row.incumbent)
    rows = [replace(row, decision="keep the incumbent", verdict=verdict) for verdict in ("hurts", "same", "negligible")]
    head, *lines = [line for line, _ in table_lines(rows, 400, 0.01)]
    assert head.endswith("decision")
    assert [line[head.index("decision") :].strip() for line in lines] == ["drop", "don't ship", "don't ship"]


def test_every_format_begins_with_the_same_rows(quickstart: Path) -> None:
    report = promptlab.report(quickstart)
    data = json.loads(report.to_json())
    needed = {
        "arm",
        "model",
        "score",
        "score_low",
        "score_high",
        "diff",
        "ci_low",
        "ci_high",
        "verdict",
        "p_best",
        "usd_per_1000",
        "decision",
    }
    assert needed <= data["summary"][0].keys()
    assert data["summary"] == json.loads(json.dumps(rows_of(built(quickstart))))
    [summary] = summaries(built(quickstart))
    markdown, html, text = report.to_markdown(), report.to_html(), repr(report)
    for row, cells in zip(summary.rows, summary_table(summary).rows, strict=True):
        assert cells[1] == row.arm
        for shown in (html.partition('<nav id="contents"')[0], text, markdown.partition("over tasks")[0].replace("\\", "")):
            assert row.arm in shown
            assert row.diff is None or points(row.diff) in shown
    assert to_json(built(quickstart)) == report.to_json()


@given(
    some.lists(some.tuples(some.text(some.characters(exclude_categories=("C", "Z", "M")), min_size=1, max_size=200), some.integers()),
               min_size=1, max_size=8),
    some.integers(40, 200),
)  # fmt: skip
@example([("\U0001f3fb", 0)], 40)
@example([("\U0001f3fb" + "a" * 60, 0)], 40)
@settings(max_examples=60, deadline=None)
def test_no_cell_is_ever_cut(rows: list[tuple[str, int]], width: int) -> None:
    cells = [["▲ helps", name, "+10.0", "[+1.0, +12.0]", str(number)] for name, number in rows]
    heads = ("verdict", "arm", "points", "95 % interval", "n")
    right = (False, False, True, True, True)
    lines = fitted(heads, cells, width, ranks=(0, 0, 0, 0, 1), right=right, styles=[""] * len(rows))
    shown = [line for line, _ in lines]
    assert all(cell_len(line) <= width for line in shown)
    joined = "".join(shown)
    for name, _ in rows:
        assert name in joined
    assert sum("▲ helps" in line and "+10.0" in line and "[+1.0, +12.0]" in line for line in shown) >= len(rows)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 1.0])
def test_the_interval_of_a_score_covers(share: float) -> None:
    rng = np.random.default_rng(7)
    tasks, n, runs = 4, 50, 400
    shares = np.clip(share + np.array([-0.1, 0.0, 0.0, 0.1]) * min(share, 1 - share), 0, 1)
    held = 0
    for _ in range(runs):
        _, ends = mean_score([((rng.random(n) < p).astype(float), None) for p in shares[:tasks]])
        assert ends is not None
        held += ends[0] - 1e-12 <= shares.mean() <= ends[1] + 1e-12
    assert held / runs >= 0.93


def test_clusters_widen_the_interval() -> None:
    scores = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0], 10)
    clusters = np.repeat([f"c{i}" for i in range(10)], 10)
    mean, alone = mean_score([(scores, None)])
    same, grouped = mean_score([(scores, clusters)])
    assert mean == same
    assert alone is not None
    assert grouped is not None
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])


def test_signs_and_words_are_those_of_the_verdicts(quickstart: Path) -> None:
    [summary] = summaries(built(quickstart))
    for row, cells in zip(summary.rows, summary_table(summary).rows, strict=True):
        if row.verdict:
            assert cells[0] == f"{VERDICTS[row.verdict].sign} {row.verdict}"
