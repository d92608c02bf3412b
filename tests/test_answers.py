"""One answer in many wordings always gets the same score: for every task, right and wrong, with what a stimulus provokes around it."""

from __future__ import annotations

import json
import re
import runpy
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import promptlab
from conftest import ROOT
from growth import growth
from promptlab.nouns import Item
from promptlab.scoring.answers.conclusions import conclusions, strongest
from promptlab.scoring.answers.places import located
from promptlab.scoring.answers.text import key
from promptlab.scoring.answers.thoughts import spoken
from promptlab.scoring.answers.wrappers import unwrapped
from promptlab.scoring.metrics.strict import STRICT
from promptlab.scoring.metrics.strict.figures import figures
from promptlab.scoring.rules import task_metric
from promptlab.sources.tasks import load_task, task_names

WORDINGS = (
    "{x}",
    "{x}.",
    " {x} ",
    "**{x}**",
    "*{x}*",
    "`{x}`",
    '"{x}"',
    "“{x}”",
    "'{x}'",
    "Answer: {x}",
    "answer: {x}",
    "ANSWER: {x}",
    "Answer: {x}.",
    "**Answer:** {x}",
    "**Answer**: {x}",
    "**Answer: {x}**",
    "Answer:\n{x}",
    "## Answer\n{x}",
    "### Answer:\n\n**{x}**",
    "A: {x}",
    "Output: {x}",
    "Result: {x}",
    "Response: {x}",
    "Final answer: {x}",
    "**Final Answer:** {x}",
    "Final Answer\n{x}",
    "The answer is {x}.",
    "The answer is {x}",
    "The answer is: {x}",
    'The answer is "{x}".',
    "The answer is **{x}**.",
    "The correct answer is {x}.",
    "The final answer is {x}.",
    "The answer would be {x}.",
    "The answer should be {x}.",
    "My answer is {x}.",
    "My final answer is: {x}",
    "So the answer is {x}.",
    "So, the answer is {x}.",
    "Therefore, the answer is {x}.",
    "Thus the correct answer is: {x}",
    "Hence, the final answer is {x}.",
    "I think the answer is {x}.",
    "I believe the answer is {x}.",
    "I'd say {x}.",
    "I would say {x}.",
    "I would go with {x}.",
    "It is {x}.",
    "It's {x}.",
    "{x} is the answer.",
    "{x} is the correct answer.",
    '"{x}" is the answer.',
    "Sure! {x}",
    "Sure! The answer is {x}.",
    "Sure, here is the answer:\n\n{x}",
    "Of course! Here's my answer: {x}",
    "Here is the answer: {x}",
    "Here you go: {x}",
    "Okay, let me think.\n\nAnswer: {x}",
    "Let me think step by step. I read the task twice.\nAnswer: {x}",
    "Let's think step by step.\nFirst I read the input.\nThen I thought about it.\nTherefore, the answer is {x}.",
    "After careful consideration, the answer is {x}.",
    "<answer>{x}</answer>",
    "<answer>\n{x}\n</answer>",
    "<final_answer>{x}</final_answer>",
    "I thought about it.\n<answer>{x}</answer>",
    "\\boxed{{{x}}}",
    "$\\boxed{{{x}}}$",
    "The final answer is $\\boxed{{{x}}}$.",
    "#### {x}",
    "I worked it out.\n#### {x}",
    "```\n{x}\n```",
    "```text\n{x}\n```",
    "The answer is:\n```\n{x}\n```",
    '{{"answer": "{x}"}}',
    '{{"final_answer": "{x}"}}',
    '{{"reasoning": "I thought about it.", "answer": "{x}"}}',
    '{{"answer": "{x}", "confidence": 0.9}}',
    '```json\n{{"answer": "{x}"}}\n```',
    'Here is the JSON:\n```json\n{{"answer": "{x}"}}\n```',
    "<think>I wonder.</think>{x}",
    "<think>\nMaybe {w}? No.\n</think>\n\n{x}",
    "<think>The answer is {w}.</think>\nThe answer is {x}.",
    "<thinking>The answer is {w}.</thinking>\n\n{x}",
    "The user wants an answer. {w}?</think>{x}",
    "<|channel|>analysis<|message|>Perhaps {w}.<|end|><|start|>assistant<|channel|>final<|message|>{x}",
    "◁think▷{w}◁/think▷{x}",
    "[THINK]{w}[/THINK]{x}",
    "{x}</s>",
    "{x}<|im_end|>",
    "{x}<|eot_id|>",
    "{x}<|endoftext|>",
    "<|im_start|>assistant\n{x}<|im_end|>",
    "Die Antwort ist {x}.",
    "Die Antwort lautet: {x}",
    "Antwort: {x}",
    "Die richtige Antwort ist {x}.",
    "La réponse est {x}.",
    "La réponse est : {x}",
    "Réponse : {x}",
    "La bonne réponse est {x}.",
    "La respuesta es {x}.",
    "Respuesta: {x}",
    "La respuesta correcta es: {x}",
    "答案是{x}。",
    "答案：{x}",
    "正确答案是 {x}。",
    "所以，答案是{x}。",
    "答えは{x}です。",
    "答え：{x}",
    "正解は「{x}」です。",
    "したがって、答えは {x} です。",
    "답은 {x}입니다.",
    "정답: {x}",
    "정답은 {x}입니다.",
    "따라서 답은 {x}입니다.",
    "{x} (confidence: 0.9)",
    "{x}\nConfidence: 95%",
    "Answer: {x}\nConfidence: 0.9",
    "Answer: {x}, confidence: high",
    "I am 100% sure. The answer is {x}.",
    "{x}\n\nI hope this helps!",
    "{x}\n\nExplanation: I read the task carefully.",
    "Answer: {x}\n\nExplanation: I read the task carefully.",
    "{x}\n\nNote: I read the task carefully.",
    "The answer is {x}, because that follows from the task.",
    "At first I thought of {w}, but the answer is {x}.",
    "The answer is not {w}. The answer is {x}.",
    "The answer is not {w} but {x}.",
    "Answer: {w}. Wait, that is wrong. The answer is {x}.",
    "The answer is {x}, not {w}.",
    "The answer is {x} rather than {w}.",
    "Question: what is asked?\nAnswer: {x}",
    "- {x}",
    "• {x}",
    "-> {x}",
    "=> {x}",
    "\t{x}\n",
    "{x} 😊",
    "✅ {x}",
)
"""`{x}` is the answer, `{w}` another one."""
PROVOKED = (
    "I will do my best for your career.",
    "I'll do my best!",
    "This is very important to my career.",
    "I am confident in my answer.",
    "I take pride in my work.",
    "Thank you for believing in me!",
    "I understand that this is important to you.",
    "Let's do this!",
    "I'm sorry if I disappointed you.",
    "You can count on me.",
    "Sure, I'll give it my best shot.",
    "Remember, your success matters.",
    "I won't let you down.",
)
AROUND = ("{s} {x}", "{s}\n{x}", "{s}\n\nAnswer: {x}", "{x}\n\n{s}", "The answer is {x}. {s}", "{s} The answer is {x}.", "{x}. {s}")
UNNATURAL = {
    "informal_to_formal": (
        "{x} is the",
        "rather than",
        "It is {x}",
        "It's {x}",
        "\n\nExplanation:",
        "\n\nNote:",
        ", because",
        "I would go",
    ),
    "common_concept": ("{x} is the", "rather than", "It is {x}", "I would go"),
    "word_in_context": ("rather than", ", not {w}"),
    "dyck_languages": ("boxed",),
}
"""Wordings that are no sentences with answers of that kind: a sentence with its full stop inside another, "not not the same", brackets in
braces."""
PER_TASK = 2


