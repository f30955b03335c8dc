"""What a client says of itself: its encoding, and its parameters within their bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from rivet_runner.actors._hosting.kind import ActorKind
from rivet_runner.actors._hosting.refusals import Refusal
from rivet_runner.actors._wire.encodings import Codec, codec
from rivet_runner.actors._wire.subprotocols import read_offer
from rivet_runner.actors._wire.values import load_raw_json
from rivet_runner.errors import DecodeError
from rivet_runner.websocket import WebSocket

__all__ = ["header_params", "offered_codec", "offered_params"]

SUBPROTOCOLS: Final = "sec-websocket-protocol"
PARAMS_SUBPROTOCOL: Final = "rivet_conn_params."
PARAMS_HEADER: Final = "x-rivet-conn-params"


def offered_codec(ws: WebSocket) -> Codec:
    """The codec for the encoding that a client offers. Raises `DecodeError` for an unknown one."""
    return codec(read_offer(name for name in _subprotocols(ws) if not name.startswith(PARAMS_SUBPROTOCOL)).encoding)


def offered_params(kind: ActorKind, ws: WebSocket) -> Any:
    """The parameters of a client that opens a WebSocket, or `None`. Raises a `Refusal`."""
    for name in _subprotocols(ws):
        if name.startswith(PARAMS_SUBPROTOCOL):
            return _params(kind, unquote(name.removeprefix(PARAMS_SUBPROTOCOL)))
    return None


def header_params(kind: ActorKind, headers: Mapping[str, str]) -> Any:
    """The parameters of a client that sends a request, or `None`. Raises a `Refusal`."""
    text = headers.get(PARAMS_HEADER)
    return None if text is None else _params(kind, text)


def _subprotocols(ws: WebSocket) -> list[str]:
    _, headers = ws.request.wire_form()
    return [name.strip() for name in headers.get(SUBPROTOCOLS, "").split(",")]


def _params(kind: ActorKind, text: str) -> Any:
    size = len(text.encode())
    if size > kind.cls.max_params:
        raise Refusal("actor", "invalid_request", f"The parameters have {size} bytes, over max_params.")
    try:
        return load_raw_json(text)
    except DecodeError as error:
        raise Refusal("actor", "invalid_request", f"The parameters cannot be read: {error}") from None
