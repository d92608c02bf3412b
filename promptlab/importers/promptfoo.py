"""promptfoo's result files: `promptfoo eval -o out.json` (or .jsonl), today's results.results and the older results.table.

Arms are the prompts, items the test cases, models the providers. Of the configuration only sampling parameters are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.importers.results import File, Options, Reading, Result, Source, listed, refusal
from promptlab.importers.tabular import as_messages, json_lines, parsed
from promptlab.importers.values import entries, mapping, name_of, number, sampling, secrets_in, short, task_name, text, whole
from promptlab.nouns import Outcome, digest

FAILED_CALL = 2
"""promptfoo's failureReason of a call that failed; 1 is an assertion that did, which is a wrong answer."""
FINISHED: Mapping[str, Outcome] = {"length": "truncated", "max_tokens": "truncated", "content_filter": "refused", "safety": "refused"}
ANSWER_CHECKS = ("equals", "contains", "icontains", "iequals", "starts-with", "is-exactly")


@dataclass(frozen=True, slots=True)
class Document:
    """The parts of a result file that are read."""

    rows: list[Mapping[str, Any]]
    prompts: Sequence[Any]
    config: Mapping[str, Any]
    version: str | None


def is_promptfoo(value: object) -> bool:
    """Whether a JSON document is a result file of promptfoo."""
    inside = mapping(mapping(value).get("results"))
    return isinstance(inside.get("results"), list) or "body" in mapping(inside.get("table"))


def read(files: Sequence[File], options: Options) -> Reading:
    """All results of the files, a score for each prompt, provider and test case."""
    results: list[Result] = []
    sources: list[Source] = []
    texts: dict[str, str] = {}
    secrets: set[str] = set()
    one_arm = ""
    for file in files:
        document = _document(file)
        reader = _Reader(file, document, options)
        found = reader.results()
        results += found
        texts |= reader.texts
        secrets |= secrets_in(document.config.get("providers")) | secrets_in(document.config.get("env"))
        secrets |= secrets_in(document.config.get("defaultTest")) | secrets_in([row.get("provider") for row in document.rows])
        sources.append(Source(file.path.name, file.sha256, "promptfoo", document.version))
        one_arm = reader.one_arm(found)
        _scored_by_something(file, document)
    return Reading(
        tuple(results),
        tuple(sources),
        metric=f"promptfoo {options.metric or 'score'}",
        texts=texts,
        notes=_notes(results),
        one_arm=one_arm,
        secrets=tuple(secrets),
    )


def _document(file: File) -> Document:
    if file.path.suffix.lower() in (".jsonl", ".ndjson"):
        rows: list[Mapping[str, Any]] = [row for _, row in json_lines(file)]
        if not all("promptIdx" in row and "testIdx" in row for row in rows):
            raise refusal(file.path, "not promptfoo's JSON lines: a line has no promptIdx or no testIdx")
        return Document(rows, (), {}, None)
    value = parsed(file.path, file.content)
    if not is_promptfoo(value):
        raise refusal(file.path, "not a result file of promptfoo: neither results.results nor results.table stands in it")
    inside = value["results"]
    version = mapping(value.get("metadata")).get("promptfooVersion")
    version = str(version)[:40] if version else f"(results version {inside.get('version')})" if inside.get("version") else None
    prompts = inside.get("prompts") or mapping(mapping(inside.get("table")).get("head")).get("prompts")
    rows = [row for row in entries(inside.get("results")) if isinstance(row, dict)]
    return Document(rows or list(_table_rows(inside)), prompts if isinstance(prompts, list) else (), mapping(value.get("config")), version)


