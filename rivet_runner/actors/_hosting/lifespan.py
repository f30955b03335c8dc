"""The resources of a runner, which its actors share: from before its first connection until all actors have stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from rivet_runner._tasks import TaskGroup

__all__ = ["Lifespan"]

log: Final = logging.getLogger("rivet_runner.actors")

CANCEL_SECONDS: Final = 10.0
"""For the context manager to leave, after a cancellation."""


class Lifespan:
    """Enters and leaves one context manager in one task, as cancel scopes and task groups inside it need."""

    __slots__ = ("_entered", "_leave", "_make", "_tasks", "resources")

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._make = make
        self._tasks = TaskGroup("lifespan", log)
        self._entered: asyncio.Future[None] | None = None
        self._leave: asyncio.Event = asyncio.Event()
        self.resources: Any = None

    async def enter(self) -> None:
        """Return once it is entered. Raises what it raises. A cancellation cancels it and waits for it."""
        self._entered = asyncio.get_running_loop().create_future()
        self._tasks.spawn(self._run(self._entered), name="lifespan")
        try:
            await asyncio.shield(self._entered)
        except BaseException:
            await self._tasks.cancel_all(CANCEL_SECONDS)
            raise

    async def leave(self) -> None:
        """Return once it is left. What it raises is logged. A cancellation cancels it."""
        self._leave.set()
        try:
            await self._tasks.wait_idle()
        except BaseException:
            await self._tasks.cancel_all(CANCEL_SECONDS)
            raise

    async def _run(self, entered: asyncio.Future[None]) -> None:
        try:
            async with self._make() as self.resources:
                entered.set_result(None)
                await self._leave.wait()
        except BaseException as error:
            if entered.done():
                raise
            if isinstance(error, Exception):
                entered.set_exception(error)
            else:
                entered.cancel()
                raise
