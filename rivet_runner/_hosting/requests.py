"""One HTTP exchange: from the engine's request to exactly one answer.

The gateway uses only the first piece of a response, so there is no streaming: an answer is always one complete message.
"""

from __future__ import annotations

import asyncio
from typing import Final

from rivet_runner._hosting.generation_state import GenerationState
from rivet_runner._hosting.services import Services
from rivet_runner._observing.observer import RequestObservation
from rivet_runner._tasks import is_being_cancelled
from rivet_runner.http import Request, Response, wire_headers
from rivet_runner.protocol.messages import ToServerResponseStart, ToServerTunnelMessage
from rivet_runner.protocol.tunnel_ids import message_id

__all__ = ["ACTOR_NOT_HERE", "ACTOR_OVERLOADED", "CLIENT_GONE", "UPLOAD_TOO_LARGE", "answer_with", "serve"]

MAX_HEADER_BYTES: Final = 256 * 1024
"""Bytes of a response's headers. They count towards the size that the engine accepts for one message."""

CLIENT_GONE: Final = "the client has gone"
"""The message with which an exchange is cancelled whose answer reaches no one."""

ACTOR_NOT_HERE: Final = Response("the actor is not on this runner", status=503)
ACTOR_OVERLOADED: Final = Response("too many requests are waiting for this actor", status=503)
UPLOAD_TOO_LARGE: Final = Response("the request body is too large", status=413)
_STOPPED_MEANWHILE: Final = Response("the actor stopped before it had answered", status=503)
_START_FAILED: Final = Response("the actor failed to start", status=503)
_HOOK_FAILED: Final = Response("internal error", status=500)
_TOO_LARGE: Final = Response("the response is too large", status=500)


async def serve(state: GenerationState, key: bytes, request: Request) -> None:
    """Answer one request: with the hook's response, or with an error that gives the client no details.

    Cancelling (the actor's stop has no time left, or the client has gone) answers 503.
    """
    with state.services.observer.request(state.actor, request) as seen:
        try:
            if await state.wait_started():
                response = await _call_hook(state, request, seen)
            else:
                response = _START_FAILED
        except asyncio.CancelledError as error:
            if error.args != (CLIENT_GONE,):
                seen.status = _STOPPED_MEANWHILE.status
            if not state.cut_off:
                state.services.uplink.answer_now(_encode(key, _STOPPED_MEANWHILE))
            raise
        answer, seen.status = _message(state, key, request, response)
        if not state.cut_off:
            await state.services.uplink.send_answer(answer)


def answer_with(services: Services, key: bytes, response: Response) -> None:
    """Answer a request that reaches no hook, with one of the small responses of this module."""
    services.observer.refused(response.status)
    services.uplink.answer_now(_encode(key, response))


async def _call_hook(state: GenerationState, request: Request, seen: RequestObservation) -> Response:
    try:
        response: object = await state.services.hooks.fetch(state.actor, request)
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
            raise
        seen.error = error
        state.actor.log.exception("fetch raised on %s %s; the client gets a 500", request.method, request.path)
        return _HOOK_FAILED
    if not isinstance(response, Response):
        state.actor.log.error(
            "fetch returned %s for %s %s and must return a Response; the client gets a 500",
            type(response).__name__,
            request.method,
            request.path,
        )
        return _HOOK_FAILED
    return response


def _message(state: GenerationState, key: bytes, request: Request, response: Response) -> tuple[ToServerTunnelMessage, int]:
    """The answer as it is sent, and its status: that of an error if ``response`` cannot be sent."""
    limit = state.services.config.max_payload
    if len(response.body) > limit:
        state.actor.log.error(
            "the response to %s %s has %d bytes, over max_payload (%d); the client gets a 500",
            request.method,
            request.path,
            len(response.body),
            limit,
        )
        response = _TOO_LARGE
    try:
        return _encode(key, response), response.status
    except (TypeError, ValueError) as error:
        state.actor.log.error(
            "the response to %s %s cannot be sent (%s); the client gets a 500", request.method, request.path, error
        )
        return _encode(key, _HOOK_FAILED), _HOOK_FAILED.status


def _encode(key: bytes, response: Response) -> ToServerTunnelMessage:
    headers = wire_headers(response.headers)
    size = sum(len(name) + len(value) for name, value in headers.items())
    if size > MAX_HEADER_BYTES:
        raise ValueError(f"the headers have {size} characters, more than {MAX_HEADER_BYTES}")
    return ToServerTunnelMessage(
        message_id(key, 0),
        ToServerResponseStart(response.status, headers, response.body or None, False),
    )
