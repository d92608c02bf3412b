"""Files of one megabyte that unpack to much, nest deeply or repeat themselves: refused in one sentence, in little time and memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
import sqlite3
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptlab.nouns import Item, bounds
from promptlab.nouns.errors import FileProblems, RunProblem, did_you_mean
from promptlab.nouns.identity import digest
from promptlab.nouns.item import together
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record import registry
from promptlab.record.store import Run
from promptlab.reporting.build import build
from promptlab.reporting.html import to_html
from promptlab.running.cache import Cache
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.sources.foreign import yaml_value
from promptlab.sources.tables import read_sheet, read_table
from runs import experiment, run

MEGABYTE = 10**6
LONGEST_S = 5.0
MOST_MB = 500
READ = """
import sys, time
from pathlib import Path
from promptlab.nouns import PromptlabError
from promptlab.importers.importing import bring
from promptlab.record.store import Run
from promptlab.record.store.reading import batches_in
from promptlab.record.repair import repair
from promptlab.reporting.build import build
from promptlab.reporting.prepared import Store
from promptlab.sources.spec.libraries import load_library
from promptlab.running import bundle
from promptlab.record import registry
from promptlab.record.store import Run
from promptlab.reporting.build import build
from promptlab.reporting.html import to_html
from promptlab.running.cache import Cache
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from promptlab.sources.own.load import load_own
from promptlab.sources.spec.experiment import load_experiment
KEYS = [f"{n:064x}" for n in range(3000)]
def most_mb():
    status = Path("/proc/self/status")
    text = status.read_text() if status.exists() else "VmHWM: 0 kB"
    return int(text.split("VmHWM:")[1].split()[0]) / 1024
what, path = sys.argv[1], Path(sys.argv[2])
import resource
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
started = time.process_time()
try:
    {
        "import": lambda: bring([path], path.parent / "runs"),
        "experiment": lambda: load_experiment(path),
        "table": lambda: load_own(path),
        "items": lambda: Run(path).items(),
        "trials": lambda: Run(path).trials(),
        "manifest": lambda: Run(path),
        "repair": lambda: repair(path),
        "bundle": lambda: bundle.import_bundle(path, Cache(path.parent / "cache")),
        "batches": lambda: batches_in(path),
        "cache": lambda: (list((cache := Cache(path)).stored()), cache.get_many(KEYS), cache.n_bytes()),
        "stimuli": lambda: load_library(path),
        "report": lambda: build(Run(path)),
        "explorer": lambda: Store.of(path).query("SELECT count(*) FROM trials"),
    }[what]()
    said = ""
except PromptlabError as error:
    said = str(error)
