"""A model that cannot answer stops after a few attempts, in one sentence; what concerns one trial, or passes, stops nothing."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from promptlab.cli.main import app
from promptlab.nouns import Call, Model, ProviderStopped
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting.checked import failures
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice
from promptlab.running.gateway.providers import key_sent, key_variable
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, run_sweep
from runs import experiment, run
from scripted import Answer, Scripted, chat, error

QUICK = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02)
WIRES: tuple[WireChoice, ...] = ("direct", "litellm")
MOST = 10
STOPS: dict[str, tuple[Answer, str]] = {
    "no model": (error(404, "The model `m` does not exist or you do not have access to it.", "model_not_found"), "knows no model 'm'"),
    "no model, 400": (error(400, "m is not a valid model ID", 400), "knows no model 'm'"),
    "no path": ((404, b"<html>not here</html>", "text/html"), "correct 'model' or 'api_base'"),
    "no credit": (error(402, "This request requires more credits", 402), "is used up"),
    "quota": (error(429, "You exceeded your current quota", "insufficient_quota"), "is used up"),
    "low balance": (error(400, "Your credit balance is too low to access the Anthropic API."), "is used up"),
    "daily": (error(429, "You exceeded your current quota. Please retry in 30s.", 429, details="RequestsPerDayPerProject"), "is used up"),
    "key": (error(401, "Incorrect API key provided", "invalid_api_key"), "none is sent to an 'api_base' of your own"),
    "no access": (error(403, "You have no access"), "refused the call without a key"),
    "firewall": ((403, b"<html>blocked</html>", "text/html"), "proxy or firewall"),
    "parameter": (error(400, "Unsupported value: 'temperature' does not support 0 with this model."), "does not take a parameter"),
    "request": (error(400, "This request is odd."), "correct the experiment"),
}  # fmt: skip


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def all_asked(model: Model, choice: WireChoice, n: int = 100, policy: RetryPolicy = QUICK) -> tuple[list[Any], Gateway]:
    async def ask() -> tuple[list[Any], Gateway]:
        calls = [Call("m", ({"role": "user", "content": f"q {i}"},), {}, api_base=model.api_base) for i in range(n)]
        async with aclosing(Gateway([model], {"m": None}, policy=policy, wire=choice, concurrency=64)) as gateway:
            return await asyncio.gather(*map(gateway.complete, calls), return_exceptions=True), gateway

    return asyncio.run(ask())


@pytest.mark.parametrize("choice", WIRES)
@pytest.mark.parametrize("name", STOPS)
def test_a_model_that_cannot_answer_stops_at_once(name: str, choice: WireChoice) -> None:
    answer, sentence = STOPS[name]
    with Scripted(lambda _, __: answer) as server:
        found, gateway = all_asked(Model("m", "openai/m", server.url), choice)
        assert len(server.requests) <= MOST
        assert gateway.n_sent <= MOST
    stops = {str(one) for one in found if isinstance(one, ProviderStopped)}
    failed = [one for one in found if not isinstance(one, ProviderStopped)]
    assert len(stops) == 1
    said = stops.pop()
    assert sentence in said
    assert "litellm" not in said.lower()
    assert 6 <= len(failed) < MOST if name == "request" else not failed


@pytest.mark.parametrize("choice", WIRES)
@pytest.mark.parametrize("kind", ["port", "name"])
def test_nobody_at_the_address(kind: str, choice: WireChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    failed, after = [], Gateway._next

    def counted(self: Gateway, *arguments: Any) -> float | None:
        failed.append(arguments)
        return after(self, *arguments)

    monkeypatch.setattr(Gateway, "_next", counted)
    base = closed_port() if kind == "port" else "http://no-such-host.invalid/v1"
    found, gateway = all_asked(Model("m", "openai/m", base), choice)
    assert {type(one) for one in found} == {ProviderStopped}
    assert len({str(one) for one in found}) == 1
    assert f"nothing answers at {base} (" in str(found[0])
    assert "start the server or correct 'api_base', and run the same command again" in str(found[0])
    assert "ssl:" not in str(found[0])
    assert 0 < len(failed) <= MOST
    assert gateway.n_sent == 0, "a request that finds nobody is not sent"


class _Refusing(BaseHTTPRequestHandler):
    """A proxy that lets nothing through, and counts what it was asked."""

    protocol_version = "HTTP/1.1"
    status = 407
    asked: list[str]

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_CONNECT()

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.mark.parametrize("choice", WIRES)
@pytest.mark.parametrize(("scheme", "status"), [("https", 407), ("https", 403), ("http", 407), ("http", None)])
def test_a_proxy_that_lets_nothing_through_is_named(
    scheme: str, status: int | None, choice: WireChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the address nor the experiment is wrong then. Without a status nothing answers at the proxy."""
    asked: list[str] = []
    variable = f"{scheme.upper()}_PROXY"
    for name in (variable, variable.lower(), "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    handler = type("Proxy", (_Refusing,), {"asked": asked, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        proxy = closed_port().removesuffix("/v1") if status is None else f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv(variable, proxy)
        found, gateway = all_asked(Model("m", "openai/m", f"{scheme}://far.invalid/v1"), choice)
        server.shutdown()
    assert {type(one) for one in found} == {ProviderStopped}
    assert len(asked) <= MOST
    assert gateway.n_sent == 0
    [said] = {str(one) for one in found}
    assert f"the proxy {proxy} that {variable} names" in said
    assert f"correct {variable} or" in said
    assert f"{scheme}://far.invalid/v1" in said


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a server with a certificate that nobody signed."""
    folder = tmp_path_factory.mktemp("certificate")
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out own.pem -days 2 -subj /CN=localhost"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return f"https://127.0.0.1:{server.server_port}/v1"


@pytest.mark.parametrize("choice", WIRES)
def test_a_certificate_that_is_not_trusted(untrusted: str, choice: WireChoice) -> None:
    found, gateway = all_asked(Model("m", "openai/m", untrusted), choice)
    assert {type(one) for one in found} == {ProviderStopped}
    assert "SSL_CERT_FILE" in str(found[0])
    assert gateway.n_sent <= MOST


@pytest.mark.parametrize("choice", WIRES)
def test_what_concerns_one_trial_or_passes_stops_nothing(choice: WireChoice) -> None:
    def answer(body: dict[str, Any], number: int) -> Answer:
        n = int(body["messages"][0]["content"].split()[1])
        if n % 5 == 0:
            return error(403, "Your chosen model requires moderation and your input was flagged", 403, metadata={"flagged_input": "x"})
        if n % 5 == 1:
            return error(400, "This model's maximum context length is 8 tokens.", "context_length_exceeded")
        if number <= 6:
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.02s"}
            message = "You exceeded your current quota, please check your plan and billing details. Please retry in 0.02s."
            return error(429, message, 429, details=[{"quotaId": "GenerateRequestsPerMinutePerProject"}, retry])
        return 200, chat()

    with Scripted(answer) as server:
        found, _ = all_asked(Model("m", "openai/m", server.url), choice, 50)
    assert [one.outcome for one in found] == ["refused", "error", "ok", "ok", "ok"] * 10


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ModuleNotFoundError("No module named 'google.auth'", name="google.auth"), "'google-auth' for this model, and it is not installed"),
        (ImportError("cannot import name 'X' from 'mcp.types'", name="mcp.types"), "'mcp' for this model, and the installed version"),
    ],
)
def test_a_package_that_litellm_lacks_is_named_and_nothing_is_retried(
    problem: ImportError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import litellm

    async def lacks(**_: Any) -> None:
        raise litellm.APIConnectionError(str(problem), "vertex_ai", "m") from problem

    monkeypatch.setattr(litellm, "acompletion", lacks)
    found, gateway = all_asked(Model("m", "vertex_ai/gemini-2.0-flash"), "litellm")
    assert said in str(found[0])
    assert f"pip install 'promptlab-bench[{'vertex' if 'google' in said else 'responses'}]'" in str(found[0])
    assert gateway.n_sent == 0


@pytest.mark.parametrize(
    ("name", "variable", "choice"),
    [
        ("openai/m", "OPENAI_API_KEY", "direct"),
        ("openai/m", "OPENAI_API_KEY", "litellm"),
        ("groq/m", "GROQ_API_KEY", "litellm"),
        ("gemini/gemini-2.0-flash", "GEMINI_API_KEY", "litellm"),
        ("anthropic/claude-3-5-haiku-20241022", "ANTHROPIC_API_KEY", "litellm"),
    ],
)
def test_without_a_key_no_call_counts_as_sent(name: str, variable: str, choice: WireChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in {variable, "GOOGLE_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_AUTH_TOKEN"}:
        monkeypatch.delenv(known, raising=False)
    found, gateway = all_asked(Model("m", name), choice, n=3)
    assert {str(one) for one in found} == {
        f"m: the variable {variable} is not set; export it with the key of 'm', and run the same command again"
    }
    assert gateway.n_sent == 0


def test_a_key_that_a_server_refuses_was_sent() -> None:
    with Scripted(lambda _, __: error(401, "Missing API key")) as server:
        found, gateway = all_asked(Model("m", "openai/m", server.url), "litellm")
        assert gateway.n_sent == len(server.requests) > 0
    assert "refused the call without a key" in str(found[0])


def test_without_credentials_to_sign_with_nothing_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    missing = type("DefaultCredentialsError", (Exception,), {"__module__": "google.auth.exceptions"})

    async def lacks(**_: Any) -> None:
        try:
            raise missing("Your default credentials were not found. See elsewhere")
        except Exception as problem:
            raise litellm.InternalServerError(str(problem), "vertex_ai", "m") from problem

    monkeypatch.setattr(litellm, "acompletion", lacks)
    found, gateway = all_asked(Model("m", "vertex_ai/gemini-2.0-flash"), "litellm")
    assert "gcloud auth application-default login" in str(found[0])
    assert gateway.n_sent == 0


def test_an_outage_is_waited_for_and_then_ends_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    noticed, wait_s = asyncio.Event(), RetryPolicy.wait_s

    def waited(*given: Any) -> float:
        noticed.set()
        return wait_s(*given)

    monkeypatch.setattr(RetryPolicy, "wait_s", waited)
    server = Scripted(lambda _, __: (200, chat()))
    model = Model("m", "openai/m", server.url)
    address = server.server_address

    async def ask() -> list[Any]:
        async with aclosing(Gateway([model], {"m": None}, policy=RetryPolicy(first_wait_s=0.05, longest_wait_s=0.5))) as gateway:

            async def several(n: int) -> list[Any]:
                calls = [Call("m", ({"role": "user", "content": f"q {i}"},), {}) for i in range(n)]
                return await asyncio.gather(*map(gateway.complete, calls), return_exceptions=True)

            first = await several(20)
            server.shutdown()
            server.server_close()
            await gateway._direct.aclose()  # the connections that it kept
            soon = asyncio.create_task(several(20))
            await asyncio.wait_for(noticed.wait(), 30)
            again = ThreadingHTTPServer(address, server.RequestHandlerClass, bind_and_activate=False)
            again.allow_reuse_address = True
            again.__dict__.update({name: server.__dict__[name] for name in ("answer", "requests", "keys", "lock")})
            again.server_bind()
            again.server_activate()
            threading.Thread(target=again.serve_forever, args=(0.02,), daemon=True).start()
            second = await soon
            again.shutdown()
            again.server_close()
            await gateway._direct.aclose()
            return [first, second, await several(20), gateway.n_sent]

    first, second, third, n_sent = asyncio.run(ask())
    assert {one.outcome for one in (*first, *second)} == {"ok"}
    assert {type(one) for one in third} == {ProviderStopped}
    assert n_sent < 120


def sweeping(path: Path, runs: Path, concurrency: int = 64) -> tuple[Sweep, Run]:
    done = run_sweep(resolve(path), runs, None, Execution(concurrency), lambda _: None)
    return done, Run(done.folder)


def served_at(url: str, more: str = "") -> str:
    return f"  - {{model: openai/m, name: served, api_base: '{url}'{more}}}"


@pytest.mark.long(but=1)
@pytest.mark.parametrize("what", ["port", "no model", "no credit"])
def test_many_trials_end_after_ten_attempts_and_go_on_after_repair(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RetryPolicy, "wait_s", lambda *_: 0.02)
    is_well = threading.Event()
    server = Scripted(lambda _, __: (200, chat("4")) if is_well.is_set() else STOPS[what][0])
    with server:
        if what == "port":
            server.shutdown()
            server.server_close()
        path = experiment(tmp_path, tasks="sum", items=100, models=served_at(server.url), more="replicates: 3\n")
        done, found = sweeping(path, tmp_path / "runs")
        assert done.progress.n_planned == 1200
        assert (done.state, done.exit_code) == ("incomplete", 3)
        assert (what != "port") <= done.progress.n_sent <= MOST * (what != "port"), "where nobody listens, nothing is sent"
        assert done.progress.n_errors == 0
        assert list(done.progress.stopped) == ["served"]
        assert done.reason == done.progress.stopped["served"]
        is_well.set()
        if what == "port":
            return
        again, found = sweeping(path, tmp_path / "runs")
        assert (again.state, again.exit_code) == ("complete", 0)
        assert len(found.trials()) == again.progress.n_planned


def test_trials_whose_calls_were_never_sent_contradict_nothing(tmp_path: Path) -> None:
    path = experiment(tmp_path, tasks="sum", models=served_at(closed_port(), ", retries: 0"))
    done, found = sweeping(path, tmp_path / "runs")
    calls = found.calls()
    assert done.progress.n_sent == found.manifest.counts.sent == calls["attempts"].sum() == 0
    assert len(calls) > 0
    assert failures(found) == []


def test_the_command_says_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RetryPolicy, "wait_s", lambda *_: 0.02)
    monkeypatch.setenv("COLUMNS", "160")
    base = closed_port()
    path = experiment(tmp_path, tasks="sum", models=served_at(base))
    before = signal.getsignal(signal.SIGINT)
    try:
        done = CliRunner().invoke(app, ["sweep", str(path), "--runs", str(tmp_path / "runs"), "--concurrency", "64"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.exit_code == 3
    assert done.stdout.count(base) == 1
    assert f"stopped: served: nothing answers at {base} (" in done.stdout
    assert "last error" not in done.stdout


def test_one_stopping_model_stops_no_other(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], _: int) -> Answer:
        return (200, chat("4")) if body["model"] == "fine" else STOPS["no model"][0]

    with Scripted(answer) as server:
        models = served_at(server.url) + f"\n  - {{model: openai/fine, name: fine, api_base: '{server.url}'}}"
        done, found = sweeping(experiment(tmp_path, tasks="sum", models=models), tmp_path / "runs")
        assert list(done.progress.stopped) == ["served"]
        assert found.trials()["model"].value_counts().to_dict() == {"fine": done.progress.n_planned // 2}
        assert sum(body["model"] == "m" for body in server.requests) <= MOST


def test_retries_can_be_none_and_the_progress_names_the_most_frequent_error(tmp_path: Path) -> None:
    def answer(_: dict[str, Any], number: int) -> Answer:
        return (200, chat("4")) if number % 4 == 1 else error(504, "upstream 10.0.0.1 is late") if number % 4 else error(500, "broken")

    with Scripted(answer) as server:
        path = experiment(tmp_path, tasks="sum", models=served_at(server.url, ", retries: 0"))
        done, _ = sweeping(path, tmp_path / "runs", 1)
        assert len(server.requests) == done.progress.n_planned
    assert f"{done.progress.n_errors:,} errors, mostly timeout: HTTP 504: upstream" in done.progress.n_errors_in_words


def test_failures_in_one_arm_are_missing_and_give_no_verdict(tmp_path: Path) -> None:
    """40 % of one arm's answers end with "error": none of them is scored as an empty answer."""

    def right(prompt: str) -> str:
        first, second = (int(word) for word in prompt.rsplit("Input: ", maxsplit=1)[-1].split("\n", maxsplit=1)[0].split()[-2:])
        return str(first + second)

    def answer(body: dict[str, Any], _: int) -> Answer:
        prompt = body["messages"][-1]["content"]
        text = right(prompt)
        is_failed = "career" in prompt and int(text) % 5 < 2
        return 200, chat("", "error") if is_failed else chat(text)

    with Scripted(answer) as server:
        path = experiment(tmp_path, tasks="sum", models=served_at(server.url, ", retries: 0"))
        done, found = sweeping(path, tmp_path / "runs", 4)
    trials = found.trials()
    failed = trials[trials["outcome"] == "error"]
    assert 0 < len(failed) == done.progress.n_errors
    assert failed["arm"].nunique() == 1
    assert failed["score"].isna().all()
    assert trials.drop(failed.index)["score"].eq(1).all()
    shown = run("report", str(done.folder))
    assert not any(word in shown.stdout for word in (" helps ", " hurts "))


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        (Model("m", "openai/m"), "OPENAI_API_KEY"),
        (Model("m", "openai/m", "http://127.0.0.1:1/v1"), None),
        (Model("m", "openai/m", "http://127.0.0.1:1/v1", "MY_KEY"), "MY_KEY"),
        (Model("m", "openai/m", "https://api.openai.com/v1"), "OPENAI_API_KEY"),
        (Model("m", "openai/m", "https://eu.api.openai.com/v1"), "OPENAI_API_KEY"),
        (Model("m", "openai/m", "http://api.openai.com/v1"), None),
        (Model("m", "openai/m", "https://api.openai.com.example.org/v1"), None),
        (Model("m", "azure/m", "https://mine.openai.azure.com"), "AZURE_API_KEY"),
        (Model("m", "azure/m", "https://mine.example.org"), None),
        (Model("m", "gemini/m"), "GEMINI_API_KEY"),
        (Model("m", "anthropic/m", "https://api.anthropic.com"), "ANTHROPIC_API_KEY"),
        (Model("m", "sim/null"), None),
    ],
)
def test_whose_key_is_sent(model: Model, variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "MY_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert key_variable(model) == variable
    assert (f"{variable} is not set" if variable else "api_key_env") in key_sent(model)
    if variable:
        monkeypatch.setenv(variable, "a-key")
        assert key_sent(model) == f"the key in {variable}"
