"""Nothing that a data file names runs without consent; patterns of files end in time. Each attack failed to be stopped before."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import py_compile
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import promptlab
import runs
from conftest import ROOT
from promptlab.nouns.errors import FileProblems, PromptlabError, ScoringFailed, UsageProblem
from promptlab.nouns.item import Item
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.scoring import patterns
from promptlab.scoring.code import Consent, found, function_of
from promptlab.scoring.metrics import metric
from promptlab.sources.own import load_own
from promptlab.sources.spec.user import consent

EVIL = "from pathlib import Path\nPath({mark!r}).touch()\ndef score(answer, item):\n    return True\n"
TASK = "items: t.csv\ncolumns: {{input: q, target: a}}\nmetric: {metric}\nbase_prompts: Add.\n"
PATTERN = "'regex:^(a+)+$'"
LONG = "a" * 40 + "!"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that somebody sent: a task, its experiment, and a metric that leaves a mark where it runs. No configuration."""
    monkeypatch.setenv("PROMPTLAB_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sent").mkdir()
    write(tmp_path / "sent", "evil:score")
    (tmp_path / "sent" / "evil.py").write_text(EVIL.format(mark=str(tmp_path / "RAN")), encoding="utf-8")
    return tmp_path


def write(folder: Path, named: str, rows: str = "".join(f"{n} + {n},{2 * n}\n" for n in range(5))) -> Path:
    (folder / "t.csv").write_text(f"q,a\n{rows}", encoding="utf-8")
    (folder / "t.yaml").write_text(TASK.format(metric=named), encoding="utf-8")
    return runs.experiment(folder, tasks="t", items=5, more="task_files: [t.yaml]\n")


def run(here: Path, *arguments: str, code: int = 0) -> str:
    env = {"PROMPTLAB_HOME": str(here / "home"), "PROMPTLAB_CONFIG": str(here / "config.yaml")}
    done = runs.run(*arguments, env=env, cwd=here)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("command", [("check", "small.yaml"), ("task", "check", "t.yaml"), ("plan", "small.yaml")])
def test_looking_at_files_runs_nothing_and_says_so(command: tuple[str, ...], here: Path) -> None:
    said = run(here, *command[:-1], f"sent/{command[-1]}")
    digest = hashlib.sha256((here / "sent" / "evil.py").read_bytes()).hexdigest()
    assert not (here / "RAN").exists()
    assert "sent/t.yaml:3: the metric 'evil:score' is not run without your consent: it would run score in" in said.replace("\n", " ")
    assert digest in said.replace("\n", "")
    run(here, *command[:-1], f"sent/{command[-1]}", "--allow-code")
    assert (here / "RAN").exists()


def test_a_sweep_needs_consent_and_shows_the_hash_of_what_it_is_given_to(here: Path) -> None:
    said = run(here, "sweep", "sent/small.yaml", "--no-report", code=2)
    assert "give --allow-code" in said
    assert not (here / "RAN").exists()
    assert not (here / "runs").exists()
    said = run(here, "sweep", "sent/small.yaml", "--no-report", "--allow-code", "--workers", "2")
    digest = hashlib.sha256((here / "sent" / "evil.py").read_bytes()).hexdigest()
    assert f"code: {here}/sent/evil.py sha256 {digest}" in said
    [folder] = (here / "runs").iterdir()
    (here / "RAN").unlink()
    (here / "sent" / "evil.py").write_text(EVIL.format(mark=str(here / "RAN")) + "# changed\n", encoding="utf-8")
    assert "give --allow-code" in run(here, "rescore", str(folder), code=2)
    for command in (("report", str(folder)), ("runs", "verify", str(folder)), ("ls", "runs")):
        run(here, *command)
    assert not (here / "RAN").exists()
    run(here, "rescore", str(folder), "--allow-code")
    assert (here / "RAN").exists()


