"""An event loop whose clock jumps, for tests where a timeout is the point.

`VirtualTimeLoop.time` stands still while there is anything to do. Once nothing is ready and nothing is under way on a
socket, it jumps to the next timer instead of sleeping until then. So ``await asyncio.sleep(3600)`` takes a few
milliseconds, in the same order of events as in real time, and a test can compare times exactly.

Use it with the decorator, which makes a plain test function out of an async one (so fixtures of the test must not be
async)::

    @virtual_time
    async def test_something_when_an_hour_has_passed() -> None:
        await asyncio.sleep(3600)

or for a whole directory, in its ``conftest.py`` (pytest-asyncio 1.4 and newer), where async fixtures work too::

    def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        return {"virtual time": VirtualTimeLoop}

Real sockets work if both ends are in this process: their bytes are waited for before the clock moves. So do
`run_in_executor` and what is built on it (``asyncio.to_thread``, ``getaddrinfo``): the clock stands while a call is under
way. A peer in *another* process, a thread of one's own or a subprocess is not known to the clock, which will jump
while it works.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import selectors
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec

from rivet_runner.testing.virtual_clock import START, JumpingSelector, VirtualLoop

__all__ = ["Stuck", "VirtualTimeLoop", "virtual_time"]

P = ParamSpec("P")

QUIET_ROUND: Final = 0.001
"""Real seconds of one look at the sockets before a jump. The kernel hands loopback bytes over at once, but on a busy
machine in a thread of its own, which must get to run. Spared if nothing can be on its way for sure."""

QUIET_ROUNDS: Final = 2
"""Looks in a row that must find nothing."""

LONGEST_DELIVERY: Final = 0.5
"""Real seconds more that a jump waits for the other side's kernel to acknowledge what a socket has sent. On a busy machine
that may take a while, and a peer in another process may delay it by 0.2 s. Bytes that a socket has not sent yet, because the
reader has stopped, are not waited for."""

SIOCOUTQNSD: Final = 0x894B
"""Linux's request for the number of bytes that a socket has not sent yet."""

REAL_LIMIT: Final = 300.0
"""Real seconds that one loop may live: virtual time makes an endless wait with a periodic timer a busy one."""

STUCK_AFTER: Final = 30.0
"""Real seconds without any timer or byte; no test in virtual time waits for the outside world that long."""


class Stuck(Exception):
    """Nothing will ever happen again, or what happens leads nowhere."""


class _PatientSelector(JumpingSelector):
    """Jumps only when no bytes are on their way, and gives up a test that leads nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = True
        self._lost: dict[int, int] = {}
        """The bytes under way from each file that nothing has acknowledged in `LONGEST_DELIVERY`."""
        self._give_up_at = time.monotonic() + REAL_LIMIT

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._check_real_time()
        return super().select(timeout)

    def look_again(self) -> list[tuple[selectors.SelectorKey, int]]:
        return self.really_select(0) if self._all_delivered() else self._give_time()

    def wait_for_bytes(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time: the end of a call in a thread arrives as a byte too."""
        ready = self.really_select(STUCK_AFTER)
        if not ready and not self.calls_in_threads:
            raise Stuck(f"no timer is set and no byte came for {STUCK_AFTER:g} s: this would wait for ever")
        return ready

    def register(self, *args: Any, **kwargs: Any) -> selectors.SelectorKey:
        self._changed = True
        return super().register(*args, **kwargs)

    def unregister(self, *args: Any, **kwargs: Any) -> selectors.SelectorKey:
        self._changed = True
        key = super().unregister(*args, **kwargs)
        self._lost.pop(key.fd, None)
        return key

    def _all_delivered(self) -> bool:
        """Whether nothing can be on its way, for sure.

        A socket that was opened or closed since the last quiet time may have a handshake or a farewell under way, and
        only Linux tells what was not acknowledged.
        """
        return sys.platform == "linux" and not self._changed and not self._undelivered()

    def _give_time(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Give the kernel some real time; return what came in it."""
        for _ in range(QUIET_ROUNDS):
            if ready := self.really_select(QUIET_ROUND):
                return ready
        patience = time.monotonic() + LONGEST_DELIVERY
        while undelivered := self._undelivered():
            if ready := self.really_select(QUIET_ROUND):
                return ready
            if time.monotonic() > patience:
                self._lost |= undelivered
        self._changed = False
        return []

    def _check_real_time(self) -> None:
        if time.monotonic() > self._give_up_at:
            self._give_up_at = float("inf")  # what ends the loop must be able to run
            raise Stuck(f"gave up after {REAL_LIMIT:g} s of real time, at {self.now - START:g} s of virtual time")

    def _undelivered(self) -> dict[int, int]:
        """The sockets that have sent bytes which the other side's kernel has not acknowledged, and how many."""
        files = [key.fd for key in self.get_map().values()] if sys.platform == "linux" else []
        if not self._under_way(files):
            return {}
        for fd in files:
            _acknowledge(fd)
        return self._under_way(files)

    def _under_way(self, files: list[int]) -> dict[int, int]:
        return {fd: size for fd in files if (size := _unacknowledged(fd)) and self._lost.get(fd) != size}


def _acknowledge(fd: int) -> None:
    """Have the kernel acknowledge now what it has, instead of up to 40 ms later."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd)
            try:
                borrowed.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            finally:
                borrowed.detach()


def _unacknowledged(fd: int) -> int:
    """The bytes that a socket has sent and that were not acknowledged."""
    with contextlib.suppress(OSError):
        if kept := _number(fd, termios.TIOCOUTQ):
            return kept - _number(fd, SIOCOUTQNSD)
    return 0


def _number(fd: int, request: int) -> int:
    (size,) = struct.unpack("i", fcntl.ioctl(fd, request, b"\0\0\0\0"))
    return int(size)


class VirtualTimeLoop(VirtualLoop):
    """See the module's docstring. Computing takes no virtual time."""

    def __init__(self) -> None:
        self._clock = _PatientSelector()
        super().__init__(self._clock)

    def pause(self, seconds: float) -> None:
        """The process stands still for so long: the clock goes on, and nothing runs meanwhile."""
        self._clock.now += seconds


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test function on a `VirtualTimeLoop` of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
