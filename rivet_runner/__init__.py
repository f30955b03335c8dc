"""Host Rivet actors in a Python process.

Subclass `Runner`, override its hooks, and call `Runner.run`. The engine places actors on the runner, tunnels their HTTP
requests and WebSockets to it, and keeps their key-value data.
"""

from typing import TYPE_CHECKING

from rivet_runner._lazy import lazy_names

if TYPE_CHECKING:
    from rivet_runner.actor import Actor, Alarm, StopReason
    from rivet_runner.config import RunnerConfig
    from rivet_runner.errors import (
        DecodeError,
        EngineRejected,
        KvError,
        KvLimitExceeded,
        KvTimeout,
        PayloadTooLarge,
        RecordError,
        RivetRunnerError,
        RunnerEvicted,
        RunnerShutDown,
        WebSocketClosed,
    )
    from rivet_runner.hibernation import HibernationRecord, HibernationStore
    from rivet_runner.http import Request, Response
    from rivet_runner.kv import KV
    from rivet_runner.runner import Runner, RunnerSource
    from rivet_runner.websocket import WebSocket

__version__ = "0.1.0"

__all__ = [
    "KV",
    "Actor",
    "Alarm",
    "DecodeError",
    "EngineRejected",
    "HibernationRecord",
    "HibernationStore",
    "KvError",
    "KvLimitExceeded",
    "KvTimeout",
    "PayloadTooLarge",
    "RecordError",
    "Request",
    "Response",
    "RivetRunnerError",
    "Runner",
    "RunnerConfig",
    "RunnerEvicted",
    "RunnerShutDown",
    "RunnerSource",
    "StopReason",
    "WebSocket",
    "WebSocketClosed",
    "__version__",
]

_MODULES = {
    "actor": ("Actor", "Alarm", "StopReason"),
    "config": ("RunnerConfig",),
    "errors": (
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
    ),
    "hibernation": ("HibernationRecord", "HibernationStore"),
    "http": ("Request", "Response"),
    "kv": ("KV",),
    "runner": ("Runner", "RunnerSource"),
    "websocket": ("WebSocket",),
}

# A type checker sees the imports above instead, and so finds misspelt names.
if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
