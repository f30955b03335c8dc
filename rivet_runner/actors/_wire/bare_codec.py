"""BARE: the version in two bytes, and a message of `rivet_runner.protocol.clients`, with values in CBOR."""

from __future__ import annotations

from typing import Any, Final

from rivet_runner.actors._wire.codec import VERSION, VERSIONS, Codec, Encoding
from rivet_runner.actors._wire.envelopes import args_of
from rivet_runner.actors._wire.messages import (
    ActionRequest,
    ActionResponse,
    ActorSpecifier,
    Error,
    Event,
    Init,
    SubscriptionRequest,
    ToClient,
    ToServer,
)
from rivet_runner.actors._wire.values import dump_cbor, load_cbor
from rivet_runner.errors import DecodeError
from rivet_runner.protocol.clients import v1, v2, v4

__all__ = ["BareCodec"]

_HEADS: Final = {version: version.to_bytes(2, "little") for version in VERSIONS}
_HEAD: Final = _HEADS[VERSION]
_VERSION_OF: Final = {head: version for version, head in _HEADS.items()}


class BareCodec(Codec):
    """BARE, the smallest, and what JavaScript's clients use if they are not told otherwise."""

    encoding = Encoding.BARE
    content_type = "application/octet-stream"

    def version_of(self, body: bytes) -> int:
        return _version(body)

    def encode_to_client(self, message: ToClient, version: int = VERSION) -> bytes:
        if isinstance(message, ActionResponse):
            body = v4.encode_to_client(v4.ActionResponse(message.id, dump_cbor(message.output)))
        elif isinstance(message, Event):
            body = v4.encode_to_client(v4.Event(message.name, dump_cbor(message.args)))
        elif isinstance(message, Init):
            body = _init(message, version)
        else:
            body = _error(message, version)
        return _HEADS[version] + body

    def decode_to_client(self, data: str | bytes) -> ToClient:
        data = _bytes(data)
        version, body = _version(data), data[2:]
        message: v1.ToClient | v2.ToClient | v4.ToClient
        if version == 1:
            message = v1.decode_to_client(body)
        else:
            message = v4.decode_to_client(body) if version == VERSION else v2.decode_to_client(body)
        if isinstance(message, v4.ActionResponse):
            return ActionResponse(message.id, load_cbor(message.output))
        if isinstance(message, v4.Event):
            return Event(message.name, _args(message.args))
        if isinstance(message, v1.Init | v2.Init | v4.Init):
            return Init(message.actor_id, message.connection_id)
        return _error_of(message, message.action_id)

    def encode_to_server(self, message: ToServer) -> bytes:
        if isinstance(message, ActionRequest):
            return _HEAD + v4.encode_to_server(v4.ActionRequest(message.id, message.name, dump_cbor(message.args)))
        return _HEAD + v4.encode_to_server(v4.SubscriptionRequest(message.event_name, message.subscribe))

    def decode_to_server(self, data: str | bytes) -> ToServer:
        message = v4.decode_to_server(_body(_bytes(data)))
        if isinstance(message, v4.ActionRequest):
            return ActionRequest(message.id, message.name, _args(message.args))
        return SubscriptionRequest(message.event_name, message.subscribe)

    def encode_action_request(self, args: list[Any]) -> bytes:
        return _HEAD + v4.encode_http_action_request(v4.HttpActionRequest(dump_cbor(args)))

    def decode_action_request(self, body: bytes) -> tuple[list[Any], int]:
        version = _version(body)
        return _args(v4.decode_http_action_request(body[2:]).args), version

    def encode_action_response(self, output: Any, version: int = VERSION) -> bytes:
        return _HEADS[version] + v4.encode_http_action_response(v4.HttpActionResponse(dump_cbor(output)))

    def decode_action_response(self, body: bytes) -> Any:
        return load_cbor(v4.decode_http_action_response(_body(body)).output)

    def encode_error(self, error: Error, version: int = VERSION) -> bytes:
        parts = (error.group, error.code, error.message, _metadata(error))
        if version == VERSION:
            body = v4.encode_http_response_error(v4.HttpResponseError(*parts, _actor(error)))
        else:
            body = v2.encode_http_response_error(v2.HttpResponseError(*parts))
        return _HEADS[version] + body

    def decode_error(self, body: bytes) -> Error:
        if _version(body) == VERSION:
            return _error_of(v4.decode_http_response_error(body[2:]), None)
        return _error_of(v2.decode_http_response_error(body[2:]), None)


def _bytes(data: str | bytes) -> bytes:
    if isinstance(data, str):
        raise DecodeError("a message in BARE is bytes, not text")
    return data


def _version(data: bytes) -> int:
    version = _VERSION_OF.get(data[:2])
    if version is None:
        raise DecodeError(f"the message does not begin with a version from 1 to {VERSION}")
    return version


def _body(data: bytes) -> bytes:
    """A message that is alike in all versions, without its version."""
    if data[:2] != _HEAD:
        _version(data)
    return data[2:]


def _args(data: bytes) -> list[Any]:
    value = load_cbor(data)
    return value if type(value) is list else args_of({"args": value})


def _init(init: Init, version: int) -> bytes:
    if version == 1:
        return v1.encode_to_client(v1.Init(init.actor_id, init.connection_id, ""))
    return v4.encode_to_client(v4.Init(init.actor_id, init.connection_id))


def _error(error: Error, version: int) -> bytes:
    parts = (error.group, error.code, error.message, _metadata(error), error.action_id)
    if version == VERSION:
        return v4.encode_to_client(v4.Error(*parts, _actor(error)))
    return v2.encode_to_client(v2.Error(*parts))


def _metadata(error: Error) -> bytes | None:
    return None if error.metadata is None else dump_cbor(error.metadata)


def _actor(error: Error) -> v4.ActorSpecifier | None:
    actor = error.actor
    return None if actor is None else v4.ActorSpecifier(actor.actor_id, actor.generation, actor.key)


def _error_of(
    error: v1.Error | v2.Error | v4.Error | v2.HttpResponseError | v4.HttpResponseError, action_id: int | None
) -> Error:
    metadata = None if error.metadata is None else load_cbor(error.metadata)
    actor = error.actor if isinstance(error, v4.Error | v4.HttpResponseError) else None
    specifier = None if actor is None else ActorSpecifier(actor.actor_id, actor.generation, actor.key)
    return Error(error.group, error.code, error.message, metadata, action_id, specifier)
