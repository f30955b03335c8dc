"""The key-value store of a `ScriptedEngine`, in memory."""

from __future__ import annotations

from typing import Final

from rivet_runner._session.dialect import KvAnswer, KvEntries
from rivet_runner.protocol.messages import (
    KvDeleteRangeRequest,
    KvDeleteRequest,
    KvDeleteResponse,
    KvDropRequest,
    KvDropResponse,
    KvGetRequest,
    KvListPrefixQuery,
    KvListRangeQuery,
    KvListRequest,
    KvPutRequest,
    KvPutResponse,
    KvRequestData,
)

__all__ = ["ScriptedKv"]

PIECE: Final = 10_000
"""Bytes."""


class ScriptedKv:
    """A store for each actor. The stores live as long as the `ScriptedEngine`, across connections.

    If ``answering`` is `False`, the script receives the requests as messages and answers them itself, for example
    with the result of `answer`. ``delay`` is the time in seconds until an answer. With ``engine_bugs``, lists are wrong as
    those of the real engine (2.3.19) are: a reverse list has only the last piece of each value of more than 10,000 bytes,
    and a prefix query misses the keys whose next byte is 0xFF.
    """

    def __init__(self) -> None:
        self.stores: dict[str, dict[bytes, bytes]] = {}
        self.answering = True
        self.delay: float = 0.0
        self.engine_bugs = True

    def of(self, actor_id: str) -> dict[bytes, bytes]:
        """Return the entries of one actor. You may change them."""
        return self.stores.setdefault(actor_id, {})

    def answer(self, actor_id: str, data: KvRequestData) -> KvAnswer:
        """Carry out a request and return the engine's answer."""
        store = self.of(actor_id)
        match data:
            case KvGetRequest(keys=keys):
                found = [key for key in keys if key in store]
                return KvEntries(found, [store[key] for key in found])
            case KvListRequest():
                found = _listed(store, data, self.engine_bugs)
                values = [store[key] for key in found]
                if data.reverse and self.engine_bugs:
                    values = [_last_piece(value) for value in values]
                return KvEntries(found, values)
            case KvPutRequest(keys=keys, values=values):
                store.update(zip(keys, values, strict=True))
                return KvPutResponse()
            case KvDeleteRequest(keys=keys):
                for key in keys:
                    store.pop(key, None)
                return KvDeleteResponse()
            case KvDeleteRangeRequest(start=start, end=end):
                for key in [key for key in store if start <= key < end]:
                    del store[key]
                return KvDeleteResponse()
            case KvDropRequest():
                store.clear()
                return KvDropResponse()


def _last_piece(value: bytes) -> bytes:
    """The engine keeps a value in pieces of `PIECE` bytes."""
    return value[(len(value) - 1) // PIECE * PIECE :] if value else value


def _listed(store: dict[bytes, bytes], request: KvListRequest, engine_bugs: bool) -> list[bytes]:
    match request.query:
        case KvListRangeQuery(start=start, end=end, exclusive=exclusive):
            keys = [key for key in store if start <= key and (key < end or (key == end and not exclusive))]
        case KvListPrefixQuery(key=prefix):
            keys = [key for key in store if key.startswith(prefix)]
            if engine_bugs:
                keys = [key for key in keys if not key.startswith(prefix + b"\xff")]
        case _:
            keys = [*store]
    keys.sort(reverse=bool(request.reverse))
    return keys if request.limit is None else keys[: request.limit]
