"""How fast tunnel messages may leave."""

from __future__ import annotations

from rivet_runner.session.outbox import Outbox

__all__ = ["Pace"]


class Pace:
    """Lets everything through at once."""

    def reset(self) -> None:
        """A connection has ended."""

    def confirm(self, request_id: int) -> bool:
        """Whether ``request_id`` was one of the pace's own calls, which is answered now."""
        return False

    def take(self, outbox: Outbox, now: float) -> list[bytes]:
        """The frames that may leave now."""
        return outbox.take(len(outbox))

    def wait(self, outbox: Outbox, now: float) -> float | None:
        """Seconds until `take` is worth another look; none where something else will say so."""
        return None
