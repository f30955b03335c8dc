"""The parameters of an actor, and the signals that its gateway gets."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec

__all__ = ["ActorSignal", "ActorSpec", "CrashPolicy"]

CrashPolicy = Literal["sleep", "restart", "destroy"]


class ActorSpec(msgspec.Struct, frozen=True):
    """The parameters with which an actor is created. ``create_ts`` is in milliseconds."""

    actor_id: str
    name: str
    key: str | None
    input: bytes | None
    runner_name: str
    crash_policy: CrashPolicy
    create_ts: int
    namespace: str = "default"


class ActorSignal(enum.Enum):
    """A change of an actor that its gateway hears of."""

    READY = "ready"
    STOPPED = "stopped"
    DESTROYED = "destroyed"
