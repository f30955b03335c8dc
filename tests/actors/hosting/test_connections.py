"""Connections: actions and events over a WebSocket, in all encodings, across sleeps."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from rivet_runner.actors import Connection, DurableActor, Event, UserError, action
from rivet_runner.actors._wire.encodings import Encoding
from rivet_runner.actors._wire.messages import Error, Init
from rivet_runner.errors import WebSocketClosed
from rivet_runner.http import Request
from tests.actors.hosting.scene import connected, hosted, opened, value

encodings = pytest.mark.parametrize("encoding", list(Encoding))


class Log(msgspec.Struct):
    lines: list[str] = []


class Room(DurableActor[Log]):
    said = Event[str]()
    left = Event[str](name="gone")

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
        if params == "banned":
            raise UserError("you are banned", code="banned", metadata={"until": "ever"})
        if params == "broken":
            raise RuntimeError("secret")
        return {"name": params}

    async def on_connect(self, connection: Connection) -> None:
        if connection.params == "refused late":
            raise UserError("no", code="no")
        self.state.lines.append(f"{connection.state['name']} came")

    async def on_disconnect(self, connection: Connection) -> None:
        self.state.lines.append(f"{connection.state['name']} went")

    @action
    async def say(self, text: str) -> int:
        return await self.said.emit(text)

    @action
    async def whisper(self, to: str, text: str) -> int:
        return await self.said.emit(text, to=[self.connections[to]])

    @action
    async def tell_others(self, text: str) -> int:
        return await self.said.emit(text, without=self.caller)

    @action
    async def rename(self, name: str) -> None:
        assert self.caller is not None
        self.caller.state["name"] = name

    @action
    async def me(self) -> Any:
        assert self.caller is not None
        return [self.caller.params, self.caller.state, self.caller.id in self.connections]

    @action
    async def since(self) -> list[float]:
        assert self.caller is not None
        return [self.now().timestamp(), self.caller.connected_at.timestamp()]

    @action
    async def everyone(self) -> list[str]:
        return sorted(connection.state["name"] for connection in self.connections.values())

    @action
    async def lines(self) -> list[str]:
        return self.state.lines

    @action
    async def after(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    @action
    async def kick(self, whom: str) -> None:
        await self.connections[whom].disconnect("kicked")

    @action
    async def fail(self) -> None:
        raise UserError("no", code="never", metadata=[1])

    @action
    async def fall_asleep(self) -> None:
        self.sleep()


@encodings
async def test_an_action_answers_its_own_call(encoding: Encoding) -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor, encoding, {"a": [1]}) as client:
            assert await client.call("me") == [{"a": [1]}, {"name": {"a": [1]}}, True]
            failed = await client.call("fail")
            assert isinstance(failed, Error)
            assert (failed.group, failed.code, failed.message, failed.metadata) == ("user", "never", "no", [1])
            assert (await client.call("nothing")).code == "action_not_found"
            assert (await client.call("say")).code == "validation_error"


async def test_a_caller_knows_when_it_came() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor) as client:
            now, since = await client.call("since")
            assert now - since == pytest.approx(0, abs=60)
            assert (await client.call("since"))[1] == since
        now, since = await value(actor, "since")
        assert now - since == pytest.approx(0, abs=60)


@encodings
async def test_events_go_to_those_that_subscribed(encoding: Encoding) -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor, encoding) as one, connected(actor) as other:
            await one.subscribe("said")
            assert await one.call("say", "hello") == 1
            assert await one.event() == ("said", ["hello"])
            assert await other.call("say", "again") == 1
            assert other.events == []
            await one.subscribe("said", subscribe=False)
            assert await one.call("say", "nobody") == 0
            assert await value(actor, "say", "nobody") == 0


async def test_an_event_can_be_for_some_alone() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor) as one, connected(actor) as other:
            for client in (one, other):
                await client.subscribe("said")
                await client.call("me")
            assert await one.call("whisper", other.id, "psst") == 1
            assert await other.event() == ("said", ["psst"])
            assert await one.call("tell_others", "look") == 1
            assert await other.event() == ("said", ["look"])
            assert one.events == []


async def test_actions_of_one_connection_run_side_by_side() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor) as client:
            slow = await client.begin("after", 3)
            quick = await client.begin("after", 1)
            assert await client.answer(quick) == 1
            assert await client.answer(slow) == 3


@encodings
@pytest.mark.parametrize(
    ("params", "refused"),
    [("banned", "user.banned"), ("broken", "core.internal_error"), ("refused late", "user.no")],
)
async def test_a_refused_client_is_told_why(encoding: Encoding, params: str, refused: str) -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with opened(actor, encoding, params) as client:
            error = await client.message()
            assert isinstance(error, Error)
            assert f"{error.group}.{error.code}" == refused
            assert await client.ws.wait_closed() == (1011, refused)
        assert await value(actor, "everyone") == []
        assert await value(actor, "lines") == []


async def test_an_unknown_encoding_is_refused() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with actor.websocket("/connect", {"sec-websocket-protocol": "rivet, rivet_encoding.xml"}) as ws:
            assert await ws.wait_closed() == (1003, "actor.unsupported_websocket_encoding")


@pytest.mark.parametrize(
    ("sent", "closed"),
    [
        ("{", (1011, "actor.invalid_request")),
        ("é" * 40_000, (1011, "message.incoming_too_long")),
        (b"\x00" * 70_000, (1011, "message.incoming_too_long")),
    ],
)
async def test_a_client_that_sends_garbage_is_closed(sent: str | bytes, closed: tuple[int, str]) -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor) as client:
            await client.ws.send(sent)
            assert await client.ws.wait_closed() == closed
        await asyncio.sleep(0.1)
        assert await value(actor, "lines") == ["None came", "None went"]


async def test_too_many_subscriptions_close_the_connection() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor) as client:
            for number in range(129):
                await client.subscribe(f"event {number}")
            assert await client.ws.wait_closed() == (1011, "actor.too_many_subscriptions")


async def test_the_actor_can_disconnect_a_client() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor, params="Ann") as ann, connected(actor, params="Bob") as bob:
            assert await ann.call("everyone") == ["Ann", "Bob"]
            await ann.call("kick", bob.id)
            assert await bob.ws.wait_closed() == (1000, "kicked")
            assert await ann.call("everyone") == ["Ann"]
            assert await ann.call("lines") == ["Ann came", "Bob came", "Bob went"]


# Hibernation


@encodings
async def test_a_client_notices_nothing_of_a_sleep(encoding: Encoding) -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor, encoding, "Ann") as client:
            await client.subscribe("said")
            await client.call("rename", "Eve")
            await actor.sleep()
            assert await client.call("me") == ["Ann", {"name": "Eve"}, True]
            assert await client.call("say", "still here") == 1
            assert await client.event() == ("said", ["still here"])
            assert await client.call("lines") == ["Ann came"]
        assert actor.generation == 1


async def test_connections_are_there_when_the_actor_wakes() -> None:
    awake: list[list[str]] = []

    class Awake(Room):
        async def on_start(self) -> None:
            awake.append([connection.state["name"] for connection in self.connections.values()])
            await self.said.emit("I am awake")

    async with hosted(Awake) as engine:
        actor = await engine.create("awake")
        async with connected(actor, params="Ann") as client:
            await client.subscribe("said")
            await client.call("me")
            await actor.sleep()
            await actor.wake()
            assert await client.event() == ("said", ["I am awake"])
        assert awake == [[], ["Ann"]]


async def test_a_client_that_left_during_the_sleep_is_told_of_after_the_wake() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor, params="Ann"):
            await actor.sleep()
        await actor.wake()
        await asyncio.sleep(1)
        assert await value(actor, "everyone") == []
        assert await value(actor, "lines") == ["Ann came", "Ann went"]


async def test_a_connection_that_cannot_hibernate_ends_with_the_sleep() -> None:
    class Awake(Room):
        hibernate = False
        sleep_after = 5.0

    async with hosted(Awake) as engine:
        actor = await engine.create("awake")
        async with connected(actor, params="Ann") as client:
            await asyncio.sleep(60)
            assert actor.generation == 0, "it keeps the actor awake"
            await client.call("fall_asleep")
            assert (await client.ws.wait_closed())[1] == "actor.stopping"
        assert await value(actor, "lines") == ["Ann came", "Ann went"]


async def test_a_destroyed_actor_closes_its_clients() -> None:
    class Doomed(Room):
        @action
        async def die(self) -> None:
            self.destroy()

    async with hosted(Doomed) as engine:
        actor = await engine.create("doomed")
        async with connected(actor, params="Ann") as client:
            await client.begin("die")
            with contextlib.suppress(WebSocketClosed):
                while True:
                    await client.message()
            assert client.ws.close_reason == "actor.stopping"


async def test_init_comes_once() -> None:
    async with hosted(Room) as engine:
        actor = await engine.create("room")
        async with connected(actor) as client:
            await actor.sleep()
            await client.begin("me")
            assert not isinstance(await client.message(), Init)
