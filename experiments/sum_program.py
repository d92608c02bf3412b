"""A DSPy program of one predictor, tested by dspy_program.yaml: a factory is a function without arguments that returns one."""

import dspy


def think_first() -> dspy.Module:
    """A chain of thought over one field."""
    return dspy.ChainOfThought(dspy.Signature("question -> answer", "Work out what is asked and give the answer alone."))
