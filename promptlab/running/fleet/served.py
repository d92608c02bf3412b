"""A worker of models that the sweep serves by itself: its gateway alone knows their addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from promptlab.running.fleet.work import Link, Worker
from promptlab.running.gateway import Gateway
from promptlab.running.simulate import World

if TYPE_CHECKING:
    from promptlab.planning.resolve import Study
    from promptlab.running.progress import Execution


class ServedWorker(Worker):
    """A worker whose gateway alone knows where the servers are."""

    def __init__(
        self, study: Study, link: Link, execution: Execution, recorded: Set[str], cache_folder: Path | None, served_at: Mapping[str, str]
    ) -> None:
        # asked directly, as a model with an address is; the gateway below has the address of each
        os.environ.setdefault("HOSTED_VLLM_API_BASE", next(iter(served_at.values())))
        super().__init__(study, link, execution, recorded, cache_folder)
        models = [replace(m, api_base=served_at.get(m.name, m.api_base)) for m in study.models]
        world = World(study.design, study.sims) if any(model.simulated for model in models) else None
        self._gateway = Gateway(models, study.prices, world, wire=execution.wire, concurrency=execution.concurrency)
        self._engine.gateway = self._gateway
