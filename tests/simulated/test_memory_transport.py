"""The way of clients to the simulated engine in memory, as clients of typed actors use it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import msgspec
import pytest

from rivet_runner import Actor, Request, Response, WebSocket, WebSocketClosed
from rivet_runner._connection.client_transport import ClientTransport
from rivet_runner._connection.environment import environment
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import Room, virtual

tenant: ContextVar[str] = ContextVar("tenant", default="none")


class Program(Room):
    """Takes the way that is meant for its clients."""

    transport: ClientTransport

    async def start(self) -> None:
        transport = environment.get().client_transport
        assert transport is not None
        self.transport = transport
        await super().start()

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/never":
            await asyncio.Event().wait()
        return Response(f"{request.method} {request.path} {request.body.decode()} {tenant.get()}")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(f"{message!r} {tenant.get()}")


async def transport_of(engine: SimulatedEngine, runner: Program) -> tuple[ClientTransport, str]:
    """The transport that a runner was given, and the id of one of them."""
    actor = await engine.create("room", key="a")
    await actor.wake()
    return runner.transport, actor.id


@virtual
async def test_the_management_api_answers_as_on_a_port() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Program) as runner:
        transport, actor_id = await transport_of(engine, runner)
        found = await transport.request("GET", "/actors?namespace=default&name=room&key=a", {}, b"")
        assert (found.status, msgspec.json.decode(found.body)["actors"][0]["actor_id"]) == (200, actor_id)
        missing = await transport.request("GET", "/actors?namespace=another&name=room", {}, b"")
        assert (missing.status, msgspec.json.decode(missing.body)["code"]) == (400, "not_found")


@virtual
async def test_a_request_reaches_its_actor_without_the_context_of_its_client() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Program) as runner:
        transport, actor_id = await transport_of(engine, runner)
        tenant.set("mine")
        reply = await transport.request("POST", f"/gateway/{actor_id}/path", {"x-a": "b"}, b"body")
        assert (reply.status, reply.body) == (200, b"POST /path body none")
        socket = await transport.connect(f"/gateway/{actor_id}/ws", ["rivet", "b"], {})
        await socket.send("hi")
        assert await socket.recv() == "'hi' none"
        await socket.close()


@virtual
async def test_a_websocket_to_no_actor_is_closed_with_the_reason() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Program) as runner:
        transport, actor_id = await transport_of(engine, runner)
        for path, offered, reason in (
            (f"/gateway/{actor_id}/ws", [], "guard.missing_header"),
            ("/nowhere", ["rivet"], "guard.no_route"),
        ):
            socket = await transport.connect(path, offered, {})
            with pytest.raises(WebSocketClosed, match=reason):
                await socket.recv()


@virtual
async def test_an_engine_that_is_down_refuses_and_one_that_goes_down_breaks_the_connection() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Program) as runner:
        transport, actor_id = await transport_of(engine, runner)
        waiting = asyncio.create_task(transport.request("GET", f"/gateway/{actor_id}/never", {}, b""))
        await engine.advance(1)
        restarting = asyncio.create_task(engine.restart(outage=5))
        with pytest.raises(ConnectionResetError, match="closed the connection"):
            await waiting
        with pytest.raises(ConnectionRefusedError, match="down"):
            await transport.request("GET", "/health", {}, b"")
        with pytest.raises(ConnectionRefusedError, match="down"):
            await transport.connect(f"/gateway/{actor_id}/ws", ["rivet"], {})
        await restarting
        assert (await transport.request("GET", "/health", {}, b"")).status == 200


@virtual
async def test_a_request_that_is_cancelled_leaves_the_engine() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Program) as runner:
        transport, actor_id = await transport_of(engine, runner)
        waiting = asyncio.create_task(transport.request("GET", f"/gateway/{actor_id}/never", {}, b""))
        await engine.advance(1)
        assert engine.open_requests == 1
        waiting.cancel()
        await engine.advance(1)
        assert engine.open_requests == 0
