"""Assertions: what is said of an answer without a right answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runs
from promptlab.nouns.arm import Case
from promptlab.nouns.errors import FileProblems, ScoringFailed, UsageProblem
from promptlab.nouns.item import Item
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.running.engine import Execution
from promptlab.running.sweep import run_sweep
from promptlab.scoring.assertions import KINDS, NOT_NEGATED, UNITS, assertion, words_of
from promptlab.scoring.own import settled
from promptlab.sources.own import check_task, load_own
from promptlab.sources.tokens import n_tokens

ITEM = Item("1", "Where is my parcel?", ("It is on its way.",))
SCHEMA = {"type": "object", "required": ["team"], "properties": {"team": {"enum": ["a", "b"]}, "code": {"pattern": "^[0-9]+$"}}}
SENTENCES = {
    "en": "The weather was lovely this morning, so we walked along the river and had breakfast outside.",
    "de": "Das Wetter war heute Morgen herrlich, deshalb sind wir am Fluss entlanggegangen und haben draußen gefrühstückt.",
    "fr": "Il faisait très beau ce matin, alors nous nous sommes promenés au bord de la rivière.",
    "zh": "今天早上天气很好，我们沿着河边散步，然后在外面吃早饭。",
}


def score(kind: str, given: Any, answer: str, item: Item = ITEM, case: Case | None = None) -> float:
    return settled(assertion(kind, given, n_tokens).steps(answer, item, case or Case())).score


@pytest.mark.parametrize(
    ("kind", "given", "answer", "wanted"),
    [
        ("contains", "Kind regards", "Yes.\nkind  regards", 1),
        ("contains", ["a", "b"], "a c", 0),
        ("contains", {"any": ["x", "c"]}, "C", 1),
        ("contains", {"all": "A", "match_case": True}, "a", 0),
        ("contains", None, "Well: it is on its way. Soon.", 1),
        ("not_contains", {"any": ["lawyer", "court"]}, "See you in court", 0),
        ("not_contains", "lawyer", "No.", 1),
        ("contains", "Straße", "STRASSE", 1),
        ("contains", "café", "cafe\u0301", 1),
        ("contains", "x", "<think>x</think>y", 0),
        ("regex", r"\b\d{3}\b", "code 123", 1),
        ("regex", r"\A\Z", "", 1),
        ("regex", r"^b", "ab", 0),
        ("not_regex", "b*", "", 0),
        ("equals", "yes", " yes\n", 1),
        ("equals", "yes", "Yes", 0),
        ("equals", {"text": "yes", "match_case": False}, "Yes", 1),
        ("starts_with", ["Dear", "Hello"], "hello you", 1),
        ("starts_with", "Dear", "My dear", 0),
        ("json", None, '{"a": 1}', 1),
        ("json", None, '```json\n{"a": [1]}\n```', 1),
        ("json", None, 'Here: {"a": 1}', 0),
        ("json", {"anywhere": True}, 'Here: {"a": 1}.', 1),
        ("json", None, "NaN", 0),
        ("json", None, "null", 1),
        ("json", None, "", 0),
        ("json", None, "[" * 100_000, 0),
        ("json", {"anywhere": True}, "{" * 100_000, 0),
        ("json", None, "1" * 5000, 1),
        ("json_schema", {"schema": SCHEMA}, '{"team": "a"}', 1),
        ("json_schema", {"schema": SCHEMA}, '{"team": "c"}', 0),
        ("json_schema", {"schema": SCHEMA}, '{"team": "a", "code": "x1"}', 0),
        ("json_schema", {"schema": SCHEMA}, "team a", 0),
        ("field", {"path": "o.items.1.id", "value": 7}, '{"o": {"items": [1, {"id": 7}]}}', 1),
        ("field", {"path": "ok", "value": True}, '{"ok": 1}', 0),
        ("field", {"path": "no", "value": None}, '{"ok": 1}', 0),
        ("field", "a", '{"a": "It is on its way."}', 1),
        ("number", {"least": 10, "most": 20}, "The answer is 12.", 1),
        ("number", {"most": 20}, "It costs 21 euros", 0),
        ("number", {"least": 1, "path": "n"}, '{"n": 3}', 1),
        ("number", {"least": 1}, "none", 0),
        ("length", {"most": 3}, "one two three", 1),
        ("length", {"most": 3}, "one two three four", 0),
        ("length", {"least": 2, "unit": "sentences"}, "One. Two!", 1),
        ("length", {"most": 2, "unit": "lines"}, "a\n\nb\n", 1),
        ("length", {"most": 3, "unit": "tokens"}, "one two three", 1),
        ("length", {"most": 4}, "今天早上天", 0),
        ("language", "de", SENTENCES["de"], 1),
        ("language", "en", SENTENCES["de"], 0),
        ("language", "en", "", 0),
        ("language", "en", "42", 0),
        ("refusal", False, "I'm sorry, but I can't help with that.", 0),
        ("refusal", True, "I cannot assist with this.", 1),
        ("refusal", False, "It is on its way.", 1),
        ("similar", "It is on its way.", "it is on its way.", 1),
        ("similar", {"text": "abcd", "least": 0.9}, "abxx", 0),
    ],
)
def test_an_assertion(kind: str, given: Any, answer: str, wanted: float) -> None:
    assert score(kind, given, answer) == wanted


@pytest.mark.parametrize("code", SENTENCES)
def test_languages_are_told_apart(code: str) -> None:
    assert [score("language", other, SENTENCES[code]) for other in SENTENCES] == [float(other == code) for other in SENTENCES]


def test_cost_and_latency_are_those_of_the_answer() -> None:
    spent = Case(spent=lambda: (0.01, 2.5))
    assert [score("cost", usd, "x", case=spent) for usd in (0.01, 0.009)] == [1, 0]
    assert [score("latency", s, "x", case=spent) for s in (2.5, 2)] == [1, 0]
    with pytest.raises(ScoringFailed, match="price of the answer is unknown"):
        score("cost", 1, "x")


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("contain", "x", "not known; did you mean 'contains'"),
        ("not_similar", "x", "not known"),
        ("length", {}, "needs least, most"),
        ("length", {"least": 5, "most": 2}, "above"),
        ("length", {"most": 2, "unit": "pages"}, "unit"),
        ("regex", "(", "unterminated|missing"),
        ("regex", {}, "needs pattern"),
        ("language", "xx", "language 'xx'"),
        ("json_schema", {"schema": {"type": "thing"}}, "no JSON schema"),
        ("contains", {"all": 3}, "text or a list"),
        ("contains", {"some": "x"}, "has no parameter 'some'"),
        ("number", {"least": "1"}, "number"),
        ("similar", {"least": 2.0}, "from 0 to 1"),
        ("cost", True, "number"),
    ],
)
def test_a_wrong_assertion_is_told(kind: str, given: Any, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        assertion(kind, given, n_tokens)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = {
    "contains": "a",
    "regex": "a+",
    "equals": "a",
    "starts_with": "a",
    "json": None,
    "json_schema": {"schema": SCHEMA},
    "field": {"path": "a", "value": 1},
    "number": {"least": 1},
    "length": {"most": 3},
    "language": "en",
    "refusal": True,
    "similar": "a",
    "cost": 1,
    "latency": 1,
}


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.sampled_from(sorted(set(KINDS) - set(NOT_NEGATED))), st.one_of(TEXTS, st.from_type(int).map(str), TEXTS.map(json.dumps)))
def test_every_kind_scores_any_text_and_its_negation_is_the_rest(kind: str, answer: str) -> None:
    found = score(kind, VALUES[kind], answer)
    assert found in (0, 1)
    assert found + score(f"not_{kind}", VALUES[kind], answer) == 1


@settings(derandomize=True, deadline=None, max_examples=60)
@given(TEXTS, TEXTS, TEXTS)
def test_what_a_text_is_made_of_it_contains(before: str, wanted: str, after: str) -> None:
    if wanted.strip() and not any("<" in part or "◁" in part or "[" in part for part in (before, wanted, after)):
        assert score("contains", wanted, f"{before} {wanted} {after}") == 1
        assert score("similar", wanted, wanted) == 1


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.from_regex(r"[a-z]+(-[a-z]+)?", fullmatch=True), max_size=8))
def test_words_are_counted(words: list[str]) -> None:
    assert words_of(" ".join(words)) == len(words) == UNITS["words"](", ".join(words) + ".")


TASK = """
items: mails.csv
columns: {id: id, input: mail}
base_prompts: Answer this mail.
assertions:
  - contains: regards
    name: polite
  - length: {most: 6}
    weight: 3
  - regex: "[0-9]"
    weight: 0
    name: digits
