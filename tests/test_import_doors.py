"""Every reader pairs by content: shuffled rows, renamed and reordered files and arms change no count; and exports of the real tools."""

from __future__ import annotations

import csv
import gzip
import json
import random
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptlab.importers import Options, explain
from promptlab.importers.importing import READERS, kind_of_all, read_as, read_files
from promptlab.importers.pairing import pair
from promptlab.importers.shapes import SHAPES, shaped
from promptlab.importers.tabular import read_rows
from promptlab.nouns import NONE_ARM
from promptlab.nouns.errors import FileProblems, PromptlabError, UsageProblem
from promptlab.sources import tables

HERE = Path(__file__).parent / "imported"
TOOLS = HERE / "tools"
CAREER = "This is very important to my career."
Scores = Mapping[str, Mapping[int, float | None]]
"""By arm and item."""
Counts = Mapping[str, tuple[int, int, int]]
"""By arm: items gained, lost, and paired."""


def counts(paths: Sequence[Path], options: Options | None = None, arm_names: Mapping[str, str] | None = None) -> Counts:
    """What an import would compare, by the names that arms have in the files."""
    options = options or Options()
    files = read_files(paths, arm_names or {})
    kind = kind_of_all(files, options)
    paired = pair(read_as(kind, files, options), options, files, READERS[kind][1])
    scores: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for r in paired.results:
        if r.score is not None:
            scores.setdefault((r.model, r.task, r.item), {}).setdefault(r.arm, []).append(r.score)
    found = {}
    for arm in paired.arms[1:]:
        both = [
            (sum(by[arm.name]) / len(by[arm.name]), sum(by[NONE_ARM]) / len(by[NONE_ARM]))
            for by in scores.values()
            if {arm.name, NONE_ARM} <= set(by)
        ]
        found[arm.imported_as] = (sum(a > b for a, b in both), sum(a < b for a, b in both), len(both))
    return found


def expected(scores: Scores) -> Counts:
    """The same from the scores themselves."""
    base = scores["none"]
    found = {}
    for arm, of in scores.items():
        both = [(of[i], base[i]) for i in of if i in base and of[i] is not None and base[i] is not None]
        if arm != "none":
            found[arm] = (sum(a > b for a, b in both), sum(a < b for a, b in both), len(both))  # type: ignore[operator]
    return found


@dataclass
class Written:
    """Files of one tool with known scores, and what a user would say to import them."""

    paths: list[Path]
    options: Options = Options(baseline="none")  # noqa: RUF009
    arm_names: dict[str, str] | None = None


