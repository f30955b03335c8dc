"""Messages and values for the tests of all encodings."""

from __future__ import annotations

from typing import Any

from rivet_runner.actors._wire.messages import (
    ActionRequest,
    ActionResponse,
    ActorSpecifier,
    Error,
    Event,
    Init,
    SubscriptionRequest,
    ToClient,
    ToServer,
)

VALUES: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "text",
    "$text",
    b"\x00\xff$",
    2**31,
    2**32,
    -(2**32),
    2**53 - 1,
    1 - 2**53,
    2**53,
    -(2**53),
    2**64 - 1,
    2**64,
    -(2**70),
    [],
    {},
    set(),
    {1, 2**60},
    ["$BigInt", "5"],
    ["$", None],
    ["$$", [["$Set", 1]]],
    ["$one"],
    ["$three", 1, 2],
    {"$BigInt": ["$Undefined", 0]},
    [2**40, 2**60, {"deep": [b"", {2**61}]}],
]

TO_SERVER: list[ToServer] = [
    ActionRequest(0, "go", []),
    ActionRequest(2**64 - 1, "$go", VALUES),
    ActionRequest(7, "go", ["$BigInt", "1"]),
    SubscriptionRequest("$changed", True),
    SubscriptionRequest("changed", False),
]

TO_CLIENT: list[ToClient] = [
    Init("actor", "connection"),
    Error("user", "bad", "no"),
    Error("user", "bad", "no", {"by": VALUES}, 2**64 - 1, ActorSpecifier("actor", 3, "a/b")),
    Error("user", "bad", "no", 0, 0, ActorSpecifier("actor", 2**40)),
    ActionResponse(0, None),
    ActionResponse(2**64 - 1, VALUES),
    ActionResponse(1, ["$BigInt", "1"]),
    Event("$changed", VALUES),
    Event("changed", ["$Set", 1]),
]