print(time.process_time() - started, most_mb(), said[:300].replace("\\n", " "), sep="|")
"""


def refused(what: str, path: Path) -> str:
    done = run("-c", READ, what, str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, megabytes, said = done.stdout.strip("\n").split("|", 2)
    assert float(seconds) < LONGEST_S, done.stdout
    assert float(megabytes) < MOST_MB, done.stdout
    return said


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def repeated() -> bytes:
    """A text of half a megabyte, a hundred thousand times: a dictionary of one entry."""
    text = pa.array(["".join(chr(33 + (i * i) % 90) for i in range(MEGABYTE // 2))])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), text)
    return parquet(pa.table({"input": column, "target": column}))


def zeros() -> bytes:
    return parquet(pa.table({"input": ["x" * 20_000_000] * 14, "target": ["1"] * 14}), use_dictionary=False, compression="zstd")


def rows() -> bytes:
    return parquet(pa.table({f"c{n}": np.ones(20_000_000, np.int8) for n in range(3)}), row_group_size=20_000_000)


PARQUET: dict[str, Callable[[], bytes]] = {"repeated": repeated, "zeros": zeros, "rows": rows}


@pytest.mark.long(but=1)
@pytest.mark.parametrize("kind", PARQUET)
def test_parquet(tmp_path: Path, kind: str) -> None:
    data = PARQUET[kind]()
    assert len(data) <= 2 * MEGABYTE
    (tmp_path / "t.parquet").write_bytes(data)
    assert "too much to be read" in refused("import", tmp_path / "t.parquet")
    run = tmp_path / "run"
    (run / "trials").mkdir(parents=True)
    (run / "manifest.json").write_text('{"format": 2, "counts": {}}')
    (run / "items.parquet").write_bytes(data)
    (run / "trials" / "part-00000.parquet").write_bytes(data)
    assert "runs repair" in refused("items", run)
    assert "runs repair" in refused("trials", run)


def in_zip(name: str, data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", '{"eval": {}, "status": "success"}' if name != "header.json" else data)
        if name != "header.json":
            archive.writestr(name, data)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data", [b"[" + b"[]," * 20_000_000 + b"[]]", b" " * 70_000_000, b"[" * 30_000_000], ids=["lists", "blanks", "deep"]
)
def test_zip(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log.eval").write_bytes(in_zip("header.json", data))
    assert (tmp_path / "log.eval").stat().st_size <= MEGABYTE
    assert refused("import", tmp_path / "log.eval")


JSON = {
    "deep": "[" * MEGABYTE, "lists": "[" + "[]," * (MEGABYTE // 3) + "[]]", "number": "9" * MEGABYTE,
    "objects": "[" + "{}," * (MEGABYTE // 3) + "{}]", "keys": json.dumps({str(n): {} for n in range(70_000)}),
}  # fmt: skip


@pytest.mark.long(but=2)
@pytest.mark.parametrize("kind", JSON)
def test_json(tmp_path: Path, kind: str) -> None:
    text = JSON[kind]
    for name in ("t.json", "t.jsonl"):
        (tmp_path / name).write_text(text)
        assert refused("import", tmp_path / name)
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text(text)
    assert refused("manifest", run)
    (run / "journal.jsonl").write_text(text)
    refused("repair", run)
    assert (run / "damaged" / "manifest.json").exists()


@pytest.mark.long(but=1)
@pytest.mark.parametrize("line", ["1", "{}", '{"trial":{},"calls":[]}', '{"trial":{"placement":"a","shots":0,"strategy":"b"},"calls":[]}'])
def test_many_short_lines(tmp_path: Path, line: str) -> None:
    text = f"{line}\n" * (MEGABYTE // (len(line) + 1))
    (tmp_path / "t.jsonl").write_text(text)
    assert refused("import", tmp_path / "t.jsonl")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text('{"format": 2, "counts": {}}')
    (tmp_path / "run" / "journal.jsonl").write_text(text)
    refused("repair", tmp_path / "run")


YAML = {
    "values": "a:\n" + "- b\n" * (MEGABYTE // 4), "flow": "a: [" + "[]," * (MEGABYTE // 3) + "]", "deep": "a: " + "[" * MEGABYTE,
    "maps": "a: " + "{a: " * (MEGABYTE // 4), "number": "a: " + "9" * MEGABYTE,
    "aliases": "a: &a [x, x]\n" + "".join(f"b{n}: [*a, *a]\n" for n in range(60_000)),
}  # fmt: skip


@pytest.mark.long(but=2)
@pytest.mark.parametrize("kind", YAML)
def test_yaml(tmp_path: Path, kind: str) -> None:
    (tmp_path / "e.yaml").write_text(YAML[kind])
    assert refused("experiment", tmp_path / "e.yaml")
    (tmp_path / "t.yaml").write_text(YAML[kind])
    assert refused("table", tmp_path / "t.yaml")


@pytest.fixture(scope="module")
def zipped() -> bytes:
    return gzip.compress(b"[" + b"[]," * 50_000_000, compresslevel=1)[:MEGABYTE]


@pytest.mark.parametrize("name", ["t.json.gz", "t.json", "t.parquet", "t.eval", "t.csv"])
def test_gzip(zipped: bytes, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(zipped)
    assert refused("import", tmp_path / name)


def test_gzip_of_a_gigabyte_of_nothing(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)  # may be repeated
    (tmp_path / "t.json").write_bytes(b"\x1f\x8b\x08" + bytes(7) + 60 * block)
    assert "unpacks to more than" in refused("import", tmp_path / "t.json")


def test_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "manifest.json").write_text("[" * MEGABYTE)
    assert "not readable as JSON" in refused("bundle", tmp_path / "b")


def planted(folder: Path, sql: str, *values: object) -> None:
    """A cache of this format's own, and what somebody else made of it."""
    Cache(folder).close()
    with contextlib.closing(sqlite3.connect(folder / "cache.db")) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(sql, values)
        db.execute("PRAGMA journal_mode = DELETE")


