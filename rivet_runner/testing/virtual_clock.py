"""An event loop whose clock jumps, so that your tests spend no time on waiting.

The clock stands still while there is anything to do, and then jumps to the next timer. So ``await asyncio.sleep(86400)``
takes microseconds, in the same order of events as in real time. You can use the loop without an engine too.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

__all__ = ["JumpingSelector", "NothingLeftToDo", "VirtualLoop", "virtual_loop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START: Final = 1000.0
"""The first time of the clock, in seconds. Zero is easily taken for a missing value."""

TICKS: Final = 1_000_000
"""Ticks in a second. Times are whole ticks, rounded up. Otherwise a timer could fire a rounding error too early, and be set
again for a time that has come already."""

OWN_FILES: Final = 1
"""The number of files that every loop watches: its own wake-up pipe."""

UNSEEN_TURNS: Final = 100
"""Turns of a loop without sockets that has more to do, before it looks for signals and the ends of calls in threads."""

QUIET_SECONDS: Final = 0.001
"""Real seconds to wait for bytes before a jump, if there are sockets at all."""


class NothingLeftToDo(RuntimeError):
    """Your program waits, but no timer, socket or thread can end the wait."""


class JumpingSelector(selectors.DefaultSelector):
    """Advances the clock instead of sleeping."""

    def __init__(self) -> None:
        super().__init__()
        self.now: float = START
        self.calls_in_threads: int = 0
        self.idle: list[asyncio.Future[None]] = []
        self._unseen = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        due = timeout is not None and timeout <= 0
        if due and self._unseen < UNSEEN_TURNS and len(self.get_map()) <= OWN_FILES:
            self._unseen += 1
            return []
        self._unseen = 0
        ready = super().select(0)
        if ready or due:
            return ready
        if self.calls_in_threads:
            return self.wait_for_bytes()
        if ready := self.look_again():
            return ready
        if self.idle:
            self._tell_idle()
        elif timeout is None:
            return self.wait_for_bytes()
        else:
            self.now = round((self.now + timeout) * TICKS) / TICKS
        return []

    def really_select(self, seconds: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time."""
        return super().select(seconds)

    def look_again(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Look before a jump whether something has come meanwhile."""
        return super().select(QUIET_SECONDS) if len(self.get_map()) > OWN_FILES else []

    def wait_for_bytes(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets, or for a call in a thread. Raises `NothingLeftToDo` if there is neither."""
        if not self.calls_in_threads and len(self.get_map()) <= OWN_FILES:
            raise NothingLeftToDo("the program waits for something that nothing is going to do: no timer is set")
        return super().select(None)

    def _tell_idle(self) -> None:
        idle, self.idle = self.idle, []
        for waiter in idle:
            if not waiter.done():
                waiter.set_result(None)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time. Get one from `virtual_loop`.

    Computing takes no virtual time. The clock stands while a call runs in a thread, as in `asyncio.to_thread`. The loop does
    not know of other processes: the clock jumps while they work.
    """

    def __init__(self, selector: JumpingSelector | None = None) -> None:
        self.__selector = JumpingSelector() if selector is None else selector
        super().__init__(self.__selector)

    def time(self) -> float:
        """Virtual seconds."""
        return self.__selector.now

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are set, for a test that looks whether one was left behind."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return [timer for timer in scheduled if not timer.cancelled()]

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call ``callback`` at ``when`` seconds, as every loop does, at the next whole tick."""
        if math.isinf(when):
            return super().call_at(when, callback, *args, context=context)
        ticks = round(when * TICKS)
        if ticks / TICKS < when:
            ticks += 1
        return super().call_at(ticks / TICKS, callback, *args, context=context)

    async def settle(self) -> None:
        """Wait until there is no more to do at this moment of the clock. Cancelling is safe."""
        idle = self.create_future()
        self.__selector.idle.append(idle)
        await idle

    async def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, through every timer on the way, and finish the work that is due then.

        Cancelling leaves the clock as far as it has come.
        """
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
        """Run ``func`` in a thread, as every loop does. The clock stands until the call has returned."""
        future = super().run_in_executor(executor, func, *args)
        self.__selector.calls_in_threads += 1
        future.add_done_callback(self.__returned)
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """Wait until the threads of `asyncio.to_thread` have ended, as every loop does. The clock stands meanwhile."""
        self.__selector.calls_in_threads += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self.__selector.calls_in_threads -= 1

    def __returned(self, _: asyncio.Future[Any]) -> None:
        self.__selector.calls_in_threads -= 1


def virtual_loop() -> VirtualLoop:
    """Make an event loop on virtual time. You need one for a `SimulatedEngine` with ``clock="virtual"``.

    Pass it as a loop factory to `asyncio.Runner` or to pytest-asyncio::

        with asyncio.Runner(loop_factory=virtual_loop) as runner:
            runner.run(main())

    If your program would wait for ever, its run raises `NothingLeftToDo`.
    """
    return VirtualLoop()
