"""Typed actors: classes with state, actions, events and schedules, which clients written for Rivet can call."""

from __future__ import annotations

from rivet_runner.actors.errors import ActorError, StateTooLarge, UserError

__all__ = ["ActorError", "StateTooLarge", "UserError"]
