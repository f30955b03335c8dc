"""When messages count as processed if the actor has no state."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from rivet_runner.actors._hosting.connections import ConnectionTable, HostedConnection
from rivet_runner.actors._hosting.saving import Saving
from rivet_runner.actors._hosting.unprocessed import ENDED
from rivet_runner.actors._wire.encodings import Encoding, codec
from tests.support.virtual_time import virtual_time


class Socket:
    """A hibernatable WebSocket, as far as it is marked."""

    def __init__(self) -> None:
        self.marked: list[int] = []

    def mark_processed(self, count: int) -> None:
        self.marked.append(count)


class Scene:
    """One connection of an actor without state."""

    def __init__(self) -> None:
        self.socket = Socket()
        self.table = ConnectionTable(lambda: "id", lambda: 0, self._report)
        ws = cast(Any, self.socket)
        self.connection = HostedConnection(self.table, codec(Encoding.BARE), ws, None, {}, connection_id="id")
        self.saving = Saving(cast(Any, None), self.table, None, self._failed, 1.0)

    def _report(self, error: Exception, where: str) -> None:
        raise AssertionError(where) from error

    async def _failed(self, error: Exception) -> None:
        raise error

    def action_ended(self) -> None:
        self.table.received(self.connection, ENDED).note_end()
        self.saving.soon()


@virtual_time
async def test_messages_of_one_turn_are_marked_together_when_there_is_no_state() -> None:
    scene = Scene()
    for _ in range(3):
        scene.action_ended()
    assert scene.socket.marked == []
    await asyncio.sleep(0)
    scene.action_ended()
    await asyncio.sleep(1)
    assert scene.socket.marked == [3, 1]


@virtual_time
async def test_messages_are_marked_once_and_at_once_when_the_actor_stops_in_that_turn() -> None:
    scene = Scene()
    scene.action_ended()
    await scene.saving.now()
    scene.saving.close()
    assert scene.socket.marked == [1]
    await asyncio.sleep(1)
    assert scene.socket.marked == [1]


@virtual_time
async def test_nothing_is_marked_when_saving_was_closed() -> None:
    scene = Scene()
    scene.action_ended()
    scene.saving.close()
    scene.action_ended()
    await asyncio.sleep(1)
    assert scene.socket.marked == []
