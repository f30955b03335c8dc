"""An engine on a clock that a test moves by hand, and runners that a test drives message by message."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

from rivet_runner.protocol.v3 import (
    ActorIntent,
    CommandStartActor,
    CommandStopActor,
    EventActorSetAlarm,
    ToClient,
    ToClientCommands,
    ToServer,
    ToServerInit,
    decode_to_client,
    encode_to_server,
)
from rivet_runner.testing._simulated.actor_spec import CrashPolicy
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.api import ManagementApi
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.fault_injection import NO_FAULTS, FaultInjector
from rivet_runner.testing._simulated.runner_socket import RunnerSocket
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.timers import ManualClock, Timers
from tests.support.event_reports import EventReports

__all__ = ["BareEngine", "BareRunner", "look"]

M = TypeVar("M", bound=ToClient)

TARGET = "/runners/connect?protocol_version=3&namespace=default&runner_key={}"


class BareRunner(EventReports):
    """One connection of a runner: ``received`` has the engine's messages, and ``closed`` its close, if there was one."""

    def __init__(self, engine: BareEngine, key: str, target: str = TARGET) -> None:
        super().__init__()
        self.received: list[ToClient] = []
        self.closed: tuple[int, str] | None = None
        self.socket = RunnerSocket(
            self, cluster=engine.cluster, timers=engine.timers, settings=engine.cluster.settings, faults=engine.faults
        )
        self.socket.open(target.format(key), ["rivet"])

    # The transport, for the engine

    def send(self, frame: bytes) -> None:
        assert self.closed is None, "nothing follows a close"
        self.received.append(decode_to_client(frame))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason.partition("#")[0])

    # Messages of the runner

    def say(self, message: ToServer, /) -> None:
        self.socket.receive(encode_to_server(message))

    def init(self, *, version: int = 1, slots: int = 100, last_command_idx: int | None = None) -> None:
        self.say(ToServerInit("default", version, slots, last_command_idx, None, "{}"))

    def running(self, actor: SimulatedActor) -> None:
        self.report_running(actor.id, actor.generation)

    def stopped(self, actor: SimulatedActor, error: str | None = None) -> None:
        self.report_stopped(actor.id, actor.generation, error)

    def intends(self, actor: SimulatedActor, intent: ActorIntent) -> None:
        self.report_intent(actor.id, actor.generation, intent)

    def set_alarm(self, actor: SimulatedActor, alarm_ts: int | None) -> None:
        self.report(EventActorSetAlarm(actor.id, actor.generation, alarm_ts))

    # Messages of the engine

    def heard(self, kind: type[M]) -> list[M]:
        return [message for message in self.received if isinstance(message, kind)]

    @property
    def commands(self) -> list[tuple[str, int]]:
        """Each command as ``start`` or ``stop`` and its generation."""
        return [
            ("start" if isinstance(wrapper.inner, CommandStartActor) else "stop", wrapper.inner.generation)
            for message in self.heard(ToClientCommands)
            for wrapper in message.items
        ]

    @property
    def starts(self) -> list[CommandStartActor]:
        return [
            wrapper.inner
            for message in self.heard(ToClientCommands)
            for wrapper in message.items
            if isinstance(wrapper.inner, CommandStartActor)
        ]

    @property
    def stops(self) -> list[CommandStopActor]:
        return [
            wrapper.inner
            for message in self.heard(ToClientCommands)
            for wrapper in message.items
            if isinstance(wrapper.inner, CommandStopActor)
        ]


class BareEngine:
    """A cluster without a gateway's clients and without an event loop."""

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        self.clock = ManualClock()
        self.timers = Timers(self.clock)
        self.cluster = Cluster(timers=self.timers, random=Random(seed), settings=EngineSettings(**settings))
        self.faults = FaultInjector(NO_FAULTS, Random(seed), self.timers, self.cluster.trace)
        self.api = ManagementApi(self.cluster)
        self.api.upsert_runner_config("default")

    def advance(self, seconds: float) -> None:
        self.timers.advance(self.clock, round(seconds * 1000))

    def connect(self, key: str = "key", **init: Any) -> BareRunner:
        """A runner whose init is answered."""
        runner = BareRunner(self, key)
        runner.init(**init)
        return runner

    def create(self, *, key: str | None = None, policy: CrashPolicy = "sleep") -> SimulatedActor:
        """An actor, allocated as far as there is a runner."""
        answer = self.api.create_actor("a", runner_name="default", key=key, crash_policy=policy)
        self.advance(0)
        return self.cluster.actors[answer["actor_id"]]

    def running(self, runner: BareRunner, *, policy: CrashPolicy = "sleep") -> SimulatedActor:
        """An actor that runs on ``runner``."""
        actor = self.create(policy=policy)
        runner.running(actor)
        return actor


def look(subject: Any) -> Any:
    """The subject, untyped: a type checker takes an attribute to be as in the line before."""
    return subject
