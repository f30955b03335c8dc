"""A client's WebSocket in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, Self

from rivet_runner.errors import WebSocketClosed
from rivet_runner.testing._simulated.client_port import ClientClose, ClientMessage, ClientPort

__all__ = ["SimulatedWebSocket"]

BROKEN: Final = 1006


class SimulatedWebSocket:
    """Your client's end of a WebSocket. Get one from `SimulatedActorHandle.websocket`.

    You can send at once: messages that you send before the actor has accepted the WebSocket wait for it. Use
    ``async with`` to close it at the end, and ``async for`` to receive until the end.

    ``close_code`` and ``close_reason`` are `None` while it is open. The code is 1006 if the connection broke.
    """

    def __init__(self) -> None:
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.port = ClientPort(self)
        self._messages: deque[str | bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def send(self, message: str | bytes) -> None:
        """Send a message: text as `str`, binary as `bytes`. It never waits. Raises `WebSocketClosed` if it is closed."""
        self._check_open()
        binary = isinstance(message, bytes)
        self.port.put(ClientMessage(message if isinstance(message, bytes) else message.encode(), binary))

    async def recv(self) -> str | bytes:
        """Receive the next message.

        Raises `WebSocketClosed` if it is closed and you have received every message, and `RuntimeError` if another task
        waits here or in `wait_closed`. Cancelling is safe: no message is lost.
        """
        while not self._messages:
            self._check_open()
            await self._news()
        return self._messages.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.recv()
        except WebSocketClosed:
            raise StopAsyncIteration from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame. You can close a WebSocket more than once: the first close counts."""
        if self.close_code is None:
            self.port.put(ClientClose(code, reason))
            self._ended(code, reason)

    def abort(self) -> None:
        """Drop the connection without a close frame."""
        if self.close_code is None:
            self.port.put(ClientClose(None, ""))
            self._ended(BROKEN, "")

    async def wait_closed(self) -> tuple[int, str]:
        """Wait for the end, and return its code and reason. Messages that come meanwhile stay for `recv`.

        Raises `RuntimeError` if another task waits here or in `recv`. Cancelling is safe.
        """
        while self.close_code is None:
            await self._news()
        return self.close_code, self.close_reason or ""

    async def _news(self) -> None:
        """Wait for a message or the end."""
        if self._waiter is not None:
            raise RuntimeError("another task is waiting in recv already")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # Calls of the engine

    def deliver(self, message: ClientMessage) -> None:
        if self.close_code is None:
            self._messages.append(message.data if message.binary else message.data.decode())
            self._wake()

    def closed(self, code: int, reason: str) -> None:
        if self.close_code is None:
            self._ended(code, reason)

    def _ended(self, code: int, reason: str) -> None:
        self.close_code, self.close_reason = code, reason
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check_open(self) -> None:
        if self.close_code is not None:
            raise WebSocketClosed(self.close_code, self.close_reason or "")
