"""Several processes on one sweep: one place holds the record, the budget and the interim analyses; workers take blocks of items from it."""
