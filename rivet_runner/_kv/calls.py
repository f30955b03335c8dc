"""Key-value calls and their answers. A call survives reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from rivet_runner._connection.uplink import Uplink
from rivet_runner._observing.observer import Observer
from rivet_runner._session.dialect import KvAnswer
from rivet_runner._session.session import Session
from rivet_runner.errors import KvError, KvTimeout
from rivet_runner.protocol.messages import (
    KvDeleteRangeRequest,
    KvDeleteRequest,
    KvDropRequest,
    KvErrorResponse,
    KvGetRequest,
    KvListRequest,
    KvPutRequest,
    KvRequestData,
)

__all__ = ["KvCalls"]

CALLS_AT_ONCE: Final = 1024
"""Maximum calls of one runner that wait for an answer. The engine answers them one after the other anyway. Further
calls queue, and their timeout runs meanwhile."""

OPERATIONS: Final[dict[type[KvRequestData], str]] = {
    KvGetRequest: "get",
    KvListRequest: "list",
    KvPutRequest: "put",
    KvDeleteRequest: "delete",
    KvDeleteRangeRequest: "delete_range",
    KvDropRequest: "drop",
}
"""As an `Observer` knows them."""


class _Call(NamedTuple):
    """A call that waits for its answer. ``began`` is on the event loop's clock."""

    actor_id: str
    answer: asyncio.Future[KvAnswer]
    began: float


class KvCalls:
    """The calls of one runner. Answers find their call by its id, in any order.

    This class owns the calls that wait for an answer. The session only keeps their frames, to send them again.
    """

    def __init__(self, session: Session, uplink: Uplink, timeout: float, observer: Observer) -> None:
        self._session = session
        self._uplink = uplink
        self._timeout = timeout
        self._observer = observer
        self._calls: dict[int, _Call] = {}
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)
        self.has_delete_range: bool = session.has_delete_range
        """Whether the engine can delete a range of keys in one call."""
        self.round_trip: float = 0.0
        """Seconds from the latest call to its answer, if both used the same connection. It tells how busy the engine is."""

    def __len__(self) -> int:
        return len(self._calls)

    def is_behind(self, moment: float) -> bool:
        """Whether a call made before ``moment``, on the event loop's clock, has no answer.

        The engine takes the messages of a runner in order, so it has not taken what was sent after that call either.
        """
        oldest = next(iter(self._calls.values()), None)
        return oldest is not None and oldest.began <= moment

    async def call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvAnswer:
        """Make one call and wait for its answer.

        ``ended`` returns the reason why the actor may make no more calls, or `None`. It is asked when the call is
        about to be sent. Raises `KvError` if the engine refuses the call, and `KvTimeout` if no answer comes in time.
        Cancelling is safe, but the engine may have carried out the call.
        """
        with self._observer.kv_call(actor_id, OPERATIONS[type(data)]):
            return await self._call(actor_id, data, ended)

    async def _call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvAnswer:
        deadline = asyncio.get_running_loop().time() + self._timeout
        await self._take_slot(actor_id, deadline)
        try:
            if (why := ended()) is not None:
                raise KvError(f"actor {actor_id}: {why}")
            answer = await self._exchange(actor_id, data, deadline)
        finally:
            self._slots.release()
        if type(answer) is KvErrorResponse:
            raise KvError(f"actor {actor_id}: the engine refused a key-value call: {answer.message}")
        return answer

    async def _take_slot(self, actor_id: str, deadline: float) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # without a wait
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            raise self._timed_out(actor_id) from None

    def _timed_out(self, actor_id: str) -> KvTimeout:
        return KvTimeout(f"actor {actor_id}: the engine did not answer a key-value call within {self._timeout:g} s")

    def answered(self, request_id: int, answer: KvAnswer) -> None:
        """Hand the engine's answer to its call, unless the call has ended."""
        call = self._end(request_id)
        if call is not None and not call.answer.done():
            call.answer.set_result(answer)

    def fail(self, request_ids: list[int], why: str) -> None:
        """End calls that the engine will not answer."""
        for request_id in request_ids:
            call = self._end(request_id)
            if call is not None and not call.answer.done():
                call.answer.set_exception(KvError(f"actor {call.actor_id}: {why}"))

    def fail_actor(self, actor_id: str, why: str) -> None:
        """End all calls of one actor."""
        self.fail([request_id for request_id, call in self._calls.items() if call.actor_id == actor_id], why)

    async def _exchange(self, actor_id: str, data: KvRequestData, deadline: float) -> KvAnswer:
        request_id = self._session.call_kv(actor_id, data)
        loop = asyncio.get_running_loop()
        began, connection = loop.time(), self._uplink.connection_number
        call = self._calls[request_id] = _Call(actor_id, loop.create_future(), began)
        self._uplink.flush_soon()
        timer = loop.call_at(deadline, self._expired, call)
        try:
            answer = await call.answer
        finally:
            timer.cancel()
            self._end(request_id)
        if self._uplink.is_on(connection):
            self.round_trip = loop.time() - began
        return answer

    def _expired(self, call: _Call) -> None:
        if not call.answer.done():
            call.answer.set_exception(self._timed_out(call.actor_id))

    def _end(self, request_id: int) -> _Call | None:
        """Remove a call here and in the session. Returns `None` if it has ended before."""
        call = self._calls.pop(request_id, None)
        if call is not None:
            self._session.end_call(request_id)
        return call
