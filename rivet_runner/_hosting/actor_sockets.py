"""One WebSocket's handler, from its open (or its restoration) to its close."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._tasks import is_being_cancelled
from rivet_runner.errors import WebSocketClosed
from rivet_runner.hibernation import HibernationRecord, encode_record
from rivet_runner.http import Request
from rivet_runner.websocket import SocketState, WebSocket

if TYPE_CHECKING:
    from rivet_runner._hosting.generation import Generation

__all__ = ["close_unknown", "restore", "run_stale", "serve"]

RETURNED: Final = (1000, "")
HANDLER_RAISED: Final = (1011, "ws.handler_error")
RESTORE_FAILED: Final = (1011, "ws.restore_error")
RECORD_MISSING: Final = (1000, "ws.meta_not_found_during_restore")
CLIENT_GONE: Final = (1000, "ws.stale_metadata")
OPEN_INDEX: Final = 0
"""The gateway's open takes its index 0, so a client's first message has 1."""

MAX_RECORD_BYTES: Final = 56 * 1024
"""Of a record without its attachment; with the largest one it still fits a KV value."""


async def serve(host: Generation, ws: WebSocket) -> None:
    """Answer the open once the actor has started, unless the socket is restored, and run the handler to its end.

    One coroutine on purpose: each socket holds one of these for as long as it is open.
    """
    if ws._state is SocketState.OPENING and not (await host.wait_started() and _answer_open(host, ws)):
        host.forget_socket(ws)
        return
    try:
        await host.services.hooks.websocket(host.actor, ws)
        close = RETURNED
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
            # The actor's stop has no time left. A hibernatable client stays; its message comes again.
            host.end_socket(ws)
            raise
        close = _close_after(host, ws, error)
    finally:
        host.forget_socket(ws)
    _handler_ended(ws, close)


def _answer_open(host: Generation, ws: WebSocket) -> bool:
    """Ask whether the socket can hibernate and tell the gateway; false where the handler is not to run."""
    if ws._state is not SocketState.OPENING:
        return False  # the client has gone meanwhile
    try:
        if host.services.hooks.can_hibernate(host.actor, ws.request) and _fits_a_record(host, ws):
            ws._hibernation = Hibernation(ws, host, received=OPEN_INDEX)
    except Exception:
        # The gateway retries an open that is answered with a close, for 19 s; so first open, then close.
        host.actor.log.exception("can_hibernate raised for the WebSocket %s; the client is closed with 1011", ws.path)
        ws._answer_open()
        ws._open()
        ws._close(*HANDLER_RAISED)
        return False
    ws._answer_open()
    ws._open()
    if ws._hibernation is not None:
        ws._hibernation.changed()
    return True


def restore(host: Generation, ws: WebSocket, record: HibernationRecord, hold: float) -> Hibernation:
    """Give a listed socket back what was stored of it and run its handler.

    What the handler sends is held until the client's first message, for at most ``hold`` seconds. Raises nothing.
    """
    ws.request = Request("GET", record.target, record.headers, b"")
    ws.restored = True
    ws._attachment = record.attachment
    ws._sent_index = record.sent
    side = ws._hibernation = Hibernation(ws, host, received=record.received)
    side.hold_back(hold)
    ws._open()
    host.work.spawn(serve(host, ws), name=host.socket_task_name)
    return side


def close_unknown(host: Generation, ws: WebSocket, hold: float, *, damaged: bool) -> None:
    """Close a listed socket that cannot be restored; the close waits until the gateway has attached the client."""
    side = ws._hibernation = Hibernation(ws, host, received=OPEN_INDEX)
    side.hold_back(hold)
    ws._state = SocketState.OPEN
    ws._early = None
    ws._close(*(RESTORE_FAILED if damaged else RECORD_MISSING))


async def run_stale(host: Generation, key: bytes, record: HibernationRecord) -> None:
    """The client left while the actor slept: let the handler see that once, then forget the socket."""
    services, request = host.services, Request("GET", record.target, record.headers, b"")
    ws = WebSocket(key, request, host.uplink, services.arrivals, services.config.max_payload)
    ws.restored = True
    ws._attachment = record.attachment
    ws._state = SocketState.CLOSED
    ws.close_code, ws.close_reason = CLIENT_GONE
    try:
        await serve(host, ws)
    finally:
        host.journal.forget(key)


def _handler_ended(ws: WebSocket, close: tuple[int, str]) -> None:
    if ws._state is SocketState.OPEN:
        if ws._hibernation is not None:
            ws._hibernation.mark_processed()
        ws._close(*close)


def _close_after(host: Generation, ws: WebSocket, error: BaseException) -> tuple[int, str]:
    """The close for a handler that raised, which is logged; its own socket's end is no error."""
    if isinstance(error, WebSocketClosed) and ws._state is not SocketState.OPEN:
        return RETURNED
    host.actor.log.error("the handler of the WebSocket %s raised; the client is closed with 1011", ws.path, exc_info=error)
    unused = ws.restored and ws._hibernation is not None and not ws._hibernation.was_used
    return RESTORE_FAILED if unused else HANDLER_RAISED


def _fits_a_record(host: Generation, ws: WebSocket) -> bool:
    size = len(encode_record(HibernationRecord(ws._key, ws.request._target, dict(ws.request._headers), b"", 0, 0)))
    if size > MAX_RECORD_BYTES:
        host.actor.log.warning(
            "the WebSocket %s cannot hibernate: its path and headers take %d bytes, and %d can be kept",
            ws.path,
            size,
            MAX_RECORD_BYTES,
        )
    return size <= MAX_RECORD_BYTES
