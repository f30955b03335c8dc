"""The actor as a hook sees it."""

from __future__ import annotations

import asyncio
import enum
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rivet_runner.kv import KV
from rivet_runner.websocket import WebSocket

__all__ = ["Actor", "ActorLog", "Alarm", "StopReason"]

_log: Final = logging.getLogger("rivet_runner.actor")

ActorLog = logging.LoggerAdapter[logging.Logger]


class StopReason(enum.Enum):
    """Why a generation of an actor stops.

    The engine (2.3.19) sends the same command for a deletion and for a move to a newer version of your runner. This package
    asks the engine which of them it was. Without an answer, and on a serverless runner that is being replaced, the reason
    may be `SHUTDOWN` for an actor that was deleted. So delete nothing that you need because of a `SHUTDOWN`.
    """

    SLEEP = "sleep"
    """It asked to sleep, or was idle for ``sleep_after``. It wakes as the next generation."""
    DESTROY = "destroy"
    """It ends for good, with its KV."""
    SHUTDOWN = "shutdown"
    """This runner drains or shuts down. The actor goes on elsewhere, or sleeps."""
    LOST = "lost"
    """The engine was away for too long, or has forgotten this runner. The actor may run elsewhere already."""
    REPLACED = "replaced"
    """The engine has started a newer generation here."""
    CRASHED = "crashed"
    """Its start failed. `Runner.on_actor_stop` is not called."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is due, as `Runner.on_alarm` gets it.

    ``scheduled_at`` is the time that was set, in UTC. It stays the same in all retries. ``attempt`` is 1 for the first call,
    and 1 more after each call that raised.
    """

    scheduled_at: datetime
    attempt: int


