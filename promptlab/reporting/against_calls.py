"""A record against itself: trials next to the calls that they were made of, calls next to prices and clocks, rows next to the manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from promptlab.nouns import Plan, TrialRow, counted
from promptlab.nouns.record import totals
from promptlab.record.store import Run
from promptlab.record.store.chain import links_in
from promptlab.record.store.files import DAMAGED
from promptlab.scoring.metrics import METRICS

SUMS = totals(TrialRow)
USAGE = ("input_tokens", "output_tokens", "cached_input_tokens", "written_input_tokens", "reasoning_tokens")
COLUMNS = (
    "trial", "turn", "outcome", "purpose", "cached", *SUMS, "written_input_tokens", "response_id", "request_id", "dated",
    "answered_at", "first_run", "model_version",
)  # fmt: skip
SLACK = timedelta(days=1)
"""How far the clocks of a provider and of this machine may be apart; batches and gateways answer later than they date."""
APART = timedelta(hours=1)
"""How far outside of its run, or from the other arms of its items, an answer may be; the clock may have been set in between."""
CENTS = 1e-9
"""Sums of the same prices in another order differ by less, in USD."""
BATCH_SHARES = (0.5,)
"""What an answer may cost by batch, as a share of its price."""
MOST_PRICED = 20_000
"""Calls whose price is computed again: all, or the first so many kinds of usage."""
LOST_AT_STOP = 40
"""More requests than fail before a model is stopped, whose trials are not recorded."""
LIMIT = re.compile(r"^the budget of \$([0-9.e-]+) is reached: \$([0-9.]+) is spent.* could cost \$([0-9.]+)")
"""What `running.budget.usd_reached` writes."""
ENDED = ("budget", "interrupted", "incomplete", "running")
"""States of a run that ended, or was killed, before its last trial, in the order of its design."""
Floats = npt.NDArray[np.float64]


def contradictions(run: Run, plan: Plan, trials: pd.DataFrame) -> Iterator[str]:
    """Where trials, calls and manifest of a run contradict each other, each in a clause."""
    calls = run.calls(COLUMNS)
    at = pd.Index(trials["trial"].astype(object)).get_indexer(pd.Index(calls["trial"].astype(object)))
    if n := calls.loc[at < 0, "trial"].nunique():
        yield f"{counted(n, 'trial', 'is')} not there, and the calls are"
    own = at >= 0
    own[own] = calls["turn"].to_numpy()[own] < trials["n_calls"].to_numpy()[at[own]]
    calls, at = calls[own], at[own]
    if n := int((np.bincount(at, minlength=len(trials)) != trials["n_calls"].to_numpy()).sum()):
        yield f"{counted(n, 'trial', 'has')} not as many calls as counted"
        return
    yield from _sums(trials, calls, at)
    yield from _failed(plan, trials, calls, at)
    rows = [(trials.index, trials), (trials.index[at], calls)]
    said, of_calls = (set(zip(index, frame["model_version"].astype(object), strict=True)) for index, frame in rows)
    if n := sum(pd.notna(version) for _, version in said - of_calls):
        yield f"{counted(n, 'trial', 'names')} another version of the model than the calls"
    yield from _priced(run, trials, calls, at)
    yield from _dated(run, trials, calls, at)
    yield from _older(run, trials, calls, at)
    yield from _repeated(run, calls)
    yield from _counted(run, plan, trials, int((~calls["cached"].to_numpy(dtype=bool) & (calls["attempts"] > 0).to_numpy()).sum()))


def _sums(trials: pd.DataFrame, calls: pd.DataFrame, at: npt.NDArray[np.intp]) -> Iterator[str]:
    """Tokens, costs, times and attempts of trials that are not the sums over their calls."""
    answers = calls["purpose"].ne("score").to_numpy()
    for name in SUMS:
        was, now = _numbers(trials[name]), _total(_numbers(calls[name])[answers], at[answers], len(trials))
        yield from _unequal(name, was, np.where(np.isnan(now), was, now) if name == "latency_s" else now)  # calls once did not keep it
    paid = np.where(calls["cached"].to_numpy(dtype=bool), 0.0, _numbers(calls["cost_usd"]))
    yield from _unequal("paid_usd", _numbers(trials["paid_usd"]), _total(paid, at, len(trials)))


def _unequal(name: str, was: Floats, now: Floats) -> Iterator[str]:
    if n := int((~np.isclose(was, now, rtol=1e-9, atol=CENTS, equal_nan=True)).sum()):
        yield f"{name} of {counted(n, 'trial')} is not the sum over the calls"


def _total(values: Floats, at: npt.NDArray[np.intp], n: int) -> Floats:
    """Sums by trial; unknown as soon as one value is."""
    return np.bincount(at, weights=values, minlength=n).astype(float)


def _numbers(column: pd.Series[Any]) -> Floats:
    return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)


def _failed(plan: Plan, trials: pd.DataFrame, calls: pd.DataFrame, at: npt.NDArray[np.intp]) -> Iterator[str]:
    """Failed calls that hold an answer; failed trials whose calls were all answered, and the reverse."""
    failed = calls["outcome"].eq("error").to_numpy()
    held = failed & (calls["response_id"].notna().to_numpy() | (_numbers(calls["output_tokens"]) > 0))
    if n := int(held.sum()):
        yield f"{counted(n, 'call', 'is')} said to have failed, with what an answer has"
    n_failed = np.bincount(at, weights=failed, minlength=len(trials))
    scored = {task.name for task in plan.tasks if task.metric in METRICS}
    plain = trials["task"].isin(scored) & ~trials["strategy"].isin([program["name"] for program in plan.programs]) & (trials["n_calls"] > 0)
    plain &= ~trials["strategy"].astype(str).str.startswith("logprobs")  # which an answer without probabilities fails
    missing = trials["outcome"].eq("error").to_numpy()
    if n := int((plain.to_numpy() & missing & (n_failed == 0)).sum()):
        yield f"{counted(n, 'trial', 'is')} said to have failed, and the calls were answered"
    if n := int((~missing & (trials["n_calls"] == 1).to_numpy() & (n_failed > 0)).sum()):
        yield f"{counted(n, 'trial', 'is')} said to be answered, and the calls failed"


def _priced(run: Run, trials: pd.DataFrame, calls: pd.DataFrame, at: npt.NDArray[np.intp]) -> Iterator[str]:
    """Costs that are not those of the tokens at the frozen prices; of answers of this run whose price nobody else reported."""
    prices = run.manifest.prices
    own = calls["first_run"].eq(run.id) & calls["outcome"].ne("error") & calls["reported_cost_usd"].isna()
    own &= calls[["cost_usd", "input_tokens", "output_tokens"]].notna().all(axis=1)
    models = trials["model"].astype(object).to_numpy()[at[own.to_numpy()]]
    rows = calls.loc[own, [*USAGE, "cost_usd"]].assign(model=np.where(calls.loc[own, "purpose"].eq("score").to_numpy(), "", models))
    kinds = rows.groupby(["model", *USAGE, "cost_usd"], dropna=False, observed=True, sort=False).size().reset_index(name="n")
    n = 0
    for model, *usage, cost, n_calls in kinds.head(MOST_PRICED).itertuples(index=False):
        known = [price for name, price in prices.items() if price is not None and model in ("", name)]  # empty: a judge
        shares = (1.0, *BATCH_SHARES) if run.manifest.batches else (1.0,)
        tokens = [0 if pd.isna(value) else value for value in usage]
        right = [price.times(share, "").cost(*tokens) for price in known for share in shares]
        n += n_calls if right and not any(abs(cost - usd) <= CENTS for usd in right) else 0
    if n:
        yield f"the costs of {counted(n, 'call')} are not those of the tokens at the frozen prices"


def _dated(run: Run, trials: pd.DataFrame, calls: pd.DataFrame, at: npt.NDArray[np.intp]) -> Iterator[str]:
    """Answers that this run sent for, and that are from before it began, from after its end, or from another time than those of the other
    arms to the same items; and answers that their providers date later than this machine says it got them.
    """
    sent = ~calls["cached"].to_numpy(dtype=bool)
    dated, answered, (begun, ended) = map(
        _times, (calls["dated"], calls["answered_at"], [run.manifest.created_at, run.manifest.updated_at])
    )
    late = (run.folder / DAMAGED / "manifest.json").exists()  # the manifest after one that was lost begins later, never earlier
    early = (answered[sent] < begun - APART) | (dated[sent] < begun - SLACK)
    if (early.any() and not late) or (answered[sent] > ended + APART).any():
        yield "answers that this run sent for are not from the time of the run: times of the run, or of its answers, were edited"
    one_session = run.manifest.sessions == 1 and not run.manifest.batches
    if one_session and sent.any() and answered[sent].min() - begun > SLACK:
        yield "the run began more than a day before its first answer: its beginning was edited"
    if (dated - answered > SLACK).any():
        yield "answers came more than a day before their providers dated them: the clock here was changed, or the times"
    if run.manifest.batches or not sent.any() or answered[sent].max() - answered[sent].min() < APART:
        return  # later calls of a batch wait for a wave of their own
    own = trials.iloc[at[sent]][["model", "setting", "arm", "task", "item"]].assign(at=answered[sent].to_numpy())
    own["at"] -= own.groupby(["model", "task", "item"], sort=False, observed=True)["at"].transform("median")
    own["at"] = own["at"].abs()
    share = 0.5 if run.manifest.sessions == 1 else 0.1  # a later session sends again what failed, and not nearly a whole arm
    apart = own.groupby(["model", "setting", "arm"], sort=False, observed=True)["at"].quantile(share)
    if odd := sorted({str(place[-1]) for place in apart.index[apart > APART]}):
        yield f"the answers of {', '.join(odd)} are from another time than those of other arms to the same items"


def _times(texts: Any) -> pd.Series[Any]:  # noqa: ANN401 (a column or a list)
    return pd.Series(pd.to_datetime(np.asarray(texts, dtype=object), utc=True, errors="coerce", format="ISO8601"))


def _older(run: Run, trials: pd.DataFrame, calls: pd.DataFrame, at: npt.NDArray[np.intp]) -> Iterator[str]:
    """Trials that do not say, or say otherwise, which earlier run their answers come from."""
    first = calls["first_run"].astype(object).to_numpy()
    earlier = set(at[pd.notna(first) & (first != run.manifest.id)].tolist())
    said = set(np.flatnonzero(trials["older"].notna()).tolist())
    if n := len(earlier ^ said):
        yield f"{counted(n, 'trial')} hide, or invent, that answers are older than the run"


def _repeated(run: Run, calls: pd.DataFrame) -> Iterator[str]:
    """Answers to different requests that have the ids of one and the same answer."""
    ids = ["response_id", "request_id"]
    if calls[ids].notna().all(axis=1).any():
        keyed = run.calls(("trial", "turn", "key", *ids)).dropna(subset=ids).drop_duplicates([*ids, "key"])
        if n := int(keyed.duplicated(ids).sum()):
            yield f"{counted(n, 'answer', 'has')} the ids of the answer to another request"


def _counted(run: Run, plan: Plan, trials: pd.DataFrame, n_sent: int) -> Iterator[str]:
    """Rows that the manifest counts, pays and stops otherwise."""
    manifest = run.manifest
    if any("gone" in link for link in links_in(run.folder)[0]):
        return  # `promptlab runs repair` lost some, and says so
    if len(trials) < manifest.counts.done:
        yield f"the manifest counts {counted(manifest.counts.done, 'trial')}, and {len(trials):,} are there"
    yield from _holes(run, plan, trials, n_sent)
    if manifest.state == "running" or (manifest.state != "complete" and not manifest.concurrency):
        return  # a killed sweep wrote no counts at its end, and an earlier version only where it was complete
    answered = trials.loc[trials["model_version"].notna(), ["model", "model_version"]].drop_duplicates()
    if odd := sorted({str(m) for m, version in answered.itertuples(index=False) if version not in manifest.served.get(m, ())}):
        yield f"the manifest leaves out versions that answered as {', '.join(odd)}"
    recorded = _numbers(trials["paid_usd"])
    if np.nansum(recorded) > manifest.paid_usd + CENTS * len(trials):
        yield f"the trials cost ${np.nansum(recorded):.6f}, and the manifest says ${manifest.paid_usd:.6f}"
    if not manifest.concurrency:
        return  # several processes, batches, or an earlier version: what was in flight at the end is not known
    if n_sent > manifest.counts.sent:
        yield f"the manifest counts {counted(manifest.counts.sent, 'request')}, and {counted(n_sent, 'call', 'was')} sent"
    if manifest.sessions == 1 and manifest.state == "complete" and np.nansum(recorded) < manifest.paid_usd - CENTS * len(trials):
        yield f"the manifest says that ${manifest.paid_usd:.6f} were paid, and the trials cost ${np.nansum(recorded):.6f}"
    if manifest.sessions == 1 and (n := int(trials["outcome"].eq("error").sum())) != manifest.counts.errors:
        yield f"{counted(n, 'trial')} failed, and the manifest counts {manifest.counts.errors:,}"
    if manifest.state == "budget":
        yield from _within_budget(manifest.budget_reached or "", manifest.spent.usd)


def _holes(run: Run, plan: Plan, trials: pd.DataFrame, n_sent: int) -> Iterator[str]:
    """More trials missing before the last one than can have been in flight when a run ended, or was killed."""
    manifest = run.manifest
    stopped = set(manifest.stopped)
    whole = not stopped or (stopped == set(plan.model_of) and len(stopped) == 1)  # else some go on where others have stopped
    if manifest.state in ENDED and manifest.concurrency and n_sent and whole and not (plan.looks or plan.confirm):
        most = manifest.concurrency + (LOST_AT_STOP if stopped else 0)  # a later session first sends what an earlier one lost
        holes = int(trials["order"].max()) + 1 - len(trials) if len(trials) else 0
        if holes > most:
            yield f"{counted(holes, 'trial', 'is')} missing among those that were sent before the end, when at most {most:,} were in flight"


def _within_budget(reason: str, spent_usd: float) -> Iterator[str]:
    """A budget that was not used up."""
    if found := LIMIT.match(reason):
        limit, then, more = map(float, found.groups())
        if max(then, spent_usd) + more < limit - 1e-4:
            yield f"the manifest names a budget of ${limit:g} as reached, and ${max(then, spent_usd):.4f} of it were spent"
        if spent_usd < then - 1e-4:
            yield f"the budget's end names ${then:.4f} spent, and the manifest ${spent_usd:.4f}"
