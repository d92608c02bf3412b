"""Logs of inspect_ai, `.eval` (a zip of JSON) and `.json`, read without inspect_ai.

Each log is an arm; samples are items by their id, epochs repeats. Scores are what the scorer wrote: letters (C right, I wrong,
P partly, N no answer) by inspect_ai's own values, numbers as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.importers.files import Archive, File, parsed
from promptlab.importers.results import BY_MODEL, Described, Options, Reading, Result, Source, compare_models, places, quoted, unnamed
from promptlab.importers.values import entries, mapping, name_of, number, refusal, sampling, secrets_in, short, task_name, text, whole
from promptlab.nouns import Outcome, UsageProblem, did_you_mean, digest, listed
from promptlab.nouns.grouping import grouped

LETTERS: Mapping[str, float] = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
STOPPED: Mapping[str, Outcome] = {"max_tokens": "truncated", "model_length": "truncated", "content_filter": "refused"}
ATTACHED = "attachment://"
ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Log:
    """One log: its head, and its samples."""

    file: File
    head: Mapping[str, Any]
    samples: tuple[Mapping[str, Any], ...]

    @property
    def eval(self) -> Mapping[str, Any]:
        return mapping(self.head.get("eval"))


def is_log(value: object) -> bool:
    """Whether a JSON document is a log of inspect_ai."""
    return "eval" in mapping(value) and "status" in mapping(value)


def read(files: Sequence[File], options: Options) -> Reading:
    """All samples of the logs, one score each."""
    logs = [_log(file) for file in files]
    scorer, key = _scorer(logs, options.scorer)
    described = [
        Described(log.file, task_name(log.eval.get("task") or "task"), name_of(log.eval.get("model") or "model"), _facts(log))
        for log in logs
    ]
    results: list[Result] = []
    notes: list[str] = []
    arms = places(described, options.task_name)
    for index, (log, one, place) in enumerate(zip(logs, described, arms, strict=True)):
        if log.head.get("status") != "success":
            notes.append(f"{log.file.path.name}: inspect_ai calls this log {text(log.head.get('status'))!r}, so samples may be missing")
        reducers = entries(mapping(log.eval.get("config")).get("epochs_reducer"))
        if reducers and reducers != ["mean"]:
            notes.append(f"{log.file.path.name}: inspect_ai reduced epochs by {listed(reducers)}; here the epochs of a sample are averaged")
        params = sampling(log.eval.get("model_generate_config"), mapping(log.head.get("plan")).get("config"))
        for sample in log.samples:
            where = {"arm": place.arm, "model": one.model, "task": place.task, "file": index}
            results.append(_result(sample, log, where, (scorer, key), params))
        log.file.watch((index + 1) / len(logs))
    _say_what_is_asked(results)
    if options.columns.get("arm") == BY_MODEL:
        compare_models(results)
    return Reading(
        tuple(results),
        tuple(Source(log.file.path.name, log.file.sha256, "inspect_ai", _version(log)) for log in logs),
        metric=f"{scorer}/{key}" if key else scorer,
        notes=tuple(notes),
        one_arm=unnamed(files, "a log of inspect_ai"),
        by_content=True,
        secrets=tuple(set().union(*(secrets_in(log.eval.get("model_args")) for log in logs))),
    )


def _say_what_is_asked(results: Sequence[Result]) -> None:
    """Where the arms do not change what samples ask, that distinguishes them; inspect_ai may have counted their ids up by itself."""
    inputs = grouped(((r.task, r.arm), r.input) for r in results)
    for task in {task for task, _ in inputs}:
        of = [set(found) for (t, _), found in inputs.items() if t == task]
        if len(set().union(*of)) < sum(map(len, of)):  # two arms ask the same
            for r in results:
                r.content = digest([r.input, r.targets, r.choices]) if r.task == task else r.content


def _log(file: File) -> Log:
    if file.suffix == ".json":
        head = parsed(file.path, file.content)
        if not is_log(head):
            raise refusal(file.path, "not a log of inspect_ai: it has no eval or no status")
        samples = entries(head.pop("samples", None))
    else:
        archive = Archive(file)
        start = next((name for name in ("header.json", "_journal/start.json") if name in archive.entries), None)
        if start is None:
            raise refusal(file.path, "not a log of inspect_ai: the archive holds neither header.json nor _journal/start.json")
        head = mapping(archive.json(start))
        samples = [archive.json(name) for name in sorted(archive.entries) if name.startswith("samples/") and name.endswith(".json")]
    if not samples:
        raise refusal(file.path, "the log holds no samples; inspect_ai was set not to log them, or ended before the first")
    return Log(file, head, tuple(map(mapping, samples)))


def _facts(log: Log) -> dict[str, str]:
    """What tells one log's arm from another's: the arguments of its task, else the texts that its solvers were given."""
    arguments = {name: text(value) for name, value in mapping(log.eval.get("task_args")).items()}
    metadata = {name: text(value) for name, value in mapping(log.eval.get("metadata")).items() if name in ("arm", "stimulus", "variant")}
    if metadata or arguments:
        return metadata or arguments
    found = {}
    for step in entries(mapping(log.head.get("plan")).get("steps")):
        template = mapping(mapping(step).get("params")).get("template")
        if isinstance(template, str):
            found[f"{text(mapping(step).get('solver'))} template"] = template
    return found


def _scorer(logs: Sequence[Log], wanted: str | None) -> tuple[str, str]:
    """The scorer, and the part of its value where that is an object; a choice that is open is the user's."""
    names = list(dict.fromkeys(name for log in logs for sample in log.samples for name in _scores(sample)))
    path = logs[0].file.path
    if not names:
        raise refusal(path, "no sample has a score; score the log first (inspect score LOG)")
    name, _, key = (wanted or "").partition("/") if (wanted or "") not in names else (wanted or "", "", "")
    if name and name not in names:
        raise UsageProblem(f"--scorer {name}: no sample was scored by it; {did_you_mean(name, names)}".rstrip("; "))
    if not name and len(names) > 1:
        raise UsageProblem(
            f"the samples were scored by several scorers ({listed(names)}); choose one, for example --scorer {quoted(names[0])}"
        )
    name = name or names[0]
    values = [mapping(_scores(sample).get(name)).get("value") for log in logs for sample in log.samples]
    keys = list(dict.fromkeys(key_ for value in values for key_ in mapping(value)))
    if keys and not key:
        raise UsageProblem(f"the scorer {name!r} gives several values ({listed(keys)}); choose one, for example --scorer {name}/{keys[0]}")
    if key and key not in keys:
        raise UsageProblem(f"--scorer {wanted}: the scorer {name!r} gives no value {key!r}; {did_you_mean(key, keys)}".rstrip("; "))
    return name, key


