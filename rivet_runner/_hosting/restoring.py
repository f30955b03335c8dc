"""The start of an actor with hibernating requests: the sockets that the gateway holds, against the stored records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from rivet_runner._hosting.actor_sockets import RESTORE_FAILED, ActorSockets
from rivet_runner._hosting.generation_state import GenerationState
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.socket import ClientSocket, SocketState
from rivet_runner.errors import RecordError
from rivet_runner.hibernation import HibernationRecord
from rivet_runner.http import Request

__all__ = ["Matched", "match", "restore_sockets"]

RecordT = TypeVar("RecordT")

RECORD_MISSING: Final = (1000, "ws.meta_not_found_during_restore")
CLIENT_GONE: Final = (1000, "ws.stale_metadata")


class Matched(NamedTuple, Generic[RecordT]):
    """The three fates of an 8-byte request key."""

    restore: dict[bytes, RecordT]
    """Listed and stored: the handler runs again."""

    unknown: list[bytes]
    """Listed, not stored: there is nothing to go on with, so the client is closed."""

    stale: dict[bytes, RecordT]
    """Stored, not listed: the client is gone."""


def match(listed: Iterable[bytes], stored: Mapping[bytes, RecordT]) -> Matched[RecordT]:
    """Sort every key into exactly one of the three. A key that is listed twice counts once."""
    keys = dict.fromkeys(listed)
    return Matched(
        restore={key: stored[key] for key in keys if key in stored},
        unknown=[key for key in keys if key not in stored],
        stale={key: record for key, record in stored.items() if key not in keys},
    )


def restore_sockets(
    state: GenerationState,
    sockets: ActorSockets,
    listed: dict[bytes, ClientSocket],
    stored: dict[bytes, HibernationRecord | RecordError],
) -> None:
    """Restore each listed socket that has a record, close the others, and end the handlers of departed clients."""
    matched = match(listed, stored)
    seconds = state.services.turns.attach_seconds(len(listed))
    restored = []
    for key, record in matched.restore.items():
        if isinstance(record, RecordError):
            state.actor.log.error("a hibernating WebSocket cannot be restored: %s", record)
            _close(sockets, listed[key], seconds, RESTORE_FAILED)
        else:
            restored.append(_restore(sockets, listed[key], record, seconds))
    if restored:
        state.services.replays.woken(restored, seconds)
    for key in matched.unknown:
        state.actor.log.warning("the gateway holds a WebSocket of which no record is stored; the client is closed")
        _close(sockets, listed[key], seconds, RECORD_MISSING)
    for key, record in matched.stale.items():
        if isinstance(record, RecordError):
            sockets.shared.journal.forget(key)
        else:
            state.work.spawn(_run_stale(sockets, key, record), name=f"actor {state.actor.id}: stale websocket")


def _restore(sockets: ActorSockets, ws: ClientSocket, record: HibernationRecord, seconds: float) -> Hibernation:
    """Restore a listed socket from its record and run its handler.

    Messages of the handler are held back until the client's first message, for at most ``seconds``. Raises nothing.
    """
    ws.restore(_opening_request(record), record.attachment, record.sent)
    hibernation = sockets.hibernation(ws, received=record.received)
    ws.delivery = hibernation
    hibernation.hold_back(seconds)
    ws.open()
    sockets.spawn_handler(ws)
    return hibernation


def _close(sockets: ActorSockets, ws: ClientSocket, seconds: float, close: tuple[int, str]) -> None:
    """Close a listed socket that cannot be restored. The close waits until the gateway has attached the client."""
    hibernation = sockets.hibernation(ws, received=ws.open_index)
    ws.delivery = hibernation
    hibernation.hold_back(seconds)
    ws.open_unread()
    ws.close_now(*close)
    sockets.forget(ws)


async def _run_stale(sockets: ActorSockets, key: bytes, record: HibernationRecord) -> None:
    """The client left while the actor slept: let the handler see that once, then forget the socket."""
    ws = sockets.make(key, _opening_request(record))
    ws.restore(ws.request, record.attachment, record.sent)
    ws.end(SocketState.CLOSED, *CLIENT_GONE)
    try:
        await sockets.serve(ws)
    finally:
        sockets.shared.journal.forget(key)


def _opening_request(record: HibernationRecord) -> Request:
    return Request("GET", record.target, record.headers, b"")