class _IdAdapter(ActorLog):
    """Puts the actor's id before each message, and under ``actor_id`` for structured handlers."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        assert self.extra is not None
        kwargs["extra"] = {**self.extra, **kwargs.get("extra", {})}
        return f"[actor {self.extra['actor_id']}] {msg}", kwargs


class Actor(ABC):
    """One generation of one actor: from its start until it sleeps, stops, moves or is lost.

    ``id`` is the same over all generations. ``generation`` counts them, from 0. ``name``, ``key`` and ``input`` come from
    the request that created the actor. ``create_ts`` is in milliseconds since the epoch, as the engine (2.3.19) gives it:
    the time when this generation was created. ``kv`` is the actor's durable store. ``state`` is yours, for the things
    that you keep in memory. It lives as long as this generation.
    """

    __slots__ = ("_log", "create_ts", "generation", "id", "input", "key", "kv", "name", "state")

    def __init__(
        self, actor_id: str, generation: int, name: str, key: str | None, create_ts: int, input: bytes | None, kv: KV
    ) -> None:
        self.id: str = actor_id
        self.generation: int = generation
        self.name: str = name
        self.key: str | None = key
        self.create_ts: int = create_ts
        self.input: bytes | None = input
        self.kv: KV = kv
        self.state: Any = None
        self._log: ActorLog | None = None

    @property
    def log(self) -> ActorLog:
        """A logger, ``rivet_runner.actor``, whose messages carry the actor's id."""
        if self._log is None:
            self._log = _IdAdapter(_log, {"actor_id": self.id, "generation": self.generation})
        return self._log

    @property
    @abstractmethod
    def websockets(self) -> tuple[WebSocket, ...]:
        """The WebSockets that are open now."""

    @abstractmethod
    async def restored_websockets(self) -> tuple[WebSocket, ...]:
        """In `Runner.on_actor_start`: the WebSockets for whose clients `Runner.websocket` will run, with these objects.

        Each has its ``request`` and its ``attachment``. Those that hibernate are open at the gateway: `WebSocket.send` and
        `WebSocket.close` work, and wait until the gateway has attached the client. Receiving is for `Runner.websocket`.
        Those whose clients left while the actor slept have their ``close_code``.

        With protocol 7, and for a serverless runner, the engine may leave clients out of its list. Those are not among
        these. `Runner.websocket` runs for each of them, with ``ws.restored``, at its first message or its close.

        Takes a key-value call, or one of your ``hibernation_store``, whose errors pass through. Raises `RuntimeError` once
        `Runner.on_actor_start` has returned. Cancelling is safe.
        """

    @abstractmethod
    def sleep(self) -> None:
        """Ask the engine to put this actor to sleep.

        The engine answers with a stop within some 50 ms, and `Runner.on_actor_stop` follows. The actor's KV stays, and so do
        its hibernating WebSockets. A request, a message on such a WebSocket or an alarm wakes it. Calling it again, or after
        `destroy`, changes nothing.
        """

    @abstractmethod
    def destroy(self) -> None:
        """Ask the engine to end this actor for good: its KV is deleted and its id is not used again."""

    async def set_alarm(self, when: datetime | None) -> None:
        """Call `Runner.on_alarm` at ``when``, an aware datetime, whether this actor is awake then or not.

        When this returns, the time is stored with the actor's data and was sent to the engine, which wakes the actor if it
        sleeps then. An actor has one alarm: setting it replaces the one before, and ``None`` clears it. A time in the past
        is due at once. If your runner does not override `Runner.on_alarm`, the alarm only wakes a sleeping actor.

        Takes a key-value call, and up to 0.1 s more with protocol 3, which limits how often events are sent. Raises
        `ValueError` for a naive datetime, whose meaning would depend on the machine, `RunnerShutDown` once the actor has
        stopped, and `KvError` if the time could not be stored. After that, and after a cancellation, the new alarm or the
        one before is set.
        """
        if when is not None and not isinstance(when, datetime):
            raise TypeError(f"set_alarm takes an aware datetime or None, not {type(when).__name__}")
        if when is not None and when.utcoffset() is None:
            raise ValueError("set_alarm needs an aware datetime, for example actor.now() + timedelta(minutes=5)")
        await self._set_alarm_ms(None if when is None else int(when.timestamp() * 1000))

    @abstractmethod
    async def _set_alarm_ms(self, when_ms: int | None) -> None: ...

    @property
    @abstractmethod
    def alarm(self) -> datetime | None:
        """The time in UTC that was set with `set_alarm`, or ``None``.

        It is ``None`` while `Runner.on_alarm` runs, until another one is set. If your runner overrides `Runner.on_alarm`, it
        is known from `Runner.on_actor_start` on, else only in the generation that set it.
        """

    @abstractmethod
    def now(self) -> datetime:
        """The time of this runner's clock, in UTC. It is virtual in a `rivet_runner.testing.SimulatedEngine`."""

    @property
    @abstractmethod
    def stop_reason(self) -> StopReason | None:
        """Why this generation stops, in `Runner.on_actor_stop` and afterwards. ``None`` before."""

    @property
    @abstractmethod
    def hibernating(self) -> int:
        """How many hibernating clients the gateway holds for this actor, known in `Runner.on_actor_start` already.

        It tells a room that is empty from one whose clients are only not restored yet. With protocol 7, and for a serverless
        runner, it may count clients that left while the actor slept.
        """

    @property
    @abstractmethod
    def sleep_after(self) -> float | None:
        """Seconds without work after which this generation is asked to sleep, or ``None`` to stay awake.

        It begins as the option ``sleep_after``, and you may set it at any time: the time without work begins anew then.
        Setting anything but a finite number above 0 or ``None`` is a `ValueError`.
        """

    @sleep_after.setter
    @abstractmethod
    def sleep_after(self, value: float | None) -> None: ...

    @abstractmethod
    def keep_awake(self) -> AbstractAsyncContextManager[None]:
        """Return a block for ``async with`` in which this actor does not fall asleep for being idle (``sleep_after``).

        Blocks nest. `sleep` is not kept from anything.
        """

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, keep_awake: bool = True) -> asyncio.Task[Any]:
        """Run ``coroutine`` as a background task of this actor.

        The actor is not idle (``sleep_after``) while it runs, unless ``keep_awake`` is false. It is cancelled after
        `Runner.on_actor_stop`. An exception is logged with the actor's id. Raises `RunnerShutDown` once the actor has
        stopped.
        """

    @abstractmethod
    async def broadcast(self, message: str | bytes) -> int:
        """Send ``message`` to every open WebSocket of this actor. Return the number of WebSockets that it was handed to.

        A closed socket is passed over. Waits while the runner's outgoing buffer is full, as `WebSocket.send` does, but never
        for one socket alone. Raises `PayloadTooLarge`. Cancelling is safe: some sockets may not have got the message.
        """
