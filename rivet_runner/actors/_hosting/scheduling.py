"""The schedules of one actor generation: the seam between them and the actor."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from rivet_runner.actor import Actor
from rivet_runner.actors._hosting.kind import ActorKind
from rivet_runner.kv import KV

__all__ = ["SchedulerSeam"]


class SchedulerSeam:
    """See `rivet_runner.actors._schedule.host.SchedulerHost`."""

    __slots__ = ("_failed", "_instance", "_kind", "_save", "actor")

    def __init__(
        self,
        actor: Actor,
        kind: ActorKind,
        instance: Any,
        save: Callable[[], Awaitable[None]],
        failed: Callable[[Exception, str], Awaitable[None]],
    ) -> None:
        self.actor = actor
        self._kind = kind
        self._instance = instance
        self._save = save
        self._failed = failed

    @property
    def kv(self) -> KV:
        return self.actor.kv.area("schedule")

    def method(self, name: str) -> Callable[..., Awaitable[Any]] | None:
        method = getattr(self._instance, name, None)
        return method if inspect.ismethod(method) else None

    def bind(self, method: str, args: list[Any]) -> list[Any]:
        return self._kind.signature(method).bind(args)

    async def ran(self) -> None:
        await self._save()

    async def failed(self, error: Exception, method: str) -> None:
        await self._failed(error, method)
