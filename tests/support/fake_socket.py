"""An engine socket without a network: what is sent can be looked at, and the transport congested at will."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from rivet_runner._connection.engine_socket import EngineSocket
from rivet_runner.protocol.v3 import ToServer, decode_to_server

__all__ = ["FakeSocket"]


class FakeSocket:
    """Stands in for `EngineSocket`. ``writes`` holds the messages of each write."""

    def __init__(self) -> None:
        self.aborts = 0
        self.congested = False
        self.acknowledgements = 0
        self.writes: list[list[ToServer]] = []
        self.drained: Callable[[], None]
        """Tells the uplink that the transport's buffer has drained."""
        self.read_done: Callable[[], None]
        """Tells that the messages of a read were handed over."""

    @property
    def real(self) -> EngineSocket:
        """This socket, for those that want an `EngineSocket`."""
        return cast("EngineSocket", self)

    @property
    def is_open(self) -> bool:
        return self.aborts == 0

    @property
    def sent(self) -> list[ToServer]:
        return [message for write in self.writes for message in write]

    def send_frames(self, messages: list[bytes]) -> None:
        assert self.is_open
        assert not self.congested
        self.writes.append([decode_to_server(message) for message in messages])

    def on_writable(self, callback: Callable[[], None]) -> None:
        self.drained = callback

    def on_read(self, callback: Callable[[], None]) -> None:
        self.read_done = callback

    def acknowledge_at_once(self) -> None:
        self.acknowledgements += 1

    def abort(self) -> None:
        self.aborts += 1
