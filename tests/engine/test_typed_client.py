"""Typed actors and their client over a network: what a JavaScript client does with them, a Python one does too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from rivet_runner import Request, Response, Runner
from rivet_runner.actors import (
    ActorError,
    App,
    Client,
    ConnectionLost,
    DurableActor,
    Event,
    UserError,
    action,
)
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine, OwnEngine
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


class Point(msgspec.Struct):
    x: int
    tags: set[str] = set()


class Log(msgspec.Struct):
    lines: list[str] = []


class Room(DurableActor[Log]):
    said = Event[str]()
    moved = Event[Point](name="moved-to")

    def initial_state(self, input: str | None) -> Log:
        return Log([] if input is None else [input])

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
        if params == {"token": "wrong"}:
            raise UserError("who are you?", code="unknown", metadata={"given": "wrong"})
        return {"user": params}

    @action
    async def say(self, text: str) -> int:
        self.state.lines.append(text)
        return await self.said.emit(text)

    @action
    async def history(self) -> list[str]:
        return self.state.lines

    @action
    async def move(self, point: Point, by: int = 1) -> Point:
        moved = Point(point.x + by, point.tags)
        await self.moved.emit(moved)
        return moved

    @action
    async def echo(self, value: Any) -> Any:
        return value

    @action
    async def user(self) -> Any:
        return None if self.caller is None else self.caller.state["user"]

    @action
    async def refuse(self) -> None:
        raise UserError("only up", code="negative", metadata={"by": -1})

    @action
    async def crash(self) -> None:
        raise LookupError("a secret")

    @action(timeout=0.05)
    async def late(self) -> None:
        await asyncio.Event().wait()

    @action
    async def wait(self) -> None:
        await asyncio.Event().wait()

    @action
    async def nap(self) -> int:
        self.sleep()
        return self.generation

    @action
    async def generation_now(self) -> int:
        return self.generation

    @action
    async def leave(self) -> None:
        self.destroy()

    @action
    async def kick(self, reason: str) -> None:
        assert self.caller is not None
        await self.caller.disconnect(reason)

    @action
    async def relay(self, other: str, text: str) -> int:
        return await self.client.get_or_create(Room, other).call(Room.say, text)

    async def on_request(self, request: Request) -> Response:
        return Response(f"{request.method} {request.path}?{request.query_string} {request.text()}", 404)


class Scene:
    """A runner with an app on an engine, and a client."""

    def __init__(self, engine: Engine, runner_name: str, timeout: float = 60.0) -> None:
        self.engine = engine
        self.runner_name = runner_name
        self.client = Client(engine.endpoint, pool=runner_name, timeout=timeout)
        self.room = self.client.get_or_create(Room, runner_name, "room")

    def runner(self) -> Runner:
        return App(Room).runner(endpoint=self.engine.endpoint, runner_name=self.runner_name)


@pytest.fixture
async def scene(engine: Engine, runner_name: str) -> AsyncIterator[Scene]:
    scene = Scene(engine, runner_name)
    async with scene.runner(), scene.client:
        yield scene


VALUES = [
    2**31,
    2**53 - 1,
    -(2**53 - 1),
    2**70,
    0.5,
    b"\x00\xff",
    datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
    {1, "a"},
    {"a": [None, True, {"b": "$Undefined"}]},
    ["$BigInt", "1"],
]


async def test_actions_take_and_return_what_their_annotations_say(scene: Scene) -> None:
    moved = await scene.room.call(Room.move, Point(1, {"a"}), by=2)
    assert moved == Point(3, {"a"})
    assert await scene.room.call("move", {"x": 1, "tags": []}) == Point(2)
    assert await scene.client.get("room", scene.runner_name, "room").call("move", {"x": 1}) == {"x": 2, "tags": set()}
    for value in VALUES:
        assert await scene.room.call(Room.echo, value) == value


async def test_errors_reach_the_caller_as_far_as_they_concern_it(scene: Scene) -> None:
    with pytest.raises(UserError, match="negative: only up") as refused:
        await scene.room.call(Room.refuse)
    assert refused.value.metadata == {"by": -1}
    for call, name in (
        (scene.room.call(Room.crash), "core.internal_error"),
        (scene.room.call(Room.late), "actor.action_timed_out"),
        (scene.room.call("missing"), "actor.action_not_found"),
        (scene.room.call("say", 1), "actor.validation_error"),
        (scene.room.call("say"), "actor.validation_error"),
    ):
        with pytest.raises(ActorError, match=name) as caught:
            await call
        assert "secret" not in str(caught.value)


async def test_keys_of_any_characters_name_one_actor(scene: Scene, api: EngineApi) -> None:
    keys = [(), ("",), ("a", "b"), ("a/b",), ("a,b",), ("a\\", "ß ")]
    rooms = [scene.client.get_or_create("room", scene.runner_name, *key) for key in keys]
    ids = [await room.resolve() for room in rooms]
    assert len(set(ids)) == len(keys)
    assert [await scene.client.get(Room, scene.runner_name, *key).resolve() for key in keys] == ids


async def test_clients_that_create_one_actor_at_a_time_get_the_same(scene: Scene) -> None:
    rooms = [scene.client.get_or_create(Room, scene.runner_name, "race", input="born") for _ in range(10)]
    assert len({*await asyncio.gather(*(room.resolve() for room in rooms))}) == 1
    assert await rooms[0].call(Room.history) == ["born"]
    with pytest.raises(ActorError, match="duplicate_key"):
        await scene.client.create(Room, scene.runner_name, "race")
    made = await scene.client.create(Room, scene.runner_name, "made", input="made")
    assert await made.call(Room.history) == ["made"]
    with pytest.raises(ActorError, match="not_found"):
        await scene.client.get(Room, scene.runner_name, "nobody").call(Room.history)


async def test_parameters_are_those_of_the_handle(scene: Scene) -> None:
    welcome = scene.client.get_or_create(Room, scene.runner_name, "room", params={"name": "Ädä"})
    assert await welcome.call(Room.user) == {"name": "Ädä"}
    async with welcome.connect() as live:
        assert await live.call(Room.user) == {"name": "Ädä"}
    refused = scene.client.get_or_create(Room, scene.runner_name, "room", params={"token": "wrong"})
    for attempt in (refused.call(Room.user), refused.connect().__aenter__()):
        with pytest.raises(UserError, match="who are you") as caught:
            await attempt
        assert caught.value.metadata == {"given": "wrong"}


async def test_raw_requests_come_back_with_any_status(scene: Scene) -> None:
    response = await scene.room.fetch("POST", "files/%C3%9F?a=%20", body="ß", headers={"x-a": "b"})
    assert (response.status, response.body.decode()) == (404, "POST /files/%C3%9F?a=%20 ß")


async def test_events_reach_those_who_subscribed_in_order(scene: Scene) -> None:
    async with scene.room.connect() as live, scene.room.connect() as other:
        said, moved = live.on(Room.said), live.on("moved-to")
        await live.call(Room.echo, None)
        assert await other.call(Room.say, "one") == 1
        assert await scene.room.call(Room.say, "two") == 1
        await other.call(Room.move, Point(1, {"t"}))
        assert [await anext(said), await anext(said), await anext(moved)] == ["one", "two", Point(2, {"t"})]
        assert await live.call(Room.history) == ["one", "two"]


async def test_a_connection_outlives_the_sleep_of_its_actor(scene: Scene, api: EngineApi) -> None:
    async with scene.room.connect() as live:
        said, opened = live.on(Room.said), live.id
        assert await live.call(Room.nap) == 0
        await api.wait_sleeping(await scene.room.resolve())
        assert await live.call(Room.say, "awake") == 1
        assert await anext(said) == "awake"
        assert await live.call(Room.generation_now) == 1
        assert live.id == opened
        assert await live.call(Room.history) == ["awake"]


async def test_a_connection_moves_with_its_actor_when_a_runner_drains(engine: Engine, runner_name: str) -> None:
    scene = Scene(engine, runner_name)
    async with scene.client:
        async with scene.runner():
            live = await scene.room.connect().__aenter__()
            said, opened = live.on(Room.said), live.id
            await live.call(Room.say, "before")
        async with scene.runner():
            assert await live.call(Room.say, "after") == 1
            assert [await anext(said), await anext(said)] == ["before", "after"]
            assert await live.call(Room.history) == ["before", "after"]
            assert live.id == opened
            await live.close()


async def test_an_actor_that_is_destroyed_loses_its_connections_and_comes_anew(scene: Scene) -> None:
    async with scene.room.connect() as live, live.on(Room.said) as said:
        await live.call(Room.say, "old")
        await live.call(Room.leave)
        await eventually(lambda: not live.is_open)
        assert await live.call(Room.history) == []
        await live.call(Room.say, "new")
        assert [await anext(said), await anext(said)] == ["old", "new"]
        assert await scene.room.call(Room.history) == ["new"]


async def test_a_handle_finds_the_actor_that_replaces_a_destroyed_one(scene: Scene, api: EngineApi) -> None:
    await scene.room.call(Room.say, "old")
    bound = scene.client.get_for_id(Room, await scene.room.resolve())
    await api.destroy_actor(await scene.room.resolve())
    await api.wait_destroyed(await scene.room.resolve())
    assert await scene.room.call(Room.history) == []
    assert (await scene.room.fetch("GET", "x")).status == 404
    for lost in (bound.call(Room.history), bound.fetch("GET", "x"), bound.connect().__aenter__()):
        with pytest.raises(ActorError, match=r"actor\.not_found"):
            await lost


async def test_a_disconnect_by_the_actor_ends_the_connection(scene: Scene) -> None:
    async with scene.room.connect() as live:
        with pytest.raises(ConnectionLost):
            await live.call(Room.kick, "bye")
        await live.closed()


async def test_actors_call_each_other(scene: Scene) -> None:
    inside = f"inside-{scene.runner_name}"  # a key of this test's own, as the engine is shared
    other = scene.client.get_or_create(Room, inside)
    async with other.connect() as live, live.on(Room.said) as said:
        await live.call(Room.echo, None)
        assert await scene.room.call(Room.relay, inside, "hi") == 1
        assert await anext(said) == "hi"


async def test_a_token_is_needed_where_the_engine_asks_for_one(own_engine: OwnEngine) -> None:
    async with own_engine(admin_token="secret") as engine:
        await EngineApi(engine.endpoint, token="secret").upsert_runner_config("rooms")
        app = App(Room)
        async with app.runner(endpoint=engine.endpoint, runner_name="rooms", token="secret"):
            async with Client(engine.endpoint, token="secret", pool="rooms") as client:
                assert await client.get_or_create(Room, "a").call(Room.history) == []
                actor_id = await client.get(Room, "a").resolve()
            async with Client(engine.endpoint, pool="rooms") as stranger:
                assert await stranger.get_for_id(Room, actor_id).call(Room.history) == []
