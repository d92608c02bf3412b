"""Runs commands in forks of a process that has loaded what they import, since loading takes longer than most of them run.

    warm = Warm(env)
    done = warm.run(["--help"], env, cwd, seconds)
    process = warm.start(["sweep", ...], env, cwd)

A fork runs `promptlab` as `python -m promptlab` would, or, of `["-c", code, ...]`, that code as `python -c` would: its own
arguments, environment, folder, standard streams and end; only its objects are not taken apart one by one, since that would copy
all of the memory that it shares. Clients of providers are not loaded beforehand. The workers of a sweep are forks, too: a command
with `--workers N` forks them before it begins, while it has no threads, so that they are children of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

LOADED = (
    "promptlab.running.sweep",
    "promptlab.reporting",
    "promptlab.reporting.charts",
    "promptlab.reporting.html",
    "promptlab.reporting.prepared",
    "promptlab.cli.main",
    "promptlab.importers.importing",
    "promptlab.running.bundle",
    "promptlab.running.fleet.local",
    "promptlab.running.fleet.work",
    "promptlab.api",
    "ipykernel.kernelapp",
)
HEAD = 8
WORKER = ["-c", "import sys; sys.path.pop(0); from promptlab.running.fleet.local import main; main()"]
KERNEL = [
    "-c", "import pandas; pandas.set_option('display.max_columns', 20)\n"
    "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()",
]  # fmt: skip
"""A kernel of Jupyter; pandas chooses that number itself where it is loaded in one."""


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
        process = self.start(arguments, env, cwd)
        try:
            out, err = process.communicate(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.wait(), out, err)

    def start(
        self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, streams: Sequence[int] = (), passed: int | None = None
    ) -> Started:
        """One command under way, whose output is kept, or goes to two `streams`; `passed` is a descriptor whose number it is told last."""
        files = () if streams else tuple(tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115
        ours, theirs = socket.socketpair()
        with theirs:
            fds = [*(streams or (file.fileno() for file in files)), theirs.fileno(), *([] if passed is None else [passed])]
            asked = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}).encode()
            socket.send_fds(self._socket, [len(asked).to_bytes(HEAD, "big")], fds)
            self._socket.sendall(asked)
        return Started(list(arguments), ours, files)

    def close(self) -> None:
        """End it, and what it runs."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


class Started:
    """What tests use of a subprocess.Popen with pipes for its output, of a fork."""

    def __init__(self, args: list[str], told: socket.socket, files: Sequence[IO[bytes]]) -> None:
        self.args, self.returncode = args, None
        self._told, self._files = told, files
        self.stdin = self.stdout = self.stderr = None
        self.pid = int.from_bytes(_exactly(told, HEAD), "big")
        """Of the fork itself; the process that started it only waits for its end."""
        self.returncode: int | None

    def poll(self) -> int | None:
        if self.returncode is None:
            ready = select.poll()  # select.select takes no descriptor above 1023
            ready.register(self._told, select.POLLIN)
            if ready.poll(0):
                self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int.from_bytes(_exactly(self._told, HEAD), "big", signed=True)
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._told.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, ...]:
        self.wait(timeout)
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode().replace("\r\n", "\n"))
        return tuple(texts)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """In the place of the module subprocess in promptlab.running.fleet.local: hands a worker to a fork that waits for one."""

    DEVNULL = subprocess.DEVNULL

    def __init__(self, n: int) -> None:
        self._waiting: list[tuple[int, socket.socket]] = []
        for _ in range(n):
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                for _, other in [*self._waiting, (0, ours)]:
                    other.close()
                _become_worker(theirs)
            theirs.close()
            self._waiting.append((pid, ours))

    def Popen(self, command: list[str], pass_fds: tuple[int], stdin: int) -> Any:
        if not self._waiting:
            return subprocess.Popen(command, pass_fds=pass_fds, stdin=stdin)
        pid, ours = self._waiting.pop(0)
        with ours:
            socket.send_fds(ours, [json.dumps(dict(os.environ)).encode()], list(pass_fds))
            ours.shutdown(socket.SHUT_WR)
        return _Child(pid)


class _Child:
    def __init__(self, pid: int) -> None:
        self._pid, self._ended = pid, False

    def kill(self) -> None:
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> None:
        if not self._ended:
            os.waitpid(self._pid, 0)
            self._ended = True


def _become_worker(on: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    data, fds, *_ = socket.recv_fds(on, 1 << 20, 1)
    if not fds:
        os._exit(0)
    while part := on.recv(1 << 20):
        data += part
    os.environ.clear()
    os.environ.update(json.loads(data))
    sys.argv = ["-c", str(fds[0])]
    exec(WORKER[1], {"__name__": "__main__"})
    _end(0)


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
        head, (out, err, told, *passed), *_ = socket.recv_fds(on, HEAD, 4) if on.recv(1, socket.MSG_PEEK) else sys.exit(0)
        asked = json.loads(_exactly(on, int.from_bytes(head, "big")))
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            on.close()
            pid = os.fork()
            if pid == 0:
                break
            os.setpgid(pid, pid)
            os.write(told, pid.to_bytes(HEAD, "big"))
            _, status = os.waitpid(pid, 0)
            with contextlib.suppress(BrokenPipeError):
                os.write(told, os.waitstatus_to_exitcode(status).to_bytes(HEAD, "big", signed=True))
            os._exit(0)
        for fd in (out, err, told, *passed):
            os.close(fd)
    os.close(told)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    if os.isatty(1):  # the streams made at the start expect a file
        sys.stdout, sys.stderr = (open(fd, "w", encoding="utf-8", buffering=1, closefd=False) for fd in (1, 2))  # noqa: SIM115
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.path[0] = asked["cwd"]
    return [*asked["arguments"], *map(str, passed)]


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
    workers = [sys.argv[at + 1] for at, word in enumerate(sys.argv[:-1]) if word in ("-w", "--workers")]
    if workers:
        from promptlab.running.fleet import local

        vars(local)["subprocess"] = Forks(int(workers[0]))
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
