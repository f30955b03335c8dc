"""Coroutines that share a task for as long as they need not wait.

A task costs more than most actions do, and most actions end without waiting for anything. So the coroutines that begin in
one turn of the event loop run in one task, one after the other. One that has to wait keeps this task for itself. The rest go
on in another::

    task 1:  a ─► b ─► c begins to wait ········ c goes on ─► ends
    task 2:                             d ─► e

So `asyncio.current_task`, timeouts and cancellation do what they do in a task of one's own. Each coroutine has a context of
its own from the beginning.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar

from rivet_runner._tasks import TaskGroup

__all__ = ["SharedTasks", "rest_of"]

T = TypeVar("T")


class SharedTasks:
    """Runs coroutines in tasks of ``tasks``, at most ``bound`` at a time. It is the caller's part to respect `full`."""

    __slots__ = ("_bound", "_queue", "_room", "_sharing", "_tasks", "_under_way")

    def __init__(self, tasks: TaskGroup, bound: int) -> None:
        self._tasks = tasks
        self._bound = bound
        self._queue: deque[tuple[Coroutine[Any, Any, None], Context]] = deque()
        self._sharing: asyncio.Task[Any] | None = None
        """The task that works on the queue."""
        self._under_way = 0
        self._room: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        """Return the number of coroutines that have not ended."""
        return self._under_way

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run ``coroutine`` from the next turn of the event loop on, in a copy of this context. Its errors are logged."""
        self._under_way += 1
        self._queue.append((coroutine, copy_context()))
        if self._sharing is None or self._sharing.done():
            self._pass_on()

    @property
    def full(self) -> bool:
        """Whether so many run that no more may begin."""
        return self._under_way >= self._bound

    async def room(self) -> None:
        """Return once few enough run. Cancelling is safe."""
        while self.full:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    def _pass_on(self) -> None:
        """Have a new task work on the queue, if there is anything in it."""
        self._sharing = self._tasks.spawn(self._work(), name=self._tasks.name) if self._queue else None

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            # A coroutine may have cancelled the task that it shares. The next ones need another then.
            while self._queue and self._sharing is task and not task.cancelling():
                coroutine, context = self._queue.popleft()
                try:
                    awaited = context.run(coroutine.send, None)
                    self._pass_on()
                    await rest_of(coroutine, awaited, context)
                except StopIteration:
                    pass
                finally:
                    self._under_way -= 1
                    if self._room is not None:
                        self._room.set_result(None)
                        self._room = None
        finally:
            if self._sharing is task:
                self._pass_on()


@types.coroutine
def rest_of(coroutine: Coroutine[Any, Any, T], awaited: Any, context: Context | None = None) -> Generator[Any, Any, T]:
    """Await a coroutine that has made its first step, in which it came to await ``awaited``.

    It goes on in ``context``, or in that of the task. Cancelling does what it does at any ``await``.
    """
    run: Callable[..., Any] = _run_here if context is None else context.run
    while True:
        value: Any = None
        error: BaseException | None = None
        try:
            value = yield awaited
        except BaseException as raised:
            error = raised
        try:
            awaited = run(coroutine.send, value) if error is None else run(coroutine.throw, error)
        except StopIteration as ended:
            result: T = ended.value
            return result


def _run_here(step: Callable[[Any], Any], given: Any) -> Any:
    return step(given)
