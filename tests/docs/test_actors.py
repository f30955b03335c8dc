"""The programs of the guide of typed actors do what the guide says. `test_blocks` runs those that come with a test."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from rivet_runner.actors import ActorError, App, UserError
from rivet_runner.testing import SimulatedEngine
from tests.docs.pages import PROJECT, programs

GUIDE = PROJECT / "docs" / "actors.md"


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The program of the guide in which the class stands that the test names."""
    (text,) = [one.text for one in programs(GUIDE) if f"class {request.param}(" in one.text]
    module = ModuleType("program_of_the_guide")
    sys.modules[module.__name__] = module  # where annotations look for names
    exec(compile(text, str(GUIDE), "exec"), vars(module))
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize("program", ["Concert"], indirect=True)
async def test_concert_is_booked_and_its_older_state_is_migrated(program: ModuleType, rivet: SimulatedEngine) -> None:
    async with rivet.host(App(program.Concert)):
        concert = rivet.client.get_or_create(program.Concert, "a", input={"seats": 3})
        assert await concert.call(program.Concert.book, "Ada") == 2
    assert program.Concert.migrate_state({"capacity": 1, "title": ""}) == {"free": 1, "title": ""}


@pytest.mark.parametrize("program", ["Cart"], indirect=True)
async def test_cart_checks_its_items_and_can_be_paid_once(program: ModuleType, rivet: SimulatedEngine) -> None:
    async with rivet.host(App(program.Cart)):
        cart = rivet.client.get_or_create(program.Cart, "a")
        await cart.call(program.Cart.add, program.Item("tea", 2))
        with pytest.raises(ActorError, match=r"actor.validation_error: add: item.amount: Expected `int` >= 1"):
            await cart.call("add", {"name": "tea", "amount": 0})
        paid = await asyncio.gather(*(cart.call("pay", "card") for _ in range(2)), return_exceptions=True)
        assert sorted(map(str, paid)) == ["2", "user.empty: the cart is empty"]


@pytest.mark.parametrize("program", ["ChatRoom"], indirect=True)
async def test_chat_goes_on_over_a_sleep(program: ModuleType, rivet: SimulatedEngine) -> None:
    room_class = program.ChatRoom
    async with rivet.host(App(room_class)):
        with pytest.raises(UserError, match="say who you are"):
            await rivet.client.get_or_create(room_class, "a").call(room_class.history)
        ada, bob = (rivet.client.get_or_create(room_class, "a", params={"name": name}) for name in ("Ada", "Bob"))
        async with ada.connect() as of_ada:
            heard, joined = of_ada.on(room_class.said), of_ada.on(room_class.joined)
            await of_ada.call(room_class.history)
            async with bob.connect() as of_bob:
                assert await anext(joined) == "Bob"
                assert await of_bob.call(room_class.say, "hi") == 1
                assert await anext(heard) == program.Message("Bob", "hi")
                actor = rivet.get(await ada.resolve())
                await actor.sleep()
                assert actor.status == "sleeping"
                assert await of_bob.call(room_class.say, "still there?") == 1
                assert await anext(heard) == program.Message("Bob", "still there?")
                await of_ada.call(room_class.ban, "Bob")
                await of_bob.closed()
        assert [message.text for message in await ada.call(room_class.history)] == ["hi", "still there?"]


@pytest.mark.parametrize("program", ["Lobby"], indirect=True)
async def test_lobby_ticks(program: ModuleType, rivet: SimulatedEngine) -> None:
    async with rivet.host(App(program.Lobby)), rivet.client.get_or_create(program.Lobby, "a").connect() as live:
        ticks = live.on(program.Lobby.tick)
        await live.call(program.Lobby.join, "Ada")
        assert await anext(ticks) == 1


@pytest.mark.parametrize("program", ["Page"], indirect=True)
async def test_page_has_the_resources_of_its_app(program: ModuleType) -> None:
    async with SimulatedEngine() as engine:
        await engine.listen(port=0)
        async with engine.host(program.app):
            page = engine.client.get_or_create(program.Page, "a", pool="pages")
            size = await page.call(program.Page.size, f"{engine.endpoint}/metadata")
    assert size > 0
