"""Both ways between promptlab and DSPy; only this folder imports it.

`under_test` makes a DSPy program a strategy of a sweep. `PromptProgram` makes an arm of a run, a loop included, a DSPy program
that sends what the sweep sent. DSPy stays out of every other path, because its adapters add a system prompt and field markers
and send again when they cannot parse: all three would be part of the treatment.
"""

from promptlab.programs.module import PromptProgram, Recipe, load_program, recipe_of, saved_arm
from promptlab.programs.under_test import Loaded, load, under_test

__all__ = ["Loaded", "PromptProgram", "Recipe", "load", "load_program", "recipe_of", "saved_arm", "under_test"]
