# This file is generated from the schemas in protocol by protocol/generate.py: change the schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The functions for those parts of a message that have the same bytes in several versions of the protocol."""

from __future__ import annotations

import collections.abc
import struct
import typing

from rivet_runner.protocol import _bare
from rivet_runner.protocol.messages import (
    ActorConfig,
    ActorIntent,
    ActorIntentSleep,
    ActorIntentStop,
    ActorName,
    ActorState,
    ActorStateRunning,
    ActorStateStopped,
    KvDeleteRequest,
    KvDeleteResponse,
    KvDropRequest,
    KvDropResponse,
    KvErrorResponse,
    KvGetRequest,
    KvListAllQuery,
    KvListPrefixQuery,
    KvListQuery,
    KvListRangeQuery,
    KvListRequest,
    KvPutRequest,
    KvPutResponse,
    StopCode,
    ToClientRequestAbort,
    ToClientRequestChunk,
    ToClientRequestStart,
    ToClientWebSocketClose,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerResponseAbort,
    ToServerResponseChunk,
    ToServerResponseStart,
    ToServerStopping,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)



_ONE_BYTE: typing.Final = _bare.ONE_BYTE
_UNPACK_FROM_BB: typing.Final = struct.Struct("<BB").unpack_from
_UNPACK_FROM_H: typing.Final = struct.Struct("<H").unpack_from
_UNPACK_FROM_HB: typing.Final = struct.Struct("<HB").unpack_from
_UNPACK_FROM_Q: typing.Final = struct.Struct("<Q").unpack_from
_UNPACK_FROM_qB: typing.Final = struct.Struct("<qB").unpack_from
_PACK_Bbool: typing.Final = struct.Struct("<B?").pack
_PACK_BH: typing.Final = struct.Struct("<BH").pack
_PACK_BQ: typing.Final = struct.Struct("<BQ").pack
_PACK_H: typing.Final = struct.Struct("<H").pack
_PACK_q: typing.Final = struct.Struct("<q").pack
KV_LIST_ALL_QUERY_VALUE: typing.Final = KvListAllQuery()
KV_DROP_REQUEST_VALUE: typing.Final = KvDropRequest()
KV_PUT_RESPONSE_VALUE: typing.Final = KvPutResponse()
KV_DELETE_RESPONSE_VALUE: typing.Final = KvDeleteResponse()
KV_DROP_RESPONSE_VALUE: typing.Final = KvDropResponse()
ACTOR_INTENT_SLEEP_VALUE: typing.Final = ActorIntentSleep()
ACTOR_INTENT_STOP_VALUE: typing.Final = ActorIntentStop()
STOP_CODE_VALUES: typing.Final = {0: StopCode.OK, 1: StopCode.ERROR}
ACTOR_STATE_RUNNING_VALUE: typing.Final = ActorStateRunning()
TO_SERVER_RESPONSE_ABORT_VALUE: typing.Final = ToServerResponseAbort()
TO_CLIENT_REQUEST_ABORT_VALUE: typing.Final = ToClientRequestAbort()
TO_SERVER_STOPPING_VALUE: typing.Final = ToServerStopping()


