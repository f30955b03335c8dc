"""Which actors are on this runner: the engine's commands, carried out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from rivet_runner._hosting.generation import Generation, GenerationPhase
from rivet_runner._hosting.services import Services
from rivet_runner._hosting.stopping import StopReason
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._tasks import TaskGroup
from rivet_runner.actor import Actor
from rivet_runner.errors import KvError, RivetRunnerError
from rivet_runner.protocol.wire import CommandStartActor, CommandStopActor

__all__ = ["ActorRegistry"]

DELETED_SECONDS: Final = 2.0
"""For the question whether an actor still exists; without an answer it is taken to move."""

NO_SUCH_ACTOR: Final = "actor does not exist"
"""The engine's answer to a key-value call for a deleted actor."""


class ActorRegistry:
    """One `Generation` for each actor: the newest generation. An older one that still stops is held by the newer's start."""

    def __init__(self) -> None:
        self._hosts: dict[str, Generation] = {}
        self._stopping_older: dict[Generation, None] = {}
        self._actors: dict[str, Actor] = {}
        self.actors: Mapping[str, Actor] = MappingProxyType(self._actors)
        """Every actor from its start command until it has stopped, by id."""

    def __len__(self) -> int:
        """How many actor generations have not stopped."""
        return len(self._hosts) + len(self._stopping_older)

    def task_groups(self) -> Iterator[TaskGroup]:
        """The task groups of every actor."""
        for host in (*self._hosts.values(), *self._stopping_older):
            yield from (group for group in (host._work, host.background) if group is not None)

    def find(self, actor_id: str) -> Generation | None:
        """The actor's newest generation, unless it has begun to stop: what is new then is for the next generation."""
        host = self._hosts.get(actor_id)
        if host is None or host.phase not in (GenerationPhase.STARTING, GenerationPhase.RUNNING):
            return None
        return host

    def is_going_to_sleep(self, actor_id: str) -> bool:
        """Whether the engine runs again, in the next generation, what this one leaves without an answer."""
        host = self._hosts.get(actor_id)
        return host is not None and host.phase is GenerationPhase.STOPPING and host.stop_commanded and not host.destroyed

    def start(self, command: CommandStartActor, services: Services) -> None:
        """Register an actor and begin to start it. Everything that must be found by the next message is in place then."""
        older = self._hosts.get(command.actor_id)
        if older is not None and older.actor.generation >= command.generation:
            return
        host = Generation(services, command)
        self._hosts[command.actor_id] = host
        self._actors[command.actor_id] = host.actor
        if older is not None:
            self._stopping_older[older] = None
            older.stop(StopReason.REPLACED)
        host.start(older)

    def stop(self, command: CommandStopActor, *, draining: bool) -> None:
        """Stop the generation that the engine names; any other has stopped before.

        A stop that neither the actor nor this runner has asked for means that the actor was deleted: the engine (2.3.19)
        sends one for nothing else. Where others may drain this runner (``draining``), it may as well move.
        """
        host = self._hosts.get(command.actor_id)
        if host is None or host.actor.generation != command.generation:
            return
        host.stop_commanded = True
        host.stop(host.intent or (StopReason.DRAINED if draining else StopReason.DESTROYED))

    async def stop_or_move(self, command: CommandStopActor) -> None:
        """Stop an actor where the engine may drain this runner too: then it does not say why.

        Either the actor moves, and its clients stay, or it is deleted, and they are to be closed. Of a deleted actor the
        engine has no key-value data (2.3.19: from before it sends the stop command).
        """
        host = self.find(command.actor_id)
        deleted = False
        if host is not None and host.intent is None and any(ws.hibernatable for ws in host.open_websockets()):
            with contextlib.suppress(RivetRunnerError, TimeoutError):
                async with asyncio.timeout(DELETED_SECONDS):
                    deleted = not await _exists(host.actor)
        self.stop(command, draining=not deleted)

    def hibernations(self) -> list[Hibernation]:
        """The hibernatable WebSockets that are open on running actors."""
        return [
            ws._hibernation
            for host in self._hosts.values()
            if host.phase is GenerationPhase.RUNNING
            for ws in host.open_websockets()
            if ws._hibernation is not None
        ]

    def stop_all(self, reason: StopReason) -> None:
        """Begin to stop every actor."""
        for host in [*self._hosts.values(), *self._stopping_older]:
            host.stop(reason)

    def forget(self, host: Generation) -> None:
        """A generation has stopped."""
        self._stopping_older.pop(host, None)
        if self._hosts.get(host.actor.id) is host:
            del self._hosts[host.actor.id], self._actors[host.actor.id]


async def _exists(actor: Actor) -> bool:
    try:
        await actor.kv.get(b"")
    except KvError as error:
        return NO_SUCH_ACTOR not in str(error)
    return True
