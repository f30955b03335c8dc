"""The serverless application: routes, permission to start a runner, and the server's life."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

import rivet_runner
from rivet_runner import Runner
from rivet_runner.protocol.messages import ToServerStopping
from rivet_runner.serverless import serverless_app
from tests.serverless.scene import started
from tests.support.asgi_server import TOKEN, Call, get, start_headers
from tests.support.virtual_time import virtual_time

# Routes


async def test_metadata_tells_runtime_version_and_names_when_asked() -> None:
    app = serverless_app(Runner, prepopulate_actor_names={"room": {"icon": "x"}}, version=4)
    status, value = await get(app, "/metadata")
    assert status == 200
    assert value == {
        "runtime": "rivetkit",
        "version": rivet_runner.__version__,
        "runner": {"version": 4},
        "actorNames": {"room": {"metadata": {"icon": "x"}}},
    }


@pytest.mark.parametrize(("path", "root"), [("/api/rivet/health", "/api/rivet"), ("/health", "/api"), ("/x/health", "/x/")])
async def test_a_path_is_found_when_mounted(path: str, root: str) -> None:
    assert (await get(serverless_app(Runner), path, root=root))[0] == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/health", "/start/", "/healthy"])
async def test_404_when_the_path_is_another_one(path: str) -> None:
    assert (await get(serverless_app(Runner), path))[0] == 404


@pytest.mark.parametrize(("path", "allow"), [("/start", b"GET"), ("/metadata", b"GET, HEAD"), ("/health", b"GET, HEAD")])
async def test_405_when_the_method_is_another_one(path: str, allow: bytes) -> None:
    call = Call(serverless_app(Runner), path, {}, method="POST")
    await call.task
    assert (call.status, call.headers[b"allow"]) == (405, allow)


async def test_no_body_when_only_the_head_is_asked_for() -> None:
    call = Call(serverless_app(Runner), "/health", {}, method="HEAD")
    await call.task
    assert (call.status, call.body, call.finished) == (200, b"", True)


class Program:
    """Makes runners, with options of its own."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def runner(self, **options: Any) -> Runner:
        return Runner(**{**self.options, **options})


@virtual_time
async def test_runners_come_from_an_object_that_makes_them() -> None:
    app = serverless_app(Program(version=5, runner_key="the same"))
    assert repr(app) == "<ServerlessApp for Program, 0 runners>"
    assert (await get(app, "/metadata"))[1]["runner"] == {"version": 5}
    async with started(app):
        [runner] = app.runners
        assert (runner.config.version, runner.config.runner_name) == (5, "pool")
        assert runner.config.runner_key != "the same"


def test_a_health_port_is_refused_when_the_program_has_it() -> None:
    with pytest.raises(TypeError, match="health_port"):
        serverless_app(Program(health_port=0))


# Permission to start runners


@pytest.mark.parametrize(
    ("name", "value"),
    [("endpoint", None), ("endpoint", f"http://ns:{TOKEN}@127.0.0.1:1"), ("token", f"{TOKEN},"), ("total_slots", "0")],
)
async def test_400_names_the_header_when_it_cannot_be_used(name: str, value: str | None) -> None:
    status, error = await get(serverless_app(Runner), "/start", start_headers("http://127.0.0.1:1", **{name: value}))
    assert (status, error["code"]) == (400, "invalid_header")
    assert f"x-rivet-{name.replace('_', '-')}" in error["message"]
    assert TOKEN not in str(error)


@pytest.mark.parametrize(
    ("endpoint", "options", "allowed"),
    [
        ("http://127.0.0.1:1", {}, True),
        ("http://10.0.0.1", {}, False),
        ("https://engine.example", {"endpoint": f"https://ns:{TOKEN}@ENGINE.example:443/"}, True),
        ("http://127.0.0.1:1", {"endpoint": "https://engine.example"}, False),
        ("http://127.0.0.1:1", {"allowed_endpoints": []}, False),
        ("http://b.example", {"allowed_endpoints": ["http://a.example", "http://b.example/"]}, True),
    ],
)
async def test_403_when_the_endpoint_is_not_allowed(
    endpoint: str, options: dict[str, Any], allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = serverless_app(Runner, **options)
    await app.drain()  # so that an allowed one is not dialled
    status, _ = await get(app, "/start", start_headers(endpoint))
    assert status == (503 if allowed else 403)
    assert ("refused a request" in caplog.text) is not allowed


async def test_the_environment_decides_when_no_endpoint_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVET_ENDPOINT", f"https://ns:{TOKEN}@engine.example")
    app = serverless_app(Runner)
    assert (await get(app, "/start", start_headers("http://127.0.0.1:1")))[0] == 403


def test_an_error_is_raised_at_once_when_an_option_cannot_be_used() -> None:
    with pytest.raises(TypeError, match="runner_key"):
        serverless_app(Runner, runner_key="k")
    with pytest.raises(TypeError, match="colour"):
        serverless_app(Runner, colour="blue")
    with pytest.raises(ValueError, match="stop_timeout"):
        serverless_app(Runner, stop_timeout=-1)
    with pytest.raises(TypeError, match="allowed_endpoints"):
        serverless_app(Runner, allowed_endpoints="http://a.example")
    with pytest.raises(ValueError, match="allowed_endpoints"):
        serverless_app(Runner, allowed_endpoints=["a.example"])


# The server's life


@virtual_time
async def test_lifespan_is_answered_and_drains_when_the_server_sends_it() -> None:
    async with started() as (_, call, connection, app):
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        outbox: asyncio.Queue[Any] = asyncio.Queue()
        lifespan = asyncio.create_task(app({"type": "lifespan"}, inbox.get, outbox.put))
        inbox.put_nowait({"type": "lifespan.startup"})
        assert await outbox.get() == {"type": "lifespan.startup.complete"}
        inbox.put_nowait({"type": "lifespan.shutdown"})
        await connection.receive(ToServerStopping)
        assert await outbox.get() == {"type": "lifespan.shutdown.complete"}
        await lifespan
        assert app.runners == ()
        await call.task


@virtual_time
async def test_runners_drain_and_the_handlers_are_put_back_when_a_signal_stops_the_server() -> None:
    seen: list[int] = []
    before = {number: signal.signal(number, lambda n, _: seen.append(n)) for number in (signal.SIGTERM, signal.SIGINT)}
    mine = signal.getsignal(signal.SIGTERM)
    try:
        async with started() as (_, call, connection, app):
            connection.start_actor("a1")
            await connection.running("a1")
            signal.raise_signal(signal.SIGTERM)
            await connection.receive(ToServerStopping)
            assert (await get(app, "/health"))[0] == 503
            signal.raise_signal(signal.SIGINT)  # the second: at once
            await call.task
            assert seen == [signal.SIGTERM, signal.SIGINT]
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@virtual_time
async def test_a_signal_that_nobody_handles_is_left_alone_when_a_runner_starts() -> None:
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    async with started():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
