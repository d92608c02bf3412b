"""The exact prompts of a run: every added text, instruction and template, and whole requests as they were sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from promptlab.nouns import ROLES, Plan, inert
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.paper.tex import tex, verbatim

MOST_SHOWN = 24
"""Whole requests in the appendix; all are in data/prompts.jsonl."""
MOST_CALLS = 6
LONGEST = 6_000
"""Characters of one text in the appendix; the rest is in data/prompts.jsonl."""
WHERE = ("setting", "arm", "task", "base_prompt")


def examples(run: Run, report: Report) -> list[dict[str, Any]]:
    """For each setting, arm, task and base prompt the requests of one trial, message by message as they were sent.

    The trial is that of the first item of its task that the arm has, with the first model.
    """
    trials = report.trials.sort_values("order", kind="stable")
    items = {str(task): str(item) for task, item in trials.groupby("task", observed=True)["item"].first().items()}
    same = trials[trials["item"].astype(str) == trials["task"].astype(str).map(items)]
    chosen = {
        tuple(map(str, row[: len(WHERE)])): row
        for frame in (trials, same)
        for row in frame.drop_duplicates(list(WHERE))[[*WHERE, "model", "item", "trial", "order"]].itertuples(index=False, name=None)
    }
    part_of = run.part_of()
    tasks, settings, arms = (
        {name: place for place, name in enumerate(names)}
        for names in (report.plan.task_of, report.plan.setting_of, dict.fromkeys(arm.name for arm in report.plan.arms))
    )
    found = []
    ranked = sorted(chosen.values(), key=lambda row: (tasks[row[2]], settings[row[0]], arms[row[1]]))
    for setting, arm, task, prompt, model, item, trial, at in ranked:
        calls = run.calls_of(trial, int(part_of[at]))
        rows = [
            {"turn": int(call["turn"]), "purpose": call["purpose"] if isinstance(call["purpose"], str) else None,
             "messages": _messages(call["messages"])}
            for call in calls.to_dict("records")
        ]  # fmt: skip
        found.append(
            {"task": task, "arm": arm, "setting": report.plan.setting_of[setting].words, "base_prompt": prompt, "model": model,
             "simulated": model in report.manifest.simulated_models, "item": item, "calls": rows}
        )  # fmt: skip
    return found


def _messages(text: object) -> Any:  # noqa: ANN401 (as it was stored)
    try:
        return json.loads(str(text))
    except ValueError:
        return str(text)


def appendix(report: Report, requests: list[dict[str, Any]]) -> str:
    """The appendix: what the plan froze, then whole requests."""
    lines = [r"\section{Exact prompts}", tex(
        "Texts are set as they were sent, character by character. A character that the type lacks, or that hides or reorders text, is its "
        "code point in a box. data/prompts.jsonl has the bytes."
    ), ""]  # fmt: skip
    for title, parts in (
        ("Added texts", _texts(report)), ("Instructions of the tasks", _instructions(report)), ("Whole prompts", _whole(report)),
        ("Placements", _placements(report)), ("Feedback loops and scoring", _loops(report)), ("Whole requests", _requests(requests)),
    ):  # fmt: skip
        made = list(parts)
        if made:
            lines += [rf"\subsection{{{title}}}", *(line for what, text in made for line in (rf"\prompthead{{{tex(what)}}}", _shown(text)))]
    sent = [one for one in requests if any(call["messages"] for call in one["calls"])]
    if not sent:
        lines += ["", "No request is recorded: the run was imported from a file that holds none."]
    elif len(sent) > MOST_SHOWN:
        lines += [
            "",
            rf"{len(sent) - MOST_SHOWN:,} more are in \texttt{{data/prompts.jsonl}}, one for each arm, task and setting.",
        ]
    return "\n".join(lines) + "\n"


def _shown(text: str) -> str:
    more = len(text) - LONGEST
    return verbatim(text) if more <= 0 else verbatim(text[:LONGEST]) + f"\n\\emph{{({more:,} more characters)}}"


def _texts(report: Report) -> Iterator[tuple[str, str]]:
    for arm in report.plan.arms:
        if arm.role in ("loop", "loop_control"):  # whose text is a description; their remarks follow
            continue
        words = dict.fromkeys(filter(None, (arm.text, *arm.wordings)))
        for number, text in enumerate(words):
            yield f"{arm.name} ({ROLES.get(arm.role, arm.role)}){f', wording {number}' if number else ''}", text


def _instructions(report: Report) -> Iterator[tuple[str, str]]:
    for task in report.plan.tasks:
        for name, text in task.base_prompts.items():
            yield f"{task.name}, {name}", text


def _whole(report: Report) -> Iterator[tuple[str, str]]:
    for prompt in report.plan.prompts:
        for message in prompt.messages:
            yield f"{prompt.name}, {message.get('role', '')}", str(message.get("content", ""))


def _placements(report: Report) -> Iterator[tuple[str, str]]:
    used = {setting.placement for setting in report.plan.settings}
    for name, placement in report.plan.placements.items():
        if name in used and placement.get("template"):
            yield f"{name} ({placement.get('position', '-')})", str(placement["template"])


def _loops(report: Report) -> Iterator[tuple[str, str]]:
    for loop in report.plan.loops:
        for name in ("verdict", "request"):
            if text := getattr(loop, name):
                yield f"loop {loop.strategy}, {name}", text
    yield from ((f"remark {key}", text) for key, text in remarks(report.plan).items())
    for task in report.plan.tasks:
        if task.scoring:
            yield f"scoring of {task.name}: {task.metric}", json.dumps(task.scoring, indent=1, ensure_ascii=False, default=str)


def remarks(plan: Plan) -> dict[str, str]:
    """The remarks of feedback loops, by their keys."""
    rounds = [group for arm in plan.arms for group in (arm.spec or {}).get("cues", ())]
    return {str(cue["key"]): str(cue["text"]) for group in rounds for cue in group}


def _requests(requests: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The baseline of every task and setting first, then other arms, as many as the appendix holds."""
    sent = [one for one in requests if any(call["messages"] for call in one["calls"])]
    firsts: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in sent:
        firsts.setdefault((one["task"], one["setting"], one["base_prompt"]), one)
    ranked = [*firsts.values(), *(one for one in sent if all(one is not first for first in firsts.values()))]
    for one in ranked[:MOST_SHOWN]:
        mark = "SIMULATED: " if one["simulated"] else ""
        where = f"{mark}{one['task']}, {one['arm']}, {one['setting']}, {one['base_prompt']}: item {one['item']}"
        for call in one["calls"][:MOST_CALLS]:
            purpose = f", {call['purpose']}" if call["purpose"] and call["purpose"] != "answer" else ""
            messages = call["messages"] if isinstance(call["messages"], list) else [{"role": "text", "content": call["messages"]}]
            for message in messages:
                content = message.get("content") if isinstance(message, dict) else message
                text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
                role = message.get("role", "") if isinstance(message, dict) else ""
                turn = f", call {call['turn'] + 1}" if len(one["calls"]) > 1 else ""
                yield f"{where}{turn}{purpose}, {role}", text
        if len(one["calls"]) > MOST_CALLS:
            yield f"{where}: {len(one['calls']) - MOST_CALLS:,} more calls", inert("in data/prompts.jsonl")
