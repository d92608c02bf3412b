"""Draws docs/reference/statistics/*.svg and prints the numbers that their captions give. Usage: python tools/make_statistics_figures.py"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats as st

from promptlab import stats
from promptlab.nouns import VERDICTS
from promptlab.nouns.comparison import Hypothesis
from promptlab.nouns.plan import Plan
from promptlab.nouns.setting import Setting
from promptlab.planning.size import Size
from promptlab.reporting.charts import FONT, INK, LINES, svg
from promptlab.stats.analysis import Analysis
from promptlab.stats.components import components_of
from promptlab.stats.intervals import newcombe

Array = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]
TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "statistics"
SEED = 20
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
SHAPES = ["circle", "square", "triangle-up", "diamond"]
WIDTH, HEIGHT = 400, 230
GREY = "#666666"


def styled(chart: alt.LayerChart, title: str, subtitle: str = "", width: int = WIDTH, height: int = HEIGHT) -> alt.LayerChart:
    """The look of promptlab's charts, on white so that a dark page shows it too."""
    heading = alt.TitleParams(text=title, subtitle=subtitle or alt.Undefined, anchor="start", fontSize=13, offset=10)
    whole: alt.LayerChart = (
        chart.properties(title=heading, width=width, height=height, background="white", autosize=alt.AutoSizeParams(type="pad"), padding=8)
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(grid=False, labelFontSize=11, titleFontSize=11, titleFontWeight="normal", labelColor=INK, titleColor=INK)
        .configure_title(color=INK, subtitleColor=INK, subtitleFontSize=11)
        .configure_legend(labelColor=INK, titleColor=INK, labelFontSize=11)
    )
    return whole


def legend(stroke: int = 2) -> alt.Legend:
    """Below the drawing, one name a row; marks that are filled need no stroke."""
    return alt.Legend(title=None, orient="bottom", columns=1, labelLimit=420, symbolSize=80, symbolStrokeWidth=stroke)


def lines(
    rows: Rows, x: str, y: str, kinds: Sequence[str], *, log_x: bool = False, top: float | None = None, bottom: float = 0
) -> list[alt.Chart]:
    """Lines with a mark at each value; colour, dash and shape say the same. Rows have x, y and kind."""
    data = alt.InlineData(values=rows)
    values = sorted({row["x"] for row in rows})
    x_scale = alt.Scale(type="log", nice=False) if log_x else alt.Scale(nice=False)
    across = alt.X("x:Q", title=x, scale=x_scale, axis=alt.Axis(values=values if len(values) < 12 else alt.Undefined, format="d"))
    up = alt.Y("y:Q", title=y, scale=alt.Scale(domain=[bottom, top]) if top else alt.Scale(zero=True))
    colour = alt.Color("kind:N", sort=list(kinds), scale=alt.Scale(domain=list(kinds), range=LINES[: len(kinds)]), legend=legend(0))
    dash = alt.StrokeDash("kind:N", sort=list(kinds), scale=alt.Scale(domain=list(kinds), range=DASHES[: len(kinds)]), legend=None)
    shape = alt.Shape("kind:N", sort=list(kinds), scale=alt.Scale(domain=list(kinds), range=SHAPES[: len(kinds)]), legend=legend(0))
    base = alt.Chart(data)
    return [
        base.mark_line(strokeWidth=2).encode(x=across, y=up, color=colour, strokeDash=dash),
        base.mark_point(filled=True, size=50, opacity=1).encode(x=across, y=up, color=colour, shape=shape),
    ]


def level(value: float, text: str, *, align: str = "right", above: bool = False) -> list[alt.Chart]:
    """A thin line across with a word on it."""
    data = alt.InlineData(values=[{"y": value, "text": text}])
    rule = alt.Chart(data).mark_rule(color=GREY, strokeDash=[3, 3]).encode(y=alt.Y("y:Q", scale=alt.Scale(zero=False)))
    at = alt.value(WIDTH if align == "right" else 0)
    word = alt.Chart(data).mark_text(color=GREY, align=align, dx=-4 if align == "right" else 4, dy=-7 if above else 8, fontSize=10)  # type: ignore[arg-type]
    return [rule, word.encode(y=alt.Y("y:Q", scale=alt.Scale(zero=False)), x=at, text="text:N")]


def told(name: str, text: str) -> None:
    """The numbers of a caption."""
    print(f"{name}: {text}")


def series(rows: Rows) -> str:
    """Rows as "kind: x y, x y; kind: ..."."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    return "; ".join(f"{kind}: " + ", ".join(f"{r['x']:g} -> {r['y']:.2f}" for r in rows if r["kind"] == kind) for kind in kinds)


def propensities(rng: np.random.Generator, shape: tuple[int, ...], base: float, psi: float) -> Array:
    """Chances of a right answer whose mean is `base` and with which two runs disagree on a share `psi` of items."""
    share = psi / (2 * base * (1 - base))
    spread = share / (1 - share)
    return rng.beta(base * spread, (1 - base) * spread, shape)


@cache
def midp(b: int, c: int) -> float:
    """McNemar's mid-p from the counts of changed answers."""
    return stats.mcnemar(0, b, c, 0).p_midp


