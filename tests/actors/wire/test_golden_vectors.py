"""What the JavaScript client sends, and what it makes of our bytes; ``golden/README.md`` says how that was recorded."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rivet_runner.actors._wire.encodings import Codec, Encoding, codec
from rivet_runner.actors._wire.messages import ActionRequest, Error, SubscriptionRequest
from tests.actors.wire.golden.frames import ANSWERS, ERRORS, OUTPUTS, frames_of

GOLDEN = Path(__file__).parent / "golden"


def vectors(name: str) -> list[Any]:
    found = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(vector, id=f"{vector['encoding']}: {vector['name']}") for vector in found]


def from_text(vector: Any, field: str) -> str | bytes:
    text: str = vector[field]
    return text if vector["encoding"] == "json" else bytes.fromhex(text)


# ---------------------------------------------------------------- what it sends


def python(described: Any, json_: bool) -> Any:
    """The plain data for a value of JavaScript, which JSON may have changed on the way."""
    if isinstance(described, list):
        return [python(item, json_) for item in described]
    if not isinstance(described, dict):
        return described
    ((kind, value),) = described.items()
    match kind:
        case "undefined":
            return None
        case "bigint":
            return int(value)
        case "number":
            return None if json_ else float(value)
        case "date":
            return value if json_ else datetime.fromisoformat(value)
        case "arrayBuffer" | "uint8Array":
            return bytes.fromhex(value)
        case "object":
            return {key: python(item, json_) for key, item in value if not (json_ and item == {"undefined": True})}
        case "set":
            return {} if json_ else as_set([python(item, json_) for item in value])
        case "map":
            return {} if json_ else {key: python(item, json_) for key, item in value}
    return {str(index): item for index, item in enumerate(value)} if json_ else value


def as_set(items: list[Any]) -> Any:
    return items if any(isinstance(item, list) for item in items) else set(items)


def alike(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(alike(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


@pytest.mark.parametrize("vector", vectors("from_client"))
def test_what_the_client_sends_is_understood(vector: Any) -> None:
    wire = codec(Encoding(vector["encoding"]))
    message = wire.decode_to_server(from_text(vector, "frame"))
    if vector["name"] == "subscription":
        assert message == SubscriptionRequest("changed", True)
        return
    expected = python(vector["args"], wire.encoding is Encoding.JSON)
    assert isinstance(message, ActionRequest)
    assert (message.id, message.name) == (vector["id"], "take")
    assert alike(message.args, expected)
    body = from_text(vector, "body")
    assert alike(wire.decode_action_request(body if isinstance(body, bytes) else body.encode())[0], expected)


# ---------------------------------------------------------------- what it gets


def javascript(value: Any, wire: Codec) -> Any:
    """How the client should describe what it made of ``value``."""
    if isinstance(value, bool) or not isinstance(value, int | bytes | datetime | list | set | dict):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {"bigint": str(value)}
    if isinstance(value, bytes):
        return {"uint8Array": value.hex()}
    if isinstance(value, list):
        return [javascript(item, wire) for item in value]
    if isinstance(value, set):
        return {"set": [javascript(item, wire) for item in value]}
    if isinstance(value, dict):
        return {"object": [[key, javascript(item, wire)] for key, item in value.items()]}
    if wire.encoding is Encoding.JSON:
        return value.isoformat().replace("+00:00", "Z")
    return {"date": value.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def javascript_error(error: Error, wire: Codec) -> Any:
    metadata = {"undefined": True} if error.metadata is None else javascript(error.metadata, wire)
    actor = error.actor
    described = {"actorId": actor.actor_id, "generation": actor.generation} if actor else None
    if described is not None and actor is not None and actor.key is not None:
        described["key"] = actor.key
    return {"group": error.group, "code": error.code, "message": error.message, "metadata": metadata, "actor": described}


def expected_of(vector: Any, wire: Codec) -> Any:
    name, kind = vector["name"], vector["kind"]
    if kind == "event":
        return [javascript(named(name, OUTPUTS), wire)]
    if kind == "output":
        return javascript(named(name, OUTPUTS), wire)
    if kind == "error":
        return javascript_error(named(name, ERRORS), wire)
    answer = named(name, ANSWERS)
    if not isinstance(answer, Error):
        return javascript(answer.output, wire)
    error = javascript_error(answer, wire)
    if wire.encoding is Encoding.BARE and answer.metadata is None:
        # The client's own peculiarity.
        error["metadata"] = None
    return error


def named(name: str, values: list[Any]) -> Any:
    return next(value for value in values if repr(value) == name)


@pytest.mark.parametrize("vector", vectors("to_client"))
def test_the_client_gets_what_was_sent(vector: Any) -> None:
    assert vector["javascript"] == expected_of(vector, codec(Encoding(vector["encoding"])))


@pytest.mark.parametrize("encoding", Encoding)
def test_the_codec_still_makes_the_bytes_that_the_client_understood(encoding: Encoding) -> None:
    frames = frames_of(codec(encoding))
    made = [
        (kind, vector["name"], vector["bytes"])
        for kind, group in (("event", "events"), ("output", "outputs"), ("error", "errors"), ("answer", "answers"))
        for vector in frames[group]
    ]
    recorded = json.loads((GOLDEN / "to_client.json").read_text(encoding="utf-8"))
    assert made == [
        (vector["kind"], vector["name"], vector["bytes"]) for vector in recorded if vector["encoding"] == encoding.value
    ]
