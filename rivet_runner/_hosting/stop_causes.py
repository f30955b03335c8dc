"""The causes for which a generation stops, and the deadline of a stop. The order of its steps is in `stopping`."""

from __future__ import annotations

import asyncio
import enum
from typing import Any, Final

from rivet_runner.actor import StopReason

__all__ = ["HURRY_SECONDS", "StopCause", "StopClock", "stop_seconds"]

HURRY_SECONDS: Final = 0.5
"""For each step of a stop that does not wait: enough for a hook that writes its data, and about a second in all."""

CANCEL_SECONDS: Final = 1.0
HURRIED_CANCEL_SECONDS: Final = 0.2
"""For a cancelled task to clean up."""


class StopCause(enum.Enum):
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
    def reason(self) -> StopReason:
        """The cause as a hook sees it."""
        return _REASONS[self]

    @property
    def hurries(self) -> bool:
        """Whether its tasks get no time to finish."""
        return self is StopCause.IMMEDIATE

    @property
    def cut_off(self) -> bool:
        """Whether the engine does not listen to this generation any more."""
        return self in (StopCause.LOST, StopCause.FORGOTTEN)


_REASONS: Final = {
    StopCause.ASLEEP: StopReason.SLEEP,
    StopCause.DESTROYED: StopReason.DESTROY,
    StopCause.CRASHED: StopReason.CRASHED,
    StopCause.REPLACED: StopReason.REPLACED,
    StopCause.DRAINED: StopReason.SHUTDOWN,
    StopCause.IMMEDIATE: StopReason.SHUTDOWN,
    StopCause.LOST: StopReason.LOST,
    StopCause.FORGOTTEN: StopReason.LOST,
}

STOP_MARGIN: Final = 2.5
"""Seconds before the engine would give an actor up: enough to cancel what still runs, and to say that it has stopped."""


def stop_seconds(timeout: float, *, threshold: float | None, grace: float | None) -> float:
    """Seconds that an actor gets to stop: ``timeout``, unless the engine gives it up before.

    ``threshold`` is how long the engine waits for an actor that it has told to stop, and ``grace`` how long it leaves the
    runners of a serverless pool to drain. ``None`` is no bound.
    """
    bounds = [max(0.0, bound - STOP_MARGIN) for bound in (threshold, grace) if bound is not None]
    return min([timeout, *bounds])


class StopClock:
    """The deadline of one stop. It can be moved forward while a step waits for it."""

    def __init__(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._moved: asyncio.Future[None] | None = None
        self.cancel_seconds = CANCEL_SECONDS

    @property
    def remaining(self) -> float:
        """Seconds, never negative."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    @property
    def remaining_for_step(self) -> float:
        """Seconds for one more step, which gets `HURRY_SECONDS` at least."""
        return max(self.remaining, HURRY_SECONDS)

    def hurry(self, seconds: float) -> None:
        """Leave ``seconds`` from now on, unless it is less already, and less for cancelled tasks."""
        self.cancel_seconds = HURRIED_CANCEL_SECONDS
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + seconds)
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)

    async def ended(self, task: asyncio.Task[Any], *, at_least: float = 0.0) -> bool:
        """Wait for ``task`` until the deadline, but ``at_least`` this many seconds. Return whether it has ended."""
        loop = asyncio.get_running_loop()
        earliest = loop.time() + at_least
        while not task.done():
            timeout = max(self._deadline, earliest) - loop.time()
            if timeout <= 0:
                return False
            self._moved = loop.create_future()
            await asyncio.wait({task, self._moved}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return True