def midps(s: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> Array:
    """Mid-p of many runs: rows are runs, columns items."""
    gained, lost = (s & ~b).sum(axis=1), (~s & b).sum(axis=1)
    return np.array([midp(int(x), int(y)) for x, y in zip(gained, lost, strict=True)])


def repeats() -> alt.LayerChart:
    """False alarms when rows that belong together count as independent, and when the item or the cluster is the unit."""
    runs, n = 2_000, 100
    kinds = [
        "repeats counted as items",
        "items of a cluster counted as independent",
        "default: item means",
        "default: whole clusters flipped",
    ]
    rows: Rows = []
    for k in (1, 2, 5, 10):
        rng = np.random.default_rng([SEED, k])
        p = propensities(rng, (runs, n), 0.5, 0.3)
        shift = np.minimum(0.3, np.minimum(p, 1 - p)) * rng.choice([-1.0, 1.0], (runs, n))
        s, b = (rng.random((runs, n, k)) < q[..., None] for q in (p + shift, p))
        pooled = float((midps(s.reshape(runs, -1), b.reshape(runs, -1)) <= 0.05).mean())
        means = [stats.signflip_test(x, y).p_midp for x, y in zip(s.mean(axis=2), b.mean(axis=2), strict=True)]
        n_clusters = n // k
        p = propensities(rng, (runs, n), 0.5, 0.3)
        shift = np.minimum(0.3, np.minimum(p, 1 - p)) * np.repeat(rng.choice([-1.0, 1.0], (runs, n_clusters)), k, axis=1)
        s, b = (rng.random((runs, n)) < q for q in (p + shift, p))
        alone = float((midps(s, b) <= 0.05).mean())
        sums = [x.reshape(runs, n_clusters, k).sum(axis=2).astype(float) for x in (s, b)]
        whole = [stats.signflip_test(x, y).p_midp for x, y in zip(*sums, strict=True)]
        found = [pooled, alone, float(np.mean(np.array(means) <= 0.05)), float(np.mean(np.array(whole) <= 0.05))]
        rows += [{"x": k, "y": 100 * value, "kind": kind} for kind, value in zip(kinds, found, strict=True)]
    told("repeats", f"{runs:,} runs a point, seed {SEED}; {series(rows)}")
    drawn = alt.layer(*level(5, "5 % promised"), *lines(rows, "answers an item, or items a cluster", "false alarms, %", kinds, top=22))
    return styled(drawn, "Count items, not answers", "nothing changes on average; 100 items")


def midp_or_exact() -> alt.LayerChart:
    """Chance of p <= .05 by the true effect: mid-p and exact, worked out and not simulated."""
    n, psi = 100, 0.1
    kinds = ["mid-p (default)", "exact"]
    rows: Rows = []
    for points in range(11):
        power = stats.power_mcnemar(n, (psi + points / 100) / 2, (psi - points / 100) / 2)
        rows += [{"x": points, "y": 100 * y, "kind": kind} for kind, y in zip(kinds, (power.midp, power.exact), strict=True)]
    told("midp", f"exact enumeration; {series(rows)}")
    drawn = alt.layer(*level(5, "5 %"), *lines(rows, "true effect, points", "chance of p ≤ .05, %", kinds, top=100))
    return styled(drawn, "Mid-p keeps 5 % and sees more", "100 items, 10 % of answers change")


def coverage() -> alt.LayerChart:
    """How often 95 % intervals hold the truth, by the number of items."""
    runs = 10_000
    kinds = ["Newcombe (default)", "Student's t on items", "Wald"]
    rows: Rows = []
    for n in (20, 30, 50, 100, 200, 300):
        rng = np.random.default_rng([SEED, n])
        tables, counts = np.unique(rng.multinomial(n, [0.85, 0.05, 0.05, 0.05], runs), axis=0, return_counts=True)
        held = np.zeros(3)
        for (a, b, c, d), count in zip(tables.tolist(), counts.tolist(), strict=True):
            differences = np.concatenate([np.ones(b), -np.ones(c), np.zeros(a + d)])
            t = stats.mean_difference_ci(differences, np.zeros(n)).ci
            half = 1.959964 * math.sqrt(b + c - (b - c) ** 2 / n) / n
            wald = ((b - c) / n - half, (b - c) / n + half) if half else (1.0, -1.0)  # a point, which is no interval
            for i, ends in enumerate((newcombe(a, b, c, d, 0.95), t, wald)):
                held[i] += count * (ends is not None and ends[0] <= 0 <= ends[1])
        rows += [{"x": n, "y": 100 * y / runs, "kind": kind} for kind, y in zip(kinds, held, strict=True)]
    told("coverage", f"{runs:,} runs a point, seed {SEED}; {series(rows)}")
    drawn = alt.layer(
        *level(95, "95 % promised", align="left", above=True),
        *lines(rows, "items", "intervals that hold the truth, %", kinds, log_x=True, top=101, bottom=80),
    )
    return styled(drawn, "Newcombe's interval needs no large numbers", "90 % right in both arms, 10 % of answers change, no effect")


def families() -> alt.LayerChart:
    """Sorted p-values of one family and the lines that they must stay under."""
    m, works = 21, 6
    rng = np.random.default_rng(SEED)
    z = rng.normal(0, 1, m) + np.where(np.arange(m) < works, 3.0, 0.0)
    p = np.array(sorted((2 * st.norm.sf(np.abs(z))).tolist()))
    rank = np.arange(1, m + 1)
    kept = {name: int((stats.adjust(p, name) <= 0.05).sum()) for name in ("holm", "fdr_bh")}
    kinds = ["no correction: 5 %", "Benjamini-Hochberg (cells)", "Holm (primary, stimuli)"]
    edges = [np.full(m, 0.05), 0.05 * rank / m, 0.05 / (m - rank + 1)]
    rows = [
        {"x": int(i), "y": float(y), "kind": kind} for kind, edge in zip(kinds, edges, strict=True) for i, y in zip(rank, edge, strict=True)
    ]
    runs = 500
    any_raw = any_holm = any_bh = 0
    n_raw = []
    for _ in range(runs):
        chance = propensities(rng, (45, 100), 0.5, 0.2)
        base, arms = rng.random((45, 100)) < chance, rng.random((21, 45, 100)) < chance
        gained, lost = (arms & ~base).sum(axis=2).ravel(), (~arms & base).sum(axis=2).ravel()
        values = [midp(int(x), int(y)) for x, y in zip(gained, lost, strict=True)]
        n_raw.append(int((np.array(values) <= 0.05).sum()))
        any_raw += bool(n_raw[-1])
        any_bh += bool((stats.adjust(values, "fdr_bh") <= 0.05).any())
        any_holm += bool((stats.adjust(values, "holm") <= 0.05).any())
    told(
        "families",
        f"{works} of {m} move; raw {int((p <= 0.05).sum())}, BH {kept['fdr_bh']}, Holm {kept['holm']} at most 5 %; seed {SEED}. "
        f"945 null cells, {runs} sweeps: {np.mean(n_raw):.1f} cells with p <= .05 on average, any {100 * any_raw / runs:.1f} %, "
        f"any after BH {100 * any_bh / runs:.1f} %, after Holm {100 * any_holm / runs:.1f} %",
    )
    log = alt.Scale(type="log", domain=[1e-5, 1])
    y = alt.Y("y:Q", title="p (logarithmic)", scale=log, axis=alt.Axis(values=[1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1], format="~g"))
    x = alt.X("x:Q", title="rank of the p-value, smallest first", scale=alt.Scale(domain=[0.5, m + 0.5], nice=False))
    colour = alt.Color("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=LINES), legend=legend())
    dash = alt.StrokeDash("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=DASHES[:3]), legend=legend())
    limits = alt.Chart(alt.InlineData(values=rows)).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash)
    points = [{"x": int(i), "y": max(float(value), 1e-5)} for i, value in zip(rank, p, strict=True)]
    dots = alt.Chart(alt.InlineData(values=points)).mark_point(filled=True, size=45, color="black", opacity=1).encode(x=x, y=y)
    return styled(
        alt.layer(limits, dots), "The more is asked, the smaller p must be", f"{m} made-up p-values; {works} of the sentences move"
    )


def tasks() -> alt.LayerChart:
    """How often a mean effect is reported that is 0 over all tasks of the kind, by how much tasks differ."""
    runs, k, n, psi = 4_000, 20, 100, 0.1
    kinds = ["t over tasks (for tasks like these)", "these tasks' own error"]
    rows: Rows = []
    for points in range(6):
        rng = np.random.default_rng([SEED, points])
        true = rng.normal(0, 1, (runs, k)) * points / 100
        up, down = (rng.binomial(n, np.clip((psi + sign * true) / 2, 0, 1)) for sign in (1, -1))
        effects = (up - down) / n
        errors = np.sqrt(((up + down) / n - effects**2) / (n - 1))
        t = effects.mean(axis=1) / (effects.std(axis=1, ddof=1) / math.sqrt(k))
        random = 2 * st.t.sf(np.abs(t), k - 1)
        check = stats.macro_effect(effects[0], errors[0])
        if check.p_random is None or abs(check.p_random - random[0]) > 1e-9:
            raise SystemExit("the table and macro_effect disagree")
        fixed = 2 * st.norm.sf(np.abs(effects.mean(axis=1)) / (np.sqrt((errors**2).sum(axis=1)) / k))
        rows += [{"x": points, "y": 100 * float((p <= 0.05).mean()), "kind": kind} for kind, p in zip(kinds, (random, fixed), strict=True)]
    told("tasks", f"{runs:,} runs a point, seed {SEED}; {series(rows)}")
    drawn = alt.layer(
        *level(5, "5 % promised", above=True),
        *lines(rows, "spread of true effects between tasks (sd), points", "false alarms, %", kinds, top=30),
    )
    return styled(drawn, "Tasks differ, and a claim about tasks must say so", "20 tasks of 100 items; mean effect over such tasks is 0")


def neutral() -> alt.LayerChart:
    """How often one more neutral sentence is reported as more than neutral, by how much sentences of its kind differ."""
    runs, k, n = 1_000, 20, 60
    kinds = ["these 3, taken for others like them", "these 5, taken for others like them", "sentences like these 5"]
    rows: Rows = []
    for points in (0, 1, 2, 3):
        rng = np.random.default_rng([SEED, points])
        seen: dict[str, list[bool]] = {kind: [] for kind in kinds}
        for _ in range(runs):
            moves = rng.normal(0, 1, (6, 1, 1)) * points / 100
            p = np.clip(propensities(rng, (1, k, n), 0.7, 0.1) + moves, 0, 1)
            scores = (rng.random(p.shape) < p).astype(float)
            for kind, m in zip(kinds[:2], (3, 5), strict=True):
                pairs = [
                    stats.Pairs(
                        task=str(t), s=scores[0, t], b=scores[1 : 1 + m, t].mean(axis=0), clusters=None, n_planned=n,
                        controls=tuple(scores[1 : 1 + m, t].mean(axis=1)),
                    )
                    for t in range(k)
                ]  # fmt: skip
                these = stats.infer(pairs)
                seen[kind].append(these.p_value is not None and these.p_value <= 0.05)
            like = stats.like_sentences(pairs, these, (1.0,), (0.2,) * 5)
            seen[kinds[2]].append(like is not None and like.p_value is not None and like.p_value <= 0.05)
        rows += [{"x": points, "y": 100 * float(np.mean(found)), "kind": kind} for kind, found in seen.items()]
    told("neutral", f"{runs:,} runs a point, seed {SEED}; {series(rows)}")
    marks = lines(rows, "how much sentences differ (sd), points", "false alarms, %", kinds)
    drawn = alt.layer(*level(5, "5 % promised", above=True), *marks)
    return styled(drawn, "Neutral sentences differ too", "20 tasks of 60 items; the sentence is one more neutral one")


def pooled() -> alt.LayerChart:
    """Power by how many arms the control is the mean of."""
    rows: Rows = [
        {"x": m, "y": 100 * Size((60,) * 6, 0.1, 0.025, chance=0.1, controls=m).power(effect / 100), "kind": f"{effect} points"}
        for effect in (3, 4, 5, 6)
        for m in (1, 2, 3, 5, 6, 8)
    ]
    told("pooled", f"worked out, not simulated; {series(rows)}")
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    drawn = alt.layer(*lines(rows, "arms that the control is the mean of", "found, %", kinds, top=100))
    return styled(drawn, "A mean of several controls sees more", "6 tasks of 60 items, 10 % of answers change, level .025")


SETTING = Setting("paper")


def small_plan(tasks_of: Sequence[str], n_items: int, planned: Sequence[Hypothesis]) -> Plan:
    """As much of a plan as judging reads."""
    return Plan.read({
        "suite": "own", "scorer": "strict", "alpha": 0.05, "fdr": 0.05, "seed": 0, "replicates": 1, "loops": [], "best_in_task": False,
        "margins": {"cell": 0.05, "mean": 0.02}, "models": [{"name": "m", "simulated": True}],
        "tasks": [{"task": name, "suite": "own", "n_items": n_items} for name in tasks_of],
        "arms": [], "placebos_of": {}, "stimuli_of": {"set": ["set/s"]}, "hypotheses": [h.plain() for h in planned],
        "settings": [SETTING.plain()],
    })  # fmt: skip


def trials_of(scores: Mapping[str, Array], arms: Sequence[str]) -> pd.DataFrame:
    """Scores of each task (arms by items) as rows of a run."""
    parts = []
    for task, table in scores.items():
        at = np.indices(table.shape).reshape(2, -1)
        parts.append(pd.DataFrame({"task": task, "arm": np.array(arms)[at[0]], "item": at[1].astype(str), "score": table.ravel()}))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(model="m", setting=SETTING.id, replicate=0, cluster=None)


def same() -> alt.LayerChart:
    """Five results of one task and the verdicts that they get."""
    cases = [(60, 16, 2, 22), (140, 4, 24, 32), (700, 40, 15, 245), (280, 14, 10, 96), (60, 8, 5, 27)]
    rows: Rows = []
    for a, b, c, d in cases:
        n = a + b + c + d
        baseline = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
        stimulus = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
        one = Hypothesis(
            family="cell/m/none", scope="cell", model="m", task="task", treatment="set/s", library="set", control="none", setting=SETTING
        )
        plan = small_plan(["task"], n, [one])
        (found, *_) = stats.analyse(trials_of({"task": np.stack([baseline, stimulus])}, ["none", "set/s"]), plan)
        low, high = newcombe(a, b, c, d, 0.90)
        if found.ci_low is None or found.ci_high is None or found.diff is None:
            raise SystemExit("a case has no interval")
        rows.append(
            {
                "row": f"{n:,} items: {b} gained, {c} lost",
                "diff": 100 * found.diff,
                "low": 100 * found.ci_low,
                "high": 100 * found.ci_high,
                "low90": 100 * low,
                "high90": 100 * high,
                "verdict": found.verdict,
                "p": found.p_value,
                "p_tost": found.p_tost,
            }
        )
    told(
        "same",
        "; ".join(
            f"{r['row']}: {r['diff']:+.1f} ({r['low']:+.1f} to {r['high']:+.1f}; 90 %: {r['low90']:+.1f} to {r['high90']:+.1f}), "
            f"p {r['p']:.4f}, TOST p {r['p_tost']:.4f}: {r['verdict']}"
            for r in rows
        ),
    )
    data = alt.InlineData(values=rows)
    scale = alt.Scale(domain=[-17, 36], nice=False)
    title = "difference in points; thick 90 %, thin 95 %"
    y = alt.Y("row:N", sort=None, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False, labelPadding=6))
    present = [row["verdict"] for row in rows]
    palette = [VERDICTS[v].colour for v in present]
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=present, range=palette), legend=None)
    band = alt.Chart(alt.InlineData(values=[{"a": -5, "b": 5}])).mark_rect(color="#888888", opacity=0.18)
    zero = alt.Chart(alt.InlineData(values=[{"x": 0}])).mark_rule(color=GREY)
    base = alt.Chart(data)
    drawn = alt.layer(
        band.encode(x=alt.X("a:Q", scale=scale, title=title), x2="b:Q"),
        zero.encode(x=alt.X("x:Q", scale=scale, title=title)),
        base.mark_rule(strokeWidth=1.5).encode(y=y, x=alt.X("low:Q", scale=scale, title=title), x2="high:Q", color=colour),
        base.mark_rule(strokeWidth=5).encode(y=y, x=alt.X("low90:Q", scale=scale, title=title), x2="high90:Q", color=colour),
        base.mark_point(filled=True, size=70, color="black", opacity=1).encode(y=y, x=alt.X("diff:Q", scale=scale, title=title)),
        base.mark_text(align="left", dx=6, fontSize=12, color=INK).encode(y=y, x=alt.value(WIDTH - 70), text="verdict:N"),
    )
    return styled(drawn, "Five results of one task and their verdicts", "grey: the margin of 5 points", height=150)


