"""The state of one actor generation, and the gate at which requests and WebSockets wait for its start.

::

    STARTING ──── on_actor_start returned ────► RUNNING ──── a reason to stop ────► STOPPING ────► STOPPED
        └──────────────── on_actor_start raised, or a reason to stop ───────────────────┘

Requests and WebSockets that arrive while it starts wait at the gate, in order. `rivet_runner._hosting.generation` moves the
state, and the rest of this room only asks.
"""

from __future__ import annotations

import asyncio
import enum
from abc import abstractmethod

from rivet_runner._hosting.services import Services, log
from rivet_runner._hosting.stop_causes import StopCause
from rivet_runner._idle.activity import Activity
from rivet_runner._kv.store import KvStore
from rivet_runner._tasks import TaskGroup
from rivet_runner.actor import Actor

__all__ = ["GenerationPhase", "GenerationState"]


class GenerationPhase(enum.Enum):
    """See the module's docstring."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class GenerationState:
    """How far one generation is in its life, and its tasks."""

    __slots__ = (
        "_activity",
        "_busy",
        "_gate",
        "_work",
        "actor",
        "kv_store",
        "phase",
        "services",
        "start_succeeded",
        "stop_cause",
    )

    actor: Actor
    kv_store: KvStore

    def __init__(self, services: Services) -> None:
        self.services = services
        self.phase = GenerationPhase.STARTING
        self.start_succeeded = False
        self.stop_cause: StopCause | None = None
        self._busy = 0
        """How many things keep the actor awake."""
        self._activity: Activity | None = None
        """Made if the actor is to fall asleep when it is idle."""
        self._gate: asyncio.Future[bool] | None = None
        # Made when it is first needed: the fewer objects an idle actor has, the less there is to collect garbage from.
        self._work: TaskGroup | None = None

    @property
    def work(self) -> TaskGroup:
        """Its requests and the handlers of its WebSockets."""
        if self._work is None:
            self._work = TaskGroup(f"actor {self.actor.id}", log)
        return self._work

    # Idleness

    @property
    def is_busy(self) -> bool:
        """Whether something keeps the actor awake."""
        return self._busy > 0

    @property
    @abstractmethod
    def heard(self) -> int | None:
        """A number that changes with the messages of hibernatable clients, or ``None`` while one is being handled."""

    @abstractmethod
    def ask_to_sleep(self) -> None:
        """See `Actor.sleep`."""

    def work_began(self) -> None:
        """Something begins that keeps the actor awake."""
        self._busy += 1

    def work_ended(self) -> None:
        """It ends."""
        self._busy -= 1
        if not self._busy and self._activity is not None:
            self._activity.is_idle()

    @property
    def sleep_after(self) -> float | None:
        """See `Actor.sleep_after`."""
        return None if self._activity is None else self._activity.seconds

    @sleep_after.setter
    def sleep_after(self, seconds: float | None) -> None:
        if self._activity is not None:
            self._activity.seconds = seconds
        elif seconds is not None:
            self._activity = Activity(self, seconds)
            if self.phase is GenerationPhase.RUNNING:
                self._activity.start()

    # The gate

    async def wait_started(self) -> bool:
        """Wait until `Runner.on_actor_start` has finished. Return whether it succeeded. Cancelling is safe."""
        if self.phase is GenerationPhase.RUNNING:
            return True
        if self.phase is GenerationPhase.STARTING:
            if self._gate is None:
                self._gate = asyncio.get_running_loop().create_future()
            return await asyncio.shield(self._gate)
        return self.start_succeeded

    def open_gate(self, started: bool) -> None:
        """Let everything that waits go on."""
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(started)

    # The end

    @property
    def may_begin(self) -> bool:
        """Whether new requests and WebSockets are for this generation."""
        return self.phase in (GenerationPhase.STARTING, GenerationPhase.RUNNING)

    @property
    def cut_off(self) -> bool:
        """Whether the engine does not listen to this generation any more: nothing is sent for it."""
        return self.stop_cause is not None and self.stop_cause.cut_off

    @property
    def destroyed(self) -> bool:
        """Whether it is certain that the actor ends for good, and its clients with it."""
        return self.stop_cause is StopCause.DESTROYED

    @property
    def stop_close(self) -> tuple[int, str]:
        """The close code and reason for clients of a stopping actor: 1001 (going away) if it is gone for good."""
        return (1001 if self.destroyed else 1000), "actor.stopped"
