"""Which sockets are restored, closed or let go of."""

from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._hosting.restoring import match

keys = st.binary(min_size=8, max_size=8)


@given(st.lists(keys), st.dictionaries(keys, st.integers()), st.data())
def test_every_key_goes_to_exactly_one_place_when_matched(
    listed: list[bytes], stored: dict[bytes, int], data: st.DataObject
) -> None:
    if stored:
        listed = listed + data.draw(st.lists(st.sampled_from(sorted(stored))))
    matched = match(listed, stored)
    assert {**matched.restore, **matched.stale} == stored
    assert set(matched.restore) == set(listed) & set(stored)
    assert sorted(matched.unknown) == sorted(set(listed) - set(stored))


def test_the_order_of_the_list_is_kept_when_restoring() -> None:
    stored = {bytes([n] * 8): n for n in range(5)}
    listed = [bytes([n] * 8) for n in (3, 1, 4)]
    assert list(match(listed, stored).restore.values()) == [3, 1, 4]
