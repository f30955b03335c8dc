# This file is generated from the schemas in protocol/clients by protocol/generate.py: change the schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The functions for those parts of a message that have the same bytes in several versions of the protocol."""

from __future__ import annotations

import collections.abc
import typing

from rivet_runner.protocol import _bare
from rivet_runner.protocol.clients.messages import (
    ActionRequest,
    ActionResponse,
    Event,
    HttpActionRequest,
    HttpActionResponse,
    SubscriptionRequest,
    ToServer,
)



_ONE_BYTE: typing.Final = _bare.ONE_BYTE


def read_action_response(buf: bytes, at: int, size: int) -> tuple[ActionResponse, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ActionResponse.id", 1))
    id_2 = buf[at]
    at += 1
    if id_2 > 127:
        id_2, at = _bare.read_long_uint(buf, at - 1, size, "ActionResponse.id")
    if at >= size:
        raise _bare.ends_early(at, size, ("ActionResponse.output", 1))
    output_size = buf[at]
    at += 1
    if output_size > 127:
        output_size, at = _bare.read_long_uint(buf, at - 1, size, "ActionResponse.output")
    end = at + output_size
    if end > size:
        raise _bare.runs_past_end("ActionResponse.output", output_size, at, size)
    output = buf[at:end]
    at = end
    return ActionResponse(id_2, output), at


def write_action_response_tag_2(out: list[bytes], message: ActionResponse) -> None:
    id_2 = message.id
    if type(id_2) is not int:
        id_2 = _bare.integer(id_2, "ActionResponse.id", "uint")
    output = message.output
    if type(output) is not bytes:
        output = _bare.data(output, "ActionResponse.output")
    output_size = len(output)
    out += (
        b"\x02",
        _ONE_BYTE[id_2] if 0 <= id_2 < 128 else _bare.write_uint(id_2, "ActionResponse.id"),
        _ONE_BYTE[output_size] if output_size < 128 else _bare.long_uint(output_size),
        output,
    )


def read_event(buf: bytes, at: int, size: int) -> tuple[Event, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("Event.name", 1))
    name_size = buf[at]
    at += 1
    if name_size > 127:
        name_size, at = _bare.read_long_uint(buf, at - 1, size, "Event.name")
    end = at + name_size
    if end > size:
        raise _bare.runs_past_end("Event.name", name_size, at, size)
    try:
        name = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("Event.name", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("Event.args", 1))
    args_size = buf[at]
    at += 1
    if args_size > 127:
        args_size, at = _bare.read_long_uint(buf, at - 1, size, "Event.args")
    end = at + args_size
    if end > size:
        raise _bare.runs_past_end("Event.args", args_size, at, size)
    args = buf[at:end]
    at = end
    return Event(name, args), at


def write_event_tag_3(out: list[bytes], message: Event) -> None:
    name = message.name
    if type(name) is not str:
        name = _bare.text(name, "Event.name")
    try:
        name_bytes = name.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("Event.name", error) from None
    name_size = len(name_bytes)
    args = message.args
    if type(args) is not bytes:
        args = _bare.data(args, "Event.args")
    args_size = len(args)
    out += (
        b"\x03",
        _ONE_BYTE[name_size] if name_size < 128 else _bare.long_uint(name_size),
        name_bytes,
        _ONE_BYTE[args_size] if args_size < 128 else _bare.long_uint(args_size),
        args,
    )


def read_action_request(buf: bytes, at: int, size: int) -> tuple[ActionRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ActionRequest.id", 1))
    id_2 = buf[at]
    at += 1
    if id_2 > 127:
        id_2, at = _bare.read_long_uint(buf, at - 1, size, "ActionRequest.id")
    if at >= size:
        raise _bare.ends_early(at, size, ("ActionRequest.name", 1))
    name_size = buf[at]
    at += 1
    if name_size > 127:
        name_size, at = _bare.read_long_uint(buf, at - 1, size, "ActionRequest.name")
    end = at + name_size
    if end > size:
        raise _bare.runs_past_end("ActionRequest.name", name_size, at, size)
    try:
        name = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ActionRequest.name", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ActionRequest.args", 1))
    args_size = buf[at]
    at += 1
    if args_size > 127:
        args_size, at = _bare.read_long_uint(buf, at - 1, size, "ActionRequest.args")
    end = at + args_size
    if end > size:
        raise _bare.runs_past_end("ActionRequest.args", args_size, at, size)
    args = buf[at:end]
    at = end
    return ActionRequest(id_2, name, args), at


