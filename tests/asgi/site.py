"""A site of FastAPI that uses what its users use. Each actor has one, and finds itself in the scope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import (
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
    WebSocket,
    WebSocketException,
)
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel

from rivet_runner import Actor

__all__ = ["make_site"]


class Item(BaseModel):
    name: str
    price: float = 1.0


class OutOfStock(Exception):
    pass


def this_actor(request: Request) -> Actor:
    actor: Actor = request.scope["rivet.actor"]
    return actor


def members_only() -> None:
    raise HTTPException(403, "members only")


ThisActor = Annotated[Actor, Depends(this_actor)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"pool": "of connections"}


def make_site() -> FastAPI:
    """A new site: its routes by their paths."""
    site = FastAPI(title="Site", lifespan=lifespan)
    _requests(site)
    _responses(site)
    _failures(site)
    _websockets(site)
    return site


def _requests(site: FastAPI) -> None:
    @site.get("/items/{item_id}")
    async def item(item_id: int, tag: Annotated[list[str] | None, Query()] = None, short: bool = False) -> object:
        return {"item": item_id, "tags": tag, "short": short}

    @site.get("/files/{path:path}")
    async def file(path: str) -> str:
        return path

    @site.get("/who")
    async def who(
        actor: ThisActor, request: Request, x_token: Annotated[str, Header()], sid: Annotated[str, Cookie()]
    ) -> object:
        return {"actor": actor.id, "pool": request.state.pool, "token": x_token, "sid": sid}

    @site.post("/items", status_code=201)
    async def create(item: Item) -> Item:
        return item

    @site.post("/login")
    async def login(name: Annotated[str, Form()], password: Annotated[str, Form()]) -> object:
        return {"name": name, "length": len(password)}

    @site.post("/upload")
    async def upload(note: Annotated[str, Form()], files: Annotated[list[UploadFile], File()]) -> object:
        return {"note": note, "files": [[file.filename, file.content_type, len(await file.read())] for file in files]}

    @site.get("/sync")
    def in_a_thread() -> str:
        return "from a thread"

    @site.get("/method")
    @site.put("/method")
    @site.patch("/method")
    @site.delete("/method")
    async def method(request: Request) -> str:
        return request.method


def _responses(site: FastAPI) -> None:
    @site.get("/cookies")
    async def cookies(response: Response) -> str:
        response.set_cookie("a", "1", httponly=True)
        response.set_cookie("b", "2")
        return "set"

    @site.get("/background")
    async def background(actor: ThisActor, tasks: BackgroundTasks) -> str:
        async def remember() -> None:
            await asyncio.sleep(0.05)
            await actor.kv.put(b"remembered", b"yes")

        tasks.add_task(remember)
        return "later"

    @site.get("/remembered")
    async def remembered(actor: ThisActor) -> bool:
        return await actor.kv.get(b"remembered") == b"yes"

    @site.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                await asyncio.sleep(0.001)
                yield b"piece %d;" % number

        return StreamingResponse(pieces(), media_type="text/plain")

    @site.get("/redirect")
    async def redirect(request: Request) -> RedirectResponse:
        return RedirectResponse(request.url_for("item", item_id=7))

    @site.get("/slash/")
    async def slash() -> str:
        return "slash"

    @site.get("/url")
    async def url(request: Request) -> object:
        return {
            "path": request.url.path,
            "root": request.scope["root_path"],
            "item": str(request.url_for("item", item_id=1)),
        }

    @site.get("/empty", status_code=204)
    async def empty() -> None:
        return None

    @site.middleware("http")
    async def time_it(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["x-middleware"] = "seen"
        return response


def _failures(site: FastAPI) -> None:
    @site.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, detail={"short": "and stout"}, headers={"x-spout": "yes"})

    @site.get("/stock")
    async def stock() -> None:
        raise OutOfStock

    @site.exception_handler(OutOfStock)
    async def out_of_stock(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"sold": "out"}, status_code=409)

    @site.get("/defect")
    async def defect() -> None:
        raise LookupError("secret")


def _websockets(site: FastAPI) -> None:
    @site.websocket("/echo/{room}")
    async def echo(ws: WebSocket, room: str, user: str = "anonymous") -> None:
        await ws.accept()
        await ws.send_json({"room": room, "user": user, "actor": ws.scope["rivet.actor"].id, "pool": ws.state.pool})
        while True:
            received = await ws.receive_json()
            await ws.send_json({"got": received})

    @site.websocket("/binary")
    async def binary(ws: WebSocket) -> None:
        await ws.accept()
        await ws.send_bytes(await ws.receive_bytes())
        await ws.close(4000, "enough")

    @site.websocket("/private")
    async def private(ws: WebSocket) -> None:
        raise WebSocketException(1008, "members only")

    @site.websocket("/rejected")
    async def rejected(ws: WebSocket) -> None:
        await ws.close(4403, "not you")

    @site.websocket("/members", dependencies=[Depends(members_only)])
    async def members(ws: WebSocket) -> None:
        await ws.accept()

    @site.websocket("/broken")
    async def broken(ws: WebSocket) -> None:
        await ws.accept()
        raise LookupError("secret")
