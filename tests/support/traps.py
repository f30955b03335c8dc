"""Run a scenario again and again, with a trap at the first await of the runner's tasks, then the second, and so on."""

from __future__ import annotations

import asyncio
import collections.abc
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import pytest

import rivet_runner
from tests.support.virtual_time import VirtualTimeLoop

__all__ = ["TURNS", "Trap", "at_each_await"]

PACKAGE: Final = str(Path(rivet_runner.__file__).parent)
TESTING: Final = str(Path(rivet_runner.__file__).parent / "testing")
MAX_AWAITS: Final = 400
"""More than any scenario has."""

TURNS: Final = pytest.mark.parametrize("turns", [0, *(pytest.param(turns, marks=pytest.mark.slow) for turns in (1, 2))])
"""Turns of the loop between the await and the cancellation, which then meets what was waited for. One run is hundreds."""

CLEANUP_SECONDS: Final = 8.0
"""For a close handshake, which has 5."""


class Trap:
    """Springs once, at one await of the runner's tasks; ``turns`` turns of the loop later, to be exact."""

    def __init__(self, at: int, turns: int) -> None:
        self._left = at
        self._turns = turns
        self._spring: Callable[[], object] | None = None
        self.sprung = False
        self._seen: list[asyncio.Task[Any]] = []

    def watch(self) -> None:
        """See the runner's tasks that are made from now on."""
        asyncio.get_running_loop().set_task_factory(self._make_task)

    def arm(self, spring: Callable[[], object]) -> None:
        """Count from now on."""
        self._spring = spring

    def disarm(self) -> None:
        self._spring = None

    def cancel_all(self) -> None:
        """Cancel each of the runner's tasks."""
        for task in self._seen:
            task.cancel()

    async def all_ended(self) -> None:
        """Check that cancelling has ended each of the runner's tasks, also those that were made on the way."""
        if not self.sprung:
            self.cancel_all()
        await asyncio.sleep(CLEANUP_SECONDS)
        left = [task for task in self._seen if not task.done()]
        assert left == []

    def awaited(self) -> None:
        """One of the runner's tasks has just begun to wait."""
        if self._spring is None or self.sprung:
            return
        if self._left == 0:
            self.sprung = True
            self._after(self._turns, self._spring)
        self._left -= 1

    def _after(self, turns: int, spring: Callable[[], object]) -> None:
        if turns == 0:
            spring()
        else:
            asyncio.get_running_loop().call_soon(self._after, turns - 1, spring)

    def _make_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        code = getattr(coroutine, "cr_code", None)
        file = "" if code is None else code.co_filename
        ours = file.startswith(PACKAGE) and not file.startswith(TESTING)
        task = asyncio.Task(_Watched(coroutine, self) if ours else coroutine, loop=loop, **options)
        if ours:
            self._seen.append(task)
        return task


class _Watched(collections.abc.Coroutine[Any, Any, Any]):
    """A coroutine that tells the trap each time it waits, at whatever depth."""

    def __init__(self, inner: Coroutine[Any, Any, Any], trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def send(self, value: Any) -> Any:
        waiting_for = self._inner.send(value)
        self._trap.awaited()
        return waiting_for

    def throw(self, *error: Any) -> Any:
        waiting_for = self._inner.throw(*error)
        self._trap.awaited()
        return waiting_for

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        raise NotImplementedError("for a task alone")


def at_each_await(scenario: Callable[[Trap], Coroutine[Any, Any, None]], turns: int) -> None:
    """Run ``scenario`` with a trap at each await in turn, until it ends before the trap springs."""
    for number in range(MAX_AWAITS):
        trap = Trap(number, turns)
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            try:
                runner.run(_watched(scenario, trap))
            except BaseException as error:
                error.add_note(f"cancelled at await {number}, {turns} turns later")
                raise
        if not trap.sprung:
            assert number > 0, "no await was seen"
            return
    raise AssertionError(f"the scenario has more than {MAX_AWAITS} awaits")


async def _watched(scenario: Callable[[Trap], Coroutine[Any, Any, None]], trap: Trap) -> None:
    trap.watch()
    await scenario(trap)
