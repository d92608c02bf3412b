"""The command line: one file per group of commands. Nothing heavy is imported before a command needs it."""

from promptlab.cli.main import app, main

__all__ = ["app", "main"]
