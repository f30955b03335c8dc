"""The lifespan of an application, and of one that several runners share."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rivet_runner._asgi_types import Receive, Scope, Send
from rivet_runner.asgi import LifespanFailed
from rivet_runner.asgi.lifespan import Lifespan, enter, leave
from tests.asgi.support import LifespanApp, hello
from tests.support.scene import settle
from tests.support.virtual_time import virtual_time


@virtual_time
async def test_application_starts_up_and_shuts_down_once_when_all_is_well() -> None:
    app = LifespanApp()
    lifespan = Lifespan(app)
    await lifespan.startup()
    assert (app.notes, lifespan.state) == (["app startup"], {"set up": "yes"})
    await lifespan.shutdown()
    assert app.notes == ["app startup", "app shutdown"]


@pytest.mark.parametrize("returns", [True, False])
def test_it_is_no_error_when_an_application_takes_no_lifespan_events(
    returns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def returning(scope: Scope, receive: Receive, send: Send) -> None:
        return

    @virtual_time
    async def test() -> None:
        lifespan = Lifespan(returning if returns else hello)
        await lifespan.startup()
        await lifespan.shutdown()

    with caplog.at_level(logging.INFO, "rivet_runner.asgi"):
        test()
    assert [record.levelname for record in caplog.records] == ([] if returns else ["INFO"])


@virtual_time
async def test_startup_raises_the_last_line_when_the_application_tells_of_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = LifespanApp()
    app.failure = "Traceback:\n  somewhere\nOSError: no database\n"
    with pytest.raises(LifespanFailed, match=r"^the application failed to start up: OSError: no database$"):
        await Lifespan(app).startup()
    await settle()
    assert [record.getMessage() for record in caplog.records] == [
        f"the application failed to start up: {app.failure}",
    ]


@virtual_time
async def test_failure_is_logged_when_the_application_does_not_shut_down_well(caplog: pytest.LogCaptureFixture) -> None:
    app = LifespanApp()
    app.unclean = "it hurts"
    lifespan = Lifespan(app)
    await lifespan.startup()
    await lifespan.shutdown()
    assert [record.getMessage() for record in caplog.records] == ["the application failed to shut down: it hurts"]


@virtual_time
async def test_failure_is_logged_when_the_lifespan_raises_between_its_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.startup.complete"})

    lifespan = Lifespan(app)
    await lifespan.startup()
    await settle()
    assert [record.getMessage() for record in caplog.records] == ["the lifespan of the application raised"]
    assert "'lifespan.startup.complete' where none was expected" in caplog.text
    await lifespan.shutdown()


@virtual_time
async def test_application_is_cancelled_when_its_startup_or_shutdown_is() -> None:
    app = LifespanApp()
    app.startup = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await Lifespan(app).startup()
    assert app.notes == ["app startup", "app cancelled"]
    app.startup.set()
    app.hangs = True
    lifespan = Lifespan(app)
    await lifespan.startup()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await lifespan.shutdown()
    assert app.notes[2:] == ["app startup", "app cancelled"]


class TestShared:
    @virtual_time
    async def test_first_starts_up_and_last_shuts_down_when_several_enter(self) -> None:
        app = LifespanApp()
        app.startup = asyncio.Event()
        entering = [asyncio.ensure_future(enter(app)) for _ in range(3)]
        await settle()
        assert app.notes == ["app startup"]
        app.startup.set()
        first, *others = await asyncio.gather(*entering)
        assert all(other is first for other in others)
        await leave(app)
        await leave(app)
        assert app.notes == ["app startup"]
        await leave(app)
        assert app.notes == ["app startup", "app shutdown"]
        assert await enter(app) is not first
        await leave(app)

    @virtual_time
    async def test_one_that_enters_during_the_shutdown_starts_up_after_it(self) -> None:
        app = LifespanApp()
        app.shutdown_seconds = 5
        await enter(app)
        leaving = asyncio.ensure_future(leave(app))
        await settle()
        entered = asyncio.ensure_future(enter(app))
        await asyncio.gather(leaving, entered)
        assert app.notes == ["app startup", "app shutdown", "app startup"]
        await leave(app)

    @virtual_time
    async def test_each_application_has_its_own_when_they_are_equal(self) -> None:
        class Equal(LifespanApp):
            def __eq__(self, other: object) -> bool:
                return True

            __hash__ = None  # type: ignore[assignment]

        one, two = Equal("one"), Equal("two")
        await enter(one)
        await enter(two)
        await leave(one)
        assert (one.notes, two.notes) == (["one startup", "one shutdown"], ["two startup"])
        await leave(two)

    @virtual_time
    async def test_next_one_starts_up_when_the_first_fails_or_is_cancelled(self) -> None:
        app = LifespanApp()
        app.failure = "no"
        with pytest.raises(LifespanFailed):
            await enter(app)
        app.failure, app.startup = None, asyncio.Event()
        first = asyncio.ensure_future(enter(app))
        await settle()
        second = asyncio.ensure_future(enter(app))
        await settle()
        first.cancel()
        await settle()
        app.startup.set()
        assert (await second).state == {"set up": "yes"}
        await leave(app)
        assert app.notes == ["app startup", "app startup", "app cancelled", "app startup", "app shutdown"]
