"""The public names. Programs of users rely on them, so a change here is a change for users."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

import rivet_runner
from rivet_runner import (
    KV,
    Actor,
    DecodeError,
    Request,
    Response,
    Runner,
    RunnerConfig,
    WebSocket,
    testing,
)
from rivet_runner.protocol import v3

EMPTY = inspect.Parameter.empty


def signature_of(function: Any) -> list[tuple[str, Any, Any]]:
    """Name, kind and default of each parameter but ``self``."""
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind.name, one.default) for one in parameters if one.name not in ("self", "cls")]


def positional(*names: str, **defaults: Any) -> list[tuple[str, str, Any]]:
    return [(name, "POSITIONAL_OR_KEYWORD", defaults.get(name, EMPTY)) for name in (*names, *defaults)]


def test_all_holds_the_public_names_and_no_others() -> None:
    assert sorted(rivet_runner.__all__) == [
        "Actor",
        "Alarm",
        "DecodeError",
        "EngineRejected",
        "HibernationRecord",
        "HibernationStore",
        "KV",
        "KvError",
        "KvLimitExceeded",
        "KvTimeout",
        "PayloadTooLarge",
        "RecordError",
        "Request",
        "Response",
        "RivetRunnerError",
        "Runner",
        "RunnerConfig",
        "RunnerEvicted",
        "RunnerShutDown",
        "RunnerSource",
        "StopReason",
        "WebSocket",
        "WebSocketClosed",
        "__version__",
    ]
    assert all(hasattr(rivet_runner, name) for name in rivet_runner.__all__)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", rivet_runner.__version__)


def test_testing_holds_the_engine_and_its_client() -> None:
    assert {"LocalEngine", "EngineApi"} <= set(testing.__all__)
    engine = {"endpoint", "start", "stop", "kill", "restart", "__aenter__", "__aexit__"}
    assert engine <= set(dir(testing.LocalEngine))
    calls = {"create_actor", "get_actor", "list_actors", "destroy_actor", "upsert_runner_config", "request"}
    assert calls <= set(dir(testing.EngineApi))


def test_runner_takes_a_config_and_options() -> None:
    assert signature_of(Runner) == [("config", "POSITIONAL_ONLY", None), ("options", "VAR_KEYWORD", EMPTY)]
    config = RunnerConfig(namespace="one", runner_name="name")
    runner = Runner(config, namespace="two")
    assert (runner.config.namespace, runner.config.runner_name) == ("two", "name")
    with pytest.raises(TypeError, match="nonsense"):
        Runner(nonsense=1)  # type: ignore[call-arg]
    assert runner.runner_id is None
    assert runner.connected is False
    assert isinstance(runner.actors, Mapping)
    assert dict(runner.actors) == {}
    assert runner.get_actor("id") is None
    assert runner.get_actor("id", generation=1) is None


@pytest.mark.parametrize(
    ("hook", "parameters"),
    [
        ("on_actor_start", positional("actor")),
        ("on_actor_stop", positional("actor")),
        ("on_alarm", positional("actor", "alarm")),
        ("fetch", positional("actor", "request")),
        ("websocket", positional("actor", "ws")),
        ("on_connected", []),
        ("on_disconnected", positional("code", "reason")),
        ("on_shutdown", []),
        ("start", []),
        ("shutdown", positional(immediate=False)),
        ("wait_closed", []),
        ("__aenter__", []),
    ],
)
def test_runner_method_is_async_with_these_parameters(hook: str, parameters: list[tuple[str, str, Any]]) -> None:
    method = getattr(Runner, hook)
    assert inspect.iscoroutinefunction(method)
    assert signature_of(method) == parameters
    assert inspect.getdoc(method) or hook.startswith("__")


def test_runner_method_is_not_async_when_it_need_not_be() -> None:
    for name, parameters in [("run", []), ("can_hibernate", positional("actor", "request"))]:
        method = getattr(Runner, name)
        assert not inspect.iscoroutinefunction(method)
        assert signature_of(method) == parameters
    assert signature_of(Runner.get_actor) == positional("actor_id", generation=None)


def test_actor_has_its_attributes_and_methods() -> None:
    attributes = {"id", "generation", "name", "key", "create_ts", "input", "kv", "state", "websockets", "log"}
    attributes |= {"alarm", "stop_reason", "hibernating", "sleep_after"}
    assert attributes <= set(dir(Actor))
    for name, parameters in [
        ("sleep", []),
        ("destroy", []),
        ("now", []),
        ("keep_awake", []),
        ("spawn", [*positional("coroutine"), ("keep_awake", "KEYWORD_ONLY", True)]),
    ]:
        method = getattr(Actor, name)
        assert signature_of(method) == parameters
        assert not inspect.iscoroutinefunction(method)
    assert signature_of(Actor.restored_websockets) == []
    assert signature_of(Actor.set_alarm) == positional("when")
    assert inspect.iscoroutinefunction(Actor.set_alarm)


def test_kv_has_its_methods() -> None:
    expected: dict[str, list[tuple[str, str, Any]]] = {
        "get": positional("key"),
        "get_many": positional("keys"),
        "put": positional("key", "value"),
        "put_many": positional("items"),
        "delete": positional("key"),
        "delete_many": positional("keys"),
        "delete_range": positional("start", "end"),
        "clear": [],
        "list": [
            *positional(prefix=b""),
            ("start", "KEYWORD_ONLY", None),
            ("end", "KEYWORD_ONLY", None),
            ("reverse", "KEYWORD_ONLY", False),
            ("limit", "KEYWORD_ONLY", None),
        ],
    }
    public = {name for name, value in vars(KV).items() if not name.startswith("_") and callable(value)}
    assert public == {*expected, "area"}
    assert signature_of(KV.area) == positional("name")
    for name, parameters in expected.items():
        assert inspect.iscoroutinefunction(getattr(KV, name))
        assert signature_of(getattr(KV, name)) == parameters


def test_request_and_response_have_their_attributes() -> None:
    request = {"method", "path", "query_string", "query", "headers", "body", "text", "json"}
    assert request <= set(dir(Request))
    assert signature_of(Response) == positional(body=b"", status=200, headers=None)
    assert signature_of(Response.json)[:2] == positional("value", status=200)
    response = Response("text", 201, [("Set-Cookie", "a"), ("Set-Cookie", "b")])
    assert (response.body, response.status, response.headers.getall("set-cookie")) == (b"text", 201, ["a", "b"])
    assert Response.json({"a": 1}).body == b'{"a":1}'


def test_websocket_has_its_attributes_and_methods() -> None:
    attributes = {"path", "query_string", "headers", "request", "hibernatable", "restored", "attachment"}
    assert attributes | {"auto_processed", "close_code", "close_reason", "__aiter__", "__anext__"} <= set(dir(WebSocket))
    for name, names in [("recv", []), ("send", ["message"]), ("close", ["code", "reason"])]:
        assert inspect.iscoroutinefunction(getattr(WebSocket, name))
        assert [parameter[0] for parameter in signature_of(getattr(WebSocket, name))] == names
    assert [parameter[2] for parameter in signature_of(WebSocket.close)] == [1000, ""]
    assert signature_of(WebSocket.mark_processed) == positional(count=1)


def test_protocol_goes_both_ways() -> None:
    for direction in ("to_server", "to_client"):
        assert callable(getattr(v3, f"encode_{direction}"))
        assert callable(getattr(v3, f"decode_{direction}"))
    ping = v3.ToServerPing(1)
    assert v3.decode_to_server(memoryview(v3.encode_to_server(ping))) == ping
    assert issubclass(v3.StopCode, int)
    assert (
        [*msgspec.structs.asdict(v3.ToServerEvents([]))] == [*msgspec.structs.asdict(v3.ToClientCommands([]))] == ["items"]
    )
    with pytest.raises(DecodeError):
        v3.decode_to_client(b"")


def test_package_is_typed() -> None:
    (package,) = rivet_runner.__path__
    assert (Path(package) / "py.typed").is_file()
