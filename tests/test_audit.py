"""Cheats against a run, and what notices each; the table of docs/reference/audit-checks.md is made of them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runs
import test_judge
from cheats import CHEATS, Cheat, changed, copy, flipped, rechained, rows_changed
from conftest import ROOT
from promptlab import api
from promptlab.nouns import RunProblem
from promptlab.nouns.errors import FileProblems
from promptlab.planning.audit import DIFFERS, UNKNOWN
from promptlab.planning.resolve import resolve
from promptlab.record.store import Evidence, Run
from promptlab.reporting import audited
from promptlab.reporting.checked import failures
from promptlab.reporting.gate import gate
from promptlab.reporting.history import history
from promptlab.reporting.remade import unchecked
from promptlab.running import bundle
from promptlab.running.progress import Execution
from promptlab.running.sweep import run_sweep
from runs import experiment


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("honest")
    study = resolve(experiment(folder, models="  - sim/planted", items=8))
    return run_sweep(study, folder / "runs", None, Execution(), lambda _: None).folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    study = resolve(test_judge.file_of(folder, models="  - sim/planted", items=16))
    return run_sweep(study, folder / "runs", None, Execution(), lambda _: None).folder


def differing(run: Path) -> list[str]:
    return [row.what for row in audited.of_run(Run(run)) if row.says == DIFFERS]


def test_an_honest_run_passes(honest: Path, judged: Path) -> None:
    for run in (honest, judged):
        assert failures(Run(run)) == []
        assert differing(run) == []


def test_json_that_another_version_spaced_otherwise_is_the_same() -> None:
    frames = [pd.DataFrame({"messages": [text]}, index=["t"]) for text in
              ('[{"role": "user", "content": "a b"}]', '[{"role":"user","content":"a b"}]', '[{"role":"user","content":"ab"}]',
               '[{"role":"user","content":"x","content":"a b"}]')]  # fmt: skip
    assert [audited._same("calls", frames[0], other).says == DIFFERS for other in frames] == [False, False, True, True]


def test_a_prompt_that_is_edited_after_the_run_is_another_experiment(tmp_path: Path) -> None:
    """And so are more items, which a verdict asks for: neither is a fault of the run that came before."""
    path = experiment(tmp_path, tasks="mine", stimuli="", models="  - sim/factors", more=EDITED)
    (tmp_path / "mine.yaml").write_text("items: mine.csv\ncolumns: {input: q, target: a}\nlabels: [x, y]\nmetric: label\n")
    rows = ["q,a", *(f"question {i},{'xy'[i % 2]}" for i in range(6))]
    for edit in ("b.txt", "mine.csv"):
        (tmp_path / "mine.csv").write_text("\n".join(rows))
        (tmp_path / "b.txt").write_text("Choose x or y. {q}")
        run = Run(run_sweep(resolve(path), tmp_path / f"runs-{edit}", None, Execution(), lambda _: None).folder)
        assert failures(run) == []
        (tmp_path / edit).write_text({"b.txt": "Choose y or x. {q}", "mine.csv": "\n".join([*rows, "more,x"])}[edit])
        assert failures(run) == differing(run.folder) == []
        said = next(row.found for row in audited.of_run(run) if row.what == "replay")
        assert "files of its experiment were edited since it began" in said


EDITED = """
task_files: [mine.yaml]
prompts: {a: "Which? {q}", b: {file: b.txt}}
incumbent: a
"""


@pytest.mark.long(but=12)
@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_a_cheat_is_noticed_by_what_the_page_says(honest: Path, judged: Path, tmp_path: Path, cheat: Cheat) -> None:
    """What a report that is forced says of the run is what one that is not forced refuses it for."""
    run = copy({"plain": honest, "judged": judged}[cheat.of], tmp_path)
    cheat.do(run)
    report = api.report(run, force=True)
    assert bool(report.failed) == ("FAILS ITS AUDIT" in report.to_markdown()) == cheat.report
    assert bool(differing(run)) == cheat.audit


def test_every_form_of_a_forced_report_says_it(honest: Path, tmp_path: Path) -> None:
    run = copy(honest, tmp_path)
    rows_changed(run, "trials", flipped)
    with pytest.raises(RunProblem, match="fails its audit"):
        api.report(run)
    forced = api.report(run, force=True)
    for text in (forced.to_html(), forced.to_markdown(), forced.to_json(), forced.to_csv(), repr(forced)):
        assert "FAILS ITS AUDIT" in text


def bundle_of(run: Path, to: Path) -> Path:
    about = {"experiment": "small", "run": run.name, **audited.about(Run(run))}
    text = (run / "experiment.yaml").read_text(encoding="utf-8")
    return bundle.write(bundle.of_run(Run(run)), 64, text, about, to).folder


def test_a_bundle_is_compared_with_what_its_author_says_of_it(honest: Path, tmp_path: Path) -> None:
    def said(name: str, edit: Callable[[dict[str, Any]], object]) -> dict[str, str]:
        folder = shutil.copytree(whole, tmp_path / name)
        changed(folder, "manifest.json", edit)
        return {row.what: row.found for row in audited.of_bundle(folder)[0] if row.says == DIFFERS}

    whole = bundle_of(honest, tmp_path / "whole")
    assert said("same", lambda _: None) == {}
    claims = {"simulated": False, "run": "other-00000000", "counts": {"answers": 99}, "registered": {"plan": "1" * 64}}
    odd = said("claims", lambda m: (m.update(claims), m["hashes"].update(plan="0" * 64)))
    assert odd.keys() == {"manifest of the bundle"}
    for words in ("counts 99 answers", "simulated", "registration", "SHA-256 of its plan", "and not other-00000000"):
        assert words in odd["manifest of the bundle"]
    with pytest.raises(FileProblems, match="counts, cells: not as promptlab writes them"):
        said("shapes", lambda m: m.update(counts=3, cells=[]))


def test_answers_left_out_of_a_bundle_are_missed(honest: Path, tmp_path: Path) -> None:
    run = copy(honest, tmp_path)
    rows_changed(run, "calls", lambda row: None if "career" in row["messages"] else row)
    rows_changed(run, "trials", lambda row: None if row["role"] == "stimulus" else row)
    rows, _ = audited.of_bundle(bundle_of(run, tmp_path / "answers"))
    assert {row.what: row.found for row in rows if row.says == DIFFERS} == {
        "answers to planned trials": "16 of 64 have none; the author's run was complete"
    }


def test_a_run_whose_hurting_items_are_dropped_has_no_verdict(honest: Path, tmp_path: Path) -> None:
    run = copy(honest, tmp_path)
    next(cheat for cheat in CHEATS if cheat.name.startswith("items where it hurt dropped")).do(run)
    over = [c for c in api.report(run).comparisons if c.task is None and c.scope == "stimulus"]
    assert over
    assert {(c.verdict, c.status) for c in over} == {("refused", "missing_pairs")}


def test_the_experiment_is_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that checks and bundles of an own task need no particular folder."""
    monkeypatch.chdir(tmp_path)
    test_judge.file_of(tmp_path, items=2)
    run = Run(run_sweep(resolve(Path("small.yaml")), tmp_path / "runs", None, Execution(), lambda _: None).folder)
    monkeypatch.chdir("/")
    assert run.experiment_file == tmp_path / "small.yaml"
    assert unchecked(run) == []


