"""One ``/start`` request and its runner."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from typing import Final

from rivet_runner._asgi_types import Message, Receive, Scope, Send
from rivet_runner._session.dialects import serverless_packet
from rivet_runner._tasks import TaskGroup
from rivet_runner.errors import EngineRejected, RunnerEvicted, RunnerShutDown
from rivet_runner.runner import Runner
from rivet_runner.serverless.asgi import answer_error

__all__ = ["HostedRunner"]

log: Final = logging.getLogger("rivet_runner.serverless")

PING_SECONDS: Final = 1.0

SEND_SECONDS: Final = 10.0
"""An engine that reads nothing for so long is gone, even if its socket is still open."""

SETTLE_SECONDS: Final = 0.1
"""If the engine crashes, the runner's own connection ends a moment before or after the request."""

ENGINE_BACK_SECONDS: Final = 60.0
"""A crashed engine that restarts accepts its old runners after 30 s."""

PING: Final = b"event: ping\ndata:\n\n"

STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # else proxies buffer the events
]


class HostedRunner:
    """Starts a runner, tells the engine its id, and shuts it down when the request or the server ends.

    ::

        start the runner ── failed ──► an error status
              │ started
        init packet, then a ping each second ◄─┐
              │ the engine closed the request, │ or the server stops: the runner drains; pings go on
              ▼ the runner is down ────────────┘
        the stream ends
    """

    def __init__(self, runner: Runner, scope: Scope, receive: Receive, send: Send, tasks: TaskGroup) -> None:
        self.runner = runner
        self._scope, self._receive, self._raw_send = scope, receive, send
        self._tasks = tasks
        self._gone = False
        self._stopping = False
        self._starting: asyncio.Task[None] | None = None
        self.ended: asyncio.Event = asyncio.Event()
        """Set once the runner is down."""

    async def serve(self) -> None:
        """Answer the request. Cancelling shuts the runner down immediately and ends when it is down."""
        watch = self._tasks.spawn(self._watch_request(), name="serverless request")
        try:
            if await self._start():
                await self._stream()
        except asyncio.CancelledError:
            await self._cancelled()
            raise
        finally:
            watch.cancel()
            self.ended.set()

    def stop(self, *, immediate: bool = False) -> None:
        """Shut the runner down, gracefully unless ``immediate``. Another call can only hurry the shutdown."""
        self._stopping = True
        if self._starting is None or self._starting.cancel():
            return  # a cancelled start shuts the runner down
        self._tasks.spawn(self.runner.shutdown(immediate), name="serverless shutdown")

    async def _watch_request(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._request_ended("the engine has closed the request")

    def _request_ended(self, why: str) -> None:
        if not self._gone:
            self._gone = True
            self._tasks.spawn(self._leave(why), name="serverless leave")

    async def _leave(self, why: str) -> None:
        """Drain, once the engine is there to drain to.

        The request also ends if the engine crashes. After a restart the engine would need 15 s to find out that the
        actors are gone, so the runner waits for it and tells it. Meanwhile the runner stops its actors, as every
        runner does when it loses its engine.
        """
        if self._stopping:
            return
        log.info("%s of runner %s", why, self.runner.runner_id)
        if self._starting is not None and self._starting.done():
            await self._wait_for_engine()
        self.stop()

    async def _wait_for_engine(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ENGINE_BACK_SECONDS
        await asyncio.sleep(SETTLE_SECONDS)
        # Polling, because the runner offers nothing to wait for: its hooks belong to the user.
        while not self._decided() and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(SETTLE_SECONDS)

    def _decided(self) -> bool:
        return self.runner.connected or self._stopping or self.ended.is_set()

    # Starting

    async def _start(self) -> bool:
        """Start the runner, or answer with the error. Returns whether it has started."""
        if self._stopping:
            await self._refuse(503, "stopping", "the server is stopping")
            return False
        self._starting = self._tasks.spawn(self.runner.start(), name="serverless start", on_error=lambda _: None)
        await asyncio.wait([self._starting])
        if self._starting.cancelled():
            await self._refuse(503, "stopping", "the server is stopping")
            return False
        error = self._starting.exception()
        if error is None:
            return True
        await self._start_failed(error)
        return False

    async def _start_failed(self, error: BaseException) -> None:
        if isinstance(error, RunnerShutDown):
            await self._refuse(503, "stopping", "the runner was shut down during its start")
        elif isinstance(error, TimeoutError):
            log.error("a serverless runner did not start: %s", error)
            await self._refuse(503, "engine_unreachable", str(error))
        elif isinstance(error, EngineRejected):
            log.error("a serverless runner did not start: %s", error)
            await self._refuse(502, "engine_rejected", str(error))
        else:
            log.error("a serverless runner did not start", exc_info=error)
            await self._refuse(500, "start_failed", "the runner failed to start; see its log")

    async def _refuse(self, status: int, code: str, message: str) -> None:
        await answer_error(self._send, self._scope, status, code, message)

    # Running

    async def _stream(self) -> None:
        closed = self._tasks.spawn(self.runner.wait_closed(), name="serverless wait", on_error=self._taken_down)
        await self._send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        await self._send_event(b"data: " + init_packet(self.runner) + b"\n\n")
        while not closed.done():
            await asyncio.wait([closed], timeout=PING_SECONDS)
            if not closed.done():
                await self._send_event(PING)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _taken_down(self, error: BaseException) -> None:
        if isinstance(error, RunnerEvicted):
            log.info("the engine has evicted runner %s", self.runner.runner_id)
        else:
            log.error("runner %s went down", self.runner.runner_id, exc_info=error)

    async def _send_event(self, event: bytes) -> None:
        await self._send({"type": "http.response.body", "body": event, "more_body": True})

    async def _send(self, message: Message) -> None:
        """Send, unless the request has ended."""
        if self._gone:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._raw_send(message)
        except (OSError, TimeoutError) as error:
            self._request_ended(f"the engine does not read the response ({error!r})")

    async def _cancelled(self) -> None:
        """The server has stopped waiting. A second cancellation leaves the rest to the runner's own shutdown."""
        self._gone = True
        if self._starting is not None:
            self.stop(immediate=True)
            with contextlib.suppress(Exception):
                await asyncio.wait([self._starting])
                await self.runner.wait_closed()


def init_packet(runner: Runner) -> bytes:
    """Return the data of the first event, which tells the engine the id of the runner."""
    assert runner.runner_id is not None
    return base64.b64encode(serverless_packet(runner.config.protocol, runner.runner_id))
