"""What must be true of the site on every engine: each check is one visit, through the gateway's paths."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from rivet_runner.testing import HttpResponse

__all__ = ["WEBSOCKET_CLOSES", "Client", "Visitor", "visit_requests", "visit_responses", "visit_websockets"]

BOUNDARY = "frontier"


class Client(Protocol):
    """A WebSocket's client, of either engine."""

    async def send(self, message: str | bytes, /) -> None: ...

    async def recv(self) -> str | bytes: ...


class Visitor(Protocol):
    """A client of one actor, of either engine."""

    actor_id: str

    async def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> HttpResponse: ...

    def websocket(self, path: str) -> AbstractAsyncContextManager[Client]: ...

    async def close_of(self, path: str) -> tuple[int, str]: ...


WEBSOCKET_CLOSES = {
    "/private": (1008, "members only"),
    "/rejected": (4403, "not you"),
    "/members": (4403, '{"detail":"members only"}'),
    "/unknown": (1000, ""),
    "/broken": (1011, "ws.handler_error"),
}


async def visit_requests(site: Visitor) -> None:
    """Path, query, headers, cookies, JSON, forms and uploads."""
    get = site.request
    assert (await get("GET", "/items/5?tag=a&tag=b%20c&short=yes")).json() == {
        "item": 5,
        "tags": ["a", "b c"],
        "short": True,
    }
    invalid = await get("GET", "/items/five")
    assert (invalid.status, invalid.json()["detail"][0]["loc"]) == (422, ["path", "item_id"])
    assert (await get("GET", "/files/a/b%20c/%C3%A9")).json() == "a/b c/é"
    headers = {"X-Token": "t0ken", "Cookie": "other=1; sid=me"}
    assert (await get("GET", "/who", headers)).json() == {
        "actor": site.actor_id,
        "pool": "of connections",
        "token": "t0ken",
        "sid": "me",
    }
    json_type = {"content-type": "application/json"}
    created = await get("POST", "/items", json_type, b'{"name": "lamp"}')
    assert (created.status, created.json()) == (201, {"name": "lamp", "price": 1.0})
    assert (await get("POST", "/items", json_type, b'{"price": "x"}')).status == 422
    form_type = {"content-type": "application/x-www-form-urlencoded"}
    form = await get("POST", "/login", form_type, b"name=J%C3%B6rg&password=a+b")
    assert form.json() == {"name": "Jörg", "length": 3}
    upload = await get("POST", "/upload", {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}, multipart())
    assert upload.json() == {"note": "two files", "files": [["a.txt", "text/plain", 5], ["b.bin", "image/png", 300_000]]}
    assert (await get("GET", "/sync")).json() == "from a thread"
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert (await get(method, "/method")).json() == method
    assert (await get("POST", "/method")).status == 405


async def visit_responses(site: Visitor) -> None:
    """Cookies, background tasks, redirects, URLs, the documentation, middleware, and failures."""
    get = site.request
    root = f"/gateway/{site.actor_id}"
    cookies = (await get("GET", "/cookies")).headers.getall("set-cookie")
    assert sorted(cookie.partition(";")[0] for cookie in cookies) == ["a=1", "b=2"]
    assert (await get("GET", "/background")).json() == "later"
    async with asyncio.timeout(60):
        while not (await get("GET", "/remembered")).json():
            await asyncio.sleep(0.02)
    assert (await get("GET", "/stream")).text() == "piece 0;piece 1;piece 2;"
    redirect = await get("GET", "/redirect")
    assert (redirect.status, redirect.headers["location"].endswith(f"{root}/items/7")) == (307, True)
    slash = await get("GET", "/slash")
    assert (slash.status, slash.headers["location"].endswith(f"{root}/slash/")) == (307, True)
    url = (await get("GET", "/url")).json()
    assert (url["path"], url["root"], url["item"].endswith(f"{root}/items/1")) == (f"{root}/url", root, True)
    assert (await get("GET", "/empty")).status == 204
    assert (await get("GET", "/url")).headers["x-middleware"] == "seen"
    docs = (await get("GET", "/docs")).text()
    assert f"{root}/openapi.json" in docs
    openapi = (await get("GET", "/openapi.json")).json()
    assert openapi["servers"] == [{"url": root}]
    teapot = await get("GET", "/teapot")
    assert (teapot.status, teapot.json(), teapot.headers["x-spout"]) == (418, {"detail": {"short": "and stout"}}, "yes")
    stock = await get("GET", "/stock")
    assert (stock.status, stock.json()) == (409, {"sold": "out"})
    defect = await get("GET", "/defect")
    assert defect.status == 500
    assert "secret" not in defect.text()
    assert (await get("GET", "/nowhere")).json() == {"detail": "Not Found"}


async def visit_websockets(site: Visitor) -> None:
    """JSON and binary messages, and every kind of close."""
    async with site.websocket("/echo/lobby?user=ann") as ws:
        hello: dict[str, Any] = json.loads(await ws.recv())
        assert hello == {"room": "lobby", "user": "ann", "actor": site.actor_id, "pool": "of connections"}
        for value in ({"é": [1, None]}, "text", 7):
            await ws.send(json.dumps(value))
            assert json.loads(await ws.recv()) == {"got": value}
    async with site.websocket("/binary") as ws:
        await ws.send(bytes(range(256)))
        assert await ws.recv() == bytes(range(256))
    for path, close in WEBSOCKET_CLOSES.items():
        assert await site.close_of(path) == close, path


def multipart() -> bytes:
    """A form with a field and two files."""
    parts = [
        b'name="note"\r\n\r\ntwo files',
        b'name="files"; filename="a.txt"\r\ncontent-type: text/plain\r\n\r\nhello',
        b'name="files"; filename="b.bin"\r\ncontent-type: image/png\r\n\r\n' + bytes(300_000),
    ]
    form = b"--%s\r\ncontent-disposition: form-data; %s\r\n"
    body = b"".join(form % (BOUNDARY.encode(), part) for part in parts)
    return body + b"--%s--\r\n" % BOUNDARY.encode()
