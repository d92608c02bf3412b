"""A report runs, loads and hides nothing: text from outside stays text in HTML, Markdown, spreadsheets and commands."""

# ruff: noqa: F811 (a fixture that is imported by name is a parameter, too)

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptlab import reporting as reports
from promptlab.record.store import Run
from promptlab.reporting import fragments
from promptlab.reporting.formats import to_csv, to_markdown
from promptlab.reporting.frozen import steps
from promptlab.reporting.html import to_html
from promptlab.reporting.summary import summaries
from reported import HOSTILE, of, parsed, planted  # noqa: F401 (fixtures)


@pytest.fixture
def hostile(planted: Path, tmp_path: Path) -> Path:
    """The same run after someone put markup into every text that comes from outside."""
    folder = tmp_path / planted.name
    shutil.copytree(planted, folder)
    plan, manifest = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("plan.json", "manifest.json"))
    for arm in plan["arms"]:
        arm["text"] = HOSTILE
    for task in plan["tasks"]:
        task["source"], task["defects"] = HOSTILE, [HOSTILE]
    manifest |= {"question": HOSTILE, "name": "=1+1", "last_error": HOSTILE, "commit": HOSTILE, "served": {"sim/planted": [HOSTILE]}}
    manifest["simulated_models"] = [HOSTILE, *manifest["simulated_models"]]
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_the_page_loads_and_runs_nothing(planted: Path) -> None:
    tags = parsed(to_html(of(planted)))
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & set(tags.names)
    policy = next(value for key, value in tags.attributes if key == "content" and value and "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert not [key for key, _ in tags.attributes if key.startswith("on") or key in ("src", "action")]
    assert not [value for key, value in tags.attributes if key in ("href", "xlink:href") and not (value or "").startswith("#")]


def test_text_from_outside_stays_text_in_html(hostile: Path) -> None:
    tags = parsed(to_html(of(hostile)))
    assert not {"script", "img"} & set(tags.names)
    assert {value for key, value in tags.attributes if key == "href"} <= {f"#{value}" for key, value in tags.attributes if key == "id"}
    assert "".join(tags.words).count("<script>alert(1)</script>") >= 8


def test_the_name_of_an_arm_neither_hides_nor_reorders_text(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        dataclasses.replace(one, rows=tuple(dataclasses.replace(row, arm="a/\x1b[31m\u202e<b>") for row in one.rows))
        for one in summaries(of(planted))
    ]
    monkeypatch.setattr(fragments, "first_summaries", lambda _: found)
    page = fragments.verdict_html(of(planted))
    assert not re.search(r"[\x1b\u202e]", page)
    assert "a/<wbr>\\x1b[31m\\u202e&lt;b&gt;" in page


def test_formulas_and_emojis_stay_text_in_markdown() -> None:
    assert reports.formats.escaped(":smile: $x$ for $0.05: a") == r"\:smile: \$x\$ for $0.05: a"


def test_text_from_outside_stays_text_in_markdown(hostile: Path) -> None:
    text = to_markdown(of(hostile))
    assert "<script" not in re.sub(r"\\<", "", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "\x1b" not in text
    tables = [[line.count(" | ") for line in part.splitlines() if line.startswith("| ")] for part in text.split("\n## ")]
    assert sum(map(bool, tables)) >= 4
    assert all(len(set(widths)) <= 1 for widths in tables), "no cell breaks out of its row"


def test_a_spreadsheet_does_not_run_cells(planted: Path) -> None:
    from dataclasses import replace

    report = of(planted)
    bad = [replace(report.comparisons[0], treatment=text) for text in ("=1+1", "+1+1", "-A1", "@x", "\t=1", " =1", "\ufeff=1")]
    rows = list(csv.DictReader(io.StringIO(to_csv(replace(report, comparisons=tuple(bad))))))
    assert [row["treatment"][0] for row in rows] == ["'"] * 7
    assert float(next(csv.DictReader(io.StringIO(to_csv(report))))["diff"]) == report.comparisons[0].diff


def test_opening_a_run_loads_no_code_that_its_folder_names(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run folder may come from anybody: a metric named in its plan is neither imported nor run as a pattern."""
    folder = shutil.copytree(planted, tmp_path / "small-00000000")
    (tmp_path / "evil.py").write_text("open('PWNED', 'w').close()\n\ndef f(answer, item): ...\n", encoding="utf-8")
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    plan["tasks"][0] |= {"metric": "evil:f", "strict": ""}
    plan["tasks"][1] |= {"metric": "regex:(a+)+$", "strict": ""}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    recorded = Run(folder).trials()
    for scorer in (None, "reference", "negativeprompt"):
        report = reports.build(Run(folder), scorer)
        for task in plan["tasks"][:2]:
            mine, was = (frame.loc[frame["task"] == task["task"], "score"] for frame in (report.trials, recorded))
            assert mine.equals(was), "such scores stay as recorded"
    assert not (tmp_path / "PWNED").exists()


def test_commands_are_quoted_for_a_shell(planted: Path) -> None:
    report = of(planted)
    odd = "my files/a; rm -rf $HOME.yaml"
    moved = dataclasses.replace(report, manifest=dataclasses.replace(report.manifest, experiment_path=odd), run="a b")
    assert [shlex.split(step.commands[0]) for step in steps(moved)][:2] == [
        ["promptlab", "sweep", odd], ["promptlab", "cache", "export", "runs/a b", "--to", "a b-answers"],
    ]  # fmt: skip


def everywhere(value: Any, keep: frozenset[str]) -> Any:
    """The same with markup in the place of every text that nothing is looked up by."""
    if isinstance(value, dict):
        return {key: part if key in keep else everywhere(part, keep) for key, part in value.items()}
    if isinstance(value, list):
        return [everywhere(part, keep) for part in value]
    return HOSTILE if isinstance(value, str) else value


def test_no_text_of_plan_or_manifest_becomes_markup(planted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(planted, tmp_path / planted.name)
    names = frozenset({
        "task", "arm", "role", "name", "family", "scope", "model", "treatment", "library", "control", "placement", "strategy", "metric",
        "strict", "suite", "stimuli_of", "placebos_of", "scorer", "position", "low", "settings", "hypotheses", "state", "models",
        "generalise", "neutral", "options",
    })  # fmt: skip
    plan, manifest = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("plan.json", "manifest.json"))
    models = [everywhere(model, frozenset({"name"})) for model in plan["models"]]
    (folder / "plan.json").write_text(json.dumps({**everywhere(plan, names), "models": models}), encoding="utf-8")
    kept = {key: manifest[key] for key in ("state", "simulated_models")}
    manifest["models"] = {name: everywhere(model, frozenset()) for name, model in manifest["models"].items()}
    (folder / "manifest.json").write_text(json.dumps({**everywhere(manifest, frozenset({"models"})), **kept}), encoding="utf-8")
    plain, page = parsed(to_html(of(planted))), parsed(to_html(of(folder)))
    assert set(page.names) <= set(plain.names)
    assert page.names.count("svg") == plain.names.count("svg")
    assert "".join(page.words).count("<script>alert(1)</script>") > 40
    assert "\x1b" not in "".join(page.words)
