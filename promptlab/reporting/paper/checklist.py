"""A reproducibility checklist with the answers that a run knows; what it cannot know is left to the authors."""

from __future__ import annotations

from promptlab.nouns.words import counted
from promptlab.reporting.build import Report
from promptlab.reporting.paper.cited import UNSTATED, licences
from promptlab.reporting.paper.flow import Flow
from promptlab.reporting.paper.methods import moment
from promptlab.reporting.people import judgings
from promptlab.reporting.table import Table, table

AUTHORS = "AUTHORS"
YES, NO, PARTLY, NONE = "yes", "NO", "partly", "not applicable"


def checklist(report: Report, flow: Flow) -> Table:
    """Question, answer (yes, NO, partly, not applicable, AUTHORS) and what the run says of it."""
    plan, m = report.plan, report.manifest
    rows: list[tuple[str, str, str]] = []

    def add(question: str, answer: str | bool, words: str) -> None:
        rows.append((question, answer if isinstance(answer, str) else YES if answer else NO, words))

    made_at = moment(m.created_at)
    if plan.imported:
        add("Was the analysis fixed before the answers?", NO, "imported: families and margins were fixed after the answers existed")
    else:
        add("Was the analysis fixed before the answers?", True, f"the plan was written with the run, {made_at}, before its first call")
    add(
        "Is the whole planned experiment reported?",
        report.complete,
        f"{flow.recorded:,} of {flow.planned:,} planned trials; {report.state}",
    )
    versions = {name: served for name, served in m.served.items() if served}
    unknown = [name for name in plan.model_of if name not in versions]
    add("Are models named with versions and dates?", YES if not unknown else PARTLY if versions else NO,
        f"no version known of {', '.join(unknown)}" if unknown else f"{made_at} to {moment(m.updated_at)}")  # fmt: skip
    add("Did one version answer throughout?", not m.several_versions if versions else NO,
        "; ".join(m.several_versions) or ("one version a model" if versions else "versions are not recorded"))  # fmt: skip
    add("Are sampling parameters given as sent?", bool(m.effective), "table of parameters" if m.effective else "not recorded")
    add("Are prompts given in full?", not plan.imported or PARTLY, "appendix and data/prompts.jsonl")
    seeds = "not recorded" if plan.imported else f"seed {plan.seed}; drawn by name, so that the same file gives the same design"
    add("Are random draws reproducible?", not plan.imported, seeds)
    n_answers = max(map(plan.answers_an_item, plan.tasks), default=1)
    add("Were repeats of the same request made?", n_answers > 1, f"{counted(n_answers, 'answer')} for each item and arm")
    aa = report.of("aa")
    failed = sorted({c.model for c in aa if c.status == "aa_failed"})
    add(
        "Was the baseline compared with its own repeat?",
        bool(aa),
        f"failed: {', '.join(failed)}" if failed else "passed" if aa else "no repeat",
    )
    placebo = "placebo" in report.controls or "neutral_feedback" in report.controls or "neutral_paraphrase" in report.controls
    texts = any(arm.role in ("stimulus", "loop") for arm in plan.arms)
    add("Is there a control of the same length or form?", placebo if texts else NONE,
        ", ".join(report.plan.called(control) for control in report.controls) or "no control of this kind")  # fmt: skip
    add("Are uncertainties given for every effect?", all(c.ci_low is not None for c in report.comparisons if c.diff is not None),
        "95 % intervals by item or cluster")  # fmt: skip
    add("Are all comparisons corrected for?", bool(plan.hypotheses), f"{len(plan.hypotheses):,} planned hypotheses in frozen families")
    add("Was power computed beforehand?", bool(plan.power), "smallest detectable differences are in the Methods" if plan.power else "no")
    add("Are missing answers reported by reason?", True, f"{flow.recorded - flow.scored:,} without a score; flow of trials")
    judged = judgings(plan)
    people = {one.rater for one in report.ratings}
    add(
        "Was a judge validated by people?",
        bool(people) if judged else NONE,
        counted(len(people), "rater") if judged else "no judge scored answers",
    )
    open_ = [str(row[0]) for row in licences(report).rows if row[3] == UNSTATED]
    add(
        "Are licences of items and texts known?",
        not open_,
        f"unknown: {', '.join(open_[:6])}" if open_ else "table of sources and licences",
    )
    edited = (m.commit or "").endswith("-dirty")
    add(
        "Is the code of the analysis public?",
        PARTLY if m.commit is None or edited else YES,
        f"promptlab {m.versions.get('promptlab', '?')}, commit {m.commit}{', with edits that no commit holds' if edited else ''}",
    )
    add("Are cost and usage given?", m.counts.unpriced == 0 or PARTLY, report.paid)
    add(
        "Can the figures be computed again?",
        True,
        "data/trials.csv and data/report.json; promptlab cache export gives the answers themselves",
    )
    if report.simulated:
        add("Are the answers those of real models?", NO, f"SIMULATED: {', '.join(m.simulated_models)}")
    for question in ("Are limits of the claims discussed?", "Did an ethics board see the study, where people took part?",
                     "Were raters paid and informed?", "Are funding and conflicts of interest stated?"):  # fmt: skip
        add(question, AUTHORS, "the run does not know; complete this line")
    return table("Reproducibility checklist", "Filled from the record of the run.", ("question", "answer", "what the run says"), rows)
