"""Live connections: calls and events over one WebSocket, and what happens when it breaks."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from rivet_runner import Actor
from rivet_runner.actors import ActorError, ClientError, ConnectionLost, Event, UserError
from rivet_runner.actors._client.subscriptions import MAX_EVENTS
from rivet_runner.actors._wire.messages import ActionResponse, Error
from rivet_runner.actors.errors import CallTimeout, EngineUnreachable
from rivet_runner.testing import SimulatedEngine
from tests.actors.client.fake_actor import Conversation, FakeActors
from tests.actors.client.script import Script, client_on


async def echo(*args: Any) -> Any:
    return list(args)


async def never() -> None:
    await asyncio.Event().wait()


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


# Opening


async def test_a_refusal_has_the_error_of_the_actor(rivet: SimulatedEngine) -> None:
    class Refusing(FakeActors):
        async def accept(self, actor: Actor, conversation: Conversation) -> None:
            await conversation.send(Error("user", "banned", "go away", {"for": 5}))
            await conversation.ws.close(1011, "user.banned")

    async with rivet.host(Refusing):
        with pytest.raises(UserError, match="banned: go away") as caught:
            async with rivet.client.get_or_create("room", "a").connect():
                pass
        assert caught.value.metadata == {"for": 5}


async def test_a_close_before_the_init_names_its_reason(rivet: SimulatedEngine) -> None:
    class Closing(FakeActors):
        close = (1011, "actor.too_busy#ray")

        async def accept(self, actor: Actor, conversation: Conversation) -> None:
            await conversation.ws.close(*self.close)

    async with rivet.host(Closing) as runner:
        room = rivet.client.get_or_create("room", "a")
        with pytest.raises(ActorError, match=r"actor\.too_busy"):
            await room.connect().__aenter__()
        runner.close = (1000, "")
        with pytest.raises(ConnectionLost, match=r"before the actor had accepted it \(1000 \)"):
            await room.connect().__aenter__()


async def test_an_actor_that_never_accepts_costs_the_time_limit_and_no_more(rivet: SimulatedEngine) -> None:
    class Silent(FakeActors):
        async def accept(self, actor: Actor, conversation: Conversation) -> None:
            pass

    async with rivet.host(Silent) as runner:
        with pytest.raises(CallTimeout, match="the opening of a connection to room/a within 60 s"):
            await rivet.client.get_or_create("room", "a").connect().__aenter__()
        await rivet.advance(1)
        assert rivet.open_requests == 0
        assert len(runner.conversations) == 1


async def test_an_opening_that_is_cancelled_leaves_nothing(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        gate = asyncio.Event()

        async def accept(actor: Actor, conversation: Conversation) -> None:
            await gate.wait()

        runner.accept = accept  # type: ignore[method-assign]
        opening = asyncio.ensure_future(rivet.client.get_or_create("room", "a").connect().__aenter__())
        await rivet.advance(1)
        assert rivet.open_requests == 1
        opening.cancel()
        await asyncio.wait([opening])
        await rivet.advance(1)
        assert rivet.open_requests == 0


async def test_a_first_message_that_is_garbage_is_an_error(rivet: SimulatedEngine) -> None:
    class Garbage(FakeActors):
        async def accept(self, actor: Actor, conversation: Conversation) -> None:
            await conversation.ws.send("garbage")

    async with rivet.host(Garbage):
        with pytest.raises(ClientError, match="first message cannot be read"):
            await rivet.client.get_or_create("room", "a").connect().__aenter__()


async def test_an_engine_that_is_down_cannot_be_connected_to() -> None:
    room = client_on(Script([])).get_for_id("room", "id")
    with pytest.raises(EngineUnreachable, match="no engine at"):
        await room.connect().__aenter__()


# Breaking


async def test_a_connection_that_breaks_is_made_again_with_its_subscriptions(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions.update(echo=echo, never=never)
        async with rivet.client.get_or_create("room", "a").connect() as live:
            events, gone = live.on("said"), live.on("gone")
            calling = asyncio.create_task(live.call("never"))
            await rivet.advance(1)
            gone.close()
            await runner.conversations[0].ws.close(1011, "core.internal_error")
            with pytest.raises(ConnectionLost):
                await calling
            assert not live.is_open
            assert await live.call("echo", "later") == ["later"]
            assert runner.conversations[1].subscribed == [("said", True)]
            await runner.conversations[1].emit("said", "again")
            assert await anext(events) == "again"
            assert len(runner.conversations) == 2


async def test_a_connection_outlives_an_outage_of_the_engine(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            await rivet.restart(outage=40)
            assert await live.call("echo", 1) == [1]


async def test_attempts_become_rarer_while_they_fail(rivet: SimulatedEngine) -> None:
    """An actor that accepts and closes at once gets no storm of connections."""

    class Flapping(FakeActors):
        async def accept(self, actor: Actor, conversation: Conversation) -> None:
            await conversation.init(actor)
            if len(self.conversations) > 1:
                await conversation.ws.close(1011, "core.internal_error")

    async with rivet.host(Flapping) as runner, rivet.client.get_or_create("room", "a").connect():
        await rivet.advance(1)
        await runner.conversations[0].ws.close(1011, "core.internal_error")
        await rivet.advance(600)
        assert 15 < len(runner.conversations) < 40


async def test_each_connection_is_told(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        opened: list[Any] = []
        async with rivet.client.get_or_create("room", "a").connect() as live:

            async def watch() -> None:
                async for _ in live.openings():
                    opened.append(await live.call("echo", len(opened)))

            watching = asyncio.create_task(watch())
            for times in (1, 2, 3):
                await rivet.advance(10)
                assert len(opened) == times
                await runner.conversations[-1].ws.close(1011, "core.internal_error")
            await rivet.advance(10)
        await watching
        assert opened == [[0], [1], [2], [3]]


async def test_a_message_that_the_actor_refuses_costs_the_connection_and_its_calls(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions.update(echo=echo, never=never)
        async with rivet.client.get_or_create("room", "a").connect() as live:
            calling = asyncio.create_task(live.call("never"))
            await rivet.advance(1)
            await runner.conversations[0].ws.close(1011, "message.incoming_too_long")
            with pytest.raises(ConnectionLost, match=r"ended \(1011 message\.incoming_too_long\) before the answer"):
                await calling
            assert await live.call("echo") == []
            await runner.conversations[1].ws.close(1011, "actor.too_many_subscriptions")
            with pytest.raises(ActorError, match="too_many_subscriptions"):
                await live.closed()


async def test_the_actor_that_disconnects_ends_it_for_good(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            events = live.on("said")
            await live.call("echo")
            await runner.conversations[0].ws.close(1000, "see you")
            await live.closed()
            assert [value async for value in events] == []
            with pytest.raises(ClientError, match="has ended: it was closed"):
                await live.call("echo")
        assert len(runner.conversations) == 1


async def test_an_actor_that_refuses_the_next_connection_ends_it_with_its_error(rivet: SimulatedEngine) -> None:
    class Once(FakeActors):
        async def accept(self, actor: Actor, conversation: Conversation) -> None:
            if len(self.conversations) > 1:
                await conversation.send(Error("user", "banned", "go away"))
                await conversation.ws.close(1011, "user.banned")
            else:
                await conversation.init(actor)

    async with rivet.host(Once) as runner, rivet.client.get_or_create("room", "a").connect() as live:
        events = live.on("said")
        calling = asyncio.ensure_future(anext(events))
        await rivet.advance(1)
        await runner.conversations[0].ws.close(1011, "core.internal_error")
        with pytest.raises(UserError, match="go away"):
            await live.closed()
        with pytest.raises(UserError, match="go away"):
            await calling
        with pytest.raises(ClientError, match=r"has ended: user\.banned: go away"):
            await live.call("echo")


async def test_an_open_connection_that_an_actor_ends_with_an_error_is_not_made_again(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner, rivet.client.get_or_create("room", "a").connect() as live:
        await runner.conversations[0].send(Error("user", "kicked", "too loud"))
        await runner.conversations[0].ws.close(1011, "user.kicked")
        with pytest.raises(UserError, match="too loud"):
            await live.closed()


async def test_an_actor_that_is_destroyed_is_created_again_or_the_end(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        room = rivet.client.get_or_create("room", "a")
        actor_id = await room.resolve()
        async with room.connect() as live, rivet.client.get_for_id("room", actor_id).connect() as bound:
            await rivet.get(actor_id).destroy()
            await rivet.advance(1)
            assert await live.call("echo", 1) == [1]
            assert await room.resolve() != actor_id
            with pytest.raises(ActorError, match=r"actor\.not_found"):
                await bound.closed()


async def test_an_actor_that_sends_garbage_gets_a_new_connection(
    rivet: SimulatedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with rivet.host(FakeActors) as runner:
        runner.actions["echo"] = echo
        async with rivet.client.get_or_create("room", "a").connect() as live:
            await runner.conversations[0].ws.send(b"\xff")
            await rivet.advance(1)
            assert await live.call("echo", 1) == [1]
        assert len(runner.conversations) == 2
        assert "cannot be read" in caplog.text


async def test_closing_the_client_closes_its_connections(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        live = await rivet.client.get_or_create("room", "a").connect().__aenter__()
        await rivet.client.aclose()
        await live.closed()
        await rivet.advance(1)
        assert runner.conversations[0].ws.close_code == 1000


async def test_closing_while_it_is_made_again_ends_it(rivet: SimulatedEngine) -> None:
    async with rivet.host(FakeActors) as runner:
        async with rivet.client.get_or_create("room", "a").connect() as live:
            await runner.conversations[0].ws.close(1011, "core.internal_error")
            await rivet.advance(0.1)
            assert not live.is_open
        await live.closed()
        await rivet.advance(60)
        assert len(runner.conversations) == 1


async def test_a_runner_that_does_not_know_its_actor_yet_is_asked_again(rivet: SimulatedEngine) -> None:
    class Forgetful(FakeActors):
        forgets = True

        async def accept(self, actor: Actor, conversation: Conversation) -> None:
            if self.forgets:
                await conversation.ws.close(1011, "actor.not_found")
            else:
                await conversation.init(actor)

    async with rivet.host(Forgetful) as runner:
        runner.actions["echo"] = echo
        actor = await rivet.create("room", key="a")
        for room in (rivet.client.get("room", "a"), rivet.client.get_for_id("room", actor.id)):
            runner.forgets = True
            with pytest.raises(ConnectionLost, match=r"not where the engine expects it.*actor\.not_found"):
                await room.connect().__aenter__()
            runner.forgets = False
            async with room.connect() as live:
                runner.forgets = True
                await runner.conversations[-1].ws.close(1011, "actor.not_found")
                await rivet.advance(5)
                runner.forgets = False
                assert await live.call("echo") == []
