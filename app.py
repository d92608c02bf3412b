"""The explorer of recorded runs: `streamlit run app.py -- --runs runs`, or `promptlab view`. Reads run folders, calls no model."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from promptlab.explorer import frame


def main(argv: Sequence[str]) -> None:
    """Show the run given by `--run`, or the runs below `--runs`."""
    parser = argparse.ArgumentParser(prog="app.py", allow_abbrev=False)
    parser.add_argument("--run", type=Path, default=None, help="one run folder")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder that holds run folders")
    parser.add_argument("--rate", type=json.loads, default=None, help="what to rate in place of the explorer, as JSON")
    given, _ = parser.parse_known_args(list(argv))
    if given.rate is not None:
        from promptlab.explorer import rating

        st.set_page_config(page_title="Rate answers · promptlab", page_icon=frame.ICON, layout="wide")
        rating.show(given.run, **given.rate)
    else:
        frame.show(run=given.run, runs=given.runs)


main(sys.argv[1:])
