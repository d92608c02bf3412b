"""Two arms of one run or of two runs, paired item by item and base prompt by base prompt: for exploration, not for a verdict, because
nobody planned it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from promptlab.nouns import AA_ARM, NONE_ARM, Plan, Setting, Status, UsageProblem, did_you_mean, filled, full_name
from promptlab.nouns.words import counted
from promptlab.record.store import Run
from promptlab.reporting.build import Report
from promptlab.reporting.checked import checked
from promptlab.reporting.names import arm_name
from promptlab.reporting.rescore import rescored
from promptlab.stats import Inference, ItemTable, Pairs, adjust, infer, interval, item_tables, p_text, points, prompt_names
from promptlab.stats.contrasts import of_arms
from promptlab.stats.served import far

EXPLORATORY = (
    "Exploratory: this comparison was not planned before the data were seen, so it gets no verdict. Holm counts the tasks shown, not the "
    "comparisons that could have been looked at."
)
ALPHA = 0.05
MOST_CHANGED = 100
Names = tuple[str | None, str | None]
"""A name for each side; None: as it follows from the others."""


@dataclass(frozen=True, slots=True)
class Side:
    """One arm of one run: what is compared."""

    run: str
    model: str
    arm: str
    setting: Setting
    simulated: bool
    prompt: str | None = None
    """The base prompt; None for all of them, each paired with itself."""
    called: str = field(default="", compare=False)
    """What reports call it; empty before it is compared."""

    @property
    def label(self) -> str:
        return f"{self.run} {self.model} {self.called or self.arm}"

    def named(self, plan: Plan) -> Side:
        """The side with the name that reports of its run give it, and its base prompt where that is no part of the name."""
        name = arm_name(plan, self.setting, self.arm, self.prompt)
        return replace(self, called=f"{name} with prompt {self.prompt}" if self.prompt and not of_arms(plan) else name)


@dataclass(frozen=True, slots=True)
class PairRow:
    """B minus A on one task (None: the mean over the tasks), as fractions."""

    task: str | None
    n: int
    mean_a: float
    mean_b: float
    diff: float
    ci_low: float | None
    ci_high: float | None
    gained: int | None
    lost: int | None
    p_value: float | None
    p_holm: float | None
    method: str
    status: Status


@dataclass(frozen=True, slots=True)
class Changed:
    """An item whose score differs between the two sides."""

    task: str
    item: str
    score_a: float
    score_b: float


@dataclass(frozen=True, slots=True)
class PairReport:
    """Two sides, their tasks, and what keeps them from being alike."""

    a: Side
    b: Side
    rows: tuple[PairRow, ...]
    notes: tuple[str, ...]
    sentence: str
    n_changed: int = 0
    changed: tuple[Changed, ...] = ()
    """The items that differ most, at most `MOST_CHANGED`."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row for each task, and for the mean over them where there are several; effects as fractions."""
        return pd.DataFrame([asdict(row) for row in self.rows])


def side_of(run: Run, model: str | None, arm: str, strategy: str | None, *, prompt: str | None = None, setting: str | None = None) -> Side:
    """The side that the user means by the name of an arm, or of a prompt; UsageProblem with what there is where no name says it."""
    plan = run.plan
    models = list(plan.model_of)
    if model is None and len(models) > 1:
        raise UsageProblem(f"{run.id} has several models ({', '.join(models)}); say which one is meant")
    chosen = models[0] if model is None else model
    if chosen not in models:
        raise UsageProblem(f"{run.id} has no model {chosen!r}; {did_you_mean(chosen, models)}")
    arms, prompts = list(dict.fromkeys(a.name for a in plan.arms)), prompt_names(plan)
    if prompt is not None and prompt not in prompts:
        raise UsageProblem(f"{run.id} has no prompt {prompt!r}; {did_you_mean(prompt, prompts)}".rstrip("; "))
    if arm not in arms and arm in prompts:
        arm, prompt = NONE_ARM, arm
    arm = full_name(arm, arms)
    if arm not in arms:
        raise UsageProblem(f"{run.id} has no arm {arm!r}; {did_you_mean(arm, [*arms, *(prompts if len(prompts) > 1 else [])])}")
    settings = [s for s in plan.settings_with(arm) if strategy in (None, s.strategy)]
    if not settings:
        raise UsageProblem(f"{run.id} has no arm {arm!r} with the strategy {strategy!r}")
    if setting is not None and setting not in (known := [s.id for s in settings]):
        raise UsageProblem(f"{run.id} has no setting {setting!r} of {arm!r}; {did_you_mean(setting, known)}".rstrip("; "))
    meant = next(s for s in settings if setting in (None, s.id))
    return Side(run.id, chosen, arm, meant, plan.model_of[chosen].simulated, prompt)


