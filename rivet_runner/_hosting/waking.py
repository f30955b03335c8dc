"""The hibernating WebSockets of one start: from the command, which lists them, to the end of ``on_actor_start``."""

from __future__ import annotations

from rivet_runner._hosting.actor_sockets import ActorSockets
from rivet_runner._hosting.generation_state import GenerationState
from rivet_runner._hosting.restoring import UNKNOWN_REQUEST, Records, await_clients, prepare_sockets, restore_sockets
from rivet_runner._session.dialect import StartActor
from rivet_runner._sockets.socket import ClientSocket
from rivet_runner.protocol.tunnel_ids import request_key

__all__ = ["Waking"]


class Waking:
    """What a generation that starts may find at the gateway and in its records. Made, synchronously, by the start command.

    ``unlisted`` tells whether the engine may have left WebSockets out of its list.
    """

    __slots__ = ("_listed", "_prepared", "_sockets", "_state", "_stored", "unlisted")

    def __init__(self, state: GenerationState, sockets: ActorSockets, command: StartActor) -> None:
        self._state = state
        self._sockets = sockets
        self.unlisted = command.hibernating_requests is None
        self._listed: dict[bytes, ClientSocket] = {}
        self._stored: Records | None = None
        self._prepared: dict[bytes, ClientSocket] | None = None
        """Those that ``on_actor_start`` has asked for."""
        for request in command.hibernating_requests or ():
            key = request_key(request)
            if not state.services.sockets.take_departed(key):
                self._listed[key] = sockets.add(key, UNKNOWN_REQUEST)

    @property
    def count(self) -> int:
        """How many clients the gateway holds. If it did not list them, how many the records tell of."""
        return len(self._stored or ()) if self.unlisted else len(self._listed)

    async def count_unlisted(self) -> None:
        """Load the records before ``on_actor_start``, if they alone tell how many clients there are."""
        if self.unlisted and self._state.services.config.hibernation_store is None:
            await self.load()

    async def load(self) -> Records:
        """The stored records, loaded once. Errors of the store pass through."""
        if self._stored is None:
            self._stored = await self._sockets.shared.journal.load_all()
        return self._stored

    async def websockets(self) -> tuple[ClientSocket, ...]:
        """See `Actor.restored_websockets`."""
        stored = await self.load()
        if self._prepared is None:
            listed = None if self.unlisted else self._listed
            self._prepared = prepare_sockets(self._state, self._sockets, listed, stored)
        return tuple(self._prepared.values())

    def restore(self, stored: Records) -> None:
        """``on_actor_start`` has returned, and these are the records: run the handlers. Raises nothing."""
        prepared = self._prepared or {}
        if self.unlisted:
            await_clients(self._state, self._sockets, stored, prepared)
        else:
            restore_sockets(self._state, self._sockets, self._listed, stored, prepared)
