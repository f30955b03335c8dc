"""``self.client``: actors that call other actors."""

from __future__ import annotations

import asyncio

from rivet_runner.actors import App, DurableActor, Event, action
from rivet_runner.testing import SimulatedEngine


class Pinger(DurableActor[int]):
    """Its state is the number of calls."""

    @action
    async def bounce(self, other: str, times: int) -> int:
        self.state += 1
        if times == 0:
            return 0
        return 1 + await self.client.get_or_create(Pinger, other).call(Pinger.bounce, self.key[0], times - 1)

    @action
    async def who_calls(self) -> str | None:
        return None if self.caller is None else self.caller.params

    @action
    async def ask(self, other: str) -> str | None:
        return await self.client.get_or_create(Pinger, other).call(Pinger.who_calls)


class Bell(DurableActor[None]):
    rung = Event[int]()

    @action
    async def ring(self, times: int) -> int:
        return await self.rung.emit(times)


class Listener(DurableActor[list[int]]):
    async def run(self) -> None:
        async with self.client.get_or_create(Bell, "a").connect() as live:
            async for times in live.on(Bell.rung):
                self.state.append(times)

    @action
    async def heard(self) -> list[int]:
        return self.state


async def test_actors_call_each_other_and_do_not_deadlock(rivet: SimulatedEngine) -> None:
    async with rivet.host(App(Pinger)):
        first = rivet.client.get_or_create(Pinger, "a")
        assert await first.call(Pinger.bounce, "b", 20) == 20
        assert await asyncio.gather(
            first.call(Pinger.bounce, "b", 4), rivet.client.get(Pinger, "b").call(Pinger.bounce, "a", 4)
        )


async def test_an_actor_is_called_without_the_caller_of_the_calling_one(rivet: SimulatedEngine) -> None:
    async with rivet.host(App(Pinger)):
        room = rivet.client.get_or_create(Pinger, "a", params="me")
        assert await room.call(Pinger.who_calls) == "me"
        assert await room.call(Pinger.ask, "b") is None


async def test_an_actor_hears_the_events_of_another_until_its_runner_is_down(rivet: SimulatedEngine) -> None:
    async with rivet.host(App(Bell, Listener)):
        listener = rivet.client.get_or_create(Listener, "l")
        assert await listener.call(Listener.heard) == []
        await rivet.advance(1)
        bell = rivet.client.get_or_create(Bell, "a")
        assert [await bell.call(Bell.ring, times) for times in (1, 2)] == [1, 1]
        await rivet.advance(0)
        assert await listener.call(Listener.heard) == [1, 2]
