"""What the parts of hosting share: the user's hooks and the ways to the engine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from rivet_runner._connection.arrivals import Arrivals
from rivet_runner._connection.uplink import Uplink
from rivet_runner._hosting.slow_starts import SlowStarts
from rivet_runner._kv.calls import KvCalls
from rivet_runner._kv.records import HibernationStore
from rivet_runner._sockets.replays import Replays
from rivet_runner._tasks import TaskGroup
from rivet_runner.actor import Actor
from rivet_runner.config import RunnerConfig
from rivet_runner.http import Request, Response
from rivet_runner.websocket import WebSocket

if TYPE_CHECKING:
    from rivet_runner._hosting.generation import Generation

__all__ = ["Hooks", "Services", "log"]

log = logging.getLogger("rivet_runner.hosting")


class Hooks(Protocol):
    """The hooks of `rivet_runner.Runner` that concern actors."""

    async def on_actor_start(self, actor: Actor) -> None: ...

    async def on_actor_stop(self, actor: Actor) -> None: ...

    async def fetch(self, actor: Actor, request: Request) -> Response: ...

    async def websocket(self, actor: Actor, ws: WebSocket) -> None: ...

    def can_hibernate(self, actor: Actor, request: Request) -> bool: ...


class DepartedClients:
    """Clients whose close arrived when their WebSocket had just hibernated.

    The gateway may list such a client with the next start all the same, and nothing would ever come from it. Bounded: the
    oldest is forgotten first.
    """

    MAX_KEYS: Final = 4096

    def __init__(self) -> None:
        self._keys: dict[bytes, None] = {}

    def add(self, key: bytes) -> None:
        self._keys[key] = None
        if len(self._keys) > self.MAX_KEYS:
            del self._keys[next(iter(self._keys))]

    def take(self, key: bytes) -> bool:
        """Whether ``key`` was here; it is not any more."""
        return self._keys.pop(key, False) is None


@dataclass(frozen=True, slots=True)
class Services:
    """Made once per runner."""

    hooks: Hooks
    config: RunnerConfig
    uplink: Uplink
    arrivals: Arrivals
    kv_calls: KvCalls
    tasks: TaskGroup
    store: Callable[[Actor], HibernationStore]
    sockets: dict[bytes, WebSocket]
    """Every WebSocket of every actor that messages are for, by its 8-byte request key."""
    departed_clients: DepartedClients
    slow_starts: SlowStarts
    replays: Replays
    forget: Callable[[Generation], None]
    """Called once a generation has stopped."""
    hibernates: bool
    """Whether the hooks can hibernate at all; where not, no records are looked for when an actor starts."""
