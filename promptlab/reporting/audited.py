"""`promptlab audit`: everything that can be made again of a run is made again, and compared with what the run says."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from promptlab import __version__
from promptlab.design.cross import trials as trials_of
from promptlab.nouns import Completion, PromptlabError, Trial, TrialRow, UsageProblem, counted, first_line, inert
from promptlab.planning import rebuilt
from promptlab.planning.audit import DIFFERS, MATCHES, UNKNOWN, audit
from promptlab.planning.resolve import resolve
from promptlab.planning.study import Study
from promptlab.record.store import Run
from promptlab.record.store.chain import verified
from promptlab.reporting.checked import failures
from promptlab.reporting.remade import BY_KEY, IN_CALLS, NOT_MADE_AGAIN, study_of
from promptlab.running import bundle
from promptlab.running.budget import Budget
from promptlab.running.cache import Cache
from promptlab.running.engine import engine_of
from promptlab.running.progress import Execution, Progress
from promptlab.running.sweep import run_sweep
from promptlab.scoring.code import Consent
from promptlab.stats.judging import fewer_agree

NOTHING: Mapping[tuple[str, str], Completion] = MappingProxyType({})
LEVEL = 0.01
"""Chance of calling an honest record less stable than its own repeat."""


class Checked(NamedTuple):
    """One check of an audit: what, how it came out (`MATCHES`, `DIFFERS`, `UNKNOWN`), and what was found."""

    what: str
    says: str
    found: str


def of_run(run: Run, consent: Consent | None = None) -> list[Checked]:
    """Chain, hashes, plan, trials, prompts, keys and scores of a run. Sends nothing; the run stays as it is."""
    chain = verified(run.folder, run.manifest.chain)
    n = chain.n_lines
    rows = [
        Checked("hash chain", DIFFERS if chain.problems else UNKNOWN if n is None else MATCHES,
                "; ".join([*chain.problems, *chain.notes]) or f"{n:,} lines, head {str(run.manifest.chain.get('head', ''))[:12]}"),
    ]  # fmt: skip
    rows += [Checked(f"SHA-256 of {check.what}", check.says, check.source) for check in audit(run)]
    told = failures(run, most=2**62)
    rows.append(
        Checked("plan, ids and scores", DIFFERS if told else MATCHES, "; ".join(told) or "as experiment file and answers make them")
    )
    if registered := run.manifest.registered:
        same = registered.get("plan") == run.manifest.hashes.get("plan")
        said = f"SHA-256 {registered.get('sha256')}, {registered.get('at')} by its author's clock; only a stamp of it shows when"
        rows.append(Checked("registration", MATCHES if same else DIFFERS, said))
    if run.plan.imported:
        return [*rows, Checked("replay", UNKNOWN, "an imported run holds no requests")]
    try:
        study = study_of(run, consent)
    except (PromptlabError, OSError) as error:
        instead = "a bundle brings its files along: the author runs `promptlab cache export RUN --to answers`"
        return [*rows, Checked("replay", UNKNOWN, f"the experiment cannot be resolved here: {first_line(error)}; {instead}")]
    differs = rebuilt.plan_differences(run, study)
    rows.append(Checked("plan made again", DIFFERS if differs else MATCHES, "; ".join(differs) or "every key that decides a verdict"))
    with tempfile.TemporaryDirectory(prefix="promptlab-") as folder:
        own = bundle.put_into(Path(folder) / "cache", run)
        try:
            again = replayed(study, Path(folder), own)
        except (PromptlabError, OSError) as error:
            return [*rows, Checked("replay", UNKNOWN, first_line(error))]
        return [*rows, *_compared(run, again)]


def replayed(study: Study, folder: Path, own: Mapping[tuple[str, str], Completion] = NOTHING) -> Run:
    """The study answered by the cache in a folder alone, as a run in the same folder."""
    done = run_sweep(study, folder / "runs", folder / "cache", Execution(cache="replay", own=own), lambda _: None)
    return Run(done.folder)


def _compared(run: Run, again: Run) -> Iterator[Checked]:
    """The rows of a record next to those that the same answers give now."""
    mine, theirs = (_good(one.trials().drop(columns=list(NOT_MADE_AGAIN))).set_index("trial").sort_index() for one in (run, again))
    yield _same("trials", mine, theirs)
    with_keys = [one.calls()[["trial", "turn", *IN_CALLS]] for one in (run, again)]
    calls = [_good(frame).set_index(["trial", "turn"]).sort_index() for frame in with_keys]
    yield _same("prompts, parameters, keys and answers of calls", *calls)


def _good(frame: pd.DataFrame) -> pd.DataFrame:
    """Without what failed: it has no answer, so nothing can be made of it again."""
    return frame[frame["outcome"] != "error"]


def _members(text: object) -> object:
    """JSON with its members in their order, none hidden by a later one of its name; what is no JSON, as it is."""
    try:
        return json.loads(str(text), object_pairs_hook=list)
    except ValueError:
        return text


def _same(what: str, mine: pd.DataFrame, theirs: pd.DataFrame) -> Checked:
    shared = mine.index.intersection(theirs.index)
    lost, more = len(mine) - len(shared), len(theirs) - len(shared)
    one, other = (frame.loc[shared].astype(object).where(frame.loc[shared].notna(), None) for frame in (mine, theirs))
    unequal = one != other
    unequal &= ~(one.isna() & other.isna())
    for name in (name for name in BY_KEY if name in unequal and unequal[name].any()):  # another version may space JSON otherwise
        unequal[name] = [given != made and _members(given) != _members(made) for given, made in zip(one[name], other[name], strict=True)]
    columns = [str(name) for name in unequal.columns if unequal[name].any()]
    n = int(unequal.any(axis=1).sum())
    said = [f"{counted(n, 'row', 'differs')} in {', '.join(columns)}"] if n else []
    said += [f"{counted(lost, 'row')} that these answers do not give"] if lost else []
    said += [f"{counted(more, 'row', 'is')} missing"] if more else []
    return Checked(what, DIFFERS if said else MATCHES, "; ".join(said) or f"{counted(len(shared), 'row')} made again, all equal")


def of_bundle(folder: Path, consent: Consent | None = None) -> tuple[list[Checked], dict[str, Any]]:
    """A bundle replayed without a key, next to the figures that its author recorded; and its manifest."""
    manifest = bundle.read(folder)
    rows = [Checked("files of the bundle", MATCHES, f"{counted(len(manifest['files']), 'file')}")]
    study = resolve(folder / bundle.EXPERIMENT, manifest.get("looks"), scorer=manifest.get("scorer"), consent=consent)
    hashes = manifest.get("hashes", {})
    changed = [name for name, value in study.hashes.items() if hashes and hashes.get(name) != value]
    rows.append(Checked("experiment, data, stimuli", DIFFERS if changed else MATCHES if hashes else UNKNOWN,
                        f"differ from the author's: {', '.join(changed)}" if changed else "as the author's" if hashes
                        else "the bundle has no hashes of its author"))  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="promptlab-") as place:
        answers = Cache(Path(place) / "cache")
        done = bundle.import_bundle(folder, answers)
        answers.close()
        again = replayed(study, Path(place))
        told, now = manifest.get("cells"), cells(again)
        differ = [key for key in {**(told or {}), **now} if (told or {}).get(key) != now.get(key)]
        found = f"{len(differ):,} of {len(now):,} cells: {'; '.join(differ[:3])}" if differ else f"{len(now):,} cells"
        rows.append(Checked("author's cells", UNKNOWN, "the bundle names none") if told is None else
                    Checked("author's cells", DIFFERS if differ else MATCHES, found))  # fmt: skip
        odd = list(_contradictions(manifest, done, again, not changed))
        rows += [Checked("manifest of the bundle", DIFFERS if odd else MATCHES, "; ".join(odd) or "as its answers say")]
        rows += [_whole(manifest, again)]
        return [*rows, *(Checked(f"replayed {c.what}", c.says, c.found) for c in of_run(again, consent))], manifest


def _contradictions(manifest: Mapping[str, Any], done: bundle.Imported, again: Run, same_study: bool) -> Iterator[str]:
    """What a bundle's manifest says that its own answers, or the run that they give, do not."""
    n, hashes, registered = sum(done[:3]) + done.n_unusable, manifest.get("hashes", {}), manifest.get("registered")
    if n != (told := manifest.get("counts", {}).get("answers")):
        yield f"it counts {told} answers, and {n:,} are there"
    if bool(manifest.get("simulated")) != done.simulated:
        yield f"its answers are {'' if done.simulated else 'not '}simulated"
    if registered and registered.get("plan") != hashes.get("plan"):
        yield "its registration is that of another plan"
    if not hashes or not same_study or manifest.get("promptlab") != __version__:
        return  # another version, or other data, makes another plan
    if "plan" in hashes and hashes["plan"] != again.manifest.hashes["plan"]:
        yield "the SHA-256 of its plan is not that of the plan of its experiment"
    if manifest.get("run") != again.id:
        yield f"its run is {again.id}, and not {inert(manifest.get('run'))}"


