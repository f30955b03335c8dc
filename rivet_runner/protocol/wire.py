"""The protocol version that this package speaks. Only this module names it.

All code outside `rivet_runner.protocol` imports messages from here. Another version needs another generated module
beside `v3`, and an adapter here if its messages differ.
"""

from __future__ import annotations

from typing import Final

from rivet_runner.protocol.v3 import *  # noqa: F403

__all__ = ["PROTOCOL_VERSION"]

PROTOCOL_VERSION: Final = 3
