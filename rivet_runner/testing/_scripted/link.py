"""The WebSocket to one runner: how messages leave and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from rivet_runner.testing._scripted.mailbox import TIMEOUT

__all__ = ["Link"]


class Link:
    """Sends messages at once, without back-pressure. Raises `ConnectionError` if the connection is gone."""

    def __init__(self, ws: ServerConnection, encode: Callable[[Any], bytes]) -> None:
        self.ws = ws
        self._encode = encode
        self.closed_at: float | None = None
        self._over = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed the connection."""
        return self.ws.protocol.state is State.OPEN

    def send(self, message: Any) -> None:
        """Send one message. Raises `TypeError` if the protocol of this connection does not have it."""
        self.send_frame(self._encode(message))

    def send_frame(self, frame: bytes | str) -> None:
        """Send bytes as a binary frame, or text as a text frame. They need not be a message."""
        protocol = self.ws.protocol
        if protocol.state is not State.OPEN:
            raise ConnectionError("the runner's connection is closed")
        if isinstance(frame, str):
            protocol.send_text(frame.encode())
        else:
            protocol.send_binary(frame)
        self.ws.transport.write(b"".join(protocol.data_to_send()))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame and wait until the connection is gone."""
        await self.ws.close(code, reason)

    def abort(self) -> None:
        """Drop the TCP connection without a close frame."""
        self.ws.transport.abort()

    def stall(self) -> None:
        """Stop reading messages and pings, like a half-open connection. See `resume`."""
        self.ws.transport.pause_reading()

    def resume(self) -> None:
        """Read again after `stall`."""
        self.ws.transport.resume_reading()

    async def closed(self, timeout: float = TIMEOUT) -> tuple[int, str]:
        """Wait until the connection is gone, and return the runner's close code and reason.

        The code is 1006 if the runner sent no close frame. `RunnerConnection.received` then has all that the runner
        sent. A stalled connection notices its end only after `resume`. Raises `TimeoutError`.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._over.wait()
        except TimeoutError:
            raise TimeoutError(f"the runner's connection is still open after {timeout:g} s") from None
        return self.ws.close_code or 1006, self.ws.close_reason or ""

    def _ended(self) -> None:
        """Note that the runner can send nothing more."""
        self.closed_at = asyncio.get_running_loop().time()
        self._over.set()
