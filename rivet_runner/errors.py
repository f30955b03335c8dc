"""Every error that this package raises on purpose, in one tree.

::

    RivetRunnerError
    ├── DecodeError            bytes that are not one whole protocol message
    ├── EngineRejected         the engine refused this runner, and retrying cannot mend it
    ├── RunnerEvicted          another runner took this one's name and key
    ├── RunnerShutDown         the runner is stopping or stopped, so the call cannot be carried out
    ├── KvError                the engine refused a key-value call
    │   ├── KvLimitExceeded    the call is over a limit of the engine; nothing was sent
    │   └── KvTimeout          no answer in time; the call may or may not have been carried out
    ├── WebSocketClosed        the WebSocket is closed, or its actor went to sleep
    ├── PayloadTooLarge        a message or body over ``max_payload``; nothing was sent
    └── RecordError            the stored record of a hibernating WebSocket cannot be read

``rivet_runner.testing`` adds the errors of its engine and its client below ``RivetRunnerError``.

Wrong arguments are ``TypeError`` and ``ValueError``, as everywhere in Python. Errors of the libraries below
(``websockets``, ``msgspec``, ``tenacity``) never reach a caller.
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
    """Base of every error of this package."""


class DecodeError(RivetRunnerError):
    """The bytes are not exactly one message of the protocol."""


class EngineRejected(RivetRunnerError):
    """The engine refused this runner for a reason that retrying cannot mend.

    ``group`` and ``error`` are the two halves of the engine's reason (``namespace`` and ``not_found``), ``ray_id`` is the
    engine's own id of the event, for its logs; none where the engine gave none.
    """

    def __init__(self, message: str, *, group: str, error: str, ray_id: str | None = None) -> None:
        super().__init__(message)
        self.group = group
        self.error = error
        self.ray_id = ray_id


class RunnerEvicted(RivetRunnerError):
    """Another runner connected with the same name and key, and the engine gave it this one's place."""


class RunnerShutDown(RivetRunnerError):
    """The runner is shutting down or has shut down, or the actor of the call is gone."""


class KvError(RivetRunnerError):
    """The engine refused a key-value call; the message is the engine's own."""


class KvLimitExceeded(KvError):
    """A key-value call is over one of the engine's limits; the message names the limit and the figure.

    Raised before anything is sent.
    """


class KvTimeout(KvError):
    """A key-value call was not answered within ``kv_timeout`` seconds.

    The engine may have carried it out all the same.
    """


class WebSocketClosed(RivetRunnerError):
    """The WebSocket is closed.

    ``code`` and ``reason`` are those of the close. ``hibernated`` is true where the client is still connected and only
    this actor's hold on the socket ended, because the actor goes to sleep.
    """

    def __init__(self, code: int, reason: str, *, hibernated: bool = False) -> None:
        what = "hibernated with its actor" if hibernated else f"closed: {code} {reason}".rstrip()
        super().__init__(f"the WebSocket is {what}")
        self.code = code
        self.reason = reason
        self.hibernated = hibernated


class PayloadTooLarge(RivetRunnerError):
    """A message or body is larger than ``max_payload`` bytes and was not sent."""


class RecordError(RivetRunnerError):
    """The stored record of a hibernating WebSocket is damaged, or of a format that this version does not know."""
