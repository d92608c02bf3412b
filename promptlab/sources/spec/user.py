"""The user's own configuration: where code may come from that data files name, and where keys may go that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from promptlab.nouns import FileProblems
from promptlab.nouns.places import configuration
from promptlab.scoring.code import Consent
from promptlab.sources.spec.models import Part
from promptlab.sources.spec.strict_yaml import load


class Configuration(Part):
    """The keys of the file. Nothing else is read from it."""

    trusted: Annotated[list[str], Field(description="folders whose files may name code in them; absolute, or from ~")] = []
    keys: Annotated[dict[str, list[str]], Field(description="hosts to which files may send the value of a variable")] = {}
    packages: Annotated[list[str], Field(description="installed packages that files may name, by the name that is imported")] = []


def consent(allow_code: bool = False) -> Consent:
    """What the user consents to: everything, where a flag says so, else what the configuration trusts. FileProblems where that is wrong."""
    if not configuration().exists():
        return Consent(allow_code)
    found, document = load(configuration(), Configuration)
    folders = [Path(folder).expanduser() for folder in found.trusted]
    if relative := [n for n, folder in enumerate(folders) if not folder.is_absolute()]:
        raise FileProblems([document.problem(("trusted", n), "a trusted folder is an absolute path, or begins with ~") for n in relative])
    return Consent(allow_code, tuple(str(folder.resolve()) for folder in folders), tuple(found.packages))


def key_hosts() -> dict[str, list[str]]:
    """Where the user lets files send the values of variables: hosts by variable."""
    return load(configuration(), Configuration)[0].keys if configuration().exists() else {}
