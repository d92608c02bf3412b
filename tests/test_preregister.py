"""Registrations: the document, its hash in the report, and stamps, by services on loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from promptlab.nouns import UsageProblem
from promptlab.planning.resolve import resolve
from promptlab.record import registry
from promptlab.record.store import Run
from promptlab.reporting.build import build, headline
from promptlab.running import registration
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment

TSA = """
[tsa]
default_tsa = t
[t]
serial = {folder}/serial
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
"""


@contextmanager
def answering(answer: Callable[[str, bytes], bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_report_repeats_the_hash_and_both_times(tmp_path: Path) -> None:
    study = resolve(experiment(tmp_path, items=6))
    done = registration.register(study, tmp_path / "public", {})
    assert hashlib.sha256(done.document.read_bytes()).hexdigest() == done.sha256
    page = done.page.read_text()
    assert done.sha256 in page
    assert all(
        text in page
        for text in ("stimulus/sim/null/emotionprompt/none", study.text.splitlines()[1], "## Power", "\n| no added text | 10 % |")
    )
    run = Run(run_sweep(study, tmp_path / "runs", None, Execution(), lambda _: None).folder)
    assert json.loads(done.document.read_bytes())["plan_sha256"] == run.manifest.hashes["plan"]
    said = next(sentence for sentence in headline(build(run)) if sentence.startswith("Registered"))
    assert all(part in said for part in (done.sha256, run.manifest.created_at, json.loads(done.document.read_bytes())["registered_at"]))
    with pytest.raises(UsageProblem, match="registered already"):
        registration.register(study, tmp_path / "public", {})


def test_a_plan_registered_after_its_first_answer_is_said_to_be(tmp_path: Path) -> None:
    study = resolve(experiment(tmp_path, items=6))
    run_sweep(study, tmp_path / "runs", None, Execution(), lambda _: None)
    registration.register(study, tmp_path, {})
    run = Run(run_sweep(study, tmp_path / "runs", None, Execution(), lambda _: None).folder)
    assert any("NOT BEFORE" in sentence for sentence in headline(build(run)))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the authority of this test")
def test_an_authority_stamps_the_hash_as_openssl_verifies(tmp_path: Path) -> None:
    def openssl(*arguments: object) -> bytes:
        return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True, cwd=tmp_path).stdout

    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(TSA.format(folder=tmp_path))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=test", "-days", 2,
            "-addext", "extendedKeyUsage=critical,timeStamping")  # fmt: skip

    def stamp(_: str, query: bytes) -> bytes:
        (tmp_path / "query.tsq").write_bytes(query)
        signed = ["-inkey", "key.pem", "-signer", "cert.pem", "-out", "reply.tsr"]
        openssl("ts", "-reply", "-config", "tsa.cnf", "-section", "t", "-queryfile", "query.tsq", *signed)
        return (tmp_path / "reply.tsr").read_bytes()

    study = resolve(experiment(tmp_path, items=6))
    with answering(stamp) as url:
        done = registration.register(study, tmp_path / "public", {"rfc3161": url})
    assert done.stamps[0].startswith("RFC 3161 by 127.0.0.1 at 20")
    openssl("ts", "-verify", "-in", done.document.with_suffix(".tsr"), "-data", done.document, "-CAfile", "cert.pem")  # raises if not


def test_a_calendar_and_a_repository_keep_it_and_nonsense_is_refused(tmp_path: Path) -> None:
    study = resolve(experiment(tmp_path, items=6))
    asked: list[tuple[str, bytes]] = []
    with answering(lambda path, body: asked.append((path, body)) or b"\x00proof") as url:  # type: ignore[func-returns-value]
        done = registration.register(study, tmp_path / "a", {"opentimestamps": url})
        with pytest.raises(UsageProblem, match="no time stamp of this hash"):
            registration.register(study, tmp_path / "b", {"rfc3161": url})
    assert asked[0] == ("/digest", bytes.fromhex(done.sha256))
    assert done.document.with_suffix(".ots").read_bytes() == registration.OTS + bytes.fromhex(done.sha256) + b"\x00proof"
    with pytest.raises(UsageProblem, match="begins with https"):
        registration.register(study, tmp_path / "c", {"rfc3161": "file:///etc/passwd"})
    repository = tmp_path / "repository"
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    subprocess.run(["git", "-C", str(repository), *who, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    for name in ("user.name", "user.email"):
        subprocess.run(["git", "-C", str(repository), "config", name, "t"], check=True)
    tagged = registration.register(study, repository, {"git": ""})
    found = subprocess.run(["git", "-C", str(repository), "tag", "-n"], capture_output=True, text=True, check=True).stdout
    assert tagged.sha256 in found


def test_a_stamping_service_redirects_nobody() -> None:
    """The hash goes to the address that was given alone."""
    reached: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reached.append(self.path)
            self.send_response(302 if self.path == "/tsa" else 200)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        with pytest.raises(UsageProblem, match="no stamp"):
            registration._post(f"http://127.0.0.1:{server.server_port}/tsa", b"x", "text/plain")
    finally:
        server.shutdown()
        server.server_close()
    assert reached == ["/tsa"]


REPLIES = {
    "no HTTP": b"garbage\r\n\r\n",
    "no length of a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "a line without end": b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    "a cut proof": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    "a proof without end": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"a" * (registration.LIMIT + 1),
}


@pytest.mark.parametrize("how", REPLIES)
def test_what_is_no_answer_of_a_stamping_service_is_one_sentence(how: str) -> None:
    class Odd(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(REPLIES[how])

    with socketserver.TCPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(UsageProblem, match=r"no stamp .*so nothing is registered"):
            registration._post(f"http://127.0.0.1:{server.server_address[1]}", b"x", "text/plain")


@pytest.mark.parametrize("url", ["http://a b/", "http://[::1", "http://127.0.0.1:x/", "http://a\0b/", "https://" + "a" * 70 + ".test"])
def test_an_address_that_is_none_is_one_sentence(url: str) -> None:
    with pytest.raises(UsageProblem, match="no stamp"):
        registration._post(url, b"x", "text/plain")


def test_the_first_registration_of_a_plan_stays_and_goes_before_that_of_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"holds": "promptlab answers", "registered": {"plan": "p", "at": "2020-01-01", "sha256": "a"}}
    (tmp_path / "manifest.json").write_text(json.dumps(theirs))
    monkeypatch.setenv("PROMPTLAB_REGISTRY", str(tmp_path / "registry.jsonl"))
    assert registry.registration_of("p", tmp_path)["at"] == "2020-01-01"
    for at in ("2026-01-01", "2025-01-01"):
        registry.append("registered", {"plan": "p", "at": at, "sha256": "a"})
    assert registry.registration_of("p", tmp_path)["at"] == "2026-01-01"
    assert not registry.registration_of("another", tmp_path)
