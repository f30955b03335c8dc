"""The key-value store of one actor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from rivet_runner._kv.calls import KvCalls
from rivet_runner.errors import KvError, KvLimitExceeded
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

__all__ = ["KV"]

AnswerT = TypeVar("AnswerT", KvGetResponse, KvListResponse, KvPutResponse, KvDeleteResponse)

MAX_KEY: Final = 2046
"""Bytes of a key; the engine packs it into two more, and 2,048 is its limit."""

KEY_PACKING: Final = 2

MAX_VALUE: Final = 128 * 1024
MAX_KEYS_IN_CALL: Final = 128
MAX_PUT: Final = 976 * 1024
"""Bytes of all packed keys and values in one put."""

RESERVED_FROM: Final = b"\xff" * 8
"""Every key from here on is the SDK's own: those that begin with eight 0xff bytes, which is the very end of the key space.
A user's range is cut off here, so that hiding these keys costs nothing."""

FIRST_PAGE: Final = 128
LARGEST_PAGE: Final = 4096
PAGE_BYTES: Final = 4 * 1024 * 1024
"""A listing is fetched in pages: 128 of the largest values are 16 MiB, and small ones are fetched more at a time."""


class KV:
    """Keys and values are ``bytes``; keys are ordered byte by byte.

    Each call is sent again when the engine connection is lost on the way: all of them are idempotent. Each raises
    `KvLimitExceeded` before anything is sent, `KvTimeout` without an answer within ``kv_timeout`` seconds, and `KvError`
    for the engine's own refusal or when the actor's generation has ended. Cancelling a call is safe; whether the engine
    has carried it out is then unknown.
    """

    __slots__ = ("_actor_id", "_calls", "_closed")

    def __init__(self, actor_id: str, calls: KvCalls) -> None:
        self._actor_id = actor_id
        self._calls = calls
        self._closed: str | None = None

    async def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or none."""
        return (await self.get_many([key])).get(_as_key(key))

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values of those of ``keys`` (128 at most) that exist."""
        wanted = [_as_key(key) for key in keys]
        _check_keys(wanted)
        wanted = [key for key in wanted if key < RESERVED_FROM]
        if not wanted:
            return {}
        answer = _expect(KvGetResponse, await self._call(KvGetRequest(wanted)))
        return dict(zip(answer.keys, answer.values, strict=True))

    async def put(self, key: bytes, value: bytes) -> None:
        """Store ``value`` (128 KiB at most) under ``key``."""
        await self.put_many({key: value})

    async def put_many(self, items: Mapping[bytes, bytes]) -> None:
        """Store all of ``items`` (128 keys, 976 KiB at most) in one transaction: all of them or none."""
        pairs = {_as_key(key): _as_value(key, value) for key, value in items.items()}
        _refuse_reserved(pairs)
        await self._put(pairs)

    async def delete(self, key: bytes) -> None:
        """Remove ``key``; nothing happens where it does not exist."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[bytes]) -> None:
        """Remove ``keys`` (128 at most)."""
        doomed = [_as_key(key) for key in keys]
        _refuse_reserved(doomed)
        await self._delete(doomed)

    async def list(
        self,
        prefix: bytes = b"",
        *,
        start: bytes | None = None,
        end: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[bytes, bytes]:
        """Keys and values in key order, with ``reverse`` from the last to the first.

        Either those that begin with ``prefix``, or those from ``start`` to before ``end``, each of which may be left out.
        ``limit`` is the largest number of entries. A listing of more than 128 entries takes several calls: each is
        consistent in itself, a key that changes meanwhile shows its old or its new value.
        """
        if prefix and (start is not None or end is not None):
            raise ValueError("list takes a prefix, or start and end, not both")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise ValueError(f"limit must be a number from 0 up, not {limit!r}")
        _check_keys([_as_key(key) for key in (prefix, start, end) if key is not None])
        if start is None and end is None:
            first, last = _prefix_range(_as_key(prefix))
        else:
            first, last = _as_key(start or b""), RESERVED_FROM if end is None else _as_key(end)
        return await self._list(first, min(last, RESERVED_FROM), reverse=reverse, limit=limit)

    async def clear(self) -> None:
        """Remove every key of yours. Hibernating WebSockets are not touched.

        Takes a call for each 128 keys; what is written meanwhile may stay.
        """
        while page := await self.list(limit=MAX_KEYS_IN_CALL):
            await self._delete([*page])

    # For the SDK's own keys too

    async def _put(self, pairs: Mapping[bytes, bytes]) -> None:
        _check_put(pairs)
        if pairs:
            _expect(KvPutResponse, await self._call(KvPutRequest([*pairs.keys()], [*pairs.values()])))

    async def _delete(self, keys: Sequence[bytes]) -> None:
        _check_keys(keys)
        if keys:
            _expect(KvDeleteResponse, await self._call(KvDeleteRequest(keys)))

    async def _list(self, first: bytes, last: bytes, *, reverse: bool, limit: int | None) -> dict[bytes, bytes]:
        """The range from ``first`` to before ``last``, page by page."""
        found: dict[bytes, bytes] = {}
        page_size = FIRST_PAGE
        while first < last and (limit is None or len(found) < limit):
            size = page_size if limit is None else min(page_size, limit - len(found))
            query = KvListRangeQuery(start=first, end=last, exclusive=True)
            answer = _expect(KvListResponse, await self._call(KvListRequest(query, reverse, size)))
            found.update(zip(answer.keys, answer.values, strict=True))
            if len(answer.keys) < size:
                break
            if reverse:
                last = answer.keys[-1]
            else:
                first = _key_after(answer.keys[-1])
            page_size = _next_page_size(answer)
        return found

    async def _call(self, data: KvRequestData) -> KvResponseData:
        return await self._calls.call(self._actor_id, data, lambda: self._closed)

    def _close(self, why: str) -> None:
        """This generation has ended: a call by a task that outlived it must not reach the next one's data."""
        self._closed = why
        self._calls.fail_actor(self._actor_id, why)


