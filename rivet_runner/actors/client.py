"""The client of typed actors: handles of actors, and calls of their actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar, overload
from urllib.parse import quote

from multidict import CIMultiDict

from rivet_runner._connection.environment import environment
from rivet_runner._settings import seconds
from rivet_runner.actors._client.engine_transport import EngineTransport
from rivet_runner.actors._client.gateway import ask_actor
from rivet_runner.actors._client.link import Link
from rivet_runner.actors._client.names import actor_name, called, declared
from rivet_runner.actors._client.replies import output_of
from rivet_runner.actors._client.targets import ById, ByKey, NewActor, Target, create_actor
from rivet_runner.actors._declaring.declaration import Declaration
from rivet_runner.actors._types.plain import plain
from rivet_runner.actors._wire.encodings import Encoding, codec
from rivet_runner.actors.live_connection import LiveConnection
from rivet_runner.config import RunnerConfig
from rivet_runner.http import Headers, Response

__all__ = ["ActorHandle", "Client"]

ActorT = TypeVar("ActorT")
P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT: Final = 60.0

CODEC: Final = codec(Encoding.CBOR)
"""It carries every kind of plain data as such."""


class ActorHandle(Generic[ActorT]):
    """One actor, as its clients see it. You get it from a `Client`. Nothing is sent before you use it.

    A handle with a key remembers the actor's id. If the actor was destroyed meanwhile, the handle asks the engine again.
    """

    def __init__(self, link: Link, target: Target, declaration: Declaration | None, params: Any) -> None:
        self._link = link
        self._target = target
        self._declaration = declaration
        self._params = params
        # The gateway drops headers that are not ASCII.
        self._headers = {} if params is None else {"x-rivet-conn-params": json.dumps(params)}

    def __repr__(self) -> str:
        return f"<ActorHandle {self._target}>"

    async def resolve(self) -> str:
        """Return the actor's id. A handle of `Client.get_or_create` creates the actor if there is none.

        Raises `ActorError`, for example ``actor.not_found``, and `ClientError`. Cancelling is safe.
        """
        async with self._link.time_limit(f"the search for {self._target}"):
            return await self._target.actor_id()

    @overload
    async def call(
        self, action: Callable[Concatenate[ActorT, P], Coroutine[Any, Any, R]], /, *args: P.args, **keywords: P.kwargs
    ) -> R: ...
    @overload
    async def call(self, action: str, /, *args: Any) -> Any: ...
    async def call(self, action: Any, /, *args: Any, **keywords: Any) -> Any:
        """Run an action and return its result: ``await room.call(Room.say, "hi")``, or ``await room.call("say", "hi")``.

        A sleeping actor wakes. By its method, the call is typed, and you get the result as the annotation of the action
        has it. By its name, you get plain data, unless the handle knows the actor's class.

        Raises `UserError` if the action raises one, `ActorError` for another error of the actor or the engine, and
        `ClientError` if no answer comes. Raises `TypeError` or `ValueError` for arguments that cannot be encoded. Cancelling
        is safe, but the action goes on.

        The client repeats nothing. The gateway may run an action again if its actor stops in the middle.
        """
        wanted = called(self._declaration, action, args, keywords)
        what = f"{wanted.name} of {self._target}"
        headers = {**self._headers, "x-rivet-encoding": CODEC.encoding.value, "content-type": CODEC.content_type}
        body = CODEC.encode_action_request(wanted.args)
        async with self._link.time_limit(what):
            reply = await ask_actor(
                self._link, self._target, "POST", f"/action/{quote(wanted.name, safe='')}", headers, body
            )
        return wanted.result(output_of(reply, CODEC, what))

    async def fetch(
        self, method: str, path: str = "", *, headers: Headers | None = None, body: bytes | str = b""
    ) -> Response:
        """Send an HTTP request to the actor's ``on_request``, and return its response of any status.

        ``path`` may have a query, and both are percent-encoded. A leading slash makes no difference. A `str` body is sent as
        UTF-8.

        Raises `ActorError` if the engine answers in place of the actor, `ClientError` if no answer comes, and `ValueError`
        for a path that is not percent-encoded. Cancelling is safe.
        """
        if not path.isascii() or not path.isprintable() or " " in path:
            raise ValueError(f"path and query are not percent-encoded: {path!r}")
        # The engine keeps the last of repeated headers.
        given = {name.lower(): value for name, value in CIMultiDict(headers or ()).items()}
        content = body.encode() if isinstance(body, str) else body
        async with self._link.time_limit(f"{method} {path} of {self._target}"):
            reply = await ask_actor(
                self._link, self._target, method, f"/request/{path.removeprefix('/')}", {**given, **self._headers}, content
            )
        return Response(reply.body, reply.status, reply.headers)

    def connect(self) -> LiveConnection[ActorT]:
        """Open a connection for calls and events: ``async with room.connect() as live``.

        It is open once the actor has accepted it. Raises `ActorError` if the actor refuses it, and `ClientError` if the way
        there fails.
        """
        return LiveConnection(self._link, self._target, self._declaration, CODEC, self._params)


class Client:
    """Calls typed actors, from any program: Python's, or those of another language.

    ::

        async with Client() as client:
            counter = client.get_or_create(Counter, "org", "42")
            print(await counter.call(Counter.increment, 2))

    What you do not give comes from the variables of a runner: ``endpoint`` from ``RIVET_ENDPOINT``, ``namespace`` from
    ``RIVET_NAMESPACE``, ``token`` from ``RIVET_TOKEN``, and ``pool``, the runners for new actors, from ``RIVET_POOL`` or
    ``RIVET_RUNNER_NAME``. See `rivet_runner.RunnerConfig` for their forms and defaults. ``timeout`` is the most that any
    call takes, in seconds. Raises `ValueError` for a value that cannot be used.

    An actor is named by its class or its name, and by its key, which may have several parts. ``params`` go with everything
    that a handle sends: the actor's ``before_connect`` gets them. They are JSON.

    One client serves any number of actors and calls. It has up to 1,024 connections for requests. Use it on one event loop,
    and close it at the end with ``async with`` or `aclose`. Inside an actor, use ``self.client``.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        namespace: str | None = None,
        token: str | None = None,
        pool: str | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        options = {"endpoint": endpoint, "namespace": namespace, "token": token, "runner_name": pool}
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        self._link = _link(RunnerConfig.from_env(**given), timeout, in_memory=endpoint is None)

    @classmethod
    def of_runner(cls, config: RunnerConfig, *, timeout: float = TIMEOUT) -> Self:
        """The client of the engine that a runner with this config connects to.

        Make it in the runner's ``start``: there it also finds the engine of `rivet_runner.testing.SimulatedEngine.host`.
        """
        client = cls.__new__(cls)
        client._link = _link(config, timeout, in_memory=True)
        return client

    def __repr__(self) -> str:
        return f"<Client of {self._link.endpoint}, namespace {self._link.namespace}>"

    # Handles

    @overload
    def get(self, actor: type[ActorT], /, *key: str, params: Any = None) -> ActorHandle[ActorT]: ...
    @overload
    def get(self, actor: str, /, *key: str, params: Any = None) -> ActorHandle[Any]: ...
    def get(self, actor: Any, /, *key: str, params: Any = None) -> ActorHandle[Any]:
        """The handle of an actor that exists. Its calls raise ``actor.not_found`` if there is none."""
        return self._handle(actor, ByKey(self._link, actor_name(actor), key, None), params)

    @overload
    def get_or_create(
        self, actor: type[ActorT], /, *key: str, params: Any = None, input: Any = None, pool: str | None = None
    ) -> ActorHandle[ActorT]: ...
    @overload
    def get_or_create(
        self, actor: str, /, *key: str, params: Any = None, input: Any = None, pool: str | None = None
    ) -> ActorHandle[Any]: ...
    def get_or_create(
        self, actor: Any, /, *key: str, params: Any = None, input: Any = None, pool: str | None = None
    ) -> ActorHandle[Any]:
        """The handle of an actor, which is created when the handle is first used, if there is none.

        ``input`` is for a new actor alone, and may be anything that can be encoded, up to 3 MiB. ``pool`` names the runners
        that may host it.
        """
        new = self._new(actor, key, input, pool)
        return self._handle(actor, ByKey(self._link, new.name, key, new), params)

    @overload
    async def create(
        self, actor: type[ActorT], /, *key: str, params: Any = None, input: Any = None, pool: str | None = None
    ) -> ActorHandle[ActorT]: ...
    @overload
    async def create(
        self, actor: str, /, *key: str, params: Any = None, input: Any = None, pool: str | None = None
    ) -> ActorHandle[Any]: ...
    async def create(
        self, actor: Any, /, *key: str, params: Any = None, input: Any = None, pool: str | None = None
    ) -> ActorHandle[Any]:
        """Create an actor and return its handle. The options are those of `get_or_create`.

        Raises `ActorError`, such as ``actor.duplicate_key`` if there is one with this key, and `ClientError`. If it is
        cancelled or times out, the engine may have created the actor.
        """
        new = self._new(actor, key, input, pool)
        async with self._link.time_limit(f"the creation of {new.name}"):
            actor_id = await create_actor(self._link, new)
        return self._handle(actor, ById(self._link, actor_id), params)

    @overload
    def get_for_id(self, actor: type[ActorT], actor_id: str, /, *, params: Any = None) -> ActorHandle[ActorT]: ...
    @overload
    def get_for_id(self, actor: str, actor_id: str, /, *, params: Any = None) -> ActorHandle[Any]: ...
    def get_for_id(self, actor: Any, actor_id: str, /, *, params: Any = None) -> ActorHandle[Any]:
        """The handle of the actor with this id, as `ActorHandle.resolve` returns it."""
        return self._handle(actor, ById(self._link, actor_id), params)

    def _handle(self, actor: Any, target: Target, params: Any) -> ActorHandle[Any]:
        return ActorHandle(self._link, target, declared(actor), plain(params))

    def _new(self, actor: Any, key: tuple[str, ...], input: Any, pool: str | None) -> NewActor:
        return NewActor(actor_name(actor), key, input, self._link.pool if pool is None else pool)

    # Its end

    async def aclose(self) -> None:
        """Close the connections, live ones too. Calls that are under way fail, and later ones raise `RuntimeError`."""
        await self._link.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _link(config: RunnerConfig, timeout: float, *, in_memory: bool) -> Link:
    surroundings = environment.get()
    transport = surroundings.client_transport if in_memory else None
    return Link(
        EngineTransport(config.endpoint) if transport is None else transport,
        endpoint=config.endpoint,
        namespace=config.namespace,
        token=config.token,
        pool=config.runner_name,
        timeout=seconds("timeout", timeout),
        random=surroundings.random,
    )
