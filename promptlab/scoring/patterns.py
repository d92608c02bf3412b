"""Patterns from files. Python's own engine can take for ever over a short one, so it runs in a process that can be killed.

An engine of linear time would read some patterns in another way, and know neither lookarounds nor backreferences.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from promptlab.nouns import ScoringFailed, UsageProblem

CPU_S = 0.5
"""CPU seconds that one search may take: not those of the clock, so that a busy machine changes no score."""
PATIENCE = 5
"""Searches that may take longer; after them a pattern is not tried again in this process."""
LONGEST = 2000
"""Characters of a pattern."""


class _Matcher:
    """One process for all patterns, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        self._late: Counter[str] = Counter()

    def search(self, pattern: str, text: str) -> str | None:
        """What the first group of the first match holds, or the match; None where there is none."""
        with self._lock:
            if self._late[pattern] >= PATIENCE:
                raise ScoringFailed(f"the pattern {pattern!r} took more than {CPU_S:g} s for {PATIENCE} answers and is not tried again")
            process = self._running()
            try:
                process.stdin.write(json.dumps([pattern, text]).encode() + b"\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                line = process.stdout.readline()  # type: ignore[union-attr]
            except OSError:
                line = b""
            if not line:
                self._end()
                self._late[pattern] += 1
                raise ScoringFailed(f"the pattern {pattern!r} takes more than {CPU_S:g} s for an answer of {len(text):,} characters")
        found, problem = json.loads(line)
        if problem is not None:
            raise UsageProblem(problem)
        return None if found is None else str(found)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():  # after a fork it belongs to the parent
            script = Path(__file__).with_name("matching.py")
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", "-W", "ignore", str(script), str(CPU_S)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, env={},
            )  # fmt: skip
            self._owner = os.getpid()
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


_matcher = _Matcher()


def searched(pattern: str, text: str) -> str:
    """What a pattern of a file finds in a text: its first group, else its match, else nothing.

    ScoringFailed where it takes too long, UsageProblem where it is not one.
    """
    return _searched(pattern, text) or ""


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern of a file is found in a text at all, be it an empty match; errors are those of `searched`."""
    return _searched(pattern, text) is not None


def _searched(pattern: str, text: str) -> str | None:
    if len(pattern) > LONGEST:
        raise UsageProblem(f"a pattern has at most {LONGEST:,} characters, and this one has {len(pattern):,}")
    return _matcher.search(pattern, text)
