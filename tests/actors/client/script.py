"""A way to an engine whose every answer a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from multidict import CIMultiDict

from rivet_runner._connection.client_transport import ClientTransport, Reply, TransportSocket
from rivet_runner._connection.environment import Environment, environment
from rivet_runner.actors.client import Client

__all__ = ["Script", "client_on"]


class Script:
    """Gives ``answers`` one after another, each a status and a body, after ``seconds``. ``asked`` has the requests."""

    def __init__(
        self, answers: list[tuple[int, bytes]], headers: Mapping[str, str] | None = None, seconds: float = 0.0
    ) -> None:
        self.answers = answers
        self.headers = headers or {}
        self.seconds = seconds
        self.asked: list[tuple[str, str]] = []

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.asked.append((method, target))
        await asyncio.sleep(self.seconds)
        status, content = self.answers.pop(0)
        return Reply(status, CIMultiDict(self.headers if status != 200 else {}), content)

    async def connect(self, target: str, subprotocols: Sequence[str], headers: Mapping[str, str]) -> TransportSocket:
        raise ConnectionRefusedError("this engine has no WebSockets")

    async def aclose(self) -> None:
        pass


def client_on(transport: ClientTransport) -> Client:
    """A client that takes this way."""
    token = environment.set(Environment(client_transport=transport))
    try:
        return Client()
    finally:
        environment.reset(token)
