"""promptfoo's results: `promptfoo eval -o out.json` (or .jsonl, .yaml, .csv), of every version since 2023.

An arm is a prompt: its label and its template, whatever its place. An item is a test case: its variables and what it asserts. A
model is a provider. Of the configuration only sampling parameters are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.importers.cells import as_messages
from promptlab.importers.files import File
from promptlab.importers.promptfoo_files import FAILED_CALL, document
from promptlab.importers.results import BY_MODEL, Options, Reading, Result, Source, arm_names_for, compare_models, files_named
from promptlab.importers.values import (
    entries,
    known_by,
    mapping,
    name_of,
    number,
    refusal,
    sampling,
    secrets_in,
    short,
    task_name,
    text,
    whole,
)  # fmt: skip
from promptlab.nouns import Outcome, UsageProblem, listed
from promptlab.nouns.words import counted

FINISHED: Mapping[str, Outcome] = {"length": "truncated", "max_tokens": "truncated", "content_filter": "refused", "safety": "refused"}
ANSWER_CHECKS = ("equals", "contains", "icontains", "iequals", "starts-with", "is-exactly")
PASS, SCORE = "pass", "score"
UNASSERTED = "No assertions"
"""The reason that promptfoo gives for passing an answer that nothing was asserted about."""
Arm = tuple[str, str]
"""A label, and the template or the value that it stands for."""


def read(files: Sequence[File], options: Options) -> Reading:
    """All results of the files, a score for each prompt, provider and test case."""
    files_named(files)
    readers = [_Reader(file, index, options) for index, file in enumerate(files)]
    places: dict[Arm, int] = {}
    results: list[Result] = []
    for reader in readers:
        found = reader.results()
        for arm, place in reader.arms.items():
            places[arm] = min(place, places.get(arm, place))
        results += found
    names = _names(places)
    for r in results:
        r.arm = names[readers[r.file].arm_of[r.arm]]
    _name_tasks(results, readers, options)
    if options.columns.get("arm") == BY_MODEL and not any(BY_MODEL in reader.variables for reader in readers):
        compare_models(results)
    notes = _notes(results, readers, options)
    texts = {names[arm]: arm[1] or arm[0] for arm in places if not any(file.arm for file in files)}
    return Reading(
        tuple(results),
        tuple(reader.source for reader in readers),
        metric=f"promptfoo {options.metric or PASS}",
        texts=texts,
        notes=notes,
        one_arm=_one_arm(files, results, readers, next(iter(texts.values()), "")),
        secrets=tuple(set().union(*(reader.secrets for reader in readers))),
        metrics=(PASS, SCORE, *dict.fromkeys(name for reader in readers for name in reader.named)),
        by_content="item" not in options.columns,
    )


class _Reader:
    """The results of one file. Until all files are read, the arm of a result is its place and label in this file."""

    def __init__(self, file: File, index: int, options: Options) -> None:
        self._file = file
        self._index = index
        self._options = options
        self._wanted = options.columns.get("arm")
        self._in_test: set[tuple[str, str, str]] = set()
        self._repeats: dict[tuple[str, str, str], int] = defaultdict(int)
        self._places: dict[str, tuple[int | None, str]] = {}
        self._labels: set[str] = set()
        self._n_judged = self._n_asserted = self.n_unasserted = 0
        self.arms: dict[Arm, int] = {}
        self.arm_of: dict[str, Arm] = {}
        self.variables: dict[str, None] = {}
        self.named: dict[str, None] = {}
        self.secrets: set[str] = set()
        self.items: set[str] = set()

    def results(self) -> list[Result]:
        self._document = found = document(self._file)
        rows = ((n, row) for n, row in enumerate(found.rows, 1) if not self._unasserted(row))
        results = [self._result(row, f"result {n} of {self._file.path.name}") for n, row in rows]
        if (self._n_judged or self.n_unasserted) and not self._n_asserted:
            raise refusal(
                self._file.path, "no test case asserts anything, so promptfoo passed every answer; add assertions and evaluate again"
            )
        for name in ("providers", "env", "defaultTest"):
            self.secrets |= secrets_in(found.config.get(name))
        params = _provider_params(found.config)
        for r in results:
            r.params = params.get(r.model, r.params)
        for key, (place, label) in self._places.items():
            head = mapping(found.prompts[place]) if place is not None and place < len(found.prompts) else {}
            template = text(head.get("raw")) if not self._wanted and not self._file.arm else label if self._wanted else ""
            self.arm_of[key] = arm = (label, "" if template == label and not self._wanted else template)
            self.arms[arm] = min(place or 0, self.arms.get(arm, place or 0))
        if self._file.arm and len(self._labels) > 1:
            raise UsageProblem(f"--arm-name {self._file.path}=...: this file holds several prompts, so it is no single arm")
        self.description = text(found.config.get("description")).strip()
        return results

    @property
    def source(self) -> Source:
        return Source(self._file.path.name, self._file.sha256, "promptfoo", self._document.version)

    def _result(self, row: Mapping[str, Any], where: str) -> Result:
        given = {name: value for name, value in mapping(row.get("vars")).items() if not name.startswith("_") and name != "sessionId"}
        self.variables.update(dict.fromkeys(given))
        provider = mapping(row.get("provider")) or {"id": row.get("provider")}
        if isinstance(row.get("provider"), dict):
            self.secrets |= secrets_in(row["provider"])
        model = name_of(provider.get("label") or provider.get("id") or "provider")
        arm = self._arm(row, given, where)
        item = self._item(row, given)
        if "testIdx" in row:
            place = (model, arm, text(row["testIdx"]))
            if place in self._in_test:
                raise refusal(
                    self._file.path,
                    f"{where}: the prompt {self._places[arm][1]!r} was sent to the provider {model!r} twice in one "
                    "test case, so its answers "
                    "cannot be distinguished; give the providers labels that differ in promptfoo's configuration",
                )
            self._in_test.add(place)
        repeat = self._repeats[model, arm, item]
        self._repeats[model, arm, item] += 1
        response = mapping(row.get("response"))
        usage = mapping(response.get("tokenUsage")) or mapping(row.get("tokenUsage"))
        failed = _failed(row)
        answer = "" if failed else text(response.get("output"))
        latency = number(row.get("latencyMs"))
        cluster = self._options.columns.get("cluster")
        cached = bool(response.get("cached"))
        self._note_assertions(row, failed)
        return Result(
            arm=arm,
            model=model,
            task="",
            item=item,
            score=None if failed else self._score(row, where),
            where=where,
            repeat=repeat,
            outcome="error" if failed else FINISHED.get(text(response.get("finishReason")), "ok" if answer.strip() else "empty"),
            answer=answer,
            messages=as_messages(mapping(row.get("prompt")).get("raw")),
            input=_words({k: v for k, v in given.items() if k != self._wanted}),
            targets=_targets(row),
            cluster=short(text(given.get(cluster))) if cluster else None,
            input_tokens=whole(usage.get("prompt")),
            output_tokens=whole(usage.get("completion")),
            cost_usd=number(row.get("cost")) or None,  # 0 is what promptfoo writes where it knows no price
            latency_s=latency / 1000 if latency and not cached else None,
            finish_reason=text(response.get("finishReason")) or None,
            cached=cached,
            error=text(row.get("error") or response.get("error")) if failed else None,
            file=self._index,
        )

    def _score(self, row: Mapping[str, Any], where: str) -> float | None:
        metric = self._options.metric or PASS
        named = mapping(row.get("namedScores"))
        self.named.update(dict.fromkeys(named))
        if metric == PASS:
            told = (row.get("success"), row.get("pass"), mapping(row.get("gradingResult")).get("pass"))
            known = next((number(value) for value in told if isinstance(value, bool)), None)
            if known is None and (share := number(row.get("score"))) is not None:  # a file that leaves its own verdict out
                return float(share > 0 and row["failureReason"] == 0) if "failureReason" in row else float(share >= 1)
            return known
        if metric == SCORE:
            return number(row.get("score"))
        if named and metric not in named:
            raise refusal(self._file.path, f"{where}: there is no metric {metric!r}; choose {PASS}, {SCORE} or {listed(list(named))}")
        return number(named.get(metric))

    def _arm(self, row: Mapping[str, Any], given: Mapping[str, Any], where: str) -> str:
        prompt = mapping(row.get("prompt"))
        place = whole(row.get("promptIdx"))
        label = text(prompt.get("label") or prompt.get("display") or row.get("promptId"))
        label = label or (f"prompt {place}" if place is not None else text(prompt.get("raw")))
        if self._wanted and (self._wanted != BY_MODEL or self._wanted in given):
            if self._wanted not in given:
                raise refusal(
                    self._file.path, f"{where}: there is no test variable {self._wanted!r}; the variables are {listed(list(given))}"
                )
            label, place = text(given[self._wanted]), None
        if self._file.arm:
            self._labels.add(label)
            label, place = self._file.arm, None
        key = f"{'' if place is None else place}\0{label}"
        self._places.setdefault(key, (place, label))
        return key

    def _item(self, row: Mapping[str, Any], given: Mapping[str, Any]) -> str:
        """A test case is its variables and what it asserts; its place changes with repeats, and with whoever edits the file."""
        wanted = self._options.columns.get("item")
        if wanted is not None:
            if wanted not in given:
                raise refusal(self._file.path, f"there is no test variable {wanted!r}; the variables are {listed(list(given))}")
            item = short(" ".join(text(given[wanted]).split()))
        else:
            test = mapping(row.get("testCase"))
            checks = _checks(test.get("assert"))
            others = {k: v for k, v in given.items() if k != self._wanted}
            by_variable = self._wanted is not None and self._wanted in given
            item = known_by("test", others, [] if by_variable else checks, *([] if others else [test.get("description")]))
        self.items.add(item)
        return item

    def _unasserted(self, row: Mapping[str, Any]) -> bool:
        """Whether promptfoo says that it passed an answer because nothing was asserted."""
        unasserted = text(mapping(row.get("gradingResult")).get("reason")) == UNASSERTED and not mapping(row.get("testCase")).get("assert")
        self.n_unasserted += unasserted
        return unasserted

    def _note_assertions(self, row: Mapping[str, Any], failed: bool) -> None:
        graded = mapping(row.get("gradingResult"))
        self._n_judged += not failed
        self._n_asserted += not failed and bool(
            number(row.get("score")) != 1
            or graded.get("componentResults")
            or mapping(row.get("testCase")).get("assert")
            or text(graded.get("reason")) not in ("", UNASSERTED)
            or "gradingResult" not in row  # files of 2023 do not say what was asserted
        )


def _names(places: Mapping[Arm, int]) -> dict[Arm, str]:
    """A name for each prompt: its label, or a number where the label is the prompt itself. Numbers follow the places of the prompts.

    A label without its template, as JSON lines have it, is the one prompt of that label.
    """
    names: dict[Arm, str] = {}
    order = sorted(places, key=lambda arm: (places[arm], arm))
    for number_, arm in enumerate(order, 1):
        label, template = arm
        name = name_of(label) or "none"
        alike = [other for other in order if other[0] == label]
        n_templates = len({other[1] for other in alike if other[1]})
        if not template and n_templates == 1:
            continue
        if "\n" in label.strip() or name != short(name) or "{{" in name:
            name = f"prompt-{number_}"
        if name in names.values() or n_templates > 1:  # no prompt of a label that several have is the one that is called so
            name = next(f"{name}-{n}" for n in range(1 if n_templates > 1 else 2, len(places) + 2) if f"{name}-{n}" not in names.values())
        names[arm] = name
    return names | {arm: names[next(other for other in names if other[0] == arm[0])] for arm in order if arm not in names}


def _name_tasks(results: Sequence[Result], readers: Sequence[_Reader], options: Options) -> None:
    """The eval's own description; one task where arms come from evals that are described differently."""
    arms: dict[str, set[str]] = defaultdict(set)
    for r in results:
        arms[readers[r.file].description].add(r.arm)
    apart = len(arms) == 1 or all(name and len(of) > 1 for name, of in arms.items())
    for r in results:
        r.task = task_name(options.task_name or (readers[r.file].description if apart else "") or "promptfoo")


