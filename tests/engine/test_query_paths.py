"""Gateway paths that name an actor by a query, as the JavaScript client does."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import urlencode

import cbor2
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.testing import EngineApi
from rivet_runner.testing.http_client import HttpResponse, exchange
from tests.engine.rooms import close_of
from tests.engine.support import Engine

GET = "rvt-namespace=default&rvt-method=get"


class Mirror(Runner):
    """Tells who an actor is, and what has come to it."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        return Response(json.dumps([actor.name, actor.key, (actor.input or b"").hex(), *request.wire_form()[:1]]))

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        await ws.send(f"{actor.key} {ws.request.wire_form()[0]}")
        async for _ in ws:
            pass


def creating(pool: str, **more: str) -> str:
    """A query that creates the actor if there is none. Names have ``_`` for ``-``."""
    parameters = {"namespace": "default", "method": "getOrCreate", "pool": pool, **more}
    return urlencode({f"rvt-{name.replace('_', '-')}": value for name, value in parameters.items()})


def encoded(item: bytes) -> str:
    return base64.urlsafe_b64encode(item).decode().rstrip("=")


async def ask(engine: Engine, path: str, method: str = "GET") -> HttpResponse:
    async with asyncio.timeout(300):
        return await exchange(method, f"{engine.endpoint}/gateway/{path}")


async def test_actor_is_made_once_and_found_by_its_key(engine: Engine, api: EngineApi, runner_name: str) -> None:
    name = f"kind of {runner_name}"
    path = name.replace(" ", "%20")
    async with Mirror(endpoint=engine.endpoint, runner_name=runner_name):
        assert (await ask(engine, f"{path}/x?{GET}&rvt-key=a")).status == 404
        item = cbor2.dumps([1, {"of": "three"}])
        made = await ask(engine, f"{path}/x?{creating(runner_name, key='a', input=encoded(item), crash_policy='restart')}")
        assert made.json() == [name, "a", item.hex(), "/x"]
        for query in (f"{GET}&rvt-key=a", creating(runner_name, key="a", input=encoded(b"\x01"))):
            assert (await ask(engine, f"{path}/x?{query}")).json() == [name, "a", item.hex(), "/x"]
        [actor] = await api.list_actors(name)
        assert (actor.key, actor.crash_policy, actor.runner_name_selector) == ("a", "restart", runner_name)
        await api.destroy_actor(actor.actor_id)
        assert (await ask(engine, f"{path}/x?{GET}&rvt-key=a")).status == 404


@pytest.mark.parametrize(
    ("parameter", "key"),
    [
        ("", "/"),
        ("&rvt-key=", "/"),
        ("&rvt-key", "/"),
        ("&rvt-key=a,b", "a/b"),
        ("&rvt-key=a%2Cb+c", "a/b c"),
        ("&rvt-key=a%2Fb,c%5Cd,,e=%2B", r"a\/b/c\\d/\0/e=+"),
        ("&rvt-key=,", r"\0/\0"),
        ("&rvt-key=%zz", "%zz"),
    ],
)
async def test_parts_of_a_key_become_one_string(engine: Engine, runner_name: str, parameter: str, key: str) -> None:
    async with Mirror(endpoint=engine.endpoint, runner_name=runner_name):
        answer = await ask(engine, f"{runner_name}/?{creating(runner_name)}{parameter}")
        assert answer.json()[1] == key


@pytest.mark.parametrize(
    ("path", "before", "after", "arrives"),
    [
        ("", "", "", "/"),
        ("/", "", "", "/"),
        ("/a%20b/%2F", "x=1&", "&y=%2f+z&=&w", "/a%20b/%2F?x=1&y=%2f+z&=&w"),
        ("/a", "&&", "&&z=1&", "/a?z=1"),
        ("/a", "", "&rvt-token=secret&rvt-skip-ready-wait=false&rvt-region=default&rvt-runner=other", "/a"),
        ("/a", "Rvt-key=1&", "", "/a?Rvt-key=1"),
    ],
)
async def test_actor_gets_the_rest_of_the_query_as_it_came(
    engine: Engine, runner_name: str, path: str, before: str, after: str, arrives: str
) -> None:
    async with Mirror(endpoint=engine.endpoint, runner_name=runner_name):
        answer = await ask(engine, f"{runner_name}{path}?{before}{creating(runner_name, key='a')}{after}")
        assert answer.json()[3] == arrives


UNKNOWN_FIELD = (
    "unknown field `bogus`, expected one of `namespace`, `method`, `runner`, `pool`, `key`, `input`, `region`, "
    "`crash-policy`, `token`, `skip-ready-wait`"
)


