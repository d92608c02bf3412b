"""One answer in many wordings always gets the same score: for every task, right and wrong, with what a stimulus provokes around it."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from promptlab.nouns import Item
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
