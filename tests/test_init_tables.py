"""`promptlab init` on tables of many shapes: columns, labels and metrics are found, and the files plan and sweep."""

from __future__ import annotations

import codecs
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

import promptlab
from promptlab.nouns import FileProblems, PromptlabError
from promptlab.planning.resolve import resolve
from promptlab.sources import starting
from promptlab.sources.own import check_task, load_own
from promptlab.sources.starting import looking
from sheets import TEAMS, TEXTS, TICKETS, N, csv_of, lines_of, rows, started


def chats(last: bool) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "How can I help?"},
                {"role": "user", "content": TEXTS[n]}, *([{"role": "assistant", "content": TEAMS[n % 3]}] if last else []),
            ],
            **({} if last else {"label": TEAMS[n % 3]}),
        }
        for n in range(N)
    ]  # fmt: skip


LONG = "The reply must say that the account was closed, why it was closed, and what the customer can do about it until {}."
SHAPES: dict[str, tuple[str, str | bytes, dict[str, Any]]] = {
    "plain": ("t.csv", csv_of(TICKETS), {"input": "message", "target": "team", "metric": "label", "id": "id", "copied": False}),
    "bom": ("t.csv", codecs.BOM_UTF8 + csv_of(TICKETS).encode(), {"input": "message", "target": "team", "copied": False}),
    "sep": ("t.csv", "sep=;\n" + csv_of(TICKETS, ";"), {"input": "message", "target": "team", "copied": False}),
    "semicolons": ("t.csv", csv_of(TICKETS, ";"), {"input": "message", "target": "team", "metric": "label", "copied": False}),
    "pipes": ("t.csv", csv_of(TICKETS, "|"), {"input": "message", "target": "team", "copied": True}),
    "tabs": ("t.tsv", csv_of(TICKETS, "\t"), {"input": "message", "target": "team", "copied": False}),
    "cp1252": (
        "t.csv",
        csv_of(TICKETS).replace("app", "Gerät für").encode("cp1252"),
        {"input": "message", "target": "team", "copied": True},
    ),
    "utf-16": ("t.csv", csv_of(TICKETS).encode("utf-16"), {"input": "message", "target": "team", "metric": "label", "copied": True}),
    "no header": ("t.csv", csv_of(TICKETS, head=False), {"input": "column 2", "target": "column 3", "metric": "label", "copied": True}),
    "nested": (
        "t.jsonl",
        lines_of([{"ticket": {"text": t["message"], "meta": {"lang": "en"}}, "gold": {"team": t["team"]}} for t in TICKETS]),
        {"input": "ticket.text", "target": "gold.team", "metric": "label", "copied": True},
    ),
    "wrapped": ("t.json", json.dumps({"version": 1, "data": TICKETS}), {"input": "message", "target": "team", "copied": True}),
    "many labels": (
        "t.csv",
        csv_of([{"text": f"{TEXTS[n % N]} {n}", "intent": f"intent_{n % 77}"} for n in range(77 * 4)]),
        {"input": "text", "target": "intent", "metric": "label", "n_labels": 77},
    ),
    "messages": ("t.jsonl", lines_of(chats(False)), {"input": "messages", "target": "label", "metric": "label", "copied": False}),
    "messages with the last turn": ("t.jsonl", lines_of(chats(True)), {"input": "messages", "target": "last_turn", "metric": "label"}),
    "yes or no": (
        "t.csv",
        csv_of(rows(question=lambda n: f"Is {n} more than 30?", answer=lambda n: "yes" if n > 30 else "no")),
        {"input": "question", "target": "answer", "metric": "label", "kind": "yes or no"},
    ),
    "truth values": (
        "t.jsonl",
        lines_of(rows(text=lambda n: TEXTS[n], is_spam=lambda n: n % 2 == 0)),
        {"input": "text", "target": "is_spam", "metric": "label"},
    ),
    "numbers": (
        "t.csv",
        csv_of(rows(problem=lambda n: f"{n} apples and {n + 7} more: how many?", solution=lambda n: str(2 * n + 7))),
        {"input": "problem", "target": "solution", "metric": "number"},
    ),
    "several labels": (
        "t.csv",
        csv_of(rows(review=lambda n: TEXTS[n], topics=lambda n: ("price;speed", "speed", "price", "support;price;speed")[n % 4])),
        {"input": "review", "target": "topics", "metric": "listed", "n_labels": 3, "copied": True},
    ),
    "several right answers": (
        "t.jsonl",
        lines_of(rows(question=lambda n: f"Who is number {n}?", answers=lambda n: [f"Person{n}", f"Dr Person{n}"])),
        {"input": "question", "target": "answers", "metric": "word"},
    ),
    "free text": ("t.csv", csv_of(rows(mail=lambda n: TEXTS[n])), {"input": "mail", "target": None, "rubric": True}),
    "one column of names": ("t.csv", csv_of(rows(city=lambda n: f"City{n}")), {"input": "city", "target": None, "rubric": True}),
    "long references": (
        "t.csv",
        csv_of(rows(question=lambda n: TEXTS[n], reference=LONG.format)),
        {"input": "question", "target": "reference", "rubric": True},
    ),
    "long text": (
        "t.jsonl",
        lines_of(rows(article=lambda n: f"Report {n}. " + "The committee met and spoke. " * 400, category=lambda n: TEAMS[n % 3])),
        {"input": "article", "target": "category", "metric": "label"},
    ),
    "options": (
        "t.jsonl",
        lines_of(rows(question=lambda n: f"Which is {n}?", options=lambda n: [str(n), str(n + 1), str(n + 2)], answer=lambda n: n % 3)),
        {"input": "question", "target": "answer", "metric": "choice", "choices": "options", "target_is": "index"},
    ),
    "choices as a data set has them": (
        "t.jsonl",
        lines_of(
            rows(
                question=lambda n: f"Which, {n}?",
                choices=lambda n: {"text": ["a cat", "a dog"], "label": ["A", "B"]},
                answerKey=lambda n: "AB"[n % 2],
            )
        ),
        {"input": "question", "target": "answerKey", "metric": "choice", "target_is": "letter"},
    ),
    "lettered columns": (
        "t.csv",
        csv_of(
            rows(
                question=lambda n: f"Which, {n}?",
                A=lambda n: f"red {n}",
                B=lambda n: f"green {n}",
                C=lambda n: f"blue {n}",
                answer=lambda n: "ABC"[n % 3],
            )
        ),
        {"input": "question", "target": "answer", "metric": "choice", "choices": "listed options", "copied": True},
    ),
    "missing targets": (
        "t.csv",
        csv_of([{**t, "team": "" if n % 5 == 0 else t["team"]} for n, t in enumerate(TICKETS)]),
        {"target": "team", "n": 48, "copied": True},
    ),
    "duplicated rows": (
        "t.csv",
        csv_of([{"text": TEXTS[n % 20], "label": TEAMS[n % 20 % 3]} for n in range(N)]),
        {"target": "label", "note": "40 rows ask what another row asks"},
    ),
    "dates": (
        "t.csv",
        csv_of(rows(sentence=lambda n: f"It was day {n} of March.", answer=lambda n: f"2024-03-{n % 28 + 1:02}")),
        {"input": "sentence", "target": "answer", "kind": "a date"},
    ),
    "context": (
        "t.csv",
        csv_of(
            rows(
                context=lambda n: f"{TEXTS[n]} It cost {n} euros.",
                question=lambda n: f"What did it cost on day {n}?",
                answer=lambda n: f"{n} euros",
            )
        ),
        {"input": "question", "target": "answer", "shown": ["context"]},
    ),
    "grades": (
        "t.jsonl",
        lines_of(rows(input=lambda n: f"Which is it, {n}?", target_scores=lambda n: {"left": n % 2, "right": 1 - n % 2})),
        {"input": "input", "graded": "target_scores", "metric": "choice"},
    ),
    "hostile headers": (
        "t.csv",
        csv_of([{"{text}\n": t["message"], "=cmd|' /C calc'!A0": t["team"]} for t in TICKETS]),
        {"input": "text", "metric": "label", "copied": True},
    ),
    "two columns of one name": (
        "t.csv",
        "text,label,label\n" + csv_of([{"a": t["message"], "b": t["team"], "c": n} for n, t in enumerate(TICKETS)], head=False),
        {"target": "label"},
    ),
    "odd rows": ("t.csv", csv_of(TICKETS) + "x,y\n", {"target": "team", "n": 60, "copied": True}),
    "names of variables": (
        "t.csv",
        csv_of(rows(input=lambda n: TEXTS[n], labels=lambda n: TEAMS[n % 3])),
        {"input": "input", "target": "labels column", "metric": "label", "copied": True},
    ),
    "an instruction with an input": (
        "t.json",
        json.dumps(rows(instruction=lambda n: f"Shorten {n}", input=lambda n: TEXTS[n] * (n % 2), output=lambda n: f"Short {n}")),
        {"input": "instruction", "shown": ["input"], "target": "output", "n": 60},
    ),
    "objects as answers": (
        "t.jsonl",
        lines_of(rows(mail=lambda n: TEXTS[n], expected=lambda n: {"name": f"N{n}", "age": n})),
        {"input": "mail", "target": "expected", "kind": "JSON"},
    ),
    "numbers alone": ("t.csv", csv_of(rows(a=lambda n: n, b=lambda n: 2 * n)), {"input": "a", "target": "b", "metric": "number"}),
    "conversations by from and value": (
        "t.json",
        json.dumps([{"conversations": [{"from": "human", "value": TEXTS[n]}, {"from": "gpt", "value": TEAMS[n % 3]}]} for n in range(N)]),
        {"input": "conversations", "target": "last_turn", "metric": "label"},
    ),
    "turns by from and value with a label": (
        "t.json",
        json.dumps([{"conversations": [{"from": "human", "value": TEXTS[n]}], "label": TEAMS[n % 3]} for n in range(N)]),
        {"input": "conversations", "target": "label", "metric": "label", "copied": True},
    ),
    "titles above": (
        "t.csv",
        "Export of tickets;;\nMade by: Ann;;\n;;\n" + csv_of(TICKETS, ";"),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "a title without cells": (
        "t.csv",
        "Export of tickets, third quarter\n" + csv_of(TICKETS, ";"),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "an index without a name": (
        "t.csv",
        csv_of([{"": n, "message": TEXTS[n], "reply": f"Reply {n}"} for n in range(N)]),
        {"input": "message", "target": "reply", "n": N, "copied": True},
    ),
    "labels in several spellings": (
        "t.csv",
        csv_of(rows(text=lambda n: TEXTS[n], label=lambda n: ("Spam", "spam ", "HAM", "ham", "Spam", "ham")[n % 6])),
        {"target": "label", "metric": "label", "n_labels": 2, "copied": True},
    ),
    "numbers with a unit": (
        "t.csv",
        csv_of(rows(question=lambda n: f"How far is village {n}?", answer=lambda n: f"{1234 * n + 1001:,} km")),
        {"target": "answer", "metric": "number", "copied": False},
    ),
    "lists as Python prints them": (
        "t.csv",
        csv_of(rows(text=lambda n: TEXTS[n], tags=lambda n: str((["a", "b"], ["b"], ["c's"])[n % 3]))),
        {"target": "tags", "metric": "listed", "n_labels": 3, "copied": True},
    ),
    "conversations as Python prints them": (
        "t.csv",
        csv_of(rows(messages=lambda n: str([{"role": "user", "content": TEXTS[n]}]), label=lambda n: TEAMS[n % 3])),
        {"input": "messages", "target": "label", "copied": True},
    ),
    "lists of one answer": (
        "t.jsonl",
        lines_of(rows(question=lambda n: TEXTS[n], answers=lambda n: [TEAMS[n % 3]])),
        {"target": "answers", "metric": "label", "n_labels": 3, "copied": True},
    ),
    "sentences as answers": (
        "t.tsv",
        csv_of(rows(en=lambda n: TEXTS[n], de=lambda n: f"Das alte Haus {n} ist rot."), "\t"),
        {"input": "en", "target": "de", "rubric": True},
    ),
    "rows deep inside": (
        "t.json",
        json.dumps({"status": "ok", "result": {"page": 1, "tickets": TICKETS}}),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "lines in a file called json": ("t.json", lines_of(TICKETS), {"input": "message", "target": "team", "n": 60, "copied": True}),
    "lists of cells": (
        "t.json",
        json.dumps([["message", "team"], *([t["message"], t["team"]] for t in TICKETS)]),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "columns of a data frame": (
        "t.json",
        json.dumps({name: {str(n): t[name] for n, t in enumerate(TICKETS)} for name in TICKETS[0]}),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "a data frame split": (
        "t.json",
        json.dumps({"columns": [*TICKETS[0]], "index": [*range(N)], "data": [[*t.values()] for t in TICKETS]}),
        {"input": "message", "target": "team", "n": 60, "copied": True},
    ),
    "objects by name": (
        "t.json",
        json.dumps({f"q{n}": {"question": t["message"], "answers": [{"text": t["team"]}]} for n, t in enumerate(TICKETS)}),
        {"input": "question", "target": None, "rubric": True, "note": "'answers' holds lists of objects"},
    ),
    "braces in cells": (
        "t.csv",
        csv_of(rows(text=lambda n: f"{{team}} {{{{x}}}} {n} {{instruction}}", label=lambda n: ("{a}", "{b}")[n % 2])),
        {"target": "label"},
    ),
}


@pytest.mark.long(but=14)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_tables(shape: str, tmp_path: Path) -> None:
    name, content, wanted = SHAPES[shape]
    made, found = started(tmp_path, name, content)
    got = {
        "n": len(made.rows), "n_labels": len(made.labels), "copied": bool(made.copied), "rubric": bool(made.rubric),
        "note": next((note for note in found.notes if wanted.get("note", "\0") in note), "") and wanted.get("note"),
    }  # fmt: skip
    assert {key: got[key] if key in got else getattr(made, key) for key in wanted} == wanted, (made.copied, made.notes)
    study = resolve(tmp_path / found.experiment)
    own = load_own(tmp_path / "t_task.yaml", whole=True)
    assert [*check_task(own).gold] == [(), ()]
    assert len(own.task.items) == len(made.rows)
    assert (study.experiment.budget_usd, study.experiment.incumbent) == (2, "current")
    assert study.experiment.models[0].model == "sim/planted"
    small = (tmp_path / found.experiment).read_text(encoding="utf-8").replace("items: 60", "items: 8").replace("items: 300", "items: 8")
    (tmp_path / found.experiment).write_text(small, encoding="utf-8")
    done = promptlab.run(tmp_path / found.experiment, runs=tmp_path / "runs", cache="off", progress=False)
    assert done.state == "complete"
    assert set(done.trials().outcome) <= {"ok", "empty"}


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_excel_and_parquet(kind: str, tmp_path: Path) -> None:
    table = [{"Message Text": TEXTS[n], "Date": datetime.date(2024, 1, n % 28 + 1), "Team": TEAMS[n % 3]} for n in range(N)]
    path = tmp_path / f"t.{kind}"
    if kind == "xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for line in [list(table[0]), *(list(row.values()) for row in table)]:
            book.active.append(line)
        book.save(path)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(table), path)
    made, found = started(tmp_path, path.name, path.read_bytes())
    assert (made.input, made.target, made.metric) == ("Message Text", "Team", "label")
    assert "dates, which become text" in " ".join(made.copied)
    assert "{Message Text}" in found.files[found.experiment]
    assert len(resolve(tmp_path / found.experiment).design.tasks[0].items) == N


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_large_file_is_sampled(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [{"text": f"{TEXTS[n % N]} {n}", "label": TEAMS[n % 3]} for n in range(9000)]
    monkeypatch.setattr(looking, "READ_WHOLE", 100_000)
    content = csv_of(table) if kind == "csv" else lines_of(table)
    made, found = started(tmp_path, f"t.{kind}", content)
    assert made.looked.n_rows == 9000
    assert len(made.rows) == looking.SAMPLE
    assert len(found.files["t_items.jsonl"]) < len(content) / 3
    numbers = [int(row["text"].rsplit(" ", 1)[1]) for row in made.rows]
    assert numbers == sorted(numbers)
    assert 4000 < sum(numbers) / len(numbers) < 5000, "from the whole file, not from its beginning"
    monkeypatch.setattr(looking, "LARGEST", 1000)
    with pytest.raises(FileProblems, match="make a part of it a file of its own"):
        looking.look(tmp_path / f"t.{kind}")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", ",".join(f"c{n}" for n in range(10_000)) + "\n1\n", "10,000 cells"),
        ("t.jsonl", json.dumps({f"c{n}": n for n in range(10_000)}), "10,000 columns"),
        ("t.csv", "", "the file is empty"),
        ("t.csv", "text,label\n", "holds no rows"),
        ("t.csv", 'text,label\n"open,1\n', "a quote that is opened must be closed"),
        ("t.csv", "a,b\n" + "1;2;3,4,5\n" * 5, "most rows do not have the 2 cells"),
        ("t.json", "[1, 2]", "expected a list of objects"),
        ("t.json", "[" * 5000, "nested too deeply"),
        ("t.jsonl", "no\nno\n", "not JSON lines"),
        ("t.xls", "x", "save it as .xlsx"),
        ("t.pdf", "x", "are not read; known: .csv"),
        ("t.csv", "text,label\nx,\n,b\n", "no row has both"),
        ("t.csv", b"\x00\x81\x8d\xff" * 100, "."),
    ],
)
def test_what_cannot_be_is_told_in_words(name: str, content: str | bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(PromptlabError, match=told):
        started(tmp_path, name, content)


def test_a_dataset_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "0.parquet"
    pq.write_table(pa.Table.from_pylist(TICKETS), path)
    monkeypatch.setattr(looking, "dataset_splits", lambda *_: [("de", "test"), ("default", "train"), ("default", "validation")])
    monkeypatch.setattr(looking, "dataset_files", lambda *_, **__: ([path], "a" * 40))
    looked = starting.dataset("team/tickets", None, None)
    assert (looked.where, len(looked.rows)) == ({"config": "default", "split": "validation"}, N)
    found = starting.start(starting.propose(looked), "sim/factors", tmp_path)
    assert (found.name, "items: hf:team/tickets" in found.files["tickets_task.yaml"].replace('"', "")) == ("tickets", True)
    assert "split: validation" in found.files["tickets_task.yaml"]
    assert starting.dataset("team/tickets", "de", None).where == {"config": "de", "split": "test"}
