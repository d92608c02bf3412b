"""Tasks of the user's own: a task file over a table, or a BIG-bench task.json."""

from promptlab.sources.own.load import Checked, Own, check_task, gold_notes, load_own

__all__ = ["Checked", "Own", "check_task", "gold_notes", "load_own"]
