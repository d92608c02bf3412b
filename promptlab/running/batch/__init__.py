"""Sweeps through the providers' batch APIs: half the price, answers within a day. `waves` says what is sent when."""

from promptlab.running.batch.service import at_batch_prices, batch_summary, check_models
from promptlab.running.batch.submission import refuse_open
from promptlab.running.batch.waves import Waves, answers_of

__all__ = ["Waves", "answers_of", "at_batch_prices", "batch_summary", "check_models", "refuse_open"]
