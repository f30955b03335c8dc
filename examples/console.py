"""The output of the tour: one readable line for each step, with its duration."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Steps"]


class Steps:
    """Prints each step and its duration."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step and print it. Append details to the list to print them after the name."""
        details: list[str] = []
        began = time.perf_counter()
        try:
            yield details
        except BaseException:
            print(f"  FAILED  {name}", flush=True)
            raise
        milliseconds = (time.perf_counter() - began) * 1000
        detail = f"  {', '.join(details)}" if details else ""
        print(f"  {milliseconds:7.0f} ms  {name}{detail}", flush=True)

    def title(self, text: str) -> None:
        print(text, flush=True)

    def finish(self) -> None:
        print(f"Done in {time.perf_counter() - self._began:.1f} s.", flush=True)


def fail(message: str) -> None:
    """Print ``message`` to standard error, and exit with status 1."""
    print(message, file=sys.stderr)
    raise SystemExit(1)
