"""The notebooks run as they stand, over the stored runs, without a key and without a model; what they show is what they say.

And `promptlab notebook`: what it writes runs, and holds no word of the run.
"""

from __future__ import annotations

import copy
import csv
import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

import runs
from conftest import ROOT
from made_up import write_run
from promptlab import open_run, verdicts
from promptlab import reporting as report
from promptlab.nouns.words import VERDICTS

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
RUNS = {"demo_run": 3600, "demo_replication": 2340, "demo_loops": 2052}
pytestmark = pytest.mark.usefixtures("kernels")
AFTER = """
import sys
print("loaded:", sorted({"litellm", "openai", "dspy", "streamlit"} & set(sys.modules)))
"""


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels need not load promptlab anew; test_api.py has one as users have it."""
    monkeypatch.setattr("jupyter_client.provisioning.local_provisioner.launch_kernel", runs.kernel)


@functools.cache
def built_of(name: str) -> report.Report:
    return report.build(open_run(FOLDER / name))


def executed(notebook: Any, folder: Path) -> Any:
    """The notebook with its outputs, run in a kernel of its own in `folder`."""
    done = copy.deepcopy(notebook)
    done.cells.append(nbformat.v4.new_code_cell(AFTER))
    NotebookClient(done, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return done


def texts(notebook: Any) -> list[str]:
    """What each code cell printed or returned as plain text; pictures by their words."""
    found = []
    for cell in notebook.cells:
        printed = ""
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            drawn = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", data.get("image/svg+xml", "")))
            printed += output.get("text", "") or drawn or data.get("text/plain", "")
        if cell.cell_type == "code":
            found.append(printed)
    return found


@pytest.mark.long(but=1)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_what_is_stored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stored = nbformat.read(path, as_version=4)
    *shown, loaded = texts(executed(stored, path.parent))
    assert loaded.strip() == "loaded: []"
    assert shown == texts(stored), "the stored output is old: run `make demo`"
    assert any(text.strip() for text in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_say_simulated_and_name_no_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("SIMULATED") >= 4
    assert not re.search(r"/(?:root|home|work|tmp|Users)/", text)
    assert len(text.encode()) < 300_000
    nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_is_svg_and_says_simulated(path: Path) -> None:
    pictures = [
        output["data"]
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]
    assert pictures
    for data in pictures:
        assert {kind for kind in data if kind.startswith("image/")} == {"image/svg+xml"}
        assert "SIMULATED: " in data["image/svg+xml"]


def test_the_notebooks_are_those_that_are_spoken_of() -> None:
    names = [
        "01_first_verdict",
        "02_replicate_a_paper",
        "03_heart_loops",
        "04_bring_your_logs",
        "05_run_from_python",
        "06_judge_and_people",
    ]
    assert [path.stem for path in NOTEBOOKS] == names
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        assert path.name in page


@pytest.mark.parametrize(("name", "n"), RUNS.items())
def test_the_demo_runs_are_whole_and_small(name: str, n: int) -> None:
    run = open_run(FOLDER / name)
    assert run.state == "complete"
    assert run.manifest.simulated
    assert len(run.trials()) == run.plan.counts.trials == n
    assert len(run.calls()) >= n
    assert set(run.trials()["item"]) <= set(run.items()["item"])
    size = sum(path.stat().st_size for path in (FOLDER / name).rglob("*") if path.is_file())
    assert size < (500_000 if name == "demo_run" else 400_000)
    for path in (FOLDER / name).rglob("*.json"):
        assert not re.search(r"/(?:root|home|work|tmp|Users)/", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "file"), [("demo_replication", "replication.yaml"), ("demo_loops", "loops.yaml")])
def test_the_demo_runs_are_of_the_experiments_beside_them(name: str, file: str) -> None:
    assert (FOLDER / name / "experiment.yaml").read_text(encoding="utf-8") == (FOLDER / file).read_text(encoding="utf-8")
    done = runs.run("check", str(FOLDER / file))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_run_finds_what_was_planted() -> None:
    found = {c.treatment: c.verdict for c in built_of("demo_run").of("stimulus", control="placebo")}
    assert found["emotionprompt/EP02"] == "helps"
    assert found["negativeprompt/NP10"] == "hurts"
    assert not {found["emotionprompt/EP08"], found["negativeprompt/NP06"]} & {"helps", "hurts"}


def test_best_of_eleven_reports_a_gain_where_nothing_works() -> None:
    run = open_run(FOLDER / "demo_replication")
    built = built_of("demo_replication")
    assert {c.verdict for c in built.comparisons} & {"helps", "hurts"} == set()
    [cell] = report.replicate(run, "emotionprompt", {"sim/null": "ChatGPT gpt-3.5-turbo-0613"}).cells
    assert cell.verdict == "not comparable"
    assert cell.our_low < 0 < cell.our_high
    assert cell.our_best_per_task > cell.our_high
    scores = run.trials().pivot_table(index=["task", "item"], columns="arm", values="score", observed=True)
    gains = scores.filter(like="emotionprompt/").sub(scores["none"], axis=0).groupby("task").mean()
    assert gains.shape == (6, 11)
    assert 100 * gains.max(axis=1).mean() == pytest.approx(cell.our_best_per_task)
    [shown] = [
        text for text in texts(nbformat.read(NOTEBOOKS[1], as_version=4)) if "on the items that chose it" in text and "did not" in text
    ]
    chosen, other, mean = (float(number) for number in re.findall(r"([+-]\d+\.\d) points", shown))
    assert chosen > cell.our_high > other
    assert mean == pytest.approx(cell.our_average, abs=0.05)


def test_anger_alone_beats_the_same_loop_without_emotion() -> None:
    built = built_of("demo_loops")
    found = {(c.treatment, c.control): c.verdict for c in built.of("stimulus")}
    assert {found["heart/anger", control] for control in built.controls} == {"helps"}
    for treatment in ("heart/alternate", "heart/happiness"):
        assert found[treatment, "single"] == "helps"
        assert found[treatment, "neutral_paraphrase"] == "unclear"
    assert all(row["lost"] == 0 for row in built.rounds if row["loop"] == "heart-oracle")
    assert any(row["lost"] > 0 for row in built.rounds if row["loop"] == "heart-free")


def test_the_names_at_the_top_load_nothing_until_they_are_used() -> None:
    code = (
        "import time, sys\nbefore = time.process_time()\nimport promptlab\nspent = time.process_time() - before\n"
        "print(spent, sorted({'pandas', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    spent, _, loaded = done.stdout.strip().partition(" ")
    assert float(spent) < 0.1
    assert loaded == "[]"
    code = (
        "import promptlab, sys\nframe = promptlab.verdicts(sys.argv[1])\nrun = promptlab.open_run(sys.argv[1])\n"
        "print(len(frame), len(run.trials()), len(run.calls()), len(run.items()))\n"
    )
    n, trials, calls, items = map(int, runs.run("-c", code, str(FOLDER / "demo_run")).stdout.split())
    assert (trials, items) == (3600, 360)
    assert calls >= trials
    assert n == len(built_of("demo_run").comparisons)


def test_verdicts_takes_a_run_or_its_folder() -> None:
    run = open_run(FOLDER / "demo_run")
    expected = report.comparison_frame(built_of("demo_run"))
    for given in (run, FOLDER / "demo_run", str(FOLDER / "demo_run")):
        pd.testing.assert_frame_equal(verdicts(given), expected)


def written(run: Path, out: Path, *arguments: str) -> Any:
    """The notebook that the command writes."""
    done = runs.run("notebook", str(run), "--out", str(out), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"written: {out}\n"
    notebook = nbformat.read(out, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    return notebook


def by_cell(done: Any) -> dict[str, str]:
    """What each code cell shows, by the id of the cell."""
    codes = [cell for cell in done.cells if cell.cell_type == "code"]
    return {cell.id: text for cell, text in zip(codes, texts(done), strict=True)}


@pytest.mark.long(but=1)
@pytest.mark.parametrize(("name", "loops"), [("demo_run", False), ("demo_loops", True)])
def test_a_notebook_for_a_run_is_written_and_runs(name: str, loops: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = written(FOLDER / name, tmp_path / "mine.ipynb")
    done = executed(notebook, tmp_path)
    assert texts(done)[-1].strip() == "loaded: []"
    shown = by_cell(done)
    built = built_of(name)
    assert shown["open"].strip().split("\n") == report.headline(built)
    control = built.controls[0]
    for c in built.of("stimulus", control=control):
        assert c.treatment in shown["verdicts-0"]
        assert f"{100 * c.diff:+.1f} (" in shown["forest-0"]
    for c in built.of("cell", control=control):
        assert f"{VERDICTS[c.verdict].sign} {100 * c.diff:+.1f}" in shown["matrix-0"]
    odd = [c for c in built.of("cell", control=control) if c.verdict in ("refused", "hurts") or c.n_missing]
    assert odd or loops, "few changes in loops are unclear, and nothing there is refused"
    for c in odd:
        assert c.sentence in shown["look-0"]
    best = max(built.of("cell", control=control), key=lambda c: abs(c.diff or 0))
    assert f"{best.treatment}, score {int((best.diff or 0) > 0)}" in shown["flip-0"]
    assert shown["flip-0"].count("user: ") >= 2
    assert shown["flip-0"].count("answer: ") == 2
    assert built.paid in shown["cost-0"]
    assert ("loops-0" in shown) == loops
    if loops:
        assert shown["loops-0"].count("SIMULATED: ") == 2
        assert "neutral_paraphrase" in shown["loops-1"]
        assert "rounds_to_solve" in shown["loops-2"]
        assert "wrong_right" in shown["loops-3"]
    assert shown["forest-0"].count("SIMULATED: ") == len(built.plan.settings)


def test_no_word_of_a_run_stands_in_a_written_notebook(tmp_path: Path) -> None:
    one = written(FOLDER / "demo_run", tmp_path / "one.ipynb")
    other = written(FOLDER / "demo_replication", tmp_path / "other.ipynb")
    for a, b in zip(one.cells, other.cells, strict=True):
        assert (a.cell_type, a.id) == (b.cell_type, b.id)
        lines = [(x, y) for x, y in zip(a.source.split("\n"), b.source.split("\n"), strict=True) if x != y]
        assert all(x.startswith("run = open_run(Path(") for x, _ in lines)
        assert len(lines) == (a.id == "open")
    assert "demo_run" in "".join(cell.source for cell in one.cells)


HOSTILE = '"""); raise SystemExit("owned") # <img src=x onerror=alert(1)> **bold** \x1b[31m $x^2$ {model}'


