"""Results of other tools become runs: real outputs of three tools, tables, counts, every refusal, and files that mean harm."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import runs
from conftest import ROOT
from promptlab.importers import Brought, Options, bring
from promptlab.importers import files as bounds
from promptlab.nouns.comparison import Comparison
from promptlab.nouns.errors import FileProblems, PromptlabError, UsageProblem
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS
from promptlab.record.store import ID, Run
from promptlab.reporting import Report, build, summaries, to_html, to_json, to_markdown
from promptlab.reporting.decide import cautions
from promptlab.reporting.summary_words import head_words
from promptlab.stats import interval

HERE = Path(__file__).parent / "imported"
PROMPTFOO = HERE / "promptfoo.json"
LM_EVAL = sorted(HERE.glob("samples_sums_*.jsonl"))
INSPECT = [HERE / "inspect_none.eval", HERE / "inspect_career.eval"]
KEY = "sk-live-0123456789abcdefABCDEF"
CAREER = "This is very important to my career."


def judged(done: Brought) -> Report:
    return build(Run(done.folder))


def cell(report: Report, arm: str, model: str | None = None, control: str = "none") -> Comparison:
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


# Real outputs: the answers were given by a server on loopback that knows which arm gets which sum wrong. Of 24 sums the baseline has
# 8 wrong. With the career sentence sum-large gains 5 and loses 1; sum-small loses 6. In promptfoo's file one call of sum-large failed.


def test_promptfoo(tmp_path: Path) -> None:
    done = bring([PROMPTFOO], tmp_path, Options(placebos=("neutral",)))
    assert (done.kind, done.n_results, done.n_items, done.models) == ("promptfoo", 120, 24, ("sum-large", "sum-small"))
    assert [(a.name, a.imported_as, a.role) for a in done.arms] == [
        ("none", "baseline", "baseline"), ("neutral", "neutral", "placebo"), ("career", "career", "stimulus"),
    ]  # fmt: skip
    assert done.arms[2].text == CAREER
    report = judged(done)
    small = cell(report, "career", "sum-small")
    assert (small.gained, small.lost, small.n_pairs, small.n_missing) == (0, 6, 24, 0)
    assert small.diff == pytest.approx(-6 / 24)
    assert small.p_value == pytest.approx(2 * 0.5**6 - 0.5**6)
    assert small.verdict == "hurts"
    large = cell(report, "career", "sum-large")  # the failed call is missing: 23 pairs
    assert (large.gained, large.lost, large.n_pairs, large.n_missing) == (5, 1, 23, 1)
    assert (large.verdict, large.missing_control + large.missing_treatment) == ("unclear", pytest.approx(1 / 24))
    neutral = cell(report, "career", "sum-large", "placebo")  # the neutral arm fixes sum 3 and breaks sum 2
    assert (neutral.gained, neutral.lost) == (5, 1)
    trials = Run(done.folder).trials()
    failed = trials[trials["outcome"] == "error"]
    assert len(failed) == 1
    assert failed["score"].isna().all()
    assert "refused" in failed["error"].iloc[0]
    kept = trials[(trials["model"] == "sum-large") & trials["score"].notna()]
    assert kept["input_tokens"].notna().all()
    assert (kept["latency_s"] > 0).any()
    assert trials["cost_usd"].isna().all()  # promptfoo writes 0 where it knows no price


def test_lm_eval(tmp_path: Path) -> None:
    done = bring(LM_EVAL, tmp_path)
    assert (done.kind, done.tools, done.models, done.tasks) == ("lm-eval", ("lm-evaluation-harness 0.4.13",), ("sum-large",), ("sums",))
    found = cell(judged(done), "career")
    assert (found.gained, found.lost, found.n_pairs) == (5, 1, 24)
    assert found.p_value == pytest.approx((2 * 7 - 6) / 64)
    assert found.verdict == "unclear"
    run = Run(done.folder)
    call = run.calls().iloc[0]
    assert json.loads(call["messages"])[0]["content"].startswith("What is ")
    assert json.loads(call["requested"])["temperature"] == 0
    assert {source["file"] for source in run.manifest.provenance["files"]} == {p.name for p in HERE.glob("*2026*")}
    named = bring(LM_EVAL, tmp_path, arm_names={LM_EVAL[0].name: "pushed", str(LM_EVAL[1]): "baseline"})
    assert [a.name for a in named.arms] == ["none", "pushed"]


def test_lm_eval_metrics_and_filters(tmp_path: Path) -> None:
    files = []
    for path in LM_EVAL:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        lines = [{**line, "filter": f, "acc": 1.0, "metrics": ["exact_match", "acc"]} for f in ("strict", "loose") for line in lines]
        files.append(tmp_path / path.name)
        files[-1].write_text("\n".join(json.dumps(line) for line in lines))
    with pytest.raises(UsageProblem, match=r"several metrics \('exact_match', 'acc'\)"):
        bring(files, tmp_path / "runs")
    with pytest.raises(UsageProblem, match=r"several filters.*--metric exact_match,strict"):
        bring(files, tmp_path / "runs", Options(metric="exact_match"))
    with pytest.raises(UsageProblem, match="no such metric; did you mean 'exact_match'"):
        bring(files, tmp_path / "runs", Options(metric="exactmatch"))
    found = cell(judged(bring(files, tmp_path / "runs", Options(metric="exact_match,loose"))), "career")
    assert (found.gained, found.lost) == (5, 1)


def test_inspect(tmp_path: Path) -> None:
    assert {info.compress_type for info in zipfile.ZipFile(INSPECT[0]).infolist()} == {bounds.ZSTD}  # as inspect_ai writes them now
    done = bring(INSPECT, tmp_path)
    assert (done.kind, done.tools, done.tasks) == ("inspect", ("inspect_ai 0.3.285",), ("sums",))
    assert [(a.name, a.text) for a in done.arms] == [("none", None), ("career", CAREER)]
    found = cell(judged(done), "career")
    assert (found.gained, found.lost, found.n_pairs, found.p_value) == (5, 1, 24, pytest.approx(0.125))
    run = Run(done.folder)
    assert run.manifest.served == {"openai-api/local/sum-large": ("sum-large-2025-06-01",)}
    assert set(run.trials()["extracted"].str.isdigit()) == {True}


def test_inspect_json_and_epochs(tmp_path: Path) -> None:
    done = bring([INSPECT[0], HERE / "inspect_career_twice.json"], tmp_path)
    assert any("from 1 to 2 times" in note for note in done.notes)
    found = cell(judged(done), "career")
    assert (found.gained, found.lost, found.n_pairs, found.n_missing) == (5, 1, 24, 0)
    assert sorted(Run(done.folder).trials()["replicate"].unique()) == [0, 1]


def inspect_log(folder: Path, arm: str, change: Any = None) -> Path:
    log = json.loads((HERE / "inspect_career_twice.json").read_text())
    log["eval"]["task_args"] = {"stimulus": arm}
    log["samples"] = [s for s in log["samples"] if s["epoch"] == 1]
    for sample in log["samples"] if change else []:
        change(sample)
    path = folder / f"{arm}.json"
    path.write_text(json.dumps(log))
    return path


def test_inspect_scores(tmp_path: Path) -> None:
    letters = iter(["C", "I", "P", "N", 1, 0.25, "0.5", True] * 3)

    def change(sample: dict[str, Any]) -> None:
        sample["scores"] = {"a": {"value": next(letters)}, "b": {"value": {"x": 1, "y": 0}}}

    files = [inspect_log(tmp_path, "none", change), inspect_log(tmp_path, "career", lambda s: s.update(scores={"a": {"value": "C"}}))]
    with pytest.raises(UsageProblem, match=r"several scorers \('a', 'b'\)"):
        bring(files, tmp_path / "runs")
    with pytest.raises(UsageProblem, match=r"several values.*--scorer b/x"):
        bring(files, tmp_path / "runs", Options(scorer="b"))
    trials = Run(bring(files, tmp_path / "runs", Options(scorer="a")).folder).trials()
    base = trials[trials["arm"] == "none"].sort_values("item")["score"].tolist()
    assert base[:8] == [1.0, 0.0, 0.5, 0.0, 1.0, 0.25, 0.5, 1.0]
    failed = inspect_log(tmp_path, "none", lambda s: s.update(error={"message": "out of memory"}))
    trials = Run(bring([failed, files[1]], tmp_path / "runs", Options(scorer="a")).folder).trials()
    assert trials[trials["arm"] == "none"]["score"].isna().all()


def test_older_promptfoo_table(tmp_path: Path) -> None:
    head = {"prompts": [{"raw": "Say {{x}}", "label": "original"}, {"raw": "Say {{x}}. Please.", "label": "polite"}], "vars": ["x"]}
    body = [
        {
            "vars": [f"w{i}"],
            "outputs": [{"pass": i > 3, "score": int(i > 3), "text": "a", "prompt": f"Say w{i}"},
                        {"pass": True, "score": 1, "text": "b", "prompt": f"Say w{i}. Please."}],
            "test": {"assert": [{"type": "contains", "value": f"w{i}"}]},
        }
        for i in range(25)
    ]  # fmt: skip
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"results": {"version": 2, "table": {"head": head, "body": body}}, "config": {}}))
    done = bring([path], tmp_path / "runs")
    assert [(a.imported_as, a.text) for a in done.arms] == [("original", "Say {{x}}"), ("polite", ". Please.")]
    found = cell(judged(done), "polite")
    assert (found.gained, found.lost, found.n_pairs) == (4, 0, 25)


def test_promptfoo_repeats_and_arms_by_variable(tmp_path: Path) -> None:
    value = json.loads(PROMPTFOO.read_text())
    twice = [{**row, "testIdx": row["testIdx"] + 100 * k} for k in (0, 1) for row in value["results"]["results"]]
    path = tmp_path / "twice.json"
    path.write_text(json.dumps({**value, "results": {**value["results"], "results": twice}}))
    done = bring([path], tmp_path / "runs")
    assert (done.n_results, done.n_items) == (240, 24)
    assert sorted(Run(done.folder).trials()["replicate"].unique()) == [0, 1]

    one = [row for row in value["results"]["results"] if row["promptIdx"] in (0, 1)]
    for row in one:
        row["vars"]["added"] = "" if row["promptIdx"] == 0 else CAREER
        row |= {
            "promptIdx": 0,
            "promptId": "p",
            "prompt": {**row["prompt"], "label": "{{a}} {{added}}"},
            "testIdx": len(row["vars"]["added"]),
        }
        row["testIdx"] += 100 * row["vars"]["a"]
    path.write_text(json.dumps({**value, "results": {**value["results"], "results": one, "prompts": []}}))
    with pytest.raises(FileProblems, match=r"one prompt only.*--arm VARIABLE.*'added'"):
        bring([path], tmp_path / "runs")
    found = cell(judged(bring([path], tmp_path / "runs", Options(columns={"arm": "added"}))), CAREER)
    assert (found.gained, found.lost, found.n_pairs) == (5, 1, 23)


@pytest.mark.shared
def test_promptfoo_file_with_one_prompt_says_why(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(FileProblems) as told:
        bring([shared / "data/external/promptfoo_v3_system_override.json"], tmp_path)
    for words in ("one prompt only", "36 providers", "10 test cases", "--arm VARIABLE", "'messages'"):
        assert words in str(told.value)
    assert list(tmp_path.iterdir()) == []


# Tables


def test_csv_tsv_json_and_parquet_are_one(tmp_path: Path) -> None:
    lines = rows(model="m", answer="yes", temperature=0)
    csv_file = table(tmp_path, lines)
    (tmp_path / "t.tsv").write_text(csv_file.read_text().replace(",", "\t"))
    (tmp_path / "t.json").write_text(json.dumps(lines))
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "t.parquet")
    for name in ("table.csv", "t.tsv", "t.json", "t.jsonl", "t.parquet"):
        done = bring([tmp_path / name], tmp_path / "runs")
        found = cell(judged(done), "kind")
        assert (found.gained, found.lost, found.n_pairs) == (8, 1, 30), name
        assert found.p_value == pytest.approx((2 * (1 + 9) - 9) / 2**9), name
        assert found.verdict == "helps", name


def test_named_columns_scale_repeats_and_clusters(tmp_path: Path) -> None:
    lines = [
        {"nr": i, "wording": arm, "points": 1 + (i + k + (arm == "B")) % 5, "run": k, "who": i // 2, "prompt": f"Q{i}" + arm * (arm == "B")}
        for i in range(30) for arm in ("A", "B") for k in (1, 2)
    ]  # fmt: skip
    columns = {"item": "nr", "arm": "wording", "score": "points", "repeat": "run", "cluster": "who"}
    options = Options(columns=columns, baseline="A", scale=(1, 5))
    done = bring([table(tmp_path, lines)], tmp_path / "runs", options)
    assert done.arms[1].text == "B"
    trials = Run(done.folder).trials()
    assert trials["score"].between(0, 1).all()
    assert trials["score"].max() == 1.0
    assert trials["cluster"].nunique() == 15
    found = cell(judged(done), "B")
    assert found.method == "sign-flip mid-p by cluster"


def test_missing_is_not_zero(tmp_path: Path) -> None:
    lines = [{**line, "outcome": "ok"} for line in rows(gained=9, lost=0)]
    lines[1] |= {"score": "", "outcome": "ok"}
    lines[3] |= {"score": 0, "outcome": "timeout"}
    done = bring([table(tmp_path, lines)], tmp_path / "runs")
    assert any("2 of 60 results have no score" in note for note in done.notes)
    trials = Run(done.folder).trials()
    assert trials["outcome"].value_counts().to_dict() == {"ok": 58, "error": 2}
    found = cell(judged(done), "kind")
    assert (found.gained, found.lost, found.n_pairs, found.n_missing) == (7, 0, 28, 2)
    assert (found.verdict, found.missing_treatment) == ("helps", pytest.approx(2 / 30)), "even with both counted as wrong"


@pytest.mark.parametrize("omitted", [0, 4])
def test_an_arm_that_was_run_less_often_than_another_lost_nothing(omitted: int, tmp_path: Path) -> None:
    """One answer of the baseline and five of the other arm: not four of five lost. Rows that only some items lack are."""
    lines = [{**line, "repeat": k} for line in rows(9, 0, 21) for k in range(5 if line["arm"] == "kind" else 1)]
    kept = [line for line in lines if not (line["repeat"] == 4 and line["item"] in [f"q{i}" for i in range(omitted)])]
    found = cell(judged(bring([table(tmp_path, kept)], tmp_path / "runs")), "kind")
    assert (found.missing_control, found.missing_treatment) == (0, pytest.approx(omitted / 150))
    assert found.verdict == "helps"


@pytest.mark.parametrize(("n", "says"), [(1, "1 item;"), (4, "4 items;"), (30, "30 items;")])
def test_too_few_items_have_no_chances(n: int, says: str, tmp_path: Path) -> None:
    report = judged(bring([table(tmp_path, rows(min(n, 9), 0, max(0, n - 9)))], tmp_path / "runs"))
    [summary] = summaries(report)
    [row] = [row for row in summary.rows if not row.incumbent]
    assert says in head_words(summary)
    assert (row.p_best is None) == (n < 20)
    assert report.plan.margin == report.plan.margins.cell, "one task is judged by the margin of a task, wherever it is drawn"


def test_a_refusal_for_lost_answers_has_its_bounds_on_the_first_screen(tmp_path: Path) -> None:
    """One of seven of the treatment's answers is lost, always a wrong one: a clear gain as recorded, and no finding."""
    lines = [
        {"item": i, "arm": arm, "repeat": k, "score": "" if (arm, k) == ("kind", 6) else int(k < 1 + i % 6)}
        for i in range(100) for arm in ("none", "kind") for k in range(7)
    ]  # fmt: skip
    report = judged(bring([table(tmp_path, lines)], tmp_path / "runs"))
    [c] = report.of("stimulus")
    assert (c.verdict, c.status, c.missing_treatment) == ("refused", "missing_pairs", pytest.approx(1 / 7))
    [summary] = summaries(report)
    assert f"({interval(c.worst_low, c.worst_high)} whatever is missing)" in " ".join(summary.reasons)
    assert "ship" not in summary.advice.lower()


