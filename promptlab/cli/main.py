"""The `promptlab` command and how its errors end."""

from __future__ import annotations

import codecs
import gc
import io
import json
import os
import sys
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import typer
from typer import Option

from promptlab import __version__
from promptlab.cli import audit, bring, cache, calibrate, data, export, gate, home, init, look, paper, plan, rate, report, sweep, view
from promptlab.guard import refuse_poisoned
from promptlab.nouns import EXIT_ERROR, PromptlabError, RunProblem

GC_EVERY = 50_000
HELP = ("-h", "--help")
COMPLETING = "_PROMPTLAB_COMPLETE"
"""The variable by which a shell asks for completions."""
USE: Any = typer.BadParameter.__base__
"""What the parser of the command line raises where a command, a flag or a value is wrong."""

app = typer.Typer(
    name="promptlab",
    help="Which prompt should you ship? Plan, run and judge paired experiments: prompts, models, settings and added sentences.",
    epilog="Exit codes: 0 ok, 1 error, 2 a file, run or flag is wrong or missing, 3 incomplete (run it again), 4 budget reached, "
    "5 gate failed, 130 interrupted.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP)},
)
for before_judging in (init.init, plan.plan, audit.preregister, sweep.sweep, sweep.check, sweep.rescore, calibrate.calibrate):
    app.command()(before_judging)
JUDGING = (
    report.report, audit.audit, gate.gate, report.scores, report.compare, report.history, report.replicate, export.export,
    export.notebook, paper.paper, rate.rate, view.view,
)  # fmt: skip
for judging in JUDGING:
    app.command()(judging)
app.command("import")(bring.bring)
app.command()(look.schema)
for group in (look.ls, look.show, data.task, data.stimuli, data.data, cache.cache, look.runs):
    app.add_typer(group)


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context,
    version: bool = Option(False, "--version", help="Print the version and end."),
) -> None:
    if version:
        typer.echo(f"promptlab {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        home.home(Path(os.environ.get("PROMPTLAB_RUNS", "runs")))
        raise typer.Exit


def main() -> None:
    """Run the command; an error raised on purpose is its message on stderr and its own exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the sums are short; on a busy machine more threads spend minutes on waiting
    gc.set_threshold(GC_EVERY)  # items and trials are many and stay: to look through them at every 700th takes a fifth of the time
    codecs.register_error("as-json", _as_json)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="as-json")
    try:
        refuse_poisoned()
        code = _needed(sys.argv[1:])(prog_name="promptlab", standalone_mode=False)
    except (PromptlabError, PermissionError, USE) as found_wrong:
        error = _denied(found_wrong) if isinstance(found_wrong, PermissionError) else found_wrong
        from promptlab.cli.misuse import misuse
        from promptlab.cli.remedies import remedy
        from promptlab.nouns import inert, known_secrets, redact

        found: str | None
        if isinstance(error, PromptlabError):
            found = remedy(error, sys.argv[1:])
        else:
            error, found = misuse(error, sys.argv[1:], lambda: typer.main.get_command(app))
        said = f"promptlab: {error}\n" + (f"try: {found}\n" if found else "")
        if str(error):  # a group without a command has shown its help
            sys.stderr.write(inert(redact(said, known_secrets())))
        raise SystemExit(error.exit_code) from None
    except typer.Abort:
        sys.stderr.write("promptlab: stopped; nothing more was done\n")
        raise SystemExit(EXIT_ERROR) from None
    except BrokenPipeError:  # `promptlab ... | head`
        sys.stderr.close()
        raise SystemExit(EXIT_ERROR) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _needed(words: Sequence[str]) -> typer.Typer:
    """The app with the one command that a person types: reading the parameters of all costs as much as many a command itself."""
    first = words[0] if words and COMPLETING not in os.environ else ""
    commands = [one for one in app.registered_commands if first == (one.name or getattr(one.callback, "__name__", "").replace("_", "-"))]
    groups = [one for one in app.registered_groups if one.typer_instance is not None and first == one.typer_instance.info.name]
    if first in HELP:  # which shows of each command its name and first line
        commands, groups = [_named(one) for one in app.registered_commands], [_named_group(one) for one in app.registered_groups]
    if not commands and not groups:
        return app
    few = copy(app)
    few.registered_commands, few.registered_groups = commands, groups
    return few


def _named(info: Any) -> Any:  # noqa: ANN401 (typer's own type of a command)
    """A command without its parameters."""

    def shown() -> None:
        """Do nothing."""

    shown.__name__, shown.__doc__ = info.callback.__name__, info.callback.__doc__
    bare = copy(info)
    bare.callback = shown
    return bare


def _named_group(info: Any) -> Any:  # noqa: ANN401
    """A group without its commands."""
    bare = copy(info)
    bare.typer_instance = copy(info.typer_instance)
    bare.typer_instance.registered_commands = []
    return bare


def _denied(error: PermissionError) -> PromptlabError:
    """A file or folder of another user, wherever a command met it."""
    if error.filename is None:
        raise error
    return RunProblem(f"{error.filename}: {error.strerror}; its owner must allow it, or choose another file or folder")


def _as_json(error: UnicodeError) -> tuple[str, int]:
    """Characters that a console lacks, written as JSON writes them: nothing is lost, and JSON stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
