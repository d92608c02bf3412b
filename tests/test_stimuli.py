"""Stimuli as a designed factor: libraries, stacks, wordings, placebos made to measure, and prompts that differ in nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import runs
from conftest import ROOT
from promptlab.design.cross import draw, matched_placebos, placebos_of, shuffled, stack, whitespace, with_wordings
from promptlab.design.render import PRESETS, render, stimulus_text
from promptlab.nouns.arm import Stimulus
from promptlab.nouns.errors import FileProblems
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.planning.study import as_recorded
from promptlab.sources.spec.libraries import all_stimuli, load_cues, load_library
from promptlab.sources.tasks import load_task, task_names
from promptlab.sources.tokens import counted, key_of, n_tokens, tokenizer_of
from promptlab.strategies import plain_arm

KNOWN = all_stimuli()
NEUTRAL = [s for s in KNOWN.values() if s.role == "placebo"]
SHIPPED = [s for s in KNOWN.values() if s.role == "stimulus"]
LENGTHS = {s.id: n_tokens(s.text) for s in KNOWN.values()}


def test_the_tokenizer_is_a_real_one_and_nothing_is_downloaded() -> None:
    # cl100k_base, from the files inside the installed LiteLLM: counts that characters alone would not give.
    assert [n_tokens(text) for text in ("This is very important to my career.", "antidisestablishmentarianism", "naïve")] == [8, 6, 3]


@pytest.mark.parametrize("encoding", ["cl100k_base", "o200k_base"])
def test_counts_of_shipped_sentences_are_those_of_the_tokenizer(encoding: str) -> None:
    tokenizer = tokenizer_of(encoding)
    texts = {s.text for s in KNOWN.values()}
    assert counted()[encoding] == {key_of(text): len(tokenizer.encode(text, disallowed_special=())) for text in texts}


def test_placebos_are_within_a_token_of_their_stimulus() -> None:
    matched = {s.id: matched_placebos([s], NEUTRAL, LENGTHS, 3, ["neutral"], 0) for s in SHIPPED}
    gaps = [abs(LENGTHS[p.id] - LENGTHS[name]) for name, placebos in matched.items() for p in placebos]
    assert len(gaps) == 3 * len(SHIPPED) >= 3 * 50
    assert sum(gap <= 1 for gap in gaps) / len(gaps) >= 0.95, "measured with cl100k_base"


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "openai/gpt-4", "anthropic/claude-sonnet-4-5"])
def test_tokens_are_those_of_the_model_where_it_is_known(model: str, tmp_path: Path) -> None:
    plan = make_plan(resolve(runs.experiment(tmp_path, models=f"  - {model}"))).plain()
    assert plan["encoding"] == {"openai/gpt-4o-mini": "o200k_base"}.get(model, "cl100k_base")
    arms = {arm["arm"]: arm for arm in plan["arms"]}
    for name, placebos in plan["placebos_of"].items():
        assert placebos
        assert all(abs(arms[p]["n_tokens"] - arms[name]["n_tokens"]) <= 1 for p in placebos)


def test_what_is_made_of_a_stimulus() -> None:
    ep02 = KNOWN["emotionprompt/EP02"]
    words = shuffled(ep02, 1)
    assert sorted(words.text.split()) == sorted(ep02.text.split())
    assert words.text != ep02.text
    assert shuffled(ep02, 1) == words
    assert whitespace(ep02).text == " " * len(ep02.text)
    other = KNOWN["emotionprompt/EP08"]
    made = matched_placebos([ep02, other], NEUTRAL, LENGTHS, 1, ["neutral", "shuffled", "whitespace"], 1)
    assert len(made) == 6
    mine = placebos_of(ep02, made, LENGTHS)
    assert {p.id.partition("/")[0] for p in mine} == {"placebo", "shuffled", "whitespace"}
    assert all(p.of in (None, ep02.id) for p in mine), "what was made of one stimulus is no control of another"


def test_a_stack_is_its_parts_in_order_and_so_is_its_placebo() -> None:
    parts = [KNOWN["emotionprompt/EP01"], KNOWN["emotionprompt/EP04"]]
    made = stack(parts)
    assert made.id == "emotionprompt/EP01+EP04"
    assert made.text == f"{parts[0].text} {parts[1].text}"
    assert made.demands == ("confidence", "check_again")
    assert stack([parts[1], KNOWN["negativeprompt/NP01"]]).library == "stack"
    placebos = matched_placebos([made], NEUTRAL, LENGTHS, 2, ["neutral"], 0)
    assert len({p.text for p in placebos}) == 2
    for placebo in placebos:
        assert abs(n_tokens(placebo.text) - n_tokens(made.text)) <= 2
        assert placebo.role == "placebo"


@pytest.mark.parametrize(("name", "n"), [("emotionprompt_table5", 15), ("negativeprompt_table4", 12)])
def test_published_combinations_are_experiments(name: str, n: int) -> None:
    plan = make_plan(resolve(ROOT / "experiments" / f"{name}.yaml")).plain()
    stacks = [arm for arm in plan["arms"] if arm["role"] == "stimulus"]
    assert len(stacks) == n
    assert all("+" in arm["arm"] for arm in stacks)
    assert all(plan["placebos_of"][arm["arm"]] for arm in stacks)


def test_wordings_are_drawn_by_item_and_recorded() -> None:
    s = with_wordings(KNOWN["emotionprompt/EP02"], list(KNOWN.values()), 1)
    assert len(s.wordings) == 4
    assert s.text in s.wordings
    orders = {with_wordings(KNOWN["emotionprompt/EP02"], list(KNOWN.values()), seed).wordings for seed in range(20)}
    assert len(orders) > 5, "the seed decides which item meets which wording"
    task = load_task("sum", "twin")
    drawn = [stimulus_text(s, task, item) for item in task.items]
    assert {text: drawn.count(text) > len(drawn) / 10 for text in s.wordings} == dict.fromkeys(s.wordings, True)
    assert drawn == [stimulus_text(s, task, item) for item in task.items]


def test_the_literal_comma_of_the_paper() -> None:
    task = load_task("sentiment", "twin")
    arm = plain_arm("human", PRESETS["paper"], KNOWN["emotionprompt-literal/EP01"])
    sent = render(task, task.items[0], arm)[0]["content"]
    assert "negative., write your answer and give me a confidence score between 0-1 for your answer.\n" in sent


def test_paired_prompts_differ_in_the_stimulus_alone() -> None:
    rng = random.Random(11)
    names = task_names("twin")
    for _ in range(200):
        task = draw(load_task(rng.choice(names), "twin"), 5, 2, rng.randrange(100))
        item = rng.choice(task.items)
        placement = PRESETS[rng.choice(list(PRESETS))]
        stimulus = rng.choice([*SHIPPED, stack(rng.sample(SHIPPED, 2)), shuffled(rng.choice(SHIPPED), 1)])
        prompt, n_shots = rng.choice(list(task.base_prompts)), rng.randrange(3)
        without = render(task, item, plain_arm(prompt, placement, shots=n_shots))
        added = render(task, item, plain_arm(prompt, placement, stimulus, n_shots))
        if placement.position == "system":
            assert added == ({"role": "system", "content": stimulus.text}, *without)
            continue
        (plain,), (said,) = ([m["content"].encode() for m in messages] for messages in (without, added))
        joined = (placement.separator if stimulus.joined_by is None else stimulus.joined_by).encode()
        text = stimulus.text.encode()
        places = [i for i in range(len(said)) if said.startswith(text, i)]
        assert any(said[:i].removesuffix(joined) + said[i + len(text) :] == plain for i in places) or any(
            said[:i] + said[i + len(text) :].removeprefix(joined) == plain for i in places
        )


LIBRARY = "library: ours\nsource: ours\nrole: {role}\nstimuli:\n  - {{key: A, text: 'One.'{more}}}\n"


def problems(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileProblems) as error:
        load_library(path)
    return str(error.value)


def test_paraphrases_say_what_they_reword(tmp_path: Path) -> None:
    path = tmp_path / "l.yaml"
    assert "say with 'of' what they reword" in problems(path, LIBRARY.format(role="paraphrase", more=""))
    assert "say with 'of' what they reword" in problems(path, LIBRARY.format(role="stimulus", more=", of: a/b"))


def test_every_paraphrase_rewords_a_stimulus_there_is() -> None:
    reworded = {s.of for s in KNOWN.values() if s.role == "paraphrase"}
    assert reworded == {s.id for s in SHIPPED if s.library in ("emotionprompt", "negativeprompt")}


@pytest.mark.parametrize(
    ("stimuli", "more", "expected"),
    [
        ("[emotionprompt/EP02, emotionprompt/EPX]", "", "the stimulus 'emotionprompt/EPX' is not known; did you mean"),
        ("[emotionprompt/EP02, 'negativeprompt/*']", "", "a glob means several"),
        ("placebo/w03-a", "", "is a placebo"),
        ("stakes/S01", "wordings: paraphrased\n", "'stakes/S01' has no paraphrases"),
        ("paraphrase/EP02-a", "", "is not known"),
    ],
)
def test_what_is_wrong_with_stimuli_is_told_with_its_line(stimuli: str, more: str, expected: str, tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, stimuli=stimuli, more=more)
    with pytest.raises(FileProblems) as error:
        resolve(path)
    assert expected in str(error.value)
    assert "small.yaml:" in str(error.value)


def test_the_check_command_on_libraries(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(LIBRARY.format(role="stimulus", more=""), encoding="utf-8")
    done = runs.run("stimuli", "check", str(path))
    assert done.returncode == 0, done.stderr
    assert "ours/A" in done.stdout
    assert "ok (1 text)" in done.stdout
    assert runs.run("stimuli", "check", "stimuli/heart.yaml").stdout.rstrip().endswith("24 neutral)")
    path.write_text(LIBRARY.format(role="stimulus", more="") + "  - {key: A, text: 'Two.'}\n", encoding="utf-8")
    bad = runs.run("stimuli", "check", str(path))
    assert bad.returncode == 2
    assert f"{path}:6: the key 'A' occurs here again (first on line 5)" in bad.stderr


def test_cues_have_counterparts_of_their_length(tmp_path: Path) -> None:
    cues = load_cues(ROOT / "stimuli" / "heart.yaml").cues
    emotional, neutral = ([c for c in cues if (c.emotion == "neutral") is kind] for kind in (False, True))
    assert len(emotional) == len(neutral) == 24
    gaps = [abs(n_tokens(a.text) - n_tokens(b.text)) for a, b in zip(emotional, neutral, strict=True)]
    assert max(gaps) <= 1
    text = (ROOT / "stimuli" / "heart.yaml").read_text(encoding="utf-8")
    path = tmp_path / "cues.yaml"
    path.write_text("\n".join(line for line in text.splitlines() if "neutral-7" not in line), encoding="utf-8")
    with pytest.raises(FileProblems, match="24 emotional and 23 neutral"):
        load_cues(path)


def test_made_placebos_are_arms_of_a_sweep(tmp_path: Path) -> None:
    text = runs.experiment(tmp_path, tasks="sum", items=5, more="wordings: paraphrased\n").read_text(encoding="utf-8")
    path = tmp_path / "small.yaml"
    path.write_text(text.replace("per_stimulus: 1}", "per_stimulus: 1, kinds: [neutral, shuffled, whitespace]}"), encoding="utf-8")
    plan = make_plan(resolve(path)).plain()
    assert {arm["arm"].partition("/")[0] for arm in plan["arms"] if arm["role"] == "placebo"} == {"placebo", "shuffled", "whitespace"}
    done = runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr


def test_a_stimulus_has_a_library() -> None:
    assert Stimulus("a/b", "x").library == "a"


# --- placebos that stimuli share -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [1, 2, 5, 11, 30])
def test_shared_placebos_are_at_most_three_for_each_stimulus_and_enough_for_all(n: int, seed: int) -> None:
    stimuli = random.Random(f"{seed}/{n}").sample(SHIPPED, n)
    made = matched_placebos(stimuli, NEUTRAL, LENGTHS, None, ["neutral"], 1)
    own = [placebos_of(s, made, LENGTHS) for s in stimuli]
    assert len(made) <= 3 * n
    assert min(map(len, own)) >= 3
    assert {p.id for found in own for p in found} == {p.id for p in made}, "each is compared with"
    for stimulus, found in zip(stimuli, own, strict=True):
        assert all(abs(LENGTHS[p.id] - LENGTHS[stimulus.id]) <= max(2, LENGTHS[stimulus.id] // 5) for p in found)
    alike = [s for s in SHIPPED if LENGTHS[s.id] == 18][:2]
    assert [len(placebos_of(s, matched_placebos(alike, NEUTRAL, LENGTHS, None, ["neutral"], 1), LENGTHS)) for s in alike] == [6, 6]


def test_a_file_without_a_number_of_placebos_keeps_its_name_where_its_arms_are_the_same(tmp_path: Path) -> None:
    text = "name: x\nquestion: q?\ntasks: [sum]\nmodels: [sim/null]\nitems: 20\nstimuli: [emotionprompt/EP02{}]\n"
    for more, alike in (("", True), (", emotionprompt/EP03", False)):
        (tmp_path / "a.yaml").write_text(text.format(more), encoding="utf-8")
        (tmp_path / "b.yaml").write_text(text.format(more) + "controls: {per_stimulus: 3}\n", encoding="utf-8")
        shared, own = (resolve(tmp_path / f"{name}.yaml") for name in "ab")
        assert (shared.run_id == own.run_id) is alike
        assert bool(shared.unshared) is not alike
        begun = tmp_path / "runs" / own.run_id
        begun.mkdir(parents=True)
        (begun / "plan.json").write_text("{}", encoding="utf-8")
        continued = as_recorded(shared, tmp_path / "runs")
        assert continued.run_id == own.run_id, "a run that was begun before goes on"
        assert [arm.name for arm in continued.design.arms] == [arm.name for arm in own.design.arms]


def test_sentences_like_these_need_five_of_them(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    text = "name: x\nquestion: q?\ntasks: [sum]\nmodels: [sim/null]\nitems: 20\nstimuli: [emotionprompt/EP02]\n"
    text += "analysis: {neutral: like_these}\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileProblems, match="at least 5 neutral ones"):
        resolve(path)
    path.write_text(text + "controls: {per_stimulus: 5}\n", encoding="utf-8")
    assert make_plan(resolve(path)).neutral == "like_these"