def test_rows_that_one_arm_lacks_are_missing_answers(tmp_path: Path) -> None:
    """The treatment's wrong answers are absent, as from a tool that omits what failed; as recorded all other items gain."""
    lines = [{"item": f"q{i}", "arm": arm, "score": int(arm == "kind" or i % 2)} for i in range(60) for arm in ("none", "kind")]
    lines = [line for line in lines if not (line["arm"] == "kind" and int(str(line["item"])[1:]) < 34)]
    all_asked = Options(all_asked=True)
    done = bring([table(tmp_path, lines)], tmp_path / "runs", all_asked)
    assert any("34 of 60 items are in only one of the arms 'kind' and 'none'; they count as missing" in note for note in done.notes)
    report = judged(done)
    found = cell(report, "kind")
    assert (found.verdict, found.status) == ("refused", "missing_pairs")
    assert (found.n_pairs, found.n_missing, found.missing_treatment) == (26, 34, pytest.approx(34 / 60))
    assert (found.worst_low, found.worst_high) == pytest.approx((26 / 60 - 1 / 2, 1 / 2))
    empty = [*lines, *({"item": f"q{i}", "arm": "kind", "score": ""} for i in range(34))]
    same = cell(judged(bring([table(tmp_path, empty)], tmp_path / "runs")), "kind")
    assert (same.verdict, same.worst_low, same.missing_treatment) == (found.verdict, found.worst_low, found.missing_treatment)
    asked = cell(judged(bring([table(tmp_path, lines)], tmp_path / "runs")), "kind")
    assert (asked.verdict, asked.n_pairs, asked.n_missing) == ("helps", 26, 0)


