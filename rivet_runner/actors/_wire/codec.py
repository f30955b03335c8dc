"""What an encoding can do: the interface of the three codecs."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from rivet_runner.actors._wire.messages import Error, ToClient, ToServer

__all__ = ["VERSION", "VERSIONS", "Codec", "Encoding"]

VERSION: Final = 4
"""The version of the client protocol that is spoken."""

VERSIONS: Final = range(1, VERSION + 1)
"""The versions that are understood. Only BARE has them: in JSON and CBOR, a field that is not known is ignored."""


class Encoding(enum.Enum):
    """The encodings, by the names that clients give them."""

    JSON = "json"
    CBOR = "cbor"
    BARE = "bare"


class Codec(ABC):
    """Messages to bytes and back, in one encoding. It has no state.

    All ``decode`` methods raise `rivet_runner.DecodeError` for what is not exactly right, and nothing else. All ``encode``
    methods raise `TypeError` for a value that is not plain data, and `ValueError` for one that is too deep. ``version`` is
    that of the receiver.
    """

    encoding: ClassVar[Encoding]
    content_type: ClassVar[str]

    def version_of(self, body: bytes) -> int:
        """The version of the client protocol in which an HTTP call was sent. Raises `DecodeError`."""
        del body
        return VERSION

    @abstractmethod
    def encode_to_client(self, message: ToClient, version: int = VERSION) -> str | bytes:
        """A frame of the WebSocket: text in JSON, else bytes."""

    @abstractmethod
    def decode_to_client(self, data: str | bytes) -> ToClient:
        """The actor's message in a frame."""

    @abstractmethod
    def encode_to_server(self, message: ToServer) -> str | bytes:
        """A frame of the WebSocket: text in JSON, else bytes."""

    @abstractmethod
    def decode_to_server(self, data: str | bytes) -> ToServer:
        """The client's message in a frame."""

    @abstractmethod
    def encode_action_request(self, args: list[Any]) -> bytes:
        """The body of an HTTP call."""

    @abstractmethod
    def decode_action_request(self, body: bytes) -> tuple[list[Any], int]:
        """The arguments in the body of an HTTP call, and the version that the answer shall have."""

    @abstractmethod
    def encode_action_response(self, output: Any, version: int = VERSION) -> bytes:
        """The body of a successful HTTP answer."""

    @abstractmethod
    def decode_action_response(self, body: bytes) -> Any:
        """The output in the body of a successful HTTP answer."""

    @abstractmethod
    def encode_error(self, error: Error, version: int = VERSION) -> bytes:
        """The body of a failed HTTP answer. It has no ``action_id``."""

    @abstractmethod
    def decode_error(self, body: bytes) -> Error:
        """The error in the body of a failed HTTP answer."""
