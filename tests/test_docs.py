"""The documents and every text that people read: lengths, links, plain words and sentences, and commands that exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from conftest import ROOT
from promptlab.cli import app
from runs import experiment, run

PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TOURS = ("start", "judging", "import", "gate", "emotion", "replicate", "audit", "paper", "heart", "confirm")
COMMANDS = [
    (page.name, line)
    for page in PAGES
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if re.match(r"(\$ )?promptlab ", line)
]


WORDS = yaml.safe_load((ROOT / "tests" / "words.yaml").read_text(encoding="utf-8"))
AVOID = re.compile("|".join(rf"(?P<w{n}>\b{word['avoid']}\b)" for n, word in enumerate(WORDS)), re.IGNORECASE)
DATA = {
    "promptlab/scoring/answers": "patterns of replies",
    "promptlab/scoring/metrics": "patterns of replies",
    "promptlab/scoring/judged.py": "prompts of the judge, part of every run's identity",
    "promptlab/scoring/pairwise.py": "prompts of the judge, part of every run's identity",
    "promptlab/strategies": "remarks and prompts of loops",
    "promptlab/sources/starting/writing.py": "prompts that `init` proposes",
    "promptlab/sources/starting/proposing.py": "prompts that `init` proposes",
}
"""Files of which only the docstrings are checked, and what their other strings are."""


def prose(text: str) -> list[str]:
    """The sentences of a page, without code, tables, headings and what stands in brackets."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    parts: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        part = ""
        for line in block.splitlines():
            if line.lstrip().startswith(("|", "#")):
                continue
            if item := re.match(r"\s*(?:[-*]|\d+\.)\s(.*)", line):
                parts.append(part)
                part = item[1]
            else:
                part += " " + line.strip()
        parts.append(part)
    plain = (re.sub(r"\([^()]*\)", "", re.sub(r"`[^`]*`", "X", part)) for part in parts)
    return [s for part in plain for s in re.split(r'(?<=[.!?:;])\**\s+(?=[A-Z"(*\[0-9]|promptlab )', part.strip()) if s]


def test_sentences_are_split_as_a_reader_splits_them() -> None:
    text = "# Head\n\nOne `a. B` two (a. B). Three: Four\nfive.\n- six. Seven\n- eight\n\n| a | b |\n\n```\nNo. No.\n```\n"
    assert prose(text) == ["One X two .", "Three:", "Four five.", "six.", "Seven", "eight"]


def avoided(text: str) -> list[str]:
    """Words of `tests/words.yaml` in a text, each with its place and what to say; code in backticks is exempt."""
    text = " ".join(re.sub(r"`[^`]*`", "X", text).split())
    return [f"'{text[max(0, m.start() - 30) : m.end() + 20]}': say {WORDS[int(str(m.lastgroup)[1:])]['say']}" for m in AVOID.finditer(text)]


def without_tags(text: str) -> str:
    """The text of HTML."""
    return re.sub(r"<style.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and messages of a Python file with their lines; of the files of DATA, docstrings alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_docs = any(path.relative_to(ROOT).as_posix().startswith(name) for name in DATA)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and not only_docs:
            said = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield from [(node.lineno, said)] if " " in said else []
        elif isinstance(node, ast.Constant) and " " in str(node.value) and id(node) not in parts and (not only_docs or id(node) in docs):
            yield node.lineno, str(node.value)


def test_words_to_avoid_are_found_and_ordinary_english_is_not() -> None:
    bad = "It is asked again; `beside` stands beside it, taken for a planned look. It goes on."
    assert len(avoided(bad)) == 6
    assert avoided("You are asked to confirm. Look at it: {x} stands for a column, behind a proxy, and goes on to the next.") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_use_plain_words(page: Path) -> None:
    text = re.sub(r"```.*?```|<!-- calibration: begin.*?calibration: end -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^- defect: .*$", "", text, flags=re.MULTILINE)  # of the suite's data, which plans hold
    assert avoided(text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_short(page: Path) -> None:
    most = 25 if page.stem in (*TOURS, "README") else 30
    assert [s for s in prose(page.read_text(encoding="utf-8")) if len(s.split()) > most] == []


def test_templates_of_the_report_use_plain_words() -> None:
    for path in sorted((ROOT / "promptlab").rglob("*.j2")):
        text = re.sub(r"\{[%{#].*?[%}#]\}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert avoided(without_tags(text)) == [], path.name


def test_messages_help_and_docstrings_use_plain_words() -> None:
    files = [ROOT / "app.py", *sorted((ROOT / "promptlab").rglob("*.py"))]
    found = [f"{path.relative_to(ROOT)}:{line}: {text}" for path in files for line, said in texts(path) for text in avoided(said)]
    assert found == []


OUTPUTS = """
: plan small.yaml: plan small.yaml --details: sweep small.yaml: report RUN --tasks: report RUN -f markdown: report RUN -f html
report RUN -f json: report RUN --page design: report RUN --page cost: report RUN --page results: report RUN --page plan: runs ls
runs verify RUN: runs repair RUN --dry-run: show run RUN: show run RUN --details: show task sum: ls runs: ls tasks: scores RUN
gate RUN --arm EP02: compare RUN --arm none --against EP02: history small: audit RUN: preregister small.yaml: cache ls
cache why small.yaml: replicate RUN --paper emotionprompt: import --explain made.csv: import made.csv --baseline a
cache export RUN --to bundle: cache import bundle: check small.yaml: stimuli check small.yaml
task check small.yaml: report nothing: compare RUN: rate RUN --show: sweep small.yaml --view --dry-run: cache prune: cache why RUN --arm x
"""


@pytest.mark.long
def test_outputs_of_commands_use_plain_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What about 45 commands print for a small run, errors included, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROMPTLAB_HOME", str(tmp_path / "home"))
    experiment(tmp_path, tasks="sum", items=4, models="  - sim/planted")
    (tmp_path / "made.csv").write_text("item,arm,score\n" + "".join(f"{n},{arm},1\n" for n in range(9) for arm in "ab"), encoding="utf-8")
    empty = []
    for words in map(shlex.split, OUTPUTS.replace("\n", ":").strip(":").split(":")):
        [name] = [path.name for path in tmp_path.glob("runs/small-*")] or ["RUN"]
        try:
            app([word.replace("RUN", f"runs/{name}") for word in words], standalone_mode=False)
            found = ""
        except (Exception, SystemExit) as error:
            found = str(error)
        shown = capsys.readouterr()
        found += (
            shown.out + shown.err + (without_tags((tmp_path / "runs" / name / "report.html").read_text("utf-8")) if "html" in words else "")
        )
        assert avoided(found) == [], words
        empty += [] if len(found) > 20 else [words]
    assert empty == []


def test_a_busy_person_reads_little() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) < 900
    for tour in TOURS:
        path = ROOT / "docs" / f"{tour}.md"
        if path.exists():
            words = path.read_text(encoding="utf-8").split()
            assert len(words) <= 600, f"{tour}.md has {len(words)} words"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name) if name else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor and path.suffix == ".md":
            heads = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}, f"{page.name}: {target}"


