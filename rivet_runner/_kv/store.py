"""The store of one actor generation, as the user and the SDK share it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from rivet_runner._kv.calls import KvCalls
from rivet_runner._kv.limits import MAX_KEYS_IN_CALL, check_keys, check_put, key_after
from rivet_runner._session.dialect import KvAnswer, KvEntries
from rivet_runner.errors import KvError
from rivet_runner.protocol.messages import (
    KvDeleteRangeRequest,
    KvDeleteRequest,
    KvDeleteResponse,
    KvGetRequest,
    KvListRangeQuery,
    KvListRequest,
    KvPutRequest,
    KvPutResponse,
    KvRequestData,
)

__all__ = ["KvStore"]

AnswerT = TypeVar("AnswerT", KvEntries, KvPutResponse, KvDeleteResponse)

FIRST_PAGE: Final = 128
LARGEST_PAGE: Final = 4096
PAGE_BYTES: Final = 4 * 1024 * 1024
"""Target size of a page. 128 of the largest values are 16 MiB, so a listing begins with a page of 128 and asks for
more entries a page if they are small."""


class KvStore:
    """All keys of one actor, including the SDK's. `rivet_runner.KV` is the user's view of it.

    A call without keys returns without asking the engine. Methods raise `KvLimitExceeded`, and what `KvCalls.call` raises.
    """

    __slots__ = ("_actor_id", "_calls", "_closed")

    def __init__(self, actor_id: str, calls: KvCalls) -> None:
        self._actor_id = actor_id
        self._calls = calls
        self._closed: str | None = None

    async def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values of ``keys``. Keys that do not exist are left out."""
        check_keys(keys)
        if not keys:
            return {}
        answer = _expect(KvEntries, await self.call(KvGetRequest(keys)))
        return dict(zip(answer.keys, answer.values, strict=True))

    async def put(self, pairs: Mapping[bytes, bytes]) -> None:
        """Store ``pairs``, either all of them or none."""
        check_put(pairs)
        if pairs:
            _expect(KvPutResponse, await self.call(KvPutRequest([*pairs.keys()], [*pairs.values()])))

    async def delete(self, keys: Sequence[bytes]) -> None:
        """Remove ``keys``. Removing a key that does not exist is no error."""
        check_keys(keys)
        if keys:
            _expect(KvDeleteResponse, await self.call(KvDeleteRequest(keys)))

    async def list(
        self, first: bytes, last: bytes, *, reverse: bool = False, limit: int | None = None
    ) -> dict[bytes, bytes]:
        """Return the keys from ``first`` (included) to ``last`` (excluded), fetched page by page."""
        found: dict[bytes, bytes] = {}
        page_size = FIRST_PAGE
        while first < last and (limit is None or len(found) < limit):
            size = page_size if limit is None else min(page_size, limit - len(found))
            answer = await self._page(first, last, reverse, size)
            page = dict(zip(answer.keys, answer.values, strict=True))
            if reverse and page:
                page = await self._whole(page)
                found.update(itertools.islice(page.items(), None if limit is None else limit - len(found)))
            else:
                found.update(page)
            if len(answer.keys) < size:
                break
            if reverse:
                last = answer.keys[-1]
            else:
                first = key_after(answer.keys[-1])
            page_size = _next_page_size(page)
        return found

    async def delete_range(self, first: bytes, last: bytes) -> None:
        """Remove the keys from ``first`` (included) to ``last`` (excluded), page by page if the engine cannot."""
        if first < last and self._calls.has_delete_range:
            _expect(KvDeleteResponse, await self.call(KvDeleteRangeRequest(first, last)))
            return
        while first < last:
            keys = (await self._page(first, last, False, MAX_KEYS_IN_CALL)).keys
            await self.delete(keys)
            if len(keys) < MAX_KEYS_IN_CALL:
                break
            first = key_after(keys[-1])

    async def _page(self, first: bytes, last: bytes, reverse: bool, size: int) -> KvEntries:
        query = KvListRangeQuery(start=first, end=last, exclusive=True)
        return _expect(KvEntries, await self.call(KvListRequest(query, reverse, size)))

    async def _whole(self, page: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """The keys that a reverse ``page`` covers, in its order, with whole values.

        The engine (2.3.19) answers a reverse list with only the last piece of each value of more than 10,000 bytes. A short
        value cannot be told from such a piece, so the values are always taken from a list in key order.
        """
        highest, lowest = next(iter(page)), next(reversed(page))
        whole = await self.list(lowest, key_after(highest))
        return dict(reversed(whole.items()))

    async def call(self, data: KvRequestData) -> KvAnswer:
        """Make one call without checking its limits. Raises as `KvCalls.call` does."""
        return await self._calls.call(self._actor_id, data, lambda: self._closed)

    def close(self, why: str) -> None:
        """Fail all calls, now and from now on, with the reason ``why``.

        The generation has ended. A task that outlives it must not reach the data of the next generation.
        """
        self._closed = why
        self._calls.fail_actor(self._actor_id, why)


def _expect(kind: type[AnswerT], answer: KvAnswer) -> AnswerT:
    if not isinstance(answer, kind):
        raise KvError(f"the engine answered a key-value call with {type(answer).__name__} instead of {kind.__name__}")
    return answer


def _next_page_size(page: dict[bytes, bytes]) -> int:
    if not page:  # all of its keys were deleted meanwhile
        return FIRST_PAGE
    size = sum(map(len, page)) + sum(map(len, page.values()))
    average = max(1, size // len(page))
    return max(FIRST_PAGE, min(LARGEST_PAGE, PAGE_BYTES // average))
