"""The runner's one state and its table."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._lifecycle import TRANSITIONS, Lifecycle, LifecycleEvent, RunnerState

ORDER = [RunnerState.NEW, RunnerState.STARTING, RunnerState.RUNNING, RunnerState.DRAINING, RunnerState.CLOSED]

PATHS: dict[RunnerState, list[LifecycleEvent]] = {
    RunnerState.NEW: [],
    RunnerState.STARTING: [LifecycleEvent.START],
    RunnerState.RUNNING: [LifecycleEvent.START, LifecycleEvent.INITIALISED],
    RunnerState.DRAINING: [LifecycleEvent.START, LifecycleEvent.SHUT_DOWN],
    RunnerState.CLOSED: [LifecycleEvent.START, LifecycleEvent.SHUT_DOWN, LifecycleEvent.DOWN],
}


def lifecycle_in(state: RunnerState) -> Lifecycle:
    lifecycle = Lifecycle()
    for event in PATHS[state]:
        lifecycle.move(event)
    assert lifecycle.state is state
    return lifecycle


@pytest.mark.parametrize(("state", "event"), [*itertools.product(RunnerState, LifecycleEvent)])
def test_the_state_is_the_tables_when_an_event_happens(state: RunnerState, event: LifecycleEvent) -> None:
    lifecycle = lifecycle_in(state)
    if (state, event) in TRANSITIONS:
        assert lifecycle.move(event) is (TRANSITIONS[state, event] is not state)
        assert lifecycle.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=f"a runner that is {state.value} cannot {event.value}"):
            lifecycle.move(event)
        assert lifecycle.state is state


def test_the_table_goes_only_forward_when_it_is_listed() -> None:
    for (state, _), after in TRANSITIONS.items():
        assert ORDER.index(after) >= ORDER.index(state)


def test_a_shutdown_is_possible_when_the_runner_is_in_any_state() -> None:
    for state in RunnerState:
        lifecycle = lifecycle_in(state)
        lifecycle.move(LifecycleEvent.SHUT_DOWN)
        assert lifecycle.shutting_down
        assert not lifecycle.may_connect


@pytest.mark.parametrize(
    ("state", "may_connect", "shutting_down", "closed", "was_initialised"),
    [
        (RunnerState.NEW, False, False, False, False),
        (RunnerState.STARTING, True, False, False, False),
        (RunnerState.RUNNING, True, False, False, True),
        (RunnerState.DRAINING, False, True, False, True),
        (RunnerState.CLOSED, False, True, True, True),
    ],
)
def test_each_question_has_one_answer_when_the_state_is_known(
    state: RunnerState, may_connect: bool, shutting_down: bool, closed: bool, was_initialised: bool
) -> None:
    lifecycle = lifecycle_in(state)
    assert lifecycle.may_connect is may_connect
    assert lifecycle.shutting_down is shutting_down
    assert lifecycle.closed is closed
    assert lifecycle.was_initialised is was_initialised


@given(st.lists(st.sampled_from(LifecycleEvent), max_size=30))
def test_a_runner_never_connects_again_when_a_shutdown_has_begun(events: list[LifecycleEvent]) -> None:
    lifecycle = Lifecycle()
    begun = False
    for event in events:
        try:
            lifecycle.move(event)
        except RuntimeError:
            continue
        begun = begun or event is LifecycleEvent.SHUT_DOWN
        assert lifecycle.shutting_down is begun
        assert not (begun and lifecycle.may_connect)
