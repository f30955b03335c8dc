"""How an actor stops: the steps, in the order that loses nothing.

There is one way to stop, for every reason. `StopCause` tells the differences: how long tasks may take, whether clients stay
connected, and which report the engine gets.

1. ``on_actor_stop``, while its WebSockets and its KV still work
2. the loops of its WebSockets end: hibernatable ones hibernate, others are closed (all of them if it is destroyed)
3. tasks of requests and WebSockets finish, within the deadline, or are cancelled
4. processed messages are stored and acknowledged
5. its background tasks are cancelled
6. everything that it sent has left for the engine, its alarm once more
7. ``Stopped`` is reported: a request without an answer at that moment would run again in the next generation
8. it is forgotten

The first six are here. `rivet_runner._hosting.generation` begins a stop, and takes the last two steps.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, Final

from rivet_runner._hosting.actor_sockets import ActorSockets
from rivet_runner._hosting.generation_state import GenerationState
from rivet_runner._hosting.services import Services
from rivet_runner._hosting.stop_causes import HURRY_SECONDS, StopCause, StopClock
from rivet_runner._tasks import TaskGroup
from rivet_runner.errors import RivetRunnerError

__all__ = ["StoppingGeneration"]

HOLDING_SECONDS: Final = 3.0
"""For messages that are held back while clients are being attached: more than the longest such hold."""

REGISTERED_SECONDS: Final = 0.25
"""From the open of a hibernatable WebSocket to ``Stopped``. The gateway (2.3.19) registers such a client up to 127 ms after
its open. If the actor slept and woke before that, the start would not list the client."""

ACKNOWLEDGEMENT_SECONDS: Final = 0.05
"""From the last acknowledgement to ``Stopped``. They take different ways to the gateway, and one that sees the stop first
takes the message for unprocessed and wakes the actor at once."""


class StoppingGeneration(GenerationState):
    """The part of a generation that takes it down."""

    __slots__ = ("_background", "_sockets")

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._sockets: ActorSockets | None = None
        self._background: TaskGroup | None = None

    @abstractmethod
    async def repeat_alarm(self, timeout: float) -> None:
        """Make sure of an alarm that is due after the actor began to go to sleep."""

    async def run_steps(self, start: asyncio.Task[Any] | None, clock: StopClock) -> None:
        """Run all steps. No step's failure keeps the next from running. ``start``: the start that is under way, if any."""
        if self.stop_cause is not None and self.cut_off:
            self.cut_off_now(self.stop_cause)
        if start is not None and not await clock.ended(start):
            start.cancel()
            await asyncio.wait([start], timeout=clock.cancel_seconds)
        if self.start_succeeded:
            await self._call_stop_hook(clock)
        if self._sockets is not None:
            self._sockets.end_all()
        await self._finish_work(clock)
        if self._sockets is not None:
            await self._store_sockets(self._sockets, clock)
        if self._background is not None:
            self._background.close()
            await self._background.cancel_all(clock.cancel_seconds)
        if not self.cut_off and not await self.services.uplink.flushed(clock.remaining_for_step):
            self.actor.log.warning("stopped before everything that it sent had left")
        if self._sockets is not None and self._sockets.acknowledged_recently:
            await asyncio.sleep(ACKNOWLEDGEMENT_SECONDS)
        if self._sockets is not None and not self.cut_off and not self.destroyed:
            await asyncio.sleep(self._sockets.opened_at + REGISTERED_SECONDS - asyncio.get_running_loop().time())
        if not self.cut_off and not self.destroyed:
            await self.repeat_alarm(clock.remaining_for_step)

    def end_all(self) -> None:
        """Nothing of this generation goes on, also if the stop itself was cancelled before its last step."""
        for group in (self._work, self._background):
            if group is not None:
                group.cancel()
        if self._sockets is not None:
            self._sockets.close()
        self.kv_store.close("this generation of the actor has stopped")

    async def _call_stop_hook(self, clock: StopClock) -> None:
        async def call() -> None:
            await self.services.hooks.on_actor_stop(self.actor)

        task = self.services.tasks.spawn(
            call(),
            name=f"actor {self.actor.id}: on_actor_stop",
            on_error=lambda error: self.actor.log.error(
                "on_actor_stop raised; the actor stops all the same", exc_info=error
            ),
        )
        if not await clock.ended(task, at_least=HURRY_SECONDS):
            self.actor.log.warning("on_actor_stop did not return in time; it is cancelled")
            task.cancel()
            await asyncio.wait([task], timeout=clock.cancel_seconds)

    async def _finish_work(self, clock: StopClock) -> None:
        """Let requests and handlers finish. After a hook that took all the time, they get a moment of their own."""
        if not self._work:
            return
        idle = self.services.tasks.spawn(self._work.wait_idle(), name=f"actor {self.actor.id}: finish")
        if not await clock.ended(idle, at_least=clock.cancel_seconds):
            self.actor.log.warning("%d requests or WebSocket handlers did not finish in time; cancelled", len(self._work))
            await self._work.cancel_all(clock.cancel_seconds)
        idle.cancel()

    async def _store_sockets(self, sockets: ActorSockets, clock: StopClock) -> None:
        holding = min(clock.remaining_for_step, HOLDING_SECONDS)
        await self._bounded(sockets.released(), holding, "messages held back for a WebSocket did not leave in time")
        sockets.release()
        if not self.cut_off and not self.destroyed:  # a destroyed actor has no records, nor a store
            await self._bounded(sockets.flush(), clock.remaining_for_step, "the hibernation records were not stored")

    async def _bounded(self, step: Coroutine[Any, Any, None], seconds: float, failure: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step
        except TimeoutError:
            self.actor.log.error("%s: no time left", failure)
        except RivetRunnerError as error:
            self.actor.log.error("%s: %s", failure, error)
        except Exception:
            self.actor.log.exception("%s", failure)

    def cut_off_now(self, cause: StopCause) -> None:
        """The engine does not listen any more: end everything that would wait for it."""
        self.kv_store.close(cause.value)
        if self._sockets is not None:
            self._sockets.end_all()
            self._sockets.close()  # another runner may have the clients and write the records by now
