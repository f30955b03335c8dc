"""A stop command that the actor has not asked for: a deletion, or a drain by the engine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rivet_runner import Actor, Runner, RunnerEvicted
from rivet_runner.protocol.v3 import (
    ActorStateStopped,
    KvErrorResponse,
    KvGetRequest,
    ToServerKvRequest,
    ToServerWebSocketClose,
)
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.rooms import Room
from tests.support.scene import HookedRunner, Scene, scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

GONE = KvErrorResponse("actor does not exist")


def closes(socket: ClientWebSocket) -> list[ToServerWebSocketClose]:
    return [reply.message_kind for reply in socket.replies if isinstance(reply.message_kind, ToServerWebSocketClose)]


async def with_client(current: Scene) -> tuple[RunnerConnection, ClientWebSocket]:
    connection = await current.start()
    await current.actor(connection)
    socket = connection.open_websocket()
    await socket.opened()
    await asyncio.sleep(1)  # its record is stored
    return connection, socket


async def asking(current: Scene) -> tuple[RunnerConnection, ClientWebSocket, ToServerKvRequest]:
    """A stop in which the runner has asked whether the actor exists, and has no answer."""
    connection, socket = await with_client(current)
    current.engine.kv.answering = False
    connection.stop_actor()
    request = await question(connection)
    current.engine.kv.answering = True
    return connection, socket, request


async def question(connection: RunnerConnection) -> ToServerKvRequest:
    """The key-value call by which the runner asks whether the actor exists."""
    while True:
        request = await connection.receive(ToServerKvRequest)
        if isinstance(request.data, KvGetRequest):
            return request


@virtual_time
async def test_clients_stay_when_the_engine_drains_an_actor_that_only_moves() -> None:
    async with scene(kind=Room) as current:
        connection, socket = await with_client(current)
        connection.stop_actor()
        await connection.stopped("a1")
        await asyncio.sleep(1)
        assert closes(socket) == []


@virtual_time
async def test_clients_are_closed_when_the_actor_was_deleted() -> None:
    async with scene(kind=Room) as current:
        connection, socket, request = await asking(current)
        connection.answer_kv(request, GONE)
        assert await socket.receive() == ToServerWebSocketClose(1001, "actor.stopped", False)
        await connection.stopped("a1")


@pytest.mark.only_protocol(7)
@virtual_time
async def test_clients_are_closed_when_the_deleted_actor_still_has_data_for_a_moment() -> None:
    async with scene(kind=Room) as current:
        connection, socket, request = await asking(current)
        current.engine.kv.answering = False
        connection.answer_kv(request)
        connection.answer_kv(await question(connection), GONE)
        current.engine.kv.answering = True
        assert await socket.receive() == ToServerWebSocketClose(1001, "actor.stopped", False)
        await connection.stopped("a1")
        assert current.now < 2.5


@virtual_time
async def test_clients_stay_when_the_engine_does_not_say_whether_the_actor_exists() -> None:
    async with scene(kind=Room) as current:
        connection, socket, _ = await asking(current)
        await connection.stopped("a1")
        assert current.now > 2
        assert closes(socket) == []


class Untold(HookedRunner):
    """Without a hook for stops."""

    on_actor_stop = Runner.on_actor_stop


class UntoldRoom(Room):
    """Without a hook for stops. It starts no further while ``may_start`` is not set."""

    on_actor_stop = Runner.on_actor_stop

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.may_start = asyncio.Event()
        self.may_start.set()

    async def on_actor_start(self, actor: Actor) -> None:
        await self.may_start.wait()


@virtual_time
async def test_clients_stay_when_the_engine_moves_an_actor_on_before_it_has_started() -> None:
    async with scene(kind=UntoldRoom) as current:
        room = current.runner
        assert isinstance(room, UntoldRoom)
        connection, socket = await with_client(current)
        connection.stop_actor()
        await connection.stopped("a1")
        room.may_start.clear()
        connection.start_actor("a1", generation=2, hibernating=[socket])
        await settle()
        connection.stop_actor(generation=2)
        await asyncio.sleep(1)
        room.may_start.set()
        await asyncio.sleep(5)
        assert len([event for event in connection.events if isinstance(event.event, ActorStateStopped)]) == 2
        connection.start_actor("a1", generation=3, hibernating=[socket])
        await asyncio.sleep(1)
        socket.send("echo")
        assert await socket.receive() == "echo"
        assert closes(socket) == []


@virtual_time
async def test_the_engine_is_not_asked_when_nothing_of_the_actor_would_outlive_the_stop_and_no_hook_is_told() -> None:
    async with scene(kind=Untold) as current:
        connection = await current.start()
        await current.actor(connection)
        connection.stop_actor()
        await connection.stopped("a1")
        assert connection.messages(ToServerKvRequest) == []
        assert current.now < 0.5


@virtual_time
@pytest.mark.parametrize("asks", ["sleep", "destroy"])
async def test_the_engine_is_not_asked_when_the_actor_itself_has_asked_for_its_stop(asks: str) -> None:
    async with scene(kind=Room) as current:
        connection, _ = await with_client(current)
        actor = current.runner.actors["a1"]
        before = len(gets(connection))
        getattr(actor, asks)()
        await settle()
        connection.stop_actor()
        await connection.stopped("a1")
        assert len(gets(connection)) == before


def gets(connection: RunnerConnection) -> list[ToServerKvRequest]:
    return [call for call in connection.messages(ToServerKvRequest) if isinstance(call.data, KvGetRequest)]


@virtual_time
async def test_an_alarm_is_kept_when_the_engine_drains_its_actor() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        await actor.set_alarm(datetime.now(UTC) + timedelta(hours=1))
        await asyncio.sleep(1)
        before = len(connection.events)
        connection.stop_actor()
        await connection.stopped("a1")
        assert len(connection.events) == before + 2, "the alarm is set again before Stopped"


@virtual_time
@pytest.mark.parametrize("drained", [True, False])
async def test_wait_closed_tells_a_drain_by_the_engine_from_an_eviction_by_another_runner(drained: bool) -> None:
    async with scene(kind=Room) as current:
        connection, _ = await with_client(current)
        if drained:
            connection.stop_actor()
            await connection.stopped("a1")
        await connection.close(1000, "ws.eviction#ray")
        with pytest.raises(RunnerEvicted, match="drained this runner" if drained else "key of its own") as raised:
            await current.runner.wait_closed()
        assert raised.value.drained is drained


@virtual_time
async def test_the_stop_goes_on_when_the_runner_shuts_down_while_it_asks() -> None:
    async with scene(kind=Room) as current:
        _, socket, _ = await asking(current)
        call: asyncio.Task[Any] = asyncio.create_task(current.runner.shutdown(immediate=True))
        await asyncio.sleep(4)
        assert call.done()
        assert closes(socket) == []
