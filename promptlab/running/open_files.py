"""How many files and connections this process may have open: raised where it may be, and heeded where not."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import replace

from promptlab.running.progress import Execution

KEPT_FREE = 26
"""Files that a sweep opens besides its connections: journal, lock, cache, modules, the report at its end."""
ENOUGH = 10_240
"""What macOS grants where it names no limit."""


def with_room(execution: Execution) -> tuple[Execution, str | None]:
    """The execution with as many calls in flight as there is room for, and a word where that is fewer."""
    limit = raised()
    each = -(-execution.concurrency // execution.workers)
    room = max(1, limit - _n_open() - KEPT_FREE)
    if room >= each:
        return execution, None
    lowered = replace(execution, concurrency=room * execution.workers)
    return lowered, (
        f"this machine lets a process open {limit:,} files, so at most {lowered.concurrency:,} calls are in flight and not "
        f"{execution.concurrency:,}; `ulimit -n 4096` before the command raises that, where the machine allows it"
    )


def raised() -> int:
    """The limit of open files, after the soft one was raised to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, ENOUGH):
        if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                soft = wanted
    return ENOUGH if soft == resource.RLIM_INFINITY else soft


def _n_open() -> int:
    with contextlib.suppress(OSError):
        return len(os.listdir("/dev/fd"))
    return 16
