"""Prints what our codecs make of the examples, for `make_vectors.mjs`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from rivet_runner.actors._wire.encodings import Codec, Encoding, codec
from rivet_runner.actors._wire.messages import ActionResponse, ActorSpecifier, Error, Event, Init, ToClient
from tests.actors.wire.examples import VALUES

MOMENT = datetime(2025, 11, 27, 0, 40, 0, 123000, tzinfo=UTC)

OUTPUTS: list[Any] = [*VALUES, MOMENT, datetime(1969, 12, 31, tzinfo=UTC), datetime(2500, 1, 1, tzinfo=UTC), [MOMENT, 2**60]]
ACTOR = ActorSpecifier("actor", 3, "a/b")
ERRORS = [
    Error("user", "bad", "no"),
    Error("user", "bad", "no", {"by": [1, 2**60, b"x", ["$a", 1]]}, None, ACTOR),
    Error("actor", "action_timed_out", "too late", None, None, ActorSpecifier("actor", 0)),
]
ANSWERS: list[ToClient] = [
    ActionResponse(0, {"count": 1}),
    Error("user", "bad", "no", {"by": [1, 2**60, b"x", ["$a", 1]]}, 1, ACTOR),
    ActionResponse(2, ["$BigInt", "1"]),
    Error("core", "internal_error", "An internal error occurred", None, 3),
]


def frames_of(wire: Codec) -> dict[str, Any]:
    """All frames and bodies in one encoding: JSON as it is, the others in hexadecimal."""
    return {
        "init": text(wire.encode_to_client(Init("actor", "connection"))),
        "events": [vector(value, wire.encode_to_client(Event("changed", [value]))) for value in OUTPUTS],
        "outputs": [vector(value, wire.encode_action_response(value)) for value in OUTPUTS],
        "errors": [vector(error, wire.encode_error(error)) for error in ERRORS],
        "answers": [
            {**vector(answer, wire.encode_to_client(answer)), "fails": isinstance(answer, Error)} for answer in ANSWERS
        ],
    }


def vector(value: Any, data: str | bytes) -> dict[str, Any]:
    return {"name": repr(value), "bytes": text(data)}


def text(data: str | bytes) -> str:
    if isinstance(data, str):
        return data
    return data.decode() if data.startswith(b"{") else data.hex()


if __name__ == "__main__":
    json.dump({encoding.value: frames_of(codec(encoding)) for encoding in Encoding}, sys.stdout)
