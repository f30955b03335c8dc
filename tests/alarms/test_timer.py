"""The one timer of all alarms: a wall clock that steps, cancelled alarms, and their order."""

from __future__ import annotations

import asyncio
import contextvars
import functools

from rivet_runner._alarms.timer import FEW_CANCELLED, LONGEST_WAIT, AlarmTimer
from tests.support.virtual_time import virtual_time


class Clock:
    """A wall clock beside the loop's: ``step`` sets it, in seconds."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.offset = 1_000_000.0

    def step(self, seconds: float) -> None:
        self.offset += seconds

    def now_ms(self) -> int:
        return round((self.loop.time() + self.offset) * 1000)


@virtual_time
async def test_alarms_are_called_in_the_order_of_their_times() -> None:
    clock = Clock()
    timer = AlarmTimer(clock.now_ms)
    called: list[int] = []
    for seconds in (5, 1, 3, 2, 4):
        timer.call_at(clock.now_ms() + seconds * 1000, functools.partial(called.append, seconds))
    assert called == [], "never within the call"
    await asyncio.sleep(3.1)
    assert called == [1, 2, 3]
    await asyncio.sleep(3)
    assert called == [1, 2, 3, 4, 5]
    assert len(timer) == 0


@virtual_time
async def test_a_time_in_the_past_is_due_at_once() -> None:
    clock = Clock()
    timer = AlarmTimer(clock.now_ms)
    called: list[int] = []
    timer.call_at(0, lambda: called.append(1))
    await asyncio.sleep(0.01)
    assert called == [1]


@virtual_time
async def test_an_alarm_comes_soon_when_the_wall_clock_is_set_forward_and_late_when_it_is_set_back() -> None:
    clock = Clock()
    timer = AlarmTimer(clock.now_ms)
    called: list[str] = []
    timer.call_at(clock.now_ms() + 3_600_000, lambda: called.append("in an hour"))
    await asyncio.sleep(1)
    clock.step(3600)
    await asyncio.sleep(LONGEST_WAIT)
    assert called == ["in an hour"]
    timer.call_at(clock.now_ms() + 10_000, lambda: called.append("in 10 s"))
    clock.step(-100)
    await asyncio.sleep(100)
    assert called == ["in an hour"]
    await asyncio.sleep(20)
    assert called == ["in an hour", "in 10 s"]


@virtual_time
async def test_cancelled_alarms_are_not_called_and_do_not_pile_up() -> None:
    clock = Clock()
    timer = AlarmTimer(clock.now_ms)
    called: list[str] = []
    for _ in range(100 * FEW_CANCELLED):
        timer.cancel(timer.call_at(clock.now_ms() + 1000, lambda: called.append("cancelled")))
    kept = timer.call_at(clock.now_ms() + 2000, lambda: called.append("kept"))
    assert len(timer) == 1
    assert len(timer._waits) <= 2 * FEW_CANCELLED + 2
    await asyncio.sleep(3)
    assert called == ["kept"]
    timer.cancel(kept)
    assert len(timer) == 0


@virtual_time
async def test_nothing_is_called_when_it_is_closed() -> None:
    clock = Clock()
    timer = AlarmTimer(clock.now_ms)
    timer.call_at(clock.now_ms() + 1000, lambda: None)
    timer.close()
    assert not [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]


@virtual_time
async def test_an_alarm_is_called_in_the_context_of_the_runner() -> None:
    who = contextvars.ContextVar("who", default="the runner")
    clock = Clock()
    timer = AlarmTimer(clock.now_ms)
    called: list[str] = []

    async def hook() -> None:
        who.set("a hook of an actor")
        timer.call_at(clock.now_ms() + 1000, lambda: called.append(who.get()))

    await asyncio.ensure_future(hook())
    await asyncio.sleep(2)
    assert called == ["the runner"]