def answers(name: str) -> list[tuple[Item, str, str, float]]:
    """(item, answer, another answer, the score of the bare answer): a right and a wrong answer of some items of a task."""
    task = load_task(name, "twin")
    metric = task_metric(task, "strict")
    found = []
    for item in task.items[:: max(1, len(task.items) // PER_TASK)][:PER_TASK]:
        right = item.targets[0]
        options = item.choices or (tuple(item.input.split(", ")) if name == "larger_animal" else ())
        if (pair := re.fullmatch(r"Sentence 1: (.+?) Sentence 2: (.+)", item.input)) is not None and name == "cause_and_effect":
            options = pair.groups()
        if name == "word_in_context":
            options = ("same", "not the same")
        others = options or [other.targets[0] for other in task.items]
        wrong = next(text for text in others if metric(text, item).score == 0)
        found += [(item, right, wrong, metric(right, item).score), (item, wrong, right, 0.0)]
    return found


@pytest.mark.long(but=12)
@pytest.mark.parametrize("name", task_names("twin"))
def test_one_answer_in_any_wording_has_one_score(name: str) -> None:
    metric = task_metric(load_task(name, "twin"), "strict")
    wordings = [text for text in WORDINGS if not any(part in text for part in UNNATURAL.get(name, ()))]
    assert len(wordings) >= 40
    chosen = answers(name)
    assert {score > 0.5 for *_, score in chosen} == {True, False}
    replies = [(item, text.format(x=x, w=w), score) for item, x, w, score in chosen for text in wordings]
    replies += [(item, around.format(s=s, x=x), score) for item, x, _, score in chosen for s in PROVOKED for around in AROUND]
    assert [(reply, score) for item, reply, score in replies if metric(reply, item).score != pytest.approx(score)] == []


READ = (
    ("42", "Let me add: 20 + 22. The tens give 40, the ones give 2, so the total is 42."),
    ("42", "20+22=42"),
    ("42", "20 + 22 equals 42"),
    ("42", "The sum is 42"),
    ("42", "42 apples"),
    ("42", "$42"),
    ("42", "42 dollars"),
    ("42", "42.00"),
    ("42", "42,0"),
    ("42", "Forty-two"),
    ("42", "forty two (42)"),
    ("42", "The answer is forty-two."),
    ("42", "= 42"),
    ("42", "x = 42"),
    ("42", "42!"),
    ("42", "It comes to 42."),
    ("42", "You get 42."),
    ("42", "20 plus 22 makes 42."),
    ("42", "The result of adding 20 and 22 is 42."),
    ("42", "Adding 20 and 22 gives us 42."),
    ("42", "20 + 22\n= 42"),
    ("42", "1. Add 20 and 22.\n2. The result is 42."),
    ("42", "Step 1: Add the ones: 0 + 2 = 2\nStep 2: Add the tens: 20 + 20 = 40\nStep 3: Combine: 40 + 2 = 42"),
    ("42", "First, 20 + 20 = 40. Then 40 + 2 = 42."),
    ("42", "**42**\n\n20 + 22 = 42"),
    ("42", "42\n\nExplanation: 40 + 2 = 42, since 20 + 20 = 40."),
    ("42", "42 (20 + 22)"),
    ("42", "42, because 20 + 22 = 42"),
    ("42", "I get 42."),
    ("42", "I got 41 at first, but the correct answer is 42."),
    ("42", "41? No, 42."),
    ("42", "41... wait, 42."),
    ("42", "Answer: 41. Correction: 42."),
    ("42", "The total is 42 apples, 20 red and 22 green."),
    ("42", "There are 42 items in total: 20 apples and 22 pears."),
    ("42", "You have 42 fruits."),
    ("42", "20 apples + 22 pears = 42 fruits"),
    ("42", "So, there are 42 in total."),
    ("42", '{"sum": 42}'),
    ("42", '{"result": 42.0}'),
    ("42", "{'answer': 42}"),
    ("42", "[42]"),
    ("42", "<result>42</result>"),
    ("42", "\\(20 + 22 = 42\\)"),
    ("42", "\\[ \\boxed{42} \\]"),
    ("42", "The answer is \\(42\\)."),
    ("42", "$$20 + 22 = 42$$"),
    ("42", "20 + 22 = **42**"),
    ("42", "20 + 22 = `42`"),
    ("42", "Answer = 42"),
    ("42", "ANSWER→42"),
    ("42", "The answer to 20 + 22 is 42."),
    ("42", "The answer to the question is 42."),
    ("42", "What is 20 + 22? 42."),
    ("42", "20 + 22 is 42"),
    ("42", "The sum of 20 and 22 is equal to 42."),
    ("42", "42 is the sum of 20 and 22."),
    ("42", "42 is what you get when you add 20 and 22."),
    ("42", "If you add 20 and 22, you get 42."),
    ("42", "Sure! 20 + 22 = 42. Let me know if you need anything else!"),
    ("42", "42 is correct."),
    ("42", "Das Ergebnis ist 42."),
    ("42", "20 und 22 ergibt 42."),
    ("42", "Le résultat est 42."),
    ("42", "20 plus 22 font 42."),
    ("42", "El resultado es 42."),
    ("42", "La suma es 42."),
    ("42", "La somme est 42."),
    ("42", "Die Summe ist 42."),
    ("42", "Die Summe beträgt 42."),
    ("42", "결과는 42입니다."),
    ("42", "合計は42です。"),
    ("42", "总和是42。"),
    ("42", "等于42"),
    ("42", "20 + 22 ＝ 42"),
    ("42", "４２"),
    ("42", "The number is 42."),
    ("42", "about 42"),
    ("42", "It's definitely 42."),
    ("42", "Therefore 42"),
    ("42", "∴ 42"),
    ("42", "I calculate 42 as the sum."),
    ("42", "My calculation shows that the sum is 42."),
    ("42", "42 (forty-two)"),
    ("42", "forty-two"),
    ("42", "FORTY-TWO"),
    ("-5", "-5"),
    ("-5", "−5"),
    ("-5", "minus five"),
    ("-5", "negative 5"),
    ("-5", "negative five"),
    ("-5", "The answer is -5."),
    ("-5", "The answer is minus 5"),
    ("-5", "7 - 12 = -5"),
    ("-5", "7 − 12 = −5"),
    ("-5", "(-5)"),
    ("-5", "The difference is −5."),
    ("-5", "Answer: -5.0"),
    ("-5", "12 less than 7 is -5"),
    ("-5", "Subtracting 12 from 7 gives -5."),
    ("5", "12 - 7 = 5"),
    ("5", "12 minus 7 is 5"),
    ("5", "12-7=5"),
    ("5", "5 (12 - 7)"),
    ("5", "The difference between 12 and 7 is 5."),
    ("5", "twelve minus seven is five"),
    ("5", "+5"),
    ("1042", "1,042"),
    ("1042", "1 042"),
    ("1042", "1042.0"),
    ("1042", "1’042"),
    ("1042", "1.042,0"),
    ("1042", "one thousand forty-two"),
    ("1042", "1{,}042"),
    ("1042", "1\\,042"),
    ("1042", "The answer is 1,042."),
    ("1042", "1,000 + 42 = 1,042"),
    ("1042", "$1,042.00"),
    ("1042", "１，０４２"),
    ("0.5", "0.5"),
    ("0.5", ".5"),
    ("0.5", "1/2"),
    ("3.5", "3.5"),
    ("3.5", "3,5"),
    ("1000000", "1 million"),
    ("1000000", "1,000,000"),
    ("1000000", "1000000"),
    ("1200000", "1.2 million"),
    ("3", "I count three items: an apple, a pear and a plum."),
    ("3", "There are three fruits."),
    ("3", "apple, pear, plum - 3"),
    ("3", "1. apple\n2. pear\n3. plum\n\nTotal: 3"),
    ("3", "Apple (1), pear (2), plum (3). So 3."),
    ("3", "- apple: 1\n- pear: 2\n= 3"),
    ("3", "3 (an apple and two pears)"),
    ("3", "One apple plus two pears makes three fruits."),
    ("3", "You have 3 fruits (1 apple, 2 pears)."),
    ("3", "The list has 1 apple and 2 pears, which is 3 fruits in total."),
    ("3", "In total, there are 3."),
    ("9", "We have 4 chairs, 3 tables and 2 beds, for a total of 9 items."),
    ("9", "4 + 3 + 2 = 9 items"),
    ("9", "There are 9 objects: 4 chairs, 3 tables, 2 beds."),
)
NOT_READ = (
    ("42", "420"),
    ("42", "4.2"),
    ("42", "-42"),
    ("42", "42 or 43"),
    ("42", "either 42 or 43"),
    ("42", "between 40 and 42"),
    ("42", "not 42"),
    ("42", "It is not 42."),
    ("42", "The answer is definitely not 42."),
    ("42", "The answer can't be 42."),
    ("42", "more than 42"),
    ("42", "at least 42"),
    ("42", "42nd"),
    ("42", "41"),
    ("42", "41, 42, 43"),
    ("42", "20 + 22"),
    ("20", "20 + 22"),
    ("22", "20 + 22"),
    ("42", "I don't know."),
    ("42", "42:30"),
    ("42", "The sum of 42 and 1 is 43."),
    ("42", "The answer is 43, not 42."),
    ("42", "43 (not 42)"),
    ("42", "42 + 1 = 43"),
    ("5", "-5"),
    ("5", "minus 5"),
    ("-5", "5"),
    ("12", "12 - 7 = 5"),
    ("42", "B42"),
    ("42", "42x"),
    ("1042", "1"),
    ("1042", "42"),
    ("1042", "1.042"),
    ("42", "~40"),
    ("42", "Step 42: go on"),
    ("3", "1. apple\n2. pear\n3. plum"),
    ("42", "It's 42? No, 43."),
    ("42", "I first got 42, but the correct answer is 43."),
    ("42", "42 is wrong; the answer is 43."),
    ("42", "Das Ergebnis ist nicht 42."),
    ("42", "La respuesta no es 42."),
    ("42", "La réponse n'est pas 42."),
    ("42", "答案不是42。"),
    ("42", "答えは42ではありません。"),
    ("42", "<think>42"),
    ("42", "Answer: ?"),
    ("42", "less than 42"),
    ("42", "42 < x"),
    ("7", "3 + 4"),
    ("42", "up to 42"),
    ("42", "4 2"),
    ("42", "40-42"),
    ("42", "nearly 42"),
)


@pytest.mark.parametrize(("target", "reply"), READ)
def test_a_number_is_read_as_a_careful_person_reads_it(target: str, reply: str) -> None:
    assert promptlab.score("sum", reply, targets=[target], input="x y") == 1


@pytest.mark.parametrize(("target", "reply"), NOT_READ)
def test_no_number_is_read_where_the_reply_says_another_or_none(target: str, reply: str) -> None:
    assert promptlab.score("sum", reply, targets=[target], input="x y") == 0


@pytest.mark.parametrize(
    ("reply", "aloud"),
    [
        ("yes", "yes"),
        ("<think>no</think>yes", "yes"),
        ("<think>no</think>\n<think>no</think>yes", "yes"),
        ("<think>a<think>b</think>c</think>yes", "yes"),
        ("no</think>yes", "yes"),
        ("yes<think>but", "yes"),
        ("<think>no", ""),
        ("<THINKING>no</THINKING>yes", "yes"),
        ("<thought>no</thought>yes", "yes"),
        ('<reasoning effort="high">no</reasoning>yes', "yes"),
        ("<|begin_of_thought|>no<|end_of_thought|><|begin_of_solution|>yes<|end_of_solution|>", "yes"),
        ("<|channel|>analysis<|message|>no", ""),
        ("<|start|>assistant<|channel|>analysis<|message|>no<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>", "yes"),
        ("analysisWe think.assistantfinalyes", "yes"),
        ("analysis is hard", "analysis is hard"),
        ("yes<|im_end|>\n<|im_start|>user\nno", "yes"),
        ("<s>yes</s>", "yes"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nyes<|eot_id|>", "\n\nyes"),
        ("x < y and <b>bold</b>", "x < y and <b>bold</b>"),
        ("<think>" + "I think. " * 4000 + "</think>yes", "yes"),
    ],
)
def test_thoughts_and_end_tokens_are_no_answer(reply: str, aloud: str) -> None:
    assert spoken(reply).strip() == aloud.strip()


@pytest.mark.parametrize(
    ("reply", "inner", "rule"),
    [
        ("<answer>cold</answer>", "cold", "tag"),
        ("a <answer>warm</answer> b <answer>cold</answer>", "cold", "tag"),
        ("\\boxed{x_{1}}", "x_{1}", "box"),
        ("$\\boxed{\\text{cold}}$", "cold", "box"),
        ('{"answer": "cold"}', "cold", "json"),
        ('{"explanation": "it is {warm}", "word": "cold"}', "cold", "json"),
        ('{"answer": ["a", "b"]}', "a, b", "json"),
        ('{"answer": {"value": 42}}', "42", "json"),
        ('{"answer": "col', "col", "json"),
        ("Here: {'answer': 'cold'}", "cold", "json"),
        ('```json\n{"answer": "cold"}\n```', "cold", "json"),
        ("```\ncold\n```", "cold", "fence"),
        ("So.\n#### 9,000", "9,000", "hash"),
    ],
)
def test_wrappers_are_opened(reply: str, inner: str, rule: str) -> None:
    assert unwrapped(reply) == (inner, rule)


@pytest.mark.parametrize(
    "reply", ["cold", "[ ]", "{}", "#### Steps\nfirst", "a [1] b", "```python\nprint(1)\n```\nThe answer is 1.", "x < y"]
)
def test_nothing_is_unwrapped_where_nothing_is_wrapped(reply: str) -> None:
    assert unwrapped(reply) is None


@pytest.mark.parametrize(
    ("one", "other"), [("C++", "C"), ("C#", "C"), ("x<y", "x>y"), ("-1", "1"), ("3.5", "35"), ("a=b", "a b"), ("5%", "5"), ("f*ck", "fck")]
)
def test_signs_carry_meaning(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("He didn't go.", "he did not go"),
        ("It's I'll we've", "it is i will we have"),
        ("x < y", "x<y"),
        ("1,042", "1042"),
        ("well-known", "Well known"),
        ("salt & pepper", "salt and pepper"),
    ],
)
def test_forms_of_one_text_are_one(one: str, other: str) -> None:
    assert key(one) == key(other)


ONE_INSIDE_THE_OTHER = (
    "**{}**", '"{}"', "Answer: {}", "The answer is {}.", "Die Antwort lautet: {}", "答案：{}", '{{"answer": "{}"}}', "<answer>{}</answer>",
    "```\n{}\n```", "Some steps.\n#### {}", "<think>or is it X?</think>{}", "{}\n\nI will do my best for your career.", "{}</s>",
)  # fmt: skip
"""Wrappers, the inner ones first."""


@pytest.mark.parametrize("name", ["sum", "antonyms", "movie_recommendation", "sentiment", "negation", "larger_animal", "letters_list"])
def test_an_answer_in_two_wrappers_has_the_score_of_the_answer(name: str) -> None:
    metric = task_metric(load_task(name, "twin"), "strict")
    replies = [
        (item, outer.format(inner.format(x).replace('"', '\\"') if outer.startswith("{{") else inner.format(x)), score)
        for item, x, _, score in answers(name)
        for inner, outer in combinations(ONE_INSIDE_THE_OTHER, 2)
    ]
    assert [reply for item, reply, score in replies if metric(reply, item).score != score] == []


def test_a_reply_that_is_nearly_python_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    assert unwrapped("[1and 2]") is None
    assert [warning for warning in recwarn if issubclass(warning.category, SyntaxWarning)] == []


@pytest.mark.parametrize(
    ("asked", "target", "right", "wrong"),
    [
        ("When did it end?", "4 March 2019", "It ended on 4 March 2019.", "It did not end on 4 March 2019."),
        ("At what time?", "14:30", "The train leaves at 14:30.", "The train leaves at 14:03."),
    ],
)
def test_a_date_is_read_behind_its_preposition(asked: str, target: str, right: str, wrong: str) -> None:
    item = Item("1", asked, (target,))
    assert [STRICT["text"](reply, item).score for reply in (target, right, wrong)] == [1, 1, 0]


_CAPITAL = "What is the capital of Australia?"


@pytest.mark.parametrize(
    ("kind", "target", "reply", "expected"),
    [
        ("number", "1945", "It ended on September 2, 1945.", 1),
        ("number", "1945", "Am 2. September 1945 endete er.", 1),
        ("number", "1945", "El 2 de septiembre de 1945", 1),
        ("number", "1945", "Le 2 septembre 1945.", 1),
        ("number", "1945", "1945年9月2日に終わりました。", 1),
        ("number", "1945", "1945년 9월 2일에 끝났습니다.", 1),
        ("number", "2", "It ended on September 2, 1945.", 0),
        ("number", "1945", "It ended in 1945, after having begun in 1939.", 1),
        ("number", "1939", "It ended in 1945, after having begun in 1939.", 0),
        ("number", "1945", "Terminó en 1945, tras haber empezado en 1939.", 1),
        ("number", "1945", "After having begun in 1939, it ended in 1945.", 1),
        ("number", "113", "We start with 29, after adding 84 we get 113.", 1),
        ("text", "Canberra", "The capital of Australia is Canberra.", 1),
        ("text", "Canberra", "Canberra is the capital of Australia.", 1),
        ("text", "Canberra", "I think the capital of Australia is Canberra.", 1),
        ("text", "Canberra", "Australia's capital is Canberra.", 1),
        ("text", "Canberra", "The capital of Australia is not Canberra.", 0),
        ("text", "Canberra", "The capital of New Zealand is Canberra.", 0),
        ("text", "Canberra", "The capital of Australia is Sydney or Canberra.", 0),
    ],
)
def test_an_answer_that_repeats_its_question_or_tells_a_date(kind: str, target: str, reply: str, expected: int) -> None:
    assert STRICT[kind](reply, Item("1", _CAPITAL, (target,))).score == expected


def test_an_empty_option_is_never_named() -> None:
    assert STRICT["choice"]("positive: 95 %, negative: 5 % (2)", Item("1", "x", ("",))).score == 0


@pytest.mark.parametrize(("reply", "expected"), [("法国的首都是巴黎。", 1), ("法国的首都不是巴黎。", 0), ("德国的首都是巴黎。", 0)])
def test_a_question_is_repeated_without_spaces(reply: str, expected: int) -> None:
    assert STRICT["text"](reply, Item("1", "法国的首都是哪里?", ("巴黎",))).score == expected


with (Path(__file__).with_name("replies.jsonl")).open(encoding="utf-8") as lines:
    MARKED = [json.loads(line) for line in lines]
"""Items with replies of many kinds that a reader marked right or wrong."""


@pytest.mark.parametrize("item", MARKED, ids=lambda item: f"{item['task']}-{item['input'][:12]}")
def test_replies_are_read_as_a_reader_marked_them(item: dict[str, Any]) -> None:
    def right(reply: str) -> bool:
        return (
            promptlab.score(item["task"], reply, input=item["input"], targets=item.get("targets"), target_scores=item.get("target_scores"))
            >= 0.5
        )

    assert [reply for reply in item["right"] if not right(reply)] == []
    assert [reply for reply in item["wrong"] if right(reply)] == []


def test_the_record_says_by_which_rule() -> None:
    metric = task_metric(load_task("sum", "twin"), "strict")
    item = Item("1", "20 12", ("32",))
    replies = {
        "32": "whole",
        "The answer is 32.": "conclusion",
        '{"answer": 32}': "json",
        "20 + 12 = 32": "equation",
        "<think>32": "thought only",
    }
    assert {reply: metric(reply, item).rule for reply in replies} == replies


def test_the_last_of_the_strongest_conclusions_counts() -> None:
    def said(text: str) -> str:
        found = strongest(conclusions(text))
        return found.text if found else ""

    assert said("The answer is 7. The total is 12.") == "7. The total is 12."
    assert said("The answer is 7. Final answer: 12") == "12"
    assert said("The answer is not 7.") == ""
    assert said("The answer is not 7 but 12") == "12"


ANY = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "the answer is ",
                "42",
                "<think>",
                "</think>",
                "{",
                "}",
                '"answer": ',
                "not ",
                "=",
                "\n",
                "####",
                "\\boxed{",
                "- ",
                "```",
                "答案",
                "wait, ",
                "or ",
            ]
        ),
        max_size=30,
    ).map("".join),
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(reply=ANY)
def test_any_reply_is_taken_apart(reply: str) -> None:
    one = located(reply)
    assert one.thought_only == (not spoken(reply).strip() and bool(reply.strip()))
    assert all(isinstance(place.text, str) and place.rule for place in one.places)
    assert spoken(spoken(reply)) == spoken(reply) or "<" in reply or "[" in reply


