"""What happens to events, commands, key-value calls and tunnel messages when the runner comes back as itself."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from rivet_runner import Actor, Request, Response, WebSocket
from rivet_runner._session.dialect import SetAlarm
from rivet_runner._session.dialect_v7 import CERTAIN_AFTER
from rivet_runner._session.event_spacing import EVENT_SPACING
from rivet_runner.protocol import v7
from rivet_runner.protocol.messages import (
    ActorCheckpoint,
    ActorIntentSleep,
    StopCode,
    ToServerKvRequest,
    ToServerResponseStart,
    ToServerTunnelMessage,
)
from rivet_runner.protocol.v3 import ToServerAckCommands, ToServerEvents
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.scene import Scene, scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

WHEN = datetime(2030, 1, 1, tzinfo=UTC)


async def lost(current: Scene, connection: RunnerConnection) -> None:
    connection.abort()
    await settle()
    assert not current.runner.connected


@virtual_time
async def test_events_then_kv_then_tunnel_messages_are_sent_when_the_runner_is_back() -> None:
    answer = asyncio.Event()

    async def fetch(actor: Actor, request: Request) -> Response:
        await answer.wait()
        return Response("late")

    async with started({"fetch": fetch}) as (current, connection):
        actor = await current.actor(connection)
        exchange = connection.request()
        await settle()
        await lost(current, connection)
        answer.set()
        put = asyncio.create_task(actor.kv.put(b"k", b"v"))
        await settle()
        actor.sleep()
        second = await current.reconnected(last_event_idx=0)
        await put
        assert (await exchange.response()).body == b"late"
        assert [type(message) for _, message in second.received] == [
            second.codec.ToServerInit,
            second.codec.ToServerEvents,
            ToServerKvRequest,
            ToServerTunnelMessage,
        ]


@virtual_time
async def test_on_connected_comes_after_the_resync_when_the_runner_is_back() -> None:
    sockets: list[WebSocket] = []
    sent: list[bool] = []

    async def keep(_: Actor, ws: WebSocket) -> None:
        sockets.append(ws)
        async for _message in ws:
            pass

    async def try_to_send() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await sockets[0].send("second")
                sent.append(True)

    async with started({"websocket": keep}, max_buffered=1) as (current, connection):
        await current.actor(connection)
        client = connection.open_websocket()
        await client.opened()
        await lost(current, connection)
        await sockets[0].send("first")
        await try_to_send()
        assert sent == [], "one message fills the outbox"
        current.runner.hooks["on_connected"] = try_to_send
        await current.reconnected(last_event_idx=0)
        assert sent == [True], "the outbox was empty before the hook was called"
        assert [await client.receive() for _ in range(2)] == ["first", "second"]


@pytest.mark.only_protocol(3)
@virtual_time
async def test_events_are_sent_again_from_where_the_engine_is_when_the_runner_is_back() -> None:
    async with started() as (current, connection):
        for number in range(5):
            await current.actor(connection, f"a{number}")
        assert [event.index for event in connection.events] == [0, 1, 2, 3, 4]
        await lost(current, connection)
        second = await current.reconnected(last_event_idx=2)
        assert [*second.events] == [*connection.events[3:]]
        await lost(current, second)
        third = await current.reconnected(last_event_idx=-1)
        assert [event.index for event in third.events] == [3, 4], "what was confirmed is gone"


@pytest.mark.only_protocol(3)
@virtual_time
async def test_events_of_one_turn_are_one_message_with_consecutive_indexes_when_the_runner_was_away() -> None:
    async with started() as (current, connection):
        actors = [await current.actor(connection, f"a{number}") for number in range(20)]
        await lost(current, connection)
        for actor in actors:
            actor.sleep()
        second = await current.reconnected(last_event_idx=19)
        (message,) = second.messages(ToServerEvents)
        assert [event.index for event in message.items] == [*range(20, 40)]
        for actor in actors:
            await actor.set_alarm(WHEN)
        await asyncio.sleep(EVENT_SPACING)
        await settle()
        assert [event.index for event in second.messages(ToServerEvents)[1].items] == [*range(40, 60)]


@pytest.mark.only_protocol(3)
@virtual_time
async def test_events_are_forgotten_when_the_engine_acknowledges_them() -> None:
    async with started() as (current, connection):
        for number in range(4):
            await current.actor(connection, f"a{number}")
        connection.acknowledge_events(connection.events[1])
        await settle()
        await lost(current, connection)
        second = await current.reconnected(last_event_idx=-1)
        assert [event.index for event in second.events] == [2, 3]


@pytest.mark.only_protocol(3)
@virtual_time
async def test_indexes_go_on_behind_the_engines_when_the_runner_takes_over_a_key() -> None:
    async with scene() as current:
        connection = await current.start(last_event_idx=41)
        await current.actor(connection)
        assert [event.index for event in connection.events] == [42]


@pytest.mark.only_protocol(7)
@virtual_time
async def test_unconfirmed_events_are_sent_again_with_their_indexes_when_the_runner_is_back() -> None:
    async with started() as (current, connection):
        actors = [await current.actor(connection, f"a{number}") for number in range(3)]
        connection.acknowledge_events(connection.events[0])
        await settle()
        await lost(current, connection)
        for actor in actors:
            actor.sleep()
        second = await current.reconnected()
        assert {(event.actor_id, event.index) for event in second.events} == {
            ("a0", 1),
            *((name, index) for name in ("a1", "a2") for index in (0, 1)),
        }
        (_,) = second.messages(v7.ToServerEvents)


@pytest.mark.only_protocol(7)
@virtual_time
async def test_events_leave_at_once_when_one_has_just_left() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        before = current.now
        for number in range(10):
            await actor.set_alarm(WHEN.replace(year=2030 + number))
            await settle()
        assert [event.index for event in connection.events] == [*range(11)]
        assert current.now - before < EVENT_SPACING


@pytest.mark.only_protocol(7)
@virtual_time
async def test_events_are_not_sent_again_when_the_engine_has_pinged_for_half_a_minute() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        for _ in range(CERTAIN_AFTER + 1):
            await asyncio.sleep(3)
            connection.ping()
        await settle()
        await lost(current, connection)
        second = await current.reconnected()
        assert second.events == []


@virtual_time
async def test_only_the_last_alarm_is_sent_when_several_were_set_while_away() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        await lost(current, connection)
        for number in range(10):
            await actor.set_alarm(WHEN.replace(year=2030 + number))
        second = await current.reconnected(last_event_idx=0)
        assert second.events[-1].event == SetAlarm(int(WHEN.replace(year=2039).timestamp()) * 1000)
        assert len([event for event in second.events if isinstance(event.event, SetAlarm)]) == 1


@pytest.mark.only_protocol(3)
@virtual_time
async def test_commands_are_ignored_when_they_are_repeated() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        connection.start_actor("a1", index=0)
        connection.start_actor("a1", generation=2, index=0)
        connection.stop_actor("a1", index=0)
        await settle()
        await lost(current, connection)
        second = await current.reconnected(last_event_idx=0)
        second.start_actor("a1", index=0)
        await settle()
        assert current.runner.get_actor("a1") is actor
        assert current.runner.called("on_actor_start") == [("a1", 1)]
        assert current.runner.called("on_actor_stop") == []
        assert second.events == []


@pytest.mark.only_protocol(3)
@virtual_time
async def test_commands_are_acknowledged_when_a_ping_goes_out() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        await current.actor(connection, "a2")
        await asyncio.sleep(10)
        assert connection.messages(ToServerAckCommands) == [ToServerAckCommands(1)]


@pytest.mark.only_protocol(7)
@virtual_time
async def test_commands_are_ignored_when_they_are_repeated_with_their_checkpoints() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        connection.start_actor("a1", index=0)
        await settle()
        await lost(current, connection)
        second = await current.reconnected()
        second.start_actor("a1", index=0)
        await settle()
        assert current.runner.get_actor("a1") is actor
        second.start_actor("a1", generation=2, index=0)
        await second.running("a1")
        second.start_actor("a1", index=0)
        second.stop_actor("a1", index=1)
        await settle()
        assert current.runner.called("on_actor_start") == [("a1", 1), ("a1", 2)]
        assert current.runner.called("on_actor_stop") == [("a1", 1)]


@pytest.mark.only_protocol(7)
@virtual_time
async def test_commands_are_acknowledged_when_the_engine_pings() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        await current.actor(connection, "a2")
        for _ in range(3):
            connection.ping()
            await settle()
        assert connection.messages(v7.ToServerAckCommands) == [
            v7.ToServerAckCommands([ActorCheckpoint("a1", 1, 0), ActorCheckpoint("a2", 1, 0)])
        ]


@virtual_time
async def test_kv_calls_are_sent_again_in_order_when_the_connection_was_lost() -> None:
    async with started() as (current, connection):
        current.engine.kv.answering = False
        actor = await current.actor(connection)
        calls = [asyncio.create_task(actor.kv.put(str(number).encode(), b"v")) for number in range(5)]
        await settle()
        first = connection.messages(ToServerKvRequest)
        connection.answer_kv(first[1])
        await settle()
        await lost(current, connection)
        calls.append(asyncio.create_task(actor.kv.put(b"5", b"v")))
        current.engine.kv.answering = True
        second = await current.reconnected(last_event_idx=0)
        await asyncio.gather(*calls)
        again = second.messages(ToServerKvRequest)
        assert [*again[:4]] == [first[0], first[2], first[3], first[4]]
        assert len(again) == 5
        assert len(current.engine.kv.of("a1")) == 6


@virtual_time
async def test_an_answer_is_dropped_when_nobody_waits_for_it() -> None:
    async with started() as (current, connection):
        current.engine.kv.answering = False
        actor = await current.actor(connection)
        call = asyncio.create_task(actor.kv.get(b"k"))
        request = await connection.receive(ToServerKvRequest)
        call.cancel()
        await settle()
        connection.answer_kv(request)
        connection.answer_kv(request)
        await settle()
        await lost(current, connection)
        second = await current.reconnected(last_event_idx=0)
        assert second.messages(ToServerKvRequest) == []


@virtual_time
async def test_a_response_is_answered_on_the_new_connection_when_the_old_one_was_lost() -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        await asyncio.sleep(8)
        return Response("after the reconnect")

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await settle()
        await lost(current, connection)
        await current.reconnected(last_event_idx=0)
        assert (await exchange.response()).body == b"after the reconnect"
        assert len([reply for reply in exchange.replies if isinstance(reply.message_kind, ToServerResponseStart)]) == 1


@virtual_time
async def test_an_intent_is_answered_when_the_stop_comes_after_a_reconnect() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        await lost(current, connection)
        actor.sleep()
        second = await current.reconnected(last_event_idx=0)
        await second.event(ActorIntentSleep)
        second.stop_actor()
        assert (await second.stopped("a1")).code is StopCode.OK
