"""The way up: the messages of the layers above leave here, in one write for each turn of the event loop.

Senders never touch the socket. They put messages into the session and ask for a flush. The flush runs at the end of the
turn, asks the session for all messages that may leave, and writes them together. So a hundred replies of one turn cost one
write, and the session alone decides about the order on the wire. The replies of handlers that a read has resumed leave at
the end of that read: see `rivet_runner._connection.reading`.

Back-pressure has one form for three causes. If the engine is unreachable, the transport's buffer is full, or the pace holds
messages back, the outbox fills up. Then `send` waits, first come, first served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from rivet_runner._connection.environment import Link
from rivet_runner._session.dialect import ActorEvent
from rivet_runner._session.outbox import Mark
from rivet_runner._session.session import Session
from rivet_runner.errors import RunnerShutDown
from rivet_runner.protocol.messages import ToServerTunnelMessage

__all__ = ["Uplink"]

log = logging.getLogger("rivet_runner.connection")

EVENT_BACKLOG_WARNING: Final = 10_000
"""Number of events without a confirmation that should have one, or that could not be sent, at which a warning is logged."""


class Uplink:
    """Sends everything that goes to the engine, over every connection of a runner in turn."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._encode = session.encode
        self._offer = session.offer
        self._loop = asyncio.get_running_loop()
        self._socket: Link | None = None
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[asyncio.Future[None], Callable[[], None]]] = deque()
        self._leaving: list[tuple[asyncio.Future[None], Mark]] = []
        self._events_leaving: list[asyncio.Future[None]] = []
        self._backlog_warned = False
        self._gone = asyncio.Event()
        self.connection_number: int = 0
        """Number of connections so far. Compare two readings to find out whether the runner has reconnected in between."""

    # The connection's edges

    def attach(self, socket: Link) -> None:
        """A connection is open: send the session's messages for it."""
        self._socket = socket
        self._gone.clear()
        self.connection_number += 1
        socket.on_writable(self.flush_soon)
        self.flush_soon()

    def detach(self) -> None:
        """The connection is gone: keep messages from now on."""
        self._socket = None
        self._gone.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_connected(self) -> bool:
        """Whether a connection is there, and its init was answered."""
        return self._session.connected

    def is_on(self, connection_number: int) -> bool:
        """Whether the connection with this number is still there, and its init was answered."""
        return self.is_connected and self.connection_number == connection_number

    async def lost(self, timeout: float) -> None:
        """Wait until the connection is lost, for ``timeout`` seconds at most. Cancelling is safe."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._gone.wait()

    # For the layers above

    def report(self, actor_id: str, generation: int, event: ActorEvent) -> None:
        """Report an event of an actor to the engine, now or after the next init."""
        self._session.report(actor_id, generation, event)
        self._watch_backlog()
        self.flush_soon()

    async def send(self, message: ToServerTunnelMessage) -> None:
        """Hand over a tunnel message. If the outbox is full, wait, in the order of the calls.

        When this returns, the message may not have left yet. Cancelling is safe: the message is either handed over, or not
        sent at all. Raises `RunnerShutDown` if the runner goes down meanwhile.
        """
        if (room := self.post(message)) is not None:
            await room

    def post(self, message: ToServerTunnelMessage) -> Coroutine[Any, Any, None] | None:
        """Do as `send`, but return its wait, which must be awaited at once. ``None``: there is nothing to wait for."""
        frame, gateway = self._encode(message), message.message_id.gateway_id
        if self._waiting or not self._offer(gateway, frame):
            return self._wait_for_room(partial(self._session.queue, gateway, frame))
        if not self._flush_due:
            self.flush_soon()
        return None

    async def send_answer(self, message: ToServerTunnelMessage) -> None:
        """Hand over an HTTP answer as `send` does. It is sent again if the connection breaks soon after it has left."""
        if self.congested:
            frame = self._encode(message)
            await self._wait_for_room(partial(self._session.queue_answer, message.message_id.gateway_id, frame))
        else:
            self.answer_now(message)

    async def _wait_for_room(self, queue: Callable[[], None]) -> None:
        turn = self._loop.create_future()
        entry = (turn, queue)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with contextlib.suppress(ValueError):  # `_admit` may have skipped it already
                    self._waiting.remove(entry)
            raise

    def send_now(self, message: ToServerTunnelMessage) -> None:
        """Hand over a small tunnel message (an open, a close, an acknowledgement) without waiting, beyond the bound.

        Each request has a fixed number of these, so they do not grow without bound.
        """
        self._session.queue(message.message_id.gateway_id, self._encode(message))
        self.flush_soon()

    def answer_now(self, message: ToServerTunnelMessage) -> None:
        """Hand over a small HTTP answer without waiting, beyond the bound. It is sent again as that of `send_answer`."""
        self._session.queue_answer(message.message_id.gateway_id, self._encode(message))
        self.flush_soon()

    @property
    def mark(self) -> Mark:
        """The place behind every tunnel message that was handed over so far."""
        return self._session.mark

    @property
    def congested(self) -> bool:
        """Whether `send` would wait."""
        return self._session.outbox_full or bool(self._waiting)

    async def flushed(self, timeout: float | None) -> bool:
        """Wait until the socket has every tunnel message that was handed over so far.

        Returns ``False`` after ``timeout`` seconds. With ``None`` it waits without limit. Cancelling is safe.
        """
        mark = self._session.mark
        if self._session.flushed(mark):
            return True
        future = self._loop.create_future()
        entry = (future, mark)
        self._leaving.append(entry)
        self.flush_soon()
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            if entry in self._leaving:
                self._leaving.remove(entry)
        return True

    async def events_flushed(self, timeout: float) -> bool:
        """Wait until every event that was reported so far was sent.

        Returns ``False`` after ``timeout`` seconds. Cancelling is safe.
        """
        if not self._session.events_pending:
            return True
        waiter = self._loop.create_future()
        self._events_leaving.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._events_leaving.remove(waiter)
        return True

    def flush_soon(self) -> None:
        """Flush at the end of this turn of the event loop."""
        if not self._flush_due and self._socket is not None:
            self._flush_due = True
            self._loop.call_soon(self.flush_now)

    def hold(self) -> None:
        """Let `flush_soon` schedule nothing until `release`. Flush after that."""
        self._flush_due = True

    def release(self) -> None:
        """End a `hold`."""
        self._flush_due = False

    def flush_now(self) -> None:
        """Send all messages that may leave, without waiting for the end of the turn."""
        self._flush_due = False
        socket = self._socket
        if socket is None or not socket.is_open or socket.congested:
            return  # a new connection or the drained buffer asks again
        now = self._loop.time()
        frames = self._session.data_to_send(now)
        if frames:
            socket.send_frames(frames)
        if self._waiting or self._leaving or self._events_leaving:
            self._admit()
        wait = self._session.wait(now)
        if wait is not None:
            self._flush_later(wait)

    # Inside

    def _flush_later(self, seconds: float) -> None:
        """Flush again in a while, because the session holds messages back."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        if self._session.give_up_waiting(self._loop.time()):
            log.warning("the engine has taken no message for a long time: sending on, so messages may be lost")
        self.flush_soon()

    def _admit(self) -> None:
        """Let waiting senders in while there is room. Wake the callers of `flushed` and `events_flushed` that are done."""
        while self._waiting and not self._session.outbox_full:
            turn, queue = self._waiting.popleft()
            if turn.done():
                continue
            queue()
            turn.set_result(None)
            self.flush_soon()
        if not self._session.events_pending:
            for waiter in self._events_leaving:
                if not waiter.done():
                    waiter.set_result(None)
        if self._leaving:
            for future, mark in self._leaving:
                if self._session.flushed(mark) and not future.done():
                    future.set_result(None)

    def outbox_dropped(self) -> None:
        """The session has dropped the outbox, because the engine forgot this runner: wake its senders and waiters."""
        self._admit()

    def close(self) -> None:
        """The runner is down: end the senders that still wait for room. Their messages are not sent."""
        while self._waiting:
            turn = self._waiting.popleft()[0]
            if not turn.done():
                turn.set_exception(RunnerShutDown("the runner shut down before there was room for the message"))

    def _watch_backlog(self) -> None:
        overdue = self._session.overdue_events
        if overdue < EVENT_BACKLOG_WARNING:
            self._backlog_warned = False
            return
        if not self._backlog_warned:
            self._backlog_warned = True
            log.warning("the engine has not confirmed %d events", overdue)
        if self._session.wants_new_init and self._socket is not None:
            log.error("the engine has not confirmed %d events: reconnecting, to learn which ones it has", overdue)
            self._socket.abort()
