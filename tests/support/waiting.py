"""Waiting for something that another task or another process brings about."""

from __future__ import annotations

import asyncio
import inspect
import linecache
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, overload

__all__ = ["POLL_SECONDS", "eventually"]

POLL_SECONDS: Final = 0.01

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[..., Awaitable[T | None]],
    *,
    seconds: float = 60.0,
    every: float = POLL_SECONDS,
    what: str | None = None,
) -> T: ...
@overload
async def eventually(
    condition: Callable[..., T | None], *, seconds: float = 60.0, every: float = POLL_SECONDS, what: str | None = None
) -> T: ...
async def eventually(
    condition: Callable[..., object], *, seconds: float = 60.0, every: float = POLL_SECONDS, what: str | None = None
) -> object:
    """Ask ``condition`` every few milliseconds until it is true, and return its value.

    ``condition`` is called without arguments, so that a lambda in a loop may bind its variables as defaults. It may be a
    coroutine function: the call is cancelled when the time is up. Its errors are passed on.

    Times are seconds of the event loop, which may be virtual. Raises `AssertionError` with ``what``, or else with the
    name of ``condition`` or the line of a lambda, if it was never true within ``seconds``.
    """
    value: object = None
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            while True:
                answer = condition()
                value = await answer if inspect.isawaitable(answer) else answer
                if value:
                    return value
                await asyncio.sleep(every)
    except TimeoutError:
        if not deadline.expired():
            raise
        what = what or _described(condition)
        raise AssertionError(f"not within {seconds:g} s: {what} (last: {value!r})") from None


def _described(condition: Callable[..., object]) -> str:
    """The function's name, or for a lambda the line of its source."""
    name: str = getattr(condition, "__name__", repr(condition))
    if name != "<lambda>":
        return name
    code = condition.__code__
    return linecache.getline(code.co_filename, code.co_firstlineno).strip()
