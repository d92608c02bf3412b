"""Files that would give a wrong verdict in silence, or that a person would know how to read: what is made of each."""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from exports import Writer, counts
from promptlab.importers import Options, bring, explain
from promptlab.nouns.errors import FileProblems, PromptlabError, UsageProblem
from promptlab.record.store import Run

NONE = (0, 1, 0, 1, 1, 0, 1, 0)
COT = (1, 1, 0, 0, 1, 1, 1, 1)
WANT = {"cot": (3, 1, 8)}
WIDE = Options(wide=("none=none,cot=cot",))
Row = list[object]


def long(word: Callable[[int], object] = int, head: Row | None = None, n: int = 8) -> list[Row]:
    rows: list[Row] = [[f"q{i}", arm, word(of[i])] for arm, of in (("none", NONE), ("cot", COT)) for i in range(n)]
    return [head or ["item", "arm", "score"], *rows]


def wide(word: Callable[[int], object] = int) -> list[Row]:
    return [["id", "none", "cot"], *([f"q{i}", word(NONE[i]), word(COT[i])] for i in range(8))]


def text(folder: Path, rows: Sequence[Row], between: str = ",", end: str = ".csv") -> Path:
    path = Writer(folder, {}, len(list(folder.iterdir()))).path(end)
    path.write_text("".join(between.join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


def sheet(folder: Path, rows: Sequence[Row]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    path = Writer(folder, {}, len(list(folder.iterdir()))).path(".xlsx")
    book.save(path)
    return path


def lines(folder: Path, row: Callable[[int, int], object], end: str = ".jsonl") -> tuple[list[Path], dict[str, str]]:
    """A file for each arm."""
    paths = []
    for of in (NONE, COT):
        paths.append(Writer(folder, {}, len(list(folder.iterdir()))).path(end))
        rows = [row(i, of[i]) for i in range(8)]
        paths[-1].write_text("".join(json.dumps(one) + "\n" for one in rows) if end == ".jsonl" else json.dumps(rows))
    return paths, dict(zip(map(str, paths), ("none", "cot"), strict=True))


# Tables


def test_items_that_ask_the_same_are_a_cluster_and_items_that_all_do_are_not(tmp_path: Path) -> None:
    def items(asked: Callable[[int], str]) -> set[str | None]:
        rows: list[Row] = [[f"q{i}", asked(i), arm, of[i]] for arm, of in (("none", NONE), ("cot", COT)) for i in range(8)]
        path = text(tmp_path, [["id", "input", "arm", "score"], *rows])
        trials = Run(bring([path], tmp_path / path.stem, Options(kind="table")).folder).trials()
        return {None if pd.isna(name) else name for name in trials["cluster"]}

    assert items(lambda i: f"What is {i // 2}?") == {f"What is {i}?" for i in range(4)}
    assert items(lambda i: f"What is {i}?") == {None}
    assert items(lambda _: "What?") == {None}


@pytest.mark.parametrize("other", ["Q0", "q0\u200b", "q\u00ad0", "q0\ufe0f"])
def test_ids_that_only_look_alike_are_refused_in_two_arms_and_a_cluster_in_one(other: str, tmp_path: Path) -> None:
    rows = long()
    apart = [[other if row[:2] == ["q0", "cot"] else row[0], *row[1:]] for row in rows]
    with pytest.raises(FileProblems, match="look alike and are written in two ways"):
        counts([text(tmp_path, apart)])
    twice = [*rows, *([other, *row[1:]] for row in rows if row[0] == "q0")]
    trials = Run(bring([text(tmp_path, twice)], tmp_path / "run", Options()).folder).trials()
    assert trials.groupby("item")["cluster"].first().dropna().to_dict() == {"q0": "q0", other: "q0"}


def test_one_form_of_unicode_is_one_item(tmp_path: Path) -> None:
    composed, apart = "\u00e9", "e\u0301"
    rows: list[Row] = [
        [f"{apart if arm == 'cot' else composed}{i}", arm, of[i]] for arm, of in (("none", NONE), ("cot", COT)) for i in range(8)
    ]
    with pytest.raises(FileProblems, match=r"'\\xe90' of the arm 'none' and 'e\\u03010'"):
        counts([text(tmp_path, [["item", "arm", "score"], *rows])])


@pytest.mark.parametrize("end", [".json", ".jsonl"])
def test_a_key_that_occurs_twice_is_refused(end: str, tmp_path: Path) -> None:
    rows = [
        f'{{"item": "q{i}", "arm": "{arm}", "score": 0, "score": {of[i]}}}' for arm, of in (("none", NONE), ("cot", COT)) for i in range(8)
    ]
    path = tmp_path / f"a{end}"
    path.write_text("\n".join(rows) if end == ".jsonl" else f"[{','.join(rows)}]")
    with pytest.raises(FileProblems, match="the key 'score' occurs twice in one object"):
        counts([path])
    path.write_text(path.read_text().replace('"score": 0, ', '"note": {"a": ": "}, '))
    assert counts([path]) == WANT


def test_an_archive_with_two_files_of_one_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text_ in ("{}", "[]"):
            archive.writestr("header.json", text_)
    with pytest.raises(FileProblems, match="holds 1 file of a name that another one has"):
        counts([path])


@pytest.mark.parametrize("head", [["item", "arm", "score", "ARM"], ["ARM", "item", "arm", "score"]])
def test_columns_whose_names_differ_in_case_are_asked_about(head: list[str], tmp_path: Path) -> None:
    other = {"none": "cot", "cot": "none"}
    rows = [dict(zip(["item", "arm", "score", "ARM"], [*row, other[str(row[1])]], strict=True)) for row in long()[1:]]
    path = text(tmp_path, [head, *([row[name] for name in head] for row in rows)])
    with pytest.raises(UsageProblem, match=r"could be the arm \(.*\); choose one with --arm"):
        counts([path])
    assert counts([path], Options(columns={"arm": "arm"})) == WANT


def test_an_item_is_in_one_cluster_whichever_arm_names_it(tmp_path: Path) -> None:
    def clusters(of: Callable[[int, str], str]) -> set[Any]:
        rows = [[*row, of(int(str(row[0])[1:]), str(row[1]))] for row in long()[1:]]
        path = text(tmp_path, [["item", "arm", "score", "cluster"], *rows])
        return set(Run(bring([path], tmp_path / path.stem, Options()).folder).trials()["cluster"])

    assert clusters(lambda i, arm: f"c{i // 2}" if arm == "cot" else "") == {f"c{i}" for i in range(4)}
    with pytest.raises(FileProblems, match="an item is in one cluster"):
        clusters(lambda i, arm: f"{arm}{i}")


@pytest.mark.parametrize(("score", "told"), [("0_1", "'0_1' is no number"), ("1.0000000001", "between 0 and 1.0000000001")])
def test_a_score_is_a_number_as_people_write_it_and_told_in_full(score: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(FileProblems, match=told):
        counts([text(tmp_path, long(lambda right: score if right else "0"))])


@pytest.mark.parametrize("make", [text, sheet])
def test_rows_that_are_no_items(make: Callable[[Path, Sequence[Row]], Path], tmp_path: Path) -> None:
    blank: Row = ["", "", ""]
    for rows in (
        [["Results of May"], *wide()],
        [["Results of May", "", ""], blank, *wide(), blank, blank],
        [*wide()[:4], blank, *wide()[4:]],
        [*wide(), ["Average", 0.5, 0.75]],
        [*wide(), blank, ["Total", 4, 6], ["Mittelwert", "50 %", "75 %"]],
        [[*row, "", ""] for row in wide()],
    ):
        path = make(tmp_path, rows)
        assert counts([path], WIDE) == WANT, rows
    assert counts([make(tmp_path, [*long(), ["Total", "", 10]])]) == WANT


def test_what_is_made_of_totals_is_said(tmp_path: Path) -> None:
    told = explain([text(tmp_path, [*wide(), ["Sum", 4, 6]])], WIDE)
    assert "row 9, 'Sum', is the sum or the mean of the rows above and is left out" in told.notes[0]
    path = text(tmp_path, [*wide(), ["total", 1, 0]])
    assert counts([path], WIDE) == {"cot": (3, 2, 9)}
    assert "'total', is read as an item; delete it if it sums up" in explain([path], WIDE).notes[0]
    rows = [*long()[:9], ["Mean", "none", 0.5], *long()[9:], ["Mean", "cot", 0.75]]
    assert counts([text(tmp_path, rows)]) == WANT
    assert counts([text(tmp_path, [*rows[:-1], ["Mean", "cot", 1]])]) == {"cot": (4, 1, 9)}
    table = [["variant", "wins", "losses", "ties"], ["a", 5, 2, 10], ["b", 1, 4, 12], ["Total", 6, 6, 22]]
    assert counts([text(tmp_path, table)]) == {"a": (5, 2, 17), "b": (1, 4, 17)}


@pytest.mark.parametrize("make", [text, sheet])
def test_names_in_merged_cells(make: Callable[[Path, Sequence[Row]], Path], tmp_path: Path) -> None:
    rows: list[Row] = [["", "none", "", "cot", ""], ["id", "score", "answer", "score", "answer"]]
    path = make(tmp_path, [*rows, *([i, NONE[i], "a", COT[i], "b"] for i in range(8))])
    assert counts([path], Options(wide=("none=none score,cot=cot score",))) == WANT


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("tak", "nie"), ("да", "нет"), ("是", "否"), ("はい", "いいえ"), ("evet", "hayır"), ("igen", "nem"), ("kyllä", "ei"), ("ok", "ko"),
     ("correcto", "incorrecto"), ("juste", "faux"), ("good", "bad"), ("✔\ufe0e", "✘"), ("✅ Pass", "❌ Fail"), ("100\u00a0%", "0\u202f%"),
     ("4/4", "0/4"), ("3 out of 3", "0 out of 3")],
)  # fmt: skip
def test_words_for_right_and_wrong(right: str, wrong: str, tmp_path: Path) -> None:
    assert counts([text(tmp_path, long(lambda score: right if score else wrong))]) == WANT


def test_text_between_cells(tmp_path: Path) -> None:
    for between in ("|", ";", "\t"):
        assert counts([text(tmp_path, [["Results"], *long()], between)]) == WANT


def test_nothing_for_wrong_is_asked(tmp_path: Path) -> None:
    for right in ("✔️ [True]", "✓", "pass"):
        with pytest.raises(PromptlabError, match=r"every score in it means right, and 6 are empty. If empty means wrong, write 0"):
            counts([text(tmp_path, wide(lambda score, right=right: right if score else ""))], WIDE)


def test_a_failed_call_that_counts_as_wrong(tmp_path: Path) -> None:
    rows = [[*row, "" if n == 1 else "x", "429" if n == 1 else "too long" if n == 3 else ""] for n, row in enumerate(long())]
    path = text(tmp_path, [["item", "arm", "score", "answer", "error"], *rows[1:]])
    assert counts([path]) == {"cot": (2, 1, 7)}
    assert "1 results have an error text and the score 0, and count as wrong" in explain([path], Options()).notes[0]


def test_the_score_is_not_guessed_among_several(tmp_path: Path) -> None:
    rows = [[*row, 1 - int(str(row[2]))] for row in long()[1:]]
    path = text(tmp_path, [["item", "arm", "score", "correct"], *rows])
    with pytest.raises(PromptlabError, match=r"several columns .*'score', 'correct'.*choose one with --score"):
        counts([path])
    assert counts([path], Options(columns={"score": "score"})) == WANT
    assert counts([text(tmp_path, [["item", "arm", "score", "result"], *([*row, "a text"] for row in long()[1:])])]) == WANT
    assert counts([text(tmp_path, [["item", "arm", "score", "correct"], *([*row, row[2]] for row in long()[1:])])]) == WANT


@pytest.mark.parametrize("names", [("wer1", "wer2"), ("A", "error"), ("base loss", "cot loss")])
def test_the_direction_of_a_wide_table_of_losses_is_asked(names: tuple[str, str], tmp_path: Path) -> None:
    path = text(tmp_path, [["id", *names], *wide(lambda score: score / 2)[1:]])
    with pytest.raises(PromptlabError, match="less may be better"):
        counts([path], Options(wide=(f"none={names[0]},cot={names[1]}",)))


def test_columns_in_objects(tmp_path: Path) -> None:
    rows = [{"case": {"id": i}, "arm": arm, "out": {"ok": of[i]}} for arm, of in (("none", NONE), ("cot", COT)) for i in range(8)]
    assert counts([Writer(tmp_path, {}, 1).lines(rows)], Options(columns={"item": "case.id", "score": "out.ok"})) == WANT
    rows = [{"id": i, "scores": {"none": NONE[i], "cot": COT[i]}, "usage": {str(i * k): 1 for k in range(40)}} for i in range(8)]
    path = Writer(tmp_path, {}, 2).lines(rows)
    assert counts([path], Options(wide=("none=scores.none,cot=scores.cot",))) == WANT


def test_numbers_of_items_as_one_program_or_another_writes_them(tmp_path: Path) -> None:
    paths = [text(tmp_path, [["id", "score"], *([f"{i}{end}", of[i]] for i in range(8))]) for end, of in ((".0", NONE), ("", COT))]
    assert counts(paths, arm_names=dict(zip(map(str, paths), ("none", "cot"), strict=True))) == WANT


def test_every_flag_of_a_column_is_taken(tmp_path: Path) -> None:
    rows = [[f"q{i}", arm, of[i], base] for base in "xy" for arm, of in (("none", NONE), ("cot", COT)) for i in range(8)]
    path = text(tmp_path, [["item", "arm", "score", "which"], *rows])
    counts([path], Options(columns={"base_prompt": "which"}))
    with pytest.raises(PromptlabError, match=r"--base-prompt whch: .* did you mean 'which'"):
        counts([path], Options(columns={"base_prompt": "whch"}))


def test_what_is_said_of_scales_arms_and_formulas(tmp_path: Path) -> None:
    for make, options, said in (
        (lambda: text(tmp_path, long(lambda score: 1 + 4 * score)), Options(), "--scale 1,5 if those are its ends"),
        (lambda: text(tmp_path, [["item", "arm", "score"], ["q", "", 1]]), Options(), "'arm' is empty; write none where nothing was added"),
        (lambda: sheet(tmp_path, long(lambda score: f"={score}")), Options(), "formulas have values only once a spreadsheet program"),
        (lambda: text(tmp_path, [[f"{row[0]}{row[1]}", *row[1:]] if n else row for n, row in enumerate(long())]), Options(), "with --item"),
    ):
        with pytest.raises(PromptlabError, match=re.escape(said)):
            counts([make()], options)
    alike = [[row[0], "CoT" if n in (9, 11) else row[1], row[2]] for n, row in enumerate(long())]
    assert "'CoT', 'cot' are several arms; write them alike" in explain([text(tmp_path, alike)], Options()).notes[-1]


# promptfoo


def foo(folder: Path, arms: Mapping[str, tuple[str, Sequence[int]]], **more: Callable[[int], Any]) -> Path:
    """A result file of prompts by their template, each with a label and its scores."""
    writer = Writer(folder, {arm: {} for arm in arms}, len(list(folder.iterdir())))
    rows = []
    for place, (template, (label, of)) in enumerate(arms.items()):
        for i in range(8):
            row = {**writer.foo_row(template, i, float(of[i]), label), "promptIdx": place}
            rows.append({**row, **{key: made(i) for key, made in more.items() if made(i) is not None}})
    heads = [{"raw": template, "label": label} for template, (label, _) in arms.items()]
    return writer.json({"results": {"version": 3, "prompts": heads, "results": rows}, "config": {}})


def test_a_label_of_two_prompts_is_no_baseline(tmp_path: Path) -> None:
    """Which of two prompts comes first in the alphabet must not decide which is the baseline."""
    for label in ("default", "mine"):
        files = [foo(tmp_path, {"Zeta {{n}}": (label, NONE)}), foo(tmp_path, {"Alpha {{n}}": (label, COT)})]
        for baseline in (None, label):
            with pytest.raises(PromptlabError, match=f"{label}-2"):
                counts(files, Options(baseline=baseline))
        assert counts(files, Options(baseline="Zeta {{n}}")) == {f"{label}-1": (3, 1, 8)}


def test_test_cases_differ_by_the_assertions_in_a_set(tmp_path: Path) -> None:
    def case(i: int) -> dict[str, Any]:
        within = [{"type": "contains", "value": str(i)}]
        return {"vars": {"n": str(i // 2)}, "assert": [{"type": "assert-set", "threshold": 0.5, "assert": within}]}

    path = foo(tmp_path, {"a": ("none", NONE), "b": ("cot", COT)}, testCase=case, vars=lambda i: {"n": str(i // 2)})
    assert counts([path]) == WANT


def test_answers_about_which_nothing_was_asserted(tmp_path: Path) -> None:
    path = foo(
        tmp_path, {"a": ("none", NONE), "b": ("cot", COT)},
        gradingResult=lambda i: {"pass": True, "score": 1, "reason": "No assertions"} if i < 2 else None,
        success=lambda i: True if i < 2 else None,
        testCase=lambda i: {"vars": {"n": str(i)}} if i < 2 else None,
    )  # fmt: skip
    assert counts([path]) == {"cot": (2, 1, 6)}
    assert any("4 answers about which nothing was asserted" in note for note in explain([path], Options()).notes)


def test_a_csv_that_a_spreadsheet_program_saved_again(tmp_path: Path) -> None:
    names = ["Status", "Score", "Named Scores", "Grader Reason", "Comment"]
    rows: list[Row] = [["n", "[toy] none", *names, "[toy] cot", *names]]
    for i in range(8):
        rows.append([i, *(cell for of in (NONE, COT) for cell in ("x, y", "PASS" if of[i] else "FAIL", f"{of[i]},00", "", "r", ""))])
    for between in (";", "\t"):
        assert counts([text(tmp_path, rows, between)]) == WANT


# inspect_ai and lm-evaluation-harness


def test_a_reducer_of_epochs_is_said(tmp_path: Path) -> None:
    paths = []
    for arm, of in (("none", NONE), ("cot", COT)):
        samples = [{"id": i, "epoch": e, "input": f"q{i}", "scores": {"match": {"value": of[i]}}} for i in range(8) for e in (1, 2)]
        head = {"task": "sums", "model": "m", "task_args": {"arm": arm}, "config": {"epochs": 2, "epochs_reducer": ["mode"]}}
        paths.append(Writer(tmp_path, {}, len(paths)).json({"status": "success", "eval": head, "samples": samples}))
    assert counts(paths) == WANT
    assert "inspect_ai reduced epochs by 'mode'; here the epochs of a sample are averaged" in explain(paths, Options()).notes[0]


def sample(i: int, score: int, **metrics: Callable[[int], object]) -> dict[str, Any]:
    found = {name: made(score) for name, made in (metrics or {"acc": float}).items()}
    return {"doc_id": i, "doc": {"q": i}, "doc_hash": f"h{i}", "arguments": [[f"q{i}", {}]], "resps": [["x"]], "metrics": [*found], **found}


@pytest.mark.parametrize(("name", "made"), [("perplexity", lambda s: s - 2.0), ("word_perplexity", lambda s: [50.0 * s - 200, 50])])
def test_a_perplexity_is_a_likelihood_of_each_sample(name: str, made: Callable[[int], object], tmp_path: Path) -> None:
    """The results file says that less is better, which is true of the aggregate alone."""
    paths, names = lines(tmp_path, lambda i, score: sample(i, score, **{name: made}))
    for n, path in enumerate(paths):
        time = "2026-01-01T00-00-00.000001"
        (path.parent / f"results_{time}.json").write_text(json.dumps({"model_name": "m", "higher_is_better": {"lam": {name: False}}}))
        paths[n] = path.rename(path.parent / f"samples_lam_{time}.jsonl")
    names = dict(zip(map(str, paths), names.values(), strict=True))
    options = Options(scale=(-20, 0))
    assert counts(paths, options, names) == WANT
    assert any("of which more is better" in note for note in explain(paths, options, names).notes)
    with pytest.raises(PromptlabError, match="--lower-is-better: the harness writes log-likelihoods"):
        counts(paths, Options(scale=(-20, 0), higher_is_better=False), names)


def test_samples_in_a_json_list(tmp_path: Path) -> None:
    """As versions before 0.4.3 wrote them, with the end .jsonl."""
    paths, names = lines(tmp_path, sample, ".json")
    assert counts(paths, arm_names=names) == WANT
    again = [path.rename(path.with_suffix(".jsonl")) for path in paths]
    assert counts(again, arm_names=dict(zip(map(str, again), names.values(), strict=True))) == WANT


def test_filters_without_names_are_not_mixed(tmp_path: Path) -> None:
    """As version 0.4.3 writes them: the documents of each filter one after the other."""
    paths, names = lines(tmp_path, sample)
    for path in paths:
        path.write_text(path.read_text() * 2)
    with pytest.raises(PromptlabError, match=r"scores of several filters .*choose one, for example --metric acc,1"):
        counts(paths, arm_names=names)


def test_two_models_on_several_tasks(tmp_path: Path) -> None:
    paths = []
    for model, of in (("org__a", NONE), ("org__b", COT)):
        (tmp_path / model).mkdir()
        for task in "xy":
            paths.append(tmp_path / model / f"samples_{task}_2026-01-01T00-00-00.000001.jsonl")
            rows = ({**sample(i, of[i]), "doc_hash": f"{task}{i}"} for i in range(8))
            paths[-1].write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(PromptlabError, match="to compare the models: --arm model"):
        counts(paths)
    assert counts(paths, Options(columns={"arm": "model"}, baseline="org/a")) == {"org/b": (6, 2, 16)}


# Other tools


def test_events_of_one_sample(tmp_path: Path) -> None:
    def write(of: Sequence[int]) -> Path:
        events = [{"spec": {"completion_fns": ["toy"], "base_eval": "sums"}}]
        for i in range(8):
            events.append({"event_id": i, "sample_id": f"s{i}", "type": "match", "data": {"correct": bool(of[i]), "expected": "1"}})
            events.append({"event_id": i, "sample_id": f"s{i}", "type": "metrics", "data": {"f1": 0.5}})
        return Writer(tmp_path, {}, sum(of)).lines(events)

    paths = [write(NONE), write(COT)]
    assert counts(paths, Options(metric="correct"), dict(zip(map(str, paths), ("none", "cot"), strict=True))) == WANT
