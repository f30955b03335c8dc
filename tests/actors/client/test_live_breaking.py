"""Live connections that do not open, that break, and that are made again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivet_runner import Actor
from rivet_runner.actors import ActorError, ClientError, ConnectionLost, UserError
from rivet_runner.actors._wire.messages import Error
from rivet_runner.actors.errors import CallTimeout, EngineUnreachable
from rivet_runner.testing import SimulatedEngine
from tests.actors.client.fake_actor import Conversation, FakeActors, echo, never
from tests.actors.client.script import Script, client_on

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