@pytest.mark.parametrize(
    ("path", "code", "metadata"),
    [
        ("a@token/?{create}&rvt-bogus=1", "guard.query_path_token_syntax", None),
        ("%FF/?rvt-bogus=1", "guard.query_invalid_percent_encoding", {"name": "name"}),
        ("a/?rvt-bogus=1&rvt-key=%FF", "guard.query_invalid_percent_encoding", {"name": "rvt-key"}),
        ("a/?rvt-bogus=1&rvt-key=a&rvt-key=a", "guard.query_duplicate_param", {"name": "rvt-key"}),
        ("a/?rvt-method=other&rvt-bogus=1", "guard.query_invalid_params", {"detail": UNKNOWN_FIELD}),
        ("a/?rvt-method=other", "guard.query_invalid_params", {"detail": "missing field `namespace`"}),
        ("a/?rvt-namespace=default", "guard.query_invalid_params", {"detail": "missing field `method`"}),
        (
            "a/?rvt-namespace=default&rvt-crash-policy=no&rvt-method=other",
            "guard.query_invalid_params",
            {"detail": "unknown method: other, expected get or getOrCreate"},
        ),
        (
            "a/?{create}&rvt-skip-ready-wait=True",
            "guard.query_invalid_params",
            {"detail": 'invalid type: string "True", expected a boolean'},
        ),
        (
            "a/?{create}&rvt-crash-policy=no",
            "guard.query_invalid_params",
            {"detail": "unknown crash policy: no, expected restart, sleep, or destroy"},
        ),
        ("a/?{get}&rvt-input=!", "guard.query_get_disallowed_params", None),
        ("a/?{get}&rvt-region=default", "guard.query_get_disallowed_params", None),
        ("a/?{get}&rvt-crash-policy=sleep", "guard.query_get_disallowed_params", None),
        ("a/?{get}&rvt-runner=a", "guard.query_get_disallowed_params", None),
        ("a/?rvt-namespace=default&rvt-method=getOrCreate", "guard.query_missing_pool", None),
        ("a/?{create}&rvt-input=ggEC%3D", "guard.query_invalid_base64_input", None),
        ("a/?{create}&rvt-input=ggECA", "guard.query_invalid_base64_input", None),
        ("a/?{create}&rvt-input=%2B%2B%2B%2B", "guard.query_invalid_base64_input", None),
        ("a/?{create}&rvt-input=ggE", "guard.query_invalid_cbor_input", {"detail": "invalid cbor"}),
        ("a/?{create}&rvt-input=", "guard.query_invalid_cbor_input", {"detail": "invalid cbor"}),
        ("a/?rvt-namespace=nowhere&rvt-method=get", "namespace.not_found", None),
        ("a/?rvt-namespace=nowhere&rvt-method=getOrCreate&rvt-pool=p", "namespace.not_found", None),
        ("a/?{create}&rvt-region=mars", "datacenter.not_found", None),
        ("a/?{get}&rvt-key=none", "actor.not_found", None),
    ],
)
async def test_query_that_is_wrong_is_refused_with_the_first_reason(
    engine: Engine, runner_name: str, path: str, code: str, metadata: Any
) -> None:
    wanted = path.format(create=creating(runner_name), get=GET)
    answer = await ask(engine, wanted)
    said = answer.json()
    assert f"{said['group']}.{said['code']}" == code
    assert answer.status == (404 if code == "actor.not_found" else 400)
    assert said.get("metadata") == metadata
    url = f"ws{engine.endpoint.removeprefix('http')}/gateway/{wanted}"
    async with connect(url, subprotocols=[Subprotocol("rivet")], proxy=None) as ws:
        closed, reason = await close_of(ws)
        assert (closed, reason.partition("#")[0]) == (1011, code)


async def test_pool_without_a_config_is_refused(engine: Engine) -> None:
    said = (await ask(engine, f"a/?{creating('nobody-configured-this', key='a')}")).json()
    assert said["code"] == "no_runner_config_configured"
    assert said["metadata"] == {"namespace": "default", "pool_name": "nobody-configured-this"}


async def test_preflight_makes_no_actor_and_its_query_is_checked(engine: Engine, api: EngineApi, runner_name: str) -> None:
    assert (await ask(engine, f"{runner_name}/?{creating(runner_name, key='a')}", "OPTIONS")).status == 204
    assert (await ask(engine, f"{runner_name}/?rvt-namespace=nowhere&rvt-method=get", "OPTIONS")).status == 204
    assert (await ask(engine, f"{runner_name}/?{GET}&rvt-bogus=1", "OPTIONS")).status == 400
    assert await api.list_actors(runner_name) == []


async def test_websocket_finds_its_actor_by_a_query(engine: Engine, runner_name: str) -> None:
    async with Mirror(endpoint=engine.endpoint, runner_name=runner_name):
        url = f"ws{engine.endpoint.removeprefix('http')}/gateway/{runner_name}/ws?{creating(runner_name, key='a')}&x=1"
        async with connect(url, subprotocols=[Subprotocol("rivet")], proxy=None) as ws, asyncio.timeout(300):
            assert await ws.recv() == "a /ws?x=1"


@pytest.mark.parametrize(
    ("item", "valid"),
    [
        ("01", True),
        ("010203", True),
        ("f7", True),
        ("9f01ff", True),
        ("5f4161ff", True),
        ("bf6161f4ff", True),
        ("c249010000000000000000", True),
        ("fb3ff8000000000000", True),
        ("61ff", False),
        ("ff", False),
        ("1c", False),
        ("f820", False),
        ("e0", False),
        ("1f", False),
        ("df01", False),
        ("5f01ff", False),
        ("5f5f4161ffff", True),
        ("bf01ff", False),
        ("9f01", False),
        ("a101", False),
        ("4361", False),
        ("19ff", False),
        ("81" * 300 + "01", False),
        ("81" * 100 + "01", True),
    ],
)
async def test_input_has_to_begin_with_a_cbor_item(engine: Engine, runner_name: str, item: str, valid: bool) -> None:
    query = creating(runner_name, key="a", region="mars", input=encoded(bytes.fromhex(item)))
    code = (await ask(engine, f"a/?{query}")).json()["code"]
    assert code == ("not_found" if valid else "query_invalid_cbor_input")
