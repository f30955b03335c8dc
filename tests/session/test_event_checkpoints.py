"""The log of version 7's events by itself."""

from __future__ import annotations

import pytest

from rivet_runner._session.event_checkpoints import BATCH, EventCheckpoints
from rivet_runner.protocol.v7 import (
    ActorCheckpoint,
    ActorIntentSleep,
    ActorStateStopped,
    Event,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
    StopCode,
)

SLEEP = EventActorIntent(ActorIntentSleep())
STOPPED = EventActorStateUpdate(ActorStateStopped(StopCode.OK, None))
A1 = ("a1", 1)


def log_of(*events: tuple[tuple[str, int], Event]) -> EventCheckpoints:
    log = EventCheckpoints()
    for generation, event in events:
        log.add(generation, event)
    return log


def taken(log: EventCheckpoints, now: float = 0) -> list[tuple[str, int]]:
    return [(wrapper.checkpoint.actor_id, wrapper.checkpoint.index) for wrapper in log.take(now)]


def test_an_alarm_replaces_an_unsent_one_of_its_generation() -> None:
    alarms = [EventActorSetAlarm(number) for number in range(3)]
    log = log_of((A1, alarms[0]), (("a1", 2), alarms[1]), (A1, SLEEP), (A1, alarms[2]))
    assert [wrapper.inner for wrapper in log.take(0)] == [SLEEP, alarms[2], alarms[1]]


def test_an_alarm_is_not_sent_again_when_a_later_one_replaces_it() -> None:
    log = log_of((A1, SLEEP), (A1, EventActorSetAlarm(1)))
    assert taken(log) == [("a1", 0), ("a1", 1)]
    log.add(A1, EventActorSetAlarm(2))
    assert taken(log) == [("a1", 2)]
    log.resume()
    assert taken(log) == [("a1", 0), ("a1", 2)], "the engine accepts the gap"


def test_a_batch_is_full_when_there_are_more_events() -> None:
    log = log_of(*[((f"a{number}", 1), SLEEP) for number in range(BATCH + 2)])
    assert log.unsent == BATCH + 2
    assert len(log.take(0)) == BATCH
    assert (log.pending, log.unsent) == (True, 2)
    assert len(log.take(0)) == 2
    log.resume()
    assert len(log.take(1)) == BATCH
    assert len(log.take(1)) == 2
    assert not log.pending


def test_the_order_of_a_generation_is_kept_when_the_connection_is_lost_in_the_middle_of_a_repetition() -> None:
    log = log_of((A1, SLEEP), (A1, STOPPED), *[((f"b{number}", 1), SLEEP) for number in range(BATCH)])
    log.take(0), log.take(0)
    log.resume()
    assert taken(log, 1)[:2] == [("a1", 0), ("a1", 1)]
    log.add(A1, SLEEP)
    log.resume()
    again = taken(log, 2) + taken(log, 2)
    assert [place for place in again if place[0] == "a1"] == [("a1", 0), ("a1", 1), ("a1", 2)]
    assert len(again) == len(set(again)) == BATCH + 3


def test_a_confirmed_event_is_not_sent_again_when_it_waits_for_its_repetition() -> None:
    log = log_of((A1, SLEEP), (A1, SLEEP), (("a2", 1), SLEEP))
    log.take(0)
    log.resume()
    log.confirm(ActorCheckpoint(*A1, 0))
    assert taken(log, 1) == [("a1", 1), ("a2", 0)]
    assert len(log) == 2
    log.resume()
    log.confirm(ActorCheckpoint(*A1, 1))
    assert taken(log, 2) == [("a2", 0)]


def test_evidence_confirms_the_generations_that_have_sent_nothing_since() -> None:
    log = log_of((A1, SLEEP), (("a2", 1), SLEEP))
    log.take(1.0)
    log.add(A1, SLEEP)
    log.take(2.0)
    log.confirm_sent_before(2.0)
    assert len(log) == 2
    log.resume()
    assert taken(log, 3.0) == [("a1", 0), ("a1", 1)]
    log.confirm_sent_before(3.1)
    assert len(log) == 0


@pytest.mark.parametrize("acknowledged", [True, False])
@pytest.mark.parametrize("ends_first", [True, False])
def test_nothing_is_remembered_of_a_generation_when_it_is_over_and_confirmed(acknowledged: bool, ends_first: bool) -> None:
    log = log_of((A1, SLEEP), (A1, STOPPED), (("a2", 1), SLEEP))
    log.take(0)
    if ends_first:
        log.end(A1)
    if acknowledged:
        log.confirm(ActorCheckpoint(*A1, 1))
    else:
        log.confirm_sent_before(5.0)
    if not ends_first:
        log.end(A1)
    log.add(A1, SLEEP)
    log.add(("a2", 1), SLEEP)
    assert taken(log, 9) == [("a1", 0), ("a2", 1)], "only the generation that runs is counted on"


def test_the_last_events_are_sent_when_the_generation_is_over_before_they_could_be() -> None:
    log = log_of((A1, STOPPED))
    log.end(A1)
    log.end(("never", 1))
    assert taken(log) == [("a1", 0)]
    log.resume()
    assert taken(log) == [("a1", 0)]


def test_nothing_is_left_when_the_log_starts_over() -> None:
    log = log_of((A1, SLEEP), (A1, SLEEP))
    log.take(0)
    log.resume()
    log.add(A1, SLEEP)
    log.start_over()
    assert (len(log), log.pending) == (0, False)
    log.add(A1, SLEEP)
    assert taken(log, 1) == [("a1", 0)]