def paired(
    run_a: Run,
    run_b: Run,
    a: str,
    b: str,
    *,
    models: Names = (None, None),
    prompts: Names = (None, None),
    settings: Names = (None, None),
    strategy: str | None = None,
    force: bool = False,
) -> PairReport:
    """Arm `b` of the second run minus arm `a` of the first, by names as a user gives them; the runs may be one.

    RunProblem where one fails its audit, unless `force`.
    """
    named = zip((run_a, run_b), (a, b), models, prompts, settings, strict=True)
    sides = [side_of(run, model, arm, strategy, prompt=prompt, setting=setting) for run, arm, model, prompt, setting in named]
    for i, (side, other) in enumerate(zip(sides, sides[::-1], strict=True)):
        if side.prompt is None and other.prompt is not None:  # an arm against a prompt: within that prompt; nothing added: the incumbent
            incumbent = (run_a, run_b)[i].plan.incumbent
            sides[i] = replace(side, prompt=incumbent if incumbent and side.arm == other.arm else other.prompt)
    if run_a.folder == run_b.folder and sides[0] == sides[1]:
        raise UsageProblem(f"an arm cannot be compared with itself; name another one with --against, or another run{_two_arms(run_a)}")
    runs = {run.folder: run for run in (run_a, run_b)}.values()
    failed = [f"{run.id} fails its audit: {said}" for run in runs for said in checked(run, force)]
    found = compare(run_a, sides[0], run_b, sides[1], force=force)
    return replace(found, notes=(*failed, *found.notes))


def _two_arms(run: Run) -> str:
    """A command that compares two arms of the run, the incumbent first; '' where it has one."""
    plan = run.plan
    whole = sorted((prompt.name for prompt in plan.prompts), key=lambda name: name != plan.incumbent)
    added = [arm.name for arm in plan.arms if arm.role in ("baseline", "stimulus")]
    names = next((names for names in (whole, added) if len(names) > 1), [])
    return f": `promptlab compare {shlex.join([str(run.folder), '--arm', names[0], '--against', names[1]])}`" if names else ""


