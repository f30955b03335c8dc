"""A client's connection to a typed actor, as the actor's code sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

__all__ = ["Connection"]


class Connection(ABC):
    """One client. It has opened a connection, or it calls an action by HTTP and is there for the call.

    A connection outlives the sleep of its actor, and a move to another runner, if it is ``hibernatable``. Its client notices
    nothing. ``params``, ``state`` and subscriptions are kept.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def id(self) -> str:
        """The same for as long as the connection is open."""

    @property
    @abstractmethod
    def params(self) -> Any:
        """The parameters with which the client has connected, as plain data. `None` if there are none."""

    @property
    @abstractmethod
    def state(self) -> dict[str, Any]:
        """A dict of plain data that is yours, kept as long as the connection. At most 48 KiB are stored.

        ``before_connect`` returns the first one. Changes are stored with the actor's state. If it grows over the limit, the
        change is not stored, and ``on_error`` gets the error.
        """

    @property
    @abstractmethod
    def connected_at(self) -> datetime:
        """When it was opened, in UTC, by the runner's clock."""

    @property
    @abstractmethod
    def hibernatable(self) -> bool:
        """Whether it outlives the sleep of its actor."""

    @abstractmethod
    async def disconnect(self, reason: str = "") -> None:
        """Close the connection with 1000 and ``reason``, of which the first 123 bytes arrive.

        ``on_disconnect`` follows. A connection that is closed already, or that only lives for a call, stays as it is.
        """
