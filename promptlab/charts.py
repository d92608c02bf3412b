"""Charts of comparisons, shared by report, explorer and notebooks. An effect is never drawn without its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert

from promptlab.inert import inert
from promptlab.schema import Comparison, Verdict

# Okabe and Ito's colours, told apart by every kind of colour vision; shape and word say the same.
COLOURS: Mapping[Verdict, str] = {
    "helps": "#0072B2",
    "hurts": "#D55E00",
    "negligible": "#CC79A7",
    "same": "#009E73",
    "unclear": "#7F7F7F",
    "refused": "#B8B8B8",
}
SHAPES: Mapping[Verdict, str] = {
    "helps": "triangle-up",
    "hurts": "triangle-down",
    "negligible": "diamond",
    "same": "square",
    "unclear": "circle",
    "refused": "cross",
}
SIGNS: Mapping[Verdict, str] = {"helps": "+", "hurts": "-", "negligible": "~", "same": "=", "unclear": "?", "refused": "x"}
LINES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#7F7F7F", "#E69F00", "#000000"]
ROW_PX = 30
INK = "#1c1c1c"
FONT = "system-ui, 'DejaVu Sans', sans-serif"


def forest(comparisons: Sequence[Comparison], title: str, simulated: bool) -> alt.LayerChart:
    """One row for each comparison: its difference in points, its 95 % interval, n, and the verdict in words.

    The grey band is the margin inside which a difference counts as none.
    """
    rows: list[dict[str, Any]] = [
        {
            "row": _row_name(c, comparisons),
            "diff": None if c.diff is None else 100 * c.diff,
            "low": None if c.ci_low is None else 100 * c.ci_low,
            "high": None if c.ci_high is None else 100 * c.ci_high,
            "verdict": c.verdict,
            "words": _words(c),
        }
        for c in comparisons
    ]
    margin = max((100 * c.margin for c in comparisons), default=0.0)
    ends = [abs(v) for row in rows for v in (row["diff"], row["low"], row["high"]) if v is not None]
    reach = max([*ends, margin, 5.0]) * 1.1
    data = alt.InlineData(values=rows)
    y = alt.Y("row:N", sort=None, title=None, axis=alt.Axis(labelLimit=420, labelPadding=8, ticks=False, domain=False))
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    x_title = "difference in points (right: more right answers)"
    present = [v for v in COLOURS if any(row["verdict"] == v for row in rows)] or ["unclear"]
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=present, range=[COLOURS[v] for v in present]), legend=None)
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=present, range=[SHAPES[v] for v in present]), legend=None)
    band = (
        alt.Chart(alt.InlineData(values=[{"from": -margin, "to": margin}]))
        .mark_rect(color="#888888", opacity=0.15)
        .encode(x=alt.X("from:Q", scale=scale, title=x_title), x2="to:Q")
    )
    zero = alt.Chart(alt.InlineData(values=[{"x": 0}])).mark_rule(color="#888888").encode(x=alt.X("x:Q", scale=scale, title=x_title))
    interval = (
        alt.Chart(data)
        .transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2.5)
        .encode(y=y, x=alt.X("low:Q", scale=scale, title=x_title), x2="high:Q", color=colour)
    )
    points = (
        alt.Chart(data)
        .transform_filter("isValid(datum.diff)")
        .mark_point(filled=True, size=90, opacity=1)
        .encode(y=y, x=alt.X("diff:Q", scale=scale, title=x_title), color=colour, shape=shape, tooltip=["row:N", "words:N"])
    )
    text = alt.Chart(data).mark_text(align="left", dx=8, fontSize=11).encode(y=y, x=alt.value("width"), text="words:N")
    chart = alt.layer(band, zero, interval, points, text).properties(
        title=_title(title, simulated), width=380, height=max(2, len({row["row"] for row in rows})) * ROW_PX
    )
    return _styled(chart)


def matrix(comparisons: Sequence[Comparison], title: str, simulated: bool) -> alt.LayerChart:
    """Stimuli down, tasks across: the difference in points, its verdict as a sign and as a colour; grey where none was given."""
    rows: list[dict[str, Any]] = [
        {
            "stimulus": c.treated,
            "task": c.task or "mean",
            "diff": None if c.diff is None else 100 * c.diff,
            "shown": "no data" if c.diff is None else f"{100 * c.diff:+.1f} {SIGNS[c.verdict]}",
            "verdict": c.verdict,
            "judged": c.verdict != "refused",
            "sentence": c.sentence,
        }
        for c in comparisons
    ]
    reach = max([abs(row["diff"]) for row in rows if row["diff"] is not None] + [10.0])
    data = alt.InlineData(values=rows)
    n_rows, n_columns = len({row["stimulus"] for row in rows}), len({row["task"] for row in rows})
    base = alt.Chart(data).encode(
        x=alt.X("task:N", sort=None, title=None, axis=alt.Axis(labelAngle=-30, labelLimit=220, orient="top", ticks=False, domain=False)),
        y=alt.Y("stimulus:N", sort=None, title=None, axis=alt.Axis(labelLimit=420, ticks=False, domain=False)),
        tooltip=["stimulus:N", "task:N", "shown:N", "verdict:N", "sentence:N"],
    )
    shaded = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.condition(
            "datum.judged && isValid(datum.diff)",
            alt.Color("diff:Q", scale=alt.Scale(scheme="blueorange", reverse=True, domain=[-reach, reach]), title="points"),
            alt.value("#E4E4E4"),
        )
    )
    text = base.mark_text(fontSize=12).encode(
        text="shown:N",
        color=alt.condition(f"datum.judged && abs(datum.diff) > {0.6 * reach:g}", alt.value("white"), alt.value("#222222")),
    )
    chart = alt.layer(shaded, text).properties(
        title=_title(title, simulated, "+ helps  ·  - hurts  ·  = same  ·  ~ less than the margin  ·  ? unclear  ·  x (grey) no verdict"),
        width=max(1, n_columns) * 96,
        height=max(1, n_rows) * ROW_PX,
    )
    return _styled(chart)


def rounds(rows: Sequence[Mapping[str, Any]], title: str, simulated: bool) -> alt.LayerChart:
    """Pass@k by round, one line for each arm of a loop, with Wilson's intervals; rows as `report.loops.loop_rounds` gives them."""
    arms = list(dict.fromkeys(str(row["arm"]) for row in rows))
    data = alt.InlineData(
        values=[
            {
                "arm": row["arm"],
                # Beside each other, so that intervals of one round can be told apart.
                "x": row["round"] + 0.06 * (arms.index(str(row["arm"])) - (len(arms) - 1) / 2),
                "pass": 100 * row["pass_at_k"],
                "low": 100 * row["ci_low"],
                "high": 100 * row["ci_high"],
                "words": f"{row['arm']}, round {row['round']}: {100 * row['pass_at_k']:.1f} % of {row['n']}",
            }
            for row in rows
        ]
    )
    last = max((int(row["round"]) for row in rows), default=1)
    x = alt.X("x:Q", title="round", scale=alt.Scale(domain=[0.6, last + 0.4], nice=False), axis=alt.Axis(values=list(range(1, last + 1))))
    y_title, scale = "items solved so far, %", alt.Scale(domain=[0, 100])
    colour = alt.Color("arm:N", sort=arms, scale=alt.Scale(range=LINES), legend=alt.Legend(title=None, labelLimit=300))
    base = alt.Chart(data)
    low, y = alt.Y("low:Q", title=y_title, scale=scale), alt.Y("pass:Q", title=y_title, scale=scale)
    interval = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(x=x, y=low, y2="high:Q", color=colour)
    line = base.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, strokeDash=alt.StrokeDash("arm:N", sort=arms, legend=None))
    shape = alt.Shape("arm:N", sort=arms, legend=None)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=["words:N"])
    return _styled(alt.layer(interval, line, points).properties(title=_title(title, simulated), width=460, height=300))


