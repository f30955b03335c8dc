"""One call of a scheduled method, and what is to become of its entry."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass

from rivet_runner.actors._schedule.arguments import decode_arguments
from rivet_runner.actors._schedule.entry import Entry
from rivet_runner.actors._schedule.host import SchedulerHost

__all__ = ["Outcome", "Then", "attempt"]


class Then(enum.Enum):
    """What comes after a call."""

    GO_ON = enum.auto()
    """It returned, and what it changed is stored."""
    RETRY = enum.auto()
    """It raised."""
    GIVE_UP = enum.auto()
    """It cannot be called, and a retry would not change that. The next tick may."""
    DROP = enum.auto()
    """There is no such method any more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error`` is set unless it is to go on."""

    then: Then
    error: Exception | None = None


async def attempt(
    host: SchedulerHost, entry: Entry, returned: Callable[[], None], was_cancelled: Callable[[], bool]
) -> Outcome:
    """Call the method of ``entry``, then ``returned``, and store what it changed.

    A cancellation is passed on if ``was_cancelled`` tells that it is meant for the run. One that the method has brought
    about, in itself or in something that it awaits, is an error of the method.
    """
    method = host.method(entry.method)
    if method is None:
        return Outcome(Then.DROP, LookupError(f"the actor has no method {entry.method} any more; {entry.id} is dropped"))
    try:
        arguments = host.bind(entry.method, decode_arguments(entry.arguments))
    except Exception as error:
        return Outcome(Then.GIVE_UP, error)
    try:
        await method(*arguments)
        returned()
        await host.ran()
    except asyncio.CancelledError as error:
        if was_cancelled():
            raise
        _take_back_cancellations()
        cancelled = RuntimeError(f"{entry.method} was cancelled by itself or by something that it awaited")
        cancelled.__cause__ = error
        return Outcome(Then.RETRY, cancelled)
    except Exception as error:
        return Outcome(Then.RETRY, error)
    return Outcome(Then.GO_ON)


def _take_back_cancellations() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