def test_few_absent_rows_silence_nothing_that_they_could_not_turn(tmp_path: Path) -> None:
    lines = [{"item": f"q{i}", "arm": arm, "score": int(arm == "kind" or i > 40)} for i in range(60) for arm in ("none", "kind")]
    found = cell(judged(bring([table(tmp_path, lines[:-1])], tmp_path / "runs", Options(all_asked=True))), "kind")
    assert (found.verdict, found.n_missing) == ("helps", 1)


def test_items_that_one_arm_was_never_asked_are_left_out_and_said(tmp_path: Path) -> None:
    lines = [line for line in rows() if not (line["arm"] == "kind" and line["item"] in ("q0", "q1", "q2"))]
    done = bring([table(tmp_path, lines)], tmp_path / "runs")
    assert any("3 of 30 items are in only one" in note for note in done.notes)
    report = judged(done)
    found = cell(report, "kind")
    assert (found.gained, found.lost, found.n_pairs, found.n_missing) == (5, 1, 27, 0)
    assert (found.missing_treatment, found.missing_control) == (0.0, 0.0)
    [said] = [caution for caution in cautions(report) if "in one of two arms only" in caution]
    assert said.startswith("3 of 30 items ran")
    [summary] = summaries(report)
    assert summary.with_its_repeat is None, "27 items of one answer are no repeat"
    failed = [{**line, "score": ""} if line["arm"] == "kind" and line["item"] in ("q0", "q1", "q2") else line for line in rows()]
    found = cell(judged(bring([table(tmp_path, failed)], tmp_path / "runs")), "kind")  # a failed call is missing
    assert (found.n_pairs, found.n_missing, found.missing_treatment) == (27, 3, pytest.approx(0.1))
    assert found.worst_high - found.worst_low == pytest.approx(0.1)


