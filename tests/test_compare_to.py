"""A comparison with an earlier run that the file plans: a verdict in the family, old answers counted, and clear refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptlab import api
from promptlab.nouns.errors import FileProblems
from promptlab.planning.audit import MATCHES, audit
from promptlab.planning.plan import make_plan
from promptlab.planning.resolve import resolve
from promptlab.record.store import Run
from promptlab.reporting import build, to_html, to_json, to_markdown
from promptlab.reporting.audited import of_run
from promptlab.reporting.checked import failures
from promptlab.reporting.prepared import Store
from promptlab.running.progress import Execution
from promptlab.running.sweep import Sweep, run_sweep

FIRST = """
name: first
question: Which prompt?
tasks: [sentiment]
models: [sim/factors]
prompts: {current: "{instruction}\\n{input}", expert: "You are a careful annotator. {instruction}\\n{input}"}
items: 60
seed: 3
"""
SECOND = FIRST.replace("name: first", "name: second").replace("expert:", "better:").replace("careful", "very careful")
TEXTS = """
name: texts
question: Which sentence?
tasks: [sum, antonyms]
models: [sim/planted]
stimuli: [emotionprompt/EP02]
controls: {per_stimulus: 1}
items: 50
seed: 3
"""


def swept(folder: Path, text: str, **how: Any) -> Sweep:
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return run_sweep(resolve(path), folder / "runs", folder / "cache", Execution(**how), lambda _: None)


@pytest.mark.long
def test_arms_of_an_earlier_run_are_judged_in_the_planned_family_and_old_answers_are_counted(tmp_path: Path) -> None:
    first = swept(tmp_path, FIRST).folder
    done = swept(tmp_path, f"{SECOND}compare_to: runs/{first.name}\n")
    run = Run(done.folder)
    report = build(run)
    name = f"expert@{first.name}"
    [found] = [c for c in report.comparisons if c.treatment == name]
    assert (found.verdict != "refused", found.n_family, found.n_pairs, found.n_missing) == (True, 3, 60, 0)
    ours, theirs = run.trials(), Run(first).trials()
    old, today = theirs[theirs["base_prompt"] == "expert"], ours[(ours["base_prompt"] == "current") & (ours["arm"] == "none")]
    assert found.diff == pytest.approx(old["score"].mean() - today["score"].mean())
    assert report.n_old == 120, "the incumbent and its repeat did not change"
    assert (report.n_trials, report.complete) == (180, True)
    written = json.loads(to_json(report))
    assert {row["arm"] for row in written["summary"]} == {"current", "better", name, f"current@{first.name}"}
    assert written["older_answers"] == 120
    for text in (to_html(report), to_markdown(report)):
        assert "120 of 180 answers of this run are older than it" in text.replace("\\", "")
    assert Store.of(done.folder).report.of("arm")
    assert {check.says for check in audit(run)} == {MATCHES}
    shutil.rmtree(first)
    gone = build(run)
    assert [c.verdict for c in gone.comparisons if c.treatment == name] == ["refused"]
    assert any("is not there any more" in said for said in written["headline"]) is False
    assert "is not there any more" in to_markdown(gone)


def test_a_run_with_an_earlier_one_passes_its_audit_and_is_resumed(tmp_path: Path) -> None:
    first = swept(tmp_path, FIRST).folder
    text = f"{SECOND}compare_to: runs/{first.name}\n"
    done = swept(tmp_path, text).folder
    assert failures(Run(done)) == []
    assert {row.says for row in of_run(Run(done))} == {MATCHES}
    written = api.report(done)
    assert "FAILS" not in written.to_html()
    assert swept(tmp_path, text).state == "complete"


@pytest.mark.long
def test_arms_that_were_known_on_both_sides_have_no_verdict_unless_the_earlier_plan_held_it(tmp_path: Path) -> None:
    third = 'third: "Third. {instruction}\\n{input}"'
    first = swept(tmp_path, FIRST.replace('{input}"}', '{input}", ' + third + "}")).folder
    earlier = f"compare_to: runs/{first.name}\n"
    status = {c.treatment: c.status for c in build(Run(swept(tmp_path, SECOND + earlier).folder)).comparisons}
    assert status[f"expert@{first.name}"] != "after_the_data", "the earlier plan held it, among fewer"
    chosen = SECOND.replace("current:", "incumbent:").replace('"{instruction}', '"Third. {instruction}')
    report = build(Run(swept(tmp_path, chosen.replace("name: second", "name: chosen") + earlier).folder))
    status = {c.treatment: c.status for c in report.comparisons}
    assert status[f"expert@{first.name}"] == "after_the_data", "the incumbent is an arm that was judged already"
    assert status[f"third@{first.name}"] != "after_the_data", "the same requests on both sides"


def test_added_texts_of_an_earlier_run_are_arms_too_also_where_arms_are_screened(tmp_path: Path) -> None:
    first = swept(tmp_path, TEXTS).folder
    text = TEXTS.replace("name: texts", "name: more").replace("[emotionprompt/EP02]", "[emotionprompt/EP03, emotionprompt/EP04]")
    done = swept(tmp_path, f"{text}confirm: 0.5\ncompare_to: runs/{first.name}\n")
    report = build(Run(done.folder))
    [found] = [c for c in report.of("stimulus") if c.treatment == f"emotionprompt/EP02@{first.name}"]
    assert (found.verdict, found.n_pairs) == ("helps", 50), found.sentence
    assert found.n_family == len({c.treatment for c in report.of("stimulus", control="none")})
    assert {row.treatment for row in report.screening} == {"emotionprompt/EP03", "emotionprompt/EP04"}
    again = make_plan(resolve(tmp_path / "x.yaml"))
    assert again == Run(done.folder).plan.read(json.loads(json.dumps(again.plain()))) or again.earlier == Run(done.folder).plan.earlier


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("runs/RUN", "runs/nothing"), "there is no such run"),
        (("seed: 3", "seed: 4"), "of these items, or in other words"),
        (("[sentiment]", "[antonyms]"), "asked other items"),
        (("seed: 3", "seed: 3\nscorer: reference"), "was scored by strict, and this file says reference"),
        (("sim/factors", "sim/null"), "asked sim/factors, and none of these models"),
        (("seed: 3", "seed: 3\nreplicates: 2"), "asked each item 1 time, and this file says 2"),
        (("state", "state"), "is budget; finish it first"),
    ],
)
def test_what_cannot_be_paired_is_a_problem(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    unfinished = {"max_tokens": 800} if change[0] == "state" else {}
    first = swept(tmp_path, FIRST, **unfinished).folder
    text = f"{SECOND}compare_to: runs/RUN\n".replace(*change).replace("runs/RUN", f"runs/{first.name}")
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FileProblems) as problems:
        resolve(tmp_path / "x.yaml")
    assert f"compare_to: {first.name}" in str(problems.value) or "nothing" in change[1]
    assert said in str(problems.value)
