"""Stored records: exact round trips, and `RecordError` for other bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner import HibernationRecord, RecordError
from rivet_runner.hibernation import decode_record, encode_record

records = st.builds(
    HibernationRecord,
    key=st.binary(min_size=8, max_size=8),
    target=st.text(),
    headers=st.dictionaries(st.text(), st.text(), max_size=5),
    attachment=st.binary(max_size=100),
    received=st.integers(0, 65_535),
    sent=st.integers(0, 65_535),
    protocol=st.sampled_from([3, 7]),
)


@given(records)
def test_a_record_is_the_same_when_it_is_read_back(record: HibernationRecord) -> None:
    assert decode_record(encode_record(record)) == record


def test_a_record_has_the_protocol_of_its_time_when_it_was_written_before_records_had_one() -> None:
    old = b"\x01" + msgspec.msgpack.encode((b"12345678", "/", {}, b"", 4, 5))
    assert decode_record(old) == HibernationRecord(b"12345678", "/", {}, b"", 4, 5, protocol=3)


def test_a_record_is_read_when_a_later_sdk_has_added_a_field() -> None:
    newer = b"\x01" + msgspec.msgpack.encode((b"12345678", "/", {}, b"", 4, 5, 7, "more"))
    assert decode_record(newer) == HibernationRecord(b"12345678", "/", {}, b"", 4, 5, protocol=7)


@given(st.binary(max_size=200))
def test_only_a_record_error_is_raised_when_the_bytes_are_random(data: bytes) -> None:
    try:
        record = decode_record(data)
    except RecordError:
        return
    assert isinstance(record, HibernationRecord)


@given(records, st.data())
def test_only_a_record_error_is_raised_when_the_bytes_are_cut(record: HibernationRecord, data: st.DataObject) -> None:
    encoded = encode_record(record)
    with pytest.raises(RecordError):
        decode_record(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


def test_the_version_is_named_when_it_is_unknown() -> None:
    encoded = encode_record(HibernationRecord(b"12345678", "/", {}, b"", 0, 0))
    with pytest.raises(RecordError, match=r"format version is 9; this SDK reads version 1"):
        decode_record(b"\x09" + encoded[1:])
