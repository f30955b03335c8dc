"""The engine's side of the runner protocol, in the two versions that the contestants speak: 3 and 7.

Only the messages of the benchmarks are here. Both versions are BARE. Version 7 numbers the kinds of messages differently,
and counts events and commands for each actor. Checked against the codecs of ``@rivetkit/engine-runner-protocol`` 2.2.1 by
running its runner.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final

from benchmarks.synthetic.websocket import frame

__all__ = ["V3", "V7"]

RUNNER_ID: Final = "synthetic-runner"
LOST_THRESHOLD_MS: Final = 15_000

_u32 = struct.Struct("<I").pack
_i64 = struct.Struct("<q").pack


def _uint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def _data(value: bytes) -> bytes:
    return _uint(len(value)) + value


def _text(value: str) -> bytes:
    return _data(value.encode())


def _headers(headers: Mapping[str, str]) -> bytes:
    return _uint(len(headers)) + b"".join(_text(name) + _text(value) for name, value in headers.items())


class _Reader:
    """The few types that events and key-value requests are made of."""

    def __init__(self, body: bytes, at: int) -> None:
        self.body = body
        self.at = at

    def skip(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        return self.body[start : self.at]

    def byte(self) -> int:
        return self.skip(1)[0]

    def uint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def data(self) -> bytes:
        return self.skip(self.uint())


class V3:
    """Protocol 3: one sequence of commands and one of events for each runner."""

    COMMANDS, KV_RESPONSE, TUNNEL = b"\2", b"\4", b"\5"
    REQUEST_START, OPEN, MESSAGE = b"\1", b"\4", b"\5"
    RESPONSE_STARTED, OPENED, ECHOED, ACKNOWLEDGED = 1, 4, 5, 6
    """Tags. Those of the last line are the runner's."""

    PINGS = (2, 4)
    """Tags of messages that a runner sends on a timer and that need no answer."""

    def init(self) -> bytes:
        """The answer to a runner's init message."""
        return frame(b"\0" + _text(RUNNER_ID) + _i64(-1) + _i64(LOST_THRESHOLD_MS))

    def acknowledge_events(self, last_index: int) -> bytes | None:
        """The message that lets the runner forget its events up to this one. `None`: the benchmark needs no such message."""
        return frame(b"\3" + _i64(last_index))

    def start_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        """One message that starts all of these actors."""
        config = _text("benchmark") + b"\0" + _i64(0) + b"\0" + b"\0"
        return self._commands(actor_ids, first_index, b"\0", config)

    def stop_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        """One message that stops all of these actors."""
        return self._commands(actor_ids, first_index, b"\1", b"")

    def states(self, body: bytes) -> tuple[int, int]:
        """How many actors an events message reports as running, and how many as stopped."""
        reader = _Reader(body, 1)
        states = [self._state(reader) for _ in range(reader.uint())]
        return states.count(0), states.count(1)

    def message(self, key: bytes) -> bytes:
        """The start of a tunnel message to ``key``. The message index follows."""
        return self.TUNNEL + key

    def open(self, key: bytes, actor_id: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The frame that opens a WebSocket."""
        contents = _text(actor_id) + _text(path) + _headers(headers)
        return frame(self.message(key) + b"\0\0" + self.OPEN + contents)

    def payload_head(self, size: int) -> bytes:
        """The bytes between the index and the data of a WebSocket message. One byte, 1 for binary, follows the data."""
        return self.MESSAGE + _uint(size)

    def request_tail(self, actor_id: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The bytes after the index of a GET request."""
        return self.REQUEST_START + _text(actor_id) + _text("GET") + _text(path) + _headers(headers) + b"\0\0"

    def kv_response(self, body: bytes) -> bytes:
        """The answer to any key-value request: nothing was found, everything was stored."""
        reader = _Reader(body, 1)
        reader.data()
        request_id, kind = reader.skip(4), reader.byte()
        # Requests are get, list, put, delete. Responses come in the same order, after the error response.
        return frame(self.KV_RESPONSE + request_id + bytes([self._kv_kind(kind) + 1]) + (b"\0\0\0" if kind < 2 else b""))

    def _kv_kind(self, kind: int) -> int:
        return kind

    def _commands(self, actor_ids: Iterable[str], first_index: int, kind: bytes, contents: bytes) -> bytes:
        commands = [
            _i64(index) + kind + _text(actor_id) + _u32(1) + contents
            for index, actor_id in enumerate(actor_ids, first_index)
        ]
        return frame(self.COMMANDS + _uint(len(commands)) + b"".join(commands))

    def _state(self, reader: _Reader) -> int | None:
        """Read one event: 0 for an actor that runs, 1 for one that has stopped, `None` for anything else."""
        reader.skip(8)
        kind = reader.byte()
        reader.data()
        reader.skip(4)
        return self._event(reader, kind)

    def _event(self, reader: _Reader, kind: int) -> int | None:
        """Read the rest of an event after its head."""
        if kind == 1:
            state = reader.byte()
            if state == 1:
                reader.byte()
                if reader.byte():
                    reader.data()
            return state
        if kind == 0:
            reader.byte()
        elif reader.byte():
            reader.skip(8)
        return None


class V7(V3):
    """Protocol 7: sequences of commands and of events for each actor."""

    COMMANDS, KV_RESPONSE, TUNNEL = b"\1", b"\3", b"\4"
    REQUEST_START, OPEN, MESSAGE = b"\0", b"\3", b"\4"
    RESPONSE_STARTED, OPENED, ECHOED, ACKNOWLEDGED = 0, 3, 4, 5

    def init(self) -> bytes:
        return frame(b"\0" + _text(RUNNER_ID) + _i64(LOST_THRESHOLD_MS) + _i64(1_800_000) + b"\0")

    def acknowledge_events(self, last_index: int) -> None:
        return None

    def _kv_kind(self, kind: int) -> int:
        # A delete of a range lies between delete and drop, and is answered like a delete.
        return kind if kind < 4 else kind - 1

    def _commands(self, actor_ids: Iterable[str], first_index: int, kind: bytes, contents: bytes) -> bytes:
        index = _i64(0 if kind == b"\0" else 1)  # an actor's first command is its start, and the second its stop
        commands = [_text(actor_id) + _u32(1) + index + kind + contents for actor_id in actor_ids]
        return frame(self.COMMANDS + _uint(len(commands)) + b"".join(commands))

    def _state(self, reader: _Reader) -> int | None:
        reader.data()
        reader.skip(12)
        return self._event(reader, reader.byte())