def test_a_repeated_baseline_is_an_aa_arm(tmp_path: Path) -> None:
    lines = rows()
    lines += [{**line, "arm": "none_aa"} for line in lines if line["arm"] == "none"]
    report = judged(bring([table(tmp_path, lines)], tmp_path / "runs"))
    assert [c.status for c in report.of("aa") if c.task is None] == ["ok"]
    assert {c.treatment for c in report.of("cell")} == {"kind"}


# Counts


def counts(folder: Path, lines: Sequence[Mapping[str, object]]) -> Path:
    return table(folder, lines, "counts.csv")


def test_counts(tmp_path: Path) -> None:
    lines = [
        {"variant": "kind", "model": "a", "gained": 9, "lost": 1, "ties": 20},
        {"variant": "kind", "model": "b", "gained": 1, "lost": 0, "ties": 29},
        {"variant": "rude", "model": "a", "gained": 0, "lost": 12, "ties": 17},
        {"variant": "rude", "model": "b", "gained": 2, "lost": 2, "ties": 26},
    ]
    done = bring([counts(tmp_path, lines)], tmp_path / "runs")
    report = judged(done)
    assert done.models == ("2 models pooled",)
    kind, rude = cell(report, "kind"), cell(report, "rude")
    assert (kind.gained, kind.lost, kind.n_pairs) == (10, 1, 60)
    assert (rude.gained, rude.lost, rude.n_pairs, rude.n_missing) == (2, 14, 59, 1)
    assert [(t.arm, t.p_exact) for t in done.sign_tests] == [
        ("kind", pytest.approx(2 * (1 + 11) / 2**11)), ("rude", pytest.approx(2 * (1 + 16 + 120) / 2**16)),
    ]  # fmt: skip
    assert [t.p_holm for t in done.sign_tests] == pytest.approx([24 / 2**11, 2 * 274 / 2**16])
    plan = Run(done.folder).plan
    assert plan.reconstructed
    assert any("items are reconstructed from counts" in note for note in plan.notes)
    assert "items are reconstructed from counts" in to_html(report)
    alone = judged(bring([tmp_path / "counts.csv"], tmp_path / "runs", Options(per_model=True)))
    assert (cell(alone, "kind", "a").gained, cell(alone, "kind", "a").lost) == (9, 1)
    clustered = judged(bring([tmp_path / "counts.csv"], tmp_path / "runs", Options(columns={"cluster": "model"})))
    assert cell(clustered, "kind").status == "too_few_clusters"


