"""The frozen plan of a run, where the run comes from, and every deviation from the plan: tables."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from promptlab.nouns import ADJUSTMENTS, SCOPES, Manifest, Plan, PlannedModel, RunProblem, as_sent, merged
from promptlab.planning.audit import UNKNOWN, Check, result
from promptlab.record.store.files import read_file
from promptlab.reporting import words
from promptlab.reporting.frozen import experiment_of
from promptlab.reporting.prepared import Store
from promptlab.reporting.sensitivity import key_of
from promptlab.reporting.table import Table, table
from promptlab.stats import Screening, adjustment_of

AS_PLANNED, DEVIATES, NOT_YET = "■ as planned", "▼ deviates", "● not yet"
MOST_GAPS = 200
"""Arms and tasks with too few trials that are listed, the emptiest first."""


def headline(store: Store, found: Sequence[Check], odd: Table) -> str:
    """What a reader should know first: whether anything changed since it was frozen, and whether anything deviates."""
    if store.plan.imported:
        return "Imported: nothing of this was frozen before the answers. Families and margins were fixed when the file was imported."
    began = f"{store.manifest.created_at[:16].replace('T', ' ')} UTC" if store.manifest.created_at else "unknown"
    parts = [f"The plan was written with the run, {began}, before the first call.", result(found)]
    n = int((odd.frame["result"] == DEVIATES).sum())
    parts.append(
        f"{n:,} deviation{'s' if n != 1 else ''} from the plan {'are' if n != 1 else 'is'} listed below." if n else "Nothing deviates."
    )
    if store.report.state == "running":
        parts.append("The sweep is still running, so trials may be on their way.")
    return " ".join(parts)


def hash_table(found: Sequence[Check]) -> Table:
    """The checks of the audit."""
    note = "SHA-256, its first characters. A hash shows that something changed, not who changed it or why."
    return Table("Does what is here match what was frozen?", note, pd.DataFrame([check.row() for check in found]))


def counted_cells(store: Store) -> pd.DataFrame:
    """Trials and errors of every model, setting, arm and task: what the plan asks for, and what is recorded."""
    keys = ["model", "setting", "arm", "task"]
    there = store.query(
        "SELECT model, setting, arm, task, count(*) AS n, count(*) FILTER (outcome = 'error') AS errors FROM trials "
        "WHERE trials.order >= 0 GROUP BY ALL"
    )
    screening = Screening(store.plan, store.report.screening) if store.plan.confirm else None
    frame = planned_cells(store.plan, screening).merge(there, on=keys, how="outer")
    for name in ("planned", "n", "errors"):
        frame[name] = frame[name].fillna(0).astype("int64")
    return frame


def planned_cells(plan: Plan, screening: Screening | None = None) -> pd.DataFrame:
    """How many trials the plan asks of every model, setting, arm and task: items times base prompts times repeats; of a run that screens
    first those of the confirming part.
    """
    rows = []
    for setting in plan.settings:
        for model, arm, task in itertools.product(plan.model_of, plan.arms_of(setting), plan.tasks):
            n = screening.n_prompts(model, setting, arm, task) if screening else plan.n_prompts_of(setting, arm, task)
            rows += [(model, setting.id, arm.name, task.name, task.n_items * n * plan.replicates)] if n else []
    return pd.DataFrame(rows, columns=["model", "setting", "arm", "task", "planned"])


def deviation_table(store: Store, cells: pd.DataFrame) -> Table:
    """What was planned next to what happened."""
    plan, m = store.plan, store.manifest
    planned, n, n_skipped = plan.counts.trials, int(cells["n"].sum()), m.counts.skipped
    state = store.report.state
    short = None if state == "running" else False
    rows: list[tuple[str, str, str, str]] = []

    def add(what: str, wanted: str, is_now: str, fine: bool | None) -> None:
        untold = NOT_YET if state == "running" else UNKNOWN
        rows.append((what, untold if fine is None else AS_PLANNED if fine else DEVIATES, wanted, is_now))

    skipped = f", {n_skipped:,} not sent as planned" if n_skipped else ""
    add("trials recorded", f"{planned:,}", f"{n:,}{skipped}", n + n_skipped >= planned or short)
    wanted = cells[cells["planned"] > 0]
    for name in ("arm", "task"):
        without, n_wanted = [str(key) for key, part in wanted.groupby(name, sort=False) if not part["n"].sum()], wanted[name].nunique()
        add(f"{name}s with any trial", f"{n_wanted:,}", _listed(n_wanted - len(without), without), not without or short)
    if not plan.imported:
        extra = int(cells.loc[cells["planned"] == 0, "n"].sum())
        add("trials outside the plan", "0", f"{extra:,}", not extra)
    n_errors = int(cells["errors"].sum())
    add("calls that failed and were not sent again", "0", f"{n_errors:,}", not n_errors)
    between = len(plan.looks) - 1
    taken = len({row.look for row in store.report.looks if row.look < between})
    looks = (f"{between:,}", f"{taken:,} taken") if plan.looks else ("none", "none")
    add("interim analyses before the end", *looks, not plan.looks or taken == between or short)
    several = {name: versions for name, versions in m.served.items() if len(versions) > 1}
    said = "; ".join(f"{name}: {', '.join(versions)}" for name, versions in several.items())
    add("versions that served one model", "1", said or ("1" if m.served else "unknown"), not several if m.served else None)
    changed = [f"{row.model}: {row.parameter}" for row in parameter_table(store).frame.itertuples() if row.result == DEVIATES]
    found = ", ".join(changed) or ("as planned" if m.effective else "unknown")
    add("parameters sent", "as planned", found, not changed if m.effective else None)
    add("sessions", "1", f"{m.sessions:,}" if m.sessions else "unknown", m.sessions == 1 if m.sessions else None)
    limit, reached = "none" if m.budget_usd is None else f"${m.budget_usd:g}", m.budget_reached
    add("budget", limit, f"reached: {reached}" if reached else "not reached", not reached)
    add("models that refused for good", "none", "; ".join(f"{name}: {why}" for name, why in m.stopped.items()) or "none", not m.stopped)
    add("how it ended", "complete", state, state == "complete" or short)
    note = "Not every deviation is harmful: a second session continues where the first ended. The report must explain each."
    return table("Deviations from the plan", note, ("what", "result", "planned", "found"), rows)


def _listed(n: int, without: Sequence[str]) -> str:
    if not without:
        return f"{n:,}"
    return f"{n:,}; none yet of {', '.join(without[:5])}" + (f" and {len(without) - 5:,} more" if len(without) > 5 else "")


def gap_table(store: Store, cells: pd.DataFrame) -> Table:
    """Arms and tasks with fewer trials than planned, the emptiest first."""
    short = cells[cells["n"] < cells["planned"]]
    short = short.assign(share=short["n"] / short["planned"]).sort_values("share", kind="stable").head(MOST_GAPS)
    short["layout"] = [store.plan.setting_of[setting].words for setting in short["setting"]]
    frame = short[["arm", "task", "model", "layout", "planned", "n", "errors"]].rename(
        columns={"n": "recorded", "errors": "of them failed"}
    )
    n = int((cells["n"] < cells["planned"]).sum())
    note = f"{n:,} of {len(cells):,} are short of trials" + (f"; the {MOST_GAPS} emptiest are listed." if n > MOST_GAPS else ".")
    if store.plan.looks:
        note += " Interim analyses leave trials unsent on purpose."
    return Table("Arms and tasks with fewer trials than planned", note, frame.reset_index(drop=True))


def version_table(store: Store) -> Table:
    """Which version of each model served how many answers."""
    rows = store.query(
        "SELECT model, model_version AS version, count(*) AS trials, min(trials.order) AS first, max(trials.order) AS last "
        "FROM trials GROUP BY ALL ORDER BY model, first"
    )
    rows["version"] = [words.or_unknown(value) for value in rows["version"]]
    note = "As the provider named them with each answer. First and last are places in the order in which trials are sent."
    return Table("Versions that served the answers", note, rows)


def parameter_table(store: Store) -> Table:
    """What the experiment asks of each model besides the messages, and what its provider was sent."""
    rows = []
    for name, model in store.plan.model_of.items():
        asked = as_sent(merged(store.plan.sampling, model.sampling))
        sent = store.manifest.effective.get(name)
        for key in dict.fromkeys([*asked, *(sent or {})]):
            same = sent is not None and key in sent and sent[key] == asked.get(key)
            says = UNKNOWN if sent is None else "● added" if key not in asked else AS_PLANNED if same else DEVIATES
            rows.append((name, key, says, _json(asked, key, "not requested"), "unknown" if sent is None else _json(sent, key, "not sent")))
    note = (
        "As the sweep found them before its first call. Added ones are promptlab's or the provider's own; a simulated model takes the "
        "experiment's seed. What each call was sent is shown with the answer."
    )
    return Table("Parameters requested and sent", note, pd.DataFrame(rows, columns=["model", "parameter", "result", "requested", "sent"]))


def _json(values: Mapping[str, Any], key: str, otherwise: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else otherwise


def term_table(store: Store) -> Table:
    """The single values of the plan."""
    plan = store.plan
    rows = [
        ("question", plan.question),
        ("margin in one task", f"{100 * plan.margins.cell:g} points"),
        ("margin over the tasks", f"{100 * plan.margins.mean:g} points"),
        ("family-wise error rate", f"{plan.alpha:g} (all primary hypotheses; the sentences of one library)"),
        ("false discovery rate", f"{plan.fdr:g} (the tasks of one model)"),
        ("scorer", words.or_unknown(plan.scorer)),
        ("known defects of items", words.or_unknown(plan.defects or None)),
        ("repeats", f"{plan.replicates:,}"),
        ("base prompts", ", ".join(plan.base_prompts)),
        ("layouts", "; ".join(setting.words for setting in plan.settings)),
        ("neutral sentences", _placebos(store)),
        ("trials", f"{plan.counts.trials:,}"),
    ]
    if looks := plan.looks:
        by_then = ", ".join(f"{100 * look.fraction:.0f} %" for look in looks)
        rows.append(("looks", f"{len(looks)}, at {by_then} of the information; level {plan.look_level:.4g} for each sentence"))
    return Table("The frozen plan", "As plan.json says it.", pd.DataFrame(rows, columns=["what", "value"]))


def _placebos(store: Store) -> str:
    names = [name for name, arm in store.arms.items() if arm.role == "placebo"]
    if not names:
        return f"none: {store.plan.no_placebo_reason}" if store.plan.no_placebo_reason else "none"
    return f"{len(names):,}: {', '.join(names)}"


def family_names(store: Store) -> list[str]:
    """The families of hypotheses, in the plan's order."""
    return list(dict.fromkeys(h.family for h in store.plan.hypotheses))


