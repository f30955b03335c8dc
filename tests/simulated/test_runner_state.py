"""A runner as the engine sees it, without I/O: its identity, repeated commands, draining, and loss."""

from __future__ import annotations

import pytest

from rivet_runner.protocol.v3 import (
    EventActorSetAlarm,
    EventWrapper,
    KvErrorResponse,
    KvGetRequest,
    KvPutRequest,
    KvPutResponse,
    MessageId,
    ToClientAckEvents,
    ToClientCommands,
    ToClientInit,
    ToClientKvResponse,
    ToServerAckCommands,
    ToServerEvents,
    ToServerKvRequest,
    ToServerPing,
    ToServerResponseStart,
    ToServerStopping,
    ToServerTunnelMessage,
)
from tests.simulated.bare_runner import BareEngine, BareRunner, look


@pytest.fixture
def engine() -> BareEngine:
    return BareEngine()


class TestRefusals:
    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("/runners/connect?protocol_version=3&namespace=default", "ws.invalid_url"),
            ("/runners/connect?protocol_version=x&namespace=default&runner_key=k", "ws.invalid_url"),
            ("/runners/connect?protocol_version=3&namespace=other&runner_key=k", "namespace.not_found"),
        ],
    )
    def test_connection_is_closed_when_its_query_is_not_a_runners(
        self, engine: BareEngine, target: str, reason: str
    ) -> None:
        assert BareRunner(engine, "key", target).closed == (1011, reason)

    def test_connection_is_closed_when_no_init_comes(self, engine: BareEngine) -> None:
        runner = BareRunner(engine, "key")
        engine.advance(4.9)
        assert look(runner).closed is None
        engine.advance(0.2)
        assert look(runner).closed == (1011, "ws.timed_out_waiting_for_init")

    @pytest.mark.parametrize(
        ("frame", "reason"), [("text", "ws.invalid_initial_packet"), (b"\xff\xff", "ws.invalid_packet")]
    )
    def test_connection_is_closed_when_the_first_frame_is_no_message(
        self, engine: BareEngine, frame: bytes | str, reason: str
    ) -> None:
        runner = BareRunner(engine, "key")
        runner.socket.receive(frame)
        assert look(runner).closed == (1011, reason)

    def test_connection_is_closed_when_the_first_message_is_another(self, engine: BareEngine) -> None:
        runner = BareRunner(engine, "key")
        runner.say(ToServerPing(0))
        assert look(runner).closed == (1011, "ws.invalid_initial_packet")

    def test_garbage_is_ignored_after_init(self, engine: BareEngine) -> None:
        runner = engine.connect()
        runner.socket.receive(b"\xff\xff")
        runner.socket.receive("text")
        assert look(runner).closed is None

    def test_connection_is_cut_when_a_payload_is_too_large(self, engine: BareEngine) -> None:
        runner = engine.connect()
        answer = ToServerResponseStart(200, {}, bytes(20 * 1024 * 1024 + 1), stream=False)
        runner.say(ToServerTunnelMessage(MessageId(b"gate", b"requ", 0), answer))
        assert look(runner).closed == (1011, "ws.invalid_packet")


class TestIdentity:
    def test_newcomer_gets_the_id_and_evicts_when_it_has_the_same_name_and_key(self, engine: BareEngine) -> None:
        first = engine.connect(version=7)
        second = engine.connect(version=8)
        assert first.closed == (1000, "ws.eviction")
        ids = [runner.heard(ToClientInit)[0].runner_id for runner in (first, second)]
        assert ids[0] == ids[1]
        assert engine.cluster.runners[ids[0]].version == 7, "what the newcomer says of itself is not looked at"
        assert engine.create().runner_id == ids[0]

    def test_runner_that_was_lost_comes_back_under_a_new_id(self, engine: BareEngine) -> None:
        first = engine.connect()
        first.socket.lost()
        engine.advance(31)
        second = engine.connect()
        ids = [runner.heard(ToClientInit)[0].runner_id for runner in (first, second)]
        assert ids[0] != ids[1]

    def test_init_is_answered_again_on_the_same_connection(self, engine: BareEngine) -> None:
        runner = engine.connect()
        engine.create()
        runner.init()
        assert len(runner.heard(ToClientInit)) == 2
        assert runner.commands == [("start", 0), ("start", 0)], "nothing was acknowledged"


