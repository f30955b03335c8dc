"""The numbers of one runner since its start.

The event loop counts, and any other thread may read: each number is replaced as a whole. A number is plain, because a
client's message must not cost more for being counted.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

__all__ = ["BOUNDS", "Distribution", "Statistics", "add", "add_each"]

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. A key-value call takes about a millisecond, and the longest default timeout of a hook is 30 s."""

T = TypeVar("T")


@dataclass(slots=True, eq=False, repr=False)
class Distribution:
    """How long things took: their number between each two `BOUNDS`, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True, eq=False, repr=False)
class Statistics:
    """Everything that only grows, and the few numbers that are not kept elsewhere. Times are in seconds."""

    actor_starts: int = 0
    actor_start_seconds: Distribution = field(default_factory=Distribution)
    actor_stops: dict[str, int] = field(default_factory=dict)
    """By the name of the reason, in lower case."""
    actor_stop_seconds: Distribution = field(default_factory=Distribution)
    alarms: dict[str, int] = field(default_factory=dict)
    """By outcome: ``ok`` or ``failed``."""
    alarm_seconds: Distribution = field(default_factory=Distribution)
    requests: dict[str, int] = field(default_factory=dict)
    """By status, or ``aborted`` if the client had gone."""
    request_seconds: Distribution = field(default_factory=Distribution)
    requests_in_progress: int = 0
    websockets_opened: int = 0
    websockets_refused: int = 0
    websockets_restored: int = 0
    websockets_hibernated: int = 0
    websocket_open_seconds: Distribution = field(default_factory=Distribution)
    plain_websockets: int = 0
    """Open now, and closed when their actor sleeps."""
    hibernatable_websockets: int = 0
    """Open now, and kept by the gateway when their actor sleeps."""
    messages_received: int = 0
    messages_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    """Payloads of WebSocket messages."""
    replays: int = 0
    """How often the gateway was asked for messages that may be lost."""
    kv_seconds: dict[str, Distribution] = field(default_factory=dict)
    """By operation."""
    kv_errors: dict[str, int] = field(default_factory=dict)
    """By operation."""
    connections: int = 0
    """How often the engine has accepted this runner."""
    reconnects: int = 0
    disconnects: int = 0
    loop_lag_seconds: Distribution = field(default_factory=Distribution)


def add(counts: dict[str, int], name: str) -> None:
    """Count one more of ``name``."""
    counts[name] = counts.get(name, 0) + 1


def add_each(into: T, other: T, *, largest: frozenset[str] = frozenset()) -> T:
    """Add each number of a dataclass to the same one of ``into``, and return ``into``.

    Of the fields named in ``largest`` it keeps the greater one. Text stays as it is in ``into``.
    """
    for one in dataclasses.fields(into):  # type: ignore[arg-type]
        mine, others = getattr(into, one.name), getattr(other, one.name)
        setattr(into, one.name, max(mine, others) if one.name in largest else _sum(mine, others))
    return into


def _sum(mine: Any, others: Any) -> Any:
    if isinstance(mine, str):
        return mine
    if isinstance(mine, int | float):
        return mine + others
    if isinstance(mine, list):
        return [a + b for a, b in zip(mine, others, strict=True)]
    if isinstance(mine, dict):
        return _sum_of_maps(mine, others)
    return add_each(mine, others)


def _sum_of_maps(mine: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    both = {**mine}
    for name, value in {**others}.items():
        both[name] = _sum(both[name], value) if name in both else value
    return both