def svg(chart: alt.LayerChart) -> str:
    """The chart as SVG text: drawn in this process, without a browser or the network."""
    drawn: str = vl_convert.vegalite_to_svg(_inert(chart.to_dict()))
    return drawn


def png(chart: alt.LayerChart) -> bytes:
    """The chart as a PNG at twice its size, drawn here."""
    drawn: bytes = vl_convert.vegalite_to_png(_inert(chart.to_dict()), scale=2)
    return drawn


def _inert(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """A chart's texts spelled out: the drawing library ends the whole process on a control character."""
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, dict):
        return {key: _inert(part) for key, part in value.items()}
    return [_inert(part) for part in value] if isinstance(value, list) else value


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
    return alt.TitleParams(
        text=f"SIMULATED: {title}" if simulated else title, subtitle=subtitle or alt.Undefined, anchor="start", fontSize=14, offset=12
    )


def _styled(chart: Any) -> alt.LayerChart:  # noqa: ANN401 (altair's own type varies)
    # 'pad' keeps a page from squeezing the drawing into its own idea of the size; ink on white, so that a dark page shows it too
    styled: alt.LayerChart = (
        chart.properties(
            autosize=alt.AutoSizeParams(type="pad"), background="white", padding=dict.fromkeys(("left", "top", "right", "bottom"), 8)
        )
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(grid=False, labelFontSize=12, labelColor=INK, titleColor=INK)
        .configure_title(color=INK, subtitleColor=INK)
        .configure_legend(labelColor=INK, titleColor=INK)
    )
    return styled
