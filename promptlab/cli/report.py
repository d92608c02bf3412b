"""`promptlab report`, and the commands that print one table of it."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from promptlab.cli import completing
from promptlab.cli.common import AsJson, Force, RunFolder, Runs, exit_json, print_table, run_folder, say, show
from promptlab.nouns import RunProblem, Scorer, UsageProblem, flat, grouped
from promptlab.nouns.words import counted

if TYPE_CHECKING:
    from promptlab.running.sweep import Sweep

Format = Literal["terminal", "markdown", "html", "json", "csv", "pdf", "png"]
INTO_RUN = {"html": "report.html", "pdf": "verdict.pdf", "png": "verdict.png"}
"""Formats that are written into the run folder where --out names no file."""
GRID = "grid"


def report(
    run: RunFolder,
    format: Annotated[  # noqa: A002
        Format, Option("--format", "-f", help="terminal, markdown, html, json or csv; pdf or png: the verdict on one page.")
    ] = "terminal",
    out: Annotated[Path | None, Option("--out", "-o", help="Write here instead of to the screen.")] = None,
    scorer: Annotated[Scorer | None, Option(help="Rescore the stored answers: strict, reference or negativeprompt; sends nothing.")] = None,
    tasks: Annotated[bool, Option("--tasks", help="On the terminal also the verdicts by control and by task.")] = False,
    page: Annotated[
        str | None, Option(help="Only what this page of the explorer shows, such as results, tasks or cost; grid: every item in every arm.")
    ] = None,
    where: Annotated[list[str] | None, Option(help="With --page: name=value as in the explorer's address, such as task=sum.")] = None,
    force: Force = False,
) -> None:
    """Judge a run, finished or not, and show or write what was found."""
    if page == GRID and format in ("terminal", "html"):
        _grid(run, where or [], out, scorer, force=force)
        return
    if page is not None:
        if scorer is not None or format in INTO_RUN:
            raise UsageProblem(f"--page shows the tables of one page by the run's own scorer; leave --scorer and --format {format} out")
        _page(run, page, where or [], format, out, force=force)
        return
    if where:
        raise UsageProblem("--where needs --page: it is what the address of that page holds")
    from promptlab import api, reporting

    built = api.report(run, scorer=scorer, force=force)
    if format == "terminal":
        if out is not None:
            raise UsageProblem("--out needs a format to write: add --format html, markdown, json, csv, pdf or png")
        reporting.to_text(built, tasks=tasks)
        return
    if format in INTO_RUN and out is None:
        out = run / INTO_RUN[format]
    _write(getattr(built, f"to_{format}")(), out)


def _grid(run: Path, where: list[str], out: Path | None, scorer: Scorer | None, *, force: bool) -> None:
    """The page of every item in every arm, in a file."""
    from promptlab import api
    from promptlab.reporting.grid import to_grid

    if where:
        raise UsageProblem("--page grid is one HTML page of the whole run; leave --where out")
    _write(to_grid(api.report(run, scorer=scorer, force=force)), out or run / "grid.html")


def _write(text: str | bytes, out: Path | None) -> None:
    from promptlab.record.store import write_whole

    if out is None:
        sys.stdout.write(str(text))
        return
    write_whole(out, text.encode("utf-8", "replace") if isinstance(text, str) else text)
    say(f"written: {out}")


def _page(run: Path, page: str, where: list[str], format: Format, out: Path | None, *, force: bool) -> None:  # noqa: A002
    """The tables of one page, on the screen or in a file."""
    from promptlab.explorer.frame import filters_of, page_tables, text_of
    from promptlab.record.store import Run
    from promptlab.reporting.checked import checked

    failed = checked(Run(run), force)
    found = page_tables(run, page, filters_of(where))
    if failed:
        found = [shown._replace(note=f"THIS RUN FAILS ITS AUDIT: {'; '.join(failed)}. {shown.note}") for shown in found]
    simulated = Run(run).manifest.simulated
    if format == "terminal" and out is None:
        for shown in found:
            show(shown._replace(title=f"SIMULATED: {shown.title}" if simulated else shown.title))
        return
    _write(text_of(found, "csv" if format == "terminal" else format, simulated), out)


def scores(
    run: RunFolder,
    aggregate: Annotated[bool, Option("--aggregate", help="F1, correlation, error and diversity of each arm instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """The baseline of every task under every scorer, raw and normalised, and how the model answered."""
    from promptlab.nouns import SCORERS
    from promptlab.record.store import Run
    from promptlab.reporting import scorer_table
    from promptlab.reporting.names import without_text

    found = Run(run)
    if aggregate:
        from promptlab.reporting.aggregates import aggregate_table

        whole = aggregate_table(found)
        if as_json:
            exit_json(whole.frame.to_dict("records"))
        show(whole)
        return
    rows = scorer_table(found.trials(), found.items(), found.plan).to_dict("records")
    if as_json:
        exit_json(rows)
    place = ["setting"] if not found.plan.prompts else ["prompt", "setting"] if len(found.plan.settings) > 1 else ["prompt"]
    columns = ["model", *place, "task", "n", *SCORERS, "normalised", "compliant", "echoed", "declined"]
    shown = [[f"{v:.3f}" if isinstance(v := row.get(c), float) else v for c in columns] for row in rows]
    simulated = " (SIMULATED)" if found.manifest.simulated else ""
    print_table(f"{found.id}{simulated}: mean score{without_text(found.plan)}", columns, shown)


def compare(
    run_a: RunFolder,
    run_b: Annotated[
        Path | None, Argument(help="The other run; default: the same one.", parser=run_folder, autocompletion=completing.runs)
    ] = None,
    arm: Annotated[str, Option(help="The arm of the first run.", autocompletion=completing.arms)] = "none",
    against: Annotated[str | None, Option(help="The arm of the second; default: the same name.", autocompletion=completing.arms)] = None,
    model: Annotated[str | None, Option(help="The model of the first run, where it has several.")] = None,
    model_b: Annotated[str | None, Option(help="The model of the second; default: as in the first.")] = None,
    prompt: Annotated[str | None, Option(help="The prompt of the first arm, where a run has several.")] = None,
    prompt_b: Annotated[str | None, Option(help="The prompt of the second; default: as in the first.")] = None,
    setting: Annotated[str | None, Option(help="The setting of the first arm, by its id.")] = None,
    setting_b: Annotated[str | None, Option(help="The setting of the second; default: as in the first.")] = None,
    strategy: Annotated[str | None, Option(help="The strategy, program or loop, where a run has several.")] = None,
    item: Annotated[str | None, Option(help="Show both messages and answers of this item, as TASK/ITEM.")] = None,
    examples: Annotated[int, Option(min=0, help="Number of items to show, those that changed most.")] = 0,
    force: Annotated[bool, Option("--force", help="Compare although a run fails its audit, or other parameters were sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Pair two runs, or two arms of one, by item: second minus first. Exploratory, so without a verdict.

    --arm also takes the name of a whole prompt: --arm current --against expert.
    """
    from dataclasses import asdict

    from promptlab import api
    from promptlab.record.store import Run
    from promptlab.reporting import EXPLORATORY
    from promptlab.reporting.flips import example, meant
    from promptlab.stats import interval, p_figure, points

    found = api.compare(
        run_a, arm, against, other=run_b, model=model, other_model=model_b, prompt=prompt, other_prompt=prompt_b, setting=setting,
        other_setting=setting_b, strategy=strategy, force=force,
    )  # fmt: skip
    runs = (Run(run_a), Run(run_b or run_a))
    of_item = [meant(runs[0], item)] if item else []
    if as_json:
        exit_json({**asdict(found), "note": EXPLORATORY})
    mark = "SIMULATED: " if found.a.simulated or found.b.simulated else ""
    heads = ["task", "n", "first", "second", "points", "95 % CI", "gained/lost", "p", "Holm"]
    rows = [
        [
            r.task or "mean over the tasks", r.n, f"{100 * r.mean_a:.1f}", f"{100 * r.mean_b:.1f}", points(r.diff),
            interval(r.ci_low, r.ci_high), "-" if r.gained is None else f"{r.gained}/{r.lost}", p_figure(r.p_value),
            "-" if r.task is None else p_figure(r.p_holm),
        ]
        for r in found.rows
    ]  # fmt: skip
    print_table(f"{mark}second minus first", heads, rows)
    say(f"first:         {found.a.label}")
    say(f"second:        {found.b.label}")
    for note in found.notes:
        say(f"differs:       {note}")
    say(found.sentence)
    say(EXPLORATORY)
    say(
        f"{counted(found.n_changed)} changed"
        + (f"; the most: {', '.join(f'{c.task}/{c.item}' for c in found.changed[:5])}" * bool(found.changed))
    )
    for task, name in [*of_item, *((c.task, c.item) for c in found.changed[:examples])]:
        say("\n" + example(runs, found, task, name))


