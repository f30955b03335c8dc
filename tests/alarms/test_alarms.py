"""Alarms that call `Runner.on_alarm`, on the simulated engine and virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rivet_runner import Actor, Alarm, KvError, Request, Response, RunnerShutDown
from rivet_runner._kv.reserved_keys import ALARM
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import Room, virtual

pytestmark = pytest.mark.both_protocols

OnAlarm = Callable[[Actor, Alarm], Awaitable[None]]


async def _nothing(actor: Actor, alarm: Alarm) -> None:
    pass


async def _refuse(store: object, pairs: object) -> None:
    raise KvError("no room")


class Alarmed(Room):
    """Notes each alarm, and when it was called. A request to ``/300`` sets one in 300 s, and one to ``/none`` clears it."""

    def __init__(self, *, on_alarm: OnAlarm = _nothing, **options: Any) -> None:
        super().__init__(**options)
        self.do_alarm = on_alarm
        self.alarms: list[tuple[int, Alarm, datetime]] = []

    async def on_alarm(self, actor: Actor, alarm: Alarm) -> None:
        self.alarms.append((actor.generation, alarm, actor.now()))
        await self.do_alarm(actor, alarm)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        text = request.path.strip("/")
        if text:
            await actor.set_alarm(None if text == "none" else actor.now() + timedelta(seconds=float(text)))
        return Response("" if actor.alarm is None else actor.alarm.isoformat())

    @property
    def attempts(self) -> list[int]:
        return [alarm.attempt for _, alarm, _ in self.alarms]


def near(when: datetime) -> Any:
    return pytest.approx(when.timestamp(), abs=0.1)


@virtual
async def test_it_is_called_while_the_actor_is_awake() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed) as runner:
        actor = await engine.create("a")
        due = engine.now() + timedelta(seconds=300)
        answer = (await actor.request("GET", "/300")).text()
        assert datetime.fromisoformat(answer).timestamp() == near(due)
        await engine.advance(299)
        assert runner.alarms == []
        await engine.advance(1.1)
        [(generation, alarm, at)] = runner.alarms
        assert (generation, alarm.attempt, at.timestamp()) == (0, 1, near(due))
        assert alarm.scheduled_at.timestamp() == near(due)
        assert alarm.scheduled_at.tzinfo is UTC
        assert (await actor.request("GET", "/")).text() == "", "it is over"
        assert ALARM not in await actor.kv()
        await engine.advance(minutes=10)
        assert len(runner.alarms) == 1


@virtual
async def test_it_wakes_a_sleeping_actor_and_is_called_after_its_start() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/3600")
        await actor.sleep()
        await engine.advance(minutes=59)
        assert (actor.status, runner.alarms) == ("sleeping", [])
        await engine.advance(61)
        [(generation, alarm, at)] = runner.alarms
        assert (generation, alarm.attempt) == (1, 1)
        assert at.timestamp() == near(alarm.scheduled_at)
        assert runner.calls[-1] == ("start", 1)


@virtual
async def test_it_is_known_at_the_next_start_and_can_be_cleared() -> None:
    known: list[datetime | None] = []

    async def on_start(actor: Actor) -> None:
        known.append(actor.alarm)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_start=on_start) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/300")
        await actor.sleep()
        await actor.request("GET", "/none")
        assert known[0] is None
        assert known[1] is not None
        assert ALARM not in await actor.kv()
        await actor.sleep()
        await engine.advance(minutes=20)
        assert actor.status == "sleeping", "nothing wakes it"
        assert runner.alarms == []


@virtual
async def test_setting_it_again_replaces_it() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/10")
        await actor.request("GET", "/100")
        await engine.advance(50)
        assert runner.alarms == []
        await engine.advance(51)
        assert runner.attempts == [1]
        await actor.request("GET", "/100")
        await actor.request("GET", "/10")
        await engine.advance(1000)
        assert runner.attempts == [1, 1]


@virtual
async def test_a_new_one_can_be_set_when_it_is_called() -> None:
    during: list[datetime | None] = []

    async def again(actor: Actor, alarm: Alarm) -> None:
        during.append(actor.alarm)
        if len(during) < 5:
            await actor.set_alarm(alarm.scheduled_at + timedelta(minutes=1))
            during[-1] = actor.alarm

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_alarm=again) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/60")
        await engine.advance(minutes=10)
        assert runner.attempts == [1] * 5
        times = [alarm.scheduled_at for _, alarm, _ in runner.alarms]
        assert {later - earlier for earlier, later in itertools.pairwise(times)} == {timedelta(minutes=1)}
        assert during == [*times[1:], None]


@pytest.mark.parametrize("asleep", [False, True])
@virtual
async def test_it_is_tried_again_when_it_raises_and_dropped_at_last(asleep: bool) -> None:
    async def fail(actor: Actor, alarm: Alarm) -> None:
        if asleep:
            actor.sleep()
        raise ZeroDivisionError(alarm.attempt)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_alarm=fail) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/60")
        await engine.advance(60 + 2 + 4 + 8 + 16 + 32 + 64 + 10)
        assert runner.attempts == [1, 2, 3, 4, 5, 6, 7]
        assert {alarm.scheduled_at for _, alarm, _ in runner.alarms} == {runner.alarms[0][1].scheduled_at}
        times = [at.timestamp() for _, _, at in runner.alarms]
        waits = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert waits == pytest.approx([2, 4, 8, 16, 32, 64], abs=0.5)
        await engine.advance(minutes=10)
        assert len(runner.alarms) == 7
        assert ALARM not in await actor.kv()
        assert len({generation for generation, _, _ in runner.alarms}) == (7 if asleep else 1)


@virtual
async def test_its_retries_are_an_option_and_end_when_it_returns() -> None:
    async def fail_twice(actor: Actor, alarm: Alarm) -> None:
        if alarm.attempt < 3:
            raise ZeroDivisionError

    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Alarmed, on_alarm=fail_twice) as runner:
            actor = await engine.create("a")
            await actor.request("GET", "/60")
            await engine.advance(1000)
            assert runner.attempts == [1, 2, 3]
        async with engine.host(Alarmed, on_alarm=fail_twice, alarm_retries=0) as runner:
            await actor.request("GET", "/60")
            await engine.advance(1000)
            assert runner.attempts == [1]


@virtual
async def test_it_is_called_at_the_next_start_when_no_runner_was_there() -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Alarmed):
            actor = await engine.create("a")
            await actor.request("GET", "/60")
        await engine.advance(minutes=20)
        async with engine.host(Alarmed) as runner:
            await engine.advance(60)
            assert runner.attempts == [1]
            assert runner.alarms[0][1].scheduled_at < engine.now() - timedelta(minutes=15)


@pytest.mark.parametrize("crash_policy", ["restart", "sleep"])
@pytest.mark.parametrize("calling", [False, True])
@virtual
async def test_it_is_called_when_the_runner_is_killed_before_it_has_returned(crash_policy: Any, calling: bool) -> None:
    async def hang(actor: Actor, alarm: Alarm) -> None:
        await asyncio.Event().wait()

    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Alarmed, on_alarm=hang, runner_key="one") as first:
            actor = await engine.create("a", crash_policy=crash_policy)
            await actor.request("GET", "/5")
            if calling:
                await engine.advance(6)
            assert first.attempts == [1] * calling
            await engine.kill(first)
        async with engine.host(Alarmed, runner_key="two") as second:
            await engine.advance(120)
            assert second.attempts == [1]
            await engine.advance(minutes=10)
            assert second.attempts == [1]


@virtual
async def test_a_call_that_the_stop_cuts_off_is_made_again() -> None:
    hanging = True

    async def hang(actor: Actor, alarm: Alarm) -> None:
        if hanging:
            await asyncio.Event().wait()

    options: dict[str, Any] = {"on_alarm": hang, "actor_stop_timeout": 5}
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, **options) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/60")
        await engine.advance(61)
        assert runner.attempts == [1]
        hanging = False
        await actor.sleep()
        await engine.advance(10)
        assert [(generation, alarm.attempt) for generation, alarm, _ in runner.alarms] == [(0, 1), (1, 1)]


@virtual
async def test_the_stop_waits_for_its_call() -> None:
    ended: list[int] = []

    async def slow(actor: Actor, alarm: Alarm) -> None:
        actor.sleep()
        await asyncio.sleep(10)
        ended.append(actor.generation)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_alarm=slow) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/60")
        await engine.advance(200)
        assert (ended, runner.attempts, actor.status) == ([0], [1], "sleeping")


@virtual
async def test_it_is_not_retried_when_it_was_cleared_meanwhile() -> None:
    async def clear_and_raise(actor: Actor, alarm: Alarm) -> None:
        await actor.set_alarm(None)
        raise ZeroDivisionError

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_alarm=clear_and_raise) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/60")
        await engine.advance(1000)
        assert runner.attempts == [1]


@virtual
async def test_nothing_is_called_before_the_start_has_ended_and_nothing_at_a_destroyed_actor() -> None:
    async def slow(actor: Actor) -> None:
        await actor.set_alarm(actor.now())
        await asyncio.sleep(20)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_start=slow) as runner:
        await engine.create("a")
        await engine.advance(19)
        assert runner.alarms == []
        await engine.advance(2)
        assert runner.attempts == [1]
        doomed = await engine.create("a")
        await engine.advance(10)
        await doomed.destroy()
        await engine.advance(100)
        assert runner.attempts == [1]


@virtual
async def test_a_damaged_record_is_dropped_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def damage(actor: Actor) -> None:
        if actor.generation == 0:
            generation: Any = actor
            await generation._generation.kv_store.put({ALARM: b"\x01rubbish"})

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_start=damage) as runner:
        actor = await engine.create("a")
        await actor.wake()
        await actor.sleep()
        assert (await actor.request("GET", "/")).text() == ""
        assert "the stored alarm cannot be read" in caplog.text
        await actor.request("GET", "/10")
        await engine.advance(20)
        assert runner.attempts == [1]


@virtual
async def test_setting_it_raises_when_it_cannot_be_stored_and_the_one_before_is_called() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/60")
        store: Any = runner.actors[actor.id]
        store = store._generation.kv_store
        put, store.__class__.put = store.__class__.put, _refuse
        try:
            with pytest.raises(KvError, match="no room"):
                await runner.actors[actor.id].set_alarm(engine.now() + timedelta(days=1))
        finally:
            store.__class__.put = put
        await engine.advance(61)
        assert runner.attempts == [1]


@virtual
async def test_a_long_call_is_made_again_when_the_runner_is_killed_in_it() -> None:
    async def hang(actor: Actor, alarm: Alarm) -> None:
        await asyncio.Event().wait()

    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Alarmed, on_alarm=hang, runner_key="one") as first:
            actor = await engine.create("a", crash_policy="sleep")
            await actor.request("GET", "/5")
            await engine.advance(minutes=10)
            await engine.kill(first)
        async with engine.host(Alarmed, runner_key="two") as second:
            await engine.advance(120)
            assert second.attempts == [1], "the engine was told ever later times while the hook ran"


@virtual
async def test_an_actor_that_has_stopped_cannot_set_it() -> None:
    kept: list[Actor] = []

    async def keep(actor: Actor) -> None:
        kept.append(actor)
        await actor.set_alarm(actor.now() + timedelta(minutes=5))

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, on_stop=keep) as runner:
        actor = await engine.create("a")
        await actor.wake()
        await actor.sleep()
        with pytest.raises(RunnerShutDown, match=actor.id):
            await kept[0].set_alarm(None)
        await engine.advance(301)
        assert runner.attempts == [1], "the one that was set while it stopped counts"


@pytest.mark.parametrize("when", [datetime(2030, 1, 1), 5, "tomorrow"])
@virtual
async def test_only_an_aware_time_can_be_set(when: Any) -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed) as runner:
        actor = await engine.create("a")
        await actor.wake()
        with pytest.raises((TypeError, ValueError), match="aware datetime"):
            await runner.actors[actor.id].set_alarm(when)


@virtual
async def test_a_runner_without_the_hook_is_woken_and_stores_nothing() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
        actor = await engine.create("a")
        await actor.wake()
        hosted = runner.actors[actor.id]
        due = engine.now() + timedelta(seconds=60)
        await hosted.set_alarm(due)
        assert hosted.alarm is not None
        assert hosted.alarm.timestamp() == near(due)
        assert await actor.kv() == {}
        await actor.sleep()
        await engine.advance(61)
        assert runner.calls[-1] == ("start", 1)
        assert runner.actors[actor.id].alarm is None
