"""How the tour and the development server print: one readable line for each step, with its time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Steps"]


class Steps:
    """Prints what was done, and how long it took."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @contextmanager
    def step(self, what: str) -> Iterator[list[str]]:
        """Time a step and print it; what is put into the list is shown behind it."""
        details: list[str] = []
        began = time.perf_counter()
        try:
            yield details
        except BaseException:
            print(f"  FAILED  {what}", flush=True)
            raise
        milliseconds = (time.perf_counter() - began) * 1000
        detail = f"  {', '.join(details)}" if details else ""
        print(f"  {milliseconds:7.0f} ms  {what}{detail}", flush=True)

    def title(self, text: str) -> None:
        print(text, flush=True)

    def finish(self) -> None:
        print(f"Done in {time.perf_counter() - self._began:.1f} s.", flush=True)


def fail(message: str) -> None:
    """End the program with one line that says what to do."""
    print(message, file=sys.stderr)
    raise SystemExit(1)
