"""The errors of this package, in one tree.

::

    RivetRunnerError
    ├── DecodeError            the bytes are not exactly one protocol message
    ├── EngineRejected         the engine refused this runner, and a retry would not help
    ├── RunnerEvicted          another runner connected with the same name and key
    ├── RunnerShutDown         the runner or the actor is stopping or has stopped
    ├── KvError                the engine refused a key-value call
    │   ├── KvLimitExceeded    the call is over a limit of the engine and was not sent
    │   └── KvTimeout          no answer came in time; the engine may have carried out the call
    ├── WebSocketClosed        the WebSocket is closed, or its actor fell asleep
    ├── PayloadTooLarge        the message or body is over ``max_payload`` and was not sent
    └── RecordError            the stored record of a hibernating WebSocket cannot be read

`rivet_runner.testing` adds the errors of its engine and its client, which also derive from `RivetRunnerError`.

Wrong arguments raise `TypeError` or `ValueError`. Errors of the libraries underneath (``websockets``, ``msgspec``,
``tenacity``) never reach you.
"""

from __future__ import annotations

__all__ = [
    "DecodeError",
    "EngineRejected",
    "KvError",
    "KvLimitExceeded",
    "KvTimeout",
    "PayloadTooLarge",
    "RecordError",
    "RivetRunnerError",
    "RunnerEvicted",
    "RunnerShutDown",
    "WebSocketClosed",
]


class RivetRunnerError(Exception):
    """Base class of all errors of this package."""


class DecodeError(RivetRunnerError):
    """The bytes are not exactly one message of the protocol."""


class EngineRejected(RivetRunnerError):
    """The engine refused this runner for a reason that a retry would not change.

    ``group`` and ``error`` are the two halves of the engine's reason, for example ``namespace`` and ``not_found``.
    ``ray_id`` identifies the event in the engine's logs. It is `None` if the engine sent none.
    """

    def __init__(self, message: str, *, group: str, error: str, ray_id: str | None = None) -> None:
        super().__init__(message)
        self.group = group
        self.error = error
        self.ray_id = ray_id


class RunnerEvicted(RivetRunnerError):
    """The engine has closed this runner's connection for good.

    ``drained`` is `False` if another runner connected with the same name and key. It is `True` if the engine drained this
    runner before: a newer version in the pool has taken over its actors.
    """

    def __init__(self, message: str, *, drained: bool = False) -> None:
        super().__init__(message)
        self.drained = drained


class RunnerShutDown(RivetRunnerError):
    """The runner is shutting down or has shut down, or the actor's generation has stopped."""


class KvError(RivetRunnerError):
    """The engine refused a key-value call, or the actor's generation has ended. The message has the engine's reason."""


class KvLimitExceeded(KvError):
    """A key-value call is over a limit of the engine and was not sent. The message has the limit and the actual size."""


class KvTimeout(KvError):
    """The engine did not answer a key-value call within ``kv_timeout`` seconds. It may have carried out the call."""


class WebSocketClosed(RivetRunnerError):
    """The WebSocket is closed.

    ``code`` and ``reason`` are those of the close. ``hibernated`` is `True` if the client is still connected and the
    WebSocket hibernates because its actor falls asleep.
    """

    def __init__(self, code: int, reason: str, *, hibernated: bool = False) -> None:
        what = "hibernated with its actor" if hibernated else f"closed: {code} {reason}".rstrip()
        super().__init__(f"the WebSocket is {what}")
        self.code = code
        self.reason = reason
        self.hibernated = hibernated


class PayloadTooLarge(RivetRunnerError):
    """A message or body has more than ``max_payload`` bytes and was not sent."""


class RecordError(RivetRunnerError):
    """The stored record of a hibernating WebSocket is damaged, or its format version is unknown."""
