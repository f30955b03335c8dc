"""The actor as a hook sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rivet_runner.kv import KV

if TYPE_CHECKING:
    from rivet_runner._hosting.generation import Generation
    from rivet_runner.protocol.wire import ActorConfig
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


class Actor:
    """One generation of one actor: from its start until it sleeps, stops, moves or is lost.

    ``id`` is the same over all generations; ``generation`` counts them, from 0. ``name`` and ``key`` are what it was created
    with, and ``input`` is what its creator gave it. ``create_ts`` is in milliseconds since the epoch, as the engine (2.3.19)
    gives it: when this generation was created. ``kv`` is its durable
    store. ``state`` is yours: put there what the actor keeps in memory; it lives as long as this generation.
    """

    __slots__ = ("_host", "_log", "create_ts", "generation", "id", "input", "key", "kv", "name", "state")

    def __init__(self, actor_id: str, generation: int, config: ActorConfig, kv: KV, host: Generation) -> None:
        self.id = actor_id
        self.generation = generation
        self.name = config.name
        self.key = config.key
        self.create_ts = config.create_ts
        self.input = config.input
        self.kv = kv
        self.state: Any = None
        self._host = host
        self._log: ActorLog | None = None

    def __repr__(self) -> str:
        return f"<Actor {self.name!r} {self.id} generation {self.generation}, {self._host.phase.value}>"

    @property
    def log(self) -> ActorLog:
        """A logger, ``rivet_runner.actor``, whose messages carry the actor's id."""
        if self._log is None:
            self._log = _IdAdapter(_log, {"actor_id": self.id, "generation": self.generation})
        return self._log

    @property
    def websockets(self) -> tuple[WebSocket, ...]:
        """The WebSockets that are open now."""
        return self._host.open_websockets()

    def sleep(self) -> None:
        """Ask the engine to put this actor to sleep.

        The engine answers with a stop within some 50 ms, and `Runner.on_actor_stop` follows. Its KV stays, and so do its
        hibernating WebSockets. A request, a message on such a WebSocket or an alarm wakes it. Calling it again, or after
        `destroy`, changes nothing.
        """
        self._host.ask_to_sleep()

    def destroy(self) -> None:
        """Ask the engine to end this actor for good: its KV is deleted and its id is not used again."""
        self._host.ask_to_destroy()

    def set_alarm(self, when: datetime | None) -> None:
        """Wake this actor at ``when``, an aware datetime, if it is asleep then; none clears the alarm.

        An actor has one alarm; setting it replaces the one before, and a new generation keeps it. One that is awake at that
        time is told nothing. Raises `ValueError` for a naive datetime, whose meaning would depend on the machine.
        """
        if when is not None and not isinstance(when, datetime):
            raise TypeError(f"set_alarm takes an aware datetime or None, not {type(when).__name__}")
        if when is not None and when.utcoffset() is None:
            raise ValueError("set_alarm needs an aware datetime, for example datetime.now(UTC) + timedelta(minutes=5)")
        self._host.set_alarm(None if when is None else int(when.timestamp() * 1000))

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``coroutine`` as a background task of this actor.

        It is cancelled after `Runner.on_actor_stop`; what it raises is logged with the actor's id. Raises `RunnerShutDown`
        once the actor has stopped.
        """
        return self._host.spawn(coroutine)

    async def broadcast(self, message: str | bytes) -> int:
        """Send ``message`` to every open WebSocket of this actor; return to how many it was handed.

        A closed socket is passed over. Waits while the runner's outgoing buffer is full, as `WebSocket.send` does, but never
        for one socket alone. Raises `PayloadTooLarge`. Cancelling is safe: some sockets may not have got the message.
        """
        return await self._host.broadcast(message)
