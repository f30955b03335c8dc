"""The HTTP routes of an actor: actions, raw requests, and the few paths that clients written for Rivet know."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Final
from urllib.parse import unquote

from rivet_runner.actors._hosting.connections import HostedConnection
from rivet_runner.actors._hosting.generation import TypedGeneration
from rivet_runner.actors._hosting.offers import header_params
from rivet_runner.actors._hosting.refusals import Refusal, status_of
from rivet_runner.actors._wire.encodings import VERSION, Codec, Encoding, codec
from rivet_runner.errors import DecodeError
from rivet_runner.http import Request, Response

__all__ = ["answer"]

ENCODING: Final = "x-rivet-encoding"

ACTION: Final = "/action/"
RAW: Final = "/request"

_ENCODINGS: Final = {encoding.value: codec(encoding) for encoding in Encoding}
_DEFAULT: Final = codec(Encoding.JSON)


def answer(generation: TypedGeneration, request: Request) -> Coroutine[Any, Any, Response]:
    """Answer one request to the actor. To await the answer raises nothing but cancellation."""
    target, headers = request.wire_form()
    encoding = _ENCODINGS.get(headers.get(ENCODING, ""), _DEFAULT)
    path = target.partition("?")[0]
    if path.startswith(ACTION):
        return _answer_action(generation, request, headers, encoding, path[len(ACTION) :])
    return _answer_other(generation, request, headers, encoding, path)


def _failure(generation: TypedGeneration, encoding: Codec, request: Request, error: Exception) -> Response:
    told = generation.error_for(generation.for_caller(error, "the answer of an action"))
    body = encoding.encode_error(told, _version(encoding, request))
    return _response(encoding, body, status_of(told))


def _response(encoding: Codec, body: bytes, status: int = 200) -> Response:
    response = Response(body, status)
    response.headers["content-type"] = encoding.content_type
    return response


# Actions


async def _answer_action(
    generation: TypedGeneration, request: Request, headers: Mapping[str, str], encoding: Codec, segment: str
) -> Response:
    try:
        name, arguments, version = _call_in(generation, request, encoding, segment)
        params = header_params(generation.kind, headers)
        state = await generation.guard(params, request) if generation.kind.guards else {}
        _check_awake(generation)
        connection = HostedConnection(generation.connection_table, encoding, None, params, state)
        try:
            output = await generation.calls.run(connection, name, arguments)
        except Exception as error:
            raise generation.for_caller(error, f"action {name}") from error
        finally:
            generation.saving.soon()
        body = encoding.encode_action_response(output, version)
        generation.check_outgoing(body)
        return _response(encoding, body)
    except Exception as error:
        return _failure(generation, encoding, request, error)


def _call_in(generation: TypedGeneration, request: Request, encoding: Codec, segment: str) -> tuple[str, list[Any], int]:
    """The name of the action that ``request`` calls, the arguments, and the version of the answer. Raises a `Refusal`."""
    if not segment or "/" in segment:
        raise _not_found(request)
    _check_method(request, "POST")
    if len(request.body) > generation.kind.max_incoming:
        raise Refusal("message", "incoming_too_long", "Incoming message too long")
    try:
        name = unquote(segment, errors="strict") if "%" in segment else segment
        arguments, version = encoding.decode_action_request(request.body)
    except (DecodeError, UnicodeDecodeError) as error:
        raise Refusal("actor", "invalid_request", f"The request cannot be read: {error}") from None
    return name, arguments, version


def _version(encoding: Codec, request: Request) -> int:
    """The version of the protocol in which the client has asked."""
    if encoding.encoding is not Encoding.BARE:
        return VERSION
    try:
        return encoding.version_of(request.body)
    except DecodeError:
        return VERSION


# Other routes


async def _answer_other(
    generation: TypedGeneration, request: Request, headers: Mapping[str, str], encoding: Codec, path: str
) -> Response:
    try:
        if path == RAW or path.startswith(RAW + "/"):
            return await _raw_request(generation, request, headers)
        return _other(path, request)
    except Exception as error:
        return _failure(generation, encoding, request, error)


async def _raw_request(generation: TypedGeneration, request: Request, headers: Mapping[str, str]) -> Response:
    await generation.guard(header_params(generation.kind, headers), request)
    target, _ = request.wire_form()
    rest = target.removeprefix(RAW)
    inner = Request(request.method, rest if rest.startswith("/") else f"/{rest}", headers, request.body)
    _check_awake(generation)
    try:
        response: object = await generation.calls.run_hook(generation.instance.on_request(inner), "the request")
        if not isinstance(response, Response):
            raise TypeError(f"on_request must return a Response, not {type(response).__name__}")
    except Exception as error:
        raise generation.for_caller(error, "on_request") from error
    finally:
        generation.saving.soon()
    return response


def _other(path: str, request: Request) -> Response:
    if path.startswith("/queue/"):
        raise Refusal("queue", "unsupported", "This actor has no queues.")
    if path == "/health":
        _check_method(request, "GET")
        return Response("ok")
    if path == "/metadata":
        _check_method(request, "GET")
        return Response.json({"runtime": "rivet-runner", "type": "python"})
    if path == "/":
        _check_method(request, "GET")
        return Response("This is a Rivet actor.")
    raise _not_found(request)


def _check_awake(generation: TypedGeneration) -> None:
    """A change of the state that is made from now on would be lost."""
    if generation.is_stopping:
        raise Refusal("actor", "stopping", "The actor is stopping.")


def _check_method(request: Request, method: str) -> None:
    if request.method != method:
        text = f"{request.path} takes {method}, not {request.method}"
        raise Refusal("actor", "method_not_allowed", text)


def _not_found(request: Request) -> Refusal:
    return Refusal("actor", "not_found", f"Actor route '{request.path}' was not found.")
