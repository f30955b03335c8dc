"""The life of a runner: one state, one table, one function that moves it.

There is exactly one notion of "shutting down" in this package, and it is `Lifecycle.state`. Whoever wants to know whether
a connection may be made, an actor started or a message waited for asks here; nobody keeps a flag of their own. Two flags
that both mean "shutting down" will one day disagree, and then a close handler reconnects a runner that is going away.

::

                START             INITIALISED            SHUT_DOWN             DOWN
    NEW     ───────────► STARTING ───────────► RUNNING ───────────► DRAINING ───────► CLOSED
     │                      └──────────────── SHUT_DOWN ───────────────┘                ▲
     └────────────────────────────────── SHUT_DOWN ────────────────────────────────────┘

What is not in the table is a mistake of the caller and raises. What may happen at any time (a second shutdown, an init
answered again after a reconnect or during a drain) is in the table, and stays where it is.
"""

from __future__ import annotations

import enum

__all__ = ["TRANSITIONS", "Lifecycle", "LifecycleEvent", "RunnerState"]


class RunnerState(enum.Enum):
    """Where a runner is in its life; it only ever moves forward."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    CLOSED = "closed"


class LifecycleEvent(enum.Enum):
    """What moves a runner on."""

    START = "start"
    INITIALISED = "initialised"
    SHUT_DOWN = "shut down"
    DOWN = "down"


TRANSITIONS: dict[tuple[RunnerState, LifecycleEvent], RunnerState] = {
    (RunnerState.NEW, LifecycleEvent.START): RunnerState.STARTING,
    (RunnerState.NEW, LifecycleEvent.SHUT_DOWN): RunnerState.CLOSED,
    (RunnerState.STARTING, LifecycleEvent.INITIALISED): RunnerState.RUNNING,
    (RunnerState.STARTING, LifecycleEvent.SHUT_DOWN): RunnerState.DRAINING,
    (RunnerState.RUNNING, LifecycleEvent.INITIALISED): RunnerState.RUNNING,
    (RunnerState.RUNNING, LifecycleEvent.SHUT_DOWN): RunnerState.DRAINING,
    (RunnerState.DRAINING, LifecycleEvent.INITIALISED): RunnerState.DRAINING,
    (RunnerState.DRAINING, LifecycleEvent.SHUT_DOWN): RunnerState.DRAINING,
    (RunnerState.DRAINING, LifecycleEvent.DOWN): RunnerState.CLOSED,
    (RunnerState.CLOSED, LifecycleEvent.SHUT_DOWN): RunnerState.CLOSED,
}


class Lifecycle:
    """Holds the state. Every question about it is a property here, so that each has one answer."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = RunnerState.NEW

    @property
    def state(self) -> RunnerState:
        return self._state

    @property
    def may_connect(self) -> bool:
        """Whether a connection to the engine may be made, the first or another."""
        return self._state in (RunnerState.STARTING, RunnerState.RUNNING)

    @property
    def shutting_down(self) -> bool:
        """Whether a shutdown has begun; it stays true when it has ended."""
        return self._state in (RunnerState.DRAINING, RunnerState.CLOSED)

    @property
    def closed(self) -> bool:
        return self._state is RunnerState.CLOSED

    @property
    def was_initialised(self) -> bool:
        """Whether the engine has accepted this runner once; a rejection ends the start only before that."""
        return self._state is not RunnerState.NEW and self._state is not RunnerState.STARTING

    def move(self, event: LifecycleEvent) -> bool:
        """Apply ``event``; return whether the state changed. Raises `RuntimeError` for what the table does not hold."""
        before = self._state
        try:
            self._state = TRANSITIONS[before, event]
        except KeyError:
            raise RuntimeError(f"a runner that is {before.value} cannot {event.value}") from None
        return self._state is not before
