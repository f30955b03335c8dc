"""The log of version 7's events by itself."""

from __future__ import annotations

import pytest

from rivet_runner._session.event_checkpoints import MAX_BATCH, EventCheckpoints
from rivet_runner.protocol.v7 import (
    ActorCheckpoint,
    ActorIntentSleep,
    ActorStateStopped,
    Event,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
    EventWrapper,
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


def indexes(batch: list[EventWrapper]) -> list[int]:
    return [wrapper.checkpoint.index for wrapper in batch]


def test_an_alarm_replaces_an_unsent_one_of_its_generation() -> None:
    alarms = [EventActorSetAlarm(number) for number in range(4)]
    log = log_of((A1, alarms[0]), (("a1", 2), alarms[1]), (A1, SLEEP), (A1, alarms[2]))
    assert [wrapper.inner for wrapper in log.take(0)] == [alarms[2], alarms[1], SLEEP]
    log.add(A1, alarms[3])
    assert [wrapper.inner for wrapper in log.take(0)] == [alarms[3]], "a sent one stays as it is"


def test_a_batch_is_full_when_there_are_more_events() -> None:
    log = log_of(*[(A1, SLEEP)] * (MAX_BATCH + 2))
    assert indexes(log.take(0)) == [*range(MAX_BATCH)]
    assert log.pending
    assert indexes(log.take(0)) == [MAX_BATCH, MAX_BATCH + 1]
    log.resume()
    assert indexes(log.take(1)) == [*range(MAX_BATCH)]
    assert indexes(log.take(1)) == [MAX_BATCH, MAX_BATCH + 1]
    assert not log.pending


def test_the_order_is_kept_when_the_connection_is_lost_in_the_middle_of_a_repetition() -> None:
    log = log_of(*[(A1, SLEEP)] * (MAX_BATCH + 2))
    log.take(0), log.take(0)
    log.resume()
    log.take(1)
    log.add(A1, SLEEP)
    log.resume()
    assert indexes(log.take(2)) == [*range(MAX_BATCH)]
    assert indexes(log.take(2)) == [MAX_BATCH, MAX_BATCH + 1, MAX_BATCH + 2]


def test_a_confirmed_event_is_not_sent_again_when_it_waits_for_its_repetition() -> None:
    log = log_of((A1, SLEEP), (A1, SLEEP), (("a2", 1), SLEEP))
    log.take(0)
    log.resume()
    log.confirm(ActorCheckpoint(*A1, 0))
    assert indexes(log.take(1)) == [1, 0]
    assert len(log) == 2


def test_evidence_confirms_the_events_before_it_and_no_later_ones() -> None:
    log = log_of((A1, SLEEP))
    log.take(1.0)
    log.add(A1, SLEEP)
    log.take(2.0)
    log.confirm_sent_before(2.0)
    assert log.unconfirmed == 1
    log.resume()
    assert indexes(log.take(3.0)) == [1]


@pytest.mark.parametrize("acknowledged", [True, False])
def test_nothing_is_remembered_of_a_generation_when_its_end_is_confirmed(acknowledged: bool) -> None:
    log = log_of((A1, SLEEP), (A1, STOPPED), (("a2", 1), SLEEP))
    log.take(0)
    if acknowledged:
        log.confirm(ActorCheckpoint(*A1, 1))
    else:
        log.confirm_sent_before(5.0)
    log.add(A1, SLEEP)
    log.add(("a2", 1), SLEEP)
    assert indexes(log.take(9)) == [0, 1], "only the generation that runs is counted on"


def test_nothing_is_left_when_the_log_starts_over() -> None:
    log = log_of((A1, SLEEP), (A1, SLEEP))
    log.take(0)
    log.resume()
    log.add(A1, SLEEP)
    log.start_over()
    assert (len(log), log.pending) == (0, False)
    log.add(A1, SLEEP)
    assert indexes(log.take(1)) == [0]
