"""Samples of lm-evaluation-harness: `lm_eval ... --output_path OUT --log_samples` writes samples_TASK_TIME.jsonl for each task.

Items are documents by their id; one id must be the same document in every file. The results file that the harness writes
next to the samples, with the same time in its name, tells the model, its parameters and the harness's version.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.importers.cells import as_messages
from promptlab.importers.files import File, json_lines, parsed, read_file
from promptlab.importers.results import BY_MODEL, Described, Options, Place, Reading, Result, Source, compare_models, places, unnamed
from promptlab.importers.values import entries, mapping, name_of, number, refusal, sampling, secrets_in, task_name, text
from promptlab.nouns import FileProblems, UsageProblem, did_you_mean, listed

NAMED = re.compile(r"samples_(?P<task>.+?)(?:_(?P<time>\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(?:\.\d+)?))?\Z")
MODEL_ARGUMENT = re.compile(r"(?:^|,)(?:pretrained|model)=([^,]+)")
LIKELIHOODS = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte")
NO_FILTER = "none"
LOGARITHM = (
    "the harness writes log-likelihoods for single samples of a perplexity (for each word or byte of a text), of which more is better"
)
Row = tuple[int, dict[str, Any]]


def is_sample(row: Mapping[str, Any]) -> bool:
    """Whether a JSON line is a sample of the harness."""
    return "doc_id" in row and ("resps" in row or "filtered_resps" in row or "doc_hash" in row)


def read(files: Sequence[File], options: Options) -> Reading:
    """All samples of the files, one score for each document."""
    described: list[Described] = []
    samples: list[list[Row]] = []
    sources: list[Source] = []
    params: list[dict[str, Any]] = []
    texts: dict[str, str] = {}
    secrets: set[str] = set()
    directions: list[Mapping[str, Any]] = []
    named = [_task_and_results(file) for file in files]
    for file, (own_name, beside, told) in zip(files, named, strict=True):
        samples.append(_with_filters(file, list(json_lines(file)), _filters(told, own_name)))
        task = task_name(own_name if all(name for name, *_ in named) else "task")  # a file that was renamed no longer says its task
        config = mapping(told.get("config"))
        directions.append(mapping(mapping(told.get("higher_is_better")).get(own_name)))
        arguments = config.get("model_args")
        model = told.get("model_name") or mapping(arguments).get("model") or _folder_model(file.path)
        if not model and (given := MODEL_ARGUMENT.search(text(arguments))):  # before 0.4.3
            model = given[1]
        model = model or "model"
        system = text(told.get("system_instruction"))
        described.append(Described(file, task, name_of(model), {"system instruction": system} if system else {}))
        params.append(sampling(config.get("gen_kwargs"), arguments))
        secrets |= secrets_in(arguments)
        version = text(told.get("lm_eval_version")) or None
        sources += [Source(f.path.name, f.sha256, "lm-evaluation-harness", version) for f in (file, beside) if f]
    metric, chosen_filter = _metric(samples, files, options.metric)
    results: list[Result] = []
    arms = places(described, options.task_name)
    for index, (place, one, rows, known) in enumerate(zip(arms, described, samples, params, strict=True)):
        if instruction := one.facts.get("system instruction"):
            texts.setdefault(place.arm, instruction)
        for line, row in rows:
            if _filter(row) == chosen_filter:
                results.append(_result(row, line, one=one, place=place, file=index, metric=metric, known=known))
    if options.columns.get("arm") == BY_MODEL:
        compare_models(results)
    # what the results file says of a perplexity is not true of the log-likelihoods that the samples hold instead
    logarithms = metric in LIKELIHOODS and all((r.score or 0) <= 0 for r in results)
    if logarithms and options.higher_is_better is False:
        raise UsageProblem(f"--lower-is-better: {LOGARITHM}")
    return Reading(
        tuple(results),
        tuple(sources),
        metric=metric if chosen_filter == NO_FILTER else f"{metric},{chosen_filter}",
        notes=(LOGARITHM,) if logarithms else (),
        texts=texts,
        one_arm=unnamed(files, "a file of lm-evaluation-harness's samples"),
        secrets=tuple(secrets),
        higher_is_better=logarithms or _direction(metric, directions, files[0].path),
        metrics=tuple(dict.fromkeys(m for rows in samples for _, row in rows for m in _metrics(row))),
        by_content=True,
    )


def _direction(metric: str, told: Sequence[Mapping[str, Any]], path: Path) -> bool | None:
    """Whether more is better of a metric, as the results files say it."""
    found = {bool(of[metric]) for of in told if isinstance(of.get(metric), bool)}
    if len(found) > 1:
        raise refusal(
            path, f"the results files disagree whether more is better of {metric}; evaluate the arms with one version of the task"
        )
    return next(iter(found), None)


def _result(row: Mapping[str, Any], line: int, *, one: Described, place: Place, file: int, metric: str, known: Mapping[str, Any]) -> Result:
    if "doc_id" not in row:
        raise refusal(one.file.path, "a sample has no doc_id, so it cannot be paired with another arm's", line)
    prompt, asked = _asked(row.get("arguments"))
    score = _score(row.get(metric), metric)
    return Result(
        arm=place.arm,
        model=one.model,
        task=place.task,
        item=text(row["doc_id"]),
        score=score,
        where=f"{one.file.path.name} line {line}",
        answer=text(_first(row.get("resps"))),
        extracted=text(_first(row.get("filtered_resps"))) or None,
        messages=as_messages(prompt),
        input=_input(row.get("doc")),
        targets=(text(row["target"]),) if row.get("target") is not None and not isinstance(row["target"], list | dict) else (),
        params={**known, **sampling(asked)},
        content=text(row.get("doc_hash")) or _document_hash(row.get("doc")),
        file=file,
        error=None if score is not None else f"the harness wrote no number for {metric}: {text(row.get(metric))[:80]!r}",
    )


def _document_hash(doc: object) -> str:
    """What versions since 0.4.3 write as doc_hash."""
    return hashlib.sha256(json.dumps(doc, indent=2, ensure_ascii=False).encode("utf-8", "replace")).hexdigest() if doc else ""


def _score(value: object, metric: str) -> float | None:
    """A sample's score; of a perplexity the harness writes its log-likelihood, of a text with the number of words or bytes."""
    if metric in LIKELIHOODS and isinstance(value, list) and len(value) == 2:
        likelihood, n = map(number, value)
        return likelihood / n if likelihood is not None and n else None
    return number(value)


