"""Plain WebSockets through the real gateway: messages, closes, and what becomes of them when the actor stops."""

from __future__ import annotations

import asyncio
from typing import Unpack

import pytest

from rivet_runner import Actor, PayloadTooLarge, Request, Runner, WebSocket, WebSocketClosed
from rivet_runner.config import RunnerOptions
from rivet_runner.testing import EngineApi
from tests.engine.rooms import asleep, clients, close_of, created
from tests.engine.support import Engine
from tests.support.rooms import Room
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


async def test_text_and_binary_arrive_in_order_when_they_are_mixed(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name):
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/plain?echo") as [client]:
            sent: list[str | bytes] = ["a", b"b", "", b"", "grün ✓", b"\x00\xff", *[f"{n}" for n in range(200)]]
            for message in sent:
                await client.send(message)
            assert [await client.recv() for _ in sent] == sent


async def test_messages_wait_when_the_actor_is_still_starting(engine: Engine, api: EngineApi, runner_name: str) -> None:
    hooks = {"on_actor_start": lambda _: asyncio.sleep(1)}
    async with Room(endpoint=engine.endpoint, runner_name=runner_name, hooks=hooks):
        actor = await api.create_actor("room", runner_name=runner_name)
        async with clients(api, actor.actor_id, "/plain?echo") as [client]:
            for number in range(20):
                await client.send(f"{number}")
            assert [await client.recv() for _ in range(20)] == [f"{number}" for number in range(20)]


class Closing(Runner):
    """Closes as its path says."""

    def __init__(self, **options: Unpack[RunnerOptions]) -> None:
        super().__init__(**options)
        self.seen: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        if request.path == "/refuse":
            raise RuntimeError("a secret")
        return request.path.startswith("/hibernatable")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        command = ws.path.rsplit("/", 1)[-1]
        if command == "raise":
            raise RuntimeError("a secret")
        if command == "return":
            return
        if command.isdigit():
            await ws.close(int(command), "ü" * 100)
            return
        async for _ in ws:
            pass
        self.seen.put_nowait((ws.close_code, ws.close_reason))


@pytest.mark.parametrize("kind", ["plain", "hibernatable"])
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("return", (1000, "")),
        ("raise", (1011, "ws.handler_error")),
        ("1000", (1000, "ü" * 61)),
        ("1001", (1001, "ü" * 61)),
        ("1011", (1011, "ü" * 61)),
        ("3000", (3000, "ü" * 61)),
        ("4999", (4999, "ü" * 61)),
    ],
)
async def test_the_client_sees_the_close_when_the_handler_ends(
    engine: Engine, api: EngineApi, runner_name: str, kind: str, command: str, expected: tuple[int, str]
) -> None:
    async with Closing(endpoint=engine.endpoint, runner_name=runner_name):
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, f"/{kind}/{command}") as [client]:
            code, reason = await close_of(client)
            assert code == expected[0]
            assert reason == (expected[1] or reason)


async def test_the_client_sees_1011_at_once_when_can_hibernate_raises(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Closing(endpoint=engine.endpoint, runner_name=runner_name):
        actor_id = await created(api, runner_name)
        async with asyncio.timeout(300), clients(api, actor_id, "/refuse") as [client]:
            assert await close_of(client) == (1011, "ws.handler_error")
    assert "a secret" in caplog.text


@pytest.mark.parametrize("kind", ["plain", "hibernatable"])
@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (1001, ""), (4321, "x" * 123)])
async def test_the_handler_sees_the_close_when_the_client_closes(
    engine: Engine, api: EngineApi, runner_name: str, kind: str, code: int, reason: str
) -> None:
    async with Closing(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, f"/{kind}/listen") as [client]:
            await client.close(code, reason)
            assert await asyncio.wait_for(runner.seen.get(), 60) == (code, reason)
        await eventually(lambda: runner.actors[actor_id].websockets == ())