class TestIndexes:
    def test_commands_come_again_in_one_message_when_they_were_not_received(self, engine: BareEngine) -> None:
        runner = engine.connect()
        for _ in range(3):
            engine.create()
        runner.say(ToServerAckCommands(0))
        runner.socket.lost()
        again = engine.connect(last_command_idx=1)
        assert [[item.index for item in message.items] for message in again.heard(ToClientCommands)] == [[2]]
        again.socket.lost()
        everything = engine.connect()
        [message] = everything.heard(ToClientCommands)
        assert [item.index for item in message.items] == [1, 2], "an acknowledged command is gone for good"

    def test_events_are_dropped_when_their_index_is_not_above_the_last(self, engine: BareEngine) -> None:
        runner = engine.connect()
        actor = engine.running(runner)
        for index, alarm in [(5, 50), (3, 30), (5, 55)]:
            runner.say(ToServerEvents([EventWrapper(index, EventActorSetAlarm(actor.id, 0, alarm + engine.clock.now))]))
        assert actor.alarm_ts == 50 + engine.clock.now
        runner.socket.lost()
        assert engine.connect().heard(ToClientInit)[0].last_event_idx == 5

    def test_events_are_acknowledged_when_more_than_500_have_come(self, engine: BareEngine) -> None:
        runner = engine.connect()
        actor = engine.running(runner)
        for _ in range(499):
            runner.set_alarm(actor, None)
        assert runner.heard(ToClientAckEvents) == []
        for _ in range(2):
            runner.set_alarm(actor, None)
        assert runner.heard(ToClientAckEvents) == [ToClientAckEvents(500)]


class TestLost:
    @pytest.mark.parametrize("silent_for", [3, 8, 14])
    def test_actors_are_lost_at_the_second_silent_threshold_when_the_runner_was_pinged_since(
        self, engine: BareEngine, silent_for: float
    ) -> None:
        runner = engine.connect()
        actor = engine.running(runner)
        engine.advance(silent_for)
        runner.socket.lost()
        engine.advance(30 - silent_for - 0.01)
        assert look(actor).runner_id is not None
        engine.advance(0.02)
        assert look(actor).runner_id is None

    def test_actors_are_lost_at_the_first_silent_threshold_when_its_last_message_followed_the_last_ping(
        self, engine: BareEngine
    ) -> None:
        runner = engine.connect()
        engine.advance(2)
        actor = engine.running(runner)
        runner.socket.lost()
        engine.advance(14.99)
        assert look(actor).runner_id is not None
        engine.advance(0.02)
        assert look(actor).runner_id is None

    def test_runner_is_not_lost_when_it_is_silent_on_an_open_connection(self, engine: BareEngine) -> None:
        runner = engine.connect()
        actor = engine.running(runner)
        engine.advance(86_400)
        assert look(actor).connectable
        assert look(runner).closed is None

    def test_runner_gets_no_actors_while_it_is_away(self, engine: BareEngine) -> None:
        runner = engine.connect()
        runner.socket.lost()
        assert engine.create().error == "no_capacity"
        back = engine.connect()
        engine.create()
        assert back.commands == [("start", 0)]

    def test_actors_move_when_the_policy_is_restart_and_another_runner_is_there(self, engine: BareEngine) -> None:
        runner = engine.connect("first")
        actor = engine.running(runner, policy="restart")
        other = engine.connect("second")
        runner.socket.lost()
        engine.advance(31)
        assert other.commands == [("start", 1)]
        assert look(actor).error is None