def read_kv_get_request(buf: bytes, at: int, size: int) -> tuple[KvGetRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvGetRequest.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvGetRequest.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvGetRequest.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvGetRequest.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvGetRequest.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvGetRequest.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    return KvGetRequest(keys), at


def write_kv_get_request(out: list[bytes], message: KvGetRequest) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvGetRequest.keys")
    keys_count = len(keys)
    out.append(_ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvGetRequest.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )


def read_kv_list_all_query(buf: bytes, at: int, size: int) -> tuple[KvListAllQuery, int]:
    return KV_LIST_ALL_QUERY_VALUE, at


def write_kv_list_all_query(out: list[bytes], message: KvListAllQuery) -> None:
    pass


def read_kv_list_range_query(buf: bytes, at: int, size: int) -> tuple[KvListRangeQuery, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRangeQuery.start", 1))
    start_size = buf[at]
    at += 1
    if start_size > 127:
        start_size, at = _bare.read_long_uint(buf, at - 1, size, "KvListRangeQuery.start")
    end = at + start_size
    if end > size:
        raise _bare.runs_past_end("KvListRangeQuery.start", start_size, at, size)
    start = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRangeQuery.end", 1))
    end_size = buf[at]
    at += 1
    if end_size > 127:
        end_size, at = _bare.read_long_uint(buf, at - 1, size, "KvListRangeQuery.end")
    end = at + end_size
    if end > size:
        raise _bare.runs_past_end("KvListRangeQuery.end", end_size, at, size)
    end_2 = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRangeQuery.exclusive", 1))
    exclusive = buf[at]
    at += 1
    if exclusive > 1:
        raise _bare.bad_bool("KvListRangeQuery.exclusive", exclusive, at - 1)
    return KvListRangeQuery(start, end_2, exclusive == 1), at


def write_kv_list_range_query(out: list[bytes], message: KvListRangeQuery) -> None:
    start = message.start
    if type(start) is not bytes:
        start = _bare.data(start, "KvListRangeQuery.start")
    start_size = len(start)
    end_2 = message.end
    if type(end_2) is not bytes:
        end_2 = _bare.data(end_2, "KvListRangeQuery.end")
    end_2_size = len(end_2)
    exclusive = message.exclusive
    if exclusive is not True and exclusive is not False:
        raise _bare.boolean(exclusive, "KvListRangeQuery.exclusive")
    out += (
        _ONE_BYTE[start_size] if start_size < 128 else _bare.long_uint(start_size),
        start,
        _ONE_BYTE[end_2_size] if end_2_size < 128 else _bare.long_uint(end_2_size),
        end_2,
        b"\x01" if exclusive else b"\x00",
    )


def read_kv_list_prefix_query(buf: bytes, at: int, size: int) -> tuple[KvListPrefixQuery, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListPrefixQuery.key", 1))
    key_size = buf[at]
    at += 1
    if key_size > 127:
        key_size, at = _bare.read_long_uint(buf, at - 1, size, "KvListPrefixQuery.key")
    end = at + key_size
    if end > size:
        raise _bare.runs_past_end("KvListPrefixQuery.key", key_size, at, size)
    key = buf[at:end]
    at = end
    return KvListPrefixQuery(key), at


def write_kv_list_prefix_query(out: list[bytes], message: KvListPrefixQuery) -> None:
    key = message.key
    if type(key) is not bytes:
        key = _bare.data(key, "KvListPrefixQuery.key")
    key_size = len(key)
    out += (_ONE_BYTE[key_size] if key_size < 128 else _bare.long_uint(key_size), key)


def read_kv_list_request(buf: bytes, at: int, size: int) -> tuple[KvListRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRequest.query", 1))
    query_tag = buf[at]
    at += 1
    try:
        read_query = KV_LIST_QUERY_READERS[query_tag]
    except LookupError:
        raise _bare.unknown_value("KvListRequest.query", "KvListQuery", query_tag, at - 1) from None
    query, at = read_query(buf, at, size)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRequest.reverse", 1))
    reverse_given = buf[at]
    at += 1
    reverse: bool | None = None
    if reverse_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("KvListRequest.reverse", 1))
        reverse_value = buf[at]
        at += 1
        if reverse_value > 1:
            raise _bare.bad_bool("KvListRequest.reverse", reverse_value, at - 1)
        reverse = reverse_value == 1
    elif reverse_given:
        raise _bare.bad_bool("KvListRequest.reverse", reverse_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRequest.limit", 1))
    limit_given = buf[at]
    at += 1
    limit: int | None = None
    if limit_given == 1:
        if at + 8 > size:
            raise _bare.ends_early(at, size, ("KvListRequest.limit", 8))
        (limit_value,) = _UNPACK_FROM_Q(buf, at)
        at += 8
        limit = limit_value
    elif limit_given:
        raise _bare.bad_bool("KvListRequest.limit", limit_given, at - 1)
    return KvListRequest(query, reverse, limit), at


def write_kv_list_request(out: list[bytes], message: KvListRequest) -> None:
    query = message.query
    try:
        query_tag, write_query = KV_LIST_QUERY_WRITERS[type(query)]
    except KeyError:
        raise _bare.wrong_type("KvListRequest.query", "a member of KvListQuery", query) from None
    out.append(_ONE_BYTE[query_tag])
    write_query(out, query)
    reverse = message.reverse
    if reverse is None:
        out.append(b"\x00")
    else:
        if reverse is not True and reverse is not False:
            raise _bare.boolean(reverse, "KvListRequest.reverse")
        packed = _PACK_Bbool(1, reverse)
        out.append(packed)
    limit = message.limit
    if limit is None:
        out.append(b"\x00")
    else:
        if type(limit) is not int:
            limit = _bare.integer(limit, "KvListRequest.limit", "u64")
        try:
            packed_2 = _PACK_BQ(1, limit)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("KvListRequest.limit", "u64", limit)) from None
        out.append(packed_2)


def read_kv_put_request(buf: bytes, at: int, size: int) -> tuple[KvPutRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvPutRequest.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvPutRequest.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvPutRequest.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvPutRequest.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvPutRequest.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvPutRequest.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvPutRequest.values", 1))
    values_count = buf[at]
    at += 1
    if values_count > 127:
        values_count, at = _bare.read_long_uint(buf, at - 1, size, "KvPutRequest.values")
    if values_count > size - at:
        raise _bare.list_runs_past_end("KvPutRequest.values", values_count, 1, at, size)
    values: list[bytes] = []
    for _ in range(values_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvPutRequest.values[{len(values)}]", 1))
        values_item_size = buf[at]
        at += 1
        if values_item_size > 127:
            values_item_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"KvPutRequest.values[{len(values)}]",
            )
        end = at + values_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvPutRequest.values[{len(values)}]", values_item_size, at, size)
        values_item = buf[at:end]
        at = end
        values.append(values_item)
    return KvPutRequest(keys, values), at


def write_kv_put_request(out: list[bytes], message: KvPutRequest) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvPutRequest.keys")
    keys_count = len(keys)
    out.append(_ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvPutRequest.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )
    values = message.values
    if type(values) is not list and type(values) is not tuple:
        values = _bare.sequence(values, "KvPutRequest.values")
    values_count = len(values)
    out.append(_ONE_BYTE[values_count] if values_count < 128 else _bare.long_uint(values_count))
    for values_index, values_item in enumerate(values):
        if type(values_item) is not bytes:
            values_item = _bare.data(values_item, f"KvPutRequest.values[{values_index}]")
        values_item_size = len(values_item)
        out += (
            _ONE_BYTE[values_item_size] if values_item_size < 128 else _bare.long_uint(values_item_size),
            values_item,
        )


def read_kv_delete_request(buf: bytes, at: int, size: int) -> tuple[KvDeleteRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvDeleteRequest.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvDeleteRequest.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvDeleteRequest.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvDeleteRequest.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvDeleteRequest.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvDeleteRequest.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    return KvDeleteRequest(keys), at


def write_kv_delete_request(out: list[bytes], message: KvDeleteRequest) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvDeleteRequest.keys")
    keys_count = len(keys)
    out.append(_ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvDeleteRequest.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )


def read_kv_drop_request(buf: bytes, at: int, size: int) -> tuple[KvDropRequest, int]:
    return KV_DROP_REQUEST_VALUE, at


def write_kv_drop_request(out: list[bytes], message: KvDropRequest) -> None:
    pass


def read_kv_error_response(buf: bytes, at: int, size: int) -> tuple[KvErrorResponse, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvErrorResponse.message", 1))
    message_size = buf[at]
    at += 1
    if message_size > 127:
        message_size, at = _bare.read_long_uint(buf, at - 1, size, "KvErrorResponse.message")
    end = at + message_size
    if end > size:
        raise _bare.runs_past_end("KvErrorResponse.message", message_size, at, size)
    try:
        message_2 = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("KvErrorResponse.message", at, error) from None
    at = end
    return KvErrorResponse(message_2), at


def write_kv_error_response(out: list[bytes], message: KvErrorResponse) -> None:
    message_2 = message.message
    if type(message_2) is not str:
        message_2 = _bare.text(message_2, "KvErrorResponse.message")
    try:
        message_2_bytes = message_2.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("KvErrorResponse.message", error) from None
    message_2_size = len(message_2_bytes)
    out += (
        _ONE_BYTE[message_2_size] if message_2_size < 128 else _bare.long_uint(message_2_size),
        message_2_bytes,
    )


def read_kv_put_response(buf: bytes, at: int, size: int) -> tuple[KvPutResponse, int]:
    return KV_PUT_RESPONSE_VALUE, at


def write_kv_put_response(out: list[bytes], message: KvPutResponse) -> None:
    pass


def read_kv_delete_response(buf: bytes, at: int, size: int) -> tuple[KvDeleteResponse, int]:
    return KV_DELETE_RESPONSE_VALUE, at


def write_kv_delete_response(out: list[bytes], message: KvDeleteResponse) -> None:
    pass


def read_kv_drop_response(buf: bytes, at: int, size: int) -> tuple[KvDropResponse, int]:
    return KV_DROP_RESPONSE_VALUE, at


def write_kv_drop_response(out: list[bytes], message: KvDropResponse) -> None:
    pass


def read_actor_intent_sleep(buf: bytes, at: int, size: int) -> tuple[ActorIntentSleep, int]:
    return ACTOR_INTENT_SLEEP_VALUE, at


def write_actor_intent_sleep(out: list[bytes], message: ActorIntentSleep) -> None:
    pass


def read_actor_intent_stop(buf: bytes, at: int, size: int) -> tuple[ActorIntentStop, int]:
    return ACTOR_INTENT_STOP_VALUE, at


def write_actor_intent_stop(out: list[bytes], message: ActorIntentStop) -> None:
    pass


def read_actor_state_running(buf: bytes, at: int, size: int) -> tuple[ActorStateRunning, int]:
    return ACTOR_STATE_RUNNING_VALUE, at


def write_actor_state_running(out: list[bytes], message: ActorStateRunning) -> None:
    pass


def read_actor_state_stopped(buf: bytes, at: int, size: int) -> tuple[ActorStateStopped, int]:
    if at + 2 > size:
        raise _bare.ends_early(at, size, ("ActorStateStopped.code", 1), ("ActorStateStopped.message", 1))
    code_number, message_given = _UNPACK_FROM_BB(buf, at)
    at += 2
    try:
        code = STOP_CODE_VALUES[code_number]
    except LookupError:
        raise _bare.unknown_value("ActorStateStopped.code", "StopCode", code_number, at - 2) from None
    message_2: str | None = None
    if message_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ActorStateStopped.message", 1))
        message_value_size = buf[at]
        at += 1
        if message_value_size > 127:
            message_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorStateStopped.message")
        end = at + message_value_size
        if end > size:
            raise _bare.runs_past_end("ActorStateStopped.message", message_value_size, at, size)
        try:
            message_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ActorStateStopped.message", at, error) from None
        at = end
        message_2 = message_value
    elif message_given:
        raise _bare.bad_bool("ActorStateStopped.message", message_given, at - 1)
    return ActorStateStopped(code, message_2), at


def write_actor_state_stopped(out: list[bytes], message: ActorStateStopped) -> None:
    code = message.code
    if type(code) is not StopCode:
        code = _bare.enum_value(code, StopCode, "ActorStateStopped.code")
    message_2 = message.message
    out.append(_ONE_BYTE[code])
    if message_2 is None:
        out.append(b"\x00")
    else:
        if type(message_2) is not str:
            message_2 = _bare.text(message_2, "ActorStateStopped.message")
        try:
            message_2_bytes = message_2.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ActorStateStopped.message", error) from None
        message_2_size = len(message_2_bytes)
        out += (
            b"\x01",
            _ONE_BYTE[message_2_size] if message_2_size < 128 else _bare.long_uint(message_2_size),
            message_2_bytes,
        )


def read_actor_config(buf: bytes, at: int, size: int) -> tuple[ActorConfig, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ActorConfig.name", 1))
    name_size = buf[at]
    at += 1
    if name_size > 127:
        name_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorConfig.name")
    end = at + name_size
    if end > size:
        raise _bare.runs_past_end("ActorConfig.name", name_size, at, size)
    try:
        name = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ActorConfig.name", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ActorConfig.key", 1))
    key_given = buf[at]
    at += 1
    key: str | None = None
    if key_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ActorConfig.key", 1))
        key_value_size = buf[at]
        at += 1
        if key_value_size > 127:
            key_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorConfig.key")
        end = at + key_value_size
        if end > size:
            raise _bare.runs_past_end("ActorConfig.key", key_value_size, at, size)
        try:
            key_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ActorConfig.key", at, error) from None
        at = end
        key = key_value
    elif key_given:
        raise _bare.bad_bool("ActorConfig.key", key_given, at - 1)
    if at + 9 > size:
        raise _bare.ends_early(at, size, ("ActorConfig.create_ts", 8), ("ActorConfig.input", 1))
    create_ts, input_given = _UNPACK_FROM_qB(buf, at)
    at += 9
    input_2: bytes | None = None
    if input_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ActorConfig.input", 1))
        input_value_size = buf[at]
        at += 1
        if input_value_size > 127:
            input_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorConfig.input")
        end = at + input_value_size
        if end > size:
            raise _bare.runs_past_end("ActorConfig.input", input_value_size, at, size)
        input_value = buf[at:end]
        at = end
        input_2 = input_value
    elif input_given:
        raise _bare.bad_bool("ActorConfig.input", input_given, at - 1)
    return ActorConfig(name, key, create_ts, input_2), at


def write_actor_config(out: list[bytes], message: ActorConfig) -> None:
    name = message.name
    if type(name) is not str:
        name = _bare.text(name, "ActorConfig.name")
    try:
        name_bytes = name.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ActorConfig.name", error) from None
    name_size = len(name_bytes)
    key = message.key
    out += (_ONE_BYTE[name_size] if name_size < 128 else _bare.long_uint(name_size), name_bytes)
    if key is None:
        out.append(b"\x00")
    else:
        if type(key) is not str:
            key = _bare.text(key, "ActorConfig.key")
        try:
            key_bytes = key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ActorConfig.key", error) from None
        key_size = len(key_bytes)
        out += (b"\x01", _ONE_BYTE[key_size] if key_size < 128 else _bare.long_uint(key_size), key_bytes)
    create_ts = message.create_ts
    if type(create_ts) is not int:
        create_ts = _bare.integer(create_ts, "ActorConfig.create_ts", "i64")
    input_2 = message.input
    try:
        packed = _PACK_q(create_ts)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ActorConfig.create_ts", "i64", create_ts)) from None
    out.append(packed)
    if input_2 is None:
        out.append(b"\x00")
    else:
        if type(input_2) is not bytes:
            input_2 = _bare.data(input_2, "ActorConfig.input")
        input_2_size = len(input_2)
        out += (
            b"\x01",
            _ONE_BYTE[input_2_size] if input_2_size < 128 else _bare.long_uint(input_2_size),
            input_2,
        )


def read_to_server_response_start(buf: bytes, at: int, size: int) -> tuple[ToServerResponseStart, int]:
    if at + 3 > size:
        raise _bare.ends_early(
            at,
            size,
            ("ToServerResponseStart.status", 2),
            ("ToServerResponseStart.headers", 1),
        )
    status, headers_count = _UNPACK_FROM_HB(buf, at)
    at += 3
    if headers_count > 127:
        headers_count, at = _bare.read_long_uint(buf, at - 1, size, "ToServerResponseStart.headers")
    if headers_count * 2 > size - at:
        raise _bare.list_runs_past_end("ToServerResponseStart.headers", headers_count, 2, at, size)
    headers: dict[str, str] = {}
    for _ in range(headers_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToServerResponseStart.headers[{len(headers)}] key", 1))
        headers_key_size = buf[at]
        at += 1
        if headers_key_size > 127:
            headers_key_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToServerResponseStart.headers[{len(headers)}] key",
            )
        end = at + headers_key_size
        if end > size:
            raise _bare.runs_past_end(f"ToServerResponseStart.headers[{len(headers)}] key", headers_key_size, at, size)
        try:
            headers_key_2 = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToServerResponseStart.headers[{len(headers)}] key", at, error) from None
        at = end
        headers_key = headers_key_2
        if headers_key in headers:
            raise _bare.repeated_key("ToServerResponseStart.headers", headers_key, at)
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToServerResponseStart.headers[{len(headers)}] value", 1))
        headers_value_size = buf[at]
        at += 1
        if headers_value_size > 127:
            headers_value_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToServerResponseStart.headers[{len(headers)}] value",
            )
        end = at + headers_value_size
        if end > size:
            raise _bare.runs_past_end(f"ToServerResponseStart.headers[{len(headers)}] value", headers_value_size, at, size)
        try:
            headers_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToServerResponseStart.headers[{len(headers)}] value", at, error) from None
        at = end
        headers[headers_key] = headers_value
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseStart.body", 1))
    body_given = buf[at]
    at += 1
    body: bytes | None = None
    if body_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToServerResponseStart.body", 1))
        body_value_size = buf[at]
        at += 1
        if body_value_size > 127:
            body_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerResponseStart.body")
        end = at + body_value_size
        if end > size:
            raise _bare.runs_past_end("ToServerResponseStart.body", body_value_size, at, size)
        body_value = buf[at:end]
        at = end
        body = body_value
    elif body_given:
        raise _bare.bad_bool("ToServerResponseStart.body", body_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseStart.stream", 1))
    stream = buf[at]
    at += 1
    if stream > 1:
        raise _bare.bad_bool("ToServerResponseStart.stream", stream, at - 1)
    return ToServerResponseStart(status, headers, body, stream == 1), at


def write_to_server_response_start(out: list[bytes], message: ToServerResponseStart) -> None:
    status = message.status
    if type(status) is not int:
        status = _bare.integer(status, "ToServerResponseStart.status", "u16")
    headers = message.headers
    if type(headers) is not dict:
        headers = _bare.mapping(headers, "ToServerResponseStart.headers")
    headers_count = len(headers)
    try:
        packed = _PACK_H(status)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerResponseStart.status", "u16", status)) from None
    out += (packed, _ONE_BYTE[headers_count] if headers_count < 128 else _bare.long_uint(headers_count))
    for headers_key, headers_value in headers.items():
        if type(headers_key) is not str:
            headers_key = _bare.text(headers_key, f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] key")
        try:
            headers_key_bytes = headers_key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] key", error) from None
        headers_key_size = len(headers_key_bytes)
        if type(headers_value) is not str:
            headers_value = _bare.text(headers_value, f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] value")
        try:
            headers_value_bytes = headers_value.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] value", error) from None
        headers_value_size = len(headers_value_bytes)
        out += (
            _ONE_BYTE[headers_key_size] if headers_key_size < 128 else _bare.long_uint(headers_key_size),
            headers_key_bytes,
            _ONE_BYTE[headers_value_size] if headers_value_size < 128 else _bare.long_uint(headers_value_size),
            headers_value_bytes,
        )
    body = message.body
    if body is None:
        out.append(b"\x00")
    else:
        if type(body) is not bytes:
            body = _bare.data(body, "ToServerResponseStart.body")
        body_size = len(body)
        out += (b"\x01", _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size), body)
    stream = message.stream
    if stream is not True and stream is not False:
        raise _bare.boolean(stream, "ToServerResponseStart.stream")
    out.append(b"\x01" if stream else b"\x00")


def read_to_server_response_chunk(buf: bytes, at: int, size: int) -> tuple[ToServerResponseChunk, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseChunk.body", 1))
    body_size = buf[at]
    at += 1
    if body_size > 127:
        body_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerResponseChunk.body")
    end = at + body_size
    if end > size:
        raise _bare.runs_past_end("ToServerResponseChunk.body", body_size, at, size)
    body = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseChunk.finish", 1))
    finish = buf[at]
    at += 1
    if finish > 1:
        raise _bare.bad_bool("ToServerResponseChunk.finish", finish, at - 1)
    return ToServerResponseChunk(body, finish == 1), at


def write_to_server_response_chunk(out: list[bytes], message: ToServerResponseChunk) -> None:
    body = message.body
    if type(body) is not bytes:
        body = _bare.data(body, "ToServerResponseChunk.body")
    body_size = len(body)
    finish = message.finish
    if finish is not True and finish is not False:
        raise _bare.boolean(finish, "ToServerResponseChunk.finish")
    out += (
        _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size),
        body,
        b"\x01" if finish else b"\x00",
    )


def read_to_server_response_abort(buf: bytes, at: int, size: int) -> tuple[ToServerResponseAbort, int]:
    return TO_SERVER_RESPONSE_ABORT_VALUE, at


def write_to_server_response_abort(out: list[bytes], message: ToServerResponseAbort) -> None:
    pass


def read_to_server_web_socket_open(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketOpen, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketOpen.can_hibernate", 1))
    can_hibernate = buf[at]
    at += 1
    if can_hibernate > 1:
        raise _bare.bad_bool("ToServerWebSocketOpen.can_hibernate", can_hibernate, at - 1)
    return ToServerWebSocketOpen(can_hibernate == 1), at


def write_to_server_web_socket_open(out: list[bytes], message: ToServerWebSocketOpen) -> None:
    can_hibernate = message.can_hibernate
    if can_hibernate is not True and can_hibernate is not False:
        raise _bare.boolean(can_hibernate, "ToServerWebSocketOpen.can_hibernate")
    out.append(b"\x01" if can_hibernate else b"\x00")


def read_to_server_web_socket_message(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketMessage, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketMessage.data", 1))
    data_size = buf[at]
    at += 1
    if data_size > 127:
        data_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerWebSocketMessage.data")
    end = at + data_size
    if end > size:
        raise _bare.runs_past_end("ToServerWebSocketMessage.data", data_size, at, size)
    data = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketMessage.binary", 1))
    binary = buf[at]
    at += 1
    if binary > 1:
        raise _bare.bad_bool("ToServerWebSocketMessage.binary", binary, at - 1)
    return ToServerWebSocketMessage(data, binary == 1), at


def write_to_server_web_socket_message(out: list[bytes], message: ToServerWebSocketMessage) -> None:
    data = message.data
    if type(data) is not bytes:
        data = _bare.data(data, "ToServerWebSocketMessage.data")
    data_size = len(data)
    binary = message.binary
    if binary is not True and binary is not False:
        raise _bare.boolean(binary, "ToServerWebSocketMessage.binary")
    out += (
        _ONE_BYTE[data_size] if data_size < 128 else _bare.long_uint(data_size),
        data,
        b"\x01" if binary else b"\x00",
    )


def read_to_server_web_socket_message_ack(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketMessageAck, int]:
    if at + 2 > size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketMessageAck.index", 2))
    (index,) = _UNPACK_FROM_H(buf, at)
    at += 2
    return ToServerWebSocketMessageAck(index), at


def write_to_server_web_socket_message_ack(out: list[bytes], message: ToServerWebSocketMessageAck) -> None:
    index = message.index
    if type(index) is not int:
        index = _bare.integer(index, "ToServerWebSocketMessageAck.index", "u16")
    try:
        packed = _PACK_H(index)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerWebSocketMessageAck.index", "u16", index)) from None
    out.append(packed)


def read_to_server_web_socket_close(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketClose, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketClose.code", 1))
    code_given = buf[at]
    at += 1
    code: int | None = None
    if code_given == 1:
        if at + 2 > size:
            raise _bare.ends_early(at, size, ("ToServerWebSocketClose.code", 2))
        (code_value,) = _UNPACK_FROM_H(buf, at)
        at += 2
        code = code_value
    elif code_given:
        raise _bare.bad_bool("ToServerWebSocketClose.code", code_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketClose.reason", 1))
    reason_given = buf[at]
    at += 1
    reason: str | None = None
    if reason_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToServerWebSocketClose.reason", 1))
        reason_value_size = buf[at]
        at += 1
        if reason_value_size > 127:
            reason_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerWebSocketClose.reason")
        end = at + reason_value_size
        if end > size:
            raise _bare.runs_past_end("ToServerWebSocketClose.reason", reason_value_size, at, size)
        try:
            reason_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ToServerWebSocketClose.reason", at, error) from None
        at = end
        reason = reason_value
    elif reason_given:
        raise _bare.bad_bool("ToServerWebSocketClose.reason", reason_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketClose.hibernate", 1))
    hibernate = buf[at]
    at += 1
    if hibernate > 1:
        raise _bare.bad_bool("ToServerWebSocketClose.hibernate", hibernate, at - 1)
    return ToServerWebSocketClose(code, reason, hibernate == 1), at


def write_to_server_web_socket_close(out: list[bytes], message: ToServerWebSocketClose) -> None:
    code = message.code
    if code is None:
        out.append(b"\x00")
    else:
        if type(code) is not int:
            code = _bare.integer(code, "ToServerWebSocketClose.code", "u16")
        try:
            packed = _PACK_BH(1, code)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("ToServerWebSocketClose.code", "u16", code)) from None
        out.append(packed)
    reason = message.reason
    if reason is None:
        out.append(b"\x00")
    else:
        if type(reason) is not str:
            reason = _bare.text(reason, "ToServerWebSocketClose.reason")
        try:
            reason_bytes = reason.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ToServerWebSocketClose.reason", error) from None
        reason_size = len(reason_bytes)
        out += (
            b"\x01",
            _ONE_BYTE[reason_size] if reason_size < 128 else _bare.long_uint(reason_size),
            reason_bytes,
        )
    hibernate = message.hibernate
    if hibernate is not True and hibernate is not False:
        raise _bare.boolean(hibernate, "ToServerWebSocketClose.hibernate")
    out.append(b"\x01" if hibernate else b"\x00")


def read_to_client_request_start(buf: bytes, at: int, size: int) -> tuple[ToClientRequestStart, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestStart.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientRequestStart.actor_id", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.method", 1))
    method_size = buf[at]
    at += 1
    if method_size > 127:
        method_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.method")
    end = at + method_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestStart.method", method_size, at, size)
    try:
        method = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientRequestStart.method", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.path", 1))
    path_size = buf[at]
    at += 1
    if path_size > 127:
        path_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.path")
    end = at + path_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestStart.path", path_size, at, size)
    try:
        path = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientRequestStart.path", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.headers", 1))
    headers_count = buf[at]
    at += 1
    if headers_count > 127:
        headers_count, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.headers")
    if headers_count * 2 > size - at:
        raise _bare.list_runs_past_end("ToClientRequestStart.headers", headers_count, 2, at, size)
    headers: dict[str, str] = {}
    for _ in range(headers_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientRequestStart.headers[{len(headers)}] key", 1))
        headers_key_size = buf[at]
        at += 1
        if headers_key_size > 127:
            headers_key_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientRequestStart.headers[{len(headers)}] key",
            )
        end = at + headers_key_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientRequestStart.headers[{len(headers)}] key", headers_key_size, at, size)
        try:
            headers_key_2 = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientRequestStart.headers[{len(headers)}] key", at, error) from None
        at = end
        headers_key = headers_key_2
        if headers_key in headers:
            raise _bare.repeated_key("ToClientRequestStart.headers", headers_key, at)
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientRequestStart.headers[{len(headers)}] value", 1))
        headers_value_size = buf[at]
        at += 1
        if headers_value_size > 127:
            headers_value_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientRequestStart.headers[{len(headers)}] value",
            )
        end = at + headers_value_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientRequestStart.headers[{len(headers)}] value", headers_value_size, at, size)
        try:
            headers_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientRequestStart.headers[{len(headers)}] value", at, error) from None
        at = end
        headers[headers_key] = headers_value
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.body", 1))
    body_given = buf[at]
    at += 1
    body: bytes | None = None
    if body_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToClientRequestStart.body", 1))
        body_value_size = buf[at]
        at += 1
        if body_value_size > 127:
            body_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.body")
        end = at + body_value_size
        if end > size:
            raise _bare.runs_past_end("ToClientRequestStart.body", body_value_size, at, size)
        body_value = buf[at:end]
        at = end
        body = body_value
    elif body_given:
        raise _bare.bad_bool("ToClientRequestStart.body", body_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.stream", 1))
    stream = buf[at]
    at += 1
    if stream > 1:
        raise _bare.bad_bool("ToClientRequestStart.stream", stream, at - 1)
    return ToClientRequestStart(actor_id, method, path, headers, body, stream == 1), at


def write_to_client_request_start(out: list[bytes], message: ToClientRequestStart) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "ToClientRequestStart.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientRequestStart.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    method = message.method
    if type(method) is not str:
        method = _bare.text(method, "ToClientRequestStart.method")
    try:
        method_bytes = method.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientRequestStart.method", error) from None
    method_size = len(method_bytes)
    path = message.path
    if type(path) is not str:
        path = _bare.text(path, "ToClientRequestStart.path")
    try:
        path_bytes = path.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientRequestStart.path", error) from None
    path_size = len(path_bytes)
    headers = message.headers
    if type(headers) is not dict:
        headers = _bare.mapping(headers, "ToClientRequestStart.headers")
    headers_count = len(headers)
    out += (
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        _ONE_BYTE[method_size] if method_size < 128 else _bare.long_uint(method_size),
        method_bytes,
        _ONE_BYTE[path_size] if path_size < 128 else _bare.long_uint(path_size),
        path_bytes,
        _ONE_BYTE[headers_count] if headers_count < 128 else _bare.long_uint(headers_count),
    )
    for headers_key, headers_value in headers.items():
        if type(headers_key) is not str:
            headers_key = _bare.text(headers_key, f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] key")
        try:
            headers_key_bytes = headers_key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] key", error) from None
        headers_key_size = len(headers_key_bytes)
        if type(headers_value) is not str:
            headers_value = _bare.text(headers_value, f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] value")
        try:
            headers_value_bytes = headers_value.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] value", error) from None
        headers_value_size = len(headers_value_bytes)
        out += (
            _ONE_BYTE[headers_key_size] if headers_key_size < 128 else _bare.long_uint(headers_key_size),
            headers_key_bytes,
            _ONE_BYTE[headers_value_size] if headers_value_size < 128 else _bare.long_uint(headers_value_size),
            headers_value_bytes,
        )
    body = message.body
    if body is None:
        out.append(b"\x00")
    else:
        if type(body) is not bytes:
            body = _bare.data(body, "ToClientRequestStart.body")
        body_size = len(body)
        out += (b"\x01", _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size), body)
    stream = message.stream
    if stream is not True and stream is not False:
        raise _bare.boolean(stream, "ToClientRequestStart.stream")
    out.append(b"\x01" if stream else b"\x00")


