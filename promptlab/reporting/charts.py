"""Charts of comparisons, shared by report, explorer and notebooks. An effect is never drawn without its interval.

Above 400 lines: all charts share one look, and its pieces serve each of them.
"""

from __future__ import annotations

import colorsys
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

from promptlab.nouns import CONTROLS, NONE_ARM, VERDICTS, Comparison, counted, inert
from promptlab.reporting.drawing import Kind, picture

GREY = "#7F7F7F"
OKABE_ITO = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
"""The colours of Okabe and Ito (2008) that are seen on white."""
LINES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#7F7F7F", "#E69F00", "#000000"]
POINTS = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"]
DASHES = [[1, 0], [6, 3]]
"""Lines of what is tested, and of controls."""
ROW_PX = 30
LONGEST_TITLE = 90
UNCHECKED = debug_mode(False)
"""Altair checks every part of a chart against its schema as it is made, which takes most of the time; the tests check whole charts."""
HATCH = "\u2571" * 5
INK = "#1c1c1c"
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
NEARLY_ALL = 85.0
"""Per cent of runs at which a line of power carries its name: further up lines run into each other."""
DIVERGING = ["#b0b0b0", "#ffffff", "#b0b0b0"]
"""Light enough for dark words, alike at both ends: the sign is in the words."""
PAPER, INKED = 0xD8, 0x70
"""A level of grey above which something is background, and the lightest of what is drawn on it."""
TOLD = {"row": "what", "words": "result", "shown": "points", "stimulus": "added text"}
"""How a tooltip calls the fields that have another name here."""
WORDS = alt.Text("words:N")
FONT = "system-ui, 'DejaVu Sans', sans-serif"


@UNCHECKED
def forest(comparisons: Sequence[Comparison], title: str, simulated: bool, names: Sequence[str] | None = None) -> alt.LayerChart:
    """One row for each comparison: its difference in points, its 95 % interval, n, and the verdict in words.

    The grey band is the margin inside which a difference counts as none. `names` are the rows' own, where the comparisons' are too short.
    """
    rows: list[dict[str, Any]] = [
        {
            "row": name, "verdict": c.verdict, "words": _words(c), "diff": None if c.diff is None else 100 * c.diff,
            "low": None if c.ci_low is None else 100 * c.ci_low, "high": None if c.ci_high is None else 100 * c.ci_high,
        }
        for c, name in zip(comparisons, names or [_row_name(c, comparisons) for c in comparisons], strict=True)
    ]  # fmt: skip
    margin = max((100 * c.margin for c in comparisons), default=0.0)
    x = _around_zero(rows, "diff", max(margin, 5.0), "difference in points (right: more right answers)")
    present = [v for v in VERDICTS if any(row["verdict"] == v for row in rows)] or ["unclear"]
    by_verdict = _looks("verdict", present, [VERDICTS[v].colour for v in present], [VERDICTS[v].shape for v in present])
    inside = alt.Chart(_data([{"from": -margin, "to": margin}])).mark_rect(color="#888888", opacity=0.15)
    band = inside.encode(x=_of(x, "from"), x2=alt.X2("to:Q"))
    layers = _intervals(rows, _names("row"), x, "diff", by_verdict, {"strokeWidth": 2.5}, tooltip=("row", "words"))
    height = max(2, len({row["row"] for row in rows})) * ROW_PX
    return _layered([band, *layers], _title(title, simulated), 380, height)


