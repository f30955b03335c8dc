"""`EngineApi` against a scripted server. `tests/engine` tests it against the real engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from rivet_runner.testing import EngineApi, EngineApiError
from rivet_runner.testing.engine_api import UPSERT_ATTEMPTS
from tests.support.virtual_time import virtual_time
from tests.testing.http_server import server

ERROR = (500, {"group": "core", "code": "internal_error", "message": "An internal error occurred."})
CREATED = {"actor_id": "i", "name": "n", "create_ts": 1}


class Engine:
    """Answers with ``answers`` in turn, then always with the last one, and keeps the requests."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self._answers = list(answers)
        self.lines: list[str] = []
        self.heads: list[str] = []
        self.bodies: list[Any] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
        body = await reader.readexactly(int(length or 0))
        self.lines.append(head.partition(" HTTP/1.1")[0])
        self.heads.append(head)
        self.bodies.append(msgspec.json.decode(body) if body else None)
        status, value = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        answer = msgspec.json.encode(value)
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (status, len(answer), answer))


@contextlib.asynccontextmanager
async def answering(*answers: tuple[int, object], token: str | None = None) -> AsyncIterator[tuple[EngineApi, Engine]]:
    engine = Engine(*answers)
    async with server(engine.handle) as url:
        yield EngineApi(f"{url}/", namespace="a b", token=token), engine


@virtual_time
async def test_an_upsert_is_tried_again_when_the_engine_has_an_internal_error() -> None:
    async with answering(ERROR, ERROR, (200, {})) as (api, engine):
        await api.upsert_runner_config("na/me")
        assert engine.lines == ["PUT /runner-configs/na%2Fme?namespace=a+b"] * 3
        assert engine.bodies[0] == {"datacenters": {"default": {"normal": {}}}}


@virtual_time
async def test_an_upsert_fails_when_the_engine_goes_on_with_internal_errors() -> None:
    async with answering(ERROR) as (api, engine):
        with pytest.raises(EngineApiError, match=r"core\.internal_error"):
            await api.upsert_runner_config("name")
        assert len(engine.lines) == UPSERT_ATTEMPTS


@virtual_time
async def test_an_upsert_is_not_tried_again_when_the_engine_refuses_it() -> None:
    async with answering((400, ERROR[1])) as (api, engine):
        with pytest.raises(EngineApiError):
            await api.upsert_runner_config("name", serverless_url="http://here", max_runners=7)
        ((_, body),) = engine.bodies[0]["datacenters"].items()
        assert (body["serverless"]["url"], body["serverless"]["max_runners"]) == ("http://here", 7)
        assert len(engine.lines) == 1


@virtual_time
async def test_another_actor_is_made_when_the_first_one_found_no_room() -> None:
    no_room = CREATED | {"sleep_ts": 2, "error": "no_capacity"}
    answers: list[tuple[int, object]] = [
        (200, {"actor": CREATED}),
        (200, {"actors": [CREATED]}),
        (200, {"actors": [no_room]}),
        (200, {}),
        (200, {"actors": [no_room | {"destroy_ts": 3}]}),
        (200, {"actor": CREATED | {"actor_id": "j"}}),
        (200, {"actors": [CREATED | {"actor_id": "j", "connectable_ts": 4}]}),
    ]
    async with answering(*answers) as (api, engine):
        actor = await api.create_ready_actor("n", runner_name="r", input=b"\x00")
        assert (actor.actor_id, actor.connectable_ts) == ("j", 4)
        assert [line.split("?")[0] for line in engine.lines] == [
            "POST /actors", "GET /actors", "GET /actors", "DELETE /actors/i", "GET /actors", "POST /actors", "GET /actors",
        ]  # fmt: skip
        assert (engine.bodies[0]["input"], engine.bodies[0]["runner_name_selector"]) == ("AA==", "r")


@virtual_time
async def test_an_actor_is_asked_for_by_its_key_when_it_may_be_there_already() -> None:
    async with answering((200, {"actor": CREATED, "created": False})) as (api, engine):
        assert (await api.get_or_create_actor("n", runner_name="r", key="k")).actor_id == "i"
        assert engine.lines == ["PUT /actors?namespace=a+b"]
        assert (engine.bodies[0]["key"], engine.bodies[0]["crash_policy"]) == ("k", "sleep")


@virtual_time
async def test_the_error_has_the_last_state_when_an_actor_does_not_get_ready() -> None:
    async with answering((200, {"actors": [CREATED | {"error": "why not"}]})) as (api, _):
        with pytest.raises(TimeoutError, match="why not"):
            await api.wait_connectable("i", timeout=0.2)


@virtual_time
async def test_an_actor_is_not_found_when_the_list_is_empty() -> None:
    async with answering((200, {"actors": []})) as (api, engine):
        with pytest.raises(EngineApiError, match=r"actor\.not_found \(HTTP 404\)"):
            await api.get_actor("i d")
        assert engine.lines == ["GET /actors?namespace=a+b&actor_ids=i+d&include_destroyed=true"]


@virtual_time
async def test_the_token_goes_to_the_api_and_not_to_an_actor_when_there_is_one() -> None:
    async with answering((200, {"runners": []}), token="secret") as (api, engine):
        assert await api.list_runners("name", include_stopped=True) == []
        await api.request("i/d", "GET", "/path?q=1")
        assert engine.lines == [
            "GET /runners?namespace=a+b&include_stopped=true&name=name",
            "GET /gateway/i%2Fd/path?q=1",
        ]
        assert ["Bearer secret" in head for head in engine.heads] == [True, False]


@virtual_time
async def test_names_and_runner_configs_are_those_of_the_engine_when_they_are_listed() -> None:
    page = {"pagination": {"cursor": None}}
    names = {"names": {"room": {"metadata": {}}, "lobby": {"metadata": {}}}, **page}
    configs = {"runner_configs": {"counter": {"datacenters": {}}}, **page}
    async with answering((200, names), (200, configs)) as (api, engine):
        assert await api.list_actor_names() == ["lobby", "room"]
        assert await api.list_runner_configs() == {"counter": {"datacenters": {}}}
        assert engine.lines == ["GET /actors/names?namespace=a+b", "GET /runner-configs?namespace=a+b"]