def _table_rows(inside: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The cells of an older file's table in the shape of today's results."""
    table = mapping(inside.get("table"))
    head = mapping(table.get("head"))
    names = [str(name) for name in entries(head.get("vars"))]
    prompts = entries(head.get("prompts"))
    for index, line in enumerate(entries(table.get("body"))):
        values = mapping(line).get("vars")
        given = dict(zip(names, values, strict=False)) if isinstance(values, list) else mapping(values)
        for column, cell in enumerate(entries(mapping(line).get("outputs"))):
            cell = mapping(cell)  # noqa: PLW2901
            prompt = mapping(prompts[column]) if column < len(prompts) else {}
            yield {
                **cell,
                "testIdx": index,
                "promptIdx": column,
                "vars": given,
                "provider": {"id": cell.get("provider") or prompt.get("provider")},
                "prompt": {"raw": cell.get("prompt"), "label": prompt.get("label") or prompt.get("display") or prompt.get("raw")},
                "response": {"output": cell.get("text"), "tokenUsage": cell.get("tokenUsage"), "cached": cell.get("cached")},
                "testCase": mapping(line).get("test") or {},
            }


class _Reader:
    """The results of one file."""

    def __init__(self, file: File, document: Document, options: Options) -> None:
        self._file = file
        self._rows = document.rows
        self._prompts = document.prompts
        self._options = options
        self._params = _provider_params(document.config)
        self._arms: dict[str, str] = {}
        self._items: dict[str, str] = {}
        self._variables: dict[str, None] = {}
        self.texts: dict[str, str] = {}

    def results(self) -> list[Result]:
        seen: Counter[tuple[str, str, str]] = Counter()
        in_test: set[tuple[str, str, object]] = set()
        found = []
        for number_, row in enumerate(self._rows, 1):
            where = f"result {number_}"
            given = mapping(row.get("vars"))
            self._variables.update(dict.fromkeys(given))
            arm = self._arm(row, given, where)
            provider = mapping(row.get("provider")) or {"id": row.get("provider")}
            model = name_of(provider.get("label") or provider.get("id") or "provider")
            item = self._item(row, given)
            key = (model, arm, item)
            if "testIdx" in row:
                place = (model, arm, text(row["testIdx"]))
                if place in in_test:
                    raise refusal(
                        self._file.path,
                        f"{where}: the prompt {arm!r} was asked of the provider {model!r} twice in one test case, so its answers "
                        "cannot be told apart; give the providers labels that differ in promptfoo's configuration",
                    )
                in_test.add(place)
            found.append(self._result(row, given, {"arm": arm, "model": model, "item": item, "repeat": seen[key], "where": where}))
            seen[key] += 1
        return found

    def _result(self, row: Mapping[str, Any], given: Mapping[str, Any], place: Mapping[str, Any]) -> Result:
        response = mapping(row.get("response"))
        usage = mapping(response.get("tokenUsage")) or mapping(row.get("tokenUsage"))
        failed = _failed(row)
        answer = "" if failed else text(response.get("output"))
        score = None if failed else self._score(row, place["where"])
        provider = mapping(row.get("provider"))
        outcome: Outcome = "error" if failed else FINISHED.get(text(response.get("finishReason")), "ok" if answer.strip() else "empty")
        cluster = self._options.columns.get("cluster")
        return Result(
            **place,
            task=task_name(self._file.path.stem),
            score=score,
            outcome=outcome,
            answer=answer,
            messages=as_messages(mapping(row.get("prompt")).get("raw")),
            input=_words({k: v for k, v in given.items() if k != self._options.columns.get("arm")}),
            targets=_targets(row),
            cluster=short(text(given.get(cluster))) if cluster else None,
            params=self._params.get(text(provider.get("label")) or text(provider.get("id"))) or {},
            input_tokens=whole(usage.get("prompt")),
            output_tokens=whole(usage.get("completion")),
            cost_usd=number(row.get("cost")) or None,  # 0 is what promptfoo writes where it knows no price
            latency_s=(number(row.get("latencyMs")) or 0.0) / 1000,
            finish_reason=text(response.get("finishReason")) or None,
            cached=bool(response.get("cached")),
            error=text(row.get("error") or response.get("error")) if failed else None,
        )

    def _score(self, row: Mapping[str, Any], where: str) -> float | None:
        metric = self._options.metric
        if metric is None:
            return number(row.get("score"))
        named = mapping(row.get("namedScores"))
        if named and metric not in named:
            raise refusal(self._file.path, f"{where}: there is no metric {metric!r}; its named scores are {listed(list(named))}")
        return number(named.get(metric))

    def _arm(self, row: Mapping[str, Any], given: Mapping[str, Any], where: str) -> str:
        variable = self._options.columns.get("arm")
        if variable is not None:
            if variable not in given:
                raise refusal(self._file.path, f"{where}: there is no test variable {variable!r}; the variables are {listed(list(given))}")
            value = text(given[variable])
            name = self._named(value, value or "none")
            self.texts.setdefault(name, value)
            return name
        prompt = mapping(row.get("prompt"))
        index = whole(row.get("promptIdx"))
        head = mapping(self._prompts[index]) if index is not None and index < len(self._prompts) else {}
        label = text(prompt.get("label") or head.get("label") or prompt.get("raw"))
        name = self._named(text(row.get("promptId")) or label, label)
        self.texts.setdefault(name, text(head.get("raw")) or label)
        return name

    def _named(self, key: str, label: str) -> str:
        """A name for each prompt: its label, or a number where the label is the prompt itself or somebody else's."""
        if key not in self._arms:
            name = name_of(label)
            if not name or "\n" in label.strip() or name != short(name) or "{{" in name or name in self._arms.values():
                name = f"prompt-{len(self._arms) + 1}"
            self._arms[key] = name
        return self._arms[key]

    def _item(self, row: Mapping[str, Any], given: Mapping[str, Any]) -> str:
        """A test case is its variables and what it asserts; the place of a test changes with promptfoo's repeats."""
        wanted = self._options.columns.get("item")
        if wanted is not None:
            if wanted not in given:
                raise refusal(self._file.path, f"there is no test variable {wanted!r}; the variables are {listed(list(given))}")
            return short(" ".join(text(given[wanted]).split()))
        test = mapping(row.get("testCase"))
        checks = [[mapping(a).get("type"), mapping(a).get("value")] for a in entries(test.get("assert"))]
        others = {k: v for k, v in given.items() if k != self._options.columns.get("arm")}
        key = digest([others, checks if not self._options.columns.get("arm") else [], test.get("description")])
        return self._items.setdefault(key, f"test-{len(self._items) + 1:03d}")

    def one_arm(self, found: Sequence[Result]) -> str:
        """Why a file of one prompt holds no comparison."""
        providers = len({r.model for r in found})
        label = next(iter(self.texts.values()), "")
        return (
            f"promptfoo asked one prompt only, {' '.join(label.split())[:80]!r}, of {providers} provider(s) in {len(self._items)} test "
            "cases; what differs between these results is the test case or the provider, and never what was added to one and the same "
            f"test case. Where a test variable tells the arms apart, name it: --arm VARIABLE (the variables are "
            f"{listed(list(self._variables))})"
        )


def _failed(row: Mapping[str, Any]) -> bool:
    """Whether the call failed: promptfoo writes `error` for a failed assertion too, and score 0 for both."""
    if "failureReason" in row:
        return bool(row["failureReason"] == FAILED_CALL)
    if mapping(row.get("response")).get("error"):
        return True
    return bool(row.get("error")) and not mapping(row.get("gradingResult"))


def _scored_by_something(file: File, document: Document) -> None:
    """A test without assertions passes whatever the answer is, which says nothing about it."""
    judged = [row for row in document.rows if not _failed(row)]
    if judged and all(
        number(row.get("score")) == 1
        and not mapping(row.get("gradingResult")).get("componentResults")
        and not mapping(row.get("testCase")).get("assert")
        for row in judged
    ):
        raise refusal(file.path, "no test case asserts anything, so promptfoo passed every answer; add assertions and evaluate again")


def _targets(row: Mapping[str, Any]) -> tuple[str, ...]:
    checks = [mapping(check) for check in entries(mapping(row.get("testCase")).get("assert"))]
    values = [text(check.get("value")) for check in checks if check.get("type") in ANSWER_CHECKS]
    return tuple(value for value in values if value and "{{" not in value)


def _words(given: Mapping[str, Any]) -> str:
    if len(given) == 1:
        return text(next(iter(given.values())))
    return "\n".join(f"{name}: {text(value)}" for name, value in given.items())


def _provider_params(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sampling parameters by the label or id of a provider."""
    listed_ = config.get("providers") or config.get("targets")
    found = {}
    for entry in entries(listed_):
        provider = mapping(entry)
        if len(provider) == 1 and "id" not in provider:  # {"openai:gpt-4o": {"config": {}}}
            name, inside = next(iter(provider.items()))
            provider = {"id": name, **mapping(inside)}
        name = text(provider.get("label")) or text(provider.get("id"))
        if name:
            found[name] = sampling(provider.get("config"))
    return found


def _notes(results: Sequence[Result]) -> tuple[str, ...]:
    notes = []
    if n_cached := sum(r.cached for r in results):
        notes.append(f"{n_cached:,} of {len(results):,} answers came from promptfoo's cache, so repeats among them are not new draws")
    if any(r.repeat for r in results):
        notes.append("test cases that stand several times are taken as repeats of one item")
    return tuple(notes)
