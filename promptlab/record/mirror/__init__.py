"""Run folders at any address that fsspec knows (`s3://`, `gs://`, `file://`, ...): a local folder is worked in, the address follows it.

ADDRESS/<run id>/ holds the files of a run folder, and two more:

  parts.json    size and SHA-256 of every file that is written once; a part that it does not name is not there
  writer.json   who writes: host, process, time of the last sign of life

A push goes parts, parts.json, journal, looks, manifest, from a local state read the other way round, and a fetch reads the other way
round too. So nobody sees a manifest that promises what is not there, however a push ends. The journal's first line names the last
part before it: what parts.json has of later ones is newer than the journal. Only names that this module spells are ever fetched.

fsspec knows no lock. Two writers that start in the same moment may both continue until their next sign of life; then one ends.
"""

from pathlib import Path

from promptlab.nouns import run_named
from promptlab.record.mirror.copies import INDEX, JOURNAL, MANIFEST
from promptlab.record.mirror.lease import WRITER, Pusher
from promptlab.record.mirror.place import Place, fetched, is_address
from promptlab.record.store import Run, now

__all__ = ["INDEX", "JOURNAL", "MANIFEST", "WRITER", "Place", "Pusher", "fetched", "is_address", "now", "open_run"]


def open_run(folder: str | Path) -> Run:
    """Open a recorded run: `open_run("runs/quickstart-1a2b3c4d").trials()` is its frame. One at an address (s3://...) is fetched first.

    The name alone is looked for in the folder of runs, too: PROMPTLAB_RUNS, else `runs`.
    """
    if isinstance(folder, str) and "://" in folder:
        return Run(fetched(folder))
    return Run(run_named(Path(folder)))