def missing() -> alt.LayerChart:
    """False alarms when one arm loses answers, by what is done with them."""
    runs, n = 4_000, 100
    kinds = ["lost answers scored 0", "left out; only wrong answers got lost", "left out; lost by chance (default, if few)"]
    rows: Rows = []
    for percent in (0, 2, 4, 6, 8, 10):
        rng = np.random.default_rng([SEED, percent])
        p = propensities(rng, (runs, n), 0.7, 0.1)
        s, b = rng.random((runs, n)) < p, rng.random((runs, n)) < p
        order = rng.random((runs, n))
        lost = np.argsort(np.argsort(order, axis=1), axis=1) < percent
        wrong_first = np.argsort(np.argsort(order + s, axis=1), axis=1) < percent
        found = [midps(s & ~lost, b), midps(s | wrong_first, b | wrong_first), midps(s | lost, b | lost)]  # a pair of equals tells nothing
        rows += [{"x": percent, "y": 100 * float((p_of <= 0.05).mean()), "kind": kind} for kind, p_of in zip(kinds, found, strict=True)]
    told("missing", f"{runs:,} runs a point, seed {SEED}; {series(rows)}")
    limit = alt.Chart(alt.InlineData(values=[{"a": 2, "b": 10}])).mark_rect(color="#888888", opacity=0.15).encode(x="a:Q", x2="b:Q")
    word = alt.Chart(alt.InlineData(values=[{"x": 2, "text": "refused: arms lose unequally"}]))
    text = word.mark_text(align="left", dx=5, fontSize=10, color=INK).encode(x="x:Q", y=alt.value(8), text="text:N")
    drawn = alt.layer(limit, text, *level(5, ""), *lines(rows, "answers lost in one arm, %", "false alarms, %", kinds))
    return styled(drawn, "A failed call is missing, not wrong", "100 items, 70 % right, nothing changes; dashed: 5 %")