@UNCHECKED
def matrix(comparisons: Sequence[Comparison], title: str, simulated: bool) -> alt.LayerChart:
    """Stimuli down, tasks across: the difference in points, its verdict as a sign and as a colour; grey where none was given."""
    rows: list[dict[str, Any]] = [
        {
            "stimulus": c.treated,
            "task": c.task or "mean",
            "diff": None if c.diff is None else 100 * c.diff,
            "shown": "no data" if c.diff is None else f"{VERDICTS[c.verdict].sign} {100 * c.diff:+.1f}",
            "verdict": c.verdict,
            "judged": c.verdict != "refused",
            "hatch": HATCH if c.verdict in ("unclear", "refused") else "",
        }
        for c in comparisons
    ]
    reach = max([abs(row["diff"]) for row in rows if row["diff"] is not None] + [10.0])
    n_rows, n_columns = len({row["stimulus"] for row in rows}), len({row["task"] for row in rows})
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("task:N", sort=None, title=None, axis=alt.Axis(labelAngle=-30, labelLimit=220, orient="top", ticks=False, domain=False)),
        y=alt.Y("stimulus:N", sort=None, title=None, axis=alt.Axis(labelLimit=420, ticks=False, domain=False)),
        tooltip=_tooltip("stimulus", "task", "shown", "verdict"),
    )
    shaded = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.condition(
            "datum.judged && isValid(datum.diff)",
            alt.Color("diff:Q", scale=alt.Scale(scheme="blueorange", reverse=True, domain=[-reach, reach]), title="points"),
            alt.value("#E4E4E4"),
        )
    )
    hatch = base.mark_text(fontSize=20, opacity=0.22, fontWeight="normal", color="#000000", clip=True).encode(text=alt.Text("hatch:N"))
    text = base.mark_text(fontSize=12).encode(
        text=alt.Text("shown:N"),
        color=alt.condition(f"datum.judged && abs(datum.diff) > {0.6 * reach:g}", alt.value("white"), alt.value("#222222")),
    )
    signs = "▲ helps  ·  ▼ hurts  ·  ■ same  ·  ◆ less than the margin"
    legend = f"{signs}  ·  hatched: nothing can be concluded (○ unclear, ✕ no verdict)"
    return _layered([shaded, hatch, text], _title(title, simulated, legend), max(1, n_columns) * 96, max(1, n_rows) * ROW_PX)


@UNCHECKED
def rounds(rows: Sequence[Mapping[str, Any]], title: str, simulated: bool) -> alt.LayerChart:
    """Items solved by round, one line for each arm of a loop, with intervals by item; rows as `report.loops.loop_rounds` gives them."""
    return _by_round(rows, title, "items solved so far, %", simulated, SOLVED)


@UNCHECKED
def spent(rows: Sequence[Mapping[str, Any]], title: str, simulated: bool, unit: str = "tokens") -> alt.LayerChart:
    """The same rows against what an item has cost by then: arms are compared at one height of `tokens` or `usd`."""
    return _by_round([row for row in rows if row[unit] is not None], title, "items solved so far, %", simulated, SOLVED, unit)


@UNCHECKED
def drift(rows: Sequence[Mapping[str, Any]], title: str, simulated: bool) -> alt.LayerChart:
    """The share of right answers at each round, one line for each arm of a loop, with intervals by item.

    Rows as `report.loops.loop_rounds` gives them. A line that falls is an answer talked away.
    """
    return _by_round(rows, title, "right answers at this round, %", simulated, ("accuracy", "accuracy_low", "accuracy_high"))


@UNCHECKED
def history(rows: Sequence[Mapping[str, Any]], title: str, simulated: bool) -> alt.LayerChart:
    """The score of what runs today, run by run, one line for each model, with 95 % intervals; rows of `history.chart_rows`."""
    return _by_round(rows, title, "right answers of what runs today, %", simulated, ("share", "low", "high"), "run")


@UNCHECKED
def protocol(rows: Sequence[Mapping[str, Any]], title: str, simulated: bool) -> alt.LayerChart:
    """What the papers' arithmetic reports next to the estimates of this run: a point in points of score for each figure, with its range.

    `rows` have `figure`, `kind` ("published" or "honest"), `points`, `low`, `high` (None: no range) and `words`. The range of a
    published figure is what dice alone would give it; that of an honest one its 95 % interval.
    """
    x = _around_zero(rows, "points", 2.0, "difference in points")
    by_kind = _looks("kind", ["published", "honest"], ["#D55E00", "#0072B2"], ["diamond", "circle"])
    line = {"strokeWidth": 3, "opacity": 0.55}
    layers = _intervals(rows, _names("figure"), x, "points", by_kind, line, tooltip=("figure", "words"))
    return _layered(layers, _title(title, simulated), 300, max(2, len(rows)) * ROW_PX)


