"""Key-value calls and their answers: one future for each call, across reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from rivet_runner._connection.uplink import Uplink
from rivet_runner._session.session import Session
from rivet_runner.errors import KvError, KvTimeout
from rivet_runner.protocol.wire import KvErrorResponse, KvRequestData, KvResponseData

__all__ = ["KvCalls"]

CALLS_AT_ONCE: Final = 1024
"""Calls of one runner that are under way; the engine answers them one after the other anyway. Further ones wait, within
their own timeout."""


class KvCalls:
    """All calls of one runner. Answers match calls by their id, whatever their order."""

    def __init__(self, session: Session, uplink: Uplink, timeout: float) -> None:
        self._session = session
        self._uplink = uplink
        self._timeout = timeout
        self._waiting: dict[int, asyncio.Future[KvResponseData]] = {}
        self._actors: dict[int, str] = {}
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)
        self.round_trip = 0.0
        """Seconds that the newest answer took, on one connection: how busy the engine is."""

    def __len__(self) -> int:
        return len(self._waiting)

    async def call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvResponseData:
        """Make one call and wait for its answer; ``ended`` says why no further call may be made, if so.

        Raises `KvError` for the engine's refusal and `KvTimeout` without an answer in time. Cancelling is safe for the
        runner; the engine may have carried the call out.
        """
        try:
            async with asyncio.timeout(self._timeout):
                async with self._slots:
                    if (why := ended()) is not None:
                        raise KvError(f"actor {actor_id}: {why}")
                    answer = await self._exchange(actor_id, data)
        except TimeoutError:
            raise KvTimeout(
                f"actor {actor_id}: the engine did not answer a key-value call within {self._timeout:g} s"
            ) from None
        if type(answer) is KvErrorResponse:
            raise KvError(f"actor {actor_id}: the engine refused a key-value call: {answer.message}")
        return answer

    def answered(self, request_id: int, data: KvResponseData) -> None:
        """The engine has answered ``request_id``."""
        future = self._waiting.get(request_id)
        if future is not None and not future.done():
            future.set_result(data)

    def fail(self, request_ids: list[int], why: str) -> None:
        """End calls that nobody will answer."""
        for request_id in request_ids:
            future = self._waiting.get(request_id)
            if future is not None and not future.done():
                future.set_exception(KvError(f"actor {self._actors[request_id]}: {why}"))

    def fail_actor(self, actor_id: str, why: str) -> None:
        """End every call of one actor."""
        self.fail([request_id for request_id, owner in self._actors.items() if owner == actor_id], why)

    async def _exchange(self, actor_id: str, data: KvRequestData) -> KvResponseData:
        request_id = self._session.call_kv(actor_id, data)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[KvResponseData] = loop.create_future()
        self._waiting[request_id] = future
        self._actors[request_id] = actor_id
        self._uplink.flush_soon()
        began, connection = loop.time(), self._uplink.connection_number
        try:
            answer = await future
            if self._uplink.is_on(connection):
                self.round_trip = loop.time() - began
            return answer
        finally:
            self._session.kv.end(request_id)
            del self._waiting[request_id], self._actors[request_id]