def family_table(store: Store) -> Table:
    """The families of hypotheses: their size, level and adjustment."""
    plan = store.plan
    rows = []
    for family in family_names(store):
        planned = [h for h in plan.hypotheses if h.family == family]
        scope = planned[0].scope if planned[0].task is None else "cell"
        level, margin = (plan.fdr, plan.margins.cell) if scope == "cell" else (plan.alpha, plan.margin)
        against = ", ".join(dict.fromkeys(h.against.phrase for h in planned))
        adjustment = ADJUSTMENTS[adjustment_of(planned[0])].controls
        rows.append([family, SCOPES[scope].about, len(planned), f"{level:g}", adjustment, f"{100 * margin:g} points", against])
    note = f"{len(plan.hypotheses):,} hypotheses. What is in no family gets no verdict."
    heads = ("family", "is about", "hypotheses", "level", "adjusted by", "margin", "measured against")
    return table("Families of hypotheses", note, heads, rows)


def hypothesis_table(store: Store, family: str | None) -> Table:
    """The hypotheses of one family with their verdicts."""
    planned = [h for h in store.plan.hypotheses if h.family == family]
    verdicts = {key_of(c): words.verdict(c) for c in store.report.comparisons}
    rows = [
        [
            h.treatment if h.scope != "primary" else f"all of {h.library}", h.task or "mean over the tasks", h.against.phrase,
            h.model, h.setting.words, verdicts.get(key_of(h), "none yet"),
        ]
        for h in planned
    ]  # fmt: skip
    heads = ("added text", "task", "measured against", "model", "layout", "verdict")
    return table("Hypotheses of one family", f"Those of {family}." if family else "None were planned.", heads, rows)