@UNCHECKED
def scatter(rows: Sequence[Mapping[str, Any]], titles: tuple[str, str], title: str, simulated: bool) -> alt.LayerChart:
    """One point for each task: the mean score in one arm across, in the other up, both in percent; on the line they are equal.

    `rows` have `task`, `a`, `b` (fractions), `n`, and half-widths `half_a`, `half_b` of the 95 % intervals.
    """
    values = [
        {
            "task": row["task"], "a": 100 * row["a"], "b": 100 * row["b"],
            **{f"{end}_{arm}": min(100.0, max(0.0, 100 * (row[arm] + sign * row[f"half_{arm}"])))
               for arm in "ab" for end, sign in (("low", -1), ("high", 1))},
            "words": f"{row['task']}: {100 * row['a']:.1f} % and {100 * row['b']:.1f} % of {row['n']}",
        }
        for row in rows
    ]  # fmt: skip
    data = _data(values)
    scale = alt.Scale(domain=[0, 100], nice=False)
    x, y = alt.X("a:Q", scale=scale, title=inert(titles[0])), alt.Y("b:Q", scale=scale, title=inert(titles[1]))
    ends = alt.Chart(_data([{"a": 0, "b": 0}, {"a": 100, "b": 100}]))
    equal = ends.mark_line(color="#888888", strokeDash=[4, 4], strokeWidth=1).encode(x=x, y=y)
    rule = alt.Chart(data).mark_rule(color="#56B4E9", opacity=0.6)
    across = rule.encode(x=alt.X("low_a:Q", scale=scale), x2=alt.X2("high_a:Q"), y=y)
    up = rule.encode(y=alt.Y("low_b:Q", scale=scale), y2=alt.Y2("high_b:Q"), x=x)
    point = alt.Chart(data).mark_point(filled=True, size=60, opacity=1, color="#0072B2").encode(x=x, y=y, tooltip=_tooltip("words"))
    return _layered([equal, across, up, point], _title(title, simulated), 320, 320)


@UNCHECKED
def estimates(
    rows: Sequence[Mapping[str, Any]], kinds: Sequence[str], axis: str, title: str, simulated: bool, ends: tuple[float, float] | None = None
) -> alt.LayerChart:
    """One row for each name, in it a point with its interval for each kind, distinguished by colour, shape and place; words next to them.

    `rows` have `row`, `kind` (one of `kinds`), `value`, `low`, `high` (in the unit of the `axis`) and `words`. `ends` bounds the axis;
    without it the axis holds 0 and every interval.
    """
    reach = [float(row[name]) for row in rows for name in ("value", "low", "high")]
    low, high = ends or (min([0.0, *reach]), max([0.0, *reach]) or 1.0)
    scale = alt.Scale(domain=[low * 1.05 if low < 0 else low, high if ends else high * 1.05], nice=False)
    shapes = ["circle", "diamond", "square", "triangle-up"]
    legend = None if len(kinds) == 1 else alt.Legend(title=None, orient="top", labelLimit=420, symbolOpacity=1)
    by_kind = _looks("kind", list(kinds), LINES[: len(kinds)], shapes[: len(kinds)], legend, sort=None)
    if len(kinds) > 1:
        by_kind["yOffset"] = alt.YOffset("kind:N", sort=list(kinds), scale=alt.Scale(domain=list(kinds)))
    y = _names("row", scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15))
    x = alt.X("x:Q", scale=scale, title=axis)
    layers = _intervals(rows, y, x, "value", by_kind, {"strokeWidth": 2.5}, tooltip=("row", "kind", "words"), size=80, color=INK)
    n_rows = len({row["row"] for row in rows})
    height = max(2, n_rows) * (ROW_PX if len(kinds) == 1 else 12 + 18 * len(kinds))
    return _layered(layers, _title(title, simulated), 340, height)


