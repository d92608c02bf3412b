"""Where requests go is said, kept and part of every key; the environment changes nothing unseen. Each attack worked before."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import runs
import servers
from conftest import ROOT
from promptlab.nouns.call import Call, Model, in_body
from promptlab.nouns.environment import ADDRESSES, PUBLIC, address_variables, ignored, located
from promptlab.nouns.errors import FileProblems, UsageProblem
from promptlab.nouns.redact import known_secrets
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting.checked import failures
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from servers import Server

MINI = "  - {model: openai/gpt-4o-mini, name: mini}"
KEY = "sk-a-key-of-the-environment"


@pytest.fixture
def two_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Server]]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    both = servers.start(), servers.start()
    yield both
    for server in both:
        server.shutdown()
        server.server_close()


def test_an_address_of_the_environment_is_in_plan_key_record_and_report(
    tmp_path: Path, two_servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=5, models=MINI)
    public = resolve(path)
    found = []
    for server in two_servers:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        study = resolve(path)
        assert f"mini: OPENAI_BASE_URL={server.url} in the environment decides where its requests go" in "".join(study.notes)
        run = Run(run_sweep(study, tmp_path / "runs", tmp_path / "cache", Execution(4), lambda _: None).folder)
        assert server.requests, "no answer of another server stands in for one of this"
        assert server.keys == [f"Bearer {KEY}"] * len(server.keys), "the key is still that of the provider"
        assert run.plan.models[0].api_base == server.url
        assert run.manifest.models["mini"].words.endswith(f" at {server.url}")
        assert server.url in "".join(run.plan.notes)
        shown = runs.run("report", str(run.folder), "--format", "json", env={"PROMPTLAB_HOME": str(tmp_path / "home")})
        assert json.loads(shown.stdout)["manifest"]["models"]["mini"]["api_base"] == server.url
        assert KEY not in "".join(file.read_text(errors="replace") for file in run.folder.rglob("*") if file.is_file())
        found.append(run)
    first, second = found
    assert len({public.run_id, first.id, second.id}) == 3
    assert set(first.calls()["key"]).isdisjoint(second.calls()["key"])
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert failures(Run(first.folder)) == [], "a report knows the address where the variable is not set"


def test_the_public_address_said_aloud_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=5, models=MINI)
    before = resolve(path)
    monkeypatch.setenv("OPENAI_BASE_URL", PUBLIC["openai"] + "/")
    after = resolve(path)
    assert (after.run_id, after.notes, after.models) == (before.run_id, before.notes, before.models)


@pytest.mark.parametrize("address", ["https://user:hunter2@host/v1", "https://host/v1?api_key=hunter2", "ftp://host", "host:80"])
def test_an_address_with_a_secret_in_it_is_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", address)
    path = runs.experiment(tmp_path, tasks="sum", items=5, models="  - anthropic/claude-sonnet-4-5")
    with pytest.raises(FileProblems, match="the variable ANTHROPIC_BASE_URL") as told:
        resolve(path)
    assert "hunter2" not in str(told.value)
    with pytest.raises(UsageProblem):
        located(Model("m", "anthropic/claude-sonnet-4-5"))


def test_what_else_decides_who_answers_is_part_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runs.experiment(tmp_path, tasks="sum", items=5, models="  - azure/mine")
    ids = set()
    for version in ("2025-01-01", "2026-01-01"):
        monkeypatch.setenv("AZURE_API_VERSION", version)
        study = resolve(path)
        assert f"AZURE_API_VERSION={version}" in "".join(study.notes)
        ids.add(study.run_id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("model", "variable"),
    [("bedrock/a", "AWS_REGION_NAME"), ("bedrock/a", "AWS_DEFAULT_REGION"), ("vertex_ai/a", "VERTEXAI_PROJECT"), ("watsonx/a", "WX_REGION"),
     ("snowflake/a", "SNOWFLAKE_ACCOUNT_ID"), ("cloudflare/a", "CLOUDFLARE_ACCOUNT_ID"), ("azure/a", "AZURE_API_VERSION")],
)  # fmt: skip
def test_what_else_decides_who_answers_is_part_of_the_key_and_not_of_the_body(
    model: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = set()
    for value in (None, "one", "another"):
        monkeypatch.setenv(variable, value) if value else monkeypatch.delenv(variable, raising=False)
        asked = located(located(Model("m", model)))
        assert asked.sampling == ({"environment": {variable: value}} if value else {})
        assert in_body(asked.sampling) == {}
        keys.add(Call("m", (), asked.sampling, 0, asked.api_base).key_as(model))
    assert len(keys) == 3
    monkeypatch.setenv(variable, "https://user:hunter2@host")
    with pytest.raises(UsageProblem, match=variable):
        located(Model("m", model))


def test_the_variables_are_litellms() -> None:
    import importlib.util

    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    folder = Path(spec.origin or "").parent
    source = (folder / "litellm_core_utils" / "get_llm_provider_logic.py").read_text() + (folder / "main.py").read_text()
    read = set(re.findall(r'(?:get_secret(?:_str)?|getenv|environ\.get)\(\s*"([A-Z0-9_]+_(?:API_BASE|BASE_URL))"', source))
    providers = set(re.findall(r'custom_llm_provider == "([a-z_0-9-]+)"', source)) | set(ADDRESSES)
    known = {name for provider in providers for name in address_variables(provider)}
    no_chat = {"A2A_API_BASE", "LITELLM_PROXY_API_BASE"}
    assert len(read) > 30
    assert read - known - no_chat == set()
    named = json.loads((folder / "llms" / "openai_like" / "providers.json").read_text())
    assert {name for name, entry in named.items() if entry.get("api_base_env") not in (None, *address_variables(name))} == set()


SPY = """
import json, os, sys
from promptlab.running.gateway.by_litellm import LiteLLMWire
LiteLLMWire([], ())
import litellm
from litellm import constants
print(json.dumps({
    "key": os.environ.get("OPENAI_API_KEY"), "base": os.environ.get("OPENAI_BASE_URL"), "odd": os.environ.get("ODD"),
    "max": constants.DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS, "low": constants.DEFAULT_REASONING_EFFORT_LOW_THINKING_BUDGET,
    "modify": litellm.modify_params, "drop": litellm.drop_params, "proxy": os.environ.get("USE_LITELLM_PROXY"),
}))
"""
SWITCHES = {
    "DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS": "7",
    "DEFAULT_REASONING_EFFORT_LOW_THINKING_BUDGET": "8",
    "LITELLM_MODIFY_PARAMS": "1",
    "LITELLM_DROP_PARAMS": "1",
    "USE_LITELLM_PROXY": "true",
    "LITELLM_MODE": "DEV",
}


@pytest.mark.long
def test_litellm_reads_no_env_file_and_hears_no_switch(tmp_path: Path) -> None:
    text = "OPENAI_API_KEY=sk-planted-by-a-file\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\nODD=1\n"
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "LITELLM"))}
    env = {**clean, **SWITCHES, "PYTHONPATH": str(ROOT)}
    (tmp_path / "spy.py").write_text(SPY, encoding="utf-8")
    done = subprocess.run([sys.executable, "spy.py"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["key"], said["base"], said["odd"]) == (None, None, None)
    assert (said["max"], said["low"], said["modify"], said["drop"], said["proxy"]) == (4096, 1024, False, False, None)


def test_switches_that_are_not_heard_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS", "LITELLM_MODIFY_PARAMS"):
        monkeypatch.setenv(name, "7")
    study = resolve(runs.experiment(tmp_path, tasks="sum", items=5, models=MINI))
    assert "DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS, LITELLM_MODIFY_PARAMS: set in the environment, and ignored" in "".join(study.notes)
    assert not set(ignored()) & {"LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_MODE", "LITELLM_PROXY_API_KEY"}


def test_every_key_in_use_is_known_for_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_JWT", "a-jwt-that-is-a-key")
    monkeypatch.setenv("MY_OWN_VARIABLE", "another-that-is-one")
    assert {"a-jwt-that-is-a-key", "another-that-is-one"} <= set(known_secrets(("MY_OWN_VARIABLE",)))


def test_a_judge_is_located_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.scoring.judged import judge

    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    [asked] = judge(Model("j", "openai/gpt-4o")).models
    assert replace(asked, sampling={}) == Model("j", "openai/gpt-4o", "http://127.0.0.1:9/v1", base_env="OPENAI_API_BASE")
