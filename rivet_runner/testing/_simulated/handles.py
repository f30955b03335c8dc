"""The handle of an actor, with which a test talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import Any, Protocol, TypeAlias

from rivet_runner._kv.reserved_keys import RESERVED_FROM
from rivet_runner.actor import Actor
from rivet_runner.testing._simulated.actor_spec import ActorSignal
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.answers import request_headers
from rivet_runner.testing._simulated.client_calls import call_actor, open_websocket
from rivet_runner.testing._simulated.client_socket import SimulatedWebSocket
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing.engine_types import EngineApiError
from rivet_runner.testing.http_client import HttpResponse

__all__ = ["SimulatedActorHandle", "api_error"]

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]

API_STATUS = 400


class Hosts(Protocol):
    """The runners in this process."""

    def find_hosted(self, actor_id: str) -> Actor | None: ...


class SimulatedActorHandle:
    """One actor of a `SimulatedEngine`. You get it from `SimulatedEngine.create`.

    `SimulatedEngine.get_or_create` and `SimulatedEngine.get` return one too. You can look at the actor, send
    requests as its clients do, and put it to sleep, wake it or destroy it. The handle stays valid after the actor is
    destroyed.
    """

    def __init__(self, cluster: Cluster, actor: SimulatedActor, hosts: Hosts) -> None:
        self._cluster = cluster
        self._actor = actor
        self._hosts = hosts

    def __repr__(self) -> str:
        return f"<SimulatedActorHandle {self._actor.spec.name!r} {self.id}, generation {self.generation}, {self.status}>"

    @property
    def id(self) -> str:
        return self._actor.id

    @property
    def generation(self) -> int:
        """The latest generation, from 0. Each start after the first adds one."""
        return self._actor.generation

    @property
    def error(self) -> Any:
        """The reason for which the actor does not run, or `None`.

        It has the engine's form, for example ``"no_capacity"`` or ``{"crashed": {"message": "…"}}``.
        """
        return self._actor.error

    @property
    def status(self) -> str:
        """One of ``pending``, ``starting``, ``running``, ``sleeping``, ``crashed`` and ``destroyed``.

        ``crashed`` lasts from a crash until the actor starts again. ``pending`` means that no runner has room for it.
        """
        actor = self._actor
        if actor.destroy_ts is not None:
            return "destroyed"
        if actor.connectable:
            return "running"
        if isinstance(actor.error, dict) and "crashed" in actor.error:
            return "crashed"
        if actor.pending_allocation_ts is not None:
            return "pending"
        if actor.gateway_sees_sleeping:
            return "sleeping"
        return "starting" if actor.runner_id is not None else "pending"

    # Clients

    async def request(self, method: str, path: str, headers: Headers | None = None, body: bytes = b"") -> HttpResponse:
        """Send an HTTP request through the gateway, which wakes the actor, and return the response.

        ``path`` may have a query. You get the engine's errors as responses too, with the statuses of the real engine: check
        ``status``. The engine retries as the real one does, so this can take as long as its timeouts.

        Raises `HttpExchangeFailed` if the engine is down, or goes down before it answers. Cancelling is safe, but your actor
        does not hear of it.
        """
        cluster = self._cluster
        sent = {"content-length": str(len(body))} if body else {}
        described = request_headers(headers, cluster.ids.new(), **sent)
        return await call_actor(cluster, self.id, method, _absolute(path), described, body)

    def websocket(self, path: str, headers: Headers | None = None) -> _Connecting:
        """Open a WebSocket through the gateway. Write ``async with actor.websocket("/") as ws``, or ``await`` it.

        It is open at once, as the engine answers the upgrade by itself. If your actor refuses it, you get a close. If the
        engine is down, the close has the code 1006. With ``await``, close it yourself.
        """
        return _Connecting(lambda: self._connect(path, headers))

    def _connect(self, path: str, headers: Headers | None) -> SimulatedWebSocket:
        cluster = self._cluster
        described = request_headers(headers, cluster.ids.new(), sec_websocket_protocol="rivet")
        client = SimulatedWebSocket()
        open_websocket(cluster, self.id, _absolute(path), described, client.port)
        return client

    # Its life

    async def sleep(self) -> None:
        """Put the actor to sleep, and return once this generation has stopped.

        The actor asks for it through its own `rivet_runner.Actor.sleep`, so it has to be on a runner that you host with
        `SimulatedEngine.host`. Raises `RuntimeError` if it is not. An actor that sleeps or is destroyed stays as it is.
        Cancelling ends the wait, not the sleep.
        """
        actor, generation = self._actor, self._actor.generation
        await self._until(lambda: actor.connectable or actor.runner_id is None)
        if actor.runner_id is None:
            return
        hosted = self._hosts.find_hosted(self.id)
        if hosted is None:
            raise RuntimeError(f"the actor {self.id} runs on a runner of another process: it has to call sleep() itself")
        hosted.sleep()
        await self._until(lambda: actor.generation != generation or actor.runner_id is None)

    async def wake(self) -> None:
        """Wake the actor as a request would, and return once it takes requests.

        Raises `EngineApiError` with the engine's reason, for example ``guard.actor_ready_timeout`` after 30 s.
        Cancelling ends the wait, not the wake.
        """
        try:
            await self._cluster.guard.resolve(self.id)
        except EngineError as error:
            raise api_error(error, error.status) from None

    async def destroy(self) -> None:
        """Delete the actor with its key and data. The engine does not wait for its runner, so its hooks may still run."""
        self._actor.destroy()

    async def kv(self) -> dict[bytes, bytes]:
        """Read the actor's entries, in the order of their keys.

        You see the entries that your actor wrote, without those that the runner keeps for itself. You can read them while
        the actor sleeps too.
        """
        store = self._cluster.kv_stores.get(self.id)
        entries = {} if store is None else store.as_dict()
        return {key: value for key, value in entries.items() if key < RESERVED_FROM}

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds or the actor is destroyed. It is checked at each signal to the gateway."""
        while not condition() and self._actor.destroy_ts is None:
            changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def wake(_: ActorSignal, changed: asyncio.Future[None] = changed) -> None:
                if not changed.done():
                    changed.set_result(None)

            unsubscribe = self._cluster.subscribe(self.id, wake)
            try:
                await changed
            finally:
                unsubscribe()


class _Connecting:
    """A WebSocket that is about to be opened."""

    def __init__(self, connect: Callable[[], SimulatedWebSocket]) -> None:
        self._connect = connect
        self._socket: SimulatedWebSocket | None = None

    def __await__(self) -> Generator[Any, None, SimulatedWebSocket]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> SimulatedWebSocket:
        self._socket = self._connect()
        return self._socket

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._socket is not None
        await self._socket.close()


def api_error(error: EngineError, status: int = API_STATUS) -> EngineApiError:
    """An error of the engine as a client of its API sees it."""
    return EngineApiError(status, error.group, error.code, error.message, error.metadata)


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
