"""How an actor stops: the steps, in the order that loses nothing.

1. ``on_actor_stop``, while its WebSockets and its KV still work
2. the loops of its WebSockets end: hibernatable ones hibernate, others are closed (all of them, where it is destroyed)
3. what runs for requests and WebSockets finishes, within the deadline; then it is cancelled
4. what was processed is stored and acknowledged
5. its background tasks are cancelled
6. everything that it sent has left for the engine, its alarm once more
7. ``Stopped`` is reported: a request without an answer at that moment would run again in the next generation
8. it is forgotten
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from rivet_runner.errors import RivetRunnerError
from rivet_runner.protocol.wire import ActorStateStopped, StopCode

if TYPE_CHECKING:
    from rivet_runner._hosting.generation import Generation

__all__ = ["HURRY_SECONDS", "StopClock", "StopReason", "stop_actor"]

HURRY_SECONDS: Final = 0.5
"""For each step of a stop that does not wait: enough for a hook that writes what it has, and about a second in all."""

CANCEL_SECONDS: Final = 1.0
HURRIED_CANCEL_SECONDS: Final = 0.2
"""For a cancelled task to clean up."""


HOLDING_SECONDS: Final = 3.0
"""For what is held back while clients are being attached; more than the longest such hold."""

ACKNOWLEDGEMENT_SECONDS: Final = 0.05
"""From the last acknowledgement to ``Stopped``. They take different ways to the gateway, and one that sees the stop first
takes the message for unprocessed and wakes the actor at once."""


class StopReason(enum.Enum):
    """Why an actor generation ends."""

    ASLEEP = "it asked to sleep"
    DESTROYED = "it is destroyed"
    CRASHED = "its start failed"
    REPLACED = "a newer generation starts here"
    DRAINED = "the runner shuts down"
    IMMEDIATE = "the runner shuts down at once"
    LOST = "the engine has been away for longer than it keeps a runner's actors"
    FORGOTTEN = "the engine has forgotten this runner"

    @property
    def hurries(self) -> bool:
        """Whether its tasks get no time to finish."""
        return self is StopReason.IMMEDIATE

    @property
    def cut_off(self) -> bool:
        """Whether the engine does not listen to this generation any more."""
        return self in (StopReason.LOST, StopReason.FORGOTTEN)


class StopClock:
    """The deadline of one stop. It can be moved forward while somebody waits for it."""

    def __init__(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._moved: asyncio.Future[None] | None = None
        self.cancel_seconds = CANCEL_SECONDS

    @property
    def remaining(self) -> float:
        """Seconds, never negative."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    def hurry(self, seconds: float) -> None:
        """Leave ``seconds`` from now on, unless it is less already, and less for what is cancelled."""
        self.cancel_seconds = HURRIED_CANCEL_SECONDS
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + seconds)
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)

    async def ended(self, task: asyncio.Task[Any], *, at_least: float = 0.0) -> bool:
        """Wait for ``task`` until the deadline, but ``at_least`` this many seconds; return whether it has ended."""
        loop = asyncio.get_running_loop()
        earliest = loop.time() + at_least
        while not task.done():
            timeout = max(self._deadline, earliest) - loop.time()
            if timeout <= 0:
                return False
            self._moved = loop.create_future()
            await asyncio.wait({task, self._moved}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return True


async def stop_actor(host: Generation, start: asyncio.Task[Any] | None, error: str | None) -> None:
    """Run all steps. No step's failure keeps the next from running. ``start``: the start that is under way, if any."""
    clock = host.stop_clock
    assert clock is not None
    if host.cut_off:
        host.cut()
    if start is not None and not await clock.ended(start):
        start.cancel()
        await asyncio.wait([start], timeout=clock.cancel_seconds)
    if host.start_succeeded:
        await _call_stop_hook(host, clock)
    for ws in [*host.sockets.values()]:
        host.end_socket(ws)
    await _finish_work(host, clock)
    holding = min(max(clock.remaining, HURRY_SECONDS), HOLDING_SECONDS)
    await _bounded(host, host.released(), holding, "what was held for a WebSocket did not leave in time")
    if not host.cut_off and not host.destroyed:  # a destroyed actor has no records, nor a store
        seconds = max(clock.remaining, HURRY_SECONDS)
        await _bounded(host, _flush(host), seconds, "the hibernation records were not stored")
    if host.background is not None:
        host.background.close()
        await host.background.cancel_all(clock.cancel_seconds)
    if not host.cut_off and not await host.uplink.flushed(max(clock.remaining, HURRY_SECONDS)):
        host.actor.log.warning("stopped before everything that it sent had left")
    if host._journal is not None and host._journal.acknowledged_recently:
        await asyncio.sleep(ACKNOWLEDGEMENT_SECONDS)
    if not host.cut_off and not host.destroyed:
        await host.repeat_alarm(max(clock.remaining, HURRY_SECONDS))
    if host._journal is not None:
        host._journal.close()
    host.actor.kv._close("this generation of the actor has stopped")
    _report(host, error)


async def _flush(host: Generation) -> None:
    if host._journal is not None:
        await host._journal.flush()


async def _call_stop_hook(host: Generation, clock: StopClock) -> None:
    async def call() -> None:
        await host.services.hooks.on_actor_stop(host.actor)

    task = host.services.tasks.spawn(
        call(),
        name=f"actor {host.actor.id}: on_actor_stop",
        on_error=lambda error: host.actor.log.error("on_actor_stop raised; the actor stops all the same", exc_info=error),
    )
    if not await clock.ended(task, at_least=HURRY_SECONDS):
        host.actor.log.warning("on_actor_stop did not return in time; it is cancelled")
        task.cancel()
        await asyncio.wait([task], timeout=clock.cancel_seconds)


async def _finish_work(host: Generation, clock: StopClock) -> None:
    """Let requests and handlers finish. After a hook that took all the time there was, they get a moment of their own."""
    if not host._work:
        return
    idle = host.services.tasks.spawn(host.work.wait_idle(), name=f"actor {host.actor.id}: finish")
    if not await clock.ended(idle, at_least=clock.cancel_seconds):
        host.actor.log.warning("%d requests or WebSocket handlers did not finish in time; cancelled", len(host.work))
        await host.work.cancel_all(clock.cancel_seconds)
    idle.cancel()


async def _bounded(host: Generation, step: Coroutine[Any, Any, None], seconds: float, failure: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await step
    except TimeoutError:
        host.actor.log.error("%s: no time left", failure)
    except RivetRunnerError as error:
        host.actor.log.error("%s: %s", failure, error)
    except Exception:
        host.actor.log.exception("%s", failure)


def _report(host: Generation, error: str | None) -> None:
    """Tell the engine what it does not know, and nothing else.

    ``Stopped(OK)`` that the engine did not ask for destroys the actor. So it is only ever an answer to a stop command; a
    stop of our own making is left to the engine, which sees the runner go.
    """
    reason = host.stop_reason
    if reason is StopReason.CRASHED:
        host.report_state(ActorStateStopped(StopCode.ERROR, error))
    elif reason is StopReason.LOST:
        host.report_state(ActorStateStopped(StopCode.ERROR, reason.value))
    elif host.stop_commanded and reason is not StopReason.FORGOTTEN:
        host.report_state(ActorStateStopped(StopCode.OK, None))
