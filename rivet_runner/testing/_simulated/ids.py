"""Ids in the engine's form, drawn from the run's seed."""

from __future__ import annotations

from collections.abc import Container
from random import Random
from typing import Final

__all__ = ["Ids", "is_id"]

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
PAIRS: Final = [second + first for first in DIGITS for second in DIGITS]
"""Two digits at a time, the less significant one first."""
PAIR: Final = len(PAIRS)

LENGTH: Final = 30
VERSION: Final = 1
DATACENTER_LABEL: Final = 1


class Ids:
    """A source of new ids, drawn from ``random``."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def new(self) -> str:
        """An id of an actor, a runner or a ray.

        It is 19 bytes (a version, a random UUID, the datacenter's label), read as a little-endian number and written in base
        36 with the least significant digit first.
        """
        unique = bytearray(self._random.randbytes(16))
        unique[6] = unique[6] & 0x0F | 0x40
        unique[8] = unique[8] & 0x3F | 0x80
        number = int.from_bytes(bytes([VERSION, *unique]) + DATACENTER_LABEL.to_bytes(2, "big"), "little")
        text = ""
        for _ in range(LENGTH // 2):
            text += PAIRS[number % PAIR]
            number //= PAIR
        return text

    def new_gateway_id(self) -> bytes:
        return self._random.randbytes(4)

    def new_request_key(self, gateway_id: bytes, taken: Container[bytes]) -> bytes:
        """The gateway's id and four bytes more: a key that is not in ``taken``."""
        while (key := gateway_id + self._random.randbytes(4)) in taken:
            pass
        return key


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id."""
    if len(text) != LENGTH or any(digit not in DIGITS for digit in text):
        return False
    number = int(text[::-1], 36)
    return number < 1 << (19 * 8) and number & 0xFF == VERSION
