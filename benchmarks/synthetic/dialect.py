"""The engine's side of the runner protocol, in the two versions that the contestants speak: 3 and 7.

Only what a benchmark sends is here. Both versions are BARE; version 7 numbers messages differently and counts events and
commands for each actor. Checked against the codecs of ``@rivetkit/engine-runner-protocol`` 2.2.1 by running its runner.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final

from benchmarks.synthetic.websocket import frame

__all__ = ["V3", "V7", "Dialect"]

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


class Dialect:
    """What is the same in both versions, in terms of the numbers that are not."""

    VERSION: int
    TUNNEL: bytes
    COMMANDS: bytes
    KV_RESPONSE: bytes
    REQUEST_START: bytes
    OPEN: bytes
    MESSAGE: bytes
    RESPONSE_STARTED: int
    OPENED: int
    ECHOED: int
    ACKNOWLEDGED: int
    CLOSED: int
    PINGS: tuple[int, ...] = ()
    """Tags of what a runner sends on a timer and that needs no answer."""

    def init(self) -> bytes:
        """The answer to a runner's init message."""
        raise NotImplementedError

    def start_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        """One message that starts all of these actors."""
        raise NotImplementedError

    def stop_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        """One message that stops all of these actors."""
        raise NotImplementedError

    def states(self, body: bytes) -> tuple[int, int]:
        """How many actors an events message reports as running, and how many as stopped."""
        reader = _Reader(body, 1)
        running = stopped = 0
        for _ in range(reader.uint()):
            state = self._state(reader)
            running += state == 0
            stopped += state == 1
        return running, stopped

    def message(self, key: bytes) -> bytes:
        """What precedes the message index in a tunnel message to ``key``."""
        return self.TUNNEL + key

    def open(self, key: bytes, actor_id: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The frame that opens a WebSocket."""
        contents = _text(actor_id) + _text(path) + _headers(headers)
        return frame(self.message(key) + b"\0\0" + self.OPEN + contents)

    def payload_head(self, size: int) -> bytes:
        """What lies between the index and the data of a WebSocket message; one byte, 1 for binary, follows the data."""
        return self.MESSAGE + _uint(size)

    def request_tail(self, actor_id: str, path: str, headers: Mapping[str, str]) -> bytes:
        """What follows the index of a GET request."""
        return self.REQUEST_START + _text(actor_id) + _text("GET") + _text(path) + _headers(headers) + b"\0\0"

    def kv_response(self, body: bytes) -> bytes:
        """The answer to any key-value request: nothing was found, everything was stored."""
        reader = _Reader(body, 1)
        reader.data()
        request_id, kind = reader.skip(4), reader.byte()
        return frame(self.KV_RESPONSE + request_id + self._kv_result(kind))

    def _kv_result(self, kind: int) -> bytes:
        # Requests are get, list, put, delete; responses the same, after the error response.
        return bytes([kind + 1]) + (b"\0\0\0" if kind < 2 else b"")

    def _state(self, reader: _Reader) -> int | None:
        """Read one event; 0 for an actor that runs, 1 for one that has stopped, none for anything else."""
        raise NotImplementedError

    def _event(self, reader: _Reader, kind: int) -> int | None:
        """Read what is left of an event after its head."""
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


class V3(Dialect):
    """Protocol 3: one sequence of commands and of events for each runner."""

    VERSION = 3
    TUNNEL, COMMANDS, KV_RESPONSE = b"\5", b"\2", b"\4"
    REQUEST_START, OPEN, MESSAGE = b"\1", b"\4", b"\5"
    RESPONSE_STARTED, OPENED, ECHOED, ACKNOWLEDGED, CLOSED = 1, 4, 5, 6, 7
    PINGS = (2, 4)

    def init(self) -> bytes:
        return frame(b"\0" + _text(RUNNER_ID) + _i64(-1) + _i64(LOST_THRESHOLD_MS))

    def acknowledge_events(self, last_index: int) -> bytes:
        """Lets the runner forget its events up to this one."""
        return frame(b"\3" + _i64(last_index))

    def start_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        config = _text("benchmark") + b"\0" + _i64(0) + b"\0" + b"\0"
        return self._commands([b"\0" + _text(actor_id) + _u32(1) + config for actor_id in actor_ids], first_index)

    def stop_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        return self._commands([b"\1" + _text(actor_id) + _u32(1) for actor_id in actor_ids], first_index)

    def _commands(self, commands: list[bytes], first_index: int) -> bytes:
        numbered = [_i64(index) + command for index, command in enumerate(commands, first_index)]
        return frame(self.COMMANDS + _uint(len(numbered)) + b"".join(numbered))

    def _state(self, reader: _Reader) -> int | None:
        reader.skip(8)
        kind = reader.byte()
        reader.data()
        reader.skip(4)
        return self._event(reader, kind)


class V7(Dialect):
    """Protocol 7: sequences of commands and of events for each actor."""

    VERSION = 7
    TUNNEL, COMMANDS, KV_RESPONSE = b"\4", b"\1", b"\3"
    REQUEST_START, OPEN, MESSAGE = b"\0", b"\3", b"\4"
    RESPONSE_STARTED, OPENED, ECHOED, ACKNOWLEDGED, CLOSED = 0, 3, 4, 5, 6
    PINGS = (2, 4)

    def init(self) -> bytes:
        return frame(b"\0" + _text(RUNNER_ID) + _i64(LOST_THRESHOLD_MS) + _i64(1_800_000) + b"\0")

    def start_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        config = _text("benchmark") + b"\0" + _i64(0) + b"\0" + b"\0"
        return self._commands(actor_ids, 0, b"\0" + config)

    def stop_actors(self, actor_ids: Iterable[str], first_index: int) -> bytes:
        return self._commands(actor_ids, 1, b"\1")

    def _commands(self, actor_ids: Iterable[str], index: int, command: bytes) -> bytes:
        commands = [_text(actor_id) + _u32(1) + _i64(index) + command for actor_id in actor_ids]
        return frame(self.COMMANDS + _uint(len(commands)) + b"".join(commands))

    def _state(self, reader: _Reader) -> int | None:
        reader.data()
        reader.skip(12)
        return self._event(reader, reader.byte())

    def _kv_result(self, kind: int) -> bytes:
        # A delete of a range lies between delete and drop, and is answered like a delete.
        return super()._kv_result(kind if kind < 4 else kind - 1)