def history(
    name: Annotated[str, Argument(help="An experiment's name, a run, a task, or a question.")],
    runs: Runs = Path("runs"),
    format: Annotated[  # noqa: A002
        Literal["terminal", "markdown", "json"], Option("--format", "-f", help="terminal, markdown or json.")
    ] = "terminal",
    chart: Annotated[Path | None, Option(help="Draw the scores into this SVG file.")] = None,
) -> None:
    """The runs of one question over time: versions, scores, best arms, and whether a provider drifted (A/A against the run before)."""
    from promptlab.record.store import write_whole
    from promptlab.reporting import history as past
    from promptlab.reporting.formats import section

    if "/" in name and Path(name).is_dir():
        name, runs = Path(name).name, Path(name).parent
    found = past.history(name, runs)
    if chart is not None:
        from promptlab.reporting import charts

        drawn = charts.history(past.chart_rows(found), f"{name}: what runs today, run by run", any(e.simulated for e in found))
        write_whole(chart, charts.svg(drawn).encode())
    table = past.history_table(found)
    if format == "json":
        exit_json(past.plain(found))
    if format == "markdown":
        sys.stdout.write("\n".join(section(table.title, table.note, table.head, table.rows)) + "\n")
        return
    show(table)


def replicate(
    runs: Annotated[list[Path], Argument(help="One run or several, such as zero-shot and few-shot.", parser=run_folder)],
    paper: Annotated[Literal["emotionprompt", "negativeprompt"], Option(help="The paper to compare with.")],
    same_as: Annotated[
        list[str] | None, Option(help="MODEL=PAPERMODEL: which of the paper's models one of the run is, or Average.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Runs next to the paper's Table 1, row by row and cell by cell: average with average, never with the published best.

    A model that the paper did not test is compared with the paper's average over its models. Runs of EmotionPrompt's human study and of
    TruthfulQA are shown next to those figures.
    """
    from dataclasses import asdict

    from promptlab.record.store import Run
    from promptlab.reporting import replicate as compare
    from promptlab.reporting.replicate import benchmarks_of
    from promptlab.reporting.studies import study_tables

    pairs = [part.partition("=") for part in same_as or ()]
    wrong = next((part for part, sign, name in pairs if not sign or not name), None)
    if wrong is not None:
        raise UsageProblem(f"--same-as takes MODEL=PAPERMODEL, as in --same-as gpt4=GPT-4; found {wrong!r}")
    every = [Run(run) for run in dict.fromkeys(run.resolve() for run in runs)]
    studies = [(run, found) for run in every for found in study_tables(run, paper)]
    every = [run for run in every if not studies or benchmarks_of(run.plan)]
    if studies and not as_json:
        for run, shown in studies:
            show(shown._replace(title=f"SIMULATED: {shown.title}" if run.manifest.simulated else shown.title))
    if not every:
        if as_json:
            exit_json([
                {"run": run.id, "simulated": run.manifest.simulated, "title": shown.title, "note": shown.note,
                 "rows": shown.frame.to_dict("records")}
                for run, shown in studies
            ])  # fmt: skip
        return
    found = compare(every, paper, {model: name for model, _, name in pairs})
    if as_json:
        cells = [{**flat(c), "check": None if c.check is None else c.check._asdict()} for c in found.cells]
        exit_json({**asdict(found), "cells": cells})
    mark = "SIMULATED: " if found.simulated else ""
    sides = [
        [c.model, c.beside, BENCHMARKS[c.benchmark], f"{c.base_prompt}, {c.shots}", *_side(*row)]
        for c in found.cells
        for row in c.side_by_side
    ]
    heads = ["model", "paper model", "benchmark", "prompt, shots", "row", "paper", "here"]
    print_table(f"{mark}{found.source} and these answers, score in %", heads, sides)
    several = len({c.model for c in found.cells}) > 1
    rows = [
        [
            *([c.model] if several else []), BENCHMARKS[c.benchmark], f"{c.base_prompt}, {c.shots}", c.n_tasks,
            c.gain(c.published_average, "-"), c.expected("-"), f"{c.our_average:+.1f}", f"{c.our_low:+.1f} to {c.our_high:+.1f}",
            c.gain(c.published_best, "-"), f"{c.our_best_per_task:+.1f}",
            "-" if c.our_best_single is None else f"{c.our_best_single:+.1f}", c.verdict,
        ]
        for c in found.cells
    ]  # fmt: skip
    heads = [
        *(["model"] if several else []), "benchmark", "prompt, shots", "tasks", "paper's mean", "a repeat's range", "here", "95 % CI",
        "paper's best", "best per task here", "best single here", "verdict",
    ]  # fmt: skip
    print_table(f"{mark}{found.source} and these answers, gains in points", heads, rows)
    for benchmark, theirs, *ours in found.headlines:
        both = zip(ours, ("the best sentence of each task", "the best single sentence"), strict=True)
        here = " and ".join(f"{our:+.1f} % with {words}" for our, words in both if our is not None)
        said = f"the abstract says {theirs:.2f} %, from the best sentences, chosen on the test items; the same arithmetic gives here"
        say(f"{BENCHMARKS[benchmark]}: {said} {here or 'nothing, for no baseline is above 0'}.")
    named = ((c, f"{c.model}, {BENCHMARKS[c.benchmark]}, {c.base_prompt}, {c.shots} examples") for c in found.cells)
    where = grouped((what, name) for c, name in named for what in c.deviations)
    for names in dict.fromkeys(map(tuple, where.values())):
        place = "everywhere" if len(names) == len(found.cells) else "; ".join(names)
        say(f"Differs from the paper, {place}: {'; '.join(what for what, of in where.items() if tuple(of) == names)}.")


def _side(row: str, theirs: float | None, ours: float | None) -> list[str]:
    return [row, *("-" if value is None else f"{value:.2f}" for value in (theirs, ours))]


BENCHMARKS = {"instruction_induction": "induction", "bigbench": "BIG-bench"}


def after_sweep(done: Sweep, write_html: bool) -> None:
    """What a sweep ends with: the verdicts on the screen, the report next to the record, and the run prepared for the explorer."""
    from promptlab import reporting as reports
    from promptlab.record.store import Run, write_whole
    from promptlab.reporting.checked import failures
    from promptlab.reporting.older import keep_results
    from promptlab.reporting.prepared import keep, stamp

    folder = done.folder
    run, now = Run(folder), stamp(folder)
    built = reports.build(run, just_made=done.is_own)
    built = replace(built, failed=tuple(failures(run, built.trials, just_made=done.is_own)))
    keep_results(run.id, built.comparisons)
    reports.to_text(built)
    if write_html:
        write_whole(folder / "report.html", reports.to_html(built).encode("utf-8", "replace"))
        say(f"report:        {folder / 'report.html'}")
        with contextlib.suppress(RunProblem):  # a full disk: the explorer says so when it is opened
            keep(run, built, now)
