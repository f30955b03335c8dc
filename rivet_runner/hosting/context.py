"""What the parts of hosting share: the user's hooks and the ways to the engine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rivet_runner.actor import Actor
from rivet_runner.config import RunnerConfig
from rivet_runner.connection.uplink import Uplink
from rivet_runner.hibernation.store import HibernationStore
from rivet_runner.http import Request, Response
from rivet_runner.kv_calls import KvCalls
from rivet_runner.tasks import TaskGroup
from rivet_runner.websocket import WebSocket

if TYPE_CHECKING:
    from rivet_runner.hosting.actor_host import ActorHost

__all__ = ["Context", "Hooks", "log"]

log = logging.getLogger("rivet_runner.hosting")


class Hooks(Protocol):
    """The hooks of `rivet_runner.Runner` that concern actors."""

    async def on_actor_start(self, actor: Actor) -> None: ...

    async def on_actor_stop(self, actor: Actor) -> None: ...

    async def fetch(self, actor: Actor, request: Request) -> Response: ...

    async def websocket(self, actor: Actor, ws: WebSocket) -> None: ...

    def can_hibernate(self, actor: Actor, request: Request) -> bool: ...


@dataclass(frozen=True, slots=True)
class Context:
    """Made once per runner."""

    hooks: Hooks
    config: RunnerConfig
    uplink: Uplink
    kv_calls: KvCalls
    tasks: TaskGroup
    store: Callable[[Actor], HibernationStore]
    sockets: dict[bytes, WebSocket]
    """Every WebSocket of every actor that messages are for, by its 8-byte request key."""
    forget: Callable[[ActorHost], None]
    """Called once a generation has stopped."""
    hibernates: bool
    """Whether the hooks can hibernate at all; where not, no records are looked for when an actor starts."""
