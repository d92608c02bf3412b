"""Writes docs/reference/commands.md from the help of the command line; a test compares. Usage: python tools/make_command_docs.py"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from promptlab.cli import app

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "commands.md"
INTRO = """# Commands

Made by `python tools/make_command_docs.py` from the help of the command line; a test holds it true. `promptlab COMMAND --help` prints the
same text.

Exit codes: 0 ok, 1 error, 2 what you typed is wrong or missing (a file, a run, a name, a flag), 3 incomplete (the same command resumes),
4 budget reached, 5 gate failed, 130 interrupted. A run that is there, but is damaged, in use, or fails a check is an error: 1.

"""


def _one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip().replace("|", "\\|")


def _commands(name: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for key, value in command.commands.items():
            yield from _commands(f"{name} {key}", value)
    elif isinstance(command, TyperCommand):
        yield name, command


def _argument(argument: TyperArgument) -> str:
    shown = str(argument.name).upper() + (" ..." if argument.nargs == -1 else "")
    return shown if argument.required else f"[{shown}]"


def _section(name: str, command: TyperCommand) -> list[str]:
    arguments = [p for p in command.params if isinstance(p, TyperArgument) and not p.hidden]
    options = [p for p in command.params if isinstance(p, TyperOption) and not p.hidden and p.name != "help"]
    shape = " ".join([name, *map(_argument, arguments)])
    lines = [f"## {name}", "", f"`{shape}`" + (" and options" if options else ""), ""]
    lines += [" ".join(part.split()) + "\n" for part in (command.help or "").split("\n\n") if part.strip()]
    rows = [(str(p.name).upper(), _one_line(p.help)) for p in arguments if p.help]
    rows += [(", ".join([*p.opts, *p.secondary_opts]), _one_line(p.help)) for p in options]
    if rows:
        lines += ["| argument or option | does |", "|---|---|", *(f"| `{flags}` | {text} |" for flags, text in rows), ""]
    return lines


def text() -> str:
    """The whole page."""
    sections = [_section(name, command) for name, command in _commands("promptlab", typer.main.get_command(app))]
    return INTRO + "\n".join(line for section in sections for line in section).rstrip("\n") + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