def _whole(manifest: Mapping[str, Any], again: Run) -> Checked:
    """Whether each trial that the plan asks for has an answer or a recorded failure, as the author says."""
    counts, state = again.manifest.counts, inert(manifest.get("state") or "in a state that the bundle does not name")
    if missing := counts.planned - counts.skipped - counts.done:
        found = f"{missing:,} of {counts.planned:,} have none; the author's run was {state}"
        return Checked("answers to planned trials", DIFFERS if state == "complete" else UNKNOWN, found)
    return Checked("answers to planned trials", MATCHES, f"{counts.done:,} are there")


def about(run: Run) -> dict[str, Any]:
    """What a bundle says of the run that it was made of."""
    manifest, plan = run.manifest, run.plan
    return {
        "hashes": manifest.hashes, "chain": dict(manifest.chain), "cells": cells(run), "looks": len(plan.looks) or None,
        "scorer": plan.scorer, "earlier": dict(manifest.earlier), "registered": dict(manifest.registered),
        "environment": {name: dict(values) for name, values in manifest.environment.items()}, "state": manifest.state,
        "ratings": dict(manifest.ratings),
    }  # fmt: skip


def cells(run: Run) -> dict[str, list[Any]]:
    """Trials, trials with a score, and sum of scores by model, setting, task and arm: what a replay must give again."""
    frame = run.trials()
    groups = frame.groupby(["model", "setting", "task", "arm"], sort=True, observed=True)["score"]
    return {" | ".join(map(str, key)): [len(g), int(g.notna().sum()), round(float(g.sum()), 9)] for key, g in groups}


