"""The machine around a sweep: certificates, proxies, open files, consoles of any encoding, and Windows, which is left out."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from conftest import ROOT
from promptlab.nouns import Call, Completion, Model, ProviderStopped, UsageProblem
from promptlab.planning.resolve import resolve
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice, network
from promptlab.running.open_files import raised, with_room
from promptlab.running.preflight import preflight
from promptlab.running.progress import Execution
from runs import experiment, run, served
from scripted import Scripted, chat

WIRES: tuple[WireChoice, ...] = ("direct", "litellm")
QUICK = RetryPolicy(attempts=1, first_wait_s=0.01, longest_wait_s=0.02)
CA = """openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority
openssl req -newkey rsa:2048 -nodes -keyout key.pem -out own.csr -subj /CN=localhost
openssl x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out own.pem -days 2 -extfile names"""
VARIABLES = (
    "SSL_VERIFY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine that runs the tests, and none that a test leaves."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority of its own and the certificate that it gave this machine."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    folder = tmp_path_factory.mktemp("authority")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
    for line in CA.splitlines():
        subprocess.run(line.split(), cwd=folder, check=True, capture_output=True)
    (folder / "only").mkdir()
    shutil.copy(folder / "ca.pem", folder / "only")
    (folder / "only" / "read.me").write_text("no certificate")
    return folder


@pytest.fixture
def secured(authority: Path) -> Iterator[str]:
    """The address of a server that has that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "own.pem", authority / "key.pem")
    with Scripted(lambda *_: (200, chat())) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield f"https://127.0.0.1:{server.server_port}/v1"


def answer_of(url: str, wire: WireChoice) -> Completion:
    import litellm

    litellm.in_memory_llm_clients_cache.flush_cache()

    async def ask() -> Completion:
        model = Model("m", "openai/m", url, timeout_s=60)
        async with aclosing(Gateway([model], {"m": None}, policy=QUICK, wire=wire)) as gateway:
            return await gateway.complete(Call("m", ({"role": "user", "content": "q"},), {}, api_base=url))

    return asyncio.run(ask())


@pytest.mark.long(but=3)
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "ca.pem"), ("REQUESTS_CA_BUNDLE", "ca.pem"), ("REQUESTS_CA_BUNDLE", "only"), ("SSL_CERT_DIR", "only"),
        ("SSL_VERIFY", "ca.pem"),
    ],
)  # fmt: skip
def test_an_authority_of_ones_own(
    name: str, value: str, wire: WireChoice, authority: Path, secured: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProviderStopped, match="is not trusted"):
        answer_of(secured, wire)
    monkeypatch.setenv(name, str(authority / value))
    assert answer_of(secured, wire).text == "yes"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("no", ["false", "0"])
