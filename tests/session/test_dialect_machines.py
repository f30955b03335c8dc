"""Each dialect under every order of events, with a model of the engine beside it.

The engine reads the runner's messages some time after they were sent, loses those that it has not read when the connection
drops, and repeats the commands that it believes to be missing. Whatever happens:

* a command is handed on exactly once for each runner id,
* the engine gets every event of the present runner id exactly once and in order, as soon as a connection lasts,
* and nothing is kept of what is over.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rivet_runner._session.dialect import InitAnswered, StartActor, StopActor
from rivet_runner._session.dialect_v3 import DialectV3
from rivet_runner._session.dialect_v7 import CERTAIN_AFTER, DialectV7
from rivet_runner.protocol import v7
from rivet_runner.protocol.messages import (
    ActorIntent,
    ActorIntentSleep,
    ActorIntentStop,
    ActorStateRunning,
    ActorStateStopped,
    StopCode,
)
from tests.session.dialects import Speaker
from tests.session.model_engines import PING_SECONDS, PING_TIMEOUT, EngineV3, EngineV7, Generation

LONGEST_WAY = 14.0
"""Seconds that a message takes at most to reach the engine, on a connection that lasts."""


class DialectMachine(RuleBasedStateMachine):
    """Rules are what the world does. The runner above the dialect starts, stops and reports as it is told."""

    kind: type[DialectV3 | DialectV7]
    engine_kind: type[EngineV3 | EngineV7]

    @initialize()
    def begin(self) -> None:
        self.speaker = Speaker(self.kind)
        self.engine = self.engine_kind("r0")
        self.open = False
        self.answered = False
        self.on_the_way: deque[tuple[float, Any]] = deque()
        self.ids = 0
        self.generations: dict[str, int] = defaultdict(int)
        self.running: set[Generation] = set()
        self.reported: dict[Generation, list[Any]] = defaultdict(list)
        self.commanded: list[tuple[str, Generation]] = []
        self.carried_out: list[tuple[str, Generation]] = []

    # The connection

    @precondition(lambda self: not self.open)
    @rule()
    def connect(self) -> None:
        self.open = True
        self.speaker.dialect.connection_opened()
        self.flush()

    @precondition(lambda self: self.open)
    @rule(flushed=st.booleans())
    def drop(self, flushed: bool) -> None:
        if flushed:
            self.flush()
        self.open = self.answered = False
        self.on_the_way.clear()
        self.speaker.dialect.connection_lost()
        assert self.speaker.sent() == []

    @precondition(lambda self: self.open and not self.answered)
    @rule()
    def answer_init(self) -> None:
        self.flush()
        self.read(everything=True)
        self.answered = True
        for message in self.engine.init_answers(self.speaker.now):
            self.receive(message)

    @precondition(lambda self: self.open and not self.answered)
    @rule()
    def forget(self) -> None:
        """The engine has given the runner up: the next init is answered with another id."""
        self.ids += 1
        self.engine = self.engine_kind(f"r{self.ids}")
        self.running.clear()
        self.reported.clear()
        self.commanded.clear()
        self.carried_out.clear()
        self.answer_init()

    # Time

    @rule(seconds=st.sampled_from([0.2, 3.0, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        """The engine reads meanwhile, but no message takes longer than it may."""
        end = self.speaker.now + seconds
        while self.speaker.now < end:
            self.speaker.now = min(end, self.speaker.now + PING_SECONDS)
            self.read_late()
            self.ping()

    @precondition(lambda self: self.open)
    @rule(everything=st.booleans())
    def read(self, everything: bool) -> None:
        """The engine reads what was sent, or half of it."""
        for _ in range(len(self.on_the_way) if everything else (len(self.on_the_way) + 1) // 2):
            self.engine.read(self.on_the_way.popleft()[1], self.speaker.now)

    def read_late(self) -> None:
        while self.on_the_way and self.on_the_way[0][0] < self.speaker.now - LONGEST_WAY:
            self.engine.read(self.on_the_way.popleft()[1], self.speaker.now)

    @rule()
    def flush(self) -> None:
        self.on_the_way.extend((self.speaker.now, message) for message in self.speaker.sent())

    @precondition(lambda self: self.answered)
    @rule()
    def ping(self) -> None:
        if not self.answered:
            return
        if self.engine.gives_up(self.speaker.now):
            self.drop(flushed=False)
            return
        for ping in self.engine.pings(self.speaker.now):
            self.receive(ping)
        self.speaker.dialect.keep_alive(int(self.speaker.now * 1000))
        self.flush()

    # The engine speaks

    @rule(name=st.sampled_from(["a1", "a2", "a3"]), arrives=st.booleans(), twice=st.booleans())
    def start(self, name: str, arrives: bool, twice: bool) -> None:
        self.generations[name] += 1
        self.command((name, self.generations[name]), starts=True, arrives=arrives, twice=twice)

    @precondition(lambda self: self.generations)
    @rule(data=st.data(), arrives=st.booleans(), twice=st.booleans())
    def stop(self, data: st.DataObject, arrives: bool, twice: bool) -> None:
        """Of any generation: one that runs, that has ended, or that this runner id never heard of."""
        name = data.draw(st.sampled_from(sorted(self.generations)))
        generation = data.draw(st.integers(1, self.generations[name]))
        self.command((name, generation), starts=False, arrives=arrives, twice=twice)

    def command(self, generation: Generation, *, starts: bool, arrives: bool, twice: bool) -> None:
        message = self.engine.command(generation, starts=starts)
        self.commanded.append(("start" if starts else "stop", generation))
        if self.answered and not arrives:
            # It is lost with the connection; nothing is lost on a connection that lasts.
            self.drop(flushed=True)
        elif self.answered:
            for _ in range(2 if twice else 1):
                self.receive(message)

    @precondition(lambda self: self.answered and self.engine.events)
    @rule(data=st.data())
    def acknowledge_events(self, data: st.DataObject) -> None:
        self.receive(self.engine.acknowledge(data.draw(st.sampled_from(sorted(self.engine.events)))))

    def receive(self, message: Any) -> None:
        for received in self.speaker.receive(message):
            match received:
                case StartActor():
                    self.started((received.actor_id, received.generation))
                case StopActor():
                    self.stopped((received.actor_id, received.generation))
                case _:
                    assert isinstance(received, InitAnswered)

    # The runner above

    def started(self, generation: Generation) -> None:
        self.carried_out.append(("start", generation))
        assert generation not in self.running
        self.running.add(generation)
        self.report(generation, ActorStateRunning())

    def stopped(self, generation: Generation) -> None:
        self.carried_out.append(("stop", generation))
        if generation in self.running:
            self.end(generation)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), intent=st.sampled_from([ActorIntentSleep(), ActorIntentStop()]))
    def intend(self, data: st.DataObject, intent: ActorIntent) -> None:
        self.report(data.draw(st.sampled_from(sorted(self.running))), intent)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.running))))

    def end(self, generation: Generation) -> None:
        self.running.discard(generation)
        self.report(generation, ActorStateStopped(StopCode.ERROR, f"{generation}"))
        self.speaker.dialect.generation_ended(*generation)

    def report(self, generation: Generation, event: Any) -> None:
        self.reported[generation].append(event)
        self.speaker.dialect.report(*generation, event)

    def teardown(self) -> None:
        if not hasattr(self, "speaker"):
            return
        if not self.open:
            self.connect()
        if not self.answered:
            self.answer_init()
        while self.speaker.dialect.events_pending:
            self.speaker.now += 0.2
            self.flush()
        self.read(everything=True)
        assert dict(self.engine.events) == dict(self.reported)
        # The order between actors means nothing.
        for generation in {generation for _, generation in self.commanded}:
            told = [what for what, other in self.commanded if other == generation]
            assert [what for what, other in self.carried_out if other == generation] == told
        for generation in [*self.running]:
            self.end(generation)
        for _ in range(CERTAIN_AFTER + 3):
            self.flush()
            self.read(everything=True)
            self.speaker.now += PING_SECONDS
            self.ping()
        self.check_nothing_is_kept()

    def check_nothing_is_kept(self) -> None:
        """What each version keeps is bounded by what is going on."""


def test_a_ping_is_evidence_when_no_message_takes_longer_than_it_may() -> None:
    assert CERTAIN_AFTER * PING_SECONDS > PING_TIMEOUT + LONGEST_WAY


class DialectV3Machine(DialectMachine):
    kind = DialectV3
    engine_kind = EngineV3


class DialectV7Machine(DialectMachine):
    kind = DialectV7
    engine_kind = EngineV7

    def check_nothing_is_kept(self) -> None:
        assert self.speaker.dialect.event_backlog == 0
        self.speaker.dialect.connection_lost()
        self.speaker.connect(self.engine.runner_id)
        self.speaker.receive(v7.ToClientPing(1))
        assert self.speaker.sent() == [v7.ToServerPong(1)], "no event is repeated, and no acknowledgement"


TestDialectV3 = DialectV3Machine.TestCase
TestDialectV3.settings = settings(stateful_step_count=40, deadline=None)
TestDialectV7 = DialectV7Machine.TestCase
TestDialectV7.settings = settings(stateful_step_count=40, deadline=None)
