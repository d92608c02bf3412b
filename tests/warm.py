"""Runs commands in forks of a process that has loaded what they import, since loading takes longer than most of them run.

    done = Warm(env).run(["--help"], env, cwd, seconds)

A fork runs `promptlab` as `python -m promptlab` would, or, of `["-c", code, ...]`, that code as `python -c` would: its own
arguments, environment, folder, standard streams and end; only its objects are not taken apart one by one, since that would copy
all of the memory that it shares. Clients of providers are not loaded beforehand.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = (
    "promptlab.running.sweep",
    "promptlab.reporting",
    "promptlab.reporting.charts",
    "promptlab.reporting.html",
    "promptlab.reporting.prepared",
    "promptlab.cli.main",
    "promptlab.running.fleet.local",
)
HEAD = 8


class Warm:
    """One such process; one command at a time."""

    def __init__(self, env: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)
        self._socket = ours

    def run(self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, timeout: float) -> subprocess.CompletedProcess[str]:
        """One command from its start to its end; TimeoutExpired, and the process is gone, where it takes longer."""
        asked = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}).encode()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._socket.settimeout(timeout)
            try:
                socket.send_fds(self._socket, [len(asked).to_bytes(HEAD, "big")], [out.fileno(), err.fileno()])
                self._socket.sendall(asked)
                code = int.from_bytes(_exactly(self._socket, HEAD), "big", signed=True)
            except TimeoutError:
                self.close()
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode().replace("\r\n", "\n"))
        return subprocess.CompletedProcess(list(arguments), code, *texts)

    def close(self) -> None:
        """End it, and what it runs."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _exactly(from_: socket.socket, n: int) -> bytes:
    found = b""
    while len(found) < n:
        part = from_.recv(n - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _asked(on: socket.socket) -> list[str]:
    """Serve until the other end is gone; returns in each fork, as the process that the command is to run in."""
    while True:
        head, (out, err), *_ = socket.recv_fds(on, HEAD, 2) if on.recv(1, socket.MSG_PEEK) else sys.exit(0)
        asked = json.loads(_exactly(on, int.from_bytes(head, "big")))
        child = os.fork()
        if child == 0:
            on.close()
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.close(out)
            os.close(err)
            os.chdir(asked["cwd"])
            os.environ.clear()
            os.environ.update(asked["env"])
            sys.path[0] = asked["cwd"]
            arguments: list[str] = asked["arguments"]
            return arguments
        os.close(out)
        os.close(err)
        _, status = os.waitpid(child, 0)
        on.sendall(os.waitstatus_to_exitcode(status).to_bytes(HEAD, "big", signed=True))


def main() -> None:
    """`python tests/warm.py FD`."""
    for name in LOADED:
        __import__(name)
    from promptlab.sources.spec.libraries import all_stimuli, sim_models
    from promptlab.sources.tasks import entries
    from promptlab.sources.tokens import n_tokens

    for load in (all_stimuli, sim_models, entries):
        load()
    n_tokens("")
    threads = {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")} - {"python", Path(sys.executable).name[:15]}
    assert threads <= {"jemalloc_bg_thd"}, f"{threads} would be missing in a fork"  # jemalloc starts its own again
    gc.collect()
    gc.freeze()
    sys.argv = ["promptlab", *_asked(socket.socket(fileno=int(sys.argv[1])))]
    try:
        if sys.argv[1:2] == ["-c"]:
            code = sys.argv[2]
            sys.argv = ["-c", *sys.argv[3:]]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
            _end(0)
        runpy.run_module("promptlab", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            _end(end.code or 0)
        raise


def _end(code: int) -> None:
    """End as the interpreter does (threads, what is registered, streams), and leave the memory to the system."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
