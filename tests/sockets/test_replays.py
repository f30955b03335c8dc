"""What may have been lost without a sign is fetched from the gateway: in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, WebSocket
from rivet_runner._sockets.replays import BURST_SECONDS, LOOK_SECONDS, LOOKS, MAX_AT_ONCE
from rivet_runner._sockets.turns import ATTACH_SECONDS, SAFE_BURST
from rivet_runner.protocol.v3 import ToServerWebSocketMessage
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.replaying import REPLAY, all_lost, asleep, everything, reconnected, rooms, texts
from tests.support.rooms import Room
from tests.support.scene import settle
from tests.support.virtual_time import virtual_time
from tests.support.waiting import eventually


@pytest.mark.slow
@virtual_time
async def test_everything_arrives_when_what_was_missed_is_more_than_the_engine_queues() -> None:
    async with rooms(200) as (current, runner, connection, clients, gateway):
        all_lost(clients, texts(40))
        await reconnected(current, connection, clients)
        # The gateway gives a client up after 30 s.
        await eventually(lambda: runner.by_path == everything(200, 40), seconds=25, every=0.1, what="all has arrived")
        assert gateway.largest == MAX_AT_ONCE * 40, "how much there is shows with the first replays"


@virtual_time
async def test_a_part_of_a_replay_is_not_taken_for_all_of_it_when_too_much_came_at_once() -> None:
    async with rooms(30) as (current, runner, connection, clients, gateway):
        gateway.loses_newest = True
        all_lost(clients, texts(41))
        await reconnected(current, connection, clients)
        await asyncio.sleep(LOOK_SECONDS - 1)
        assert runner.by_path == everything(30, 41)


@virtual_time
async def test_fetching_and_repairing_take_turns_when_both_are_needed() -> None:
    async with rooms(100) as (current, runner, connection, clients, gateway):
        all_lost(clients[:8], texts(59))
        all_lost(clients[8:], texts(4))
        await reconnected(current, connection, clients)
        for client in clients[:8]:
            client.send("59")
        await asyncio.sleep(LOOK_SECONDS - 1)
        assert runner.by_path == everything(100, 4) | everything(8, 60)
        assert gateway.largest <= SAFE_BURST


@virtual_time
async def test_little_is_held_when_a_key_value_call_has_lain_through_the_outage() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        actor = runner.actors["a1"]
        connection.abort()
        await settle()
        put = asyncio.create_task(actor.kv.put(b"key", b"value"))
        second = await current.reconnected()
        await put
        assert await client.receive() == REPLAY
        second.abort()
        client.connection = await current.reconnected()
        (ws,) = actor.websockets
        assert await client.receive() == REPLAY
        began = current.now
        await ws.send("held")
        assert await client.receive() == "held"
        assert current.now - began < 0.2


@virtual_time
async def test_what_the_actor_sends_is_held_while_a_slow_key_value_call_is_in_the_way_of_the_request() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        current.engine.kv.delay = 5.0
        connection.abort()
        await settle()
        put = asyncio.create_task(runner.actors["a1"].kv.put(b"key", b"value"))
        client.connection = await current.reconnected()
        began = current.now
        assert await client.receive() == REPLAY
        (ws,) = runner.actors["a1"].websockets
        await ws.send("held")
        assert await client.receive() == "held"
        assert put.done()
        assert 5 < current.now - began < 6
        await put


@virtual_time
async def test_everything_arrives_when_the_gateway_is_slower_than_expected() -> None:
    async with rooms(30) as (current, runner, connection, clients, gateway):
        gateway.attach_seconds = 2.0
        all_lost(clients, texts(40))
        await reconnected(current, connection, clients)
        await asyncio.sleep(20)
        assert runner.by_path == everything(30, 40)


@pytest.mark.slow
@virtual_time
async def test_the_looks_end_when_clients_go_on_talking() -> None:
    async with rooms(150) as (current, runner, connection, clients, gateway):
        await reconnected(current, connection, clients)
        for number in range(25):
            await asyncio.sleep(1)
            for client in clients:
                client.send(str(number))
        await settle()
        assert runner.by_path == everything(150, 25)
        assert {*gateway.asked.values()} == {LOOKS}


@virtual_time
async def test_nobody_is_asked_twice_when_little_was_missed() -> None:
    async with rooms(100) as (current, runner, connection, clients, gateway):
        for client in clients[:50]:
            client.send_lost("0")
        await reconnected(current, connection, clients)
        await asyncio.sleep(10)
        assert runner.by_path == everything(50, 1)
        assert {*gateway.asked.values()} == {1}


@virtual_time
async def test_a_client_is_left_alone_when_it_was_heard_on_the_new_connection() -> None:
    async with rooms(2) as (current, runner, connection, [speaks, silent], gateway):
        silent.send_lost("0")
        await reconnected(current, connection, [speaks, silent])
        speaks.send("0")
        await asyncio.sleep(10)
        assert runner.by_path == everything(2, 1)
        assert gateway.asked == {speaks: 0, silent: 1}


@virtual_time
async def test_everything_arrives_when_an_actor_wakes_to_more_than_the_engine_queues() -> None:
    async with rooms(100) as (_, runner, connection, clients, gateway):
        await asleep(runner, connection)
        all_lost(clients, texts(25))
        connection.start_actor("a1", generation=2, hibernating=clients)
        await connection.running("a1")
        gateway.replay(clients)
        await settle()
        assert runner.by_path == {f"/{number}": texts(25) for number in range(60, 100)}, "a gap would show the loss"
        await asyncio.sleep(10)
        assert runner.by_path == everything(100, 25)


@virtual_time
async def test_nothing_is_asked_for_when_an_actor_wakes_to_little() -> None:
    async with rooms(100) as (_, runner, connection, clients, gateway):
        await asleep(runner, connection)
        connection.start_actor("a1", generation=2, hibernating=clients)
        await connection.running("a1")
        for client in clients:
            client.send("0")
        await asyncio.sleep(10)
        assert runner.by_path == everything(100, 1)
        assert {*gateway.asked.values()} == {0}


@virtual_time
async def test_what_a_silent_client_said_arrives_when_the_burst_of_another_has_pushed_it_out() -> None:
    async with rooms(3) as (_, runner, _connection, [bursting, silent, speaks], gateway):
        silent.send_lost("0")
        all_lost([bursting], texts(40)[:39])
        bursting.send("39")
        await asyncio.sleep(BURST_SECONDS + 1)
        speaks.send("0")
        assert runner.by_path == {"/0": texts(40)}
        await asyncio.sleep(LOOK_SECONDS - BURST_SECONDS)
        assert runner.by_path == {"/0": texts(40), "/1": ["0"], "/2": ["0"]}
        await asyncio.sleep(20)
        assert gateway.asked == {bursting: 2, silent: 1, speaks: 0}
        silent.send_lost("1")
        bursting.send_lost("40")
        bursting.send("41")
        await asyncio.sleep(10)
        assert runner.by_path == {"/0": texts(42), "/1": texts(2), "/2": ["0"]}


@virtual_time
async def test_the_last_messages_of_a_client_arrive_when_it_was_heard_in_the_burst_that_lost_them() -> None:
    async with rooms(2) as (_, runner, _connection, [bursting, heard], _gateway):
        all_lost([bursting], texts(40)[:39])
        bursting.send("39")
        await asyncio.sleep(0.5)
        heard.send("0")
        heard.send_lost("1")
        await asyncio.sleep(LOOK_SECONDS)
        assert runner.by_path == {"/0": texts(40), "/1": texts(2)}


@virtual_time
async def test_the_next_burst_is_looked_after_when_it_comes_before_the_look_after_the_first() -> None:
    async with rooms(2) as (_, runner, _connection, [bursting, heard], _gateway):
        bursting.send_lost("0")
        bursting.send("1")
        await asyncio.sleep(LOOK_SECONDS - 1)
        bursting.send_lost("2")
        bursting.send("3")
        heard.send("0")
        heard.send_lost("1")
        await asyncio.sleep(LOOK_SECONDS + 1)
        assert runner.by_path == {"/0": texts(4), "/1": texts(2)}


@virtual_time
async def test_the_end_of_a_replay_arrives_when_more_came_after_a_reconnect_than_could_be_known() -> None:
    async with rooms(30) as (current, runner, connection, clients, gateway):
        gateway.loses_newest = True
        for client in clients:
            client.send("0")
        await asyncio.sleep(0.01)
        all_lost(clients, texts(42)[1:])
        await reconnected(current, connection, clients)
        await asyncio.sleep(LOOK_SECONDS + 3)
        assert runner.by_path == everything(30, 42)


@virtual_time
async def test_the_end_of_a_repairs_replay_arrives_when_more_came_than_could_be_known() -> None:
    async with rooms(8) as (current, runner, connection, clients, gateway):
        gateway.sockets = []
        for client in clients:
            client.send_lost("0")
            client.send("1")
        await asyncio.sleep(LOOK_SECONDS - 1)
        connection = await reconnected(current, connection, clients)
        await asyncio.sleep(LOOK_SECONDS - 1)  # the look after the gaps is over
        all_lost(clients, texts(152)[2:])
        await reconnected(current, connection, clients)
        gateway.sockets, gateway.loses_newest = clients, True
        await asyncio.sleep(LOOK_SECONDS + 3)
        assert runner.by_path == everything(8, 152)


@virtual_time
async def test_what_the_actor_sends_is_held_when_a_message_comes_that_may_have_left_before_the_request() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        await reconnected(current, connection, [client])
        await eventually(lambda: client.replies[-1].message_kind == REPLAY, every=0.001)
        client.send("0")
        await settle()
        assert runner.by_path == {"/0": ["0"]}
        (ws,) = runner.actors["a1"].websockets
        await ws.send("an answer")
        await asyncio.sleep(0.1)
        assert not any(isinstance(reply.message_kind, ToServerWebSocketMessage) for reply in client.replies)
        assert await client.receive() == REPLAY
        assert await client.receive() == "an answer"


@virtual_time
async def test_nothing_is_asked_for_without_a_connection_when_it_was_lost_while_another_client_had_the_turn() -> None:
    async with rooms(2) as (current, runner, connection, [owed, other], gateway):
        gateway.sockets.clear()
        owed.send("0")
        await asyncio.sleep(0.01)
        second = await reconnected(current, connection, [owed, other])
        assert await owed.receive() == REPLAY
        second.abort()
        await asyncio.sleep(0.5)
        await send(runner, "/1", "in the outage")
        await current.reconnected()
        assert await other.receive() == "in the outage", "it would be lost behind a request"
        assert await other.receive() == REPLAY


@virtual_time
async def test_what_the_actor_sends_is_held_when_its_request_waits_for_the_engine_to_take_other_messages() -> None:
    async with rooms(2) as (current, runner, connection, [chatty, other], gateway):
        gateway.sockets.clear()
        connection.abort()
        await settle()
        for number in range(300):
            await send(runner, "/0", str(number))
        current.engine.kv.delay = 5.0
        await reconnected(current, connection, [chatty, other])
        await asyncio.sleep(0.1)
        await send(runner, "/1", "held")
        await asyncio.sleep(1)
        assert other.replies[1:] == []
        assert await other.receive() == REPLAY
        asked_at = current.now
        assert await other.receive() == "held"
        assert current.now - asked_at >= ATTACH_SECONDS


@virtual_time
async def test_what_was_held_leaves_before_the_next_request_when_the_connection_is_lost_right_after_the_first() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        second = await reconnected(current, connection, [client])
        assert await client.receive() == REPLAY
        await send(runner, "/0", "held")
        second.abort()
        await asyncio.sleep(0.5)
        client.connection = await current.reconnected()
        assert [await client.receive(), await client.receive()] == ["held", REPLAY]


@virtual_time
async def test_what_is_held_leaves_on_the_next_connection_when_the_actor_stops_in_an_outage() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        await woken(runner, connection, client)
        await send(runner, "/0", "held")
        runner.actors["a1"].sleep()
        connection.stop_actor("a1", generation=2)
        await settle()
        connection.abort()
        await asyncio.sleep(5)
        second = await current.reconnected()
        assert await client.receive() == "held"
        await second.stopped("a1")
        current.expect_error("messages held back for a WebSocket did not leave in time")


@virtual_time
async def test_what_is_held_never_leaves_when_the_engine_has_forgotten_the_runner() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        await woken(runner, connection, client)
        await send(runner, "/0", "held")
        connection.abort()
        second = await current.engine.accept(timeout=60)
        await second.init("r2")
        await asyncio.sleep(10)
        assert client.replies[1:] == [], "another runner may have the client"


@virtual_time
async def test_what_a_restored_socket_sends_is_held_when_the_actor_has_begun_to_run_in_an_outage() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        await asleep(runner, connection)
        go_on = asyncio.Event()

        async def load_and_wait(actor: Actor) -> None:
            await actor.restored_websockets()
            await go_on.wait()

        async def greet(ws: WebSocket) -> None:
            await ws.send("welcome back")

        runner.hooks |= {"on_actor_start": load_and_wait, "restored": greet}
        connection.start_actor("a1", generation=2, hibernating=[client])
        await settle()
        connection.abort()
        await settle()
        go_on.set()
        await asyncio.sleep(0.5)
        second = await current.engine.accept(timeout=60)
        client.connection = second
        await second.init()
        await second.running("a1")
        running_at = current.now
        assert await client.receive() == REPLAY
        assert await client.receive() == "welcome back"
        assert current.now - running_at >= ATTACH_SECONDS


async def woken(runner: Room, connection: RunnerConnection, client: ClientWebSocket) -> None:
    """The actor sleeps, and wakes with the client."""
    await asleep(runner, connection)
    connection.start_actor("a1", generation=2, hibernating=[client])
    await connection.running("a1")


async def send(runner: Room, path: str, message: str) -> None:
    """The actor sends to the client with this path."""
    (ws,) = (ws for ws in runner.actors["a1"].websockets if ws.path == path)
    await ws.send(message)