ROW = "INSERT INTO Cache (key, raw, store_time, size, mode, filename, value)"
EACH = "FROM (WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999) SELECT i FROM n)"
CACHES = {
    "computed": "UPDATE sqlite_master SET sql = replace(sql, 'value BLOB', 'value BLOB AS (zeroblob(1000000000))') WHERE name = 'Cache'",
    "default": "UPDATE sqlite_master SET sql = replace(sql, 'value BLOB', 'value BLOB DEFAULT (zeroblob(999999999))') WHERE name = 'Cache'",
    "nested": f"{ROW} SELECT printf('%064x', i), 1, 0, 0, 1, NULL, replace(printf('%300d', 0), ' ', '[') {EACH}",
    "one file": f"{ROW} SELECT printf('%064x', i), 1, 0, 0, 3, '00/00/0000000000000000000000000000.val', NULL {EACH}",
    "one blob": f"{ROW} VALUES (zeroblob(400000), 1, 0, 0, 1, NULL, zeroblob(400000))",
}


@pytest.mark.long(but=1)
@pytest.mark.parametrize("kind", CACHES)
def test_a_cache(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "cache"
    planted(folder, CACHES[kind])
    (folder / "00" / "00").mkdir(parents=True)
    (folder / "00" / "00" / f"{'0' * 28}.val").write_bytes(b"2 " + b"0" * (MEGABYTE // 3))
    assert (folder / "cache.db").stat().st_size <= 2 * MEGABYTE
    said = refused("cache", folder)
    assert "move the folder" in said if kind in ("computed", "default") else not said


@pytest.mark.parametrize("kind", JSON)
def test_other_files_of_a_run(tmp_path: Path, kind: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text('{"format": 2, "counts": {}}')
    (run / "batches.json").write_text(JSON[kind])
    assert "which batches are paid for: restore it from a copy" in refused("batches", run)
    (run / "plan.json").write_text(JSON[kind])
    assert refused("report", run)
    assert refused("explorer", run)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("kind", YAML)
def test_a_library(tmp_path: Path, kind: str) -> None:
    (tmp_path / "s.yaml").write_text(YAML[kind])
    assert refused("stimuli", tmp_path / "s.yaml")


def nested_column() -> bytes:
    """Lists in lists in lists, all of them of one value."""
    table = pa.table({"input": pa.array([[[["x"] * 100] * 100] * 100], pa.list_(pa.list_(pa.list_(pa.string())))), "target": ["1"]})
    return parquet(table, compression="zstd")


def many_columns() -> bytes:
    return parquet(pa.table({f"c{n}": [1] for n in range(4000)}), compression="none")


def many_groups() -> bytes:
    return parquet(pa.table({"input": ["x"] * 6000, "target": ["1"] * 6000}), row_group_size=1, write_statistics=False)[: 3 * MEGABYTE]


@pytest.mark.long(but=1)
@pytest.mark.parametrize("make", [nested_column, many_columns, many_groups])
def test_other_parquet(tmp_path: Path, make: Callable[[], bytes]) -> None:
    (tmp_path / "t.parquet").write_bytes(make())
    refused("import", tmp_path / "t.parquet")


def many_members() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("header.json", '{"eval": {}, "status": "success"}')
        for n in range(8000):
            archive.writestr(f"samples/{n}.json", "{}")
    return sink.getvalue()


def zip_in_zip() -> bytes:
    data = b" " * 30_000_000
    for _ in range(3):
        data = in_zip("samples/1_epoch_1.json", data)
    return data


@pytest.mark.parametrize("make", [many_members, zip_in_zip])
def test_other_zips(tmp_path: Path, make: Callable[[], bytes]) -> None:
    (tmp_path / "log.eval").write_bytes(make())
    assert refused("import", tmp_path / "log.eval")


def sheet(strings: bytes, rows: str, columns: str = "", styles: str = "", more: str = "<sheets>") -> bytes:
    """An Excel file with these shared texts, rows, descriptions of columns, fonts, and sheets."""
    import openpyxl  # takes half a second, and every worker collects this file

    book, sink, main = openpyxl.Workbook(), io.BytesIO(), "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    book.active.append(["input", "target"])
    book.save(sink)
    made = io.BytesIO()
    with zipfile.ZipFile(sink) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        parts = {name: old.read(name) for name in old.namelist()}
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        named = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", named.encode())
        parts["xl/sharedStrings.xml"] = strings
        parts["xl/worksheets/sheet1.xml"] = f'<worksheet xmlns="{main}">{columns}<sheetData>{rows}</sheetData></worksheet>'.encode()
        parts["xl/styles.xml"] = parts["xl/styles.xml"].replace(b"</fonts>", styles.encode() + b"</fonts>")
        parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b"<sheets>", more.encode())
        for name, data in parts.items():
            new.writestr(name, data)
    return made.getvalue()


@pytest.mark.parametrize("kind", ["shared texts", "entities in UTF-16"])
def test_cells_that_show_more_than_a_sheet_holds(tmp_path: Path, kind: str) -> None:
    row, main = '<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>', "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strings = f'<sst xmlns="{main}"><si><t>{"word " * 20_000}</t></si></sst>'.encode()
    if kind != "shared texts":
        strings = f'<!DOCTYPE s [<!ENTITY a "{"a" * 1000}">]><sst xmlns="{main}"><si><t>{"&a;" * 9}</t></si></sst>'.encode("utf-16")
    start = time.process_time()
    with pytest.raises(FileProblems, match=r"characters, most of them shared|definitions of its own"):
        read_sheet(tmp_path / "x.xlsx", sheet(strings, row * 30_000))
    assert time.process_time() - start < 5


HEADS = '<row><c t="inlineStr"><is><t>input</t></is></c><c t="inlineStr"><is><t>target</t></is></c></row>'
COLUMN = '<col min="1" max="9999" hidden="1"/>'
SHEETS: dict[str, tuple[dict[str, str], str]] = {
    "columns of many parts": ({"rows": f"<row>{'<c><v>1</v></c>' * 600_000}</row>"}, "parts, which is too much"),
    "rows of many parts": ({"rows": HEADS + "<row><c><v>1</v></c></row>" * 400_000}, "parts, which is too much"),
    "cells of nothing": ({"rows": f"<row>{'<c/>' * 1_200_000}</row>"}, "parts, which is too much"),
    "sheets": ({"rows": HEADS, "more": "<sheets>" + '<sheet name="s" sheetId="1"/>' * 2000}, "parts, which is too much"),
    "fonts": ({"rows": HEADS, "styles": '<font><sz val="1"/></font>' * 100_000}, "parts, which is too much"),
    "tags in tags": ({"rows": "<row>" + "<a>" * 600_000 + "</a>" * 600_000 + "</row>"}, "nested too deeply"),
    "hidden columns": ({"rows": HEADS + '<row><c r="XFD2"><v>1</v></c></row>', "columns": f"<cols>{COLUMN * 60_000}</cols>"}, ""),
}  # fmt: skip


@pytest.mark.long(but=2)
@pytest.mark.parametrize("kind", SHEETS)
def test_sheets_of_many_parts(tmp_path: Path, kind: str) -> None:
    made, said = SHEETS[kind]
    data = sheet(b"<sst/>", **made)
    start = time.process_time()
    with pytest.raises(FileProblems, match=said) if said else contextlib.nullcontext():
        assert "hidden columns are read, too (A, B, C" in read_sheet(tmp_path / "x.xlsx", data).notes[0]
    assert time.process_time() - start < 5


def test_aliases_of_a_long_text() -> None:
    with pytest.raises(ValueError, match="aliases stand for"):
        yaml_value("a: &a '" + "x" * 100_000 + "'\nb:\n" + "- {q: *a}\n" * 10_000)
    assert len(yaml_value("a: &a '" + "x" * 2_000 + "'\nb:\n" + "- {q: *a}\n" * 1_000)["b"]) == 1_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- " * 400_000, "nested too deeply"),  # libyaml ended the process
        ("? " * 400_000, "nested too deeply"),
        ("a: 1" + ":59" * 300_000, "a number of 900,001 characters"),
        ("a: 1" + ":59" * 300 + ".5", "not of its type"),
        ("!!int ''", "not of its type"),
        ("!!bool x", "not of its type"),
        ("!!timestamp x", "not of its type"),
        ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 5_000)), "aliases stand for|nested too deeply"),
    ],
)
def test_yaml_that_ended_the_reader(text: str, said: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match=said):
        yaml_value(text)
    assert time.process_time() - start < 5


