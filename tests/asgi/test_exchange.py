"""One HTTP request and the application that answers it, whatever becomes of either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rivet_runner._asgi_types import Message, Receive, Scope, Send
from rivet_runner.asgi import ClientDisconnected
from rivet_runner.asgi.exchange import DISCONNECT_SECONDS, MAX_BACKGROUND, MAX_BODY, RESPONSE_SECONDS, going_on
from tests.asgi.support import answer, get, responding, start
from tests.support.scene import settle
from tests.support.virtual_time import virtual_time

INTERNAL_ERROR = (500, b"internal error")


def piece(body: bytes | bytearray, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


@virtual_time
async def test_application_gets_the_whole_body_when_there_is_one() -> None:
    received: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.append(await receive())
        await answer(send, b"thanks", 201)
        received.append(await receive())

    async with responding(app) as (_, connection):
        response = await connection.request(method="POST", body=b"a body").response()
        assert (response.status, response.body) == (201, b"thanks")
        await settle()
        assert received == [{"type": "http.request", "body": b"a body", "more_body": False}, {"type": "http.disconnect"}]


@virtual_time
async def test_pieces_are_gathered_when_a_response_comes_in_pieces() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        own = bytearray(b"one ")
        await send(
            start(200, [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-length", b"7"), (b"x-l", b"\xe9")])
        )
        await send(piece(own))
        await send(piece(b"two "))
        await asyncio.sleep(RESPONSE_SECONDS - 1)
        await send(piece(b""))
        await send({"type": "http.response.body", "body": b"three"})
        assert own == b"one ", "the application's own buffer is left alone"

    async with responding(app) as (_, connection):
        response = await connection.request().response(timeout=60)
        assert response.body == b"one two three"
        values = sorted((name.lower(), value) for name, value in response.headers.items())
        assert values == [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-l", "é")]


@virtual_time
async def test_client_is_answered_at_once_when_the_application_goes_on_after_its_response() -> None:
    done: list[float] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"ok")
        await asyncio.sleep(60)
        done.append(asyncio.get_running_loop().time())

    async with responding(app) as (current, connection):
        assert await get(connection) == (200, b"ok")
        assert current.now < 1
        assert len(going_on) == 1
        await asyncio.sleep(61)
        assert len(done) == 1
        assert going_on == {}


class TestFailures:
    @virtual_time
    async def test_client_gets_a_500_without_details_when_the_application_raises(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"].endswith("/late"):
                await send(start())
                await send(piece(b"half of a secr"))
            elif scope["path"].endswith("/cancelled"):
                task = asyncio.ensure_future(asyncio.sleep(1))
                task.cancel()
                await task
            raise LookupError("secret")

        async with responding(app) as (current, connection):
            for path in ("/", "/late", "/cancelled"):
                assert await get(connection, path) == INTERNAL_ERROR
                current.expect_error(f"the application raised on GET {path}; the client gets a 500")

    @virtual_time
    async def test_error_is_logged_and_the_response_stays_when_the_application_raises_after_it(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answer(send, b"ok")
            raise LookupError("in a background task")

        async with responding(app) as (current, connection):
            assert await get(connection, "/x") == (200, b"ok")
            await settle()
            current.expect_error("the application raised after its response to GET /x")

    @virtual_time
    async def test_client_gets_a_500_when_the_application_returns_without_a_response(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"].endswith("/half"):
                await send(start())
                await send(piece(b"half"))

        async with responding(app) as (current, connection):
            for path in ("/", "/half"):
                assert await get(connection, path) == INTERNAL_ERROR
                current.expect_error(f"the application returned without a response to GET {path}")

    @pytest.mark.parametrize(
        ("messages", "error"),
        [
            ([piece(b"x", more=False)], "'http.response.body' where http.response.start was expected"),
            ([start(), start()], "'http.response.start' where http.response.body was expected"),
            ([start(), piece(b"x", more=False), piece(b"y")], "'http.response.body' where nothing was expected"),
            ([{"type": "websocket.send"}], "'websocket.send' where http.response.start was expected"),
            ([start(100), piece(b"", more=False)], "status must be from 200 to 999"),
            ([start(200, [(b"x y", b"1")]), piece(b"", more=False)], "header name 'x y'"),
            ([start(200, [(b"x", b"1\r\ny: 2")]), piece(b"", more=False)], "must not have control characters"),
        ],
    )
    def test_application_is_told_when_it_breaks_the_rules(self, messages: list[Message], error: str) -> None:
        told: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                for message in messages:
                    await send(message)
            except (RuntimeError, ValueError) as caught:
                told.append(str(caught))

        @virtual_time
        async def test() -> None:
            async with responding(app) as (current, connection):
                status, body = await get(connection)
                await settle()
                assert error in told[0]
                if status == 500:
                    assert body == b"internal error"
                    current.expect_error("returned without a response")

        test()


class Endless:
    """Sends ``size`` bytes and then pauses, for ever. Notes how that ends."""

    def __init__(self, size: int, pause: Callable[[], Coroutine[Any, Any, Any]] | None) -> None:
        self.size, self.pause = size, pause
        self.ends: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [(b"content-type", b"text/event-stream")]))
        try:
            while True:
                await send(piece(b"x" * self.size))
                if self.pause is not None:
                    await self.pause()
        except BaseException as error:
            self.ends.append(type(error).__name__)
            if isinstance(error, ClientDisconnected):
                self.ends.append((await receive())["type"])
                self.ends.append((await receive())["type"])
            raise


TOO_LONG = (500, b"the response did not end, and the engine forwards only whole responses")


class TestEndlessResponses:
    @virtual_time
    async def test_client_gets_a_500_when_the_pieces_do_not_end_in_time(self) -> None:
        app = Endless(1, lambda: asyncio.sleep(1))
        async with responding(app) as (current, connection):
            assert await get(connection, "/events") == TOO_LONG
            assert current.now == pytest.approx(RESPONSE_SECONDS, abs=0.1)
            await asyncio.sleep(2)
            assert app.ends == ["ClientDisconnected", "http.request", "http.disconnect"]
            current.expect_error("the response to GET /events did not end within 30 s (response_timeout)")

    @virtual_time
    async def test_application_is_cancelled_when_it_waits_for_ever_within_its_response(self) -> None:
        app = Endless(1, lambda: asyncio.Event().wait())
        async with responding(app, timeout=7) as (current, connection):
            assert await get(connection) == TOO_LONG
            assert current.now == pytest.approx(7, abs=0.1)
            await asyncio.sleep(DISCONNECT_SECONDS - 1)
            assert app.ends == []
            await asyncio.sleep(2)
            assert app.ends == ["CancelledError"]
            current.expect_error("did not end within 7 s")

    @virtual_time
    async def test_client_gets_a_500_when_the_body_is_larger_than_any_that_can_be_sent(self) -> None:
        app = Endless(1024 * 1024, None)
        async with responding(app) as (current, connection):
            assert await get(connection) == (500, b"the response is too large")
            await settle()
            assert app.ends[0] == "ClientDisconnected"
            current.expect_error(f"has more than {MAX_BODY} bytes")

    @virtual_time
    async def test_other_requests_are_answered_when_the_pieces_come_without_a_pause(self) -> None:
        sent = 0

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal sent
            await send(start())
            if scope["path"].endswith("/quick"):
                await send(piece(b"%d" % sent, more=False))
                return
            for _ in range(100_000):
                sent += 1
                await send(piece(b"x"))
            await send(piece(b"", more=False))

        async with responding(app) as (_, connection):
            slow, quick = connection.request(path="/slow"), connection.request(path="/quick")
            response = await quick.response()
            assert int(response.body or b"") < 100_000
            assert len((await slow.response()).body or b"") == 100_000


class TestDisconnects:
    @virtual_time
    async def test_application_is_told_and_may_clean_up_when_its_client_aborts(self) -> None:
        notes: list[object] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            notes.append((await receive())["type"])
            await asyncio.sleep(DISCONNECT_SECONDS - 1)
            try:
                await send(start())
            except OSError as error:
                notes.append(type(error))
                raise RuntimeError("a framework's error for it") from None

        async with responding(app) as (_, connection):
            request = connection.request()
            await settle()
            request.abort()
            await asyncio.sleep(DISCONNECT_SECONDS + 1)
            assert notes == ["http.disconnect", ClientDisconnected]

    @virtual_time
    async def test_application_is_cancelled_when_it_takes_no_notice_of_a_disconnect(self) -> None:
        cancelled: list[float] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(current.now)

        async with responding(app) as (current, connection):
            request = connection.request()
            await settle()
            request.abort()
            await asyncio.sleep(60)
            assert cancelled == [pytest.approx(DISCONNECT_SECONDS, abs=0.1)]

    @virtual_time
    async def test_error_of_its_own_is_logged_when_the_application_raises_it_after_a_disconnect(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await receive()
            raise LookupError("a defect")

        async with responding(app) as (current, connection):
            request = connection.request()
            await settle()
            request.abort()
            await settle()
            current.expect_error("the application raised on GET /")

    @virtual_time
    async def test_request_gets_a_503_when_its_actor_stops_without_an_end_of_the_application(self) -> None:
        notes: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            try:
                notes.append((await receive())["type"])
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                notes.append("cancelled")
                raise

        async with responding(app, actor_stop_timeout=3) as (_, connection):
            request = connection.request()
            await settle()
            connection.stop_actor()
            assert (await request.response()).status == 503
            await connection.stopped("a1")
            assert notes == ["http.disconnect", "cancelled"]


@virtual_time
async def test_response_waits_for_its_application_when_too_many_go_on() -> None:
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"ok")
        await go_on.wait()

    async with responding(app) as (_, connection):
        for _ in range(MAX_BACKGROUND):
            request = connection.request()
        assert (await request.response()).status == 200
        one_more = connection.request()
        with pytest.raises(TimeoutError):
            await one_more.response(timeout=5)
        go_on.set()
        assert (await one_more.response()).status == 200
