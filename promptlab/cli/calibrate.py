"""`promptlab calibrate`: how often a design errs, on made-up answers."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

from typer import Option

from promptlab.cli.common import AllowCode, AsJson, ExperimentFile, Sequential, exit_json, load, print_table, say
from promptlab.nouns import UsageProblem, counted

if TYPE_CHECKING:
    from promptlab.planning.calibrate import Calibration, GateRates, JudgedRates, Rate


def calibrate(
    experiment: ExperimentFile,
    sweeps: Annotated[int, Option(min=20, max=100_000, help="Number of simulated runs of each kind.")] = 200,
    effect: Annotated[float, Option(min=-50, max=50, help="The planted effect, in points on every task.")] = 3.0,
    sequential: Sequential = False,
    allow_code: AllowCode = False,
    baseline: Annotated[float, Option(min=0.02, max=0.98, help="The share of right answers without any stimulus.")] = 0.7,
    discordance: Annotated[float, Option(min=0.001, max=0.5, help="The share of items on which two runs disagree.")] = 0.10,
    margin: Annotated[
        float | None, Option(min=0.1, max=50, help="Largest loss in points that passes the gate; default: the plan's margin.")
    ] = None,
    drift: Annotated[
        float, Option(min=-50, max=50, help="How far the scores of all arms drift from the first call to the last, in points.")
    ] = 0.0,
    plant: Annotated[
        list[str] | None,
        Option(help="FACTOR=LEVEL: where the effect is (prompt, model, stimulus, or a factor); given twice, only where both meet."),
    ] = None,
    labels: Annotated[int | None, Option(min=2, help="A judge scores, and people rate so many items: what would be found.")] = None,
    judge: Annotated[
        str, Option(help="How often that judge errs, and how often it prefers the treatment whatever it says, in percent.")
    ] = "10,5",
    as_json: AsJson = False,
) -> None:
    """How often this design would report a gain that is not there, and find one that is; and what its gate would say. Sends nothing."""
    from dataclasses import asdict, replace

    from promptlab.planning.calibrate import calibrate as calibrated
    from promptlab.planning.calibrate import fixed_design, gates
    from promptlab.planning.judge_rates import judged_by
    from promptlab.planning.made_up import Answers

    study = load(experiment, allow_code, sequential=sequential)
    if discordance >= 2 * baseline * (1 - baseline):
        raise UsageProblem(
            f"two runs of a model that is right on {baseline:g} of the items cannot disagree on {discordance:g}; "
            f"at most {2 * baseline * (1 - baseline):.3f}: lower --discordance"
        )
    started = time.monotonic()

    def observe(done: int, of: int) -> None:
        if sys.stderr.isatty() or done == of:
            left = (time.monotonic() - started) / done * (of - done)
            sys.stderr.write(f"\r{done} of {of} made-up sweeps, about {left:.0f} s left " + ("\n" if done == of else ""))
            sys.stderr.flush()

    when = dict(_level(text) for text in plant or ())
    found = calibrated(study, sweeps, effect / 100, baseline, discordance, observe, drift=drift / 100, when=when)
    found = replace(found, gate=gates(study, sweeps, margin and margin / 100, baseline, discordance))
    if labels is not None:
        made = Answers(baseline, discordance)
        errors, bias = _shares(judge)
        found = replace(found, judged=judged_by(study, sweeps, effect / 100, made, n_labels=labels, errors=errors, bias=bias))
    if study.design.screened:
        fixed = fixed_design(study)
        n_items = sum(len(task.items) for task in fixed.design.tasks)
        beside = calibrated(fixed, sweeps, effect / 100, baseline, discordance, observe, drift=drift / 100, when=when)
        found = replace(found, fixed=beside.models, fixed_items=n_items)
    if as_json:
        exit_json(asdict(found))
    a, f = found.false_gain, found.found
    seen = "" if found.estimates_mean is None else f" Where it was found, the mean estimate was {100 * found.estimates_mean:+.1f} points."
    say(
        f"This design reports a false gain in {100 * a.share:.1f} % [{100 * a.low:.1f}, {100 * a.high:.1f}] of sweeps "
        f"and finds {effect:+g} points{' on all models' if len(found.models) > 1 else ''} in {100 * f.share:.1f} % "
        f"[{100 * f.low:.1f}, {100 * f.high:.1f}]."
    )
    everywhere = f", on all {len(found.models)} models" if len(found.models) > 1 else ""
    planted = f"{found.treatment} {effect:+g} points"
    print_table(
        "", ["when", "what", "how often", "95 % CI"],
        [
            ["nothing works", "something helps over the tasks", *_rate(found.false_gain)],
            ["nothing works", "any finding at all, over the tasks or in a task", *_rate(found.false_finding)],
            ["nothing works", "the A/A check silences a model", *_rate(found.aa_failed)],
            [planted, f"said to help over the tasks{everywhere}", *_rate(found.found)],
            *([
                ["nothing works", f"findings in cells, of {found.n_cells}, a sweep", f"{found.false_cells:.2f}", "-"],
                [planted, "said to help in a task (share of tasks)", f"{100 * found.found_cells:.1f} %", "-"],
            ] if found.n_cells else []),
        ],
        f"Answers made up: {100 * baseline:g} % right, {100 * discordance:g} % of items change between two runs; {sweeps} sweeps of each "
        f"kind{f'; all drift by {drift:+g} points' if drift else ''}.{seen}"
        + (
            f" {100 * found.asked:.0f} % of the trials are sent when nothing works, "
            f"{100 * found.asked_planted:.0f} % with the effect."
            if found.asked < 1
            else ""
        ),
    )  # fmt: skip
    print_table(
        "Findings over the tasks, in shares of the sweeps (promised of false ones: at most alpha in each family)",
        ["family", "compares", "nothing works", "95 % CI", f"{planted}: found", "elsewhere, falsely"],
        [
            [f.family, f.n_comparisons or "spread", *_rate(f.false), *(f"{100 * r.share:.1f} %" if r else "-" for r in (f.found, f.blamed))]
            for f in found.families
        ],
    )  # fmt: skip
    _by_model(found, effect)
    if found.gate:
        _gate(found.gate)
    if found.judged:
        _judged(found.judged, planted)


def _level(text: str) -> tuple[str, str]:
    factor, equals, level = text.partition("=")
    if not equals:
        raise UsageProblem(f"--plant {text}: a factor and its level are needed, such as shots=4")
    return factor.strip(), level.strip()


def _shares(judge: str) -> tuple[float, float]:
    """Errors and bias of a judge, as fractions."""
    try:
        errors, bias = (float(part) / 100 for part in judge.split(","))
    except ValueError:
        errors = bias = -1.0
    if not (0 <= errors <= 0.5 and 0 <= bias <= 1):
        raise UsageProblem(f"--judge {judge}: two percentages are needed, such as 10,5; errors are at most 50")
    return errors, bias


def _judged(judged: JudgedRates, planted: str) -> None:
    """What would be found of one arm where a judge scores."""
    print_table(
        f"A judge that errs in {100 * judged.errors:g} % and prefers the treatment in {100 * judged.bias:g} %; people rate "
        f"{judged.n_labels:,} of {judged.n_items:,} items",
        ["when", "what", "how often", "95 % CI"],
        [
            ["nothing works", "a finding by the judge alone", *_rate(judged.judge_alone)],
            ["nothing works", "a finding by people and judge (promised: at most alpha)", *_rate(judged.with_labels)],
            [planted, "found by people and judge", *_rate(judged.found)],
        ],
        "What a judge prefers it finds, too, where nothing works; labels by people correct it.",
    )


def _by_model(found: Calibration, effect: float) -> None:
    """What would be shipped, model by model."""
    planted = f"{found.treatment} {effect:+g} points"
    designs = [("", found.models)]
    if found.fixed:
        designs = [("screen and confirm", found.models), (f"all arms on {counted(found.fixed_items)}", found.fixed)]
    rows = [
        [of.model + (f", {design}" if design else ""), when, what, *told]
        for design, models in designs
        for of in models
        for when, what, told in (
            ("nothing works", "some arm is shipped", _rate(of.false_ship)),
            (planted, "the best arm is shipped", _rate(of.best_shipped)),
            (planted, "another arm is shipped", _rate(of.other_shipped)),
            (planted, "given away on average", [f"{100 * of.regret(effect / 100):.2f} points", "-"]),
        )
    ]
    print_table(
        "Shipped: found to help over the tasks against its control and against what runs today",
        ["model", "when", "what", "how often", "95 % CI"],
        rows,
        "Both designs send about the same number of trials. " + _worse(found) if found.fixed else "",
    )


def _worse(found: Calibration) -> str:
    """Whether screening first does worse than the fixed design, for any model."""
    worse = [a.model for a, b in zip(found.models, found.fixed, strict=True) if a.best_shipped.high < b.best_shipped.low]
    better = [a.model for a, b in zip(found.models, found.fixed, strict=True) if a.best_shipped.low > b.best_shipped.high]
    if worse:
        return f"Screening first is WORSE here: it ships the best arm less often on {', '.join(worse)}; leave 'confirm' out."
    return "Screening first ships the best arm more often." if better else "These sweeps do not distinguish the two."


def _gate(gate: GateRates) -> None:
    """What the gate would say of one arm."""
    points, loss = f"{100 * gate.margin:g}", f"it loses {100 * gate.loss:g} points"
    print_table(
        f"The gate (promptlab gate) at a margin of {points} points, one arm, {counted(gate.n_items)}",
        ["when", "what", "how often", "95 % CI"],
        [
            ["nothing changes", "passes", *_rate(gate.pass_if_same)],
            [f"it loses exactly {points} points", "passes, falsely (promised: at most alpha)", *_rate(gate.pass_at_margin)],
            [loss, "fails", *_rate(gate.fail_at_loss)],
            [loss, "passes, falsely", *_rate(gate.pass_at_loss)],
        ],
        f"With about {counted(gate.items_needed)} four gates of five pass where nothing changes.",
    )  # fmt: skip


def _rate(rate: Rate) -> list[str]:
    return [f"{100 * rate.share:.1f} %", f"{100 * rate.low:.1f} to {100 * rate.high:.1f}"]
