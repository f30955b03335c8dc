"""Samples the running process by timer signal: where its main thread is, every few milliseconds of its CPU time.

Unlike a tracing profiler it costs about the same wherever the time goes, so cheap calls are not blown up; and as the timer
runs on CPU time, neither waiting nor losing the CPU to another process counts. Time inside C code counts for the Python
function that called it.
"""

from __future__ import annotations

import collections
import json
import signal
from pathlib import Path
from types import FrameType
from typing import Final

__all__ = ["Sampler"]

INTERVAL_SECONDS: Final = 0.001
"""What is asked for; the system gives one sample a tick, which may be 4 ms."""

DEEPEST: Final = 40


class Sampler:
    """Counts stacks, innermost function first."""

    def __init__(self) -> None:
        self._stacks: collections.Counter[tuple[str, ...]] = collections.Counter()

    def start(self) -> None:
        """Begin to sample."""
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self, path: Path) -> None:
        """End, and write what was sampled as JSON: a list of counts with their stacks."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        stacks = [{"count": count, "stack": stack} for stack, count in self._stacks.most_common()]
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(stacks))
        unfinished.replace(path)

    def _take(self, _: int, frame: FrameType | None) -> None:
        stack: list[str] = []
        while frame is not None and len(stack) < DEEPEST:
            code = frame.f_code
            stack.append(f"{code.co_filename}:{code.co_qualname}:{frame.f_lineno}")
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1
