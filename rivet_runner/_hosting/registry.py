"""The actors that are on this runner: the engine's commands, carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from rivet_runner._hosting.generation import Generation
from rivet_runner._hosting.generation_state import GenerationPhase
from rivet_runner._hosting.services import Services
from rivet_runner._hosting.stop_causes import StopCause
from rivet_runner._session.dialect import StartActor, StopActor
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner.actor import Actor
from rivet_runner.errors import KvError

__all__ = ["ActorRegistry"]

DELETED_SECONDS: Final = 2.0
"""For the question whether an actor still exists. Without an answer, the actor is taken to move."""

FIRST_LOOK_SECONDS: Final = 0.05
"""From the first such question to the next, as its data may still be there. Each further one waits twice as long."""

NO_SUCH_ACTOR: Final = "actor does not exist"
"""The engine's answer to a key-value call for a deleted actor."""


class ActorRegistry:
    """One `Generation` for each actor: the newest. An older one that still stops is waited for by the newer one's start."""

    def __init__(self) -> None:
        self._newest: dict[str, Generation] = {}
        self._stopping_older: dict[tuple[str, int], Generation] = {}
        self._actors: dict[str, Actor] = {}
        self.actors: Mapping[str, Actor] = MappingProxyType(self._actors)
        """Every actor from its start command until it has stopped, by id."""

    def __len__(self) -> int:
        """How many actor generations have not stopped."""
        return len(self._newest) + len(self._stopping_older)

    def owns(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether ``task`` is one of an actor's."""
        return any(generation.owns(task) for generation in (*self._newest.values(), *self._stopping_older.values()))

    def find(self, actor_id: str) -> Generation | None:
        """The actor's newest generation, unless it has begun to stop: new requests are for the next generation then."""
        generation = self._newest.get(actor_id)
        return generation if generation is not None and generation.may_begin else None

    def is_going_to_sleep(self, actor_id: str) -> bool:
        """Whether the engine sends requests that this generation leaves unanswered to the next generation."""
        generation = self._newest.get(actor_id)
        return (
            generation is not None
            and generation.phase is GenerationPhase.STOPPING
            and generation.stop_commanded
            and not generation.destroyed
        )

    def start(self, command: StartActor, services: Services) -> None:
        """Register an actor and begin to start it. Everything that the next message must find is in place then."""
        older = self._newest.get(command.actor_id)
        if older is not None and older.actor.generation >= command.generation:
            return
        generation = Generation(services, command)
        self._newest[command.actor_id] = generation
        self._actors[command.actor_id] = generation.actor
        if older is not None:
            self._stopping_older[older.actor.id, older.actor.generation] = older
            older.stop(StopCause.REPLACED)
        generation.start(older)

    def stop(self, command: StopActor, *, draining: bool, waited: float = 0.0) -> None:
        """Stop the generation that the engine names. Any other has stopped before.

        Without a request of the actor for it, the actor moves or sleeps if the runner is ``draining``, else it is destroyed.
        The command came ``waited`` seconds ago.
        """
        generation = self._newest.get(command.actor_id)
        if generation is None or generation.actor.generation != command.generation:
            return
        generation.stop_commanded = True
        cause = generation.intent or (StopCause.DRAINED if draining else StopCause.DESTROYED)
        generation.stop(cause, waited=waited)

    def may_be_drained(self, command: StopActor) -> bool:
        """Whether it is worth to ask if a stop is a deletion.

        The engine (2.3.19) also stops the actors of a runner that it drains, for a newer version in its pool, and does not
        say so. It makes a difference for an actor with hibernatable clients, which stay, and with an alarm, which is kept,
        and for a hook that is told the reason.
        """
        generation = self.find(command.actor_id)
        if generation is None or generation.intent is not None:
            return False
        return generation.outlives_a_stop or generation.services.tells_stops

    async def stop_or_move(self, command: StopActor) -> bool:
        """Stop an actor whose stop may be a deletion. Return whether it is sure that the actor lives on.

        A deleted actor has no key-value data. With some versions of the protocol, the engine (2.3.19) sends the stop command
        a little before it deletes them.
        """
        generation = self.find(command.actor_id)
        now = asyncio.get_running_loop().time
        began = now()
        exists = None if generation is None else await _exists(generation.actor, generation.services.deletion_lag)
        self.stop(command, draining=exists is not False, waited=now() - began)
        return exists is True

    def hibernations(self) -> list[Hibernation]:
        """The hibernatable WebSockets that are open on running actors."""
        return [one for generation in self._newest.values() for one in generation.hibernations()]

    def stop_all(self, cause: StopCause, *, hurry: bool = False) -> None:
        """Begin to stop every actor; with ``hurry``, its hooks are cancelled soon."""
        for generation in [*self._newest.values(), *self._stopping_older.values()]:
            generation.stop(cause, hurry=hurry)

    def forget(self, actor_id: str, generation: int) -> None:
        """A generation has stopped."""
        self._stopping_older.pop((actor_id, generation), None)
        newest = self._newest.get(actor_id)
        if newest is not None and newest.actor.generation == generation:
            del self._newest[actor_id], self._actors[actor_id]


async def _exists(actor: Actor, deletion_lag: float) -> bool | None:
    """Whether the engine still has the actor; ``None`` without an answer in time."""
    try:
        async with asyncio.timeout(DELETED_SECONDS):
            await actor.kv.get(b"")
            wait = FIRST_LOOK_SECONDS
            while deletion_lag > 0:
                await asyncio.sleep(min(wait, deletion_lag))
                await actor.kv.get(b"")
                deletion_lag, wait = deletion_lag - wait, 2 * wait
    except KvError as error:
        return False if NO_SUCH_ACTOR in str(error) else None
    except TimeoutError:
        return None
    return True
