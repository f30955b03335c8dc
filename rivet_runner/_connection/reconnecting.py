"""Keeps one connection to the engine for as long as the runner's life allows: every retry is decided here.

The loop is: dial (tenacity retries that, and nothing else) → hand the socket to the uplink → wait until it ends → look
the close reason up in the table → wait as long as the table and the back-off say → again. It runs as one task, which `end`
cancels wherever it stands.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from rivet_runner._connection.backoff import Backoff
from rivet_runner._connection.close_reasons import (
    RUNNER_SHUTDOWN_REASON,
    CloseAction,
    CloseReason,
    close_action,
)
from rivet_runner._connection.engine_socket import DIAL_ERRORS
from rivet_runner._connection.environment import Environment, Link
from rivet_runner._connection.reading import Reading
from rivet_runner._connection.uplink import Uplink
from rivet_runner._lifecycle import Lifecycle
from rivet_runner._session.session import Session
from rivet_runner._tasks import TaskGroup
from rivet_runner.errors import EngineRejected

__all__ = ["LinkEvents", "ReconnectLoop"]

log = logging.getLogger("rivet_runner.connection")

PING_SECONDS: Final = 3.0
"""Between two protocol pings after init; the engine counts a runner as lost without a sign of life."""

INIT_AGAIN_SECONDS: Final = 4.0
INITS_AGAIN: Final = 2
"""Now and then the engine does not answer an init: one of some thousand first ones, one of some 60 after a cut of a busy
connection. A runner would wait for `init_timeout`, and its actors are lost after 15 s, so init is sent again, so often."""

LOCAL_CLOSE: Final = 1000

_TOKEN: Final = re.compile(r"rivet_token\.[^\s,;'\"]+")
"""A proxy that answers with all that it was offered puts the token into the library's error."""


class LinkEvents(Protocol):
    """What the layer above is told. Each is called synchronously and must not raise."""

    def frame_received(self, frame: bytes) -> None: ...

    def connection_ended(self, code: int, reason: str, *, was_connected: bool) -> None:
        """A connection has ended; ``was_connected`` tells whether the engine had answered init on it."""

    def connection_finished(self, error: EngineRejected | None) -> None:
        """No further connection will be made: the engine refused this runner with ``error``, or asked it to shut down."""

    def evicted(self) -> None:
        """No further connection will be made: another runner has this one's name and key."""


