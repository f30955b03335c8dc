"""FastAPI inside an actor, as its users use it, on a simulated engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from rivet_runner.asgi import AsgiRunner
from rivet_runner.testing import HttpResponse, SimulatedEngine
from rivet_runner.testing._simulated.handles import SimulatedActorHandle
from tests.asgi.site import make_site
from tests.asgi.site_tour import Client, Visitor, visit_requests, visit_responses, visit_websockets
from tests.simulated.rooms import virtual


class SimulatedVisitor:
    def __init__(self, actor: SimulatedActorHandle) -> None:
        self.actor_id = actor.id
        self._actor = actor

    async def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> HttpResponse:
        return await self._actor.request(method, path, headers, body)

    def websocket(self, path: str) -> AbstractAsyncContextManager[Client]:
        return self._actor.websocket(path)

    async def close_of(self, path: str) -> tuple[int, str]:
        async with self._actor.websocket(path) as ws:
            return await ws.wait_closed()


@asynccontextmanager
async def visiting(site: FastAPI, **options: Any) -> AsyncIterator[tuple[SimulatedEngine, SimulatedActorHandle]]:
    clock = options.pop("clock", "real")
    async with SimulatedEngine(clock=clock) as engine, engine.host(AsgiRunner(site, **options)):
        yield engine, await engine.create("site")


@pytest.mark.parametrize(
    ("visit", "logged"),
    [
        (visit_requests, []),
        (visit_responses, ["the application raised after its response to GET /defect"]),
        (visit_websockets, ["the handler of the WebSocket /broken raised; the client is closed with 1011"]),
    ],
)
async def test_site_answers_as_behind_any_server_when_it_is_visited(
    visit: Callable[[Visitor], Awaitable[None]], logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with visiting(make_site()) as (_, actor):
        await visit(SimulatedVisitor(actor))
    errors = [record.getMessage().partition("] ")[2] for record in caplog.records if record.levelname == "ERROR"]
    assert errors == logged


@virtual
async def test_endless_stream_ends_and_is_cleaned_up_when_nothing_can_take_it() -> None:
    site = FastAPI()
    ended: list[str] = []

    @site.get("/events")
    async def events() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            try:
                while True:
                    yield "data: tick\n\n"
                    await asyncio.sleep(1)
            finally:
                ended.append("events")

        return StreamingResponse(pieces(), media_type="text/event-stream")

    async with visiting(site, clock="virtual", response_timeout=5) as (engine, actor):
        response = await actor.request("GET", "/events")
        assert response.status == 500
        assert response.text() == "the response did not end, and the engine forwards only whole responses"
        await engine.advance(10)
        assert ended == ["events"]


@virtual
async def test_request_is_disconnected_when_its_response_is_complete() -> None:
    site = FastAPI()
    seen: list[bool] = []

    @site.get("/")
    async def root(request: Request) -> str:
        seen.append(await request.is_disconnected())
        return "ok"

    async with visiting(site, clock="virtual") as (_, actor):
        assert (await actor.request("GET", "/")).status == 200
        assert seen == [False]


@virtual
async def test_endpoint_that_only_sends_ends_when_its_client_has_left(caplog: pytest.LogCaptureFixture) -> None:
    site = FastAPI()
    ends: list[str] = []

    @site.websocket("/clock")
    async def clock(ws: WebSocket) -> None:
        await ws.accept()
        try:
            while True:
                await ws.send_text("tick")
                await asyncio.sleep(1)
        except BaseException as error:
            ends.append(type(error).__name__)
            raise

    async with visiting(site, clock="virtual") as (engine, actor):
        async with actor.websocket("/clock") as ws:
            assert await ws.recv() == "tick"
        await engine.advance(3)
        assert ends == ["WebSocketDisconnect"]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
