"""Typed actors at an engine: what their hooks see of sleeps, moves, leaving clients and destruction."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import msgspec
import pytest

from rivet_runner import Request, Response, Runner, StopReason
from rivet_runner.actors import App, Client, Connection, DurableActor, Event, action
from tests.engine.support import Engine
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


class State(msgspec.Struct):
    count: int = 0


class Witness(DurableActor[State]):
    """Tells what happens to it. ``happened`` has that by the parts of its key, over all of its generations."""

    told = Event[str]()
    happened: ClassVar[defaultdict[tuple[str, ...], list[str]]] = defaultdict(list)

    def note(self, what: str) -> None:
        self.happened[self.key].append(what)

    async def on_create(self, input: Any) -> None:
        self.note("on_create")

    async def on_start(self) -> None:
        self.note("on_start")

    async def on_sleep(self) -> None:
        assert self.stop_reason is not None
        self.note(f"on_sleep {self.stop_reason.value}")

    async def on_destroy(self) -> None:
        assert self.stop_reason is StopReason.DESTROY
        self.note("on_destroy")

    async def on_connect(self, connection: Connection) -> None:
        connection.state["messages"] = 0
        self.note(f"on_connect {connection.params}")

    async def on_disconnect(self, connection: Connection) -> None:
        self.note(f"on_disconnect {connection.params} {connection.state['messages']}")

    async def on_request(self, request: Request) -> Response:
        return Response(f"{request.method} {request.path}", 201)

    @action
    async def count(self) -> int:
        self.state.count += 1
        if self.caller is not None and self.caller.id in self.connections:
            self.caller.state["messages"] += 1
        await self.told.emit(f"{self.state.count} in generation {self.generation}")
        return self.state.count

    @action
    async def nap(self) -> None:
        self.sleep()

    @action
    async def end(self) -> None:
        self.destroy()

    @action
    async def present(self) -> list[Any]:
        return sorted(str(connection.params) for connection in self.connections.values())


class Scene:
    """An app on an engine, and a client."""

    def __init__(self, engine: Engine, runner_name: str) -> None:
        self.engine = engine
        self.runner_name = runner_name
        self.client = Client(engine.endpoint, pool=runner_name)
        self.key = (runner_name, "witness")

    def runner(self, **options: Any) -> Runner:
        return App(Witness).runner(endpoint=self.engine.endpoint, runner_name=self.runner_name, **options)

    def witness(self, params: Any = None) -> Any:
        return self.client.get_or_create(Witness, *self.key, params=params)

    @property
    def happened(self) -> list[str]:
        return Witness.happened[self.key]

    async def until(self, what: str, times: int = 1) -> None:
        """Wait until it has happened."""
        await eventually(lambda: self.happened.count(what) >= times)


@pytest.fixture
async def scene(engine: Engine, runner_name: str) -> AsyncIterator[Scene]:
    scene = Scene(engine, runner_name)
    async with scene.client:
        yield scene


async def test_a_connection_outlives_sleeps_with_its_state_and_its_subscriptions(scene: Scene) -> None:
    async with scene.runner(), scene.witness("Ann").connect() as live:
        events = aiter(live.on(Witness.told))
        for generation in range(3):
            assert await live.call(Witness.count) == generation + 1
            assert await anext(events) == f"{generation + 1} in generation {generation}"
            await live.call(Witness.nap)
            await scene.until("on_sleep sleep", generation + 1)
        assert await live.call(Witness.present) == ["Ann"]
        assert scene.happened[:4] == ["on_create", "on_start", "on_connect Ann", "on_sleep sleep"]
        assert scene.happened.count("on_create") == 1
        assert "on_disconnect Ann 3" not in scene.happened
        await live.close()
        await scene.until("on_disconnect Ann 3")


async def test_a_client_that_leaves_during_a_sleep_is_told_of_after_the_wake(scene: Scene) -> None:
    async with scene.runner():
        async with scene.witness("Ann").connect() as live:
            await live.call(Witness.count)
            await live.call(Witness.nap)
            await scene.until("on_sleep sleep")
            await asyncio.sleep(0.5)
        assert await scene.witness().call(Witness.count) == 2
        await scene.until("on_disconnect Ann 1")
        assert await scene.witness().call(Witness.present) == []


async def test_a_destroyed_actor_closes_its_clients_and_ends_with_on_destroy(scene: Scene) -> None:
    async with scene.runner():
        async with scene.witness("Ann").connect() as live:
            await live.call(Witness.count)
            await scene.witness().call(Witness.end)
            await scene.until("on_destroy")
        assert scene.happened[-2:] == ["on_disconnect Ann 1", "on_destroy"]


async def test_state_and_connections_move_to_the_next_runner(scene: Scene) -> None:
    async with scene.runner(version=1) as old, scene.witness("Ann").connect() as live:
        assert await live.call(Witness.count) == 1
        async with scene.runner(version=2):
            await old.shutdown()
            await scene.until("on_sleep shutdown")
            assert await live.call(Witness.count) == 2
            assert await live.call(Witness.present) == ["Ann"]
            await live.close()
            await scene.until("on_disconnect Ann 2")


async def test_a_raw_request_reaches_its_hook(scene: Scene) -> None:
    async with scene.runner():
        answer = await scene.witness().fetch("PUT", "a/b")
        assert (answer.status, answer.body) == (201, b"PUT /a/b")
