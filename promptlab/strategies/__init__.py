"""How a model is asked: generators that yield calls, are sent completions, and return an answer. They do no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptlab.schema import Call, Strategy
from promptlab.strategies.single import single

STRATEGIES: Mapping[str, Callable[[Call], Strategy]] = {"single": single}