def _asked(arguments: object) -> tuple[object, object]:
    """The prompt and the generation arguments of a sample's first request; the harness changed how it writes them."""
    if isinstance(arguments, dict):
        first = mapping(next(iter(arguments.values()), {}))
        prompt, rest = first.get("arg_0"), first.get("arg_1")
    elif isinstance(arguments, list) and arguments and isinstance(arguments[0], list):
        prompt, rest = [*arguments[0], None, None][:2]
    else:
        return None, None
    if isinstance(prompt, list) and len(prompt) == 1:  # a chat, as JSON text in a list
        prompt = prompt[0]
    return prompt, rest


def _first(value: object) -> object:
    while isinstance(value, list) and value:
        value = value[0]
    return "" if isinstance(value, list) else value


def _input(doc: object) -> str:
    fields = mapping(doc)
    named = (fields.get(name) for name in ("question", "input", "query", "problem", "text"))
    return text(next((value for value in named if isinstance(value, str)), doc))


def _filter(row: Mapping[str, Any]) -> str:
    return text(row.get("filter")) or NO_FILTER


def _metric(samples: Sequence[Sequence[Row]], files: Sequence[File], wanted: str | None) -> tuple[str, str]:
    """The metric and the filter whose scores are taken; a choice that is open is the user's."""
    name, _, filter_ = (wanted or "").partition(",")
    metrics = list(dict.fromkeys(m for rows in samples for _, row in rows for m in _metrics(row)))
    filters = list(dict.fromkeys(_filter(row) for rows in samples for _, row in rows))
    path = files[0].path
    if not metrics:
        raise refusal(path, "no sample holds a metric; run the harness with --log_samples and a task that has metrics")
    if name and name not in metrics:
        raise UsageProblem(f"--metric {name}: the samples have no such metric; {did_you_mean(name, metrics)}".rstrip("; "))
    if not name and len(metrics) > 1:
        raise UsageProblem(f"the samples hold several metrics ({listed(metrics)}); choose one, for example --metric {metrics[0]}")
    if filter_ and filter_ not in filters:
        raise UsageProblem(f"--metric {wanted}: the samples have no filter {filter_!r}; {did_you_mean(filter_, filters)}".rstrip("; "))
    if not filter_ and len(filters) > 1:
        example = f"{name or metrics[0]},{filters[0]}"
        raise UsageProblem(
            f"the samples hold the scores of several filters ({listed(filters)}); choose one, for example --metric {example}"
        )
    return name or metrics[0], filter_ or filters[0]


