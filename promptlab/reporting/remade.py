"""Trials made again from the experiment and their own stored answers: prompts, keys, settled answers and scores. Nothing is sent.

A report does so for some trials, drawn again each time; `promptlab audit` replays all.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from promptlab.design.cross import trials as trials_of
from promptlab.nouns import CIRCUMSTANCE_COLUMNS, TRIAL_COLUMNS, CallRow, PromptlabError, RunProblem, first_line, row_of
from promptlab.nouns.environment import recorded
from promptlab.planning.rebuilt import by_another_version, plan_differences
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study, as_recorded
from promptlab.record.store import Run
from promptlab.record.store.files import written
from promptlab.running.budget import Budget
from promptlab.running.engine import engine_of
from promptlab.running.first import FirstCalls
from promptlab.running.progress import Progress
from promptlab.running.trial_rows import Rows, completion_in
from promptlab.scoring.code import Consent
from promptlab.scoring.own import is_own

IN_CALLS = ("key", "messages", "requested", "effective", "text", "outcome", "purpose", "score")
BY_KEY = ("messages", "requested", "effective")
"""Of calls under one and the same key."""
NOT_MADE_AGAIN = (*CIRCUMSTANCE_COLUMNS, "rule")
"""Columns of trials that say how a version of promptlab came to a score; the score itself is compared."""
IN_TRIALS = tuple(name for name in TRIAL_COLUMNS if name not in (*NOT_MADE_AGAIN, "trial"))
OF_ANY_VERSION = ("answer", "score", "n_calls", "input_tokens", "output_tokens", "cost_usd")
MOST_REMADE, MOST_PARTS = 500, 3
"""Trials that a report makes again, as many failed ones besides, and parts of the record that it takes them from."""
OF_FILES = ("data", "stimuli", "prompts")
"""Hashes of what files next to the experiment hold."""
OF_EXPERIMENT = (
    "scorer", "replicates", "seed", "sampling", "models", "tasks", "base_prompts", "prompts", "incumbent", "factors", "trials",
)  # fmt: skip
"""Keys of a plan that say what an experiment says, whichever version read it."""
DESCRIBES = ("source", "licence", "theory")
"""Fields of a plan that decide nothing, and that may be stated better after a run."""
Record = Mapping[str, Any]


class EditedFiles(RunProblem):
    """Files of an experiment were edited since its run began; `why` names what no file of the author's holds, but promptlab or the
    experiment itself.
    """

    def __init__(self, run: Run, study: Study, edited: Sequence[str]) -> None:
        super().__init__(f"{run.id}: files of its experiment were edited since it began ({', '.join(edited)})")
        asked = study.experiment
        in_files = {
            "data": any(task.suite == "own" for task in run.plan.tasks),
            "stimuli": bool(asked.stimulus_files or run.plan.programs or study.files),
            "prompts": any(entry.file for entry in asked.prompts.values()),
        }
        own = [name for name in edited if not in_files[name]]
        said = f"its {' and '.join(own)} are not what promptlab and the experiment say, and no file of the author's holds them"
        self.why = [said] if own else []


def study_of(run: Run, consent: Consent | None = None) -> Study:
    """The experiment of a run folder, with its files where they were; where that is gone, next to it.

    RunProblem where these files were edited since: they make another experiment, which says nothing about this run.
    """
    origin = run.experiment_file
    base = run.folder if origin is None else origin.parent
    plan = run.plan
    with recorded(run.manifest.environment):
        study = resolve(run.folder / "experiment.yaml", len(plan.looks) or None, base, plan.scorer, consent=consent)
    frozen = run.manifest.hashes
    if "addresses" in frozen:  # which the environment decided, perhaps on another machine
        models = [
            replace(model, api_base=plan.model_of[model.name].api_base) for model in study.design.models if model.name in plan.model_of
        ]
        study = replace(study, design=replace(study.design, models=tuple(models)))
    study = as_recorded(study, run.folder.parent)
    edited = [name for name in OF_FILES if frozen.get(name) not in (None, study.hashes.get(name))]
    if edited and not by_another_version(run):  # which may read the same files otherwise
        raise EditedFiles(run, study, edited)
    return study


_AT_HAND: WeakKeyDictionary[Run, Study] = WeakKeyDictionary()


def _shared_study(run: Run) -> Study:
    """`study_of` for the two that ask for it, one soon after the other: the first leaves it to the second, and it does not stay."""
    found = _AT_HAND.pop(run, None)
    if found is None:
        found = _AT_HAND[run] = study_of(run)
    return found


def differing(run: Run) -> list[str]:
    """What of the plan and of some trials is not what the experiment and the calls make. Of a run that cannot be
    resolved here, only whether trials have the answers of their calls.

    Trials of programs, and what only the author's code scores, are left out: a report runs no code. Another version may write prompts
    otherwise: of its runs answers and scores are compared, and whether each sentence is in its prompts; `unchecked` names the rest.
    """
    stored = {row["order"]: (row, calls) for row, calls in run.drawn(MOST_REMADE, MOST_PARTS)}
    try:
        study = _shared_study(run)
    except (PromptlabError, OSError) as error:
        n = sum(not _is_of_its_call(*one) for one in stored.values())
        odd = [f"{n:,} of {len(stored):,} trials have another answer than their calls"] if n else []
        return [*odd, *(error.why if isinstance(error, EditedFiles) else ())]
    is_other = by_another_version(run)
    found = _compared(study, stored, is_other)
    if is_other:
        texts = {arm.name: arm.text for arm in run.plan.arms if arm.text and not arm.loop}
        for order in [order for order, wrong in found.items() if wrong == ["requests"]]:
            found[order] = [] if _holds(texts.get(stored[order][0]["arm"]), stored[order][1]) else ["sentence"]
    n, names = sum(map(bool, found.values())), Counter(name for wrong in found.values() for name in wrong)
    odd = [f"{n:,} of {len(stored):,} trials made again differ in {', '.join(name for name, _ in names.most_common())}"] if n else []
    return [*odd, *_unsent(run, study, list(stored.values())), *plan_differences(run, study, DESCRIBES, OF_EXPERIMENT if is_other else ())]


def _compared(study: Study, stored: Mapping[int, tuple[Record, list[Record]]], is_other: bool) -> dict[int, list[str]]:
    """By order: in which columns a trial that is made again differs; `requests` where the record lacks the request of this version."""
    engine = engine_of(study, None, Budget(None), Progress(n_planned=len(stored)), None)
    engine.own = {(call["trial"], call["key"]): completion_in(row_of(CallRow, call)) for _, calls in stored.values() for call in calls}
    unscored = {task.id for task in study.design.tasks if is_own(task.metric)}
    found = {}
    for trial in trials_of(study.design, among=list(stored)):
        if trial.arm.program:
            continue
        made = engine.begin(trial)
        if isinstance(made, tuple):
            found[trial.order] = _unlike(*stored[trial.order], made, is_other, trial.task in unscored)
        else:
            found[trial.order] = [] if made.work is not None else ["requests"]
    return found


def _holds(text: str | None, calls: Sequence[Record]) -> bool:
    """Whether the messages of a trial's first call hold the sentence of its arm, whatever the white space."""
    asked = " ".join(str(message.get("content")) for call in calls[:1] for message in json.loads(call["messages"]))
    return text is None or "".join(text.split()) in "".join(asked.split())