def read_to_client_request_chunk(buf: bytes, at: int, size: int) -> tuple[ToClientRequestChunk, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestChunk.body", 1))
    body_size = buf[at]
    at += 1
    if body_size > 127:
        body_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestChunk.body")
    end = at + body_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestChunk.body", body_size, at, size)
    body = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestChunk.finish", 1))
    finish = buf[at]
    at += 1
    if finish > 1:
        raise _bare.bad_bool("ToClientRequestChunk.finish", finish, at - 1)
    return ToClientRequestChunk(body, finish == 1), at


def write_to_client_request_chunk(out: list[bytes], message: ToClientRequestChunk) -> None:
    body = message.body
    if type(body) is not bytes:
        body = _bare.data(body, "ToClientRequestChunk.body")
    body_size = len(body)
    finish = message.finish
    if finish is not True and finish is not False:
        raise _bare.boolean(finish, "ToClientRequestChunk.finish")
    out += (
        _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size),
        body,
        b"\x01" if finish else b"\x00",
    )


def read_to_client_request_abort(buf: bytes, at: int, size: int) -> tuple[ToClientRequestAbort, int]:
    return TO_CLIENT_REQUEST_ABORT_VALUE, at


def write_to_client_request_abort(out: list[bytes], message: ToClientRequestAbort) -> None:
    pass


