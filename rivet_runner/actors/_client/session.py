"""One WebSocket to an actor, from its init to its end: calls and their answers, and events."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from rivet_runner._connection.client_transport import TransportSocket
from rivet_runner._tasks import TaskGroup
from rivet_runner.actors._client.replies import actor_error, error_in_reason
from rivet_runner.actors._wire.encodings import Codec
from rivet_runner.actors._wire.messages import (
    ActionRequest,
    ActionResponse,
    Error,
    Event,
    Init,
    SubscriptionRequest,
)
from rivet_runner.actors.errors import ActorError, ConnectionLost
from rivet_runner.errors import DecodeError, WebSocketClosed

__all__ = ["End", "OnEvent", "Session"]

log = logging.getLogger("rivet_runner.actors.client")

CANCEL_SECONDS: Final = 1.0
PROTOCOL_ERROR: Final = 1002

OnEvent: TypeAlias = Callable[[str, list[Any], int], None]
"""Takes the name, the arguments, and the bytes of the message."""


class End:
    """How a session has ended: the close, and the last error about the connection that came before it."""

    def __init__(self, closed: WebSocketClosed, error: ActorError | None) -> None:
        self.code = closed.code
        self.reason = closed.reason
        self.told = error

    @property
    def cause(self) -> ActorError | None:
        """The error that it has ended with, or `None` if the close names none."""
        return self.told or error_in_reason(self.reason)

    def __str__(self) -> str:
        return str(self.told) if self.told is not None else f"{self.code} {self.reason}".rstrip()


class Session:
    """Run it in one task, and use it from any. ``init`` is the actor's first message."""

    def __init__(self, socket: TransportSocket, codec: Codec, init: Init, on_event: OnEvent) -> None:
        self._socket = socket
        self._codec = codec
        self._on_event = on_event
        self._ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._outgoing: deque[tuple[int | None, str | bytes]] = deque()
        self._wake = asyncio.Event()
        self._error: ActorError | None = None
        self.init = init
        self.is_open = True
        self.messages = 0
        """That have come so far."""

    async def run(self) -> End:
        """Carry messages until the end, and fail the calls that are under way. Cancelling breaks the connection."""
        tasks = TaskGroup("live connection", log)
        writing = tasks.spawn(self._write(), name="write to an actor", on_error=self._writing_failed)
        end: End | None = None
        try:
            end = End(await self._read(), self._error)
            return end
        finally:
            self.is_open = False
            writing.cancel()
            self._socket.abort()
            self._fail_calls(end)
            await tasks.cancel_all(CANCEL_SECONDS)

    async def close(self) -> None:
        """Close with a close frame. `run` returns."""
        await self._socket.close()

    def abort(self) -> None:
        """Drop the connection without a close frame, if it is open still. `run` returns."""
        self._socket.abort()

    # Up

    async def call(self, name: str, args: list[Any]) -> Any:
        """Run an action and return its output, while `is_open`.

        Raises `ActorError`, and `ConnectionLost` if the connection ends first. Cancelling does not end the action.
        """
        call_id = next(self._ids)
        data = self._codec.encode_to_server(ActionRequest(call_id, name, args))
        answer = self._calls[call_id] = asyncio.get_running_loop().create_future()
        self._send(data, call_id)
        try:
            return await answer
        finally:
            self._calls.pop(call_id, None)

    def subscribe(self, event: str, wanted: bool = True) -> None:
        """Begin to get an event, or stop. It leaves before the calls that are made later."""
        self._send(self._codec.encode_to_server(SubscriptionRequest(event, wanted)), None)

    def _send(self, data: str | bytes, call_id: int | None) -> None:
        self._outgoing.append((call_id, data))
        self._wake.set()

    async def _write(self) -> None:
        while True:
            while self._outgoing:
                call_id, data = self._outgoing.popleft()
                if call_id is None or call_id in self._calls:
                    await self._socket.send(data)
            self._wake.clear()
            await self._wake.wait()

    def _writing_failed(self, error: BaseException) -> None:
        if not isinstance(error, WebSocketClosed):
            log.error("a message could not be sent", exc_info=error)
            self._socket.abort()

    # Down

    async def _read(self) -> WebSocketClosed:
        while True:
            try:
                data = await self._socket.recv()
                self.messages += 1
                self._receive(data)
            except WebSocketClosed as closed:
                return closed
            except DecodeError as error:
                log.error("an actor sent a message that cannot be read, so the connection is made again: %s", error)
                return WebSocketClosed(PROTOCOL_ERROR, "")

    def _receive(self, data: str | bytes) -> None:
        message = self._codec.decode_to_client(data)
        if isinstance(message, Event):
            self._on_event(message.name, message.args, len(data))
        elif isinstance(message, ActionResponse):
            answer = self._calls.get(message.id)
            if answer is not None and not answer.done():
                answer.set_result(message.output)
        elif isinstance(message, Error):
            self._failed(message)

    def _failed(self, message: Error) -> None:
        error = actor_error(message)
        if message.action_id is None:
            self._error = error
            log.warning("an actor reports an error of the connection: %s", error)
            return
        answer = self._calls.get(message.action_id)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _fail_calls(self, end: End | None) -> None:
        how = "was dropped" if end is None else f"ended ({end})"
        for answer in self._calls.values():
            if not answer.done():
                text = f"the connection {how} before the answer came; the action may have run, or run still"
                answer.set_exception(ConnectionLost(text))
