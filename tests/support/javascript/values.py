"""Values of JavaScript in JSON, with their exact types, and back: the Python side of ``values.mjs``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

__all__ = ["UNDEFINED", "BigInt", "build", "describe"]

_MAX_SAFE: Final = 2**53 - 1


class BigInt(Struct, frozen=True):
    """A bigint of JavaScript, which is not the number of the same value."""

    value: int


class _Undefined:
    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = _Undefined()


def describe(value: Any) -> Any:
    """A value for JavaScript in JSON."""
    match value:
        case BigInt():
            return {"bigint": str(value.value)}
        case _Undefined():
            return {"undefined": True}
        case int() if abs(value) > _MAX_SAFE:
            return {"bigint": str(value)}
        case float() if value != value or abs(value) == float("inf"):
            return {"number": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
        case datetime():
            return {"date": value.isoformat()}
        case bytes():
            return {"uint8Array": value.hex()}
        case set():
            return {"set": [describe(item) for item in value]}
        case list() | tuple():
            return [describe(item) for item in value]
        case dict():
            return {"object": [[key, describe(item)] for key, item in value.items()]}
    return value


def build(described: Any) -> Any:
    """The value of JavaScript that is written in JSON."""
    if isinstance(described, list):
        return [build(item) for item in described]
    if not isinstance(described, dict):
        return described
    ((kind, value),) = described.items()
    match kind:
        case "undefined":
            return UNDEFINED
        case "bigint":
            return BigInt(int(value))
        case "number":
            return float(value)
        case "date":
            return datetime.fromisoformat(value)
        case "uint8Array" | "arrayBuffer":
            return bytes.fromhex(value)
        case "set":
            return {build(item) for item in value}
        case "map":
            return {build(key): build(item) for key, item in value}
        case "object":
            return {key: build(item) for key, item in value}
    return build(value)
