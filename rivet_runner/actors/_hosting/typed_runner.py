"""`TypedRunner`: the runner of an `App`. It sends each actor to its class."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Unpack

from rivet_runner._connection.environment import environment
from rivet_runner._tasks import TaskGroup
from rivet_runner.actor import Actor, Alarm
from rivet_runner.actors._hosting.conversation import converse
from rivet_runner.actors._hosting.generation import TypedGeneration
from rivet_runner.actors._hosting.kind import ActorKind
from rivet_runner.actors._hosting.lifespan import Lifespan
from rivet_runner.actors._hosting.raw_websocket import converse_raw
from rivet_runner.actors._hosting.routes import answer
from rivet_runner.actors.client import Client
from rivet_runner.config import RunnerConfig, RunnerOptions
from rivet_runner.errors import RivetRunnerError, RunnerShutDown
from rivet_runner.http import Request, Response
from rivet_runner.runner import Runner
from rivet_runner.websocket import WebSocket

__all__ = ["TypedRunner"]

log: Final = logging.getLogger("rivet_runner.actors")

CONNECT: Final = "/connect"
RAW: Final = "/websocket"
NOT_FOUND: Final = (1011, "actor.not_found")


class TypedRunner(Runner):
    """Hosts the actors of ``kinds``, by name. ``lifespan`` makes the context manager whose value they share."""

    def __init__(
        self,
        kinds: Mapping[str, ActorKind],
        lifespan: Callable[[Runner], AbstractAsyncContextManager[Any]] | None,
        config: RunnerConfig | None = None,
        /,
        **options: Unpack[RunnerOptions],
    ) -> None:
        super().__init__(config, **options)
        self.__kinds = kinds
        self.__lifespan = None if lifespan is None else Lifespan(lambda: lifespan(self))
        self.__tasks = TaskGroup("typed actors", log)
        self.__entering: asyncio.Task[None] | None = None
        self.__client: Client | None = None
        self.__new_id = environment.get().new_id

    def action_parameters(self) -> dict[str, dict[str, list[str]]]:
        """The actions by actor name, each with the names of the parameters that a caller has to give."""
        return {
            name: {action.name: action.signature.required() for action in kind.actions.values()}
            for name, kind in self.__kinds.items()
        }

    # Hooks

    async def on_actor_start(self, actor: Actor) -> None:
        """Start an instance of the actor's class."""
        kind = self.__kinds.get(actor.name)
        if kind is None:
            known = ", ".join(sorted(self.__kinds))
            raise LookupError(f"this app has no actor named {actor.name!r}; it has: {known}")
        actor.sleep_after = kind.cls.sleep_after
        resources = None if self.__lifespan is None else self.__lifespan.resources
        assert self.__client is not None
        generation = actor.state = TypedGeneration(
            kind, actor, resources, self.__client, self.__new_id, self.config.actor_stop_timeout
        )
        await generation.start()

    async def on_actor_stop(self, actor: Actor) -> None:
        """Stop the instance."""
        await _generation(actor).stop()

    async def on_alarm(self, actor: Actor, alarm: Alarm) -> None:
        """Run the schedules that are due."""
        await _generation(actor).on_alarm(alarm)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        """Answer an action or a raw request."""
        return await answer(_generation(actor), request)

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        """Serve a connection or a raw WebSocket."""
        path = ws.path
        if path == CONNECT:
            await converse(_generation(actor), ws)
        elif path == RAW or path.startswith(RAW + "/"):
            await converse_raw(_generation(actor), ws)
        else:
            await ws.close(*NOT_FOUND)

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        """Connections of a class with ``hibernate`` can, raw WebSockets cannot."""
        return request.path == CONNECT and _generation(actor).kind.hibernates

    # Its life

    async def start(self) -> None:
        """Enter the lifespan, and start as `Runner.start` does. Raises what the lifespan raises too."""
        if self.__client is None:
            self.__client = Client.of_runner(self.config)
            self.__new_id = environment.get().new_id
        if self.__lifespan is None or self.__entering is not None:
            await super().start()
        else:
            await self.__start_within(self.__lifespan)
        if not len(self.__tasks):
            self.__tasks.spawn(self.__leave_at_the_end(), name="leave the runner")

    async def __start_within(self, lifespan: Lifespan) -> None:
        entering = self.__entering = self.__tasks.spawn(lifespan.enter(), name="enter the lifespan", on_error=lambda _: None)
        try:
            await asyncio.wait([entering])
            if entering.cancelled():
                raise RunnerShutDown("the runner was shut down while its lifespan was entered")
            entering.result()
            await super().start()
        except BaseException:
            entering.cancel()
            await asyncio.wait([entering])
            await super().shutdown(immediate=True)
            await lifespan.leave()
            raise

    async def shutdown(self, immediate: bool = False) -> None:
        """Take the runner down as `Runner.shutdown` does, and leave the lifespan."""
        if self.__entering is not None:
            self.__entering.cancel()
        await super().shutdown(immediate)

    async def on_shutdown(self) -> None:
        """Close the actors' client and leave the lifespan: all actors have stopped."""
        await self.__leave()

    async def __leave_at_the_end(self) -> None:
        """Make sure of it if `on_shutdown` had no time."""
        with contextlib.suppress(RivetRunnerError):
            await super().wait_closed()
        await self.__leave()

    async def __leave(self) -> None:
        try:
            if self.__client is not None:
                await self.__client.aclose()
        finally:
            if self.__lifespan is not None:
                await self.__lifespan.leave()


def _generation(actor: Actor) -> TypedGeneration:
    generation = actor.state
    assert isinstance(generation, TypedGeneration)
    return generation
