"""The session under every order of events, in each version: a model of the engine beside it, and what must always hold.

The model engine keeps what it was told over connections: events, unacknowledged commands, which key-value calls it saw.
After each step everything that the session wants to send is looked at. The versions' own rules are in
`test_dialect_machines`.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rivet_runner._session.dialect import KvAnswered, Phase, SetAlarm, StartActor, StopActor
from rivet_runner._session.dialect_v3 import DialectV3
from rivet_runner._session.dialect_v7 import DialectV7
from rivet_runner._session.gateway import MAX_UNASKED
from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID
from rivet_runner._session.pace import Pace
from rivet_runner._session.session import Decision, Initialised, Session
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import (
    ActorIntentSleep,
    KvGetRequest,
    KvPutResponse,
    MessageId,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToServerKvRequest,
    ToServerPing,
    ToServerPong,
    ToServerResponseStart,
    ToServerStopping,
    ToServerTunnelMessage,
)
from tests.session.dialects import INIT
from tests.session.model_engines import EngineV3, EngineV7, Generation
from tests.support.examples import examples

PLENTY = 1e9
"""Messages a second: the pace's rate never holds anything back here, its window does."""

INITS = (v3.ToServerInit, v7.ToServerInit)
EVENTS = (v3.ToServerEvents, v7.ToServerEvents)
ACKNOWLEDGEMENTS = (v3.ToServerAckCommands, v7.ToServerAckCommands)


def is_barrier(message: Any) -> bool:
    """A call of the pace's own."""
    return isinstance(message, ToServerKvRequest) and message.request_id >= FIRST_BARRIER_ID


def rank(message: Any) -> int:
    """The place of a message among those that are sent together."""
    if is_barrier(message) or isinstance(message, ToServerTunnelMessage):
        return 3
    return 1 if isinstance(message, EVENTS) else 2 if isinstance(message, ToServerKvRequest) else 0