def read_to_client_web_socket_open(buf: bytes, at: int, size: int) -> tuple[ToClientWebSocketOpen, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketOpen.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketOpen.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("ToClientWebSocketOpen.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientWebSocketOpen.actor_id", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketOpen.path", 1))
    path_size = buf[at]
    at += 1
    if path_size > 127:
        path_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketOpen.path")
    end = at + path_size
    if end > size:
        raise _bare.runs_past_end("ToClientWebSocketOpen.path", path_size, at, size)
    try:
        path = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientWebSocketOpen.path", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketOpen.headers", 1))
    headers_count = buf[at]
    at += 1
    if headers_count > 127:
        headers_count, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketOpen.headers")
    if headers_count * 2 > size - at:
        raise _bare.list_runs_past_end("ToClientWebSocketOpen.headers", headers_count, 2, at, size)
    headers: dict[str, str] = {}
    for _ in range(headers_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientWebSocketOpen.headers[{len(headers)}] key", 1))
        headers_key_size = buf[at]
        at += 1
        if headers_key_size > 127:
            headers_key_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientWebSocketOpen.headers[{len(headers)}] key",
            )
        end = at + headers_key_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientWebSocketOpen.headers[{len(headers)}] key", headers_key_size, at, size)
        try:
            headers_key_2 = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientWebSocketOpen.headers[{len(headers)}] key", at, error) from None
        at = end
        headers_key = headers_key_2
        if headers_key in headers:
            raise _bare.repeated_key("ToClientWebSocketOpen.headers", headers_key, at)
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientWebSocketOpen.headers[{len(headers)}] value", 1))
        headers_value_size = buf[at]
        at += 1
        if headers_value_size > 127:
            headers_value_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientWebSocketOpen.headers[{len(headers)}] value",
            )
        end = at + headers_value_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientWebSocketOpen.headers[{len(headers)}] value", headers_value_size, at, size)
        try:
            headers_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientWebSocketOpen.headers[{len(headers)}] value", at, error) from None
        at = end
        headers[headers_key] = headers_value
    return ToClientWebSocketOpen(actor_id, path, headers), at


