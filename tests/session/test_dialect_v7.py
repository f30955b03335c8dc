"""Version 7: a sequence of events and one of commands for each generation, checkpoints, and pings that are answered."""

from __future__ import annotations

import pytest

from rivet_runner._session.dialect import ActorEvent, SetAlarm, StartActor, StopActor
from rivet_runner._session.dialect_v7 import CERTAIN_AFTER, DialectV7
from rivet_runner.protocol import v7
from rivet_runner.protocol.messages import (
    ActorIntentSleep,
    ActorIntentStop,
    ActorStateRunning,
    ActorStateStopped,
    HibernatingRequest,
    StopCode,
    ToServerStopping,
)
from rivet_runner.protocol.v7 import ActorCheckpoint
from tests.session.dialects import CONFIG, Speaker

STOPPED = ActorStateStopped(StopCode.OK, None)
LISTED = [HibernatingRequest(b"gate", b"req1")]


def started(index: int = 0, actor_id: str = "a1", generation: int = 1) -> v7.CommandWrapper:
    return v7.CommandWrapper(ActorCheckpoint(actor_id, generation, index), v7.CommandStartActor(CONFIG, LISTED))


def stopped(index: int = 1, actor_id: str = "a1", generation: int = 1) -> v7.CommandWrapper:
    return v7.CommandWrapper(ActorCheckpoint(actor_id, generation, index), v7.CommandStopActor())


def places(message: v7.ToServerEvents) -> list[tuple[str, int, int]]:
    places = [event.checkpoint for event in message.items]
    return [(place.actor_id, place.generation, place.index) for place in places]


@pytest.fixture
def speaker() -> Speaker:
    speaker = Speaker(DialectV7)
    speaker.connect()
    return speaker


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ActorIntentSleep(), v7.EventActorIntent(ActorIntentSleep())),
        (ActorIntentStop(), v7.EventActorIntent(ActorIntentStop())),
        (ActorStateRunning(), v7.EventActorStateUpdate(ActorStateRunning())),
        (STOPPED, v7.EventActorStateUpdate(STOPPED)),
        (SetAlarm(5), v7.EventActorSetAlarm(5)),
        (SetAlarm(None), v7.EventActorSetAlarm(None)),
    ],
)
def test_a_checkpoint_names_the_actor_and_generation_of_an_event(
    speaker: Speaker, event: ActorEvent, expected: v7.Event
) -> None:
    speaker.dialect.report("a1", 2, event)
    assert speaker.sent() == [v7.ToServerEvents([v7.EventWrapper(ActorCheckpoint("a1", 2, 0), expected)])]


def test_events_are_counted_for_each_generation_and_leave_at_once(speaker: Speaker) -> None:
    for actor_id, generation in (("a1", 1), ("a2", 1), ("a1", 1)):
        speaker.dialect.report(actor_id, generation, ActorIntentSleep())
    assert [places(message) for message in speaker.sent()] == [[("a1", 1, 0), ("a1", 1, 1), ("a2", 1, 0)]]
    speaker.dialect.report("a1", 2, ActorIntentSleep())
    speaker.dialect.report("a2", 1, ActorIntentSleep())
    assert speaker.dialect.wait(speaker.now) == 0.0
    assert [places(message) for message in speaker.sent()] == [[("a1", 2, 0), ("a2", 1, 1)]]


def test_unconfirmed_events_are_sent_again_with_their_indexes_when_init_is_answered(speaker: Speaker) -> None:
    for name in ("a1", "a2", "a1"):
        speaker.dialect.report(name, 1, ActorIntentSleep())
    (sent,) = speaker.sent()
    speaker.receive(v7.ToClientAckEvents([ActorCheckpoint("a1", 1, 0)]))
    speaker.dialect.connection_lost()
    speaker.dialect.report("a1", 1, ActorIntentStop())
    speaker.connect()
    (again,) = speaker.sent()
    assert again.items[0] == sent.items[1]
    assert places(again) == [("a1", 1, 1), ("a1", 1, 2), ("a2", 1, 0)]


