"""The tree of errors, as the module draws it, and their attributes and messages."""

from __future__ import annotations

import re

import pytest

import rivet_runner
from rivet_runner import EngineRejected, RivetRunnerError, WebSocketClosed, errors, testing

DRAWN = re.compile(r"^ {4}((?:│   )*)[├└]── (\w+)", re.MULTILINE)


def children(error: type[BaseException]) -> list[str]:
    """The names of all errors below ``error`` in the module, indented by their depth."""
    below = [child for child in error.__subclasses__() if child.__module__ == errors.__name__]
    return [line for child in below for line in (child.__name__, *(f"  {name}" for name in children(child)))]


def test_the_tree_is_the_drawn_one_when_the_classes_are_walked() -> None:
    drawn = ["  " * (len(indent) // 4) + name for indent, name in DRAWN.findall(errors.__doc__ or "")]
    assert drawn == children(RivetRunnerError)
    assert sorted({name.strip() for name in drawn} | {"RivetRunnerError"}) == errors.__all__


def test_every_error_is_a_public_name_when_users_may_catch_it() -> None:
    assert set(errors.__all__) <= set(rivet_runner.__all__)
    for error in (testing.EngineApiError, testing.EngineNotFound, testing.EngineStartFailed, testing.HttpExchangeFailed):
        assert error.__base__ is RivetRunnerError


def test_the_engines_reason_is_in_two_halves_when_it_rejects() -> None:
    rejected = EngineRejected("no", group="api", error="forbidden", ray_id="ray")
    assert (str(rejected), rejected.group, rejected.error, rejected.ray_id) == ("no", "api", "forbidden", "ray")
    assert EngineRejected("no", group="api", error="forbidden").ray_id is None


@pytest.mark.parametrize(
    ("closed", "message"),
    [
        (WebSocketClosed(1001, "away"), "the WebSocket is closed: 1001 away"),
        (WebSocketClosed(1000, ""), "the WebSocket is closed: 1000"),
        (WebSocketClosed(1000, "x", hibernated=True), "the WebSocket is hibernated with its actor"),
    ],
)
def test_the_message_says_what_happened_when_a_websocket_is_closed(closed: WebSocketClosed, message: str) -> None:
    assert str(closed) == message
    assert closed.hibernated is ("hibernated" in message)
