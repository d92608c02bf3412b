"""Streamlit's driver of an app without a browser, which looks for components among the installed packages once.

As it comes it reads the metadata of every package before every drawing of a page, which takes three times as long as the drawing.
"""

from __future__ import annotations

import functools

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

__all__ = ["AppTest"]

manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)
