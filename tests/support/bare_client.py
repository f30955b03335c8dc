"""The runner's side of the protocol without a runner: a WebSocket client and the codecs."""

from __future__ import annotations

import asyncio
import itertools

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from rivet_runner.protocol.v3 import (
    KvRequestData,
    KvResponseData,
    ToClient,
    ToClientInit,
    ToClientKvResponse,
    ToClientTunnelMessage,
    ToServer,
    ToServerInit,
    ToServerKvRequest,
    ToServerTunnelMessage,
    ToServerTunnelMessageKind,
    decode_to_client,
    encode_to_server,
)
from rivet_runner.testing.scripted_engine import RunnerConnection, ScriptedEngine

__all__ = ["HELLO", "BareClient", "initialised"]

HELLO = ToServerInit("sample", 1, 10, None, None, None)


class BareClient:
    """A client that says what it is told to."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self._ids = itertools.count()

    @classmethod
    async def connect(cls, engine: ScriptedEngine, query: str = "?protocol_version=3", token: str = "") -> BareClient:
        offered = [Subprotocol("rivet"), *([Subprotocol(f"rivet_token.{token}")] if token else [])]
        url = f"{engine.endpoint.replace('http', 'ws')}/runners/connect{query}"
        return cls(await connect(url, subprotocols=offered, proxy=None, ping_interval=None))

    async def send(self, message: ToServer) -> None:
        await self.ws.send(encode_to_server(message))

    async def receive(self) -> ToClient:
        async with asyncio.timeout(10):
            return decode_to_client(await self.ws.recv(decode=False))

    async def kv(self, data: KvRequestData, actor_id: str = "a1") -> KvResponseData:
        number = next(self._ids)
        await self.send(ToServerKvRequest(actor_id, number, data))
        answer = await self.receive()
        assert isinstance(answer, ToClientKvResponse)
        assert answer.request_id == number
        return answer.data

    async def tunnel(self, message: ToClientTunnelMessage, kind: ToServerTunnelMessageKind) -> None:
        await self.send(ToServerTunnelMessage(message.message_id, kind))

    async def tunnelled(self) -> ToClientTunnelMessage:
        message = await self.receive()
        assert isinstance(message, ToClientTunnelMessage)
        return message


async def initialised(engine: ScriptedEngine) -> tuple[BareClient, RunnerConnection]:
    runner = await BareClient.connect(engine)
    connection = await engine.accept()
    await runner.send(HELLO)
    await connection.init()
    assert isinstance(await runner.receive(), ToClientInit)
    return runner, connection
