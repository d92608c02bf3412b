"""Tasks of the user's own: every format, every way to be wrong, and the way through a sweep."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import runs
from conftest import ROOT
from promptlab.nouns.errors import DataMissing, FileProblems
from promptlab.nouns.item import Item, together
from promptlab.scoring.code import Consent
from promptlab.sources.own import Own, check_task, load_own
from promptlab.sources.tables import dataset_files, read_table

HEAD = "items: {items}\ncolumns: {{{columns}}}\nmetric: {metric}\nbase_prompts: Say what it is.\n"
PAIRS = [("2 + 2", "4"), ("3 + 4", "7"), ("10 + 1", "11")]


def task(
    folder: Path, items: str | bytes, name: str = "t.csv", columns: str = "input: q, target: a", metric: str = "number", more: str = ""
) -> Path:
    (folder / name).write_bytes(items.encode() if isinstance(items, str) else items)
    path = folder / "t.yaml"
    path.write_text(HEAD.format(items=name, columns=columns, metric=metric) + more, encoding="utf-8")
    return path


def loaded(folder: Path, *args: Any, **kwargs: Any) -> Own:
    return load_own(task(folder, *args, **kwargs))


def told(folder: Path, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(FileProblems) as error:
        loaded(folder, *args, **kwargs)
    return str(error.value)


CSV = "q,a\n" + "".join(f"{q},{a}\n" for q, a in PAIRS)
ROWS = [{"q": q, "a": a} for q, a in PAIRS]


def parquet(folder: Path, rows: list[dict[str, Any]], metadata: dict[bytes, bytes] | None = None) -> bytes:
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.replace_schema_metadata(metadata or {}), folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "semicolons", "tsv", "bom", "jsonl", "ndjson", "json", "numbers", "parquet"])
def test_all_formats_hold_the_same_task(kind: str, tmp_path: Path) -> None:
    files = {
        "csv": ("t.csv", CSV),
        "semicolons": ("t.csv", CSV.replace(",", ";")),
        "tsv": ("t.tsv", CSV.replace(",", "\t")),
        "bom": ("t.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        "jsonl": ("t.jsonl", "\n\n".join(map(json.dumps, ROWS))),
        "ndjson": ("t.ndjson", "\n".join(map(json.dumps, ROWS))),
        "json": ("t.json", json.dumps(ROWS)),
        "numbers": ("t.jsonl", "\n".join(json.dumps({"q": r["q"], "a": float(r["a"])}) for r in ROWS)),
        "parquet": ("t.parquet", parquet(tmp_path, ROWS)),
    }
    name, content = files[kind]
    found = loaded(tmp_path, content, name).task
    assert found.id == "own/t"
    assert [(item.id, item.input, item.targets) for item in found.items] == [(str(n), q, (a,)) for n, (q, a) in enumerate(PAIRS, 1)]
    assert found.base_prompts == {"human": "Say what it is."}
    assert check_task(load_own(tmp_path / "t.yaml")).gold == ((), ())


def test_cells_over_several_lines_keep_their_lines(tmp_path: Path) -> None:
    message = told(tmp_path, 'q,a\n"one\ntwo\nthree",1\nfour,\n')
    assert f"{tmp_path / 't.csv'}:5: row 2: 'a' holds no answer" in message


def test_options_from_a_column_as_index_letter_and_text(tmp_path: Path) -> None:
    rows = [{"q": "sky", "o": ["red", "blue"], "n": 1, "l": "b", "t": "blue"}]
    content = "\n".join(map(json.dumps, rows))
    for column, kind in (("n", "index"), ("l", "letter"), ("t", "text")):
        found = loaded(tmp_path, content, "t.jsonl", f"input: q, target: {column}, choices: o", "choice", f"target_is: {kind}\n").task
        assert found.items[0].targets == ("blue",)
        assert found.items[0].choices == ("red", "blue")
    assert "must be a place from 0 to 1, found '7'" in told(
        tmp_path, json.dumps({**rows[0], "n": 7}), "t.jsonl", "input: q, target: n, choices: o", "choice", "target_is: index\n"
    )


def test_several_answers_in_one_cell_and_in_a_list(tmp_path: Path) -> None:
    found = loaded(tmp_path, "q,a\nbig,large| huge |\n", metric="word", more="separator: '|'\n").task
    assert found.items[0].targets == ("large", "huge")
    assert loaded(tmp_path, '{"q": "big", "a": ["large", "", "huge"]}', "t.jsonl", metric="word").task.items[0].targets == ("large", "huge")


def test_numbers_that_stand_for_names_in_a_dataset(tmp_path: Path) -> None:
    info = {"info": {"features": {"a": {"names": ["bad", "good"], "_type": "ClassLabel"}, "q": {"dtype": "string"}}}}
    content = parquet(tmp_path, [{"q": "x", "a": 1}, {"q": "y", "a": 0}], {b"huggingface": json.dumps(info).encode()})
    found = loaded(tmp_path, content, "t.parquet", metric="label", more="labels: [good, bad]\n").task
    assert [item.targets for item in found.items] == [("good",), ("bad",)]


def test_grades_in_fractions(tmp_path: Path) -> None:
    content = json.dumps({"q": "x", "s": {"a": 0.25, "b": 0.75}})
    item = loaded(tmp_path, content, "t.jsonl", "input: q, target_scores: s", "choice").task.items[0]
    assert (item.targets, item.choices, item.scores) == (("b",), ("a", "b"), (0.25, 0.75))


def test_repeated_inputs_are_one_cluster(tmp_path: Path) -> None:
    found = loaded(tmp_path, "q,a\n2 + 2,4\n2 + 2,4\n3 + 3,6\n")
    assert [item.cluster for item in found.task.items] == ["2 + 2", "2 + 2", None]
    spaced = loaded(tmp_path, "q,a\nBig Dog,4\nbig  dog,4\n3 + 3,6\n")
    assert [item.cluster for item in spaced.task.items] == ["Big Dog", "Big Dog", None]
    assert any("1 inputs occur in several rows" in note for note in check_task(found).notes)


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("q,a\nx,1\n,2\ny,\n", "t.csv", ["t.csv:3: row 2: 'q' is empty", "t.csv:4: row 3: 'a' holds no answer"]),
        ("q,a\nx\n", "t.csv", ["t.csv:2: row 1: 1 cells, and the first line names 2"]),
        ("q,a\nx,1,2\n", "t.csv", ["t.csv:2: row 1: 3 cells"]),
        ('q,a\n"x,1\ny,2\n', "t.csv", ["t.csv:2: not CSV", "a quote that is opened must be closed"]),
        ("q,q\nx,1\n", "t.csv", ["t.csv:1: two columns have one name"]),
        ("question,a\nx,1\n", "t.csv", ["t.yaml:2", "has no column 'q'", "known: 'a', 'question'"]),
        (b"q,a\n\xff\xfe,1\n", "t.csv", ["t.csv:2: not UTF-8 text"]),
        ("q,a\n", "t.csv", ["holds no rows"]),
        ("", "t.csv", ["holds no rows"]),
        (
            '{"q": "x", "a": "1"}\n{"q": "y", "a"\n[1]\n',
            "t.jsonl",
            ["t.jsonl:2: row 2: not JSON", "t.jsonl:3: row 3: expected a JSON object"],
        ),
        ('{"q": "x", "a": "1"}\n{"q": "y"}\n', "t.jsonl", ["t.jsonl:2: row 2: 'a' is missing"]),
        ('{"q": "x", "a": {"b": 1}}', "t.jsonl", ["row 1: 'a' must be text, found dict"]),
        ('{"q": "x", "a": NaN}', "t.jsonl", ["row 1: 'a' holds no answer"]),
        ('{"q": "\\ud800", "a": "1"}', "t.jsonl", ["half of a surrogate pair"]),
        ("[" * 5000, "t.json", ["not JSON"]),
        ('[{"q": "x", "a": "1"}', "t.json", ["t.json:1: not JSON", "is the file whole?"]),
        ('{"q": 1}', "t.json", ["expected a JSON list of objects, found dict"]),
        (b"PAR1 nothing", "t.parquet", ["not a readable Parquet file"]),
        ("q,a\nx,1\n", "t.xls", ["files that end in '.xls' are not read; known: .csv"]),
    ],
)
def test_what_is_wrong_is_told_by_file_and_row(content: str | bytes, name: str, expected: list[str], tmp_path: Path) -> None:
    message = told(tmp_path, content, name)
    for part in expected:
        assert part in message, message


def test_ids_that_stand_twice(tmp_path: Path) -> None:
    message = told(tmp_path, "q,a,id\nx,1,one\ny,2,two\nz,3,one\n", columns="input: q, target: a, id: id")
    assert "t.csv:4: row 3: the id 'one' is in row 1 already" in message


def test_many_wrong_rows_are_counted(tmp_path: Path) -> None:
    message = told(tmp_path, "q,a\n" + "x,\n" * 500)
    assert len(message.splitlines()) == 41
    assert "and 460 more rows like these" in message


def test_a_label_that_is_misspelt(tmp_path: Path) -> None:
    message = told(tmp_path, "q,a\nx,positiv\n", metric="label", more="labels: [positive, negative]\n")
    assert "row 1: the answer 'positiv' is none of the options; did you mean 'positive'?" in message


@pytest.mark.parametrize(
    ("more", "columns", "metric", "expected"),
    [
        ("", "input: q", "number", "name one column of answers"),
        ("", "input: q, target: a", "nmber", "did you mean 'number'?"),
        ("", "input: q, target: a", "regex:(", "is no pattern"),
        ("", "input: q, target: a", "no_such_module:f", "cannot be loaded"),
        ("", "input: q, target: a", "choice", "metric: choice needs options"),
        ("labels: [one]\n", "input: q, target: a", "label", "at least two different texts"),
        ("target_is: index\n", "input: q, target: a", "text", "needs options"),
        ("nonsense: 1\n", "input: q, target: a", "text", "nonsense"),
        ("demos: none.csv\n", "input: q, target: a", "text", "none.csv: there is no such file"),
    ],
)
def test_a_task_file_that_is_wrong(more: str, columns: str, metric: str, expected: str, tmp_path: Path) -> None:
    assert expected in told(tmp_path, CSV, columns=columns, metric=metric if ":" not in metric else f"'{metric}'", more=more)


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    for name in ("t.csv", "t.json", "t.jsonl", "t.parquet"):
        path = task(tmp_path, "", name)
        with (tmp_path / name).open("wb") as file:
            file.truncate(2 * 2**30)
        with pytest.raises(FileProblems) as error:
            load_own(path)
        assert "2,147,483,648 bytes is more than the limit of 256 MB" in str(error.value)
        if name == "t.json":
            with pytest.raises(FileProblems, match="more than the limit of 256 MB"):
                load_own(tmp_path / name)
        (tmp_path / name).unlink()


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.sources.foreign.SMALL_BYTES", 1000)
    content = parquet(tmp_path, [{"q": "x" * 1000 + str(n), "a": "1"} for n in range(100)])
    assert "unpacks to" in told(tmp_path, content, "t.parquet")


def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    path = task(tmp_path, "")
    (tmp_path / "t.csv").unlink()
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(FileProblems, match="not a regular file"):
        load_own(path)


def test_the_table_itself_gets_a_task_file_to_copy(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("text,label\nx,y\n", encoding="utf-8")
    with pytest.raises(FileProblems) as error:
        load_own(tmp_path / "r.csv")
    assert "items: r.csv" in str(error.value)
    assert "columns: {input: text, target: label}" in str(error.value)


def test_right_answers_that_do_not_score_1_are_found(tmp_path: Path) -> None:
    checked = check_task(loaded(tmp_path, "q,a\nx,seven\ny,8\nz,nothing\n"))
    assert [(item.id, target, score) for item, target, score in checked.gold.below_1] == [("3", "nothing", 0.0)]


def test_a_metric_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "politeness.py").write_text(
        "from promptlab import Scored\n\ndef polite(answer, item):\n    return Scored(float('please' in answer), None)\n",
        encoding="utf-8",
    )
    path = task(tmp_path, "q,a\nx,please do\ny,do it\n", metric="politeness:polite")
    checked = check_task(load_own(path, Consent(everything=True)))
    assert [item.id for item, _, _ in checked.gold.below_1] == ["2"]


def test_a_pattern_as_the_metric(tmp_path: Path) -> None:
    own = loaded(tmp_path, "q,a\nx,12\n", metric="'regex:#### (\\d+)'")
    from promptlab.scoring.metrics import metric

    score = metric(own.task.metric)
    assert score("so\n#### 12", own.task.items[0]).score == 1
    assert score("12", own.task.items[0]).score == 0


BIG = {
    "name": "colours",
    "description": "Say the colour.",
    "example_input_prefix": "\nFact: ",
    "metrics": ["multiple_choice_grade", "bleu"],
    "preferred_score": "multiple_choice_grade",
    "examples": [
        {"input": "sky", "target_scores": {"blue": 1, "red": 0}},
        {"input": "blood", "target_scores": {"blue": 0, "red": 1, "brown": 0.4}},
    ],
}


def task_json(folder: Path, value: object) -> Path:
    path = folder / "task.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_a_bigbench_file(tmp_path: Path) -> None:
    own = load_own(task_json(tmp_path, BIG))
    assert (own.task.id, own.task.metric, own.task.strict) == ("own/colours", "choice", "choice")
    assert own.task.frame.input_prefix == "\nFact: "
    assert own.task.items[1].scores == (0.0, 1.0, 0.4)
    assert own.task.chance == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert check_task(own).gold == ((), ())


def test_a_bigbench_file_of_free_text(tmp_path: Path) -> None:
    examples = [{"input": "2+2", "target": ["4", "four"]}]
    own = load_own(task_json(tmp_path, {"name": "x", "task_prefix": "Add.", "metrics": ["bleu", "exact_str_match"], "examples": examples}))
    assert (own.task.metric, own.task.base_prompts) == ("bigbench_exact", {"human": "Add."})
    assert own.notes == ("scored by exact_str_match; 'bleu' is not available for these items",)
    own = load_own(task_json(tmp_path, {"name": "x", "task_prefix": "Add.", "output_regex": "= (.+)", "examples": examples}))
    assert own.task.metric == "regex:= (.+)"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"name": "x", "examples": [{"in', "not JSON"),
        ([], "expected a BIG-bench task"),
        ({"name": "x"}, "'examples' must be a list with items"),
        ({**BIG, "examples": {}}, "found dict"),
        ({**BIG, "examples": [{"input": "x"}]}, "row 0: neither 'target' nor 'target_scores'"),
        ({**BIG, "examples": [{"target": "x"}]}, "row 0: 'input' is empty"),
        ({**BIG, "examples": [{"input": "x", "target_scores": {"a": 0, "b": 0}}]}, "no option a grade above 0"),
        ({**BIG, "examples": [{"input": "x", "target_scores": {"a": "1", "b": 0}}]}, "the grade '1'; grades are numbers from 0 to 1"),
        ({**BIG, "examples": [{"input": "x", "target": []}]}, "'target' holds no answer"),
        ({**BIG, "description": ""}, "neither 'task_prefix' nor 'description'"),
        ({**BIG, "metrics": ["exact_str_match"], "examples": [{"input": "x", "target": "y"}], "output_regex": "("}, "is no pattern"),
    ],
)
def test_a_bigbench_file_that_is_wrong(value: object, expected: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblems) as error:
        load_own(task_json(tmp_path, value))
    assert expected in str(error.value)


def test_the_check_command(tmp_path: Path) -> None:
    good = runs.run("task", "check", "experiments/own/tickets.yaml")
    assert good.returncode == 0, good.stderr
    assert good.stdout.count("--- item") == 3
    assert "ok (own/tickets, 48 items, every right answer scores 1 by strict_label)" in good.stdout
    value = json.loads(runs.run("task", "check", "experiments/own/tickets.yaml", "--json").stdout)
    assert (value["n_items"], len(value["examples"]), value["gold_below_1"]) == (48, 3, [])
    bad = runs.run("task", "check", str(task(tmp_path, "q,a\nx,nothing\n")))
    assert bad.returncode == 2
    assert "item 1: the right answer 'nothing' scores 0 by the metric strict_number" in bad.stdout
    wrong = runs.run("task", "check", str(task(tmp_path, "q,a\nx,\n")))
    assert wrong.returncode == 2
    assert "row 1: 'a' holds no answer" in wrong.stderr
    assert "Traceback" not in wrong.stderr + bad.stdout


def test_a_sweep_over_a_task_of_ones_own_beside_a_known_one(tmp_path: Path) -> None:
    task(tmp_path, "q,a\n" + "".join(f"{n} + {n},{2 * n}\n" for n in range(40)))
    path = runs.experiment(tmp_path, tasks="t, sum", items=12, more="task_files: [t.yaml]\nshots: 2\n")
    done = runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    folder = next((tmp_path / "runs").iterdir())
    value = json.loads(runs.run("report", str(folder), "--format", "json").stdout)
    assert value["plan"]["suite"] == "own + twin"
    assert {c["suite"] for c in value["comparisons"] if c["task"] == "t"} == {"own"}
    assert {c["suite"] for c in value["comparisons"] if c["task"] == "sum"} == {"twin"}
    row = next(row for row in value["baselines"] if row["task"] == "t")
    assert row["strict"] == row["reference"] == row["negativeprompt"]
    (tmp_path / "t.csv").write_text("q,a\n1 + 1,2\n1 + 2,3\n", encoding="utf-8")
    assert runs.run("check", str(path)).returncode == 2, "two items cannot give demonstrations and questions"


def test_names_that_are_taken_are_told(tmp_path: Path) -> None:
    task(tmp_path, CSV, more="name: sum\n")
    path = runs.experiment(tmp_path, tasks="sum", more="task_files: [t.yaml, t.yaml, none.yaml]\n")
    done = runs.run("check", str(path))
    assert done.returncode == 2
    assert done.stderr.count("the task 'sum' exists already") == 2
    assert "none.yaml: there is no such file" in done.stderr


class Hub(BaseHTTPRequestHandler):
    """The two addresses of the hub that matter here: what a dataset holds, and its files."""

    files: ClassVar[dict[str, bytes]] = {}

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/datasets/team/reviews/revision/"):
            siblings = [{"rfilename": name, "size": len(content)} for name, content in self.files.items()]
            return self.reply(200, json.dumps({"id": "team/reviews", "sha": "a" * 40, "siblings": siblings}).encode(), "application/json")
        marker = f"/datasets/team/reviews/resolve/{'a' * 40}/"
        if path.startswith(marker) and (content := self.files.get(path.removeprefix(marker))) is not None:
            return self.reply(200, content, "application/octet-stream")
        return self.reply(404 if "gated" not in path else 403, b"{}", "application/json")

    def reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hash(body)}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Hub.files = {
        "default/test/0000.parquet": parquet(tmp_path, ROWS[:2]),
        "default/test/0001.parquet": parquet(tmp_path, ROWS[2:]),
        "default/train/0000.parquet": parquet(tmp_path, ROWS),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_dataset_of_the_hub(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.sources.own.load.dataset_files", lambda *args: dataset_files(*args, endpoint=hub))
    path = tmp_path / "t.yaml"
    path.write_text(HEAD.format(items="hf:team/reviews", columns="input: q, target: a", metric="number"), encoding="utf-8")
    found = load_own(path).task
    assert [item.targets[0] for item in found.items] == ["4", "7", "11"]
    assert [item.id for item in found.items] == ["1", "2", "3"]
    assert found.source.endswith("hf:team/reviews, default/test at " + "a" * 40)


def test_what_the_hub_does_not_have(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataMissing, match=r"no split 'dev' .* it has config: default, split: test, config: default, split: train"):
        dataset_files("team/reviews", "default", "dev", endpoint=hub)
    with pytest.raises(DataMissing, match="the hub answered 404"):
        dataset_files("team/nothing", "default", "test", endpoint=hub)
    with pytest.raises(DataMissing, match="HF_TOKEN"):
        dataset_files("team/gated", "default", "test", endpoint=hub)
    with pytest.raises(DataMissing, match="write hf:owner/name"):
        dataset_files("no such//name", "default", "test", endpoint=hub)
    with pytest.raises(DataMissing, match="save it as Parquet"):
        dataset_files("team/reviews", "default", "test", endpoint="http://127.0.0.1:9")
    monkeypatch.setattr("promptlab.sources.tables.SIZE_LIMIT", 10)
    with pytest.raises(DataMissing, match="at most"):
        dataset_files("team/reviews", "default", "test", endpoint=hub)


def test_shipped_example_is_what_the_readme_says() -> None:
    lines = (ROOT / "experiments" / "own" / "tickets.yaml").read_text(encoding="utf-8").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["items", "columns", "metric", "base_prompts", "labels"]
    assert len(read_table(ROOT / "experiments" / "own" / "tickets.csv").rows) == 48


@pytest.mark.parametrize("same", [("Where is it?", "where is it", "Where  is it ?!", "Where is it…"), ("“2 + 3”", "“2 + 3", "“2 + 3.”")])
def test_items_that_differ_in_signs_at_their_end_are_one_cluster(same: tuple[str, ...]) -> None:
    others = ("Where was it?", "2 - 3", "(2 + 3)", "?", "!", "2 + 3 =")
    found = together(Item(str(n), text, ("x",)) for n, text in enumerate((*same, *others)))
    assert len({item.cluster for item in found[: len(same)]}) == 1
    assert found[0].cluster is not None
    assert all(item.cluster is None for item in found[len(same) :])
