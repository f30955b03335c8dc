"""An event loop whose clock jumps, so that your tests spend no time on waiting.

The clock stands still while there is anything to do, and then jumps to the next timer. So ``await asyncio.sleep(86400)``
takes microseconds, in the same order of events as in real time. You can use the loop without an engine too.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

__all__ = ["JumpingSelector", "NothingLeftToDo", "VirtualLoop", "running_virtual_loop", "virtual_loop"]

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
"""Turns of a loop without sockets, before it looks for signals."""

KEPT_TIMERS: Final = 64
"""Cancelled timers that are kept at least, before the heap is rebuilt without them."""

QUIET_SECONDS: Final = 0.001
"""Real seconds to wait for bytes before a jump, if there are sockets at all."""


class NothingLeftToDo(RuntimeError):
    """Your program waits, but no timer, socket or thread can end the wait."""


class JumpingSelector(selectors.DefaultSelector):
    """Advances the clock instead of sleeping. The loop's timers are here, since they are all that it can jump to."""

    def __init__(self) -> None:
        super().__init__()
        self.now: float = START
        self.timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        """A heap. The number in the middle keeps timers of the same time in the order in which they were set."""
        self.calls_in_threads: int = 0
        self.idle: list[asyncio.Future[None]] = []
        self._files = 0
        self._unseen = 0

    def register(self, *args: Any, **kwargs: Any) -> selectors.SelectorKey:
        key = super().register(*args, **kwargs)
        self._files += 1
        return key

    def unregister(self, *args: Any, **kwargs: Any) -> selectors.SelectorKey:
        key = super().unregister(*args, **kwargs)
        self._files -= 1
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the files that are ready. If the loop has nothing to do, ``timeout`` is `None`, and the clock jumps."""
        self._unseen += 1
        ready = []
        if self._unseen > UNSEEN_TURNS or self._files > OWN_FILES:
            self._unseen = 0
            ready = super().select(0)
        if ready or timeout is not None:
            return ready
        if self.calls_in_threads:
            return self.wait_for_bytes()
        if self._files > OWN_FILES and (ready := self.look_again()):
            return ready
        if self.idle:
            self._tell_idle()
        elif not self._jump():
            return super().select(0) or self.wait_for_bytes()
        return []

    def _jump(self) -> bool:
        """Jump to the next timer. Return whether there is one."""
        timers = self.timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers or timers[0][0] == math.inf:
            return False
        if timers[0][0] > self.now:
            self.now = timers[0][0]
        return True

    def really_select(self, seconds: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time."""
        return super().select(seconds)

    def look_again(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Look before a jump whether something has come meanwhile."""
        return super().select(QUIET_SECONDS)

    def wait_for_bytes(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets, or for a call in a thread. Raises `NothingLeftToDo` if there is neither."""
        if not self.calls_in_threads and self._files <= OWN_FILES:
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

    # Of `asyncio.BaseEventLoop`
    _ready: deque[Any]
    _stopping: bool
    _closed: bool
    _debug: bool

    def __init__(self, selector: JumpingSelector | None = None) -> None:
        self.__selector = JumpingSelector() if selector is None else selector
        self.__number = 0
        self.__cancelled = 0
        super().__init__(self.__selector)

    def close(self) -> None:
        """Close the loop, as every loop, and forget its timers."""
        super().close()
        self.__selector.timers.clear()

    def time(self) -> float:
        """Virtual seconds."""
        return self.__selector.now

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are set, for a test that looks whether one was left behind."""
        return [timer for _, _, timer in self.__selector.timers if not timer.cancelled()]

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call ``callback`` at ``when`` seconds, as every loop does, at the next whole tick."""
        if self._closed:
            self._check_closed()  # type: ignore[attr-defined]
        if -math.inf < when < math.inf:
            ticks = round(when * TICKS)
            when = (ticks if ticks / TICKS >= when else ticks + 1) / TICKS
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self.__number += 1
        heapq.heappush(self.__selector.timers, (when, self.__number, timer))
        return timer

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call ``callback`` in ``delay`` seconds, as every loop does, at the next whole tick."""
        return self.call_at(self.__selector.now + delay, callback, *args, context=context)

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call ``callback`` in the next turn, as every loop does."""
        if self._debug or self._closed:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _run_once(self) -> None:
        """One turn: look at the files, jump if there is nothing to do, and call what is ready and due now.

        It does not look for slow callbacks, as no time passes in them.
        """
        ready, selector = self._ready, self.__selector
        events = selector.select(0 if ready or self._stopping else None)
        if events:
            self._process_events(events)  # type: ignore[attr-defined]
        timers, now = selector.timers, selector.now
        while timers and timers[0][0] <= now:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()
        handle = None  # an exception of a callback has this frame in its traceback

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by a timer that is cancelled."""
        timers = self.__selector.timers
        self.__cancelled += 1
        if self.__cancelled > KEPT_TIMERS and self.__cancelled > len(timers) // 2:
            timers[:] = [entry for entry in timers if not entry[2].cancelled()]
            heapq.heapify(timers)
            self.__cancelled = 0

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


def running_virtual_loop() -> VirtualLoop:
    """The event loop of the caller. Raises `RuntimeError` if it is on real time."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError(
            'clock="virtual" needs an event loop of rivet_runner.testing.virtual_loop(), for example '
            "asyncio.Runner(loop_factory=virtual_loop)"
        )
    return loop
