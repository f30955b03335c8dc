"""What the command and the process of a runner say to each other: JSON messages, one a line, over a pair of sockets.

The worker tells that its runner is made (`Loaded`), how it is (`State`, when it has changed), and why it failed (`Failed`).
The command tells the worker to `Start` and to `Drain`. The end of the channel is a message too: a worker without its
command drains, so that nothing outlives a command that was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Generic, Literal, Self, TypeAlias, TypeVar

import msgspec

__all__ = ["Channel", "Drain", "Failed", "FromWorker", "Loaded", "Start", "State", "ToWorker", "send_before_the_loop"]


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The module is imported and the runner is made, but not started.

    ``actions`` has the actions of typed actors by actor name, each with the parameters that a caller has to give. Any other
    runner has `None`.
    """

    runner_name: str
    runner_key: str
    actor_names: list[str]
    actions: dict[str, dict[str, list[str]]] | None = None


class State(msgspec.Struct, frozen=True, tag=True):
    """The runner as it is now. ``actors`` is their number."""

    connected: bool = False
    draining: bool = False
    runner_id: str | None = None
    actors: int = 0


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Why the worker ends: its module cannot be loaded, its runner does not start, was evicted, or failed later."""

    kind: Literal["load", "start", "evicted", "failed"]
    message: str
    details: str | None = None


class Start(msgspec.Struct, frozen=True, tag=True):
    """Connect. Give up after ``timeout`` seconds without an engine that accepts the runner, or never."""

    timeout: float | None


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Shut the runner down, then end."""

    immediate: bool = False


FromWorker: TypeAlias = Loaded | State | Failed
ToWorker: TypeAlias = Start | Drain

ReceivedT = TypeVar("ReceivedT")


class Channel(Generic[ReceivedT]):
    """One end of the pair."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: msgspec.json.Decoder[ReceivedT]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = decoder

    @classmethod
    async def open(cls, end: socket.socket, decoder: msgspec.json.Decoder[ReceivedT]) -> Self:
        """Make a channel of a connected socket, which it owns from now on."""
        reader, writer = await asyncio.open_connection(sock=end)
        return cls(reader, writer, decoder)

    def send(self, message: FromWorker | ToWorker) -> None:
        """Send a message. It is lost if the other end has gone, which `receive` tells."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def receive(self) -> ReceivedT | None:
        """Return the next message, or `None` once the other end has gone. Cancelling is safe."""
        try:
            line = await self._reader.readline()
        except OSError:
            return None
        return self._decoder.decode(line) if line.endswith(b"\n") else None

    async def close(self) -> None:
        """Send what was given to `send`, and close this end."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def send_before_the_loop(end: socket.socket, message: FromWorker) -> None:
    """Send a message where there is no event loop yet."""
    with contextlib.suppress(OSError):
        end.sendall(msgspec.json.encode(message) + b"\n")
