"""Records of hibernatable WebSockets, which outlive the actor's sleep.

A stored record is one byte of format version, then MessagePack. A record of an unknown version, written by a newer
SDK, is an error of its WebSocket and not of the actor. Fields that a later SDK has added at the end are ignored, and have a
default if they are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import msgspec

from rivet_runner._session.dialects import DEFAULT_VERSION
from rivet_runner.errors import RecordError

__all__ = ["HibernationRecord", "HibernationStore", "decode_record", "encode_record"]

FORMAT_VERSION: Final = 1


class HibernationRecord(msgspec.Struct, frozen=True, array_like=True):
    """The state of one WebSocket.

    ``key`` is the 8-byte request key: the gateway id, then the request id. ``target`` is the raw path with its query,
    and ``headers`` are the headers of the opening request. ``attachment`` is yours. ``received`` is the index of the
    last client message that the actor has processed. ``sent`` is the index of the next message to the client.
    ``protocol`` is the version of the runner protocol with which the WebSocket was opened: a record that does not tell is
    from a time when there was only one.
    """

    key: bytes
    target: str
    headers: dict[str, str]
    attachment: bytes
    received: int
    sent: int
    protocol: int = DEFAULT_VERSION


class HibernationStore(Protocol):
    """Keeps the records of one actor. You pass a function that makes one as the option ``hibernation_store``.

    Each generation of an actor gets a new store. The records must outlive the process. If `load_all` raises, the
    start of the actor fails. If another method raises while the actor runs, the runner logs the error and tries
    again.
    """

    async def load_all(self) -> dict[bytes, HibernationRecord | RecordError]:
        """Return all records by their 8-byte request keys, with a `RecordError` for each that cannot be read."""
        ...

    async def save_many(self, records: Sequence[HibernationRecord]) -> None:
        """Store records. A record replaces an older one with the same key.

        Once this returns, the runner acknowledges the recorded messages to the engine.
        """
        ...

    async def delete(self, keys: Iterable[bytes]) -> None:
        """Remove the records with these 8-byte request keys. A key without a record is no error."""
        ...


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(HibernationRecord)


def encode_record(record: HibernationRecord) -> bytes:
    """Return the record as bytes, for a store that keeps bytes."""
    return bytes([FORMAT_VERSION]) + _encoder.encode(record)


def decode_record(data: bytes) -> HibernationRecord:
    """Return the record from the bytes of `encode_record`.

    Raises `RecordError` if the format version is unknown or the bytes are damaged.
    """
    if not data or data[0] != FORMAT_VERSION:
        found = data[0] if data else "missing"
        raise RecordError(f"the record's format version is {found}; this SDK reads version {FORMAT_VERSION}")
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.MsgspecError as error:
        raise RecordError(f"the record is damaged: {error}") from None
