"""What an application is told about a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rivet_runner import Actor, Request, WebSocket
from rivet_runner.asgi.scopes import RootPath, checked_root_path, gateway_path, http_scope, websocket_scope

ACTOR = cast(Actor, SimpleNamespace(id="abc"))


def scope_of(request: Request, root_path: RootPath | None = None, state: dict[str, Any] | None = None) -> Any:
    return http_scope(ACTOR, request, checked_root_path(root_path), state)


def websocket_with(headers: dict[str, str]) -> WebSocket:
    request = Request("GET", "/room?a=1", headers, b"")
    return cast(WebSocket, SimpleNamespace(request=request, headers=request.headers))


def test_scope_has_every_key_of_the_specification_when_a_request_comes() -> None:
    request = Request("post", "/caf%C3%A9%2Fx?a=%20&a=2?", {"Host": "site.example", "x-one": "1"}, b"body")
    assert scope_of(request) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": "/gateway/abc/café/x",
        "raw_path": b"/gateway/abc/caf%C3%A9%2Fx",
        "query_string": b"a=%20&a=2?",
        "root_path": "/gateway/abc",
        "headers": [[b"host", b"site.example"], [b"x-one", b"1"]],
        "client": None,
        "server": None,
        "rivet.actor": ACTOR,
    }


def test_repeated_headers_are_all_there_when_a_request_was_made_by_hand() -> None:
    from multidict import CIMultiDict

    request = Request("GET", "/", CIMultiDict([("X-A", "1"), ("x-a", "2"), ("x-b", "é")]), b"")
    assert scope_of(request)["headers"] == [[b"x-a", b"1"], [b"x-a", b"2"], [b"x-b", "é".encode()]]


@pytest.mark.parametrize(
    ("given", "root", "path"),
    [
        ("", "", "/x"),
        ("/", "", "/x"),
        ("/api", "/api", "/api/x"),
        ("/api/", "/api", "/api/x"),
        ("/a b", "/a b", "/a b/x"),
        (lambda actor, request: f"/{actor.id}{request.path}", "/abc/x", "/abc/x/x"),
    ],
)
def test_path_begins_with_the_root_path_when_one_is_given(given: RootPath, root: str, path: str) -> None:
    scope = scope_of(Request("GET", "/x", {}, b""), given)
    assert (scope["root_path"], scope["path"]) == (root, path)
    assert scope["raw_path"] == path.replace(" ", "%20").encode()


def test_root_path_is_refused_when_it_is_no_path() -> None:
    with pytest.raises(ValueError, match="must begin with a slash, or be empty, not 'api'"):
        checked_root_path("api")
    with pytest.raises(TypeError, match="root_path must be text, or a function that returns text, not int"):
        checked_root_path(cast(Any, 7))
    with pytest.raises(TypeError, match="not NoneType"):
        scope_of(Request("GET", "/x", {}, b""), cast(Any, lambda *_: None))
    assert checked_root_path(None) is gateway_path


def test_state_is_a_copy_when_there_is_a_lifespan() -> None:
    state = {"pool": object()}
    scope = scope_of(Request("GET", "/", {}, b""), state=state)
    assert scope["state"] == state
    assert scope["state"] is not state
    assert "state" not in scope_of(Request("GET", "/", {}, b""))


def test_subprotocols_are_those_that_the_client_offers_when_a_websocket_opens() -> None:
    ws = websocket_with({"sec-websocket-protocol": "rivet, chat,,  rivet_token.x"})
    scope = websocket_scope(ACTOR, ws, "", {"a": 1})
    assert scope["subprotocols"] == ["rivet", "chat", "rivet_token.x"]
    assert (scope["type"], scope["scheme"], scope["path"], scope["query_string"]) == ("websocket", "ws", "/room", b"a=1")
    assert scope["rivet.websocket"] is ws
    assert scope["state"] == {"a": 1}
    assert "method" not in scope
    assert websocket_scope(ACTOR, websocket_with({}), "", None)["subprotocols"] == []
