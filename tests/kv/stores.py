"""An engine for a `KvStore`, in memory."""

from __future__ import annotations

from collections.abc import Callable

from rivet_runner._kv.calls import KvCalls
from rivet_runner._session.dialect import KvAnswer
from rivet_runner.protocol.messages import KvRequestData
from rivet_runner.testing.scripted_engine import ScriptedKv

__all__ = ["ACTOR", "MemoryCalls"]

ACTOR = "an-actor"


class MemoryCalls(KvCalls):
    """Answers calls from memory, like the engine, and keeps the requests in ``sent``.

    ``instead`` replaces the right answer.
    """

    def __init__(self) -> None:
        self.engine = ScriptedKv()
        self.sent: list[KvRequestData] = []
        self.failed: list[tuple[str, str]] = []
        self.instead: KvAnswer | None = None
        self.ended: str | None = None
        self.has_delete_range = False

    @property
    def entries(self) -> dict[bytes, bytes]:
        return self.engine.of(ACTOR)

    async def call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvAnswer:
        self.sent.append(data)
        self.ended = ended()
        return self.instead or self.engine.answer(actor_id, data)

    def fail_actor(self, actor_id: str, why: str) -> None:
        self.failed.append((actor_id, why))
