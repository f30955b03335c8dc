"""A client's open connection to a typed actor: calls and events over one WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar, overload

from tenacity import AsyncRetrying, retry_if_exception

from rivet_runner._connection.backoff import Backoff
from rivet_runner._tasks import TaskGroup
from rivet_runner.actors._client.link import Link
from rivet_runner.actors._client.names import called, event_name, event_type
from rivet_runner.actors._client.opening import is_temporary, may_come_back, open_session, was_disconnected
from rivet_runner.actors._client.session import End, Session
from rivet_runner.actors._client.subscriptions import Subscription, Subscriptions
from rivet_runner.actors._client.targets import Target
from rivet_runner.actors._declaring.declaration import Declaration
from rivet_runner.actors._wire.encodings import Codec
from rivet_runner.actors.errors import ActorError, ClientError
from rivet_runner.actors.event import Event

__all__ = ["LiveConnection", "Subscription"]

log: logging.Logger = logging.getLogger("rivet_runner.actors.client")

ActorT = TypeVar("ActorT")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

FIRST_DELAY: Final = 0.25
"""Seconds before a connection that has broken is made again. Further attempts wait twice as long each, up to 30 s."""

MAX_CALLS: Final = 1024
"""Calls under way on one connection. Further ones wait, within the client's timeout."""

CANCEL_SECONDS: Final = 10.0
"""For the end of the task, close handshake included."""


