"""The object that hooks hold as their `Actor`: each request goes to the generation behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Protocol

from rivet_runner._alarms.actor_alarm import time_of
from rivet_runner._hosting.generation_state import GenerationPhase
from rivet_runner._hosting.services import Services
from rivet_runner._hosting.stop_causes import StopCause
from rivet_runner._session.dialect import StartActor
from rivet_runner._settings import seconds
from rivet_runner.actor import Actor, StopReason
from rivet_runner.kv import KV
from rivet_runner.protocol.messages import ActorConfig
from rivet_runner.websocket import WebSocket

__all__ = ["ActorRequests", "HostedActor"]


class ActorRequests(Protocol):
    """What a hook can ask of its generation. See `Actor` for the meaning of each."""

    services: Services
    phase: GenerationPhase
    sleep_after: float | None
    stop_cause: StopCause | None

    @property
    def alarm_time(self) -> datetime | None: ...

    @property
    def hibernating(self) -> int: ...

    def open_sockets(self) -> tuple[WebSocket, ...]: ...

    async def restored_websockets(self) -> tuple[WebSocket, ...]: ...

    def work_began(self) -> None: ...

    def work_ended(self) -> None: ...

    def ask_to_sleep(self) -> None: ...

    def ask_to_destroy(self) -> None: ...

    async def set_alarm(self, when_ms: int | None) -> None: ...

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, keep_awake: bool = True) -> asyncio.Task[Any]: ...

    async def broadcast(self, message: str | bytes) -> int: ...


class HostedActor(Actor):
    """An `Actor` whose requests its generation carries out."""

    __slots__ = ("_generation",)

    def __init__(self, generation: ActorRequests, command: StartActor, kv: KV) -> None:
        config: ActorConfig = command.config
        super().__init__(command.actor_id, command.generation, config.name, config.key, config.create_ts, config.input, kv)
        self._generation = generation

    def __repr__(self) -> str:
        return f"<Actor {self.name!r} {self.id} generation {self.generation}, {self._generation.phase.value}>"

    @property
    def websockets(self) -> tuple[WebSocket, ...]:
        return self._generation.open_sockets()

    async def restored_websockets(self) -> tuple[WebSocket, ...]:
        return await self._generation.restored_websockets()

    def sleep(self) -> None:
        self._generation.ask_to_sleep()

    def destroy(self) -> None:
        self._generation.ask_to_destroy()

    async def _set_alarm_ms(self, when_ms: int | None) -> None:
        await self._generation.set_alarm(when_ms)

    @property
    def alarm(self) -> datetime | None:
        return self._generation.alarm_time

    def now(self) -> datetime:
        return time_of(self._generation.services.now_ms())

    @property
    def stop_reason(self) -> StopReason | None:
        cause = self._generation.stop_cause
        return None if cause is None else cause.reason

    @property
    def hibernating(self) -> int:
        return self._generation.hibernating

    @property
    def sleep_after(self) -> float | None:
        return self._generation.sleep_after

    @sleep_after.setter
    def sleep_after(self, value: float | None) -> None:
        name = "actor.sleep_after"
        self._generation.sleep_after = None if value is None else seconds(name, value, alternative=", or None to stay awake")

    def keep_awake(self) -> AbstractAsyncContextManager[None]:
        return _awake(self._generation)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, keep_awake: bool = True) -> asyncio.Task[Any]:
        return self._generation.spawn(coroutine, keep_awake=keep_awake)

    async def broadcast(self, message: str | bytes) -> int:
        return await self._generation.broadcast(message)


@asynccontextmanager
async def _awake(generation: ActorRequests) -> AsyncIterator[None]:
    generation.work_began()
    try:
        yield
    finally:
        generation.work_ended()
