"""The gateway's ends of the tunnel: HTTP exchanges and client WebSockets."""

from __future__ import annotations

from collections.abc import Sequence

from rivet_runner.protocol.messages import (
    HibernatingRequest,
    ToClientRequestAbort,
    ToClientRequestChunk,
    ToClientTunnelMessage,
    ToClientTunnelMessageKind,
    ToClientWebSocketClose,
    ToClientWebSocketMessage,
    ToServerResponseStart,
    ToServerTunnelMessage,
    ToServerTunnelMessageKind,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)
from rivet_runner.protocol.tunnel_ids import message_id, next_index, split_request_key
from rivet_runner.testing._scripted.link import Link
from rivet_runner.testing._scripted.mailbox import TIMEOUT, Mailbox

__all__ = ["ClientWebSocket", "HttpExchange", "TunnelEnd"]


class TunnelEnd:
    """The gateway's side of one 8-byte request key.

    Messages are sent on ``connection``. Set it to the new connection after a reconnect. Replies arrive here from any
    connection. ``replies`` has all of them, in order.
    """

    def __init__(self, connection: Link, key: bytes) -> None:
        self.connection = connection
        self.key = key
        self.gateway_id: bytes
        self.request_id: bytes
        self.gateway_id, self.request_id = split_request_key(key)
        self.next_index: int = 0
        self.replies: list[ToServerTunnelMessage] = []
        self._inbox: Mailbox[ToServerTunnelMessageKind] = Mailbox(f"request {self.key.hex()}")

    def arrived(self, message: ToServerTunnelMessage) -> None:
        """Take a reply with this key from the engine."""
        self.replies.append(message)
        self._inbox.put(message.message_kind)

    def send_kind(self, kind: ToClientTunnelMessageKind, *, index: int | None = None) -> int:
        """Send a message of this exchange and return its index, which is the next one by default."""
        if index is None:
            index = self._take_index()
        self.connection.send(ToClientTunnelMessage(message_id(self.key, index), kind))
        return index

    def _take_index(self) -> int:
        index, self.next_index = self.next_index, next_index(self.next_index)
        return index


class HttpExchange(TunnelEnd):
    """One HTTP request. Made by `RunnerConnection.request`."""

    async def response(self, timeout: float = TIMEOUT) -> ToServerResponseStart:
        """Wait for the runner's answer. Raises `TimeoutError`."""
        kind = await self._inbox.take(lambda kind: isinstance(kind, ToServerResponseStart), timeout, "response")
        assert isinstance(kind, ToServerResponseStart)
        return kind

    def send_chunk(self, body: bytes, *, finish: bool) -> None:
        """Send the next piece of a body, after a request with ``stream=True``."""
        self.send_kind(ToClientRequestChunk(body, finish))

    def abort(self) -> None:
        """Tell the runner that the client is gone."""
        self.send_kind(ToClientRequestAbort())


class ClientWebSocket(TunnelEnd):
    """The gateway's side of a client's WebSocket. Made by `RunnerConnection.open_websocket`.

    ``unacknowledged`` has the client messages that a hibernatable WebSocket has not acknowledged, by index and oldest
    first. ``acknowledged`` has the indexes of the acknowledgements in the order of their arrival.
    """

    def __init__(self, connection: Link, key: bytes) -> None:
        super().__init__(connection, key)
        self.can_hibernate: bool = False
        self.acknowledged: list[int] = []
        self.unacknowledged: dict[int, ToClientWebSocketMessage] = {}

    @property
    def hibernating(self) -> HibernatingRequest:
        """The entry for this WebSocket in a start command."""
        return HibernatingRequest(self.gateway_id, self.request_id)

    def arrived(self, message: ToServerTunnelMessage) -> None:
        kind = message.message_kind
        if isinstance(kind, ToServerWebSocketMessageAck):
            self.replies.append(message)
            self._acknowledge(kind.index)
            return
        if isinstance(kind, ToServerWebSocketOpen):
            self.can_hibernate = kind.can_hibernate
        super().arrived(message)

    async def opened(self, timeout: float = TIMEOUT) -> ToServerWebSocketOpen:
        """Wait for the runner's answer to the open. Raises `TimeoutError`."""
        kind = await self._inbox.take(lambda kind: isinstance(kind, ToServerWebSocketOpen), timeout, "open")
        assert isinstance(kind, ToServerWebSocketOpen)
        return kind

    def send(self, data: str | bytes, *, index: int | None = None) -> int:
        """Send a client message and return its index. The first message after the open has index 1."""
        kind = _client_message(data)
        index = self.send_kind(kind, index=index)
        if self.can_hibernate:
            self.unacknowledged[index] = kind
        return index

    def send_lost(self, data: str | bytes) -> int:
        """Let the engine drop a client message, which only a later `replay` delivers. Returns its index."""
        index = self._take_index()
        self.unacknowledged[index] = _client_message(data)
        return index

    async def receive(self, timeout: float = TIMEOUT) -> str | bytes | ToServerWebSocketClose:
        """Wait for the actor's next message or close. Raises `TimeoutError`."""
        kind = await self._inbox.take(
            lambda kind: isinstance(kind, ToServerWebSocketMessage | ToServerWebSocketClose), timeout, "message or close"
        )
        if isinstance(kind, ToServerWebSocketClose):
            return kind
        assert isinstance(kind, ToServerWebSocketMessage)
        return bytes(kind.data) if kind.binary else bytes(kind.data).decode()

    def close(self, code: int | None = 1000, reason: str | None = "") -> None:
        """Close as the client."""
        self.send_kind(ToClientWebSocketClose(code, reason))

    def replay(self, indexes: Sequence[int] | None = None) -> None:
        """Send unacknowledged messages again with their old indexes, as the gateway does after a re-attachment."""
        for index in [*self.unacknowledged] if indexes is None else indexes:
            self.send_kind(self.unacknowledged[index], index=index)

    def _acknowledge(self, index: int) -> None:
        self.acknowledged.append(index)
        if index in self.unacknowledged:
            for older in [*self.unacknowledged]:
                del self.unacknowledged[older]
                if older == index:
                    break


def _client_message(data: str | bytes) -> ToClientWebSocketMessage:
    return ToClientWebSocketMessage(data.encode() if isinstance(data, str) else data, isinstance(data, bytes))
