"""`Runner`, the class that you subclass."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar, Unpack

from rivet_runner._connection.environment import environment
from rivet_runner._hook_checks import check_hooks
from rivet_runner._lifecycle import Lifecycle, LifecycleEvent
from rivet_runner._runtime.core import Core
from rivet_runner._runtime.signals import run_until_down
from rivet_runner.actor import Actor, Alarm
from rivet_runner.config import RunnerConfig, RunnerOptions
from rivet_runner.http import Request, Response
from rivet_runner.websocket import WebSocket

__all__ = ["Runner", "RunnerSource", "make_runner"]

RunnerT = TypeVar("RunnerT", bound="Runner")
RunnerT_co = TypeVar("RunnerT_co", bound="Runner", covariant=True)

_HOOKS: Final = (
    "on_actor_start",
    "on_actor_stop",
    "on_alarm",
    "fetch",
    "websocket",
    "can_hibernate",
    "on_connected",
    "on_disconnected",
    "on_shutdown",
)

_NO_ACTORS: Final[Mapping[str, Actor]] = MappingProxyType({})


class Runner:
    """Hosts actors for a Rivet Engine. Subclass it and override the hooks that you need.

    ``Counter(runner_name="counter").run()`` is a whole program. In a program that has an event loop already, use
    ``async with Counter(...) as runner`` or `start`, `wait_closed` and `shutdown`.

    The options are the fields of `RunnerConfig`. Given both, they replace the fields of ``config``. An unknown option is a
    `TypeError`, a value that cannot be used a `ValueError`, and both name it. A runner is used once: from its `start` to its
    end, on one event loop.

    Hooks run in the actor's own tasks. A slow one delays its own actor at most, and one that raises never takes the runner
    down: its traceback goes to the loggers under ``rivet_runner``.

    A subclass is checked when it is made. A hook of the wrong kind or with the wrong parameters is a `TypeError`. A method
    with nearly the name of a hook gives a `UserWarning`.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_hooks(cls, Runner, _HOOKS)

    def __init__(self, config: RunnerConfig | None = None, /, **options: Unpack[RunnerOptions]) -> None:
        if config is None:
            self.__config = RunnerConfig.from_env(**options)
        elif isinstance(config, RunnerConfig):
            self.__config = config.replace(**options) if options else config
        else:
            raise TypeError(f"config must be a RunnerConfig, not {type(config).__name__}")
        self.__lifecycle = Lifecycle()
        self.__core: Core | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_Runner__"):
                raise RuntimeError(f"{type(self).__name__}.__init__ must call super().__init__() with the runner's options")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        config = self.__config
        return f"<{type(self).__name__} {config.runner_name!r} at {config.endpoint}, {self.__lifecycle.state.value}>"

    # Hooks

    async def on_actor_start(self, actor: Actor) -> None:
        """An actor starts here. It gets no request or WebSocket before this has returned.

        Raising reports the actor as crashed, with the error's text. `on_actor_stop` is not called then.
        """

    async def on_actor_stop(self, actor: Actor) -> None:
        """An actor is about to end here: it sleeps, is destroyed, moves, is lost, or the runner shuts down. Called once.

        Its WebSockets and its KV still work, unless the engine has been lost. It is cancelled after ``actor_stop_timeout``.
        """

    async def on_alarm(self, actor: Actor, alarm: Alarm) -> None:
        """The time has come that was given to `Actor.set_alarm`. Called at least once for each alarm, and one at a time.

        An actor that was asleep is woken and started first. If you set no other alarm here, there is none afterwards.

        If this raises, it is called again after 2, 4, 8 … s, ``alarm_retries`` times, also across sleep. A call that is cut
        off, because the actor stops or the process ends, is made again in the actor's next generation. So a call may have
        been made before, up to its last line: ``alarm.scheduled_at`` tells which alarm it is.

        The actor does not fall asleep for being idle meanwhile. A stop waits for it, and cancels it after
        ``actor_stop_timeout``.
        """

    async def fetch(self, actor: Actor, request: Request) -> Response:
        """Answer an HTTP request. Raising answers 500 without details, and logs them. The default answers 404.

        Requests of one actor run side by side. An exchange without an answer when the actor stops is cancelled after
        ``actor_stop_timeout`` and answered with 503.
        """
        return Response("not found", status=404)

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        """Serve a WebSocket. Called again, with ``ws.restored``, when it comes back from hibernation.

        Returning closes it with 1000, raising with 1011. The default returns at once.
        """

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        """Whether the WebSocket that ``request`` opens outlives the actor's sleep. The default says no."""
        return False

    async def on_connected(self) -> None:
        """The engine has accepted this runner. Called again after each reconnect."""

    async def on_disconnected(self, code: int, reason: str) -> None:
        """The connection of the last `on_connected` is gone. ``code`` is 1006 if there was no close frame."""

    async def on_shutdown(self) -> None:
        """The runner is going down: actors and connection are gone. Called once, and cancelled after 10 s."""

    # Properties

    @property
    def config(self) -> RunnerConfig:
        """The configuration with everything filled in."""
        return self.__config

    @property
    def runner_id(self) -> str | None:
        """The id that the engine gave this runner, or ``None`` before the first connection."""
        return None if self.__core is None else self.__core.session.runner_id

    @property
    def connected(self) -> bool:
        """Whether there is a connection on which the engine has accepted this runner."""
        return self.__core is not None and self.__core.session.connected

    @property
    def health_port(self) -> int | None:
        """The port of ``/healthz``, ``/readyz`` and ``/metrics``, or ``None`` while they are not served."""
        return None if self.__core is None else self.__core.monitor.port

    @property
    def actors(self) -> Mapping[str, Actor]:
        """The actors that are here now, by id: a live, read-only view."""
        return _NO_ACTORS if self.__core is None else self.__core.registry.actors

    def get_actor(self, actor_id: str, generation: int | None = None) -> Actor | None:
        """The actor with this id, if it is here, and of this generation if you give one."""
        actor = self.actors.get(actor_id)
        if actor is None or (generation is not None and actor.generation != generation):
            return None
        return actor

    # Its life

    async def start(self) -> None:
        """Connect, and return once the engine has accepted this runner.

        If the engine cannot be reached, or refuses the connection for a while, the runner tries again. Raises `TimeoutError`
        after ``start_timeout`` seconds, `EngineRejected` if trying again cannot help, `RunnerShutDown` if you shut the
        runner down meanwhile, and `OSError` if ``health_port`` is taken. After any of these, and after a cancellation, the
        runner is down and leaves nothing behind.
        """
        self.__lifecycle.move(LifecycleEvent.START)
        core = self.__core = Core(
            self,
            self.__config,
            self.__lifecycle,
            own_hooks={name for name in _HOOKS if getattr(type(self), name) is not getattr(Runner, name)},
            environment=environment.get(),
        )
        try:
            core.begin()
            async with asyncio.timeout(self.__config.start_timeout):
                await asyncio.shield(core.first_init)
        except TimeoutError:
            await core.shutdown.end_at_once()
            raise TimeoutError(
                f"the engine at {self.__config.endpoint} did not accept this runner within "
                f"{self.__config.start_timeout:g} s; is it running, and is `endpoint` (RIVET_ENDPOINT) right?"
            ) from None
        except BaseException:
            await core.shutdown.end_at_once()
            raise

    async def shutdown(self, immediate: bool = False) -> None:
        """Take the runner down, and return when it is down.

        The engine is asked to stop the actors, and each finishes its work. After ``stop_timeout`` seconds, or at once if the
        engine is unreachable, the rest are stopped here. ``immediate`` takes about a second: it does not wait for requests,
        WebSockets or ``actor_stop_timeout``. `on_actor_stop` still runs.

        You may call it many times and from anywhere, also to hurry a shutdown that is under way. If you call it from one of
        this runner's own hooks or tasks it returns at once, since the shutdown waits for those. Cancelling stops the
        waiting, not the shutdown.
        """
        core = self.__core
        if core is None:
            self.__lifecycle.move(LifecycleEvent.SHUT_DOWN)
            return
        core.shutdown.begin(immediate=immediate)
        if not core.owns_current_task():
            await asyncio.shield(core.shutdown.closed)

    async def wait_closed(self) -> None:
        """Return when the runner is down. Raise the error that took it down, if that was not a shutdown of yours.

        Raises `RunnerEvicted` or `EngineRejected`. Raises `RuntimeError` if the runner was not started yet. Returns at
        once if it was shut down before it was started. Cancelling is safe.
        """
        core = self.__core
        if core is None:
            if not self.__lifecycle.closed:
                raise RuntimeError("the runner has not been started: await start() first, or call run()")
            return
        await asyncio.shield(core.shutdown.closed)
        if core.shutdown.error is not None:
            raise core.shutdown.error

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.shutdown()

    def run(self) -> None:
        """Start, and return when the runner is down: the blocking form, for a program that does nothing else.

        SIGINT and SIGTERM shut down gracefully. A second one does so immediately, and the process ends with a non-zero
        status. The handlers are put back afterwards. Uses uvloop if it is installed. Raises the errors of `start`
        and `wait_closed`.
        """
        run_until_down(self)


class RunnerSource(Protocol[RunnerT_co]):
    """Makes runners: for a description of a program that is no class of runners itself.

    Everything that takes a class of runners and makes it with options takes such an object too: the engines of
    `rivet_runner.testing`, `rivet_runner.serverless.serverless_app` and the command.
    """

    def runner(self, **options: Any) -> RunnerT_co:
        """Return a new runner that was not started. ``options`` are the runner's, and replace those of the program."""
        ...


def make_runner(
    source: type[RunnerT] | RunnerSource[RunnerT],
    options: Mapping[str, Any],
    *,
    of_class: Mapping[str, Any] = MappingProxyType({}),
) -> RunnerT:
    """Return a new runner of ``source`` with ``options``.

    A class takes ``of_class`` too, beneath ``options``. Any other source may have such options of its own, which win.
    """
    if isinstance(source, type):
        return source(**{**of_class, **options})
    return source.runner(**options)
