"""What a scripted engine keeps from one connection to the next."""

from __future__ import annotations

import itertools
from typing import Final

from rivet_runner.protocol.tunnel_ids import request_key
from rivet_runner.protocol.wire import ToServerTunnelMessage
from rivet_runner.testing._scripted.kv_store import ScriptedKv
from rivet_runner.testing._scripted.tunnel import TunnelEnd

__all__ = ["EngineMemory"]

GATEWAY_ID: Final = b"gate"


class EngineMemory:
    """The actors' keys and values, the requests that are open, and the numbers that were given out."""

    def __init__(self) -> None:
        self.kv = ScriptedKv()
        self._exchanges: dict[bytes, TunnelEnd] = {}
        self._next_command_index = 0
        self._request_numbers = itertools.count(1)

    def take_command_indexes(self, count: int) -> int:
        """Give out the next ``count`` command indexes; return the first."""
        first = self._next_command_index
        self._next_command_index += count
        return first

    def new_request_key(self) -> bytes:
        """A request key that was not used before."""
        return GATEWAY_ID + next(self._request_numbers).to_bytes(4, "big")

    def add(self, exchange: TunnelEnd) -> None:
        """From now on `route` finds ``exchange``."""
        self._exchanges[exchange.key] = exchange

    def route(self, message: ToServerTunnelMessage) -> bool:
        """Hand a tunnel message to the handle that it is for; false where there is none."""
        exchange = self._exchanges.get(request_key(message.message_id))
        if exchange is None:
            return False
        exchange.arrived(message)
        return True
