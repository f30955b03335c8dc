"""`AsgiRunner`, and `respond` for a single request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final, Unpack

from rivet_runner._asgi_types import AsgiApp
from rivet_runner._tasks import TaskGroup
from rivet_runner.actor import Actor
from rivet_runner.asgi.actor_apps import ActorApps
from rivet_runner.asgi.conversation import converse
from rivet_runner.asgi.exchange import MAX_BODY, RESPONSE_SECONDS, exchange, finish_background
from rivet_runner.asgi.lifespan import enter, leave
from rivet_runner.asgi.scopes import RootPath, checked_root_path, http_scope, websocket_scope
from rivet_runner.config import RunnerConfig, RunnerOptions
from rivet_runner.errors import RivetRunnerError, RunnerShutDown
from rivet_runner.http import Request, Response
from rivet_runner.runner import Runner
from rivet_runner.websocket import WebSocket

__all__ = ["AsgiRunner", "respond"]

log: Final = logging.getLogger("rivet_runner.asgi")

SHUTDOWN_SECONDS: Final = 10.0
"""For the application to shut down, if an overridden `Runner.on_shutdown` did not see to it."""


async def respond(
    app: AsgiApp,
    actor: Actor,
    request: Request,
    *,
    root_path: RootPath | None = None,
    response_timeout: float = RESPONSE_SECONDS,
) -> Response:
    """Let an ASGI application answer one request, for a `Runner.fetch` of your own. The application gets no lifespan.

    ``root_path`` and ``response_timeout`` are those of `AsgiRunner`. An application that raises, returns without a response,
    or does not end its response, gives a 500 without details. The log has them. A response may have 20 MiB.

    The application may go on after its response, as a task of ``actor``. Raises `ValueError` and `TypeError` for a
    ``root_path`` that cannot be used, and `RunnerShutDown` if the actor has stopped. If you cancel it, the application is
    told of a disconnect. It is cancelled if it takes longer than 5 s to return.
    """
    scope = http_scope(actor, request, checked_root_path(root_path), None)
    return await exchange(app, actor, request, scope, max_body=MAX_BODY, response_timeout=response_timeout)


class AsgiRunner(Runner):
    """Serves an ASGI 3 application as the HTTP and the WebSockets of each actor.

    ``AsgiRunner(app, runner_name="site").run()`` is a whole program. ``app`` is an application of FastAPI, Starlette,
    Django, Litestar or any other framework. It finds its actor as ``scope["rivet.actor"]``, and in a WebSocket's scope the
    `WebSocket` as ``scope["rivet.websocket"]``. Override `asgi_app` if each actor is to have an application of its own.

    ``root_path`` is the path under which clients reach the application: text, or a function of the actor and the request.
    The default is that of the engine's gateway, ``/gateway/{actor id}``. ``response_timeout`` is in seconds, from the start
    of a response to its end. The engine forwards only whole responses, so one that does not end gives a 500. The other
    options are those of `Runner`.

    If you override `on_actor_start`, `on_actor_stop` or `on_shutdown`, call the method of this class too.

    Raises `TypeError` if there is no application, and `TypeError` and `ValueError` for options that cannot be used.
    """

    def __init__(
        self,
        app: AsgiApp | None = None,
        config: RunnerConfig | None = None,
        *,
        root_path: RootPath | None = None,
        response_timeout: float = RESPONSE_SECONDS,
        **options: Unpack[RunnerOptions],
    ) -> None:
        super().__init__(config, **options)
        self.__per_actor = type(self).asgi_app is not AsgiRunner.asgi_app
        if app is None and not self.__per_actor:
            raise TypeError("AsgiRunner needs an ASGI application: AsgiRunner(app, ...), or a subclass with asgi_app")
        if app is not None and not callable(app):
            raise TypeError(f"app must be an ASGI application, not {type(app).__name__}")
        if not response_timeout > 0:
            raise ValueError(f"response_timeout must be more than 0 seconds, not {response_timeout!r}")
        self.__app = app
        self.__root_path = checked_root_path(root_path)
        self.__response_timeout = response_timeout
        self.__actor_apps = ActorApps(self.asgi_app)
        self.__state: Mapping[str, Any] | None = None
        self.__tasks = TaskGroup("asgi", log)
        self.__entering: asyncio.Task[None] | None = None
        self.__entered = False

    def asgi_app(self, actor: Actor) -> AsgiApp:
        """Return the application that serves ``actor``.

        The default returns the one that the runner was made with. If you override this, it is called once for each
        generation of an actor, and each application gets a lifespan of its own: from `on_actor_start` until the actor's
        requests and WebSockets have ended. It has half a second to shut down then.
        """
        assert self.__app is not None
        return self.__app

    # Hooks

    async def fetch(self, actor: Actor, request: Request) -> Response:
        """Let the application answer."""
        app, state = await self.__served(actor)
        scope = http_scope(actor, request, self.__root_path, state)
        return await exchange(
            app, actor, request, scope, max_body=self.config.max_payload, response_timeout=self.__response_timeout
        )

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        """Let the application serve the WebSocket."""
        app, state = await self.__served(actor)
        await converse(app, actor, ws, websocket_scope(actor, ws, self.__root_path, state))

    async def on_actor_start(self, actor: Actor) -> None:
        """Start up the application of this actor, if it has one of its own. Raises `LifespanFailed`."""
        if self.__per_actor:
            await self.__actor_apps.of(actor)

    async def on_actor_stop(self, actor: Actor) -> None:
        """Wait for what the application does after its responses, such as background tasks."""
        await finish_background(actor)

    async def on_shutdown(self) -> None:
        """Shut down the application, unless another runner of this process serves it too."""
        await self.__leave()

    # Its life

    async def start(self) -> None:
        """Start up the application, and start as `Runner.start` does. Raises `LifespanFailed` too.

        Runners of one process that serve the same application share its lifespan. The first starts it up, and the last to
        go down shuts it down.
        """
        if self.__per_actor or self.__entering is not None:
            await super().start()
            return
        entering = self.__entering = self.__tasks.spawn(self.__enter(), name="asgi startup", on_error=lambda _: None)
        try:
            await asyncio.wait([entering])
            if entering.cancelled():
                raise RunnerShutDown("the runner was shut down while its application started up")
            entering.result()
            await super().start()
        except BaseException:
            entering.cancel()
            await asyncio.wait([entering])
            await self.__leave()
            await super().shutdown(immediate=True)
            raise
        self.__tasks.spawn(self.__leave_at_the_end(), name="asgi shutdown")

    async def shutdown(self, immediate: bool = False) -> None:
        """Take the runner down as `Runner.shutdown` does. An application that still starts up is cancelled."""
        if self.__entering is not None:
            self.__entering.cancel()
        await super().shutdown(immediate)

    async def __served(self, actor: Actor) -> tuple[AsgiApp, Mapping[str, Any] | None]:
        if not self.__per_actor:
            return self.asgi_app(actor), self.__state
        own = await self.__actor_apps.of(actor)
        return own.app, own.state

    async def __enter(self) -> None:
        assert self.__app is not None
        self.__state = (await enter(self.__app)).state
        self.__entered = True

    async def __leave(self) -> None:
        if self.__entered:
            self.__entered = False
            assert self.__app is not None
            await leave(self.__app)

    async def __leave_at_the_end(self) -> None:
        """Make sure of it if `on_shutdown` is overridden."""
        with contextlib.suppress(RivetRunnerError):
            await super().wait_closed()
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            await self.__leave()
