"""A runner that a test drives message by message, on either engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from rivet_runner._connection.environment import Link
from rivet_runner.protocol.v3 import (
    ActorIntent,
    CommandStartActor,
    CommandStopActor,
    KvRequestData,
    KvResponseData,
    MessageId,
    ToClient,
    ToClientCommands,
    ToClientInit,
    ToClientKvResponse,
    ToClientTunnelMessage,
    ToServer,
    ToServerInit,
    ToServerKvRequest,
    ToServerTunnelMessage,
    ToServerTunnelMessageKind,
    decode_to_client,
    encode_to_server,
)
from tests.conformance.benches import Bench
from tests.support.event_reports import EventReports

__all__ = ["BareRunner", "bare_runner", "described", "eventually"]

WAIT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.005

M = TypeVar("M")


async def eventually(look: Callable[[], M | None], what: str, seconds: float = WAIT_SECONDS) -> M:
    """Poll until ``look`` returns neither `None` nor `False`, and return its result."""
    try:
        async with asyncio.timeout(seconds):
            while (found := look()) is None or found is False:
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {seconds:g} s") from None
    return found


async def described(bench: Bench, actor_id: str, *times: str) -> dict[str, Any]:
    """Wait until the engine says when each of these things happened to the actor, and return all that it says."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while None in map((found := await bench.describe(actor_id)).get, times):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"{times} did not come within {WAIT_SECONDS:g} s") from None
    return found


class BareRunner(EventReports):
    """One connection of a runner."""

    def __init__(self, link: Link, received: list[bytes], name: str, next_event: int = 0) -> None:
        super().__init__(next_event)
        self.link = link
        self._received = received
        self._name = name
        self._next_kv = 0

    @property
    def received(self) -> list[ToClient]:
        return [decode_to_client(frame) for frame in self._received]

    def heard(self, kind: type[M]) -> list[M]:
        return [message for message in self.received if isinstance(message, kind)]

    def say(self, *messages: ToServer) -> None:
        self.link.send_frames([encode_to_server(message) for message in messages])

    async def init(self, last_command_idx: int | None = None) -> ToClientInit:
        """Send init, and wait until the engine has answered and counts on the runner."""
        count = len(self.heard(ToClientInit))
        self.say(ToServerInit(self._name, 1, 100, last_command_idx, None, "{}"))
        await eventually(lambda: len(self.heard(ToClientInit)) > count, "the answer to init")
        await asyncio.sleep(0.2)
        return self.heard(ToClientInit)[-1]

    def running(self, actor_id: str, generation: int = 0) -> None:
        self.report_running(actor_id, generation)

    def stopped(self, actor_id: str, generation: int = 0, error: str | None = None) -> None:
        self.report_stopped(actor_id, generation, error)

    def intends(self, actor_id: str, intent: ActorIntent, generation: int = 0, alarm_ts: int | None = None) -> None:
        """``alarm_ts`` goes in the same message."""
        self.report_intent(actor_id, generation, intent, alarm_ts)

    @property
    def commands(self) -> list[CommandStartActor | CommandStopActor]:
        return [wrapper.inner for message in self.heard(ToClientCommands) for wrapper in message.items]

    async def command(self, kind: type[M], actor_id: str, generation: int = 0) -> M:
        """Wait for a command."""

        def look() -> Any:
            found = [c for c in self.commands if isinstance(c, kind)]
            return next((c for c in found if (c.actor_id, c.generation) == (actor_id, generation)), None)

        found: M = await eventually(look, f"{kind.__name__} of generation {generation}")
        return found

    async def started(self, bench: Bench, **options: Any) -> str:
        """A new actor that runs here."""
        actor_id = await bench.create(**options)
        await self.command(CommandStartActor, actor_id)
        self.running(actor_id)
        await described(bench, actor_id, "connectable_ts")
        await asyncio.sleep(0.3)
        return actor_id

    async def kv(self, actor_id: str, request: KvRequestData) -> KvResponseData:
        self._next_kv += 1
        number = self._next_kv
        self.say(ToServerKvRequest(actor_id, number, request))

        def look() -> KvResponseData | None:
            answers = self.heard(ToClientKvResponse)
            return next((answer.data for answer in answers if answer.request_id == number), None)

        return await eventually(look, "the answer of the key-value store")

    async def tunnel(self, kind: type[M], number: int = 0) -> tuple[MessageId, M]:
        """Wait for the message of this kind with this number among its like, and return it with its id."""

        def look() -> tuple[MessageId, M] | None:
            found = [
                (message.message_id, message.message_kind)
                for message in self.heard(ToClientTunnelMessage)
                if isinstance(message.message_kind, kind)
            ]
            return found[number] if len(found) > number else None

        return await eventually(look, f"{kind.__name__} number {number}")

    def reply(self, to: MessageId, kind: ToServerTunnelMessageKind) -> None:
        self.say(ToServerTunnelMessage(MessageId(to.gateway_id, to.request_id, 0), kind))

    async def closed(self, seconds: float = WAIT_SECONDS) -> tuple[int, str]:
        """The engine's close, without the ray id."""
        async with asyncio.timeout(seconds):
            code, reason = await self.link.wait_ended()
        return code, reason.partition("#")[0]


@asynccontextmanager
async def bare_runner(bench: Bench, key: str = "key", *, init: bool = True, **query: str) -> AsyncIterator[BareRunner]:
    """A connection, with its init answered unless ``init`` is `False`."""
    link, received = await bench.dial(f"{key}-{bench.runner_name}", **query)
    runner = BareRunner(link, received, bench.runner_name)
    try:
        if init:
            runner.next_event = (await runner.init()).last_event_idx + 1
        yield runner
    finally:
        link.abort()
        await link.wait_ended()
