"""An event loop whose clock jumps: waiting costs nothing.

The clock stands still while there is anything to do, and then jumps to the next timer. So ``await asyncio.sleep(86400)``
takes microseconds, in the same order of events as in real time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

__all__ = ["NothingLeftToDo", "VirtualLoop", "virtual_loop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START: Final = 1000.0
"""Seconds that the clock shows first. Not zero, which is easily taken for "none"."""

TICKS: Final = 1_000_000
"""A second has so many. Times are whole ticks, rounded up, so that a timer never finds itself a rounding error too early,
and sets itself again for a time that has come already."""

OWN_FILES: Final = 1
"""Files that every loop watches: its own wake-up pipe."""

QUIET_SECONDS: Final = 0.001
"""Real seconds that bytes on a socket are waited for before a jump, if there are sockets at all."""


class NothingLeftToDo(RuntimeError):
    """The program waits, and there is no timer, socket or thread that could end the wait."""


class _JumpingSelector(selectors.DefaultSelector):
    """Advances the clock where a loop would sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.calls_in_threads = 0
        self.idle: list[asyncio.Future[None]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.calls_in_threads:
            return super().select(None)
        if len(self.get_map()) > OWN_FILES and (ready := super().select(QUIET_SECONDS)):
            return ready
        if self.idle:
            self._tell_idle()
        elif timeout is None:
            return self._wait_for_bytes()
        else:
            self.now = round((self.now + timeout) * TICKS) / TICKS
        return []

    def _tell_idle(self) -> None:
        idle, self.idle = self.idle, []
        for waiter in idle:
            if not waiter.done():
                waiter.set_result(None)

    def _wait_for_bytes(self) -> list[tuple[selectors.SelectorKey, int]]:
        if len(self.get_map()) <= OWN_FILES:
            raise NothingLeftToDo("the program waits for something that nothing is going to do: no timer is set")
        return super().select(None)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Computing takes no virtual time. The clock stands while a call runs in a thread, as in `asyncio.to_thread`."""

    def __init__(self) -> None:
        self.__selector = _JumpingSelector()
        super().__init__(self.__selector)

    def time(self) -> float:
        """Virtual seconds."""
        return self.__selector.now

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As in every loop, at the next whole tick."""
        ticks = round(when * TICKS)
        if ticks / TICKS < when:
            ticks += 1
        return super().call_at(ticks / TICKS, callback, *args, context=context)

    async def settle(self) -> None:
        """Wait until nothing can happen any more without the clock moving on. Cancelling is safe."""
        idle = self.create_future()
        self.__selector.idle.append(idle)
        await idle

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, through every timer on the way, and wait until all is done that is due then."""
        until = self.time() + seconds
        await self.settle()
        if seconds > 0:
            due = self.create_future()
            timer = self.call_at(until, due.set_result, None)
            try:
                await due
            finally:
                timer.cancel()
            await self.settle()

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        """As in every loop; the clock stands until the call has returned."""
        future = super().run_in_executor(executor, func, *args)
        self.__selector.calls_in_threads += 1
        future.add_done_callback(self.__returned)
        return future

    def __returned(self, _: asyncio.Future[Any]) -> None:
        self.__selector.calls_in_threads -= 1


def virtual_loop() -> VirtualLoop:
    """A new event loop on virtual time: a loop factory for `asyncio.Runner` and for pytest-asyncio.

    A `rivet_runner.testing.SimulatedEngine` with ``clock="virtual"`` needs one. Raises `NothingLeftToDo` from the loop's run
    if the program would wait for ever.
    """
    return VirtualLoop()
