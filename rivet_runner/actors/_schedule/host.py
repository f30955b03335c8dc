"""What a schedule needs of its actor generation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from rivet_runner.actor import Actor
from rivet_runner.kv import KV

__all__ = ["Method", "SchedulerHost"]

Method = Callable[..., Awaitable[Any]]


class SchedulerHost(Protocol):
    """One generation of one typed actor."""

    @property
    def actor(self) -> Actor: ...

    @property
    def kv(self) -> KV:
        """An area of its own."""

    def method(self, name: str) -> Method | None:
        """Return the bound method, or `None` if there is none with this name."""

    def bind(self, method: str, args: list[Any]) -> list[Any]:
        """Convert plain data to the annotations of the method. Raises an error with the path of what does not fit."""

    async def ran(self) -> None:
        """A run has returned. Stores the state if it changed."""

    async def failed(self, error: Exception, method: str) -> None:
        """A run has raised in its last attempt, or the method is gone. It is not run again."""