def write_to_client_web_socket_open(out: list[bytes], message: ToClientWebSocketOpen) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "ToClientWebSocketOpen.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientWebSocketOpen.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    path = message.path
    if type(path) is not str:
        path = _bare.text(path, "ToClientWebSocketOpen.path")
    try:
        path_bytes = path.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientWebSocketOpen.path", error) from None
    path_size = len(path_bytes)
    headers = message.headers
    if type(headers) is not dict:
        headers = _bare.mapping(headers, "ToClientWebSocketOpen.headers")
    headers_count = len(headers)
    out += (
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        _ONE_BYTE[path_size] if path_size < 128 else _bare.long_uint(path_size),
        path_bytes,
        _ONE_BYTE[headers_count] if headers_count < 128 else _bare.long_uint(headers_count),
    )
    for headers_key, headers_value in headers.items():
        if type(headers_key) is not str:
            headers_key = _bare.text(headers_key, f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] key")
        try:
            headers_key_bytes = headers_key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] key", error) from None
        headers_key_size = len(headers_key_bytes)
        if type(headers_value) is not str:
            headers_value = _bare.text(headers_value, f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] value")
        try:
            headers_value_bytes = headers_value.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] value", error) from None
        headers_value_size = len(headers_value_bytes)
        out += (
            _ONE_BYTE[headers_key_size] if headers_key_size < 128 else _bare.long_uint(headers_key_size),
            headers_key_bytes,
            _ONE_BYTE[headers_value_size] if headers_value_size < 128 else _bare.long_uint(headers_value_size),
            headers_value_bytes,
        )