def screened(folder: Path) -> Path:
    return experiment(
        folder,
        name="screened",
        models="  - sim/planted",
        stimuli="emotionprompt/EP01, emotionprompt/EP02, emotionprompt/EP03",
        items=40,
        more="confirm: 0.5\n",
    )


def looked(folder: Path) -> Path:
    return experiment(folder, name="looked", models="  - sim/planted", items=40, more="analysis: {looks: 2}\n")


def choices_forged(run: Path) -> None:
    rows = json.loads((run / "looks.json").read_text())
    for row in rows.get("screening", ()):
        row["chosen"] = not row["chosen"]
    for row in rows.get("looks", ()):
        row["decision"] = "futility"
    (run / "looks.json").write_text(json.dumps(rows))


def moved_to_the_first_part(run: Path) -> None:
    plan = Run(run).plan
    start = plan.confirm.order if plan.confirm else plan.looks[0].order
    rows_changed(run, "trials", lambda row: {**row, "order": row["order"] - start} if row["order"] >= start and not row["score"] else row)
    rechained(run)


@pytest.mark.long(but=1)
@pytest.mark.parametrize("made", [screened, looked])
@pytest.mark.parametrize("workers", [1, 2])
def test_choices_on_the_way_are_made_again(tmp_path: Path, made: Callable[[Path], Path], workers: int) -> None:
    study = resolve(made(tmp_path))
    few = Execution(max_tokens=3_000)
    assert failures(Run(run_sweep(study, tmp_path / "runs", None, few, lambda _: None).folder)) == [], "in progress"
    run = run_sweep(study, tmp_path / "runs", None, Execution(workers=workers), lambda _: None).folder
    assert failures(Run(run)) == []
    assert api.report(run).failed == (), "a report of one part is checked against the whole run"
    cheats = [lambda f: (f / "looks.json").unlink(), choices_forged, moved_to_the_first_part]
    for number, cheat in enumerate(cheats if workers == 1 else ()):
        forged = copy(run, tmp_path / str(number))
        cheat(forged)
        assert failures(Run(forged)), number


