"""The reconnect loop: it keeps one connection to the engine while the lifecycle allows it, and decides about every retry.

::

                  dialled                 init answered
    DIALLING ───────────────► HANDSHAKING ─────────────► CONNECTED
        ▲                          │ closed, lost,           │ closed,
        │ the delay is over        ▼ or no answer            ▼ or lost
        └─────────────────── BACKING OFF ◄───────────────────┘

* ``DIALLING``: tenacity retries the dial, and nothing else, with the delays of `Backoff`.
* ``HANDSHAKING``: the loop sends init, and sends it again twice. After ``init_timeout`` it drops the connection.
* ``CONNECTED``: the loop sends pings until the connection ends.
* ``BACKING OFF``: the delay follows from the close reason and from `Backoff`.

The loop is one task. It ends after a close reason that forbids another connection, or when the lifecycle does not allow
another one. `ReconnectLoop.end` ends it in any state.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from rivet_runner._connection.backoff import FIRST_DELAY, Backoff
from rivet_runner._connection.close_reasons import (
    RUNNER_SHUTDOWN_REASON,
    CloseAction,
    CloseReason,
    close_action,
    rejection_message,
)
from rivet_runner._connection.engine_socket import DIAL_ERRORS
from rivet_runner._connection.environment import Environment, Link
from rivet_runner._connection.reading import Reading
from rivet_runner._connection.subprotocols import without_token
from rivet_runner._connection.uplink import Uplink
from rivet_runner._lifecycle import Lifecycle
from rivet_runner._session.session import Session
from rivet_runner._tasks import TaskGroup
from rivet_runner.errors import EngineRejected

__all__ = ["LinkEvents", "ReconnectLoop"]

log = logging.getLogger("rivet_runner.connection")

PING_SECONDS: Final = 3.0
"""Seconds between two protocol pings after init. The engine counts a runner without a sign of life as lost."""

INIT_RETRY_SECONDS: Final = 4.0
MAX_INIT_RETRIES: Final = 2
"""About one first init in 1,000 gets no answer from the engine, and about one in 60 after a busy connection was cut. Without
a retry the runner would wait for ``init_timeout``, but its actors are lost after 15 s. So it sends init again after 4 and 8
seconds."""

LOCAL_CLOSE: Final = 1000


class LinkEvents(Protocol):
    """The calls to the layer above. They are synchronous, and must not raise."""

    def frame_received(self, frame: bytes) -> None:
        """The engine has sent a message."""

    def connection_ended(self, code: int, reason: str, *, was_connected: bool) -> None:
        """A connection has ended. ``was_connected`` tells whether the engine had answered init on it."""

    def rejected(self, error: EngineRejected) -> None:
        """The loop has ended, because the engine rejected this runner."""

    def told_to_shut_down(self) -> None:
        """The loop has ended, because the engine asked this runner to shut down."""

    def evicted(self) -> None:
        """The loop has ended, because another runner has taken this one's name and key."""


