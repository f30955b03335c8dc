"""An engine that follows your script, for events that a real engine causes too rarely, too slowly or not on demand.

See `ScriptedEngine`. A runner connects to it over real sockets and cannot tell the difference. So you can test
connection loss, refusals, close reasons, repeated commands and timeouts without patching. It speaks the version of the
protocol that the runner speaks.
"""

from __future__ import annotations

from rivet_runner.testing._scripted.connection import Received, RunnerConnection
from rivet_runner.testing._scripted.engine import Dial, ScriptedEngine
from rivet_runner.testing._scripted.kv_store import ScriptedKv
from rivet_runner.testing._scripted.speech import ReportedEvent
from rivet_runner.testing._scripted.tunnel import ClientWebSocket, HttpExchange, TunnelEnd

__all__ = [
    "ClientWebSocket",
    "Dial",
    "HttpExchange",
    "Received",
    "ReportedEvent",
    "RunnerConnection",
    "ScriptedEngine",
    "ScriptedKv",
    "TunnelEnd",
]
