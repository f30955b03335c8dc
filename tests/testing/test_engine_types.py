from __future__ import annotations

import pytest
from multidict import CIMultiDict

from rivet_runner.errors import RivetRunnerError
from rivet_runner.testing import ActorInfo, EngineApiError, HttpResponse
from rivet_runner.testing.engine_types import decode_answer


def answer(status: int, body: bytes) -> HttpResponse:
    return HttpResponse(status, CIMultiDict(), body)


def test_actor_is_read_when_fields_are_missing_or_unknown() -> None:
    body = b'{"actor_id":"i","name":"n","create_ts":1,"sleep_ts":null,"error":{"crashed":{}},"new":[1]}'
    actor = decode_answer(answer(200, body), ActorInfo)
    assert actor == ActorInfo("i", "n", 1, error={"crashed": {}})


def test_error_has_the_engines_words_when_the_engine_refuses() -> None:
    body = b'{"group":"actor","code":"duplicate_key","message":"in use","metadata":{"key":"k"},"new":1}'
    with pytest.raises(RivetRunnerError) as caught:
        decode_answer(answer(400, body), ActorInfo)
    error = caught.value
    assert isinstance(error, EngineApiError)
    assert (error.status, error.group, error.code) == (400, "actor", "duplicate_key")
    assert (error.message, error.metadata) == ("in use", {"key": "k"})
    assert str(error) == "actor.duplicate_key (HTTP 400): in use"


@pytest.mark.parametrize(("status", "body"), [(502, b"<h1>Bad \xff"), (500, b"{}"), (200, b"<h1>"), (302, b"")])
def test_error_has_the_beginning_of_an_answer_when_its_form_is_another(status: int, body: bytes) -> None:
    with pytest.raises(EngineApiError, match="unexpected_answer") as caught:
        decode_answer(answer(status, body), ActorInfo)
    assert caught.value.status == status
    assert caught.value.message == body.decode(errors="replace")
