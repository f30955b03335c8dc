"""Actors that start all at once, and stop."""

from __future__ import annotations

from typing import Final

from benchmarks.synthetic.engine import EngineConnection
from benchmarks.synthetic.load import STALL_SECONDS

__all__ = ["Actors"]

COMMANDS_IN_MESSAGE: Final = 100


class Actors:
    """Starts actors, and stops them again."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._commands = 0
        self._started = 0

    async def start(self, count: int) -> list[str]:
        """Start ``count`` actors at once; return their ids when the runner has reported all of them as running."""
        ids = [f"actor-{number:012d}" for number in range(self._started, self._started + count)]
        self._started += count
        await self._command(ids, stop=False)
        return ids

    async def stop(self, ids: list[str]) -> None:
        """Stop actors, and wait until the runner has reported that of each."""
        await self._command(ids, stop=True)

    async def _command(self, ids: list[str], *, stop: bool) -> None:
        connection, dialect = self._connection, self._connection.dialect
        running = connection.running + (0 if stop else len(ids))
        stopped = connection.stopped + (len(ids) if stop else 0)
        encode = dialect.stop_actors if stop else dialect.start_actors
        for at in range(0, len(ids), COMMANDS_IN_MESSAGE):
            connection.out.append(encode(ids[at : at + COMMANDS_IN_MESSAGE], self._commands + at))
        self._commands += len(ids)
        connection.flush()
        await connection.states(running=running, stopped=stopped, timeout=STALL_SECONDS)
