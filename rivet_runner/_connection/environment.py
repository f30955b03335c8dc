"""The surroundings of a runner: its connection to the engine, the way of its clients there, the wall clock, and chance.

A runner looks them up once, when it starts. `rivet_runner.testing.SimulatedEngine` replaces them for the runners that start
in its context. The rest of the package does not know the difference.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from rivet_runner._connection.client_transport import ClientTransport
from rivet_runner._connection.engine_socket import dial

__all__ = ["Dial", "Environment", "Link", "environment"]


class Link(Protocol):
    """One open connection to the engine that carries whole messages. See `EngineSocket`, which is the real one."""

    messages_received: int
    needs_pings: bool
    """Whether protocol pings are sent, from which the engine takes the round-trip time of a runner."""

    @property
    def is_open(self) -> bool: ...

    @property
    def congested(self) -> bool: ...

    def on_writable(self, callback: Callable[[], None]) -> None: ...

    def on_read(self, callback: Callable[[], None]) -> None: ...

    def send_frames(self, messages: list[bytes]) -> None: ...

    def acknowledge_at_once(self) -> None: ...

    async def wait_ended(self) -> tuple[int, str]: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None: ...


Dial: TypeAlias = Callable[[str, list[str], Callable[[bytes], None]], Awaitable[Link]]
"""Takes the URL, the subprotocols, and a function for each message, called synchronously. Raises one of `DIAL_ERRORS`."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Environment:
    """``now_ms`` returns milliseconds since the epoch. ``random`` returns a number from 0 up to 1, exclusive.
    ``new_id`` returns a new UUID as text.
    """

    dial: Dial = dial
    now_ms: Callable[[], int] = _now_ms
    random: Callable[[], float] = random.random
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    real_time: bool = True
    """Whether the loop's clock and its sockets are real. Else nothing polls, and nothing watches the loop from outside."""
    client_transport: ClientTransport | None = None
    """The way of clients to this engine. `None` is the network."""


REAL: Final = Environment()

environment: Final[ContextVar[Environment]] = ContextVar("environment", default=REAL)
