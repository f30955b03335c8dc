"""How a runner goes down: the steps, in order, once.

1. the lifecycle moves to ``DRAINING``, and from then on no connection is made
2. gracefully, and only if the engine is there: the engine is told, stops the actors one by one, and this waits until they
   are gone, for ``stop_timeout`` seconds or the grace period of a serverless pool, until the connection is lost, or until
   the shutdown is hurried. As long as actors are left, in this step and the next, the engine is kept from giving the runner
   up
3. actors that are left are stopped here
4. the connection is closed (1000 ``pegboard.runner_shutdown``), which also ends a dial or a back-off that was under way
5. ``on_shutdown``
6. every task that is left is cancelled, the lifecycle moves to ``CLOSED``, the probes are answered no more, and every waiter
   is told

One task does this, however many callers have asked. A second call, a close that races it, or a lost connection in the middle
can only *hurry* it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from rivet_runner._connection.reconnecting import ReconnectLoop
from rivet_runner._connection.uplink import Uplink
from rivet_runner._hosting.registry import ActorRegistry
from rivet_runner._hosting.stop_causes import StopCause, stop_seconds
from rivet_runner._lifecycle import Lifecycle, LifecycleEvent
from rivet_runner._session.session import Session
from rivet_runner._tasks import TaskGroup

__all__ = ["Shutdown"]

log = logging.getLogger("rivet_runner")

LOCAL_STOP_MARGIN: Final = 5.0
"""Seconds beyond ``actor_stop_timeout`` for stops of our own, as each of their steps has its own bound."""

IMMEDIATE_STOP: Final = 2.0
CLOSE_SECONDS: Final = 6.0
IMMEDIATE_CLOSE_SECONDS: Final = 1.0
HOOK_SECONDS: Final = 10.0
IMMEDIATE_HOOK_SECONDS: Final = 1.0
"""For ``on_disconnected`` and ``on_shutdown``, the last that run."""

KEEP_DRAINING_SECONDS: Final = 5.0
"""Between two messages that have the engine wait on; without them it gives a draining runner up after 15 s."""

LOST_MARGIN: Final = 2.5
"""Seconds before the engine gives a draining runner up, if its connection is lost: enough to cancel every hook by then."""

CANCEL_SECONDS: Final = 2.0
IMMEDIATE_CANCEL_SECONDS: Final = 0.2


class Shutdown:
    """The one shutdown of one runner.

    ``start_last_hook`` starts ``on_shutdown`` among ``last_hooks``. ``tasks`` are cancelled at the end, in this order.
    ``down`` is called once nothing runs any more, with the error that took the runner down, if any.
    """

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        registry: ActorRegistry,
        session: Session,
        uplink: Uplink,
        connection: ReconnectLoop,
        stop_timeout: float,
        actor_stop_timeout: float,
        last_hooks: TaskGroup,
        start_last_hook: Callable[[], None],
        tasks: Sequence[TaskGroup],
        close_monitor: Callable[[], Awaitable[None]],
        down: Callable[[BaseException | None], None],
    ) -> None:
        self._lifecycle = lifecycle
        self._registry = registry
        self._session = session
        self._uplink = uplink
        self._connection = connection
        self._stop_timeout = stop_timeout
        self._actor_stop_timeout = actor_stop_timeout
        self._last_hooks = last_hooks
        self._start_last_hook = start_last_hook
        self._tasks = tasks
        self._close_monitor = close_monitor
        self._down = down
        self._own_task = TaskGroup("shutdown", log)
        self._changed: asyncio.Event = asyncio.Event()
        self._told_at: float | None = None
        """When the engine was last told that this runner drains."""
        self.immediate = False
        self.error: BaseException | None = None
        """The error that took the runner down, unless a shutdown had been asked for before."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, *, immediate: bool, error: BaseException | None = None) -> None:
        """Ask for the shutdown. Safe at any time. ``error`` is the cause, if this call is the first."""
        if self._lifecycle.move(LifecycleEvent.SHUT_DOWN):
            self.error = error
            self.immediate = immediate
            self._own_task.spawn(self._run(), name="shutdown")
        elif immediate and not self.immediate:
            self.immediate = True
            self._registry.stop_all(StopCause.IMMEDIATE)
        self._changed.set()

    async def end_at_once(self) -> None:
        """Shut down immediately and return when that is done, however often the caller is cancelled meanwhile."""
        self.begin(immediate=True)
        cancelled = False
        while not self.closed.done():
            try:
                await asyncio.shield(self.closed)
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    def actor_stopped(self) -> None:
        """An actor has stopped: it may have been the last."""
        self._changed.set()

    def connection_ended(self) -> None:
        """The connection is gone: there is nothing to wait for."""
        self._changed.set()

    def seconds_until_lost(self, threshold: float) -> float:
        """Seconds from now, as the connection has just ended, until every actor here must be stopped.

        ``threshold`` is the engine's: it gives a runner up so many seconds after its last message. A draining runner does
        not reconnect, so nothing can run here by then.
        """
        if self._told_at is None:
            return threshold
        return max(0.0, self._told_at + threshold - LOST_MARGIN - asyncio.get_running_loop().time())

    async def _run(self) -> None:
        try:
            await self._stop_actors()
            await self._close_connection()
            await self._run_last_hook()
        except Exception:
            log.exception("the shutdown did not go as planned")
        finally:
            await self._cancel_the_rest()
            self._lifecycle.move(LifecycleEvent.DOWN)
            await self._close_monitor()
            self._down(self.error)
            self.closed.set_result(None)
            log.info("the runner is down")

    async def _stop_actors(self) -> None:
        keeping = self._own_task.spawn(self._keep_draining(), name="keep the drain open")
        try:
            await self._drain()
            await self._stop_actors_here()
        finally:
            keeping.cancel()

    async def _drain(self) -> None:
        if not self._session.connected:
            # A dial or a handshake that is under way must not come up as another runner now.
            await self._connection.end(IMMEDIATE_CLOSE_SECONDS)
            return
        self._session.stopping()
        self._told()
        if self.immediate:
            return
        seconds = stop_seconds(self._stop_timeout, threshold=None, grace=self._session.drain_grace)
        log.info("shutting down: %d actors to stop, for at most %g s", len(self._registry), seconds)
        await self._until(lambda: not self._session.connected or self.immediate, seconds)

    def _told(self) -> None:
        self._uplink.flush_soon()
        self._told_at = asyncio.get_running_loop().time()

    async def _keep_draining(self) -> None:
        """Have the engine wait for this runner's actors, for as long as the steps around it take."""
        while True:
            await asyncio.sleep(KEEP_DRAINING_SECONDS)
            if self._session.connected:
                self._session.keep_draining()
                self._told()

    async def _stop_actors_here(self) -> None:
        if not len(self._registry):
            return
        if not self.immediate:
            why = "the engine did not stop them in time" if self._session.connected else "the engine is away"
            log.warning("%d actors are stopped here, as %s", len(self._registry), why)
        self._registry.stop_all(StopCause.IMMEDIATE if self.immediate else StopCause.DRAINED)
        if not self.immediate:
            await self._until(lambda: self.immediate, self._actor_stop_timeout + LOCAL_STOP_MARGIN)
        if len(self._registry):
            self._registry.stop_all(StopCause.IMMEDIATE)
            await self._until(lambda: False, IMMEDIATE_STOP)

    async def _until(self, enough: Callable[[], bool], seconds: float) -> None:
        """Wait until there are no actors, ``enough`` says so, or the time is up."""
        deadline = asyncio.get_running_loop().time() + seconds
        while len(self._registry) and not enough():
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _close_connection(self) -> None:
        """End the reconnect loop wherever it stands."""
        seconds = IMMEDIATE_CLOSE_SECONDS if self.immediate else CLOSE_SECONDS
        if self._session.connected:
            await self._uplink.flushed(seconds / 2)
            await self._uplink.events_flushed(seconds / 2)
        await self._connection.end(seconds)

    async def _run_last_hook(self) -> None:
        seconds = IMMEDIATE_HOOK_SECONDS if self.immediate else HOOK_SECONDS
        await self._last_hooks.wait_idle(seconds)
        self._start_last_hook()
        if not await self._last_hooks.wait_idle(seconds):
            log.warning("%s did not return within %g s; cancelled", ", ".join(self._last_hooks.names), seconds)

    async def _cancel_the_rest(self) -> None:
        for group in self._tasks:
            await group.cancel_all(IMMEDIATE_CANCEL_SECONDS if self.immediate else CANCEL_SECONDS)
            group.close()