def _expect(kind: type[AnswerT], answer: KvResponseData) -> AnswerT:
    if not isinstance(answer, kind):
        raise KvError(f"the engine answered a key-value call with {type(answer).__name__} and not {kind.__name__}")
    return answer


def _as_key(key: bytes) -> bytes:
    if not isinstance(key, bytes):
        raise TypeError(f"a key must be bytes, not {type(key).__name__}")
    return key


def _as_value(key: bytes, value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"the value of {key[:40]!r} must be bytes, not {type(value).__name__}")
    return value


def _refuse_reserved(keys: Iterable[bytes]) -> None:
    for key in keys:
        if key >= RESERVED_FROM:
            raise ValueError(f"the key {key[:40]!r} is reserved: keys that begin with eight 0xff bytes are the SDK's own")


def _check_keys(keys: Sequence[bytes]) -> None:
    if len(keys) > MAX_KEYS_IN_CALL:
        raise KvLimitExceeded(f"one call takes at most {MAX_KEYS_IN_CALL} keys, and this one has {len(keys)}")
    for key in keys:
        if len(key) > MAX_KEY:
            raise KvLimitExceeded(f"a key has at most {MAX_KEY} bytes, and {key[:40]!r}… has {len(key)}")


def _check_put(pairs: Mapping[bytes, bytes]) -> None:
    _check_keys([*pairs])
    total = 0
    for key, value in pairs.items():
        if len(value) > MAX_VALUE:
            raise KvLimitExceeded(
                f"a value has at most {MAX_VALUE} bytes (128 KiB), and that of {key[:40]!r} has {len(value)}"
            )
        total += len(key) + KEY_PACKING + len(value)
    if total > MAX_PUT:
        raise KvLimitExceeded(
            f"one put takes at most {MAX_PUT} bytes (976 KiB; each key counts {KEY_PACKING} more), and this one has {total}"
        )


def _prefix_range(prefix: bytes) -> tuple[bytes, bytes]:
    """The range of the keys that begin with ``prefix``."""
    return prefix, _after_prefix(prefix)


def _after_prefix(prefix: bytes) -> bytes:
    """The first key behind all that begin with ``prefix``: its last byte that can grow, grown."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else RESERVED_FROM


def _key_after(key: bytes) -> bytes:
    """The next key there can be; a key of full length has no extension."""
    return key + b"\x00" if len(key) < MAX_KEY else _after_prefix(key)


def _next_page_size(answer: KvListResponse) -> int:
    size = sum(map(len, answer.keys)) + sum(map(len, answer.values))
    average = max(1, size // max(1, len(answer.keys)))
    return max(FIRST_PAGE, min(LARGEST_PAGE, PAGE_BYTES // average))