def provenance_table(store: Store) -> Table:
    """Run, code, versions, models, prices and cost."""
    m, plan = store.manifest, store.plan
    rows: list[tuple[str, object]] = [
        ("run", store.report.run),
        ("experiment file", words.or_unknown(m.experiment_path)),
        ("started", words.or_unknown(m.created_at or None)),
        ("last written", words.or_unknown(m.updated_at or None)),
        ("sessions", words.or_unknown(m.sessions or None)),
        ("code", f"commit {m.commit}" if m.commit else "commit unknown: not run from a checkout"),
        *((f"version of {name}", number) for name, number in m.versions.items()),
        ("seed", plan.seed),
        ("sampling", ", ".join(f"{name} {value}" for name, value in plan.sampling.items()) or "the provider's own"),
        ("tokens counted by", words.or_unknown(plan.encoding)),
        ("prices from", words.or_unknown(plan.price_source or None)),
    ]
    rows += [(f"model {model.name}", _model_words(model, m)) for model in plan.models]
    if provenance := m.provenance:
        rows.append(("imported from", f"{provenance.get('tool')}: {', '.join(str(f.get('file')) for f in provenance.get('files', ()))}"))
    rows.append(("cost", store.report.paid))
    return Table("Where it comes from", "As manifest.json and plan.json say it.", pd.DataFrame(rows, columns=["what", "value"]).astype(str))


