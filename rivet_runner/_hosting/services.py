"""The parts that all generations of one runner share: the user's hooks and the ways to the engine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from rivet_runner._alarms.actor_alarm import AlarmHook
from rivet_runner._connection.arrivals import Arrivals
from rivet_runner._connection.uplink import Uplink
from rivet_runner._hosting.hooks import Hooks
from rivet_runner._hosting.slow_starts import SlowStarts
from rivet_runner._hosting.socket_table import SocketTable
from rivet_runner._hosting.unlisted import UnlistedClients
from rivet_runner._kv.calls import KvCalls
from rivet_runner._observing.observer import Observer
from rivet_runner._sockets.replays import Replays
from rivet_runner._sockets.turns import ReplayTurns
from rivet_runner._tasks import TaskGroup
from rivet_runner.config import RunnerConfig

__all__ = ["Services", "log"]

log = logging.getLogger("rivet_runner.hosting")


@dataclass(frozen=True, slots=True)
class Services:
    """Made once per runner."""

    hooks: Hooks
    config: RunnerConfig
    uplink: Uplink
    arrivals: Arrivals
    kv_calls: KvCalls
    observer: Observer
    tasks: TaskGroup
    """Owns the starts and stops of actors."""
    sockets: SocketTable
    unlisted: UnlistedClients
    slow_starts: SlowStarts
    alarms: AlarmHook | None
    """``None`` if the hooks have none for alarms: then an alarm only wakes its actor."""
    turns: ReplayTurns
    replays: Replays
    stopped: Callable[[str, int], None]
    """Called with an actor's id and generation, once that has stopped."""
    stop_seconds: Callable[[bool], float]
    """Seconds that an actor gets to stop, before the engine gives it up. The argument tells whether it may be drained."""
    seconds_until_lost: Callable[[], float]
    """How long after its end, at the latest, the engine counts this process as lost."""
    deletion_lag: float
    """Seconds after a stop command within which the key-value store of a deleted actor may still answer."""
    now_ms: Callable[[], int]
    """The wall clock: milliseconds since the epoch."""
    tells_stops: bool
    """Whether the hooks are told of a stop. If not, its reason matters less than a question to the engine costs."""
    hibernates: bool
    """Whether the hooks can hibernate at all. If not, no records are looked for when an actor starts."""
