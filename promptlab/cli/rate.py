"""`promptlab rate`: people rate a random part of a run's answers, on a page, on a sheet or in a table."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Annotated

from typer import Option

from promptlab.cli.common import RunFolder, say, show
from promptlab.nouns import UsageProblem, counted, did_you_mean


def rate(
    run: RunFolder,
    rater: Annotated[str, Option(help="A token for the person who rates; no name.")] = "r1",
    items: Annotated[int, Option(min=1, help="Items of each task to rate, a random sample; a larger one adds to it.")] = 30,
    arm: Annotated[list[str] | None, Option(help="An arm to rate next to the baseline; default: all sentences.")] = None,
    model: Annotated[str | None, Option(help="Whose answers are rated; default: the first model.")] = None,
    mask: Annotated[bool, Option("--mask", help="Show answers without what they repeat of their arm's sentence.")] = False,
    sheet: Annotated[Path | None, Option(help="Write a page for this rater that needs no server, and end.")] = None,
    read: Annotated[list[Path] | None, Option("--import", help="Import a sheet's JSON, or ratings as CSV, and end.")] = None,
    export: Annotated[Path | None, Option(help="Write all ratings as CSV, and end.")] = None,
    simulate: Annotated[str | None, Option(help="Have a SIMULATED rater of that name rate all of it, and end.")] = None,
    status: Annotated[bool, Option("--status", help="Show what was rated, by whom and how consistently, and end.")] = False,
    port: Annotated[int, Option(min=1, max=65535, help="The port of the page.")] = 8502,
) -> None:
    """Let a person rate answers blindly, with the keys 1 to 5, or A, B and T: the labels that anchor a judge's verdicts."""
    from promptlab.record import ratings
    from promptlab.record.store import Run, write_whole
    from promptlab.reporting import rating
    from promptlab.reporting.formats import ratings_csv
    from promptlab.sources.tables import text_of

    ratings.file_of(run, rater)
    if export is not None:
        found = ratings.ratings_of(run)
        write_whole(export, ratings_csv(found))
        say(f"{export}: {counted(len(found), 'rating')}")
        return
    if status:
        from promptlab.reporting.table import Table

        known = rating.repeatability(Run(run))
        if known.empty:
            say(f"nobody has rated answers of {run.name} yet; start with: promptlab rate {run}")
        else:
            show(Table("Ratings", "", known.fillna("-")))
        return
    sample = rating.units(Run(run), items, arm or (), model, mask)
    order = rating.schedule(sample, rater)
    for path in read or ():
        text = text_of(path)
        is_sheet = path.suffix == ".json"
        found = rating.from_sheet(path, text, Run(run)) if is_sheet else ratings.from_csv(path, text)
        found = found if is_sheet else rating.of_this_run(path, found, sample, Run(run))
        there = {(one.rater, one.unit, one.kind) for one in ratings.ratings_of(run)}
        n_again = sum((one.rater, one.unit, one.kind) in there for one in found)
        ratings.add(run, *found)
        said = f"; {n_again} replace what the same rater said of the same answers before" if n_again else ""
        say(f"{path}: {counted(len(found), 'rating')} imported{said}")
    if sheet is not None:
        write_whole(sheet, rating.sheet(order, rater, "Rating").encode())
        say(f"{sheet}: {counted(len(order), 'unit')} for {rater}; its answers come back with promptlab rate {run} --import FILE.json")
    if simulate is not None:
        _simulated(run, order, rater, simulate)
    if read or sheet is not None or simulate is not None:
        return
    from promptlab.cli.view import LOOPBACK, address, serve

    say(f"{counted(len(order), 'unit')}, about {rating.minutes_left(len(order), ()):.0f} minutes; nothing on the page names an arm")
    say(f"rating:        {address(LOOPBACK, port)}    (Ctrl-C ends it; every rating is saved at once)")
    asked = {"rater": rater, "items": items, "arms": arm or [], "model": model, "mask": mask}
    serve(LOOPBACK, port, ["--run", str(run.resolve()), "--rate", json.dumps(asked)])


def _simulated(run: Path, order: list, rater: str, name: str) -> None:  # type: ignore[type-arg]
    """Ratings by a simulated rater, whose lines say so."""
    from promptlab.record import ratings
    from promptlab.running.free_text import preferred, rated
    from promptlab.sources.spec.libraries import sim_raters

    known = sim_raters()
    if name not in known:
        raise UsageProblem(f"the simulated rater {name!r} is not known; {did_you_mean(name, known)}".rstrip("; "))
    rng = random.Random(f"{run.name}/{rater}/{name}")
    found = []
    for unit in order:
        how = unit.judging
        values: dict[str, str | int] = {}
        if unit.is_pair:
            values[""] = preferred(known[name], unit.answers[0], unit.answers[1], rng)
        else:
            values |= {rubric: int(rated(known[name], unit.answers[0], how.low, how.high, rng) + 0.5) for rubric in how.rubrics}
        found.append(unit.rating(rater, values, more={"simulated": name}))
    ratings.add(run, *found)
    say(f"SIMULATED: {counted(len(order), 'rating')} by {name} as {rater}")
