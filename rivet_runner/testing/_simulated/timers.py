"""Timers without a clock of their own: in order of time, and at one time in the order in which they were set."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Final

__all__ = ["ManualClock", "Timer", "Timers"]

COMPACT_ABOVE: Final = 64
"""Cancelled timers that are kept at least before the heap is rebuilt without them."""


def _nothing() -> None:
    pass


class Timer:
    """One timer. You may cancel it at any time, also after it has fired."""

    __slots__ = ("_owner", "args", "callback")

    def __init__(self, owner: Timers, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        self._owner: Timers | None = owner
        self.callback: Callable[..., None] = callback
        self.args: tuple[Any, ...] = args

    @property
    def active(self) -> bool:
        return self._owner is not None

    def cancel(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            # It may stay in the heap for long, and must not keep what it was for.
            self.callback, self.args = _nothing, ()
            owner._cancelled_one()

    def fire(self) -> None:
        self._owner = None
        self.callback(*self.args)


class ManualClock:
    """Milliseconds that a test moves by hand."""

    def __init__(self, now: int = 1_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Timers:
    """A heap of timers over ``clock``, which returns milliseconds since the epoch.

    Call `run_due` when a timer is due. ``on_earliest`` is called with each new earliest time.
    """

    def __init__(self, clock: Callable[[], int], on_earliest: Callable[[int], None] | None = None) -> None:
        self.now = clock
        self._on_earliest = on_earliest
        self._heap: list[tuple[int, int, Timer]] = []
        self._number = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    @property
    def held(self) -> int:
        """The number of timers in memory, cancelled ones included."""
        return len(self._heap)

    def call_at(self, when: int, callback: Callable[..., None], *args: Any) -> Timer:
        """Call ``callback`` at ``when``, in milliseconds. A time in the past means the next run of the timers."""
        self._number += 1
        timer = Timer(self, callback, args)
        heapq.heappush(self._heap, (when, self._number, timer))
        if self._heap[0][2] is timer and self._on_earliest is not None:
            self._on_earliest(when)
        return timer

    def call_later(self, milliseconds: int, callback: Callable[..., None], *args: Any) -> Timer:
        return self.call_at(self.now() + milliseconds, callback, *args)

    @property
    def next_due(self) -> int | None:
        """The time of the earliest timer, or `None` without timers."""
        self._drop_cancelled()
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> None:
        """Fire the timers that are due, in order, and those that are set meanwhile and due at once."""
        now, heap = self.now(), self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            if timer.active:
                timer.fire()
            else:
                self._cancelled -= 1

    def advance(self, clock: ManualClock, milliseconds: int) -> None:
        """Move a manual clock on, and fire each timer at its time on the way."""
        until = clock.now + milliseconds
        while (due := self.next_due) is not None and due <= until:
            clock.now = max(clock.now, due)
            heapq.heappop(self._heap)[2].fire()
        clock.now = until

    def _drop_cancelled(self) -> None:
        while self._heap and not self._heap[0][2].active:
            heapq.heappop(self._heap)
            self._cancelled -= 1

    def _cancelled_one(self) -> None:
        self._cancelled += 1
        if self._cancelled > COMPACT_ABOVE and self._cancelled > len(self._heap) // 2:
            self._heap[:] = [entry for entry in self._heap if entry[2].active]
            heapq.heapify(self._heap)
            self._cancelled = 0
