"""From a plan to recorded trials: engine, cache, gateway, batches, workers."""
