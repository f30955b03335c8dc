"""Paths below a mount, and answers on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from rivet_runner.serverless.asgi import answer, answer_error, path_within


@pytest.mark.parametrize(
    ("path", "root", "within"),
    [
        ("/start", "", "/start"),
        ("/start", None, "/start"),
        ("/api/start", "/api", "/start"),
        ("/api/start", "/api/", "/start"),
        ("/start", "/api", "/start"),
        ("/apis/start", "/api", "/apis/start"),
        ("/api", "/api", "/api"),
        ("/api/api/start", "/api", "/api/start"),
    ],
)
def test_path_is_the_one_below_the_mount_when_there_is_one(path: str, root: str | None, within: str) -> None:
    assert path_within({"path": path} | ({} if root is None else {"root_path": root})) == within


async def sent_by(method: str, *, error: bool) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"method": method}
    if error:
        await answer_error(send, scope, 405, "code", "message", [(b"allow", b"GET")])
    else:
        await answer(send, scope, 200, {"a": 1})
    return sent


async def test_value_is_sent_as_json_when_it_is_asked_for() -> None:
    start, body = await sent_by("GET", error=False)
    assert start["status"] == 200
    assert dict(start["headers"]) == {
        b"content-type": b"application/json",
        b"content-length": b"7",
        b"cache-control": b"no-store",
    }
    assert body == {"type": "http.response.body", "body": b'{"a":1}', "more_body": False}


async def test_length_is_that_of_the_value_when_only_the_head_is_asked_for() -> None:
    start, body = await sent_by("HEAD", error=False)
    assert dict(start["headers"])[b"content-length"] == b"7"
    assert body["body"] == b""


async def test_error_has_the_engines_form_when_it_is_sent() -> None:
    start, body = await sent_by("GET", error=True)
    assert start["status"] == 405
    assert (b"allow", b"GET") in start["headers"]
    assert body["body"] == b'{"group":"serverless","code":"code","message":"message"}'