def _checks(asserted: object) -> list[list[Any]]:
    """What assertions ask: the kind and the value of each, of a set those in it."""
    found = []
    for check in map(mapping, entries(asserted)):
        within = _checks(check.get("assert"))
        found.append([check.get("type"), check.get("value"), *([within] if within else [])])
    return found


def _failed(row: Mapping[str, Any]) -> bool:
    """Whether the call failed: promptfoo writes `error` for a failed assertion too, and score 0 for both."""
    if "failureReason" in row:
        return bool(row["failureReason"] == FAILED_CALL)
    response = mapping(row.get("response"))
    if response.get("error"):
        return True
    return bool(row.get("error")) and not mapping(row.get("gradingResult")) and response.get("output") is None


def _targets(row: Mapping[str, Any]) -> tuple[str, ...]:
    checks = [mapping(check) for check in entries(mapping(row.get("testCase")).get("assert"))]
    values = [text(check.get("value")) for check in checks if check.get("type") in ANSWER_CHECKS]
    return tuple(value for value in values if value and "{{" not in value)


def _words(given: Mapping[str, Any]) -> str:
    if len(given) == 1:
        return text(next(iter(given.values())))
    return "\n".join(f"{name}: {text(value)}" for name, value in given.items())


def _provider_params(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sampling parameters by the name of a provider."""
    found = {}
    for entry in entries(config.get("providers") or config.get("targets")):
        provider = mapping(entry)
        if len(provider) == 1 and "id" not in provider:  # {"openai:gpt-4o": {"config": {}}}
            name, inside = next(iter(provider.items()))
            provider = {"id": name, **mapping(inside)}
        if name := name_of(provider.get("label") or provider.get("id")):
            found[name] = sampling(provider.get("config"))
    return found


def _one_arm(files: Sequence[File], results: Sequence[Result], readers: Sequence[_Reader], label: str) -> str:
    """Why files of one prompt hold no comparison."""
    providers = list(dict.fromkeys(r.model for r in results))
    variables = list(dict.fromkeys(name for reader in readers for name in reader.variables))
    n_items = len(set().union(*(reader.items for reader in readers)))
    models = "To compare the providers on this prompt: --arm model. " if len(providers) > 1 else ""
    apart = f" Where the files are the arms, name them: {arm_names_for(files)}" if len(files) > 1 else ""
    return (
        f"promptfoo ran one prompt only, {' '.join(label.split())[:80]!r}, "
        f"on {counted(len(providers), 'provider')} in {n_items} test cases. "
        f"{models}Where a test variable distinguishes the arms, name it: --arm VARIABLE (the variables are {listed(variables)}). Give the "
        f"result file of the other prompt as well where it was evaluated alone.{apart}"
    )


def _notes(results: Sequence[Result], readers: Sequence[_Reader], options: Options) -> tuple[str, ...]:
    metric = options.metric or PASS
    meant = {
        PASS: "promptfoo's own pass: 1 where every assertion of a test case passed (or its threshold was reached), "
        "else 0. --metric score takes the "
        "weighted share of assertions instead",
        SCORE: "promptfoo's score: the weighted share of a test case's assertions; --metric pass takes its own pass or fail instead",
    }
    notes = [f"the score is {meant.get(metric, f'the named score {metric!r}')}"]
    if n_cached := sum(r.cached for r in results):
        notes.append(f"{n_cached:,} of {len(results):,} answers came from promptfoo's cache, so repeats among them are not new draws")
    if n := sum(reader.n_unasserted for reader in readers):
        notes.append(f"{counted(n, 'answer')} about which nothing was asserted, all of which promptfoo passed, are left out")
    if any(r.repeat for r in results):
        notes.append("test cases that occur several times are taken as repeats of one item")
    return tuple(notes)
