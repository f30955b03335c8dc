"""One thing that is scheduled, what becomes of it after a run, and its stored form."""

from __future__ import annotations

from typing import Final

import msgspec

from rivet_runner.actors._schedule.repeating import Repeating
from rivet_runner.errors import RecordError

__all__ = ["FIRST_RETRY_SECONDS", "LONGEST_RETRY_SECONDS", "SAME_CLOCK_MS", "Entry", "decode_entry", "encode_entry"]

FORMAT_VERSION: Final = 1

FIRST_RETRY_SECONDS: Final = 2
LONGEST_RETRY_SECONDS: Final = 3600
"""From a run that raised to the next attempt. Each further one waits twice as long, up to an hour."""

SAME_CLOCK_MS: Final = 60_000
"""Differences between clocks that mean nothing: an actor moves between machines. Anything beyond is a clock that was set."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """``id`` names it. For what repeats, that is the name that the user gave.

    At ``due_ms`` the method is called for the ``attempt``-th time, from 1. ``scheduled_ms`` is the time that the user set,
    or the tick, and stays the same in retries. ``arguments`` are CBOR.
    """

    id: str
    method: str
    arguments: bytes
    scheduled_ms: int
    due_ms: int
    attempt: int
    retries: int
    repeating: Repeating | None

    def following(self, now_ms: int) -> Entry | None:
        """Return what comes after this tick is over: the next one that has not passed, or `None`.

        A clock that was set back since the tick does not bring it again.
        """
        if self.repeating is None:
            return None
        tick_ms = self.repeating.tick_after(self.scheduled_ms, max(now_ms, self.scheduled_ms))
        return None if tick_ms is None else self._at(tick_ms)

    def after_failure(self, now_ms: int) -> Entry | None:
        """Return the next attempt of this tick, or `None` if this was the last."""
        if self.attempt > self.retries:
            return None
        due_ms = now_ms + 1000 * min(FIRST_RETRY_SECONDS**self.attempt, LONGEST_RETRY_SECONDS)
        return msgspec.structs.replace(self, due_ms=due_ms, attempt=self.attempt + 1)

    def in_place_of(self, before: Entry | None) -> Entry:
        """Return this entry with the tick of the one that it replaces, if both have the same ticks.

        A program that says at each start what repeats would else put it off each time, and drop a tick that was missed.
        """
        if before is None or self.repeating is None or before.repeating != self.repeating:
            return self
        same = msgspec.structs.replace(self, scheduled_ms=before.scheduled_ms, due_ms=before.due_ms, attempt=before.attempt)
        return before if same == before else msgspec.structs.replace(same, due_ms=before.scheduled_ms, attempt=1)

    def by_clock(self, now_ms: int) -> Entry:
        """Return this entry, or an earlier tick if the clock was set back by so much that there is one.

        Otherwise something that repeats would rest until the clock shows again what it showed when the tick was chosen.
        """
        if self.attempt > 1:
            latest_ms = now_ms + 1000 * LONGEST_RETRY_SECONDS
            return self if self.due_ms <= latest_ms else msgspec.structs.replace(self, due_ms=latest_ms)
        if self.repeating is None:
            return self
        tick_ms = self.repeating.tick_after(self.scheduled_ms, now_ms + SAME_CLOCK_MS)
        return self._at(tick_ms) if tick_ms is not None and tick_ms < self.due_ms else self

    def _at(self, tick_ms: int) -> Entry:
        return msgspec.structs.replace(self, scheduled_ms=tick_ms, due_ms=tick_ms, attempt=1)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    """Return the stored form."""
    return bytes([FORMAT_VERSION]) + _encoder.encode(entry)


def decode_entry(key: str, data: bytes) -> Entry:
    """Return the entry with the id ``key``. Raises `RecordError` if it is damaged, or of another version of this package."""
    if not data or data[0] != FORMAT_VERSION:
        raise RecordError(f"its format version is not {FORMAT_VERSION}")
    try:
        entry = _decoder.decode(memoryview(data)[1:])
        if entry.repeating is not None:
            entry.repeating.check()
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordError(f"it is damaged: {error}") from None
    if entry.id != key:
        raise RecordError(f"it is damaged: it belongs to {entry.id!r}")
    return entry