class Asked(NamedTuple):
    """What sending again gave: trials sent, with the recorded score, and the same of the baseline and its own repeat."""

    n: int
    same: int
    n_aa: int
    same_aa: int
    p: float | None
    failed: str = ""
    """How many brought no score, and why."""

    @property
    def row(self) -> Checked:
        rate = f"{self.same:,} of {self.n:,} sent again have the recorded score"
        rate += f" ({self.failed})" if self.failed else ""
        if self.p is None and not self.n_aa:
            return Checked("sent again", UNKNOWN, f"{rate}; the run has no repeat of its baseline to compare that with")
        if self.p is None:
            return Checked("sent again", UNKNOWN, rate)
        against = f"its own repeat agrees in {self.same_aa:,} of {self.n_aa:,}"
        return Checked("sent again", DIFFERS if self.p < LEVEL else MATCHES, f"{rate}; {against}; p = {self.p:.2g}")


def ask(run: Run, n: int, study: Study, how: Execution, seed: int | None = None) -> Asked:
    """Ask a random sample of answered trials again, with the caller's key, past every cache."""
    frame = run.trials()
    answered = set(frame.loc[frame["outcome"] != "error", "trial"])
    known = [trial for trial in trials_of(study.design) if trial.id in answered]
    if not known:
        raise UsageProblem(f"{run.id}: none of its answers is to a trial of this experiment")
    rng = random.Random(seed) if seed is not None else random.SystemRandom()
    scores = frame.set_index("trial")["score"]
    found = asyncio.run(_asked(study, rng.sample(known, min(n, len(known))), how))
    again = {row.trial: row.score for row in found if row.score is not None}
    errors = [row.error or row.outcome for row in found if row.score is None]
    failed = f"{counted(len(errors), 'other')} brought no score, the last: {errors[-1]}" if errors else ""
    same = sum(score == scores[trial] for trial, score in again.items())
    n_aa, same_aa = _repeat(frame)
    p = fewer_agree(same, len(again), same_aa, n_aa) if n_aa and again else None
    return Asked(len(again), same, n_aa, same_aa, p, failed)


async def _asked(study: Study, sample: list[Trial], how: Execution) -> list[TrialRow]:
    engine = engine_of(study, None, Budget(how.max_cost_usd, how.max_tokens), Progress(n_planned=len(sample)), how)
    try:
        engine.effective()
        limit = asyncio.Semaphore(how.concurrency)

        async def one(trial: Trial) -> TrialRow:
            async with limit:
                return (await engine.run(trial))[0]

        return await asyncio.gather(*map(one, sample))
    finally:
        await engine.gateway.aclose()


def _repeat(frame: pd.DataFrame) -> tuple[int, int]:
    """How many answers of the baseline have a repeat, and how many of both have the same score."""
    place = ["model", "setting", "base_prompt", "task", "item", "replicate"]
    first, repeat = (frame[frame["role"] == role].set_index(place)["score"].dropna() for role in ("baseline", "aa"))
    both = first.to_frame("first").join(repeat.to_frame("repeat"), how="inner")
    return len(both), int((both["first"] == both["repeat"]).sum())
