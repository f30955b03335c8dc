"""The subprotocols of a client's WebSocket, which say its encoding and its parameters.

A browser can set no header on a WebSocket. So the encoding and the parameters of a connection travel as subprotocols.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, unquote

from msgspec import Struct

from rivet_runner.actors._wire.codec import Encoding
from rivet_runner.actors._wire.values import dump_raw_json, load_raw_json
from rivet_runner.errors import DecodeError

__all__ = ["RIVET", "Offer", "offered", "read_offer"]

RIVET: Final = "rivet"
"""The subprotocol that the server selects."""

_ENCODING: Final = "rivet_encoding."
_PARAMS: Final = "rivet_conn_params."

# What JavaScript's encodeURIComponent leaves, without the parentheses, which a subprotocol may not have.
_SAFE: Final = "!'*~"


class Offer(Struct, frozen=True):
    """What a client says of itself. ``params`` is what JSON can hold, without any convention for more."""

    encoding: Encoding = Encoding.JSON
    params: Any = None


def read_offer(subprotocols: Iterable[str]) -> Offer:
    """What the subprotocols say. Raises `DecodeError` for an unknown encoding, or parameters that are not JSON."""
    encoding, params = Encoding.JSON, None
    for subprotocol in subprotocols:
        if subprotocol.startswith(_ENCODING):
            encoding = _encoding(subprotocol.removeprefix(_ENCODING))
        elif subprotocol.startswith(_PARAMS):
            params = _params(subprotocol.removeprefix(_PARAMS))
    return Offer(encoding, params)


def offered(encoding: Encoding, params: Any = None) -> list[str]:
    """The subprotocols that say it. Raises `TypeError` for parameters that JSON cannot hold."""
    subprotocols = [RIVET, _ENCODING + encoding.value]
    if params is not None:
        subprotocols.append(_PARAMS + quote(dump_raw_json(params), safe=_SAFE))
    return subprotocols


def _encoding(name: str) -> Encoding:
    try:
        return Encoding(name)
    except ValueError:
        raise DecodeError(f"no encoding is called {name:.40}") from None


def _params(text: str) -> Any:
    try:
        return load_raw_json(unquote(text, errors="strict"))
    except UnicodeDecodeError as error:
        raise DecodeError(f"the parameters are not UTF-8: {error}") from None
