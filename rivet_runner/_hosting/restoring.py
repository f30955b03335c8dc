"""The start of an actor with hibernating requests: the sockets that the gateway holds, against the stored records.

If the engine may have left requests out of its list, each record waits for a sign of its client instead: see
`rivet_runner._hosting.unlisted`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from rivet_runner._hosting.actor_sockets import RESTORE_FAILED, ActorSockets
from rivet_runner._hosting.generation_state import GenerationState
from rivet_runner._hosting.unlisted import UnlistedClient
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.socket import ClientSocket, SocketState
from rivet_runner.errors import RecordError
from rivet_runner.hibernation import HibernationRecord
from rivet_runner.http import Request
from rivet_runner.protocol.messages import ToClientWebSocketMessage

__all__ = ["UNKNOWN_REQUEST", "Matched", "Records", "await_clients", "match", "prepare_sockets", "restore_sockets"]

RecordT = TypeVar("RecordT")

Records = dict[bytes, HibernationRecord | RecordError]
"""The stored records of an actor, by 8-byte request key."""

UNKNOWN_REQUEST: Final = Request("GET", "/", {}, b"")
"""The opening request of a socket that is to be restored, until its record is there."""

RECORD_MISSING: Final = (1000, "ws.meta_not_found_during_restore")
CLIENT_GONE: Final = (1000, "ws.stale_metadata")
PROTOCOL_CHANGED: Final = (1012, "ws.protocol_changed")
"""The gateway keeps the protocol with which a client was opened. So messages of this runner do not belong together with the
client's, and the client should connect anew."""


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


def prepare_sockets(
    state: GenerationState, sockets: ActorSockets, listed: dict[bytes, ClientSocket] | None, stored: Records
) -> dict[bytes, ClientSocket]:
    """Fill the sockets whose handlers will run, before they do: those to be restored, and those of departed clients.

    Without a list, only the departed clients are known.
    """
    prepared: dict[bytes, ClientSocket] = {}
    for key, record in stored.items():
        if isinstance(record, RecordError):
            continue
        if listed is None:
            if state.services.sockets.take_departed(key):
                prepared[key] = _stale_socket(sockets, key, record, CLIENT_GONE)
        elif key not in listed:
            prepared[key] = _stale_socket(sockets, key, record, CLIENT_GONE)
        elif record.protocol != state.services.config.protocol:
            prepared[key] = _stale_socket(sockets, key, record, PROTOCOL_CHANGED)
        else:
            _fill(sockets, listed[key], record)
            prepared[key] = listed[key]
    return prepared


def restore_sockets(
    state: GenerationState,
    sockets: ActorSockets,
    listed: dict[bytes, ClientSocket],
    stored: Records,
    prepared: Mapping[bytes, ClientSocket],
) -> None:
    """Restore each listed socket that has a record, close the others, and end the handlers of departed clients.

    ``prepared`` are those that `prepare_sockets` has filled.
    """
    matched = match(listed, stored)
    seconds = state.services.turns.attach_seconds(len(listed))
    restored = []
    for key, record in matched.restore.items():
        hibernation = _restore(state, sockets, listed[key], record, seconds, prepared)
        if hibernation is not None:
            restored.append(hibernation)
    if restored:
        state.services.replays.woken(restored, seconds)
    for key in matched.unknown:
        state.actor.log.warning("the gateway holds a WebSocket of which no record is stored; the client is closed")
        _close(sockets, listed[key], seconds, RECORD_MISSING)
    for key, record in matched.stale.items():
        _end_stale(state, sockets, key, record, CLIENT_GONE, prepared)


def await_clients(
    state: GenerationState, sockets: ActorSockets, stored: Records, prepared: Mapping[bytes, ClientSocket]
) -> None:
    """Restore each stored socket when its client's first message comes, and end it when its close does."""
    for key, record in stored.items():
        if key in prepared or state.services.sockets.take_departed(key):
            _end_stale(state, sockets, key, record, CLIENT_GONE, prepared)
        else:
            sockets.await_client(key, _unlisted_client(state, sockets, key, record))


