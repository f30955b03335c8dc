"""Typed actors whose every answer a test decides: a plain runner that speaks the clients' protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.actors._wire.encodings import Codec, Encoding, codec
from rivet_runner.actors._wire.messages import ActionRequest, ActionResponse, Error, Event, Init, SubscriptionRequest
from rivet_runner.actors._wire.subprotocols import read_offer
from rivet_runner.actors.errors import ActorError

__all__ = ["Conversation", "FakeActors", "echo", "never"]

Act = Callable[..., Awaitable[Any]]


class Conversation:
    """One ``/connect`` WebSocket, on the actor's side."""

    def __init__(self, ws: WebSocket, encoding: Encoding, params: Any) -> None:
        self.ws = ws
        self.params = params
        self.codec: Codec = codec(encoding)
        self.subscribed: list[tuple[str, bool]] = []

    async def send(self, message: Any) -> None:
        await self.ws.send(self.codec.encode_to_client(message))

    async def emit(self, name: str, *args: Any) -> None:
        await self.send(Event(name, list(args)))

    async def init(self, actor: Actor) -> None:
        await self.send(Init(actor.id, f"connection-{actor.generation}"))


class FakeActors(Runner):
    """``actions`` has what an action does by its name. ``accept`` greets a connection: by default with its init."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.actions: dict[str, Act] = {}
        self.requests: list[Request] = []
        self.conversations: list[Conversation] = []
        self.started: list[Actor] = []

    async def on_actor_start(self, actor: Actor) -> None:
        self.started.append(actor)

    # HTTP

    async def fetch(self, actor: Actor, request: Request) -> Response:
        self.requests.append(request)
        if not request.path.startswith("/action/"):
            return await self.answer(actor, request)
        speaking = codec(Encoding(request.headers["x-rivet-encoding"]))
        name = unquote(request.path.removeprefix("/action/"))
        try:
            arguments, _ = speaking.decode_action_request(request.body)
            output = await self.run_action(name, arguments)
        except ActorError as error:
            wire = Error(error.group, error.code, error.message, error.metadata)
            return Response(speaking.encode_error(wire), 400, {"content-type": speaking.content_type})
        return Response(speaking.encode_action_response(output), headers={"content-type": speaking.content_type})

    async def answer(self, actor: Actor, request: Request) -> Response:
        return Response(f"{request.method} {request.path}?{request.query_string} {request.body.decode()}", 418)

    async def run_action(self, name: str, args: list[Any]) -> Any:
        if name not in self.actions:
            raise ActorError("actor", "action_not_found", f"there is no action {name}")
        return await self.actions[name](*args)

    # Connections

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return False

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        offer = read_offer(ws.request.headers["sec-websocket-protocol"].split(", "))
        conversation = Conversation(ws, offer.encoding, offer.params)
        self.conversations.append(conversation)
        await self.accept(actor, conversation)
        async with contextlib.AsyncExitStack() as ending:
            async for data in ws:
                message = conversation.codec.decode_to_server(data)
                if isinstance(message, SubscriptionRequest):
                    conversation.subscribed.append((message.event_name, message.subscribe))
                else:
                    running = asyncio.create_task(self._act(conversation, message))
                    ending.callback(running.cancel)

    async def accept(self, actor: Actor, conversation: Conversation) -> None:
        await conversation.init(actor)

    async def _act(self, conversation: Conversation, message: ActionRequest) -> None:
        try:
            output = await self.run_action(message.name, message.args)
        except ActorError as error:
            await conversation.send(Error(error.group, error.code, error.message, error.metadata, message.id))
        else:
            await conversation.send(ActionResponse(message.id, output))


async def echo(*args: Any) -> Any:
    """An action that returns its arguments."""
    return list(args)


async def never() -> None:
    """An action that does not end."""
    await asyncio.Event().wait()
