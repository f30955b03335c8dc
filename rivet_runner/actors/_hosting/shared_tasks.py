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
from typing import Any, Generic, TypeVar

from rivet_runner._tasks import TaskGroup

__all__ = ["SharedTasks"]

T = TypeVar("T")


class SharedTasks(Generic[T]):
    """Runs coroutines in tasks of ``tasks``, at most ``bound`` at a time. It is the caller's part to respect `full`.

    ``has_to_wait`` is called with the ``subject`` of a coroutine, in its task, when it first has to wait.
    """

    __slots__ = ("_bound", "_has_to_wait", "_queue", "_room", "_sharing", "_tasks", "_under_way")

    def __init__(self, tasks: TaskGroup, bound: int, has_to_wait: Callable[[T], None]) -> None:
        self._tasks = tasks
        self._bound = bound
        self._has_to_wait = has_to_wait
        self._queue: deque[tuple[T, Coroutine[Any, Any, None], Context]] = deque()
        self._sharing: asyncio.Task[Any] | None = None
        """The task that works on the queue."""
        self._under_way = 0
        self._room: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        """Return the number of coroutines that have not ended."""
        return self._under_way

    def begin(self, subject: T, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run ``coroutine`` from the next turn of the event loop on, in a copy of this context. Its errors are logged."""
        self._under_way += 1
        self._queue.append((subject, coroutine, copy_context()))
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
                subject, coroutine, context = self._queue.popleft()
                try:
                    awaited = context.run(coroutine.send, None)
                    self._pass_on()
                    self._has_to_wait(subject)
                    await _rest(coroutine, context, awaited)
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
def _rest(coroutine: Coroutine[Any, Any, None], context: Context, awaited: Any) -> Generator[Any, Any, None]:
    """Run a coroutine to its end, as ``await`` does, but in ``context``. It awaits ``awaited`` now."""
    while True:
        value: Any = None
        error: BaseException | None = None
        try:
            value = yield awaited
        except BaseException as raised:
            error = raised
        try:
            awaited = context.run(coroutine.send, value) if error is None else context.run(coroutine.throw, error)
        except StopIteration:
            return
