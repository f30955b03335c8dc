"""The life of a runner: one state, one table of transitions, one method that moves the state.

This module is the only answer to the question whether a runner is shutting down. Other modules ask `Lifecycle` and
keep no flags of their own. Two flags with the same meaning would disagree some day, and then a close handler would
reconnect a runner that is shutting down.

::

                START             INITIALISED            SHUT_DOWN             DOWN
    NEW     ───────────► STARTING ───────────► RUNNING ───────────► DRAINING ───────► CLOSED
     │                      └──────────────── SHUT_DOWN ───────────────┘                ▲
     └────────────────────────────────── SHUT_DOWN ────────────────────────────────────┘

An event that is not in the table is a mistake of the caller and raises. Some events are in the table and change
nothing: a second shutdown, and an init answered again after a reconnect or during a drain.
"""

from __future__ import annotations

import enum

__all__ = ["TRANSITIONS", "Lifecycle", "LifecycleEvent", "RunnerState"]


class RunnerState(enum.Enum):
    """The state of a runner. It only moves forward."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    CLOSED = "closed"


class LifecycleEvent(enum.Enum):
    """An event that may change the state of a runner."""

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
    """The state of one runner. Each question about the state is a property, so that it has one answer."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = RunnerState.NEW

    @property
    def state(self) -> RunnerState:
        return self._state

    @property
    def may_connect(self) -> bool:
        """Whether the runner may connect or reconnect to the engine."""
        return self._state in (RunnerState.STARTING, RunnerState.RUNNING)

    @property
    def shutting_down(self) -> bool:
        """Whether a shutdown has begun. It stays `True` after the shutdown."""
        return self._state in (RunnerState.DRAINING, RunnerState.CLOSED)

    @property
    def closed(self) -> bool:
        return self._state is RunnerState.CLOSED

    @property
    def was_initialised(self) -> bool:
        """Whether the engine has accepted this runner at least once. Before that, a rejection ends the start."""
        return self._state is not RunnerState.NEW and self._state is not RunnerState.STARTING

    def move(self, event: LifecycleEvent) -> bool:
        """Apply ``event`` and return whether the state changed. Raises `RuntimeError` if it is not in the table."""
        before = self._state
        try:
            self._state = TRANSITIONS[before, event]
        except KeyError:
            raise RuntimeError(f"a runner that is {before.value} cannot {event.value}") from None
        return self._state is not before
