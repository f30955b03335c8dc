"""Which closes may be sent to a client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._sockets.close_frames import checked_close

VALID = [*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)]


@given(st.integers(-10, 70_000))
def test_a_code_is_refused_when_a_client_would_not_accept_it(code: int) -> None:
    if code in VALID:
        assert checked_close(code, "why") == (code, "why")
    else:
        with pytest.raises(ValueError, match=str(code)):
            checked_close(code, "why")


@given(st.text(max_size=300))
def test_a_reason_is_cut_at_a_character_when_it_is_too_long(reason: str) -> None:
    _, sent = checked_close(1000, reason)
    encoded = reason.encode("utf-8", "replace")
    assert len(sent.encode()) <= 123
    assert encoded.startswith(sent.encode())
    assert sent.encode() == encoded or len(sent.encode()) > 119


@pytest.mark.parametrize(("code", "reason"), [(True, ""), ("1000", ""), (None, ""), (1000, b""), (1000, None)])
def test_a_type_error_is_raised_when_the_types_are_wrong(code: object, reason: object) -> None:
    with pytest.raises(TypeError):
        checked_close(code, reason)
