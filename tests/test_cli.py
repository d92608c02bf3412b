"""The command line as people and programs use it: help, listings, JSON, plans that send nothing, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from promptlab.cli.home import ago
from promptlab.nouns import EXIT_INTERRUPTED
from promptlab.record.store import Run
from promptlab.sources.spec.experiment import experiment_schema
from runs import experiment, run, served
from servers import Server

EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))
NEED_DATA = ("replay", "all_tasks_official")


def as_json(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_help_lists_every_command_and_exit_code() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("plan", "sweep", "check", "report", "view", "schema", "ls", "show", "data"):
        assert re.search(rf"\b{command}\b", done.stdout)
    assert "130 interrupted" in done.stdout


def test_version() -> None:
    from promptlab import __version__

    assert run("--version").stdout == f"promptlab {__version__}\n"


@pytest.mark.parametrize("wrong", [["sweeep"], ["sweep"], ["plan", "nowhere.yaml"], ["sweep", "x.yaml", "--turbo"], ["ls", "cats"]])
def test_wrong_use_is_exit_2_without_a_traceback(wrong: list[str]) -> None:
    done = run(*wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_shipped_experiments_point_at_the_shipped_schema(path: Path) -> None:
    assert path.read_text(encoding="utf-8").splitlines()[0] == "# yaml-language-server: $schema=experiment.schema.json"


def test_the_shipped_schema_is_the_one_in_force() -> None:
    shipped = json.loads((ROOT / "experiments" / "experiment.schema.json").read_text(encoding="utf-8"))
    assert shipped == json.loads(run("schema").stdout) == experiment_schema(), "promptlab schema > experiments/experiment.schema.json"


@pytest.mark.long(but=6)
@pytest.mark.parametrize("path", [p for p in EXPERIMENTS if p.stem not in NEED_DATA], ids=lambda path: path.stem)
def test_shipped_experiments_are_in_order(path: Path) -> None:
    code = ["--allow-code"] if "factory:" in path.read_text(encoding="utf-8") else []
    done = run("check", str(path), *code)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", NEED_DATA)
def test_an_experiment_on_official_items_asks_for_its_data(name: str) -> None:
    done = run("check", str(ROOT / "experiments" / f"{name}.yaml"))
    assert done.returncode != 0
    assert "promptlab data" in done.stderr


def test_a_plan_says_what_it_will_cost_and_see(tmp_path: Path) -> None:
    path = experiment(tmp_path, models="  - openai/gpt-4o-mini", items=20)
    made = as_json("plan", str(path))
    assert made["counts"]["trials"] == 2 * 20 * 4
    [estimate] = made["estimates"]
    assert 0 < estimate["usd"][0] < estimate["usd"][1]
    assert estimate["input_tokens"][0] < estimate["input_tokens"][1]
    assert estimate["price"][2].startswith("litellm ")
    assert all(p["mean"] > 0 for p in made["power"])
    shown = run("plan", str(path)).stdout
    for words in (
        "USD low",
        "80 % power",
        "Families, fixed before the first call",
        " seconds with 16 calls in flight",
        f"promptlab plan {path} --details",
    ):
        assert words in shown
    assert len(shown.splitlines()) <= 40
    whole = run("plan", str(path), "--details").stdout
    for name in [*(a["text"] for a in made["arms"] if a["text"]), *{h["family"] for h in made["hypotheses"]}]:
        assert " ".join(name.split())[:40] in whole
    assert run("sweep", str(path), "--dry-run").stdout == shown
    assert not (tmp_path / "runs").exists()


def test_an_unknown_price_is_never_nothing(tmp_path: Path) -> None:
    path = experiment(tmp_path, models="  - openai/a-model-that-nobody-knows")
    assert as_json("plan", str(path))["estimates"][0]["usd"] == [None, None]
    assert re.search(r"a-model-that-nobody-knows.*unknown.*unknown.*add 'price'", run("plan", str(path)).stdout)


def test_a_plan_sends_nothing_and_imports_no_client(tmp_path: Path, server: Server) -> None:
    path = experiment(tmp_path, models=served(server.url))
    code = (
        "import sys\nsys.argv = ['promptlab', 'sweep', sys.argv[1], '--dry-run']\nfrom promptlab.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded', sorted({'litellm', 'openai', 'dspy', 'streamlit', 'aiohttp', 'httpx'} & set(sys.modules)))"
    )
    done = run("-c", code, str(path))
    assert done.stdout.splitlines()[-1] == "loaded []", done.stderr
    assert server.requests == []


def test_listings_for_programs() -> None:
    tasks = {row["task"]: row for row in as_json("ls", "tasks")}
    assert {"translation_en-fr", "active_to_passive", "sentiment", "sum", "object_counting", "ruin_names"} <= set(tasks)
    assert len(tasks) == 45
    assert all(row["twin"] is None or row["twin"] >= 100 for row in tasks.values())
    stimuli = {row["stimulus"]: row for row in as_json("ls", "stimuli")}
    assert sum(name.startswith("emotionprompt/") for name in stimuli) == 11
    assert sum(name.startswith("negativeprompt/") for name in stimuli) == 10
    assert stimuli["negativeprompt/NP07"]["code_number"] == 5
    models = as_json("ls", "models")
    assert {"sim/null", "sim/planted", "sim/length"} <= {row["model"] for row in models["simulated"]}
    assert all(row["simulated"] is True for row in models["simulated"])
    assert as_json("ls", "runs", "--runs", "nowhere") == []


def test_show_for_programs() -> None:
    assert as_json("show", "stimulus", "emotionprompt/EP02")["text"] == "This is very important to my career."
    task = as_json("show", "task", "sum")
    assert task["n_items"] >= 50
    assert len(task["examples"]) == 3
    assert as_json("show", "model", "sim/planted")["truth"]
    assert as_json("show", "model", "openai/gpt-4o-mini")["output_usd_per_mtok"] > 0


@pytest.mark.parametrize(
    ("arguments", "near"),
    [(["task", "summ"], "'sum'"), (["stimulus", "emotionprompt/EP2"], "emotionprompt/EP"), (["model", "sim/nul"], "'sim/null'")],
)
def test_a_near_name_is_offered(arguments: list[str], near: str) -> None:
    done = run("show", *arguments)
    assert done.returncode == 2
    assert near in done.stderr


def test_runs_are_listed_and_shown(tmp_path: Path) -> None:
    path = experiment(tmp_path, tasks="sum", items=10)
    done = run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SIMULATED") >= 2
    assert "nothing paid" in done.stdout
    [row] = as_json("ls", "runs", "--runs", str(tmp_path / "runs"))
    assert (row["state"], row["simulated"], row["done"], row["planned"]) == ("complete", True, 40, 40)
    folder = tmp_path / "runs" / row["run"]
    assert not (folder / "report.html").exists()
    assert as_json("show", "run", str(folder))["counts"]["sent"] >= 40
    assert "SIMULATED" in run("ls", "runs", "--runs", str(tmp_path / "runs")).stdout


def test_a_pipe_that_closes_early_is_no_traceback() -> None:
    done = subprocess.run(
        f"{sys.executable} -m promptlab ls stimuli --json | head -c 10", shell=True, capture_output=True, text=True, cwd=ROOT
    )
    assert "Traceback" not in done.stderr


def test_a_plan_says_what_more_items_buy(tmp_path: Path) -> None:
    made = as_json("plan", str(experiment(tmp_path, models="  - openai/gpt-4o-mini", items=20)))
    rows = made["outlook"]
    assert [row["factor"] for row in rows] == [1, 2, 4]
    assert [row["n_items"] for row in rows] == [[20, 20], [40, 40], [80, 80]]
    assert rows[0]["calls"] == made["counts"]["calls"]
    assert rows[2]["calls"] == 4 * rows[0]["calls"]
    assert rows[2]["usd"][1] == pytest.approx(4 * rows[0]["usd"][1])
    for name in ("mean", "margin_cell", "margin_mean"):
        assert rows[0][name] > rows[1][name] > rows[2][name]
    assert (rows[0]["n_hopeless_cells"], rows[2]["n_hopeless_cells"]) == (2, 0)
    all_of_it = as_json("plan", str(experiment(tmp_path, items=100_000)))["outlook"]
    assert len(all_of_it) == 1, "there are no more items to buy"


def test_a_pilot_measures_what_changes_and_its_answers_are_not_paid_again(tmp_path: Path) -> None:
    path = experiment(tmp_path, tasks="sum, antonyms, sentiment, cause_and_effect", items=30, models="  - sim/null")
    made = as_json("plan", str(path), "--pilot", "--runs", str(tmp_path / "runs"))
    pilot = made["pilot"]
    assert pilot["of"] == 60
    assert 0 <= pilot["discordance"] <= pilot["discordance_high"]
    assert made["outlook"][0]["discordance"] == pilot["discordance_high"]
    assert "nothing paid" in pilot["paid"]
    done = run("sweep", str(path), "--runs", str(tmp_path / "runs"), "--no-report")
    assert done.returncode == 0, done.stderr
    whole = next(folder for folder in (tmp_path / "runs").iterdir() if "pilot" not in folder.name)
    trials = Run(whole).trials()
    first = trials[trials["arm"].isin(["none", "none_aa"]) & (trials["task"] != "cause_and_effect")]
    assert first["cached"].sum() == 120, "20 items of 3 tasks under 2 arms came from the cache"


def test_alone_it_says_what_the_folder_holds_and_what_comes_next(tmp_path: Path) -> None:
    empty = run(cwd=tmp_path).stdout
    assert "No runs in runs." in empty
    assert "Next: promptlab init DATA.csv" in empty
    path = experiment(tmp_path, models="  - sim/planted", items=20)
    assert f"Next: promptlab plan {path.name}" in run(cwd=tmp_path).stdout
    assert run("sweep", path.name, cwd=tmp_path).returncode == 0
    [name] = [folder.name for folder in (tmp_path / "runs").iterdir()]
    shown = run(cwd=tmp_path).stdout
    assert re.search(rf"✓ complete  {name}  +160  +0  SIMULATED  just now", shown)
    assert "SIMULATED sim/planted: emotionprompt/EP02 has the largest gain" in shown
    assert f"Next: promptlab report runs/{name}" in shown
    assert all(len(line) <= 80 for line in run("runs", "ls", cwd=tmp_path).stdout.splitlines())
    about = run("show", "run", f"runs/{name}", cwd=tmp_path).stdout
    assert "A question for a test?" in about
    assert "promptlab 0." in run("show", "run", f"runs/{name}", "--details", cwd=tmp_path).stdout.replace("promptlab    ", "promptlab ")


@pytest.mark.parametrize(("seconds", "said"), [(5, "just now"), (61, "1 min ago"), (7_300, "2 h ago"), (3 * 86_400 + 5, "3 d ago")])
def test_times_are_said_as_ages(seconds: int, said: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert ago((now - timedelta(seconds=seconds)).isoformat(), now) == said
    assert ago("", now) == "-"


def completed(*words: str, cwd: Path) -> list[str]:
    """What bash offers for the last word of a command line."""
    env = {"_PROMPTLAB_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("promptlab", *words)), "COMP_CWORD": str(len(words))}
    code = "import sys; sys.argv = ['promptlab']; from promptlab.cli.main import main; main()"
    done = run("-c", code, env=env, cwd=cwd)
    assert done.stderr == ""
    return done.stdout.split()


def test_a_shell_completes_runs_tasks_and_arms(tmp_path: Path) -> None:
    path = experiment(tmp_path, items=3)
    assert run("sweep", path.name, "--no-report", cwd=tmp_path).returncode == 0
    [name] = [folder.name for folder in (tmp_path / "runs").iterdir()]
    assert completed("report", "sm", cwd=tmp_path) == [name]
    assert completed("report", "runs/sm", cwd=tmp_path) == [f"runs/{name}"]
    assert completed("show", "task", "sent", cwd=tmp_path) == ["sentence_similarity", "sentiment"]
    assert completed("compare", name, "--arm", "emo", cwd=tmp_path) == ["emotionprompt/EP02"]
    assert completed("plan", "sm", cwd=tmp_path) == ["small.yaml"]
    assert completed("plan", "quick", cwd=tmp_path) == ["quickstart"]
    assert completed("compare", "nothing", "--arm", "", cwd=tmp_path) == []


def test_an_interrupt_before_a_command_runs_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from promptlab import __main__, cli

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == EXIT_INTERRUPTED
    assert capsys.readouterr().err.startswith("promptlab: interrupted; ")
