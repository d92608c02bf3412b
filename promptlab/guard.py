"""Refuses to start with a compromised package: two litellm releases stole keys from whoever installed them."""

from __future__ import annotations

import site
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from promptlab.nouns import PromptlabError

POISONED = ("1.82.7", "1.82.8")
HOOK = "litellm_init.pth"
"""What 1.82.8 leaves in site-packages: it runs at every start of Python, and stays when the package is upgraded."""
ADVICE = (
    "treat every key and password that this machine could read as stolen: revoke them, then make a new environment; "
    "see docs.litellm.ai/blog/security-update-march-2026 and OSV MAL-2026-2144"
)


class Poisoned(PromptlabError):
    """The environment holds malware."""


def refuse_poisoned(folders: list[Path] | None = None) -> None:
    """Raise `Poisoned` where the installed litellm, or a file that it left, is known malware. Imports nothing, sends nothing."""
    try:
        found = version("litellm")
    except PackageNotFoundError:
        found = ""
    if found in POISONED:
        raise Poisoned(f"litellm {found} is installed, a release that steals credentials; promptlab does not start. {ADVICE}")
    for folder in folders if folders is not None else _site_packages():
        if (folder / HOOK).exists():
            raise Poisoned(f"{folder / HOOK}: left by a litellm release that steals credentials; promptlab does not start. {ADVICE}")


def _site_packages() -> list[Path]:
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()]
    return [Path(path) for path in dict.fromkeys(paths) if path]
