"""The way between a worker and the hub: a socket that carries one JSON message in a line, each way in turn."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

from promptlab.nouns.errors import PromptlabError
from promptlab.running.fleet.hub import Hub, Message

LONGEST_LINE = 1 << 28


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent."""
    return json.dumps(message).encode() + b"\n"


def serve(hub: Hub, number: int, ours: socket.socket) -> None:
    """Answer one worker until it ends; then what it held is open to the others."""
    try:
        with ours, ours.makefile("rb") as said:
            for message in said:
                ours.sendall(line(hub.exchange(number, json.loads(message))))
    except (OSError, ValueError):
        pass  # it ended in the middle of a message
    except PromptlabError as error:  # the record cannot be written
        hub.failed = hub.failed or str(error)
    finally:
        hub.lost(number)


class Socket:
    """A worker's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def exchange(self, message: Message) -> Message:
        """Say something, and be told something; ConnectionError when the hub is gone."""
        self._writer.write(line(message))
        await self._writer.drain()
        return await self.heard()

    async def heard(self) -> Message:
        """The next message."""
        answer = await self._reader.readline()
        if not answer:
            raise ConnectionError("the sweep that started this worker has ended")
        found: Message = json.loads(answer)
        return found
