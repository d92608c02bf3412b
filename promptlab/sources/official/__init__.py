"""The official data files: imported or pulled once, checked against pinned SHA-256 sums, read from the user's data folder.

promptlab ships none of these files, only `data/official.json`, which says of each one where it is published and what its
bytes must be. A file that does not match is never put in place and never scored.
"""

from promptlab.sources.official.files import (
    SIZE_LIMIT,
    FileState,
    ImportReport,
    OfficialFile,
    data_dir,
    import_from,
    listing,
    manifest,
    pull,
    verify,
)  # fmt: skip
from promptlab.sources.official.reading import BigBenchTask, load_bigbench, load_instruction_induction

__all__ = [
    "SIZE_LIMIT", "BigBenchTask", "FileState", "ImportReport", "OfficialFile", "data_dir", "import_from", "listing", "load_bigbench",
    "load_instruction_induction", "manifest", "pull", "verify",
]  # fmt: skip
