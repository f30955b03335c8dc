"""HTTP through the real gateway: what of a request reaches the hook, and what of its answer reaches the client."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine, hosting
from tests.support.waiting import eventually

MIB = 1024 * 1024


class Recorded:
    """A `fetch` that keeps each request and answers with what the test says."""

    def __init__(self, answer: Response | None = None) -> None:
        self.answer = answer or Response(b"ok")
        self.seen: list[Request] = []

    async def __call__(self, actor: Actor, request: Request) -> Response:
        self.seen.append(request)
        return self.answer


async def test_method_path_and_query_arrive_raw_when_they_are_encoded(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    fetch = Recorded()
    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
            assert (await api.request(actor.id, method, "/m")).status == 200
            assert fetch.seen[-1].method == method
        assert (await api.request(actor.id, "OPTIONS", "/m")).status == 204
        assert fetch.seen[-1].method == "PROPFIND", "the gateway answers OPTIONS itself"
        for target, path, query_string in [
            ("/", "/", ""),
            ("/a%20b/%C3%A9%2F?x=%20+y&a=1&a=2&b=", "/a%20b/%C3%A9%2F", "x=%20+y&a=1&a=2&b="),
            ("/a/../b/./c", "/a/../b/./c", ""),
            ("/%zz%00?a=b?c=d", "/%zz%00", "a=b?c=d"),
        ]:
            await api.request(actor.id, "GET", target)
            assert (fetch.seen[-1].path, fetch.seen[-1].query_string) == (path, query_string)
        await api.request(actor.id, "GET", "/?x=%20+y&a=1&a=2&b=")
        assert list(fetch.seen[-1].query.items()) == [("x", "  y"), ("a", "1"), ("a", "2"), ("b", "")]


async def test_request_headers_arrive_when_the_engine_passes_them(engine: Engine, api: EngineApi, runner_name: str) -> None:
    fetch = Recorded()
    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        sent = [("X-One", "1"), ("Authorization", "Bearer t"), ("X-Twice", "first"), ("X-Twice", "last"), ("X-Empty", "")]
        # The engine drops a value that is not ASCII, whichever way it is encoded; the request itself gets through.
        sent += [("X-Latin", "h\u00e9"), ("X-Utf8", "h\u00e9".encode().decode("latin-1"))]
        assert (await api.request(actor.id, "GET", "/", headers=sent)).status == 200
        headers = fetch.seen[-1].headers
        assert (headers["x-one"], headers["AUTHORIZATION"], headers["x-empty"]) == ("1", "Bearer t", "")
        assert headers.getall("x-twice") == ["last"]
        assert "x-latin" not in headers
        assert "x-utf8" not in headers


async def test_bodies_arrive_whole_when_they_are_empty_small_or_large(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    fetch = Recorded()
    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        for size in (0, 1, MIB, 15 * MIB):
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            assert (await api.request(actor.id, "POST", "/", body=body)).status == 200
            assert fetch.seen[-1].body == body
        await api.request(actor.id, "PUT", "/", body='{"é": [1]}'.encode(), headers={"content-type": "application/json"})
        assert fetch.seen[-1].json() == {"é": [1]}
        assert fetch.seen[-1].text() == '{"é": [1]}'
        assert (await api.request(actor.id, "POST", "/", body=bytes(21 * 1000 * 1000))).status == 413
        assert runner.connected


@pytest.mark.slow
async def test_client_gets_the_whole_body_when_the_response_is_up_to_max_payload(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(b"x" * int(request.query["size"]))

    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        for size in (0, 1, 15 * MIB, runner.config.max_payload):
            response = await api.request(actor.id, "GET", f"/?size={size}")
            assert (response.status, len(response.body)) == (200, size)
            assert response.headers["content-length"] == str(size)


@pytest.mark.slow
@pytest.mark.parametrize("max_payload", [1000, 20 * MIB])
async def test_client_gets_a_500_when_the_response_is_over_max_payload(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture, max_payload: int
) -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(b"x" * int(request.query["size"]))

    async with hosting(engine, runner_name, fetch=fetch, max_payload=max_payload) as runner:
        actor, other = await asyncio.gather(runner.new_actor(api), runner.new_actor(api))
        runner_id = runner.runner_id
        assert (await api.request(actor.id, "GET", f"/?size={max_payload}")).status == 200
        response = await api.request(actor.id, "GET", f"/large?size={max_payload + 1}")
        assert response.status == 500
        assert len(response.body) < 100
        (record,) = [record for record in caplog.records if "max_payload" in record.getMessage()]
        for part in (actor.id, "/large", str(max_payload), str(max_payload + 1)):
            assert part in record.getMessage()
        for one in (actor, other):
            assert (await api.request(one.id, "GET", "/?size=3")).body == b"xxx"
        assert (runner.runner_id, runner.connected) == (runner_id, True)
        assert runner.calls_of(actor) == runner.calls_of(other) == [("start", 0)]


async def test_client_sees_every_response_header_when_one_repeats(engine: Engine, api: EngineApi, runner_name: str) -> None:
    cookies = [f"c{number}={number}; Path=/; HttpOnly" for number in range(12)]
    headers = [("Set-Cookie", cookie) for cookie in cookies]
    headers += [("Link", "</a>; rel=x"), ("link", "</b>; rel=y"), ("Vary", "a"), ("Vary", "b"), ("X-One", "h\u00e9\u20ac")]
    # A wrong length would make the client wait for bytes that never come.
    headers += [("Content-Length", "999")]
    async with hosting(engine, runner_name, fetch=Recorded(Response(b"body", 201, headers))) as runner:
        actor = await runner.new_actor(api)
        response = await api.request(actor.id, "GET", "/")
        assert (response.status, response.body, response.headers["content-length"]) == (201, b"body", "4")
        assert sorted(response.headers.getall("set-cookie")) == sorted(cookies)
        assert sorted(response.headers.getall("link")) == ["</a>; rel=x", "</b>; rel=y"]
        assert sorted(response.headers.getall("vary")) == ["a", "b"]
        assert response.headers["x-one"].encode("latin-1").decode() == "h\u00e9\u20ac"


async def test_client_gets_the_status_when_it_is_an_unusual_one(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        return Response("text", status=int(request.path[1:]))

    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        for status in (200, 201, 202, 204, 206, 301, 304, 400, 401, 404, 413, 418, 426, 429, 500, 502, 503, 504, 599):
            response = await api.request(actor.id, "GET", f"/{status}")
            assert response.status == status
            assert response.body == (b"" if status in (204, 304) else b"text")
        assert runner.requests == 19, "the gateway retries none of these by itself"


@pytest.mark.real_engine("the server at the simulated engine's port knows no status above 599")
async def test_client_gets_the_status_when_it_is_beyond_those_of_http(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with hosting(engine, runner_name, fetch=Recorded(Response("text", status=999))) as runner:
        actor = await runner.new_actor(api)
        response = await api.request(actor.id, "GET", "/")
        assert (response.status, response.text()) == (999, "text")


async def test_client_gets_a_500_when_the_status_is_an_interim_one(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The gateway takes no interim status for an answer: 500 without a trace here, and for 101 a dropped client."""

    async def fetch(actor: Actor, request: Request) -> Response:
        return Response("text", status=int(request.path[1:]))

    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        for status in (100, 101, 103, 199):
            caplog.clear()
            response = await api.request(actor.id, "GET", f"/{status}")
            assert response.status == 500
            assert "ERROR" in [record.levelname for record in caplog.records]


