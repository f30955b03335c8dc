"""The errors of this room."""

from __future__ import annotations

from rivet_runner.errors import RivetRunnerError

__all__ = ["ClientDisconnected", "LifespanFailed", "comes_of_disconnect"]


class ClientDisconnected(RivetRunnerError, OSError):
    """The application has sent to a client that is gone. As ASGI 2.4 asks for, it is an `OSError`."""


class LifespanFailed(RivetRunnerError):
    """The application has answered ``lifespan.startup`` with ``lifespan.startup.failed``."""


def comes_of_disconnect(error: BaseException) -> bool:
    """Whether ``error`` is a `ClientDisconnected`, or the application raised it while it handled one.

    Frameworks raise errors of their own for it.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ClientDisconnected):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
