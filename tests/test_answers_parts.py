"""A reply is taken apart: thoughts, end tokens, wrappers, conclusions and the forms of one text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.nouns import Item
from promptlab.scoring.answers.conclusions import conclusions, strongest
from promptlab.scoring.answers.places import located
from promptlab.scoring.answers.text import key
from promptlab.scoring.answers.thoughts import spoken
from promptlab.scoring.answers.wrappers import unwrapped
from promptlab.scoring.rules import task_metric
from promptlab.sources.tasks import load_task


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


def test_a_reply_that_is_nearly_python_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    assert unwrapped("[1and 2]") is None
    assert [warning for warning in recwarn if issubclass(warning.category, SyntaxWarning)] == []


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
