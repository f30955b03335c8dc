"""The task group: no task is lost and no wait hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner._tasks import TaskGroup
from tests.support.examples import examples
from tests.support.virtual_time import virtual_time

log = logging.getLogger("test_tasks")


def group() -> TaskGroup:
    return TaskGroup("sample", log)


async def fail() -> None:
    raise LookupError("in a task")


async def for_ever() -> None:
    await asyncio.Event().wait()


@virtual_time
async def test_tasks_are_named_and_counted_when_they_run() -> None:
    tasks = group()
    first = tasks.spawn(asyncio.sleep(1), name="b")
    second = tasks.spawn(asyncio.sleep(2), name="a")
    assert (len(tasks), tasks.names) == (2, ["a", "b"])
    assert first in tasks
    assert repr(tasks) == "<TaskGroup sample: 2 tasks>"
    await asyncio.sleep(1.5)
    assert (len(tasks), first in tasks, second in tasks) == (1, False, True)
    assert await tasks.wait_idle()
    assert len(tasks) == 0


@virtual_time
async def test_waiting_ends_at_once_when_there_is_no_task() -> None:
    tasks = group()
    before = asyncio.get_running_loop().time()
    assert await tasks.wait_idle()
    assert await tasks.wait_idle(0)
    assert await tasks.cancel_all(5)
    assert asyncio.get_running_loop().time() == before


@virtual_time
async def test_an_exception_is_logged_once_when_a_task_raises(caplog: pytest.LogCaptureFixture) -> None:
    tasks = group()
    tasks.spawn(fail(), name="sample task")
    assert await tasks.wait_idle(1)
    (record,) = caplog.records
    assert record.getMessage() == "task sample task raised"
    assert record.exc_info is not None
    assert record.exc_info[0] is LookupError


@virtual_time
async def test_an_exception_goes_to_on_error_when_that_is_given(caplog: pytest.LogCaptureFixture) -> None:
    tasks = group()
    errors: list[BaseException] = []
    tasks.spawn(fail(), name="sample", on_error=errors.append)
    assert await tasks.wait_idle(1)
    assert [type(error) for error in errors] == [LookupError]
    assert caplog.records == []


@virtual_time
async def test_nothing_is_logged_when_a_task_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    tasks = group()
    errors: list[BaseException] = []
    tasks.spawn(for_ever(), name="sample", on_error=errors.append)
    await asyncio.sleep(0)
    assert await tasks.cancel_all(1)
    assert (errors, caplog.records) == ([], [])


@virtual_time
async def test_others_go_on_when_a_task_raises() -> None:
    tasks = group()
    done: list[bool] = []

    async def finish() -> None:
        await asyncio.sleep(5)
        done.append(True)

    tasks.spawn(finish(), name="finish")
    tasks.spawn(fail(), name="fail")
    assert await tasks.wait_idle(10)
    assert done == [True]


@virtual_time
async def test_a_task_that_was_spawned_meanwhile_is_waited_for_when_somebody_waits() -> None:
    tasks = group()
    done: list[int] = []

    async def chain(number: int) -> None:
        await asyncio.sleep(1)
        done.append(number)
        if number < 5:
            tasks.spawn(chain(number + 1), name=f"chain {number + 1}")

    tasks.spawn(chain(1), name="chain 1")
    assert await tasks.wait_idle()
    assert done == [1, 2, 3, 4, 5]


@virtual_time
async def test_waiting_ends_false_at_its_timeout_when_tasks_are_left() -> None:
    loop = asyncio.get_running_loop()
    tasks = group()
    tasks.spawn(for_ever(), name="sample")
    tasks.spawn(asyncio.sleep(3), name="short")
    before = loop.time()
    assert not await tasks.wait_idle(7)
    assert loop.time() - before == pytest.approx(7)
    assert tasks.names == ["sample"]
    assert await tasks.cancel_all(1)


@virtual_time
async def test_a_member_does_not_wait_for_itself_when_it_waits() -> None:
    tasks = group()
    outcome: list[bool] = []

    async def member() -> None:
        outcome.append(await tasks.wait_idle(60))
        outcome.append(await tasks.cancel_all(60))

    tasks.spawn(asyncio.sleep(2), name="other")
    tasks.spawn(member(), name="member")
    await asyncio.sleep(3)
    assert outcome == [True, True]
    assert len(tasks) == 0


@virtual_time
async def test_tasks_go_on_when_waiting_is_cancelled() -> None:
    tasks = group()
    task = tasks.spawn(for_ever(), name="sample")
    waiting = asyncio.ensure_future(tasks.wait_idle())
    await asyncio.sleep(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not task.done()
    assert await tasks.cancel_all(1)


@virtual_time
async def test_a_task_is_asked_again_at_half_time_when_it_swallows_its_cancellation() -> None:
    loop = asyncio.get_running_loop()
    tasks = group()
    asked: list[float] = []
    before = loop.time()

    async def stubborn() -> None:
        while len(asked) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked.append(loop.time() - before)

    tasks.spawn(stubborn(), name="sample")
    await asyncio.sleep(0)
    assert await tasks.cancel_all(10)
    assert asked == pytest.approx([0, 5])


@virtual_time
async def test_a_warning_names_them_when_tasks_do_not_end(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    tasks = group()
    end = asyncio.Event()

    async def stubborn() -> None:
        while not end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await end.wait()

    for number in range(3):
        tasks.spawn(stubborn(), name=f"stubborn {number}")
    tasks.spawn(for_ever(), name="obedient")
    await asyncio.sleep(0)
    before = loop.time()
    assert not await tasks.cancel_all(4)
    assert loop.time() - before == pytest.approx(4)
    (record,) = caplog.records
    assert "3 tasks did not end when cancelled: stubborn 0, stubborn 1, stubborn 2" in record.getMessage()
    end.set()
    assert await tasks.wait_idle(1)


@virtual_time
async def test_a_task_is_cancelled_too_when_a_cancelled_one_spawned_it() -> None:
    tasks = group()

    async def leave_a_child(depth: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            if depth:
                tasks.spawn(leave_a_child(depth - 1), name="child")

    tasks.spawn(leave_a_child(3), name="parent")
    await asyncio.sleep(0)
    assert await tasks.cancel_all(1)
    assert len(tasks) == 0


async def test_cancelling_ends_when_each_cancelled_task_leaves_another() -> None:
    """In real time: this takes none of the virtual one."""
    tasks = group()
    go_on = True

    async def hydra() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            if go_on:
                tasks.spawn(hydra(), name="hydra")

    tasks.spawn(hydra(), name="hydra")
    await asyncio.sleep(0)
    cancelling = asyncio.ensure_future(tasks.cancel_all(0.05))
    await asyncio.wait([cancelling], timeout=0.5)
    ended = cancelling.done()
    go_on = False
    assert ended
    assert await cancelling is False
    assert await tasks.cancel_all(1)


async def test_waiting_ends_when_each_task_leaves_another() -> None:
    tasks = group()
    go_on = True

    async def hydra() -> None:
        await asyncio.sleep(0)
        if go_on:
            tasks.spawn(hydra(), name="hydra")

    tasks.spawn(hydra(), name="hydra")
    waiting = asyncio.ensure_future(tasks.wait_idle(0.05))
    await asyncio.wait([waiting], timeout=0.5)
    ended = waiting.done()
    go_on = False
    assert ended
    assert await waiting is False


@virtual_time
async def test_a_closed_group_refuses_when_a_task_is_spawned() -> None:
    tasks = group()
    running = tasks.spawn(asyncio.sleep(1), name="before")
    tasks.close()
    with pytest.raises(RuntimeError, match=r"'sample' is closed; 'late' was not started"):
        tasks.spawn(for_ever(), name="late")
    assert await tasks.wait_idle()
    assert running.done()
    assert not running.cancelled()


# Random interleavings

Plan = tuple[float, str, int]
PLANS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 1.5, 3.0]),
        st.sampled_from(["return", "raise", "cancel itself", "swallow once", "hang"]),
        st.integers(0, 2),
    ),
    max_size=6,
)


async def act(tasks: TaskGroup, plan: Plan, left: list[Plan], spawned: list[asyncio.Task[None]]) -> None:
    """Sleep, spawn some of the remaining tasks, then end as planned."""
    seconds, ending, children = plan
    if ending == "hang":
        await asyncio.Event().wait()
    if ending == "swallow once":
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(seconds)
    try:
        await asyncio.sleep(seconds)
    finally:
        for _ in range(children):
            if left:
                spawned.append(tasks.spawn(act(tasks, left.pop(), left, spawned), name="child", on_error=lambda _: None))
    if ending == "raise":
        raise LookupError(ending)
    if ending == "cancel itself":
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


def with_group(first: list[Plan], later: list[Plan], then: Callable[[TaskGroup], Awaitable[None]]) -> None:
    @virtual_time
    async def run() -> None:
        tasks = group()
        left, spawned = [*later], list[asyncio.Task[None]]()
        for plan in first:
            spawned.append(tasks.spawn(act(tasks, plan, left, spawned), name="first", on_error=lambda _: None))
        await asyncio.sleep(0)
        await then(tasks)
        assert len(tasks) == 0
        assert all(task.done() for task in spawned)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(spawned) == len(first) + len(later) - len(left)

    run()


@settings(max_examples=examples(60), deadline=None)
@given(first=PLANS, later=PLANS, at=st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_all_tasks_are_over_when_waiting_has_ended(first: list[Plan], later: list[Plan], at: float) -> None:
    """Two wait, from different moments on; each is woken when the last task has ended, and not before."""

    async def then(tasks: TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        ends: list[float] = []

        async def wait_from(moment: float) -> None:
            await asyncio.sleep(moment)
            assert await tasks.wait_idle(1000)
            assert len(tasks) == 0
            ends.append(loop.time())

        await asyncio.gather(wait_from(0), wait_from(at))
        assert len(ends) == 2

    safe_first = [plan for plan in first if plan[1] != "hang"]
    safe_later = [plan for plan in later if plan[1] != "hang"]
    with_group(safe_first, safe_later, then)


@settings(max_examples=examples(60), deadline=None)
@given(first=PLANS, later=PLANS, at=st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_all_tasks_are_over_when_cancelling_has_ended(first: list[Plan], later: list[Plan], at: float) -> None:
    async def then(tasks: TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(at)
        before = loop.time()
        assert await tasks.cancel_all(20)
        assert loop.time() - before <= 20

    with_group(first, later, then)


async def test_tasks_are_cancelled_in_the_order_of_their_spawn() -> None:
    order: list[int] = []

    async def note(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            order.append(number)

    group = TaskGroup("group", log)
    for number in range(50):
        group.spawn(note(number), name=str(number))
    await asyncio.sleep(0)
    assert await group.cancel_all(1)
    assert order == list(range(50))