def test_gate_history_and_compare_know_it(honest: Path, tmp_path: Path) -> None:
    run = copy(honest, tmp_path)
    rows_changed(run, "trials", flipped)
    with pytest.raises(RunProblem, match="fails its audit"):
        gate(Run(run), "emotionprompt/EP02")
    with pytest.raises(RunProblem, match="fails its audit"):
        api.compare(run, "none", "emotionprompt/EP02")
    assert "fails its audit" in " ".join(api.compare(run, "none", "emotionprompt/EP02", force=True).notes)
    [entry] = history("small", tmp_path)
    assert entry.state == "fails its audit"


def test_a_reviewer_checks_a_bundle_as_the_page_says(honest: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```console\n(.*?)```", page, re.S)
    told = [["cache", "export", str(honest), "--to", "answers"], *(shlex.split(line, comments=True)[1:] for line in block.splitlines())]
    for words in told:
        command = [word.replace("runs/NAME", f"runs/{honest.name}") for word in words]
        done = runs.run(*command, cwd=tmp_path, env={"PROMPTLAB_HOME": str(tmp_path / "home")} if command[1] != "export" else None)
        assert done.returncode == 0, (command, done.stderr)


def table() -> str:
    head = ["| cheat | `report` refuses | `audit` differs | what else |", "|---|---|---|---|"]
    words = {True: "yes", False: "no"}
    return "\n".join([*head, *(f"| {c.name} | {words[c.report]} | {words[c.audit]} | {c.otherwise or '-'} |" for c in CHEATS)])


def test_the_page_holds_the_table() -> None:
    page = (ROOT / "docs" / "reference" / "audit-checks.md").read_text(encoding="utf-8")
    assert table() in page, table()
    assert len(CHEATS) >= 15


@pytest.mark.long
def test_commands_refuse_and_force_says_why(honest: Path, tmp_path: Path) -> None:
    folder = copy(honest, tmp_path / "runs")
    asked = runs.run("audit", str(folder), "--ask", "5")
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert "5 of 5 sent again have the recorded score" in asked.stdout
    changed(folder, "plan.json", lambda plan: plan["margins"].update(mean=0.5))
    path = experiment(tmp_path, models="  - sim/planted", items=8)
    for command in (["report", str(folder)], ["export", str(folder)], ["sweep", str(path), "--runs", str(tmp_path / "runs")]):
        done = runs.run(*command)
        assert done.returncode == 1, command
        assert "fails its audit" in done.stderr
        forced = runs.run(*command, "--force")
        assert "FAILS ITS AUDIT" in forced.stdout.upper(), command
    assert runs.run("audit", str(folder)).returncode == 1


def test_what_is_sent_again_in_vain_says_why() -> None:
    asked = audited.Asked(0, 0, 0, 0, None, "3 others brought no score, the last: request: HTTP 307: the address redirects to x")
    assert (asked.row.says, "HTTP 307" in asked.row.found) == (UNKNOWN, True)
    assert "p =" not in asked._replace(n_aa=5, same_aa=5).row.found


def test_a_report_says_whose_word_the_times_are() -> None:
    said = [Evidence(4, n, n, (), n, "a" if n else None, "b" if n else None, "c", "d").words for n in (0, 1, 4)]
    assert ["the author's word" in words for words in said] == [True, True, False]
    assert "no provider dated them" in said[0]
    assert "no provider dated 3 of them" in said[1]