@UNCHECKED
def power(rows: Sequence[Mapping[str, Any]], n_items: int, title: str, simulated: bool) -> alt.LayerChart:
    """Power against items, one line for each true effect; the effect in question is drawn thick, with a point at `n_items`.

    `rows` have `effect` (points), `items`, `power` (a fraction) and `asked` (whether it is that effect).
    """
    values = [
        {
            "effect": f"{row['effect']:g} point" + ("" if row["effect"] == 1 else "s"),
            "items": row["items"], "power": 100 * row["power"], "asked": bool(row["asked"]),
            "words": f"{row['effect']:g} points, {counted(row['items'])}: seen in {100 * row['power']:.0f} % of runs",
        }
        for row in rows
    ]  # fmt: skip
    effects = list(dict.fromkeys(value["effect"] for value in values))
    ends = [value["items"] for value in values] or [1]
    x = alt.X("items:Q", title="items a task", scale=alt.Scale(type="log", domain=[min(ends), max(ends)], nice=False),
              axis=alt.Axis(format=",d", labelOverlap=True, values=_decades(min(ends), max(ends))))  # fmt: skip
    y = alt.Y("power:Q", title="runs that see the effect, %", scale=alt.Scale(domain=[0, 100]))
    colour = alt.Color("effect:N", sort=effects, scale=alt.Scale(range=LINES), legend=None)
    wanted = alt.Chart(_data([{"power": 80, "words": "80 %"}])).encode(y=y)
    goal = wanted.mark_rule(color="#888888", strokeDash=[4, 4])
    goal_words = wanted.mark_text(align="left", baseline="bottom", dx=3, fontSize=11, color=INK).encode(x=alt.value(0), text=WORDS)
    chosen = alt.Chart(_data([{"items": n_items, "words": f"{counted(n_items)}"}])).encode(x=alt.X("items:Q"))
    here = chosen.mark_rule(color="#888888")
    here_words = chosen.mark_text(align="left", baseline="top", dx=4, fontSize=11, color=INK).encode(y=alt.value(2), text=WORDS)
    base = alt.Chart(_data(values))
    line = base.mark_line(interpolate="monotone").encode(
        x=x, y=y, color=colour, strokeWidth=alt.condition("datum.asked", alt.value(3.5), alt.value(1.5))
    )
    there = base.transform_filter(f"datum.asked && datum.items == {n_items:d}")
    point = there.mark_point(filled=True, size=110, opacity=1).encode(x=x, y=y, color=colour)
    hover = base.mark_point(filled=True, size=40, opacity=0).encode(x=x, y=y, tooltip=_tooltip("words"))
    labels = alt.Chart(_data([_labelled([value for value in values if value["effect"] == effect]) for effect in effects]))
    named = labels.mark_text(align="right", baseline="bottom", dx=-5, fontSize=12, color=INK).encode(x=x, y=y, text="effect:N")
    return _layered([goal, goal_words, here, here_words, line, named, point, hover], _title(title, simulated), 460, 300)