@pytest.mark.long(but=33)
@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: str(value)[:40])
def test_commands_and_flags_exist(page: str, line: str) -> None:
    words = shlex.split(line.removeprefix("$ "), comments=True)[1:]
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        found = command.commands.get(words[0])
        assert found is not None, f"{page}: {line}"
        command, words = found, words[1:]
    flags = {flag for parameter in command.params for flag in [*parameter.opts, *parameter.secondary_opts]}
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert used <= flags | {"--help", "-h"}, f"{page}: {line}: {sorted(used - flags)}"


def test_the_page_of_commands_is_the_help() -> None:
    spec = importlib.util.spec_from_file_location("make_command_docs", ROOT / "tools" / "make_command_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.text(), "run: python tools/make_command_docs.py"


def commands_of(page: str) -> list[str]:
    """The commands of the first console block of a page, without those that wait for a person."""
    block = (ROOT / page).read_text(encoding="utf-8").split("```console\n")
    lines = next(part for part in block[1:] if "promptlab " in part.split("```")[0]).split("```")[0].splitlines()
    return [line for line in lines if re.match(r"promptlab (?!view|rate)", line)]


@pytest.mark.long(but=1)
@pytest.mark.parametrize("page", ["docs/start.md", "docs/gate.md"])
def test_a_table_becomes_a_decision_as_the_page_says(page: str, tmp_path: Path) -> None:
    """The page's commands over 120 tickets on a SIMULATED model."""
    rows = "".join(f"{i},The {n} of order {i} is wrong,{n}\n" for i in range(120) for n in (("bill", "login", "size")[i % 3],))
    (tmp_path / "tickets.csv").write_text(f"nr,message,queue\n{rows}", encoding="utf-8")
    (tmp_path / "today.txt").write_text("Which queue? {message}\nOne of: {labels}\n", encoding="utf-8")
    (tmp_path / "new.txt").write_text("You sort tickets.\n{message}\nAnswer with one of: {labels}\n", encoding="utf-8")
    (tmp_path / "expert.txt").write_text("Sort.\n{message}\nAnswer with one of: {labels}\n", encoding="utf-8")
    (tmp_path / "sentences.txt").write_text("Take care.\n", encoding="utf-8")
    if page == "docs/gate.md":
        assert run("init", "tickets.csv", "--prompt", "today.txt", "--prompt", "expert.txt", "--yes", cwd=tmp_path).returncode == 0
    for line in commands_of(page):
        words = shlex.split(line, comments=True)[1:]
        done = run(*words, cwd=tmp_path)
        assert done.returncode in ((0, 3, 5) if words[0] == "gate" else (0,)), f"{line}\n{done.stdout}\n{done.stderr}"
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_an_emotional_sentence_is_tested_as_the_page_says(tmp_path: Path) -> None:
    """The page's commands on a SIMULATED model, with fewer items."""
    page = (ROOT / "docs" / "emotion.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    shipped = yaml.safe_load((ROOT / "experiments" / "emotion.yaml").read_text(encoding="utf-8"))
    assert {key: shown[key] for key in shown} == {key: shipped[key] for key in shown}
    small = shown | {"models": ["sim/planted"], "tasks": ["sum"], "items": 12, "stimuli": ["emotionprompt/EP02"]}
    (tmp_path / "emotion.yaml").write_text(yaml.safe_dump(small), encoding="utf-8")
    assert run("plan", "emotion.yaml", cwd=tmp_path).returncode == 0
    done = run("sweep", "emotion.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [folder] = (tmp_path / "runs").iterdir()
    told = run("report", str(folder), "--tasks", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "EP02" in told.stdout
    pair = run("compare", str(folder), "--arm", "none", "--against", "EP02", "--examples", "3", cwd=tmp_path)
    assert pair.returncode == 0, pair.stderr
