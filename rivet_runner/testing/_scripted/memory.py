"""The state of a scripted engine that outlives its connections."""

from __future__ import annotations

import itertools
from typing import Final

from rivet_runner.protocol.messages import ToServerTunnelMessage
from rivet_runner.protocol.tunnel_ids import request_key
from rivet_runner.testing._scripted.kv_store import ScriptedKv
from rivet_runner.testing._scripted.speech import CommandIndexes
from rivet_runner.testing._scripted.tunnel import TunnelEnd

__all__ = ["EngineMemory"]

GATEWAY_ID: Final = b"gate"


class EngineMemory:
    """The key-value data of actors, the tunnel ends by request key, and the counters."""

    def __init__(self) -> None:
        self.kv: ScriptedKv = ScriptedKv()
        self._exchanges: dict[bytes, TunnelEnd] = {}
        self.command_indexes: CommandIndexes = CommandIndexes()
        self._request_numbers = itertools.count(1)

    def new_request_key(self) -> bytes:
        """Return a request key that was not used before."""
        return GATEWAY_ID + next(self._request_numbers).to_bytes(4, "big")

    def add(self, exchange: TunnelEnd) -> None:
        """Let `route` find ``exchange``."""
        self._exchanges[exchange.key] = exchange

    def route(self, message: ToServerTunnelMessage) -> bool:
        """Hand a tunnel message to its tunnel end. Returns `False` if there is none."""
        exchange = self._exchanges.get(request_key(message.message_id))
        if exchange is None:
            return False
        exchange.arrived(message)
        return True
