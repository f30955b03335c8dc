"""Faults planted in the runner: for each promise a change of one method that breaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rivet_runner._connection.backoff import Backoff
from rivet_runner._connection.uplink import Uplink
from rivet_runner._hosting.actor_sockets import ActorSockets
from rivet_runner._hosting.generation import Generation
from rivet_runner._session.event_log import EventLog
from rivet_runner._session.kv_ledger import KvLedger
from rivet_runner._sockets.hold import Hold
from rivet_runner._sockets.inbound import InboundStream, Verdict, ahead
from rivet_runner._sockets.journal import Journal
from rivet_runner._sockets.socket import ClientSocket
from rivet_runner.actors._hosting.calls import Calls
from rivet_runner.actors._hosting.connections import ConnectionTable
from rivet_runner.actors._hosting.generation import TypedGeneration
from rivet_runner.actors._hosting.saving import Saving
from rivet_runner.actors._hosting.unprocessed import UnprocessedMessages
from rivet_runner.actors._schedule.entry import Entry
from rivet_runner.actors._schedule.store import EntryStore

__all__ = ["PLANTED", "SEEN_BY_ITS_COMPLAINT", "TYPED_PLANTED", "PlantedFault"]


@dataclass(frozen=True)
class PlantedFault:
    """``method`` of ``owner`` becomes ``mutation``, which gets the method itself and returns the one to use.

    The search for a seed that shows it begins at ``first_seed``, which is there to save time.
    """

    owner: type
    method: str
    mutation: Callable[[Any], Any]
    first_seed: int = 0


def _deliver_across_a_gap(_: Any) -> Any:
    def receive(self: InboundStream, index: int) -> Verdict:
        if ahead(index, self.last) < 1:
            return Verdict.REPETITION
        self.last = index
        return Verdict.DELIVER

    return receive


def _release_twice(end: Any) -> Any:
    return lambda self: end(self) * 2


def _hold_nothing(_: Any) -> Any:
    return lambda self, message, _: self._uplink.send_now(message)


def _count_from_the_first_open(open_socket: Any) -> Any:
    return lambda self, key, request, _: open_socket(self, key, request, 0)


def _report_stopped_first(stop: Any) -> Any:
    async def report_and_stop(self: Generation, start: Any, clock: Any, error: Any) -> None:
        self._report_stopped(error)
        await stop(self, start, clock, error)

    return report_and_stop


def _send_calls_again_in_another_order(_: Any) -> Any:
    def resume(self: KvLedger) -> None:
        self._unsent = dict.fromkeys(reversed(self._frames))

    return resume


def _forget_unconfirmed(_: Any) -> Any:
    def resume(self: EventLog, last_event_idx: int) -> None:
        self.start_over(last_event_idx)

    return resume


def _nothing(_: Any) -> Any:
    return lambda *_, **__: None


def _wait_for_an_hour(_: Any) -> Any:
    return lambda self: 3600.0


PLANTED: Final = {
    1: PlantedFault(InboundStream, "receive", _deliver_across_a_gap, first_seed=30),
    2: PlantedFault(Hold, "end", _release_twice),
    3: PlantedFault(Generation, "_stop", _report_stopped_first),
    4: PlantedFault(KvLedger, "resume", _send_calls_again_in_another_order, first_seed=310),
    5: PlantedFault(EventLog, "resume", _forget_unconfirmed, first_seed=10),
    6: PlantedFault(Journal, "close", _nothing),
    7: PlantedFault(Backoff, "next_delay", _wait_for_an_hour),
}
"""By the number of the promise that it breaks."""

SEEN_BY_ITS_COMPLAINT: Final = {
    "while the gateway attached": PlantedFault(ClientSocket, "_hold", _hold_nothing),
    "it was given up": PlantedFault(ActorSockets, "open", _count_from_the_first_open, first_seed=10),
}
"""Faults that another fault above does not stand for, by a part of the complaint."""


def _async_nothing(_: Any) -> Any:
    async def nothing(*_: Any, **__: Any) -> None:
        pass

    return nothing


def _acknowledge_first(_: Any) -> Any:
    async def save(self: Saving, before: asyncio.Task[Any] | None) -> Exception | None:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        for unprocessed, count in self._connections.take_ended():
            unprocessed.mark_processed(count)
        try:
            assert self._store is not None
            await self._store()
        except Exception as error:
            return error
        finally:
            self._running = None
        return None

    return save


def _count_all_that_ended(_: Any) -> Any:
    return lambda self: sum(message.ended for message in self._messages)


def _without_subscriptions(restore: Any) -> Any:
    return lambda self, connection, _: restore(self, connection, ())


def _await_alone(_: Any) -> Any:
    return lambda self, hook, what: hook


def _send_twice(post: Any) -> Any:
    def twice(self: Uplink, message: Any) -> Any:
        wait = post(self, message)
        return post(self, message) if wait is None else wait

    return twice


TYPED_PLANTED: Final = {
    "save stores nothing": (8, PlantedFault(TypedGeneration, "save", _async_nothing)),
    "messages are acknowledged before the state is stored": (8, PlantedFault(Saving, "_save", _acknowledge_first, 55)),
    "a stop stores nothing": (8, PlantedFault(TypedGeneration, "_store_all", _async_nothing)),
    "a later message stands for an earlier one": (
        9,
        PlantedFault(UnprocessedMessages, "count_ended", _count_all_that_ended),
    ),
    "the state of connections is not stored": (8, PlantedFault(ConnectionTable, "write_records", _nothing)),
    "subscriptions do not come back": (7, PlantedFault(ConnectionTable, "restore", _without_subscriptions)),
    "schedules are not stored": (10, PlantedFault(EntryStore, "put", _async_nothing)),
    "a stop does not wait for raw requests": (8, PlantedFault(Calls, "run_hook", _await_alone, 40)),
    "what recurs ends with its first run": (11, PlantedFault(Entry, "following", _nothing)),
    "what was cancelled stays stored": (11, PlantedFault(EntryStore, "remove", _async_nothing, 25)),
    "run() goes on during a stop": (12, PlantedFault(TypedGeneration, "_end_run", _async_nothing)),
    "connections that cannot hibernate stay": (12, PlantedFault(TypedGeneration, "_close_connections", _async_nothing)),
    "messages leave twice": (13, PlantedFault(Uplink, "post", _send_twice)),
}
"""Faults in typed actors, each with the number of the promise that it breaks."""
