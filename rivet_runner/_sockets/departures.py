"""Clients that closed while the engine was away.

The engine reports such a close to no runner, so the handler would live until its actor sleeps. There is one sign: as long as
a client is connected, the gateway replays those of its messages that are not acknowledged. So after a reconnect, the gateway
is asked to replay for each socket with such messages. If it sends none of them, `PROBES` times, the client is gone.

Limitation: a client without unacknowledged messages cannot be told from a silent one. Its handler lives on until its actor
sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from rivet_runner._connection.uplink import Uplink
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.turns import SAFE_BURST, ReplayTurns

__all__ = ["end_departed"]

PROBES: Final = 5
"""Requests for a replay without any answer after which a client is taken to be gone: after some 5 s, later if the engine is
slow. It answers each within 30 ms if it is not."""

MAX_PROBE_SECONDS: Final = 2.0

PROBED_AT_ONCE: Final = 64
"""Clients; the rest wait for their turn."""


async def end_departed(owed: Iterable[Hibernation], uplink: Uplink, turns: ReplayTurns, overrun: Callable[[], None]) -> None:
    """End the handlers of those clients whose unacknowledged messages the gateway does not replay.

    The replays also bring the messages of the outage, whose number is not known before. ``overrun`` is told if they were so
    many that the engine may have dropped some. A connection that is lost meanwhile ends this: after the next one it is done
    anew.
    """
    connection = uplink.connection_number
    waiting = [*owed]
    for hibernation in waiting:
        # Else an acknowledgement would take away what the gateway is to replay.
        hibernation.defer_acknowledgements()
    while waiting and uplink.is_on(connection):
        batch, waiting = waiting[:PROBED_AT_ONCE], waiting[PROBED_AT_ONCE:]
        arrived = [hibernation.stream.arrived for hibernation in batch]
        await _probe(batch, uplink, turns, connection)
        came = (hibernation.stream.arrived_since(before) for hibernation, before in zip(batch, arrived, strict=True))
        if sum(came) > SAFE_BURST:
            overrun()


async def _probe(silent: list[Hibernation], uplink: Uplink, turns: ReplayTurns, connection: int) -> None:
    seconds = turns.attach_seconds(len(silent))
    for _ in range(PROBES):
        silent = await _ask(silent, uplink, turns, connection, seconds)
        if not silent or not uplink.is_on(connection):
            return
        seconds = min(2 * seconds, MAX_PROBE_SECONDS)
    for hibernation in silent:
        hibernation.client_departed()


async def _ask(
    silent: list[Hibernation], uplink: Uplink, turns: ReplayTurns, connection: int, seconds: float
) -> list[Hibernation]:
    """Ask once for a replay of each of these clients; return those of which nothing has come."""
    async with turns.turn(sum(hibernation.replayable for hibernation in silent)):
        if not uplink.is_on(connection):
            return silent
        arrived = {hibernation: hibernation.stream.arrived for hibernation in silent if not hibernation.is_over}
        for hibernation in arrived:
            hibernation.fetch_missed(seconds)
        await uplink.lost(seconds)
    still_silent = []
    for hibernation, before in arrived.items():
        if hibernation.is_over:
            continue
        if hibernation.stream.arrived_since(before):
            hibernation.send_deferred()
        else:
            still_silent.append(hibernation)
    return still_silent