def test_nothing_is_checked_only_where_that_is_said(no: str, wire: WireChoice, secured: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_VERIFY", no)
    assert answer_of(secured, wire).text == "yes"
    gateway = Gateway([Model("m", "openai/m", secured)], {"m": None})
    assert list(gateway.notes.values()) == [network.UNCHECKED]


def test_check_warns_where_nothing_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_VERIFY", "false")
    study = resolve(experiment(tmp_path, models=served("https://127.0.0.1:9/v1")))
    assert any(network.UNCHECKED in str(finding) and not finding.is_error for finding in preflight(study))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SSL_CERT_FILE", "/no/such.pem", "SSL_CERT_FILE names '/no/such.pem', which is not there"),
        ("SSL_CERT_DIR", "/no/such", "SSL_CERT_DIR names '/no/such', which is no folder"),
        ("SSL_VERIFY", "perhaps", "SSL_VERIFY names 'perhaps', neither false nor a file"),
        ("SSL_CERT_FILE", __file__, "cannot be read"),
        ("ALL_PROXY", "socks5://me:secret-of-mine@127.0.0.1:1080", "ALL_PROXY names a SOCKS proxy"),
        ("https_proxy", "socks5h://127.0.0.1:1080", "HTTPS_PROXY names a SOCKS proxy"),
    ],
)
def test_what_cannot_serve_is_said_before_anything_is_sent(
    name: str, value: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    for model in ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"):
        if model.startswith("anthropic") and "PROXY" not in name.upper():
            continue
        found = [finding for finding in preflight(resolve(experiment(tmp_path, models=f"  - {model}"))) if finding.is_error]
        assert says in str(found[0])
        assert "secret-of-mine" not in str(found[0])
    with pytest.raises(UsageProblem, match=says.split("'", maxsplit=1)[0].strip()):
        answer_of("https://192.0.2.1/v1", "direct")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_this_machine_is_never_asked_through_a_proxy(proxy: str, wire: WireChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    with Scripted(lambda *_: (200, chat())) as server:
        assert answer_of(server.url, wire).text == "yes"
        assert answer_of(server.url.replace("127.0.0.1", "localhost"), wire).text == "yes"


def test_who_is_this_machine() -> None:
    hosts = ("localhost", "127.0.0.1", "127.3.2.1", "::1", "a.localhost", "192.0.2.1", "localhost.example", "")
    assert [network.is_loopback(host) for host in hosts] == [True] * 5 + [False] * 3


def test_no_proxy_is_added_to_and_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    network.spare_loopback()
    network.spare_loopback()
    assert os.environ["NO_PROXY"] == "example.org,localhost,127.0.0.1,::1"
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert network.proxy_of("https://api.example.net/v1") == "http://proxy.example:3128"
    assert network.proxy_of("https://www.example.org/v1") is None


def test_fewer_calls_are_under_way_where_few_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.running.open_files.raised", lambda: 64)
    monkeypatch.setattr("promptlab.running.open_files._n_open", lambda: 8)
    lowered, word = with_room(Execution(200))
    assert lowered.concurrency == 64 - 8 - 26
    assert word is not None
    assert "lets a process open 64 files, so at most 30 calls are in flight and not 200" in word
    assert "ulimit -n" in word
    assert with_room(Execution(16)) == (Execution(16), None)
    assert with_room(Execution(90, workers=3))[0].concurrency == 90


def test_the_soft_limit_is_raised() -> None:
    code = """import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
from promptlab.running.open_files import raised
assert raised() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 60"""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 60:
        pytest.skip("the hard limit is as low")
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert raised() > 0


def test_a_sweep_with_few_open_files(tmp_path: Path) -> None:
    with Scripted(lambda *_: (200, chat())) as server:
        path = experiment(tmp_path, models=served(server.url), items=20)
        code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); from promptlab.__main__ import main; main()"
        command = ("sweep", str(path), "--runs", str(tmp_path), "-c", "200", "--no-report")
        done = run("-c", code, *command, env={"PROMPTLAB_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "0 errors" in done.stdout
    assert "lets a process open 64 files" in done.stdout


CONSOLE = """
import sys
encoding, folder = sys.argv[1:3]
del sys.argv[1:3]
sys.stdout, sys.stderr = (
    open(f"{folder}/{name}", "w", encoding=encoding, errors=errors) for name, errors in (("out", "strict"), ("err", "backslashreplace"))
)
from promptlab.__main__ import main
main()
"""
"""Streams as Python makes them of this encoding."""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_console_is_too_poor(encoding: str, tmp_path: Path) -> None:
    def printed(*arguments: str) -> tuple[int, str, str]:
        done = run("-c", CONSOLE, encoding, str(tmp_path), *arguments)
        return done.returncode, (tmp_path / "out").read_text(encoding), (tmp_path / "err").read_text(encoding)

    path = experiment(tmp_path, name="small")
    path.write_text(path.read_text(encoding="utf-8").replace("A question for a test?", "Hilft “你好” → ≥ 3 Punkte 🙂?"), encoding="utf-8")
    code, out, err = printed("plan", str(path))
    assert (code, "Traceback" in err) == (0, False)
    assert "\\u4f60\\u597d" in out
    assert "+--" in printed("plan", str(path), "--details")[1], "tables without box characters"
    code, out, _ = printed("plan", str(path), "--json")
    assert (code, json.loads(out)["question"]) == (0, "Hilft “你好” → ≥ 3 Punkte 🙂?"), "JSON stays JSON"
    path.write_text(path.read_text(encoding="utf-8").replace("sim/null", "sim/nüll–"), encoding="utf-8")
    code, _, err = printed("check", str(path))
    assert (code, "Traceback" in err) == (2, False)


@pytest.mark.long
def test_a_locale_without_letters(tmp_path: Path) -> None:
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PROMPTLAB_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "promptlab", "sweep", str(experiment(tmp_path, items=20)), "--runs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, capture_output=True)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert (tmp_path / "small.yaml").is_file()
    assert "report:" in done.stdout.decode("ascii")


def test_windows_is_told_in_one_sentence() -> None:
    code = "import sys; sys.platform = 'win32'\ntry:\n    import promptlab\nexcept ImportError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("promptlab runs on Linux and macOS, not on Windows itself: use it inside WSL")
    assert "Linux or macOS" in (ROOT / "README.md").read_text(encoding="utf-8")[:2500]


@pytest.fixture(scope="module")
def of_the_module() -> str:
    return os.environ["PROMPTLAB_HOME"]


def test_no_fixture_and_no_test_uses_the_home_of_who_runs_them(of_the_module: str, home: Path) -> None:
    assert os.environ["PROMPTLAB_HOME"] == str(home) != of_the_module
    assert Path(of_the_module).parent == home.parent
