"""An uplink that is wired to a session and to a socket, both real but for the network."""

from __future__ import annotations

import asyncio
from typing import Self

from rivet_runner._connection.uplink import Uplink
from rivet_runner._session.dialect import RunnerInit
from rivet_runner._session.dialect_v3 import DialectV3
from rivet_runner._session.pace import Pace
from rivet_runner._session.session import Session
from rivet_runner.protocol.v3 import ProtocolMetadata, ToClientInit, encode_to_client
from tests.support.fake_socket import FakeSocket

__all__ = ["WiredUplink"]


class WiredUplink:
    """An uplink, its session, and the socket of its newest connection."""

    def __init__(self, *, max_buffered: int = 1_000_000, rate: float = 0) -> None:
        dialect = DialectV3(RunnerInit("n", 1, 1))
        pace = Pace(rate, lambda: "a1", dialect.encode)
        self.session = Session(dialect, max_buffered=max_buffered, pace=pace)
        self.uplink = Uplink(self.session)
        self.socket = FakeSocket()

    def connect(self, runner_id: str = "r1") -> FakeSocket:
        """A connection opens and its init is answered."""
        self.socket = FakeSocket()
        self.session.connection_opened()
        self.uplink.attach(self.socket.real)
        self.session.receive(encode_to_client(ToClientInit(runner_id, -1, ProtocolMetadata(15_000))))
        self.uplink.flush_soon()
        return self.socket

    async def connected(self) -> Self:
        """The same, with a connection whose writes so far have left and are forgotten."""
        self.connect()
        await asyncio.sleep(0)
        self.socket.writes.clear()
        return self

    def lose(self) -> None:
        self.uplink.detach()
        self.session.connection_lost()
