"""The ASGI application and its routes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final
from uuid import uuid4

from rivet_runner._asgi_types import Receive, Scope, Send
from rivet_runner._tasks import TaskGroup
from rivet_runner.runner import Runner, RunnerSource, make_runner
from rivet_runner.serverless.asgi import answer, answer_error, path_within
from rivet_runner.serverless.endpoints import AllowedEndpoints
from rivet_runner.serverless.hosted import HostedRunner
from rivet_runner.serverless.start_headers import HeaderError, StartHeaders
from rivet_runner.serverless.stop_signals import STOP_SIGNALS, Listener

__all__ = ["ServerlessApp", "serverless_app"]

log: Final = logging.getLogger("rivet_runner.serverless")

START_SECONDS: Final = 30.0
"""Default ``start_timeout``. The engine that sent the request is running, so a runner that cannot reach it for so
long never will. A restarted engine accepts a runner with a new key at once."""

WEBSOCKET_GOING_AWAY: Final = 1001


def serverless_app(
    runner_class: type[Runner] | RunnerSource[Runner], *, allowed_endpoints: Iterable[str] | None = None, **options: Any
) -> ServerlessApp:
    """Make an ASGI 3 application through which the engine starts runners of ``runner_class``.

    It may also be an object that makes runners.

    Serve it with any ASGI server, or mount it at any path of another application. Give the engine its URL with ``PUT
    /runner-configs/{name}`` and ``serverless.url``. Each ``GET /start`` of the engine starts one runner with a key of
    its own. The runner goes down when the engine closes the request or the server stops. The application also answers
    ``GET /metadata`` and ``GET /health``.

    A runner attaches to the engine that the request names, so the application checks that engine. It allows the
    engines in ``allowed_endpoints``, or else the configured endpoint (``endpoint`` or ``RIVET_ENDPOINT``), or else
    loopback addresses. Use the engine's public URL. A request from any other engine gets a 403.

    ``options`` are the runner's. The headers of a request win over ``endpoint``, ``token``,
    ``namespace``, ``runner_name`` and ``total_slots``. If a request of the configured endpoint has no token, the
    runner uses the configured ``token``. The default of ``start_timeout`` is 30 s.

    Raises `TypeError` and `ValueError` for unusable options, as the runner does. To find out, the application
    makes one runner that it never starts.
    """
    return ServerlessApp(runner_class, allowed_endpoints, options)


class ServerlessApp:
    """An ASGI 3 application. Made by `serverless_app`."""

    def __init__(
        self,
        runner_class: type[Runner] | RunnerSource[Runner],
        allowed_endpoints: Iterable[str] | None,
        options: dict[str, Any],
    ) -> None:
        if "runner_key" in options:
            raise TypeError("runner_key cannot be given: each runner of a serverless application has a new key")
        self._source = runner_class
        self._options = options
        self._config = self._new_runner(options).config
        if self._config.health_port is not None:
            raise TypeError("health_port cannot be given: runners would share it. Probe /health of the application instead")
        self._allowed = AllowedEndpoints(allowed_endpoints, options, self._config.endpoint)
        self._hosted: set[HostedRunner] = set()
        self._tasks = TaskGroup("serverless", log)
        self._stopping = False
        self._listener: Listener | None = None
        self._routes: dict[str, tuple[tuple[str, ...], Callable[[Scope, Receive, Send], Awaitable[None]]]] = {
            "/metadata": (("GET", "HEAD"), self._metadata),
            "/health": (("GET", "HEAD"), self._health),
            "/start": (("GET",), self._start),
        }

    def __repr__(self) -> str:
        source = self._source if isinstance(self._source, type) else type(self._source)
        return f"<ServerlessApp for {source.__name__}, {len(self._hosted)} runners>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": WEBSOCKET_GOING_AWAY})
        else:
            raise ValueError(f"unknown ASGI scope type {scope['type']!r}")

    # For the surrounding program

    @property
    def runners(self) -> tuple[Runner, ...]:
        """The current runners, including those that start or drain."""
        return tuple(hosted.runner for hosted in self._hosted)

    async def drain(self, immediate: bool = False) -> None:
        """Refuse new runners from now on, shut down the current ones, and return when they are down.

        SIGTERM and SIGINT do this by themselves. If you stop your server in another way, await this first, because a
        server waits for the engine's requests before it tells the application. A graceful drain takes up to
        ``stop_timeout`` plus ``actor_stop_timeout`` of the runners, and an ``immediate`` one about a second. You may
        call this many times. Cancelling stops the waiting, not the draining.
        """
        self._stop(immediate)
        for hosted in [*self._hosted]:
            await hosted.ended.wait()

    def _stop(self, immediate: bool) -> None:
        if not self._stopping and self._hosted:
            log.info("stopping: draining %d serverless runners", len(self._hosted))
        self._stopping = True
        for hosted in self._hosted:
            hosted.stop(immediate=immediate)

    # Answering

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(path_within(scope))
        if route is None:
            await answer_error(send, scope, 404, "not_found", f"the paths are {', '.join(self._routes)}")
            return
        methods, handler = route
        if scope["method"] not in methods:
            allow = [(b"allow", ", ".join(methods).encode())]
            await answer_error(send, scope, 405, "method_not_allowed", f"allowed: {', '.join(methods)}", allow)
            return
        await handler(scope, receive, send)

    async def _metadata(self, scope: Scope, _: Receive, send: Send) -> None:
        from rivet_runner import __version__

        names = self._config.prepopulate_actor_names
        value = {
            "runtime": "rivetkit",  # the engine accepts no other runtime
            "version": __version__,
            "runner": {"version": self._config.version},
            "actorNames": {name: {"metadata": metadata} for name, metadata in names.items()},
        }
        await answer(send, scope, 200, value)

    async def _health(self, scope: Scope, _: Receive, send: Send) -> None:
        status = "stopping" if self._stopping else "ok"
        value = {"status": status, "runners": len(self._hosted)}
        await answer(send, scope, 503 if self._stopping else 200, value)

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = StartHeaders.parse(scope["headers"])
        except HeaderError as error:
            log.warning("refused a request to start a runner: %s", error)
            await answer_error(send, scope, 400, "invalid_header", str(error))
            return
        if headers.endpoint not in self._allowed:
            log.warning(
                "refused a request to start a runner for the engine at %s, which is not allowed (allowed: %s). If it is "
                "your engine, add its URL to allowed_endpoints",
                headers.endpoint,
                self._allowed,
            )
            await answer_error(
                send, scope, 403, "endpoint_not_allowed", "this application starts no runners for that x-rivet-endpoint"
            )
            return
        if self._stopping:
            await answer_error(send, scope, 503, "stopping", "the server is stopping")
            return
        await self._host(HostedRunner(self._make(headers), scope, receive, send, self._tasks))

    def _make(self, headers: StartHeaders) -> Runner:
        options = {**self._options, **headers.options(self._config)}
        if self._config.start_timeout is None:
            options["start_timeout"] = START_SECONDS
        return self._new_runner(options)

    def _new_runner(self, options: dict[str, Any]) -> Runner:
        return make_runner(self._source, {"runner_key": str(uuid4()), **options})

    async def _host(self, hosted: HostedRunner) -> None:
        self._hosted.add(hosted)
        if self._listener is None:
            self._listener = STOP_SIGNALS.listen(self._stop)
        try:
            await hosted.serve()
        finally:
            self._hosted.discard(hosted)
            if not self._hosted and self._listener is not None:
                STOP_SIGNALS.forget(self._listener)
                self._listener = None

    # The server's life

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.startup":
                self._stopping = False
                await send({"type": "lifespan.startup.complete"})
            elif kind == "lifespan.shutdown":
                await self.drain()
                await self._tasks.wait_idle()
                await send({"type": "lifespan.shutdown.complete"})
                return