def compare(run_a: Run, a: Side, run_b: Run, b: Side, *, force: bool = False) -> PairReport:
    """B minus A, by items that both runs asked with the same text. The answers of B are scored by A's scorer.

    UsageProblem where the two were sent different sampling parameters, unless forced.
    """
    sent = [_sent(run, side.model) for run, side in ((run_a, a), (run_b, b))]
    if sent[0] != sent[1] and None not in sent and not force:
        raise UsageProblem(
            f"{a.run} and {b.run} were sent different sampling parameters ({sent[0]} and {sent[1]}), "
            f"so their difference is not that of the arms; --force compares them all the same, and says so"
        )
    (plan_a, a), (plan_b, b) = ((run.plan, side.named(run.plan)) for run, side in ((run_a, a), (run_b, b)))
    notes = differences(run_a, a.model, a.setting, run_b, b.model, b.setting)
    trials_a = _judging(run_a)
    trials_b = trials_a if run_a.folder == run_b.folder else _judging(run_b)
    if plan_a.scorer != plan_b.scorer and plan_a.scorer is not None:
        trials_b = rescored(trials_b, run_b.items(), plan_b, plan_a.scorer)
        notes.append(f"the answers of {b.run} were rescored by {plan_a.scorer}")
    shared = shared_items(run_a, run_b)
    tables = [item_tables(trials_a)]
    tables.append(tables[0] if trials_b is trials_a else item_tables(trials_b))
    of_side = [of.get((side.model, side.setting.id), {}) for of, side in zip(tables, (a, b), strict=True)]
    arms = [
        plan.baseline if side.arm == NONE_ARM and other.arm not in (NONE_ARM, AA_ARM) else (side.arm,)
        for plan, side, other in ((plan_a, a, b), (plan_b, b, a))
    ]
    if (NONE_ARM, AA_ARM) in arms:
        notes.append(f"{NONE_ARM} is the mean of the baseline and its repeat, as in the report")
    notes += _served_apart([_of_side(of, side, names) for of, side, names in zip((trials_a, trials_b), (a, b), arms, strict=True)])
    pairs, dropped = [], 0
    changed: list[Changed] = []
    by_prompt: dict[str, list[Pairs]] = {}
    for task in plan_a.task_of:
        if task not in of_side[0] or task not in of_side[1]:
            continue
        own = [side[task] for side in of_side]
        found, left_out, of_task = pairs_of(own, (a, b), arms, shared)
        for name in () if a.prompt or b.prompt else [name for name in own[0].by_prompt if name in own[1].by_prompt]:
            by_prompt.setdefault(name, []).append(pairs_of(own, (replace(a, prompt=name), replace(b, prompt=name)), arms, shared)[0])
        dropped += left_out
        changed += of_task
        if len(found.s):
            pairs.append(found)
    if not pairs:
        raise UsageProblem(f"{a.label} and {b.label} share no scored item; two runs pair only where they asked the same items of one task")
    if dropped:
        notes.append(f"{counted(dropped)} left out: not in both runs, another text, or without a score")
    if len(by_prompt) > 1:
        each = {name: infer(kept, ALPHA) for name, of in by_prompt.items() if (kept := [p for p in of if len(p.s)])}
        said = "; ".join(f"{name} {points(i.diff)} ({interval(*(i.ci or (None, None)))})" for name, i in each.items())
        notes.append(f"the mean over {len(each)} base prompts, which hides how they differ: {said}; --prompt takes one")
    tests = [infer([p], ALPHA) for p in pairs]
    holm = adjust([t.p_value for t in tests], "holm")
    of_pairs = zip(pairs, tests, holm, strict=True)
    rows = [_row(t, p.task, len(p.s), (float(p.b.mean()), float(p.s.mean())), float(h)) for p, t, h in of_pairs]
    if len(pairs) > 1:
        m = infer(pairs, ALPHA)
        means = float(np.mean([r.mean_a for r in rows])), float(np.mean([r.mean_b for r in rows]))
        rows.append(_row(m, None, sum(len(p.s) for p in pairs), means, m.p_value))
    last = rows[-1]
    text = (
        f"{b.label} minus {a.label}, {f'over {len(pairs)} tasks' if last.task is None else f'in {last.task}'}: "
        f"{points(last.diff)} points ({interval(last.ci_low, last.ci_high)}; n {last.n}; {p_text(last.p_value)})."
    )
    most = sorted(changed, key=lambda one: -abs(one.score_b - one.score_a))[:MOST_CHANGED]
    return PairReport(a, b, tuple(rows), tuple(notes), text, n_changed=len(changed), changed=tuple(most))


def _of_side(trials: pd.DataFrame, side: Side, arms: Sequence[str]) -> pd.DataFrame:
    """The scored trials of one side whose version was named."""
    place = (trials["model"] == side.model) & (trials["setting"] == side.setting.id) & trials["arm"].isin(list(arms))
    within = True if side.prompt is None else trials["base_prompt"] == side.prompt
    return trials[place & within & trials["score"].notna() & trials["model_version"].notna()]


def _served_apart(sides: Sequence[pd.DataFrame]) -> list[str]:
    """That other versions of one model answered the two arms, with the shares of each; nothing where chance explains it."""
    if len(set(map(str, pd.concat([rows["model"] for rows in sides]).unique()))) != 1:
        return []
    counts = [rows["model_version"].astype(str).value_counts() for rows in sides]
    versions = sorted(set(counts[0].index) | set(counts[1].index))
    of = [own.reindex(versions, fill_value=0).to_numpy() for own in counts]
    if far(*of) is None:
        return []
    shares = [100 * own / own.sum() for own in of]
    each = ", ".join(f"{name} {one:.0f} % and {other:.0f} %" for name, one, other in zip(versions, *shares, strict=True))
    return [f"the versions that answered: {each} of the answers, so the difference may be one between versions"]


def _judging(run: Run) -> pd.DataFrame:
    """The trials that judge arms: of a run that screened first those of its confirming part."""
    confirm, trials = run.plan.confirm, run.trials()
    return trials if confirm is None else trials[trials["order"] >= confirm.order]


