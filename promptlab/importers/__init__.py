"""Results of other tools as a promptlab run: read without trust, paired by item, refused where they cannot be."""

from promptlab.importers.explain import Explained, explain
from promptlab.importers.importing import Brought, bring
from promptlab.importers.results import COLUMNS, KINDS, Kind, Options

__all__ = ["COLUMNS", "KINDS", "Brought", "Explained", "Kind", "Options", "bring", "explain"]
