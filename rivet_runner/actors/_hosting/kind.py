"""A class of actors, as the hosting of its instances needs it."""

from __future__ import annotations

from typing import Any

from rivet_runner.actors._declaring.declaration import declaration_of
from rivet_runner.actors._types.signature import Signature, signature_of
from rivet_runner.actors.durable_actor import DurableActor

__all__ = ["ActorKind"]


class ActorKind:
    """One subclass of `DurableActor`: its declaration, and which of the hooks it has that cost something to call."""

    __slots__ = (
        "actions",
        "cls",
        "declaration",
        "guards",
        "hibernates",
        "max_incoming",
        "max_outgoing",
        "migrates",
        "name",
        "runs",
    )

    def __init__(self, cls: type[DurableActor[Any]]) -> None:
        self.cls = cls
        self.declaration = declaration_of(cls)
        self.name = self.declaration.name
        self.actions = self.declaration.actions
        self.hibernates = cls.hibernate
        self.max_incoming = cls.max_incoming_message
        self.max_outgoing = cls.max_outgoing_message
        self.guards = cls.before_connect is not DurableActor.before_connect
        self.runs = cls.run is not DurableActor.run
        self.migrates = cls.migrate_state.__func__ is not DurableActor.migrate_state.__func__  # type: ignore[attr-defined]

    def signature(self, method: str) -> Signature:
        """The parameters of a method that need not be an action. Raises `TypeError` if they cannot be bound."""
        return signature_of(getattr(self.cls, method))
