"""An engine that does what a test says: for what a real one does too rarely, too slowly or not on demand.

See `ScriptedEngine`. A runner is connected to it over real sockets and cannot tell the difference, so connection loss,
refusals, close reasons, repeated commands and timeouts can be tried without patching anything.
"""

from __future__ import annotations

from rivet_runner.testing._scripted.connection import Received, RunnerConnection
from rivet_runner.testing._scripted.engine import Dial, ScriptedEngine
from rivet_runner.testing._scripted.kv_store import ScriptedKv
from rivet_runner.testing._scripted.tunnel import ClientWebSocket, HttpExchange, TunnelEnd

__all__ = [
    "ClientWebSocket",
    "Dial",
    "HttpExchange",
    "Received",
    "RunnerConnection",
    "ScriptedEngine",
    "ScriptedKv",
    "TunnelEnd",
]
