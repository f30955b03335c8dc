"""The indexes of events: what the engine takes, and what it drops for ever."""

from __future__ import annotations

import pytest

from rivet_runner.protocol.v3 import EventActorSetAlarm, EventWrapper, ToServerEvents
from rivet_runner.testing._simulated.runner_indexes import MAX_SKIPPED, RunnerIndexesV3


def events(*indexes: int) -> ToServerEvents:
    return ToServerEvents([EventWrapper(index, EventActorSetAlarm(f"a{index}", 0, index)) for index in indexes])


@pytest.mark.parametrize("missing", [0, 3, 4])
def test_event_is_lost_when_a_later_one_has_come_before_it(missing: int) -> None:
    indexes = RunnerIndexesV3()
    others = [index for index in range(6) if index != missing]
    assert indexes.overtaken(events(*others)) == []
    assert [event.actor_id for event in indexes.accept(events(*others))] == [f"a{index}" for index in others]
    assert indexes.overtaken(events(missing)) == [f"a{missing}"]
    assert indexes.accept(events(missing)) == []


def test_event_is_not_lost_when_it_comes_a_second_time() -> None:
    indexes = RunnerIndexesV3()
    indexes.accept(events(0, 1))
    assert indexes.overtaken(events(0, 1)) == []


def test_missing_events_are_remembered_up_to_a_bound() -> None:
    indexes = RunnerIndexesV3()
    for last in (1, 3 * MAX_SKIPPED):
        indexes.accept(events(last))
    assert indexes.overtaken(events(0, 2)) == []
    assert indexes.overtaken(events(3 * MAX_SKIPPED - 1, 2 * MAX_SKIPPED)) == ["a2999", "a2000"]
