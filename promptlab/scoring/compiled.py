"""Patterns that are compiled when they are first used: all of the scorers' own take a quarter of a second, and a reply needs few."""

from __future__ import annotations

import re
from typing import Any, cast

USED = ("search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split", "flags", "groups", "groupindex")


class _Later:
    def __init__(self, source: str, flags: int) -> None:
        self.pattern, self._flags = source, flags

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever a pattern has)
        if name not in USED:
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self._flags)
        self.__dict__.update({each: getattr(compiled, each) for each in USED})
        return self.__dict__[name]


def regex(source: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`; a source that is no pattern fails at its first use, so a test uses each."""
    return cast("re.Pattern[str]", _Later(source, int(flags)))
