"""What an actor is created with, and what the gateway is told of it."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

__all__ = ["ActorSignal", "ActorSpec", "CrashPolicy"]

CrashPolicy = Literal["sleep", "restart", "destroy"]


class ActorSpec(msgspec.Struct, frozen=True):
    """What an actor is created with."""

    actor_id: str
    name: str
    key: str | None
    input: bytes | None
    runner_name: str
    crash_policy: CrashPolicy
    create_ts: int


class ActorSignal(enum.Enum):
    """What the gateway is told."""

    READY = "ready"
    STOPPED = "stopped"
    DESTROYED = "destroyed"
