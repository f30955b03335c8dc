"""The session under every order of events: a model of the engine beside it, and what must always hold.

The model engine keeps what it was told over connections: the highest event index, which key-value calls it saw. After each
step everything that the session wants to send is looked at.
"""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rivet_runner._session.gateway import MAX_UNASKED
from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID
from rivet_runner._session.pace import Pace
from rivet_runner._session.session import Decision, Initialised, KvAnswered, Phase, Session
from rivet_runner.protocol.v3 import (
    ActorConfig,
    ActorIntentSleep,
    CommandStartActor,
    CommandStopActor,
    CommandWrapper,
    EventActorIntent,
    EventActorSetAlarm,
    EventWrapper,
    KvGetRequest,
    KvPutResponse,
    MessageId,
    ProtocolMetadata,
    ToClient,
    ToClientAckEvents,
    ToClientCommands,
    ToClientInit,
    ToClientKvResponse,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToServer,
    ToServerAckCommands,
    ToServerEvents,
    ToServerInit,
    ToServerKvRequest,
    ToServerPing,
    ToServerResponseStart,
    ToServerStopping,
    ToServerTunnelMessage,
    decode_to_server,
    encode_to_client,
    encode_to_server,
)
from tests.support.examples import examples

HELLO = ToServerInit("n", 1, 1, None, None, None)
PLENTY = 1e9
"""Messages a second: the pace's rate never holds anything back here, its window does."""

RANK: dict[type, int] = {ToServerEvents: 1, ToServerKvRequest: 2, ToServerTunnelMessage: 3}


def is_barrier(message: ToServer) -> bool:
    """A call of the pace's own."""
    return isinstance(message, ToServerKvRequest) and message.request_id >= FIRST_BARRIER_ID


