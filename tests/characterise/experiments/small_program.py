"""The program of program.yaml."""

import dspy


def think_first() -> dspy.Module:
    """A chain of thought over one field."""
    return dspy.ChainOfThought(dspy.Signature("question -> answer", "Work out what is asked and give the answer alone."))