class ReconnectLoop:
    """The reconnect loop: one task, from `start` to `end`."""

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
        self._backoff = Backoff(environment.random)
        self._task: asyncio.Task[Any] | None = None
        self._socket: Link | None = None
        self._init_timer: asyncio.TimerHandle | None = None
        self._ping_timer: asyncio.TimerHandle | None = None
        self._init_again_timer: asyncio.TimerHandle | None = None
        self._connected_at: float | None = None

    def start(self, tasks: TaskGroup, on_error: Callable[[BaseException], None]) -> None:
        """Connect, and connect again, in a task of ``tasks``, until the lifecycle or the engine says no.

        ``on_error`` gets what the loop raises, which it must not.
        """
        self._task = tasks.spawn(self._run(), name="connection", on_error=on_error)

    async def end(self, seconds: float) -> None:
        """End the loop wherever it stands, and with it the connection.

        The close handshake has ``seconds``; then the connection is dropped.
        """
        if self._task is None:
            return
        self._task.cancel()
        _, unfinished = await asyncio.wait([self._task], timeout=seconds)
        if unfinished:
            self.drop()
            await asyncio.wait(unfinished, timeout=seconds)

    def init_answered(self) -> None:
        """The layer above has seen the init answer: this connection counts as made."""
        self._connected_at = asyncio.get_running_loop().time()
        self._cancel_timers()
        self._schedule_ping()

    def drop(self) -> None:
        """Let go of the current connection, as if it had been lost, and make another."""
        if self._socket is not None:
            self._socket.abort()

    async def _run(self) -> None:
        """The loop. Cancelling closes the socket, if there is one, with ``pegboard.runner_shutdown``.

        That is bounded by the close timeout.
        """
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
            "cannot reach the engine at %s (%s); trying again in %.1f s. Is it running, and is RIVET_ENDPOINT right?",
            self._endpoint,
            _TOKEN.sub("rivet_token.***", str(error)) or type(error).__name__,
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
        self._init_again_timer = loop.call_later(INIT_AGAIN_SECONDS, self._send_init_again, INITS_AGAIN)
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
        """Leave in good order; the library bounds the handshake by its close timeout."""
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
            "the engine at %s accepted the connection but did not answer init within %g s; connecting anew",
            self._endpoint,
            self._init_timeout,
        )
        socket.abort()

    # What next

    def _after_close(self, code: int, text: str) -> float | None:
        """Seconds until the next dial; none where there is to be no other."""
        if not self._lifecycle.may_connect:
            return None
        reason = CloseReason.parse(text)
        action = close_action(reason)
        if action is CloseAction.EVICTED:
            self._events.evicted()
            return None
        if action is CloseAction.SHUT_DOWN:
            self._events.connection_finished(None)
            return None
        if action is CloseAction.REJECTED:
            assert reason is not None
            return self._rejected(reason)
        if action is CloseAction.RECONNECT_NOW:
            delay = self._backoff.going_away_delay() if self._backoff.failures == 0 else self._backoff.next_delay()
        else:
            delay = self._backoff.next_delay()
        log.warning("the engine connection ended (%d %s); reconnecting in %.1f s", code, text or "no reason", delay)
        return delay

    def _rejected(self, reason: CloseReason) -> float | None:
        error = EngineRejected(
            rejection_message(reason, self._endpoint),
            group=reason.group,
            error=reason.error,
            ray_id=reason.ray_id,
        )
        if not self._lifecycle.was_initialised:
            self._events.connection_finished(error)
            return None
        delay = self._backoff.slowest_delay()
        log.error("%s; it had accepted this runner before, so trying again in %.0f s", error, delay)
        return delay

    # Timers

    def _schedule_ping(self) -> None:
        if self._socket is None or not self._socket.needs_pings:
            return
        self._ping_timer = asyncio.get_running_loop().call_later(PING_SECONDS, self._ping)

    def _ping(self) -> None:
        self._session.ping(self._environment.now_ms())
        self._uplink.flush_soon()
        self._schedule_ping()

    def _send_init_again(self, times: int) -> None:
        self._session.send_init()
        self._uplink.flush_soon()
        if times > 1:
            loop = asyncio.get_running_loop()
            self._init_again_timer = loop.call_later(INIT_AGAIN_SECONDS, self._send_init_again, times - 1)

    def _cancel_timers(self) -> None:
        for timer in (self._init_timer, self._ping_timer, self._init_again_timer):
            if timer is not None:
                timer.cancel()
        self._init_timer = self._ping_timer = self._init_again_timer = None


_ADVICE: Final[dict[str, Callable[[str], str]]] = {
    "namespace.not_found": lambda endpoint: (
        f"the engine at {endpoint} has no such namespace: create it there, or correct `namespace` (RIVET_NAMESPACE)"
    ),
    "guard.missing_header": lambda endpoint: (
        f"the engine at {endpoint} wants a token and none was given: set `token` (RIVET_TOKEN)"
    ),
    "api.forbidden": lambda endpoint: f"the engine at {endpoint} refused the token: correct `token` (RIVET_TOKEN)",
    "ws.invalid_url": lambda endpoint: (
        f"the engine at {endpoint} did not understand the request: check the path in `endpoint` (RIVET_ENDPOINT)"
    ),
}


def rejection_message(reason: CloseReason, endpoint: str) -> str:
    """One sentence that says what the engine refused, where, and what to do about it."""
    advice = _ADVICE[reason.name](endpoint)
    ray = f", ray {reason.ray_id}" if reason.ray_id else ""
    return f"{advice} ({reason.name}{ray})"
