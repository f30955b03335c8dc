"""Live connections: calls and events over one WebSocket."""

from __future__ import annotations

import asyncio
import gc

import pytest

from rivet_runner.actors import ClientError, ConnectionLost, Event, UserError
from rivet_runner.actors._client.subscriptions import MAX_EVENTS
from rivet_runner.actors._wire.messages import ActionResponse
from rivet_runner.actors.errors import CallTimeout
from rivet_runner.testing import SimulatedEngine
from tests.actors.client.fake_actor import FakeActors, echo, never

# Calls


async def test_calls_run_side_by_side_over_one_connection(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        gate = asyncio.Event()

        async def wait() -> str:
            await gate.wait()
            return "waited"

        runner.actions.update(echo=echo, wait=wait)
        async with rivet.client.get_or_create("room", "a", params={"user": 1}).connect() as live:
            waiting = asyncio.create_task(live.call("wait"))
            assert await live.call("echo", b"x", {1}) == [b"x", {1}]
            assert not waiting.done()
            gate.set()
            assert await waiting == "waited"
            assert [live.is_open, live.id] == [True, "connection-0"]
        [conversation] = runner.conversations
        assert conversation.params == {"user": 1}
        assert [live.is_open, live.id] == [False, None]


async def test_errors_of_an_action_reach_its_call_alone(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:

        async def refuse() -> None:
            raise UserError("only up", code="negative", metadata={"by": -1})

        runner.actions.update(echo=echo, refuse=refuse)
        async with rivet.client.get_or_create("room", "a").connect() as live:
            with pytest.raises(UserError, match="negative: only up") as caught:
                await live.call("refuse")
            assert caught.value.metadata == {"by": -1}
            assert await live.call("echo") == []


async def test_a_call_ends_with_its_time_and_its_late_answer_is_nothing(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions.update(echo=echo, never=never)
        async with rivet.client.get_or_create("room", "a").connect() as live:
            with pytest.raises(CallTimeout, match="never of room/a"):
                await live.call("never")
            await runner.conversations[0].send(ActionResponse(1, "late"))
            await runner.conversations[0].send(ActionResponse(99, "nobody asked"))
            assert await live.call("echo", 1) == [1]


async def test_a_connection_is_used_within_its_block(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        live = rivet.client.get_or_create("room", "a").connect()
        with pytest.raises(RuntimeError, match="opened by `async with`"):
            await live.call("echo")
        async with live:
            with pytest.raises(RuntimeError, match="entered once"):
                await live.__aenter__()
        with pytest.raises(ClientError, match="has ended: it was closed"):
            await live.call("echo")
        with pytest.raises(RuntimeError, match="entered once"):
            await live.__aenter__()
        await live.close()
        await live.closed()


async def test_a_call_under_way_fails_when_its_connection_is_closed(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["never"] = never
        async with rivet.client.get_or_create("room", "a").connect() as live:
            calling = asyncio.create_task(live.call("never"))
            await rivet.advance(1)
        with pytest.raises(ConnectionLost, match="the action may have run"):
            await calling


# Events


async def test_events_come_to_those_who_subscribed(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            first, second = live.on("said"), live.on("said")
            await live.call("echo")
            [conversation] = runner.conversations
            assert conversation.subscribed == [("said", True)]
            for args in ([], ["one"], ["two", 2]):
                await conversation.emit("said", *args)
            await conversation.emit("other", 1)
            assert [await anext(first) for _ in range(3)] == [None, "one", ["two", 2]]
            first.close()
            await conversation.emit("said", "three")
            assert [await anext(second) for _ in range(4)] == [None, "one", ["two", 2], "three"]
            assert [value async for value in first] == []
            second.close()
            await live.call("echo")
            # The event that nothing waits for was not asked for either.
            assert conversation.subscribed == [("said", True), ("other", False), ("said", False)]


async def test_a_loop_over_events_ends_with_the_connection(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            events = live.on("said")
            await live.call("echo")
            await runner.conversations[0].emit("said", "last")
            await live.call("echo")
        assert [value async for value in events] == ["last"]
        assert [value async for value in live.on("said")] == []


async def test_values_become_the_type_of_their_event(rivet: SimulatedEngine) -> None:
    class Declared:
        said = Event[int]()

    from rivet_runner.actors._types.convert import ValueType

    Declared.said.type = ValueType(int)
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live, live.on(Declared.said) as said:
            await live.call("echo")
            for value in (1.0, "no number", 2):
                await runner.conversations[0].emit("said", value)
            assert await anext(said) == 1
            with pytest.raises(ClientError, match="a value of the event 'said' does not fit"):
                await anext(said)
            assert await anext(said) == 2


async def test_a_slow_loop_loses_the_oldest_events_and_is_told_how_many(
    rivet: SimulatedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            events = live.on("said")
            await live.call("echo")
            for number in range(MAX_EVENTS + 3):
                await runner.conversations[0].emit("said", number)
            await live.call("echo")
            assert (events.missed, await anext(events)) == (3, 3)
    assert caplog.text.count("too slow") == 1


async def test_few_events_with_many_bytes_are_too_many(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            events = live.on("said")
            await live.call("echo")
            for number in range(4):
                await runner.conversations[0].emit("said", number, bytes(10 * 1024 * 1024))
            await live.call("echo")
            assert (events.missed, (await anext(events))[0]) == (1, 1)


async def test_a_subscription_that_nothing_holds_ends(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            live.on("said")
            gc.collect()
            await live.call("echo")
            await runner.conversations[0].emit("said", 1)
            await rivet.advance(0)
            await live.call("echo")
            assert runner.conversations[0].subscribed == [("said", True), ("said", False)]


async def test_one_task_waits_for_a_subscription_and_a_cancelled_one_loses_nothing(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            events = live.on("said")
            waiting = asyncio.ensure_future(anext(events))
            await live.call("echo")
            with pytest.raises(RuntimeError, match="another task waits"):
                await anext(events)
            waiting.cancel()
            await asyncio.wait([waiting])
            await runner.conversations[0].emit("said", 1)
            assert await anext(events) == 1
