"""From paired results to a run folder like any other: plan, items, trials, calls, manifest."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import promptlab
from promptlab.importers.pairing import Paired
from promptlab.importers.results import Options, Reading, Result
from promptlab.importers.values import without_keys
from promptlab.nouns import CallRow, Control, Frame, Item, Manifest, ModelAsked, RunProblem, Setting, Tally, Task, TrialRow, counted, shared
from promptlab.nouns.identity import digest, digest_of_text, plain_json
from promptlab.nouns.plan import Counts, Margins, Plan, PlannedArm, PlannedModel, PlannedTask
from promptlab.nouns.redact import known_secrets, redact, redact_known
from promptlab.record.store import RunWriter, frozen_plan, now
from promptlab.record.store.files import Row, line_of
from promptlab.record.store.writing import write_manifest
from promptlab.sources.spec.experiment import Analysis
from promptlab.stats import completed, hypotheses

SETTING = Setting("imported")
"""Placement, shots and strategy: the file does not say them in promptlab's terms, so all arms share one name for them."""
FACTORS, SETTING_ID = SETTING.canonical(), SETTING.id
LIBRARY = "imported"
BASE_PROMPT = "imported"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
VERSION = 3
"""Part of every run id: raised when a file would be read to other rows than before."""
T = TypeVar("T")
OF_TRIAL, OF_CALL = [name for name in shared(TrialRow, Result) if name != "base_prompt"], shared(CallRow, Result)
TRIAL_VALUES, CALL_VALUES = attrgetter(*OF_TRIAL), attrgetter(*OF_CALL)
TOGETHER = 10_000
"""Rows that are written at once: an import that is killed starts again."""
NOT_FROZEN = "imported: not frozen before the data"


@dataclass(frozen=True, slots=True)
class Import:
    """Everything that a run folder is written from."""

    name: str
    paired: Paired
    reading: Reading
    options: Options
    arm_names: Mapping[str, str]
    """By the digest of a file: the arm that the user gave it."""

    @property
    def run_id(self) -> str:
        """The name, and a digest of the files and of how they were read: the same import is the same run."""
        hashes = sorted(source.sha256 for source in self.reading.sources)
        options = {**asdict(self.options), "arm_names": dict(self.arm_names)}
        return f"{self.name}-{digest({'version': VERSION, 'files': hashes, 'options': options})[:8]}"

    @property
    def base_prompts(self) -> tuple[str, ...]:
        """The base prompts that the file tells apart; one name for all where it tells none."""
        found = tuple(dict.fromkeys(result.base_prompt or BASE_PROMPT for result in self.paired.results))
        return found if len(found) > 1 else (BASE_PROMPT,)


