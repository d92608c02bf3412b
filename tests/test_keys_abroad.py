"""An experiment file sends no value of the environment to an address of its own, unless the user said so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from promptlab.nouns import Model, UsageProblem
from promptlab.planning.resolve import resolve
from promptlab.running.gateway import Gateway
from promptlab.running.gateway.direct import DirectWire
from promptlab.running.gateway.providers import sent_abroad
from promptlab.running.keys import need_key_consent
from promptlab.running.preflight import preflight
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment

PRICED = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}"
ABROAD = "https://llm.example.org/v1"


def path_of(folder: Path, model: str) -> Path:
    return experiment(folder, tasks="sum", items=4, models=f"  - {{name: m, {PRICED}, {model}}}")


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("model", "name"),
    [
        (f"model: openai/x, api_base: '{ABROAD}', api_key_env: AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
        (f"model: openai/x, api_base: '{ABROAD}', api_key_env: OPENAI_API_KEY", "OPENAI_API_KEY"),
        (f"model: anthropic/x, api_base: '{ABROAD}', api_key_env: HOME", "HOME"),
        (f"model: openai/x, api_base: '{ABROAD}', headers: {{X-A: {{env: GITHUB_TOKEN}}}}", "GITHUB_TOKEN"),
        (f"model: vertex_ai/gemini-2.5-flash, api_base: '{ABROAD}'", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("model: openai/x, api_base: 'http://10.0.0.7/v1', api_key_env: A_KEY", "A_KEY"),
        ("model: openai/x, api_base: 'https://api.openai.com.example.org/v1', api_key_env: A_KEY", "A_KEY"),
        ("model: openai/x, api_base: 'https://localhost.example.org/v1', api_key_env: A_KEY", "A_KEY"),
    ],
)
def test_no_variable_goes_to_an_address_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, name: str) -> None:
    configuration = tmp_path / "config.yaml"
    monkeypatch.setenv("PROMPTLAB_CONFIG", str(configuration))
    monkeypatch.setenv(name, "a-value")
    study = resolve(path_of(tmp_path, model))
    with pytest.raises(UsageProblem, match=f"sends the value of {name} to .*--allow-key {name}"):
        run_sweep(study, tmp_path / "runs", None, Execution(), lambda _: None)
    assert not (tmp_path / "runs").exists()
    assert any(name in finding.found and "--allow-key" in finding.found for finding in preflight(study))
    need_key_consent(study, [name])
    host = sent_abroad(study.models[0])[0]
    configuration.write_text(f"keys: {{{name}: [elsewhere.org]}}\n")
    with pytest.raises(UsageProblem):
        need_key_consent(study, ["ANOTHER"])
    configuration.write_text(f"keys: {{{name}: ['{host}']}}\n")
    need_key_consent(study, ())
    configuration.write_text(f"trusted: ['{tmp_path}']\n")
    need_key_consent(study, ())


@pytest.mark.parametrize(
    "model",
    [
        "model: openai/x, api_base: 'http://127.0.0.1:9/v1', api_key_env: MY_KEY",
        "model: openai/x, api_base: 'http://localhost:9/v1', headers: {X-A: {env: MY_KEY}}",
        "model: openai/x, api_base: 'http://[::1]:9/v1', api_key_env: MY_KEY",
        "model: openai/x, api_base: 'https://eu.api.openai.com/v1', api_key_env: MY_KEY",
        "model: vertex_ai/x, api_base: 'https://us-central1-aiplatform.googleapis.com/v1'",
        f"model: openai/x, api_base: '{ABROAD}'",
        "model: openai/x, api_key_env: MY_KEY",
    ],
)
def test_this_machine_and_the_provider_are_free(tmp_path: Path, model: str) -> None:
    need_key_consent(resolve(path_of(tmp_path, model)), ())


def test_an_address_of_the_users_environment_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the environment here, and of no other: a bundle names its author's, and organisations go where keys go."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    abroad = Model("m", "openai/x", ABROAD, "MY_KEY")
    assert "MY_KEY" in sent_abroad(abroad)[1]
    monkeypatch.setenv("MY_KEY", "k")
    said = replace(abroad, base_env="OPENAI_BASE_URL")
    for here, is_free in ((None, False), ("https://other.example/v1", False), (f"{ABROAD}/", True)):
        monkeypatch.setenv("OPENAI_BASE_URL", here or "")
        assert sent_abroad(said)[1] == ([] if is_free else ["MY_KEY"])
        headers = DirectWire([said], ())._target(said).headers
        assert ("OpenAI-Organization" in headers) is is_free


@pytest.mark.parametrize("name", ["base_url", "fallbacks", "aws_bedrock_runtime_endpoint", "vertex_credentials", "langsmith_base_url"])
def test_params_are_no_arguments_of_litellm(name: str) -> None:
    model = Model("m", "anthropic/claude-sonnet-4-5", sampling={"params": {name: ABROAD}})
    with pytest.raises(UsageProblem, match=f"params of 'm' cannot hold {name}"):
        Gateway([model], {"m": None}).effective(model, model.sampling)
