"""`promptlab view`, and the same explorer next to a sweep."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlencode

import typer
from typer import Argument, Option

from promptlab.cli import completing
from promptlab.cli.common import RunsAnywhere, run_folder, say
from promptlab.nouns import UsageProblem

LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 (named in order to warn of them)
ENDS_WITHIN_S = 5.0
READY_WITHIN_S = 60.0


def view(
    run: Annotated[
        Path | None, Argument(help="A run folder; default: all runs.", parser=run_folder, autocompletion=completing.runs)
    ] = None,
    runs: RunsAnywhere = "runs",
    port: Annotated[int, Option(min=1, max=65535, help="The port.")] = 8501,
    host: Annotated[str, Option(help="The address to listen on; another than this machine's own needs --allow-remote.")] = LOOPBACK,
    allow_remote: Annotated[
        bool, Option("--allow-remote", help="Let other machines reach it. There is no password: they can read every run.")
    ] = False,
    allow_host: Annotated[
        list[str] | None, Option("--allow-host", help="A further name to answer to: that of a proxy in front of it.")
    ] = None,
) -> None:
    """Open the explorer on this machine's own address. It reads run folders and calls no model."""
    from promptlab.record.store import Run

    if run is not None:
        Run(run)  # a wrong folder is told here, not on the page
    remote = not is_loopback(host)
    if remote and not allow_remote:
        raise UsageProblem(
            f"--host {host} can be reached from other machines, and the explorer has no password: whoever reaches the port can read all "
            f"runs; add --allow-remote if that is meant, or leave --host out and use an SSH tunnel (ssh -L {port}:{LOOPBACK}:{port} ...)"
        )
    _refuse_taken(host, port)
    where = ["--run", str(run.resolve())] if run is not None else ["--runs", str(_local(runs).resolve())]
    if remote:
        what = f"the run {run}" if run is not None else f"all runs in {runs}"
        say(f"WARNING: anyone who reaches port {port} of this machine can read {what}. There is no password.")
    say(f"explorer:      {address(host, port)}    (Ctrl-C ends it)")
    serve(host, port, where, allow_host or [])


def serve(host: str, port: int, where: list[str], also: Sequence[str] = ()) -> NoReturn:
    """Serve pages until Ctrl-C."""
    server = _started(host, port, where, also=also)
    try:
        code = server.wait()
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    finally:
        _end(server)
    raise typer.Exit(code)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(host: str, port: int) -> str:
    """What to type into a browser for a server that listens on `host`."""
    shown = socket.gethostname() if host in EVERY_ADDRESS else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _keep(url: str, server: subprocess.Popen[bytes]) -> None:
    """Serve on until Ctrl-C; only a terminal has someone who could press it."""
    if server.poll() is not None:
        say(f"note: the explorer ended unexpectedly with code {server.returncode}; open it again with: promptlab view")
    elif sys.stdout.isatty():
        say(f"explorer:      {url} continues serving; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()
    else:
        say("explorer:      ended with the sweep, since this is not a terminal; open it again with: promptlab view")


@contextlib.contextmanager
def beside(folder: Path) -> Iterator[Callable[[], None]]:
    """The explorer on a run that is being made, on a free port of this machine, until the block ends; what it gives keeps it serving.

    The browser opens it as soon as server and run are there, where there is a browser.
    """
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    url = f"{address(LOOPBACK, port)}/?{urlencode({'run': folder.name})}"
    server = _started(LOOPBACK, port, ["--runs", str(folder.parent.resolve())], quiet=True)
    try:
        say(f"explorer:      {url}")
        threading.Thread(target=_show, args=(url, port, folder, server), daemon=True).start()
        yield partial(_keep, url, server)
    finally:
        _end(server)


def _started(host: str, port: int, where: list[str], *, quiet: bool = False, also: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """The server's process; `quiet` keeps it from the terminal, its Ctrl-C included."""
    from promptlab.nouns import shipped
    from promptlab.reporting.palette import streamlit_options

    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.maxUploadSize": "1",
        "server.fileWatcherType": "none",  # nobody edits the pages while they are shown, and watching floods the terminal
        "browser.serverAddress": socket.gethostname() if host in EVERY_ADDRESS else host,  # so that no service is asked for ours
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "runner.magicEnabled": "false",
        "runner.postScriptGC": "false",  # a whole collection after every drawing keeps the browser waiting for the end of it
        "logger.hideWelcomeMessage": "true",
        **streamlit_options(),
    }
    known = dict.fromkeys(["localhost", LOOPBACK, *(_names_of_this_machine() if host in EVERY_ADDRESS else [host]), *also])
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    flags += [part for name in known for part in ("--server.allowedHosts", name)]  # no rebinding of another name
    command = [sys.executable, "-P", "-m", "promptlab.explorer.serve", "run", str(shipped("app.py")), *flags, "--", *where]
    output = subprocess.DEVNULL if quiet else None
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=quiet)  # noqa: S603


def _names_of_this_machine() -> list[str]:
    """Its name and addresses, as far as it knows them without asking anyone."""
    found = [socket.gethostname()]
    with contextlib.suppress(OSError):
        found += [str(where[0]) for *_, where in socket.getaddrinfo(found[0], None)]
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))  # chooses the address to send from, and sends nothing
            found.append(str(probe.getsockname()[0]))
    return found


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.stdin is not None:
        server.stdin.close()
    try:
        server.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _show(url: str, port: int, folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Open the browser when the server answers and the run has a manifest; without either, or without a browser, nothing happens."""
    until = time.monotonic() + READY_WITHIN_S
    while server.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if (folder / "manifest.json").exists() and probe.connect_ex((LOOPBACK, port)) == 0:
                break
        time.sleep(0.1)
    else:
        return
    if has_window():
        with contextlib.suppress(Exception):  # a browser that does not open is no reason to stop a sweep
            webbrowser.open(url)


def has_window() -> bool:
    """Whether a browser would open in a window of its own; one in the terminal would take it from the sweep."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _refuse_taken(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        if isinstance(error, socket.gaierror) or (host != LOOPBACK and error.errno == errno.EADDRNOTAVAIL):
            raise UsageProblem(f"--host {host} is no address of this machine; leave it out for {LOOPBACK}") from None
        if error.errno == errno.EACCES:
            raise UsageProblem(f"port {port} may not be used by you; choose one above 1023 with --port") from None
        raise UsageProblem(f"port {port} is in use; choose another with --port, for example --port {port + 1}") from None


def _local(runs: str) -> Path:
    """A folder of runs; one at an address is fetched whole."""
    from promptlab.record.mirror import Place, is_address

    return Place(runs).fetch_all() if is_address(runs) else Path(runs)
