"""Which actors are on this runner: the engine's commands, carried out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from rivet_runner.actor import Actor
from rivet_runner.hosting.actor_host import ActorHost, HostPhase
from rivet_runner.hosting.context import Context
from rivet_runner.hosting.stopping import StopReason
from rivet_runner.protocol.wire import CommandStartActor, CommandStopActor
from rivet_runner.tasks import TaskGroup

__all__ = ["ActorRegistry"]

log = logging.getLogger(__name__)


class ActorRegistry:
    """One `ActorHost` for each actor: the newest generation. An older one that still stops is held by the newer's start."""

    def __init__(self) -> None:
        self._hosts: dict[str, ActorHost] = {}
        self._stopping_older: dict[ActorHost, None] = {}
        self._actors: dict[str, Actor] = {}
        self.actors: Mapping[str, Actor] = MappingProxyType(self._actors)
        """Every actor from its start command until it has stopped, by id."""

    def __len__(self) -> int:
        """How many actor generations have not stopped."""
        return len(self._hosts) + len(self._stopping_older)

    def task_groups(self) -> Iterator[TaskGroup]:
        """The task groups of every actor."""
        for host in (*self._hosts.values(), *self._stopping_older):
            yield host.work
            yield host.background

    def find(self, actor_id: str) -> ActorHost | None:
        """The actor's newest generation, unless it has begun to stop: what is new then is for the next generation."""
        host = self._hosts.get(actor_id)
        if host is None or host.phase not in (HostPhase.STARTING, HostPhase.RUNNING):
            return None
        return host

    def start(self, command: CommandStartActor, context: Context) -> None:
        """Register an actor and begin to start it. Everything that must be found by the next message is in place then."""
        older = self._hosts.get(command.actor_id)
        if older is not None and older.actor.generation >= command.generation:
            return
        host = ActorHost(context, command)
        self._hosts[command.actor_id] = host
        self._actors[command.actor_id] = host.actor
        if older is not None:
            self._stopping_older[older] = None
            older.stop(StopReason.REPLACED)
        host.start(older)

    def stop(self, command: CommandStopActor, *, draining: bool) -> None:
        """Stop the generation that the engine names; any other has stopped before."""
        host = self._hosts.get(command.actor_id)
        if host is None or host.actor.generation != command.generation:
            return
        host.stop_commanded = True
        if draining and host.intent is None:
            host.stop(StopReason.DRAINED)
        else:
            host.stop(host.intent or StopReason.COMMANDED)

    def stop_all(self, reason: StopReason) -> None:
        """Begin to stop every actor."""
        for host in [*self._hosts.values(), *self._stopping_older]:
            host.stop(reason)

    def forget(self, host: ActorHost) -> None:
        """A generation has stopped."""
        self._stopping_older.pop(host, None)
        if self._hosts.get(host.actor.id) is host:
            del self._hosts[host.actor.id], self._actors[host.actor.id]
