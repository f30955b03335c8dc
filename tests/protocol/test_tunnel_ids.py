"""Request keys and message indexes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rivet_runner.protocol.tunnel_ids import INDEX_SPACE, message_id, next_index, request_key, split_request_key
from rivet_runner.protocol.v3 import (
    HibernatingRequest,
    MessageId,
    ToServerResponseAbort,
    ToServerTunnelMessage,
    decode_to_server,
    encode_to_server,
)

ids = st.binary(min_size=4, max_size=4)


@given(ids, ids, st.integers(0, INDEX_SPACE - 1))
def test_a_key_is_the_same_when_it_is_split_and_joined(gateway_id: bytes, request_id: bytes, index: int) -> None:
    key = request_key(HibernatingRequest(gateway_id, request_id))
    assert key == gateway_id + request_id == request_key(message_id(key, index))
    assert split_request_key(key) == (gateway_id, request_id)
    assert message_id(key, index) == MessageId(gateway_id, request_id, index)


def test_the_index_space_is_all_that_the_wire_carries_when_an_index_is_sent() -> None:
    message = ToServerTunnelMessage(message_id(b"12345678", INDEX_SPACE - 1), ToServerResponseAbort())
    assert decode_to_server(encode_to_server(message)) == message
    assert (next_index(0), next_index(INDEX_SPACE - 2), next_index(INDEX_SPACE - 1)) == (1, INDEX_SPACE - 1, 0)
