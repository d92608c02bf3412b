"""From an experiment to a frozen plan: names resolved, priced, powered. Nothing is sent."""