def test_a_hostile_run_is_shown_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    table = tmp_path / "answers.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item", "arm", "model", "task", "score", "answer", "prompt", "target"])
        for number in range(40):
            for arm in ("none", HOSTILE):
                score = int(number % 2 or arm != "none")
                rows.writerow([f"{number} {HOSTILE}", arm, f"m {HOSTILE}", f"t {HOSTILE}", score, HOSTILE, HOSTILE, HOSTILE])
    brought = json.loads(runs.run("import", str(table), "--runs", str(tmp_path / "runs"), "--json").stdout)
    folder = Path(brought["folder"])
    odd = folder.rename(folder.with_name("it's \"a\" run\n'); raise SystemExit #"))
    assert runs.run("notebook", str(odd)).returncode == 0
    notebook = nbformat.read(odd / "notebook.ipynb", as_version=4)
    sources = "\n".join(cell.source for cell in notebook.cells)
    assert "owned" not in sources
    assert "SIMULATED**" not in sources
    moved = odd.rename(tmp_path / "elsewhere")  # a notebook beside its run moves with it
    done = executed(notebook, moved)
    shown = by_cell(done)
    assert "helps" in shown["verdicts-0"]
    assert "owned" in shown["flip-0"]
    assert "\\x1b" in shown["flip-0"]
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    pages = [output["data"].get(kind, "") for output in outputs if "data" in output for kind in ("text/html", "image/svg+xml")]
    assert any("onerror" in page for page in pages)
    assert not any("<img" in page for page in pages)
    assert "\\u001b" not in json.dumps(outputs)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_run_in_progress_has_a_notebook_too(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = write_run(tmp_path / "runs", share=share, state="incomplete")
    notebook = written(folder, folder / "mine.ipynb")
    monkeypatch.chdir(folder)
    options = ("display.html.use_mathjax", "display.max_colwidth")
    names: dict[str, Any] = {}
    capsys.readouterr()
    with pd.option_context(*(part for name in options for part in (name, pd.get_option(name)))):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(cell.source, names)  # without a kernel: what is asked here is that no cell fails
    shown = capsys.readouterr().out
    assert f"The run is incomplete: {len(open_run(folder).trials()):,} of" in shown
    assert ("No cell has a difference yet." in shown) == (share == 0)


def test_a_notebook_is_never_replaced_unasked(tmp_path: Path) -> None:
    out = tmp_path / "mine.ipynb"
    out.write_text("mine", encoding="utf-8")
    done = runs.run("notebook", str(FOLDER / "demo_run"), "--out", str(out))
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert "--force" in done.stderr
    assert out.read_text(encoding="utf-8") == "mine"
    written(FOLDER / "demo_run", out, "--force")


@pytest.mark.parametrize(
    ("run", "out", "expected"),
    [
        ("demo_run", "mine.py", "ends in .ipynb"),
        ("nowhere", "mine.ipynb", "there is no such run"),
        ("demo_run", "no/such/a.ipynb", "cannot be"),
    ],
)
def test_what_cannot_be_written_is_said(run: str, out: str, expected: str, tmp_path: Path) -> None:
    done = runs.run("notebook", str(FOLDER / run), "--out", str(tmp_path / out))
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / out).exists()
