"""Applications that belong to one actor each, with a lifespan from the actor's start to its stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from rivet_runner._asgi_types import AsgiApp
from rivet_runner.actor import Actor
from rivet_runner.asgi.errors import LifespanFailed
from rivet_runner.asgi.lifespan import Lifespan
from rivet_runner.errors import RunnerShutDown

__all__ = ["ActorApp", "ActorApps"]

_Generation: TypeAlias = tuple[str, int]


class ActorApp:
    """The application of one actor generation. ``state`` is that of its lifespan, once ``started``."""

    def __init__(self, app: AsgiApp) -> None:
        self.app: Final = app
        self.state: dict[str, Any] = {}
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class ActorApps:
    """Makes the application of an actor once for each generation, with ``make``."""

    def __init__(self, make: Callable[[Actor], AsgiApp]) -> None:
        self._make = make
        self._apps: dict[_Generation, ActorApp] = {}

    async def of(self, actor: Actor) -> ActorApp:
        """Return the application of ``actor``, started up.

        Raises the errors of ``make``, `LifespanFailed`, and `RunnerShutDown` if the actor stops. Cancelling is safe.
        """
        key = (actor.id, actor.generation)
        known = self._apps.get(key)
        if known is None:
            app = self._make(actor)
            if not callable(app):
                raise TypeError(f"asgi_app must return an ASGI application, not {type(app).__name__}")
            known = ActorApp(app)
            actor.spawn(self._keep(key, known), keep_awake=False)
            self._apps[key] = known
        if not known.started.done():
            await asyncio.shield(known.started)
        known.started.result()
        return known

    async def _keep(self, key: _Generation, kept: ActorApp) -> None:
        """Hold the lifespan. The actor cancels this at its end, after its requests and WebSockets."""
        lifespan = Lifespan(kept.app)
        try:
            await lifespan.startup()
            kept.state = lifespan.state
            kept.started.set_result(None)
            await asyncio.get_running_loop().create_future()
        except LifespanFailed as error:
            kept.started.set_exception(error)
        finally:
            del self._apps[key]
            if not kept.started.done():
                kept.started.set_exception(RunnerShutDown("the actor stopped before its application had started up"))
            if kept.started.exception() is None:
                await lifespan.shutdown()
