"""FastAPI inside an actor, through the real gateway."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

from rivet_runner.asgi import AsgiRunner
from rivet_runner.testing import EngineApi, HttpResponse
from tests.asgi.site import make_site
from tests.asgi.site_tour import Client, Visitor, visit_requests, visit_responses, visit_websockets
from tests.engine.rooms import close_of
from tests.engine.support import Engine, Program


class GatewayVisitor:
    def __init__(self, api: EngineApi, actor_id: str) -> None:
        self.actor_id = actor_id
        self._api = api

    async def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> HttpResponse:
        return await self._api.request(self.actor_id, method, path, headers=headers, body=body or None)

    def websocket(self, path: str) -> AbstractAsyncContextManager[Client]:
        return self._api.websocket(self.actor_id, path)

    async def close_of(self, path: str) -> tuple[int, str]:
        async with self._api.websocket(self.actor_id, path) as ws:
            return await close_of(ws)


@asynccontextmanager
async def serving(engine: Engine, api: EngineApi, runner_name: str, site: FastAPI) -> AsyncIterator[Visitor]:
    async with asyncio.timeout(300), AsgiRunner(site, endpoint=engine.endpoint, runner_name=runner_name):
        created = await api.create_ready_actor("site", runner_name=runner_name, crash_policy="sleep")
        yield GatewayVisitor(api, created.actor_id)


@pytest.mark.parametrize("visit", [visit_requests, visit_responses, visit_websockets])
async def test_site_answers_as_behind_any_server_when_it_is_visited(
    engine: Engine, api: EngineApi, runner_name: str, visit: Callable[[Visitor], Awaitable[None]]
) -> None:
    async with serving(engine, api, runner_name, make_site()) as site:
        await visit(site)


async def test_links_lead_to_the_actor_when_a_client_follows_them(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with serving(engine, api, runner_name, make_site()) as site:
        location = (await site.request("GET", "/redirect")).headers["location"]
        assert location == f"{engine.endpoint}/gateway/{site.actor_id}/items/7"
        path = location.removeprefix(f"{engine.endpoint}/gateway/{site.actor_id}")
        assert (await site.request("GET", path)).json()["item"] == 7
        head = await site.request("HEAD", "/method")
        assert (head.status, head.body) == (405, b"")


async def test_endless_stream_is_a_500_when_nothing_can_forward_it(engine: Engine, api: EngineApi, runner_name: str) -> None:
    site = FastAPI()

    @site.get("/events")
    async def events() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1024 * 1024
                await asyncio.sleep(0)

        return StreamingResponse(pieces())

    async with serving(engine, api, runner_name, site) as visitor:
        response = await visitor.request("GET", "/events")
        assert (response.status, response.text()) == (500, "the response is too large")


async def test_application_hears_of_the_disconnect_when_a_client_leaves_or_its_actor_sleeps(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    site = FastAPI()
    closes: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    @site.websocket("/room")
    async def room(ws: WebSocket) -> None:
        await ws.accept()
        await ws.send_text("welcome")
        message = await ws.receive()
        await closes.put((message["code"], message["reason"]))

    @site.post("/sleep")
    async def sleep() -> None:
        runner.actors[visitor.actor_id].sleep()

    async with asyncio.timeout(300), AsgiRunner(site, endpoint=engine.endpoint, runner_name=runner_name) as runner:
        created = await api.create_ready_actor("site", runner_name=runner_name, crash_policy="sleep")
        visitor = GatewayVisitor(api, created.actor_id)
        async with api.websocket(visitor.actor_id, "/room") as ws:
            assert await ws.recv() == "welcome"
            await ws.close(4001, "bye")
        assert await closes.get() == (4001, "bye")
        async with api.websocket(visitor.actor_id, "/room") as ws:
            assert await ws.recv() == "welcome"
            await visitor.request("POST", "/sleep")
            assert await close_of(ws) == (1000, "actor.stopped")
        assert (await closes.get())[0] in (1000, 1001)
        await api.wait_sleeping(visitor.actor_id)


PROGRAM = """
import asyncio
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI

from rivet_runner.asgi import AsgiRunner


@asynccontextmanager
async def lifespan(app):
    print("up")
    yield
    print("down")


app = FastAPI(lifespan=lifespan)


async def work():
    print("working")
    await asyncio.sleep(1)
    print("worked")


@app.get("/")
async def index(tasks: BackgroundTasks) -> str:
    tasks.add_task(work)
    return "ok"


AsgiRunner(app).run()
"""


@pytest.mark.real_time("the site is a process of its own")
async def test_background_tasks_finish_and_the_site_shuts_down_when_the_process_gets_a_sigterm(
    engine: Engine, api: EngineApi, runner_name: str, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {"RIVET_ENDPOINT": engine.endpoint, "RIVET_RUNNER_NAME": runner_name}
    async with Program("-W", "error", str(program), environment=environment) as process:
        await process.printed("up")
        actor = await api.create_ready_actor("site", runner_name=runner_name)
        assert (await api.request(actor.actor_id, "GET", "/")).json() == "ok"
        await process.printed("working")
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0
        assert (process.out, process.err) == (["up", "working", "worked", "down"], [])