def gunzip(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


class Writer:
    """Writes the scores as one tool would, rows, files and names in an order of its own."""

    def __init__(self, folder: Path, scores: Scores, seed: int) -> None:
        self.folder, self.scores, self.rng = folder, scores, random.Random(seed)

    def mixed(self, rows: Sequence[Any]) -> list[Any]:
        return self.rng.sample(list(rows), len(rows))

    def path(self, end: str) -> Path:
        folder = self.folder / f"{self.rng.randrange(10**6)}"
        folder.mkdir()
        return folder / f"{self.rng.choice(['output', 'results', 'a', 'none', 'career'])}{end}"

    def json(self, value: Any, end: str = ".json") -> Path:
        path = self.path(end)
        path.write_text(json.dumps(value))
        return path

    def lines(self, rows: Sequence[Any], end: str = ".jsonl") -> Path:
        path = self.path(end)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def csv(self, rows: Sequence[Mapping[str, Any]], end: str = ".csv") -> Path:
        path = self.path(end)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    def each(self, row: Callable[[str, int, float | None], Any]) -> list[Any]:
        """A row for each arm and item, mixed."""
        return self.mixed([row(arm, i, score) for arm, of in self.scores.items() for i, score in of.items()])

    def by_arm(self, write: Callable[[list[Any]], Path], row: Callable[[str, int, float | None], Any], **options: Any) -> Written:
        """A file for each arm, whose arms only the user can tell."""
        paths = {arm: write(self.mixed([row(arm, i, score) for i, score in of.items()])) for arm, of in self.scores.items()}
        return Written(
            self.mixed(list(paths.values())), Options(baseline="none", **options), {str(path): arm for arm, path in paths.items()}
        )

    # promptfoo

    def foo_row(self, arm: str, i: int, score: float | None, label: str | None = None) -> dict[str, Any]:
        arms = sorted(self.scores)
        return {
            "promptIdx": arms.index(arm), "testIdx": self.rng.randrange(10**9), "promptId": "",
            "prompt": {"raw": f"Say {i}. {arm}", "label": label or arm}, "provider": {"id": "toy"}, "vars": {"n": str(i)},
            "response": {"output": "x"}, "success": score == 1, "score": score, "failureReason": 2 if score is None else int(score != 1),
            "gradingResult": {"pass": score == 1, "score": score, "reason": "r", "componentResults": [{"pass": score == 1}]},
            "testCase": {"vars": {"n": str(i)}, "assert": [{"type": "contains", "value": "x"}]},
        }  # fmt: skip

    def foo_json(self, arms: Sequence[str] | None = None, template: str | None = None) -> Path:
        arms = sorted(arms or self.scores)
        head = [{"raw": f"Say {{{{n}}}}. {arm}", "label": template.format(arm) if template else arm} for arm in arms]
        rows = [
            {**self.foo_row(arm, i, score, template and template.format(arm)), "promptIdx": arms.index(arm)}
            for arm in arms for i, score in self.scores[arm].items()
        ]  # fmt: skip
        return self.json({"results": {"version": 3, "prompts": head, "results": self.mixed(rows)}, "config": {}})

    def promptfoo(self) -> Written:
        return Written([self.foo_json()])

    def promptfoo_alone(self) -> Written:
        return Written(self.mixed([self.foo_json([arm]) for arm in self.scores]))

    def promptfoo_unlabelled(self) -> Written:
        template = "Say {{{{n}}}}. {}"
        return Written([self.foo_json(template=template)], Options(baseline="Say {{n}}. none"))

    def promptfoo_lines(self) -> Written:
        return Written([self.lines(self.each(self.foo_row))])

    def promptfoo_yaml(self) -> Written:
        path = self.foo_json()
        return Written([path.rename(path.with_suffix(".yaml"))])

    def promptfoo_2023(self) -> Written:
        def row(arm: str, i: int, score: float | None) -> dict[str, Any]:
            found = {"prompt": {"raw": f"Say {i}. {arm}", "display": arm}, "vars": {"n": str(i)}, "provider": {"id": "toy"}}
            wrong = (
                {"error": "Expected x", "response": {"output": "y"}} if score is not None else {"error": "no", "response": {"error": "no"}}
            )
            return {**found, "success": score == 1, "score": score or 0, **({"response": {"output": "x"}} if score == 1 else wrong)}

        return Written([self.json({"results": {"version": 2, "results": self.each(row), "table": {"head": {}, "body": []}}})])

    def promptfoo_csv(self) -> Written:
        arms = self.mixed(list(self.scores))
        names = ["Status", "Score", "Named Scores", "Grader Reason", "Comment"]
        path = self.path(".csv")
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["n", *(cell for arm in arms for cell in (f"[toy] {arm}", *names))])
            for i in self.mixed(sorted(set().union(*self.scores.values()))):
                row = [str(i)]
                for arm in arms:
                    score = self.scores[arm].get(i)
                    row += ["x", "ERROR" if score is None else "PASS" if score else "FAIL", str(score or 0), "", "r", ""]
                writer.writerow(row)
        return Written([path])

    def promptfoo_named(self) -> Written:
        paths = {arm: self.foo_json([arm], template="the same") for arm in self.scores}
        return Written(self.mixed(list(paths.values())), Options(baseline="none"), {str(path): arm for arm, path in paths.items()})

    # other tools

    def inspect(self) -> Written:
        paths = []
        for arm, of in self.scores.items():
            samples = [
                {"id": n, "epoch": 1, "input": f"q{i}", "target": str(i), "output": {"completion": "x"},
                 **({"error": {"message": "down"}} if score is None else {"scores": {"match": {"value": "C" if score else "I"}}})}
                for n, (i, score) in enumerate(self.mixed(list(of.items())), 1)
            ]  # fmt: skip
            head = {"status": "success", "eval": {"task": "sums", "model": "m", "task_args": {"arm": arm}}}
            if self.rng.random() < 0.5:
                paths.append(self.json({**head, "samples": samples}))
                continue
            paths.append(self.path(".eval"))
            with zipfile.ZipFile(paths[-1], "w") as log:
                log.writestr("header.json", json.dumps(head))
                for sample in samples:
                    log.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
        return Written(self.mixed(paths))

    def lm_eval(self) -> Written:
        def row(arm: str, i: int, score: float | None) -> dict[str, Any]:
            return {"doc_id": i, "doc": {"question": f"q{i}"}, "doc_hash": f"h{i}", "resps": [["x"]], "filter": "none", "metrics": ["acc"],
                    "acc": score, "arguments": [[f"{arm} q{i}", {}]]}  # fmt: skip

        return self.by_arm(self.lines, row)

    def table(self, suffix: str = ".csv") -> Written:
        rows = self.each(lambda arm, i, score: {"item": f"q{i}", "arm": arm, "score": "" if score is None else score})
        if suffix == ".json":
            return Written([self.json(rows)])
        if suffix in (".jsonl", ".ndjson"):
            return Written([self.lines(rows, suffix)])
        path = self.path(suffix)
        if suffix == ".parquet":
            import pandas as pd

            pd.DataFrame(rows).replace("", None).astype({"score": float}).to_parquet(path)
        elif suffix in (".xlsx", ".xlsm"):
            import openpyxl

            book = openpyxl.Workbook()
            for row in (list(rows[0]), *(list(row.values()) for row in rows)):
                book.active.append(row)
            book.save(path)
        else:
            text = {".csv": ",", ".tsv": "\t"}[suffix]
            path.write_text("".join(text.join(map(str, row)) + "\n" for row in (rows[0], *(row.values() for row in rows))))
        return Written([path])

    def table_of_words(self) -> Written:
        right, wrong = self.rng.choice(
            [("pass", "fail"), ("✓", "✗"), ("100%", "0%"), ("TRUE", "false"), ("1,0", "0,0"), ("WAHR", "FALSCH")]
        )
        word = {1: right, 0: wrong, None: self.rng.choice(["", "n/a", "-"])}
        rows = self.each(lambda arm, i, score: {"id": i, "arm": arm, "score": word[score]})  # type: ignore[index]
        return Written([self.csv(rows)])

    def changes(self) -> Written:
        found = expected(self.scores)
        return Written([self.csv(self.mixed([
            {"variant": arm, "gained": up, "lost": down, "ties": n - up - down} for arm, (up, down, n) in found.items()
        ]))])  # fmt: skip

    def table_packed(self) -> Written:
        path = self.table().paths[0]
        encoding = self.rng.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
        packed = self.path(".csv.gz")
        packed.write_bytes(gzip.compress(path.read_text().replace("q", "é").encode(encoding)))
        return Written([packed])

    def table_by_arm(self) -> Written:
        return self.by_arm(self.csv, lambda arm, i, score: {"id": i, "score": "" if score is None else score})

    def wide(self) -> Written:
        arms = self.mixed(list(self.scores))
        items = self.mixed(sorted(set().union(*self.scores.values())))
        rows = [
            {"id": i, "question": f"q{i}", **{f"{arm}_ok": "" if (s := self.scores[arm].get(i)) is None else s for arm in arms}}
            for i in items
        ]
        return Written([self.csv(rows)], Options(baseline="none", wide=tuple(f"{arm}={arm}_ok" for arm in arms)))

    def langsmith(self) -> Written:
        arms = self.mixed(list(self.scores))
        items = self.mixed(sorted(set().union(*self.scores.values())))
        rows = [
            {"id": f"e{i}", "inputs.question": f"q{i}", **{f"outputs.answer ({arm})": "x" for arm in arms},
             **{f"feedback.correctness ({arm})": "" if (s := self.scores[arm].get(i)) is None else s for arm in arms}}
            for i in items
        ]  # fmt: skip
        return Written([self.csv(rows)])

    def langfuse(self) -> Written:
        return self.by_arm(
            self.csv, lambda arm, i, score: {"id": self.rng.random(), "name": "run", "timestamp": "t", "input": f"q{i}", "output": "o",
                                             "scores": json.dumps({"accuracy": [score]}), "metadata": ""}
        )  # fmt: skip

    def braintrust(self) -> Written:
        return self.by_arm(
            self.lines, lambda arm, i, score: {"id": self.rng.random(), "input": f"q{i}", "output": "o", "expected": "e",
                                               "scores": {"Exact": score}, "metadata": {"model": "m"}}
        )  # fmt: skip

    def mlflow(self) -> Written:
        return self.by_arm(
            lambda rows: self.json({"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}),
            lambda arm, i, score: {"inputs": f"q{i}", "outputs": "o", "exact_match/v1/score": score, "latency": 3},
        )

    def wandb(self) -> Written:
        rows = self.each(lambda arm, i, score: [i, arm, score])
        return Written([self.json({"columns": ["id", "arm", "score"], "data": rows, "ncols": 3, "nrows": len(rows)}, ".table.json")])

    def deepeval(self) -> Written:
        def row(arm: str, i: int, score: float | None) -> dict[str, Any]:
            metric = {"name": "Correctness", "threshold": 0.5, "success": score == 1, "score": score}
            return {"name": f"t{self.rng.random()}", "input": f"q{i}", "actualOutput": "o", "success": score == 1, "metricsData": [metric]}

        return self.by_arm(lambda rows: self.json({"testCases": rows}), row, metric="Correctness")

    def dspy(self) -> Written:
        return self.by_arm(
            self.json, lambda arm, i, score: [{"question": f"q{i}"}, {"answer": "a"}, None if score is None else bool(score)]
        )

    def dspy_table(self) -> Written:
        return self.by_arm(
            self.json, lambda arm, i, score: {"question": f"q{i}", "example_answer": "a", "pred_answer": "b", "exact_match": score}
        )

    def ragas(self) -> Written:
        row = lambda arm, i, score: {"user_input": f"q{i}", "response": "r", "reference": "g", "faithfulness": score, "recall": 0.5}  # noqa: E731
        return self.by_arm(self.csv, row, metric="faithfulness")

    def ragas_2023(self) -> Written:
        return self.by_arm(self.csv, lambda arm, i, score: {"question": f"q{i}", "answer": "r", "contexts": "[]", "faithfulness": score})

    def openai_evals(self) -> Written:
        def write(rows: list[Any]) -> Path:
            spec = {"completion_fns": ["toy"], "eval_name": "sums.v0", "run_id": "R"}
            return self.lines([{"spec": spec}, {"final_report": {"accuracy": 0.5}}, *rows])

        return self.by_arm(
            write, lambda arm, i, score: {"run_id": "R", "event_id": self.rng.randrange(99), "sample_id": f"sums.{i}", "type": "match",
                                          "data": {"correct": bool(score), "expected": "1", "sampled": "2"}}
        )  # fmt: skip

    def helm(self) -> Written:
        return self.by_arm(
            self.json, lambda arm, i, score: {"instance_id": f"id{i}", "train_trial_index": 0,
                                              "stats": [{"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": score}]}
        )  # fmt: skip


WRITERS = [
    name
    for name, made in vars(Writer).items()
    if callable(made) and getattr(made, "__annotations__", {}).get("return") == "Written" and name != "by_arm"
]
WRITERS += [f"table {suffix}" for suffix in tables.READERS]  # each format, so that a new one must be written here as well
ALWAYS_SCORED = ("dspy", "openai_evals", "changes")
"""Tools that write no missing score in this shape."""
scores_of_arms = st.lists(
    st.tuples(*[st.sampled_from([0.0, 1.0, 1.0, None]) for _ in range(3)]).filter(lambda row: row[0] is not None), min_size=4, max_size=12
).filter(lambda rows: all(any(row[k] is not None for row in rows) for k in range(3)) and any(0.0 in row for row in rows))


def write(tool: str, folder: Path, scores: Scores, seed: int) -> Written:
    name, _, suffix = tool.partition(" ")
    return getattr(Writer(folder, scores, seed), name)(*filter(None, [suffix]))  # type: ignore[no-any-return]


def test_every_reader_is_shuffled(tmp_path: Path) -> None:
    """A kind of file, a shape of rows or a format of tables that no writer makes is one whose order nobody tests."""
    kinds: set[str] = set()
    known: list[object] = []
    for n, tool in enumerate(WRITERS):
        folder = tmp_path / str(n)
        folder.mkdir()
        written = write(tool, folder, {"none": {0: 1.0, 1: 0.0}, "career": {0: 0.0, 1: 1.0}}, n)
        for file in read_files(written.paths, {}):
            kinds.add(kind := kind_of_all([file], Options()))
            known += [shaped(read_rows(file)).shape] if kind == "table" else []
    assert kinds == set(READERS)
    assert [shape.tool for shape in SHAPES if shape not in known] == []


@pytest.mark.long(but=9)
@pytest.mark.parametrize("tool", WRITERS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=scores_of_arms, seed=st.integers(0, 10**6))
def test_order_and_names_change_no_count(
    tool: str, rows: list[tuple[float | None, ...]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if tool in ALWAYS_SCORED:
        rows = [tuple(score or 0.0 for score in row) for row in rows]
    scores = {arm: {i: row[k] for i, row in enumerate(rows)} for k, arm in enumerate(("none", "career", "other"))}
    for step in range(2):
        written = write(tool, tmp_path_factory.mktemp("w"), scores, seed + step)
        found = counts(written.paths, written.options, written.arm_names)
        assert sorted(found.values()) == sorted(expected(scores).values()), tool
        if not any(name.startswith("prompt-") for name in found):
            assert found == expected(scores), tool


@pytest.mark.parametrize("tool", WRITERS)
def test_only_items_that_both_arms_were_asked_are_paired(tool: str, tmp_path: Path) -> None:
    scores: Scores = {
        "none": {i: float(i % 2) for i in range(12)},
        "career": dict.fromkeys(range(6), 1.0),
        "other": dict.fromkeys(range(6, 12), 0.0),
    }
    written = write(tool, tmp_path, scores, 3)
    found = counts(written.paths, written.options, written.arm_names)
    assert sorted(found.values()) == [(0, 3, 6), (3, 0, 6)]


@pytest.mark.parametrize("tool", WRITERS)
def test_advice_names_only_flags_that_the_reader_takes(tool: str, tmp_path: Path) -> None:
    scores = {"none": {i: float(i % 2) for i in range(8)}, "career": dict.fromkeys(range(8), 1.0)}
    written = write(tool, tmp_path, scores, 3)
    told = explain(written.paths, written.options, written.arm_names)
    known = {*told.flags, "--placebo", "--higher-is-better", "--explain"}
    plain = replace(written.options, wide=(), metric=None, baseline=None)
    texts = []
    for options in (
        plain, replace(plain, baseline="nowhere"), replace(written.options, scale=(0.2, 0.3)), replace(written.options, arms=("none",)),
        replace(written.options, placebos=("nowhere",)), replace(written.options, drop=("career",)), replace(plain, metric="nowhere"),
    ):  # fmt: skip
        for names in (None, written.arm_names):
            try:
                counts(written.paths, options, names)
            except PromptlabError as error:
                texts.append(str(error).split("--metric means nothing")[-1])
    assert texts
    for text in texts:
        flags = {"--" + part.split()[0].split("=")[0].strip(".,;:()'\"") for part in text.split("--")[1:] if part[:1].isalpha()}
        assert flags <= known, text


# Exports of the real tools, over a toy model: of the numbers 0 to 23 it gets those wrong that 3 divides, with the career sentence those
# that 4 divides; without it the call of 7 fails in promptfoo. So 3, 6, 9, 15, 18, 21 are gained and 4, 8, 16, 20 are lost.


@pytest.mark.parametrize("path", sorted(p.name for p in TOOLS.glob("promptfoo_*") if "alone" not in p.name))
def test_every_form_of_promptfoo(path: str) -> None:
    labelled = "0.123.1" in path
    baseline, arm = ("none", "career") if labelled else ("Add one to {{n}}.", "prompt-2")
    assert counts([TOOLS / path], Options(baseline=baseline)) == {arm: (6, 4, 23)}
    told = explain([TOOLS / path], Options(baseline=baseline))
    assert {(n, scored) for _, n, scored, _ in told.arms} == {(24, 23), (24, 24)}
    half = counts([TOOLS / path], Options(baseline=baseline, metric="score", scale=(0, 1)))
    assert half == {arm: (6, 4, 23)}  # one of two assertions


def test_an_eval_that_was_edited_and_run_again() -> None:
    files = [TOOLS / f"promptfoo_0.123.1_{arm}_alone.json.gz" for arm in ("career", "none")]
    assert counts(files) == counts(files[::-1]) == {"career": (6, 4, 23)}


def test_inspect_logs_of_shuffled_samples_without_ids() -> None:
    files = [TOOLS / "inspect_0.3.285_none_shuffled.json.gz", TOOLS / "inspect_0.3.285_career_shuffled.eval"]
    assert counts(files) == counts(files[::-1]) == {"career": (6, 4, 24)}


def test_inspect_logs_of_an_older_version() -> None:
    """Written by inspect_ai 0.3.60 with a mock model; counted from its samples by hand."""
    files = [TOOLS / f"inspect_0.3.60_{end}" for end in ("none.json.gz", "career.eval")]
    for paths in (files, files[::-1]):
        assert list(counts(paths, Options(baseline="{prompt}")).values()) == [(7, 5, 24)]


@pytest.mark.parametrize("version", ["0.4.4", "0.4.7", "0.4.9", "0.4.10", "0.4.12"])
def test_lm_eval_samples_with_two_filters(version: str) -> None:
    """Written by the real tool; counted from its lines by hand. Before 0.4.6 it leaves out the names of filters."""
    files = [TOOLS / f"lm_eval_{version}_{arm}.jsonl.gz" for arm in ("none", "career")]
    names = dict(zip(map(str, files), ("none", "career"), strict=True))
    older = version in ("0.4.4", "0.4.7", "0.4.9")
    for name, expected in (("strict", (6, 6, 24) if older else (6, 4, 24)), ("flexible", (6, 4, 24) if older else (10, 4, 24))):
        options = Options(metric=f"exact_match,{name if version != '0.4.4' else '1' if name == 'strict' else '2'}")
        assert counts(files, options, arm_names=names) == counts(files[::-1], options, arm_names=names) == {"career": expected}


def test_lm_eval_before_its_names_of_files(tmp_path: Path) -> None:
    """Of 0.4.2: MODEL_TASK.jsonl holds a JSON list, results.json says which tasks and filters there are."""
    files = sorted((TOOLS / "lm_eval_0.4.2").glob("*.gz"))
    assert counts(files, Options(metric="exact_match,strict")) == {"career": (6, 6, 24)}
    assert counts(files[::-1], Options(metric="exact_match,flexible")) == {"career": (6, 4, 24)}
    with pytest.raises(UsageProblem, match=r"several filters \('strict', 'flexible'\)"):
        counts(files)
    rows = json.loads(gzip.decompress(files[0].read_bytes()))
    random.Random(1).shuffle(rows)  # then nothing says which filter a row is of
    (tmp_path / "s.jsonl").write_text(json.dumps(rows))
    with pytest.raises(FileProblems, match="not in one block for each filter"):
        counts([tmp_path / "s.jsonl", files[1]], Options(metric="exact_match"))
    with pytest.raises(FileProblems, match="lm-evaluation-harness holds means only"):
        counts([TOOLS / "lm_eval_0.4.2" / "results.json"])


# Choices


def wide(folder: Path, scores: Mapping[str, Sequence[object]]) -> Path:
    return Writer(folder, {}, 1).csv(
        [{"id": i, **dict(zip(scores, row, strict=True))} for i, row in enumerate(zip(*scores.values(), strict=True))]
    )


LOSSES = (
    "brier_score", "val_loss", "word_perplexity", "wer", "rmse", "toxicity", "error_rate", "BrierScore", "valLoss", "logloss", "is_wrong",
    "failed", "mistakes", "time", "pct_stereotype", "Answer Hallucination",
)  # fmt: skip
GAINS = (
    "accuracy", "exact_match", "certainty", "Answer Relevancy", "terse", "closeness", "answer_correctness", "glossary", "sometimes",
    "unbiased", "timeliness", "faithfulness",
)  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_the_direction_of_a_loss_is_asked(name: str, tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, name: value} for i in range(6) for arm, value in (("none", 0.2), ("career", 0.4))]
    path = Writer(tmp_path, {}, 1).csv(rows)
    columns = {"score": name}
    with pytest.raises(UsageProblem, match=f"of the score '{name}' less may be better.*--lower-is-better or --higher-is-better"):
        counts([path], Options(columns=columns))
    assert counts([path], Options(columns=columns, higher_is_better=False)) == {"career": (0, 6, 6)}
    assert counts([path], Options(columns=columns, higher_is_better=True)) == {"career": (6, 0, 6)}
    scaled = Options(columns=columns, higher_is_better=False, scale=(0, 2))
    assert counts([path], scaled) == {"career": (0, 6, 6)}


@pytest.mark.parametrize("name", GAINS)
def test_other_scores_are_better_when_more(name: str, tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, name: value} for i in range(6) for arm, value in (("none", 0.2), ("career", 0.4))]
    assert counts([Writer(tmp_path, {}, 1).csv(rows)], Options(columns={"score": name})) == {"career": (6, 0, 6)}


def test_arms_are_chosen_and_dropped(tmp_path: Path) -> None:
    path = wide(tmp_path, {"none": [0, 0, 1], "career": [1, 1, 1], "other": [0, 1, 0]})
    options = Options(wide=("none,career,other",))
    assert counts([path], options) == {"career": (2, 0, 3), "other": (1, 1, 3)}
    assert (
        counts([path], replace(options, drop=("other",)))
        == counts([path], replace(options, arms=("none", "career")))
        == {"career": (2, 0, 3)}
    )
    with pytest.raises(UsageProblem, match="--drop othr: there is no such arm; did you mean 'other'"):
        counts([path], replace(options, drop=("othr",)))


def test_a_row_of_a_wide_table_needs_no_id(tmp_path: Path) -> None:
    rows = [{"Prompt A": int(i > 2), "Prompt B": int(i > 1)} for i in range(5)]
    for order in (rows, rows[::-1]):
        path = Writer(tmp_path, {}, len(list(tmp_path.iterdir()))).csv(order)
        assert counts([path], Options(wide=("none=Prompt A,b=Prompt B",))) == {"b": (1, 0, 5)}


def test_items_without_an_id_are_told_by_what_they_ask(tmp_path: Path) -> None:
    rows = [{"input": f"q{i}", "arm": arm, "score": int(i % 2 or arm == "b")} for i in range(6) for arm in ("none", "b")]
    path = Writer(tmp_path, {}, 1).csv(random.Random(3).sample(rows, 12))
    assert counts([path]) == {"b": (3, 0, 6)}


def test_percentages_and_numbers_are_not_mixed(tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, "score": ("50%", 1)[i % 2]} for i in range(4) for arm in ("none", "b")]
    with pytest.raises(FileProblems, match="written another way than those above"):
        counts([Writer(tmp_path, {}, 1).csv(rows)])


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.importers import bring

    monkeypatch.setattr("promptlab.importers.record.TOGETHER", 3000)

    rows = [{"id": i, "arm": arm, "score": i % 2} for i in range(3000) for arm in ("none", "b")]
    told: list[tuple[str, float]] = []
    path = Writer(tmp_path, {}, 1).csv(rows)
    bring([path], tmp_path / "runs", watch=lambda what, share: told.append((what, share)))
    assert told[0][0] == f"reading {path.name}"
    assert ("writing the run", 0.5) in told
    assert all(0 <= share <= 1 for _, share in told)


def test_models_are_compared(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {"none": {0: 1.0, 1: 0.0, 2: 0.0}}, 1)
    rows = [
        {**writer.foo_row("none", i, score), "provider": {"id": model}}
        for model, of in (("a", (1, 0, 0)), ("b", (0, 1, 1)))
        for i, score in enumerate(of)
    ]
    path = writer.lines(rows)
    with pytest.raises(FileProblems, match="--arm model"):
        counts([path])
    assert counts([path], Options(columns={"arm": "model"}, baseline="a")) == {"b": (2, 1, 3)}


def test_two_identical_files_are_an_aa_check(tmp_path: Path) -> None:
    for tool in ("promptfoo_alone", "inspect", "lm_eval", "table_by_arm", "braintrust"):
        folder = tmp_path / tool
        folder.mkdir()
        first = getattr(Writer(folder, {"none": {i: float(i % 2) for i in range(8)}}, 1), tool)().paths[0]
        second = first.parent.parent / first.name
        second.write_bytes(first.read_bytes())
        assert counts([first, second]) == {"none_aa": (0, 0, 8)}, tool
        assert counts([first, second], Options(baseline="x"), {str(first): "x", str(second): "y"}) == {"y": (0, 0, 8)}, tool


def test_sheets_of_a_workbook(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for name, arm in (("one", "kind"), ("two", "rude")):
        sheet = book.create_sheet(name)
        sheet.append([])
        sheet.append(["id", "none", arm])
        for i in range(4):
            sheet.append([i, i % 2, 1])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(FileProblems, match=r"several sheets hold rows \(one, two\); choose one with --sheet"):
        counts([tmp_path / "a.xlsx"])
    assert counts([tmp_path / "a.xlsx"], Options(sheet="two", wide=("none,rude",))) == {"rude": (2, 0, 4)}
    with pytest.raises(FileProblems, match="has no sheet 'three'"):
        counts([tmp_path / "a.xlsx"], Options(sheet="three"))


def test_hidden_rows_and_columns_are_read_and_counted(tmp_path: Path) -> None:
    from openpyxl import Workbook

    from promptlab.sources.starting import looking

    book = Workbook()
    sheet = book.active
    for row in (("item", "arm", "score", "remark"), *((i, arm, i % 2, "r") for i in range(9) for arm in ("none", "b"))):
        sheet.append(row)
    assert not looking.look(_saved(book, tmp_path)).notes
    for line in (4, 5, 40):  # the last holds nothing
        sheet.row_dimensions[line].hidden = True
    sheet.column_dimensions["D"].hidden = True
    book.create_sheet("old").append(("item", "arm"))
    book["old"].sheet_state = "hidden"
    path = _saved(book, tmp_path)
    said = explain([path], Options()).notes
    assert counts([path]) == {"b": (0, 0, 9)}
    assert any("2 of its rows are hidden" in note for note in said)
    assert any("hidden columns are read, too (D)" in note for note in said)
    assert any("hidden sheets are not read (old)" in note for note in said)
    assert looking.look(path).notes == [note for note in said if "hidden" in note]


def _saved(book: Any, folder: Path) -> Path:
    book.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def test_what_is_ambiguous_is_refused(tmp_path: Path) -> None:
    rows = [{"id": i, "arm": arm, "score": "1,000"} for i in range(3) for arm in ("none", "b")]
    with pytest.raises(FileProblems, match="could be a thousand or a fraction"):
        counts([Writer(tmp_path, {}, 1).csv(rows)])
    for name, content, said in (
        ("a.csv", "item,arm,score\né,none,1\n".encode() + b"\xe9,b,1\n", "not UTF-8 text, nor UTF-16 or cp1252"),
        ("b.xls", b"\xd0\xcf\x11\xe0 old", "save it as .xlsx or .csv"),
        ("c.html", b"<html>", "export that"),
        ("d.csv.gz", gzip.compress(b"item,arm,score\n")[:-9], "not whole"),
        ("e.xlsx", b"PK\x03\x04 nothing", "not a readable Excel file"),
        ("f.yaml", b"a: &a [1]\nb: !!python/object/apply:os.system [ls]\n", "not YAML that can be read"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileProblems, match=said):
            counts([tmp_path / name])


def test_small_files_that_unpack_to_much(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)
    )
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", b"<a>" * 10_000_000)
    with zipfile.ZipFile(tmp_path / "c.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    (tmp_path / "a.yaml").write_text(bomb)
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"item,arm,score\n" + b"a,b,1\n" * 5_000_000))
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(b"a" * 80 * 2**20))
    for name, said in (("a.yaml", "aliases stand for"), ("b.xlsx", "too much to be read"), ("c.xlsx", "definitions of its own"),
                       ("d.csv.gz", "values, packed into"), ("e.csv.gz", "unpacks to more than 64 MB")):  # fmt: skip
        with pytest.raises(FileProblems, match=said):
            counts([tmp_path / name])


def test_explain_says_what_is_there_and_what_is_open(tmp_path: Path) -> None:
    told = explain([wide(tmp_path, {"none": [0, 1], "cot": [1, 1]})], Options())
    assert (told.kind, told.arms) == ("table", ())
    assert "--wide none=none,cot=cot" in told.open
    told = explain([TOOLS / "promptfoo_0.123.1.json.gz"], Options())
    assert [(arm, n, scored) for arm, n, scored, _ in told.arms] == [("career", 24, 24), ("none", 24, 23)]
    assert (told.tools, told.open) == (("promptfoo 0.123.1",), "")
    assert "--lower-is-better" in told.flags