class SessionMachine(RuleBasedStateMachine):
    """Rules are what the world does; the session answers; the invariants look on."""

    kind: type[DialectV3 | DialectV7]
    engine_kind: type[EngineV3 | EngineV7]
    codec: Any

    @initialize(paced=st.booleans())
    def begin(self, paced: bool) -> None:
        self.paced = paced
        self.now = 0.0
        dialect = self.kind(INIT)
        pace = Pace(PLENTY if paced else 0, lambda: "a", dialect.encode)
        self.session = Session(dialect, max_buffered=10_000, pace=pace)
        self.counter = itertools.count()
        self.runner_ids = itertools.count(1)
        # What the runner wanted
        self.reported: dict[Generation, list[Any]] = defaultdict(list)
        self.calls: dict[int, str] = {}
        self.tunnel_added: list[int] = []
        # What the engine knows of the present runner id
        self.engine: EngineV3 | EngineV7 | None = None
        self.commanded = 0
        self.calls_seen: list[int] = []
        self.tunnel_seen: list[int] = []
        self.barriers: dict[int, int] = {}
        """Asked and not answered: how many tunnel messages had come before each."""
        self.worked_off = 0
        # This connection
        self.sent: list[Any] = []

    # The connection's edges

    @precondition(lambda self: self.session.phase is Phase.DISCONNECTED)
    @rule()
    def connect(self) -> None:
        self.sent, self.barriers = [], {}
        self.worked_off = len(self.tunnel_seen)
        self.session.connection_opened()
        assert self.session.phase is Phase.HANDSHAKING

    @precondition(lambda self: self.session.phase is not Phase.DISCONNECTED)
    @rule(flushed=st.booleans())
    def drop(self, flushed: bool) -> None:
        if flushed:
            self.flush()
        self.session.connection_lost()
        assert self.session.data_to_send(0.0) == []

    @precondition(lambda self: self.session.connected)
    @rule()
    def drop_with_events_on_the_way(self) -> None:
        """The connection breaks, and the last events that were sent never arrive."""
        self.now += 1.0
        for frame in self.session.data_to_send(self.now):
            message = self.codec.decode_to_server(frame)
            if not isinstance(message, EVENTS):
                self.arrived(message)
        self.drop(flushed=False)

    @precondition(lambda self: self.session.phase is Phase.HANDSHAKING and self.engine is not None)
    @rule()
    def init_same(self) -> None:
        self.flush()
        assert self.engine is not None
        init, *commands = self.engine.init_answers(self.now)
        (decision,) = self.receive(init)
        assert decision == Initialised(self.engine.runner_id, False, ())
        for message in commands:
            assert self.receive(message) == [], "all of them have arrived before"

    @precondition(lambda self: self.session.phase is Phase.HANDSHAKING)
    @rule()
    def init_new(self) -> None:
        self.flush()
        forgotten = self.engine is not None
        waiting = set(self.calls)
        self.engine = self.engine_kind(f"r{next(self.runner_ids)}")
        (decision,) = self.receive(*self.engine.init_answers(self.now))
        assert isinstance(decision, Initialised)
        assert (decision.runner_id, decision.forgotten) == (self.engine.runner_id, forgotten)
        assert set(decision.dropped_calls) == (waiting if forgotten else set())
        assert len(decision.dropped_calls) == len(set(decision.dropped_calls))
        if forgotten:
            for request_id in decision.dropped_calls:
                del self.calls[request_id]
            self.reported.clear()
            self.tunnel_added = [*self.tunnel_seen]

    # The engine speaks

    @precondition(lambda self: self.session.connected)
    @rule(starts=st.booleans(), twice=st.booleans())
    def command(self, starts: bool, twice: bool) -> None:
        """A new command, or the same twice."""
        assert self.engine is not None
        self.commanded += 1
        generation = (f"a{self.commanded}", 1)
        message = self.engine.command(generation, starts=starts)
        (decision,) = self.receive(message)
        assert isinstance(decision, StartActor if starts else StopActor)
        assert (decision.actor_id, decision.generation) == generation
        if twice:
            assert self.receive(message) == []

    @precondition(lambda self: self.session.connected and self.engine.events)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        assert self.engine is not None
        self.flush()
        generation = data.draw(st.sampled_from(sorted(self.engine.events)))
        assert self.receive(self.engine.acknowledge(generation)) == []

    @precondition(lambda self: self.session.connected)
    @rule(seconds=st.sampled_from([1.0, 4.0, 100.0]))
    def engine_pings(self, seconds: float) -> None:
        """The engine of version 7 asks, and gets its answer before everything else."""
        assert self.engine is not None
        self.flush()
        self.now += seconds
        for ping in self.engine.pings(self.now):
            assert self.receive(ping) == []
            (first, *_) = self.flush()
            assert first == ToServerPong(ping.ts)

    @precondition(lambda self: self.session.connected and self.calls_seen)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """An answer to any call that was ever seen, also to one that has ended."""
        request_id = data.draw(st.sampled_from(self.calls_seen))
        decisions = self.receive(self.codec.ToClientKvResponse(request_id, KvPutResponse()))
        if request_id in self.calls:
            assert decisions == [KvAnswered(request_id, KvPutResponse())]
            del self.calls[request_id]
        else:
            assert decisions == []

    @precondition(lambda self: self.barriers and self.session.connected)
    @rule()
    def work_off(self) -> None:
        """The engine comes to the next barrier: what was sent before it has left its queue."""
        request_id = next(iter(self.barriers))
        self.worked_off = self.barriers.pop(request_id)
        decisions = self.receive(self.codec.ToClientKvResponse(request_id, KvPutResponse()))
        assert not any(isinstance(decision, KvAnswered) for decision in decisions), "only the pace waits for this"

    @precondition(lambda self: self.session.connected)
    @rule()
    def tunnel_in(self) -> None:
        message = ToClientTunnelMessage(
            MessageId(b"gate", b"requ", 0), ToClientRequestStart("a", "GET", "/", {}, None, False)
        )
        assert self.receive(message) == [message]

    # The runner speaks, whatever the connection does

    @rule(count=st.integers(1, 3))
    def report(self, count: int) -> None:
        for _ in range(count):
            generation = (f"e{next(self.counter)}", 1)
            self.reported[generation].append(ActorIntentSleep())
            self.session.report(*generation, ActorIntentSleep())

    @rule(actor=st.sampled_from(["x", "y"]))
    def alarm(self, actor: str) -> None:
        self.session.report(actor, 1, SetAlarm(next(self.counter)))

    @rule()
    def call(self) -> None:
        request_id = self.session.call_kv("a", KvGetRequest([b"k"]))
        assert request_id not in self.calls
        self.calls[request_id] = "waiting"

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def give_up_call(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.calls)))
        assert self.session.end_call(request_id)
        assert not self.session.end_call(request_id)
        del self.calls[request_id]

    @rule(count=st.sampled_from([1, 2, 100]))
    def tunnel_out(self, count: int) -> None:
        for _ in range(count):
            number = next(self.counter)
            self.tunnel_added.append(number)
            response = ToServerResponseStart(200, {}, str(number).encode(), False)
            self.session.queue(b"gate", self.session.encode(ToServerTunnelMessage(MessageId(b"gate", b"requ", 0), response)))

    @rule()
    def keep_alive(self) -> None:
        self.session.keep_alive(1)

    @rule(again=st.booleans())
    def stop(self, again: bool) -> None:
        (self.session.keep_draining if again else self.session.stopping)()

    @rule()
    def flush_all(self) -> None:
        self.flush()

    def flush(self) -> list[Any]:
        """Everything that the session wants to send arrives at the engine."""
        self.now += 1.0
        batch = [self.codec.decode_to_server(frame) for frame in self.session.data_to_send(self.now)]
        phase = self.session.phase
        assert phase is not Phase.DISCONNECTED or batch == []
        ranks = [rank(message) for message in batch]
        assert ranks == sorted(ranks), "control, then events, then calls, then tunnel messages"
        for message in batch:
            if phase is Phase.HANDSHAKING:
                assert isinstance(message, INITS)
            self.arrived(message)
        held_back = self.session.wait(self.now) is not None
        assert not held_back or self.paced, "only the pace holds anything back"
        return batch

    def arrived(self, message: Any) -> None:
        first = not self.sent
        self.sent.append(message)
        assert isinstance(message, INITS) is first, "init is the first message, once"
        if self.engine is not None:
            self.engine.read(message, self.now)
        if isinstance(message, EVENTS):
            assert message.items, "no empty message"
        elif is_barrier(message):
            self.barriers[message.request_id] = len(self.tunnel_seen)
        elif isinstance(message, ToServerKvRequest):
            assert message.request_id in self.calls, "an ended call is not sent"
            again = [sent for sent in self.sent if isinstance(sent, ToServerKvRequest) and sent == message]
            assert len(again) == 1, "a call is sent once on a connection"
            self.calls_seen.append(message.request_id)
        elif isinstance(message, ToServerTunnelMessage):
            kind = message.message_kind
            assert isinstance(kind, ToServerResponseStart)
            assert kind.body is not None
            self.tunnel_seen.append(int(kind.body))
            assert not self.paced or len(self.tunnel_seen) - self.worked_off <= MAX_UNASKED, "the engine loses the rest"
        else:
            assert isinstance(message, (*INITS, *ACKNOWLEDGEMENTS, ToServerPing, ToServerPong, ToServerStopping))

    def receive(self, message: Any) -> list[Decision]:
        return self.session.receive(self.codec.encode_to_client(message))

    # What holds after each step

    @invariant()
    def the_ledger_is_what_waits(self) -> None:
        if hasattr(self, "session"):
            assert self.session.unanswered_calls == len(self.calls)

    @invariant()
    def tunnel_messages_leave_in_order(self) -> None:
        if hasattr(self, "session"):
            assert self.tunnel_seen == self.tunnel_added[: len(self.tunnel_seen)]

    def teardown(self) -> None:
        """In the end the runner comes back, and everything that should arrive does."""
        if not hasattr(self, "session"):
            return
        if self.session.phase is not Phase.DISCONNECTED:
            self.drop(flushed=False)
        self.connect()
        if self.engine is None:
            self.init_new()
        else:
            self.init_same()
        self.flush()
        while self.barriers:
            self.work_off()
            self.flush()
        assert self.session.data_to_send(self.now + 1) == []
        assert self.session.flushed(self.session.mark)
        for request_id in [*self.calls]:
            assert request_id in self.calls_seen
            assert self.receive(self.codec.ToClientKvResponse(request_id, KvPutResponse())) != []
            del self.calls[request_id]
        assert self.session.unanswered_calls == 0
        assert self.tunnel_seen == self.tunnel_added
        assert self.engine is not None
        arrived = {place: events for place, events in self.engine.events.items() if place[0] not in ("x", "y")}
        assert arrived == dict(self.reported), "every event has arrived once"


class SessionMachineV3(SessionMachine):
    kind = DialectV3
    engine_kind = EngineV3
    codec = v3


class SessionMachineV7(SessionMachine):
    kind = DialectV7
    engine_kind = EngineV7
    codec = v7


TestSessionV3 = SessionMachineV3.TestCase
TestSessionV3.settings = settings(max_examples=examples(100), stateful_step_count=40, deadline=None)
TestSessionV7 = SessionMachineV7.TestCase
TestSessionV7.settings = settings(max_examples=examples(100), stateful_step_count=40, deadline=None)
