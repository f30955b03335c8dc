"""Hibernation against a scripted gateway: what the real one cannot be made to do on demand, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from rivet_runner import Actor, WebSocket, WebSocketClosed
from rivet_runner.protocol.v3 import (
    MessageId,
    ToClientTunnelMessage,
    ToClientWebSocketOpen,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
)
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.replaying import REPLAY, asleep, replays_asked
from tests.support.rooms import Room
from tests.support.scene import Scene, scene, settle
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


@contextlib.asynccontextmanager
async def rooms(**hooks: object) -> AsyncIterator[tuple[Scene, Room, RunnerConnection]]:
    async with scene(hooks, kind=Room) as current:  # type: ignore[arg-type]
        runner = current.runner
        assert isinstance(runner, Room)
        yield current, runner, await current.start()


@virtual_time
async def test_many_messages_are_acknowledged_by_one_put_when_they_come_within_a_moment() -> None:
    async with rooms() as (current, _runner, connection):
        await current.actor(connection)
        sockets = [connection.open_websocket("a1", f"/{number}") for number in range(3)]
        for socket in sockets:
            await socket.opened()
        await asyncio.sleep(1)  # the records of the opens are stored
        puts = len(connection.received)
        for _ in range(50):
            for socket in sockets:
                socket.send("x")
        await settle()
        assert [socket.acknowledged for socket in sockets] == [[], [], []]
        await asyncio.sleep(0.3)
        assert [socket.acknowledged for socket in sockets] == [[50], [50], [50]]
        kinds = [type(message).__name__ for _, message in connection.received[puts:]]
        assert kinds.count("ToServerKvRequest") == 1


@virtual_time
async def test_nothing_is_acknowledged_when_it_could_not_be_stored() -> None:
    async with rooms() as (current, runner, connection):
        await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        await asyncio.sleep(1)
        current.engine.kv.answering = False
        socket.send("one")
        await asyncio.sleep(20)
        assert runner.by_path == {"/": ["one"]}
        assert socket.acknowledged == []
        current.engine.kv.answering = True
        await asyncio.sleep(15)  # the put without an answer ends after 30 s, and is made again
        assert socket.acknowledged == [1]


@virtual_time
async def test_the_gap_is_repaired_and_sends_wait_when_a_message_is_missing() -> None:
    async with rooms() as (current, runner, connection):
        actor = await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        socket.send("1")
        await settle()
        socket.unacknowledged[2] = socket.unacknowledged[1]
        socket.next_index = 3
        socket.send("echo 3")
        await settle()
        assert await socket.receive() == REPLAY
        (ws,) = actor.websockets
        await ws.send("held back")
        await settle()
        assert runner.by_path == {"/": ["1"]}
        before = len(socket.replies)
        socket.replay()
        await settle()
        assert runner.by_path == {"/": ["1", "1", "echo 3"]}
        kinds = [reply.message_kind for reply in socket.replies[before:]]
        texts = [bytes(kind.data) for kind in kinds if isinstance(kind, ToServerWebSocketMessage)]
        assert texts == [b"held back", b"echo 3"]


@virtual_time
async def test_the_replay_is_asked_for_again_and_then_given_up_when_none_comes() -> None:
    async with rooms() as (current, _runner, connection):
        await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        socket.send("far ahead", index=9)
        began = current.now
        closes: list[ToServerWebSocketClose] = []
        while not closes or closes[-1].hibernate:
            close = await socket.receive()
            assert isinstance(close, ToServerWebSocketClose)
            closes.append(close)
        assert closes[-1] == ToServerWebSocketClose(1008, "ws.message_index_skip", False)
        assert 5 <= current.now - began < 6
        assert len(closes) == 6


@virtual_time
async def test_a_repetition_is_dropped_when_the_gateway_replays_too_much() -> None:
    async with rooms() as (current, runner, connection):
        await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        for text in ("1", "2", "3"):
            socket.send(text)
        await settle()
        socket.replay()
        await settle()
        assert runner.by_path == {"/": ["1", "2", "3"]}


@virtual_time
async def test_what_a_restored_socket_sends_is_held_when_no_client_message_has_come() -> None:
    async def greet(ws: WebSocket) -> None:
        await ws.send("back")

    async with rooms(restored=greet) as (current, runner, connection):
        await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        await asleep(runner, connection)
        for generation, early in ((2, False), (3, True)):
            await asyncio.sleep(1)
            connection.start_actor("a1", generation=generation, hibernating=[socket])
            began = current.now
            if early:
                await connection.running("a1")
                socket.send("echo")
            assert await socket.receive() == "back"
            assert (current.now - began < 0.1) is early
            if not early:
                assert current.now - began >= 0.15
                runner.actors["a1"].sleep()
                await settle()
                connection.stop_actor("a1", generation=generation)
                await connection.stopped("a1")


@virtual_time
async def test_messages_are_fetched_when_the_connection_was_lost() -> None:
    async with rooms() as (current, _runner, connection):
        await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        plain = connection.open_websocket("a1", "/plain")
        await socket.opened()
        await plain.opened()
        await settle()
        connection.abort()
        second = await current.reconnected()
        socket.connection = second
        assert await socket.receive() == REPLAY
        await asyncio.sleep(3)
        assert replays_asked(plain) == 0
        socket.send("echo")
        assert await socket.receive() == "echo"


@virtual_time
async def test_a_warning_names_the_path_when_a_message_is_unprocessed_for_nearly_the_limit() -> None:
    async with rooms() as (current, runner, connection):
        runner.free.clear()
        actor = await current.actor(connection)
        records: list[str] = []

        def note(record: logging.LogRecord) -> bool:
            records.append(record.getMessage())
            return True

        actor.log.logger.addFilter(note)
        socket = connection.open_websocket("a1", "/slow?a=b")
        await socket.opened()
        socket.send("held")
        await asyncio.sleep(24)
        assert [text for text in records if "unprocessed" in text] == []
        await asyncio.sleep(2)
        actor.log.logger.removeFilter(note)
        assert any("/slow" in text and "unprocessed for 25 s" in text for text in records)


@virtual_time
async def test_the_first_socket_ends_and_the_engine_is_not_told_when_its_key_is_opened_again() -> None:
    ended: list[tuple[int, str]] = []

    class Listening(Room):
        async def websocket(self, actor: Actor, ws: WebSocket) -> None:
            try:
                while True:
                    await ws.send(await ws.recv())
            except WebSocketClosed as closed:
                ended.append((closed.code, closed.reason))
                raise

    async with scene(kind=Listening) as current:
        connection = await current.start()
        actor = await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        opened = socket.replies[0]
        identity = MessageId(socket.gateway_id, socket.request_id, 0)
        connection.send(ToClientTunnelMessage(identity, ToClientWebSocketOpen("a1", "/again", {})))
        assert (await socket.opened()).can_hibernate
        await settle()
        assert ended == [(1006, "ws.replaced")]
        assert len(actor.websockets) == 1
        assert [reply.message_kind for reply in socket.replies] == [opened.message_kind] * 2
        socket.send("still one", index=1)
        assert await socket.receive() == "still one"


@virtual_time
async def test_messages_follow_the_open_that_was_answered_when_the_gateway_had_asked_before() -> None:
    starts = asyncio.Event()

    async def slow(_: Actor) -> None:
        await starts.wait()

    async with rooms(on_actor_start=slow) as (_current, runner, connection):
        connection.start_actor("a1")
        socket = connection.open_websocket("a1", "/")
        socket.send_kind(ToClientWebSocketOpen("a1", "/", {}))  # as the gateway does after 15 s
        starts.set()
        await socket.opened()
        socket.send("first")
        await asyncio.sleep(60)
        assert runner.received == [("/", "first")]
        assert replays_asked(socket) == 0
        assert socket.acknowledged == [2]


@virtual_time
async def test_nothing_goes_on_when_a_shutdown_has_no_time_for_the_last_step_of_a_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with rooms() as (current, runner, connection):
        await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        await asyncio.sleep(1)  # the record of the open is stored
        current.engine.kv.answering = False
        socket.send("it is processed, and never stored")
        await settle()
        draining = asyncio.create_task(runner.shutdown())
        await settle()
        connection.stop_actor("a1")
        await asyncio.sleep(1)
        await runner.shutdown(immediate=True)
        await draining
        await asyncio.sleep(60)
        assert [record.message for record in caplog.records if "unprocessed" in record.message] == []


@virtual_time
async def test_nothing_of_a_socket_is_left_when_the_gateway_opens_it_anew() -> None:
    async with rooms() as (current, runner, connection):
        actor = await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        connection.abort()  # the gateway has not got the answer
        second = await current.reconnected()
        socket.connection = second
        await actor.broadcast("held back, as the client may have to be attached again")
        socket.send_kind(ToClientWebSocketOpen("a1", "/", {}))
        await socket.opened()
        await actor.broadcast("first")
        await asyncio.sleep(60)
        kinds = [reply.message_kind for reply in socket.replies]
        assert [kind.data for kind in kinds if isinstance(kind, ToServerWebSocketMessage)] == [b"first"]
        await asleep(runner, second)
        second.start_actor("a1", generation=2, hibernating=[socket.hibernating])
        await second.running("a1")
        socket.send("second")
        await asyncio.sleep(1)
        assert runner.received == [("/", "second")]
