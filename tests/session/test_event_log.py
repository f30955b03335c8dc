"""Events: strictly consecutive indexes, given out when an event is first sent, and what the engine has is forgotten."""

from __future__ import annotations

from rivet_runner._session.event_log import MAX_BATCH, EventLog
from rivet_runner.protocol.v3 import ActorIntentSleep, Event, EventActorIntent, EventActorSetAlarm, EventWrapper


def event(name: str = "a1") -> EventActorIntent:
    return EventActorIntent(name, 1, ActorIntentSleep())


def log_of(*events: Event) -> EventLog:
    log = EventLog()
    for each in events:
        log.add(each)
    return log


def indexes(batch: list[EventWrapper]) -> list[int]:
    return [wrapper.index for wrapper in batch]


def test_indexes_are_consecutive_from_zero_when_events_are_sent() -> None:
    log = log_of(event("a"), event("b"))
    assert log.pending
    assert log.take() == [EventWrapper(0, event("a")), EventWrapper(1, event("b"))]
    log.add(event("c"))
    assert log.take() == [EventWrapper(2, event("c"))]


def test_nothing_is_given_when_everything_was_sent() -> None:
    log = log_of(event())
    log.take()
    assert not log.pending
    assert log.take() == []
    assert (len(log), log.unconfirmed) == (1, 1), "it is not confirmed yet"


def test_a_batch_is_full_when_there_are_more_events() -> None:
    log = log_of(*(event() for _ in range(2 * MAX_BATCH + 1)))
    assert [len(log.take()) for _ in range(4)] == [MAX_BATCH, MAX_BATCH, 1, 0]


def test_a_batch_holds_resent_events_first_when_new_ones_wait() -> None:
    log = log_of(*(event() for _ in range(MAX_BATCH - 1)))
    log.take()
    log.resume(-1)
    log.add(event("new"))
    log.add(event("newer"))
    assert log.take()[-1] == EventWrapper(MAX_BATCH - 1, event("new"))
    assert log.take() == [EventWrapper(MAX_BATCH, event("newer"))]


def test_an_alarm_replaces_the_unsent_one_when_the_actor_is_the_same() -> None:
    log = log_of(EventActorSetAlarm("a", 1, 10), event("a"), EventActorSetAlarm("a", 1, 20))
    assert [wrapper.inner for wrapper in log.take()] == [EventActorSetAlarm("a", 1, 20), event("a")]


def test_alarms_stay_apart_when_they_are_of_others_or_were_sent() -> None:
    alarms = [EventActorSetAlarm("a", 1, 10), EventActorSetAlarm("b", 1, 10), EventActorSetAlarm("a", 2, 10)]
    log = log_of(*alarms)
    assert [wrapper.inner for wrapper in log.take()] == alarms
    log.add(EventActorSetAlarm("a", 1, 30))
    assert indexes(log.take()) == [3], "an index that was sent means the same event for ever"


def test_what_was_confirmed_is_not_sent_again_when_the_engine_resumes() -> None:
    log = log_of(*(event() for _ in range(5)))
    log.take()
    log.confirm(1)
    assert log.unconfirmed == 3
    log.resume(2)
    assert indexes(log.take()) == [3, 4]


def test_an_event_is_not_sent_again_when_it_is_confirmed_after_the_resume() -> None:
    log = log_of(*(event() for _ in range(3)))
    log.take()
    log.resume(-1)
    log.confirm(1)
    assert indexes(log.take()) == [2]


def test_indexes_go_on_behind_the_engines_when_it_is_ahead() -> None:
    log = log_of(event())
    log.resume(41)
    assert indexes(log.take()) == [42]


def test_everything_is_forgotten_when_the_runner_starts_over() -> None:
    log = log_of(event(), event())
    log.take()
    log.resume(-1)
    log.add(event())
    log.start_over(6)
    assert (len(log), log.pending) == (0, False)
    log.add(event("new"))
    assert log.take() == [EventWrapper(7, event("new"))]