def test_an_acknowledgement_of_another_generation_confirms_nothing(speaker: Speaker) -> None:
    speaker.dialect.report("a1", 2, ActorIntentSleep())
    speaker.sent()
    speaker.receive(v7.ToClientAckEvents([ActorCheckpoint("a1", 1, 5), ActorCheckpoint("a2", 2, 5)]))
    assert speaker.dialect.event_backlog == 1
    speaker.receive(v7.ToClientAckEvents([ActorCheckpoint("a2", 2, 0), ActorCheckpoint("a1", 2, 0)]))
    assert speaker.dialect.event_backlog == 0


def test_everything_starts_over_when_the_runner_was_forgotten(speaker: Speaker) -> None:
    speaker.receive(v7.ToClientCommands([started()]))
    speaker.dialect.report("a1", 1, ActorStateRunning())
    speaker.sent()
    speaker.dialect.connection_lost()
    speaker.connect("r2")
    assert speaker.sent() == []
    assert speaker.receive(v7.ToClientCommands([started()])) == [StartActor("a1", 1, CONFIG, LISTED)]
    speaker.dialect.report("a1", 1, ActorStateRunning())
    assert [places(message) for message in speaker.sent()] == [[("a1", 1, 0)]]


def test_commands_are_handed_on_once_when_they_are_repeated(speaker: Speaker) -> None:
    assert speaker.receive(v7.ToClientCommands([started()])) == [StartActor("a1", 1, CONFIG, LISTED)]
    assert speaker.receive(v7.ToClientCommands([started(), stopped()])) == [StopActor("a1", 1)]
    speaker.dialect.connection_lost()
    speaker.connect()
    assert speaker.receive(v7.ToClientCommands([started(), stopped()])) == []
    # A second stop, as of a drain after the actor asked to sleep, has an index of its own.
    assert speaker.receive(v7.ToClientCommands([stopped(2)])) == [StopActor("a1", 1)]


def test_commands_of_other_generations_are_counted_apart(speaker: Speaker) -> None:
    commands = [started(5), started(0, "a2"), started(0, "a1", 2)]
    assert len(speaker.receive(v7.ToClientCommands(commands))) == 3


def test_a_ping_is_answered_with_its_own_time(speaker: Speaker) -> None:
    speaker.receive(v7.ToClientPing(1_700_000_000_123))
    assert speaker.sent() == [v7.ToServerPong(1_700_000_000_123)]
    speaker.dialect.keep_alive(5)
    assert speaker.sent() == []


def test_a_ping_is_answered_before_init_is() -> None:
    speaker = Speaker(DialectV7)
    speaker.dialect.connection_opened()
    speaker.sent()
    speaker.receive(v7.ToClientPing(5))
    assert speaker.sent() == [v7.ToServerPong(5)]


def test_commands_are_acknowledged_along_with_a_pong(speaker: Speaker) -> None:
    speaker.receive(v7.ToClientCommands([started(), started(0, "a2"), stopped()]))
    speaker.receive(v7.ToClientPing(1))
    acknowledged = [ActorCheckpoint("a1", 1, 1), ActorCheckpoint("a2", 1, 0)]
    assert speaker.sent() == [v7.ToServerPong(1), v7.ToServerAckCommands(acknowledged)]
    speaker.receive(v7.ToClientPing(2))
    assert speaker.sent() == [v7.ToServerPong(2)]


def test_commands_are_acknowledged_again_when_the_connection_was_lost(speaker: Speaker) -> None:
    speaker.receive(v7.ToClientCommands([started()]))
    speaker.receive(v7.ToClientPing(1))
    speaker.dialect.connection_lost()
    speaker.connect()
    speaker.receive(v7.ToClientPing(2))
    assert speaker.sent() == [v7.ToServerPong(2), v7.ToServerAckCommands([ActorCheckpoint("a1", 1, 0)])]


