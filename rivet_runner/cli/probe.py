"""A runner's first words with the engine, without a runner: it tells whether the engine would accept one.

The probe has a runner name of its own, which no actor selects, so it gets no actors.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from rivet_runner.config import RunnerConfig
from rivet_runner.errors import DecodeError, RivetRunnerError
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import ToServerStopping

__all__ = ["PROBE_NAME", "Accepted", "Refused", "probe"]

PROBE_NAME: Final = "rivet-runner-doctor"

SECONDS: Final = 15.0
"""For the answer. A first init that got none is not sent again here, as a runner would after 4 s."""


class Accepted(msgspec.Struct, frozen=True):
    """The engine has accepted the probe. ``lost_threshold`` is in seconds."""

    runner_id: str
    lost_threshold: float


class Refused(RivetRunnerError):
    """The engine did not accept the probe. ``reason`` is the engine's, such as ``namespace.not_found``, or a description."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@contextlib.asynccontextmanager
async def probe(config: RunnerConfig) -> AsyncIterator[Accepted]:
    """Connect as a runner with ``config`` would, and stay connected in the block. Raises `Refused`."""
    config = config.replace(runner_name=PROBE_NAME, runner_key=f"{PROBE_NAME} {config.runner_key}")
    protocols = [Subprotocol(name) for name in config.subprotocols]
    try:
        async with asyncio.timeout(SECONDS):
            socket = await connect(config.connect_url(), subprotocols=protocols, proxy=None, max_size=None)
    except (OSError, WebSocketException, TimeoutError) as error:
        raise Refused(f"{type(error).__name__} while connecting") from None
    try:
        codec: Any = {3: v3, 7: v7}[config.protocol]
        async with asyncio.timeout(SECONDS):
            await socket.send(codec.encode_to_server(_init(config.protocol)))
            yield await _answer(socket, codec)
        await socket.send(codec.encode_to_server(ToServerStopping()))
    except ConnectionClosed as error:
        close = error.rcvd
        reason = "" if close is None else close.reason.partition("#")[0]
        raise Refused(reason or "the connection was closed without a reason") from None
    except TimeoutError:
        raise Refused("no answer in time") from None
    finally:
        await socket.close(1000, "pegboard.runner_shutdown")


async def _answer(socket: Any, codec: Any) -> Accepted:
    while True:
        frame = await socket.recv()
        try:
            message = codec.decode_to_client(frame)
        except (DecodeError, TypeError):
            raise Refused("the answer is no message of the protocol") from None
        if isinstance(message, codec.ToClientInit):
            return Accepted(message.runner_id, message.metadata.runner_lost_threshold / 1000)


def _init(protocol: int) -> Any:
    if protocol == 3:
        return v3.ToServerInit(PROBE_NAME, 0, 1, None, None, None)
    return v7.ToServerInit(PROBE_NAME, 0, 1, None, None)
