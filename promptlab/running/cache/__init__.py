"""Answers already paid for, on disk, by the digest of their request. It saves money; the run folder is the record.

Text only. diskcache unpickles whatever a row's mode tells it to, its JSONDisk included (CVE-2025-69872), so rows are read here,
not there, and the disk class that diskcache is given knows no other mode than text. `guard` looks at folder and database before
diskcache does, `rows` says what a row holds, `store` keeps them.
"""

from promptlab.running.cache.behind import WriteBehind
from promptlab.running.cache.claims import Claims, Unsent
from promptlab.running.cache.rows import Request, request_of
from promptlab.running.cache.store import IMPORTED, Cache, NotCached, Stored, Use

__all__ = ["IMPORTED", "Cache", "Claims", "NotCached", "Request", "Stored", "Unsent", "Use", "WriteBehind", "request_of"]
