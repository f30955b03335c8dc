"""The engine's key-value store, with its limits and the two faults that the real one has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rivet_runner.protocol.messages import KvDeleteRangeRequest, KvRequestData
from rivet_runner.protocol.v3 import (
    KvDeleteRequest,
    KvDeleteResponse,
    KvDropRequest,
    KvDropResponse,
    KvErrorResponse,
    KvGetRequest,
    KvGetResponse,
    KvListPrefixQuery,
    KvListRangeQuery,
    KvListRequest,
    KvListResponse,
    KvMetadata,
    KvPutRequest,
    KvPutResponse,
    KvResponseData,
)

__all__ = ["KvStore"]

MAX_KEY: Final = 2_046
MAX_KEYS: Final = 128
MAX_VALUE: Final = 128 * 1024
MAX_PUT: Final = 976 * 1024
"""Bytes of one put: keys, 2 more for each, and values."""
MAX_STORE: Final = 10 * 1024**3
DEFAULT_LIMIT: Final = 16_384
PIECE: Final = 10_000
"""The engine stores a value in pieces of so many bytes."""

TOO_MANY: Final = "a maximum of 128 keys is allowed"
TOO_LONG: Final = "key is too long (max 2048 bytes)"
FAILED: Final = "transaction failed"

VERSION: Final = b"2.3.19"
"""The engine's own version, in the metadata of every entry."""


class KvStore:
    """The entries of one actor. ``strict`` repairs the engine's two faults. ``now`` returns milliseconds.

    ``changed`` is called for each write before its answer, with the keys that were put or deleted, or with `None` for all.
    """

    def __init__(
        self,
        now: Callable[[], int],
        *,
        strict: bool = False,
        changed: Callable[[list[bytes] | None], None] | None = None,
    ) -> None:
        self._now = now
        self._strict = strict
        self._changed = changed
        self._entries: dict[bytes, tuple[bytes, int]] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def as_dict(self) -> dict[bytes, bytes]:
        """Everything, in the order of the keys."""
        return {key: self._entries[key][0] for key in sorted(self._entries)}

    def entry(self, key: bytes) -> tuple[bytes, int] | None:
        """The value and the time of its last put."""
        return self._entries.get(key)

    def load(self, key: bytes, value: bytes, put_ts: int) -> None:
        """Restore an entry, without a call of ``changed``."""
        self._write(key, value, put_ts)

    def answer(self, request: KvRequestData) -> KvResponseData:
        """Carry a request out and return the engine's answer."""
        match request:
            case KvGetRequest(keys=keys):
                return self._get(keys)
            case KvListRequest():
                return self._list(request)
            case KvPutRequest(keys=keys, values=values):
                return self._put(keys, values)
            case KvDeleteRequest(keys=keys):
                return self._delete(keys)
            case KvDeleteRangeRequest(start=start, end=end):
                return self._delete_range(start, end)
            case KvDropRequest():
                self.clear()
                return KvDropResponse()

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._size = 0
        self._tell(None)

    def _get(self, keys: Sequence[bytes]) -> KvResponseData:
        error = _bad_keys(keys)
        if error is not None:
            return error
        found: list[bytes] = []
        for key in keys:
            # The engine reads pieces in a row, so a key that follows itself is taken for more of the same entry.
            if key in self._entries and found[-1:] != [key]:
                found.append(key)
        return KvGetResponse(found, [self._entries[key][0] for key in found], self._metadata(found))

    def _put(self, keys: Sequence[bytes], values: Sequence[bytes]) -> KvResponseData:
        if not self._fits(keys, values):
            return KvErrorResponse(FAILED)
        now = self._now()
        for key, value in zip(keys, values, strict=True):
            self._write(key, value, now)
        self._tell(list(dict.fromkeys(keys)))
        return KvPutResponse()

    def _fits(self, keys: Sequence[bytes], values: Sequence[bytes]) -> bool:
        if len(keys) != len(values) or len(keys) > MAX_KEYS:
            return False
        if any(len(key) > MAX_KEY for key in keys) or any(len(value) > MAX_VALUE for value in values):
            return False
        size = sum(len(key) + 2 for key in keys) + sum(map(len, values))
        return size <= MAX_PUT and self._size + size <= MAX_STORE

    def _write(self, key: bytes, value: bytes, now: int) -> None:
        self._remove(key)
        self._entries[key] = (value, now)
        self._size += len(key) + len(value)

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(key) + len(entry[0])

    def _delete(self, keys: Sequence[bytes]) -> KvResponseData:
        error = _bad_keys(keys)
        if error is not None:
            return error
        for key in keys:
            self._remove(key)
        self._tell(list(dict.fromkeys(keys)))
        return KvDeleteResponse()

    def _delete_range(self, start: bytes, end: bytes) -> KvResponseData:
        doomed = sorted(key for key in self._entries if start <= key < end)
        for key in doomed:
            self._remove(key)
        self._tell(doomed)
        return KvDeleteResponse()

    def _list(self, request: KvListRequest) -> KvResponseData:
        error = _bad_query(request)
        if error is not None:
            return error
        reverse = bool(request.reverse)
        keys = sorted(filter(self._matcher(request), self._entries), reverse=reverse)
        keys = keys[: DEFAULT_LIMIT if request.limit is None else request.limit]
        values = [self._entries[key][0] for key in keys]
        if reverse and not self._strict:
            values = [_last_piece(value) for value in values]
        return KvListResponse(keys, values, self._metadata(keys))

    def _matcher(self, request: KvListRequest) -> Callable[[bytes], bool]:
        match request.query:
            case KvListRangeQuery(start=start, end=end, exclusive=exclusive):
                return lambda key: start <= key and (key < end or (key == end and not exclusive))
            case KvListPrefixQuery(key=prefix):
                if self._strict:
                    return lambda key: key.startswith(prefix)
                # The engine's range ends before the prefix followed by 0xFF.
                return lambda key: prefix <= key < prefix + b"\xff"
            case _:
                return lambda key: True

    def _metadata(self, keys: list[bytes]) -> list[KvMetadata]:
        return [KvMetadata(VERSION, self._entries[key][1]) for key in keys]

    def _tell(self, keys: list[bytes] | None) -> None:
        if self._changed is not None:
            self._changed(keys)


def _last_piece(value: bytes) -> bytes:
    """The value in a reverse list: the engine reads its pieces from last to first, and keeps the first that it reads."""
    if len(value) <= PIECE:
        return value
    return value[(len(value) - 1) // PIECE * PIECE :]


def _bad_keys(keys: Sequence[bytes]) -> KvErrorResponse | None:
    if len(keys) > MAX_KEYS:
        return KvErrorResponse(TOO_MANY)
    if any(len(key) > MAX_KEY for key in keys):
        return KvErrorResponse(TOO_LONG)
    return None


def _bad_query(request: KvListRequest) -> KvErrorResponse | None:
    match request.query:
        case KvListRangeQuery(start=start, end=end):
            if len(start) > MAX_KEY:
                return KvErrorResponse(f"start {TOO_LONG}")
            if len(end) > MAX_KEY:
                return KvErrorResponse(f"end {TOO_LONG}")
        case KvListPrefixQuery(key=prefix) if len(prefix) > MAX_KEY:
            return KvErrorResponse(f"prefix {TOO_LONG}")
    return None
