"""The errors of typed actors.

::

    RivetRunnerError
    ├── ActorError             what an actor, or the engine, answered to a call
    │   └── UserError          raised by an actor for its caller, group ``user``
    ├── StateTooLarge          the state is over the limit and was not stored
    ├── ScheduleFull           the actor has too much scheduled, and no more was added
    └── ClientError            a call of a client has no answer, or one that does not fit
        ├── EngineUnreachable  the engine was not reached, so nothing was sent
        ├── ConnectionLost     the connection broke before the answer; the actor may have done its part
        └── CallTimeout        no answer came in time; also a `TimeoutError`
"""

from __future__ import annotations

from typing import Any

from rivet_runner.errors import RivetRunnerError

__all__ = [
    "ActorError",
    "CallTimeout",
    "ClientError",
    "ConnectionLost",
    "EngineUnreachable",
    "ScheduleFull",
    "StateTooLarge",
    "UserError",
]


class ActorError(RivetRunnerError):
    """The error that a call was answered with.

    ``group`` and ``code`` name it, for example ``actor`` and ``action_timed_out``. ``metadata`` is plain data, or `None`.
    """

    received = False
    """Whether another actor, or the engine, has answered with it. Then it is not meant for your own callers."""

    def __init__(self, group: str, code: str, message: str, metadata: Any = None) -> None:
        super().__init__(message)
        self.group = group
        self.code = code
        self.message = message
        self.metadata = metadata

    def __str__(self) -> str:
        return f"{self.group}.{self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.group, self.code, self.message, self.metadata)


class UserError(ActorError):
    """Raise it in an action, or in ``before_connect``, to tell the caller what is wrong.

    The caller gets ``message``, ``code`` and ``metadata``. The text of any other exception never leaves the actor: the
    caller gets ``core.internal_error``, and the traceback is logged.
    """

    def __init__(self, message: str, code: str = "user_error", metadata: Any = None) -> None:
        super().__init__("user", code, message, metadata)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.code, self.metadata)


class StateTooLarge(RivetRunnerError):
    """The state is over the limit of one transaction, and was not stored. What was stored before is still there.

    ``size`` and ``limit`` are in bytes of the stored form.
    """

    def __init__(self, size: int, limit: int) -> None:
        text = f"the state has {size:,} bytes, but at most {limit:,} can be stored at once"
        super().__init__(f"{text}; keep what grows, such as a history, in kv")
        self.size = size
        self.limit = limit


class ScheduleFull(RivetRunnerError):
    """The actor has as much scheduled as it may, so this was not added. What was scheduled before stays.

    ``entries`` and ``size`` are those that it has, and the bytes of all their arguments.
    """

    def __init__(self, entries: int, size: int) -> None:
        super().__init__(
            f"the actor has {entries:,} calls scheduled, with {size:,} bytes of arguments, and no room for more"
        )
        self.entries = entries
        self.size = size

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.entries, self.size)


class ClientError(RivetRunnerError):
    """A call of a `rivet_runner.actors.client.Client` has no answer, or one that does not fit its annotation."""


class EngineUnreachable(ClientError):
    """The engine was not reached. Nothing was sent, so you can try again."""


class ConnectionLost(ClientError):
    """The connection broke before the answer came. The actor may have carried the call out, or do so still.

    The client repeats nothing. Repeat the call if a second run does no harm.
    """


class CallTimeout(ClientError, TimeoutError):
    """No answer came within the client's ``timeout``. The actor may have carried the call out, or do so still."""