def test_refused_code_is_never_loaded(here: Path) -> None:
    code = found("evil:score", "the metric", here / "sent" / "t.yaml", [here / "sent"], Consent())
    with pytest.raises(PromptlabError, match="without your consent"):
        function_of(code)
    assert not (here / "RAN").exists()


def test_a_module_of_pythons_own_is_no_metric(here: Path) -> None:
    write(here / "sent", "cProfile:run", f"open({str(here / 'RAN')!r}; 'w'),x\n".replace(";", ","))
    for extra in ((), ("--allow-code",)):
        said = run(here, "task", "check", "sent/t.yaml", *extra, code=2)
        assert "there is no cProfile.py next to t.yaml" in said
    (here / "sent" / "cProfile.py").write_text("def run(answer, item):\n    return 1\n", encoding="utf-8")
    assert "the name of a module of Python's own" in run(here, "task", "check", "sent/t.yaml", "--allow-code", code=2)


def test_code_of_the_working_directory_is_not_beside_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "sent" / "evil.py").rename(here / "evil.py")
    monkeypatch.syspath_prepend(here)
    assert "there is no evil.py next to t.yaml" in run(here, "check", "sent/small.yaml", "--allow-code", code=2)
    with pytest.raises(FileProblems, match=r"there is no evil\.py next to"):
        load_own(here / "sent" / "t.yaml", Consent(everything=True))
    assert not (here / "RAN").exists()


@pytest.mark.parametrize("name", ["a/../evil:score", "..evil:score", "evil:__import__('os')", ":score", "evil:", "sent.evil.x:score"])
def test_odd_names_find_nothing(name: str, here: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be loaded"):
        found(name, "the metric", here / "sent" / "t.yaml", [here / "sent"], Consent(everything=True))
    assert not (here / "RAN").exists()


def test_a_trusted_folder_is_consent_for_its_own_files_only(here: Path) -> None:
    (here / "config.yaml").write_text(f"trusted: ['{here / 'mine'}']\n", encoding="utf-8")
    (here / "mine").mkdir()
    write(here / "mine", "good:score")
    (here / "mine" / "good.py").write_text("def score(answer, item):\n    return True\n", encoding="utf-8")
    assert load_own(here / "mine" / "t.yaml", consent()).notes == ()
    assert "without your consent" in load_own(here / "sent" / "t.yaml", consent()).notes[0]
    (here / "sent" / "good.py").symlink_to(here / "mine" / "good.py")  # trusted code, named by another's file
    (here / "sent" / "t.yaml").write_text(TASK.format(metric="good:score"), encoding="utf-8")
    assert "without your consent" in load_own(here / "sent" / "t.yaml", consent()).notes[0]
    (here / "mine" / "good.py").unlink()  # and another's code in a trusted folder
    (here / "mine" / "good.py").symlink_to(here / "sent" / "evil.py")
    assert "without your consent" in load_own(here / "mine" / "t.yaml", consent()).notes[0]
    assert not (here / "RAN").exists()


def test_an_installed_package_must_be_named_by_the_user(here: Path) -> None:
    write(here / "sent", "promptlab.scoring.metrics.bigbench:choice")
    with pytest.raises(FileProblems, match="lists it under 'packages'"):
        load_own(here / "sent" / "t.yaml", consent(True))
    (here / "config.yaml").write_text("packages: [promptlab]\n", encoding="utf-8")
    assert "without your consent" in load_own(here / "sent" / "t.yaml", consent()).notes[0]
    assert load_own(here / "sent" / "t.yaml", consent(True)).notes == ()


@pytest.mark.parametrize("text", ["trust: [/x]\n", "trusted: /x\n", "trusted: [x]\n", "trusted: &a [*a]\n", "packages: [1]\n", "- x\n"])
def test_the_configuration_is_read_strictly(text: str, here: Path) -> None:
    (here / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FileProblems, match=r"config\.yaml"):
        consent()


def test_a_program_is_code_too(here: Path) -> None:
    more = "strategies: [mine]\nprograms: [{name: mine, factory: 'evil:score'}]\n"
    path = runs.experiment(here / "sent", name="program", tasks="sum", items=5, more=more)
    for command in ("check", "plan", "sweep"):
        assert "the program 'evil:score' is not run without your consent" in run(here, command, str(path), code=2)
    assert not (here / "RAN").exists()


def test_a_run_folder_gives_no_consent(here: Path) -> None:
    """Not even where its manifest names the experiment and its files lie inside it."""
    run(here, "sweep", "sent/small.yaml", "--no-report", "--allow-code")
    [folder] = (here / "runs").iterdir()
    (here / "RAN").unlink()
    for file in ("t.csv", "t.yaml", "evil.py"):
        (here / "sent" / file).rename(folder / file)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "experiment_path": str(folder / "experiment.yaml")}))
    (folder / "evil.py").write_text((folder / "evil.py").read_text() + "#\n")
    run(here, "rescore", str(folder), code=2)
    run(here, "report", str(folder))
    run(here, "sweep", str(folder / "experiment.yaml"), code=2)
    assert not (here / "RAN").exists()


