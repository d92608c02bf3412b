"""When a model is given up: a few calls go first, and failures alike in a row stop it, in one sentence that says what to do."""

from __future__ import annotations

import asyncio
from collections import deque

from promptlab.nouns import Model
from promptlab.running.gateway.failures import STOPS_AFTER, Boundary, WireError
from promptlab.running.gateway.network import proxy_in_words
from promptlab.running.gateway.providers import address_of, asked_at, key_sent

PROBES = 4
"""Calls to a model in flight until one of them is answered, where its first trial does not go alone."""
PATIENCE_S = 30.0
"""After so long without a failure the others go as well: a model may think for minutes, and what stops it is known sooner."""
PROVING: frozenset[Boundary] = frozenset({"rate", "policy", "length", "size"})
"""Failures that only a server sends that knows the model and takes the key."""
AT_FIRST: frozenset[Boundary] = frozenset({"request", "parameter", "server", "connection", "protocol"})
"""Failures that stop a model only while it has answered nothing yet."""
UNDECIDED: frozenset[Boundary] = frozenset({"server", "connection", "timeout"})
"""Failures that may pass: a few calls find out sooner than one alone whether these do."""
RESUME = "run the same command again"


class Probation:
    """Of one model: lets few calls through until it has answered, and counts failures alike. It belongs to one event loop.

    `sharers` processes have a probation each, and together no more probes and failures than one.
    """

    def __init__(self, sharers: int = 1, probes: int = PROBES, *, is_proven: bool = False) -> None:
        self._sharers = sharers
        self._probes = max(1, probes // sharers)
        self.is_proven = is_proven
        """Whether all calls may be sent at once."""
        self.has_answered = False
        self._since = 0.0
        """Failures of calls that were sent before say nothing new."""
        self._first_at: float | None = None
        self._n_probing = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._kind = ""
        self.n_alike = 0
        """Failures alike in a row."""

    async def enter(self) -> bool:
        """Wait until a call may be sent; whether it is a probe, which must `leave`."""
        while not self.is_proven:
            now = asyncio.get_running_loop().time()
            self._first_at = now if self._first_at is None else self._first_at
            if now - self._first_at > PATIENCE_S:
                self._pass()
            elif self._n_probing < (1 if self.has_answered else self._probes):
                self._n_probing += 1
                return True
            else:
                turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(turn)
                alarm = asyncio.get_running_loop().call_at(self._first_at + PATIENCE_S + 0.1, self._wake)
                try:
                    await turn
                finally:
                    alarm.cancel()
        return False

    def leave(self) -> None:
        """A probe is over."""
        self._n_probing -= 1
        if self._waiting:
            self._wake()

    def answered(self) -> None:
        """A call was answered."""
        self.has_answered = True
        self.n_alike = 0
        if not self.is_proven:
            self._pass()

    def failed(self, error: WireError, sent_at: float) -> bool:
        """Whether a failure is the last of so many alike that no more should be sent."""
        limit = STOPS_AFTER.get(error.boundary)
        if error.boundary in UNDECIDED:
            self._probes = max(1, PROBES // self._sharers)
        if error.boundary in PROVING:
            self._pass()
        if limit is None or (error.boundary in AT_FIRST and self.has_answered):
            return False
        if error.boundary == "auth" and error.status is None:  # nothing was sent
            return True
        now = asyncio.get_running_loop().time()
        if self.is_proven and limit > 1:
            self.is_proven, self._since, self.n_alike = False, now, 0
        self._first_at = now
        if sent_at < self._since:
            return False
        self.n_alike = self.n_alike + 1 if error.kind == self._kind else 1
        self._kind = error.kind
        return self.n_alike * (1 if error.boundary in AT_FIRST else self._sharers) >= limit

    def _pass(self) -> None:
        self.is_proven = True
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)

    def stop(self) -> None:
        """Whoever waits comes through, and finds out."""
        self._pass()


def is_of_all(error: WireError) -> bool:
    """Whether an error holds for every model with the same address and key, and not for one alone."""
    return error.boundary in ("quota", "unreachable", "certificate", "proxy", "setup") or (error.boundary == "auth" and error.status != 403)


def _reach(model: Model, where: str) -> str:
    """What to do where no server answers: a provider's own needs a network, another one must run."""
    own = model.api_base is None and not any(name in where for name in ("localhost", "127.0.0.1", "[::1]"))
    return "check the network of this machine" if own else "start the server or correct 'api_base'"


def stop_reason(model: Model, error: WireError) -> str:
    """Why no later call to a model can succeed, and what to do."""
    where, said, proxy = address_of(model), error.message, proxy_in_words(asked_at(model))
    fix = f"correct {proxy[0]} or" if proxy else "check"
    through = f" through {proxy[1]}" if proxy else ""
    status = f"HTTP {error.status}: " if error.status else ""
    match error.boundary:
        case "quota":
            return f"the account or quota at {where} is used up ({status}{said}); top it up or wait for its reset, and {RESUME}"
        case "auth" if error.status is None:
            return f"{said}, and {RESUME}"
        case "auth":
            return f"{where} refused {key_sent(model)} ({status}{said}); set it right, and {RESUME}"
        case "model":
            return (
                f"{where} knows no model {model.litellm_name.partition('/')[2] or model.litellm_name!r} or no such path "
                f"({status}{said}); correct 'model' or 'api_base' in the experiment, or load the model there, and {RESUME}"
            )
        case "parameter":
            return f"{where} does not take a parameter ({status}{said}); change 'sampling' in the experiment, and {RESUME}"
        case "certificate":
            return (
                f"the certificate of {where} is not trusted ({said}); name the file of its authority in SSL_CERT_FILE, or correct "
                f"'api_base', and {RESUME}"
            )
        case "unreachable":
            to_do = f"{fix} 'api_base'" if proxy else _reach(model, where)
            return f"nothing answers at {where}{through} ({said}); {to_do}, and {RESUME}"
        case "proxy":
            name, which = proxy or ("HTTPS_PROXY", "a proxy")
            return f"{which} lets no call through to {where} ({status}{said}); correct {name} or add the host to NO_PROXY, and {RESUME}"
        case "forbidden":
            return f"{where} answers every call with a page ({status}{said}); look for a proxy or firewall in between, and {RESUME}"
        case "protocol":
            return f"the answers of {where} break the rules of HTTP ({said}); correct 'api_base' or look for a proxy, and {RESUME}"
        case "setup":
            return f"{said}; install it, and {RESUME}"
        case "request":
            return f"{where} refused the first {STOPS_AFTER['request']} calls alike ({status}{said}); correct the experiment, and {RESUME}"
        case _:
            n = STOPS_AFTER["server"]
            return f"{where} failed {n} times without one answer{through} ({status}{said}); {fix} 'api_base', and {RESUME} later"
