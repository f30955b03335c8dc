"""Both dialects with what tests need beside them: the codec, and the engine's messages in each version's spelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rivet_runner._session.dialect import Dialect, Received, RunnerInit
from rivet_runner._session.dialect_v3 import DialectV3
from rivet_runner._session.dialect_v7 import DialectV7
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import ActorConfig, ToClientTunnelMessage

__all__ = ["CONFIG", "INIT", "Speaker", "each_dialect"]

INIT = RunnerInit("pool", 2, 10, {"counter": v3.ActorName("{}")}, '{"a":1}')
CONFIG = ActorConfig("counter", "key", 5, b"input")


class Speaker:
    """A dialect, and an engine's mouth and ears for it."""

    def __init__(self, kind: type[DialectV3 | DialectV7]) -> None:
        self.dialect: Dialect = kind(INIT)
        self.codec: Any = {3: v3, 7: v7}[kind.version]
        self.now = 100.0

    def connect(self, runner_id: str = "r1", *, last_event_idx: int = -1) -> Sequence[Received]:
        """Open a connection, and answer its init."""
        self.dialect.connection_opened()
        self.sent()
        return self.answer_init(runner_id, last_event_idx=last_event_idx)

    def answer_init(self, runner_id: str = "r1", *, last_event_idx: int = -1) -> Sequence[Received]:
        """``last_event_idx`` is for version 3 alone."""
        if self.codec is v3:
            return self.receive(v3.ToClientInit(runner_id, last_event_idx, v3.ProtocolMetadata(15_000)))
        return self.receive(v7.ToClientInit(runner_id, v7.ProtocolMetadata(15_000, 1_800_000, None)))

    def receive(self, message: Any) -> Sequence[Received]:
        message = self.dialect.decode(self.codec.encode_to_client(message))
        return [message] if isinstance(message, ToClientTunnelMessage) else self.dialect.take_in(message)

    def ping(self, times: int = 1) -> None:
        """Let the engine of version 7 ping, and take the pongs."""
        for _ in range(times):
            self.receive(v7.ToClientPing(1))
            self.sent()

    def sent(self) -> list[Any]:
        """The messages that are to be sent now."""
        return [self.codec.decode_to_server(frame) for frame in self.dialect.frames_to_send(self.now)]


each_dialect = pytest.mark.parametrize("kind", [DialectV3, DialectV7], ids=["v3", "v7"])