def _model_words(model: PlannedModel, manifest: Manifest) -> str:
    price, cost = manifest.prices.get(model.name), "price unknown"
    if price:
        cost = f"{price.input_usd_per_mtok:g} and {price.output_usd_per_mtok:g} USD per million tokens in and out ({price.source})"
    parts = [
        model.litellm_name + (" (SIMULATED)" if model.simulated else ""),
        f"at {model.api_base}" if model.api_base else "",
        f"with {json.dumps(model.sampling, ensure_ascii=False)}" if model.sampling else "",
        cost,
    ]
    return ", ".join(filter(None, parts))


def experiment_text(store: Store) -> str | None:
    """The experiment file of the run folder; None where there is none."""
    try:
        return read_file(store.folder / "experiment.yaml").decode(errors="replace")
    except (OSError, RunProblem):
        return None


def commands(store: Store) -> list[tuple[str, str]]:
    """What to do, and the command for it; nothing of an imported run, which promptlab cannot run again."""
    if store.plan.imported:
        return []
    folder = shlex.quote(str(store.folder))
    file = shlex.quote(str(store.folder / "experiment.yaml"))
    sequential = ""
    others: list[str] = []
    if experiment := experiment_of(store.folder):
        sequential = " --sequential" if store.plan.looks and experiment.analysis.looks == 1 else ""
        cues = [entry.cues for entry in experiment.loops if entry.cues != "heart"]
        others = [*experiment.task_files, *experiment.stimulus_files, *cues, *(program.factory for program in experiment.programs)]
    found = [
        ("Ask all of it again, into another folder:", f"promptlab sweep {file}{sequential} --runs again --cache off"),
        ("Put its answers into a folder that can be handed on:", f"promptlab cache export {folder} --to bundle"),
        ("Replay those answers, without a key and without a call:",
         f"promptlab cache import bundle && promptlab sweep bundle/experiment.yaml{sequential} --cache replay --runs again"),
    ]  # fmt: skip
    if others:
        found.append(("The experiment also reads these files; put them next to it first:", "\n".join(others)))
    return found
