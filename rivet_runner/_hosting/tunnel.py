"""From the 8-byte request key of a tunnel message to the exchange or WebSocket that it belongs to.

Everything here is synchronous and cheap: it runs inside the reader. Work that takes time happens in a task of the actor.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

from rivet_runner._hosting import requests
from rivet_runner._hosting.generation import Generation
from rivet_runner._hosting.registry import ActorRegistry
from rivet_runner._hosting.services import Services
from rivet_runner._sockets.socket import SocketState
from rivet_runner.http import Request
from rivet_runner.protocol.messages import (
    ToClientRequestAbort,
    ToClientRequestChunk,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToClientWebSocketClose,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerTunnelMessage,
    ToServerWebSocketClose,
)
from rivet_runner.protocol.tunnel_ids import message_id

__all__ = ["Tunnel"]

MAX_REQUESTS: Final = 4096
"""HTTP requests of one actor that are not answered yet. Further requests get a 503 at once."""

MAX_UPLOADS: Final = 256
"""Requests of this runner whose body is still coming."""

MAX_UPLOAD: Final = 64 * 1024 * 1024
"""Bytes of a request body that comes in pieces. The engine itself sends whole bodies, of 20 MB at most."""


class _Upload:
    """A request whose body is still coming."""

    __slots__ = ("pieces", "size", "start")

    def __init__(self, start: ToClientRequestStart) -> None:
        self.start = start
        self.pieces = [start.body or b""]
        self.size = len(self.pieces[0])


class Tunnel:
    """Finds the exchange or the socket of each request key."""

    def __init__(self, services: Services, registry: ActorRegistry) -> None:
        self._services = services
        self._registry = registry
        self._find_socket = services.sockets.find
        self._exchanges: dict[bytes, asyncio.Task[Any]] = {}
        self._uploads: dict[bytes, _Upload] = {}

    def receive(self, message: ToClientTunnelMessage) -> None:
        """Hand ``message`` to its exchange or socket. A message without one is dropped."""
        identity, kind = message.message_id, message.message_kind
        key = identity.gateway_id + identity.request_id  # as `request_key` does, without its call
        what = type(kind)
        if what is ToClientWebSocketMessage:
            ws = self._find_socket(key)
            if ws is not None:
                ws.message_arrived(identity.message_index, kind)  # type: ignore[arg-type]
            else:
                self._services.unlisted.message_arrived(key, identity.message_index, kind)  # type: ignore[arg-type]
        elif what is ToClientRequestStart:
            self._request(key, kind)  # type: ignore[arg-type]
        elif what is ToClientWebSocketOpen:
            self._open(key, identity.message_index, kind)  # type: ignore[arg-type]
        elif what is ToClientWebSocketClose:
            self._close(key, kind)  # type: ignore[arg-type]
        elif what is ToClientRequestChunk:
            self._chunk(key, kind)  # type: ignore[arg-type]
        elif what is ToClientRequestAbort:
            self._abort(key)

    # HTTP

    def _request(self, key: bytes, start: ToClientRequestStart) -> None:
        if not start.stream:
            self._serve(key, start, start.body or b"")
        elif len(self._uploads) < MAX_UPLOADS:
            self._uploads[key] = _Upload(start)
        else:
            requests.answer_with(self._services, key, requests.ACTOR_OVERLOADED)

    def _chunk(self, key: bytes, chunk: ToClientRequestChunk) -> None:
        upload = self._uploads.get(key)
        if upload is None:
            return
        upload.pieces.append(chunk.body)
        upload.size += len(chunk.body)
        if upload.size > MAX_UPLOAD:
            del self._uploads[key]
            requests.answer_with(self._services, key, requests.UPLOAD_TOO_LARGE)
        elif chunk.finish:
            del self._uploads[key]
            self._serve(key, upload.start, b"".join(upload.pieces))

    def _abort(self, key: bytes) -> None:
        """The client has gone: no answer is needed."""
        self._uploads.pop(key, None)
        task = self._exchanges.get(key)
        if task is not None:
            task.cancel(requests.CLIENT_GONE)

    def disconnected(self) -> None:
        """The rest of a body that was coming will not come on another connection."""
        self._uploads.clear()

    def _serve(self, key: bytes, start: ToClientRequestStart, body: bytes) -> None:
        if key in self._exchanges:
            return  # the gateway has sent an unanswered request again, and the first is still at work
        generation = self._registry.find(start.actor_id)
        if generation is None:
            if not self._registry.is_going_to_sleep(start.actor_id):
                requests.answer_with(self._services, key, requests.ACTOR_NOT_HERE)
            return
        if generation.requests >= MAX_REQUESTS:
            generation.actor.log.warning("%d requests wait for an answer; a further one got a 503", generation.requests)
            requests.answer_with(self._services, key, requests.ACTOR_OVERLOADED)
            return
        generation.request_began()
        request = Request(start.method, start.path, start.headers, body)
        task = generation.work.spawn(requests.serve(generation, key, request), name=f"actor {start.actor_id}: request")
        self._exchanges[key] = task
        task.add_done_callback(lambda _: self._served(key, generation))

    def _served(self, key: bytes, generation: Generation) -> None:
        generation.request_ended()
        self._exchanges.pop(key, None)

    # WebSockets

    def _open(self, key: bytes, index: int, opened: ToClientWebSocketOpen) -> None:
        generation = self._registry.find(opened.actor_id)
        if generation is None and self._registry.is_going_to_sleep(opened.actor_id):
            return
        if generation is None:
            # Closing an open that was not answered makes the gateway look the actor up again and retry.
            refusal = ToServerWebSocketClose(1011, "actor.not_found", False)
            self._services.uplink.send_now(ToServerTunnelMessage(message_id(key, 0), refusal))
            return
        # Thousands of open sockets keep their headers, and the names are always the same few.
        headers = {sys.intern(name): value for name, value in opened.headers.items()}
        generation.sockets.open(key, Request("GET", opened.path, headers, b""), index)

    def _close(self, key: bytes, closed: ToClientWebSocketClose) -> None:
        ws = self._find_socket(key)
        if ws is not None and ws.state is not SocketState.HIBERNATED:
            ws.peer_closed(closed.code, closed.reason)
        elif self._services.unlisted.client_departed(key):
            return
        elif ws is not None or self._services.hibernates:
            self._services.sockets.client_departed(key)
