"""Key-value calls without an answer. Each is sent again after a reconnect: all of them are idempotent."""

from __future__ import annotations

from typing import Final

from rivet_runner.protocol.wire import KvRequestData, ToServerKvRequest, encode_to_server

__all__ = ["KvLedger"]

REQUEST_IDS: Final = 2**32
"""A request id is a ``u32`` on the wire."""

FIRST_BARRIER_ID: Final = REQUEST_IDS // 2
"""Request ids from here on are the pace's own; see `rivet_runner._session.pace`."""


class KvLedger:
    """Which calls are under way, in the order in which they were made."""

    def __init__(self) -> None:
        self._frames: dict[int, bytes] = {}
        self._unsent: dict[int, None] = {}
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def pending(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._unsent)

    def add(self, actor_id: str, data: KvRequestData) -> int:
        """Note a call and return its id. Raises what encoding raises; nothing is noted then."""
        request_id = self._free_id()
        self._frames[request_id] = encode_to_server(ToServerKvRequest(actor_id, request_id, data))
        self._unsent[request_id] = None
        return request_id

    def take(self) -> list[bytes]:
        """The frames of all calls that were not sent on this connection."""
        frames = [self._frames[request_id] for request_id in self._unsent]
        self._unsent.clear()
        return frames

    def end(self, request_id: int) -> bool:
        """A call has its answer, or nobody waits any more; false where it had ended before."""
        self._unsent.pop(request_id, None)
        return self._frames.pop(request_id, None) is not None

    def resume(self) -> None:
        """A new connection: everything without an answer goes out again, in order."""
        self._unsent = dict.fromkeys(self._frames)

    def drop_all(self) -> list[int]:
        """End every call; return their ids."""
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
