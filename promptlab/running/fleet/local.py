"""Workers as processes of this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptlab.nouns import PromptlabError
from promptlab.running.fleet.hub import LONGEST_LINE, Hub, Socket, line, serve


class Processes:
    """The worker processes of one sweep."""

    def __init__(self, hub: Hub, setup: Mapping[str, Any], workers: int) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        for number in range(workers):
            mine = {**setup, "number": number + 1}
            ours, theirs = socket.socketpair()
            command = [sys.executable, "-P", "-m", "promptlab.running.fleet.local", str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL)  # noqa: S603
            theirs.close()
            ours.sendall(line(mine))
            thread = threading.Thread(target=serve, args=(hub, number, ours), daemon=True)
            thread.start()
            self._started.append(process)
            self._threads.append(thread)

    def join(self) -> None:
        """Wait until all have ended."""
        for thread in self._threads:
            thread.join()

    def kill(self) -> None:
        """End them at once: what is in flight is lost."""
        for process in self._started:
            process.kill()
            process.wait()


async def _work(handle: int) -> None:
    from promptlab.planning.resolve import resolve
    from promptlab.record.store import recorded_in
    from promptlab.running.fleet.work import Worker
    from promptlab.running.ledger import Ledger
    from promptlab.running.progress import Execution
    from promptlab.scoring.code import Consent

    link = Socket(*await asyncio.open_connection(sock=socket.socket(fileno=handle), limit=LONGEST_LINE))
    setup = await link.heard()
    try:
        consent = Consent(given=setup["code"])  # to what the sweep has consent for, and to nothing that a file says
        study = resolve(Path(setup["experiment"]), setup["looks"], Path(setup["base"]), consent=consent)
        if setup["run"] not in (study.run_id, replace(study, format=1).run_id):
            await link.exchange({"failed": f"{setup['experiment']} changed while its sweep was starting; run the same command again"})
            return
        recorded = recorded_in(Path(setup["folder"])).trials
        cache = Path(setup["cache_folder"]) if setup["cache_folder"] else None
        simulated = all(model.simulated for model in study.models)
        ledger = None if simulated else Ledger(Path(setup["folder"]), int(setup["number"]))
        worker = Worker(study, link, Execution(**setup["execution"]), recorded, cache, ledger=ledger)
    except PromptlabError as error:
        await link.exchange({"failed": str(error)})
        return
    await worker.run()


def main() -> None:
    """Run one worker on the socket that is handed down by number. Ctrl-C is for the process that started it, which tells it to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        from promptlab.running.rows import tuned

        with tuned():
            asyncio.run(_work(int(sys.argv[1])))
    except ConnectionError:
        os._exit(1)  # nobody is left to say anything to


if __name__ == "__main__":
    main()
