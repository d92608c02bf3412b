"""Both ways between promptlab and DSPy: arms as programs that send the same bytes, programs as the system under test."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runs
from promptlab.design.cross import trials
from promptlab.nouns.call import Call, Completion
from promptlab.nouns.errors import FileProblems, UsageProblem
from promptlab.nouns.plan import Plan
from promptlab.nouns.setting import Setting
from promptlab.planning import resolve as planning
from promptlab.planning.plan import make_plan
from promptlab.record.store import Run
from promptlab.scoring.code import Consent
from promptlab.scoring.rules import task_metric
from promptlab.strategies import begun
from servers import Server

dspy = pytest.importorskip("dspy")
from promptlab.programs import PromptProgram, load_program, recipe_of  # noqa: E402 (after the skip)

PROGRAMS = """\
import dspy
import threading


def chain():
    return dspy.ChainOfThought(dspy.Signature("question -> answer", "Work out what is asked."))


def plain():
    return dspy.Predict("question -> answer")


class Two(dspy.Module):
    def __init__(self):
        super().__init__()
        self.think = dspy.Predict(dspy.Signature("question -> notes", "Take notes."))
        self.say = dspy.Predict(dspy.Signature("question, notes -> answer", "Answer by the notes."))

    def forward(self, question):
        return self.say(question=question, notes=self.think(question=question).notes)


def two():
    return Two()


class Busy(dspy.Module):
    def __init__(self, n):
        super().__init__()
        self.n, self.say = n, dspy.Predict("question -> answer")

    def forward(self, question):
        return [self.say(question=question) for _ in range(self.n)][-1]


def busy():
    return Busy(4)


class Threads(dspy.Module):
    def __init__(self):
        super().__init__()
        self.say = dspy.Predict("question -> answer")

    def forward(self, question):
        found = []
        with dspy.context():
            lm = dspy.settings.lm
        worker = threading.Thread(target=lambda: found.append(self.say(question=question, lm=lm)))
        worker.start()
        worker.join()
        return found[0]


def threads():
    return Threads()


class Broken(dspy.Module):
    def __init__(self):
        super().__init__()
        self.say = dspy.Predict("question -> answer")

    def forward(self, question):
        raise KeyError("nothing here")


def broken():
    return Broken()


def wide():
    return dspy.Predict("question, hint -> answer, why")


def number():
    return 3


def empty():
    return dspy.Module()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("programs")
    (made / "lab_programs.py").write_text(PROGRAMS, encoding="utf-8")
    return made


def experiment(folder: Path, text: str, name: str = "x") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\nquestion: Does it help?\n" + textwrap.dedent(text), encoding="utf-8")
    return path


def resolve(path: Path) -> planning.Study:
    return planning.resolve(path, consent=Consent(everything=True))


def with_program(folder: Path, program: str, more: str = "", model: str = "sim/planted", name: str = "x") -> Path:
    text = f"""\
        tasks: [sum]
        models: [{model}]
        stimuli: [emotionprompt/EP02]
        items: 6
        strategies: [mine]
        programs:
          - {{name: mine, {program}}}
        """
    return experiment(folder, textwrap.dedent(text) + textwrap.dedent(more), name)


def bodies(requests: list[dict[str, Any]]) -> Counter[str]:
    """What was sent, message for message and parameter for parameter, whatever the client adds of its own."""
    same = {"max_completion_tokens": "max_tokens"}  # DSPy's own client sends OpenAI's new name of it
    named = [{same.get(key, key): value for key, value in body.items() if key not in ("model", "stream")} for body in requests]
    return Counter(json.dumps(body, ensure_ascii=False, sort_keys=True) for body in named)


ARMS = """\
    tasks: [sum, snarks]
    models:
      - {{model: openai/{model}, name: m, api_base: "{url}"}}
    stimuli: [emotionprompt/EP02, [emotionprompt/EP01, negativeprompt/NP03]]
    controls: {{kinds: [neutral, shuffled]}}
    placements: [paper, {{name: sys, position: system}}]
    shots: 2
    items: 1
    sampling: {{temperature: 0.5, max_tokens: 20, seed: 7}}
    loops:
      - {{rounds: 3, policies: [random]}}
      - {{name: free, rounds: 3, mode: verifier_free, settle: synthesis}}
      - {{name: self, rounds: 3, mode: self_judge, token_budget: 5}}
    """


