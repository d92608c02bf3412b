"""Every command of docs/import.md works on files as it describes them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

import runs
from conftest import ROOT
from exports import HERE as IMPORTED
from exports import TOOLS, Writer, gunzip

COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", (ROOT / "docs" / "import.md").read_text(), re.S)
    for line in block.splitlines()
    if line
]
SCORES = {"none": {i: float(i % 2) for i in range(24)}, "cot": {i: float(i % 3 > 0) for i in range(24)}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the page names."""
    made = tmp_path_factory.mktemp("docs")
    writer = Writer(tmp_path_factory.mktemp("parts"), {"none": SCORES["none"], "career": SCORES["cot"], "other": SCORES["cot"]}, 1)
    shutil.copy(writer.table().paths[0], made / "answers.csv")
    shutil.copy(TOOLS / "promptfoo_0.123.1.csv", made / "promptfoo.csv")
    for name, source in (
        ("promptfoo", "0.123.1"),
        ("unlabelled", "0.31.1"),
        ("before", "0.123.1_none_alone"),
        ("after", "0.123.1_career_alone"),
    ):
        (made / f"{name}.json").write_bytes(gunzip(TOOLS / f"promptfoo_{source}.json.gz"))
    for name in ("first-run", "second-run"):
        (made / f"{name}.json").write_bytes(gunzip(TOOLS / "promptfoo_0.123.1_none_alone.json.gz"))
    for path in IMPORTED.glob("*2026*"):
        shutil.copy(path, made)
    for n, path in enumerate(sorted(IMPORTED.glob("samples_*"), reverse=True)):
        shutil.copy(path, made / ("first.jsonl", "second.jsonl")[n])
    for model, of, minute in (("small", "none", 35), ("large", "career", 36)):
        (made / f"org__{model}").mkdir()
        samples = next(IMPORTED.glob(f"samples_sums_{of}_*")).read_bytes()
        (made / f"org__{model}" / f"samples_sums_2026-11-25T09-{minute}-52.053536.jsonl").write_bytes(samples)
    (made / "logs").mkdir()
    for arm in ("none", "career"):
        shutil.copy(IMPORTED / f"inspect_{arm}.eval", made / "logs" / f"{arm}.eval")
    rows = [
        {**writer.foo_row("none", i, score), "provider": {"id": model}}
        for model, of in (("toy-a", SCORES["none"]), ("toy-b", SCORES["cot"])) for i, score in of.items()
    ]  # fmt: skip
    (made / "providers.json").write_text(json.dumps({"results": {"version": 3, "results": rows}}))
    rows = [{**writer.foo_row("none", i, score), "vars": {"n": i, "added": added}} for added, arm in (("", "none"), ("Please.", "cot"))
            for i, score in SCORES[arm].items()]  # fmt: skip
    (made / "variable.json").write_text(json.dumps({"results": {"version": 3, "results": rows}}))
    two = Writer(tmp_path_factory.mktemp("two"), SCORES, 2)
    for tool, name, end in (
        ("table_by_arm", "", ".csv"), ("braintrust", "braintrust-", ".jsonl"), ("ragas", "ragas-", ".csv"),
        ("langfuse", "langfuse-", ".csv"), ("deepeval", "deepeval-", ".json"), ("dspy", "dspy-", ".json"), ("mlflow", "mlflow-", ".json"),
        ("openai_evals", "evals-", ".jsonl"), ("helm", "helm-", ".json"),
    ):  # fmt: skip
        for path, arm in (getattr(two, tool)().arm_names or {}).items():
            shutil.copy(path, made / f"{name}{({'none': 'a', 'cot': 'b'}[arm]) if name else arm}{end}")
    langsmith = two.langsmith().paths[0].read_text().replace("(none)", "(base)")
    (made / "langsmith.csv").write_text(langsmith)
    shutil.copy(two.wandb().paths[0], made / "results.table.json")
    wide = [{"id": i, "question": f"q{i}", "none": SCORES["none"][i], "cot": SCORES["cot"][i]} for i in range(24)]
    shutil.copy(two.csv(wide), made / "wide.csv")
    shutil.copy(
        two.csv([{"question": f"q{i}", "baseline_correct": r["none"], "cot_correct": r["cot"]} for i, r in enumerate(wide)]),
        made / "graded.csv",
    )
    losses = [{"id": r["id"], "arm": arm, "brier_score": r[arm]} for r in wide for arm in ("none", "cot")]
    shutil.copy(two.csv(losses), made / "losses.csv")
    shutil.copy(two.csv([{"variant": "kind", "gained": 9, "lost": 1, "ties": 20}]), made / "counts.csv")
    mine = [{"case": {"id": i}, "prompt": name, "result": {"score": wide[i][arm]}} for i in range(24) for name, arm in
            (("short", "none"), ("long", "cot"))]  # fmt: skip
    shutil.copy(two.lines(mine), made / "mine.jsonl")
    points = [{"nr": i, "wording": arm, "points": 1 + (i + (arm == "B")) % 5} for i in range(30) for arm in ("A", "B")]
    import openpyxl

    rated = [{"ticket": i, "arm": arm, "rater": rater, "rating": 1 + (i + n) % 5} for i in range(24) for arm in ("v1", "v2")
             for n, rater in enumerate(("Ann", "Bob"))]  # fmt: skip
    for name, of in (("scores", points), ("raters", rated)):
        book = openpyxl.Workbook()
        for values in (list(of[0]), *(list(row.values()) for row in of)):
            book.active.append(values)
        book.save(made / f"{name}.xlsx")
    return made


@pytest.mark.long(but=10)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page(command: str, folder: Path, tmp_path: Path) -> None:
    words = shlex.split(command)
    assert words[:2] == ["promptlab", "import"]
    done = runs.run(*words[1:], "--runs", str(tmp_path), "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert os.path.isdir(told["folder"])
    assert len(told["arms"]) >= 2
    assert told["n_items"] >= 20
