"""Outgoing requests: one retry layer, one place that knows providers, errors by boundary, costs, and redaction of secrets."""

from promptlab.nouns import Reply, redact
from promptlab.running.gateway.failures import WireError
from promptlab.running.gateway.gateway import Gateway, RetryPolicy, WireChoice
from promptlab.running.gateway.wire import Simulator
from promptlab.sources.prices import PriceTable

__all__ = ["Gateway", "PriceTable", "Reply", "RetryPolicy", "Simulator", "WireChoice", "WireError", "redact"]
