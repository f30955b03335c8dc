"""The WebSockets of one actor generation: each one's handler, from its open or its restoration to its close."""

from __future__ import annotations

import asyncio
import math
from typing import Final

from rivet_runner._hosting.generation_state import GenerationPhase, GenerationState
from rivet_runner._hosting.unlisted import UnlistedClient
from rivet_runner._kv.records import KvHibernationStore
from rivet_runner._observing.observer import WebSocketOpenObservation
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.hold import Holds
from rivet_runner._sockets.journal import Journal
from rivet_runner._sockets.repair import ActorHibernation
from rivet_runner._sockets.socket import ClientSocket, SocketState
from rivet_runner._tasks import is_being_cancelled
from rivet_runner.errors import WebSocketClosed
from rivet_runner.hibernation import HibernationRecord, encode_record
from rivet_runner.http import Request

__all__ = ["RESTORE_FAILED", "ActorSockets"]

RETURNED: Final = (1000, "")
HANDLER_RAISED: Final = (1011, "ws.handler_error")
RESTORE_FAILED: Final = (1011, "ws.restore_error")

MAX_RECORD_BYTES: Final = 56 * 1024
"""Bytes of a record without its attachment. With the largest attachment it still fits a KV value."""


class ActorSockets:
    """All WebSockets of one generation. Made for the first of them."""

    __slots__ = ("_awaited", "_shared", "_state", "_task_name", "by_key", "opened_at")

    def __init__(self, state: GenerationState) -> None:
        self._state = state
        self._shared: ActorHibernation | None = None
        self._task_name = f"actor {state.actor.id}: websocket"
        self._awaited: set[bytes] = set()
        """The clients that may be there, by request key. Some may have shown up since."""
        self.opened_at: float = -math.inf
        """When the last hibernatable WebSocket was opened, on the event loop's clock."""
        self.by_key: dict[bytes, ClientSocket] = {}
        """By 8-byte request key."""

    @property
    def may_be_dropped(self) -> bool:
        """Whether there is no socket and no client. A store of the user's own was made for this generation, and stays."""
        return not self.by_key and not self._awaited and self._state.services.config.hibernation_store is None

    # Opening

    def add(self, key: bytes, request: Request) -> ClientSocket:
        """Make a socket that tunnel messages find."""
        ws = self.make(key, request)
        self.by_key[key] = ws
        self._state.services.sockets.add(ws)
        return ws

    def make(self, key: bytes, request: Request) -> ClientSocket:
        """Make a socket for which no message comes."""
        services = self._state.services
        statistics = services.observer.statistics
        return ClientSocket(key, request, services.uplink, services.arrivals, services.config.max_payload, statistics)

    def await_client(self, key: bytes, client: UnlistedClient) -> None:
        """A client may be there that the engine has not listed."""
        self._awaited.add(key)
        self._state.services.unlisted.add(key, client)

    def open(self, key: bytes, request: Request, index: int) -> None:
        """The engine opens a WebSocket. One that is open under the same key is replaced, without telling the engine.

        ``index`` is that of the open, and the client's first message has the next. It is 0, unless the gateway has asked
        before and got no answer.
        """
        replaced = self.by_key.get(key)
        if replaced is not None:
            replaced.replace()
        ws = self.add(key, request)
        ws.open_index = index
        self.spawn_handler(ws)

    def spawn_handler(self, ws: ClientSocket) -> None:
        """Run the handler of ``ws`` in a task of its own."""
        self._state.work.spawn(self.serve(ws), name=self._task_name)

    async def serve(self, ws: ClientSocket) -> None:
        """Answer the open once the actor has started, unless the socket is restored, and run the handler to its end.

        One coroutine on purpose: each socket holds one of these for as long as it is open.
        """
        state = self._state
        if not ws.restored and not await self._open(ws):
            self.forget(ws)
            return
        keeps_awake = not ws.hibernatable
        if keeps_awake:
            state.work_began()
        observer, is_open = state.services.observer, ws.state is SocketState.OPEN
        if is_open:
            observer.websocket_began(hibernatable=ws.hibernatable, restored=ws.restored)
        try:
            await state.services.hooks.websocket(state.actor, ws)
            close = RETURNED
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                # The actor's stop has no time left. A hibernatable client stays, and its message comes again.
                self.end(ws)
                raise
            close = self._close_after(ws, error)
        finally:
            self.forget(ws)
            if keeps_awake:
                state.work_ended()
            if is_open:
                hibernated = ws.state is SocketState.HIBERNATED
                observer.websocket_ended(hibernatable=ws.hibernatable, hibernated=hibernated)
        if ws.state is SocketState.OPEN:
            if ws.delivery is not None:
                ws.delivery.mark_all_processed()
            ws.close_now(*close)

    async def _open(self, ws: ClientSocket) -> bool:
        """Answer the open once the actor has started. Return false if the handler is not to run."""
        with self._state.services.observer.websocket_open(self._state.actor, ws.request) as seen:
            seen.accepted = await self._state.wait_started() and await self._answer_open(ws, seen)
        return seen.accepted

    async def _answer_open(self, ws: ClientSocket, seen: WebSocketOpenObservation) -> bool:
        """Ask whether the socket can hibernate and tell the gateway. Return false if the handler is not to run."""
        if ws.state is not SocketState.OPENING:
            return False  # the client has gone meanwhile
        state = self._state
        try:
            can_hibernate = state.services.hooks.can_hibernate(state.actor, ws.request) and self._fits_a_record(ws)
        except Exception as error:
            seen.error = error
            # The gateway retries an open that is answered with a close, for 19 s. So first open, then close.
            state.actor.log.exception("can_hibernate raised for the WebSocket %s; the client is closed with 1011", ws.path)
            ws.answer_open()
            ws.open()
            ws.close_now(*HANDLER_RAISED)
            return False
        hibernation = self.hibernation(ws, received=ws.open_index) if can_hibernate else None
        if hibernation is not None and ws.open_index and not await self._store_again(ws, hibernation):
            return False
        ws.delivery = hibernation
        ws.answer_open()
        ws.open()
        if hibernation is not None:
            self.opened_at = asyncio.get_running_loop().time()
            hibernation.changed()
        return True

    async def _store_again(self, ws: ClientSocket, hibernation: Hibernation) -> bool:
        """Store the place from which messages go on after a repeated open. Return whether there still is one to answer.

        A record of the attempt before has another place. If this process died with that one, the next would wait for
        messages that the gateway never had. The gateway waits longer for the answer than this takes.
        """
        hibernation.changed()
        await hibernation.journal.flush_before_replay()
        if ws.state is SocketState.OPENING and self._state.may_begin:
            return True
        hibernation.ended(closed=True)
        return False

    def _close_after(self, ws: ClientSocket, error: BaseException) -> tuple[int, str]:
        """The close for a handler that raised, which is logged. The end of its own socket is no error."""
        if isinstance(error, WebSocketClosed) and ws.state is not SocketState.OPEN:
            return RETURNED
        self._state.actor.log.error(
            "the handler of the WebSocket %s raised; the client is closed with 1011", ws.path, exc_info=error
        )
        unused = ws.restored and isinstance(ws.delivery, Hibernation) and not ws.delivery.was_used
        return RESTORE_FAILED if unused else HANDLER_RAISED

    def _fits_a_record(self, ws: ClientSocket) -> bool:
        target, headers = ws.request.wire_form()
        size = len(encode_record(HibernationRecord(ws.key, target, headers, b"", 0, 0)))
        if size > MAX_RECORD_BYTES:
            self._state.actor.log.warning(
                "the WebSocket %s cannot hibernate: its path and headers take %d bytes, and %d can be kept",
                ws.path,
                size,
                MAX_RECORD_BYTES,
            )
        return size <= MAX_RECORD_BYTES

    # Those that are there

    def opened(self) -> tuple[ClientSocket, ...]:
        """The sockets that are open now."""
        return tuple(ws for ws in self.by_key.values() if ws.state is SocketState.OPEN)

    def hibernations(self) -> list[Hibernation]:
        """The open hibernatable sockets of a running actor, as their bookkeeping."""
        if self._state.phase is not GenerationPhase.RUNNING:
            return []
        return [ws.delivery for ws in self.opened() if isinstance(ws.delivery, Hibernation)]

    @property
    def heard(self) -> int | None:
        """A number that changes with the messages of hibernatable clients, or ``None`` while one is being handled."""
        hibernations = [ws.delivery for ws in self.by_key.values() if isinstance(ws.delivery, Hibernation)]
        if any(hibernation.is_handling for hibernation in hibernations):
            return None
        return sum(hibernation.stream.arrived for hibernation in hibernations)

    @property
    def hibernating(self) -> int:
        """How many hibernatable clients there are, with those that may be there."""
        awaited = sum(key in self._state.services.unlisted for key in self._awaited)
        return awaited + sum(ws.hibernatable for ws in self.opened())

    async def broadcast(self, message: str | bytes) -> int:
        """See `Actor.broadcast`."""
        reached = 0
        payload: tuple[bytes, bool] | None = None
        for ws in self.opened():
            if payload is None:
                payload = ws.payload(message)
            if ws.state is SocketState.OPEN:  # it may have closed while an earlier send waited
                if (room := ws.post(*payload)) is not None:
                    await room
                reached += 1
        return reached

    # Ending

    def end(self, ws: ClientSocket) -> None:
        """The handler cannot go on because the actor stops."""
        state = self._state
        if not state.start_succeeded:
            ws.abandon()
        if state.cut_off:
            ws.end(SocketState.CLOSED, *state.stop_close)
        elif ws.hibernatable and not state.destroyed:
            ws.hibernate()
        else:
            ws.close_now(*state.stop_close)

    def end_all(self) -> None:
        """The loops of all sockets end: hibernatable ones hibernate unless the actor is destroyed, others are closed."""
        for key in self._awaited:
            self._state.services.unlisted.remove(key)
        for ws in [*self.by_key.values()]:
            self.end(ws)

    def forget(self, ws: ClientSocket) -> None:
        """No message finds this socket any more."""
        if self.by_key.get(ws.key) is ws:
            del self.by_key[ws.key]
        self._state.services.sockets.remove(ws)

    # Hibernation

    @property
    def shared(self) -> ActorHibernation:
        """The parts that the hibernatable sockets of this actor share."""
        if self._shared is None:
            state, services = self._state, self._state.services
            make_store = services.config.hibernation_store
            store = KvHibernationStore(state.kv_store) if make_store is None else make_store(state.actor)
            journal = Journal(store, state.work, state.actor.log)
            self._shared = ActorHibernation(
                journal,
                state.work,
                state.actor.log,
                services.uplink,
                services.turns,
                services.replays.overrun,
                Holds(services.uplink, services.kv_calls.is_behind),
                services.config.protocol,
                services.observer.statistics,
            )
        return self._shared

    def hibernation(self, ws: ClientSocket, received: int) -> Hibernation:
        """The bookkeeping for a hibernatable socket whose client's messages go on after the index ``received``."""
        return Hibernation(ws, self.shared, received)

    def flush_soon(self) -> None:
        """The actor is about to sleep: store without waiting for more changes."""
        if self._shared is not None:
            self._shared.journal.flush_soon()

    async def flush(self) -> None:
        """Store and acknowledge everything that was processed. Errors of the store pass through."""
        if self._shared is not None:
            await self._shared.journal.flush()

    async def released(self) -> None:
        """Wait until no socket holds anything back. Cancelling is safe."""
        if self._shared is not None:
            await self._shared.holds.released()

    def release(self) -> None:
        """Hold nothing back any more: what was held back leaves."""
        if self._shared is not None:
            self._shared.holds.release()

    @property
    def awaits_clients(self) -> bool:
        """Whether a client may be there that the engine has not listed."""
        return any(key in self._state.services.unlisted for key in self._awaited)

    @property
    def acknowledged_recently(self) -> bool:
        """Whether an acknowledgement may still be on its way to the gateway."""
        return self._shared is not None and self._shared.journal.acknowledged_recently

    def close(self) -> None:
        """The actor has stopped: no timer goes on, and nothing that is held back leaves."""
        if self._shared is not None:
            self._shared.journal.close()
            self._shared.holds.close()