def _scores(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    scores = mapping(sample.get("scores"))
    if not scores and isinstance(sample.get("score"), dict):  # logs of before 2024-08
        return {"score": sample["score"]}
    return scores


def _result(sample: Mapping[str, Any], log: Log, place: Mapping[str, Any], scorer: tuple[str, str], params: Mapping[str, Any]) -> Result:
    path = log.file.path
    if sample.get("id") is None:
        raise refusal(path, "a sample has no id, so it cannot be paired with another arm's")
    where = f"{path.name} sample {text(sample['id'])[:60]} epoch {text(sample.get('epoch') or 1)}"
    output = mapping(sample.get("output"))
    choice = mapping(next(iter(entries(output.get("choices"))), {}))
    stop = text(choice.get("stop_reason"))
    failure = text(mapping(sample.get("error")).get("message") or sample.get("error") or output.get("error"))
    answer = text(output.get("completion")) or _content(mapping(choice.get("message")).get("content"), sample)
    scored = mapping(_scores(sample).get(scorer[0]))
    score = None if failure else _score(scored, scorer, log, where)
    usage = mapping(mapping(sample.get("model_usage")).get(text(log.eval.get("model")))) or mapping(output.get("usage"))
    outcome: Outcome = "error" if score is None else STOPPED.get(stop, "ok" if answer.strip() else "empty")
    return Result(
        **place,
        item=short(text(sample["id"])),
        score=score,
        where=where,
        repeat=max(0, (whole(sample.get("epoch")) or 1) - 1),
        outcome=outcome,
        answer=answer,
        extracted=text(scored.get("answer")) or None,
        messages=_asked(sample),
        input=_content(sample.get("input"), sample),
        targets=tuple(text(t) for t in target) if isinstance(target := sample.get("target"), list) else (text(target),) if target else (),
        choices=tuple(text(c) for c in entries(sample.get("choices"))),
        model_version=text(output.get("model")) or None,
        params=dict(params),
        input_tokens=whole(usage.get("input_tokens")),
        output_tokens=whole(usage.get("output_tokens")),
        cost_usd=number(usage.get("total_cost")) or None,
        latency_s=number(sample.get("working_time")) or number(output.get("time")) or None,
        finish_reason=stop or None,
        error=failure or (None if score is not None else "not scored"),
    )


def _score(scored: Mapping[str, Any], scorer: tuple[str, str], log: Log, where: str) -> float | None:
    value = scored.get("value")
    if scorer[1]:
        value = mapping(value).get(scorer[1])
    if isinstance(value, str):
        word = value.strip()
        if word in LETTERS or word.lower() in LETTERS:
            return LETTERS.get(word, LETTERS.get(word.lower()))
        try:
            value = float(word)
        except ValueError:
            raise refusal(
                log.file.path, f"{where}: the scorer {scorer[0]!r} wrote {word[:60]!r}, which is neither C, I, P, N nor a number"
            ) from None
    if isinstance(value, list):
        raise refusal(log.file.path, f"{where}: the scorer {scorer[0]!r} wrote a list; one number for each sample is needed")
    return number(value)


def _asked(sample: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    """The messages up to the last answer, which is stored as the answer."""
    found = [
        {"role": text(m.get("role")), "content": _content(m.get("content"), sample)}
        for m in map(mapping, entries(sample.get("messages")))
        if m.get("role") in ROLES
    ]
    while found and found[-1]["role"] == "assistant":
        found.pop()
    return tuple(found)


def _content(value: object, sample: Mapping[str, Any]) -> str:
    """Text of a message or of a list of parts or messages; a log keeps long texts separately, as attachments."""
    if isinstance(value, list):
        parts = [mapping(part) for part in value]
        return "\n".join(_content(p.get("text", p.get("content")), sample) for p in parts if "text" in p or "content" in p)
    found = text(value)
    if found.startswith(ATTACHED):
        return text(mapping(sample.get("attachments")).get(found.removeprefix(ATTACHED), found))
    return found


def _version(log: Log) -> str | None:
    return text(mapping(log.eval.get("packages")).get("inspect_ai")) or None