def again() -> alt.LayerChart:
    """How often the baseline's own repeat raises the alarm, by how far the model drifted between the two."""
    runs, k, n, base, checked = 4_000, 20, 100, 0.7, 20
    names = [f"t{i:02d}" for i in range(k)]
    plan = small_plan(names, n, [])
    frame = trials_of({name: np.zeros((2, n)) for name in names}, ["none", "none_aa"])
    most = int(st.binom.ppf(0.999, k, 0.05))
    rows: Rows = []
    for drift in (0, 1, 2, 3, 4, 6):
        rng = np.random.default_rng([SEED, drift])
        failed = 0
        for run in range(runs):
            p = propensities(rng, (k, n), base, 0.1)
            score = rng.random((k, 2, n)) < np.stack([p, p - drift / 100 * p / base], axis=1)
            d = score[:, 1].astype(float) - score[:, 0]
            se = math.sqrt(float(d.var(axis=1, ddof=1).sum()) / n) / k
            alarm = abs(float(d.mean())) > st.norm.isf(0.0005) * se or int((midps(score[:, 1], score[:, 0]) <= 0.05).sum()) > most
            if run < checked:
                found = Analysis(frame.assign(score=score.ravel().astype(float)), plan).aa()
                if alarm != any(c.status == "aa_failed" for c in found):
                    raise SystemExit("the rule of this figure is not that of the analysis")
            failed += alarm
        rows.append({"x": drift, "y": 100 * failed / runs, "kind": "A/A check fails"})
    told("aa", f"{runs:,} runs a point, seed {SEED}; more than {most} of {k} tasks with p <= .05, or the mean; {series(rows)}")
    drawn = alt.layer(*lines(rows, "drift between baseline and its repeat, points", "runs silenced, %", ["A/A check fails"], top=100))
    about = "20 tasks of 100 items, 10 % of answers change by themselves"
    return styled(drawn, "The A/A check: quiet for honest runs, loud for drift", about)


