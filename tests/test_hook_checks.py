"""Hooks that can never work are refused when their class is made."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import pytest

from rivet_runner import Actor, Request, Response, Runner, WebSocket


def made(**body: Any) -> type:
    return type("Mine", (Runner,), body)


def sync_hook(self: Any, actor: Actor) -> None: ...
async def async_predicate(self: Any, actor: Actor, request: Request) -> bool:
    return True


async def without_request(self: Any, actor: Actor) -> Response:
    return Response()


async def with_more(self: Any, actor: Actor, request: Request, more: int) -> Response:
    return Response()


async def generator(self: Any, actor: Actor, ws: WebSocket) -> Any:
    yield


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "on_actor_start",
            sync_hook,
            r"on_actor_start must be a coroutine function: async def on_actor_start\(",
        ),
        ("can_hibernate", async_predicate, r"can_hibernate must be a plain function.*: def can_hibernate\(self, actor, req"),
        ("fetch", without_request, r"fetch has the wrong parameters .*: async def fetch\(self, actor, request\)"),
        ("fetch", with_more, r"fetch has the wrong parameters .*'more'"),
        ("websocket", generator, r"websocket must return once"),
        ("on_alarm", without_request, r"on_alarm has the wrong parameters .*: async def on_alarm\(self, actor, alarm\)"),
        ("fetch", staticmethod(without_request), r"fetch must be a method, not a value of type staticmethod"),
        ("on_shutdown", 5, r"on_shutdown must be a method, not a value of type int"),
    ],
)
def test_a_hook_that_cannot_work_is_a_type_error(name: str, value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"Mine.{message}"):
        made(**{name: value})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("on_fetch", "fetch"),
        ("on_actor_started", "on_actor_start"),
        ("on_actor_stopped", "on_actor_stop"),
        ("on_message", "websocket"),
        ("on_alarms", "on_alarm"),
        ("can_hibernat", "can_hibernate"),
    ],
)
def test_a_near_miss_is_warned_of_with_the_right_name(name: str, meant: str) -> None:
    with pytest.warns(UserWarning, match=f"Mine.{name} is not a hook.*did you mean {meant}") as caught:
        made(**{name: without_request})
    assert caught[0].filename == __file__


def test_other_methods_are_left_alone() -> None:
    def decorated(function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return call

    async def optional(self: Any, actor: Actor, request: Request, more: int = 1, *rest: Any, **options: Any) -> Response:
        return Response()

    async def renamed(self: Any, room: Actor, what: Request) -> Response:
        return Response()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(fetch_user=sync_hook, start_game=sync_hook, _on_fetch=sync_hook, _alarm=sync_hook, websockets_count=sync_hook)
        made(fetch=optional)
        made(fetch=renamed)
        made(fetch=decorated(renamed))
        made(fetch=functools.partialmethod(renamed))


def test_a_subclass_without_the_base_s_init_is_told_so() -> None:
    class Mine(Runner):
        def __init__(self) -> None:
            self.count = 1

    runner = Mine()
    with pytest.raises(RuntimeError, match=r"Mine.__init__ must call super\(\).__init__\(\)"):
        runner.run()
    with pytest.raises(RuntimeError, match=r"Mine.__init__ must call super\(\).__init__\(\)"):
        repr(runner)
    with pytest.raises(AttributeError, match="nonsense"):
        runner.nonsense  # type: ignore[attr-defined]  # noqa: B018