"""


def folder_with(tmp_path: Path, text: str, n: int = 30) -> Path:
    (tmp_path / "mails.csv").write_text("id,mail\n" + "".join(f"m{i},Where is parcel {i}?\n" for i in range(n)), encoding="utf-8")
    (tmp_path / "mails.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "mails.yaml"


def test_a_task_without_a_target_is_scored_by_weighted_assertions_with_each_as_an_outcome(tmp_path: Path) -> None:
    own = load_own(folder_with(tmp_path, TASK))
    assert own.task.items[0].targets == ()
    scored = settled(own.task.own.steps("Soon. Kind regards, 7", own.task.items[0]))
    assert scored.score == 1
    assert dict(scored.parts) == {"polite": 1, "length": 1, "digits": 1}
    assert settled(own.task.own.steps("It will come with the next delivery, kind regards", ITEM)).score == 0.25
    study = resolve(runs.experiment(tmp_path, tasks="mails", items=30, models="  - sim/essays", more="task_files: [mails.yaml]\n"))
    done = run_sweep(study, tmp_path / "runs", tmp_path / "cache", Execution(), lambda _: None)
    trials = Run(done.folder).trials()
    assert done.state == "complete"
    parts = [json.loads(text) for text in trials["parts"]]
    assert all(set(one) == {"polite", "length", "digits"} for one in parts)
    expected = [(one["polite"] + 3 * one["length"]) / 4 for one in parts]
    assert trials["score"].tolist() == pytest.approx(expected)
    other = TASK.replace("weight: 3", "weight: 2")
    folder_with(tmp_path, other)
    assert resolve(study.path).run_id != study.run_id, "weights are part of the run"


def test_examples_are_tried_and_not_the_bare_target(tmp_path: Path) -> None:
    text = TASK + 'examples:\n  - {answer: "Kind regards", score: 1}\n  - {answer: "No 1", item: m3, parts: {polite: 1, digits: 1}}\n'
    checked = check_task(load_own(folder_with(tmp_path, text)))
    assert checked.gold == ((), ())
    assert [one.wrong for one in checked.examples] == [(), ("polite is 0.0, and the example says 1",)]
    page = runs.run("task", "check", str(tmp_path / "mails.yaml"), env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert page.returncode == 2
    assert "1 of 2 examples are not scored as they say" in page.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("contains: regards", "contain: regards", "did you mean 'contains'"),
        ("    weight: 3\n", "    weight: -1\n", "greater than or equal"),
        ("assertions:", "metric: text\nassertions:", "both"),
        (TASK[TASK.index("assertions") :], "metric: text\n", "name one column of answers"),
        (TASK[TASK.index("assertions") :], "", "found none of them"),
        ('regex: "[0-9]"', 'regex: "[0-9"', "unterminated"),
        ("name: digits", "name: digits\n    length: {most: 2}", "one key that names its kind"),
    ],
)
def test_what_is_wrong_with_assertions_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(FileProblems, match=said) as told:
        load_own(folder_with(tmp_path, TASK.replace(old, new)))
    assert "mails.yaml" in str(told.value)