def best() -> alt.LayerChart:
    """What the best of several sentences seems to gain when none does anything."""
    runs, n = 300, 100
    kinds = ["picking the maximum", "corrected for the choice"]
    rows: Rows = []
    covered = {}
    for m in (2, 5, 11, 21):
        rng = np.random.default_rng([SEED, m])
        naive, fitted, held = [], [], 0
        for run in range(runs):
            p = propensities(rng, (n,), 0.7, 0.1)
            d = (rng.random((m, n)) < p).astype(float) - (rng.random(n) < p)
            b = stats.best_stimulus(d, seed=run, n_resamples=299, n_bootstrap=50)
            naive.append(100 * b.naive)
            fitted.append(100 * (b.estimate or 0.0))
            held += b.ci is None or b.ci[0] <= 0 <= b.ci[1]
        covered[m] = 100 * held / runs
        for kind, values, shift in zip(kinds, (naive, fitted), (-0.12, 0.12), strict=True):
            low, high = np.quantile(values, [0.05, 0.95])
            at = [2, 5, 11, 21].index(m) + shift
            rows.append({"at": at, "x": m, "y": float(np.mean(values)), "low": float(low), "high": float(high), "kind": kind})
    told(
        "best",
        f"{runs} runs a point, seed {SEED}; "
        + "; ".join(f"{r['x']} {r['kind']}: {r['y']:+.2f} ({r['low']:+.1f} to {r['high']:+.1f})" for r in rows)
        + f"; simultaneous interval holds 0: {', '.join(f'{m} {c:.1f} %' for m, c in covered.items())}",
    )
    colour = alt.Color("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=[LINES[1], LINES[0]]), legend=legend())
    shape = alt.Shape("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=SHAPES[:2]), legend=legend())
    words = alt.Axis(values=[0, 1, 2, 3], labelExpr="[2, 5, 11, 21][datum.value]", domain=False, ticks=False)
    x = alt.X("at:Q", title="sentences to choose from", scale=alt.Scale(domain=[-0.9, 3.5], nice=False), axis=words)
    y_title = "reported gain of the best, points"
    base = alt.Chart(alt.InlineData(values=rows))
    drawn = alt.layer(
        *level(0, "the truth", align="left"),
        base.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=y_title), y2="high:Q", color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=alt.Y("y:Q", title=y_title), color=colour, shape=shape),
    )
    return styled(drawn, "The best of many gains by being chosen", "100 items, no sentence does anything; mean, 5 % to 95 %")


