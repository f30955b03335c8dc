"""The keys in an actor's store that this package keeps for itself.

They are the end of the key space: a listing for the user ends before them, so hiding them is free. `rivet_runner.KV` refuses
to write them, and `KV.clear` leaves them. An area of `KV.area` lies among them, and has a key space of its own, with an end
that is reserved in the same way.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ALARM", "RECORDS_END", "RECORDS_FROM", "RESERVED_FROM", "area_prefix"]

RESERVED_FROM: Final = b"\xff" * 8
"""The first reserved key. All keys that begin with eight 0xff bytes follow it."""

RECORDS_FROM: Final = RESERVED_FROM + b"ws/"
RECORDS_END: Final = RESERVED_FROM + b"ws0"
"""The records of hibernating WebSockets: this prefix, then the 8-byte request key. The end is exclusive."""

ALARM: Final = RESERVED_FROM + b"alarm"
"""The alarm of the actor. There is no such key while none is set."""

AREA_NAME: Final = re.compile("[A-Za-z0-9._-]{1,64}")


def area_prefix(name: str) -> bytes:
    """Return the prefix of the keys of the area ``name``. Raises `ValueError` for a name that cannot be used."""
    if not AREA_NAME.fullmatch(name):
        raise ValueError(f"the name of an area has 1 to 64 ASCII letters, digits, '.', '_' and '-', unlike {name[:80]!r}")
    return RESERVED_FROM + b"lib/" + name.encode() + b"/"
