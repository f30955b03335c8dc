"""`DurableActor`, the class that you subclass."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, ClassVar

from rivet_runner.actor import ActorLog, StopReason
from rivet_runner.actors._context import Hosted, StateT, context_of
from rivet_runner.actors._declaring.declaration import declaration_of, declare
from rivet_runner.actors.client import Client
from rivet_runner.actors.connection import Connection
from rivet_runner.actors.schedule import Schedule
from rivet_runner.http import Request, Response
from rivet_runner.kv import KV
from rivet_runner.websocket import WebSocket

__all__ = ["DurableActor"]


class DurableActor(Hosted[StateT]):
    """An actor with typed state, and with actions that clients call. Subclass it, and hand your classes to an `App`.

    The type argument is the type of ``state``: a `msgspec.Struct`, a dataclass, a pydantic model, a plain type such as
    ``dict[str, int]``, or `None`. The actor's name is that of the class with a small first letter, unless you give one:
    ``class Room(DurableActor[State], name="room")``.

    There is one instance for each generation of an actor, so an instance attribute lives until the actor sleeps or moves.

    A subclass is checked when it is made, and a `TypeError` names what is wrong with it.
    """

    sleep_after: ClassVar[float | None] = 30.0
    """Seconds after which an idle actor asks to sleep. `None`: never.

    Actions, requests, plain WebSockets, spawned tasks, `run`, `keep_awake` and running schedules keep it awake."""
    hibernate: ClassVar[bool] = True
    """Whether connections outlive the actor's sleep. If not, they keep it awake."""
    run_keeps_awake: ClassVar[bool] = True
    """Whether the actor stays awake while `run` runs."""
    save_interval: ClassVar[float] = 1.0
    """Seconds for which changes of the state are collected before they are stored."""
    max_incoming_message: ClassVar[int] = 64 * 1024
    """Bytes of a client's message."""
    max_outgoing_message: ClassVar[int] = 1024 * 1024
    """Bytes of an answer or an event."""
    max_params: ClassVar[int] = 4 * 1024
    """Bytes of the parameters of a connection, as JSON."""

    def __init_subclass__(cls, *, name: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        declare(cls, name)

    # Its state

    @property
    def state(self) -> StateT:
        """What the actor stores. Change it, or assign a new one.

        Changes are stored after ``save_interval``, before a client's message counts as processed, and before the actor
        sleeps. `save` stores them at once.
        """
        context = context_of(self)
        try:
            state: StateT = context.state
        except AttributeError:
            raise RuntimeError("the state is there from on_create on: initial_state makes it") from None
        return state

    @state.setter
    def state(self, value: StateT) -> None:
        context_of(self).state = value

    def initial_state(self, input: Any) -> StateT:
        """Return the state of a new actor. ``input`` is what its creator sent, converted to the annotation of ``input``.

        The default makes the state's type without arguments.
        """
        state: StateT = declaration_of(type(self)).state_type.make()
        return state

    async def save(self) -> None:
        """Store the state now, and return when the engine has it. Unchanged state is not sent.

        Raises `StateTooLarge`, and the errors of `KV`. Cancelling is safe: the state may have been stored.
        """
        await context_of(self).save()

    # About it

    @property
    def id(self) -> str:
        """The actor's id, the same over all generations."""
        return context_of(self).actor.id

    @property
    def name(self) -> str:
        """The actor's name, which is that of its class."""
        return context_of(self).actor.name

    @property
    def key(self) -> tuple[str, ...]:
        """The actor's key, in the parts that its creator gave."""
        return context_of(self).key

    @property
    def input(self) -> Any:
        """What the actor's creator sent, as `initial_state` and `on_create` get it. `None` if there was nothing."""
        return context_of(self).input

    @property
    def generation(self) -> int:
        """How often the actor was started before."""
        return context_of(self).actor.generation

    @property
    def kv(self) -> KV:
        """The actor's durable store. The state lies elsewhere: clearing this leaves it alone."""
        return context_of(self).actor.kv

    @property
    def log(self) -> ActorLog:
        """A logger whose messages carry the actor's id."""
        return context_of(self).actor.log

    @property
    def resources(self) -> Any:
        """The value of the app's ``lifespan``, which all actors of a runner share. `None` without one."""
        return context_of(self).resources

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the actor stops, in `on_sleep` and `on_destroy`. `None` before."""
        return context_of(self).actor.stop_reason

    # Its clients

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The open connections, by id: a live, read-only view.

        When an actor wakes, those that hibernated are in it before `on_start`. Messages to them are held until the gateway
        has attached them. With protocol 7, and on a serverless runner, one may also appear later, with its first message.
        """
        return context_of(self).connections

    @property
    def caller(self) -> Connection | None:
        """The connection that called the action which is running. `None` outside of actions."""
        return context_of(self).caller

    # Later

    @property
    def schedule(self) -> Schedule:
        """Calls methods of this actor later, whether it is awake then or not."""
        schedule: Schedule = context_of(self).schedule
        return schedule

    # Other actors

    @property
    def client(self) -> Client:
        """Calls other actors of the same engine: ``await self.client.get_or_create(Room, "a").call(Room.say, "hi")``.

        All actors of a runner share it, so do not close it. Two actors that call each other do not block each other.
        """
        client: Client = context_of(self).client
        return client

    # Its life

    def now(self) -> datetime:
        """The time of the runner's clock, in UTC. It is virtual in tests."""
        return context_of(self).actor.now()

    def sleep(self) -> None:
        """Ask the engine to put the actor to sleep. `on_sleep` follows within some 50 ms."""
        context_of(self).actor.sleep()

    def destroy(self) -> None:
        """Ask the engine to end the actor for good, with its state. `on_destroy` follows."""
        context_of(self).actor.destroy()

    def keep_awake(self) -> AbstractAsyncContextManager[None]:
        """Return a block for ``async with`` in which the actor does not fall asleep for being idle."""
        return context_of(self).actor.keep_awake()

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, keep_awake: bool = True) -> asyncio.Task[Any]:
        """Run ``coroutine`` as a background task, which is cancelled after `on_sleep` or `on_destroy`.

        The actor is not idle while it runs, unless ``keep_awake`` is false. An exception is logged with the actor's id.
        Raises `RunnerShutDown` once the actor has stopped.
        """
        return context_of(self).actor.spawn(coroutine, keep_awake=keep_awake)

    # Hooks

    @classmethod
    def migrate_state(cls, raw: Any) -> Any:
        """Return plain data of the present form of the state, given stored plain data of any form.

        It runs when an actor starts, before its stored state is converted. The default returns ``raw``.
        """
        return raw

    async def on_create(self, input: Any) -> None:
        """The actor is new. Called before `on_start`, until an actor has started once without an error."""

    async def on_start(self) -> None:
        """The actor starts here. It gets no action, request or message before this has returned.

        Raising crashes the start: the actor sleeps, and its clients get an error.
        """

    async def on_sleep(self) -> None:
        """The actor stops here and goes on later or elsewhere. ``stop_reason`` tells why.

        Actions, `run` and connections that cannot hibernate have ended. The state is stored afterwards.
        """

    async def on_destroy(self) -> None:
        """The actor ends for good. Its connections are closed, and its store still works."""

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
        """Guard actions, connections, raw requests and raw WebSockets. Raise `UserError` to refuse one.

        ``params`` are the client's parameters as plain data. The result is the first ``state`` of the connection.
        """
        return None

    async def on_connect(self, connection: Connection) -> None:
        """A client has opened a connection. Raising refuses it, and `on_disconnect` does not follow.

        The client subscribes to events afterwards, so events that you emit here reach only others.
        """

    async def on_disconnect(self, connection: Connection) -> None:
        """A connection has closed, but not if it hibernates. Called after a wake for clients that left during the sleep."""

    async def run(self) -> None:
        """Run beside everything else, from the end of `on_start`. Cancelled before `on_sleep` and `on_destroy`.

        If it raises, `on_error` gets the exception, and it does not run again before the next start.
        """

    async def on_request(self, request: Request) -> Response:
        """Answer an HTTP request to ``/request/…``. ``request.path`` comes without that prefix. The default answers 404."""
        return Response("this actor takes no requests", status=404)

    async def on_websocket(self, ws: WebSocket) -> None:
        """Serve a raw WebSocket to ``/websocket/…``. Returning closes it with 1000, raising with 1011.

        It does not outlive the actor's sleep, and keeps the actor awake. The default refuses it.
        """
        await ws.close(1011, "actor.websocket_unsupported")

    async def on_error(self, error: Exception, where: str) -> None:
        """A hook, a schedule, `run` or a raw handler has raised ``error``. ``where`` names it, for example ``run``.

        A `UserError` of an action never comes here. The default logs the error with its traceback.
        """
        self.log.error("%s raised", where, exc_info=error)