class SessionMachine(RuleBasedStateMachine):
    """Rules are what the world does; the session answers; the invariants look on."""

    @initialize(paced=st.booleans())
    def begin(self, paced: bool) -> None:
        self.paced = paced
        self.now = 0.0
        self.session = Session(HELLO, max_buffered=10_000, pace=Pace(PLENTY if paced else 0, lambda: "a"))
        self.counter = itertools.count()
        self.runner_ids = itertools.count(1)
        # What the runner wanted
        self.reported: list[str] = []
        self.calls: dict[int, str] = {}
        self.tunnel_added: list[int] = []
        # What the engine knows of the present runner id
        self.runner_id: str | None = None
        self.engine_events: list[EventWrapper] = []
        self.meaning: dict[int, EventWrapper] = {}
        self.confirmed = -1
        self.next_command = 0
        self.commands_delivered: list[int] = []
        self.calls_seen: list[int] = []
        self.tunnel_seen: list[int] = []
        self.barriers: dict[int, int] = {}
        """Asked and not answered: how many tunnel messages had come before each."""
        self.worked_off = 0
        # This connection
        self.sent: list[ToServer] = []
        self.sent_events: list[EventWrapper] = []

    # The connection's edges

    @precondition(lambda self: self.session.phase is Phase.DISCONNECTED)
    @rule()
    def connect(self) -> None:
        self.sent, self.sent_events, self.barriers = [], [], {}
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

    @precondition(lambda self: self.session.phase is Phase.HANDSHAKING and self.runner_id is not None)
    @rule(engine_lags=st.integers(0, 3))
    def init_same(self, engine_lags: int) -> None:
        """The engine may not have stored the last few events; but what it has confirmed it has."""
        self.flush()
        assert self.runner_id is not None
        last = max(self.confirmed, self.last_event - engine_lags)
        self.engine_events = [event for event in self.engine_events if event.index <= last]
        (decision,) = self.receive(ToClientInit(self.runner_id, last, ProtocolMetadata(15_000)))
        assert decision == Initialised(self.runner_id, False, ())
        self.confirmed = last

    @precondition(lambda self: self.session.phase is Phase.HANDSHAKING)
    @rule(first_index=st.integers(0, 2))
    def init_new(self, first_index: int) -> None:
        self.flush()
        forgotten = self.runner_id is not None
        waiting = set(self.calls)
        self.runner_id = f"r{next(self.runner_ids)}"
        (decision,) = self.receive(ToClientInit(self.runner_id, -1, ProtocolMetadata(15_000)))
        assert isinstance(decision, Initialised)
        assert (decision.runner_id, decision.forgotten) == (self.runner_id, forgotten)
        assert set(decision.dropped_calls) == (waiting if forgotten else set())
        assert len(decision.dropped_calls) == len(set(decision.dropped_calls))
        self.engine_events, self.meaning, self.confirmed = [], {}, -1
        self.next_command, self.commands_delivered = first_index, []
        if forgotten:
            for request_id in decision.dropped_calls:
                del self.calls[request_id]
            self.reported = []
            self.tunnel_added = [*self.tunnel_seen]

    # The engine speaks

    @precondition(lambda self: self.session.connected)
    @rule(count=st.integers(1, 4), repeat=st.integers(0, 3))
    def commands(self, count: int, repeat: int) -> None:
        """New commands, with some of those before them once more."""
        first = max(self.next_command - repeat, self.next_command - len(self.commands_delivered))
        self.next_command += count
        wrappers = [CommandWrapper(index, self.command(index)) for index in range(first, self.next_command)]
        decisions = self.receive(ToClientCommands(wrappers))
        assert decisions == [self.command(index) for index in range(self.next_command - count, self.next_command)]
        self.commands_delivered += range(self.next_command - count, self.next_command)

    @precondition(lambda self: self.session.connected)
    @rule(back=st.integers(0, 5))
    def acknowledge(self, back: int) -> None:
        """The engine confirms what it has: all of it, or some, or what it confirmed before."""
        self.flush()
        index = self.last_event - back
        assert self.receive(ToClientAckEvents(index)) == []
        self.confirmed = max(self.confirmed, index)

    @precondition(lambda self: self.session.connected and self.calls_seen)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """An answer to any call that was ever seen, also to one that has ended."""
        request_id = data.draw(st.sampled_from(self.calls_seen))
        decisions = self.receive(ToClientKvResponse(request_id, KvPutResponse()))
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
        decisions = self.receive(ToClientKvResponse(request_id, KvPutResponse()))
        assert not any(isinstance(decision, KvAnswered) for decision in decisions), "nobody but the pace waits for this"

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
            name = f"e{next(self.counter)}"
            self.reported.append(name)
            self.session.report(EventActorIntent(name, 1, ActorIntentSleep()))

    @rule(actor=st.sampled_from(["x", "y"]))
    def alarm(self, actor: str) -> None:
        self.session.report(EventActorSetAlarm(actor, 1, next(self.counter)))

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
            self.session.queue(encode_to_server(ToServerTunnelMessage(MessageId(b"gate", b"requ", 0), response)))

    @rule()
    def ping(self) -> None:
        self.session.ping(1)

    @rule()
    def stop(self) -> None:
        self.session.stopping()

    @rule()
    def flush(self) -> None:
        """Everything that the session wants to send arrives at the engine."""
        self.now += 1.0
        batch = [decode_to_server(frame) for frame in self.session.data_to_send(self.now)]
        phase = self.session.phase
        assert phase is not Phase.DISCONNECTED or batch == []
        ranks = [3 if is_barrier(message) else RANK.get(type(message), 0) for message in batch]
        assert ranks == sorted(ranks), "control, then events, then calls, then tunnel messages"
        for message in batch:
            if phase is Phase.HANDSHAKING:
                assert isinstance(message, ToServerInit | ToServerPing)
            self.arrived(message)
        held_back = self.session.wait(self.now) is not None
        assert not held_back or self.paced, "only the pace holds anything back"

    def arrived(self, message: ToServer) -> None:
        first = not self.sent
        self.sent.append(message)
        assert isinstance(message, ToServerInit) is first, "init is the first message, once"
        if isinstance(message, ToServerInit):
            assert message.last_command_idx == (self.commands_delivered[-1] if self.commands_delivered else None)
        elif isinstance(message, ToServerAckCommands):
            assert message.last_command_idx <= self.commands_delivered[-1]
        elif isinstance(message, ToServerEvents):
            self.events_arrived([*message.items])
        elif is_barrier(message):
            assert isinstance(message, ToServerKvRequest)
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
            assert isinstance(message, ToServerPing | ToServerStopping)

    def events_arrived(self, events: list[EventWrapper]) -> None:
        assert events, "no empty message"
        for event in events:
            assert event.index > self.confirmed, "an acknowledged event is not sent again"
            if self.sent_events:
                assert event.index == self.sent_events[-1].index + 1, "consecutive on each connection"
            self.sent_events.append(event)
            assert self.meaning.setdefault(event.index, event) == event, "an index always means the same event"
            assert event.index <= self.last_event + 1, "no jump: the engine would ignore everything before it"
            if event.index == self.last_event + 1:
                self.engine_events.append(event)

    @property
    def last_event(self) -> int:
        return self.engine_events[-1].index if self.engine_events else self.confirmed

    def command(self, index: int) -> CommandStartActor | CommandStopActor:
        if index % 2:
            return CommandStopActor(f"a{index}", 1)
        return CommandStartActor(f"a{index}", 1, ActorConfig("n", None, 0, None), [])

    def receive(self, message: ToClient) -> list[Decision]:
        return self.session.receive(encode_to_client(message))

    # What holds after each step

    @invariant()
    def no_event_is_lost(self) -> None:
        """Once everything was flushed on an initialised connection, the engine has every event, in order, once."""
        if not hasattr(self, "session") or not self.session.connected or (self.session.wait(self.now) is not None):
            return
        names = [event.inner.actor_id for event in self.engine_events if isinstance(event.inner, EventActorIntent)]
        known = [name for name in self.reported if name in names]
        assert names == known
        assert names == self.reported[len(self.reported) - len(names) :] or set(self.reported) == set(names)

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
        if self.runner_id is None:
            self.init_new(0)
        else:
            self.init_same(0)
        self.flush()
        while self.barriers:
            self.work_off()
            self.flush()
        assert self.session.data_to_send(self.now + 1) == []
        assert self.session.flushed(self.session.mark)
        assert self.session.event_backlog == len([e for e in self.engine_events if e.index > self.confirmed])
        for request_id in [*self.calls]:
            assert request_id in self.calls_seen
            assert self.receive(ToClientKvResponse(request_id, KvPutResponse())) != []
            del self.calls[request_id]
        assert self.session.unanswered_calls == 0
        assert self.tunnel_seen == self.tunnel_added
        self.no_event_is_lost()


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)
