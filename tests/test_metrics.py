"""Metrics: the reference rules to the letter, and options read out of replies as models write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from growth import growth
from promptlab.nouns.arm import Scoring
from promptlab.nouns.call import Scored
from promptlab.nouns.errors import UsageProblem
from promptlab.nouns.item import Item
from promptlab.scoring.code import Consent, found
from promptlab.scoring.metrics import METRICS, bigbench, metric
from promptlab.scoring.metrics import instruction_induction as ii
from promptlab.scoring.metrics.bigbench import choice
from promptlab.scoring.own import own_scoring, settled
from promptlab.sources.official import files as official
from promptlab.sources.tasks import load_bigbench, load_instruction_induction, read_items

SIX = {
    "translation_en-fr": "ii_em",
    "active_to_passive": "ii_em",
    "sentiment": "ii_em",
    "sum": "ii_em",
    "object_counting": "bigbench_exact",
    "ruin_names": "choice",
}


def with_targets(*targets: str) -> Item:
    return Item("1", "the input", targets)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("", ""),
        ("The Cat.", "the cat"),
        ("  a and b and c ", "a b c"),
        ("a, am, and", "a am and"),
        ("Five Hundred And Four", "five hundred and four"),
        ("Sentence 1: It rained. Sentence 2: It poured.", "it rained"),
        ("sentence 1: It rained.", "sentence 1 it rained"),
        ("first\nsecond", "first"),
        ("\n\nfirst", "first"),
        (". then nothing", ""),
        ("well-known fact!", "well known fact"),
        ("a ! b", "a  b"),
        ("47.00", "47"),
        ("1,50", "150"),
        ("“quoted”", "“quoted”"),
        ("４７", "４７"),
    ],
)
def test_normalize(text: str, normal: str) -> None:
    assert ii.normalize(text) == normal


def test_em() -> None:
    assert ii.em("Forty-Seven!", with_targets("47", "forty seven")) == Scored(1.0, "forty seven")
    assert ii.em("The answer is 47.", with_targets("47")) == Scored(0.0, "the answer is 47")
    assert ii.em("", with_targets("47")) == Scored(0.0, None)


def test_f1_counts_repeats() -> None:
    item = with_targets("involve vertical movement.", "involve going up.")
    assert ii.f1("up up up involve going", item).score == pytest.approx(0.75)
    assert ii.f1("movement vertical involve", item).score == pytest.approx(1)
    assert ii.f1("other words", item).score == 0


def test_exact_set_ignores_order_and_repeats() -> None:
    assert ii.exact_set("Bird, bird and bear", with_targets("bear, bird")).score == 1
    assert ii.exact_set("bear", with_targets("bear, bird")).score == 0


def test_contains_respects_words() -> None:
    assert ii.contains("a process of law", with_targets("process")).score == 1
    assert ii.contains("outlet", with_targets("let")).score == 0


def test_exact_str_match() -> None:
    exact = METRICS["bigbench_exact"]
    item = with_targets("three", "3")
    assert exact("3. That is all.", item) == Scored(1.0, "3")
    assert exact("three\nthings", item) == Scored(1.0, "three")
    assert exact("Three", item).score == 0
    assert exact(" three", item).score == 0
    assert exact("", item) == exact("...", item) == Scored(0.0, None)


def test_operators() -> None:
    operators = METRICS["bigbench_operators"]
    item = with_targets("-58")
    assert operators("The answer is -58.", item) == Scored(1.0, "-58")
    assert operators("-58\nand more 3", item).score == 1
    assert operators("-58 is the result", item) == Scored(0.0, None)


def test_other_patterns() -> None:
    scored = bigbench.exact_str_match(r"#(\w+)?", stop="END")("x #yes END #no", with_targets("yes"))
    assert scored == Scored(1.0, "yes")
    assert bigbench.exact_str_match(r"#(\w+)?")("# nothing", with_targets("yes")) == Scored(0.0, None)


RIGHT = "stare wars"
WARS = Item("0", "star wars", (RIGHT,), ("stars wars", RIGHT, "stariwars", "star was"))
COMPANY = Item("1", "bad company", ("sad company",), ("bad compaqy", "sad company", "bad cobmpany", "bad company"))
KAPPA = Item("2", "frank kappa", ("frank kappa",), ("frank fkappa", "franks kappa", "frank kappa", "frank kapoa"))
U2 = Item("3", "u2", ("um",), ("um", "u2", "u", "uc"))
RAIN = Item("4", "singin' in the rain", ("singin' in the ruin",), ("silgin' in the rain", "singin' in the ruin"))
NESTED = Item("5", "the cat", ("the cat sat",), ("the cat sat", "cat sat", "the cat sat down", "sat"))
PUNCTUATED = Item("6", "the police", ("the polite.",), ("the polite.", "tye police", "the police!"))
VALID = Item("7", "an argument", ("Invalid",), ("Valid", "Invalid"))
ENTAILED = Item("8", "a premise", ("non-entailment",), ("entailment", "non-entailment"))
SNARKS = Item("9", "(a) Great movie. (b) Great, another movie.", ("(b)",), ("(b)", "(a)"))
NAVIGATE = Item("10", "Take 1 step.", ("True",), ("True", "False"))
SHARKS = Item("11", "But aren't you afraid?", ("no",), ("yes", "no"))
NEUTRAL = Item("12", "two sentences", ("neutral",), ("entailment", "contradiction", "neutral"))
BRACKETS = Item("13", "{ [", ("] }",), (") )", "] }", "} ]"))
CASES = Item("14", "x", ("A b",), ("A b", "a B", "c"))

NAMES_RIGHT = [
    # the option itself
    *("stare wars", "Stare Wars.", "  STARE   WARS!! ", "“stare wars”", "'Stare Wars'", "**Stare Wars**", "`stare wars`"),
    *("ＳＴＡＲＥ　ＷＡＲＳ", "stare wars\u00a0", "- stare wars", "> stare wars", "\\boxed{stare wars}", "stare wars, obviously"),
    # its label
    *("(b)", "b)", "b.", "B", "2", "2.", "(2)", "[B]", "Option B", "option 2", "\\boxed{B}", "$\\boxed{\\text{B}}$", "<answer>b</answer>"),
    *("The answer is b", "The answer is B.", "answer is (b).", "Answer: 2", "The answer is clearly B!", "Answer: B) because it is a pun"),
    *("I choose b.", "I would go with (b).", "It is option b, I believe.", "(b) because it sounds funny"),
    "B\n\nExplanation: it sounds like staring.",
    # label and option
    *("B. stare wars", "(b) stare wars", "2) stare wars", "B - stare wars", "B: stare wars", "Answer: b) stare wars"),
    "The correct answer is option B: stare wars.",
    # an explicit conclusion
    *("Answer: stare wars", "**Answer:** stare wars", "**Answer**: *stare wars*", "Answer:\n\nstare wars", 'Final answer: "stare wars"'),
    *("<answer>stare wars</answer>", '{"answer": "stare wars"}', "My answer would be stare wars"),
    "The answer is stare wars, not stars wars.",
    "The answer is stare wars because stars wars is only a plural.",
    "stars wars is a plural, stariwars is a typo. Answer: stare wars",
    "1. stars wars\n2. stare wars\n3. stariwars\n4. star was\n\nAnswer: stare wars",
    "The answer is not stars wars. The answer is stare wars.",
    "<think>maybe the answer is stars wars</think>\nstare wars",
    # sentences
    "Sure! The humorous edit is 'stare wars'.",
    "Sure! The humorous edit of 'star wars' is 'stare wars'.",
    "stare wars is the humorous edit.",
    "'stare wars' is the best choice, since 'stars wars' is just a plural.",
    "The humorous edit is likely **stare wars**, while stars wars is a typo",
    "I would say that the humorous edit is stare wars. Stars wars would be a simple plural.",
    "The correct choice is stare wars, as opposed to star was or stars wars.",
    "Looking at the options, stare wars, stars wars, stariwars and star was, the humorous one is stare wars.",
    'Here is why:\n1. stars wars - plural\n2. stare wars - a pun\n3. stariwars - typo\n\nThe humorous edit is "stare wars".',
    "I'd pick stare wars over stars wars.",
    "I think it's stare wars, because stars wars is just a typo.",
    "The funniest is stare wars — a pun on staring.",
    "It is not stars wars but stare wars.",
    "Unlike stars wars, stare wars is a real pun.",
    "Of these, “stare wars” is funniest; stars wars isn't funny.",
    # the first line, before the reasons or before items of the model's own
    "stare wars\n\nExplanation: 'stars wars' is merely the plural, while a stare war is funny.",
    "Stare Wars!\n\nIn that movie people stare. Stars wars, stariwars and star was are typos.",
    "stare wars\n\nInput: jurassic park\nAnswer: jurassic pork",
    "stare wars\n\nInput: star wars\nAnswer: stars wars",
    # one mention
    *("Star Wars -> Stare Wars", "star wars → stare wars", "My pick: stare wars", "choice: stare wars", "Output: stare wars"),
    *("Stare Wars (like staring at each other)", "None of them; but if forced, stare wars", "Q: star wars\nA: stare wars"),
]
SETTLES_ON_NONE = [
    *("", "   \n", "!!!", "I can't help with that.", "none of these", "1977", "5", "E", "z)", "i"),
    # the input, again
    *("star wars", "Star Wars.", "The name is star wars.", "Answer: star wars", "Star Wars is a 1977 movie."),
    # several options
    "stars wars, stare wars, stariwars, star was",
    "stars wars\nstare wars\nstariwars\nstar was",
    "1. stars wars\n2. stare wars\n3. stariwars\n4. star was",
    "(a) stars wars (b) stare wars",
    "choice: stars wars\n  choice: stare wars\n  choice: stariwars\n  choice: star was",
    *("stare wars or stars wars", "stare wars and stars wars", "stare wars / star was"),
    "The answer is stare wars or stars wars.",
    "Either stare wars or stars wars is the answer",
    "It could be stare wars. It could be stars wars.",
    "Both 'stare wars' and 'stars wars' are funny.",
    "The answer is stars wars? Or stare wars?",
    "Answer: stars wars\nAnswer: stare wars",
    # several labels, and letters that are words
    *("(a) and (b)", "a) or b)", "A or B", "A, B", "Answer: (b) / (c)", "Answer: b or c"),
    "1. Visit the museum.\n2. Take a stroll.\n3. Explore.",
    *("a movie", "A pun on staring", "Answer: a movie about space", "The answer is a pun", "The answer is 4 letters long"),
    "4\n\nExplanation:\nThe word has 4 letters.",
    # inside other words, and turned down
    *("stare warship", "bastare wars", "stare wars-like", "It is not stare wars."),
]


@pytest.mark.parametrize("answer", NAMES_RIGHT)
def test_choice_is_read(answer: str) -> None:
    assert choice(answer, WARS) == Scored(1.0, RIGHT)


@pytest.mark.parametrize("answer", SETTLES_ON_NONE)
def test_no_choice_is_invented(answer: str) -> None:
    assert choice(answer, WARS) == Scored(0.0, None)


@pytest.mark.parametrize(
    ("item", "answer", "chosen"),
    [
        (WARS, "A", "stars wars"),
        (WARS, "The answer is a.", "stars wars"),
        (WARS, "The answer is stars wars", "stars wars"),
        (WARS, "b) stars wars", "stars wars"),  # the text says more than a label that the prompt did not give
        # The unchanged name is an option, too.
        (COMPANY, "sad company", "sad company"),
        (COMPANY, "bad company", "bad company"),
        (COMPANY, "The answer is bad company.", "bad company"),
        (COMPANY, "d)", "bad company"),
        (COMPANY, "The humorous edit of 'bad company' is 'sad company'.", "sad company"),
        (COMPANY, "bad company -> sad company", "sad company"),
        (COMPANY, "Sad company sounds funnier than bad company.", "sad company"),
        (COMPANY, "Bad Company is an English band.", None),
        (COMPANY, "sad company, bad company", None),
        (COMPANY, "Both sad company and bad company", None),
        (KAPPA, "frank kappa", "frank kappa"),
        (KAPPA, "The humorous edit is 'frank kappa'.", "frank kappa"),
        (KAPPA, "frank kappa -> frank kappa", "frank kappa"),
        # options as short as labels and words
        (U2, "Um", "um"),
        (U2, "u", "u"),
        (U2, "a", "um"),
        (U2, "The funny one is 'u'.", "u"),
        (U2, "Um, the answer is uc.", "uc"),
        (U2, "The humorous edit of u2 is um.", "um"),
        # punctuation that belongs to options
        (RAIN, "Singin’ in the Ruin", "singin' in the ruin"),
        (RAIN, "'Singin' in the Ruin'", "singin' in the ruin"),
        (RAIN, "The humorous edit is “singin' in the ruin”.", "singin' in the ruin"),
        (PUNCTUATED, "the polite", "the polite."),
        (PUNCTUATED, "The answer is the polite.", "the polite."),
        (PUNCTUATED, "the polite., tye police", None),
        (BRACKETS, "] }", "] }"),
        (BRACKETS, "The answer is ] }", "] }"),
        (BRACKETS, "nothing", None),
        # options inside options
        (NESTED, "the cat sat", "the cat sat"),
        (NESTED, "I say the cat sat down.", "the cat sat down"),
        (NESTED, "the answer is cat sat", "cat sat"),
        (NESTED, "sat", "sat"),
        (VALID, "The argument is invalid.", "Invalid"),
        (VALID, "It's valid, not invalid.", "Valid"),
        (VALID, "The argument is not valid.", None),
        (ENTAILED, "Non-Entailment.", "non-entailment"),
        (ENTAILED, "non‑entailment", "non-entailment"),
        (ENTAILED, "This is an entailment.", "entailment"),
        (ENTAILED, "A case of non-entailment rather than entailment.", "non-entailment"),
        (NEUTRAL, "Neither entailment nor contradiction, so neutral.", "neutral"),
        # options that are labels keep their own letters
        (SNARKS, "b", "(b)"),
        (SNARKS, "(a)", "(a)"),
        (SNARKS, "The answer is b", "(b)"),
        (SNARKS, "The sarcastic one is (b).", "(b)"),
        (SNARKS, "a statement", None),
        (SNARKS, "(a) Great movie. (b) Great, another movie.", None),
        # labels that the question never names
        (NAVIGATE, "Yes, you return to the starting point.", "True"),
        (NAVIGATE, "no", "False"),
        (NAVIGATE, "false", "False"),
        (SHARKS, "No, because sharks never attack.", "no"),
        (SHARKS, "Yes.", "yes"),
        # options that differ only in case
        (CASES, "a B", "a B"),
        (CASES, "A B", None),
    ],
)
def test_choice_of_other_items(item: Item, answer: str, chosen: str | None) -> None:
    assert choice(answer, item) == Scored(float(chosen in item.targets), chosen)


def test_choice_with_several_targets_or_without_choices() -> None:
    several = Item("1", "x", ("one", "two"), ("one", "two", "three"))
    assert [choice(text, several).score for text in ("one", "two", "three")] == [1, 1, 0]
    assert choice("It is one.", Item("1", "x", ("one",))) == Scored(1.0, "one")
    assert choice("a", Item("1", "x", ("one",))).score == 1


ENDLESS = [
    "a",
    " ",
    "- ",
    "'\"*_`(",
    "the answer is ",
    "answer:\n",
    "1) ",
    "not the ",
    "stare wars is ",
    "stare wars, stars wars ",
    "boxed{",
]


def test_the_measure_of_growth_sees_the_square_of_a_length() -> None:
    assert growth(lambda n: sum(range(n * n // 10)), 2_000) > 9
    assert growth(lambda n: sum(range(n * 1_000)), 2_000) < 9


@pytest.mark.parametrize("part", ENDLESS)
def test_endless_replies_take_no_time(part: str) -> None:
    assert growth(lambda n: choice(part * (n // len(part)), WARS), 12_000) < 9


WORDS = [
    "stare wars",
    "stars wars",
    "star wars",
    "b",
    "(b)",
    "answer",
    "is",
    "the",
    "not",
    "or",
    ",",
    ".",
    ":",
    "\n",
    '"',
    "'",
    "1",
    "and",
    "?",
    "->",
]
REPLIES = st.one_of(st.text(), st.text(alphabet=st.characters(codec=None)), st.lists(st.sampled_from(WORDS)).map(" ".join))


@pytest.mark.long(but=8)
@settings(derandomize=True, deadline=None, max_examples=200)
@given(answer=REPLIES, item=st.sampled_from([WARS, COMPANY, U2, SNARKS, BRACKETS, with_targets("47")]))
@pytest.mark.parametrize("name", METRICS)
def test_scores_are_fractions(name: str, answer: str, item: Item) -> None:
    scored = METRICS[name](answer, item)
    assert 0 <= scored.score <= 1
    assert scored.extracted != ""
    assert scored.extracted is not None or scored.score == 0
    if name == "choice":
        assert scored.extracted in {None, *item.choices, *item.targets}
        assert scored.score == (scored.extracted in item.targets)


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Co")), max_size=20)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(name=TEXTS, options=st.lists(TEXTS.filter(str.strip), min_size=2, max_size=5, unique_by=str.strip), data=st.data())
def test_every_option_is_recognised_as_it_is_written(name: str, options: list[str], data: st.DataObject) -> None:
    options = [option.strip() for option in options]
    chosen = data.draw(st.sampled_from(options))
    assert choice(f" {chosen}\n", Item("1", name, (chosen,), tuple(options))) == Scored(1.0, chosen)


def test_names() -> None:
    published = ["ii_em", "ii_f1", "ii_exact_set", "ii_contains", "bigbench_exact", "bigbench_operators", "choice"]
    assert [name for name in METRICS if not name.startswith("strict_")] == published
    assert metric("choice") is choice

    def scoring(name: str) -> Scoring:
        return own_scoring(found(name, f"the metric {name!r}", Path("t.yaml"), [], Consent(everything=True, packages=("promptlab",))))

    scored = scoring("promptlab.scoring.metrics.bigbench:choice")
    assert settled(scored.steps("b", Item("1", "x", ("b",), ("a", "b")))) == Scored(1.0, "b")
    with pytest.raises(UsageProblem, match=r"'ii_emm'.*did you mean 'ii_em'"):
        metric("ii_emm")
    for name in (
        "no.such.module:f",
        "promptlab.scoring.metrics.bigbench:no_such",
        "promptlab.scoring.metrics.bigbench:",
        ":f",
        "promptlab.scoring.metrics.bigbench:re",
    ):
        with pytest.raises(UsageProblem, match=name):
            scoring(name)


@pytest.mark.parametrize(("task", "name"), SIX.items())
def test_twin_gold_answers_score_one(task: str, name: str) -> None:
    check_gold(read_items(ROOT / "promptlab" / "data" / "twin" / f"{task}.jsonl"), name)


@pytest.mark.shared
def test_official_gold_answers_score_one(shared: object) -> None:
    official.import_from(f"{shared}/data")
    n = 0
    for task, name in SIX.items():
        bigbench_task = name in ("choice", "bigbench_exact")
        items = load_bigbench(task).items if bigbench_task else load_instruction_induction(task)[0]
        check_gold(items, name)
        n += len(items)
    assert n == 4 * 100 + 1000 + 448


def check_gold(items: tuple[Item, ...], name: str) -> None:
    score = metric(name)
    assert items
    for item in items:
        assert [score(target, item).score for target in item.targets] == [1.0] * len(item.targets), item
        assert score("", item) == Scored(0.0, None), item
        for option in set(item.choices) - set(item.targets):
            assert score(option, item) == Scored(0.0, option), item


SAYS = [
    "The answer is {chosen}",
    "Answer: {chosen}",
    "Sure! The humorous edit is '{chosen}'.",
    "The humorous edit of '{name}' is \"{chosen}\".",
    "{name} -> {chosen}",
    "{chosen} is the humorous edit of {name}.",
    "I would choose {chosen}.",
    "({letter})",
    "{letter}. {chosen}",
    "The correct answer is ({letter}) {chosen}.",
    "{chosen}\n\nExplanation: it is a pun on {name}.",
    "{listed}\n\nThe humorous edit is {chosen}.",
    "{listed}\nAnswer: {chosen}",
    "The humorous edit is {chosen}, not {other}.",
]
SAYS_NOTHING = ["{listed}", "{chosen}, {other}", "{chosen} or {other}", "Choices: {inline}", "Both {chosen} and {other} are funny."]


@pytest.mark.shared
def test_every_official_name_in_every_phrase(shared: object) -> None:
    official.import_from(f"{shared}/data")
    wrong = []
    for item in load_bigbench("ruin_names").items:
        for chosen in (item.targets[0], next(option for option in item.choices if option not in item.targets)):
            if chosen == item.input:
                continue
            texts = {
                "name": item.input,
                "chosen": chosen,
                "other": next(option for option in item.choices if option != chosen),
                "letter": "ABCD"[item.choices.index(chosen)],
                "listed": "\n".join(f"{n}. {option}" for n, option in enumerate(item.choices, 1)),
                "inline": ", ".join(item.choices),
            }
            wrong += [text for says in SAYS if choice(text := says.format(**texts), item).extracted != chosen]
            wrong += [text for says in SAYS_NOTHING if choice(text := says.format(**texts), item).extracted is not None]
    assert wrong == []
