"""Typed actors: classes with state, actions, events and schedules, which clients written for Rivet can call."""

from __future__ import annotations

from rivet_runner.actors.errors import ActorError, ScheduleFull, StateTooLarge, UserError
from rivet_runner.actors.schedule import Schedule, Scheduled

__all__ = ["ActorError", "Schedule", "ScheduleFull", "Scheduled", "StateTooLarge", "UserError"]
