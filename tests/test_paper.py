"""`promptlab paper`: the kit of a run compiles whatever the run holds, names what a reader must know, and holds no key."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import promptlab
from conftest import ROOT
from promptlab.nouns import PromptlabError
from promptlab.record.store import Run
from promptlab.reporting.build import build
from promptlab.reporting.paper import archive, paper_files, write_kit
from promptlab.reporting.paper.checklist import checklist
from promptlab.reporting.paper.cited import cite, cited, works
from promptlab.reporting.paper.flow import flow_of
from promptlab.reporting.paper.tex import LANDSCAPE, PORTRAIT, tabular, tex, verbatim
from promptlab.reporting.table import table
from runs import run

DEMO = ROOT / "notebooks" / "demo_run"
HOSTILE = (
    '\\end{document} \\input{/etc/passwd} \\write18{ls} }{ % $x^2$ & # _ ^ ~ `a\' "b" --- ,, << ?`',
    "\ud800 \u4e2d\u6587 \u65e5\u672c \u0627\u0644 \u202eevil\u202c \U0001f600\U0001f469\u200d\U0001f467 e\u0301 \u00e9\u00fc\u00df\u20ac "
    "\x00\x07\x1b",
    "\t tab\n\n" + " " * 5000 + "x" * 4000 + "\r\n[@promptlab] \\cite{x}",
)
PLAIN = [text.encode("utf-8", "ignore").decode().replace("\x00", "") for text in HOSTILE]
needs_latex = pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("bibtex")), reason="no LaTeX: apt-get install texlive-latex-recommended"
)


def compiled(folder: Path) -> str:
    """Compile paper.tex as its README says; the log, in which nothing is undefined."""
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    draft = [*latex[:-1], "-draftmode", "paper.tex"]
    for command in (draft, ["bibtex", "paper"], draft, latex):
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-3000:]
    log = (folder / "paper.log").read_text(encoding="latin-1")
    assert "undefined" not in log
    assert "Missing character" not in log
    return log


def hostile_run(folder: Path) -> Path:
    """A finished run whose names, sources, prompts and items are as bad as they can be."""
    words, task = folder / "items.csv", folder / "bad.yaml"
    with words.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "answer"])
        writer.writerows([f"{n} {HOSTILE[0]} {PLAIN[1]}", "ny"[n % 2]] for n in range(8))
    task.write_text(
        yaml.safe_dump({"items": "items.csv", "columns": {"input": "text", "target": "answer"}, "metric": "choice", "labels": ["y", "n"],
                        "source": f"M\u00fcller 2024, {HOSTILE[0]} @x"})
    )  # fmt: skip
    bad = {
        "literal": ["document", "/etc/passwd", "ls"],
        "text": f"{HOSTILE[0].replace('}{', '')} \u4e2d\u202e\U0001f600  two\n\n  {{text}}",
    }
    experiment = {
        "name": "bad", "question": HOSTILE[0], "task_files": ["bad.yaml"], "tasks": ["bad"], "models": ["sim/null"],
        "prompts": {"current": "{text}", "bad": bad}, "incumbent": "current", "items": 8, "sampling": {"max_tokens": 8}, "seed": 1,
    }  # fmt: skip
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    return promptlab.run(folder / "experiment.yaml", runs=folder / "runs", progress=False, cache="off").folder


@pytest.mark.long
@needs_latex
def test_the_demo_run_compiles_and_says_what_it_is(tmp_path: Path) -> None:
    done = run("paper", str(DEMO), "--to", str(tmp_path / "kit"))
    assert done.returncode == 0, done.stderr
    kit = tmp_path / "kit"
    compiled(kit)
    said = (kit / "methods.tex").read_text()
    for fact in ("3,600 planned trials", "temperature 0.7", "2026-11-25", "Holm", "Benjamini", "SHA-256", "5.5 points", "SIMULATED"):
        assert fact in said, fact
    references = (kit / "references.bib").read_text()
    assert {"li2023emotionprompt", "wang2024negativeprompt", "promptlab"} <= set(re.findall(r"@\w+\{([\w-]+),", references))
    assert "about =" not in references
    for path in [*kit.glob("tables/*.tex"), *kit.glob("figures/*.svg"), kit / "README.md", kit / "methods.tex", kit / "paper.tex"]:
        assert "SIMULATED" in path.read_text(encoding="utf-8"), path.name
    assert all("simulated" in next(csv.reader(path.open(encoding="utf-8"))) for path in kit.glob("tables/*.csv"))
    colours = set(re.findall(r"#[0-9a-fA-F]{6}\b", "".join(path.read_text(encoding="utf-8") for path in kit.glob("figures/*.svg"))))
    assert colours
    assert all(len({c[1:3], c[3:5], c[5:7]}) == 1 for c in colours), colours
    requests = [json.loads(line) for line in (kit / "data/prompts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(requests) == 6 * 10
    assert requests[0]["calls"][0]["messages"] == json.loads(Run(DEMO).calls().iloc[_first(requests[0])]["messages"])
    [archive] = kit.glob("*-SIMULATED.zip")
    with zipfile.ZipFile(archive) as found:
        assert {name.split("/", 1)[1] for name in found.namelist()} >= {"paper.tex", "data/trials.csv", "README.md", "references.bib"}
    again = run("paper", str(DEMO), "--to", str(kit))
    assert again.returncode == 2
    assert "--force" in again.stderr


def _first(request: dict[str, str]) -> int:
    """The row of the calls of the trial that a request was taken from."""
    found = Run(DEMO)
    trials = found.trials()
    mine = trials[(trials["task"] == request["task"]) & (trials["arm"] == request["arm"]) & (trials["item"] == request["item"])]
    return int(found.calls().index[found.calls()["trial"] == mine["trial"].iloc[0]][0])


def test_nothing_of_a_run_is_an_argument_a_citation_or_a_ligature() -> None:
    said = tex("[4] [@promptlab] *a* --force ,, ''")
    assert "[" not in said.replace("{[}", "")
    assert "*" not in said.replace("{*}", "")
    assert not re.search(r"--|,,|''", said)
    assert cited("[@promptlab] [mcnemar1947]") == tex("[@promptlab] [mcnemar1947]")
    assert cited(f"so {cite('mcnemar1947')}.") == r"so \cite{mcnemar1947}."


@pytest.mark.parametrize("cell", ["W" * 900, "\u4e2d" * 900, "word " * 200, "\u4e2d\u6587 " * 9])
@pytest.mark.parametrize("columns", [2, 5, 12])
def test_tables_fit_the_page_and_lose_no_row(cell: str, columns: int) -> None:
    made = tabular(table("t", "", [f"column {n}" for n in range(columns)], [[cell] * columns, ["-"] * columns]), "tab:t")
    shares = [float(share) for share in re.findall(r"p\{([\d.]+)\\linewidth\}", made)]
    assert len(shares) == columns
    assert sum(shares) <= 1
    rows = made.partition(r"\endlastfoot")[2].split(r"\end{longtable}")[0].strip().splitlines()
    assert len(rows) == 2
    line = LANDSCAPE if r"\begin{landscape}" in made else PORTRAIT
    for share, shown in zip(shares, rows[0].removesuffix(r" \\").split(" & "), strict=True):
        n = 5 * shown.count(r"\uni{") + 1.8 * shown.count("W")
        assert n <= 30 * share * line + 6, "lines of a cell fit on a page"


@pytest.mark.long
def test_the_kit_is_written_through_no_link(tmp_path: Path) -> None:
    [source] = (ROOT / "tests" / "format1" / "imported").iterdir()
    found = Run(shutil.copytree(source, tmp_path / source.name))
    report, away = promptlab.report(found), tmp_path / "away"
    away.mkdir()
    kit = found.folder / "paper"
    kit.symlink_to(away)
    with pytest.raises(PromptlabError, match="paper is a link"):
        write_kit(found, report, kit)
    kit.unlink()
    kit.mkdir()
    (kit / "tables").symlink_to(away)
    with pytest.raises(PromptlabError, match="tables is a link"):
        write_kit(found, report, kit)
    (kit / "tables").unlink()
    (away / "mine").write_text("mine")
    (kit / "paper.tex").symlink_to(away / "mine")
    write_kit(found, report, kit)
    assert not (kit / "paper.tex").is_symlink()
    assert [path.read_text() for path in away.iterdir()] == ["mine"]


@pytest.mark.long
@needs_latex
def test_the_worst_texts_compile_and_stay_what_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hostile_run(tmp_path)
    monkeypatch.setenv("SOME_API_KEY", "abcdefgh-secret-1234")
    (folder / "experiment.yaml").write_text((folder / "experiment.yaml").read_text() + "\n# abcdefgh-secret-1234\n")
    done = run("paper", str(folder), env={"SOME_API_KEY": "abcdefgh-secret-1234"})
    assert done.returncode == 0, done.stderr
    assert "no licence is recorded of items of bad" in done.stdout
    kit = folder / "paper"
    for path in kit.rglob("*.tex"):
        path.read_bytes().decode("ascii")
    extra = [rf"\section{{x}}{tex(text)} {verbatim(text)}" for text in HOSTILE]
    starts = [[text, "-1.0"] for text in ("[@promptlab]", "*", "[2pt]", "\\^^5cinput{x}")]
    shown = tabular(table(PLAIN[0], PLAIN[1], ("a", PLAIN[0]), [*([text, "-1.0"] for text in PLAIN), *starts]), "tab:bad")
    document = (kit / "paper.tex").read_text()
    (kit / "paper.tex").write_text(document.replace(r"\end{document}", "\n".join([*extra, shown, r"\end{document}"])))
    compiled(kit)
    texts = "".join(
        str(call["messages"]) for line in (kit / "data/prompts.jsonl").open(encoding="utf-8") for call in json.loads(line)["calls"]
    )
    assert "\u4e2d\u202e\U0001f600  two\\n\\n  0" in texts or "\u4e2d\\u202e\U0001f600  two" in texts
    [archive] = kit.glob("*.zip")
    with zipfile.ZipFile(archive) as found:
        assert not [name for name in found.namelist() if b"abcdefgh-secret" in found.read(name)]


@pytest.mark.long(but=1)
@pytest.mark.parametrize("name", ["complete", "imported", "looked"])
def test_runs_of_format_1_imports_and_loops_have_a_kit_of_their_own(name: str, tmp_path: Path) -> None:
    [source] = (ROOT / "tests" / "format1" / name).iterdir()
    found = Run(shutil.copytree(source, tmp_path / source.name))
    report = promptlab.report(found)
    files = paper_files(found, report)
    if name == "imported":
        again = archive(paper_files(found, report), "kit")
        assert hashlib.sha256(archive(files, "kit")).digest() == hashlib.sha256(again).digest()
    said = files["methods.tex"].decode().replace(r"\brk{}", "")
    wanted = {"complete": "feedback loop heart-oracle", "imported": "imported from promptfoo", "looked": "interim analys"}
    assert wanted[name] in said
    assert all(data.isascii() for file, data in files.items() if file.endswith((".tex", ".bib")))
    assert ("Nothing was frozen before the answers" in said) == (name == "imported")
    if name == "complete":
        assert b"remark anger-1" in files["prompts.tex"].replace(rb"\brk{}", b"")
    if name == "imported":
        assert b"1 failed" in files["flow.tex"]
        assert b",NO,imported" in files["tables/checklist-01.csv"]


def test_edits_that_no_commit_holds_are_not_called_public() -> None:
    report = build(Run(ROOT / "notebooks" / "demo_run"))
    for commit, answer in ((None, "partly"), ("abc1234", "yes"), ("abc1234-dirty", "partly")):
        found = replace(report, manifest=replace(report.manifest, commit=commit))
        rows = {row[0]: row[1:] for row in checklist(found, flow_of(found)).frame.itertuples(index=False)}
        assert rows["Is the code of the analysis public?"][0] == answer


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_is_ascii_with_even_braces(text: str) -> None:
    for made in (tex(text), verbatim(text)):
        assert made.isascii()
        bare = re.sub(r"\\[{}\\]", "", made)
        assert bare.count("{") == bare.count("}")
        assert not re.search(r"(?<!\\)[$&#%]", bare)


def test_long_words_break_at_their_marks_and_else_anywhere() -> None:
    assert tex("stimulus/sim/planted/emotionprompt/placebo").replace(r"\brk{}", "|") == "stimulus/|sim/|planted/|emotionprompt/|placebo"
    assert tex(28 * "a").count(r"\brk{}") == 6


def test_citation_file_and_references_name_this_version() -> None:
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cff["cff-version"] == "1.2.0"
    assert cff["version"] == promptlab.__version__
    assert cff["authors"] == [{"name": "The promptlab authors"}]
    assert cff["license"] == "Apache-2.0"
    own = next(work for work in works() if work.key == "promptlab")
    assert cff["title"] in own.entry
    assert len({work.key for work in works()}) == len(works()) >= 20


def test_the_page_is_short_and_its_commands_exist() -> None:
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    assert len(page.split()) < 600
    assert run("paper", "--help").returncode == 0


def test_titles_and_heads_wrap_where_words_may_break() -> None:
    shown = tabular(table("emotionprompt/" * 6, "", ("missing in control", "n"), [["1", "2"]]), "tab:t")
    assert shown.count(r"emotionprompt/\brk{}") == 5
    assert r"missing\\in\\control" in shown
    assert tex("a" * 30).split(r"\brk{}") == ["aaaa"] * 7 + ["aa"]
    assert r"\brk" not in tex("an ordinary title")
