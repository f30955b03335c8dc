"""What a runner counts of its work, seen through its reports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from rivet_runner import Actor, KvError, Request, Response, WebSocket
from rivet_runner._observing.report import Report, ReportSource, report_to
from rivet_runner._observing.statistics import Statistics
from rivet_runner._sockets.socket import MAX_QUEUED_BYTES
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.replaying import REPLAY
from tests.support.rooms import Room
from tests.support.scene import HookedRunner, Scene, hang, scene, settle, started
from tests.support.virtual_time import virtual_time


@contextlib.contextmanager
def reporting() -> Iterator[list[ReportSource]]:
    sources: list[ReportSource] = []
    token = report_to.set(sources.append)
    try:
        yield sources
    finally:
        report_to.reset(token)


@contextlib.asynccontextmanager
async def watched(
    hooks: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[tuple[Scene, RunnerConnection, ReportSource]]:
    with reporting() as sources:
        async with started(hooks, **options) as (current, connection):
            (source,) = sources
            yield current, connection, source


def numbers(source: ReportSource) -> Statistics:
    return source().statistics


@virtual_time
async def test_no_report_is_offered_when_the_runner_has_not_started() -> None:
    with reporting() as sources:
        async with scene() as current:
            assert sources == []
            await current.start()
            assert len(sources) == 1


@virtual_time
async def test_state_is_told_when_the_runner_connects_drains_and_ends() -> None:
    def told(report: Report) -> tuple[str, int]:
        return report.state, report.connected

    with reporting() as sources:
        async with scene() as current:
            starting, connection = await current.starting()
            (source,) = sources
            assert told(source()) == ("starting", 0)
            await connection.init()
            await starting
            assert told(source()) == ("running", 1)
            await current.actor(connection)
            assert source().actors == 1
            connection.abort()
            await settle()
            assert told(source()) == ("running", 0)
            connection = await current.reconnected()
            assert told(source()) == ("running", 1)
            assert (numbers(source).connections, numbers(source).reconnects, numbers(source).disconnects) == (2, 1, 1)
            stopping = asyncio.create_task(current.runner.shutdown())
            await settle()
            assert told(source()) == ("draining", 1)
            connection.stop_actor()
            await stopping
            assert told(source()) == ("closed", 0)
            assert source().actors == 0


@virtual_time
async def test_start_and_stop_count_by_reason_when_an_actor_lives_and_another_crashes() -> None:
    async def start(actor: Actor) -> None:
        if actor.id == "bad":
            raise ValueError("no")

    async with watched({"on_actor_start": start}) as (current, connection, source):
        (await current.actor(connection, "a1")).sleep()
        await settle()
        connection.stop_actor("a1")
        await connection.stopped("a1")
        (await current.actor(connection, "a2")).destroy()
        await settle()
        connection.stop_actor("a2")
        await connection.stopped("a2")
        connection.start_actor("bad")
        await connection.stopped("bad")
        await settle()
        current.expect_error("on_actor_start raised")
        assert numbers(source).actor_starts == 3
        assert numbers(source).actor_stops == {"sleep": 1, "destroy": 1, "crashed": 1}
        assert sum(numbers(source).actor_start_seconds.counts) == 3
        assert sum(numbers(source).actor_stop_seconds.counts) == 3


@virtual_time
async def test_stop_counts_as_shutdown_or_lost_when_the_runner_ends_or_the_engine_forgets_it() -> None:
    async with watched() as (current, connection, source):
        await current.actor(connection, "a1")
        connection.abort()
        connection = await current.reconnected(runner_id="another")
        await settle()
        assert numbers(source).actor_stops == {"lost": 1}
        await current.actor(connection, "a2")
        await current.runner.shutdown(immediate=True)
        assert numbers(source).actor_stops == {"lost": 1, "shutdown": 1}


@virtual_time
async def test_request_counts_by_its_real_status_when_it_is_answered() -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        if request.path == "/raises":
            raise ValueError("no")
        if request.path == "/large":
            return Response(b"x" * 101)
        return Response(status=int(request.path[1:]))

    async with watched({"fetch": fetch}, max_payload=100) as (current, connection, source):
        await current.actor(connection)
        for path in ("/200", "/404", "/raises", "/large", "/999"):
            await connection.request(path=path).response()
        await connection.request(actor_id="nowhere").response()
        await settle()
        current.expect_error("fetch raised")
        current.expect_error("over max_payload")
        assert numbers(source).requests == {"200": 1, "404": 1, "500": 2, "other": 1, "503": 1}
        assert sum(numbers(source).request_seconds.counts) == 5
        assert numbers(source).requests_in_progress == 0


@virtual_time
async def test_request_counts_as_aborted_or_unavailable_when_it_gets_no_answer_of_its_own() -> None:
    async with watched({"fetch": hang}, actor_stop_timeout=1) as (current, connection, source):
        await current.actor(connection)
        gone, waiting = connection.request(), connection.request()
        await settle()
        assert numbers(source).requests_in_progress == 2
        gone.abort()
        await settle()
        assert numbers(source).requests == {"aborted": 1}
        connection.stop_actor()
        assert (await waiting.response()).status == 503
        await settle()
        assert numbers(source).requests == {"aborted": 1, "503": 1}
        assert numbers(source).requests_in_progress == 0


@virtual_time
async def test_messages_and_bytes_count_when_a_client_talks() -> None:
    async def echo(actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)
            await ws.send(b"four")

    async with watched({"websocket": echo}) as (current, connection, source):
        await current.actor(connection)
        client = connection.open_websocket()
        await client.opened()
        assert (numbers(source).plain_websockets, numbers(source).hibernatable_websockets) == (1, 0)
        client.send("ä")
        await settle()
        found = numbers(source)
        assert (found.messages_received, found.bytes_received) == (1, 2)
        assert (found.messages_sent, found.bytes_sent) == (2, 6)
        client.close()
        await settle()
        assert (found.websockets_opened, found.plain_websockets, found.websockets_hibernated) == (1, 0, 0)


@virtual_time
async def test_message_counts_once_when_the_gateway_keeps_it_until_there_is_room() -> None:
    messages = [b"taken", bytes(MAX_QUEUED_BYTES), b"refused"]
    async with watched(kind=Room) as (current, connection, source):
        assert isinstance(current.runner, Room)
        current.runner.free.clear()
        await current.actor(connection)
        client = connection.open_websocket()
        await client.opened()
        for message in messages:
            client.send(message)
            await settle()
        assert numbers(source).messages_received == 2
        current.runner.free.set()
        assert await client.receive() == REPLAY
        client.replay()
        await settle()
        assert len(current.runner.received) == len(messages)
        found = numbers(source)
        assert (found.messages_received, found.bytes_received) == (len(messages), sum(map(len, messages)))


@virtual_time
async def test_kv_call_counts_by_operation_when_it_succeeds_and_when_it_fails() -> None:
    async with watched() as (current, connection, source):
        actor = await current.actor(connection)
        await actor.kv.put(b"k", b"v")
        assert await actor.kv.get(b"k") == b"v"
        await actor.kv.delete(b"k")
        await actor.kv.list()
        actor.destroy()  # else the runner would ask whether the stop is a deletion
        await settle()
        connection.stop_actor()
        await connection.stopped("a1")
        await settle()
        with pytest.raises(KvError):
            await actor.kv.get(b"k")
        found = numbers(source)
        assert {name: sum(one.counts) for name, one in found.kv_seconds.items()} == {
            "put": 1,
            "get": 2,
            "delete": 1,
            "list": 1,
        }
        assert found.kv_errors == {"get": 1}
        assert source().kv_calls == 0


class Hibernating(HookedRunner):
    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path != "/refused" or 1 / 0 > 0


@virtual_time
async def test_hibernation_counts_when_an_actor_sleeps_and_wakes_with_its_client() -> None:
    with reporting() as sources:
        async with scene({"websocket": echo}, kind=Hibernating) as current:
            connection = await current.start()
            (source,) = sources
            actor = await current.actor(connection)
            client = connection.open_websocket()
            await client.opened()
            await settle()
            found = numbers(source)
            assert (found.plain_websockets, found.hibernatable_websockets) == (0, 1)
            actor.sleep()
            connection.stop_actor()
            await connection.stopped("a1")
            await settle()
            assert (found.hibernatable_websockets, found.websockets_hibernated) == (0, 1)
            connection.start_actor(generation=2, hibernating=[client])
            await connection.running("a1")
            await asyncio.sleep(1)
            assert (found.hibernatable_websockets, found.websockets_restored, found.websockets_opened) == (1, 1, 1)
            assert found.replays == 0
            connection.abort()
            await current.reconnected()
            await asyncio.sleep(1)
            assert found.replays == 1


@virtual_time
async def test_open_counts_as_refused_when_the_handler_is_not_to_run() -> None:
    with reporting() as sources:
        async with scene({"websocket": echo}, kind=Hibernating) as current:
            connection = await current.start()
            await current.actor(connection)
            await connection.open_websocket(path="/refused").opened()
            await settle()
            current.expect_error("can_hibernate raised")
            found = numbers(sources[0])
            assert (found.websockets_refused, found.websockets_opened) == (1, 0)
            assert (found.plain_websockets, found.hibernatable_websockets) == (0, 0)


async def echo(actor: Actor, ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)
