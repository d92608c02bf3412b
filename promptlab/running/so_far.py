"""How far a run is that nobody ended: its manifest is old once it is killed, and its journal and its ledger know more."""

from __future__ import annotations

from dataclasses import replace

from promptlab.nouns import Manifest, RunProblem
from promptlab.record.store import Run
from promptlab.running.ledger import kept_in


def so_far(run: Run) -> Manifest:
    """The manifest of a run, with the trials and the sums of its folder where it says that the run still runs.

    What was held for requests when the run was killed may have been billed. Any other manifest is as it was written.
    """
    told = run.manifest
    if told.state != "running":
        return told
    try:
        paid = run.paid_by_trial()
    except RunProblem:  # which reports name
        return told
    kept = kept_in(run.folder)
    if run.state != "running":
        kept = kept.settled()
    return replace(
        told,
        counts=replace(told.counts, done=max(told.counts.done, len(paid)), sent=max(told.counts.sent, int(kept.n_sent))),
        paid_usd=max(told.paid_usd, kept.paid_usd, sum(paid.values())),
        unsure_usd=max(told.unsure_usd, kept.unsure_usd),
    )
