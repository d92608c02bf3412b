"""The job with a client alone: no tool around it. Run in the environment that has the client.

    python benchmarks/peers/bare.py aiohttp|openai|litellm|direct_wire|litellm_wire job.json

`direct_wire` and `litellm_wire` are promptlab's own wires without anything else of promptlab.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

Ask = Callable[[list[dict[str, str]]], Awaitable[str]]
SAMPLING = {"temperature": 0, "max_tokens": 16}
KEY = "none"


@asynccontextmanager
async def by_aiohttp(base: str, concurrency: int) -> AsyncIterator[Ask]:
    """One session, the body read as JSON."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def ask(messages: list[dict[str, str]]) -> str:
            body = {"model": "mock", "messages": messages, **SAMPLING}
            async with session.post(f"{base}/chat/completions", json=body) as response:
                return (await response.json())["choices"][0]["message"]["content"]

        yield ask


@asynccontextmanager
async def by_openai(base: str, _: int) -> AsyncIterator[Ask]:
    """OpenAI's client over its aiohttp transport."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    async with AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0, http_client=DefaultAioHttpClient()) as client:

        async def ask(messages: list[dict[str, str]]) -> str:
            answer: Any = await client.chat.completions.create(model="mock", messages=messages, **SAMPLING)
            return answer.choices[0].message.content

        yield ask


@asynccontextmanager
async def by_litellm(base: str, _: int) -> AsyncIterator[Ask]:
    """LiteLLM's asynchronous call, without its retries."""
    import litellm

    async def ask(messages: list[dict[str, str]]) -> str:
        answer = await litellm.acompletion(
            "openai/mock", messages, api_base=base, api_key=KEY, num_retries=0, max_retries=0, timeout=60, **SAMPLING
        )
        return answer.choices[0].message.content

    yield ask


@asynccontextmanager
async def by_wire(base: str, which: str) -> AsyncIterator[Ask]:
    """One of promptlab's wires."""
    from promptlab.nouns.call import Call, Model

    model = Model("mock", "openai/mock", api_base=base)
    if which == "direct":
        from promptlab.running.gateway.direct import DirectWire as Wire
    else:
        from promptlab.running.gateway.by_litellm import LiteLLMWire as Wire
    wire = Wire([model], ())

    async def ask(messages: list[dict[str, str]]) -> str:
        return (await wire.send(Call("mock", tuple(messages), SAMPLING, api_base=base))).text

    try:
        yield ask
    finally:
        await wire.aclose()


CLIENTS = {
    "aiohttp": by_aiohttp,
    "openai": by_openai,
    "litellm": by_litellm,
    "direct_wire": lambda base, _: by_wire(base, "direct"),
    "litellm_wire": lambda base, _: by_wire(base, "litellm"),
}


async def run(name: str, job: dict[str, Any], items: list[dict[str, str]]) -> int:
    """Ask everything, so many at once; how many answers are right."""
    todo = iter(items)
    n_right = 0

    async def worker(ask: Ask) -> None:
        nonlocal n_right
        for item in todo:
            text = await ask([{"role": "user", "content": item["prompt"]}])
            n_right += text.strip() == item["target"]

    async with CLIENTS[name](job["base"], job["concurrency"]) as ask:
        await asyncio.gather(*(worker(ask) for _ in range(job["concurrency"])))
    return n_right


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    items = [json.loads(line) for line in Path(job["items"]).read_text(encoding="utf-8").splitlines()]
    print(asyncio.run(run(sys.argv[1], job, items)), "right")
