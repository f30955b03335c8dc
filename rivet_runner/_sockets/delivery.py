"""The contract between a hibernatable socket, its bookkeeping, and the journal.

`ClientSocket` asks its `Delivery` which messages to take and tells it how far the handler is. `Journal` asks it for a record
to store and tells it once that is stored. The one implementation is `rivet_runner._sockets.hibernatable.Hibernation`, which
stands above both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from rivet_runner.hibernation import HibernationRecord

__all__ = ["Delivery"]


class Delivery(ABC):
    """How far one client's messages have come: delivered, processed, stored, acknowledged."""

    __slots__ = ("acknowledged", "is_over")

    acknowledged: int
    """The index up to which the gateway was told."""

    is_over: bool
    """Whether the socket is closed, or this generation has let go of it."""

    # For the socket

    @abstractmethod
    def receive(self, index: int) -> bool:
        """Take note of an arriving message. Return whether to deliver it."""

    @abstractmethod
    def no_room(self) -> None:
        """The message that was just received does not fit: leave it with the gateway, and fetch it when there is room."""

    @abstractmethod
    def mark_delivered(self, waiting: int) -> None:
        """The handler has got the next message, and ``waiting`` more are queued."""

    @abstractmethod
    def mark_all_processed(self) -> None:
        """The handler asks for its next message, so those that it had are processed."""

    @abstractmethod
    def mark_processed(self, count: int) -> None:
        """The handler says that the oldest ``count`` messages that it has are processed. Raises `ValueError`."""

    @abstractmethod
    def check_unmarked(self) -> None:
        """The handler asks for its next message. Raises `RuntimeError` if it has too many that are not processed."""

    @abstractmethod
    def changed(self) -> None:
        """There is something new to store."""

    @abstractmethod
    def ended(self, *, closed: bool) -> None:
        """The socket is closed for good, or only this generation's hold on it has ended."""

    # For the journal

    @property
    @abstractmethod
    def key(self) -> bytes:
        """The 8-byte request key."""

    @property
    @abstractmethod
    def path(self) -> str:
        """The path of the opening request."""

    @abstractmethod
    def record(self) -> HibernationRecord:
        """The record to store now."""

    @abstractmethod
    def acknowledge(self, received: int) -> bool:
        """The record with ``received`` is stored: tell the gateway. Return whether nothing is left to acknowledge."""
