"""Real outputs of promptfoo, lm-evaluation-harness and Inspect, of several versions and forms: every change between the arms is found."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from exports import CAREER, HERE, INSPECT, LM_EVAL, PROMPTFOO, TOOLS, cell, counts, judged
from promptlab.importers import Options, bring, explain
from promptlab.importers import files as bounds
from promptlab.nouns.errors import FileProblems, UsageProblem
from promptlab.record.store import Run

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
