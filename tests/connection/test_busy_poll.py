"""Polling between reads: bounded, and only while it pays."""

from __future__ import annotations

import asyncio
import itertools

from rivet_runner._connection.busy_poll import MAX_SKIPPED, BusyPoll

SECONDS = 10


class TurnClock:
    """A clock that goes on by one second each time it is read: here, once a turn of the event loop."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> float:
        self.now += 1
        return self.now


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def looks_after_a_read(poll: BusyPoll, clock: TurnClock) -> int:
    """How often the clock is looked at, when nothing comes after a read."""
    before = clock.now
    poll.read_done()
    await turns(5 * SECONDS)
    return clock.now - before


async def test_it_looks_for_so_long_when_nothing_comes() -> None:
    clock = TurnClock()
    poll = BusyPoll(SECONDS, clock)
    assert await looks_after_a_read(poll, clock) == 1 + SECONDS


async def test_it_goes_on_when_a_message_comes_meanwhile() -> None:
    clock = TurnClock()
    poll = BusyPoll(SECONDS, clock)
    for _ in range(20):
        poll.read_done()
        await turns(SECONDS // 2)
    assert clock.now > 20 * (SECONDS // 2), "it has never stopped looking"
    await turns(5 * SECONDS)
    stopped_at = clock.now
    await turns(5 * SECONDS)
    assert clock.now == stopped_at


async def test_it_tries_ever_less_often_when_it_never_pays() -> None:
    clock = TurnClock()
    poll = BusyPoll(SECONDS, clock)
    polled = [bool(await looks_after_a_read(poll, clock)) for _ in range(300)]
    tries = [number for number, looked in enumerate(polled) if looked]
    assert [after - before - 1 for before, after in itertools.pairwise(tries)] == [
        *(1, 3, 7, 15, 31, MAX_SKIPPED, MAX_SKIPPED, MAX_SKIPPED)
    ]


async def test_it_looks_after_each_read_again_when_it_begins_to_pay() -> None:
    clock = TurnClock()
    poll = BusyPoll(SECONDS, clock)
    for _ in range(8):
        await looks_after_a_read(poll, clock)
    before = clock.now
    while clock.now == before:
        poll.read_done()
    await turns(1)
    poll.read_done()  # just what it was looking for
    await turns(5 * SECONDS)
    assert not await looks_after_a_read(poll, clock), "one in vain, one skipped"
    assert await looks_after_a_read(poll, clock)


async def test_it_never_looks_when_there_is_no_time_for_it() -> None:
    clock = TurnClock()
    assert await looks_after_a_read(BusyPoll(0, clock), clock) == 0