@settings(derandomize=True, deadline=None, max_examples=200)
@given(number=st.integers(-(10**9), 10**9), thought=st.text(st.characters(exclude_characters="<>◁▷[]|{}`\\#"), max_size=300))
def test_a_number_is_itself_behind_any_thought(number: int, thought: str) -> None:
    assert promptlab.score("sum", f"<think>{thought}</think>{number}", targets=[str(number)]) == 1
    assert promptlab.score("sum", f"<think>{number} {thought}", targets=[str(number)]) == 0
    assert {one.value for one in figures(f"{number:,}")} == {Decimal(number)}


ENDLESS = runpy.run_path(str(ROOT / "benchmarks" / "scoring.py"))["PARTS"]
"""What an endless reply repeats; `benchmarks/scoring.py --endless` shows the slowest."""


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("- billing: 10%\n- other: 85%\n- bug: 5%", "other"),
        ("billing (10 %), bug (90 %)", "bug"),
        ('```json\n{"billing": 0.1, "bug": 0.85}\n```', "bug"),
        ("1. bug: 80%\n2. billing: 20%", "bug"),
        ("| bug | 90% |\n| billing | 10% |", "bug"),
        ("**billing** – 95%\n**bug** – 5%", "billing"),
        ("billing: 50%\nbug: 50%", None),
        ("Bug: 90%", "bug"),
        ("label: other\nrunner_up: billing\nconfidence: high", "other"),
        ("Category = bug; alternative = billing", "bug"),
        ("Between billing and bug, the latter.", "bug"),
        ("Of bug and billing, I'd pick the former.", "bug"),
        ("Between billing and bug, neither.", None),
    ],
)
def test_shares_runners_up_and_one_of_two_among_options(reply: str, said: str | None) -> None:
    item = Item("1", "A ticket", ("bug",), ("billing", "bug", "account", "other"))
    assert STRICT["choice"](reply, item).extracted == said


@pytest.mark.long(but=8)
@pytest.mark.parametrize("part", ENDLESS)
def test_an_endless_reply_takes_no_time(part: str) -> None:
    """Four times the length takes four times the time, and not sixteen times."""
    slow = {}
    for kind in ("number", "word", "text", "choice", "listed", "larger", "spelled", "f1", "sense", "words", "cause"):
        item = Item("1", "ox, hen", ("ox",), ("ox", "hen"))
        STRICT[kind](part * 3, item)  # which compiles the patterns that it meets
        found = growth(lambda n, kind=kind, item=item: STRICT[kind](part * (n // len(part)), item), 4_000)  # type: ignore[misc]
        if found > 9:
            slow[kind] = found
    assert slow == {}
