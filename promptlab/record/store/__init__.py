"""The run folder: the record of an experiment, appended while it runs, readable at any moment.

runs/<id>/
  manifest.json      what ran, from which hashes, in what state; rewritten whole
  plan.json          families, margins and counts, written before the first call
  looks.json         what planned interim analyses decided, where there are any
  experiment.yaml    the file as it was given
  items.parquet      the items that the run uses
  trials/, calls/    Parquet parts
  journal.jsonl      trials that are not in a part yet: one line each, a torn last line is read past
  chain.jsonl        one link for each part, over all lines and files before it
  lock               held by the process that writes

A trial is acknowledged when its line is in the journal. A part is made of the journal's lines in a thread, while more of them come; it
is renamed into place before they leave the journal. A crash between the two leaves rows in both, and reading keeps one of each.
"""

from promptlab.record.store.files import ID, is_locked, now, runs_in, write_whole
from promptlab.record.store.reading import Evidence, Run, evidence_in, frozen_plan, recorded_in, write_trials
from promptlab.record.store.writing import RunWriter

__all__ = [
    "ID", "Evidence", "Run", "RunWriter", "evidence_in", "frozen_plan", "is_locked", "now", "recorded_in", "runs_in", "write_trials",
    "write_whole",
]  # fmt: skip