def test_the_callers_own_functions_need_no_consent_and_names_do(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "callers.py").write_text("def half(answer, item):\n    return 0.5\n", encoding="utf-8")
    monkeypatch.syspath_prepend(here)
    import callers  # type: ignore[import-not-found]

    def given(named: object) -> promptlab.Experiment:
        task = {"name": "t", "items": [{"input": f"{n}", "target": "x"} for n in range(5)], "metric": named, "base_prompts": "Add."}
        return promptlab.Experiment(
            name="objects", question="Whose code?", tasks=[task], models=["sim/null"], stimuli=["emotionprompt/EP02"], items=5,
            folder=here / "sent",
        )  # fmt: skip

    done = promptlab.run(given(callers.half), runs="mine", workers=2, progress=False)
    assert set(done.trials()["score"]) == {0.5}
    with pytest.raises(UsageProblem, match="without your consent"):
        promptlab.run(given("evil:score"), runs="mine", progress=False)
    assert not (here / "RAN").exists()
    assert set(promptlab.run(given("evil:score"), runs="mine", progress=False, allow_code=True).trials()["score"]) == {1.0}


@pytest.mark.long
def test_a_pattern_without_end_is_over_in_time(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_matcher", patterns._Matcher())
    rule = metric("regex:^(a+)+$")
    assert rule("aaa", Item("1", "q", ("aaa",))).score in (0.0, 1.0)
    for _ in range(patterns.PATIENCE):
        started = time.process_time()
        with pytest.raises(ScoringFailed, match=r"takes more than 0.5 s for an answer of 41 characters"):
            rule(LONG, Item("1", "q", ("x",)))
        assert time.process_time() - started < 0.5, "it is another process that is busy"
    with pytest.raises(ScoringFailed, match="is not tried again"):
        rule("aaa", Item("1", "q", ("x",)))
    assert metric(r"regex:(?<=\$)(\d+)(?= in all)")("it is $12 in all", Item("1", "q", ("12",))).score == 1.0, "lookarounds work"
    assert metric(r"regex:(\w)\1")("a bb", Item("1", "q", ("b",))).score == 1.0, "and references back"


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 900 + ")" * 900, "x" * 3000, "(?P<a>x)(?P<a>y)"])
def test_what_is_no_pattern_is_said(pattern: str) -> None:
    with pytest.raises(UsageProblem, match="is no pattern"):
        metric(f"regex:{pattern}")


@pytest.mark.long
def test_a_sweep_with_such_a_pattern_goes_on_and_ends_when_it_is_told(here: Path) -> None:
    path = write(here / "sent", PATTERN, "".join(f"{'a' * 40}{n}!,aa\n" for n in range(5)))
    started = time.monotonic()
    said = run(here, "task", "check", "sent/t.yaml", code=0)
    assert "get no score when they are only repeated" in said
    process = runs.start("sweep", str(path), "--no-report", "--no-cache", cwd=here, env={"PROMPTLAB_HOME": str(here / "home")})
    runs.wait_until(lambda: any((here / "runs").glob("*/manifest.json")), process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 3, 130), out + err
    assert time.monotonic() - started < 60