async def test_client_gets_json_when_the_response_is_json(engine: Engine, api: EngineApi, runner_name: str) -> None:
    answer = Response.json({"é": [1, None, True]}, status=202)
    async with hosting(engine, runner_name, fetch=Recorded(answer)) as runner:
        actor = await runner.new_actor(api)
        response = await api.request(actor.id, "GET", "/")
        assert (response.status, response.json()) == (202, {"é": [1, None, True]})
        assert response.headers["content-type"] == "application/json"


async def test_client_gets_a_500_without_details_when_the_hook_is_wrong(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fetch(actor: Actor, request: Request) -> object:
        if request.path == "/raises":
            raise LookupError("secret detail")
        if request.path == "/header":
            response = Response(b"secret detail")
            response.headers["x-bad"] = "a\r\nb: secret detail"
            return response
        return {"/none": None, "/text": "secret detail", "/dict": {"secret": "detail"}}[request.path]

    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        for path in ("/raises", "/header", "/none", "/text", "/dict"):
            caplog.clear()
            response = await api.request(actor.id, "GET", path)
            assert response.status == 500
            assert b"secret" not in response.body
            assert b"LookupError" not in response.body
            (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
            assert record.name.startswith("rivet_runner")
            assert actor.id in record.getMessage()
            assert path in record.getMessage()
            assert (record.exc_info is not None) == (path == "/raises")
        assert "secret detail" in (await _traceback_of(api, actor, caplog))


async def _traceback_of(api: EngineApi, actor: Actor, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    await api.request(actor.id, "GET", "/raises")
    return caplog.text


async def test_request_waits_when_the_actor_is_slow_to_start(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async def on_start(actor: Actor) -> None:
        await asyncio.sleep(float(actor.input or b"0"))
        actor.state = "started"

    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(str(actor.state))

    async def ask(seconds: float) -> float:
        began = asyncio.get_running_loop().time()
        created = await api.create_actor("slow", runner_name=runner_name, input=str(seconds).encode())
        response = await api.request(created.actor_id, "GET", "/")
        assert (response.status, response.text()) == (200, "started")
        return asyncio.get_running_loop().time() - began

    async with hosting(engine, runner_name, on_start=on_start, fetch=fetch):
        quick, slow = await asyncio.gather(ask(1), ask(4))
        assert 1 <= quick < 3.5
        assert 4 <= slow < 8


async def test_waiting_request_is_answered_when_a_slow_start_fails(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async def on_start(actor: Actor) -> None:
        # Longer than the three seconds after which the gateway is told to send its requests on.
        await asyncio.sleep(3.5)
        raise RuntimeError("no luck")

    async with hosting(engine, runner_name, on_start=on_start) as runner:
        created = await api.create_actor("slow", runner_name=runner_name, crash_policy="destroy")
        response = await api.request(created.actor_id, "GET", "/")
        assert (response.status, response.text()) == (503, "the actor failed to start")
        assert runner.requests == 0


async def test_request_reaches_the_next_generation_when_the_actor_is_stopping(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    stopping, go_on = asyncio.Event(), asyncio.Event()

    async def on_stop(actor: Actor) -> None:
        stopping.set()
        await go_on.wait()

    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(str(actor.generation))

    async with hosting(engine, runner_name, on_stop=on_stop, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        actor.sleep()
        await asyncio.wait_for(stopping.wait(), 60)
        request = asyncio.create_task(api.request(actor.id, "GET", "/"))
        done, _ = await asyncio.wait([request], timeout=0.3)
        assert not done
        go_on.set()
        response = await request
        assert (response.status, response.text()) == (200, "1")


@pytest.mark.slow
async def test_each_client_gets_its_own_answer_when_200_are_answered_in_reverse(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    turns: dict[str, asyncio.Future[None]] = {}

    async def fetch(actor: Actor, request: Request) -> Response:
        turn = turns[request.path] = asyncio.get_running_loop().create_future()
        await turn
        return Response(request.path.encode() + b" " + request.body)

    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        requests = [
            asyncio.create_task(api.request(actor.id, "POST", f"/{number}", body=b"body %d" % number))
            for number in range(200)
        ]
        await eventually(lambda: len(turns) == 200)
        for path in reversed(turns):
            turns[path].set_result(None)
            await asyncio.sleep(0)
        responses = await asyncio.gather(*requests)
        assert [response.text() for response in responses] == [f"/{number} body {number}" for number in range(200)]


@pytest.mark.slow
async def test_nothing_else_waits_when_a_fetch_never_returns(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        if request.path == "/never":
            await asyncio.Event().wait()
        return Response(b"ok")

    async with hosting(engine, runner_name, fetch=fetch, actor_stop_timeout=0.5) as runner:
        actor, other = await asyncio.gather(runner.new_actor(api), runner.new_actor(api))
        hanging = asyncio.create_task(api.request(actor.id, "GET", "/never"))
        await eventually(lambda: runner.requests == 1)
        first_ping = (await api.list_runners(runner_name))[0].last_ping_ts or 0

        async def pinged() -> bool:
            for one in (actor, other):
                began = asyncio.get_running_loop().time()
                assert (await api.request(one.id, "GET", "/")).status == 200
                assert asyncio.get_running_loop().time() - began < 2
            return ((await api.list_runners(runner_name))[0].last_ping_ts or 0) > first_ping

        await eventually(pinged, every=0.1, what="a ping has reached the engine")
        began = asyncio.get_running_loop().time()
        await runner.shutdown()
        assert asyncio.get_running_loop().time() - began < 5
        assert (await hanging).status == 503
        assert runner.calls_of(actor) == runner.calls_of(other) == [("start", 0), ("stop", 0)]


async def test_client_gets_a_404_when_fetch_is_not_overridden(engine: Engine, api: EngineApi, runner_name: str) -> None:
    from rivet_runner import Runner

    async with asyncio.timeout(300), Runner(endpoint=engine.endpoint, runner_name=runner_name):
        created = await api.create_actor("plain", runner_name=runner_name)
        response = await api.request(created.actor_id, "GET", "/")
        assert (response.status, response.text()) == (404, "not found")
