"""An actor's life as the engine drives it, without I/O: starts, stops, wakes and destroys, and their times."""

from __future__ import annotations

import pytest

from rivet_runner.protocol.v3 import ActorIntentSleep, ActorIntentStop
from rivet_runner.testing._simulated.actor_spec import ActorSignal, CrashPolicy
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from tests.simulated.bare_runner import BareEngine, BareRunner, look


@pytest.fixture
def engine() -> BareEngine:
    return BareEngine()


@pytest.fixture
def runner(engine: BareEngine) -> BareRunner:
    return engine.connect()


def asleep(runner: BareRunner, actor: SimulatedActor) -> None:
    runner.intends(actor, ActorIntentSleep())
    runner.stopped(actor)


def test_actor_is_connectable_when_its_runner_says_that_it_runs(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.create()
    assert runner.commands == [("start", 0)]
    assert not look(actor).connectable
    runner.running(actor)
    assert look(actor).connectable
    assert actor.start_ts == actor.connectable_ts == engine.clock.now


def test_actor_is_lost_when_it_does_not_run_within_the_start_threshold(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.create()
    runner_id = actor.runner_id
    engine.advance(29.9)
    assert look(actor).error is None
    engine.advance(0.2)
    assert look(actor).error == {"runner_no_response": {"runner_id": runner_id}}
    assert look(actor).sleeping
    assert runner.commands == [("start", 0), ("stop", 0)], "it may run all the same"


def test_actor_sleeps_when_it_asked_to_and_stopped(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.running(runner)
    runner.intends(actor, ActorIntentSleep())
    runner.intends(actor, ActorIntentSleep())
    assert runner.commands == [("start", 0), ("stop", 0)]
    assert actor.gateway_sees_sleeping
    assert look(actor).runner_id is not None
    runner.stopped(actor)
    assert look(actor).runner_id is None
    assert look(actor).destroy_ts is None


@pytest.mark.parametrize("policy", ["sleep", "restart", "destroy"])
def test_actor_is_destroyed_when_it_stops_cleanly_without_going_to_sleep(
    engine: BareEngine, runner: BareRunner, policy: CrashPolicy
) -> None:
    actor = engine.running(runner, policy=policy)
    runner.intends(actor, ActorIntentStop())
    assert runner.commands[-1] == ("stop", 0)
    runner.stopped(actor)
    assert look(actor).destroy_ts is not None


def test_crash_ends_as_the_policy_says(engine: BareEngine, runner: BareRunner) -> None:
    sleeps, restarts, ends = (engine.running(runner, policy=policy) for policy in ("sleep", "restart", "destroy"))
    for actor in (sleeps, restarts, ends):
        runner.stopped(actor, error="boom")
    assert (sleeps.sleeping, sleeps.error) == (True, {"crashed": {"message": "boom"}})
    assert (restarts.generation, restarts.error) == (1, None)
    assert ends.destroy_ts is not None


def test_every_crash_makes_the_next_start_slower(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.running(runner, policy="restart")
    delays = []
    for generation in range(1, 6):
        crashed_at = engine.clock.now
        runner.stopped(actor, error="again")
        while actor.generation < generation:
            engine.advance(0.001)
        delays.append((engine.clock.now - crashed_at) / 1000)
        runner.running(actor)
    assert delays[0] == 0
    for delay, least in zip(delays[1:], (2, 4, 8, 16), strict=True):
        assert least <= delay < least + 0.5


def test_wakes_are_delayed_after_crashes_until_the_actor_sleeps_cleanly(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.running(runner)
    runner.stopped(actor, error="boom")
    actor.wake(pending_timeout=60_000)
    assert actor.generation == 1
    runner.running(actor)
    runner.stopped(actor, error="boom")
    actor.wake(pending_timeout=60_000)
    assert actor.generation == 1
    engine.advance(2.5)
    assert actor.generation == 2
    runner.running(actor)
    asleep(runner, actor)
    actor.wake(pending_timeout=60_000)
    assert actor.generation == 3


def test_wake_is_deferred_when_the_actor_is_still_stopping(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.running(runner)
    runner.intends(actor, ActorIntentSleep())
    actor.wake(pending_timeout=60_000)
    assert actor.generation == 0
    runner.stopped(actor)
    assert actor.generation == 1
    assert runner.commands == [("start", 0), ("stop", 0), ("start", 1)]


def test_stopped_is_told_after_the_next_generation_was_decided(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.running(runner, policy="restart")
    seen: list[tuple[ActorSignal, int]] = []
    engine.cluster.subscribe(actor.id, lambda signal: seen.append((signal, actor.generation)))
    runner.stopped(actor, error="boom")
    runner.running(actor)
    assert seen == [(ActorSignal.STOPPED, 1), (ActorSignal.READY, 1)]


def test_events_are_ignored_when_they_are_of_another_generation(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.running(runner)
    asleep(runner, actor)
    actor.wake(pending_timeout=60_000)
    actor.generation = 0
    runner.running(actor)
    actor.generation = 1
    assert look(actor).connectable
    runner.report()
    first = engine.running(runner)
    first.generation = 5
    runner.stopped(first)
    first.generation = 6
    assert first.destroy_ts is not None


class TestAlarms:
    def test_alarm_wakes_a_sleeping_actor_at_its_time(self, engine: BareEngine, runner: BareRunner) -> None:
        actor = engine.running(runner)
        runner.set_alarm(actor, engine.clock.now + 30 * 86_400_000)
        asleep(runner, actor)
        engine.advance(30 * 86_400 - 0.001)
        assert actor.generation == 0
        engine.advance(0.001)
        assert actor.generation == 1

    def test_alarm_is_consumed_silently_when_the_actor_is_awake(self, engine: BareEngine, runner: BareRunner) -> None:
        actor = engine.running(runner)
        runner.set_alarm(actor, engine.clock.now + 1000)
        engine.advance(2)
        asleep(runner, actor)
        engine.advance(3600)
        assert actor.generation == 0

    def test_alarm_in_the_past_wakes_at_once_when_it_is_set_with_the_sleep(
        self, engine: BareEngine, runner: BareRunner
    ) -> None:
        actor = engine.running(runner)
        runner.intends(actor, ActorIntentSleep())
        runner.set_alarm(actor, engine.clock.now - 1)
        engine.advance(5)
        assert actor.generation == 0
        runner.stopped(actor)
        engine.advance(0)
        assert actor.generation == 1

    def test_alarm_outlives_generations_and_is_replaced_or_cleared(self, engine: BareEngine, runner: BareRunner) -> None:
        kept, cleared = engine.running(runner), engine.running(runner)
        for actor in (kept, cleared):
            runner.set_alarm(actor, engine.clock.now + 10_000)
            asleep(runner, actor)
            actor.wake(pending_timeout=60_000)
            runner.running(actor)
        runner.set_alarm(cleared, None)
        for actor in (kept, cleared):
            asleep(runner, actor)
        engine.advance(11)
        assert (kept.generation, cleared.generation) == (2, 1)

    def test_alarm_waits_for_a_runner_when_there_is_none(self, engine: BareEngine, runner: BareRunner) -> None:
        actor = engine.running(runner)
        runner.set_alarm(actor, engine.clock.now + 1000)
        asleep(runner, actor)
        runner.socket.lost()
        engine.advance(600)
        assert look(actor).pending_allocation_ts is not None
        engine.connect()
        assert actor.generation == 1


class TestWithoutCapacity:
    def test_actor_sleeps_with_no_capacity_when_its_policy_is_sleep(self, engine: BareEngine) -> None:
        actor = engine.create()
        assert (look(actor).sleeping, look(actor).error) == (True, "no_capacity")
        engine.connect()
        assert look(actor).sleeping, "nothing wakes it by itself"

    def test_actor_waits_without_limit_when_its_policy_is_another(self, engine: BareEngine) -> None:
        actor = engine.create(policy="restart")
        engine.advance(3600)
        assert look(actor).pending_allocation_ts is not None
        runner = engine.connect()
        assert runner.commands == [("start", 0)]
        assert (look(actor).error, look(actor).pending_allocation_ts) == (None, None)

    def test_woken_actor_waits_a_minute_and_sleeps_again(self, engine: BareEngine) -> None:
        actor = engine.create()
        actor.wake(pending_timeout=60_000)
        engine.advance(59)
        assert look(actor).pending_allocation_ts is not None
        engine.advance(2)
        assert (look(actor).sleeping, look(actor).pending_allocation_ts) == (True, None)
        runner = engine.connect()
        assert runner.commands == []

    def test_actors_that_wait_are_served_in_order_when_slots_get_free(self, engine: BareEngine) -> None:
        runner = engine.connect(slots=1)
        first = engine.running(runner, policy="restart")
        waiting = [engine.create(policy="restart") for _ in range(3)]
        late = engine.create()
        assert late.sleeping, "it may not pass those that wait"
        asleep(runner, first)
        assert [look(actor).runner_id is not None for actor in waiting] == [True, False, False]

    def test_queued_actor_is_forgotten_when_it_is_destroyed(self, engine: BareEngine) -> None:
        actor = engine.create(policy="restart")
        engine.api.destroy_actor(actor.id)
        runner = engine.connect()
        assert runner.commands == []
        assert engine.cluster.namespaces["default"].allocation("default").pending == []


def test_destroy_does_not_wait_for_the_runner_and_frees_key_and_data(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.create(key="k")
    runner.running(actor)
    engine.cluster.kv_store(actor.id).load(b"a", b"1", 0)
    engine.api.destroy_actor(actor.id)
    assert look(actor).destroy_ts is not None
    assert runner.commands == [("start", 0), ("stop", 0)]
    assert engine.cluster.kv_stores == {}
    assert engine.create(key="k").id != actor.id
    runner.stopped(actor)
    engine.api.destroy_actor(actor.id)


def test_destroy_ends_a_back_off(engine: BareEngine, runner: BareRunner) -> None:
    actor = engine.running(runner, policy="restart")
    runner.stopped(actor, error="boom")
    runner.running(actor)
    runner.stopped(actor, error="boom")
    engine.api.destroy_actor(actor.id)
    engine.advance(60)
    assert actor.generation == 1
    assert runner.commands == [("start", 0), ("start", 1)]