def test_a_trial_whose_pattern_took_too_long_is_missing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_matcher", patterns._Matcher())
    from promptlab.scoring.own import settled

    write(here / "sent", PATTERN)
    scoring = resolve(here / "sent" / "small.yaml").scorings["own/t", "sim/null"]
    assert scoring.metric is None, "it never runs in the event loop"
    with pytest.raises(ScoringFailed, match="item '7': the pattern"):
        settled(scoring.steps(LONG, Item("7", "q", ("x",))))
    assert settled(scoring.steps("aa", Item("7", "q", ("a",)))).extracted == "aa"


def test_runs_with_patterns_keep_their_scores(here: Path) -> None:
    write(here / "sent", r"'regex:(\d+)'")
    run(here, "sweep", "sent/small.yaml", "--no-report", "--workers", "2")
    [folder] = (here / "runs").iterdir()
    trials = Run(folder).trials()
    import re

    for answer, score, item in zip(trials["answer"], trials["score"], trials["item"], strict=True):
        match = re.search(r"(\d+)", answer)
        assert score == float(bool(match) and match[1] == str(2 * (int(item) - 1))), answer


@pytest.mark.long
def test_a_module_in_the_working_directory_takes_the_place_of_none(here: Path) -> None:
    """Neither in workers nor in what prepares a run for reading: those are processes of Python's own, started in that directory."""
    write(here / "sent", "number")
    for name in ("orjson", "yaml", "pyarrow", "aiohttp"):
        (here / f"{name}.py").write_text(EVIL.format(mark=str(here / "RAN")), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "promptlab", "sweep", "sent/small.yaml", "--workers", "2"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PROMPTLAB_HOME": str(here / "home")}
    done = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, timeout=runs.LONGEST_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (here / "RAN").exists()


def test_what_the_cache_is_asked_next_may_depend_on_scores(here: Path) -> None:
    run(here, "cache", "why", "sent/small.yaml")
    more = "task_files: [t.yaml]\nstrategies: [{vote: {samples: 3}}]\n"
    path = runs.experiment(here / "sent", name="voted", tasks="t", items=5, more=more)
    path.write_text(path.read_text().replace("temperature: 0,", "temperature: 1,"))
    assert "without your consent" in run(here, "cache", "why", str(path), code=2)
    assert not (here / "RAN").exists()
    run(here, "cache", "why", str(path), "--allow-code")


def test_modules_beside_the_code_are_its_own_and_run_as_they_are_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that looks for a module finds none of theirs, and what was compiled before says nothing."""
    sent, name = here / "sent", "beside_the_code"
    (sent / "missing_to_others.py").write_text(EVIL.format(mark=str(here / "RAN")), encoding="utf-8")
    (sent / "kept").mkdir()
    for path, text in ((sent / "helps.py", "N = 1\n"), (sent / "kept" / "__init__.py", ""), (sent / "kept" / "more.py", "N = 2\n")):
        path.write_text(text.replace("1", "8").replace("2", "9"), encoding="utf-8")
        written = path.stat()
        py_compile.compile(str(path))
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))  # of the same size and age as what was compiled
    (sent / f"{name}.py").write_text(
        "import helps, kept.more\ndef score(answer, item):\n    return helps.N, kept.more.N\n", encoding="utf-8"
    )
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    code = found(f"{name}:score", "the metric", sent / "t.yaml", [sent], Consent(everything=True))
    assert function_of(code)("", None) == (1, 2)
    with pytest.raises(ImportError):
        importlib.import_module("missing_to_others")
    assert not (here / "RAN").exists()
    assert str(sent) not in sys.path
