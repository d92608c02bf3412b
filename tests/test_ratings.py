"""People's ratings: a blind random sample, durable lines, sheets and tables, and the verdicts that they anchor."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import runs
from promptlab.nouns.errors import FileProblems, UsageProblem
from promptlab.planning.resolve import resolve
from promptlab.record.ratings import COLUMNS, Rating, add, from_csv, ratings_of, rows_of, unlike
from promptlab.record.ratings import file_of as lines_of
from promptlab.record.store import Run
from promptlab.reporting import audited
from promptlab.reporting.build import build, comparison_frame
from promptlab.reporting.decide import cautions
from promptlab.reporting.formats import written
from promptlab.reporting.judged import LEAST_RATED, unvalidated
from promptlab.reporting.people import ATTENTION, people
from promptlab.reporting.rating import from_sheet, left, repeatability, schedule, sheet, units
from promptlab.running import bundle
from promptlab.running.cache import Cache
from test_browser import browser, viewed
from test_judges import file_of, judge_of, sweep, verdict_of

__all__ = ["browser"]
CHROMIUM = shutil.which("chromium")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
KINDS = ("attention", "repeat")
HIDDEN = ("emotionprompt", "EP02", "placebo", "none_aa", "baseline", "reader", "stimulus")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Made before a browser runs, whose loop is this thread's."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("rubric", "pairwise")}
    made = {kind: file_of(folder, judge_of(kind, "reader"), items=60) for kind, folder in folders.items()}
    return {kind: sweep(resolve(path), path.parent, "runs")[1] for kind, path in made.items()}


@pytest.fixture(scope="module")
def made(both: dict[str, Run]) -> Path:
    """What the browser waits for: the runs that are made before it."""
    return both["rubric"].folder


@pytest.fixture(params=["rubric", "pairwise"])
def run(both: dict[str, Run], request: pytest.FixtureRequest) -> Run:
    return both[request.param]


@pytest.fixture
def own(run: Run, tmp_path: Path) -> Run:
    """A copy without ratings."""
    return Run(Path(shutil.copytree(run.folder, tmp_path / run.id, ignore=shutil.ignore_patterns("ratings"))))


@pytest.mark.parametrize("ms", ["x", True, -1, 10**30, 1.5, float("nan")])
def test_a_sheet_with_a_time_that_is_none_is_refused_and_so_is_one_that_contradicts_itself(own: Run, ms: Any) -> None:
    unit = units(own, 3)[0]
    value = "A" if unit.is_pair else 3
    said = {"unit": unit.token("r1"), "digest": unit.digest, "values": dict.fromkeys(unit.judging.rubrics, value), "ms": 1000}

    def read(*rows: dict[str, Any]) -> list[Rating]:
        return from_sheet(Path("a.json"), json.dumps({"rater": "r1", "ratings": rows}), own)

    assert len(read(said)) == 1
    for odd in ([{**said, "ms": ms}], [{**said, "at": [1]}], [said, said]):
        with pytest.raises(FileProblems):
            read(*odd)


def test_a_folder_that_vanishes_while_it_is_rated_is_told_and_no_traceback(own: Run) -> None:
    from streamlit.testing.v1 import AppTest

    def page(folder: str) -> None:
        from pathlib import Path

        from promptlab.explorer import rating

        rating.show(Path(folder), rater="r1", items=3)

    shown = AppTest.from_function(page, kwargs={"folder": str(own.folder)}, default_timeout=60).run()
    own.folder.rename(own.folder.with_name("elsewhere"))
    shown = next(button for button in shown.button if button.label in ("3", "Tie")).click().run()
    assert not shown.exception
    assert "cannot be written" in " ".join(str(one.value) for one in (*shown.error, *shown.warning, *shown.text, *shown.markdown))


def test_many_ratings_are_one_chain_however_they_are_added(own: Run) -> None:
    unit = units(own, 3)[0]
    value = "A" if unit.is_pair else 3
    of = [unit.rating(rater, dict.fromkeys(unit.judging.rubrics, value)) for rater in ("r1", "r1", "r2", "r1")]
    add(own.folder, *of)
    for one in of:
        add(own.folder, one)
    assert unlike(own.folder) == []
    assert [len(lines_of(own.folder, rater).read_bytes().splitlines()) for rater in ("r1", "r2")] == [6, 2]
    assert {one.rater for one in ratings_of(own.folder)} == {"r1", "r2"}


def test_a_table_of_ratings_has_each_column_once() -> None:
    with pytest.raises(FileProblems, match="two columns have one name: value"):
        from_csv(Path("a.csv"), "rater,trial_a,value,value\nr1,x,1,5\n")
    [one] = from_csv(Path("a.csv"), f"rater,trial_a,value,ms\nr1,x,1,{'9' * 5000}\n")
    assert one.ms is None


def test_a_sample_is_random_the_same_for_all_and_a_larger_one_adds_to_it(run: Run) -> None:
    few, many = units(run, 10), units(run, 30)
    assert many[: len(few)] == few
    items = [unit.question for unit in many]
    assert len(set(items)) == 30
    assert items != sorted(items)
    per_item = 1 if many[0].is_pair else 2
    assert len(many) == 30 * per_item
    orders = [schedule(many, rater) for rater in ("a", "b")]
    assert [unit.id for unit in orders[0]] != [unit.id for unit in orders[1]]
    for order in orders:
        kinds = [unit.kind for unit in order]
        assert sorted(u.id for u in order if u.kind == "rate") == sorted(u.id for u in many)
        assert kinds.count("attention") == ATTENTION
        assert kinds.count("repeat") == len(many) // 10
    if many[0].is_pair:
        sides = [unit.trials[0] in {u.trials[0] for u in many} for unit in orders[0] if unit.kind == "rate"]
        assert 5 < sum(sides) < 25, "sides are drawn"
    with pytest.raises(UsageProblem, match="no arm 'EP03'"):
        units(run, 3, ["EP03"])


def test_a_mask_hides_the_arm_that_an_answer_repeats(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {arm.name: arm.text for arm in run.plan.arms if arm.text}
    trials = run.trials()
    echoed = [f"{answer} {said[arm]}" if arm in said else answer for answer, arm in zip(trials["answer"], trials["arm"], strict=True)]
    monkeypatch.setattr(Run, "trials", lambda self, **_: trials.assign(answer=echoed))
    shown, masked = ("\n".join(text for unit in units(run, 5, mask=mask) for text in unit.answers) for mask in (False, True))
    stimuli = [arm.text for arm in run.plan.arms if arm.role == "stimulus" and arm.text]
    assert all(text in shown and text not in masked for text in stimuli)
    assert masked.count("[...]") == sum(shown.count(text) for text in stimuli) > 0
    sample = units(run, 5, mask=True)
    unit = sample[-1]
    value = "A" if unit.is_pair else unit.judging.low
    row = {"unit": unit.token("r1"), "values": dict.fromkeys(unit.judging.rubrics, value), "digest": unit.digest}
    given = json.dumps({"rater": "r1", "ratings": [row]})
    assert [one.unit for one in from_sheet(Path("s.json"), given, run)] == [unit.id], "whatever the sheet was made with"


def test_a_run_without_a_judge_has_nothing_to_rate(tmp_path: Path) -> None:
    _, plain = sweep(resolve(runs.experiment(tmp_path, items=5)), tmp_path, "runs")
    with pytest.raises(UsageProblem, match="ratings are of tasks with the metric rubric or pairwise"):
        units(plain, 5)


def test_lines_are_durable_undone_by_later_ones_and_survive_a_cut(tmp_path: Path) -> None:
    one = Rating("r1", "u1", "rate", {"": 4}, "t1")
    add(tmp_path, one)
    add(tmp_path, replace(one, values={"": 2}))
    add(tmp_path, Rating("r1", "u2", "rate", {}, "t2"))
    with lines_of(tmp_path, "r1").open("a") as file:
        file.write('{"rater": "r1", "unit": "u3", "ki')
    assert [(r.unit, dict(r.values)) for r in ratings_of(tmp_path)] == [("u1", {"": 2}), ("u2", {})]
    add(tmp_path, Rating("r1", "u2", "rate", {}, undone=True))
    add(tmp_path, Rating("r2", "u1", "rate", {"": 5}, "t1", more={"later": 1}))
    assert [(r.rater, r.unit) for r in ratings_of(tmp_path)] == [("r1", "u1"), ("r2", "u1")]
    assert ratings_of(tmp_path, "r2")[0].more == {"later": 1}
    with pytest.raises(UsageProblem, match="a rater is a token"):
        add(tmp_path, replace(one, rater="../x"))


@pytest.mark.parametrize(
    "line",
    [
        "[" * 9999,
        "[1]",
        '{"rater": "r1"}',
        '{"rater": "r1", "unit": {}, "kind": "rate", "values": {}}',
        '{"rater": "r1", "unit": "u", "kind": "rate", "values": [1]}',
        '{"rater": "r1", "unit": "u", "kind": "rate", "values": {"": [1]}}',
        '{"rater": "r1", "unit": "u", "kind": "rate", "values": {"": 1}, "ms": "soon"}',
    ],
)
def test_a_line_that_is_no_rating_is_left_out(line: str, tmp_path: Path) -> None:
    add(tmp_path, Rating("r1", "u1", "rate", {"": 4}))
    with lines_of(tmp_path, "r1").open("a") as file:
        file.write(f"{line}\n")
    assert [one.unit for one in ratings_of(tmp_path)] == ["u1"]


@pytest.mark.parametrize("kind", ["pipe", "no text", "none"])
def test_what_is_no_file_of_ratings_is_refused(kind: str, own: Run, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "no text":
        path.write_bytes(b"\xff\xfe\x00")
    done = runs.run("rate", str(own.folder), "--import", str(path))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


def rated(run: Run, rater: str = "r1", n: int = 30) -> list[Rating]:
    return [
        unit.rating(rater, dict.fromkeys(unit.judging.rubrics, "tie" if unit.is_pair else 3), ms=900)
        for unit in schedule(units(run, n), rater)
    ]


def in_csv(ratings: list[Rating]) -> str:
    return written(pd.DataFrame(rows_of(ratings), columns=COLUMNS, dtype=object), ".csv").decode()


def test_no_rating_of_a_foreign_run_is_a_formula() -> None:
    text = in_csv([Rating("r1", '=HYPERLINK("http://x")', "rate", {"@SUM(1)": "\ud800"}, trial_a="+1+1")])
    assert """r1,"'=HYPERLINK(""http://x"")",rate,'@SUM(1),\\ud800,,'+1+1""" in text


def test_odd_lines_and_long_cells_are_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "ratings").mkdir()
    for said in ('["x", 1]', "5", "[]", "[1.5, 'x']", '[null, "x"]', '"ab"', "null", '[1, "x", 2]'):
        (tmp_path / "ratings" / "r1.jsonl").write_text(f'{{"others": {{"r2": {said}}}}}\n')
        assert unlike(tmp_path) == []
    (tmp_path / "ratings" / "r1.jsonl").write_text('{"others": {"r2": [1, "x"]}}\n')
    assert len(unlike(tmp_path)) == 1
    for cell, said in (("u" * 900_000, ""), ('"u', "not CSV"), ("u" * 2**24 + "u", "field larger than field limit")):
        text = f"rater,unit,value\nr1,{cell},3\n"
        with pytest.raises(FileProblems, match=said) if said else nullcontext():
            assert len(from_csv(tmp_path / "x.csv", text)) == 1


def test_a_table_out_and_in_again(own: Run) -> None:
    made = rated(own)
    again = from_csv(Path("x.csv"), in_csv(made))
    assert [(r.unit, r.kind, dict(r.values), r.trial_a, r.trial_b, r.ms) for r in again] == [
        (r.unit, r.kind, dict(r.values), r.trial_a, r.trial_b, r.ms) for r in made
    ]
    with pytest.raises(FileProblems, match="has no column value"):
        from_csv(Path("x.csv"), "rater,unit\nr1,u1\n")
    with pytest.raises(FileProblems, match="expected a rater's token"):
        from_csv(Path("x.csv"), "rater,unit,value\n../x,u1,3\n")


def test_ratings_from_a_spreadsheet_need_a_trial_and_a_value(own: Run) -> None:
    unit = units(own, 1)[0]
    pair = f"rater,trial_a,trial_b,value\nann,{unit.trials[0]},{(*unit.trials, '')[1]},{'A' if unit.is_pair else 4}\n"
    found = people(from_csv(Path("x.csv"), pair), own.plan, own.trials())
    assert found.by_trial[unit.trials[0]] == (1 if unit.is_pair else 0.75)


def test_a_sheet_round_trip_and_what_is_wrong_with_one(own: Run) -> None:
    sample = units(own, 12)
    order = schedule(sample, "r7")
    page = sheet(order, "r7", "Rating")
    assert not any(word in page for word in (*HIDDEN, *map(json.dumps, KINDS)))
    shown = [u.token("r7") for u in order]
    assert len(set(shown)) == len(shown), "what is shown again has another name"
    assert shown != [u.token("r8") for u in order]
    rows = [{"unit": u.token("r7"), "digest": u.digest, "values": {"": "A" if u.is_pair else 5}, "ms": 5} for u in order]
    earlier = [{**row, "unit": u.id, "kind": u.kind} for row, u in zip(rows, order, strict=True)]
    for text in (json.dumps({"rater": "r7", "ratings": each}) for each in (earlier, rows)):
        read = from_sheet(Path("a.json"), text, own)
        assert [(r.unit, r.kind, r.trial_a) for r in read] == [(u.id, u.kind, u.trials[0]) for u in order]
    other = text.replace(order[0].digest, "0" * 12, 1)
    for wrong, said in (
        ("{", "saved"),
        ("[]", "saved"),
        (other, "shows no such answers"),
        (text.replace(shown[0], "zz"), "shows no such answers"),
    ):
        with pytest.raises(FileProblems, match=said):
            from_sheet(Path("a.json"), wrong, own)


@pytest.mark.long(but=1)
def test_by_command_simulated_raters_anchor_the_verdict(own: Run) -> None:
    before = verdict_of(own)
    assert before.sentence.endswith("which was not validated.")
    assert any("not validated by people" in text for text in cautions(build(own))), "the first screen says so as well"
    env = {"PROMPTLAB_HOME": str(own.folder.parent / "home")}
    for rater in ("s1", "s2"):
        done = runs.run("rate", str(own.folder), "--rater", rater, "--simulate", "careful", "--items", "40", env=env)
        assert done.returncode == 0, done.stderr
        assert "SIMULATED" in done.stdout
    after = verdict_of(own)
    assert after.sentence.startswith("By 40 human and 60 judge labels, emotionprompt/EP02")
    assert after.method == "prediction-powered t"
    assert abs(after.diff - before.diff) < 0.2
    assert verdict_of(own, control="placebo").sentence.endswith("which was not validated."), "nobody rated the neutral sentences"
    report = build(own)
    from promptlab.reporting.rows import beside_tables

    assert "Agreement" in [table.title for table in beside_tables(report)]
    seen = repeatability(own)
    assert list(seen["ratings"]) == [len(units(own, 40))] * 2
    table = own.folder.parent / "ratings.csv"
    assert runs.run("rate", str(own.folder), "--export", str(table), env=env).returncode == 0
    assert len(table.read_text().splitlines()) > 80


def test_ratings_travel_in_a_bundle_and_anchor_the_reviewers_verdict(own: Run, tmp_path: Path) -> None:
    answers = runs.run("rate", str(own.folder), "--simulate", "careful", "--items", "40", env={"PROMPTLAB_HOME": str(tmp_path / "home")})
    assert answers.returncode == 0, answers.stderr
    folder = tmp_path / "answers"
    assert runs.run("cache", "export", str(own.folder), "--to", str(folder)).returncode == 0
    bundle.import_bundle(folder, cache := Cache(tmp_path / "cache"))
    cache.close()
    again = audited.replayed(resolve(folder / "experiment.yaml"), tmp_path, {})
    assert (again.id, len(ratings_of(again.folder))) == (own.id, len(ratings_of(own.folder)))
    assert again.manifest.ratings == Run(own.folder).manifest.ratings
    one, other = (comparison_frame(build(run)) for run in (Run(own.folder), again))
    assert one["method"].eq("prediction-powered t").any()
    assert one.equals(other)


def test_too_few_ratings_decide_nothing(own: Run) -> None:
    for n, one in enumerate(rated(own, n=LEAST_RATED - 5)):
        value = ("A", "tie")[n % 2] if one.trial_b else 3 + n % 2
        add(own.folder, replace(one, values=dict.fromkeys(one.values, value)))
    found = verdict_of(own)
    assert found.method != "prediction-powered t"
    assert f"only {LEAST_RATED - 5} rated items check it" in found.sentence
    said = f"which {LEAST_RATED - 5} rated items do not validate yet ({LEAST_RATED} are needed)"
    assert any(said in text for text in cautions(build(own))), "the first screen says how many are missing"
    one = [replace(found, sentence="only 1 rated item checks it", task=None)]
    assert "which 1 rated item does not validate yet" in unvalidated(one, own.plan)[0]


def test_what_is_left_and_what_steadiness_shows(own: Run) -> None:
    made = rated(own)
    order = schedule(units(own, 30), "r1")
    assert left(order, made) == []
    assert len(left(order, made[:-3])) == 3
    for one in made:
        add(own.folder, one)
    [row] = repeatability(own).to_dict("records")
    assert row["the same again"] == row["repeats"]
    assert row["seen"] == (2 if made[0].trial_b else 0), "all ties see equal answers, all 3s no spoilt one"


@pytest.mark.long
@pytest.mark.browser
@in_chromium
def test_40_ratings_by_keyboard_and_none_is_lost_when_the_server_is_killed(own: Run, browser: Any) -> None:
    keys = "abt" if units(own, 1)[0].is_pair else "12345"
    arguments = (str(own.folder), "--rater", "r1", "--items", "40")
    started = time.monotonic()

    def press(page: Any, until: int) -> None:
        """One key for each rating; a key that comes before the page listens is pressed again."""
        page.get_by_role("button", name="Cannot judge").wait_for(timeout=90_000)
        assert page.get_by_text("1: worst, 5: best").count() == (keys == "12345")
        while (n := len(ratings_of(own.folder, "r1"))) < until:
            page.get_by_text(f"{n} of ", exact=False).first.wait_for(timeout=90_000)
            page.keyboard.press(keys[n % len(keys)])
            deadline = time.monotonic() + 1
            while len(ratings_of(own.folder, "r1")) == n and time.monotonic() < deadline:
                time.sleep(0.01)
            assert time.monotonic() - started < 120, page.inner_text("body")

    def undone(page: Any, n: int) -> None:
        deadline = time.monotonic() + 60
        while len(ratings_of(own.folder, "r1")) == n:
            page.keyboard.press("u")  # again where the page did not listen yet
            again = time.monotonic() + 3
            while len(ratings_of(own.folder, "r1")) == n and time.monotonic() < again:
                time.sleep(0.01)
            assert time.monotonic() < deadline
        assert len(ratings_of(own.folder, "r1")) == n - 1

    sent: list[Any] = []
    with viewed(*arguments, cwd=own.folder.parent, command="rate") as there:
        page = browser.new_page()
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sent.append(frame)))  # noqa: PLW0108
        page.goto(there)
        press(page, 8)
        html = page.content() + "".join(part if isinstance(part, str) else part.decode("utf-8", "replace") for part in sent)
        assert "Question" in "".join(part.decode("utf-8", "replace") for part in sent if isinstance(part, bytes))
        hidden = (*HIDDEN, *KINDS, own.id)
        assert not any(word in html for word in hidden), [word for word in hidden if word in html]
        if "a" in keys:
            undone(page, 8)
        for line in Path("/proc").glob("[0-9]*/cmdline") if Path("/proc").is_dir() else ():
            with_it = line.read_bytes() if line.exists() else b""
            if b"promptlab.explorer.serve" in with_it and str(own.folder).encode() in with_it:
                os.kill(int(line.parent.name), signal.SIGKILL)
        page.close()
    assert len(ratings_of(own.folder, "r1")) == (7 if "a" in keys else 8)
    if "a" in keys:
        return  # one kind shows that a new server goes on
    with viewed(*arguments, cwd=own.folder.parent, command="rate") as there:
        page = browser.new_page()
        page.goto(there)
        press(page, 40)
        undone(page, 40)
        page.close()
    assert time.monotonic() - started < 120


@pytest.mark.long
@pytest.mark.browser
@in_chromium
def test_a_sheet_in_a_browser(own: Run, browser: Any, tmp_path: Path) -> None:
    sample = units(own, 10)
    order = schedule(sample, "r9")
    (tmp_path / "sheet.html").write_text(sheet(order, "r9", "Rating <b>"), encoding="utf-8")
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto((tmp_path / "sheet.html").as_uri())
    for n in range(len(order)):
        page.keyboard.press(("abt" if order[0].is_pair else "12345")[n % 3])
        if n == 4:
            page.keyboard.press("u")
            page.keyboard.press("x")
    with page.expect_download() as saved:
        page.click("#save")
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    found = from_sheet(Path("a.json"), text, own)
    assert [(r.unit, r.kind) for r in found] == [(u.id, u.kind) for u in order]
    assert found[4].values == {}
    assert not complaints


@pytest.mark.long
@pytest.mark.browser
@in_chromium
def test_hostile_answers_on_a_sheet_are_text_and_leave_the_keys_in_sight(browser: Any, both: dict[str, Run], tmp_path: Path) -> None:
    unit = units(both["pairwise"], 1)[0]
    hostile = "</script><script>document.title = 'taken'</script><img src=http://attacker.test/x>\u202e\u05e9\u05dc\u05d5\u05dd"
    texts = [(hostile, "x" * 100_000), ("word " * 20_000, "")]
    named = replace(unit.judging, rubrics={"constructor": "Is it?", "2": "And this?"})
    shown = [replace(unit, question=hostile, answers=answers, judging=named) for answers in texts]
    (tmp_path / "sheet.html").write_text(sheet(shown, "r1", "Rating"), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("file:") else None)
    page.goto((tmp_path / "sheet.html").as_uri())
    assert page.title() == "Rating"
    assert "</script><script>document.title" in page.inner_text("#page")
    assert "x" * 100_000 in page.inner_text("#page")
    assert page.evaluate("[document.documentElement.scrollWidth <= 390, document.documentElement.scrollHeight < 2000]") == [True, True]
    page.keyboard.press("a")  # a rubric of the first pair, which is taken back
    page.keyboard.press("u")
    assert page.locator("button.chosen").count() == 0
    page.keyboard.press("x")
    assert page.inner_text("#progress").startswith("1 of 2")
    assert "(empty)" in page.inner_text("#page")
    assert not complaints