@pytest.mark.long
def test_every_arm_is_a_program_that_sends_the_same_bytes(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    path = experiment(folder, ARMS.format(url=server.url, model="ok"), "arms")
    assert runs.run("sweep", str(path), "--allow-code", "--runs", str(folder / "runs"), "--no-cache", "--no-report").returncode == 0
    recorded = Run(next((folder / "runs").glob("arms-*")))
    swept = bodies(server.requests)
    answers = recorded.trials().set_index("trial")["answer"]
    server.requests.clear()
    study = resolve(path)
    plan = Plan.read(json.loads(json.dumps(make_plan(study).plain())))
    metrics = {task.id: task_metric(task, study.experiment.scorer, "m") for task in study.design.tasks}
    n_rounds = 0
    lm = dspy.LM("openai/ok", api_base=server.url, api_key="none", cache=False, num_retries=0, temperature=0.5, max_tokens=20, seed=7)
    for trial in trials(study.design):
        arm = trial.arm
        if arm.role == "aa":
            continue  # the baseline's prompt, drawn once more
        s = arm.setting
        recipe = recipe_of(plan, trial.task.partition("/")[2], arm.name, s, s.prompt, "test")
        program = PromptProgram(recipe, lambda text, item, metric=metrics[trial.task]: metric(text, item).score)
        with dspy.context(lm=lm):
            found = program(input=trial.item.input, choices=trial.item.choices, item_id=trial.item.id, targets=trial.item.targets)
        assert found.answer == answers[trial.id]
        n_rounds += len(found.rounds)
    sent = bodies(server.requests)
    assert n_rounds == sent.total() > 100
    again = {text for text in swept if text not in sent}  # of the A/A arm, drawn with the next seed
    assert set(sent) <= set(swept)
    assert {json.loads(text)["seed"] for text in again} == {8}


def test_an_oracle_needs_a_verifier(folder: Path) -> None:
    path = experiment(folder, ARMS.format(url="http://127.0.0.1:1/v1", model="ok"), "arms")
    plan = make_plan(resolve(path))
    program = PromptProgram(recipe_of(plan, "sum", "heart/random", Setting("paper", 2, "heart-oracle"), "human", ""))
    with pytest.raises(UsageProblem, match="give the program a verifier"):
        program(input="1 2")


@pytest.fixture(scope="module")
def swept(folder: Path) -> Path:
    """Three strategies, two of them programs, on a simulated model; EP02 is planted to help."""
    text = """\
        tasks: [sum, antonyms]
        models: [sim/planted]
        stimuli: [emotionprompt/EP02]
        items: 40
        strategies: [single, cot, two]
        programs:
          - {name: cot, factory: "lab_programs:chain"}
          - {name: two, factory: "lab_programs:two", input: question}
        """
    path = experiment(folder, text, "swept")
    done = runs.run(
        "sweep", str(path), "--allow-code", "--runs", str(folder / "runs"), "--no-report", env={"PROMPTLAB_HOME": str(folder / "home")}
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return next((folder / "runs").glob("swept-*"))


@pytest.mark.long
def test_programs_are_judged_like_any_other_strategy(swept: Path) -> None:
    run = Run(swept)
    trials_, calls = run.trials(), run.calls()
    assert set(trials_["outcome"]) == {"ok"}
    assert trials_.groupby("strategy")["n_calls"].unique().map(set).to_dict() == {"single": {1}, "cot": {1}, "two": {2}}
    assert trials_.groupby("strategy")["base_prompt"].unique().map(list).to_dict() == {
        "single": ["human"], "cot": ["program"], "two": ["program"],
    }  # fmt: skip
    assert len(calls) == trials_["n_calls"].sum()
    assert set(trials_["n_rounds"]) == {1}
    assert calls["score"].notna().sum() == len(trials_), "steps before the last have no score"
    from promptlab.reporting import build

    report = build(run)
    over = {c.strategy: c for c in report.of("stimulus", "sim/planted", "placebo")}
    assert set(over) == {"single", "cot", "two"}
    assert all(c.n_pairs == 80 and c.diff is not None and c.diff > 0 for c in over.values())


def test_the_stimulus_is_the_only_difference_in_the_prompts_of_a_program(swept: Path) -> None:
    run = Run(swept)
    frame = run.calls().merge(run.trials()[["trial", "item", "task", "arm", "strategy", "order"]], on="trial")
    frame = frame[frame["strategy"] != "single"]
    texts = {arm.name: arm.text for arm in run.plan.arms if arm.text}
    sent: dict[tuple[Any, ...], dict[str, str]] = {}
    for row in frame.to_dict("records"):
        sent.setdefault((row["strategy"], row["task"], row["item"], row["turn"]), {})[row["arm"]] = row["messages"]
    n = 0
    for by_arm in sent.values():
        for arm, text in texts.items():
            plain = json.loads(by_arm["none"])
            assert len(plain) == 2
            ours = json.loads(by_arm[arm])
            assert ours[0]["content"].count(text) == 1
            ours[0]["content"] = ours[0]["content"].replace(f" {text}", "", 1)
            if "[[ ## notes ## ]]\n" not in ours[1]["content"]:  # the second call of `two` repeats the first one's reply
                assert ours == plain
                n += 1
    assert n >= 200


@pytest.mark.long
def test_a_cached_program_asks_nobody(folder: Path, server: Server) -> None:
    path = with_program(
        folder, 'factory: "lab_programs:chain"', model=f'{{model: openai/ok, name: m, api_base: "{server.url}"}}', name="cached"
    )
    for expected in (6 * 6 * 2, 0):  # arms, items, and every answer is asked for twice
        server.requests.clear()
        home = {"PROMPTLAB_HOME": str(folder / "cachehome")}
        done = runs.run("sweep", str(path), "--allow-code", "--runs", str(folder / f"runs{expected}"), "--no-report", env=home)
        assert done.returncode == 0, done.stderr
        assert len(server.requests) == expected
    trials_ = Run(next((folder / "runs0").iterdir())).trials()
    assert set(trials_["outcome"]) == {"parse_failed"}, "the server's replies have no fields"
    assert set(trials_["score"]) == {0.0}
    assert trials_["error"].str.startswith("AdapterParseError").all()


def drive(folder: Path, program: str, reply: str = "[[ ## answer ## ]]\n7", more: str = "") -> tuple[list[Call], Any]:
    """The calls of a program for one item, and what it answers when every reply is `reply`."""
    study = resolve(with_program(folder, program, more))
    trial = next(t for t in trials(study.design) if t.arm.name == "none")
    strategy = begun(Call("m", (), {"temperature": 0, "seed": 3}), trial)
    calls = [next(strategy)]
    while True:
        try:
            calls.append(strategy.send(Completion(reply, "ok", input_tokens=3, output_tokens=1)))
        except StopIteration as stop:
            return calls, stop.value


def test_the_same_request_again_takes_another_draw(folder: Path) -> None:
    calls, answer = drive(folder, 'factory: "lab_programs:busy"')
    assert answer.text == "7"
    assert all(call.messages == calls[0].messages for call in calls)
    assert [call.draw for call in calls] == [0, 10_000, 20_000, 30_000]
    assert [call.sampling["seed"] for call in calls] == [3, 10_003, 20_003, 30_003]


@pytest.mark.parametrize(
    ("program", "outcome", "expected"),
    [
        ('factory: "lab_programs:busy", max_calls: 3', "error", "asked more than max_calls: 3 times"),
        ('factory: "lab_programs:plain"', "ok", None),
    ],
)
def test_how_programs_end(folder: Path, program: str, outcome: str, expected: str | None) -> None:
    _, answer = drive(folder, program)
    assert answer.outcome == outcome
    assert expected is None or expected in answer.error


def test_a_failed_call_ends_the_program(folder: Path) -> None:
    study = resolve(with_program(folder, 'factory: "lab_programs:two", input: question'))
    strategy = begun(Call("m", (), {}), next(trials(study.design)))
    next(strategy)
    with pytest.raises(StopIteration) as stop:
        strategy.send(Completion("", "error", error="server: HTTP 500"))
    assert stop.value.value == type(stop.value.value)("", "error", "server: HTTP 500")


@pytest.mark.parametrize(
    ("program", "more", "expected"),
    [
        ('factory: "nowhere:chain"', "", "there is no nowhere.py next to"),
        ('factory: "lab_programs:missing"', "", "cannot be loaded: module"),
        ('factory: "lab_programs:number"', "", "returned int, not a dspy.Module"),
        ('factory: "lab_programs:empty"', "", "has no predictor"),
        ('factory: "lab_programs:wide"', "", "say which field takes the item, as in input: question"),
        ('factory: "lab_programs:wide", input: question, output: wy', "", "has no output 'wy'; did you mean 'why'"),
        ('factory: "lab_programs:broken"', "", "the program asks nothing: the program 'mine' failed: KeyError: 'nothing here'"),
        pytest.param(
            'factory: "lab_programs:threads"',
            "",
            "asks nothing",
            marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
        ),
        ('factory: "lab_programs:two", input: question, instructions: base_prompt', "", "has 2 predictors"),
        ('factory: "lab_programs:chain", state: missing.json', "", "does not fit the program"),
        ('factory: "lab_programs:chain", state: state.pkl', "", "pickles are never read"),
        ('factory: "lab_programs"', "", "factory"),
        ('factory: "lab_programs:chain"', "shots: 2", "a program brings its own demonstrations"),
        ('factory: "lab_programs:chain"', "placements: [promptbench]", "position prefix or suffix"),
        ('factory: "lab_programs:chain", max_calls: 0', "", "greater than or equal to 1"),
    ],
)
def test_a_program_that_cannot_be_tested_is_refused(folder: Path, program: str, more: str, expected: str) -> None:
    with pytest.raises(FileProblems) as error:
        resolve(with_program(folder, program, more))
    assert expected in str(error.value)
    assert "x.yaml:" in str(error.value)


def test_a_program_must_be_used_and_named_apart(folder: Path) -> None:
    path = with_program(folder, 'factory: "lab_programs:chain"')
    text = path.read_text(encoding="utf-8")
    for old, new, expected in (
        ("strategies: [mine]", "strategies: [single]", "the program 'mine' is not used"),
        ("strategies: [mine]", "strategies: [mine, my]", "the strategy 'my' is not known; known: single, logprobs, vote, mine"),
        ("mine", "single", "programs need names of their own"),
    ):
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(FileProblems, match=expected):
            resolve(path)


def test_a_saved_state_and_a_base_prompt_change_the_instructions(folder: Path) -> None:
    program = dspy.Predict("question -> answer")
    program.signature = program.signature.with_instructions("Saved words.")
    program.lm = dspy.LM("openai/other", api_key="sk-not-to-be-kept-1234567890")
    program.save(folder / "state.json")
    calls, _ = drive(folder, 'factory: "lab_programs:plain", state: state.json')
    assert "Saved words." in calls[0].messages[0]["content"]
    calls, _ = drive(folder, 'factory: "lab_programs:plain", instructions: base_prompt')
    assert "Sum the two given numbers." in calls[0].messages[0]["content"]
    study = resolve(with_program(folder, 'factory: "lab_programs:plain", state: state.json'))
    plan = json.dumps(make_plan(study).plain())
    assert "Saved words." in plan
    assert "sk-not-to-be-kept" not in plan
    assert "openai/other" not in plan


def test_the_code_of_a_program_is_part_of_what_is_hashed(folder: Path, tmp_path: Path) -> None:
    ids = set()
    for number in (1, 2):
        (tmp_path / f"changing{number}.py").write_text(PROGRAMS.replace("Work out", f"Work out {number}"), encoding="utf-8")
        ids.add(resolve(with_program(tmp_path, f'factory: "changing{number}:chain"')).run_id)
    assert len(ids) == 2


@pytest.fixture
def local(server: Server) -> Iterator[Any]:
    with dspy.context(lm=dspy.LM("openai/ok", api_base=server.url, api_key="none", cache=False, num_retries=0, temperature=0)):
        yield server


def test_the_winner_loads_back_and_answers_the_same(folder: Path, swept: Path, tmp_path: Path, server: Server, local: Server) -> None:
    done = runs.run("export", str(swept), "--format", "dspy", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "emotionprompt/EP02 [single] (SIMULATED)" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["antonyms.json", "sum.json"]
    program = load_program(tmp_path / "sum.json")
    assert "SIMULATED" in program.recipe.source
    run = Run(swept)
    rows = run.trials().query("arm == 'emotionprompt/EP02' and strategy == 'single' and task == 'sum'")
    calls = run.calls().set_index("trial")["messages"]
    items = {item["item"]: item for item in run.items().query("task == 'sum'").to_dict("records")}
    for row in rows.to_dict("records"):
        found = program(input=items[row["item"]]["input"])
        asked = server.requests[-1]["messages"]
        assert asked == json.loads(calls[row["trial"]])
        assert found.answer == "answer to " + asked[-1]["content"].strip().splitlines()[-1]
    again = tmp_path / "again.json"
    program.save(again)
    assert load_program(again).recipe == program.recipe
    assert (
        json.loads(again.read_text(encoding="utf-8"))["recipe"] == json.loads((tmp_path / "sum.json").read_text(encoding="utf-8"))["recipe"]
    )


def test_plain_dspy_that_loads_the_winner_holds_its_sentence(swept: Path, tmp_path: Path) -> None:
    class Plain(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("input: str, choices: list[str] -> answer: str")

    assert runs.run("export", str(swept), "--format", "dspy", "--out", str(tmp_path), "--task", "sum").returncode == 0
    program = Plain()
    program.load(tmp_path / "sum.json")
    assert program.answer.signature.instructions.endswith(" This is very important to my career.")
    refused = runs.run("export", str(swept), "--format", "dspy", "--out", str(tmp_path), "--setting", "two")
    assert refused.returncode == 2
    assert "--arm is not given" in refused.stderr


def test_an_optimiser_may_change_instruction_and_demonstrations(folder: Path, swept: Path, tmp_path: Path, local: Server) -> None:
    assert runs.run("export", str(swept), "--format", "dspy", "--out", str(tmp_path), "--task", "sum").returncode == 0
    program = load_program(tmp_path / "sum.json")
    optimiser = dspy.LabeledFewShot(k=2)
    examples = [dspy.Example(input=f"{n} 1", choices=[], answer=str(n + 1)).with_inputs("input", "choices") for n in range(2)]
    better = optimiser.compile(program, trainset=examples)
    better.answer.signature = better.answer.signature.with_instructions("Add up.")
    better(input="5 5")
    content = local.requests[-1]["messages"][0]["content"]
    assert content.startswith("Instruction: Add up. This is very important to my career.\n\nInput: ")
    assert content.count("Output: ") == 3
    better.save(tmp_path / "better.json")
    load_program(tmp_path / "better.json")(input="5 5")
    assert local.requests[-1]["messages"][0]["content"] == content


@pytest.mark.long
def test_a_tested_program_leaves_with_the_stimulus_in_its_instructions(swept: Path, folder: Path, tmp_path: Path) -> None:
    for setting in ("cot", "two"):
        done = runs.run(
            "export", str(swept), "--format", "dspy", "--out", str(tmp_path / setting), "--arm", "emotionprompt/EP02", "--setting", setting
        )
        assert done.returncode == 0, done.stderr
    import sys

    sys.path.append(str(folder))
    import lab_programs  # type: ignore[import-not-found]

    program = lab_programs.two()
    program.load(tmp_path / "two" / "sum.json")
    assert program.think.signature.instructions == "Take notes. This is very important to my career."
    assert program.say.signature.instructions == "Answer by the notes. This is very important to my career."
    chain = lab_programs.chain()
    chain.load(tmp_path / "cot" / "antonyms.json")
    assert chain.predict.signature.instructions == "Work out what is asked. This is very important to my career."


def test_export_runs_no_code_of_a_run(swept: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(swept, copy)
    (tmp_path / "planted.py").write_text("open('PWNED', 'w').close()\n", encoding="utf-8")
    plan = json.loads((copy / "plan.json").read_text(encoding="utf-8"))
    for program in plan["programs"]:
        program["factory"] = "planted:chain"
    (copy / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    climbing = tmp_path / "climbing"
    shutil.copytree(copy, climbing)
    plan["tasks"].append({**plan["tasks"][0], "task": "../../sum"})
    (climbing / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    climb = ("export", str(climbing), "--format", "dspy", "--task", "../../sum", "--arm", "none")
    assert "fails its audit: plan: plan.json is not what was frozen" in runs.run(*climb).stderr
    refused = runs.run(*climb, "--force")
    assert refused.returncode != 0
    assert "cannot name a file" in refused.stderr
    assert not list(tmp_path.glob("**/sum.json"))
    done = runs.run("export", str(copy), "--format", "dspy", "--arm", "emotionprompt/EP02", "--setting", "two", "--force", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "PWNED").exists()
    assert (copy / "dspy" / "sum.json").exists()


@pytest.mark.long(but=2)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--arm", "emotionprompt/EP2"], "the run has no arm 'emotionprompt/EP2'; did you mean 'emotionprompt/EP02'"),
        (["--arm", "none", "--setting", "three"], "has no setting 'three'; it has single, cot, two"),
        (["--task", "som"], "the run has no task 'som'; did you mean 'sum'"),
        (["--model", "sim/nul"], "the run has no model 'sim/nul'"),
        (["--base-prompt", "ape"], "the run has no base prompt 'ape'"),
        (["--out", "/proc/nowhere"], "cannot be made"),
    ],
)
def test_an_export_that_cannot_be_made(swept: Path, arguments: list[str], expected: str) -> None:
    done = runs.run("export", str(swept), "--format", "dspy", *arguments)
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no program of promptlab"),
        ("[]", "no program of promptlab"),
        ("{}", "no program of promptlab"),
        ('{"metadata": {"dependency_versions": {}}, "answer": {}, "recipe": {"suite": "own"}}', "recipe of a promptlab program: task"),
        ('{"metadata": {"dependency_versions": {}}, "answer": 3}', "has no 'answer'"),
    ],
)
def test_a_file_that_is_no_program(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=expected):
        load_program(tmp_path / "x.json")
    with pytest.raises(UsageProblem, match="cannot be read"):
        load_program(tmp_path / "missing.json")


@pytest.mark.long
def test_nothing_won_leaves_the_plain_prompt(folder: Path, tmp_path: Path) -> None:
    path = runs.experiment(tmp_path, models="  - sim/null", items=20)
    assert runs.run("sweep", str(path), "--allow-code", "--runs", str(tmp_path / "runs"), "--no-report").returncode == 0
    done = runs.run("export", str(next((tmp_path / "runs").iterdir())), "--format", "dspy", "--out", str(tmp_path / "out"))
    assert "arm:           none [single] (SIMULATED)" in done.stdout
    assert "no arm was found to help sim/null" in done.stdout
    assert load_program(tmp_path / "out" / "sum.json").recipe.stimulus is None


def test_a_program_needs_stimuli(folder: Path) -> None:
    path = with_program(folder, 'factory: "lab_programs:chain"', "loops: [{rounds: 2}]\n", name="loops")
    path.write_text(path.read_text(encoding="utf-8").replace("stimuli: [emotionprompt/EP02]\n", ""), encoding="utf-8")
    with pytest.raises(FileProblems, match="a program is tested with stimuli"):
        resolve(path)


def test_weighed_options_are_not_exported_as_a_prompt(tmp_path: Path) -> None:
    text = "tasks: [snarks]\nmodels: [sim/null]\nstimuli: [emotionprompt/EP02]\nitems: 20\nstrategies: [logprobs]\nplacements: [letters]\n"
    path = experiment(tmp_path, text)
    assert runs.run("sweep", str(path), "--allow-code", "--runs", str(tmp_path / "runs"), "--no-report").returncode == 0
    done = runs.run("export", str(next((tmp_path / "runs").iterdir())), "--format", "dspy")
    assert done.returncode != 0
    assert "no DSPy program does" in done.stderr


def test_whole_prompts_are_not_exported_as_a_program(tmp_path: Path) -> None:
    text = "tasks: [sum]\nmodels: [sim/null]\nitems: 20\nprompts: {a: '{instruction} {input}', b: '{input} {instruction}'}\nincumbent: a\n"
    path = experiment(tmp_path, text)
    assert runs.run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report").returncode == 0
    [folder] = (tmp_path / "runs").iterdir()
    done = runs.run("export", str(folder), "--format", "dspy", cwd=tmp_path)
    assert done.returncode == 2
    assert "compares whole prompts" in done.stderr
    assert "Traceback" not in done.stderr
    assert f"promptlab report {folder.name} --page library" in done.stderr
    assert not (folder / "dspy").exists()
    assert runs.run("report", folder.name, "--page", "library", cwd=tmp_path).returncode == 0
