"""The actor as a hook sees it."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Final

from rivet_runner.kv import KV
from rivet_runner.websocket import WebSocket

__all__ = ["Actor", "ActorLog"]

_log: Final = logging.getLogger("rivet_runner.actor")

ActorLog = logging.LoggerAdapter[logging.Logger]


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
    def sleep(self) -> None:
        """Ask the engine to put this actor to sleep.

        The engine answers with a stop within some 50 ms, and `Runner.on_actor_stop` follows. The actor's KV stays, and so do
        its hibernating WebSockets. A request, a message on such a WebSocket or an alarm wakes it. Calling it again, or after
        `destroy`, changes nothing.
        """

    @abstractmethod
    def destroy(self) -> None:
        """Ask the engine to end this actor for good: its KV is deleted and its id is not used again."""

    def set_alarm(self, when: datetime | None) -> None:
        """Wake this actor at ``when``, an aware datetime, if it is asleep then. ``None`` clears the alarm.

        An actor has one alarm. Setting it replaces the one before, and a new generation keeps it. The alarm has no effect
        while the actor is awake. Raises `ValueError` for a naive datetime, whose meaning would depend on the machine.
        """
        if when is not None and not isinstance(when, datetime):
            raise TypeError(f"set_alarm takes an aware datetime or None, not {type(when).__name__}")
        if when is not None and when.utcoffset() is None:
            raise ValueError("set_alarm needs an aware datetime, for example datetime.now(UTC) + timedelta(minutes=5)")
        self._set_alarm_ms(None if when is None else int(when.timestamp() * 1000))

    @abstractmethod
    def _set_alarm_ms(self, when_ms: int | None) -> None: ...

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``coroutine`` as a background task of this actor.

        It is cancelled after `Runner.on_actor_stop`. An exception is logged with the actor's id. Raises `RunnerShutDown`
        once the actor has stopped.
        """

    @abstractmethod
    async def broadcast(self, message: str | bytes) -> int:
        """Send ``message`` to every open WebSocket of this actor. Return the number of WebSockets that it was handed to.

        A closed socket is passed over. Waits while the runner's outgoing buffer is full, as `WebSocket.send` does, but never
        for one socket alone. Raises `PayloadTooLarge`. Cancelling is safe: some sockets may not have got the message.
        """
