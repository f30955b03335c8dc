"""The scripted engine itself: upgrades, received messages, and the ends of connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from rivet_runner._session.dialect import SetAlarm, StopActor
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.v3 import (
    ActorIntentSleep,
    ActorStateRunning,
    ActorStateStopped,
    CommandStartActor,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
    EventWrapper,
    HibernatingRequest,
    StopCode,
    ToClientAckEvents,
    ToClientCommands,
    ToClientInit,
    ToServerAckCommands,
    ToServerEvents,
    ToServerPing,
    ToServerStopping,
)
from rivet_runner.testing.scripted_engine import ReportedEvent, RunnerConnection, ScriptedEngine
from tests.support.bare_client import HELLO, BareClient, initialised
from tests.support.virtual_time import virtual_time

STOPPED = ActorStateStopped(StopCode.ERROR, "boom")


@virtual_time
async def test_the_upgrade_is_shown_when_a_runner_connects() -> None:
    async with ScriptedEngine() as engine:
        runner = await BareClient.connect(engine, "?protocol_version=3&namespace=a%20b&runner_key=k", token="secret")
        connection = await engine.accept()
        assert runner.ws.subprotocol == "rivet"
        assert connection.path == "/runners/connect"
        assert connection.query == {"protocol_version": "3", "namespace": "a b", "runner_key": "k"}
        assert connection.subprotocols == ["rivet", "rivet_token.secret"]
        assert [dial.refused_with for dial in engine.dials] == [None]
        assert engine.connections == [connection]


@virtual_time
async def test_init_is_answered_with_what_the_script_says_when_a_runner_has_sent_its_own() -> None:
    async with ScriptedEngine() as engine:
        runner = await BareClient.connect(engine)
        connection = await engine.accept()
        await runner.send(HELLO)
        assert await connection.init("r7", last_event_idx=41, lost_threshold_ms=9000) == HELLO
        answer = await runner.receive()
        assert isinstance(answer, ToClientInit)
        assert (answer.runner_id, answer.last_event_idx, answer.metadata.runner_lost_threshold) == ("r7", 41, 9000)


@virtual_time
async def test_init_complains_when_another_message_comes_first() -> None:
    async with ScriptedEngine() as engine:
        runner = await BareClient.connect(engine)
        connection = await engine.accept()
        await runner.send(ToServerStopping())
        with pytest.raises(AssertionError, match="first message must be its init"):
            await connection.init()


@virtual_time
async def test_waits_time_out_and_say_for_what_when_nothing_comes() -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedEngine() as engine:
        before = loop.time()
        with pytest.raises(TimeoutError, match=r"no connection came .* within 5 s"):
            await engine.accept(timeout=5)
        assert loop.time() - before == pytest.approx(5)
        runner, connection = await initialised(engine)
        with pytest.raises(TimeoutError, match="no ToServerStopping came"):
            await connection.receive(ToServerStopping, timeout=1)
        with pytest.raises(TimeoutError, match="still open"):
            await connection.closed(timeout=1)
        await runner.ws.close()


@virtual_time
async def test_messages_are_offered_in_order_without_pings_when_no_kind_is_named() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        for message in (ToServerPing(1), ToServerAckCommands(3), ToServerStopping(), ToServerPing(2)):
            await runner.send(message)
        assert await connection.receive() == ToServerStopping()
        assert await connection.receive(ToServerPing) == ToServerPing(1)
        assert await connection.receive(ToServerPing) == ToServerPing(2)
        assert await connection.receive(ToServerAckCommands) == ToServerAckCommands(3)
        assert [type(message) for _, message in connection.received][1:] == [
            ToServerPing,
            ToServerAckCommands,
            ToServerStopping,
            ToServerPing,
        ]


@virtual_time
async def test_times_are_recorded_when_messages_arrive() -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        start = loop.time()
        for _ in range(3):
            await asyncio.sleep(3)
            await runner.send(ToServerPing(0))
        await asyncio.sleep(1)
        assert [time - start for time, _ in connection.received[1:]] == pytest.approx([3, 6, 9])


@virtual_time
async def test_events_are_offered_one_by_one_when_they_came_in_one_message() -> None:
    message = ToServerEvents(
        [
            EventWrapper(0, EventActorStateUpdate("a1", 1, ActorStateRunning())),
            EventWrapper(1, EventActorStateUpdate("a2", 1, ActorStateRunning())),
            EventWrapper(2, EventActorIntent("a1", 1, ActorIntentSleep())),
            EventWrapper(3, EventActorSetAlarm("a1", 1, 5)),
            EventWrapper(4, EventActorStateUpdate("a1", 1, STOPPED)),
        ]
    )
    events = [
        ReportedEvent(0, "a1", 1, ActorStateRunning()),
        ReportedEvent(1, "a2", 1, ActorStateRunning()),
        ReportedEvent(2, "a1", 1, ActorIntentSleep()),
        ReportedEvent(3, "a1", 1, SetAlarm(5)),
        ReportedEvent(4, "a1", 1, STOPPED),
    ]
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        await runner.send(message)
        assert await connection.running("a2") == events[1]
        assert await connection.stopped("a1") == STOPPED
        assert await connection.event(ActorIntentSleep) == events[2]
        assert await connection.event() == events[0]
        assert [*connection.events] == events
        assert isinstance(await connection.receive(), ToServerEvents)


@virtual_time
async def test_commands_take_the_next_indexes_when_none_is_given() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        hibernating = HibernatingRequest(b"gate", b"0001")
        assert connection.start_actor("a1", generation=3, name="n", key="k", input=b"i", hibernating=[hibernating]) == 0
        assert connection.stop_actor("a1", generation=3) == 1
        assert connection.stop_actor("a1", generation=3, index=1) == 1
        assert connection.command(StopActor("b", 1), StopActor("c", 1)) == 2
        assert connection.stop_actor("d") == 4
        first = await runner.receive()
        assert isinstance(first, ToClientCommands)
        start = first.items[0].inner
        assert isinstance(start, CommandStartActor)
        assert (start.config.name, start.config.key, start.config.input) == ("n", "k", b"i")
        assert [*start.hibernating_requests] == [hibernating]
        indexes = []
        for _ in range(4):
            message = await runner.receive()
            assert isinstance(message, ToClientCommands)
            indexes.append([command.index for command in message.items])
        assert indexes == [[1], [1], [2, 3], [4]]


@virtual_time
async def test_events_are_acknowledged_when_the_script_says_so() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        connection.acknowledge_events(ReportedEvent(12, "a1", 1, ActorStateRunning()))
        assert await runner.receive() == ToClientAckEvents(12)


@virtual_time
async def test_the_runner_sees_code_and_reason_when_the_script_closes() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        await connection.close(1011, "ws.going_away#ray")
        with pytest.raises(ConnectionClosedError) as caught:
            await runner.receive()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1011, "ws.going_away#ray")
        assert not connection.is_open
        with pytest.raises(ConnectionError):
            connection.stop_actor()
        with pytest.raises(EOFError, match="the connection is closed"):
            await connection.receive()


@virtual_time
async def test_the_runner_sees_no_close_frame_when_the_script_aborts() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        connection.abort()
        with pytest.raises(ConnectionClosedError) as caught:
            await runner.receive()
        assert caught.value.rcvd is None
        assert await connection.closed() == (1006, "")


@virtual_time
async def test_the_script_sees_code_and_reason_when_the_runner_closes() -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        await asyncio.sleep(5)
        await runner.ws.close(1000, "pegboard.runner_shutdown")
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")
        assert connection.closed_at == loop.time()


@virtual_time
async def test_upgrades_fail_when_they_are_refused() -> None:
    async with ScriptedEngine() as engine:
        engine.refuse(500, times=1)
        engine.refuse(429)
        for status in (500, 429, 429):
            with pytest.raises(InvalidStatus) as caught:
                await BareClient.connect(engine)
            assert caught.value.response.status_code == status
        engine.allow()
        await BareClient.connect(engine)
        await engine.accept()
        assert [dial.refused_with for dial in engine.dials] == [500, 429, 429, None]
        assert len(engine.connections) == 1


@virtual_time
async def test_an_upgrade_fails_when_it_is_for_another_path() -> None:
    async with ScriptedEngine() as engine:
        with pytest.raises(InvalidStatus):
            await connect(f"{engine.endpoint.replace('http', 'ws')}/elsewhere", proxy=None)
        assert [dial.refused_with for dial in engine.dials] == [404]


@virtual_time
async def test_nothing_is_read_and_no_upgrade_answered_when_the_engine_stalls() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        engine.stall()
        await runner.send(ToServerStopping())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await runner.ws.ping(), 30)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(BareClient.connect(engine), 5)
        assert len(connection.received) == 1
        engine.resume()
        assert await connection.receive() == ToServerStopping()
        await asyncio.wait_for(await runner.ws.ping(), 1)


@virtual_time
async def test_dials_fail_until_it_is_back_when_the_engine_stops() -> None:
    async with ScriptedEngine() as engine:
        runner, _ = await initialised(engine)
        endpoint = engine.endpoint
        await engine.stop()
        with pytest.raises(ConnectionClosed):
            await runner.receive()
        with pytest.raises(ConnectionRefusedError):
            await BareClient.connect(engine)
        await engine.start()
        assert engine.endpoint == endpoint
        await initialised(engine)


@virtual_time
async def test_bytes_that_are_no_message_are_set_aside_when_they_arrive() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        await runner.ws.send(b"\xff\xff")
        await runner.ws.send("text")
        await runner.send(ToServerStopping())
        assert await connection.receive() == ToServerStopping()
        assert connection.undecodable == [b"\xff\xff", "text"]


@virtual_time
async def test_frames_arrive_as_they_are_when_the_script_sends_garbage() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        connection.send_frame(b"\xfe")
        connection.send_frame("text")
        assert await runner.ws.recv() == b"\xfe"
        assert await runner.ws.recv() == "text"


async def test_it_works_when_time_is_real() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        connection.start_actor()
        assert isinstance(await runner.receive(), ToClientCommands)


@virtual_time
async def test_no_task_is_left_when_the_engine_is_gone() -> None:
    async with ScriptedEngine() as engine:
        await initialised(engine)
        await initialised(engine)
    await asyncio.sleep(1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


# Version 7


@virtual_time
async def test_version_7_is_spoken_when_the_runner_speaks_it() -> None:
    async with ScriptedEngine() as engine, engine_and_runner_of_version_7(engine) as (connection, hear, say):
        assert connection.start_actor("a1", generation=2) == 0
        assert connection.start_actor("a2") == 0
        assert connection.command(StopActor("a1", 2), StopActor("a2", 1)) == 1
        places = []
        for _ in range(3):
            message = await hear()
            assert isinstance(message, v7.ToClientCommands)
            places.append([command.checkpoint for command in message.items])
        assert places == [
            [v7.ActorCheckpoint("a1", 2, 0)],
            [v7.ActorCheckpoint("a2", 1, 0)],
            [v7.ActorCheckpoint("a1", 2, 1), v7.ActorCheckpoint("a2", 1, 1)],
        ]
        connection.ping(5)
        assert await hear() == v7.ToClientPing(5)
        await say(v7.ToServerPong(5))
        wrapper = v7.EventWrapper(v7.ActorCheckpoint("a1", 2, 7), v7.EventActorSetAlarm(None))
        await say(v7.ToServerEvents([wrapper]))
        event = await connection.event(SetAlarm)
        assert event == ReportedEvent(7, "a1", 2, SetAlarm(None))
        connection.acknowledge_events(event)
        assert await hear() == v7.ToClientAckEvents([v7.ActorCheckpoint("a1", 2, 7)])
        await say(v7.ToServerKvRequest("a1", 1, v7.KvGetRequest([b"k"])))
        assert await hear() == v7.ToClientKvResponse(1, v7.KvGetResponse([], [], []))
        assert isinstance(await connection.receive(), v7.ToServerEvents), "pongs are skipped"
        with pytest.raises(TypeError):
            connection.send(v3.ToClientClose())


@contextlib.asynccontextmanager
async def engine_and_runner_of_version_7(
    engine: ScriptedEngine,
) -> AsyncIterator[tuple[RunnerConnection, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]]]:
    """A connection whose init is answered, and the runner's ear and mouth."""
    runner = await BareClient.connect(engine, "?protocol_version=7")

    async def hear() -> Any:
        return v7.decode_to_client(await runner.ws.recv(decode=False))

    async def say(message: Any) -> None:
        await runner.ws.send(v7.encode_to_server(message))

    connection = await engine.accept()
    await say(v7.ToServerInit("n", 1, 1, None, None))
    await connection.init("r1", stop_threshold_ms=2, drain_grace_ms=3)
    assert await hear() == v7.ToClientInit("r1", v7.ProtocolMetadata(15_000, 2, 3))
    yield connection, hear, say
    await runner.ws.close()
