"""Where the state of an actor lies: one value, or several that change together.

The first value begins with the version of this form and the number of values. All values of a state are written by one
transaction, so a crash leaves either the old state or the new one. If a state needs fewer values than the one before it, the
same transaction shrinks those that are left to one byte, and readers pass over them.
"""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from itertools import islice
from typing import Final, Generic, TypeVar

from rivet_runner._kv.limits import MAX_PUT, MAX_VALUE
from rivet_runner.actors._types.convert import ConversionError
from rivet_runner.actors._types.state import StateType
from rivet_runner.actors.errors import StateTooLarge
from rivet_runner.kv import KV

__all__ = ["MAX_STATE", "StateStore"]

StateT = TypeVar("StateT")

VERSION: Final = 1
HEADER: Final = 2
"""Bytes before the state: the version, and the number of values."""

RESERVE: Final = 1024
"""Bytes of a put that are left to the keys and the header."""

MAX_STATE: Final = MAX_PUT - RESERVE
"""Bytes of the stored form of a state."""

LEFT: Final = b"\0"
"""A value that belongs to no state any more."""

KEYS: Final = tuple(bytes([index]) for index in range(-(-MAX_PUT // MAX_VALUE)))
"""The keys of the values, in order."""


class StateStore(Generic[StateT]):
    """The stored state of one actor, in ``kv``, an area of its own."""

    __slots__ = ("_digest", "_kv", "_saving", "_state_type", "_values")

    def __init__(self, kv: KV, state_type: StateType[StateT]) -> None:
        self._kv = kv
        self._state_type = state_type
        self._digest: bytes | None = None
        """Of the stored form, if it is known."""
        self._values = 0
        """The number of values that may be stored with more than one byte."""
        self._saving = asyncio.Lock()

    async def load(self) -> StateT | None:
        """The stored state, or `None` if there is none.

        Raises `ConversionError` if it does not fit the state's type or is damaged. It stays stored. Raises what `KV` raises.
        """
        data = await self.load_bytes()
        return None if data is None else self._state_type.decode(data)

    async def load_bytes(self) -> bytes | None:
        """The stored form, or `None` if there is none. Raises as `load` does."""
        if self._state_type.is_none:
            return None
        found = await self._kv.get_many(KEYS)
        if KEYS[0] not in found:
            return None
        self._values = len(found)
        data = _joined(found)
        self._digest = _digest_of(data)
        return data

    async def save(self, state: StateT) -> bool:
        """Store ``state``, as it is when its turn has come: calls are carried out one after the other.

        Returns once the engine has it. Returns `False` if the stored bytes are the same already, and writes nothing.

        Raises `StateTooLarge`, `TypeError` if a value in it cannot be stored, and what `KV` raises. The state that was
        stored before is there then, and whole. Cancelling is safe, but the engine may have carried it out.
        """
        if self._state_type.is_none:
            return False
        async with self._saving:
            data = self._state_type.encode(state)
            digest = _digest_of(data)
            if digest == self._digest:
                return False
            if len(data) > MAX_STATE:
                raise StateTooLarge(len(data), MAX_STATE)
            await self._put(_split(data))
            self._digest = digest
            return True

    async def _put(self, values: list[bytes]) -> None:
        # Until the answer has come, either form may be stored.
        self._digest = None
        self._values = max(self._values, len(values))
        left = [LEFT] * (self._values - len(values))
        await self._kv.put_many(dict(zip(KEYS, values + left, strict=False)))
        self._values = len(values)


def _split(data: bytes) -> list[bytes]:
    """The values of a state whose stored form is ``data``."""
    count = -(-(HEADER + len(data)) // MAX_VALUE)
    whole = memoryview(bytes([VERSION, count]) + data)
    return [bytes(whole[start : start + MAX_VALUE]) for start in range(0, len(whole), MAX_VALUE)]


def _joined(found: dict[bytes, bytes]) -> bytes:
    """The stored form in the values ``found``. Raises `ConversionError` if it is not whole."""
    header = found[KEYS[0]][:HEADER]
    if len(header) < HEADER or header[0] != VERSION:
        raise ConversionError("", "the stored state is damaged, or a newer version of this package has written it")
    values = [found[key] for key in islice(KEYS, header[1]) if key in found]
    if len(values) != header[1]:
        raise ConversionError("", f"the stored state is damaged: {len(values)} of its {header[1]} values are there")
    return b"".join(values)[HEADER:]


def _digest_of(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
