"""The wall clock jumps, as after a suspend or a correction: only times of the wall clock know of it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from rivet_runner import KvTimeout
from rivet_runner._session.dialect import SetAlarm
from rivet_runner.protocol import v3
from rivet_runner.protocol.messages import ToServerPing
from tests.faults.work import at_work
from tests.support.scene import init_times, settle
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

HOUR = 3600


class WallClock:
    """The clock of ``time.time`` and ``time.time_ns``, which can jump."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead = 0
        """Seconds."""
        self._real = time.time_ns
        patch.setattr(time, "time_ns", self.read_ns)
        patch.setattr(time, "time", lambda: self.read_ns() / 1e9)

    def read_ns(self) -> int:
        return self._real() + self.ahead * 10**9


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forwards", "backwards"])
@virtual_time
async def test_no_timeout_is_early_or_late_when_the_clock_steps(clock: WallClock, step: int) -> None:
    async with at_work() as work:
        current, loop = work.current, work.current.loop
        current.engine.kv.answering = False
        called = loop.time()
        call = asyncio.create_task(work.actor.kv.get(b"key"))
        await asyncio.sleep(1)
        clock.ahead = step
        with pytest.raises(KvTimeout):
            await call
        assert loop.time() - called == pytest.approx(30, abs=0.01)
        pings = [at for at, message in work.connection.received if isinstance(message, ToServerPing)]
        assert [later - earlier for earlier, later in pairwise(pings)] == pytest.approx([3] * (len(pings) - 1), abs=0.01)
        assert work.runner.called("on_disconnected") == [], "the connection does not count as dead"
        await asyncio.wait([work.put])
        work.put.exception()

        clock.ahead = 0
        work.connection.abort()
        second = await current.engine.accept()
        cut = work.runner.times("on_disconnected")[0]
        assert second.opened_at - cut <= 1.26
        clock.ahead = step
        await asyncio.sleep(13)
        assert init_times(second) == pytest.approx([0, 4, 8], abs=0.01)
        assert work.runner.called("on_actor_stop") == []
        await asyncio.sleep(5)
        assert work.runner.times("on_actor_stop") == pytest.approx([cut + 15], abs=0.01)
        current.expect_error("as lost")


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forwards", "backwards"])
@virtual_time
async def test_pings_and_alarms_have_the_time_of_the_clock_when_it_steps(clock: WallClock, step: int) -> None:
    async with at_work() as work:
        clock.ahead = step
        await asyncio.sleep(3.1)
        if work.connection.codec is v3:  # in version 7 the engine pings, and gets its own time back
            *_, before, after = (message.ts for message in work.connection.messages(ToServerPing))
            assert after - before == pytest.approx(step * 1000, abs=10_000)
        due = datetime.fromtimestamp(time.time() + 60, UTC)
        await work.actor.set_alarm(due)
        await settle()
        alarms = [event.event for event in work.connection.events if isinstance(event.event, SetAlarm)]
        assert [alarm.alarm_ts for alarm in alarms] == [int(due.timestamp() * 1000)], "the due time is sent as it was given"
