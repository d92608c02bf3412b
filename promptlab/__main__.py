"""`python -m promptlab` is the `promptlab` command."""

from promptlab.cli import main

main()