def _labelled(line: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The point of a line that carries its name: where it has nearly reached the top, else its end."""
    first = len(line) // 4  # further left a name has no room
    return next((point for point in line[first:] if point["power"] >= NEARLY_ALL), line[-1])


def svg(chart: alt.LayerChart) -> str:
    """The chart as SVG text, drawn without a browser or the network; NotDrawn where it cannot be."""
    return drawn(chart, "svg").decode()


def png(chart: alt.LayerChart) -> bytes:
    """The chart as a PNG at twice its size, drawn here; NotDrawn where it cannot be."""
    return drawn(chart, "png")


def drawn(chart: alt.LayerChart, kind: Kind, *, clean: Callable[[str], str] = inert, grey: bool = False) -> bytes:
    """The chart as SVG, PNG or PDF, its texts by `clean` and spelled out; `grey` turns every colour into its shade for print."""
    return picture(_texts(chart.to_dict(validate=False), lambda text: inert(clean(text)), grey), kind)


def _texts(value: Any, clean: Callable[[str], str], grey: bool) -> Any:  # noqa: ANN401 (JSON)
    """A chart's texts spelled out: the drawing library ends the whole process on a control character."""
    if isinstance(value, str):
        return shade(value) if grey and COLOUR.fullmatch(value) else clean(value)
    if isinstance(value, dict):
        if grey and value.get("scheme"):
            value = {name: part for name, part in value.items() if name not in ("scheme", "reverse")} | {"range": DIVERGING}
        if grey and value.get("value") == "white":  # words on what was dark
            value = value | {"value": INK}
        return {key: _texts(part, clean, grey) for key, part in value.items()}
    return [_texts(part, clean, grey) for part in value] if isinstance(value, list) else value


def shade(colour: str) -> str:
    """The grey of a colour's luminance, dark enough to print."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    level = round(0.299 * red + 0.587 * green + 0.114 * blue)
    return "#" + 3 * f"{level if level > PAPER else min(level, INKED):02x}"


def series_colours(arms: Sequence[str]) -> list[str]:
    """A colour for each arm: the primary control grey; Okabe-Ito's colours, tested arms before controls; then hues between them."""
    rest = iter(OKABE_ITO)
    others = (colorsys.hls_to_rgb(0.618 * n % 1, 0.3 + 0.07 * (n % 5), 0.45) for n in range(len(arms)))
    spare = (f"#{round(255 * r):02X}{round(255 * g):02X}{round(255 * b):02X}" for r, g, b in others)
    control = next((name for name in ("neutral_paraphrase", "neutral_feedback", NONE_ARM) if name in arms), None)
    of = {arm: GREY if arm == control else next(rest, None) or next(spare) for arm in sorted(arms, key=_is_control)}
    return [of[arm] for arm in arms]


def _is_control(arm: str) -> bool:
    return arm.partition("/")[0] in CONTROLS


STEPS = ("round", "run")
"""What lies next to each other as whole numbers."""
SOLVED = ("solved", "ci_low", "ci_high")
"""Where rows of rounds hold the share of solved items, and its interval."""


def _by_round(
    rows: Sequence[Mapping[str, Any]], title: str, y_title: str, simulated: bool, fields: tuple[str, str, str], unit: str = "round"
) -> alt.LayerChart:
    """A line for each arm, in the legend as they end. `fields` name a share and the ends of its interval (fractions, or None)."""
    arms = list(dict.fromkeys(str(row["arm"]) for row in rows))
    # Next to each other, so that intervals of one round can be told apart.
    aside = {arm: (unit in STEPS) * 0.06 * (n - (len(arms) - 1) / 2) for n, arm in enumerate(arms)}
    of = [(row, 100 * row[fields[0]], *(100 * row[fields[0] if row[end] is None else end] for end in fields[1:])) for row in rows]
    data = _data([
        {"arm": row["arm"], "x": row[unit] + aside[str(row["arm"])], "share": share, "low": low, "high": high,
         "words": f"{row['arm']}, {'run' if unit == 'run' else 'round'} {row['round']}: {share:.1f} % of {row['n']}"}
        for row, share, low, high in of
    ])  # fmt: skip
    last = max((int(row["round"]) for row in rows), default=1)
    by_round: dict[str, Any] = {"scale": alt.Scale(domain=[0.6, last + 0.4], nice=False), "axis": alt.Axis(values=list(range(1, last + 1)))}
    titles = {"tokens": "tokens an item so far", "usd": "USD an item so far"}
    x = alt.X("x:Q", title=titles.get(unit, unit), **(by_round if unit in STEPS else {}))
    ends = sorted(arms, key=lambda arm: -max((row["round"], share) for row, share, *_ in of if str(row["arm"]) == arm)[1])
    legend = alt.Legend(title=None, labelLimit=300, symbolOpacity=1, symbolStrokeWidth=0, values=ends)  # of colour and point
    looks = (
        (alt.Color, series_colours(arms), legend),
        (alt.StrokeDash, [DASHES[_is_control(arm)] for arm in arms], None),
        (alt.Shape, POINTS, legend),
    )
    colour, dash, shape = (kind("arm:N", sort=None, scale=alt.Scale(domain=arms, range=of), legend=own) for kind, of, own in looks)
    base = alt.Chart(data)
    low, y = (alt.Y(f"{name}:Q", title=y_title, scale=alt.Scale(domain=[0, 100])) for name in ("low", "share"))
    interval = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(x=x, y=low, y2=alt.Y2("high:Q"), color=colour)
    line = base.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, strokeDash=dash)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=_tooltip("words"))
    return _layered([interval, line, points], _title(title, simulated), 460, 300)


def _names(field: str, **more: Any) -> alt.Y:  # noqa: ANN401 (channels of altair)
    """The rows of a chart, by name."""
    axis = alt.Axis(labelLimit=420, labelPadding=8, ticks=False, domain=False)
    return alt.Y(f"{field}:N", sort=None, title=None, axis=axis, **more)


def _around_zero(rows: Sequence[Mapping[str, Any]], value: str, least: float, title: str) -> alt.X:
    """An axis in points that reaches as far to the left as to the right, and holds every value and interval."""
    reach = 1.1 * max([abs(row[name]) for row in rows for name in (value, "low", "high") if row[name] is not None] + [least])
    return alt.X("x:Q", scale=alt.Scale(domain=[-reach, reach], nice=False), title=title)


def _looks(
    field: str, values: Sequence[str], colours: Sequence[str], shapes: Sequence[str], legend: alt.Legend | None = None, **more: Any  # noqa: ANN401
) -> dict[str, Any]:  # fmt: skip
    """A colour and a shape for each value of a field."""
    colour = alt.Color(f"{field}:N", scale=alt.Scale(domain=list(values), range=list(colours)), legend=legend, **more)
    return {"color": colour, "shape": alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(values), range=list(shapes)), legend=legend)}


