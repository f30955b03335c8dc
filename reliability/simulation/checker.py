"""Reads the trace of a run, line by line, for the promises that it may break."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from reliability.simulation.invariant import Entry, Invariant, Place, Violation, is_read
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import ToClientTunnelMessage, ToServerTunnelMessage

__all__ = ["ENDS", "Checker"]

ENDS: Final = frozenset({"heal", "stall is over"})
"""The ends of faults, which are no faults themselves."""

TUNNEL_MESSAGES: Final = (ToClientTunnelMessage, ToServerTunnelMessage)


class Checker:
    """Invariants, fed with the trace as it grows."""

    def __init__(self, invariants: Sequence[type[Invariant]]) -> None:
        self.faults: int = 0
        """The faults that have struck so far."""
        self._all = [invariant() for invariant in invariants]
        self._readers = {
            part: [getattr(one, part) for one in self._all if getattr(type(one), part) is not getattr(Invariant, part)]
            for part in ("app", "client", "engine", "event", "tunnel", "tick")
        }

    def read(self, entries: Iterable[Entry]) -> None:
        readers, of_others = self._readers, self._readers["engine"]
        for entry in entries:
            part = entry.part
            if part == "link":
                frame, version = entry.details
                if is_read(frame, entry.what, version):
                    self._read_message(entry.message)
            else:
                self.faults += part == "fault" and entry.what not in ENDS
                for reader in readers.get(part, of_others):
                    reader(entry)

    def _read_message(self, message: Any) -> None:
        if isinstance(message, TUNNEL_MESSAGES):
            place = message.message_id
            for reader in self._readers["tunnel"]:
                reader(place.gateway_id + place.request_id, place.message_index, message.message_kind)
        else:
            for its_place, event in _events(message):
                for reader in self._readers["event"]:
                    reader(its_place, event)

    def tick(self, now: int) -> None:
        """Time passed: ``now`` milliseconds since the trace began."""
        for reader in self._readers["tick"]:
            reader(now)

    @property
    def waits(self) -> bool:
        """Whether a promise can still be broken by nothing more than time."""
        return any(invariant.waits for invariant in self._all)

    @property
    def broken(self) -> list[Violation]:
        """Every complaint so far."""
        return [violation for invariant in self._all for violation in invariant.broken]


def _events(message: Any) -> list[tuple[Place, Any]]:
    """The events of a message, each with its actor and generation."""
    if isinstance(message, v3.ToServerEvents):
        return [((one.inner.actor_id, one.inner.generation), one.inner) for one in message.items]
    if isinstance(message, v7.ToServerEvents):
        return [((one.checkpoint.actor_id, one.checkpoint.generation), one.inner) for one in message.items]
    return []
