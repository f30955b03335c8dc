"""One WebSocket, from the application's point of view.

The gateway has the WebSocket open before the application is asked, because it retries an open that is answered with a close.
So a client that the application rejects sees an open and then a close, also instead of an HTTP response to the upgrade.
``websocket.accept`` sends nothing: the client has the subprotocol ``rivet`` by then, and the headers of the engine.
"""

from __future__ import annotations

from typing import Any, Final

from rivet_runner._asgi_types import AsgiApp, Message, Scope
from rivet_runner.actor import Actor
from rivet_runner.asgi.errors import ClientDisconnected, comes_of_disconnect
from rivet_runner.errors import WebSocketClosed
from rivet_runner.websocket import WebSocket

__all__ = ["converse"]

NEVER_ACCEPTED: Final = (1011, "ws.handler_error")

DENIED: Final = 4000
"""Added to the HTTP status of a rejection, this is the close code: 4403 for 403."""

MAX_REASON: Final = 123
"""Bytes of a close's reason."""

DISCONNECT: Final = "WebSocketDisconnect"
"""The name that Starlette, FastAPI and Litestar have for a client that has left. An endpoint need not catch it."""


async def converse(app: AsgiApp, actor: Actor, ws: WebSocket, scope: Scope) -> None:
    """Let ``app`` serve ``ws``, and return when it returns.

    Errors of the application pass through, unless they only tell that the client has left. Cancelling cancels it.
    """
    current = _Conversation(ws)
    try:
        await app(scope, current.receive, current.send)
    except Exception as error:
        if current.disconnect_told and (comes_of_disconnect(error) or _is_named(error, DISCONNECT)):
            return
        raise
    if not current.accepted and not current.over:
        actor.log.error(
            "the application returned without accepting the WebSocket %s; the client is closed with 1011", ws.path
        )
        await ws.close(*NEVER_ACCEPTED)


class _Conversation:
    def __init__(self, ws: WebSocket) -> None:
        self._ws = ws
        self._connect_told = False
        self.accepted = False
        self.over = False
        """Whether the application has closed the WebSocket, or was told that it is closed."""
        self.disconnect_told = False
        self._denied: int | None = None
        self._reason = b""

    async def receive(self) -> Message:
        if not self._connect_told:
            self._connect_told = True
            return {"type": "websocket.connect"}
        try:
            message = await self._ws.recv()
        except WebSocketClosed as closed:
            self.over = self.disconnect_told = True
            return {"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason}
        return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send" and self.accepted:
            await self._deliver(message)
        elif kind == "websocket.accept" and not self.accepted and not self.over:
            self.accepted = True
        elif kind == "websocket.close":
            await self._close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.http.response.start" and not self.accepted and not self.over:
            # Starlette sends it whether a server knows it or not, for an `HTTPException` before the accept.
            self._denied = int(message["status"])
        elif kind == "websocket.http.response.body" and self._denied is not None and not self.over:
            self._reason = (self._reason + message.get("body", b""))[:MAX_REASON]
            if not message.get("more_body", False):
                await self._close(DENIED + self._denied, self._reason.decode("utf-8", "ignore"))
        else:
            state = "closed" if self.over else "accepted" if self.accepted else "not accepted"
            raise RuntimeError(f"the application sent the ASGI message {kind!r} on a WebSocket that is {state}")

    async def _deliver(self, message: Message) -> None:
        text = message.get("text")
        payload: Any = text if text is not None else message.get("bytes")
        try:
            await self._ws.send(payload)
        except WebSocketClosed as closed:
            raise self._gone(closed) from closed

    async def _close(self, code: int, reason: str) -> None:
        if self.over or self._ws.close_code is not None:
            raise self._gone("it is closed")
        await self._ws.close(code, reason)
        self.over = True

    def _gone(self, why: object) -> ClientDisconnected:
        self.over = self.disconnect_told = True
        return ClientDisconnected(f"the WebSocket {self._ws.path}: {why}")


def _is_named(error: Exception, name: str) -> bool:
    return any(base.__name__ == name for base in type(error).__mro__)
