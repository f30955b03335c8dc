"""Coroutines share a task until one has to wait, and cannot tell it from a task of their own."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar

import pytest

from rivet_runner._tasks import TaskGroup
from rivet_runner.actors._hosting.shared_tasks import SharedTasks
from tests.support.virtual_time import virtual_time

BOUND = 3

mark: ContextVar[str] = ContextVar("mark", default="outside")


class Shared(SharedTasks):
    """Notes the tasks of its coroutines at the beginning and at the end."""

    def __init__(self) -> None:
        self.group = TaskGroup("shared", logging.getLogger("test_shared_tasks"))
        self.began_in: dict[str, asyncio.Task[None] | None] = {}
        self.ended_in: dict[str, asyncio.Task[None] | None] = {}
        super().__init__(self.group, BOUND)

    def run(self, name: str, *waits_for: asyncio.Future[None]) -> None:
        self.begin(self._run(name, waits_for))

    async def _run(self, name: str, waits_for: tuple[asyncio.Future[None], ...]) -> None:
        self.began_in[name] = asyncio.current_task()
        for future in waits_for:
            await future
        self.ended_in[name] = asyncio.current_task()

    @property
    def began(self) -> list[str]:
        return [*self.began_in]


def future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@virtual_time
async def test_coroutines_run_in_one_task_and_in_order_when_none_waits() -> None:
    shared = Shared()
    for name in "abc":
        shared.run(name)
    assert (shared.began, len(shared), len(shared.group)) == ([], 3, 1)
    assert await shared.group.wait_idle(1)
    assert [*shared.ended_in] == ["a", "b", "c"]
    assert len({*shared.began_in.values()}) == 1
    assert len(shared) == 0


@virtual_time
async def test_the_task_is_its_own_when_a_coroutine_has_to_wait() -> None:
    shared, first, second = Shared(), future(), future()
    shared.run("a")
    shared.run("b", first, second)
    shared.run("c")
    await asyncio.sleep(1)
    assert (shared.began, [*shared.ended_in], len(shared), len(shared.group)) == (["a", "b", "c"], ["a", "c"], 1, 1)
    assert shared.began_in["b"] is not shared.began_in["c"]
    shared.run("d")
    first.set_result(None)
    await asyncio.sleep(1)
    second.set_result(None)
    assert await shared.group.wait_idle(1)
    assert shared.ended_in == shared.began_in
    assert shared.began_in["d"] is not shared.began_in["b"]
    assert len(shared) == 0


@virtual_time
async def test_a_timeout_ends_the_wait_when_it_was_set_in_a_shared_task() -> None:
    shared, ended = Shared(), list[str]()

    async def work() -> None:
        try:
            async with asyncio.timeout(5):
                await future()
        except TimeoutError:
            ended.append("timed out")

    shared.run("a")
    shared.begin(work())
    shared.run("c")
    await asyncio.sleep(4)
    assert (ended, [*shared.ended_in]) == ([], ["a", "c"])
    await asyncio.sleep(2)
    assert (ended, len(shared)) == (["timed out"], 0)


@virtual_time
async def test_an_error_is_raised_in_the_coroutine_when_what_it_awaits_fails() -> None:
    shared, failing, caught = Shared(), future(), list[str]()

    async def work() -> None:
        try:
            await failing
        except LookupError as error:
            caught.append(str(error))
        await asyncio.sleep(0)  # a bare yield
        caught.append("went on")

    shared.begin(work())
    await asyncio.sleep(1)
    failing.set_exception(LookupError("no luck"))
    assert await shared.group.wait_idle(1)
    assert caught == ["no luck", "went on"]


@virtual_time
async def test_each_coroutine_has_a_context_of_its_own_when_they_share_a_task() -> None:
    shared, seen, awaited = Shared(), dict[str, list[str]](), future()

    async def work(name: str, *, waits: bool) -> None:
        seen[name] = [mark.get()]
        mark.set(name)
        if waits:
            await awaited
        seen[name].append(mark.get())

    mark.set("around")
    for name in "abc":
        shared.begin(work(name, waits=name == "b"))
    await asyncio.sleep(1)
    mark.set("later")
    awaited.set_result(None)
    assert await shared.group.wait_idle(1)
    assert seen == {name: ["around", name] for name in "abc"}
    assert mark.get() == "later"


@pytest.mark.parametrize("waits", [False, True])
@virtual_time
async def test_the_others_go_on_when_one_raises(waits: bool, caplog: pytest.LogCaptureFixture) -> None:
    shared = Shared()

    async def fail() -> None:
        if waits:
            await asyncio.sleep(1)
        raise LookupError("of its own")

    shared.begin(fail())
    shared.run("b")
    await asyncio.sleep(2)
    assert ([*shared.ended_in], len(shared), len(shared.group)) == (["b"], 0, 0)
    assert "of its own" in caplog.text


@pytest.mark.parametrize("raises", [False, True])
@virtual_time
async def test_the_others_go_on_when_one_cancels_the_task_that_they_share(raises: bool) -> None:
    shared = Shared()

    async def cancel() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if raises:
            raise asyncio.CancelledError

    shared.begin(cancel())
    shared.run("b", *[asyncio.ensure_future(asyncio.sleep(1))])
    shared.run("c")
    await asyncio.sleep(2)
    assert ([*shared.ended_in], len(shared), len(shared.group)) == (["c", "b"], 0, 0)


@virtual_time
async def test_the_rest_runs_with_the_next_when_the_task_is_cancelled_before_it_began() -> None:
    shared = Shared()
    shared.run("a")
    shared.group.cancel()
    await asyncio.sleep(1)
    assert (shared.began, len(shared)) == ([], 1)
    shared.run("b")
    await asyncio.sleep(1)
    assert ([*shared.ended_in], len(shared)) == (["a", "b"], 0)


@virtual_time
async def test_only_one_ends_when_it_is_cancelled_while_it_waits() -> None:
    shared = Shared()
    shared.run("a", future())
    shared.run("b", free := future())
    await asyncio.sleep(1)
    task = shared.began_in["a"]
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)
    assert (task.cancelled(), len(shared)) == (True, 1)
    free.set_result(None)
    assert await shared.group.wait_idle(1)
    assert [*shared.ended_in] == ["b"]


@virtual_time
async def test_there_is_room_again_when_one_of_too_many_has_ended() -> None:
    shared, free = Shared(), future()
    shared.run("a", free)
    for name in "bc":
        shared.run(name, future())
    assert shared.full
    both = [asyncio.create_task(shared.room()) for _ in range(2)]
    await asyncio.sleep(1)
    assert not any(waiter.done() for waiter in both)
    free.set_result(None)
    await asyncio.wait_for(asyncio.gather(*both), 1)
    assert len(shared) == BOUND - 1
    shared.group.cancel()


@virtual_time
async def test_there_is_room_again_when_those_that_share_a_task_have_ended() -> None:
    shared = Shared()
    for name in "abc":
        shared.run(name)
    assert shared.full
    await asyncio.wait_for(shared.room(), 1)
    assert len(shared) < BOUND
