"""The small result files beside the checkout, row by row of what must be made of them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from promptlab.importers import Brought, Options, bring, explain
from promptlab.nouns.comparison import Comparison
from promptlab.nouns.errors import FileProblems, PromptlabError, UsageProblem
from promptlab.record.store import Run
from promptlab.reporting import build, to_html

pytestmark = pytest.mark.shared


@pytest.fixture
def cases(shared: Path) -> Path:
    folder = shared / "cases" / "imports"
    if not folder.is_dir():
        pytest.skip(f"the small result files are not at {folder}")
    return folder


def imported(
    folder: Path, paths: Sequence[Path], arm_names: Mapping[str, str] | None = None, **options: Any
) -> tuple[Brought, list[Comparison]]:
    done = bring(paths, folder / "runs", Options(**options), arm_names=arm_names)
    return done, list(build(Run(done.folder)).of("cell"))


def one(folder: Path, paths: Sequence[Path], arm_names: Mapping[str, str] | None = None, **options: Any) -> Comparison:
    (found,) = imported(folder, paths, arm_names, **options)[1]
    return found


def counted(found: Comparison) -> tuple[int | None, int | None, int, int]:
    return found.gained, found.lost, found.n_pairs, found.n_missing


def test_a_second_file_in_another_order(cases: Path, tmp_path: Path) -> None:
    files = [cases / "before/output.json", cases / "after/output.json"]
    assert counted(one(tmp_path, files)) == counted(one(tmp_path, files[::-1])) == (0, 0, 60, 0)
    renamed = tmp_path / "zzz.json"
    shutil.copy(files[1], renamed)
    assert counted(one(tmp_path, [renamed, files[0]])) == (0, 0, 60, 0)


def test_arms_are_their_prompts_whatever_the_file(cases: Path, tmp_path: Path) -> None:
    files = [cases / "gpt/output.json", cases / "claude/output.json"]
    for order in (files, files[::-1]):
        for baseline in ("prompt-1", "Add one to {{n}}."):
            done, found = imported(tmp_path, order, baseline=baseline)
            assert {c.model: counted(c) for c in found} == {"gpt": (10, 0, 60, 0), "claude": (10, 0, 60, 0)}
            assert done.arms[1].text == "This is important to my career."


def test_numbers_of_prompts_follow_their_places(cases: Path, tmp_path: Path) -> None:
    found = one(tmp_path, [cases / "promptfoo_two_nolabel.json"], baseline="prompt-1")
    assert (found.treatment, found.n_pairs, round(100 * found.diff, 1)) == ("prompt-2", 37, 13.5)  # type: ignore[operator]
    assert (found.mean_control, found.mean_treatment) == (pytest.approx(19 / 37), pytest.approx(24 / 37))


def test_an_eval_that_was_edited_pairs_by_test_case(cases: Path, tmp_path: Path) -> None:
    assert one(tmp_path, [cases / "promptfoo_base.json", cases / "promptfoo_career.json"]).n_pairs == 37


def test_pass_and_score(cases: Path, tmp_path: Path) -> None:
    rows = json.loads((cases / "promptfoo_three_assertions.json").read_text())["results"]["results"]
    by: dict[str, dict[int, tuple[float, float]]] = {"none": {}, "career": {}}
    for row in rows:
        if row["failureReason"] != 2:
            by[row["prompt"]["label"]][row["testIdx"]] = (float(row["success"]), row["score"])
    both = by["none"].keys() & by["career"].keys()
    for k, metric in enumerate(("pass", "score")):
        options = {} if metric == "pass" else {"metric": metric}
        done, (found,) = imported(tmp_path, [cases / "promptfoo_three_assertions.json"], **options)
        assert found.diff == pytest.approx(sum(by["career"][i][k] - by["none"][i][k] for i in both) / len(both))
        html = to_html(build(Run(done.folder)))
        assert f"promptfoo {metric}" in html
        assert ("promptfoo&#39;s own pass" if metric == "pass" else "promptfoo&#39;s score") in html


def test_forms_of_promptfoo(cases: Path, tmp_path: Path) -> None:
    whole = counted(one(tmp_path, [cases / "promptfoo_both.json"]))
    assert whole == counted(one(tmp_path, [cases / "promptfoo_both.csv"])) == (11, 6, 37, 3)
    rows = [json.loads(line) for line in (cases / "promptfoo_both.jsonl").read_text().splitlines()]  # the first 22 of 80
    by: dict[str, dict[str, bool]] = {}
    for row in rows:
        by.setdefault(row["vars"]["n"], {})[row["prompt"]["label"]] = row["success"]
    both = [of for of in by.values() if len(of) == 2]
    found = one(tmp_path, [cases / "promptfoo_both.jsonl"])
    assert counted(found) == (sum(b["career"] > b["none"] for b in both), sum(b["career"] < b["none"] for b in both), len(both), 2)


def test_providers_are_compared(cases: Path, tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match="--arm model"):
        imported(tmp_path, [cases / "promptfoo_providers.json"])
    found = one(tmp_path, [cases / "promptfoo_providers.json"], columns={"arm": "model"}, baseline="toy-a")
    assert (found.treatment, counted(found)) == ("toy-b", (0, 0, 37, 3))


def test_the_form_of_2023(cases: Path, tmp_path: Path) -> None:
    found = one(tmp_path, [cases / "v2_err.json"], columns={"arm": "s"})
    assert (found.treatment, counted(found)) == ("important to me", (10, 0, 40, 0))


def test_a_loss_that_rises_hurts(cases: Path, tmp_path: Path) -> None:
    files = sorted((cases / "lm/my__model").glob("samples_*.jsonl"))
    found = one(tmp_path, files)
    assert (counted(found), round(100 * found.diff, 1), found.verdict) == ((0, 60, 60, 0), -20.0, "hurts")  # type: ignore[operator]
    assert found.diff == one(tmp_path, files[::-1]).diff
    bare = [shutil.copy(path, tmp_path / f"{n}.jsonl") for n, path in enumerate(files)]  # without the files that tell the direction
    names = {str(bare[0]): "none", str(bare[1]): "career"}
    with pytest.raises(UsageProblem, match="--lower-is-better or --higher-is-better"):
        one(tmp_path, bare, names)
    assert one(tmp_path, bare, names, higher_is_better=False).verdict == "hurts"


def test_wide_tables(cases: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader((cases / "wide.csv").open()))
    want = (sum(r["cot"] > r["none"] for r in rows), sum(r["cot"] < r["none"] for r in rows), 40, 0)
    for name, wide, baseline in (
        ("wide.csv", "none=none,cot=cot", None), ("wide_answers.csv", "baseline=baseline_correct,cot=cot_correct", None),
    ):  # fmt: skip
        assert f"--wide {wide}" in explain([cases / name], Options()).open
        assert counted(one(tmp_path, [cases / name], wide=(wide,), baseline=baseline)) == want
    assert counted(one(tmp_path, [cases / "langsmith.csv"], baseline="base-abc")) == want
    columns = ("none=feedback.correctness (base-abc)", "cot=feedback.correctness (cot-def)")
    assert counted(one(tmp_path, [cases / "langsmith.csv"], wide=columns)) == want


def test_two_questions_in_one_file(cases: Path, tmp_path: Path) -> None:
    for options in ({"arms": ("none", "career")}, {}):
        found = one(tmp_path, [cases / "twopairs.csv"], **options)
        assert (found.treatment, found.n_pairs, found.n_missing, found.status) == ("career", 60, 0, "ok")
    found = one(tmp_path, [cases / "twopairs.csv"], arms=("short", "long"), baseline="short")
    assert (found.treatment, found.n_pairs, found.n_missing) == ("long", 60, 0)


@pytest.mark.parametrize("name", ["one4.csv", "n300_4.csv"])
def test_headline_and_row_of_one_task_agree(name: str, cases: Path, tmp_path: Path) -> None:
    done = bring([cases / name], tmp_path / "runs")
    report = build(Run(done.folder))
    (found,) = report.of("cell")
    means = [c for c in report.comparisons if c.scope not in ("cell", "aa")]
    assert {(c.verdict, c.diff) for c in means} <= {(found.verdict, found.diff)}


def test_tables_in_other_words_and_encodings(cases: Path, tmp_path: Path) -> None:
    ok = bring([cases / "ok.csv.gz"], tmp_path / "runs")
    want = counted(next(iter(build(Run(ok.folder)).of("cell"))))
    assert want == (13, 7, 40, 0)
    for name in ("pass.csv", "tick.csv", "pct.csv", "utf16.csv", "cp1252.csv"):
        done, (found,) = imported(tmp_path, [cases / name])
        assert counted(found) == want, name
        assert any("was read as" in note for note in done.notes) == (name in ("utf16.csv", "cp1252.csv")), name
    book = openpyxl.Workbook()
    for row in csv.reader((cases / "pass.csv").open()):
        book.active.append(row)
    book.save(tmp_path / "pass.xlsx")
    assert counted(one(tmp_path, [tmp_path / "pass.xlsx"])) == want


METRICS = {"deepeval.json": "pass", "ragas.csv": "faithfulness"}


@pytest.mark.parametrize(
    "name",
    ["langfuse.csv", "braintrust.csv", "deepeval.json", "dspy_results.json", "ragas.csv", "oai_evals.jsonl", "per_instance_stats.json"],
)
def test_exports_of_one_run(name: str, cases: Path, tmp_path: Path) -> None:
    """One file is one arm, and says so with the flags that read two; two of them are paired by what they ask."""
    metric = METRICS.get(name)
    with pytest.raises(PromptlabError) as told:
        one(tmp_path, [cases / name])
    assert ("--metric" if metric else "--arm-name") in str(told.value)
    other = tmp_path / f"other{(cases / name).suffix}"
    lines = (cases / name).read_text().splitlines(keepends=True)
    head = {".csv": 1, ".jsonl": 2}.get(other.suffix, 0)
    other.write_text("".join(lines[:head] + lines[head:][::-1]))
    options = {"metric": metric} if metric else {}
    with pytest.raises(PromptlabError, match="--arm-name"):
        one(tmp_path, [cases / name], **options)
    found = one(tmp_path, [cases / name, other], {str(cases / name): "none", str(other): "b"}, **options)
    assert (found.gained or 0, found.lost or 0) == (0, 0)
    assert found.n_pairs >= 10


def test_a_table_of_wandb(cases: Path, tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match="the column 'arm' holds one value only"):
        one(tmp_path, [cases / "wandb_table.table.json"])
    value = json.loads((cases / "wandb_table.table.json").read_text())
    value["data"] = [[i, "b", 0] for i, *_ in value["data"]]
    (tmp_path / "b.table.json").write_text(json.dumps(value))
    assert counted(one(tmp_path, [cases / "wandb_table.table.json", tmp_path / "b.table.json"])) == (0, 5, 5, 0)
