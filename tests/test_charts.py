"""Charts never show an effect without its interval, a simulated one without saying so, or text as markup."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest

from promptlab.explorer.take import NARROW, fitted
from promptlab.nouns.comparison import Comparison
from promptlab.nouns.setting import Setting
from promptlab.nouns.words import AA_ARM, CONTROLS, OUTCOMES, ROLES, VERDICTS, Control, Outcome, Role, Verdict
from promptlab.reporting import charts

ONE = Comparison(
    scope="stimulus", family="f", n_family=2, model="m", simulated=False, suite="twin", task=None,
    setting=Setting("paper"), control="placebo", control_arms=("placebo/a",), treatment="emotionprompt/EP02", library="emotionprompt",
    n_planned=60, n_pairs=58, n_missing=2, n_tasks=2, mean_control=0.5, mean_treatment=0.6, diff=0.1, ci_low=0.02, ci_high=0.18,
    gained=8, lost=2, p_value=0.01, p_adjusted=0.02, p_tost=None, p_tost_adjusted=None, margin=0.02, mde=0.08, method="t",
    ci_method="t", adjustment="holm", status="ok", verdict="helps", sentence="It helps.",
)  # fmt: skip
EMPTY = replace(ONE, treatment="emotionprompt/EP03", diff=None, ci_low=None, ci_high=None, n_pairs=0, verdict="refused", status="no_data")


def words(drawn: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(drawn).iter() if element.tag.endswith("text")]


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for rows in spec["datasets"].values() for row in rows]


def test_a_forest_says_difference_interval_n_and_verdict() -> None:
    shown = words(charts.svg(charts.forest([ONE, EMPTY], "title", simulated=False)))
    assert "+10.0 (+2.0 to +18.0), n 58: helps" in shown
    assert "no data, n 0: refused" in shown
    assert "emotionprompt/EP02" in shown
    assert not any("SIMULATED" in text for text in shown)


@pytest.mark.parametrize("draw", [charts.forest, charts.matrix])
def test_simulated_stands_in_the_picture(draw: Any) -> None:
    assert any(text.startswith("SIMULATED: title") for text in words(charts.svg(draw([ONE], "title", True))))


@pytest.mark.parametrize("draw", [charts.forest, charts.matrix])
def test_pictures_hold_no_markup_from_outside_and_load_nothing(draw: Any) -> None:
    drawn = charts.svg(draw([replace(ONE, treatment="<script>alert(1)</script>&<image href='http://x'/>")], "</text><script>", False))
    elements = list(ET.fromstring(drawn).iter())
    names = {element.tag.split("}")[-1] for element in elements}
    assert not {"script", "image", "foreignObject", "a"} & names
    assert not [key for element in elements for key in element.keys() if key.endswith(("href", "src")) or key.startswith("on")]  # noqa: SIM118


def test_a_forest_is_wide_enough_for_every_interval_and_shows_zero() -> None:
    far = replace(ONE, treatment="emotionprompt/EP04", diff=-0.5, ci_low=-0.7, ci_high=-0.3, verdict="hurts")
    spec = charts.forest([ONE, far], "title", False).to_dict()
    [domain] = {tuple(layer["encoding"]["x"]["scale"]["domain"]) for layer in spec["layer"] if "scale" in layer["encoding"].get("x", {})}
    assert domain[0] < -70 < 70 < domain[1]
    assert {"x": 0} in values(spec)
    assert {"from": -2.0, "to": 2.0} in values(spec)


def test_verdicts_differ_in_shape_and_sign_not_only_in_colour() -> None:
    for part in ("colour", "shape", "sign"):
        assert len({getattr(wording, part) for wording in VERDICTS.values()}) == len(VERDICTS) == 6


def test_every_word_of_a_vocabulary_has_its_wording() -> None:
    for wording, vocabulary in ((VERDICTS, Verdict), (ROLES, Role), (OUTCOMES, Outcome)):
        assert list(wording) == list(get_args(vocabulary))
    assert set(CONTROLS) == {*get_args(Control), AA_ARM}


def test_a_matrix_gives_each_cell_its_number_and_sign() -> None:
    cells = [replace(ONE, scope="cell", task=task) for task in ("sum", "sentiment")] + [replace(EMPTY, scope="cell", task="sum")]
    shown = words(charts.svg(charts.matrix(cells, "title", False)))
    assert shown.count("▲ +10.0") == 2
    assert "no data" in shown
    assert {"sum", "sentiment"} <= set(shown)


def test_rows_are_named_by_what_differs_between_them() -> None:
    shown = words(charts.svg(charts.forest([ONE, replace(ONE, model="other")], "title", False)))
    assert "emotionprompt/EP02 · m" in shown
    assert "emotionprompt/EP02 · other" in shown


def test_an_oracle_is_named_in_every_chart() -> None:
    stopped = replace(ONE, oracle=True)
    for chart in (charts.forest([stopped], "x", False), charts.matrix([stopped], "x", False)):
        assert "(with oracle)" in json.dumps(chart.to_dict())


def test_charts_are_valid_although_their_parts_are_not_checked() -> None:
    row = {"arm": "a", "n": 9, "solved": 0.5, "ci_low": 0.2, "ci_high": 0.8, "accuracy": 0.5, "accuracy_low": 0.2, "accuracy_high": 0.8}
    rounds = [{**row, "round": k, "tokens": 10.0 * k, "usd": None} for k in (1, 2)]
    protocol = [{"figure": "f", "kind": "published", "points": 3.0, "low": -1.0, "high": 2.0, "words": "w"}]
    dots = [{"task": "t", "a": 0.5, "b": 0.6, "n": 10, "half_a": 0.1, "half_b": 0.1}]
    for chart in (
        charts.forest([ONE, EMPTY], "title", True), charts.matrix([ONE, EMPTY], "title", True), charts.rounds(rounds, "title", True),
        charts.drift(rounds, "title", True), charts.spent(rounds, "title", True),
        charts.protocol(protocol, "title", True), charts.scatter(dots, ("a", "b"), "title", True),
    ):  # fmt: skip
        assert chart.to_dict(validate=True)
        assert charts.png(chart).startswith(b"\x89PNG")


def test_hatched_where_nothing_can_be_concluded() -> None:
    rows = values(charts.matrix([ONE, EMPTY, replace(ONE, verdict="unclear")], "title", False).to_dict())
    assert [row["hatch"] != "" for row in rows] == [False, True, True]


def test_no_two_of_many_lines_look_alike() -> None:
    many = [f"a{n}" for n in range(40)]
    assert len(set(charts.series_colours(many))) == 40
    rows = [{"arm": f"a{n}", "round": 1, "n": 9, "solved": 0.5, "ci_low": 0.2, "ci_high": 0.8} for n in range(12)]
    drawn = charts.svg(charts.rounds(rows, "Rounds", False))
    assert all(drawn.count(f">a{n}<") == 1 for n in range(12)), "one legend for colour and point"


def test_controls_alone_are_dashed_and_tested_arms_have_the_clearest_colours() -> None:
    arms = ["resample", "neutral_paraphrase", "neutral_paraphrase/anger", "heart/anger"]
    assert charts.series_colours(arms)[3] == charts.OKABE_ITO[0]
    rows = [{"arm": arm, "round": 1, "n": 9, "solved": 0.5, "ci_low": 0.2, "ci_high": 0.8} for arm in arms]
    dashes = every(charts.rounds(rows, "Rounds", False).to_dict(validate=False), "strokeDash")
    assert [found["scale"]["range"] for found in dashes if isinstance(found, dict)] == [[[6, 3], [6, 3], [6, 3], [1, 0]]]


def test_a_legend_lists_lines_as_they_end() -> None:
    rows = [{"arm": f"a{n}", "round": k, "n": 9, "solved": 0.1 * n * k, "ci_low": 0, "ci_high": 1} for n in (2, 0, 3, 1) for k in (1, 2)]
    legends = [
        found for found in every(charts.rounds(rows, "Rounds", False).to_dict(validate=False), "legend") if "values" in (found or ())
    ]
    assert {tuple(found["values"]) for found in legends} == {("a3", "a2", "a1", "a0")}


def test_on_a_page_a_chart_fits_a_phone() -> None:
    """Short names, no words at the right, legends above: nothing of it makes the chart wider than the screen."""
    rows = [{"row": "a cell", "kind": kind, "value": 1.0, "low": 0.0, "high": 2.0, "words": "w"} for kind in ("paper", "here")]
    whole = charts.estimates(rows, ("paper", "here"), "axis", "title", False).to_dict(validate=False)
    page = fitted(whole)
    text = next(layer["encoding"]["text"] for layer in page["layer"] if "text" in layer["encoding"])
    assert text == {"condition": {"test": f"!({NARROW})", "field": "words", "type": "nominal"}, "value": ""}
    limits = {found["expr"] for found in every(page, "labelLimit")}
    assert limits == {f"{NARROW} ? 120 : 420", f"{NARROW} ? 190 : 420"}
    assert set(every(page, "orient")) >= {"top"}
    assert page["datasets"] == whole["datasets"]


def every(spec: Any, name: str) -> list[Any]:
    """All values of a key, however deep."""
    parts = spec.items() if isinstance(spec, dict) else enumerate(spec) if isinstance(spec, list) else ()
    return [found for key, part in parts for found in ([part] if key == name else every(part, name))]