def run_name(text: str) -> str:
    """Text as the name of a run: what a file name may hold, and nothing that points elsewhere."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:48].strip("-._")
    return name or "imported"


def write(
    what: Import, runs: Path, more_notes: Sequence[str] = (), watch: Callable[[float], None] = lambda share: None
) -> tuple[Path, bool]:
    """Write the run folder; one that is complete is left as it is. Returns the folder and whether it was written now."""
    folder = runs / what.run_id
    if (folder / "manifest.json").exists():
        return folder, False
    if folder.is_dir() and (folder / "plan.json").exists():  # an import that was killed: what it wrote has no manifest
        for sub in ("trials", "calls"):
            shutil.rmtree(folder / sub, ignore_errors=True)
        (folder / "journal.jsonl").unlink(missing_ok=True)
    try:
        writer = RunWriter(folder)
    except OSError as error:
        raise RunProblem(f"{folder}: cannot be written: {error.strerror}; choose another place with --runs") from None
    try:
        what = replace(what, paired=without_secrets(what.paired, what.reading, more_notes))
        writer.write_plan(make_plan(what))
        base_prompts = dict.fromkeys(what.base_prompts, "")
        writer.write_items(Task(task, "own", "own", "imported", base_prompts, items) for task, items in what.paired.items.items())
        of_arm = {arm.name: _of_arm(arm) for arm in what.paired.arms}
        results, several = what.paired.results, len(what.base_prompts) > 1
        for start in range(0, len(results), TOGETHER):
            part = results[start : start + TOGETHER]
            lines = [
                line_of(*rows(result, of_arm[result.arm], (several and result.base_prompt) or BASE_PROMPT, order))
                for order, result in enumerate(part, start)
            ]
            writer.append_lines(lines)
            watch(start / len(results))
    finally:
        writer.close()
    write_manifest(folder, replace(_manifest(what, *frozen_plan(folder)), chain=writer.chain.plain()))
    return folder, True


def without_secrets(paired: Paired, reading: Reading, more_notes: Sequence[str]) -> Paired:
    """The same, with more notes, and without keys: those that the file names, those of this machine, and what is unmistakably one."""
    secrets = tuple(sorted({*known_secrets(), *reading.secrets}, key=len, reverse=True))

    def clean(value: Any) -> Any:  # noqa: ANN401 (a text, or texts in tuples and mappings)
        if isinstance(value, str):
            if not value:
                return value
            found = without_keys(redact_known(value, secrets))
            return found if found.isascii() else found.encode("utf-8", "replace").decode("utf-8")
        if isinstance(value, Mapping):
            return {name: clean(part) for name, part in value.items()}
        return tuple(map(clean, value)) if isinstance(value, tuple) else value

    for r in paired.results:
        r.answer, r.extracted, r.messages = clean(r.answer), clean(r.extracted), clean(r.messages)
        r.error = r.error and redact(clean(r.error))[:2000]
        r.model_version = r.model_version and clean(r.model_version)[:200]

    def cleaned(whole: T, *names: str) -> T:
        return replace(whole, **{name: clean(getattr(whole, name)) for name in names})  # type: ignore[type-var]

    return replace(
        paired,
        arms=tuple(cleaned(arm, "text") for arm in paired.arms),
        items={
            task: tuple(Item(i.id, clean(i.input), clean(i.targets), clean(i.choices), i.cluster) for i in items)
            for task, items in paired.items.items()
        },
        notes=clean((*paired.notes, *more_notes)),
    )


def make_plan(what: Import) -> Plan:
    """The plan as a sweep freezes one, with what cannot be known from results left empty, and said to be late."""
    paired, reading = what.paired, what.reading
    stimuli, placebos = paired.names("stimulus"), paired.names("placebo")
    controls: list[Control] = ["placebo", "none"] if placebos else ["none"]
    tasks = list(paired.items)
    # no primary hypotheses: arms that only share a file are no library, so their mean over all of them means nothing
    planned = hypotheses(list(paired.models), tasks, [(name, LIBRARY) for name in stimuli], [SETTING], controls, primary=())
    analysis = Analysis()
    params = {json.dumps(dict(p), sort_keys=True): dict(p) for p in {id(r.params): r.params for r in paired.results}.values()}
    params_of = {r.model: dict(r.params) for r in reversed(paired.results) if r.params}
    asked = (
        f"Does {stimuli[0]!r}"
        if len(stimuli) == 1
        else f"Do {counted(len(stimuli), 'arm')}"
        if stimuli
        else "Does a repeat of the baseline"
    )
    tool = ", ".join(reading.tools)
    simulated = {r.model for r in paired.results if r.simulated}  # made-up answers stay labelled wherever they were exported to
    made = Plan(
        run=what.run_id,
        name=what.name,
        question=f"{asked} change the score against {paired.arms[0].imported_as!r}? ({NOT_FROZEN}; results of {tool})",
        imported=True,
        absent_is_missing=what.options.all_asked,
        reconstructed=reading.reconstructed,
        suite="own",
        defects="keep",
        hashes=_hashes(reading),
        alpha=analysis.alpha,
        fdr=analysis.fdr,
        generalise=analysis.generalise,
        margins=Margins(cell=analysis.margin_cell_points / 100, mean=analysis.margin_mean_points / 100),
        replicates=max((r.repeat for r in paired.results if r.repeat < 10**6), default=0) + 1,
        sampling=next(iter(params.values())) if len(params) == 1 else {},
        models=tuple(
            PlannedModel(name=name, litellm_name=name, sampling=params_of.get(name, {}), simulated=name in simulated)
            for name in paired.models
        ),
        tasks=tuple(_task_row(task, what) for task in tasks),
        arms=tuple(_arm_row(arm, tool) for arm in paired.arms),
        settings=(SETTING,),
        base_prompts=what.base_prompts,
        stimuli_of={LIBRARY: tuple(stimuli)},
        placebos_of=dict.fromkeys(stimuli, tuple(placebos)),
        no_placebo_reason=None if placebos else "the imported results have none, or none was named with --placebo",
        counts=Counts(
            models=len(paired.models),
            tasks=len(tasks),
            items=sum(len(items) for items in paired.items.values()),
            arms=len(paired.arms),
            conditions=len(paired.arms),
            trials=len(paired.results),
            calls=len(paired.results),
        ),
        price_source=f"costs as {tool} recorded them",
        notes=tuple(_notes(what)),
        hypotheses=tuple(planned),
    )
    return completed(made)


def _of_arm(arm: PlannedArm) -> dict[str, Any]:
    """What is the same in all rows of an arm's trials; what is not known of an imported answer is left out."""
    stimulus = arm.name if arm.role in ("stimulus", "placebo") else None
    named = {"stimulus": stimulus, "library": LIBRARY} if stimulus else {}
    return {"suite": "own", "role": arm.role, **named, "setting": SETTING_ID, **FACTORS, "oracle": False, "n_rounds": 1, "paid_usd": 0.0}


