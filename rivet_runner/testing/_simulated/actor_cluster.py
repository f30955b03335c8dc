"""The rest of the engine, as an actor sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rivet_runner.protocol.v3 import CommandStartActor, CommandStopActor
from rivet_runner.testing._simulated.actor_spec import ActorSignal, ActorSpec

__all__ = ["ActorCluster"]


class ActorCluster(Protocol):
    """Runners with slots for actors, and the parts that hear of an actor's changes."""

    def take_slot(self, spec: ActorSpec, allocated: Callable[[str], None] | None) -> str | None:
        """Take a slot and return its runner. Without a free slot the actor queues up if ``allocated`` is given."""

    def release_slot(self, spec: ActorSpec, runner_id: str, *, to_queue: bool) -> None:
        """Give the slot back. ``to_queue`` offers it to the actors that wait."""

    def leave_queue(self, spec: ActorSpec) -> None: ...

    def send_command(self, runner_id: str, actor_id: str, command: CommandStartActor | CommandStopActor) -> None: ...

    def signal(self, spec: ActorSpec, signal: ActorSignal) -> None:
        """Tell the gateway."""

    def actor_decided(self, actor_id: str, what: str, *details: Any) -> None:
        """Note a decision for the trace and for the journal."""
