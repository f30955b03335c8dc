"""A task that waits for a message goes on with the read that brings it, as itself, and whatever becomes of the others."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TypeVar

import pytest

from rivet_runner._connection.arrivals import Arrival, Arrivals

T = TypeVar("T")

here: contextvars.ContextVar[str] = contextvars.ContextVar("here", default="nowhere")


async def waiting(arrival: Arrival[str], seen: list[str]) -> None:
    seen.append(await arrival)


def new_arrival() -> Arrival[str]:
    return Arrival(loop=asyncio.get_running_loop())


async def from_the_loop(call: Callable[[], T]) -> T:
    """Call it as a read would: by the event loop, and not within a task."""
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: done.set_result(call()))
    return await done


async def test_the_task_goes_on_at_once_when_its_message_is_resumed() -> None:
    arrivals, arrival, seen = Arrivals(), new_arrival(), list[str]()
    task = asyncio.create_task(waiting(arrival, seen))
    await asyncio.sleep(0)

    def read() -> list[list[str]]:
        arrivals.bring(arrival, "message")
        before = [*seen]
        assert arrivals.resume()
        return [before, [*seen]]

    assert await from_the_loop(read) == [[], ["message"]]
    await task
    assert not arrivals.resume(), "nobody is left"


async def test_the_tasks_go_on_in_order_when_several_messages_came() -> None:
    arrivals, seen = Arrivals(), list[str]()
    waiters = [new_arrival() for _ in range(5)]
    tasks = [asyncio.create_task(waiting(waiter, seen)) for waiter in waiters]
    await asyncio.sleep(0)
    for number in (3, 0, 4, 1, 2):
        arrivals.bring(waiters[number], str(number))
    await from_the_loop(arrivals.resume)
    await asyncio.gather(*tasks)
    assert seen == ["3", "0", "4", "1", "2"]


async def test_the_task_keeps_its_own_context_when_it_is_resumed() -> None:
    arrivals, arrival = Arrivals(), new_arrival()

    async def handler() -> str:
        here.set("in the handler")
        await arrival
        assert asyncio.current_task() is task
        return here.get()

    task = asyncio.create_task(handler())
    await asyncio.sleep(0)
    arrivals.bring(arrival, "message")
    await from_the_loop(arrivals.resume)
    assert await task == "in the handler"
    assert here.get() == "nowhere"


@pytest.mark.parametrize("brought", [False, True], ids=["before its message", "after its message"])
async def test_the_task_is_cancelled_when_it_waits(brought: bool) -> None:
    arrivals, arrival, seen = Arrivals(), new_arrival(), list[str]()
    task = asyncio.create_task(waiting(arrival, seen))
    await asyncio.sleep(0)
    if brought:
        arrivals.bring(arrival, "message")
    task.cancel()
    if brought:
        await from_the_loop(arrivals.resume)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == []
    assert arrival.cancelled() is not brought, "a message that has come can still be taken back"


async def test_every_other_task_goes_on_when_one_raises() -> None:
    arrivals, seen = Arrivals(), list[str]()
    waiters = [new_arrival() for _ in range(3)]

    async def fails(arrival: Arrival[str]) -> None:
        await arrival
        raise ValueError("this handler is broken")

    broken = asyncio.create_task(fails(waiters[0]))
    tasks = [asyncio.create_task(waiting(waiter, seen)) for waiter in waiters[1:]]
    await asyncio.sleep(0)
    for number, waiter in enumerate(waiters):
        arrivals.bring(waiter, str(number))
    await from_the_loop(arrivals.resume)
    assert seen == ["1", "2"]
    with pytest.raises(ValueError, match="broken"):
        await broken
    await asyncio.gather(*tasks)


def test_every_other_task_can_end_when_one_ends_the_process() -> None:
    """``SystemExit`` comes out of a task's step, and ends the loop; `asyncio.run` then cancels whoever is left."""
    ended: list[str] = []

    async def exits(arrival: Arrival[str]) -> None:
        await arrival
        raise SystemExit(3)

    async def ends(arrival: Arrival[str]) -> None:
        try:
            await arrival
        finally:
            ended.append("cleanly")

    async def main() -> None:
        arrivals, waiters = Arrivals(), [new_arrival() for _ in range(3)]
        tasks = [asyncio.create_task(hook(waiter)) for hook, waiter in zip((exits, ends, ends), waiters, strict=True)]
        await asyncio.sleep(0)
        for waiter in waiters:
            arrivals.bring(waiter, "message")
        asyncio.get_running_loop().call_soon(arrivals.resume)
        await asyncio.gather(*tasks)

    with pytest.raises(SystemExit) as exit:
        asyncio.run(main())
    assert exit.value.code == 3
    assert ended == ["cleanly", "cleanly"]
