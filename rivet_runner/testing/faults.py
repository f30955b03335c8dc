"""The faults that a `SimulatedEngine` draws from its seed."""

from __future__ import annotations

import msgspec

__all__ = ["Faults"]


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults for ``SimulatedEngine(faults=...)``. The seed decides when each of them strikes, and whom.

    Some strike from time to time, `every` so many seconds on average. `cuts`, `stalls`, `crashes` and `clock_steps` are
    their shares, and 0 leaves one out. Others strike a message: `late_events`, `lost_inits`, `failed_calls` and
    `slow_calls` are chances from 0 to 1. `limit` and `until` end all of these. `delay` and `ring` are the ways of a network
    and of the engine. They are no faults, so they do not end.

    ``Faults()`` has a bit of everything. Raises `ValueError` for a negative number or a chance above 1.
    """

    every: float = 5.0
    """Mean seconds between two faults. 0 means that none strikes by itself."""
    limit: int | None = None
    """Number of faults after which there are no more."""
    until: float | None = None
    """Seconds after which there are no more, from the engine's start."""

    cuts: float = 4.0
    """A runner's connection breaks, half of the times with a close frame. Messages on the way are lost."""
    stalls: float = 4.0
    """A runner's connection is silent for a while, in one direction or in both."""
    crashes: float = 1.0
    """The engine crashes, and is back a while later."""
    clock_steps: float = 1.0
    """The clock of the runners jumps, and stays wrong until the next step."""

    late_events: float = 0.05
    """Chance that the engine takes a message of events up to 0.05 s late. If another overtakes it, its events are lost."""
    lost_inits: float = 0.02
    """Chance that the engine does not answer an init."""
    failed_calls: float = 0.01
    """Chance that a key-value call fails, without an effect."""
    slow_calls: float = 0.02
    """Chance that a key-value call takes up to ``longest_call``. The runner's next messages wait behind it."""

    delay: float = 0.02
    """Maximum seconds that a message is on its way. Messages of one connection keep their order."""
    ring: int | None = 1024
    """Messages of clients and actors that wait for a receiver. The oldest is dropped beyond that."""
    longest_stall: float = 30.0
    longest_outage: float = 10.0
    """Seconds from a crash until the engine takes connections again."""
    longest_call: float = 3.0
    longest_clock_step: float = 10.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"Faults({name}={value!r}): it must not be negative")
        for name in ("late_events", "lost_inits", "failed_calls", "slow_calls"):
            if getattr(self, name) > 1:
                raise ValueError(f"Faults({name}={getattr(self, name)!r}): a chance is at most 1")
