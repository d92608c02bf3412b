"""Before a sweep: what `check` knows of models without asking one, what `ls models` finds, and a first trial that goes alone."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from promptlab.nouns import Call, Model, ProviderStopped
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running import preflight as looking
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice
from promptlab.running.gateway.providers import install
from promptlab.running.preflight import Finding, preflight, thinks
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, run_sweep
from runs import experiment, run
from scripted import Answer, Scripted, chat, error

QUICK = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02)
HERE = "api_base: 'http://127.0.0.1:9/v1'"
PLAIN = "sampling: {temperature: 0, max_tokens: 64}\n"


def found(folder: Path, model: str, sampling: str = "sampling: {}\n") -> list[Finding]:
    path = experiment(folder, models=f"  - {model}")
    path.write_text(path.read_text(encoding="utf-8").replace(PLAIN, sampling), encoding="utf-8")
    return preflight(resolve(path))


def said(findings: list[Finding], part: str) -> Finding:
    [one] = [finding for finding in findings if part in str(finding)]
    return one


CASES: dict[str, tuple[str, str, bool, str, str]] = {
    "provider": ("opnai/gpt-4o", "", True, "the provider 'opnai' is not known to LiteLLM", "did you mean 'openai/gpt-4o'"),
    "name": ("openai/gpt-4o-minni", "", False, "has no model 'gpt-4o-minni' of openai", "did you mean 'openai/gpt-4o-mini'"),
    "key": ("groq/x", "", False, "the variable GROQ_API_KEY, which holds its key, is not set", "export GROQ_API_KEY"),
    "own key": ("{model: openai/x, name: m, api_key_env: MY_KEY_OF_TESTS}", "", False, "MY_KEY_OF_TESTS", "export MY_KEY_OF_TESTS"),
    "price": ("openai/gpt-99", "", False, "its price is not known", "--max-tokens"),
    "price of a server": (f"{{model: openai/x, name: m, {HERE}}}", "", False, "no cap in USD can hold", "'price: {input_usd_per_mtok"),
    "kind": ("openai/text-embedding-3-small", "", True, "of the kind 'embedding' and writes no answers", "chat model"),
    "temperature": (
        "openai/gpt-5-mini", "temperature: 0.7", True, "it does not take temperature 0.7",
        "{model: openai/gpt-5-mini, sampling: {temperature: 1}}",
    ),
    "claude": ("anthropic/claude-opus-4-8", "temperature: 0.7", True, "does not take temperature 0.7", "leave temperature out"),
    "two": ("openai/o3", "temperature: 0.7, frequency_penalty: 1", True, "temperature 0.7 and frequency_penalty 1", "out of 'sampling'"),
    "in silence": ("moonshot/kimi-k2.5", "temperature: 0.7", False, "temperature is not sent", ""),
    "short": ("openai/gpt-5-mini", "max_tokens: 100", False, "100 tokens may all go into thoughts", "max_tokens to 4,000"),
    "short at a server": (
        f"{{model: hosted_vllm/qwq-32b, name: m, {HERE}}}", "max_tokens: 100", False, "may all go into thoughts", "",
    ),
    "long": ("openai/gpt-4o-mini", "max_tokens: 900000", False, "one answer has at most 16,384", "max_tokens to 16,384 or less"),
    "late": ("openai/gpt-5-mini", "", False, "a call ends after 60 s", "timeout_s: 300"),
    "retired": ("openai/gpt-5.1-codex-mini", "", False, "its provider has retired it on 2026-07-23", "successor"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_known_before_a_call_is_sent(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_is_past", lambda day: day < "2026-08-01")
    model, sampling, is_error, text, advice = CASES[case]
    one = said(found(tmp_path, model, f"sampling: {{{sampling}}}\n"), text)
    assert one.is_error == is_error
    assert advice in one.advice
    assert str(one).startswith(f"{'error' if is_error else 'warning'}: {tmp_path}/small.yaml:6: ")
    assert "litellm." not in str(one)


@pytest.mark.parametrize(
    ("provider", "mode", "package", "extra"),
    [("openai", "responses", "mcp", "responses"), ("vertex_ai", "chat", "google-auth", "vertex"), ("bedrock", "chat", "boto3", "bedrock")],
)
def test_a_package_that_is_lacking_names_its_extra(
    provider: str, mode: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_is_installed", lambda _: False)
    [(is_error, text, advice)] = looking._package(Model("m", f"{provider}/x"), mode)
    assert is_error
    assert f"the package {package!r}" in text
    assert advice == install(package) == f"pip install 'promptlab-bench[{extra}]'"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf'^{extra} = \["{package}', project, re.MULTILINE)


@pytest.mark.parametrize(
    ("model", "sampling"),
    [
        ("openai/gpt-4o-mini", "temperature: 0.7, max_tokens: 100"),
        ("anthropic/claude-sonnet-4-5", "temperature: 0.7, max_tokens: 100"),
        ("openai/gpt-5.1", "temperature: 0.7, max_tokens: 100"),  # which does not think unless it is told to
        ("ollama/llama3", "temperature: 0.7, max_tokens: 100"),
        ("{model: openai/gpt-5-mini, name: m, timeout_s: 300}", "max_tokens: 8000"),
        ("{model: openai/my-own, name: m, api_base: 'http://127.0.0.1:9/v1', price: {input_usd_per_mtok: 0, output_usd_per_mtok: 0}}", ""),
    ],
)
def test_what_is_in_order_is_not_complained_of(model: str, sampling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    monkeypatch.setattr(looking, "_is_past", lambda _: False)
    assert found(tmp_path, model, f"sampling: {{{sampling}}}\n") == []


def test_simulated_models_are_not_looked_at(tmp_path: Path) -> None:
    assert found(tmp_path, "sim/null") == []


def test_each_level_that_is_asked_is_looked_at(tmp_path: Path) -> None:
    path = experiment(tmp_path, models="  - openai/gpt-5-mini", more="vary: {temperature: [1, 0.5]}\n")
    assert "temperature 0.5" in said(preflight(resolve(path)), "does not take").found


def test_effort_says_whether_a_model_thinks() -> None:
    gpt, claude = Model("m", "openai/gpt-5"), Model("m", "anthropic/claude-opus-4-8")
    entry = {"supports_reasoning": True}
    assert thinks(gpt, entry, {})
    assert not thinks(gpt, entry, {"reasoning_effort": "none"})
    assert not thinks(claude, entry, {})
    assert thinks(claude, entry, {"thinking": {"budget_tokens": 2000}})
    assert [thinks(Model("m", f"x/{name}"), {}, {}) for name in ("deepseek-r1", "o3-mini", "llama-3", "solar")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.long
def test_check_tells_errors_and_warnings_apart(tmp_path: Path) -> None:
    bad = run("check", str(experiment(tmp_path, models="  - openai/gpt-5-mini")))
    assert bad.returncode == 2
    assert "small.yaml:6: openai/gpt-5-mini: it does not take temperature 0" in bad.stderr
    assert "warning: " in bad.stdout
    fair = run("check", str(experiment(tmp_path, models="  - openai/gpt-4o-mini")))
    assert (fair.returncode, fair.stderr) == (0, "")
    assert "OPENAI_API_KEY" in fair.stdout
    plan = run("plan", str(experiment(tmp_path, models="  - openai/gpt-5-mini")))
    assert (plan.returncode, "calls (fewer" in plan.stdout) == (2, True)
    assert "small.yaml:6: openai/gpt-5-mini: it does not take temperature 0" in plan.stderr


def test_the_experiments_of_the_docs_work_on_current_models(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "emotion.md").read_text(encoding="utf-8")
    text = re.search(r"```yaml\n(name: emotion\n.*?)```", page, re.DOTALL)[1]  # type: ignore[index]
    models = [
        "openai/gpt-4o-mini",
        "openai/gpt-5-mini",
        "openai/o3",
        "anthropic/claude-opus-4-8",
        "gemini/gemini-2.5-flash",
        "xai/grok-4.3",
    ]
    path = tmp_path / "emotion.yaml"
    path.write_text(text.replace("[openai/gpt-4o-mini]", f"[{', '.join(models)}]"), encoding="utf-8")
    told = preflight(resolve(path))
    assert {finding.model for finding in told} >= {"openai/o3"}
    assert [str(finding) for finding in told if finding.is_error or "tokens" in finding.found] == []


def test_the_table_of_models_is_searched() -> None:
    done = run("ls", "models", "openai/gpt-5", "MINI")
    assert "openai/gpt-5-mini" in done.stdout
    assert "gpt-4o" not in done.stdout
    [row] = [row for row in json.loads(run("ls", "models", "openai/gpt-5-mini", "--json").stdout) if row["model"] == "openai/gpt-5-mini"]
    assert row["reasoning"] == "yes"
    assert row["most_output"] > 10_000
    assert row["cached_input"] < row["input"] < row["output"]
    none = run("ls", "models", "no-such-model-anywhere")
    assert none.returncode == 2
    assert "try fewer words" in none.stderr


class Watched(Scripted):
    """Answers after a moment, and knows how many requests were under way when each arrived."""

    def __init__(self, first: Answer | None = None) -> None:
        self.under_way, self.loads, self.first = 0, [], first  # type: ignore[var-annotated]
        self.count = threading.Lock()
        super().__init__(self._answer)

    def _answer(self, body: dict[str, Any], number: int) -> Answer:
        with self.count:
            self.under_way += 1
            self.loads.append(self.under_way)
        time.sleep(0.05)
        with self.count:
            self.under_way -= 1
        return self.first if self.first is not None else (200, chat("yes"))


def swept(folder: Path, url: str, execution: Execution, more: str = "", models: str = "") -> Sweep:
    own = f"  - {{model: openai/m, name: m, api_base: '{url}', price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}"
    path = experiment(folder, models=f"{own}\n{models}".rstrip(), items=10, tasks="sum", more=more)
    return run_sweep(resolve(path), folder / "runs", folder / "cache", execution, lambda _: None)


@pytest.mark.parametrize("wire", ["direct", "litellm"])
def test_the_first_trial_goes_alone_and_its_answer_is_kept(wire: WireChoice, tmp_path: Path) -> None:
    with Watched() as server:
        done = swept(tmp_path, server.url, Execution(8, wire=wire))
        assert done.state == "complete"
        assert len(server.requests) == done.progress.n_sent == done.progress.n_planned
        assert server.loads[:2] == [1, 1]
        assert max(server.loads) > 1
        assert done.progress.paid_usd == pytest.approx(7e-6 * done.progress.n_sent)
        n_sent = len(server.requests)
        again = run_sweep(resolve(tmp_path / "small.yaml"), tmp_path / "again", tmp_path / "cache", Execution(8), lambda _: None)
        assert (again.state, len(server.requests)) == ("complete", n_sent), "the cache had everything: nothing is tried"


@pytest.mark.parametrize(("execution", "more"), [(Execution(8, probe=False), ""), (Execution(8), "probe: false\n")])
def test_it_does_not_where_that_is_not_wanted(execution: Execution, more: str, tmp_path: Path) -> None:
    with Watched() as server:
        assert swept(tmp_path, server.url, execution, more).state == "complete"
        assert max(server.loads[:4]) > 1


def test_how_a_trial_is_sent_is_no_part_of_the_experiment(tmp_path: Path) -> None:
    names = {resolve(experiment(tmp_path, more=more)).run_id for more in ("", "probe: true\n", "probe: false\n")}
    assert len(names) == 1


FAULTS: dict[str, tuple[Answer, str]] = {
    "key": (error(401, "Incorrect API key provided", "invalid_api_key"), "refused the call without a key"),
    "name": (error(404, "The model `m` does not exist", "model_not_found"), "knows no model 'm'"),
    "parameter": (
        error(400, "Unsupported value: 'temperature' does not support 0 here.", "unsupported_value"), "does not take a parameter",
    ),
    "credit": (error(429, "You exceeded your current quota", "insufficient_quota"), "is used up"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_found_before_anything_else_is_sent(fault: str, tmp_path: Path) -> None:
    answer, sentence = FAULTS[fault]
    with Watched(answer) as server, Scripted(lambda *_: (200, chat())) as good:
        other = f"  - {{model: openai/n, name: n, api_base: '{good.url}', price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}}}"
        done = swept(tmp_path, server.url, Execution(8), models=other)
        assert len({json.dumps(body) for body in server.requests}) == 1, "one trial, a few times"
        assert len(server.requests) <= 3
        assert set(server.loads) == {1}
    assert list(done.progress.stopped) == ["m"]
    assert sentence in done.progress.stopped["m"]
    assert done.exit_code == 3
    trials = Run(done.folder).trials()
    assert set(trials.model) == {"n"}, "no trial is recorded as failed, and the other model goes on"
    assert len(trials) == done.progress.n_planned / 2


def test_a_parameter_that_one_arm_alone_is_refused_stops_nothing() -> None:
    def answer(body: dict[str, Any], _: int) -> Answer:
        return error(400, "Unsupported value: 'temperature'") if body.get("temperature") == 0.5 else (200, chat())

    async def ask(server: Scripted) -> list[Any]:
        model = Model("m", "openai/m", server.url)
        async with aclosing(Gateway([model], {"m": None}, policy=QUICK)) as gateway:
            calls = [Call("m", ({"role": "user", "content": "q"},), {"temperature": t}, api_base=server.url) for t in (1.0, 0.5, 1.0)]
            return [await gateway.complete(call) for call in calls]

    with Scripted(answer) as server:
        outcomes = [one.outcome for one in asyncio.run(ask(server)) if not isinstance(one, ProviderStopped)]
        assert outcomes == ["ok", "error", "ok"]
        assert len(server.requests) == 3


@pytest.mark.parametrize("budget", ["", "budget_usd: 2\n"])
@pytest.mark.parametrize("named", ["openai/gpt-4o-mimi", "opnai/gpt-4o-mini"])
def test_a_mistyped_model_is_told_the_near_name_first(tmp_path: Path, named: str, budget: str) -> None:
    done = run("check", str(experiment(tmp_path, models=f"  - {named}", more=budget)))
    said = done.stdout + done.stderr
    assert "did you mean 'openai/gpt-4o-mini'" in said
    assert "price" not in said.partition("did you mean")[0]
