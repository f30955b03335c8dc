"""The lifespan of an application: what it sets up before its first request, and takes down after its last.

::

    startup() ──► the application starts up ──► it waits ──► shutdown() ──► it shuts down, and returns
                      │
                      ├── lifespan.startup.failed: `LifespanFailed`
                      └── it raises or returns: it takes no lifespan events, which is no error

A lifespan is one call of the application, in a task of its own. `enter` and `leave` share it among the runners of a process.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import Any, Final

from rivet_runner._asgi_types import AsgiApp, Message
from rivet_runner._tasks import TaskGroup, is_being_cancelled
from rivet_runner.asgi.errors import LifespanFailed

__all__ = ["Lifespan", "enter", "leave"]

log: Final = logging.getLogger("rivet_runner.asgi")

SPEC_VERSION: Final = "2.0"
"""Of the lifespan messages, which have a version of their own."""

CANCEL_SECONDS: Final = 1.0
"""For a cancelled application to clean up."""


class Lifespan:
    """One lifespan of ``app``. ``state`` has what the application stores for its requests."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failed = False
        self._tasks = TaskGroup("asgi lifespan", log)
        self.state: dict[str, Any] = {}

    async def startup(self) -> None:
        """Return once the application has started up, or has shown that it takes no lifespan events.

        Raises `LifespanFailed`. Cancelling cancels the application.
        """
        self._inbox.put_nowait({"type": "lifespan.startup"})
        self._tasks.spawn(self._run(), name="asgi lifespan")
        try:
            await self._started
        except BaseException:
            await self._tasks.cancel_all(CANCEL_SECONDS)
            raise

    async def shutdown(self) -> None:
        """Return once the application has shut down. Cancelling cancels it."""
        self._inbox.put_nowait({"type": "lifespan.shutdown"})
        try:
            await self._tasks.wait_idle()
        finally:
            await self._tasks.cancel_all(CANCEL_SECONDS)

    async def _run(self) -> None:
        asgi = {"version": "3.0", "spec_version": SPEC_VERSION}
        try:
            await self._app({"type": "lifespan", "asgi": asgi, "state": self.state}, self._inbox.get, self._send)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                raise
            if not self._started.done():
                log.info("the application takes no lifespan events: %r", error)
            elif not self._failed:  # a framework raises the error of which it has told
                log.error("the lifespan of the application raised", exc_info=error)
        finally:
            if not self._started.done():
                self._started.set_result(None)

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not self._started.done():
            self._started.set_result(None)
        elif kind == "lifespan.startup.failed" and not self._started.done():
            self._failed = True
            told = message.get("message", "")
            log.error("the application failed to start up: %s", told)
            self._started.set_exception(LifespanFailed(f"the application failed to start up: {_last_line(told)}"))
        elif kind == "lifespan.shutdown.failed":
            self._failed = True
            log.error("the application failed to shut down: %s", message.get("message", ""))
        elif kind != "lifespan.shutdown.complete":
            raise RuntimeError(f"the application sent the ASGI message {kind!r} where none was expected")


class _Shared:
    """The lifespan of an application that runners of this process serve. ``runners`` counts them."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app
        self.lock = asyncio.Lock()
        self.lifespan: Lifespan | None = None
        self.runners = 0


_shared: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Shared]]] = weakref.WeakKeyDictionary()
"""By event loop and by the application's identity, because an application need not have a hash."""


async def enter(app: AsgiApp) -> Lifespan:
    """Return the lifespan of ``app``, started up. The first runner starts it. Each `enter` needs a `leave`.

    Raises `LifespanFailed`. After an error or a cancellation there is nothing to leave.
    """
    by_app = _shared.setdefault(asyncio.get_running_loop(), {})
    shared = by_app.setdefault(id(app), _Shared(app))
    shared.runners += 1
    try:
        async with shared.lock:
            if shared.lifespan is None:
                lifespan = Lifespan(app)
                await lifespan.startup()
                shared.lifespan = lifespan
            return shared.lifespan
    except BaseException:
        shared.runners -= 1
        _forget_unused(by_app, shared)
        raise


async def leave(app: AsgiApp) -> None:
    """One runner less serves ``app``. The last one shuts it down. Cancelling cancels the application."""
    by_app = _shared[asyncio.get_running_loop()]
    shared = by_app[id(app)]
    shared.runners -= 1
    try:
        async with shared.lock:
            if shared.runners == 0 and shared.lifespan is not None:
                lifespan, shared.lifespan = shared.lifespan, None
                await lifespan.shutdown()
    finally:
        _forget_unused(by_app, shared)


def _forget_unused(by_app: dict[int, _Shared], shared: _Shared) -> None:
    """Forget an application that nothing serves, unless it is still shutting down."""
    if shared.runners == 0 and not shared.lock.locked():
        by_app.pop(id(shared.app), None)


def _last_line(text: str) -> str:
    """The error of a traceback, which is what frameworks send as a message."""
    return text.strip().rpartition("\n")[2]