def protocol() -> alt.LayerChart:
    """The papers' arithmetic on runs in which nothing has an effect, beside its null band."""
    rows: Rows = []
    for psi in (0.05, 0.1, 0.2):
        rng = np.random.default_rng([SEED, int(100 * psi)])
        tables = []
        for _ in range(45):
            p = propensities(rng, (100,), 0.5, psi)
            tables.append((rng.random((12, 100)) < p).astype(float))
        found = stats.best_of_protocol(tables, 200, np.random.default_rng(SEED))
        low, middle, high = (100 * x for x in found.null_best_per_task)
        relative = found.relative_best_per_task or 0.0
        rows.append(
            {
                "row": f"{100 * psi:.0f} % of answers change",
                "low": low,
                "middle": middle,
                "high": high,
                "best": 100 * found.best_per_task,
                "average": 100 * found.average,
                "single": 100 * found.best_single,
                "relative": relative,
            }
        )
    runs = 60
    rng = np.random.default_rng([SEED, 1])
    above = 0
    for _ in range(runs):
        tables = [(rng.random((12, 100)) < propensities(rng, (100,), 0.5, 0.1)).astype(float) for _ in range(45)]
        found = stats.best_of_protocol(tables, 100, rng)
        above += found.best_per_task > found.null_best_per_task[2]
    told(
        "protocol",
        f"{above} of {runs} further runs at 10 % lie above their band; one run a row, 200 permutations, seed {SEED}; "
        + "; ".join(
            f"{r['row']}: best per task {r['best']:+.2f} ({r['relative']:+.1f} % of the baseline), null {r['middle']:+.2f} "
            f"({r['low']:+.2f} to {r['high']:+.2f}), best single {r['single']:+.2f}, average {r['average']:+.2f}"
            for r in rows
        ),
    )
    kinds = ["best sentence of each task", "best single sentence", "mean over all sentences"]
    y = alt.Y("row:N", sort=None, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False, labelPadding=6))
    title = "reported gain, points"
    points = [
        {"row": r["row"], "x": r[key], "kind": kind}
        for r in rows
        for key, kind in zip(("best", "single", "average"), kinds, strict=True)
    ]  # fmt: skip
    colour = alt.Color("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=[LINES[1], LINES[3], LINES[0]]), legend=legend())
    shape = alt.Shape("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=SHAPES[:3]), legend=legend())
    scale, ticks = alt.Scale(domain=[-1, 6], nice=False), alt.Axis(values=list(range(-1, 7)))
    band = alt.Chart(alt.InlineData(values=rows)).mark_bar(height=22, color="#888888", opacity=0.35)
    zero = alt.Chart(alt.InlineData(values=[{"x": 0}])).mark_rule(color=GREY)
    dots = alt.Chart(alt.InlineData(values=points)).mark_point(filled=True, size=80, opacity=1)
    drawn = alt.layer(
        zero.encode(x=alt.X("x:Q", title=title, scale=scale, axis=ticks)),
        band.encode(y=y, x=alt.X("low:Q", title=title, scale=scale, axis=ticks), x2="high:Q"),
        dots.encode(y=y, x=alt.X("x:Q", title=title, scale=scale, axis=ticks), color=colour, shape=shape),
    )
    return styled(
        drawn, "What the papers' protocol reports when nothing works", "11 sentences, 45 tasks; grey: null band, 5 % to 95 %", height=130
    )


def spread() -> alt.LayerChart:
    """Effects of one sentence in 20 tasks, their mean and where the effect in one more task would lie."""
    k, n, psi = 20, 300, 0.15
    rng = np.random.default_rng(SEED)
    true = rng.normal(0.02, 0.05, k)
    up, down = (rng.binomial(n, np.clip((psi + sign * true) / 2, 0, 1)) for sign in (1, -1))
    effects = (up - down) / n
    gained, lost = (up + 0.5) / (n + 1), (down + 0.5) / (n + 1)
    variances = (gained + lost - (gained - lost) ** 2) / n
    r = stats.random_effects(effects, variances)
    if r.pm is None or r.pm.pi_hk is None or r.tau is None or r.q_p is None or r.i2_percent_dl is None:
        raise SystemExit("there is no prediction interval")
    mean, (low, high), (wide_low, wide_high) = r.pm.estimate, r.pm.ci_hk, r.pm.pi_hk
    told(
        "spread",
        f"seed {SEED}; {k} tasks, true sd 5, true mean 2; mean {100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}), tau "
        f"{100 * r.tau:.1f}, I2 {r.i2_percent_dl:.0f} %, Q p {r.q_p:.2g}, prediction {100 * wide_low:+.1f} to {100 * wide_high:+.1f}",
    )
    rows: Rows = [
        {"row": f"{i + 1:02d}", "y": 100 * float(e), "low": 100 * float(e - 1.96 * s), "high": 100 * float(e + 1.96 * s), "kind": "a task"}
        for i, (e, s) in enumerate(sorted(zip(effects.tolist(), np.sqrt(variances).tolist(), strict=True)))
    ]
    rows.append({"row": "mean", "y": 100 * mean, "low": 100 * low, "high": 100 * high, "kind": "mean, 95 % interval"})
    rows.append({"row": "next", "y": 100 * mean, "low": 100 * wide_low, "high": 100 * wide_high, "kind": "another task, 95 % prediction"})
    kinds = ["a task", "mean, 95 % interval", "another task, 95 % prediction"]
    colour = alt.Color("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=["#7F7F7F", LINES[0], LINES[1]]), legend=legend())
    shape = alt.Shape("kind:N", sort=kinds, scale=alt.Scale(domain=kinds, range=SHAPES[:3]), legend=legend())
    axis = alt.Axis(labels=False, ticks=False, domain=False)
    y = alt.Y("row:N", sort=[row["row"] for row in rows], title="20 tasks", axis=axis)
    base = alt.Chart(alt.InlineData(values=rows))
    title = "effect, points"
    zero = alt.Chart(alt.InlineData(values=[{"x": 0}])).mark_rule(color=GREY)
    drawn = alt.layer(
        zero.encode(x=alt.X("x:Q", title=title)),
        base.mark_rule(strokeWidth=2.5).encode(y=y, x=alt.X("low:Q", title=title), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=55, opacity=1).encode(y=y, x=alt.X("y:Q", title=title), color=colour, shape=shape),
    )
    return styled(drawn, "A mean says little about the next task", "made up: true mean 2 points, true spread 5 points", height=280)


def components() -> alt.LayerChart:
    """The error of a mean difference for one budget, spent on items or on repeats."""
    runs, budget, base, psi, moved = 2_000, 600, 0.5, 0.2, 0.3

    def answers(rng: np.random.Generator, shape: tuple[int, ...], k: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        p = propensities(rng, shape, base, psi)
        shift = np.minimum(moved, np.minimum(p, 1 - p)) * rng.choice([-1.0, 1.0], shape)
        return rng.random((*shape, k)) < (p + shift)[..., None], rng.random((*shape, k)) < p[..., None]

    s, b = answers(np.random.default_rng(SEED), (20_000,), 10)
    c = components_of(np.stack([b, s], axis=1).astype(float))
    if c.var_item_by_arm is None or c.var_repeat is None or c.var_item is None:
        raise SystemExit("the components cannot be told apart")
    kinds = ["by the variance components", "simulated"]
    rows: Rows = []
    for k in (1, 2, 3, 5, 10):
        n = budget // k
        rows.append({"x": k, "y": 100 * math.sqrt((2 * c.var_item_by_arm + 2 * c.var_repeat / k) / n), "kind": kinds[0]})
        s, b = answers(np.random.default_rng([SEED, k]), (runs, n), k)
        rows.append({"x": k, "y": 100 * float((s.mean(axis=(1, 2)) - b.mean(axis=(1, 2))).std(ddof=1)), "kind": kinds[1]})
    told(
        "components",
        f"{runs:,} runs a point, seed {SEED}; var_item {c.var_item:.4f}, var_item_by_arm {c.var_item_by_arm:.4f}, "
        f"var_repeat {c.var_repeat:.4f}; {series(rows)}",
    )
    drawn = alt.layer(*lines(rows, "answers an item (600 answers an arm in all)", "standard error of the difference, points", kinds))
    return styled(drawn, "New items before more repeats", "the same money: 600 items once, or 60 items ten times")


def seen() -> alt.LayerChart:
    """The smallest effect that is seen with 80 % power, by items a task."""
    psi, k, m = 0.1, 45, 21
    kinds = ["one task alone", f"one of {k * m} cells", "mean over 45 tasks, tasks like these", "mean over 45 tasks, these tasks"]
    rows: Rows = []
    for n in (50, 100, 200, 300, 500, 1000):
        found = [
            stats.smallest_effect_mcnemar(n, psi, 0.05),
            stats.smallest_effect_mcnemar(n, psi, 0.05 / (k * m)),
            stats.smallest_effect_macro([n] * k, psi, 0.02, 0.05 / m),
            stats.smallest_effect_macro([n] * k, psi, 0.0, 0.05 / m),
        ]
        rows += [{"x": n, "y": 100 * y, "kind": kind} for kind, y in zip(kinds, found, strict=True) if y is not None]
    told("seen", f"worked out, not simulated; {series(rows)}")
    drawn = alt.layer(*lines(rows, "items a task", "smallest effect seen, points", kinds, log_x=True))
    return styled(drawn, "One task sees little, many tasks see more", "80 % power, 10 % of answers change, 21 sentences")


def prompts() -> alt.LayerChart:
    """What a mean over two base prompts says where the effect differs between them, and how often the test of that sees it."""
    runs, n = 500, 120
    rng = np.random.default_rng(SEED)
    kinds = ["mean over both prompts: helps or hurts", "difference between the prompts found", "effect found in the second prompt"]
    rows: Rows = []
    for apart in (0, 10, 20, 30, 40):
        seen = np.zeros(3)
        for _ in range(runs):
            chance = rng.beta(2, 2, n)
            none = [(rng.random(n) < chance).astype(float) for _ in range(2)]
            shift = [(5 - apart / 2) / 100, (5 + apart / 2) / 100]
            said = [(rng.random(n) < np.clip(chance + by, 0, 1)).astype(float) for by in shift]
            zero = np.zeros(n)
            d = [a - b for a, b in zip(said, none, strict=True)]
            for i, row in enumerate(((d[0] + d[1]) / 2, (d[1] - d[0]) / 2, d[1])):
                found = stats.infer([stats.Pairs(task="t", s=row, b=zero, clusters=None, n_planned=n)])
                seen[i] += found.p_value is not None and found.p_value <= 0.05
        rows += [{"x": apart, "y": 100 * float(y) / runs, "kind": kind} for kind, y in zip(kinds, seen, strict=True)]
    told("prompts", f"{runs} runs a point, seed {SEED}; {series(rows)}")
    drawn = alt.layer(*lines(rows, "difference between the effects in the two prompts, points", "runs, %", kinds, top=100))
    return styled(drawn, "A mean over base prompts hides how they differ", "120 items, mean effect 5 points")


def looks() -> alt.LayerChart:
    """How often a run in which nothing happens has been called a finding by the time so many items are in."""
    runs, n, every = 4_000, 300, 25
    rng = np.random.default_rng(SEED)
    d = np.where(rng.random((runs, n)) < 0.2, rng.choice([-1.0, 1.0], (runs, n)), 0.0)
    gained, lost = (d > 0).cumsum(axis=1), (d < 0).cumsum(axis=1)
    low = [
        midp(int(b), int(c)) <= 0.05
        for b, c in zip(gained[:, every - 1 :: every].ravel(), lost[:, every - 1 :: every].ravel(), strict=True)
    ]
    peeked = np.maximum.accumulate(np.array(low).reshape(runs, -1), axis=1)
    bounds = stats.group_sequential_boundaries(4)
    z = np.abs(gained - lost) / np.sqrt(np.maximum(gained + lost, 1))
    planned = np.maximum.accumulate(z[:, 74::75] >= np.array(bounds.z), axis=1)
    first = [stats.eprocess_discordant(row).first_crossing_alpha05 or n + 1 for row in d]
    kinds = ["p ≤ .05 looked at every 25 items", "four planned looks", "e-process, looked at after every item"]
    rows: Rows = [{"x": every * (i + 1), "y": 100 * float(y), "kind": kinds[0]} for i, y in enumerate(peeked.mean(axis=0))]
    rows += [{"x": 75 * (i + 1), "y": 100 * float(y), "kind": kinds[1]} for i, y in enumerate(planned.mean(axis=0))]
    rows += [{"x": x, "y": 100 * float(np.mean(np.array(first) <= x)), "kind": kinds[2]} for x in range(every, n + 1, every)]
    once = 100 * float(np.mean(np.array(low).reshape(runs, -1)[:, -1]))
    told(
        "looks",
        f"{runs:,} runs, seed {SEED}; one look at the end {once:.2f}; boundaries {', '.join(f'{x:.3f}' for x in bounds.z)}; {series(rows)}",
    )
    drawn = alt.layer(
        *level(5, "5 % promised", above=True), *lines(rows, "items answered so far", "called a finding so far, %", kinds, top=20)
    )
    return styled(drawn, "Looking early costs, unless it was planned", "300 items, 20 % of answers change, no effect")


def swings() -> alt.LayerChart:
    """The largest change of a single question where nothing works."""
    rows: Rows = []
    for n in (50, 298):
        for k in (3, 5, 10, 25, 50, 100):
            null = stats.planned_swing(n, k)
            rows += [
                {"x": k, "y": 100 * null.quantile(q), "kind": f"{n} questions, {word}"} for q, word in ((0.5, "median"), (0.95, "95 %"))
            ]
    told("swings", f"without simulation; {series(rows)}")
    p = np.random.default_rng(SEED).beta(0.6, 0.7, 200_000)
    told("swings", "pass@k, pass^k: " + "; ".join(f"k {k}: {(1 - (1 - p) ** k).mean():.3f}, {(p**k).mean():.3f}" for k in (1, 3, 10)))
    kinds = sorted({row["kind"] for row in rows})
    drawn = alt.layer(*lines(rows, "answers to each question, each arm", "largest change, points", kinds, log_x=True))
    return styled(drawn, "What single questions change by chance", "chances of a right answer follow Beta(.6, .7), no effect")


def decision() -> alt.LayerChart:
    """The arm with the largest estimate: its raw gain, its shrunken gain, and its true gain."""
    runs, own = 600, 0.02
    kinds = ["raw gain of the largest", "drawn together", "true gain of the largest"]
    rows: Rows = []
    for k in (2, 5, 11, 21):
        rng = np.random.default_rng([SEED, k])
        found = []
        for _ in range(runs):
            true = rng.normal(0, 0.01, k)
            raw = true + own * math.sqrt(0.5) * (rng.normal() + rng.normal(0, 1, k))
            i = int(raw.argmax())
            s = stats.shrunken(raw, np.full(k, own), margin=0.02, draws=10)
            found.append([raw[i], s.effect[i], true[i], (s.low[i] <= true[i]) and (true[i] <= s.high[i])])
        means = np.mean(found, axis=0)
        rows += [{"x": k, "y": 100 * float(y), "kind": kind} for kind, y in zip(kinds, means, strict=False)]
        told("decision", f"{k} arms: the interval of the largest holds the truth in {100 * means[3]:.1f} %")
    told("decision", f"{runs} runs a point, seed {SEED}; {series(rows)}")
    drawn = alt.layer(*lines(rows, "sentences", "points", kinds))
    return styled(drawn, "The largest of many is partly luck", "error 2 points, half of it shared; true effects spread by 1 point around 0")


def judge() -> alt.LayerChart:
    """Human labels with those of a judge: width of the interval, and whether it holds the truth."""
    runs, truth = 1_000, 0.2
    rows: Rows = []
    for n, more in ((30, 300), (100, 1_000)):
        for rho in (0.0, 0.2, 0.5, 0.8, 0.95):
            rng = np.random.default_rng([SEED, n, int(100 * rho)])
            y = rng.normal(truth, 1, (runs, n + more))
            f = rho * y + math.sqrt(1 - rho**2) * rng.normal(0, 1, y.shape) + (1 - rho) * truth + 1 / 3
            found = [stats.ppi_mean(a[:n], b[:n], b[n:]) for a, b in zip(y, f, strict=True)]
            held = np.mean([r.ci_low <= truth <= r.ci_high for r in found])
            alone = np.mean(np.abs(f.mean(axis=1) - truth) <= 1.96 * f.std(axis=1) / math.sqrt(n + more))
            told("judge", f"n {n}, rho {rho}: holds the truth {100 * held:.1f} %, the judge alone {100 * alone:.1f} %")
            width = np.mean([(r.ci_high - r.ci_low) / (r.human_high - r.human_low) for r in found])
            rows.append({"x": 100 * rho, "y": 100 * float(width), "kind": f"{n} human labels, {more:,} of the judge"})
    told("judge", f"{runs:,} runs a point, seed {SEED}; {series(rows)}")
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    marks = lines(rows, "correlation of judge and people, hundredths", "width, % of human labels alone", kinds, top=110)
    drawn = alt.layer(*level(100, "human labels alone", above=True), *marks)
    return styled(drawn, "A judge that agrees makes labels go further", "the judge is biased by a third of a point")


def options() -> None:
    """Why two known methods are no defaults; without a figure."""
    runs = 2_000
    for n in (50, 100):
        rng = np.random.default_rng([SEED, n])
        d = np.where(rng.random((runs, n)) < 0.1, -0.9, 0.1) + rng.normal(0, 0.01, (runs, n))
        ranks = np.mean([stats.wilcoxon_signed(row, np.zeros(n)).p_pratt_asymptotic <= 0.05 for row in d])
        flips = np.mean(stats.signflip_many(d, 1_999) <= 0.05)
        told(
            "options",
            f"n {n}, {runs:,} runs: a skewed mean of 0 is rejected by Wilcoxon {100 * ranks:.1f} %, by sign flips {100 * flips:.1f} %",
        )
    runs, n = 1_000, 20
    rng = np.random.default_rng(SEED)
    held = np.zeros(2)
    for _ in range(runs):
        d = rng.binomial(3, 0.5, n) / 3 - rng.binomial(3, 0.5, n) / 3
        bca, t = stats.bootstrap_ci(d, np.zeros(n), n_resamples=999, rng=rng).bca, stats.mean_difference_ci(d, np.zeros(n)).ci
        held += [ends is not None and ends[0] <= 0 <= ends[1] for ends in (bca, t)]
    told(
        "options", f"n {n}, three repeats, {runs:,} runs: BCa holds the truth {100 * held[0] / runs:.1f} %, t {100 * held[1] / runs:.1f} %"
    )


FIGURES: Mapping[str, Callable[[], alt.LayerChart]] = {
    "repeats": repeats, "midp": midp_or_exact, "coverage": coverage, "families": families, "tasks": tasks, "same": same,
    "missing": missing, "aa": again, "best": best, "protocol": protocol, "spread": spread, "components": components, "seen": seen,
    "looks": looks, "neutral": neutral, "pooled": pooled, "swings": swings, "decision": decision, "judge": judge, "prompts": prompts,
}  # fmt: skip


def main() -> None:
    """Draw all figures, or those that are named."""
    TARGET.mkdir(exist_ok=True)
    if not sys.argv[1:]:
        options()
    for name in sys.argv[1:] or FIGURES:
        (TARGET / f"{name}.svg").write_text(svg(FIGURES[name]()), encoding="utf-8")


if __name__ == "__main__":
    main()
