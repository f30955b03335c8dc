"""Key-value calls without an answer. Each is sent again after a reconnect, because all of them are idempotent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rivet_runner.protocol.messages import KvRequestData, ToServerKvRequest

__all__ = ["FIRST_BARRIER_ID", "REQUEST_IDS", "KvLedger"]

REQUEST_IDS: Final = 2**32
"""Number of request ids: they are ``u32`` on the wire."""

FIRST_BARRIER_ID: Final = REQUEST_IDS // 2
"""Calls have the ids below this one. The barriers of `rivet_runner._session.pace` have the ids from here on."""


class KvLedger:
    """The calls under way, in the order in which they were made. ``encode`` turns a call into a message."""

    def __init__(self, encode: Callable[[ToServerKvRequest], bytes]) -> None:
        self._encode = encode
        self._frames: dict[int, bytes] = {}
        self._unsent: dict[int, None] = {}
        self._next_id = 0

    def __len__(self) -> int:
        """Number of calls without an answer."""
        return len(self._frames)

    @property
    def pending(self) -> bool:
        """Whether `take` would return a call."""
        return bool(self._unsent)

    def add(self, actor_id: str, data: KvRequestData) -> int:
        """Register a call and return its id. If encoding raises, no call is registered."""
        request_id = self._free_id()
        self._frames[request_id] = self._encode(ToServerKvRequest(actor_id, request_id, data))
        self._unsent[request_id] = None
        return request_id

    def take(self) -> list[bytes]:
        """The frames of all calls that were not sent on this connection."""
        frames = [self._frames[request_id] for request_id in self._unsent]
        self._unsent.clear()
        return frames

    def end(self, request_id: int) -> bool:
        """Forget a call that was answered or given up. Returns ``False`` if it had ended before."""
        self._unsent.pop(request_id, None)
        return self._frames.pop(request_id, None) is not None

    def resume(self) -> None:
        """Send every call without an answer again, in order: there is a new connection."""
        self._unsent = dict.fromkeys(self._frames)

    def drop_all(self) -> list[int]:
        """End every call and return their ids."""
        dropped = list(self._frames)
        self._frames.clear()
        self._unsent.clear()
        return dropped

    def _free_id(self) -> int:
        while self._next_id in self._frames:
            self._next_id = (self._next_id + 1) % FIRST_BARRIER_ID
        request_id = self._next_id
        self._next_id = (request_id + 1) % FIRST_BARRIER_ID
        return request_id
