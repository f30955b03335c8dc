"""Handles: how they find their actor, call it, and what they make of its answers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.actors import ActorError, UserError
from rivet_runner.actors._wire.values import load_cbor
from rivet_runner.actors.client import Client
from rivet_runner.actors.errors import CallTimeout, ClientError, ConnectionLost, EngineUnreachable
from rivet_runner.testing import SimulatedEngine
from tests.actors.client.fake_actor import FakeActors
from tests.actors.client.script import Script, client_on
from tests.simulated.rooms import virtual


async def echo(*args: Any) -> Any:
    return list(args)


# Finding the actor


async def test_an_actor_is_created_when_it_is_first_called(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        room = rivet.client.get_or_create("room", "org", "a/b,c", input={"size": 3})
        assert runner.started == []
        assert await room.call("echo", 1) == [1]
        [actor] = runner.started
        assert (actor.name, actor.key) == ("room", r"org/a\/b,c")
        assert load_cbor(actor.input or b"") == {"size": 3}
        assert await room.resolve() == actor.id


async def test_many_calls_of_a_new_actor_create_it_once(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        rooms = [rivet.client.get_or_create("room", "a") for _ in range(3)]
        await asyncio.gather(*(room.call("echo") for room in rooms for _ in range(5)))
        assert len(runner.started) == 1


async def test_get_finds_an_actor_and_creates_none(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors):
        room = rivet.client.get("room", "a")
        with pytest.raises(ActorError, match=r"actor.not_found: there is no actor room/a: get_or_create makes one"):
            await room.call("echo")
        created = await rivet.create("room", key="a")
        assert await room.resolve() == created.id


async def test_create_makes_a_new_actor_and_refuses_a_key_that_is_taken(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        room = await rivet.client.create("room", "a")
        assert await room.call("echo") == []
        with pytest.raises(ActorError) as caught:
            await rivet.client.create("room", "a")
        assert (caught.value.code, caught.value.metadata["existing_actor_id"]) == ("duplicate_key", await room.resolve())


async def test_an_actor_is_called_by_its_id(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        actor = await rivet.create("room")
        assert await rivet.client.get_for_id("room", actor.id).call("echo", "x") == ["x"]
        await actor.destroy()
        with pytest.raises(ActorError, match=r"actor\.not_found"):
            await rivet.client.get_for_id("room", actor.id).call("echo", "x")


async def test_a_handle_finds_the_actor_that_replaces_a_destroyed_one(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        room = rivet.client.get_or_create("room", "a")
        found = rivet.client.get("room", "a")
        first = await room.resolve()
        assert await found.resolve() == first
        await rivet.get(first).destroy()
        assert await room.call("echo", 1) == [1]
        assert await found.call("echo", 2) == [2]
        assert await room.resolve() == await found.resolve() != first


@pytest.mark.parametrize(("seconds", "times"), [(0.1, 2), (0.2, 1)])
@virtual
async def test_a_call_that_the_gateway_may_have_delivered_is_not_repeated(seconds: float, times: int) -> None:
    """The gateway tries again after 0.15 s. If the actor destroyed itself in its first run, it then finds no actor."""
    gone = b'{"group":"actor","code":"not_found","message":"m"}'
    first, second = ((200, b'{"actor":{"actor_id":"%b"},"created":false}' % name) for name in (b"first", b"second"))
    transport = Script([first, (404, gone), second, (404, gone)], {"x-rivet-error": "actor.not_found"}, seconds)
    with pytest.raises(ActorError, match="not_found"):
        await client_on(transport).get_or_create("room", "a").call("leave")
    assert [method for method, _ in transport.asked].count("POST") == times


async def test_a_creation_that_two_clients_race_for_is_asked_for_again() -> None:
    answers = [b'{"group":"actor","code":"destroyed_during_creation","message":"m"}'] * 2
    transport = Script([(400, answers[0]), (400, answers[1]), (200, b'{"actor":{"actor_id":"id"},"created":false}')])
    assert await client_on(transport).get_or_create("room", "a").resolve() == "id"
    assert len(transport.asked) == 3


@virtual
async def test_a_race_that_the_engine_gives_up_is_entered_again_if_nothing_can_be_created_twice() -> None:
    answers = [
        (500, b'{"group":"core","code":"internal_error","message":"m"}'),
        (200, b'{"actor":{"actor_id":"id"},"created":false}'),
    ]
    transport = Script([*answers], seconds=25.0)
    assert await client_on(transport).get_or_create("room", "a").resolve() == "id"
    transport = Script([*answers])
    with pytest.raises(ActorError, match="internal_error"):
        await client_on(transport).create("room", "a")
    assert len(transport.asked) == 1


# What is sent, and what comes back


class Point(msgspec.Struct):
    x: int
    y: float = 0.0


VALUES = [
    None,
    True,
    2**31,
    2**53 - 1,
    -(2**53),
    2**64 + 1,
    1.5,
    "text ✓",
    b"bytes",
    datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
    {1, 2},
    {"a": [1, {"b": None}]},
    "$Undefined",
    ["$BigInt", "1"],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_plain_data_goes_there_and_back(rivet: SimulatedEngine, value: Any) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        assert await rivet.client.get_or_create("room", "a").call("echo", value) == [value]


async def test_objects_are_sent_as_plain_data(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        room = rivet.client.get_or_create("room", "a")
        assert await room.call("echo", Point(1), (2,)) == [{"x": 1, "y": 0.0}, [2]]
        with pytest.raises(TypeError):
            await room.call("echo", object())
        with pytest.raises(ValueError, match="time zone"):
            await room.call("echo", datetime(2026, 1, 1))


async def test_an_action_name_of_any_characters_reaches_the_actor(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["a b/ß?"] = echo
        assert await rivet.client.get_or_create("room", "a").call("a b/ß?") == []


async def test_parameters_and_the_token_go_with_each_request() -> None:
    async with SimulatedEngine(settings={"admin_token": "secret"}) as engine, engine.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        room = engine.client.get_or_create("room", "a", params={"user": "Ädä"})
        await room.call("echo")
        await room.fetch("GET")
        for request in runner.requests:
            assert request.headers["x-rivet-conn-params"] == '{"user": "\\u00c4d\\u00e4"}'
            assert request.headers["x-rivet-token"] == "secret"
            assert "authorization" not in request.headers


async def test_errors_of_an_actor_have_their_group_code_and_metadata(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        room = rivet.client.get_or_create("room", "a")

        async def refuse() -> None:
            raise UserError("only up", code="negative", metadata={"by": -1})

        runner.actions["refuse"] = refuse
        with pytest.raises(UserError, match=r"^user.negative: only up$") as caught:
            await room.call("refuse")
        assert caught.value.metadata == {"by": -1}
        with pytest.raises(ActorError) as unknown:
            await room.call("missing")
        assert (type(unknown.value), unknown.value.group, unknown.value.code) == (ActorError, "actor", "action_not_found")


async def test_errors_of_the_engine_say_what_to_do() -> None:
    async with SimulatedEngine() as engine:
        with pytest.raises(ActorError, match=r"actor.no_runner_config_configured: .*; start a runner of this pool"):
            await engine.client.get_or_create("room", "a").resolve()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"garbage", ClientError),
        (200, b"", ClientError),
        (502, b"<html>Bad Gateway</html>", ActorError),
        (500, b'{"group":"a"}', ActorError),
        (500, b"\xff\xfe", ActorError),
    ],
)
async def test_an_answer_that_is_garbage_is_an_error(status: int, body: bytes, error: type[Exception]) -> None:
    transport = Script([(status, body)])
    with pytest.raises(error):
        await client_on(transport).get_for_id("room", "id").call("echo")


async def test_an_actor_that_speaks_another_protocol_is_told_apart(rivet: SimulatedEngine) -> None:
    class Other(FakeActors):
        async def fetch(self, actor: Actor, request: Request) -> Response:
            return Response("what?", 500)

    async with rivet.host(Other):
        with pytest.raises(ActorError, match=r"http.unexpected_answer: HTTP 500 what\?$"):
            await rivet.client.get_or_create("room", "a").call("echo")


async def test_an_engine_that_is_none_is_told_apart() -> None:
    transport = Script([(404, b"<html>Not here</html>")])
    with pytest.raises(ActorError, match=r"http.unexpected_answer: HTTP 404 <html>Not here</html>; correct the endpoint"):
        await client_on(transport).get_or_create("room", "a").resolve()


# Raw requests


async def test_fetch_reaches_the_request_path_and_returns_any_status(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        room = rivet.client.get_or_create("room", "a")
        response = await room.fetch("POST", "/files/%C3%9F?q=1", headers={"X-A": "b"}, body="content")
        assert (response.status, response.body) == (418, b"POST /request/files/%C3%9F?q=1 content")
        assert runner.requests[-1].headers["x-a"] == "b"
        assert (await room.fetch("GET")).body == b"GET /request/? "
        with pytest.raises(ValueError, match="percent-encoded"):
            await room.fetch("GET", "a b")


async def test_fetch_raises_the_errors_of_the_engine_alone(rivet: SimulatedEngine) -> None:
    class Missing(FakeActors):
        async def answer(self, actor: Actor, request: Request) -> Response:
            return Response("nothing here", 404)

    async with rivet.host(Missing):
        assert (await rivet.client.get_or_create("room", "a").fetch("GET", "x")).status == 404
        with pytest.raises(ActorError, match="not_found"):
            await rivet.client.get("room", "other").fetch("GET", "x")


# Failures on the way


async def test_a_call_ends_with_its_time(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["never"] = lambda: asyncio.Event().wait()
        room = rivet.client.get_or_create("room", "a")
        began = asyncio.get_running_loop().time()
        with pytest.raises(CallTimeout, match=r"no answer to never of room/a within 60 s; it may have been carried out"):
            await room.call("never")
        assert asyncio.get_running_loop().time() - began == 60
        await rivet.advance(0)
        assert rivet.open_requests == 0


async def test_a_cancelled_call_leaves_the_gateway(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["never"] = lambda: asyncio.Event().wait()
        calling = asyncio.create_task(rivet.client.get_or_create("room", "a").call("never"))
        await rivet.advance(1)
        assert rivet.open_requests == 1
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await rivet.advance(1)
        assert rivet.open_requests == 0


async def test_an_engine_that_is_down_is_unreachable_and_one_that_goes_down_is_lost(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["never"] = lambda: asyncio.Event().wait()
        room = rivet.client.get_or_create("room", "a")
        calling = asyncio.create_task(room.call("never"))
        await rivet.advance(1)
        restarting = asyncio.create_task(rivet.restart(outage=5))
        with pytest.raises(ConnectionLost, match="it may have been carried out"):
            await calling
        with pytest.raises(EngineUnreachable, match=r"no engine at http://simulated.invalid: start it, or correct"):
            await room.call("never")
        await restarting


async def test_two_actors_that_call_each_other_do_not_wait_for_ever(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:

        async def bounce(other: str, times: int) -> int:
            if times == 0:
                return 0
            mine = "b" if other == "a" else "a"
            below: int = await rivet.client.get_or_create("room", other).call("bounce", mine, times - 1)
            return below + 1

        runner.actions["bounce"] = bounce
        assert await rivet.client.get_or_create("room", "a").call("bounce", "b", 20) == 20


async def test_a_closed_client_makes_no_calls(rivet: SimulatedEngine) -> None:
    async with Client("http://127.0.0.1:1") as client:
        room = client.get_or_create("room", "a")
    with pytest.raises(RuntimeError, match="closed"):
        await room.call("echo")


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "60"])
def test_a_timeout_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Client(timeout=wrong)


def test_names_that_are_none_are_refused() -> None:
    client = Client()
    with pytest.raises(TypeError, match="by its class or its name"):
        client.get(42, "a")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="empty"):
        client.get("", "a")
    with pytest.raises(TypeError, match="int is no DurableActor"):
        client.get(int, "a")


def test_a_client_takes_what_it_is_not_given_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVET_ENDPOINT", "https://space:secret@engine.example/rivet/")
    assert repr(Client()) == "<Client of https://engine.example/rivet, namespace space>"
    assert repr(Client(namespace="mine")) == "<Client of https://engine.example/rivet, namespace mine>"
