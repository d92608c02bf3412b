"""Imports that are refused, each with what to do, and files that mean harm: bombs, damage, keys, odd names and values."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

import runs
from exports import HERE, INSPECT, LM_EVAL, PROMPTFOO, counts, everything_in, judged, rows, table
from promptlab.importers import Options, bring
from promptlab.importers import files as bounds
from promptlab.nouns.errors import FileProblems, PromptlabError, UsageProblem
from promptlab.record.store import ID
from promptlab.reporting import to_html

KEY = "sk-live-0123456789abcdefABCDEF"


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
