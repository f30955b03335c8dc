"""JSON: text that begins with ``{"body":``, with ids as ``["$BigInt", "1"]``."""

from __future__ import annotations

from typing import Any

from rivet_runner.actors._wire.codec import VERSION, Codec, Encoding
from rivet_runner.actors._wire.envelopes import args_of, error_of, field_of, to_client_of, to_server_of
from rivet_runner.actors._wire.messages import (
    ActionResponse,
    Error,
    Event,
    Init,
    SubscriptionRequest,
    ToClient,
    ToServer,
)
from rivet_runner.actors._wire.values import dump_json, load_json, load_raw_json, may_have_escapes

__all__ = ["JsonCodec"]


class JsonCodec(Codec):
    """JSON, which a browser's tools can read."""

    encoding = Encoding.JSON
    content_type = "application/json"

    def encode_to_client(self, message: ToClient, version: int = VERSION) -> str:
        if isinstance(message, ActionResponse):
            fields = f'{{"id":["$BigInt","{message.id}"],"output":{_text(message.output)}}}'
        elif isinstance(message, Event):
            fields = f'{{"name":{_text(message.name)},"args":{_text(message.args)}}}'
        elif isinstance(message, Init):
            fields = _object(actorId=message.actor_id, connectionId=message.connection_id)
        else:
            action_id = "null" if message.action_id is None else f'["$BigInt","{message.action_id}"]'
            fields = f'{_error(message)[:-1]},"actionId":{action_id}}}'
        return f'{{"body":{{"tag":"{type(message).__name__}","val":{fields}}}}}'

    def decode_to_client(self, data: str | bytes) -> ToClient:
        return to_client_of(load_raw_json(data), _escapes(data))

    def encode_to_server(self, message: ToServer) -> str:
        if isinstance(message, SubscriptionRequest):
            fields = _object(eventName=message.event_name, subscribe=message.subscribe)
        else:
            fields = f'{{"id":["$BigInt","{message.id}"],"name":{_text(message.name)},"args":{_text(message.args)}}}'
        return f'{{"body":{{"tag":"{type(message).__name__}","val":{fields}}}}}'

    def decode_to_server(self, data: str | bytes) -> ToServer:
        return to_server_of(load_raw_json(data), _escapes(data))

    def encode_action_request(self, args: list[Any]) -> bytes:
        return b'{"args":%b}' % dump_json(args)

    def decode_action_request(self, body: bytes) -> tuple[list[Any], int]:
        return args_of(load_json(body)), VERSION

    def encode_action_response(self, output: Any, version: int = VERSION) -> bytes:
        return b'{"output":%b}' % dump_json(output)

    def decode_action_response(self, body: bytes) -> Any:
        return field_of(load_json(body), "output", object, None)

    def encode_error(self, error: Error, version: int = VERSION) -> bytes:
        return _error(error).encode()

    def decode_error(self, body: bytes) -> Error:
        return error_of(load_json(body))


def _escapes(data: str | bytes) -> int:
    """How many texts may begin an escape."""
    if not may_have_escapes(data):
        return 0
    text = data if isinstance(data, str) else data.decode()
    # A $ may be written as an escape of JSON itself.
    return text.count('"$') + text.count("\\u0024")


def _text(value: Any) -> str:
    return dump_json(value).decode()


def _object(**fields: Any) -> str:
    return _text(fields)


def _error(error: Error) -> str:
    fields = _object(group=error.group, code=error.code, message=error.message)
    if error.metadata is not None:
        fields = f'{fields[:-1]},"metadata":{_text(error.metadata)}}}'
    if error.actor is not None:
        actor = {"actorId": error.actor.actor_id, "generation": error.actor.generation}
        if error.actor.key is not None:
            actor["key"] = error.actor.key
        fields = f'{fields[:-1]},"actor":{_text(actor)}}}'
    return fields
