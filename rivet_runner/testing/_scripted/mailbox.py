"""Received items that the script has not taken yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

__all__ = ["TIMEOUT", "Mailbox"]

TIMEOUT: Final = 10.0
"""Default seconds that a script waits for an item."""

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Items in the order of their arrival. `take` removes the first one that fits and leaves the others.

    ``name`` names the mailbox in error messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._items: list[T] = []
        self._changed = asyncio.Event()
        self._ended: str | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Append ``item``."""
        self._items.append(item)
        self._changed.set()

    def end(self, why: str) -> None:
        """Note that no more items will come."""
        self._ended = why
        self._changed.set()

    async def take(self, fits: Callable[[T], bool], timeout: float, what: str) -> T:
        """Wait up to ``timeout`` seconds for an item that ``fits``, and remove it.

        Raises `TimeoutError`, or `EOFError` if no more items will come. Both messages name ``what`` the script waits
        for, and the items that are there. Cancelling is safe.
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for position, item in enumerate(self._items):
                        if fits(item):
                            return self._items.pop(position)
                    if self._ended is not None:
                        raise EOFError(f"{self._waited(what)}: {self._ended}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{self._waited(what)} within {timeout:g} s") from None

    def _waited(self, what: str) -> str:
        here = ", ".join(repr(item) for item in self._items) or "nothing"
        return f"{self.name}: no {what} came (waiting here: {here[:500]})"