def test_counts_that_cannot_be(tmp_path: Path) -> None:
    shared_items = [
        {"variant": "kind", "gained": 6, "lost": 0, "ties": 4}, {"variant": "rude", "gained": 0, "lost": 6, "ties": 4},
    ]  # fmt: skip
    with pytest.raises(FileProblems, match=r"gained 6 items .* 'rude' lost 6 .* there are 10"):
        bring([counts(tmp_path, shared_items)], tmp_path / "runs")
    with pytest.raises(FileProblems, match="row 1: 'lost' must be a whole number"):
        bring([counts(tmp_path, [{"variant": "kind", "gained": 6, "lost": -1, "ties": 4}])], tmp_path / "runs")


@pytest.mark.shared
def test_published_counts(shared: Path, tmp_path: Path) -> None:
    """40 models and 10 variants: the author's exact sign tests, and what Holm leaves of them."""
    done = bring([shared / "data/external/llmevals_emotion_prompts_counts.csv"], tmp_path)
    found = {t.arm: t for t in done.sign_tests}
    assert {arm: (t.gained, t.lost) for arm, t in found.items()} == {
        "Bullying": (10, 14), "Curious": (11, 14), "Emotion": (7, 21), "Expert": (15, 22), "Fear": (11, 19), "Incentive": (13, 18),
        "Polite": (11, 20), "Praise": (13, 22), "Reasoning": (31, 17), "Shaming": (7, 20),
    }  # fmt: skip
    assert [round(100 * found[arm].p_exact, 1) for arm in ("Emotion", "Shaming", "Reasoning")] == [1.3, 1.9, 5.9]
    assert [round(found[arm].p_holm, 2) for arm in ("Emotion", "Shaming")] == [0.13, 0.17]
    report = judged(done)
    cells = {c.treatment: c for c in report.of("cell")}
    assert {arm: (c.gained, c.lost) for arm, c in cells.items()} == {arm: (t.gained, t.lost) for arm, t in found.items()}
    assert cells["Emotion"].diff == pytest.approx(-0.035)
    assert {c.verdict for c in report.comparisons} <= {"unclear", "same"}
    assert "At 5 % after Holm nothing is left" in to_html(report)


# The run folder


def test_the_run_is_a_normal_one(tmp_path: Path) -> None:
    done = bring([PROMPTFOO], tmp_path, Options(placebos=("neutral",)))
    run = Run(done.folder)
    assert ID.match(run.id)
    assert (run.state, run.manifest.imported) == ("complete", True)
    assert tuple(run.trials().columns) == tuple(TRIAL_COLUMNS)
    assert tuple(run.calls().columns) == tuple(CALL_COLUMNS)
    assert "not frozen before the data" in run.manifest.question
    assert any("not frozen before the data" in note for note in run.plan.notes)
    assert "made by the other tool; promptlab sent none" in to_html(build(run))
    (source,) = run.manifest.provenance["files"]
    assert source["file"] == "promptfoo.json"
    assert len(source["sha256"]) == 64
    assert str(HERE) not in everything_in(done.folder)
    assert {h.control for h in run.plan.hypotheses} == {"none", "placebo"}
    report = build(run)
    for render in (to_html, to_markdown, to_json):
        assert "not frozen before the data" in render(report).replace("\\", "")


def test_the_baseline_keeps_its_name(tmp_path: Path) -> None:
    table = tmp_path / "ab.csv"
    lines = [f"q{i},{arm},{int(i % 3 > 0 or arm == 'B')}" for i in range(30) for arm in "AB"]
    table.write_text("\n".join(["item,arm,score", *lines]) + "\n", encoding="utf-8")
    run = Run(bring([table], tmp_path / "runs", Options(baseline="A")).folder)
    report = build(run)
    [summary] = summaries(report)
    assert {row.arm for row in summary.rows if row.incumbent} == {"A"}
    assert (summary.against, run.manifest.paid) == ("A", "no price recorded")
    assert "against A" in next(c.sentence for c in report.comparisons if c.diff is not None)
    assert "no added text" not in to_markdown(report)