def _unsent(run: Run, study: Study, stored: Sequence[tuple[Record, list[Record]]]) -> list[str]:
    """What the manifest says was sent besides the messages, next to the calls that were sent with the parameters of the experiment."""
    asked = FirstCalls(study.design, study.experiment.sampling.asked()).sampling
    had: dict[str, set[bool]] = {}
    for row, calls in stored:
        name, sent = row["model"], run.manifest.effective.get(row["model"])
        for call in calls:
            is_own = sent is not None and not call["cached"] and call["purpose"] != "score"
            if is_own and _unseeded(call["requested"]) == _unseeded(asked[name]):
                had.setdefault(name, set()).add(_unseeded(call["effective"]) == _unseeded(sent or {}))
    odd = sorted(name for name, found in had.items() if True not in found)
    return [f"the manifest says otherwise than the calls what was sent to {', '.join(odd)}"] if odd else []


def _unseeded(parameters: str | Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a record holds them, without the seed, which differs between calls."""
    found = json.loads(parameters if isinstance(parameters, str) else written(parameters))
    return {name: value for name, value in found.items() if name != "seed"}


def unchecked(run: Run, just_made: bool = False) -> list[str]:
    """What a report cannot check of this run, because it runs no code or lacks files, in sentences for its page.

    With `just_made` this process has made the run from the experiment as it is, and lacks none.
    """
    plan = run.plan
    if plan.imported:
        return []
    own = [
        task.name
        for task in plan.tasks
        if is_own(task.metric) or any("python" in one for one in (task.scoring or {}).get("assertions", ()))
    ]
    parts = [("Scores of own code", own), ("Answers of programs", [str(program["name"]) for program in plan.programs])]
    said = [f"{what} were not checked ({', '.join(names)}): promptlab audit RUN --allow-code does." for what, names in parts if names]
    if just_made:
        return said
    try:
        study = _shared_study(run)
        said += _of_another_version(run, study) if by_another_version(run) else []
    except (PromptlabError, OSError) as error:
        said.append(f"Prompts and answers were not checked against the experiment, which cannot be read here: {first_line(error)}")
    return said


def _of_another_version(run: Run, study: Study) -> list[str]:
    """What may be otherwise because another version made the run, or because somebody edited it: nobody can tell here."""
    found = _compared(study, {row["order"]: (row, calls) for row, calls in run.drawn(MOST_REMADE, MOST_PARTS)}, True)
    n = sum("requests" in wrong for wrong in found.values())
    odd = [f"its experiment has another SHA-256 than {run.manifest.id} froze"] * (
        study.hashes["experiment"] != run.manifest.hashes.get("experiment")
    )
    odd += [f"{n:,} of {len(found):,} trials have other requests, which were not checked"] if n else []
    return (
        [f"Another version of promptlab made this run. Here {' and '.join(odd)}: promptlab audit with that version checks it."]
        if odd
        else []
    )


def _is_of_its_call(row: Record, calls: Sequence[Record]) -> bool:
    """Whether a trial of one call, with its judgements, has the answer of that call; True of all others."""
    answers = [call for call in calls if call["purpose"] != "score"]
    plain = len(answers) == 1 and row["strategy"] == "single"
    return not plain or (row["answer"] == answers[0]["text"] and row["outcome"] in (answers[0]["outcome"], "parse_failed", "error"))


def _unlike(row: Record, calls: Sequence[Record], made: Rows, is_other: bool, is_unscored: bool) -> list[str]:
    """The columns in which a stored trial differs from the one that was made again, whose score may be left out."""
    trial, of_calls = made
    names = OF_ANY_VERSION if is_other or is_unscored else IN_TRIALS
    wrong = [name for name in names if not (is_unscored and name == "score") and not _same(row.get(name), getattr(trial, name))]
    if trial.trial != row["trial"]:
        return ["trial"]
    both = list(zip(sorted(calls, key=lambda call: int(call["turn"])), of_calls, strict=False))
    if is_other:  # which may write JSON otherwise
        alike = [(one, other) for one, other in both if one["key"] == other.key]
        return wrong + [name for name in BY_KEY if any(json.loads(one[name]) != json.loads(getattr(other, name)) for one, other in alike)]
    compared = [name for name in IN_CALLS if not (is_unscored and name == "score")]
    return wrong + sorted({name for one, other in both for name in compared if not _same(one[name], getattr(other, name))})


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401 (values of a record)
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)
