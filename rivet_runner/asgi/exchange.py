"""One HTTP request, from the application's point of view.

::

    the request ──► WAITING ── the last piece of the body ──► ANSWERED ── the application returns ──► done
                       │
                       ├── the client or the time of its actor is gone ──► GONE ── it returns, or is cancelled ──► done
                       └── the response does not end ────────────────────► GONE

The application runs in a task of its actor, because it may go on after its response: that is how frameworks run background
tasks. `receive` gives ``http.disconnect`` in both later states. `send` raises `ClientDisconnected` in ``GONE``.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from rivet_runner._asgi_types import AsgiApp, Message, Scope
from rivet_runner._tasks import is_being_cancelled
from rivet_runner.actor import Actor
from rivet_runner.asgi.errors import ClientDisconnected, comes_of_disconnect
from rivet_runner.http import Request, Response

__all__ = ["MAX_BODY", "RESPONSE_SECONDS", "exchange", "finish_background", "going_on"]

MAX_BODY: Final = 20 * 1024 * 1024
"""Bytes of a response. The engine forwards no larger one."""

RESPONSE_SECONDS: Final = 30.0
"""From the start of a response to its end. The gateway repeats a request that has no answer after 300 s."""

DISCONNECT_SECONDS: Final = 5.0
"""For an application that was told of a disconnect to return. Then it is cancelled."""

MAX_BACKGROUND: Final = 1024
"""Applications of one actor that go on after their response. Any further response waits for the end of its application."""

PIECES_A_TURN: Final = 64
"""Pieces of a body that are taken before other tasks have a turn. The pieces of a generator may come without a pause."""

_FAILED: Final = "internal error"
_TOO_LONG: Final = "the response did not end, and the engine forwards only whole responses"
_TOO_LARGE: Final = "the response is too large"

going_on: Final[dict[tuple[str, int], set[asyncio.Task[Any]]]] = {}
"""The applications that go on after their response, by actor and generation."""


async def exchange(
    app: AsgiApp, actor: Actor, request: Request, scope: Scope, *, max_body: int, response_timeout: float
) -> Response:
    """Let ``app`` answer ``request``, and return its response once it is whole.

    An application that raises, or returns without a response, is logged and gives a 500. Raises `RunnerShutDown` if the
    actor has stopped. Cancelling tells the application of a disconnect, and cancels it if it takes no notice.
    """
    current = _Exchange(actor, request, max_body, response_timeout)
    current.task = actor.spawn(current.run(app, scope))
    try:
        return await current.response
    except asyncio.CancelledError:
        current.leave()
        raise


async def finish_background(actor: Actor) -> None:
    """Wait for the applications of ``actor`` that go on after their response. Cancelling stops the waiting alone."""
    tasks = going_on.get((actor.id, actor.generation))
    if tasks:
        await asyncio.wait([*tasks])


class _Exchange:
    __slots__ = (
        "_actor",
        "_body",
        "_deadline",
        "_gone",
        "_key",
        "_max_body",
        "_over",
        "_pieces",
        "_request",
        "_request_taken",
        "_start",
        "_timeout",
        "_whole",
        "response",
        "task",
    )

    def __init__(self, actor: Actor, request: Request, max_body: int, response_timeout: float) -> None:
        self._actor = actor
        self._request = request
        self._max_body = max_body
        self._timeout = response_timeout
        self._key = (actor.id, actor.generation)
        self._request_taken = False
        self._start: tuple[int, list[tuple[str, str]]] | None = None
        self._body: bytes | bytearray = b""
        self._pieces = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._over: asyncio.Event | None = None
        self._whole: Response | None = None
        self._gone = False
        self.task: asyncio.Task[Any] | None = None
        self.response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    # Its life

    async def run(self, app: AsgiApp, scope: Scope) -> None:
        """Call the application. The response is there when this ends, if not before."""
        try:
            await app(scope, self._receive, self._send)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                raise
            self._log_error(error)
        else:
            if self._whole is None and not self._gone:
                self._log("the application returned without a response to %s %s; the client gets a 500")
        finally:
            self._returned()

    def leave(self) -> None:
        """Nothing waits for the response any more."""
        if not self._gone and self._whole is None:
            self._gone = True
            self._end()
            assert self.task is not None
            if not self.task.done():
                self._deadline = self.task.get_loop().call_later(DISCONNECT_SECONDS, self.task.cancel)

    def _give_up(self, text: str, reason: str, *details: object) -> None:
        """Answer in place of the application, and treat the client as gone."""
        self._log(
            f"the response to %s %s {reason}; the engine forwards only whole responses: the client gets a 500", *details
        )
        self._answer(Response(text, status=500))
        self.leave()

    def _timed_out(self) -> None:
        self._give_up(_TOO_LONG, "did not end within %g s (response_timeout)", self._timeout)

    def _end(self) -> None:
        """The response is over: a waiting `_receive` goes on, and time does not matter any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._over is not None:
            self._over.set()

    def _complete(self, response: Response) -> None:
        """The application has sent all of its response."""
        self._whole = response
        self._end()
        outliving = going_on.setdefault(self._key, set())
        if len(outliving) < MAX_BACKGROUND:
            assert self.task is not None
            outliving.add(self.task)
            self._answer(response)

    def _returned(self) -> None:
        self._end()
        outliving = going_on.get(self._key)
        if outliving is not None:
            assert self.task is not None
            outliving.discard(self.task)
            if not outliving:
                del going_on[self._key]
        self._answer(self._whole or Response(_FAILED, status=500))

    def _answer(self, response: Response) -> None:
        if not self.response.done():
            self.response.set_result(response)

    # What the application calls

    async def _receive(self) -> Message:
        if not self._request_taken:
            self._request_taken = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        if not self._gone and self._whole is None:
            if self._over is None:
                self._over = asyncio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone:
            raise ClientDisconnected(f"{self._request.method} {self._request.path}: nothing waits for the response any more")
        kind = message["type"]
        if kind == "http.response.start" and self._start is None:
            self._begin(message)
        elif kind == "http.response.body" and self._start is not None and self._whole is None:
            await self._take(message.get("body", b""), more=message.get("more_body", False))
        else:
            expected = "nothing" if self._whole else "http.response.body" if self._start else "http.response.start"
            raise RuntimeError(f"the application sent the ASGI message {kind!r} where {expected} was expected")

    def _begin(self, message: Message) -> None:
        headers = [(_text(name), _text(value)) for name, value in message.get("headers", ())]
        self._start = (message["status"], headers)
        self._deadline = self.response.get_loop().call_later(self._timeout, self._timed_out)

    async def _take(self, piece: bytes, *, more: bool) -> None:
        size = len(self._body) + len(piece)
        if size > self._max_body:
            self._give_up(_TOO_LARGE, "has more than %d bytes (max_payload)", self._max_body)
            raise ClientDisconnected(f"the response has more than {self._max_body} bytes")
        if not self._body:
            self._body = bytes(piece)
        elif piece:
            if not isinstance(self._body, bytearray):
                self._body = bytearray(self._body)
            self._body += piece
        if not more:
            assert self._start is not None
            self._complete(Response(bytes(self._body), *self._start))
            return
        self._pieces += 1
        if self._pieces % PIECES_A_TURN == 0:
            await asyncio.sleep(0)

    # The log

    def _log_error(self, error: BaseException) -> None:
        if self._gone and comes_of_disconnect(error):
            return
        answered = "after its response to %s %s" if self._whole else "on %s %s; the client gets a 500"
        self._log(f"the application raised {answered}", error=error)

    def _log(self, text: str, *details: object, error: BaseException | None = None) -> None:
        self._actor.log.error(text, self._request.method, self._request.path, *details, exc_info=error)


def _text(value: bytes) -> str:
    """Return a header's name or value as text: the wire carries UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