def _of(x: alt.X, field: str) -> alt.X:
    """The same axis for another field."""
    return alt.X(f"{field}:Q", scale=x["scale"], title=x["title"])


def _intervals(
    rows: Sequence[Mapping[str, Any]], y: alt.Y, x: alt.X, value: str, channels: Mapping[str, Any], line: Mapping[str, Any],
    tooltip: Sequence[str], *, size: int = 90, **text: Any,  # noqa: ANN401 (as altair)
) -> list[alt.Chart]:  # fmt: skip
    """A line at 0 and, for each row that has them, its interval from `low` to `high`, its point and its words at the right."""
    base = alt.Chart(_data(rows))
    zero = alt.Chart(_data([{"x": 0}])).mark_rule(color="#888888").encode(x=x)
    unshaped = {name: channel for name, channel in channels.items() if name != "shape"}
    offset = {name: channel for name, channel in unshaped.items() if name != "color"}
    interval = base.transform_filter("isValid(datum.low)").mark_rule(**line).encode(y=y, x=_of(x, "low"), x2=alt.X2("high:Q"), **unshaped)
    known = base.transform_filter(f"isValid(datum.{value})").mark_point(filled=True, size=size, opacity=1)
    point = known.encode(y=y, x=_of(x, value), tooltip=_tooltip(*tooltip), **channels)
    text = {"color": INK} | text
    words = base.mark_text(align="left", dx=8, fontSize=11, **text).encode(y=y, x=alt.value("width"), text=WORDS, **offset)
    return [zero, interval, point, words]


def _data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows that layers share; a tuple, since altair copies a list again at each of the many steps of building a chart."""
    return alt.InlineData(values=tuple(dict(row) for row in rows))


def _tooltip(*names: str) -> list[alt.Tooltip]:
    """Made here: altair takes long to find out what a bare name is."""
    return [alt.Tooltip(f"{name}:N", title=TOLD.get(name, name)) for name in names]


def _decades(low: float, high: float) -> list[int]:
    """1, 2 and 5 times the powers of ten from `low` to `high`: the ticks of a logarithmic axis."""
    every = [times * 10**power for power in range(8) for times in (1, 2, 5)]
    return [value for value in every if low <= value <= high]


def _row_name(c: Comparison, among: Sequence[Comparison]) -> str:
    several = {name: len({getattr(other, name) for other in among}) > 1 for name in ("model", "control", "placement", "shots")}
    parts = [c.treated, *([f"in {c.task}"] if c.task else [])]
    parts += [str(getattr(c, name)) for name in ("model", "placement", "shots") if several[name]]
    return " · ".join(parts + ([f"against {c.control}"] if several["control"] else []))


def _words(c: Comparison) -> str:
    if c.diff is None:
        return f"no data, n {c.n_pairs}: {c.verdict}"
    interval = "no interval" if c.ci_low is None or c.ci_high is None else f"{100 * c.ci_low:+.1f} to {100 * c.ci_high:+.1f}"
    return f"{100 * c.diff:+.1f} ({interval}), n {c.n_pairs}: {c.verdict}"


def _title(title: str, simulated: bool, subtitle: str = "") -> alt.TitleParams:
    lines = textwrap.wrap(f"SIMULATED: {title}" if simulated else title, LONGEST_TITLE)  # a wider one would shrink the chart on a page
    text = lines if len(lines) > 1 else "".join(lines)
    return alt.TitleParams(text=text, subtitle=subtitle or alt.Undefined, anchor="start", fontSize=14, offset=12)


def _layered(layers: Sequence[Any], title: alt.TitleParams, width: int, height: int) -> alt.LayerChart:
    """The layers as one chart, everything given at once: every later change of a chart copies the whole of it."""
    config = alt.Config(
        font=FONT,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(grid=False, labelFontSize=12, labelColor=INK, titleColor=INK),
        title=alt.TitleConfig(color=INK, subtitleColor=INK),
        legend=alt.LegendConfig(labelColor=INK, titleColor=INK),
    )
    # 'pad' keeps a page from squeezing the drawing into its own idea of the size; ink on white, so that a dark page shows it too
    return alt.LayerChart(
        layer=list(layers), title=title, width=width, height=height, config=config, autosize=alt.AutoSizeParams(type="pad"),
        background="white", padding=dict.fromkeys(("left", "top", "right", "bottom"), 8),
    )  # fmt: skip
