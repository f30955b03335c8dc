"""A pace, what waits in its outbox, and what it lets leave."""

from __future__ import annotations

from rivet_runner._session.outbox import Outbox
from rivet_runner._session.pace import Pace
from rivet_runner.protocol.v3 import (
    KvGetRequest,
    ToServerKvRequest,
    ToServerTunnelMessage,
    decode_to_server,
    encode_to_server,
)
from tests.session.distant_engine import GATEWAY, DistantEngine, message

__all__ = ["FAR", "FAST", "NEAR", "OTHER", "all_that_may_leave", "count", "engine_at", "filled", "pace_at", "split"]

OTHER = b"gw-2"
FAST = 1e9
"""A rate at which only the windows hold anything back."""

NEAR, FAR = 0.000_5, 0.1
"""Round trips in seconds."""


def pace_at(rate: float) -> Pace:
    return Pace(rate, lambda: "some actor", encode_to_server)


def engine_at(round_trip: float, rate: float, pace: Pace | None = None) -> DistantEngine:
    return DistantEngine(pace or pace_at(FAST), round_trip=round_trip, rate=rate)


def filled(count: int, gateway: bytes = GATEWAY, data: bytes = b"") -> Outbox:
    outbox = Outbox(2**40)
    for number in range(count):
        outbox.add(gateway, message(number, gateway, data))
    return outbox


def split(frames: list[bytes]) -> tuple[list[tuple[bytes, int]], list[int]]:
    """The messages, each as gateway and number, and the ids of the barriers among them."""
    messages, barriers = [], []
    for frame in frames:
        decoded = decode_to_server(frame)
        if isinstance(decoded, ToServerTunnelMessage):
            messages.append((decoded.message_id.gateway_id, int.from_bytes(decoded.message_id.request_id, "big")))
        else:
            assert isinstance(decoded, ToServerKvRequest)
            assert decoded.actor_id == "some actor"
            assert isinstance(decoded.data, KvGetRequest)
            barriers.append(decoded.request_id)
    return messages, barriers


def all_that_may_leave(pace: Pace, outbox: Outbox, now: float) -> list[bytes]:
    """Looks that follow each other closely: the burst of one is not what is tested."""
    return [frame for look in range(5) for frame in pace.take(outbox, now + look / 1e6)]


def count(frames: list[bytes]) -> int:
    return len(split(frames)[0])
