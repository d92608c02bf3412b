"""Files as other tools export them, real ones and ones in an order of their own, tables, and what an import makes of them."""

from __future__ import annotations

import csv
import gzip
import json
import random
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlab.importers import Brought, Options
from promptlab.importers.importing import READERS, kind_of_all, read_as, read_files
from promptlab.importers.pairing import pair
from promptlab.nouns import NONE_ARM
from promptlab.nouns.comparison import Comparison
from promptlab.record.store import Run
from promptlab.reporting import Report, build

HERE = Path(__file__).parent / "imported"
PROMPTFOO = HERE / "promptfoo.json"
LM_EVAL = sorted(HERE.glob("samples_sums_*.jsonl"))
INSPECT = [HERE / "inspect_none.eval", HERE / "inspect_career.eval"]
TOOLS = HERE / "tools"
CAREER = "This is very important to my career."
Scores = Mapping[str, Mapping[int, float | None]]
"""By arm and item."""
Counts = Mapping[str, tuple[int, int, int]]
"""By arm: items gained, lost, and paired."""


def judged(done: Brought) -> Report:
    """The report of what an import made."""
    return build(Run(done.folder))


def cell(report: Report, arm: str, model: str | None = None, control: str = "none") -> Comparison:
    """The one comparison of an arm in a task, of that model or of the only one."""
    (found,) = [c for c in report.of("cell", model, control) if c.treatment == arm]
    return found


def rows(gained: int = 8, lost: int = 1, ties: int = 21, **more: object) -> list[dict[str, object]]:
    """A table of two arms with these changes."""
    found: list[dict[str, object]] = []
    for i in range(gained + lost + ties):
        base, other = (0, 1) if i < gained else (1, 0) if i < gained + lost else (i % 2, i % 2)
        found += [{"item": f"q{i}", "arm": "none", "score": base, **more}, {"item": f"q{i}", "arm": "kind", "score": other, **more}]
    return found


def table(folder: Path, lines: Iterable[Mapping[str, object]], name: str = "table.csv") -> Path:
    """The rows as a CSV file; a row may lack columns."""
    lines = list(lines)
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(k for line in lines for k in line)))
        writer.writeheader()
        writer.writerows(lines)
    return path


def everything_in(folder: Path) -> str:
    """All that a run folder holds as text, frames included."""
    run = Run(folder)
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.json")]
    return "\n".join([*texts, *(frame.to_json() for frame in (run.trials(), run.calls(), run.items()))])


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
