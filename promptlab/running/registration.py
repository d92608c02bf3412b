"""A plan registered before its data: one self-contained document, its hash, and stamps of that hash by others."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import promptlab
from promptlab.design.cross import trials
from promptlab.nouns import UsageProblem, canonical_json, digest, inert, planned_control
from promptlab.planning.plan import make_plan
from promptlab.planning.study import Study
from promptlab.record import registry
from promptlab.record.store import now, write_whole
from promptlab.running.first import FirstCalls

Stamp = Literal["rfc3161", "opentimestamps", "git"]
TIMEOUT_S = 30
LIMIT = 2**20
QUERY = bytes.fromhex("30390201013031300d060960864801650304020105000420")
"""A TimeStampReq of RFC 3161 up to its SHA-256: version 1, messageImprint."""
CERTIFICATE = bytes.fromhex("0101ff")
"""After it: the authority sends its certificate."""
OTS = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"
"""How a detached proof of OpenTimestamps begins: magic bytes, version 1, SHA-256."""
GRANTED = re.compile(rb"\x30.{1,4}\x30.{1,3}\x02\x01[\x00\x01]", re.DOTALL)
TIME = re.compile(rb"\x18[\x0f-\x19](\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z")


class Registered(NamedTuple):
    """A written registration."""

    document: Path
    page: Path
    sha256: str
    stamps: tuple[str, ...]


def register(study: Study, folder: Path, stamps: Mapping[Stamp, str]) -> Registered:
    """Write the document and its page, have its hash stamped, and note it in the registry. `stamps` holds addresses, or '' for git."""
    content = document(study)
    data = canonical_json(content).encode() + b"\n"
    sha = hashlib.sha256(data).hexdigest()
    path = folder / f"{study.run_id}.prereg.json"
    if path.exists():
        raise UsageProblem(f"{path}: this plan is registered already; give another folder with --to")
    folder.mkdir(parents=True, exist_ok=True)
    said = [STAMPS[kind](path, sha, where) for kind, where in stamps.items()]
    write_whole(path, data)
    page = path.with_suffix(".md")
    write_whole(page, page_of(content, sha, said).encode("utf-8", "replace"))
    row = {"plan": content["plan_sha256"], "run": study.run_id, "at": content["registered_at"], "sha256": sha, "file": path.name}
    registry.append("registered", {**row, "stamps": said})
    return Registered(path, page, sha, tuple(said))


def document(study: Study) -> dict[str, Any]:
    """All that is fixed: experiment, plan with families, margins and power, exact prompts, and a hash over every first request."""
    plan = json.loads(json.dumps(make_plan(study).plain()))
    first = FirstCalls(study.design, study.experiment.sampling.asked())
    every = hashlib.sha256()
    shown: dict[str, Any] = {}
    for trial in trials(study.design):
        call = first.call(trial)
        every.update(call.key.encode())
        where = f"{trial.task} | {trial.arm.setting.id} | {trial.arm.setting.prompt} | {trial.arm.name}"
        shown.setdefault(where, [dict(message) for message in call.messages])
    return {
        "holds": "promptlab registration",
        "format": 1,
        "promptlab": promptlab.__version__,
        "registered_at": now(),
        "run": study.run_id,
        "hashes": study.hashes,
        "plan_sha256": digest(plan),
        "requests_sha256": every.hexdigest(),
        "experiment": study.text,
        "plan": plan,
        "prompts_of_the_first_item": shown,
    }


def page_of(content: Mapping[str, Any], sha: str, stamps: list[str]) -> str:
    """The registration as Markdown."""
    return "\n".join(_lines(content, sha, stamps)) + "\n"


def _lines(content: Mapping[str, Any], sha: str, stamps: list[str]) -> Iterator[str]:
    plan = content["plan"]
    yield f"# Registration of {inert(plan['name'])}"
    yield from ("", f"**{inert(plan['question'])}**", "")
    yield f"- SHA-256 of {content['run']}.prereg.json: `{sha}`"
    yield from (f"- stamp: {inert(said)}" for said in stamps)
    yield f"- registered at: {content['registered_at']} (this machine's clock), promptlab {content['promptlab']}"
    yield f"- run: {content['run']}; SHA-256 of its plan: `{content['plan_sha256']}`; of all first requests: `{content['requests_sha256']}`"
    yield from ("", "## Design", "")
    counts = ", ".join(f"{name} {n:,}" for name, n in plan["counts"].items() if n)
    yield from (f"- {counts}", f"- models: {', '.join(inert(m['litellm_name']) for m in plan['models'])}", f"- seed: {plan['seed']}")
    yield f"- margins: {100 * plan['margins']['cell']:g} points in a task, {100 * plan['margins']['mean']:g} over the tasks"
    yield f"- levels: {plan['alpha']:g} over the tasks, {plan['fdr']:g} false discovery rate in single tasks"
    yield from ("", "## Families", "", "| family | hypotheses |", "|---|---|")
    yield from (f"| {inert(name)} | {n:,} |" for name, n in Counter(h["family"] for h in plan["hypotheses"]).items())
    yield from ("", "## Power", "", "Smallest differences in points, seen with 80 % power.", "")
    yield from ("| against | answers that change | one task | over the tasks |", "|---|---|---|---|")
    for row in plan["power"]:
        seen = [f"{100 * row[name]:.1f}" if row[name] is not None else "none" for name in ("cell_alone", "mean")]
        yield f"| {planned_control(row['control'])} | {100 * row['discordance']:g} % | {' | '.join(seen)} |"
    yield from ("", "## Prompts", "", "Each arm on the first item of each task; the hash of all first requests is above.", "")
    for where, messages in content["prompts_of_the_first_item"].items():
        yield f"### {inert(where)}"
        for message in messages:
            yield from ("", *(f"    {inert(line)}" for line in f"{message.get('role')}: {message.get('content')}".split("\n")), "")
    yield from ("## Experiment", "")
    yield from (f"    {inert(line)}" for line in content["experiment"].split("\n"))


def _rfc3161(path: Path, sha: str, url: str) -> str:
    reply = _post(url, QUERY + bytes.fromhex(sha) + CERTIFICATE, "application/timestamp-query")
    at = reply.find(bytes.fromhex(sha))
    found = TIME.search(reply, at) if at >= 0 else None
    if not GRANTED.match(reply) or found is None:
        raise UsageProblem(f"{url}: the reply is no time stamp of this hash; try again, or another authority")
    write_whole(path.with_suffix(".tsr"), reply)
    year, month, day, hour, minute, second = (part.decode() for part in found.groups())
    return f"RFC 3161 by {urlsplit(url).hostname} at {year}-{month}-{day}T{hour}:{minute}:{second}+00:00 ({path.stem}.tsr)"


def _opentimestamps(path: Path, sha: str, url: str) -> str:
    proof = _post(f"{url.rstrip('/')}/digest", bytes.fromhex(sha), "application/octet-stream")
    if not proof:
        raise UsageProblem(f"{url}: the calendar sent no proof; try again, or another calendar")
    write_whole(path.with_suffix(".ots"), OTS + bytes.fromhex(sha) + proof)
    return f"OpenTimestamps by {urlsplit(url).hostname}, pending ({path.stem}.ots)"


def _git(path: Path, sha: str, where: str) -> str:
    del where
    name = f"prereg/{path.stem.removesuffix('.prereg')}"
    command = ["git", "-C", str(path.parent.resolve()), "tag", "-a", name, "-m", f"promptlab registration, SHA-256 {sha}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageProblem(f"git cannot be run: {error}") from None
    if done.returncode:
        raise UsageProblem(f"git tag {name}: {done.stderr.strip()[:300]}; write the registration into a repository with --to")
    return f"git tag {name}"


STAMPS: Mapping[Stamp, Callable[[Path, str, str], str]] = {"rfc3161": _rfc3161, "opentimestamps": _opentimestamps, "git": _git}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A stamp comes from the address that was given, or from none."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _post(url: str, data: bytes, kind: str) -> bytes:
    if not url.lower().startswith(("http://", "https://")):
        raise UsageProblem(f"{url}: an address of a stamping service begins with https://")
    try:
        request = urllib.request.Request(url, data, {"Content-Type": kind, "User-Agent": "promptlab"})  # noqa: S310 (checked above)
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S) as response:
            found = bytes(response.read(LIMIT))
            if response.length:  # what is left of the length that it promised
                raise ValueError(f"the answer ends early, or has more than {LIMIT:,} bytes")
            return found
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UsageProblem(f"{url}: no stamp ({str(getattr(error, 'reason', error)).strip()[:300]}), so nothing is registered") from None
