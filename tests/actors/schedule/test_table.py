"""The table of entries, against a plain list."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner.actors._schedule.entry import Entry
from rivet_runner.actors._schedule.table import Table
from tests.support.examples import examples

keys = st.sampled_from("abcdef")
changes = st.lists(st.tuples(keys, st.none() | st.integers(0, 5), st.binary(max_size=3)))


@settings(max_examples=examples(300))
@given(changes, st.sets(keys))
def test_entries_come_in_the_order_of_their_times_and_then_of_their_arrival(
    changes: list[tuple[str, int | None, bytes]], running: set[str]
) -> None:
    table, model = Table(), dict[str, Entry]()
    for key, due_ms, arguments in changes:
        before = model.pop(key, None)
        if due_ms is None:
            assert table.remove(key) is before
        else:
            model[key] = Entry(key, "method", arguments, due_ms, due_ms, 1, 3, None)
            table.put(model[key])
        expected = sorted(model.values(), key=lambda entry: entry.due_ms)
        assert [*table] == expected
        assert len(table) == len(model)
        assert table.size == sum(len(entry.arguments) for entry in model.values())
        assert table.earliest_ms == (expected[0].due_ms if expected else None)
        assert table.get(key) is model.get(key)
        waiting = [entry for entry in expected if entry.id not in running]
        assert table.first(lambda key: key not in running) is (waiting[0] if waiting else None)
