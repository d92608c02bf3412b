"""The explorer's server as a child process: it ends when whoever started it does, however that ends.

The parent holds the other end of stdin. Streamlit is run as a module, so that nothing of it is imported here.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading


def main() -> None:
    """`python -m promptlab.cli.serve ARGUMENTS-OF-STREAMLIT`."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sys.argv = ["streamlit", *sys.argv[1:]]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def _end_with_the_parent() -> None:
    os.read(0, 1)  # nothing is ever written: this returns when the other end is gone
    os._exit(0)


if __name__ == "__main__":
    main()