def rows(result: Result, of_arm: Mapping[str, Any], base_prompt: str, order: int) -> tuple[Row, list[Row]]:
    """One result as a row of the trials frame and one of the calls frame."""
    parts = [result.task, result.item, result.arm, base_prompt, *FACTORS.values(), result.model, result.repeat]
    trial = digest_of_text(plain_json(parts))[:20]
    n_calls = 1 if result.messages or result.answer else 0
    row = {name: value for name, value in zip(OF_TRIAL, TRIAL_VALUES(result), strict=True) if value is not None}
    row |= of_arm
    row |= {
        "trial": trial,
        "order": order,
        "simulated": result.simulated,
        "base_prompt": base_prompt,
        "replicate": result.repeat,
        "n_calls": n_calls,
    }
    if not n_calls:
        return row, []
    params = json.dumps(dict(result.params), sort_keys=True) if result.params else "{}"
    call = {name: value for name, value in zip(OF_CALL, CALL_VALUES(result), strict=True) if value is not None}
    call |= {
        "trial": trial,
        "turn": 0,
        "key": "",
        "messages": json.dumps([dict(m) for m in result.messages], ensure_ascii=False) if result.messages else "[]",
        "requested": params,
        "effective": params,
        "text": result.answer,
        "round": 0,
        "purpose": "answer",
    }
    return row, [call]


def _manifest(what: Import, plan: Plan, plan_digest: str) -> Manifest:
    reading, results = what.reading, what.paired.results
    served: dict[str, set[str]] = {}
    for r in results:
        if r.model_version:
            served.setdefault(r.model, set()).add(r.model_version)
    errors = [r for r in results if r.score is None]
    simulated = tuple(m.name for m in plan.models if m.simulated)
    time = now()
    return Manifest(
        id=what.run_id,
        name=what.name,
        question=plan.question,
        state="complete",
        imported=True,
        provenance={
            "tool": ", ".join(reading.tools),
            "files": [asdict(source) for source in reading.sources],
            "options": {**asdict(what.options), "arm_names": sorted(what.arm_names.values())},
            "metric": reading.metric,
            "guessed": list(reading.guessed),
            "notes": list(plan.notes),
        },
        simulated=bool(simulated),
        simulated_models=simulated,
        created_at=time,
        updated_at=time,
        sessions=1,
        counts=Tally(planned=len(results), done=len(results), errors=len(errors)),
        last_error=errors[-1].error if errors else None,
        hashes={**plan.hashes, "plan": plan_digest},
        models={m.name: ModelAsked(litellm_name=m.litellm_name) for m in plan.models},
        effective={m.name: m.sampling for m in plan.models},
        served={name: tuple(sorted(versions)) for name, versions in sorted(served.items())},
        versions={"promptlab": promptlab.__version__},
    )


def _notes(what: Import) -> list[str]:
    notes = [
        f"{NOT_FROZEN}. Arms, families and margins were fixed when the file was imported; whoever had seen the results then may have "
        "chosen them by what they show",
        f"promptlab asked nothing and scored nothing: answers and scores are those of {', '.join(what.reading.tools)}",
    ]
    if not what.paired.names("aa"):
        notes.append("no repeat of the baseline (A/A arm) was imported, so how much answers vary by themselves is not known")
    return [*notes, *what.paired.notes]


def _task_row(task: str, what: Import) -> PlannedTask:
    return PlannedTask(
        name=task,
        suite="own",
        n_items=len(what.paired.items[task]),
        metric=f"imported: {what.reading.metric}",
        strict="text",
        base_prompts=dict.fromkeys(what.base_prompts, what.paired.arms[0].text or ""),
        source=", ".join(dict.fromkeys(source.file for source in what.reading.sources)),
        licence="not stated",
        defects=what.paired.notes,
        frame=asdict(Frame()),
        options="hidden",
    )


def _arm_row(arm: PlannedArm, tool: str) -> PlannedArm:
    if arm.role in ("baseline", "aa"):
        return replace(arm, text=None, source=tool)
    text = arm.text or f"(the text is not in the results of {tool})"
    return replace(arm, text=text, n_words=len((arm.text or "").split()), library=LIBRARY, source=tool)


def _hashes(reading: Reading) -> dict[str, str]:
    """By file name; a second file of the same name gets its number."""
    found: dict[str, str] = {}
    for number, source in enumerate(reading.sources, 1):
        found[source.file if source.file not in found else f"{source.file} ({number})"] = source.sha256
    return found
