"""Typed actors: classes with state, actions, events and schedules, which clients written for Rivet can call."""

from __future__ import annotations

try:
    from rivet_runner.actors.action import action
    from rivet_runner.actors.app import App
    from rivet_runner.actors.client import Client
    from rivet_runner.actors.connection import Connection
    from rivet_runner.actors.durable_actor import DurableActor
    from rivet_runner.actors.errors import (
        ActorError,
        CallTimeout,
        ClientError,
        ConnectionLost,
        EngineUnreachable,
        ScheduleFull,
        StateTooLarge,
        UserError,
    )
    from rivet_runner.actors.event import Event
    from rivet_runner.actors.schedule import Schedule, Scheduled
except ModuleNotFoundError as _error:
    if _error.name not in ("cbor2", "cronsim", "httpx"):
        raise
    raise ModuleNotFoundError(
        f'typed actors require more packages: pip install "rivet-runner[actors]" ({_error})', name=_error.name
    ) from None

__all__ = [
    "ActorError",
    "App",
    "CallTimeout",
    "Client",
    "ClientError",
    "Connection",
    "ConnectionLost",
    "DurableActor",
    "EngineUnreachable",
    "Event",
    "Schedule",
    "ScheduleFull",
    "Scheduled",
    "StateTooLarge",
    "UserError",
    "action",
]