def _metrics(row: Mapping[str, Any]) -> list[str]:
    named = row.get("metrics")
    if isinstance(named, list):
        return [str(name) for name in named if str(name) in row]
    known = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "doc_hash", "prompt_hash", "target_hash"}
    return [name for name, value in row.items() if name not in known and _score(value, name) is not None]


def _task_and_results(file: File) -> tuple[str, File | None, Mapping[str, Any]]:
    """A file's task by its name, and the harness's results file next to it: of the same time, or before 0.4.3 of any.

    These older versions call the samples MODEL_TASK.jsonl and their results results.json, which holds the last run in that folder.
    """
    stem = file.path.name.removesuffix(".gz").rpartition(".")[0]
    found = NAMED.fullmatch(stem)
    if found and not found["time"]:
        return found["task"], None, {}
    path = file.path.with_name(f"results_{found['time']}.json" if found else "results.json")
    try:
        beside = read_file(path) if path.is_file() else None
    except FileProblems:
        beside = None
    told = mapping(parsed(beside.path, beside.content)) if beside else {}
    if found:
        return found["task"], beside, told
    return max((name for name in mapping(told.get("results")) if stem.endswith(f"_{name}")), key=len, default=""), beside, told


def _filters(told: Mapping[str, Any], task: str) -> list[str]:
    """The names of a task's filters in their order; those of another task in the results file where these are the same in all."""
    configs = mapping(told.get("configs"))
    lists = [entries(mapping(configs.get(name)).get("filter_list")) for name in ([task] if task in configs else configs)]
    return [text(mapping(one).get("name")) for one in lists[0]] if lists and all(one == lists[0] for one in lists) else []


def _with_filters(file: File, rows: list[Row], names: Sequence[str]) -> list[Row]:
    """The samples with the names of their filters, which versions before 0.4.6 leave out: they write one block for each filter."""
    ids = [text(row.get("doc_id")) for _, row in rows if "filter" not in row]
    size = len(set(ids))
    if size == len(ids):
        return rows
    if len(ids) < len(rows) or ids != ids[:size] * (len(ids) // size):
        raise refusal(
            file.path,
            "its documents occur several times without the names of filters, and not in one block for each filter, as versions before "
            "0.4.6 write them; give the file as the harness wrote it, or the lines of one filter only",
        )
    called = names if len(names) == len(ids) // size else [str(n) for n in range(1, len(ids) // size + 1)]
    return [(line, {**row, "filter": called[n // size]}) for n, (line, row) in enumerate(rows)]


def _folder_model(path: Path) -> str:
    """The harness names the folder of its samples after the model, with double underscores for slashes."""
    name = path.absolute().parent.name
    return name.replace("__", "/") if "__" in name else ""
