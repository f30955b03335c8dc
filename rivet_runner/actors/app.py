"""`App`: a program of typed actors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Unpack

from rivet_runner.actors._hosting.kind import ActorKind
from rivet_runner.actors._hosting.typed_runner import TypedRunner
from rivet_runner.actors.durable_actor import DurableActor
from rivet_runner.config import RunnerOptions
from rivet_runner.runner import Runner

__all__ = ["App"]


class App:
    """Describes a program: its classes of actors and the options of its runner.

    ``App(Counter).run()`` is a whole program. In a program that has an event loop already, use ``async with App(...)``. All
    that takes a runner class takes an app too, such as `rivet_runner.serverless.serverless_app`.

    ``lifespan`` is a function that takes the runner and returns an async context manager. It is entered before the runner
    connects, and left after its last actor has stopped. Its value is ``self.resources`` in every actor.

    The options are those of `Runner`. Raises `TypeError` for a class that is no `DurableActor` or leaves its state open, and
    `ValueError` if two classes have the same actor name.
    """

    def __init__(
        self,
        *actor_classes: type[DurableActor[Any]],
        lifespan: Callable[[Runner], AbstractAsyncContextManager[Any]] | None = None,
        **options: Unpack[RunnerOptions],
    ) -> None:
        self._kinds = _kinds(actor_classes)
        self._lifespan = lifespan
        self._options = options
        self._entered: Runner | None = None

    def __repr__(self) -> str:
        return f"<App {', '.join(self._kinds)}>"

    def runner(self, **options: Any) -> Runner:
        """Return a new runner of this app. ``options`` are the runner's, and replace those of the app."""
        options = {**self._options, **options}
        names: dict[str, Any] = {name: {} for name in self._kinds}
        options["prepopulate_actor_names"] = {**names, **options.get("prepopulate_actor_names", {})}
        return TypedRunner(self._kinds, self._lifespan, **options)

    def run(self) -> None:
        """Run one runner until it is down, as `Runner.run` does. Raises what the lifespan raises too."""
        self.runner().run()

    async def __aenter__(self) -> Runner:
        if self._entered is not None:
            raise RuntimeError("this app runs already: one `async with` has one runner")
        self._entered = self.runner()
        try:
            await self._entered.start()
        except BaseException:
            self._entered = None
            raise
        return self._entered

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        runner, self._entered = self._entered, None
        assert runner is not None
        await runner.shutdown()


def _kinds(classes: tuple[type[DurableActor[Any]], ...]) -> dict[str, ActorKind]:
    """The classes by actor name."""
    if not classes:
        raise TypeError("an App needs at least one class of actors: App(Counter)")
    kinds: dict[str, ActorKind] = {}
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, DurableActor)):
            raise TypeError(f"an App takes subclasses of DurableActor, not {cls!r}")
        kind = ActorKind(cls)
        if kind.name in kinds:
            other = kinds[kind.name].cls.__qualname__
            raise ValueError(f"{other} and {cls.__qualname__} are both named {kind.name!r}: give one of them another name")
        kinds[kind.name] = kind
    return kinds
