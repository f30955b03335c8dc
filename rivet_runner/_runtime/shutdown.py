"""How a runner goes down: the steps, in order, once.

1. the lifecycle moves to ``DRAINING``; from then on nobody reconnects
2. gracefully, and only if the engine is there: it is told, stops the actors one by one, and this waits until they are gone,
   for ``stop_timeout`` seconds, until the connection is lost, or until somebody is in a hurry
3. actors that are left are stopped here
4. the connection is closed (1000 ``pegboard.runner_shutdown``), which also ends a dial or a back-off that was under way
5. ``on_shutdown``
6. every task that is left is cancelled; the lifecycle moves to ``CLOSED``; whoever waits is told

There is one task that does this, whoever and however many asked. A second call, a close that races it, a lost connection in
the middle can only *hurry* it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rivet_runner._hosting.stopping import StopReason
from rivet_runner._lifecycle import LifecycleEvent
from rivet_runner._tasks import TaskGroup

if TYPE_CHECKING:
    from rivet_runner._runtime.core import Core

__all__ = ["Shutdown"]

log = logging.getLogger("rivet_runner")

LOCAL_STOP_MARGIN: Final = 5.0
"""Seconds beyond ``actor_stop_timeout`` for stops of our own; each of their steps has its own bound."""

IMMEDIATE_STOP: Final = 2.0
CLOSE_SECONDS: Final = 6.0
IMMEDIATE_CLOSE_SECONDS: Final = 1.0
HOOK_SECONDS: Final = 10.0
IMMEDIATE_HOOK_SECONDS: Final = 1.0
"""For ``on_disconnected`` and ``on_shutdown``, the last that run."""

CANCEL_SECONDS: Final = 2.0
IMMEDIATE_CANCEL_SECONDS: Final = 0.2


class Shutdown:
    """The one shutdown of one runner."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.immediate = False
        self.error: BaseException | None = None
        self._tasks = TaskGroup("shutdown", log)
        self._changed: asyncio.Event = asyncio.Event()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, *, immediate: bool, error: BaseException | None = None) -> None:
        """Ask for the shutdown; safe at any time. ``error`` is what took the runner down, if nobody had asked before."""
        core = self._core
        if core.lifecycle.move(LifecycleEvent.SHUT_DOWN):
            self.error = error
            self.immediate = immediate
            self._tasks.spawn(self._run(), name="shutdown")
        elif immediate and not self.immediate:
            self.immediate = True
            core.registry.stop_all(StopReason.IMMEDIATE)
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
        self._changed.set()

    def connection_ended(self) -> None:
        self._changed.set()

    async def _run(self) -> None:
        core = self._core
        try:
            await self._drain()
            await self._stop_actors_here()
            await self._close_connection()
            await self._run_last_hook()
        except Exception:
            log.exception("the shutdown did not go as planned")
        finally:
            await self._cancel_the_rest()
            core.lifecycle.move(LifecycleEvent.DOWN)
            core.down(self.error)
            self.closed.set_result(None)
            log.info("the runner is down")

    async def _drain(self) -> None:
        core = self._core
        if not core.session.connected:
            # A dial or a handshake that is under way must not come up as another runner now.
            await core.connection.end(IMMEDIATE_CLOSE_SECONDS)
            return
        core.session.stopping()
        core.uplink.flush_soon()
        if self.immediate:
            return
        actors = len(core.registry)
        log.info("shutting down: %d actors to stop, for at most %g s", actors, core.config.stop_timeout)
        await self._until(lambda: not core.session.connected or self.immediate, core.config.stop_timeout)

    async def _stop_actors_here(self) -> None:
        core = self._core
        if not len(core.registry):
            return
        if not self.immediate:
            why = "the engine did not stop them in time" if core.session.connected else "the engine is away"
            log.warning("%d actors are stopped here, as %s", len(core.registry), why)
        core.registry.stop_all(StopReason.IMMEDIATE if self.immediate else StopReason.DRAINED)
        if not self.immediate:
            seconds = core.config.actor_stop_timeout + LOCAL_STOP_MARGIN
            await self._until(lambda: self.immediate, seconds)
        if len(core.registry):
            core.registry.stop_all(StopReason.IMMEDIATE)
            await self._until(lambda: False, IMMEDIATE_STOP)

    async def _until(self, enough: Callable[[], bool], seconds: float) -> None:
        """Wait until there are no actors, ``enough`` says so, or the time is up."""
        core = self._core
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while len(core.registry) and not enough():
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _close_connection(self) -> None:
        """Ends the connection's task wherever it stands."""
        seconds = IMMEDIATE_CLOSE_SECONDS if self.immediate else CLOSE_SECONDS
        if self._core.session.connected:
            await self._core.uplink.flushed(seconds / 2)
            await self._core.uplink.events_flushed(seconds / 2)
        await self._core.connection.end(seconds)

    async def _run_last_hook(self) -> None:
        core, seconds = self._core, IMMEDIATE_HOOK_SECONDS if self.immediate else HOOK_SECONDS
        await core.last_hooks.wait_idle(seconds)
        core.run_hook(core.runner.on_shutdown, "on_shutdown", core.last_hooks)
        if not await core.last_hooks.wait_idle(seconds):
            log.warning("%s did not return within %g s; cancelled", ", ".join(core.last_hooks.names), seconds)

    async def _cancel_the_rest(self) -> None:
        for group in (self._core.actor_tasks, self._core.tasks, self._core.last_hooks):
            await group.cancel_all(IMMEDIATE_CANCEL_SECONDS if self.immediate else CANCEL_SECONDS)
            group.close()