def test_the_same_import_is_the_same_run(tmp_path: Path) -> None:
    copy = tmp_path / "promptfoo.json"
    shutil.copy(PROMPTFOO, copy)
    first, again = bring([PROMPTFOO], tmp_path / "runs"), bring([copy], tmp_path / "runs")
    assert (first.folder, first.written, again.written) == (again.folder, True, False)
    assert len(Run(first.folder).trials()) == 120
    other = bring([copy], tmp_path / "runs", Options(placebos=("neutral",)))
    assert other.folder != first.folder
    (first.folder / "manifest.json").unlink()  # as a killed import leaves it
    assert bring([copy], tmp_path / "runs").written
    assert len(pq.read_table(first.folder / "trials")) == 120


def test_the_explorer_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps import AppTest

    done = bring(INSPECT, tmp_path)
    for page in ("overview", "samples"):
        monkeypatch.setattr(sys, "argv", ["app.py", "--run", str(done.folder)])
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.query_params["page"] = page
        app.run()
        assert not app.exception
        assert not app.error


def test_command_line(tmp_path: Path) -> None:
    done = runs.run("import", *map(str, INSPECT), "--runs", str(tmp_path), "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert "promptlab report" in done.stdout
    assert CAREER in done.stdout
    (folder,) = tmp_path.glob("mine-*")
    told = runs.run("report", str(folder), "--tasks")
    assert told.returncode == 0, told.stderr
    assert "not settled: career (+16.7 points)" in " ".join(told.stdout.split())
    as_json = runs.run("import", str(table(tmp_path, rows(score2=3))), "--score", "score", "--runs", str(tmp_path), "--json")
    assert json.loads(as_json.stdout)["guessed"] == ["item is the column 'item'", "arm is the column 'arm'"]
    assert set(json.loads(as_json.stdout)["arms"][0]) == {"name", "imported_as", "role", "text"}
    wrong = runs.run("import", str(PROMPTFOO), "--baseline", "base", "--runs", str(tmp_path))
    assert wrong.returncode == 2
    assert "did you mean 'baseline'?" in wrong.stderr
    wrong = runs.run("import", str(PROMPTFOO), "--scale", "1;5")
    assert wrong.returncode == 2


# Refusals


@pytest.mark.parametrize(
    ("lines", "options", "said"),
    [
        ([{"arm": "none", "score": 1}], {}, r"no column for the item was found .*--item COLUMN"),
        ([{"item": 1, "arm": "none"}], {}, r"no column for the score"),
        ([{"item": 1, "score": 1}], {}, r"no column for the arm"),
        (rows(), {"columns": {"item": "itm"}}, r"no column 'itm'; did you mean 'item'"),
        ([r for r in rows() if r["arm"] == "none"], {}, r"only one arm \('none'\); the column 'arm' holds one value only"),
        ([{**r, "arm": {"none": "plain"}.get(str(r["arm"]), r["arm"])} for r in rows()], {}, r"--baseline 'plain'. The arms are:\n  plain"),
        (rows(), {"baseline": "non"}, r"no such arm; did you mean 'none'"),
        (rows(), {"placebos": ("kindly",)}, r"no such arm; did you mean 'kind'"),
        (rows(), {"placebos": ("none",)}, r"this arm is the baseline"),
        (rows(), {"placebos": ("kind",)}, r"no added text is left to judge"),
        (rows(), {"baseline": "kind"}, r"besides the baseline 'kind'.*use --baseline none"),
        ([*rows(), {"item": "x", "arm": "control", "score": 1}], {}, r"several arms could be the baseline \('none', 'control'\)"),
        ([*rows(), rows()[0]], {}, r"1 results occur twice .* first table.csv row 1 and table.csv row 61 .*--repeat"),
        ([{**r, "score": 50 * int(str(r["score"]))} for r in rows()], {}, r"between 0 and 50 .*outside 0 to 1; --scale LOW,HIGH"),
        (rows(), {"scale": (1, 0)}, r"low end must be below"),
        ([{**r, "score": 7} for r in rows()], {"scale": (1, 5)}, r"outside 1 to 5; give the ends of the scale itself"),
        ([{**r, "score": "splendid"} for r in rows()], {}, r"row 1: the score 'splendid' is no number(.|\n)*and 55 more rows"),
        ([{**r, "outcome": "fail"} for r in rows()], {}, r"the outcome 'fail' is not known .*failed call must not be mixed up"),
        ([{**r, "score": ""} for r in rows()], {}, r"no result has a score"),
        ([{**r, "item": f"{r['arm']}{r['item']}"} for r in rows()], {}, r"no item was answered by one model both"),
        ([{**r, "model": r["arm"]} for r in rows()], {}, r"nothing can be paired .*same id, task and model"),
        ([{**r, "target": r["arm"]} for r in rows()], {}, r"one id means two items"),
        ([{**r, "temperature": int(r["arm"] == "kind")} for r in rows()], {}, r"different sampling parameters .*--force"),
        ([{**r, "model_version": r["arm"]} for r in rows()], {}, r"different model versions .*--force"),
        ([{**r, "item": ""} for r in rows()], {}, r"'item' is empty"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, lines: list[dict[str, object]], options: dict[str, Any], said: str) -> None:
    with pytest.raises(PromptlabError, match=said) as told:
        bring([table(tmp_path, lines)], tmp_path / "runs", Options(**options))
    assert told.value.exit_code == 2
    assert not (tmp_path / "runs").exists()


def test_force_imports_and_notes(tmp_path: Path) -> None:
    path = table(tmp_path, [{**r, "model_version": r["arm"]} for r in rows()])
    done = bring([path], tmp_path / "runs", Options(force=True))
    assert any("need not come from the added text" in note for note in done.notes)


def test_refusals_of_files(tmp_path: Path) -> None:
    def refuses(name: str, content: bytes | str, said: str, *, options: Options | None = None) -> None:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(PromptlabError, match=said):
            bring([path], tmp_path / "runs", options)

    refuses("a.json", '{"x": 1}', "no known tool.*make a list of objects")
    refuses("a.json", '{"x": 1}', "not a result file of promptfoo", options=Options(kind="promptfoo"))
    refuses("a.json", '{"x": ', "not JSON.*is the file whole")
    refuses("a.json", b"\xff\xfe\x00", "not UTF-8")
    refuses("a.json", '{"results": {"results": []}}', "no results in it")
    refuses("a.csv", "", "the file is empty")
    refuses("a.csv", "item,arm,score\n", "no rows")
    refuses("a.txt", "x", "files that end in '.txt' are not read")
    refuses("a.eval", "PK no zip", "not a readable zip archive")
    refuses("a.jsonl", json.dumps({"doc_id": 1, "resps": []}), "no sample holds a metric")
    refuses("a.parquet", b"PAR1", "not a readable Parquet file")
    with pytest.raises(FileProblems, match="there is no such file"):
        bring([tmp_path / "absent.csv"], tmp_path / "runs")
    with pytest.raises(FileProblems, match="not a regular file"):
        bring([tmp_path], tmp_path / "runs")
    with pytest.raises(UsageProblem, match="take --arm model only"):
        bring(INSPECT, tmp_path / "runs", Options(columns={"arm": "stimulus"}))
    with pytest.raises(UsageProblem, match="of several tools"):
        bring([PROMPTFOO, INSPECT[0]], tmp_path / "runs")
    with pytest.raises(FileProblems, match="a log of inspect_ai holds one arm; give the files of all arms"):
        bring([INSPECT[0]], tmp_path / "runs")
    with pytest.raises(UsageProblem, match=r"for some files and not for 'inspect_career.eval'"):
        bring(INSPECT, tmp_path / "runs", arm_names={"inspect_none.eval": "none"})
    with pytest.raises(UsageProblem, match="not among those given"):
        bring(INSPECT, tmp_path / "runs", arm_names={"other.eval": "none"})
    with pytest.raises(UsageProblem, match="--name"):
        bring([PROMPTFOO], tmp_path / "runs", name="../up")
    with pytest.raises(UsageProblem, match="--score means nothing for files of the kind 'promptfoo'"):
        bring([PROMPTFOO], tmp_path / "runs", Options(columns={"score": "points"}))
    assert not (tmp_path / "runs").exists()


def test_a_copy_of_a_file_adds_nothing(tmp_path: Path) -> None:
    done = bring([PROMPTFOO, PROMPTFOO], tmp_path / "runs")
    assert done.n_results == 120
    assert any("1 file with the same content as another" in note for note in done.notes)


def test_one_table_for_each_arm(tmp_path: Path) -> None:
    lines = [[{k: v for k, v in r.items() if k != "arm"} for r in rows() if r["arm"] == arm] for arm in ("none", "kind")]
    files = [table(tmp_path, one, f"{i}.csv") for i, one in enumerate(lines)]
    found = cell(judged(bring(files, tmp_path / "runs", arm_names={"0.csv": "baseline", "1.csv": "warm"})), "warm")
    assert (found.gained, found.lost, found.n_pairs) == (8, 1, 30)


def test_documents_that_differ_are_not_paired(tmp_path: Path) -> None:
    files = [tmp_path / path.name for path in LM_EVAL]
    shutil.copy(LM_EVAL[0], files[0])
    lines = [{**json.loads(line), "doc_hash": "other"} for line in LM_EVAL[1].read_text().splitlines()]
    files[1].write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(FileProblems, match=r"the item '0' asks one thing in .* and another in .* evaluate the arms on the same items"):
        bring(files, tmp_path / "runs")


def test_tests_without_assertions_say_nothing(tmp_path: Path) -> None:
    value = json.loads(PROMPTFOO.read_text())
    for row in value["results"]["results"]:
        row |= {"score": 1, "success": True, "testCase": {}, "gradingResult": None, "failureReason": 0}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    with pytest.raises(FileProblems, match="no test case asserts anything"):
        bring([path], tmp_path / "runs")


# Files that mean harm


def test_zip_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        archive.writestr("samples/a.json", b"[" + b" " * (bounds.ENTRY_LIMIT + 1))
    with pytest.raises(FileProblems, match="at most 64 MB are read"):
        bring([path], tmp_path / "runs")
    monkeypatch.setattr(bounds, "UNPACKED_LIMIT", 2**20)
    with pytest.raises(FileProblems, match=r"the archive holds .* at most 1 MB"):
        bring([path], tmp_path / "runs")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}" + " " * 5000)
    lying = content.getvalue().replace((5002).to_bytes(4, "little"), (20).to_bytes(4, "little"))  # says that it is small
    path.write_bytes(lying)
    with pytest.raises(FileProblems, match="damaged"):
        bring([path], tmp_path / "runs")


def test_damaged_zstd(tmp_path: Path) -> None:
    content = bytearray(INSPECT[0].read_bytes())
    for place in range(200, 1500, 7):
        content[place] ^= 0xFF
    path = tmp_path / "a.eval"
    path.write_bytes(bytes(content))
    with pytest.raises(FileProblems, match=r"damaged|zip archive"):
        bring([path, INSPECT[1]], tmp_path / "runs")


def test_deep_json(tmp_path: Path) -> None:
    for name, text in (
        ("a.json", "[" * 100_000),
        ("b.json", '{"results": {"results": ' + "[" * 100_000 + "}}"),
        ("c.jsonl", '{"doc_id": 1, "resps": ' + "[" * 100_000),
        ("d.json", '{"results": {"results": [' + '{"vars": {"x": ' + "[" * 800 + "]" * 800 + "}}]}}"),
    ):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(PromptlabError):
            bring([path], tmp_path / "runs")
    path = tmp_path / "e.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", "[" * 100_000)
    with pytest.raises(FileProblems, match=r"header\.json: .* nested too deeply"):
        bring([path], tmp_path / "runs")


def test_keys_are_never_copied(tmp_path: Path) -> None:
    value = json.loads(PROMPTFOO.read_text())
    opaque = "plain-looking-but-secret-value"
    value["config"]["providers"][0]["config"] |= {"apiKey": KEY, "headers": {"Authorization": f"Bearer {opaque}"}}
    rows_ = value["results"]["results"]
    rows_[0]["response"]["output"] = f"29 {opaque}"
    rows_[1]["prompt"]["raw"] += f" {KEY}"
    next(row for row in rows_ if row["failureReason"] == 2)["error"] = f"401: {opaque} {KEY}"
    for row in rows_:
        if row["provider"]["label"] == "sum-small":
            row["provider"] = {"id": f"https://me:{opaque}@host.test/v1?key={KEY}", "label": ""}
    path = tmp_path / "promptfoo.json"
    path.write_text(json.dumps(value))
    done = bring([path], tmp_path / "runs")
    assert done.models == ("sum-large", "https://host.test/v1")
    stored = everything_in(done.folder)
    assert KEY not in stored
    assert opaque not in stored
    assert "[redacted]" in stored


def test_names_stay_names(tmp_path: Path) -> None:
    lines = rows(model="file:///home/someone/provider.py", task="../../etc/passwd")
    lines += [{**line, "arm": "/home/someone/prompts/rude.txt"} for line in lines if line["arm"] == "kind"]
    lines += [{**line, "arm": "\x1b[31mred\u202e\uffff"} for line in lines if line["arm"] == "kind"]
    path = table(tmp_path, lines, "..hidden name!.csv")
    done = bring([path], tmp_path / "runs")
    assert ID.match(done.folder.name)
    assert done.folder.parent == tmp_path / "runs"
    assert (done.models, done.tasks) == (("provider.py",), ("etc-passwd",))
    assert {arm.name for arm in done.arms} == {"none", "kind", "rude.txt", "\\x1b[31mred\\u202e?"}
    assert "/home/someone" not in everything_in(done.folder)
    shown = runs.run("import", str(path), "--runs", str(tmp_path / "runs"))
    assert "\\x1b[31mred\\u202e" in shown.stdout
    assert "\x1b" not in shown.stdout
    html = to_html(judged(done))
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_odd_values_never_crash(tmp_path: Path) -> None:
    """Every value of a real file replaced by others: an import or a refusal, and nothing else."""
    value = json.loads(PROMPTFOO.read_text())
    value["results"]["results"] = [row for row in value["results"]["results"] if row["provider"]["label"] == "sum-small"]
    log = json.loads((HERE / "inspect_career_twice.json").read_text())
    odd: list[object] = [None, True, -1, 10**400, float("nan"), "", "\ud800", [], {}, [[1]], {"a": 1}]
    n = 0
    for number, (document, place) in enumerate(
        [(value, ("results", "results", 0, key)) for key in value["results"]["results"][0]]
        + [(value, ("results", key)) for key in value["results"]]
        + [(value, (key,)) for key in value]
        + [(log, ("samples", 0, key)) for key in log["samples"][0]]
        + [(log, ("eval", key)) for key in log["eval"]]
        + [(log, (key,)) for key in log]
    ):
        changed = json.loads(json.dumps(document))
        inside = changed
        for part in place[:-1]:
            inside = inside[part]
        inside[place[-1]] = odd[number % len(odd)]
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(changed))
        try:
            bring([path] if document is value else [path, INSPECT[0]], tmp_path / "runs")
            n += 1
        except PromptlabError:
            pass
    assert n > 10


@pytest.mark.long
def test_simulated_answers_stay_labelled_when_they_come_back(tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, items=20, models="  - {model: sim/null, name: renamed}")
    assert runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report").returncode == 0
    made = next((tmp_path / "runs").iterdir())
    for kind, flags in (("long", ["--item", "item"]), ("evalstats", ["--item", "item", "--arm", "prompt"])):
        assert runs.run("export", str(made), "--format", kind, "--out", str(tmp_path / f"{kind}.csv")).returncode == 0
        done = runs.run("import", str(tmp_path / f"{kind}.csv"), "--runs", str(tmp_path / kind), *flags)
        assert done.returncode == 0, done.stderr
        back = Run(next((tmp_path / kind).iterdir()))
        assert back.manifest.simulated_models == ("renamed",)
        assert back.trials()["simulated"].all()
        assert "SIMULATED" in runs.run("report", str(back.folder)).stdout
