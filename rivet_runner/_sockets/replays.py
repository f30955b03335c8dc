"""Messages that the engine has dropped on the way, recovered from its gateway, no faster than the engine can take.

The engine queues some 1,000 messages for a runner and drops the rest, without a sign. A message that is missing *before*
another shows (`rivet_runner._sockets.inbound`). A client's last message does not, until that client speaks again, and after
30 s the gateway closes such a client. So whenever something may have been lost, the gateway is asked to replay the messages
of each client that was not heard since:

* after a **reconnect**: no runner was there to take the messages of the outage
* when an actor has **woken** with many messages waiting for it: their replays are one burst
* when a **burst** has left a gap, or a replay was longer than it could be known: messages of other clients next to it, and
  the last ones of a replay, may be lost as well
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from rivet_runner._connection.uplink import Uplink
from rivet_runner._sockets.departures import end_departed
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.turns import SAFE_BURST, ReplayTurns
from rivet_runner._tasks import TaskGroup

__all__ = ["Replays"]

MAX_AT_ONCE: Final = 128
"""Clients for which the gateway is asked at once if it is not known how much it has. It takes some 5 ms for each."""

BURST_SECONDS: Final = 2.5
"""A burst is over so long after its first gap. Clients that are heard later have lost nothing in it, or a gap shows it."""

LOOK_SECONDS: Final = 5.0
"""From a burst to the look whether it was so long that the engine may have lost some of it: by then all of it has come, on a
busy machine too, and the gateway does not close a client yet."""

LOOKS: Final = 4
"""Looks at the messages that one fetch has brought. Clients that go on talking look like a burst."""


class Replays:
    """One for each runner. ``tasks`` owns its tasks, and ``open_sockets`` lists the clients."""

    def __init__(
        self, uplink: Uplink, turns: ReplayTurns, tasks: TaskGroup, open_sockets: Callable[[], list[Hibernation]]
    ) -> None:
        self._uplink = uplink
        self._turns = turns
        self._open_sockets = open_sockets
        self._tasks = tasks
        self._overrun_seen = False

    # When something may have been lost

    def reconnected(self) -> None:
        """The engine was away. Call it before any message of the new connection is taken."""
        heard = self._heard()
        for hibernation in heard:
            hibernation.reconnected()
        owed = [hibernation for hibernation in heard if hibernation.replayable and not hibernation.is_settled(None)]
        if owed:
            look = end_departed(owed, self._uplink, self._turns, self.overrun)
            self._tasks.spawn(look, name="look for clients that left")
        for hibernation in owed:
            del heard[hibernation]
        self._tasks.spawn(self._fetch(heard), name="fetch missed messages")

    def woken(self, hibernations: Iterable[Hibernation], attached_in: float) -> None:
        """An actor runs again, and within so many seconds the gateway should have attached these clients to it."""
        self._tasks.spawn(
            self._look_after_waking([*hibernations], attached_in), name="look whether messages were lost on waking"
        )

    def overrun(self) -> None:
        """A gap has shown in a client's messages, or a replay has brought more than it was asked for."""
        if not self._overrun_seen:
            self._overrun_seen = True
            self._tasks.spawn(self._look_after_overrun(), name="look whether messages were lost in a burst")

    def _heard(self) -> dict[Hibernation, int | None]:
        """The open sockets, each with the index of the last message that was heard."""
        return {hibernation: hibernation.stream.last for hibernation in self._open_sockets()}

    async def _look_after_waking(self, hibernations: list[Hibernation], attached_in: float) -> None:
        for seconds in (attached_in, LOOK_SECONDS):
            await asyncio.sleep(seconds)
            if sum(hibernation.stream.arrived for hibernation in hibernations) > SAFE_BURST:
                await self._fetch(dict.fromkeys(hibernations))
                break

    async def _look_after_overrun(self) -> None:
        """A client that was heard in the burst may have lost its last messages in it, so that alone proves nothing."""
        await asyncio.sleep(BURST_SECONDS)
        self._overrun_seen = False
        heard = self._heard()
        await asyncio.sleep(LOOK_SECONDS - BURST_SECONDS)
        await self._fetch(heard)

    # Fetching

    async def _fetch(self, heard: dict[Hibernation, int | None]) -> None:
        """Fetch the kept messages of each of these clients, unless it was heard since the given index: then all have come.

        A connection that is lost meanwhile ends it: on the next one it is done anew.
        """
        connection = self._uplink.connection_number
        for _ in range(LOOKS):
            before = {hibernation: hibernation.stream.arrived for hibernation in heard}
            asked = await self._fetch_once(heard, connection)
            await asyncio.sleep(LOOK_SECONDS)
            came = sum(hibernation.stream.arrived_since(before[hibernation]) for hibernation in asked)
            if came <= SAFE_BURST or not self._uplink.is_on(connection):
                break
            heard = dict.fromkeys(asked)

    async def _fetch_once(self, heard: dict[Hibernation, int | None], connection: int) -> set[Hibernation]:
        """Fetch for as many clients at once as is safe. Return those for which the gateway was asked.

        The number of messages shows only when they come. If it was too large, some may be lost again, so the
        same is done once more for fewer clients.
        """
        asked: set[Hibernation] = set()
        left, size = [*heard], MAX_AT_ONCE
        while left and self._uplink.is_on(connection):
            # A message of a client that was asked for may have been a part of the replay.
            batch = [
                hibernation
                for hibernation in left[:size]
                if not hibernation.is_settled(None if hibernation in asked else heard[hibernation])
            ]
            asked.update(batch)
            came = await self._fetch_batch(batch, connection)
            if sum(came) > SAFE_BURST and len(came) > 1:
                size = max(1, min(len(came) // 2, SAFE_BURST // max(came)))
                continue
            left = left[size:]
            if sum(came) < SAFE_BURST // 4:
                size = min(size * 2, MAX_AT_ONCE)
        return asked

    async def _fetch_batch(self, batch: list[Hibernation], connection: int) -> list[int]:
        """How many messages have come meanwhile, for each client for which the gateway was asked."""
        await asyncio.gather(*(journal.flush_before_replay() for journal in {hibernation.journal for hibernation in batch}))
        async with self._turns.turn(SAFE_BURST):
            batch = [hibernation for hibernation in batch if not hibernation.is_settled(None)]
            if not batch or not self._uplink.is_on(connection):
                return []  # a request that left on another connection would be one too many there
            before = [hibernation.stream.arrived for hibernation in batch]
            seconds = self._turns.attach_seconds(len(batch))
            for hibernation in batch:
                hibernation.fetch_missed(seconds)
            await self._uplink.lost(seconds)
            return [hibernation.stream.arrived_since(number) for hibernation, number in zip(batch, before, strict=True)]
