"""The limits and the order of keys. `tests/engine` tests that the engine has the same limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner import KvLimitExceeded
from rivet_runner._kv.limits import (
    KEY_PACKING,
    MAX_KEY,
    MAX_KEYS_IN_CALL,
    MAX_PUT,
    MAX_VALUE,
    check_keys,
    check_put,
    key_after,
    prefix_end,
)
from rivet_runner._kv.reserved_keys import RESERVED_FROM

# Short keys with many 0xff bytes are the hard cases of the order.
keys = st.binary(max_size=12) | st.lists(st.sampled_from([0x00, 0x7F, 0xFE, 0xFF]), max_size=12).map(bytes)
user_keys = keys.filter(lambda key: key < RESERVED_FROM)


@given(user_keys, keys)
def test_prefix_end_is_behind_a_key_when_the_key_begins_with_the_prefix(prefix: bytes, rest: bytes) -> None:
    if prefix + rest < RESERVED_FROM:
        assert prefix <= prefix + rest < prefix_end(prefix)


@given(user_keys, user_keys)
def test_prefix_end_is_not_behind_a_key_when_the_key_begins_otherwise(prefix: bytes, key: bytes) -> None:
    if not key.startswith(prefix):
        assert not prefix <= key < prefix_end(prefix)


@given(keys, keys)
def test_key_after_leaves_no_key_out_when_another_one_follows(key: bytes, other: bytes) -> None:
    assert (other > key) == (other >= key_after(key))


def test_key_after_skips_the_extensions_when_the_key_has_full_length() -> None:
    assert key_after(b"a" * MAX_KEY) == b"a" * (MAX_KEY - 1) + b"b"
    assert key_after(b"a" + b"\xff" * (MAX_KEY - 1)) == b"b"
    assert key_after(b"\xff" * MAX_KEY) == RESERVED_FROM


def test_each_key_counts_its_packing_when_a_put_is_added_up() -> None:
    room = MAX_PUT - 8 * (1 + KEY_PACKING)
    full = {b"%d" % number: bytes(MAX_VALUE) for number in range(7)} | {b"7": bytes(room - 7 * MAX_VALUE)}
    check_put(full)
    with pytest.raises(KvLimitExceeded, match=rf"at most {MAX_PUT} bytes .* {MAX_PUT + 1}"):
        check_put({**full, b"7": full[b"7"] + b"x"})


def test_error_shows_the_beginning_of_a_key_when_the_key_is_too_long() -> None:
    check_keys([b"k" * MAX_KEY] * MAX_KEYS_IN_CALL)
    with pytest.raises(KvLimitExceeded) as caught:
        check_keys([b"begin" + bytes(5000)])
    assert "begin" in str(caught.value)
    assert "5005" in str(caught.value)
    assert len(str(caught.value)) < 300