def test_events_are_confirmed_when_the_engine_still_pings_long_after_them(speaker: Speaker) -> None:
    speaker.dialect.report("a1", 1, ActorStateRunning())
    speaker.sent()
    speaker.ping(CERTAIN_AFTER)
    speaker.dialect.report("a2", 1, ActorStateRunning())
    speaker.sent()
    assert speaker.dialect.event_backlog == 2, "the first is not old enough"
    speaker.ping()
    assert speaker.dialect.event_backlog == 1
    speaker.dialect.connection_lost()
    speaker.connect()
    assert [places(message) for message in speaker.sent()[-1:]] == [[("a2", 1, 0)]]


def test_old_events_are_not_confirmed_when_they_were_sent_again_on_a_new_connection(speaker: Speaker) -> None:
    speaker.dialect.report("a1", 1, ActorStateRunning())
    speaker.sent()
    speaker.ping(CERTAIN_AFTER)
    speaker.dialect.connection_lost()
    speaker.connect()
    speaker.sent()
    speaker.ping(CERTAIN_AFTER)
    assert speaker.dialect.event_backlog == 1


def test_a_generation_is_forgotten_when_it_has_ended_and_everything_has_arrived(speaker: Speaker) -> None:
    def start_again() -> int:
        return len(speaker.receive(v7.ToClientCommands([started()])))

    assert start_again() == 1
    speaker.receive(v7.ToClientPing(1))
    speaker.dialect.report("a1", 1, STOPPED)
    speaker.dialect.generation_ended("a1", 1)
    speaker.sent()
    assert start_again() == 0, "the acknowledgement may be lost"
    speaker.ping(CERTAIN_AFTER + 2)
    assert speaker.dialect.event_backlog == 0
    assert start_again() == 1, "the engine would not repeat it any more, so nothing is kept of it"


def test_a_drain_goes_on_when_stopping_is_sent_again(speaker: Speaker) -> None:
    for _ in range(2):
        speaker.dialect.keep_draining()
        assert speaker.sent() == [ToServerStopping()]


def test_only_the_last_alarm_is_sent_again_when_the_connection_was_lost(speaker: Speaker) -> None:
    speaker.dialect.report("a1", 1, ActorStateRunning())
    for number in range(1000):
        speaker.dialect.report("a1", 1, SetAlarm(number))
        speaker.sent()
    assert speaker.dialect.event_backlog == 2
    assert not speaker.dialect.wants_new_init
    speaker.dialect.connection_lost()
    speaker.connect()
    (again,) = speaker.sent()
    assert places(again) == [("a1", 1, 0), ("a1", 1, 1000)]
    assert again.items[1].inner == v7.EventActorSetAlarm(999)


def test_unconfirmed_events_are_not_overdue_when_they_were_sent(speaker: Speaker) -> None:
    for number in range(3):
        speaker.dialect.report(f"a{number}", 1, ActorStateRunning())
    assert speaker.dialect.overdue_events == 3
    speaker.sent()
    assert (speaker.dialect.overdue_events, speaker.dialect.event_backlog) == (0, 3)


def test_a_start_has_no_list_of_requests_when_the_engine_repeats_it_after_init(speaker: Speaker) -> None:
    unlisted = v7.CommandWrapper(ActorCheckpoint("a3", 1, 0), v7.CommandStartActor(CONFIG, []))
    speaker.receive(v7.ToClientCommands([]))
    assert speaker.receive(v7.ToClientCommands([unlisted])) == [StartActor("a3", 1, CONFIG, [])]
    speaker.dialect.connection_lost()
    speaker.connect()
    again = v7.CommandWrapper(ActorCheckpoint("a3", 2, 0), v7.CommandStartActor(CONFIG, []))
    expected = [StartActor("a3", 2, CONFIG, None), StartActor("a1", 1, CONFIG, LISTED)]
    assert speaker.receive(v7.ToClientCommands([unlisted, again, started()])) == expected
    last = v7.CommandWrapper(ActorCheckpoint("a3", 3, 0), v7.CommandStartActor(CONFIG, []))
    assert speaker.receive(v7.ToClientCommands([last])) == [StartActor("a3", 3, CONFIG, [])]
