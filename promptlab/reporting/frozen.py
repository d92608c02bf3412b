"""What was fixed before the first call, where everything came from, and the commands that do it again, as words for tables."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from promptlab.nouns import ADJUSTMENTS, ROLES, Manifest, Price, PromptlabError, as_sent, beside_trials, counted, merged
from promptlab.record.store import Evidence, evidence_in
from promptlab.reporting.build import Report
from promptlab.reporting.planned import against_words, compared_with
from promptlab.reporting.table import Table, table
from promptlab.sources.spec.experiment import Experiment, load_experiment
from promptlab.stats import adjustment_of

NOT_SENT, ADDED = "not sent under this name", "added by promptlab or the provider's rules"


class Step(NamedTuple):
    """One thing to do, and the commands that do it."""

    what: str
    commands: Sequence[str]


def design(report: Report) -> list[Table]:
    """Everything of the frozen plan that decides what is compared with what; tables without rows are left out."""
    tables = [_families(report), _arms(report), _placebos(report), _tasks(report), _prompts(report), _models(report), _power(report)]
    return [found for found in tables if len(found.frame)]


def facts(report: Report) -> list[tuple[str, str]]:
    """The single values of the plan, by name."""
    plan = report.plan
    controls = ", ".join(report.plan.called(control) for control in report.controls) or "none"
    found = [
        ("suite", plan.suite),
        ("scorer in force", str(plan.scorer or "the tool that was imported from")),
        ("margins", f"{100 * plan.margins.cell:g} points in a task, {100 * plan.margins.mean:g} over the tasks"),
        ("alpha", f"{plan.alpha:g} over the tasks (families of means), {plan.fdr:g} false discovery rate in single tasks"),
        ("controls", controls),
        ("settings", "; ".join(setting.words for setting in plan.settings)),
        ("base prompts", ", ".join(plan.base_prompts)),
        (
            "answers for each item and arm",
            " or ".join(dict.fromkeys(str(plan.replicates if plan.prompts else plan.answers_an_item(task)) for task in plan.tasks)),
        ),
        ("seed", str(plan.seed)),
        ("sampling", _json(plan.sampling) if plan.sampling else "nothing asked: the provider's defaults"),
        ("size", ", ".join(f"{name} {getattr(plan.counts, name):,}" for name in ("models", "tasks", "items", "arms", "trials"))),
    ]
    anew = f"{plan.ran_by}; this report rescores the stored answers" if plan.ran_by and plan.ran_by != plan.scorer else ""
    extra = (("scorer of the run", anew), ("known defects of items", plan.defects), ("length of texts counted by", plan.encoding))
    found += [(name, str(value)) for name, value in extra if value]
    for loop in plan.loops:
        several = f" of {loop.candidates} answers" if loop.candidates > 1 else ""
        oracle = "an oracle says when it is right" if loop.oracle else "no oracle"
        found.append(
            (f"loop {loop.strategy}", f"{counted(loop.rounds, 'round')}{several}, {loop.mode}, settles on {loop.settle}, {oracle}")
        )
    if c := plan.confirm:
        rule = f"at most {c.most} arms of a question, none whose {100 * c.level:.0f} % interval lies below the best"
        n = sum(map(len, c.screening.values()))
        found.append(("screen and confirm", f"{counted(n)} choose, {sum(c.items):,} confirm; {rule}"))
    if plan.looks:
        at = ", ".join(str(max(look.items)) for look in plan.looks)
        below = 100 * (plan.futility or 0.0)
        found.append(("planned interim analyses", f"{len(plan.looks)}, after {at} items of a task; futility below {below:g} % power"))
    return found


def parameters(report: Report) -> Table:
    """For every model and sampling parameter: what the experiment asked, and what was sent."""
    rows = []
    for name, sent in report.manifest.effective.items():
        model = report.plan.model_of.get(name)
        asked = as_sent(merged(report.plan.sampling, model.sampling if model else {}))
        for key in dict.fromkeys((*asked, *sent)):
            was, now = (_json(part[key]) if key in part else None for part in (asked, sent))
            note = NOT_SENT if now is None else ADDED if was is None else "as requested" if was == now else "changed"
            rows.append([name, str(key), was or "-", now or "-", note])
    return table("Parameters requested and sent", "", ("model", "parameter", "asked", "sent", "note"), rows)


def provenance(report: Report) -> list[tuple[str, str, bool]]:
    """Name, value, and whether the value is a hash or other text of a machine."""
    m = report.manifest
    found = [(f"SHA-256 of {name}", str(value), True) for name, value in m.hashes.items()]
    found += [
        ("run", report.run, True),
        ("promptlab's own code", f"commit {m.commit}" if m.commit else "no commit is known", False),
        ("versions", ", ".join(f"{name} {value}" for name, value in m.versions.items()), False),
        ("first and last written", f"{m.created_at} to {m.updated_at}", False),
        ("models asked", "; ".join(f"{name}: {model.words}" for name, model in m.models.items()), False),
        ("served by", "; ".join(f"{name}: {_versions(versions)}" for name, versions in m.served.items()) or "nothing yet", False),
        *(("evidence of the answers", evidence.words, False) for evidence in evidence_of(report)),
        ("prices, USD per million tokens", "; ".join(f"{name}: {_price(p)}" for name, p in m.prices.items()) or "none recorded", False),
        ("calls", _calls(m), False),
        ("budget", "none set" if m.budget_usd is None else f"${m.budget_usd:g}", False),
        *([("last error", m.last_error, True)] if m.last_error else ()),
        *((f"stopped asking {model}", str(why), False) for model, why in m.stopped.items()),
    ]  # fmt: skip
    for source in (m.provenance or {}).get("files", ()):
        found.append(("imported from", f"{source.get('file')} ({source.get('tool')}), SHA-256 {source.get('sha256')}", True))
    return found


def _calls(manifest: Manifest) -> str:
    """What was sent for the trials that are recorded, and why these are not as many."""
    if manifest.imported:
        return "made by the other tool; promptlab sent none"
    counts, why = manifest.counts, beside_trials(manifest.counts.sent, manifest.counts.done, manifest.counts.errors)
    return (
        f"{counts.sent:,} sent in {counted(manifest.sessions, 'session')} for {counted(counts.done, 'trial')}{f' ({why})' if why else ''}; "
        f"in the last, {counted(counts.cached, 'answer')} came from the cache and {counted(counts.errors, 'trial')} failed"
    )


def evidence_of(report: Report) -> list[Evidence]:
    """What the calls keep of their providers, where they are at hand; nothing of a simulated run, which has none."""
    if report.folder is None or report.plan.imported:
        return []
    try:
        found = evidence_in(report.folder)
    except PromptlabError:
        return []
    return [found] if found.response_ids or found.request_ids or found.dated or not report.simulated else []


def steps(report: Report) -> list[Step]:
    """How to do it again: the sweep itself, the stored answers without a key, and the verdicts from the record."""
    m, run = report.manifest, shlex.quote(f"runs/{report.run}")
    found = []
    if m.experiment_path:
        path = shlex.quote(m.experiment_path)
        bundle = shlex.quote(f"{report.run}-answers")
        experiment = experiment_of(report.folder) if report.folder else None
        looks = " --sequential" if report.plan.looks and (experiment is None or experiment.analysis.looks == 1) else ""
        found = [
            Step("Run again, or resume: the same file on the same data is the same run, and nothing recorded or stored is sent twice.",
                 [f"promptlab sweep {path}{looks}"]),
            Step("Hand the answers on as plain files, with their requests and checksums.", [f"promptlab cache export {run} --to {bundle}"]),
            Step("Replay them elsewhere, without key or network; every trial takes its stored answers.",
                 [f"promptlab cache import {bundle}", f"promptlab sweep {bundle}/experiment.yaml{looks} --cache replay"]),
        ]  # fmt: skip
    by_another = [f"promptlab report {run} --scorer reference"] if m.experiment_path else []
    judge, figures = "Judge the record again; nothing is sent.", "Every figure, for a program or a spreadsheet."
    found.append(Step(judge, [f"promptlab report {run} --format html", *by_another]))
    found.append(Step(figures, [f"promptlab report {run} --format {name}" for name in ("json", "csv")]))
    return found


def experiment_of(folder: Path) -> Experiment | None:
    """The experiment of a run folder; None where its file cannot be read."""
    try:
        return load_experiment(folder / "experiment.yaml")[0]
    except (PromptlabError, OSError):
        return None


def _families(report: Report) -> Table:
    plan = report.plan
    sizes, first = Counter(h.family for h in plan.hypotheses), {h.family: h for h in reversed(plan.hypotheses)}
    rows = [
        [family, f"{n:,}", ADJUSTMENTS[adjustment_of(h := first[family])].promise, f"{plan.alpha if h.task is None else plan.fdr:g}"]
        for family, n in sizes.items()
    ]
    note = "Every comparison that was planned counts in its family, judged or not; what is not in one gets no verdict."
    return table("Families of hypotheses", note, ("family", "hypotheses", "method and promise", "level"), rows)


def _arms(report: Report) -> Table:
    rows = [
        [
            arm.name + (f" [{arm.loop}]" if arm.loop else ""), ROLES.get(arm.role, arm.role), arm.text or "(nothing added)",
            f"{arm.n_words} / {'-' if arm.n_tokens is None else arm.n_tokens}" if arm.n_words else "-",
            "; ".join(part for part in (arm.theory, arm.source) if part) or "-",
        ]
        for arm in report.plan.arms
    ]  # fmt: skip
    note = "The exact words. All arms see the same items, demonstrations and option orders."
    return table("Arms and their texts", note, ("arm", "role", "text", "words / tokens", "theory, source"), rows)


def _placebos(report: Report) -> Table:
    rows = [[name, ", ".join(placebos)] for name, placebos in report.plan.placebos_of.items() if placebos]
    return table("Which neutral sentences a sentence is compared with", "Matched by length.", ("sentence", "neutral sentences"), rows)


def _tasks(report: Report) -> Table:
    rows = [
        [
            t.name, t.suite, f"{t.n_items:,}", t.metric, t.strict or "-", "-" if t.chance is None else f"{t.chance:g}",
            f"{t.source} ({t.licence})", "; ".join(t.defects) or "none known",
        ]
        for t in report.plan.tasks
    ]  # fmt: skip
    heads = ("task", "suite", "items", "metric", "strict rule", "chance", "source and licence", "known defects")
    return table("Tasks", "", heads, rows)


def _prompts(report: Report) -> Table:
    rows = [[f"prompt {p.name}", m["role"], m["content"]] for p in report.plan.prompts for m in p.messages]
    rows += [[t.name, name, text] for t in report.plan.tasks for name, text in t.base_prompts.items()]
    used = {setting.placement for setting in report.plan.settings}
    rows += [
        [f"placement {name}", str(p.get("position", "-")), str(p.get("template", "-"))]
        for name, p in report.plan.placements.items()
        if name in used
    ]
    note = "The instruction of every task; the text under test is added where the placement says, before or after it."
    heads = ("task or placement", "name or position", "words")
    if report.plan.prompts:
        note = "Whole prompts with their variables; an added text is at an end of the last user message, or in the system message."
        heads = ("prompt, task or placement", "role, name or position", "words")
    return table("Prompts", note, heads, rows)


def _models(report: Report) -> Table:
    rows = [
        [
            m.name + (" (SIMULATED)" if m.simulated else ""), m.litellm_name, m.api_base or "the provider's own",
            _json(m.sampling) if m.sampling else "as the experiment", m.truth or "-",
        ]
        for m in report.plan.models
    ]  # fmt: skip
    return table("Models", "", ("model", "name sent", "address", "sampling of its own", "known truth, where simulated"), rows)


def _power(report: Report) -> Table:
    effects = ("cell_alone", "cell_in_family", "mean", "mean_like_these")
    rows = [
        [against_words(p, compared_with(report.plan)), f"{100 * p.discordance:g} %", *(_seen(getattr(p, name)) for name in effects)]
        for p in report.plan.power
    ]
    note = "In points, with 80 % power, worked out before the first call, by the share of answers that change."
    heads = (
        "against (arms)",
        "answers that change",
        "one task alone",
        "one task, strictest of its family",
        "mean over these tasks",
        "tasks like these",
    )
    return table("The smallest differences that the design could see", note, heads, rows)


def _seen(value: float | None) -> str:
    return "nothing" if value is None else f"{100 * value:.1f}"


def _versions(versions: Sequence[str]) -> str:
    return ", ".join(versions) + (" (MORE THAN ONE VERSION)" if len(versions) > 1 else "")


def _price(p: Price | None) -> str:
    return "unknown" if not p else f"{p.input_usd_per_mtok:g} in, {p.output_usd_per_mtok:g} out ({p.source})"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
