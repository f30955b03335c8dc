"""Clients that left while their socket hibernated."""

from __future__ import annotations

from rivet_runner._hosting.socket_table import MAX_DEPARTED, SocketTable


def test_a_client_is_known_as_departed_once_when_it_left_while_its_socket_hibernated() -> None:
    table = SocketTable()
    table.client_departed(b"gate-req")
    assert not table.take_departed(b"gate-re2")
    assert table.take_departed(b"gate-req")
    assert not table.take_departed(b"gate-req")


def test_the_oldest_is_forgotten_when_more_clients_have_departed_than_are_kept() -> None:
    table = SocketTable()
    keys = [number.to_bytes(8, "big") for number in range(MAX_DEPARTED + 1)]
    for key in keys:
        table.client_departed(key)
    assert [key for key in keys if not table.take_departed(key)] == keys[:1]
