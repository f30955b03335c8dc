"""The store of one actor generation, for its user and for the SDK: whole answers out of the engine's calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from rivet_runner._kv.calls import KvCalls
from rivet_runner._kv.limits import check_keys, check_put, key_after
from rivet_runner.errors import KvError
from rivet_runner.protocol.wire import (
    KvDeleteRequest,
    KvDeleteResponse,
    KvGetRequest,
    KvGetResponse,
    KvListRangeQuery,
    KvListRequest,
    KvListResponse,
    KvPutRequest,
    KvPutResponse,
    KvRequestData,
    KvResponseData,
)

__all__ = ["KvStore"]

AnswerT = TypeVar("AnswerT", KvGetResponse, KvListResponse, KvPutResponse, KvDeleteResponse)

FIRST_PAGE: Final = 128
LARGEST_PAGE: Final = 4096
PAGE_BYTES: Final = 4 * 1024 * 1024
"""A listing is fetched in pages: 128 of the largest values are 16 MiB, and small ones are fetched more at a time."""


class KvStore:
    """Every key of one actor, the SDK's own among them: `rivet_runner.KV` is what a user sees of it.

    Nothing is sent for a call with nothing in it. Errors are those of `KvCalls.call`, and `KvLimitExceeded`.
    """

    __slots__ = ("_actor_id", "_calls", "_closed")

    def __init__(self, actor_id: str, calls: KvCalls) -> None:
        self._actor_id = actor_id
        self._calls = calls
        self._closed: str | None = None

    async def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those of ``keys`` that exist."""
        check_keys(keys)
        if not keys:
            return {}
        answer = _expect(KvGetResponse, await self.call(KvGetRequest(keys)))
        return dict(zip(answer.keys, answer.values, strict=True))

    async def put(self, pairs: Mapping[bytes, bytes]) -> None:
        """Store ``pairs``, all of them or none."""
        check_put(pairs)
        if pairs:
            _expect(KvPutResponse, await self.call(KvPutRequest([*pairs.keys()], [*pairs.values()])))

    async def delete(self, keys: Sequence[bytes]) -> None:
        """Remove ``keys``; one that does not exist is no error."""
        check_keys(keys)
        if keys:
            _expect(KvDeleteResponse, await self.call(KvDeleteRequest(keys)))

    async def list(
        self, first: bytes, last: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> dict[bytes, bytes]:
        """The range from ``first`` to before ``last``, page by page."""
        found: dict[bytes, bytes] = {}
        page_size = FIRST_PAGE
        while first < last and (limit is None or len(found) < limit):
            size = page_size if limit is None else min(page_size, limit - len(found))
            query = KvListRangeQuery(start=first, end=last, exclusive=True)
            answer = _expect(KvListResponse, await self.call(KvListRequest(query, reverse, size)))
            found.update(zip(answer.keys, answer.values, strict=True))
            if len(answer.keys) < size:
                break
            if reverse:
                last = answer.keys[-1]
            else:
                first = key_after(answer.keys[-1])
            page_size = _next_page_size(answer)
        return found

    async def call(self, data: KvRequestData) -> KvResponseData:
        """Make one call as it is, with no check before it. Raises as `KvCalls.call` does."""
        return await self._calls.call(self._actor_id, data, lambda: self._closed)

    def close(self, why: str) -> None:
        """This generation has ended: a call by a task that outlived it must not reach the next one's data."""
        self._closed = why
        self._calls.fail_actor(self._actor_id, why)


def _expect(kind: type[AnswerT], answer: KvResponseData) -> AnswerT:
    if not isinstance(answer, kind):
        raise KvError(f"the engine answered a key-value call with {type(answer).__name__} and not {kind.__name__}")
    return answer


def _next_page_size(answer: KvListResponse) -> int:
    size = sum(map(len, answer.keys)) + sum(map(len, answer.values))
    average = max(1, size // max(1, len(answer.keys)))
    return max(FIRST_PAGE, min(LARGEST_PAGE, PAGE_BYTES // average))