def read_to_client_web_socket_message(buf: bytes, at: int, size: int) -> tuple[ToClientWebSocketMessage, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketMessage.data", 1))
    data_size = buf[at]
    at += 1
    if data_size > 127:
        data_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketMessage.data")
    end = at + data_size
    if end > size:
        raise _bare.runs_past_end("ToClientWebSocketMessage.data", data_size, at, size)
    data = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketMessage.binary", 1))
    binary = buf[at]
    at += 1
    if binary > 1:
        raise _bare.bad_bool("ToClientWebSocketMessage.binary", binary, at - 1)
    return ToClientWebSocketMessage(data, binary == 1), at


def write_to_client_web_socket_message(out: list[bytes], message: ToClientWebSocketMessage) -> None:
    data = message.data
    if type(data) is not bytes:
        data = _bare.data(data, "ToClientWebSocketMessage.data")
    data_size = len(data)
    binary = message.binary
    if binary is not True and binary is not False:
        raise _bare.boolean(binary, "ToClientWebSocketMessage.binary")
    out += (
        _ONE_BYTE[data_size] if data_size < 128 else _bare.long_uint(data_size),
        data,
        b"\x01" if binary else b"\x00",
    )


def read_to_client_web_socket_close(buf: bytes, at: int, size: int) -> tuple[ToClientWebSocketClose, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketClose.code", 1))
    code_given = buf[at]
    at += 1
    code: int | None = None
    if code_given == 1:
        if at + 2 > size:
            raise _bare.ends_early(at, size, ("ToClientWebSocketClose.code", 2))
        (code_value,) = _UNPACK_FROM_H(buf, at)
        at += 2
        code = code_value
    elif code_given:
        raise _bare.bad_bool("ToClientWebSocketClose.code", code_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketClose.reason", 1))
    reason_given = buf[at]
    at += 1
    reason: str | None = None
    if reason_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToClientWebSocketClose.reason", 1))
        reason_value_size = buf[at]
        at += 1
        if reason_value_size > 127:
            reason_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketClose.reason")
        end = at + reason_value_size
        if end > size:
            raise _bare.runs_past_end("ToClientWebSocketClose.reason", reason_value_size, at, size)
        try:
            reason_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ToClientWebSocketClose.reason", at, error) from None
        at = end
        reason = reason_value
    elif reason_given:
        raise _bare.bad_bool("ToClientWebSocketClose.reason", reason_given, at - 1)
    return ToClientWebSocketClose(code, reason), at


def write_to_client_web_socket_close(out: list[bytes], message: ToClientWebSocketClose) -> None:
    code = message.code
    if code is None:
        out.append(b"\x00")
    else:
        if type(code) is not int:
            code = _bare.integer(code, "ToClientWebSocketClose.code", "u16")
        try:
            packed = _PACK_BH(1, code)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("ToClientWebSocketClose.code", "u16", code)) from None
        out.append(packed)
    reason = message.reason
    if reason is None:
        out.append(b"\x00")
    else:
        if type(reason) is not str:
            reason = _bare.text(reason, "ToClientWebSocketClose.reason")
        try:
            reason_bytes = reason.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ToClientWebSocketClose.reason", error) from None
        reason_size = len(reason_bytes)
        out += (
            b"\x01",
            _ONE_BYTE[reason_size] if reason_size < 128 else _bare.long_uint(reason_size),
            reason_bytes,
        )


def read_actor_name(buf: bytes, at: int, size: int) -> tuple[ActorName, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ActorName.metadata", 1))
    metadata_size = buf[at]
    at += 1
    if metadata_size > 127:
        metadata_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorName.metadata")
    end = at + metadata_size
    if end > size:
        raise _bare.runs_past_end("ActorName.metadata", metadata_size, at, size)
    try:
        metadata = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ActorName.metadata", at, error) from None
    at = end
    return ActorName(metadata), at


def write_actor_name(out: list[bytes], message: ActorName) -> None:
    metadata = message.metadata
    if type(metadata) is not str:
        metadata = _bare.text(metadata, "ActorName.metadata")
    try:
        metadata_bytes = metadata.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ActorName.metadata", error) from None
    metadata_size = len(metadata_bytes)
    out += (
        _ONE_BYTE[metadata_size] if metadata_size < 128 else _bare.long_uint(metadata_size),
        metadata_bytes,
    )


def read_to_server_stopping(buf: bytes, at: int, size: int) -> tuple[ToServerStopping, int]:
    return TO_SERVER_STOPPING_VALUE, at


def write_to_server_stopping_tag_3(out: list[bytes], message: ToServerStopping) -> None:
    out.append(b"\x03")


KV_LIST_QUERY_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[KvListQuery, int]], ...]] = (
    read_kv_list_all_query,
    read_kv_list_range_query,
    read_kv_list_prefix_query,
)


KV_LIST_QUERY_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    KvListAllQuery: (0, write_kv_list_all_query),
    KvListRangeQuery: (1, write_kv_list_range_query),
    KvListPrefixQuery: (2, write_kv_list_prefix_query),
}


ACTOR_INTENT_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ActorIntent, int]], ...]] = (
    read_actor_intent_sleep,
    read_actor_intent_stop,
)


ACTOR_INTENT_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    ActorIntentSleep: (0, write_actor_intent_sleep),
    ActorIntentStop: (1, write_actor_intent_stop),
}


ACTOR_STATE_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ActorState, int]], ...]] = (
    read_actor_state_running,
    read_actor_state_stopped,
)


ACTOR_STATE_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    ActorStateRunning: (0, write_actor_state_running),
    ActorStateStopped: (1, write_actor_state_stopped),
}
