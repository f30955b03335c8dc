"""The gateway's ends of the tunnel: one HTTP exchange, one client's WebSocket."""

from __future__ import annotations

from collections.abc import Sequence

from rivet_runner.protocol.tunnel_ids import message_id, next_index, split_request_key
from rivet_runner.protocol.wire import (
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
from rivet_runner.testing._scripted.link import Link
from rivet_runner.testing._scripted.mailbox import TIMEOUT, Mailbox

__all__ = ["ClientWebSocket", "HttpExchange", "TunnelEnd"]


class TunnelEnd:
    """The gateway's side of one 8-byte request key.

    ``connection`` is where messages are sent; set it to a later connection after a reconnect. What the runner answers is
    found on whichever connection it comes. ``replies`` is everything that came, in order.
    """

    def __init__(self, connection: Link, key: bytes) -> None:
        self.connection = connection
        self.key = key
        self.gateway_id, self.request_id = split_request_key(key)
        self.next_index = 0
        self.replies: list[ToServerTunnelMessage] = []
        self._inbox: Mailbox[ToServerTunnelMessageKind] = Mailbox(f"request {self.key.hex()}")

    def arrived(self, message: ToServerTunnelMessage) -> None:
        """The engine has received ``message`` for this key."""
        self.replies.append(message)
        self._inbox.put(message.message_kind)

    def send_kind(self, kind: ToClientTunnelMessageKind, *, index: int | None = None) -> int:
        """Send any message of this exchange and return its index: the next one, unless ``index`` is given."""
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
        """The runner's answer. Raises `TimeoutError`."""
        kind = await self._inbox.take(lambda kind: isinstance(kind, ToServerResponseStart), timeout, "response")
        assert isinstance(kind, ToServerResponseStart)
        return kind

    def send_chunk(self, body: bytes, *, finish: bool) -> None:
        """The next piece of a body that was announced with ``stream=True``."""
        self.send_kind(ToClientRequestChunk(body, finish))

    def abort(self) -> None:
        """The client is gone."""
        self.send_kind(ToClientRequestAbort())


class ClientWebSocket(TunnelEnd):
    """A client's WebSocket, as the gateway holds it. Made by `RunnerConnection.open_websocket`.

    ``unacknowledged`` are the client messages by index that a hibernatable socket has not acknowledged, oldest first;
    ``acknowledged`` are the indexes of the acknowledgements as they came.
    """

    def __init__(self, connection: Link, key: bytes) -> None:
        super().__init__(connection, key)
        self.can_hibernate = False
        self.acknowledged: list[int] = []
        self.unacknowledged: dict[int, ToClientWebSocketMessage] = {}

    @property
    def hibernating(self) -> HibernatingRequest:
        """This socket in the list of a start command."""
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
        """The runner's answer to the open. Raises `TimeoutError`."""
        kind = await self._inbox.take(lambda kind: isinstance(kind, ToServerWebSocketOpen), timeout, "open")
        assert isinstance(kind, ToServerWebSocketOpen)
        return kind

    def send(self, data: str | bytes, *, index: int | None = None) -> int:
        """Send a client message and return its index; the first one, after the open, has 1."""
        kind = _client_message(data)
        index = self.send_kind(kind, index=index)
        if self.can_hibernate:
            self.unacknowledged[index] = kind
        return index

    def send_lost(self, data: str | bytes) -> int:
        """Send a client message that the engine loses on its way: only a later `replay` brings it. Returns its index."""
        index = self._take_index()
        self.unacknowledged[index] = _client_message(data)
        return index

    async def receive(self, timeout: float = TIMEOUT) -> str | bytes | ToServerWebSocketClose:
        """The actor's next message, or its close. Raises `TimeoutError`."""
        kind = await self._inbox.take(
            lambda kind: isinstance(kind, ToServerWebSocketMessage | ToServerWebSocketClose), timeout, "message or close"
        )
        if isinstance(kind, ToServerWebSocketClose):
            return kind
        assert isinstance(kind, ToServerWebSocketMessage)
        return bytes(kind.data) if kind.binary else bytes(kind.data).decode()

    def close(self, code: int | None = 1000, reason: str | None = "") -> None:
        """The client closes."""
        self.send_kind(ToClientWebSocketClose(code, reason))

    def replay(self, indexes: Sequence[int] | None = None) -> None:
        """Send what is not acknowledged once more with its old indexes, as the gateway does after a re-attachment."""
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
