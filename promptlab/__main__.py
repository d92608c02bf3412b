"""`python -m promptlab` and the command `promptlab`: one entry, which an interrupt may reach before anything is loaded."""

import sys


def main() -> None:
    """Run the command; an interrupt while it loads is one sentence and exit code 130."""
    try:
        from promptlab.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("promptlab: interrupted; nothing was sent that is not recorded, and the same command continues\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
