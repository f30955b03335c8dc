"""Actions by HTTP."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import pytest

from rivet_runner.actors import DurableActor, UserError, action
from tests.actors.hosting.scene import call, failure, hosted, value

T = TypeVar("T")


class State(msgspec.Struct):
    count: int = 0


def in_a_task(method: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., asyncio.Task[T]]:
    @functools.wraps(method)
    def call(*args: Any) -> asyncio.Task[T]:
        return asyncio.get_running_loop().create_task(method(*args))

    return call


class Counter(DurableActor[State]):
    @action
    async def increment(self, by: int = 1) -> int:
        if by < 0:
            raise UserError("only up", code="negative", metadata={"by": by})
        self.state.count += by
        return self.state.count

    @action(name="when")
    async def what_time(self) -> datetime:
        return self.now()

    @action(timeout=5.0)
    async def hang(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.state.count += 100

    @action
    async def broken(self) -> None:
        raise RuntimeError("the secret")

    @action
    async def long(self) -> str:
        return "x" * (1024 * 1024)

    @action
    async def odd(self) -> object:
        return object()

    @action
    async def cancelled(self) -> None:
        raise asyncio.CancelledError

    @in_a_task
    @action
    async def elsewhere(self, text: str) -> str:
        await asyncio.sleep(0.1)
        return text

    @action
    async def about(self) -> Any:
        return [self.id, self.name, list(self.key), self.generation, self.input]


async def test_an_action_returns_and_changes_the_state() -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        assert await value(actor, "increment", 2) == 2
        assert await value(actor, "increment") == 3


async def test_state_is_there_again_after_a_sleep() -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        await value(actor, "increment", 2)
        await actor.sleep()
        assert await value(actor, "increment") == 3
        assert actor.generation == 1


async def test_an_error_that_is_meant_for_the_caller_reaches_it() -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        status, answer = await call(actor, "increment", -1)
        assert status == 400
        specifier = answer.pop("actor")
        assert answer == {"group": "user", "code": "negative", "message": "only up", "metadata": {"by": -1}}
        assert specifier["actorId"] == actor.id


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("nothing", (), (404, "actor.action_not_found")),
        ("what_time", (), (404, "actor.action_not_found")),
        ("increment", ("two",), (400, "actor.validation_error")),
        ("increment", (1, 2), (400, "actor.validation_error")),
        ("hang", (), (408, "actor.action_timed_out")),
        ("broken", (), (500, "core.internal_error")),
        ("odd", (), (500, "core.internal_error")),
        ("cancelled", (), (500, "core.internal_error")),
        ("long", (), (400, "message.outgoing_too_long")),
    ],
)
async def test_a_call_that_fails_tells_why(name: str, args: tuple[Any, ...], expected: tuple[int, str]) -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        assert await failure(actor, name, *args) == expected
        assert await value(actor, "increment") in (1, 101), "the actor goes on"


async def test_the_text_of_an_unexpected_error_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        _, answer = await call(actor, "broken")
        assert "secret" not in json.dumps(answer)
        assert "the secret" in caplog.text


async def test_an_action_is_cancelled_when_its_time_is_over() -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        began = engine.now()
        await failure(actor, "hang")
        assert 5 <= (engine.now() - began).total_seconds() < 6
        assert await value(actor, "increment") == 101


async def test_a_decorated_action_may_return_anything_to_await() -> None:
    async with hosted(Counter) as engine:
        assert await value(await engine.create("counter"), "elsewhere", "there") == "there"


async def test_a_call_that_cannot_be_read_is_refused() -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        assert (await call(actor, "increment", body=b"{"))[0] == 400
        status, answer = await call(actor, "increment", body=b" " * (64 * 1024 + 1))
        assert (status, answer["code"]) == (400, "incoming_too_long")


async def test_an_actor_knows_itself() -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter", key="org/4\\/2")
        assert await value(actor, "about") == [actor.id, "counter", ["org", "4/2"], 0, None]


async def test_now_is_the_time_of_the_engine() -> None:
    async with hosted(Counter) as engine:
        actor = await engine.create("counter")
        told = datetime.fromisoformat(await value(actor, "when"))
        assert abs((told - engine.now()).total_seconds()) < 1
