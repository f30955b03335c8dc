"""What is kept of a hibernatable WebSocket while its actor sleeps.

A stored record is one byte of format version and then MessagePack. A version that is not known (written by a newer SDK) is
an error of that one socket, not of the actor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from rivet_runner.errors import RecordError

__all__ = ["HibernationRecord", "HibernationStore", "decode_record", "encode_record"]

FORMAT_VERSION: Final = 1


class HibernationRecord(msgspec.Struct, frozen=True, array_like=True):
    """One WebSocket.

    ``key`` is the 8-byte request key (gateway id, then request id). ``received`` is the index of the last client message
    that the actor has processed; ``sent`` is the index for the next message to the client. ``target`` is the path as it
    came, with its query; ``headers`` are those of the opening request.
    """

    key: bytes
    target: str
    headers: dict[str, str]
    attachment: bytes
    received: int
    sent: int


class HibernationStore(Protocol):
    """Keeps the records of one actor. Made anew for each generation; what it keeps must outlive the process."""

    async def load_all(self) -> dict[bytes, HibernationRecord | RecordError]:
        """Every record, by its 8-byte request key; a `RecordError` stands for one that cannot be read."""
        ...

    async def save_many(self, records: Sequence[HibernationRecord]) -> None:
        """Store records, each replacing the one with its key. They are acknowledged to the engine once this returns."""
        ...

    async def delete(self, keys: Iterable[bytes]) -> None:
        """Remove the records with these 8-byte request keys; a key without a record is no error."""
        ...


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(HibernationRecord)


def encode_record(record: HibernationRecord) -> bytes:
    """The record as bytes, for a store that keeps bytes."""
    return bytes([FORMAT_VERSION]) + _encoder.encode(record)


def decode_record(data: bytes) -> HibernationRecord:
    """The record of `encode_record`. Raises `RecordError` for another version or damaged bytes."""
    if not data or data[0] != FORMAT_VERSION:
        found = data[0] if data else "none"
        raise RecordError(f"the record has format version {found}, and this SDK reads {FORMAT_VERSION}")
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.MsgspecError as error:
        raise RecordError(f"the record is damaged: {error}") from None
