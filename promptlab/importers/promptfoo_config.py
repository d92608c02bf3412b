"""A configuration of promptfoo as task files, prompts and an experiment; nothing is run or fetched, and no file outside its folder is read.

Tests that assert the same kinds of things make one task. What differs from test to test (the text of `equals`) is a column of its table.
What has no counterpart here is listed, never dropped in silence.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptlab.importers.promptfoo_asserts import CannotBe, of_cell
from promptlab.importers.promptfoo_asserts import converted as converted_assertion
from promptlab.importers.promptfoo_providers import models as converted_models
from promptlab.importers.promptfoo_providers import without_settings
from promptlab.importers.values import entries, mapping, number, refusal, text
from promptlab.nouns import FileProblems, counted, grouped, no_file
from promptlab.sources.foreign import json_value, read_bytes, yaml_value
from promptlab.sources.starting import Started, experiment_text, judge_of, look, plain_name, task_text

LARGEST = 8 * 2**20
MOST_TESTS = 20_000
MOST_TASKS = 12
"""Groups of tests that assert different things; of more, the smallest are left out."""
DOUBLE = re.compile(r"\{\{-?\s*([\w.]+)\s*-?\}\}")
SINGLE = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)\}(?!\})")
JINJA = re.compile(r"\{%.*?%\}|\{\{[^{}]*[|(\[][^{}]*\}\}|\{#.*?#\}", re.DOTALL)
FILTERED = re.compile(r"\{\{-?\s*([\w.]+)\s*\|[^{}]*\}\}")
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
LOOP = re.compile(r"\{%-?\s*(for|if)\b.*?\{%-?\s*end\1\s*-?%\}", re.DOTALL)
RESERVED = ("input", "choices", "labels", "demos", "instruction")
KNOWN = (
    "description", "prompts", "providers", "targets", "tests", "scenarios", "defaultTest", "assertionTemplates", "tags", "metadata",
    "outputPath", "evaluateOptions", "commandLineOptions", "sharing", "writeLatestResults",
)  # fmt: skip
"""Keys of a configuration that are converted, or change no answer and no score; likewise of a test and of an assertion below."""
KNOWN_OF_TEST = ("vars", "assert", "description", "metadata")
KNOWN_OF_ASSERTION = ("type", "value", "metric", "weight", "description", "$ref", "assert")


@dataclass(slots=True)
class _Test:
    """One test case, its assertions as (kind, parameters, name, weight), with `None` where the value is its right answer."""

    given: dict[str, str]
    shape: str = ""
    assertions: list[dict[str, Any]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)


def converted(path: Path, model: str | None, simulated: str) -> Started:
    """The files that ask the same here; FileProblems where there is no prompt or no test to ask."""
    return _Conversion(path, model, simulated).done()


class _Conversion:
    def __init__(self, path: Path, model: str | None, simulated: str) -> None:
        self._path, self._folder, self._model, self._simulated = path, path.parent, model, simulated
        value = self._parsed(path)
        if not isinstance(value, dict) or "prompts" not in value:
            raise refusal(path, "not a configuration of promptfoo: it has no 'prompts'")
        self._config: Mapping[str, Any] = value
        self._lost: Counter[str] = Counter(
            str(key)[:60] for key, held in value.items() if held and key not in KNOWN and not str(key).startswith(("x-", "$"))
        )
        self._notes: list[str] = []
        try:
            self._default = mapping(self._value(value.get("defaultTest")))
        except CannotBe:
            self._default = {}
            self._lost["defaultTest: it is code"] += 1
        lost: Counter[str] = Counter()
        models, self._sampling = converted_models(value.get("providers") or value.get("targets"), lost)
        if model is None:
            self._lost += lost
        self._models = [model] if model else models or [simulated]

    def done(self) -> Started:
        prompts = self._prompts()
        tests = [one for one in self._tests() if one.assertions]
        if not tests:
            raise refusal(self._path, "; ".join(["none of its tests can be run and scored here", *self._told()]))
        name = plain_name(text(self._config.get("description")).lower()[:40], plain_name(self._folder.resolve().name, "promptfoo"))
        started = Started(name, f"{name}.yaml")
        files, n_most = self._tasks(tests, name, prompts, started)
        entries_ = {label: self._prompt_file(label, messages, name, started) for label, messages in prompts.items()}
        if len(entries_) == 1:
            only = next(iter(prompts.values()))
            entries_["expert"] = (
                [{"role": "system", "content": "You are a careful expert."}, *only]
                if isinstance(only, list)
                else {"text": "You are a careful expert.\n\n" + only}
            )
            self._notes.append("there is one prompt; 'expert' was added to have something to compare it with: write your own there")
        started.files[started.experiment] = experiment_text(name, files, entries_, self._models, n_most, sampling=self._sampling)
        started.notes += self._notes
        started.left_out += self._told()
        return started

    def _told(self) -> list[str]:
        return [f"{what} ({n} times)" if n > 1 else what for what, n in self._lost.items()]

    # Reading

    def _near(self, name: str) -> Path:
        """A file that the configuration names, in its own folder or below."""
        path = self._folder / name.removeprefix("file://")
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise refusal(self._path, f"it names {name!r}, outside of its folder, which is not read")
        return path

    def _text(self, path: Path) -> str:
        try:
            return read_bytes(path, LARGEST).decode("utf-8-sig")
        except FileNotFoundError:
            raise refusal(path, no_file(path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise refusal(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None

    def _parsed(self, path: Path) -> Any:  # noqa: ANN401
        try:
            return json_value(self._text(path), once=True) if path.suffix.lower() == ".json" else yaml_value(self._text(path))
        except ValueError as error:
            raise refusal(path, f"cannot be read: {error}") from None

    # Prompts

    def _prompts(self) -> dict[str, str | list[Any]]:
        given = self._config["prompts"]
        found: dict[str, str | list[Any]] = {}
        if isinstance(given, dict):  # of earlier versions: files with their labels
            given = [{"id": key, "label": label} for key, label in given.items()]
        for n, entry in enumerate(given if isinstance(given, list) else [given], 1):
            inside = mapping(entry)
            raw = inside.get("raw") or inside.get("id") or inside.get("content") or entry
            label = text(inside.get("label")) or f"prompt-{n}"
            if not isinstance(raw, str):
                self._lost[f"prompt {n}: {str(raw)[:60]!r} is no text"] += 1
                continue
            for part, words in enumerate(self._read_prompt(raw, n), 1):
                name = self._free(plain_name(label, f"prompt-{n}") + (f"-{part}" if part > 1 else ""), found)
                found[name] = self._chat(self._plain(words, f"prompt {label!r}"), label)
        if not found:
            raise refusal(self._path, "; ".join(["it has no prompt that can be read", *self._told()]))
        return found

    def _read_prompt(self, raw: str, n: int) -> Iterator[str]:
        """The text of a prompt, or those of a file; code is named and left."""
        is_file = raw.startswith("file://") or ("\n" not in raw and re.search(r"\.(txt|md|json|ya?ml|py|js|ts|mjs|j2|csv)$", raw))
        suffix = Path(raw).suffix.lower().split(":")[0]
        if raw.startswith(("exec:", "http:", "https:", "langfuse:", "portkey:")) or (
            is_file and suffix in (".py", ".js", ".ts", ".mjs", ".cjs")
        ):
            self._lost[f"prompt {n}: {raw[:60]!r} is made by code or fetched"] += 1
            return
        if not is_file:
            yield raw
            return
        name = self._near(raw)
        paths = sorted(name.parent.glob(name.name))[:50] if "*" in name.name else [name]
        for path in paths:
            whole = self._text(path)
            yield from (part.strip("\n") for part in re.split(r"(?m)^---\s*$", whole) if part.strip()) if path.suffix == ".txt" else [whole]

    def _plain(self, words: str, where: str) -> str:
        """A template without comments, and without the filters of variables, which are listed."""
        words = COMMENT.sub("", words)
        plain = FILTERED.sub(r"{{\1}}", words)
        if plain != words:
            self._lost[f"{where}: filters of variables, such as {FILTERED.search(words)[0][:60]!r}"] += 1  # type: ignore[index]
        return plain

    def _chat(self, words: str, label: str) -> str | list[Any]:
        """A prompt with variables as they are written here: text, or the messages of a chat in JSON or YAML."""
        messages = self._messages(words)
        if messages is None and (messages := self._messages(LOOP.sub("", words))) is not None:
            self._lost[f"prompt {label!r}: its blocks of Jinja ({{% ... %}}), which are left out"] += 1
        elif JINJA.search(words):
            self._lost[f"prompt {label!r}: Jinja beyond {{{{name}}}} is sent as it is written"] += 1
        return words if messages is None else messages

    def _messages(self, words: str) -> list[Any] | None:
        try:
            value = yaml_value(words) if words.lstrip().startswith(("[", "- role:")) else None
        except ValueError:
            return None
        if not value or not isinstance(value, list) or not all(isinstance(mapping(m).get("content"), str) and m.get("role") for m in value):
            return None
        return [{"role": "system" if m["role"] == "developer" else m["role"], "content": DOUBLE.sub(r"{\1}", m["content"])} for m in value]

    def _free(self, name: str, taken: Mapping[str, object]) -> str:
        return next(one for one in itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2))) if one not in taken)

    def _prompt_file(self, label: str, prompt: str | list[Any], name: str, started: Started) -> Any:  # noqa: ANN401
        """Where a prompt is written: a chat in the experiment, text in a file of its own."""
        if isinstance(prompt, list):
            return prompt
        file = f"{name}_prompts/{label}.txt"
        started.files[file] = DOUBLE.sub(r"{\1}", prompt)
        return {"file": file, **({"literal": literal} if (literal := self._literal(prompt)) else {})}

    def _literal(self, prompt: str) -> list[str]:
        doubles = set(DOUBLE.findall(prompt))
        return sorted(set(SINGLE.findall(prompt)) - doubles)

    # Tests

    def _tests(self) -> Iterator[_Test]:
        for n, case in enumerate(itertools.islice(self._cases(), MOST_TESTS), 1):
            for key in {**self._default, **case}:
                if key not in KNOWN_OF_TEST and (case.get(key) or self._default.get(key)):
                    self._lost[f"'{key}' of a test"] += 1
            given = {**mapping(self._default.get("vars")), **mapping(case.get("vars"))}
            checks = [*entries(self._default.get("assert")), *entries(case.get("assert"))]
            for values in self._expanded(given, n):
                one = _Test(values)
                for check in checks:
                    self._assert(mapping(check), one)
                one.shape = json.dumps(one.assertions, sort_keys=True, default=str)
                if not one.assertions:
                    self._lost["a test that asserts nothing that can be converted"] += 1
                yield one

    def _cases(self) -> Iterator[Mapping[str, Any]]:
        given = self._config.get("tests")
        for scenario in map(mapping, entries(self._config.get("scenarios"))):
            for shared, case in itertools.product(entries(scenario.get("config")), entries(scenario.get("tests"))):
                own, more = mapping(case), mapping(shared)
                checks = [*entries(more.get("assert")), *entries(own.get("assert"))]
                yield {**more, **own, "vars": {**mapping(more.get("vars")), **mapping(own.get("vars"))}, "assert": checks}
        for entry in given if isinstance(given, list) else [given]:
            if isinstance(entry, dict) and "path" not in entry:
                yield entry
            elif isinstance(name := mapping(entry).get("path", entry), str):
                if re.search(r"\.(py|js|ts|mjs)\b", name) or name.startswith(("http", "huggingface:")):
                    self._lost[f"tests: {name[:60]!r} are made by code or fetched"] += 1
                    continue
                yield from self._listed(name)

    def _listed(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Tests in a file: a list as in the configuration, or a table whose columns are variables and `__expected`."""
        near = self._near(name)
        for path in sorted(near.parent.glob(near.name)) if "*" in near.name else [near]:
            if path.suffix.lower() in (".yaml", ".yml", ".json"):
                yield from (mapping(one) for one in entries(self._parsed(path)))
                continue
            try:
                if path.suffix.lower() == ".jsonl":
                    yield from (mapping(json_value(line, once=True)) for line in self._text(path).splitlines() if line.strip())
                    continue
                for row in look(path).rows:
                    for key in row:
                        if key.startswith("__") and not re.fullmatch(r"__expected\d*|__description|__metadata.*", key):
                            self._lost[f"the column {key[:40]!r} of {path.name}"] += 1
                    checks = [of_cell(text(v)) for k, v in row.items() if re.fullmatch(r"_*expected\d*", k) and text(v).strip()]
                    values = {k: v for k, v in row.items() if not re.fullmatch(r"_*expected\d*|__.*", k)}
                    yield row if "vars" in row else {"vars": values, "assert": checks}
            except (FileProblems, ValueError) as error:
                self._lost[f"tests of {path.name}: {error}"] += 1

    def _expanded(self, given: Mapping[str, Any], n: int) -> Iterator[dict[str, str]]:
        """The values of the variables: lists make one test for each of their values; files are read, code is not run."""
        lists = {str(key): value if isinstance(value, list) else [value] for key, value in given.items()}
        for values in itertools.islice(itertools.product(*lists.values()), 1000):
            found = {}
            for key, value in zip(lists, values, strict=True):
                words = text(value)
                if words.startswith("file://"):
                    if Path(words).suffix.lower() not in (".txt", ".md", ".json", ".yaml", ".yml", ".csv", ".html", ".xml"):
                        self._lost[f"variable {key!r} of test {n}: {words[:60]!r} is code or no text"] += 1
                        continue
                    words = self._text(self._near(words))
                elif "{{" in words:
                    words = self._filled(self._plain(words, f"variable {key!r}"), {k: text(v) for k, v in zip(lists, values, strict=True)})
                    if DOUBLE.search(words) or JINJA.search(words):
                        self._lost[f"variable {key!r}: the template {words[:40]!r} is sent as it is written"] += 1
                found[key] = words
            yield found

    # Assertions

    def _assert(self, check: Mapping[str, Any], test: _Test) -> None:
        if ref := check.get("$ref"):
            check = {**mapping(mapping(self._config.get("assertionTemplates")).get(text(ref).rsplit("/", 1)[-1])), **check}
        given = text(check.get("type"))
        if given == "assert-set":
            self._lost["'assert-set' as a group, with its weight and threshold: its assertions are separate"] += 1
            for inside in entries(check.get("assert")):
                self._assert(mapping(inside), test)
            return
        try:
            value = self._value(check.get("value"))
            filled = self._filled(value, test.given)
            shared = filled == value and check in entries(self._default.get("assert"))
            made = converted_assertion(given, filled, check.get("threshold"), test.targets, shared=shared, judge=self._judge)
        except CannotBe as why:
            self._lost[f"assertion '{given}'{': ' if str(why) else ''}{why}"] += 1
            return
        for key in check:
            if key not in (*KNOWN_OF_ASSERTION, *(["threshold"] if given in ("cost", "latency") else [])):
                self._lost[f"'{key}' of an assertion '{given}'"] += 1
        name = text(check.get("metric"))[:60]
        weight = number(check.get("weight"))
        test.assertions.append({**made, **({"name": name} if name else {}), **({} if weight in (None, 1.0) else {"weight": weight})})

    def _value(self, value: Any) -> Any:  # noqa: ANN401
        """A value, or the content of the file that it names; code is not run."""
        if not (isinstance(value, str) and value.startswith("file://")):
            return value
        if Path(value).suffix.lower() not in (".txt", ".json", ".yaml", ".yml", ".md"):
            raise CannotBe("its value is code")
        path = self._near(value)
        return self._parsed(path) if path.suffix.lower() in (".json", ".yaml", ".yml") else self._text(path)

    def _filled(self, value: Any, given: Mapping[str, str]) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            return [self._filled(one, given) for one in value]
        if not isinstance(value, str):
            return value
        return DOUBLE.sub(lambda m: given.get(m[1], m[0]), value)

    # Files

    def _tasks(self, tests: Sequence[_Test], name: str, prompts: Mapping[str, Any], started: Started) -> tuple[list[str], int]:
        """A table and a task file for each group of tests of one shape; their names, and the size of the largest."""
        groups = grouped((test.shape, test) for test in tests)
        kept = sorted(groups.values(), key=len, reverse=True)
        for lost in kept[MOST_TASKS:]:
            self._lost["a test whose assertions no other test has, beyond the first groups"] += len(lost)
        files, largest = [], 0
        every = [" ".join(m["content"] for m in p) if isinstance(p, list) else p for p in prompts.values()]
        for n, group in enumerate(kept[:MOST_TASKS], 1):
            own = name if len(kept) == 1 else f"{name}-{n}"
            asked = self._asked(group, every)
            rows = [
                {**test.given, **({TARGET: test.targets} if test.targets else {})} for test in group if test.given.get(asked, "").strip()
            ]
            if len(rows) < len(group):
                self._lost[f"a test without {asked!r}, which the prompts ask"] += len(group) - len(rows)
            if not rows:
                continue
            names = dict.fromkeys(key for row in rows for key in row)
            for unset in sorted({name for words in every for name in DOUBLE.findall(words)} - names.keys()):
                self._lost[f"the variable {unset!r} has no value in some tests: it is empty there"] += 1
                names[unset] = None
            started.files[f"{own}_items.jsonl"] = "".join(
                json.dumps({k: row.get(k, "") for k in names}, ensure_ascii=True) + "\n" for row in rows
            )
            task = {
                "items": f"{own}_items.jsonl",
                "columns": {"input": asked, **({"target": TARGET} if group[0].targets else {})},
                "assertions": group[0].assertions,
            }
            started.files[f"{own}_task.yaml"] = task_text(task, f"Tests of {self._path.name} that assert the same.")
            files.append(f"{own}_task.yaml")
            largest = max(largest, len(rows))
        if not files:
            raise refusal(self._path, "; ".join(["no test gives a value to a variable of the prompts", *self._told()]))
        if len(files) > 1:
            self._notes.append(
                f"its tests assert {len(files)} different things, so there are {counted(len(files), 'task')}; few tests in each find little"
            )
        return files, largest

    def _asked(self, group: Sequence[_Test], prompts: Sequence[str]) -> str:
        """The variable that stands for the input: in every prompt if one is, given in most tests, with most values, and the longest."""
        held = [set(DOUBLE.findall(p)) | set(re.findall(r"\{(\w+)\}", p)) for p in prompts]
        names = list(dict.fromkeys(key for test in group for key in test.given))
        if not names:
            raise refusal(self._path, "its tests have no vars, so there is nothing that changes from item to item")
        sizes = {
            name: (
                sum(name in of for of in held),
                sum(bool(t.given.get(name, "").strip()) for t in group),
                len({t.given.get(name) for t in group}),
                sum(len(t.given.get(name, "")) for t in group),
            )
            for name in names
        }
        return max(names, key=lambda name: sizes[name])

    @property
    def _judge(self) -> Any:  # noqa: ANN401
        """Who rates by a rubric: a simulated judge where simulated models answer."""
        return judge_of(without_settings(self._models[0]))[0]


TARGET = "right answer"
"""The column of a converted table that holds what a test's own assertion names."""
