"""Starlette as its users use it, and Django and Litestar far enough to see that they run inside an actor."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import WebSocket as LitestarWebSocket
from litestar import get as litestar_get
from litestar import websocket as litestar_websocket
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from rivet_runner._asgi_types import AsgiApp
from rivet_runner.asgi import AsgiRunner
from rivet_runner.testing import SimulatedEngine
from rivet_runner.testing._simulated.handles import SimulatedActorHandle
from tests.support.waiting import eventually


@contextlib.asynccontextmanager
async def serving(app: AsgiApp) -> AsyncIterator[SimulatedActorHandle]:
    async with SimulatedEngine() as engine, engine.host(AsgiRunner(app)):
        yield await engine.create("site", key="k")


# Starlette


class Counter(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse(request.scope["rivet.actor"].key)


class Shouting(WebSocketEndpoint):
    encoding = "text"

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()

    async def on_receive(self, websocket: WebSocket, data: Any) -> None:
        await websocket.send_text(data.upper())

    async def on_disconnect(self, websocket: WebSocket, close_code: int) -> None:
        websocket.app.state.closes.append(close_code)


async def refused(websocket: WebSocket) -> None:
    raise HTTPException(403, "not you")


async def redirected(request: Request) -> Response:
    return RedirectResponse(request.url_for("sub:counter"))


async def later(request: Request) -> Response:
    return PlainTextResponse("ok", background=BackgroundTask(request.app.state.closes.append, "task"))


async def echoed(request: Request) -> Response:
    return Response(await request.body(), headers={"x-length": str(len(await request.body()))})


def starlette_site(folder: Path) -> Starlette:
    (folder / "page.txt").write_text("a static page " * 100)

    async def file(request: Request) -> Response:
        return FileResponse(folder / "page.txt")

    site = Starlette(
        routes=[
            Mount("/sub", routes=[Route("/counter", Counter, name="counter")], name="sub"),
            Mount("/static", StaticFiles(directory=folder)),
            Route("/redirect", redirected),
            Route("/later", later),
            Route("/file", file),
            Route("/echo", echoed, methods=["POST"]),
            WebSocketRoute("/shout", Shouting),
            WebSocketRoute("/refused", refused),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=500), Middleware(CORSMiddleware, allow_origins=["*"])],
    )
    site.state.closes = []
    return site


async def test_starlette_serves_when_it_runs_in_an_actor(tmp_path: Path) -> None:
    site = starlette_site(tmp_path)
    async with serving(site) as actor:
        assert (await actor.request("GET", "/sub/counter")).text() == "k"
        assert (await actor.request("DELETE", "/sub/counter")).status == 405
        location = (await actor.request("GET", "/redirect")).headers["location"]
        assert location.endswith(f"/gateway/{actor.id}/sub/counter")
        for path in ("/static/page.txt", "/file"):
            page = await actor.request("GET", path)
            assert (page.status, page.text()[:13]) == (200, "a static page")
        assert (await actor.request("GET", "/static/../../etc/passwd")).status == 404
        packed = await actor.request("GET", "/file", {"accept-encoding": "gzip"})
        assert (packed.headers["content-encoding"], packed.body[:2]) == ("gzip", b"\x1f\x8b")
        body = bytes(range(256)) * 4096
        assert (await actor.request("POST", "/echo", body=body)).body == body
        assert (await actor.request("GET", "/later")).text() == "ok"
        async with actor.websocket("/shout") as ws:
            await ws.send("hello")
            assert await ws.recv() == "HELLO"
            await ws.close(4001)
        await eventually(lambda: len(site.state.closes) == 2)
        assert set(site.state.closes) == {"task", 4001}, "the task has a thread of its own"
        async with actor.websocket("/refused") as ws:
            assert await ws.wait_closed() == (4403, "not you")


# Django


@pytest.fixture
def django_site() -> AsgiApp:
    """A project without files: its settings and its only module are made here."""
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, HttpResponse, JsonResponse
    from django.urls import path, reverse

    def in_a_thread(request: HttpRequest, name: str) -> HttpResponse:
        response = HttpResponse(f"hello {name} from {request.path_info}")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        form = request.POST.dict()
        return JsonResponse({"method": request.method, "form": form, "url": reverse("hello", args=["you"])})

    def broken(request: HttpRequest) -> HttpResponse:
        raise LookupError("secret")

    urls: Any = ModuleType("site_of_a_test")
    urls.urlpatterns = [
        path("hello/<name>", in_a_thread, name="hello"),
        path("async", asynchronous),
        path("broken", broken),
    ]
    sys.modules[urls.__name__] = urls
    if not settings.configured:
        settings.configure(ROOT_URLCONF=urls.__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="test", LOGGING_CONFIG=None)
        django.setup()
    application: AsgiApp = get_asgi_application()
    return application


async def test_django_serves_when_it_runs_in_an_actor(django_site: AsgiApp) -> None:
    async with serving(django_site) as actor:
        hello = await actor.request("GET", "/hello/you?a=1")
        assert (hello.status, hello.text()) == (200, "hello you from /hello/you")
        assert sorted(cookie.partition(";")[0] for cookie in hello.headers.getall("set-cookie")) == ["a=1", "b=2"]
        form = await actor.request("POST", "/async", {"content-type": "application/x-www-form-urlencoded"}, b"x=1&y=%C3%A9")
        assert form.json() == {
            "method": "POST",
            "form": {"x": "1", "y": "é"},
            "url": f"/gateway/{actor.id}/hello/you",
        }
        assert (await actor.request("GET", "/nowhere")).status == 404
        broken = await actor.request("GET", "/broken")
        assert (broken.status, b"secret" in broken.body) == (500, False)


# Litestar


@litestar_get("/hello/{name:str}")
async def litestar_hello(request: LitestarRequest[Any, Any, Any]) -> dict[str, str]:
    scope: Any = request.scope
    return {"hello": request.path_params["name"], "actor": scope["rivet.actor"].key}


@litestar_websocket("/ws")
async def litestar_echo(socket: LitestarWebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    while True:
        await socket.send_json({"got": await socket.receive_json()})


async def test_litestar_serves_when_it_runs_in_an_actor(caplog: pytest.LogCaptureFixture) -> None:
    notes: list[str] = []
    site = Litestar(
        [litestar_hello, litestar_echo],
        on_startup=[lambda: notes.append("up")],
        on_shutdown=[lambda: notes.append("down")],
        logging_config=None,
    )
    async with serving(site) as actor:
        assert (await actor.request("GET", "/hello/you")).json() == {"hello": "you", "actor": "k"}
        assert (await actor.request("GET", "/nowhere")).status == 404
        async with actor.websocket("/ws") as ws:
            await ws.send('{"a": [1]}')
            assert await ws.recv() == '{"got":{"a":[1]}}'
        assert notes == ["up"]
    assert notes == ["up", "down"]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
