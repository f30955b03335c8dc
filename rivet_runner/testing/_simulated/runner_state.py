"""One runner, as the engine's workflow sees it: init, commands, events, drain, and when it counts as lost.

The state outlives connections. It ends when the runner has drained, or when the engine finds it without pings. The engine
looks only after `EngineSettings.runner_lost_threshold` without a message to the workflow, so a runner whose connection died
is lost after one to two thresholds. While a connection is open the engine pings by itself, without a timer here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from rivet_runner.protocol.v3 import (
    CommandStartActor,
    CommandStopActor,
    Event,
)
from rivet_runner.testing._simulated.runner_indexes import RunnerIndexes
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.timers import Timer, Timers

__all__ = ["RunnerCluster", "SimulatedRunner"]

MILLI: Final = 1_000


class RunnerCluster(Protocol):
    """The rest of the engine, as a runner sees it."""

    def send_to_runner(self, runner_id: str, message: Any) -> None:
        """Send to its connection. Without a connection the message is lost."""

    def event(self, runner_id: str, event: Event) -> None: ...

    def list_runner(self, runner: SimulatedRunner) -> None:
        """Let it take actors, and allocate those that wait."""

    def unlist_runner(self, runner: SimulatedRunner) -> None: ...

    def runner_draining(self, runner: SimulatedRunner) -> None:
        """Its name and key are free, and its actors are told that it goes away."""

    def runner_ended(self, runner: SimulatedRunner, error: Any) -> None:
        """Its actors are lost, with this error if there is one, and a connection that is still open is closed."""

    def actor_lost(self, runner_id: str, actor_id: str, generation: int, *, force_reschedule: bool) -> None: ...

    def decided(self, runner: SimulatedRunner, what: str, *details: Any) -> None: ...


class SimulatedRunner:
    """The state of one runner id. Version and slots stay as in its first init."""

    def __init__(
        self,
        runner_id: str,
        key: str,
        init: Any,
        indexes: RunnerIndexes,
        *,
        namespace: str,
        cluster: RunnerCluster,
        timers: Timers,
        settings: EngineSettings,
    ) -> None:
        self.runner_id = runner_id
        self.name: str = init.name
        self.key = key
        self.namespace = namespace
        self.version: int = init.version
        self.total_slots: int = init.total_slots
        self.metadata: Any = init.metadata
        self.indexes = indexes
        self._cluster = cluster
        self._timers = timers
        self._settings = settings
        self.create_ts: int = timers.now()
        self.last_connected_ts: int = self.create_ts
        self.drain_ts: int | None = None
        self.stop_ts: int | None = None
        self.last_rtt: int = 0
        self.slots: dict[str, None] = {}
        """The actors that are here, in the order in which they came."""
        self._connected = False
        self._last_ping_ts = self.create_ts
        self._last_message_ts = self.create_ts
        self._tick: Timer | None = None
        self._leased_until = 0
        self._held: list[Callable[[], None]] = []

    # For allocation

    @property
    def draining(self) -> bool:
        return self.drain_ts is not None

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def remaining_slots(self) -> int:
        return max(0, self.total_slots - len(self.slots))

    @property
    def remaining_millislots(self) -> int:
        return self.remaining_slots * MILLI // max(1, self.total_slots)

    @property
    def last_ping_ts(self) -> int:
        """While it is connected: the last of the pings that the engine makes by itself."""
        if not self._connected:
            return self._last_ping_ts
        interval = self._settings.runner_update_ping_interval_ms
        return self._last_ping_ts + (self._timers.now() - self._last_ping_ts) // interval * interval

    def take_slot(self, actor_id: str) -> None:
        self.slots[actor_id] = None

    def release_slot(self, actor_id: str) -> None:
        self.slots.pop(actor_id, None)

    # Its connection

    def connected_again(self) -> None:
        """A connection of this runner is open, and its init comes next."""
        self._connected = True
        self._last_ping_ts = self.last_connected_ts = self._timers.now()
        self._arm()

    def disconnected(self) -> None:
        """Its connection is gone, without a successor."""
        self._last_ping_ts = self.last_ping_ts
        self._connected = False
        self._cluster.unlist_runner(self)
        self._arm()

    def ping(self, sent_ts: int) -> None:
        """Take the round-trip time of a ping, which does not keep the runner alive. ``sent_ts`` is in milliseconds."""
        self.last_rtt = 2 * max(0, self._timers.now() - sent_ts)

    # Messages to the workflow

    def init(self, message: Any) -> None:
        self._take(lambda: self._init(message), keeps_alive=not self.indexes.survives_crashes)

    def events(self, message: Any) -> None:
        self._take(lambda: self._events(message), keeps_alive=not self.indexes.survives_crashes)

    def acknowledge_commands(self, message: Any) -> None:
        self._take(lambda: self.indexes.acknowledge(message), keeps_alive=not self.indexes.survives_crashes)

    def stopping(self) -> None:
        self._take(self._drain)

    def command(self, actor_id: str, command: CommandStartActor | CommandStopActor) -> None:
        self._take(lambda: self._command(actor_id, command))

    def lease(self, until: int) -> None:
        """Hold messages until ``until``: after a crash of the engine, a dead worker holds the lease of this workflow.

        Connections of protocol 7 do without the workflow.
        """
        if self.indexes.survives_crashes:
            return
        self._leased_until = until
        self._timers.call_at(until, self._lease_over)

    def _take(self, handle: Callable[[], None], *, keeps_alive: bool = True) -> None:
        if self.stop_ts is not None:
            return
        if self._timers.now() < self._leased_until:
            self._held.append(handle)
            return
        if keeps_alive:
            self._last_message_ts = self._timers.now()
        handle()
        self._arm()

    def _lease_over(self) -> None:
        held, self._held = self._held, []
        for handle in held:
            self._take(handle)
        self._arm()

    def _init(self, message: Any) -> None:
        if message.metadata is not None:
            self.metadata = message.metadata
        self._cluster.decided(self, "init", getattr(message, "last_command_idx", None))
        threshold = self._settings.runner_lost_threshold
        self._cluster.send_to_runner(self.runner_id, self.indexes.init_answer(self.runner_id, threshold))
        commands = self.indexes.unacknowledged(message)
        if commands is not None:
            self._cluster.send_to_runner(self.runner_id, commands)
        if not self.draining and self._connected:
            self._cluster.list_runner(self)

    def _events(self, message: Any) -> None:
        for actor_id in self.indexes.overtaken(message):
            self._cluster.decided(self, "lost an event of", actor_id)
        for event in self.indexes.accept(message):
            self._cluster.event(self.runner_id, event)
        acknowledgement = self.indexes.acknowledgement()
        if acknowledgement is not None:
            self._cluster.send_to_runner(self.runner_id, acknowledgement)

    def _command(self, actor_id: str, command: CommandStartActor | CommandStopActor) -> None:
        if self.draining and isinstance(command, CommandStartActor):
            self._cluster.actor_lost(self.runner_id, actor_id, command.generation, force_reschedule=True)
            return
        self._cluster.send_to_runner(self.runner_id, self.indexes.append(command))

    def _drain(self) -> None:
        if self.draining:
            return
        self.drain_ts = self._timers.now()
        self._cluster.decided(self, "draining")
        self._cluster.unlist_runner(self)
        self._cluster.runner_draining(self)

    # Lost

    def _arm(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self.stop_ts is not None or (self._connected and not self.draining):
            return
        now, threshold = self._timers.now(), self._settings.runner_lost_threshold
        base = max(self._last_message_ts, self._leased_until)
        if base <= now:
            base += ((now - base) // threshold + 1) * threshold
        else:
            base += threshold
        self._tick = self._timers.call_at(base, self._silent)

    def _silent(self) -> None:
        """A whole threshold has passed without a message."""
        self._tick = None
        expired = self._timers.now() - self.last_ping_ts > self._settings.runner_lost_threshold
        if self.draining or expired:
            self._end("drained" if self.draining else "lost")
        else:
            self._arm()

    def _end(self, why: str) -> None:
        self.stop_ts = self._timers.now()
        self._cluster.decided(self, why)
        self._cluster.unlist_runner(self)
        failure = "runner_draining_timeout" if self.draining else "runner_connection_lost"
        error = {failure: {"runner_id": self.runner_id}} if self.indexes.tells_failures else None
        self._cluster.runner_ended(self, error)
