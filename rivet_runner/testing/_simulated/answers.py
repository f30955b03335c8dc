"""The HTTP side of the gateway: headers that it adds to requests, and the answers that clients get."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from multidict import CIMultiDict

from rivet_runner.protocol.v3 import ToServerResponseStart
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing.http_client import HttpResponse

__all__ = ["error_answer", "forwarded_headers", "gateway_answer", "preflight_answer", "request_headers"]

HOST: Final = "127.0.0.1:6420"
"""The host of requests that come without a network."""
VISIBLE: Final = re.compile(r"[\x20-\x7e\t]*")
TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CORS: Final = (
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "*"),
)
METHODS: Final = "GET, POST, PUT, DELETE, OPTIONS, PATCH"


def request_headers(
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None, ray_id: str, **added: str
) -> dict[str, str]:
    """Headers as the actor gets them: names in lower case, the last of repeated ones, values of visible ASCII only."""
    pairs = headers.items() if isinstance(headers, Mapping) else (headers or ())
    wanted = {"host": HOST, **{name.replace("_", "-"): value for name, value in added.items()}}
    return {**wanted, **forwarded_headers(pairs, ray_id)}


def forwarded_headers(pairs: Iterable[tuple[str, str]], ray_id: str) -> dict[str, str]:
    """The headers of a request, as the gateway forwards them."""
    wanted = {name.lower(): value for name, value in pairs if VISIBLE.fullmatch(value)}
    return {**wanted, "x-rivet-ray-id": ray_id}


def gateway_answer(answer: ToServerResponseStart, request: Mapping[str, str]) -> HttpResponse:
    """An actor's answer as its client sees it. Only the first piece counts. An answer that is not HTTP becomes a 500."""
    # Clients read the bytes of a header as Latin-1.
    names = [(name, value.encode().decode("latin-1")) for name, value in answer.headers.items()]
    valid = all(TOKEN.fullmatch(name) and not re.search(r"[\r\n\0]", value) for name, value in names)
    if not valid or not 100 <= answer.status <= 999:
        return error_answer(EngineError("core.internal_error"), request)
    return _answer(answer.status, names, answer.body or b"", request)


def error_answer(error: EngineError, request: Mapping[str, str]) -> HttpResponse:
    """An error of the engine's own."""
    headers = [("content-type", "application/json"), ("x-rivet-error", error.name)]
    return _answer(error.status, headers, error.body(), request)


def preflight_answer(request: Mapping[str, str]) -> HttpResponse:
    """OPTIONS is answered without asking the actor."""
    allowed = request.get("access-control-request-headers", "*")
    added = [
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", allowed),
        ("access-control-max-age", "86400"),
    ]
    return _answer(204, added, b"", request)


def _answer(status: int, headers: Iterable[tuple[str, str]], body: bytes, request: Mapping[str, str]) -> HttpResponse:
    merged: CIMultiDict[str] = CIMultiDict(headers)
    merged.setdefault("content-length", str(len(body)))
    for name, value in (*CORS, ("x-rivet-ray-id", request["x-rivet-ray-id"])):
        merged[name] = value
    if "origin" in request:
        merged["access-control-allow-origin"] = request["origin"]
        merged["vary"] = "Origin"
    return HttpResponse(status, merged, body)
