"""The example of a lobby: a loop that computes a board for its players."""

from __future__ import annotations

import asyncio

import pytest

from examples.lobby import MAX_PLAYERS, TICK, Board, Direction, Lobby, app
from rivet_runner.actors import ActorError, UserError
from rivet_runner.actors.client import ActorHandle
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import virtual


def lobby(engine: SimulatedEngine, name: str) -> ActorHandle[Lobby]:
    return engine.client.get_or_create(Lobby, "main", params={"name": name})


@virtual
async def test_players_see_each_other_move_with_each_tick() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        async with lobby(engine, "ada").connect() as ada, lobby(engine, "bob").connect() as bob:
            boards = bob.on(Lobby.board)
            await ada.call(Lobby.turn, "right")
            begun = asyncio.get_running_loop().time()
            seen = [await anext(boards) for _ in range(10)]
            assert asyncio.get_running_loop().time() - begun == pytest.approx(10 * TICK, abs=TICK + 0.01)
        assert [board.tick - seen[0].tick for board in seen] == [*range(10)]
        places = [board.players["ada"] for board in seen]
        assert [x - places[0][0] for x, _ in places] == [*range(10)]
        assert {board.players["bob"] for board in seen} == {(0, 0)}


def way(board: Board, name: str) -> Direction:
    """The direction in which a player should go to find the gem."""
    (x, y), (gem_x, gem_y) = board.players[name], board.gem
    if x != gem_x:
        return "right" if x < gem_x else "left"
    return "down" if y < gem_y else "up"


@virtual
async def test_points_are_kept_when_the_lobby_was_empty_and_slept() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        async with lobby(engine, "ada").connect() as ada:
            boards, scored = ada.on(Lobby.board), ada.on(Lobby.scored)
            first = asyncio.ensure_future(anext(scored))
            while not first.done():
                await ada.call(Lobby.turn, way(await anext(boards), "ada"))
            assert first.result() == {"ada": 1}
            boards.close()
            actor = engine.get(await lobby(engine, "ada").resolve())
            await engine.advance(60)
            assert actor.status == "running", "a player keeps it awake"
            points = await ada.call(Lobby.points)
        await engine.advance(20)
        assert actor.status == "sleeping"
        assert await lobby(engine, "spectator").call(Lobby.points) == points


@virtual
async def test_a_lobby_has_so_many_places_and_each_name_once() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        live = [lobby(engine, f"player {number}").connect() for number in range(MAX_PLAYERS)]
        for each in live[:-1]:
            await each.__aenter__()
        with pytest.raises(UserError, match="taken"):
            await lobby(engine, "player 0").connect().__aenter__()
        await live[-1].__aenter__()
        with pytest.raises(UserError, match="full"):
            await lobby(engine, "one more").connect().__aenter__()
        await live[0].close()
        async with lobby(engine, "one more").connect():
            pass
        for each in live[1:]:
            await each.close()


@virtual
async def test_what_a_player_sends_is_checked() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        with pytest.raises(UserError, match="1 to 20 letters"):
            await lobby(engine, "").call(Lobby.points)
        with pytest.raises(UserError, match="connect first"):
            await lobby(engine, "ada").call(Lobby.turn, "up")
        with pytest.raises(ActorError, match="heading") as caught:
            await lobby(engine, "ada").call("turn", "north")
        assert caught.value.code == "validation_error"