class LiveConnection(Generic[ActorT]):
    """An open connection to an actor. Get it from `rivet_runner.actors.client.ActorHandle.connect`::

        async with room.connect() as live:
            joined = live.on(Room.joined)
            await live.call(Room.join, "Ada")
            async for name in joined:
                ...

    A connection that breaks is made again by itself, after 0.25 s, then 0.5 s and so on up to 30 s, and subscribes again.
    Calls that are under way then raise `ConnectionLost`, because nothing is sent twice. Later calls wait for the new
    connection. The actor sees a new connection, and events that it sent meanwhile are lost. While an actor sleeps, or moves
    to another runner, the connection does not break.

    It ends for good if you leave the ``async with`` block, if the actor disconnects it, or if the actor refuses it when it
    is made again.
    """

    def __init__(self, link: Link, target: Target, declaration: Declaration | None, codec: Codec, params: Any) -> None:
        self._link = link
        self._target = target
        self._declaration = declaration
        self._codec = codec
        self._params = params
        self._backoff = Backoff(link.random, FIRST_DELAY)
        self._places = asyncio.Semaphore(MAX_CALLS)
        self._subscriptions = Subscriptions(self._subscribe)
        self._tasks = TaskGroup(f"live connection to {target}", log)
        self._session: Session | None = None
        self._opened = 0
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._error: Exception | None = None

    def __repr__(self) -> str:
        state = "ended" if self._over.is_set() else "open" if self.is_open else "not connected"
        return f"<LiveConnection to {self._target}, {state}>"

    @property
    def is_open(self) -> bool:
        """Whether it is connected at this moment."""
        return self._session is not None and self._session.is_open

    @property
    def id(self) -> str | None:
        """The actor's id of this connection, `rivet_runner.actors.Connection.id`. `None` while it is not connected."""
        return None if self._session is None else self._session.init.connection_id

    async def __aenter__(self) -> Self:
        if self._over.is_set() or len(self._tasks):
            raise RuntimeError("a live connection is entered once: call connect() again for another one")
        session = await self._open()
        self._link.opened(self)
        self._tasks.spawn(self._keep(session), name=f"live connection to {self._target}")
        self._begin(session)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End it for good, with a close handshake of 5 s at most. Calls that are under way raise `ConnectionLost`.

        A second close does nothing. Cancelling drops the connection at once.
        """
        session = self._session
        try:
            if session is not None:
                await session.close()
        finally:
            if session is not None:
                session.abort()
            await self._tasks.cancel_all(CANCEL_SECONDS)
            # A task that is cancelled before its first step does nothing by itself.
            self._finish()

    async def openings(self) -> AsyncIterator[None]:
        """Yield once for each connection: for the present one, and whenever it was made again.

        Ask for the present state then, because events in between are lost. Connections that have broken again meanwhile
        are not yielded. It ends with the connection, and raises the error if the actor refused it. Cancelling is safe.
        """
        seen = 0
        while not self._over.is_set():
            if self._opened == seen or not self.is_open:
                self._changed.clear()
                await self._changed.wait()
            else:
                seen = self._opened
                yield
        if self._error is not None:
            raise self._error

    async def closed(self) -> None:
        """Wait until it has ended for good. Raises the error if the actor refused it, and returns if it was closed.

        Any number of tasks may wait. Cancelling ends the wait alone.
        """
        await self._over.wait()
        if self._error is not None:
            raise self._error

    # Calls and events

    @overload
    async def call(
        self, action: Callable[Concatenate[ActorT, P], Coroutine[Any, Any, R]], /, *args: P.args, **keywords: P.kwargs
    ) -> R: ...
    @overload
    async def call(self, action: str, /, *args: Any) -> Any: ...
    async def call(self, action: Any, /, *args: Any, **keywords: Any) -> Any:
        """Run an action over this connection, and return its result as `rivet_runner.actors.client.ActorHandle.call` does.

        Calls of one connection start in their order, and run side by side. A call waits while the connection is made again.

        Raises as `rivet_runner.actors.client.ActorHandle.call` does, and `ClientError` if the connection has ended for good.
        Cancelling does not end the action.
        """
        wanted = called(self._declaration, action, args, keywords)
        async with self._link.time_limit(f"{wanted.name} of {self._target}"), self._places:
            session = await self._connected()
            output = await session.call(wanted.name, wanted.args)
        return wanted.result(output)

    @overload
    def on(self, event: Event[T]) -> Subscription[T]: ...
    @overload
    def on(self, event: str) -> Subscription[Any]: ...
    def on(self, event: Any) -> Subscription[Any]:
        """Subscribe to an event, by the attribute of the actor's class or by its name.

        The actor subscribes you before it starts the calls that you make later. You get a value as the event's type, or as
        plain data if only its name is known. An event of other clients' libraries may have no argument or several: then the
        value is `None` or a list.
        """
        name = event_name(event)
        subscription = self._subscriptions.add(name, event_type(self._declaration, event))
        if self._over.is_set():
            subscription.end(self._error)
        return subscription

    async def _connected(self) -> Session:
        while (session := self._session) is None or not session.is_open:
            if self._over.is_set():
                raise ClientError(f"the connection to {self._target} has ended: {self._error or 'it was closed'}")
            if not len(self._tasks):
                raise RuntimeError("a live connection is opened by `async with`")
            self._changed.clear()
            await self._changed.wait()
        return session

    def _subscribe(self, event: str, wanted: bool) -> None:
        if self._session is not None and self._session.is_open:
            self._session.subscribe(event, wanted)

    # Its life

    async def _open(self) -> Session:
        async with self._link.time_limit(f"the opening of a connection to {self._target}"):
            return await open_session(self._link, self._target, self._codec, self._params, self._subscriptions.receive)

    async def _keep(self, session: Session) -> None:
        try:
            while True:
                end = await self._carry(session)
                if was_disconnected(end):
                    return
                if not may_come_back(end):
                    self._error = end.cause
                    return
                log.info("the connection to %s ended (%s); it is made again", self._target, end)
                session = await self._open_again()
                self._begin(session)
        except (ActorError, ClientError, RuntimeError) as error:
            self._error = error
        finally:
            self._finish()

    def _begin(self, session: Session) -> None:
        self._session = session
        self._opened += 1
        for name in self._subscriptions.names:
            session.subscribe(name)
        self._changed.set()

    async def _carry(self, session: Session) -> End:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await session.run()
        finally:
            self._session = None
            self._backoff.lasted(clock() - began, session.messages)

    async def _open_again(self) -> Session:
        # Attempts of many clients, whose engine was restarted, spread out.
        await asyncio.sleep(self._backoff.next_delay())
        return await AsyncRetrying(retry=retry_if_exception(is_temporary), wait=self._backoff, reraise=True)(self._open)

    def _finish(self) -> None:
        self._session = None
        self._over.set()
        self._changed.set()
        self._subscriptions.end(self._error)
        self._link.ended(self)
