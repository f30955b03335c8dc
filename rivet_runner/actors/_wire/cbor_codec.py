"""CBOR: a map with ``body``, with ids in the form of eight bytes, which is a bigint for JavaScript.

JavaScript's clients send CBOR as it is, and look for escapes in what they get. So what goes to the server has no escapes.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

from rivet_runner.actors._wire.codec import VERSION, Codec, Encoding
from rivet_runner.actors._wire.envelopes import args_of, error_of, field_of, to_client_of, to_server_of
from rivet_runner.actors._wire.messages import (
    ActionResponse,
    ActorSpecifier,
    Error,
    Event,
    Init,
    SubscriptionRequest,
    ToClient,
    ToServer,
)
from rivet_runner.actors._wire.values import dump_cbor, dump_native_cbor, load_cbor, load_native_cbor
from rivet_runner.errors import DecodeError

__all__ = ["CborCodec"]


class CborCodec(Codec):
    """CBOR, with the names of all fields."""

    encoding = Encoding.CBOR
    content_type = "application/octet-stream"

    def encode_to_client(self, message: ToClient, version: int = VERSION) -> bytes:
        if isinstance(message, ActionResponse):
            return b"%b%b%b%b" % (_RESPONSE, _long(message.id), _OUTPUT, dump_cbor(message.output))
        if isinstance(message, Event):
            return b"%b%b%b%b" % (_EVENT, _text(message.name), _ARGS, dump_cbor(message.args))
        if isinstance(message, Init):
            return _INIT + _fields(actorId=_text(message.actor_id), connectionId=_text(message.connection_id))
        action_id = b"\xf6" if message.action_id is None else _long(message.action_id)
        return _ERROR + _fields(**_error(message), actionId=action_id)

    def decode_to_client(self, data: str | bytes) -> ToClient:
        data = _bytes(data)
        return to_client_of(load_native_cbor(data), data.count(b"$"))

    def encode_to_server(self, message: ToServer) -> bytes:
        if isinstance(message, SubscriptionRequest):
            return _SUBSCRIPTION + _fields(eventName=_text(message.event_name), subscribe=cbor2.dumps(message.subscribe))
        fields = _fields(id=_long(message.id), name=_text(message.name), args=dump_native_cbor(message.args))
        return _REQUEST + fields

    def decode_to_server(self, data: str | bytes) -> ToServer:
        return to_server_of(load_native_cbor(_bytes(data)))

    def encode_action_request(self, args: list[Any]) -> bytes:
        return _fields(args=dump_native_cbor(args))

    def decode_action_request(self, body: bytes) -> tuple[list[Any], int]:
        return args_of(load_native_cbor(body)), VERSION

    def encode_action_response(self, output: Any, version: int = VERSION) -> bytes:
        return _fields(output=dump_cbor(output))

    def decode_action_response(self, body: bytes) -> Any:
        return field_of(load_cbor(body), "output", object, None)

    def encode_error(self, error: Error, version: int = VERSION) -> bytes:
        return _fields(**_error(error))

    def decode_error(self, body: bytes) -> Error:
        return error_of(load_cbor(body))


def _bytes(data: str | bytes) -> bytes:
    if isinstance(data, str):
        raise DecodeError("a message in CBOR is bytes, not text")
    return data


def _text(text: str) -> bytes:
    return cbor2.dumps(text)


def _long(number: int) -> bytes:
    """An integer in the form of eight bytes."""
    return b"\x1b" + number.to_bytes(8, "big")


def _fields(**fields: bytes) -> bytes:
    """A map of up to 23 fields, whose values are encoded already."""
    parts = [bytes([0xA0 + len(fields)])]
    for name, value in fields.items():
        parts += (_text(name), value)
    return b"".join(parts)


def _error(error: Error) -> dict[str, bytes]:
    fields = {"group": _text(error.group), "code": _text(error.code), "message": _text(error.message)}
    if error.metadata is not None:
        fields["metadata"] = dump_cbor(error.metadata)
    if error.actor is not None:
        fields["actor"] = _actor(error.actor)
    return fields


def _actor(actor: ActorSpecifier) -> bytes:
    fields = {"actorId": _text(actor.actor_id), "generation": cbor2.dumps(actor.generation)}
    if actor.key is not None:
        fields["key"] = _text(actor.key)
    return _fields(**fields)


def _head(tag: str) -> bytes:
    """A message up to its fields."""
    return b"\xa1%b\xa2%b%b%b" % (_text("body"), _text("tag"), _text(tag), _text("val"))


_INIT: Final = _head("Init")
_ERROR: Final = _head("Error")
_REQUEST: Final = _head("ActionRequest")
_SUBSCRIPTION: Final = _head("SubscriptionRequest")
_OUTPUT: Final = _text("output")
_ARGS: Final = _text("args")
_RESPONSE: Final = _head("ActionResponse") + b"\xa2" + _text("id")
_EVENT: Final = _head("Event") + b"\xa2" + _text("name")
