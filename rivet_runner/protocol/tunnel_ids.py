"""Request keys and message indexes, which identify a message in the tunnel.

A request or WebSocket has a *request key* of 8 bytes: the 4 bytes of the gateway's id, then the 4 bytes of the
request's id. Its messages have indexes of 16 bits, which wrap.
"""

from __future__ import annotations

from typing import Final

from rivet_runner.protocol.messages import HibernatingRequest, MessageId

__all__ = ["INDEX_SPACE", "message_id", "next_index", "request_key", "split_request_key"]

GATEWAY_ID_BYTES: Final = 4

INDEX_SPACE: Final = 2**16


def request_key(identity: MessageId | HibernatingRequest) -> bytes:
    """Return the request key of a message, or of an entry in a start command."""
    return identity.gateway_id + identity.request_id


def split_request_key(key: bytes) -> tuple[bytes, bytes]:
    """Return the gateway id and the request id of a request key."""
    return key[:GATEWAY_ID_BYTES], key[GATEWAY_ID_BYTES:]


def message_id(key: bytes, index: int) -> MessageId:
    """Return the id of message ``index`` in the request with this key."""
    return MessageId(key[:GATEWAY_ID_BYTES], key[GATEWAY_ID_BYTES:], index)


def next_index(index: int) -> int:
    """Return the index after ``index``."""
    return (index + 1) % INDEX_SPACE
