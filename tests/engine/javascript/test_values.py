"""Values, to an action and back. They pass the engine as bytes, so one engine and one protocol show all."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.javascript.client import JsHandle
from tests.support.javascript.values import UNDEFINED, BigInt

pytestmark = pytest.mark.real_time("the client is a program of its own")

MOMENT = datetime(2025, 11, 27, 0, 40, 0, 123000, tzinfo=UTC)

SAME: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    -(2**32),
    2**40,
    2**53 - 1,
    1 - 2**53,
    1.5,
    1e300,
    "",
    "text $ 日本語 🎉 \x1b;\x00",
    b"",
    b"\x00\xff$\xf7\x1b",
    BigInt(2**53),
    BigInt(-(2**63)),
    BigInt(2**64 - 1),
    BigInt(2**100),
    [],
    {},
    ["$BigInt", "5"],
    ["$$Set", [1]],
    ["$", None],
    {"$Set": [[1, [2, {"three": b"3"}]]]},
]

OTHERWISE: list[tuple[Any, Any, Any]] = [
    # What goes in, and what comes back: in JSON, in the others.
    (UNDEFINED, None, None),
    # A small bigint becomes a number.
    (BigInt(5), 5, 5),
    (MOMENT, "2025-11-27T00:40:00.123Z", MOMENT),
    ({1, "two"}, {}, {1, "two"}),
    ({"left": UNDEFINED, "right": 1}, {"right": 1}, {"left": None, "right": 1}),
    ([math.inf], [None], [math.inf]),
]


async def test_values_go_to_an_action_and_back(room: JsHandle, encoding: str) -> None:
    for caller in (room, room.connect()):
        assert await caller.call("echo", SAME) == SAME
        for value in SAME:
            assert await caller.call("echo", value) == value
        for value, in_json, in_others in OTHERWISE:
            assert await caller.call("echo", value) == (in_json if encoding == "json" else in_others)


async def test_values_that_an_annotation_converts(room: JsHandle, encoding: str) -> None:
    for caller in (room, room.connect()):
        # A timestamp travels as a float in two of the encodings.
        timestamp = 1764204000123
        assert await caller.call("integer", timestamp) == timestamp
        assert await caller.call("integer", 2**53 - 1) == 2**53 - 1
        assert await caller.call("integer", BigInt(7)) == 7
        tomorrow = MOMENT.replace(day=28)
        expected = tomorrow.isoformat().replace("+00:00", "Z") if encoding == "json" else tomorrow
        assert await caller.call("later", MOMENT) == expected


async def test_events_carry_values_too(room: JsHandle) -> None:
    live = room.connect()
    told = await live.on("told")
    for value in SAME:
        assert await live.call("tell", value) == 1
        assert await told.get() == [value]
