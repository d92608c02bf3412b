"""The way out: one retry layer, one place that knows providers, errors by boundary, costs, and redaction of secrets."""

from promptlab.gateway.gateway import Gateway, RetryPolicy, WireChoice
from promptlab.gateway.prices import PriceTable
from promptlab.gateway.redact import redact
from promptlab.gateway.wire import Reply, Simulator, WireError

__all__ = ["Gateway", "PriceTable", "Reply", "RetryPolicy", "Simulator", "WireChoice", "WireError", "redact"]
