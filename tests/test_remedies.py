"""Each error ends with the command that mends it, where there is one, and that command is quoted for copying."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from promptlab.cli.common import source
from promptlab.cli.remedies import remedy
from promptlab.nouns import DataMissing, FileProblems, PromptlabError, RunProblem, UsageProblem
from promptlab.planning.resolve import resolve
from runs import experiment, run


@pytest.mark.parametrize(
    ("error", "given", "expected"),
    [
        (UsageProblem("the task 'summ' is not known; did you mean 'sum'?"), "show task summ", "promptlab show task sum"),
        (UsageProblem("r has no arm 'EP2'; did you mean 'a b/EP02'?"), "compare r --arm EP2", "promptlab compare r --arm 'a b/EP02'"),
        (UsageProblem("the page 'costs' is not known; did you mean 'cost'?"), "report r --page=costs", "promptlab report r --page=cost"),
        (RunProblem("runs/big-1: there is no such run; did you mean 'big-12'?"), "report runs/big-1", "promptlab report big-12"),
        (RunProblem("nothing: there is no such run"), "report nothing", "promptlab runs ls"),
        (UsageProblem("the page 'x' is not known; known: 'results', 'tasks'"), "report r --page=x", "promptlab report r --page results"),
        (UsageProblem("--plant x: a factor and level, such as shots=4"), "calibrate a --plant x", "promptlab calibrate a --plant shots=4"),
        (UsageProblem("r has no arm 'x' besides the incumbent; known: 'a', 'b'"), "gate r --arm x", "promptlab show run r"),
        (UsageProblem("runs has no run of the question 'x'; known: 'a', 'b'"), "history x", "promptlab runs ls"),
        (UsageProblem("r: no task of it is scored by a judge alone; ratings"), "rate runs/r", "promptlab show run runs/r"),
        (DataMissing("no official task or file is named 'x'"), "data pull x", "promptlab ls tasks"),
        (UsageProblem("x.yaml: there is no such file; known: 'a.yaml', 'b.yaml'"), "init x.yaml", "promptlab init --example quickstart"),
        (DataMissing("run `promptlab data import DIR` or `promptlab data pull`"), "sweep x.yaml", "promptlab data pull"),
        (UsageProblem("r has 2 arms; name one with --arm: a/b, c"), "gate r", "promptlab gate r --arm a/b"),
        (UsageProblem("port 80 is in use; another with --port, for example --port 81"), "view --port 80", "promptlab view --port 81"),
        (UsageProblem("several; choose one, for example --metric em,strict"), "import a", "promptlab import a --metric em,strict"),
        (UsageProblem("choose one, for example --metric 'Right [GEval]'"), "import a", "promptlab import a --metric 'Right [GEval]'"),
        (UsageProblem("no filter 'stric'; did you mean 'strict'?"), "import a --metric em,stric", "promptlab import a --metric em,strict"),
        (UsageProblem("--metric m,x: no filter 'x'; known: 'none'"), "import a --metric m,x", "promptlab import a --metric m,none"),
        (UsageProblem("--out: add --format html, csv or pdf"), "report r --out x", "promptlab report r --out x --format html"),
        (PromptlabError("s3://b: ImportError: Install s3fs to access S3"), "report s3://b/x", "python -m pip install s3fs"),
        (UsageProblem("--view shows a run, and --dry-run makes none; leave one of them out"), "sweep x --view --dry-run", None),
        (UsageProblem("the task 'summ' is not known; did you mean 'sum'?"), "plan x.yaml", None),
    ],
)  # fmt: skip
def test_the_command_that_mends_it(error: PromptlabError, given: str, expected: str | None) -> None:
    assert remedy(error, shlex.split(given)) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sweeep x.yaml", "No such command 'sweeep'; did you mean 'sweep'?\ntry: promptlab sweep x.yaml"),
        ("ls cats", "No such command 'cats'; known: runs, tasks, stimuli, models\ntry: promptlab ls --help"),
        ("sweep x.yaml --cahce off", "No such option '--cahce'; did you mean '--cache'?\ntry: promptlab sweep x.yaml --cache off"),
        ("show run --turbo", "No such option '--turbo'; known: --details, --json\ntry: promptlab show run --help"),
        ("run x.yaml", "No such command 'run'; did you mean 'sweep'?\ntry: promptlab sweep x.yaml"),
        ("power x.yaml", "No such command 'power'; did you mean 'plan'?\ntry: promptlab plan x.yaml"),
        ("sweep quickstart --max-cost lots", "'--max-cost': expected a number, found 'lots'\ntry: promptlab sweep quickstart --max-cost 1"),
        ("sweep quickstart --max-cost='$5'", "found '$5'\ntry: promptlab sweep quickstart --max-cost=5"),
        ("sweep quickstart --max-tokens 1,000.5", "found '1,000.5'\ntry: promptlab sweep quickstart --max-tokens 1000"),
        ("sweep quickstart --concurrency many", "found 'many'\ntry: promptlab sweep quickstart --concurrency 16"),
        ("sweep quickstart -c=many", "found '=many'\ntry: promptlab sweep quickstart -c16"),
        ("sweep quickstart -c", "Option '-c' requires an argument\ntry: promptlab sweep quickstart -c 16"),
        ("sweep quickstart --engine slow", "'slow' is not one of 'local', 'ray'\ntry: promptlab sweep quickstart --engine local"),
        ("sweep quickstart twice", "extra argument(s) (twice)\ntry: promptlab sweep quickstart"),
        ("show task nothing", "the task 'nothing' is not known\ntry: promptlab ls tasks"),
        ("show stimulus nothing", "the stimulus 'nothing' is not known\ntry: promptlab ls stimuli"),
        ("cache prune --older-than x", "such as --older-than 30d\ntry: promptlab cache prune --older-than 30d"),
        ("init --example none", "for example --example quickstart\ntry: promptlab init --example quickstart"),
        ("sweep quickstart --batch-wait 5", "leave --batch-wait out\ntry: promptlab sweep quickstart --batch-wait 5 --batch"),
        ("rate r --items few", "found 'few'\ntry: promptlab rate r --items 30"),
        ("audit r --ask some", "found 'some'\ntry: promptlab audit r --ask 20"),
        ("view --port=x1", "'--port': expected a whole number, found 'x1'\ntry: promptlab view --port=8501"),
        ("view --port 99999", "'--port': expected 65535 or less, found '99999'\ntry: promptlab view --port 65535"),
        ("sweep quickstart -c 0", "expected 1 or more, found '0'\ntry: promptlab sweep quickstart -c 1"),
        ("cache import nofolder", "--to FOLDER` made\ntry: promptlab sweep quickstart"),
        ("stimuli check no.yaml", "no.yaml: there is no such file\ntry: promptlab ls stimuli"),
        ("task check no.yaml", "no.yaml: there is no such file\ntry: promptlab ls tasks"),
        ("plan no.yaml", "no.yaml: there is no such file\ntry: promptlab plan quickstart"),
        ("import none", "none: there is no such file\ntry: promptlab import --explain 'my a.csv'"),
        ("plan", "Missing argument 'experiment'; none in this folder, but one comes with promptlab\ntry: promptlab plan quickstart"),
        ("replicate x", "Missing option '--paper'; known: emotionprompt, negativeprompt\ntry: promptlab replicate --help"),
        ("report", "Missing argument 'run'; no runs in runs\ntry: promptlab sweep quickstart"),
        ("report --out", "Option '--out' requires an argument\ntry: promptlab report --help"),
        ("report r -f=htm", "did you mean 'html'?\ntry: promptlab report r -f=html"),
        ("init a.csv", "a.csv: there is no such file; did you mean 'my a.csv'?\ntry: promptlab init 'my a.csv'"),
        ("import b.csv --arm x", "b.csv: there is no such file; did you mean 'my a.csv'?\ntry: promptlab import 'my a.csv' --arm x"),
        ("import 'my a.csv' --arm x", "known: 'arm', 'item', 'score'\ntry: promptlab import --explain 'my a.csv'"),
        ("import words.tsv", "The columns are 'id', 'words'\ntry: promptlab import --explain words.tsv"),
    ],
)
def test_wrong_use_ends_with_the_right_command(given: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "my a.csv").write_text("item,arm,score\n" + "".join(f"{n},{arm},1\n" for n in range(9) for arm in "ab"), encoding="utf-8")
    (tmp_path / "words.tsv").write_text("id\twords\n1\tsome\n2\tmore\n", encoding="utf-8")
    done = run(*shlex.split(given), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.rstrip().endswith(said)


@pytest.mark.parametrize(
    "words",
    [
        "report", "show run", "compare", "audit", "export", "rescore", "runs verify", "runs repair", "view", "rate", "paper", "notebook",
        "history", "scores", "replicate --paper emotionprompt", "gate", "plan", "cache export --to there",
    ],
)  # fmt: skip
def test_what_is_not_there_ends_with_2_and_what_is_damaged_with_1(words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    runs = [] if words in ("history", "gate", "plan") or "cache" in words else ["folder"]
    for missing in ("runs/missing", *runs):
        done = run(*words.split(), missing, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.splitlines()[-1].startswith("try: promptlab "), done.stderr
    if runs:
        (tmp_path / "folder" / "plan.json").write_text("{", encoding="utf-8")
        damaged = run(*words.split(), "folder", cwd=tmp_path)
        assert damaged.returncode == (0 if "repair" in words else 1), damaged.stderr


def test_a_bundle_that_is_here_is_the_one_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    experiment(tmp_path)
    error = UsageProblem("no: there is no such folder; give the one that `promptlab cache export RUN --to FOLDER` made")
    assert remedy(error, ["cache", "import", "no"]) == "promptlab sweep quickstart", "which makes a run, and a run makes a bundle"
    (tmp_path / "runs" / "small-1").mkdir(parents=True)
    (tmp_path / "runs" / "small-1" / "manifest.json").write_text("{}", encoding="utf-8")
    assert remedy(error, ["cache", "import", "no"]) == "promptlab cache export runs/small-1 --to small-1-answers"
    (tmp_path / "their answers").mkdir()
    (tmp_path / "their answers" / "answers.jsonl").write_text("", encoding="utf-8")
    assert remedy(error, ["cache", "import", "no"]) == "promptlab cache import 'their answers'"


def test_a_wrong_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "my file.yaml"
    path.write_text("name: x\n", encoding="utf-8")
    error = FileProblems.one(path, "the key 'tasks' is missing", 1)
    assert remedy(error, ["plan", str(path)]) == f"promptlab check '{path}'"
    assert remedy(error, ["check", str(path)]) == f"${{EDITOR:-vi}} +1 '{path}'", "the line is opened"
    error = FileProblems.one(path, "the task 'ticket' is not known; did you mean 'tickets'?", 1)
    assert remedy(error, ["sweep", str(path)]) == f"promptlab check '{path}'", "the file is right; a word in it is wrong"
    assert remedy(FileProblems.one(path, "the file is empty"), ["check", str(path)]) is None


def test_a_file_that_an_experiment_lacks_is_named_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.txt").write_text("{input}", encoding="utf-8")
    path = Path("x.yaml")
    path.write_text(
        "name: x\nquestion: q\ntask_files: [t.yaml]\ntasks: [t]\nmodels: [sim/null]\nprompts: {a: '{input}', b: {file: mime.txt}}\n"
    )
    with pytest.raises(FileProblems) as found:
        resolve(path)
    assert [str(one) for one in found.value.problems] == [
        "x.yaml:3: t.yaml: there is no such file; did you mean 'x.yaml'?",
        "x.yaml:6: mime.txt: there is no such file; did you mean 'mine.txt'?",
    ], "that the task t is not known says nothing more"
    with pytest.raises(UsageProblem, match=r"did you mean 'x\.yaml'"):
        source("x")


@pytest.mark.long
def test_what_is_said_works_when_it_is_typed(tmp_path: Path) -> None:
    path = experiment(tmp_path, items=3)
    assert run("sweep", path.name, "--no-report", cwd=tmp_path).returncode == 0
    [folder] = (tmp_path / "runs").iterdir()
    for wrong in (
        ("report", f"runs/{folder.name[:-1]}"),
        ("show", "task", "sentimen"),
        ("plan", "smal.yaml"),
        ("compare", folder.name, "--arm", "EP2"),
        ("compare", folder.name),
        ("check", "experiments/quickstart.yaml"),
    ):
        done = run(*wrong, cwd=tmp_path)
        assert done.returncode != 0
        said = done.stderr.splitlines()[-1]
        assert said.startswith("try: promptlab "), done.stderr
        again = run(*shlex.split(said)[2:], cwd=tmp_path)
        assert "did you mean" not in again.stderr, again.stderr


def test_a_missing_run_or_experiment_is_the_newest_one(tmp_path: Path) -> None:
    path = experiment(tmp_path, items=3)
    assert run("sweep", cwd=tmp_path).stderr.splitlines()[-1] == f"try: promptlab sweep {path.name}", "there is no other"
    assert run("sweep", path.name, "--no-report", cwd=tmp_path).returncode == 0
    [folder] = (tmp_path / "runs").iterdir()
    for words in ("report", "show run", "runs verify", "gate", "history", "compare", "audit"):
        said = run(*words.split(), cwd=tmp_path).stderr.splitlines()[-1]
        assert said == f"try: promptlab {words} runs/{folder.name}", words
    assert folder.name in run("history", f"runs/{folder.name}", "--format", "json", cwd=tmp_path).stdout
    (tmp_path / "other.yaml").write_text(path.read_text("utf-8"), encoding="utf-8")
    first, last = run("sweep", cwd=tmp_path).stderr.splitlines()
    assert first.endswith(f"here: {', '.join(sorted(['other.yaml', path.name]))}")
    assert last == "try: promptlab sweep --help", "which one is paid for, only its reader knows"
    assert run("plan", cwd=tmp_path).stderr.splitlines()[-1].startswith("try: promptlab plan ")


def test_a_wrong_prompt_file_is_checked_by_its_experiment(tmp_path: Path) -> None:
    path, prompt = tmp_path / "x.yaml", tmp_path / "new.txt"
    for file in (path, prompt):
        file.write_text("Sort {mesage}", encoding="utf-8")
    error = FileProblems.one(prompt, "prompt 'new': {mesage} is no variable", 1)
    assert remedy(error, ["sweep", str(path)]) == f"promptlab check {path}"


def test_a_column_that_may_be_the_arm_is_named(tmp_path: Path) -> None:
    rows = [f"{i},{prompt},{(i + place) % 2}" for i in range(30) for place, prompt in enumerate(("old", "new"))]
    (tmp_path / "a.csv").write_text("\n".join(["item,prompt,score", *rows]), encoding="utf-8")
    said = run("import", "a.csv", cwd=tmp_path).stderr.splitlines()[-1]
    assert said == "try: promptlab import a.csv --arm prompt"
    assert "2 arms, 30 items" in run("import", "a.csv", "--arm", "prompt", "--baseline", "old", cwd=tmp_path).stdout


def test_a_table_in_place_of_an_experiment_is_named_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,message\n" + "1,some words of a ticket\n" * 100, encoding="utf-8")
    done = run("sweep", "a.csv", cwd=tmp_path)
    first, second = done.stderr.splitlines()
    assert len(first) < 250
    assert second == "try: promptlab init a.csv"


def test_the_first_command_reads_no_pipe_and_no_device(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to("/dev/zero")
    (tmp_path / "c.yaml").write_bytes(b"name: x\n" + b"#" * 2**21)
    done = run(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "No runs in runs." in done.stdout
