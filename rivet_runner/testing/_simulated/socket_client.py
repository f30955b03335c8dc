"""A client's WebSocket over a real connection."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from rivet_runner._asgi_types import Message, Receive, Send
from rivet_runner._tasks import TaskGroup
from rivet_runner.testing._simulated.client_port import ClientClose, ClientGarbage, ClientMessage, ClientPort

__all__ = ["NOT_TEXT", "SocketClient"]

log = logging.getLogger("rivet_runner.testing")

MAX_UNREAD: Final = 256 * 1024 * 1024
"""Bytes that wait for a client that does not read. Beyond that its connection breaks. The real engine has kept 150 MB and
lost nothing of it. Its bound is not known."""

MAX_WAITING: Final = 1024
"""Messages of a client that wait for its actor. The engine reads no more of them meanwhile."""

NOT_TEXT: Final = "\udcff"
"""The server hands this on for a text message that is not UTF-8. No text of a client is this."""

NO_CLOSE_FRAME: Final = 1006
NO_CODE: Final = 1005
CANCEL_SECONDS: Final = 1.0


class SocketClient:
    """One client. ``abort`` breaks the connection without a close frame."""

    def __init__(self, receive: Receive, send: Send, abort: Callable[[], None]) -> None:
        self._receive = receive
        self._send = send
        self._abort = abort
        self.port = ClientPort(self)
        self._outgoing: deque[ClientMessage] = deque()
        self._unread = 0
        self._close: tuple[int, str] | None = None
        self._has_left = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()

    # Calls of the gateway

    def deliver(self, message: ClientMessage) -> None:
        self._outgoing.append(message)
        self._unread += len(message.data)
        if self._unread > MAX_UNREAD:
            self._outgoing.clear()
            self._unread = 0
            self._abort()
        self._wake.set()

    def closed(self, code: int, reason: str) -> None:
        self._close = (code, reason)
        self._wake.set()

    # Moving

    async def serve(self) -> None:
        """Carry messages until the gateway has closed it. Cancelling breaks the connection."""
        self.port.on_taken = self._room.set
        tasks = TaskGroup("client", log)
        tasks.spawn(self._read(), name="read from a client")
        writing = tasks.spawn(self._write(), name="write to a client", on_error=_ignore)
        try:
            await asyncio.wait([writing])
        finally:
            await tasks.cancel_all(CANCEL_SECONDS)
            self._left(None, "")

    async def _read(self) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            self.port.put(_received(message))
            while len(self.port.incoming) >= MAX_WAITING and not self.port.is_closed:
                self._room.clear()
                await self._room.wait()
        if "reason" not in message:
            self._left(None, "")  # without a close frame
        else:
            code = message["code"]
            self._left(1000 if code == NO_CODE else code, message["reason"] or "")

    def _left(self, code: int | None, reason: str) -> None:
        if not self._has_left:
            self._has_left = True
            self.port.put(ClientClose(code, reason))

    async def _write(self) -> None:
        while True:
            if self._outgoing:
                message = self._outgoing.popleft()
                self._unread -= len(message.data)
                await self._send(_sent(message))
            elif self._close is not None:
                await self._end(*self._close)
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _end(self, code: int, reason: str) -> None:
        if code == NO_CLOSE_FRAME:
            self._abort()
        else:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})


def _ignore(_: BaseException) -> None:
    """The client has left."""


def _received(message: Message) -> ClientMessage | ClientGarbage:
    data = message.get("bytes")
    if data is not None:
        return ClientMessage(data, binary=True)
    if message["text"] == NOT_TEXT:
        return ClientGarbage()
    return ClientMessage(message["text"].encode(), binary=False)


def _sent(message: ClientMessage) -> dict[str, object]:
    if message.binary:
        return {"type": "websocket.send", "bytes": message.data}
    return {"type": "websocket.send", "text": message.data.decode()}