def pairs_of(
    tables: Sequence[ItemTable], sides: Sequence[Side], arms: Sequence[Sequence[str]], shared: Collection[tuple[str, str]]
) -> tuple[Pairs, int, list[Changed]]:
    """B and A on the items and base prompts that both have, how many items that leaves out, and which of them differ."""
    task, own = tables[0].task, [set(table.items) for table in tables]
    names = [name for name in tables[0].items if name in own[1] and (task, name) in shared]
    prompts = [[side.prompt] if side.prompt else list(table.by_prompt) for table, side in zip(tables, sides, strict=True)]
    if any(len(some) > 1 for some in prompts):  # each is paired with itself; two single ones with each other
        prompts = [[prompt for prompt in prompts[0] if prompt in prompts[1]]] * 2
    if not prompts[0]:
        one, other = (next(iter(table.by_prompt)) for table in tables)
        raise UsageProblem(
            f"{sides[0].run} and {sides[1].run} have no base prompt in common, so no answers of theirs make a pair; take one of each, "
            f"such as --prompt {shlex.quote(one)} --prompt-b {shlex.quote(other)}"
        )
    means = np.array([[_scores(t, of, prompt, names) for prompt in some] for t, of, some in zip(tables, arms, prompts, strict=True)])
    both = np.isfinite(means).all(axis=0)
    with np.errstate(invalid="ignore"):
        x, y = (np.where(both, side, 0.0).sum(axis=0) / both.sum(axis=0) for side in means)
    kept = np.isin(tables[0].items, names)
    clusters = None if tables[0].clusters is None else tables[0].clusters[kept]
    found = replace(tables[0], items=tables[0].items[kept], clusters=clusters).pairs(y, x)
    changed = [Changed(task, str(n), float(u), float(v)) for n, u, v in zip(names, x, y, strict=True) if np.isfinite(u) and u != v]
    return found, len(own[0] | own[1]) - len(found.s), changed


def _scores(table: ItemTable, arms: Sequence[str], prompt: str, names: Sequence[str]) -> np.ndarray:
    """The mean scores of some items in one base prompt, over those of the arms that it has."""
    part = table.within(prompt)
    of_item = {} if part is None else dict(zip(part.items, part.mean([arm for arm in arms if part.has(arm)]), strict=True))
    return np.array([of_item.get(name, np.nan) for name in names])


def _row(found: Inference, task: str | None, n: int, means: tuple[float, float], p_holm: float | None) -> PairRow:
    low, high = found.ci or (None, None)
    given = {"task": task, "n": n, "mean_a": means[0], "mean_b": means[1], "ci_low": low, "ci_high": high, "p_holm": p_holm}
    return filled(PairRow, found, **given, status="not_planned")


def shared_items(run_a: Run, run_b: Run) -> set[tuple[str, str]]:
    """Items that both runs name alike and ask in the same words, of the same suite."""
    first, *others = [_texts(run) for run in ((run_a,) if run_a.folder == run_b.folder else (run_a, run_b))]
    return {key for key, text in first.items() if all(other.get(key) == text for other in others)}


def _texts(run: Run) -> dict[tuple[str, str], tuple[Any, ...]]:
    suites = {t.name: t.suite for t in run.plan.tasks}
    rows = run.items().to_dict("records")
    return {(r["task"], r["item"]): (r["input"], tuple(r["choices"]), tuple(r["targets"]), suites.get(r["task"])) for r in rows}


def _sent(run: Run | Report, model: str) -> dict[str, Any] | None:
    """The sampling parameters that a model was sent; the seed of a simulator is none of them. None where they are not known."""
    simulated, sent = model in run.manifest.simulated_models, run.manifest.effective.get(model)
    return None if sent is None else {name: value for name, value in sent.items() if not (simulated and name == "seed")}


def differences(a: Run | Report, model_a: str, setting_a: Setting, b: Run | Report, model_b: str, setting_b: Setting) -> list[str]:
    """What else differs between two runs, so that a difference is not attributed to the arm alone."""
    sides = [
        {
            **{name: getattr(run.plan, name) for name in ("seed", "replicates", "defects")},
            "sampling as sent": _sent(run, model),
            "served by": ", ".join(run.manifest.served.get(model, ())) or "nobody said",
        }
        for run, model in ((a, model_a), (b, model_b))
    ]
    found = [f"{name}: {one} and {sides[1][name]}" for name, one in sides[0].items() if one != sides[1][name]]
    tasks_a, tasks_b = ({t.name: t.base_prompts for t in run.plan.tasks} for run in (a, b))
    if any(tasks_a[name] != tasks_b[name] for name in tasks_a.keys() & tasks_b.keys()):
        found.append("the base prompts are not the same")
    texts_a, texts_b = ({p.name: p.sha256 for p in run.plan.prompts} for run in (a, b))
    if other := sorted(name for name in texts_a.keys() & texts_b.keys() if texts_a[name] != texts_b[name]):
        found.append(f"the prompt {', '.join(other)} has another text")
    if setting_a != setting_b:
        found.append(f"settings: {setting_a.canonical()} and {setting_b.canonical()}")
    return found
