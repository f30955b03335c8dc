"""The key-value store of one actor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rivet_runner._kv.limits import MAX_KEYS_IN_CALL, RESERVED_FROM, check_keys, prefix_end
from rivet_runner._kv.store import KvStore

__all__ = ["KV"]


class KV:
    """Keys and values are ``bytes``; keys are ordered byte by byte.

    Each call is sent again when the engine connection is lost on the way: all of them are idempotent. Each raises
    `KvLimitExceeded` before anything is sent, `KvTimeout` without an answer within ``kv_timeout`` seconds, and `KvError`
    for the engine's own refusal or when the actor's generation has ended. Cancelling a call is safe; whether the engine
    has carried it out is then unknown.
    """

    __slots__ = ("_store",)

    def __init__(self, store: KvStore) -> None:
        self._store = store

    async def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or none."""
        return (await self.get_many([key])).get(_as_key(key))

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values of those of ``keys`` (128 at most) that exist."""
        wanted = [_as_key(key) for key in keys]
        check_keys(wanted)
        return await self._store.get([key for key in wanted if key < RESERVED_FROM])

    async def put(self, key: bytes, value: bytes) -> None:
        """Store ``value`` (128 KiB at most) under ``key``."""
        await self.put_many({key: value})

    async def put_many(self, items: Mapping[bytes, bytes]) -> None:
        """Store all of ``items`` (128 keys, 976 KiB at most) in one transaction: all of them or none."""
        pairs = {_as_key(key): _as_value(key, value) for key, value in items.items()}
        _refuse_reserved(pairs)
        await self._store.put(pairs)

    async def delete(self, key: bytes) -> None:
        """Remove ``key``; nothing happens where it does not exist."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[bytes]) -> None:
        """Remove ``keys`` (128 at most)."""
        doomed = [_as_key(key) for key in keys]
        _refuse_reserved(doomed)
        await self._store.delete(doomed)

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
        check_keys([_as_key(key) for key in (prefix, start, end) if key is not None])
        if start is None and end is None:
            first, last = prefix, prefix_end(prefix)
        else:
            first, last = start or b"", RESERVED_FROM if end is None else end
        return await self._store.list(first, min(last, RESERVED_FROM), reverse=reverse, limit=limit)

    async def clear(self) -> None:
        """Remove every key of yours. Hibernating WebSockets are not touched.

        Takes a call for each 128 keys; what is written meanwhile may stay.
        """
        while page := await self.list(limit=MAX_KEYS_IN_CALL):
            await self._store.delete([*page])


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