class TestDrain:
    def test_actors_get_stop_commands_and_new_ones_go_elsewhere(self, engine: BareEngine) -> None:
        runner = engine.connect("first")
        actors = [engine.running(runner) for _ in range(2)]
        other = engine.connect("second")
        runner.say(ToServerStopping())
        runner.say(ToServerStopping())
        assert runner.commands == [("start", 0)] * 2 + [("stop", 0)] * 2
        for actor in actors:
            runner.stopped(actor)
            assert look(actor).sleeping
            assert look(actor).destroy_ts is None
        engine.create()
        assert other.commands == [("start", 0)]

    def test_runner_is_evicted_a_threshold_after_its_last_message(self, engine: BareEngine) -> None:
        runner = engine.connect()
        actor = engine.running(runner)
        runner.say(ToServerStopping())
        engine.advance(10)
        runner.say(ToServerAckCommands(0))
        engine.advance(14.9)
        assert look(runner).closed is None
        engine.advance(0.2)
        assert look(runner).closed == (1000, "ws.eviction")
        assert look(actor).sleeping

    def test_pings_do_not_prolong_a_drain(self, engine: BareEngine) -> None:
        runner = engine.connect()
        runner.say(ToServerStopping())
        for _ in range(5):
            engine.advance(3)
            runner.say(ToServerPing(engine.clock.now))
        assert look(runner).closed == (1000, "ws.eviction")

    def test_key_is_free_while_its_runner_drains(self, engine: BareEngine) -> None:
        runner = engine.connect()
        runner.say(ToServerStopping())
        successor = engine.connect()
        assert look(runner).closed is None
        assert runner.heard(ToClientInit)[0].runner_id != successor.heard(ToClientInit)[0].runner_id


class TestAllocation:
    def test_only_the_highest_version_gets_actors(self, engine: BareEngine) -> None:
        engine.connect("old", version=1)
        new = engine.connect("new", version=2, slots=1)
        engine.create()
        assert engine.create().error == "no_capacity", "the highest version is full, and no other counts"
        assert new.commands == [("start", 0)]

    def test_actors_are_spread_by_free_slots(self, engine: BareEngine) -> None:
        small, large = engine.connect("small", slots=10), engine.connect("large", slots=1000)
        for _ in range(110):
            engine.create()
        assert len(small.commands) <= 10
        assert len(large.commands) >= 100


class TestKv:
    def test_kv_is_answered_for_an_actor_that_is_here(self, engine: BareEngine) -> None:
        runner = engine.connect()
        actor = engine.running(runner)
        runner.say(ToServerKvRequest(actor.id, 9, KvPutRequest([b"a"], [b"1"])))
        assert runner.heard(ToClientKvResponse) == [ToClientKvResponse(9, KvPutResponse())]

    def test_kv_is_refused_when_the_actor_is_elsewhere_or_nowhere(self, engine: BareEngine) -> None:
        runner, other = engine.connect("first"), None
        actor = engine.running(runner)
        sleeper = engine.running(runner)
        runner.stopped(sleeper, error="x")
        other = engine.connect("second")
        for actor_id in (actor.id, sleeper.id, engine.cluster.ids.new(), "nonsense"):
            other.say(ToServerKvRequest(actor_id, 0, KvGetRequest([b"a"])))
        messages = [answer.data for answer in other.heard(ToClientKvResponse)]
        assert messages == [
            KvErrorResponse("actor does not belong to runner"),
            KvErrorResponse("actor does not exist"),
            KvErrorResponse("actor does not exist"),
            KvErrorResponse("invalid id"),
        ]


def test_crashed_engine_answers_init_when_the_lease_of_the_runner_is_over(engine: BareEngine) -> None:
    runner = engine.connect()
    runner_id = runner.heard(ToClientInit)[0].runner_id
    runner.socket.lost()
    engine.cluster.runners[runner_id].lease(engine.clock.now + 30_000)
    back, fresh = engine.connect(), engine.connect("fresh")
    engine.advance(29)
    assert back.heard(ToClientInit) == []
    assert len(fresh.heard(ToClientInit)) == 1
    engine.advance(2)
    assert back.heard(ToClientInit)[0].runner_id == runner_id
