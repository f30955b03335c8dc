"""What a caller is told of an error, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from rivet_runner import Request
from rivet_runner.actors import ActorError, DurableActor, Event, UserError, action
from tests.actors.hosting.scene import call, connected, hosted, opened, value


class Chain(DurableActor[None]):
    """Each link of it calls the next."""

    @action
    async def fail(self) -> None:
        raise UserError("mine alone", code="mine")

    @action
    async def pass_on(self) -> None:
        await self.client.get_or_create(Chain, "next").call(Chain.fail)

    @action
    async def explain(self) -> None:
        try:
            await self.client.get_or_create(Chain, "next").call(Chain.fail)
        except UserError as error:
            raise UserError(f"the next one said: {error.message}", code="explained") from error

    @action
    async def pass_on_actor_error(self) -> None:
        await self.client.get_or_create(Chain, "next").call("nothing")

    @action
    async def own_actor_error(self) -> None:
        raise ActorError("actor", "mine", "secret")

    @action
    async def odd_metadata(self) -> None:
        raise UserError("odd", metadata=object())


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("fail", 400, "user.mine"),
        ("pass_on", 500, "core.internal_error"),
        ("explain", 400, "user.explained"),
        ("pass_on_actor_error", 500, "core.internal_error"),
        ("own_actor_error", 500, "core.internal_error"),
        ("odd_metadata", 400, "user.user_error"),
    ],
)
async def test_the_error_of_another_actor_is_not_for_ones_own_caller(name: str, status: int, told: str) -> None:
    async with hosted(Chain) as engine:
        actor = await engine.create("chain")
        answered, error = await call(actor, name)
        assert (answered, f"{error['group']}.{error['code']}") == (status, told)


async def test_a_connection_state_that_cannot_be_kept_refuses_the_client(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(DurableActor[None]):
        async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
            return {"odd": object()} if params is None else {"large": "x" * params}

    async with hosted(Odd) as engine:
        actor = await engine.create("odd")
        for params in (None, 60_000):
            async with opened(actor, params=params) as client:
                assert "internal_error" in str(await client.message())
                assert await client.ws.wait_closed() == (1011, "core.internal_error")
        assert "before_connect raised" in caplog.text


async def test_a_connection_state_that_grows_too_large_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    class Growing(DurableActor[None]):
        @action
        async def grow(self, size: int) -> None:
            assert self.caller is not None
            self.caller.state["text"] = "x" * size

        @action
        async def size(self) -> int:
            assert self.caller is not None
            return len(self.caller.state["text"])

    async with hosted(Growing) as engine:
        actor = await engine.create("growing")
        async with connected(actor) as client:
            await client.call("grow", 1000)
            await client.call("grow", 60_000)
            assert "at most 49,152 are kept" in caplog.text
            await actor.sleep()
            assert await client.call("size") == 1000


async def test_an_event_that_is_too_large_is_an_error_of_the_action() -> None:
    class Loud(DurableActor[None]):
        max_outgoing_message = 1000
        said = Event[str]()

        @action
        async def shout(self, size: int) -> int:
            return await self.said.emit("x" * size)

    async with hosted(Loud) as engine:
        actor = await engine.create("loud")
        async with connected(actor) as client:
            await client.subscribe("said")
            assert await client.call("shout", 10) == 1
            assert (await client.call("shout", 2000)).code == "internal_error"
            assert await value(actor, "shout", 10) == 1
