"""Tables of results and of counts: columns, repeats, clusters, missing answers, and items that one arm lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exports import cell, judged, rows, table
from promptlab.importers import Options, bring
from promptlab.nouns.errors import FileProblems
from promptlab.record.store import Run
from promptlab.reporting import summaries, to_html
from promptlab.reporting.decide import cautions
from promptlab.reporting.summary_words import head_words
from promptlab.stats import interval


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


def test_one_table_for_each_arm(tmp_path: Path) -> None:
    lines = [[{k: v for k, v in r.items() if k != "arm"} for r in rows() if r["arm"] == arm] for arm in ("none", "kind")]
    files = [table(tmp_path, one, f"{i}.csv") for i, one in enumerate(lines)]
    found = cell(judged(bring(files, tmp_path / "runs", arm_names={"0.csv": "baseline", "1.csv": "warm"})), "warm")
    assert (found.gained, found.lost, found.n_pairs) == (8, 1, 30)
