"""Parameters of a model and of an arm: what is sent, what is hashed and recorded, what is refused, and what LiteLLM makes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from billing import Said, Scripted, chat
from promptlab.nouns import Call, Completion, FileProblems, Model, UsageProblem, merged, most_output
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running.gateway import Gateway, RetryPolicy, WireChoice
from promptlab.running.gateway.parameters import differences, messages_of
from promptlab.running.preflight import preflight
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.sources.spec.models import ModelEntry
from runs import experiment

USAGE = {"prompt_tokens": 50, "completion_tokens": 3, "total_tokens": 53}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}
SECRET = "acme-organisation-77"


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted(lambda _: Said(chat("32", USAGE)))
    yield server
    server.__exit__()


def entry(**keys: Any) -> Model:
    return ModelEntry.model_validate({"model": "openai/m", "name": "m", **keys}).resolved()


def ask(server: Scripted, choice: WireChoice, messages: int = 1, policy: RetryPolicy | None = None, **keys: Any) -> Completion:
    model = entry(api_base=server.url, **keys)
    both = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "How much is 20 + 12?"})
    call = Call("m", both[-messages:], model.sampling)

    async def go() -> Completion:
        async with aclosing(Gateway([model], {"m": None}, policy=policy, wire=choice)) as gateway:
            return await gateway.complete(call)

    return asyncio.run(go())


@pytest.mark.parametrize("choice", ["direct", "litellm"])
def test_parameters_go_into_the_body_and_headers_beside_it(scripted: Scripted, choice: WireChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_ORG", SECRET)
    params = {
        "top_k": 5,
        "min_p": 0.1,
        "chat_template_kwargs": {"enable_thinking": False},
        "service_tier": "flex",
        "provider": {"order": ["a"]},
    }
    found = ask(scripted, choice, params=params, headers={"X-Org": {"env": "MY_ORG"}}, organisation="org-1", sampling={"temperature": 0.5})
    [seen] = scripted.seen
    assert {name: seen["body"][name] for name in params} == params
    assert seen["body"]["temperature"] == 0.5
    assert {"params", "headers", "organisation", "extra_body"}.isdisjoint(seen["body"])
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert (headers["x-org"], headers["openai-organization"]) == (SECRET, "org-1")
    assert found.effective == {**params, "temperature": 0.5, "headers": {"X-Org": "[redacted]"}, "organisation": "org-1"}
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ({"max_completion_tokens": 70}, {"max_completion_tokens": 70}),
        ({"response_format": SCHEMA}, {"response_format": SCHEMA}),
        ({"model": "openrouter/x/y", "thinking": {"budget_tokens": 2000}}, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ({"model": "deepseek/deepseek-chat", "params": {"top_k": 4}}, {"top_k": 4}),
        ({"model": "mistral/mistral-small-latest", "params": {"top_k": 4}}, {"top_k": 4}),
        ({"model": "groq/llama-3.1-8b-instant", "params": {"service_tier": "flex"}}, {"service_tier": "flex"}),
        (
            {"model": "hosted_vllm/q", "params": {"top_k": 4, "chat_template_kwargs": {"a": 1}}},
            {"top_k": 4, "chat_template_kwargs": {"a": 1}},
        ),
        ({"model": "xai/grok-4", "params": {"search_parameters": {"mode": "off"}}}, {"search_parameters": {"mode": "off"}}),
        ({"model": "together_ai/x", "params": {"repetition_penalty": 1.1}}, {"repetition_penalty": 1.1}),
    ],
    ids=str,
)
def test_what_is_sent_is_what_was_asked(scripted: Scripted, keys: dict[str, Any], sent: dict[str, Any]) -> None:
    found = ask(scripted, "auto", **keys)
    assert found.outcome == "ok", found.error
    assert {name: scripted.seen[0]["body"].get(name) for name in sent} == sent
    assert {name: found.effective.get(name) for name in sent} == sent


def test_a_slash_at_the_end_of_an_address_changes_nothing(scripted: Scripted, tmp_path: Path) -> None:
    assert entry(api_base="http://h/v1/") == entry(api_base="http://h/v1")
    model = "  - {{model: openai/m, name: m, api_base: 'http://h/v1{}'}}"
    ids = {resolve(experiment(tmp_path, models=model.format(end))).run_id for end in ("", "/", "//")}
    assert len(ids) == 1
    for choice in ("direct", "litellm"):
        ask(scripted, choice, name="m")
    assert {seen["path"] for seen in scripted.seen} == {"/v1/chat/completions"}


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("params: {api_key: abc}", "api_key looks like a secret"),
        ("params: {nested: {Authorization: x}}", "nested.Authorization looks like a secret"),
        ("params: {user: sk-abcdefghijklmnopqrstuvwx}", "the value of user looks like a key"),
        ("params: {messages: []}", "messages cannot be set"),
        ("params: {n: 3}", "n cannot be set"),
        ("headers: {X-Org: acme}", "X-Org"),
        ("headers: {Authorization: {env: A}}", "use api_key_env"),
        ("response_format: {type: json_schema}", "write {type: json_schema"),
        ("chat_template: '{role}'", "must hold {role} and {content}"),
        ("thinking: {budget_tokens: 0}", "budget_tokens"),
    ],
)
def test_what_is_refused_says_why(tmp_path: Path, keys: str, why: str) -> None:
    with pytest.raises(FileProblems) as problem:
        resolve(experiment(tmp_path, models=f"  - {{model: openai/m, name: m, {keys}}}"))
    assert why in str(problem.value)
    assert "sk-abc" not in str(problem.value)


def test_a_header_without_its_variable_is_refused_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_ORG", raising=False)
    study = resolve(experiment(tmp_path, models="  - {model: openai/m, name: m, headers: {X-Org: {env: MY_ORG}}}"))
    assert any(finding.is_error and "the variable MY_ORG is not set" in str(finding) for finding in preflight(study))


def test_each_parameter_is_part_of_the_run_and_only_where_it_is_set(tmp_path: Path) -> None:
    def run_id(keys: str = "", more: str = "") -> str:
        return resolve(experiment(tmp_path, models=f"  - {{model: openai/m, name: m{keys}}}", more=more)).run_id

    plain = run_id()
    assert plain == run_id(", params: {}, headers: {}") == run_id(more="vary: {params: []}")
    keys = (
        ", params: {top_k: 1}", ", params: {top_k: 2}", ", headers: {X: {env: A}}", ", max_completion_tokens: 5", ", timeout_s: 5",
        ", thinking: {budget_tokens: 5}", ", api_version: v1", ", region: r", ", organisation: o", ", retries: 0",
        ", response_format: {type: json_object}",
    )  # fmt: skip
    assert len({plain, *map(run_id, keys)}) == 1 + len(keys)


def test_parameters_are_levels_of_an_arm(tmp_path: Path, scripted: Scripted) -> None:
    model = f"  - {{model: openai/m, name: m, api_base: '{scripted.url}', params: {{min_p: 0.1}}}}"
    path = experiment(tmp_path, tasks="sum", items=20, models=model, more="vary: {params: [{top_k: 1}, {top_k: 50}]}")
    done = run_sweep(resolve(path), tmp_path / "runs", None, Execution(8), lambda _: None)
    record = Run(done.folder)
    assert {(seen["body"]["top_k"], seen["body"]["min_p"]) for seen in scripted.seen} == {(1, 0.1), (50, 0.1)}
    assert set(record.trials()["setting"]) == {'paper/0/single/params={"top_k":1}', 'paper/0/single/params={"top_k":50}'}
    assert {json.loads(text)["params"]["top_k"] for text in record.calls()["requested"]} == {1, 50}
    assert [setting.id for setting in record.plan.settings] == [f'paper/0/single/params={{"top_k":{k}}}' for k in (1, 50)]


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted(retries: int) -> None:
    server = Scripted(lambda _: Said(b"no", 500))
    found = ask(server, "direct", policy=RetryPolicy(first_wait_s=0.01, longest_wait_s=0.02), retries=retries)
    server.__exit__()
    assert (found.outcome, found.attempts, len(server.seen)) == ("error", retries + 1, retries + 1)


# --- text completions -------------------------------------------------------------------------------------------------------------


def completion(_: object) -> Said:
    choice = {"index": 0, "text": " 32", "finish_reason": "stop", "logprobs": None}
    return Said({"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE})


@pytest.mark.parametrize(
    ("template", "prompt"), [(None, None), ("{role}: {content}\n", "system: Be brief.\nuser: How much is 20 + 12?\nassistant:")]
)
def test_a_text_completion_gets_one_prompt_or_none(template: str | None, prompt: str | None) -> None:
    server = Scripted(completion)
    found = ask(
        server, "auto", 2, model="text-completion-openai/gpt-3.5-turbo-instruct", **({"chat_template": template} if template else {})
    )
    server.__exit__()
    if prompt is None:
        assert (found.outcome, server.seen) == ("error", [])
        assert "add chat_template" in (found.error or "")
    else:
        assert server.seen[0]["body"]["prompt"] in (prompt, [prompt])
        assert found.text.strip() == "32"


def test_a_template_joins_messages_as_it_says() -> None:
    call = Call("m", ({"role": "user", "content": "{role}"},), {"chat_template": "<{role}>{content}</s>"})
    assert messages_of(call) == [{"role": "user", "content": "<user>{role}</s><assistant>"}]


def test_an_experiment_of_chats_does_not_take_a_text_completion_model(tmp_path: Path) -> None:
    model = "  - {{model: openai/gpt-3.5-turbo-instruct, name: m{}}}"
    loop = "loops: [{rounds: 2}]\n"
    with pytest.raises(FileProblems, match=r":6: 'm' completes one text.*chat_template"):
        resolve(experiment(tmp_path, models=model.format(""), more=loop))
    resolve(experiment(tmp_path, models=model.format(", chat_template: '{role}: {content} '"), more=loop))


# --- how a request differs from the experiment --------------------------------------------------------------------------------


def test_a_default_of_the_interface_is_part_of_what_is_sent_and_a_text_completion_takes_no_schema() -> None:
    model = Model("m", "anthropic/claude-3-7-sonnet-20250219")
    assert Gateway([model], {"m": None}).effective(model, {})["max_tokens"] > 0
    text = Model("m", "text-completion-openai/gpt-3.5-turbo-instruct")
    with pytest.raises(UsageProblem, match="takes no response_format"):
        Gateway([text], {"m": None}).effective(text, {"response_format": {"type": "json_object"}})


def test_differences_in_words() -> None:
    asked = {"temperature": 0.5, "max_tokens": 9, "seed": 3, "params": {"top_k": 2}, "headers": {"X": {"env": "A"}}}
    sent = {"temperature": 1, "num_predict": 9, "top_k": 2, "headers": {"X": "[redacted]"}, "think": True}
    assert differences(asked, sent) == [
        "temperature is sent as 1",
        "max_tokens is sent as num_predict",
        "seed is not sent",
        "think true is sent",
    ]


@pytest.mark.parametrize(
    ("model", "note"),
    [
        ("{model: ollama_chat/llama3, name: m, sampling: {frequency_penalty: 0.5}}", "frequency_penalty is sent as repeat_penalty"),
        ("{model: moonshot/kimi-k2.5, name: m}", "temperature is not sent"),
        ("{model: openai/o3-pro, name: m, sampling: {temperature: 1, seed: 3}}", "seed is not sent"),
        ("{model: deepseek/deepseek-chat, name: m, sampling: {reasoning_effort: low}}", 'thinking {"type": "enabled"} is sent'),
        ("{model: openai/gpt-4o-mini, name: m}", None),
    ],
)
def test_check_says_what_litellm_changes(tmp_path: Path, model: str, note: str | None) -> None:
    notes = [finding.found for finding in preflight(resolve(experiment(tmp_path, models=f"  - {model}")))]
    assert not any("sent" in told for told in notes if "key" not in told) if note is None else any(note in told for told in notes), notes


def test_a_thinking_budget_beyond_the_answers_limit_is_refused(tmp_path: Path) -> None:
    model = "  - {model: anthropic/claude-sonnet-4-5, name: m, sampling: {temperature: 1, reasoning_effort: low}}"
    [found] = [finding for finding in preflight(resolve(experiment(tmp_path, models=model))) if finding.is_error]
    assert "would think for up to 1,024 tokens, and max_tokens is 64" in found.found


def test_later_parameters_hold_and_params_are_merged() -> None:
    assert merged({"a": 1, "params": {"k": 1, "l": 1}}, {"a": 2, "params": {"l": 2}}) == {"a": 2, "params": {"k": 1, "l": 2}}
    assert merged({}, {}) == {}
    limits = {None: {}, 5: {"max_tokens": 5}, 14: {"max_tokens": 5, "thinking": {"budget_tokens": 9}}, 7: {"params": {"max_tokens": 7}}}
    assert {most: most_output(sampling) for most, sampling in limits.items()} == {most: most for most in limits}
