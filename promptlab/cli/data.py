"""`promptlab data`: the official files, imported or pulled once, verified always."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from promptlab.cli.options import AsJson
from promptlab.cli.screen import print_json, print_rows, say
from promptlab.nouns import EXIT_ERROR

data = typer.Typer(name="data", help="The official data files: import, pull, list, verify.", no_args_is_help=True)


@data.command("import")
def import_(
    directory: Annotated[Path, typer.Argument(help="A folder or checkout that holds the official files.", show_default=False)],
) -> None:
    """Copy the official files out of a folder; each is checked against its SHA-256 first."""
    from promptlab.sources.official import files as official

    done = official.import_from(directory)
    say(f"{len(done.copied)} files imported, {len(done.kept)} were there already, {len(done.missing)} are missing, in {done.folder}")
    for path in done.missing:
        say(f"missing: {path}")


@data.command("pull")
def pull(names: Annotated[list[str] | None, typer.Argument(help="Tasks or file paths; all when left out.")] = None) -> None:
    """Download the official files from their public GitHub addresses at pinned commits; verified files are skipped."""
    from promptlab.sources.official import files as official

    done = official.pull(names or None, lambda path, n, total: say(f"{n}/{total} {path}"))
    say(f"{len(done.copied)} files pulled, {len(done.kept)} were there already, in {done.folder}")


@data.command("ls")
def ls(as_json: AsJson = False) -> None:
    """Every official file, whether it is here, and where it comes from."""
    from promptlab.sources.official import files as official

    rows = [asdict(state) for state in official.listing()]
    note = f"in {official.data_dir()}; get them with `promptlab data import DIR` or `promptlab data pull`"
    print_rows("Official files", rows, {"path": "file", "state": "state", "bytes": "bytes", "licence": "licence"}, note, as_json=as_json)


@data.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Compute every file's SHA-256 anew; exit code 1 when one is damaged."""
    from promptlab.sources.official import files as official

    rows = [asdict(state) for state in official.verify()]
    damaged = [row for row in rows if row["state"] == "damaged"]
    if as_json:
        print_json(rows)
    else:
        counts = {state: sum(row["state"] == state for row in rows) for state in ("present", "absent", "damaged")}
        say(", ".join(f"{n} {state}" for state, n in counts.items()) + f", in {official.data_dir()}")
        for row in damaged:
            say(f"damaged: {row['path']}; import or pull it again")
    if damaged:
        raise typer.Exit(EXIT_ERROR)
