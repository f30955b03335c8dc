"""A lobby for a small game: players move on a board, which the actor computes twenty times a second.

The board is in memory, because it is of no use once the players have gone. Their points are stored. While a player is
connected the loop runs, and an empty lobby sleeps after ten seconds. ``rivet-runner dev examples.lobby:app`` starts the
program with an engine. Play in a second terminal, with a name of your own and a turn on each line, such as ``turn "right"``:

  rivet-runner connect lobby/main board scored --create --params '{"name": "ada"}'
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from rivet_runner import Request
from rivet_runner.actors import App, Connection, DurableActor, Event, UserError, action

Direction = Literal["up", "down", "left", "right"]
STEPS: Final[dict[Direction, tuple[int, int]]] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}

TICK: Final = 0.05
"""Seconds between two computations of the board."""

SIZE: Final = 20
MAX_PLAYERS: Final = 8


@dataclass
class Player:
    """A player on the board, and the direction of the next steps."""

    name: str
    x: int = 0
    y: int = 0
    heading: Direction | None = None

    @property
    def place(self) -> tuple[int, int]:
        return self.x, self.y

    def move(self) -> None:
        if self.heading is not None:
            dx, dy = STEPS[self.heading]
            self.x = min(max(self.x + dx, 0), SIZE - 1)
            self.y = min(max(self.y + dy, 0), SIZE - 1)


class Board(msgspec.Struct, frozen=True):
    """What the players see. ``players`` are the places by name, and ``gem`` is what they run for."""

    tick: int
    players: dict[str, tuple[int, int]]
    gem: tuple[int, int]


class Scores(msgspec.Struct):
    points: dict[str, int] = {}


class Lobby(DurableActor[Scores]):
    sleep_after = 10.0
    # The players keep the actor awake, and the loop alone does not.
    hibernate = False
    run_keeps_awake = False

    board = Event[Board]()
    scored = Event[dict[str, int]]()

    def __init__(self) -> None:
        self.players: dict[str, Player] = {}
        self.occupied = asyncio.Event()
        self.tick = 0
        self.gem = self.new_gem()

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any]:
        name = params.get("name") if isinstance(params, dict) else None
        if not isinstance(name, str) or not 1 <= len(name) <= 20:
            raise UserError("a player has a name of 1 to 20 letters", code="bad_name")
        return {"name": name}

    async def on_connect(self, connection: Connection) -> None:
        name = connection.state["name"]
        if name in {player.name for player in self.players.values()} or len(self.players) >= MAX_PLAYERS:
            raise UserError("the name is taken, or the lobby is full", code="full")
        self.players[connection.id] = Player(name)
        self.occupied.set()

    async def on_disconnect(self, connection: Connection) -> None:
        del self.players[connection.id]
        if not self.players:
            self.occupied.clear()

    @action
    async def turn(self, heading: Direction) -> None:
        """Walk on in this direction."""
        player = None if self.caller is None else self.players.get(self.caller.id)
        if player is None:
            raise UserError("connect first", code="not_connected")
        player.heading = heading

    @action
    async def points(self) -> dict[str, int]:
        """The points of all who ever played here."""
        return self.state.points

    async def run(self) -> None:
        """Compute the board while there are players."""
        while True:
            await self.occupied.wait()
            self.tick += 1
            for player in self.players.values():
                player.move()
            finder = next((player for player in self.players.values() if player.place == self.gem), None)
            if finder is not None:
                await self.score(finder)
            places = {player.name: player.place for player in self.players.values()}
            await self.board.emit(Board(self.tick, places, self.gem))
            await asyncio.sleep(TICK)

    async def score(self, player: Player) -> None:
        points = self.state.points
        points[player.name] = points.get(player.name, 0) + 1
        self.gem = self.new_gem()
        await self.save()
        await self.scored.emit(points)

    def new_gem(self) -> tuple[int, int]:
        return random.randrange(1, SIZE), random.randrange(SIZE)


app = App(Lobby)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.run()