async def test_the_handler_sees_1011_when_the_client_vanishes(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with Closing(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/plain/listen") as [client]:
            await eventually(lambda: runner.actors[actor_id].websockets)
            client.transport.abort()
            assert await asyncio.wait_for(runner.seen.get(), 60) == (1011, "ws.downstream_closed")


async def test_a_plain_socket_is_closed_and_a_hibernatable_one_stays_when_the_actor_sleeps(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/plain", "/room?echo") as [plain, hibernatable]:
            await eventually(lambda: len(runner.actors[actor_id].websockets) == 2)
            await asleep(runner, actor_id)
            assert await close_of(plain) == (1000, "actor.stopped")
            await hibernatable.send("still here")
            assert await hibernatable.recv() == "still here"
        assert runner.ended[:2] == [("/plain", False, 1000, "actor.stopped"), ("/room", False, None, None)]


@pytest.mark.parametrize("path", ["/plain", "/room"])
async def test_clients_see_1001_when_the_actor_destroys_itself(
    engine: Engine, api: EngineApi, runner_name: str, path: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, path) as [client]:
            await eventually(lambda: runner.actors[actor_id].websockets)
            runner.actors[actor_id].destroy()
            assert await close_of(client) == (1001, "actor.stopped")


class Sending(Runner):
    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        with pytest.raises(PayloadTooLarge, match=r"1025 bytes .* 1024"):
            await ws.send(b"x" * 1025)
        await ws.send(b"y" * 1024)
        with pytest.raises(ValueError, match="1005"):
            await ws.close(1005)
        await ws.close(4000, "done")
        await ws.close(4001, "again")
        for call in (ws.recv, lambda: ws.send("late")):
            with pytest.raises(WebSocketClosed) as info:
                await call()
            assert (info.value.code, info.value.reason, info.value.hibernated) == (4000, "done", False)
        actor.state = "checked"


async def test_a_message_is_refused_and_the_rest_goes_on_when_it_is_too_large(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with Sending(endpoint=engine.endpoint, runner_name=runner_name, max_payload=1024) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/") as [client]:
            assert await client.recv() == b"y" * 1024
            assert await close_of(client) == (4000, "done")
        assert runner.actors[actor_id].state == "checked"


async def test_a_broadcast_reaches_the_others_when_one_socket_has_closed(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/1", "/plain/2", "/room/3") as [one, two, three]:
            actor = runner.actors[actor_id]
            await eventually(lambda: len(actor.websockets) == 3)
            await two.close()
            await eventually(lambda: len(actor.websockets) == 2)
            assert await actor.broadcast("to all") == 2
            assert [await one.recv(), await three.recv()] == ["to all", "to all"]


@pytest.mark.parametrize("path", ["/plain", "/room"])
async def test_clients_are_closed_when_the_actor_is_deleted(
    engine: Engine, api: EngineApi, runner_name: str, path: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, path) as [client]:
            await eventually(lambda: runner.actors[actor_id].websockets)
            await api.destroy_actor(actor_id)
            assert await close_of(client) == (1001, "actor.stopped")


async def test_a_hibernating_client_stays_when_the_runner_drains(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as first:
        actor_id = await created(api, runner_name)
        client = await api.websocket(actor_id, "/room?echo").__aenter__()
        await eventually(lambda: first.actors[actor_id].websockets)
    async with Room(endpoint=engine.endpoint, runner_name=runner_name):
        await client.send("and now?")
        assert await asyncio.wait_for(client.recv(), 60) == "and now?"
        await client.close()


@pytest.mark.parametrize("fragments", [[b"a\xffb"], [b"x\xe2\x9c", b"y"]])
async def test_a_client_is_closed_when_its_text_is_not_utf_8(
    engine: Engine, api: EngineApi, runner_name: str, fragments: list[bytes]
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/plain?echo") as [client]:
            await client.send([b"\xe2\x9c", b"\x93"], text=True)
            assert await client.recv() == "✓"
            await client.send(fragments, text=True)
            code, reason = await close_of(client)
            assert (code, reason.partition("#")[0]) == (1011, "core.internal_error")
            await eventually(lambda: runner.ended == [("/plain", False, 1011, "ws.downstream_closed")])


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/plain", "/room/slow"])
async def test_a_client_gets_everything_when_it_does_not_read_for_a_while(
    engine: Engine, api: EngineApi, runner_name: str, path: str
) -> None:
    async with asyncio.timeout(300), Room(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, path, "/room?echo") as [slow, other]:
            slow.transport.pause_reading()
            texts = [f"{number}".ljust(10_000) for number in range(2_000)]
            # The engine answers a client before the runner hears of it.
            await eventually(lambda: len(runner.actors[actor_id].websockets) == 2)
            (ws,) = [ws for ws in runner.actors[actor_id].websockets if ws.path == path]
            for text in texts:
                await ws.send(text)
            await other.send("I read")
            assert await other.recv() == "I read", "the others do not wait for it"
            slow.transport.resume_reading()
            assert [await slow.recv() for _ in texts] == texts
