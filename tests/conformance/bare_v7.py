"""A runner of protocol 7 that a test drives message by message, on either engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from rivet_runner._connection.environment import Link
from rivet_runner.protocol import v7
from rivet_runner.protocol.messages import (
    ActorState,
    ActorStateRunning,
    ActorStateStopped,
    KvRequestData,
    MessageId,
    StopCode,
    ToClientPing,
    ToClientTunnelMessage,
    ToServerKvRequest,
    ToServerPong,
    ToServerTunnelMessage,
    ToServerTunnelMessageKind,
)
from tests.conformance.bare import described, eventually
from tests.conformance.benches import Bench

__all__ = ["BareRunner7", "bare_runner_7"]

M = TypeVar("M")


class BareRunner7:
    """One connection. Pings are answered while ``answers_pings``."""

    def __init__(self, bench: Bench, link: Link, received: list[bytes]) -> None:
        self.link = link
        self.answers_pings = True
        self._bench = bench
        self._received = received
        self._next_event: dict[tuple[str, int], int] = {}

    @property
    def received(self) -> list[v7.ToClient]:
        return [v7.decode_to_client(frame) for frame in self._received]

    def heard(self, kind: type[M]) -> list[M]:
        return [message for message in self.received if isinstance(message, kind)]

    def say(self, message: v7.ToServer) -> None:
        self.link.send_frames([v7.encode_to_server(message)])

    async def init(self, version: int = 1) -> v7.ToClientInit:
        count = len(self.heard(v7.ToClientInit))
        self.say(v7.ToServerInit(self._bench.runner_name, version, 100, None, "{}"))
        await eventually(lambda: len(self.heard(v7.ToClientInit)) > count, "the answer to init")
        await asyncio.sleep(0.2)
        return self.heard(v7.ToClientInit)[-1]

    def report(self, actor_id: str, *events: v7.Event, generation: int = 0, index: int | None = None) -> None:
        """All of them in one message, with the next indexes of this generation, or from ``index`` on."""
        first = self._next_event.get((actor_id, generation), 0) if index is None else index
        wrappers = [
            v7.EventWrapper(v7.ActorCheckpoint(actor_id, generation, first + offset), event)
            for offset, event in enumerate(events)
        ]
        self._next_event[actor_id, generation] = first + len(events)
        self.say(v7.ToServerEvents(wrappers))

    def state(self, actor_id: str, state: ActorState, generation: int = 0) -> None:
        self.report(actor_id, v7.EventActorStateUpdate(state), generation=generation)

    def running(self, actor_id: str, generation: int = 0) -> None:
        self.state(actor_id, ActorStateRunning(), generation)

    def stopped(self, actor_id: str, generation: int = 0) -> None:
        self.state(actor_id, ActorStateStopped(StopCode.OK, None), generation)

    @property
    def commands(self) -> list[tuple[str, str, int, int]]:
        """Each as ``start`` or ``stop``, actor, generation and index, repeated ones too."""
        return [
            (
                "start" if isinstance(one.inner, v7.CommandStartActor) else "stop",
                place.actor_id,
                place.generation,
                place.index,
            )
            for message in self.heard(v7.ToClientCommands)
            for one in message.items
            for place in (one.checkpoint,)
        ]

    async def command(self, what: str, actor_id: str, generation: int = 0) -> int:
        """Wait for a command and return its index."""

        def look() -> tuple[int] | None:
            found = [
                index
                for kind, actor, number, index in self.commands
                if (kind, actor, number) == (what, actor_id, generation)
            ]
            return (found[0],) if found else None

        return (await eventually(look, f"{what} of generation {generation}"))[0]

    async def started(self, **options: Any) -> str:
        """A new actor that runs here."""
        actor_id = await self._bench.create(**options)
        await self.command("start", actor_id)
        self.running(actor_id)
        await described(self._bench, actor_id, "connectable_ts")
        await asyncio.sleep(0.3)
        return actor_id

    async def kv(self, actor_id: str, request: KvRequestData) -> v7.KvResponseData:
        count = len(self.heard(v7.ToClientKvResponse))
        self.say(ToServerKvRequest(actor_id, count, request))
        await eventually(lambda: len(self.heard(v7.ToClientKvResponse)) > count, "the answer of the key-value store")
        return self.heard(v7.ToClientKvResponse)[-1].data

    async def tunnel(self, kind: type[M]) -> tuple[MessageId, M]:
        def look() -> tuple[MessageId, M] | None:
            for message in self.heard(ToClientTunnelMessage):
                if isinstance(message.message_kind, kind):
                    return message.message_id, message.message_kind
            return None

        return await eventually(look, kind.__name__)

    def reply(self, to: MessageId, kind: ToServerTunnelMessageKind) -> None:
        self.say(ToServerTunnelMessage(MessageId(to.gateway_id, to.request_id, 0), kind))

    async def answer_pings(self) -> None:
        answered = 0
        while True:
            pings = self.heard(ToClientPing)
            for ping in pings[answered:] if self.answers_pings else ():
                self.say(ToServerPong(ping.ts))
            answered = len(pings)
            await asyncio.sleep(0.1)


def _kind(command: v7.CommandWrapper) -> str:
    return "start" if isinstance(command.inner, v7.CommandStartActor) else "stop"


@asynccontextmanager
async def bare_runner_7(bench: Bench, key: str = "key", *, version: int = 1) -> AsyncIterator[BareRunner7]:
    """A connection whose init is answered."""
    link, received = await bench.dial(f"{key}-{bench.runner_name}", protocol_version="7")
    runner = BareRunner7(bench, link, received)
    answering = asyncio.create_task(runner.answer_pings())
    try:
        await runner.init(version)
        yield runner
    finally:
        answering.cancel()
        await asyncio.wait([answering])
        link.abort()
        await link.wait_ended()
