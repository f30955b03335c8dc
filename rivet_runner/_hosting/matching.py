"""When an actor starts: the sockets that the gateway still holds, against the records that were stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Matched", "match"]

RecordT = TypeVar("RecordT")


class Matched(NamedTuple, Generic[RecordT]):
    """What becomes of each 8-byte request key."""

    restore: dict[bytes, RecordT]
    """Listed and stored: the handler runs again where it left off."""

    unknown: list[bytes]
    """Listed, not stored: there is nothing to go on with, so the client is closed."""

    stale: dict[bytes, RecordT]
    """Stored, not listed: the client is gone."""


def match(listed: Iterable[bytes], stored: Mapping[bytes, RecordT]) -> Matched[RecordT]:
    """Sort every key into exactly one of the three; a key that is listed twice counts once."""
    keys = dict.fromkeys(listed)
    return Matched(
        restore={key: stored[key] for key in keys if key in stored},
        unknown=[key for key in keys if key not in stored],
        stale={key: record for key, record in stored.items() if key not in keys},
    )
