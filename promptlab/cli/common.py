"""What commands have in common: arguments and options, and printing for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer import Argument, Option

from promptlab.cli import completing
from promptlab.nouns import UsageProblem, inert, inert_json, run_named

if TYPE_CHECKING:
    from promptlab.planning.study import Study
    from promptlab.reporting.table import Table


def path(text: str | Path) -> Path:
    """A local folder, for commands that work in it."""
    if "://" in str(text):
        raise UsageProblem(f"{text}: this command needs a local folder; sweep, view and ls take an address")
    return Path(text)


def run_folder(text: str | Path) -> Path:
    """A run folder, by its path or by its name in the folder of runs; one at an address is fetched first."""
    if "://" not in str(text):
        return run_named(Path(text))
    from promptlab.record.mirror import fetched

    return fetched(str(text))


def source(given: str | Path) -> Path:
    """An experiment file, by its path or by the name of one that comes with promptlab."""
    from promptlab.nouns import did_you_mean, shipped

    path = Path(given)
    known = {} if path.exists() else {file.stem: file for file in sorted(shipped("experiments").glob("*.yaml"))}
    if path.parts[:-1] == ("experiments",) and path.stem in known:  # as documents name it, but typed outside the sources
        raise UsageProblem(f"{given}: there is no such file here, but it comes with promptlab; did you mean '{path.stem}'?")
    if path.exists() or len(path.parts) > 1 or path.suffix in (".yaml", ".yml"):
        return path
    if path.name not in known:
        own = [file.name for ending in (".yaml", ".yml") if (file := path.with_suffix(ending)).is_file()]
        near = f"did you mean {own[0]!r}?" if own else did_you_mean(path.name, known) or f"known: {', '.join(map(repr, known))}"
        raise UsageProblem(f"{given}: there is no such file, and no experiment of that name comes with promptlab; {near}")
    return known[path.name]


def load(experiment: Path, allow_code: bool = False, *, sequential: bool = False) -> Study:
    """The experiment of a file, its code only with the user's consent; `sequential` plans interim analyses."""
    from promptlab.planning.resolve import resolve
    from promptlab.sources.spec.user import consent

    return resolve(experiment, LOOKS if sequential else None, consent=consent(allow_code))


ExperimentFile = Annotated[
    Path,
    Argument(
        help="An experiment's YAML file, or the name of a shipped one: quickstart.", parser=source, autocompletion=completing.experiments
    ),
]
Runs = Annotated[Path, Option("--runs", envvar="PROMPTLAB_RUNS", help="Where run folders are kept.", parser=path, metavar="PATH")]
RunsAnywhere = Annotated[
    str, Option("--runs", envvar="PROMPTLAB_RUNS", help="Where run folders are kept: a folder, or an address such as s3://bucket/runs.")
]
Concurrency = Annotated[int, Option("--concurrency", "-c", min=1, max=1024, help="Calls in flight at once.")]
LOOKS = 4
Sequential = Annotated[
    bool, Option("--sequential", help=f"Plan {LOOKS} interim analyses at which a sentence may stop early (analysis.looks).")
]
Batch = Annotated[bool, Option("--batch", help="Through the providers' batch APIs: half the price at most, within a day.")]
AllowCode = Annotated[
    bool, Option("--allow-code", help="Run the code that these files name (metrics, programs). Read it first: it can do all that you can.")
]
AsJson = Annotated[bool, Option("--json", help="Print JSON and nothing else.")]
Force = Annotated[bool, Option("--force", help="Continue although the run fails its audit; every page says so.")]
RunFolder = Annotated[
    Path,
    Argument(help="A run folder, such as runs/quickstart-1a2b3c4d, or its address.", parser=run_folder, autocompletion=completing.runs),
]

WIDTH_OFF_TERMINAL = 132
"""A pipe or a file has no width; what is made for 80 columns there would only be broken apart."""


def print_json(value: object) -> None:
    """One JSON document on stdout and nothing else."""
    sys.stdout.write(inert_json(json.dumps(value, indent=2, ensure_ascii=False, default=str)) + "\n")


def exit_json(value: object) -> NoReturn:
    """One JSON document on stdout as all that a command prints."""
    print_json(value)
    raise typer.Exit


def show(table: Table) -> None:
    """A table of `promptlab.reporting.table`."""
    print_table(table.title, table.head, table.rows, table.note)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], note: str = "") -> None:
    """A table; numbers to the right, everything as plain text."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(title=Text(inert(title)) if title else None, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) or row[index] is None for row in rows) and bool(rows)
        table.add_column(Text(inert(column)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console()
    if not console.is_terminal and console.width < WIDTH_OFF_TERMINAL:
        console = Console(width=WIDTH_OFF_TERMINAL)
    console.print(table)
    if note:
        console.print(Text(inert(note)))


def print_lines(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[int] = (), cut: int | None = None, short: int | None = None,
    title: str = "",
) -> None:  # fmt: skip
    """A table without lines between its cells, each row one line.

    On a terminal that is too narrow, column `short` is its sign alone, then column `cut` loses the middle of its cells (never below
    20 letters), and then columns give way from the last one on.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    from promptlab.reporting.screen import fitted, print_fitted

    console = Console()
    width = console.width if console.is_terminal else max(console.width, WIDTH_OFF_TERMINAL)
    cells = [[inert(cell) for cell in row] for row in rows]

    def over() -> int:
        sizes = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
        return sum(sizes) + 2 * (len(sizes) - 1) - width

    if short is not None and over() > 0:
        cells = [[cell[:1] if i == short else cell for i, cell in enumerate(row)] for row in cells]
    if cut is not None and (more := over()) > 0:
        most = max(20, max(cell_len(row[cut]) for row in cells) - more)
        names = {row[cut] for row in cells}
        while len({middle_cut(name, most) for name in names}) < len(names):
            most += 1  # no two names look alike
        cells = [[middle_cut(cell, most) if i == cut else cell for i, cell in enumerate(row)] for row in cells]
    ranks = [0 if cut is not None else i for i in range(len(heads))]
    lines = fitted(heads, cells, width, ranks=ranks, right=[i in right for i in range(len(heads))], styles=[""] * len(cells))
    if title:
        console.print(Text(inert(title), style="bold"))
    print_fitted(Console(width=width), lines)


def middle_cut(text: str, most: int) -> str:
    """The text, its middle left out where it has more than `most` letters."""
    return text if len(text) <= most else f"{text[: most - 1 - (most - 1) // 2]}…{text[len(text) - (most - 1) // 2 :]}"


def print_rows(title: str, rows: Sequence[Mapping[str, Any]], columns: Collection[str], note: str = "", *, as_json: bool = False) -> None:
    """A table of some keys of each row: the heads are the keys, or the values of a mapping. As JSON the whole rows."""
    if as_json:
        print_json(rows)
        return
    heads = columns.values() if isinstance(columns, Mapping) else columns
    print_table(title, list(heads), [[row.get(key) for key in columns] for row in rows], note)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return inert(", ".join(map(str, value)) if isinstance(value, list | tuple) else value)


def say(text: str = "") -> None:
    """A line of plain text on stdout."""
    sys.stdout.write(inert(text) + "\n")
    sys.stdout.flush()
