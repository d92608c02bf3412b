"""The rows of a record: their fields go round unchanged, and files of other versions read."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptlab.explorer.trial import facts
from promptlab.nouns import ArmRef, Contrast, Hypothesis, Setting
from promptlab.nouns.call import Completion, Reply
from promptlab.nouns.record import CALL_COLUMNS, TRIAL_COLUMNS, CallRow, ItemRow, TrialRow, columns_of, row_of, totals
from promptlab.planning.resolve import resolve
from promptlab.record.repair import repair
from promptlab.record.store import Run, RunWriter
from promptlab.record.store.files import line_of, part_rows, schema, whole_lines
from promptlab.record.store.writing import table_of, write_part
from promptlab.reporting.formats import long_frame
from promptlab.running.bundle import of_run
from promptlab.running.cache import Cache
from promptlab.running.cache.rows import NOT_STORED, body_of, completion_of, packed
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.running.trial_rows import SHARED, completion_in
from runs import experiment, served
from servers import Server

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(), "int": st.integers(-(2**63), 2**63 - 1), "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
}  # fmt: skip
KINDS = pytest.mark.parametrize("kind", [TrialRow, CallRow, ItemRow])


def any_row(kind: type[Any]) -> st.SearchStrategy[Any]:
    columns = {name: st.none() | VALUES[word[:-1]] if word.endswith("?") else VALUES[word] for name, word in columns_of(kind).items()}
    return st.builds(kind, **columns)


def trial_row(n: int = 0) -> TrialRow:
    example: dict[str, Any] = {"str": "x", "int": n, "float": 0.5, "bool": False}
    return row_of(TrialRow, {**{name: example[word.rstrip("?")] for name, word in TRIAL_COLUMNS.items()}, "trial": f"t{n}"})


def call_row(n: int = 0) -> CallRow:
    example: dict[str, Any] = {"str": "{}", "int": 0, "float": 0.5, "bool": False}
    return row_of(CallRow, {**{name: example[word.rstrip("?")] for name, word in CALL_COLUMNS.items()}, "trial": f"t{n}"})


def newer(row: Any, **more: Any) -> dict[str, Any]:
    return {**vars(row), **more}


@KINDS
@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_row_survives_arrow(kind: type[Any], data: st.DataObject) -> None:
    rows = data.draw(st.lists(any_row(kind), max_size=3))
    table = table_of([vars(row) for row in rows], columns_of(kind))
    assert table.schema == schema(columns_of(kind))
    assert [row_of(kind, row) for row in table.to_pylist()] == rows


@given(trial=any_row(TrialRow), calls=st.lists(any_row(CallRow), max_size=2))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_row_survives_the_journal_and_the_part_that_is_made_of_it(tmp_path: Path, trial: TrialRow, calls: list[CallRow]) -> None:
    line = line_of(trial, calls)
    assert line == line_of(vars(trial), [vars(call) for call in calls])
    [(_, found)] = whole_lines(line)
    assert (row_of(TrialRow, found["trial"]), [row_of(CallRow, call) for call in found["calls"]]) == (trial, calls)
    for kind in ("trials", "calls"):
        (tmp_path / kind).mkdir(exist_ok=True)
    write_part(tmp_path, 0, [line])
    assert [row_of(TrialRow, row) for row in part_rows(tmp_path / "trials/part-00000.parquet", TRIAL_COLUMNS)] == [trial]
    assert [row_of(CallRow, row) for row in part_rows(tmp_path / "calls/part-00000.parquet", CALL_COLUMNS)] == calls


def test_every_fact_of_a_completion_is_in_the_row_of_its_call() -> None:
    in_another_form = {"requested", "effective", "top_logprobs", "unknown"}
    assert {f.name for f in fields(Completion)} == {*SHARED, *in_another_form}
    assert set(totals(TrialRow)) <= set(SHARED)
    assert {f.name for f in fields(Reply)} & NOT_STORED == set()


COMPLETIONS = st.builds(
    Completion,
    text=st.text(),
    outcome=st.sampled_from(["ok", "truncated", "refused", "empty"]),
    effective=st.dictionaries(st.text(), st.integers(0, 9), max_size=2),
    top_logprobs=st.lists(st.tuples(st.text(), st.floats(-9, 0)), max_size=2).map(tuple),
    attempts=st.integers(1, 9),
    unknown=st.dictionaries(st.sampled_from(["cached", "mood", "unknown"]), st.lists(st.integers()), max_size=2),
    **{
        f.name: st.none() | {"str": st.text(), "int": st.integers(0, 10**9), "float": st.floats(0, 10**6)}[str(f.type).partition(" ")[0]]
        for f in fields(Completion)
        if str(f.type).endswith("| None")
    },
)


@given(completion=COMPLETIONS)
@settings(max_examples=60, deadline=None)
def test_a_completion_survives_its_stored_body(completion: Completion) -> None:
    assert completion_of(json.loads(json.dumps(body_of(completion)))) == replace(completion, cached=True)


def test_a_stored_answer_with_an_unknown_field_hits_and_keeps_it(tmp_path: Path) -> None:
    answer = Completion("42", "ok", unknown={"mood": ["bright"], "cached": 7})
    assert '"mood":["bright"]' in packed("k", answer, None)
    cache, other = Cache(tmp_path / "one"), Cache(tmp_path / "two")
    cache.put("k", answer)
    found = cache.get("k")
    assert found == replace(answer, cached=True)
    other.put("k", found)
    assert body_of(other.get("k") or Completion("", "error")) == body_of(answer)
    cache.close(), other.close()


def test_an_answer_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    assert completion_of(
        {
            "text": "42", "outcome": "ok", "finish_reason": None, "model_version": None, "input_tokens": 1, "output_tokens": 1,
            "cost_usd": None, "latency_s": 0, "effective": {},
        }
    ) == Completion("42", "ok", input_tokens=1, output_tokens=1, latency_s=0, cached=True)  # fmt: skip
    with pytest.raises(ValueError, match="lacks"):
        completion_of({"text": "42", "outcome": "ok"})


def test_a_row_of_a_call_gives_its_completion_back() -> None:
    call = replace(call_row(), outcome="ok", top_logprobs='[["A",-0.5]]', effective='{"seed":1}', cached=True)
    found = completion_in(call)
    assert (found.top_logprobs, found.effective, found.fingerprint, found.cached) == ((("A", -0.5),), {"seed": 1}, call.fingerprint, True)


def test_parts_of_a_later_version_are_read_and_repaired_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    writer = RunWriter(folder)
    for n in range(3):
        writer.append(newer(trial_row(n), mood="bright", counts=[n]), [newer(call_row(n), mood={"is": n})])
    writer.write_json("manifest.json", {"format": 1, "id": "r", "state": "complete", "counts": {"done": 3, "errors": 0}})
    journal = Run(folder)
    before = journal.trials(), journal.calls()
    assert len(before[0]) == len(before[1]) == 3
    writer.close()
    part = pq.read_table(folder / "trials" / "part-00000.parquet")
    assert part["mood"].to_pylist() == ["bright"] * 3
    assert part["counts"].to_pylist() == [[0], [1], [2]]
    assert list(Run(folder).trials().columns) == list(TRIAL_COLUMNS)
    assert before[0].equals(Run(folder).trials())
    assert before[1].equals(Run(folder).calls())
    assert not repair(folder).aside
    assert pq.read_table(folder / "trials" / "part-00000.parquet").equals(part)


def test_rows_of_an_earlier_version_read_as_null(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    writer = RunWriter(folder)
    writer.append(trial_row(), [call_row()])
    writer.write_json("manifest.json", {"format": 1, "id": "r", "state": "complete", "counts": {}})
    writer.close()
    for kind, columns in (("trials", TRIAL_COLUMNS), ("calls", CALL_COLUMNS)):
        path = folder / kind / "part-00000.parquet"
        table = pq.read_table(path)
        pq.write_table(table.drop_columns([name for name, word in columns.items() if word.endswith("?")]), path)
    old = {name: getattr(trial_row(1), name) for name, word in TRIAL_COLUMNS.items() if not word.endswith("?")}
    (folder / "journal.jsonl").write_text(json.dumps({"trial": old, "calls": []}) + "\n", encoding="utf-8")
    trials = Run(folder).trials()
    assert len(trials) == 2
    assert trials["cost_usd"].isna().all()
    assert Run(folder).calls()["fingerprint"].isna().all()
    assert [row_of(TrialRow, trial).error for trial, _ in Run(folder).records()] == [None, None]
    assert pa.types.is_int64(schema(TRIAL_COLUMNS).field("order").type)


def test_facts_of_a_completion_are_in_every_place_that_keeps_or_shows_one(tmp_path: Path, server: Server) -> None:
    said = {"reasoning": "two and two", "reasoning_tokens": 0, "cached_input_tokens": None, "reported_cost_usd": 0.00025}
    in_total = {name: value for name, value in said.items() if name != "reasoning"}
    file = experiment(tmp_path, tasks="sum", models=served(server.url, "facts-openrouter"), items=2)
    done = run_sweep(resolve(file), tmp_path / "runs", tmp_path / "cache", Execution(4), lambda _: None)
    run = Run(done.folder)
    for trial, calls in run.records():
        assert {name: trial[name] for name in in_total} == in_total
        assert [{name: call[name] for name in said} for call in calls] == [said]
    assert long_frame(run)["reported_cost_usd"].tolist() == [0.00025] * len(run.trials())
    cache = Cache(tmp_path / "cache")
    stored = [row.completion for row in cache.stored()]
    assert stored
    for completion in [*stored, *(exchange.completion for exchange in of_run(run))]:
        assert completion is not None
        assert {name: getattr(completion, name) for name in said} == said
    cache.close()
    shown = facts(run.trials().iloc[0].to_dict(), run.calls().iloc[:1], {}).set_index("what")["value"]
    assert shown["reasoning"] == "two and two"
    assert shown["price that the provider reports, in USD"] == "0.00025"
    assert "input tokens from the provider's cache" not in shown


def test_a_damaged_row_of_the_plan_is_refused_in_every_field() -> None:
    """One changed letter in a word of a fixed list, or a value of another kind, is told; it never reaches a report."""
    weights = ((ArmRef(model="m", setting="s", arm="a"), 1.0), (ArmRef(model="m", setting="s", arm="none"), -1.0))
    contrast = Contrast(name="a - none", weights=weights)
    row = Hypothesis(
        family="f", scope="primary", model="m", task=None, treatment="a", library="l", control="none", setting=Setting("after", 2),
        contrast=contrast,
    ).plain()  # fmt: skip
    assert Hypothesis.of(row).plain() == row
    for name, wrong in {"scope": "primAry", "family": 3, "model": None, "task": 4, "shots": "2", "treatment": ["a"]}.items():
        with pytest.raises((TypeError, KeyError)):
            Hypothesis.of({**row, name: wrong})
    for name, wrong in {"kind": "difference ", "random": 1, "where": None, "weights": [{"weight": "1"}]}.items():
        with pytest.raises((TypeError, KeyError)):
            Hypothesis.of({**row, "contrast": {**row["contrast"], name: wrong}})
