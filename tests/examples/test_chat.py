"""The chat example: rooms and their guests, on virtual time. `tests.engine.test_chat` opens its page in a browser."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from examples.chat import HISTORY, Room, app
from rivet_runner.actors import ActorError, UserError
from rivet_runner.actors.client import ActorHandle
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import virtual

SILENCE = 2 * Room.sleep_after
"""Seconds after which a room sleeps for sure. Messages in the first half begin the time anew."""


def room(engine: SimulatedEngine, guest: str, name: str = "tea") -> ActorHandle[Room]:
    return engine.client.get_or_create(Room, name, params={"name": guest})


@virtual
async def test_guests_hear_each_other_when_they_share_a_room() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app), AsyncExitStack() as stack:
        ada = await stack.enter_async_context(room(engine, "Ada").connect())
        stranger = await stack.enter_async_context(room(engine, "Cleo", "other").connect())
        joined, left, heard = ada.on(Room.joined), ada.on(Room.left), stranger.on(Room.said)
        async with room(engine, " Bob ").connect() as bob:
            said = bob.on(Room.said)
            assert (await bob.call(Room.enter)).members == ["Ada", "Bob"]
            assert (await anext(joined)).name == "Bob"
            await ada.call(Room.say, "Hello, <b>Bob</b> \N{WAVING HAND SIGN}")
            message = await anext(said)
            assert (message.number, message.name) == (0, "Ada")
            assert message.text == "Hello, <b>Bob</b> \N{WAVING HAND SIGN}"
        gone = await anext(left)
        assert (gone.name, gone.members) == ("Bob", ["Ada"])
        await stranger.call(Room.say, "to myself")
        assert (await anext(heard)).text == "to myself"


@virtual
async def test_a_newcomer_gets_the_latest_messages_also_after_a_sleep() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        texts = [f"message {number}" for number in range(HISTORY + 7)]
        async with room(engine, "Ada").connect() as ada:
            for text in texts:
                await ada.call(Room.say, text)
        actor = engine.get(await room(engine, "Ada").resolve())
        await engine.advance(SILENCE)
        assert actor.status == "sleeping"
        async with room(engine, "Bob").connect() as bob:
            welcome = await bob.call(Room.enter)
        assert (welcome.generation, [said.text for said in welcome.history]) == (1, texts[-HISTORY:])


@virtual
async def test_guests_stay_connected_and_known_when_the_room_sleeps_and_wakes() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app), AsyncExitStack() as stack:
        ada = await stack.enter_async_context(room(engine, "Ada").connect())
        bob = await stack.enter_async_context(room(engine, "Bob").connect())
        awake, said, joined = bob.on(Room.awake), bob.on(Room.said), bob.on(Room.joined)
        await bob.call(Room.enter)
        actor = engine.get(await room(engine, "Ada").resolve())
        for generation in (1, 2):
            await engine.advance(SILENCE)
            assert actor.status == "sleeping"
            await ada.call(Room.say, "anyone?")
            assert await anext(awake) == generation
            assert (await anext(said)).name == "Ada"
        async with room(engine, "Cleo").connect():
            newcomer = await anext(joined)
        assert (newcomer.name, newcomer.members) == ("Cleo", ["Ada", "Bob", "Cleo"])


@virtual
async def test_the_others_are_told_when_a_guest_left_while_the_room_slept() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app), room(engine, "Ada").connect() as ada:
        left = ada.on(Room.left)
        async with room(engine, "Bob").connect() as bob:
            await bob.call(Room.enter)
            await ada.call(Room.enter)
            await engine.advance(SILENCE)
            assert engine.get(await room(engine, "Ada").resolve()).status == "sleeping"
        await ada.call(Room.say, "Bob?")
        gone = await anext(left)
        assert (gone.name, gone.members) == ("Bob", ["Ada"])


@virtual
async def test_a_name_has_two_connections_and_comes_and_goes_once() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app), room(engine, "Ada").connect() as ada:
        joined, left = ada.on(Room.joined), ada.on(Room.left)
        async with room(engine, "Bob").connect(), room(engine, "Bob").connect():
            assert (await ada.call(Room.enter)).members == ["Ada", "Bob"]
        async with room(engine, "Cleo").connect():
            pass
        assert [(await anext(joined)).name for _ in range(2)] == ["Bob", "Cleo"]
        assert [(await anext(left)).name for _ in range(2)] == ["Bob", "Cleo"]


@pytest.mark.parametrize("params", [None, {}, {"name": " "}, {"name": "x" * 33}, {"name": 5}, ["Ada"]])
@virtual
async def test_a_guest_needs_a_name(params: object) -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        nameless = engine.client.get_or_create(Room, "tea", params=params)
        with pytest.raises(UserError, match="not a name"):
            await nameless.connect().__aenter__()
        with pytest.raises(UserError, match="not a name"):
            await nameless.call(Room.say, "hello")


@pytest.mark.parametrize("text", ["", " ", "x" * 2001, 5])
@virtual
async def test_what_is_said_is_checked(text: object) -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        with pytest.raises(ActorError, match="text") as caught:
            await room(engine, "Ada").call("say", text)
        assert caught.value.code == "validation_error"


@virtual
async def test_the_page_is_served() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        tea = engine.client.get_or_create(Room, "tea")
        page = await tea.fetch("GET", "/")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.body.startswith(b"<!doctype html>")
        assert (await tea.fetch("GET", "/other")).status == 404
