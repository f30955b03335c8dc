"""What the engine has lost is fetched from its gateway: against one whose queue is short, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from rivet_runner import Actor, HibernationRecord, Request, WebSocket
from rivet_runner.hosting.replays import LOOK_SECONDS, LOOKS, MOST_AT_ONCE, SAFE_BURST, Replays
from rivet_runner.protocol.v3 import ToServerWebSocketClose, ToServerWebSocketMessage
from rivet_runner.testing.hibernation import MemoryHibernationStore
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.connection.scene import HookedRunner, Scene, scene, settle
from tests.support.virtual_time import virtual_time

REPLAY = ToServerWebSocketClose(None, None, True)

QUEUE = 1000


class Room(HookedRunner):
    """Hibernates everything and notes what arrives at each path."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.received: dict[str, list[str]] = {}

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            self.received.setdefault(ws.path, []).append(str(message))


class Gateway:
    """Attaches the clients whose replay was asked for, and loses all but the newest `QUEUE` messages of each moment."""

    def __init__(self, sockets: list[ClientWebSocket]) -> None:
        self.sockets = sockets
        self.attach_seconds = 0.05
        self.asked = dict.fromkeys(sockets, 0)
        self.largest = 0
        """The most messages that were replayed at once."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.attach_seconds)
            self.replay([socket for socket in self.sockets if self._requests(socket) > self.asked[socket]])

    def replay(self, sockets: list[ClientWebSocket]) -> None:
        burst = [(socket, index) for socket in sockets for index in socket.unacknowledged]
        self.largest = max(self.largest, len(burst))
        for socket in sockets:
            self.asked[socket] = self._requests(socket)
        for socket, index in burst[-QUEUE:]:
            socket.replay([index])

    @staticmethod
    def _requests(socket: ClientWebSocket) -> int:
        return sum(reply.message_kind == REPLAY for reply in socket.replies)


@contextlib.asynccontextmanager
async def rooms(
    sockets: int, **options: Any
) -> AsyncIterator[tuple[Scene, Room, RunnerConnection, list[ClientWebSocket], Gateway]]:
    """A runner with one actor and so many clients, whose records are stored."""
    async with scene(kind=Room, **options) as current:
        runner = current.runner
        assert isinstance(runner, Room)
        connection = await current.start()
        await current.actor(connection)
        clients = [connection.open_websocket("a1", f"/{number}") for number in range(sockets)]
        for client in clients:
            await client.opened()
        await asyncio.sleep(1)
        gateway = Gateway(clients)
        running = asyncio.create_task(gateway.run())
        try:
            yield current, runner, connection, clients, gateway
        finally:
            running.cancel()
            await asyncio.wait([running])


def texts(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def everything(clients: int, messages: int) -> dict[str, list[str]]:
    return {f"/{number}": texts(messages) for number in range(clients)}


async def reconnected(current: Scene, connection: RunnerConnection, clients: list[ClientWebSocket]) -> None:
    """Another connection; the clients are asked for no replay before it is there."""
    connection.abort()
    second = await current.engine.accept(timeout=60)
    for client in clients:
        client.connection = second
    await second.init()


@virtual_time
async def test_it_is_asked_for_again_when_the_end_of_a_replay_is_lost() -> None:
    async with rooms(1) as (_, runner, _connection, [client], _gateway):
        client.send("0")
        await settle()
        for text in texts(10)[1:9]:
            client.send_lost(text)
        client.send("9")
        await settle()
        client.replay([*client.unacknowledged][:4])
        await asyncio.sleep(0.01)
        assert runner.received["/0"] == texts(5), "the first message was acknowledged before"
        await asyncio.sleep(1)
        assert runner.received["/0"] == texts(10)


@virtual_time
async def test_everything_arrives_when_what_was_missed_is_more_than_the_engine_queues() -> None:
    async with rooms(200) as (current, runner, connection, clients, gateway):
        for client in clients:
            for text in texts(40):
                client.send_lost(text)
        await reconnected(current, connection, clients)
        began = current.now
        while runner.received != everything(200, 40):
            await asyncio.sleep(0.1)
            assert current.now - began < 25, "the gateway gives a client up after 30 s"
        assert gateway.largest == MOST_AT_ONCE * 40, "how much there is shows with the first replays"


@virtual_time
async def test_everything_arrives_when_the_gateway_is_slower_than_expected() -> None:
    async with rooms(30) as (current, runner, connection, clients, gateway):
        gateway.attach_seconds = 2.0
        for client in clients:
            for text in texts(40):
                client.send_lost(text)
        await reconnected(current, connection, clients)
        await asyncio.sleep(20)
        assert runner.received == everything(30, 40)


@virtual_time
async def test_the_looks_end_when_clients_go_on_talking() -> None:
    async with rooms(150) as (current, runner, connection, clients, gateway):
        await reconnected(current, connection, clients)
        for number in range(25):
            await asyncio.sleep(1)
            for client in clients:
                client.send(str(number))
        await settle()
        assert runner.received == everything(150, 25)
        assert {*gateway.asked.values()} == {LOOKS}


@virtual_time
async def test_nobody_is_asked_twice_when_little_was_missed() -> None:
    async with rooms(100) as (current, runner, connection, clients, gateway):
        for client in clients[:50]:
            client.send_lost("0")
        await reconnected(current, connection, clients)
        await asyncio.sleep(10)
        assert runner.received == everything(50, 1)
        assert {*gateway.asked.values()} == {1}


@virtual_time
async def test_a_client_is_left_alone_when_it_was_heard_on_the_new_connection() -> None:
    async with rooms(2) as (current, runner, connection, [speaks, silent], gateway):
        silent.send_lost("0")
        await reconnected(current, connection, [speaks, silent])
        speaks.send("0")
        await asyncio.sleep(10)
        assert runner.received == everything(2, 1)
        assert gateway.asked == {speaks: 0, silent: 1}


@virtual_time
async def test_replays_take_turns_when_many_clients_have_a_gap() -> None:
    async with rooms(60) as (_, runner, _connection, clients, gateway):
        for client in clients:
            for text in texts(49):
                client.send_lost(text)
            client.send("49")
        await asyncio.sleep(5)
        assert runner.received == everything(60, 50)
        assert gateway.largest <= SAFE_BURST


@virtual_time
async def test_everything_arrives_when_an_actor_wakes_to_more_than_the_engine_queues() -> None:
    async with rooms(100) as (_, runner, connection, clients, gateway):
        runner.actors["a1"].sleep()
        connection.stop_actor("a1")
        await connection.stopped("a1")
        for client in clients:
            for text in texts(30):
                client.send_lost(text)
        connection.start_actor("a1", generation=2, hibernating=clients)
        await connection.running("a1")
        gateway.replay(clients)
        await settle()
        assert sum(map(len, runner.received.values())) <= 1000
        await asyncio.sleep(10)
        assert runner.received == everything(100, 30)


@virtual_time
async def test_nothing_is_asked_for_when_an_actor_wakes_to_little() -> None:
    async with rooms(100) as (_, runner, connection, clients, gateway):
        runner.actors["a1"].sleep()
        connection.stop_actor("a1")
        await connection.stopped("a1")
        connection.start_actor("a1", generation=2, hibernating=clients)
        await connection.running("a1")
        for client in clients:
            client.send("0")
        await asyncio.sleep(10)
        assert runner.received == everything(100, 1)
        assert {*gateway.asked.values()} == {0}


@virtual_time
async def test_what_a_silent_client_said_arrives_when_the_burst_of_another_has_pushed_it_out() -> None:
    async with rooms(3) as (_, runner, _connection, [bursting, silent, speaks], gateway):
        silent.send_lost("0")
        for text in texts(40)[:39]:
            bursting.send_lost(text)
        bursting.send("39")
        await asyncio.sleep(1)
        speaks.send("0")
        assert runner.received == {"/0": texts(40)}
        await asyncio.sleep(LOOK_SECONDS)
        assert runner.received == {"/0": texts(40), "/1": ["0"], "/2": ["0"]}
        await asyncio.sleep(20)
        assert gateway.asked == {bursting: 1, silent: 1, speaks: 0}


@virtual_time
async def test_what_the_actor_sends_is_held_when_a_message_comes_that_may_have_left_before_the_request() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets.clear()
        await reconnected(current, connection, [client])
        while client.replies[-1].message_kind != REPLAY:
            await asyncio.sleep(0.001)
        client.send("0")
        await settle()
        assert runner.received == {"/0": ["0"]}
        (ws,) = runner.actors["a1"].websockets
        await ws.send("an answer")
        await asyncio.sleep(0.1)
        assert not any(isinstance(reply.message_kind, ToServerWebSocketMessage) for reply in client.replies)
        assert await client.receive() == REPLAY
        assert await client.receive() == "an answer"


@virtual_time
async def test_what_was_held_leaves_when_the_actor_sleeps_in_the_middle_of_a_repair() -> None:
    async with rooms(1) as (_, runner, connection, [client], gateway):
        gateway.sockets.clear()
        client.send_lost("0")
        client.send("1")
        await settle()
        (ws,) = runner.actors["a1"].websockets
        await ws.send("held")
        runner.actors["a1"].sleep()
        connection.stop_actor("a1")
        await connection.stopped("a1")
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
        assert runner.received == {"/0": texts(3)}
        await reconnected(current, connection, [one, other])
        await asyncio.sleep(3)
        assert runner.received == {"/0": texts(3), "/1": ["0"]}
        mended.set()
        await asyncio.sleep(3)
        assert [client.acknowledged for client in (one, other)] == [[3], [1]]
        assert {*current.errors} == ({"[actor a1] the hibernation store raised, trying again"} if failure else set())
        current.errors.clear()


@virtual_time
async def test_turns_come_in_order_and_free_their_share_when_somebody_is_cancelled() -> None:
    replays = Replays(None, None, None, list)  # type: ignore[arg-type]
    entered: list[str] = []

    async def wait(name: str, messages: int) -> None:
        async with replays.turn(messages):
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
    async with asyncio.timeout(0.1), replays.turn(SAFE_BURST):
        assert tasks["two"].done()
