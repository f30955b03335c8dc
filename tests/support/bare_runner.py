"""The least that the engine takes for a runner, in bytes written by hand.

The client under test is tried against actors that run, and that must not depend on
this package's runner. Key-value calls reach the engine as they are, without this
package's checks: only they are written with its codec.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from types import TracebackType
from typing import Self
from urllib.parse import urlencode
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from rivet_runner.protocol.v3 import (
    KvRequestData,
    KvResponseData,
    ToClientKvResponse,
    ToServerKvRequest,
    decode_to_client,
    encode_to_server,
)
from tests.support.waiting import eventually

_INIT_COMMAND, _COMMANDS, _KV_RESPONSE, _TUNNEL = 0, 2, 4, 5
_START, _STOP = b"\0", b"\1"


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


class BareRunner:
    """Runs every actor it is given: answers requests with method and path, echoes WebSocket messages."""

    def __init__(self, endpoint: str, runner_name: str, *, token: str | None = None) -> None:
        query = urlencode({"protocol_version": 3, "namespace": "default", "runner_key": str(uuid4())})
        self._url = f"{endpoint.replace('http', 'ws', 1)}/runners/connect?{query}"
        self._subprotocols = ["rivet"] if token is None else ["rivet", f"rivet_token.{token}"]
        self._runner_name = runner_name
        self._events = 0
        self._generations: dict[str, int] = {}
        self._kv_answers: list[KvResponseData] = []

    async def __aenter__(self) -> Self:
        protocols = [Subprotocol(name) for name in self._subprotocols]
        self._socket: ClientConnection = await connect(self._url, subprotocols=protocols, proxy=None)
        await self._socket.send(b"\0" + _text(self._runner_name) + struct.pack("<II", 1, 100) + b"\0\0\0")
        first = await self._socket.recv()
        assert first[0] == _INIT_COMMAND
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._socket.close()
        await self._reader

    async def sleep(self, actor_id: str) -> None:
        """Return once the actor has stopped here."""
        await self._send_event(actor_id, 0, b"\0")
        await eventually(lambda: actor_id not in self._generations)

    async def kv(self, actor_id: str, data: KvRequestData) -> KvResponseData:
        """Make one key-value call, one at a time."""
        await self._socket.send(encode_to_server(ToServerKvRequest(actor_id, 0, data)))
        await eventually(lambda: self._kv_answers)
        return self._kv_answers.pop()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = await self._socket.recv(decode=False)
                if frame[0] == _COMMANDS:
                    await self._on_command(frame)
                elif frame[0] == _KV_RESPONSE:
                    answer = decode_to_client(frame)
                    assert isinstance(answer, ToClientKvResponse)
                    self._kv_answers.append(answer.data)
                elif frame[0] == _TUNNEL:
                    await self._on_tunnel_message(frame)

    async def _on_command(self, frame: bytes) -> None:
        assert frame[1] == 1, "one command a message is all that these tests cause"
        kind, length = frame[10:11], frame[11]
        actor_id = frame[12 : 12 + length].decode()
        (self._generations[actor_id],) = struct.unpack_from("<I", frame, 12 + length)
        # Running, or stopped with code OK and no message.
        await self._send_event(actor_id, 1, b"\0" if kind == _START else b"\1\0\0")
        if kind == _STOP:
            del self._generations[actor_id]

    async def _send_event(self, actor_id: str, tag: int, content: bytes) -> None:
        index, self._events = self._events, self._events + 1
        actor = _text(actor_id) + struct.pack("<I", self._generations[actor_id])
        await self._socket.send(b"\1\1" + struct.pack("<q", index) + bytes([tag]) + actor + content)

    async def _on_tunnel_message(self, frame: bytes) -> None:
        request, kind, content = frame[1:9], frame[11], frame[12:]
        if kind == 1:
            _, method, path = _texts(content, 3)
            body = f"{method} {path}".encode()
            headers = b"\2" + _text("Set-Cookie") + _text("a=1") + _text("set-cookie") + _text("b=2")
            answer = b"\1" + struct.pack("<H", 207) + headers + b"\1" + bytes([len(body)]) + body + b"\0"
        elif kind == 4:
            answer = b"\4\0"
        elif kind == 5:
            answer = b"\5" + content
        else:
            return
        await self._socket.send(bytes([6]) + request + b"\0\0" + answer)


def _texts(content: bytes, count: int) -> list[str]:
    texts = []
    for _ in range(count):
        end = 1 + content[0]
        texts.append(content[1:end].decode())
        content = content[end:]
    return texts
