"""The key-value store of one actor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rivet_runner._kv.limits import check_keys, prefix_end
from rivet_runner._kv.reserved_keys import RESERVED_FROM, area_prefix
from rivet_runner._kv.store import KvStore

__all__ = ["KV"]


class KV:
    """The durable store of one actor. Keys and values are ``bytes``, and keys are ordered byte by byte.

    You get it as ``actor.kv``. The engine deletes its contents when the actor is destroyed.

    Calls are idempotent, so the runner sends a call again if the engine connection is lost before the answer. Every
    method raises `KvLimitExceeded` before it sends anything, `KvTimeout` if no answer comes within ``kv_timeout``
    seconds, and `KvError` if the engine refuses the call or the actor's generation has ended. Cancelling a call is
    safe, but the engine may have carried it out.
    """

    __slots__ = ("_prefix", "_store")

    def __init__(self, store: KvStore, prefix: bytes = b"") -> None:
        self._store = store
        self._prefix = prefix

    def area(self, name: str) -> KV:
        """Return a store of its own within this one, for a library that keeps data in the actors of others.

        Its keys are apart from yours: `list` does not show them here, and `clear` leaves them. They end with the actor too.
        ``name`` is of 1 to 64 ASCII letters, digits, ``.``, ``_`` and ``-``, else `ValueError`. The same name is the same
        area. A key has 13 bytes and the name's length less in it, since limits count the whole key.
        """
        return KV(self._store, self._prefix + area_prefix(name))

    async def get(self, key: bytes) -> bytes | None:
        """Return the value of ``key``, or `None` if there is no such key."""
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the values of ``keys``, at most 128. Keys that do not exist are left out."""
        wanted = [*keys]
        check_keys([self._whole(key) for key in wanted])
        return self._own(await self._store.get([self._whole(key) for key in wanted if key < RESERVED_FROM]))

    async def put(self, key: bytes, value: bytes) -> None:
        """Store ``value``, at most 128 KiB, under ``key``."""
        await self.put_many({key: value})

    async def put_many(self, items: Mapping[bytes, bytes]) -> None:
        """Store all ``items`` in one transaction: either all of them are stored or none.

        A call takes at most 128 keys and 976 KiB.
        """
        pairs = {self._whole(key): _as_value(key, value) for key, value in items.items()}
        _refuse_reserved(items)
        await self._store.put(pairs)

    async def delete(self, key: bytes) -> None:
        """Remove ``key``. Removing a key that does not exist is no error."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[bytes]) -> None:
        """Remove ``keys``, at most 128."""
        doomed = [*keys]
        whole = [self._whole(key) for key in doomed]
        _refuse_reserved(doomed)
        await self._store.delete(whole)

    async def list(
        self,
        prefix: bytes = b"",
        *,
        start: bytes | None = None,
        end: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[bytes, bytes]:
        """Return keys and values in key order, or in reverse order with ``reverse``.

        You give either a ``prefix``, or ``start`` (included) and ``end`` (excluded), each of which is optional.
        ``limit`` is the maximum number of entries.

        A listing of more than 128 entries takes several calls to the engine. Each call is consistent in itself. A key
        that changes between two calls has either its old or its new value.
        """
        if prefix and (start is not None or end is not None):
            raise ValueError("list takes a prefix, or start and end, not both")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise ValueError(f"limit must be a whole number of 0 or more, not {limit!r}")
        check_keys([self._whole(key) for key in (prefix, start, end) if key is not None])
        if start is None and end is None:
            first, last = prefix, prefix_end(prefix)
        else:
            first, last = start or b"", RESERVED_FROM if end is None else end
        found = await self._store.list(
            self._whole(first), self._whole(min(last, RESERVED_FROM)), reverse=reverse, limit=limit
        )
        return self._own(found)

    async def delete_range(self, start: bytes, end: bytes) -> None:
        """Remove all keys from ``start`` (included) to ``end`` (excluded). An empty range is no error.

        With protocol 7 this is one call. With protocol 3 it takes two calls for each 128 keys, and keys that you write
        while it runs may stay.
        """
        check_keys([self._whole(start), self._whole(end)])
        await self._store.delete_range(self._whole(start), self._whole(min(end, RESERVED_FROM)))

    async def clear(self) -> None:
        """Remove all your keys, as `delete_range` does. The records of hibernating WebSockets stay, and areas too."""
        await self._store.delete_range(self._prefix, self._prefix + RESERVED_FROM)

    def _whole(self, key: bytes) -> bytes:
        """``key`` as the engine has it."""
        if not isinstance(key, bytes):
            raise TypeError(f"a key must be bytes, not {type(key).__name__}")
        return self._prefix + key

    def _own(self, found: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Keys that the engine has, as you know them."""
        return {key[len(self._prefix) :]: value for key, value in found.items()} if self._prefix else found


def _as_value(key: bytes, value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"the value of {key[:40]!r} must be bytes, not {type(value).__name__}")
    return value


def _refuse_reserved(keys: Iterable[bytes]) -> None:
    for key in keys:
        if key >= RESERVED_FROM:
            raise ValueError(f"the key {key[:40]!r} is reserved: keys that begin with eight 0xff bytes belong to the SDK")
