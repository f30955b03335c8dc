"""Calls, errors, events and the other requests of the JavaScript client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.javascript.client import Events, JavaScriptError, JsClient, JsHandle, JsLive
from tests.support.javascript.values import UNDEFINED, BigInt
from tests.support.waiting import eventually

pytestmark = [pytest.mark.both_protocols, pytest.mark.real_time("the client is a program of its own")]


async def test_actions_and_events_by_http_and_on_connections(room: JsHandle) -> None:
    live, other = room.connect(), room.connect()
    changes = await live.on("changed")
    assert await live.call("increment", 2) == 2
    assert await changes.get() == [2]
    assert await room.call("increment") == 3
    assert await changes.get() == [3]
    assert await other.call("increment", 4) == 7
    assert await changes.get() == [7]
    # Only one of the two has subscribed.
    told = await live.on("told")
    assert await live.call("tell", {"by": [2**60, b"x", None]}) == 1
    assert await told.get() == [{"by": [BigInt(2**60), b"x", None]}]


@pytest.mark.parametrize("way", ["http", "connection"])
async def test_errors(room: JsHandle, way: str) -> None:
    caller = room if way == "http" else room.connect()
    error = await failure(caller, "increment", -3)
    assert (error.group, error.code, error.message) == ("user", "negative", "only up")
    assert error.metadata == {"by": -3, "big": BigInt(2**60)}
    error = await failure(caller, "fail")
    assert (error.group, error.code) == ("core", "internal_error")
    assert "secret" not in error.message
    error = await failure(caller, "integer", "no number")
    assert (error.group, error.code) == ("actor", "validation_error")
    error = await failure(caller, "integer")
    assert (error.group, error.code) == ("actor", "validation_error")
    error = await failure(caller, "stuck")
    assert (error.group, error.code) == ("actor", "action_timed_out")
    error = await failure(caller, "missing")
    assert (error.group, error.code) == ("actor", "action_not_found")
    # The connection is as good as before.
    assert await caller.call("increment") == 1


async def failure(caller: JsHandle | JsLive, action: str, *args: Any) -> JavaScriptError:
    with pytest.raises(JavaScriptError) as caught:
        await caller.call(action, *args)
    return caught.value


async def test_actions_of_one_connection_run_side_by_side(room: JsHandle) -> None:
    live = room.connect()
    await live.ready()
    slow, quick = live.start("slow", 0.5, "slow"), live.start("slow", 0, "quick")
    assert await quick.result() == "quick"
    assert await slow.result() == "slow"


async def test_parameters_of_a_connection(client: JsClient, runner_name: str) -> None:
    params = {"user": "me !'*~", "roles": ["$BigInt", "1"]}
    room = client.get_or_create("room", runner_name, params=params)
    expected = {"params": params, "state": {"params": params}}
    assert await room.call("whoami") == expected
    assert await room.connect().call("whoami") == expected
    # Of a header, the client would send this in another encoding than its own.
    there = {"user": "ümläut 日本語"}
    assert (await client.get_or_create("room", runner_name, params=there).connect().call("whoami"))["params"] == there
    without = client.get_or_create("room", runner_name)
    assert await without.call("whoami") == {"params": None, "state": {"params": None}}


async def test_a_connection_that_is_refused(client: JsClient, runner_name: str) -> None:
    room = client.get_or_create("room", runner_name, params={"refuse": True})
    live = room.connect()
    errors, statuses = await asyncio.gather(live.errors(), live.statuses())
    (error,) = await errors.get()
    assert (error["group"], error["code"], error["message"]) == ("user", "refused", "not you")
    assert error["metadata"] == {"params": {"refuse": True}}
    await gives_up(statuses)
    refused = await failure(room, "increment")
    assert (refused.group, refused.code) == ("user", "refused")
    # Others get in.
    assert await client.get_or_create("room", runner_name).call("increment") == 1


async def gives_up(statuses: Events) -> None:
    """Wait until a client tries no more. It is idle then, until the close arrives, if that comes after the error."""
    while await statuses.get() != ["idle"]:
        pass


async def test_a_disposed_connection_leaves(room: JsHandle) -> None:
    stays, leaves = room.connect(), room.connect()
    await stays.ready()
    await leaves.ready()
    assert await stays.call("count_connections") == 2
    await leaves.dispose()

    async def alone() -> bool:
        return bool(await stays.call("count_connections") == 1)

    await eventually(alone)
    assert (await stays.call("notes"))[-1] == "disconnect"


async def test_requests_queues_and_ids(client: JsClient, room: JsHandle, runner_name: str) -> None:
    answer = await room.fetch("hello/you?a=1", method="POST", body="text")
    assert (answer["status"], answer["body"]) == (201, b"POST /hello/you?a=1 text")
    with pytest.raises(JavaScriptError) as caught:
        await room.send("jobs", {"a": 1})
    assert (caught.value.group, caught.value.code) == ("queue", "unsupported")
    await room.call("increment")
    actor_id = await room.resolve()
    assert await client.get_for_id("room", actor_id).call("increment") == 2
    assert await client.get("room", "org/42", runner_name).call("increment") == 3
    created = await client.create("room", "created", runner_name)
    assert await created.call("increment") == 1


async def test_an_action_without_a_result_returns_null(room: JsHandle) -> None:
    for caller in (room, room.connect()):
        assert await caller.call("echo", UNDEFINED) is None
        assert await caller.call("kind", UNDEFINED) == "NoneType"


async def test_the_key_and_the_input_of_a_new_actor(client: JsClient, runner_name: str) -> None:
    given = {"text": "ü", "big": BigInt(2**60), "bytes": b"\x00\xff", "set": {1, 2}, "list": ["$BigInt", "1"]}
    for way, room in (
        ("query", client.get_or_create("room", runner_name, "a/b", "", "c", createWithInput=given)),
        ("create", await client.create("room", runner_name, "create", "a/b", input=given)),
    ):
        got = await room.call("given")
        assert got["name"] == "room"
        assert got["key"] == ([runner_name, "a/b", "", "c"] if way == "query" else [runner_name, "create", "a/b"])
        assert got["input"] == given
    assert (await client.get_or_create("room", runner_name, "none").call("given"))["input"] is None


async def test_a_raw_websocket(room: JsHandle) -> None:
    socket = await room.websocket("chat?a=1")
    messages, closes = [await socket.listen("addEventListener", name) for name in ("message", "close")]

    async def is_open() -> bool:
        return bool(await socket.call("readyState") == 1)

    await eventually(is_open)
    await socket.call("send", "text")
    await socket.call("send", b"\x00\xff")
    assert [(await messages.get())[0]["data"] for _ in range(2)] == ["text", b"\x00\xff"]
    await socket.call("close", 1000, "done")
    (closed,) = await closes.get()
    assert (closed["code"], closed["reason"]) == (1000, "done")


async def test_a_raw_websocket_that_is_refused(client: JsClient, runner_name: str) -> None:
    socket = await client.get_or_create("room", runner_name, params={"refuse": True}).websocket("chat")
    closes = await socket.listen("addEventListener", "close")
    (closed,) = await closes.get()
    assert (closed["code"], closed["reason"]) == (1011, "user.refused")
