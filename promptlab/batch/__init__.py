"""Sweeps through the providers' batch APIs: half the price, answers within a day. `waves` says what is sent when."""

from promptlab.batch.ledger import refuse_open
from promptlab.batch.service import at_batch_prices, check_models
from promptlab.batch.waves import Waves, answers_of

__all__ = ["Waves", "answers_of", "at_batch_prices", "check_models", "refuse_open"]
