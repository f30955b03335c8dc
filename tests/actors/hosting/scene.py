"""A simulated engine with an app, and a client that speaks JSON, as plain as can be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from rivet_runner.actors import App, DurableActor
from rivet_runner.actors._wire.encodings import Encoding, codec
from rivet_runner.actors._wire.messages import (
    ActionRequest,
    ActionResponse,
    Error,
    Event,
    Init,
    SubscriptionRequest,
    ToClient,
)
from rivet_runner.actors._wire.subprotocols import offered
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine

__all__ = ["Client", "call", "connected", "failure", "hosted", "opened", "value"]


@asynccontextmanager
async def hosted(
    *classes: type[DurableActor[Any]], app: App | None = None, **options: Any
) -> AsyncIterator[SimulatedEngine]:
    """An engine with one runner that hosts ``classes``."""
    async with SimulatedEngine() as engine:
        described = App(*classes) if app is None else app
        async with engine.host(described, **options):
            yield engine


async def call(
    actor: SimulatedActorHandle, name: str, *args: Any, params: Any = None, body: bytes | None = None
) -> tuple[int, Any]:
    """Call an action by HTTP. Return the status and the answer."""
    headers = {} if params is None else {"x-rivet-conn-params": json.dumps(params)}
    sent = json.dumps({"args": args}).encode() if body is None else body
    answer = await actor.request("POST", f"/action/{name}", headers, sent)
    return answer.status, json.loads(answer.body)


async def value(actor: SimulatedActorHandle, name: str, *args: Any, params: Any = None) -> Any:
    """Call an action that succeeds, and return its output."""
    status, answer = await call(actor, name, *args, params=params)
    assert status == 200, answer
    return answer["output"]


async def failure(actor: SimulatedActorHandle, name: str, *args: Any, params: Any = None) -> tuple[int, str]:
    """Call an action that fails, and return the status and ``group.code``."""
    status, answer = await call(actor, name, *args, params=params)
    assert status != 200, answer
    return status, f"{answer['group']}.{answer['code']}"


class Socket(Protocol):
    """A client's end of a WebSocket."""

    close_code: int | None
    close_reason: str | None

    async def send(self, message: str | bytes) -> None: ...

    async def recv(self) -> str | bytes: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None: ...

    async def wait_closed(self) -> tuple[int, str]: ...


class Client:
    """A client's end of ``/connect``. ``events`` are those that came while it waited for something else."""

    def __init__(self, ws: Socket, encoding: Encoding) -> None:
        self.ws = ws
        self.codec = codec(encoding)
        self.events: list[Event] = []
        self.id = ""
        self._calls = 0

    async def message(self) -> ToClient:
        """The next message."""
        return self.codec.decode_to_client(await self.ws.recv())

    async def event(self) -> tuple[str, list[Any]]:
        """The next event."""
        message: ToClient = self.events.pop(0) if self.events else await self.message()
        assert isinstance(message, Event)
        return message.name, message.args

    async def begin(self, name: str, *args: Any) -> int:
        """Send a call, and return its id."""
        self._calls += 1
        await self.ws.send(self.codec.encode_to_server(ActionRequest(self._calls, name, list(args))))
        return self._calls

    async def answer(self, call_id: int) -> Any:
        """The answer of a call: its output, or its `Error`."""
        while True:
            message = await self.message()
            if isinstance(message, Event):
                self.events.append(message)
            elif isinstance(message, ActionResponse):
                assert message.id == call_id
                return message.output
            else:
                assert isinstance(message, Error)
                assert message.action_id == call_id
                return message

    async def call(self, name: str, *args: Any) -> Any:
        """Call an action and wait for its answer."""
        return await self.answer(await self.begin(name, *args))

    async def subscribe(self, event: str, *, subscribe: bool = True) -> None:
        """Ask for an event, or for no more of it."""
        await self.ws.send(self.codec.encode_to_server(SubscriptionRequest(event, subscribe)))


@asynccontextmanager
async def connected(
    actor: SimulatedActorHandle, encoding: Encoding = Encoding.JSON, params: Any = None
) -> AsyncIterator[Client]:
    """A client that has got its ``Init``."""
    async with opened(actor, encoding, params) as client:
        init = await client.message()
        assert isinstance(init, Init), init
        assert init.actor_id == actor.id
        client.id = init.connection_id
        yield client


@asynccontextmanager
async def opened(
    actor: SimulatedActorHandle, encoding: Encoding = Encoding.JSON, params: Any = None
) -> AsyncIterator[Client]:
    """A client that may be refused."""
    headers = {"sec-websocket-protocol": ", ".join(offered(encoding, params))}
    async with actor.websocket("/connect", headers) as ws:
        yield Client(ws, encoding)