def _unlisted_client(
    state: GenerationState, sockets: ActorSockets, key: bytes, record: HibernationRecord | RecordError
) -> UnlistedClient:
    def restore(messages: list[tuple[int, ToClientWebSocketMessage]]) -> None:
        if not state.may_begin:
            return  # the next generation gets them from the gateway
        state.actor.log.info("the client of a hibernating WebSocket, which the engine did not list, is there")
        ws = sockets.add(key, UNKNOWN_REQUEST)
        for index, message in messages:
            ws.message_arrived(index, message)
        _restore(state, sockets, ws, record, state.services.turns.attach_seconds(1), {})

    return UnlistedClient(restore, lambda: _end_stale(state, sockets, key, record, CLIENT_GONE, {}))


def _restore(
    state: GenerationState,
    sockets: ActorSockets,
    ws: ClientSocket,
    record: HibernationRecord | RecordError,
    seconds: float,
    prepared: Mapping[bytes, ClientSocket],
) -> Hibernation | None:
    """Restore a socket from its record and run its handler, or close it if that cannot be. Raises nothing.

    Messages of the handler are held back until the client's first message, for at most ``seconds``.
    """
    if isinstance(record, RecordError):
        state.actor.log.error("a hibernating WebSocket cannot be restored: %s", record)
        _close(sockets, ws, seconds, RESTORE_FAILED)
        return None
    if record.protocol != state.services.config.protocol:
        state.actor.log.warning("a WebSocket was opened with another protocol than this runner's; the client is closed")
        _close(sockets, ws, seconds, PROTOCOL_CHANGED)
        _end_stale(state, sockets, ws.key, record, PROTOCOL_CHANGED, prepared)
        return None
    hibernation = ws.delivery if ws.key in prepared else _fill(sockets, ws, record)
    assert isinstance(hibernation, Hibernation)
    hibernation.hold_back(seconds)
    ws.open()
    sockets.spawn_handler(ws)
    return hibernation


def _fill(sockets: ActorSockets, ws: ClientSocket, record: HibernationRecord) -> Hibernation:
    """Give a socket what was stored of it. What it sends is held back, until a later hold ends this one."""
    ws.restore(_opening_request(record), record.attachment, record.sent)
    ws.delivery = hibernation = sockets.hibernation(ws, received=record.received)
    hibernation.hold_back(None)
    return hibernation


def _close(sockets: ActorSockets, ws: ClientSocket, seconds: float, close: tuple[int, str]) -> None:
    """Close a socket that cannot be restored. The close waits until the gateway has attached the client."""
    hibernation = sockets.hibernation(ws, received=ws.open_index)
    ws.delivery = hibernation
    hibernation.hold_back(seconds)
    ws.open_unread()
    ws.close_now(*close)
    sockets.forget(ws)


def _end_stale(
    state: GenerationState,
    sockets: ActorSockets,
    key: bytes,
    record: HibernationRecord | RecordError,
    close: tuple[int, str],
    prepared: Mapping[bytes, ClientSocket],
) -> None:
    """Forget a record without a client. The handler runs once more and sees the ``close``, if the record can be read."""
    if isinstance(record, RecordError):
        sockets.shared.journal.forget(key)
    else:
        ws = prepared.get(key) or _stale_socket(sockets, key, record, close)
        state.work.spawn(_run_stale(sockets, ws), name=f"actor {state.actor.id}: stale websocket")


def _stale_socket(sockets: ActorSockets, key: bytes, record: HibernationRecord, close: tuple[int, str]) -> ClientSocket:
    """The socket of a client that is gone."""
    ws = sockets.make(key, _opening_request(record))
    ws.restore(ws.request, record.attachment, record.sent)
    ws.end(SocketState.CLOSED, *close)
    return ws


async def _run_stale(sockets: ActorSockets, ws: ClientSocket) -> None:
    """Let the handler see once that its client is gone, then forget the socket."""
    try:
        await sockets.serve(ws)
    finally:
        sockets.shared.journal.forget(ws.key)


def _opening_request(record: HibernationRecord) -> Request:
    return Request("GET", record.target, record.headers, b"")
