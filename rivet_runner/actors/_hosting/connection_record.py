"""What is kept of a connection while it hibernates: the attachment of its WebSocket.

Parameters and encoding are not in it. They are in the opening request, which the runner keeps.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rivet_runner.actors._wire.values import dump_cbor, load_cbor
from rivet_runner.errors import DecodeError, RecordError

__all__ = ["MAX_STATE_BYTES", "StoredConnection", "decode_connection", "encode_state"]

MAX_STATE_BYTES: Final = 48 * 1024
"""Bytes of a connection's state, encoded. With everything else it still fits an attachment."""


class StoredConnection(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """The stored form. The tag is its version. ``connected_ms`` is in milliseconds since the epoch."""

    id: str
    connected_ms: int
    subscriptions: list[str]
    state: bytes

    def encode(self) -> bytes:
        """The bytes of the attachment."""
        return msgspec.msgpack.encode(self)

    def decode_state(self) -> dict[str, Any]:
        """Raises `RecordError`."""
        try:
            state = load_cbor(self.state) if self.state else {}
        except DecodeError as error:
            raise RecordError(f"the stored state of the connection {self.id} is damaged: {error}") from error
        if not isinstance(state, dict):
            raise RecordError(f"the stored state of the connection {self.id} is not a dict")
        return state


def encode_state(state: dict[str, Any]) -> bytes:
    """Encode a connection's state. Raises `TypeError` or `ValueError` for values that are no plain data."""
    return dump_cbor(state) if state else b""


def decode_connection(attachment: bytes) -> StoredConnection:
    """Raises `RecordError` if ``attachment`` is not of a connection."""
    try:
        return msgspec.msgpack.decode(attachment, type=StoredConnection)
    except msgspec.DecodeError as error:
        raise RecordError(f"the stored record of a connection is damaged: {error}") from error