def write_action_request_tag_0(out: list[bytes], message: ActionRequest) -> None:
    id_2 = message.id
    if type(id_2) is not int:
        id_2 = _bare.integer(id_2, "ActionRequest.id", "uint")
    name = message.name
    if type(name) is not str:
        name = _bare.text(name, "ActionRequest.name")
    try:
        name_bytes = name.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ActionRequest.name", error) from None
    name_size = len(name_bytes)
    args = message.args
    if type(args) is not bytes:
        args = _bare.data(args, "ActionRequest.args")
    args_size = len(args)
    out += (
        b"\x00",
        _ONE_BYTE[id_2] if 0 <= id_2 < 128 else _bare.write_uint(id_2, "ActionRequest.id"),
        _ONE_BYTE[name_size] if name_size < 128 else _bare.long_uint(name_size),
        name_bytes,
        _ONE_BYTE[args_size] if args_size < 128 else _bare.long_uint(args_size),
        args,
    )


def read_subscription_request(buf: bytes, at: int, size: int) -> tuple[SubscriptionRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("SubscriptionRequest.event_name", 1))
    event_name_size = buf[at]
    at += 1
    if event_name_size > 127:
        event_name_size, at = _bare.read_long_uint(buf, at - 1, size, "SubscriptionRequest.event_name")
    end = at + event_name_size
    if end > size:
        raise _bare.runs_past_end("SubscriptionRequest.event_name", event_name_size, at, size)
    try:
        event_name = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("SubscriptionRequest.event_name", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("SubscriptionRequest.subscribe", 1))
    subscribe = buf[at]
    at += 1
    if subscribe > 1:
        raise _bare.bad_bool("SubscriptionRequest.subscribe", subscribe, at - 1)
    return SubscriptionRequest(event_name, subscribe == 1), at


def write_subscription_request_tag_1(out: list[bytes], message: SubscriptionRequest) -> None:
    event_name = message.event_name
    if type(event_name) is not str:
        event_name = _bare.text(event_name, "SubscriptionRequest.event_name")
    try:
        event_name_bytes = event_name.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("SubscriptionRequest.event_name", error) from None
    event_name_size = len(event_name_bytes)
    subscribe = message.subscribe
    if subscribe is not True and subscribe is not False:
        raise _bare.boolean(subscribe, "SubscriptionRequest.subscribe")
    out += (
        b"\x01",
        _ONE_BYTE[event_name_size] if event_name_size < 128 else _bare.long_uint(event_name_size),
        event_name_bytes,
        b"\x01" if subscribe else b"\x00",
    )


def read_http_action_request(buf: bytes, at: int, size: int) -> tuple[HttpActionRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("HttpActionRequest.args", 1))
    args_size = buf[at]
    at += 1
    if args_size > 127:
        args_size, at = _bare.read_long_uint(buf, at - 1, size, "HttpActionRequest.args")
    end = at + args_size
    if end > size:
        raise _bare.runs_past_end("HttpActionRequest.args", args_size, at, size)
    args = buf[at:end]
    at = end
    return HttpActionRequest(args), at


def write_http_action_request(out: list[bytes], message: HttpActionRequest) -> None:
    args = message.args
    if type(args) is not bytes:
        args = _bare.data(args, "HttpActionRequest.args")
    args_size = len(args)
    out += (_ONE_BYTE[args_size] if args_size < 128 else _bare.long_uint(args_size), args)


def read_http_action_response(buf: bytes, at: int, size: int) -> tuple[HttpActionResponse, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("HttpActionResponse.output", 1))
    output_size = buf[at]
    at += 1
    if output_size > 127:
        output_size, at = _bare.read_long_uint(buf, at - 1, size, "HttpActionResponse.output")
    end = at + output_size
    if end > size:
        raise _bare.runs_past_end("HttpActionResponse.output", output_size, at, size)
    output = buf[at:end]
    at = end
    return HttpActionResponse(output), at


def write_http_action_response(out: list[bytes], message: HttpActionResponse) -> None:
    output = message.output
    if type(output) is not bytes:
        output = _bare.data(output, "HttpActionResponse.output")
    output_size = len(output)
    out += (_ONE_BYTE[output_size] if output_size < 128 else _bare.long_uint(output_size), output)


TO_SERVER_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToServer, int]], ...]] = (
    read_action_request,
    read_subscription_request,
)


TO_SERVER_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ActionRequest: write_action_request_tag_0,
    SubscriptionRequest: write_subscription_request_tag_1,
}