def test_a_prompt_of_very_many_messages(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("[" + "[]," * 300_000 + "[]]")
    with pytest.raises(FileProblems, match="300,001 messages; a prompt has at most"):
        resolve(experiment(tmp_path, tasks="sum", more="prompts: {a: {file: p.json}}\n"))


def test_a_prompt_of_very_many_variables(tmp_path: Path) -> None:
    start = time.process_time()
    (tmp_path / "p.txt").write_text("".join(f"{{v{n}}}" for n in range(30_000)))
    with pytest.raises(FileProblems, match="v0} is no variable"):
        resolve(experiment(tmp_path, tasks="sum", more="prompts: {a: {file: p.txt}}\n"))
    assert time.process_time() - start < 5


PROMPTS = {
    "words that are text": (
        "".join(f"{{v{n}}}" for n in range(24_000)) + "{input}", f", literal: [{','.join(f'v{n}' for n in range(24_000))}]", "",
    ),
    "blanks": ("{" + " " * MEGABYTE + "{input}", "", ""),
    "lines": ("\n" * MEGABYTE + "".join(f"{{v{n}}}" for n in range(100)), "", "p.txt:1000001: .*v0} is no variable"),
}  # fmt: skip


@pytest.mark.long(but=1)
@pytest.mark.parametrize("kind", PROMPTS)
def test_a_prompt_of_a_megabyte(tmp_path: Path, kind: str) -> None:
    text, more, told = PROMPTS[kind]
    (tmp_path / "p.txt").write_text(text)
    path = experiment(tmp_path, tasks="sum", items=4, more=f"prompts: {{a: {{file: p.txt{more}}}}}\n")
    start = time.process_time()
    with pytest.raises(FileProblems, match=told) if told else contextlib.nullcontext():
        make_plan(resolve(path))
    assert time.process_time() - start < 5


def test_a_file_of_very_many_prompts(tmp_path: Path) -> None:
    prompts = ", ".join(f"p{n}: 'a {{input}}'" for n in range(1001))
    with pytest.raises(FileProblems, match=r"prompts: .* at most 1000"):
        resolve(experiment(tmp_path, tasks="sum", more=f"prompts: {{{prompts}}}\n"))


CSV = {
    "quotes": '"' * MEGABYTE, "open quotes": "a,b\n" + '"x' * (MEGABYTE // 2), "columns": "a" + "," * MEGABYTE + "\n",
    "rows": "a\n" * (MEGABYTE // 2), "heads": "input,target\n" * 70_000,
}  # fmt: skip


@pytest.mark.long(but=3)
@pytest.mark.parametrize("kind", CSV)
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_csv(tmp_path: Path, kind: str, ending: str) -> None:
    (tmp_path / f"t.{ending}").write_text(CSV[kind])
    assert refused("import", tmp_path / f"t.{ending}")


def test_many_equal_rows() -> None:
    start = time.process_time()
    assert {item.cluster for item in together(Item(str(n), "1", ("2",)) for n in range(50_000))} == {"1"}
    assert time.process_time() - start < 5


def test_many_columns(tmp_path: Path) -> None:
    """What is looked for in each of many columns, or in each row for each of them, took minutes."""
    start = time.process_time()
    (tmp_path / "t.csv").write_text(",".join(f"c{n}" for n in range(140_000)) + "\n" + "," * 139_999)
    assert len(read_table(tmp_path / "t.csv").columns) == 140_000
    (tmp_path / "t.jsonl").write_text("".join(f'{{"k{n}":1,"input":"a"}}\n' for n in range(40_000)))
    with pytest.raises(FileProblems, match="40,000 rows have 40,001 different keys"):
        read_table(tmp_path / "t.jsonl")
    (tmp_path / "t.csv").write_text(f"a{',' * 490_000}\nb{',' * 400_000}\n")
    assert read_table(tmp_path / "t.csv").columns == ("a",)
    (tmp_path / "t.csv").write_text('a,b\n"' + '""' * 17_000_000)
    with pytest.raises(FileProblems, match="field larger than field limit"):
        read_table(tmp_path / "t.csv")
    assert time.process_time() - start < 5


def test_unknown_names_without_end(tmp_path: Path) -> None:
    """Near names are looked for in reason: a thousand unknown names took seconds, and two long ones minutes."""
    names = ",".join(f"emotionprompt/EP{n}" for n in range(3_000))
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\nquestion: q\ntasks: [sum]\nmodels: [sim/null]\nitems: 5\nstimuli: [{names}]\n", encoding="utf-8")
    start = time.process_time()
    with pytest.raises(FileProblems, match="EP2999' is not known"):
        resolve(path)
    assert did_you_mean("ab" * 50_000, ["ba" * 50_000] * 20 + [str(n) for n in range(20)]) == ""
    assert time.process_time() - start < 5


def crossed(plan: dict[str, Any]) -> None:
    for name, n in (("tasks", 40), ("models", 40), ("arms", 40)):
        plan[name] = [{**plan[name][0], "name" if name == "models" else name[:-1]: f"{name}{i}"} for i in range(n)]


def nested(plan: dict[str, Any]) -> None:
    for _ in range(60):
        plan["placements"] = {"a": plan["placements"]}


PLANS: dict[str, Callable[[dict[str, Any]], None]] = {
    "3,00. comparisons": lambda plan: plan["hypotheses"].extend({**plan["hypotheses"][-1], "family": str(n)} for n in range(3000)),
    "[0-9,]+ entries in 'arms'": lambda plan: plan["arms"].extend({**plan["arms"][0], "arm": str(n)} for n in range(1500)),
    "3,000 entries in 'base_prompts'": lambda plan: plan.update(base_prompts=["b"] * 3000),
    "1,800 entries in 'tasks'": lambda plan: plan.update(tasks=[{**plan["tasks"][0], "demos": [{}] * 900}] * 2),
    "2,000 entries in 'placements'": lambda plan: plan.update(placements={str(n): {} for n in range(2000)}),
    "64,000 cells": crossed,
    "nested too deeply": nested,
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    study = resolve(experiment(folder, tasks="sum", items=5))
    return run_sweep(study, folder / "runs", None, Execution(8), lambda _: None).folder


@pytest.mark.parametrize("said", PLANS)
def test_a_foreign_plan_holds_no_more_than_its_folder_makes_likely(swept: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, whole = swept / "plan.json", (swept / "plan.json").read_text()
    plan = json.loads(whole)
    PLANS[said](plan)
    monkeypatch.setenv("PROMPTLAB_REGISTRY", str(swept.parent / f"registry-{len(said)}"))
    monkeypatch.setenv("PROMPTLAB_CONFIG", str(swept.parent / "config.yaml"))
    path.write_text(json.dumps(plan))
    try:
        with pytest.raises(RunProblem, match=said):
            Run(swept).plan  # noqa: B018
        if "deeply" not in said:
            entry = {"models": [], "tasks": {}, "comparisons": {}, "margins": [], "alpha": [0, 0]}
            registry.append("plan", {"run": swept.name, "plan": digest(plan), **entry})
            assert Run(swept).plan.run == swept.name
            registry.path().unlink()
            (swept.parent / "config.yaml").write_text(f"trusted: ['{swept.parent}']\n")
            assert Run(swept).plan.run == swept.name
    finally:
        (swept.parent / "config.yaml").unlink(missing_ok=True)
        path.write_text(whole)


@pytest.mark.long
def test_the_largest_foreign_plan_is_judged_and_shown_in_time(swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_REGISTRY", str(tmp_path / "registry"))
    run = tmp_path / swept.name
    shutil.copytree(swept, run)
    plan = json.loads((run / "plan.json").read_text())
    last, n = plan["hypotheses"][-1], bounds.MOST_COMPARISONS - len(plan["hypotheses"])
    plan["hypotheses"] += [{**last, "family": str(n)} for n in range(n)]
    (run / "plan.json").write_text(json.dumps(plan))
    start = time.process_time()
    assert len(to_html(build(Run(run)))) > 10**5
    assert time.process_time() - start < 5


def test_a_file_of_nothing_but_a_hole_makes_no_larger_plan_likely(swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_REGISTRY", str(tmp_path / "registry"))
    run = tmp_path / swept.name
    shutil.copytree(swept, run)
    plan = json.loads((run / "plan.json").read_text())
    said = next(iter(PLANS))
    PLANS[said](plan)
    (run / "plan.json").write_text(json.dumps(plan))
    with (run / "hole").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(RunProblem, match=said):
        Run(run).plan  # noqa: B018


def test_an_item_with_ten_thousand_answers_and_a_file_with_as_many_loops(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"q": str(n), "a": list(map(str, range(10_000)))}) + "\n" for n in range(6)))
    (tmp_path / "t.yaml").write_text("items: t.jsonl\ncolumns: {input: q, target: a}\nmetric: text\nbase_prompts: Add.\n")
    start = time.process_time()
    assert len(resolve(experiment(tmp_path, tasks="t", items=5, more="task_files: [t.yaml]\n")).design.tasks) == 1
    for many, more in (("loops", "loops: [{rounds: 2}" + ", {rounds: 2}" * 4000 + "]\n"), ("models", "")):
        models = "\n".join(f"  - {{model: sim/null, name: m{n}}}" for n in range(1 if more else 4000))
        with pytest.raises(FileProblems, match=f"{many}: .* at most"):
            resolve(experiment(tmp_path, name=many, tasks="sum", models=models, more=more))
    assert time.process_time() - start < 5
