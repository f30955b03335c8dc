"""A gap in what a client sent is repaired, whatever comes in between: in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from rivet_runner import HibernationRecord
from rivet_runner._sockets.turns import SAFE_BURST, ReplayTurns
from rivet_runner.protocol.v3 import ToServerWebSocketClose
from rivet_runner.testing.hibernation import MemoryHibernationStore
from rivet_runner.testing.scripted_engine import ClientWebSocket
from tests.support.replaying import REPLAY, all_lost, asleep, everything, reconnected, replays_asked, rooms, texts
from tests.support.scene import settle
from tests.support.virtual_time import virtual_time


def given_up(client: ClientWebSocket) -> bool:
    return client.replies[-1].message_kind == ToServerWebSocketClose(1008, "ws.message_index_skip", False)


@virtual_time
async def test_it_is_asked_for_again_when_the_end_of_a_replay_is_lost() -> None:
    async with rooms(1) as (_, runner, _connection, [client], _gateway):
        client.send("0")
        await settle()
        all_lost([client], texts(10)[1:9])
        client.send("9")
        await settle()
        client.replay([*client.unacknowledged][:4])
        await asyncio.sleep(0.01)
        assert runner.by_path["/0"] == texts(5), "the first message was acknowledged before"
        await asyncio.sleep(1)
        assert runner.by_path["/0"] == texts(10)


@virtual_time
async def test_a_slow_engine_is_waited_for_when_a_replay_is_to_begin_but_not_in_the_middle_of_it() -> None:
    async with rooms(1) as (current, runner, _connection, [client], gateway):
        gateway.sockets.clear()
        current.engine.kv.delay = 0.1
        await runner.actors["a1"].kv.put(b"key", b"value")
        all_lost([client], texts(9))
        client.send("9")
        await asyncio.sleep(1.9)
        assert replays_asked(client) == 1, "it takes its time"
        client.replay([*client.unacknowledged][:4])
        await asyncio.sleep(0.6)
        assert replays_asked(client) == 2, "its end is lost"
        assert runner.by_path["/0"] == texts(4)
        client.replay()
        await settle()
        assert runner.by_path["/0"] == texts(10)


@virtual_time
async def test_it_is_asked_for_again_at_once_when_a_replay_has_ended_without_its_beginning() -> None:
    async with rooms(1) as (_, runner, _connection, [client], gateway):
        gateway.sockets.clear()
        all_lost([client], texts(9))
        client.send("9")
        await settle()
        for times in range(1, 21):
            assert replays_asked(client) == times
            client.replay([*client.unacknowledged][3:])
            await asyncio.sleep(0.01)
        client.replay()
        await settle()
        assert runner.by_path["/0"] == texts(10)
        assert not given_up(client), "a busy engine loses the beginning several times within a second"


@pytest.mark.slow
@virtual_time
async def test_the_client_is_closed_when_no_replay_brings_the_next_message_for_seconds() -> None:
    async with rooms(1) as (_, runner, _connection, [client], gateway):
        gateway.sockets.clear()
        client.send_lost("0")
        client.send("1")
        for _ in range(600):
            client.replay([*client.unacknowledged][1:])
            await asyncio.sleep(0.01)
        assert given_up(client)
        assert not runner.by_path


@virtual_time
async def test_a_client_is_asked_for_on_the_new_connection_when_its_repair_of_before_still_waits() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        runner.free.clear()
        for text in texts(300):
            client.send(text)
        client.send_lost("300")
        client.send("301")
        await asyncio.sleep(2)
        assert gateway.asked == {client: 0}, "the repair waits for the handler"
        client.replay([*client.unacknowledged][300:])
        await settle()
        client.send_lost("302")
        await reconnected(current, connection, [client])
        await asyncio.sleep(2)
        assert gateway.asked == {client: 1}
        runner.free.set()
        await settle()
        assert runner.by_path == everything(1, 303)


@virtual_time
async def test_clients_with_a_gap_are_asked_for_at_once_when_the_connection_of_their_repairs_was_lost() -> None:
    async with rooms(60) as (current, runner, connection, clients, gateway):
        gateway.sockets = []
        for client in clients:
            all_lost([client], texts(49))
            client.send("49")
        await asyncio.sleep(0.1)
        assert sum(map(replays_asked, clients)) == SAFE_BURST // 64, "these have their turns, and nothing comes"
        await reconnected(current, connection, clients)
        assert sum(map(replays_asked, clients)) == SAFE_BURST // 64, "nothing is asked for in an outage"
        gateway.sockets = clients
        await asyncio.sleep(1)
        assert runner.by_path == everything(60, 50)
        assert gateway.largest <= SAFE_BURST


@virtual_time
async def test_the_client_stays_when_the_connection_is_cut_again_and_again_in_a_repair() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        client.send_lost("0")
        client.send("1")
        for _ in range(5):
            await asyncio.sleep(3)
            connection.abort()
            connection = await current.reconnected()
        assert client.replies[-1].message_kind == REPLAY
        client.connection = connection
        client.replay()
        await settle()
        assert runner.by_path == {"/0": ["0", "1"]}


@virtual_time
async def test_nothing_more_is_asked_for_when_the_client_closes_in_the_middle_of_a_repair() -> None:
    async with rooms(1) as (_, runner, _connection, [client], gateway):
        gateway.sockets.clear()
        client.send("0")
        client.send_lost("1")
        client.send("2")
        await asyncio.sleep(0.3)
        client.close()
        await settle()
        requests = replays_asked(client)
        assert requests >= 1
        await asyncio.sleep(20)
        assert runner.by_path == {"/0": ["0"]}
        assert replays_asked(client) == requests


@virtual_time
async def test_replays_take_turns_when_many_clients_have_a_gap() -> None:
    async with rooms(60) as (_, runner, _connection, clients, gateway):
        for client in clients:
            for text in texts(49):
                client.send_lost(text)
            client.send("49")
        await asyncio.sleep(5)
        assert runner.by_path == everything(60, 50)
        assert gateway.largest <= SAFE_BURST


@virtual_time
async def test_what_was_held_leaves_when_the_actor_sleeps_in_the_middle_of_a_repair() -> None:
    async with rooms(1) as (_, runner, connection, [client], gateway):
        gateway.sockets.clear()
        client.send_lost("0")
        client.send("1")
        await settle()
        (ws,) = runner.actors["a1"].websockets
        await ws.send("held")
        await asleep(runner, connection)
        assert [await client.receive(), await client.receive()] == [REPLAY, "held"]


@pytest.mark.parametrize("failure", [ZeroDivisionError("a store with a bug"), None])
@virtual_time
async def test_replays_come_all_the_same_when_records_cannot_be_stored(failure: Exception | None) -> None:
    mended = asyncio.Event()

    class Store(MemoryHibernationStore):
        async def save_many(self, records: Sequence[HibernationRecord]) -> None:
            if failure is not None and not mended.is_set():
                raise failure
            await mended.wait()

    async with rooms(2, hibernation_store=lambda actor: Store()) as (current, runner, connection, [one, other], _):
        one.send("0")
        other.send_lost("0")
        await settle()
        one.send_lost("1")
        one.send("2")
        await asyncio.sleep(3)
        assert runner.by_path == {"/0": texts(3)}
        await reconnected(current, connection, [one, other])
        await asyncio.sleep(3)
        assert runner.by_path == {"/0": texts(3), "/1": ["0"]}
        mended.set()
        await asyncio.sleep(3)
        assert [client.acknowledged for client in (one, other)] == [[3], [1]]
        assert {*current.errors} == ({"[actor a1] the hibernation store raised, trying again"} if failure else set())
        current.errors.clear()


@virtual_time
async def test_turns_come_in_order_and_free_their_share_when_somebody_is_cancelled() -> None:
    turns = ReplayTurns(lambda: 0.0)
    entered: list[str] = []

    async def wait(name: str, messages: int) -> None:
        async with turns.turn(messages):
            entered.append(name)
            await asyncio.sleep(1)

    names = {"all": SAFE_BURST, "far too many": 100 * SAFE_BURST, "one": 1, "two": 2}
    tasks = {name: asyncio.create_task(wait(name, messages)) for name, messages in names.items()}
    await settle()
    assert entered == ["all"]
    tasks["far too many"].cancel()
    await settle()
    assert entered == ["all"]
    await asyncio.sleep(1)
    assert entered == ["all", "one", "two"]
    tasks["one"].cancel()
    await asyncio.sleep(1)
    async with asyncio.timeout(0.1), turns.turn(SAFE_BURST):
        assert tasks["two"].done()
