"""Owners of tasks. All tasks of this package are spawned here.

A `TaskGroup` names its tasks, counts them, logs their exceptions, and waits for them or cancels them with a deadline.
No other module calls `asyncio.create_task`.

Waiting cannot miss a wake-up, because there is no counter to compare and no event to set. Each round waits for the
unfinished tasks and then looks again. A task that raises counts as finished, and a task spawned during a round is
found in the next one.

`asyncio.TaskGroup` does not fit: it cancels all tasks when one of them raises, and actors must not affect each other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["TaskGroup", "is_being_cancelled"]


class TaskGroup:
    """Named tasks with one owner.

    ``log`` gets the exceptions of tasks without an ``on_error``. The group belongs to the event loop on which its
    first task is spawned.
    """

    __slots__ = ("_closed", "_log", "_tasks", "name")

    def __init__(self, name: str, log: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        self.name: str = name
        self._log = log
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._closed = False

    def __len__(self) -> int:
        """Return the number of unfinished tasks."""
        return len(self._tasks)

    def __contains__(self, task: object) -> bool:
        return task in self._tasks

    def __repr__(self) -> str:
        return f"<TaskGroup {self.name}: {len(self._tasks)} tasks{', closed' if self._closed else ''}>"

    @property
    def names(self) -> list[str]:
        """The sorted names of the unfinished tasks, for a warning about a hang."""
        return sorted(task.get_name() for task in self._tasks)

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        name: str,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> asyncio.Task[Any]:
        """Start ``coroutine`` as a task of this group.

        If the task raises, the exception goes to ``on_error``, or to the log with its traceback. A cancellation does
        not. Raises `RuntimeError` if the group is closed, after closing the coroutine.
        """
        if self._closed:
            coroutine.close()
            raise RuntimeError(f"the task group {self.name!r} is closed; {name!r} was not started")
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks[task] = None
        if on_error is None:
            task.add_done_callback(self._finished)
        else:
            task.add_done_callback(lambda done: self._finished(done, on_error))
        return task

    @property
    def closed(self) -> bool:
        """Whether new tasks are refused."""
        return self._closed

    def close(self) -> None:
        """Refuse new tasks from now on. Running tasks continue."""
        self._closed = True

    async def wait_idle(self, timeout: float | None = None) -> bool:
        """Wait until all tasks of this group have finished, including tasks spawned meanwhile.

        ``timeout`` is in seconds. Returns whether the group is idle. A member of the group that calls this does not
        wait for itself. Cancelling is safe: it cancels the waiting, not the tasks.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while others := self._others():
            remaining = None if deadline is None else deadline - loop.time()
            if remaining is not None and remaining <= 0:
                return False
            done, _ = await asyncio.wait(others, timeout=remaining)
            self._forget(done)
        return True

    def cancel(self) -> None:
        """Cancel all tasks in spawn order, without waiting for them."""
        for task in list(self._tasks):
            task.cancel()

    async def cancel_all(self, timeout: float) -> bool:
        """Cancel all tasks in spawn order, including tasks spawned meanwhile, and wait until they have finished.

        ``timeout`` is in seconds. A task that swallows its cancellation is cancelled once more at half the timeout.
        If tasks are left at the end, logs a warning with their names and returns `False`.
        """
        loop = asyncio.get_running_loop()
        asked: set[asyncio.Task[Any]] = set()
        half, deadline = loop.time() + timeout / 2, loop.time() + timeout
        asked_again = False
        while others := self._others():
            now = loop.time()
            if now >= deadline:
                self._warn_of_survivors()
                return False
            if now >= half and not asked_again:
                asked_again = True
                asked.clear()
            for task in others:
                if task not in asked:
                    task.cancel()
            asked.update(others)
            done, _ = await asyncio.wait(others, timeout=(deadline if asked_again else half) - now)
            self._forget(done)
        return True

    def _warn_of_survivors(self) -> None:
        names = ", ".join(self.names[:10])
        self._log.warning("%s: %d tasks did not end when cancelled: %s", self.name, len(self._tasks), names)

    def _others(self) -> list[asyncio.Task[Any]]:
        """The unfinished tasks without the calling one, which must not wait for itself."""
        current = asyncio.current_task()
        return [task for task in self._tasks if task is not current]

    def _forget(self, done: set[asyncio.Task[Any]]) -> None:
        for task in done:
            self._tasks.pop(task, None)

    def _finished(self, task: asyncio.Task[Any], on_error: Callable[[BaseException], None] | None = None) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        if on_error is not None:
            on_error(error)
        else:
            self._log.error("task %s raised", task.get_name(), exc_info=error)


def is_being_cancelled() -> bool:
    """Whether the current task is being cancelled. A `CancelledError` may also come from a task that a hook has awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
