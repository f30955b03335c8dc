"""The stored form of an alarm: a reserved key in the actor's own store."""

from __future__ import annotations

from typing import Final

import msgspec

from rivet_runner._kv.reserved_keys import ALARM
from rivet_runner._kv.store import KvStore
from rivet_runner.errors import RecordError

__all__ = ["AlarmRecord", "load_alarm", "store_alarm"]

FORMAT_VERSION: Final = 1


class AlarmRecord(msgspec.Struct, frozen=True, array_like=True):
    """``scheduled_ms`` was set by the user. At ``due_ms`` the hook is called, for the ``attempt``-th time, from 1.

    Times are in milliseconds since the epoch. They differ after a failed attempt.
    """

    scheduled_ms: int
    due_ms: int
    attempt: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AlarmRecord)


async def load_alarm(store: KvStore) -> AlarmRecord | None:
    """Return what is stored. Raises `RecordError` if it cannot be read, and `KvError`."""
    data = (await store.get([ALARM])).get(ALARM)
    if data is None:
        return None
    if not data or data[0] != FORMAT_VERSION:
        raise RecordError(f"the format version of the alarm is not {FORMAT_VERSION}")
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.MsgspecError as error:
        raise RecordError(f"the alarm is damaged: {error}") from None


async def store_alarm(store: KvStore, record: AlarmRecord | None) -> None:
    """Store ``record``, or remove what is stored. Raises `KvError`."""
    if record is None:
        await store.delete([ALARM])
    else:
        await store.put({ALARM: bytes([FORMAT_VERSION]) + _encoder.encode(record)})