class ReconnectLoop:
    """Keeps one connection to the engine, in one task from `start` to `end`."""

    def __init__(
        self,
        *,
        url: str,
        endpoint: str,
        subprotocols: list[str],
        init_timeout: float,
        environment: Environment,
        lifecycle: Lifecycle,
        session: Session,
        uplink: Uplink,
        reading: Reading,
        events: LinkEvents,
    ) -> None:
        self._url = url
        self._endpoint = endpoint
        self._subprotocols = subprotocols
        self._init_timeout = init_timeout
        self._environment = environment
        self._lifecycle = lifecycle
        self._session = session
        self._uplink = uplink
        self._reading = reading
        self._events = events
        self._backoff = Backoff(environment.random, FIRST_DELAY)
        self._task: asyncio.Task[Any] | None = None
        self._socket: Link | None = None
        self._init_timer: asyncio.TimerHandle | None = None
        self._ping_timer: asyncio.TimerHandle | None = None
        self._init_retry_timer: asyncio.TimerHandle | None = None
        self._connected_at: float | None = None

    def start(self, tasks: TaskGroup, on_error: Callable[[BaseException], None]) -> None:
        """Begin to connect, in a task of ``tasks``. ``on_error`` gets an error that ends the loop, which is a bug."""
        self._task = tasks.spawn(self._run(), name="connection", on_error=on_error)

    async def end(self, seconds: float) -> None:
        """End the loop in any state, and close the connection.

        If the close handshake takes longer than ``seconds``, the connection is dropped.
        """
        if self._task is None:
            return
        self._task.cancel()
        _, unfinished = await asyncio.wait([self._task], timeout=seconds)
        if unfinished:
            self.drop()
            await asyncio.wait(unfinished, timeout=seconds)

    def init_answered(self) -> None:
        """The engine has answered init on this connection: stop the init timers, and begin to ping."""
        self._connected_at = asyncio.get_running_loop().time()
        self._cancel_timers()
        self._schedule_ping()

    def drop(self) -> None:
        """Drop the current connection, as if it had been lost. The loop makes another."""
        if self._socket is not None:
            self._socket.abort()

    async def _run(self) -> None:
        """The loop. Cancelling closes the connection with ``pegboard.runner_shutdown``, within the close timeout."""
        while self._lifecycle.may_connect:
            socket = await self._dial()
            code, reason = await self._serve(socket)
            delay = self._after_close(code, reason)
            if delay is None:
                return
            await asyncio.sleep(delay)

    # Dialling

    async def _dial(self) -> Link:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(DIAL_ERRORS),
            wait=self._backoff,
            sleep=asyncio.sleep,
            before_sleep=self._log_failed_dial,
            reraise=True,
        ):
            with attempt:
                return await self._environment.dial(self._url, self._subprotocols, self._events.frame_received)
        raise AssertionError("tenacity gives up only when told to")

    def _log_failed_dial(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        delay = state.next_action.sleep if state.next_action is not None else 0.0
        log.warning(
            "cannot reach the engine at %s (%s): retrying in %.1f s. Is it running, and is RIVET_ENDPOINT right?",
            self._endpoint,
            without_token(str(error)) or type(error).__name__,
            delay,
        )

    # One connection

    async def _serve(self, socket: Link) -> tuple[int, str]:
        self._socket, self._connected_at = socket, None
        self._session.connection_opened()
        self._uplink.attach(socket)
        self._reading.attach(socket)
        loop = asyncio.get_running_loop()
        self._init_timer = loop.call_later(self._init_timeout, self._init_timed_out, socket)
        self._init_retry_timer = loop.call_later(INIT_RETRY_SECONDS, self._retry_init, MAX_INIT_RETRIES)
        code, reason = LOCAL_CLOSE, RUNNER_SHUTDOWN_REASON
        try:
            code, reason = await socket.wait_ended()
        except asyncio.CancelledError:
            await self._close(socket)
            raise
        finally:
            self._ended(code, reason)
        return code, reason

    async def _close(self, socket: Link) -> None:
        """Send the last messages and close. The library bounds the handshake by its close timeout."""
        self._uplink.flush_now()
        try:
            await socket.close(LOCAL_CLOSE, RUNNER_SHUTDOWN_REASON)
        finally:
            socket.abort()

    def _ended(self, code: int, reason: str) -> None:
        self._cancel_timers()
        self._uplink.detach()
        self._reading.detach()
        self._session.connection_lost()
        if self._connected_at is not None and self._socket is not None:
            seconds = asyncio.get_running_loop().time() - self._connected_at
            self._backoff.lasted(seconds, self._socket.messages_received)
        self._socket = None
        self._events.connection_ended(code, reason, was_connected=self._connected_at is not None)

    def _init_timed_out(self, socket: Link) -> None:
        log.warning(
            "the engine at %s accepted the connection but did not answer init within %g s: reconnecting",
            self._endpoint,
            self._init_timeout,
        )
        socket.abort()

    # After a connection

    def _after_close(self, code: int, text: str) -> float | None:
        """Seconds until the next dial, or ``None`` if the loop is to end."""
        reason = CloseReason.parse(text)
        action = close_action(reason)
        if action is CloseAction.EVICTED:
            self._events.evicted()
            return None
        if not self._lifecycle.may_connect:
            return None
        if action is CloseAction.SHUT_DOWN:
            self._events.told_to_shut_down()
            return None
        if action is CloseAction.REJECTED:
            assert reason is not None
            return self._rejected(reason)
        if action is CloseAction.RECONNECT_NOW:
            delay = self._backoff.going_away_delay() if self._backoff.failures == 0 else self._backoff.next_delay()
        else:
            delay = self._backoff.next_delay()
        log.warning("the connection to the engine ended (%d %s): reconnecting in %.1f s", code, text or "no reason", delay)
        return delay

    def _rejected(self, reason: CloseReason) -> float | None:
        error = EngineRejected(
            rejection_message(reason, self._endpoint),
            group=reason.group,
            error=reason.error,
            ray_id=reason.ray_id,
        )
        if not self._lifecycle.was_initialised:
            self._events.rejected(error)
            return None
        delay = self._backoff.slowest_delay()
        log.error("%s (it had accepted this runner before, so retrying in %.0f s)", error, delay)
        return delay

    # Timers

    def _schedule_ping(self) -> None:
        if self._socket is None or not self._socket.needs_pings:
            return
        self._ping_timer = asyncio.get_running_loop().call_later(PING_SECONDS, self._ping)

    def _ping(self) -> None:
        self._session.keep_alive(self._environment.now_ms())
        self._uplink.flush_soon()
        self._schedule_ping()

    def _retry_init(self, times: int) -> None:
        self._session.send_init()
        self._uplink.flush_soon()
        if times > 1:
            loop = asyncio.get_running_loop()
            self._init_retry_timer = loop.call_later(INIT_RETRY_SECONDS, self._retry_init, times - 1)

    def _cancel_timers(self) -> None:
        for timer in (self._init_timer, self._ping_timer, self._init_retry_timer):
            if timer is not None:
                timer.cancel()
        self._init_timer = self._ping_timer = self._init_retry_timer = None
