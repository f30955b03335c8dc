"""The keys in an actor's store that this package keeps for itself.

They are the end of the key space: a listing for the user ends before them, so hiding them is free. `rivet_runner.KV` refuses
to write them, and `KV.clear` leaves them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ALARM", "RECORDS_END", "RECORDS_FROM", "RESERVED_FROM"]

RESERVED_FROM: Final = b"\xff" * 8
"""The first reserved key. All keys that begin with eight 0xff bytes follow it."""

RECORDS_FROM: Final = RESERVED_FROM + b"ws/"
RECORDS_END: Final = RESERVED_FROM + b"ws0"
"""The records of hibernating WebSockets: this prefix, then the 8-byte request key. The end is exclusive."""

ALARM: Final = RESERVED_FROM + b"alarm"
"""The alarm of the actor. There is no such key while none is set."""
