"""Version 3: one sequence of events and one of commands for a runner."""

from __future__ import annotations

import pytest

from rivet_runner._session.dialect import ActorEvent, CloseRequested, SetAlarm, StartActor, StopActor
from rivet_runner._session.dialect_v3 import DialectV3
from rivet_runner._session.event_spacing import EVENT_SPACING
from rivet_runner.protocol import v3
from rivet_runner.protocol.messages import (
    ActorIntentSleep,
    ActorIntentStop,
    ActorStateRunning,
    ActorStateStopped,
    HibernatingRequest,
    StopCode,
)
from tests.session.dialects import CONFIG, Speaker

STOPPED = ActorStateStopped(StopCode.OK, None)
LISTED = [HibernatingRequest(b"gate", b"req1")]


def started(index: int, actor_id: str = "a1", generation: int = 1) -> v3.CommandWrapper:
    return v3.CommandWrapper(index, v3.CommandStartActor(actor_id, generation, CONFIG, LISTED))


def stopped(index: int, actor_id: str = "a1", generation: int = 1) -> v3.CommandWrapper:
    return v3.CommandWrapper(index, v3.CommandStopActor(actor_id, generation))


@pytest.fixture
def speaker() -> Speaker:
    speaker = Speaker(DialectV3)
    speaker.connect()
    return speaker


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ActorIntentSleep(), v3.EventActorIntent("a1", 2, ActorIntentSleep())),
        (ActorIntentStop(), v3.EventActorIntent("a1", 2, ActorIntentStop())),
        (ActorStateRunning(), v3.EventActorStateUpdate("a1", 2, ActorStateRunning())),
        (STOPPED, v3.EventActorStateUpdate("a1", 2, STOPPED)),
        (SetAlarm(5), v3.EventActorSetAlarm("a1", 2, 5)),
        (SetAlarm(None), v3.EventActorSetAlarm("a1", 2, None)),
    ],
)
def test_an_event_names_its_actor_and_generation(speaker: Speaker, event: ActorEvent, expected: v3.Event) -> None:
    speaker.dialect.report("a1", 2, event)
    assert speaker.sent() == [v3.ToServerEvents([v3.EventWrapper(0, expected)])]


def test_events_are_spaced_when_they_follow_closely(speaker: Speaker) -> None:
    speaker.dialect.report("a1", 1, ActorIntentSleep())
    speaker.sent()
    speaker.dialect.report("a2", 1, ActorIntentSleep())
    assert speaker.dialect.wait(speaker.now + 0.04) == pytest.approx(EVENT_SPACING - 0.04)
    assert speaker.sent() == []
    speaker.now += 1.01 * EVENT_SPACING
    assert speaker.sent() == [v3.ToServerEvents([v3.EventWrapper(1, v3.EventActorIntent("a2", 1, ActorIntentSleep()))])]


def test_events_after_the_last_that_the_engine_has_are_sent_again_when_it_answers_init(speaker: Speaker) -> None:
    for name in ("a1", "a2", "a3"):
        speaker.dialect.report(name, 1, ActorStateRunning())
    (sent,) = speaker.sent()
    speaker.dialect.connection_lost()
    speaker.now += 1
    speaker.connect(last_event_idx=0)
    assert speaker.sent() == [v3.ToServerEvents(sent.items[1:])]
    speaker.receive(v3.ToClientAckEvents(1))
    assert speaker.dialect.event_backlog == 1


def test_commands_are_handed_on_once_when_they_are_repeated(speaker: Speaker) -> None:
    start = StartActor("a1", 1, CONFIG, LISTED)
    assert speaker.receive(v3.ToClientCommands([started(4)])) == [start]
    assert speaker.receive(v3.ToClientCommands([started(4), stopped(5)])) == [StopActor("a1", 1)]


def test_init_tells_the_last_command_when_the_runner_reconnects(speaker: Speaker) -> None:
    speaker.receive(v3.ToClientCommands([started(4)]))
    speaker.dialect.connection_lost()
    speaker.dialect.connection_opened()
    (init,) = speaker.sent()
    assert init.last_command_idx == 4
    speaker.answer_init("r2")
    assert len(speaker.receive(v3.ToClientCommands([started(0)]))) == 1, "the new runner's commands begin again"


def test_commands_are_acknowledged_along_with_a_ping(speaker: Speaker) -> None:
    speaker.dialect.keep_alive(5)
    assert speaker.sent() == [v3.ToServerPing(5)]
    speaker.receive(v3.ToClientCommands([started(0), stopped(1)]))
    speaker.dialect.keep_alive(6)
    assert speaker.sent() == [v3.ToServerPing(6), v3.ToServerAckCommands(1)]
    speaker.dialect.keep_alive(7)
    assert speaker.sent() == [v3.ToServerPing(7)]


def test_a_drain_goes_on_when_the_last_command_is_acknowledged_again(speaker: Speaker) -> None:
    speaker.dialect.keep_draining()
    assert speaker.sent() == []
    speaker.receive(v3.ToClientCommands([started(3)]))
    for _ in range(2):
        speaker.dialect.keep_draining()
        assert speaker.sent() == [v3.ToServerAckCommands(3)]


def test_the_engine_can_ask_for_the_connection_to_be_closed(speaker: Speaker) -> None:
    assert speaker.receive(v3.ToClientClose()) == [CloseRequested()]
